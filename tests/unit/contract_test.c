/* unit/contract_test.c: hosts that break the contract, or meet its edges: each call answers, and nothing
 * that a host does makes memory grow, loses bytes or ends the process. */

#include "check_main.h"
#include "gw_features.h"
#include "parts.h"
#include "worker_suites.h"

static struct mode1 host;

static const char get_hello[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

static void add_hello(gw_builder *b)
{
    gw_route_spec hello = GW_SPEC(gw_route_spec);

    hello.reply_code = 200;
    hello.reply_body = gw_cstr("hello\n");
    parts_route(b, "/hello", &hello, NULL);
}

/* /hello is answered; all else goes to an upstream. */
static gw_config *plain_config(void)
{
    gw_builder *b = parts_begin(&host);

    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    parts_route(b, "/", NULL, "web");
    add_hello(b);
    return parts_build(b);
}

static void start_plain(const gw_limits *limits)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    mode1_start(&host, plain_config(), limits);
}

/* ---- making workers ---- */

/* With HTTP/2 or not at all. */
START_TEST(a_worker_without_memory_is_none)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_worker *w = NULL;
    uint64_t k = 0;

    start_plain(NULL);
    gw_worker_free(host.worker);
    for (bool was_refused = true; was_refused;) {
        gw_status status;
        test_alloc_restart(&host.alloc);
        host.alloc.fail_at = ++k;
        status = gw_worker_new(host.engine, &spec, &w);
        was_refused = host.alloc.failed > 0;
        ck_assert_int_eq(status, was_refused ? GW_ENOMEM : GW_OK);
    }
    ck_assert_uint_gt(k, GW_HAVE_H2 ? 3 : 2);
    host.worker = w;
    mode1_stop(&host);
}
END_TEST

/* ---- memory of hooks ---- */

static gw_verdict go_on(void *ctx, gw_exchange *x)
{
    (void)ctx;
    ck_assert_ptr_nonnull(gw_exchange_memory(x));
    return GW_NEXT;
}

static gw_config *hungry_config(uint32_t first, uint32_t second, uint32_t origin_bytes)
{
    gw_builder *b = parts_begin(&host);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);

    parts_listener(b, "edge");
    add_hello(b);
    filter.on_request = go_on;
    filter.name = "first";
    filter.exchange_bytes = first;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    filter.name = "second";
    filter.exchange_bytes = second;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    origin.name = "host";
    origin.on_request = go_on;
    origin.exchange_bytes = origin_bytes;
    cluster.origin = &origin;
    parts_cluster(b, "host", &cluster, NULL);
    parts_route(b, "/", NULL, "host");
    return parts_build(b);
}

static void expect_refused(gw_config *config, const char *where, const char *text)
{
    gw_config_error err = GW_SPEC(gw_config_error);

    ck_assert_int_eq(gw_engine_apply(host.engine, config, &err), GW_ELIMIT);
    ck_assert_int_eq(err.status, GW_ELIMIT);
    ck_assert_str_eq(err.where, where);
    ck_assert_str_eq(err.text, text);
    ck_assert_int_eq(gw_engine_apply(host.engine, config, NULL), GW_ELIMIT);
    gw_config_unref(config);
}

/* What no exchange could get is refused once, and what just fits is served. */
START_TEST(memory_that_cannot_be_had_is_refused)
{
    gw_limits limits = GW_SPEC(gw_limits);
    struct mode1_link *client;

    limits.exchange_bytes_max = 3000;
    limits.block_bytes = 2048;
    start_plain(&limits);
    expect_refused(hungry_config(2000, 1001, 0), "filters[1].exchange_bytes",
                   "3001 bytes of all hooks of an exchange: more than exchange_bytes_max, 3000");
    expect_refused(hungry_config(1000, 1000, 1001), "clusters[0].origin.exchange_bytes",
                   "3001 bytes of all hooks of an exchange: more than exchange_bytes_max, 3000");
    expect_refused(hungry_config(2033, 1, 0), "filters[0].exchange_bytes",
                   "2033 bytes of one hook: more than a block holds, 2032");
    expect_refused(hungry_config(1, 1, 2033), "clusters[0].origin.exchange_bytes",
                   "2033 bytes of one hook: more than a block holds, 2032");
    parts_apply(&host, hungry_config(968, 1, 2031));
    parts_apply(&host, hungry_config(2032, 968, 0));
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, get_hello);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* ---- reports that cannot be ---- */

/* Reading when nothing is wanted: a request waits behind one that is being answered. */
START_TEST(nothing_is_lent_that_is_not_wanted)
{
    struct mode1_link *client;
    gw_span room[8];
    size_t held = 0;

    start_plain(NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        size_t n = gw_link_room(client->link, room, 8);
        ck_assert_int_eq(n > 0, (gw_link_want(client->link) & GW_WANT_READ) != 0);
        if (n == 0)
            break;
        memset(room[0].ptr, 'x', room[0].len);
        gw_link_received(client->link, room[0].len, GW_OK);
        held += room[0].len;
        mode1_pump(&host);
    }
    ck_assert_uint_le(held, 2 * 16640);
    ck_assert_uint_eq(gw_link_want(client->link) & GW_WANT_READ, 0);
    mode1_stop(&host);
}
END_TEST

