/* exchange/wait.c: the cells of tickets. One atomic word decides who wins. */

#include "exchange/wait.h"

#include <string.h>

#include "base/assert.h"

gw_status gw_waits_init(struct gw_waits *waits, struct gw_heap *heap, uint32_t cells_max)
{
    memset(waits, 0, sizeof *waits);
    waits->heap = heap;
    waits->chunks_max = (cells_max + GW_WAIT_CHUNK - 1) / GW_WAIT_CHUNK;
    waits->chunks = gw_heap_zalloc(heap, waits->chunks_max * sizeof *waits->chunks);
    gw_mailbox_init(&waits->mailbox);
    return waits->chunks != NULL ? GW_OK : GW_ENOMEM;
}

void gw_waits_fini(struct gw_waits *waits)
{
    for (uint32_t i = 0; i < waits->made; i++)
        gw_heap_release(waits->heap, atomic_load_explicit(&waits->chunks[i], memory_order_relaxed),
                        GW_WAIT_CHUNK * sizeof(struct gw_wait));
    gw_heap_release(waits->heap, waits->chunks, waits->chunks_max * sizeof *waits->chunks);
    waits->chunks_max = 0; /* whoever still has a ticket: it is none */
}

static gw_status make_chunk(struct gw_waits *waits)
{
    struct gw_wait *cells;

    if (waits->made == waits->chunks_max)
        return GW_ELIMIT;
    cells = gw_heap_zalloc(waits->heap, GW_WAIT_CHUNK * sizeof *cells);
    if (cells == NULL)
        return GW_ENOMEM;
    for (uint32_t i = 0; i < GW_WAIT_CHUNK; i++) {
        cells[i].slot = waits->made * GW_WAIT_CHUNK + i;
        cells[i].next = waits->free;
        waits->free = &cells[i];
    }
    atomic_store_explicit(&waits->chunks[waits->made++], cells, memory_order_release);
    return GW_OK;
}

struct gw_wait *gw_wait_arm(struct gw_waits *waits, struct gw_exchange *x, uint32_t who)
{
    struct gw_wait *w;

    if (waits->free == NULL && make_chunk(waits) != GW_OK)
        return NULL;
    w = waits->free;
    waits->free = w->next;
    w->x = x;
    w->who = who;
    atomic_store_explicit(&w->word, ((uint64_t)gw_wait_turn(w) + 1) << 32 | GW_WAIT_ARMED,
                          memory_order_release);
    return w;
}

static void give(struct gw_waits *waits, struct gw_wait *w)
{
    w->x = NULL;
    w->next = waits->free;
    waits->free = w;
}

bool gw_wait_disarm(struct gw_waits *waits, struct gw_wait *w)
{
    uint64_t armed = (uint64_t)gw_wait_turn(w) << 32 | GW_WAIT_ARMED;

    if (!atomic_compare_exchange_strong_explicit(&w->word, &armed, armed & ~(uint64_t)3,
                                                 memory_order_acq_rel, memory_order_acquire))
        return false;
    give(waits, w);
    return true;
}

void gw_wait_release(struct gw_waits *waits, struct gw_wait *w)
{
    atomic_store_explicit(&w->word, (uint64_t)gw_wait_turn(w) << 32 | GW_WAIT_ANSWERED,
                          memory_order_release);
    give(waits, w);
}

gw_status gw_waits_resume(struct gw_waits *waits, uint32_t slot, uint32_t turn, void *answer,
                          struct gw_resumed *out)
{
    uint64_t armed = (uint64_t)turn << 32 | GW_WAIT_ARMED;
    struct gw_wait *cells, *w;

    if (slot / GW_WAIT_CHUNK >= waits->chunks_max)
        return GW_EINVAL;
    cells = atomic_load_explicit(&waits->chunks[slot / GW_WAIT_CHUNK], memory_order_acquire);
    if (cells == NULL)
        return GW_ESTATE;
    w = &cells[slot % GW_WAIT_CHUNK];
    if (!atomic_compare_exchange_strong_explicit(&w->word, &armed,
                                                 (uint64_t)turn << 32 | GW_WAIT_TAKEN,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        /* armed is what is there: of the same turn, and not just given up, it was answered */
        out->is_second = armed >> 32 == turn && (armed & GW_WAIT_TAKEN) != 0;
        return GW_ESTATE;
    }
    w->answer = answer;
    out->was_empty = gw_mailbox_put(&waits->mailbox, &w->letter);
    return GW_OK;
}
