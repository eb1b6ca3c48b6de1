/* link/slot.c: see slot.h. Every need is asked for at once, and by who holds nothing yet: so nobody
 * waits for one block with another in hand. */

#include "link/slot.h"

#include "base/assert.h"

/* Blocks to read into, and as many to write into. */
static uint32_t ways(bool has_engine)
{
    return (has_engine ? GW_SLOT_ENGINE : GW_SLOT_LINK) / 2;
}

static uint32_t kit_need(const struct gw_links *links)
{
    return GW_SLOT_EXCHANGE + 2 * ways(links->has_tls_upstreams);
}

uint32_t gw_slot_kit_blocks(const struct gw_links *links)
{
    return kit_need(links);
}

/* An HTTP/2 client may have sent so much before it knows our windows; and as long as nobody knows what a
 * client speaks, it may be one. */
static uint32_t early_need(const struct gw_link *link)
{
    const struct gw_links *links = link->links;
    uint32_t may = link->protocol != 0 ? link->protocol : link->protocols;

    if (link->is_client || links->h2 == NULL || (may & GW_PROTO_H2) == 0 ||
        (link->codec != NULL && link->codec->is_window_known))
        return 0;
    return (GW_SLOT_EARLY + links->pool->block_bytes - 1) / links->pool->block_bytes;
}

struct needs {
    uint32_t each, kit, early, kept;
};

static struct needs needs_of(const struct gw_link *link)
{
    return (struct needs){ ways(link->tls != NULL), link->is_client ? 0 : kit_need(link->links),
                           early_need(link), gw_link_kept_of(link) != NULL };
}

static uint32_t lacks(const struct gw_reserve *r, uint32_t need)
{
    return r->size < need ? need - r->size : 0;
}

static uint32_t lacks_kept(const struct gw_link *link, const struct needs *n)
{
    return n->kept > 0 ? lacks(&link->role.kept->reserve, n->kept) : 0;
}

/* Blocks that are still to be promised. */
static uint32_t missing(const struct gw_link *link, const struct needs *n)
{
    const struct gw_slot *has = link->slot;

    if (has == NULL)
        return 2 * n->each + n->kit + n->early + n->kept;
    return lacks_kept(link, n) + lacks(&has->in, n->each) + lacks(&has->out, n->each) +
           lacks(&has->kit, n->kit) + lacks(&has->early, n->early);
}

static bool make_slot(struct gw_link *link)
{
    struct gw_slot *slot = gw_slab_take(&link->links->slots);

    if (slot == NULL)
        return false;
    *slot = (struct gw_slot){ .in = { 0 } };
    link->slot = slot;
    link->rx.reserve = &slot->in;
    link->tx.reserve = &slot->out;
    if (link->tls != NULL) {
        link->tls->in.reserve = &slot->in;
        link->tls->out.reserve = &slot->out;
    }
    if (link->codec != NULL)
        link->codec->early = &slot->early;
    return true;
}

/* All or nothing. GW_ELIMIT, GW_ENOMEM. */
static gw_status fill(struct gw_link *link)
{
    struct gw_pool *pool = link->links->pool;
    struct needs n = needs_of(link);
    struct gw_slot *slot;

    if (missing(link, &n) > gw_pool_spare(pool))
        return GW_ELIMIT;
    if (link->slot == NULL && !make_slot(link))
        return GW_ENOMEM;
    slot = link->slot;
    gw_reserve_add(&slot->in, pool, lacks(&slot->in, n.each));
    gw_reserve_add(&slot->out, pool, lacks(&slot->out, n.each));
    gw_reserve_add(&slot->kit, pool, lacks(&slot->kit, n.kit));
    gw_reserve_add(&slot->early, pool, lacks(&slot->early, n.early));
    if (n.kept > 0)
        gw_reserve_add(&link->role.kept->reserve, pool, lacks_kept(link, &n));
    return GW_OK;
}

/* What was read of a next request comes into one block if it fits, and that counts as promised. */
static void pack_input(struct gw_link *link)
{
    if (link->rx.len < link->links->pool->block_bytes)
        gw_chain_pull_up(&link->rx);
    if (link->rx.first != NULL)
        gw_reserve_adopt(&link->slot->in, link->rx.first->block);
}

static void be_patient(struct gw_links *links)
{
    links->line_until = links->now + GW_LINK_STARVING_NS;
    links->line_since = links->pool->returns;
}

