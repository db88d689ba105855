/* SPDX-License-Identifier: BSD-3-Clause */
/* Forged, odd and hostile segments: RFC 5961, 1337, 5927, 7323, 6093; SYN floods; slivers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <rte_mbuf.h>

#include "dataplane/net/net.h"
#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/stack.h"
#include "tests/unit/dataplane/tcp/pair.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define URG 0x20

static struct pair *established(void (*change)(struct tcp_config *))
{
	struct pair *p = pair_new(change);

	pair_connect(p);
	pair_run(p, p->now + SEC);
	assert_true(p->app[0].connected && p->app[1].accepted);
	return p;
}

/* What the peer of app[1] would send next. */
static struct forge next_to_1(const struct pair *p)
{
	const struct tcp_conn *c = p->app[1].c;

	return (struct forge){
		.sport = c->node.key.remote_port,
		.dport = 25,
		.seq = c->rcv_nxt,
		.ack = c->snd_nxt,
		.wnd = 1000,
		.flags = ACK,
	};
}

static void finish(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		if (p->app[i].c != NULL)
			tcp_abort(p->h[i].s, p->app[i].c, p->now);
	}
	pair_run(p, p->now + 200 * SEC);
	assert_true(pair_free(p, true));
}

static void no_timestamps(struct tcp_config *c)
{
	c->timestamps = false;
}

/* RFC 5961 3.2. */
static void test_rst(void **state)
{
	struct pair *p = established(NULL);
	struct forge f = next_to_1(p);

	f.flags = RST;
	f.seq += 100;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_false(p->app[1].closed);
	assert_int_equal(counter(p, 1, "challenge_acks"), 1);
	f.seq += 1000000; /* outside: nothing at all */
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_false(p->app[1].closed);
	assert_int_equal(counter(p, 1, "challenge_acks"), 1);
	f.seq = p->app[1].c->rcv_nxt;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_true(p->app[1].closed);
	assert_int_equal(p->app[1].reason, TCP_REASON_RESET);
	finish(p);
}

/* RFC 5961 4 and 7: a SYN never ends a connection; challenges are limited per connection. */
static void test_syn_in_window(void **state)
{
	struct pair *p = established(NULL);
	struct forge f = next_to_1(p);

	f.flags = SYN;
	for (int i = 0; i < 50; i++) {
		f.seq = p->app[1].c->rcv_nxt + (uint32_t)i;
		pair_inject(p, 1, &f);
	}
	pair_run(p, p->now + MS);
	assert_false(p->app[1].closed);
	assert_int_equal(counter(p, 1, "challenge_acks"), 10);
	assert_int_equal(counter(p, 1, "challenge_acks_limited"), 40);
	/* A new second, a new budget. */
	pair_run(p, p->now + 2 * SEC);
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "challenge_acks"), 11);
	finish(p);
}

/* RFC 5961 5. */
static void test_blind_ack(void **state)
{
	struct pair *p = established(NULL);
	struct forge f = next_to_1(p);

	f.ack += 1; /* of what was never sent */
	f.len = 10;
	pair_inject(p, 1, &f);
	f = next_to_1(p);
	f.ack -= 5000000; /* older than any window we had */
	f.len = 10;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(p->app[1].received, 0);
	assert_int_equal(counter(p, 1, "drop_bad_ack"), 2);
	assert_int_equal(counter(p, 1, "challenge_acks"), 2);
	finish(p);
}

static void put_ts(uint8_t *opt, uint32_t tsval, uint32_t tsecr)
{
	opt[0] = opt[1] = 1;
	opt[2] = 8;
	opt[3] = 10;
	for (int i = 0; i < 4; i++) {
		opt[4 + i] = (uint8_t)(tsval >> (24 - 8 * i));
		opt[8 + i] = (uint8_t)(tsecr >> (24 - 8 * i));
	}
}

