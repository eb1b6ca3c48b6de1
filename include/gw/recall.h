/* gw/recall.h: the flight recorder: what became of a worker's last requests, and why. A fixed ring, written
 * as each ends, whatever it was (gw_limits.records_max); so it is there when something has gone wrong.
 */
#ifndef GW_RECALL_H
#define GW_RECALL_H

#include <gw/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    GW_RECORD_SPLIT = 1u,     /* its cluster is one of those that share the route             */
    GW_RECORD_FELL_BACK = 2u, /* its cluster's guards refused it: a fallback took it          */
    GW_RECORD_LOCAL = 4u,     /* the gateway itself has answered                              */
    GW_RECORD_CALL = 8u       /* the host's own                                               */
};
/* The library fills it. Views live until the worker's next step. */
typedef struct gw_record {
    uint32_t size;
    uint32_t kind;    /* GW_EXCHANGE_*                                                        */
    uint32_t flags;   /* GW_RECORD_*                                                          */
    uint32_t code;    /* the status the client was sent; 0: none                              */
    uint32_t retries; /* tries that failed without the client's notice                        */
    uint32_t reserved;
    gw_cause cause; /* why it ended; "limited", "throttled", "breaker_open" say who refused it */
    gw_exchange_id id;
    gw_nanos started, ended;
    gw_str route, cluster, endpoint; /* empty: none; of a configuration that is gone 31 bytes  */
} gw_record;
/* The i-th of the requests that have ended, 0 is the last one; fills what out->size covers. GW_EUNKNOWN:
 * there were no more, or they are forgotten. */
GW_API gw_status gw_worker_recall(const gw_worker *w, size_t i, gw_record *out);

#ifdef __cplusplus
}
#endif
#endif
