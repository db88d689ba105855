// SPDX-License-Identifier: BSD-3-Clause
/* The write side: the map itself, and a transaction from its begin to its publishing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <sys/random.h>

#include "dataplane/policy/txn.h"

#define BUCKETS_MIN 64

int policy_map_create(struct policy_map **out)
{
	struct policy_map *map = aligned_alloc(64, sizeof(*map));
	struct policy_snapshot *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (map == NULL || s == NULL)
		goto out;
	memset(map, 0, sizeof(*map));
	if (getrandom(&map->seed, sizeof(map->seed), 0) != sizeof(map->seed)) {
		rc = -EIO;
		goto out;
	}
	/* No automatic resizing: it would want a call_rcu thread. table_grow() does it. */
	map->domains = cds_lfht_new(BUCKETS_MIN, BUCKETS_MIN, 0, 0, NULL);
	map->prefixes = cds_lfht_new(BUCKETS_MIN, BUCKETS_MIN, 0, 0, NULL);
	map->ids = cds_lfht_new(BUCKETS_MIN, BUCKETS_MIN, 0, 0, NULL);
	if (map->domains == NULL || map->prefixes == NULL || map->ids == NULL)
		goto out;
	map->domain_buckets = map->prefix_buckets = map->id_buckets = BUCKETS_MIN;
	CDS_INIT_LIST_HEAD(&map->partners);
	s->inbound = POLICY_MAY;
	__atomic_store_n(&map->snapshot, s, __ATOMIC_RELEASE);
	*out = map;
	return 0;
out:
	if (map != NULL) {
		if (map->ids != NULL)
			cds_lfht_destroy(map->ids, NULL);
		if (map->prefixes != NULL)
			cds_lfht_destroy(map->prefixes, NULL);
		if (map->domains != NULL)
			cds_lfht_destroy(map->domains, NULL);
	}
	free(s);
	free(map);
	return rc;
}

void policy_map_destroy(struct policy_map *map)
{
	struct policy_partner *p, *tmp;

	if (map == NULL)
		return;
	cds_list_for_each_entry_safe (p, tmp, &map->partners, all) {
		while (p->nodes != NULL) {
			struct policy_node *n = p->nodes;

			p->nodes = n->next;
			policy_node_unlink(map, n);
			policy_node_free(map, n);
		}
		cds_lfht_del(map->ids, &p->by_id);
		free((void *)(uintptr_t)p->record);
		free(p);
	}
	cds_lfht_destroy(map->ids, NULL);
	cds_lfht_destroy(map->prefixes, NULL);
	cds_lfht_destroy(map->domains, NULL);
	free((void *)(uintptr_t)map->snapshot);
	free(map);
}

void policy_map_get_usage(const struct policy_map *map, struct policy_map_usage *usage)
{
	usage->partners = (uint32_t)map->partner_nodes;
	usage->domains = (uint32_t)map->domain_nodes;
	usage->prefixes = (uint32_t)map->prefix_nodes;
	usage->bytes =
		map->bytes + sizeof(struct cds_lfht_node) *
				     (map->domain_buckets + map->prefix_buckets + map->id_buckets);
}

static size_t node_size(enum policy_kind kind, size_t len)
{
	return offsetof(struct policy_node, key) +
	       (kind == POLICY_KIND_PREFIX ? sizeof(struct ip_addr) : len);
}

struct policy_node *policy_node_alloc(struct policy_map *map, enum policy_kind kind, size_t len)
{
	size_t size = node_size(kind, len);
	/* At least the whole struct, for whoever copies one. */
	struct policy_node *n = malloc(size < sizeof(*n) ? sizeof(*n) : size);

	if (n == NULL)
		return NULL;
	memset(n, 0, offsetof(struct policy_node, key));
	n->kind = (uint8_t)kind;
	n->len = (uint8_t)len;
	n->removed = POLICY_FOREVER;
	map->bytes += size;
	return n;
}

