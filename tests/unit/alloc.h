/* unit/alloc.h: an allocator for tests. It counts, checks the size at release, spoils memory that
 * is new or released, and refuses on demand:
 *
 *     struct test_alloc alloc;
 *     test_alloc_init(&alloc);
 *     alloc.fail_at = k;      the k-th call since init or restart is refused, 1 is the first
 *     alloc.fail_from = k;    that one and all after it are refused
 *     ... &alloc.allocator ...
 *     test_alloc_fini(&alloc) nothing may be left
 *
 * The sweep: for k = 1, 2, ... set fail_at = k and do the whole thing, until alloc.failed is 0 after
 * a run (it did not need k allocations). Any thread may call it. */
#ifndef UNIT_ALLOC_H
#define UNIT_ALLOC_H

#include "check_quick.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gw/env.h>

struct test_alloc {
    gw_allocator allocator;
    _Atomic uint64_t calls;  /* of alloc                         */
    _Atomic uint64_t failed; /* how many of them were refused    */
    _Atomic uint64_t live;   /* pieces out now                   */
    _Atomic uint64_t bytes;  /* in them                          */
    uint64_t fail_at;        /* against calls; 0: never          */
    uint64_t fail_from;
};

enum { TEST_ALLOC_HEAD = 16 };

static inline void *test_alloc_alloc_(void *ctx, size_t size)
{
    struct test_alloc *alloc = ctx;
    uint64_t call = ++alloc->calls;
    ck_assert_uint_gt(size, 0);
    if (call == alloc->fail_at || (alloc->fail_from != 0 && call >= alloc->fail_from)) {
        alloc->failed++;
        return NULL;
    }
    char *piece = malloc(TEST_ALLOC_HEAD + size);
    if (piece == NULL)
        abort();
    memcpy(piece, &size, sizeof size);
    memset(piece + TEST_ALLOC_HEAD, 0xa5, size);
    alloc->live++;
    alloc->bytes += size;
    return piece + TEST_ALLOC_HEAD;
}

static inline void test_alloc_release_(void *ctx, void *ptr, size_t size)
{
    struct test_alloc *alloc = ctx;
    char *piece = (char *)ptr - TEST_ALLOC_HEAD;
    size_t made;
    memcpy(&made, piece, sizeof made);
    ck_assert_msg(made == size, "released as %zu bytes, allocated as %zu", size, made);
    ck_assert_uint_gt(alloc->live, 0);
    alloc->live--;
    alloc->bytes -= size;
    memset(ptr, 0x5a, size);
    free(piece);
}

static inline void test_alloc_init(struct test_alloc *alloc)
{
    memset(alloc, 0, sizeof *alloc);
    alloc->allocator = (gw_allocator){ .ctx = alloc,
                                       .alloc = test_alloc_alloc_,
                                       .release = test_alloc_release_ };
}

/* Starts counting calls anew, for fail_at and fail_from. */
static inline void test_alloc_restart(struct test_alloc *alloc)
{
    alloc->calls = alloc->failed = alloc->fail_at = alloc->fail_from = 0;
}

static inline void test_alloc_fini(struct test_alloc *alloc)
{
    ck_assert_msg(alloc->live == 0, "%llu pieces with %llu bytes are left",
                  (unsigned long long)alloc->live, (unsigned long long)alloc->bytes);
}

#endif
