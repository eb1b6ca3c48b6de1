/* unit/tickets_test.c: sessions are resumed by whom and for what they were made, and no longer: two sides over
 * one ring of keys, or two; and the ring alone. */

#include "check_main.h"
#include "raw_client.h"
#include "tls_pair.h"

enum { LIFE = 1000 };

struct world {
    gw_env env;
    struct gw_tickets ring;
    struct gw_tls_kept kept;
    uint64_t now; /* seconds */
    uint8_t drawn;
};

static uint64_t unix_nanos(void *ctx)
{
    return ((struct world *)ctx)->now * 1000000000u;
}

static void entropy(void *ctx, void *out, size_t len)
{
    memset(out, ++((struct world *)ctx)->drawn, len);
}

static void stop(void *ctx)
{
    (void)ctx;
    ck_abort_msg("one thread waits for itself");
}

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->env.size = sizeof w->env;
    w->env.unix_nanos = unix_nanos;
    w->env.entropy = entropy;
    w->env.pause = stop;
    w->env.unix_ctx = w->env.entropy_ctx = w->env.pause_ctx = w;
    w->now = 5000000000u; /* more than 32 bits */
    gw_tickets_init(&w->ring, &w->env);
}

static void world_fini(struct world *w)
{
    static const struct gw_ticket_key none;

    gw_tls_kept_drop(&w->kept);
    gw_tickets_fini(&w->ring);
    for (int i = 0; i < GW_TICKETS_KEYS; i++)
        ck_assert_int_eq(memcmp(w->ring.keys[i].secret, none.secret, sizeof none.secret), 0);
}

/* ---- the ring ---- */

START_TEST(keys_turn)
{
    struct world w;
    struct gw_ticket_key key, other, old;

    world_init(&w);
    gw_tickets_newest(&w.ring, LIFE, &key);
    w.now += LIFE / 2 - 1;
    gw_tickets_newest(&w.ring, LIFE, &other);
    ck_assert_int_eq(memcmp(&key, &other, sizeof key), 0);
    w.now++;
    gw_tickets_newest(&w.ring, LIFE, &other);
    ck_assert_int_ne(memcmp(key.name, other.name, sizeof key.name), 0);
    ck_assert_int_ne(memcmp(key.secret, other.secret, sizeof key.secret), 0);
    ck_assert(gw_tickets_find(&w.ring, key.name, &old));
    ck_assert_int_eq(memcmp(&key, &old, sizeof key), 0);
    w.now += LIFE - 1; /* what it sealed last lives */
    gw_tickets_newest(&w.ring, LIFE, &other);
    ck_assert(gw_tickets_find(&w.ring, key.name, &old));
    w.now++;
    ck_assert(!gw_tickets_find(&w.ring, key.name, &old));
    for (int i = 0; i < GW_TICKETS_KEYS; i++)
        ck_assert_int_ne(memcmp(w.ring.keys[i].secret, key.secret, sizeof key.secret), 0);
    world_fini(&w);
}
END_TEST

/* Who lets tickets live longer is heard; a clock that is set back leaves no key of the future. */
START_TEST(longest_life_counts)
{
    struct world w;
    struct gw_ticket_key key, other;

    world_init(&w);
    gw_tickets_newest(&w.ring, LIFE, &key);
    gw_tickets_newest(&w.ring, 10 * LIFE, &other);
    w.now += LIFE;
    gw_tickets_newest(&w.ring, LIFE, &other);
    ck_assert_int_eq(memcmp(&key, &other, sizeof key), 0);
    w.now -= LIFE + 30;
    ck_assert(gw_tickets_find(&w.ring, key.name, &other));
    w.now -= 31;
    ck_assert(!gw_tickets_find(&w.ring, key.name, &other));
    gw_tickets_newest(&w.ring, LIFE, &other);
    ck_assert_int_ne(memcmp(key.name, other.name, sizeof key.name), 0);
    world_fini(&w);
}
END_TEST

/* ---- two sides ---- */

struct say {
    const char *certificate, *trust;
    const char *key, *key_before; /* of a fleet: one character, repeated */
    uint32_t life, version_max, flags;
};

