/* unit/chain_test.c: chains against byte arrays over all operations, with memory short at times;
 * and the promises that bytes alone do not show: what is joined, shared, copied, held. */

#include "buf_test.h"

enum { CHAINS = 3, LENT = 256 };
struct world {
    struct gw_prng prng;
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_chain chains[CHAINS];
    struct bytes models[CHAINS];
    struct gw_block *rx; /* as a link's: held, and filled over many steps */
    uint8_t lent[LENT];
    int lends, done;
    uint64_t failures;
};

static void world_init(struct world *w, uint64_t seed, uint32_t blocks_max)
{
    memset(w, 0, sizeof *w);
    w->prng.state = seed;
    test_alloc_init(&w->alloc);
    gw_heap_init(&w->heap, &w->alloc.allocator, 0);
    gw_pool_init(&w->pool, &w->heap, BLOCK, blocks_max);
    w->pool.lent_max = UINT32_MAX;
    for (int i = 0; i < CHAINS; i++)
        gw_chain_init(&w->chains[i], &w->pool);
    random_bytes(&w->prng, w->lent, LENT);
}

static void world_fini(struct world *w)
{
    for (int i = 0; i < CHAINS; i++)
        gw_chain_clear(&w->chains[i]);
    gw_block_unref(w->rx);
    gw_pool_run_done(&w->pool);
    ck_assert_int_eq(w->done, w->lends);
    ck_assert_uint_eq(w->pool.out, 0);
    gw_pool_fini(&w->pool);
    ck_assert_uint_eq(w->heap.used, 0);
    test_alloc_fini(&w->alloc);
}

static void world_compare(const struct world *w)
{
    for (int i = 0; i < CHAINS; i++)
        bytes_compare(&w->models[i], &w->chains[i]);
}

static size_t below(struct world *w, size_t n)
{
    return (size_t)gw_prng_below(&w->prng, n);
}

/* A refusal is believed only if memory was short. */
static bool went_in(struct world *w, bool did, uint64_t failed_before)
{
    if (did)
        return true;
    ck_assert(w->alloc.failed != failed_before || gw_pool_spare(&w->pool) < 5);
    w->failures++;
    return false;
}

static void do_write(struct world *w, int i)
{
    uint8_t bytes[4 * BLOCK];
    size_t len = below(w, 3) ? below(w, 12) : below(w, sizeof bytes);
    uint64_t failed = w->alloc.failed;
    random_bytes(&w->prng, bytes, len);
    if (went_in(w, gw_chain_write(&w->chains[i], bytes, len) == GW_OK, failed))
        bytes_add(&w->models[i], bytes, len);
}

static void do_reserve(struct world *w, int i)
{
    size_t len = below(w, BLOCK + 1), n = len == 0 ? 0 : below(w, len + 1);
    uint64_t failed = w->alloc.failed;
    uint8_t *place = gw_chain_reserve(&w->chains[i], len);
    if (!went_in(w, place != NULL, failed))
        return;
    random_bytes(&w->prng, place, len); /* all of it may be written */
    bytes_add(&w->models[i], place, n);
    gw_chain_commit(&w->chains[i], n);
}

static void do_lend(struct world *w, int i)
{
    size_t from = below(w, LENT), len = below(w, LENT - from + 1);
    uint64_t failed = w->alloc.failed;
    struct gw_block *b = gw_block_lend(&w->pool, (gw_const_span){ w->lent, LENT }, count_done,
                                       &w->done, NULL);
    if (!went_in(w, b != NULL, failed))
        return;
    w->lends++;
    if (went_in(w, gw_chain_append(&w->chains[i], b, b->bytes + from, len) == GW_OK, failed))
        bytes_add(&w->models[i], w->lent + from, len);
    gw_block_unref(b);
}

/* As a link receives: into the block that it holds, until that is full. */
static void do_receive(struct world *w, int i)
{
    uint64_t failed = w->alloc.failed;
    if (w->rx == NULL) {
        w->rx = gw_block_take(&w->pool, NULL);
        if (!went_in(w, w->rx != NULL, failed))
            return;
        w->rx->is_held = true;
    }
    uint32_t len = (uint32_t)below(w, w->rx->size - w->rx->used + 1u);
    uint8_t *place = w->rx->bytes + w->rx->used;
    random_bytes(&w->prng, place, len);
    gw_block_filled(w->rx, len);
    if (went_in(w, gw_chain_append(&w->chains[i], w->rx, place, len) == GW_OK, failed))
        bytes_add(&w->models[i], place, len);
    if (w->rx->used == w->rx->size || below(w, 8) == 0) {
        w->rx->is_held = false;
        gw_block_unref(w->rx);
        w->rx = NULL;
    }
}

