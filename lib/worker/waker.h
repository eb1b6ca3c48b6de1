/* worker/waker.h: how another thread wakes a worker that may be freed at the same time.
 *
 * A waker is what the host gave (wake, wake_ctx, wake_done), apart from its worker and alive as long as
 * anybody may be calling it. Its place, in the worker's seat, is one atomic word:
 *
 *     0        nobody sits here
 *     p        the waker at p is at rest
 *     p | 1    one thread calls it
 *     p | 3    ... and must call it once more: another has come meanwhile
 *
 * Who finds it at rest may call it, and is the only one to touch what lies at p; who finds it busy leaves
 * a mark and goes. A worker that leaves takes the word out: if the waker was at rest it ends there, else
 * the thread that is calling it finds its word gone, and ends it. So nobody ever waits for anybody. */
#ifndef GW_WORKER_WAKER_H
#define GW_WORKER_WAKER_H

#include <stdatomic.h>

#include <gw/worker.h>

struct gw_waker_place {
    _Atomic uintptr_t word;
};

/* The spec's waker takes its place. GW_ENOMEM. Without a wake function nothing is done. */
gw_status gw_waker_sit(struct gw_waker_place *place, const gw_allocator *allocator,
                       const gw_worker_spec *spec) GW_MUST_CHECK;
/* Any thread: whoever sits there is called, after this call has begun, by this thread or another. */
void gw_waker_call(struct gw_waker_place *place);
/* The worker's thread: it is called no more, but by a thread that is doing so now. */
void gw_waker_leave(struct gw_waker_place *place);

#endif
