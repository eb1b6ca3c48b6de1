/* gw/resolver.h: the endpoints of clusters that come from DNS (gw_cluster_spec.dns): asks name servers, and
 * puts what they say in force, off the workers. In builds with c-ares; else gw_resolver_new answers
 * GW_EUNSUPPORTED. docs/dns.md says what is asked when, and what becomes of the answers. */
#ifndef GW_RESOLVER_H
#define GW_RESOLVER_H

#include <gw/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One for an engine. Used by one thread at a time, which is no worker's while others wait for it. */
typedef struct gw_resolver gw_resolver;

typedef struct gw_resolver_spec {
    uint32_t size;
    uint32_t log_level; /* the highest level of its lines; 0: that of the engine's gw_env */
} gw_resolver_spec;

/* Makes the engine's resolver: from its first step on it asks for all clusters of the configuration that is
 * in force, and follows each gw_engine_apply by itself. spec NULL: defaults. The caller owns it. Any thread.
 * GW_EUNSUPPORTED: a build without c-ares; GW_ESTATE: the engine has one, or no descriptors are left;
 * GW_ENOMEM. Allocates. */
GW_API gw_status gw_resolver_new(gw_engine *e, const gw_resolver_spec *spec, gw_resolver **out)
    GW_MUST_CHECK;
/* Its descriptor, for the host's own loop: readable when gw_resolver_step has something to do, now that time
 * has passed too. It stays the resolver's. -1: there is none. Any thread. */
GW_API int gw_resolver_fd(const gw_resolver *r);
/* Does what there is to do, and waits for nothing: reads answers, asks, puts changed endpoints in force.
 * The resolver's thread. GW_ENOMEM: not all could be done; it is tried again later. O(clusters) and what
 * gw_engine_set_endpoints costs for each change. */
GW_API gw_status gw_resolver_step(gw_resolver *r) GW_MUST_CHECK;
/* Steps until gw_resolver_stop is called, waiting in between. The resolver's thread. GW_ESTATE: it cannot
 * wait. */
GW_API gw_status gw_resolver_run(gw_resolver *r) GW_MUST_CHECK;
/* Ends gw_resolver_run, now or once it is called. Any thread; until gw_resolver_free. */
GW_API void gw_resolver_stop(gw_resolver *r);
/* How many clusters have heard nothing yet: neither an answer nor a failure; after the first step. The
 * resolver's thread. O(clusters). */
GW_API size_t gw_resolver_pending(const gw_resolver *r);
/* Frees it, before gw_engine_free; what it has put in force stays. NULL is fine. The resolver's thread, or
 * one that knows that it is not used. */
GW_API void gw_resolver_free(gw_resolver *r);

#ifdef __cplusplus
}
#endif
#endif
