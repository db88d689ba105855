/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/timers.h"

#include <errno.h>

#include "dataplane/tcp/output.h"
#include "dataplane/tcp/pmtu.h"
#include "dataplane/tcp/rack.h"
#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/sendq.h"

#define RTO_MAX_NS      (60000 * TCP_NS_PER_MS) /* RFC 6298 2.5 */
#define PERSIST_MIN_NS  (200 * TCP_NS_PER_MS)
#define RETRY_NS        (1 * TCP_NS_PER_MS)
#define HOUSEKEEPING_NS (60000 * TCP_NS_PER_MS)
/* RFC 5482, 1122 4.2.2.20: a peer that never closes its half must not hold ours for ever. */
#define FIN_WAIT_2_NS (60000 * TCP_NS_PER_MS)

uint64_t tcp_timer_rto_ns(const struct tcp_conn *c)
{
	uint64_t rto = (uint64_t)c->rtt.rto_us * TCP_NS_PER_US << c->backoff;

	return RTE_MIN(rto, RTO_MAX_NS);
}

static uint64_t user_timeout_ns(const struct tcp_conn *c)
{
	return (uint64_t)c->user_timeout_ms * TCP_NS_PER_MS;
}

static void rtx_arm(struct tcp_stack *s, struct tcp_conn *c, uint8_t mode, uint64_t when)
{
	c->rtx_mode = mode;
	wheel_arm(s->wheel, &c->rtx_timer, s->kind_rtx, when);
}

static void rtx_cancel(struct tcp_stack *s, struct tcp_conn *c)
{
	if (wheel_armed(&c->rtx_timer))
		wheel_cancel(s->wheel, &c->rtx_timer);
	c->rtx_mode = TCP_RTX_NONE;
}

/* Something to send that the window keeps back, and nothing in flight whose ACK would tell. */
static bool persist_needed(const struct tcp_conn *c)
{
	if (c->flags & TCP_F_PROBE_OUT)
		return true;
	return c->rec_head == NULL && tcp_conn_unsent(c) > 0 &&
	       !(c->flags & (TCP_F_WAITING | TCP_F_ON_OUTPUT));
}

void tcp_timer_rtx_update(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint64_t rto, tlp;

	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED) {
		rtx_arm(s, c, TCP_RTX_RTO, c->rto_base_ns + tcp_timer_rto_ns(c));
		return;
	}
	if (persist_needed(c)) {
		/* Not pushed back by whatever else happens, or it would never fire. */
		if (c->rtx_mode != TCP_RTX_PERSIST)
			rtx_arm(s, c, TCP_RTX_PERSIST,
				now + RTE_MAX(tcp_timer_rto_ns(c), PERSIST_MIN_NS));
		return;
	}
	if (c->rec_head == NULL) {
		rtx_cancel(s, c);
		return;
	}
	rto = c->rto_base_ns + tcp_timer_rto_ns(c);
	if (c->reorder_ns != 0) {
		rtx_arm(s, c, TCP_RTX_REORDER, RTE_MIN(c->reorder_ns, rto));
		return;
	}
	tlp = tcp_tlp_deadline(c, now);
	/* RFC 8985 7.2: a probe that would come after the RTO comes in its place. */
	if (tlp != 0)
		rtx_arm(s, c, TCP_RTX_TLP, RTE_MIN(tlp, rto));
	else
		rtx_arm(s, c, TCP_RTX_RTO, rto);
}

/* Never later than it is armed for already. */
static void soon_arm(struct tcp_stack *s, struct tcp_conn *c, uint64_t when)
{
	if (wheel_armed(&c->soon_timer) &&
		(int32_t)((uint32_t)(when >> WHEEL_TICK_SHIFT) - c->soon_timer.tick) >= 0)
		return;
	wheel_arm(s->wheel, &c->soon_timer, s->kind_soon, when);
}

void tcp_timer_wait(struct tcp_stack *s, struct tcp_conn *c, uint64_t when)
{
	c->flags |= TCP_F_WAITING;
	soon_arm(s, c, when);
}

void tcp_timer_delack_arm(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint64_t due = now + s->config.delayed_ack_ms * TCP_NS_PER_MS;

	if (c->flags & TCP_F_ACK_DELAY)
		return; /* the first byte that waits decides */
	c->flags |= TCP_F_ACK_DELAY;
	c->ack_due_ms = (uint32_t)(due / TCP_NS_PER_MS);
	soon_arm(s, c, due);
}

