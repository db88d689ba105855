/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/tlsa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tlsa_parse(const uint8_t *rdata, size_t len, struct destination_tlsa *out)
{
	if (len < 3)
		return -EBADMSG;
	*out = (struct destination_tlsa){
		.usage = rdata[0],
		.selector = rdata[1],
		.matching = rdata[2],
		.len = (uint16_t)(len - 3),
		.data = rdata + 3,
	};
	return 0;
}

bool tlsa_is_usable(const struct destination_tlsa *t)
{
	if (t->usage != TLSA_DANE_TA && t->usage != TLSA_DANE_EE)
		return false;
	if (t->selector > TLSA_SELECTOR_SPKI)
		return false;
	switch (t->matching) {
	case TLSA_FULL:
		/* Something that can be DER: a SEQUENCE. */
		return t->len >= 2 && t->len <= TLSA_DATA_MAX && t->data[0] == 0x30;
	case TLSA_SHA256:
		return t->len == 32;
	case TLSA_SHA512:
		return t->len == 64;
	default:
		return false;
	}
}

static int in_order(const void *va, const void *vb)
{
	const struct destination_tlsa *a = va, *b = vb;

	if (a->usage != b->usage)
		return a->usage > b->usage ? -1 : 1;
	if (a->selector != b->selector)
		return a->selector > b->selector ? -1 : 1;
	if (a->matching != b->matching)
		return a->matching > b->matching ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->data, b->data, a->len);
}

size_t tlsa_select(struct destination_tlsa *records, size_t count)
{
	size_t usable = 0, kept = 0;

	for (size_t i = 0; i < count; i++)
		if (tlsa_is_usable(&records[i]))
			records[usable++] = records[i];
	qsort(records, usable, sizeof(records[0]), in_order);
	for (size_t i = 0; i < usable; i++) {
		const struct destination_tlsa *t = &records[i];
		bool weaker = false;

		for (size_t j = 0; j < kept && !weaker; j++) {
			const struct destination_tlsa *k = &records[j];

			weaker = in_order(k, t) == 0 ||
				 (k->usage == t->usage && k->selector == t->selector &&
					 k->matching > t->matching && t->matching != TLSA_FULL);
		}
		if (!weaker)
			records[kept++] = *t;
	}
	return kept;
}
