/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To be preloaded into a program: counts, thread by thread, what a packet path must not call. The
 * counts are in the file that POSTGATE_CALL_COUNTS names (struct call_counts, an array), for
 * tests/bench/hotpath.py to read while the program runs.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_MAX 256

#define CALLS(X)         \
	X(malloc)        \
	X(calloc)        \
	X(realloc)       \
	X(free)          \
	X(memalign)      \
	X(mutex_lock)    \
	X(mutex_trylock) \
	X(rwlock_rdlock) \
	X(rwlock_wrlock) \
	X(spin_lock)     \
	X(cond_wait)     \
	X(sem_wait)

enum call {
#define X(name) CALL_##name,
	CALLS(X)
#undef X
		CALL_COUNT
};

/* As hotpath.py unpacks it: 16 numbers of 8 octets. */
struct call_counts {
	uint64_t tid; /* 0: free */
	uint64_t counts[15];
};
_Static_assert((int)CALL_COUNT <= 15, "struct call_counts");

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);
extern void *__libc_memalign(size_t alignment, size_t size);

static struct call_counts *table;
static _Atomic unsigned int threads;
static __thread struct call_counts *mine __attribute__((tls_model("initial-exec")));

static int (*real_mutex_lock)(pthread_mutex_t *);
static int (*real_mutex_trylock)(pthread_mutex_t *);
static int (*real_rwlock_rdlock)(pthread_rwlock_t *);
static int (*real_rwlock_wrlock)(pthread_rwlock_t *);
static int (*real_spin_lock)(pthread_spinlock_t *);
static int (*real_cond_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_sem_wait)(sem_t *);

__attribute__((constructor(101))) static void count_start(void)
{
	const char *path = getenv("POSTGATE_CALL_COUNTS");
	size_t size = THREADS_MAX * sizeof(struct call_counts);
	void *p;
	int fd;

	real_mutex_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	real_mutex_trylock = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
	real_rwlock_rdlock = dlsym(RTLD_NEXT, "pthread_rwlock_rdlock");
	real_rwlock_wrlock = dlsym(RTLD_NEXT, "pthread_rwlock_wrlock");
	real_spin_lock = dlsym(RTLD_NEXT, "pthread_spin_lock");
	real_cond_wait = dlsym(RTLD_NEXT, "pthread_cond_wait");
	real_sem_wait = dlsym(RTLD_NEXT, "sem_wait");
	fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		table = p;
}

static void count(enum call call)
{
	if (!table)
		return;
	if (!mine) {
		unsigned int i = atomic_fetch_add(&threads, 1);

		if (i >= THREADS_MAX)
			_exit(99); /* a thread that is not counted would look innocent */
		mine = &table[i];
		mine->tid = (uint64_t)syscall(SYS_gettid);
	}
	__atomic_store_n(&mine->counts[call], mine->counts[call] + 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
	count(CALL_malloc);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count(CALL_calloc);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count(CALL_realloc);
	return __libc_realloc(p, size);
}

void free(void *p)
{
	if (p)
		count(CALL_free);
	__libc_free(p);
}

void *memalign(size_t alignment, size_t size)
{
	count(CALL_memalign);
	return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	count(CALL_memalign);
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	count(CALL_memalign);
	*out = __libc_memalign(alignment, size);
	return *out ? 0 : ENOMEM;
}

#define LOCK(function, real, type, call)   \
	int function(type *p)              \
	{                                  \
		count(call);               \
		return real ? real(p) : 0; \
	}
LOCK(pthread_mutex_lock, real_mutex_lock, pthread_mutex_t, CALL_mutex_lock)
LOCK(pthread_mutex_trylock, real_mutex_trylock, pthread_mutex_t, CALL_mutex_trylock)
LOCK(pthread_rwlock_rdlock, real_rwlock_rdlock, pthread_rwlock_t, CALL_rwlock_rdlock)
LOCK(pthread_rwlock_wrlock, real_rwlock_wrlock, pthread_rwlock_t, CALL_rwlock_wrlock)
LOCK(pthread_spin_lock, real_spin_lock, pthread_spinlock_t, CALL_spin_lock)
LOCK(sem_wait, real_sem_wait, sem_t, CALL_sem_wait)

int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	count(CALL_cond_wait);
	return real_cond_wait(c, m);
}