void tcp_timer_retry(struct tcp_conn *c)
{
	struct tcp_stack *s = c->stack;

	if (!(c->flags & TCP_F_WAITING))
		tcp_timer_wait(s, c, s->now + RETRY_NS);
}

void tcp_timers_cancel(struct tcp_stack *s, struct tcp_conn *c)
{
	struct wheel_timer *timers[] = {&c->rtx_timer, &c->slow_timer, &c->soon_timer};

	for (size_t i = 0; i < RTE_DIM(timers); i++) {
		if (wheel_armed(timers[i]))
			wheel_cancel(s->wheel, timers[i]);
	}
	c->rtx_mode = TCP_RTX_NONE;
}

/* RFC 9293 3.8.3, R2: whether the peer has been silent on our data for too long. A peer that
 * answers from behind a closed window is alive, 3.8.6.1. */
static bool given_up(const struct tcp_conn *c, uint64_t now)
{
	if (now - c->progress_ns < user_timeout_ns(c))
		return false;
	return c->snd_wnd != 0 || (c->flags & TCP_F_ORPHAN) ||
	       now - c->last_rx_ns >= user_timeout_ns(c);
}

static void syn_timeout(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint8_t most = c->state == TCP_SYN_SENT ? s->config.syn_retries : s->config.synack_retries;

	if (c->backoff >= most) {
		tcp_conn_end(c, TCP_REASON_TIMEOUT, now);
		return;
	}
	c->backoff++;
	tcp_count(s, TCP_C_syn_retransmits);
	c->rto_base_ns = now;
	if (tcp_output_syn(s, c, now) == -EHOSTUNREACH && c->state == TCP_SYN_SENT) {
		tcp_conn_end(c, TCP_REASON_UNREACHABLE, now);
		return;
	}
	tcp_timer_rtx_update(s, c, now);
}

static void rto_timeout(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->rec_head == NULL)
		return;
	if (given_up(c, now)) {
		tcp_conn_end(c, TCP_REASON_TIMEOUT, now);
		return;
	}
	tcp_recovery_rto(s, c, now);
	if (c->backoff >= TCP_BLACK_HOLE_RTOS)
		tcp_pmtu_black_hole(s, c, now);
	c->rto_base_ns = now;
	tcp_output_conn(s, c, now);
}

static void persist_timeout(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (given_up(c, now)) {
		tcp_conn_end(c, TCP_REASON_TIMEOUT, now);
		return;
	}
	if (!(c->flags & TCP_F_PROBE_OUT) && c->snd_wnd > tcp_conn_flight(c)) {
		/* The window is open, only silly: the override timer, RFC 9293 3.8.6.2.1 (4). */
		c->flags |= TCP_F_SEND_SHORT;
		tcp_output_conn(s, c, now);
		return;
	}
	tcp_output_persist(s, c, now);
	if (c->backoff < 16)
		c->backoff++;
	tcp_timer_rtx_update(s, c, now);
}

static void rtx_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct tcp_stack *s = arg;
	struct tcp_conn *c = container_of(t, struct tcp_conn, rtx_timer);
	uint8_t mode = c->rtx_mode;

	s->now = now;
	c->rtx_mode = TCP_RTX_NONE;
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED) {
		syn_timeout(s, c, now);
		return;
	}
	switch (mode) {
	case TCP_RTX_RTO:
		rto_timeout(s, c, now);
		break;
	case TCP_RTX_TLP:
		tcp_tlp_probe(s, c, now);
		/* RFC 8985 7.3: the RTO is armed anew behind the probe. */
		c->rto_base_ns = now;
		tcp_timer_rtx_update(s, c, now);
		break;
	case TCP_RTX_REORDER:
		tcp_recovery_reorder_timer(s, c, now);
		tcp_output_conn(s, c, now);
		break;
	case TCP_RTX_PERSIST:
		persist_timeout(s, c, now);
		break;
	default:
		break;
	}
}

