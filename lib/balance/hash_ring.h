/* balance/hash_ring.h: consistent hashing: each endpoint has points on a ring of 2^64 places, a key goes
 * to the next point at or above it. A point's place is XXH64, seed 0, of the endpoint's name and the
 * point's number from 0 in four bytes, the lowest first: the same on every machine, whatever the order of
 * the endpoints. Without an endpoint its keys go to their next points, and no others move.
 *
 * How many points: GW_RING_POINTS for each unit of weight, rounded, where the unit is given, or else the
 * greatest power of ten that is not above the greatest weight (100, 100, 250: 256, 256, 640). If these are
 * too many for points_max all are halved until they fit; everybody who weighs anything keeps at least one.
 * As points are numbered from 0, a weight that changes while unit and halving stay moves only what the
 * points that come or go have. Pure. */
#ifndef GW_BALANCE_HASH_RING_H
#define GW_BALANCE_HASH_RING_H

#include "balance/pick.h"
#include "base/heap.h"

enum { GW_RING_POINTS = 256, GW_RING_POINTS_MAX = 65536 };

struct gw_ring_spec {
    const gw_str *names;     /* unique */
    const uint32_t *weights; /* none is 0 */
    uint32_t n;
    uint32_t points;     /* for each unit of weight; 0: GW_RING_POINTS */
    uint32_t points_max; /* 0: GW_RING_POINTS_MAX                      */
    uint32_t unit;       /* so much weight has those points; 0: see above */
};
struct gw_ring {
    uint64_t *hashes; /* ascending                                       */
    uint32_t *owners; /* the member that has the point                   */
    uint32_t *index;  /* by a key's top bits: the first point at or above them */
    uint32_t len, bits;
    uint32_t unit, halved; /* of weight; how often                             */
};
/* GW_ELIMIT: more members than points_max; GW_ENOMEM. */
gw_status gw_ring_init(struct gw_ring *ring, struct gw_heap *heap, const struct gw_ring_spec *spec)
    GW_MUST_CHECK;
void gw_ring_fini(struct gw_ring *ring, struct gw_heap *heap);
/* The point at or above key. len > 0. */
uint32_t gw_ring_find(const struct gw_ring *ring, uint64_t key);
/* How many of the 2^64 keys each of n members has, counted and not estimated; one that has all gets
 * UINT64_MAX. */
void gw_ring_shares(const struct gw_ring *ring, uint64_t *out, uint32_t n);
/* How many keys have a member in b that is not the one in a; UINT64_MAX: all. Neither is empty. */
uint64_t gw_ring_moved(const struct gw_ring *a, const struct gw_ring *b,
                       bool (*is_same)(const void *ctx, uint32_t in_a, uint32_t in_b),
                       const void *ctx);

/* The member of the first point from key on that may be picked and is not over its bound: load_percent of
 * its share of what is in flight, rounded up (0: no bound; else 100 and more). If all are over theirs,
 * which only happens when the numbers change meanwhile or somebody is excluded, the first that may be
 * picked. UINT32_MAX: none. */
uint32_t gw_ring_pick(const struct gw_ring *ring, const struct gw_pick *p, uint64_t key,
                      uint32_t load_percent);

#endif
