/* SPDX-License-Identifier: BSD-3-Clause */
/* CUBIC, RFC 9438: congestion avoidance. Bytes, and milliseconds that wrap. */
#include "dataplane/tcp/cc.h"

/* C = 0.4 segments/s^3, RFC 9438 5.1; alpha_cubic = 3 (1 - 0.7) / (1 + 0.7) = 9/17, 4.3. */
#define C_NUM     4u
#define C_DEN     10u
#define ALPHA_NUM 9u
#define ALPHA_DEN 17u
/* No curve is followed further than this from its plateau: its cube stays in 64 bits, and 0.4 t^3
 * segments are beyond any window by then. */
#define T_MAX_MS 100000u

/* Largest r with r^3 <= v. */
static uint32_t cube_root(uint64_t v)
{
	uint64_t r = 0;

	for (int bit = 21; bit >= 0; bit--) {
		uint64_t next = r | UINT64_C(1) << bit;

		if (next * next * next <= v)
			r = next;
	}
	return (uint32_t)r;
}

/* C t^3 in bytes for t in milliseconds. */
static uint64_t cube_bytes(uint64_t t_ms, uint16_t mss)
{
	/* 1e15 * 1e5 fits: divided by 1e6 before and by 1e3 after the factors. */
	return t_ms * t_ms * t_ms / 1000000 * mss * C_NUM / C_DEN / 1000;
}

/* RFC 9438 4.6, 4.7: where the plateau of the next curve is; lower than last time (fast
 * convergence) if the window could not get up to it again, so that a newcomer gets its share. */
void tcp_cubic_on_congestion(struct tcp_ccs *cc)
{
	if (cc->w_max != 0 && cc->cwnd < cc->w_max)
		cc->w_max = (uint32_t)((uint64_t)cc->cwnd * 17 / 20);
	else
		cc->w_max = cc->cwnd;
}

static void epoch_start(struct tcp_ccs *cc, uint16_t mss, uint32_t now_ms)
{
	cc->epoch = true;
	cc->paused = false;
	cc->cubic.epoch_ms = now_ms;
	cc->cubic.w_est = cc->cwnd;
	cc->cubic.w_est_acked = 0;
	cc->cubic.fraction = 0;
	if (cc->cwnd < cc->w_max) {
		/* K = cbrt((W_max - cwnd_epoch) / C), RFC 9438 4.2 (2); in ms: times 1e9 inside. */
		uint64_t segments_x1000 = (uint64_t)(cc->w_max - cc->cwnd) * 1000 / mss;

		cc->cubic.k_ms = cube_root(segments_x1000 * C_DEN / C_NUM * 1000000);
	} else {
		cc->cubic.k_ms = 0;
		cc->w_max = cc->cwnd;
	}
}

/* W_cubic(t), RFC 9438 4.2 (1). */
static uint64_t w_cubic(const struct tcp_ccs *cc, uint64_t t_ms, uint16_t mss)
{
	uint64_t k = cc->cubic.k_ms, diff = t_ms > k ? t_ms - k : k - t_ms, cube;

	if (diff > T_MAX_MS)
		diff = T_MAX_MS;
	cube = cube_bytes(diff, mss);
	if (t_ms >= k)
		return cc->w_max + cube;
	return cc->w_max > cube ? cc->w_max - cube : 0;
}

/* RFC 9438 4.3: what Reno with CUBIC's smaller reduction would have. */
static void w_est_grow(struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	uint64_t acked = (uint64_t)cc->cubic.w_est_acked + a->acked;

	for (;;) {
		/* alpha becomes 1 once the window of before the reduction is reached. */
		uint64_t per_segment = cc->cubic.w_est < cc->cwnd_prior
					       ? (uint64_t)cc->cwnd * ALPHA_DEN / ALPHA_NUM
					       : cc->cwnd;

		if (acked < per_segment)
			break;
		acked -= per_segment;
		if (cc->cubic.w_est < TCP_CWND_MAX)
			cc->cubic.w_est += a->mss;
	}
	cc->cubic.w_est_acked = (uint32_t)acked;
}

void tcp_cubic_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	uint32_t now_ms = (uint32_t)(a->now / 1000000), t_ms;
	uint64_t target, most = (uint64_t)cc->cwnd + cc->cwnd / 2;

	if (!cc->epoch)
		epoch_start(cc, a->mss, now_ms);
	if (cc->paused) {
		/* The time in which the window was not used does not count, RFC 9438 5.8. */
		cc->cubic.epoch_ms += now_ms - cc->cubic.paused_ms;
		cc->paused = false;
	}
	w_est_grow(cc, a);
	t_ms = now_ms - cc->cubic.epoch_ms;
	if (w_cubic(cc, t_ms, a->mss) < cc->cubic.w_est) {
		if (cc->cwnd < cc->cubic.w_est)
			cc->cwnd = cc->cubic.w_est;
		return;
	}
	/* RFC 9438 4.4, 4.5: towards where the curve is one RTT from now, by at most half a window.
	 */
	target = w_cubic(cc, (uint64_t)t_ms + a->srtt_us / 1000, a->mss);
	if (target > most)
		target = most;
	if (target > cc->cwnd) {
		uint64_t growth = (target - cc->cwnd) * a->acked + cc->cubic.fraction;
		uint32_t cwnd = cc->cwnd;

		tcp_cc_grow(cc, growth / cwnd);
		cc->cubic.fraction = (uint32_t)(growth % cwnd);
	}
}
