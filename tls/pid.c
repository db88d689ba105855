/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * OpenSSL 3's random generator calls getpid() before each use, to find out whether it was forked,
 * and since glibc 2.25 that is a system call: three or four to a handshake, on a path that may make
 * none. So a program that has workers answers from memory. The number is kept in a page that the
 * kernel wipes in a child (MADV_WIPEONFORK), whatever way it was forked, so the generator's
 * protection holds.
 *
 * Linked into whatever calls tls_lib_create(); the program's definition is what libcrypto then
 * finds.
 */
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tls/internal.h"

/* NULL: nothing can be kept, getpid() asks the kernel. Process-wide as the number itself is. */
static _Atomic(_Atomic(pid_t) *) cache;

void tls_pid_cache(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	_Atomic(pid_t) *expected = NULL;
	void *page;

	if (atomic_load(&cache) != NULL)
		return;
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return;
	if (madvise(page, size, MADV_WIPEONFORK) != 0 ||
		!atomic_compare_exchange_strong(&cache, &expected, page))
		munmap(page, size);
}

pid_t getpid(void)
{
	_Atomic(pid_t) *kept = atomic_load_explicit(&cache, memory_order_acquire);
	pid_t pid = kept != NULL ? atomic_load_explicit(kept, memory_order_relaxed) : 0;

	if (pid == 0) {
		pid = (pid_t)syscall(SYS_getpid);
		if (kept != NULL)
			atomic_store_explicit(kept, pid, memory_order_relaxed);
	}
	return pid;
}
