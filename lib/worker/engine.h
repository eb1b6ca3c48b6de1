/* worker/engine.h: what workers share: environment, limits, and a slot a worker by which configurations
 * are handed over. Private to lib/worker. */
#ifndef GW_WORKER_ENGINE_H
#define GW_WORKER_ENGINE_H

#include <stdatomic.h>

#include <gw/engine.h>

#include "exchange/binding.h"
#include "tls/tickets.h"
#include "worker/waker.h"

enum { GW_WORKERS_MAX = 1024 };

/* What one worker's slot holds: NULL, or a binding that it has not adopted yet. */
struct gw_engine_seat {
    _Atomic(struct gw_binding *) binding;
    atomic_bool is_taken;        /* by a worker; the last to be given back */
    struct gw_waker_place waker; /* how that one is woken */
    atomic_bool is_called;       /* by another: a place of a ceiling is wanted, or has come back */
    _Atomic uint64_t now;        /* when it was stepped last */
};

struct gw_engine {
    gw_env env;       /* complete */
    gw_limits limits; /* complete */
    uint32_t name;    /* drawn: what its workers call themselves where they need a name */
    uint32_t workers_max;
    _Atomic uint64_t generations;
    /* Whoever changes what is in force has these to itself: gw_engine_enter. */
    atomic_flag is_changing;
    struct gw_registry registry;
    struct gw_tickets tickets;  /* of TLS */
    struct gw_edition *current; /* the newest, one reference; NULL: none yet */
    /* What it replaced: freed when others may change things again, since the host may hear of it. */
    struct gw_edition *outdated;
    struct gw_binding *displaced;
    struct gw_engine_seat *seats;
    atomic_uint views; /* that are open */
    atomic_bool has_resolver;
    struct gw_waker_place resolver; /* how it hears of a new configuration */
    atomic_bool is_complained;      /* it was to be freed with a worker left: said once */
};

/* Any worker's thread: all but who sits here step, and find that they were called. */
void gw_engine_call(gw_engine *e, const struct gw_engine_seat *but);
/* The time of the worker that was stepped last. */
gw_nanos gw_engine_newest(const gw_engine *e);
/* From here to leave no other thread changes what is in force; workers wait for nobody. */
void gw_engine_enter(gw_engine *e);
/* Frees what was replaced. */
void gw_engine_leave(gw_engine *e);
/* Gives every worker a binding of this edition, and takes it: it is the current one. Between enter and
 * leave. GW_ENOMEM: nothing has changed, and the edition is freed. */
gw_status gw_engine_publish(gw_engine *e, struct gw_edition *edition) GW_MUST_CHECK;
/* These endpoints of e's current configuration's i-th cluster are what DNS says; GW_ESTATE: config is not in
 * force any more. Else as gw_engine_set_endpoints. */
gw_status gw_engine_set_resolved(gw_engine *e, const gw_config *config, uint32_t i,
                                 const gw_endpoint_spec *set, size_t n) GW_MUST_CHECK;
/* The configuration that is in force, with a reference; NULL: none yet. */
gw_config *gw_engine_config(gw_engine *e);
/* err may be NULL. */
void gw_engine_set_error(gw_config_error *err, gw_status status, const char *text);

/* Any thread: puts b into the seat, unless a newer one is there, and wakes who sits there. What has no seat
 * then was never adopted, and is the caller's to free; NULL: none. */
struct gw_binding *gw_engine_hand_over(struct gw_engine_seat *seat, struct gw_binding *b)
    GW_MUST_CHECK;
/* The worker's thread: what was put there since; NULL: nothing. */
struct gw_binding *gw_engine_pick_up(struct gw_engine_seat *seat) GW_MUST_CHECK;

#endif