void policy_node_free(struct policy_map *map, struct policy_node *n)
{
	map->bytes -= node_size((enum policy_kind)n->kind, n->len);
	free(n);
}

static void bit_set(uint64_t *words, unsigned int bit)
{
	uint64_t w = __atomic_load_n(&words[bit / 64], __ATOMIC_RELAXED);

	__atomic_store_n(&words[bit / 64], w | UINT64_C(1) << (bit % 64), __ATOMIC_RELAXED);
}

static void bit_clear(uint64_t *words, unsigned int bit)
{
	uint64_t w = __atomic_load_n(&words[bit / 64], __ATOMIC_RELAXED);

	__atomic_store_n(&words[bit / 64], w & ~(UINT64_C(1) << (bit % 64)), __ATOMIC_RELAXED);
}

/* Twice the buckets when there are more nodes than that: chains stay short, and an insertion costs
 * a bucket on average. Blocks for about 50 ns a bucket; readers do not notice. */
static void table_grow(struct cds_lfht *table, unsigned long *buckets, uint64_t nodes)
{
	if (nodes <= *buckets)
		return;
	*buckets *= 2;
	cds_lfht_resize(table, *buckets);
}

static void node_insert(struct policy_map *map, struct policy_node *n, unsigned long hash)
{
	policy_node_inserting(n);
	if (n->kind == POLICY_KIND_PREFIX) {
		if (map->prefix_counts[n->len]++ == 0)
			bit_set(map->prefix_lengths, n->len);
		table_grow(map->prefixes, &map->prefix_buckets, ++map->prefix_nodes);
		cds_lfht_add(map->prefixes, hash, &n->ht);
		return;
	}
	if (n->kind == POLICY_KIND_WILDCARD && map->wildcard_counts[n->labels]++ == 0)
		bit_set(map->wildcard_labels, n->labels);
	table_grow(map->domains, &map->domain_buckets, ++map->domain_nodes);
	cds_lfht_add(map->domains, hash, &n->ht);
}

void policy_node_unlink(struct policy_map *map, struct policy_node *n)
{
	if (n->kind == POLICY_KIND_PREFIX) {
		cds_lfht_del(map->prefixes, &n->ht);
		map->prefix_nodes--;
		if (--map->prefix_counts[n->len] == 0)
			bit_clear(map->prefix_lengths, n->len);
		return;
	}
	cds_lfht_del(map->domains, &n->ht);
	map->domain_nodes--;
	if (n->kind == POLICY_KIND_WILDCARD && --map->wildcard_counts[n->labels] == 0)
		bit_clear(map->wildcard_labels, n->labels);
}

static int id_match(struct cds_lfht_node *ht, const void *id)
{
	return caa_container_of(ht, struct policy_partner, by_id)->id == *(const uint32_t *)id;
}

static unsigned long id_hash(const struct policy_map *map, uint32_t id)
{
	return policy_hash_end(map->seed ^ id, POLICY_KIND_DOMAIN);
}

static struct policy_partner *partner_find(const struct policy_map *map, uint32_t id)
{
	struct cds_lfht_iter it;
	struct cds_lfht_node *ht;

	cds_lfht_lookup(map->ids, id_hash(map, id), id_match, &id, &it);
	ht = cds_lfht_iter_get_node(&it);
	return ht == NULL ? NULL : caa_container_of(ht, struct policy_partner, by_id);
}

int policy_txn_begin(struct policy_map *map, uint64_t generation, struct policy_txn **out)
{
	struct policy_txn *txn;

	if (map->txn != NULL)
		return -EBUSY;
	if (map->snapshot->version >= POLICY_FOREVER - 1)
		return -EOVERFLOW;
	txn = calloc(1, sizeof(*txn));
	if (txn == NULL)
		return -ENOMEM;
	txn->snapshot = malloc(sizeof(*txn->snapshot));
	if (txn->snapshot == NULL) {
		free(txn);
		return -ENOMEM;
	}
	txn->map = map;
	txn->version = map->snapshot->version + 1;
	*txn->snapshot = (struct policy_snapshot){
		.version = txn->version,
		.inbound = map->snapshot->inbound,
		.generation = generation,
	};
	map->txn = txn;
	*out = txn;
	return 0;
}

