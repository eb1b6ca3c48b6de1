/* worker/tell.h: what a view tells of each machine. Each fills what is its own; out begins all zero, and
 * with the names. Any thread. */
#ifndef GW_WORKER_TELL_H
#define GW_WORKER_TELL_H

#include <gw/live.h>

#include "exchange/edition.h"

void gw_tell_cluster(const struct gw_cluster_conf *conf, const struct gw_cluster_state *s,
                     gw_state *out);
/* Of a cluster that has one. */
void gw_tell_throttle(const struct gw_cluster_conf *conf, const struct gw_cluster_state *s,
                      gw_nanos now, gw_state *out);
/* g NULL: its cluster has none. */
void gw_tell_endpoint(const struct gw_guards_conf *g, const struct gw_endpoint_conf *e,
                      const struct gw_endpoint_state *s, gw_nanos now, gw_state *out);
void gw_tell_limiter(const struct gw_limiter_conf *conf, const struct gw_limit_state *s,
                     const struct gw_limit_counts *counts, gw_nanos now, gw_state *out);
void gw_tell_breaker(const struct gw_endpoint_state *s, gw_nanos now, gw_state *out);
void gw_tell_health(const struct gw_endpoint_state *s, gw_state *out);
void gw_tell_outlier(const struct gw_endpoint_state *s, gw_nanos now, gw_state *out);

#endif
