/* buf/block.c: the pool. A block's header comes from a slab, its payload from the heap, once; both
 * stay together on the free list until the pool ends. */

#include "buf/block.h"

#include "base/assert.h"
#include "base/poison.h"

static uint32_t slices_max(uint32_t blocks_max)
{
    uint64_t n = (uint64_t)blocks_max * GW_SLICES_A_BLOCK + GW_SLICES_MIN;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void gw_pool_init(struct gw_pool *pool, struct gw_heap *heap, uint32_t block_bytes,
                  uint32_t blocks_max)
{
    GW_ASSERT(block_bytes > 0);
    *pool = (struct gw_pool){ .heap = heap, .block_bytes = block_bytes, .blocks_max = blocks_max };
    gw_slab_init(&pool->headers, heap, sizeof(struct gw_block), UINT32_MAX);
    gw_slab_init(&pool->slices, heap, sizeof(struct gw_slice), slices_max(blocks_max));
}

void gw_pool_fini(struct gw_pool *pool)
{
    GW_ASSERT(pool->out == 0);
    for (struct gw_block *b; (b = pool->free) != NULL;) {
        pool->free = b->next;
        GW_UNPOISON(b->bytes, b->size);
        gw_heap_release(pool->heap, b->bytes, b->size);
        gw_slab_give(&pool->headers, b);
        pool->made--;
    }
    GW_ASSERT(pool->made == 0);
    gw_slab_fini(&pool->headers);
    gw_slab_fini(&pool->slices);
}

static struct gw_block *make(struct gw_pool *pool)
{
    struct gw_block *b = gw_slab_take(&pool->headers);
    if (b == NULL)
        return NULL;
    uint8_t *bytes = gw_heap_alloc(pool->heap, pool->block_bytes);
    if (bytes == NULL) {
        gw_slab_give(&pool->headers, b);
        return NULL;
    }
    *b = (struct gw_block){ .pool = pool, .bytes = bytes, .size = pool->block_bytes };
    pool->made++;
    return b;
}

struct gw_block *gw_block_take(struct gw_pool *pool)
{
    struct gw_block *b = pool->free;
    if (b != NULL) {
        pool->free = b->next;
        GW_UNPOISON(b->bytes, b->size);
    } else {
        b = pool->made < pool->blocks_max ? make(pool) : NULL;
        if (b == NULL)
            return NULL;
    }
    b->refs = 1;
    b->used = 0;
    b->is_held = b->is_packed = false;
    b->next = NULL;
    if (++pool->out > pool->out_peak)
        pool->out_peak = pool->out;
    return b;
}

struct gw_block *gw_block_lend(struct gw_pool *pool, gw_const_span bytes, gw_done_fn *done,
                               void *ctx, void *object)
{
    GW_ASSERT(done != NULL);
    if (bytes.len > UINT32_MAX)
        return NULL;
    struct gw_block *b = gw_slab_take(&pool->headers);
    if (b == NULL)
        return NULL;
    *b = (struct gw_block){ .pool = pool,
                            .bytes = (uint8_t *)(uintptr_t)bytes.ptr,
                            .size = (uint32_t)bytes.len,
                            .used = (uint32_t)bytes.len,
                            .refs = 1,
                            .done = done,
                            .ctx = ctx,
                            .object = object };
    return b;
}

/* The header goes back first: done is the host's, and may call into the library. */
static void give_back_foreign(struct gw_block *b)
{
    gw_done_fn *done = b->done;
    void *ctx = b->ctx, *object = b->object;
    if (b->pool != NULL)
        gw_slab_give(&b->pool->headers, b);
    if (done != NULL)
        done(ctx, object);
}

void gw_block_unref(struct gw_block *b)
{
    if (b == NULL)
        return;
    GW_ASSERT(b->refs > 0 && b->used <= b->size);
    if (--b->refs > 0)
        return;
    struct gw_pool *pool = b->pool;
    if (pool == NULL || b->done != NULL) {
        give_back_foreign(b);
        return;
    }
    GW_ASSERT(pool->out > 0);
    pool->out--;
    b->next = pool->free;
    pool->free = b;
    GW_POISON(b->bytes, b->size);
}
