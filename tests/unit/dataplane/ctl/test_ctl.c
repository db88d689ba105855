// SPDX-License-Identifier: BSD-3-Clause
/* The control thread over its real socket, with workers that do what the test says. */
#include "tests/unit/dataplane/ctl/fake.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/ipc/event.h"
#include "control/ipc/policy.h"
#include "control/ipc/query.h"
#include "dataplane/ctl/ctl.h"

static char path[64];
static struct ctl *ctl;
static uint32_t next_id = 100;
static _Alignas(8) uint8_t in[IPC_MESSAGE_MAX], out[IPC_MESSAGE_MAX];

static struct ctl_params params(void)
{
	return (struct ctl_params){.socket_path = path,
		.socket_mode = 0660,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.version = "test",
		.group = &fake_group,
		.ports = fake_ports,
		.port_count = 2,
		.drain_timeout_ms = 60000};
}

static int open_ctl(void **state)
{
	const struct ctl_params p = params();
	char err[CTL_ERROR_SIZE];

	fake_group.stop = fake_group.drain = false;
	for (unsigned int w = 0; w < FAKE_WORKERS; w++)
		fake_adopt(w);
	return ctl_create(&p, &ctl, err);
}

static int close_ctl(void **state)
{
	ctl_destroy(ctl);
	assert_null(fake_group.generation);
	return 0;
}

static void turns(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(ctl_turn(ctl, 0), 0);
}

