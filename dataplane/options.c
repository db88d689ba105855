// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/options.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ipc/ipc.h"

static const char usage[] =
	"usage: postgate-dataplane [EAL options] -- [options]\n"
	"\n"
	"EAL options are DPDK's (cores, memory, devices; `--` ends them): the main lcore is the "
	"control\n"
	"thread, every other lcore a worker with a queue pair of each port. --in-memory and\n"
	"--no-telemetry are added, so that no file of our memory is left behind.\n"
	"  -l 1-7 --main-lcore 1   cores           -a 0000:3b:00.0   a PCI device\n"
	"  --lcores '0@0,1@1'      shared cores    --vdev=...        a virtual device\n"
	"  -m MIB, --no-huge       memory; about 200 MiB a worker with the sizes below and two "
	"ports\n"
	"\n"
	"Options:\n"
	"  --socket PATH        for postgated (default " IPC_SOCKET_PATH ")\n"
	"  --pid-file PATH      (default /run/postgate/dataplane.pid; '' for none)\n"
	"  --user NAME          run as that user once devices and socket are open\n"
	"  --port DEV[,DEV...]  take these devices as one port (net_af_xdp: one per queue); may "
	"be\n"
	"                       given more than once; default: every device is a port\n"
	"  --exception DEV=TAP[,N]\n"
	"                       give the kernel what is not ours on that port, and send what it "
	"sends:\n"
	"                       a TAP of that name is made, N frames a second and worker at most "
	"go\n"
	"                       to it (default 1000)\n"
	"  --max-sessions N     mail sessions of one worker (default 4096)\n"
	"  --mbufs N            packet buffers of one worker to send from, and as many for each "
	"port to\n"
	"                       receive into, 2.3 KiB each (default 16384)\n"
	"  --tls-memory MIB     for OpenSSL on one worker, taken at start; it grows if that is too "
	"little\n"
	"                       (default: 42 KiB for each of --max-sessions, of which half have "
	"TLS "
	"to\n"
	"                       their next hop as well and one in eight is busy; 165 MiB)\n"
	"  --event-ring N       events of one worker that wait for postgated (default 8192)\n"
	"  --idle-sleep-us N    sleep so long after loops without work (default 0: never; for "
	"cores\n"
	"                       that are shared)\n"
	"  --cc NAME            congestion control: cubic, newreno (default cubic)\n"
	"  --drain-timeout S    how long mail in flight may take after SIGTERM (default 10)\n"
	"  --no-offloads        checksums and segmentation in software\n"
	"  --no-tso             segmentation in software\n"
	"  --sender-rss         whoever sends to a device without RSS spreads as a NIC would "
	"(net_memif)\n"
	"  --shared-memory      leave out --in-memory and --no-telemetry (dpdk-dumpcap, "
	"dpdk-proc-info)\n"
	"  --help, --version\n";

enum {
	OPT_SOCKET = 256,
	OPT_PID_FILE,
	OPT_USER,
	OPT_PORT,
	OPT_EXCEPTION,
	OPT_MAX_SESSIONS,
	OPT_MBUFS,
	OPT_TLS_MEMORY,
	OPT_EVENT_RING,
	OPT_IDLE_SLEEP,
	OPT_CC,
	OPT_DRAIN_TIMEOUT,
	OPT_NO_OFFLOADS,
	OPT_NO_TSO,
	OPT_SENDER_RSS,
	OPT_SHARED_MEMORY,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"pid-file", required_argument, NULL, OPT_PID_FILE},
	{"user", required_argument, NULL, OPT_USER},
	{"port", required_argument, NULL, OPT_PORT},
	{"exception", required_argument, NULL, OPT_EXCEPTION},
	{"max-sessions", required_argument, NULL, OPT_MAX_SESSIONS},
	{"mbufs", required_argument, NULL, OPT_MBUFS},
	{"tls-memory", required_argument, NULL, OPT_TLS_MEMORY},
	{"event-ring", required_argument, NULL, OPT_EVENT_RING},
	{"idle-sleep-us", required_argument, NULL, OPT_IDLE_SLEEP},
	{"cc", required_argument, NULL, OPT_CC},
	{"drain-timeout", required_argument, NULL, OPT_DRAIN_TIMEOUT},
	{"no-offloads", no_argument, NULL, OPT_NO_OFFLOADS},
	{"no-tso", no_argument, NULL, OPT_NO_TSO},
	{"sender-rss", no_argument, NULL, OPT_SENDER_RSS},
	{"shared-memory", no_argument, NULL, OPT_SHARED_MEMORY},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static bool number(const char *name, uint32_t min, uint32_t max, uint32_t *out)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(optarg, &end, 10);
	if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || errno != 0 || n < min ||
		n > max) {
		fprintf(stderr, "postgate-dataplane: --%s %s: not a number from %u to %u\n", name,
			optarg, min, max);
		return false;
	}
	*out = (uint32_t)n;
	return true;
}

static bool congestion_control(enum tcp_cc *out)
{
	if (strcmp(optarg, "cubic") == 0) {
		*out = TCP_CC_CUBIC;
	} else if (strcmp(optarg, "newreno") == 0) {
		*out = TCP_CC_NEWRENO;
	} else {
		fprintf(stderr, "postgate-dataplane: --cc %s: there are cubic and newreno\n",
			optarg);
		return false;
	}
	return true;
}

