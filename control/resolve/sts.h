/* SPDX-License-Identifier: BSD-3-Clause */
/* MTA-STS (RFC 8461) texts. No I/O. */
#ifndef POSTGATE_CONTROL_RESOLVE_STS_H
#define POSTGATE_CONTROL_RESOLVE_STS_H

#include "control/resolve/destination.h"

#define STS_ID_MAX      33 /* with NUL (3.1: 1 to 32 letters and digits) */
#define STS_MX_MAX      64
#define STS_POLICY_MAX  65536 /* octets of the file (3.3 recommends a bound of 64 KiB) */
#define STS_MAX_AGE_MAX UINT32_C(31557600) /* 3.2 */

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age; /* seconds */
	uint8_t mx_count;
	char mx[STS_MX_MAX][NAME_MAX_TEXT]; /* "mx.example.org" or "*.example.org" */
};

/*
 * The TXT records of _mta-sts.<domain> one by one, their strings joined. Feed all of them; there
 * must be exactly one that begins with "v=STSv1;" (3.1).
 */
struct sts_txt {
	unsigned int records; /* that claim to be STS */
	bool valid;
	char id[STS_ID_MAX];
};
void sts_txt_add(struct sts_txt *t, const char *text, size_t len);
bool sts_txt_is_valid(const struct sts_txt *t);

/* The policy file (3.2). 0, or -EBADMSG with *why (static). */
int sts_policy_parse(const char *text, size_t len, struct sts_policy *out, const char **why);

/* Does a pattern fit the host name (4.1)? "*." stands for exactly one label. */
bool sts_mx_match(const char *pattern, const char *host);
bool sts_policy_match(const struct sts_policy *p, const char *host);

/* The media type is text/plain, parameters or not (3.2). */
bool sts_is_media_type(const char *content_type);

#endif
