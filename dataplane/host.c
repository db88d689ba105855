// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(int rc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(int rc, const char *fmt, ...)
{
	va_list ap;

	fputs("postgate-dataplane: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return rc;
}

int host_user_find(const char *name, struct host_user *out)
{
	struct passwd *pw;

	*out = (struct host_user){.uid = (uid_t)-1, .gid = (gid_t)-1};
	if (name == NULL)
		return 0;
	pw = getpwnam(name);
	if (pw == NULL)
		return fail(-ENOENT, "--user %s: there is no such user", name);
	*out = (struct host_user){.uid = pw->pw_uid, .gid = pw->pw_gid, .name = name};
	return 0;
}

/* The value of "--name value" or "--name=value" at argv[*i], NULL if it is something else. */
static const char *value_of(int argc, char **argv, int *i, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	if (argv[*i][len] == '\0' && *i + 1 < argc)
		return argv[++*i];
	return NULL;
}

static int check_pci(const char *device)
{
	char path[PATH_MAX], name[64];
	size_t len = strcspn(device, ",");
	bool short_form = len > 0 && memchr(device, ':', len) == strrchr(device, ':');

	if (len >= sizeof(name) - 8 || memchr(device, ':', len) == NULL)
		return 0; /* not a PCI address: EAL's to judge */
	snprintf(name, sizeof(name), "%s%.*s", short_form ? "0000:" : "", (int)len, device);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
	if (access(path, F_OK) < 0)
		return fail(-ENODEV, "device %s is not there", name);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", name);
	if (access(path, F_OK) < 0)
		return fail(-ENODEV,
			"device %s has no driver: bind it to vfio-pci first (deploy/host-setup)",
			name);
	return 0;
}

/* Those that sit on a kernel interface name it. */
static int check_vdev(const char *device)
{
	char name[IF_NAMESIZE], kind[64];
	const char *iface = strstr(device, ",iface=");
	size_t len;

	if (iface == NULL || (strncmp(device, "net_af_packet", 13) != 0 &&
				     strncmp(device, "net_af_xdp", 10) != 0))
		return 0;
	iface += strlen(",iface=");
	len = strcspn(iface, ",");
	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	snprintf(name, sizeof(name), "%.*s", (int)len, iface);
	snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(device, ","), device);
	if (if_nametoindex(name) == 0)
		return fail(-ENODEV, "device %s: there is no interface %s", kind, name);
	return 0;
}

int host_check_devices(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++) {
		const char *v;

		if ((v = value_of(argc, argv, &i, "--allow")) != NULL ||
			(v = value_of(argc, argv, &i, "-a")) != NULL)
			rc = check_pci(v);
		else if ((v = value_of(argc, argv, &i, "--vdev")) != NULL)
			rc = check_vdev(v);
	}
	return rc;
}

static unsigned long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

int host_check_memory(int argc, char **argv)
{
	static const char dir[] = "/sys/kernel/mm/hugepages";
	unsigned long total = 0, free_pages = 0;
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--no-huge") == 0)
			return 0;
	}
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "hugepages-", 10) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s/nr_hugepages", dir, e->d_name);
		total += read_number(path);
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", dir, e->d_name);
		free_pages += read_number(path);
	}
	if (d != NULL)
		closedir(d);
	if (free_pages > 0)
		return 0;
	return fail(-ENOMEM,
		"no hugepages: %s; reserve some (deploy/host-setup), or start with --no-huge",
		total == 0 ? "none are reserved" : "all are in use");
}

int host_check_tls_memory(size_t bytes, unsigned int workers)
{
	unsigned long available = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL &&
		sscanf(line, "MemAvailable: %lu kB", &available) != 1)
		;
	if (f != NULL)
		fclose(f);
	if (available == 0 || bytes / 1024 * workers <= available)
		return 0;
	return fail(-ENOMEM,
		"not enough memory for TLS: %u workers want %zu MiB each, %lu MiB are available "
		"(a smaller --max-sessions or --tls-memory)",
		workers, bytes >> 20, available / 1024);
}

int host_make_directory(const char *path, const struct host_user *user)
{
	char copy[PATH_MAX];
	const char *dir;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return fail(-ENAMETOOLONG, "%s: path too long", path);
	dir = dirname(copy);
	if (mkdir(dir, 0755) < 0)
		return errno == EEXIST ? 0 : fail(-errno, "%s: %s", dir, strerror(errno));
	if (user->uid != (uid_t)-1 && chown(dir, user->uid, user->gid) < 0)
		return fail(-errno, "%s: %s", dir, strerror(errno));
	return 0;
}

int host_write_pid(const char *path, const struct host_user *user)
{
	int fd, rc = 0;

	if (path[0] == '\0')
		return 0;
	rc = host_make_directory(path, user);
	if (rc < 0)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(-errno, "pid file %s: %s", path, strerror(errno));
	if (dprintf(fd, "%ld\n", (long)getpid()) < 0 ||
		(user->uid != (uid_t)-1 && fchown(fd, user->uid, user->gid) < 0))
		rc = fail(-errno, "pid file %s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

int host_confine(const struct host_user *user)
{
	const struct rlimit none = {0, 0};

	if (user->uid != (uid_t)-1 && user->uid != geteuid()) {
		/* glibc does it in every thread of the process. */
		if (initgroups(user->name, user->gid) < 0 ||
			setresgid(user->gid, user->gid, user->gid) < 0 ||
			setresuid(user->uid, user->uid, user->uid) < 0)
			return fail(-errno, "--user %s: %s", user->name, strerror(errno));
	}
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(-errno, "giving up privileges: %s", strerror(errno));
	return 0;
}

void host_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0'; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
