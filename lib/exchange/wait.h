/* exchange/wait.h: tickets: one wait of one hook, resumed at most once, from any thread, without ever
 * allocating there. Cells live as long as the worker, so that a stale ticket is harmless. */
#ifndef GW_EXCHANGE_WAIT_H
#define GW_EXCHANGE_WAIT_H

#include <stdatomic.h>

#include "base/heap.h"
#include "base/mailbox.h"

struct gw_exchange;

/* The word: turn in the upper 32 bits, state below. ARMED -> TAKEN by whoever resumes first -> ANSWERED;
 * or ARMED -> IDLE, when nobody did in time. */
enum { GW_WAIT_IDLE = 0, GW_WAIT_ARMED = 1, GW_WAIT_TAKEN = 2, GW_WAIT_ANSWERED = 3 };

struct gw_wait {
    struct gw_letter letter;
    _Atomic uint64_t word;
    void *answer;
    struct gw_exchange *x; /* the worker's thread only */
    struct gw_wait *next;  /* in the free list         */
    uint32_t slot;
    uint32_t who; /* the exchange's word for which of its hooks waits */
};

enum { GW_WAIT_CHUNK = 64 };
struct gw_waits {
    struct gw_heap *heap;
    _Atomic(struct gw_wait *) *chunks; /* a table of chunks_max; filled as needed, never emptied */
    uint32_t chunks_max, made;
    struct gw_wait *free;
    struct gw_mailbox mailbox;
};

/* cells_max: as many as may wait at once. GW_ENOMEM. */
gw_status gw_waits_init(struct gw_waits *waits, struct gw_heap *heap, uint32_t cells_max)
    GW_MUST_CHECK;
void gw_waits_fini(struct gw_waits *waits);
/* A cell, armed; NULL: no memory. */
struct gw_wait *gw_wait_arm(struct gw_waits *waits, struct gw_exchange *x, uint32_t who)
    GW_MUST_CHECK;
static inline uint32_t gw_wait_turn(const struct gw_wait *w)
{
    return (uint32_t)(atomic_load_explicit(&w->word, memory_order_relaxed) >> 32);
}
/* Makes the ticket stale, and releases the cell. False: it was resumed, and its letter has come or will. */
bool gw_wait_disarm(struct gw_waits *waits, struct gw_wait *w);
/* After its letter was taken. */
void gw_wait_release(struct gw_waits *waits, struct gw_wait *w);
/* What came of an answer. */
struct gw_resumed {
    bool was_empty; /* the mailbox was: wake the worker                     */
    bool is_second; /* GW_ESTATE, since this very wait was answered before */
};
/* Any thread. */
gw_status gw_waits_resume(struct gw_waits *waits, uint32_t slot, uint32_t turn, void *answer,
                          struct gw_resumed *out) GW_MUST_CHECK;

#endif
