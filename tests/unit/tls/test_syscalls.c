/* SPDX-License-Identifier: BSD-3-Clause */
/* Handshakes, records and the end of a session without one system call: under a seccomp filter any
 * but exit ends the process. (Strict mode would forbid reading the TSC too.) */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tls/fixture.h"
#include "tls/arena.h"

static struct tls_arena *arena;

/* No assertions in here: the process has no way to tell of them but its exit status. */
static bool session(struct tls_context *server, struct tls_context *client, bool garbage)
{
	static uint8_t data[40000], up[300000], down[300000];
	enum tls_status cs = TLS_WANT_READ, ss = TLS_WANT_READ;
	static const struct tls_connect_params params = {.sni = "mx.example.com"};
	struct tls_info info;
	struct pair p;
	size_t done;
	bool ok;

	memset(&p, 0, sizeof(p));
	p.up = (struct queue){.data = up, .size = sizeof(up)};
	p.down = (struct queue){.data = down, .size = sizeof(down)};
	p.client_end = (struct end){.in = &p.down, .out = &p.up};
	p.server_end = (struct end){.in = &p.up, .out = &p.down};
	if (tls_accept(server, &end_transport, &p.server_end, &p.server) != 0 ||
		tls_connect(client, &end_transport, &p.client_end, &params, &p.client) != 0)
		return false;
	if (garbage) {
		queue_put(&p.up, "MAIL FROM:<a@example.com>\r\n", 27);
		ok = tls_handshake(p.server) == TLS_FAILED && tls_error_text(p.server)[0] != '\0';
		tls_free(p.client);
		tls_free(p.server);
		return ok;
	}
	for (int i = 0; i < 6 && (cs != TLS_OK || ss != TLS_OK); i++) {
		cs = tls_handshake(p.client);
		ss = tls_handshake(p.server);
	}
	ok = cs == TLS_OK && ss == TLS_OK;
	tls_get_info(p.client, &info);
	ok = ok && info.verified && info.peer_not_after > 0;
	ok = ok && tls_write(p.client, data, sizeof(data), &done) == TLS_OK;
	while (tls_read(p.server, data, sizeof(data), &done) == TLS_OK)
		;
	ok = ok && tls_shutdown(p.client) == TLS_OK;
	ok = ok && tls_read(p.server, data, sizeof(data), &done) == TLS_CLOSED;
	tls_free(p.client);
	tls_free(p.server);
	return ok;
}

static int forbid_system_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int child(bool with_getpid)
{
	uint8_t keys[1][TLS_TICKET_KEY_SIZE];
	struct tls_keypair pair;
	struct tls_server_params params = {
		.keypairs = &pair, .keypair_count = 1, .ticket_keys = keys, .ticket_key_count = 1};
	struct tls_context *server, *client;
	struct world *w;
	size_t count = 0;
	char err[256];
	bool ok = true;

	w = world_create();
	pair = pki_keypair(w->ecdsa);
	tls_ticket_keys_rotate(keys, &count, 1);
	if (tls_server_context_create(w->lib, &params, &server, err, sizeof(err)) != 0)
		return 2;
	client = world_client(w->lib2, w->inter->pem);
	tls_arena_attach(arena);
	for (int i = 0; i < 4; i++)
		ok = ok && session(server, client, i % 2);
	if (!ok)
		return 3;
	if (forbid_system_calls() != 0)
		return 4;
	for (int i = 0; i < 100; i++)
		ok = ok && session(server, client, i % 5 == 0);
	if (with_getpid)
		syscall(SYS_getpid);
	syscall(SYS_exit, ok ? 0 : 5);
	return 6;
}

static int run(bool with_getpid)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(child(with_getpid));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_no_system_call(void **state)
{
	int status;

#if defined(__SANITIZE_ADDRESS__)
	skip();
#endif
	status = run(false);
	if (WIFSIGNALED(status))
		fail_msg("killed by signal %d: a system call was made", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* It would have been seen. */
	status = run(true);
	assert_true(WIFSIGNALED(status));
}

/* The cached number follows a fork: the random generator's protection hangs on it. */
static void test_pid_after_fork(void **state)
{
	struct tls_lib *lib;
	int status;
	pid_t pid;

	assert_int_equal(tls_lib_create(&lib), 0);
	assert_int_equal(getpid(), (pid_t)syscall(SYS_getpid));
	assert_int_equal(getpid(), (pid_t)syscall(SYS_getpid));
	pid = fork();
	if (pid == 0)
		_exit(getpid() == (pid_t)syscall(SYS_getpid) && getpid() != getppid() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	tls_lib_destroy(lib);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_system_call),
		cmocka_unit_test(test_pid_after_fork),
	};

	if (tls_arena_install(64 << 20) != 0 || tls_arena_create(16 << 20, &arena) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
