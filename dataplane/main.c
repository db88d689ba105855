// SPDX-License-Identifier: BSD-3-Clause
/*
 * postgate-dataplane: EAL, ports, workers, control thread; in this order up and in the other down.
 * Everything that needs privileges (devices, memory, socket, pid file) is done before they are
 * given up, and that before the first worker sees a packet. Exit codes: 0 ended by signal, 1
 * failed, 2 usage.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <urcu-qsbr.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "dataplane/ctl/ctl.h"
#include "dataplane/exception_tap.h"
#include "dataplane/host.h"
#include "dataplane/options.h"
#include "dataplane/port.h"
#include "dataplane/port_rss.h"
#include "dataplane/worker.h"
#include "tls/arena.h"

#define LINK_WAIT_MS 5000 /* some links are up late; later than that is told, not waited for */
/* Address space for the TLS memory of all workers together, of which they touch what they use. */
#define TLS_RANGE_MAX    (UINT64_C(64) << 30)
#define TLS_RANGE_MIN    (UINT64_C(1) << 30)
#define CTL_MBUFS_MIN    4096
#define EXCEPTION_BUDGET 64 /* frames each way that one turn of the control thread moves */

/* A port as the control thread knows it. */
struct port_handle {
	struct port *port;
	struct exception_tap *exception; /* NULL: none */
};

struct dataplane {
	struct options options;
	struct host_user user;
	struct worker_group group;
	struct worker *workers[PORT_MAX_WORKERS];
	unsigned int lcores[PORT_MAX_WORKERS];
	int sockets[PORT_MAX_WORKERS];
	struct tls_arena *arenas[PORT_MAX_WORKERS];
	struct port *ports[OPTIONS_PORTS_MAX];
	struct exception_tap *exceptions[OPTIONS_PORTS_MAX]; /* by port; NULL: none */
	struct ctl_port ctl_ports[OPTIONS_PORTS_MAX];
	struct port_handle port_handles[OPTIONS_PORTS_MAX];
	struct ctl_poll ctl_polls[OPTIONS_PORTS_MAX];
	uint16_t poll_count;
	uint16_t port_count;
	struct ctl *ctl;
};

#define FAIL(...) (fprintf(stderr, "postgate-dataplane: " __VA_ARGS__), fputc('\n', stderr), -1)

/* --- Start --- */

static int start_eal(const struct options *o, int argc, char **argv)
{
	static char in_memory[] = "--in-memory", no_shconf[] = "--no-shconf",
		    no_telemetry[] = "--no-telemetry";
	char **args = calloc((size_t)argc + 3, sizeof(*args));
	bool no_huge = false;
	int n = 0, rc;

	if (args == NULL)
		return FAIL("no memory");
	for (int i = 1; i < argc; i++)
		no_huge |= strcmp(argv[i], "--no-huge") == 0;
	args[n++] = argv[0];
	if (!o->shared_memory) {
		/* EAL takes --in-memory for hugepages only; without them this is all of it. */
		args[n++] = no_huge ? no_shconf : in_memory;
		args[n++] = no_telemetry;
	}
	for (int i = 1; i < argc; i++) {
		if (!no_huge || strcmp(argv[i], in_memory) != 0)
			args[n++] = argv[i];
	}
	/* EAL keeps pointers into it: it lives as long as the process. */
	rc = rte_eal_init(n, args);
	if (rc >= 0) {
		/* librte_ip_frag tells its table's size there. */
		rte_log_set_level(RTE_LOGTYPE_USER1, RTE_LOG_WARNING);
		return 0;
	}
	switch (rte_errno) {
	case EACCES:
	case EPERM:
		return FAIL("DPDK does not start: no permission (the lines above say for what)");
	case ENOMEM:
		return FAIL("DPDK does not start: not enough memory or hugepages");
	case ENOTSUP:
		return FAIL("DPDK does not start: a device cannot be used (see the lines above)");
	default:
		return FAIL(
			"DPDK does not start: %s (see the lines above)", rte_strerror(rte_errno));
	}
}

static int find_lcores(struct dataplane *d)
{
	unsigned int lcore;

	RTE_LCORE_FOREACH_WORKER (lcore) {
		if (d->group.count == PORT_MAX_WORKERS)
			return FAIL("more than %d worker lcores", PORT_MAX_WORKERS);
		d->sockets[d->group.count] = (int)rte_lcore_to_socket_id(lcore);
		d->lcores[d->group.count++] = lcore;
	}
	if (d->group.count == 0)
		return FAIL(
			"no worker lcore: the main lcore is the control thread, give at least one "
			"more (-l 0,1)");
	d->group.workers = d->workers;
	return 0;
}

