/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificates made on the spot for the gateway's tests. */
#ifndef POSTGATE_TESTS_GATEWAY_PKI_H
#define POSTGATE_TESTS_GATEWAY_PKI_H

#include "tls/tls.h"

/* The gateway's own server and client contexts (in `lib`), the next hops' server context with a
 * certificate for hop0.example to hop7.example, and a client's context (in `out_lib`). The
 * gateway's client context trusts the CA that signed the hops'. */
void pki_contexts(struct tls_lib *lib, struct tls_lib *out_lib, struct tls_tickets *tickets,
	struct tls_context **server, struct tls_context **client, struct tls_context **hop,
	struct tls_context **out);

#endif