void policy_txn_defaults(struct policy_txn *txn, enum policy_level inbound)
{
	txn->snapshot->inbound = inbound;
}

int policy_txn_reset(struct policy_txn *txn)
{
	if (txn->changes != NULL)
		return -EINVAL;
	txn->reset = true;
	return 0;
}

static void touch(struct policy_txn *txn, struct policy_partner *p)
{
	if (p->changed)
		return;
	p->changed = true;
	p->next = txn->changes;
	txn->changes = p;
}

int policy_txn_set(struct policy_txn *txn, uint32_t id, const char *name, enum policy_level inbound)
{
	struct policy_map *map = txn->map;
	struct policy_partner *p = partner_find(map, id);
	struct policy_record *r;

	if (id == 0 || name[0] == '\0' || strnlen(name, POLICY_NAME_MAX) == POLICY_NAME_MAX)
		return -EINVAL;
	if (p != NULL && p->next_record != NULL)
		return -EALREADY;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL) {
			free(r);
			return -ENOMEM;
		}
		p->id = id;
		p->fresh = true;
		cds_list_add_tail(&p->all, &map->partners);
		table_grow(map->ids, &map->id_buckets, ++map->partner_nodes);
		cds_lfht_add(map->ids, id_hash(map, id), &p->by_id);
		map->bytes += sizeof(*p);
	}
	map->bytes += sizeof(*r);
	r->added = txn->version;
	r->inbound = (uint8_t)inbound;
	memcpy(r->name, name, strlen(name));
	p->next_record = r;
	p->deleted = false;
	touch(txn, p);
	return 0;
}

static struct cds_lfht *table_of(struct policy_map *map, enum policy_kind kind)
{
	return kind == POLICY_KIND_PREFIX ? map->prefixes : map->domains;
}

/* Adds a key to a partner that is set in this transaction. */
static int stage(struct policy_txn *txn, struct policy_partner *p, const struct policy_key *key,
	unsigned int labels, unsigned long hash)
{
	struct cds_lfht *table = table_of(txn->map, (enum policy_kind)key->kind);
	struct cds_lfht_iter it;
	struct cds_lfht_node *ht;
	struct policy_node *n;

	cds_lfht_lookup(table, hash, policy_node_match, key, &it);
	while ((ht = cds_lfht_iter_get_node(&it)) != NULL) {
		n = caa_container_of(ht, struct policy_node, ht);
		if (n->partner == p) {
			n->keep = true; /* one of the present version, or named twice */
			return 0;
		}
		cds_lfht_next_duplicate(table, policy_node_match, key, &it);
	}
	n = policy_node_alloc(txn->map, (enum policy_kind)key->kind, key->len);
	if (n == NULL)
		return -ENOMEM;
	memcpy(n->key, key->data,
		key->kind == POLICY_KIND_PREFIX ? sizeof(struct ip_addr) : key->len);
	n->partner = p;
	n->labels = (uint8_t)labels;
	n->added = txn->version;
	n->next = p->staged;
	p->staged = n;
	node_insert(txn->map, n, hash);
	return 0;
}

static struct policy_partner *partner_set(const struct policy_txn *txn, uint32_t id)
{
	struct policy_partner *p = partner_find(txn->map, id);

	return p == NULL || p->next_record == NULL ? NULL : p;
}

int policy_txn_suspend(struct policy_txn *txn, uint32_t id, uint64_t until)
{
	struct policy_partner *p = partner_set(txn, id);

	if (p == NULL)
		return -ENOENT;
	p->next_record->suspended_until = until;
	return 0;
}

