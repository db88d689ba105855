/* SPDX-License-Identifier: BSD-3-Clause */
/* Beginnings of conversations that the gateway's tests have in common. */
#ifndef POSTGATE_TESTS_GATEWAY_TALK_H
#define POSTGATE_TESTS_GATEWAY_TALK_H

#include "tests/unit/dataplane/gateway/world.h"

#define EXT_ALL \
	"250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
#define EXT_NOBDAT "250-PIPELINING\r\n250-8BITMIME\r\n"

static inline struct world *world_plain(uint32_t hops, const char *ext)
{
	struct world *w = world_new(&(struct world_params){.hops = hops,
		.level = POLICY_NONE,
		.hop_ext = ext,
		.max_idle = 4,
		.server_tls = true});

	world_health(w);
	return w;
}

/* A session up to an accepted recipient; *hop is the next hop's side. */
static inline struct peer *begin(struct world *w, uint32_t i, const char *ext, struct peer **hop)
{
	struct peer *c = world_client(w);

	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	*hop = world_hop_accept(w, i);
	hop_greet(*hop, ext);
	peer_expect(*hop, "MAIL FROM:<a@client.example>");
	peer_say(*hop, "250 2.1.0 sender ok\r\n");
	peer_expect(c, "250 2.1.0 sender ok");
	peer_say(c, "RCPT TO:<b@inside.example>\r\n");
	peer_expect(*hop, "RCPT TO:<b@inside.example>");
	peer_say(*hop, "250 2.1.5 rcpt ok\r\n");
	peer_expect(c, "250 2.1.5 rcpt ok");
	return c;
}

static inline void data(struct peer *c, struct peer *h)
{
	peer_say(c, "DATA\r\n");
	peer_expect(h, "DATA");
	peer_say(h, "354 go\r\n");
	peer_expect(c, "354");
}

#endif
