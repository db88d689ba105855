/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/client.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client.h"
#include "tests/loadgen/stream.h"

#define SCRATCH             65536
#define SESSIONS_IN_RESERVE 4096 /* TLS sessions kept to resume from */
#define BEGIN_BURST         64   /* sessions begun a turn, so that replies are read between */
#define SWEEP               UINT64_C(1000000000)

const char *const client_time_names[CLIENT_TIMES] = {
	[CLIENT_TIME_CONNECT] = "connect",
	[CLIENT_TIME_BANNER] = "banner",
	[CLIENT_TIME_HANDSHAKE] = "handshake",
	[CLIENT_TIME_DOT] = "reply_to_dot",
	[CLIENT_TIME_SESSION] = "session",
};

enum session_message {
	MESSAGE_NONE,
	MESSAGE_COMMANDS, /* MAIL to DATA */
	MESSAGE_BODY,
	MESSAGE_END,     /* its reply is awaited */
	MESSAGE_REFUSED, /* replies to what was pipelined are awaited */
};

struct session {
	const struct transport_events *events;
	struct client *client;
	struct session *next; /* in the free list */
	struct stream stream;
	struct smtp_client smtp;
	struct tls_session *resume;
	uint64_t intended, mark, progress;
	struct message message;
	uint32_t messages_left;
	uint16_t rcpts_asked, rcpts_taken;
	uint8_t message_state; /* enum session_message */
	bool used, idle, handshaking;
};

struct client {
	struct client_params params;
	struct smtp_client_config smtp;
	struct client_counters counters;
	struct histogram times[CLIENT_TIMES];
	struct message_source source;
	struct ledger acked;
	struct session *sessions, *free;
	uint32_t session_count, active, idle;
	uint64_t begun, seq;
	uint64_t rng, next_arrival, next_sweep, now;
	uint32_t next_local, next_sender;
	bool stopping;
	struct tls_session *reserve[SESSIONS_IN_RESERVE];
	uint32_t reserved;
	struct smtp_replybuf *free_replybufs[64];
	uint32_t free_replybuf_count;
	uint8_t in[SCRATCH], out_data[SCRATCH];
	struct smtp_out out;
};

static uint64_t client_random(struct client *c)
{
	/* xorshift64* */
	c->rng ^= c->rng >> 12;
	c->rng ^= c->rng << 25;
	c->rng ^= c->rng >> 27;
	return c->rng * UINT64_C(0x2545f4914f6cdd1d);
}

/* In (0, 1]. */
static double client_uniform(struct client *c)
{
	return (double)((client_random(c) >> 11) + 1) / 9007199254740992.0;
}

static struct smtp_replybuf *replybuf_get(void *arg)
{
	struct client *c = arg;

	if (c->free_replybuf_count > 0)
		return c->free_replybufs[--c->free_replybuf_count];
	return malloc(sizeof(struct smtp_replybuf));
}

static void replybuf_put(void *arg, struct smtp_replybuf *b)
{
	struct client *c = arg;

	if (c->free_replybuf_count < 64)
		c->free_replybufs[c->free_replybuf_count++] = b;
	else
		free(b);
}

/* --- The end of a session --- */

/* The stream is released already. */
static void session_end(struct session *s)
{
	struct client *c = s->client;

	if (s->message_state == MESSAGE_END)
		c->counters.messages_unknown++;
	else if (s->message_state != MESSAGE_NONE && s->message_state != MESSAGE_REFUSED)
		c->counters.messages_broken++;
	smtp_client_fini(&s->smtp);
	tls_session_free(s->resume);
	s->resume = NULL;
	s->message_state = MESSAGE_NONE;
	if (s->idle)
		c->idle--;
	else
		c->active--;
	s->used = false;
	s->next = c->free;
	c->free = s;
}

static void session_fail(struct session *s, uint64_t *counter, uint64_t now)
{
	(*counter)++;
	s->client->counters.sessions_failed++;
	stream_abort(&s->stream, now);
	session_end(s);
}

