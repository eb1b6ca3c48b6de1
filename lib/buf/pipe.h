/* buf/pipe.h: body bytes in flight one way inside an exchange, with a size: the unit of flow control
 * (docs/flow-control.md). A source pushes at most the room; a target takes. The public gw_pipe. */
#ifndef GW_BUF_PIPE_H
#define GW_BUF_PIPE_H

#include <gw/filter.h>

#include "base/assert.h"
#include "base/misuse.h"
#include "buf/chain.h"

struct gw_stage;

struct gw_pipe {
    struct gw_chain chain; /* with a reserve, if it was given one: see gw_pipe_room */
    size_t size;        /* the bound on chain.len; a source may pass it once by less than a block */
    uint64_t bytes_in;  /* ever pushed            */
    uint64_t bytes_out; /* ever taken off         */
    size_t again;       /* bytes at the front that were put back: they are not counted twice */
    bool is_ended;      /* the source has ended: bytes_in is final            */
    bool is_cut;        /* the source broke off: what was pushed is not all   */
    /* What the public calls refuse: the host is only its target, or only its source. */
    bool is_host_target, is_host_source;
    bool is_refused;        /* there was room, but no memory: nobody will say when to try again */
    struct gw_stage *stage; /* not NULL: it is shown to a filter: see buf/stage.h */
};

void gw_pipe_init(struct gw_pipe *p, struct gw_pool *pool, size_t size);
void gw_pipe_fini(struct gw_pipe *p);
/* Empty again, as if nothing had ever been in. */
void gw_pipe_reset(struct gw_pipe *p);
static inline size_t gw_pipe_len(const struct gw_pipe *p)
{
    return p->chain.len;
}
/* Where in the body its first byte is. */
static inline uint64_t gw_pipe_at(const struct gw_pipe *p)
{
    return p->bytes_out - p->again;
}
static inline bool gw_pipe_is_done(const struct gw_pipe *p) /* ended, and all was taken */
{
    return p->is_ended && p->chain.len == 0;
}
/* For the hook that runs now, the host is its source, or else its target. */
static inline void gw_pipe_face_host(struct gw_pipe *p, bool is_source)
{
    p->is_host_source = is_source;
    p->is_host_target = !is_source;
}
/* Did the host want to write and could not? Then it is told so when what is in has left; and if there is
 * nothing in, that will never be. Asked once. */
static inline bool gw_pipe_was_refused(struct gw_pipe *p)
{
    bool was = p->is_refused;
    p->is_refused = false;
    return was;
}
/* What fits now: while there is not plenty of memory, what fits into blocks that are its own. */
static inline size_t gw_pipe_space(const struct gw_pipe *p)
{
    const struct gw_pool *pool = p->chain.pool;
    if (p->is_ended || p->is_cut || p->chain.len >= p->size)
        return 0;
    size_t space = p->size - p->chain.len, sure;
    if (GW_LIKELY(p->chain.reserve == NULL || gw_pool_has_plenty(pool)))
        return space;
    sure = gw_reserve_room(p->chain.reserve, pool);
    return space < sure ? space : sure;
}
/* Copies up to that many bytes in; returns how many. */
size_t gw_pipe_put(struct gw_pipe *p, const void *ptr, size_t len);
/* Bytes of the host's, as a view: gw_pipe_lend. */
gw_status gw_pipe_put_lent(struct gw_pipe *p, gw_const_span bytes, gw_done_fn *done, void *ctx,
                           void *object) GW_MUST_CHECK;
/* Takes the first len bytes off; there are as many. */
void gw_pipe_skip(struct gw_pipe *p, size_t len);
/* For who has taken them off the chain himself. */
void gw_pipe_count_out(struct gw_pipe *p, size_t len);
/* Moves the first len bytes of from in; *moved: how many. What lies in somebody else's reserve is copied
 * into blocks of the pipe's own, and when there are none, the rest stays where it is. Not after the end.
 * GW_ENOMEM: nothing could be moved. */
gw_status gw_pipe_push(struct gw_pipe *p, struct gw_chain *from, size_t len, size_t *moved)
    GW_MUST_CHECK;
/* The same for bytes as they come in: a small piece is copied once many slices lie in the pipe, since a slice
 * costs more than it carries, and its block stays for it. */
gw_status gw_pipe_fill(struct gw_pipe *p, struct gw_chain *from, size_t len, size_t *moved)
    GW_MUST_CHECK;
/* Appends a view of block, or a copy if it is somebody else's reserve. GW_ENOMEM: *moved are in. */
gw_status gw_pipe_push_view(struct gw_pipe *p, struct gw_block *block, uint8_t *ptr, size_t len,
                            size_t *moved) GW_MUST_CHECK;
/* Moves the first len bytes to the end of to. GW_ENOMEM. */
gw_status gw_pipe_take(struct gw_pipe *p, struct gw_chain *to, size_t len) GW_MUST_CHECK;
/* Copies bytes in, beyond the size too, where it must be from somebody else's reserve. Returns how many. */
size_t gw_pipe_push_copy(struct gw_pipe *p, struct gw_reserve *reserve, const uint8_t *bytes,
                         size_t len) GW_MUST_CHECK;
/* Are blocks of its own still on their way out, so that it may have less room than it will? */
static inline bool gw_pipe_is_short(const struct gw_pipe *p)
{
    const struct gw_reserve *r = p->chain.reserve;
    const struct gw_pool *pool = p->chain.pool;
    return r != NULL && r->used > 0 && !p->is_ended && !p->is_cut &&
           gw_reserve_room(r, pool) < (size_t)r->size * pool->block_bytes;
}
/* Copies of the first len bytes that were ever in, all that were taken since: they are to be taken once
 * more. GW_ENOMEM: nothing changed. */
gw_status gw_pipe_put_back(struct gw_pipe *p, const void *ptr, size_t len) GW_MUST_CHECK;
/* The same as views of the first len bytes of from, which keeps them: no block is needed. */
gw_status gw_pipe_put_back_views(struct gw_pipe *p, const struct gw_chain *from, size_t len)
    GW_MUST_CHECK;
/* Drops what is in and takes nothing more: the exchange was cut. */
void gw_pipe_cut(struct gw_pipe *p);
/* A host's mistake is noted. */
void gw_pipe_misused(const struct gw_pipe *p, enum gw_misuse_id how);
/* gw_pipe_peek, _is_last, _gather, _pass, _drop, _room, _write, _lend, _end are public, for hooks:
 * gw/filter.h. */

#endif
