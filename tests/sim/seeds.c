/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a number a path, two configurations and some connections; every byte must arrive, every
 * connection be closed, and nothing be left in use.
 *
 *   sim_seeds [--from N] [--count N] [--mode NAME] [--trace]
 *
 * A failing seed is printed with the command that repeats it alone.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/flow.h"

#define HOUR (3600 * SIM_SECOND)

enum mode {
	MODE_PLAIN, /* loss, reordering, duplication up to 10 % each */
	MODE_HARSH, /* up to 20 %, bursts, corruption, narrow queues, slow readers, LAN to satellite
		     */
	MODE_PMTU,  /* the path is narrower than the interface, with and without ICMP */
	MODE_VANISH, /* the path dies for good half way */
	MODE_FRAMES, /* plain, through the IP layer */
	MODES,
};

static const char *const mode_names[MODES] = {
	[MODE_PLAIN] = "plain",
	[MODE_HARSH] = "harsh",
	[MODE_PMTU] = "pmtu",
	[MODE_VANISH] = "vanish",
	[MODE_FRAMES] = "frames",
};

struct run {
	enum mode mode;
	uint64_t seed;
	FILE *trace;
	struct sim_pools pools[2];
};

static void path_plain(struct rng *r, struct sim_link_params *l)
{
	*l = (struct sim_link_params){
		.delay = rng_range(r, 0, 60) * SIM_MS,
		.jitter = rng_chance(r, 500000) ? rng_range(r, 0, 5) * SIM_MS : 0,
		.reorder_by = rng_range(r, 1, 50) * SIM_MS,
		.loss = (uint32_t)rng_range(r, 0, 100000),
		.reorder = (uint32_t)rng_range(r, 0, 100000),
		.duplicate = (uint32_t)rng_range(r, 0, 100000),
	};
	if (rng_chance(r, 300000)) {
		l->rate = rng_range(r, 100, 10000) * 1000;
		l->queue = (uint32_t)rng_range(r, 20, 200) * 1000;
	}
}

static void path_harsh(struct rng *r, struct sim_link_params *l)
{
	static const uint64_t delays_us[] = {20, 500, 5000, 40000, 150000, 300000};

	path_plain(r, l);
	l->delay = delays_us[rng_below(r, 6)] * 1000;
	l->loss = (uint32_t)rng_range(r, 0, 200000);
	l->loss_goes_on = rng_chance(r, 300000) ? (uint32_t)rng_range(r, 0, 500000) : l->loss;
	l->corrupt = (uint32_t)rng_range(r, 0, 50000);
	l->rate = rng_range(r, 50, 20000) * 1000;
	l->queue = (uint32_t)rng_range(r, 5, 100) * 1000;
	l->mark_from = rng_chance(r, 300000) ? l->queue / 2 : 0;
}

static void path_make(struct rng *r, enum mode mode, struct sim_link_params *l)
{
	switch (mode) {
	case MODE_HARSH:
		path_harsh(r, l);
		break;
	case MODE_PMTU:
		path_plain(r, l);
		l->loss /= 4;
		l->mtu = (uint32_t)rng_range(r, 600, 1500);
		l->black_hole = rng_chance(r, 500000);
		break;
	case MODE_PLAIN:
	case MODE_VANISH:
	case MODE_FRAMES:
	case MODES:
		path_plain(r, l);
		break;
	}
	if (mode != MODE_HARSH)
		l->loss_goes_on = l->loss;
}

static void config_make(struct rng *r, uint64_t seed, struct tcp_config *c)
{
	sim_config(c, seed);
	c->timestamps = !rng_chance(r, 200000);
	c->sack = !rng_chance(r, 200000);
	c->window_scale = !rng_chance(r, 100000);
	c->ecn = rng_chance(r, 500000);
	c->cc = rng_chance(r, 300000) ? TCP_CC_NEWRENO : TCP_CC_CUBIC;
	if (rng_chance(r, 200000))
		c->recv_buffer = (uint32_t)rng_range(r, 4, 40) * 1024;
	if (rng_chance(r, 200000))
		c->send_buffer = (uint32_t)rng_range(r, 4, 40) * 1024;
	if (rng_chance(r, 200000))
		c->max_syn_backlog = 1; /* cookies for the rest */
}

static uint64_t size_make(struct rng *r)
{
	switch (rng_below(r, 5)) {
	case 0:
		return rng_below(r, 3); /* nothing or nearly */
	case 1:
		return rng_below(r, 1500);
	default:
		return rng_below(r, 60000);
	}
}

