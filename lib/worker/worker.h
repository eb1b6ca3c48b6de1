/* worker/worker.h: one machine: everything that its thread alone touches. */
#ifndef GW_WORKER_WORKER_H
#define GW_WORKER_WORKER_H

#include <gw/worker.h>

#include "exchange/exchange.h"
#include "worker/engine.h"

struct gw_worker {
    uint32_t magic;
    uint32_t index; /* from 1 */
    gw_engine *engine;
    struct gw_engine_seat *seat;
    void *user;
    char name[32];
    gw_io_ops ops; /* unused in mode 1 */
    bool in_step;
    bool is_of_loop; /* who alone steps and frees it */
    bool is_draining, is_drain_begun;
    gw_nanos drain_until; /* exchanges are cut off; connections a little later */
    uint32_t drain_grace_ms;
    gw_allocator allocator; /* its own, or the engine's */
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_wheel wheel;
    struct gw_log log;
    struct gw_misuse misuse;
    struct gw_stats stats;
    struct gw_trace trace;
    struct gw_links links;
    struct gw_upstreams upstreams;
    struct gw_exchanges exchanges;
};

/* Takes up the newest configuration that was applied. */
void gw_worker_adopt(gw_worker *w);
/* For backends: the allocator of the engine. Lives as long as it. */
const gw_allocator *gw_engine_allocator(const gw_engine *e);
/* It is a loop's from now on, whose own ways to make it step and to free it follow: its host has none. */
void gw_worker_keep(gw_worker *w);
gw_status gw_worker_turn(gw_worker *w, gw_nanos now);
void gw_worker_end(gw_worker *w);
/* For backends: what their host did that it must not. */
void gw_worker_misused(gw_worker *w, enum gw_misuse_id what);
/* For tests: every link that is made from now on speaks through the stub engine. */
void gw_worker_stub_tls(gw_worker *w, bool server, bool client);

#endif
