// SPDX-License-Identifier: BSD-3-Clause
/*
 * postgate-load: a traffic generator for mail gateways, client and server side, on Postgate's own
 * net, tcp, tls and smtp (or the kernel's sockets). options.c says what it can be asked for. With
 * both ends and two lcores each end has its own, else one thread does all.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_ring.h>

#include "dataplane/clock.h"
#include "dataplane/port.h"
#include "tests/loadgen/certificate.h"
#include "tests/loadgen/client.h"
#include "tests/loadgen/host.h"
#include "tests/loadgen/hostile.h"
#include "tests/loadgen/kernel.h"
#include "tests/loadgen/options.h"
#include "tests/loadgen/report.h"
#include "tests/loadgen/sink.h"

#define FAIL(...) (fprintf(stderr, "postgate-load: " __VA_ARGS__), fputc('\n', stderr), -1)

#define SECOND     UINT64_C(1000000000)
#define LINK_WAIT  UINT64_C(10000000000) /* for the other side of a memif to be there */
#define DRAIN_WAIT UINT64_C(5000000000)  /* for what is under way when the time is over */
#define SELF_RING  4096

static _Atomic bool interrupted;

struct end {
	struct port *port;
	struct transport *transport;
	struct tls_lib *lib;
	struct tls_context *tls;
};

struct load {
	struct options options;
	struct clock_tsc clock;
	struct end ends[2]; /* client, sink */
	struct client *client;
	struct sink *sink;
	struct hostile *hostile;
	uint16_t port_count;
	bool hosts;
	_Atomic bool stop;
	uint64_t started;
	struct rusage usage;
	struct report report;
};

enum { END_CLIENT, END_SINK };

static uint64_t load_now(const struct load *l)
{
	return clock_tsc_ns(&l->clock, rte_rdtsc());
}

static uint64_t random64(void)
{
	uint64_t v;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		v = rte_rdtsc();
	return v;
}

/* --- EAL and devices --- */

/* Nothing of EAL's is asked for: no devices, no hugepages, no fixed core. */
static int start_bare_eal(char *name)
{
	static char lcores[80] = "0@(0)";
	static char options[][16] = {"--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=3", "-m", "2048", "--lcores"};
	static char *args[RTE_DIM(options) + 2];
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	char cpus[64];

	if (f && fgets(cpus, sizeof(cpus), f)) {
		cpus[strcspn(cpus, "\n")] = '\0';
		snprintf(lcores, sizeof(lcores), "0@(%s)", cpus);
	}
	if (f)
		fclose(f);
	args[0] = name;
	for (size_t i = 0; i < RTE_DIM(options); i++)
		args[i + 1] = options[i];
	args[RTE_DIM(options) + 1] = lcores;
	return rte_eal_init(RTE_DIM(args), args);
}

static int start_eal(struct load *l, int argc, char **argv)
{
	int rc = argc > 1 ? rte_eal_init(argc, argv) : start_bare_eal(argv[0]);

	if (rc < 0)
		return FAIL("DPDK does not start: %s", rte_strerror(rte_errno));
	clock_tsc_init(&l->clock);
	return 0;
}

