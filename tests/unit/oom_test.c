/* unit/oom_test.c: memory that is refused, at every place: nothing is lost that could be kept, what
 * cannot go on ends with its reason, nothing leaks. And how little is needed. */

#include "h1_test.h"

#define REQUESTS                                                                                   \
    "POST /%41 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "                                         \
    "chunked\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n"                                                    \
    "0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"

/* What was understood is a begin of what would have been understood, up to where it broke off. */
static void check_prefix(const struct world *w, const struct world *whole)
{
    size_t n = 0;
    while (w->log.at[n] != '\0' && w->log.at[n] == whole->log.at[n])
        n++;
    const char *rest = w->log.at + n;
    ck_assert_msg(*rest == '\0' || strstr(rest, "CUT no_memory") != NULL, "%s", w->log.at);
}

static void play(struct world *w, uint64_t fail_at, uint64_t fail_from, uint32_t blocks_max,
                 size_t piece)
{
    world_init_sized(w, false, 1024, blocks_max);
    w->alloc.fail_at = fail_at;
    w->alloc.fail_from = fail_from;
    test_alloc_restart(&w->alloc);
    w->alloc.fail_at = fail_at;
    w->alloc.fail_from = fail_from;
    world_feed(w, REQUESTS, strlen(REQUESTS), piece);
}

START_TEST(refused_once)
{
    struct world whole;
    play(&whole, 0, 0, 256, 7);
    for (uint64_t k = 1;; k++) {
        struct world w;
        play(&w, k, 0, 256, 7);
        bool was_reached = w.alloc.failed > 0;
        w.alloc.fail_at = 0;
        world_run(&w);
        check_prefix(&w, &whole);
        world_fini(&w);
        if (!was_reached)
            break;
    }
    world_fini(&whole);
}
END_TEST

START_TEST(refused_from)
{
    struct world whole;
    play(&whole, 0, 0, 256, 7);
    for (uint64_t k = 1;; k++) {
        struct world w;
        play(&w, 0, k, 256, 7);
        bool was_reached = w.alloc.failed > 0;
        check_prefix(&w, &whole);
        world_fini(&w);
        if (!was_reached)
            break;
    }
    world_fini(&whole);
}
END_TEST

/* A pool of few blocks. */
START_TEST(small_pool)
{
    struct world whole;
    play(&whole, 0, 0, 256, 7);
    for (uint32_t blocks = 1; blocks < 8; blocks++) {
        struct world w;
        play(&w, 0, 0, blocks, 7);
        check_prefix(&w, &whole);
        world_fini(&w);
    }
    world_fini(&whole);
}
END_TEST

/* When memory comes back, what waited goes on: nothing was lost, nothing came twice. */
START_TEST(writing_goes_on)
{
    for (uint64_t k = 1; k < 40; k++) {
        struct world w;
        world_init(&w, false);
        w.is_manual = true;
        static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        world_feed(&w, get, strlen(get), 0);
        struct pair *p = &w.pair;
        p->out_head.body = GW_BODY_UNKNOWN;
        p->stream.out_trailers = &p->out_trailers;
        must(gw_fields_add_copy(&p->out_trailers.fields, GW_STR("T"), GW_STR("u")));
        world_respond(&w, 200, NULL);
        for (int i = 0; i < 6; i++) { /* full blocks: nothing can be written behind them */
            struct gw_block *b = gw_block_take(&w.pool, NULL);
            size_t n;
            memset(b->bytes, 'a' + i, b->size);
            gw_block_filled(b, b->size);
            must(gw_pipe_push_view(&p->out_pipe, b, b->bytes, b->size, &n));
            gw_block_unref(b);
        }
        must(gw_pipe_end(&p->out_pipe));
        test_alloc_restart(&w.alloc);
        w.alloc.fail_at = k;
        /* A cap that moves: every third try there is a block more. */
        uint32_t blocks_max = w.pool.out;
        for (int turn = 0; turn < 200 && p->stream.out != GW_HALF_DONE; turn++) {
            w.pool.blocks_max = blocks_max + (turn % 3 == 2);
            world_write(&w);
        }
        ck_assert_uint_eq(p->stream.out, GW_HALF_DONE);
        struct text want = { NULL, 0, 0 };
        text_puts(&want, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        ck_assert_uint_gt(w.sent.len, want.len + 6 * 1024);
        /* Read back by the other role. */
        struct world reader;
        world_init(&reader, true);
        pair_init(&reader);
        reader.pair.out_head.kind = GW_MESSAGE_REQUEST;
        reader.pair.out_head.method_text = GW_STR("GET");
        reader.pair.out_head.authority = reader.pair.out_head.path = GW_STR("/");
        reader.pair.stream.out_head = &reader.pair.out_head;
        reader.pair.stream.out = GW_HALF_HEAD;
        must(reader.codec->ops->open(reader.codec, &reader.pair.stream));
        world_run(&reader);
        world_feed(&reader, w.sent.at, w.sent.len, 0);
        ck_assert_uint_eq(reader.pair.stream.in, GW_HALF_DONE);
        ck_assert_uint_eq(reader.pair.in_pipe.bytes_in, 6 * 1024);
        ck_assert_ptr_nonnull(strstr(reader.log.at, "] trailers T=u end"));
        world_fini(&reader);
        world_fini(&w);
        free(want.at);
    }
}
END_TEST

START_TEST(no_codec)
{
    struct world w;
    test_alloc_init(&w.alloc);
    gw_heap_init(&w.heap, &w.alloc.allocator, 0);
    gw_pool_init(&w.pool, &w.heap, 1024, 4);
    w.alloc.fail_from = 1;
    const struct gw_codec_spec spec = { &w.heap, &w.pool, &w.owner, &w.limits, false };
    ck_assert_ptr_null(gw_h1_new(&spec));
    gw_pool_fini(&w.pool);
    test_alloc_fini(&w.alloc);
}
END_TEST

/* After the first requests the allocator is not asked again, and an idle connection holds nothing
 * but its codec. */
START_TEST(steady_state)
{
    static char cell[8192];
    struct world w;
    static const char get[] = "GET /a/b?c=d HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX: y\r\n\r\n";
    world_init(&w, false);
    w.is_manual = true;
    uint64_t calls = 0;
    for (int i = 0; i < 100; i++) {
        if (i == 10)
            calls = w.alloc.calls;
        must(gw_chain_write(&w.rx, get, strlen(get)));
        must(w.codec->ops->read(w.codec, &w.rx, 0));
        ck_assert_uint_eq(w.pair.stream.in, GW_HALF_DONE);
        world_respond(&w, 200, "hello");
        must(w.codec->ops->write(w.codec, &w.tx, 4096, 0));
        gw_chain_clear(&w.tx);
        world_detach(&w);
        ck_assert_uint_eq(w.pool.out, 0);
    }
    /* The arena's chunks of this test are the only thing asked for, one a request. */
    ck_assert_uint_eq(w.alloc.calls - calls, 90);
    ck_assert_uint_le(w.heap.used - w.pool.made * 1024u, 8192);
    world_fini(&w);
    (void)cell;
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    check_add(suite, refused_once);
    check_add(suite, refused_from);
    check_add(suite, small_pool);
    check_add(suite, writing_goes_on);
    check_add(suite, no_codec);
    check_add(suite, steady_state);
    return suite;
}
