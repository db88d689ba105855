/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificate and key files as operators mix them up: each message names the file and the fault. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>

#include "tests/unit/tls/fixture.h"

static struct world *world;

static int setup(void **state)
{
	world = world_create();
	return 0;
}

static int teardown(void **state)
{
	world_destroy(world);
	return 0;
}

static char *encrypted_key(EVP_PKEY *key, bool traditional)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;
	int ok;

	ok = traditional ? PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_128_cbc(),
				   (const unsigned char *)"secret", 6, NULL, NULL)
			 : PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(),
				   (const unsigned char *)"secret", 6, NULL, NULL);
	assert_int_equal(ok, 1);
	len = BIO_get_mem_data(bio, &data);
	text = malloc((size_t)len + 1);
	memcpy(text, data, (size_t)len);
	text[len] = '\0';
	BIO_free(bio);
	return text;
}

/* Both ways in, the check and the worker's context, say the same. */
static void check(const char *chain, const char *key, const char *file, const char *text)
{
	struct tls_keypair pair = {
		.chain = pki_pem(chain, "cert.pem"), .key = pki_pem(key, "key.pem")};
	struct tls_server_params params = {.keypairs = &pair, .keypair_count = 1};
	struct tls_context *ctx = NULL;
	char err[256] = "", err2[256] = "";
	time_t not_after;

	assert_int_equal(tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)), -EINVAL);
	assert_int_equal(
		tls_server_context_create(world->lib, &params, &ctx, err2, sizeof(err2)), -EINVAL);
	assert_null(ctx);
	assert_string_equal(err, err2);
	if (strncmp(err, file, strlen(file)) != 0 || strstr(err, text) == NULL)
		fail_msg("message: %s", err);
	if (strchr(err, '\n') != NULL || strstr(err, "MII") != NULL)
		fail_msg("contents in the message: %s", err);
}

static void test_messages(void **state)
{
	const struct pki_cert *leaf = world->ecdsa;
	struct pki_cert *weak = pki_make(&(struct pki_spec){.cn = "weak", .key = PKI_RSA_WEAK});
	char *encrypted = encrypted_key(leaf->key, false);
	char *traditional = encrypted_key(leaf->key, true);
	char *reversed = pki_concat((const struct pki_cert *[]){world->inter, leaf}, 2);
	char *damaged = strdup(leaf->pem), *damaged_key = strdup(leaf->key_pem);
	char *second_damaged;

	check("", leaf->key_pem, "cert.pem", "empty");
	check(leaf->pem, "", "key.pem", "empty");
	check("hello\n", leaf->key_pem, "cert.pem", "no PEM certificate");
	check(leaf->pem, "hello\n", "key.pem", "no PEM private key");
	/* The two swapped, and the certificate given twice. */
	check(leaf->key_pem, leaf->pem, "cert.pem", "no PEM certificate");
	check(leaf->pem, leaf->pem, "key.pem", "no PEM private key");
	check(leaf->pem, world->rsa->key_pem, "key.pem",
		"does not belong to the certificate in cert.pem");
	check(leaf->pem, world->inter->key_pem, "key.pem", "does not belong");
	check(reversed, leaf->key_pem, "cert.pem",
		"certificate 2 is the private key's; it must come first");
	check(leaf->pem, encrypted, "key.pem", "encrypted");
	check(leaf->pem, traditional, "key.pem", "encrypted");
	check(weak->pem, weak->key_pem, "cert.pem", "key too small");

	/* In the middle of the base64. */
	memcpy(damaged + strlen(damaged) / 2, "!!!!", 4);
	check(damaged, leaf->key_pem, "cert.pem", "certificate 1 is damaged");
	if (asprintf(&second_damaged, "%s%s", leaf->pem, damaged) < 0)
		fail();
	check(second_damaged, leaf->key_pem, "cert.pem", "certificate 2 is damaged");
	memcpy(damaged_key + strlen(damaged_key) / 2, "!!!!", 4);
	check(leaf->pem, damaged_key, "key.pem", "private key is damaged");
	/* Cut off: copied half. */
	damaged[strlen(damaged) / 2] = '\0';
	damaged_key[strlen(damaged_key) / 2] = '\0';
	check(damaged, leaf->key_pem, "cert.pem", "certificate");
	check(leaf->pem, damaged_key, "key.pem", "private key");

	free(encrypted);
	free(traditional);
	free(reversed);
	free(damaged);
	free(damaged_key);
	free(second_damaged);
	pki_free(weak);
}