int policy_txn_add_domain(struct policy_txn *txn, uint32_t id, const char *domain, size_t len)
{
	struct policy_partner *p = partner_set(txn, id);
	uint64_t h = policy_hash_begin(txn->map->seed);
	struct policy_key key = {.kind = POLICY_KIND_DOMAIN};
	char folded[POLICY_DOMAIN_MAX];
	unsigned int labels = 1;

	if (p == NULL)
		return -ENOENT;
	if (len > 2 && domain[0] == '*' && domain[1] == '.') {
		key.kind = POLICY_KIND_WILDCARD;
		domain += 2;
		len -= 2;
	}
	if (len > 0 && domain[len - 1] == '.')
		len--;
	if (len == 0 || len > POLICY_DOMAIN_MAX || domain[0] == '.' || domain[len - 1] == '.')
		return -EINVAL;
	for (size_t i = len; i-- > 0;) {
		folded[i] = (char)policy_fold(domain[i]);
		if (folded[i] == '*' || (uint8_t)folded[i] <= 0x20 || folded[i] == 0x7f)
			return -EINVAL;
		if (folded[i] == '.') {
			if (i > 0 && domain[i - 1] == '.')
				return -EINVAL;
			labels++;
		}
		h = policy_hash_octet(h, (uint8_t)folded[i]);
	}
	key.data = folded;
	key.len = (uint8_t)len;
	return stage(txn, p, &key, labels, policy_hash_end(h, (enum policy_kind)key.kind));
}

int policy_txn_add_prefix(
	struct policy_txn *txn, uint32_t id, const struct ip_addr *addr, unsigned int plen)
{
	struct policy_partner *p = partner_set(txn, id);
	struct policy_key key = {.kind = POLICY_KIND_PREFIX, .data = addr, .len = (uint8_t)plen};
	struct ip_addr masked;

	if (p == NULL)
		return -ENOENT;
	if (plen > 128)
		return -EINVAL;
	masked = policy_mask(addr, plen);
	if (!ip_addr_equal(&masked, addr))
		return -EINVAL;
	return stage(txn, p, &key, 0, policy_hash_prefix(txn->map->seed, addr, plen));
}

int policy_txn_delete(struct policy_txn *txn, uint32_t id)
{
	struct policy_partner *p = partner_find(txn->map, id);

	if (p == NULL)
		return -ENOENT;
	if (p->next_record != NULL)
		return -EALREADY;
	p->deleted = true;
	touch(txn, p);
	return 0;
}

/* A node that the transaction leaves beside n under the same key: another partner's. */
static const struct policy_node *conflict(const struct policy_txn *txn, const struct policy_node *n)
{
	struct policy_key key = {.data = n->key, .kind = n->kind, .len = n->len};
	struct cds_lfht *table = table_of(txn->map, (enum policy_kind)n->kind);
	struct cds_lfht_iter it;
	struct cds_lfht_node *ht;
	uint64_t h = policy_hash_begin(txn->map->seed);
	unsigned long hash;

	if (n->kind == POLICY_KIND_PREFIX) {
		struct ip_addr a;

		memcpy(&a, n->key, sizeof(a));
		hash = policy_hash_prefix(txn->map->seed, &a, n->len);
	} else {
		for (size_t i = n->len; i-- > 0;)
			h = policy_hash_octet(h, n->key[i]);
		hash = policy_hash_end(h, (enum policy_kind)n->kind);
	}
	cds_lfht_lookup(table, hash, policy_node_match, &key, &it);
	while ((ht = cds_lfht_iter_get_node(&it)) != NULL) {
		const struct policy_node *other = caa_container_of(ht, struct policy_node, ht);

		if (other != n && other->removed == POLICY_FOREVER)
			return other;
		cds_lfht_next_duplicate(table, policy_node_match, &key, &it);
	}
	return NULL;
}

