/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/rtt.h"

/* Half of what a tick of the timer wheel is worth, at least: G of RFC 6298 2. */
#define GRANULARITY_US 1000u

void tcp_rtt_init(struct tcp_rtt *r)
{
	*r = (struct tcp_rtt){.rto_us = TCP_RTO_INITIAL_US};
}

/* Two half windows: the minimum forgets what is older than one, and never forgets all at once. */
static void min_sample(struct tcp_rtt *r, uint32_t rtt_us, uint64_t now)
{
	uint32_t now_ms = (uint32_t)(now / 1000000);

	if (r->min_rtt_us == 0) {
		r->min_since_ms = now_ms;
		r->min_now_us = rtt_us;
	} else if (now_ms - r->min_since_ms > TCP_MIN_RTT_WINDOW_MS / 2) {
		r->min_rtt_us = r->min_now_us;
		r->min_since_ms = now_ms;
		r->min_now_us = rtt_us;
	} else if (rtt_us < r->min_now_us) {
		r->min_now_us = rtt_us;
	}
	if (r->min_rtt_us == 0 || r->min_now_us < r->min_rtt_us)
		r->min_rtt_us = r->min_now_us;
}

void tcp_rtt_sample(struct tcp_rtt *r, uint32_t rtt_us, uint32_t samples_per_rtt,
	uint32_t min_rto_us, uint64_t now)
{
	uint32_t var, spread;

	/* Beyond this nothing is an RTT, and the sums below stay in 32 bits. */
	if (rtt_us > 2 * TCP_RTO_MAX_US)
		rtt_us = 2 * TCP_RTO_MAX_US;
	if (rtt_us == 0)
		rtt_us = 1;
	if (samples_per_rtt == 0)
		samples_per_rtt = 1;
	min_sample(r, rtt_us, now);
	if (r->srtt_us == 0) {
		r->srtt_us = rtt_us;
		r->rttvar_us = rtt_us / 2;
	} else {
		int64_t n = samples_per_rtt, err = (int64_t)rtt_us - r->srtt_us;
		int64_t abs_err = err < 0 ? -err : err;

		/* alpha = 1/8 and beta = 1/4 a round trip, RFC 6298 2.3, RFC 7323 appendix G. */
		r->rttvar_us =
			(uint32_t)(r->rttvar_us + (abs_err - (int64_t)r->rttvar_us) / (4 * n));
		r->srtt_us = (uint32_t)(r->srtt_us + err / (8 * n));
		if (r->srtt_us == 0)
			r->srtt_us = 1;
	}
	var = 4 * r->rttvar_us;
	/* The floor goes onto the variance, as in common stacks: an RTO just above the RTT would
	 * fire on every delayed ACK. */
	spread = var > GRANULARITY_US ? var : GRANULARITY_US;
	if (spread < min_rto_us)
		spread = min_rto_us;
	r->rto_us = r->srtt_us + spread;
	if (r->rto_us > TCP_RTO_MAX_US)
		r->rto_us = TCP_RTO_MAX_US;
}