/* Two ports, each of which gets what the other sends. */
static int create_self_devices(uint16_t devices[2])
{
	struct rte_ring *a =
		rte_ring_create("self_a", SELF_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	struct rte_ring *b =
		rte_ring_create("self_b", SELF_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	int da, db;

	if (!a || !b)
		return FAIL("no memory for rings");
	da = rte_eth_from_rings("self_client", &a, 1, &b, 1, 0);
	db = rte_eth_from_rings("self_sink", &b, 1, &a, 1, 0);
	if (da < 0 || db < 0)
		return FAIL("net_ring: %s", rte_strerror(rte_errno));
	devices[0] = (uint16_t)da;
	devices[1] = (uint16_t)db;
	return 0;
}

static int find_device(struct load *l, const struct options_end *e, uint16_t *device)
{
	if (e->device[0] == '\0') {
		*device = l->port_count;
		return rte_eth_dev_is_valid_port(*device)
			       ? 0
			       : FAIL("there is no device for that end (--vdev=..., @DEVICE)");
	}
	return rte_eth_dev_get_port_by_name(e->device, device) == 0
		       ? 0
		       : FAIL("there is no device %s", e->device);
}

static int create_host(struct load *l, int which, uint16_t device, const struct options_end *e)
{
	const struct options *o = &l->options;
	const struct client_workload *w = &o->workload;
	struct end *end = &l->ends[which];
	struct net_addr_config *addrs = calloc(e->count, sizeof(*addrs));
	struct port_params pp = {
		.id = l->port_count,
		.device_count = 1,
		.devices = {device},
		.worker_count = 1,
		.rx_mbufs = o->mbufs,
		.mtu = (uint16_t)o->mtu,
	};
	struct host_params hp = {
		.addrs = addrs,
		.addr_count = (uint16_t)e->count,
		.gateway = e->gateway,
		.max_conns = (w->rate > 0 ? w->max_active : w->sessions) + w->idle + 8192 +
			     (o->hostile.mode ? o->hostile.sessions : 0),
		.mbufs = o->mbufs,
		.clock = &l->clock,
		.name = which == END_CLIENT ? "client" : "sink",
	};
	const uint8_t mac[6] = {2, 0, 0, 0, 3, (uint8_t)which}; /* net_ring has none */
	char error[PORT_ERROR_SIZE];
	int rc;

	if (o->self_test)
		hp.mac = mac;
	if (!addrs)
		return FAIL("no memory");
	for (uint32_t i = 0; i < e->count; i++) {
		addrs[i] = (struct net_addr_config){.addr = e->first, .plen = e->plen};
		addrs[i].addr.w[3] = htonl(ntohl(e->first.w[3]) + i);
	}
	rc = port_create(&pp, &end->port, error);
	if (rc < 0) {
		rc = FAIL("%s", error);
	} else {
		l->port_count++;
		hp.port = end->port;
		rc = host_create(&hp, &end->transport);
		if (rc < 0)
			rc = FAIL("%s: %s", hp.name, strerror(-rc));
	}
	if (rc == 0)
		port_set_addresses(end->port, &addrs[0].addr, 0);
	free(addrs);
	return rc;
}

/* 198.51.100.2 and on against .1. */
static void make_self_ends(struct options *o)
{
	o->client.given = o->sink.given = true;
	o->client.first = ip_addr_from_v4(htonl(0xc6336402));
	o->client.count = 32;
	o->sink.first = o->target = ip_addr_from_v4(htonl(0xc6336401));
	o->sink.count = 1;
	o->client.plen = o->sink.plen = 120;
}

static int create_ends(struct load *l)
{
	struct options *o = &l->options;
	uint16_t devices[2] = {0};

	if (o->kernel) {
		for (int i = 0; i < 2; i++) {
			int rc = kernel_create(&l->ends[i].transport);

			if (rc < 0)
				return FAIL("epoll: %s", strerror(-rc));
		}
		return 0;
	}
	l->hosts = true;
	if (o->self_test && create_self_devices(devices) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		const struct options_end *e = i == END_CLIENT ? &o->client : &o->sink;

		if (!e->given)
			continue;
		if (!o->self_test && find_device(l, e, &devices[i]) < 0)
			return -1;
		if (create_host(l, i, devices[i], e) < 0)
			return -1;
	}
	return 0;
}

/* --- Client, sink, hostile clients --- */

static int create_tls(struct load *l)
{
	const struct options *o = &l->options;

	for (int i = 0; i < 2; i++) {
		if (tls_lib_create(&l->ends[i].lib) < 0)
			return FAIL("TLS: OpenSSL does not start");
	}
	if (certificate_client_context(l->ends[END_CLIENT].lib,
		    o->hostile.mode == HOSTILE_RENEGOTIATE ? "1.2" : o->tls_version, o->groups,
		    &l->ends[END_CLIENT].tls) < 0)
		return -1;
	return certificate_server_context(
		l->ends[END_SINK].lib, o->cert, o->key, &l->ends[END_SINK].tls);
}

static int create_client(struct load *l)
{
	const struct options *o = &l->options;
	struct client_params params = {
		.workload = o->workload,
		.transport = l->ends[END_CLIENT].transport,
		.tls = l->ends[END_CLIENT].tls,
		.local_first = o->client.first,
		.local_count = o->client.count,
		.target = o->target,
		.port = o->target_port,
		.run = (uint32_t)random64(),
		.seed = random64(),
	};
	int rc = client_create(&params, &l->client);

	return rc < 0 ? FAIL("client: %s", strerror(-rc)) : 0;
}

static int create_sink(struct load *l)
{
	const struct options *o = &l->options;
	const struct sink_params params = {
		.transport = l->ends[END_SINK].transport,
		.addr = o->sink.first,
		.port = o->sink_port,
		.tls = o->sink_plain ? NULL : l->ends[END_SINK].tls,
		.no_chunking = o->no_chunking,
		.no_pipelining = o->no_pipelining,
		.hostname = "sink.example.net",
	};
	int rc = sink_create(&params, &l->sink);

	return rc < 0 ? FAIL("sink: %s", strerror(-rc)) : 0;
}

static int create_hostile(struct load *l)
{
	const struct options *o = &l->options;
	const struct options_end *from = o->hostile_from.given ? &o->hostile_from : &o->client;
	const struct hostile_params params = {
		.workload = o->hostile,
		.transport = l->ends[END_CLIENT].transport,
		.segments = l->hosts,
		.tls = l->ends[END_CLIENT].tls,
		.local_first = from->first,
		.local_count = from->count,
		.target = o->target,
		.port = o->target_port,
		.seed = random64(),
	};
	int rc;

	if (o->workload.sessions > 0 && !o->hostile_from.given && l->hosts)
		return FAIL("--hostile with ordinary sessions needs --hostile-from: some of "
			    "--client's addresses (or --sessions 0)");
	rc = hostile_create(&params, &l->hostile);
	if (rc == -ENOTSUP)
		return FAIL("--hostile %s needs segments of its own: not with --kernel",
			hostile_mode_name(o->hostile.mode));
	return rc < 0 ? FAIL("hostile: %s", strerror(-rc)) : 0;
}

/* The ordinary clients keep off the hostile ones' addresses, which are the last of the range. */
static int split_addresses(struct options *o)
{
	uint32_t first, offset;

	if (!o->hostile_from.given || o->hostile.mode == HOSTILE_NONE || o->kernel)
		return 0;
	first = ntohl(o->client.first.w[3]);
	offset = ntohl(o->hostile_from.first.w[3]) - first;
	if (o->hostile_from.first.q[0] != o->client.first.q[0] ||
		offset + o->hostile_from.count > o->client.count)
		return FAIL("--hostile-from: not in --client's range");
	if (o->workload.sessions > 0 && offset == 0)
		return FAIL("--hostile-from: leave the first addresses to the ordinary clients");
	return 0;
}

static int create_all(struct load *l)
{
	struct options *o = &l->options;
	bool client;

	if (o->self_test)
		make_self_ends(o);
	client = o->client.given || (o->kernel && !ip_addr_is_unspecified(&o->target));
	if (split_addresses(o) < 0 || create_ends(l) < 0 || create_tls(l) < 0)
		return -1;
	if (o->sink.given && create_sink(l) < 0)
		return -1;
	if (o->hostile.mode != HOSTILE_NONE && create_hostile(l) < 0)
		return -1;
	if (o->hostile.mode != HOSTILE_NONE && o->hostile_from.given)
		o->client.count = ntohl(o->hostile_from.first.w[3]) - ntohl(o->client.first.w[3]);
	if (client &&
		o->workload.sessions + o->workload.idle + (uint32_t)(o->workload.rate > 0) > 0 &&
		create_client(l) < 0)
		return -1;
	return 0;
}

static void destroy_all(struct load *l)
{
	client_destroy(l->client);
	hostile_destroy(l->hostile);
	sink_destroy(l->sink);
	for (int i = 0; i < 2; i++) {
		struct end *e = &l->ends[i];

		if (e->transport)
			e->transport->ops->destroy(e->transport);
		port_destroy(e->port);
		tls_context_free(e->tls);
		if (e->lib)
			tls_lib_destroy(e->lib);
	}
}

/* --- The loop --- */

static uint32_t turn(struct load *l, bool client, bool sink, uint64_t now)
{
	struct transport *c = client ? l->ends[END_CLIENT].transport : NULL;
	struct transport *s = sink ? l->ends[END_SINK].transport : NULL;
	uint32_t work = 0;

	if (c)
		work += c->ops->receive(c, now);
	if (s)
		work += s->ops->receive(s, now);
	if (client && l->client)
		work += client_poll(l->client, now);
	if (client && l->hostile)
		work += hostile_poll(l->hostile, now);
	if (c)
		c->ops->send(c, now);
	if (s)
		s->ops->send(s, now);
	return work;
}

static void rest(const struct load *l, uint32_t work)
{
	const struct timespec ts = {.tv_nsec = (long)l->options.idle_sleep_us * 1000};

	if (work == 0 && ts.tv_nsec > 0)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static int sink_main(void *arg)
{
	struct load *l = arg;

	while (!atomic_load_explicit(&l->stop, memory_order_relaxed))
		rest(l, turn(l, false, true, load_now(l)));
	return 0;
}

static double cpu_seconds(const struct rusage *since)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec - since->ru_utime.tv_sec) +
	       (double)(u.ru_stime.tv_sec - since->ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec - since->ru_utime.tv_usec) * 1e-6 +
	       (double)(u.ru_stime.tv_usec - since->ru_stime.tv_usec) * 1e-6;
}

static bool links_up(const struct load *l)
{
	for (int i = 0; i < 2; i++) {
		if (l->ends[i].port && !port_link_up(l->ends[i].port))
			return false;
	}
	return true;
}

/* The stacks must run meanwhile: a sink is looked for from the first moment on. */
static int wait_for_links(struct load *l, bool with_sink)
{
	uint64_t end = load_now(l) + LINK_WAIT;

	while (!links_up(l)) {
		uint64_t now = load_now(l);

		if (now > end || atomic_load(&interrupted))
			return FAIL("the link is down: is the other side there?");
		for (int i = 0; i < 2; i++) {
			struct transport *t = l->ends[i].transport;

			if (!t || (i == END_SINK && !with_sink))
				continue;
			t->ops->receive(t, now);
			t->ops->send(t, now);
		}
		rte_delay_us_sleep(1000);
	}
	return 0;
}

static void run(struct load *l, bool with_sink)
{
	const struct options *o = &l->options;
	uint64_t now = load_now(l), next = now + SECOND, warm, end, drain = 0;

	l->started = now;
	getrusage(RUSAGE_SELF, &l->usage);
	end = o->duration > 0 ? now + (uint64_t)(o->duration * 1e9) : UINT64_MAX;
	warm = now + (uint64_t)(o->warm_up * 1e9);
	for (;;) {
		rest(l, turn(l, true, with_sink, now));
		now = load_now(l);
		l->report.seconds = (double)(now - l->started) * 1e-9;
		if (now >= next) {
			if (!o->quiet)
				report_progress(&l->report, (double)(now - next + SECOND) * 1e-9);
			next = now + SECOND;
		}
		if (warm > 0 && now >= warm) {
			if (l->client)
				client_forget_times(l->client);
			warm = 0;
		}
		if (drain == 0 && (now >= end || atomic_load(&interrupted))) {
			drain = now + DRAIN_WAIT;
			if (l->client)
				client_stop(l->client);
		}
		if ((drain > 0 && now >= drain) ||
			(l->client && client_is_finished(l->client) &&
				(drain > 0 || l->hostile == NULL)) ||
			(drain > 0 && !l->client))
			break;
	}
	l->report.cpu_seconds = cpu_seconds(&l->usage);
}

static int go(struct load *l)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);
	bool apart = lcore < RTE_MAX_LCORE && (l->client || l->hostile) && l->sink;

	l->report.client = l->client;
	l->report.sink = l->sink;
	l->report.hostile = l->hostile;
	if (l->hosts) {
		l->report.client_host = l->ends[END_CLIENT].transport;
		l->report.sink_host = l->ends[END_SINK].transport;
	}
	if (apart && rte_eal_remote_launch(sink_main, l, lcore) != 0)
		return FAIL("lcore %u does not take the sink", lcore);
	if (wait_for_links(l, !apart) == 0)
		run(l, !apart);
	atomic_store(&l->stop, true);
	rte_eal_mp_wait_lcore();
	if (l->started == 0)
		return -1;
	report_table(&l->report);
	if (l->options.json && report_json(&l->report, l->options.json) < 0)
		return FAIL("%s: cannot be written", l->options.json);
	return report_verdict(&l->report);
}

static void on_signal(int sig)
{
	(void)sig;
	atomic_store(&interrupted, true);
}

int main(int argc, char **argv)
{
	static struct load l;
	int eal_argc, rc;

	switch (options_parse(argc, argv, &eal_argc, &l.options)) {
	case 0:
		break;
	case 1:
		return 0;
	default:
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	if (start_eal(&l, eal_argc, argv) < 0)
		return 2;
	rc = create_all(&l);
	if (rc == 0)
		rc = go(&l);
	destroy_all(&l);
	options_fini(&l.options);
	rte_eal_cleanup();
	return rc < 0 ? 2 : rc;
}
