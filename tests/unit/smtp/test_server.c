/* SPDX-License-Identifier: BSD-3-Clause */
/* Command transcripts for the server engine, each at every cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/transcript.h"

#define BANNER    "S: 220 mx.example.org ESMTP\n"
#define EXTS_REST "S: 250-ENHANCEDSTATUSCODES\nS: 250-8BITMIME\nS: 250-DSN\nS: 250-SMTPUTF8\n"
#define EHLO_IN   "EHLO c.example\r\n"
#define EHLO_LOG                                                                         \
	BANNER "EHLO c.example\nS: 250-mx.example.org\nS: 250-PIPELINING\nS: 250-SIZE\n" \
	       "S: 250-STARTTLS\n" EXTS_REST "S: 250 CHUNKING\n"

static const struct transcript transcripts[] = {
	{
		.name = "a mail",
		.in = EHLO_IN "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
			      "Subject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n",
		.log = EHLO_LOG
		"MAIL <a@b.example>\nS: 250 2.1.0 Ok\nRCPT <c@d.example>\nS: 250 2.1.5 Ok\n"
		"DATA\nS: 354 Go\nBODY Subject: x\\r\\n\\r\\nhi\\r\\n\nBODY_END\n"
		"S: 250 2.0.0 Queued\nS: 221 2.0.0 Bye\nQUIT\n(closed)\n",
	},
	{
		.name = "HELO: no extensions, no enhanced codes",
		.in = "helo c\r\nMAIL FROM:<a@b> SIZE=1\r\nmail from: <a@b>  \r\nDATA\r\n"
		      "RCPT TO:<no@x>\r\nDATA\r\nBDAT 3\r\nabcRSET\r\nSTARTTLS\r\n",
		.log = BANNER
		"HELO c\nS: 250 mx.example.org\n"
		"S: 555 Parameter not recognized or not offered\nMAIL <a@b>\nS: 250 Ok\n"
		"S: 503 RCPT first\nRCPT <no@x>\nS: 550 No\nS: 554 No valid recipients\n"
		"S: 502 BDAT is not offered\nS: 250 Ok\nRSET\nS: 502 STARTTLS is not offered\n"
		"(ready)\n",
	},
	{
		.name = "before EHLO",
		.in = "MAIL FROM:<a@b>\r\nSTARTTLS\r\nNOOP x\r\nRSET\r\nVRFY x\r\nHELP\r\nRCPT "
		      "TO:<a@b>\r\n"
		      "AUTH PLAIN\r\n",
		.log = BANNER
		"S: 503 EHLO first\nS: 503 EHLO first\nS: 250 Ok\nS: 250 Ok\nRSET\n"
		"S: 252 Cannot verify; send it and see\nS: 214 EHLO HELO STARTTLS MAIL RCPT "
		"DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 5321)\nS: 503 EHLO first\n"
		"S: 502 Command not implemented\n(greeted)\n",
	},
	{
		.name = "STARTTLS forgets everything",
		.in = EHLO_IN "STARTTLS now\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\n" EHLO_IN
			      "STARTTLS\r\nMAIL FROM:<a@b> REQUIRETLS\r\n",
		.log = EHLO_LOG
		"S: 501 5.5.4 No parameters allowed\nSTARTTLS\nS: 220 2.0.0 Go\nS: 503 EHLO first\n"
		"EHLO c.example\nS: 250-mx.example.org\nS: 250-PIPELINING\nS: 250-SIZE\n" EXTS_REST
		"S: 250-CHUNKING\nS: 250 REQUIRETLS\nS: 503 5.5.1 TLS is already active\n"
		"MAIL <a@b> [REQUIRETLS] requiretls\nS: 250 2.1.0 Ok\n(mail)\n",
	},
	{
		.name = "STARTTLS not in a transaction, REQUIRETLS not in the clear",
		.in = EHLO_IN "MAIL FROM:<a@b> REQUIRETLS\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\n",
		.log = EHLO_LOG "S: 555 5.5.4 Parameter not recognized or not offered\nMAIL <a@b>\n"
				"S: 250 2.1.0 Ok\nS: 503 5.5.1 A transaction is open\n(mail)\n",
	},
	{
		.name = "order within a transaction",
		.in = EHLO_IN
		"RCPT TO:<c@d>\r\nDATA\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nDATA\r\n"
		"RCPT TO:<no@d>\r\nDATA\r\nRCPT TO:<c@d>\r\nRSET\r\nDATA\r\n",
		.log = EHLO_LOG "S: 503 5.5.1 MAIL first\nS: 503 5.5.1 MAIL first\nMAIL <a@b>\n"
				"S: 250 2.1.0 Ok\nS: 503 5.5.1 A transaction is open\n"
				"S: 503 5.5.1 RCPT first\nRCPT <no@d>\nS: 550 5.1.1 No\n"
				"S: 554 5.5.1 No valid recipients\nRCPT <c@d>\nS: 250 2.1.5 Ok\n"
				"S: 250 2.0.0 Ok\nRSET\nS: 503 5.5.1 MAIL first\n(ready)\n",
	},
	{
		.name = "EHLO drops the transaction, a refused one does not",
		.in = EHLO_IN "MAIL FROM:<a@b>\r\nEHLO refused.example\r\nEHLO\r\nEHLO (x)\r\n"
			      "RCPT TO:<c@d>\r\nHELO c\r\nDATA\r\n",
		.log = EHLO_LOG "MAIL <a@b>\nS: 250 2.1.0 Ok\nEHLO refused.example\nS: 550 No\n"
				"S: 501 5.5.4 Argument missing\nS: 501 5.5.4 Syntax: EHLO domain\n"
				"RCPT <c@d>\nS: 250 2.1.5 Ok\nHELO c\nS: 250 mx.example.org\n"
				"S: 503 MAIL first\n(ready)\n",
	},
	{
		.name = "MAIL refused leaves no transaction; DATA refused leaves one",
		.in = EHLO_IN "MAIL FROM:<refused@b>\r\nRCPT TO:<c@d>\r\nMAIL FROM:<nodata@b>\r\n"
			      "RCPT TO:<c@d>\r\nDATA\r\nMAIL FROM:<a@b>\r\n",
		.log = EHLO_LOG
		"MAIL <refused@b>\nS: 550 5.1.8 No\nS: 503 5.5.1 MAIL first\n"
		"MAIL <nodata@b>\nS: 250 2.1.0 Ok\nRCPT <c@d>\nS: 250 2.1.5 Ok\nDATA\n"
		"S: 451 4.3.0 Later\nS: 503 5.5.1 A transaction is open\n(rcpt)\n",
	},
	{
		.name = "a 421 of the owner's ends the session",
		.in = EHLO_IN "MAIL FROM:<bye@b>\r\nNOOP\r\n",
		.log = EHLO_LOG "MAIL <bye@b>\nS: 421 4.3.2 Bye\nEND\n(closed)\n",
	},
	{
		.name = "unknown, empty, not implemented",
		.in = EHLO_IN
		"XYZZY\r\n\r\n  NOOP\r\nEXPN list\r\nAUTH PLAIN AA==\r\nNOOPE\r\nDATA x\r\n"
		"RCPT\r\nQUIT now\r\n",
		.log = EHLO_LOG
		"S: 500 5.5.2 Command not recognized\nS: 500 5.5.2 Command not recognized\n"
		"S: 500 5.5.2 Command not recognized\nS: 502 5.5.1 Command not implemented\n"
		"S: 502 5.5.1 Command not implemented\nS: 500 5.5.2 Command not recognized\n"
		"S: 501 5.5.4 No parameters allowed\nS: 501 5.5.4 Argument missing\n"
		"S: 501 5.5.4 No parameters allowed\n(ready)\n",
	},
	{
		.name = "too many errors",
		.options = {.max_bad = 3},
		.in = EHLO_IN "X\r\nNOOP\r\nX\r\nX\r\nNOOP\r\n",
		.log = EHLO_LOG
		"S: 500 5.5.2 Command not recognized\nS: 250 2.0.0 Ok\n"
		"S: 500 5.5.2 Command not recognized\nS: 421 4.7.0 Too many errors; closing\n"
		"END\n(closed)\n",
	},
	{
		.name = "too many commands without mail",
		.options = {.max_idle = 3},
		.in = EHLO_IN "NOOP\r\nRSET\r\nNOOP\r\nNOOP\r\n",
		.log = EHLO_LOG
		"S: 250 2.0.0 Ok\nS: 250 2.0.0 Ok\nRSET\n"
		"S: 421 4.7.0 Too many commands without mail; closing\nEND\n(closed)\n",
	},
	{
		.name = "another protocol",
		.in = "GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b>\r\n",
		.log = BANNER "S: 421 This is SMTP; closing\nEND\n(closed)\n",
	},
	{
		.name = "turned away by the banner",
		.options = {.banner = 554},
		.in = EHLO_IN "MAIL FROM:<a@b>\r\nBDAT 6\r\nQUIT\r\nQUIT\r\n",
		.log = "S: 554 mx.example.org ESMTP\nS: 503 No mail service here; QUIT\n"
		       "S: 503 No mail service here; QUIT\nS: 502 BDAT is not offered\nS: 221 "
		       "Bye\nQUIT\n"
		       "(closed)\n",
	},
	{
		.name = "parameters",
		.in = EHLO_IN
		"MAIL FROM:<a@b> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x+2By\r\n"
		"RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d\r\nRCPT TO:<c@d> X=1\r\n"
		"RCPT TO:<c@d> SIZE=1\r\nRCPT TO:<c@d> NOTIFY=NEVER,DELAY\r\n",
		.log = EHLO_LOG
		"MAIL <a@b> [SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x+2By] 8bit 100\nS: 250 2.1.0 "
		"Ok\n"
		"RCPT <c@d> [NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d]\nS: 250 2.1.5 Ok\n"
		"S: 555 5.5.4 Parameter not recognized or not offered\n"
		"S: 555 5.5.4 Parameter not recognized or not offered\n"
		"S: 501 5.5.4 Malformed or repeated parameter\n(rcpt)\n",
	},
	{
		.name = "parameters are those of the last EHLO",
		.in = EHLO_IN "EHLO plain.example\r\nMAIL FROM:<a@b> BODY=8BITMIME\r\n",
		.log = EHLO_LOG "EHLO plain.example\nS: 250 mx.example.org\n"
				"S: 555 Parameter not recognized or not offered\n(ready)\n",
	},
	{
		.name = "SIZE over the limit",
		.options = {.size_limit = 1000},
		.in = "EHLO bare.example\r\nMAIL FROM:<a@b> SIZE=1001\r\nMAIL FROM:<a@b> "
		      "SIZE=1000\r\n",
		.log = BANNER
		"EHLO bare.example\nS: 250-mx.example.org\nS: 250-PIPELINING\nS: 250-SIZE 1000\n"
		"S: 250-STARTTLS\nS: 250-ENHANCEDSTATUSCODES\nS: 250-8BITMIME\nS: 250-DSN\n"
		"S: 250 SMTPUTF8\nS: 552 5.3.4 Message size exceeds the limit\n"
		"MAIL <a@b> [SIZE=1000] 1000\nS: 250 2.1.0 Ok\n(mail)\n",
	},
	{
		.name = "SMTPUTF8",
		.in = EHLO_IN "MAIL FROM:<\xc3\xa9@b>\r\nMAIL FROM:<\xc3\xa9@b> SMTPUTF8\r\nRCPT "
			      "TO:<c@\xe4\xbe\x8b>\r\n"
			      "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@\xe4\xbe\x8b>\r\nRCPT "
			      "TO:<\xff@b>\r\nEHLO \xc3\xa9\r\n",
		.log = EHLO_LOG "S: 553 5.6.7 Non-ASCII address without SMTPUTF8\n"
				"MAIL <\\xc3\\xa9@b> utf8 [SMTPUTF8] smtputf8\nS: 250 2.1.0 Ok\n"
				"RCPT <c@\\xe4\\xbe\\x8b> utf8\nS: 250 2.1.5 Ok\nS: 250 2.0.0 "
				"Ok\nRSET\nMAIL <a@b>\n"
				"S: 250 2.1.0 Ok\nS: 553 5.6.7 Non-ASCII address without SMTPUTF8\n"
				"S: 500 5.5.2 Control or malformed octets in command\n"
				"S: 500 5.5.2 Non-ASCII octets in command\n(mail)\n",
	},
	{
		.name = "addresses",
		.in = EHLO_IN
		"MAIL FROM:a@b\r\nMAIL FROM:<a@b>x\r\nMAIL TO:<a@b>\r\nMAIL FROM:<>\r\n"
		"RCPT TO:<>\r\nRCPT TO:<postMaster>\r\nRCPT TO:<@x,@y:\"a> b\"@[IPv6:::1]>\r\n",
		.log = EHLO_LOG
		"S: 501 5.1.7 Bad sender address syntax\nS: 501 5.1.7 Bad sender address syntax\n"
		"S: 501 5.5.4 Syntax: MAIL FROM:<address>\nMAIL <>\nS: 250 2.1.0 Ok\n"
		"S: 501 5.1.3 Bad recipient address syntax\nRCPT <postMaster>\nS: 250 2.1.5 Ok\n"
		"RCPT <\"a> b\"@[IPv6:::1]> literal\nS: 250 2.1.5 Ok\n(rcpt)\n",
	},
	{
		.name = "recipient limit",
		.options = {.max_recipients = 2},
		.in = EHLO_IN
		"MAIL FROM:<a@b>\r\nRCPT TO:<1@d>\r\nRCPT TO:<no@d>\r\nRCPT TO:<2@d>\r\n"
		"RCPT TO:<3@d>\r\nDATA\r\n.\r\n",
		.log = EHLO_LOG
		"MAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT <1@d>\nS: 250 2.1.5 Ok\nRCPT <no@d>\n"
		"S: 550 5.1.1 No\nRCPT <2@d>\nS: 250 2.1.5 Ok\n"
		"S: 452 4.5.3 Too many recipients\nDATA\nS: 354 Go\nBODY_END\n"
		"S: 250 2.0.0 Queued\n(ready)\n",
	},
	{
		.name = "the recipient limit is each transaction's",
		.options = {.max_recipients = 1},
		.in = EHLO_IN "MAIL FROM:<a@b>\r\nRCPT TO:<1@d>\r\nRSET\r\nMAIL FROM:<a@b>\r\n"
			      "RCPT TO:<2@d>\r\nDATA\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<3@d>\r\n",
		.log = EHLO_LOG
		"MAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT <1@d>\nS: 250 2.1.5 Ok\n"
		"S: 250 2.0.0 Ok\nRSET\nMAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT <2@d>\n"
		"S: 250 2.1.5 Ok\nDATA\nS: 354 Go\nBODY_END\nS: 250 2.0.0 Queued\n"
		"MAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT <3@d>\nS: 250 2.1.5 Ok\n(rcpt)\n",
	},
	{
		.name = "bare LF in a command: refused at once, nothing up to the next CRLF is "
			"obeyed",
		.in = EHLO_IN "NOOP\nMAIL FROM:<a@b>\nRSET\r\nNOOP\r\n",
		.log = EHLO_LOG
		"S: 500 5.5.2 A line ends with CRLF (RFC 5321 2.3.8)\nS: 250 2.0.0 Ok\n"
		"(ready)\n",
	},
	{
		.name = "bare CR in a command",
		.in = EHLO_IN "NOOP\rMAIL FROM:<a@b>\r\nNOOP\r\r\n\r\r\nNOOP\r\n",
		.log = EHLO_LOG
		"S: 500 5.5.2 Control or malformed octets in command\n"
		"S: 500 5.5.2 Control or malformed octets in command\n"
		"S: 500 5.5.2 Control or malformed octets in command\nS: 250 2.0.0 Ok\n"
		"(ready)\n",
	},
	{
		.name = "control octets in a command",
		.in = EHLO_IN "NOOP \1\r\nMAIL FROM:<a\t@b>\r\nNOOP \x7f\r\n",
		.log = EHLO_LOG "S: 500 5.5.2 Control or malformed octets in command\n"
				"S: 500 5.5.2 Control or malformed octets in command\n"
				"S: 500 5.5.2 Control or malformed octets in command\n(ready)\n",
	},
};

static void test_transcripts(void **state)
{
	for (size_t i = 0; i < sizeof(transcripts) / sizeof(transcripts[0]); i++)
		transcript_check(&transcripts[i]);
}

static void test_nul(void **state)
{
	static const char in[] = "EHLO c.example\r\nNOOP \0x\r\nNO\0OP\r\nNOOP\r\n";

	transcript_check(&(struct transcript){
		.name = "NUL",
		.in = in,
		.len = sizeof(in) - 1,
		.log = EHLO_LOG
		"S: 500 5.5.2 Control or malformed octets in command\n"
		"S: 500 5.5.2 Control or malformed octets in command\nS: 250 2.0.0 Ok\n"
		"(ready)\n",
	});
}

/* A line of exactly the limit is taken, one octet more is not, and the rest of it is no command. */
static void test_command_too_long(void **state)
{
	for (size_t extra = 0; extra < 3; extra++) {
		char *in = calloc(1, 3 * SMTP_COMMAND_LINE_MAX);
		size_t n = (size_t)sprintf(in, EHLO_IN);
		size_t line = SMTP_COMMAND_LINE_MAX + extra;

		memcpy(in + n, "NOOP ", 5);
		memset(in + n + 5, 'x', line - 7);
		memcpy(in + n + line - 2, "\r\n", 2);
		n += line;
		n += (size_t)sprintf(in + n, "NOOP\r\n");
		transcript_check(&(struct transcript){
			.name = "long line",
			.in = in,
			.len = n,
			.log = extra ? EHLO_LOG "S: 500 5.5.2 Command line too long\nS: 250 2.0.0 "
						"Ok\n(ready)\n"
				     : EHLO_LOG "S: 250 2.0.0 Ok\nS: 250 2.0.0 Ok\n(ready)\n",
		});
		free(in);
	}
}

