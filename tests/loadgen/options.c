/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENDERS_MAX 1000000

enum {
	O_HELP = 256,
	O_KERNEL,
	O_SELF_TEST,
	O_QUIET,
	O_CLIENT,
	O_SINK,
	O_CLIENT_VIA,
	O_SINK_VIA,
	O_TARGET,
	O_SESSIONS,
	O_RATE,
	O_MAX_ACTIVE,
	O_IDLE,
	O_IDLE_STARTTLS,
	O_COUNT,
	O_DURATION,
	O_WARM_UP,
	O_TIMEOUT,
	O_MESSAGES,
	O_RCPTS,
	O_SIZE,
	O_PIPELINE,
	O_BDAT,
	O_CONNECT_ONLY,
	O_STARTTLS,
	O_PLAIN,
	O_TLS,
	O_GROUPS,
	O_RESUME,
	O_SENDERS,
	O_SENDER,
	O_RCPT_DOMAIN,
	O_CERT,
	O_KEY,
	O_SINK_PLAIN,
	O_NO_CHUNKING,
	O_NO_PIPELINING,
	O_JSON,
	O_IDLE_SLEEP,
	O_MBUFS,
	O_MTU,
	O_WORKLOAD,
	O_HOSTILE,
	O_HOSTILE_SESSIONS,
	O_HOSTILE_RATE,
	O_HOSTILE_INTERVAL,
	O_HOSTILE_FROM,
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, O_HELP},
	{"kernel", no_argument, NULL, O_KERNEL},
	{"self-test", no_argument, NULL, O_SELF_TEST},
	{"quiet", no_argument, NULL, O_QUIET},
	{"client", required_argument, NULL, O_CLIENT},
	{"sink", required_argument, NULL, O_SINK},
	{"client-via", required_argument, NULL, O_CLIENT_VIA},
	{"sink-via", required_argument, NULL, O_SINK_VIA},
	{"target", required_argument, NULL, O_TARGET},
	{"sessions", required_argument, NULL, O_SESSIONS},
	{"rate", required_argument, NULL, O_RATE},
	{"max-active", required_argument, NULL, O_MAX_ACTIVE},
	{"idle", required_argument, NULL, O_IDLE},
	{"idle-starttls", no_argument, NULL, O_IDLE_STARTTLS},
	{"count", required_argument, NULL, O_COUNT},
	{"duration", required_argument, NULL, O_DURATION},
	{"warm-up", required_argument, NULL, O_WARM_UP},
	{"timeout", required_argument, NULL, O_TIMEOUT},
	{"messages", required_argument, NULL, O_MESSAGES},
	{"rcpts", required_argument, NULL, O_RCPTS},
	{"size", required_argument, NULL, O_SIZE},
	{"pipeline", no_argument, NULL, O_PIPELINE},
	{"bdat", no_argument, NULL, O_BDAT},
	{"connect-only", no_argument, NULL, O_CONNECT_ONLY},
	{"starttls", no_argument, NULL, O_STARTTLS},
	{"plain", no_argument, NULL, O_PLAIN},
	{"tls", required_argument, NULL, O_TLS},
	{"groups", required_argument, NULL, O_GROUPS},
	{"resume", required_argument, NULL, O_RESUME},
	{"senders", required_argument, NULL, O_SENDERS},
	{"sender", required_argument, NULL, O_SENDER},
	{"rcpt-domain", required_argument, NULL, O_RCPT_DOMAIN},
	{"cert", required_argument, NULL, O_CERT},
	{"key", required_argument, NULL, O_KEY},
	{"sink-plain", no_argument, NULL, O_SINK_PLAIN},
	{"sink-no-chunking", no_argument, NULL, O_NO_CHUNKING},
	{"sink-no-pipelining", no_argument, NULL, O_NO_PIPELINING},
	{"json", required_argument, NULL, O_JSON},
	{"idle-sleep-us", required_argument, NULL, O_IDLE_SLEEP},
	{"mbufs", required_argument, NULL, O_MBUFS},
	{"mtu", required_argument, NULL, O_MTU},
	{"workload", required_argument, NULL, O_WORKLOAD},
	{"hostile", required_argument, NULL, O_HOSTILE},
	{"hostile-sessions", required_argument, NULL, O_HOSTILE_SESSIONS},
	{"hostile-rate", required_argument, NULL, O_HOSTILE_RATE},
	{"hostile-interval", required_argument, NULL, O_HOSTILE_INTERVAL},
	{"hostile-from", required_argument, NULL, O_HOSTILE_FROM},
	{0},
};

