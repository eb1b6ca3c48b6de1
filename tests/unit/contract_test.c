/* unit/contract_test.c: hosts that break the contract, or meet its edges: each call answers, and nothing
 * that a host does makes memory grow, loses bytes or ends the process. */

#include "base/prng.h"
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
    static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

    start_plain(NULL);
    client = mode1_accept(&host, "edge");
    mode1_step_with(&host, client, get, GW_OK);
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

/* ---- notices ---- */

/* Who cannot take a notice is told later. */
START_TEST(a_notice_is_not_lost)
{
    gw_notice notice = { .size = 0 };
    struct mode1_link *client;

    start_plain(NULL);
    client = mode1_accept(&host, "edge");
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert(!gw_bytes_next(host.worker, &notice));
    ck_assert(!gw_bytes_next(host.worker, NULL));
    notice.size = sizeof notice;
    ck_assert(gw_bytes_next(host.worker, &notice));
    ck_assert_ptr_eq(notice.link, client->link);
    mode1_stop(&host);
}
END_TEST

/* ---- accepting ---- */

static gw_status accept_as(uint32_t protocols, const gw_facts *facts, gw_link **out)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);

    spec.listener = gw_cstr("edge");
    spec.protocols = protocols;
    spec.facts = facts;
    return gw_worker_accept(host.worker, &spec, out);
}

START_TEST(what_cannot_be_accepted)
{
    gw_facts facts = GW_SPEC(gw_facts), got = GW_SPEC(gw_facts);
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link = NULL;

    start_plain(NULL);
    ck_assert_int_eq(accept_as(GW_PROTO_TCP, NULL, &link), GW_EINVAL);
    ck_assert_int_eq(accept_as(GW_PROTO_TLS | GW_PROTO_H1, NULL, &link), GW_EINVAL);
    ck_assert_int_eq(accept_as(GW_PROTO_H1 | 8, NULL, &link), GW_EINVAL);
    facts.protocol = 4;
    ck_assert_int_eq(accept_as(0, &facts, &link), GW_EINVAL);
    facts.protocol = GW_PROTO_H1 | GW_PROTO_H2;
    ck_assert_int_eq(accept_as(0, &facts, &link), GW_EINVAL);
    facts.protocol = GW_PROTO_H2; /* not what the spec lets it speak */
    ck_assert_int_eq(accept_as(GW_PROTO_H1, &facts, &link), GW_EINVAL);
    facts.protocol = 0;
    facts.size = 0;
    ck_assert_int_eq(accept_as(0, &facts, &link), GW_EINVAL);
    facts.size = sizeof facts;
    ck_assert_int_eq(gw_worker_accept(host.worker, NULL, &link), GW_EINVAL);
    ck_assert_int_eq(accept_as(0, NULL, NULL), GW_EINVAL);
    spec.listener = gw_cstr("edge");
    spec.early.len = 1;
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_EINVAL);
    ck_assert_ptr_null(link);
    ck_assert(gw_worker_is_idle(host.worker));
    /* An older caller's facts end before the addresses; what lies behind is not theirs. */
    facts.peer = gw_cstr("peer");
    facts.size = offsetof(gw_facts, peer);
    ck_assert_int_eq(accept_as(0, &facts, &link), GW_OK);
    ck_assert_int_eq(gw_link_get_facts(link, &got), GW_OK);
    ck_assert_uint_eq(got.peer.len, 0);
    facts.size = sizeof facts;
    facts.protocol = GW_PROTO_H1; /* as told by a handshake: HTTP/2's preface is no request then */
    ck_assert_int_eq(accept_as(0, &facts, &link), GW_OK);
    ck_assert_int_eq(gw_link_get_facts(link, &got), GW_OK);
    ck_assert_uint_eq(got.peer.len, 4);
    struct mode1_link *client = mode1_find(&host, link);
    mode1_say(&host, client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 ", 9) == 0, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* An upstream that turns out to speak something else was not reached. */
START_TEST(a_peer_of_another_protocol)
{
    struct mode1_link *client;
    gw_facts facts = GW_SPEC(gw_facts);
    gw_notice notice = GW_SPEC(gw_notice);
    static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

    start_plain(NULL);
    client = mode1_accept(&host, "edge");
    mode1_step_with(&host, client, get, GW_OK);
    facts.protocol = GW_PROTO_H2;
    while (gw_bytes_next(host.worker, &notice))
        if ((notice.want & GW_WANT_CONNECT) != 0)
            gw_link_connected(notice.link, GW_OK, &facts);
    mode1_pump(&host);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 503 ", 13) == 0, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* Operations are copied, and each is needed. */
START_TEST(a_backend_is_whole)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_io_ops ops = GW_SPEC(gw_io_ops);
    gw_worker *w = NULL;

    start_plain(NULL);
    gw_worker_free(host.worker);
    spec.ops = &ops;
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &w), GW_EINVAL);
    ck_assert_int_eq(gw_worker_new(NULL, &spec, &w), GW_EINVAL);
    ck_assert_int_eq(gw_worker_new(host.engine, NULL, &w), GW_EINVAL);
    ck_assert_ptr_null(w);
    host.worker = NULL;
    mode1_stop(&host);
}
END_TEST

