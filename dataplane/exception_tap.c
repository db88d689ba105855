/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/exception_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/net/net.h"

#define RING_SIZE          256
#define FRAME_OVERHEAD     18 /* Ethernet header and one VLAN tag */
#define SEGMENTS_MAX       16
#define PER_SECOND_DEFAULT 1000
#define SECOND_NS          1000000000ull

#define COUNTERS(X)     \
	X(to_kernel)    \
	X(from_kernel)  \
	X(rate_limited) \
	X(ring_full)    \
	X(write_failed) \
	X(no_mbuf)

enum counter {
#define X(name) C_##name,
	COUNTERS(X)
#undef X
		C_COUNT
};

static const char *const counter_names[C_COUNT] = {
#define X(name) [C_##name] = "exception_" #name,
	COUNTERS(X)
#undef X
};

/* One writer of counters each: the workers and, last, the control thread. */
struct side {
	uint64_t theoretical; /* GCRA, as the IP layer limits its ICMP errors */
	uint64_t counters[C_COUNT];
} __rte_cache_aligned;

struct exception_tap {
	int fd;                     // control: rw
	uint64_t interval;          // all: ro
	uint16_t worker_count;      // all: ro
	struct rte_ring *to_kernel; // workers: put, control: get
	struct rte_ring *to_port;   // control: put, worker 0: get
	struct rte_mempool *pool;   // of what the kernel sends
	struct side sides[];        // [worker]: that worker rw; [worker_count]: control rw
};

static void count(struct side *s, enum counter c)
{
	__atomic_store_n(&s->counters[c], s->counters[c] + 1, __ATOMIC_RELAXED);
}

/*
 * The netdev with its MAC and MTU; it is left down, with no address: that is the operator's. Where
 * the operator has made a persistent one (`ip tuntap add`) for our user, it is taken, without
 * privileges, and keeps its addresses when we restart.
 */
static int open_tap(const struct exception_tap_params *params, int *out)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), s = -1, rc = 0;

	if (fd < 0)
		return -errno;
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", params->name);
	if (s < 0 || ioctl(fd, TUNSETIFF, &r) < 0) {
		rc = -errno;
		goto out;
	}
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, params->mac, sizeof(params->mac));
	if (ioctl(fd, SIOCSIFHWADDR, &r) < 0) {
		rc = -errno;
		goto out;
	}
	/* The kernel must not be able to send more than the port takes. */
	if (ioctl(s, SIOCGIFMTU, &r) < 0) {
		rc = -errno;
	} else if (r.ifr_mtu != params->mtu) {
		r.ifr_mtu = params->mtu;
		if (ioctl(s, SIOCSIFMTU, &r) < 0)
			rc = -errno;
	}
out:
	if (s >= 0)
		close(s);
	if (rc < 0)
		close(fd);
	else
		*out = fd;
	return rc;
}

int exception_tap_create(const struct exception_tap_params *params, struct exception_tap **out)
{
	uint32_t rate = params->per_second != 0 ? params->per_second : PER_SECOND_DEFAULT;
	struct exception_tap *t;
	char name[RTE_RING_NAMESIZE];
	int rc;

	if (params->worker_count == 0 || strlen(params->name) >= IFNAMSIZ)
		return -EINVAL;
	t = rte_zmalloc_socket("exception_tap",
		sizeof(*t) + (params->worker_count + 1) * sizeof(t->sides[0]), RTE_CACHE_LINE_SIZE,
		params->socket_id);
	if (t == NULL)
		return -ENOMEM;
	t->fd = -1;
	t->worker_count = params->worker_count;
	t->interval = SECOND_NS / rate;
	snprintf(name, sizeof(name), "xk_%s", params->name);
	t->to_kernel = rte_ring_create(name, RING_SIZE, params->socket_id, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "xp_%s", params->name);
	t->to_port =
		rte_ring_create(name, RING_SIZE, params->socket_id, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "xm_%s", params->name);
	t->pool = rte_pktmbuf_pool_create(name, 2 * RING_SIZE - 1, 0, NET_META_SIZE,
		(uint16_t)(RTE_PKTMBUF_HEADROOM + params->mtu + FRAME_OVERHEAD), params->socket_id);
	rc = t->to_kernel == NULL || t->to_port == NULL || t->pool == NULL
		     ? -rte_errno
		     : open_tap(params, &t->fd);
	if (rc < 0)
		exception_tap_destroy(t);
	else
		*out = t;
	return rc;
}

