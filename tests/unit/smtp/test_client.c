/* SPDX-License-Identifier: BSD-3-Clause */
/* Transcripts of a next hop for the client engine, each at every cut, and the order of commands. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/drive.h"

struct script {
	const char *name;
	const char *in;
	const char *log;
};

#define HELLO_IN "220 x\r\n250-x\r\n250 PIPELINING\r\n"
#define HELLO_LOG \
	"BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 250 0.0.0 x\\nPIPELINING\next 1 size 0\n"
#define GROUP_LOG "C: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<c@d>\nC: DATA\n"

static const struct script scripts[] = {
	{
		.name = "no extensions: one at a time",
		.in = "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n250 2.6.0 "
		      "done\r\n"
		      "250 ok\r\n250\r\n250 \r\n354 go\r\n451 4.0.0 no\r\n221 2.0.0 bye\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 250 0.0.0 x\next 0 size 0\n"
		       "C: MAIL FROM:<a@b>\nMAIL 250 0.0.0 ok\nC: RCPT TO:<c@d>\nRCPT 250 0.0.0 "
		       "ok\n"
		       "C: RCPT TO:<c@d>\nRCPT 550 5.1.1 no\nC: DATA\nDATA 354 0.0.0 go\nC: .\n"
		       "END_OF_BODY 250 2.6.0 done\nC: MAIL FROM:<a@b>\nMAIL 250 0.0.0 ok\n"
		       "C: RCPT TO:<c@d>\nRCPT 250 0.0.0 \nC: RCPT TO:<c@d>\nRCPT 250 0.0.0 \nC: "
		       "DATA\n"
		       "DATA 354 0.0.0 go\nC: \\r\\n.\nEND_OF_BODY 451 4.0.0 no\nC: QUIT\n"
		       "QUIT 221 2.0.0 bye\n(closed)\n",
	},
	{
		.name = "everything offered, STARTTLS, BDAT",
		.in = "220-x\r\n220 y\r\n250-x\r\n250-pipelining\r\n250-SIZE 1000\r\n250-X-Y z\r\n"
		      "250 STARTTLS\r\n220 go\r\n\xff"
		      "250-x\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250-DSN\r\n"
		      "250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n"
		      "250 2.1.0 a\r\n250-2.1.5 b\r\n250 2.1.5 c\r\n250 2.1.5 d\r\n354 go\r\n250 "
		      "2.0.0 q\r\n"
		      "250 2.1.0 a\r\n250 2.1.5 b\r\n250 2.1.5 c\r\n250 2.0.0 chunk\r\n250 2.0.0 "
		      "last\r\n"
		      "221 2.0.0 bye\r\n",
		.log = "BANNER 220 0.0.0 x\\ny\nC: EHLO gw.example\n"
		       "EHLO 250 0.0.0 x\\npipelining\\nSIZE 1000\\nX-Y z\\nSTARTTLS\next 43 size "
		       "1000\n"
		       "C: STARTTLS\nSTARTTLS\nC: EHLO gw.example\n"
		       "EHLO 250 0.0.0 "
		       "x\\nPIPELINING\\nSIZE\\n8BITMIME\\nDSN\\nENHANCEDSTATUSCODES\\n"
		       "CHUNKING\next b7 size 0\n"
		       "C: MAIL FROM:<a@b> SIZE=99 BODY=8BITMIME RET=HDRS\n"
		       "C: RCPT TO:<c@d> NOTIFY=NEVER\nC: RCPT TO:<c@d> NOTIFY=NEVER\nC: DATA\n"
		       "MAIL 250 2.1.0 a\nRCPT 250 2.1.5 b\\nc\nRCPT 250 2.1.5 d\nDATA 354 0.0.0 "
		       "go\nC: .\n"
		       "END_OF_BODY 250 2.0.0 q\nC: MAIL FROM:<a@b> SIZE=99 BODY=8BITMIME "
		       "RET=HDRS\n"
		       "C: RCPT TO:<c@d> NOTIFY=NEVER\nC: RCPT TO:<c@d> NOTIFY=NEVER\nC: BDAT 3\n"
		       "C: BDAT 0 LAST\nMAIL 250 2.1.0 a\nRCPT 250 2.1.5 b\nRCPT 250 2.1.5 c\n"
		       "BDAT 250 2.0.0 chunk\nEND_OF_BODY 250 2.0.0 last\nC: QUIT\nQUIT 221 2.0.0 "
		       "bye\n"
		       "(closed)\n",
	},
	{
		.name = "plaintext behind the 220 to STARTTLS",
		.in = "220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 250 0.0.0 x\\nSTARTTLS\next "
		       "40 size 0\n"
		       "C: STARTTLS\nBROKEN injection\n(broken)\n",
	},
	{
		.name = "STARTTLS refused",
		.in = "220 x\r\n250-x\r\n250 STARTTLS\r\n454 4.7.0 no\r\n250 ok\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 250 0.0.0 x\\nSTARTTLS\next "
		       "40 size 0\n"
		       "C: STARTTLS\nSTARTTLS 454 4.7.0 no\nC: MAIL FROM:<a@b>\nMAIL 250 0.0.0 ok\n"
		       "C: RCPT TO:<c@d>\n(rcpt)\n",
	},
	{
		.name = "a 250 to STARTTLS is neither yes nor no",
		.in = "220 x\r\n250-x\r\n250 STARTTLS\r\n250 go\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 250 0.0.0 x\\nSTARTTLS\next "
		       "40 size 0\n"
		       "C: STARTTLS\nBROKEN syntax\n(broken)\n",
	},
	{
		.name = "HELO",
		.in = "220 x\r\n502 5.5.1 what\r\n250 x\r\n250 ok\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 502 0.0.0 5.5.1 what\next 0 "
		       "size 0\n"
		       "C: HELO gw.example\nEHLO 250 0.0.0 x\next 0 size 0\nC: MAIL FROM:<a@b>\n"
		       "MAIL 250 0.0.0 ok\nC: RCPT TO:<c@d>\n(rcpt)\n",
	},
	{
		.name = "neither EHLO nor HELO",
		.in = "220 x\r\n500 what\r\n500 what\r\n221 bye\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 500 0.0.0 what\next 0 size 0\n"
		       "C: HELO gw.example\nEHLO 500 0.0.0 what\next 0 size 0\nC: QUIT\n"
		       "QUIT 221 0.0.0 bye\n(closed)\n",
	},
	{
		.name = "a 4xx to EHLO is no reason for HELO",
		.in = "220 x\r\n421 later\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nEHLO 421 0.0.0 later\next 0 size "
		       "0\n"
		       "C refused\n(greeted)\n",
	},
	{
		.name = "turned away",
		.in = "554-no\r\n554 mail here\r\n221 bye\r\n",
		.log = "BANNER 554 0.0.0 no\\nmail here\nC: QUIT\nQUIT 221 0.0.0 bye\n(closed)\n",
	},
	{
		.name = "all of a pipelined group refused",
		.in = HELLO_IN
		"550 5.7.1 no\r\n503 5.5.1 no\r\n503 5.5.1 no\r\n503 5.5.1 no\r\n250 x\r\n",
		.log = HELLO_LOG GROUP_LOG "MAIL 550 5.7.1 no\nRCPT 503 5.5.1 no\nRCPT 503 5.5.1 "
					   "no\nDATA 503 5.5.1 no\n" GROUP_LOG
					   "MAIL 250 0.0.0 x\n(data)\n",
	},
	{
		.name = "DATA refused leaves a transaction to reset",
		.in = HELLO_IN "250 ok\r\n550 no\r\n550 no\r\n554 no\r\n250 reset\r\n",
		.log = HELLO_LOG GROUP_LOG
		"MAIL 250 0.0.0 ok\nRCPT 550 0.0.0 no\nRCPT 550 0.0.0 no\n"
		"DATA 554 0.0.0 no\nC: RSET\nRSET 250 0.0.0 reset\nC: QUIT\n(quit)\n",
	},
	{
		.name = "421 as an answer",
		.in = HELLO_IN "250 ok\r\n421 4.3.2 bye\r\n",
		.log = HELLO_LOG GROUP_LOG "MAIL 250 0.0.0 ok\nRCPT 421 4.3.2 bye\n(data)\n",
	},
	{
		.name = "421 to the final dot",
		.in = HELLO_IN "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n421 4.3.2 bye\r\n",
		.log = HELLO_LOG GROUP_LOG
		"MAIL 250 0.0.0 ok\nRCPT 250 0.0.0 ok\nRCPT 250 0.0.0 ok\nDATA 354 0.0.0 go\nC: .\n"
		"END_OF_BODY 421 4.3.2 bye\nC refused\n(ready)\n",
	},
	{
		.name = "a reply too many",
		.in = "220 x\r\n250 x\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e\r\n250 m\r\n250 "
		      "r\r\n250 r\r\n"
		      "354 d\r\n250 q\r\n221 bye\r\n250 more\r\n",
		.log = NULL,
	},
	{.name = "1xx", .in = "120 x\r\n", .log = "BROKEN syntax\n(broken)\n"},
	{.name = "no code", .in = "SSH-2.0-x\r\n", .log = "BROKEN syntax\n(broken)\n"},
	{.name = "600", .in = "600 x\r\n", .log = "BROKEN syntax\n(broken)\n"},
	{.name = "code and no separator", .in = "220x\r\n", .log = "BROKEN syntax\n(broken)\n"},
	{.name = "bare LF", .in = "220 x\n", .log = "BROKEN syntax\n(broken)\n"},
	{.name = "bare CR", .in = "220 x\ry\r\n", .log = "BROKEN syntax\n(broken)\n"},
	{.name = "codes that differ",
		.in = "220-x\r\n250 y\r\n",
		.log = "BROKEN syntax\n(broken)\n"},
	{
		.name = "354 that nobody waits for",
		.in = "220 x\r\n354 x\r\n",
		.log = "BANNER 220 0.0.0 x\nC: EHLO gw.example\nBROKEN syntax\n(broken)\n",
	},
	{
		.name = "250 to DATA",
		.in = HELLO_IN "250 ok\r\n250 ok\r\n250 ok\r\n250 queued?\r\n",
		.log = HELLO_LOG GROUP_LOG
		"MAIL 250 0.0.0 ok\nRCPT 250 0.0.0 ok\nRCPT 250 0.0.0 ok\n"
		"BROKEN syntax\n(broken)\n",
	},
	{
		.name = "an enhanced code of another class is text",
		.in = HELLO_IN "450 5.1.1 x\r\n",
		.log = HELLO_LOG GROUP_LOG "MAIL 450 0.0.0 5.1.1 x\n(data)\n",
	},
};

static void run(const char *in, size_t len, struct drive_cut cut, const char *log, const char *name)
{
	struct drive d;

	drive_init(&d);
	drive_client(&d, (const uint8_t *)in, len, &cut);
	if (strcmp(d.log, log) != 0) {
		print_message("%s, first piece %zu\n", name, cut.at);
		assert_string_equal(d.log, log);
	}
	drive_fini(&d);
}

/* However the input is cut; the first run's log if `log` is NULL. */
static void check(const char *name, const char *in, size_t len, const char *log)
{
	char *first = NULL;

	if (!log) {
		struct drive_cut cut = {.next = drive_cut_whole};
		struct drive d;

		drive_init(&d);
		drive_client(&d, (const uint8_t *)in, len, &cut);
		log = first = strdup(d.log);
		drive_fini(&d);
	}
	run(in, len, (struct drive_cut){.next = drive_cut_whole}, log, name);
	run(in, len, (struct drive_cut){.next = drive_cut_octets}, log, name);
	for (size_t i = 1; i<len; i += len> 8000 ? 97 : 1)
		run(in, len, (struct drive_cut){.next = drive_cut_at, .at = i}, log, name);
	for (uint64_t seed = 1; seed < 20; seed++)
		run(in, len,
			(struct drive_cut){
				.next = drive_cut_random, .state = seed * 0x9e3779b97f4a7c15},
			log, name);
	free(first);
}

