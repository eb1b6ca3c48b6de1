/* tls/wolfssl_ctx.c: settings made ready by wolfSSL: one context for each certificate of a server, one for
 * a client. What peers may agree on stands here, and nowhere else. */

#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "base/wipe.h"
#include "gw_features.h"
#include "tls/staple.h"
#include "tls/wolfssl_staple.h"
#include "tls/wolfssl_ticket.h"

/* Forward secret and authenticated; those first that are cheapest with equal strength. Without assembly a
 * byte of ChaCha20-Poly1305 costs less than half of one of AES. */
#if GW_HAVE_TLS_ASSEMBLY
#define SUITES                                                                                     \
    "TLS13-AES128-GCM-SHA256:TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES256-GCM-SHA384:"              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#else
#define SUITES                                                                                     \
    "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"              \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                                   \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#endif

enum { RSA_BITS_MIN = 2048, ECC_BITS_MIN = 256, CHAIN_MAX = 8 };

void gw_tls_provider_leave(void)
{
#ifdef FP_ECC
    wc_ecc_fp_free();
#endif
}

const char *gw_wolf_text(int error)
{
    const char *text = wolfSSL_ERR_reason_error_string((unsigned long)error);

    return text != NULL && text[0] != '\0' ? text : "wolfSSL does not say why";
}

static gw_status complain(struct gw_tls_fault *fault, const char *field, const char *what,
                          int error)
{
    struct gw_text text;

    if (error == MEMORY_E)
        return GW_ENOMEM;
    fault->field = field;
    gw_text_init(&text, fault->text, sizeof fault->text);
    gw_text_cstr(&text, what);
    if (error != 0) {
        gw_text_cstr(&text, ": ");
        gw_text_cstr(&text, gw_wolf_text(error));
    }
    return GW_EINVAL;
}

/* ---- certificates ---- */

DecodedCert *gw_wolf_parse(struct gw_heap *heap, const byte *der, word32 len, int *error)
{
    DecodedCert *cert = gw_heap_alloc(heap, sizeof *cert);

    *error = MEMORY_E;
    if (cert == NULL)
        return NULL;
    wc_InitDecodedCert(cert, der, len, NULL);
    *error = wc_ParseCert(cert, CERT_TYPE, NO_VERIFY, NULL);
    if (*error == 0)
        return cert;
    gw_wolf_forget(heap, cert);
    return NULL;
}

void gw_wolf_forget(struct gw_heap *heap, DecodedCert *cert)
{
    wc_FreeDecodedCert(cert);
    gw_heap_release(heap, cert, sizeof *cert);
}

static bool kind_of(int type, enum gw_tls_name_kind *out)
{
    switch (type) {
    case ASN_DNS_TYPE:
        *out = GW_TLS_DNS;
        return true;
    case ASN_IP_TYPE:
        *out = GW_TLS_IP;
        return true;
    case ASN_URI_TYPE:
        *out = GW_TLS_URI;
        return true;
    default:
        return false;
    }
}

bool gw_wolf_next_name(const DecodedCert *cert, const DNS_entry **at, struct gw_tls_name *out)
{
    const DNS_entry *entry = *at == NULL ? cert->altNames : (*at)->next;

    while (entry != NULL && !kind_of(entry->type, &out->kind))
        entry = entry->next;
    if (entry == NULL)
        return false;
    *at = entry;
    out->text = (gw_str){ entry->name, (size_t)entry->len };
    return true;
}

static gw_status take_names(struct gw_tls *tls, struct gw_tls_pair *pair, const DecodedCert *cert)
{
    const DNS_entry *at = NULL;
    struct gw_tls_name name, *names;
    size_t n = 0;
    gw_status status = GW_OK;

    while (gw_wolf_next_name(cert, &at, &name))
        n++;
    names = gw_store_take(&tls->store, n, sizeof *names);
    if (names == NULL)
        return GW_ENOMEM;
    pair->names = names;
    for (at = NULL; status == GW_OK && gw_wolf_next_name(cert, &at, &name); pair->names_len++) {
        names[pair->names_len].kind = name.kind;
        status = gw_store_copy(&tls->store, name.text, &names[pair->names_len].text);
    }
    return status;
}