static gw_tls *make(uint32_t role, const struct say *say)
{
    gw_tls_spec spec = GW_SPEC(gw_tls_spec);
    gw_tls_certificate cert = GW_SPEC(gw_tls_certificate);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_str trust = { NULL, 0 }, keys[2];
    char name[64], secrets[2][48];
    gw_tls *tls = NULL;

    spec.role = role;
    spec.version_max = say->version_max;
    spec.flags = say->flags;
    spec.ticket_life_ms = say->life * 1000;
    if (say->trust != NULL)
        spec.trust = trust = file(say->trust);
    if (say->certificate != NULL) {
        (void)snprintf(name, sizeof name, "%s.crt", say->certificate);
        cert.chain = file(name);
        (void)snprintf(name, sizeof name, "%s.key", say->certificate);
        cert.key = file(name);
        spec.certificates = &cert;
        spec.certificates_len = 1;
    }
    if (say->key != NULL) {
        memset(secrets[0], say->key[0], sizeof secrets[0]);
        memset(secrets[1], say->key_before != NULL ? say->key_before[0] : 0, sizeof secrets[1]);
        keys[0] = (gw_str){ secrets[0], sizeof secrets[0] };
        keys[1] = (gw_str){ secrets[1], sizeof secrets[1] };
        spec.ticket_keys = keys;
        spec.ticket_keys_len = say->key_before != NULL ? 2 : 1;
    }
    ck_assert_msg(gw_tls_new(NULL, &spec, &tls, &err) == GW_OK, "%s: %s", err.where, err.text);
    drop(cert.chain);
    drop(cert.key);
    drop(trust);
    return tls;
}

static void begin(struct pair *p, struct side *side, gw_tls *tls, const char *name,
                  struct gw_tickets *ring, struct gw_tls_kept *kept)
{
    struct gw_tls_session_spec spec = { .heap = &p->heap,
                                        .tls = tls,
                                        .wire = &side->tx,
                                        .name = gw_cstr(name),
                                        .protocols = GW_PROTO_H1,
                                        .scratch = side->scratch,
                                        .tickets = ring,
                                        .kept = kept };

    side->tls = gw_tls_ref(tls);
    gw_chain_init(&side->rx, &p->pool);
    gw_chain_init(&side->tx, &p->pool);
    gw_chain_init(&side->in, &p->pool);
    gw_chain_init(&side->out, &p->pool);
    ck_assert_int_eq(gw_tls_session_new(&spec, &side->engine), GW_OK);
}

enum met { FAILED, WHOLE, RESUMED };

/* One connection, each time of another worker: what they share is given. */
static enum met meet(struct gw_tls_kept *kept, gw_tls *client, struct gw_tickets *clients,
                     gw_tls *server, struct gw_tickets *servers, const char *name)
{
    static const uint8_t bytes[] = "some bytes of a session";
    static struct pair p;
    enum met met = FAILED;

    pair_memory(&p, BLOCK, BLOCKS);
    begin(&p, &p.client, client, name, clients, kept);
    begin(&p, &p.server, server, NULL, servers, NULL);
    play(&p);
    if (are_ready(&p)) {
        send(&p.client, bytes, sizeof bytes);
        send(&p.server, bytes, sizeof bytes);
        play(&p);
        expect(&p.server, bytes, sizeof bytes);
        expect(&p.client, bytes, sizeof bytes);
        ck_assert_int_eq(told(&p.client).is_verified, client->verify != GW_VERIFY_NOT);
        met = p.server.engine->ops->is_resumed(p.server.engine) ? RESUMED : WHOLE;
        ck_assert_int_eq(p.client.engine->ops->is_resumed(p.client.engine), met == RESUMED);
    }
    pair_fini(&p);
    return met;
}

static enum met meet_in(struct world *w, gw_tls *client, gw_tls *server)
{
    return meet(&w->kept, client, &w->ring, server, &w->ring, "a.test");
}

static const struct say root = { .trust = "root.crt" };
static const struct say a_test = { .certificate = "a-p256", .life = LIFE };

START_TEST(resumed)
{
    struct world w;
    gw_tls *client = make(GW_TLS_CLIENT, &root), *server = make(GW_TLS_SERVER, &a_test);
    gw_tls *reloaded = make(GW_TLS_SERVER, &a_test);

    world_init(&w);
    ck_assert_int_eq(meet_in(&w, client, server), WHOLE);
    ck_assert(w.kept.native != NULL);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(meet_in(&w, client, i % 2 == 0 ? reloaded : server), RESUMED);
    w.now += LIFE / 2; /* another key seals */
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    ck_assert_uint_eq(w.drawn, 4);
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
    gw_tls_unref(reloaded);
}
END_TEST