/* Of what others wait for, who waits keeps nothing but what was read of a next request. */
static void get_in_line(struct gw_link *link)
{
    struct gw_links *links = link->links;
    struct gw_pool *pool = links->pool;
    struct gw_slot *slot = link->slot;

    if (slot != NULL) {
        pack_input(link);
        gw_reserve_shrink(&slot->in, pool, slot->in.used);
        gw_reserve_shrink(&slot->out, pool, 0);
        gw_reserve_shrink(&slot->kit, pool, 0);
        gw_reserve_shrink(&slot->early, pool, 0);
        if (gw_link_kept_of(link) != NULL)
            gw_reserve_shrink(&link->role.kept->reserve, pool, 0);
    }
    gw_list_remove(&link->starving);
    gw_list_push_back(&links->line, &link->starving);
    link->is_in_line = true;
    link->head_since = links->now;
    if (links->line_until == GW_NEVER)
        be_patient(links);
    gw_stats_add(links->stats, GW_STAT_LINKS_WAITED, 1);
    gw_link_rearm(link);
}

bool gw_slot_take(struct gw_link *link)
{
    struct needs n = needs_of(link);

    if (link->slot != NULL && missing(link, &n) == 0) {
        link->is_in_line = false;
        return true;
    }
    if (gw_list_is_linked(&link->starving) && link->is_in_line)
        return false;
    if (gw_list_is_empty(&link->links->line) && fill(link) == GW_OK)
        return true;
    get_in_line(link);
    return false;
}

gw_status gw_slot_take_gift(struct gw_link *link, struct gw_reserve *gift)
{
    uint32_t each = ways(link->tls != NULL);

    if (link->slot != NULL || gift == NULL || gift->size < 2 * each)
        return GW_OK;
    if (!make_slot(link))
        return GW_ENOMEM;
    gw_reserve_pass(&link->slot->in, gift, each);
    gw_reserve_pass(&link->slot->out, gift, each);
    if (link->is_in_line) /* while it was idle it had something to read */
        gw_list_remove(&link->starving);
    link->is_in_line = false;
    return GW_OK;
}

void gw_slot_renew_gift(const struct gw_links *links, struct gw_reserve *gift)
{
    (void)!gw_reserve_grow(gift, links->pool, lacks(gift, 2 * ways(links->has_tls_upstreams)));
}

struct gw_reserve *gw_slot_kit(struct gw_link *link)
{
    struct gw_slot *slot = link->slot;
    struct gw_pool *pool = link->links->pool;

    if (slot == NULL || (slot->kit.size == 0 && !gw_list_is_empty(&link->links->line)) ||
        gw_reserve_grow(&slot->kit, pool, lacks(&slot->kit, kit_need(link->links))) != GW_OK)
        return NULL;
    return &slot->kit;
}

void gw_slot_trim(struct gw_link *link)
{
    struct gw_slot *slot = link->slot;

    if (slot != NULL && slot->early.size > 0 && early_need(link) == 0)
        gw_reserve_end(&slot->early, link->links->pool);
}

void gw_slot_rest(struct gw_link *link)
{
    if (link->slot == NULL || gw_link_is_connecting(link) || link->is_in_line ||
        link->lent != NULL || (link->tls != NULL && link->tls->in.len + link->tls->out.len > 0))
        return;
    gw_slot_give(link);
}

void gw_slot_give(struct gw_link *link)
{
    struct gw_slot *slot = link->slot;
    struct gw_pool *pool = link->links->pool;

    if (slot == NULL)
        return;
    gw_reserve_end(&slot->in, pool);
    gw_reserve_end(&slot->out, pool);
    gw_reserve_end(&slot->kit, pool);
    gw_reserve_end(&slot->early, pool);
    if (gw_link_kept_of(link) != NULL)
        gw_reserve_end(&link->role.kept->reserve, pool);
    link->rx.reserve = link->tx.reserve = NULL;
    if (link->tls != NULL)
        link->tls->in.reserve = link->tls->out.reserve = NULL;
    if (link->codec != NULL)
        link->codec->early = NULL;
    link->slot = NULL;
    gw_slab_give(&link->links->slots, slot);
}

static void call(struct gw_link *link)
{
    gw_list_remove(&link->starving); /* in line for its deadline, until something is read */
    gw_link_mark_readable(link);
    gw_link_mark_dirty(link);
}

void gw_slots_feed(struct gw_links *links)
{
    bool may_pass = links->now >= links->line_until, is_stuck = false;

    for (struct gw_list *node = links->line.next, *next; node != &links->line; node = next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, starving);
        next = node->next;
        if (link->phase != GW_LINK_OPEN || fill(link) == GW_OK) {
            call(link);
            continue;
        }
        is_stuck = true;
        if (!may_pass)
            break;
    }
    if (!is_stuck)
        links->line_until = GW_NEVER;
    else if (may_pass || links->line_since != links->pool->returns)
        be_patient(links);
}
