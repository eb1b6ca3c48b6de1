/* tls/settings.c: specs of TLS are checked and copied; which certificate a client gets. What a library
 * of TLS has to say of them, the provider adds. */

#include "tls/settings.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/address.h"
#include "base/assert.h"
#include "base/spec.h"
#include "base/text.h"
#include "base/wipe.h"
#include "os/env.h"
#include "tls/provider.h"

enum { TICKET_LIFE_MS = 12 * 3600 * 1000, TICKET_LIFE_MAX_MS = 7 * 24 * 3600 * 1000 };
enum { ALL_FLAGS = GW_TLS_SYSTEM_ROOTS | GW_TLS_NO_TICKETS };

/* ---- what is wrong ---- */

struct complaint {
    gw_config_error *out; /* NULL: nobody wants to know */
    uint32_t mark;
};

static gw_status refuse(const struct complaint *c, gw_status status, const char *where,
                        const char *what)
{
    struct gw_text text;
    gw_config_error own = GW_SPEC(gw_config_error);

    if (c->out == NULL)
        return status;
    own.status = status;
    own.mark = c->mark;
    gw_text_init(&text, own.where, sizeof own.where);
    gw_text_cstr(&text, where);
    gw_text_init(&text, own.text, sizeof own.text);
    gw_text_cstr(&text, what);
    (void)!gw_spec_fill(c->out, &own, sizeof own); /* one whose size is wrong is not filled */
    return status;
}

/* "certificates[3].key" of "key". */
static const char *name_part(char out[64], const char *list, size_t i, const char *field)
{
    struct gw_text text;

    gw_text_init(&text, out, 64);
    gw_text_cstr(&text, list);
    gw_text_cstr(&text, "[");
    gw_text_u64(&text, i);
    gw_text_cstr(&text, "]");
    if (field != NULL) {
        gw_text_cstr(&text, ".");
        gw_text_cstr(&text, field);
    }
    return out;
}

/* ---- what may be said ---- */

static gw_status check_numbers(const struct complaint *c, const gw_tls_spec *s)
{
    if (s->role != GW_TLS_SERVER && s->role != GW_TLS_CLIENT)
        return refuse(c, GW_EINVAL, "role", "it is server or client");
    if (s->verify > GW_VERIFY_NOT || (s->role == GW_TLS_CLIENT && s->verify == GW_VERIFY_IF_GIVEN))
        return refuse(c, GW_EINVAL, "verify",
                      "a server's is require, if_given or off; a client's require or off");
    if (s->version_min > GW_TLS_1_3)
        return refuse(c, GW_EINVAL, "version_min", "it is 1.2 or 1.3");
    if (s->version_max > GW_TLS_1_3)
        return refuse(c, GW_EINVAL, "version_max", "it is 1.2 or 1.3");
    if (s->version_max != 0 && s->version_min > s->version_max)
        return refuse(c, GW_EINVAL, "version_max", "it is below version_min");
    if ((s->flags & ~(uint32_t)ALL_FLAGS) != 0)
        return refuse(c, GW_EINVAL, "flags", "there are others set than GW_TLS_*");
    if (s->ticket_life_ms > TICKET_LIFE_MAX_MS)
        return refuse(c, GW_EINVAL, "ticket_life_ms", "it is up to 7 days (RFC 8446 4.6.1)");
    if (s->ticket_life_ms > 0 && s->ticket_life_ms < 1000)
        return refuse(c, GW_EINVAL, "ticket_life_ms", "it is a second at least");
    return GW_OK;
}

static gw_status check_server(const struct complaint *c, const gw_tls_spec *s)
{
    bool has_trust = s->trust.len > 0 || (s->flags & GW_TLS_SYSTEM_ROOTS) != 0;
    bool verifies = s->verify != GW_VERIFY_NOT && (s->verify != 0 || has_trust);

    if (s->certificates_len == 0)
        return refuse(c, GW_EINVAL, "certificates", "a server needs one at least");
    if (s->server_name.len > 0)
        return refuse(c, GW_EINVAL, "server_name",
                      "it is a client's; a server's names are in its certificates");
    if (verifies && s->ticket_keys_len > 0)
        return refuse(c, GW_EINVAL, "ticket_keys",
                      "clients show their certificates each time: there are no tickets");
    if (verifies && !has_trust)
        return refuse(c, GW_EINVAL, "trust",
                      "clients' certificates are asked for: who may have signed them?");
    if (!verifies && (s->peers_len > 0 || s->revoked.len > 0 || has_trust))
        return refuse(
            c, GW_EINVAL, "verify",
            "clients' certificates are not asked for, so nobody's names or signers are looked at");
    return GW_OK;
}

