/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "control/resolve/tlsa.h"

static uint8_t data[8][TLSA_DATA_MAX + 8];

static struct destination_tlsa rr(
	uint8_t usage, uint8_t selector, uint8_t matching, uint16_t len, int which)
{
	memset(data[which], 0x30 + which, sizeof(data[which]));
	data[which][0] = 0x30;
	return (struct destination_tlsa){usage, selector, matching, len, data[which]};
}

static bool usable(uint8_t usage, uint8_t selector, uint8_t matching, uint16_t len)
{
	struct destination_tlsa t = rr(usage, selector, matching, len, 0);

	return tlsa_is_usable(&t);
}

/* RFC 7672 3.1: only usages 2 and 3; everything that we cannot compute or that cannot match. */
static void test_usable(void **state)
{
	for (unsigned int usage = 0; usage < 256; usage++)
		for (unsigned int selector = 0; selector < 4; selector++)
			for (unsigned int matching = 0; matching < 5; matching++) {
				static const uint16_t lens[] = {0, 1, 20, 31, 32, 33, 64, 65, 300,
					TLSA_DATA_MAX, TLSA_DATA_MAX + 1};

				for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
					bool fits = matching == 0 ? lens[i] >= 2 &&
									    lens[i] <= TLSA_DATA_MAX
						    : matching == 1 ? lens[i] == 32
						    : matching == 2 ? lens[i] == 64
								    : false;
					bool want =
						(usage == 2 || usage == 3) && selector <= 1 && fits;

					assert_int_equal(usable((uint8_t)usage, (uint8_t)selector,
								 (uint8_t)matching, lens[i]),
						want);
				}
			}
}

static void test_full_data_must_be_der(void **state)
{
	struct destination_tlsa t = rr(3, 0, 0, 300, 0);

	assert_true(tlsa_is_usable(&t));
	data[0][0] = 0x2d; /* "-----BEGIN" */
	assert_false(tlsa_is_usable(&t));
}

static void test_select_drops_unusable(void **state)
{
	struct destination_tlsa r[] = {
		rr(0, 0, 1, 32, 0), rr(1, 1, 1, 32, 1), rr(3, 1, 7, 32, 2), rr(2, 1, 1, 31, 3)};

	assert_int_equal(tlsa_select(r, 4), 0);
}

/* RFC 7671 9: of each usage and selector the strongest digest only; full data stays. */
static void test_digest_agility(void **state)
{
	struct destination_tlsa r[] = {rr(3, 1, 1, 32, 0), rr(3, 1, 2, 64, 1), rr(3, 0, 1, 32, 2),
		rr(2, 1, 1, 32, 3), rr(3, 1, 0, 300, 4)};

	assert_int_equal(tlsa_select(r, 5), 4);
	for (size_t i = 0; i < 4; i++)
		assert_false(r[i].usage == 3 && r[i].selector == 1 && r[i].matching == 1);
	/* DANE-EE comes first. */
	assert_int_equal(r[0].usage, 3);
	assert_int_equal(r[3].usage, 2);
}

/* A SHA-512 record that is unusable must not push out the SHA-256 one. */
static void test_broken_stronger_digest(void **state)
{
	struct destination_tlsa r[] = {rr(3, 1, 1, 32, 0), rr(3, 1, 2, 63, 1)};

	assert_int_equal(tlsa_select(r, 2), 1);
	assert_int_equal(r[0].matching, 1);
}

static void test_doubles(void **state)
{
	struct destination_tlsa r[] = {rr(3, 1, 1, 32, 0), rr(3, 1, 1, 32, 1), rr(3, 1, 1, 32, 2)};

	memcpy(data[2], data[0], sizeof(data[0]));
	assert_int_equal(tlsa_select(r, 3), 2);
}

static void test_parse(void **state)
{
	static const uint8_t rdata[] = {3, 1, 1, 0xaa, 0xbb};
	struct destination_tlsa t;

	assert_int_equal(tlsa_parse(rdata, 5, &t), 0);
	assert_int_equal(t.len, 2);
	assert_int_equal(t.data[1], 0xbb);
	assert_int_equal(tlsa_parse(rdata, 3, &t), 0);
	assert_false(tlsa_is_usable(&t));
	assert_true(tlsa_parse(rdata, 2, &t) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_full_data_must_be_der),
		cmocka_unit_test(test_select_drops_unusable),
		cmocka_unit_test(test_digest_agility),
		cmocka_unit_test(test_broken_stronger_digest),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
