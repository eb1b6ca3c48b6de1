/* unit/pass_test.c: TLS that is passed through, in mode 1: to whom by the name in the ClientHello, every byte
 * as it came whatever the cuts, what is said to who cannot be; CONNECT to a cluster of bytes; and the bytes of
 * a name to a proxy. */

#include "check_main.h"
#include "parts.h"
#include "tls/settings.h"

#include <gw/explain.h>

#define S(n) ((gw_nanos)(n)*1000000000u)

static struct mode1 host;
static struct {
    gw_cause cause;
    uint32_t code, client, upstream;
    uint64_t request_bytes, response_bytes;
    char method[16], authority[300], path[16], route[32], cluster[32];
    int ends;
} seen;

static void copy(char *out, size_t size, gw_str s)
{
    snprintf(out, size, "%.*s", (int)s.len, s.ptr == NULL ? "" : s.ptr);
}

static void on_end(void *ctx, const gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    const gw_message *m = gw_exchange_request((gw_exchange *)(uintptr_t)x);

    (void)ctx;
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    seen.ends++;
    seen.cause = gw_exchange_cause(x);
    seen.code = info.code;
    seen.client = info.client_protocol;
    seen.upstream = info.upstream_protocol;
    seen.request_bytes = info.request_bytes;
    seen.response_bytes = info.response_bytes;
    copy(seen.method, sizeof seen.method, gw_message_part(m, GW_PART_METHOD));
    copy(seen.authority, sizeof seen.authority, gw_message_part(m, GW_PART_AUTHORITY));
    copy(seen.path, sizeof seen.path, gw_message_part(m, GW_PART_PATH));
    copy(seen.route, sizeof seen.route, info.route);
    copy(seen.cluster, sizeof seen.cluster, info.cluster);
}

static const char *cause(void)
{
    gw_reason row = GW_SPEC(gw_reason);

    ck_assert_int_eq(gw_reason_of(seen.cause.reason, &row), GW_OK);
    return row.name;
}

/* ---- what clients say ---- */

struct bytes {
    char at[32768];
    size_t len;
};

static void put(struct bytes *b, uint32_t value, size_t n)
{
    ck_assert_uint_le(b->len + n, sizeof b->at);
    while (n-- > 0)
        b->at[b->len++] = (char)(value >> (8 * n));
}

/* name NULL: none; with so many bytes of padding; in records of at most record bytes. */
static struct bytes hello(const char *name, uint32_t version, size_t padding, size_t record)
{
    static struct bytes m, out;
    size_t n = name == NULL ? 0 : strlen(name), exts = (n > 0 ? n + 9 : 0) + padding + 4;

    m.len = out.len = 0;
    put(&m, 1, 1);
    put(&m, (uint32_t)(2 + 32 + 1 + 4 + 2 + 2 + exts), 3);
    put(&m, version, 2);
    for (uint32_t i = 0; i < 32; i++)
        put(&m, i, 1);
    put(&m, 0, 1);
    put(&m, 0x0002c02f, 4);
    put(&m, 0x0100, 2);
    put(&m, (uint32_t)exts, 2);
    if (n > 0) {
        put(&m, 0, 2);
        put(&m, (uint32_t)n + 5, 2);
        put(&m, (uint32_t)n + 3, 2);
        put(&m, 0, 1);
        put(&m, (uint32_t)n, 2);
        memcpy(m.at + m.len, name, n);
        m.len += n;
    }
    put(&m, 21, 2);
    put(&m, (uint32_t)padding, 2);
    for (size_t i = 0; i < padding; i++)
        put(&m, 0, 1);
    for (size_t at = 0; at < m.len; at += record) {
        size_t len = m.len - at < record ? m.len - at : record;
        put(&out, 0x160301, 3);
        put(&out, (uint32_t)len, 2);
        memcpy(out.at + out.len, m.at + at, len);
        out.len += len;
    }
    return out;
}

/* ---- the world ---- */

struct plan {
    gw_listener_spec edge;
    gw_cluster_spec tcp;
    gw_route_spec route;
    gw_limits limits;
    bool has_limiter, has_reply;
};

