// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <urcu-qsbr.h>

#include "dataplane/ctl/private.h"

#define DRAIN_POLL_US 10000
/* Of what workers hand to params.polls without waking anybody. */
#define POLL_BUSY_US 1000
#define POLL_IDLE_US 5000
/* Half of a ticket's lifetime (tls/context.c): three keys then cover it. */
#define TICKET_ROTATE_S 3600

RTE_LOG_REGISTER(ctl_logtype, postgate.ctl, INFO)

uint64_t ctl_generation(const struct ctl *c)
{
	return c->params.group->generation == NULL ? 0 : c->params.group->generation->number;
}

void *ctl_reply(struct ctl *c, uint16_t type, size_t size, uint32_t id)
{
	memset(c->out, 0, size);
	ipc_header_init((struct ipc_header *)c->out, type, size, id);
	return c->out;
}

static uint32_t sessions_left(const struct ctl *c)
{
	uint32_t left = 0;

	for (uint16_t i = 0; i < c->params.group->count; i++) {
		struct worker_stats s;

		worker_get_stats(c->params.group->workers[i], &s);
		left += s.gateway.sessions;
	}
	return left;
}

static void drain_poll(void *arg)
{
	struct ctl *c = arg;
	uint64_t waited_ms = (loop_now_ns() - c->stop_ns) / 1000000;
	uint32_t left = sessions_left(c);

	if (left == 0 || waited_ms >= c->params.drain_timeout_ms) {
		CTL_LOG(INFO, "stopping after %" PRIu64 " ms, %u sessions left", waited_ms, left);
		c->stop_now = true;
		return;
	}
	loop_timer_start(c->loop, &c->drain_timer, DRAIN_POLL_US);
}

void ctl_stop(struct ctl *c)
{
	if (c->stopping || c->params.drain_timeout_ms == 0) {
		c->stopping = c->stop_now = true; /* asked twice: at once */
		return;
	}
	c->stopping = true;
	c->stop_ns = loop_now_ns();
	atomic_store(&c->params.group->drain, true);
	CTL_LOG(INFO, "no new mail is taken; %u sessions have %u ms to end", sessions_left(c),
		c->params.drain_timeout_ms);
	loop_timer_start(c->loop, &c->drain_timer, DRAIN_POLL_US);
}

static void signal_ready(void *arg, uint32_t events)
{
	struct ctl *c = arg;
	struct signalfd_siginfo info;

	if (read(c->signals.fd, &info, sizeof(info)) != sizeof(info))
		return;
	CTL_LOG(INFO, "signal %u", info.ssi_signo);
	ctl_stop(c);
}

static void rotate_tickets(struct ctl *c)
{
	uint32_t every =
		c->params.ticket_rotate_s > 0 ? c->params.ticket_rotate_s : TICKET_ROTATE_S;
	uint64_t now = loop_now_ns();
	struct tls_ticket_set *old;
	int rc;

	if (now - c->ticket_ns < every * UINT64_C(1000000000))
		return;
	c->ticket_ns = now;
	rc = tls_tickets_rotate(c->tickets, &old);
	if (rc < 0) {
		CTL_LOG(WARNING, "session tickets: no new key: %s", strerror(-rc));
		return;
	}
	synchronize_rcu(); /* workers pass quiescent states: a loop of theirs long */
	tls_ticket_set_free(old);
	CTL_LOG(DEBUG, "session tickets have a new key");
}

static void each_second(void *arg)
{
	struct ctl *c = arg;

	worker_realtime_refresh(c->params.group);
	rotate_tickets(c);
	loop_timer_start(c->loop, &c->second, 1000000);
}

static void polls_turn(void *arg)
{
	struct ctl *c = arg;
	uint32_t work = 0;

	for (uint16_t i = 0; i < c->params.poll_count; i++)
		work += c->params.polls[i].poll(c->params.polls[i].arg);
	loop_timer_start(c->loop, &c->poll_timer, work > 0 ? POLL_BUSY_US : POLL_IDLE_US);
}

static void poll_ready(void *arg, uint32_t events)
{
	struct ctl *c = arg;

	if (events & (EPOLLERR | EPOLLHUP)) {
		/* Somebody has taken the netdev away: no use in being told again and again. */
		for (uint16_t i = 0; i < c->params.poll_count; i++)
			loop_unwatch(c->loop, &c->poll_watches[i]);
		CTL_LOG(WARNING, "an exception path's TAP is gone; it comes back with a restart");
		return;
	}
	polls_turn(c);
}