/* Far over the limit, with an LF in what is passed over. */
static void test_command_much_too_long(void **state)
{
	size_t n = 20000;
	char *in = malloc(n + 200);

	memcpy(in, EHLO_IN, sizeof(EHLO_IN) - 1);
	memset(in + sizeof(EHLO_IN) - 1, 'x', n);
	in[9000] = '\n';
	in[9001] = '\r';
	strcpy(in + sizeof(EHLO_IN) - 1 + n, "\r\nNOOP\r\n");
	transcript_check(&(struct transcript){
		.name = "very long line",
		.in = in,
		.len = sizeof(EHLO_IN) - 1 + n + 8,
		.log = EHLO_LOG "S: 500 5.5.2 Command line too long\nS: 250 2.0.0 Ok\n(ready)\n",
	});
	free(in);
}

static void test_no_buffer(void **state)
{
	struct drive_server_options o = {.no_buffer = true};
	struct drive_cut cut = {.next = drive_cut_at, .at = 3};
	struct drive d;

	drive_init(&d);
	drive_server(&d, &o, (const uint8_t *)EHLO_IN, sizeof(EHLO_IN) - 1, &cut);
	assert_string_equal(d.log, BANNER "S: 421 Out of resources; closing\nEND\n(closed)\n");
	drive_fini(&d);
}

