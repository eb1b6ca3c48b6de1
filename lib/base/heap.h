/* base/heap.h: the host's allocator with accounting and a cap, and slabs of equal cells on it.
 * A heap belongs to one worker (or to one configuration) and is used by one thread at a time. */
#ifndef GW_BASE_HEAP_H
#define GW_BASE_HEAP_H

#include <gw/env.h>

struct gw_heap {
    gw_allocator allocator;
    uint64_t used;     /* bytes now           */
    uint64_t peak;     /* the most there were */
    uint64_t used_max; /* the cap             */
};

/* used_max 0: no cap. */
void gw_heap_init(struct gw_heap *heap, const gw_allocator *allocator, uint64_t used_max);
/* NULL: refused by the allocator or the cap. Aligned to 16. Not zeroed. size > 0. */
void *gw_heap_alloc(struct gw_heap *heap, size_t size) GW_MUST_CHECK;
void *gw_heap_zalloc(struct gw_heap *heap, size_t size) GW_MUST_CHECK;
/* ptr NULL is fine; size as allocated. */
void gw_heap_release(struct gw_heap *heap, void *ptr, size_t size);
/* A copy with a zero byte behind; out->ptr NULL on failure. An empty text gives a valid, empty one. */
gw_status gw_heap_copy(struct gw_heap *heap, gw_str text, gw_str *out) GW_MUST_CHECK;
void gw_heap_release_str(struct gw_heap *heap, gw_str text); /* of gw_heap_copy; NULL is fine */

/* Straight from an allocator, for what no heap counts; zeroed. NULL: refused. */
void *gw_allocator_zalloc(const gw_allocator *allocator, size_t size) GW_MUST_CHECK;
/* Likewise, of count things, which may be 0; and back: memory may be NULL. */
void *gw_allocator_take(const gw_allocator *allocator, size_t count, size_t each) GW_MUST_CHECK;
void gw_allocator_give(const gw_allocator *allocator, void *memory, size_t count, size_t each);

/* Cells of one size: taken and given back in O(1), made in chunks, returned to the heap at fini.
 * Never touches the allocator while there are free cells. */
struct gw_slab {
    struct gw_heap *heap;
    void *free;    /* list of free cells, linked through their first word */
    void *chunks;  /* list of chunks                                      */
    uint32_t cell; /* bytes, a multiple of 16                             */
    uint32_t per_chunk;
    uint32_t used, used_max;
    uint32_t made;
};
void gw_slab_init(struct gw_slab *slab, struct gw_heap *heap, size_t cell, uint32_t used_max);
void gw_slab_fini(struct gw_slab *slab);                /* asserts that no cell is out */
void *gw_slab_take(struct gw_slab *slab) GW_MUST_CHECK; /* NULL: cap or allocator; not zeroed */
void gw_slab_give(struct gw_slab *slab, void *cell);

#endif
