/* unit/memory_test.c: heap, slab and arena: accounting, caps, reuse, bounds. */

#include "base_test.h"

#include <string.h>

#include "alloc.h"
#include "base/arena.h"
#include "base/heap.h"
#include "base/prng.h"
#include "base/text.h"

START_TEST(heap_counts_and_caps)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 1000);
    void *a = gw_heap_alloc(&heap, 600), *b = gw_heap_zalloc(&heap, 400);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    for (int i = 0; i < 400; i++)
        ck_assert_int_eq(((char *)b)[i], 0);
    ck_assert_ptr_null(gw_heap_alloc(&heap, 1)); /* the cap, not the allocator */
    ck_assert_uint_eq(alloc.calls, 2);
    gw_heap_release(&heap, a, 600);
    ck_assert_ptr_null(gw_heap_alloc(&heap, 601));
    ck_assert_ptr_null(gw_heap_alloc(&heap, SIZE_MAX));
    ck_assert_uint_eq(heap.used, 400);
    ck_assert_uint_eq(heap.peak, 1000);
    gw_heap_release(&heap, b, 400);
    gw_heap_release(&heap, NULL, 5);
    alloc.fail_from = 1;
    ck_assert_ptr_null(gw_heap_alloc(&heap, 10));
    ck_assert_ptr_null(gw_heap_zalloc(&heap, 10));
    ck_assert_uint_eq(heap.used, 0);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(heap_copies_text)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    gw_str copy, empty, none;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    ck_assert_int_eq(gw_heap_copy(&heap, GW_STR("name"), &copy), GW_OK);
    ck_assert_str_eq(copy.ptr, "name");
    ck_assert_uint_eq(copy.len, 4);
    ck_assert_int_eq(gw_heap_copy(&heap, (gw_str){ NULL, 0 }, &empty), GW_OK);
    ck_assert_str_eq(empty.ptr, "");
    alloc.fail_from = 1;
    ck_assert_int_eq(gw_heap_copy(&heap, GW_STR("x"), &none), GW_ENOMEM);
    ck_assert_ptr_null(none.ptr);
    gw_heap_release_str(&heap, none);
    gw_heap_release_str(&heap, empty);
    gw_heap_release_str(&heap, copy);
    ck_assert_uint_eq(heap.used, 0);
    test_alloc_fini(&alloc);
}
END_TEST

enum { CELLS = 200 };

/* Random takes and gives: cells never overlap, the cap holds, and what was made is used again. */
START_TEST(slab_against_count)
{
    static const size_t sizes[] = { 1, 16, 24, 48, 1000, 9000 };
    struct gw_prng prng = { (uint64_t)_i };
    size_t cell = sizes[(size_t)_i % 6];
    uint32_t max = 1 + (uint32_t)gw_prng_below(&prng, CELLS), out = 0, peak = 0;
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_slab slab;
    uint8_t *cells[CELLS], tag = 0, tags[CELLS];
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_slab_init(&slab, &heap, cell, max);
    for (int step = 0; step < 2000; step++) {
        if (gw_prng_below(&prng, 3) != 0) {
            uint64_t calls = alloc.calls;
            bool has_free = out < slab.made;
            uint8_t *p = gw_slab_take(&slab);
            ck_assert((p == NULL) == (out == max));
            if (has_free)
                ck_assert_uint_eq(alloc.calls, calls); /* no allocator call while there are cells */
            if (p == NULL)
                continue;
            ck_assert_uint_eq((uintptr_t)p & 15, 0);
            memset(p, ++tag, cell);
            cells[out] = p;
            tags[out++] = tag;
            peak = out > peak ? out : peak;
        } else if (out > 0) {
            size_t i = gw_prng_below(&prng, out);
            for (size_t j = 0; j < cell; j++)
                ck_assert_uint_eq(cells[i][j], tags[i]);
            gw_slab_give(&slab, cells[i]);
            out--;
            cells[i] = cells[out];
            tags[i] = tags[out];
        }
        ck_assert_uint_eq(slab.used, out);
        ck_assert_uint_le(slab.made, max);
        ck_assert_uint_le(slab.made, peak < 4 ? 4 : 3 * peak); /* it does not run far ahead, */
        ck_assert(cell < 9000 || slab.made <= peak + 3);       /* and not at all with large cells */
    }
    while (out > 0)
        gw_slab_give(&slab, cells[--out]);
    gw_slab_fini(&slab);
    ck_assert_uint_eq(heap.used, 0);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(slab_without_memory)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_slab slab;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_slab_init(&slab, &heap, 32, UINT32_MAX);
    void *first = gw_slab_take(&slab);
    ck_assert_ptr_nonnull(first);
    alloc.fail_from = 1;
    uint32_t got = 1;
    void *cells[64] = { first }, *p;
    while ((p = gw_slab_take(&slab)) != NULL)
        cells[got++] = p;
    ck_assert_uint_eq(got, slab.made);
    gw_slab_give(&slab, cells[--got]);
    p = gw_slab_take(&slab);
    ck_assert_ptr_nonnull(p); /* a free cell needs no allocator */
    gw_slab_give(&slab, p);
    while (got > 0)
        gw_slab_give(&slab, cells[--got]);
    gw_slab_fini(&slab);
    test_alloc_fini(&alloc);
}
END_TEST

/* Chunks for arenas: from malloc, of one size, with a bound. */
enum { CHUNK = 512 };
struct chunks {
    int out, max;
};

static void *chunk_take(void *ctx, struct gw_arena *for_whom)
{
    (void)for_whom;
    struct chunks *chunks = ctx;
    if (chunks->out == chunks->max)
        return NULL;
    chunks->out++;
    return malloc(CHUNK);
}

