/* buf/stage.c: from one pipe to the next through somebody's hands. */

#include "buf/stage.h"

#include "base/assert.h"

void gw_stage_init(struct gw_stage *s, struct gw_pool *pool, size_t size, struct gw_pipe *to)
{
    *s = (struct gw_stage){ .to = to };
    gw_pipe_init(&s->in, pool, size);
    s->in.stage = s;
    s->in.chain.reserve = &s->reserve;
    gw_chain_init(&s->through, pool);
}

void gw_stage_fini(struct gw_stage *s)
{
    gw_chain_clear(&s->through);
    gw_pipe_fini(&s->in);
    gw_reserve_end(&s->reserve, s->in.chain.pool);
}

bool gw_pipe_transfer(struct gw_pipe *to, struct gw_pipe *from)
{
    bool has_moved = false;
    while (gw_pipe_len(from) > 0) {
        size_t len = gw_pipe_space(to), moved;
        len = len < gw_pipe_len(from) ? len : gw_pipe_len(from);
        if (len == 0 || gw_pipe_push(to, &from->chain, len, &moved) != GW_OK || moved == 0)
            break; /* the rest goes when blocks have come back */
        gw_pipe_count_out(from, moved);
        has_moved = true;
    }
    return has_moved;
}

bool gw_stage_push(struct gw_stage *s)
{
    bool has_moved = false;
    while (!gw_chain_is_empty(&s->through)) {
        size_t len = gw_pipe_space(s->to), moved;
        len = len < s->through.len ? len : s->through.len;
        if (len == 0 || gw_pipe_push(s->to, &s->through, len, &moved) != GW_OK || moved == 0)
            break;
        has_moved = true;
    }
    return has_moved;
}

void gw_stage_pass_all(struct gw_stage *s)
{
    gw_pipe_count_out(&s->in, gw_pipe_len(&s->in));
    gw_chain_move_all(&s->through, &s->in.chain);
    (void)gw_stage_push(s);
}

/* What may yet be written if so many bytes are passed as they are. */
static int64_t still_owed(const struct gw_stage *s, size_t passed)
{
    return s->owed + (int64_t)(gw_pipe_len(&s->in) - passed);
}

static gw_status pass(struct gw_stage *s, size_t len)
{
    if (!s->is_open)
        return GW_ESTATE;
    if (len > gw_pipe_len(&s->in) || (!s->may_rewrite && still_owed(s, len) < 0))
        return GW_EINVAL;
    if (gw_chain_move(&s->through, &s->in.chain, len) != GW_OK)
        return GW_ENOMEM;
    gw_pipe_count_out(&s->in, len);
    s->has_moved = s->has_moved || len > 0;
    (void)gw_stage_push(s);
    return GW_OK;
}

gw_status gw_stage_drop(struct gw_stage *s, size_t len)
{
    if (!s->is_open)
        return GW_ESTATE;
    if (len > gw_pipe_len(&s->in))
        return GW_EINVAL;
    gw_pipe_skip(&s->in, len);
    s->owed += (int64_t)len;
    s->has_moved = s->has_moved || len > 0;
    return GW_OK;
}

size_t gw_stage_room(const struct gw_stage *s)
{
    if (!s->is_open || !gw_stage_has_room(s))
        return 0;
    size_t room = gw_pipe_space(s->to);
    return s->may_rewrite || (int64_t)room < still_owed(s, 0) ? room : (size_t)still_owed(s, 0);
}

/* What is written in the place of what was dropped. */
static void pay(struct gw_stage *s, size_t len)
{
    s->owed -= (int64_t)len;
    s->has_moved = s->has_moved || len > 0;
}

size_t gw_stage_write(struct gw_stage *s, const void *ptr, size_t len)
{
    size_t room = gw_stage_room(s);
    if (s->is_open && room < len && (s->may_rewrite || (int64_t)room < still_owed(s, 0)))
        s->was_short = true;
    if (room == 0)
        return 0;
    room = len < room ? len : room;
    len = gw_pipe_put(s->to, ptr, room);
    s->to->is_refused = s->to->is_refused || len < room;
    s->was_refused = s->was_refused || len < room;
    pay(s, len);
    return len;
}

gw_status gw_stage_lend(struct gw_stage *s, gw_const_span bytes, gw_done_fn *done, void *ctx,
                        void *object)
{
    if (!s->is_open)
        return GW_ESTATE;
    if (!s->may_rewrite && (int64_t)bytes.len > still_owed(s, 0))
        return GW_EINVAL;
    if (!gw_stage_has_room(s)) {
        s->was_short = true;
        return GW_AGAIN;
    }
    gw_status status = gw_pipe_put_lent(s->to, bytes, done, ctx, object);
    if (status == GW_OK) {
        pay(s, bytes.len);
        s->to->is_refused = false; /* perhaps in the place of what was: then nothing is missing */
    }
    return status;
}

/* ---- what hooks may do, of stages and of a host's own pipes ---- */

gw_status gw_pipe_pass(gw_pipe *p, size_t len)
{
    return p == NULL || p->stage == NULL ? GW_EINVAL : pass(p->stage, len);
}

gw_status gw_pipe_gather(gw_pipe *p, size_t len, gw_const_span *out)
{
    if (p != NULL && p->is_host_source)
        gw_pipe_misused(p, GW_MISUSE_PIPE_WRONG_WAY);
    if (p == NULL || out == NULL || p->is_host_source || len > gw_pipe_len(p))
        return GW_EINVAL;
    if (p->stage != NULL && !p->stage->is_open)
        return GW_ESTATE;
    if (len > p->chain.pool->block_bytes)
        return GW_ELIMIT;
    if (len == 0) {
        *out = (gw_const_span){ "", 0 };
        return GW_OK;
    }
    return gw_chain_gather(&p->chain, len, out);
}
