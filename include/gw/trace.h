/* gw/trace.h: compact events of one worker, for simulators, post-mortems and tests.
 * The numbers of what are named by gw_trace_name; they may change between releases. */
#ifndef GW_TRACE_H
#define GW_TRACE_H

#include <gw/env.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gw_event {
    gw_nanos when;
    uint64_t object; /* id of the link or exchange */
    uint64_t a, b;
    uint32_t what;
    uint32_t worker;
} gw_event;
/* Runs in the worker's thread, inside gw_worker_step or a report; must not call the library. */
typedef void gw_trace_fn(void *ctx, const gw_event *event);
/* "link.accept" ...; "unknown" for a number that is none. Never NULL; static. Pure; any thread. */
GW_API const char *gw_trace_name(uint32_t what);

#ifdef __cplusplus
}
#endif
#endif
