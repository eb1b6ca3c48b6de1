/* link/link.c: the life of a link: made, armed, ended, freed; what it wants, and its deadline. Bytes
 * are moved in conn.c, reports of the host are taken in report.c. */

#include "link/link.h"

#include <string.h>

#include "base/assert.h"
#include "base/wipe.h"
#include "h1/h1.h"
#include "link/conn.h"
#include "link/pool.h"
#include "link/slot.h"

enum { LINK_MAGIC = 0x4c696e6b, LINK_GONE = 0x476f6e65 };

_Static_assert(sizeof(void *) > 8 || sizeof(struct gw_link) <= 400, "what an idle client costs");

#define ENDING_NS GW_MS(5000)
#define LINGER_NS GW_MS(2000)
/* What a draining client may need to learn of it, or to send its first bytes. */
#define LAST_CALL_NS GW_MS(1000)

static void ring(struct gw_alarm *alarm);

void gw_links_init(struct gw_links *links)
{
    gw_slab_init(&links->slab, links->heap, sizeof(struct gw_link), links->limits->links_max);
    gw_h1_cells_init(&links->h1, links->heap, links->limits->links_max);
    gw_slab_init(&links->slots, links->heap, sizeof(struct gw_slot), links->limits->links_max);
    gw_list_init(&links->all);
    gw_list_init(&links->readable);
    gw_list_init(&links->dirty);
    gw_list_init(&links->starving);
    gw_list_init(&links->line);
    links->line_until = GW_NEVER;
    gw_list_init(&links->notices);
    gw_list_init(&links->dead);
}

/* ---- life ---- */

static void free_link(struct gw_link *link)
{
    struct gw_links *links = link->links;

    GW_ASSERT(link->magic == LINK_MAGIC);
    links->above->gone(link);
    if (link->upstream != NULL)
        gw_upstream_left(link);
    gw_conn_fini(link);
    gw_link_take_back_rooms(link);
    gw_chain_clear(&link->rx);
    gw_chain_clear(&link->tx);
    gw_slot_give(link);
    gw_link_free_kept(link);
    gw_link_free_facts(link);
    gw_timer_cancel(links->wheel, &link->alarm.timer);
    gw_list_remove(&link->all);
    gw_list_remove(&link->readable);
    gw_list_remove(&link->dirty);
    gw_list_remove(&link->notice);
    gw_list_remove(&link->starving);
    links->count--;
    gw_stats_set(links->stats, GW_STAT_LINKS_OPEN, links->count);
    link->magic = LINK_GONE;
    gw_slab_give(&links->slab, link);
}

void gw_links_fini(struct gw_links *links)
{
    struct gw_list *node;

    gw_links_reap(links); /* closed by a hook while the worker was being freed */
    while ((node = links->all.next) != &links->all)
        free_link(GW_CONTAINER(node, struct gw_link, all));
    GW_ASSERT(links->count == 0);
    gw_slab_fini(&links->slab);
    gw_slab_fini(&links->h1);
    gw_slab_fini(&links->slots);
    if (links->tls_scratch != NULL)
        gw_wipe(links->tls_scratch, GW_TLS_SCRATCH);
    gw_heap_release(links->heap, links->tls_scratch, GW_TLS_SCRATCH);
    links->tls_scratch = NULL;
}

static struct gw_link *make_link(struct gw_links *links, enum gw_link_phase phase)
{
    struct gw_link *link;

    if (links->count >= links->limits->links_max)
        return NULL;
    link = gw_slab_take(&links->slab);
    if (link == NULL)
        return NULL;
    memset(link, 0, sizeof *link);
    link->magic = LINK_MAGIC;
    link->links = links;
    link->phase = (uint8_t)phase;
    link->rooms_wish = 1;
    link->id = ++links->ids;
    link->active = links->now;
    link->final_at = link->until = GW_NEVER;
    gw_chain_init(&link->rx, links->pool);
    gw_chain_init(&link->tx, links->pool);
    gw_list_init(&link->readable);
    gw_list_init(&link->dirty);
    gw_list_init(&link->notice);
    gw_list_init(&link->starving);
    gw_list_push_back(&links->all, &link->all);
    gw_timer_init(&link->alarm.timer);
    link->alarm.ring = ring;
    links->count++;
    gw_stats_set(links->stats, GW_STAT_LINKS_OPEN, links->count);
    return link;
}

/* All of it or nothing: who accepts can try again. */
static gw_status take_early(struct gw_link *link, gw_const_span early)
{
    if (early.len > GW_LINK_ROOMS_MAX * (size_t)link->links->pool->block_bytes)
        return GW_ELIMIT;
    return gw_slot_take(link) ? gw_chain_write(&link->rx, early.ptr, early.len) : GW_ENOMEM;
}

