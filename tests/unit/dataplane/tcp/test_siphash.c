/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tcp/siphash.h"

/* Key 00..0f, input 00..len-1: the reference values of the authors' vectors (2-4). */
static void vectors_of_the_paper(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, UINT64_C(0x726fdb47dd0e0e31)},
		{1, UINT64_C(0x74f839c593dc67fd)},
		{7, UINT64_C(0xab0200f58b01d137)},
		{8, UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)},
	};
	uint8_t key[16], in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(siphash24(key, in, vectors[i].len) == vectors[i].hash);
}

static void every_bit_of_key_and_input_counts(void **state)
{
	uint8_t key[16] = {1, 2, 3}, in[36] = {4, 5, 6};
	uint64_t first = siphash13(key, in, sizeof(in));

	for (size_t i = 0; i < sizeof(in) * 8; i++) {
		in[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_true(siphash13(key, in, sizeof(in)) != first);
		in[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t i = 0; i < sizeof(key) * 8; i++) {
		key[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_true(siphash13(key, in, sizeof(in)) != first);
		key[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_true(siphash13(key, in, sizeof(in) - 1) != first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_paper),
		cmocka_unit_test(every_bit_of_key_and_input_counts),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
