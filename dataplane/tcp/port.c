/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/port.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "dataplane/tcp/siphash.h"

/* Counters of RFC 6056 3.3.4's table[]. */
#define GROUPS 1024
/* Free ports looked at for one whose return path is this worker's, before any will do. With n
 * workers one in n is: 64 leave a chance of 1e-8 at four workers. */
#define FOREIGN_MAX 64
/* A destination that had no port left is not searched for again in this time unless one of its
 * group was given back: a search goes over the whole range. */
#define FULL_NS UINT64_C(100000000)

struct port_group {
	uint32_t next;
	uint64_t full_until;
};

struct tcp_ports {
	struct tcp_lower lower;
	uint16_t first; /* lowest port of this worker */
	uint16_t step;  /* worker_count */
	uint16_t worker;
	uint16_t range_first, range_last;
	uint32_t count; /* ports of this worker */
	uint32_t used;
	uint8_t key[16];
	tcp_port_reusable *reusable;
	void *reusable_arg;
	struct tcp_port_counters counters;
	struct port_group groups[GROUPS];
};

int tcp_port_create(const struct tcp_config *config, const struct tcp_lower *lower,
	const uint8_t key[16], int socket_id, struct tcp_ports **out)
{
	uint32_t workers = config->worker_count == 0 ? 1 : config->worker_count, first;
	struct tcp_ports *p;

	first = config->port_first +
		(config->worker + workers - config->port_first % workers) % workers;
	if (config->worker >= workers || config->port_first == 0 || first > config->port_last)
		return -EINVAL;
	p = rte_zmalloc_socket("tcp_ports", sizeof(*p), RTE_CACHE_LINE_SIZE, socket_id);
	if (!p)
		return -ENOMEM;
	p->lower = *lower;
	p->first = (uint16_t)first;
	p->step = (uint16_t)workers;
	p->worker = config->worker;
	p->range_first = config->port_first;
	p->range_last = config->port_last;
	p->count = (config->port_last - first) / workers + 1;
	memcpy(p->key, key, sizeof(p->key));
	*out = p;
	return 0;
}

void tcp_port_destroy(struct tcp_ports *p)
{
	rte_free(p);
}

void tcp_port_set_reusable(struct tcp_ports *p, tcp_port_reusable *fn, void *arg)
{
	p->reusable = fn;
	p->reusable_arg = arg;
}

/* RFC 6056 3.3.4: F() in the low half, G() in the high one. */
static uint64_t destination_hash(const struct tcp_ports *p, const struct tcp_key *k)
{
	struct tcp_key dst = *k;

	dst.local_port = 0;
	return siphash24(p->key, &dst, sizeof(dst));
}

static struct port_group *group_of(struct tcp_ports *p, uint64_t hash)
{
	return &p->groups[(hash >> 32) % GROUPS];
}

static bool returns_here(const struct tcp_ports *p, const struct tcp_key *k)
{
	int worker;

	if (p->step == 1 || p->lower.rx_worker == NULL)
		return true;
	worker = p->lower.rx_worker(
		p->lower.arg, &k->remote, k->remote_port, &k->local, k->local_port);
	return worker < 0 || worker == p->worker;
}

struct port_search {
	uint32_t foreign_seen;
	uint16_t foreign; /* first free port with the return path on another worker, 0: none */
	uint16_t reuse;   /* first port whose TIME-WAIT may go, 0: none */
	struct tcp_node *reuse_node;
};

/* Whether `k` with this local port is the one to take. */
static bool port_try(struct tcp_ports *p, const struct tcp_table *t, const struct tcp_key *k,
	uint64_t now, struct port_search *s)
{
	struct tcp_node *n = tcp_table_find(t, k, tcp_table_hash(t, k));

	if (n != NULL) {
		if (s->reuse == 0 && n->kind == TCP_NODE_TIME_WAIT && p->reusable != NULL &&
			p->reusable(p->reusable_arg, n, now)) {
			s->reuse = k->local_port;
			s->reuse_node = n;
		}
		return false;
	}
	if (returns_here(p, k))
		return true;
	if (s->foreign == 0)
		s->foreign = k->local_port;
	s->foreign_seen++;
	return false;
}

int tcp_port_get(struct tcp_ports *p, const struct tcp_table *t, const struct ip_addr *local,
	const struct ip_addr *remote, uint16_t remote_port, uint64_t now, uint16_t *port,
	struct tcp_node **reuse)
{
	struct tcp_key k = {.local = *local, .remote = *remote, .remote_port = remote_port};
	uint64_t hash = destination_hash(p, &k);
	struct port_group *g = group_of(p, hash);
	struct port_search s = {0};

	*reuse = NULL;
	if (now < g->full_until) {
		p->counters.exhausted++;
		return -EADDRNOTAVAIL;
	}
	for (uint32_t i = 0; i < p->count && s.foreign_seen < FOREIGN_MAX; i++) {
		uint32_t index = ((uint32_t)hash % p->count + g->next++) % p->count;

		k.local_port = (uint16_t)(p->first + index * p->step);
		if (port_try(p, t, &k, now, &s)) {
			*port = k.local_port;
			p->used++;
			return 0;
		}
	}
	if (s.foreign != 0) {
		p->counters.foreign++;
		*port = s.foreign;
		p->used++;
		return 0;
	}
	if (s.reuse != 0) {
		/* The TIME-WAIT's port counts as used already. */
		p->counters.reused++;
		*port = s.reuse;
		*reuse = s.reuse_node;
		return 0;
	}
	g->full_until = now + FULL_NS;
	p->counters.exhausted++;
	return -EADDRNOTAVAIL;
}

void tcp_port_put(struct tcp_ports *p, const struct tcp_key *k, uint64_t now)
{
	(void)now;
	p->used--;
	group_of(p, destination_hash(p, k))->full_until = 0;
}

int tcp_port_worker(const struct tcp_ports *p, uint16_t port)
{
	if (port < p->range_first || port > p->range_last)
		return -1;
	return port % p->step;
}

uint32_t tcp_port_used(const struct tcp_ports *p)
{
	return p->used;
}

const struct tcp_port_counters *tcp_port_counters(const struct tcp_ports *p)
{
	return &p->counters;
}
