/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/sts_fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "control/resolve/sts.h"

#define CONNECT_TIMEOUT_MS 10000

struct sts_fetch {
	struct sts_fetcher *fetcher;
	CURL *easy;
	struct curl_slist *resolve;
	sts_fetch_done done;
	void *arg;
	bool too_long;
	size_t len;
	char *text;
	LIST_ENTRY(sts_fetch) link;
	char error[CURL_ERROR_SIZE];
};

/* A socket of libcurl's. */
struct watch {
	struct sts_fetcher *fetcher;
	struct event *event;
};

struct sts_fetcher {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	char *ca;
	uint16_t port;
	uint32_t timeout_ms;
	LIST_HEAD(, sts_fetch) fetches;
};

static void fetch_free(struct sts_fetch *fetch)
{
	LIST_REMOVE(fetch, link);
	if (fetch->easy != NULL) {
		curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
		curl_easy_cleanup(fetch->easy);
	}
	curl_slist_free_all(fetch->resolve);
	free(fetch->text);
	free(fetch);
}

void sts_fetch_cancel(struct sts_fetch *fetch)
{
	if (fetch != NULL)
		fetch_free(fetch);
}

static void fetch_finish(struct sts_fetch *fetch, CURLcode result)
{
	sts_fetch_done done = fetch->done;
	void *arg = fetch->arg;
	const char *type = NULL;
	char why[160] = "";
	long code = 0;
	char *text;
	size_t len;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
	if (fetch->too_long)
		snprintf(why, sizeof(why), "the policy is longer than %d octets", STS_POLICY_MAX);
	else if (result != CURLE_OK)
		snprintf(why, sizeof(why), "%.150s",
			fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(result));
	else if (code != 200)
		snprintf(why, sizeof(why), "HTTP status %ld", code);
	else if (type == NULL || !sts_is_media_type(type))
		snprintf(why, sizeof(why), "the media type is %.60s, not text/plain",
			type != NULL ? type : "not given");
	text = fetch->text;
	len = fetch->len;
	fetch->text = NULL;
	fetch_free(fetch);
	if (why[0] == '\0')
		done(arg, text != NULL ? text : "", len, "");
	else
		done(arg, NULL, 0, why);
	free(text);
}

static void check_done(struct sts_fetcher *f)
{
	struct sts_fetch *fetch;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(f->multi, &left)) != NULL) {
		CURLcode result = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		fetch_finish(fetch, result);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct sts_fetcher *f = ((struct watch *)arg)->fetcher;
	int running;

	curl_multi_socket_action(f->multi, fd,
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0),
		&running);
	check_done(f);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct sts_fetcher *f = arg;
	int running;

	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_done(f);
}

static int curl_wants_timer(CURLM *multi, long ms, void *arg)
{
	struct sts_fetcher *f = arg;
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	if (ms < 0)
		event_del(f->timer);
	else
		event_add(f->timer, &tv);
	return 0;
}

static int curl_wants_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct sts_fetcher *f = arg;
	struct watch *w = socket_arg;

	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			event_free(w->event);
			free(w);
			curl_multi_assign(f->multi, fd, NULL);
		}
		return 0;
	}
	short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
			       (what & CURL_POLL_OUT ? EV_WRITE : 0));

	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return -1;
		w->fetcher = f;
		w->event = event_new(f->base, fd, events, on_socket, w);
		if (w->event == NULL) {
			free(w);
			return -1;
		}
		curl_multi_assign(f->multi, fd, w);
	} else {
		event_del(w->event);
		event_assign(w->event, f->base, fd, events, on_socket, w);
	}
	event_add(w->event, NULL);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct sts_fetch *fetch = arg;
	size_t len = size * count;
	char *text;

	if (len > STS_POLICY_MAX - fetch->len) {
		fetch->too_long = true;
		return 0;
	}
	text = realloc(fetch->text, fetch->len + len + 1);
	if (text == NULL)
		return 0;
	memcpy(text + fetch->len, data, len);
	fetch->text = text;
	fetch->len += len;
	return len;
}

