/* worker/explain.c: what would become of a request: a world of one exchange, made for the question, in
 * which only what workers share is real. */

#include <gw/explain.h>

#include <string.h>

#include "base/address.h"
#include "base/assert.h"
#include "base/spec.h"
#include "exchange/explain.h"
#include "h1/head.h"
#include "http/check.h"
#include "link/conn.h"
#include "raw/raw.h"
#include "tls/hello.h"
#include "worker/worker.h"

enum { STEPS_MAX = 1000 };

struct world {
    const gw_engine *engine;
    gw_limits limits; /* the engine's, for one exchange */
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_wheel wheel;
    struct gw_log log; /* silent */
    struct gw_misuse misuse;
    struct gw_stats stats;
    struct gw_trace trace;
    struct gw_links links;
    struct gw_link link;
    struct gw_exchanges exchanges;
    struct gw_binding *binding;
    struct gw_exchange *x;
    gw_explained result; /* too large for a stack */
};

/* ---- the world ---- */

static void init_links(struct world *w)
{
    struct gw_links *links = &w->links;

    links->heap = &w->heap;
    links->pool = &w->pool;
    links->wheel = &w->wheel;
    links->log = &w->log;
    links->misuse = &w->misuse;
    links->stats = &w->stats;
    links->trace = &w->trace;
    links->limits = &w->limits;
    links->above = &gw_exchange_above;
    links->above_ctx = &w->exchanges;
    w->link.links = links;
}

static gw_status init_exchanges(struct world *w)
{
    struct gw_exchanges *all = &w->exchanges;

    all->links = &w->links;
    all->limits = &w->limits;
    all->log = &w->log;
    all->stats = &w->stats;
    all->trace = &w->trace;
    all->env = &w->engine->env;
    return gw_exchanges_init(all);
}

static gw_status make_world(gw_engine *e, struct world **out)
{
    struct world *w = gw_allocator_zalloc(&e->env.allocator, sizeof *w);
    gw_status status;

    if (w == NULL)
        return GW_ENOMEM;
    w->engine = e;
    w->limits = e->limits;
    w->limits.exchanges_max = 1;
    w->limits.records_max = 0;
    w->misuse.env = &e->env;
    w->trace.worker = 1;
    gw_heap_init(&w->heap, &e->env.allocator, 0);
    gw_pool_init(&w->pool, &w->heap, w->limits.block_bytes, w->limits.blocks_max);
    gw_wheel_init(&w->wheel, 0);
    init_links(w);
    status = init_exchanges(w);
    if (status == GW_OK) {
        *out = w;
        return GW_OK;
    }
    e->env.allocator.release(e->env.allocator.ctx, w, sizeof *w);
    return status;
}

static void free_world(struct world *w)
{
    const gw_allocator *allocator = &w->engine->env.allocator;

    if (w->x != NULL) {
        w->x->phase = GW_PHASE_END;
        gw_exchange_release(w->x);
    }
    gw_exchanges_fini(&w->exchanges);
    gw_link_free_facts(&w->link);
    gw_binding_free(w->binding);
    gw_pool_fini(&w->pool);
    GW_ASSERT(w->heap.used == 0);
    allocator->release(allocator->ctx, w, sizeof *w);
}

/* ---- what is in force ---- */

static gw_status bind(struct world *w, struct gw_edition *edition, uint64_t seed)
{
    gw_status status = gw_binding_new(&w->engine->env.allocator, edition, seed, &w->binding);

    w->exchanges.binding = w->binding;
    return status;
}

/* As that worker would go on: where it is in its turns, and what it would draw. */
static gw_status bind_as(struct world *w, gw_worker *of)
{
    const struct gw_binding *b;
    gw_status status;

    if (of->engine != w->engine || gw_misuse_is_stray(&of->misuse))
        return GW_ESTATE;
    if (of->exchanges.binding == NULL) /* before the first step */
        gw_worker_adopt(of);
    b = of->exchanges.binding;
    if (b == NULL)
        return GW_ESTATE;
    status = bind(w, b->edition, 0);
    for (uint32_t i = 0; status == GW_OK && i < b->config->clusters_len; i++)
        w->binding->clusters[i].turn = b->clusters[i].turn;
    w->exchanges.ids = of->exchanges.ids;
    w->exchanges.via = of->exchanges.via;
    w->trace.worker = of->index;
    w->links.now = of->links.now;
    w->links.worker = of;
    return status;
}

static gw_status bind_newest(struct world *w, gw_engine *e, uint64_t seed)
{
    struct gw_edition *edition = NULL;
    gw_status status;

    gw_engine_enter(e);
    if (e->current != NULL)
        edition = gw_edition_ref(e->current);
    gw_engine_leave(e);
    if (edition == NULL)
        return GW_ESTATE;
    status = bind(w, edition, seed);
    gw_edition_unref(edition);
    return status;
}

/* ---- the request ---- */

static bool is_missing(gw_str text)
{
    return text.len > 0 && text.ptr == NULL;
}

static bool are_missing(const gw_call_field *fields, size_t len)
{
    if (len > 0 && fields == NULL)
        return true;
    for (size_t i = 0; i < len; i++)
        if (is_missing(fields[i].name) || is_missing(fields[i].value))
            return true;
    return false;
}

