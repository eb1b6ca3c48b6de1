/* exchange/probe.c: a probe is begun, heard, judged and ended. It must not know of clients: of the machine
 * it uses connections, streams and the shared state of its endpoint alone. */

#include "exchange/probe.h"

#include <string.h>

#include "base/assert.h"
#include "exchange/exchange.h"
#include "grpc/health.h"
#include "grpc/status.h"
#include "http/target.h"
#include "link/slot.h"

/* Memory for the request and the heads of its answer: one that needs more is no answer. */
enum { CELL = 8192, CELL_SPARE = 256, ANSWER_MAX = 1024 };

struct gw_probe {
    struct gw_list all, run;
    struct gw_exchanges *of;
    struct gw_probe_watch *watch;
    struct gw_binding *binding; /* pinned: texts and numbers are its configuration's */
    const struct gw_cluster_conf *cluster;
    const struct gw_endpoint_conf *endpoint;
    struct gw_health *health;
    struct gw_health_turn turn;
    struct gw_upstream *upstream;
    struct gw_waiter waiter;
    bool is_connected; /* or not: the waiter knows; not looked at yet */
    struct gw_alarm alarm;
    struct gw_reserve link_reserve, request_reserve, response_reserve;
    struct gw_stream stream;
    struct gw_message request, response, trailers;
    struct gw_pipe request_pipe, response_pipe;
    struct gw_arena arena;
    _Alignas(16) char cell[CELL];
};

_Static_assert(sizeof(struct gw_probe) <= GW_PROBE_BYTES, "as the footprint says");

static uint64_t draw(struct gw_exchanges *all)
{
    return gw_prng_next(&all->probes.prng);
}

/* ---- watching ---- */

static struct gw_endpoint_state *state_of(const struct gw_probe_watch *w)
{
    return w->binding->clusters[w->cluster].states[w->endpoint];
}

static const struct gw_probe_conf *asked_of(const struct gw_probe_watch *w)
{
    return w->binding->config->clusters[w->cluster].guards->probe;
}

/* By the configuration that there is now: what is asked is the same in that which it began with, numbers may
 * be others. */
static const struct gw_probe_conf *conf_of(const struct gw_probe *p)
{
    return asked_of(p->watch);
}

static const struct gw_endpoint_conf *endpoint_of(const struct gw_probe_watch *w)
{
    return &w->binding->clusters[w->cluster].endpoints->list[w->endpoint];
}

static uint64_t place_of(const struct gw_probe_watch *w)
{
    return gw_key_hash(endpoint_of(w)->address) | 1;
}

static void arm(struct gw_probe_watch *w, gw_nanos when)
{
    gw_timer_set(w->of->links->wheel, &w->alarm.timer, when);
}

/* When it is due; who did not have the last turn is later: it only steps in for who is gone. And looks again
 * within an interval or so, whatever a turn of older numbers says. */
static void arm_for_next(struct gw_probe_watch *w, bool is_mine)
{
    const struct gw_health_conf *conf = &asked_of(w)->health;
    gw_nanos due = gw_health_look(&state_of(w)->health).next;
    gw_nanos latest = w->of->links->now + gw_health_longest(conf);

    due = due < latest ? due : latest;
    if (!is_mine)
        due += GW_MS(1) + draw(w->of) % (conf->interval / 4 + 1);
    arm(w, due);
}

static void begin(struct gw_probe_watch *w, const struct gw_health_turn *turn);

static void take_turn(struct gw_probe_watch *w)
{
    struct gw_exchanges *all = w->of;
    struct gw_health_turn turn;

    if (gw_health_take(&state_of(w)->health, &asked_of(w)->health, place_of(w), all->links->now,
                       draw(all), &turn))
        begin(w, &turn);
    else
        arm_for_next(w, false);
}

/* ---- those for whom there is no room ---- */

static struct gw_probe_queue *queue_of(const struct gw_probe_watch *w)
{
    return &w->binding->clusters[w->cluster].queue;
}

static void wait_for_room(struct gw_probe_watch *w)
{
    struct gw_probe_queue *q = queue_of(w);

    gw_list_push_back(&q->watches, &w->node);
    if (!gw_list_is_linked(&q->node))
        gw_list_push_back(&w->of->probes.queues, &q->node);
}