/* Several at once: one that is resumed has shaken hands, and its own ticket is still on its way. */
START_TEST(resumed_at_once)
{
    static struct pair p;
    struct world w;
    gw_tls *client = make(GW_TLS_CLIENT, &root), *server = make(GW_TLS_SERVER, &a_test);

    world_init(&w);
    ck_assert_int_eq(meet_in(&w, client, server), WHOLE);
    pair_memory(&p, BLOCK, BLOCKS);
    begin(&p, &p.client, client, "a.test", &w.ring, &w.kept);
    begin(&p, &p.server, server, NULL, &w.ring, NULL);
    while (!p.client.engine->ops->is_ready(p.client.engine)) {
        work(&p.client);
        (void)carry(&p, &p.client, &p.server);
        work(&p.server);
        (void)carry(&p, &p.server, &p.client);
        work(&p.client);
    }
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    play(&p);
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    pair_fini(&p);
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
}
END_TEST

/* What cannot be used is no fault: the handshake is a whole one, and the next is resumed again. */
static void check_refused(struct world *w, gw_tls *client, gw_tls *first, gw_tls *second, int what)
{
    ck_assert_int_eq(meet_in(w, client, first), WHOLE);
    switch (what) {
    case 0:
        w->now += LIFE;
        break;
    case 1:
        w->now -= 61;
        break;
    case 2:
        w->ring.keys[0].secret[7] ^= 1;
        break;
    case 3:
        w->ring.keys[0].name[7] ^= 1;
        break;
    default:
        break;
    }
    ck_assert_int_eq(meet_in(w, client, second), WHOLE);
    ck_assert_int_eq(meet_in(w, client, second), RESUMED);
}

START_TEST(refused)
{
    static const struct say other = { .certificate = "a-p384", .life = LIFE };
    struct world w;
    gw_tls *client = make(GW_TLS_CLIENT, &root), *server = make(GW_TLS_SERVER, &a_test);
    gw_tls *second = _i < 4 ? gw_tls_ref(server) : make(GW_TLS_SERVER, &other);

    world_init(&w);
    check_refused(&w, client, server, second, _i);
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
    gw_tls_unref(second);
}
END_TEST

START_TEST(of_one_name)
{
    static const struct say many = { .certificate = "many" };
    struct world w;
    gw_tls *client = make(GW_TLS_CLIENT, &root), *server = make(GW_TLS_SERVER, &many);

    world_init(&w);
    ck_assert_int_eq(meet(&w.kept, client, &w.ring, server, &w.ring, "b.test"), WHOLE);
    ck_assert_int_eq(meet(&w.kept, client, &w.ring, server, &w.ring, "b.test"), RESUMED);
    ck_assert_int_eq(meet(&w.kept, client, &w.ring, server, &w.ring, "c.test"), WHOLE);
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
}
END_TEST

/* However often it is resumed: after a life the server shows its certificate. */
START_TEST(verified_anew)
{
    static const struct say short_lived = { .trust = "root.crt", .life = LIFE };
    static const struct say long_lived = { .certificate = "a-p256", .life = 100 * LIFE };
    struct world w;
    gw_tls *client = make(GW_TLS_CLIENT, &short_lived), *server = make(GW_TLS_SERVER, &long_lived);

    world_init(&w);
    ck_assert_int_eq(meet_in(&w, client, server), WHOLE);
    w.now += LIFE / 2;
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    w.now += LIFE / 2 - 1;
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    w.now++;
    ck_assert_int_eq(meet_in(&w, client, server), WHOLE);
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
}
END_TEST

START_TEST(none_is_wanted)
{
    static const struct say no_client = { .trust = "root.crt", .flags = GW_TLS_NO_TICKETS };
    static const struct say no_server = { .certificate = "a-p256", .flags = GW_TLS_NO_TICKETS };
    static const struct say no_12 = { .certificate = "a-p256",
                                      .flags = GW_TLS_NO_TICKETS,
                                      .version_max = GW_TLS_1_2 };
    const struct say *servers[] = { &a_test, &no_server, &no_12, &a_test };
    struct world w;
    gw_tls *client = make(GW_TLS_CLIENT, _i == 0 ? &no_client : &root);
    gw_tls *server = make(GW_TLS_SERVER, servers[_i]);

    world_init(&w);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(meet(&w.kept, client, &w.ring, server, _i == 3 ? NULL : &w.ring, "a.test"),
                         WHOLE);
        ck_assert(w.kept.native == NULL);
    }
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
}
END_TEST

