/* guard/throttle.c: one share of two sums. */

#include "guard/throttle.h"

#include "base/assert.h"

enum { CHANCE_BITS = 20 };

uint32_t gw_throttle_chance(const struct gw_throttle *t, const struct gw_throttle_conf *conf,
                            gw_nanos now)
{
    struct gw_window_sums sums = gw_window_sum(&t->window, conf->window, now);
    uint64_t accepts = sums.ok, requests = accepts + sums.failed;

    GW_ASSERT(conf->success >= 1 && conf->success <= 100);
    if (requests < conf->volume || requests * conf->success <= accepts * 100)
        return 0;
    /* Sums are under 2^27: no product passes 2^54. */
    return (uint32_t)(((requests * conf->success - accepts * 100) << CHANCE_BITS) /
                      (conf->success * (requests + 1)));
}

bool gw_throttle_may(const struct gw_throttle *t, const struct gw_throttle_conf *conf, gw_nanos now,
                     uint64_t chance)
{
    return chance >> (64 - CHANCE_BITS) >= gw_throttle_chance(t, conf, now);
}

bool gw_throttle_take(struct gw_throttle *t, const struct gw_throttle_conf *conf, gw_nanos now,
                      uint64_t chance)
{
    if (gw_throttle_may(t, conf, now, chance))
        return true;
    gw_window_count(&t->window, conf->window, now, true);
    return false;
}

void gw_throttle_report(struct gw_throttle *t, const struct gw_throttle_conf *conf, gw_nanos now,
                        bool is_accepted)
{
    gw_window_count(&t->window, conf->window, now, !is_accepted);
}