static void do_move(struct world *w, int to, int from)
{
    size_t len = below(w, 2) ? below(w, w->models[from].len + 1) : 0;
    uint64_t failed = w->alloc.failed;
    if (below(w, 4) == 0) {
        len = w->models[from].len;
        gw_chain_move_all(&w->chains[to], &w->chains[from]);
    } else if (!went_in(w, gw_chain_move(&w->chains[to], &w->chains[from], len) == GW_OK, failed)) {
        return;
    }
    bytes_add(&w->models[to], w->models[from].at, len);
    bytes_drop(&w->models[from], len);
}

static void do_gather(struct world *w, int i)
{
    size_t most = w->models[i].len < BLOCK ? w->models[i].len : BLOCK, len = below(w, most + 1);
    uint64_t failed = w->alloc.failed;
    gw_const_span out;
    if (!went_in(w, gw_chain_gather(&w->chains[i], len, &out) == GW_OK, failed))
        return;
    ck_assert_uint_eq(out.len, len);
    ck_assert(len == 0 || memcmp(out.ptr, w->models[i].at, len) == 0);
    if (len > 0) {
        ck_assert_ptr_eq(out.ptr, gw_chain_front(&w->chains[i]).ptr);
        ck_assert_uint_le(len, gw_chain_front(&w->chains[i]).len);
    }
}

static void do_look(struct world *w, int i)
{
    gw_const_span spans[5];
    size_t max = below(w, 6), n = gw_chain_peek(&w->chains[i], spans, max), at = 0;
    ck_assert_uint_eq(n, w->chains[i].slices < max ? w->chains[i].slices : max);
    for (size_t s = 0; s < n; s++) {
        ck_assert(memcmp(spans[s].ptr, w->models[i].at + at, spans[s].len) == 0);
        at += spans[s].len;
    }
    ck_assert_uint_le(at, w->models[i].len);
    uint8_t out[100];
    size_t from = below(w, w->models[i].len + 10), want = below(w, sizeof out);
    size_t there = from < w->models[i].len ? w->models[i].len - from : 0;
    size_t got = gw_chain_read(&w->chains[i], from, out, want);
    ck_assert_uint_eq(got, want < there ? want : there);
    ck_assert(got == 0 || memcmp(out, w->models[i].at + from, got) == 0);
    ck_assert(gw_chain_is_empty(&w->chains[i]) == (w->models[i].len == 0));
}

static void do_one(struct world *w)
{
    int i = (int)below(w, CHAINS), other = (i + 1 + (int)below(w, CHAINS - 1)) % CHAINS;
    struct bytes *model = &w->models[i];
    size_t len;
    bool is_short = w->models[0].len + w->models[1].len + w->models[2].len < BYTES_MAX / 4;
    switch (is_short ? below(w, 14) : 8 + below(w, 6)) {
    case 0:
    case 1:
    case 2:
        do_write(w, i);
        break;
    case 3:
    case 4:
        do_reserve(w, i);
        break;
    case 5:
        do_lend(w, i);
        break;
    case 6:
    case 7:
        do_receive(w, i);
        break;
    case 8:
        do_move(w, i, other);
        break;
    case 9:
    case 10:
        len = below(w, model->len + 1);
        gw_chain_drop(&w->chains[i], len);
        bytes_drop(model, len);
        break;
    case 11:
        do_gather(w, i);
        break;
    case 12:
        gw_chain_settle(&w->chains[i]);
        break;
    default:
        do_look(w, i);
        if (below(w, 40) == 0) {
            gw_chain_clear(&w->chains[i]);
            model->len = 0;
        }
        break;
    }
}

START_TEST(chains_against_arrays)
{
    static struct world w;
    world_init(&w, (uint64_t)_i, _i % 2 ? 12 : 1000);
    for (int step = 0; step < 1500; step++) {
        do_one(&w);
        world_compare(&w);
    }
    if (_i % 2)
        ck_assert_uint_gt(w.failures, 0); /* the small pool did run out: the case is met */
    world_fini(&w);
}
END_TEST