static void test_scripts(void **state)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		check(scripts[i].name, scripts[i].in, strlen(scripts[i].in), scripts[i].log);
}

/* A long text is cut, but read to its end: what follows is in step. */
static void test_long_reply(void **state)
{
	char *in = malloc(70000), *log = malloc(70000);
	size_t n = 0, l;

	for (int i = 0; i < 60; i++)
		n += (size_t)sprintf(in + n, "220-%0*d\r\n", 900, i);
	n += (size_t)sprintf(in + n, "220 end\r\n250 x\r\n");
	l = (size_t)sprintf(log, "BANNER 220 0.0.0 %0*d\\n%0*d\\n", 900, 0, 900, 1);
	memset(log + l, '0', SMTP_CLIENT_REPLY_MAX - 2 * 901);
	l += SMTP_CLIENT_REPLY_MAX - 2 * 901;
	sprintf(log + l, "\nC: EHLO gw.example\nEHLO 250 0.0.0 x\next 0 size 0\nC: MAIL "
			 "FROM:<a@b>\n(mail)\n");
	check("long", in, n, log);
	free(in);
	free(log);
}

static void test_limits(void **state)
{
	char *in = malloc(70000);
	size_t n = 0;

	memset(in, 'x', SMTP_REPLY_LINE_MAX + 1);
	memcpy(in, "220 ", 4);
	memcpy(in + SMTP_REPLY_LINE_MAX - 1, "\r\n", 2);
	check("line too long", in, SMTP_REPLY_LINE_MAX + 1, "BROKEN line_too_long\n(broken)\n");
	for (int i = 0; i < 300; i++)
		n += (size_t)sprintf(in + n, "220-x\r\n");
	check("too many lines", in, n, "BROKEN too_many_lines\n(broken)\n");
	free(in);
}

