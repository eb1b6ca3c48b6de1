/* unit/engines_test.c: two engines in one process do not know of each other, and a worker may have an
 * allocator of its own. What one engine does, to the byte, the call of its allocator and the number of
 * each statistic, is the same whether or not another one fails at everything beside it. */

#include <gw/stats.h>

#include "check_main.h"
#include "gw_features.h"
#include "parts.h"

enum { ROUNDS = 40, STATS_MAX = 64 };

static struct mode1 good, bad;
static int bad_ends, bad_lines;

static gw_verdict cut_off(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    return GW_ABORT;
}

static void see_end(void *ctx, const gw_exchange *x)
{
    ck_assert_ptr_eq(ctx, &bad);
    ck_assert_ptr_eq(gw_exchange_worker(x), bad.worker);
    bad_ends++;
}

static void see_line(void *ctx, uint32_t level, const char *event, const char *text)
{
    (void)level;
    (void)event;
    (void)text;
    ck_assert_ptr_eq(ctx, &bad);
    bad_lines++;
}

/* Of both the same names. */
static gw_config *make_config(struct mode1 *h, const char *said)
{
    gw_builder *b = parts_begin(h);
    gw_route_spec hello = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);

    listener.name = gw_cstr("edge");
    listener.via = gw_cstr("engine"); /* not drawn */
    ck_assert_uint_ne(gw_builder_listener(b, &listener), 0);
    parts_cluster(b, "web", NULL, h == &good ? "127.0.0.1:81" : "127.0.0.1:82");
    parts_route(b, "/", NULL, "web");
    hello.reply_code = 200;
    hello.reply_body = gw_cstr(said);
    parts_route(b, "/hello", &hello, NULL);
    filter.name = "filter";
    filter.ctx = h;
    filter.on_end = h == &bad ? see_end : NULL;
    filter.on_request = h == &bad ? cut_off : NULL;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    return parts_build(b);
}

static void begin(struct mode1 *h, const char *said, const gw_limits *limits)
{
    memset(h, 0, sizeof *h);
    test_alloc_init(&h->alloc);
    if (h == &bad) {
        h->log = see_line;
        h->log_ctx = h;
        h->log_level = GW_LOG_DEBUG;
    }
    mode1_start(h, make_config(h, said), limits);
}

/* ---- the good one ---- */

struct record {
    uint64_t calls, bytes, peak, said, stats[STATS_MAX];
};

/* FNV-1a: of all that was sent. */
static void add_said(struct record *r, const struct mode1_link *l)
{
    for (size_t i = 0; i < l->out_len; i++)
        r->said = (r->said ^ (unsigned char)l->out[i]) * 1099511628211u;
}

static void ask(struct mode1_link *client, const char *path)
{
    char text[128];

    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    mode1_clear(client);
    mode1_say(&good, client, text);
}