/* The first one of the cluster whose turn it is; NULL: nobody waits. */
static struct gw_probe_watch *next_waiting(struct gw_exchanges *all)
{
    struct gw_list *node = gw_list_pop_front(&all->probes.queues);
    struct gw_probe_queue *q;
    struct gw_probe_watch *w;

    if (node == NULL)
        return NULL;
    q = GW_CONTAINER(node, struct gw_probe_queue, node);
    w = GW_CONTAINER(gw_list_pop_front(&q->watches), struct gw_probe_watch, node);
    if (!gw_list_is_empty(&q->watches))
        gw_list_push_back(&all->probes.queues, &q->node);
    return w;
}

/* Those that find another worker at it take no room. */
static void ring_room(struct gw_alarm *alarm)
{
    struct gw_probes *probes = GW_CONTAINER(alarm, struct gw_probes, room);
    struct gw_exchanges *all = GW_CONTAINER(probes, struct gw_exchanges, probes);
    struct gw_probe_watch *w;

    while (probes->count < GW_PROBES_MAX && (w = next_waiting(all)) != NULL)
        take_turn(w);
}

static void ring_watch(struct gw_alarm *alarm)
{
    struct gw_probe_watch *w = GW_CONTAINER(alarm, struct gw_probe_watch, alarm);
    const struct gw_probes *probes = &w->of->probes;

    GW_ASSERT(w->probe == NULL && !probes->is_over);
    if (probes->count >= GW_PROBES_MAX || !gw_list_is_empty(&probes->queues))
        wait_for_room(w);
    else
        take_turn(w);
}

/* ---- configurations come and go ---- */

static bool is_probed(const struct gw_binding *b, uint32_t cluster)
{
    const struct gw_guards_conf *g = b->config->clusters[cluster].guards;

    return g != NULL && g->probe != NULL;
}

static void unwatch(struct gw_exchanges *all, struct gw_binding *b)
{
    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        struct gw_cluster_use *use = &b->clusters[i];
        for (uint32_t j = 0; is_probed(b, i) && j < use->endpoints->len; j++) {
            gw_timer_cancel(all->links->wheel, &use->watches[j].alarm.timer);
            gw_list_remove(&use->watches[j].node);
        }
        if (is_probed(b, i))
            gw_list_remove(&use->queue.node);
    }
}

/* It may have a probe already, whose end sets when the next one is due. */
static void watch(struct gw_exchanges *all, struct gw_binding *b, uint32_t cluster,
                  uint32_t endpoint)
{
    struct gw_cluster_use *use = &b->clusters[cluster];
    struct gw_probe_watch *w = &use->watches[endpoint];

    *w = (struct gw_probe_watch){
        .of = all, .binding = b, .cluster = cluster, .endpoint = endpoint, .probe = w->probe
    };
    gw_list_init(&w->node);
    gw_timer_init(&w->alarm.timer);
    w->alarm.ring = ring_watch;
    if (gw_health_settle(&state_of(w)->health, &asked_of(w)->health, place_of(w), all->links->now,
                         draw(all)))
        gw_state_changed(use->state);
    if (w->probe == NULL)
        arm_for_next(w, true);
}

static void watch_all(struct gw_exchanges *all, struct gw_binding *b)
{
    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        gw_list_init(&b->clusters[i].queue.node);
        gw_list_init(&b->clusters[i].queue.watches);
        for (uint32_t j = 0; is_probed(b, i) && j < b->clusters[i].endpoints->len; j++)
            watch(all, b, i, j);
    }
}

/* ---- the end of one ---- */

/* As if the endpoint had never been asked: but that it may see its connection end. */
static void leave(struct gw_probe *p)
{
    gw_upstream_cancel(&p->waiter);
    if (p->stream.codec != NULL) {
        if (p->stream.out < GW_HALF_DONE || p->stream.in < GW_HALF_DONE)
            gw_link_reset(p->waiter.link, &p->stream, GW_H2_CANCEL);
        gw_link_detach(p->waiter.link, &p->stream);
    }
    if (p->upstream != NULL)
        gw_upstream_unref(p->upstream);
}

