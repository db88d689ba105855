/* SPDX-License-Identifier: BSD-3-Clause */
/* Initial sequence numbers, timestamp offsets, SYN cookies: what is derived from secrets. Internal.
 */
#ifndef POSTGATE_DATAPLANE_TCP_ISN_H
#define POSTGATE_DATAPLANE_TCP_ISN_H

#include "dataplane/tcp/segment.h"

void tcp_secrets_init(struct tcp_stack *s);
/* RFC 6528: a 4 us clock plus a keyed hash of the connection. */
uint32_t tcp_isn(struct tcp_stack *s, const struct tcp_key *key, uint64_t now);
/* RFC 7323 5.4: a clock that tells nobody our uptime, and goes on for the same pair of ends. */
uint32_t tcp_ts_offset(const struct tcp_stack *s, const struct tcp_key *key);

/* What a cookie keeps. */
struct tcp_cookie {
	uint16_t mss;
	uint8_t wscale; /* 0xff: not offered */
	bool sack;
};
/* The ISN that says it all. `irs`: the peer's. */
uint32_t tcp_cookie_make(struct tcp_stack *s, const struct tcp_key *key, uint32_t irs,
	const struct tcp_cookie *c, uint64_t now);
/* False: `iss` is none of ours for that connection, or older than two minutes. */
bool tcp_cookie_check(struct tcp_stack *s, const struct tcp_key *key, uint32_t irs, uint32_t iss,
	struct tcp_cookie *c, uint64_t now);

#endif