static int open_polls(struct ctl *c)
{
	int rc = 0;

	if (c->params.poll_count == 0)
		return 0;
	c->poll_watches = calloc(c->params.poll_count, sizeof(c->poll_watches[0]));
	if (c->poll_watches == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < c->params.poll_count && rc == 0; i++) {
		c->poll_watches[i] = (struct loop_watch){
			.fd = c->params.polls[i].fd, .ready = poll_ready, .arg = c};
		rc = loop_watch(c->loop, &c->poll_watches[i], EPOLLIN);
	}
	loop_timer_start(c->loop, &c->poll_timer, POLL_IDLE_US);
	return rc;
}

static int open_signals(struct ctl *c)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	c->signals = (struct loop_watch){.fd = fd, .ready = signal_ready, .arg = c};
	return loop_watch(c->loop, &c->signals, EPOLLIN);
}

static int count_counters(struct ctl *c)
{
	c->worker_counters = worker_counter_count();
	c->delivered = SIZE_MAX;
	for (size_t i = 0; i < c->worker_counters; i++) {
		if (strcmp(worker_counter_name(i), "messages_delivered") == 0)
			c->delivered = i;
	}
	for (uint16_t p = 0; p < c->params.port_count && c->params.port_ops != NULL; p++)
		c->port_counters += c->params.port_ops->counter_count(c->params.ports[p].handle);
	c->port_values = calloc(c->port_counters + 1, sizeof(c->port_values[0]));
	return c->port_values == NULL ? -ENOMEM : 0;
}

int ctl_create(const struct ctl_params *params, struct ctl **out, char err[CTL_ERROR_SIZE])
{
	struct ctl *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	config_fail(err, 0, "control thread: no memory");
	if (c == NULL)
		return rc;
	c->params = *params;
	c->listener.fd = c->signals.fd = -1;
	c->start_ns = loop_now_ns();
	c->start_time = (uint64_t)time(NULL);
	c->ticket_ns = c->start_ns;
	LIST_INIT(&c->clients);
	c->commit_timer = (struct loop_timer){.fire = commit_turn, .arg = c};
	c->page_timer = (struct loop_timer){.fire = page_poll, .arg = c};
	c->event_timer = (struct loop_timer){.fire = events_poll, .arg = c};
	c->second = (struct loop_timer){.fire = each_second, .arg = c};
	c->poll_timer = (struct loop_timer){.fire = polls_turn, .arg = c};
	c->drain_timer = (struct loop_timer){.fire = drain_poll, .arg = c};
	c->pages = calloc(params->group->count, sizeof(c->pages[0]));
	if (c->pages == NULL)
		goto out;
	rc = count_counters(c);
	if (rc == 0)
		rc = loop_create(&c->loop);
	if (rc == 0)
		rc = open_signals(c);
	if (rc == 0)
		rc = open_polls(c);
	if (rc == 0)
		rc = policy_map_create(&c->policy);
	if (rc == 0)
		rc = tls_tickets_create(&c->tickets);
	if (rc < 0) {
		config_fail(err, rc, "control thread: %s", strerror(-rc));
		goto out;
	}
	rc = server_open(c, err);
	if (rc < 0)
		goto out;
	loop_timer_start(c->loop, &c->second, 0);
	*out = c;
	return 0;
out:
	ctl_destroy(c);
	return rc;
}

int ctl_turn(struct ctl *c, int max_ms)
{
	return loop_turn(c->loop, max_ms);
}

int ctl_run(struct ctl *c)
{
	int rc = 0;

	while (!c->stop_now && rc == 0)
		rc = loop_turn(c->loop, -1);
	atomic_store(&c->params.group->stop, true);
	return rc;
}

void ctl_destroy(struct ctl *c)
{
	if (c == NULL)
		return;
	if (c->loop != NULL) {
		server_close(c);
		if (c->policy != NULL)
			commit_shutdown(c);
		if (c->signals.fd >= 0)
			close(c->signals.fd);
		loop_destroy(c->loop);
	}
	tls_tickets_destroy(c->tickets);
	free(c->poll_watches);
	free(c->port_values);
	free(c->pages);
	free(c);
}