gw_status gw_links_accept(struct gw_links *links, const gw_accept_spec *spec, uint32_t protocols,
                          gw_tls *tls, struct gw_link **out)
{
    const struct gw_link_security security = { .tls = tls };
    struct gw_link *link = make_link(links, GW_LINK_OPEN);
    gw_status status = GW_OK;

    if (link == NULL) {
        gw_stats_add(links->stats, GW_STAT_LINKS_REFUSED, 1);
        return links->count >= links->limits->links_max ? GW_ELIMIT : GW_ENOMEM;
    }
    link->user = spec->user;
    link->io = spec->io;
    link->protocols = protocols & GW_PROTO_ALL;
    if (spec->facts != NULL)
        status = gw_link_set_facts(link, spec->facts);
    if (status == GW_OK)
        status = gw_conn_init(link, &security);
    if (status == GW_OK && (spec->flags & GW_ACCEPT_RETURN) != 0)
        status = gw_link_keep_heads(link);
    if (status == GW_OK && spec->early.len > 0)
        status = take_early(link, spec->early);
    if (status != GW_OK) {
        free_link(link);
        return status;
    }
    gw_stats_add(links->stats, GW_STAT_LINKS_ACCEPTED, 1);
    gw_trace_event(links->trace, links->now, GW_TRACE_LINK_ACCEPT, link->id, links->count, 0);
    link->is_fresh = true;
    gw_link_mark_readable(link);
    gw_link_mark_dirty(link);
    *out = link;
    return GW_OK;
}

gw_status gw_links_connect(struct gw_links *links, struct gw_upstream *upstream, gw_nanos timeout,
                           struct gw_link **out)
{
    const struct gw_link_security security = { upstream->tls, upstream->tls_name, &upstream->kept };
    struct gw_link *link = make_link(links, GW_LINK_CONNECTING);
    gw_status status;

    if (link == NULL)
        return links->count >= links->limits->links_max ? GW_ELIMIT : GW_ENOMEM;
    link->is_client = true;
    link->is_probe = upstream->spec.is_probe;
    gw_list_init(&link->role.pooled);
    link->upstream = upstream;
    link->protocols = upstream->spec.protocol & GW_PROTO_ALL;
    link->idle_timeout = upstream->spec.idle_timeout;
    status = gw_conn_init(link, &security);
    if (status != GW_OK) {
        link->upstream = NULL;
        free_link(link);
        return status;
    }
    link->until = timeout == GW_NEVER ? GW_NEVER : links->now + timeout;
    gw_trace_event(links->trace, links->now, GW_TRACE_LINK_CONNECT, link->id, links->count, 0);
    gw_link_mark_dirty(link);
    gw_link_rearm(link);
    *out = link;
    return GW_OK;
}

void gw_link_mark_readable(struct gw_link *link)
{
    if (!gw_list_is_linked(&link->readable))
        gw_list_push_back(&link->links->readable, &link->readable);
}

void gw_link_mark_dirty(struct gw_link *link)
{
    if (!gw_list_is_linked(&link->dirty))
        gw_list_push_back(&link->links->dirty, &link->dirty);
}

void gw_link_mark_starving(struct gw_link *link)
{
    struct gw_links *links = link->links;

    if (gw_list_is_linked(&link->starving)) /* or in line: then it is read and written after that */
        return;
    if (gw_list_is_empty(&links->starving)) {
        links->starving_until = links->now + GW_LINK_STARVING_NS;
        links->starving_since = links->pool->returns;
    }
    gw_list_push_back(&links->starving, &link->starving);
}

bool gw_link_is_valid(const gw_link *l)
{
    if (GW_LIKELY(l != NULL && l->magic == LINK_MAGIC))
        return !gw_misuse_is_stray(l->links->misuse);
    if (l != NULL && l->magic == LINK_GONE) /* its cell lives as long as the worker */
        gw_misuse_note(l->links->misuse, GW_MISUSE_LINK_GONE);
    return false;
}

bool gw_link_has_unread(const struct gw_link *link)
{
    return !gw_chain_is_empty(&link->rx) ||
           (link->tls != NULL && link->tls->engine->ops->is_amid(link->tls->engine));
}

bool gw_link_is_idle(const struct gw_link *link)
{
    const struct gw_codec *codec = link->codec;

    return (codec == NULL || (codec->streams == 0 && !codec->is_head_pending &&
                              gw_list_is_empty(&codec->flushing))) &&
           !gw_link_has_unread(link) && gw_chain_is_empty(&link->tx);
}

