/* SPDX-License-Identifier: BSD-3-Clause */
/* What a stranger publishes: a policy file, its TXT record, a DNS response. The first octet says
 * which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/sts.h"
#include "control/resolve/tlsa.h"
#include "control/resolve/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* What is taken is whole, within bounds, and matches its own names. */
static void policy(const char *text, size_t len)
{
	static struct sts_policy p, again;
	const char *why = NULL;
	char host[2 * NAME_MAX_TEXT], name[NAME_MAX_TEXT];
	int rc = sts_policy_parse(text, len, &p, &why);

	check(why != NULL && (rc == 0) == (why[0] == '\0'));
	if (rc < 0)
		return;
	check(p.mode < STS_MODES && p.max_age <= STS_MAX_AGE_MAX && p.mx_count <= STS_MX_MAX);
	check(p.mode == STS_NONE || p.mx_count > 0);
	for (size_t i = 0; i < p.mx_count; i++) {
		bool wild = strncmp(p.mx[i], "*.", 2) == 0;

		check(name_normalize(p.mx[i] + (wild ? 2 : 0), name) == 0);
		check(strcmp(name, p.mx[i] + (wild ? 2 : 0)) == 0);
		strcpy(host, wild ? "x." : "");
		strcat(host, name);
		check(sts_policy_match(&p, host));
		/* Not one label more. */
		if (wild) {
			memmove(host + 2, host, strlen(host) + 1);
			memcpy(host, "y.", 2);
			check(!sts_mx_match(p.mx[i], host));
		}
	}
	/* The same again, whatever was in the struct. */
	memset(&again, 0xa5, sizeof(again));
	check(sts_policy_parse(text, len, &again, &why) == 0);
	check(memcmp(&p, &again, sizeof(p)) == 0);
}

static void txt(const char *text, size_t len)
{
	struct sts_txt t = {0};

	sts_txt_add(&t, text, len);
	check(t.records <= 1);
	if (!sts_txt_is_valid(&t))
		return;
	check(strlen(t.id) >= 1 && strlen(t.id) < STS_ID_MAX);
	check(strspn(t.id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
		strlen(t.id));
	/* A second one spoils it (RFC 8461 3.1). */
	sts_txt_add(&t, text, len);
	check(!sts_txt_is_valid(&t));
}

static void response(const uint8_t *msg, size_t len, uint16_t type)
{
	struct destination_tlsa tlsa[WIRE_RECORDS_MAX];
	char target[NAME_MAX_TEXT];
	struct wire_answer a;
	size_t count = 0, left;

	if (wire_parse(msg, len, "a.example", type, &a) < 0)
		return;
	check(a.count <= WIRE_RECORDS_MAX && strlen(a.owner) < NAME_MAX_TEXT);
	check(a.alias || strcmp(a.owner, "a.example") == 0);
	for (size_t i = 0; i < a.count; i++) {
		check((size_t)a.records[i].at + a.records[i].len <= len);
		if (wire_record_name(msg, len, &a.records[i], 2, target) == 0)
			check(strlen(target) < NAME_MAX_TEXT);
		count += tlsa_parse(msg + a.records[i].at, a.records[i].len, &tlsa[count]) == 0;
	}
	left = tlsa_select(tlsa, count);
	check(left <= count);
	for (size_t i = 0; i < left; i++)
		check(tlsa_is_usable(&tlsa[i]));
	check(tlsa_select(tlsa, left) == left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {WIRE_A, WIRE_CNAME, WIRE_MX, WIRE_TXT, WIRE_TLSA};
	char *text;

	if (size == 0)
		return 0;
	/* In a block of its own, so that one octet too far is seen. */
	text = malloc(size);
	if (text == NULL)
		return 0;
	memcpy(text, data + 1, size - 1);
	if (data[0] == 'p')
		policy(text, size - 1);
	else if (data[0] == 't')
		txt(text, size - 1);
	else
		response((const uint8_t *)text, size - 1, types[data[0] % 5]);
	free(text);
	return 0;
}
