// SPDX-License-Identifier: BSD-3-Clause
/* The read side. Nothing here writes, locks, allocates or waits. */
#include "dataplane/policy/private.h"

const char *policy_level_name(enum policy_level level)
{
	static const char *const names[] = {
		[POLICY_NONE] = "none",
		[POLICY_MAY] = "may",
		[POLICY_ENCRYPT] = "encrypt",
		[POLICY_DANE] = "dane",
		[POLICY_STS] = "sts",
		[POLICY_VERIFY] = "verify",
		[POLICY_MUTUAL] = "mutual",
	};
	return (size_t)level < sizeof(names) / sizeof(names[0]) ? names[level] : "invalid";
}

const char *policy_rule_name(enum policy_rule rule)
{
	static const char *const names[] = {
		[POLICY_RULE_DEFAULT] = "default",
		[POLICY_RULE_DOMAIN] = "domain",
		[POLICY_RULE_DOMAIN_WILDCARD] = "domain-wildcard",
		[POLICY_RULE_ADDRESS] = "address",
	};
	return (size_t)rule < sizeof(names) / sizeof(names[0]) ? names[rule] : "invalid";
}

int policy_node_match(struct cds_lfht_node *ht, const void *arg)
{
	const struct policy_node *n = caa_container_of(ht, struct policy_node, ht);
	const struct policy_key *key = arg;

	policy_node_found((void *)(uintptr_t)n);
	if (n->kind != key->kind || n->len != key->len)
		return 0;
	return memcmp(n->key, key->data,
		       n->kind == POLICY_KIND_PREFIX ? sizeof(struct ip_addr) : n->len) == 0;
}

static const struct policy_node *find(
	struct cds_lfht *table, unsigned long hash, const struct policy_key *key, uint32_t version)
{
	struct cds_lfht_iter it;
	struct cds_lfht_node *ht;

	/* A key may be there more than once: for each version at most one is visible. */
	cds_lfht_lookup(table, hash, policy_node_match, key, &it);
	while ((ht = cds_lfht_iter_get_node(&it)) != NULL) {
		const struct policy_node *n = caa_container_of(ht, struct policy_node, ht);

		if (policy_node_visible(n, version))
			return n;
		cds_lfht_next_duplicate(table, policy_node_match, key, &it);
	}
	return NULL;
}

/* The exact name, else the longest wildcard above it. */
static const struct policy_node *find_domain(
	const struct policy_map *map, const char *domain, size_t len, uint32_t version)
{
	uint64_t hashes[POLICY_LABELS_MAX];
	uint8_t starts[POLICY_LABELS_MAX];
	char folded[POLICY_DOMAIN_MAX];
	uint64_t h = policy_hash_begin(map->seed);
	unsigned int labels = 0;
	const struct policy_node *n;
	struct policy_key key;

	if (len > 0 && domain[len - 1] == '.')
		len--;
	if (len == 0 || len > POLICY_DOMAIN_MAX)
		return NULL;
	for (size_t i = len; i-- > 0;) {
		folded[i] = (char)policy_fold(domain[i]);
		h = policy_hash_octet(h, (uint8_t)folded[i]);
		if (i == 0 || domain[i - 1] == '.') {
			if (domain[i] == '.' || labels == POLICY_LABELS_MAX)
				return NULL; /* an empty label */
			starts[labels] = (uint8_t)i;
			hashes[labels++] = h;
		}
	}

	key = (struct policy_key){.data = folded, .kind = POLICY_KIND_DOMAIN, .len = (uint8_t)len};
	n = find(map->domains, policy_hash_end(h, POLICY_KIND_DOMAIN), &key, version);
	if (n != NULL)
		return n;
	key.kind = POLICY_KIND_WILDCARD;
	for (unsigned int k = labels - 1; k >= 1; k--) {
		uint64_t word = __atomic_load_n(&map->wildcard_labels[k / 64], __ATOMIC_RELAXED);

		if ((word >> (k % 64) & 1) == 0)
			continue;
		key.data = folded + starts[k - 1];
		key.len = (uint8_t)(len - starts[k - 1]);
		n = find(map->domains, policy_hash_end(hashes[k - 1], POLICY_KIND_WILDCARD), &key,
			version);
		if (n != NULL)
			return n;
	}
	return NULL;
}

