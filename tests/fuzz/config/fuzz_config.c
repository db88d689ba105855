/* SPDX-License-Identifier: BSD-3-Clause */
/* A configuration file of any octets: it is good, or at least one error says where. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int rc;

	if (size > 16384)
		return 0;
	rc = config_parse("f", (const char *)data, size, &config, &errors);
	if (rc == 0) {
		if (config == NULL || errors.count != 0 || config->listener_count == 0)
			abort();
	} else {
		/* "f:LINE: ...", a line end last. */
		if (config != NULL || errors.count == 0 || errors.text == NULL ||
			strncmp(errors.text, "f:", 2) != 0 || atoi(errors.text + 2) < 1 ||
			errors.text[errors.len - 1] != '\n')
			abort();
	}
	config_free(config);
	config_errors_clear(&errors);
	return 0;
}