/* So that libcurl asks no resolver: it would need a thread, and would not know ours. The "+" lets
 * the entry go again. */
static int give_addresses(struct sts_fetch *fetch, const char *domain,
	const struct destination_address *addresses, size_t count)
{
	char line[1024], text[INET6_ADDRSTRLEN];
	size_t len;

	len = (size_t)snprintf(line, sizeof(line), "+mta-sts.%s:%u:", domain, fetch->fetcher->port);
	for (size_t i = 0; i < count; i++) {
		bool v6 = addresses[i].family == 6;

		if (len + sizeof(text) + 4 > sizeof(line))
			break;
		inet_ntop(v6 ? AF_INET6 : AF_INET, addresses[i].addr, text, sizeof(text));
		len += (size_t)snprintf(line + len, sizeof(line) - len, v6 ? "%s[%s]" : "%s%s",
			i > 0 ? "," : "", text);
	}
	fetch->resolve = curl_slist_append(NULL, line);
	return fetch->resolve != NULL ? 0 : -ENOMEM;
}

static void set_options(struct sts_fetch *fetch, const char *domain)
{
	const struct sts_fetcher *f = fetch->fetcher;
	CURL *c = fetch->easy;
	char url[NAME_MAX_TEXT + 64];

	if (f->port == 443)
		snprintf(url, sizeof(url), "https://mta-sts.%s/.well-known/mta-sts.txt", domain);
	else
		snprintf(url, sizeof(url), "https://mta-sts.%s:%u/.well-known/mta-sts.txt", domain,
			f->port);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(c, CURLOPT_RESOLVE, fetch->resolve);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, fetch->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, fetch);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* 3.3: MUST NOT follow */
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (f->ca != NULL) {
		curl_easy_setopt(c, CURLOPT_CAINFO, f->ca);
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "postgate");
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE, (long)STS_POLICY_MAX);
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)f->timeout_ms);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(f->timeout_ms < CONNECT_TIMEOUT_MS ? f->timeout_ms : CONNECT_TIMEOUT_MS));
}

int sts_fetch_start(struct sts_fetcher *f, const char *domain,
	const struct destination_address *addresses, size_t count, sts_fetch_done done, void *arg,
	struct sts_fetch **out)
{
	struct sts_fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch == NULL)
		return -ENOMEM;
	fetch->fetcher = f;
	fetch->done = done;
	fetch->arg = arg;
	LIST_INSERT_HEAD(&f->fetches, fetch, link);
	fetch->easy = curl_easy_init();
	if (fetch->easy == NULL || give_addresses(fetch, domain, addresses, count) < 0)
		goto fail;
	set_options(fetch, domain);
	if (curl_multi_add_handle(f->multi, fetch->easy) != CURLM_OK)
		goto fail;
	*out = fetch;
	return 0;
fail:
	fetch_free(fetch);
	return -ENOMEM;
}

int sts_fetcher_create(const struct sts_fetcher_params *params, struct sts_fetcher **out)
{
	struct sts_fetcher *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(f);
		return -ENOMEM;
	}
	LIST_INIT(&f->fetches);
	f->base = params->base;
	f->port = params->port;
	f->timeout_ms = params->timeout_ms;
	f->multi = curl_multi_init();
	f->timer = evtimer_new(params->base, on_timer, f);
	f->ca = params->ca != NULL ? strdup(params->ca) : NULL;
	if (f->multi == NULL || f->timer == NULL || (params->ca != NULL && f->ca == NULL)) {
		sts_fetcher_destroy(f);
		return -ENOMEM;
	}
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, curl_wants_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	*out = f;
	return 0;
}

void sts_fetcher_destroy(struct sts_fetcher *f)
{
	if (f == NULL)
		return;
	while (!LIST_EMPTY(&f->fetches))
		fetch_free(LIST_FIRST(&f->fetches));
	if (f->multi != NULL)
		curl_multi_cleanup(f->multi);
	if (f->timer != NULL)
		event_free(f->timer);
	free(f->ca);
	free(f);
	curl_global_cleanup();
}