static void release(struct gw_probe *p)
{
    struct gw_exchanges *all = p->of;
    struct gw_pool *pool = all->links->pool;

    leave(p);
    gw_timer_cancel(all->links->wheel, &p->alarm.timer);
    gw_pipe_fini(&p->request_pipe);
    gw_pipe_fini(&p->response_pipe);
    gw_arena_fini(&p->arena);
    gw_reserve_end(&p->link_reserve, pool);
    gw_reserve_end(&p->request_reserve, pool);
    gw_reserve_end(&p->response_reserve, pool);
    gw_list_remove(&p->all);
    gw_list_remove(&p->run);
    gw_exchange_unbind(all, p->binding);
    all->probes.count--;
    if (!gw_list_is_empty(&all->probes.queues))
        gw_timer_set(all->links->wheel, &all->probes.room.timer, all->links->now);
    gw_slab_give(&all->probes.slab, p);
}

/* It has no word; the next one is due then. */
static void give_up(struct gw_probe *p, gw_nanos when)
{
    struct gw_probe_watch *w = p->watch;

    (void)gw_health_pass(p->health, &p->turn, when);
    w->probe = NULL;
    release(p);
}

static void log_change(const struct gw_probe *p, struct gw_health_view view)
{
    char line[GW_LOG_LINE_MAX];
    struct gw_text text;

    if (!gw_log_wants(p->of->log, GW_LOG_WARN))
        return;
    gw_text_init(&text, line, sizeof line);
    gw_text_cstr(&text, view.state == GW_HEALTH_UNHEALTHY ? "unhealthy" : "healthy");
    gw_text_cstr(&text, ": cluster ");
    gw_text_str(&text, p->cluster->name);
    gw_text_cstr(&text, ", endpoint ");
    gw_text_str(&text, p->endpoint->name);
    if (view.cause != GW_HEALTH_NONE) {
        gw_text_cstr(&text, ", ");
        gw_text_cstr(&text, gw_health_cause_name(view.cause));
    }
    if (view.cause >= GW_HEALTH_STATUS) { /* those that have one */
        gw_text_cstr(&text, " ");
        gw_text_u64(&text, view.code);
    }
    gw_log_line(p->of->log, p->of->links->now, GW_LOG_WARN, "health.changed", line);
}

/* Others look around; who was left out for it begins slowly. */
static void tell_change(struct gw_probe *p, enum gw_health_state before)
{
    struct gw_cluster_use *use = &p->watch->binding->clusters[p->watch->cluster];
    struct gw_health_view view = gw_health_look(p->health);

    if (view.state == GW_HEALTH_HEALTHY &&
        (before == GW_HEALTH_UNHEALTHY || conf_of(p)->health.is_untried_unhealthy))
        gw_state_begin_anew(state_of(p->watch));
    gw_state_changed(use->state);
    if (before == GW_HEALTH_UNTRIED && view.state == GW_HEALTH_HEALTHY)
        return; /* as it should be */
    gw_stats_add(
        p->of->stats,
        view.state == GW_HEALTH_HEALTHY ? GW_STAT_ENDPOINTS_RECOVERED : GW_STAT_ENDPOINTS_LOST, 1);
    log_change(p, view);
}

static void conclude(struct gw_probe *p, enum gw_health_cause cause, uint32_t code)
{
    struct gw_probe_watch *w = p->watch;
    enum gw_health_state before = gw_health_look(p->health).state;

    if (cause != GW_HEALTH_NONE)
        gw_stats_add(p->of->stats, GW_STAT_PROBES_FAILED, 1);
    if (gw_health_report(p->health, &conf_of(p)->health, &p->turn,
                         (struct gw_health_result){ cause, code }, p->of->links->now, draw(p->of)))
        tell_change(p, before);
    w->probe = NULL;
    release(p);
    arm_for_next(w, true);
}

/* What we lack ourselves is nobody's fault: no word, and the next turn is that of a probe that was good. */
static void excuse(struct gw_probe *p)
{
    struct gw_probe_watch *w = p->watch;
    gw_nanos next = p->turn.begun + conf_of(p)->health.interval, now = p->of->links->now;

    give_up(p, next > now ? next : now);
    arm_for_next(w, true);
}

