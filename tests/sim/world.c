/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/trace.h"

/* Turns a host takes at one point of time, as a polling loop would: what asks for "the next loop"
 * gets it. */
#define TURNS 3

void sim_config(struct tcp_config *config, uint64_t seed)
{
	struct rng r = {seed ^ UINT64_C(0x5ec4e7)};

	tcp_config_defaults(config);
	config->max_conns = 64;
	config->max_syn_backlog = 64;
	config->max_time_wait = 64;
	config->send_buffer = 256 * 1024;
	config->recv_buffer = 256 * 1024;
	config->recv_budget = 64u << 20;
	config->reserve_mbufs = 64;
	/* A peer that reset what we never heard of: without it we would wait for ever. */
	config->keepalive_idle_ms = 120000;
	/* A path may be bad for minutes: giving up is not what is looked at. */
	config->user_timeout_ms = 3600000;
	config->syn_retries = 12;
	config->synack_retries = 12;
	for (size_t i = 0; i < sizeof(config->secret); i++)
		config->secret[i] = (uint8_t)rng_next(&r);
}

static void trace_packet(
	struct sim_world *w, int from, const struct sim_packet *p, const char *what)
{
	uint32_t at = p->frame ? sim_trace_frame_tcp(p->data, p->len) : 0;
	char text[256];

	if (w->trace == NULL)
		return;
	if (p->frame && (at == 0 || at >= p->len))
		snprintf(text, sizeof(text), "frame of %u, type %02x%02x", p->len, p->data[12],
			p->data[13]);
	else
		sim_trace_segment(p->data + at, p->len - at, text, sizeof(text));
	fprintf(w->trace, "%12.6f %c %s [%s]%s\n", (double)w->now / 1e9, from == 0 ? '>' : '<',
		text, what, (p->tos & 3) == 3 ? " CE" : "");
}

/* What a router says when a packet is too big, RFC 1191 4, RFC 4443 3.2; in no time. */
static void too_big(struct sim_world *w, int from, const struct sim_packet *p)
{
	struct net_icmp_error e = {
		.local = p->src,
		.remote = p->dst,
		.local_port = (uint16_t)(p->data[0] << 8 | p->data[1]),
		.remote_port = (uint16_t)(p->data[2] << 8 | p->data[3]),
		.type = ip_addr_is_v4(&p->dst) ? 3 : 2,
		.code = ip_addr_is_v4(&p->dst) ? 4 : 0,
		.mtu = (uint16_t)w->link[from].params.mtu,
	};

	memcpy(&e.seq, p->data + 4, sizeof(e.seq));
	e.seq = ntohl(e.seq);
	tcp_icmp_error(w->host[from].tcp, &e, w->now);
}

static void world_out(void *arg, struct sim_host *h, struct sim_packet *p)
{
	struct sim_world *w = arg;
	int from = h == &w->host[0] ? 0 : 1;
	struct sim_link *l = &w->link[from];
	bool big = l->params.mtu != 0 && sim_packet_ip_size(p) > l->params.mtu;

	if (w->drop != NULL && w->drop(w->drop_arg, from, p)) {
		trace_packet(w, from, p, "dropped");
		free(p);
		return;
	}
	if (w->trace != NULL || (big && !l->params.black_hole && !l->params.dead)) {
		struct sim_packet *copy = sim_packet_new(p->len);
		enum sim_fate fate;

		memcpy(copy, p, sizeof(*p) + p->len);
		fate = sim_link_send(l, p, w->now);
		trace_packet(w, from, copy, sim_fate_name(fate));
		/* Bare segments only: with frames the IP layer would have to read it. */
		if (fate == SIM_TOO_BIG && !l->params.black_hole && !copy->frame)
			too_big(w, from, copy);
		free(copy);
		return;
	}
	sim_link_send(l, p, w->now);
}

static struct ip_addr v6_of(uint8_t last)
{
	return (struct ip_addr){.b = {0x20, 0x01, 0x0d, 0xb8, [15] = last}};
}

int sim_world_create(
	struct sim_world *w, const struct sim_world_params *params, struct sim_pools *pools)
{
	struct rng seeds = {params->seed};
	int ret = 0;

