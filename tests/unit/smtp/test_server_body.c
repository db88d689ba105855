/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages through the server engine, DATA and BDAT, each at every cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/transcript.h"

#define HELLO_IN "EHLO c\r\n"
#define MAIL_IN  HELLO_IN "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
#define HELLO_LOG                                                                                 \
	"S: 220 mx.example.org ESMTP\nEHLO c\nS: 250-mx.example.org\nS: 250-PIPELINING\n"         \
	"S: 250-SIZE\nS: 250-STARTTLS\nS: 250-ENHANCEDSTATUSCODES\nS: 250-8BITMIME\nS: 250-DSN\n" \
	"S: 250-SMTPUTF8\nS: 250 CHUNKING\n"
#define MAIL_LOG HELLO_LOG "MAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT <c@d>\nS: 250 2.1.5 Ok\n"
#define DATA_LOG MAIL_LOG "DATA\nS: 354 Go\n"
#define NEXT_IN  "MAIL FROM:<n@b>\r\n"
#define NEXT_LOG "MAIL <n@b>\nS: 250 2.1.0 Ok\n(mail)\n"
#define CR_TEXT  "S: 554 5.6.0 Message refused: CR without LF (RFC 5321 2.3.8)\n"
#define LF_TEXT  "S: 554 5.6.0 Message refused: LF without CR (RFC 5321 2.3.8)\n"
#define SEQ_TEXT "S: 503 5.5.1 BDAT out of order\n"

/* The body up to the fault is handed out, the rest is not, the message is refused at its true end,
 * and what a smuggler put behind the false one is no command. */
#define SMUGGLE(fault, body, error, text)                                                          \
	{                                                                                          \
		.name = "smuggling " #fault,                                                       \
		.in = MAIL_IN "DATA\r\nA: b\r\n\r\nx" fault "MAIL FROM:<evil@b>\r\n.\r\n" NEXT_IN, \
		.log = DATA_LOG "BODY A: b\\r\\n\\r\\nx" body "\nBODY_BAD " error                  \
				"\n" text NEXT_LOG,                                                \
	}

