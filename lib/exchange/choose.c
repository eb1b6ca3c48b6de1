/* exchange/choose.c: how the endpoints of its cluster are now, as balancers ask it; and its key. */

#include "base/assert.h"
#include "exchange/exchange.h"

/* How often another worker may have been faster with the probe that was chosen. */
enum { CHOICES = 4 };

static bool is_tried(const void *ctx, uint32_t i)
{
    return gw_exchange_has_tried(ctx, i);
}

/* In panic too. */
static bool is_shut(const void *ctx, uint32_t i)
{
    return gw_guards_is_shut(ctx, i);
}

static bool is_tried_or_shut(const void *ctx, uint32_t i)
{
    return is_tried(ctx, i) || is_shut(ctx, i);
}

static bool is_available(const void *ctx, uint32_t i)
{
    return gw_guards_may(ctx, i);
}

static uint32_t inflight(const void *ctx, uint32_t i)
{
    const struct gw_exchange *x = ctx;

    return atomic_load_explicit(&gw_exchange_use(x)->states[i]->inflight, memory_order_relaxed);
}

static gw_nanos later(gw_nanos a, gw_nanos b)
{
    return a > b ? a : b;
}

/* What ends at a time tells nobody when it does: it is seen here. */
static uint32_t warmth_since(const struct gw_exchange *x, uint32_t i, gw_nanos when)
{
    const struct gw_endpoint_state *state = gw_exchange_use(x)->states[i];
    gw_nanos now = x->of->links->now;
    struct gw_outlier_view ejected = gw_outlier_look(&state->outlier, now);

    if (!ejected.is_out && ejected.cause != GW_OUTLIER_NONE)
        when = later(when, ejected.until);
    for (int on = 0; on < GW_FORCE_ON_COUNT; on++)
        when = later(when, gw_force_ended(&state->forces[on], now));
    return gw_slow_start(when, now, x->cluster->balance.slow_start);
}

static uint32_t warmth(const void *ctx, uint32_t i)
{
    const struct gw_exchange *x = ctx;

    return warmth_since(x, i, gw_state_since(gw_exchange_use(x)->states[i], x->of->links->now));
}

/* The same, and nobody learns that somebody has asked. */
static uint32_t warmth_look(const void *ctx, uint32_t i)
{
    const struct gw_exchange *x = ctx;

    return warmth_since(x, i,
                        gw_state_since_look(gw_exchange_use(x)->states[i], x->of->links->now));
}

/* What costs nothing where nobody asks for it. */
static struct gw_candidates candidates(const struct gw_exchange *x, const struct gw_balance *b,
                                       bool is_dry)
{
    struct gw_candidates who = { .ctx = x };

    if (b->kind == GW_BALANCE_LEAST_REQUEST || b->load_percent != 0) {
        who.inflight = inflight;
        who.inflight_sum = atomic_load_explicit(&gw_exchange_use(x)->state->inflight,
                                                memory_order_relaxed) -
                           x->has_place; /* its own is no other's load */
    }
    if (x->cluster->balance.slow_start != 0)
        who.warmth = is_dry ? warmth_look : warmth;
    if (x->tries > 0)
        who.is_excluded = is_tried;
    if (GW_UNLIKELY(x->guards != NULL) && gw_exchange_use(x)->is_any_shut) {
        who.is_excluded = x->tries > 0 ? is_tried_or_shut : is_shut;
        who.is_available = is_available;
        who.available = gw_exchange_use(x)->available;
    }
    return who;
}

static gw_str client_of(const void *ctx)
{
    const struct gw_exchange *x = ctx;

    return x->down_link != NULL ? gw_identity_client(x) : (gw_str){ NULL, 0 };
}

static gw_str identity_of(const void *ctx)
{
    const struct gw_exchange *x = ctx;

    return x->down_link != NULL ? gw_link_identity(x->down_link) : (gw_str){ NULL, 0 };
}

static gw_str server_name_of(const void *ctx)
{
    const struct gw_exchange *x = ctx;

    return x->down_link != NULL ? gw_link_server_name(x->down_link) : (gw_str){ NULL, 0 };
}

static gw_str label_of(const void *ctx, gw_str name)
{
    return gw_exchange_label(ctx, name);
}

struct gw_key_source gw_exchange_source(const struct gw_exchange *x)
{
    return (struct gw_key_source){ .request = &x->request,
                                   .ctx = x,
                                   .client = client_of,
                                   .identity = identity_of,
                                   .server_name = server_name_of,
                                   .label = label_of,
                                   .given = x->has_given_key ? &x->given_key : NULL };
}

bool gw_exchange_key(const struct gw_exchange *x, const struct gw_key *keys, uint32_t len,
                     uint64_t *out)
{
    struct gw_key_source from = gw_exchange_source(x);
    uint32_t which;

    return gw_key_first(keys, len, &from, out, &which);
}

/* trace not NULL: nothing that others share is changed. */
static uint32_t choose(struct gw_exchange *x, struct gw_pick_trace *trace)
{
    struct gw_cluster_use *use = gw_exchange_use(x);
    const struct gw_balance *b = &use->endpoints->balancer;
    struct gw_candidates who;
    uint64_t key;
    bool has_key;
    uint32_t i;

    if (GW_UNLIKELY(b->kind == GW_BALANCE_HOST))
        return gw_custom_choose(x);
    who = candidates(x, b, trace != NULL);
    has_key = b->kind == GW_BALANCE_CONSISTENT_HASH &&
              gw_exchange_key(x, x->cluster->balance.keys, x->cluster->balance.keys_len, &key);
    i = gw_balance_pick(b, &use->turn, &who, has_key ? &key : NULL, trace);
    if (i != UINT32_MAX || x->tries == 0)
        return i;
    who.is_excluded = x->guards != NULL ? is_shut : NULL; /* nobody else is left */
    return gw_balance_pick(b, &use->turn, &who, has_key ? &key : NULL, trace);
}

static bool is_hosts(const struct gw_exchange *x)
{
    return gw_exchange_use(x)->endpoints->balancer.kind == GW_BALANCE_HOST;
}

uint32_t gw_exchange_choose(struct gw_exchange *x)
{
    uint32_t i;

    if (GW_UNLIKELY(x->cluster->affinity != NULL)) {
        i = gw_affinity_choose(x);
        if (i != UINT32_MAX && (x->guards == NULL || gw_guards_take(x, i)))
            return i;
    }
    if (GW_LIKELY(x->guards == NULL))
        return choose(x, NULL);
    if (!gw_guards_look(x))
        return UINT32_MAX;
    for (int n = 0; n < CHOICES; n++) {
        i = choose(x, NULL);
        if (i == UINT32_MAX && n == 0 && !is_hosts(x) && gw_guards_knows_one(x)) {
            gw_exchange_use(x)->view_until = 0; /* another thread has just shut who was there */
            if (gw_guards_look(x))
                i = choose(x, NULL);
        }
        if (i >= gw_exchange_use(x)->endpoints->len || gw_guards_take(x, i))
            return i;
        gw_exchange_use(x)->is_any_shut = true; /* another worker has just found out */
    }
    return UINT32_MAX;
}

uint32_t gw_exchange_foresee(struct gw_exchange *x, struct gw_pick_trace *trace, bool *is_kept)
{
    uint32_t i = x->cluster->affinity != NULL ? gw_affinity_choose(x) : UINT32_MAX;

    *trace = (struct gw_pick_trace){ .chosen = i };
    *is_kept = i != UINT32_MAX;
    if (*is_kept)
        return i;
    return x->guards == NULL || gw_guards_look(x) ? choose(x, trace) : UINT32_MAX;
}