static int dial(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	strcpy(sun.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void put(int fd, const void *m, size_t len)
{
	assert_int_equal(send(fd, m, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Any message, under a new id, which is returned. */
static uint32_t tell(int fd, void *m)
{
	struct ipc_header *h = m;

	h->id = ++next_id;
	put(fd, m, h->length);
	return h->id;
}

/* The next message, letting the control thread work meanwhile; NULL: none within `ms`. */
static const struct ipc_header *get_within(int fd, unsigned int ms)
{
	for (unsigned int i = 0; i <= ms * 2; i++) {
		ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
		const char *why;

		if (n == 0)
			return NULL;
		if (n > 0) {
			if (ipc_check(in, (size_t)n, IPC_TO_CLIENT, &why) < 0)
				fail_msg("bad message: %s", why);
			return (const struct ipc_header *)in;
		}
		turns(1);
		if (i > 20)
			usleep(500);
	}
	return NULL;
}

static const void *get(int fd, uint16_t type, uint32_t id)
{
	const struct ipc_header *h = get_within(fd, 3000);

	assert_non_null(h);
	if (h->type != type && h->type == IPC_RESULT)
		print_message("result: %s\n", ((const struct ipc_result *)h)->text);
	assert_int_equal(h->type, type);
	assert_int_equal(h->id, id);
	return h;
}

static void result(int fd, uint32_t id, int error, const char *text)
{
	const struct ipc_result *r = get(fd, IPC_RESULT, id);

	if (text != NULL)
		assert_string_equal(r->text, text);
	assert_int_equal(r->error, error);
}

#define REQUEST(m, type)                                            \
	do {                                                        \
		memset(&(m), 0, sizeof(m));                         \
		ipc_header_init(&(m).header, (type), sizeof(m), 1); \
	} while (0)

static int client(void)
{
	const struct ipc_hello_reply *r;
	struct ipc_hello m;
	int fd = dial();

	REQUEST(m, IPC_HELLO);
	ipc_string_set(m.version, sizeof(m.version), "test");
	r = get(fd, IPC_HELLO | IPC_REPLY, tell(fd, &m));
	assert_int_equal(r->worker_count, FAKE_WORKERS);
	assert_int_equal(r->port_count, 2);
	assert_string_equal(r->ports[1].name, "net_null1");
	assert_string_equal(r->ports[1].driver, "net_null");
	return fd;
}

/* --- Transactions --- */

static void begin_config(int fd, uint64_t number, int error)
{
	struct ipc_config_begin m;

	fake_begin(&m, number);
	result(fd, tell(fd, &m), error, NULL);
}

static void begin_policy(int fd, uint64_t number, int error)
{
	struct ipc_policy_begin m;

	REQUEST(m, IPC_POLICY_BEGIN);
	m.generation = number;
	result(fd, tell(fd, &m), error, NULL);
}

static uint32_t commit(int fd, uint64_t number)
{
	struct ipc_commit m;

	REQUEST(m, IPC_COMMIT);
	m.generation = number;
	return tell(fd, &m);
}

static void adopt_all(void)
{
	for (unsigned int w = 0; w < FAKE_WORKERS; w++)
		fake_adopt(w);
}

/* COMMIT until its answer, the workers taking what comes. */
static void committed(int fd, uint64_t number)
{
	uint32_t id = commit(fd, number);

	for (int i = 0; i < 20; i++) {
		turns(1);
		adopt_all();
	}
	result(fd, id, 0, "");
	assert_int_equal(fake_group.generation->number, number);
}

static void pem(int fd, uint16_t i, enum ipc_pem_kind kind, const char *text)
{
	size_t len = strlen(text), at = 0;

	while (at < len) {
		size_t n = len - at > 100 ? 100 : len - at;

		tell(fd, fake_chunk(out, i, kind, (uint32_t)at, text + at, n));
		at += n;
	}
}

static void items(int fd, const char *port)
{
	struct ipc_interface i;
	struct ipc_address a;
	struct ipc_certificate cert;
	struct ipc_listener l;
	struct ipc_next_hop h;

	fake_interface(&i, 0, IPC_OUTSIDE, port);
	tell(fd, &i);
	fake_address(&a, 0, "198.51.100.1/24");
	tell(fd, &a);
	fake_interface(&i, 1, IPC_INSIDE, "net_null1");
	tell(fd, &i);
	fake_address(&a, 1, "192.0.2.1/24");
	tell(fd, &a);
	fake_certificate(&cert, 0, strlen(fake_cert(0)->chain), strlen(fake_cert(0)->key));
	tell(fd, &cert);
	pem(fd, 0, IPC_PEM_CHAIN, fake_cert(0)->chain);
	pem(fd, 0, IPC_PEM_KEY, fake_cert(0)->key);
	fake_listener(&l, IPC_OUTSIDE, NULL, 25, 0);
	tell(fd, &l);
	fake_next_hop(&h, "mx", "192.0.2.2", 1, IPC_LEVEL_MAY, IPC_NO_CA);
	tell(fd, &h);
}

static void partner(int fd, uint32_t id, const char *name, const char *domain, uint32_t announced)
{
	struct ipc_partner_set m;
	struct ipc_partner_domains *d = (struct ipc_partner_domains *)out;

	REQUEST(m, IPC_PARTNER_SET);
	m.id = id;
	m.inbound = IPC_LEVEL_ENCRYPT;
	m.domain_count = announced;
	ipc_string_set(m.name, sizeof(m.name), name);
	tell(fd, &m);
	memset(d, 0, sizeof(*d));
	d->id = id;
	assert_int_equal(ipc_partner_domains_add(d, domain, strlen(domain)), 0);
	ipc_header_init(&d->header, IPC_PARTNER_DOMAINS, sizeof(*d) + d->size, 1);
	tell(fd, d);
}

static uint32_t whose(const char *domain)
{
	struct ip_addr a = {.b = {1}};
	struct policy_verdict v;

	policy_inbound(fake_group.generation->policy, domain, strlen(domain), &a, 1000, &v);
	assert_int_equal(v.generation, fake_group.generation->number);
	return v.partner_id;
}

static void test_hello(void **state)
{
	struct ipc_status m;
	int fd = dial();
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	REQUEST(m, IPC_STATUS);
	result(fd, tell(fd, &m), EPROTO, "HELLO comes first");
	assert_null(get_within(fd, 20));
	assert_int_equal(recv(fd, in, sizeof(in), 0), 0); /* closed */
	close(fd);

	fd = client();
	m.header.version++;
	put(fd, &m, sizeof(m));
	result(fd, 0, EPROTO, "bad message: other protocol version");
	assert_null(get_within(fd, 20));
	assert_int_equal(recv(fd, in, sizeof(in), 0), 0);
	close(fd);
}

static void test_socket_in_use(void **state)
{
	const struct ctl_params p = params();
	char err[CTL_ERROR_SIZE];
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct ctl *other;
	char stale[80];
	int fd;

	assert_int_equal(ctl_create(&p, &other, err), -EADDRINUSE);
	assert_non_null(strstr(err, "in use, a postgate-dataplane is running already"));
	assert_int_equal(access(path, F_OK), 0); /* and is not hurt by the attempt */

	/* One that nobody listens on any more is replaced. */
	struct ctl_params q = p;
	snprintf(stale, sizeof(stale), "%s.stale", path);
	q.socket_path = stale;
	strcpy(sun.sun_path, stale);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	assert_int_equal(ctl_create(&q, &other, err), 0);
	ctl_destroy(other);
	assert_int_equal(access(stale, F_OK), -1);
	q.socket_path = "/nonexistent/directory/socket";
	assert_int_equal(ctl_create(&q, &other, err), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/directory/socket"));
}

static void test_commit(void **state)
{
	int fd = client();
	uint32_t id;

	begin_policy(fd, 1, ENOENT); /* nothing to add to yet */
	begin_config(fd, 3, 0);
	items(fd, "net_null0");
	partner(fd, 1, "one", "one.example", 1);
	turns(20);
	assert_null(fake_group.generation);
	id = commit(fd, 3);
	turns(40);
	assert_non_null(fake_group.generation);
	assert_int_equal(fake_group.generation->number, 3);
	assert_int_equal(whose("one.example"), 1);
	/* No answer before the last worker has it. */
	assert_null(get_within(fd, 5));
	fake_adopt(0);
	assert_null(get_within(fd, 5));
	fake_adopt(1);
	result(fd, id, 0, "");

	/* Not below or at what is committed; nothing is open now. */
	begin_config(fd, 3, EINVAL);
	begin_policy(fd, 2, EINVAL);
	result(fd, commit(fd, 3), ENOENT, NULL);

	/* Partners only: the configuration is the same object under another number. */
	const struct gateway_listener *before = fake_group.generation->listeners;
	begin_policy(fd, 4, 0);
	partner(fd, 2, "two", "two.example", 1);
	committed(fd, 4);
	assert_ptr_equal(fake_group.generation->listeners, before);
	assert_int_equal(whose("one.example"), 1);
	assert_int_equal(whose("two.example"), 2);

	/* A configuration without partners leaves them. */
	begin_config(fd, 5, 0);
	items(fd, "net_null0");
	committed(fd, 5);
	assert_int_equal(whose("two.example"), 2);

	/* A reset drops whom it does not name. */
	struct ipc_partner_reset r;
	begin_policy(fd, 6, 0);
	REQUEST(r, IPC_PARTNER_RESET);
	tell(fd, &r);
	partner(fd, 2, "two", "two.example", 1);
	committed(fd, 6);
	assert_int_equal(whose("one.example"), 0);
	assert_int_equal(whose("two.example"), 2);
	close(fd);
}

/* Nothing of a refused transaction is in force, and the next one is free of it. */
static void test_refused(void **state)
{
	int fd = client();
	struct ipc_abort a;

	begin_config(fd, 1, 0);
	items(fd, "net_null0");
	partner(fd, 1, "one", "one.example", 1);
	committed(fd, 1);

	begin_config(fd, 2, 0);
	items(fd, "net_tap9");
	partner(fd, 1, "one", "other.example", 1);
	result(fd, commit(fd, 2), ENODEV,
		"interface if0: no port net_tap9 (there are: net_null0, net_null1)");
	assert_int_equal(fake_group.generation->number, 1);
	assert_int_equal(whose("one.example"), 1);
	assert_int_equal(whose("other.example"), 0);

	begin_policy(fd, 2, 0);
	partner(fd, 2, "two", "one.example", 1);
	result(fd, commit(fd, 2), EEXIST, "domain one.example belongs to both one and two");
	assert_int_equal(whose("one.example"), 1);

	begin_policy(fd, 2, 0);
	partner(fd, 2, "two", "two.example", 3);
	result(fd, commit(fd, 2), EINVAL, "partner 2: 2 domains and 0 prefixes are missing");
	begin_policy(fd, 2, 0);
	partner(fd, 2, "two", "two.example", 0);
	result(fd, commit(fd, 2), EINVAL, "partner 2: domains that were not announced");

	/* Items of a configuration have no place here; the first error is the one that is told. */
	begin_policy(fd, 2, 0);
	items(fd, "net_null0");
	partner(fd, 2, "two", "two.example", 3);
	result(fd, commit(fd, 2), EINVAL, "interface has no place in a policy transaction");
	begin_policy(fd, 2, 0);
	result(fd, commit(fd, 9), EINVAL, "COMMIT of another generation");

	begin_policy(fd, 2, 0);
	partner(fd, 2, "two", "two.example", 1);
	REQUEST(a, IPC_ABORT);
	result(fd, tell(fd, &a), 0, NULL);
	result(fd, tell(fd, &a), ENOENT, NULL);
	begin_policy(fd, 2, 0);
	committed(fd, 2);
	assert_int_equal(whose("two.example"), 0);
	assert_int_equal(whose("one.example"), 1);
	close(fd);
}

static void test_two_clients(void **state)
{
	int one = client(), two = client();

	begin_config(one, 1, 0);
	begin_config(two, 1, EBUSY);
	items(one, "net_null0");
	result(two, commit(two, 1), ENOENT, NULL);
	/* The one that began goes away before COMMIT: all of it is dropped, the other may begin. */
	turns(20);
	close(one);
	turns(2);
	begin_config(two, 1, 0);
	items(two, "net_null0");
	/* ... and after COMMIT: it is carried out. */
	commit(two, 1);
	turns(2);
	close(two);
	turns(40);
	adopt_all();
	turns(40);
	assert_int_equal(fake_group.generation->number, 1);
	one = client();
	begin_policy(one, 2, 0);
	committed(one, 2);
	close(one);
}

/* --- Questions --- */

static void test_queries(void **state)
{
	const struct ipc_workers_reply *w;
	const struct ipc_counter_names_reply *n;
	const struct ipc_counter_values_reply *v;
	struct ipc_counter_values values;
	struct ipc_counter_names names;
	struct ipc_workers workers;
	struct ipc_status status;
	const struct ipc_status_reply *s;
	int fd = client();
	uint32_t seen = 0;

	REQUEST(workers, IPC_WORKERS);
	w = get(fd, IPC_WORKERS | IPC_REPLY, tell(fd, &workers));
	assert_int_equal(w->count, FAKE_WORKERS);
	assert_int_equal(w->workers[1].messages, 31); /* counter 3 of worker 1 */
	assert_int_equal(w->workers[1].loops, 77);

	REQUEST(names, IPC_COUNTER_NAMES);
	do {
		n = get(fd, IPC_COUNTER_NAMES | IPC_REPLY, tell(fd, &names));
		assert_int_equal(n->total, 1500);
		if (names.cursor == 0)
			assert_string_equal(n->names[3], "messages_delivered");
		seen += n->count;
		names.cursor = n->next;
	} while (n->next != IPC_CURSOR_END);
	assert_int_equal(seen, 1500);

	REQUEST(values, IPC_COUNTER_VALUES);
	values.worker = 1;
	values.cursor = 1400;
	v = get(fd, IPC_COUNTER_VALUES | IPC_REPLY, tell(fd, &values));
	assert_int_equal(v->count, 100);
	assert_int_equal(v->values[0], 14001);
	assert_int_equal(v->next, IPC_CURSOR_END);
	values.worker = FAKE_WORKERS;
	result(fd, tell(fd, &values), ENOENT, NULL);

	REQUEST(status, IPC_STATUS);
	s = get(fd, IPC_STATUS | IPC_REPLY, tell(fd, &status));
	assert_int_equal(s->worker_count, FAKE_WORKERS);
	assert_int_equal(s->generation, 0);
	assert_int_equal(s->clients, 1);
	close(fd);
}

static void ask(struct ipc_page *m, uint16_t type, uint16_t worker, uint32_t cursor)
{
	memset(m, 0, sizeof(*m));
	ipc_header_init(&m->header, type, sizeof(*m), 1);
	m->worker = worker;
	m->cursor = cursor;
	m->max = IPC_PAGE_MAX;
}

static void test_pages(void **state)
{
	const struct ipc_sessions_reply *s;
	const struct ipc_next_hops_reply *h;
	const struct ipc_tcp_reply *t;
	struct ipc_page m;
	int fd = client(), other = client();
	uint32_t id, id2;

	ask(&m, IPC_SESSIONS, 1, 64);
	id = tell(fd, &m);
	assert_null(get_within(fd, 3));
	/* A second question to that worker waits its turn; one to another does not. */
	ask(&m, IPC_TCP, 1, 0);
	id2 = tell(other, &m);
	assert_null(get_within(other, 3));
	ask(&m, IPC_NEXT_HOPS, 0, 0);
	uint32_t id3 = tell(fd, &m);
	turns(2);
	assert_true(fake_answer(0, 2, UINT32_MAX));
	h = get(fd, IPC_NEXT_HOPS | IPC_REPLY, id3);
	assert_int_equal(h->count, 2);
	assert_string_equal(h->next_hops[1].name, "w0-1");

	assert_true(fake_answer(1, IPC_PAGE_MAX, 128));
	s = get(fd, IPC_SESSIONS | IPC_REPLY, id);
	assert_int_equal(s->count, IPC_PAGE_MAX);
	assert_int_equal(s->next, 128);
	assert_int_equal(s->worker, 1);
	assert_string_equal(s->sessions[1].helo, "w1-65?"); /* the line end is none any more */
	turns(3);
	assert_true(fake_answer(1, 1, UINT32_MAX));
	t = get(other, IPC_TCP | IPC_REPLY, id2);
	assert_string_equal(t->conns[0].state, "ESTABLISHED");
	assert_int_equal(t->next, IPC_CURSOR_END);

	/* The asker goes; the worker answers into memory that is still there; the next one asks. */
	ask(&m, IPC_SESSIONS, 0, 0);
	tell(other, &m);
	turns(3);
	close(other);
	turns(2);
	assert_true(fake_answer(0, 3, 3));
	usleep(2000);
	turns(3);
	id = tell(fd, &m);
	turns(3);
	assert_true(fake_answer(0, 0, UINT32_MAX));
	s = get(fd, IPC_SESSIONS | IPC_REPLY, id);
	assert_int_equal(s->count, 0);

	/* A worker that is stuck. */
	id = tell(fd, &m);
	result(fd, id, ETIMEDOUT, NULL);
	result(fd, tell(fd, &m), ETIMEDOUT, NULL);
	assert_true(fake_answer(0, 1, UINT32_MAX));
	usleep(2000);
	turns(3);
	m.worker = FAKE_WORKERS;
	result(fd, tell(fd, &m), ENOENT, NULL);
	close(fd);
}

/* --- Events --- */

static void subscribe(int fd, uint32_t kinds)
{
	struct ipc_subscribe m;

	REQUEST(m, IPC_SUBSCRIBE);
	m.kinds = kinds;
	result(fd, tell(fd, &m), 0, NULL);
}

static void test_events(void **state)
{
	const struct ipc_events *e;
	int fd = client();
	unsigned int lost = 0;

	/* They wait until somebody wants them; what does not fit is counted by the worker. */
	for (int i = 0; i < FAKE_EVENT_RING + 7; i++)
		lost += !fake_event(1, GATEWAY_EVENT_MESSAGE, i == 0 ? "bare\nline" : "x");
	turns(3);
	subscribe(fd, 1u << IPC_EVENT_MESSAGE | 1u << IPC_EVENT_NEXT_HOP);
	e = get(fd, IPC_EVENTS, 0);
	assert_string_equal(e->events[0].text, "bare?line");
	assert_int_equal(e->events[0].worker, 1);
	assert_int_equal(e->lost_ring, lost);
	assert_true(lost >= 7);
	unsigned int got = e->count;
	while (got < FAKE_EVENT_RING + 7 - lost)
		got += ((const struct ipc_events *)get(fd, IPC_EVENTS, 0))->count;

	/* Only the kinds that were asked for. */
	fake_event(0, GATEWAY_EVENT_SESSION, "no");
	fake_event(0, GATEWAY_EVENT_NEXT_HOP, "yes");
	e = get(fd, IPC_EVENTS, 0);
	assert_int_equal(e->count, 1);
	assert_string_equal(e->events[0].text, "yes");
	subscribe(fd, 0);
	fake_event(0, GATEWAY_EVENT_NEXT_HOP, "later");
	assert_null(get_within(fd, 10));
	subscribe(fd, 7);
	e = get(fd, IPC_EVENTS, 0);
	assert_string_equal(e->events[0].text, "later");
	close(fd);
}

/* A client that does not read costs a bounded amount of memory, holds nobody up, and what it misses
 * is counted. */
static void test_slow_client(void **state)
{
	int slow = client(), fd = client();
	struct ipc_status status;
	const struct ipc_status_reply *s;
	unsigned int put_in = 0, refused = 0;

	subscribe(slow, 7);
	for (int round = 0; round < 400; round++) {
		for (int i = 0; i < FAKE_EVENT_RING; i++) {
			put_in++;
			refused += !fake_event(0, GATEWAY_EVENT_MESSAGE, "x");
		}
		usleep(2100);
		turns(2);
	}
	assert_true(refused > put_in / 2);
	REQUEST(status, IPC_STATUS);
	s = get(fd, IPC_STATUS | IPC_REPLY, tell(fd, &status));
	uint64_t lost = s->events_lost_ring, taken = s->events;
	assert_true(lost >= refused);
	/* What it reads in the end, what was dropped: together all of it. */
	unsigned int got = 0;
	const struct ipc_header *h;
	while ((h = get_within(slow, 30)) != NULL)
		got += ((const struct ipc_events *)h)->count;
	assert_true(got >= taken);
	assert_true(got + refused == put_in);

	/* Requests without reading: the socket fills and the control thread goes on. */
	for (int i = 0; i < 3000; i++) {
		struct ipc_counter_names m;

		REQUEST(m, IPC_COUNTER_NAMES);
		m.header.id = (uint32_t)i + 1;
		if (send(slow, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		if (i % 8 == 0)
			turns(1);
	}
	turns(20);
	(void)get(fd, IPC_STATUS | IPC_REPLY, tell(fd, &status));
	close(slow);
	turns(3);
	s = get(fd, IPC_STATUS | IPC_REPLY, tell(fd, &status));
	assert_int_equal(s->clients, 1);
	close(fd);
}

/* --- The end --- */

static void test_drain(void **state)
{
	struct ipc_status m;
	const struct ipc_status_reply *s;
	int fd = client();

	fake_sessions_left = true;
	raise(SIGTERM);
	turns(2);
	assert_true(fake_group.drain);
	assert_false(fake_group.stop);
	REQUEST(m, IPC_STATUS);
	s = get(fd, IPC_STATUS | IPC_REPLY, tell(fd, &m));
	assert_int_equal(s->draining, 1);
	fake_sessions_left = false;
	assert_int_equal(ctl_run(ctl), 0);
	assert_true(fake_group.stop);
	close(fd);
}

static void test_stop_at_once(void **state)
{
	fake_sessions_left = true;
	raise(SIGINT);
	turns(2);
	assert_false(fake_group.stop);
	raise(SIGINT); /* asked twice */
	assert_int_equal(ctl_run(ctl), 0);
	assert_true(fake_group.stop);
	fake_sessions_left = false;
}

/* With a transaction at any stage. */
static void test_end_within_transaction(void **state)
{
	int fd = client();

	begin_config(fd, 1, 0);
	items(fd, "net_null0");
	partner(fd, 1, "one", "one.example", 1);
	if (*state == NULL)
		return; /* open */
	commit(fd, 1);
	turns(*state == (void *)1 ? 3 : 60); /* being built; waiting for workers */
	close(fd);
}

static int setup(void **state)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	snprintf(path, sizeof(path), "/tmp/test_ctl.%d.sock", (int)getpid());
	fake_start();
	return 0;
}

static int teardown(void **state)
{
	fake_stop();
	return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_ctl, close_ctl)
	const struct CMUnitTest tests[] = {
		TEST(test_hello),
		TEST(test_socket_in_use),
		TEST(test_commit),
		TEST(test_refused),
		TEST(test_two_clients),
		TEST(test_queries),
		TEST(test_pages),
		TEST(test_events),
		TEST(test_slow_client),
		TEST(test_drain),
		TEST(test_stop_at_once),
		cmocka_unit_test_prestate_setup_teardown(
			test_end_within_transaction, open_ctl, close_ctl, NULL),
		cmocka_unit_test_prestate_setup_teardown(
			test_end_within_transaction, open_ctl, close_ctl, (void *)1),
		cmocka_unit_test_prestate_setup_teardown(
			test_end_within_transaction, open_ctl, close_ctl, (void *)2),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
