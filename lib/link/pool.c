/* link/pool.c: upstream connections: reuse, order of waiters, when one more is made. */

#include "link/pool.h"

#include <string.h>

#include "base/assert.h"
#include "link/conn.h"

/* Between a connection that could not be made and the next try, while others serve. */
#define AGAIN_NS GW_MS(100)

static void ring(struct gw_alarm *alarm);

void gw_upstreams_init(struct gw_upstreams *pool, struct gw_links *links, uint64_t seed)
{
    pool->links = links;
    gw_map_init(&pool->by_key, links->heap, seed);
    gw_list_init(&pool->places);
}

static void free_upstream(struct gw_upstream *u)
{
    struct gw_heap *heap = u->links->heap;

    if (u->places != NULL)
        gw_places_leave(u);
    gw_timer_cancel(u->links->wheel, &u->again.timer);
    gw_heap_release_str(heap, u->key);
    gw_tls_kept_drop(&u->kept);
    gw_tls_unref(u->tls);
    gw_heap_release(heap, u, sizeof *u);
}

void gw_upstreams_fini(struct gw_upstreams *pool)
{
    const struct gw_map_entry *entry;
    uint32_t at = 0;

    while ((entry = gw_map_next(&pool->by_key, &at)) != NULL)
        free_upstream(entry->value);
    gw_map_fini(&pool->by_key);
}

/* ---- identity ---- */

enum { KEY_MAX = 1024, PROBE = 4 };

/* "2 cluster endpoint address", and under TLS " name settings": none of them has spaces. Probes have numbers
 * of their own. The same key: the same connections, through any number of configurations. Empty: it is
 * too long. */
static gw_str key_of(const struct gw_upstream_spec *spec, char text[KEY_MAX])
{
    struct gw_text t;

    if (spec->cluster.len + spec->endpoint.len + spec->address.len + spec->tls_name.len + 48 >=
        KEY_MAX)
        return (gw_str){ text, 0 };
    gw_text_init(&t, text, KEY_MAX);
    gw_text_u64(&t, spec->protocol + (spec->is_probe ? PROBE : 0));
    gw_text_cstr(&t, " ");
    gw_text_str(&t, spec->cluster);
    gw_text_cstr(&t, " ");
    gw_text_str(&t, spec->endpoint);
    gw_text_cstr(&t, " ");
    gw_text_str(&t, spec->address);
    if (spec->tls != NULL) {
        gw_text_cstr(&t, " ");
        gw_text_str(&t, spec->tls_name);
        gw_text_cstr(&t, " ");
        gw_text_u64(&t, spec->tls->id[0]);
        gw_text_cstr(&t, ".");
        gw_text_u64(&t, spec->tls->id[1]);
    }
    return gw_cstr(text);
}

static struct gw_upstream *make_upstream(struct gw_upstreams *pool,
                                         const struct gw_upstream_spec *spec, gw_str key)
{
    struct gw_heap *heap = pool->links->heap;
    struct gw_upstream *u = gw_heap_zalloc(heap, sizeof *u);
    size_t at;

    if (u == NULL)
        return NULL;
    u->links = pool->links;
    u->pool = pool;
    gw_list_init(&u->open);
    gw_list_init(&u->waiters);
    gw_list_init(&u->member);
    gw_list_init(&u->in_line);
    gw_timer_init(&u->again.timer);
    u->again.ring = ring;
    if (gw_heap_copy(heap, key, &u->key) != GW_OK ||
        (spec->ceiling != NULL && gw_places_join(pool, u, spec->ceiling) != GW_OK) ||
        gw_map_put(&pool->by_key, u->key, u) != GW_OK) {
        free_upstream(u);
        return NULL;
    }
    u->cluster = gw_str_slice(u->key, 2, 2 + spec->cluster.len);
    at = 3 + spec->cluster.len;
    u->endpoint = gw_str_slice(u->key, at, at + spec->endpoint.len);
    at += spec->endpoint.len + 1;
    u->address = gw_str_slice(u->key, at, at + spec->address.len);
    if (spec->tls != NULL) {
        at += spec->address.len + 1;
        u->tls_name = gw_str_slice(u->key, at, at + spec->tls_name.len);
        u->tls = gw_tls_ref(spec->tls);
    }
    return u;
}