static gw_status check_client(const struct complaint *c, const gw_tls_spec *s)
{
    bool has_trust = s->trust.len > 0 || (s->flags & GW_TLS_SYSTEM_ROOTS) != 0;

    if (s->certificates_len > 1)
        return refuse(c, GW_EINVAL, "certificates", "a client has one at most");
    if (s->peers_len > 0)
        return refuse(c, GW_EINVAL, "peers", "they are a server's; a client's peer is server_name");
    if (s->verify != GW_VERIFY_NOT && !has_trust)
        return refuse(c, GW_EINVAL, "trust",
                      "who may have signed the server's certificate? PEM, or the machine's roots");
    if (s->verify == GW_VERIFY_NOT && (has_trust || s->revoked.len > 0))
        return refuse(c, GW_EINVAL, "verify",
                      "the server is not verified, so nobody's signers are looked at");
    return GW_OK;
}

static gw_status check_ticket_keys(const struct complaint *c, const gw_tls_spec *s)
{
    char where[64];

    if (s->ticket_keys_len == 0)
        return GW_OK;
    if (s->role != GW_TLS_SERVER)
        return refuse(c, GW_EINVAL, "ticket_keys", "they are a server's");
    if ((s->flags & GW_TLS_NO_TICKETS) != 0)
        return refuse(c, GW_EINVAL, "ticket_keys", "there are no tickets that they would seal");
    if (s->ticket_keys_len > GW_TICKET_KEYS_MAX)
        return refuse(c, GW_ELIMIT, "ticket_keys", "there are 8 at most");
    for (size_t i = 0; i < s->ticket_keys_len; i++)
        if (s->ticket_keys[i].len < GW_TICKET_KEY_MIN || s->ticket_keys[i].len > GW_TICKET_KEY_MAX)
            return refuse(c, GW_EINVAL, name_part(where, "ticket_keys", i, NULL),
                          "it is 48 to 80 random bytes");
    return GW_OK;
}

