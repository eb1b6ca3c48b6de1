/* buf/pipe.c: a bounded chain with an end. What it has taken in and given out is counted, so that
 * both sides and the log agree on how much of a body there was. */

#include "buf/pipe.h"

#include <string.h>

#include "base/assert.h"
#include "buf/stage.h"

void gw_pipe_init(struct gw_pipe *p, struct gw_pool *pool, size_t size)
{
    *p = (struct gw_pipe){ .size = size };
    gw_chain_init(&p->chain, pool);
}

void gw_pipe_reset(struct gw_pipe *p)
{
    gw_chain_clear(&p->chain);
    p->bytes_in = p->bytes_out = 0;
    p->again = 0;
    p->is_ended = p->is_cut = p->is_refused = false;
}

void gw_pipe_fini(struct gw_pipe *p)
{
    gw_chain_clear(&p->chain);
}

/* May a view of block stay here? Else it would hold a block that is promised to somebody else. */
static bool is_welcome(const struct gw_pipe *p, const struct gw_block *block)
{
    return block->home == NULL || block->home == p->chain.reserve;
}

static gw_status push_copy(struct gw_pipe *p, const uint8_t *ptr, size_t len, size_t *moved)
{
    *moved = gw_pipe_put(p, ptr, len);
    return *moved == len ? GW_OK : GW_ENOMEM;
}

gw_status gw_pipe_push(struct gw_pipe *p, struct gw_chain *from, size_t len, size_t *moved)
{
    GW_ASSERT(!p->is_ended);
    *moved = len;
    if (p->is_cut) {
        gw_chain_drop(from, len);
        return GW_OK;
    }
    const struct gw_slice *s = from->first;
    size_t n = 0; /* how much may move as it lies */
    while (s != NULL && n < len && is_welcome(p, s->block)) {
        n += s->len;
        s = s->next;
    }
    n = n < len ? n : len;
    if (GW_UNLIKELY(n == 0 && len > 0)) {
        n = from->first->len < len ? from->first->len : len;
        (void)push_copy(p, from->first->ptr, n, &n); /* of what it can hold */
        gw_chain_drop(from, n);
        *moved = n;
        return n > 0 ? GW_OK : GW_ENOMEM;
    }
    gw_status status = gw_chain_move(&p->chain, from, n);
    *moved = status == GW_OK ? n : 0;
    p->bytes_in += *moved;
    return status;
}

enum { SMALL_BYTES = 256, SLICES_MANY = 8 };

/* False: it could not. */
static bool copy_small(struct gw_pipe *p, struct gw_chain *from, size_t len)
{
    uint8_t bytes[SMALL_BYTES];
    size_t n;
    if (len >= SMALL_BYTES || p->chain.slices < SLICES_MANY || gw_pipe_space(p) < len)
        return false;
    n = gw_chain_read(from, 0, bytes, len);
    GW_ASSERT(n == len);
    if (gw_pipe_put(p, bytes, n) != n)
        return false;
    gw_chain_drop(from, n);
    return true;
}

gw_status gw_pipe_fill(struct gw_pipe *p, struct gw_chain *from, size_t len, size_t *moved)
{
    if (!copy_small(p, from, len))
        return gw_pipe_push(p, from, len, moved);
    *moved = len;
    return GW_OK;
}

gw_status gw_pipe_push_view(struct gw_pipe *p, struct gw_block *block, uint8_t *ptr, size_t len,
                            size_t *moved)
{
    GW_ASSERT(!p->is_ended);
    *moved = len;
    if (p->is_cut)
        return GW_OK;
    if (GW_UNLIKELY(!is_welcome(p, block)))
        return push_copy(p, ptr, len, moved);
    gw_status status = gw_chain_append(&p->chain, block, ptr, len);
    *moved = status == GW_OK ? len : 0;
    p->bytes_in += *moved;
    return status;
}

void gw_pipe_count_out(struct gw_pipe *p, size_t len)
{
    size_t again = len < p->again ? len : p->again;
    p->again -= again;
    p->bytes_out += len - again;
}

gw_status gw_pipe_take(struct gw_pipe *p, struct gw_chain *to, size_t len)
{
    gw_status status = gw_chain_move(to, &p->chain, len);
    if (status == GW_OK)
        gw_pipe_count_out(p, len);
    return status;
}

