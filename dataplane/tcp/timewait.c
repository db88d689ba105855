/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/timewait.h"

#include "dataplane/tcp/emit.h"
#include "dataplane/tcp/recv.h"

/* RFC 6191 2: a timestamp clock that has moved on separates the two connections; a second is a
 * thousand of our ticks and more than any reordering inside one path. */
#define REUSE_AFTER_NS (1000 * TCP_NS_PER_MS)

static void arm(struct tcp_stack *s, struct tcp_time_wait *w, uint64_t now)
{
	w->since_ns = now;
	wheel_arm(s->wheel, &w->timer, s->kind_time_wait,
		now + s->config.time_wait_ms * TCP_NS_PER_MS);
}

void tcp_time_wait_free(struct tcp_stack *s, struct tcp_time_wait *w, bool keep_port, uint64_t now)
{
	struct tcp_key key = w->node.key;
	bool active = w->active;

	if (wheel_armed(&w->timer))
		wheel_cancel(s->wheel, &w->timer);
	tcp_table_remove(s->table, &w->node);
	TAILQ_REMOVE(&s->time_wait_list, w, link);
	tcp_pool_give(&s->time_waits, w);
	s->usage.time_wait--;
	if (active && !keep_port)
		tcp_port_put(s->ports, &key, now);
}

bool tcp_time_wait_enter(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	struct tcp_time_wait *w = tcp_pool_take(&s->time_waits);

	if (w == NULL) {
		struct tcp_time_wait *oldest = TAILQ_FIRST(&s->time_wait_list);

		if (oldest == NULL)
			return false;
		tcp_count(s, TCP_C_time_wait_evicted);
		tcp_time_wait_free(s, oldest, false, now);
		w = tcp_pool_take(&s->time_waits);
	}
	*w = (struct tcp_time_wait){
		.node = {.key = c->node.key, .kind = TCP_NODE_TIME_WAIT},
		.snd_nxt = c->snd_nxt,
		.rcv_nxt = c->rcv_nxt,
		.ts_recent = c->ts_recent,
		.ts_offset = c->ts_offset,
		.window = tcp_recv_window(c),
		.timestamps = c->flags & TCP_F_TIMESTAMPS,
		.active = c->flags & TCP_F_ACTIVE,
	};
	tcp_table_replace(s->table, &c->node, &w->node);
	TAILQ_INSERT_TAIL(&s->time_wait_list, w, link);
	s->usage.time_wait++;
	tcp_count(s, TCP_C_time_wait_entered);
	arm(s, w, now);
	return true;
}

static void answer(struct tcp_stack *s, const struct tcp_time_wait *w, uint64_t now)
{
	struct tcp_options o = {
		.has_timestamps = w->timestamps,
		.tsval = (uint32_t)(now / TCP_NS_PER_MS) + w->ts_offset,
		.tsecr = w->ts_recent,
	};
	struct tcp_emit e = {
		.key = &w->node.key,
		.seq = w->snd_nxt,
		.ack = w->rcv_nxt,
		.flags = TCP_ACK,
		.wnd = w->window,
		.opt = &o,
	};

	tcp_emit(s, &e, now);
}

bool tcp_time_wait_segment(struct tcp_stack *s, struct tcp_time_wait *w, struct tcp_segment *g,
	uint32_t *min_iss, uint64_t now)
{
	bool ts = w->timestamps && g->opt.has_timestamps;

	if (g->flags & TCP_RST) {
		/* RFC 1337 3 (a): a RST must not cut TIME-WAIT short. */
		tcp_count(s, TCP_C_rst_in);
		tcp_count(s, TCP_C_drop_time_wait_rst);
		return false;
	}
	if ((g->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		/* RFC 6191, RFC 9293 3.6.1: clearly a new incarnation. */
		if (ts ? seq_gt(g->opt.tsval, w->ts_recent) : seq_gt(g->seq, w->rcv_nxt)) {
			*min_iss = w->snd_nxt;
			tcp_count(s, TCP_C_time_wait_reused);
			tcp_time_wait_free(s, w, false, now);
			return true;
		}
		tcp_count(s, TCP_C_drop_time_wait);
		answer(s, w, now);
		return false;
	}
	tcp_count(s, TCP_C_drop_time_wait);
	if (ts && seq_lt(g->opt.tsval, w->ts_recent)) {
		answer(s, w, now);
		return false;
	}
	/* The peer's FIN once more: our last ACK was lost. Begin again, RFC 9293 3.10.7.4 eighth.
	 */
	if ((g->flags & TCP_FIN) && g->seq + g->len + 1 == w->rcv_nxt) {
		TAILQ_REMOVE(&s->time_wait_list, w, link);
		TAILQ_INSERT_TAIL(&s->time_wait_list, w, link);
		arm(s, w, now);
		answer(s, w, now);
	} else if (g->len > 0 || (g->flags & (TCP_FIN | TCP_SYN)) || g->seq != w->rcv_nxt) {
		answer(s, w, now);
	}
	return false;
}

bool tcp_time_wait_reusable(void *arg, const struct tcp_node *n, uint64_t now)
{
	const struct tcp_time_wait *w = (const struct tcp_time_wait *)n;

	return w->timestamps && now - w->since_ns >= REUSE_AFTER_NS;
}

void tcp_time_wait_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct tcp_stack *s = arg;

	s->now = now;
	tcp_time_wait_free(s, container_of(t, struct tcp_time_wait, timer), false, now);
}
