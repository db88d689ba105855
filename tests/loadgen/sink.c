/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/server.h"
#include "tests/loadgen/stream.h"

#define SCRATCH  65536
#define KEEP_MAX 256 /* line buffers kept for the next who needs one */

struct sink_session {
	const struct transport_events *events;
	struct sink *sink;
	struct sink_session *prev, *next;
	struct stream stream;
	struct smtp_server smtp;
	bool handshaking, in_message, bdat, closing;
	struct message_check check;
};

struct sink {
	struct sink_params params;
	struct smtp_server_config smtp;
	struct sink_counters counters;
	struct ledger *runs[SINK_RUNS_MAX];
	struct sink_session *sessions, *free;
	uint32_t active;
	uint64_t now;
	struct smtp_linebuf *lines[KEEP_MAX];
	uint32_t line_count;
	uint8_t in[SCRATCH], out_data[SCRATCH];
	struct smtp_out out;
};

static struct smtp_linebuf *linebuf_get(void *arg)
{
	struct sink *k = arg;

	if (k->line_count > 0)
		return k->lines[--k->line_count];
	return malloc(sizeof(struct smtp_linebuf));
}

static void linebuf_put(void *arg, struct smtp_linebuf *b)
{
	struct sink *k = arg;

	if (k->line_count < KEEP_MAX)
		k->lines[k->line_count++] = b;
	else
		free(b);
}

static void sink_session_end(struct sink_session *s)
{
	struct sink *k = s->sink;

	if (s->in_message)
		k->counters.cut++;
	smtp_server_fini(&s->smtp);
	if (s->prev)
		s->prev->next = s->next;
	else
		k->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->next = k->free;
	k->free = s;
	k->active--;
	k->out.len = 0;
}

static struct ledger *sink_run(struct sink *k, uint32_t run)
{
	for (uint32_t i = 0; i < SINK_RUNS_MAX; i++) {
		if (!k->runs[i]) {
			k->runs[i] = calloc(1, sizeof(*k->runs[i]));
			if (k->runs[i])
				k->runs[i]->run = run;
			return k->runs[i];
		}
		if (k->runs[i]->run == run)
			return k->runs[i];
	}
	return NULL;
}

static void sink_message(struct sink_session *s)
{
	struct sink *k = s->sink;
	struct ledger *run;
	int seen;

	s->in_message = false;
	switch (message_check_end(&s->check, !s->bdat)) {
	case MESSAGE_FOREIGN:
		k->counters.foreign++;
		return;
	case MESSAGE_DAMAGED:
		k->counters.damaged++;
		return;
	case MESSAGE_GOOD:
		break;
	}
	run = sink_run(k, s->check.run);
	seen = run ? ledger_mark(run, s->check.seq) : -ENOMEM;
	k->counters.received++;
	if (seen < 0)
		k->counters.fail_memory++;
	else if (seen > 0)
		k->counters.doubled++;
}

static uint32_t sink_extensions(const struct sink_session *s)
{
	const struct sink_params *p = &s->sink->params;
	uint32_t ext = SMTP_EXT_PIPELINING | SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_CHUNKING |
		       SMTP_EXT_ENHANCEDSTATUSCODES | SMTP_EXT_SMTPUTF8;

	if (p->no_chunking)
		ext &= ~(uint32_t)SMTP_EXT_CHUNKING;
	if (p->no_pipelining)
		ext &= ~(uint32_t)SMTP_EXT_PIPELINING;
	if (p->tls && !s->stream.tls)
		ext |= SMTP_EXT_STARTTLS;
	return ext;
}

static int sink_reply(
	struct sink_session *s, uint16_t code, uint16_t subject, uint16_t detail, const char *text)
{
	const struct smtp_status status = {(uint8_t)(code / 100), subject, detail};

	return smtp_server_reply(&s->smtp, code, code == 354 ? (struct smtp_status){0} : status,
		(struct smtp_str){text, strlen(text)}, &s->sink->out);
}

