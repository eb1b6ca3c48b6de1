/* worker/engine.h: what workers share: environment, limits, and a slot a worker by which configurations
 * are handed over. Private to lib/worker. */
#ifndef GW_WORKER_ENGINE_H
#define GW_WORKER_ENGINE_H

#include <stdatomic.h>

#include <gw/engine.h>

#include "exchange/binding.h"

enum { GW_WORKERS_MAX = 1024 };

/* What one worker's slot holds: NULL, or a binding that it has not adopted yet. */
struct gw_engine_seat {
    _Atomic(struct gw_binding *) binding;
    _Atomic(gw_worker *) worker; /* NULL: free */
};

struct gw_engine {
    gw_env env;       /* complete */
    gw_limits limits; /* complete */
    uint32_t workers_max;
    _Atomic uint64_t generations;
    struct gw_engine_seat *seats;
};

/* Puts b into the seat, unless a newer one is there. */
void gw_engine_hand_over(struct gw_engine_seat *seat, struct gw_binding *b);

#endif