static int flows_make(struct rng *r, const struct run *run, bool cookies, struct sim_flows *flows)
{
	uint32_t count = (uint32_t)rng_range(r, 1, 3);

	for (uint32_t i = 0; i < count; i++) {
		uint64_t last = run->mode == MODE_VANISH ? SIM_CLOSE_ABORT - 1 : SIM_CLOSE_ABORT;
		enum sim_close how = (enum sim_close)rng_range(r, SIM_CLOSE_HALF, last);
		bool v6 = rng_chance(r, 500000), slow = rng_chance(r, 300000);
		uint64_t up = size_make(r), down = size_make(r);
		int ret;

		/* With a cookie the server knows of nothing until the client speaks: a lost ACK of
		 * the handshake leaves both waiting for the other, RFC 4987 3.6. */
		if (cookies)
			up++;
		/* No link of IPv6 is narrower than this, RFC 8200 5. */
		for (int side = 0; side < 2; side++) {
			uint32_t mtu = flows->world->link[side].params.mtu;

			v6 = v6 && (mtu == 0 || mtu >= 1280);
		}
		ret = sim_flow_start(flows, how, v6, up, down, slow ? 200000 : 0,
			rng_range(r, 1, 3000) * SIM_MS);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Runs until nothing is left to happen. False: it goes on for ever. */
static bool world_run(struct run *run, struct sim_world *w, struct sim_flows *flows, struct rng *r)
{
	uint64_t dies = w->now + rng_range(r, 0, 2000) * SIM_MS, end = w->now + 4 * HOUR;
	bool stopped = false;

	sim_world_kick(w);
	while (sim_world_step(w, end)) {
		if (run->mode == MODE_VANISH && w->now >= dies)
			w->link[0].params.dead = w->link[1].params.dead = true;
		if (!stopped && sim_flows_over(flows)) {
			tcp_unlisten(w->host[1].tcp, flows->listener);
			flows->listener = NULL;
			stopped = true;
		}
		if (w->steps > 200000)
			return false;
		if (stopped && sim_world_left(w, NULL) == 0)
			return true;
	}
	return w->now < end || sim_world_left(w, NULL) == 0;
}

/* In a path that died nothing but the end of it is certain. */
static bool vanish_check(const struct sim_flows *flows, FILE *out)
{
	bool ok = true;

	for (uint32_t i = 0; i < flows->count; i++) {
		for (int side = 0; side < 2; side++) {
			const struct sim_end *e = &flows->flow[i].end[side];

			if (e->bad_byte || (!e->finished && (e->up || side == 0))) {
				fprintf(out, "  flow %u %d: %s\n", i + 1, side,
					e->bad_byte ? "wrong bytes" : "not closed");
				ok = false;
			}
		}
	}
	return ok;
}

static bool seed_run(struct run *run)
{
	struct rng r = {run->seed * 2654435761u + run->mode};
	struct sim_world_params params = {
		.seed = rng_next(&r),
		.frames = run->mode == MODE_FRAMES,
		.trace = run->trace,
	};
	static struct sim_flows flows;
	struct sim_world w;
	bool ok;

	/* Near the wraps of the wheel's tick and of the timestamps now and then. */
	params.start = rng_chance(&r, 100000) ? (UINT64_C(1) << 50) - rng_below(&r, 20 * SIM_SECOND)
					      : rng_below(&r, UINT64_C(1) << 52);
	for (int i = 0; i < 2; i++) {
		path_make(&r, run->mode, &params.link[i]);
		config_make(&r, rng_next(&r), &params.config[i]);
		params.tso_max[i] = rng_chance(&r, 200000) ? 65535 : 0;
	}
	if (sim_world_create(&w, &params, run->pools) < 0 ||
		sim_flows_init(&flows, &w, rng_next(&r)) < 0 ||
		flows_make(&r, run, params.config[1].max_syn_backlog == 1, &flows) < 0) {
		fprintf(stderr, "seed %ju: cannot be set up\n", (uintmax_t)run->seed);
		return false;
	}
	ok = world_run(run, &w, &flows, &r);
	if (!ok)
		fprintf(stderr, "  still going on after %ju steps\n", (uintmax_t)w.steps);
	if (run->mode == MODE_VANISH)
		ok = vanish_check(&flows, stderr) && ok;
	else
		ok = sim_flows_check(&flows, stderr) && ok;
	ok = sim_world_left(&w, stderr) == 0 && ok;
	if (flows.listener != NULL)
		sim_flows_stop(&flows);
	sim_world_destroy(&w);
	if (sim_pools_out(&run->pools[0]) + sim_pools_out(&run->pools[1]) != 0) {
		fprintf(stderr, "  mbufs lost\n");
		exit(1);
	}
	return ok;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim_seeds [--from N] [--count N] [--mode");
	for (int m = 0; m < MODES; m++)
		fprintf(stderr, "%c%s", m == 0 ? ' ' : '|', mode_names[m]);
	fprintf(stderr, "] [--trace]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct run run = {.mode = MODE_PLAIN};
	uint64_t from = 1, count = 1000, failed = 0;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--trace") == 0) {
			run.trace = stderr;
		} else if (value != NULL && strcmp(argv[i], "--from") == 0) {
			from = strtoull(argv[++i], NULL, 10);
		} else if (value != NULL && strcmp(argv[i], "--count") == 0) {
			count = strtoull(argv[++i], NULL, 10);
		} else if (value != NULL && strcmp(argv[i], "--mode") == 0) {
			for (run.mode = 0; run.mode < MODES; run.mode++) {
				if (strcmp(value, mode_names[run.mode]) == 0)
					break;
			}
			if (run.mode == MODES)
				return usage();
			i++;
		} else {
			return usage();
		}
	}
	if (sim_eal_init() != 0 ||
		sim_pools_create(&run.pools[0], "client", 4095, 4095, 1023) < 0 ||
		sim_pools_create(&run.pools[1], "server", 4095, 4095, 1023) < 0) {
		fprintf(stderr, "sim_seeds: no memory for the pools\n");
		return 1;
	}
	for (run.seed = from; run.seed < from + count; run.seed++) {
		if (seed_run(&run))
			continue;
		failed++;
		fprintf(stderr, "seed %ju failed: %s --mode %s --from %ju --count 1 --trace\n",
			(uintmax_t)run.seed, argv[0], mode_names[run.mode], (uintmax_t)run.seed);
	}
	printf("%s: %ju seeds, %ju failed\n", mode_names[run.mode], (uintmax_t)count,
		(uintmax_t)failed);
	return failed == 0 ? 0 : 1;
}
