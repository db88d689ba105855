/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/alert_run.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/daemon/log.h"

#define ENVIRONMENT_MAX 24

struct job {
	json_t *told;
	STAILQ_ENTRY(job) link;
};

struct running {
	pid_t pid; /* 0: free */
	uint64_t until_ms;
	bool killed;
};

struct alert_runner {
	STAILQ_HEAD(, job) waiting;
	unsigned int waiting_count;
	struct running running[ALERT_RUNNING_MAX];
	uint64_t done, failed, dropped;
};

struct alert_runner *alert_runner_create(void)
{
	struct alert_runner *r = calloc(1, sizeof(*r));

	if (r != NULL)
		STAILQ_INIT(&r->waiting);
	return r;
}

static struct job *take(struct alert_runner *r)
{
	struct job *job = STAILQ_FIRST(&r->waiting);

	if (job != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiting, link);
		r->waiting_count--;
	}
	return job;
}

static void job_free(struct job *job)
{
	json_decref(job->told);
	free(job);
}

void alert_runner_destroy(struct alert_runner *r)
{
	struct job *job;

	if (r == NULL)
		return;
	while ((job = take(r)) != NULL)
		job_free(job);
	free(r);
}

void alert_runner_add(struct alert_runner *r, json_t *told)
{
	struct job *job = r->waiting_count < ALERT_WAITING_MAX ? calloc(1, sizeof(*job)) : NULL;

	if (job == NULL || told == NULL) {
		if (r->dropped++ % ALERT_WAITING_MAX == 0)
			log_line(LOG_LEVEL_ERROR, "alerts are not delivered: too many wait");
		json_decref(told);
		free(job);
		return;
	}
	job->told = told;
	STAILQ_INSERT_TAIL(&r->waiting, job, link);
	r->waiting_count++;
}

/* "refused": 5 as "POSTGATE_REFUSED=5". The list ends with NULL; to be freed one by one. */
static void make_environment(const json_t *told, char *env[ENVIRONMENT_MAX])
{
	size_t n = 0;
	const char *key;
	json_t *value;

	env[n++] = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	json_object_foreach((json_t *)told, key, value)
	{
		char name[48], *text = NULL;
		size_t i;

		if (n == ENVIRONMENT_MAX - 1)
			break;
		for (i = 0; key[i] != '\0' && i < sizeof(name) - 1; i++)
			name[i] = (char)toupper((unsigned char)key[i]);
		name[i] = '\0';
		if ((json_is_string(value) && asprintf(&text, "POSTGATE_%s=%s", name,
						      json_string_value(value)) < 0) ||
			(json_is_integer(value) &&
				asprintf(&text, "POSTGATE_%s=%" JSON_INTEGER_FORMAT, name,
					json_integer_value(value)) < 0))
			text = NULL;
		if (text != NULL)
			env[n++] = text;
	}
	env[n] = NULL;
}

/* The text as a file without a name, at its beginning: a pipe's reader might not read. */
static int make_input(const json_t *told)
{
	char *text = json_dumps(told, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	int fd = memfd_create("alert", MFD_CLOEXEC);

	if (fd >= 0 && (text == NULL || write(fd, text, len) != (ssize_t)len ||
			       write(fd, "\n", 1) != 1 || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		fd = -1;
	}
	free(text);
	return fd;
}

/* 0 or an errno. */
static int start(char *const *command, const json_t *told, pid_t *pid)
{
	char *env[ENVIRONMENT_MAX];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int rc, in = make_input(told);

	if (in < 0)
		return ENOMEM;
	make_environment(told, env);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	/* A group of its own, so that its children die with it. */
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	rc = posix_spawn(pid, command[0], &actions, &attr, command, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
	close(in);
	return rc;
}

static void reap(struct alert_runner *r, struct running *p, uint64_t now_ms)
{
	int status;
	pid_t rc = waitpid(p->pid, &status, WNOHANG);

	if (rc == 0) {
		if (now_ms >= p->until_ms && !p->killed) {
			p->killed = true;
			kill(-p->pid, SIGKILL);
		}
		return;
	}
	if (rc == p->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		r->done++;
	} else {
		r->failed++;
		if (p->killed)
			log_line(LOG_LEVEL_ERROR, "the command for alerts took too long: killed");
		else if (rc == p->pid && WIFEXITED(status))
			log_line(LOG_LEVEL_ERROR, "the command for alerts failed: exit code %d",
				WEXITSTATUS(status));
		else
			log_line(LOG_LEVEL_ERROR, "the command for alerts failed: signal %d",
				rc == p->pid ? WTERMSIG(status) : 0);
	}
	p->pid = 0;
}

void alert_runner_tick(
	struct alert_runner *r, char *const *command, uint64_t timeout_ms, uint64_t now_ms)
{
	struct job *job;
	int rc;

	for (int i = 0; i < ALERT_RUNNING_MAX; i++)
		if (r->running[i].pid != 0)
			reap(r, &r->running[i], now_ms);
	for (int i = 0; i < ALERT_RUNNING_MAX; i++) {
		if (r->running[i].pid != 0)
			continue;
		job = take(r);
		if (job == NULL)
			return;
		if (command != NULL) {
			rc = start(command, job->told, &r->running[i].pid);
			r->running[i].until_ms = now_ms + timeout_ms;
			r->running[i].killed = false;
			if (rc != 0) {
				r->failed++;
				r->running[i].pid = 0;
				log_line(LOG_LEVEL_ERROR, "the command for alerts: %s: %s",
					command[0], strerror(rc));
			}
		}
		job_free(job);
	}
}

json_t *alert_runner_json(const struct alert_runner *r)
{
	int running = 0;

	for (int i = 0; i < ALERT_RUNNING_MAX; i++)
		running += r->running[i].pid != 0;
	return json_pack("{s:I, s:I, s:I, s:i, s:i}", "done", (json_int_t)r->done, "failed",
		(json_int_t)r->failed, "dropped", (json_int_t)r->dropped, "running", running,
		"waiting", (int)r->waiting_count);
}