/* RFC 7323 5: old timestamps are refused, missing ones tolerated. */
static void test_paws(void **state)
{
	struct pair *p = established(NULL);
	struct forge f = next_to_1(p);
	uint8_t opt[12];

	put_ts(opt, p->app[1].c->ts_recent - 10, 0);
	f.opt = opt;
	f.opt_len = sizeof(opt);
	f.len = 7;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "drop_paws"), 1);
	assert_int_equal(p->app[1].c->bytes_received, 0);
	f.opt_len = 0;
	f.fill = pattern(0, 0);
	f.len = 1;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "paws_no_timestamp"), 1);
	assert_int_equal(p->app[1].received, 1);
	finish(p);
}

/* Overlapping segments with different bytes: the first ones win. */
static void test_overlap(void **state)
{
	struct pair *p = established(no_timestamps);
	struct forge f = next_to_1(p);
	uint32_t base = f.seq;
	uint8_t got[64];

	p->app[1].no_read = true;
	f.seq = base + 10;
	f.len = 10;
	f.fill = 'a';
	pair_inject(p, 1, &f); /* 10..20 a */
	f.seq = base + 30;
	pair_inject(p, 1, &f); /* 30..40 a */
	f.seq = base + 5;
	f.len = 40;
	f.fill = 'b';
	pair_inject(p, 1, &f); /* 5..45 b, over both */
	f.seq = base;
	f.len = 12;
	f.fill = 'c';
	pair_inject(p, 1, &f); /* 0..12 c */
	pair_run(p, p->now + MS);
	assert_int_equal(tcp_readable(p->app[1].c), 45);
	assert_int_equal(tcp_read(p->h[1].s, p->app[1].c, got, sizeof(got)), 45);
	assert_memory_equal(got, "cccccbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbb", 45);
	assert_true(counter(p, 1, "overlap_first_wins") >= 3);
	finish(p);
}

/* Many runs: bounded, and what is in order still gets in. */
static void test_ooo_limit(void **state)
{
	struct pair *p = established(no_timestamps);
	struct forge f = next_to_1(p);
	uint32_t base = f.seq;

	for (uint32_t i = 0; i < 200; i++) {
		f.seq = base + 10 + 2 * i;
		f.len = 1;
		f.fill = 'x';
		pair_inject(p, 1, &f);
	}
	pair_run(p, p->now + MS);
	assert_int_equal(p->app[1].c->ooo_runs, 64);
	assert_int_equal(counter(p, 1, "drop_ooo_limit"), 136);
	p->app[1].no_read = true;
	f.seq = base;
	f.len = 11;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(tcp_readable(p->app[1].c), 11);
	finish(p);
}

/* Tiny segments do not pin an mbuf each. */
static void test_tiny_segments(void **state)
{
	struct pair *p = established(no_timestamps);
	struct forge f = next_to_1(p);
	struct tcp_usage u;

	p->app[1].no_read = true;
	for (int i = 0; i < 2000; i++) {
		f.len = 1;
		f.fill = (uint8_t)i;
		pair_inject(p, 1, &f);
		f.seq++;
	}
	pair_run(p, p->now + MS);
	assert_int_equal(tcp_readable(p->app[1].c), 2000);
	tcp_get_usage(p->h[1].s, &u);
	assert_true(u.rx_mbufs <= 2);
	finish(p);
}

/* RFC 6093: the urgent pointer is not looked at, its byte stays in the stream. */
static void test_urgent(void **state)
{
	struct pair *p = established(no_timestamps);
	struct forge f = next_to_1(p);

	p->app[1].no_read = true;
	f.flags |= URG;
	f.len = 5;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(tcp_readable(p->app[1].c), 5);
	assert_int_equal(counter(p, 1, "urgent_ignored"), 1);
	finish(p);
}