/* Two machines with secrets of the host; then others take their place, one by one. */
START_TEST(fleet)
{
    static const struct say first = { .certificate = "a-p256", .key = "1" };
    static const struct say next = { .certificate = "a-p256", .key = "2", .key_before = "1" };
    static const struct say last = { .certificate = "a-p256", .key = "3" };
    struct world here, there;
    gw_tls *client = make(GW_TLS_CLIENT, &root), *a = make(GW_TLS_SERVER, &first);
    gw_tls *b = make(GW_TLS_SERVER, &next), *c = make(GW_TLS_SERVER, &last);

    world_init(&here);
    world_init(&there);
    there.now += 59;
    ck_assert_int_eq(meet(&here.kept, client, &here.ring, a, &there.ring, "a.test"), WHOLE);
    ck_assert_int_eq(meet(&here.kept, client, &here.ring, a, &here.ring, "a.test"), RESUMED);
    ck_assert_int_eq(meet(&here.kept, client, &here.ring, b, &there.ring, "a.test"), RESUMED);
    ck_assert_int_eq(meet(&here.kept, client, &here.ring, a, &here.ring, "a.test"), WHOLE);
    ck_assert_int_eq(meet(&here.kept, client, &here.ring, b, &there.ring, "a.test"), RESUMED);
    ck_assert_int_eq(meet(&here.kept, client, &here.ring, c, &there.ring, "a.test"), WHOLE);
    ck_assert_uint_eq(here.drawn + there.drawn, 0);
    world_fini(&here);
    world_fini(&there);
    gw_tls_unref(client);
    gw_tls_unref(a);
    gw_tls_unref(b);
    gw_tls_unref(c);
}
END_TEST

/* A server that has gone back to TLS 1.2, or is another altogether: one try at most is lost. */
START_TEST(changed_server)
{
    static const struct say old = { .certificate = "a-p256", .version_max = GW_TLS_1_2 };
    static const struct say stranger = { .certificate = "by-stranger" };
    struct world w;
    gw_tls *client = make(GW_TLS_CLIENT, &root), *server = make(GW_TLS_SERVER, &a_test);
    gw_tls *then = make(GW_TLS_SERVER, _i == 0 ? &old : &stranger);

    world_init(&w);
    ck_assert_int_eq(meet_in(&w, client, server), WHOLE);
    (void)meet_in(&w, client, then);
    ck_assert_int_eq(meet_in(&w, client, then), _i == 0 ? WHOLE : FAILED);
    ck_assert(w.kept.native == NULL);
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
    gw_tls_unref(then);
}
END_TEST

/* ---- what is no key ---- */

START_TEST(keys_refused)
{
    static const struct {
        uint32_t role, flags;
        size_t len, n;
        gw_status status;
        const char *where, *text;
    } rows[] = {
        { GW_TLS_CLIENT, 0, 48, 1, GW_EINVAL, "ticket_keys", "they are a server's" },
        { GW_TLS_SERVER, GW_TLS_NO_TICKETS, 48, 1, GW_EINVAL, "ticket_keys",
          "there are no tickets" },
        { GW_TLS_SERVER, GW_TLS_SYSTEM_ROOTS, 48, 1, GW_EINVAL, "ticket_keys", "clients show" },
        { GW_TLS_SERVER, 0, 48, 9, GW_ELIMIT, "ticket_keys", "there are 8 at most" },
        { GW_TLS_SERVER, 0, 47, 1, GW_EINVAL, "ticket_keys[0]", "it is 48 to 80 random bytes" },
        { GW_TLS_SERVER, 0, 81, 2, GW_EINVAL, "ticket_keys[0]", "it is 48 to 80 random bytes" },
    };
    char secret[81] = { 1 };
    gw_tls_spec spec = GW_SPEC(gw_tls_spec);
    gw_tls_certificate cert = GW_SPEC(gw_tls_certificate);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_str keys[9];
    gw_tls *tls = NULL;

    for (int i = 0; i < 9; i++)
        keys[i] = (gw_str){ secret, rows[_i].len };
    spec.role = rows[_i].role;
    spec.flags = rows[_i].flags | (spec.role == GW_TLS_CLIENT ? GW_TLS_SYSTEM_ROOTS : 0);
    cert.chain = cert.key = GW_STR("not looked at");
    spec.certificates = &cert;
    spec.certificates_len = 1;
    spec.ticket_keys = keys;
    spec.ticket_keys_len = rows[_i].n;
    ck_assert_int_eq(gw_tls_new(NULL, &spec, &tls, &err), rows[_i].status);
    ck_assert_str_eq(err.where, rows[_i].where);
    ck_assert_msg(strstr(err.text, rows[_i].text) == err.text, "%s", err.text);
}
END_TEST

