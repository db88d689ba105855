/* SPDX-License-Identifier: BSD-3-Clause */
/* postgated: the control plane. Exit codes are those of sysexits.h; see usage(). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "control/daemon/daemon.h"
#include "control/daemon/log.h"

#define GROUP "postgate"

struct options {
	const char *config, *socket, *dataplane, *store, *pid_file;
	bool check;
};

struct process {
	struct options options;
	struct event_base *base;
	struct event *stop[2], *hup;
	struct store *store;
	struct daemon *daemon;
	int pid_fd;
};

static void usage(FILE *out)
{
	fputs("usage: postgated [OPTION]...\n"
	      "\n"
	      "  --config PATH            configuration (/etc/postgate/postgate.yaml)\n"
	      "  --check                  check the configuration and exit\n"
	      "  --socket PATH            of the API (/run/postgate/postgated.sock)\n"
	      "  --dataplane-socket PATH  of postgate-dataplane (" IPC_SOCKET_PATH ")\n"
	      "  --store PATH             partners and history (/var/lib/postgate/postgate.db)\n"
	      "  --pid-file PATH          (/run/postgate/postgated.pid)\n"
	      "  --foreground             the default: it never goes into the background\n"
	      "  --help, --version\n"
	      "\n"
	      "SIGHUP reads the configuration again, SIGTERM and SIGINT stop it.\n"
	      "Exit: 0 stopped or the configuration is good, 64 usage, 69 another one runs,\n"
	      "71 a system error, 73 the store, PID file or socket cannot be made, 78 the\n"
	      "configuration is bad.\n",
		out);
}

/* -1: go on; else an exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"socket", required_argument, NULL, 's'},
		{"dataplane-socket", required_argument, NULL, 'd'},
		{"store", required_argument, NULL, 'b'},
		{"pid-file", required_argument, NULL, 'p'},
		{"foreground", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'd':
			o->dataplane = optarg;
			break;
		case 'b':
			o->store = optarg;
			break;
		case 'p':
			o->pid_file = optarg;
			break;
		case 'f':
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'v':
			puts("postgated " POSTGATE_VERSION);
			return 0;
		default:
			fputs("Try: postgated --help\n", stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "postgated: %s: no arguments are taken\nTry: postgated --help\n",
			argv[optind]);
		return EX_USAGE;
	}
	return -1;
}

/* The configuration's errors as they are, one a line: nobody wants a prefix before "file:line:". */
static int load_config(const char *path, struct config **out)
{
	struct config_errors errors = {0};
	int rc = config_load(path, out, &errors);

	if (errors.text != NULL)
		fputs(errors.text, stderr);
	config_errors_clear(&errors);
	return rc;
}

/* The directory of a file that we make, where it is missing (under systemd it never is). */
static void make_directory(const char *path, mode_t mode)
{
	char dir[512];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		return;
	*slash = '\0';
	if (mkdir(dir, mode) < 0 && errno != EEXIST)
		log_line(LOG_LEVEL_ERROR, "%s: %s", dir, strerror(errno));
}

/* The lock says whether the PID in it is alive; it goes with the process. */
static int take_pid_file(struct process *p)
{
	const char *path = p->options.pid_file;
	char text[16];
	int n;

	p->pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (p->pid_fd < 0) {
		log_line(LOG_LEVEL_ERROR, "%s: %s", path, strerror(errno));
		return EX_CANTCREAT;
	}
	if (flock(p->pid_fd, LOCK_EX | LOCK_NB) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s: another postgated runs", path);
		close(p->pid_fd);
		p->pid_fd = -1;
		return EX_UNAVAILABLE;
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(p->pid_fd, 0) < 0 || write(p->pid_fd, text, (size_t)n) != n) {
		log_line(LOG_LEVEL_ERROR, "%s: %s", path, strerror(errno));
		return EX_CANTCREAT;
	}
	return 0;
}

/* sd_notify(3)'s protocol: one datagram to the socket that systemd names. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

static void on_stop(evutil_socket_t signal, short what, void *arg)
{
	struct process *p = arg;

	log_line(LOG_LEVEL_NOTICE, "stopping (signal %d); the dataplane goes on", (int)signal);
	notify("STOPPING=1");
	event_base_loopbreak(p->base);
}

static void on_hup(evutil_socket_t signal, short what, void *arg)
{
	struct process *p = arg;

	daemon_reload(p->daemon);
}

/* Private keys are in our memory: no core, no ptrace by others of our user. */
static void protect_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max != 0)
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	prctl(PR_SET_DUMPABLE, 0);
}