static struct plan plan_of(void)
{
    struct plan plan = { GW_SPEC(gw_listener_spec),
                         GW_SPEC(gw_cluster_spec),
                         GW_SPEC(gw_route_spec),
                         GW_SPEC(gw_limits),
                         false,
                         false };

    plan.edge.protocols = GW_PROTO_TLS;
    plan.tcp.protocols = GW_PROTO_TCP;
    plan.route.flags = GW_ROUTE_CONNECT;
    return plan;
}

static void add_route(gw_builder *b, const struct plan *plan, const char *name, const char *on,
                      const char *cluster)
{
    static const gw_str few = { "few", 3 };
    gw_route_spec spec = plan->route;

    spec.name = gw_cstr(name);
    spec.host = gw_cstr(on);
    spec.cluster = gw_cstr(cluster);
    if (plan->has_limiter) {
        spec.limiters = &few;
        spec.limiters_len = 1;
    }
    ck_assert_uint_ne(gw_builder_route(b, &spec), 0);
}

static void start(const struct plan *plan)
{
    gw_builder *b;
    gw_filter filter = GW_SPEC(gw_filter);
    gw_limiter_spec few = GW_SPEC(gw_limiter_spec);
    gw_listener_spec edge = plan->edge;
    gw_cluster_spec live = plan->tcp;

    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    edge.name = gw_cstr("edge");
    ck_assert_uint_ne(gw_builder_listener(b, &edge), 0);
    parts_listener(b, "clear");
    parts_cluster(b, "a", &plan->tcp, "10.0.0.1:443");
    parts_cluster(b, "b", &plan->tcp, "10.0.0.2:443");
    live.flags = GW_CLUSTER_LIVE;
    parts_cluster(b, "empty", &live, NULL);
    parts_cluster(b, "proxy", NULL, "10.0.0.3:3128");
    add_route(b, plan, "a", "a.example", "a");
    add_route(b, plan, "wild", "*.b.example", "b");
    add_route(b, plan, "empty", "empty.example", "empty");
    add_route(b, plan, "proxy", "proxied.example", "proxy");
    if (plan->has_limiter) {
        few.name = gw_cstr("few");
        few.tokens = few.burst = 1;
        gw_builder_limiter(b, &few);
    }
    parts_route(b, "/get", NULL, "a");
    filter.name = "end";
    filter.on_end = on_end;
    gw_builder_filter(b, &filter);
    mode1_start(&host, parts_build(b), &plan->limits);
}

static void say(struct mode1_link *l, const struct bytes *b, size_t cut)
{
    mode1_feed(&host, l, b->at, b->len, cut);
}

static void check_out(const struct mode1_link *l, const void *bytes, size_t len)
{
    ck_assert_uint_eq(l->out_len, len);
    ck_assert(memcmp(l->out, bytes, len) == 0);
}

static struct mode1_link *come(const char *name)
{
    struct bytes h = hello(name, 0x0303, 0, 16384);
    struct mode1_link *l = mode1_accept(&host, "edge");

    say(l, &h, 0);
    return l;
}

/* ---- through ---- */

