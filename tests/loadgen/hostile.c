/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "tests/loadgen/host.h"
#include "tests/loadgen/stream.h"
#include "tls/internal.h"

#define LOOK_AT     256 /* sessions a turn, for whose time may have come */
#define BEGIN_BURST 64
#define GARBAGE_MAX 1024

static const char *const mode_names[HOSTILE_MODE_COUNT] = {
#define X(id, name, text) [HOSTILE_##id] = name,
	HOSTILE_MODES(X)
#undef X
};

/* What is said before the mode's own part begins; each line after the reply to the one before it.
 */
static const char *const script_none[] = {NULL};
static const char *const script_tls[] = {"EHLO hostile.example\r\n", "STARTTLS\r\n", NULL};
static const char *const script_data[] = {"EHLO hostile.example\r\n",
	"MAIL FROM:<hostile@hostile.example>\r\n", "RCPT TO:<victim@example.net>\r\n", "DATA\r\n",
	NULL};
static const char *const script_quit[] = {"QUIT\r\n", NULL};

struct hostile_session {
	const struct transport_events *events;
	struct hostile *h;
	struct hostile_session *next; /* in the free list */
	struct stream stream;
	const char *const *script;
	uint64_t act_at; /* 0: when the script is through */
	uint32_t acts;
	uint8_t line_len; /* of the reply line coming in: 4 octets are enough */
	char line[4];
	bool used, connected, handshaking, done;
};

struct hostile {
	struct hostile_params params;
	struct hostile_counters counters;
	struct hostile_session *sessions, *free;
	uint32_t active, cursor, next_local;
	uint64_t next_begin, rng, now;
	uint8_t buf[65536];
};

const char *hostile_mode_name(enum hostile_mode mode)
{
	return (unsigned int)mode < HOSTILE_MODE_COUNT ? mode_names[mode] : "invalid";
}

int hostile_mode_find(const char *name)
{
	for (int i = 0; i < HOSTILE_MODE_COUNT; i++) {
		if (strcmp(mode_names[i], name) == 0)
			return i;
	}
	return -1;
}

static uint64_t hostile_random(struct hostile *h)
{
	h->rng ^= h->rng >> 12;
	h->rng ^= h->rng << 25;
	h->rng ^= h->rng >> 27;
	return h->rng * UINT64_C(0x2545f4914f6cdd1d);
}

/* --- Segments that are not to be --- */

static bool hostile_has_addr(const struct hostile *h, const struct ip_addr *a)
{
	uint32_t i = ntohl(a->w[3]) - ntohl(h->params.local_first.w[3]);

	return a->q[0] == h->params.local_first.q[0] && a->w[2] == h->params.local_first.w[2] &&
	       i < h->params.local_count;
}

static bool hostile_out(void *arg, const struct rte_mbuf *m, const struct ip_addr *src)
{
	const struct hostile *h = arg;
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);

	if (!hostile_has_addr(h, src))
		return true;
	switch (h->params.workload.mode) {
	case HOSTILE_SYN:
		return (tcp->tcp_flags & RTE_TCP_SYN_FLAG) != 0;
	case HOSTILE_NEVER_ACK:
	case HOSTILE_NEVER_CLOSE:
		return (tcp->tcp_flags & RTE_TCP_RST_FLAG) == 0;
	default:
		return true;
	}
}

static bool hostile_in(void *arg, const struct rte_mbuf *m, const struct ip_addr *dst)
{
	const struct hostile *h = arg;
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);

	if (!hostile_has_addr(h, dst))
		return true;
	switch (h->params.workload.mode) {
	case HOSTILE_SYN:
		return false;
	case HOSTILE_NEVER_ACK: /* what our TCP never saw it does not acknowledge */
		return m->pkt_len == (uint32_t)(tcp->data_off >> 4) * 4;
	case HOSTILE_NEVER_CLOSE:
		return (tcp->tcp_flags & RTE_TCP_FIN_FLAG) == 0;
	default:
		return true;
	}
}

/* --- A session --- */

static void hostile_end(struct hostile_session *s)
{
	struct hostile *h = s->h;

	s->used = false;
	s->next = h->free;
	h->free = s;
	h->active--;
}

static void hostile_drop(struct hostile_session *s, uint64_t now)
{
	stream_abort(&s->stream, now);
	hostile_end(s);
}

/* 0, or -errno. */
static int hostile_say(struct hostile_session *s, const void *data, size_t len)
{
	int rc = stream_write(&s->stream, data, len);

	if (rc == 0)
		s->h->counters.octets_sent += len;
	return rc;
}

static int hostile_garbage(struct hostile_session *s)
{
	struct hostile *h = s->h;
	size_t len = hostile_random(h) % GARBAGE_MAX + 1;

	for (size_t i = 0; i < len; i++)
		h->buf[i] = (uint8_t)(hostile_random(h) >> 32);
	return hostile_say(s, h->buf, len);
}

