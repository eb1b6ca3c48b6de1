/* tls/engine.h: an engine between wire bytes and clear bytes. It knows chains, never a socket. A link
 * without an engine is plain: its wire chains are its clear chains. */
#ifndef GW_TLS_ENGINE_H
#define GW_TLS_ENGINE_H

#include <gw/link.h>

#include "buf/chain.h"

struct gw_tls_engine;
struct gw_tls_engine_ops {
    const char *name;
    /* Opens what it can of wire into clear while clear->len < mark. GW_OK; GW_EOF: the peer closed
     * orderly (close_notify), nothing follows; GW_ENOMEM: try again; GW_ELIMIT: it is over, for want of
     * memory; GW_ETLS: it is over, see fault: what
     * has been written to the wire, an alert or a plain answer, is for the peer still. */
    gw_status (*open)(struct gw_tls_engine *e, struct gw_chain *wire, struct gw_chain *clear,
                      size_t mark);
    /* Seals clear into wire while wire->len < mark; writes handshake and alerts too. GW_OK, GW_ENOMEM,
     * GW_ELIMIT, GW_ETLS as above. Once it has failed it does nothing. */
    gw_status (*seal)(struct gw_tls_engine *e, struct gw_chain *clear, struct gw_chain *wire,
                      size_t mark);
    /* An orderly end was asked for: seal will write it after the clear bytes. */
    void (*close)(struct gw_tls_engine *e);
    /* Has seal something of its own to write: of the handshake, an alert, the end? */
    bool (*wants_seal)(const struct gw_tls_engine *e);
    /* Has it taken the begin of a record from the wire, and not its end? */
    bool (*is_amid)(const struct gw_tls_engine *e);
    bool (*is_ready)(const struct gw_tls_engine *e);   /* the handshake is over */
    bool (*is_resumed)(const struct gw_tls_engine *e); /* by what is left of an earlier one */
    /* Fills what begins with is_secure: views that live as long as the engine. Once it is ready. */
    void (*tell)(const struct gw_tls_engine *e, gw_facts *out);
    /* Why it is over, for people: no line of it is the peer's; static or the engine's. */
    const char *(*fault)(const struct gw_tls_engine *e);
    void (*free)(struct gw_tls_engine *e);
};
struct gw_tls_engine {
    const struct gw_tls_engine_ops *ops;
};

#endif