/*
 * The longest prefix that holds `addr`; *owned: one of all prefixes that hold it is `partner`'s
 * (the longest may be another partner's).
 */
static const struct policy_node *find_prefix(const struct policy_map *map,
	const struct ip_addr *addr, uint32_t version, const struct policy_partner *partner,
	bool *owned)
{
	/* What is shorter than 96 is an IPv6 prefix and says nothing of IPv4 clients. */
	const unsigned int shortest = ip_addr_is_v4(addr) ? 96 : 0;
	const struct policy_node *longest = NULL;

	*owned = false;
	for (int word = 2; word >= (int)(shortest / 64); word--) {
		uint64_t bits = __atomic_load_n(&map->prefix_lengths[word], __ATOMIC_RELAXED);

		while (bits != 0) {
			unsigned int bit = 63 - (unsigned int)__builtin_clzll(bits);
			unsigned int plen = (unsigned int)word * 64 + bit;
			const struct policy_node *n;
			struct ip_addr masked;
			struct policy_key key;

			if (plen < shortest)
				break;
			bits &= ~(UINT64_C(1) << bit);
			masked = policy_mask(addr, plen);
			key = (struct policy_key){
				.data = &masked, .kind = POLICY_KIND_PREFIX, .len = (uint8_t)plen};
			n = find(map->prefixes, policy_hash_prefix(map->seed, &masked, plen), &key,
				version);
			if (n == NULL)
				continue;
			if (longest == NULL)
				longest = n;
			if (n->partner == partner)
				*owned = true;
			if (partner == NULL || *owned)
				return longest;
		}
	}
	return longest;
}

static const struct policy_record *record_at(const struct policy_partner *p, uint32_t version)
{
	const struct policy_record *r = __atomic_load_n(&p->record, __ATOMIC_ACQUIRE);

	while (r->added > version)
		r = r->older;
	return r;
}

/* What the partner's mail must have at this instant. */
static enum policy_level level_at(const struct policy_record *r, uint64_t now)
{
	return now < r->suspended_until && r->inbound > POLICY_MAY ? POLICY_MAY
								   : (enum policy_level)r->inbound;
}

void policy_inbound(const struct policy_map *map, const char *domain, size_t domain_len,
	const struct ip_addr *client, uint64_t now, struct policy_verdict *verdict)
{
	/* Acquire, where rcu_dereference() would be enough for the pointer itself: the bit maps and
	 * tables do not depend on it. */
	const struct policy_snapshot *s = __atomic_load_n(&map->snapshot, __ATOMIC_ACQUIRE);
	const struct policy_record *r = NULL, *r2;
	enum policy_level full = POLICY_NONE; /* as if nothing were suspended */
	const struct policy_node *d, *a;
	bool owned;

	memset(verdict, 0, sizeof(*verdict));
	verdict->generation = s->generation;
	verdict->level = s->inbound;
	verdict->rule = POLICY_RULE_DEFAULT;

	d = find_domain(map, domain, domain_len, s->version);
	if (d != NULL) {
		r = record_at(d->partner, s->version);
		full = (enum policy_level)r->inbound;
		verdict->rule = d->kind == POLICY_KIND_WILDCARD ? POLICY_RULE_DOMAIN_WILDCARD
								: POLICY_RULE_DOMAIN;
		verdict->partner_id = d->partner->id;
	}
	a = find_prefix(map, client, s->version, d != NULL ? d->partner : NULL, &owned);
	verdict->identified = owned;
	if (a != NULL) {
		r2 = record_at(a->partner, s->version);
		if (r2->inbound > full)
			full = (enum policy_level)r2->inbound;
		if (r == NULL || level_at(r2, now) > level_at(r, now)) {
			r = r2;
			verdict->rule = POLICY_RULE_ADDRESS;
			verdict->identified = true;
			verdict->partner_id = a->partner->id;
		}
	}
	if (r != NULL) {
		verdict->level = level_at(r, now);
		verdict->suspended = full > verdict->level;
		memcpy(verdict->partner, r->name, sizeof(verdict->partner));
	}
}
