/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside control/ipc: what the checks of the single messages share. A check runs when header and
 * length are known to be right; it returns NULL or a constant text.
 */
#ifndef POSTGATE_CONTROL_IPC_CHECK_H
#define POSTGATE_CONTROL_IPC_CHECK_H

#include <string.h>

#include "control/ipc/ipc.h"

typedef const char *(*ipc_check_fn)(const void *msg);

struct ipc_message_kind {
	uint16_t type;      /* with IPC_REPLY */
	uint8_t directions; /* 1u << enum ipc_direction */
	const char *name;
	size_t size;                      /* of the fixed part */
	size_t item;                      /* of one repeated element; 0: no such part */
	size_t (*items)(const void *msg); /* their number, unbounded, by the fixed part */
	ipc_check_fn check;
};

#define IPC_KIND_SERVER (1u << IPC_TO_DATAPLANE)
#define IPC_KIND_CLIENT (1u << IPC_TO_CLIENT)

extern const struct ipc_message_kind ipc_config_kinds[], ipc_policy_kinds[], ipc_query_kinds[],
	ipc_event_kinds[];
extern const size_t ipc_config_kind_count, ipc_policy_kind_count, ipc_query_kind_count,
	ipc_event_kind_count;

static inline bool ipc_zero(const void *field, size_t size)
{
	const uint8_t *b = field;
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= b[i];
	return any == 0;
}

/* Terminated, and one line: no control characters, which would forge log lines. */
static inline bool ipc_text(const char *field, size_t size)
{
	size_t len = strnlen(field, size);

	if (len == size)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)field[i] < 0x20 || field[i] == 0x7f)
			return false;
	}
	return true;
}

/* The same and not empty. */
static inline bool ipc_word(const char *field, size_t size)
{
	return field[0] != '\0' && ipc_text(field, size);
}

bool ipc_host_bits(const struct ipc_prefix *p);

#define IPC_TEXT(field)     ipc_text(field, sizeof(field))
#define IPC_WORD(field)     ipc_word(field, sizeof(field))
#define IPC_RESERVED(field) ipc_zero(field, sizeof(field))
#define IPC_BOOL(field)     ((field) <= 1)

#endif