/* ---- what TLS has to say ---- */

const char *gw_link_fault(const struct gw_link *link)
{
    const char *fault = link->tls != NULL ? link->tls->engine->ops->fault(link->tls->engine) : "";

    if (fault[0] != '\0')
        return fault;
    return link->tls != NULL ? link->tls->fault : NULL;
}

/* One line for people: what the access log cannot say, for there is no request. */
static void tell_fault(struct gw_link *link, const char *fault)
{
    char line[GW_LOG_LINE_MAX];
    struct gw_text text;

    if (link->tls->is_fault_told)
        return;
    link->tls->is_fault_told = true;
    gw_stats_add(link->links->stats, GW_STAT_TLS_FAILED, 1);
    if (!gw_log_wants(link->links->log, GW_LOG_WARN))
        return;
    gw_text_init(&text, line, sizeof line);
    gw_text_cstr(&text, fault);
    gw_text_cstr(&text, link->is_client ? ", upstream " : ", peer ");
    gw_text_str(&text, link->is_client ? link->upstream->address : gw_link_peer(link));
    gw_log_line(link->links->log, link->links->now, GW_LOG_WARN, "link.tls_failed", line);
}

void gw_link_tell_fault(struct gw_link *link)
{
    const char *fault = gw_link_fault(link);

    if (fault != NULL)
        tell_fault(link, fault);
}

/* ---- the deadline ---- */

static bool is_shaking_hands(const struct gw_link *link)
{
    return link->tls != NULL && !link->tls->is_told;
}

static gw_nanos open_deadline_of(const struct gw_link *link)
{
    bool is_waiting;

    is_waiting = link->codec == NULL ? gw_link_has_unread(link) || is_shaking_hands(link)
                                     : link->codec->is_head_pending;
    if (!link->is_client && is_waiting && !link->is_head_late && link->head_timeout != GW_NEVER)
        return link->head_since + link->head_timeout;
    if (link->codec != NULL && link->codec->streams > 0)
        return GW_NEVER;
    if (!link->is_client && gw_link_has_unread(link) && link->head_timeout != GW_NEVER)
        return (link->active > link->head_since ? link->active : link->head_since) +
               link->head_timeout; /* read, but not taken in: for want of memory, or of more of a record */
    return link->idle_timeout == GW_NEVER ? GW_NEVER : link->active + link->idle_timeout;
}

/* When something must happen though no byte moves. */
static gw_nanos deadline_of(const struct gw_link *link)
{
    gw_nanos when;

    switch ((enum gw_link_phase)link->phase) {
    case GW_LINK_CONNECTING:
    case GW_LINK_SECURING:
    case GW_LINK_ENDING:
    case GW_LINK_LINGERING:
        return link->until;
    case GW_LINK_RETURNING:
    case GW_LINK_CLOSING:
        return GW_NEVER;
    case GW_LINK_OPEN:
        break;
    }
    if (!link->is_client && link->is_in_line && link->head_timeout != GW_NEVER)
        when = link->head_since + link->head_timeout;
    else
        when = open_deadline_of(link);
    if (GW_UNLIKELY(link->until < when) && link->age != GW_AGE_NONE)
        when = link->until;
    return when < link->final_at ? when : link->final_at;
}

void gw_link_stamp(struct gw_link *link)
{
    if (link->is_fresh) {
        link->head_since = link->links->now;
        gw_link_begin_age(link);
    }
    if ((link->is_fresh && link->codec == NULL) || link->is_moved)
        link->active = link->links->now;
    link->is_fresh = link->is_moved = false;
}

void gw_link_rearm(struct gw_link *link)
{
    gw_nanos when = deadline_of(link);

    if (when < link->alarm.timer.when)
        gw_timer_set(link->links->wheel, &link->alarm.timer, when);
}

static void timed_out(struct gw_link *link)
{
    switch ((enum gw_link_phase)link->phase) {
    case GW_LINK_CONNECTING:
    case GW_LINK_SECURING:
        if (link->phase == GW_LINK_SECURING)
            tell_fault(link, "the handshake took too long");
        gw_upstream_connect_failed(link, GW_REASON_upstream_connect_timeout, GW_ETIMEDOUT);
        gw_link_lose(link, GW_ETIMEDOUT);
        return;
    case GW_LINK_OPEN:
        if (link->final_at <= link->links->now && !gw_conn_is_over(link)) {
            gw_link_finish_drain(link);
            return;
        }
        if (GW_UNLIKELY(link->until <= link->links->now) && link->age != GW_AGE_NONE) {
            gw_link_get_older(link);
            return;
        }
        if (link->codec != NULL && link->codec->state == GW_CODEC_OPEN) {
            link->codec->ops->drain(link->codec, true); /* HTTP/2 says GOAWAY */
            gw_link_mark_dirty(link);
        }
        link->is_head_late = link->codec != NULL && link->codec->is_head_pending;
        if (is_shaking_hands(link))
            tell_fault(link, "the handshake took too long");
        /* A head that has begun is ended by its exchange's deadline; what is left is idle. */
        if (link->codec == NULL || link->codec->streams == 0)
            gw_link_end(link);
        return;
    case GW_LINK_ENDING:
    case GW_LINK_LINGERING:
        gw_link_lose(link, GW_ETIMEDOUT);
        return;
    case GW_LINK_RETURNING:
    case GW_LINK_CLOSING:
        return;
    }
}

