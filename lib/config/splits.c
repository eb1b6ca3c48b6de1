/* config/splits.c: made, shared and freed. */

#include "config/splits.h"

#include "base/assert.h"

struct gw_splits *gw_splits_new(const gw_allocator *allocator, uint32_t n)
{
    struct gw_heap heap;
    gw_heap_init(&heap, allocator, 0);
    struct gw_splits *s = gw_heap_zalloc(&heap, sizeof *s);
    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    s->heap = heap;
    s->list = gw_heap_zalloc(&s->heap, n * sizeof *s->list);
    if (s->list == NULL) {
        gw_splits_unref(s);
        return NULL;
    }
    s->len = n;
    return s;
}

gw_status gw_splits_finish(struct gw_splits *s)
{
    uint32_t *weights = gw_heap_alloc(&s->heap, s->len * sizeof *weights);
    if (weights == NULL)
        return GW_ENOMEM;
    for (uint32_t i = 0; i < s->len; i++)
        weights[i] = s->list[i].weight;
    gw_status status = gw_rr_init(&s->rr, &s->heap, weights, s->len);
    gw_heap_release(&s->heap, weights, s->len * sizeof *weights);
    return status;
}

struct gw_splits *gw_splits_ref(struct gw_splits *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void free_splits(struct gw_splits *s)
{
    gw_rr_fini(&s->rr, &s->heap);
    gw_heap_release(&s->heap, s->list, s->len * sizeof *s->list);
    struct gw_heap heap = s->heap;
    gw_heap_release(&heap, s, sizeof *s);
    GW_ASSERT(heap.used == 0);
}

void gw_splits_unref(struct gw_splits *s)
{
    if (s == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);
    GW_ASSERT(before > 0);
    if (before == 1)
        free_splits(s);
}