static bool is_name(gw_str s)
{
    if (s.len == 0 || s.len > GW_TLS_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
            return false;
    return true;
}

static gw_status check_lists(const struct complaint *c, const gw_tls_spec *s)
{
    gw_address address;
    char where[64];

    if (s->certificates_len > GW_TLS_CERTIFICATES_MAX)
        return refuse(c, GW_ELIMIT, "certificates", "there are 256 at most");
    if (s->peers_len > GW_TLS_PEERS_MAX)
        return refuse(c, GW_ELIMIT, "peers", "there are 64 at most");
    for (size_t i = 0; i < s->peers_len; i++)
        if (!is_name(s->peers[i]))
            return refuse(c, GW_EINVAL, name_part(where, "peers", i, NULL),
                          "it is a name of 1 to 253 visible bytes");
        else if (gw_ip_parse(s->peers[i], &address) == GW_OK)
            return refuse(c, GW_EINVAL, name_part(where, "peers", i, NULL),
                          "an address is nobody's identity");
    if (s->server_name.len > 0 && !is_name(s->server_name))
        return refuse(c, GW_EINVAL, "server_name", "it is a name of up to 253 visible bytes");
    return GW_OK;
}

static gw_status check(const struct complaint *c, const gw_tls_spec *s)
{
    gw_status status = check_numbers(c, s);

    if (status == GW_OK)
        status = check_lists(c, s);
    if (status == GW_OK)
        status = check_ticket_keys(c, s);
    if (status != GW_OK)
        return status;
    return s->role == GW_TLS_SERVER ? check_server(c, s) : check_client(c, s);
}

/* ---- copies ---- */

/* Each text with its length: what one holds does not run into the next. */
static void hash_text(struct gw_tls *tls, gw_str text)
{
    for (int i = 0; i < 2; i++)
        tls->id[i] = XXH64(text.len > 0 ? text.ptr : "", text.len, tls->id[i] ^ text.len);
}

static void identify(struct gw_tls *tls, const gw_tls_spec *s, const gw_tls_certificate *certs)
{
    const uint64_t numbers[] = { tls->role,           tls->verify, tls->version_min,
                                 tls->version_max,    tls->flags,  tls->ticket_life,
                                 s->certificates_len, s->peers_len };

    tls->id[0] = 1;
    tls->id[1] = 2;
    hash_text(tls, (gw_str){ (const char *)numbers, sizeof numbers });
    for (size_t i = 0; i < s->certificates_len; i++) {
        hash_text(tls, certs[i].chain);
        hash_text(tls, certs[i].key);
    }
    hash_text(tls, s->trust);
    hash_text(tls, s->revoked);
    hash_text(tls, s->server_name);
    for (size_t i = 0; i < s->peers_len; i++)
        hash_text(tls, s->peers[i]);
    memcpy(tls->ticket_id, tls->id, sizeof tls->ticket_id);
    for (size_t i = 0; i < s->certificates_len; i++)
        hash_text(tls, certs[i].staple);
    for (size_t i = 0; i < s->ticket_keys_len; i++)
        hash_text(tls, s->ticket_keys[i]);
}

static uint32_t verify_of(const gw_tls_spec *s)
{
    if (s->verify != 0)
        return s->verify;
    if (s->role == GW_TLS_CLIENT || s->trust.len > 0 || (s->flags & GW_TLS_SYSTEM_ROOTS) != 0)
        return GW_VERIFY_REQUIRE;
    return GW_VERIFY_NOT;
}

static gw_status copy(struct gw_tls *tls, const gw_tls_spec *s)
{
    gw_status status;

    tls->role = s->role;
    tls->verify = verify_of(s);
    tls->version_min = s->version_min != 0 ? s->version_min : GW_TLS_1_2;
    tls->version_max = s->version_max != 0 ? s->version_max : GW_TLS_1_3;
    tls->flags = s->flags;
    tls->ticket_life = (s->ticket_life_ms != 0 ? s->ticket_life_ms : TICKET_LIFE_MS) / 1000;
    tls->pairs = gw_store_take(&tls->store, s->certificates_len, sizeof *tls->pairs);
    tls->peers = gw_store_take(&tls->store, s->peers_len, sizeof *tls->peers);
    if (tls->pairs == NULL || tls->peers == NULL)
        return GW_ENOMEM;
    tls->pairs_len = (uint32_t)s->certificates_len;
    tls->peers_len = s->peers_len;
    status = gw_store_copy(&tls->store, s->server_name, &tls->server_name);
    for (size_t i = 0; status == GW_OK && i < s->peers_len; i++)
        status = gw_store_copy(&tls->store, s->peers[i], &tls->peers[i]);
    return status;
}

/* Certificates of any size that their caller knows, as ours. */
static gw_status take_certificates(const struct complaint *c, const gw_tls_spec *s,
                                   gw_tls_certificate *out)
{
    char where[64];
    const char *at = (const char *)s->certificates;

    for (size_t i = 0; i < s->certificates_len; i++) {
        uint32_t size = s->certificates[0].size; /* all as the first says */
        if (gw_spec_copy(&out[i], sizeof out[i], at + i * size) != GW_OK || size % 8 != 0)
            return refuse(c, GW_EINVAL, name_part(where, "certificates", i, "size"),
                          "it is not that of a gw_tls_certificate");
        if (out[i].chain.len == 0)
            return refuse(c, GW_EINVAL, name_part(where, "certificates", i, "chain"),
                          "it is empty");
        if (out[i].staple.len > 0 && (s->role != GW_TLS_SERVER || verify_of(s) != GW_VERIFY_NOT))
            return refuse(c, GW_EINVAL, name_part(where, "certificates", i, "staple"),
                          "one is sent by servers alone that do not ask for clients' certificates");
        if (out[i].key.len == 0)
            return refuse(c, GW_EINVAL, name_part(where, "certificates", i, "key"), "it is empty");
    }
    return GW_OK;
}

static void free_tls(struct gw_tls *tls)
{
    gw_allocator allocator = tls->heap.allocator;

    gw_tls_provider_close(tls);
    if (tls->ticket_keys_len > 0)
        gw_wipe(tls->ticket_keys, tls->ticket_keys_len * sizeof *tls->ticket_keys);
    gw_store_fini(&tls->store);
    GW_ASSERT(tls->heap.used == 0);
    allocator.release(allocator.ctx, tls, sizeof *tls);
}

static gw_status open_provider(struct gw_tls *tls, const gw_tls_spec *own,
                               const struct complaint *c)
{
    struct gw_tls_fault fault = { .field = "" };
    gw_status status = gw_tls_provider_open(tls, own, &fault);
    char where[64];

    if (status == GW_EUNSUPPORTED)
        return refuse(c, status, "", "this build has no TLS: build it with -Dtls=enabled");
    if (status != GW_EINVAL)
        return status;
    if (strncmp(fault.field, "certificates.", 13) == 0)
        return refuse(c, status, name_part(where, "certificates", fault.index, fault.field + 13),
                      fault.text);
    return refuse(c, status, fault.field, fault.text);
}

static gw_status make(const gw_allocator *allocator, gw_tls_spec *own, const struct complaint *c,
                      struct gw_tls *tls)
{
    struct gw_store scratch;
    gw_tls_certificate *certs;
    gw_status status;

    gw_heap_init(&tls->heap, allocator, 0);
    gw_store_init(&tls->store, &tls->heap);
    gw_store_init(&scratch, &tls->heap);
    certs = gw_store_take(&scratch, own->certificates_len, sizeof *certs);
    status = certs != NULL ? take_certificates(c, own, certs) : GW_ENOMEM;
    own->certificates = certs;
    if (status == GW_OK)
        status = copy(tls, own);
    if (status == GW_OK) {
        identify(tls, own, certs);
        status = open_provider(tls, own, c);
    }
    gw_store_fini(&scratch);
    return status;
}

gw_status gw_tls_new(const gw_env *env, const gw_tls_spec *spec, gw_tls **out, gw_config_error *err)
{
    struct complaint c = { err, 0 };
    gw_env own_env = { 0 };
    gw_tls_spec own = { 0 };
    struct gw_tls *tls;
    gw_status status;

    if (out == NULL || gw_spec_copy(&own, sizeof own, spec) != GW_OK)
        return GW_EINVAL;
    if (env != NULL && gw_spec_copy(&own_env, sizeof own_env, env) != GW_OK)
        return GW_EINVAL;
    gw_os_env_fill(&own_env);
    c.mark = own.mark;
    status = check(&c, &own);
    if (status != GW_OK)
        return status;
    tls = gw_allocator_zalloc(&own_env.allocator, sizeof *tls);
    if (tls == NULL)
        return GW_ENOMEM;
    atomic_init(&tls->refs, 1);
    status = make(&own_env.allocator, &own, &c, tls);
    if (status == GW_OK)
        *out = tls;
    else
        free_tls(tls);
    return status;
}

gw_tls *gw_tls_ref(gw_tls *tls)
{
    if (tls != NULL)
        atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void gw_tls_unref(gw_tls *tls)
{
    unsigned before;

    if (tls == NULL)
        return;
    before = atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel);
    GW_ASSERT(before > 0);
    if (before == 1)
        free_tls(tls);
}

void gw_tls_leave_thread(void)
{
    gw_tls_provider_leave();
}

/* ---- which certificate ---- */

enum { FITS_NOT, FITS_ANY, FITS_WILDCARD, FITS_EXACT };

static int fits(const struct gw_tls_pair *pair, gw_str name)
{
    int best = FITS_NOT;

    for (size_t i = 0; i < pair->names_len && best < FITS_EXACT; i++) {
        const struct gw_tls_name *n = &pair->names[i];
        if (n->kind == GW_TLS_DNS && gw_tls_name_covers(n, name))
            best = gw_str_starts(n->text, GW_STR("*.")) ? FITS_WILDCARD : FITS_EXACT;
    }
    return best;
}

static bool can_verify(const struct gw_tls_pair *pair, const struct gw_tls_hello *hello)
{
    switch (pair->kind) {
    case GW_TLS_KEY_RSA:
        return hello->can_rsa;
    case GW_TLS_KEY_P256:
        return hello->can_ecdsa_p256;
    case GW_TLS_KEY_P384:
        return hello->can_ecdsa_p384;
    }
    return false;
}

/* Of use to who names nobody we know: the first, and what else is for its first name. */
static bool is_default(const struct gw_tls *tls, uint32_t i)
{
    const struct gw_tls_pair *first = &tls->pairs[0];

    if (i == 0)
        return true;
    for (size_t n = 0; n < first->names_len; n++)
        if (first->names[n].kind == GW_TLS_DNS)
            return fits(&tls->pairs[i], first->names[n].text) != FITS_NOT;
    return false;
}

/* Better by name; then ECDSA, which is cheaper for us; then the one that stands first. */
const struct gw_tls_pair *gw_tls_choose(const struct gw_tls *tls, const struct gw_tls_hello *hello)
{
    const struct gw_tls_pair *best = NULL;
    gw_str name = { hello->name, hello->name_len };
    int best_fit = 0;

    for (uint32_t i = 0; i < tls->pairs_len; i++) {
        const struct gw_tls_pair *pair = &tls->pairs[i];
        int fit = name.len > 0 ? fits(pair, name) : FITS_NOT;
        if (fit == FITS_NOT && is_default(tls, i))
            fit = FITS_ANY;
        if (fit == FITS_NOT || !can_verify(pair, hello))
            continue;
        fit = 2 * fit + (pair->kind != GW_TLS_KEY_RSA);
        if (fit > best_fit) {
            best = pair;
            best_fit = fit;
        }
    }
    return best;
}
