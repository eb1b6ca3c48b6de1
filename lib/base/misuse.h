/* base/misuse.h: a host that breaks the contract. Each way in which it can be seen to is a row of one
 * table: what was called, and what was wrong with it (docs/embedding-contract.md). Any thread notes one;
 * the host's panic hook runs there and then, while the stack still shows who it was. The line for the
 * log is composed by the worker's thread in its next step: one for all that were noted meanwhile. */
#ifndef GW_BASE_MISUSE_H
#define GW_BASE_MISUSE_H

#include <stdatomic.h>

#include <gw/env.h>

#include "base/assert.h"

#define GW_MISUSES(X)                                                                              \
    X(STEP_INSIDE, "gw_worker_step", "inside a hook or an operation")                              \
    X(FREE_INSIDE, "gw_worker_free", "inside a hook or an operation")                              \
    X(STEP_OF_LOOP, "gw_worker_step", "it is a loop's")                                            \
    X(FREE_OF_LOOP, "gw_worker_free", "it is a loop's")                                            \
    X(ENGINE_FREE_EARLY, "gw_engine_free", "a worker, a view or the resolver is left")             \
    X(LOOP_RUN_INSIDE, "gw_loop_run", "inside a hook")                                             \
    X(LOOP_FREE_INSIDE, "gw_loop_free", "inside a hook")                                           \
    X(OTHER_THREAD, "a worker's call", "by another thread while the worker steps")                 \
    X(LINK_GONE, "a link's call", "the link is gone")                                              \
    X(CONNECTED_UNASKED, "gw_link_connected", "reported before, or nothing was to be connected")   \
    X(RECEIVED_MORE, "gw_link_received", "more than was lent")                                     \
    X(SENT_MORE, "gw_link_sent", "more than there was to send")                                    \
    X(SHUTDOWN_UNASKED, "gw_link_sent", "an end that was not asked for")                           \
    X(EXCHANGE_GONE, "an exchange's call", "the exchange is gone")                                 \
    X(REPLY_OUTSIDE, "gw_exchange_reply", "outside of a hook")                                     \
    X(RESPOND_OUTSIDE, "gw_exchange_respond", "outside of a hook")                                 \
    X(RESPOND_AGAIN, "gw_exchange_respond", "a response has begun")                                \
    X(DECIDE_OUTSIDE, "an exchange's call", "outside of a hook")                                   \
    X(PIPE_DROP_MORE, "gw_pipe_drop", "more than there is")                                        \
    X(PIPE_WRONG_WAY, "a pipe's call", "the host is at its other end")                             \
    X(PIPE_ENDED, "a pipe's call", "the host has ended it")                                        \
    X(CANCEL_UNKNOWN, "gw_worker_cancel", "there was never such a call")                           \
    X(WAIT_OUTSIDE, "gw_exchange_wait", "outside of a hook")                                       \
    X(RESUME_AGAIN, "gw_resume", "this wait has been answered")                                    \
    X(VERDICT_WAIT, "a hook", "GW_WAIT without a ticket")                                          \
    X(VERDICT_REPLY, "a hook", "GW_REPLY without a reply")                                         \
    X(VERDICT_UNKNOWN, "a hook", "a verdict that there is not")                                    \
    X(CHOICE_UNKNOWN, "a balancer", "a candidate that there is not")

enum gw_misuse_id {
    GW_MISUSE_NONE,
#define GW_MISUSE_ENUM(id, call, text) GW_MISUSE_##id,
    GW_MISUSES(GW_MISUSE_ENUM)
#undef GW_MISUSE_ENUM
        GW_MISUSE_END
};

struct gw_misuse {
    const gw_env *env;
    _Atomic uint64_t noted; /* how many since the last line, in the upper half; which was first */
    /* With slow assertions: which thread is stepping, 0: none; and how a thread is told from others. */
    _Atomic uintptr_t stepper;
    uintptr_t (*thread)(void);
};

struct gw_log;

void gw_misuse_note(struct gw_misuse *m, enum gw_misuse_id id);
/* Is there anything to say? */
static inline bool gw_misuse_is_due(const struct gw_misuse *m)
{
    return GW_UNLIKELY(atomic_load_explicit(&m->noted, memory_order_relaxed) != 0);
}
/* The worker's thread: one line for all. Returns how many. */
uint32_t gw_misuse_say(struct gw_misuse *m, struct gw_log *log, gw_nanos now);

/* A step begins or ends. Only builds with slow assertions look. */
static inline void gw_misuse_step(struct gw_misuse *m, bool begins)
{
    if (GW_ASSERTIONS_SLOW)
        atomic_store(&m->stepper, begins ? m->thread() : 0);
}
/* Another thread than the one that steps: noted. */
static inline bool gw_misuse_is_stray(struct gw_misuse *m)
{
    uintptr_t stepper;

    if (!GW_ASSERTIONS_SLOW)
        return false;
    stepper = atomic_load(&m->stepper);
    if (stepper == 0 || stepper == m->thread())
        return false;
    gw_misuse_note(m, GW_MISUSE_OTHER_THREAD);
    return true;
}

#endif
