/* budget/plain_heap.h: a heap of malloc's, for programs that only count. */
#ifndef BUDGET_PLAIN_HEAP_H
#define BUDGET_PLAIN_HEAP_H

#include <stdlib.h>

#include "base/heap.h"

static inline void *plain_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static inline void plain_release(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    (void)size;
    free(memory);
}

static inline void plain_heap_init(struct gw_heap *heap)
{
    const gw_allocator allocator = { .alloc = plain_alloc, .release = plain_release };

    gw_heap_init(heap, &allocator, 0);
}

#endif
