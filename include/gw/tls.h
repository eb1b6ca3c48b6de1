/* gw/tls.h: TLS 1.2 and 1.3 of a listener or a cluster (RFC 8446, RFC 5246): certificates, whom to trust,
 * what to insist on. Without types of any TLS library: libgw is built over one, or over none. A
 * listener and a cluster take settings in their specs; docs/tls.md tells the whole.
 *
 * Suites, groups and signatures are not for choosing: forward secret, authenticated encryption alone. TLS
 * 1.3: AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305; 1.2 the same with ECDHE. X25519, P-256, P-384. No
 * renegotiation, no compression, no early data.
 */
#ifndef GW_TLS_H
#define GW_TLS_H

#include <gw/config.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { GW_TLS_SERVER = 1, GW_TLS_CLIENT = 2 };
enum { GW_TLS_1_2 = 1, GW_TLS_1_3 = 2 };
enum { GW_VERIFY_REQUIRE = 1, GW_VERIFY_IF_GIVEN = 2, GW_VERIFY_NOT = 3 };
enum {
    GW_TLS_SYSTEM_ROOTS = 1u, /* those of the machine are trusted too                     */
    GW_TLS_NO_TICKETS = 2u    /* sessions are not resumed                                 */
};

/* A certificate with its chain, and its key. */
typedef struct gw_tls_certificate {
    uint32_t size;
    uint32_t mark; /* the host's number for this part, given back in errors            */
    gw_str chain;  /* PEM: its own first, then those that signed it                    */
    gw_str key;    /* PEM, not encrypted: RSA of 2,048 bits or more, P-256, P-384; it
                          belongs to the first of chain                                    */
    gw_str staple; /* DER: an OCSP response for it (RFC 6066 8), sent to who asks; the issuer is
                          in chain. Server without verify. None                           */
} gw_tls_certificate;

typedef struct gw_tls_spec {
    uint32_t size;
    uint32_t mark;
    uint32_t role;           /* GW_TLS_SERVER, GW_TLS_CLIENT                                */
    uint32_t verify;         /* GW_VERIFY_*, the peer's certificate. Client: REQUIRE, and
                                IF_GIVEN is not for it. Server: NOT, or REQUIRE with trust   */
    uint32_t version_min;    /* GW_TLS_*; 1.2                                               */
    uint32_t version_max;    /* GW_TLS_*; 1.3                                               */
    uint32_t flags;          /* GW_TLS_*                                                    */
    uint32_t ticket_life_ms; /* a session can be resumed so long, up to 7 days; 12 hours    */
    /* Server: at least one; chosen by the name the client asks for (exact before wildcard, else the
     * first of all) and, of those, by what it can verify; ECDSA first. Client: one at most. */
    const gw_tls_certificate *certificates;
    size_t certificates_len; /* up to 256 */
    gw_str trust;            /* PEM: who may have signed the peer's certificate; client without
                                it and SYSTEM_ROOTS, and verify not NOT: refused             */
    gw_str revoked;          /* PEM: CRLs of those in trust, for all of them or none: a peer whose
                                issuer has none is refused                                   */
    gw_str server_name;      /* client: asked for and expected in the certificate: a name, or an
                                address without port; empty: the cluster's name in DNS, or the
                                endpoint's address                                           */
    const gw_str *peers;     /* server: names of clients that may come: "spiffe://d/x",
                                "client.example", "*.example", "CN=x"; none: whoever is trusted      */
    size_t peers_len;        /* up to 64 */
    const gw_str
        *ticket_keys; /* server: secrets of 48 to 80 random bytes that a fleet shares: the first
                                seals tickets, all open them; none: keys that the engine draws   */
    size_t ticket_keys_len; /* up to 8 */
} gw_tls_spec;

/* Checks spec and makes settings of it: certificates are parsed, and each key is held against its
 * certificate. All is copied. The caller owns one reference. err may be NULL. Any thread. GW_EINVAL: see
 * err, whose where is the path of the field ("certificates[0].key"); GW_EUNSUPPORTED: a build without
 * TLS; GW_ELIMIT; GW_ENOMEM. Allocates; milliseconds for each certificate. */
GW_API gw_status gw_tls_new(const gw_env *env, const gw_tls_spec *spec, gw_tls **out,
                            gw_config_error *err) GW_MUST_CHECK;
/* Any thread. O(1). NULL is fine, and given back. */
GW_API gw_tls *gw_tls_ref(gw_tls *tls);
/* With the last reference all is freed, keys overwritten first. Configurations and connections that use
 * it have references of their own. Any thread. NULL is fine. */
GW_API void gw_tls_unref(gw_tls *tls);
/* A thread that has stepped workers with TLS is about to end: frees what the TLS library keeps for it, up to
 * megabytes (docs/tls.md). Any thread, for itself; before or after its workers are freed. */
GW_API void gw_tls_leave_thread(void);

#ifdef __cplusplus
}
#endif
#endif