static void chunk_give(void *ctx, void *chunk)
{
    struct chunks *chunks = ctx;
    chunks->out--;
    free(chunk);
}

START_TEST(arena_pieces_do_not_overlap)
{
    enum { PIECES = 64 };
    struct gw_prng prng = { (uint64_t)_i };
    struct chunks chunks = { 0, 8 };
    struct gw_arena_source source = { &chunks, chunk_take, chunk_give, CHUNK };
    _Alignas(8) char first[100];
    struct gw_arena arena;
    char *pieces[PIECES];
    size_t lens[PIECES], used = 0;
    uint32_t count = 0;
    bool has_first = _i % 2 == 0;
    gw_arena_init(&arena, has_first ? first : NULL, has_first ? sizeof first : 0, &source, 3000);
    while (count < PIECES) {
        size_t len = gw_prng_below(&prng, _i % 3 == 0 ? 600 : 80);
        char text[600];
        memset(text, (int)count, sizeof text);
        if (gw_prng_below(&prng, 2)) {
            char *p = gw_arena_alloc(&arena, len);
            if (p == NULL) {
                ck_assert(len > CHUNK - 8 || used + len > 3000 || chunks.out == chunks.max);
                break;
            }
            ck_assert_uint_eq((uintptr_t)p & 7, 0);
            memset(p, (int)count, len);
            pieces[count] = p;
        } else {
            gw_str copy;
            gw_status status = gw_arena_copy(&arena, (gw_str){ text, len }, &copy);
            if (status != GW_OK) {
                bool is_over = len > CHUNK - 8 || used + len > 3000;
                ck_assert_int_eq(status, is_over ? GW_ELIMIT : GW_ENOMEM);
                break;
            }
            ck_assert_uint_eq(copy.len, len);
            pieces[count] = (char *)(uintptr_t)copy.ptr;
        }
        lens[count++] = len;
        used += len;
        ck_assert_uint_eq(arena.used, used);
    }
    for (uint32_t i = 0; i < count; i++)
        for (size_t j = 0; j < lens[i]; j++)
            ck_assert_int_eq(pieces[i][j], (char)i);
    gw_arena_fini(&arena);
    ck_assert_int_eq(chunks.out, 0);
}
END_TEST

START_TEST(arena_bounds)
{
    struct chunks chunks = { 0, 1 };
    struct gw_arena_source source = { &chunks, chunk_take, chunk_give, CHUNK };
    char cell[64], text[CHUNK];
    struct gw_arena arena;
    gw_str out;
    memset(text, 'x', sizeof text);
    /* Only a first cell, taken to the last byte. */
    gw_arena_init(&arena, cell, sizeof cell, NULL, SIZE_MAX);
    ck_assert_int_eq(gw_arena_copy(&arena, (gw_str){ text, 64 }, &out), GW_OK);
    ck_assert_ptr_eq(out.ptr, cell);
    ck_assert_int_eq(gw_arena_copy(&arena, (gw_str){ text, 1 }, &out), GW_ELIMIT);
    ck_assert_ptr_null(gw_arena_alloc(&arena, 1));
    ck_assert_int_eq(gw_arena_copy(&arena, (gw_str){ NULL, 0 }, &out), GW_OK);
    ck_assert_uint_eq(out.len, 0);
    gw_arena_fini(&arena);
    /* Nothing at all. */
    gw_arena_init(&arena, NULL, 0, NULL, SIZE_MAX);
    ck_assert_ptr_null(gw_arena_alloc(&arena, 1));
    gw_arena_fini(&arena);
    /* The bound on all, the bound on one, and a source that refuses. */
    gw_arena_init(&arena, NULL, 0, &source, 600);
    ck_assert_int_eq(gw_arena_copy(&arena, (gw_str){ text, CHUNK - 7 }, &out), GW_ELIMIT);
    ck_assert_int_eq(gw_arena_copy(&arena, (gw_str){ text, CHUNK - 8 }, &out), GW_OK);
    ck_assert_int_eq(gw_arena_copy(&arena, (gw_str){ text, 97 }, &out), GW_ELIMIT);
    ck_assert_int_eq(gw_arena_copy(&arena, (gw_str){ text, 96 }, &out), GW_ENOMEM);
    ck_assert_ptr_null(gw_arena_alloc(&arena, SIZE_MAX));
    gw_arena_fini(&arena);
    ck_assert_int_eq(chunks.out, 0);
}
END_TEST

/* A long piece gets a chunk of its own and leaves the free rest of the one before in use. */
START_TEST(arena_keeps_the_better_rest)
{
    struct chunks chunks = { 0, 2 };
    struct gw_arena_source source = { &chunks, chunk_take, chunk_give, CHUNK };
    struct gw_arena arena;
    gw_arena_init(&arena, NULL, 0, &source, SIZE_MAX);
    ck_assert_ptr_nonnull(gw_arena_alloc(&arena, 104));
    ck_assert_ptr_nonnull(gw_arena_alloc(&arena, 496));
    ck_assert_ptr_nonnull(gw_arena_alloc(&arena, 400));
    ck_assert_int_eq(chunks.out, 2);
    gw_arena_fini(&arena);
    ck_assert_int_eq(chunks.out, 0);
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    check_add(suite, heap_counts_and_caps);
    check_add(suite, heap_copies_text);
    check_add_loop(suite, slab_against_count, 0, 24);
    check_add(suite, slab_without_memory);
    check_add_loop(suite, arena_pieces_do_not_overlap, 0, 60);
    check_add(suite, arena_bounds);
    check_add(suite, arena_keeps_the_better_rest);
    return suite;
}