static int create_port(struct dataplane *d, const uint16_t *devices, uint16_t count)
{
	uint8_t rss_key[PORT_RSS_KEY_MAX];
	struct port_params params = {
		.id = d->port_count,
		.device_count = count,
		.worker_count = d->group.count,
		.sockets = d->sockets,
		.rx_mbufs = d->options.mbufs,
		.link_wait_ms = LINK_WAIT_MS,
		.no_offloads = d->options.no_offloads,
		.no_tso = d->options.no_tso,
		.sender_rss = d->options.sender_rss,
		.rss_key = rss_key,
	};
	struct ctl_port *c = &d->ctl_ports[d->port_count];
	struct port **p = &d->ports[d->port_count];
	char error[PORT_ERROR_SIZE];

	if (d->port_count == OPTIONS_PORTS_MAX)
		return FAIL("more than %d ports", OPTIONS_PORTS_MAX);
	if (getrandom(rss_key, sizeof(rss_key), 0) != sizeof(rss_key))
		return FAIL("no random numbers: %s", strerror(errno));
	memcpy(params.devices, devices, count * sizeof(devices[0]));
	if (port_create(&params, p, error) < 0)
		return FAIL("%s", error);
	*c = (struct ctl_port){.name = port_name(*p),
		.driver = port_driver(*p),
		.mtu = port_mtu(*p),
		.handle = d->port_handles + d->port_count};
	d->port_handles[d->port_count] = (struct port_handle){*p, NULL};
	port_mac(*p, c->mac);
	d->port_count++;
	return 0;
}

