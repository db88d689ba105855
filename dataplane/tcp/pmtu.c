/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/pmtu.h"

#include "dataplane/tcp/scoreboard.h"
#include "dataplane/tcp/segment.h"
#include "dataplane/tcp/siphash.h"
#include "dataplane/tcp/transmit.h"

#define PMTU_AGE_S 600

static uint16_t ip_header(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? 20 : 40;
}

static uint16_t floor_of(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? TCP_PMTU_FLOOR_V4 : TCP_PMTU_FLOOR_V6;
}

uint16_t tcp_mss_own(const struct tcp_stack *s, const struct ip_addr *remote)
{
	uint16_t mtu = s->lower.mtu(s->lower.arg, remote);
	uint16_t header = (uint16_t)(ip_header(remote) + TCP_HEADER_SIZE);

	if (mtu < floor_of(remote))
		mtu = floor_of(remote);
	return (uint16_t)(mtu - header);
}

void tcp_pmtu_apply(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint32_t mss = c->pmtu - ip_header(&c->node.key.remote) - TCP_HEADER_SIZE;
	uint16_t old = c->mss;

	if (c->peer_mss < mss)
		mss = c->peer_mss;
	if (mss < TCP_MSS_FLOOR)
		mss = TCP_MSS_FLOOR;
	if (mss > s->tx_room)
		mss = s->tx_room;
	/* RFC 6691: the MSS is announced without options, and sent with them. */
	if (c->flags & TCP_F_TIMESTAMPS)
		mss -= TCP_OPT_TIMESTAMPS_ROOM;
	c->mss = (uint16_t)mss;
	if (old != 0 && old != c->mss)
		tcp_cc_set_mss(&c->cc, old, c->mss);
}

static struct tcp_pmtu_entry *cache_slot(struct tcp_stack *s, const struct ip_addr *remote)
{
	/* Keyed, so that nobody can push another destination out on purpose. */
	return &s->pmtu_cache[siphash13(s->key_table, remote, sizeof(*remote)) % TCP_PMTU_CACHE];
}

void tcp_pmtu_init(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	const struct tcp_pmtu_entry *e = cache_slot(s, &c->node.key.remote);

	c->pmtu = s->lower.mtu(s->lower.arg, &c->node.key.remote);
	if (c->pmtu < floor_of(&c->node.key.remote))
		c->pmtu = floor_of(&c->node.key.remote);
	if (e->seconds == 0 || !ip_addr_equal(&e->remote, &c->node.key.remote) ||
		tcp_seconds(now) - e->seconds >= PMTU_AGE_S || e->mtu >= c->pmtu)
		return;
	c->pmtu = e->mtu;
	c->pmtu_s = e->seconds;
}

/* Sends again at once what the smaller MTU has certainly lost, without taking it for congestion. */
static void resend_large(struct tcp_conn *c)
{
	for (struct tcp_record *r = c->rec_head; r != NULL; r = r->next) {
		if (r->len > c->mss)
			tcp_record_mark_lost(c, r);
	}
	tcp_conn_want_output(c);
}

static void lower_to(struct tcp_stack *s, struct tcp_conn *c, uint16_t mtu, uint64_t now)
{
	uint16_t least = floor_of(&c->node.key.remote);

	if (mtu < least) {
		tcp_count(s, TCP_C_pmtu_floor);
		mtu = least;
	}
	if (mtu >= c->pmtu)
		return;
	c->pmtu = mtu;
	c->pmtu_s = RTE_MAX(tcp_seconds(now), 1u);
	*cache_slot(s, &c->node.key.remote) = (struct tcp_pmtu_entry){
		.remote = c->node.key.remote, .seconds = c->pmtu_s, .mtu = mtu};
	tcp_count(s, TCP_C_pmtu_lowered);
	tcp_pmtu_apply(s, c, now);
	resend_large(c);
}

/* RFC 1191 7.1: plateaus, for routers that do not say, and for the search after a black hole. */
static uint16_t plateau_below(uint16_t mtu)
{
	static const uint16_t plateau[] = {8166, 4352, 2002, 1492, 1400, 1280, 1006, 552};

	for (size_t i = 0; i < RTE_DIM(plateau); i++) {
		if (plateau[i] < mtu)
			return plateau[i];
	}
	return 552;
}

void tcp_pmtu_too_big(struct tcp_stack *s, struct tcp_conn *c, uint16_t mtu, uint64_t now)
{
	if (mtu == 0)
		mtu = plateau_below(c->pmtu);
	lower_to(s, c, mtu, now);
}

void tcp_pmtu_black_hole(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	const struct tcp_record *r = c->rec_head;
	const struct ip_addr *remote = &c->node.key.remote;
	uint32_t size;

	if (r == NULL)
		return;
	size = ip_header(remote) + TCP_HEADER_SIZE + r->len;
	if (c->flags & TCP_F_TIMESTAMPS)
		size += TCP_OPT_TIMESTAMPS_ROOM;
	/* What was as large as it gets is suspect at once; what was smaller only when it does not
	 * get through again and again: the last segment of a message has to get through as well. */
	if (r->len + 64u < c->mss && c->backoff < 2 * TCP_BLACK_HOLE_RTOS)
		return;
	if (size <= floor_of(remote))
		return;
	tcp_count(s, TCP_C_pmtu_black_hole);
	lower_to(s, c, plateau_below(RTE_MIN((uint16_t)size, c->pmtu)), now);
}

void tcp_pmtu_age(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint16_t mtu;

	if (c->pmtu_s == 0 || tcp_seconds(now) - c->pmtu_s < PMTU_AGE_S)
		return;
	mtu = s->lower.mtu(s->lower.arg, &c->node.key.remote);
	c->pmtu_s = 0;
	if (mtu <= c->pmtu)
		return;
	c->pmtu = mtu;
	tcp_count(s, TCP_C_pmtu_raised);
	tcp_pmtu_apply(s, c, now);
}
