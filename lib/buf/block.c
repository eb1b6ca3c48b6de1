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
    *pool = (struct gw_pool){ .heap = heap,
                              .block_bytes = block_bytes,
                              .blocks_max = blocks_max,
                              .lent_max = blocks_max / GW_LENT_BLOCKS + GW_LENT_MIN };
    gw_slab_init(&pool->headers, heap, sizeof(struct gw_block), UINT32_MAX);
    gw_slab_init(&pool->slices, heap, sizeof(struct gw_slice), slices_max(blocks_max));
}

void gw_pool_fini(struct gw_pool *pool)
{
    gw_pool_run_done(pool);
    GW_ASSERT(pool->out == 0 && pool->promised == 0 && pool->lent == 0);
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

static void own(struct gw_reserve *r, struct gw_pool *pool, struct gw_block *b)
{
    b->home = r;
    b->sibling = r->taken;
    r->taken = b;
    r->used++;
    pool->promised--;
}

/* The way back: the promise holds again. */
static void disown(struct gw_pool *pool, struct gw_block *b)
{
    struct gw_reserve *r = b->home;
    struct gw_block **at = &r->taken;
    while (*at != b)
        at = &(*at)->sibling;
    *at = b->sibling;
    b->home = NULL;
    r->used--;
    pool->promised++;
}

static struct gw_block *take(struct gw_pool *pool)
{
    struct gw_block *b = pool->free;
    if (b != NULL) {
        pool->free = b->next;
        GW_UNPOISON(b->bytes, b->size);
    } else {
        GW_ASSERT(pool->made < pool->blocks_max);
        b = make(pool);
        if (b == NULL)
            return NULL;
    }
    b->refs = 1;
    b->used = 0;
    b->is_held = b->is_packed = false;
    b->next = NULL;
    b->home = NULL;
    if (++pool->out > pool->out_peak)
        pool->out_peak = pool->out;
    return b;
}

struct gw_block *gw_block_take(struct gw_pool *pool, struct gw_reserve *reserve)
{
    if (GW_LIKELY(gw_pool_has_plenty(pool)))
        return take(pool);
    bool is_own = reserve != NULL && reserve->used < reserve->size;
    if (!is_own && gw_pool_spare(pool) == 0)
        return NULL;
    struct gw_block *b = take(pool);
    if (is_own && b != NULL)
        own(reserve, pool, b);
    return b;
}

static void do_nothing(void *ctx, void *object)
{
    (void)ctx;
    (void)object;
}

struct gw_block *gw_block_lend(struct gw_pool *pool, gw_const_span bytes, gw_done_fn *done,
                               void *ctx, void *object)
{
    if (bytes.len > UINT32_MAX || pool->lent >= pool->lent_max)
        return NULL;
    struct gw_block *b = gw_slab_take(&pool->headers);
    if (b == NULL)
        return NULL;
    *b = (struct gw_block){ .pool = pool,
                            .bytes = (uint8_t *)(uintptr_t)bytes.ptr,
                            .size = (uint32_t)bytes.len,
                            .used = (uint32_t)bytes.len,
                            .refs = 1,
                            .done = done != NULL ? done : do_nothing,
                            .ctx = ctx,
                            .object = object };
    pool->lent++;
    return b;
}

static struct gw_block *reversed(struct gw_block *list)
{
    struct gw_block *first = NULL, *b;
    while ((b = list) != NULL) {
        list = b->next;
        b->next = first;
        first = b;
    }
    return first;
}

/* What comes back meanwhile is for the next time. */
void gw_pool_run_done(struct gw_pool *pool)
{
    struct gw_block *list = reversed(pool->back), *b;
    pool->back = NULL;
    while ((b = list) != NULL) {
        struct gw_block own = *b;
        list = b->next;
        gw_slab_give(&pool->headers, b); /* first: done may lend again */
        pool->lent--;
        own.done(own.ctx, own.object);
    }
}

static void give_back_foreign(struct gw_block *b)
{
    if (b->pool != NULL) {
        b->next = b->pool->back;
        b->pool->back = b;
    } else if (b->done != NULL) {
        b->done(b->ctx, b->object);
    }
}

void gw_block_unref(struct gw_block *b)
{
    if (b == NULL)
        return;
    GW_ASSERT(b->refs > 0 && b->used <= b->size);
    struct gw_pool *pool = b->pool;
    if (--b->refs > 0) {
        if (b->refs == 1 && b->home != NULL)
            pool->returns++; /* if it is open, it can be filled anew */
        return;
    }
    if (pool == NULL || b->done != NULL) {
        give_back_foreign(b);
        return;
    }
    GW_ASSERT(pool->out > 0);
    if (GW_UNLIKELY(b->home != NULL))
        disown(pool, b);
    pool->out--;
    pool->returns++;
    b->next = pool->free;
    pool->free = b;
    GW_POISON(b->bytes, b->size);
}

gw_status gw_reserve_grow(struct gw_reserve *r, struct gw_pool *pool, uint32_t n)
{
    if (n > gw_pool_spare(pool))
        return GW_ELIMIT;
    gw_reserve_add(r, pool, n);
    return GW_OK;
}

static void close_open(struct gw_reserve *r)
{
    struct gw_block *b = r->open;
    r->open = NULL;
    if (b == NULL)
        return;
    b->is_held = false;
    gw_block_unref(b);
}

void gw_reserve_shrink(struct gw_reserve *r, struct gw_pool *pool, uint32_t size)
{
    if (size >= r->size)
        return;
    close_open(r);
    while (r->used > size)
        disown(pool, r->taken); /* in use, and so counted in out alone */
    pool->promised -= r->size - size;
    pool->returns++;
    r->size = size;
}

void gw_reserve_adopt(struct gw_reserve *r, struct gw_block *b)
{
    if (b->home == NULL && b->done == NULL && b->refs == 1 && r->used < r->size)
        own(r, b->pool, b);
}

/* All of a block that nobody views any more. */
static size_t open_room(const struct gw_reserve *r)
{
    const struct gw_block *b = r->open;
    return b == NULL ? 0 : b->refs == 1 ? b->size : b->size - b->used;
}

size_t gw_reserve_room(const struct gw_reserve *r, const struct gw_pool *pool)
{
    return (size_t)(r->size - r->used) * pool->block_bytes + open_room(r);
}

struct gw_block *gw_reserve_open(struct gw_reserve *r, struct gw_pool *pool, size_t *room)
{
    struct gw_block *b = r->open;
    *room = open_room(r);
    if (*room > 0) {
        b->used = b->refs == 1 ? 0 : b->used;
        return b;
    }
    close_open(r);
    if (r->used >= r->size)
        return NULL;
    b = take(pool);
    if (b == NULL)
        return NULL;
    own(r, pool, b);
    b->is_held = true;
    r->open = b;
    *room = b->size;
    return b;
}
