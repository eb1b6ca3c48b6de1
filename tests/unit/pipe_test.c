/* unit/pipe_test.c: a pipe against bytes and two counts. */

#include "buf_test.h"

#include "buf/pipe.h"

enum { SIZE = 5 * BLOCK };
struct world {
    struct gw_prng prng;
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_pipe pipe;
    struct gw_chain in, out;
    struct bytes model, in_model, out_model;
    uint64_t bytes_in, bytes_out;
    bool is_ended, is_cut;
};

static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->prng.state = seed;
    test_alloc_init(&w->alloc);
    gw_heap_init(&w->heap, &w->alloc.allocator, 0);
    gw_pool_init(&w->pool, &w->heap, BLOCK, 40);
    gw_pipe_init(&w->pipe, &w->pool, SIZE);
    gw_chain_init(&w->in, &w->pool);
    gw_chain_init(&w->out, &w->pool);
}

static void world_fini(struct world *w)
{
    gw_pipe_fini(&w->pipe);
    gw_chain_clear(&w->in);
    gw_chain_clear(&w->out);
    gw_pool_fini(&w->pool);
    test_alloc_fini(&w->alloc);
}

static void world_compare(const struct world *w)
{
    const struct gw_pipe *p = &w->pipe;
    gw_const_span span;
    bool is_open = !w->is_ended && !w->is_cut;
    size_t room = is_open && w->model.len < SIZE ? SIZE - w->model.len : 0;
    bytes_compare(&w->model, &p->chain);
    bytes_compare(&w->in_model, &w->in);
    bytes_compare(&w->out_model, &w->out);
    ck_assert_uint_eq(p->bytes_in, w->bytes_in);
    ck_assert_uint_eq(p->bytes_out, w->bytes_out);
    ck_assert_uint_eq(gw_pipe_len(p), w->model.len);
    ck_assert_uint_eq(gw_pipe_room(p), room);
    ck_assert(gw_pipe_is_last(p) == w->is_ended);
    ck_assert(gw_pipe_is_done(p) == (w->is_ended && w->model.len == 0));
    ck_assert_uint_eq(gw_pipe_peek(p, &span, 1), w->model.len > 0);
    if (w->model.len > 0)
        ck_assert(memcmp(span.ptr, w->model.at, span.len) == 0);
}

static size_t below(struct world *w, size_t n)
{
    return (size_t)gw_prng_below(&w->prng, n);
}

/* Something to push: the source has read it. */
static void feed(struct world *w)
{
    uint8_t bytes[2 * BLOCK];
    size_t len = below(w, sizeof bytes);
    random_bytes(&w->prng, bytes, len);
    if (w->in.len < SIZE && gw_chain_write(&w->in, bytes, len) == GW_OK)
        bytes_add(&w->in_model, bytes, len);
}

static void push(struct world *w)
{
    size_t room = gw_pipe_room(&w->pipe), most = room < w->in.len ? room : w->in.len;
    size_t len = w->is_cut ? below(w, w->in.len + 1) : below(w, most + 1), n;
    if (w->is_ended || gw_pipe_push(&w->pipe, &w->in, len, &n) != GW_OK)
        return;
    ck_assert_uint_eq(n, len); /* nothing of it is somebody's reserve */
    if (!w->is_cut) {          /* else it was dropped */
        bytes_add(&w->model, w->in_model.at, len);
        w->bytes_in += len;
    }
    bytes_drop(&w->in_model, len);
}

static void push_view(struct world *w)
{
    struct gw_block *b = gw_block_take(&w->pool, NULL);
    if (b == NULL)
        return;
    random_bytes(&w->prng, b->bytes, BLOCK);
    gw_block_filled(b, BLOCK);
    size_t len = below(w, BLOCK + 1), n;
    if (!w->is_ended && gw_pipe_push_view(&w->pipe, b, b->bytes, len, &n) == GW_OK && !w->is_cut) {
        bytes_add(&w->model, b->bytes, len);
        w->bytes_in += len;
    }
    gw_block_unref(b);
}

