/* unit/identity_test.c: whom a request is from, and what its upstream is told, in mode 1: what leaves is
 * compared byte for byte. */

#include "check_main.h"
#include "mode1.h"

static struct mode1 host;

struct seen {
    char client[64], at_first[64]; /* at the end, and in on_request */
    char spoofed[64];              /* X-Forwarded-For as a filter sees it */
    gw_cause cause;
};
static struct seen seen;

static void copy(char *out, size_t size, gw_str text)
{
    snprintf(out, size, "%.*s", (int)text.len, text.ptr == NULL ? "" : text.ptr);
}

static gw_verdict see_request(void *ctx, gw_exchange *x)
{
    struct seen *s = ctx;
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    copy(s->at_first, sizeof s->at_first, info.client);
    copy(s->spoofed, sizeof s->spoofed,
         gw_message_field(gw_exchange_request(x), gw_cstr("x-forwarded-for")));
    return GW_NEXT;
}

static void see_end(void *ctx, const gw_exchange *x)
{
    struct seen *s = ctx;
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    copy(s->client, sizeof s->client, info.client);
    s->cause = gw_exchange_cause(x);
}

static void start(gw_listener_spec *listener, uint32_t upstream)
{
    gw_builder *b;
    gw_config *config;
    gw_env env = GW_SPEC(gw_env);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_config_error err = GW_SPEC(gw_config_error);

    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    test_alloc_init(&host.alloc);
    env.allocator = host.alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    listener->name = gw_cstr("edge");
    gw_builder_listener(b, listener);
    cluster.name = gw_cstr("web");
    cluster.protocols = upstream;
    endpoint.address = gw_cstr("127.0.0.1:81");
    gw_builder_endpoint(b, gw_builder_cluster(b, &cluster), &endpoint);
    route.name = gw_cstr("web");
    route.cluster = gw_cstr("web");
    gw_builder_route(b, &route);
    filter.name = "seen";
    filter.ctx = &seen;
    filter.on_request = see_request;
    filter.on_end = see_end;
    gw_builder_filter(b, &filter);
    ck_assert_msg(gw_builder_build(b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    mode1_start(&host, config, NULL);
}

static struct mode1_link *accept_from(const char *peer, const char *local)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    gw_link *link;

    facts.peer = gw_cstr(peer);
    facts.local = gw_cstr(local);
    spec.listener = gw_cstr("edge");
    spec.facts = &facts;
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
    return mode1_find(&host, link);
}

/* The head that the upstream gets of a request with these fields, behind Host. */
static const char *told(struct mode1_link *client, const char *sent)
{
    static char text[4096];

    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a.test:80\r\n%s\r\n", sent);
    mode1_say(&host, client, text);
    return mode1_upstream(&host)->out;
}

#define HEAD "GET / HTTP/1.1\r\nHost: a.test:80\r\n"

struct row {
    const char *peer, *local;
    const char *trusted[2];
    uint32_t hops, forwarded, flags;
    const char *sent, *wanted, *client;
};

#define OURS(ip)                                                                                   \
    "X-Forwarded-For: " ip "\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test:80\r\n"        \
    "X-Forwarded-Port: 8080\r\nVia: 1.1 me\r\n"
#define SPOOFED                                                                                    \
    "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: evil\r\n"           \
    "X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /admin\r\nX-Real-IP: 6.6.6.6\r\n"                  \
    "X_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"

static const struct row rows[] = {
    /* a client is told about, whatever it says of itself */
    { "192.0.2.1:5", "10.0.0.9:8080", { NULL }, 0, 0, 0, "", OURS("192.0.2.1"), "192.0.2.1" },
    { "192.0.2.1:5", "10.0.0.9:8080", { NULL }, 0, 0, 0, SPOOFED, OURS("192.0.2.1"), "192.0.2.1" },
    { "192.0.2.1:5",
      "10.0.0.9:8080",
      { "10.0.0.0/8" },
      0,
      0,
      0,
      SPOOFED,
      OURS("192.0.2.1"),
      "192.0.2.1" },
    { "[2001:db8::1]:5", "[::1]:8080", { NULL }, 0, 0, 0, "", OURS("2001:db8::1"), "2001:db8::1" },
    { "192.0.2.1", "10.0.0.9:8080", { NULL }, 0, 0, 0, "", OURS("192.0.2.1"), "192.0.2.1" },
    /* a trusted peer is believed as far as trust goes */
    { "10.0.0.1:5",
      "10.0.0.9:8080",
      { "10.0.0.0/8" },
      0,
      0,
      0,
      "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\nX-Forwarded-For: 10.0.0.2\r\n"
      "X-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /p\r\nX_Forwarded_For: 6.6.6.6\r\n"
      "Forwarded: for=6.6.6.6\r\nVia: 1.1 other\r\n",
      "X-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /p\r\nVia: 1.1 other\r\n"
      "X-Forwarded-For: 192.0.2.1, 10.0.0.2, 10.0.0.1\r\nX-Forwarded-Host: a.test:80\r\n"
      "X-Forwarded-Port: 8080\r\nVia: 1.1 me\r\n",
      "192.0.2.1" },
    { "10.0.0.1:5",
      "10.0.0.9:8080",
      { "10.0.0.0/8", "2001:db8::/32" },
      0,
      0,
      0,
      "X-Forwarded-For: 192.0.2.1:1234, [2001:db8::1]:5\r\n",
      "X-Forwarded-For: 192.0.2.1:1234, [2001:db8::1]:5, 10.0.0.1\r\nX-Forwarded-Proto: http\r\n"
      "X-Forwarded-Host: a.test:80\r\nX-Forwarded-Port: 8080\r\nVia: 1.1 me\r\n",
      "192.0.2.1" },
    { "10.0.0.1:5",
      "10.0.0.9:8080",
      { "10.0.0.0/8" },
      0,
      0,
      0,
      "X-Forwarded-For: unknown\r\n",
      "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test:80\r\n"
      "X-Forwarded-Port: 8080\r\nVia: 1.1 me\r\n",
      "10.0.0.1" },
    { "10.0.0.1:5",
      "10.0.0.9:8080",
      { NULL },
      1,
      0,
      0,
      "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n",
      "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: http\r\n"
      "X-Forwarded-Host: a.test:80\r\nX-Forwarded-Port: 8080\r\nVia: 1.1 me\r\n",
      "192.0.2.1" },
    /* who has no address */
    { "unix:",
      "unix:/run/x",
      { NULL },
      0,
      0,
      0,
      SPOOFED,
      "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test:80\r\nVia: 1.1 me\r\n",
      "unix:" },
    { "unix:",
      "unix:/run/x",
      { "unix" },
      0,
      0,
      0,
      "X-Forwarded-For: 192.0.2.1\r\n",
      "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test:80\r\n"
      "Via: 1.1 me\r\n",
      "192.0.2.1" },
    { "pipe 7; X: y",
      "",
      { "unix" },
      0,
      0,
      0,
      "X-Forwarded-For: 192.0.2.1\r\n",
      "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test:80\r\nVia: 1.1 me\r\n",
      "pipe 7; X: y" },
    /* RFC 7239 */
    { "192.0.2.1:5",
      "10.0.0.9:8080",
      { NULL },
      0,
      GW_FORWARDED_RFC7239,
      0,
      SPOOFED,
      "Forwarded: for=192.0.2.1;host=\"a.test:80\";proto=http\r\nVia: 1.1 me\r\n",
      "192.0.2.1" },
    { "[2001:db8::1]:5",
      "[::1]:8080",
      { "2001:db8::/32" },
      0,
      GW_FORWARDED_RFC7239,
      0,
      "Forwarded: for=\"\r\nForwarded: for=6.6.6.6, for=192.0.2.1;proto=https\r\n"
      "X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n",
      "Forwarded: for=192.0.2.1;proto=https, "
      "for=\"[2001:db8::1]\";host=\"a.test:80\";proto=http\r\n"
      "Via: 1.1 me\r\n",
      "192.0.2.1" },
    { "unix:",
      "",
      { NULL },
      0,
      GW_FORWARDED_RFC7239,
      GW_LISTENER_NO_VIA,
      "",
      "Forwarded: for=unknown;host=\"a.test:80\";proto=http\r\n",
      "unix:" },
    /* nothing */
    { "192.0.2.1:5",
      "10.0.0.9:8080",
      { NULL },
      0,
      GW_OFF,
      0,
      SPOOFED,
      "Via: 1.1 me\r\n",
      "192.0.2.1" },
    { "192.0.2.1:5",
      "10.0.0.9:8080",
      { NULL },
      0,
      GW_OFF,
      GW_LISTENER_NO_VIA,
      "Via: 1.1 me\r\n",
      "Via: 1.1 me\r\n",
      "192.0.2.1" },
    { "192.0.2.1:5",
      "10.0.0.9:8080",
      { NULL },
      0,
      0,
      GW_LISTENER_NO_VIA,
      "",
      "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test:80\r\n"
      "X-Forwarded-Port: 8080\r\n",
      "192.0.2.1" },
};

START_TEST(upstreams_are_told)
{
    const struct row *row = &rows[_i];
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_str trusted[2];
    char wanted[2048];

    for (; listener.trusted_len < 2 && row->trusted[listener.trusted_len] != NULL;
         listener.trusted_len++)
        trusted[listener.trusted_len] = gw_cstr(row->trusted[listener.trusted_len]);
    listener.trusted = trusted;
    listener.trusted_hops = row->hops;
    listener.forwarded = row->forwarded;
    listener.flags = row->flags;
    if (row->flags == 0)
        listener.via = gw_cstr("me");
    start(&listener, GW_PROTO_H1);
    snprintf(wanted, sizeof wanted, "%s%s\r\n", HEAD, row->wanted);
    ck_assert_str_eq(told(accept_from(row->peer, row->local), row->sent), wanted);
    ck_assert_str_eq(seen.at_first, row->client);
    ck_assert_ptr_null(strstr(seen.spoofed, "6.6.6.6"));
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
    ck_assert_str_eq(seen.client, row->client);
    mode1_stop(&host);
}
END_TEST

/* As many fields as a client may have leave room for ours. */
START_TEST(full_heads_have_room)
{
    static char sent[8192];
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    struct mode1_link *client;
    const char *head;
    size_t len = 0;

    listener.forwarded = _i == 0 ? GW_FORWARDED_X : GW_FORWARDED_RFC7239;
    start(&listener, GW_PROTO_H1);
    client = accept_from("192.0.2.1:5", "10.0.0.9:8080");
    for (int i = 0; i < 99; i++) /* and Host */
        len += (size_t)snprintf(sent + len, sizeof sent - len, "x-n: %d\r\n", i);
    head = told(client, sent);
    ck_assert_ptr_nonnull(strstr(head, "\r\nVia: 1.1 gw-"));
    ck_assert_ptr_nonnull(strstr(head, _i == 0 ? "\r\nX-Forwarded-For: 192.0.2.1\r\n"
                                               : "\r\nForwarded: for=192.0.2.1;"));
    mode1_stop(&host);
}
END_TEST

/* What has been here before goes round. */
START_TEST(loops_are_seen)
{
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    struct mode1_link *client, *again;
    const char *via;
    char line[200];

    start(&listener, GW_PROTO_H1);
    client = accept_from("192.0.2.1:5", "10.0.0.9:8080");
    via = strstr(told(client, ""), "Via: ");
    ck_assert_ptr_nonnull(via);
    snprintf(line, sizeof line, "Via: 1.0 fred, %.*s\r\n", (int)strcspn(via + 5, "\r"), via + 5);
    again = accept_from("192.0.2.2:5", "10.0.0.9:8080");
    (void)told(again, line);
    ck_assert_msg(strstr(again->out, "HTTP/1.1 508 ") == again->out, "%s", again->out);
    ck_assert_ptr_nonnull(strstr(again->out, "loop_detected"));
    ck_assert_uint_eq(seen.cause.by, GW_BY_GATEWAY);
    mode1_stop(&host);
}
END_TEST

/* A retry says the same, once. */
START_TEST(a_retry_says_it_once)
{
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    struct mode1_link *client, *first;
    char before[1000];

    listener.via = gw_cstr("me");
    start(&listener, GW_PROTO_H1);
    client = accept_from("192.0.2.1:5", "10.0.0.9:8080");
    (void)told(client, "");
    first = mode1_upstream(&host);
    mode1_clear(first);
    mode1_say(&host, first, "HTTP/1.1 204 No Content\r\n\r\n");
    snprintf(before, sizeof before, "%s", told(client, "a: b\r\n"));
    mode1_end(&host, first);
    ck_assert_ptr_ne(mode1_upstream(&host), first);
    ck_assert_str_eq(mode1_upstream(&host)->out, before);
    mode1_stop(&host);
}
END_TEST

static Suite *identity_suite(void)
{
    Suite *s = suite_create("identity");
    check_add_loop(s, upstreams_are_told, 0, sizeof rows / sizeof *rows);
    check_add_loop(s, full_heads_have_room, 0, 2);
    check_add(s, loops_are_seen);
    check_add(s, a_retry_says_it_once);
    return s;
}

CHECK_MAIN(identity_suite)
