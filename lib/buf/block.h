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

#include "base/assert.h"
#include "base/heap.h"

struct gw_block {
    struct gw_pool *pool; /* NULL only for foreign blocks without one            */
    uint8_t *bytes;
    uint32_t size, used;
    uint32_t refs;
    bool is_held;             /* see above                                                 */
    bool is_packed;           /* filled by gw_chain_settle: its slices are not copied again */
    struct gw_block *next;    /* in the pool's free list; while held: the holder's      */
    struct gw_reserve *home;  /* whose promise it was taken from; NULL: nobody's          */
    struct gw_block *sibling; /* in that reserve's list                                  */
    /* Foreign: the bytes are the host's; when the last reference goes, done is due. */
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
/* And on pieces that a host has lent: one for so many blocks of the pool, and some. */
enum { GW_LENT_BLOCKS = 8, GW_LENT_MIN = 64 };

/* A promise: blocks that its owner can have whatever others hold. While the pool has plenty that are
 * promised to nobody, everybody takes those, and they may lie anywhere. What is taken from a reserve
 * is its own until it is freed, wherever its slices travel: so what comes from somebody else's reserve
 * is copied before it is kept (gw_pipe_take_in). For all reserves of a pool
 *     out + promised <= blocks_max,   promised = the sum of size - used
 * so that a promise never has to wait. All zero is a reserve of nothing. */
struct gw_reserve {
    struct gw_block *taken; /* through sibling */
    struct gw_block *open;  /* one of them, held, being filled; a reference. See gw_reserve_room */
    uint32_t size, used;
};

struct gw_misuse;

struct gw_pool {
    struct gw_heap *heap;
    struct gw_slab headers; /* gw_block */
    struct gw_slab slices;  /* gw_slice */
    struct gw_block *free;  /* the one last given back first: its bytes are in the caches */
    uint32_t block_bytes;
    uint32_t blocks_max;
    uint32_t made, out; /* blocks ever made; blocks in use now */
    uint32_t promised;  /* to reserves, and not taken from them yet */
    uint32_t returns;   /* ever: blocks that came back, and promises given up; wraps */
    uint32_t out_peak;
    struct gw_misuse *misuse; /* whom to tell what a host does to its pipes; may be NULL */
    struct gw_block *back;    /* foreign ones that nobody views any more, the last one first */
    uint32_t lent, lent_max;
};

void gw_pool_init(struct gw_pool *pool, struct gw_heap *heap, uint32_t block_bytes,
                  uint32_t blocks_max);
void gw_pool_fini(struct gw_pool *pool); /* asserts that all blocks and slices are back */
/* An empty block with one reference: one promised to nobody while there is plenty; else one of reserve's
 * (may be NULL); if that has none, one that is spare. NULL: there is none, or the allocator refused. */
struct gw_block *gw_block_take(struct gw_pool *pool, struct gw_reserve *reserve) GW_MUST_CHECK;
/* n blocks more are promised to r. GW_ELIMIT: so many are not free; nothing changed. */
gw_status gw_reserve_grow(struct gw_reserve *r, struct gw_pool *pool, uint32_t n) GW_MUST_CHECK;
/* The same for who has looked that so many are spare. */
static inline void gw_reserve_add(struct gw_reserve *r, struct gw_pool *pool, uint32_t n)
{
    r->size += n;
    pool->promised += n;
}
/* Gives the promise up, but for size blocks. Blocks taken beyond that are nobody's from now on. */
void gw_reserve_shrink(struct gw_reserve *r, struct gw_pool *pool, uint32_t size);
/* Gives all of it up; for who does so with every request. */
static inline void gw_reserve_end(struct gw_reserve *r, struct gw_pool *pool)
{
    if (r->used == 0) {
        pool->promised -= r->size;
        pool->returns++;
        r->size = 0;
    } else {
        gw_reserve_shrink(r, pool, 0);
    }
}
/* How many bytes can surely be put into blocks of r. */
size_t gw_reserve_room(const struct gw_reserve *r, const struct gw_pool *pool);
/* The block that is open, or a new one; *room: how many bytes it takes from used on. Nobody else fills
 * that block on, so what it has room for stays promised whatever becomes of what lies in it. NULL: none,
 * or the allocator refused. The caller fills it (gw_block_filled). */
struct gw_block *gw_reserve_open(struct gw_reserve *r, struct gw_pool *pool, size_t *room)
    GW_MUST_CHECK;
/* b, which is nobody's and which nobody else views, counts as taken from r, if r has one left. */
void gw_reserve_adopt(struct gw_reserve *r, struct gw_block *b);
/* n blocks of from's promise, not yet taken, are to's now. */
static inline void gw_reserve_pass(struct gw_reserve *to, struct gw_reserve *from, uint32_t n)
{
    GW_ASSERT(from->size - from->used >= n);
    from->size -= n;
    to->size += n;
}
/* A block around the host's bytes, full, with one reference; done may be NULL. NULL: no memory, longer
 * than 4 GiB, or lent_max are out; done is not run. */
struct gw_block *gw_block_lend(struct gw_pool *pool, gw_const_span bytes, gw_done_fn *done,
                               void *ctx, void *object) GW_MUST_CHECK;
/* Runs what is due for those that came back, in the order in which they did: never in the middle of
 * something, since it is the host's code. */
void gw_pool_run_done(struct gw_pool *pool);
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
/* Blocks that are neither in use nor promised. */
static inline uint32_t gw_pool_spare(const struct gw_pool *pool)
{
    return pool->blocks_max - pool->out - pool->promised;
}
/* Is more than half of the pool spare? Only then may anybody hold more than was promised to him for
 * longer than he likes: the rest is for who is still to be admitted. */
static inline bool gw_pool_has_plenty(const struct gw_pool *pool)
{
    return gw_pool_spare(pool) > pool->blocks_max / 2;
}

#endif