/* The chain is empty, and what was in it comes behind what is put back; or, that failing, is all of it. */
static struct gw_chain set_aside(struct gw_pipe *p)
{
    struct gw_chain rest = p->chain;
    gw_chain_init(&p->chain, rest.pool);
    p->chain.reserve = rest.reserve;
    return rest;
}

static gw_status join(struct gw_pipe *p, struct gw_chain *rest, size_t len, gw_status status)
{
    if (status != GW_OK) {
        gw_chain_clear(&p->chain);
        p->chain = *rest;
        return status;
    }
    gw_chain_move_all(&p->chain, rest);
    p->again += len;
    return GW_OK;
}

gw_status gw_pipe_put_back(struct gw_pipe *p, const void *ptr, size_t len)
{
    struct gw_chain rest = set_aside(p);
    GW_ASSERT(len + p->again == p->bytes_out);
    return join(p, &rest, len, gw_chain_write(&p->chain, ptr, len));
}

gw_status gw_pipe_put_back_views(struct gw_pipe *p, const struct gw_chain *from, size_t len)
{
    struct gw_chain rest = set_aside(p);
    gw_status status = GW_OK;
    GW_ASSERT(len + p->again == p->bytes_out && len <= from->len);
    size_t left = len;
    for (const struct gw_slice *s = from->first; left > 0 && status == GW_OK; s = s->next) {
        size_t n = s->len < left ? s->len : left;
        status = gw_chain_append(&p->chain, s->block, s->ptr, n);
        left -= n;
    }
    return join(p, &rest, len, status);
}

void gw_pipe_cut(struct gw_pipe *p)
{
    p->is_cut = true;
    p->again = 0;
    gw_chain_clear(&p->chain);
}

/* Into blocks of a reserve, so that each is filled to its end. */
static size_t write_reserved(struct gw_pipe *p, struct gw_reserve *r, const uint8_t *bytes,
                             size_t len)
{
    size_t done = 0, room;
    struct gw_block *b;
    while (done < len && (b = gw_reserve_open(r, p->chain.pool, &room)) != NULL) {
        size_t n = len - done < room ? len - done : room;
        uint8_t *at = b->bytes + b->used;
        memcpy(at, bytes + done, n);
        gw_block_filled(b, (uint32_t)n);
        if (gw_chain_append(&p->chain, b, at, n) != GW_OK) {
            b->used -= (uint32_t)n;
            break;
        }
        done += n;
    }
    return done;
}

/* By pieces of a block: when memory is short, what went in stays in. */
static size_t write_pieces(struct gw_pipe *p, const uint8_t *bytes, size_t len)
{
    struct gw_reserve *r = p->chain.reserve;
    size_t done = 0, piece = p->chain.pool->block_bytes;
    if (GW_UNLIKELY(r != NULL && (r->used > 0 || !gw_pool_has_plenty(p->chain.pool))))
        done = write_reserved(p, r, bytes, len);
    while (done < len) {
        size_t n = len - done < piece ? len - done : piece;
        if (gw_chain_write(&p->chain, bytes + done, n) != GW_OK)
            break;
        done += n;
    }
    p->bytes_in += done;
    return done;
}

size_t gw_pipe_put(struct gw_pipe *p, const void *ptr, size_t len)
{
    size_t room = gw_pipe_space(p);
    return write_pieces(p, ptr, len < room ? len : room);
}

size_t gw_pipe_push_copy(struct gw_pipe *p, struct gw_reserve *reserve, const uint8_t *bytes,
                         size_t len)
{
    GW_ASSERT(!p->is_ended);
    if (p->is_cut)
        return len;
    size_t done = write_reserved(p, reserve, bytes, len);
    p->bytes_in += done;
    return done;
}

void gw_pipe_skip(struct gw_pipe *p, size_t len)
{
    GW_ASSERT(len <= p->chain.len);
    gw_chain_drop(&p->chain, len);
    gw_pipe_count_out(p, len);
}

/* ---- what hooks may do ---- */

void gw_pipe_misused(const struct gw_pipe *p, enum gw_misuse_id how)
{
    if (p->chain.pool->misuse != NULL)
        gw_misuse_note(p->chain.pool->misuse, how);
}