static void change_ages(struct gw_upstream *u, const struct gw_upstream_spec *was)
{
    for (struct gw_list *node = u->open.next; node != &u->open; node = node->next)
        gw_link_change_age(GW_CONTAINER(node, struct gw_link, role.pooled), was->age,
                           was->age_jitter, u->spec.age, u->spec.age_jitter);
}

static void tell_one(atomic_uint *count, uint32_t *told, uint32_t n)
{
    if (*told != n)
        atomic_fetch_add_explicit(count, n - *told, memory_order_relaxed);
    *told = n;
}

/* Who is led to by nobody counts no more. */
static void tell(struct gw_upstream *u)
{
    bool is_led_to = u->refs > 0;

    if (u->spec.open_count == NULL)
        return;
    tell_one(u->spec.open_count, &u->open_told, is_led_to ? u->links_count - u->connecting : 0);
    tell_one(u->spec.connecting_count, &u->connecting_told, is_led_to ? u->connecting : 0);
    if (!is_led_to)
        u->spec.open_count = u->spec.connecting_count = NULL;
}

/* One more reference, and the newest configuration's bounds. */
static struct gw_upstream *hold(struct gw_upstream *u, const struct gw_upstream_spec *spec)
{
    const struct gw_upstream_spec was = u->spec;

    /* Of that name there is one pair of counts as long as anybody leads here. */
    GW_ASSERT(u->refs == 0 || u->spec.open_count == spec->open_count);
    u->spec.open_count = spec->open_count;
    u->spec.connecting_count = spec->connecting_count;
    GW_ASSERT(u->places == NULL || u->places->ceiling == spec->ceiling);
    if (u->places != NULL)
        gw_places_bound(u->places, spec->ceiling_most, spec->generation);
    if (u->refs++ == 0)
        tell(u);
    if (spec->generation < u->spec.generation)
        return u;
    u->spec = *spec;
    u->spec.address = u->address;
    u->spec.cluster = u->cluster;
    u->spec.endpoint = u->endpoint;
    if (was.age != spec->age || was.age_jitter != spec->age_jitter)
        change_ages(u, &was);
    return u;
}

struct gw_upstream *gw_upstream_find(struct gw_upstreams *pool, const struct gw_upstream_spec *spec)
{
    char text[KEY_MAX];
    struct gw_upstream *u = gw_map_find(&pool->by_key, key_of(spec, text));

    return u != NULL ? hold(u, spec) : NULL;
}

struct gw_upstream *gw_upstream_get(struct gw_upstreams *pool, const struct gw_upstream_spec *spec)
{
    char text[KEY_MAX];
    gw_str key = key_of(spec, text);
    struct gw_upstream *u = gw_map_find(&pool->by_key, key);

    if (u == NULL && key.len > 0)
        u = make_upstream(pool, spec, key);
    return u != NULL ? hold(u, spec) : NULL;
}

bool gw_upstream_is_wanted(const struct gw_upstream *u)
{
    return !gw_list_is_empty(&u->waiters);
}

static void free_unused(struct gw_upstream *u)
{
    if (u->refs > 0 || u->links_count > 0)
        return;
    GW_ASSERT(gw_list_is_empty(&u->waiters));
    gw_map_drop(&u->pool->by_key, u->key);
    free_upstream(u);
}

void gw_upstream_unref(struct gw_upstream *u)
{
    struct gw_list *node, *next;

    GW_ASSERT(u->refs > 0);
    if (--u->refs > 0)
        return;
    tell(u);
    for (node = u->open.next; node != &u->open; node = next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, role.pooled);
        next = node->next;
        gw_link_drain(link); /* no configuration leads here any more */
    }
    free_unused(u);
}