/* ---- what it was told ---- */

static void judge_reason(struct gw_probe *p, enum gw_reason_id reason)
{
    switch ((int)reason) {
    case GW_REASON_no_memory:
    case GW_REASON_internal:
        excuse(p);
        return;
    case GW_REASON_upstream_connect_refused:
    case GW_REASON_upstream_unreachable:
    case GW_REASON_upstream_tls_failed:
        conclude(p, GW_HEALTH_CONNECT, 0);
        return;
    case GW_REASON_upstream_connect_timeout:
        conclude(p, GW_HEALTH_TIMEOUT, 0);
        return;
    case GW_REASON_upstream_bad_response:
    case GW_REASON_upstream_head_too_large:
        conclude(p, GW_HEALTH_MALFORMED, 0);
        return;
    default:
        conclude(p, GW_HEALTH_CLOSED, 0);
        return;
    }
}

static bool is_expected(const struct gw_probe_conf *conf, uint32_t code)
{
    uint32_t at = code - GW_PROBE_CODE_LEAST;

    return code >= GW_PROBE_CODE_LEAST && code <= GW_PROBE_CODE_MOST &&
           (conf->codes[at / 64] >> at % 64 & 1) != 0;
}

static void judge_http(struct gw_probe *p)
{
    uint32_t code = p->response.code;

    conclude(p, is_expected(conf_of(p), code) ? GW_HEALTH_NONE : GW_HEALTH_STATUS, code);
}

static size_t gather(const struct gw_pipe *pipe, char out[ANSWER_MAX])
{
    gw_const_span spans[8];
    size_t n = gw_chain_peek(&pipe->chain, spans, 8), len = 0;

    for (size_t i = 0; i < n && len + spans[i].len <= ANSWER_MAX; i++) {
        memcpy(out + len, spans[i].ptr, spans[i].len);
        len += spans[i].len;
    }
    return len;
}

/* The whole answer is here. */
static void judge_grpc(struct gw_probe *p)
{
    uint32_t status = gw_grpc_status_of(&p->response, &p->trailers), serving;
    char bytes[ANSWER_MAX];
    size_t len = gather(&p->response_pipe, bytes);

    if (p->response.code != 200)
        conclude(p, GW_HEALTH_STATUS, p->response.code);
    else if (status != 0)
        conclude(p, GW_HEALTH_GRPC_STATUS, status);
    else if (len != gw_pipe_len(&p->response_pipe) ||
             gw_grpc_health_response((gw_str){ bytes, len }, &serving) != GW_OK)
        conclude(p, GW_HEALTH_MALFORMED, 0);
    else
        conclude(p, serving == GW_GRPC_SERVING ? GW_HEALTH_NONE : GW_HEALTH_NOT_SERVING, serving);
}

static void hear(struct gw_probe *p)
{
    uint32_t news = p->stream.news;
    bool is_grpc = conf_of(p)->kind == GW_HEALTH_GRPC;

    p->stream.news = 0;
    if (!is_grpc && (news & GW_NEWS_HEAD) != 0)
        judge_http(p);
    else if (is_grpc && (news & GW_NEWS_END) != 0)
        judge_grpc(p);
    else if ((news & GW_NEWS_CUT) != 0)
        judge_reason(p, (enum gw_reason_id)p->stream.fault);
    else if (is_grpc && gw_pipe_len(&p->response_pipe) >= ANSWER_MAX)
        conclude(p, GW_HEALTH_MALFORMED, 0);
}

struct gw_probe *gw_probe_of_run(struct gw_list *node)
{
    return GW_CONTAINER(node, struct gw_probe, run);
}

void gw_probe_run(struct gw_probe *p)
{
    if (p->is_connected) {
        p->is_connected = false;
        if (p->waiter.status != GW_OK) {
            judge_reason(p, (enum gw_reason_id)p->waiter.reason);
            return;
        }
        if (conf_of(p)->kind == GW_HEALTH_TCP) {
            conclude(p, GW_HEALTH_NONE, 0);
            return;
        }
        if (p->cluster->protocol == GW_PROTO_H1)
            gw_link_drain(p->waiter.link); /* Connection: close */
    }
    hear(p);
}

