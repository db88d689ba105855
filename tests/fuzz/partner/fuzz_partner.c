/* SPDX-License-Identifier: BSD-3-Clause */
/* Fields of a partner from any JSON: what is taken is in its one form, and taken again as it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/partner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *fields_of(const struct partner *p)
{
	static const char *const not_fields[] = {"id", "name", "created", "changed"};
	json_t *o = partner_to_json(p);

	if (o == NULL)
		abort();
	for (int i = 0; i < 4; i++)
		json_object_del(o, not_fields[i]);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[PARTNER_ERROR_MAX] = "";
	json_t *json = json_loadb((const char *)data, size, 0, NULL), *first, *second;
	struct partner p, q;

	if (!json_is_object(json)) {
		json_decref(json);
		return 0;
	}
	if (partner_init(&p) < 0 || partner_init(&q) < 0)
		abort();
	if (partner_apply(&p, json, err) == 0) {
		first = fields_of(&p);
		if (partner_apply(&q, first, err) < 0)
			abort();
		second = fields_of(&q);
		if (!json_equal(first, second))
			abort();
		for (size_t i = 0; i < p.address_count; i++)
			if (prefix_has_host_bits(&p.addresses[i]))
				abort();
		json_decref(first);
		json_decref(second);
	} else if (err[0] == '\0') {
		abort();
	}
	partner_release(&p);
	partner_release(&q);
	json_decref(json);
	return 0;
}