/* Data beyond the peer's FIN, and a second FIN somewhere else. */
static void test_data_after_fin(void **state)
{
	struct pair *p = established(no_timestamps);
	struct forge f = next_to_1(p);

	f.flags |= FIN;
	f.len = 1;
	f.fill = pattern(0, 0);
	f.seq += 1;
	pair_inject(p, 1, &f); /* a FIN after a hole */
	f.flags = ACK;
	f.seq += 1;
	f.len = 20;
	pair_inject(p, 1, &f); /* beyond it */
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "drop_after_fin"), 1);
	assert_false(p->app[1].eof);
	f.seq -= 2;
	f.len = 1;
	pair_inject(p, 1, &f); /* the hole */
	pair_run(p, p->now + MS);
	assert_int_equal(p->app[1].received, 2);
	assert_true(p->app[1].eof);
	assert_int_equal(p->app[1].c->state, TCP_CLOSE_WAIT);
	finish(p);
}

static void test_nonsense(void **state)
{
	struct pair *p = established(NULL);
	struct forge f = {.sport = 1000, .dport = 25, .seq = 1, .wnd = 100};

	f.flags = SYN | FIN;
	pair_inject(p, 1, &f);
	f.flags = SYN | RST;
	pair_inject(p, 1, &f);
	f.flags = 0;
	pair_inject(p, 1, &f);
	f.flags = SYN;
	f.sport = 0;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "drop_bad_flags"), 3);
	assert_int_equal(counter(p, 1, "drop_bad_port"), 1);
	assert_int_equal(counter(p, 1, "rst_out"), 0);
	/* RFC 9293 3.10.7.1: to a port nobody listens on. */
	f.sport = 1000;
	f.dport = 26;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "drop_no_listener"), 1);
	assert_int_equal(counter(p, 1, "rst_out"), 1);
	f.flags = RST;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "rst_out"), 1);
	finish(p);
}

static void test_land(void **state)
{
	struct pair *p = established(NULL);
	struct forge f = {.sport = 25, .dport = 25, .seq = 1, .wnd = 100, .flags = SYN};

	/* From host 1's own address: what `deliver` takes for the source. */
	p->h[0].addr = p->h[1].addr;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "drop_land"), 1);
	assert_int_equal(counter(p, 1, "syn_in"), 1);
	p->h[0].addr = ip_addr_from_v4(htonl(0x0a000001));
	finish(p);
}

/* The peer announces an MSS of 1: never slivers. */
static void test_mss_floor(void **state)
{
	struct pair *p = established(no_timestamps);
	static const uint8_t mss1[] = {2, 4, 0, 1};
	struct forge f = {.sport = 2000,
		.dport = 25,
		.seq = 7,
		.wnd = 60000,
		.flags = SYN,
		.opt = mss1,
		.opt_len = 4};
	struct tcp_stack *s = p->h[1].s;
	struct tcp_syn *y = NULL;

	tcp_abort(p->h[1].s, p->app[1].c, p->now);
	p->app[1].c = NULL;
	pair_run(p, p->now + SEC);
	p->app[1].accepted = false;
	pair_inject(p, 1, &f);
	pair_step(p);
	assert_int_equal(s->usage.half_open, 1);
	for (uint32_t i = 0; i < s->syns.count; i++) {
		struct tcp_syn *o = tcp_pool_at(&s->syns, i);

		if (wheel_armed(&o->timer))
			y = o;
	}
	assert_non_null(y);
	f.flags = ACK;
	f.seq = 8;
	f.ack = y->iss + 1;
	f.opt_len = 0;
	pair_inject(p, 1, &f);
	pair_step(p);
	assert_true(p->app[1].accepted);
	assert_int_equal(p->app[1].c->mss, 216);
	assert_int_equal(counter(p, 1, "mss_floor"), 1);
	tcp_abort(p->h[1].s, p->app[1].c, p->now);
	p->app[1].c = NULL;
	finish(p);
}