/* Each allocation in turn is refused: the chain is as it was, the rest goes on, nothing leaks. */
START_TEST(chains_without_memory)
{
    static struct world w;
    for (uint64_t k = 1;; k++) {
        world_init(&w, (uint64_t)_i, 1000);
        w.alloc.fail_at = k;
        for (int step = 0; step < 150; step++) {
            do_one(&w);
            world_compare(&w);
        }
        uint64_t failed = w.alloc.failed;
        world_fini(&w);
        if (failed == 0)
            break;
        ck_assert_uint_lt(k, 1000);
    }
}
END_TEST

START_TEST(neighbours_are_joined)
{
    static struct world w;
    world_init(&w, 1, 8);
    struct gw_chain *a = &w.chains[0], *b = &w.chains[1];
    struct gw_block *block = gw_block_take(&w.pool, NULL);
    memcpy(block->bytes, "0123456789", 10);
    gw_block_filled(block, 10);
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes, 4), GW_OK);
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes + 4, 4), GW_OK);
    ck_assert_uint_eq(a->slices, 1);
    ck_assert_uint_eq(block->refs, 2); /* ours, and one for both views */
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes + 9, 1), GW_OK);
    ck_assert_uint_eq(a->slices, 2);
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes, 0), GW_OK);
    ck_assert_uint_eq(a->slices, 2);
    gw_chain_drop(a, 8);
    ck_assert_uint_eq(a->slices, 1);
    gw_chain_clear(a);
    /* Bytes that are moved piece by piece come out as one slice again, without a slice each. */
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes, 10), GW_OK);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(gw_chain_move(b, a, 1), GW_OK);
        ck_assert_uint_eq(b->slices, 1);
    }
    ck_assert_uint_eq(block->refs, 2);
    ck_assert_uint_eq(w.pool.slices.used, 1);
    /* So a split that joins needs no memory. */
    gw_chain_clear(b);
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes, 10), GW_OK);
    ck_assert_int_eq(gw_chain_move(b, a, 1), GW_OK);
    w.alloc.fail_from = 1;
    while (gw_chain_append(&w.chains[2], block, block->bytes, 1) == GW_OK)
        continue;
    ck_assert_int_eq(gw_chain_move(b, a, 1), GW_OK);
    ck_assert_int_eq(gw_chain_move(&w.chains[2], a, 1), GW_ENOMEM);
    w.alloc.fail_from = 0;
    gw_chain_clear(a);
    gw_chain_clear(&w.chains[2]);
    /* And a move of all joins at the seam. */
    gw_chain_clear(b);
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes, 5), GW_OK);
    ck_assert_int_eq(gw_chain_append(b, block, block->bytes + 5, 5), GW_OK);
    gw_chain_move_all(a, b);
    ck_assert_uint_eq(a->slices, 1);
    ck_assert_uint_eq(b->slices, 0);
    ck_assert_uint_eq(a->len, 10);
    gw_block_unref(block);
    world_fini(&w);
}
END_TEST

/* Two chains end in one block: the first to write goes on there, the other takes its own. */
START_TEST(shared_blocks_are_not_overwritten)
{
    static struct world w;
    world_init(&w, 1, 8);
    struct gw_chain *a = &w.chains[0], *b = &w.chains[1];
    ck_assert_int_eq(gw_chain_write(a, "same", 4), GW_OK);
    struct gw_block *block = a->first->block;
    ck_assert_int_eq(gw_chain_append(b, block, block->bytes, 4), GW_OK);
    ck_assert_int_eq(gw_chain_write(a, "-one", 4), GW_OK);
    ck_assert_uint_eq(a->slices, 1);
    ck_assert_int_eq(gw_chain_write(b, "-two", 4), GW_OK);
    ck_assert_uint_eq(b->slices, 2);
    bytes_add(&w.models[0], (const uint8_t *)"same-one", 8);
    bytes_add(&w.models[1], (const uint8_t *)"same-two", 8);
    world_compare(&w);
    /* Who holds a block is alone in filling it. */
    gw_chain_clear(a);
    gw_chain_clear(b);
    block = gw_block_take(&w.pool, NULL);
    block->is_held = true;
    memcpy(block->bytes, "rx", 2);
    gw_block_filled(block, 2);
    ck_assert_int_eq(gw_chain_append(a, block, block->bytes, 2), GW_OK);
    ck_assert_int_eq(gw_chain_write(a, "tail", 4), GW_OK);
    ck_assert_ptr_ne(gw_chain_reserve(a, 1), block->bytes + 2);
    gw_chain_commit(a, 0);
    ck_assert_uint_eq(block->used, 2);
    gw_block_unref(block);
    world_fini(&w);
}
END_TEST

