/* unit/buf_test.c: the pool of blocks; and the main of unit-buf. */

#include "buf_test.h"

static void block_fill(struct gw_block *b, uint8_t value)
{
    memset(b->bytes, value, b->size);
    gw_block_filled(b, b->size - b->used);
}

START_TEST(pool_caps_and_reuses)
{
    enum { MAX = 10 };
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_block *blocks[MAX];
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_pool_init(&pool, &heap, BLOCK, MAX);
    ck_assert_uint_eq(gw_pool_spare(&pool), MAX);
    for (int i = 0; i < MAX; i++) {
        blocks[i] = gw_block_take(&pool, NULL);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq(blocks[i]->used, 0);
        ck_assert_uint_eq(blocks[i]->size, BLOCK);
        block_fill(blocks[i], (uint8_t)i);
    }
    ck_assert_ptr_null(gw_block_take(&pool, NULL));
    ck_assert_uint_eq(gw_pool_spare(&pool), 0);
    for (int i = 0; i < MAX; i++)
        for (int j = 0; j < BLOCK; j++)
            ck_assert_int_eq(blocks[i]->bytes[j], i);
    /* The one given back last is the one taken next; no allocator call from here on. */
    uint64_t calls = alloc.calls;
    gw_block_unref(blocks[3]);
    gw_block_unref(blocks[7]);
    ck_assert_uint_eq(gw_pool_spare(&pool), 2);
    ck_assert_ptr_eq(gw_block_take(&pool, NULL), blocks[7]);
    ck_assert_ptr_eq(gw_block_take(&pool, NULL), blocks[3]);
    ck_assert_uint_eq(blocks[3]->used, 0);
    blocks[3]->is_held = blocks[3]->is_packed = true; /* nothing of its last life stays */
    gw_block_unref(blocks[3]);
    ck_assert_ptr_eq(gw_block_take(&pool, NULL), blocks[3]);
    ck_assert(!blocks[3]->is_held && !blocks[3]->is_packed);
    /* A second reference holds it. */
    ck_assert_ptr_eq(gw_block_ref(blocks[0]), blocks[0]);
    gw_block_unref(blocks[0]);
    ck_assert_ptr_null(gw_block_take(&pool, NULL));
    for (int i = 0; i < MAX; i++)
        gw_block_unref(blocks[i]);
    gw_block_unref(NULL);
    ck_assert_uint_eq(alloc.calls, calls);
    ck_assert_uint_eq(pool.out_peak, MAX);
    gw_pool_fini(&pool);
    ck_assert_uint_eq(heap.used, 0);
    test_alloc_fini(&alloc);
}
END_TEST

/* What a block costs beside its payload: its header, which lies elsewhere. */
START_TEST(payload_is_exact)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_block *blocks[64];
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_pool_init(&pool, &heap, 16640, 64);
    for (int i = 0; i < 64; i++) {
        blocks[i] = gw_block_take(&pool, NULL);
        ck_assert_ptr_nonnull(blocks[i]);
    }
    ck_assert_uint_eq(pool.block_bytes, 16640);
    ck_assert_uint_le(heap.used, 64 * 16640 + 3 * 64 * sizeof(struct gw_block));
    for (int i = 0; i < 64; i++)
        gw_block_unref(blocks[i]);
    gw_pool_fini(&pool);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(lent_bytes)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    static const char text[] = "the host's";
    int done = 0;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_pool_init(&pool, &heap, BLOCK, 1);
    struct gw_block *b = gw_block_lend(&pool, (gw_const_span){ text, sizeof text }, count_done,
                                       &done, NULL);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(b->used, sizeof text);
    ck_assert_uint_eq(gw_pool_spare(&pool), 1); /* it is no block of the pool's */
    gw_block_ref(b);
    gw_block_unref(b);
    ck_assert_int_eq(done, 0);
    gw_block_unref(b);
    ck_assert_int_eq(done, 0); /* not in the middle of something */
    gw_pool_run_done(&pool);
    ck_assert_int_eq(done, 1);
    gw_pool_run_done(&pool);
    ck_assert_int_eq(done, 1);
    pool.lent_max = 0;
    ck_assert_ptr_null(gw_block_lend(&pool, (gw_const_span){ text, 1 }, count_done, &done, NULL));
    pool.lent_max = 8;
    ck_assert_ptr_null(gw_block_lend(&pool, (gw_const_span){ text, (size_t)UINT32_MAX + 1 },
                                     count_done, &done, NULL));
    /* Without memory it is not taken, and done is not run. */
    struct gw_block *lent[8];
    uint32_t count = 0;
    alloc.fail_from = 1;
    while (count < 8 &&
           (b = gw_block_lend(&pool, (gw_const_span){ text, 1 }, count_done, &done, NULL)) != NULL)
        lent[count++] = b;
    ck_assert_uint_lt(count, 8);
    ck_assert_int_eq(done, 1);
    for (uint32_t i = 0; i < count; i++)
        gw_block_unref(lent[i]);
    gw_pool_run_done(&pool);
    ck_assert_int_eq(done, 1 + (int)count);
    gw_pool_fini(&pool);
    test_alloc_fini(&alloc);
}
END_TEST