static void note(struct gw_probe *p)
{
    if (!gw_list_is_linked(&p->run))
        gw_list_push_back(&p->of->probes.runnable, &p->run);
}

void gw_probe_changed(struct gw_stream *s)
{
    note(GW_CONTAINER(s, struct gw_probe, stream));
}

static void ring_probe(struct gw_alarm *alarm)
{
    conclude(GW_CONTAINER(alarm, struct gw_probe, alarm), GW_HEALTH_TIMEOUT, 0);
}

/* ---- the begin of one ---- */

static void prepare(struct gw_waiter *w)
{
    GW_CONTAINER(w, struct gw_probe, waiter)->stream.out = GW_HALF_HEAD;
}

static void done(struct gw_waiter *w)
{
    struct gw_probe *p = GW_CONTAINER(w, struct gw_probe, waiter);

    p->is_connected = true;
    if (w->stream == NULL && w->link != NULL)
        gw_link_end(w->link); /* that was all */
    note(p);
}

/* The endpoint's address, with another port if there is one. */
static gw_str address_of(struct gw_probe *p)
{
    gw_str address = p->endpoint->address;
    struct gw_text text;
    gw_address parsed;
    char *at;

    if (conf_of(p)->port == 0 || gw_address_parse(address, &parsed) != GW_OK ||
        parsed.kind == GW_ADDRESS_UNIX)
        return address;
    while (address.len > 0 && address.ptr[address.len - 1] != ':')
        address.len--;
    at = gw_arena_alloc(&p->arena, address.len + GW_U64_TEXT_MAX + 1);
    if (at == NULL)
        return p->endpoint->address;
    gw_text_init(&text, at, address.len + GW_U64_TEXT_MAX + 1);
    gw_text_str(&text, address);
    gw_text_u64(&text, conf_of(p)->port);
    return gw_cstr(at);
}

static gw_status make_http(struct gw_probe *p)
{
    const struct gw_probe_conf *conf = conf_of(p);
    struct gw_message *m = &p->request;
    enum gw_reason_id reason;

    m->method = conf->is_head ? GW_METHOD_HEAD : GW_METHOD_GET;
    m->method_text = conf->is_head ? GW_STR("HEAD") : GW_STR("GET");
    reason = gw_target_parse(m, conf->path);
    GW_ASSERT(reason == GW_REASON_none); /* the builder has tried it, and the cell has room */
    (void)reason;
    p->request_pipe.is_ended = true;
    return gw_message_add_field(m, GW_STR("user-agent"), GW_STR("libgw-health"));
}

static gw_status make_grpc(struct gw_probe *p)
{
    struct gw_message *m = &p->request;
    char body[GW_GRPC_HEALTH_REQUEST_MAX];
    size_t len = gw_grpc_health_request(conf_of(p)->service, body);
    gw_status status;

    m->method = GW_METHOD_POST;
    m->method_text = GW_STR("POST");
    m->body = GW_BODY_UNKNOWN;
    if (gw_target_parse(m, GW_STR("/grpc.health.v1.Health/Check")) != GW_REASON_none ||
        gw_pipe_put(&p->request_pipe, body, len) != len)
        return GW_ENOMEM;
    p->request_pipe.is_ended = true;
    status = gw_message_add_field(m, GW_STR("content-type"), GW_STR("application/grpc"));
    if (status == GW_OK)
        status = gw_fields_add(&m->fields, GW_FIELD_TE, GW_STR("te"), GW_STR("trailers"));
    if (status == GW_OK)
        status = gw_message_add_field(m, GW_STR("user-agent"), GW_STR("libgw-health"));
    return status;
}

static gw_status make_request(struct gw_probe *p)
{
    const struct gw_probe_conf *conf = conf_of(p);
    gw_str address = p->endpoint->address;

    if (conf->kind == GW_HEALTH_TCP)
        return GW_OK;
    if (conf->host.len > 0)
        p->request.authority = conf->host;
    else
        p->request.authority = gw_authority_is_valid(address) ? address : GW_STR("localhost");
    return conf->kind == GW_HEALTH_GRPC ? make_grpc(p) : make_http(p);
}

