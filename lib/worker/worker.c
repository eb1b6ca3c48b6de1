/* worker/worker.c: a worker is made and freed; links are accepted; drain. The work itself is in step.c. */

#include "worker/worker.h"

#include <gw/stats.h>

#include <string.h>

#include "base/assert.h"
#include "base/prng.h"
#include "base/spec.h"
#include "config/limits.h"
#include "gw_features.h"
#include "h2/codec.h"
#include "os/env.h"

enum { WORKER_MAGIC = 0x576f726b };
enum { DRAIN_GRACE_MS = 30000 };

void gw_worker_stub_tls(gw_worker *w, bool server, bool client)
{
    w->links.stub_tls_server = server;
    w->links.stub_tls_client = client;
    w->links.has_tls_upstreams |= client;
}

/* ---- made and freed ---- */

static gw_status find_seat(gw_engine *e, gw_worker *w, uint32_t index)
{
    uint32_t from = index == 0 ? 0 : index - 1, to = index == 0 ? e->workers_max : index;

    for (uint32_t i = from; i < to && i < e->workers_max; i++) {
        bool is_taken = false;
        if (atomic_compare_exchange_strong(&e->seats[i].is_taken, &is_taken, true)) {
            w->index = i + 1;
            w->seat = &e->seats[i];
            return GW_OK;
        }
    }
    return index == 0 ? GW_ELIMIT : GW_ESTATE;
}

static void name_worker(gw_worker *w, const char *name)
{
    struct gw_text text;

    gw_text_init(&text, w->name, sizeof w->name);
    if (name != NULL) {
        gw_text_cstr(&text, name);
        return;
    }
    gw_text_cstr(&text, "worker-");
    gw_text_u64(&text, w->index);
}

static struct gw_codec_limits codec_limits(const gw_limits *limits)
{
    return (struct gw_codec_limits){
        .head_bytes_max = limits->head_bytes_max,
        .fields_max = limits->fields_max,
        .h2_streams_max = gw_limits_streams(limits),
        .pipe_bytes_max = limits->pipe_bytes_max,
    };
}

/* What the host asks for between two steps is done in the next one: who waits in a loop is woken. */
static void want_step(gw_worker *w)
{
    if (!w->in_step)
        gw_waker_call(&w->seat->waker);
}

static void call_others(gw_worker *w)
{
    gw_engine_call(w->engine, w->seat);
}

static void init_links(gw_worker *w, const gw_worker_spec *spec)
{
    struct gw_links *links = &w->links;
    const gw_limits *limits = &w->engine->limits;

    links->heap = &w->heap;
    links->pool = &w->pool;
    links->wheel = &w->wheel;
    links->log = &w->log;
    links->misuse = &w->misuse;
    links->stats = &w->stats;
    links->trace = &w->trace;
    links->tickets = &w->engine->tickets;
    links->limits = limits;
    links->server_limits = links->client_limits = codec_limits(limits);
    links->ops = spec->ops != NULL ? &w->ops : NULL;
    links->io = spec->io;
    links->worker = w;
    links->want_step = want_step;
    links->call_others = call_others;
    links->workers = w->engine->workers_max;
    links->above = &gw_exchange_above;
    links->above_ctx = &w->exchanges;
    gw_links_init(links);
}

/* "gw-" and digits: the same for all workers, another for every other gateway. */
static void name_gateway(struct gw_exchanges *x, uint32_t name)
{
    char text[3 + 16] = "gw-";

    gw_via_init(&x->via, (gw_str){ text, 3 + gw_format_hex_u64(name, text + 3) }, x->via_text);
}

static gw_status init_exchanges(gw_worker *w)
{
    struct gw_exchanges *x = &w->exchanges;

    x->links = &w->links;
    x->upstreams = &w->upstreams;
    x->limits = &w->engine->limits;
    x->log = &w->log;
    x->stats = &w->stats;
    x->trace = &w->trace;
    name_gateway(x, w->engine->name);
    x->env = &w->engine->env;
    return gw_exchanges_init(x);
}

