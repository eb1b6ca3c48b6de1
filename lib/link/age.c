/* link/age.c: when a connection has been used for long enough. It takes no more requests then, and what it
 * has begun goes on: for as long as its listener's grace, or as it likes. The ages of connections that were
 * made at once are not the same, so that their successors do not come at once. */

#include "base/assert.h"
#include "base/prng.h"
#include "link/conn.h"
#include "link/pool.h"

/* What tells a client so has a moment to leave. */
#define FAREWELL_NS GW_MS(1000)

/* The same whenever it is asked: by the worker's seed and the link's number. */
static gw_nanos draw(const struct gw_link *link, gw_nanos age, uint32_t jitter)
{
    struct gw_prng lot = { link->links->seed ^ link->id * UINT64_C(0xd1342543de82ef95) };
    gw_nanos part = age / 100 * jitter;

    if (age == GW_NEVER || jitter == 0)
        return age;
    return age - part + gw_prng_below(&lot, 2 * part + 1);
}

void gw_link_set_age(struct gw_link *link, gw_nanos age, uint32_t jitter)
{
    link->until = draw(link, age, jitter);
}

void gw_link_begin_age(struct gw_link *link)
{
    if (link->age != GW_AGE_NONE || link->phase != GW_LINK_OPEN)
        return;
    link->age = GW_AGE_YOUNG;
    if (link->until != GW_NEVER)
        link->until += link->links->now;
}

/* Of one that had none nobody knows when it began: it begins now. */
void gw_link_change_age(struct gw_link *link, gw_nanos was, uint32_t was_jitter, gw_nanos age,
                        uint32_t jitter)
{
    gw_nanos begun = link->links->now;

    if (link->phase != GW_LINK_OPEN || link->age >= GW_AGE_OLD)
        return;
    if (link->age == GW_AGE_NONE) {
        gw_link_set_age(link, age, jitter);
        return;
    }
    if (was != GW_NEVER)
        begun = link->until - draw(link, was, was_jitter);
    link->until = age == GW_NEVER ? GW_NEVER : begun + draw(link, age, jitter);
    gw_link_rearm(link);
}

/* HTTP/2 is told at once. HTTP/1 with the head of an answer: the one that is owed, else that to the next
 * request; till then it may be at rest as long as any. */
static void get_old(struct gw_link *link)
{
    gw_nanos grace = link->is_client ? GW_NEVER : link->links->above->grace(link);

    link->age = GW_AGE_OLD;
    link->until = grace == GW_NEVER ? GW_NEVER : link->links->now + grace;
    gw_stats_add(link->links->stats, GW_STAT_LINKS_RETIRED, 1);
    if (link->is_client)
        gw_upstream_retired(link);
    else if (link->protocol == GW_PROTO_H2)
        gw_link_drain(link);
    else if (link->codec != NULL)
        link->codec->ops->drain(link->codec, false);
}

void gw_link_get_older(struct gw_link *link)
{
    if (link->age == GW_AGE_YOUNG) {
        get_old(link);
    } else if (link->age == GW_AGE_OLD) {
        link->age = GW_AGE_LATE;
        link->until = link->links->now + FAREWELL_NS;
        if (gw_link_is_idle(link))
            gw_link_end(link);
    } else {
        gw_link_lose(link, GW_ETIMEDOUT);
    }
}
