/* unit/engine_test.c: two engines of TLS, client and server, that are each other's peer: what they agree on,
 * what they refuse and with which words, with bytes that come in pieces. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "base/prng.h"
#include "base/text.h"
#include "check_main.h"
#include "tls/provider.h"

enum { BLOCK = 16640, BLOCKS = 256 };

static gw_str file(const char *name)
{
    char path[512];
    FILE *f;
    long len;
    char *text;

    (void)snprintf(path, sizeof path, "%s/%s", UNIT_SOURCE "/../certs", name);
    f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    len = ftell(f);
    rewind(f);
    text = malloc((size_t)len + 1);
    ck_assert(text != NULL && fread(text, 1, (size_t)len, f) == (size_t)len);
    text[len] = '\0';
    ck_assert_int_eq(fclose(f), 0);
    return (gw_str){ text, (size_t)len };
}

static void drop(gw_str text)
{
    free((char *)(uintptr_t)text.ptr);
}

/* What a test says of one side: names of files; NULL: none. */
struct said {
    const char *certificates[4];
    const char *trust, *revoked, *server_name, *peer, *staple;
    uint32_t verify, version_min, version_max, flags;
};

static gw_status try_settings(uint32_t role, const struct said *said, gw_tls **out,
                              gw_config_error *err)
{
    gw_tls_spec spec = GW_SPEC(gw_tls_spec);
    gw_tls_certificate certs[4];
    gw_str peer = gw_cstr(said->peer), texts[12];
    size_t n = 0;
    gw_status status;
    char name[64];

    spec.role = role;
    spec.verify = said->verify;
    spec.version_min = said->version_min;
    spec.version_max = said->version_max;
    spec.flags = said->flags;
    spec.server_name = gw_cstr(said->server_name);
    spec.peers = &peer;
    spec.peers_len = said->peer != NULL;
    spec.certificates = certs;
    for (size_t i = 0; i < 4 && said->certificates[i] != NULL; i++) {
        certs[i] = GW_SPEC(gw_tls_certificate);
        (void)snprintf(name, sizeof name, "%s.crt", said->certificates[i]);
        certs[i].chain = texts[n++] = file(name);
        (void)snprintf(name, sizeof name, "%s.key", said->certificates[i]);
        certs[i].key = texts[n++] = file(name);
        spec.certificates_len++;
    }
    if (said->trust != NULL)
        spec.trust = texts[n++] = file(said->trust);
    if (said->revoked != NULL)
        spec.revoked = texts[n++] = file(said->revoked);
    status = gw_tls_new(NULL, &spec, out, err);
    while (n > 0)
        drop(texts[--n]);
    return status;
}

static gw_tls *settings(uint32_t role, const struct said *said)
{
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_tls *tls = NULL;

    ck_assert_msg(try_settings(role, said, &tls, &err) == GW_OK, "%s: %s", err.where, err.text);
    return tls;
}

/* ---- two sides ---- */

struct side {
    gw_tls *tls;
    struct gw_tls_engine *engine;
    struct gw_chain rx, tx, in, out;
    uint8_t scratch[GW_TLS_SCRATCH];
    gw_status status; /* the first that is none of GW_OK and GW_ENOMEM */
};
struct pair {
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_prng prng;
    struct side client, server;
    size_t piece; /* as many bytes at once; 0: all */
};

static void side_init(struct pair *p, struct side *side, uint32_t role, const struct said *said,
                      gw_str name, uint32_t protocols)
{
    struct gw_tls_session_spec spec = { .heap = &p->heap,
                                        .wire = &side->tx,
                                        .name = name,
                                        .protocols = protocols,
                                        .scratch = side->scratch };

    side->tls = spec.tls = settings(role, said);
    gw_chain_init(&side->rx, &p->pool);
    gw_chain_init(&side->tx, &p->pool);
    gw_chain_init(&side->in, &p->pool);
    gw_chain_init(&side->out, &p->pool);
    ck_assert_int_eq(gw_tls_session_new(&spec, &side->engine), GW_OK);
}

