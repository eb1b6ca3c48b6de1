/* stories/worlds.c: worlds with policies, by seed, and the command line.
 *
 *     worlds                    200 seeds from 1; one of ten twice: the same must come of it
 *     worlds --seed 7 --trace   one of them, saying what happens
 *     worlds --seeds 5000 --from 1000
 *     worlds --alloc 7          a seed's allocations fail, one after the other and then for good
 */

#include "worlds.h"

#include <signal.h>

#include "worker/worker.h"

static const char *const addresses[] = { "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80",
                                         "10.0.0.4:80", "10.0.0.5:80", "10.0.0.6:80" };
enum { PLAY_S = 5, HEAL_S = 12, WELL_S = 8 };

static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)world_below(w, n);
}

/* ---- what is drawn once ---- */

static void draw_rate(struct world *w, struct world_limiter *l)
{
    static const uint32_t periods[] = { 100, 1000, 10000 };
    struct world_rate *r = &l->rates[l->rates_len++];

    r->order = w->town->routed;
    r->period_ms = periods[below(w, 3)];
    r->tokens = 1 + below(w, r->period_ms / 10);
    r->burst = 1 + below(w, 40);
}

static void draw_limiter(struct world *w, struct world_limiter *l)
{
    l->is_there = world_chance(w, 40);
    l->is_keyed = world_chance(w, 50);
    l->passes_without = world_chance(w, 30);
    l->is_shadow = world_chance(w, 15);
    l->is_closed = world_chance(w, 50);
    l->is_per_worker = world_chance(w, 15);
    l->keys_max = world_chance(w, 50) ? 8 : 8192;
    if (!l->is_keyed && world_chance(w, 30))
        l->ceiling = 1 + below(w, 20);
    if (l->ceiling > 0)
        l->is_per_worker = false;
    draw_rate(w, l);
}

static void draw_cluster(struct world *w, struct world_cluster *c)
{
    c->has_breaker = world_chance(w, 60);
    c->has_outlier = world_chance(w, 40);
    c->has_throttle = world_chance(w, 30);
    c->exchanges_max = world_chance(w, 30) ? 1 + below(w, 30) : 0;
    c->pending_max = world_chance(w, 30) ? 1 + below(w, 10) : 0;
    if (c->exchanges_max > 0 && c->pending_max > c->exchanges_max)
        c->pending_max = c->exchanges_max;
    c->retries_max = world_chance(w, 30) ? 1 + below(w, 5) : 0;
    if (c->exchanges_max > 0 && c->retries_max > c->exchanges_max)
        c->retries_max = c->exchanges_max;
    c->has_fallback = (c->has_breaker || c->has_throttle || c->exchanges_max > 0) &&
                      world_chance(w, 40);
    c->probes = 1 + below(w, 3);
    c->response_ms = 100 + below(w, 900);
    c->connect_ms = 50 + below(w, 300);
    c->connections_max = world_chance(w, 30) ? 1 + below(w, 8) : 0;
    c->retry_percent = below(w, 60);
    c->retry_least = below(w, 20);
}

/* From a generator of its own: so the seeds that have found something are what they were. */
static void draw_ceilings(struct world *w, uint64_t seed)
{
    struct gw_prng prng = { seed ^ 0xcef11f6 };

    for (uint32_t i = 0; i < WORLD_CLUSTERS; i++)
        if (gw_prng_below(&prng, 10) < 4)
            w->clusters[i].all_connections_max = 1 + (uint32_t)gw_prng_below(&prng, 10);
}

static void draw(struct world *w)
{
    uint32_t services = 2 + below(w, 5);

    w->workers = 1 + below(w, TOWN_WORKERS);
    w->clusters[0].name = "one";
    w->clusters[1].name = "two";
    for (uint32_t i = 0; i < WORLD_LIMITERS; i++)
        draw_limiter(w, &w->limiters[i]);
    for (uint32_t i = 0; i < WORLD_CLUSTERS; i++)
        draw_cluster(w, &w->clusters[i]);
    w->clusters[0].falls_to_other = w->clusters[0].has_fallback && world_chance(w, 50);
    w->clusters[0].count = 1 + below(w, services - 1);
    w->clusters[1].first = w->clusters[0].count;
    w->clusters[1].count = services - w->clusters[0].count;
    for (uint32_t i = 0; i < services; i++)
        town_service(w->town, addresses[i], GW_MS(1 + below(w, 30)), 4 + below(w, 40));
    w->is_split = world_chance(w, 30);
    w->has_split_keys = world_chance(w, 30);
    w->retries = below(w, 4);
    w->retry_on = 1 + below(w, 2 * GW_RETRY_5XX - 1);
    w->is_unsafe = world_chance(w, 10);
    w->per_try_ms = world_chance(w, 30) ? 100 + below(w, 300) : 0;
    w->clock_steps = world_chance(w, 20);
    w->clock_jumps = world_chance(w, 20);
    w->moods_change = world_chance(w, 85);
    w->refuses = w->moods_change && world_chance(w, 50);
    w->endpoints_change = world_chance(w, 30);
    w->is_patient = world_chance(w, 50);
    w->reloads = world_chance(w, 40) ? 1 + below(w, 5) : 0;
}

