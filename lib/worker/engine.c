/* worker/engine.c: made and freed; configurations handed to workers: one slot each, exchanged
 * atomically; the newer generation wins, so that two threads that apply at once leave all workers on the
 * same one. */

#include "worker/engine.h"

#include <string.h>

#include "base/assert.h"
#include "base/spec.h"
#include "config/limits.h"
#include "exchange/exchange.h"
#include "os/env.h"
#include "worker/worker.h"

static uint64_t seed_of(const gw_engine *e)
{
    uint64_t seed = 0;

    e->env.entropy(e->env.entropy_ctx, &seed, sizeof seed);
    return seed;
}

gw_status gw_engine_new(const gw_engine_spec *spec, gw_engine **out)
{
    gw_engine_spec own;
    gw_env env;
    gw_limits limits = { 0 };
    gw_engine *e;
    gw_status status;

    memset(&own, 0, sizeof own);
    memset(&env, 0, sizeof env);
    status = gw_spec_copy(&own, sizeof own, spec);
    if (status == GW_OK && own.env != NULL)
        status = gw_spec_copy(&env, sizeof env, own.env);
    if (status == GW_OK)
        status = gw_limits_complete(own.limits, &limits);
    if (status == GW_OK && (own.workers_max > GW_WORKERS_MAX ||
                            (env.allocator.alloc == NULL) != (env.allocator.release == NULL)))
        status = GW_EINVAL;
    if (status != GW_OK || out == NULL)
        return status != GW_OK ? status : GW_EINVAL;
    gw_os_env_fill(&env);
    e = gw_allocator_zalloc(&env.allocator, sizeof *e);
    if (e == NULL)
        return GW_ENOMEM;
    e->env = env;
    e->limits = limits;
    e->name = (uint32_t)seed_of(e);
    e->workers_max = own.workers_max == 0 ? 1 : own.workers_max;
    e->seats = gw_allocator_zalloc(&env.allocator, e->workers_max * sizeof *e->seats);
    if (e->seats == NULL) {
        env.allocator.release(env.allocator.ctx, e, sizeof *e);
        return GW_ENOMEM;
    }
    gw_registry_init(&e->registry, &e->env.allocator, seed_of(e));
    gw_tickets_init(&e->tickets, &e->env);
    atomic_flag_clear(&e->is_changing);
    *out = e;
    return GW_OK;
}

/* ---- applying ---- */

struct gw_binding *gw_engine_hand_over(struct gw_engine_seat *seat, struct gw_binding *mine)
{
    struct gw_binding *other = NULL;

    while (mine != NULL) {
        uint64_t generation = mine->generation; /* once it is there, it is others' to free */
        other = atomic_exchange_explicit(&seat->binding, mine, memory_order_acq_rel);
        if (other == NULL || other->generation < generation)
            break;
        mine = other; /* the newer one goes back, in the same way */
        other = NULL;
    }
    gw_waker_call(&seat->waker);
    return other;
}

struct gw_binding *gw_engine_pick_up(struct gw_engine_seat *seat)
{
    if (atomic_load_explicit(&seat->binding, memory_order_relaxed) == NULL)
        return NULL;
    return atomic_exchange_explicit(&seat->binding, NULL, memory_order_acq_rel);
}

void gw_engine_call(gw_engine *e, const struct gw_engine_seat *but)
{
    for (uint32_t i = 0; i < e->workers_max; i++) {
        if (&e->seats[i] == but || !atomic_load(&e->seats[i].is_taken))
            continue;
        atomic_store(&e->seats[i].is_called, true);
        gw_waker_call(&e->seats[i].waker);
    }
}

static void free_bindings(const gw_engine *e, struct gw_binding **made)
{
    for (uint32_t i = 0; i < e->workers_max; i++)
        gw_binding_free(made[i]);
    e->env.allocator.release(e->env.allocator.ctx, made, e->workers_max * sizeof(void *));
}

