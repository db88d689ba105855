/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/trace.h"

#include <stdarg.h>
#include <stdio.h>

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

struct text {
	char *buf;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->buf + t->len, t->size - t->len, format, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < t->size ? t->len + (size_t)n : t->size - 1;
}

static void add_option(struct text *t, const uint8_t *p, uint32_t len)
{
	switch (p[0]) {
	case 2:
		add(t, " mss %u", be16(p + 2));
		break;
	case 3:
		add(t, " ws %u", p[2]);
		break;
	case 4:
		add(t, " sackOK");
		break;
	case 5:
		add(t, " sack");
		for (uint32_t i = 2; i + 8 <= len; i += 8)
			add(t, " %u-%u", be32(p + i), be32(p + i + 4));
		break;
	case 8:
		add(t, " ts %u/%u", be32(p + 2), be32(p + 6));
		break;
	default:
		add(t, " opt%u", p[0]);
		break;
	}
}

static void add_options(struct text *t, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len;) {
		if (p[i] == 0)
			return;
		if (p[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= len || p[i + 1] < 2 || p[i + 1] > len - i) {
			add(t, " BAD-OPTION");
			return;
		}
		add_option(t, p + i, p[i + 1]);
		i += p[i + 1];
	}
}

const char *sim_trace_segment(const uint8_t *tcp, uint32_t len, char *buf, size_t size)
{
	static const char flags[] = "FSRP.UEW";
	struct text t = {buf, size, 0};
	uint32_t header, data;

	buf[0] = 0;
	if (len < 20) {
		add(&t, "short segment of %u bytes", len);
		return buf;
	}
	header = (tcp[12] >> 4) * 4u;
	data = header >= 20 && header <= len ? len - header : 0;
	add(&t, "%u>%u ", be16(tcp), be16(tcp + 2));
	for (unsigned int i = 0; i < 8; i++) {
		if (tcp[13] >> i & 1)
			add(&t, "%c", flags[i]);
	}
	add(&t, " %u:%u(%u)", be32(tcp + 4), be32(tcp + 4) + data, data);
	if (tcp[13] & 0x10)
		add(&t, " ack %u", be32(tcp + 8));
	add(&t, " win %u", be16(tcp + 14));
	if (header >= 20 && header <= len)
		add_options(&t, tcp + 20, header - 20);
	return buf;
}

uint32_t sim_trace_frame_tcp(const uint8_t *frame, uint32_t len)
{
	if (len >= 34 && be16(frame + 12) == 0x0800 && frame[23] == 6)
		return 14 + (frame[14] & 15u) * 4;
	if (len >= 54 && be16(frame + 12) == 0x86dd && frame[20] == 6)
		return 54;
	return 0;
}
