/* unit/map_test.c: the map against an array, also with hashes that crowd, and without memory. */

#include "base_test.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "base/map.h"
#include "base/prng.h"
#include "base/text.h"

enum { KEYS = 300, KEY_LEN = 12 };
struct model {
    char keys[KEYS][KEY_LEN];
    void *values[KEYS]; /* NULL: not in */
    uint32_t count;
};

static gw_str key_of(struct model *m, uint32_t i)
{
    return gw_cstr(m->keys[i]);
}

static void model_init(struct model *m)
{
    memset(m, 0, sizeof *m);
    for (uint32_t i = 1; i < KEYS; i++) /* key 0 is the empty one */
        snprintf(m->keys[i], KEY_LEN, i % 2 ? "k%u" : "host-%u", (unsigned)i);
}

/* Every key answers as the model says, and the walk shows each that is in once. */
static void compare(const struct gw_map *map, struct model *m)
{
    uint32_t at = 0, seen = 0;
    bool was_seen[KEYS] = { false };
    ck_assert_uint_eq(map->count, m->count);
    for (uint32_t i = 0; i < KEYS; i++)
        ck_assert_ptr_eq(gw_map_find(map, key_of(m, i)), m->values[i]);
    for (const struct gw_map_entry *e; (e = gw_map_next(map, &at)) != NULL; seen++) {
        uint32_t i = 0;
        while (i < KEYS && !gw_str_eq(e->key, key_of(m, i)))
            i++;
        ck_assert_uint_lt(i, KEYS);
        ck_assert(!was_seen[i]);
        was_seen[i] = true;
        ck_assert_ptr_eq(e->value, m->values[i]);
    }
    ck_assert_uint_eq(seen, m->count);
}

static void put(struct gw_map *map, struct model *m, uint32_t i, void *value)
{
    gw_status status = gw_map_put(map, key_of(m, i), value);
    if (status != GW_OK) {
        ck_assert_int_eq(status, GW_ENOMEM);
        return;
    }
    m->count += m->values[i] == NULL;
    m->values[i] = value;
}

static void drop(struct gw_map *map, struct model *m, uint32_t i)
{
    ck_assert_ptr_eq(gw_map_drop(map, key_of(m, i)), m->values[i]);
    m->count -= m->values[i] != NULL;
    m->values[i] = NULL;
}

START_TEST(map_against_array)
{
    struct gw_prng prng = { (uint64_t)_i };
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_map map;
    struct model m;
    char values[16];
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_map_init(&map, &heap, gw_prng_next(&prng));
    model_init(&m);
    compare(&map, &m);
    uint32_t keys = 1 + (uint32_t)gw_prng_below(&prng, KEYS);
    for (int step = 0; step < 3000; step++) {
        uint32_t i = (uint32_t)gw_prng_below(&prng, keys);
        bool is_filling = step / 500 % 2 == 0; /* the map swells and shrinks in turn */
        if ((gw_prng_below(&prng, 4) != 0) == is_filling)
            put(&map, &m, i, &values[gw_prng_below(&prng, sizeof values)]);
        else
            drop(&map, &m, i);
        if (step % 50 == 0)
            compare(&map, &m);
    }
    compare(&map, &m);
    for (uint32_t i = 0; i < keys; i++) {
        drop(&map, &m, i);
        if (i % 10 == 0)
            compare(&map, &m);
    }
    ck_assert_uint_eq(map.count, 0);
    gw_map_fini(&map);
    ck_assert_uint_eq(heap.used, 0);
    test_alloc_fini(&alloc);
}
END_TEST

/* An equal key replaces: the view that is kept is the new one, so that the old may go. */
START_TEST(map_replaces_the_key_too)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_map map;
    char first[] = "name", second[] = "name", value;
    uint32_t at = 0;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_map_init(&map, &heap, 1);
    ck_assert_int_eq(gw_map_put(&map, gw_cstr(first), &value), GW_OK);
    ck_assert_int_eq(gw_map_put(&map, gw_cstr(second), &value), GW_OK);
    ck_assert_uint_eq(map.count, 1);
    ck_assert_ptr_eq(gw_map_next(&map, &at)->key.ptr, second);
    gw_map_fini(&map);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(map_without_memory)
{
    for (uint64_t k = 1;; k++) {
        struct test_alloc alloc;
        struct gw_heap heap;
        struct gw_map map;
        struct model m;
        char value;
        test_alloc_init(&alloc);
        alloc.fail_at = k;
        gw_heap_init(&heap, &alloc.allocator, 0);
        gw_map_init(&map, &heap, k);
        model_init(&m);
        for (uint32_t i = 0; i < KEYS; i++) {
            uint64_t failed = alloc.failed;
            put(&map, &m, i, &value);
            if (alloc.failed != failed) {
                compare(&map, &m);
                put(&map, &m, i, &value); /* the next try has memory */
            }
            ck_assert_ptr_eq(m.values[i], &value);
        }
        compare(&map, &m);
        gw_map_fini(&map);
        test_alloc_fini(&alloc);
        if (alloc.failed == 0)
            break;
        ck_assert_uint_lt(k, 100);
    }
}
END_TEST

/* Another seed, another order: what a peer can make collide in one process, it cannot in the next. */
START_TEST(map_is_seeded)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_map maps[2];
    struct model m;
    char value;
    int differ = 0;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    model_init(&m);
    for (uint64_t s = 0; s < 2; s++) {
        gw_map_init(&maps[s], &heap, s);
        for (uint32_t i = 0; i < KEYS; i++)
            ck_assert_int_eq(gw_map_put(&maps[s], key_of(&m, i), &value), GW_OK);
    }
    for (uint32_t a = 0, b = 0;;) {
        const struct gw_map_entry *x = gw_map_next(&maps[0], &a), *y = gw_map_next(&maps[1], &b);
        if (x == NULL || y == NULL)
            break;
        differ += !gw_str_eq(x->key, y->key);
    }
    ck_assert_int_gt(differ, KEYS / 2);
    gw_map_fini(&maps[0]);
    gw_map_fini(&maps[1]);
    test_alloc_fini(&alloc);
}
END_TEST

Suite *map_suite(void)
{
    Suite *suite = suite_create("map");
    check_add_loop(suite, map_against_array, 0, 20);
    check_add(suite, map_replaces_the_key_too);
    check_add(suite, map_without_memory);
    check_add(suite, map_is_seeded);
    return suite;
}
