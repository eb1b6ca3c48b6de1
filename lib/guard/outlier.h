/* guard/outlier.h: endpoints that are worse than the others of their cluster are left out for a while:
 * after failures in a row; for a share of good answers far below the others'; for being far slower. Longer
 * each time, up to a cap; who stays well is forgiven step by step. Pure; one state for all workers. How
 * many may be out at once is the gate's to say: an ejection that is too much is taken back.
 *
 * X(id, name): why
 */
#ifndef GW_GUARD_OUTLIER_H
#define GW_GUARD_OUTLIER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/timer.h"

#define GW_OUTLIER_CAUSES(X)                                                                       \
    X(NONE, "none")                                                                                \
    X(FAILURES, "failures in a row")                                                               \
    X(RATE, "success rate")                                                                        \
    X(LATENCY, "latency")

enum gw_outlier_cause {
#define GW_OUTLIER_ENUM(id, name) GW_OUTLIER_##id,
    GW_OUTLIER_CAUSES(GW_OUTLIER_ENUM)
#undef GW_OUTLIER_ENUM
        GW_OUTLIER_CAUSE_COUNT
};

struct gw_outlier_conf {
    uint32_t failures;   /* so many in a row; 0: none                                       */
    uint32_t deviations; /* a success rate so many thousandths of the deviation below the mean; 0 */
    uint32_t slow_percent;   /* a latency of so large a share of the others'; 0: none           */
    gw_nanos slow_least;     /* and never one under this                                        */
    uint32_t endpoints_min;  /* with answers enough, for the two comparisons                    */
    uint32_t volume;         /* which are so many in an interval                                */
    gw_nanos interval;       /* of the comparisons, and of forgiving                            */
    gw_nanos time, time_max; /* of the first ejection; it grows by itself up to the latter      */
    uint32_t share;          /* percent of the endpoints that may be out; one at least          */
};

/* Of one endpoint. All zero is one that is in. */
struct gw_outlier {
    _Atomic uint64_t word;  /* until, how often, why: see outlier.c */
    _Atomic uint64_t since; /* of the last ejection, likewise       */
    atomic_uint row;        /* failures in a row                    */
    /* Of the present interval, and of the last one. */
    atomic_uint ok, failed, last_ok, last_failed;
    _Atomic uint64_t micros, last_micros; /* of the good ones */
};
/* What all endpoints of a cluster are compared with. */
struct gw_outlier_sums {
    uint64_t rates, squares; /* in ten-thousandths */
    uint32_t rates_len;
    uint64_t means; /* in microseconds */
    uint32_t means_len;
};

struct gw_outlier_view {
    bool is_out;
    enum gw_outlier_cause cause;
    uint32_t times; /* that were not forgiven yet */
    gw_nanos until;
};
/* When the last ejection began; 0: there was none, or it begins just now. Any thread. */
gw_nanos gw_outlier_since(const struct gw_outlier *o);
struct gw_outlier_view gw_outlier_look(const struct gw_outlier *o, gw_nanos now);
/* True: it has failed so often in a row that it is to go. Any thread. */
bool gw_outlier_report(struct gw_outlier *o, const struct gw_outlier_conf *conf, bool is_good,
                       gw_nanos latency);
/* False: it is out. Any thread. */
bool gw_outlier_eject(struct gw_outlier *o, const struct gw_outlier_conf *conf, gw_nanos now,
                      enum gw_outlier_cause cause);
/* As if it had not been: the time and the count are as before. */
void gw_outlier_take_back(struct gw_outlier *o, gw_nanos now);
/* How many of n may be out, whatever for: never the last one. */
uint32_t gw_outlier_room(const struct gw_outlier_conf *conf, uint32_t n);

/* The comparisons, once an interval: true for one caller, who then does both for each endpoint, one after
 * the other. due: of the cluster; 0 at first. */
bool gw_outlier_is_due(_Atomic uint64_t *due, const struct gw_outlier_conf *conf, gw_nanos now);
void gw_outlier_add(struct gw_outlier *o, const struct gw_outlier_conf *conf,
                    struct gw_outlier_sums *sums);
enum gw_outlier_cause gw_outlier_judge(const struct gw_outlier *o,
                                       const struct gw_outlier_conf *conf,
                                       const struct gw_outlier_sums *sums);
const char *gw_outlier_cause_name(enum gw_outlier_cause cause);

#endif
