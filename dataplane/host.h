/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process's place on its host: what can be told in advance to be missing, run directory and pid
 * file, the user it ends up as, and the service manager. Errors are one line on stderr.
 */
#ifndef POSTGATE_DATAPLANE_HOST_H
#define POSTGATE_DATAPLANE_HOST_H

#include <stdbool.h>
#include <sys/types.h>

struct host_user {
	uid_t uid; /* (uid_t)-1: as we are */
	gid_t gid;
	const char *name;
};

/* NULL: nobody else. 0 or -errno. */
int host_user_find(const char *name, struct host_user *out);

/* EAL's words for a missing device or hugepages are many lines; ours come before it starts. */
int host_check_devices(int argc, char **argv);
int host_check_memory(int argc, char **argv);

/* The directory of `path` exists and is the user's. */
int host_make_directory(const char *path, const struct host_user *user);
int host_write_pid(const char *path, const struct host_user *user);

/*
 * Becomes the user, for good and in all threads, and whatever the user is: no new privileges, no
 * core dump and no ptrace, as memory is full of keys and mail.
 */
int host_confine(const struct host_user *user);

/* sd_notify(3): "READY=1", "STOPPING=1". Without NOTIFY_SOCKET nothing. */
void host_notify(const char *state);

/* Whether so much can be touched for each worker: told now, not by the kernel's OOM killer. */
int host_check_tls_memory(size_t bytes, unsigned int workers);

#endif
