/* link/places.c: who takes the places of a ceiling on connections, who waits, who makes room. */

#include "link/places.h"

#include "base/assert.h"
#include "link/pool.h"

/* As long as one lacks places it asks again: for what other workers give up, and whom nothing wakes. */
#define AGAIN_NS GW_MS(100)

static void ring(struct gw_alarm *alarm);

/* ---- who is of it ---- */

static struct gw_places *find(const struct gw_upstreams *pool, const struct gw_ceiling *ceiling)
{
    for (struct gw_list *node = pool->places.next; node != &pool->places; node = node->next) {
        struct gw_places *p = GW_CONTAINER(node, struct gw_places, node);
        if (p->ceiling == ceiling)
            return p;
    }
    return NULL;
}

static struct gw_places *make(struct gw_upstreams *pool, struct gw_ceiling *ceiling)
{
    struct gw_places *p = gw_heap_zalloc(pool->links->heap, sizeof *p);

    if (p == NULL)
        return NULL;
    p->links = pool->links;
    p->ceiling = ceiling;
    p->most = UINT32_MAX;
    gw_list_init(&p->members);
    gw_list_init(&p->line);
    gw_timer_init(&p->again.timer);
    p->again.ring = ring;
    gw_list_push_back(&pool->places, &p->node);
    pool->links->above->hold(ceiling, true);
    return p;
}

gw_status gw_places_join(struct gw_upstreams *pool, struct gw_upstream *u,
                         struct gw_ceiling *ceiling)
{
    struct gw_places *p = find(pool, ceiling);

    if (p == NULL)
        p = make(pool, ceiling);
    if (p == NULL)
        return GW_ENOMEM;
    gw_list_push_back(&p->members, &u->member);
    u->places = p;
    return GW_OK;
}

void gw_places_leave(struct gw_upstream *u)
{
    struct gw_places *p = u->places;

    GW_ASSERT(!gw_list_is_linked(&u->in_line));
    gw_list_remove(&u->member);
    u->places = NULL;
    if (!gw_list_is_empty(&p->members))
        return;
    GW_ASSERT(p->taken == 0 && p->wanted == 0 && p->starved == 0 && p->leaving == 0);
    gw_timer_cancel(p->links->wheel, &p->again.timer);
    gw_list_remove(&p->node);
    p->links->above->hold(p->ceiling, false);
    gw_heap_release(p->links->heap, p, sizeof *p);
}

void gw_places_bound(struct gw_places *p, uint32_t most, uint64_t generation)
{
    if (generation < p->generation)
        return;
    p->generation = generation;
    p->most = most;
}

/* ---- making room ---- */

static bool is_leaving(const struct gw_link *link)
{
    return link->phase != GW_LINK_OPEN || link->makes_room;
}

/* False: enough do. */
static bool make_room(struct gw_places *p, struct gw_link *link)
{
    if (!gw_ceiling_leave(p->ceiling))
        return false;
    p->leaving++;
    link->makes_room = true;
    gw_link_drain(link);
    return true;
}

/* The one that was used longest ago; NULL: all of u are busy, or wanted here. */
static struct gw_link *find_idle(const struct gw_upstream *u)
{
    if (gw_upstream_is_wanted(u))
        return NULL;
    for (struct gw_list *node = u->open.prev; node != &u->open; node = node->prev) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, role.pooled);
        if (!is_leaving(link) && link->codec->streams == 0)
            return link;
    }
    return NULL;
}

static void close_idle(struct gw_places *p)
{
    for (struct gw_list *node = p->members.next; node != &p->members; node = node->next) {
        const struct gw_upstream *u = GW_CONTAINER(node, struct gw_upstream, member);
        struct gw_link *link;
        while ((link = find_idle(u)) != NULL)
            if (!make_room(p, link))
                return;
    }
}

/* The one with the fewest streams, of u's and best; NULL: all are leaving. */
static struct gw_link *less_busy(const struct gw_upstream *u, struct gw_link *best)
{
    for (struct gw_list *node = u->open.next; node != &u->open; node = node->next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, role.pooled);
        if (!is_leaving(link) && (best == NULL || link->codec->streams < best->codec->streams))
            best = link;
    }
    return best;
}

static struct gw_link *find_busy(const struct gw_places *p)
{
    struct gw_link *best = NULL;

    for (struct gw_list *m = p->members.next; m != &p->members; m = m->next)
        best = less_busy(GW_CONTAINER(m, struct gw_upstream, member), best);
    return best;
}

/* Who is first in line and has no connection at all gets one of who has the most. */
static void relieve_first(struct gw_places *p)
{
    const struct gw_upstream *first = GW_CONTAINER(p->line.next, struct gw_upstream, in_line);
    const struct gw_upstream *richest = first;
    struct gw_link *link;

    if (first->links_count > 0)
        return;
    for (struct gw_list *m = p->members.next; m != &p->members; m = m->next) {
        const struct gw_upstream *u = GW_CONTAINER(m, struct gw_upstream, member);
        richest = u->links_count > richest->links_count ? u : richest;
    }
    link = less_busy(richest, NULL);
    if (link != NULL)
        (void)make_room(p, link);
}