static void serve(struct mode1_link *client, struct record *r)
{
    struct mode1_link *up;

    ask(client, "/hello");
    ck_assert_ptr_nonnull(strstr(client->out, "\r\n\r\ngood\n"));
    add_said(r, client);
    ask(client, "/x");
    up = mode1_upstream(&good);
    ck_assert_ptr_nonnull(strstr(up->out, "GET /x HTTP/1.1\r\n"));
    add_said(r, up);
    mode1_clear(up);
    mode1_say(&good, up, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    ck_assert_ptr_nonnull(strstr(client->out, "\r\n\r\nyes"));
    add_said(r, client);
    r->peak = good.alloc.bytes > r->peak ? good.alloc.bytes : r->peak;
    good.now += 1000000;
}

static void serve_h2(struct record *r)
{
    static const char get[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                              "\0\0\x0a\1\5\0\0\0\1\x82\x86\x41\1\x61\x04\3/he";
    struct mode1_link *client;

    if (!GW_HAVE_H2)
        return;
    client = mode1_accept(&good, "edge");
    mode1_feed(&good, client, get, sizeof get - 1, 0);
    ck_assert_uint_gt(client->out_len, 9);
    add_said(r, client);
    gw_link_closed(client->link);
    client->link = NULL;
    mode1_pump(&good);
}

/* ---- the bad one: nothing that it is given can be had ---- */

static void go_wrong(int round)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_link *link = NULL;
    struct mode1_link *client;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config;

    test_alloc_restart(&bad.alloc);
    bad.alloc.fail_from = round % 3 == 0 ? 1 : 0;
    bad.refuse = true;
    accept.listener = gw_cstr(round % 5 == 0 ? "nobody" : "edge");
    if (gw_worker_accept(bad.worker, &accept, &link) == GW_OK) {
        client = mode1_find(&bad, link);
        mode1_say(&bad, client,
                  round % 2 == 0 ? "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" : "\1\2\3\r\n\r\n");
        if (client->link != NULL) {
            gw_link_received(client->link, SIZE_MAX, GW_OK); /* what cannot be */
            mode1_pump(&bad);
        }
    }
    bad.alloc.fail_from = 0;
    if (round % 7 == 0) { /* a configuration that it cannot have */
        config = make_config(&bad, "other\n");
        bad.alloc.fail_from = 1;
        ck_assert_int_eq(gw_engine_apply(bad.engine, config, &err), GW_ENOMEM);
        bad.alloc.fail_from = 0;
        gw_config_unref(config);
    }
    bad.now += 60000000000u;
}

/* ---- */

static void run(struct record *r, bool has_bad)
{
    gw_limits narrow = GW_SPEC(gw_limits);
    struct mode1_link *client;

    memset(r, 0, sizeof *r);
    narrow.links_max = 8;
    narrow.exchanges_max = 1;
    narrow.block_bytes = 1024;
    narrow.head_bytes_max = 1024;
    narrow.fields_max = 3;
    if (has_bad)
        begin(&bad, "bad\n", &narrow);
    begin(&good, "good\n", NULL);
    client = mode1_accept(&good, "edge");
    for (int round = 0; round < ROUNDS; round++) {
        if (has_bad && round < ROUNDS / 2)
            go_wrong(round);
        else if (has_bad && round == ROUNDS / 2)
            mode1_stop(&bad); /* and is gone */
        serve(client, r);
        serve_h2(r);
    }
    (void)gw_stats_read(good.worker, r->stats, STATS_MAX);
    r->calls = good.alloc.calls;
    r->bytes = good.alloc.bytes;
    mode1_stop(&good);
}

START_TEST(two_engines_do_not_know_of_each_other)
{
    static struct record alone, beside;

    bad_ends = bad_lines = 0;
    run(&alone, false);
    run(&beside, true);
    ck_assert_int_gt(bad_ends, 2);
    ck_assert_int_gt(bad_lines, 2);
    ck_assert_uint_gt(alone.calls, 10);
    ck_assert_uint_eq(alone.said, beside.said);
    ck_assert_uint_eq(alone.calls, beside.calls);
    ck_assert_uint_eq(alone.bytes, beside.bytes);
    ck_assert_uint_eq(alone.peak, beside.peak);
    ck_assert_mem_eq(alone.stats, beside.stats, sizeof alone.stats);
}
END_TEST

/* ---- a worker's own allocator ---- */

START_TEST(a_worker_with_its_own_allocator)
{
    struct test_alloc own;
    gw_allocator half;
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_worker *w = NULL;
    struct mode1_link *client;
    struct record r;
    uint64_t shared;

    begin(&good, "good\n", NULL);
    gw_worker_free(good.worker);
    test_alloc_init(&own);
    half = own.allocator;
    half.release = NULL;
    spec.allocator = &half;
    spec.seed = 1;
    ck_assert_int_eq(gw_worker_new(good.engine, &spec, &w), GW_EINVAL);
    half = (gw_allocator){ NULL, NULL, own.allocator.release };
    ck_assert_int_eq(gw_worker_new(good.engine, &spec, &w), GW_EINVAL);
    spec.allocator = &own.allocator;
    own.fail_at = 1;
    ck_assert_int_eq(gw_worker_new(good.engine, &spec, &w), GW_ENOMEM);
    ck_assert_uint_eq(own.live, 0);
    shared = good.alloc.calls;
    good.alloc.fail_from = shared + 1; /* nothing of it is needed */
    ck_assert_int_eq(gw_worker_new(good.engine, &spec, &good.worker), GW_OK);
    client = mode1_accept(&good, "edge");
    memset(&r, 0, sizeof r);
    serve(client, &r);
    serve_h2(&r);
    ck_assert_uint_gt(own.calls, 10);
    ck_assert_uint_eq(good.alloc.calls, shared);
    /* Configurations come from who applies them, and go over. */
    good.alloc.fail_from = 0;
    parts_apply(&good, make_config(&good, "good\n"));
    serve(client, &r);
    gw_worker_free(good.worker);
    good.worker = NULL;
    test_alloc_fini(&own);
    mode1_stop(&good);
}
END_TEST

static Suite *engines_suite(void)
{
    Suite *suite = suite_create("engines");

    check_add(suite, two_engines_do_not_know_of_each_other);
    check_add(suite, a_worker_with_its_own_allocator);
    return suite;
}

CHECK_MAIN(engines_suite)
