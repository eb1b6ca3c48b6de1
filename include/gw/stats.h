/* gw/stats.h: counters of one worker. Written by its thread alone, read from any. */
#ifndef GW_STATS_H
#define GW_STATS_H

#include <gw/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { GW_STAT_COUNTER = 1, GW_STAT_GAUGE = 2 };
typedef struct gw_stat {
    uint32_t size;
    uint32_t kind;
    const char *name, *unit, *help; /* static */
} gw_stat;
/* Describes the i-th counter, from 0 without gaps; fills what out->size covers; texts are static.
 * Pure; any thread. GW_EUNKNOWN: no such. */
GW_API gw_status gw_stats_describe(size_t i, gw_stat *out);
/* Copies up to n values in that order; returns how many there are. Each is whole, but they are not
 * of one moment. Any thread, while w lives. O(n). */
GW_API size_t gw_stats_read(const gw_worker *w, uint64_t *out, size_t n);

#ifdef __cplusplus
}
#endif
#endif