static void test_errors_counted(void **state)
{
	static const char in[] =
		EHLO_IN "X\r\nMAIL\r\nDATA\r\nMAIL FROM:<a@b> X=1\r\nNOOP\nNOOP\r\n";
	uint64_t errors[SMTP_ERRORS] = {};
	struct drive_server_options o = {.errors = errors};
	struct drive_cut cut = {.next = drive_cut_whole};
	struct drive d;

	drive_init(&d);
	drive_server(&d, &o, (const uint8_t *)in, sizeof(in) - 1, &cut);
	assert_int_equal(errors[SMTP_ERR_UNKNOWN_COMMAND], 1);
	assert_int_equal(errors[SMTP_ERR_SYNTAX], 2);
	assert_int_equal(errors[SMTP_ERR_SEQUENCE], 1);
	assert_int_equal(errors[SMTP_ERR_BAD_PARAMETER], 1);
	drive_fini(&d);
}

static struct smtp_linebuf test_linebuf;

static struct smtp_linebuf *linebuf_get(void *arg)
{
	return &test_linebuf;
}

static void linebuf_put(void *arg, struct smtp_linebuf *b)
{
	assert_ptr_equal(b, &test_linebuf);
}

static const struct smtp_server_config config = {
	.hostname = "mx.example.org",
	.max_recipients = 100,
	.max_bad_commands = 10,
	.max_received = 100,
	.linebuf_get = linebuf_get,
	.linebuf_put = linebuf_put,
};