static struct smtp_replybuf test_buf;
static bool have_buf;

static struct smtp_replybuf *replybuf_get(void *arg)
{
	return have_buf ? &test_buf : NULL;
}

static void replybuf_put(void *arg, struct smtp_replybuf *b)
{
	assert_ptr_equal(b, &test_buf);
}

static const struct smtp_client_config config = {
	.hostname = "gw.example",
	.replybuf_get = replybuf_get,
	.replybuf_put = replybuf_put,
};

static enum smtp_client_event feed(struct smtp_client *c, const char *in, struct smtp_client_ev *ev)
{
	size_t used;
	enum smtp_client_event e = smtp_client_next(c, (const uint8_t *)in, strlen(in), &used, ev);

	return e;
}

static const struct smtp_mail mail = {.from = {.raw = {"a@b", 3}}};
static const struct smtp_rcpt rcpt = {.to = {.raw = {"c@d", 3}}};

static void test_order(void **state)
{
	uint8_t buf[4096];
	struct smtp_out out = {.data = buf, .size = sizeof(buf)};
	struct smtp_client_ev ev;
	struct smtp_client c;

	have_buf = true;
	smtp_client_init(&c, &config);
	assert_int_equal(smtp_client_pending(&c), 0);
	assert_int_equal(smtp_client_ehlo(&c, &out), -EPROTO);
	assert_int_equal(feed(&c, "220 x\r\n", &ev), SMTP_CLIENT_BANNER);
	assert_int_equal(smtp_client_mail(&c, &mail, &out), -EPROTO);
	assert_int_equal(smtp_client_ehlo(&c, &out), 0);
	assert_int_equal(smtp_client_ehlo(&c, &out), -EPROTO);
	assert_int_equal(
		feed(&c, "250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n", &ev), SMTP_CLIENT_EHLO);
	assert_true(smtp_client_idle(&c));
	assert_int_equal(smtp_client_starttls(&c, &out), -EPROTO);
	assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), -EPROTO);
	assert_int_equal(smtp_client_data(&c, &out), -EPROTO);
	assert_int_equal(smtp_client_dot(&c, true, &out), -EPROTO);
	assert_int_equal(smtp_client_mail(&c, &mail, &out), 0);
	assert_int_equal(smtp_client_mail(&c, &mail, &out), -EPROTO);
	assert_int_equal(smtp_client_data(&c, &out), -EPROTO);
	assert_int_equal(smtp_client_bdat(&c, 1, true, &out), -EPROTO);
	assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), 0);
	/* RSET and a new transaction behind the old one's commands, RFC 2920 3.1. */
	assert_int_equal(smtp_client_rset(&c, &out), 0);
	assert_int_equal(smtp_client_mail(&c, &mail, &out), 0);
	/* The first MAIL's refusal does not touch the second's transaction. */
	assert_int_equal(feed(&c, "550 no\r\n", &ev), SMTP_CLIENT_MAIL);
	assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), 0);
	assert_int_equal(smtp_client_bdat(&c, 1, false, &out), 0);
	assert_int_equal(smtp_client_data(&c, &out), -EPROTO);
	assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), -EPROTO);
	assert_int_equal(smtp_client_bdat(&c, 1, true, &out), 0);
	assert_int_equal(smtp_client_bdat(&c, 1, true, &out), -EPROTO);
	assert_int_equal(smtp_client_rset(&c, &out), -EPROTO);
	assert_int_equal(smtp_client_quit(&c, &out), -EPROTO);
	assert_int_equal(smtp_client_pending(&c), 6);
	assert_int_equal(feed(&c, "503 no\r\n", &ev), SMTP_CLIENT_RCPT);
	assert_int_equal(feed(&c, "250 ok\r\n", &ev), SMTP_CLIENT_RSET);
	assert_int_equal(feed(&c, "250 ok\r\n", &ev), SMTP_CLIENT_MAIL);
	assert_int_equal(feed(&c, "250 ok\r\n", &ev), SMTP_CLIENT_RCPT);
	assert_int_equal(feed(&c, "250 ok\r\n", &ev), SMTP_CLIENT_BDAT);
	assert_false(smtp_client_idle(&c));
	assert_int_equal(feed(&c, "250 ok\r\n", &ev), SMTP_CLIENT_END_OF_BODY);
	assert_true(smtp_client_idle(&c));
	/* An unasked-for 421. */
	assert_int_equal(feed(&c, "421-bye\r\n421 now\r\n", &ev), SMTP_CLIENT_SHUTDOWN);
	assert_int_equal(ev.reply.code, 421);
	assert_false(smtp_client_idle(&c));
	assert_int_equal(smtp_client_mail(&c, &mail, &out), -EPROTO);
	smtp_client_fini(&c);
}