/* ---- any report at any time ---- */

enum { WILD_LINKS = 12, WILD_TURNS = 400 };

static struct wild {
    struct gw_prng prng;
    gw_link *links[WILD_LINKS];
    gw_nanos now;
} wild;

static uint32_t some(uint32_t n)
{
    return (uint32_t)gw_prng_below(&wild.prng, n);
}

/* Bytes that begin well, go wrong, or are of the other protocol. */
static size_t some_bytes(char *out, size_t max)
{
    static const char *const texts[] = {
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n",
        "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 103 Early\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "0\r\n\r\n",
        "\r\n",
    };
    const char *text = texts[some(sizeof texts / sizeof *texts)];
    size_t len = strlen(text);

    if (some(4) == 0)
        len = some((uint32_t)len + 1);
    if (len > max)
        len = max;
    memcpy(out, text, len);
    return len;
}

static gw_status some_result(void)
{
    static const gw_status results[] = { GW_OK,  GW_OK,     GW_OK,       GW_AGAIN,  GW_AGAIN,
                                         GW_EOF, GW_ERESET, GW_EREFUSED, GW_ENOMEM, GW_EINVAL };

    return results[some(sizeof results / sizeof *results)];
}

static void keep_link(gw_link *link)
{
    for (int i = 0; i < WILD_LINKS; i++)
        if (wild.links[i] == link)
            return;
    for (int i = 0; i < WILD_LINKS; i++)
        if (wild.links[i] == NULL) {
            wild.links[i] = link;
            return;
        }
    gw_link_closed(link); /* no place for it */
}

static void feed_some(gw_link *link, const char *text)
{
    gw_span rooms[8];
    size_t n = gw_link_room(link, rooms, 8), len = strlen(text);

    if (n == 0)
        return;
    memcpy(rooms[0].ptr, text, len < rooms[0].len ? len : rooms[0].len);
    gw_link_received(link, len < rooms[0].len ? len : rooms[0].len, GW_AGAIN);
}

