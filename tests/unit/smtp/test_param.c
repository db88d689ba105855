/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "smtp/param.h"

#define ALL 0xffffffffu

static const struct {
	const char *params;
	uint32_t ext;
	enum smtp_param_result want;
} mails[] = {
	{"", 0, SMTP_PARAM_OK},
	{"SIZE=0", ALL, SMTP_PARAM_OK},
	{"size=18446744073709551615", ALL, SMTP_PARAM_OK},
	{"SIZE=18446744073709551616", ALL, SMTP_PARAM_SYNTAX},
	{"SIZE=000000000000000000001", ALL, SMTP_PARAM_SYNTAX},
	{"SIZE", ALL, SMTP_PARAM_SYNTAX},
	{"SIZE=", ALL, SMTP_PARAM_SYNTAX},
	{"SIZE=-1", ALL, SMTP_PARAM_SYNTAX},
	{"SIZE=1", ALL & ~SMTP_EXT_SIZE, SMTP_PARAM_UNKNOWN},
	{"SIZE=1 SIZE=1", ALL, SMTP_PARAM_SYNTAX},
	{"BODY=7bit", ALL, SMTP_PARAM_OK},
	{"BODY=8BITMIME", SMTP_EXT_8BITMIME, SMTP_PARAM_OK},
	{"BODY=8BITMIME", SMTP_EXT_SIZE, SMTP_PARAM_UNKNOWN},
	{"BODY=BINARYMIME", ALL, SMTP_PARAM_UNKNOWN},
	{"BODY", ALL, SMTP_PARAM_SYNTAX},
	{"SMTPUTF8", ALL, SMTP_PARAM_OK},
	{"SMTPUTF8=", ALL, SMTP_PARAM_SYNTAX},
	{"REQUIRETLS", ALL, SMTP_PARAM_OK},
	{"REQUIRETLS=1", ALL, SMTP_PARAM_SYNTAX},
	{"RET=FULL ENVID=a+2Bb", ALL, SMTP_PARAM_OK},
	{"RET=HALF", ALL, SMTP_PARAM_SYNTAX},
	{"RET", ALL, SMTP_PARAM_SYNTAX},
	{"ENVID=", ALL, SMTP_PARAM_SYNTAX},
	{"ENVID=a+2bb", ALL, SMTP_PARAM_SYNTAX},
	{"ENVID=a+", ALL, SMTP_PARAM_SYNTAX},
	{"ENVID=a=b", ALL, SMTP_PARAM_SYNTAX},
	{"NOTIFY=NEVER", ALL, SMTP_PARAM_UNKNOWN},
	{"AUTH=<>", ALL, SMTP_PARAM_UNKNOWN},
	{"=", ALL, SMTP_PARAM_UNKNOWN},
	{"SIZE=1   RET=FULL  ", ALL, SMTP_PARAM_OK},
};

static const struct {
	const char *params;
	bool utf8;
	enum smtp_param_result want;
} rcpts[] = {
	{"NOTIFY=NEVER", false, SMTP_PARAM_OK},
	{"notify=success,failure,delay", false, SMTP_PARAM_OK},
	{"NOTIFY=NEVER,DELAY", false, SMTP_PARAM_SYNTAX},
	{"NOTIFY=", false, SMTP_PARAM_SYNTAX},
	{"NOTIFY", false, SMTP_PARAM_SYNTAX},
	{"NOTIFY=DELAY,", false, SMTP_PARAM_SYNTAX},
	{"NOTIFY=,DELAY", false, SMTP_PARAM_SYNTAX},
	{"ORCPT=rfc822;a@b", false, SMTP_PARAM_OK},
	{"ORCPT=rfc822;", false, SMTP_PARAM_SYNTAX},
	{"ORCPT=;a@b", false, SMTP_PARAM_SYNTAX},
	{"ORCPT=a@b", false, SMTP_PARAM_SYNTAX},
	{"ORCPT=rfc822;\xc3\xa9@b", false, SMTP_PARAM_SYNTAX},
	{"ORCPT=rfc822;\xc3\xa9@b", true, SMTP_PARAM_OK},
	{"ORCPT=utf-8;\\x{E9}@b", false, SMTP_PARAM_OK},
	{"SIZE=1", false, SMTP_PARAM_UNKNOWN},
};

static void test_mail(void **state)
{
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		struct smtp_mail m = {.params = {mails[i].params, strlen(mails[i].params)}};

		if (smtp_param_parse_mail(&m, mails[i].ext) != mails[i].want)
			fail_msg("%s", mails[i].params);
	}
}

static void test_rcpt(void **state)
{
	for (size_t i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++) {
		struct smtp_rcpt r = {.params = {rcpts[i].params, strlen(rcpts[i].params)}};

		if (smtp_param_parse_rcpt(&r, ALL, rcpts[i].utf8) != rcpts[i].want)
			fail_msg("%s", rcpts[i].params);
	}
}

static void test_values(void **state)
{
	static const char in[] = "BODY=8bitmime SIZE=12345 SMTPUTF8 REQUIRETLS";
	struct smtp_mail m = {.params = {in, sizeof(in) - 1}};

	assert_int_equal(smtp_param_parse_mail(&m, ALL), SMTP_PARAM_OK);
	assert_int_equal(m.size, 12345);
	assert_true(m.body_8bit && m.smtputf8 && m.requiretls);
}

static void test_long(void **state)
{
	char in[600] = "ENVID=";
	struct smtp_mail m = {.params = {in, 106}};
	struct smtp_rcpt r = {.params = {in, 506}};

	memset(in + 6, 'x', 590);
	assert_int_equal(smtp_param_parse_mail(&m, ALL), SMTP_PARAM_OK);
	m.params.len++;
	assert_int_equal(smtp_param_parse_mail(&m, ALL), SMTP_PARAM_SYNTAX);
	memcpy(in, "ORCPT=a;", 8);
	assert_int_equal(smtp_param_parse_rcpt(&r, ALL, false), SMTP_PARAM_OK);
	r.params.len++;
	assert_int_equal(smtp_param_parse_rcpt(&r, ALL, false), SMTP_PARAM_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
