/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the daemon share: a directory with certificates, and a good configuration that
 * names them. */
#ifndef POSTGATE_TESTS_DAEMON_FIXTURE_H
#define POSTGATE_TESTS_DAEMON_FIXTURE_H

/* "@" in a text of a test stands for it. */
extern char fixture_dir[64];

/*
 * chain.pem and key.pem (mode 0600) belong together, ca.pem, open.pem (the key, mode 0644),
 * other.pem (another key), text.pem (no PEM), long.pem (the chain behind 70,000 octets of comment).
 */
void fixture_create(void);
void fixture_remove(void);

/* `text` with every "@" made the directory; to be freed. */
char *fixture_expand(const char *text);

/* A good configuration, "@" in it still to be expanded. */
extern const char fixture_config[];

#endif
