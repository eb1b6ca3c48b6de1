/* guard/throttle.h: a cluster that answers too little is asked less: each request is refused with the
 * chance max(0, (requests - accepts / success) / (requests + 1)) of the last while, in which refused ones
 * are requests too. So about as many go on as it can take, and a few more, by which it is noticed when it
 * is well again. Pure: whole numbers, time and chance are arguments. */
#ifndef GW_GUARD_THROTTLE_H
#define GW_GUARD_THROTTLE_H

#include "guard/window.h"

struct gw_throttle_conf {
    uint32_t success; /* percent that must be good, 1 to 100 */
    uint32_t volume;  /* with fewer requests none is refused */
    gw_nanos window;
};
/* All zero is a new one. */
struct gw_throttle {
    struct gw_window window; /* failed: and refused                              */
    _Atomic gw_nanos
        failed_at; /* the last of those; 0: there was none. Who has none in the window is
                                   not counted up with each request */
};

/* The chance of being refused, in 2^-20. */
uint32_t gw_throttle_chance(const struct gw_throttle *t, const struct gw_throttle_conf *conf,
                            gw_nanos now);
/* May there be a request? chance: drawn, any. */
bool gw_throttle_may(const struct gw_throttle *t, const struct gw_throttle_conf *conf, gw_nanos now,
                     uint64_t chance);
/* The same; one that is refused is counted. Any thread. */
bool gw_throttle_take(struct gw_throttle *t, const struct gw_throttle_conf *conf, gw_nanos now,
                      uint64_t chance);
void gw_throttle_report(struct gw_throttle *t, const struct gw_throttle_conf *conf, gw_nanos now,
                        bool is_accepted);

#endif
