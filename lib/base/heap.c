/* base/heap.c: counts and caps what the host's allocator gives, and cuts equal cells from it. */

#include "base/heap.h"

#include <string.h>

#include "base/assert.h"
#include "base/poison.h"

void gw_heap_init(struct gw_heap *heap, const gw_allocator *allocator, uint64_t used_max)
{
    GW_ASSERT(allocator->alloc != NULL && allocator->release != NULL);
    *heap = (struct gw_heap){ .allocator = *allocator,
                              .used_max = used_max == 0 ? UINT64_MAX : used_max };
}

void *gw_allocator_zalloc(const gw_allocator *allocator, size_t size)
{
    void *ptr = allocator->alloc(allocator->ctx, size);
    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void *gw_allocator_take(const gw_allocator *allocator, size_t count, size_t each)
{
    return gw_allocator_zalloc(allocator, (count > 0 ? count : 1) * each);
}

void gw_allocator_give(const gw_allocator *allocator, void *memory, size_t count, size_t each)
{
    if (memory != NULL)
        allocator->release(allocator->ctx, memory, (count > 0 ? count : 1) * each);
}

void *gw_heap_alloc(struct gw_heap *heap, size_t size)
{
    GW_ASSERT(size > 0);
    if (size > heap->used_max - heap->used)
        return NULL;
    void *ptr = heap->allocator.alloc(heap->allocator.ctx, size);
    if (ptr == NULL)
        return NULL;
    GW_ASSERT(((uintptr_t)ptr & 15u) == 0);
    heap->used += size;
    if (heap->used > heap->peak)
        heap->peak = heap->used;
    return ptr;
}

void *gw_heap_zalloc(struct gw_heap *heap, size_t size)
{
    void *ptr = gw_heap_alloc(heap, size);
    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void gw_heap_release(struct gw_heap *heap, void *ptr, size_t size)
{
    if (ptr == NULL)
        return;
    GW_ASSERT(size > 0 && size <= heap->used);
    heap->used -= size;
    heap->allocator.release(heap->allocator.ctx, ptr, size);
}

gw_status gw_heap_copy(struct gw_heap *heap, gw_str text, gw_str *out)
{
    char *copy = text.len == SIZE_MAX ? NULL : gw_heap_alloc(heap, text.len + 1);
    *out = (gw_str){ copy, 0 };
    if (copy == NULL)
        return GW_ENOMEM;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    out->len = text.len;
    return GW_OK;
}

void gw_heap_release_str(struct gw_heap *heap, gw_str text)
{
    if (text.ptr != NULL)
        gw_heap_release(heap, (void *)(uintptr_t)text.ptr, text.len + 1);
}

/* Slabs. A chunk is this header and its cells. The first chunk is small, since most slabs of an
 * idle machine hold few; each next one is twice as large, up to CHUNK_CELLS or CHUNK_BYTES. */

enum { CHUNK_CELLS_FIRST = 4, CHUNK_CELLS = 64, CHUNK_BYTES = 32768 };

struct chunk {
    struct chunk *next;
    size_t size;
};
_Static_assert(sizeof(struct chunk) <= 16, "the first cell lies 16 bytes into the chunk");

static void *cell_at(struct chunk *chunk, uint32_t cell, uint32_t index)
{
    return (char *)chunk + 16 + (size_t)cell * index;
}

void gw_slab_init(struct gw_slab *slab, struct gw_heap *heap, size_t cell, uint32_t used_max)
{
    GW_ASSERT(cell > 0 && cell <= UINT32_MAX / 2 / CHUNK_CELLS);
    *slab = (struct gw_slab){ .heap = heap,
                              .cell = (uint32_t)(cell + 15u) & ~15u,
                              .per_chunk = CHUNK_CELLS_FIRST,
                              .used_max = used_max };
}

void gw_slab_fini(struct gw_slab *slab)
{
    GW_ASSERT(slab->used == 0);
    for (struct chunk *chunk = slab->chunks; chunk != NULL;) {
        struct chunk *next = chunk->next;
        GW_UNPOISON(chunk, chunk->size);
        gw_heap_release(slab->heap, chunk, chunk->size);
        chunk = next;
    }
    slab->chunks = slab->free = NULL;
    slab->made = 0;
}

static bool grow(struct gw_slab *slab)
{
    uint32_t left = slab->used_max - slab->made;
    uint32_t cells = slab->per_chunk < left ? slab->per_chunk : left;
    if (cells == 0)
        return false;
    size_t size = 16 + (size_t)slab->cell * cells;
    struct chunk *chunk = gw_heap_alloc(slab->heap, size);
    if (chunk == NULL)
        return false;
    *chunk = (struct chunk){ slab->chunks, size };
    slab->chunks = chunk;
    slab->made += cells;
    for (uint32_t i = cells; i-- > 0;) { /* the free list runs upwards through the chunk */
        void **cell = cell_at(chunk, slab->cell, i);
        *cell = slab->free;
        slab->free = cell;
        GW_POISON(cell, slab->cell);
    }
    if (slab->per_chunk < CHUNK_CELLS && slab->per_chunk * 2 * (size_t)slab->cell <= CHUNK_BYTES)
        slab->per_chunk *= 2;
    return true;
}

void *gw_slab_take(struct gw_slab *slab)
{
    if (slab->free == NULL && !grow(slab))
        return NULL;
    void **cell = slab->free;
    GW_UNPOISON(cell, slab->cell);
    slab->free = *cell;
    slab->used++;
    return cell;
}

void gw_slab_give(struct gw_slab *slab, void *cell)
{
    GW_ASSERT(slab->used > 0);
    *(void **)cell = slab->free;
    slab->free = cell;
    slab->used--;
    GW_POISON(cell, slab->cell);
}
