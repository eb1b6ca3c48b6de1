/* exchange/replay.c: what of a request's body has left, kept to be sent again.
 *
 * A short body is copied as it comes into the exchange's arena: that of a gRPC call has mostly left with
 * its head when the call is refused. A longer one, where its route says so, into blocks that are reserved
 * first, and only while more than half of the pool stays spare: so they are never those of who is still to
 * be admitted (docs/flow-control.md). Nobody waits for them: what cannot be kept is not sent again. */

#include <string.h>

#include "base/assert.h"
#include "exchange/exchange.h"

/* Of the arena: not much of its block. */
enum { SHORT_MAX = 4096, SHORT_FIRST = 256 };

struct gw_replay {
    struct gw_chain chain; /* the begin of the body */
    struct gw_reserve reserve;
};

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Never more than the pipe may hold, into which it is put back. */
static size_t kept_max(const struct gw_exchange *x)
{
    return least_of(x->route->retry->replay_max, x->request_out->size);
}

static size_t short_max(const struct gw_exchange *x)
{
    return least_of(least_of(SHORT_MAX, x->of->limits->block_bytes / 4), kept_max(x));
}

static bool is_wanted(const struct gw_exchange *x)
{
    return x->route->retries > 0 && x->request.body != GW_BODY_TUNNEL && !x->has_response &&
           (x->request.body != GW_BODY_LENGTH || x->request.length <= kept_max(x));
}

/* ---- short ones ---- */

static bool has_short_room(struct gw_exchange *x, size_t len)
{
    size_t room = len <= SHORT_FIRST ? SHORT_FIRST : short_max(x);
    char *at;

    if (len <= x->kept.room)
        return true;
    at = gw_arena_alloc(&x->arena, room);
    if (at == NULL)
        return false;
    if (x->kept.len > 0)
        memcpy(at, x->kept.at, x->kept.len);
    x->kept.at = at;
    x->kept.room = (uint32_t)room;
    return true;
}

static bool keep_short(struct gw_exchange *x, uint64_t from, uint64_t whole)
{
    const struct gw_pipe *p = x->request_out;

    if (!has_short_room(x, (size_t)whole))
        return false;
    (void)gw_chain_read(&p->chain, (size_t)(from - gw_pipe_at(p)), x->kept.at + from,
                        (size_t)(whole - from));
    return true;
}

/* ---- longer ones ---- */

/* So many blocks are its own; and they are not of the half that is for admissions. */
static bool reserve(struct gw_exchange *x, uint32_t blocks)
{
    struct gw_pool *pool = x->of->links->pool;
    struct gw_reserve *r = &x->kept.more->reserve;
    uint32_t more = blocks > r->size ? blocks - r->size : 0;

    if (more > 0 && gw_pool_spare(pool) <= pool->blocks_max / 2 + more)
        return false;
    gw_reserve_add(r, pool, more);
    return true;
}

static bool write(struct gw_exchange *x, const uint8_t *bytes, size_t len)
{
    struct gw_replay *more = x->kept.more;
    size_t room;

    while (len > 0) {
        struct gw_block *b = gw_reserve_open(&more->reserve, more->chain.pool, &room);
        size_t n = least_of(len, room);
        uint8_t *at;
        if (b == NULL)
            return false;
        at = b->bytes + b->used;
        memcpy(at, bytes, n);
        gw_block_filled(b, (uint32_t)n);
        if (gw_chain_append(&more->chain, b, at, n) != GW_OK)
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

/* All that is known to come is reserved at once; else what is there. */
static uint32_t blocks_for(const struct gw_exchange *x, uint64_t whole)
{
    uint32_t each = x->of->limits->block_bytes;

    if (x->request.body == GW_BODY_LENGTH)
        whole = x->request.length;
    return (uint32_t)((whole + each - 1) / each);
}

static bool begin_long(struct gw_exchange *x)
{
    if (x->kept.more != NULL)
        return true;
    x->kept.more = gw_arena_alloc(&x->arena, sizeof *x->kept.more);
    if (x->kept.more == NULL)
        return false;
    *x->kept.more = (struct gw_replay){ .reserve = { 0 } };
    gw_chain_init(&x->kept.more->chain, x->of->links->pool);
    return true;
}

static bool keep_long(struct gw_exchange *x, uint64_t from, uint64_t whole)
{
    size_t skip = (size_t)(from - gw_pipe_at(x->request_out));

    if (!begin_long(x) || !reserve(x, blocks_for(x, whole)))
        return false;
    if (x->kept.more->chain.len == 0 && from > 0 &&
        !write(x, (const uint8_t *)x->kept.at, (size_t)from))
        return false;
    for (const struct gw_slice *s = x->request_out->chain.first; s != NULL; s = s->next) {
        size_t over = least_of(skip, s->len);
        skip -= over;
        if (!write(x, s->ptr + over, s->len - over))
            return false;
    }
    return true;
}

void gw_replay_forget(struct gw_exchange *x)
{
    struct gw_replay *more = x->kept.more;

    if (GW_LIKELY(more == NULL))
        return;
    x->kept.more = NULL;
    x->kept.is_over = true;
    if (more->chain.len > 0)
        x->kept.len = 0;
    gw_chain_clear(&more->chain);
    gw_reserve_end(&more->reserve, x->of->links->pool);
}

void gw_replay_settle(struct gw_exchange *x)
{
    if (x->is_failed || x->has_response || x->has_info || x->is_retry_forbidden ||
        x->tries > x->route->retries)
        gw_replay_forget(x);
}

/* ---- what others see ---- */

static bool keep(struct gw_exchange *x, uint64_t from, uint64_t whole)
{
    if (!is_wanted(x) || gw_pipe_at(x->request_out) > from || whole > kept_max(x))
        return false;
    if (whole <= short_max(x))
        return keep_short(x, from, whole);
    if (keep_long(x, from, whole))
        return true;
    gw_stats_add(x->of->stats, GW_STAT_REPLAYS_REFUSED, 1);
    return false;
}

void gw_exchange_keep(struct gw_exchange *x)
{
    uint64_t whole = x->request_out->bytes_in, from = x->kept.len;

    if (x->kept.is_over || whole == from)
        return;
    if (keep(x, from, whole)) {
        x->kept.len = (uint32_t)whole;
        return;
    }
    x->kept.is_over = true;
    gw_replay_forget(x);
}

bool gw_replay_may(const struct gw_exchange *x)
{
    uint64_t left = gw_pipe_at(x->request_out);

    return !x->has_response && !x->has_info && (left == 0 || left <= x->kept.len);
}

bool gw_replay_put_back(struct gw_exchange *x)
{
    size_t len = (size_t)gw_pipe_at(x->request_out);

    if (len == 0)
        return true;
    if (x->kept.more != NULL)
        return gw_pipe_put_back_views(x->request_out, &x->kept.more->chain, len) == GW_OK;
    return gw_pipe_put_back(x->request_out, x->kept.at, len) == GW_OK;
}