static void test_body(void **state)
{
	uint8_t buf[4096];
	struct smtp_out out = {.data = buf, .size = sizeof(buf)};
	struct smtp_client_ev ev;
	struct smtp_client c;

	have_buf = true;
	smtp_client_init(&c, &config);
	feed(&c, "220 x\r\n", &ev);
	smtp_client_ehlo(&c, &out);
	feed(&c, "250 x\r\n", &ev);
	assert_int_equal(smtp_client_mail(&c, &mail, &out), 0);
	/* Nothing is sent ahead to one who does not offer PIPELINING. */
	assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), -EPROTO);
	assert_int_equal(feed(&c, "250 x\r\n", &ev), SMTP_CLIENT_MAIL);
	assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), 0);
	assert_int_equal(feed(&c, "250 x\r\n", &ev), SMTP_CLIENT_RCPT);
	assert_int_equal(smtp_client_data(&c, &out), 0);
	assert_int_equal(feed(&c, "354 x\r\n", &ev), SMTP_CLIENT_DATA);
	assert_int_equal(smtp_client_rset(&c, &out), -EPROTO);
	assert_int_equal(smtp_client_quit(&c, &out), -EPROTO);
	/* While the body goes out nothing but a 421 may come in. */
	assert_int_equal(feed(&c, "250 ok\r\n", &ev), SMTP_CLIENT_BROKEN);
	assert_int_equal(ev.error, SMTP_CLIENT_ERR_UNSOLICITED);
	assert_int_equal(feed(&c, "250 ok\r\n", &ev), SMTP_CLIENT_BROKEN);
	assert_int_equal(smtp_client_dot(&c, true, &out), -EPROTO);
	smtp_client_fini(&c);
}