/* RFC 1337: a RST does not end TIME-WAIT; a new SYN with a newer timestamp does, RFC 6191. */
static void test_time_wait(void **state)
{
	struct pair *p = established(NULL);
	struct forge f;
	uint8_t opt[12];
	struct tcp_usage u;
	struct tcp_stack *s = p->h[1].s;
	struct tcp_time_wait *w;

	tcp_close(p->h[1].s, p->app[1].c, p->now);
	p->app[1].c = NULL;
	pair_run(p, p->now + 100 * MS);
	tcp_close(p->h[0].s, p->app[0].c, p->now);
	p->app[0].c = NULL;
	pair_run(p, p->now + 100 * MS);
	tcp_get_usage(s, &u);
	assert_int_equal(u.time_wait, 1);
	w = TAILQ_FIRST(&s->time_wait_list);
	f = (struct forge){.sport = w->node.key.remote_port,
		.dport = 25,
		.seq = w->rcv_nxt,
		.ack = w->snd_nxt,
		.flags = RST,
		.wnd = 1000};
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	tcp_get_usage(s, &u);
	assert_int_equal(u.time_wait, 1);
	assert_int_equal(counter(p, 1, "drop_time_wait_rst"), 1);
	f.flags = SYN;
	put_ts(opt, w->ts_recent, 0);
	f.opt = opt;
	f.opt_len = 12;
	pair_inject(p, 1, &f); /* not newer */
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "time_wait_reused"), 0);
	put_ts(opt, w->ts_recent + 5, 0);
	pair_inject(p, 1, &f);
	pair_step(p);
	assert_int_equal(counter(p, 1, "time_wait_reused"), 1);
	assert_int_equal(s->usage.half_open, 1);
	finish(p);
}

/* RFC 5927 4.1, 5461: ICMP counts only for what is in flight, and never kills what once worked. */
static void test_icmp(void **state)
{
	struct pair *p = established(NULL);
	struct tcp_conn *c = p->app[0].c;
	struct net_icmp_error e = {
		.local = p->h[0].addr,
		.remote = p->h[1].addr,
		.local_port = c->node.key.local_port,
		.remote_port = 25,
		.type = 3,
		.code = 3,
	};

	e.seq = c->snd_una;
	tcp_icmp_error(p->h[0].s, &e, p->now); /* nothing in flight */
	assert_int_equal(counter(p, 0, "icmp_bad_seq"), 1);
	p->app[0].to_send = 5000;
	app_push(&p->app[0]);
	tcp_output(p->h[0].s, p->now);
	tcp_icmp_error(p->h[0].s, &e, p->now);
	assert_int_equal(counter(p, 0, "icmp_soft"), 1);
	e.seq = c->snd_nxt;
	tcp_icmp_error(p->h[0].s, &e, p->now);
	assert_int_equal(counter(p, 0, "icmp_bad_seq"), 2);
	pair_run(p, p->now + SEC);
	assert_int_equal(p->app[1].received, 5000);
	finish(p);
}

static enum verdict all_lost(struct pair *p, const struct seen *seen, void *arg)
{
	return DROP;
}

static void test_icmp_connect(void **state)
{
	struct pair *p = pair_new(NULL);
	struct net_icmp_error e = {.type = 3, .code = 3, .remote_port = 25};

	p->filter = all_lost;
	pair_connect(p);
	pair_run(p, p->now + 10 * MS);
	e.local = p->h[0].addr;
	e.remote = p->h[1].addr;
	e.local_port = p->app[0].c->node.key.local_port;
	e.seq = p->app[0].c->snd_una;
	tcp_icmp_error(p->h[0].s, &e, p->now);
	pair_run(p, p->now + 10 * MS);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_UNREACHABLE);
	finish(p);
}

struct catch
{
	uint32_t iss;
	uint16_t mss;
	bool got;
};

static enum verdict catch_syn_ack(struct pair *p, const struct seen *seen, void *arg)
{
	struct catch *k = arg;

