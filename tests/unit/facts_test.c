/* unit/facts_test.c: what a host says of a connection whose TLS it has ended itself: what is taken for
 * true, who can ask for it, and what follows from it. */

#include "gw_features.h"
#include "handback_suites.h"
#include "parts.h"

static struct mode1 host;

struct seen {
    int begun;
    gw_facts facts; /* its texts are copied here */
    char texts[5][600], scheme[8];
};
static struct seen seen;

static void keep(char *out, size_t size, gw_str s)
{
    ck_assert_uint_lt(s.len, size);
    snprintf(out, size, "%.*s", (int)s.len, s.len > 0 ? s.ptr : "");
}

static gw_verdict see_request(void *ctx, gw_exchange *x)
{
    struct seen *s = ctx;

    s->begun++;
    s->facts = GW_SPEC(gw_facts);
    ck_assert_int_eq(gw_link_get_facts(gw_exchange_link(x), &s->facts), GW_OK);
    keep(s->texts[0], sizeof *s->texts, s->facts.server_name);
    keep(s->texts[1], sizeof *s->texts, s->facts.alpn);
    keep(s->texts[2], sizeof *s->texts, s->facts.tls_version);
    keep(s->texts[3], sizeof *s->texts, s->facts.cipher);
    keep(s->texts[4], sizeof *s->texts, s->facts.peer_identity);
    keep(s->scheme, sizeof s->scheme, gw_message_part(gw_exchange_request(x), GW_PART_SCHEME));
    return GW_NEXT;
}

static void start(uint32_t forwarded)
{
    gw_builder *b;
    gw_listener_spec edge = GW_SPEC(gw_listener_spec), h1 = GW_SPEC(gw_listener_spec);
    gw_filter filter = GW_SPEC(gw_filter);

    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    edge.name = gw_cstr("edge");
    edge.forwarded = forwarded;
    gw_builder_listener(b, &edge);
    h1.name = gw_cstr("h1");
    h1.protocols = GW_PROTO_H1;
    gw_builder_listener(b, &h1);
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    parts_route(b, "/", NULL, "web");
    filter.name = "seen";
    filter.ctx = &seen;
    filter.on_request = see_request;
    gw_builder_filter(b, &filter);
    mode1_start(&host, parts_build(b), NULL);
}

static gw_status come(const char *listener, const gw_facts *facts, gw_link **out)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);

    spec.listener = gw_cstr(listener);
    spec.facts = facts;
    return gw_worker_accept(host.worker, &spec, out);
}

static gw_facts all_facts(void)
{
    return (gw_facts){ .size = sizeof(gw_facts),
                       .peer = gw_cstr("192.0.2.7:4711"),
                       .local = gw_cstr("198.51.100.1:443"),
                       .is_secure = 1,
                       .is_verified = 1,
                       .server_name = gw_cstr("www.example.com"),
                       .alpn = gw_cstr("http/1.1"),
                       .tls_version = gw_cstr("TLSv1.3"),
                       .cipher = gw_cstr("TLS_AES_128_GCM_SHA256"),
                       .peer_identity = gw_cstr("spiffe://example.com/billing") };
}

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

START_TEST(hooks_and_upstreams_learn_them)
{
    gw_facts facts = all_facts();
    struct mode1_link *client;
    const char *out;
    gw_link *link;

    start(_i == 0 ? GW_FORWARDED_X : GW_FORWARDED_RFC7239);
    ck_assert_int_eq(come("edge", &facts, &link), GW_OK);
    client = mode1_find(&host, link);
    mode1_say(&host, client, get);
    ck_assert_int_eq(seen.begun, 1);
    ck_assert_uint_eq(seen.facts.protocol, GW_PROTO_H1);
    ck_assert_uint_eq(seen.facts.is_secure, 1);
    ck_assert_uint_eq(seen.facts.is_verified, 1);
    ck_assert_str_eq(seen.texts[0], "www.example.com");
    ck_assert_str_eq(seen.texts[1], "http/1.1");
    ck_assert_str_eq(seen.texts[2], "TLSv1.3");
    ck_assert_str_eq(seen.texts[3], "TLS_AES_128_GCM_SHA256");
    ck_assert_str_eq(seen.texts[4], "spiffe://example.com/billing");
    ck_assert_str_eq(seen.scheme, "https");
    out = mode1_upstream(&host)->out;
    if (_i == 0) {
        ck_assert_ptr_nonnull(strstr(out, "X-Forwarded-For: 192.0.2.7\r\n"));
        ck_assert_ptr_nonnull(strstr(out, "X-Forwarded-Proto: https\r\n"));
        ck_assert_ptr_nonnull(strstr(out, "X-Forwarded-Port: 443\r\n"));
    } else {
        ck_assert_ptr_nonnull(strstr(out, ";proto=https\r\n"));
    }
    mode1_stop(&host);
}
END_TEST

