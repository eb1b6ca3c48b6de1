/* The small parts of base that readers of configurations stand on: sized structs, sorting, a store,
 * and near names. */

#include "alloc.h"
#include "base/nearest.h"
#include "base/prng.h"
#include "base/sort.h"
#include "base/spec.h"
#include "base/store.h"
#include "check_main.h"

/* --- sized structs: every size of the caller against the rule --- */

enum { OWN = 16, LARGEST = 24 };

START_TEST(a_spec_of_any_size_is_copied)
{
    for (uint32_t size = 0; size <= LARGEST; size++)
        for (uint32_t dirty = 0; dirty <= LARGEST; dirty++) {
            unsigned char spec[LARGEST], own[OWN] = { 0 }, before[OWN] = { 0 };
            memset(spec, 0, sizeof spec);
            memset(spec, 7, OWN);
            memcpy(spec, &size, sizeof size);
            if (dirty < LARGEST && dirty >= 4)
                spec[dirty] = 9;
            bool is_fine = size >= 4 && (dirty < OWN || dirty >= size);
            gw_status status = gw_spec_copy(own, OWN, spec);
            ck_assert_int_eq(status, is_fine ? GW_OK : GW_EINVAL);
            if (!is_fine) {
                ck_assert_mem_eq(own, before, OWN);
                continue;
            }
            uint32_t own_size;
            memcpy(&own_size, own, sizeof own_size);
            ck_assert_uint_eq(own_size, OWN);
            for (uint32_t i = 4; i < OWN; i++)
                ck_assert_uint_eq(own[i], i < size ? spec[i] : 0);
        }
    unsigned char own[OWN] = { 0 };
    ck_assert_int_eq(gw_spec_copy(own, OWN, NULL), GW_EINVAL);
}
END_TEST

START_TEST(what_is_filled_is_what_its_size_covers)
{
    unsigned char own[OWN], out[LARGEST];
    memset(own, 7, sizeof own);
    for (uint32_t size = 0; size <= LARGEST; size++) {
        memset(out, 5, sizeof out);
        memcpy(out, &size, sizeof size);
        ck_assert_int_eq(gw_spec_fill(out, own, OWN), size >= 4 ? GW_OK : GW_EINVAL);
        uint32_t kept;
        memcpy(&kept, out, sizeof kept);
        ck_assert_uint_eq(kept, size);
        for (uint32_t i = 4; i < LARGEST; i++) {
            bool is_covered = size >= 4 && i < size;
            ck_assert_uint_eq(out[i], !is_covered ? 5 : i < OWN ? 7 : 0);
        }
    }
    ck_assert_int_eq(gw_spec_fill(NULL, own, OWN), GW_EINVAL);
}
END_TEST

/* --- sorting --- */

static int by_key(const void *ctx, uint32_t a, uint32_t b)
{
    const uint32_t *keys = ctx;
    return keys[a] < keys[b] ? -1 : keys[a] > keys[b];
}

START_TEST(a_sort_is_a_stable_one)
{
    enum { MOST = 130 };
    uint32_t keys[MOST], order[MOST], spare[MOST];
    struct gw_prng prng = { 1 };
    for (uint32_t n = 0; n <= MOST; n++) {
        for (uint32_t i = 0; i < n; i++) {
            keys[i] = (uint32_t)gw_prng_below(&prng, 1 + n / 2);
            order[i] = i;
        }
        gw_sort(order, spare, n, by_key, keys);
        bool seen[MOST] = { false };
        for (uint32_t i = 0; i < n; i++) {
            ck_assert(!seen[order[i]]);
            seen[order[i]] = true;
            if (i > 0 && (keys[order[i - 1]] > keys[order[i]] ||
                          (keys[order[i - 1]] == keys[order[i]] && order[i - 1] > order[i])))
                ck_abort_msg("%u of %u", i, n);
        }
    }
}
END_TEST

/* --- the store --- */

START_TEST(a_store_gives_cells_that_do_not_meet)
{
    enum { CELLS = 500 };
    static unsigned char *at[CELLS];
    static size_t len[CELLS];
    struct gw_prng prng = { 2 };
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_store store;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_store_init(&store, &heap);
    for (size_t i = 0; i < CELLS; i++) {
        len[i] = gw_prng_below(&prng, i % 10 == 0 ? 3000 : 60);
        at[i] = gw_store_take(&store, len[i], 1);
        ck_assert_ptr_nonnull(at[i]);
        ck_assert_uint_eq((uintptr_t)at[i] % 16, 0);
        for (size_t k = 0; k < len[i]; k++)
            if (at[i][k] != 0)
                ck_abort_msg("not zeroed");
        if (len[i] > 0)
            memset(at[i], (int)i, len[i]);
    }
    for (size_t i = 0; i < CELLS; i++)
        for (size_t k = 0; k < len[i]; k++)
            if (at[i][k] != (unsigned char)i)
                ck_abort_msg("cell %zu was written over", i);
    ck_assert_ptr_null(gw_store_take(&store, SIZE_MAX / 2, 4));
    gw_str copy;
    ck_assert_int_eq(gw_store_copy(&store, GW_STR("text"), &copy), GW_OK);
    ck_assert_str_eq(copy.ptr, "text");
    ck_assert_int_eq(gw_store_copy(&store, (gw_str){ NULL, 0 }, &copy), GW_OK);
    ck_assert_str_eq(copy.ptr, "");
    gw_store_fini(&store);
    test_alloc_fini(&alloc);
}
END_TEST

/* --- near names --- */

static const struct {
    const char *wanted, *names[4], *found;
} near[] = {
    { "wev", { "web", "api" }, "web" },
    { "web", { "api", "db" }, NULL },
    { "x", { "y" }, NULL },
    { "ab", { "ax", "b" }, "ax" },
    { "", { "a" }, NULL },
    { "greter", { "greeting", "greeter" }, "greeter" },
    { "listner", { "listen", "", "listeners" }, "listen" },
};
START_TEST(the_nearest_name_is_offered)
{
    struct gw_nearest nearest;
    struct gw_text text;
    char buffer[100], wanted[100];
    gw_nearest_init(&nearest, gw_cstr(near[_i].wanted));
    for (int i = 0; i < 4 && near[_i].names[i] != NULL; i++)
        gw_nearest_offer(&nearest, gw_cstr(near[_i].names[i]));
    gw_text_init(&text, buffer, sizeof buffer);
    gw_nearest_say(&nearest, &text);
    struct gw_text expected;
    gw_text_init(&expected, wanted, sizeof wanted);
    if (near[_i].found != NULL) {
        gw_text_cstr(&expected, "; did you mean \"");
        gw_text_cstr(&expected, near[_i].found);
        gw_text_cstr(&expected, "\"?");
    }
    ck_assert_str_eq(buffer, wanted);
}
END_TEST

static Suite *small_suite(void)
{
    Suite *suite = suite_create("small");
    check_add(suite, a_spec_of_any_size_is_copied);
    check_add(suite, what_is_filled_is_what_its_size_covers);
    check_add(suite, a_sort_is_a_stable_one);
    check_add(suite, a_store_gives_cells_that_do_not_meet);
    check_add_loop(suite, the_nearest_name_is_offered, 0, (int)(sizeof near / sizeof near[0]));
    return suite;
}

CHECK_MAIN(small_suite)
