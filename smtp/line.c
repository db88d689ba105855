/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/line.h"

#include "smtp/address.h"
#include "smtp/text.h"

enum smtp_line_result smtp_line_find(
	const uint8_t *data, size_t len, size_t before, bool cr_before, size_t max, size_t *n)
{
	size_t room = max - before;
	size_t window = len < room ? len : room;
	const uint8_t *lf = window ? memchr(data, '\n', window) : NULL;

	if (!lf) {
		*n = window;
		return window == room ? SMTP_LINE_TOO_LONG : SMTP_LINE_PART;
	}
	*n = (size_t)(lf - data) + 1;
	if (lf == data ? cr_before : lf[-1] == '\r')
		return SMTP_LINE_WHOLE;
	return SMTP_LINE_BARE_LF;
}

size_t smtp_line_skip(const uint8_t *data, size_t len, bool *cr, bool *done)
{
	size_t i = 0;

	*done = false;
	while (i < len) {
		const uint8_t *lf = memchr(data + i, '\n', len - i);
		bool crlf;

		if (!lf)
			break;
		crlf = lf == data ? *cr : lf[-1] == '\r';
		i = (size_t)(lf - data) + 1;
		if (crlf) {
			*done = true;
			*cr = false;
			return i;
		}
	}
	if (len)
		*cr = data[len - 1] == '\r';
	return len;
}

bool smtp_line_text_valid(const char *s, size_t len, bool *ascii)
{
	*ascii = true;
	for (size_t i = 0; i < len;) {
		uint8_t c = (uint8_t)s[i];
		size_t n = 1;

		if (c < ' ' || c == 0x7f)
			return false;
		if (c >= 0x80) {
			*ascii = false;
			n = smtp_utf8_len(s + i, len - i);
			if (n == 0)
				return false;
		}
		i += n;
	}
	return true;
}
