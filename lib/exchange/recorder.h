/* exchange/recorder.h: a ring of what became of a worker's last exchanges. It writes down where the names
 * are, and them themselves only when their configuration goes. */
#ifndef GW_EXCHANGE_RECORDER_H
#define GW_EXCHANGE_RECORDER_H

#include <gw/recall.h>

#include "exchange/binding.h"

enum { GW_RECORDED_NAME = 32 };

struct gw_recorded {
    uint64_t id;
    gw_nanos started, ended;
    const struct gw_binding *binding; /* NULL: the names are below */
    const struct gw_route_conf *route;
    const struct gw_cluster_conf *cluster;
    const struct gw_endpoint_conf *endpoint;
    gw_cause cause;
    uint16_t code;
    uint8_t kind, flags, retries;
    char names[3][GW_RECORDED_NAME];
};
struct gw_recorder {
    struct gw_recorded *ring;
    uint32_t len;   /* 0: nothing is recorded */
    uint32_t next;  /* where the next one goes */
    uint64_t count; /* of all ever             */
};

struct gw_exchange;
/* GW_ENOMEM. */
gw_status gw_recorder_init(struct gw_recorder *r, struct gw_heap *heap, uint32_t len) GW_MUST_CHECK;
void gw_recorder_fini(struct gw_recorder *r, struct gw_heap *heap);
/* It has ended. len > 0. */
void gw_recorder_note(struct gw_recorder *r, const struct gw_exchange *x);
/* The binding goes, and with it the names. O(ring). */
void gw_recorder_leave(struct gw_recorder *r, const struct gw_binding *binding);
/* The i-th from the last one on. GW_EUNKNOWN. */
gw_status gw_recorder_at(const struct gw_recorder *r, size_t i, gw_record *out) GW_MUST_CHECK;

#endif