/* A static block without a pool: nothing is given back, done alone is run. */
START_TEST(block_without_a_pool)
{
    uint8_t text[] = "static";
    int done = 0;
    struct gw_block b = { .bytes = text, .size = 6, .used = 6, .refs = 2 };
    gw_block_unref(&b);
    ck_assert_uint_eq(b.refs, 1);
    b.done = count_done;
    b.ctx = &done;
    gw_block_unref(&b);
    ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(pool_without_memory)
{
    for (uint64_t k = 1;; k++) {
        struct test_alloc alloc;
        struct gw_heap heap;
        struct gw_pool pool;
        struct gw_block *blocks[12];
        uint32_t count = 0;
        test_alloc_init(&alloc);
        alloc.fail_at = k;
        gw_heap_init(&heap, &alloc.allocator, 0);
        gw_pool_init(&pool, &heap, BLOCK, 12);
        while (count < 12) {
            uint64_t failed = alloc.failed;
            struct gw_block *b = gw_block_take(&pool, NULL);
            ck_assert((b == NULL) == (alloc.failed != failed));
            if (b != NULL)
                blocks[count++] = b;
            ck_assert_uint_eq(pool.out, count);
            ck_assert_uint_eq(pool.made, count);
        }
        while (count > 0)
            gw_block_unref(blocks[--count]);
        gw_pool_fini(&pool);
        test_alloc_fini(&alloc);
        if (alloc.failed == 0)
            break;
        ck_assert_uint_lt(k, 100);
    }
}
END_TEST

/* Promises, against a naive count: kept always, whatever is taken, shared, kept or given back. */
enum { RESERVES = 4, POOL_MAX = 24, OUT_MAX = 64 };

struct promises {
    struct gw_pool pool;
    struct gw_reserve reserve[RESERVES];
    struct gw_block *held[OUT_MAX];
    uint32_t held_len;
    struct gw_prng prng;
};

static void promises_check(const struct promises *p)
{
    uint32_t promised = 0;
    for (int i = 0; i < RESERVES; i++) {
        const struct gw_reserve *r = &p->reserve[i];
        uint32_t used = 0;
        ck_assert_uint_le(r->used, r->size);
        for (const struct gw_block *b = r->taken; b != NULL; b = b->sibling, used++)
            ck_assert_ptr_eq(b->home, r);
        ck_assert_uint_eq(used, r->used);
        promised += r->size - r->used;
    }
    ck_assert_uint_eq(p->pool.promised, promised);
    ck_assert_uint_le(p->pool.out + promised, p->pool.blocks_max);
}

static void promises_hold(struct promises *p, struct gw_block *b)
{
    if (p->held_len == OUT_MAX)
        gw_block_unref(b);
    else
        p->held[p->held_len++] = b;
}

static void promises_act(struct promises *p)
{
    struct gw_reserve *r = &p->reserve[gw_prng_below(&p->prng, RESERVES)];
    uint32_t n = (uint32_t)gw_prng_below(&p->prng, 5);
    size_t room, sure;
    struct gw_block *b;
    switch (gw_prng_below(&p->prng, 6)) {
    case 0: {
        bool fits = n <= gw_pool_spare(&p->pool);
        ck_assert_int_eq(gw_reserve_grow(r, &p->pool, n), fits ? GW_OK : GW_ELIMIT);
        break;
    }
    case 1:
        gw_reserve_shrink(r, &p->pool, n);
        break;
    case 2: {
        bool is_sure = r->used < r->size;
        b = gw_block_take(&p->pool, r);
        ck_assert(b != NULL || !is_sure);
        if (b != NULL)
            promises_hold(p, b);
        break;
    }
    case 3: /* what it says it can surely hold, it can */
        sure = gw_reserve_room(r, &p->pool);
        b = gw_reserve_open(r, &p->pool, &room);
        ck_assert_int_eq(b != NULL, sure > 0);
        if (b == NULL)
            break;
        ck_assert_uint_le(room, sure);
        room = gw_prng_below(&p->prng, room + 1);
        gw_block_filled(b, (uint32_t)room);
        ck_assert_uint_eq(gw_reserve_room(r, &p->pool), sure - (b->refs == 1 ? 0 : room));
        if (room > 0)
            promises_hold(p, gw_block_ref(b));
        ck_assert_uint_eq(gw_reserve_room(r, &p->pool), sure - room);
        break;
    case 4:
        if (p->held_len > 0) {
            uint32_t i = (uint32_t)gw_prng_below(&p->prng, p->held_len);
            gw_block_unref(p->held[i]);
            p->held[i] = p->held[--p->held_len];
        }
        break;
    default:
        b = gw_block_take(&p->pool, NULL);
        if (b != NULL)
            promises_hold(p, b);
        break;
    }
    promises_check(p);
}

START_TEST(promises_are_kept)
{
    static struct promises p;
    struct test_alloc alloc;
    struct gw_heap heap;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        memset(&p, 0, sizeof p);
        p.prng.state = seed;
        gw_pool_init(&p.pool, &heap, BLOCK, POOL_MAX);
        for (int i = 0; i < 2000; i++)
            promises_act(&p);
        for (int i = 0; i < RESERVES; i++)
            gw_reserve_shrink(&p.reserve[i], &p.pool, 0);
        while (p.held_len > 0)
            gw_block_unref(p.held[--p.held_len]);
        gw_pool_fini(&p.pool);
    }
    ck_assert_uint_eq(heap.used, 0);
    test_alloc_fini(&alloc);
}
END_TEST

Suite *block_suite(void)
{
    Suite *suite = suite_create("block");
    check_add(suite, pool_caps_and_reuses);
    check_add(suite, promises_are_kept);
    check_add(suite, payload_is_exact);
    check_add(suite, lent_bytes);
    check_add(suite, block_without_a_pool);
    check_add(suite, pool_without_memory);
    return suite;
}

CHECK_MAIN(block_suite, chain_suite, pipe_suite)
