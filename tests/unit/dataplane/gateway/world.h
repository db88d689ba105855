/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small world around one gateway on a virtual clock: its TCP stack, a second stack that clients
 * and next hops live on, a perfect link in between. Tests speak both sides line by line:
 *
 *   c = world_client(w);  peer_expect(c, "220");  peer_say(c, "EHLO c.example\r\n"); ...
 *   h = world_hop_accept(w, 0);  peer_say(h, "220 hop\r\n");  peer_expect(h, "EHLO"); ...
 */
#ifndef POSTGATE_TESTS_GATEWAY_WORLD_H
#define POSTGATE_TESTS_GATEWAY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/gateway/gateway.h"
#include "tls/tls.h"

struct world;
struct peer;

struct world_params {
	uint32_t hops;           /* next hops, priorities 10, 20, ... */
	enum policy_level level; /* of all of them */
	const char *hop_ext;     /* EHLO keywords that a scripted health check answers with */
	bool server_tls;         /* the gateway has a certificate */
	uint32_t max_sessions;
	uint32_t max_idle;    /* connections kept for reuse */
	uint32_t send_buffer; /* of both stacks, 0: the default */
	bool outbound;        /* an inside listener and relays outside, instead of the other way */
	uint32_t command_timeout; /* s, of the next hop; 0: 300 */
};

struct world *world_new(const struct world_params *params);
/* Asserts that nothing is left: sessions, upstreams, connections (but TIME-WAIT), mbufs. */
void world_free(struct world *w);
uint64_t world_now(const struct world *w);
/* Virtual time goes by, all that is due happens. */
void world_run(struct world *w, uint64_t ms);
/* Clients and hops made so far, by two calls of malloc() each. */
uint32_t world_peer_count(const struct world *w);
/* Frees the TLS of peers that are closed. */
void world_forget_tls(struct world *w);
struct gateway *world_gateway(struct world *w);
/* Value of a gateway counter by name. */
uint64_t world_counter(struct world *w, const char *name);
/* The newest message event, and takes all events; NULL if there was none since. */
const struct gateway_event *world_message_event(struct world *w);
/* Refuses connections to hop i (RST) or takes them again. */
void world_hop_listen(struct world *w, uint32_t i, bool listen);
/* Lets the health check of every hop happen, answered with hop_ext. */
void world_health(struct world *w);
/* Partners: level for a sender domain or a client prefix. */
void world_partner(struct world *w, const char *name, const char *domain, const char *prefix,
	enum policy_level level);

struct peer *world_client(struct world *w);
/* Waits until the gateway has connected to hop i. */
struct peer *world_hop_accept(struct world *w, uint32_t i);
/* Whether the gateway connects to hop i within `ms`. */
bool world_hop_called(struct world *w, uint32_t i, uint64_t ms);

void peer_say(struct peer *p, const char *text);
void peer_send(struct peer *p, const void *data, size_t len);
/* Waits for a line (for multi-line replies: the last) and checks how it starts; returns it whole.
 */
const char *peer_expect(struct peer *p, const char *start);
/* Nothing comes within `ms`. */
void peer_expect_silence(struct peer *p, uint64_t ms);
/* The other side closes (FIN) or resets. */
void peer_expect_close(struct peer *p);
void peer_expect_reset(struct peer *p);
/* Reads octets until `end` has come; returns their number, with them in *data. */
size_t peer_read_until(struct peer *p, const char *end, const char **data);
/* All that has come so far and was not expected yet. */
size_t peer_pending(struct peer *p);
void peer_pause(struct peer *p, bool paused); /* stops reading: the window closes */
void peer_close(struct peer *p);              /* FIN */
void peer_reset(struct peer *p);              /* RST */
/* TLS on this connection; runs the handshake. True if it succeeded. */
bool peer_start_tls(struct peer *p, bool server);

/* The next peer_start_tls() offers the session that `earlier` got, still open. False: none came. */
bool peer_resume_from(struct peer *p, struct peer *earlier);
bool peer_tls_resumed(const struct peer *p);
/* A new generation with TLS contexts of its own. */
void world_push(struct world *w);
/* A new key for everybody's tickets. */
void world_rotate_tickets(struct world *w);

/* A whole EHLO conversation of a hop, up to its 250 (health check or session). */
void hop_greet(struct peer *h, const char *ext);
/* Client: banner and EHLO. */
void client_greet(struct peer *c);

#endif