/* May the host put something in now? GW_EINVAL, GW_ESTATE. */
static gw_status writable(const gw_pipe *p)
{
    if (p->is_host_target) {
        gw_pipe_misused(p, GW_MISUSE_PIPE_WRONG_WAY);
        return GW_EINVAL;
    }
    if (p->is_ended && !p->is_cut)
        gw_pipe_misused(p, GW_MISUSE_PIPE_ENDED);
    return p->is_ended || p->is_cut ? GW_ESTATE : GW_OK;
}

static void do_nothing(void *ctx, void *object)
{
    (void)ctx;
    (void)object;
}

size_t gw_pipe_peek(const gw_pipe *p, gw_const_span *out, size_t max)
{
    return p != NULL && out != NULL ? gw_chain_peek(&p->chain, out, max) : 0;
}

bool gw_pipe_is_last(const gw_pipe *p)
{
    return p != NULL && p->is_ended;
}

static gw_status drop_staged(gw_pipe *p, size_t len)
{
    gw_status status = gw_stage_drop(p->stage, len);
    if (status == GW_EINVAL)
        gw_pipe_misused(p, GW_MISUSE_PIPE_DROP_MORE);
    return status;
}

gw_status gw_pipe_drop(gw_pipe *p, size_t len)
{
    if (p == NULL)
        return GW_EINVAL;
    if (p->stage != NULL)
        return drop_staged(p, len);
    if (p->is_host_source || len > p->chain.len) {
        gw_pipe_misused(p, p->is_host_source ? GW_MISUSE_PIPE_WRONG_WAY : GW_MISUSE_PIPE_DROP_MORE);
        return GW_EINVAL;
    }
    gw_pipe_skip(p, len);
    return GW_OK;
}

size_t gw_pipe_room(const gw_pipe *p)
{
    if (p != NULL && p->stage != NULL)
        return gw_stage_room(p->stage);
    return p == NULL || p->is_host_target ? 0 : gw_pipe_space(p);
}

size_t gw_pipe_write(gw_pipe *p, const void *ptr, size_t len)
{
    if (p == NULL || ptr == NULL)
        return 0;
    if (p->stage != NULL)
        return gw_stage_write(p->stage, ptr, len);
    if (writable(p) != GW_OK)
        return 0;
    size_t room = gw_pipe_space(p), n = gw_pipe_put(p, ptr, len);
    p->is_refused = p->is_refused || (n < len && n < room); /* until it is asked for */
    return n;
}

gw_status gw_pipe_put_lent(struct gw_pipe *p, gw_const_span bytes, gw_done_fn *done, void *ctx,
                           void *object)
{
    struct gw_pool *pool = p->chain.pool;
    if (gw_pipe_space(p) == 0)
        return GW_AGAIN;
    if (pool->lent >= pool->lent_max)
        return GW_ELIMIT;
    struct gw_block *b = gw_block_lend(pool, bytes, done, ctx, object);
    gw_status status = b != NULL ? gw_chain_append(&p->chain, b, b->bytes, bytes.len) : GW_ENOMEM;
    p->is_refused = p->is_refused || status != GW_OK;
    if (status == GW_OK)
        p->bytes_in += bytes.len;
    else if (b != NULL)
        b->done = do_nothing; /* it stays the caller's */
    gw_block_unref(b);
    return status;
}

gw_status gw_pipe_lend(gw_pipe *p, gw_const_span bytes, gw_done_fn *done, void *ctx, void *object)
{
    if (p == NULL || bytes.ptr == NULL || bytes.len == 0 || bytes.len > UINT32_MAX)
        return GW_EINVAL;
    if (p->stage != NULL)
        return gw_stage_lend(p->stage, bytes, done, ctx, object);
    gw_status status = writable(p);
    return status == GW_OK ? gw_pipe_put_lent(p, bytes, done, ctx, object) : status;
}

gw_status gw_pipe_end(gw_pipe *p)
{
    if (p != NULL && p->stage != NULL) {
        gw_pipe_misused(p, GW_MISUSE_PIPE_WRONG_WAY);
        return GW_EINVAL;
    }
    gw_status status = p != NULL ? writable(p) : GW_EINVAL;
    if (status == GW_OK)
        p->is_ended = true;
    return status;
}
