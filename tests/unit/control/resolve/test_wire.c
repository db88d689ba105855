/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "control/resolve/wire.h"

/* A message in the making. */
struct msg {
	uint8_t b[4096];
	size_t len;
};

static void bytes(struct msg *m, const void *data, size_t len)
{
	memcpy(m->b + m->len, data, len);
	m->len += len;
}

static void n16(struct msg *m, unsigned int n)
{
	uint8_t b[2] = {(uint8_t)(n >> 8), (uint8_t)n};

	bytes(m, b, 2);
}

static void n32(struct msg *m, uint32_t n)
{
	n16(m, n >> 16);
	n16(m, n & 0xffff);
}

static void name(struct msg *m, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ".");
		uint8_t n = (uint8_t)len;

		bytes(m, &n, 1);
		bytes(m, text, len);
		text += len;
		text += *text == '.';
	}
	bytes(m, "", 1);
}

static void start(struct msg *m, unsigned int rcode, unsigned int answers, unsigned int authorities,
	const char *question)
{
	memset(m, 0, sizeof(*m));
	n16(m, 1);
	n16(m, 0x8180 | rcode);
	n16(m, 1);
	n16(m, answers);
	n16(m, authorities);
	n16(m, 0);
	name(m, question);
	n16(m, 1);
	n16(m, 1);
}

static void rr(struct msg *m, const char *owner, unsigned int type, uint32_t ttl, const void *rdata,
	size_t len)
{
	name(m, owner);
	n16(m, type);
	n16(m, 1);
	n32(m, ttl);
	n16(m, (unsigned int)len);
	bytes(m, rdata, len);
}

static void cname(struct msg *m, const char *owner, const char *target, uint32_t ttl)
{
	struct msg t = {.len = 0};

	name(&t, target);
	rr(m, owner, WIRE_CNAME, ttl, t.b, t.len);
}

static void test_records_and_ttl(void **state)
{
	struct wire_answer a;
	struct msg m;

	start(&m, 0, 3, 0, "mx.example");
	rr(&m, "MX.Example", WIRE_A, 300, "\x01\x02\x03\x04", 4);
	rr(&m, "mx.example", WIRE_A, 200, "\x01\x02\x03\x05", 4);
	rr(&m, "other.example", WIRE_A, 1, "\x01\x02\x03\x06", 4);
	assert_int_equal(wire_parse(m.b, m.len, "mx.example", WIRE_A, &a), 0);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.ttl, 200);
	assert_false(a.alias);
	assert_memory_equal(m.b + a.records[1].at, "\x01\x02\x03\x05", 4);
}

static void test_alias_chain(void **state)
{
	struct wire_answer a;
	struct msg m;

	/* Not in order, and with a stray that is not on the way. */
	start(&m, 0, 4, 0, "a.example");
	rr(&m, "c.example", WIRE_A, 300, "\x01\x02\x03\x04", 4);
	cname(&m, "b.example", "C.example", 60);
	cname(&m, "x.example", "c.example", 5);
	cname(&m, "a.example", "b.example", 100);
	assert_int_equal(wire_parse(m.b, m.len, "a.example", WIRE_A, &a), 0);
	assert_true(a.alias);
	assert_string_equal(a.owner, "c.example");
	assert_int_equal(a.count, 1);
	assert_int_equal(a.ttl, 60);
	/* Asked for the alias itself. */
	assert_int_equal(wire_parse(m.b, m.len, "a.example", WIRE_CNAME, &a), 0);
	assert_int_equal(a.count, 1);
	assert_false(a.alias);
}

static void test_alias_loop(void **state)
{
	struct wire_answer a;
	struct msg m;

	start(&m, 0, 2, 0, "a.example");
	cname(&m, "a.example", "b.example", 60);
	cname(&m, "b.example", "a.example", 60);
	assert_int_equal(wire_parse(m.b, m.len, "a.example", WIRE_A, &a), -ELOOP);
}

static void test_negative_ttl(void **state)
{
	struct wire_answer a;
	struct msg m, soa = {.len = 0};

	name(&soa, "ns.example");
	name(&soa, "root.example");
	for (int i = 0; i < 4; i++)
		n32(&soa, 7);
	n32(&soa, 900);
	start(&m, 3, 0, 1, "a.example");
	rr(&m, "example", WIRE_SOA, 3600, soa.b, soa.len);
	assert_int_equal(wire_parse(m.b, m.len, "a.example", WIRE_MX, &a), 0);
	assert_int_equal(a.count, 0);
	assert_int_equal(a.rcode, 3);
	assert_int_equal(a.ttl, 900);
	/* RFC 2308 5: without an SOA it is not to be kept. */
	start(&m, 0, 0, 0, "a.example");
	assert_int_equal(wire_parse(m.b, m.len, "a.example", WIRE_MX, &a), 0);
	assert_int_equal(a.ttl, 0);
}