/* Before the banner, while an answer is out, and after STARTTLS's 220 nothing is taken. */
static void test_blocked(void **state)
{
	static const uint8_t in[] = EHLO_IN "STARTTLS\r\nNOOP\r\n";
	const uint8_t *p = in;
	size_t len = sizeof(in) - 1, used;
	uint8_t buf[1024];
	struct smtp_out out = {.data = buf, .size = sizeof(buf)};
	struct smtp_str ok = {"Ok", 2};
	struct smtp_server_ev ev;
	struct smtp_server s;

	smtp_server_init(&s, &config);
	assert_int_equal(smtp_server_next(&s, p, len, &used, &out, &ev), SMTP_SERVER_BLOCKED);
	assert_int_equal(used, 0);
	assert_int_equal(smtp_server_banner(&s, 220, "ESMTP", &out), 0);
	assert_int_equal(smtp_server_banner(&s, 220, "ESMTP", &out), -EPROTO);
	assert_int_equal(smtp_server_next(&s, p, len, &used, &out, &ev), SMTP_SERVER_EHLO);
	p += used, len -= used;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			smtp_server_next(&s, p, len, &used, &out, &ev), SMTP_SERVER_BLOCKED);
		assert_int_equal(used, 0);
		assert_int_equal(smtp_server_waiting(&s), SMTP_WAIT_ANSWER);
	}
	/* Only smtp_server_ehlo() can say yes to EHLO. */
	assert_int_equal(smtp_server_reply(&s, 250, (struct smtp_status){}, ok, &out), -EPROTO);
	assert_int_equal(smtp_server_ehlo(&s, SMTP_EXT_STARTTLS, 0, &out), 0);
	assert_int_equal(smtp_server_ehlo(&s, SMTP_EXT_STARTTLS, 0, &out), -EPROTO);
	assert_int_equal(smtp_server_next(&s, p, len, &used, &out, &ev), SMTP_SERVER_STARTTLS);
	p += used, len -= used;
	assert_int_equal(smtp_server_reply(&s, 220, (struct smtp_status){}, ok, &out), 0);
	assert_int_equal(smtp_server_next(&s, p, len, &used, &out, &ev), SMTP_SERVER_BLOCKED);
	assert_int_equal(used, 0);
	assert_int_equal(smtp_server_goodbye(&s, (struct smtp_status){}, "x", &out), -EPROTO);
	smtp_server_fini(&s);
}

