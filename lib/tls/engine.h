/* tls/engine.h: an engine between wire bytes and clear bytes. It knows chains, never a socket. A link
 * without an engine is plain: its wire chains are its clear chains. */
#ifndef GW_TLS_ENGINE_H
#define GW_TLS_ENGINE_H

#include "buf/chain.h"

struct gw_tls_engine;
struct gw_tls_engine_ops {
    const char *name;
    /* Opens what it can of wire into clear while clear->len < mark. GW_OK; GW_EOF: the peer closed
     * orderly (close_notify), nothing follows; GW_ENOMEM: try again; GW_ETLS: the link is lost. */
    gw_status (*open)(struct gw_tls_engine *e, struct gw_chain *wire, struct gw_chain *clear,
                      size_t mark);
    /* Seals clear into wire while wire->len < mark; writes handshake and alerts too. GW_OK, GW_ENOMEM,
     * GW_ETLS. */
    gw_status (*seal)(struct gw_tls_engine *e, struct gw_chain *clear, struct gw_chain *wire,
                      size_t mark);
    /* An orderly end was asked for: seal will write it after the clear bytes. */
    void (*close)(struct gw_tls_engine *e);
    /* Has seal something of its own to write: of the handshake, an alert, the end? */
    bool (*wants_seal)(const struct gw_tls_engine *e);
    bool (*is_ready)(const struct gw_tls_engine *e); /* the handshake is over */
    gw_str (*alpn)(const struct gw_tls_engine *e);   /* empty: none            */
    void (*free)(struct gw_tls_engine *e);
};
struct gw_tls_engine {
    const struct gw_tls_engine_ops *ops;
};

#endif