START_TEST(what_is_clear_has_none)
{
    gw_facts facts = { .size = sizeof facts, .peer = gw_cstr("192.0.2.7:4711") };
    gw_link *link;

    start(0);
    ck_assert_int_eq(come("edge", &facts, &link), GW_OK);
    mode1_say(&host, mode1_find(&host, link), get);
    ck_assert_uint_eq(seen.facts.is_secure, 0);
    ck_assert_uint_eq(seen.facts.is_verified, 0);
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(seen.texts[i], "");
    ck_assert_str_eq(seen.scheme, "http");
    ck_assert_ptr_nonnull(strstr(mode1_upstream(&host)->out, "X-Forwarded-Proto: http\r\n"));
    mode1_stop(&host);
}
END_TEST

/* A host that was built with fewer facts asks for those, and says those. */
START_TEST(older_hosts_are_understood)
{
    struct {
        gw_facts facts;
        char behind[8];
    } some = { { .size = offsetof(gw_facts, server_name), .is_secure = 1 }, "behind" };
    gw_facts first = all_facts();
    gw_link *link;

    start(0);
    ck_assert_int_eq(come("edge", &some.facts, &link), GW_OK);
    some.facts.is_secure = 0;
    some.facts.cipher.len = 99;
    ck_assert_int_eq(gw_link_get_facts(link, &some.facts), GW_OK);
    ck_assert_uint_eq(some.facts.is_secure, 1);
    ck_assert_uint_eq(some.facts.cipher.len, 99);
    first.size = offsetof(gw_facts, is_secure); /* as it was: what lies behind is not looked at */
    first.alpn = gw_cstr("none such");
    ck_assert_int_eq(come("edge", &first, &link), GW_OK);
    mode1_stop(&host);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    static char longest[600];
    static const struct {
        size_t at, max;
    } texts[] = { { offsetof(gw_facts, server_name), 255 },
                  { offsetof(gw_facts, tls_version), 32 },
                  { offsetof(gw_facts, cipher), 64 },
                  { offsetof(gw_facts, peer_identity), 512 } };
    gw_link *link;
    gw_facts facts;

    start(0);
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        gw_str *text = (gw_str *)(void *)((char *)&facts + texts[i].at);
        facts = all_facts();
        *text = (gw_str){ longest, texts[i].max };
        ck_assert_int_eq(come("edge", &facts, &link), GW_OK);
        text->len++;
        ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
        *text = (gw_str){ "a\nb", 3 };
        ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
        *text = (gw_str){ NULL, 3 };
        ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
        facts = (gw_facts){ .size = sizeof facts }; /* it did not come under TLS */
        *text = gw_cstr("a");
        ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    }
    for (int i = 0; i < 2; i++) {
        gw_str *text = i == 0 ? &facts.peer : &facts.local;
        facts = (gw_facts){ .size = sizeof facts };
        *text = (gw_str){ longest, 128 };
        ck_assert_int_eq(come("edge", &facts, &link), GW_OK);
        text->len++;
        ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
        *text = (gw_str){ "unix:/a\nb", 9 };
        ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
        *text = (gw_str){ NULL, 3 };
        ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    }
    facts = (gw_facts){ .size = sizeof facts, .is_verified = 1 };
    ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    facts = (gw_facts){ .size = sizeof facts, .alpn = gw_cstr("http/1.1") };
    ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    facts = all_facts();
    facts.is_secure = 2;
    ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    facts = all_facts();
    facts.is_verified = 2;
    ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    mode1_stop(&host);
}
END_TEST

/* Nothing is guessed where something was agreed on. */
START_TEST(alpn_decides)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    gw_facts facts = all_facts();
    struct mode1_link *client;
    gw_link *link;

    start(0);
    ck_assert_int_eq(come("edge", &facts, &link), GW_OK);
    client = mode1_find(&host, link);
    mode1_say(&host, client, preface);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 505", 12) == 0, "%s", client->out);
    facts.alpn = gw_cstr("http/1.0");
    ck_assert_int_eq(come("edge", &facts, &link), GW_OK);
    facts.alpn = gw_cstr("h3");
    ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    facts.alpn = gw_cstr("h2");
    ck_assert_int_eq(come("h1", &facts, &link), GW_EINVAL);
    facts.protocol = GW_PROTO_H1;
    ck_assert_int_eq(come("edge", &facts, &link), GW_EINVAL);
    facts.protocol = GW_PROTO_H2;
    ck_assert_int_eq(come("edge", &facts, &link), GW_HAVE_H2 ? GW_OK : GW_EINVAL);
    facts.protocol = 0;
    if (GW_HAVE_H2) {
        ck_assert_int_eq(come("edge", &facts, &link), GW_OK);
        client = mode1_find(&host, link);
        mode1_say(&host, client, get); /* which is no preface */
        ck_assert_int_eq(seen.begun, 0);
        ck_assert(client->is_shutdown);
    }
    mode1_stop(&host);
}
END_TEST

Suite *facts_suite(void)
{
    Suite *suite = suite_create("facts");

    check_add_loop(suite, hooks_and_upstreams_learn_them, 0, 2);
    check_add(suite, what_is_clear_has_none);
    check_add(suite, older_hosts_are_understood);
    check_add(suite, what_cannot_be_is_refused);
    check_add(suite, alpn_decides);
    return suite;
}
