/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/net/ip6_ext.h"

#include <arpa/inet.h>
#include <stddef.h>

#include "dataplane/net/wire.h"

#define OPTION_PAD1    0
#define OPTION_PADN    1
#define OPTION_ACTION  0xc0 /* RFC 8200 4.2: what to do with an option that is not known */
#define ACTION_SKIP    0x00
#define ACTION_DISCARD 0x40

static enum net_counter problem(
	struct ip6_walk *w, enum net_counter reason, uint8_t code, uint32_t at)
{
	w->icmp = true;
	w->icmp_code = code;
	w->icmp_at = at;
	return reason;
}

/* Hop-by-hop or destination options, `at` the start of the header of `size` bytes. */
static enum net_counter walk_options(
	const uint8_t *p, uint32_t at, uint32_t size, struct ip6_walk *w)
{
	uint32_t i = at + sizeof(struct wire_ip6_ext), end = at + size, count = 0;

	while (i < end) {
		uint8_t type = p[i];
		uint32_t len;

		if (type == OPTION_PAD1) {
			i++;
			continue;
		}
		if (end - i < 2)
			return problem(w, NET_C_ip6_ext_bad_option, ICMP6_CODE_HEADER, i);
		len = 2u + p[i + 1];
		if (len > end - i)
			return problem(w, NET_C_ip6_ext_bad_option, ICMP6_CODE_HEADER, i + 1);
		if (type != OPTION_PADN) {
			if (++count > IP6_EXT_OPTIONS_MAX)
				return NET_C_ip6_ext_too_many;
			/* Router alert has action "skip", and means nothing to a host. */
			if ((type & OPTION_ACTION) == ACTION_DISCARD)
				return NET_C_ip6_ext_bad_option;
			/* Whether it went to a group is checked where errors are sent. */
			if ((type & OPTION_ACTION) != ACTION_SKIP)
				return problem(w, NET_C_ip6_ext_bad_option, ICMP6_CODE_OPTION, i);
		}
		i += len;
	}
	return NET_C_COUNT;
}

static enum net_counter walk_routing(const uint8_t *p, uint32_t at, struct ip6_walk *w)
{
	const struct wire_ip6_routing *r = (const struct wire_ip6_routing *)(p + at);

	/* RFC 8200 4.4, and RFC 5095 for type 0: a host ends here only with no segment left. */
	if (r->segments_left != 0)
		return problem(w, NET_C_ip6_ext_routing, ICMP6_CODE_HEADER,
			at + offsetof(struct wire_ip6_routing, type));
	return NET_C_COUNT;
}

enum net_counter ip6_walk(const uint8_t *p, uint32_t contiguous, uint32_t len, struct ip6_walk *w)
{
	const struct wire_ip6 *ip = (const struct wire_ip6 *)p;
	uint32_t at = sizeof(*ip), readable = contiguous < len ? contiguous : len;
	unsigned int headers = 0;

	*w = (struct ip6_walk){.proto = ip->next, .proto_at = offsetof(struct wire_ip6, next)};
	for (;; headers++) {
		const struct wire_ip6_ext *ext = (const struct wire_ip6_ext *)(p + at);
		enum net_counter reason = NET_C_COUNT;
		uint32_t size;

		w->offset = (uint16_t)at;
		switch (w->proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_DSTOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_FRAGMENT:
			break;
		default:
			return NET_C_COUNT;
		}
		if (headers == IP6_EXT_HEADERS_MAX)
			return NET_C_ip6_ext_too_many;
		if (readable - at < 8)
			return NET_C_ip6_ext_truncated;
		/* RFC 8200 4.1: hop-by-hop options stand first or nowhere. */
		if (w->proto == IPPROTO_HOPOPTS && headers > 0)
			return problem(w, NET_C_ip6_ext_order, ICMP6_CODE_NEXT, w->proto_at);
		if (w->proto == IPPROTO_FRAGMENT) {
			const struct wire_ip6_frag *f = (const struct wire_ip6_frag *)(p + at);

			if (f->offset & htons(IP6_FRAG_OFFSET_MASK | IP6_FRAG_MORE))
				return NET_C_COUNT;
			/* RFC 6946: an atomic fragment is a whole packet. */
			size = sizeof(*f);
		} else {
			size = (ext->len + 1u) * 8;
			if (at + size > sizeof(*ip) + IP6_EXT_BYTES_MAX)
				return NET_C_ip6_ext_too_many;
			if (size > readable - at)
				return NET_C_ip6_ext_truncated;
			reason = w->proto == IPPROTO_ROUTING ? walk_routing(p, at, w)
							     : walk_options(p, at, size, w);
		}
		if (reason != NET_C_COUNT)
			return reason;
		w->proto = ext->next;
		w->proto_at = (uint16_t)at;
		at += size;
	}
}

int ip6_skip(const uint8_t *p, uint32_t contiguous, uint32_t *offset)
{
	uint8_t proto = ((const struct wire_ip6 *)p)->next;
	uint32_t at = sizeof(struct wire_ip6);

	for (;;) {
		const struct wire_ip6_ext *ext = (const struct wire_ip6_ext *)(p + at);

		switch (proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_DSTOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_FRAGMENT:
			break;
		default:
			*offset = at;
			return proto;
		}
		if (at > contiguous || contiguous - at < sizeof(*ext))
			return -1;
		at += proto == IPPROTO_FRAGMENT ? sizeof(struct wire_ip6_frag)
						: (ext->len + 1u) * 8;
		proto = ext->next;
	}
}
