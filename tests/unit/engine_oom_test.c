/* unit/engine_oom_test.c: TLS when memory is short: each allocation of ours and of wolfSSL's fails in turn,
 * through the making of settings and through handshakes of both roles; and pools that run dry in the
 * middle. Nobody crashes, nothing is left, and nobody comes through that was not looked at. */

#include <stddef.h>
#include <stdint.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "base/list.h"
#include "check_main.h"
#include "tls_pair.h"

Suite *engine_oom_suite(void);

/* ---- wolfSSL's memory ---- */

static struct {
    uint64_t calls, failed, live, fail_at, fail_from;
} wolf;

static bool wolf_fails(void)
{
    uint64_t call = ++wolf.calls;
    bool fails = call == wolf.fail_at || (wolf.fail_from != 0 && call >= wolf.fail_from);

    wolf.failed += fails;
    return fails;
}

/* Before each piece: what is forgotten can still be found when a test is over. */
union piece {
    struct {
        struct gw_list node;
        size_t size;
    } of;
    max_align_t align;
};
static struct gw_list pieces = { &pieces, &pieces };

static void *wolf_malloc(size_t size)
{
    union piece *p = wolf_fails() ? NULL : malloc(sizeof *p + size);

    if (p == NULL)
        return NULL;
    p->of.size = size;
    gw_list_init(&p->of.node);
    gw_list_push_back(&pieces, &p->of.node);
    wolf.live++;
    return p + 1;
}

static void wolf_free(void *ptr)
{
    union piece *p = ptr;

    if (p == NULL)
        return;
    gw_list_remove(&p[-1].of.node);
    wolf.live--;
    free(p - 1);
}

static void *wolf_realloc(void *ptr, size_t size)
{
    size_t had = ptr == NULL ? 0 : ((union piece *)ptr)[-1].of.size;
    void *more = wolf_malloc(size);

    if (more == NULL)
        return NULL;
    if (had > 0)
        memcpy(more, ptr, had < size ? had : size);
    wolf_free(ptr);
    return more;
}

/* All that used them is gone. */
static void drop_forgotten(void)
{
    struct gw_list *node;

    while ((node = gw_list_pop_front(&pieces)) != NULL)
        free((char *)node - offsetof(union piece, of.node));
}

static void wolf_restart(void)
{
    memset(&wolf, 0, sizeof wolf);
    ck_assert_int_eq(wolfSSL_SetAllocators(wolf_malloc, wolf_free, wolf_realloc), 0);
}

/* Who is to fail: at the k-th call, or from there on. */
struct failure {
    bool is_wolfs, is_for_ever;
    uint64_t at;
};

static void arm(struct test_alloc *alloc, const struct failure *f)
{
    test_alloc_restart(alloc);
    wolf.calls = wolf.failed = wolf.fail_at = wolf.fail_from = 0;
    if (f->is_wolfs && f->is_for_ever)
        wolf.fail_from = f->at;
    else if (f->is_wolfs)
        wolf.fail_at = f->at;
    else if (f->is_for_ever)
        alloc->fail_from = f->at;
    else
        alloc->fail_at = f->at;
}

static bool disarm(struct test_alloc *alloc)
{
    bool has_failed = alloc->failed + wolf.failed > 0;

    test_alloc_restart(alloc);
    wolf.fail_at = wolf.fail_from = 0;
    return has_failed;
}

/* wolfSSL 5.5 itself forgets a piece in a few places where it has no memory: a share of a key that it cannot
 * keep, a list of the revoked that it cannot read. Ours is never one. */
static uint64_t left_max(const struct failure *f)
{
    return f->is_wolfs && f->at != UINT64_MAX;
}

/* All of the first, then ever fewer of those that are alike; with UNIT_DENSE each of them. */
static uint64_t stride(uint64_t at)
{
    return getenv("UNIT_DENSE") != NULL ? 1 : 1 + at / 32;
}

/* ---- worlds ---- */