/* ---- serving ---- */

static bool is_usable(const struct gw_link *link)
{
    const struct gw_upstream *u = link->upstream;

    return link->phase == GW_LINK_OPEN && !link->is_read_ended && !link->is_lost &&
           !link->is_closed && !link->is_finishing && link->codec->state == GW_CODEC_OPEN &&
           link->requests < u->spec.requests_max && link->codec->streams < u->spec.streams_max &&
           link->codec->ops->can_open(link->codec);
}

/* Those that count. A stream may be as long as it likes: what is too old to take one more must not be in
 * the way of a new connection. */
static uint32_t links_of(const struct gw_upstream *u)
{
    return u->links_count - u->retired;
}

/* Where idle connections were closed once they will be again: a retry had better not meet another. */
static bool is_too_old(const struct gw_upstream *u, const struct gw_waiter *w,
                       const struct gw_link *link)
{
    return w->wants_fresh && link->requests > 0 && links_of(u) < u->spec.connections_max;
}

/* The best connection for one more stream; NULL: none can. All but HTTP/2: the idle one used last. HTTP/2: the
 * one with the fewest streams. Bounded by connections_max. */
static struct gw_link *find_link(struct gw_upstream *u, const struct gw_waiter *w)
{
    struct gw_link *best = NULL;

    for (struct gw_list *node = u->open.next; node != &u->open; node = node->next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, role.pooled);
        if (!is_usable(link))
            continue;
        if (u->spec.protocol != GW_PROTO_H2) {
            if (is_too_old(u, w, link))
                continue;
            return link;
        }
        if (best == NULL || link->codec->streams < best->codec->streams)
            best = link;
    }
    return best;
}

static void finish(struct gw_waiter *w, struct gw_link *link, gw_status status,
                   enum gw_reason_id reason)
{
    gw_list_remove(&w->node);
    w->link = link;
    w->status = status;
    w->reason = (uint16_t)reason;
    w->done(w);
}

/* That many waiters can be served by so many connections that are being made or still may be. */
static uint64_t served_by(const struct gw_upstream *u, uint32_t connections)
{
    return (uint64_t)connections * (u->spec.protocol != GW_PROTO_H2 ? 1 : u->spec.streams_max);
}

/* No further than it matters. */
static uint64_t count_waiters(const struct gw_upstream *u, uint64_t most)
{
    uint64_t n = 0;

    for (struct gw_list *node = u->waiters.next; node != &u->waiters && n < most; node = node->next)
        n++;
    return n;
}

static bool take_place(struct gw_upstream *u)
{
    u->is_short = u->places != NULL && !gw_places_take(u);
    return !u->is_short;
}

/* False: one more was needed and could not be made; those that are there must do. */
static bool make_links(struct gw_upstream *u)
{
    uint64_t waiting;

    u->is_short = false;
    if (links_of(u) >= u->spec.connections_max)
        return true;
    if (u->links_count > 0 && gw_timer_is_set(&u->again.timer))
        return false;
    waiting = count_waiters(u, served_by(u, u->connecting + u->spec.connections_max - links_of(u)));
    while (waiting > served_by(u, u->connecting) && links_of(u) < u->spec.connections_max) {
        struct gw_link *link;
        gw_status status;
        if (!take_place(u))
            return false;
        status = gw_links_connect(u->links, u, u->spec.connect_timeout, &link);
        if (status != GW_OK) {
            if (u->places != NULL)
                gw_places_give(u->places);
            /* Someone else's connection may still serve them; without any they would wait in vain. */
            if (u->links_count == 0)
                finish(GW_CONTAINER(u->waiters.next, struct gw_waiter, node), NULL, status,
                       GW_REASON_no_memory);
            return false;
        }
        u->links_count++;
        if (u->connecting++ == 0)
            u->connecting_since = u->links->now;
        tell(u);
    }
    return true;
}