/* "net_af_xdp0,net_af_xdp1" */
static int create_named_port(struct dataplane *d, char *names)
{
	uint16_t devices[PORT_MAX_DEVICES], count = 0;
	char *save, *name;

	for (name = strtok_r(names, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
		if (count == PORT_MAX_DEVICES)
			return FAIL("--port: more than %d devices", PORT_MAX_DEVICES);
		if (rte_eth_dev_get_port_by_name(name, &devices[count]) != 0)
			return FAIL("--port: there is no device %s", name);
		count++;
	}
	return count == 0 ? FAIL("--port: no device") : create_port(d, devices, count);
}

static int create_ports(struct dataplane *d)
{
	uint16_t device;

	for (unsigned int i = 0; i < d->options.port_count; i++) {
		if (create_named_port(d, d->options.ports[i]) < 0)
			return -1;
	}
	if (d->options.port_count == 0) {
		RTE_ETH_FOREACH_DEV (device) {
			if (create_port(d, &device, 1) < 0)
				return -1;
		}
	}
	if (d->port_count == 0)
		return FAIL("no device that DPDK has a driver for (-a PCI-address, --vdev=...)");
	return 0;
}

static uint32_t poll_exception(void *tap)
{
	return exception_tap_poll(tap, EXCEPTION_BUDGET);
}

/* Before privileges are given up: a netdev is not to be made without them. */
static int create_exception(struct dataplane *d, const struct options_exception *o)
{
	struct exception_tap_params params = {
		.name = o->tap,
		.worker_count = d->group.count,
		.per_second = o->per_second,
	};
	uint16_t p = 0;
	int rc;

	while (p < d->port_count && strcmp(port_name(d->ports[p]), o->port) != 0)
		p++;
	if (p == d->port_count)
		return FAIL("--exception: there is no port %s", o->port);
	if (d->exceptions[p] != NULL)
		return FAIL("--exception: port %s has one already", o->port);
	port_mac(d->ports[p], params.mac);
	params.mtu = port_mtu(d->ports[p]);
	params.socket_id = port_socket(d->ports[p]);
	rc = exception_tap_create(&params, &d->exceptions[p]);
	if (rc == -EBUSY || rc == -EINVAL)
		return FAIL("--exception: %s is %s", o->tap,
			rc == -EBUSY ? "in use" : "another kind of netdev");
	if (rc == -EPERM)
		return FAIL("--exception: no permission to make TAP %s or set its MTU to %u: "
			    "CAP_NET_ADMIN, or beforehand `ip tuntap add dev %s mode tap user ...`",
			o->tap, params.mtu, o->tap);
	if (rc < 0)
		return FAIL("--exception: TAP %s: %s", o->tap, strerror(-rc));
	d->port_handles[p].exception = d->exceptions[p];
	d->ctl_polls[d->poll_count++] = (struct ctl_poll){
		.fd = exception_tap_fd(d->exceptions[p]),
		.poll = poll_exception,
		.arg = d->exceptions[p],
	};
	return 0;
}

static int create_exceptions(struct dataplane *d)
{
	for (unsigned int i = 0; i < d->options.exception_count; i++) {
		if (create_exception(d, &d->options.exceptions[i]) < 0)
			return -1;
	}
	return 0;
}

static int create_workers(struct dataplane *d)
{
	const struct options *o = &d->options;
	struct worker_params params = {
		.group = &d->group,
		.ports = d->ports,
		.port_count = d->port_count,
		.exceptions = d->poll_count > 0 ? d->exceptions : NULL,
		.max_sessions = o->max_sessions,
		.tx_mbufs = o->mbufs,
		.ctl_mbufs = o->mbufs / 4 > CTL_MBUFS_MIN ? o->mbufs / 4 : CTL_MBUFS_MIN,
		.event_ring_size = o->event_ring,
		.idle_sleep_us = o->idle_sleep_us,
	};
	/* Every client's leg, and half as many to next hops: most of those are reused. */
	size_t tls_memory = o->tls_memory_mib > 0
				    ? (size_t)o->tls_memory_mib << 20
				    : tls_arena_size(o->max_sessions + o->max_sessions / 2);
	int rc;

	rc = host_check_tls_memory(tls_memory, d->group.count);
	if (rc < 0)
		return rc;
	tcp_config_defaults(&params.tcp);
	/* Two legs a session, and next hops whose connection is kept. */
	params.tcp.max_conns = 3 * o->max_sessions;
	params.tcp.max_time_wait = 4 * o->max_sessions;
	params.tcp.reserve_mbufs = o->mbufs / 8;
	/* Half of what the ports can receive into, as full segments: the rest is for those that are
	 * not full, and for the device's own ring. */
	params.tcp.recv_budget = (uint64_t)d->port_count * o->mbufs / 2 * 1448;
	params.tcp.cc = o->cc;
	if (getrandom(params.tcp.secret, sizeof(params.tcp.secret), 0) != sizeof(params.tcp.secret))
		return FAIL("no random numbers: %s", strerror(errno));
	clock_tsc_init(&d->group.clock);
	for (uint16_t i = 0; i < d->group.count; i++) {
		params.index = i;
		params.lcore = d->lcores[i];
		rc = worker_create(&params, &d->workers[i]);
		if (rc == -ENOMEM)
			return FAIL(
				"worker %u: not enough memory (more hugepages or -m, or a smaller "
				"--max-sessions or --mbufs)",
				i);
		if (rc < 0)
			return FAIL("worker %u: %s", i, strerror(-rc));
		rc = tls_arena_create(tls_memory, &d->arenas[i]);
		if (rc < 0)
			return FAIL("worker %u: no %zu MiB of memory for TLS: %s (a smaller "
				    "--max-sessions or --tls-memory)",
				i, tls_memory >> 20, strerror(-rc));
	}
	return 0;
}

/* --- The control thread's view of ports --- */

static int set_addresses(void *handle, const struct ip_addr *addrs, size_t count)
{
	const struct port_handle *h = handle;

	return port_set_addresses(h->port, addrs, count);
}

static size_t counter_count(const void *handle)
{
	const struct port_handle *h = handle;

	return port_counter_count(h->port) +
	       (h->exception != NULL ? exception_tap_counter_count() : 0);
}

static const char *counter_name(const void *handle, size_t i)
{
	const struct port_handle *h = handle;
	size_t n = port_counter_count(h->port);

	return i < n ? port_counter_name(h->port, i) : exception_tap_counter_name(i - n);
}

static void counter_values(const void *handle, uint64_t *values)
{
	const struct port_handle *h = handle;

	port_counter_values(h->port, values);
	values += port_counter_count(h->port);
	for (size_t i = 0; h->exception != NULL && i < exception_tap_counter_count(); i++)
		values[i] = exception_tap_counter_value(h->exception, i);
}

static const struct ctl_port_ops port_ops = {
	.set_addresses = set_addresses,
	.counter_count = counter_count,
	.counter_name = counter_name,
	.counter_values = counter_values,
};

static int create_ctl(struct dataplane *d)
{
	const struct ctl_params params = {
		.socket_path = d->options.socket,
		.socket_mode = 0660,
		.uid = d->user.uid,
		.gid = d->user.gid,
		.version = POSTGATE_VERSION,
		.group = &d->group,
		.ports = d->ctl_ports,
		.port_count = d->port_count,
		.port_ops = &port_ops,
		.polls = d->ctl_polls,
		.poll_count = d->poll_count,
		.drain_timeout_ms = d->options.drain_timeout_s * 1000,
	};
	char err[CTL_ERROR_SIZE];

	if (host_make_directory(d->options.socket, &d->user) < 0)
		return -1;
	return ctl_create(&params, &d->ctl, err) < 0 ? FAIL("%s", err) : 0;
}

/* OpenSSL's memory on this lcore is the worker's own from here on: a handshake allocates, and must
 * not meet another thread in malloc(). */
static int lcore_main(void *arg)
{
	struct dataplane *d = arg;
	unsigned int i = 0;

	while (d->lcores[i] != rte_lcore_id())
		i++;
	tls_arena_attach(d->arenas[i]);
	return worker_main(d->workers[i]);
}

static int launch(struct dataplane *d)
{
	for (uint16_t i = 0; i < d->group.count; i++) {
		if (rte_eal_remote_launch(lcore_main, d, d->lcores[i]) != 0)
			return FAIL("lcore %u does not take its worker", d->lcores[i]);
	}
	return 0;
}

static int start(struct dataplane *d)
{
	if (find_lcores(d) < 0 || create_ports(d) < 0 || create_exceptions(d) < 0 ||
		create_workers(d) < 0 || create_ctl(d) < 0)
		return -1;
	if (host_write_pid(d->options.pid_file, &d->user) < 0 || host_confine(&d->user) < 0)
		return -1;
	return launch(d);
}

static void stop(struct dataplane *d)
{
	atomic_store(&d->group.stop, true);
	rcu_thread_offline(); /* a worker's last grace period is not to wait for us */
	rte_eal_mp_wait_lcore();
	rcu_thread_online();
	if (d->ctl != NULL) {
		ctl_destroy(d->ctl);
		if (d->options.pid_file[0] != '\0')
			unlink(d->options.pid_file);
	}
	for (uint16_t i = 0; i < d->group.count; i++)
		worker_destroy(d->workers[i]);
	for (uint16_t i = 0; i < d->port_count; i++) {
		exception_tap_destroy(d->exceptions[i]);
		port_destroy(d->ports[i]);
	}
}

/* SIGTERM and SIGINT come by the control thread's loop, to no thread as a signal. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct dataplane d;
	int eal_argc, rc;

	switch (options_parse(argc, argv, &eal_argc, &d.options)) {
	case OPTIONS_GO:
		break;
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_WRONG:
		return 2;
	}
	if (host_user_find(d.options.user, &d.user) < 0 || host_check_devices(eal_argc, argv) < 0 ||
		host_check_memory(eal_argc, argv) < 0)
		return 1;
	/* Before anything has OpenSSL allocate. */
	for (uint64_t range = TLS_RANGE_MAX;; range /= 2) {
		rc = tls_arena_install(range);
		/* A host that counts address space as memory (vm.overcommit_memory=2) has less. */
		if (rc != -ENOMEM || range == TLS_RANGE_MIN)
			break;
	}
	if (rc < 0) {
		(void)FAIL("memory for TLS: %s", strerror(-rc));
		return 1;
	}
	block_signals();
	if (start_eal(&d.options, eal_argc, argv) < 0)
		return 1;
	rcu_register_thread();
	rc = start(&d);
	if (rc == 0) {
		fprintf(stderr, "postgate-dataplane %s: %u workers, %u ports, socket %s\n",
			POSTGATE_VERSION, d.group.count, d.port_count, d.options.socket);
		host_notify("READY=1");
		rc = ctl_run(d.ctl);
		if (rc < 0)
			(void)FAIL("control thread: %s", strerror(-rc));
		host_notify("STOPPING=1");
	}
	stop(&d);
	rcu_unregister_thread();
	rte_eal_cleanup();
	return rc == 0 ? 0 : 1;
}