static const struct transcript transcripts[] = {
	SMUGGLE("\n.\n", "", "bare_lf", LF_TEXT),
	SMUGGLE("\n.\r\n", "", "bare_lf", LF_TEXT),
	SMUGGLE("\r.\r", "", "bare_cr", CR_TEXT),
	SMUGGLE("\r.\r\n", "", "bare_cr", CR_TEXT),
	SMUGGLE("\r.\n", "", "bare_cr", CR_TEXT),
	SMUGGLE("\r\n.\n", "\\r\\n", "bare_lf", LF_TEXT),
	SMUGGLE("\r\n.\r", "\\r\\n", "bare_cr", CR_TEXT),
	SMUGGLE("\r\n\n.\r\n", "\\r\\n", "bare_lf", LF_TEXT),
	SMUGGLE("\r\r\n.\n", "", "bare_cr", CR_TEXT),
	SMUGGLE("\r\n.\r\r\n", "\\r\\n", "bare_cr", CR_TEXT),
	{
		/* The first true end counts, however strange what comes before it is. */
		.name = "CR CRLF . CRLF is an end of a bad message",
		.in = MAIL_IN "DATA\r\nx\r\r\n.\r\n" NEXT_IN,
		.log = DATA_LOG "BODY x\nBODY_BAD bare_cr\n" CR_TEXT NEXT_LOG,
	},
	{
		.name = "NUL dot: not an end",
		.in = MAIL_IN "DATA\r\nx\r\n\001.\r\ny\r\n.\r\n",
		.log = DATA_LOG
		"BODY x\\r\\n\\x01.\\r\\ny\\r\\n\nBODY_END\nS: 250 2.0.0 Queued\n(ready)\n",
	},
	{
		.name = "empty message",
		.in = MAIL_IN "DATA\r\n.\r\n" NEXT_IN,
		.log = DATA_LOG "BODY_END\nS: 250 2.0.0 Queued\n" NEXT_LOG,
	},
	{
		.name = "dots stay stuffed",
		.in = MAIL_IN "DATA\r\n..\r\n.x\r\n...\r\na.b\r\n.\r\n",
		.log = DATA_LOG
		"BODY ..\\r\\n.x\\r\\n...\\r\\na.b\\r\\n\nBODY_END\nS: 250 2.0.0 Queued\n(ready)\n",
	},
	{
		.name = "commands behind the body are not lost",
		.in = MAIL_IN
		"DATA\r\nx\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n",
		.log = DATA_LOG
		"BODY x\\r\\n\nBODY_END\nS: 250 2.0.0 Queued\nMAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT "
		"<c@d>\n"
		"S: 250 2.1.5 Ok\nDATA\nS: 354 Go\nBODY y\\r\\n\nBODY_END\nS: 250 2.0.0 Queued\n"
		"S: 221 2.0.0 Bye\nQUIT\n(closed)\n",
	},
	{
		.name = "the owner rejects the body",
		.in = HELLO_IN
		"MAIL FROM:<drop@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\ny\r\n..\r\n.\r\n" NEXT_IN,
		.log = HELLO_LOG
		"MAIL <drop@b>\nS: 250 2.1.0 Ok\nRCPT <c@d>\nS: 250 2.1.5 Ok\nDATA\n"
		"S: 354 Go\nBODY_END\nS: 451 4.4.2 Dropped\n" NEXT_LOG,
	},
	{
		.name = "a loop",
		.options = {.max_received = 3},
		.in = MAIL_IN
		"DATA\r\nReceived: a\r\nreceived: b\r\nReceived: c\r\n\r\n.\r\n" NEXT_IN,
		.log = DATA_LOG
		"BODY Received: a\\r\\nreceived: b\\r\\nReceived\nBODY_BAD loop\n"
		"S: 554 5.4.6 Message refused: too many hops, a mail loop\n" NEXT_LOG,
	},
	{
		.name = "BDAT",
		.in = MAIL_IN "BDAT 5\r\nab\r\n.bdat 4 last\r\n\r\n.xQUIT\r\n",
		.log = MAIL_LOG
		"BDAT 5 first\nBODY ab\\r\\n.\nBDAT_END\nS: 250 2.0.0 Ok\nBDAT 4 last\n"
		"BODY \\r\\n.x\nBODY_END\nS: 250 2.0.0 Queued\nS: 221 2.0.0 Bye\nQUIT\n(closed)\n",
	},
	{
		.name = "BDAT: a chunk ends within CRLF",
		.in = MAIL_IN "BDAT 3\r\nab\rBDAT 2\r\n\ncBDAT 0 LAST\r\n" NEXT_IN,
		.log = MAIL_LOG
		"BDAT 3 first\nBODY ab\\r\nBDAT_END\nS: 250 2.0.0 Ok\nBDAT 2\nBODY \\nc\nBDAT_END\n"
		"S: 250 2.0.0 Ok\nBDAT 0 last\nBODY_END\nS: 250 2.0.0 Queued\n" NEXT_LOG,
	},
	{
		.name = "BDAT: a bare CR across chunks",
		.in = MAIL_IN "BDAT 3\r\nab\rBDAT 2\r\nc\nBDAT 1\r\nxBDAT 1 LAST\r\ny" NEXT_IN,
		.log = MAIL_LOG "BDAT 3 first\nBODY ab\\r\nBDAT_END\nS: 250 2.0.0 Ok\nBDAT 2\n"
				"BODY_BAD bare_cr\n" CR_TEXT SEQ_TEXT SEQ_TEXT NEXT_LOG,
	},
	{
		.name = "BDAT: a bare CR at the very end",
		.in = MAIL_IN "BDAT 3 LAST\r\nab\r" NEXT_IN,
		.log = MAIL_LOG "BDAT 3 first last\nBODY ab\nBODY_BAD bare_cr\n" CR_TEXT NEXT_LOG,
	},
	{
		.name = "BDAT: empty message in one empty chunk",
		.in = MAIL_IN "BDAT 0 LAST\r\n" NEXT_IN,
		.log = MAIL_LOG "BDAT 0 first last\nBODY_END\nS: 250 2.0.0 Queued\n" NEXT_LOG,
	},
	{
		.name = "BDAT: no dot ends it, commands in it are none",
		.in = MAIL_IN "BDAT 12 LAST\r\n\r\n.\r\nQUIT\r\nx" NEXT_IN,
		.log = MAIL_LOG "BDAT 12 first last\nBODY \\r\\n.\\r\\nQUIT\\r\\nx\nBODY_END\n"
				"S: 250 2.0.0 Queued\n" NEXT_LOG,
	},
	{
		.name = "BDAT: the owner refuses a chunk",
		.in = HELLO_IN "MAIL FROM:<chunkfail@b>\r\nRCPT TO:<c@d>\r\nBDAT 1\r\naBDAT "
			       "1\r\nbMAIL FROM:<x@y>\r\n"
			       "DATA\r\nRSET\r\nBDAT 2 LAST\r\nxy" NEXT_IN,
		.log = HELLO_LOG
		"MAIL <chunkfail@b>\nS: 250 2.1.0 Ok\nRCPT <c@d>\nS: 250 2.1.5 Ok\nBDAT 1 "
		"first\nBODY a\n"
		"BDAT_END\nS: 452 4.3.1 Full\n" SEQ_TEXT "S: 503 5.5.1 BDAT, or RSET first\n"
		"S: 503 5.5.1 BDAT, or RSET first\nS: 250 2.0.0 Ok\nRSET\n" SEQ_TEXT NEXT_LOG,
	},
	{
		.name = "BDAT: the owner rejects the body",
		.in = HELLO_IN "MAIL FROM:<drop@b>\r\nRCPT TO:<c@d>\r\nBDAT 2 LAST\r\n\n\n" NEXT_IN,
		.log = HELLO_LOG "MAIL <drop@b>\nS: 250 2.1.0 Ok\nRCPT <c@d>\nS: 250 2.1.5 Ok\n"
				 "BDAT 2 first last\nBODY_END\nS: 451 4.4.2 Dropped\n" NEXT_LOG,
	},
	{
		.name = "BDAT and DATA are not mixed, RCPT not after BDAT",
		.in = MAIL_IN "BDAT 1\r\nxDATA\r\nRCPT TO:<e@f>\r\nNOOP\r\nBDAT 0 LAST\r\n",
		.log = MAIL_LOG
		"BDAT 1 first\nBODY x\nBDAT_END\nS: 250 2.0.0 Ok\n"
		"S: 503 5.5.1 BDAT, or RSET first\nS: 503 5.5.1 BDAT, or RSET first\n"
		"S: 250 2.0.0 Ok\nBDAT 0 last\nBODY_END\nS: 250 2.0.0 Queued\n(ready)\n",
	},
	{
		.name = "BDAT out of order is swallowed",
		.in = HELLO_IN "BDAT 6\r\nQUIT\r\nMAIL FROM:<a@b>\r\nBDAT 0\r\nRCPT TO:<no@d>\r\n"
			       "BDAT 6 LAST\r\nQUIT\r\nRCPT TO:<c@d>\r\n",
		.log = HELLO_LOG SEQ_TEXT
		"MAIL <a@b>\nS: 250 2.1.0 Ok\n" SEQ_TEXT "RCPT <no@d>\n"
		"S: 550 5.1.1 No\nS: 503 5.5.1 No valid recipients\nRCPT <c@d>\n"
		"S: 250 2.1.5 Ok\n(rcpt)\n",
	},
	{
		.name = "BDAT: nobody knows where the chunk ends",
		.in = MAIL_IN "BDAT 18446744073709551616\r\nRSET\r\n",
		.log = MAIL_LOG "S: 421 4.5.4 Syntax: BDAT size [LAST]; closing\nEND\n(closed)\n",
	},
	{
		.name = "BDAT LASTING",
		.in = MAIL_IN "BDAT 1 LASTING\r\nRSET\r\n",
		.log = MAIL_LOG "S: 421 4.5.4 Syntax: BDAT size [LAST]; closing\nEND\n(closed)\n",
	},
	{
		.name = "BDAT: a bad chunk that is the last",
		.in = MAIL_IN "BDAT 4 LAST\r\na\nbc" NEXT_IN,
		.log = MAIL_LOG "BDAT 4 first last\nBODY a\nBODY_BAD bare_lf\n" LF_TEXT NEXT_LOG,
	},
	{
		.name = "a message in a second transaction starts afresh",
		.in = MAIL_IN
		"DATA\r\nx\ny\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ny\r\n.\r\n",
		.log = DATA_LOG
		"BODY x\nBODY_BAD bare_lf\n" LF_TEXT
		"MAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT <c@d>\nS: 250 2.1.5 Ok\nDATA\nS: 354 Go\n"
		"BODY y\\r\\n\nBODY_END\nS: 250 2.0.0 Queued\n(ready)\n",
	},
};