static void init_stream(struct gw_probe *p)
{
    struct gw_stream *s = &p->stream;

    gw_stream_init(s);
    s->request_method = p->request.method;
    s->in_head = &p->response;
    s->in_trailers = &p->trailers;
    s->in_pipe = &p->response_pipe;
    s->out_head = &p->request;
    s->out_pipe = &p->request_pipe;
}

static gw_status find_upstream(struct gw_probe *p)
{
    const struct gw_probe_conf *conf = conf_of(p);
    struct gw_upstream_spec spec = {
        .address = address_of(p),
        .cluster = p->cluster->name,
        .endpoint = p->endpoint->name,
        .protocol = conf->kind == GW_HEALTH_TCP ? GW_PROTO_H1 : p->cluster->protocol,
        .tls = conf->kind == GW_HEALTH_TCP ? NULL : p->cluster->tls,
        .tls_name = gw_cluster_tls_name(p->cluster, p->endpoint->address),
        .is_probe = true,
        .connections_max = GW_OFF, /* an earlier one may not be closed yet */
        .streams_max = 1,
        .requests_max = 1,
        .connect_timeout = conf->health.timeout,
        .idle_timeout = conf->health.timeout,
        .generation = p->binding->generation,
    };

    p->upstream = gw_upstream_get(p->of->upstreams, &spec);
    return p->upstream != NULL ? GW_OK : GW_ENOMEM;
}

/* A link's and a body's each way; and what the pool's own rules ask for a link. */
static gw_status promise(struct gw_probe *p)
{
    struct gw_links *links = p->of->links;
    struct gw_reserve kit = { 0 };

    if (gw_reserve_grow(&kit, links->pool, gw_slot_kit_blocks(links)) != GW_OK)
        return GW_ELIMIT;
    gw_reserve_pass(&p->request_reserve, &kit, 1);
    gw_reserve_pass(&p->response_reserve, &kit, 1);
    gw_reserve_pass(&p->link_reserve, &kit, kit.size);
    return GW_OK;
}

static void init(struct gw_probe *p, struct gw_probe_watch *w, const struct gw_health_turn *turn)
{
    struct gw_exchanges *all = w->of;
    uint32_t fields_max = all->limits->fields_max;

    memset(p, 0, offsetof(struct gw_probe, stream));
    p->of = all;
    p->watch = w;
    p->binding = w->binding;
    p->binding->users++;
    p->cluster = &w->binding->config->clusters[w->cluster];
    p->endpoint = endpoint_of(w);
    p->health = &state_of(w)->health;
    p->turn = *turn;
    gw_list_init(&p->run);
    gw_list_init(&p->waiter.node);
    gw_timer_init(&p->alarm.timer);
    p->alarm.ring = ring_probe;
    gw_arena_init(&p->arena, p->cell, sizeof p->cell, NULL, sizeof p->cell - CELL_SPARE);
    gw_message_init(&p->request, GW_MESSAGE_REQUEST, &p->arena, fields_max);
    gw_message_init(&p->response, GW_MESSAGE_RESPONSE, &p->arena, fields_max);
    gw_message_init(&p->trailers, GW_MESSAGE_TRAILERS, &p->arena, fields_max);
    gw_pipe_init(&p->request_pipe, all->links->pool, ANSWER_MAX);
    gw_pipe_init(&p->response_pipe, all->links->pool, ANSWER_MAX);
    p->request_pipe.chain.reserve = &p->request_reserve;
    p->response_pipe.chain.reserve = &p->response_reserve;
    gw_stream_init(&p->stream);
    gw_list_push_back(&all->probes.all, &p->all);
    all->probes.count++;
    w->probe = p;
}

static void begin(struct gw_probe_watch *w, const struct gw_health_turn *turn)
{
    struct gw_exchanges *all = w->of;
    struct gw_probe *p = gw_slab_take(&all->probes.slab);

    if (p == NULL) {
        (void)gw_health_pass(&state_of(w)->health, turn,
                             turn->begun + asked_of(w)->health.interval);
        arm_for_next(w, true);
        return;
    }
    init(p, w, turn);
    gw_stats_add(all->stats, GW_STAT_PROBES, 1);
    if (promise(p) != GW_OK || make_request(p) != GW_OK || find_upstream(p) != GW_OK) {
        excuse(p);
        return;
    }
    init_stream(p);
    p->waiter.stream = conf_of(p)->kind == GW_HEALTH_TCP ? NULL : &p->stream;
    p->waiter.gift = &p->link_reserve;
    p->waiter.prepare = prepare;
    p->waiter.done = done;
    gw_timer_set(all->links->wheel, &p->alarm.timer, turn->begun + conf_of(p)->health.timeout);
    gw_upstream_wait(p->upstream, &p->waiter);
}

