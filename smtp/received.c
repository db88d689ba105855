/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/received.h"

#include <errno.h>

#include "smtp/address.h"
#include "smtp/text.h"

struct date {
	int64_t year;
	unsigned month, day; /* from 1 */
	unsigned weekday;    /* from Sunday */
};

/* Days since 1970-01-01 to the Gregorian calendar, counted in eras of 400 years that begin on the
 * first of March, so that the leap day is a year's last. */
static struct date date_from_days(int64_t days)
{
	int64_t z = days + 719468; /* from 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	struct date d = {
		.year = (int64_t)yoe + era * 400,
		.month = mp < 10 ? mp + 3 : mp - 9,
		.day = doy - (153 * mp + 2) / 5 + 1,
		.weekday = (unsigned)(((days + 4) % 7 + 7) % 7),
	};

	if (d.month <= 2)
		d.year++;
	return d;
}

static void received_put_date(struct text_writer *w, int64_t time_s)
{
	static const char weekdays[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t days = time_s / 86400, left = time_s % 86400;
	struct date d;

	if (left < 0) {
		left += 86400;
		days--;
	}
	d = date_from_days(days);
	text_put(w, weekdays + 3 * d.weekday, 3);
	text_puts(w, ", ");
	text_put_number(w, d.day, 1);
	text_puts(w, " ");
	text_put(w, months + 3 * (d.month - 1), 3);
	text_puts(w, " ");
	text_put_number(w, (uint64_t)d.year, 4);
	text_puts(w, " ");
	text_put_number(w, (uint64_t)left / 3600, 2);
	text_puts(w, ":");
	text_put_number(w, (uint64_t)left / 60 % 60, 2);
	text_puts(w, ":");
	text_put_number(w, (uint64_t)left % 60, 2);
	text_puts(w, " +0000");
}

int smtp_date_write(int64_t time_s, char *buf, size_t size)
{
	struct text_writer w = {.data = buf, .size = size};

	if (time_s < -62167219200 || time_s > 253402300799)
		return -EINVAL;
	received_put_date(&w, time_s);
	text_put(&w, "", 1);
	return w.overflow ? -ENOBUFS : (int)w.len - 1;
}

/* A word from elsewhere: no white space, control, or character that has a meaning in a field. */
static void received_put_word(struct text_writer *w, struct smtp_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.data[i];
		bool good = text_is_alnum(c) || (c && strchr("-._:[]/+", c));

		text_put(w, good ? &s.data[i] : "?", 1);
	}
}

/* What the client called itself: a domain or a literal as it is (RFC 5321 4.4), else made one. */
static void received_put_helo(struct text_writer *w, struct smtp_str helo)
{
	if (helo.len == 0)
		text_puts(w, "unknown");
	else
		received_put_word(w, helo);
}

static void received_put_address(struct text_writer *w, struct smtp_str addr)
{
	bool v6 = addr.len && memchr(addr.data, ':', addr.len);

	text_puts(w, v6 ? "[IPv6:" : "[");
	received_put_word(w, addr);
	text_puts(w, "]");
}

/* RFC 3848; RFC 6531 4.3 with TLS as RFC 3848 has it. */
static const char *received_protocol(const struct smtp_received *r)
{
	if (r->utf8)
		return r->tls_version.len ? "UTF8SMTPS" : "UTF8SMTP";
	if (r->tls_version.len)
		return "ESMTPS";
	return r->esmtp ? "ESMTP" : "SMTP";
}

int smtp_received_write(const struct smtp_received *r, char *buf, size_t size)
{
	struct text_writer w = {.data = buf, .size = size};

	if (r->time_s < -62167219200 || r->time_s > 253402300799)
		return -EINVAL;
	text_puts(&w, "Received: from ");
	received_put_helo(&w, r->helo);
	text_puts(&w, " (");
	received_put_address(&w, r->client_addr);
	text_puts(&w, ")\r\n\tby ");
	received_put_word(&w, r->by);
	text_puts(&w, " with ");
	text_puts(&w, received_protocol(r));
	if (r->tls_version.len) {
		text_puts(&w, "\r\n\t(");
		received_put_word(&w, r->tls_version);
		text_puts(&w, " cipher ");
		received_put_word(&w, r->tls_cipher);
		text_puts(&w, " bits ");
		text_put_number(&w, r->tls_bits, 1);
		text_puts(&w, " verify=");
		received_put_word(&w, r->tls_verify);
		text_puts(&w, ")");
	}
	text_puts(&w, "\r\n\tid ");
	received_put_word(&w, r->id);
	/* Checked by smtp_path_parse() as a whole; RFC 6531 3.7.3 keeps UTF-8 out of other
	 * messages. */
	if (r->rcpt.len && (r->utf8 || text_is_ascii(r->rcpt.data, r->rcpt.len))) {
		text_puts(&w, "\r\n\tfor <");
		text_put_str(&w, r->rcpt);
		text_puts(&w, ">");
	}
	text_puts(&w, ";\r\n\t");
	received_put_date(&w, r->time_s);
	text_puts(&w, "\r\n");
	return w.overflow ? -ENOBUFS : (int)w.len;
}
