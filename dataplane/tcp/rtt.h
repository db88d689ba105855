/* SPDX-License-Identifier: BSD-3-Clause */
/* Round-trip time and retransmission time-out, RFC 6298; windowed minimum. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_RTT_H
#define POSTGATE_DATAPLANE_TCP_RTT_H

#include <stdint.h>

#define TCP_RTO_INITIAL_US    1000000u  /* RFC 6298 2.1 */
#define TCP_RTO_MAX_US        60000000u /* RFC 6298 2.5 allows a maximum of at least 60 s */
#define TCP_MIN_RTT_WINDOW_MS 300000u

struct tcp_rtt {
	uint32_t srtt_us; /* 0: no sample yet */
	uint32_t rttvar_us;
	uint32_t rto_us;     /* without back-off */
	uint32_t min_rtt_us; /* of the last 2.5 to 5 minutes; 0: no sample yet */
	uint32_t min_now_us; /* minimum of the current half of the window */
	uint32_t min_since_ms;
};

void tcp_rtt_init(struct tcp_rtt *r);
/* A valid sample (Karn's rule and RFC 7323 4 are the caller's), 0 counts as 1 us.
 * `samples_per_rtt`: how many of them one window of data brings, RFC 7323 appendix G; 1 if in
 * doubt. */
void tcp_rtt_sample(struct tcp_rtt *r, uint32_t rtt_us, uint32_t samples_per_rtt,
	uint32_t min_rto_us, uint64_t now);

#endif