static void drain(struct rte_ring *r)
{
	void *m;

	while (r != NULL && rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void exception_tap_destroy(struct exception_tap *t)
{
	if (t == NULL)
		return;
	if (t->fd >= 0)
		close(t->fd);
	drain(t->to_kernel);
	drain(t->to_port);
	rte_mempool_free(t->pool);
	rte_free(t);
}

void exception_tap_put(struct exception_tap *t, uint16_t worker, struct rte_mbuf *m, uint64_t now)
{
	struct side *s = &t->sides[worker];

	/* A tenth of a second's worth may come at once. */
	if (s->theoretical > now + SECOND_NS / 10) {
		count(s, C_rate_limited);
		rte_pktmbuf_free(m);
		return;
	}
	s->theoretical = (s->theoretical > now ? s->theoretical : now) + t->interval;
	if (rte_ring_mp_enqueue(t->to_kernel, m) != 0) {
		count(s, C_ring_full);
		rte_pktmbuf_free(m);
	}
}

uint16_t exception_tap_get(struct exception_tap *t, struct rte_mbuf **pkts, uint16_t max)
{
	return (uint16_t)rte_ring_sc_dequeue_burst(t->to_port, (void **)pkts, max, NULL);
}

static void write_frame(struct exception_tap *t, struct side *s, struct rte_mbuf *m)
{
	struct iovec iov[SEGMENTS_MAX];
	int n = 0;

	for (const struct rte_mbuf *seg = m; seg != NULL && n < SEGMENTS_MAX; seg = seg->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(seg, void *), seg->data_len};
	/* A netdev that is down says EIO: the operator has not set it up yet. */
	if (m->nb_segs > SEGMENTS_MAX || writev(t->fd, iov, n) < 0)
		count(s, C_write_failed);
	else
		count(s, C_to_kernel);
	rte_pktmbuf_free(m);
}

/* One frame from the kernel; false when there is none. */
static bool read_frame(struct exception_tap *t, struct side *s)
{
	struct rte_mbuf *m;
	ssize_t n;

	if (rte_ring_full(t->to_port))
		return false; /* left to the TAP's own queue, which drops */
	m = rte_pktmbuf_alloc(t->pool);
	if (m == NULL) {
		count(s, C_no_mbuf);
		return false;
	}
	n = read(t->fd, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
	if (n <= 0) {
		rte_pktmbuf_free(m);
		return false;
	}
	rte_pktmbuf_append(m, (uint16_t)n);
	rte_ring_sp_enqueue(t->to_port, m);
	count(s, C_from_kernel);
	return true;
}

uint32_t exception_tap_poll(struct exception_tap *t, uint32_t budget)
{
	struct side *s = &t->sides[t->worker_count];
	uint32_t moved = 0;
	void *m;

	for (uint32_t i = 0; i < budget && rte_ring_sc_dequeue(t->to_kernel, &m) == 0; i++, moved++)
		write_frame(t, s, m);
	for (uint32_t i = 0; i < budget && read_frame(t, s); i++)
		moved++;
	return moved;
}

int exception_tap_fd(const struct exception_tap *t)
{
	return t->fd;
}

size_t exception_tap_counter_count(void)
{
	return C_COUNT;
}

const char *exception_tap_counter_name(size_t i)
{
	return i < C_COUNT ? counter_names[i] : NULL;
}

uint64_t exception_tap_counter_value(const struct exception_tap *t, size_t i)
{
	uint64_t sum = 0;

	if (i >= C_COUNT)
		return 0;
	for (uint16_t w = 0; w <= t->worker_count; w++)
		sum += __atomic_load_n(&t->sides[w].counters[i], __ATOMIC_RELAXED);
	return sum;
}
