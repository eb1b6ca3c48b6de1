/* exchange/exchange.c: the life of exchanges: begun by a client's stream, kept on lists, freed at the
 * reap. What happens in between is in run.c. */

#include "exchange/exchange.h"

#include <string.h>

#include "base/assert.h"
#include "link/slot.h"

enum { EXCHANGE_MAGIC = 0x45786368, EXCHANGE_GONE = 0x476f6e65 };

bool gw_exchange_is_valid(const struct gw_exchange *x)
{
    if (GW_LIKELY(x != NULL && x->magic == EXCHANGE_MAGIC))
        return !gw_misuse_is_stray(x->of->links->misuse);
    if (x != NULL && x->magic == EXCHANGE_GONE) /* its cell lives as long as the worker */
        gw_misuse_note(x->of->links->misuse, GW_MISUSE_EXCHANGE_GONE);
    return false;
}

static void *take_block(void *ctx, struct gw_arena *for_whom)
{
    struct gw_exchange *x = GW_CONTAINER(for_whom, struct gw_exchange, arena);
    struct gw_block *block = gw_block_take(ctx, &x->arena_reserve);

    if (block == NULL)
        return NULL;
    /* The chunk's last word remembers its block: the arena knows bytes only. */
    memcpy(block->bytes + block->size - sizeof block, &block, sizeof block);
    return block->bytes;
}

static void give_block(void *ctx, void *chunk)
{
    struct gw_pool *pool = ctx;
    struct gw_block *block;

    memcpy(&block, (char *)chunk + pool->block_bytes - sizeof block, sizeof block);
    gw_block_unref(block);
}

size_t gw_exchange_piece_max(const gw_limits *limits)
{
    return gw_arena_piece_max(limits->block_bytes - sizeof(void *));
}

gw_status gw_exchanges_init(struct gw_exchanges *all)
{
    gw_slab_init(&all->slab, all->links->heap, sizeof(struct gw_exchange),
                 all->limits->exchanges_max);
    gw_list_init(&all->all);
    gw_list_init(&all->runnable);
    gw_list_init(&all->dead);
    gw_list_init(&all->thirsty);
    gw_list_init(&all->calls);
    gw_probes_init(all);
    all->blocks = (struct gw_arena_source){ all->links->pool, take_block, give_block,
                                            all->limits->block_bytes - sizeof(void *) };
    if (gw_recorder_init(&all->recorder, all->links->heap, all->limits->records_max) != GW_OK)
        return GW_ENOMEM;
    return gw_waits_init(&all->waits, all->links->heap,
                         all->limits->exchanges_max * GW_ASKED_COUNT);
}

void gw_exchange_unbind(struct gw_exchanges *all, struct gw_binding *binding)
{
    struct gw_binding **at;

    GW_ASSERT(binding->users > 0);
    if (--binding->users > 0 || binding == all->binding)
        return;
    for (at = &all->old; *at != NULL; at = &(*at)->next) {
        if (*at == binding) {
            *at = binding->next;
            gw_recorder_leave(&all->recorder, binding);
            gw_binding_free(binding);
            return;
        }
    }
}

/* This and the next two are on every request's way: they stay a part of it. */
static inline void release(struct gw_exchange *x)
{
    struct gw_exchanges *all = x->of;

    GW_ASSERT(x->magic == EXCHANGE_MAGIC && x->phase == GW_PHASE_END);
    GW_ASSERT(x->down.codec == NULL && x->up.codec == NULL);
    gw_timer_cancel(all->links->wheel, &x->alarm.timer);
    gw_reply_forget_all(x);
    gw_show_end(x->shown_request);
    gw_show_end(x->shown_response);
    gw_pipe_fini(&x->request_pipe);
    gw_pipe_fini(&x->response_pipe);
    gw_replay_forget(x);
    gw_arena_fini(&x->arena);
    gw_reserve_end(&x->arena_reserve, all->links->pool);
    gw_reserve_end(&x->request_reserve, all->links->pool);
    gw_reserve_end(&x->response_reserve, all->links->pool);
    gw_reserve_end(&x->up_reserve, all->links->pool);
    gw_exchange_unbind(all, x->binding);
    x->magic = EXCHANGE_GONE;
    gw_slab_give(&all->slab, x);
}

