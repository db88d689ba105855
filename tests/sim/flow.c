/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/flow.h"

#include <errno.h>
#include <string.h>

#define PORT      25
#define CHUNK_MAX 20000u

static uint8_t pattern(uint32_t id, int from, uint64_t offset)
{
	uint64_t x = (offset + 1) * UINT64_C(0x9e3779b97f4a7c15) +
		     id * UINT64_C(0xd1342543de82ef95) + (uint64_t)from;

	return (uint8_t)(x >> 56 ^ x >> 31);
}

static int side_of(const struct sim_end *e)
{
	return e == &e->flow->end[0] ? 0 : 1;
}

static uint64_t now_of(const struct sim_end *e)
{
	return e->flow->all->world->now;
}

static bool has_all(const struct sim_end *e)
{
	return e->sent == e->to_send && e->read == e->to_read;
}

static void end_gone(struct sim_end *e)
{
	wheel_cancel(e->host->wheel, &e->timer);
	e->conn = NULL;
	e->finished = true;
}

/* Waits now and then; true: come back later. */
static bool dawdle(struct sim_end *e)
{
	struct sim_flows *all = e->flow->all;

	if (wheel_armed(&e->timer))
		return true;
	if (!rng_chance(&all->rng, e->pause_ppm))
		return false;
	wheel_arm(e->host->wheel, &e->timer, all->timer_kind[side_of(e)],
		now_of(e) + 1 + rng_below(&all->rng, e->pause_max));
	return true;
}

static void compare(struct sim_end *e, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (e->read >= e->to_read || p[i] != pattern(e->flow->id, 1 - side_of(e), e->read))
			e->bad_byte = true;
		e->read++;
	}
}

static void end_read(struct sim_end *e)
{
	struct sim_flows *all = e->flow->all;
	uint8_t buf[CHUNK_MAX];

	while (tcp_readable(e->conn) > 0 && !dawdle(e)) {
		size_t want = 1 + rng_below(&all->rng, CHUNK_MAX);

		if (rng_chance(&all->rng, 500000)) {
			struct iovec iov[4];
			int n = tcp_peek(e->conn, 0, iov, 4);
			size_t taken = 0;

			for (int i = 0; i < n; i++) {
				compare(e, iov[i].iov_base, iov[i].iov_len);
				taken += iov[i].iov_len;
			}
			tcp_consume(e->host->tcp, e->conn, taken);
		} else {
			compare(e, buf, tcp_read(e->host->tcp, e->conn, buf, want));
		}
	}
}

static void end_write(struct sim_end *e)
{
	struct sim_flows *all = e->flow->all;
	uint8_t buf[CHUNK_MAX];

	while (e->sent < e->to_send && !dawdle(e)) {
		size_t want = 1 + rng_below(&all->rng, CHUNK_MAX);
		int64_t n;

		if (want > e->to_send - e->sent)
			want = e->to_send - e->sent;
		for (size_t i = 0; i < want; i++)
			buf[i] = pattern(e->flow->id, side_of(e), e->sent + i);
		n = tcp_send(e->host->tcp, e->conn, buf, want, rng_chance(&all->rng, 300000));
		if (n < 0 && n != -ENOBUFS)
			return; /* reset under way: `closed` tells */
		if (n > 0)
			e->sent += (uint64_t)n;
		if (n < (int64_t)want)
			return; /* `writable` comes */
	}
}

static void end_close(struct sim_end *e)
{
	tcp_close(e->host->tcp, e->conn, now_of(e));
	end_gone(e);
}

/* What the flow's manner of closing says about this end now. */
static void end_decide(struct sim_end *e)
{
	struct sim_flow *f = e->flow;
	bool eof = tcp_at_eof(e->conn);

	if (has_all(e) && f->finished == 0 && has_all(&f->end[1 - side_of(e)]))
		f->finished = now_of(e);
	switch (f->how) {
	case SIM_CLOSE_HALF:
		if (e->sent == e->to_send && !e->shut) {
			tcp_shutdown(e->host->tcp, e->conn);
			e->shut = true;
		}
		if (e->shut && eof)
			end_close(e);
		break;
	case SIM_CLOSE_CLIENT:
	case SIM_CLOSE_SERVER:
		if (has_all(e) && (eof || side_of(e) == (f->how == SIM_CLOSE_SERVER)))
			end_close(e);
		break;
	case SIM_CLOSE_BOTH:
		if (has_all(e))
			end_close(e);
		break;
	case SIM_CLOSE_ABORT:
		if (side_of(e) == 0 && e->sent + e->read >= (e->to_send + e->to_read) / 2) {
			tcp_abort(e->host->tcp, e->conn, now_of(e));
			end_gone(e);
		}
		break;
	case SIM_CLOSE_KINDS:
		break;
	}
}

static void end_work(struct sim_end *e)
{
	if (e->conn == NULL || !e->up)
		return;
	end_read(e);
	end_write(e);
	end_decide(e);
}

static void on_timer(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct sim_end *e = (struct sim_end *)((char *)t - offsetof(struct sim_end, timer));

	end_work(e);
}

static void on_event(struct tcp_conn *c, void *user, uint64_t now)
{
	end_work(user);
}

static void on_connected(struct tcp_conn *c, void *user, uint64_t now)
{
	struct sim_end *e = user;

	e->up = true;
	end_work(e);
}

static void on_closed(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now)
{
	struct sim_end *e = user;

	/* What came in before is still to be had. */
	e->pause_ppm = 0;
	wheel_cancel(e->host->wheel, &e->timer);
	end_read(e);
	e->reason = reason;
	end_gone(e);
}