/* A ClientHello has a name, and nothing else that counts. */
static bool is_asked_by_tls(const gw_explain_spec *spec)
{
    return gw_str_eq(spec->method, GW_STR("CONNECT")) && spec->target.len == 0 &&
           spec->fields_len == 0 && spec->flags == 0 && spec->host.len <= GW_TLS_NAME_MAX;
}

static gw_status check_spec(gw_explain_spec *spec)
{
    const gw_str texts[] = { spec->listener, spec->client,      spec->method,
                             spec->scheme,   spec->host,        spec->target,
                             spec->cluster,  spec->server_name, spec->identity };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (is_missing(texts[i]))
            return GW_EINVAL;
    if (spec->protocol == 0)
        spec->protocol = GW_PROTO_H1;
    if (spec->method.len == 0)
        spec->method = spec->protocol == GW_PROTO_TLS ? GW_STR("CONNECT") : GW_STR("GET");
    if (spec->target.len == 0 && !gw_str_eq(spec->method, GW_STR("CONNECT")))
        spec->target = GW_STR("/");
    if (spec->steps_max == 0)
        spec->steps_max = STEPS_MAX;
    if (spec->protocol == GW_PROTO_TLS && !is_asked_by_tls(spec))
        return GW_EINVAL;
    if ((spec->protocol != GW_PROTO_H1 && spec->protocol != GW_PROTO_H2 &&
         spec->protocol != GW_PROTO_TLS) ||
        (spec->flags & ~(uint32_t)GW_EXPLAIN_HTTP_1_0) != 0 ||
        are_missing(spec->fields, spec->fields_len) || are_missing(spec->labels, spec->labels_len))
        return GW_EINVAL;
    return GW_OK;
}

/* Lines of a head, as its codec would see them, one at a time. */
struct lines {
    struct gw_message *m;
    char *text;
    size_t len, max; /* of all so far; of all: what a head may have */
    size_t line;     /* where this one begins in text, always 0     */
};

static void put(struct lines *l, gw_str part)
{
    if (l->line + part.len <= l->max && part.len > 0)
        memcpy(l->text + l->line, part.ptr, part.len);
    l->line += part.len;
}

/* False: the head is longer than any may be. */
static bool end_line(struct lines *l, gw_str *out)
{
    enum { CRLF = 2 };

    *out = (gw_str){ l->text, l->line };
    l->len += l->line + CRLF;
    l->line = 0;
    return l->len + CRLF <= l->max;
}

static enum gw_reason_id put_request_line(struct lines *l, const gw_explain_spec *spec)
{
    gw_str line;

    put(l, spec->method);
    put(l, GW_STR(" "));
    put(l, spec->target);
    put(l, (spec->flags & GW_EXPLAIN_HTTP_1_0) != 0 ? GW_STR(" HTTP/1.0") : GW_STR(" HTTP/1.1"));
    return end_line(l, &line) ? gw_h1_request_line(l->m, line) : GW_REASON_target_too_long;
}

static enum gw_reason_id put_field(struct lines *l, gw_str name, gw_str value)
{
    gw_str line;

    put(l, name);
    put(l, GW_STR(": "));
    put(l, value);
    return end_line(l, &line) ? gw_h1_field_line(&l->m->fields, line) : GW_REASON_head_too_large;
}

static enum gw_reason_id read_h1(struct world *w, const gw_explain_spec *spec)
{
    struct gw_message *m = &w->x->request;
    struct lines l = { .m = m, .max = w->limits.head_bytes_max };
    enum gw_reason_id reason;

    l.text = gw_heap_alloc(&w->heap, l.max);
    if (l.text == NULL)
        return GW_REASON_no_memory;
    reason = put_request_line(&l, spec);
    if (reason == GW_REASON_none && spec->host.len > 0)
        reason = put_field(&l, GW_STR("Host"), spec->host);
    for (size_t i = 0; reason == GW_REASON_none && i < spec->fields_len; i++)
        reason = put_field(&l, spec->fields[i].name, spec->fields[i].value);
    gw_heap_release(&w->heap, l.text, l.max);
    w->x->down.is_http10 = m->is_http10 != 0;
    return reason == GW_REASON_none ? gw_check_h1_request(m) : reason;
}

static enum gw_reason_id reason_of(gw_status status)
{
    return status == GW_OK       ? GW_REASON_none
           : status == GW_ELIMIT ? GW_REASON_head_too_large
                                 : GW_REASON_no_memory;
}

static enum gw_reason_id read_h2(struct world *w, const gw_explain_spec *spec)
{
    struct gw_message *m = &w->x->request;
    struct gw_arena *arena = &w->x->arena;
    bool is_connect = gw_str_eq(spec->method, GW_STR("CONNECT"));
    gw_status status = gw_arena_copy(arena, spec->method, &m->method_text);