static void write_some(struct world *w)
{
    uint8_t bytes[SIZE + BLOCK];
    size_t len = below(w, 3) ? below(w, 20) : below(w, sizeof bytes), room = gw_pipe_room(&w->pipe);
    uint64_t failed = w->alloc.failed;
    random_bytes(&w->prng, bytes, len);
    size_t n = gw_pipe_write(&w->pipe, bytes, len);
    ck_assert_uint_le(n, len < room ? len : room);
    if (w->alloc.failed == failed && gw_pool_spare(&w->pool) > 0)
        ck_assert_uint_eq(n, len < room ? len : room);
    bytes_add(&w->model, bytes, n);
    w->bytes_in += n;
}

static void take_some(struct world *w)
{
    size_t len = below(w, w->model.len + 1);
    if (gw_pipe_take(&w->pipe, &w->out, len) != GW_OK)
        return;
    bytes_add(&w->out_model, w->model.at, len);
    bytes_drop(&w->model, len);
    w->bytes_out += len;
}

static void drop_some(struct world *w)
{
    size_t len = below(w, w->model.len + 3);
    gw_status status = gw_pipe_drop(&w->pipe, len);
    ck_assert_int_eq(status, len > w->model.len ? GW_EINVAL : GW_OK);
    if (status != GW_OK)
        return;
    bytes_drop(&w->model, len);
    w->bytes_out += len;
}

static void do_one(struct world *w)
{
    switch (below(w, 12)) {
    case 0:
    case 1:
        feed(w);
        break;
    case 2:
    case 3:
        push(w);
        break;
    case 4:
        if (gw_pipe_len(&w->pipe) < SIZE)
            push_view(w);
        break;
    case 5:
        write_some(w);
        break;
    case 6:
    case 7:
        take_some(w);
        break;
    case 8:
        drop_some(w);
        break;
    case 9:
    case 10: /* the target writes away */
        gw_chain_clear(&w->out);
        w->out_model.len = 0;
        break;
    default:
        if (below(w, 20) == 0) {
            ck_assert_int_eq(gw_pipe_end(&w->pipe), w->is_ended || w->is_cut ? GW_ESTATE : GW_OK);
            w->is_ended = w->is_ended || !w->is_cut;
        } else if (below(w, 30) == 0) {
            gw_pipe_cut(&w->pipe);
            w->is_cut = true;
            w->model.len = 0;
        }
        break;
    }
}

START_TEST(pipe_against_bytes)
{
    static struct world w;
    world_init(&w, (uint64_t)_i);
    for (int step = 0; step < 600; step++) {
        do_one(&w);
        world_compare(&w);
    }
    world_fini(&w);
}
END_TEST

