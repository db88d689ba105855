/* SPDX-License-Identifier: BSD-3-Clause */
/* Results of postgated for people: one function a command. What a result lacks shows as "-". */
#ifndef POSTGATE_CONTROL_CLI_RENDER_H
#define POSTGATE_CONTROL_CLI_RENDER_H

#include <stdio.h>

#include <jansson.h>

void render_status(const json_t *result, FILE *out);
void render_workers(const json_t *result, FILE *out);
void render_stats(const json_t *result, FILE *out);
void render_sessions(const json_t *result, FILE *out);
void render_next_hops(const json_t *result, FILE *out);
void render_partner(const json_t *result, FILE *out);
void render_partners(const json_t *result, FILE *out);
void render_partner_changed(const json_t *result, FILE *out);
void render_resolve(const json_t *result, FILE *out);
void render_reload(const json_t *result, FILE *out);
void render_events(const json_t *result, FILE *out);

/* What became of a change: "generation 7 is committed". */
void render_generation(const json_t *result, FILE *out);
void render_changes(const json_t *result, FILE *out);
void render_confirmed(const json_t *result, FILE *out);
void render_discarded(const json_t *result, FILE *out);
void render_history(const json_t *result, FILE *out);
void render_suspended(const json_t *result, FILE *out);
void render_suspensions(const json_t *result, FILE *out);

void render_coverage(const json_t *result, FILE *out);
void render_would_break(const json_t *result, FILE *out);
void render_explain(const json_t *result, FILE *out);
void render_alerts(const json_t *result, FILE *out);
void render_suggest(const json_t *result, FILE *out);

#define RENDER_TIME_MAX 32
/* "2026-11-26 17:15:06". */
const char *render_time(json_int_t t, char out[RENDER_TIME_MAX]);

/* Fields of an object: "" and 0 for what is not there. */
const char *render_text(const json_t *object, const char *key);
json_int_t render_int(const json_t *object, const char *key);

#endif