/* Copied. Each operation is needed. */
static gw_status copy_ops(gw_io_ops *own, const gw_io_ops *ops)
{
    gw_status status = gw_spec_copy(own, sizeof *own, ops);

    if (status == GW_OK && (own->connect == NULL || own->recv == NULL || own->send == NULL ||
                            own->shutdown == NULL || own->close == NULL))
        return GW_EINVAL;
    return status;
}

static gw_status init(gw_worker *w, const gw_worker_spec *spec)
{
    const gw_limits *limits = &w->engine->limits;
    struct gw_prng prng = { spec->seed };
    gw_status status;

    if (spec->seed == 0)
        w->engine->env.entropy(w->engine->env.entropy_ctx, &prng.state, sizeof prng.state);
    w->user = spec->user;
    w->misuse.env = &w->engine->env;
    w->misuse.thread = gw_os_thread;
    name_worker(w, spec->name);
    w->trace = (struct gw_trace){ spec->trace, spec->trace_ctx, w->index };
    gw_heap_init(&w->heap, &w->allocator, 0);
    gw_pool_init(&w->pool, &w->heap, limits->block_bytes, limits->blocks_max);
    w->pool.misuse = &w->misuse;
    gw_wheel_init(&w->wheel, 0);
    gw_log_init(&w->log, &w->engine->env);
    init_links(w, spec);
    gw_upstreams_init(&w->upstreams, &w->links, gw_prng_next(&prng));
    w->exchanges.prng.state = gw_prng_next(&prng);
    w->exchanges.probes.prng.state = gw_prng_next(&prng);
    w->links.seed = gw_prng_next(&prng);
    status = init_exchanges(w);
    if (status != GW_OK || limits->h2_links_max == 0 || !GW_HAVE_H2) /* complete: 0 is off */
        return status;
    w->links.h2 = gw_h2_shared_new(&w->heap, limits->h2_links_max);
    return w->links.h2 != NULL ? GW_OK : GW_ENOMEM;
}

static void fini(gw_worker *w)
{
    struct gw_binding *binding;

    gw_exchanges_fini(&w->exchanges);
    gw_links_fini(&w->links);
    gw_pool_run_done(&w->pool);
    binding = gw_exchanges_leave_bindings(&w->exchanges);
    gw_upstreams_fini(&w->upstreams);
    gw_h2_shared_free(w->links.h2);
    gw_pool_fini(&w->pool);
    if (binding != NULL)
        gw_binding_free(gw_engine_hand_over(w->seat, binding));
    GW_ASSERT(w->heap.used == 0);
}

gw_status gw_worker_new(gw_engine *e, const gw_worker_spec *spec, gw_worker **out)
{
    gw_worker_spec own = { 0 };
    gw_io_ops ops = { 0 };
    gw_worker *w;
    gw_status status = gw_spec_copy(&own, sizeof own, spec);

    if (status == GW_OK && own.ops != NULL)
        status = copy_ops(&ops, own.ops);
    if (status != GW_OK || e == NULL || out == NULL || own.index > e->workers_max)
        return GW_EINVAL;
    if (own.allocator == NULL)
        own.allocator = &e->env.allocator;
    if (own.allocator->alloc == NULL || own.allocator->release == NULL)
        return GW_EINVAL;
    w = gw_allocator_zalloc(own.allocator, sizeof *w);
    if (w == NULL)
        return GW_ENOMEM;
    w->magic = WORKER_MAGIC;
    w->engine = e;
    w->allocator = *own.allocator;
    w->ops = ops;
    status = find_seat(e, w, own.index);
    if (status == GW_OK) {
        status = init(w, &own);
        if (status == GW_OK)
            status = gw_waker_sit(&w->seat->waker, &e->env.allocator, &own);
        if (status == GW_OK) {
            *out = w;
            return GW_OK;
        }
        fini(w);
        atomic_store(&w->seat->is_taken, false);
    }
    w->allocator.release(w->allocator.ctx, w, sizeof *w);
    return status;
}

void gw_worker_free(gw_worker *w)
{
    if (w != NULL && w->magic == WORKER_MAGIC && w->is_of_loop && !w->in_step)
        gw_misuse_note(&w->misuse, GW_MISUSE_FREE_OF_LOOP);
    else
        gw_worker_end(w);
}