/* Key material must not come out with the message, whichever octet of the key is damaged. */
static void test_no_key_in_messages(void **state)
{
	const struct pki_cert *leaf = world->ecdsa;
	size_t len = strlen(leaf->key_pem);

	for (size_t at = 0; at < len; at++) {
		struct tls_keypair pair = pki_keypair(leaf);
		char *key = strdup(leaf->key_pem), err[256] = "";
		time_t not_after;

		key[at] = '?';
		pair.key = pki_pem(key, "key.pem");
		if (tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)) != 0) {
			assert_memory_equal(err, "key.pem: ", 9);
			for (size_t i = 0; i + 8 < len; i++) {
				char piece[9];

				memcpy(piece, key + i, 8);
				piece[8] = '\0';
				/* Words of the armour may be named. */
				if (strpbrk(piece, " -\n") == NULL && strcmp(piece, "PRIVATE") != 0)
					assert_null(strstr(err, piece));
			}
		}
		free(key);
	}
}

static void test_validity(void **state)
{
	struct pki_cert *expired =
		pki_make(&(struct pki_spec){.cn = "old", .begin_s = -9000, .end_s = -100});
	struct pki_cert *future =
		pki_make(&(struct pki_spec){.cn = "new", .begin_s = 100, .end_s = 9000});
	struct tls_keypair pair = pki_keypair(world->ecdsa);
	char err[256] = "";
	time_t not_after = 0, now = time(NULL);

	assert_int_equal(tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)), 0);
	assert_in_range(not_after, now + 29 * 86400, now + 30 * 86400);
	pair = pki_keypair(expired);
	assert_int_equal(
		tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)), -EKEYEXPIRED);
	assert_string_equal(err, "cert.pem: certificate has expired");
	assert_in_range(not_after, now - 110, now - 90);
	pair = pki_keypair(future);
	assert_int_equal(
		tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)), -EKEYREJECTED);
	/* Out of date is still usable: an appliance does not stay down for it. */
	tls_context_free(world_server(world->lib, expired));
	pki_free(expired);
	pki_free(future);
}

/* Certificate and key in one file, with text around them, and CRLF line ends. */
static void test_accepted_forms(void **state)
{
	const struct pki_cert *leaf = world->ecdsa;
	struct tls_keypair pair;
	char *text, *crlf, *out, err[256] = "";
	time_t not_after;

	if (asprintf(&text, "Bag Attributes\n  friendlyName: mx\n%s\n%s%s\n", leaf->key_pem,
		    leaf->pem, world->inter->pem) < 0)
		fail();
	pair.chain = pair.key = pki_pem(text, "both.pem");
	if (tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	crlf = out = malloc(strlen(text) * 2 + 1);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n')
			*out++ = '\r';
		*out++ = *c;
	}
	*out = '\0';
	pair.chain = pair.key = pki_pem(crlf, "both.pem");
	if (tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	free(crlf);
	/* Only `len` octets are there to be read. */
	pair.chain = pki_pem(leaf->pem, "cert.pem");
	pair.key = (struct tls_pem){.data = text, .len = 10, .name = "key.pem"};
	assert_int_equal(tls_keypair_check(&pair, NULL, &not_after, err, sizeof(err)), -EINVAL);
	free(text);
}

static void test_two_pairs_of_one_type(void **state)
{
	struct tls_keypair pairs[2] = {pki_keypair(world->ecdsa), pki_keypair(world->inter)};
	struct tls_server_params params = {.keypairs = pairs, .keypair_count = 2};
	struct tls_context *ctx = NULL;
	char err[256] = "";

	assert_int_equal(
		tls_server_context_create(world->lib, &params, &ctx, err, sizeof(err)), -EEXIST);
	assert_non_null(strstr(err, "same type of key"));
	params.keypair_count = 0;
	assert_int_equal(
		tls_server_context_create(world->lib, &params, &ctx, err, sizeof(err)), -EINVAL);
	assert_null(ctx);
}

static void test_ca(void **state)
{
	char *both = pki_concat((const struct pki_cert *[]){world->root, world->inter}, 2);
	char *twice = pki_concat((const struct pki_cert *[]){world->root, world->root}, 2);
	struct tls_pem pem = pki_pem(both, "ca.pem");
	char err[256] = "";

	assert_int_equal(tls_ca_check(&pem, err, sizeof(err)), 0);
	pem = pki_pem(twice, "ca.pem");
	assert_int_equal(tls_ca_check(&pem, err, sizeof(err)), 0);
	pem = pki_pem("", "ca.pem");
	assert_int_equal(tls_ca_check(&pem, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "ca.pem: empty");
	pem = pki_pem(world->root->key_pem, "ca.pem");
	assert_int_equal(tls_ca_check(&pem, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "ca.pem: no PEM certificate in it");
	free(both);
	free(twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_no_key_in_messages),
		cmocka_unit_test(test_validity),
		cmocka_unit_test(test_accepted_forms),
		cmocka_unit_test(test_two_pairs_of_one_type),
		cmocka_unit_test(test_ca),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