/* ---- all of them ---- */

void gw_probes_init(struct gw_exchanges *all)
{
    gw_slab_init(&all->probes.slab, all->links->heap, sizeof(struct gw_probe), GW_PROBES_MAX);
    gw_list_init(&all->probes.all);
    gw_list_init(&all->probes.runnable);
    gw_list_init(&all->probes.queues);
    gw_timer_init(&all->probes.room.timer);
    all->probes.room.ring = ring_room;
}

static bool is_same_question(const struct gw_probe_conf *a, const struct gw_probe_conf *b)
{
    return a->kind == b->kind && a->port == b->port && a->is_head == b->is_head &&
           gw_str_eq(a->path, b->path) && gw_str_eq(a->host, b->host) &&
           gw_str_eq(a->service, b->service) && memcmp(a->codes, b->codes, sizeof a->codes) == 0;
}

/* Where b watches what p probes; NULL: nowhere, or it asks something else. */
static struct gw_probe_watch *find_watch(const struct gw_binding *b, const struct gw_probe *p)
{
    const struct gw_cluster_conf *c = gw_config_find_cluster(b->config, p->cluster->name);
    const struct gw_cluster_use *use = c != NULL ? &b->clusters[c->index] : NULL;

    if (c == NULL || !is_probed(b, c->index) || c->protocol != p->cluster->protocol ||
        !is_same_question(c->guards->probe, conf_of(p)))
        return NULL;
    for (uint32_t j = 0; j < use->endpoints->len; j++)
        if (&use->states[j]->health == p->health)
            return gw_str_eq(use->endpoints->list[j].address, p->endpoint->address)
                       ? &use->watches[j]
                       : NULL;
    return NULL;
}

/* Goes on, or ends without a word. */
static void carry_over(struct gw_exchanges *all, const struct gw_binding *b)
{
    for (struct gw_list *node = all->probes.all.next, *next; node != &all->probes.all;
         node = next) {
        struct gw_probe *p = GW_CONTAINER(node, struct gw_probe, all);
        struct gw_probe_watch *w = find_watch(b, p);
        next = node->next;
        if (w == NULL) {
            give_up(p, all->links->now);
            continue;
        }
        p->watch = w;
        w->probe = p;
    }
}

/* Its new numbers hold for what is under way too. A longer timeout does not: its turn is not longer. */
static void shorten(struct gw_probe *p)
{
    gw_nanos end = p->turn.begun + conf_of(p)->health.timeout;

    if (end < p->alarm.timer.when)
        gw_timer_set(p->of->links->wheel, &p->alarm.timer, end);
}

void gw_probes_adopt(struct gw_exchanges *all, struct gw_binding *b, struct gw_binding *old)
{
    if (all->probes.is_over)
        return;
    if (old != NULL)
        unwatch(all, old);
    carry_over(all, b); /* first: who ends here is due at once */
    watch_all(all, b);
    for (struct gw_list *node = all->probes.all.next; node != &all->probes.all; node = node->next)
        shorten(GW_CONTAINER(node, struct gw_probe, all));
}

void gw_probes_stop(struct gw_exchanges *all)
{
    struct gw_list *node;

    if (all->probes.is_over)
        return;
    all->probes.is_over = true;
    while ((node = all->probes.all.next) != &all->probes.all)
        give_up(GW_CONTAINER(node, struct gw_probe, all), all->links->now);
    if (all->binding != NULL)
        unwatch(all, all->binding);
    gw_timer_cancel(all->links->wheel, &all->probes.room.timer);
}

void gw_probes_fini(struct gw_exchanges *all)
{
    gw_probes_stop(all);
    gw_slab_fini(&all->probes.slab);
}