/* Those that were choosy are no longer. False: nobody was. */
static bool settle_for_old(struct gw_upstream *u)
{
    bool any = false;

    for (struct gw_list *node = u->waiters.next; node != &u->waiters; node = node->next) {
        struct gw_waiter *w = GW_CONTAINER(node, struct gw_waiter, node);
        any = any || w->wants_fresh;
        w->wants_fresh = false;
    }
    return any;
}

static void serve_waiters(struct gw_upstream *u)
{
    struct gw_list *node, *next;

    for (node = u->waiters.next; node != &u->waiters; node = next) {
        struct gw_waiter *w = GW_CONTAINER(node, struct gw_waiter, node);
        struct gw_link *link = find_link(u, w);
        gw_status status;
        next = node->next;
        if (link == NULL && w->wants_fresh)
            continue; /* who does not mind need not wait behind it */
        if (link == NULL)
            break;
        if (w->stream == NULL) {
            finish(w, link, GW_OK, GW_REASON_none);
            continue;
        }
        w->prepare(w);
        status = gw_link_open_stream(link, w->stream, w->gift);
        if (status == GW_AGAIN)
            break;
        if (status == GW_OK && u->spec.protocol != GW_PROTO_H2) {
            gw_list_remove(&link->role.pooled); /* busy ones go to the back */
            gw_list_push_back(&u->open, &link->role.pooled);
        }
        finish(w, link, status, status == GW_OK ? GW_REASON_none : GW_REASON_no_memory);
    }
}

static void serve_once(struct gw_upstream *u)
{
    serve_waiters(u);
    if (!gw_list_is_empty(&u->waiters) && !make_links(u) && settle_for_old(u))
        serve_waiters(u);
}

/* So many connections more are needed and would be made, were it not for the ceiling. */
static uint32_t count_lacking(const struct gw_upstream *u)
{
    uint32_t room = u->spec.connections_max > links_of(u) ? u->spec.connections_max - links_of(u)
                                                          : 0;
    uint64_t waiting = count_waiters(u, served_by(u, u->connecting + room));
    uint64_t coming = served_by(u, u->connecting), each = served_by(u, 1);

    return waiting > coming ? (uint32_t)((waiting - coming + each - 1) / each) : 0;
}

/* True: it lacks more than were known of. */
static bool note_lack(struct gw_upstream *u)
{
    u->is_short = u->is_short && !gw_list_is_empty(&u->waiters);
    return gw_places_want(u, u->is_short ? count_lacking(u) : 0);
}

static bool is_lack_known(const struct gw_upstream *u)
{
    return GW_LIKELY(!u->is_short && u->lacks == 0);
}

/* Who wants a place asks once more when that is known: one that has come back before stays untold. */
static void serve(struct gw_upstream *u)
{
    serve_once(u);
    if (is_lack_known(u) || !note_lack(u))
        return;
    serve_once(u);
    (void)note_lack(u);
    if (u->lacks > 0)
        gw_places_ask(u->places);
}

void gw_upstream_serve(struct gw_upstream *u)
{
    serve(u);
}

static void ring(struct gw_alarm *alarm)
{
    serve(GW_CONTAINER(alarm, struct gw_upstream, again));
}

void gw_upstream_wait(struct gw_upstream *u, struct gw_waiter *w)
{
    gw_list_push_back(&u->waiters, &w->node);
    w->at = u;
    serve(u);
}

void gw_upstream_cancel(struct gw_waiter *w)
{
    if (!gw_list_is_linked(&w->node))
        return;
    gw_list_remove(&w->node);
    if (!is_lack_known(w->at))
        (void)note_lack(w->at);
}

/* ---- what happens to links ---- */

void gw_upstream_connected(struct gw_link *link)
{
    struct gw_upstream *u = link->upstream;

    GW_ASSERT(u->connecting > 0);
    u->connecting--;
    tell(u);
    link->is_in_pool = true;
    gw_list_push_front(&u->open, &link->role.pooled);
    serve(u);
    if (u->refs == 0)
        gw_link_drain(link); /* nobody leads here since it was begun */
}