void gw_worker_keep(gw_worker *w)
{
    w->is_of_loop = true;
}

void gw_worker_end(gw_worker *w)
{
    gw_allocator allocator;

    if (w == NULL || w->magic != WORKER_MAGIC || gw_misuse_is_stray(&w->misuse))
        return;
    if (w->in_step) {
        gw_misuse_note(&w->misuse, GW_MISUSE_FREE_INSIDE);
        return;
    }
    w->in_step = true; /* hooks run: on_end of what is in flight */
    gw_misuse_step(&w->misuse, true);
    w->exchanges.unix_now = 0;
    w->is_draining = true; /* nothing new comes from there */
    allocator = w->allocator;
    gw_waker_leave(&w->seat->waker);
    fini(w);
    (void)gw_misuse_say(&w->misuse, &w->log, w->links.now);
    atomic_store(&w->seat->is_taken, false);
    w->magic = 0;
    allocator.release(allocator.ctx, w, sizeof *w);
}

void gw_worker_misused(gw_worker *w, enum gw_misuse_id what)
{
    gw_misuse_note(&w->misuse, what);
}

void *gw_worker_user(const gw_worker *w)
{
    return w != NULL ? w->user : NULL;
}

bool gw_worker_is_idle(const gw_worker *w)
{
    return w == NULL || (w->links.count == 0 && w->exchanges.count == 0);
}

/* ---- links ---- */

void gw_worker_adopt(gw_worker *w)
{
    struct gw_binding *b = gw_engine_pick_up(w->seat);

    if (b != NULL)
        gw_exchanges_adopt(&w->exchanges, b);
}

/* What may be spoken: what the spec says or else the listener; of that, what is known already. */
static gw_status find_protocols(const gw_accept_spec *spec, const gw_facts *facts,
                                uint32_t of_listener, uint32_t *out)
{
    uint32_t all = GW_PROTO_H1 | GW_PROTO_H2 | GW_PROTO_TLS, may = spec->protocols;

    if (may == 0)
        may = of_listener;
    if (facts->protocol != 0) {
        if (facts->protocol != GW_PROTO_H1 && facts->protocol != GW_PROTO_H2)
            return GW_EINVAL;
        may &= facts->protocol;
    }
    if (may == 0 || (may & ~all) != 0 || may > GW_PROTO_TLS)
        return GW_EINVAL;
    if (may == GW_PROTO_H2 && !GW_HAVE_H2)
        return GW_EUNSUPPORTED;
    *out = may;
    return GW_OK;
}

static gw_status copy_accept(gw_accept_spec *own, gw_facts *facts, const gw_accept_spec *spec)
{
    gw_status status = gw_spec_copy(own, sizeof *own, spec);

    if (status == GW_OK && own->facts != NULL)
        status = gw_spec_copy(facts, sizeof *facts, own->facts);
    if (status == GW_OK)
        status = gw_facts_check(facts);
    if (own->facts != NULL)
        own->facts = facts;
    if (own->early.len > 0 && own->early.ptr == NULL)
        return GW_EINVAL;
    if ((own->flags & ~(uint32_t)GW_ACCEPT_RETURN) != 0)
        return GW_EINVAL;
    return status;
}

gw_status gw_worker_accept(gw_worker *w, const gw_accept_spec *spec, gw_link **out)
{
    gw_accept_spec own = { 0 };
    gw_facts facts = { 0 };
    const struct gw_listener_conf *conf;
    struct gw_link *link;
    uint32_t protocols = 0;
    gw_status status = copy_accept(&own, &facts, spec);

    if (status != GW_OK || w == NULL || out == NULL)
        return GW_EINVAL;
    if (w->is_draining || gw_misuse_is_stray(&w->misuse))
        return GW_ESTATE;
    if (w->exchanges.binding == NULL) /* before the first step */
        gw_worker_adopt(w);
    conf = w->exchanges.binding == NULL
               ? NULL
               : gw_config_find_listener(w->exchanges.binding->config, own.listener);
    if (conf == NULL)
        return GW_EUNKNOWN;
    status = find_protocols(&own, &facts, conf->protocols, &protocols);
    if (status == GW_OK)
        status = gw_links_accept(&w->links, &own, protocols,
                                 facts.is_secure != 0 ? NULL : conf->tls, &link);
    if (status != GW_OK)
        return status;
    status = gw_exchange_bind_link(&w->exchanges, link, conf->name);
    GW_ASSERT(status == GW_OK); /* the listener was found above */
    *out = link;
    return GW_OK;
}