static void ring(struct gw_alarm *alarm)
{
    struct gw_link *link = GW_CONTAINER(alarm, struct gw_link, alarm);

    gw_link_stamp(link);
    if (deadline_of(link) <= link->links->now)
        timed_out(link);
    gw_link_rearm(link);
}

/* ---- ending ---- */

/* One line for people, with what the access log cannot say: which peer, and what it did too much of. */
void gw_link_calmed(struct gw_link *link)
{
    char line[GW_LOG_LINE_MAX];
    struct gw_text text;

    if (link->is_calmed)
        return;
    link->is_calmed = true;
    gw_stats_add(link->links->stats, GW_STAT_LINKS_CALMED, 1);
    if (!gw_log_wants(link->links->log, GW_LOG_WARN))
        return;
    gw_text_init(&text, line, sizeof line);
    gw_text_cstr(&text, "too much work of no use: ");
    gw_text_cstr(&text, gw_abuse_text(link->codec->abuse.kind));
    if (gw_link_peer(link).len > 0) {
        gw_text_cstr(&text, ", peer ");
        gw_text_str(&text, gw_link_peer(link));
    }
    gw_log_line(link->links->log, link->links->now, GW_LOG_WARN, "link.calmed", line);
}

bool gw_link_close_engine(struct gw_link *link)
{
    if (link->tls == NULL || link->tls->is_closing)
        return true;
    link->tls->is_closing = true;
    link->tls->engine->ops->close(link->tls->engine);
    gw_link_mark_dirty(link);
    return false;
}

void gw_link_end(struct gw_link *link)
{
    if (link->phase >= GW_LINK_ENDING)
        return;
    link->phase = GW_LINK_ENDING;
    link->until = link->links->now + ENDING_NS;
    (void)gw_link_close_engine(link);
    gw_link_forget_head(link);
    if (link->upstream != NULL)
        gw_upstream_changed(link);
    gw_link_mark_dirty(link);
    gw_link_rearm(link);
}

void gw_link_hurry(struct gw_link *link)
{
    if (link->final_at != GW_NEVER)
        return;
    link->final_at = link->links->now + ENDING_NS;
    gw_link_rearm(link);
}

void gw_link_linger(struct gw_link *link)
{
    link->phase = GW_LINK_LINGERING;
    link->until = link->links->now + LINGER_NS;
    gw_link_mark_readable(link);
    gw_link_rearm(link);
}

void gw_link_lose(struct gw_link *link, gw_status why)
{
    if (link->phase == GW_LINK_CLOSING)
        return;
    link->phase = GW_LINK_CLOSING;
    link->is_lost = true;
    link->is_lost_short = gw_status_category(why) == GW_CAT_LIMIT;
    gw_trace_event(link->links->trace, link->links->now, GW_TRACE_LINK_CLOSE, link->id, 0, 0);
    gw_conn_lost(link, why);
    if (link->upstream != NULL)
        gw_upstream_changed(link);
    gw_link_mark_dirty(link);
}

/* What comes in the next moment is served. */
static void call_last(struct gw_link *link)
{
    if (link->final_at != GW_NEVER || (link->codec != NULL && link->codec->state != GW_CODEC_OPEN))
        return;
    link->final_at = link->links->now + LAST_CALL_NS;
    gw_link_rearm(link);
}

void gw_link_drain_codec(struct gw_link *link)
{
    bool has_last_call = !link->is_client && link->protocol == GW_PROTO_H2;

    if (has_last_call)
        call_last(link);
    else
        link->final_at = GW_NEVER;
    link->codec->ops->drain(link->codec, !has_last_call);
    gw_link_mark_dirty(link);
    if (!has_last_call && gw_link_is_idle(link))
        gw_link_end(link);
}

