/* SPDX-License-Identifier: BSD-3-Clause */
/* The meaning of a configuration: from text to checked values. Private to config*.c. */
#ifndef POSTGATE_CONTROL_DAEMON_CONFIG_CHECK_H
#define POSTGATE_CONTROL_DAEMON_CONFIG_CHECK_H

#include "control/daemon/config.h"
#include "control/daemon/config_raw.h"
#include "control/daemon/lines.h"

struct check {
	const char *file;
	const struct lines *lines;
	struct config_errors *errors;
	const struct config_raw *raw;
	struct config *config;
	char prefix[64]; /* "listeners[0]": what the keys below are under */
};

/* Told with the line of prefix.key; key NULL: of the prefix itself. */
__attribute__((format(printf, 3, 4))) void check_fail(
	struct check *c, const char *key, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void check_under(struct check *c, const char *fmt, ...);

/* Everything; 0 or -EINVAL/-ENOMEM. On an error `config` may be half filled in (config_free() it).
 */
int config_check(const char *file, const struct config_raw *raw, const struct lines *lines,
	struct config *config, struct config_errors *errors);

/* Parts of it, each in order. They tell errors and go on. */
void check_interfaces(struct check *c);
void check_routes(struct check *c);
void check_certificates(struct check *c);
void check_listeners(struct check *c);
void check_next_hops(struct check *c);
void check_resolver(struct check *c);
void check_alerts(struct check *c);
void check_settings(struct check *c); /* strangers, timeouts, limits, events, log */

/* Values common to several parts; an absent key takes `fallback`, or is an error if that is NULL.
 */
uint64_t check_number(struct check *c, const char *key, const char *text, const char *fallback,
	const char *what, uint64_t min, uint64_t max);
uint64_t check_time(struct check *c, const char *key, const char *text, const char *fallback,
	uint64_t min_ms, uint64_t max_ms);
bool check_bool(struct check *c, const char *key, const char *text, bool fallback);
enum config_side check_side(struct check *c, const char *text);
/* Words up to and with `max` that `allowed` (a bit per level) has. */
enum config_level check_level(struct check *c, const char *key, const char *text,
	const char *fallback, unsigned int allowed);
#define LEVEL_BIT(level) (1u << (level))
/* Absent or empty is told; returns NULL then. */
const char *check_required(struct check *c, const char *key, const char *text);

/* Whether an address is on-link of an interface of that side; its index, or -1. */
int check_on_link(const struct check *c, enum config_side side, const struct address *a);

#endif
