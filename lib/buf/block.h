/* buf/block.h: equal blocks of memory from one pool with a hard maximum, counted by plain integers:
 * a block never leaves its worker.
 *
 * A block is filled from the front once: bytes [0, used) are written and never change, [used, size)
 * are free. Whoever holds a slice that ends at `used` may fill on behind it; so several slices of
 * different owners share a block without ever writing over each other. While is_held is set nobody
 * may but who set it: so a link can read into the free part of a block across steps, and the slices
 * made of what was read before travel on. */
#ifndef GW_BUF_BLOCK_H
#define GW_BUF_BLOCK_H

#include "base/heap.h"

struct gw_block {
    struct gw_pool *pool; /* NULL only for foreign blocks without one            */
    uint8_t *bytes;
    uint32_t size, used;
    uint32_t refs;
    bool is_held;          /* see above                                                 */
    bool is_packed;        /* filled by gw_chain_settle: its slices are not copied again */
    struct gw_block *next; /* in the pool's free list; while held: the holder's      */
    /* Foreign: the bytes are the host's; done runs when the last reference goes. */
    gw_done_fn *done;
    void *ctx, *object;
};

/* One view in one chain. From the pool's slab: chains link them. */
struct gw_slice {
    struct gw_slice *next;
    struct gw_block *block; /* one reference */
    uint8_t *ptr;
    size_t len;
};

/* The bound on slices: of a pool of n blocks. Smaller views than this allows are a peer's games. */
enum { GW_SLICES_A_BLOCK = 64, GW_SLICES_MIN = 4096 };

struct gw_pool {
    struct gw_heap *heap;
    struct gw_slab headers; /* gw_block */
    struct gw_slab slices;  /* gw_slice */
    struct gw_block *free;  /* the one last given back first: its bytes are in the caches */
    uint32_t block_bytes;
    uint32_t blocks_max;
    uint32_t made, out; /* blocks ever made; blocks in use now */
    uint32_t out_peak;
};

void gw_pool_init(struct gw_pool *pool, struct gw_heap *heap, uint32_t block_bytes,
                  uint32_t blocks_max);
void gw_pool_fini(struct gw_pool *pool); /* asserts that all blocks and slices are back */
/* An empty block with one reference; NULL: the cap or the allocator. */
struct gw_block *gw_block_take(struct gw_pool *pool) GW_MUST_CHECK;
/* A block around the host's bytes, full, with one reference. NULL: no memory, or longer than 4 GiB;
 * done is not run. */
struct gw_block *gw_block_lend(struct gw_pool *pool, gw_const_span bytes, gw_done_fn *done,
                               void *ctx, void *object) GW_MUST_CHECK;
static inline struct gw_block *gw_block_ref(struct gw_block *b)
{
    b->refs++;
    return b;
}
/* The owner of a slice that ends at used, or who holds the block, has filled in len bytes. */
static inline void gw_block_filled(struct gw_block *b, uint32_t len)
{
    b->used += len;
}
void gw_block_unref(struct gw_block *b); /* NULL is fine; the last one gives it back */
static inline uint32_t gw_pool_available(const struct gw_pool *pool)
{
    return pool->blocks_max - pool->out;
}

#endif