START_TEST(pipe_without_memory)
{
    static struct world w;
    for (uint64_t k = 1;; k++) {
        world_init(&w, (uint64_t)_i);
        w.alloc.fail_at = k;
        for (int step = 0; step < 100; step++) {
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

/* A source that was armed with room may bring a block that it did not know the length of. */
START_TEST(pipe_may_be_passed_once)
{
    static struct world w;
    uint8_t bytes[SIZE] = { 0 };
    size_t n;
    world_init(&w, 1);
    ck_assert_uint_eq(gw_pipe_write(&w.pipe, bytes, SIZE - 1), SIZE - 1);
    ck_assert_int_eq(gw_chain_write(&w.in, bytes, BLOCK), GW_OK);
    ck_assert_int_eq(gw_pipe_push(&w.pipe, &w.in, BLOCK, &n), GW_OK);
    ck_assert_uint_eq(gw_pipe_len(&w.pipe), SIZE - 1 + BLOCK);
    ck_assert_uint_eq(gw_pipe_room(&w.pipe), 0);
    ck_assert_uint_eq(gw_pipe_write(&w.pipe, bytes, 1), 0);
    ck_assert_int_eq(gw_pipe_drop(&w.pipe, BLOCK), GW_OK);
    ck_assert_uint_eq(gw_pipe_room(&w.pipe), 1);
    world_fini(&w);
}
END_TEST

/* Cut is not ended: nobody may take what was cut for a whole body. */
START_TEST(cut_is_not_done)
{
    static struct world w;
    world_init(&w, 1);
    ck_assert_uint_eq(gw_pipe_write(&w.pipe, "half", 4), 4);
    gw_pipe_cut(&w.pipe);
    ck_assert_uint_eq(gw_pipe_len(&w.pipe), 0);
    ck_assert(!gw_pipe_is_done(&w.pipe));
    ck_assert(!gw_pipe_is_last(&w.pipe));
    ck_assert_int_eq(gw_pipe_end(&w.pipe), GW_ESTATE);
    world_fini(&w);
}
END_TEST

/* What is put back is taken again, once, and counted once. */
START_TEST(what_is_put_back_comes_first)
{
    static struct world w;
    char seen[8] = { 0 };
    world_init(&w, 1);
    ck_assert_uint_eq(gw_pipe_put(&w.pipe, "abcdef", 6), 6);
    for (int round = 0; round < 3; round++) {
        size_t n = 2 + (size_t)round; /* further each time */
        ck_assert_int_eq(gw_pipe_take(&w.pipe, &w.out, n), GW_OK);
        ck_assert_uint_eq(w.pipe.bytes_out, n);
        ck_assert_uint_eq(gw_pipe_at(&w.pipe), n);
        ck_assert_int_eq(gw_pipe_put_back(&w.pipe, "abcdef", n), GW_OK);
        ck_assert_uint_eq(gw_pipe_at(&w.pipe), 0);
        ck_assert_uint_eq(gw_pipe_len(&w.pipe), 6);
    }
    ck_assert_uint_eq(gw_chain_read(&w.pipe.chain, 0, seen, 8), 6);
    ck_assert_str_eq(seen, "abcdef");
    gw_pipe_skip(&w.pipe, 5);
    ck_assert_uint_eq(w.pipe.bytes_out, 5);
    struct gw_block *all[64];
    int blocks = 0;
    while ((all[blocks] = gw_block_take(&w.pool, NULL)) != NULL)
        blocks++;
    ck_assert_int_eq(gw_pipe_put_back(&w.pipe, "abcde", 5), GW_ENOMEM); /* nothing has changed */
    ck_assert_uint_eq(gw_pipe_len(&w.pipe), 1);
    ck_assert_uint_eq(gw_pipe_at(&w.pipe), 5);
    while (blocks > 0)
        gw_block_unref(all[--blocks]);
    gw_pipe_reset(&w.pipe);
    ck_assert_uint_eq(gw_pipe_len(&w.pipe) + w.pipe.bytes_out + w.pipe.bytes_in + w.pipe.again, 0);
    world_fini(&w);
}
END_TEST

/* What a hook does after it was refused does not make it unsaid. */
START_TEST(refused_until_asked)
{
    static struct world w;
    struct gw_block *all[64];
    int blocks = 0;
    world_init(&w, 1);
    for (int i = 0; i < 4; i++) {
        while ((all[blocks] = gw_block_take(&w.pool, NULL)) != NULL)
            blocks++;
        ck_assert_uint_eq(gw_pipe_write(&w.pipe, "abcdef", 6), 0);
        while (blocks > 0)
            gw_block_unref(all[--blocks]);
        if (i == 0)
            ck_assert_uint_eq(gw_pipe_write(&w.pipe, "a", 0), 0);
        else if (i == 1)
            ck_assert_uint_eq(gw_pipe_write(&w.pipe, "a", 1), 1);
        else if (i == 2)
            ck_assert_int_eq(gw_pipe_lend(&w.pipe, (gw_const_span){ "lent", 4 }, NULL, NULL, NULL),
                             GW_OK);
        else
            gw_pipe_reset(&w.pipe);
        ck_assert(gw_pipe_was_refused(&w.pipe) == (i < 3));
        ck_assert(!gw_pipe_was_refused(&w.pipe));
        gw_pipe_reset(&w.pipe);
    }
    world_fini(&w);
}
END_TEST

Suite *pipe_suite(void)
{
    Suite *suite = suite_create("pipe");
    check_add(suite, refused_until_asked);
    check_add_loop(suite, pipe_against_bytes, 0, 60);
    check_add_loop(suite, pipe_without_memory, 0, 6);
    check_add(suite, pipe_may_be_passed_once);
    check_add(suite, cut_is_not_done);
    check_add(suite, what_is_put_back_comes_first);
    return suite;
}