static const struct world {
    struct said client, server;
} worlds[] = {
    { { .trust = "root.crt", .certificates = { "client-spiffe" } },
      { .certificates = { "a-p256" }, .trust = "root.crt" } },
    { { .trust = "root.crt", .certificates = { "client-spiffe" } },
      { .certificates = { "a-p256" }, .trust = "root.crt", .version_max = GW_TLS_1_2 } },
};
enum { WORLDS = sizeof worlds / sizeof *worlds };

/* Handshakes without a hurry; who starves is asked again, but not for ever. */
static void play_hungry(struct pair *p)
{
    int tries = 0;

    do {
        play(p);
    } while ((p->client.is_starving || p->server.is_starving) && ++tries < 3);
}

static void check_side(const struct side *side, const struct failure *f)
{
    const struct gw_tls_engine_ops *ops = side->engine->ops;
    gw_facts facts;

    if (side->status == GW_ETLS)
        ck_assert_msg(ops->fault(side->engine)[0] != '\0', "%llu: it is over, and nobody knows why",
                      (unsigned long long)f->at);
    if (!ops->is_ready(side->engine))
        return;
    facts = told(side);
    ck_assert_uint_eq(facts.is_verified, 1);
    if (side->tls->role == GW_TLS_SERVER)
        ck_assert(is(facts.peer_identity, "spiffe://mesh.test/ns/shop/sa/web"));
}

/* False: it came through without the failure. */
static bool shake_hands(gw_tls *client, gw_tls *server, const struct failure *f)
{
    struct pair p;
    gw_status status;
    uint64_t live = wolf.live;
    bool has_failed, is_good, keeps = f->at == UINT64_MAX; /* issuers that it has found good */

    pair_memory(&p, BLOCK, BLOCKS);
    arm(&p.alloc, f);
    status = side_begin(&p, &p.client, gw_tls_ref(client), GW_STR("a.test"), GW_PROTO_H2);
    if (status == GW_OK)
        status = side_begin(&p, &p.server, gw_tls_ref(server), (gw_str){ NULL, 0 }, GW_PROTO_H2);
    if (status == GW_OK)
        play_hungry(&p);
    has_failed = disarm(&p.alloc);
    if (status == GW_OK) {
        check_side(&p.client, f);
        check_side(&p.server, f);
        is_good = are_ready(&p) || p.client.status != GW_OK || p.server.status != GW_OK ||
                  p.client.is_starving || p.server.is_starving;
        ck_assert_msg(is_good, "%llu: neither through nor over", (unsigned long long)f->at);
    }
    ck_assert(status == GW_OK || status == GW_ENOMEM);
    ck_assert(has_failed || are_ready(&p));
    pair_fini(&p);
    gw_tls_provider_leave();
    ck_assert_msg(keeps || wolf.live <= live + left_max(f), "%llu: %lld pieces are left",
                  (unsigned long long)f->at, (long long)(wolf.live - live));
    return has_failed;
}

static void sweep(gw_tls *client, gw_tls *server, bool is_wolfs, bool is_for_ever)
{
    struct failure f = { is_wolfs, is_for_ever, UINT64_MAX };

    ck_assert(!shake_hands(client, server, &f));
    f.at = 1;
    while (shake_hands(client, server, &f))
        f.at += stride(f.at);
    ck_assert_uint_gt(f.at, 3);
}

START_TEST(handshakes)
{
    const struct world *w = &worlds[_i % WORLDS];
    gw_tls *client, *server;

    wolf_restart();
    client = settings(GW_TLS_CLIENT, &w->client);
    server = settings(GW_TLS_SERVER, &w->server);
    gw_tls_provider_leave();
    sweep(client, server, _i / WORLDS % 2 == 1, _i / WORLDS / 2 == 1);
    gw_tls_unref(client);
    gw_tls_unref(server);
    drop_forgotten();
}
END_TEST

/* ---- settings ---- */

