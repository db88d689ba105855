/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the files that the configuration names. */
#ifndef POSTGATE_CONTROL_DAEMON_FILES_H
#define POSTGATE_CONTROL_DAEMON_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "control/daemon/config.h"

#define FILES_SIZE_MAX (1 << 20)

/* A regular file, whole, with a NUL behind it. -errno with a text in err: what, not which file. */
int files_read(const char *path, char **data, size_t *len, char *err, size_t err_size);
/* A private key: also refused when everybody may read it. */
int files_read_pem(
	const char *path, bool secret, struct config_pem *out, char *err, size_t err_size);
void files_free_pem(struct config_pem *pem);

/* Chain and key belong together. Out of date is no fault here: see config_warnings(). The text
 * names the file at fault. */
int files_check_keypair(const struct config_pem *chain, const struct config_pem *key,
	time_t *not_before, time_t *not_after, char *err, size_t err_size);
int files_check_ca(const struct config_pem *ca, char *err, size_t err_size);

#endif