/* What each worker may have though others starve. */
static uint32_t part_of(const struct gw_places *p)
{
    return p->most / p->links->workers;
}

static void give_up_busy(struct gw_places *p)
{
    struct gw_link *link;

    while (p->taken > part_of(p) + p->leaving && (link = find_busy(p)) != NULL)
        if (!make_room(p, link))
            return;
}

void gw_places_idle(struct gw_link *link)
{
    struct gw_places *p = link->upstream->places;

    if (atomic_load_explicit(&p->ceiling->wanted, memory_order_relaxed) > 0 && !is_leaving(link))
        (void)make_room(p, link);
}

/* ---- taking and waiting ---- */

/* What it gave up for those is not taken back at once. */
static bool is_for_others(const struct gw_places *p)
{
    return p->starved == 0 && p->taken >= part_of(p) && atomic_load(&p->ceiling->starved) > 0;
}

bool gw_places_take(struct gw_upstream *u)
{
    struct gw_places *p = u->places;

    if (!gw_list_is_empty(&p->line) && p->line.next != &u->in_line)
        return false;
    if (is_for_others(p) || !gw_ceiling_take(p->ceiling, p->most))
        return false;
    p->taken++;
    if (gw_list_is_linked(
            &u->in_line)) { /* who lacks more of them stands behind who has had none */
        gw_list_remove(&u->in_line);
        gw_list_push_back(&p->line, &u->in_line);
    }
    return true;
}

static void call_others(const struct gw_places *p)
{
    p->links->call_others(p->links->worker);
}

void gw_places_give(struct gw_places *p)
{
    GW_ASSERT(p->taken > 0);
    p->taken--;
    if (gw_ceiling_give(p->ceiling) && atomic_load(&p->ceiling->wanted) > p->wanted)
        call_others(p);
}

/* Those that it lacks of its part. */
static void starve(struct gw_places *p)
{
    uint32_t part = part_of(p) > 0 ? part_of(p) : 1, lacks = p->taken < part ? part - p->taken : 0;

    gw_ceiling_change(&p->ceiling->starved, &p->starved, lacks < p->wanted ? lacks : p->wanted);
}

static void want(struct gw_places *p, uint32_t wanted)
{
    gw_ceiling_change(&p->ceiling->wanted, &p->wanted, wanted);
    if (p->starved > 0)
        starve(p);
    if (wanted == 0) {
        gw_timer_cancel(p->links->wheel, &p->again.timer);
    } else if (!gw_timer_is_set(&p->again.timer)) {
        gw_timer_set(p->links->wheel, &p->again.timer, p->links->now + AGAIN_NS);
    }
}

bool gw_places_want(struct gw_upstream *u, uint32_t lacks)
{
    struct gw_places *p = u->places;
    uint32_t before = u->lacks;

    if (lacks == before)
        return false;
    u->lacks = lacks;
    if (lacks == 0)
        gw_list_remove(&u->in_line);
    else if (before == 0)
        gw_list_push_back(&p->line, &u->in_line);
    want(p, p->wanted + lacks - before);
    return lacks > before;
}

void gw_places_ask(struct gw_places *p)
{
    close_idle(p);
    call_others(p);
}

void gw_places_serve(struct gw_places *p)
{
    for (struct gw_list *node = p->line.next, *next; node != &p->line; node = next) {
        next = node->next;
        gw_upstream_serve(GW_CONTAINER(node, struct gw_upstream, in_line));
    }
}

/* Others are called anew: since then connections of theirs may have come to rest unseen, and who starves
 * is known only now. */
static void ring(struct gw_alarm *alarm)
{
    struct gw_places *p = GW_CONTAINER(alarm, struct gw_places, again);

    gw_places_serve(p);
    starve(p);
    want(p, p->wanted);
    if (p->wanted == 0)
        return;
    relieve_first(p);
    gw_places_ask(p);
}

void gw_places_left(struct gw_places *p, const struct gw_link *link)
{
    gw_places_give(p); /* first: else one more might be given up in its place */
    if (link->makes_room)
        gw_ceiling_change(&p->ceiling->leaving, &p->leaving, p->leaving - 1);
}

void gw_places_called(struct gw_upstreams *pool)
{
    for (struct gw_list *node = pool->places.next; node != &pool->places; node = node->next) {
        struct gw_places *p = GW_CONTAINER(node, struct gw_places, node);
        if (atomic_load(&p->ceiling->wanted) > p->wanted)
            close_idle(p);
        if (atomic_load(&p->ceiling->starved) > p->starved)
            give_up_busy(p);
        gw_places_serve(p);
    }
}
