/* buf/chain.h: slices in order: the one form in which bytes lie and travel. No operation copies but
 * those that say so. A chain has one owner; len is always the sum. */
#ifndef GW_BUF_CHAIN_H
#define GW_BUF_CHAIN_H

#include "buf/block.h"

struct gw_chain {
    struct gw_pool *pool;
    struct gw_reserve *reserve; /* where blocks come from when the pool is short; may be NULL */
    struct gw_slice *first, *last;
    size_t len;
    uint32_t slices;
};

void gw_chain_init(struct gw_chain *c, struct gw_pool *pool);
void gw_chain_clear(struct gw_chain *c); /* drops all; usable again */
static inline bool gw_chain_is_empty(const struct gw_chain *c)
{
    return c->len == 0;
}
/* Appends a view of len bytes of block at ptr (takes a reference of its own). Joins with the last
 * slice if they touch. len 0 does nothing. GW_ENOMEM. */
gw_status gw_chain_append(struct gw_chain *c, struct gw_block *block, uint8_t *ptr, size_t len)
    GW_MUST_CHECK;
/* Copies bytes in: fills the last block on where that is allowed, else takes blocks. All or nothing:
 * GW_ENOMEM leaves the chain as it was. */
gw_status gw_chain_write(struct gw_chain *c, const void *bytes, size_t len) GW_MUST_CHECK;
static inline gw_status gw_chain_write_str(struct gw_chain *c, gw_str s)
{
    return gw_chain_write(c, s.ptr, s.len);
}
/* A writable place of len bytes (len <= block size) in one piece at the end of the chain; the caller
 * fills some of it and commits how much. NULL: no memory. Nothing else may be done with the chain
 * in between. */
uint8_t *gw_chain_reserve(struct gw_chain *c, size_t len) GW_MUST_CHECK;
void gw_chain_commit(struct gw_chain *c, size_t len);
/* Moves the first len bytes of from to the end of to: slices are moved, one is split at most. len <=
 * from->len; same pool. GW_ENOMEM (the split): nothing moved. */
gw_status gw_chain_move(struct gw_chain *to, struct gw_chain *from, size_t len) GW_MUST_CHECK;
/* Moves all; cannot fail. */
void gw_chain_move_all(struct gw_chain *to, struct gw_chain *from);
/* Takes len bytes off the front; len <= c->len. */
void gw_chain_drop(struct gw_chain *c, size_t len);
/* Of the first slices that have want bytes together, or of all: how many bytes. So many can be moved without a
 * split. */
size_t gw_chain_whole(const struct gw_chain *c, size_t want);
/* The first bytes as up to max spans; returns how many spans. */
size_t gw_chain_peek(const struct gw_chain *c, gw_const_span *out, size_t max);
/* The bytes of the first slice; empty chain: len 0. */
gw_const_span gw_chain_front(const struct gw_chain *c);
/* Copies out up to len bytes from offset; returns how many. */
size_t gw_chain_read(const struct gw_chain *c, size_t offset, void *out, size_t len);
/* Makes the first len bytes one piece (copies if they are not; len <= block size, <= c->len).
 * GW_ENOMEM. */
gw_status gw_chain_gather(struct gw_chain *c, size_t len, gw_const_span *out) GW_MUST_CHECK;
/* Copies slices that pin more than eight times their bytes into shared blocks of the chain's own.
 * Benign when memory is short: then it leaves them. */
void gw_chain_settle(struct gw_chain *c);
/* Bytes that can be written behind the last slice without another block. */
size_t gw_chain_tail(const struct gw_chain *c);
/* Makes one piece of all bytes, at the front of a block that has room behind them, so that their block
 * can be filled on: by moving them in their block if nobody else views it, else into a new one. Does
 * what it can when memory is short. For chains of less than a block. */
void gw_chain_pull_up(struct gw_chain *c);
/* The whole structure is as it should be. For GW_ASSERT_SLOW. */
bool gw_chain_check(const struct gw_chain *c);

#endif