/* ---- what each configuration is ---- */

static void add_limiter(struct world *w, gw_builder *b, uint32_t i)
{
    static const char *const names[] = { "l0", "l1" };
    const gw_str key = GW_STR("header:x-user");
    const struct world_limiter *l = &w->limiters[i];
    const struct world_rate *r = &l->rates[l->rates_len - 1];
    gw_limiter_spec spec = GW_SPEC(gw_limiter_spec);

    spec.name = gw_cstr(names[i]);
    spec.code = i == 0 ? 429 : WORLD_CODE;
    spec.scope = l->is_per_worker ? GW_SCOPE_PER_WORKER : GW_SCOPE_SHARED;
    spec.flags = (l->is_shadow ? GW_LIMITER_SHADOW : 0) | (i == 0 ? GW_LIMITER_FIELDS : 0);
    if (l->is_keyed) {
        spec.keys = &key;
        spec.keys_len = 1;
        spec.keys_max = l->keys_max;
        spec.flags |= (l->is_closed ? GW_LIMITER_CLOSED : 0) |
                      (l->passes_without ? GW_LIMITER_KEYED : 0);
    }
    if (l->ceiling > 0) {
        spec.concurrency = l->ceiling;
    } else {
        spec.tokens = r->tokens;
        spec.period_ms = r->period_ms;
        spec.burst = r->burst;
    }
    gw_builder_limiter(b, &spec);
}

struct guards {
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    gw_throttle_spec throttle;
    gw_fallback_spec fallback;
};

static struct guards draw_guards(struct world *w, const struct world_cluster *c)
{
    struct guards g = { GW_SPEC(gw_breaker_spec), GW_SPEC(gw_outlier_spec),
                        GW_SPEC(gw_throttle_spec), GW_SPEC(gw_fallback_spec) };

    g.breaker.failures = 1 + below(w, 8);
    g.breaker.error_percent = 1 + below(w, 100);
    g.breaker.volume_min = 1 + below(w, 20);
    g.breaker.window_ms = 100 + below(w, 2000);
    g.breaker.sleep_ms = 20 + below(w, 500);
    g.breaker.sleep_max_ms = g.breaker.sleep_ms + below(w, 1000);
    g.breaker.probes = c->probes;
    g.breaker.probe_timeout_ms = 5000;
    g.outlier.failures = 1 + below(w, 8);
    g.outlier.latency_percent = world_chance(w, 30) ? 200 : 0;
    g.outlier.endpoints_min = 2;
    g.outlier.volume_min = 5 + below(w, 20);
    g.outlier.interval_ms = 200 + below(w, 1000);
    g.outlier.time_ms = 100 + below(w, 1000);
    g.outlier.time_max_ms = 2000;
    g.outlier.share_percent = 10 + below(w, 90);
    g.throttle.success_percent = 40 + below(w, 40);
    g.throttle.volume_min = 5 + below(w, 50);
    g.throttle.window_ms = 100 + below(w, 1000);
    if (c->falls_to_other)
        g.fallback.cluster = GW_STR("two");
    else
        g.fallback.code = WORLD_FALLBACK;
    return g;
}

static void add_cluster(struct world *w, gw_builder *b, struct world_cluster *c)
{
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);
    struct guards g = draw_guards(w, c);
    gw_id id;

    c->balance = 1 + below(w, 4); /* GW_BALANCE_* */
    spec.name = gw_cstr(c->name);
    spec.balance = c->balance;
    spec.response_timeout_ms = c->response_ms;
    spec.connect_timeout_ms = c->connect_ms;
    spec.connections_max = c->connections_max;
    spec.retry_percent = c->retry_percent > 0 ? c->retry_percent : GW_OFF;
    spec.retry_least = c->retry_least > 0 ? c->retry_least : GW_OFF;
    spec.breaker = c->has_breaker ? &g.breaker : NULL;
    spec.outlier = c->has_outlier ? &g.outlier : NULL;
    spec.throttle = c->has_throttle ? &g.throttle : NULL;
    spec.fallback = c->has_fallback ? &g.fallback : NULL;
    spec.exchanges_max = c->exchanges_max;
    spec.pending_max = c->pending_max;
    spec.retries_max = c->retries_max;
    spec.all_connections_max = c->all_connections_max;
    if (c->balance != GW_BALANCE_CONSISTENT_HASH && world_chance(w, 20))
        spec.slow_start_ms = 500;
    if (world_chance(w, 20))
        spec.panic_percent = GW_OFF;
    id = gw_builder_cluster(b, &spec);
    for (uint32_t i = c->first; i < c->first + c->count; i++) {
        gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
        endpoint.address = gw_cstr(addresses[i]);
        endpoint.weight = 1 + below(w, 5);
        endpoint.priority = i == c->first || !world_chance(w, 20) ? 0 : 1;
        gw_builder_endpoint(b, id, &endpoint);
    }
}

