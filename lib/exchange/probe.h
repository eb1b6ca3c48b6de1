/* exchange/probe.h: endpoints are probed: requests of ours to one endpoint each, on connections of their
 * own. No guard, limit, filter or pool of the clients' requests knows of them; what comes of them is told
 * to guard/health.h, whose word the gate asks. Each worker watches all endpoints of the clusters that are
 * probed, and takes its turns. */
#ifndef GW_EXCHANGE_PROBE_H
#define GW_EXCHANGE_PROBE_H

#include "base/heap.h"
#include "base/prng.h"
#include "link/link.h"

struct gw_binding;
struct gw_exchanges;
struct gw_probe;

/* One endpoint, as one worker watches it. */
struct gw_probe_watch {
    struct gw_alarm alarm;
    struct gw_exchanges *of;
    struct gw_binding *binding;
    uint32_t cluster, endpoint;
    struct gw_probe *probe; /* this worker's; NULL: none is under way */
    struct gw_list node;    /* of those that are due and have no room  */
};

/* Who of a cluster is due and has no room, in order. */
struct gw_probe_queue {
    struct gw_list node; /* of the clusters where there is somebody */
    struct gw_list watches;
};

/* What all probes of a worker share. */
struct gw_probes {
    struct gw_slab slab;
    struct gw_list all;
    struct gw_list runnable; /* something has happened to them */
    struct gw_list queues;   /* of clusters, which take turns */
    struct gw_alarm room;    /* there is room for who waits   */
    struct gw_prng prng;
    uint32_t count;
    bool is_over; /* no more of them */
};

void gw_probes_init(struct gw_exchanges *all);
/* The endpoints of b are watched from now on, and those of old no more (NULL: there is none). What is under
 * way goes on where b says nothing else of it. */
void gw_probes_adopt(struct gw_exchanges *all, struct gw_binding *b, struct gw_binding *old);
/* All end, and no more begin. Twice is fine. */
void gw_probes_stop(struct gw_exchanges *all);
void gw_probes_fini(struct gw_exchanges *all);
/* Its stream has news. Only notes it. */
void gw_probe_changed(struct gw_stream *s);
void gw_probe_run(struct gw_probe *p);
/* Of the list of runnable ones. */
struct gw_probe *gw_probe_of_run(struct gw_list *node);

#endif
