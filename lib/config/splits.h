/* config/splits.h: how the requests of one route are shared out among clusters, frozen. Weights may change
 * while the configuration stays (gw/live.h); the clusters do not. Freed with the last reference. */
#ifndef GW_CONFIG_SPLITS_H
#define GW_CONFIG_SPLITS_H

#include <stdatomic.h>

#include "balance/round_robin.h"

struct gw_cluster_conf;

struct gw_split_conf {
    const struct gw_cluster_conf *cluster; /* of the configuration that this is used with */
    uint32_t weight;                       /* 0: none */
};
struct gw_splits {
    atomic_uint refs;
    struct gw_heap heap; /* all its memory */
    struct gw_split_conf *list;
    uint32_t len;
    struct gw_rr
        rr; /* its length is a round: in each such many requests in a row the shares are exact */
};

/* Room for n > 0, with one reference; NULL: no memory. The caller fills the list. */
struct gw_splits *gw_splits_new(const gw_allocator *allocator, uint32_t n) GW_MUST_CHECK;
/* The list is full, and somebody has a weight. GW_ENOMEM. */
gw_status gw_splits_finish(struct gw_splits *s) GW_MUST_CHECK;
/* One more owner. Returns s. Any thread. */
struct gw_splits *gw_splits_ref(struct gw_splits *s);
/* One owner less. NULL is fine. Any thread. */
void gw_splits_unref(struct gw_splits *s);

#endif
