/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/net/addr_text.h"

static char *put_decimal(char *p, unsigned int v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *put_hex(char *p, unsigned int v)
{
	static const char digits[] = "0123456789abcdef";
	int shift = 12;

	while (shift > 0 && (v >> shift) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = digits[(v >> shift) & 15];
	return p;
}

static char *put_v4(char *p, const uint8_t *b)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = put_decimal(p, b[i]);
	}
	return p;
}

/* RFC 5952 4.2: the longest run of two or more zero groups, the first of equals. */
static int longest_zero_run(const uint16_t *group, int *length)
{
	int best = -1, best_len = 1, start = -1;

	for (int i = 0; i <= 8; i++) {
		if (i < 8 && group[i] == 0) {
			if (start < 0)
				start = i;
			continue;
		}
		if (start >= 0 && i - start > best_len) {
			best = start;
			best_len = i - start;
		}
		start = -1;
	}
	*length = best_len;
	return best;
}

size_t ip_addr_format(const struct ip_addr *a, char out[IP_ADDR_TEXT_MAX])
{
	uint16_t group[8];
	int zeros, run, i = 0;
	char *p = out;

	if (ip_addr_is_v4(a)) {
		p = put_v4(p, a->b + 12);
		*p = '\0';
		return (size_t)(p - out);
	}
	for (int k = 0; k < 8; k++)
		group[k] = (uint16_t)(a->b[2 * k] << 8 | a->b[2 * k + 1]);
	zeros = longest_zero_run(group, &run);
	while (i < 8) {
		if (i == zeros) {
			*p++ = ':';
			*p++ = ':';
			i += run;
			continue;
		}
		if (i > 0 && i != zeros + run)
			*p++ = ':';
		else if (i > 0 && zeros < 0)
			*p++ = ':';
		p = put_hex(p, group[i++]);
	}
	*p = '\0';
	return (size_t)(p - out);
}