static int on_accepted(struct tcp_conn *c, void *arg, uint64_t now);

static const struct tcp_ops flow_ops = {
	.accepted = on_accepted,
	.connected = on_connected,
	.readable = on_event,
	.writable = on_event,
	.closed = on_closed,
};

static int on_accepted(struct tcp_conn *c, void *arg, uint64_t now)
{
	struct sim_flows *all = arg;
	struct tcp_info info;

	tcp_get_info(all->world->host[1].tcp, c, &info);
	for (uint32_t i = 0; i < all->count; i++) {
		struct sim_end *e = &all->flow[i].end[1];

		if (all->flow[i].client_port != info.remote_port || e->up ||
			all->flow[i].v6 == ip_addr_is_v4(&info.remote))
			continue;
		e->conn = c;
		e->up = true;
		tcp_set_user(c, e);
		end_work(e);
		return 0;
	}
	all->unknown++;
	return -1;
}

int sim_flows_init(struct sim_flows *f, struct sim_world *w, uint64_t seed)
{
	struct tcp_listen_params listen = {.port = PORT, .ops = &flow_ops, .arg = f};

	*f = (struct sim_flows){.world = w, .rng = {seed}};
	for (int i = 0; i < 2; i++) {
		int kind = wheel_register(w->host[i].wheel, on_timer, f);

		if (kind < 0)
			return kind;
		f->timer_kind[i] = (uint8_t)kind;
	}
	return tcp_listen(w->host[1].tcp, &listen, &f->listener);
}

int sim_flow_start(struct sim_flows *f, enum sim_close how, bool v6, uint64_t client_bytes,
	uint64_t server_bytes, uint32_t pause_ppm, uint64_t pause_max)
{
	struct sim_world *w = f->world;
	struct sim_flow *flow = &f->flow[f->count];
	struct tcp_connect_params connect = {
		.local = *sim_world_addr(w, 0, v6),
		.remote = *sim_world_addr(w, 1, v6),
		.remote_port = PORT,
		.ops = &flow_ops,
		.user = &flow->end[0],
	};
	struct tcp_info info;
	int ret;

	if (f->count == sizeof(f->flow) / sizeof(f->flow[0]))
		return -ENOSPC;
	*flow = (struct sim_flow){
		.all = f, .id = f->count + 1, .how = how, .v6 = v6, .started = w->now};
	for (int i = 0; i < 2; i++) {
		flow->end[i] = (struct sim_end){
			.flow = flow,
			.host = &w->host[i],
			.to_send = i == 0 ? client_bytes : server_bytes,
			.to_read = i == 0 ? server_bytes : client_bytes,
			.pause_ppm = pause_ppm,
			.pause_max = pause_max,
		};
	}
	ret = tcp_connect(w->host[0].tcp, &connect, w->now, &flow->end[0].conn);
	if (ret < 0)
		return ret;
	tcp_get_info(w->host[0].tcp, flow->end[0].conn, &info);
	flow->client_port = info.local_port;
	f->count++;
	return 0;
}

bool sim_flows_over(const struct sim_flows *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		const struct sim_flow *flow = &f->flow[i];
		const struct sim_end *client = &flow->end[0], *server = &flow->end[1];

		if (!client->finished)
			return false;
		/* A client that gave up before the server knew of it. */
		if (!server->finished && (server->up || (client->reason == TCP_REASON_NONE &&
								flow->how != SIM_CLOSE_ABORT)))
			return false;
	}
	return true;
}

static bool end_check(const struct sim_end *e, FILE *out)
{
	const struct sim_flow *f = e->flow;
	const char *side = side_of(e) == 0 ? "client" : "server";
	bool ok = true;

	if (e->bad_byte) {
		fprintf(out, "  flow %u %s: wrong bytes\n", f->id, side);
		ok = false;
	}
	if (f->how == SIM_CLOSE_ABORT)
		return ok;
	if (!e->finished) {
		fprintf(out, "  flow %u %s: not closed\n", f->id, side);
		ok = false;
	}
	if (e->read != e->to_read || e->sent != e->to_send) {
		fprintf(out, "  flow %u %s: read %ju of %ju, sent %ju of %ju\n", f->id, side,
			(uintmax_t)e->read, (uintmax_t)e->to_read, (uintmax_t)e->sent,
			(uintmax_t)e->to_send);
		ok = false;
	}
	if (e->reason != TCP_REASON_NONE) {
		fprintf(out, "  flow %u %s: %s\n", f->id, side, tcp_reason_name(e->reason));
		ok = false;
	}
	return ok;
}

bool sim_flows_check(const struct sim_flows *f, FILE *out)
{
	bool ok = true;

	for (uint32_t i = 0; i < f->count; i++) {
		for (int side = 0; side < 2; side++)
			ok = end_check(&f->flow[i].end[side], out) && ok;
	}
	/* An old duplicate may bring its cookie again: nobody remembers that it was used. */
	if (f->unknown != 0 && sim_host_counter(&f->world->host[1], "tcp_syn_cookies_valid") == 0) {
		fprintf(out, "  %u connections of no flow\n", f->unknown);
		ok = false;
	}
	return ok;
}

void sim_flows_stop(struct sim_flows *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		for (int side = 0; side < 2; side++) {
			struct sim_end *e = &f->flow[i].end[side];

			if (e->conn == NULL)
				continue;
			tcp_abort(e->host->tcp, e->conn, f->world->now);
			end_gone(e);
		}
	}
	if (f->listener != NULL)
		tcp_unlisten(f->world->host[1].tcp, f->listener);
	f->listener = NULL;
}
