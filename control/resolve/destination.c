/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/destination.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct destination *destination_create(const char *domain)
{
	struct destination *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	strncpy(d->domain, domain, sizeof(d->domain) - 1);
	d->refs = 1;
	return d;
}

int destination_set_hosts(struct destination *d, size_t count)
{
	d->hosts = calloc(count, sizeof(d->hosts[0]));
	if (d->hosts == NULL)
		return -ENOMEM;
	d->host_count = (uint8_t)count;
	return 0;
}

struct destination *destination_ref(const struct destination *d)
{
	struct destination *writable = (struct destination *)d;

	writable->refs++;
	return writable;
}

void destination_unref(const struct destination *shared)
{
	struct destination *d = (struct destination *)shared;

	if (d == NULL || --d->refs > 0)
		return;
	for (size_t i = 0; i < d->host_count; i++) {
		struct destination_host *h = &d->hosts[i];

		free(h->addresses);
		free(h->tlsa);
		free(h->names);
	}
	free(d->hosts);
	free(d);
}

size_t destination_size(const struct destination *d)
{
	size_t size = sizeof(*d);

	for (size_t i = 0; i < d->host_count; i++) {
		const struct destination_host *h = &d->hosts[i];

		size += sizeof(*h) + h->address_count * sizeof(h->addresses[0]) +
			h->name_count * sizeof(h->names[0]);
		for (size_t j = 0; j < h->tlsa_count; j++)
			size += sizeof(h->tlsa[0]) + h->tlsa[j].len;
	}
	return size;
}

const char *destination_status_name(enum destination_status s)
{
	static const char *const names[DESTINATION_STATUSES] = {
		[DESTINATION_OK] = "ok",
		[DESTINATION_NULL_MX] = "null-mx",
		[DESTINATION_NO_NAME] = "no-such-domain",
		[DESTINATION_NO_HOST] = "no-host",
		[DESTINATION_LOOP] = "loop",
		[DESTINATION_BAD_NAME] = "bad-name",
		[DESTINATION_FAILED] = "dns-failed",
		[DESTINATION_BOGUS] = "dns-bogus",
		[DESTINATION_TIMEOUT] = "dns-timeout",
		[DESTINATION_BUSY] = "busy",
	};

	return s < DESTINATION_STATUSES ? names[s] : "?";
}

const char *destination_status_code(enum destination_status s)
{
	static const char *const codes[DESTINATION_STATUSES] = {
		[DESTINATION_OK] = "",
		[DESTINATION_NULL_MX] = "556 5.1.10", /* RFC 7505 4.1 */
		[DESTINATION_NO_NAME] = "550 5.1.2",
		[DESTINATION_NO_HOST] = "550 5.1.2",
		[DESTINATION_LOOP] = "550 5.4.6",
		[DESTINATION_BAD_NAME] = "501 5.1.3",
		[DESTINATION_FAILED] = "451 4.4.3",
		[DESTINATION_BOGUS] = "451 4.4.3",
		[DESTINATION_TIMEOUT] = "451 4.4.3",
		[DESTINATION_BUSY] = "451 4.4.3",
	};

	return s < DESTINATION_STATUSES ? codes[s] : "";
}

const char *host_status_name(enum host_status s)
{
	static const char *const names[HOST_STATUSES] = {
		[HOST_OK] = "ok",
		[HOST_NO_ADDRESS] = "no-address",
		[HOST_FAILED] = "dns-failed",
		[HOST_BOGUS] = "dns-bogus",
		[HOST_TIMEOUT] = "dns-timeout",
	};

	return s < HOST_STATUSES ? names[s] : "?";
}

const char *dane_status_name(enum dane_status s)
{
	static const char *const names[DANE_STATUSES] = {
		[DANE_INSECURE] = "insecure",
		[DANE_NONE] = "none",
		[DANE_USABLE] = "usable",
		[DANE_UNUSABLE] = "unusable",
		[DANE_FAILED] = "dns-failed",
		[DANE_BOGUS] = "dns-bogus",
		[DANE_TIMEOUT] = "dns-timeout",
	};

	return s < DANE_STATUSES ? names[s] : "?";
}

const char *sts_mode_name(enum sts_mode m)
{
	static const char *const names[STS_MODES] = {
		[STS_NONE] = "none",
		[STS_TESTING] = "testing",
		[STS_ENFORCE] = "enforce",
	};

	return m < STS_MODES ? names[m] : "?";
}

const char *sts_source_name(enum sts_source s)
{
	static const char *const names[STS_SOURCES] = {
		[STS_SOURCE_NONE] = "none",
		[STS_SOURCE_FETCHED] = "fetched",
		[STS_SOURCE_CACHED] = "cached",
		[STS_SOURCE_KEPT] = "kept",
		[STS_SOURCE_FAILED] = "failed",
	};

	return s < STS_SOURCES ? names[s] : "?";
}