static const char *next_name(const struct policy_partner *p)
{
	const struct policy_record *r = p->next_record != NULL ? p->next_record : p->record;

	return r->name;
}

static void describe(
	char *err, size_t size, const struct policy_node *n, const struct policy_node *o)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (n->kind != POLICY_KIND_PREFIX) {
		snprintf(err, size, "domain %s%.*s belongs to both %s and %s",
			n->kind == POLICY_KIND_WILDCARD ? "*." : "", n->len, (const char *)n->key,
			next_name(o->partner), next_name(n->partner));
		return;
	}
	struct ip_addr a;
	bool v4;

	memcpy(&a, n->key, sizeof(a));
	v4 = ip_addr_is_v4(&a) && n->len >= 96;
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? (void *)&a.w[3] : (void *)a.b, text, sizeof(text));
	snprintf(err, size, "prefix %s/%u belongs to both %s and %s", text,
		n->len - (v4 ? 96u : 0u), next_name(o->partner), next_name(n->partner));
}

static void enter(struct policy_txn *txn, enum policy_phase phase)
{
	txn->phase = phase;
	txn->at = txn->changes;
	txn->link = NULL;
	txn->all = txn->map->partners.next;
}

int policy_txn_prepare(struct policy_txn *txn, unsigned int budget, char *err, size_t err_size)
{
	struct policy_map *map = txn->map;

	if (txn->phase == POLICY_STAGE)
		enter(txn, txn->reset ? POLICY_RESET : POLICY_MARK);
	while (txn->phase == POLICY_RESET) {
		struct policy_partner *p;

		if (txn->all == &map->partners) {
			enter(txn, POLICY_MARK);
			break;
		}
		if (budget-- == 0)
			return -EAGAIN;
		p = cds_list_entry(txn->all, struct policy_partner, all);
		txn->all = txn->all->next;
		if (!p->changed) {
			p->deleted = true;
			touch(txn, p);
		}
	}
	while (txn->phase == POLICY_MARK || txn->phase == POLICY_CHECK) {
		struct policy_partner *p = txn->at;
		struct policy_node *n;

		if (p == NULL) {
			if (txn->phase == POLICY_CHECK) {
				enter(txn, POLICY_READY);
				break;
			}
			enter(txn, POLICY_CHECK);
			continue;
		}
		if (budget-- == 0)
			return -EAGAIN;
		if (txn->link == NULL)
			txn->link = txn->phase == POLICY_MARK ? &p->nodes : &p->staged;
		n = *txn->link;
		if (n == NULL) {
			txn->at = p->next;
			txn->link = NULL;
			continue;
		}
		txn->link = &n->next;
		if (txn->phase == POLICY_MARK) {
			if (p->deleted || !n->keep)
				__atomic_store_n(&n->removed, txn->version, __ATOMIC_RELAXED);
		} else {
			const struct policy_node *other = conflict(txn, n);

			if (other != NULL) {
				describe(err, err_size, n, other);
				return -EEXIST;
			}
		}
	}
	return 0;
}

void policy_txn_publish(struct policy_txn *txn)
{
	struct policy_map *map = txn->map;

	/* The records of all changed partners first: readers of the present version step over them.
	 */
	for (struct policy_partner *p = txn->changes; p != NULL; p = p->next) {
		if (p->next_record == NULL)
			continue;
		p->next_record->older = p->record;
		__atomic_store_n(&p->record, p->next_record, __ATOMIC_RELEASE);
		p->next_record = NULL;
	}
	txn->old = (struct policy_snapshot *)(uintptr_t)map->snapshot;
	/* rcu_assign_pointer(), written as the C11 store that ThreadSanitizer understands. */
	__atomic_store_n(&map->snapshot, txn->snapshot, __ATOMIC_RELEASE);
	txn->snapshot = NULL;
	enter(txn, POLICY_WAIT_OLD);
}

void policy_txn_abort(struct policy_txn *txn)
{
	enter(txn, POLICY_ROLLBACK);
}