static void add_route(struct world *w, gw_builder *b)
{
    gw_str key = GW_STR("header:x-user");
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_retry_spec retry = GW_SPEC(gw_retry_spec);
    gw_split_spec splits[2] = { GW_SPEC(gw_split_spec), GW_SPEC(gw_split_spec) };
    gw_str limiters[WORLD_LIMITERS];

    retry.on = w->retry_on;
    retry.flags = w->is_unsafe ? GW_RETRY_UNSAFE : 0;
    retry.per_try_timeout_ms = w->per_try_ms;
    retry.backoff_base_ms = world_chance(w, 50) ? 1 + below(w, 50) : 0;
    if (w->retries == 0)
        retry.on = retry.backoff_base_ms = 0;
    route.name = route.path = GW_STR("/one");
    route.retries = w->retries > 0 ? w->retries : GW_OFF;
    route.retry = &retry;
    route.request_timeout_ms = 5000;
    if (w->limiters[0].is_there)
        limiters[route.limiters_len++] = GW_STR("l0");
    if (w->limiters[1].is_there)
        limiters[route.limiters_len++] = GW_STR("l1");
    route.limiters = limiters;
    splits[0].cluster = GW_STR("one");
    splits[1].cluster = GW_STR("two");
    splits[0].weight = 1 + below(w, 9);
    if (w->is_split) {
        route.splits = splits;
        route.splits_len = 2;
        route.split_keys = &key;
        route.split_keys_len = w->has_split_keys ? 1 : 0;
    } else {
        route.cluster = GW_STR("one");
    }
    gw_builder_route(b, &route);
    route.name = route.path = GW_STR("/two");
    route.cluster = GW_STR("two");
    route.splits_len = route.split_keys_len = route.limiters_len = 0;
    route.splits = NULL;
    gw_builder_route(b, &route);
}

static gw_verdict on_upstream(void *ctx, gw_exchange *x)
{
    struct world *w = ctx;

    world_note_try(w, x);
    return GW_NEXT;
}

static gw_status build(struct world *w, gw_config **out)
{
    gw_env env = town_env(w->town);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_filter filter = town_filter(w->town), own = GW_SPEC(gw_filter);
    gw_builder *b;
    gw_status status;

    if (gw_builder_new(&env, &b) != GW_OK)
        return GW_ENOMEM;
    own.name = "world";
    own.ctx = w;
    own.on_upstream = on_upstream;
    listener.name = GW_STR("edge");
    gw_builder_listener(b, &listener);
    for (uint32_t i = 0; i < WORLD_LIMITERS; i++)
        if (w->limiters[i].is_there)
            add_limiter(w, b, i);
    for (uint32_t i = 0; i < WORLD_CLUSTERS; i++)
        add_cluster(w, b, &w->clusters[i]);
    add_route(w, b);
    gw_builder_filter(b, &filter);
    gw_builder_filter(b, &own);
    status = gw_builder_build(b, out, &err);
    TOWN_CHECK(w->town, status == GW_OK || w->town->allocations_failed > 0, "%s: %s", err.where,
               err.text);
    return status;
}

/* ---- what is done while it runs ---- */

static void tolerate(struct world *w, gw_status status, const char *what)
{
    TOWN_CHECK(w->town, status == GW_OK || w->town->allocations_failed > 0, "%s: %s", what,
               gw_status_name(status));
}

static void reload(struct world *w)
{
    gw_config *config;
    gw_status status;

    for (uint32_t i = 0; i < WORLD_LIMITERS; i++)
        if (w->limiters[i].rates_len < WORLD_CHANGES && world_chance(w, 50))
            draw_rate(w, &w->limiters[i]);
    if (build(w, &config) != GW_OK)
        return;
    status = gw_engine_apply(w->town->engine, config, NULL);
    gw_config_unref(config);
    town_trace(w->town, "another configuration");
    tolerate(w, status, "apply");
}