static void test_transcripts(void **state)
{
	for (size_t i = 0; i < sizeof(transcripts) / sizeof(transcripts[0]); i++)
		transcript_check(&transcripts[i]);
}

/* 998 octets pass, 999 do not. */
static void test_line(void **state)
{
	for (size_t text = 998; text <= 999; text++) {
		char in[2200], log[2200];
		size_t n = (size_t)sprintf(in, "%sDATA\r\n", MAIL_IN), l;

		memset(in + n, 'x', text);
		strcpy(in + n + text, "\r\n.\r\n" NEXT_IN);
		l = (size_t)sprintf(log, "%sBODY ", DATA_LOG);
		memset(log + l, 'x', 998);
		l += 998;
		if (text == 998)
			sprintf(log + l, "\\r\\n\nBODY_END\nS: 250 2.0.0 Queued\n%s", NEXT_LOG);
		else
			sprintf(log + l,
				"\nBODY_BAD line_too_long\nS: 554 5.6.0 Message refused: line over "
				"998 octets "
				"(RFC 5322 2.1.1)\n%s",
				NEXT_LOG);
		transcript_check(&(struct transcript){.name = "line", .in = in, .log = log});
	}
}

/* The limit counts the message, not its stuffing or its end. */
static void test_size(void **state)
{
	static const char sized[] =
		"S: 220 mx.example.org ESMTP\nEHLO c\nS: 250-mx.example.org\nS: 250-PIPELINING\n"
		"S: 250-SIZE %d\nS: 250-STARTTLS\nS: 250-ENHANCEDSTATUSCODES\nS: 250-8BITMIME\n"
		"S: 250-DSN\nS: 250-SMTPUTF8\nS: 250 CHUNKING\nMAIL <a@b>\nS: 250 2.1.0 Ok\nRCPT "
		"<c@d>\n"
		"S: 250 2.1.5 Ok\nDATA\nS: 354 Go\n";

	/* ".a" CRLF "1234" CRLF are ten octets. */
	for (int limit = 9; limit <= 10; limit++) {
		char log[2000];
		int n = sprintf(log, sized, limit);

		if (limit == 10)
			sprintf(log + n,
				"BODY ..a\\r\\n1234\\r\\n\nBODY_END\nS: 250 2.0.0 Queued\n%s",
				NEXT_LOG);
		else
			sprintf(log + n,
				"BODY ..a\\r\\n1234\nBODY_BAD too_big\nS: 552 5.3.4 Message "
				"refused: too big\n%s",
				NEXT_LOG);
		transcript_check(&(struct transcript){.name = "size",
			.options = {.size_limit = (uint64_t)limit},
			.in = MAIL_IN "DATA\r\n..a\r\n1234\r\n.\r\n" NEXT_IN,
			.log = log});
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