	if (seen->from == 1 && (seen->flags & SYN)) {
		k->iss = seen->seq;
		k->mss = seen->mss;
		k->got = true;
	}
	return PASS;
}

/* A flood fills the backlog; a real client gets in by a cookie that keeps all options; calm ends
 * it. */
static void test_syn_cookies(void **state)
{
	struct pair *p = pair_new(NULL);
	struct catch k = {0};
	struct forge f = {.dport = 25, .wnd = 1000, .flags = SYN};

	p->filter = catch_syn_ack;
	p->filter_arg = &k;
	for (uint16_t i = 0; i < 40; i++) {
		/* Host 0's answers (RSTs) are kept away: a spoofed source does not answer. */
		f.sport = (uint16_t)(10000 + i);
		f.seq = i * 1000u;
		pair_inject(p, 1, &f);
	}
	pair_step(p);
	assert_int_equal(p->h[1].s->usage.half_open, 16);
	assert_int_equal(counter(p, 1, "syn_cookies_sent"), 24);
	assert_int_equal(counter(p, 1, "syn_cookies_entered"), 1);
	while (p->queue != NULL) { /* nobody answers the flood */
		struct packet *gone = p->queue;

		p->queue = gone->next;
		rte_pktmbuf_free(gone->m);
		free(gone);
	}
	p->app[0].to_send = 100000;
	p->app[0].shutdown_after = true;
	pair_connect(p);
	pair_run(p, p->now + 500 * MS);
	assert_true(p->app[1].accepted);
	assert_int_equal(counter(p, 1, "syn_cookies_valid"), 1);
	assert_int_equal(p->app[1].received, 100000);
	assert_false(p->app[1].bad);
	assert_true(p->app[1].c->flags & TCP_F_SACK);
	assert_true(p->app[1].c->flags & TCP_F_TIMESTAMPS);
	assert_int_equal(p->app[1].c->peer_mss, 1460);
	assert_int_equal(p->app[1].c->snd_wscale, p->app[0].c->rcv_wscale);
	assert_int_equal(p->app[0].c->snd_wscale, p->app[1].c->rcv_wscale);
	/* A guess is not good enough. */
	f.flags = ACK;
	f.sport = 22222;
	f.ack = 0x12345678;
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "syn_cookies_invalid"), 1);
	/* The half-open ones expire; the next SYN finds calm. */
	pair_run(p, p->now + 200 * SEC);
	assert_int_equal(p->h[1].s->usage.half_open, 0);
	f.flags = SYN;
	pair_inject(p, 1, &f);
	pair_step(p);
	assert_int_equal(counter(p, 1, "syn_cookies_left"), 1);
	assert_int_equal(p->h[1].s->usage.half_open, 1);
	finish(p);
}

/* Malformed options neither crash nor desynchronise. */
static void test_bad_options(void **state)
{
	struct pair *p = established(no_timestamps);
	struct forge f = next_to_1(p);
	static const uint8_t bad[][4] = {{2, 0, 0, 0}, {2, 1, 0, 0}, {5, 200, 0, 0}, {8, 3, 0, 0},
		{1, 1, 1, 3}, {5, 4, 1, 1}};

	p->app[1].no_read = true;
	f.opt_len = 4;
	f.len = 1;
	for (size_t i = 0; i < 6; i++) {
		f.opt = bad[i];
		pair_inject(p, 1, &f);
		f.seq++;
	}
	pair_run(p, p->now + MS);
	assert_int_equal(tcp_readable(p->app[1].c), 6);
	assert_int_equal(counter(p, 1, "bad_options"), 6);
	finish(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_syn_in_window),
		cmocka_unit_test(test_blind_ack),
		cmocka_unit_test(test_paws),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_ooo_limit),
		cmocka_unit_test(test_tiny_segments),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_data_after_fin),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_land),
		cmocka_unit_test(test_mss_floor),
		cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_icmp_connect),
		cmocka_unit_test(test_syn_cookies),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, pair_setup_eal, NULL);
}