static void connect_ended(struct gw_link *link)
{
    GW_ASSERT(link->upstream->connecting > 0);
    link->upstream->connecting--;
    tell(link->upstream);
    link->phase = GW_LINK_OPEN; /* counted no more as one that connects */
}

void gw_upstream_connect_given_up(struct gw_link *link)
{
    connect_ended(link);
    serve(link->upstream);
}

static void fail_first(struct gw_upstream *u, const struct gw_link *link, gw_status status,
                       enum gw_reason_id reason)
{
    struct gw_waiter *w = GW_CONTAINER(u->waiters.next, struct gw_waiter, node);

    w->fault = reason == GW_REASON_upstream_tls_failed ? gw_link_fault(link) : NULL;
    finish(w, NULL, status, reason);
}

/* All but HTTP/2: each connection was made for one waiter, and the oldest pays for it. HTTP/2: all that wait
 * when no other connection is there or coming; else they wait for those, or until it is tried again. */
static void fail_connect(struct gw_link *link, enum gw_reason_id reason, gw_status status)
{
    struct gw_upstream *u = link->upstream;

    connect_ended(link);
    gw_stats_add(link->links->stats, GW_STAT_LINKS_CONNECT_FAILED, 1);
    if (u->spec.protocol != GW_PROTO_H2 || u->spec.is_probe) {
        if (!gw_list_is_empty(&u->waiters))
            fail_first(u, link, status, reason);
        return;
    }
    if (u->connecting > 0 || !gw_list_is_empty(&u->open)) {
        gw_timer_set(u->links->wheel, &u->again.timer, u->links->now + AGAIN_NS);
        return;
    }
    while (!gw_list_is_empty(&u->waiters))
        fail_first(u, link, status, reason);
}

void gw_upstream_connect_failed(struct gw_link *link, enum gw_reason_id reason, gw_status status)
{
    struct gw_upstream *u = link->upstream;

    fail_connect(link, reason, status);
    if (!is_lack_known(u))
        (void)note_lack(u);
}

void gw_upstream_changed(struct gw_link *link)
{
    struct gw_upstream *u = link->upstream;

    if (!link->is_in_pool)
        return;
    if (is_usable(link)) {
        if (link->codec->streams == 0 && u->spec.protocol != GW_PROTO_H2) {
            gw_list_remove(&link->role.pooled); /* idle ones come first, the last used foremost */
            gw_list_push_front(&u->open, &link->role.pooled);
        }
        if (link->codec->streams == 0 && u->places != NULL && gw_list_is_empty(&u->waiters))
            gw_places_idle(link);
    } else if (link->codec->streams == 0 && link->phase == GW_LINK_OPEN) {
        if (link->requests >= u->spec.requests_max || link->codec->state != GW_CODEC_OPEN)
            gw_link_end(link);
    }
    if (!gw_list_is_empty(&u->waiters))
        serve(u);
}

/* All but HTTP/2: it has one more answer to give, and that is not long. */
void gw_upstream_retired(struct gw_link *link)
{
    struct gw_upstream *u = link->upstream;

    if (u->spec.protocol == GW_PROTO_H2)
        u->retired++;
    gw_link_drain(link);
    if (!gw_list_is_empty(&u->waiters))
        serve(u);
}

void gw_upstream_left(struct gw_link *link)
{
    struct gw_upstream *u = link->upstream;

    if (gw_link_is_connecting(link)) /* freed with its worker */
        u->connecting--;
    gw_list_remove(&link->role.pooled);
    link->is_in_pool = false;
    if (link->age >= GW_AGE_OLD && u->spec.protocol == GW_PROTO_H2)
        u->retired--;
    GW_ASSERT(u->links_count > u->retired);
    u->links_count--;
    tell(u);
    link->upstream = NULL;
    if (u->places != NULL)
        gw_places_left(u->places, link);
    if (!gw_list_is_empty(&u->waiters))
        serve(u);
    if (u->places != NULL)
        gw_places_serve(u->places);
    free_unused(u);
}
