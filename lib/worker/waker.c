/* worker/waker.c: see the header. All orders are sequentially consistent: this is done once an apply or an
 * answer, never once a request. That a word is equal to an earlier one means that it may be used as that
 * one, even if another waker has come to lie at the same address. */

#include "worker/waker.h"

#include "base/assert.h"
#include "base/heap.h"

enum { BUSY = 1, AGAIN = 3 };

struct gw_waker {
    void (*wake)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
    gw_allocator allocator;
};

gw_status gw_waker_sit(struct gw_waker_place *place, const gw_allocator *allocator,
                       const gw_worker_spec *spec)
{
    struct gw_waker *w;

    GW_ASSERT(atomic_load(&place->word) == 0);
    if (spec->wake == NULL)
        return GW_OK;
    w = gw_allocator_zalloc(allocator, sizeof *w);
    if (w == NULL)
        return GW_ENOMEM;
    *w = (struct gw_waker){ spec->wake, spec->wake_done, spec->wake_ctx, *allocator };
    atomic_store(&place->word, (uintptr_t)w);
    return GW_OK;
}

static void end(struct gw_waker *w)
{
    gw_allocator allocator = w->allocator;

    if (w->done != NULL)
        w->done(w->ctx);
    allocator.release(allocator.ctx, w, sizeof *w);
}

/* NULL: nobody is there, or somebody else will call for us too. */
static struct gw_waker *take(struct gw_waker_place *place)
{
    uintptr_t word = atomic_load(&place->word);

    for (;;) {
        bool is_busy = (word & BUSY) != 0;
        if (word == 0)
            return NULL;
        if (!atomic_compare_exchange_weak(&place->word, &word,
                                          is_busy ? word | AGAIN : word | BUSY))
            continue;
        return is_busy ? NULL : (struct gw_waker *)word;
    }
}

void gw_waker_call(struct gw_waker_place *place)
{
    struct gw_waker *w = take(place);
    uintptr_t word;

    if (w == NULL)
        return;
    do {
        w->wake(w->ctx);
        word = (uintptr_t)w | BUSY;
        if (atomic_compare_exchange_strong(&place->word, &word, (uintptr_t)w))
            return;
        word = (uintptr_t)w | AGAIN;
    } while (atomic_compare_exchange_strong(&place->word, &word, (uintptr_t)w | BUSY));
    end(w);
}

void gw_waker_leave(struct gw_waker_place *place)
{
    uintptr_t word = atomic_exchange(&place->word, 0);

    if (word != 0 && (word & BUSY) == 0)
        end((struct gw_waker *)word);
}
