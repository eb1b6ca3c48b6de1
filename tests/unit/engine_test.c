/* unit/engine_test.c: two engines of TLS, client and server, that are each other's peer: what they agree on,
 * what they refuse and with which words, with bytes that come in pieces. */

#include "check_main.h"
#include "tls_pair.h"

/* Bytes go both ways, and both ends are seen. */
static void converse(struct pair *p)
{
    static uint8_t bytes[300000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)gw_prng_next(&p->prng);
    for (size_t len = 1; len < (p->piece == 1 ? 5000 : sizeof bytes); len = len * 3 + 1) {
        send(&p->client, bytes, len);
        send(&p->server, bytes + 1, len - 1);
        play(p);
        expect(&p->server, bytes, len);
        expect(&p->client, bytes + 1, len - 1);
    }
    ck_assert(!p->client.engine->ops->wants_seal(p->client.engine));
    p->client.engine->ops->close(p->client.engine);
    ck_assert(p->client.engine->ops->wants_seal(p->client.engine));
    play(p);
    ck_assert(!p->client.engine->ops->wants_seal(p->client.engine));
    ck_assert_int_eq(p->server.status, GW_EOF);
    p->server.engine->ops->close(p->server.engine);
    play(p);
    ck_assert_int_eq(p->client.status, GW_EOF);
}

static const struct said root = { .trust = "root.crt" };

START_TEST(agree)
{
    static const size_t pieces[] = { 0, 1, 7, 1500 };
    const struct said server = { .certificates = { "a-p256" },
                                 .version_max = _i < 4 ? 0 : GW_TLS_1_2 };
    struct pair p;
    gw_facts facts;

    pair_init(&p, &root, &server, "a.test");
    p.piece = pieces[_i % 4];
    play(&p);
    ck_assert_msg(are_ready(&p), "%s / %s", p.client.engine->ops->fault(p.client.engine),
                  p.server.engine->ops->fault(p.server.engine));
    facts = told(&p.server);
    ck_assert(is(facts.server_name, "a.test") && is(facts.alpn, "h2"));
    ck_assert(is(facts.tls_version, _i < 4 ? "TLSv1.3" : "TLSv1.2"));
    ck_assert(facts.is_secure == 1 && facts.is_verified == 0 && facts.cipher.len > 0);
    facts = told(&p.client);
    ck_assert(facts.is_verified == 1 && is(facts.alpn, "h2"));
    converse(&p);
    pair_fini(&p);
}
END_TEST

/* However little is asked for: what was opened and kept back, nobody would ask for again. */
START_TEST(a_record_is_handed_over_whole)
{
    static const uint8_t bytes[9000];
    const struct said server = { .certificates = { "a-p256" } };
    struct pair p;
    struct side *c = &p.client;

    pair_init(&p, &root, &server, "a.test");
    play(&p);
    send(&p.server, bytes, sizeof bytes);
    work(&p.server);
    ck_assert_int_eq(gw_chain_move(&c->rx, &p.server.tx, p.server.tx.len - 1), GW_OK);
    ck_assert_int_eq(c->engine->ops->open(c->engine, &c->rx, &c->in, 1), GW_OK);
    ck_assert_uint_eq(c->in.len, 0);
    ck_assert_int_eq(gw_chain_move(&c->rx, &p.server.tx, 1), GW_OK);
    ck_assert_int_eq(c->engine->ops->open(c->engine, &c->rx, &c->in, 1), GW_OK);
    expect(c, bytes, sizeof bytes);
    pair_fini(&p);
}
END_TEST

/* ---- who is refused ---- */