static void change_mood(struct world *w)
{
    struct town_service *s = &w->town->services[below(w, w->town->services_len)];
    enum town_mood mood = (enum town_mood)below(w, TOWN_MOODS);

    if (!w->refuses && (mood == TOWN_REFUSES || mood == TOWN_DEAF))
        mood = TOWN_WELL;
    s->mood = world_chance(w, 40) ? TOWN_WELL : mood;
    town_trace(w->town, "%s: mood %d", s->address, (int)s->mood);
}

static void change_endpoints(struct world *w)
{
    struct world_cluster *c = &w->clusters[below(w, WORLD_CLUSTERS)];
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    uint32_t i = c->first + below(w, c->count);
    gw_status status;

    town_trace(w->town, "%s changes", addresses[i]);
    if (world_chance(w, 40)) {
        status = gw_engine_drop_endpoint(w->town->engine, gw_cstr(c->name), gw_cstr(addresses[i]));
        if (status != GW_EUNKNOWN)
            tolerate(w, status, "drop");
        return;
    }
    endpoint.address = gw_cstr(addresses[i]);
    endpoint.weight = world_chance(w, 20) ? GW_OFF : 1 + below(w, 9);
    tolerate(w, gw_engine_put_endpoint(w->town->engine, gw_cstr(c->name), &endpoint, NULL), "put");
}

static void change_splits(struct world *w)
{
    gw_split_spec set[1] = { GW_SPEC(gw_split_spec) };

    if (!w->is_split)
        return;
    set[0].cluster = GW_STR("two");
    set[0].weight = world_chance(w, 20) ? GW_OFF : 1 + below(w, 20);
    tolerate(w, gw_engine_set_splits(w->town->engine, GW_STR("/one"), set, 1, NULL), "splits");
}

static void change_clock(struct world *w)
{
    static const int64_t jumps[] = { 1, 1000, 60000, 3600000 };

    w->town->wall_lead += (int64_t)below(w, 100000) * 1000000 - 50000 * (int64_t)1000000;
    if (w->clock_jumps && world_chance(w, 30))
        town_step_clock(w->town, jumps[below(w, 4)] * 1000000);
    else if (w->clock_steps && world_chance(w, 30))
        town_step_clock(w->town, -(int64_t)below(w, 3000) * 1000000);
    else if (w->clock_steps)
        town_stop_clock(w->town, !w->town->is_standing);
}

enum { ACT_RELOAD, ACT_MOOD, ACT_ENDPOINTS, ACT_SPLITS, ACT_CLOCK };

static void act(struct town *t, uint32_t what)
{
    struct world *w = t->user;

    if (w->is_settling)
        return;
    if (what == ACT_RELOAD)
        reload(w);
    else if (what == ACT_MOOD)
        change_mood(w);
    else if (what == ACT_ENDPOINTS)
        change_endpoints(w);
    else if (what == ACT_SPLITS)
        change_splits(w);
    else
        change_clock(w);
}

static void plan(struct world *w, uint32_t what, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        town_later(w->town, world_below(w, PLAY_S * TOWN_SECOND), what);
}

static void plan_acts(struct world *w)
{
    plan(w, ACT_RELOAD, w->reloads);
    plan(w, ACT_MOOD, w->moods_change ? 3 + below(w, 10) : 0);
    plan(w, ACT_ENDPOINTS, w->endpoints_change ? 1 + below(w, 20) : 0);
    plan(w, ACT_SPLITS, below(w, 5));
    plan(w, ACT_CLOCK, w->clock_steps || w->clock_jumps ? 1 + below(w, 20) : 0);
}

static void send_crowds(struct world *w)
{
    uint32_t n = 1 + below(w, 4);

    for (uint32_t i = 0; i < n; i++) {
        struct town_crowd c = { .method = world_chance(w, 30) ? "POST" : "GET" };
        c.path = world_chance(w, 75) ? "/one" : "/two";
        c.from = w->town->now + world_below(w, TOWN_SECOND);
        c.until = w->town->now + PLAY_S * TOWN_SECOND;
        c.gap = GW_MS(2 + below(w, 30));
        c.patience = w->is_patient ? 0 : GW_MS(20 + below(w, 2000));
        c.users = world_chance(w, 60) ? below(w, 20) : 0;
        c.keeps = world_chance(w, 60);
        c.again = below(w, 3);
        town_crowd(w->town, &c);
    }
}

