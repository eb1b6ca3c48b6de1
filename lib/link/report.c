/* link/report.c: what the host or a backend reports of a link, and what it may ask: the public calls of
 * gw/link.h. They only record and put the link on a list. */

#include "base/assert.h"
#include "base/spec.h"
#include "link/conn.h"
#include "link/pool.h"
#include "link/slot.h"

uint32_t gw_link_want(const gw_link *l)
{
    return gw_link_is_valid(l) ? gw_conn_want(l) : 0;
}

gw_worker *gw_link_worker(const gw_link *l)
{
    return gw_link_is_valid(l) ? l->links->worker : NULL;
}

void *gw_link_user(const gw_link *l)
{
    return gw_link_is_valid(l) ? l->user : NULL;
}

void gw_link_set_user(gw_link *l, void *user)
{
    if (gw_link_is_valid(l))
        l->user = user;
}

void *gw_link_io(const gw_link *l)
{
    return gw_link_is_valid(l) ? l->io : NULL;
}

void gw_link_set_io(gw_link *l, void *io)
{
    if (gw_link_is_valid(l))
        l->io = io;
}

gw_status gw_link_get_destination(const gw_link *l, gw_destination *out)
{
    gw_destination own = GW_SPEC(gw_destination);

    if (!gw_link_is_valid(l))
        return GW_EINVAL;
    if (l->upstream == NULL)
        return GW_ESTATE;
    own.protocols = l->upstream->spec.protocol;
    own.address = l->upstream->address;
    own.cluster = l->upstream->cluster;
    own.endpoint = l->upstream->endpoint;
    return gw_spec_fill(out, &own, sizeof own);
}

void gw_link_finish(gw_link *l)
{
    if (!gw_link_is_valid(l) || l->is_finishing)
        return;
    l->is_finishing = true;
    if (gw_link_is_connecting(l))
        gw_link_mark_readable(l); /* given up by the next step */
    else
        gw_link_drain(l);
    l->links->want_step(l->links->worker);
}

void gw_link_abort(gw_link *l)
{
    if (!gw_link_is_valid(l))
        return;
    l->is_aborted = true;
    l->broken = GW_ECANCELED;
    gw_link_mark_readable(l);
    l->links->want_step(l->links->worker);
}

/* For reports: not of a link whose last word was said. */
static bool may_report(const gw_link *l)
{
    if (!gw_link_is_valid(l))
        return false;
    if (l->is_closed)
        gw_misuse_note(l->links->misuse, GW_MISUSE_LINK_GONE);
    return !l->is_closed;
}

void gw_link_connected(gw_link *l, gw_status result, const gw_facts *facts)
{
    gw_facts own = { 0 };

    if (!may_report(l))
        return;
    if (!l->is_client || l->is_connect_reported) {
        gw_misuse_note(l->links->misuse, GW_MISUSE_CONNECTED_UNASKED);
        return;
    }
    if (l->phase != GW_LINK_CONNECTING)
        return; /* it was given up meanwhile */
    l->is_connect_begun = true;
    l->is_connect_reported = true;
    l->connect_status = result == GW_AGAIN ? GW_EIO : result;
    if (facts != NULL && gw_spec_copy(&own, sizeof own, facts) == GW_OK && l->facts == NULL) {
        gw_facts local = { .local = own.local };
        (void)!gw_link_set_facts(l, &local); /* benign: only for logs */
    }
    if (result == GW_OK && own.protocol != 0 && own.protocol != l->protocols)
        l->connect_status = GW_EPROTO; /* the peer speaks something else */
    gw_link_mark_readable(l);
}

/* The free tail of the last block received into, when it is worth a read: small pieces fill one
 * block instead of pinning one each. */
static struct gw_block *tail_block(gw_link *l)
{
    struct gw_slice *last = l->rx.last;

    if (last == NULL || last->block->done != NULL)
        return NULL;
    if (last->ptr + last->len != last->block->bytes + last->block->used ||
        last->block->size - last->block->used < last->block->size / 8)
        return NULL;
    return gw_block_ref(last->block);
}