static const struct refusal {
    const char *what;
    struct said client, server;
    const char *name;
    const char *client_says, *server_says; /* NULL: nothing */
} refusals[] = {
    { "other host",
      { .trust = "root.crt" },
      { .certificates = { "other" } },
      "a.test",
      "expected a certificate for a.test, it is for",
      "" },
    { "stranger",
      { .trust = "stranger.crt" },
      { .certificates = { "a-p256" } },
      "a.test",
      "the peer's certificate: ",
      "" },
    { "expired",
      { .trust = "root.crt" },
      { .certificates = { "expired" } },
      "a.test",
      "the peer's certificate: ",
      "" },
    { "future",
      { .trust = "root.crt" },
      { .certificates = { "future" } },
      "a.test",
      "the peer's certificate: ",
      "" },
    { "self",
      { .trust = "root.crt" },
      { .certificates = { "self" } },
      "a.test",
      "the peer's certificate: ",
      "" },
    { "revoked",
      { .trust = "ca.crt", .revoked = "ca.crl" },
      { .certificates = { "revoked" } },
      "a.test",
      "the peer's certificate: ",
      "" },
    { "common name alone",
      { .trust = "root.crt" },
      { .certificates = { "cn-only" } },
      "a.test",
      "expected a certificate for a.test, it is for nobody by subjectAltName",
      "" },
    { "by a leaf",
      { .trust = "root.crt" },
      { .certificates = { "by-leaf" } },
      "a.test",
      "the peer's certificate: ",
      "" },
    { "version",
      { .trust = "root.crt", .version_min = GW_TLS_1_3 },
      { .certificates = { "a-p256" }, .version_max = GW_TLS_1_2 },
      "a.test",
      "",
      NULL },
    { "no client certificate",
      { .trust = "root.crt" },
      { .certificates = { "a-p256" }, .trust = "root.crt" },
      "a.test",
      NULL,
      "" },
    { "client stranger",
      { .trust = "root.crt", .certificates = { "client-stranger" } },
      { .certificates = { "a-p256" }, .trust = "root.crt" },
      "a.test",
      NULL,
      "the peer's certificate: " },
    { "client revoked",
      { .trust = "root.crt", .certificates = { "client-revoked" } },
      { .certificates = { "a-p256" }, .trust = "ca.crt", .revoked = "ca.crl" },
      "a.test",
      NULL,
      "the peer's certificate: " },
    { "client expired",
      { .trust = "root.crt", .certificates = { "client-expired" } },
      { .certificates = { "a-p256" }, .trust = "root.crt" },
      "a.test",
      NULL,
      "the peer's certificate: " },
    { "client not allowed",
      { .trust = "root.crt", .certificates = { "client-dns" } },
      { .certificates = { "a-p256" }, .trust = "root.crt", .peer = "somebody.test" },
      "a.test",
      NULL,
      "the client is none of those that may come" },
};

static void check_words(const struct refusal *r, const struct side *side, const char *words)
{
    const char *fault = side->engine->ops->fault(side->engine);

    if (words == NULL) {
        ck_assert(!side->engine->ops->is_ready(side->engine) || side->status != GW_OK);
        return;
    }
    ck_assert_msg(side->status == GW_ETLS, "%s: %d", r->what, (int)side->status);
    ck_assert_msg(strstr(fault, words) == fault && fault[0] != '\0', "%s: %s", r->what, fault);
}

START_TEST(refuse)
{
    const struct refusal *r = &refusals[_i];
    struct pair p;

    pair_init(&p, &r->client, &r->server, r->name);
    play(&p);
    ck_assert_msg(!are_ready(&p) || p.client.status != GW_OK || p.server.status != GW_OK, "%s",
                  r->what);
    check_words(r, &p.client, r->client_says);
    check_words(r, &p.server, r->server_says);
    pair_fini(&p);
}
END_TEST

static bool owes(const struct side *side)
{
    return side->engine->ops->wants_seal(side->engine);
}

/* What finds no memory is owed: a side that says nothing of it would be ended without its last record. */
START_TEST(without_memory_it_is_owed)
{
    static const struct said server = { .certificates = { "a-p256" } };
    struct gw_block *all[BLOCKS];
    uint32_t n = 0;
    struct pair p;

    pair_init(&p, &root, &server, "a.test");
    play(&p);
    ck_assert(are_ready(&p) && !owes(&p.client) && !owes(&p.server));
    while (n < BLOCKS && (all[n] = gw_block_take(&p.pool, NULL)) != NULL)
        n++;
    p.server.engine->ops->close(p.server.engine);
    work(&p.server);
    ck_assert_uint_eq(p.server.tx.len, 0);
    ck_assert(owes(&p.server));
    while (n > 0)
        gw_block_unref(all[--n]);
    play(&p);
    ck_assert(!owes(&p.server));
    ck_assert_int_eq(p.client.status, GW_EOF);
    pair_fini(&p);
}
END_TEST

static Suite *engine_suite(void)
{
    Suite *suite = suite_create("engine");

    check_add_loop(suite, agree, 0, 8);
    check_add(suite, a_record_is_handed_over_whole);
    check_add_loop(suite, refuse, 0, (int)(sizeof refusals / sizeof *refusals));
    check_add(suite, without_memory_it_is_owed);
    return suite;
}
Suite *engine_oom_suite(void);

CHECK_MAIN(engine_suite, engine_oom_suite)
