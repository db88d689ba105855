/* SPDX-License-Identifier: BSD-3-Clause */
/* Client certificates: asked for by connection, judged after the handshake, also when resumed. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tls/fixture.h"

static struct world *world;
static struct tls_tickets *tickets;
static struct tls_context *server;
static struct tls_anchors *root_anchors;

static struct tls_anchors *anchors(const char *pem)
{
	struct tls_pem ca = pki_pem(pem, "ca.pem");
	struct tls_anchors *a = NULL;
	char err[256] = "";

	if (tls_anchors_create(world->lib, &ca, &a, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return a;
}

static int setup(void **state)
{
	struct tls_server_params params = {.keypair_count = 1};
	struct tls_keypair pair;
	char err[256] = "";

	world = world_create();
	pair = pki_keypair(world->rsa);
	params.keypairs = &pair;
	assert_int_equal(tls_tickets_create(&tickets), 0);
	params.tickets = tickets;
	if (tls_server_context_create(world->lib, &params, &server, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	root_anchors = anchors(world->root->pem);
	return 0;
}

static int teardown(void **state)
{
	tls_anchors_free(root_anchors);
	tls_context_free(server);
	tls_tickets_destroy(tickets);
	world_destroy(world);
	return 0;
}

/* A client that shows `cert` (NULL: none) with what else is in `chain` (NULL: nothing). */
static struct tls_context *client(const struct pki_cert *cert, const char *chain)
{
	struct tls_client_params params = {0};
	struct tls_context *ctx = NULL;
	char err[256] = "";