static int hostile_never_read(struct hostile_session *s)
{
	static const char noops[] =
		"NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";
	int rc = 0;

	for (int i = 0; i < 32 && rc == 0 && stream_flush(&s->stream); i++)
		rc = hostile_say(s, noops, sizeof(noops) - 1);
	return rc;
}

static int hostile_renegotiate(struct hostile_session *s)
{
	SSL *ssl = s->stream.tls->ssl;

	SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
	/* What it comes to is the server's to say: an alert, or the end. */
	if (SSL_renegotiate(ssl) == 1)
		(void)SSL_do_handshake(ssl);
	return 0;
}

/* The mode's own part, again and again. */
static int hostile_act(struct hostile_session *s, uint64_t now)
{
	static const char trickle[] =
		"EHLO a-client-that-has-all-the-time-in-the-world.hostile.example\r\n";
	static const char almost[] = "Subject: almost\r\n\r\nall of it\r\n.\r";
	struct hostile *h = s->h;

	s->act_at = now + h->params.workload.interval_ns;
	switch (h->params.workload.mode) {
	case HOSTILE_SYN: /* another one */
		hostile_drop(s, now);
		return 0;
	case HOSTILE_TRICKLE:
		return hostile_say(s, &trickle[s->acts++ % (sizeof(trickle) - 1)], 1);
	case HOSTILE_NEVER_READ:
		return hostile_never_read(s);
	case HOSTILE_NEVER_ACK:
		return s->acts++ == 0 ? hostile_say(s, "EHLO hostile.example\r\n", 22) : 0;
	case HOSTILE_SHORT:
		return s->acts++ == 0 ? hostile_say(s, almost, sizeof(almost) - 1) : 0;
	case HOSTILE_RENEGOTIATE:
		return hostile_renegotiate(s);
	case HOSTILE_GARBAGE:
		return hostile_garbage(s);
	default: /* silence */
		s->act_at = UINT64_MAX;
		return 0;
	}
}

static bool hostile_wants_tls(const struct hostile *h)
{
	return h->params.workload.mode == HOSTILE_SILENT_TLS ||
	       h->params.workload.mode == HOSTILE_RENEGOTIATE;
}

/* A whole reply has come. */
static int hostile_reply(struct hostile_session *s, uint64_t now)
{
	const struct tls_connect_params params = {0};
	struct hostile *h = s->h;

	if (*s->script)
		return hostile_say(s, *s->script, strlen(*s->script)) == 0 ? (s->script++, 0)
									   : -EPIPE;
	if (s->done)
		return 0;
	s->done = true;
	if (hostile_wants_tls(h)) {
		s->handshaking = true;
		return tls_connect(
			h->params.tls, &stream_transport, &s->stream, &params, &s->stream.tls);
	}
	return hostile_act(s, now);
}

static int hostile_input(struct hostile_session *s, const uint8_t *data, size_t len, uint64_t now)
{
	for (size_t i = 0; i < len; i++) {
		int rc;

		if (data[i] != '\n') {
			if (s->line_len < sizeof(s->line))
				s->line[s->line_len++] = (char)data[i];
			continue;
		}
		rc = s->line_len == sizeof(s->line) && s->line[3] == ' ' ? hostile_reply(s, now)
									 : 0;
		s->line_len = 0;
		if (rc < 0 || s->handshaking)
			return rc;
	}
	return 0;
}

static int hostile_handshake(struct hostile_session *s, uint64_t now)
{
	enum tls_status status = stream_handshake(&s->stream);

	if (status == TLS_WANT_READ || status == TLS_WANT_WRITE)
		return -EAGAIN;
	if (status != TLS_OK)
		return -EPROTO;
	s->handshaking = false;
	s->h->counters.tls++;
	return hostile_act(s, now);
}

static bool hostile_reads(const struct hostile_session *s)
{
	enum hostile_mode mode = s->h->params.workload.mode;

	return mode != HOSTILE_NEVER_READ && mode != HOSTILE_SILENT &&
	       !(mode == HOSTILE_SILENT_TLS && s->done && !s->handshaking);
}

static void hostile_ready(void *user, uint64_t now)
{
	struct hostile_session *s = user;
	struct hostile *h = s->h;
	int rc = 0;

	stream_flush(&s->stream);
	while (rc == 0 && hostile_reads(s)) {
		enum stream_status status;
		size_t len;

		if (s->handshaking) {
			rc = hostile_handshake(s, now);
			continue;
		}
		status = stream_read(&s->stream, h->buf, sizeof(h->buf), &len);
		if (status == STREAM_NONE)
			return;
		if (status != STREAM_DATA) {
			h->counters.ended_server++;
			rc = -EPIPE;
		} else if (!s->stream.tls) {
			rc = hostile_input(s, h->buf, len, now);
		}
	}
	if (rc < 0 && rc != -EAGAIN && s->used)
		hostile_drop(s, now);
}

