/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX  256
#define ACCEPTS_MAX 64 /* a turn */

struct kernel_conn {
	struct kernel_conn *next; /* of the dead, until the turn is over */
	int fd;
	bool connecting, dead;
	uint32_t events; /* as epoll has them */
	void *user;
};

struct kernel {
	struct transport base;
	int epoll, listener;
	struct kernel_conn *dead; /* an event of this turn may still name them */
};

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t to_sockaddr(const struct ip_addr *a, uint16_t port, union sockaddr_any *out)
{
	memset(out, 0, sizeof(*out));
	if (ip_addr_is_v4(a)) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(port);
		out->in.sin_addr.s_addr = ip_addr_v4(a);
		return sizeof(out->in);
	}
	out->in6.sin6_family = AF_INET6;
	out->in6.sin6_port = htons(port);
	memcpy(&out->in6.sin6_addr, a->b, 16);
	return sizeof(out->in6);
}

static void kernel_set_events(struct kernel *k, struct kernel_conn *c, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};

	if (c->events == events)
		return;
	epoll_ctl(k->epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev);
	c->events = events;
}

static struct kernel_conn *kernel_conn_create(struct kernel *k, int fd, uint32_t events)
{
	struct kernel_conn *c = calloc(1, sizeof(*c));
	int on = 1;

	if (!c)
		return NULL;
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	kernel_set_events(k, c, events);
	return c;
}

static void kernel_conn_kill(struct kernel *k, struct kernel_conn *c)
{
	close(c->fd);
	c->dead = true;
	c->next = k->dead;
	k->dead = c;
}

static int kernel_connect(struct transport *t, const struct ip_addr *local,
	const struct ip_addr *remote, uint16_t port, void *user, uint64_t now, void **conn)
{
	struct kernel *k = (struct kernel *)t;
	union sockaddr_any sa;
	socklen_t len = to_sockaddr(remote, port, &sa);
	struct kernel_conn *c;
	int fd, on = 1, rc = 0;

	(void)now;
	fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!ip_addr_is_unspecified(local)) {
		union sockaddr_any from;
		socklen_t from_len = to_sockaddr(local, 0, &from);

		/* The port is chosen when the other end is known: more of them are free then. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, &from.sa, from_len) < 0)
			rc = -errno;
	}
	if (rc == 0 && connect(fd, &sa.sa, len) < 0 && errno != EINPROGRESS)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	c = kernel_conn_create(k, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->connecting = true;
	c->user = user;
	*conn = c;
	return 0;
}

static int kernel_listen(struct transport *t, const struct ip_addr *addr, uint16_t port)
{
	struct kernel *k = (struct kernel *)t;
	union sockaddr_any sa;
	socklen_t len = to_sockaddr(addr, port, &sa);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	int fd, on = 1;

	fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &sa.sa, len) < 0 || listen(fd, 4096) < 0 ||
		epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	k->listener = fd;
	return 0;
}

static ssize_t kernel_read(struct transport *t, void *conn, void *buf, size_t len)
{
	struct kernel_conn *c = conn;
	ssize_t n = recv(c->fd, buf, len, 0);

	(void)t;
	if (n >= 0)
		return n;
	return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t kernel_write(struct transport *t, void *conn, const void *buf, size_t len, bool more)
{
	struct kernel_conn *c = conn;
	ssize_t n = send(c->fd, buf, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));

	(void)t;
	if (n > 0)
		return n;
	return n == 0 || errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

static void kernel_want_write(struct transport *t, void *conn)
{
	kernel_set_events((struct kernel *)t, conn, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

static void kernel_close(struct transport *t, void *conn, uint64_t now)
{
	(void)now;
	kernel_conn_kill((struct kernel *)t, conn);
}

static void kernel_abort(struct transport *t, void *conn, uint64_t now)
{
	const struct linger rst = {.l_onoff = 1, .l_linger = 0};
	struct kernel_conn *c = conn;

	(void)now;
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	kernel_conn_kill((struct kernel *)t, c);
}

static void kernel_accept(struct kernel *k, uint64_t now)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct kernel_conn *c;

		if (fd < 0)
			return;
		c = kernel_conn_create(k, fd, EPOLLIN | EPOLLRDHUP);
		if (!c) {
			close(fd);
			return;
		}
		c->user = k->base.accepted(k->base.accepted_arg, c, now);
		if (!c->user)
			kernel_abort(&k->base, c, now);
	}
}

static void kernel_failed(struct kernel *k, struct kernel_conn *c, int error, uint64_t now)
{
	void *user = c->user;
	enum transport_end end = error == ECONNREFUSED                   ? TRANSPORT_REFUSED
				 : error == ETIMEDOUT                    ? TRANSPORT_TIMEOUT
				 : error == ECONNRESET || error == EPIPE ? TRANSPORT_RESET
									 : TRANSPORT_OTHER;

	kernel_conn_kill(k, c);
	transport_events_of(user)->closed(user, end, now);
}

static void kernel_event(struct kernel *k, struct kernel_conn *c, uint32_t events, uint64_t now)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (c->dead)
		return;
	if (events & (EPOLLERR | EPOLLHUP))
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		kernel_failed(k, c, error, now);
		return;
	}
	if (c->connecting) {
		if (!(events & EPOLLOUT))
			return;
		c->connecting = false;
		kernel_set_events(k, c, EPOLLIN | EPOLLRDHUP);
		transport_events_of(c->user)->connected(c->user, now);
		return;
	}
	if (events & EPOLLOUT)
		kernel_set_events(k, c, EPOLLIN | EPOLLRDHUP);
	transport_events_of(c->user)->ready(c->user, now);
}

static uint32_t kernel_receive(struct transport *t, uint64_t now)
{
	struct kernel *k = (struct kernel *)t;
	struct epoll_event ev[EVENTS_MAX];
	int n = epoll_wait(k->epoll, ev, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		if (!ev[i].data.ptr)
			kernel_accept(k, now);
		else
			kernel_event(k, ev[i].data.ptr, ev[i].events, now);
	}
	while (k->dead) {
		struct kernel_conn *c = k->dead;

		k->dead = c->next;
		free(c);
	}
	return n > 0 ? (uint32_t)n : 0;
}

static void kernel_send(struct transport *t, uint64_t now)
{
	(void)t;
	(void)now;
}

static void kernel_destroy(struct transport *t)
{
	struct kernel *k = (struct kernel *)t;

	if (k->listener >= 0)
		close(k->listener);
	close(k->epoll);
	free(k);
}

static const struct transport_ops kernel_ops = {
	.connect = kernel_connect,
	.listen = kernel_listen,
	.read = kernel_read,
	.write = kernel_write,
	.want_write = kernel_want_write,
	.close = kernel_close,
	.abort = kernel_abort,
	.receive = kernel_receive,
	.send = kernel_send,
	.destroy = kernel_destroy,
};

int kernel_create(struct transport **out)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->base.ops = &kernel_ops;
	k->listener = -1;
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (k->epoll < 0) {
		free(k);
		return -errno;
	}
	*out = &k->base;
	return 0;
}
