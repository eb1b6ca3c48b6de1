/* guard/force.h: what the host has said that something is to be taken for, whatever is known of it; until
 * a time, which is near. Set by one thread at a time, read by any. Pure. */
#ifndef GW_GUARD_FORCE_H
#define GW_GUARD_FORCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <gw/live.h>

#include "base/assert.h"
#include "base/timer.h"

/* What of an endpoint. */
enum gw_force_on { GW_FORCE_ENDPOINT, GW_FORCE_BREAKER, GW_FORCE_OUTLIER, GW_FORCE_ON_COUNT };

enum gw_force_state { GW_FORCED_NOT, GW_FORCED_OPEN, GW_FORCED_CLOSED, GW_FORCED_EJECTED };

/* All zero: nothing is forced. */
struct gw_force {
    _Atomic uint64_t word;  /* bits 0-1 state, 2-63 until: decides */
    _Atomic uint64_t since; /* 0: nothing, or it is being changed  */
};

struct gw_forced {
    enum gw_force_state state;
    gw_nanos until;
};

/* As it is now. Who has set it may be ahead of who asks, or have looked at another clock: what would end
 * much later than any force may is none. */
static inline struct gw_forced gw_force_look(const struct gw_force *f, gw_nanos now)
{
    uint64_t word = atomic_load_explicit(&f->word, memory_order_relaxed);
    struct gw_forced forced = { GW_FORCED_NOT, GW_NEVER };

    if (GW_LIKELY(word == 0) || now >= word >> 2 || (word >> 2) - now > 2 * GW_MS(GW_FORCE_MS_MAX))
        return forced;
    forced.state = (enum gw_force_state)(word & 3);
    forced.until = word >> 2;
    return forced;
}
/* When it has ended by itself that nobody asked; 0: it has not, or was nothing like that. */
static inline gw_nanos gw_force_ended(const struct gw_force *f, gw_nanos now)
{
    uint64_t word = atomic_load_explicit(&f->word, memory_order_relaxed);

    return (word & 3) != GW_FORCED_NOT && (word & 3) != GW_FORCED_CLOSED && now >= word >> 2
               ? word >> 2
               : 0;
}
/* NOT: it is lifted. until: under 2^62. One thread at a time. */
static inline void gw_force_set(struct gw_force *f, enum gw_force_state state, gw_nanos now,
                                gw_nanos until)
{
    atomic_store(&f->since, 0);
    atomic_store(&f->word, state == GW_FORCED_NOT ? 0 : until << 2 | (uint64_t)state);
    atomic_store(&f->since, state == GW_FORCED_NOT ? 0 : now);
}

#endif