static gw_status take_kind(struct gw_tls_pair *pair, const DecodedCert *cert,
                           struct gw_tls_fault *fault)
{
    if (cert->keyOID == RSAk)
        pair->kind = GW_TLS_KEY_RSA;
    else if (cert->keyOID == ECDSAk && cert->pkCurveOID == ECC_SECP256R1_OID)
        pair->kind = GW_TLS_KEY_P256;
    else if (cert->keyOID == ECDSAk && cert->pkCurveOID == ECC_SECP384R1_OID)
        pair->kind = GW_TLS_KEY_P384;
    else
        return complain(fault, "certificates.chain", "its key is neither RSA, P-256 nor P-384", 0);
    return GW_OK;
}

/* Is the public key of der, a private one, that of cert? One that cannot be read is told by others. */
static bool is_key_of(const DecodedCert *cert, const byte *der, word32 len, ecc_key *own,
                      ecc_key *theirs)
{
    word32 at = 0, its = 0;

    if (wc_EccPrivateKeyDecode(der, &at, own, len) != 0)
        return true;
    return wc_ecc_make_pub(own, NULL) == 0 &&
           wc_EccPublicKeyDecode(cert->publicKey, &its, theirs, cert->pubKeySize) == 0 &&
           own->idx == theirs->idx && wc_ecc_cmp_point(&own->pubkey, &theirs->pubkey) == MP_EQ;
}

/* wolfSSL_CTX_check_private_key does this for RSA; of curves Debian's looks at nothing. */
static gw_status check_curve_key(struct gw_tls *tls, const DecodedCert *cert, gw_str pem,
                                 struct gw_tls_fault *fault)
{
    byte *der = gw_heap_alloc(&tls->heap, pem.len);
    ecc_key *own = wc_ecc_key_new(NULL), *theirs = wc_ecc_key_new(NULL);
    gw_status status = der != NULL && own != NULL && theirs != NULL ? GW_OK : GW_ENOMEM;
    int len = 0;

    if (status == GW_OK)
        len = wc_KeyPemToDer((const byte *)pem.ptr, (int)pem.len, der, (int)pem.len, NULL);
    if (len > 0 && !is_key_of(cert, der, (word32)len, own, theirs))
        status = complain(fault, "certificates.key", "it does not belong to the certificate", 0);
    if (der != NULL) {
        gw_wipe(der, pem.len);
        gw_heap_release(&tls->heap, der, pem.len);
    }
    wc_ecc_key_free(own);
    wc_ecc_key_free(theirs);
    return status;
}

static gw_status look_at(struct gw_tls *tls, struct gw_tls_pair *pair,
                         const gw_tls_certificate *own, struct gw_tls_fault *fault)
{
    gw_str pem = own->chain;
    byte *der = gw_heap_alloc(&tls->heap, pem.len);
    DecodedCert *cert;
    int error, len;
    gw_status status;

    if (der == NULL)
        return GW_ENOMEM;
    len = wc_CertPemToDer((const byte *)pem.ptr, (int)pem.len, der, (int)pem.len, CERT_TYPE);
    error = len;
    cert = len > 0 ? gw_wolf_parse(&tls->heap, der, (word32)len, &error) : NULL;
    if (cert == NULL) {
        status = complain(fault, "certificates.chain", "it is no certificate in PEM", error);
    } else {
        status = take_kind(pair, cert, fault);
        if (status == GW_OK)
            status = take_names(tls, pair, cert);
        if (status == GW_OK && pair->kind != GW_TLS_KEY_RSA)
            status = check_curve_key(tls, cert, own->key, fault);
        gw_wolf_forget(&tls->heap, cert);
    }
    gw_heap_release(&tls->heap, der, pem.len);
    return status;
}

static gw_status use_pair(WOLFSSL_CTX *ctx, const gw_tls_certificate *cert,
                          struct gw_tls_fault *fault)
{
    int done = wolfSSL_CTX_use_certificate_chain_buffer(ctx, (const byte *)cert->chain.ptr,
                                                        (long)cert->chain.len);

    if (done != WOLFSSL_SUCCESS)
        return complain(fault, "certificates.chain", "it is not a chain that can be used", done);
    done = wolfSSL_CTX_use_PrivateKey_buffer(ctx, (const byte *)cert->key.ptr, (long)cert->key.len,
                                             WOLFSSL_FILETYPE_PEM);
    if (done != WOLFSSL_SUCCESS)
        return complain(fault, "certificates.key",
                        "it is not a key in PEM, without a password, that can be used", done);
    /* Of RSA: what it does not say of curves, check_curve_key does. */
    if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
        return complain(fault, "certificates.key", "it does not belong to the certificate", 0);
    return GW_OK;
}

/* ---- whom to trust ---- */