static void free_exchange(struct gw_exchange *x)
{
    struct gw_exchanges *all = x->of;

    gw_list_remove(&x->all);
    gw_list_remove(&x->run);
    gw_list_remove(&x->thirsty);
    all->count--;
    gw_stats_set(all->stats, GW_STAT_EXCHANGES_OPEN, all->count);
    release(x);
}

void gw_exchange_release(struct gw_exchange *x)
{
    release(x);
}

void gw_exchanges_fini(struct gw_exchanges *all)
{
    struct gw_list *node;

    all->is_closing = true;
    gw_probes_fini(all);
    while ((node = all->all.next) != &all->all) {
        struct gw_exchange *x = GW_CONTAINER(node, struct gw_exchange, all);
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_gone, GW_ECANCELED);
        gw_exchange_finish(x);
        gw_exchanges_take_letters(all);
        gw_exchange_run(x);
    }
    gw_exchanges_reap(all);
    gw_recorder_fini(&all->recorder, all->links->heap);
    gw_slab_fini(&all->slab);
    gw_waits_fini(&all->waits);
}

struct gw_binding *gw_exchanges_leave_bindings(struct gw_exchanges *all)
{
    struct gw_binding *b, *current = all->binding;

    while ((b = all->old) != NULL) {
        all->old = b->next;
        gw_binding_reset(b);
        gw_binding_free(b);
    }
    all->binding = NULL;
    if (current != NULL)
        gw_binding_reset(current);
    return current;
}

void gw_exchanges_reap(struct gw_exchanges *all)
{
    struct gw_list *node;

    while ((node = all->dead.next) != &all->dead)
        free_exchange(GW_CONTAINER(node, struct gw_exchange, all));
}

/* Its sources look again whether there is room. */
static void quench(struct gw_exchange *x)
{
    if (x->down.codec != NULL)
        gw_link_advance(x->down_link, &x->down);
    if (x->up.codec != NULL)
        gw_link_advance(x->up_link, &x->up);
    x->wants_on_write = x->wants_on_write || x->is_origin_started;
    if (x->call != NULL)
        x->call->wants_on_write = true;
    gw_exchange_wake(x);
}

void gw_exchanges_feed(struct gw_exchanges *all)
{
    if (gw_list_is_empty(&all->thirsty) || all->links->pool->returns == all->thirsty_since)
        return;
    all->thirsty_since = all->links->pool->returns;
    for (struct gw_list *node = all->thirsty.next, *next; node != &all->thirsty; node = next) {
        struct gw_exchange *x = GW_CONTAINER(node, struct gw_exchange, thirsty);
        next = node->next;
        if (gw_exchange_is_short(x))
            continue;
        gw_list_remove(&x->thirsty);
        quench(x);
    }
}

/* ---- bindings ---- */

/* A client's connection is the newest configuration's from its next request on; at rest, at once. One
 * whose listener is gone serves what has begun, and closes. */
static void rebind(struct gw_exchanges *all, struct gw_link *link)
{
    const struct gw_codec *codec = link->codec;

    if (gw_config_find_listener(all->binding->config, link->listener->name) == NULL) {
        gw_link_retire(link);
        return;
    }
    if (codec != NULL && (codec->streams > 0 || codec->is_head_pending))
        return;
    if (gw_exchange_bind_link(all, link, link->listener->name) == GW_OK)
        gw_link_rearm(link);
}

static void rebind_links(struct gw_exchanges *all)
{
    struct gw_list *links = &all->links->all;

    for (struct gw_list *node = links->next, *next; node != links; node = next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, all);
        next = node->next;
        if (link->binding != NULL && link->phase == GW_LINK_OPEN)
            rebind(all, link);
    }
}

void gw_exchanges_adopt(struct gw_exchanges *all, struct gw_binding *binding)
{
    struct gw_binding *old = all->binding;

    if (old != NULL && binding->generation < old->generation) {
        gw_binding_free(binding); /* its thread was overtaken by that of a newer one */
        return;
    }
    all->binding = binding;
    for (uint32_t i = 0; i < binding->config->clusters_len; i++)
        all->links->has_tls_upstreams |= binding->config->clusters[i].tls != NULL;
    gw_probes_adopt(all, binding, old);
    if (old == NULL)
        return;
    gw_binding_inherit(binding, old, all->upstreams);
    old->next = all->old;
    all->old = old;
    old->users++; /* until here */
    rebind_links(all);
    gw_exchange_unbind(all, old);
}