START_TEST(reserve_and_commit)
{
    static struct world w;
    world_init(&w, 1, 3);
    struct gw_chain *c = &w.chains[0];
    ck_assert_ptr_nonnull(gw_chain_reserve(c, BLOCK));
    gw_chain_commit(c, 0);
    ck_assert(gw_chain_check(c)); /* nothing stays of a reserve that was not used */
    ck_assert_uint_eq(c->slices, 0);
    ck_assert_uint_eq(w.pool.out, 0);
    ck_assert_int_eq(gw_chain_write(c, "abc", 3), GW_OK);
    uint8_t *behind = gw_chain_reserve(c, BLOCK - 3);
    ck_assert_ptr_eq(behind, c->first->block->bytes + 3);
    gw_chain_commit(c, 0);
    ck_assert_uint_eq(c->slices, 1);
    ck_assert_ptr_nonnull(gw_chain_reserve(c, BLOCK - 2)); /* does not fit: a block of its own */
    gw_chain_commit(c, 0);
    ck_assert_uint_eq(c->slices, 1);
    ck_assert_ptr_nonnull(gw_chain_reserve(c, BLOCK));
    gw_chain_clear(c); /* also when it was not committed */
    ck_assert_uint_eq(w.pool.out, 0);
    world_fini(&w);
}
END_TEST

/* After the first round, neither blocks nor slices cost a call of the allocator. */
START_TEST(steady_state_does_not_allocate)
{
    static struct world w;
    uint8_t bytes[3 * BLOCK];
    uint64_t calls = 0;
    world_init(&w, 1, 100);
    random_bytes(&w.prng, bytes, sizeof bytes);
    for (int round = 0; round < 100; round++) {
        struct gw_chain *a = &w.chains[0], *b = &w.chains[1];
        for (int i = 0; i < 10; i++)
            ck_assert_int_eq(gw_chain_write(a, bytes, sizeof bytes - (size_t)i), GW_OK);
        for (int i = 0; i < 10; i++) {
            ck_assert_int_eq(gw_chain_move(b, a, 77), GW_OK);
            gw_chain_drop(b, 70);
        }
        gw_chain_settle(b);
        gw_chain_clear(a);
        gw_chain_clear(b);
        if (round == 0)
            calls = w.alloc.calls;
    }
    ck_assert_uint_eq(w.alloc.calls, calls);
    world_fini(&w);
}
END_TEST

START_TEST(settle_frees_big_blocks)
{
    static struct world w;
    world_init(&w, 1, 32);
    struct gw_chain *c = &w.chains[0];
    struct gw_block *blocks[12];
    for (int i = 0; i < 12; i++) {
        blocks[i] = gw_block_take(&w.pool, NULL);
        memset(blocks[i]->bytes, i, BLOCK);
        gw_block_filled(blocks[i], BLOCK);
        size_t len = i == 5 ? BLOCK / 8 : i == 6 ? BLOCK : 4; /* an eighth is enough to stay */
        ck_assert_int_eq(gw_chain_append(c, blocks[i], blocks[i]->bytes + BLOCK - len, len), GW_OK);
        bytes_add(&w.models[0], blocks[i]->bytes + BLOCK - len, len);
    }
    gw_chain_settle(c);
    world_compare(&w);
    ck_assert_uint_eq(c->slices, 4); /* five in one, the two that stay, five in one */
    for (int i = 0; i < 12; i++)
        ck_assert_uint_eq(blocks[i]->refs, i == 5 || i == 6 ? 2 : 1);
    ck_assert_uint_eq(w.pool.out, 13); /* and one new block for all ten */
    /* Settled is settled: a second time nothing is copied. */
    const void *front = gw_chain_front(c).ptr;
    gw_chain_settle(c);
    ck_assert_ptr_eq(gw_chain_front(c).ptr, front);
    ck_assert_uint_eq(w.pool.out, 13);
    /* New small ones go on in the same block. */
    ck_assert_int_eq(gw_chain_append(c, blocks[0], blocks[0]->bytes, 4), GW_OK);
    bytes_add(&w.models[0], blocks[0]->bytes, 4);
    gw_chain_settle(c);
    world_compare(&w);
    ck_assert_uint_eq(c->slices, 4);
    ck_assert_uint_eq(w.pool.out, 13);
    for (int i = 0; i < 12; i++)
        gw_block_unref(blocks[i]);
    ck_assert_uint_eq(w.pool.out, 3);
    world_fini(&w);
}
END_TEST