	*w = (struct sim_world){
		.now = params->start, .trace = params->trace, .rng = {rng_next(&seeds)}};
	for (int i = 0; i < 2; i++) {
		struct sim_host_params host = {
			.name = i == 0 ? "client" : "server",
			.config = params->config[i],
			.addrs = {ip_addr_from_v4(htonl(0xc0000201u + (uint32_t)i)),
				v6_of((uint8_t)(1 + i))},
			.mtu = params->mtu[i] != 0 ? params->mtu[i] : 1500,
			.tso_max = params->tso_max[i],
			.frames = params->frames,
		};

		sim_link_init(&w->link[i], &params->link[i], rng_next(&seeds));
		w->host[i].out = world_out;
		w->host[i].out_arg = w;
		ret = sim_host_create(&w->host[i], &host, &pools[i], w->now);
		if (ret < 0)
			break;
	}
	if (ret < 0)
		sim_world_destroy(w);
	return ret;
}

void sim_world_destroy(struct sim_world *w)
{
	for (int i = 0; i < 2; i++) {
		sim_host_destroy(&w->host[i]);
		sim_link_free(&w->link[i]);
	}
}

const struct ip_addr *sim_world_addr(const struct sim_world *w, int host, bool v6)
{
	return &w->host[host].addrs[v6 ? 1 : 0];
}

static void deliver(struct sim_world *w, int to)
{
	struct sim_packet *p;

	while ((p = sim_link_take(&w->link[1 - to], w->now)) != NULL) {
		if (p->damaged)
			trace_packet(w, 1 - to, p, "damaged");
		else if (!sim_host_input(&w->host[to], p, w->now))
			trace_packet(w, 1 - to, p, "no receive mbuf");
		free(p);
	}
}

void sim_world_kick(struct sim_world *w)
{
	for (int turn = 0; turn < TURNS; turn++) {
		for (int i = 0; i < 2; i++) {
			deliver(w, i);
			sim_host_run(&w->host[i], w->now);
		}
	}
}

static uint64_t world_next(const struct sim_world *w)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < 2; i++) {
		uint64_t timer = sim_host_next(&w->host[i]), packet = sim_link_next(&w->link[i]);

		next = timer < next ? timer : next;
		next = packet < next ? packet : next;
	}
	/* The IP layer's own clock ticks only while there is something else to wait for. */
	if (next != UINT64_MAX) {
		for (int i = 0; i < 2; i++) {
			uint64_t tick = w->host[i].next_net_tick;

			next = tick < next ? tick : next;
		}
	}
	return next;
}

bool sim_world_step(struct sim_world *w, uint64_t until)
{
	uint64_t next = world_next(w);

	if (next > until) {
		if (until != UINT64_MAX && until > w->now)
			w->now = until;
		return false;
	}
	if (next > w->now)
		w->now = next;
	w->steps++;
	sim_world_kick(w);
	return true;
}

static uint32_t left(FILE *f, const char *host, const char *what, uint64_t n)
{
	if (n != 0 && f != NULL)
		fprintf(f, "  left on %s: %ju %s\n", host, (uintmax_t)n, what);
	return n != 0;
}

uint32_t sim_world_left(struct sim_world *w, FILE *f)
{
	uint32_t n = 0;

	for (int i = 0; i < 2; i++) {
		struct sim_host *h = &w->host[i];
		struct tcp_usage u;

		tcp_get_usage(h->tcp, &u);
		n += left(f, h->name, "connections", u.conns);
		n += left(f, h->name, "half-open connections", u.half_open);
		n += left(f, h->name, "in TIME-WAIT", u.time_wait);
		n += left(f, h->name, "ports", u.ports);
		n += left(f, h->name, "receive mbufs counted", u.rx_mbufs);
		n += left(f, h->name, "send mbufs counted", u.tx_mbufs);
		n += left(f, h->name, "bytes received counted", u.recv_bytes);
		n += left(f, h->name, "timers", wheel_count(h->wheel));
		n += left(f, h->name, "packets sent and under way", w->link[i].count);
		/* With the IP layer a neighbour's hold queue may have some for a second or two. */
		n += left(f, h->name, "mbufs", sim_pools_out(h->pools));
	}
	return n;
}