static void hostile_connected(void *user, uint64_t now)
{
	struct hostile_session *s = user;
	enum hostile_mode mode = s->h->params.workload.mode;

	s->connected = true;
	s->h->counters.connected++;
	/* These do not wait for the banner, or will never see one. */
	if (mode == HOSTILE_TRICKLE || mode == HOSTILE_NEVER_READ || mode == HOSTILE_NEVER_ACK) {
		s->done = true;
		s->act_at = now;
	}
}

static void hostile_closed(void *user, enum transport_end end, uint64_t now)
{
	struct hostile_session *s = user;
	struct hostile_counters *n = &s->h->counters;

	(void)now;
	if (!s->connected)
		n->failed++;
	else if (end == TRANSPORT_RESET)
		n->ended_reset++;
	else
		n->ended_server++;
	stream_release(&s->stream);
	hostile_end(s);
}

static const struct transport_events hostile_events = {
	.connected = hostile_connected,
	.ready = hostile_ready,
	.closed = hostile_closed,
};

static const char *const *hostile_script(struct hostile *h)
{
	switch (h->params.workload.mode) {
	case HOSTILE_SILENT_TLS:
	case HOSTILE_RENEGOTIATE:
		return script_tls;
	case HOSTILE_SHORT:
		return script_data;
	case HOSTILE_NEVER_CLOSE:
		return script_quit;
	case HOSTILE_GARBAGE: /* half of them where a ClientHello belongs */
		return hostile_random(h) >> 63 ? script_tls : script_none;
	default:
		return script_none;
	}
}

static bool hostile_begin(struct hostile *h, uint64_t now)
{
	struct hostile_session *s = h->free;
	struct ip_addr local = h->params.local_first;

	if (!s)
		return false;
	h->free = s->next;
	h->active++;
	h->counters.begun++;
	*s = (struct hostile_session){
		.events = &hostile_events,
		.h = h,
		.stream.t = h->params.transport,
		.script = hostile_script(h),
		.act_at = h->params.workload.mode == HOSTILE_SYN
				  ? now + h->params.workload.interval_ns
				  : UINT64_MAX,
		.used = true,
	};
	if (h->params.local_count > 1) {
		local.w[3] = htonl(ntohl(local.w[3]) + h->next_local);
		h->next_local = (h->next_local + 1) % h->params.local_count;
	}
	if (h->params.transport->ops->connect(h->params.transport, &local, &h->params.target,
		    h->params.port, s, now, &s->stream.conn) < 0) {
		h->counters.failed++;
		s->stream.conn = NULL;
		hostile_end(s);
		return false;
	}
	return true;
}

uint32_t hostile_poll(struct hostile *h, uint64_t now)
{
	const struct hostile_workload *w = &h->params.workload;
	uint32_t work = 0;

	h->now = now;
	for (int i = 0; i < BEGIN_BURST && now >= h->next_begin && h->active < w->sessions; i++) {
		if (!hostile_begin(h, now))
			break;
		work++;
		if (w->rate > 0)
			h->next_begin += (uint64_t)(1e9 / w->rate);
	}
	/* Those who could not begin are not made up for. */
	if (w->rate > 0 && h->next_begin + 1000000 < now)
		h->next_begin = now;
	for (uint32_t i = 0; i < LOOK_AT && i < w->sessions; i++) {
		struct hostile_session *s = &h->sessions[h->cursor];

		h->cursor = (h->cursor + 1) % w->sessions;
		if (!s->used || now < s->act_at)
			continue;
		work++;
		if (hostile_act(s, now) < 0 && s->used)
			hostile_drop(s, now);
	}
	return work;
}

uint32_t hostile_active(const struct hostile *h)
{
	return h->active;
}

const struct hostile_counters *hostile_get_counters(const struct hostile *h)
{
	return &h->counters;
}

int hostile_create(const struct hostile_params *params, struct hostile **out)
{
	struct hostile *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->params = *params;
	h->rng = params->seed | 1;
	h->sessions = calloc(params->workload.sessions, sizeof(*h->sessions));
	if (!h->sessions) {
		free(h);
		return -ENOMEM;
	}
	for (uint32_t i = params->workload.sessions; i-- > 0;) {
		h->sessions[i].next = h->free;
		h->free = &h->sessions[i];
	}
	if (params->segments) {
		const struct host_filter filter = {h, hostile_out, hostile_in};

		host_set_filter(params->transport, &filter);
	} else if (params->workload.mode == HOSTILE_SYN ||
		   params->workload.mode == HOSTILE_NEVER_ACK ||
		   params->workload.mode == HOSTILE_NEVER_CLOSE) {
		hostile_destroy(h);
		return -ENOTSUP;
	}
	*out = h;
	return 0;
}

void hostile_destroy(struct hostile *h)
{
	if (!h)
		return;
	for (uint32_t i = 0; i < h->params.workload.sessions; i++) {
		if (h->sessions[i].used)
			stream_abort(&h->sessions[i].stream, h->now);
	}
	free(h->sessions);
	free(h);
}