static void pair_init(struct pair *p, const struct said *client, const struct said *server,
                      const char *name)
{
    memset(p, 0, sizeof *p);
    test_alloc_init(&p->alloc);
    gw_heap_init(&p->heap, &p->alloc.allocator, 0);
    gw_pool_init(&p->pool, &p->heap, BLOCK, BLOCKS);
    side_init(p, &p->client, GW_TLS_CLIENT, client, gw_cstr(name), GW_PROTO_H2);
    side_init(p, &p->server, GW_TLS_SERVER, server, (gw_str){ NULL, 0 }, GW_PROTO_H1 | GW_PROTO_H2);
}

static void side_fini(struct side *side)
{
    side->engine->ops->free(side->engine);
    gw_tls_unref(side->tls);
    gw_chain_clear(&side->rx);
    gw_chain_clear(&side->tx);
    gw_chain_clear(&side->in);
    gw_chain_clear(&side->out);
}

static void pair_fini(struct pair *p)
{
    side_fini(&p->client);
    side_fini(&p->server);
    gw_pool_run_done(&p->pool);
    ck_assert_uint_eq(p->pool.out, 0);
    gw_pool_fini(&p->pool);
    ck_assert_uint_eq(p->heap.used, 0);
    test_alloc_fini(&p->alloc);
}

static void note(struct side *side, gw_status status)
{
    if (status != GW_OK && status != GW_ENOMEM && side->status == GW_OK)
        side->status = status;
}

static void work(struct side *side)
{
    const struct gw_tls_engine_ops *ops = side->engine->ops;

    note(side, ops->open(side->engine, &side->rx, &side->in, SIZE_MAX));
    note(side, ops->seal(side->engine, &side->out, &side->tx, SIZE_MAX));
}

static bool carry(struct pair *p, struct side *from, struct side *to)
{
    size_t n = from->tx.len;

    if (p->piece > 0 && n > p->piece)
        n = p->piece;
    if (n > 0)
        ck_assert_int_eq(gw_chain_move(&to->rx, &from->tx, n), GW_OK);
    return n > 0;
}

static void play(struct pair *p)
{
    bool moves = true;

    for (int i = 0; moves; i++) {
        ck_assert_int_lt(i, 1000000);
        work(&p->client);
        work(&p->server);
        moves = carry(p, &p->client, &p->server);
        moves |= carry(p, &p->server, &p->client);
    }
}

static bool are_ready(const struct pair *p)
{
    return p->client.engine->ops->is_ready(p->client.engine) &&
           p->server.engine->ops->is_ready(p->server.engine);
}

static void send(struct side *from, const uint8_t *bytes, size_t len)
{
    ck_assert_int_eq(gw_chain_write(&from->out, bytes, len), GW_OK);
}

static void expect(struct side *to, const uint8_t *bytes, size_t len)
{
    uint8_t *got = malloc(len);

    ck_assert(got != NULL);
    ck_assert_uint_eq(to->in.len, len);
    ck_assert_uint_eq(gw_chain_read(&to->in, 0, got, len), len);
    ck_assert_int_eq(memcmp(got, bytes, len), 0);
    gw_chain_drop(&to->in, len);
    free(got);
}

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
    p->client.engine->ops->close(p->client.engine);
    play(p);
    ck_assert_int_eq(p->server.status, GW_EOF);
    p->server.engine->ops->close(p->server.engine);
    play(p);
    ck_assert_int_eq(p->client.status, GW_EOF);
}

static gw_facts told(const struct side *side)
{
    gw_facts facts = GW_SPEC(gw_facts);

    side->engine->ops->tell(side->engine, &facts);
    return facts;
}

static bool is(gw_str a, const char *b)
{
    return gw_str_eq(a, gw_cstr(b));
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

static Suite *engine_suite(void)
{
    Suite *suite = suite_create("engine");

    check_add_loop(suite, agree, 0, 8);
    check_add_loop(suite, refuse, 0, (int)(sizeof refusals / sizeof *refusals));
    return suite;
}
CHECK_MAIN(engine_suite)
