/* exchange/call.h: a request of the host's own: the part of an exchange that is there when nobody's
 * connection is its client. The host's hooks stand where the client's codec would. */
#ifndef GW_EXCHANGE_CALL_H
#define GW_EXCHANGE_CALL_H

#include <gw/call.h>

#include "config/snapshot.h"
#include "exchange/wait.h"

struct gw_exchange;
struct gw_exchanges;

struct gw_call {
    struct gw_list node; /* among all calls */
    struct gw_exchange *x;
    gw_caller caller;
    void *memory;
    struct gw_route_conf route; /* for a call to a cluster: nobody's rules but ours */
    gw_nanos timeout;
    uint32_t answer_max;
    bool is_cancelled;
    bool wants_on_write, wants_on_read;
    bool was_full; /* on_write left no room ...         */
    bool is_head_told, is_end_seen, is_end_told;
    uint64_t out_then; /* ... when so much had been taken   */
    uint64_t in_seen;  /* of the answer                     */
};

/* spec is complete. */
gw_status gw_call_begin(struct gw_exchanges *all, const gw_call_spec *spec, gw_exchange_id *out)
    GW_MUST_CHECK;
/* GW_ESTATE: there is none. */
gw_status gw_call_cancel(struct gw_exchanges *all, gw_exchange_id id) GW_MUST_CHECK;
void gw_call_run(struct gw_exchange *x);
void gw_call_resumed(struct gw_exchange *x, void *answer);
/* The last hook, and it is no call of the list's any more. */
void gw_call_end(struct gw_exchange *x);

#endif