/* Octets that came with the 220 break the connection before the owner could start TLS at all. */
static void test_injection(void **state)
{
	uint8_t buf[4096];
	struct smtp_out out = {.data = buf, .size = sizeof(buf)};
	struct smtp_client_ev ev;
	struct smtp_client c;

	have_buf = true;
	for (int late = 0; late < 2; late++) {
		smtp_client_init(&c, &config);
		feed(&c, "220 x\r\n", &ev);
		smtp_client_ehlo(&c, &out);
		feed(&c, "250-x\r\n250-CHUNKING\r\n250 STARTTLS\r\n", &ev);
		assert_int_equal(smtp_client_starttls(&c, &out), 0);
		if (late) {
			assert_int_equal(feed(&c, "220 go\r\n", &ev), SMTP_CLIENT_STARTTLS);
			assert_int_equal(feed(&c, "2", &ev), SMTP_CLIENT_BROKEN);
		} else {
			assert_int_equal(feed(&c, "220 go\r\n2", &ev), SMTP_CLIENT_BROKEN);
		}
		assert_int_equal(ev.error, SMTP_CLIENT_ERR_INJECTION);
		smtp_client_fini(&c);
	}
	/* Nothing learned in the clear is left after the handshake. */
	smtp_client_init(&c, &config);
	feed(&c, "220 x\r\n", &ev);
	smtp_client_ehlo(&c, &out);
	feed(&c, "250-x\r\n250-CHUNKING\r\n250-SIZE 5\r\n250 STARTTLS\r\n", &ev);
	smtp_client_starttls(&c, &out);
	feed(&c, "220 go\r\n", &ev);
	smtp_client_tls_started(&c);
	assert_int_equal(smtp_client_ext(&c), 0);
	assert_int_equal(smtp_client_size_limit(&c), 0);
	assert_int_equal(smtp_client_mail(&c, &mail, &out), -EPROTO);
	assert_int_equal(smtp_client_ehlo(&c, &out), 0);
	assert_int_equal(feed(&c, "250-x\r\n250 STARTTLS\r\n", &ev), SMTP_CLIENT_EHLO);
	assert_int_equal(smtp_client_starttls(&c, &out), -EPROTO);
	smtp_client_fini(&c);
}

