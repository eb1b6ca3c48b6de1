/* guard/window.h: how many went well and how many failed in the last while: ten buckets, the oldest of
 * which is forgotten as a whole. Any thread writes and reads; a bucket is one word, so that no count
 * gets lost when another thread turns it over. Pure: time is an argument. */
#ifndef GW_GUARD_WINDOW_H
#define GW_GUARD_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

enum { GW_WINDOW_BUCKETS = 10 };
/* What one bucket counts to; then it counts no more, so that shares stay what they were. */
#define GW_WINDOW_MAX ((UINT32_C(1) << 22) - 1)

/* All zero is an empty one. */
struct gw_window {
    _Atomic uint64_t
        buckets[GW_WINDOW_BUCKETS]; /* 20 bits: which time it is of; 22 each: ok, failed */
};
struct gw_window_sums {
    uint32_t ok, failed;
};

/* length: of all buckets; the same at each call. now never goes back by more than a bucket. */
void gw_window_count(struct gw_window *w, gw_nanos length, gw_nanos now, bool is_failed);
struct gw_window_sums gw_window_sum(const struct gw_window *w, gw_nanos length, gw_nanos now);
/* Forgets all. What others count at this moment may be forgotten too. */
void gw_window_clear(struct gw_window *w);

#endif
