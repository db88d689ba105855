/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/sts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* A piece of the text without the blanks around it. */
struct piece {
	const char *p;
	size_t len;
};

static struct piece trim(const char *p, size_t len)
{
	while (len > 0 && is_blank(p[0])) {
		p++;
		len--;
	}
	while (len > 0 && is_blank(p[len - 1]))
		len--;
	return (struct piece){p, len};
}

static bool piece_is(struct piece piece, const char *word)
{
	return piece.len == strlen(word) && memcmp(piece.p, word, piece.len) == 0;
}

/* "key<sep>value". Without sep the value is empty and false is returned. */
static bool split(struct piece all, char sep, struct piece *key, struct piece *value)
{
	const char *at = memchr(all.p, sep, all.len);

	if (at == NULL) {
		*key = all;
		*value = (struct piece){all.p + all.len, 0};
		return false;
	}
	*key = trim(all.p, (size_t)(at - all.p));
	*value = trim(at + 1, (size_t)(all.p + all.len - at - 1));
	return true;
}

/* sts-id: 1*32(ALPHA / DIGIT) */
static bool take_id(struct piece value, char id[STS_ID_MAX])
{
	if (value.len == 0 || value.len >= STS_ID_MAX || id[0] != '\0')
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!is_alnum(value.p[i]))
			return false;
	memcpy(id, value.p, value.len);
	id[value.len] = '\0';
	return true;
}

void sts_txt_add(struct sts_txt *t, const char *text, size_t len)
{
	static const char version[] = "v=STSv1;";
	struct piece key, value;

	/* 3.1: "Records that do not begin with "v=STSv1;" are discarded." */
	if (len < sizeof(version) - 1 || memcmp(text, version, sizeof(version) - 1) != 0)
		return;
	text += sizeof(version) - 1;
	len -= sizeof(version) - 1;
	t->records++;
	t->valid = true;
	t->id[0] = '\0';
	while (len > 0 && t->valid) {
		const char *end = memchr(text, ';', len);
		size_t n = end != NULL ? (size_t)(end - text) : len;
		struct piece field = trim(text, n);

		if (field.len > 0 || end != NULL) {
			t->valid = split(field, '=', &key, &value) && key.len > 0 && value.len > 0;
			if (t->valid && piece_is(key, "id"))
				t->valid = take_id(value, t->id);
		}
		n += end != NULL;
		text += n;
		len -= n;
	}
	t->valid = t->valid && t->id[0] != '\0';
}

bool sts_txt_is_valid(const struct sts_txt *t)
{
	return t->records == 1 && t->valid;
}

static bool take_mode(struct piece value, enum sts_mode *mode)
{
	if (piece_is(value, "enforce"))
		*mode = STS_ENFORCE;
	else if (piece_is(value, "testing"))
		*mode = STS_TESTING;
	else if (piece_is(value, "none"))
		*mode = STS_NONE;
	else
		return false;
	return true;
}

/* 1*10(DIGIT); what is more than the greatest value is that. */
static bool take_max_age(struct piece value, uint32_t *max_age)
{
	uint64_t n = 0;

	if (value.len == 0 || value.len > 10)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.p[i]))
			return false;
		n = n * 10 + (uint64_t)(value.p[i] - '0');
	}
	*max_age = n > STS_MAX_AGE_MAX ? STS_MAX_AGE_MAX : (uint32_t)n;
	return true;
}

static bool take_mx(struct piece value, char out[NAME_MAX_TEXT])
{
	char text[NAME_MAX_TEXT + 1], name[NAME_MAX_TEXT];
	size_t wild = value.len > 2 && memcmp(value.p, "*.", 2) == 0 ? 2 : 0;

	if (value.len >= NAME_MAX_TEXT || memchr(value.p, '\0', value.len) != NULL)
		return false;
	memcpy(text, value.p, value.len);
	text[value.len] = '\0';
	if (name_normalize(text + wild, name) < 0)
		return false;
	memcpy(out, "*.", wild);
	strcpy(out + wild, name);
	return true;
}

struct parse {
	struct sts_policy *policy;
	bool version, mode, max_age;
	const char *why;
};

/* 3.2: of a field that comes twice the first counts, except mx; unknown ones are skipped. */
static void take_field(struct parse *p, struct piece key, struct piece value)
{
	struct sts_policy *policy = p->policy;

	if (!p->version) {
		p->version = piece_is(key, "version") && piece_is(value, "STSv1");
		if (!p->version)
			p->why = "it does not begin with version: STSv1";
	} else if (piece_is(key, "mode") && !p->mode) {
		p->mode = take_mode(value, &policy->mode);
		if (!p->mode)
			p->why = "its mode is none of enforce, testing, none";
	} else if (piece_is(key, "max_age") && !p->max_age) {
		p->max_age = take_max_age(value, &policy->max_age);
		if (!p->max_age)
			p->why = "its max_age is not a number";
	} else if (piece_is(key, "mx")) {
		if (policy->mx_count == STS_MX_MAX)
			p->why = "it has too many mx lines";
		else if (!take_mx(value, policy->mx[policy->mx_count]))
			p->why = "an mx line is not a host name";
		else
			policy->mx_count++;
	}
}

int sts_policy_parse(const char *text, size_t len, struct sts_policy *out, const char **why)
{
	struct parse parse = {.policy = out};
	struct piece key, value;

	memset(out, 0, sizeof(*out));
	if (len > STS_POLICY_MAX)
		parse.why = "it is too long";
	while (len > 0 && parse.why == NULL) {
		const char *end = memchr(text, '\n', len);
		size_t n = end != NULL ? (size_t)(end - text) : len;
		struct piece line = {text, n};

		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		line = trim(line.p, line.len);
		if (line.len > 0) {
			if (!split(line, ':', &key, &value))
				parse.why = "a line is not key: value";
			else
				take_field(&parse, key, value);
		}
		n += end != NULL;
		text += n;
		len -= n;
	}
	if (parse.why == NULL && !parse.version)
		parse.why = "it is empty";
	if (parse.why == NULL && (!parse.mode || !parse.max_age))
		parse.why = "mode or max_age is missing";
	/* 3.2: without "none" at least one mx. */
	if (parse.why == NULL && out->mode != STS_NONE && out->mx_count == 0)
		parse.why = "it has no mx line";
	*why = parse.why != NULL ? parse.why : "";
	return parse.why != NULL ? -EBADMSG : 0;
}

bool sts_mx_match(const char *pattern, const char *host)
{
	const char *rest;

	if (pattern[0] != '*')
		return strcmp(pattern, host) == 0;
	/* The wildcard is the whole left-most label and stands for exactly one. */
	rest = strchr(host, '.');
	return rest != NULL && rest != host && strcmp(rest, pattern + 1) == 0;
}

bool sts_policy_match(const struct sts_policy *p, const char *host)
{
	for (size_t i = 0; i < p->mx_count; i++)
		if (sts_mx_match(p->mx[i], host))
			return true;
	return false;
}

bool sts_is_media_type(const char *content_type)
{
	static const char type[] = "text/plain";
	char next;

	if (strncasecmp(content_type, type, sizeof(type) - 1) != 0)
		return false;
	next = content_type[sizeof(type) - 1];
	return next == '\0' || next == ';' || is_blank(next);
}
