/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/conn.h"

#include <errno.h>

#include "dataplane/tcp/output.h"
#include "dataplane/tcp/pmtu.h"
#include "dataplane/tcp/recv.h"
#include "dataplane/tcp/sendq.h"
#include "dataplane/tcp/timers.h"

/* ACKs sent at once after the handshake: the peer is in slow start. */
#define QUICK_ACKS 16

static const char *const state_names[TCP_STATES] = {
	[TCP_CLOSED] = "CLOSED",
	[TCP_SYN_SENT] = "SYN-SENT",
	[TCP_SYN_RECEIVED] = "SYN-RECEIVED",
	[TCP_ESTABLISHED] = "ESTABLISHED",
	[TCP_FIN_WAIT_1] = "FIN-WAIT-1",
	[TCP_FIN_WAIT_2] = "FIN-WAIT-2",
	[TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_CLOSING] = "CLOSING",
	[TCP_LAST_ACK] = "LAST-ACK",
	[TCP_TIME_WAIT] = "TIME-WAIT",
};

const char *tcp_state_name(enum tcp_state state)
{
	return state_names[state];
}

void tcp_conn_set_state(struct tcp_conn *c, enum tcp_state state)
{
	c->state = (uint8_t)state;
}

struct tcp_conn *tcp_conn_alloc(struct tcp_stack *s, const struct tcp_key *key, uint64_t now)
{
	struct tcp_conn *c = tcp_pool_take(&s->conns);

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->node.key = *key;
	c->node.kind = TCP_NODE_CONN;
	c->stack = s;
	TAILQ_INIT(&c->sent);
	c->rcv_buf = tcp_recv_buffer_start(s);
	c->rcv_mss = 536;
	c->user_timeout_ms = s->config.user_timeout_ms;
	c->keepalive_idle_ms = s->config.keepalive_idle_ms;
	c->undo_retrans = -1;
	c->last_rx_ns = c->progress_ns = now;
	c->ts_recent_s = tcp_seconds(now);
	c->drs_ms = (uint32_t)(now / TCP_NS_PER_MS);
	tcp_rtt_init(&c->rtt);
	return c;
}

void tcp_conn_start(struct tcp_conn *c, bool syn_lost, uint64_t now)
{
	struct tcp_stack *s = c->stack;

	tcp_pmtu_init(s, c, now);
	tcp_pmtu_apply(s, c, now);
	tcp_cc_init(&c->cc, s->config.cc, c->mss);
	if (syn_lost)
		c->cc.cwnd = c->mss; /* RFC 5681 3.1, RFC 6928 2 */
	c->max_snd_wnd = RTE_MAX(c->max_snd_wnd, c->snd_wnd);
	c->quick_acks = QUICK_ACKS;
	c->last_tx_ns = c->progress_ns = c->rto_base_ns = now;
	if (wheel_armed(&c->rtx_timer))
		wheel_cancel(s->wheel, &c->rtx_timer);
	c->rtx_mode = TCP_RTX_NONE;
	tcp_timer_slow_arm(s, c, now);
}

void tcp_conn_event(struct tcp_conn *c, unsigned int events)
{
	if (c->flags & TCP_F_ORPHAN)
		return;
	c->events |= (uint8_t)events;
	if (c->flags & TCP_F_ON_READY)
		return;
	c->flags |= TCP_F_ON_READY;
	tcp_list_add(c->stack, &c->stack->ready, c, TCP_LINK_READY);
}

void tcp_conn_want_output(struct tcp_conn *c)
{
	if (c->flags & TCP_F_ON_OUTPUT)
		return;
	c->flags |= TCP_F_ON_OUTPUT;
	tcp_list_add(c->stack, &c->stack->output, c, TCP_LINK_OUTPUT);
}

static void leave_lists(struct tcp_stack *s, struct tcp_conn *c)
{
	if (c->flags & TCP_F_ON_READY)
		tcp_list_remove(s, &s->ready, c, TCP_LINK_READY);
	if (c->flags & TCP_F_ON_OUTPUT)
		tcp_list_remove(s, &s->output, c, TCP_LINK_OUTPUT);
	c->flags &= ~(uint32_t)(TCP_F_ON_READY | TCP_F_ON_OUTPUT);
	c->events = 0;
}

/* Out of the table; the source port goes back unless TIME-WAIT has taken it over. */
static void leave_table(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (!(c->flags & TCP_F_IN_TABLE))
		return;
	tcp_table_remove(s->table, &c->node);
	if (c->flags & TCP_F_ACTIVE)
		tcp_port_put(s->ports, &c->node.key, now);
	c->flags &= ~(uint32_t)TCP_F_IN_TABLE;
}

/* What a connection that sends nothing any more has no use for. */
static void stop_sending(struct tcp_stack *s, struct tcp_conn *c)
{
	tcp_timers_cancel(s, c);
	tcp_scoreboard_free(s, c);
	tcp_sendq_free(s, c);
	c->snd_end = c->snd_una = c->snd_nxt;
	c->flags &= ~(uint32_t)(TCP_F_WANT_WRITE | TCP_F_PROBE_OUT);
}

