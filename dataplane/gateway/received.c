/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/received.h"

#include <string.h>

#include "dataplane/gateway/session.h"
#include "dataplane/net/addr_text.h"
#include "smtp/received.h"

static struct smtp_str str(const char *s)
{
	return (struct smtp_str){s ? s : "", s ? strlen(s) : 0};
}

static size_t format_id(uint64_t id, char out[17])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++)
		out[i] = digits[id >> (60 - 4 * i) & 15];
	out[16] = '\0';
	return 16;
}

size_t gateway_received(const struct session *s, char *out, size_t size, uint64_t now)
{
	uint8_t strings[SMTP_COMMAND_LINE_MAX];
	char addr[IP_ADDR_TEXT_MAX], id[17];
	struct smtp_received r = {
		.helo = str(s->helo),
		.client_addr = {addr, ip_addr_format(&s->client, addr)},
		.by = str(s->g->hostname),
		.esmtp = s->esmtp,
		.tls_version = str(s->version),
		.tls_cipher = str(s->cipher),
		.tls_bits = (uint32_t)s->cipher_bits,
		.tls_verify =
			str(s->version ? "NO" : NULL), /* no client certificate is asked for */
		.id = {id, format_id(s->id, id)},
		.time_s = (int64_t)(gateway_realtime(s->g, now) / SECOND),
	};
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	int len;

	envelope_get_mail(&s->envelope, strings, &mail);
	r.utf8 = mail.smtputf8;
	if (s->envelope.records ==
		2) { /* more would tell one recipient of the others, RFC 5321 7.2 */
		envelope_get_rcpt(&s->envelope, 1, strings, &rcpt);
		r.rcpt = rcpt.to.raw;
	}
	len = smtp_received_write(&r, out, size);
	return len > 0 ? (size_t)len : 0;
}
