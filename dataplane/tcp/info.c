/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator may look at. */
#include "dataplane/tcp/recv.h"
#include "dataplane/tcp/stack.h"
#include "dataplane/tcp/timers.h"

void tcp_get_info(const struct tcp_stack *s, const struct tcp_conn *c, struct tcp_info *info)
{
	*info = (struct tcp_info){
		.local = c->node.key.local,
		.remote = c->node.key.remote,
		.local_port = c->node.key.local_port,
		.remote_port = c->node.key.remote_port,
		.state = tcp_state_name(c->state),
		.rtt_us = c->rtt.srtt_us,
		.rttvar_us = c->rtt.rttvar_us,
		.rto_ms = (uint32_t)(tcp_timer_rto_ns(c) / TCP_NS_PER_MS),
		.min_rtt_us = c->rtt.min_rtt_us,
		.mss = c->mss,
		.snd_cwnd_bytes = c->cc.cwnd,
		.ssthresh_bytes = c->cc.ssthresh,
		.in_flight_bytes = tcp_conn_pipe(c),
		.snd_wnd = c->snd_wnd,
		.rcv_wnd = tcp_conn_rcv_wnd(c),
		.snd_wscale = c->snd_wscale,
		.rcv_wscale = c->rcv_wscale,
		.timestamps = c->flags & TCP_F_TIMESTAMPS,
		.sack = c->flags & TCP_F_SACK,
		.ecn = c->flags & TCP_F_ECN,
		.bytes_sent = c->bytes_sent,
		.bytes_acked = c->bytes_acked,
		.bytes_received = c->bytes_received,
		.retransmits = c->retransmits,
		.sacked_segments = c->sacked_segments,
		.lost_segments = c->lost_segments,
		.pacing_bytes_per_second =
			c->rtt.srtt_us != 0 ? tcp_cc_pacing_rate(&c->cc, c->rtt.srtt_us) : 0,
		.last_receive_ns = c->last_rx_ns,
	};
}

bool tcp_foreach(const struct tcp_stack *s, uint32_t *cursor, uint32_t max,
	void (*fn)(void *arg, const struct tcp_conn *c), void *arg)
{
	while (*cursor < s->conns.count && max > 0) {
		const struct tcp_conn *c = tcp_pool_at(&s->conns, *cursor);

		(*cursor)++;
		if (c->node.kind != TCP_NODE_CONN || c->state == TCP_CLOSED)
			continue;
		fn(arg, c);
		max--;
	}
	return *cursor < s->conns.count;
}

void tcp_get_usage(const struct tcp_stack *s, struct tcp_usage *usage)
{
	/* The worker writes them one by one: each is right, together they may be of two moments. */
	*usage = (struct tcp_usage){
		.conns = __atomic_load_n(&s->conns.used, __ATOMIC_RELAXED),
		.half_open = __atomic_load_n(&s->usage.half_open, __ATOMIC_RELAXED),
		.time_wait = __atomic_load_n(&s->usage.time_wait, __ATOMIC_RELAXED),
		.max_conns = s->config.max_conns,
		.ports = tcp_port_used(s->ports),
		.timers = wheel_count(s->wheel),
		.rx_mbufs = __atomic_load_n(&s->usage.rx_mbufs, __ATOMIC_RELAXED),
		.tx_mbufs = __atomic_load_n(&s->usage.tx_mbufs, __ATOMIC_RELAXED),
		.recv_bytes = __atomic_load_n(&s->usage.recv_bytes, __ATOMIC_RELAXED),
	};
}
