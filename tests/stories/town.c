/* stories/town.c: events, clocks, the gateway, the main loop. */

#include "town.h"

#include <stdarg.h>

#include "exchange/exchange.h"
#include "worker/worker.h"

_Noreturn void town_fail(struct town *t, const char *file, int line, const char *what,
                         const char *format, ...)
{
    va_list args;

    fprintf(stderr, "seed %llu, time %.3f ms: %s:%d: %s\n  ", (unsigned long long)t->seed,
            (double)t->now / 1e6, file, line, what);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  fail_alloc_at %llu\n", (unsigned long long)t->fail_alloc_at);
    abort();
}

void town_trace(struct town *t, const char *format, ...)
{
    va_list args;

    if (!t->is_tracing)
        return;
    fprintf(stderr, "%10.3f  ", (double)t->now / 1e6);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

uint64_t town_below(struct town *t, uint64_t n)
{
    return n == 0 ? 0 : gw_prng_below(&t->prng, n);
}

/* ---- events: a heap by time, and then by order of making ---- */

static bool is_before(const struct town_event *a, const struct town_event *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

void town_at(struct town *t, gw_nanos delay, uint32_t what, uint32_t who, uint32_t turn)
{
    struct town_event e = { t->now + delay, ++t->order, what, who, turn };
    uint32_t i = t->events_len++;

    if (i == t->events_room) {
        t->events_room = i == 0 ? 256 : 2 * i;
        t->events = realloc(t->events, t->events_room * sizeof *t->events);
    }
    for (; i > 0 && is_before(&e, &t->events[(i - 1) / 2]); i = (i - 1) / 2)
        t->events[i] = t->events[(i - 1) / 2];
    t->events[i] = e;
}

static struct town_event next_event(struct town *t)
{
    struct town_event *all = t->events, first = all[0];
    uint32_t i = 0;

    t->events_len--;
    for (uint32_t least; (least = 2 * i + 1) < t->events_len; i = least) {
        if (least + 1 < t->events_len && is_before(&all[least + 1], &all[least]))
            least++;
        if (!is_before(&all[least], &all[t->events_len]))
            break;
        all[i] = all[least];
    }
    all[i] = all[t->events_len];
    return first;
}

void town_later(struct town *t, gw_nanos delay, uint32_t what)
{
    town_at(t, delay, TOWN_EV_ACT, what, 0);
}

/* ---- clocks ---- */

gw_nanos town_clock(const struct town *t)
{
    return t->is_standing ? t->stands_at : (gw_nanos)((int64_t)t->now + t->lead);
}

void town_step_clock(struct town *t, int64_t by)
{
    if (by > 0 || (gw_nanos)-by < town_clock(t))
        t->lead += by;
    for (uint32_t i = 0; i < t->workers_len; i++)
        t->is_awake[i] = true;
}

void town_stop_clock(struct town *t, bool stands)
{
    t->stands_at = town_clock(t);
    t->is_standing = stands;
}

static uint64_t unix_nanos(void *ctx)
{
    const struct town *t = ctx;

    return UINT64_C(1700000000) * TOWN_SECOND + (uint64_t)((int64_t)t->now + t->wall_lead);
}

/* When the gateway's clock shows that. */
static gw_nanos when_clock(const struct town *t, gw_nanos clock)
{
    int64_t when = (int64_t)clock - t->lead;

    if (clock == GW_NEVER || t->is_standing)
        return GW_NEVER;
    return when < (int64_t)t->now ? t->now : (gw_nanos)when;
}

/* ---- the gateway ---- */

static void *take(void *ctx, size_t size)
{
    struct town *t = ctx;

    t->allocations++;
    if (t->fail_alloc_at > 0 && (t->allocations == t->fail_alloc_at ||
                                 (t->fails_for_ever && t->allocations > t->fail_alloc_at))) {
        t->allocations_failed++;
        return NULL;
    }
    t->memory += size;
    return malloc(size);
}

static void give_back(void *ctx, void *ptr, size_t size)
{
    struct town *t = ctx;

    t->memory -= size;
    free(ptr);
}

static void entropy(void *ctx, void *out, size_t len)
{
    struct town *t = ctx;
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)gw_prng_next(&t->prng);
}

static void misused(void *ctx, const char *call, const char *text)
{
    TOWN_CHECK((struct town *)ctx, false, "%s: %s", call, text);
}

static void wake(void *ctx)
{
    *(bool *)ctx = true;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    struct town *t = ctx;
    struct town_ask *a = town_ask_of(t, x);

    TOWN_CHECK(t, a != NULL && ++a->begun == 1, "a request nobody sent, or it begins twice");
    return GW_NEXT;
}

static gw_verdict on_route(void *ctx, gw_exchange *x)
{
    struct town *t = ctx;
    struct town_ask *a = town_ask_of(t, x);

    a->order = ++t->routed;
    a->routed = x->of->links->now;
    a->is_limited = x->route->limiters_len > 0;
    return GW_NEXT;
}

static gw_verdict on_upstream(void *ctx, gw_exchange *x)
{
    town_ask_of(ctx, x)->tries++;
    return GW_NEXT;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    struct town *t = ctx;
    struct town_ask *a = town_ask_of(t, x);
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    if (a == NULL) /* its head never came whole */
        return;
    TOWN_CHECK(t, ++a->over == 1, "a request ends twice");
    TOWN_CHECK(t, gw_exchange_get_info(x, &info) == GW_OK, "info");
    a->cause = gw_exchange_cause(x);
    a->sent_code = info.code;
    a->over_order = ++t->routed;
    town_trace(t, "%u ends: %s/%s/%u", (uint32_t)(a - t->asks), gw_by_name(a->cause.by),
               gw_phase_name(a->cause.phase), a->cause.reason);
}

gw_filter town_filter(struct town *t)
{
    gw_filter filter = GW_SPEC(gw_filter);

    filter.name = "town";
    filter.ctx = t;
    filter.on_request = on_request;
    filter.on_route = on_route;
    filter.on_upstream = on_upstream;
    filter.on_end = on_end;
    return filter;
}

gw_env town_env(struct town *t)
{
    gw_env env = GW_SPEC(gw_env);

    env.allocator = t->allocator;
    env.entropy = entropy;
    env.entropy_ctx = t;
    env.unix_nanos = unix_nanos;
    env.unix_ctx = t;
    env.panic = misused;
    env.panic_ctx = t;
    return env;
}

struct town *town_new(uint64_t seed)
{
    struct town *t = calloc(1, sizeof *t);

    t->seed = t->prng.state = seed;
    t->now = TOWN_SECOND;
    t->latency = GW_MS(1);
    t->free_job = TOWN_NOBODY;
    t->allocator = (gw_allocator){ t, take, give_back };
    return t;
}

bool town_open(struct town *t, gw_config *config, const gw_limits *limits, uint32_t workers)
{
    gw_env env = town_env(t);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_status status;

    engine.env = &env;
    engine.limits = limits;
    engine.workers_max = workers;
    status = gw_engine_new(&engine, &t->engine);
    if (status == GW_OK)
        status = gw_engine_apply(t->engine, config, NULL);
    gw_config_unref(config);
    for (uint32_t i = 0; i < workers && status == GW_OK; i++) {
        gw_worker_spec spec = GW_SPEC(gw_worker_spec);
        spec.ops = &town_io;
        spec.io = t;
        spec.user = (void *)(uintptr_t)i;
        spec.seed = t->seed + i + 1;
        spec.wake = wake;
        spec.wake_ctx = &t->is_awake[i];
        status = gw_worker_new(t->engine, &spec, &t->workers[i]);
        t->workers_len += status == GW_OK;
    }
    TOWN_CHECK(t, status == GW_OK || t->allocations_failed > 0, "no gateway: %s",
               gw_status_name(status));
    return status == GW_OK;
}

void town_free(struct town *t)
{
    for (uint32_t i = 0; i < t->workers_len; i++)
        gw_worker_free(t->workers[i]);
    gw_engine_free(t->engine);
    TOWN_CHECK(t, t->memory == 0, "%llu bytes are left", (unsigned long long)t->memory);
    for (uint32_t i = 0; i < t->wires_len; i++) {
        free(t->wires[i]->in.at);
        free(t->wires[i]->out.at);
        free(t->wires[i]);
    }
    free(t->wires);
    free(t->free_wires);
    free(t->idle);
    free(t->events);
    free(t->asks);
    free(t->jobs);
    free(t);
}

uint64_t town_stat(const struct town *t, const char *name)
{
    uint64_t values[128], sum = 0;
    gw_stat row = GW_SPEC(gw_stat);

    for (uint32_t w = 0; w < t->workers_len; w++) {
        size_t n = gw_stats_read(t->workers[w], values, 128);
        for (size_t i = 0; i < n && gw_stats_describe(i, &row) == GW_OK; i++)
            sum += strcmp(row.name, name) == 0 ? values[i] : 0;
    }
    return sum;
}

/* ---- the main loop ---- */

static void step(struct town *t, uint32_t worker)
{
    int bound = 0;

    t->is_awake[worker] = false;
    while (gw_worker_step(t->workers[worker], town_clock(t)) == GW_AGAIN)
        TOWN_CHECK(t, ++bound < 10000, "worker %u does not come to rest", worker);
    if (t->after_step != NULL)
        t->after_step(t, worker);
}

static void happen(struct town *t, const struct town_event *e)
{
    if (e->what == TOWN_EV_ACT)
        t->act(t, e->who);
    else if (e->what <= TOWN_EV_OUT)
        town_wire_event(t, e);
    else
        town_people_event(t, e);
}

static bool step_awake(struct town *t)
{
    bool any = false;

    for (uint32_t i = 0; i < t->workers_len; i++) {
        if (!t->is_awake[i])
            continue;
        step(t, i);
        any = true;
    }
    return any;
}

/* The first worker whose time it is next. */
static gw_nanos next_deadline(const struct town *t, uint32_t *worker)
{
    gw_nanos first = GW_NEVER;

    for (uint32_t i = 0; i < t->workers_len; i++) {
        gw_nanos when = when_clock(t, gw_worker_deadline(t->workers[i]));
        if (when >= first)
            continue;
        first = when;
        *worker = i;
    }
    return first;
}

void town_run(struct town *t, gw_nanos until)
{
    for (;;) {
        uint32_t worker = 0;
        gw_nanos event, timer;
        struct town_event e;
        if (step_awake(t))
            continue;
        event = t->events_len == 0 ? GW_NEVER : t->events[0].when;
        timer = next_deadline(t, &worker);
        if ((event == GW_NEVER && timer == GW_NEVER) || (event > until && timer > until))
            break;
        if (event <= timer) {
            e = next_event(t);
            t->now = e.when > t->now ? e.when : t->now;
            happen(t, &e);
        } else {
            t->now = timer;
            step(t, worker);
        }
    }
    if (until != GW_NEVER && until > t->now)
        t->now = until;
}

void town_close(struct town *t)
{
    town_stop_clock(t, false);
    for (uint32_t i = 0; i < t->crowds_len; i++)
        t->crowds[i].until = 0;
    for (uint32_t i = 0; i < t->workers_len; i++)
        TOWN_CHECK(t, gw_worker_drain(t->workers[i], 60000) == GW_OK, "drain");
    for (uint32_t i = 0; i < t->workers_len; i++)
        t->is_awake[i] = true;
    town_run(t, GW_NEVER);
    for (uint32_t i = 0; i < t->workers_len; i++)
        TOWN_CHECK(t, gw_worker_is_idle(t->workers[i]), "drained, and something is left for ever");
}