static int add_signals(struct process *p)
{
	static const int stops[] = {SIGTERM, SIGINT};

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		p->stop[i] = evsignal_new(p->base, stops[i], on_stop, p);
		if (p->stop[i] == NULL || evsignal_add(p->stop[i], NULL) < 0)
			return -ENOMEM;
	}
	p->hup = evsignal_new(p->base, SIGHUP, on_hup, p);
	return p->hup != NULL && evsignal_add(p->hup, NULL) == 0 ? 0 : -ENOMEM;
}

/* Beside the store. */
static void beside(const char *store, const char *name, char *out, size_t size)
{
	const char *slash = strrchr(store, '/');

	snprintf(out, size, "%.*s%s", slash != NULL ? (int)(slash - store + 1) : 0, store, name);
}

/* 0 or an exit code. */
static int start(struct process *p, struct config *config)
{
	char sts[512], report[512];
	const struct group *group = getgrnam(GROUP);
	struct daemon_params params = {
		.config_path = p->options.config,
		.dataplane_path = p->options.dataplane,
		.api_group = group ? group->gr_gid : (gid_t)-1,
		.config = config,
		.report_path = report,
		.sts_path = sts,
	};
	char err[600];
	int rc;

	make_directory(p->options.pid_file, 0755);
	make_directory(p->options.store, 0750);
	beside(p->options.store, "mta-sts.db", sts, sizeof(sts));
	beside(p->options.store, "report.db", report, sizeof(report));
	rc = take_pid_file(p);
	if (rc == 0 && store_open(p->options.store, &p->store, err) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", err);
		rc = EX_CANTCREAT;
	}
	if (rc != 0) {
		config_free(config);
		return rc;
	}
	p->base = event_base_new();
	params.base = p->base;
	params.store = p->store;
	if (p->base == NULL || add_signals(p) < 0 || daemon_create(&params, &p->daemon) < 0) {
		log_line(LOG_LEVEL_ERROR, "no memory, or no event loop");
		config_free(config);
		return EX_OSERR;
	}
	rc = api_listen(daemon_api(p->daemon), p->options.socket, err, sizeof(err));
	if (rc < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", err);
		return rc == -EADDRINUSE ? EX_UNAVAILABLE : EX_CANTCREAT;
	}
	return 0;
}

static void stop(struct process *p)
{
	daemon_destroy(p->daemon);
	for (int i = 0; i < 2; i++)
		if (p->stop[i] != NULL)
			event_free(p->stop[i]);
	if (p->hup != NULL)
		event_free(p->hup);
	if (p->base != NULL)
		event_base_free(p->base);
	store_close(p->store);
	if (p->pid_fd >= 0) {
		unlink(p->options.pid_file);
		close(p->pid_fd);
	}
	libevent_global_shutdown();
}

int main(int argc, char **argv)
{
	struct process p = {
		.options =
			{
				.config = "/etc/postgate/postgate.yaml",
				.socket = "/run/postgate/postgated.sock",
				.dataplane = IPC_SOCKET_PATH,
				.store = "/var/lib/postgate/postgate.db",
				.pid_file = "/run/postgate/postgated.pid",
			},
		.pid_fd = -1,
	};
	struct config *config;
	int rc = parse_options(argc, argv, &p.options);

	if (rc >= 0)
		return rc;
	protect_memory();
	rc = load_config(p.options.config, &config);
	if (rc < 0)
		return rc == -ENOMEM ? EX_OSERR : EX_CONFIG;
	if (p.options.check) {
		printf("%s is good\n", p.options.config);
		config_free(config);
		return 0;
	}
	log_open(config->log_to == CONFIG_LOG_SYSLOG);
	rc = start(&p, config);
	if (rc == 0) {
		log_line(LOG_LEVEL_NOTICE, "postgated %s is ready", POSTGATE_VERSION);
		notify("READY=1");
		if (event_base_dispatch(p.base) < 0)
			rc = EX_OSERR;
	}
	stop(&p);
	return rc;
}