static void session_done(struct session *s, uint64_t now)
{
	struct client *c = s->client;

	c->counters.sessions_done++;
	histogram_add(&c->times[CLIENT_TIME_SESSION], now - s->intended);
	if (s->stream.tls && c->params.workload.resume > 0 && c->reserved < SESSIONS_IN_RESERVE) {
		struct tls_session *t = tls_take_session(s->stream.tls);

		if (t)
			c->reserve[c->reserved++] = t;
	}
	stream_close(&s->stream, now);
	session_end(s);
}

/* --- Messages --- */

static uint32_t session_pick_size(struct client *c)
{
	const struct client_workload *w = &c->params.workload;
	double u;

	if (w->size_count == 1)
		return w->sizes[0].octets;
	u = client_uniform(c);
	for (uint32_t i = 0; i < w->size_count; i++) {
		if (u <= w->sizes[i].upto)
			return w->sizes[i].octets;
	}
	return w->sizes[w->size_count - 1].octets;
}

static int session_rcpt(struct session *s)
{
	struct client *c = s->client;
	char text[SMTP_PATH_MAX];
	struct smtp_rcpt rcpt = {0};
	size_t n = 0;
	uint32_t v = s->rcpts_asked++;

	text[n++] = 'r';
	do {
		text[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	text[n++] = '@';
	rcpt.to.local = (struct smtp_str){text, n - 1};
	rcpt.to.domain = (struct smtp_str){text + n, strlen(c->params.workload.rcpt_domain)};
	memcpy(text + n, c->params.workload.rcpt_domain, rcpt.to.domain.len);
	rcpt.to.raw = (struct smtp_str){text, n + rcpt.to.domain.len};
	return smtp_client_rcpt(&s->smtp, &rcpt, &c->out);
}

static bool session_uses_bdat(const struct session *s)
{
	return s->client->params.workload.bdat &&
	       (smtp_client_ext(&s->smtp) & SMTP_EXT_CHUNKING) != 0;
}

/* DATA, or the head of the one chunk and the message behind it. */
static int session_data(struct session *s)
{
	struct client *c = s->client;
	char head[MESSAGE_HEAD_MAX];
	struct message *m = &s->message;
	const char *sender = c->params.workload.senders[c->next_sender];
	size_t len;
	int rc;

	if (!session_uses_bdat(s))
		return smtp_client_data(&s->smtp, &c->out);
	len = message_begin(&c->source, m, m->seq, m->size, false, sender, head);
	rc = smtp_client_bdat(&s->smtp, message_wire_size(m, len), true, &c->out);
	if (rc == 0) {
		memcpy(c->out.data + c->out.len, head, len);
		c->out.len += len;
		s->message_state = MESSAGE_BODY;
	}
	return rc;
}

static int session_begin_message(struct session *s)
{
	struct client *c = s->client;
	const struct client_workload *w = &c->params.workload;
	struct smtp_mail mail = {0};
	const char *sender;
	int rc;

	c->next_sender = (c->next_sender + 1) % w->sender_count;
	sender = w->senders[c->next_sender];
	s->message = (struct message){.seq = c->seq++, .size = session_pick_size(c)};
	s->message_state = MESSAGE_COMMANDS;
	s->rcpts_asked = s->rcpts_taken = 0;
	mail.from.raw = (struct smtp_str){sender, strlen(sender)};
	rc = smtp_client_mail(&s->smtp, &mail, &c->out);
	if (rc < 0 || !w->pipeline || !(smtp_client_ext(&s->smtp) & SMTP_EXT_PIPELINING))
		return rc;
	while (rc == 0 && s->rcpts_asked < w->rcpts)
		rc = session_rcpt(s);
	return rc < 0 ? rc : session_data(s);
}

/* The next message, or QUIT. */
static int session_go_on(struct session *s)
{
	s->message_state = MESSAGE_NONE;
	if (s->messages_left == 0 || s->client->stopping)
		return smtp_client_quit(&s->smtp, &s->client->out);
	s->messages_left--;
	return session_begin_message(s);
}

static int session_refused(struct session *s, uint16_t code)
{
	if (s->message_state == MESSAGE_BODY)
		return -EPROTO; /* in the middle of a chunk: what is sent next would be its rest */
	if (s->message_state != MESSAGE_REFUSED) {
		if (code >= 500)
			s->client->counters.messages_rejected++;
		else
			s->client->counters.messages_deferred++;
	}
	s->message_state = MESSAGE_REFUSED;
	return 0;
}

static int session_after_refusal(struct session *s)
{
	if (s->message_state != MESSAGE_REFUSED || smtp_client_pending(&s->smtp) > 0)
		return 0;
	return smtp_client_idle(&s->smtp) ? session_go_on(s)
					  : smtp_client_rset(&s->smtp, &s->client->out);
}

/* 354: header at once, the body as there is room. */
static int session_354(struct session *s)
{
	struct client *c = s->client;
	char head[MESSAGE_HEAD_MAX];
	size_t len;

	if (s->message_state == MESSAGE_REFUSED) /* RFC 2920 3.1: then only the dot */
		return smtp_client_dot(&s->smtp, true, &c->out);
	len = message_begin(&c->source, &s->message, s->message.seq, s->message.size, true,
		c->params.workload.senders[c->next_sender], head);
	memcpy(c->out.data + c->out.len, head, len);
	c->out.len += len;
	s->message_state = MESSAGE_BODY;
	return 0;
}

static int session_verdict(struct session *s, uint16_t code, uint64_t now)
{
	struct client *c = s->client;

	if (s->message_state == MESSAGE_REFUSED)
		return session_go_on(s);
	if (s->message_state == MESSAGE_BODY) {
		/* BDAT refused before all of it was sent: it must be, or step is lost. */
		return -EPROTO;
	}
	histogram_add(&c->times[CLIENT_TIME_DOT], now - s->mark);
	if (code < 300) {
		c->counters.messages_acked++;
		ledger_mark(&c->acked, s->message.seq);
	} else if (code < 500) {
		c->counters.messages_deferred++;
	} else {
		c->counters.messages_rejected++;
	}
	return session_go_on(s);
}

/* --- Replies --- */

static int session_greeted(struct session *s)
{
	struct client *c = s->client;
	const struct client_workload *w = &c->params.workload;

	if ((w->starttls || (s->idle && w->idle_starttls)) && !s->stream.tls)
		return smtp_client_starttls(&s->smtp, &c->out);
	if (s->idle) {
		c->counters.idle_ready++;
		return 0;
	}
	return session_go_on(s);
}

static int session_starttls(struct session *s, uint64_t now)
{
	struct client *c = s->client;
	struct tls_connect_params params = {.keep_session = c->params.workload.resume > 0};

	if (c->reserved > 0 && client_uniform(c) <= c->params.workload.resume) {
		s->resume = c->reserve[--c->reserved];
		params.resume = s->resume;
	}
	s->handshaking = true;
	s->mark = now;
	return tls_connect(c->params.tls, &stream_transport, &s->stream, &params, &s->stream.tls);
}

/* 0, or -errno: the session made no sense; 1: it is over. */
static int session_reply(struct session *s, enum smtp_client_event event,
	const struct smtp_client_ev *ev, uint64_t now)
{
	struct client *c = s->client;
	const struct client_workload *w = &c->params.workload;
	uint16_t code = ev->reply.code;

	switch (event) {
	case SMTP_CLIENT_BANNER:
		histogram_add(&c->times[CLIENT_TIME_BANNER], now - s->mark);
		if (code >= 400)
			return -ECONNREFUSED;
		return w->connect_only && !s->idle ? smtp_client_quit(&s->smtp, &c->out)
						   : smtp_client_ehlo(&s->smtp, &c->out);
	case SMTP_CLIENT_EHLO:
		return code >= 400 ? -ECONNREFUSED : session_greeted(s);
	case SMTP_CLIENT_STARTTLS:
		return code >= 400 ? -ECONNREFUSED : session_starttls(s, now);
	case SMTP_CLIENT_MAIL:
		if (code >= 400)
			return session_refused(s, code);
		return s->rcpts_asked == 0 ? session_rcpt(s) : 0;
	case SMTP_CLIENT_RCPT:
		if (code >= 400)
			return session_refused(s, code);
		s->rcpts_taken++;
		if (s->rcpts_asked < w->rcpts)
			return session_rcpt(s);
		if (smtp_client_pending(&s->smtp) == 0 && s->message_state == MESSAGE_COMMANDS)
			return session_data(s);
		return 0;
	case SMTP_CLIENT_DATA:
		return code >= 400 ? session_refused(s, code) : session_354(s);
	case SMTP_CLIENT_BDAT:
		return -EPROTO; /* there is one chunk, the last */
	case SMTP_CLIENT_END_OF_BODY:
		return session_verdict(s, code, now);
	case SMTP_CLIENT_RSET:
		return session_go_on(s);
	case SMTP_CLIENT_QUIT:
		session_done(s, now);
		return 1;
	case SMTP_CLIENT_SHUTDOWN:
		return -ECONNABORTED;
	default:
		return -EPROTO;
	}
}

/* --- In and out --- */

/* What the engine said, and of the body what the stream takes. */
static int session_write(struct session *s, uint64_t now)
{
	struct client *c = s->client;
	bool room = stream_flush(&s->stream);

	for (;;) {
		bool ended = false;

		if (room && s->message_state == MESSAGE_BODY) {
			struct message *m = &s->message;

			if (c->out.len < STREAM_PIECE)
				c->out.len += message_body(
					m, c->out.data + c->out.len, STREAM_PIECE - c->out.len);
			if (m->at == m->total) {
				if (!session_uses_bdat(s) &&
					smtp_client_dot(&s->smtp, true, &c->out) < 0)
					return -EPROTO;
				ended = true;
			}
		}
		if (c->out.len == 0)
			return 0;
		if (stream_write(&s->stream, c->out.data, c->out.len) < 0) {
			c->out.len = 0;
			return -EPIPE;
		}
		c->out.len = 0;
		if (ended) {
			c->counters.messages_sent++;
			c->counters.octets_sent += s->message.total;
			s->message_state = MESSAGE_END;
			s->mark = now;
		}
		if (s->message_state != MESSAGE_BODY)
			return 0;
		room = stream_flush(&s->stream);
		if (!room)
			return 0;
	}
}

static int session_handshake(struct session *s, uint64_t now)
{
	struct client *c = s->client;
	struct tls_info info;

	switch (stream_handshake(&s->stream)) {
	case TLS_OK:
		break;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		return -EAGAIN;
	default:
		return -ENOTCONN;
	}
	s->handshaking = false;
	histogram_add(&c->times[CLIENT_TIME_HANDSHAKE], now - s->mark);
	tls_get_info(s->stream.tls, &info);
	if (info.resumed)
		c->counters.tls_resumed++;
	else
		c->counters.tls_full++;
	smtp_client_tls_started(&s->smtp);
	return smtp_client_ehlo(&s->smtp, &c->out);
}

/* Feeds the engine. As session_reply(). */
static int session_feed(struct session *s, const uint8_t *data, size_t len, uint64_t now)
{
	for (;;) {
		struct smtp_client_ev ev;
		size_t used;
		enum smtp_client_event event = smtp_client_next(&s->smtp, data, len, &used, &ev);
		int rc;

		data += used;
		len -= used;
		if (event == SMTP_CLIENT_MORE)
			return 0;
		rc = session_reply(s, event, &ev, now);
		if (rc == 0)
			rc = session_after_refusal(s);
		if (rc != 0)
			return rc;
	}
}

static void session_error(struct session *s, int rc, uint64_t now)
{
	struct client_counters *n = &s->client->counters;

	s->client->out.len = 0;
	switch (rc) {
	case -ENOTCONN:
		session_fail(s, &n->fail_tls, now);
		break;
	case -ECONNREFUSED:
		session_fail(s, &n->fail_greeting, now);
		break;
	case -EPIPE:
		session_fail(s, &n->fail_reset, now);
		break;
	case -ECONNABORTED:
		session_fail(s, &n->fail_closed, now);
		break;
	default:
		session_fail(s, &n->fail_protocol, now);
	}
}

static void session_ready(void *user, uint64_t now)
{
	struct session *s = user;
	struct client *c = s->client;
	int rc = 0;

	s->progress = now;
	for (;;) {
		enum stream_status status;
		size_t len;

		if (s->handshaking) {
			rc = session_handshake(s, now);
			if (rc == -EAGAIN)
				return;
			if (rc < 0)
				break;
		}
		status = stream_read(&s->stream, c->in, sizeof(c->in), &len);
		if (status == STREAM_NONE)
			break;
		if (status != STREAM_DATA) {
			rc = status == STREAM_END ? -ECONNABORTED
			     : s->stream.tls      ? -ENOTCONN
						  : -EPIPE;
			break;
		}
		rc = session_feed(s, c->in, len, now);
		if (rc != 0)
			break;
		if (s->handshaking && c->out.len > 0) {
			rc = -EPROTO;
			break;
		}
	}
	if (rc == 0)
		rc = session_write(s, now);
	if (rc < 0)
		session_error(s, rc, now);
	else
		c->out.len = 0;
}

static void session_connected(void *user, uint64_t now)
{
	struct session *s = user;

	histogram_add(&s->client->times[CLIENT_TIME_CONNECT], now - s->mark);
	s->mark = s->progress = now;
}

static void session_closed(void *user, enum transport_end end, uint64_t now)
{
	struct session *s = user;
	struct client_counters *n = &s->client->counters;

	s->stream.conn = NULL;
	session_fail(s,
		end == TRANSPORT_REFUSED   ? &n->fail_refused
		: end == TRANSPORT_RESET   ? &n->fail_reset
		: end == TRANSPORT_TIMEOUT ? &n->fail_timeout
					   : &n->fail_closed,
		now);
}

static const struct transport_events session_events = {
	.connected = session_connected,
	.ready = session_ready,
	.closed = session_closed,
};

/* --- The beginning --- */

static struct ip_addr client_local(struct client *c)
{
	struct ip_addr a = c->params.local_first;
	uint64_t low = (uint64_t)ntohl(a.w[3]);

	if (c->params.local_count > 1) {
		low += c->next_local;
		c->next_local = (c->next_local + 1) % c->params.local_count;
		a.w[3] = htonl((uint32_t)low);
	}
	return a;
}

static bool client_begin(struct client *c, bool idle, uint64_t intended, uint64_t now)
{
	struct session *s = c->free;
	struct ip_addr local = client_local(c);
	int rc;

	if (!s)
		return false;
	c->free = s->next;
	*s = (struct session){
		.events = &session_events,
		.client = c,
		.stream.t = c->params.transport,
		.used = true,
		.idle = idle,
		.intended = intended,
		.mark = intended,
		.progress = now,
		.messages_left = c->params.workload.messages,
	};
	smtp_client_init(&s->smtp, &c->smtp);
	if (idle) {
		c->idle++;
	} else {
		c->active++;
		c->begun++;
		c->counters.sessions_begun++;
	}
	rc = c->params.transport->ops->connect(c->params.transport, &local, &c->params.target,
		c->params.port, s, now, &s->stream.conn);
	if (rc < 0) {
		session_fail(s, &c->counters.fail_connect, now);
		return false;
	}
	return true;
}

static bool client_may_begin(const struct client *c)
{
	const struct client_workload *w = &c->params.workload;

	return !c->stopping && (w->count == 0 || c->begun < w->count);
}

static void client_arrivals(struct client *c, uint64_t now)
{
	const struct client_workload *w = &c->params.workload;

	if (c->next_arrival == 0)
		c->next_arrival = now;
	while (c->next_arrival <= now && client_may_begin(c)) {
		uint64_t intended = c->next_arrival;

		c->next_arrival += (uint64_t)(-log(client_uniform(c)) * 1e9 / w->rate);
		if (c->active >= w->max_active)
			c->counters.arrivals_refused++;
		else
			client_begin(c, false, intended, now);
	}
}

/* Sessions that stand still. */
static void client_sweep(struct client *c, uint64_t now)
{
	for (uint32_t i = 0; i < c->session_count; i++) {
		struct session *s = &c->sessions[i];

		if (s->used && !s->idle && now > s->progress + c->params.workload.timeout_ns)
			session_fail(s, &c->counters.fail_stalled, now);
	}
}

uint32_t client_poll(struct client *c, uint64_t now)
{
	const struct client_workload *w = &c->params.workload;
	uint64_t before = c->begun + c->idle;

	c->now = now;
	for (int i = 0; i < BEGIN_BURST && c->idle < w->idle && !c->stopping &&
			/* not all at once: the backlog is finite */
			c->idle < c->counters.idle_ready + 512;
		i++) {
		if (!client_begin(c, true, now, now))
			break;
	}
	if (w->rate > 0) {
		client_arrivals(c, now);
	} else {
		for (int i = 0; i < BEGIN_BURST && c->active < w->sessions && client_may_begin(c);
			i++) {
			if (!client_begin(c, false, now, now))
				break;
		}
	}
	if (now >= c->next_sweep) {
		c->next_sweep = now + SWEEP;
		client_sweep(c, now);
	}
	return (uint32_t)(c->begun + c->idle - before);
}

void client_stop(struct client *c)
{
	c->stopping = true;
}

bool client_is_finished(const struct client *c)
{
	return c->active == 0 && !client_may_begin(c);
}

uint32_t client_active(const struct client *c)
{
	return c->active;
}

const struct client_counters *client_get_counters(const struct client *c)
{
	return &c->counters;
}

const struct histogram *client_histogram(const struct client *c, enum client_time t)
{
	return &c->times[t];
}

void client_forget_times(struct client *c)
{
	memset(c->times, 0, sizeof(c->times));
}

const struct ledger *client_acked(const struct client *c)
{
	return &c->acked;
}

uint64_t client_next_seq(const struct client *c)
{
	return c->seq;
}

int client_create(const struct client_params *params, struct client **out)
{
	const struct client_workload *w = &params->workload;
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->params = *params;
	c->session_count = (w->rate > 0 ? w->max_active : w->sessions) + w->idle;
	c->sessions = calloc(c->session_count, sizeof(*c->sessions));
	if (!c->sessions) {
		free(c);
		return -ENOMEM;
	}
	for (uint32_t i = c->session_count; i-- > 0;) {
		c->sessions[i].next = c->free;
		c->free = &c->sessions[i];
	}
	c->smtp = (struct smtp_client_config){
		.hostname = w->hostname,
		.replybuf_get = replybuf_get,
		.replybuf_put = replybuf_put,
		.arg = c,
	};
	c->rng = params->seed | 1;
	c->out = (struct smtp_out){.data = c->out_data, .size = sizeof(c->out_data)};
	c->acked.run = params->run;
	message_source_init(&c->source, params->run);
	*out = c;
	return 0;
}

void client_destroy(struct client *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->session_count; i++) {
		struct session *s = &c->sessions[i];

		if (s->used) {
			smtp_client_fini(&s->smtp);
			tls_session_free(s->resume);
			stream_abort(&s->stream, c->now);
		}
	}
	while (c->reserved > 0)
		tls_session_free(c->reserve[--c->reserved]);
	while (c->free_replybuf_count > 0)
		free(c->free_replybufs[--c->free_replybuf_count]);
	ledger_fini(&c->acked);
	free(c->sessions);
	free(c);
}