/* As it came, in any cuts, records and lengths; both ways, and each end by itself. */
START_TEST(every_byte_as_it_came)
{
    static const size_t paddings[] = { 0, 700, 5000, 15000 }, records[] = { 16384, 7, 300, 1000 };
    struct plan plan = plan_of();
    struct bytes h;

    for (size_t i = 0; i < 4; i++)
        for (size_t cut = 0; cut < 40; cut = cut * 2 + 1) {
            struct mode1_link *l, *up;
            h = hello("A.Example", 0x0303, paddings[i], records[i]);
            start(&plan);
            l = mode1_accept(&host, "edge");
            mode1_feed(&host, l, h.at, h.len - 1, cut);
            ck_assert_int_eq(host.count, 1);
            mode1_feed(&host, l, h.at + h.len - 1, 1, cut);
            up = mode1_upstream(&host);
            ck_assert(mode1_is_at(up, "10.0.0.1:443"));
            check_out(up, h.at, h.len);
            ck_assert_uint_eq(l->out_len, 0);
            mode1_feed(&host, up, "\x16\0\xff server", 10, cut);
            check_out(l, "\x16\0\xff server", 10);
            mode1_clear(up);
            mode1_feed(&host, l, "more\0", 5, cut);
            check_out(up, "more\0", 5);
            mode1_end(&host, l);
            ck_assert(up->is_shutdown && up->link != NULL && l->link != NULL);
            mode1_feed(&host, up, "last", 4, cut);
            check_out(l, "\x16\0\xff serverlast", 14);
            mode1_end(&host, up);
            ck_assert(l->link == NULL && up->link == NULL);
            ck_assert_int_eq(seen.ends, 1);
            ck_assert_str_eq(cause(), "none");
            ck_assert_uint_eq(seen.code, 200);
            ck_assert_uint_eq(seen.client, GW_PROTO_TLS);
            ck_assert_uint_eq(seen.upstream, GW_PROTO_TCP);
            ck_assert_uint_eq(seen.request_bytes, h.len + 5);
            ck_assert_uint_eq(seen.response_bytes, 14);
            ck_assert_str_eq(seen.method, "CONNECT");
            ck_assert_str_eq(seen.authority, "a.example:443");
            ck_assert_str_eq(seen.path, "");
            ck_assert_str_eq(seen.route, "a");
            ck_assert_str_eq(seen.cluster, "a");
            mode1_stop(&host);
        }
}
END_TEST

/* Old ones too: whether they are good enough is for the server to say. */
START_TEST(by_name)
{
    static const struct {
        const char *name, *address, *route;
        uint32_t version;
    } rows[] = {
        { "a.example", "10.0.0.1:443", "a", 0x0303 },
        { "a.example.", "10.0.0.1:443", "a", 0x0303 },
        { "x.b.example", "10.0.0.2:443", "wild", 0x0303 },
        { "a.example", "10.0.0.1:443", "a", 0x0301 },
    };
    struct plan plan = plan_of();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes h = hello(rows[i].name, rows[i].version, 0, 16384);
        struct mode1_link *l, *up;
        start(&plan);
        l = mode1_accept(&host, "edge");
        say(l, &h, 0);
        up = mode1_upstream(&host);
        ck_assert(mode1_is_at(up, rows[i].address));
        check_out(up, h.at, h.len);
        mode1_end(&host, up); /* the server ends first */
        ck_assert(l->is_shutdown && l->link != NULL);
        mode1_end(&host, l);
        ck_assert(l->link == NULL && up->link == NULL);
        ck_assert_str_eq(seen.route, rows[i].route);
        ck_assert_str_eq(cause(), "none");
        mode1_stop(&host);
    }
}
END_TEST

START_TEST(without_a_name)
{
    static const char *const names[] = { NULL, "10.0.0.1" };

    for (size_t i = 0; i < 2; i++) {
        struct plan plan = plan_of();
        struct mode1_link *l;
        start(&plan);
        l = come(names[i]);
        check_out(l, "\x15\3\3\0\2\2\x70", 7); /* unrecognized_name */
        ck_assert_str_eq(cause(), "no_route");
        mode1_stop(&host);
        plan.edge.name = gw_cstr("edge");
    }
}
END_TEST

START_TEST(without_a_name_by_the_route_without_one)
{
    struct plan plan = plan_of();
    gw_builder *b;
    struct mode1_link *l;

    start(&plan);
    b = parts_begin(&host);
    plan.edge.name = gw_cstr("edge");
    gw_builder_listener(b, &plan.edge);
    parts_cluster(b, "b", &plan.tcp, "10.0.0.2:443");
    add_route(b, &plan, "any", "", "b");
    parts_apply(&host, parts_build(b));
    mode1_pump(&host);
    l = come(NULL);
    ck_assert(mode1_is_at(mode1_upstream(&host), "10.0.0.2:443"));
    ck_assert_uint_eq(l->out_len, 0);
    mode1_stop(&host);
}
END_TEST