static void test_mx_names(void **state)
{
	char target[NAME_MAX_TEXT];
	struct wire_answer a;
	struct msg m;

	start(&m, 0, 4, 0, "example");
	rr(&m, "example", WIRE_MX, 60, "\0\x0a\x02mx\xc0\x0c", 7); /* compressed */
	rr(&m, "example", WIRE_MX, 60, "\0\x0a\0", 3);             /* root */
	rr(&m, "example", WIRE_MX, 60, "\0\x0a\x03m.x\0", 7);      /* a dot inside a label */
	rr(&m, "example", WIRE_MX, 60, "\0\x0a\x02mx\0\0", 7);     /* octets behind it */
	assert_int_equal(wire_parse(m.b, m.len, "example", WIRE_MX, &a), 0);
	assert_int_equal(a.count, 4);
	assert_int_equal(wire_record_name(m.b, m.len, &a.records[0], 2, target), 0);
	assert_string_equal(target, "mx.example");
	assert_int_equal(wire_record_name(m.b, m.len, &a.records[1], 2, target), 0);
	assert_string_equal(target, "");
	assert_int_equal(wire_record_name(m.b, m.len, &a.records[2], 2, target), -EILSEQ);
	assert_int_equal(wire_record_name(m.b, m.len, &a.records[3], 2, target), -EBADMSG);
}

static void test_bad_names(void **state)
{
	static const uint8_t self_pointer[] = {0xc0, 0x00}, forward[] = {0xc0, 0x02, 0},
			     loop[] = {1, 'a', 0xc0, 0x00}, reserved[] = {0x80, 0},
			     cut[] = {5, 'a'};
	uint8_t label[256];
	char out[NAME_MAX_TEXT];
	size_t next;

	assert_int_equal(name_from_wire(self_pointer, 2, 0, out, &next), -EBADMSG);
	assert_int_equal(name_from_wire(forward, 3, 0, out, &next), -EBADMSG);
	assert_int_equal(name_from_wire(loop, 4, 0, out, &next), -EBADMSG);
	assert_int_equal(name_from_wire(reserved, 2, 0, out, &next), -EBADMSG);
	assert_int_equal(name_from_wire(cut, 2, 0, out, &next), -EBADMSG);
	memset(label, 'a', sizeof(label));
	for (size_t i = 0; i < 255; i += 64)
		label[i] = 63;
	label[255] = 0; /* 4 labels of 63: one octet more than a name may have */
	assert_int_equal(name_from_wire(label, 256, 0, out, &next), -EBADMSG);
}

/* Cut anywhere, flipped anywhere: an error or an answer inside the message. */
static void test_mangled(void **state)
{
	struct wire_answer a;
	struct msg m, n;

	start(&m, 0, 3, 0, "a.example");
	cname(&m, "a.example", "b.example", 60);
	rr(&m, "b.example", WIRE_MX, 300, "\0\x0a\x02mx\xc0\x0c", 7);
	rr(&m, "b.example", WIRE_MX, 300, "\0\x14\x03mx2\xc0\x0c", 8);
	for (size_t len = 0; len < m.len; len++) {
		memset(&n, 0xff, sizeof(n));
		memcpy(n.b, m.b, len);
		assert_true(wire_parse(n.b, len, "a.example", WIRE_MX, &a) < 0);
	}
	for (size_t i = 0; i < m.len * 8; i++) {
		n = m;
		n.b[i / 8] ^= (uint8_t)(1 << i % 8);
		if (wire_parse(n.b, n.len, "a.example", WIRE_MX, &a) == 0)
			for (size_t j = 0; j < a.count; j++)
				assert_true((size_t)a.records[j].at + a.records[j].len <= n.len);
	}
}

static void test_normalize(void **state)
{
	static const char *const bad[] = {"", ".", "a..b", ".a", "a b", "-a.example", "a-.example",
		"192.0.2.1", "[192.0.2.1]", "a@b",
		("b\xc3\xbc"
		 "cher.example"),
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"};
	char out[NAME_MAX_TEXT];

	assert_int_equal(name_normalize("Example.ORG.", out), 0);
	assert_string_equal(out, "example.org");
	assert_int_equal(name_normalize("_dmarc.xn--bcher-kva.example", out), 0);
	assert_int_equal(name_normalize("1.example", out), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(name_normalize(bad[i], out) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_and_ttl),
		cmocka_unit_test(test_alias_chain),
		cmocka_unit_test(test_alias_loop),
		cmocka_unit_test(test_negative_ttl),
		cmocka_unit_test(test_mx_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_mangled),
		cmocka_unit_test(test_normalize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
