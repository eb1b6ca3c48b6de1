/* link/back.c: links that can go back to the host: the head of a request is kept until somebody claims it,
 * and given back with all that was read behind it (docs/hand-over.md). */

#include "base/assert.h"
#include "link/conn.h"
#include "link/slot.h"

gw_status gw_link_keep_heads(struct gw_link *link)
{
    struct gw_links *links = link->links;
    struct gw_link_kept *kept;

    if (links->ops != NULL && links->ops->give_back == NULL)
        return GW_EUNSUPPORTED;
    if (link->tls != NULL || (link->protocols & GW_PROTO_H1) == 0)
        return GW_OK; /* what comes there is never given back */
    kept = gw_heap_zalloc(links->heap, sizeof *kept);
    if (kept == NULL)
        return GW_ENOMEM;
    gw_chain_init(&kept->head, links->pool);
    kept->head.reserve = &kept->reserve;
    link->role.kept = kept;
    return GW_OK;
}

void gw_link_forget_head(struct gw_link *link)
{
    struct gw_link_kept *kept = gw_link_kept_of(link);

    if (kept != NULL)
        gw_chain_clear(&kept->head);
}

/* Its slot is given back already. */
void gw_link_free_kept(struct gw_link *link)
{
    struct gw_link_kept *kept = gw_link_kept_of(link);

    if (kept == NULL)
        return;
    gw_link_forget_head(link);
    GW_ASSERT(kept->reserve.size == 0);
    gw_heap_release(link->links->heap, kept, sizeof *kept);
    link->role.kept = NULL;
}

void gw_link_claim(struct gw_link *link, struct gw_stream *s)
{
    s->is_held = false;
    gw_link_forget_head(link);
    gw_link_advance(link, s);
}

gw_status gw_link_may_return(const struct gw_link *link, const struct gw_stream *s)
{
    if (!s->is_held)
        return GW_EUNSUPPORTED;
    GW_ASSERT(gw_chain_is_empty(&link->tx)); /* what was asked before is answered, and has left */
    return link->codec->is_kept_short ? GW_ENOMEM : GW_OK;
}

/* What a hook has ended meanwhile ends. */
void gw_link_return(struct gw_link *link)
{
    struct gw_links *links = link->links;

    if (link->phase != GW_LINK_OPEN || link->is_closed || link->broken != GW_OK)
        return;
    GW_ASSERT(link->codec->streams == 0 && link->role.kept->head.len > 0);
    link->phase = GW_LINK_RETURNING;
    gw_stats_add(links->stats, GW_STAT_LINKS_RETURNED, 1);
    gw_trace_event(links->trace, links->now, GW_TRACE_LINK_RETURN, link->id,
                   link->role.kept->head.len + link->rx.len, 0);
    gw_slot_give(link);
    gw_link_mark_dirty(link);
}

/* From the chain's spans, behind the n that there are; returns how many there are then. */
static size_t add_spans(const struct gw_chain *chain, gw_const_span *out, size_t max, size_t n)
{
    if (n < max)
        (void)gw_chain_peek(chain, out + n, max - n);
    return n + chain->slices;
}

size_t gw_link_unread(const gw_link *l, gw_const_span *out, size_t max)
{
    size_t n;

    if (!gw_link_is_valid(l) || l->phase != GW_LINK_RETURNING || l->is_closed)
        return 0;
    if (out == NULL)
        max = 0;
    n = add_spans(&l->role.kept->head, out, max, 0);
    return add_spans(&l->rx, out, max, n);
}
