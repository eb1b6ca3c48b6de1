/* guard/throttle.c: one share of two sums. */

#include "guard/throttle.h"

#include "base/assert.h"

enum { CHANCE_BITS = 20 };

static bool has_none_failed(const struct gw_throttle *t, gw_nanos window, gw_nanos now)
{
    gw_nanos at = atomic_load_explicit(&t->failed_at, memory_order_relaxed);

    return at == 0 || (now >= at && now - at >= window);
}

/* Threads may be a little apart: the latest counts. */
static void note_failed(struct gw_throttle *t, gw_nanos now)
{
    if (now > atomic_load_explicit(&t->failed_at, memory_order_relaxed))
        atomic_store_explicit(&t->failed_at, now, memory_order_relaxed);
}

uint32_t gw_throttle_chance(const struct gw_throttle *t, const struct gw_throttle_conf *conf,
                            gw_nanos now)
{
    struct gw_window_sums sums;
    uint64_t accepts, requests;

    GW_ASSERT(conf->success >= 1 && conf->success <= 100);
    if (GW_LIKELY(has_none_failed(t, conf->window, now)))
        return 0;
    sums = gw_window_sum(&t->window, conf->window, now);
    accepts = sums.ok;
    requests = accepts + sums.failed;
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
    note_failed(t, now);
    gw_window_count(&t->window, conf->window, now, true);
    return false;
}

void gw_throttle_report(struct gw_throttle *t, const struct gw_throttle_conf *conf, gw_nanos now,
                        bool is_accepted)
{
    if (!is_accepted)
        note_failed(t, now);
    gw_window_count(&t->window, conf->window, now, !is_accepted);
}