	if (cert != NULL) {
		params.keypair = pki_keypair(cert);
		if (chain != NULL)
			params.keypair.chain = pki_pem(chain, "chain.pem");
	}
	if (tls_client_context_create(world->lib2, &params, &ctx, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return ctx;
}

static void visit(struct pair *p, struct tls_context *ctx, bool ask, int version,
	const struct tls_session *resume)
{
	struct tls_connect_params params = {.keep_session = true, .resume = resume};

	pair_init(p, 0, 0);
	pair_open(p, server, ctx, &params);
	SSL_set_max_proto_version(p->client->ssl, version);
	if (ask)
		assert_int_equal(tls_request_certificate(p->server), 0);
	pair_expect_open(p);
}

static struct tls_session *ticket(struct pair *p)
{
	struct tls_session *session;
	size_t done;
	uint8_t b;

	tls_read(p->client, &b, 1, &done); /* in 1.3 it comes behind the handshake */
	session = tls_take_session(p->client);
	assert_non_null(session);
	return session;
}

/* NULL: accepted by the anchors; else what the refusal must say. */
static void judge(const struct pair *p, const struct tls_anchors *a, const char *expected)
{
	const char *why;
	bool ok = tls_verify_client(p->server, a, &why);

	if (expected == NULL && !ok)
		fail_msg("refused: %s", why);
	if (expected != NULL && (ok || strstr(why, expected) == NULL))
		fail_msg("%s instead of %s", ok ? "accepted" : why, expected);
}

static void check(
	const struct pki_cert *cert, const char *chain, const char *ca, const char *expected)
{
	struct tls_context *ctx = client(cert, chain);
	struct tls_anchors *a = anchors(ca);

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_info info;
		struct pair p;

		visit(&p, ctx, true, version, NULL);
		tls_get_info(p.server, &info);
		assert_int_equal(info.peer_certificate, cert != NULL);
		judge(&p, a, expected);
		judge(&p, a, expected); /* as often as there are transactions */
		pair_free(&p);
	}
	tls_anchors_free(a);
	tls_context_free(ctx);
}

static void test_chains(void **state)
{
	struct pki_cert *leaf = pki_make(
		&(struct pki_spec){.cn = "c", .san = "DNS:c.example", .issuer = world->root});
	struct pki_cert *self = pki_make(&(struct pki_spec){.cn = "self"});
	struct pki_cert *other = pki_make(&(struct pki_spec){.cn = "Other", .ca = true});
	struct pki_cert *expired = pki_make(&(struct pki_spec){
		.cn = "old", .issuer = world->root, .begin_s = -86400, .end_s = -3600});
	struct pki_cert *future = pki_make(&(struct pki_spec){
		.cn = "new", .issuer = world->root, .begin_s = 3600, .end_s = 86400});
	char *chain = pki_concat((const struct pki_cert *[]){world->ecdsa, world->inter}, 2);
	const char *root = world->root->pem;

	check(leaf, NULL, root, NULL);
	check(leaf, NULL, other->pem, "issuer certificate");
	check(expired, NULL, root, "expired");
	check(future, NULL, root, "not yet valid");
	check(self, NULL, root, "self-signed");
	check(self, NULL, self->pem, NULL);
	check(world->ecdsa, chain, root, NULL);
	check(world->ecdsa, NULL, root, "issuer certificate");
	check(world->ecdsa, NULL, world->inter->pem, NULL);
	check(NULL, NULL, root, "no certificate");
	free(chain);
	pki_free(leaf);
	pki_free(self);
	pki_free(other);
	pki_free(expired);
	pki_free(future);
}

static void test_purposes(void **state)
{
	static const struct {
		const char *eku, *expected;
	} cases[] = {
		{"clientAuth", NULL},
		{"serverAuth", NULL},
		{"clientAuth,serverAuth", NULL},
		{"emailProtection", "purpose"},
		{"codeSigning", "purpose"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pki_cert *leaf = pki_make(
			&(struct pki_spec){.cn = "c", .eku = cases[i].eku, .issuer = world->root});

		check(leaf, NULL, world->root->pem, cases[i].expected);
		pki_free(leaf);
	}
}

static void test_names(void **state)
{
	struct pki_cert *leaf = pki_make(&(struct pki_spec){.cn = "cn.example",
		.san = "DNS:mx.partner.example,DNS:out.other.example,IP:192.0.2.1",
		.issuer = world->root});
	struct tls_context *ctx = client(leaf, NULL), *none = client(NULL, NULL);
	struct pair p;

	visit(&p, ctx, true, TLS1_3_VERSION, NULL);
	assert_true(tls_client_has_name(p.server, "mx.partner.example"));
	assert_true(tls_client_has_name(p.server, "MX.Partner.Example"));
	assert_true(tls_client_has_name(p.server, "*.partner.example"));
	assert_true(tls_client_has_name(p.server, "*.example"));
	assert_true(tls_client_has_name(p.server, "out.other.example"));
	assert_false(tls_client_has_name(p.server, "partner.example"));
	assert_false(tls_client_has_name(p.server, "*.mx.partner.example"));
	assert_false(tls_client_has_name(p.server, "x.partner.example"));
	assert_false(tls_client_has_name(p.server, "artner.example"));
	assert_false(tls_client_has_name(p.server, "*.artner.example"));
	assert_false(tls_client_has_name(p.server, "cn.example")); /* RFC 9525 2 */
	assert_false(tls_client_has_name(p.server, ""));
	pair_free(&p);
	visit(&p, none, true, TLS1_3_VERSION, NULL);
	assert_false(tls_client_has_name(p.server, "mx.partner.example"));
	pair_free(&p);
	tls_context_free(ctx);
	tls_context_free(none);
	pki_free(leaf);
}

static void test_not_asked(void **state)
{
	struct pki_cert *leaf = pki_make(&(struct pki_spec){.cn = "c", .issuer = world->root});
	struct tls_context *ctx = client(leaf, NULL);
	struct pair p;

	visit(&p, ctx, false, TLS1_3_VERSION, NULL);
	judge(&p, root_anchors, "no certificate");
	pair_free(&p);
	tls_context_free(ctx);
	pki_free(leaf);
}

/* Resumes with what the visit before got, in both versions; whether it did. */
static bool resumes(struct tls_context *ctx, bool ask_first, bool ask_then, const char *expected)
{
	bool resumed[2];

	for (int i = 0; i < 2; i++) {
		struct tls_session *session;
		struct tls_info info;
		struct pair p;

		visit(&p, ctx, ask_first, TLS1_2_VERSION + i, NULL);
		session = ticket(&p);
		pair_free(&p);
		visit(&p, ctx, ask_then, TLS1_2_VERSION + i, session);
		tls_get_info(p.server, &info);
		resumed[i] = info.resumed;
		judge(&p, root_anchors, expected);
		tls_session_free(session);
		/* And once more by the ticket of the resumed one. */
		if (info.resumed && i == 1) {
			session = ticket(&p);
			pair_free(&p);
			visit(&p, ctx, ask_then, TLS1_3_VERSION, session);
			tls_get_info(p.server, &info);
			assert_true(info.resumed);
			judge(&p, root_anchors, expected);
			tls_session_free(session);
		}
		pair_free(&p);
	}
	assert_int_equal(resumed[0], resumed[1]);
	return resumed[0];
}

static void test_resumed(void **state)
{
	struct pki_cert *leaf = pki_make(&(struct pki_spec){.cn = "c", .issuer = world->root});
	struct pki_cert *self = pki_make(&(struct pki_spec){.cn = "self"});
	char *chain = pki_concat((const struct pki_cert *[]){world->ecdsa, world->inter}, 2);
	struct tls_context *direct = client(leaf, NULL), *none = client(NULL, NULL),
			   *deep = client(world->ecdsa, chain), *wrong = client(self, NULL);

	assert_true(resumes(direct, true, true, NULL));
	assert_true(resumes(none, true, true, "no certificate"));
	assert_true(resumes(none, false, false, "no certificate"));
	assert_true(resumes(wrong, true, true, "self-signed"));
	/* The ticket has no intermediates: a full handshake, so that the verdict stays. */
	assert_false(resumes(deep, true, true, NULL));
	/* What was not asked for then is asked for now. */
	assert_false(resumes(direct, false, true, NULL));
	assert_false(resumes(direct, true, false, "no certificate"));
	tls_context_free(direct);
	tls_context_free(none);
	tls_context_free(deep);
	tls_context_free(wrong);
	free(chain);
	pki_free(leaf);
	pki_free(self);
}

static void test_bad_anchors(void **state)
{
	struct tls_pem ca = pki_pem("no certificate here", "bad.pem");
	struct tls_anchors *a;
	char err[256] = "";

	assert_true(tls_anchors_create(world->lib, &ca, &a, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "bad.pem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_purposes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_not_asked),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_bad_anchors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
