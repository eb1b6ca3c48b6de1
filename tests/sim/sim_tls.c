/* sim/sim_tls.c: worlds over real TLS: settings of the gateway and of its peers, and the peers' engines. What
 * wolfSSL takes from chance comes of the seed, where it lets itself be given that. */

#include "sim.h"

#include "gw_features.h"
#include "tls/provider.h"

/* ---- settings ---- */

static gw_str file(const char *name)
{
    static char room[4][16384];
    static size_t next;
    char path[512], *text = room[next++ % 4];
    FILE *f;
    size_t len;

    (void)snprintf(path, sizeof path, "%s/%s", CERTS, name);
    f = fopen(path, "rb");
    len = f != NULL ? fread(text, 1, sizeof room[0], f) : 0;
    if (f != NULL)
        (void)fclose(f);
    return (gw_str){ text, len };
}

static gw_tls *make(struct sim *sim, uint32_t role, bool is_known, uint32_t version_max)
{
    gw_tls_spec spec = GW_SPEC(gw_tls_spec);
    gw_tls_certificate cert = GW_SPEC(gw_tls_certificate);
    gw_config_error err = GW_SPEC(gw_config_error);
    bool is_server = role == GW_TLS_SERVER;
    gw_tls *tls = NULL;

    spec.role = role;
    spec.version_max = version_max;
    spec.server_name = is_server ? gw_cstr("") : gw_cstr("a.test");
    if (!is_server || is_known)
        spec.trust = file("root.crt");
    cert.chain = file(is_server ? "a-p256.crt" : "client-spiffe.crt");
    cert.key = file(is_server ? "a-p256.key" : "client-spiffe.key");
    spec.certificates = &cert;
    spec.certificates_len = 1;
    SIM_CHECK(sim, gw_tls_new(NULL, &spec, &tls, &err) == GW_OK, "TLS: %s: %s", err.where,
              err.text);
    return tls;
}

/* ---- chance ---- */

#if GW_HAVE_TLS
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#endif

#ifdef WOLF_CRYPTO_CB
#include <wolfssl/wolfcrypt/cryptocb.h>

enum { DEVICE = 7 };
static struct gw_prng chance;

static int device(int id, wc_CryptoInfo *info, void *ctx)
{
    (void)id;
    (void)ctx;
    if (info->algo_type != WC_ALGO_TYPE_RNG)
        return CRYPTOCB_UNAVAILABLE;
    for (word32 i = 0; i < info->rng.sz; i++)
        info->rng.out[i] = (byte)gw_prng_next(&chance);
    return 0;
}

static void fix(const gw_tls *tls)
{
    if (tls->role == GW_TLS_CLIENT)
        (void)wolfSSL_CTX_SetDevId(tls->native, DEVICE);
    for (uint32_t i = 0; i < tls->pairs_len && tls->role == GW_TLS_SERVER; i++)
        (void)wolfSSL_CTX_SetDevId(tls->pairs[i].native, DEVICE);
}

static void fix_all(struct sim *sim)
{
    chance.state = sim->seed;
    (void)wc_CryptoCb_RegisterDevice(DEVICE, device, NULL);
    fix(sim->tls.listener);
    fix(sim->tls.cluster);
    fix(sim->tls.client);
    fix(sim->tls.origin);
}
#else
static void fix_all(struct sim *sim)
{
    (void)sim;
}
#endif

static struct gw_tls_engine *make_engine(struct sim_peer *peer, uint32_t protocol)
{
    struct sim *sim = peer->sim;
    struct gw_tls_engine *engine = NULL;
    const struct gw_tls_session_spec spec = {
        .heap = &sim->heap,
        .tls = peer->is_client ? sim->tls.client : sim->tls.origin,
        .wire = &peer->wire_out,
        .name = peer->is_client ? GW_STR("a.test") : GW_STR(""),
        .protocols = protocol,
        .scratch = sim->tls.scratch
    };

    SIM_CHECK(sim, gw_tls_session_new(&spec, &engine) == GW_OK, "a peer's session");
    return engine;
}

void sim_tls_make(struct sim *sim)
{
    uint64_t seed = sim->seed;

    if (!sim->is_tls_asked)
        return;
    sim->tls.listener = make(sim, GW_TLS_SERVER, seed % 2 == 0, seed % 3 == 0 ? GW_TLS_1_2 : 0);
    sim->tls.cluster = make(sim, GW_TLS_CLIENT, true, 0);
    sim->tls.client = make(sim, GW_TLS_CLIENT, true, 0);
    sim->tls.origin = make(sim, GW_TLS_SERVER, seed % 4 == 0, seed % 5 == 0 ? GW_TLS_1_2 : 0);
    sim->tls.engine = make_engine;
    fix_all(sim);
}

void sim_tls_free(struct sim *sim)
{
    gw_tls_unref(sim->tls.listener);
    gw_tls_unref(sim->tls.cluster);
    gw_tls_unref(sim->tls.client);
    gw_tls_unref(sim->tls.origin);
}

gw_tls *sim_tls_of_listener(const struct sim *sim)
{
    return sim->is_tls_asked && sim->swarm.tls_client ? sim->tls.listener : NULL;
}

gw_tls *sim_tls_of_cluster(const struct sim *sim)
{
    return sim->is_tls_asked && sim->swarm.tls_upstream ? sim->tls.cluster : NULL;
}