    if (status == GW_OK)
        status = gw_arena_copy(arena, spec->host, &m->authority);
    if (status == GW_OK && !is_connect)
        status = gw_arena_copy(arena, spec->scheme, &m->scheme);
    if (status == GW_OK && !is_connect)
        status = gw_arena_copy(arena, spec->target, &m->target);
    for (size_t i = 0; status == GW_OK && i < spec->fields_len; i++)
        status = gw_fields_add_copy(&m->fields, spec->fields[i].name, spec->fields[i].value);
    return status == GW_OK ? gw_check_h2_request(m, false) : reason_of(status);
}

static enum gw_reason_id read_tls(struct world *w, const gw_explain_spec *spec)
{
    return reason_of(gw_raw_ask(&w->x->request, spec->host));
}

static enum gw_reason_id read_head(struct world *w, const gw_explain_spec *spec)
{
    switch (spec->protocol) {
    case GW_PROTO_H1:
        return read_h1(w, spec);
    case GW_PROTO_H2:
        return read_h2(w, spec);
    default:
        return read_tls(w, spec);
    }
}

/* ---- who asks ---- */

static bool is_address(gw_str text)
{
    gw_address address;

    return gw_address_parse(text, &address) == GW_OK || gw_ip_parse(text, &address) == GW_OK;
}

static gw_status set_link(struct world *w, const gw_explain_spec *spec)
{
    gw_facts facts = GW_SPEC(gw_facts);

    if (spec->client.len > 0 && !is_address(spec->client))
        return GW_EINVAL;
    w->link.protocol = spec->protocol & GW_PROTO_ALL;
    facts.peer = spec->client;
    facts.is_secure = gw_str_eq_nocase(spec->scheme, GW_STR("https"));
    facts.server_name = spec->server_name;
    facts.peer_identity = spec->identity;
    facts.is_verified = spec->identity.len > 0;
    if (gw_facts_check(&facts) != GW_OK)
        return GW_EINVAL;
    return gw_link_set_facts(&w->link, &facts);
}

static gw_status find_listener(const struct world *w, gw_str name,
                               const struct gw_listener_conf **out)
{
    const gw_config *config = w->binding->config;

    if (name.len > 0)
        *out = gw_config_find_listener(config, name);
    else
        *out = config->listeners_len > 0 ? &config->listeners[0] : NULL;
    return *out != NULL ? GW_OK : GW_EUNKNOWN;
}

/* As filters would, in on_request. */
static gw_status decide(struct gw_exchange *x, const gw_explain_spec *spec)
{
    gw_status status = GW_OK;

    x->hook = GW_HOOK_REQUEST;
    if (spec->cluster.len > 0)
        status = gw_exchange_set_cluster(x, spec->cluster);
    if (status == GW_OK && spec->hash_key.ptr != NULL)
        status = gw_exchange_set_hash_key(x, spec->hash_key);
    for (size_t i = 0; status == GW_OK && i < spec->labels_len; i++)
        status = gw_exchange_set_label(x, spec->labels[i].name, spec->labels[i].value);
    x->hook = GW_HOOK_NONE;
    return status;
}

static gw_status make_exchange(struct world *w, gw_explain_spec *spec)
{
    const struct gw_listener_conf *listener;
    gw_status status = find_listener(w, spec->listener, &listener);

    if (status == GW_OK && spec->scheme.len == 0)
        spec->scheme = listener->tls != NULL ? GW_STR("https") : GW_STR("http");
    if (status == GW_OK)
        status = set_link(w, spec);
    if (status != GW_OK)
        return status;
    w->x = gw_exchange_new(&w->exchanges, w->binding, listener);
    if (w->x == NULL)
        return GW_ENOMEM;
    w->x->down_link = &w->link;
    return decide(w->x, spec);
}

/* ---- the call ---- */

static gw_status explain(struct world *w, gw_engine *e, gw_explain_spec *spec)
{
    struct gw_explainer explainer = { .tell = spec->on_step,
                                      .ctx = spec->ctx,
                                      .max = spec->steps_max,
                                      .target = spec->target,
                                      .is_apart = spec->worker == NULL,
                                      .out = &w->result };
    gw_status status = spec->worker != NULL ? bind_as(w, spec->worker)
                                            : bind_newest(w, e, spec->seed);

    if (spec->now != 0)
        w->links.now = spec->now;
    if (status == GW_OK)
        status = make_exchange(w, spec);
    if (status != GW_OK)
        return status;
    explainer.x = w->x;
    gw_exchange_explain(&explainer, read_head(w, spec));
    return w->result.cause.reason == GW_REASON_no_memory ? GW_ENOMEM : GW_OK;
}

gw_status gw_explain(gw_engine *e, const gw_explain_spec *spec, gw_explained *out)
{
    gw_explain_spec own = { 0 };
    struct world *w = NULL;
    gw_status status;

    if (e == NULL || out == NULL || gw_spec_copy(&own, sizeof own, spec) != GW_OK ||
        check_spec(&own) != GW_OK)
        return GW_EINVAL;
    status = make_world(e, &w);
    if (status != GW_OK)
        return status;
    w->result.size = sizeof w->result;
    status = explain(w, e, &own);
    if (status == GW_OK)
        status = gw_spec_fill(out, &w->result, sizeof w->result);
    free_world(w);
    return status;
}