/* ---- drain ---- */

gw_status gw_worker_drain(gw_worker *w, uint32_t grace_ms)
{
    if (w == NULL)
        return GW_EINVAL;
    if (gw_misuse_is_stray(&w->misuse))
        return GW_ESTATE;
    if (w->is_draining)
        return GW_OK;
    w->is_draining = true;
    w->drain_grace_ms = grace_ms == 0 ? DRAIN_GRACE_MS : grace_ms;
    want_step(w);
    return GW_OK;
}

/* ---- calls ---- */

gw_status gw_worker_call(gw_worker *w, const gw_call_spec *spec, gw_exchange_id *out)
{
    gw_call_spec own = { 0 };
    gw_status status;

    if (w == NULL || w->magic != WORKER_MAGIC || gw_spec_copy(&own, sizeof own, spec) != GW_OK)
        return GW_EINVAL;
    if (w->exchanges.is_closing)
        return GW_ESTATE;
    if (w->exchanges.binding == NULL) /* before the first step */
        gw_worker_adopt(w);
    status = gw_call_begin(&w->exchanges, &own, out);
    if (status == GW_OK)
        want_step(w);
    return status;
}

gw_status gw_worker_cancel(gw_worker *w, gw_exchange_id call)
{
    gw_status status;

    if (w == NULL || w->magic != WORKER_MAGIC)
        return GW_EINVAL;
    status = gw_call_cancel(&w->exchanges, call);
    if (status == GW_OK)
        want_step(w);
    return status;
}

gw_status gw_resume(gw_ticket ticket, void *answer)
{
    struct gw_engine_seat *seat;
    struct gw_resumed resumed = { false, false };
    gw_status status;

    if (ticket.worker == NULL)
        return GW_EINVAL;
    seat = ticket.worker->seat; /* once the answer is there, the worker may be freed */
    status = gw_waits_resume(&ticket.worker->exchanges.waits, ticket.slot, ticket.turn, answer,
                             &resumed);
    if (status == GW_OK && resumed.was_empty)
        gw_waker_call(&seat->waker);
    if (resumed.is_second)
        gw_misuse_note(&ticket.worker->misuse, GW_MISUSE_RESUME_AGAIN);
    return status;
}

/* ---- statistics ---- */

gw_status gw_worker_recall(const gw_worker *w, size_t i, gw_record *out)
{
    gw_record own = GW_SPEC(gw_record);
    gw_status status;

    if (w == NULL || w->magic != WORKER_MAGIC || out == NULL)
        return GW_EINVAL;
    status = gw_recorder_at(&w->exchanges.recorder, i, &own);
    return status == GW_OK ? gw_spec_fill(out, &own, sizeof own) : status;
}

static const gw_stat descriptions[GW_STAT_COUNT] = {
#define DESCRIBE(id, kind, name, unit, help)                                                       \
    { (uint32_t)sizeof(gw_stat), GW_STAT_##kind, name, unit, help },
    GW_STATS(DESCRIBE)
#undef DESCRIBE
};

gw_status gw_stats_describe(size_t i, gw_stat *out)
{
    return i < GW_STAT_COUNT ? gw_spec_fill(out, &descriptions[i], sizeof *descriptions)
                             : GW_EUNKNOWN;
}

size_t gw_stats_read(const gw_worker *w, uint64_t *out, size_t n)
{
    for (size_t i = 0; w != NULL && out != NULL && i < n && i < GW_STAT_COUNT; i++)
        out[i] = atomic_load_explicit(&w->stats.values[i], memory_order_relaxed);
    return GW_STAT_COUNT;
}

const char *gw_trace_name(uint32_t what)
{
    static const char *const names[] = { "none",
#define NAME(id, name) name,
                                         GW_TRACES(NAME)
#undef NAME
    };

    return what < sizeof names / sizeof *names ? names[what] : "unknown";
}
