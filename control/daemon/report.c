/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/report_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/log.h"

#define DAY     86400
#define FLUSH_S 5
#define OTHERS  "(others)"

static const char schema[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;"
	"CREATE TABLE IF NOT EXISTS mail ("
	" day INTEGER NOT NULL," /* since 1970 */
	" direction TEXT NOT NULL,"
	" partner TEXT NOT NULL," /* '': strangers */
	" outcome TEXT NOT NULL,"
	" version TEXT NOT NULL,"
	" cipher TEXT NOT NULL,"
	" messages INTEGER NOT NULL,"
	" suspended INTEGER NOT NULL,"
	" PRIMARY KEY (day, direction, partner, outcome, version, cipher)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS sender ("
	" day INTEGER NOT NULL,"
	" domain TEXT NOT NULL,"
	" plain INTEGER NOT NULL,"
	" encrypted INTEGER NOT NULL,"
	" PRIMARY KEY (day, domain)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS alert ("
	" partner INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL,"
	" refused INTEGER NOT NULL,"
	" first INTEGER NOT NULL,"
	" last INTEGER NOT NULL,"
	" text TEXT NOT NULL);"
	"PRAGMA user_version = 1;";

int report_open(const char *path, struct report **out, char *err)
{
	struct report *r = calloc(1, sizeof(*r));
	sqlite3_stmt *st;
	int fd, rc = -EIO;

	if (r == NULL) {
		snprintf(err, REPORT_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	if (path != NULL) {
		/* Who writes to whom is not for everybody: not with the umask's mode. */
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0) {
			rc = -errno;
			snprintf(err, REPORT_ERROR_MAX, "%.160s: %s", path, strerror(errno));
			free(r);
			return rc;
		}
		close(fd);
	}
	if (sqlite3_open_v2(path ? path : ":memory:", &r->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		goto out;
	if (sqlite3_prepare_v2(r->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		goto out;
	rc = sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int(st, 0) <= 1 ? 0 : -EPROTO;
	sqlite3_finalize(st);
	if (rc == 0 && sqlite3_exec(r->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		rc = -EIO;
out:
	if (rc < 0) {
		snprintf(err, REPORT_ERROR_MAX, "%.120s: %.120s", path ? path : "reports",
			rc == -EPROTO ? "written by a newer postgated" : sqlite3_errmsg(r->db));
		sqlite3_close(r->db);
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void report_close(struct report *r)
{
	if (r == NULL)
		return;
	report_flush(r, r->flushed);
	sqlite3_close(r->db);
	free(r);
}

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static bool same_mail(const struct report_mail *a, const struct report_mail *b)
{
	return a->day == b->day && a->direction == b->direction && a->outcome == b->outcome &&
	       strcmp(a->partner, b->partner) == 0 && strcmp(a->version, b->version) == 0 &&
	       strcmp(a->cipher, b->cipher) == 0;
}

static void count_mail(struct report *r, const struct report_mail *m)
{
	uint64_t h = 0xcbf29ce484222325u + m->day + m->direction * 3u + m->outcome * 7u;
	struct report_mail *slot;

	h = hash(h, m->partner, strlen(m->partner));
	h = hash(h, m->version, strlen(m->version));
	h = hash(h, m->cipher, strlen(m->cipher));
	for (;; h++) {
		slot = &r->mail[h % REPORT_MAIL_SLOTS];
		if (slot->messages == 0 || same_mail(slot, m))
			break;
	}
	if (slot->messages == 0) {
		*slot = *m;
		slot->messages = slot->suspended = 0;
		r->mail_count++;
	}
	slot->messages++;
	slot->suspended += m->suspended;
}

static void count_sender(struct report *r, uint32_t day, const char *domain, bool encrypted)
{
	uint64_t h = hash(0xcbf29ce484222325u + day, domain, strlen(domain));
	struct report_sender *slot;

	for (;; h++) {
		slot = &r->senders[h % REPORT_SENDER_SLOTS];
		if (slot->plain + slot->encrypted == 0 ||
			(slot->day == day && strcmp(slot->domain, domain) == 0))
			break;
	}
	if (slot->plain + slot->encrypted == 0) {
		slot->day = day;
		snprintf(slot->domain, sizeof(slot->domain), "%s", domain);
		r->sender_count++;
	}
	if (encrypted)
		slot->encrypted++;
	else
		slot->plain++;
}

/* The domain of a sender as a client wrote it: lower case; "<>" for the null reverse-path; what is
 * no host name (an address literal, a name cut off) is nobody's in particular. */
static void sender_domain(const char *sender, char out[96])
{
	const char *at = strrchr(sender, '@');
	size_t len;

	if (at == NULL) {
		strcpy(out, *sender == '\0' ? "<>" : OTHERS);
		return;
	}
	len = strcspn(++at, ">");
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)at[i]) && strchr("-._", at[i]) == NULL)
			len = 0;
		else
			out[i] = (char)tolower((unsigned char)at[i]);
	}
	if (len > 0 && at[len - 1] == '.')
		len--;
	if (len == 0 || strlen(sender) >= sizeof(((struct ipc_event *)0)->sender) - 1)
		strcpy(out, OTHERS);
	else
		out[len] = '\0';
}

void report_event(struct report *r, const struct ipc_event *e, int64_t now)
{
	bool inbound = e->side == IPC_OUTSIDE, tls = inbound ? e->client_tls : e->upstream_tls;
	struct report_mail m = {
		.suspended = e->suspended,
		.day = (uint32_t)(now / DAY),
		.direction = e->side,
		.outcome = e->outcome,
	};
	char domain[96];

	if (e->kind != IPC_EVENT_MESSAGE || e->outcome == IPC_OUTCOME_NONE)
		return;
	ipc_string_set(m.partner, sizeof(m.partner), e->partner);
	if (tls) {
		ipc_string_set(m.version, sizeof(m.version),
			inbound ? e->client_version : e->upstream_version);
		ipc_string_set(m.cipher, sizeof(m.cipher),
			inbound ? e->client_cipher : e->upstream_cipher);
	}
	count_mail(r, &m);
	if (inbound && e->partner[0] == '\0' && e->outcome == IPC_OUTCOME_DELIVERED) {
		sender_domain(e->sender, domain);
		count_sender(r, m.day, domain, tls);
	}
	if (r->mail_count * 2 >= REPORT_MAIL_SLOTS || r->sender_count * 2 >= REPORT_SENDER_SLOTS)
		report_flush(r, now);
}

static int64_t number(struct report *r, const char *sql, uint32_t day)
{
	sqlite3_stmt *st;
	int64_t n = 0;

	if (sqlite3_prepare_v2(r->db, sql, -1, &st, NULL) != SQLITE_OK)
		return 0;
	sqlite3_bind_int64(st, 1, day);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* The first writing of a day forgets the oldest. */
static void begin_day(struct report *r, uint32_t day)
{
	if (r->day == day)
		return;
	r->day = day;
	if (day > REPORT_KEEP_DAYS) {
		number(r, "DELETE FROM mail WHERE day < ?", day - REPORT_KEEP_DAYS);
		number(r, "DELETE FROM sender WHERE day < ?", day - REPORT_KEEP_SENDER_DAYS);
	}
	r->mail_rows = (uint64_t)number(r, "SELECT count(*) FROM mail WHERE day = ?", day);
	r->sender_rows = (uint64_t)number(r, "SELECT count(*) FROM sender WHERE day = ?", day);
}

static bool run(sqlite3_stmt *st)
{
	bool ok = sqlite3_step(st) == SQLITE_DONE;

	sqlite3_reset(st);
	return ok;
}

/* Adds to the row that is there; a new one counts against the day's bound. */
static bool put(struct report *r, sqlite3_stmt *update, sqlite3_stmt *insert, int name,
	uint64_t *rows, uint64_t max)
{
	bool ok = run(update);

	if (!ok || sqlite3_changes(r->db) > 0)
		return ok;
	if (*rows >= max) {
		sqlite3_bind_text(update, name, OTHERS, -1, SQLITE_STATIC);
		sqlite3_bind_text(insert, name, OTHERS, -1, SQLITE_STATIC);
		ok = run(update);
		if (!ok || sqlite3_changes(r->db) > 0)
			return ok;
	}
	++*rows;
	return run(insert);
}

static bool flush_mail(struct report *r)
{
	sqlite3_stmt *st[2] = {NULL, NULL};
	bool ok;

	ok = sqlite3_prepare_v2(r->db,
		     "UPDATE mail SET messages = messages + ?7, suspended = suspended + ?8"
		     " WHERE day = ?1 AND direction = ?2 AND partner = ?3 AND outcome = ?4"
		     " AND version = ?5 AND cipher = ?6",
		     -1, &st[0], NULL) == SQLITE_OK &&
	     sqlite3_prepare_v2(r->db, "INSERT INTO mail VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		     -1, &st[1], NULL) == SQLITE_OK;
	for (size_t i = 0; ok && i < REPORT_MAIL_SLOTS; i++) {
		const struct report_mail *m = &r->mail[i];

		if (m->messages == 0)
			continue;
		for (int n = 0; n < 2; n++) {
			sqlite3_bind_int64(st[n], 1, m->day);
			sqlite3_bind_text(st[n], 2,
				m->direction == IPC_OUTSIDE ? "inbound" : "outbound", -1,
				SQLITE_STATIC);
			sqlite3_bind_text(st[n], 3, m->partner, -1, SQLITE_STATIC);
			sqlite3_bind_text(
				st[n], 4, ipc_outcome_name(m->outcome), -1, SQLITE_STATIC);
			sqlite3_bind_text(st[n], 5, m->version, -1, SQLITE_STATIC);
			sqlite3_bind_text(st[n], 6, m->cipher, -1, SQLITE_STATIC);
			sqlite3_bind_int64(st[n], 7, (sqlite3_int64)m->messages);
			sqlite3_bind_int64(st[n], 8, (sqlite3_int64)m->suspended);
		}
		ok = put(r, st[0], st[1], 3, &r->mail_rows, REPORT_ROWS_A_DAY);
	}
	sqlite3_finalize(st[0]);
	sqlite3_finalize(st[1]);
	return ok;
}

static bool flush_senders(struct report *r)
{
	sqlite3_stmt *st[2] = {NULL, NULL};
	bool ok;

	ok = sqlite3_prepare_v2(r->db,
		     "UPDATE sender SET plain = plain + ?3, encrypted = encrypted + ?4"
		     " WHERE day = ?1 AND domain = ?2",
		     -1, &st[0], NULL) == SQLITE_OK &&
	     sqlite3_prepare_v2(r->db, "INSERT INTO sender VALUES (?1, ?2, ?3, ?4)", -1, &st[1],
		     NULL) == SQLITE_OK;
	for (size_t i = 0; ok && i < REPORT_SENDER_SLOTS; i++) {
		const struct report_sender *s = &r->senders[i];

		if (s->plain + s->encrypted == 0)
			continue;
		for (int n = 0; n < 2; n++) {
			sqlite3_bind_int64(st[n], 1, s->day);
			sqlite3_bind_text(st[n], 2, s->domain, -1, SQLITE_STATIC);
			sqlite3_bind_int64(st[n], 3, (sqlite3_int64)s->plain);
			sqlite3_bind_int64(st[n], 4, (sqlite3_int64)s->encrypted);
		}
		ok = put(r, st[0], st[1], 2, &r->sender_rows, REPORT_SENDERS_A_DAY);
	}
	sqlite3_finalize(st[0]);
	sqlite3_finalize(st[1]);
	return ok;
}

int report_flush(struct report *r, int64_t now)
{
	bool ok;

	r->flushed = now;
	if (r->mail_count == 0)
		return 0;
	ok = sqlite3_exec(r->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
	if (ok) {
		begin_day(r, (uint32_t)(now / DAY));
		ok = flush_mail(r) && flush_senders(r) &&
		     sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
	}
	if (!ok) {
		for (size_t i = 0; i < REPORT_MAIL_SLOTS; i++)
			r->lost += r->mail[i].messages;
		log_line(LOG_LEVEL_ERROR,
			"reports cannot be written: %s (%" PRIu64 " messages not in them)",
			sqlite3_errmsg(r->db), r->lost);
		sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
		r->day = 0;
	}
	/* Kept no longer in either case: memory is bounded. */
	memset(r->mail, 0, sizeof(r->mail));
	memset(r->senders, 0, sizeof(r->senders));
	r->mail_count = r->sender_count = 0;
	return ok ? 0 : -EIO;
}

void report_tick(struct report *r, int64_t now)
{
	if (now < r->flushed || now - r->flushed >= FLUSH_S)
		report_flush(r, now);
}