static void soon_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct tcp_stack *s = arg;
	struct tcp_conn *c = container_of(t, struct tcp_conn, soon_timer);

	s->now = now;
	if (c->flags & TCP_F_ACK_DELAY) {
		int32_t left = (int32_t)(c->ack_due_ms - (uint32_t)(now / TCP_NS_PER_MS));

		if (left <= 0) {
			c->flags |= TCP_F_ACK_NOW;
			tcp_conn_want_output(c);
		} else {
			soon_arm(s, c, now + (uint64_t)left * TCP_NS_PER_MS);
		}
	}
	if (c->flags & TCP_F_WAITING) {
		c->flags &= ~(uint32_t)TCP_F_WAITING;
		tcp_sendq_check_writable(c);
		tcp_conn_want_output(c);
	}
}

static uint64_t keepalive_ns(const struct tcp_conn *c)
{
	return (uint64_t)c->keepalive_idle_ms * TCP_NS_PER_MS;
}

/* When the slow timer has something to look at. */
void tcp_timer_slow_arm(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint64_t when = now + HOUSEKEEPING_NS;

	if ((c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT) &&
		c->keepalive_idle_ms != 0) {
		when = c->last_rx_ns + keepalive_ns(c);
		/* Probed already, or data in flight does the probing: not before the next interval.
		 */
		if (c->keepalive_count > 0 || when <= now)
			when = now + s->config.keepalive_interval_ms * TCP_NS_PER_MS;
	} else if (c->state == TCP_SYN_SENT && c->connect_timeout_ms != 0) {
		when = now + c->connect_timeout_ms * TCP_NS_PER_MS;
	} else if (c->state >= TCP_FIN_WAIT_1) {
		when = now + RTE_MIN(FIN_WAIT_2_NS, user_timeout_ns(c));
	}
	wheel_arm(s->wheel, &c->slow_timer, s->kind_slow, when);
}

/* RFC 9293 3.8.4. True: the connection is gone. */
static bool keepalive_check(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->keepalive_idle_ms == 0 || c->rec_head != NULL ||
		now - c->last_rx_ns < keepalive_ns(c)) {
		c->keepalive_count = 0;
		return false;
	}
	if (c->keepalive_count >= s->config.keepalive_probes) {
		tcp_output_rst(s, c, now);
		tcp_conn_end(c, TCP_REASON_KEEPALIVE, now);
		return true;
	}
	c->keepalive_count++;
	tcp_output_keepalive(s, c, now);
	return false;
}

static void slow_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct tcp_stack *s = arg;
	struct tcp_conn *c = container_of(t, struct tcp_conn, slow_timer);

	s->now = now;
	if ((c->flags & TCP_F_ORPHAN) && c->state != TCP_FIN_WAIT_2 &&
		now - c->progress_ns >= user_timeout_ns(c)) {
		/* A FIN behind a window that stays closed, and nobody left to wait for it. */
		tcp_output_rst(s, c, now);
		tcp_conn_end(c, TCP_REASON_TIMEOUT, now);
		return;
	}
	switch ((enum tcp_state)c->state) {
	case TCP_SYN_SENT:
		if (c->connect_timeout_ms != 0) {
			tcp_conn_end(c, TCP_REASON_TIMEOUT, now);
			return;
		}
		break;
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		if (keepalive_check(s, c, now))
			return;
		tcp_pmtu_age(s, c, now);
		break;
	case TCP_FIN_WAIT_2:
		/* Half closed: ours while the application is there and the peer talks. */
		if (now - c->last_rx_ns >=
			(c->flags & TCP_F_ORPHAN ? FIN_WAIT_2_NS : user_timeout_ns(c))) {
			tcp_output_rst(s, c, now);
			tcp_conn_end(c, TCP_REASON_TIMEOUT, now);
			return;
		}
		break;
	default:
		break;
	}
	tcp_timer_slow_arm(s, c, now);
}

int tcp_timers_register(struct tcp_stack *s)
{
	struct {
		wheel_fire *fire;
		uint8_t *kind;
	} kinds[] = {
		{rtx_fire, &s->kind_rtx},
		{slow_fire, &s->kind_slow},
		{soon_fire, &s->kind_soon},
		{tcp_syn_fire, &s->kind_syn},
		{tcp_time_wait_fire, &s->kind_time_wait},
	};

	for (size_t i = 0; i < RTE_DIM(kinds); i++) {
		int kind = wheel_register(s->wheel, kinds[i].fire, s);

		if (kind < 0)
			return kind;
		*kinds[i].kind = (uint8_t)kind;
	}
	return 0;
}