/* Reading on and on without a step: rooms end, and come back with the step. */
START_TEST(rooms_end_without_a_step)
{
    struct mode1_link *client;
    gw_notice notice = GW_SPEC(gw_notice);
    gw_span room[8];
    size_t held = 0, n;

    start_plain(NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n");
    for (int i = 0; i < 1000 && (n = gw_link_room(client->link, room, 8)) > 0; i++) {
        size_t len = 0;
        for (size_t j = 0; j < n; j++) {
            memset(room[j].ptr, 'x', room[j].len);
            len += room[j].len;
        }
        gw_link_received(client->link, len, GW_OK);
        held += len;
    }
    ck_assert_uint_le(held, 16 * 16640);
    while (gw_bytes_next(host.worker, &notice))
        ;
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    bool is_told = false;
    while (gw_bytes_next(host.worker, &notice))
        is_told = is_told || (notice.link == client->link && (notice.want & GW_WANT_READ) != 0);
    ck_assert(is_told);
    ck_assert_uint_gt(gw_link_room(client->link, room, 8), 0);
    mode1_stop(&host);
}
END_TEST

/* More than was lent, without having been lent anything, more than there was to send: the link is
 * ended as by the host, and nothing else. */
START_TEST(a_report_that_cannot_be_ends_the_link)
{
    struct mode1_link *client, *other;
    gw_span room;

    start_plain(NULL);
    other = mode1_accept(&host, "edge");
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /slow HTTP/1.1\r\n");
    if (_i == 0) {
        ck_assert_uint_eq(gw_link_room(client->link, &room, 1), 1);
        gw_link_received(client->link, room.len + 1, GW_OK);
    } else if (_i == 1) {
        gw_link_received(client->link, 1, GW_OK);
    } else if (_i == 2) {
        gw_link_sent(client->link, 1, GW_OK);
    } else {
        gw_link_sent(client->link, 0, GW_EOF); /* no end was asked */
    }
    mode1_pump(&host);
    ck_assert_ptr_null(client->link);
    mode1_say(&host, other, get_hello);
    ck_assert_ptr_nonnull(strstr(other->out, "hello\n"));
    mode1_stop(&host);
}
END_TEST

/* Memory runs out between two rooms of one read: what lies behind the gap is not taken. */
START_TEST(a_gap_ends_the_link)
{
    struct gw_slab *slices;
    struct mode1_link *client;
    void *cells[4096];
    gw_span room[8];
    uint32_t taken = 0, used_max;
    size_t n;

    start_plain(NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n");
    do { /* full reads: more rooms each time */
        n = gw_link_room(client->link, room, 8);
        ck_assert_uint_gt(n, 0);
        for (size_t i = 0; i < n; i++)
            memset(room[i].ptr, 'x', room[i].len);
        gw_link_received(client->link, room[0].len + (n > 1 ? room[1].len : 0), GW_OK);
        mode1_pump(&host);
    } while (n < 2);
    n = gw_link_room(client->link, room, 8);
    ck_assert_uint_ge(n, 2);
    slices = &host.worker->pool.slices;
    used_max = slices->used_max;
    slices->used_max = slices->made;
    while (slices->used < slices->made && taken < 4096)
        cells[taken++] = gw_slab_take(slices);
    gw_slab_give(slices, cells[--taken]); /* for the first room alone */
    memset(room[0].ptr, 'x', room[0].len);
    memset(room[1].ptr, 'x', room[1].len);
    gw_link_received(client->link, room[0].len + room[1].len, GW_OK);
    while (taken > 0)
        gw_slab_give(slices, cells[--taken]);
    slices->used_max = used_max;
    ck_assert_int_eq(client->link->read_status, GW_ENOMEM);
    mode1_pump(&host);
    ck_assert_ptr_null(client->link);
    mode1_stop(&host);
}
END_TEST

/* ---- gw_link_finish ---- */

/* While it is being connected, reported or not: it closes, and who waits for it gets another one. */
START_TEST(finish_while_connecting)
{
    struct mode1_link *client;
    gw_notice notice = GW_SPEC(gw_notice);
    gw_link *first = NULL;
    gw_span room;
    static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

    start_plain(NULL);
    client = mode1_accept(&host, "edge");
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert_uint_eq(gw_link_room(client->link, &room, 1), 1);
    memcpy(room.ptr, get, strlen(get));
    gw_link_received(client->link, strlen(get), GW_OK);
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    while (gw_bytes_next(host.worker, &notice))
        if ((notice.want & GW_WANT_CONNECT) != 0)
            first = notice.link;
    ck_assert_ptr_nonnull(first);
    if (_i == 1)
        gw_link_connected(first, GW_OK, NULL);
    gw_link_finish(first);
    gw_link_finish(first);
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert_uint_eq(gw_link_want(first), GW_WANT_CLOSE);
    mode1_pump(&host);
    ck_assert_ptr_ne(mode1_upstream(&host)->link, first);
    ck_assert_ptr_nonnull(strstr(mode1_upstream(&host)->out, "GET /x "));
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(client->out, "HTTP/1.1 200 OK\r\n"));
    mode1_stop(&host);
}
END_TEST

Suite *contract_suite(void)
{
    Suite *suite = suite_create("contract");

    check_add(suite, a_worker_without_memory_is_none);
    check_add(suite, memory_that_cannot_be_had_is_refused);
    check_add(suite, nothing_is_lent_that_is_not_wanted);
    check_add(suite, rooms_end_without_a_step);
    check_add_loop(suite, a_report_that_cannot_be_ends_the_link, 0, 4);
    check_add(suite, a_gap_ends_the_link);
    check_add_loop(suite, finish_while_connecting, 0, 2);
    return suite;
}