static void usage(void)
{
	puts("usage: postgate-load [EAL OPTIONS] -- OPTIONS\n"
	     "       postgate-load --kernel OPTIONS\n"
	     "\n"
	     "Ends (each address range one network interface):\n"
	     "  --client ADDR[-LAST]/PLEN@DEVICE  where sessions come from (--kernel: "
	     "ADDR[-LAST])\n"
	     "  --sink ADDR[:PORT]/PLEN@DEVICE    a server that takes and checks what comes\n"
	     "  --client-via, --sink-via ADDR     default gateway of that end\n"
	     "  --target ADDR[:PORT]              whom the client talks to; IPv6 in brackets\n"
	     "  --self-test                       generator against its own sink, in one process\n"
	     "  --kernel                          sockets instead of DPDK\n"
	     "Load:\n"
	     "  --sessions N      busy sessions at once (16)    --rate R      Poisson arrivals/s\n"
	     "  --max-active N    open loop's limit (65536)     --idle N      idle sessions "
	     "beside\n"
	     "  --idle-starttls   those with TLS\n"
	     "  --duration S      (10; 0: by --count)           --count N     sessions in all\n"
	     "  --warm-up S       latencies left out (0)       --timeout S   without progress "
	     "(30)\n"
	     "Sessions:\n"
	     "  --starttls | --plain (default)                  --tls 1.2|1.3\n"
	     "  --groups LIST     key exchange, OpenSSL names   --resume SHARE (0..1)\n"
	     "  --messages N      a session (1)                 --rcpts N     a message (1)\n"
	     "  --size N[:WEIGHT][,N:WEIGHT...]  octets, K and M allowed (4096)\n"
	     "  --pipeline        MAIL to DATA at once          --bdat        if it is offered\n"
	     "  --connect-only    banner and QUIT\n"
	     "  --senders FILE    addresses, one a line         --sender ADDR "
	     "(load@client.example)\n"
	     "  --rcpt-domain D   (example.net)\n"
	     "Sink:\n"
	     "  --cert FILE --key FILE   (made at start)        --sink-plain  no STARTTLS\n"
	     "  --sink-no-chunking, --sink-no-pipelining\n"
	     "Hostile clients beside the others:");
#define X(id, name, text)                 \
	if (HOSTILE_##id != HOSTILE_NONE) \
		printf("  --hostile %-14s  %s\n", name, text);
	HOSTILE_MODES(X)
#undef X
	puts("  --hostile-sessions N (1000)  --hostile-rate R  --hostile-interval S (1)\n"
	     "  --hostile-from ADDR[-LAST]   addresses of --client's range that they take\n"
	     "Other:\n"
	     "  --workload FILE   options from a file, one a line, without the dashes; # comments\n"
	     "  --json FILE       the report as one JSON object (- is stdout)\n"
	     "  --idle-sleep-us N sleep when there is nothing to do (0)\n"
	     "  --mbufs N, --mtu N, --quiet\n"
	     "\n"
	     "Exit code: 0, 1 if a message was lost, doubled or damaged or nothing went through, 2 "
	     "usage");
}

#define WRONG(...) (fprintf(stderr, "postgate-load: " __VA_ARGS__), fputc('\n', stderr), -1)

static int parse_address(const char *s, size_t len, struct ip_addr *a)
{
	char text[INET6_ADDRSTRLEN];
	uint32_t v4;

	if (len >= sizeof(text))
		return -1;
	memcpy(text, s, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1) {
		*a = ip_addr_from_v4(v4);
		return 0;
	}
	return inet_pton(AF_INET6, text, a->b) == 1 ? 0 : -1;
}

/* "ADDR", "ADDR:PORT", "[ADDR]:PORT"; returns the length used, 0: wrong. */
static size_t parse_endpoint(const char *s, struct ip_addr *a, uint16_t *port)
{
	size_t len, used;

	if (s[0] == '[') {
		len = strcspn(s + 1, "]");
		used = len + 2;
		if (s[len + 1] != ']' || parse_address(s + 1, len, a) < 0)
			return 0;
	} else {
		len = strspn(s, "0123456789.");
		if (s[len] == ':' && memchr(s, '.', len) == NULL)
			len = strcspn(s, "/@");
		used = len;
		if (parse_address(s, len, a) < 0)
			return 0;
	}
	if (s[used] == ':') {
		char *end;
		unsigned long n = strtoul(s + used + 1, &end, 10);

		if (n == 0 || n > UINT16_MAX)
			return 0;
		*port = (uint16_t)n;
		used = (size_t)(end - s);
	}
	return used;
}

static int parse_end(const char *what, const char *s, struct options_end *e, uint16_t *port)
{
	size_t used = parse_endpoint(s, &e->first, port);
	const char *p = s + used;
	bool v4 = ip_addr_is_v4(&e->first);

	if (used == 0) {
		/* A range: "A-B". */
		used = strcspn(s, "-/@");
		if (parse_address(s, used, &e->first) < 0)
			return WRONG("%s: %s: not an address", what, s);
		v4 = ip_addr_is_v4(&e->first);
		p = s + used;
	}
	e->given = true;
	e->count = 1;
	e->plen = v4 ? 120 : 64;
	if (*p == '-') {
		struct ip_addr last;
		size_t len = strcspn(++p, "/@");

		if (parse_address(p, len, &last) < 0 || last.q[0] != e->first.q[0] ||
			last.w[2] != e->first.w[2] || ntohl(last.w[3]) < ntohl(e->first.w[3]))
			return WRONG("%s: %s: not a range", what, s);
		e->count = ntohl(last.w[3]) - ntohl(e->first.w[3]) + 1;
		p += len;
	}
	if (*p == '/') {
		char *end;
		unsigned long n = strtoul(p + 1, &end, 10);

		if (n > (v4 ? 32 : 128))
			return WRONG("%s: %s: prefix length", what, s);
		e->plen = (uint8_t)(v4 ? n + 96 : n);
		p = end;
	}
	if (*p == '@') {
		snprintf(e->device, sizeof(e->device), "%s", p + 1);
		p += strlen(p);
	}
	return *p == '\0' ? 0 : WRONG("%s: %s: what is '%s'?", what, s, p);
}

static int parse_sizes(const char *s, struct client_workload *w)
{
	double total = 0, weights[CLIENT_SIZES_MAX], sum = 0;
	const char *p = s;

	w->size_count = 0;
	for (;;) {
		char *end;
		double n = strtod(p, &end), weight = 1;

		if (*end == 'K')
			n *= 1024, end++;
		else if (*end == 'M')
			n *= 1 << 20, end++;
		if (*end == ':')
			weight = strtod(end + 1, &end);
		if (n < 1 || n > (double)(1u << 30) || weight <= 0 || end == p ||
			w->size_count == CLIENT_SIZES_MAX || (*end != ',' && *end != '\0'))
			return WRONG("--size %s: N[K|M][:WEIGHT],...", s);
		weights[w->size_count] = weight;
		w->sizes[w->size_count++].octets = (uint32_t)n;
		total += weight;
		if (*end == '\0')
			break;
		p = end + 1;
	}
	for (uint32_t i = 0; i < w->size_count; i++) {
		sum += weights[i];
		w->sizes[i].upto = sum / total;
	}
	return 0;
}

static int read_senders(const char *file, struct options *o)
{
	FILE *f = fopen(file, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int rc = 0;

	if (!f)
		return WRONG("--senders %s: %s", file, strerror(errno));
	o->senders = calloc(SENDERS_MAX, sizeof(*o->senders));
	o->workload.sender_count = 0;
	while (o->senders && rc == 0 && (n = getline(&line, &size, f)) > 0) {
		while (n > 0 && isspace((unsigned char)line[n - 1]))
			line[--n] = '\0';
		if (n == 0 || line[0] == '#')
			continue;
		if (n > 254 || !strchr(line, '@'))
			rc = WRONG("--senders %s: %s: not an address", file, line);
		else if (o->workload.sender_count == SENDERS_MAX)
			rc = WRONG("--senders %s: more than %d", file, SENDERS_MAX);
		else
			o->senders[o->workload.sender_count++] = strdup(line);
	}
	free(line);
	fclose(f);
	if (rc == 0 && o->workload.sender_count == 0)
		rc = WRONG("--senders %s: there is none in it", file);
	o->workload.senders = (const char *const *)o->senders;
	return rc;
}

static int number(const char *name, const char *s, double min, double max, double *out)
{
	char *end;

	*out = strtod(s, &end);
	if (end == s || *end != '\0' || !(*out >= min && *out <= max))
		return WRONG("--%s %s: not a number from %g to %g", name, s, min, max);
	return 0;
}

static int options_file(struct options *o, const char *file, int depth);

static int options_one(struct options *o, int opt, const char *name, const char *arg, int depth)
{
	struct client_workload *w = &o->workload;
	double n = 0;
	int rc = 0;

#define NUMBER(min, max, field, type)                 \
	do {                                          \
		rc = number(name, arg, min, max, &n); \
		field = (type)n;                      \
	} while (0)

	switch (opt) {
	case O_KERNEL:
		o->kernel = true;
		break;
	case O_SELF_TEST:
		o->self_test = true;
		break;
	case O_QUIET:
		o->quiet = true;
		break;
	case O_CLIENT:
		return parse_end("--client", arg, &o->client, &(uint16_t){0});
	case O_SINK:
		return parse_end("--sink", arg, &o->sink, &o->sink_port);
	case O_HOSTILE_FROM:
		return parse_end("--hostile-from", arg, &o->hostile_from, &(uint16_t){0});
	case O_CLIENT_VIA:
		rc = parse_address(arg, strlen(arg), &o->client.gateway);
		return rc < 0 ? WRONG("--client-via %s: not an address", arg) : 0;
	case O_SINK_VIA:
		rc = parse_address(arg, strlen(arg), &o->sink.gateway);
		return rc < 0 ? WRONG("--sink-via %s: not an address", arg) : 0;
	case O_TARGET:
		if (parse_endpoint(arg, &o->target, &o->target_port) != strlen(arg))
			return WRONG("--target %s: not an address", arg);
		break;
	case O_SESSIONS:
		NUMBER(0, 1e7, w->sessions, uint32_t);
		break;
	case O_RATE:
		NUMBER(0, 1e8, w->rate, double);
		break;
	case O_MAX_ACTIVE:
		NUMBER(1, 1e7, w->max_active, uint32_t);
		break;
	case O_IDLE:
		NUMBER(0, 1e7, w->idle, uint32_t);
		break;
	case O_IDLE_STARTTLS:
		w->idle_starttls = true;
		break;
	case O_COUNT:
		NUMBER(0, 1e12, w->count, uint64_t);
		break;
	case O_DURATION:
		NUMBER(0, 1e7, o->duration, double);
		break;
	case O_WARM_UP:
		NUMBER(0, 1e6, o->warm_up, double);
		break;
	case O_TIMEOUT:
		rc = number(name, arg, 0.001, 1e6, &n);
		w->timeout_ns = (uint64_t)(n * 1e9);
		break;
	case O_MESSAGES:
		NUMBER(0, 4e9, w->messages, uint32_t);
		break;
	case O_RCPTS:
		NUMBER(1, 100, w->rcpts, uint32_t);
		break;
	case O_SIZE:
		return parse_sizes(arg, w);
	case O_PIPELINE:
		w->pipeline = true;
		break;
	case O_BDAT:
		w->bdat = true;
		break;
	case O_CONNECT_ONLY:
		w->connect_only = true;
		break;
	case O_STARTTLS:
		w->starttls = true;
		break;
	case O_PLAIN:
		w->starttls = false;
		break;
	case O_TLS:
		if (strcmp(arg, "1.2") != 0 && strcmp(arg, "1.3") != 0)
			return WRONG("--tls %s: 1.2 or 1.3", arg);
		o->tls_version = strdup(arg);
		break;
	case O_GROUPS:
		o->groups = strdup(arg);
		break;
	case O_RESUME:
		NUMBER(0, 1, w->resume, double);
		break;
	case O_SENDERS:
		return read_senders(arg, o);
	case O_SENDER:
		o->senders = calloc(1, sizeof(*o->senders));
		o->senders[0] = strdup(arg);
		w->senders = (const char *const *)o->senders;
		w->sender_count = 1;
		break;
	case O_RCPT_DOMAIN:
		if (strlen(arg) > 200)
			return WRONG("--rcpt-domain: too long");
		w->rcpt_domain = strdup(arg);
		break;
	case O_CERT:
		o->cert = strdup(arg);
		break;
	case O_KEY:
		o->key = strdup(arg);
		break;
	case O_SINK_PLAIN:
		o->sink_plain = true;
		break;
	case O_NO_CHUNKING:
		o->no_chunking = true;
		break;
	case O_NO_PIPELINING:
		o->no_pipelining = true;
		break;
	case O_JSON:
		o->json = strdup(arg);
		break;
	case O_IDLE_SLEEP:
		NUMBER(0, 1e6, o->idle_sleep_us, uint32_t);
		break;
	case O_MBUFS:
		NUMBER(2048, 1e8, o->mbufs, uint32_t);
		break;
	case O_MTU:
		NUMBER(1280, 9000, o->mtu, uint32_t);
		break;
	case O_WORKLOAD:
		return options_file(o, arg, depth + 1);
	case O_HOSTILE: {
		int mode = hostile_mode_find(arg);

		if (mode < 0)
			return WRONG("--hostile %s: there is no such mode (--help)", arg);
		o->hostile.mode = (enum hostile_mode)mode;
		break;
	}
	case O_HOSTILE_SESSIONS:
		NUMBER(1, 1e7, o->hostile.sessions, uint32_t);
		break;
	case O_HOSTILE_RATE:
		NUMBER(0, 1e8, o->hostile.rate, double);
		break;
	case O_HOSTILE_INTERVAL:
		rc = number(name, arg, 0.001, 1e6, &n);
		o->hostile.interval_ns = (uint64_t)(n * 1e9);
		break;
	default:
		return WRONG("--help says what there is");
	}
#undef NUMBER
	return rc;
}

static const struct option *find_option(const char *name)
{
	for (const struct option *p = long_options; p->name; p++) {
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

/* "size 4096" or "starttls" a line. */
static int options_file(struct options *o, const char *file, int depth)
{
	FILE *f = fopen(file, "re");
	char line[1024];
	int rc = 0, at = 0;

	if (!f)
		return WRONG("%s: %s", file, strerror(errno));
	if (depth > 4)
		rc = WRONG("%s: workload files name one another", file);
	while (rc == 0 && fgets(line, sizeof(line), f)) {
		const struct option *p;
		char *save, *name, *arg;

		at++;
		line[strcspn(line, "#\n")] = '\0';
		name = strtok_r(line, " \t=", &save);
		if (!name)
			continue;
		arg = strtok_r(NULL, " \t", &save);
		p = find_option(name);
		if (!p || p->val == O_HELP)
			rc = WRONG("%s:%d: %s: there is no such option", file, at, name);
		else if ((p->has_arg == required_argument) != (arg != NULL))
			rc = WRONG("%s:%d: %s %s", file, at, name,
				arg ? "takes no value" : "needs a value");
		else
			rc = options_one(o, p->val, name, arg, depth);
	}
	fclose(f);
	return rc;
}

static void options_defaults(struct options *o)
{
	static const char *const sender[] = {"load@client.example"};

	*o = (struct options){
		.target_port = 25,
		.sink_port = 25,
		.workload = {.sessions = 16,
			.max_active = 65536,
			.messages = 1,
			.rcpts = 1,
			.size_count = 1,
			.sizes = {{.octets = 4096, .upto = 1}},
			.senders = sender,
			.sender_count = 1,
			.rcpt_domain = "example.net",
			.hostname = "load.client.example",
			.timeout_ns = UINT64_C(30000000000)},
		.hostile = {.sessions = 1000, .interval_ns = UINT64_C(1000000000)},
		.duration = 10,
		.mbufs = 65536,
	};
}

static int options_check(const struct options *o)
{
	if (o->self_test && (o->client.given || o->sink.given))
		return WRONG("--self-test makes its own ends");
	if (!o->self_test && !o->client.given && !o->sink.given &&
		!(o->kernel && !ip_addr_is_unspecified(&o->target)))
		return WRONG("neither --client nor --sink: --help says what there is");
	if ((o->client.given || o->kernel) && ip_addr_is_unspecified(&o->target) &&
		!(o->kernel && o->sink.given))
		return WRONG("whom shall the client talk to? --target");
	if (o->client.count > 250 && !o->kernel)
		return WRONG("--client: at most 250 addresses");
	if (!o->cert != !o->key)
		return WRONG("--cert and --key go together");
	if (o->duration == 0 && o->workload.count == 0 && o->client.given)
		return WRONG("--duration 0 needs --count");
	return 0;
}

int options_parse(int argc, char **argv, int *eal_argc, struct options *o)
{
	int start = argc, rc = 0, opt, index = 0;

	options_defaults(o);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			start = i;
			break;
		}
	}
	*eal_argc = start;
	if (start == argc) { /* no EAL options: all are ours */
		start = 0;
		*eal_argc = 1;
	}
	optind = 1;
	while (rc == 0 &&
		(opt = getopt_long(argc - start, argv + start, "", long_options, &index)) != -1) {
		if (opt == O_HELP) {
			usage();
			return 1;
		}
		rc = opt == '?' ? -1 : options_one(o, opt, long_options[index].name, optarg, 0);
	}
	if (rc == 0 && optind < argc - start)
		rc = WRONG("%s: no such argument", argv[start + optind]);
	return rc < 0 ? rc : options_check(o);
}

void options_fini(struct options *o)
{
	for (uint32_t i = 0; o->senders && i < o->workload.sender_count; i++)
		free(o->senders[i]);
	free(o->senders);
}