void gw_link_drain(struct gw_link *link)
{
    bool is_new = link->protocol == 0; /* nothing has come of it yet */

    if (link->phase != GW_LINK_OPEN)
        return;
    if (is_new || gw_link_has_unread(link)) {
        link->is_drain_due = true; /* once there is a codec, and it has seen what is there */
        if (is_new)
            call_last(link);
        gw_link_mark_readable(link);
    } else if (link->codec == NULL) {
        gw_link_end(link);
    } else {
        gw_link_drain_codec(link);
    }
}

void gw_link_retire(struct gw_link *link)
{
    if (link->phase == GW_LINK_OPEN && link->protocol == GW_PROTO_H1 && gw_link_is_idle(link))
        call_last(link);
    else
        gw_link_drain(link);
}

void gw_link_finish_drain(struct gw_link *link)
{
    link->final_at = GW_NEVER;
    if (link->phase != GW_LINK_OPEN)
        return;
    if (link->codec != NULL)
        link->codec->ops->drain(link->codec, true);
    gw_link_mark_dirty(link);
    if (link->codec == NULL && gw_link_is_idle(link))
        gw_link_end(link);
}

static void bury(struct gw_link *link)
{
    if (link->codec != NULL && link->codec->streams > 0)
        return; /* their exchanges were told; they detach first */
    gw_list_remove(&link->all);
    gw_list_push_back(&link->links->dead, &link->all);
}

void gw_link_bury(struct gw_link *link)
{
    if (link->is_closed)
        bury(link);
}

void gw_links_reap(struct gw_links *links)
{
    struct gw_list *node;

    while ((node = links->dead.next) != &links->dead)
        free_link(GW_CONTAINER(node, struct gw_link, all));
}

void gw_links_feed(struct gw_links *links)
{
    struct gw_list *node;

    gw_slots_feed(links);
    if (gw_list_is_empty(&links->starving))
        return;
    if (links->pool->returns == links->starving_since && links->now < links->starving_until)
        return;
    while ((node = gw_list_pop_front(&links->starving)) != NULL) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, starving);
        gw_link_mark_readable(link);
        gw_link_mark_dirty(link);
    }
}

/* ---- streams ---- */

void gw_link_advance(struct gw_link *link, struct gw_stream *s)
{
    if (s->codec == NULL || link->is_lost)
        return;
    link->codec->ops->advance(link->codec, s);
    gw_link_mark_dirty(link);
    if (!gw_chain_is_empty(&link->rx) || (link->tls != NULL && link->tls->in.len > 0) ||
        link->is_read_ended)
        gw_link_mark_readable(link);
}

void gw_link_reset(struct gw_link *link, struct gw_stream *s, uint32_t h2_code)
{
    if (s->codec == NULL || link->is_lost)
        return;
    link->codec->ops->reset(link->codec, s, h2_code);
    gw_link_mark_dirty(link);
}

void gw_link_detach(struct gw_link *link, struct gw_stream *s)
{
    bool was_pending;

    if (s->codec == NULL)
        return;
    was_pending = link->codec->is_head_pending;
    gw_list_remove(&s->flushing);
    link->codec->ops->detach(link->codec, s);
    GW_ASSERT(s->codec == NULL);
    if (link->codec->is_head_pending && !was_pending)
        link->head_since = link->links->now; /* of what is left of its request */
    link->active = link->links->now;
    gw_link_mark_readable(link); /* a request may have waited behind it, or the end */
    gw_link_mark_dirty(link);
    if (link->upstream != NULL)
        gw_upstream_changed(link);
    gw_link_bury(link);
}

gw_status gw_link_open_stream(struct gw_link *link, struct gw_stream *s, struct gw_reserve *gift)
{
    gw_status status = gw_slot_take_gift(link, gift);

    if (status == GW_OK)
        status = link->codec->ops->open(link->codec, s);
    if (status != GW_OK)
        return status;
    if (link->requests++ > 0)
        gw_stats_add(link->links->stats, GW_STAT_UPSTREAM_REUSED, 1);
    gw_link_mark_dirty(link);
    return GW_OK;
}

void gw_link_tell_unsent(struct gw_link *link, struct gw_stream *s)
{
    s->fault = link->is_lost_short ? GW_REASON_no_memory : GW_REASON_client_reset;
    s->news |= GW_NEWS_CUT;
    link->links->above->changed(link, s);
}

bool gw_link_is_flushed(struct gw_link *link, struct gw_stream *s)
{
    if (link->codec->flushed >= s->out_mark)
        return true;
    if (link->is_lost)
        gw_link_tell_unsent(link, s);
    else if (!gw_list_is_linked(&s->flushing))
        gw_list_push_back(&link->codec->flushing, &s->flushing);
    return false;
}
