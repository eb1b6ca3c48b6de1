/* unit/secured_test.c: TLS through the whole machine in mode 1: a listener and an upstream under it, with
 * peers that are engines of the other role. The host passes bytes, and sees none of it. */

#include "check_main.h"
#include "gw_features.h"
#include "parts.h"
#include "tls_pair.h"

static struct mode1 host;
static struct pair
    world; /* the peers' memory: client speaks to the listener, server is the upstream */
static const gw_nanos second = 1000000000;

/* ---- peers ---- */

struct peer {
    struct side *side;
    struct mode1_link *link;
    size_t heard;         /* of what the library has sent */
    char text[16 * 1024]; /* in clear, zero-terminated    */
    size_t len;
};
static struct peer client, upstream;

static void hear(struct peer *p)
{
    size_t n = p->link->out_len - p->heard;

    if (n > 0)
        ck_assert_int_eq(gw_chain_write(&p->side->rx, p->link->out + p->heard, n), GW_OK);
    p->heard += n;
    work(p->side);
    n = p->side->in.len;
    ck_assert_uint_lt(p->len + n, sizeof p->text);
    (void)gw_chain_read(&p->side->in, 0, p->text + p->len, n);
    gw_chain_drop(&p->side->in, n);
    p->len += n;
    p->text[p->len] = '\0';
}

static bool speak(struct peer *p)
{
    static char bytes[64 * 1024];
    size_t n = p->side->tx.len;

    ck_assert_uint_le(n, sizeof bytes);
    (void)gw_chain_read(&p->side->tx, 0, bytes, n);
    gw_chain_drop(&p->side->tx, n);
    if (p->link->link != NULL)
        mode1_feed(&host, p->link, bytes, n, world.piece);
    return n > 0;
}

static void talk(struct peer *p)
{
    size_t before;

    do {
        before = p->heard;
        hear(p);
    } while (speak(p) || p->heard != before || p->link->out_len != p->heard);
}

static void say(struct peer *p, const char *text)
{
    p->len = 0;
    send(p->side, (const uint8_t *)text, strlen(text));
    talk(p);
}

static void peer_init(struct peer *p, struct side *side, struct mode1_link *link, uint32_t role,
                      const struct said *said, uint32_t protocols)
{
    memset(p, 0, sizeof *p);
    p->side = side;
    p->link = link;
    ck_assert_int_eq(side_begin(&world, side, settings(role, said),
                                role == GW_TLS_CLIENT ? GW_STR("a.test") : (gw_str){ NULL, 0 },
                                protocols),
                     GW_OK);
}

/* ---- the machine ---- */

static const struct said edge = { .certificates = { "a-p256" } };
static const struct said trusting = { .trust = "root.crt" };

static char logged[4096];

static void take_log(void *ctx, uint32_t level, const char *event, const char *line)
{
    size_t len = strlen(logged);

    (void)ctx;
    (void)level;
    (void)snprintf(logged + len, sizeof logged - len, "%s: %s\n", event, line);
}

static gw_config *configure(const struct said *listener_says, const struct said *cluster_says)
{
    gw_builder *b = parts_begin(&host);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_route_spec hello = GW_SPEC(gw_route_spec);

    listener.name = gw_cstr("edge");
    listener.tls = settings(GW_TLS_SERVER, listener_says);
    ck_assert_uint_ne(gw_builder_listener(b, &listener), 0);
    gw_tls_unref(listener.tls);
    cluster.tls = settings(GW_TLS_CLIENT, cluster_says);
    parts_cluster(b, "up", &cluster, "10.0.0.1:443");
    gw_tls_unref(cluster.tls);
    hello.reply_code = 200;
    hello.reply_body = gw_cstr("hello\n");
    parts_route(b, "/hello", &hello, NULL);
    parts_route(b, "/", NULL, "up");
    return parts_build(b);
}

static void start_with(const struct said *listener, const struct said *cluster,
                       const gw_limits *limits)
{
    memset(&host, 0, sizeof host);
    memset(logged, 0, sizeof logged);
    test_alloc_init(&host.alloc);
    host.log = take_log;
    host.log_level = GW_LOG_WARN;
    mode1_start(&host, configure(listener, cluster), limits);
    pair_memory(&world, BLOCK, BLOCKS);
}

static void start(void)
{
    static const struct said named = { .trust = "root.crt", .server_name = "a.test" };

    start_with(&edge, &named, NULL);
}

static void stop(void)
{
    mode1_stop(&host);
    pair_fini(&world);
    gw_tls_provider_leave();
}

static void come(uint32_t protocols)
{
    peer_init(&client, &world.client, mode1_accept(&host, "edge"), GW_TLS_CLIENT, &trusting,
              protocols);
    talk(&client);
}

static void meet(const struct said *said, uint32_t protocols)
{
    peer_init(&upstream, &world.server, mode1_upstream(&host), GW_TLS_SERVER, said, protocols);
    talk(&upstream);
}

static bool has(const struct peer *p, const char *text)
{
    return strstr(p->text, text) != NULL;
}

/* Where zeros are among them. */
static bool has_bytes(const struct peer *p, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= p->len; i++)
        if (memcmp(p->text + i, text, len) == 0)
            return true;
    return false;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\n\r\n"

