/* tls/provider.h: what is asked of a TLS library. One is linked: wolfssl*.c, or none.c. Nothing of a
 * library's is seen beyond its files. */
#ifndef GW_TLS_PROVIDER_H
#define GW_TLS_PROVIDER_H

#include "tls/engine.h"
#include "tls/settings.h"
#include "tls/tickets.h"

/* What settings could not be made ready for: part of spec at fault. */
struct gw_tls_fault {
    const char *field; /* "certificates[].key", "trust" */
    size_t index;      /* of the certificate            */
    char text[160];
};

/* Fills what of tls is the provider's: native, and of each pair native, kind and names. A failure leaves
 * what gw_tls_provider_close takes back. GW_EINVAL: fault says why; GW_EUNSUPPORTED; GW_ENOMEM. */
gw_status gw_tls_provider_open(struct gw_tls *tls, const gw_tls_spec *spec,
                               struct gw_tls_fault *fault) GW_MUST_CHECK;
void gw_tls_provider_close(struct gw_tls *tls);

/* What a thread that has used it keeps is freed. */
void gw_tls_provider_leave(void);

/* Of one place where clients go: the newest session, to be resumed there. Zeroed: none. */
struct gw_tls_kept {
    void *native;
    uint64_t since; /* the peer was verified: seconds of 1970 */
};
void gw_tls_kept_drop(struct gw_tls_kept *kept);

struct gw_tls_session_spec {
    struct gw_heap *heap;
    gw_tls *tls;                /* a reference is taken                                      */
    struct gw_chain *wire;      /* where what is to be sent goes, whenever it comes up       */
    gw_str name;                /* client: asked for and expected                            */
    uint32_t protocols;         /* offered, or accepted, by ALPN                             */
    uint8_t *scratch;           /* GW_TLS_SCRATCH bytes that sessions of one thread share    */
    struct gw_tickets *tickets; /* NULL: nothing is resumed. Outlives this, as kept does */
    struct gw_tls_kept *kept;   /* client: of that peer under that name, by settings of the same id;
                                   NULL: its session is not kept                          */
};
enum { GW_TLS_SCRATCH = 16 * 1024 };
/* GW_ENOMEM. A server's takes no memory to speak of before a ClientHello is whole. */
gw_status gw_tls_session_new(const struct gw_tls_session_spec *spec, struct gw_tls_engine **out)
    GW_MUST_CHECK;

#endif