/* A small slice that is the only one of its block needs no copy: its block takes the next ones. */
START_TEST(settle_adopts_a_block)
{
    static struct world w;
    world_init(&w, 1, 2);
    struct gw_chain *c = &w.chains[0];
    for (int i = 0; i < 2; i++) {
        struct gw_block *b = gw_block_take(&w.pool, NULL);
        memset(b->bytes, 'a' + i, BLOCK);
        gw_block_filled(b, BLOCK);
        ck_assert_int_eq(gw_chain_append(c, b, b->bytes + 3, 5), GW_OK);
        bytes_add(&w.models[0], b->bytes + 3, 5);
        gw_block_unref(b);
    }
    const void *front = gw_chain_front(c).ptr;
    gw_chain_settle(c); /* the pool is empty, and still */
    world_compare(&w);
    ck_assert_ptr_eq(gw_chain_front(c).ptr, front);
    ck_assert_uint_eq(c->slices, 1);
    ck_assert_uint_eq(w.pool.out, 1);
    world_fini(&w);
}
END_TEST

START_TEST(settle_without_memory)
{
    static struct world w;
    world_init(&w, 1, 1);
    struct gw_chain *c = &w.chains[0];
    struct gw_block *b = gw_block_take(&w.pool, NULL);
    memset(b->bytes, 'x', BLOCK);
    gw_block_filled(b, BLOCK);
    ck_assert_int_eq(gw_chain_append(c, b, b->bytes, 2), GW_OK);
    gw_chain_settle(c);
    ck_assert_ptr_eq(gw_chain_front(c).ptr, b->bytes);
    ck_assert(gw_chain_check(c));
    gw_block_unref(b);
    world_fini(&w);
}
END_TEST

START_TEST(gather_copies_only_if_it_must)
{
    static struct world w;
    world_init(&w, 1, 4);
    struct gw_chain *c = &w.chains[0];
    gw_const_span out;
    ck_assert_int_eq(gw_chain_gather(c, 0, &out), GW_OK);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_int_eq(gw_chain_write(c, "abcdef", 6), GW_OK);
    ck_assert_int_eq(gw_chain_gather(c, 4, &out), GW_OK);
    ck_assert_ptr_eq(out.ptr, c->first->block->bytes);
    const void *front = out.ptr;
    /* The second slice is copied behind the first, where that has room. */
    struct gw_block *b = gw_block_take(&w.pool, NULL);
    memcpy(b->bytes, "ghijkl", 6);
    gw_block_filled(b, 6);
    ck_assert_int_eq(gw_chain_append(c, b, b->bytes, 6), GW_OK);
    ck_assert_int_eq(gw_chain_gather(c, 9, &out), GW_OK);
    ck_assert_ptr_eq(out.ptr, front);
    ck_assert_uint_eq(w.pool.out, 2);
    bytes_add(&w.models[0], (const uint8_t *)"abcdefghijkl", 12);
    world_compare(&w);
    gw_block_unref(b);
    world_fini(&w);
}
END_TEST

Suite *chain_suite(void)
{
    Suite *suite = suite_create("chain");
    check_add_loop(suite, chains_against_arrays, 0, 40);
    check_add_loop(suite, chains_without_memory, 0, 6);
    check_add(suite, neighbours_are_joined);
    check_add(suite, shared_blocks_are_not_overwritten);
    check_add(suite, reserve_and_commit);
    check_add(suite, steady_state_does_not_allocate);
    check_add(suite, settle_frees_big_blocks);
    check_add(suite, settle_adopts_a_block);
    check_add(suite, settle_without_memory);
    check_add(suite, gather_copies_only_if_it_must);
    return suite;
}
