/* fuzz/tls.h: the engine of wolfSSL in one role, against bytes of the input alone or against a real peer whose
 * flights the input cuts, turns, repeats and mixes with its own. Whatever comes: nothing is opened before the
 * handshake is over, what is opened is what the peer has sealed, who is ready is verified, and who gives up
 * says why. */
#ifndef FUZZ_TLS_H
#define FUZZ_TLS_H

#include "fuzz.h"

#include "base/text.h"
#include "tls/provider.h"

/* Fixed randomness, where wolfSSL lets it be given: an input does the same each time. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#ifdef WOLF_CRYPTO_CB
#include <wolfssl/wolfcrypt/cryptocb.h>
#endif

enum { TLS_PLAYED = 1, TLS_1_2 = 2, TLS_MUTUAL = 4, TLS_SMALL = 8, TLS_MODES = 16 };
enum { TLS_FLIGHT = 65536, TLS_STEPS = 48, TLS_DEVICE = 7 };

struct tls_side {
    struct gw_tls_engine *engine;
    struct gw_chain rx, tx, in, out;
    gw_status status;
    uint64_t said, got; /* clear bytes */
    uint8_t scratch[GW_TLS_SCRATCH];
};

static struct tls_world {
    struct gw_heap heap;
    struct gw_pool pool;
    struct tls_side target, peer;
    bool is_mutual, is_server;
    uint8_t flight[TLS_FLIGHT], last[TLS_FLIGHT]; /* under way; what went before it */
    size_t flight_len, last_len;
} tls_world;

/* ---- settings, made once ---- */

static gw_str tls_file(const char *name)
{
    static char room[4][16384];
    static size_t next;
    char path[512], *text = room[next++ % 4];
    FILE *file;
    size_t len;

    (void)snprintf(path, sizeof path, "%s/%s", CERTS, name);
    file = fopen(path, "rb");
    CHECK(file != NULL);
    len = fread(text, 1, sizeof room[0], file);
    CHECK(len > 0 && len < sizeof room[0]);
    fclose(file);
    return (gw_str){ text, len };
}

#ifdef WOLF_CRYPTO_CB
static uint64_t tls_random;
static int tls_device(int id, wc_CryptoInfo *info, void *ctx)
{
    (void)id;
    (void)ctx;
    if (info->algo_type != WC_ALGO_TYPE_RNG)
        return CRYPTOCB_UNAVAILABLE;
    for (word32 i = 0; i < info->rng.sz; i++) {
        tls_random = tls_random * 6364136223846793005u + 1442695040888963407u;
        info->rng.out[i] = (byte)(tls_random >> 56);
    }
    return 0;
}
static void tls_fix(gw_tls *tls)
{
    (void)wc_CryptoCb_RegisterDevice(TLS_DEVICE, tls_device, NULL);
    if (tls->role == GW_TLS_CLIENT) /* a server has one for each certificate */
        (void)wolfSSL_CTX_SetDevId(tls->native, TLS_DEVICE);
    for (uint32_t i = 0; i < tls->pairs_len; i++)
        if (tls->role == GW_TLS_SERVER)
            (void)wolfSSL_CTX_SetDevId(tls->pairs[i].native, TLS_DEVICE);
}
#endif

static gw_tls *tls_settings(uint32_t role, unsigned mode)
{
    static gw_tls *made[2][TLS_MODES];
    gw_tls **tls = &made[role - 1][mode & (TLS_1_2 | TLS_MUTUAL)];
    gw_tls_spec spec = GW_SPEC(gw_tls_spec);
    gw_tls_certificate cert = GW_SPEC(gw_tls_certificate);
    gw_config_error err = GW_SPEC(gw_config_error);
    bool is_server = role == GW_TLS_SERVER;

    if (*tls != NULL)
        return *tls;
    spec.role = role;
    spec.version_max = (mode & TLS_1_2) != 0 ? GW_TLS_1_2 : GW_TLS_1_3;
    if (!is_server || (mode & TLS_MUTUAL) != 0)
        spec.trust = tls_file("root.crt");
    cert.chain = tls_file(is_server ? "a-p256.crt" : "client-spiffe.crt");
    cert.key = tls_file(is_server ? "a-p256.key" : "client-spiffe.key");
    spec.certificates = &cert;
    spec.certificates_len = 1;
    if (gw_tls_new(NULL, &spec, tls, &err) != GW_OK)
        fprintf(stderr, "%s: %s\n", err.where, err.text);
    CHECK(*tls != NULL);
#ifdef WOLF_CRYPTO_CB
    tls_fix(*tls);
#endif
    return *tls;
}