static void sink_begin_message(struct sink_session *s, bool bdat)
{
	s->in_message = true;
	s->bdat = bdat;
	message_check_begin(&s->check);
}

/* 0, or -errno: drop the connection. */
static int sink_event(
	struct sink_session *s, enum smtp_server_event event, const struct smtp_server_ev *ev)
{
	struct sink *k = s->sink;
	int rc;

	switch (event) {
	case SMTP_SERVER_EHLO:
		return smtp_server_ehlo(&s->smtp, sink_extensions(s), 0, &k->out);
	case SMTP_SERVER_STARTTLS:
		rc = sink_reply(s, 220, 0, 0, "go ahead");
		s->handshaking = true;
		return rc;
	case SMTP_SERVER_MAIL:
		return sink_reply(s, 250, 1, 0, "ok");
	case SMTP_SERVER_RCPT:
		return sink_reply(s, 250, 1, 5, "ok");
	case SMTP_SERVER_DATA:
		sink_begin_message(s, false);
		return sink_reply(s, 354, 0, 0, "go ahead");
	case SMTP_SERVER_BDAT:
		if (ev->bdat.first)
			sink_begin_message(s, true);
		return 0;
	case SMTP_SERVER_BODY:
		k->counters.octets_received += ev->body.len;
		message_check_octets(&s->check, ev->body.data, ev->body.len);
		return 0;
	case SMTP_SERVER_BDAT_END:
		return sink_reply(s, 250, 0, 0, "ok");
	case SMTP_SERVER_BODY_END:
		sink_message(s);
		return sink_reply(s, 250, 0, 0, "taken");
	case SMTP_SERVER_BODY_BAD:
		k->counters.damaged++;
		s->in_message = false;
		return 0;
	case SMTP_SERVER_RSET:
		s->in_message = false;
		return 0;
	case SMTP_SERVER_QUIT:
	case SMTP_SERVER_END:
		s->closing = true;
		return 0;
	default:
		return -EPROTO;
	}
}

static int sink_flush(struct sink_session *s)
{
	struct sink *k = s->sink;
	int rc = k->out.len > 0 ? stream_write(&s->stream, k->out.data, k->out.len) : 0;

	k->out.len = 0;
	return rc;
}

static int sink_feed(struct sink_session *s, const uint8_t *data, size_t len)
{
	struct sink *k = s->sink;

	while (!s->closing && !s->handshaking) {
		struct smtp_server_ev ev;
		size_t used;
		enum smtp_server_event event;
		int rc;

		if (k->out.len > sizeof(k->out_data) / 2) {
			rc = sink_flush(s);
			if (rc < 0)
				return rc;
		}
		event = smtp_server_next(&s->smtp, data, len, &used, &k->out, &ev);
		data += used;
		len -= used;
		if (event == SMTP_SERVER_MORE)
			return 0;
		/* Everything is answered at once and there is room: it has nothing to wait for. */
		if (event == SMTP_SERVER_BLOCKED)
			return -EPROTO;
		rc = sink_event(s, event, &ev);
		if (rc < 0)
			return rc;
	}
	/* Plaintext behind STARTTLS would be an injection. */
	return s->handshaking && len > 0 ? -EPROTO : 0;
}

static int sink_handshake(struct sink_session *s)
{
	struct sink *k = s->sink;
	int rc;

	if (!s->stream.tls) {
		rc = sink_flush(s);
		if (rc == 0)
			rc = tls_accept(
				k->params.tls, &stream_transport, &s->stream, &s->stream.tls);
		if (rc < 0)
			return rc;
	}
	switch (stream_handshake(&s->stream)) {
	case TLS_OK:
		s->handshaking = false;
		k->counters.tls_sessions++;
		smtp_server_tls_started(&s->smtp);
		return 0;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		return -EAGAIN;
	default:
		k->counters.fail_tls++;
		return -EPROTO;
	}
}

