/* link/places.h: the ceiling on connections of a cluster, as one worker has to do with it: how many of the
 * places that all workers share are taken by its connections, which of its upstreams wait for one, and
 * which of its connections make room for others.
 *
 * Who finds no place waits in a line of its worker's. An idle connection that nobody here waits for is
 * closed for who does, here or in another worker, which is called for that. If none is idle, each has to
 * wait for places to come back; but a worker that has less than its part of all places (at least one) gets
 * one of a worker that has more: after AGAIN_NS that one takes a connection out of use, which ends with its
 * last stream. In the same way an endpoint without any gets one of another endpoint's. */
#ifndef GW_LINK_PLACES_H
#define GW_LINK_PLACES_H

#include "base/ceiling.h"
#include "link/link.h"

struct gw_upstreams;

struct gw_places {
    struct gw_list node; /* of all of the worker */
    struct gw_links *links;
    struct gw_ceiling *ceiling;
    uint64_t generation;
    uint32_t most;                            /* of that configuration */
    uint32_t taken, wanted, starved, leaving; /* what of the ceiling's is this worker's */
    struct gw_list members;                   /* upstreams */
    struct gw_list line;                      /* of these, who lacks places */
    struct gw_alarm again;                    /* set as long as anybody does */
};

/* u is one of them from now on. GW_ENOMEM. */
gw_status gw_places_join(struct gw_upstreams *pool, struct gw_upstream *u,
                         struct gw_ceiling *ceiling) GW_MUST_CHECK;
/* No longer; none of its links is left. */
void gw_places_leave(struct gw_upstream *u);
void gw_places_bound(struct gw_places *p, uint32_t most, uint64_t generation);
/* One more connection for u: false: there are as many as there may be, or others of this worker are before
 * it in line. */
bool gw_places_take(struct gw_upstream *u);
/* One less. Who else waits is not served yet: gw_places_serve. */
void gw_places_give(struct gw_places *p);
/* u lacks so many places. True: more than were known of, so that it had better ask for one again. */
bool gw_places_want(struct gw_upstream *u, uint32_t lacks);
/* It got none: who has idle connections makes room. */
void gw_places_ask(struct gw_places *p);
/* All in line, in its order. */
void gw_places_serve(struct gw_places *p);
/* link serves nobody now, and nobody waits for it. */
void gw_places_idle(struct gw_link *link);
/* link is about to be freed. */
void gw_places_left(struct gw_places *p, const struct gw_link *link);
/* Another worker wants a place, or has given one back. */
void gw_places_called(struct gw_upstreams *pool);

#endif
