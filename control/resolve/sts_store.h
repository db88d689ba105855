/* SPDX-License-Identifier: BSD-3-Clause */
/* MTA-STS policies on disk, so that a restart does not open the window for a downgrade. */
#ifndef POSTGATE_CONTROL_RESOLVE_STS_STORE_H
#define POSTGATE_CONTROL_RESOLVE_STS_STORE_H

#include "control/resolve/sts.h"

struct sts_store;

struct sts_entry {
	struct sts_policy policy;
	char id[STS_ID_MAX];
	time_t fetched, expiry;
};

/* NULL path: in memory. 0 or -EIO, with err filled in. */
int sts_store_open(const char *path, struct sts_store **out, char *err, size_t err_size);
void sts_store_close(struct sts_store *s);

/* Unexpired. 0, -ENOENT, -EIO. */
int sts_store_get(struct sts_store *s, const char *domain, time_t now, struct sts_entry *out);
/* Visible at once, on disk with the next commit. 0 or -EIO. */
int sts_store_put(struct sts_store *s, const char *domain, const struct sts_entry *e);

/* A fetch for this id that failed: not to be tried again before a while has gone (RFC 8461 3.3). */
int sts_store_put_failure(struct sts_store *s, const char *domain, const char *id, time_t now);
bool sts_store_has_failed(
	struct sts_store *s, const char *domain, const char *id, time_t since, time_t now);

/* Writes what was put since the last; drops what has expired. 0 or -EIO. */
int sts_store_commit(struct sts_store *s, time_t now);

#endif
