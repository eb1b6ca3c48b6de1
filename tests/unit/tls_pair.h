/* unit/tls_pair.h: two engines of TLS, client and server, that are each other's peer, over chains of one pool;
 * and settings of files in tests/certs. */
#ifndef UNIT_TLS_PAIR_H
#define UNIT_TLS_PAIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "base/prng.h"
#include "base/text.h"
#include "check_quick.h"
#include "tls/provider.h"

enum { BLOCK = 16640, BLOCKS = 256 };

static inline gw_str file(const char *name)
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

static inline void drop(gw_str text)
{
    free((char *)(uintptr_t)text.ptr);
}

/* What a test says of one side: names of files; NULL: none. */
struct said {
    const char *certificates[4];
    const char *trust, *revoked, *server_name, *peer, *staple;
    uint32_t verify, version_min, version_max, flags;
};

static inline gw_status try_settings(const gw_env *env, uint32_t role, const struct said *said,
                                     gw_tls **out, gw_config_error *err)
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
    status = gw_tls_new(env, &spec, out, err);
    while (n > 0)
        drop(texts[--n]);
    return status;
}

static inline gw_tls *settings(uint32_t role, const struct said *said)
{
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_tls *tls = NULL;

    ck_assert_msg(try_settings(NULL, role, said, &tls, &err) == GW_OK, "%s: %s", err.where,
                  err.text);
    return tls;
}

/* ---- two sides ---- */

struct side {
    gw_tls *tls;
    struct gw_tls_engine *engine;
    struct gw_chain rx, tx, in, out;
    uint8_t scratch[GW_TLS_SCRATCH];
    gw_status status; /* the first that is none of GW_OK and GW_ENOMEM */
    bool is_starving; /* it has asked for memory, and is to be asked again */
};
struct pair {
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_prng prng;
    struct side client, server;
    size_t piece; /* as many bytes at once; 0: all */
};

/* tls: a reference is given to it. */
static inline gw_status side_begin(struct pair *p, struct side *side, gw_tls *tls, gw_str name,
                                   uint32_t protocols)
{
    struct gw_tls_session_spec spec = { .heap = &p->heap,
                                        .wire = &side->tx,
                                        .name = name,
                                        .protocols = protocols,
                                        .scratch = side->scratch };

    side->tls = spec.tls = tls;
    gw_chain_init(&side->rx, &p->pool);
    gw_chain_init(&side->tx, &p->pool);
    gw_chain_init(&side->in, &p->pool);
    gw_chain_init(&side->out, &p->pool);
    return gw_tls_session_new(&spec, &side->engine);
}

static inline void pair_memory(struct pair *p, uint32_t block, uint32_t blocks)
{
    memset(p, 0, sizeof *p);
    test_alloc_init(&p->alloc);
    gw_heap_init(&p->heap, &p->alloc.allocator, 0);
    gw_pool_init(&p->pool, &p->heap, block, blocks);
}

static inline void pair_init(struct pair *p, const struct said *client, const struct said *server,
                             const char *name)
{
    pair_memory(p, BLOCK, BLOCKS);
    ck_assert_int_eq(
        side_begin(p, &p->client, settings(GW_TLS_CLIENT, client), gw_cstr(name), GW_PROTO_H2),
        GW_OK);
    ck_assert_int_eq(side_begin(p, &p->server, settings(GW_TLS_SERVER, server), (gw_str){ NULL, 0 },
                                GW_PROTO_H1 | GW_PROTO_H2),
                     GW_OK);
}

static inline void side_fini(struct side *side)
{
    if (side->engine != NULL)
        side->engine->ops->free(side->engine);
    gw_tls_unref(side->tls);
    gw_chain_clear(&side->rx);
    gw_chain_clear(&side->tx);
    gw_chain_clear(&side->in);
    gw_chain_clear(&side->out);
}

static inline void pair_fini(struct pair *p)
{
    side_fini(&p->client);
    side_fini(&p->server);
    gw_pool_run_done(&p->pool);
    ck_assert_uint_eq(p->pool.out, 0);
    gw_pool_fini(&p->pool);
    ck_assert_uint_eq(p->heap.used, 0);
    test_alloc_fini(&p->alloc);
}

static inline void note(struct side *side, gw_status status)
{
    side->is_starving |= status == GW_ENOMEM;
    if (status != GW_OK && status != GW_ENOMEM && side->status == GW_OK)
        side->status = status;
}

static inline void work(struct side *side)
{
    const struct gw_tls_engine_ops *ops = side->engine->ops;

    side->is_starving = false;
    note(side, ops->open(side->engine, &side->rx, &side->in, SIZE_MAX));
    note(side, ops->seal(side->engine, &side->out, &side->tx, SIZE_MAX));
}

static inline bool carry(struct pair *p, struct side *from, struct side *to)
{
    size_t n = from->tx.len;

    if (p->piece > 0 && n > p->piece)
        n = p->piece;
    if (n > 0)
        ck_assert_int_eq(gw_chain_move(&to->rx, &from->tx, n), GW_OK);
    return n > 0;
}

static inline void play(struct pair *p)
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

static inline bool are_ready(const struct pair *p)
{
    return p->client.engine->ops->is_ready(p->client.engine) &&
           p->server.engine->ops->is_ready(p->server.engine);
}

static inline void send(struct side *from, const uint8_t *bytes, size_t len)
{
    ck_assert_int_eq(gw_chain_write(&from->out, bytes, len), GW_OK);
}

static inline void expect(struct side *to, const uint8_t *bytes, size_t len)
{
    uint8_t *got = malloc(len);

    ck_assert(got != NULL);
    ck_assert_uint_eq(to->in.len, len);
    ck_assert_uint_eq(gw_chain_read(&to->in, 0, got, len), len);
    ck_assert_int_eq(memcmp(got, bytes, len), 0);
    gw_chain_drop(&to->in, len);
    free(got);
}

static inline gw_facts told(const struct side *side)
{
    gw_facts facts = GW_SPEC(gw_facts);

    side->engine->ops->tell(side->engine, &facts);
    return facts;
}

static inline bool is(gw_str a, const char *b)
{
    return gw_str_eq(a, gw_cstr(b));
}

#endif
