/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *value_quote(const char *text)
{
	static char ring[4][84];
	static unsigned int next;
	char *out = ring[next++ % 4];
	size_t i;

	if (*text == '\0')
		return "an empty value";
	for (i = 0; text[i] != '\0' && i < 80; i++)
		out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	memcpy(out + i, "...", text[i] != '\0' ? 4 : 0);
	if (text[i] == '\0')
		out[i] = '\0';
	return out;
}

/* Digits only, no sign, no leading blank; *end is the first octet behind them. */
static int parse_digits(const char *text, uint64_t *out, const char **end)
{
	uint64_t n = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return -EINVAL;
	if (p == text)
		return -EINVAL;
	*out = n;
	*end = p;
	return 0;
}

int value_number(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *out,
	char *err, size_t err_size)
{
	const char *end;
	uint64_t n;

	if (parse_digits(text, &n, &end) == 0 && *end == '\0' && n >= min && n <= max) {
		*out = n;
		return 0;
	}
	snprintf(err, err_size, "%s is not %s (%" PRIu64 "..%" PRIu64 ")", value_quote(text), what,
		min, max);
	return -EINVAL;
}

static const struct {
	const char *unit;
	uint64_t ms;
} time_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

void value_time_format(uint64_t ms, char *out, size_t out_size)
{
	if (ms == 0) {
		snprintf(out, out_size, "0s");
		return;
	}
	for (size_t i = 0; i < sizeof(time_units) / sizeof(time_units[0]); i++)
		if (ms % time_units[i].ms == 0) {
			snprintf(out, out_size, "%" PRIu64 "%s", ms / time_units[i].ms,
				time_units[i].unit);
			return;
		}
}

int value_time(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *out_ms, char *err,
	size_t err_size)
{
	char min[32], max[32];
	const char *unit;
	uint64_t n, scale = 0;

	if (parse_digits(text, &n, &unit) == 0) {
		if (*unit == '\0')
			scale = 1000;
		for (size_t i = 0; i < sizeof(time_units) / sizeof(time_units[0]); i++)
			if (strcmp(unit, time_units[i].unit) == 0)
				scale = time_units[i].ms;
		if (scale != 0 && !__builtin_mul_overflow(n, scale, &n) && n >= min_ms &&
			n <= max_ms) {
			*out_ms = n;
			return 0;
		}
	}
	value_time_format(min_ms, min, sizeof(min));
	value_time_format(max_ms, max, sizeof(max));
	snprintf(err, err_size, "%s is not a time such as 30s, 5m or 2h (%s..%s)",
		value_quote(text), min, max);
	return -EINVAL;
}

int value_size(const char *text, uint64_t max, uint64_t *out, char *err, size_t err_size)
{
	static const char units[] = "KMGT";
	const char *unit, *at;
	uint64_t n;

	if (parse_digits(text, &n, &unit) == 0) {
		at = *unit != '\0' ? strchr(units, *unit) : NULL;
		if ((*unit == '\0' || (at != NULL && unit[1] == '\0')) &&
			!__builtin_mul_overflow(n, at ? 1024ULL << 10 * (at - units) : 1, &n) &&
			n <= max) {
			*out = n;
			return 0;
		}
	}
	snprintf(err, err_size,
		"%s is not a size such as 50M (octets, K, M or G; at most %" PRIu64 ")",
		value_quote(text), max);
	return -EINVAL;
}

int value_bool(const char *text, bool *out, char *err, size_t err_size)
{
	static const struct value_word words[] = {
		{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {"on", 1}, {"off", 0}, {NULL, 0}};

	for (const struct value_word *w = words; w->name != NULL; w++)
		if (strcasecmp(text, w->name) == 0) {
			*out = w->value;
			return 0;
		}
	snprintf(err, err_size, "%s is not yes or no", value_quote(text));
	return -EINVAL;
}

int value_word(
	const char *text, const struct value_word *words, int *out, char *err, size_t err_size)
{
	size_t len;

	for (const struct value_word *w = words; w->name != NULL; w++)
		if (strcmp(text, w->name) == 0) {
			*out = w->value;
			return 0;
		}
	len = (size_t)snprintf(err, err_size, "%s is not ", value_quote(text));
	for (const struct value_word *w = words; w->name != NULL && len < err_size; w++)
		len += (size_t)snprintf(err + len, err_size - len, "%s%s",
			w == words          ? ""
			: w[1].name == NULL ? " or "
					    : ", ",
			w->name);
	return -EINVAL;
}

int value_name(const char *text, size_t max, char *err, size_t err_size)
{
	size_t len = strlen(text);
	bool good = len > 0 && len <= max && isalnum((unsigned char)text[0]);

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)text[i]) || strchr("-_.", text[i]) != NULL;
	if (good)
		return 0;
	snprintf(err, err_size,
		"%s is not a name (letters, digits, \"-\", \"_\", \".\", at most %zu of them)",
		value_quote(text), max);
	return -EINVAL;
}

int value_domain(const char *text, char *err, size_t err_size)
{
	size_t len = strlen(text), label = 0;
	bool good = len > 0 && len <= 253, alpha = false;
	const char *hint = "";

	for (size_t i = 0; good && i <= len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.' || c == '\0') {
			good = label > 0 && label <= 63 && text[i - 1] != '-';
			label = 0;
			continue;
		}
		/* "_" is not of a host name, but RFC 2181 11 allows it and mail domains have it. */
		good = isalnum(c) || c == '_' || (c == '-' && label > 0);
		if (c >= 0x80)
			hint = "; write it in its A-label form (xn--...)";
		alpha |= isalpha(c) != 0;
		label++;
	}
	/* All digits and dots is an address that was meant to be something else. */
	if (good && alpha)
		return 0;
	snprintf(err, err_size, "%s is not a domain name%s", value_quote(text), hint);
	return -EINVAL;
}
