/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/options.h"

#include <string.h>

static uint16_t be16_get(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32_get(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *be32_put(uint8_t *p, uint32_t v)
{
	*p++ = (uint8_t)(v >> 24);
	*p++ = (uint8_t)(v >> 16);
	*p++ = (uint8_t)(v >> 8);
	*p++ = (uint8_t)v;
	return p;
}

static void sack_parse(const uint8_t *p, uint8_t len, struct tcp_options *out)
{
	unsigned int n;

	/* 2 + 8n bytes, n >= 1, RFC 2018 3. */
	if (len < 10 || (len - 2) % 8 != 0) {
		out->malformed = true;
		return;
	}
	n = (len - 2u) / 8;
	out->sack_count = 0;
	for (unsigned int i = 0; i < n && i < TCP_SACK_MAX; i++) {
		struct tcp_sack_block *b = &out->sack[out->sack_count++];

		b->start = be32_get(p + 2 + i * 8);
		b->end = be32_get(p + 6 + i * 8);
	}
}

static void option_parse(const uint8_t *p, uint8_t len, bool syn, struct tcp_options *out)
{
	switch (p[0]) {
	case TCP_OPT_MSS:
		if (len != 4)
			out->malformed = true;
		else if (syn)
			out->mss = be16_get(p + 2);
		break;
	case TCP_OPT_WSCALE:
		if (len != 3) {
			out->malformed = true;
		} else if (syn) {
			/* A shift above 14 is taken as 14, RFC 7323 2.3. */
			out->wscale = p[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : p[2];
			out->has_wscale = true;
		}
		break;
	case TCP_OPT_SACK_PERMITTED:
		if (len != 2)
			out->malformed = true;
		else if (syn)
			out->sack_permitted = true;
		break;
	case TCP_OPT_SACK:
		if (!syn)
			sack_parse(p, len, out);
		break;
	case TCP_OPT_TIMESTAMPS:
		if (len != 10) {
			out->malformed = true;
		} else {
			out->tsval = be32_get(p + 2);
			out->tsecr = be32_get(p + 6);
			out->has_timestamps = true;
		}
		break;
	default:
		break; /* unknown options are skipped, RFC 9293 MUST-6 */
	}
}

void tcp_options_parse(const uint8_t *opt, size_t len, bool syn, struct tcp_options *out)
{
	size_t i = 0;

	memset(out, 0, offsetof(struct tcp_options, sack));
	/* Nearly every segment: NOP NOP TS, RFC 7323 appendix A. */
	if (len == TCP_OPT_TIMESTAMPS_ROOM && opt[0] == TCP_OPT_NOP && opt[1] == TCP_OPT_NOP &&
		opt[2] == TCP_OPT_TIMESTAMPS && opt[3] == 10) {
		out->tsval = be32_get(opt + 4);
		out->tsecr = be32_get(opt + 8);
		out->has_timestamps = true;
		return;
	}
	while (i < len) {
		uint8_t olen;

		if (opt[i] == TCP_OPT_END)
			return;
		if (opt[i] == TCP_OPT_NOP) {
			i++;
			continue;
		}
		if (len - i < 2 || opt[i + 1] < 2 || opt[i + 1] > len - i) {
			out->malformed = true; /* RFC 9293 MUST-7: cope with any length */
			return;
		}
		olen = opt[i + 1];
		option_parse(opt + i, olen, syn, out);
		i += olen;
	}
}

size_t tcp_options_write(uint8_t *opt, const struct tcp_options *in)
{
	uint8_t *p = opt;

	if (in->mss != 0) {
		*p++ = TCP_OPT_MSS;
		*p++ = 4;
		*p++ = (uint8_t)(in->mss >> 8);
		*p++ = (uint8_t)in->mss;
	}
	if (in->sack_permitted) {
		/* In front of the timestamps it takes the place of their padding. */
		if (!in->has_timestamps) {
			*p++ = TCP_OPT_NOP;
			*p++ = TCP_OPT_NOP;
		}
		*p++ = TCP_OPT_SACK_PERMITTED;
		*p++ = 2;
	}
	if (in->has_timestamps) {
		if (!in->sack_permitted) {
			*p++ = TCP_OPT_NOP;
			*p++ = TCP_OPT_NOP;
		}
		*p++ = TCP_OPT_TIMESTAMPS;
		*p++ = 10;
		p = be32_put(p, in->tsval);
		p = be32_put(p, in->tsecr);
	}
	if (in->has_wscale) {
		*p++ = TCP_OPT_NOP;
		*p++ = TCP_OPT_WSCALE;
		*p++ = 3;
		*p++ = in->wscale;
	}
	if (in->sack_count != 0) {
		size_t room = (size_t)(opt + TCP_OPTIONS_MAX - p);
		unsigned int n = in->sack_count;

		if (room < 12)
			return (size_t)(p - opt);
		if (n > (room - 4) / 8)
			n = (unsigned int)((room - 4) / 8);
		*p++ = TCP_OPT_NOP;
		*p++ = TCP_OPT_NOP;
		*p++ = TCP_OPT_SACK;
		*p++ = (uint8_t)(2 + 8 * n);
		for (unsigned int i = 0; i < n; i++) {
			p = be32_put(p, in->sack[i].start);
			p = be32_put(p, in->sack[i].end);
		}
	}
	return (size_t)(p - opt);
}
