/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known about the way to one recipient domain: the next hops in the order in which they are
 * to be tried, their addresses, and what DNSSEC, DANE (RFC 7672) and MTA-STS (RFC 8461) say about
 * them. Immutable once given out, shared by reference; one thread.
 */
#ifndef POSTGATE_CONTROL_RESOLVE_DESTINATION_H
#define POSTGATE_CONTROL_RESOLVE_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "control/resolve/name.h"

/* What is more than that is left out: the least preferred hosts, the last addresses. */
#define DESTINATION_HOSTS_MAX     16
#define DESTINATION_ADDRESSES_MAX 8 /* of each family, of one host */
#define DESTINATION_TLSA_MAX      24
#define DESTINATION_NAMES_MAX     4

enum destination_status {
	DESTINATION_OK,       /* at least one host can be tried */
	DESTINATION_NULL_MX,  /* takes no mail (RFC 7505): 556 5.1.10 */
	DESTINATION_NO_NAME,  /* the domain does not exist: 550 5.1.2 */
	DESTINATION_NO_HOST,  /* neither MX nor address, or no host has one: 550 5.1.2 */
	DESTINATION_LOOP,     /* the most preferred host is ourselves: 550 5.4.6 */
	DESTINATION_BAD_NAME, /* not a domain name: 501 5.1.3 */
	/* Later: 451 4.4.3 */
	DESTINATION_FAILED,  /* the servers answered with a failure, or none could be used */
	DESTINATION_BOGUS,   /* DNSSEC validation failed */
	DESTINATION_TIMEOUT, /* no answer in time */
	DESTINATION_BUSY,    /* too many questions wait */
	DESTINATION_STATUSES,
};

enum host_status {
	HOST_OK,
	HOST_NO_ADDRESS,
	HOST_FAILED,
	HOST_BOGUS,
	HOST_TIMEOUT,
	HOST_STATUSES,
};

/* RFC 7672 2.2. */
enum dane_status {
	DANE_INSECURE, /* MX or address is not signed: DANE cannot apply */
	DANE_NONE,     /* proven: no TLSA records */
	DANE_USABLE,
	DANE_UNUSABLE, /* records, but none that we can use: TLS without authentication */
	/* Not to be tried (2.1.2): */
	DANE_FAILED,
	DANE_BOGUS,
	DANE_TIMEOUT,
	DANE_STATUSES,
};

enum sts_mode {
	STS_NONE, /* no policy, or one that says "none" */
	STS_TESTING,
	STS_ENFORCE,
	STS_MODES,
};

/* How the policy came about. */
enum sts_source {
	STS_SOURCE_NONE,    /* the domain has no policy, or says none */
	STS_SOURCE_FETCHED, /* just now */
	STS_SOURCE_CACHED,  /* the TXT record's id is the cached one's */
	STS_SOURCE_KEPT, /* it could not be refreshed or looked up; the cached one is still valid */
	STS_SOURCE_FAILED, /* announced, but not to be had, and nothing in the cache */
	STS_SOURCES,
};

struct destination_address {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16];
};

/* RFC 6698 2.1 */
struct destination_tlsa {
	uint8_t usage, selector, matching;
	uint16_t len;
	const uint8_t *data;
};

struct destination_host {
	char name[NAME_MAX_TEXT];
	uint16_t preference;
	enum host_status status;
	bool secure; /* the addresses are signed */
	uint8_t address_count;
	struct destination_address *addresses; /* both families in turn, IPv6 first */
	enum dane_status dane;
	char tlsa_base[NAME_MAX_TEXT]; /* SNI and first name to match (RFC 7672 3.2.2, 8.1) */
	uint8_t tlsa_count;
	struct destination_tlsa *tlsa; /* the usable ones, strongest digests only (RFC 7671 9) */
	/* DANE-TA(2): what the certificate may be named; tlsa_base first. */
	uint8_t name_count;
	char (*names)[NAME_MAX_TEXT];
	bool sts_match; /* a pattern of the policy fits; true without a policy */
	char why[128];  /* of a failure, "" without */
};

struct destination_sts {
	enum sts_mode mode;
	enum sts_source source;
	char id[33];
	time_t expiry; /* of the policy */
	char why[128]; /* it is not there or not fresh; "" otherwise */
};

struct destination {
	char domain[NAME_MAX_TEXT];
	enum destination_status status;
	bool mx_secure;   /* the MX answer (or the proof that there is none) is signed */
	bool implicit_mx; /* the domain's own address (RFC 5321 5.1) */
	time_t resolved, expiry;
	char why[128]; /* of a status that is not OK */
	struct destination_sts sts;
	uint8_t host_count;
	struct destination_host *hosts; /* by preference, equal ones in random order */
	unsigned int refs;
};

struct destination *destination_create(const char *domain);
/* `count` empty hosts. 0 or -ENOMEM. */
int destination_set_hosts(struct destination *d, size_t count);
struct destination *destination_ref(const struct destination *d);
void destination_unref(const struct destination *d);
/* Octets of memory. */
size_t destination_size(const struct destination *d);

/* Lower-case words with "-" for people and JSON. */
const char *destination_status_name(enum destination_status s);
const char *host_status_name(enum host_status s);
const char *dane_status_name(enum dane_status s);
const char *sts_mode_name(enum sts_mode m);
const char *sts_source_name(enum sts_source s);
/* "451 4.4.3": the reply for a status that is not OK. */
const char *destination_status_code(enum destination_status s);

#endif