static gw_status load_trust(WOLFSSL_CTX *ctx, const gw_tls_spec *spec, struct gw_tls_fault *fault)
{
    int done = WOLFSSL_SUCCESS;

    if (spec->trust.len > 0)
        done = wolfSSL_CTX_load_verify_buffer(ctx, (const byte *)spec->trust.ptr,
                                              (long)spec->trust.len, WOLFSSL_FILETYPE_PEM);
    if (done != WOLFSSL_SUCCESS)
        return complain(fault, "trust", "these are no certificates in PEM that can be used", done);
    if ((spec->flags & GW_TLS_SYSTEM_ROOTS) != 0 &&
        wolfSSL_CTX_load_system_CA_certs(ctx) != WOLFSSL_SUCCESS)
        return complain(fault, "flags", "this machine has no roots that could be read", 0);
    return GW_OK;
}

/* wolfSSL takes one list at a time. */
static gw_status load_revoked(WOLFSSL_CTX *ctx, gw_str pem, struct gw_tls_fault *fault)
{
    static const char begin[] = "-----BEGIN X509 CRL-----";
    size_t from = 0, lists = 0;
    int done;

    if (pem.len == 0)
        return GW_OK;
    if (wolfSSL_CTX_EnableCRL(ctx, WOLFSSL_CRL_CHECKALL) != WOLFSSL_SUCCESS)
        return GW_ENOMEM;
    for (size_t at = 0; at + sizeof begin - 1 <= pem.len; at++) {
        if (memcmp(pem.ptr + at, begin, sizeof begin - 1) != 0)
            continue;
        from = at;
        done = wolfSSL_CTX_LoadCRLBuffer(ctx, (const byte *)pem.ptr + from, (long)(pem.len - from),
                                         WOLFSSL_FILETYPE_PEM);
        if (done != WOLFSSL_SUCCESS)
            return complain(
                fault, "revoked",
                "one of these lists cannot be used, or is not signed by any that is trusted", done);
        lists++;
    }
    return lists > 0 ? GW_OK : complain(fault, "revoked", "there is no CRL in PEM in it", 0);
}

/* ---- contexts ---- */

static WOLFSSL_METHOD *method_of(const struct gw_tls *tls)
{
    bool is_server = tls->role == GW_TLS_SERVER;

    if (tls->version_min == GW_TLS_1_3)
        return is_server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    if (tls->version_max == GW_TLS_1_2)
        return is_server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
    return is_server ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
}

static int verify_mode(const struct gw_tls *tls)
{
    if (tls->verify == GW_VERIFY_NOT)
        return WOLFSSL_VERIFY_NONE;
    if (tls->role == GW_TLS_SERVER && tls->verify == GW_VERIFY_REQUIRE)
        return WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    return WOLFSSL_VERIFY_PEER;
}

/* A server that knows its clients does not resume: what it knows of them is not in a ticket. */
static bool has_tickets(const struct gw_tls *tls)
{
    return (tls->flags & GW_TLS_NO_TICKETS) == 0 && tls->verify == GW_VERIFY_NOT;
}

static bool set_tickets(const struct gw_tls *tls, WOLFSSL_CTX *ctx)
{
    unsigned life = (unsigned)tls->ticket_life;

    if (tls->role == GW_TLS_CLIENT)
        return true;
    (void)wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
    (void)wolfSSL_CTX_set_timeout(ctx, life); /* answers with the one before, or not */
    if (has_tickets(tls))
        return wolfSSL_CTX_set_TicketHint(ctx, (int)life) == WOLFSSL_SUCCESS &&
               wolfSSL_CTX_set_TicketEncCb(ctx, gw_wolf_ticket) == WOLFSSL_SUCCESS;
    /* Of a version that is not spoken it says that there is none. */
    if (tls->version_max != GW_TLS_1_2 && wolfSSL_CTX_no_ticket_TLSv13(ctx) != 0)
        return false;
    return wolfSSL_CTX_NoTicketTLSv12(ctx) == WOLFSSL_SUCCESS;
}