/* Its own words, whoever they are for; then the end. */
START_TEST(who_cannot_be_served)
{
    static const struct {
        const char *name, *cause;
        const char *says;
        uint32_t code;
        bool refuses, limits;
    } rows[] = {
        { "nobody.example", "no_route", "\x15\3\3\0\2\2\x70", 404, false, false },
        { "empty.example", "no_endpoint", "\x15\3\3\0\2\2\x50", 503, false, false },
        { "a.example", "upstream_connect_refused", "\x15\3\3\0\2\2\x50", 503, true, false },
        { "a.example", "limited", "\x15\3\3\0\2\2\x31", 429, false, true },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plan plan = plan_of();
        struct mode1_link *l;
        plan.has_limiter = rows[i].limits;
        start(&plan);
        host.refuse = rows[i].refuses;
        if (rows[i].limits)
            come(rows[i].name);
        l = come(rows[i].name);
        check_out(l, rows[i].says, 7);
        ck_assert_str_eq(cause(), rows[i].cause);
        ck_assert_uint_eq(seen.code, rows[i].code);
        ck_assert(l->is_shutdown);
        mode1_end(&host, l);
        ck_assert_ptr_null(l->link);
        mode1_stop(&host);
    }
}
END_TEST

START_TEST(what_is_no_hello)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *cause;
        const char *says;
        size_t says_len;
    } rows[] = {
#define ROW(bytes, cause, says) { bytes, sizeof(bytes) - 1, cause, says, sizeof(says) - 1 }
        ROW("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "not_tls",
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 44\r\n"
            "Connection: close\r\n\r\nThis port speaks TLS: ask it with https://.\n"),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not_tls",
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 44\r\n"
            "Connection: close\r\n\r\nThis port speaks TLS: ask it with https://.\n"),
        ROW("SSH-2.0-x\r\n", "not_tls", ""),
        ROW("\x16\3\1\0\0", "bad_hello", "\x15\3\3\0\2\2\x32"),
        ROW("\x16\3\1\0\4\1\0\xff\xff", "bad_hello", "\x15\3\3\0\2\2\x32"),
        ROW("\x80\x2e\1\0\2", "bad_hello", "\x15\3\3\0\2\2\x32"),
#undef ROW
    };
    struct plan plan = plan_of();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t cut = 0; cut < 2; cut++) {
            struct mode1_link *l;
            start(&plan);
            l = mode1_accept(&host, "edge");
            mode1_feed(&host, l, rows[i].bytes, rows[i].len, cut);
            check_out(l, rows[i].says, rows[i].says_len);
            ck_assert_str_eq(cause(), rows[i].cause);
            ck_assert_uint_eq(seen.cause.by, GW_BY_CLIENT);
            ck_assert(l->is_shutdown);
            mode1_stop(&host);
        }
}
END_TEST

START_TEST(a_hello_that_does_not_come)
{
    struct plan plan = plan_of();
    struct bytes h = hello("a.example", 0x0303, 0, 16384);
    struct mode1_link *l;

    start(&plan);
    l = mode1_accept(&host, "edge"); /* not a byte: it is idle */
    mode1_pump(&host);
    mode1_pass(&host, S(59));
    ck_assert(!l->is_shutdown);
    mode1_pass(&host, S(2));
    ck_assert(l->is_shutdown);
    ck_assert_int_eq(seen.ends, 0);
    l = mode1_accept(&host, "edge");
    mode1_feed(&host, l, h.at, h.len - 1, 0);
    mode1_pass(&host, S(9));
    ck_assert_int_eq(seen.ends, 0);
    mode1_pass(&host, S(2));
    ck_assert_int_eq(seen.ends, 1);
    ck_assert_str_eq(cause(), "client_head_timeout");
    ck_assert(l->is_shutdown);
    ck_assert_uint_eq(l->out_len, 0);
    l = mode1_accept(&host, "edge");
    mode1_feed(&host, l, h.at, h.len - 1, 0);
    mode1_end(&host, l);
    ck_assert_int_eq(seen.ends, 2);
    ck_assert_str_eq(cause(), "client_closed");
    ck_assert_int_eq(host.count, 3);
    mode1_stop(&host);
}
END_TEST

