/* base/timer.h: hierarchical timer wheel: intrusive, O(1) to set and cancel, 1 ms ticks, never
 * early. A timer that lies in no wheel is not set. */
#ifndef GW_BASE_TIMER_H
#define GW_BASE_TIMER_H

#include <gw/env.h>

#include "base/list.h"

#define GW_NEVER UINT64_MAX
#define GW_MS(n) ((gw_nanos)(n)*1000000u)

struct gw_timer {
    struct gw_list node;
    gw_nanos when; /* GW_NEVER: not set */
};
enum { GW_WHEEL_LEVELS = 5, GW_WHEEL_SLOTS = 64 };
struct gw_wheel {
    struct gw_list slots[GW_WHEEL_LEVELS][GW_WHEEL_SLOTS];
    uint64_t occupied[GW_WHEEL_LEVELS]; /* a bit a slot that may hold timers */
    struct gw_list due;                 /* expired, in order of their time's tick */
    uint64_t tick;                      /* of the last advance */
    uint32_t count;
};
void gw_wheel_init(struct gw_wheel *wheel, gw_nanos now);
void gw_timer_init(struct gw_timer *t);
/* Sets or moves it. A time that has passed is due at the next advance. */
void gw_timer_set(struct gw_wheel *wheel, struct gw_timer *t, gw_nanos when);
void gw_timer_cancel(struct gw_wheel *wheel, struct gw_timer *t); /* not set is fine */
static inline bool gw_timer_is_set(const struct gw_timer *t)
{
    return t->when != GW_NEVER;
}
/* Moves what has expired by now to the due list. */
void gw_wheel_advance(struct gw_wheel *wheel, gw_nanos now);
/* Takes one expired timer (not set any more); NULL: none. */
struct gw_timer *gw_wheel_pop(struct gw_wheel *wheel);
/* A time not after the earliest timer's tick end, at which to advance; GW_NEVER: no timer. May be
 * earlier than needed when the earliest lies in a coarse level, never later. */
gw_nanos gw_wheel_next(const struct gw_wheel *wheel);

#endif
