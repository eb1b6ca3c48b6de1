/* guard/shared.h: states of policies that all workers of an engine share, kept by stable names, so that
 * they outlive the configurations that name them. The registry is one thread's at a time: of who applies
 * a configuration or changes an endpoint. What it gives out is changed by any thread, by atomics; it is
 * freed by a later sweep, when nobody refers to it.
 */
#ifndef GW_GUARD_SHARED_H
#define GW_GUARD_SHARED_H

#include <stdatomic.h>

#include "base/heap.h"

enum gw_shared_kind {
    GW_SHARED_CLUSTER = 1,
    GW_SHARED_ENDPOINT,
    GW_SHARED_LIMITER,
    GW_SHARED_ROUTE,
    GW_SHARED_SPLIT,
    GW_SHARED_LIMIT_COUNTS
};

/* What every such state begins with. */
struct gw_shared {
    struct gw_shared *next; /* in its bucket   */
    atomic_uint refs;       /* by editions    */
    uint32_t kind;
    uint64_t hash;
    gw_str cluster, name;   /* behind the state itself */
    size_t bytes;           /* of all                  */
    struct gw_shared *heir; /* one reference: it is in this one's place; NULL: none */
};

struct gw_registry {
    struct gw_heap heap;
    uint64_t seed;
    struct gw_shared **buckets;
    uint32_t count, room; /* room: a power of two or 0 */
};

void gw_registry_init(struct gw_registry *r, const gw_allocator *allocator, uint64_t seed);
void gw_registry_fini(struct gw_registry *r); /* asserts that nobody refers to anything */
/* The one of that name; where there is none, a new one of size bytes, all zero behind its head. Takes a
 * reference. NULL: no memory. */
struct gw_shared *gw_registry_get(struct gw_registry *r, enum gw_shared_kind kind, gw_str cluster,
                                  gw_str name, size_t size) GW_MUST_CHECK;
/* Always a new one, which gw_registry_get may not find: for who knows by itself which one goes on. */
struct gw_shared *gw_registry_add(struct gw_registry *r, enum gw_shared_kind kind, gw_str name,
                                  size_t size) GW_MUST_CHECK;
/* Frees what nobody refers to. O(states). */
void gw_registry_sweep(struct gw_registry *r);

/* One reference less; NULL is fine. Any thread. */
void gw_shared_unref(struct gw_shared *s);

#endif