static bool set_up(const struct gw_tls *tls, WOLFSSL_CTX *ctx)
{
    int groups[] = { WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1 };
    enum { GROUPS = sizeof groups / sizeof *groups };

    for (size_t i = 0; i < GROUPS; i++)
        if (wolfSSL_CTX_UseSupportedCurve(ctx, (word16)groups[i]) != WOLFSSL_SUCCESS)
            return false;
    wolfSSL_CTX_set_verify(ctx, verify_mode(tls), gw_wolf_verify);
    wolfSSL_CTX_set_verify_depth(ctx, CHAIN_MAX);
    return wolfSSL_CTX_SetMinVersion(ctx, tls->version_min == GW_TLS_1_3
                                              ? WOLFSSL_TLSV1_3
                                              : WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_cipher_list(ctx, SUITES) == WOLFSSL_SUCCESS &&
           (tls->version_max == GW_TLS_1_2 ||
            wolfSSL_CTX_set_groups(ctx, groups, GROUPS) == WOLFSSL_SUCCESS) &&
           wolfSSL_CTX_SetMinRsaKey_Sz(ctx, RSA_BITS_MIN) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_SetMinEccKey_Sz(ctx, ECC_BITS_MIN) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_group_messages(ctx) == WOLFSSL_SUCCESS && set_tickets(tls, ctx);
}

static gw_status make_ctx(const struct gw_tls *tls, const gw_tls_spec *spec,
                          struct gw_tls_fault *fault, void **out)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method_of(tls));
    gw_status status;

    if (ctx == NULL)
        return GW_ENOMEM;
    *out = ctx;
    if (!set_up(tls, ctx))
        return complain(fault, "", "this wolfSSL lacks what is needed", 0);
    status = load_trust(ctx, spec, fault);
    return status == GW_OK ? load_revoked(ctx, spec->revoked, fault) : status;
}

/* A context of its own: when the staple is too old, the other one serves. */
static gw_status open_stapled(struct gw_tls *tls, const gw_tls_spec *spec,
                              const gw_tls_certificate *cert, struct gw_tls_pair *pair,
                              struct gw_tls_fault *fault)
{
    gw_status status;
    const char *why;
    int error;

    if (!gw_tls_staple_until(cert->staple, &pair->staple_until))
        return complain(fault, "certificates.staple",
                        "it is not an OCSP response in DER that says until when it holds", 0);
    status = gw_store_copy(&tls->store, cert->staple, &pair->staple);
    if (status == GW_OK)
        status = make_ctx(tls, spec, fault, &pair->stapled);
    if (status == GW_OK)
        status = use_pair(pair->stapled, cert, fault);
    if (status != GW_OK)
        return status;
    why = gw_wolf_staple(pair->stapled, &tls->heap, cert->chain, &pair->staple, &error);
    return why == NULL ? GW_OK : complain(fault, "certificates.staple", why, error);
}

static gw_status open_pair(struct gw_tls *tls, const gw_tls_spec *spec, size_t i,
                           struct gw_tls_fault *fault)
{
    struct gw_tls_pair *pair = &tls->pairs[i];
    gw_status status = look_at(tls, pair, &spec->certificates[i], fault);

    fault->index = i;
    if (status == GW_OK && tls->role == GW_TLS_SERVER)
        status = make_ctx(tls, spec, fault, &pair->native);
    if (status == GW_OK)
        status = use_pair(tls->role == GW_TLS_SERVER ? pair->native : tls->native,
                          &spec->certificates[i], fault);
    if (status == GW_OK && spec->certificates[i].staple.len > 0)
        status = open_stapled(tls, spec, &spec->certificates[i], pair, fault);
    return status;
}

gw_status gw_tls_provider_open(struct gw_tls *tls, const gw_tls_spec *spec,
                               struct gw_tls_fault *fault)
{
    gw_status status = GW_OK;

    if (wolfSSL_Init() != WOLFSSL_SUCCESS) /* counted there: once for each settings */
        return GW_ENOMEM;
    tls->is_open = true;
    status = gw_wolf_take_ticket_keys(tls, spec);
    if (status == GW_OK && tls->role == GW_TLS_CLIENT)
        status = make_ctx(tls, spec, fault, &tls->native);
    for (size_t i = 0; status == GW_OK && i < spec->certificates_len; i++)
        status = open_pair(tls, spec, i, fault);
#ifdef OPENSSL_EXTRA
    wolfSSL_ERR_clear_error();
#endif
    return status;
}

void gw_tls_provider_close(struct gw_tls *tls)
{
    if (!tls->is_open)
        return;
    for (uint32_t i = 0; i < tls->pairs_len; i++) {
        wolfSSL_CTX_free(tls->pairs[i].native);
        wolfSSL_CTX_free(tls->pairs[i].stapled);
    }
    wolfSSL_CTX_free(tls->native);
    (void)wolfSSL_Cleanup();
}
