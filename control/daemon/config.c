/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/config_check.h"
#include "control/daemon/config_raw.h"
#include "control/daemon/files.h"
#include "control/daemon/lines.h"

const char *config_side_name(enum config_side side)
{
	return side == CONFIG_OUTSIDE ? "outside" : "inside";
}

const char *config_level_name(enum config_level level)
{
	static const char *const names[] = {
		"none", "may", "encrypt", "dane", "sts", "verify", "mutual"};

	return (size_t)level < sizeof(names) / sizeof(names[0]) ? names[level] : "unknown";
}

int config_parse(const char *path, const char *yaml, size_t len, struct config **out,
	struct config_errors *errors)
{
	struct config_raw *raw = NULL;
	struct config *config = NULL;
	struct lines *lines = NULL;
	struct lines_error error;
	int rc;

	rc = lines_create(yaml, len, &lines, &error);
	if (rc == -EINVAL)
		config_errors_add(errors, path, error.line, error.path, "%s", error.text);
	if (rc < 0)
		goto out;
	rc = config_raw_load(path, yaml, len, lines, &raw, errors);
	if (rc < 0)
		goto out;
	config = calloc(1, sizeof(*config));
	if (config == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	rc = config_check(path, raw, lines, config, errors);
	if (rc < 0)
		goto out;
	*out = config;
	config = NULL;
out:
	if (rc < 0 && errors->count == 0)
		config_errors_add(errors, path, 1, "", "%s", strerror(-rc));
	config_free(config);
	config_raw_free(raw);
	lines_destroy(lines);
	return rc;
}

int config_load(const char *path, struct config **out, struct config_errors *errors)
{
	char err[256], *yaml;
	size_t len;
	int rc;

	rc = files_read(path, &yaml, &len, err, sizeof(err));
	if (rc < 0) {
		config_errors_add(errors, path, 1, "", "%s", err);
		return rc == -ENOMEM ? rc : -EIO;
	}
	rc = config_parse(path, yaml, len, out, errors);
	free(yaml);
	return rc;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (unsigned int i = 0; i < config->certificate_count; i++) {
		files_free_pem(&config->certificates[i].chain);
		files_free_pem(&config->certificates[i].key);
	}
	for (unsigned int i = 0; i < config->next_hop_count; i++)
		files_free_pem(&config->next_hops[i].ca);
	for (char **word = config->alerts.command; word != NULL && *word != NULL; word++)
		free(*word);
	free(config->alerts.command);
	free(config->interfaces);
	free(config->routes);
	free(config->certificates);
	free(config->listeners);
	free(config->next_hops);
	free(config);
}

#define SOON_S (14 * 86400)

static void tell_certificate(const struct config_certificate *cert, const char *what, time_t when,
	void (*tell)(void *arg, const char *text), void *arg)
{
	char text[CONFIG_PATH_MAX + 128], date[32];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &tm);
	snprintf(text, sizeof(text), "certificate %s (%s) %s %s UTC", cert->name, cert->chain.path,
		what, date);
	tell(arg, text);
}

void config_warnings(const struct config *config, time_t now,
	void (*tell)(void *arg, const char *text), void *arg)
{
	for (unsigned int i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *cert = &config->certificates[i];

		if (now > cert->not_after)
			tell_certificate(cert, "has expired on", cert->not_after, tell, arg);
		else if (now < cert->not_before)
			tell_certificate(cert, "is not valid before", cert->not_before, tell, arg);
		else if (cert->not_after - now < SOON_S)
			tell_certificate(cert, "expires on", cert->not_after, tell, arg);
	}
}
