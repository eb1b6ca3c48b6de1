/* buf/pipe.c: a bounded chain with an end. What it has taken in and given out is counted, so that
 * both sides and the log agree on how much of a body there was. */

#include "buf/pipe.h"

#include "base/assert.h"

void gw_pipe_init(struct gw_pipe *p, struct gw_pool *pool, size_t size)
{
    *p = (struct gw_pipe){ .size = size };
    gw_chain_init(&p->chain, pool);
}

void gw_pipe_fini(struct gw_pipe *p)
{
    gw_chain_clear(&p->chain);
}

gw_status gw_pipe_push(struct gw_pipe *p, struct gw_chain *from, size_t len)
{
    GW_ASSERT(!p->is_ended);
    if (p->is_cut) {
        gw_chain_drop(from, len);
        return GW_OK;
    }
    gw_status status = gw_chain_move(&p->chain, from, len);
    if (status == GW_OK)
        p->bytes_in += len;
    return status;
}

gw_status gw_pipe_push_view(struct gw_pipe *p, struct gw_block *block, uint8_t *ptr, size_t len)
{
    GW_ASSERT(!p->is_ended);
    if (p->is_cut)
        return GW_OK;
    gw_status status = gw_chain_append(&p->chain, block, ptr, len);
    if (status == GW_OK)
        p->bytes_in += len;
    return status;
}

gw_status gw_pipe_take(struct gw_pipe *p, struct gw_chain *to, size_t len)
{
    gw_status status = gw_chain_move(to, &p->chain, len);
    if (status == GW_OK)
        p->bytes_out += len;
    return status;
}

void gw_pipe_cut(struct gw_pipe *p)
{
    p->is_cut = true;
    gw_chain_clear(&p->chain);
}

size_t gw_pipe_put(struct gw_pipe *p, const void *ptr, size_t len)
{
    const uint8_t *bytes = ptr;
    size_t room = gw_pipe_space(p), done = 0;
    if (len > room)
        len = room;
    /* By pieces of a block: when memory is short, what went in stays in. */
    while (done < len) {
        size_t n = len - done < p->chain.pool->block_bytes ? len - done
                                                           : p->chain.pool->block_bytes;
        if (gw_chain_write(&p->chain, bytes + done, n) != GW_OK)
            break;
        done += n;
    }
    p->bytes_in += done;
    return done;
}

void gw_pipe_skip(struct gw_pipe *p, size_t len)
{
    GW_ASSERT(len <= p->chain.len);
    gw_chain_drop(&p->chain, len);
    p->bytes_out += len;
}

/* ---- what hooks may do ---- */

size_t gw_pipe_peek(const gw_pipe *p, gw_const_span *out, size_t max)
{
    return p != NULL && out != NULL ? gw_chain_peek(&p->chain, out, max) : 0;
}

bool gw_pipe_is_last(const gw_pipe *p)
{
    return p != NULL && p->is_ended;
}

gw_status gw_pipe_drop(gw_pipe *p, size_t len)
{
    if (p == NULL || p->is_host_source || len > p->chain.len)
        return GW_EINVAL;
    gw_pipe_skip(p, len);
    return GW_OK;
}

size_t gw_pipe_room(const gw_pipe *p)
{
    return p == NULL || p->is_host_target ? 0 : gw_pipe_space(p);
}

size_t gw_pipe_write(gw_pipe *p, const void *ptr, size_t len)
{
    return p == NULL || p->is_host_target || ptr == NULL ? 0 : gw_pipe_put(p, ptr, len);
}

gw_status gw_pipe_end(gw_pipe *p)
{
    if (p == NULL || p->is_host_target)
        return GW_EINVAL;
    if (p->is_ended || p->is_cut)
        return GW_ESTATE;
    p->is_ended = true;
    return GW_OK;
}