/* Without room nothing is done, and it is done when there is. */
static void test_no_room(void **state)
{
	static const uint8_t in[] = EHLO_IN "NOOP\r\n";
	uint8_t buf[1024];
	struct smtp_out out = {.data = buf, .size = SMTP_SERVER_OUT_MIN - 1};
	struct smtp_server_ev ev;
	struct smtp_server s;
	size_t used;

	smtp_server_init(&s, &config);
	out.size = 10;
	assert_int_equal(smtp_server_banner(&s, 220, "ESMTP", &out), -ENOBUFS);
	assert_int_equal(out.len, 0);
	out.size = SMTP_SERVER_OUT_MIN - 1;
	assert_int_equal(smtp_server_banner(&s, 220, "ESMTP", &out), 0);
	assert_int_equal(
		smtp_server_next(&s, in, sizeof(in) - 1, &used, &out, &ev), SMTP_SERVER_BLOCKED);
	assert_int_equal(used, 0);
	assert_int_equal(smtp_server_waiting(&s), SMTP_WAIT_COMMAND);
	out = (struct smtp_out){.data = buf, .size = sizeof(buf)};
	assert_int_equal(
		smtp_server_next(&s, in, sizeof(in) - 1, &used, &out, &ev), SMTP_SERVER_EHLO);
	out = (struct smtp_out){.data = buf, .size = 20};
	assert_int_equal(smtp_server_ehlo(&s, SMTP_EXT_SIZE, 0, &out), -ENOBUFS);
	assert_int_equal(out.len, 0);
	out.size = sizeof(buf);
	assert_int_equal(smtp_server_ehlo(&s, SMTP_EXT_SIZE, 0, &out), 0);
	assert_int_equal(smtp_server_goodbye(&s, (struct smtp_status){4, 4, 2}, "late", &out), 0);
	assert_int_equal(smtp_server_next(&s, in, 1, &used, &out, &ev), SMTP_SERVER_END);
	smtp_server_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_command_too_long),
		cmocka_unit_test(test_command_much_too_long),
		cmocka_unit_test(test_no_buffer),
		cmocka_unit_test(test_errors_counted),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