void gw_engine_set_error(gw_config_error *err, gw_status status, const char *text)
{
    gw_config_error own = GW_SPEC(gw_config_error);
    struct gw_text t;

    if (err == NULL)
        return;
    own.status = status;
    gw_text_init(&t, own.text, sizeof own.text);
    gw_text_cstr(&t, text);
    (void)!gw_spec_fill(err, &own, sizeof own);
}

/* Every exchange needs the memory of all filters, and that of its origin: what cannot be had is
 * refused here, not with each request. err says "filters[1].exchange_bytes" and the sum. */
static gw_status refuse_memory(gw_config_error *err, const char *list, uint32_t i,
                               const char *field, uint64_t sum, uint64_t most, const char *why)
{
    gw_config_error own = GW_SPEC(gw_config_error);
    struct gw_text t;

    own.status = GW_ELIMIT;
    gw_text_init(&t, own.where, sizeof own.where);
    gw_text_cstr(&t, list);
    gw_text_cstr(&t, "[");
    gw_text_u64(&t, i);
    gw_text_cstr(&t, "].");
    gw_text_cstr(&t, field);
    gw_text_init(&t, own.text, sizeof own.text);
    gw_text_u64(&t, sum);
    gw_text_cstr(&t, why);
    gw_text_u64(&t, most);
    if (err != NULL)
        (void)!gw_spec_fill(err, &own, sizeof own);
    return GW_ELIMIT;
}

static gw_status check_memory(const gw_engine *e, const gw_config *config, gw_config_error *err)
{
    static const char one[] = " bytes of one hook: more than a block holds, ";
    static const char all[] = " bytes of all hooks of an exchange: more than exchange_bytes_max, ";
    uint64_t sum = 0, most = e->limits.exchange_bytes_max;
    uint64_t piece_max = gw_exchange_piece_max(&e->limits);

    for (uint32_t i = 0; i < config->filters_len; i++) {
        uint64_t n = config->filters[i].exchange_bytes;
        sum += n;
        if (n > piece_max)
            return refuse_memory(err, "filters", i, "exchange_bytes", n, piece_max, one);
        if (sum > most)
            return refuse_memory(err, "filters", i, "exchange_bytes", sum, most, all);
    }
    for (uint32_t i = 0; i < config->clusters_len; i++) {
        const struct gw_cluster_conf *c = &config->clusters[i];
        uint64_t n = c->has_origin ? c->origin.exchange_bytes : 0;
        if (n > piece_max)
            return refuse_memory(err, "clusters", i, "origin.exchange_bytes", n, piece_max, one);
        if (n > 0 && sum + n > most)
            return refuse_memory(err, "clusters", i, "origin.exchange_bytes", sum + n, most, all);
    }
    return GW_OK;
}

/* ---- one at a time ---- */

gw_nanos gw_engine_newest(const gw_engine *e)
{
    gw_nanos now = 0, at;

    for (uint32_t i = 0; i < e->workers_max; i++) {
        at = atomic_load_explicit(&e->seats[i].now, memory_order_relaxed);
        now = at > now ? at : now;
    }
    return now;
}

void gw_engine_enter(gw_engine *e)
{
    while (atomic_flag_test_and_set_explicit(&e->is_changing, memory_order_acquire))
        e->env.pause(e->env.pause_ctx);
}

void gw_engine_leave(gw_engine *e)
{
    struct gw_edition *outdated = e->outdated;
    struct gw_binding *displaced = e->displaced, *next;

    e->outdated = NULL;
    e->displaced = NULL;
    atomic_flag_clear_explicit(&e->is_changing, memory_order_release);
    for (; displaced != NULL; displaced = next) {
        next = displaced->next;
        gw_binding_free(displaced);
    }
    gw_edition_unref(outdated);
}

static gw_status make_bindings(gw_engine *e, struct gw_edition *edition, struct gw_binding **made)
{
    for (uint32_t i = 0; i < e->workers_max; i++)
        if (gw_binding_new(&e->env.allocator, edition, seed_of(e), &made[i]) != GW_OK)
            return GW_ENOMEM;
    return GW_OK;
}

