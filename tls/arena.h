/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for OpenSSL on workers: size classes carved from a range that is taken and touched at
 * start, so that a handshake calls neither malloc() nor the kernel. OpenSSL has one set of memory
 * functions per process; a thread with an arena attached is served from it, every other one by the
 * C library.
 *
 * Memory may be freed by any thread: a block goes back to the arena that it came from, by a
 * lock-free stack if that is another thread's. Arenas last as long as the process.
 */
#ifndef POSTGATE_TLS_ARENA_H
#define POSTGATE_TLS_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/opensslv.h>

struct tls_arena;

/* Once, before anything else touches OpenSSL. max_bytes: address space for all arenas together (not
 * yet memory). 0, -EBUSY (OpenSSL has allocated already), -EALREADY, -ENOMEM. */
int tls_arena_install(size_t max_bytes);

/* `bytes` of memory, touched. Control thread. 0, -EINVAL (not installed), -ENOMEM. */
int tls_arena_create(size_t bytes, struct tls_arena **out);

/*
 * What a TLS connection takes, with what the size classes lose: at rest (18 kB with OpenSSL 3.0, 35
 * kB with 3.5: mostly its object and keys), and at its most (handshake, both record buffers).
 */
#define TLS_ARENA_IDLE (OPENSSL_VERSION_NUMBER >= 0x30200000L ? 40960 : 20480)
#define TLS_ARENA_BUSY 81920
/* Enough for so many connections of which one in eight is busy at a time. */
size_t tls_arena_size(uint32_t connections);

/* The calling thread allocates from `a` from now on; NULL: from the C library again. One thread at
 * a time may have an arena attached. */
void tls_arena_attach(struct tls_arena *a);

struct tls_arena_stats {
	uint64_t reserved; /* octets taken from the range */
	uint64_t carved;   /* of those, made into blocks */
	uint64_t used;     /* in blocks handed out, whole blocks counted */
	uint64_t allocs;   /* blocks handed out since start */
	uint64_t remote;   /* blocks that came back by other threads, as far as seen */
	uint64_t
		grown; /* times that more than `bytes` was needed: page faults on the packet path */
	uint64_t fallbacks; /* requests that the C library had to serve: over 32 KiB, or range empty
			     */
};
/* Any thread; the figures may be of slightly different moments. */
void tls_arena_get_stats(const struct tls_arena *a, struct tls_arena_stats *stats);

#endif
