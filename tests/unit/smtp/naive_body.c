/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/smtp/naive_body.h"

#include <string.h>
#include <strings.h>

static struct naive_result bad(struct naive_result r, enum smtp_server_error error)
{
	r.result = SMTP_BODY_BAD;
	r.error = error;
	return r;
}

struct naive_result naive_scan(const uint8_t *in, size_t len, bool dots, uint64_t limit,
	uint32_t max_received, uint8_t *out)
{
	struct naive_result r = {.result = SMTP_BODY_MORE};
	bool start = true, header = true;
	uint64_t octets = 0;
	uint32_t received = 0;
	char line[1000] = "";
	size_t col = 0;

	for (size_t i = 0; i < len;) {
		uint8_t c = in[i];

		if (dots && start && c == '.') {
			if (i + 1 == len)
				return r;
			if (in[i + 1] == '\n')
				return bad(r, SMTP_ERR_BARE_LF);
			if (in[i + 1] == '\r') {
				if (i + 2 == len)
					return r;
				if (in[i + 2] != '\n')
					return bad(r, SMTP_ERR_BARE_CR);
				r.result = SMTP_BODY_END;
				r.end = i + 3;
				return r;
			}
			out[r.len++] = '.';
			start = false;
			i++;
			continue;
		}
		if (c == '\n')
			return bad(r, SMTP_ERR_BARE_LF);
		if (c == '\r') {
			if (i + 1 == len)
				return r;
			if (in[i + 1] != '\n')
				return bad(r, SMTP_ERR_BARE_CR);
			if (limit && octets + 2 > limit)
				return bad(r, SMTP_ERR_TOO_BIG);
			out[r.len++] = '\r';
			out[r.len++] = '\n';
			octets += 2;
			if (col == 0)
				header = false;
			col = 0;
			start = true;
			i += 2;
			continue;
		}
		if (col == 998)
			return bad(r, SMTP_ERR_LINE_TOO_LONG);
		if (limit && octets == limit)
			return bad(r, SMTP_ERR_TOO_BIG);
		if (header && c == ':') {
			size_t n = col;

			while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
				n--;
			if (n == 8 && strncasecmp(line, "received", 8) == 0) {
				if (max_received && received + 1 >= max_received)
					return bad(r, SMTP_ERR_LOOP);
				received++;
			}
		}
		line[col++] = (char)c;
		out[r.len++] = c;
		octets++;
		start = false;
		i++;
	}
	return r;
}

size_t naive_find_end(const uint8_t *in, size_t len)
{
	if (len >= 3 && memcmp(in, ".\r\n", 3) == 0)
		return 3;
	for (size_t i = 0; i + 5 <= len; i++) {
		if (memcmp(in + i, "\r\n.\r\n", 5) == 0)
			return i + 5;
	}
	return 0;
}

size_t naive_stuff(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in[i] == '.' && (i == 0 || (i >= 2 && in[i - 1] == '\n' && in[i - 2] == '\r')))
			out[n++] = '.';
		out[n++] = in[i];
	}
	return n;
}

size_t naive_unstuff(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in[i] == '.' && (i == 0 || (i >= 2 && in[i - 1] == '\n' && in[i - 2] == '\r')))
			continue;
		out[n++] = in[i];
	}
	return n;
}
