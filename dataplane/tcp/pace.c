/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/pace.h"

#include "dataplane/tcp/timers.h"

/* What may go back to back: as much as the initial window, RFC 6928, or two ticks of the wheel. */
#define PACE_BURST_SEGMENTS 10
#define PACE_BURST_NS       (2ull << WHEEL_TICK_SHIFT)

bool tcp_pace_allows(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->pace_ns <= now)
		return true;
	if (!(c->flags & TCP_F_WAITING))
		tcp_count(s, TCP_C_paced);
	tcp_timer_wait(s, c, c->pace_ns);
	return false;
}

/* pace_ns is when the bucket is no longer overdrawn: it may lag behind `now` by one burst. */
void tcp_pace_sent(struct tcp_conn *c, uint32_t len, uint64_t now)
{
	uint64_t rate = tcp_cc_pacing_rate(&c->cc, c->rtt.srtt_us), credit;

	if (rate == 0 || c->rtt.srtt_us == 0) {
		c->pace_ns = 0;
		return;
	}
	credit = (uint64_t)PACE_BURST_SEGMENTS * c->mss * 1000000000ull / rate;
	credit = RTE_MAX(credit, PACE_BURST_NS);
	if (c->pace_ns + credit < now)
		c->pace_ns = now - credit;
	c->pace_ns += len * 1000000000ull / rate;
}
