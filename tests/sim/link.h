/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One direction of a path: what happens to a packet between two hosts. In this order: too large for
 * the MTU, lost, the queue before the bottleneck is full (or marks ECN), serialised at its rate,
 * corrupted, delayed with jitter, reordered, duplicated. Packets are plain copies, so that every
 * mbuf of a host is its stack's.
 */
#ifndef POSTGATE_TESTS_SIM_LINK_H
#define POSTGATE_TESTS_SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/addr.h"
#include "tests/sim/rng.h"

struct sim_link_params {
	uint64_t rate;       /* bytes/s, 0: no limit */
	uint64_t delay;      /* ns */
	uint64_t jitter;     /* ns at most, order kept */
	uint64_t reorder_by; /* ns that a reordered packet is late by at most */
	uint32_t queue;      /* bytes that wait for the bottleneck, 0: no limit */
	uint32_t mark_from;  /* bytes waiting from which ECT packets are marked CE, 0: never */
	uint32_t mtu;        /* of the IP packet; 0: no limit */
	bool black_hole;     /* says nothing about what was too large */
	bool dead;
	/* In a million. */
	uint32_t loss, reorder, duplicate, corrupt;
	/* Loss comes in bursts that go on with this probability, Gilbert's model. */
	uint32_t loss_goes_on;
};

struct sim_packet {
	uint64_t at, order;
	struct ip_addr src, dst; /* of a bare segment; a frame has its own */
	uint8_t tos;
	bool frame;
	bool damaged; /* of a bare segment: what a checksum would have found */
	uint32_t len;
	uint8_t data[];
};

enum sim_fate {
	SIM_SENT,
	SIM_LOST,
	SIM_QUEUE_FULL,
	SIM_TOO_BIG,
	SIM_DEAD,
	SIM_FATES,
};
const char *sim_fate_name(enum sim_fate fate);

struct sim_link {
	struct sim_link_params params;
	struct rng rng;
	uint64_t busy_until, last_at, next_order;
	bool losing;
	struct sim_packet **heap;
	size_t count, size;
	uint64_t fates[SIM_FATES];
	uint64_t bytes_sent;
};

void sim_link_init(struct sim_link *l, const struct sim_link_params *params, uint64_t seed);
void sim_link_free(struct sim_link *l);
struct sim_packet *sim_packet_new(uint32_t len);
/* Owns p; what was sent comes out of sim_link_take() when it is time. p is freed if lost. */
enum sim_fate sim_link_send(struct sim_link *l, struct sim_packet *p, uint64_t now);
/* UINT64_MAX: none under way. */
uint64_t sim_link_next(const struct sim_link *l);
/* The next one that has arrived by `now`, to be freed with free(), or NULL. */
struct sim_packet *sim_link_take(struct sim_link *l, uint64_t now);
uint32_t sim_packet_ip_size(const struct sim_packet *p);

#endif