void tcp_conn_free(struct tcp_conn *c, uint64_t now)
{
	struct tcp_stack *s = c->stack;

	leave_lists(s, c);
	leave_table(s, c, now);
	stop_sending(s, c);
	tcp_recv_free(s, c);
	s->recv_committed -= c->rcv_buf - tcp_recv_buffer_start(s);
	if (c->flags & TCP_F_LISTENER_LIMIT) {
		struct tcp_listener *l = &s->listeners[c->listener];

		l->conns--;
		tcp_listener_release(l);
	}
	if (s->dispatching == c)
		s->dispatching = NULL;
	/* Callers up the stack look at the state to see that it is gone. */
	tcp_conn_set_state(c, TCP_CLOSED);
	c->flags = 0;
	c->node.kind = 0;
	tcp_pool_give(&s->conns, c);
}

static void count_reason(struct tcp_stack *s, enum tcp_reason reason)
{
	static const enum tcp_counter by_reason[] = {
		[TCP_REASON_NONE] = TCP_C_closed_in_order,
		[TCP_REASON_RESET] = TCP_C_closed_reset,
		[TCP_REASON_REFUSED] = TCP_C_closed_refused,
		[TCP_REASON_TIMEOUT] = TCP_C_closed_timeout,
		[TCP_REASON_KEEPALIVE] = TCP_C_closed_keepalive,
		[TCP_REASON_UNREACHABLE] = TCP_C_closed_unreachable,
		[TCP_REASON_NO_RESOURCES] = TCP_C_closed_no_resources,
		[TCP_REASON_ABORTED] = TCP_C_closed_aborted,
	};

	tcp_count(s, by_reason[reason]);
}

/* The application learns of it, or nobody is left who would. */
static void end_deliver(struct tcp_conn *c, enum tcp_reason reason, uint64_t now)
{
	if ((c->flags & TCP_F_ORPHAN) || !(c->flags & TCP_F_ACCEPTED)) {
		tcp_conn_free(c, now);
		return;
	}
	c->reason = (uint8_t)reason;
	c->events &= (uint8_t)~TCP_EV_WRITABLE;
	tcp_conn_event(c, TCP_EV_CLOSED);
}

void tcp_conn_end(struct tcp_conn *c, enum tcp_reason reason, uint64_t now)
{
	struct tcp_stack *s = c->stack;

	if (c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT)
		return;
	count_reason(s, reason);
	leave_table(s, c, now);
	stop_sending(s, c);
	tcp_conn_set_state(c, TCP_CLOSED);
	/* A connection refused before it was one has no `connected` to tell of. */
	c->events &= (uint8_t)~TCP_EV_CONNECTED;
	end_deliver(c, reason, now);
}

void tcp_conn_enter_time_wait(struct tcp_conn *c, uint64_t now)
{
	struct tcp_stack *s = c->stack;

	if (s->config.max_time_wait > 0 && tcp_time_wait_enter(s, c, now))
		c->flags &= ~(uint32_t)TCP_F_IN_TABLE;
	else
		leave_table(s, c, now);
	count_reason(s, TCP_REASON_NONE);
	stop_sending(s, c);
	tcp_conn_set_state(c, TCP_TIME_WAIT);
	end_deliver(c, TCP_REASON_NONE, now);
}

void tcp_set_user(struct tcp_conn *c, void *user)
{
	c->user = user;
}

void *tcp_user(const struct tcp_conn *c)
{
	return c->user;
}

void tcp_shutdown(struct tcp_stack *s, struct tcp_conn *c)
{
	if (c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT || (c->flags & TCP_F_FIN_QUEUED))
		return;
	c->flags |= TCP_F_FIN_QUEUED;
	c->flags &= ~(uint32_t)(TCP_F_WANT_WRITE | TCP_F_MORE | TCP_F_MORE_WAITED);
	c->events &= (uint8_t)~TCP_EV_WRITABLE;
	tcp_conn_want_output(c);
}

void tcp_abort(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->state != TCP_CLOSED && c->state != TCP_TIME_WAIT) {
		count_reason(s, TCP_REASON_ABORTED);
		tcp_output_rst(s, c, now);
	}
	tcp_conn_free(c, now);
}

void tcp_close(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT) {
		tcp_conn_free(c, now);
		return;
	}
	if (c->rcvq_bytes > 0 || c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED) {
		tcp_abort(s, c, now);
		return;
	}
	tcp_shutdown(s, c);
	if (c->flags & TCP_F_ON_READY)
		tcp_list_remove(s, &s->ready, c, TCP_LINK_READY);
	c->flags &= ~(uint32_t)TCP_F_ON_READY;
	c->events = 0;
	c->flags |= TCP_F_ORPHAN;
	c->user = NULL;
	c->progress_ns = now;
	c->last_rx_ns = now;
	tcp_timer_slow_arm(s, c, now);
}