static bool make(uint32_t role, const struct said *said, const struct failure *f)
{
    struct test_alloc alloc;
    gw_env env = GW_SPEC(gw_env);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_tls *tls = NULL;
    gw_status status;
    uint64_t live = wolf.live;
    bool has_failed;

    test_alloc_init(&alloc);
    env.allocator = alloc.allocator;
    arm(&alloc, f);
    status = try_settings(&env, role, said, &tls, &err);
    has_failed = disarm(&alloc);
    /* wolfSSL does not always know that it was memory. */
    ck_assert_msg(status == GW_ENOMEM || status == GW_OK || (f->is_wolfs && status == GW_EINVAL),
                  "%llu: %d %s: %s", (unsigned long long)f->at, (int)status, err.where, err.text);
    ck_assert(has_failed || status == GW_OK);
    gw_tls_unref(tls);
    test_alloc_fini(&alloc);
    ck_assert_msg(wolf.live <= live + left_max(f), "%llu: %llu pieces are left",
                  (unsigned long long)f->at, (unsigned long long)(wolf.live - live));
    return has_failed;
}

START_TEST(all_settings)
{
    static const struct said server = { .certificates = { "a-p256", "a-rsa" },
                                        .trust = "ca.crt",
                                        .revoked = "ca.crl",
                                        .peer = "client.test" };
    static const struct said client = { .certificates = { "client-dns" }, .trust = "root.crt" };
    struct failure f = { _i % 2 == 1, _i / 2 == 1, 1 };

    wolf_restart();
    for (; make(GW_TLS_SERVER, &server, &f); f.at += stride(f.at))
        ;
    ck_assert_uint_gt(f.at, 3);
    for (f.at = 1; make(GW_TLS_CLIENT, &client, &f); f.at += stride(f.at))
        ;
    ck_assert_uint_gt(f.at, 3);
    drop_forgotten();
}
END_TEST

/* ---- pools that run dry ---- */

/* All but some blocks are another's; then they are there, and it goes on where it stopped. */
START_TEST(few_blocks)
{
    enum { SMALL = 1024, ALL = 64 };
    const struct world *w = &worlds[_i % WORLDS];
    static const uint8_t hello[] = "hello";
    bool was_short = true;

    for (size_t left = 0; was_short; left++) {
        struct pair p;
        struct gw_chain others;

        pair_memory(&p, SMALL, ALL);
        gw_chain_init(&others, &p.pool);
        ck_assert_int_eq(side_begin(&p, &p.client, settings(GW_TLS_CLIENT, &w->client),
                                    GW_STR("a.test"), GW_PROTO_H2),
                         GW_OK);
        ck_assert_int_eq(side_begin(&p, &p.server, settings(GW_TLS_SERVER, &w->server),
                                    (gw_str){ NULL, 0 }, GW_PROTO_H2),
                         GW_OK);
        while (p.pool.out + left < ALL) {
            void *room = gw_chain_reserve(&others, SMALL);
            ck_assert(room != NULL);
            gw_chain_commit(&others, SMALL);
        }
        play_hungry(&p);
        was_short = p.client.is_starving || p.server.is_starving;
        ck_assert_msg(was_short || are_ready(&p), "%zu blocks: %s / %s", left,
                      p.client.engine->ops->fault(p.client.engine),
                      p.server.engine->ops->fault(p.server.engine));
        gw_chain_clear(&others);
        play_hungry(&p);
        ck_assert_msg(are_ready(&p), "%zu blocks: %s / %s", left,
                      p.client.engine->ops->fault(p.client.engine),
                      p.server.engine->ops->fault(p.server.engine));
        send(&p.client, hello, sizeof hello);
        send(&p.server, hello, sizeof hello);
        play(&p);
        expect(&p.server, hello, sizeof hello);
        expect(&p.client, hello, sizeof hello);
        pair_fini(&p);
    }
    drop_forgotten();
}
END_TEST

Suite *engine_oom_suite(void)
{
    Suite *suite = suite_create("oom");

    check_add_loop(suite, handshakes, 0, 4 * WORLDS);
    check_add_loop(suite, all_settings, 0, 4);
    check_add_loop(suite, few_blocks, 0, WORLDS);
    return suite;
}