/* ---- all is well ---- */

START_TEST(a_request_goes_through)
{
    start();
    world.piece = _i == 0 ? 0 : 3;
    come(GW_PROTO_H1);
    ck_assert(world.client.engine->ops->is_ready(world.client.engine));
    say(&client, GET("/x"));
    meet(&edge, GW_PROTO_H1);
    ck_assert_msg(has(&upstream, "GET /x HTTP/1.1\r\n"), "%s", upstream.text);
    ck_assert(is(told(&world.server).server_name, "a.test"));
    ck_assert(is(told(&world.server).alpn, "http/1.1"));
    ck_assert_ptr_null(strstr(host.links[1].out, "GET /x"));
    say(&upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    talk(&client);
    ck_assert(has(&client, " 200 OK") && has(&client, "\r\n\r\nok"));
    ck_assert_uint_eq(mode1_stat(&host, "tls_handshakes"), 2);
    stop();
}
END_TEST

START_TEST(a_listener_knows_whom_it_speaks_with)
{
    static const struct said asks = { .certificates = { "a-p256" }, .trust = "root.crt" };
    static const struct said known = { .trust = "root.crt", .certificates = { "client-spiffe" } };
    gw_facts facts = GW_SPEC(gw_facts);

    start_with(&asks, &trusting, NULL);
    peer_init(&client, &world.client, mode1_accept(&host, "edge"), GW_TLS_CLIENT, &known,
              GW_PROTO_H1);
    ck_assert_int_eq(gw_link_get_facts(client.link->link, &facts), GW_OK);
    ck_assert_uint_eq(facts.is_verified, 0);
    talk(&client);
    say(&client, GET("/hello"));
    ck_assert(has(&client, "hello\n"));
    ck_assert_int_eq(gw_link_get_facts(client.link->link, &facts), GW_OK);
    ck_assert(facts.is_secure == 1 && facts.is_verified == 1);
    ck_assert(is(facts.server_name, "a.test") && is(facts.alpn, "http/1.1"));
    ck_assert(is(facts.tls_version, "TLSv1.3") && facts.cipher.len > 0);
    ck_assert(is(facts.peer_identity, "spiffe://mesh.test/ns/shop/sa/web"));
    stop();
}
END_TEST

START_TEST(alpn_decides_what_is_spoken)
{
    static const uint8_t request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                                     "\0\0\x12\1\5\0\0\0\1\x82\x87\x04\6/hello\x01\6a.test";
    gw_facts facts = GW_SPEC(gw_facts);

    start();
    come(GW_PROTO_H1 | GW_PROTO_H2);
    send(client.side, request, sizeof request - 1);
    talk(&client);
    ck_assert_int_eq(gw_link_get_facts(client.link->link, &facts), GW_OK);
    ck_assert(is(facts.alpn, "h2"));
    ck_assert_uint_eq(facts.protocol, GW_PROTO_H2);
    ck_assert(has_bytes(&client, "hello\n"));
    stop();
}
END_TEST

/* The host has ended TLS itself, and hands on what is clear. */
START_TEST(the_host_ends_it)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    struct mode1_link *l;
    gw_link *link;

    start();
    facts.is_secure = 1;
    spec.listener = gw_cstr("edge");
    spec.facts = &facts;
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
    l = mode1_find(&host, link);
    mode1_say(&host, l, GET("/hello"));
    ck_assert_ptr_nonnull(strstr(l->out, "hello\n"));
    stop();
}
END_TEST

/* Who is there stays with what was agreed on; who comes gets what is new. */
START_TEST(certificates_are_swapped)
{
    static const struct said other = { .certificates = { "other" } };
    struct side first;

    start();
    come(GW_PROTO_H1);
    parts_apply(&host, configure(&other, &trusting));
    mode1_pump(&host);
    say(&client, GET("/hello"));
    ck_assert(has(&client, " 200 OK"));
    first = world.client;
    memset(&world.client, 0, sizeof world.client);
    come(GW_PROTO_H1);
    ck_assert_int_eq(world.client.status, GW_ETLS);
    ck_assert_ptr_nonnull(strstr(world.client.engine->ops->fault(world.client.engine),
                                 "expected a certificate for a.test"));
    side_fini(&first);
    stop();
}
END_TEST

/* ---- trouble ---- */

START_TEST(the_upstream_is_another)
{
    static const struct said other = { .certificates = { "other" } };

    start();
    come(GW_PROTO_H1);
    say(&client, GET("/x"));
    meet(&other, GW_PROTO_H1);
    talk(&client);
    ck_assert_msg(has(&client, " 502 "), "%s", client.text);
    ck_assert_msg(has(&client, "expected a certificate for a.test, it is for"), "%s", client.text);
    ck_assert_ptr_nonnull(strstr(logged, "link.tls_failed: expected a certificate for a.test"));
    ck_assert_ptr_null(strstr(upstream.text, "GET"));
    ck_assert_int_eq(world.server.status, GW_ETLS); /* it was told */
    stop();
}
END_TEST