void gw_link_take_back_rooms(gw_link *l)
{
    struct gw_block *block;

    while ((block = l->lent) != NULL) {
        l->lent = block->next;
        block->next = NULL;
        block->is_held = false;
        gw_block_unref(block);
    }
}

/* Who asks though nothing is wanted, or again and again without a step, gets nothing: what is received
 * stays bounded whatever a host does. */
static bool may_lend(const gw_link *l)
{
    bool is_behind = gw_list_is_linked(&l->readable) || gw_list_is_linked(&l->starving);

    return gw_conn_wants_read(l) &&
           !(is_behind && l->rx.len >= GW_LINK_ROOMS_MAX * (size_t)l->links->pool->block_bytes);
}

/* Whoever is read to be answered has been admitted; also who waits with what was read before is not read
 * on. What is read only to be dropped needs no more than a block. */
static bool is_admitted(gw_link *l)
{
    bool is_waiting = l->is_in_line && gw_list_is_linked(&l->starving);
    bool is_served = l->phase == GW_LINK_OPEN &&
                     (l->codec == NULL || l->codec->state != GW_CODEC_OVER);

    return !is_served || (l->slot != NULL && !is_waiting) || gw_slot_take(l);
}

/* With the one block that is promised, the begin of a line must not lie at its end. */
static struct gw_block *first_block(gw_link *l)
{
    struct gw_pool *pool = l->links->pool;
    struct gw_block *block = tail_block(l);

    if (block != NULL || gw_pool_has_plenty(pool))
        return block;
    if (l->tls != NULL && l->tls->in.len < pool->block_bytes && l->tls->in.slices > 1)
        gw_chain_pull_up(&l->tls->in);
    if (l->rx.len >= pool->block_bytes)
        return NULL;
    gw_chain_pull_up(&l->rx);
    return tail_block(l);
}

size_t gw_link_room(gw_link *l, gw_span *out, size_t max)
{
    struct gw_block **last;
    size_t n = 0;

    if (!may_report(l) || l->is_lost || out == NULL || max == 0)
        return 0;
    gw_link_take_back_rooms(l); /* asked again without a report: the old rooms are void */
    if (!may_lend(l) || !is_admitted(l)) {
        l->is_recv_pending = false;
        l->told_want &= (uint8_t)~GW_WANT_READ; /* mode 1 is told when it is wanted again */
        return 0;
    }
    if (l->rooms_wish < max)
        max = l->rooms_wish;
    last = &l->lent;
    while (n < max && (n == 0 || gw_pool_has_plenty(l->links->pool))) {
        struct gw_block *block = n == 0 ? first_block(l) : NULL;
        if (block == NULL)
            block = gw_block_take(l->links->pool, l->rx.reserve);
        if (block == NULL)
            break;
        block->is_held = true; /* nobody else may fill what is lent */
        *last = block;
        last = &block->next;
        out[n] = (gw_span){ block->bytes + block->used, block->size - block->used };
        n++;
    }
    if (n == 0) {
        l->is_recv_pending = false;
        l->told_want &= (uint8_t)~GW_WANT_READ; /* mode 1 is told again */
        gw_link_mark_starving(l);
    }
    return n;
}

/* A full read asks for twice the room next time; a small one for half. */
static void adapt_rooms(gw_link *l, size_t len, size_t room)
{
    if (len == room && l->rooms_wish < GW_LINK_ROOMS_MAX)
        l->rooms_wish = (uint8_t)(l->rooms_wish * 2);
    else if (len < room / 4 && l->rooms_wish > 1)
        l->rooms_wish = (uint8_t)(l->rooms_wish / 2);
}

/* When memory is short in the middle, nothing that comes behind may be taken: bytes would be missing, and
 * the link is lost. */
static void take_rooms(gw_link *l, size_t len)
{
    size_t left = len, room = 0;
    gw_status status = GW_OK;

    for (struct gw_block *block, *next = l->lent; (block = next) != NULL;) {
        size_t space = block->size - block->used, n = left < space ? left : space;
        uint8_t *at = block->bytes + block->used;
        next = block->next;
        block->next = NULL;
        room += space;
        block->is_held = false;
        left -= n;
        if (n > 0 && status == GW_OK) {
            block->used += (uint32_t)n;
            status = gw_chain_append(&l->rx, block, at, n);
        }
        gw_block_unref(block);
    }
    GW_ASSERT(left == 0);
    l->lent = NULL;
    if (status != GW_OK)
        l->read_status = status;
    adapt_rooms(l, len, room);
}