/* Everybody is well, everything is as configured, nobody is in a hurry: then, after a while, all is good. */
static void settle(struct world *w)
{
    struct town *t = w->town;
    struct town_crowd c = { .method = "GET", .path = "/one", .gap = GW_MS(100) };

    w->is_settling = true;
    town_stop_clock(t, false);
    for (uint32_t i = 0; i < t->services_len; i++)
        t->services[i].mood = TOWN_WELL;
    w->reloads += w->endpoints_change;
    if (w->endpoints_change)
        reload(w);
    c.from = t->now;
    c.until = t->now + (HEAL_S + WELL_S) * TOWN_SECOND;
    w->settled = t->now + HEAL_S * TOWN_SECOND;
    town_crowd(t, &c);
    c.path = "/two";
    town_crowd(t, &c);
    town_run(t, c.until);
}

/* ---- one world ---- */

struct options {
    uint64_t from, seeds, alloc_seed;
    bool is_tracing;
};

static struct town *running;

static void die(int number)
{
    if (running != NULL)
        fprintf(stderr,
                "seed %llu, time %.3f ms: signal %d\n  replay: worlds --seed %llu --trace\n",
                (unsigned long long)running->seed, (double)running->now / 1e6, number,
                (unsigned long long)running->seed);
    signal(number, SIG_DFL);
    raise(number);
}

/* What came of it, as a number. */
static uint64_t run_one(uint64_t seed, const struct options *o, uint64_t fail_alloc, bool for_ever,
                        bool *reached)
{
    struct world w = { .prng = { seed ^ 0x701d } };
    struct town *t = running = w.town = town_new(seed);
    gw_config *config;
    uint64_t hash = seed;

    t->user = &w;
    t->act = act;
    t->after_step = world_look;
    t->is_tracing = o->is_tracing;
    t->lead = 1000 * (int64_t)TOWN_SECOND; /* room to go back */
    t->fail_alloc_at = fail_alloc;
    t->fails_for_ever = for_ever;
    t->latency = GW_MS(1) / (1 + below(&w, 5));
    draw(&w);
    draw_ceilings(&w, seed);
    if (build(&w, &config) == GW_OK && town_open(t, config, NULL, w.workers)) {
        plan_acts(&w);
        send_crowds(&w);
        town_run(t, t->now + PLAY_S * TOWN_SECOND);
        settle(&w);
        town_close(t);
        world_check(&w);
        world_check_states(&w);
    }
    for (uint32_t i = 0; i < t->asks_len; i++)
        hash = (hash ^ (t->asks[i].ended + t->asks[i].code)) * 0x100000001b3u;
    *reached = t->allocations_failed > 0;
    town_free(t);
    running = NULL;
    free(w.tries);
    return hash;
}

static int sweep(const struct options *o)
{
    bool reached = true, ever;
    uint64_t points = 0;

    for (uint64_t k = 1; reached; k += 1 + k / 16) {
        points++;
        run_one(o->alloc_seed, o, k, false, &reached);
        run_one(o->alloc_seed, o, k, true, &ever);
    }
    printf("%llu points of failure reached\n", (unsigned long long)points - 1);
    return 0;
}

static int run_seeds(const struct options *o)
{
    bool reached;

    for (uint64_t seed = o->from; seed < o->from + o->seeds; seed++) {
        uint64_t hash = run_one(seed, o, 0, false, &reached);
        if ((seed - o->from) % 10 == 0 && run_one(seed, o, 0, false, &reached) != hash) {
            fprintf(stderr, "seed %llu: two runs, two outcomes\n", (unsigned long long)seed);
            return 1;
        }
    }
    printf("%llu seeds from %llu: all as it must be\n", (unsigned long long)o->seeds,
           (unsigned long long)o->from);
    return 0;
}

int main(int argc, char **argv)
{
    static const int signals[] = { SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGTERM };
    struct options o = { .from = 1, .seeds = 200 };

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], die);
    for (int i = 1; i < argc; i++) {
        uint64_t n = i + 1 < argc ? strtoull(argv[i + 1], NULL, 10) : 0;
        if (strcmp(argv[i], "--trace") == 0) {
            o.is_tracing = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0) {
            o.from = n;
            o.seeds = 1;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            o.seeds = n;
        } else if (strcmp(argv[i], "--from") == 0) {
            o.from = n;
        } else if (strcmp(argv[i], "--alloc") == 0) {
            o.alloc_seed = n;
        } else {
            fprintf(stderr, "worlds: what is %s? See the head of tests/stories/worlds.c\n",
                    argv[i]);
            return 2;
        }
        i++;
    }
    return o.alloc_seed != 0 ? sweep(&o) : run_seeds(&o);
}
