/* os/env.c: defaults of gw_env from the operating system. The one folder that a build for a bare
 * machine leaves out; a host that fills all of gw_env never reaches this code.
 */
#define _GNU_SOURCE
#include "os/env.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { ALIGNMENT = 16 };

static void *os_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (_Alignof(max_align_t) >= ALIGNMENT)
        return malloc(size);
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    return aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static void os_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* A kernel without randomness leaves every seed guessable: there is no safe way on. */
static void os_entropy(void *ctx, void *out, size_t len)
{
    char *at = out;
    (void)ctx;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort();
        at += n;
        len -= (size_t)n;
    }
}

static uint64_t os_unix_nanos(void *ctx)
{
    struct timespec t;
    (void)ctx;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Who waits may be more urgent than who is waited for: it has to sleep, not only to yield. */
static void os_pause(void *ctx)
{
    struct timespec t = { 0, 50000 };
    (void)ctx;
    (void)nanosleep(&t, NULL);
}

/* Each thread has an errno of its own. */
uintptr_t gw_os_thread(void)
{
    return (uintptr_t)&errno;
}

void gw_os_env_fill(gw_env *env)
{
    if (env->allocator.alloc == NULL && env->allocator.release == NULL)
        env->allocator = (gw_allocator){ NULL, os_alloc, os_release };
    if (env->entropy == NULL)
        env->entropy = os_entropy;
    if (env->unix_nanos == NULL)
        env->unix_nanos = os_unix_nanos;
    if (env->pause == NULL)
        env->pause = os_pause;
}
