/* balance/pick.h: what a pick is told of the endpoints as they are now, and what it tells of itself.
 * Everything that may change between two picks is here; what does not is in the frozen struct gw_balance.
 * Pure: it asks, and changes nothing but its worker's turn. */
#ifndef GW_BALANCE_PICK_H
#define GW_BALANCE_PICK_H

#include <gw/env.h>

#include "base/prng.h"

enum {
    GW_LEVELS_MAX = 16, /* priorities 0 to 15                              */
    GW_CHOICES_MAX = 8, /* candidates that least request may compare       */
    GW_WARM = 1024      /* the warmth of who takes all of its share */
};

/* By index of the endpoint. What is NULL costs nothing. */
struct gw_candidates {
    const void *ctx;
    bool (*is_available)(const void *ctx,
                         uint32_t i); /* NULL: all are; not asked in panic         */
    bool (*is_excluded)(const void *ctx,
                        uint32_t i); /* NULL: nobody; in panic too: tried before  */
    uint32_t (*inflight)(const void *ctx,
                         uint32_t i);                /* NULL: 0; for least request, bounded load  */
    uint32_t (*warmth)(const void *ctx, uint32_t i); /* NULL: all are warm; 1 to GW_WARM          */
    const uint64_t
        *available;        /* by level: the weight of those available; NULL: all are           */
    uint64_t inflight_sum; /* of all endpoints, at least; for bounded load                     */
};

/* Why it became what it became. */
struct gw_pick_trace {
    uint32_t chosen; /* UINT32_MAX: nobody                                              */
    uint32_t level;
    uint32_t walked; /* points of a ring, places of a sequence, lots drawn              */
    uint32_t unavailable, excluded, loaded, cold; /* ... that were passed over, and why */
    uint32_t others_len, others[GW_CHOICES_MAX];  /* least request: who was compared    */
    uint64_t key, point; /* consistent hash: where it fell, and the point that it got   */
    bool is_panic, is_key_drawn;
};

/* One pick in one level. A member is an endpoint's place in its level. */
struct gw_pick {
    const struct gw_candidates *who;
    const uint32_t *members; /* members' endpoints; NULL: member i is endpoint i  */
    const uint32_t *weights; /* by member                                         */
    uint32_t len;
    uint64_t weight; /* of those available                                        */
    struct gw_prng *prng;
    struct gw_pick_trace *trace; /* never NULL                                    */
    bool is_panic;
};

static inline uint32_t gw_pick_endpoint(const struct gw_pick *p, uint32_t member)
{
    return p->members == NULL ? member : p->members[member];
}
/* May it be picked at all? Of who weighs nothing nobody asks. */
static inline bool gw_pick_may(const struct gw_pick *p, uint32_t member)
{
    const struct gw_candidates *who = p->who;
    uint32_t i = gw_pick_endpoint(p, member);
    p->trace->walked++;
    if (who->is_available != NULL && !p->is_panic && !who->is_available(who->ctx, i)) {
        p->trace->unavailable++;
        return false;
    }
    if (who->is_excluded != NULL && who->is_excluded(who->ctx, i)) {
        p->trace->excluded++;
        return false;
    }
    return true;
}
static inline uint32_t gw_pick_warmth(const struct gw_pick *p, uint32_t member)
{
    const struct gw_candidates *who = p->who;
    return who->warmth == NULL ? GW_WARM : who->warmth(who->ctx, gw_pick_endpoint(p, member));
}
/* Who is not warm yet takes that part of its turns, and lets the others go. */
static inline bool gw_pick_takes(const struct gw_pick *p, uint32_t member)
{
    uint32_t warmth = gw_pick_warmth(p, member);
    if (warmth >= GW_WARM || gw_prng_below(p->prng, GW_WARM) < warmth)
        return true;
    p->trace->cold++;
    return false;
}
static inline uint32_t gw_pick_inflight(const struct gw_pick *p, uint32_t member)
{
    const struct gw_candidates *who = p->who;
    return who->inflight == NULL ? 0 : who->inflight(who->ctx, gw_pick_endpoint(p, member));
}

#endif
