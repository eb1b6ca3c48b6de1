/* link/pool.h: upstream connections of one worker, kept by where they lead: what may be reused for
 * whom, who waits, and when one more is made.
 *
 * HTTP/1: a connection serves one stream at a time; the one used last is reused first, so that the
 * surplus goes idle and is closed. HTTP/2: few connections; each stream goes to the one with the
 * fewest, and one more connection is made when all are full. Waiters are served in order.
 */
#ifndef GW_LINK_POOL_H
#define GW_LINK_POOL_H

#include "base/map.h"
#include "link/link.h"
#include "link/places.h"

/* Cluster, endpoint, address and protocol decide whether two exchanges may share a connection: so
 * connections outlive a new configuration that leaves these as they were, and two clusters that lead
 * to the same address have connections and bounds of their own. */
struct gw_upstream_spec {
    gw_str address;
    gw_str cluster, endpoint; /* names           */
    uint32_t protocol;        /* one GW_PROTO_* bit */
    gw_tls *tls;              /* NULL: clear; its contents are of the key, a reference is taken */
    gw_str tls_name;          /* whose certificate is expected                   */
    bool is_probe;            /* for probes alone: each has a connection of its own */
    /* Not of the key: the bounds are those of the newest configuration. */
    uint64_t generation;
    uint32_t connections_max, streams_max, requests_max;
    gw_nanos connect_timeout, idle_timeout, age;
    uint32_t age_jitter; /* percent */
    /* Where all workers together count theirs to that endpoint; lives as long as who has a reference. */
    atomic_uint *open_count, *connecting_count;
    /* Of the cluster, over all workers; NULL: there is none. So many at most; UINT32_MAX: any number. */
    struct gw_ceiling *ceiling;
    uint32_t ceiling_most;
};

struct gw_upstream {
    struct gw_links *links;
    struct gw_upstreams *pool;
    gw_str key;                                  /* on the heap    */
    gw_str address, cluster, endpoint, tls_name; /* views of it    */
    gw_tls *tls;
    struct gw_tls_kept kept; /* what the next connection offers: the key says whose it is */
    struct gw_upstream_spec spec;
    uint32_t refs; /* by bindings */
    uint32_t links_count, connecting;
    uint32_t
        retired; /* of the links; HTTP/2: they have streams, and others may take their places */
    gw_nanos connecting_since;           /* there was never none after */
    uint32_t open_told, connecting_told; /* so many of them are in the counts */
    struct gw_list open; /* links that are connected; h1: idle ones at the front          */
    struct gw_list waiters;
    struct gw_places *places;       /* NULL: no ceiling */
    struct gw_list member, in_line; /* of these */
    uint32_t lacks;                 /* connections that the ceiling does not allow: in line */
    bool is_short;                  /* it did not when the last one was to be made          */
    struct gw_alarm
        again; /* set: a connection could not be made, and others are there that serve */
};

/* Someone who wants a stream to that upstream. */
struct gw_waiter {
    struct gw_list node;
    struct gw_upstream *at;   /* where it waits, while it does                    */
    struct gw_stream *stream; /* to be opened; NULL: a connection is enough       */
    struct gw_reserve *gift;  /* for a link without a slot: gw_link_open_stream   */
    struct gw_link *link;     /* set when it is                                   */
    gw_status status;         /* GW_OK, or why not                                */
    uint16_t reason;          /* gw_reason_id of a failure                        */
    const char *fault;        /* ... of TLS: why; NULL: it was not. Of the link: done copies it */
    bool wants_fresh;         /* h1: a connection that has served nobody, if one more may be made */
    void (*prepare)(struct gw_waiter *w); /* just before the stream is opened     */
    void (*done)(struct gw_waiter *w);    /* notes it; outside of any codec call  */
};

struct gw_upstreams {
    struct gw_links *links;
    struct gw_map by_key;
    struct gw_list places; /* one for each ceiling */
};

void gw_upstreams_init(struct gw_upstreams *pool, struct gw_links *links, uint64_t seed);
void gw_upstreams_fini(struct gw_upstreams *pool); /* after all links are freed */
/* The one for that key, made if it is new; takes a reference. NULL: no memory. */
struct gw_upstream *gw_upstream_get(struct gw_upstreams *pool, const struct gw_upstream_spec *spec)
    GW_MUST_CHECK;
/* The same, but NULL where there is none. Takes no memory. */
struct gw_upstream *gw_upstream_find(struct gw_upstreams *pool, const struct gw_upstream_spec *spec)
    GW_MUST_CHECK;
/* After the last reference idle connections are closed, and the others when their streams have ended. */
void gw_upstream_unref(struct gw_upstream *u);
/* Does somebody wait for a stream to it? */
bool gw_upstream_is_wanted(const struct gw_upstream *u);

/* Gets w a stream now (done runs before this returns) or later. */
void gw_upstream_wait(struct gw_upstream *u, struct gw_waiter *w);
void gw_upstream_cancel(struct gw_waiter *w); /* not waiting is fine */

/* Looks again who can be served: there may be a place for one more connection. */
void gw_upstream_serve(struct gw_upstream *u);

/* From link.c and conn.c. */
void gw_upstream_connected(struct gw_link *link);
void gw_upstream_connect_failed(struct gw_link *link, enum gw_reason_id reason, gw_status status);
/* The host wants no exchange on it: who waits gets another connection. */
void gw_upstream_connect_given_up(struct gw_link *link);
/* Something about the link's capacity changed: a stream went, settings came, it drains or is over. */
void gw_upstream_changed(struct gw_link *link);
void gw_upstream_left(struct gw_link *link);    /* the link is about to be freed */
void gw_upstream_retired(struct gw_link *link); /* it takes no more streams, for its age */

#endif
