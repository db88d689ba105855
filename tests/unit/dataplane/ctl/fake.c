// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/dataplane/ctl/fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <urcu-qsbr.h>

#include <rte_eal.h>

#include "tls/tls.h"

struct worker {
	struct tls_lib *tls;
	struct gateway_event_ring *events;
	uint64_t generation;
	struct worker_question *question;
};

static struct worker workers[FAKE_WORKERS];
static struct worker *pointers[FAKE_WORKERS];
struct worker_group fake_group;
bool fake_sessions_left;

const struct ctl_port fake_ports[2] = {
	{.name = "net_null0", .driver = "net_null", .mtu = 1500},
	{.name = "net_null1", .driver = "net_null", .mtu = 1500},
};

void fake_start(void)
{
	const char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "-m", "64",
		"--no-telemetry", "--log-level=error", "-l", "0"};

	assert_true(rte_eal_init(10, (char **)(uintptr_t)argv) >= 0);
	rcu_register_thread();
	for (int i = 0; i < FAKE_WORKERS; i++) {
		assert_int_equal(tls_lib_create(&workers[i].tls), 0);
		assert_int_equal(
			gateway_event_ring_create(FAKE_EVENT_RING, -1, &workers[i].events), 0);
		pointers[i] = &workers[i];
	}
	fake_group = (struct worker_group){.count = FAKE_WORKERS, .workers = pointers};
}

void fake_stop(void)
{
	for (int i = 0; i < FAKE_WORKERS; i++) {
		tls_lib_destroy(workers[i].tls);
		gateway_event_ring_destroy(workers[i].events);
	}
	rcu_unregister_thread();
	rte_eal_cleanup();
}

void fake_adopt(unsigned int worker)
{
	if (fake_group.generation != NULL)
		workers[worker].generation = fake_group.generation->number;
	else
		workers[worker].generation = 0;
}

bool fake_answer(unsigned int worker, uint32_t count, uint32_t next)
{
	struct worker_question *q = workers[worker].question;

	if (q == NULL)
		return false;
	assert_true(count <= q->max);
	q->count = count;
	for (uint32_t i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "w%u-%u", worker, q->cursor + i);
		if (q->kind == WORKER_ASK_SESSIONS) {
			memset(&q->sessions[i], 0, sizeof(q->sessions[i]));
			snprintf(q->sessions[i].helo, sizeof(q->sessions[i].helo), "%s\n", name);
			q->sessions[i].client_tls = true;
		} else if (q->kind == WORKER_ASK_NEXT_HOPS) {
			memset(&q->next_hops[i], 0, sizeof(q->next_hops[i]));
			snprintf(q->next_hops[i].name, sizeof(q->next_hops[i].name), "%s", name);
		} else {
			q->tcp[i] = (struct tcp_info){.state = "ESTABLISHED", .mss = 1448};
		}
	}
	q->cursor = next;
	workers[worker].question = NULL;
	atomic_store(&q->done, true);
	return true;
}

bool fake_event(unsigned int worker, enum gateway_event_kind kind, const char *text)
{
	struct gateway_event *e = gateway_event_reserve(workers[worker].events);

	if (e == NULL)
		return false;
	e->kind = (uint8_t)kind;
	e->worker = (uint8_t)worker;
	snprintf(e->text, sizeof(e->text), "%s", text);
	gateway_event_commit(workers[worker].events);
	return true;
}

/* --- worker.h --- */

struct tls_lib *worker_tls_lib(struct worker *w)
{
	return w->tls;
}

struct gateway_event_ring *worker_events(struct worker *w)
{
	return w->events;
}

uint64_t worker_generation(const struct worker *w)
{
	return w->generation;
}

void worker_get_stats(const struct worker *w, struct worker_stats *stats)
{
	*stats = (struct worker_stats){.lcore = 0, .loops = 77};
	stats->gateway.sessions = fake_sessions_left;
}

size_t worker_counter_count(void)
{
	return 1500; /* more than a page of names */
}

const char *worker_counter_name(size_t i)
{
	static char name[32];

	snprintf(name, sizeof(name), i == 3 ? "messages_delivered" : "counter_%zu", i);
	return name;
}

uint64_t worker_counter_value(const struct worker *w, size_t i)
{
	return i * 10 + (uint64_t)(w - workers);
}

int worker_ask(struct worker *w, struct worker_question *q)
{
	if (w->question != NULL)
		return -EBUSY;
	w->question = q;
	return 0;
}

void worker_realtime_refresh(struct worker_group *group)
{
	group->realtime_offset_ns++;
}

/* --- What a configuration needs --- */

static void pem_text(char *out, size_t size, BIO *bio)
{
	int n = BIO_read(bio, out, (int)size - 1);

	assert_true(n > 0);
	out[n] = '\0';
	BIO_free(bio);
}