/* ---- TLS 1.2: no client of ours resumes, but others do ---- */

static int take(void *ctx, char *buf, int len)
{
    struct gw_chain *tx = &((struct side *)ctx)->tx;
    size_t n = gw_chain_read(tx, 0, buf, (size_t)len);

    gw_chain_drop(tx, n);
    return (int)n;
}

static void give(void *ctx, const char *buf, int len)
{
    ck_assert_int_eq(gw_chain_write(&((struct side *)ctx)->rx, buf, (size_t)len), GW_OK);
}

static void turn(void *ctx)
{
    work(ctx);
}

static enum met meet_raw(void **session, gw_tls *server, struct gw_tickets *ring)
{
    static struct pair p;
    const struct raw_wire wire = { take, give, turn, &p.server };
    enum met met;

    pair_memory(&p, BLOCK, BLOCKS);
    begin(&p, &p.server, server, NULL, ring, NULL);
    met = !raw_connect(&wire, session)                        ? FAILED
          : p.server.engine->ops->is_resumed(p.server.engine) ? RESUMED
                                                              : WHOLE;
    side_fini(&p.server);
    gw_pool_run_done(&p.pool);
    gw_pool_fini(&p.pool);
    test_alloc_fini(&p.alloc);
    return met;
}

START_TEST(resumed_12)
{
    static const struct say say = { .certificate = "a-p256",
                                    .life = LIFE,
                                    .version_max = GW_TLS_1_2 };
    void *session = NULL;
    struct world w;
    gw_tls *server = make(GW_TLS_SERVER, &say);

    world_init(&w);
    ck_assert_int_eq(meet_raw(&session, server, &w.ring), WHOLE);
    ck_assert_int_eq(meet_raw(&session, server, &w.ring), RESUMED);
    w.now += LIFE / 2;
    ck_assert_int_eq(meet_raw(&session, server, &w.ring), RESUMED);
    w.now += LIFE / 2; /* declined; what that client makes of it is its own affair */
    ck_assert_int_ne(meet_raw(&session, server, &w.ring), RESUMED);
    raw_drop(&session);
    world_fini(&w);
    gw_tls_unref(server);
}
END_TEST

/* ---- stapling ---- */

static gw_status try_stapled(const char *certificate, const char *staple, size_t len,
                             uint32_t flags, gw_tls **out, gw_config_error *err)
{
    gw_tls_spec spec = GW_SPEC(gw_tls_spec);
    gw_tls_certificate cert = GW_SPEC(gw_tls_certificate);
    gw_status status;
    char name[64];

    (void)snprintf(name, sizeof name, "%s.crt", certificate);
    cert.chain = file(name);
    (void)snprintf(name, sizeof name, "%s.key", certificate);
    cert.key = file(name);
    cert.staple = file(staple);
    spec.role = GW_TLS_SERVER;
    spec.flags = flags;
    spec.certificates = &cert;
    spec.certificates_len = 1;
    gw_str whole = cert.staple;
    if (len > 0)
        cert.staple.len = len;
    status = gw_tls_new(NULL, &spec, out, err);
    drop(cert.chain);
    drop(cert.key);
    drop(whole);
    return status;
}

static const struct bad_staple {
    const char *certificate, *staple;
    size_t len;
    uint32_t flags;
    const char *text;
} bad_staples[] = {
    { "a-p256", "a-p256-old.der", 0, 0, "it is not an OCSP response that is good" },
    { "a-p256", "a-p256-revoked.der", 0, 0, "it is not an OCSP response that is good" },
    { "a-p384", "a-p256-good.der", 0, 0, "it is not an OCSP response that is good" },
    { "a-p256", "a-p256.crt", 0, 0, "it is not an OCSP response in DER" },
    { "a-p256", "a-p256-good.der", 100, 0, "it is not an OCSP response in DER" },
    { "self", "a-p256-good.der", 0, 0, "it cannot be checked: chain lacks" },
    { "a-p256", "a-p256-good.der", 0, GW_TLS_SYSTEM_ROOTS, "one is sent by servers alone" },
};

