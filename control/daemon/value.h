/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single values as the operator writes them: times with a unit, sizes, numbers in a range, words of
 * a list, host names. On an error they say what was expected, for a message after "<path>: ".
 */
#ifndef POSTGATE_CONTROL_DAEMON_VALUE_H
#define POSTGATE_CONTROL_DAEMON_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One word and its number; a table ends with name NULL. */
struct value_word {
	const char *name;
	int value;
};

/* All return 0 or -EINVAL with a text in err, e.g. "70000 is not a port (1..65535)". */
int value_number(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *out,
	char *err, size_t err_size);
/* "1500ms", "30s", "5m", "2h", "1d"; a plain number counts seconds. Result and range in ms. */
int value_time(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *out_ms, char *err,
	size_t err_size);
/* Octets: "0", "52428800", "50M" (2^20), "1G", "64K". */
int value_size(const char *text, uint64_t max, uint64_t *out, char *err, size_t err_size);
/* yes/no, true/false, on/off. */
int value_bool(const char *text, bool *out, char *err, size_t err_size);
int value_word(
	const char *text, const struct value_word *words, int *out, char *err, size_t err_size);
/* A short name of our own: letters, digits, "-", "_", ".", from a letter or digit on. */
int value_name(const char *text, size_t max, char *err, size_t err_size);
/* A domain name, RFC 1035 2.3.4 and RFC 5891 (A-labels only), no trailing dot. */
int value_domain(const char *text, char *err, size_t err_size);

/* `text` made fit for a message: cut, control octets as "?". Valid until the fourth next call. */
const char *value_quote(const char *text);

/* "300 ms", "30s", "5m", "2h": shortest exact form. */
void value_time_format(uint64_t ms, char *out, size_t out_size);

#endif
