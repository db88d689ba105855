/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers that do only what the test tells them, in place of dataplane/worker.c, and what a
 * configuration needs: a certificate, items with sensible values. */
#ifndef POSTGATE_TESTS_CTL_FAKE_H
#define POSTGATE_TESTS_CTL_FAKE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/ctl/config.h"
#include "dataplane/worker.h"

#define FAKE_WORKERS    2
#define FAKE_EVENT_RING 64

extern struct worker_group fake_group;
extern const struct ctl_port fake_ports[2]; /* "net_null0", "net_null1" */

void fake_start(void); /* EAL and the workers, once */
void fake_stop(void);
/* The worker takes what is published. */
void fake_adopt(unsigned int worker);
/* Answers the question that waits; false: none does. Names are "w<worker>-<number>". */
bool fake_answer(unsigned int worker, uint32_t count, uint32_t next);
/* An event of `worker` with this text. False: the ring was full. */
bool fake_event(unsigned int worker, enum gateway_event_kind kind, const char *text);
extern bool fake_sessions_left; /* what the workers' gauges say */

/* A self-signed certificate; two kinds so that chain and key can be mixed up. */
struct fake_cert {
	char chain[2048], key[1024];
};
const struct fake_cert *fake_cert(unsigned int n);

/* Items, each as a whole message with header (id 9). */
void fake_begin(struct ipc_config_begin *m, uint64_t generation);
void fake_interface(struct ipc_interface *m, uint16_t index, enum ipc_side side, const char *port);
void fake_address(struct ipc_address *m, uint16_t interface, const char *prefix);
void fake_route(struct ipc_route *m, uint16_t interface, const char *prefix, const char *via);
void fake_listener(struct ipc_listener *m, enum ipc_side side, const char *address, uint16_t port,
	int certificate);
void fake_next_hop(struct ipc_next_hop *m, const char *name, const char *address, uint16_t priority,
	enum ipc_level level, uint16_t ca);
void fake_certificate(struct ipc_certificate *m, uint16_t index, size_t chain, size_t key);
void fake_ca(struct ipc_ca *m, uint16_t index, size_t len);
/* The caller gives room for IPC_MESSAGE_MAX. */
struct ipc_pem_chunk *fake_chunk(void *room, uint16_t index, enum ipc_pem_kind kind,
	uint32_t offset, const char *data, size_t len);

#endif