static bool port(struct options *o)
{
	if (o->port_count == OPTIONS_PORTS_MAX) {
		fprintf(stderr, "postgate-dataplane: more than %d --port\n", OPTIONS_PORTS_MAX);
		return false;
	}
	o->ports[o->port_count++] = optarg;
	return true;
}

/* "net_tap0=pg-outside0,500" */
static bool exception(struct options *o)
{
	struct options_exception *e = &o->exceptions[o->exception_count];
	char *tap, *rate, *end;
	unsigned long n = 1000;

	if (o->exception_count == OPTIONS_PORTS_MAX) {
		fprintf(stderr, "postgate-dataplane: more than %d --exception\n",
			OPTIONS_PORTS_MAX);
		return false;
	}
	tap = strrchr(optarg, '=');
	rate = tap != NULL ? strchr(tap, ',') : NULL;
	if (rate != NULL) {
		*rate++ = '\0';
		n = strtoul(rate, &end, 10);
		if (*rate < '0' || *rate > '9' || *end != '\0')
			n = 0;
	}
	if (tap == NULL || tap == optarg || tap[1] == '\0' || strlen(tap + 1) >= IFNAMSIZ ||
		n == 0 || n > 1000000) {
		fprintf(stderr,
			"postgate-dataplane: --exception %s: not DEVICE=TAP or DEVICE=TAP,N with "
			"a name of at most %d letters and N from 1 to 1000000\n",
			optarg, IFNAMSIZ - 1);
		return false;
	}
	*tap++ = '\0';
	*e = (struct options_exception){optarg, tap, (uint32_t)n};
	o->exception_count++;
	return true;
}

static bool power_of_two(const char *name, uint32_t n)
{
	if ((n & (n - 1)) == 0)
		return true;
	fprintf(stderr, "postgate-dataplane: --%s %u: not a power of two\n", name, n);
	return false;
}

/* One option; false: wrong, and said so. */
static bool take(int opt, struct options *o)
{
	switch (opt) {
	case OPT_SOCKET:
		o->socket = optarg;
		return true;
	case OPT_PID_FILE:
		o->pid_file = optarg;
		return true;
	case OPT_USER:
		o->user = optarg;
		return true;
	case OPT_PORT:
		return port(o);
	case OPT_EXCEPTION:
		return exception(o);
	case OPT_MAX_SESSIONS:
		return number("max-sessions", 1, 1000000, &o->max_sessions);
	case OPT_MBUFS:
		return number("mbufs", 2048, 4194304, &o->mbufs);
	case OPT_TLS_MEMORY:
		return number("tls-memory", 8, 16384, &o->tls_memory_mib);
	case OPT_EVENT_RING:
		return number("event-ring", 64, 1048576, &o->event_ring) &&
		       power_of_two("event-ring", o->event_ring);
	case OPT_IDLE_SLEEP:
		return number("idle-sleep-us", 0, 100000, &o->idle_sleep_us);
	case OPT_CC:
		return congestion_control(&o->cc);
	case OPT_DRAIN_TIMEOUT:
		return number("drain-timeout", 0, 3600, &o->drain_timeout_s);
	case OPT_NO_OFFLOADS:
		o->no_offloads = true;
		return true;
	case OPT_NO_TSO:
		o->no_tso = true;
		return true;
	case OPT_SENDER_RSS:
		o->sender_rss = true;
		return true;
	case OPT_SHARED_MEMORY:
		o->shared_memory = true;
		return true;
	default:
		return false;
	}
}

enum options_end options_parse(int argc, char **argv, int *eal_argc, struct options *o)
{
	int opt, split = 1;

	*o = (struct options){
		.socket = IPC_SOCKET_PATH,
		.pid_file = "/run/postgate/dataplane.pid",
		.max_sessions = 4096,
		.mbufs = 16384,
		.event_ring = 8192,
		.drain_timeout_s = 10,
		.cc = TCP_CC_CUBIC,
	};
	while (split < argc && strcmp(argv[split], "--") != 0) {
		/* Asked of us, wherever it stands; EAL would print its own and end. */
		if (strcmp(argv[split], "--help") == 0 || strcmp(argv[split], "-h") == 0) {
			fputs(usage, stdout);
			return OPTIONS_DONE;
		}
		if (strcmp(argv[split], "--version") == 0 || strcmp(argv[split], "-v") == 0) {
			printf("postgate-dataplane %s\n", POSTGATE_VERSION);
			return OPTIONS_DONE;
		}
		split++;
	}
	*eal_argc = split;
	if (split == argc)
		return OPTIONS_GO;

	/* getopt starts behind argv[0], here "--" itself. */
	optind = 1;
	argc -= split;
	argv += split;
	while ((opt = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (opt == OPT_HELP || opt == 'h') {
			fputs(usage, stdout);
			return OPTIONS_DONE;
		}
		if (opt == OPT_VERSION) {
			printf("postgate-dataplane %s\n", POSTGATE_VERSION);
			return OPTIONS_DONE;
		}
		if (!take(opt, o))
			return OPTIONS_WRONG;
	}
	if (optind < argc) {
		fprintf(stderr, "postgate-dataplane: %s: no such argument\n", argv[optind]);
		return OPTIONS_WRONG;
	}
	return OPTIONS_GO;
}