START_TEST(staple_refused)
{
    const struct bad_staple *b = &bad_staples[_i];
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_tls *tls = NULL;

    ck_assert_int_eq(try_stapled(b->certificate, b->staple, b->len, b->flags, &tls, &err),
                     GW_EINVAL);
    ck_assert_str_eq(err.where, "certificates[0].staple");
    ck_assert_msg(strstr(err.text, b->text) == err.text, "%s", err.text);
}
END_TEST

/* What has been taken by a raw client. */
static struct {
    char bytes[16384];
    size_t len;
} heard;

static int listen_in(void *ctx, char *buf, int len)
{
    int n = take(ctx, buf, len);

    ck_assert_uint_le(heard.len + (size_t)n, sizeof heard.bytes);
    memcpy(heard.bytes + heard.len, buf, (size_t)n);
    heard.len += (size_t)n;
    return n;
}

static bool is_heard(gw_str text)
{
    for (size_t at = 0; at + text.len <= heard.len; at++)
        if (memcmp(heard.bytes + at, text.ptr, text.len) == 0)
            return true;
    return false;
}

static bool is_sent(gw_tls *server, struct gw_tickets *ring)
{
    static struct pair p;
    const struct raw_wire wire = { listen_in, give, turn, &p.server };
    gw_str staple = file("a-p256-good.der"), chain = { "\x0b", 1 };
    bool is;

    heard.len = 0;
    pair_memory(&p, BLOCK, BLOCKS);
    begin(&p, &p.server, server, NULL, ring, NULL);
    raw_ask_status(&wire);
    side_fini(&p.server);
    gw_pool_run_done(&p.pool);
    gw_pool_fini(&p.pool);
    test_alloc_fini(&p.alloc);
    ck_assert(heard.len > 500 && is_heard(chain)); /* it was served, either way */
    is = is_heard(staple);
    drop(staple);
    return is;
}

/* When it is old none is sent, and everybody is served. */
START_TEST(stapled)
{
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_tls *client = make(GW_TLS_CLIENT, &root), *server = NULL,
           *plain = make(GW_TLS_SERVER, &a_test);
    struct world w;

    world_init(&w);
    w.now = 1800000000;
    ck_assert_msg(try_stapled("a-p256", "a-p256-good.der", 0, 0, &server, &err) == GW_OK, "%s: %s",
                  err.where, err.text);
    ck_assert_uint_eq(server->pairs[0].staple_until, 4733510400u);
    for (int i = 0; i < 3; i++)
        ck_assert(is_sent(server, &w.ring));
    ck_assert(!is_sent(plain, &w.ring));
    ck_assert_int_eq(meet_in(&w, client, server), WHOLE);
    ck_assert_int_eq(meet_in(&w, client, server), RESUMED);
    w.now = server->pairs[0].staple_until - 60;
    ck_assert(!is_sent(server, &w.ring));
    ck_assert_int_eq(meet_in(&w, client, server), WHOLE);
    world_fini(&w);
    gw_tls_unref(client);
    gw_tls_unref(server);
    gw_tls_unref(plain);
}
END_TEST

static Suite *tickets_suite(void)
{
    Suite *suite = suite_create("tickets");

    check_add(suite, keys_turn);
    check_add(suite, longest_life_counts);
    check_add(suite, resumed_at_once);
    check_add(suite, resumed);
    check_add_loop(suite, refused, 0, 5);
    check_add(suite, of_one_name);
    check_add(suite, verified_anew);
    check_add_loop(suite, none_is_wanted, 0, 4);
    check_add(suite, fleet);
    check_add_loop(suite, keys_refused, 0, 6);
    check_add_loop(suite, changed_server, 0, 2);
    check_add(suite, resumed_12);
    check_add_loop(suite, staple_refused, 0, (int)(sizeof bad_staples / sizeof *bad_staples));
    check_add(suite, stapled);
    return suite;
}
CHECK_MAIN(tickets_suite)