/* An upstream that is long in coming is no fault of the client's. */
START_TEST(an_upstream_that_does_not_come)
{
    struct plan plan = plan_of();
    struct mode1_link *l;

    plan.edge.body_idle_timeout_ms = 500;
    start(&plan);
    host.ignored = "10.0.0.1:443";
    l = come("a.example");
    mode1_pass(&host, S(1));
    ck_assert_int_eq(seen.ends, 0);
    mode1_pass(&host, S(2));
    ck_assert_str_eq(cause(), "upstream_connect_timeout");
    check_out(l, "\x15\3\3\0\2\2\x50", 7);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_client_that_ends_at_once)
{
    struct plan plan = plan_of();
    struct bytes h = hello("a.example", 0x0303, 0, 16384);
    struct mode1_link *l, *up;

    start(&plan);
    host.ignored = "10.0.0.1:443";
    l = mode1_accept(&host, "edge");
    say(l, &h, 0);
    mode1_end(&host, l); /* before anybody is there to hear it */
    up = mode1_upstream(&host);
    ck_assert_uint_eq(up->out_len, 0);
    gw_link_connected(up->link, GW_OK, NULL);
    mode1_pump(&host);
    check_out(up, h.at, h.len);
    ck_assert(up->is_shutdown);
    mode1_say(&host, up, "x");
    mode1_end(&host, up);
    check_out(l, "x", 1);
    ck_assert_str_eq(cause(), "none");
    mode1_stop(&host);
}
END_TEST

