/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The exception path of one port: a kernel TAP with the port's MAC. What the IP layer does not take
 * (frames to addresses that are the kernel's: SSH, BGP, ICMP of the management address) goes to the
 * kernel, and what the kernel sends goes out by the port. Off unless made.
 *
 * Workers only touch rings; reading and writing the TAP is the control thread's. Both directions
 * are bounded by a rate and by the rings: a flood on the exception path costs mail nothing.
 */
#ifndef POSTGATE_DATAPLANE_EXCEPTION_TAP_H
#define POSTGATE_DATAPLANE_EXCEPTION_TAP_H

#include <stddef.h>
#include <stdint.h>

struct exception_tap;
struct rte_mbuf;

struct exception_tap_params {
	const char *name; /* of the netdev: "pg-outside0" */
	uint8_t mac[6];   /* the port's */
	uint16_t mtu;
	uint16_t worker_count;
	uint32_t per_second; /* frames to the kernel at most, per worker; 0: 1000 */
	int socket_id;
};

/* 0 or -errno (-EPERM without CAP_NET_ADMIN and no persistent TAP of ours, -EBUSY somebody has that
 * TAP, -EINVAL a netdev of that name is none). From the control thread. */
int exception_tap_create(const struct exception_tap_params *params, struct exception_tap **out);
void exception_tap_destroy(struct exception_tap *t);

/* Worker: hands a whole frame to the kernel; owns m. What is over the rate is freed and counted. */
void exception_tap_put(struct exception_tap *t, uint16_t worker, struct rte_mbuf *m, uint64_t now);
/* Worker 0: frames that the kernel sends, for port_tx(). */
uint16_t exception_tap_get(struct exception_tap *t, struct rte_mbuf **pkts, uint16_t max);

/* Control thread: moves at most `budget` frames each way. Returns how many were moved. */
uint32_t exception_tap_poll(struct exception_tap *t, uint32_t budget);
/* For the control thread's poll(): readable when the kernel sends. */
int exception_tap_fd(const struct exception_tap *t);

size_t exception_tap_counter_count(void);
const char *exception_tap_counter_name(size_t i);
uint64_t exception_tap_counter_value(const struct exception_tap *t, size_t i);

#endif