static size_t room_lent(const gw_link *l)
{
    size_t room = 0;

    for (const struct gw_block *block = l->lent; block != NULL; block = block->next)
        room += block->size - block->used;
    return room;
}

/* The host reports what cannot be: nothing of this link can be trusted any more. */
static void distrust(gw_link *l, enum gw_misuse_id why)
{
    gw_misuse_note(l->links->misuse, why);
    l->is_aborted = true;
    l->broken = GW_EINVAL;
    gw_link_mark_readable(l);
}

/* No request is under way, nor any part of one. */
static bool is_between(const struct gw_codec *codec)
{
    return codec == NULL || (codec->streams == 0 && !codec->is_head_pending);
}

void gw_link_received(gw_link *l, size_t len, gw_status result)
{
    if (!may_report(l))
        return;
    l->is_recv_pending = false;
    if (!gw_list_is_linked(&l->starving))
        l->is_in_line = false;
    gw_trace_event(l->links->trace, l->links->now, GW_TRACE_LINK_RECEIVED, l->id, len,
                   (uint64_t)(uint32_t)-result);
    if (len > room_lent(l)) {
        gw_link_take_back_rooms(l);
        distrust(l, GW_MISUSE_RECEIVED_MORE);
        return;
    }
    /* The first bytes of a head; who reads them will tell, but its alarm may ring before, and a part of
     * an engine's record tells nothing. A handshake has begun with the connection. */
    l->is_fresh = l->is_fresh || (len > 0 && !gw_link_has_unread(l) && is_between(l->codec) &&
                                  (l->tls == NULL || l->tls->is_told));
    take_rooms(l, len);
    gw_stats_add(l->links->stats, GW_STAT_BYTES_RECEIVED, len);
    if (l->read_status == GW_ENOMEM)
        result = GW_ENOMEM;
    if (result != GW_OK && result != GW_AGAIN && !l->is_read_ended) {
        l->is_read_ended = true;
        l->read_status = result;
    }
    gw_link_mark_readable(l);
}

size_t gw_link_unsent(const gw_link *l, gw_const_span *out, size_t max)
{
    if (!may_report(l) || l->is_lost || out == NULL)
        return 0;
    return gw_chain_peek(&l->tx, out, max);
}

void gw_link_sent(gw_link *l, size_t len, gw_status result)
{
    if (!may_report(l))
        return;
    gw_trace_event(l->links->trace, l->links->now, GW_TRACE_LINK_SENT, l->id, len,
                   (uint64_t)(uint32_t)-result);
    if (len == 0 && result == GW_EOF && l->is_shutdown_begun) {
        l->is_shutdown_done = true;
        gw_link_mark_readable(l);
        return;
    }
    if (len == 0 && result == GW_EOF)
        gw_misuse_note(l->links->misuse, GW_MISUSE_SHUTDOWN_UNASKED);
    l->is_send_pending = false;
    if (len > l->tx.len) {
        distrust(l, GW_MISUSE_SENT_MORE);
        return;
    }
    gw_chain_drop(&l->tx, len);
    gw_stats_add(l->links->stats, GW_STAT_BYTES_SENT, len);
    l->is_moved = l->is_moved || len > 0;
    if (l->codec != NULL)
        l->codec->sent += (uint32_t)len;
    gw_link_mark_dirty(l);
    if (result != GW_OK && result != GW_AGAIN && l->broken == GW_OK) {
        l->broken = result == GW_EOF ? GW_ERESET : result;
        gw_link_mark_readable(l);
    }
}

void gw_link_closed(gw_link *l)
{
    if (!may_report(l))
        return;
    l->is_closed = true;
    l->is_recv_pending = false;
    l->is_send_pending = false;
    gw_trace_event(l->links->trace, l->links->now, GW_TRACE_LINK_CLOSED, l->id, 0, 0);
    gw_list_remove(&l->notice);
    gw_link_mark_readable(l);
}