START_TEST(resets)
{
    struct plan plan = plan_of();
    struct mode1_link *l, *up;

    start(&plan);
    l = come("a.example");
    up = mode1_upstream(&host);
    gw_link_received(up->link, 0, GW_ERESET);
    mode1_pump(&host);
    ck_assert(l->link == NULL || l->is_shutdown);
    ck_assert_str_eq(cause(), "upstream_reset");
    l = come("a.example");
    up = mode1_upstream(&host);
    gw_link_received(l->link, 0, GW_ERESET);
    mode1_pump(&host);
    ck_assert_ptr_null(up->link);
    ck_assert_str_eq(cause(), "client_reset");
    ck_assert_uint_eq(mode1_stat(&host, "exchanges_open"), 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_tunnel_that_is_idle)
{
    struct plan plan = plan_of();
    struct mode1_link *l, *up;

    plan.route.idle_timeout_ms = 5000;
    plan.route.tunnel_timeout_ms = 20000;
    start(&plan);
    l = come("a.example");
    up = mode1_upstream(&host);
    for (int i = 0; i < 3; i++) {
        mode1_pass(&host, S(4));
        mode1_say(&host, i % 2 == 0 ? l : up, "x");
        ck_assert_int_eq(seen.ends, 0);
    }
    mode1_pass(&host, S(6));
    ck_assert_str_eq(cause(), "tunnel_idle");
    ck_assert(up->link == NULL);
    l = come("a.example");
    for (int i = 0; i < 6; i++) {
        mode1_pass(&host, S(4));
        if (seen.ends < 2)
            mode1_say(&host, l, "x");
    }
    ck_assert_int_eq(seen.ends, 2);
    ck_assert_str_eq(cause(), "tunnel_timeout");
    mode1_stop(&host);
}
END_TEST

/* Who is not read from is not read: memory is bounded, and all comes in the end. */
START_TEST(a_reader_that_stalls)
{
    struct plan plan = plan_of();
    struct mode1_link *l, *up;
    static char many[4096];
    size_t sent = 0, before;
    gw_span room;

    start(&plan);
    l = come("a.example");
    up = mode1_upstream(&host);
    before = up->out_len;
    up->is_slow = true;
    memset(many, 'x', sizeof many);
    while (sent < 8 << 20 && gw_link_room(l->link, &room, 1) > 0) {
        size_t n = room.len < sizeof many ? room.len : sizeof many;
        memcpy(room.ptr, many, n);
        gw_link_received(l->link, n, GW_OK);
        mode1_pump(&host);
        sent += n;
    }
    ck_assert_uint_lt(sent, 1 << 20);
    ck_assert_uint_gt(sent, 4096);
    for (int i = 0; i < 100; i++)
        mode1_drip(&host, up, SIZE_MAX);
    ck_assert_uint_eq(up->out_len - before, sent);
    ck_assert_uint_gt(gw_link_room(l->link, &room, 1), 0);
    mode1_stop(&host);
}
END_TEST

/* A server may speak first, and be quicker than who asked for it. */
START_TEST(a_server_that_speaks_first)
{
    struct plan plan = plan_of();
    struct mode1_link *l, *up;

    start(&plan);
    host.ignored = "10.0.0.1:443";
    l = come("a.example");
    up = mode1_upstream(&host);
    gw_link_connected(up->link, GW_OK, NULL);
    mode1_pump(&host);
    mode1_say(&host, up, "hello yourself");
    check_out(l, "hello yourself", 14);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_drain_waits_for_it)
{
    struct plan plan = plan_of();
    struct mode1_link *l, *up, *idle;

    start(&plan);
    l = come("a.example");
    up = mode1_upstream(&host);
    idle = mode1_accept(&host, "edge");
    ck_assert_int_eq(gw_worker_drain(host.worker, 60000), GW_OK);
    mode1_pump(&host);
    mode1_pass(&host, S(3));
    ck_assert(idle->is_shutdown);
    mode1_say(&host, up, "still there");
    check_out(l, "still there", 11);
    mode1_end(&host, l);
    mode1_end(&host, up);
    ck_assert_str_eq(cause(), "none");
    mode1_stop(&host);
}
END_TEST

/* ---- CONNECT, and other neighbours ---- */

START_TEST(connect_to_bytes)
{
    struct plan plan = plan_of();
    struct mode1_link *l, *up;

    start(&plan);
    l = mode1_accept(&host, "clear");
    mode1_say(&host, l, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
    ck_assert(strncmp(l->out, "HTTP/1.1 200 ", 13) == 0);
    up = mode1_upstream(&host);
    ck_assert_uint_eq(up->out_len, 0);
    mode1_clear(l);
    mode1_say(&host, l, "ping");
    check_out(up, "ping", 4);
    mode1_say(&host, up, "pong");
    check_out(l, "pong", 4);
    mode1_end(&host, l);
    mode1_end(&host, up);
    ck_assert_str_eq(cause(), "none");
    ck_assert_uint_eq(seen.client, GW_PROTO_H1);
    ck_assert_uint_eq(seen.upstream, GW_PROTO_TCP);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_request_is_not_for_bytes)
{
    struct plan plan = plan_of();
    struct mode1_link *l;

    start(&plan);
    l = mode1_accept(&host, "clear");
    mode1_say(&host, l, "GET /get HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert(strncmp(l->out, "HTTP/1.1 502 ", 13) == 0);
    ck_assert_str_eq(cause(), "not_representable");
    ck_assert_uint_eq(host.links[1].out_len, 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(by_a_proxy)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\n\r\nbytes";
    struct plan plan = plan_of();
    struct bytes h = hello("proxied.example", 0x0303, 0, 16384);
    struct mode1_link *l, *up;

    start(&plan);
    l = mode1_accept(&host, "edge");
    say(l, &h, 0);
    up = mode1_upstream(&host);
    ck_assert(mode1_is_at(up, "10.0.0.3:3128"));
    ck_assert(strncmp(up->out,
                      "CONNECT proxied.example:443 HTTP/1.1\r\nHost: proxied.example:443\r\n",
                      65) == 0);
    mode1_clear(up);
    mode1_say(&host, up, answer);
    check_out(up, h.at, h.len);
    check_out(l, "bytes", 5);
    mode1_end(&host, up);
    mode1_end(&host, l);
    ck_assert_str_eq(cause(), "none");
    l = mode1_accept(&host, "edge"); /* and one that will not */
    say(l, &h, 0);
    mode1_say(&host, mode1_upstream(&host),
              "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way");
    check_out(l, "\x15\3\3\0\2\2\x31", 7);
    ck_assert(l->is_shutdown);
    mode1_stop(&host);
}
END_TEST

START_TEST(explained)
{
    static const struct {
        const char *name, *route;
        uint32_t code;
        enum gw_reason_id reason;
    } rows[] = {
        { "a.example", "a", 0, GW_REASON_none },
        { "x.b.example", "wild", 0, GW_REASON_none },
        { "b.example", "", 404, GW_REASON_no_route },
        { "", "", 404, GW_REASON_no_route },
        { "empty.example", "empty", 503, GW_REASON_no_endpoint },
    };
    struct plan plan = plan_of();

    start(&plan);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gw_explain_spec spec = GW_SPEC(gw_explain_spec);
        gw_explained e = GW_SPEC(gw_explained);
        spec.protocol = GW_PROTO_TLS;
        spec.host = gw_cstr(rows[i].name);
        ck_assert_int_eq(gw_explain(host.engine, &spec, &e), GW_OK);
        ck_assert_str_eq(e.route, rows[i].route);
        ck_assert_uint_eq(e.cause.reason, rows[i].reason);
        ck_assert_uint_eq(e.code, rows[i].code);
    }
    mode1_stop(&host);
}
END_TEST

START_TEST(either_passed_through_or_ended)
{
    static struct gw_tls settings = { .refs = 1, .role = GW_TLS_SERVER };
    static struct gw_tls own = { .refs = 1, .role = GW_TLS_CLIENT };
    gw_cluster_spec tcp = GW_SPEC(gw_cluster_spec);
    gw_listener_spec edge = GW_SPEC(gw_listener_spec);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    gw_builder *b;

    edge.name = gw_cstr("edge");
    edge.protocols = GW_PROTO_TLS;
    edge.tls = &settings;
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    gw_builder_listener(b, &edge);
    ck_assert_int_eq(gw_builder_build(b, &config, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "listeners[0].tls");
    tcp.name = gw_cstr("tcp");
    tcp.protocols = GW_PROTO_TCP;
    tcp.flags = GW_CLUSTER_LIVE;
    tcp.tls = &own;
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    gw_builder_cluster(b, &tcp);
    ck_assert_int_eq(gw_builder_build(b, &config, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "clusters[0].tls");
    ck_assert(settings.refs == 1 && own.refs == 1);
}
END_TEST

/* Each allocation fails in turn: all ends, nothing is left, nobody gets half of a name. */
START_TEST(without_memory)
{
    struct plan plan = plan_of();
    struct bytes h = hello("a.example", 0x0303, 3000, 700);
    bool did_fail = true;

    for (uint64_t at = 1; did_fail; at++) {
        struct mode1_link *l, *up = NULL;
        gw_accept_spec spec = GW_SPEC(gw_accept_spec);
        gw_link *link;
        start(&plan);
        test_alloc_restart(&host.alloc);
        host.alloc.fail_at = at;
        spec.listener = gw_cstr("edge");
        if (gw_worker_accept(host.worker, &spec, &link) == GW_OK) {
            l = mode1_find(&host, link);
            say(l, &h, 0);
            for (int i = 0; i < host.count; i++)
                if (host.links[i].is_upstream && host.links[i].link != NULL)
                    up = &host.links[i];
            if (up != NULL) {
                mode1_say(&host, up, "x");
                mode1_end(&host, up);
            }
            if (l->link != NULL)
                mode1_end(&host, l);
            mode1_pass(&host, S(120));
            mode1_pass(&host, S(600));
        }
        did_fail = host.alloc.failed > 0;
        ck_assert_int_le(seen.ends, 1);
        ck_assert_uint_eq(mode1_stat(&host, "exchanges_open"), 0);
        mode1_stop(&host);
    }
}
END_TEST

static Suite *pass_suite(void)
{
    Suite *s = suite_create("pass");

    check_add(s, every_byte_as_it_came);
    check_add(s, by_name);
    check_add(s, without_a_name);
    check_add(s, without_a_name_by_the_route_without_one);
    check_add(s, who_cannot_be_served);
    check_add(s, what_is_no_hello);
    check_add(s, a_hello_that_does_not_come);
    check_add(s, an_upstream_that_does_not_come);
    check_add(s, a_client_that_ends_at_once);
    check_add(s, resets);
    check_add(s, a_tunnel_that_is_idle);
    check_add(s, a_reader_that_stalls);
    check_add(s, a_server_that_speaks_first);
    check_add(s, a_drain_waits_for_it);
    check_add(s, connect_to_bytes);
    check_add(s, a_request_is_not_for_bytes);
    check_add(s, by_a_proxy);
    check_add(s, explained);
    check_add(s, either_passed_through_or_ended);
    check_add(s, without_memory);
    return s;
}

CHECK_MAIN(pass_suite)
