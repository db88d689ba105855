/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS contexts of the generator: its sink's with a certificate made at start unless one is given.
 */
#ifndef POSTGATE_TESTS_LOADGEN_CERTIFICATE_H
#define POSTGATE_TESTS_LOADGEN_CERTIFICATE_H

#include "tls/tls.h"

/* `version`: "1.2", "1.3" or NULL, the newest of both sides. `groups`: NULL or OpenSSL's list. 0,
 * or -errno with one line said. */
int certificate_client_context(
	struct tls_lib *lib, const char *version, const char *groups, struct tls_context **out);
/* Files of PEM, or both NULL. */
int certificate_server_context(
	struct tls_lib *lib, const char *chain, const char *key, struct tls_context **out);

#endif