/* As a host should: so that there is something that can break. */
static void do_what_is_wanted(gw_link **slot)
{
    gw_destination d = GW_SPEC(gw_destination);
    gw_link *link = *slot;
    uint32_t want = gw_link_want(link);
    gw_const_span spans[8];
    size_t n, len = 0;

    if ((want & GW_WANT_CONNECT) != 0)
        gw_link_connected(link, GW_OK, NULL);
    if ((want & GW_WANT_WRITE) != 0) {
        n = gw_link_unsent(link, spans, 8);
        for (size_t i = 0; i < n; i++)
            len += spans[i].len;
        gw_link_sent(link, len, GW_OK);
    }
    if ((want & GW_WANT_READ) != 0 && gw_link_get_destination(link, &d) == GW_OK)
        feed_some(link, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    else if ((want & GW_WANT_READ) != 0)
        feed_some(link, some(2) == 0 ? get_hello : "GET /up HTTP/1.1\r\nHost: a\r\n\r\n");
    if ((want & GW_WANT_SHUTDOWN) != 0)
        gw_link_sent(link, 0, GW_EOF);
    if ((want & GW_WANT_CLOSE) != 0) {
        gw_link_closed(link);
        *slot = NULL;
    }
}

static void report_something(gw_link **slot)
{
    gw_link *link = *slot;
    gw_span rooms[8];
    gw_const_span spans[8];
    size_t n, len = 0;

    switch (some(12)) {
    case 0:
    case 1:
    case 2:
        n = gw_link_room(link, rooms, 1 + some(8));
        if (n > 0)
            len = some_bytes(rooms[0].ptr, rooms[0].len);
        gw_link_received(link, len, some_result());
        break;
    case 3:
        gw_link_received(link, some(3), some_result());
        break;
    case 4:
    case 5:
    case 6:
        n = gw_link_unsent(link, spans, 8);
        for (size_t i = 0; i < n; i++)
            len += spans[i].len;
        gw_link_sent(link, some(3) > 0 ? len : some((uint32_t)len + 2), some_result());
        break;
    case 7:
    case 8:
        gw_link_connected(link, some_result(), NULL);
        break;
    case 9:
        gw_link_sent(link, 0, GW_EOF);
        break;
    case 10:
        if (some(6) == 0)
            gw_link_finish(link);
        else if (some(6) == 0)
            gw_link_abort(link);
        break;
    case 11:
        if (some(3) == 0 || gw_link_want(link) == GW_WANT_CLOSE) {
            gw_link_closed(link);
            *slot = NULL; /* it is gone with the next step */
        }
        break;
    }
}

static void step_and_look(void)
{
    gw_notice notice = GW_SPEC(gw_notice);

    wild.now += some(3) == 0 ? some(2000000000) : some(1000000);
    (void)gw_worker_step(host.worker, wild.now);
    while (gw_bytes_next(host.worker, &notice))
        keep_link(notice.link);
}

/* Whatever a host reports of its links, in whatever order: the worker stays whole. */
START_TEST(any_report_at_any_time)
{
    static gw_builder *b;
    gw_link *link;

    memset(&host, 0, sizeof host);
    memset(&wild, 0, sizeof wild);
    wild.prng.state = (uint64_t)_i + 1;
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_route_spec connect = GW_SPEC(gw_route_spec);
    cluster.protocols = GW_HAVE_H2 && _i % 3 == 0 ? GW_PROTO_H2 : GW_PROTO_H1;
    cluster.connections_max = 1 + (uint32_t)_i % 3;
    parts_listener(b, "edge");
    parts_cluster(b, "web", &cluster, "127.0.0.1:81");
    connect.flags = GW_ROUTE_CONNECT;
    parts_route(b, "/", &connect, "web");
    add_hello(b);
    mode1_start(&host, parts_build(b), NULL);
    wild.now = host.now;
    for (int turn = 0; turn < WILD_TURNS; turn++) {
        gw_link **slot = &wild.links[some(WILD_LINKS)];
        if (*slot != NULL && some(100) < (_i % 2 == 0 ? 5 : 40))
            report_something(slot);
        else if (*slot != NULL)
            do_what_is_wanted(slot);
        else if (some(4) == 0 && accept_as(0, NULL, &link) == GW_OK)
            *slot = link;
        if (some(3) > 0)
            step_and_look();
        if (turn == WILD_TURNS - 50 && some(2) == 0)
            ck_assert_int_eq(gw_worker_drain(host.worker, some(5000)), GW_OK);
    }
    mode1_stop(&host);
}
END_TEST

/* ---- hooks ---- */

struct replier {
    uint32_t code, set_code;
    gw_status status;
    int ended;
    gw_cause cause;
};

static gw_verdict reply_so(void *ctx, gw_exchange *x)
{
    struct replier *r = ctx;
    gw_reply reply = GW_SPEC(gw_reply);

    reply.code = r->code;
    r->status = gw_exchange_reply(x, &reply);
    if (r->status == GW_OK && r->set_code != 0)
        ck_assert_int_eq(gw_message_set_code(gw_exchange_response(x), r->set_code), GW_OK);
    return r->status == GW_OK ? GW_REPLY : GW_NEXT;
}

static void see_end(void *ctx, const gw_exchange *x)
{
    struct replier *r = ctx;

    r->ended++;
    r->cause = gw_exchange_cause(x);
}

/* A 2xx to CONNECT would say that a tunnel follows. */
START_TEST(no_reply_looks_like_a_tunnel)
{
    static const struct {
        uint32_t code, set_code;
        gw_status status;
        const char *begin;
    } cases[] = {
        { 200, 0, GW_EINVAL, "HTTP/1.1 405 " },
        { 299, 0, GW_EINVAL, "HTTP/1.1 405 " },
        { 403, 0, GW_OK, "HTTP/1.1 403 " },
        { 403, 200, GW_OK, "HTTP/1.1 502 " },
    };
    struct replier replier = { cases[_i].code, cases[_i].set_code, GW_OK, 0, { 0, 0, 0, 0 } };
    gw_builder *b;
    gw_filter filter = GW_SPEC(gw_filter);
    struct mode1_link *client;

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    add_hello(b);
    filter.name = "replier";
    filter.ctx = &replier;
    filter.on_request = reply_so;
    filter.on_end = see_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    mode1_start(&host, parts_build(b), NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    ck_assert_int_eq(replier.status, cases[_i].status);
    ck_assert_msg(strncmp(client->out, cases[_i].begin, 13) == 0, "%s", client->out);
    ck_assert_int_eq(replier.ended, 1);
    mode1_stop(&host);
}
END_TEST

/* An origin that does with its pipes and its exchange what it must not, in every hook. */
struct rude {
    gw_pipe *request, *response;
    int reads, writes, ended;
    uint32_t code;
    bool is_done;
};
static struct rude rude;

static void be_rude(gw_exchange *x)
{
    gw_reply reply = GW_SPEC(gw_reply);
    gw_worker *w = gw_exchange_worker(x);

    if (rude.request != NULL) {
        ck_assert_int_eq(gw_pipe_end(rude.request), GW_EINVAL);
        ck_assert_uint_eq(gw_pipe_write(rude.request, "own", 3), 0);
        ck_assert_uint_eq(gw_pipe_room(rude.request), 0);
        ck_assert_int_eq(gw_pipe_drop(rude.request, SIZE_MAX), GW_EINVAL);
    }
    if (rude.response != NULL) {
        ck_assert_int_eq(gw_pipe_drop(rude.response, 1), GW_EINVAL);
        ck_assert_int_eq(gw_pipe_drop(rude.response, 0), GW_EINVAL);
        ck_assert_uint_eq(gw_pipe_write(rude.response, NULL, 3), 0);
        ck_assert_uint_eq(gw_pipe_peek(rude.response, NULL, 3), 0);
    }
    ck_assert_int_eq(gw_exchange_reply(x, &reply), GW_ESTATE);
    ck_assert_int_eq(gw_exchange_reply(x, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_respond(x, 101), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_respond(x, 600), GW_EINVAL);
    ck_assert_ptr_null(gw_exchange_alloc(x, SIZE_MAX));
    ck_assert_int_eq(gw_worker_step(w, host.now), GW_ESTATE);
    gw_worker_free(w);
    gw_engine_free(host.engine);
}

static gw_verdict rude_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    be_rude(x);
    return GW_NEXT;
}

static gw_verdict rude_read(void *ctx, gw_exchange *x, gw_pipe *request)
{
    gw_const_span span;

    (void)ctx;
    rude.reads++;
    rude.request = request;
    be_rude(x);
    while (gw_pipe_peek(request, &span, 1) == 1)
        ck_assert_int_eq(gw_pipe_drop(request, span.len), GW_OK);
    return GW_NEXT;
}

static gw_verdict rude_write(void *ctx, gw_exchange *x, gw_pipe *response)
{
    (void)ctx;
    rude.writes++;
    rude.response = response;
    be_rude(x);
    if (rude.request == NULL || !gw_pipe_is_last(rude.request) || rude.is_done)
        return GW_WAIT;
    ck_assert_int_eq(gw_exchange_respond(x, rude.code), GW_OK);
    ck_assert_int_eq(gw_exchange_respond(x, rude.code), GW_ESTATE);
    ck_assert_uint_eq(gw_pipe_write(response, "body", 4), 4);
    ck_assert_int_eq(gw_pipe_end(response), GW_OK);
    ck_assert_int_eq(gw_pipe_end(response), GW_ESTATE);
    ck_assert_uint_eq(gw_pipe_write(response, "more", 4), 0);
    rude.is_done = true;
    return GW_NEXT;
}

static void rude_end(void *ctx, const gw_exchange *x)
{
    gw_exchange *mutable = (gw_exchange *)(uintptr_t)x;
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link = NULL;

    (void)ctx;
    rude.ended++;
    be_rude(mutable);
    ck_assert_ptr_null(gw_exchange_wait(mutable).worker);
    ck_assert_int_eq(gw_resume(gw_exchange_wait(mutable), NULL), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_respond(mutable, 200), GW_ESTATE);
    if (rude.is_done)
        return;
    spec.listener = gw_cstr("edge"); /* the worker is being freed: nobody comes in any more */
    ck_assert_int_eq(gw_worker_accept(gw_exchange_worker(x), &spec, &link), GW_ESTATE);
    gw_link_finish(gw_exchange_link(x));
    gw_link_abort(gw_exchange_link(x));
    gw_link_closed(gw_exchange_link(x));
}

static void start_rude(uint32_t code)
{
    gw_builder *b;
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);

    memset(&rude, 0, sizeof rude);
    rude.code = code;
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    origin.name = "rude";
    origin.on_request = rude_request;
    origin.on_read = rude_read;
    origin.on_write = rude_write;
    origin.on_end = rude_end;
    cluster.origin = &origin;
    parts_cluster(b, "rude", &cluster, NULL);
    parts_route(b, "/", NULL, "rude");
    mode1_start(&host, parts_build(b), NULL);
}

START_TEST(an_origin_that_breaks_the_contract)
{
    static const struct {
        const char *method;
        uint32_t code;
        const char *end;
    } cases[] = {
        { "POST", 200, "\r\n\r\n4\r\nbody\r\n0\r\n\r\n" },
        { "POST", 204, "\r\n\r\n" },
        { "POST", 304, "\r\n\r\n" },
        { "HEAD", 200, "\r\n\r\n" },
    };
    struct mode1_link *client;
    char text[128];

    start_rude(cases[_i].code);
    client = mode1_accept(&host, "edge");
    (void)snprintf(text, sizeof text, "%s /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc",
                   cases[_i].method);
    mode1_say(&host, client, text);
    mode1_say(&host, client, "def");
    ck_assert_int_ge(rude.reads, 2);
    ck_assert_int_eq(rude.ended, 1);
    ck_assert_msg(
        strlen(client->out) >= strlen(cases[_i].end) &&
            strcmp(client->out + strlen(client->out) - strlen(cases[_i].end), cases[_i].end) == 0,
        "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* In flight when its worker is freed. */
START_TEST(on_end_of_a_worker_that_goes)
{
    start_rude(200);
    mode1_say(&host, mode1_accept(&host, "edge"),
              "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    mode1_stop(&host);
    ck_assert_int_eq(rude.ended, 1);
}
END_TEST

/* ---- the wall clock ---- */

static uint64_t count_reads(void *ctx)
{
    return 1000000000u + (uint64_t)++ * (int *)ctx;
}

static uint64_t told[3];
static int tellings;

static void tell_time(void *ctx, const gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    (void)ctx;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
        ck_assert_int_lt(tellings, 6);
        told[tellings++ / 2] = info.unix_now;
    }
    info.unix_now = 7;
    info.size = offsetof(gw_exchange_info, unix_now); /* an older caller */
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    ck_assert_uint_eq(info.unix_now, 7);
}

/* It is read when somebody asks, and once a step. */
START_TEST(one_look_at_the_clock_a_step)
{
    gw_builder *b;
    gw_filter filter = GW_SPEC(gw_filter);
    struct mode1_link *client;
    int reads = 0;

    memset(&host, 0, sizeof host);
    tellings = 0;
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    add_hello(b);
    filter.name = "time";
    filter.on_end = tell_time;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    mode1_start(&host, parts_build(b), NULL);
    host.engine->env.unix_nanos = count_reads;
    host.engine->env.unix_ctx = &reads;
    client = mode1_accept(&host, "edge");
    mode1_pump(&host);
    ck_assert_int_eq(reads, 0);
    mode1_say(&host, client, get_hello);
    ck_assert_int_eq(reads, 1);
    mode1_say(&host, client, get_hello);
    ck_assert_int_eq(reads, 2);
    mode1_say(&host, client, "GET /hello HTTP/1.1\r\n"); /* ends with its worker */
    mode1_stop(&host);
    ck_assert_int_eq(reads, 3);
    ck_assert_int_eq(tellings, 6);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(told[i], 1000000001u + (uint64_t)i);
}
END_TEST

/* ---- nothing at all ---- */

START_TEST(null_is_answered)
{
    gw_ticket none = { NULL, 0, 0 };
    gw_str name, value;
    gw_config_error err = { .size = 0 };
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_engine *e = NULL;
    gw_builder *b;

    ck_assert_int_eq(gw_worker_step(NULL, 0), GW_EINVAL);
    ck_assert_uint_eq(gw_worker_deadline(NULL), UINT64_MAX);
    ck_assert_int_eq(gw_worker_drain(NULL, 0), GW_EINVAL);
    ck_assert_ptr_null(gw_worker_user(NULL));
    ck_assert(gw_worker_is_idle(NULL));
    ck_assert(!gw_bytes_next(NULL, NULL));
    gw_worker_free(NULL);
    ck_assert_int_eq(gw_resume(none, NULL), GW_EINVAL);
    ck_assert_uint_gt(gw_stats_read(NULL, NULL, 9), 0);
    ck_assert_int_eq(gw_stats_describe(0, NULL), GW_EINVAL);

    ck_assert_uint_eq(gw_exchange_get_id(NULL), 0);
    ck_assert_int_eq(gw_exchange_get_info(NULL, NULL), GW_EINVAL);
    ck_assert_ptr_null(gw_exchange_worker(NULL));
    ck_assert_ptr_null(gw_exchange_link(NULL));
    ck_assert_int_eq(gw_exchange_cause(NULL).status, GW_EINVAL);
    ck_assert_ptr_null(gw_exchange_request(NULL));
    ck_assert_ptr_null(gw_exchange_response(NULL));
    ck_assert_ptr_null(gw_exchange_trailers(NULL, GW_SIDE_REQUEST));
    ck_assert_ptr_null(gw_exchange_memory(NULL));
    ck_assert_ptr_null(gw_exchange_alloc(NULL, 1));
    ck_assert_ptr_null(gw_exchange_route_user(NULL));
    ck_assert_int_eq(gw_exchange_reply(NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_respond(NULL, 200), GW_EINVAL);
    ck_assert_ptr_null(gw_exchange_wait(NULL).worker);
    ck_assert_int_eq(gw_reason_of(0, NULL), GW_EINVAL);

    ck_assert_uint_eq(gw_message_part(NULL, GW_PART_PATH).len, 0);
    ck_assert_uint_eq(gw_message_code(NULL), 0);
    ck_assert_int_eq(gw_message_set_code(NULL, 200), GW_EINVAL);
    ck_assert_ptr_null(gw_message_field(NULL, gw_cstr("a")).ptr);
    ck_assert_uint_eq(gw_message_fields(NULL), 0);
    ck_assert_int_eq(gw_message_field_at(NULL, 0, &name, &value), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_field(NULL, gw_cstr("a"), gw_cstr("b")), GW_EINVAL);
    ck_assert_int_eq(gw_message_add_field(NULL, gw_cstr("a"), gw_cstr("b")), GW_EINVAL);
    ck_assert_int_eq(gw_message_drop_field(NULL, gw_cstr("a")), GW_EINVAL);

    ck_assert_uint_eq(gw_pipe_peek(NULL, NULL, 1), 0);
    ck_assert(!gw_pipe_is_last(NULL));
    ck_assert_int_eq(gw_pipe_drop(NULL, 0), GW_EINVAL);
    ck_assert_uint_eq(gw_pipe_room(NULL), 0);
    ck_assert_uint_eq(gw_pipe_write(NULL, "a", 1), 0);
    ck_assert_int_eq(gw_pipe_end(NULL), GW_EINVAL);

    ck_assert_uint_eq(gw_link_want(NULL), 0);
    ck_assert_ptr_null(gw_link_worker(NULL));
    ck_assert_ptr_null(gw_link_user(NULL));
    ck_assert_ptr_null(gw_link_io(NULL));
    gw_link_set_user(NULL, NULL);
    gw_link_set_io(NULL, NULL);
    ck_assert_int_eq(gw_link_get_facts(NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_link_get_destination(NULL, NULL), GW_EINVAL);
    gw_link_finish(NULL);
    gw_link_abort(NULL);
    gw_link_connected(NULL, GW_OK, NULL);
    ck_assert_uint_eq(gw_link_room(NULL, NULL, 1), 0);
    gw_link_received(NULL, 0, GW_OK);
    ck_assert_uint_eq(gw_link_unsent(NULL, NULL, 1), 0);
    gw_link_sent(NULL, 0, GW_OK);
    gw_link_closed(NULL);

    ck_assert_int_eq(gw_loop_new(NULL, NULL, NULL), GW_EINVAL);
    ck_assert_ptr_null(gw_loop_worker(NULL));
    ck_assert_str_eq(gw_loop_name(NULL), "");
    ck_assert_int_eq(gw_loop_listen(NULL, NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_loop_listen_fd(NULL, -1, NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_loop_adopt(NULL, -1, NULL, NULL), GW_EINVAL);
    ck_assert_uint_eq(gw_listener_address(NULL, NULL, 1), 0);
    ck_assert_int_eq(gw_listener_fd(NULL), -1);
    gw_listener_close(NULL);
    ck_assert_uint_eq(gw_loop_now(NULL), 0);
    ck_assert_int_eq(gw_loop_fd(NULL), -1);
    ck_assert_int_eq(gw_loop_timeout_ms(NULL), -1);
    ck_assert_int_eq(gw_loop_run_once(NULL, 0), GW_EINVAL);
    ck_assert_int_eq(gw_loop_run(NULL), GW_EINVAL);
    ck_assert_int_eq(gw_loop_drain(NULL, 0), GW_EINVAL);
    gw_loop_stop(NULL);
    gw_loop_free(NULL);

    ck_assert_int_eq(gw_engine_new(NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_engine_new(&engine, NULL), GW_EINVAL);
    env.allocator.alloc = test_alloc_alloc_; /* without its other half */
    engine.env = &env;
    ck_assert_int_eq(gw_engine_new(&engine, &e), GW_EINVAL);
    ck_assert_int_eq(gw_engine_apply(NULL, NULL, NULL), GW_EINVAL);
    gw_engine_free(NULL);
    ck_assert_int_eq(gw_builder_new(NULL, NULL), GW_EINVAL);
    ck_assert_uint_eq(gw_builder_listener(NULL, NULL), 0);
    ck_assert_uint_eq(gw_builder_cluster(NULL, NULL), 0);
    ck_assert_uint_eq(gw_builder_endpoint(NULL, 0, NULL), 0);
    ck_assert_uint_eq(gw_builder_route(NULL, NULL), 0);
    ck_assert_uint_eq(gw_builder_filter(NULL, NULL), 0);
    ck_assert(!gw_builder_next_error(NULL, &err));
    ck_assert_int_eq(gw_builder_build(NULL, NULL, NULL), GW_EINVAL);
    gw_builder_free(NULL);
    ck_assert_ptr_null(gw_config_ref(NULL));
    gw_config_unref(NULL);
    ck_assert_int_eq(gw_config_listener(NULL, 0, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_config_shares(NULL, 0, NULL, NULL, 0, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_config_moved(NULL, NULL, gw_cstr("web"), NULL), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_set_hash_key(NULL, gw_cstr("a")), GW_EINVAL);
    ck_assert_int_eq(gw_limits_footprint(NULL, NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_address_parse(gw_cstr("1.2.3.4:5"), NULL), GW_EINVAL);
    ck_assert_int_ne(gw_yaml_load(NULL, gw_cstr(NULL), NULL, NULL, NULL, NULL, NULL, NULL), GW_OK);

    /* Of a builder: specs that are not there, and an error that is not lost. */
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    ck_assert_uint_eq(gw_builder_listener(b, NULL), 0);
    ck_assert_uint_eq(gw_builder_filter(b, NULL), 0);
    ck_assert(!gw_builder_next_error(b, &err));
    err.size = sizeof err;
    ck_assert(gw_builder_next_error(b, &err));
    ck_assert_str_eq(err.where, "listeners[0].size");
    gw_builder_free(b);
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
    check_add(suite, a_notice_is_not_lost);
    check_add(suite, what_cannot_be_accepted);
    check_add(suite, a_peer_of_another_protocol);
    check_add(suite, a_backend_is_whole);
    check_add_loop(suite, any_report_at_any_time, 0, 300);
    check_add_loop(suite, no_reply_looks_like_a_tunnel, 0, 4);
    check_add_loop(suite, an_origin_that_breaks_the_contract, 0, 4);
    check_add(suite, on_end_of_a_worker_that_goes);
    check_add(suite, one_look_at_the_clock_a_step);
    check_add(suite, null_is_answered);
    return suite;
}
