/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP options: RFC 9293 3.2 (MSS), 7323 (window scale, timestamps), 2018 and 2883 (SACK). */
#ifndef POSTGATE_DATAPLANE_TCP_OPTIONS_H
#define POSTGATE_DATAPLANE_TCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_OPT_END             0
#define TCP_OPT_NOP             1
#define TCP_OPT_MSS             2
#define TCP_OPT_WSCALE          3
#define TCP_OPT_SACK_PERMITTED  4
#define TCP_OPT_SACK            5
#define TCP_OPT_TIMESTAMPS      8
#define TCP_OPTIONS_MAX         40
#define TCP_SACK_MAX            4
#define TCP_WSCALE_MAX          14 /* RFC 7323 2.3 */
#define TCP_OPT_TIMESTAMPS_ROOM 12 /* with two NOPs, RFC 7323 appendix A */

struct tcp_sack_block {
	uint32_t start, end; /* [start, end) */
};

struct tcp_options {
	uint32_t tsval, tsecr;
	uint16_t mss; /* 0: not there */
	uint8_t wscale;
	uint8_t sack_count;
	bool has_timestamps : 1;
	bool has_wscale : 1;
	bool sack_permitted : 1;
	bool malformed : 1; /* what came before the bad option was taken */
	struct tcp_sack_block sack[TCP_SACK_MAX];
};

/* Options that belong to SYNs only are looked at only with `syn`. Never reads past `len`. */
void tcp_options_parse(const uint8_t *opt, size_t len, bool syn, struct tcp_options *out);
/* Writes at most TCP_OPTIONS_MAX bytes, a multiple of four; returns how many. Of SACK blocks as
 * many as there is room for. */
size_t tcp_options_write(uint8_t *opt, const struct tcp_options *in);

#endif