/* ---- sides ---- */

static void tls_side_init(struct tls_side *side, uint32_t role, unsigned mode)
{
    struct tls_world *w = &tls_world;
    struct gw_tls_session_spec spec = { .heap = &w->heap,
                                        .tls = tls_settings(role, mode),
                                        .wire = &side->tx,
                                        .protocols = GW_PROTO_H1 | GW_PROTO_H2,
                                        .scratch = side->scratch };

    if (role == GW_TLS_CLIENT)
        spec.name = GW_STR("a.test");
    side->engine = NULL;
    side->status = GW_OK;
    side->said = side->got = 0;
    gw_chain_init(&side->rx, &w->pool);
    gw_chain_init(&side->tx, &w->pool);
    gw_chain_init(&side->in, &w->pool);
    gw_chain_init(&side->out, &w->pool);
    CHECK(gw_tls_session_new(&spec, &side->engine) == GW_OK);
}

static void tls_side_fini(struct tls_side *side)
{
    side->engine->ops->free(side->engine);
    gw_chain_clear(&side->rx);
    gw_chain_clear(&side->tx);
    gw_chain_clear(&side->in);
    gw_chain_clear(&side->out);
}

static uint8_t tls_byte(const struct tls_side *side, uint64_t at)
{
    return (uint8_t)(at * 31 + (side == &tls_world.target ? 7 : 99));
}

