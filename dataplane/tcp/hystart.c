/* SPDX-License-Identifier: BSD-3-Clause */
/* Slow start: RFC 5681 3.1 with byte counting, and HyStart++ (RFC 9406) in the first one. */
#include "dataplane/tcp/cc.h"

#include "dataplane/tcp/seq.h"

/* RFC 9406 4.3. */
#define MIN_RTT_THRESH_US  4000u
#define MAX_RTT_THRESH_US  16000u
#define MIN_RTT_DIVISOR    8u
#define N_RTT_SAMPLE       8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS         5u
/* L: segments that one ACK may add. The sender paces, but an ACK for a whole window should not be
 * believed at once either. */
#define ACK_LIMIT 8u

static void round_start(struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	if (!cc->round) {
		cc->hystart.last_min_us = UINT32_MAX;
		cc->hystart.now_min_us = UINT32_MAX;
		cc->hystart.fraction = 0;
		cc->round = true;
	}
	cc->hystart.last_min_us = cc->hystart.now_min_us;
	cc->hystart.now_min_us = UINT32_MAX;
	cc->hystart.round_end = a->snd_nxt;
	cc->samples = 0;
}

static bool rtt_known(const struct tcp_ccs *cc)
{
	return cc->samples >= N_RTT_SAMPLE && cc->hystart.now_min_us != UINT32_MAX;
}

/* RFC 9406 4.2: RTTs of a round above those of the one before: a queue is building. */
static bool delay_grew(const struct tcp_ccs *cc)
{
	uint32_t thresh = cc->hystart.last_min_us / MIN_RTT_DIVISOR;

	if (!rtt_known(cc) || cc->hystart.last_min_us == UINT32_MAX)
		return false;
	if (thresh < MIN_RTT_THRESH_US)
		thresh = MIN_RTT_THRESH_US;
	if (thresh > MAX_RTT_THRESH_US)
		thresh = MAX_RTT_THRESH_US;
	return cc->hystart.now_min_us >= cc->hystart.last_min_us + thresh;
}

static void hystart_check(struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	bool round_over = !cc->round || seq_geq(a->snd_una, cc->hystart.round_end);

	if (cc->phase == TCP_CC_CSS) {
		/* It was jitter: back to the normal pace. */
		if (rtt_known(cc) && cc->hystart.now_min_us < cc->hystart.css_baseline_us) {
			cc->hystart.css_baseline_us = UINT32_MAX;
			cc->phase = TCP_CC_SLOW_START;
		} else if (round_over && ++cc->css_rounds >= CSS_ROUNDS) {
			cc->ssthresh = cc->cwnd;
		}
	} else if (delay_grew(cc)) {
		cc->hystart.css_baseline_us = cc->hystart.now_min_us;
		cc->phase = TCP_CC_CSS;
		cc->css_rounds = 0;
	}
	if (round_over)
		round_start(cc, a);
}

void tcp_hystart_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	uint32_t limit = (cc->restart ? 1u : ACK_LIMIT) * a->mss;
	uint64_t grow = a->acked < limit ? a->acked : limit;

	if (cc->phase == TCP_CC_CSS) {
		grow += cc->hystart.fraction;
		cc->hystart.fraction = (uint32_t)(grow % CSS_GROWTH_DIVISOR);
		grow /= CSS_GROWTH_DIVISOR;
	}
	/* Not beyond ssthresh: from there on avoidance counts. */
	if (cc->ssthresh != TCP_SSTHRESH_NONE && cc->cwnd + grow > cc->ssthresh)
		grow = cc->ssthresh > cc->cwnd ? cc->ssthresh - cc->cwnd : 0;
	tcp_cc_grow(cc, grow);
	/* Only in the first slow start, RFC 9406 4.3: later ones know where to stop. */
	if (cc->ssthresh != TCP_SSTHRESH_NONE)
		return;
	if (a->rtt_us != 0) {
		if (!cc->round)
			round_start(cc, a);
		if (a->rtt_us < cc->hystart.now_min_us)
			cc->hystart.now_min_us = a->rtt_us;
		if (cc->samples < UINT8_MAX)
			cc->samples++;
	}
	hystart_check(cc, a);
}