static void test_no_buffer(void **state)
{
	struct smtp_client_ev ev;
	struct smtp_client c;

	have_buf = false;
	smtp_client_init(&c, &config);
	assert_int_equal(feed(&c, "220", &ev), SMTP_CLIENT_BROKEN);
	assert_int_equal(ev.error, SMTP_CLIENT_ERR_NO_BUFFER);
	smtp_client_fini(&c);
}

/* What the next hop cannot take is left out where that is harmless and refused where it is not;
 * what would end the line early is never written. */
static void test_parameters(void **state)
{
	uint8_t buf[4096];
	struct smtp_out out = {.data = buf, .size = sizeof(buf)};
	struct smtp_client_ev ev;
	struct smtp_client c;
	struct smtp_mail m = mail;

	have_buf = true;
	smtp_client_init(&c, &config);
	feed(&c, "220 x\r\n", &ev);
	smtp_client_ehlo(&c, &out);
	feed(&c, "250 x\r\n", &ev);
	out.len = 0;
	m.smtputf8 = true;
	assert_int_equal(smtp_client_mail(&c, &m, &out), -EINVAL);
	m = mail;
	m.requiretls = true;
	assert_int_equal(smtp_client_mail(&c, &m, &out), -EINVAL);
	m = mail;
	m.from.raw = (struct smtp_str){"a@b>\r\nRSET", 10};
	assert_int_equal(smtp_client_mail(&c, &m, &out), -EINVAL);
	assert_int_equal(out.len, 0);
	m = mail;
	m.params = (struct smtp_str){"SIZE=5 BODY=8BITMIME RET=FULL", 29};
	m.size = 5;
	m.body_8bit = true;
	out.size = 10;
	assert_int_equal(smtp_client_mail(&c, &m, &out), -ENOBUFS);
	assert_int_equal(out.len, 0);
	assert_int_equal(smtp_client_pending(&c), 0);
	out.size = sizeof(buf);
	assert_int_equal(smtp_client_mail(&c, &m, &out), 0);
	assert_int_equal(out.len, strlen("MAIL FROM:<a@b>\r\n"));
	assert_memory_equal(buf, "MAIL FROM:<a@b>\r\n", out.len);
	smtp_client_fini(&c);
}

/* As many commands as the queue holds, answered in their order. */
static void test_queue(void **state)
{
	uint8_t buf[8192];
	struct smtp_out out = {.data = buf, .size = sizeof(buf)};
	struct smtp_client_ev ev;
	struct smtp_client c;

	have_buf = true;
	smtp_client_init(&c, &config);
	feed(&c, "220 x\r\n", &ev);
	smtp_client_ehlo(&c, &out);
	feed(&c, "250-x\r\n250 PIPELINING\r\n", &ev);
	for (int round = 0; round < 3; round++) {
		out.len = 0;
		assert_int_equal(smtp_client_mail(&c, &mail, &out), 0);
		for (int i = 1; i < SMTP_CLIENT_PENDING_MAX; i++)
			assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), 0);
		assert_int_equal(smtp_client_rcpt(&c, &rcpt, &out), -EPROTO);
		assert_int_equal(smtp_client_pending(&c), SMTP_CLIENT_PENDING_MAX);
		assert_int_equal(feed(&c, "250 x\r\n", &ev), SMTP_CLIENT_MAIL);
		for (int i = 1; i < SMTP_CLIENT_PENDING_MAX; i++)
			assert_int_equal(feed(&c, "250 x\r\n", &ev), SMTP_CLIENT_RCPT);
		assert_int_equal(smtp_client_rset(&c, &out), 0);
		assert_int_equal(feed(&c, "250 x\r\n", &ev), SMTP_CLIENT_RSET);
	}
	assert_true(smtp_client_idle(&c));
	smtp_client_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_long_reply),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_no_buffer),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