static void tls_say(struct tls_side *side, size_t len)
{
    uint8_t bytes[256];

    CHECK(len <= sizeof bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = tls_byte(side, side->said + i);
    if (gw_chain_write(&side->out, bytes, len) == GW_OK) /* small pools may refuse */
        side->said += len;
}

static void tls_get(struct tls_side *side, const struct tls_side *from)
{
    gw_const_span span;

    while (side->in.len > 0) {
        span = gw_chain_front(&side->in);
        for (size_t i = 0; i < span.len; i++)
            CHECK(((const uint8_t *)span.ptr)[i] == tls_byte(from, side->got + i));
        side->got += span.len;
        CHECK(side->got <= from->said);
        gw_chain_drop(&side->in, span.len);
    }
}

static void tls_note(struct tls_side *side, gw_status status)
{
    CHECK(status == GW_OK || status == GW_EOF || status == GW_ENOMEM || status == GW_ETLS);
    if (status != GW_ETLS)
        return;
    side->status = status;
    CHECK(side->engine->ops->fault(side->engine)[0] != '\0');
}

static void tls_work(struct tls_side *side, const struct tls_side *from)
{
    const struct gw_tls_engine_ops *ops = side->engine->ops;
    gw_facts facts = GW_SPEC(gw_facts);

    tls_note(side, ops->open(side->engine, &side->rx, &side->in, SIZE_MAX));
    CHECK(side->in.len == 0 || ops->is_ready(side->engine));
    tls_get(side, from);
    tls_note(side, ops->seal(side->engine, &side->out, &side->tx, SIZE_MAX));
    if (side != &tls_world.target || !ops->is_ready(side->engine))
        return;
    ops->tell(side->engine, &facts);
    CHECK(facts.is_secure == 1);
    CHECK(facts.is_verified == (!tls_world.is_server || tls_world.is_mutual));
}

/* ---- a conversation ---- */

static void tls_hand(const uint8_t *bytes, size_t len)
{
    struct tls_world *w = &tls_world;

    (void)!gw_chain_write(&w->target.rx, bytes, len); /* of a small pool: cut off */
    tls_work(&w->target, &w->peer);
}

static void tls_shift(size_t n)
{
    struct tls_world *w = &tls_world;

    memcpy(w->last, w->flight, n);
    w->last_len = n;
    memmove(w->flight, w->flight + n, w->flight_len - n);
    w->flight_len -= n;
}

/* What the target says arrives whole; what the peer says comes under way. */
static void tls_turn(void)
{
    struct tls_world *w = &tls_world;
    size_t n = w->target.tx.len;

    (void)!gw_chain_move(&w->peer.rx, &w->target.tx, n);
    tls_work(&w->peer, &w->target);
    n = w->peer.tx.len < TLS_FLIGHT - w->flight_len ? w->peer.tx.len : TLS_FLIGHT - w->flight_len;
    (void)gw_chain_read(&w->peer.tx, 0, w->flight + w->flight_len, n);
    gw_chain_drop(&w->peer.tx, n);
    w->flight_len += n;
}

static size_t tls_number(struct fuzz_input *in, size_t max)
{
    size_t n = (size_t)fuzz_byte(in) << 8;

    n |= fuzz_byte(in);
    return max == 0 ? 0 : n % (max + 1);
}

static void tls_step(struct fuzz_input *in)
{
    struct tls_world *w = &tls_world;
    unsigned op = fuzz_byte(in) % 9;
    size_t n = tls_number(in, w->flight_len);

    switch (op) {
    case 0: /* all arrives */
        n = w->flight_len;
        /* fall through */
    case 1: /* the begin of it arrives */
        tls_hand(w->flight, n);
        tls_shift(n);
        break;
    case 2: /* a byte is another */
        if (n < w->flight_len)
            w->flight[n] ^= fuzz_byte(in);
        break;
    case 3: /* some of it is lost */
        tls_shift(n);
        break;
    case 4: /* bytes of the input's own */
        n = in->len < n % 64 ? in->len : n % 64;
        tls_hand(in->at, n);
        in->at += n;
        in->len -= n;
        break;
    case 5: /* what came comes again */
        tls_hand(w->last, w->last_len);
        break;
    case 6:
        tls_say(&w->peer, n % 200);
        tls_say(&w->target, n % 100);
        break;
    case 7: /* what is behind comes first */
        tls_hand(w->flight + n, w->flight_len - n);
        w->flight_len = n;
        break;
    default:
        w->target.engine->ops->close(w->target.engine);
        if (n % 2 == 0)
            w->peer.engine->ops->close(w->peer.engine);
    }
    tls_work(&w->target, &w->peer);
    tls_turn();
}

static void tls_play(struct fuzz_input *in)
{
    struct tls_world *w = &tls_world;
    static const struct fuzz_input none;
    struct fuzz_input rest;
    int i;

    tls_work(&w->target, &w->peer);
    tls_turn();
    for (i = 0; i < TLS_STEPS && in->len > 0; i++)
        tls_step(in);
    for (i = 0; i < 8; i++) { /* then nothing is in its way */
        rest = none;
        tls_step(&rest);
    }
}

static void tls_raw(struct fuzz_input *in)
{
    struct tls_world *w = &tls_world;
    size_t piece = fuzz_byte(in), n;

    tls_work(&w->target, &w->peer);
    while (in->len > 0) {
        n = piece == 0 || piece > in->len ? in->len : piece;
        tls_hand(in->at, n);
        in->at += n;
        in->len -= n;
    }
    CHECK(!w->target.engine->ops->is_ready(w->target.engine)); /* nobody has a key */
}

/* The first byte of an input says what is set, and whether there is a peer. */
static void tls_run(bool is_server, const uint8_t *bytes, size_t len)
{
    struct tls_world *w = &tls_world;
    struct fuzz_input in = { bytes, len };
    unsigned mode = fuzz_byte(&in);
    uint64_t live;
    gw_allocator allocator = fuzz_allocator(&live);

    if (len > 32768)
        return;
#ifdef WOLF_CRYPTO_CB
    tls_random = 1;
#endif
    w->is_server = is_server;
    w->is_mutual = (mode & TLS_MUTUAL) != 0;
    w->flight_len = w->last_len = 0;
    gw_heap_init(&w->heap, &allocator, 0);
    gw_pool_init(&w->pool, &w->heap, (mode & TLS_SMALL) != 0 ? 512 : 16640,
                 (mode & TLS_SMALL) != 0 ? 24 : 256);
    tls_side_init(&w->target, is_server ? GW_TLS_SERVER : GW_TLS_CLIENT, mode);
    tls_side_init(&w->peer, is_server ? GW_TLS_CLIENT : GW_TLS_SERVER, mode);
    if ((mode & TLS_PLAYED) != 0)
        tls_play(&in);
    else
        tls_raw(&in);
    if (len == 1 && mode == (mode & 7) && (mode & TLS_PLAYED) != 0) /* nothing was in its way */
        CHECK(w->target.engine->ops->is_ready(w->target.engine));
    tls_side_fini(&w->target);
    tls_side_fini(&w->peer);
    gw_pool_run_done(&w->pool);
    gw_pool_fini(&w->pool);
    CHECK(w->heap.used == 0 && live == 0);
}

#endif