gw_status gw_engine_publish(gw_engine *e, struct gw_edition *edition)
{
    const gw_allocator *a = &e->env.allocator;
    struct gw_binding **made = gw_allocator_zalloc(a, e->workers_max * sizeof(void *));
    uint64_t generation;

    if (made == NULL || make_bindings(e, edition, made) != GW_OK) {
        if (made != NULL)
            free_bindings(e, made);
        gw_edition_unref(edition);
        return GW_ENOMEM;
    }
    gw_edition_succeed(edition, e->current);
    generation = atomic_fetch_add_explicit(&e->generations, 1, memory_order_relaxed) + 1;
    for (uint32_t i = 0; i < e->workers_max; i++) {
        struct gw_binding *displaced;
        made[i]->generation = generation;
        displaced = gw_engine_hand_over(&e->seats[i], made[i]);
        if (displaced == NULL)
            continue;
        displaced->next = e->displaced;
        e->displaced = displaced;
    }
    a->release(a->ctx, made, e->workers_max * sizeof(void *));
    e->outdated = e->current;
    e->current = edition;
    gw_waker_call(&e->resolver);
    return GW_OK;
}

static gw_status apply(gw_engine *e, gw_config *config)
{
    struct gw_edition_plan plan = { .config = config,
                                    .before = e->current,
                                    .workers = e->workers_max };
    struct gw_edition *edition;
    gw_status status = gw_edition_new(&e->env.allocator, &e->registry, &plan, &edition);

    return status == GW_OK ? gw_engine_publish(e, edition) : status;
}

gw_status gw_engine_apply(gw_engine *e, gw_config *config, gw_config_error *err)
{
    gw_status status;

    if (e == NULL || config == NULL)
        return GW_EINVAL;
    status = check_memory(e, config, err);
    if (status != GW_OK)
        return status;
    gw_engine_enter(e);
    status = apply(e, config);
    gw_engine_leave(e);
    if (status != GW_OK)
        gw_engine_set_error(err, status, "no memory to apply it: the old one stays");
    return status;
}

gw_config *gw_engine_config(gw_engine *e)
{
    gw_config *config = NULL;

    gw_engine_enter(e);
    if (e->current != NULL)
        config = gw_config_ref(e->current->config);
    gw_engine_leave(e);
    return config;
}

uint64_t gw_engine_generation(const gw_engine *e)
{
    return e == NULL ? 0 : atomic_load_explicit(&e->generations, memory_order_relaxed);
}

const gw_allocator *gw_engine_allocator(const gw_engine *e)
{
    return &e->env.allocator;
}

/* The host's mistake: nothing of its worker is touched. */
static void complain(gw_engine *e)
{
    struct gw_misuse misuse = { .env = &e->env };
    struct gw_log log;

    gw_misuse_note(&misuse, GW_MISUSE_ENGINE_FREE_EARLY);
    if (atomic_exchange(&e->is_complained, true))
        return;
    gw_log_init(&log, &e->env);
    (void)gw_misuse_say(&misuse, &log, 0);
}

void gw_engine_free(gw_engine *e)
{
    gw_allocator allocator;

    if (e == NULL)
        return;
    for (uint32_t i = 0; i < e->workers_max; i++)
        if (atomic_load(&e->seats[i].is_taken)) { /* a worker still uses it */
            complain(e);
            return;
        }
    if (atomic_load(&e->views) > 0 || atomic_load(&e->has_resolver)) {
        complain(e);
        return;
    }
    allocator = e->env.allocator;
    for (uint32_t i = 0; i < e->workers_max; i++)
        gw_binding_free(atomic_load(&e->seats[i].binding));
    gw_edition_unref(e->current);
    gw_registry_fini(&e->registry);
    gw_tickets_fini(&e->tickets);
    allocator.release(allocator.ctx, e->seats, e->workers_max * sizeof *e->seats);
    allocator.release(allocator.ctx, e, sizeof *e);
}
