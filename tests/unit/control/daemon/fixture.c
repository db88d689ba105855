/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/control/daemon/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

char fixture_dir[64];

const char fixture_config[] = "hostname: mx.example.net\n" /* 1 */
			      "interfaces:\n"
			      "  - name: out\n"
			      "    port: net_tap0\n"
			      "    side: outside\n" /* 5 */
			      "    addresses: [198.51.100.1/24, \"2001:db8:1::1/64\"]\n"
			      "  - name: in\n"
			      "    port: net_tap1\n"
			      "    side: inside\n"
			      "    vlan: 7\n" /* 10 */
			      "    addresses: [192.0.2.1/24]\n"
			      "routes:\n"
			      "  - {side: outside, to: default, via: 198.51.100.254}\n"
			      "  - {side: inside, to: 10.0.0.0/8, via: 192.0.2.254}\n"
			      "certificates:\n" /* 15 */
			      "  - name: main\n"
			      "    chain: @/chain.pem\n"
			      "    key: @/key.pem\n"
			      "listeners:\n"
			      "  - side: outside\n" /* 20 */
			      "    port: 25\n"
			      "    certificates: [main]\n"
			      "    keepalive: 90s\n"
			      "next-hops:\n"
			      "  - name: b.example.net\n" /* 25 */
			      "    address: 192.0.2.3\n"
			      "    priority: 20\n"
			      "  - name: a.example.net\n"
			      "    address: 10.1.2.3\n"
			      "    level: verify\n" /* 30 */
			      "    ca: @/ca.pem\n"
			      "timeouts:\n"
			      "  command: 5m\n"
			      "limits:\n"
			      "  max-message-size: 50M\n" /* 35 */
			      "log:\n"
			      "  to: stderr\n";

char *fixture_expand(const char *text)
{
	char *out = malloc(strlen(text) * 8 + 64), *w = out;

	for (const char *r = text; *r != '\0'; r++)
		w += *r == '@' ? sprintf(w, "%s", fixture_dir) : sprintf(w, "%c", *r);
	*w = '\0';
	return out;
}

static const char *const files[] = {"chain.pem", "expired.pem", "future.pem", "soon.pem", "ca.pem",
	"key.pem", "open.pem", "other.pem", "text.pem", "long.pem"};

static FILE *create(const char *name, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fixture_dir, name);
	f = fopen(path, "w");
	if (f == NULL || fchmod(fileno(f), mode) < 0)
		abort();
	return f;
}

static void put_key(const char *name, mode_t mode, EVP_PKEY *key)
{
	FILE *f = create(name, mode);

	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static void put_cert(const char *name, X509 *cert, int comment)
{
	FILE *f = create(name, 0644);

	for (int i = 0; i < comment; i += 70)
		fprintf(f, "%069d\n", i);
	PEM_write_X509(f, cert);
	fclose(f);
}

static void put_dated(const char *name, X509 *cert, EVP_PKEY *key, long begin, long end)
{
	X509_gmtime_adj(X509_getm_notBefore(cert), begin);
	X509_gmtime_adj(X509_getm_notAfter(cert), end);
	X509_sign(cert, key, EVP_sha256());
	put_cert(name, cert, 0);
}

void fixture_create(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	FILE *f;

	strcpy(fixture_dir, "/tmp/postgate-test.XXXXXX");
	if (mkdtemp(fixture_dir) == NULL)
		abort();
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 30 * 86400);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"mx.example.net", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	put_cert("chain.pem", cert, 0);
	put_cert("ca.pem", cert, 0);
	put_cert("long.pem", cert, 70000);
	put_dated("expired.pem", cert, key, -86400, -3600);
	put_dated("future.pem", cert, key, 3600, 30 * 86400);
	put_dated("soon.pem", cert, key, -86400, 10 * 86400);
	put_key("key.pem", 0600, key);
	put_key("open.pem", 0644, key);
	put_key("other.pem", 0600, other);
	f = create("text.pem", 0600);
	fputs("no PEM at all\n", f);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

void fixture_remove(void)
{
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", fixture_dir, files[i]);
		unlink(path);
	}
	rmdir(fixture_dir);
}