const struct fake_cert *fake_cert(unsigned int n)
{
	static struct fake_cert certs[2];
	struct fake_cert *c = &certs[n];
	EVP_PKEY *key;
	X509_NAME *name;
	X509 *x;
	BIO *bio;

	if (c->key[0] != '\0')
		return c;
	key = EVP_EC_gen("P-256");
	x = X509_new();
	assert_non_null(key);
	assert_non_null(x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const uint8_t *)"mx.example.org", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	pem_text(c->chain, sizeof(c->chain), bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	pem_text(c->key, sizeof(c->key), bio);
	X509_free(x);
	EVP_PKEY_free(key);
	return c;
}

static struct ipc_addr parse(const char *text)
{
	struct ipc_addr a = {0};

	if (strchr(text, ':') != NULL) {
		assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
		return a;
	}
	a.b[10] = a.b[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, a.b + 12), 1);
	return a;
}

static struct ipc_prefix parse_prefix(const char *text)
{
	struct ipc_prefix p = {0};
	char copy[64], *slash;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	*slash = '\0';
	p.addr = parse(copy);
	p.plen = (uint8_t)(atoi(slash + 1) + (strchr(copy, ':') != NULL ? 0 : 96));
	return p;
}

#define HEAD(m, type)                                                   \
	do {                                                            \
		memset((m), 0, sizeof(*(m)));                           \
		ipc_header_init(&(m)->header, (type), sizeof(*(m)), 9); \
	} while (0)

void fake_begin(struct ipc_config_begin *m, uint64_t generation)
{
	uint32_t *seconds = (uint32_t *)&m->timeouts;

	HEAD(m, IPC_CONFIG_BEGIN);
	m->generation = generation;
	for (int i = 0; i < 13; i++)
		seconds[i] = 10 + (uint32_t)i;
	m->limits = (struct ipc_limits){100, 10, 50, 100, 0, 20, 0};
	ipc_string_set(m->hostname, sizeof(m->hostname), "mx.example.org");
}

void fake_interface(struct ipc_interface *m, uint16_t index, enum ipc_side side, const char *port)
{
	HEAD(m, IPC_INTERFACE);
	m->index = index;
	m->mtu = 1500;
	m->side = (uint8_t)side;
	snprintf(m->name, sizeof(m->name), "if%u", index);
	ipc_string_set(m->port, sizeof(m->port), port);
}

void fake_address(struct ipc_address *m, uint16_t interface, const char *prefix)
{
	HEAD(m, IPC_ADDRESS);
	m->interface = interface;
	m->address = parse_prefix(prefix);
}

void fake_route(struct ipc_route *m, uint16_t interface, const char *prefix, const char *via)
{
	HEAD(m, IPC_ROUTE);
	m->interface = interface;
	m->to = parse_prefix(prefix);
	m->via = parse(via);
}

void fake_listener(struct ipc_listener *m, enum ipc_side side, const char *address, uint16_t port,
	int certificate)
{
	HEAD(m, IPC_LISTENER);
	m->side = (uint8_t)side;
	m->port = port;
	if (address != NULL)
		m->address = parse(address);
	if (certificate >= 0) {
		m->starttls = 1;
		m->certificate_count = 1;
		m->certificates[0] = (uint16_t)certificate;
	}
}

void fake_next_hop(struct ipc_next_hop *m, const char *name, const char *address, uint16_t priority,
	enum ipc_level level, uint16_t ca)
{
	HEAD(m, IPC_NEXT_HOP);
	m->port = 25;
	m->priority = priority;
	m->level = (uint8_t)level;
	m->ca = ca;
	m->address = parse(address);
	ipc_string_set(m->name, sizeof(m->name), name);
}

void fake_certificate(struct ipc_certificate *m, uint16_t index, size_t chain, size_t key)
{
	HEAD(m, IPC_CERTIFICATE);
	m->index = index;
	m->chain_length = (uint32_t)chain;
	m->key_length = (uint32_t)key;
	snprintf(m->chain_name, sizeof(m->chain_name), "/etc/postgate/cert%u.pem", index);
	snprintf(m->key_name, sizeof(m->key_name), "/etc/postgate/key%u.pem", index);
}

void fake_ca(struct ipc_ca *m, uint16_t index, size_t len)
{
	HEAD(m, IPC_CA);
	m->index = index;
	m->length = (uint32_t)len;
	snprintf(m->name, sizeof(m->name), "/etc/postgate/ca%u.pem", index);
}

struct ipc_pem_chunk *fake_chunk(void *room, uint16_t index, enum ipc_pem_kind kind,
	uint32_t offset, const char *data, size_t len)
{
	struct ipc_pem_chunk *m = room;

	memset(m, 0, sizeof(*m));
	ipc_header_init(&m->header, IPC_PEM_CHUNK, sizeof(*m) + len, 9);
	m->index = index;
	m->kind = (uint8_t)kind;
	m->offset = offset;
	m->size = (uint32_t)len;
	memcpy(m->data, data, len);
	return m;
}