gw_status gw_exchange_bind_link(struct gw_exchanges *all, struct gw_link *link, gw_str listener)
{
    struct gw_binding *before = link->binding;
    const struct gw_listener_conf *conf;

    if (all->binding == NULL)
        return GW_EUNKNOWN;
    conf = gw_config_find_listener(all->binding->config, listener);
    if (conf == NULL)
        return GW_EUNKNOWN;
    link->binding = all->binding;
    link->binding->users++;
    if (link->listener == NULL)
        gw_link_set_age(link, conf->age, conf->age_jitter);
    else if (link->listener->age != conf->age || link->listener->age_jitter != conf->age_jitter)
        gw_link_change_age(link, link->listener->age, link->listener->age_jitter, conf->age,
                           conf->age_jitter);
    link->listener = conf;
    link->head_timeout = conf->head_timeout;
    link->idle_timeout = conf->idle_timeout;
    if (before != NULL)
        gw_exchange_unbind(all, before); /* last: its listener was looked at */
    return GW_OK;
}

/* ---- the link's side ---- */

static struct gw_exchanges *of_link(const struct gw_link *link)
{
    return link->links->above_ctx;
}

static void init_exchange(struct gw_exchange *x, struct gw_exchanges *all,
                          struct gw_binding *binding, const struct gw_listener_conf *listener)
{
    memset(x, 0, offsetof(struct gw_exchange, down));
    x->magic = EXCHANGE_MAGIC;
    x->of = all;
    x->id = ++all->ids;
    x->kind = GW_EXCHANGE_HTTP;
    x->binding = binding;
    x->binding->users++;
    x->listener = listener;
    x->started = x->client_in = x->client_out = all->links->now;
    x->grpc_deadline = GW_NEVER;
    gw_list_init(&x->run);
    gw_list_init(&x->thirsty);
    gw_list_init(&x->waiter.node);
    gw_stream_init(&x->down);
    gw_stream_init(&x->up);
    gw_arena_init(&x->arena, x->cell, sizeof x->cell, &all->blocks,
                  4 * (size_t)all->limits->head_bytes_max + all->limits->exchange_bytes_max);
    gw_message_init(&x->request, GW_MESSAGE_REQUEST, &x->arena, all->limits->fields_max);
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, all->limits->fields_max);
    gw_message_init(&x->request_trailers, GW_MESSAGE_TRAILERS, &x->arena, all->limits->fields_max);
    gw_message_init(&x->response_trailers, GW_MESSAGE_TRAILERS, &x->arena, all->limits->fields_max);
    gw_pipe_init(&x->request_pipe, all->links->pool, all->limits->pipe_bytes_max);
    gw_pipe_init(&x->response_pipe, all->links->pool, all->limits->pipe_bytes_max);
    x->request_pipe.chain.reserve = &x->request_reserve;
    x->response_pipe.chain.reserve = &x->response_reserve;
    x->request_out = &x->request_pipe;
    x->response_out = &x->response_pipe;
    gw_timer_init(&x->alarm.timer);
    x->alarm.ring = gw_deadline_ring;
}

static inline struct gw_exchange *take_exchange(struct gw_exchanges *all,
                                                struct gw_binding *binding,
                                                const struct gw_listener_conf *listener)
{
    struct gw_exchange *x = gw_slab_take(&all->slab);

    if (x != NULL)
        init_exchange(x, all, binding, listener);
    return x;
}

static inline void begin_exchange(struct gw_exchange *x, uint64_t link)
{
    struct gw_exchanges *all = x->of;

    gw_list_push_back(&all->all, &x->all);
    all->count++;
    gw_stats_add(all->stats, GW_STAT_EXCHANGES, 1);
    gw_stats_set(all->stats, GW_STAT_EXCHANGES_OPEN, all->count);
    gw_trace_event(all->trace, all->links->now, GW_TRACE_EXCHANGE_BEGIN, x->id, link, 0);
    gw_exchange_wake(x); /* its deadline is armed */
}

struct gw_exchange *gw_exchange_new(struct gw_exchanges *all, struct gw_binding *binding,
                                    const struct gw_listener_conf *listener)
{
    return take_exchange(all, binding, listener);
}

void gw_exchange_begun(struct gw_exchange *x, uint64_t link)
{
    begin_exchange(x, link);
}

/* What the link has for its next exchange is this one's. */
static void admit(struct gw_exchange *x, struct gw_reserve *kit)
{
    gw_reserve_pass(&x->arena_reserve, kit, 1);
    gw_reserve_pass(&x->request_reserve, kit, 1);
    gw_reserve_pass(&x->response_reserve, kit, 1);
    gw_reserve_pass(&x->up_reserve, kit, kit->size);
}