static void sink_ready(void *user, uint64_t now)
{
	struct sink_session *s = user;
	struct sink *k = s->sink;
	bool ended = false;
	int rc = 0;

	k->now = now;
	stream_flush(&s->stream);
	while (rc == 0 && !s->closing) {
		enum stream_status status;
		size_t len;

		if (s->handshaking) {
			rc = sink_handshake(s);
			if (rc == -EAGAIN)
				return;
			if (rc < 0)
				break;
		}
		status = stream_read(&s->stream, k->in, sizeof(k->in), &len);
		if (status == STREAM_NONE)
			break;
		if (status != STREAM_DATA) {
			ended = true;
			break;
		}
		rc = sink_feed(s, k->in, len);
	}
	if (rc == 0)
		rc = sink_flush(s);
	if (rc < 0) {
		stream_abort(&s->stream, now);
		sink_session_end(s);
	} else if (ended || s->closing) {
		stream_close(&s->stream, now);
		sink_session_end(s);
	}
}

static void sink_connected(void *user, uint64_t now)
{
	(void)user;
	(void)now;
}

static void sink_closed(void *user, enum transport_end end, uint64_t now)
{
	struct sink_session *s = user;

	(void)end;
	(void)now;
	stream_release(&s->stream);
	sink_session_end(s);
}

static const struct transport_events sink_events = {
	.connected = sink_connected,
	.ready = sink_ready,
	.closed = sink_closed,
};

static void *sink_accepted(void *arg, void *conn, uint64_t now)
{
	struct sink *k = arg;
	struct sink_session *s = k->free;

	k->now = now;
	if (s)
		k->free = s->next;
	else
		s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	memset(s, 0, offsetof(struct sink_session, check));
	s->events = &sink_events;
	s->sink = k;
	s->stream = (struct stream){.t = k->params.transport, .conn = conn};
	s->next = k->sessions;
	if (s->next)
		s->next->prev = s;
	k->sessions = s;
	k->active++;
	k->counters.connections++;
	smtp_server_init(&s->smtp, &k->smtp);
	if (smtp_server_banner(&s->smtp, 220, "ESMTP postgate-load", &k->out) < 0 ||
		sink_flush(s) < 0) {
		sink_session_end(s);
		return NULL;
	}
	return s;
}

const struct sink_counters *sink_get_counters(const struct sink *k)
{
	return &k->counters;
}

uint32_t sink_active(const struct sink *k)
{
	return k->active;
}

const struct ledger *sink_ledger_at(const struct sink *k, uint32_t index)
{
	return index < SINK_RUNS_MAX ? k->runs[index] : NULL;
}

const struct ledger *sink_ledger(const struct sink *k, uint32_t run)
{
	for (uint32_t i = 0; i < SINK_RUNS_MAX && k->runs[i]; i++) {
		if (k->runs[i]->run == run)
			return k->runs[i];
	}
	return NULL;
}

int sink_create(const struct sink_params *params, struct sink **out)
{
	struct sink *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return -ENOMEM;
	k->params = *params;
	k->smtp = (struct smtp_server_config){
		.hostname = params->hostname,
		.max_recipients = 10000,
		.max_bad_commands = 20,
		.max_received = 100,
		.linebuf_get = linebuf_get,
		.linebuf_put = linebuf_put,
		.arg = k,
	};
	k->out = (struct smtp_out){.data = k->out_data, .size = sizeof(k->out_data)};
	params->transport->accepted = sink_accepted;
	params->transport->accepted_arg = k;
	rc = params->transport->ops->listen(params->transport, &params->addr, params->port);
	if (rc < 0) {
		free(k);
		return rc;
	}
	*out = k;
	return 0;
}

void sink_destroy(struct sink *k)
{
	if (!k)
		return;
	while (k->sessions) {
		stream_abort(&k->sessions->stream, k->now);
		sink_session_end(k->sessions);
	}
	while (k->free) {
		struct sink_session *s = k->free;

		k->free = s->next;
		free(s);
	}
	while (k->line_count > 0)
		free(k->lines[--k->line_count]);
	for (uint32_t i = 0; i < SINK_RUNS_MAX && k->runs[i]; i++) {
		ledger_fini(k->runs[i]);
		free(k->runs[i]);
	}
	free(k);
}
