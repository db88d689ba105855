/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * OpenSSL 3's random generator calls getpid() before each use, to find out whether it was forked,
 * and since glibc 2.25 that is a system call: three or four to a handshake, on a path that may make
 * none. So a program that has workers answers from memory, and asks again after a fork(), which
 * keeps the generator's protection: fork handlers run in the child before it can draw anything.
 *
 * Linked into whatever calls tls_lib_create(); the program's definition is what libcrypto then
 * finds.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tls/internal.h"

static _Atomic pid_t cached;    // 0: not known
static _Atomic bool fork_aware; // forget() is in place: only then may anything be kept

static void forget(void)
{
	atomic_store_explicit(&cached, 0, memory_order_relaxed);
}

static void install(void)
{
	atomic_store(&fork_aware, pthread_atfork(NULL, NULL, forget) == 0);
}

void tls_pid_cache(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

pid_t getpid(void)
{
	pid_t pid = atomic_load_explicit(&cached, memory_order_relaxed);

	if (pid == 0) {
		pid = (pid_t)syscall(SYS_getpid);
		if (atomic_load_explicit(&fork_aware, memory_order_relaxed))
			atomic_store_explicit(&cached, pid, memory_order_relaxed);
	}
	return pid;
}