/* What begins on a connection that is old, or that has had enough, is the last there: its answer says so. */
static inline void count_request(struct gw_link *link)
{
    uint32_t n = ++link->requests;

    if (GW_LIKELY(link->age < GW_AGE_OLD && n < link->listener->requests_max))
        return;
    if (n == link->listener->requests_max && link->age < GW_AGE_OLD)
        gw_stats_add(link->links->stats, GW_STAT_LINKS_RETIRED, 1);
    link->is_drain_due = link->is_drain_due || link->codec->state == GW_CODEC_OPEN;
}

static struct gw_stream *open_exchange(struct gw_link *link)
{
    struct gw_exchanges *all = of_link(link);
    struct gw_reserve *kit = gw_slot_kit(link);
    struct gw_exchange *x;

    if (kit == NULL)
        return NULL;
    if (link->binding != all->binding &&
        gw_exchange_bind_link(all, link, link->listener->name) != GW_OK)
        link->is_drain_due = true; /* its listener is gone: this one is served, then it closes */
    x = take_exchange(all, link->binding, link->listener);
    if (x == NULL)
        return NULL;
    x->down_link = link;
    x->filters = x->filters_met = link->binding->config->filters_on;
    admit(x, kit);
    count_request(link);
    x->down.in_head = &x->request;
    x->down.in_trailers = &x->request_trailers;
    x->down.in_pipe = &x->request_pipe;
    begin_exchange(x, link->id);
    return &x->down;
}

static struct gw_exchange *of_stream(const struct gw_link *link, struct gw_stream *s)
{
    return link->is_client ? GW_CONTAINER(s, struct gw_exchange, up)
                           : GW_CONTAINER(s, struct gw_exchange, down);
}

static void changed(struct gw_link *link, struct gw_stream *s)
{
    if (GW_UNLIKELY(link->is_probe))
        gw_probe_changed(s);
    else
        gw_exchange_wake(of_stream(link, s));
}

static struct gw_message *new_info(struct gw_link *link, struct gw_stream *s)
{
    struct gw_exchange *x = of_stream(link, s);
    struct gw_message *m;

    if (link->is_probe)
        return NULL; /* nobody is told of it */
    m = gw_arena_alloc(&x->arena, sizeof *m);
    if (m != NULL)
        gw_message_init(m, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    return m;
}

static void flushed(struct gw_stream *s)
{
    struct gw_exchange *x = GW_CONTAINER(s, struct gw_exchange, down);

    x->is_flushed = true;
    gw_exchange_wake(x);
}

static void gone(struct gw_link *link)
{
    if (link->binding != NULL)
        gw_exchange_unbind(of_link(link), link->binding);
    link->binding = NULL;
}

static gw_nanos grace(const struct gw_link *link)
{
    return link->listener->age_grace;
}

static void hold(struct gw_ceiling *ceiling, bool is_held)
{
    struct gw_cluster_state *state = GW_CONTAINER(ceiling, struct gw_cluster_state, connections);

    if (is_held) /* an edition refers to it */
        atomic_fetch_add_explicit(&state->shared.refs, 1, memory_order_relaxed);
    else
        gw_shared_unref(&state->shared);
}

const struct gw_link_above gw_exchange_above = {
    .open = open_exchange,
    .changed = changed,
    .new_info = new_info,
    .flushed = flushed,
    .gone = gone,
    .grace = grace,
    .hold = hold,
};

void gw_exchange_wake(struct gw_exchange *x)
{
    if (!gw_list_is_linked(&x->run))
        gw_list_push_back(&x->of->runnable, &x->run);
}

void gw_exchanges_take_letters(struct gw_exchanges *all)
{
    struct gw_letter *letter = gw_mailbox_take(&all->waits.mailbox);

    while (letter != NULL) {
        struct gw_wait *w = GW_CONTAINER(letter, struct gw_wait, letter);
        struct gw_exchange *x = w->x;
        enum gw_asked_id who = (enum gw_asked_id)w->who;
        void *answer = w->answer;
        letter = letter->next;
        x->asked[who].wait = NULL;
        gw_wait_release(&all->waits, w);
        gw_exchange_resumed(x, who, answer);
        gw_exchange_wake(x);
    }
}
