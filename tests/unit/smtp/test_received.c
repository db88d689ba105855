/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "smtp/received.h"

#define STR(s)                   \
	{                        \
		s, sizeof(s) - 1 \
	}

static void test_field(void **state)
{
	struct smtp_received r = {
		.helo = STR("client.example"),
		.client_addr = STR("2001:db8::2"),
		.by = STR("mx.example.org"),
		.esmtp = true,
		.tls_version = STR("TLSv1.3"),
		.tls_cipher = STR("TLS_AES_256_GCM_SHA384"),
		.tls_bits = 256,
		.tls_verify = STR("NO"),
		.id = STR("0001a2b3"),
		.rcpt = STR("\"a b\"@c"),
		.time_s = 1795707840,
	};
	char buf[SMTP_RECEIVED_MAX];
	int n = smtp_received_write(&r, buf, sizeof(buf));

	assert_true(n > 0);
	buf[n] = 0;
	assert_string_equal(buf, "Received: from client.example ([IPv6:2001:db8::2])\r\n"
				 "\tby mx.example.org with ESMTPS\r\n"
				 "\t(TLSv1.3 cipher TLS_AES_256_GCM_SHA384 bits 256 verify=NO)\r\n"
				 "\tid 0001a2b3\r\n"
				 "\tfor <\"a b\"@c>;\r\n"
				 "\tThu, 26 Nov 2026 15:44:00 +0000\r\n");
	for (int size = 0; size <= n; size++)
		assert_int_equal(
			smtp_received_write(&r, buf, (size_t)size), size < n ? -ENOBUFS : n);
}

static const char *field(const struct smtp_received *r)
{
	static char buf[SMTP_RECEIVED_MAX];
	int n = smtp_received_write(r, buf, sizeof(buf) - 1);

	assert_true(n > 0);
	buf[n] = 0;
	return buf;
}

static void test_protocols(void **state)
{
	struct smtp_received r = {
		.helo = STR("c"), .client_addr = STR("192.0.2.9"), .by = STR("m"), .id = STR("i")};

	assert_non_null(
		strstr(field(&r), "from c ([192.0.2.9])\r\n\tby m with SMTP\r\n\tid i;\r\n"));
	r.esmtp = true;
	assert_non_null(strstr(field(&r), " with ESMTP\r\n"));
	r.utf8 = true;
	assert_non_null(strstr(field(&r), " with UTF8SMTP\r\n"));
	r.tls_version = (struct smtp_str)STR("TLSv1.2");
	assert_non_null(strstr(field(&r), " with UTF8SMTPS\r\n"));
	r.utf8 = false;
	assert_non_null(strstr(field(&r), " with ESMTPS\r\n"));
}

/* What a client says of itself cannot add a line or leave its place; no line is over 998 octets. */
static void test_hostile(void **state)
{
	char helo[256];
	struct smtp_received r = {
		.helo = STR("a\r\nX: (b\\)<>\x01\xff;"),
		.client_addr = STR("192.0.2.9"),
		.by = STR("m"),
		.id = STR("i"),
		.rcpt = STR("\xc3\xa9@b"),
	};

	assert_non_null(strstr(field(&r), "Received: from a??X:??b??????? ([192.0.2.9])\r\n"));
	assert_null(strstr(field(&r), "for"));
	r.utf8 = true;
	assert_non_null(strstr(field(&r), "for <\xc3\xa9@b>"));
	memset(helo, 'h', sizeof(helo));
	r.helo = (struct smtp_str){helo, 255};
	r.by = r.rcpt = r.helo;
	for (const char *p = field(&r), *nl; *p; p = nl + 2) {
		nl = strstr(p, "\r\n");
		assert_non_null(nl);
		assert_true(nl - p <= 998);
	}
}

/* Against the C library, over the centuries. */
static void test_dates(void **state)
{
	char got[SMTP_DATE_SIZE], want[64];

	for (int64_t t = -62167219200; t <= 253402300799; t += 86399 * 97) {
		time_t tt = t;
		struct tm tm;

		gmtime_r(&tt, &tm);
		snprintf(want, sizeof(want), "%s, %d %s %04d %02d:%02d:%02d +0000",
			(const char *[]){
				"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}[tm.tm_wday],
			tm.tm_mday,
			(const char *[]){"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
				"Sep", "Oct", "Nov", "Dec"}[tm.tm_mon],
			tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_int_equal(smtp_date_write(t, got, sizeof(got)), strlen(want));
		assert_string_equal(got, want);
	}
	assert_int_equal(smtp_date_write(INT64_MAX, got, sizeof(got)), -EINVAL);
	assert_int_equal(smtp_date_write(INT64_MIN, got, sizeof(got)), -EINVAL);
	assert_int_equal(smtp_date_write(0, got, 10), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