START_TEST(clear_http_on_its_port)
{
    struct mode1_link *l;

    start();
    l = mode1_accept(&host, "edge");
    mode1_feed(&host, l, GET("/hello"), strlen(GET("/hello")), _i == 0 ? 0 : 1);
    ck_assert_msg(strncmp(l->out, "HTTP/1.1 400 ", 13) == 0, "%s", l->out);
    ck_assert_ptr_nonnull(strstr(l->out, "https://"));
    ck_assert_ptr_nonnull(strstr(logged, "link.tls_failed: clear HTTP on a port of TLS"));
    ck_assert(l->is_shutdown);
    mode1_pass(&host, 10 * second);
    ck_assert_ptr_null(l->link);
    stop();
}
END_TEST

static const struct stall {
    size_t len;
    const char *bytes;
} stalls[] = {
    { 0, "" },
    { 1, "\x16" },
    { 11, "\x16\3\1\2\0\1\0\1\xfc\3\3" },
};

/* Drop by drop is no better: all of it is bounded. */
START_TEST(a_handshake_stalls)
{
    const struct stall *s = &stalls[_i];
    struct mode1_link *l;
    int seconds = 0;

    start();
    l = mode1_accept(&host, "edge");
    mode1_feed(&host, l, s->bytes, s->len, 0);
    for (; l->link != NULL && seconds < 100; seconds++) {
        mode1_pass(&host, second);
        if (s->len > 1 && !l->is_shutdown)
            mode1_feed(&host, l, "", 1, 0);
    }
    ck_assert_int_ge(seconds, 10);
    ck_assert_int_le(seconds, 20);
    ck_assert_ptr_nonnull(strstr(logged, "link.tls_failed: the handshake took too long"));
    ck_assert_uint_eq(mode1_stat(&host, "tls_failed"), 1);
    stop();
}
END_TEST

/* A body until the end of the connection is whole with the peer's own end, and cut without. */
/* One record, a byte a second: as a head in pieces that small, however short the silences are. */
START_TEST(a_record_drips)
{
    struct gw_chain *sealed = &world.client.tx;
    struct mode1_link *l;
    uint8_t byte;
    int seconds = 0;

    start();
    come(GW_PROTO_H1);
    l = client.link;
    send(&world.client, (const uint8_t *)GET("/hello"), sizeof GET("/hello") - 1);
    work(&world.client);
    for (; !l->is_shutdown && l->link != NULL && seconds < 40; seconds++) {
        ck_assert_uint_gt(sealed->len, 1);
        (void)gw_chain_read(sealed, 0, &byte, 1);
        gw_chain_drop(sealed, 1);
        mode1_feed(&host, l, (const char *)&byte, 1, 0);
        mode1_pass(&host, second);
    }
    ck_assert_int_ge(seconds, 10);
    ck_assert_int_le(seconds, 20);
    stop();
}
END_TEST

START_TEST(an_end_is_the_engines_own)
{
    bool is_said = _i == 1;

    start();
    come(GW_PROTO_H1);
    say(&client, GET("/x"));
    meet(&edge, GW_PROTO_H1);
    say(&upstream, "HTTP/1.1 200 OK\r\n\r\nsome");
    if (is_said) {
        world.server.engine->ops->close(world.server.engine);
        talk(&upstream);
    }
    if (upstream.link->link != NULL)
        mode1_end(&host, upstream.link);
    talk(&client);
    ck_assert(has(&client, "some"));
    ck_assert_msg(has(&client, "\r\n0\r\n\r\n") == is_said, "%s", client.text);
    ck_assert(is_said || client.link->link == NULL || client.link->is_shutdown ||
              world.client.status == GW_EOF);
    stop();
}
END_TEST

START_TEST(no_more_of_them)
{
    gw_limits limits = GW_SPEC(gw_limits);
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link;

    limits.tls_links_max = 2;
    start_with(&edge, &trusting, &limits);
    come(GW_PROTO_H1);
    (void)mode1_accept(&host, "edge");
    spec.listener = gw_cstr("edge");
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_ELIMIT);
    say(&client, GET("/hello"));
    ck_assert(has(&client, " 200 OK"));
    say(&client, GET("/x")); /* nor is there one for an upstream */
    ck_assert_msg(has(&client, " 503 "), "%s", client.text);
    stop();
}
END_TEST

static Suite *secured_suite(void)
{
    Suite *suite = suite_create("secured");

    check_add_loop(suite, a_request_goes_through, 0, 2);
    check_add(suite, a_listener_knows_whom_it_speaks_with);
    if (GW_HAVE_H2)
        check_add(suite, alpn_decides_what_is_spoken);
    check_add(suite, the_host_ends_it);
    check_add(suite, certificates_are_swapped);
    check_add(suite, the_upstream_is_another);
    check_add_loop(suite, clear_http_on_its_port, 0, 2);
    check_add_loop(suite, a_handshake_stalls, 0, (int)(sizeof stalls / sizeof *stalls));
    check_add(suite, a_record_drips);
    check_add_loop(suite, an_end_is_the_engines_own, 0, 2);
    check_add(suite, no_more_of_them);
    return suite;
}
CHECK_MAIN(secured_suite)
