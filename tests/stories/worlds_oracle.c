/* stories/worlds_oracle.c: what must be true of a world with policies: after each step, and of each request at
 * the end. */

#include "worlds.h"

#include "exchange/exchange.h"
#include "worker/worker.h"

/* ---- after each step ---- */

static const uint32_t may_follow[GW_BREAKER_STATE_COUNT] = {
#define AFTER(id, name, next) next,
    GW_BREAKER_STATES(AFTER)
#undef AFTER
};

/* Those that this half open state has sent; others are late, and have no word in it. */
static uint32_t probes_out(struct world *w, const struct gw_endpoint_state *state)
{
    uint32_t n = 0, turn = state->breaker.word >> 2 & 31;

    for (uint32_t i = 0; i < w->town->workers_len; i++) {
        struct gw_list *all = &w->town->workers[i]->exchanges.all;
        for (struct gw_list *node = all->next; node != all; node = node->next) {
            const struct gw_exchange *x = GW_CONTAINER(node, struct gw_exchange, all);
            n += x->has_ticket && gw_breaker_is_probe(x->ticket) && (x->ticket & 31) == turn &&
                 x->endpoint != NULL && gw_exchange_use(x)->states[x->endpoint->index] == state;
        }
    }
    return n;
}

static void look_at_breaker(struct world *w, const struct gw_endpoint_state *state,
                            const struct gw_breaker_conf *conf)
{
    gw_nanos now = town_clock(w->town);
    struct gw_breaker_view view = gw_breaker_look(&state->breaker, conf, now);
    struct world_state *s = NULL;

    for (uint32_t i = 0; i < w->states_len && s == NULL; i++)
        s = w->states[i].of == state ? &w->states[i] : NULL;
    if (s == NULL) {
        TOWN_CHECK(w->town, w->states_len < WORLD_STATES, "too many states");
        s = &w->states[w->states_len++];
        *s = (struct world_state){ state, (uint32_t)view.state, true };
    }
    s->is_seen = true;
    TOWN_CHECK(w->town,
               s->state == (uint32_t)view.state || (may_follow[s->state] & 1u << view.state) != 0,
               "a breaker was %s and is %s", gw_breaker_state_name((enum gw_breaker_state)s->state),
               gw_breaker_state_name(view.state));
    s->state = (uint32_t)view.state;
    if (view.state == GW_BREAKER_CLOSED)
        return;
    /* It has room, or a time at which it has; on a clock that went back that is later by as much. */
    TOWN_CHECK(w->town,
               view.has_room || view.next == GW_NEVER || w->clock_steps ||
                   view.next <= now + conf->probe_timeout + 2 * conf->sleep_max,
               "a breaker that is %s for %llu ms", gw_breaker_state_name(view.state),
               (unsigned long long)((view.next - now) / GW_MS(1)));
    TOWN_CHECK(w->town, view.has_room || view.next != GW_NEVER, "a breaker that is %s for ever",
               gw_breaker_state_name(view.state));
}

/* Those that there are, in all workers. */
static uint32_t count_connections(const struct world *w, gw_str cluster)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->workers; i++) {
        struct gw_list *all = &w->town->workers[i]->links.all;
        for (struct gw_list *node = all->next; node != all; node = node->next) {
            const struct gw_link *link = GW_CONTAINER(node, struct gw_link, all);
            n += link->upstream != NULL && gw_str_eq(link->upstream->cluster, cluster);
        }
    }
    return n;
}

static void look_at_connections(struct world *w, const struct gw_cluster_conf *conf,
                                const struct gw_ceiling *c)
{
    TOWN_CHECK(w->town, c->taken <= conf->all_connections_max, "%u connections", c->taken);
    TOWN_CHECK(w->town, c->taken == count_connections(w, conf->name), "%u connections, not %u",
               count_connections(w, conf->name), c->taken);
    TOWN_CHECK(w->town, c->leaving <= c->taken && c->starved <= c->wanted,
               "%u leave, %u starve of %u", c->leaving, c->starved, c->wanted);
}

static void look_at_cluster(struct world *w, const struct gw_cluster_conf *conf,
                            const struct gw_cluster_use *use)
{
    const struct gw_guards_conf *g = conf->guards;
    const struct gw_cluster_state *s = use->state;

    look_at_connections(w, conf, &s->connections);
    if (g == NULL)
        return;
    TOWN_CHECK(w->town, s->inflight <= g->exchanges_max, "%u at once", s->inflight);
    TOWN_CHECK(w->town, s->pending <= g->pending_max, "%u wait at once", s->pending);
    TOWN_CHECK(w->town, s->retries <= g->retries_max, "%u retries at once", s->retries);
    for (uint32_t i = 0; g->has_breaker && i < use->endpoints->len; i++) {
        look_at_breaker(w, use->states[i], &g->breaker);
        if (!w->clock_jumps)
            TOWN_CHECK(w->town, probes_out(w, use->states[i]) <= g->breaker.probes, "%u probes",
                       probes_out(w, use->states[i]));
    }
}

void world_look(struct town *t, uint32_t worker)
{
    struct world *w = t->user;
    const struct gw_binding *b = t->workers[worker]->exchanges.binding;
    uint32_t kept = 0;

    if (b == NULL || b->generation != gw_engine_generation(t->engine))
        return;
    for (uint32_t i = 0; i < w->states_len; i++)
        w->states[i].is_seen = false;
    for (uint32_t i = 0; i < b->config->clusters_len; i++)
        look_at_cluster(w, &b->config->clusters[i], &b->clusters[i]);
    for (uint32_t i = 0; i < w->states_len; i++) /* what is forgotten begins anew */
        if (w->states[i].is_seen)
            w->states[kept++] = w->states[i];
    w->states_len = kept;
}

void world_note_try(struct world *w, const gw_exchange *x)
{
    struct world_try *try;

    if (w->tries_len == w->tries_room) {
        w->tries_room = w->tries_room == 0 ? 256 : 2 * w->tries_room;
        w->tries = realloc(w->tries, w->tries_room * sizeof *w->tries);
    }
    try = &w->tries[w->tries_len++];
    *try = (struct world_try){ x->of->links->now, gw_exchange_worker(x)->index, x->cluster->index,
                               x->tries > 1 };
}

/* ---- limiters ---- */

static int by_order(const void *a, const void *b)
{
    const struct town_ask *x = *(struct town_ask *const *)a, *y = *(struct town_ask *const *)b;

    return x->order < y->order ? -1 : x->order > y->order;
}

/* Requests in the order in which limiters met them. */
static struct town_ask **in_order(struct town *t, uint32_t *len)
{
    struct town_ask **all = malloc((t->asks_len + 1) * sizeof *all);

    *len = 0;
    for (uint32_t i = 0; i < t->asks_len; i++)
        if (t->asks[i].order > 0 && t->asks[i].is_limited)
            all[(*len)++] = &t->asks[i];
    qsort(all, *len, sizeof *all, by_order);
    return all;
}

static uint32_t code_of(uint32_t limiter)
{
    return limiter == 0 ? 429 : WORLD_CODE;
}

/* By which limiter; WORLD_LIMITERS: by none. */
static uint32_t refused_by(const struct town_ask *a)
{
    if (a->cause.reason != GW_REASON_limited)
        return WORLD_LIMITERS;
    return a->sent_code == 429 ? 0 : 1;
}

/* What is owed by a key is how far its bucket's time is ahead: GCRA, in tokens. */
struct bucket {
    long double full_at; /* ns */
};

static long double owed(const struct bucket *b, const struct world_rate *r, gw_nanos now)
{
    long double ahead = b->full_at - (long double)now;

    return ahead <= 0 ? 0 : ahead * r->tokens / (r->period_ms * 1e6L);
}

static void owe(struct bucket *b, const struct world_rate *r, gw_nanos now, long double tokens)
{
    b->full_at = (long double)now + tokens * (r->period_ms * 1e6L) / r->tokens;
}

enum { USERS_MAX = 64 };

/* A naive bucket for each key, which is given the same requests: nobody passes whom it has nothing for, and
 * nobody is refused for whom it has. Where the rate changed, times are known to a millisecond. */
static void check_rate(struct world *w, const struct world_limiter *l, uint32_t number,
                       struct town_ask **asks, uint32_t len)
{
    struct town *t = w->town;
    struct bucket buckets[USERS_MAX] = { { 0 } };
    const struct world_rate *rate = &l->rates[0];
    gw_nanos newest = 0;
    long double slack = 1e-3L;
    bool is_table_full = town_stat(t, "limiter_full") > 0;

    for (uint32_t i = 0; i < len; i++) {
        const struct town_ask *a = asks[i];
        struct bucket *b = &buckets[l->is_keyed ? a->user : 0];
        uint32_t refused = refused_by(a);
        long double debt;
        while (rate + 1 < l->rates + l->rates_len && rate[1].order < a->order) {
            for (uint32_t k = 0; k < USERS_MAX; k++) {
                debt = owed(&buckets[k], rate, newest);
                owe(&buckets[k], rate + 1, newest, debt < rate[1].burst ? debt : rate[1].burst);
            }
            slack += (long double)rate->tokens / rate->period_ms +
                     (long double)rate[1].tokens / rate[1].period_ms;
            rate++;
        }
        if (refused < number || (l->is_keyed && a->user == 0 && l->passes_without))
            continue;
        newest = a->routed > newest ? a->routed : newest;
        debt = owed(b, rate, a->routed);
        if (refused == number) {
            TOWN_CHECK(t, debt + 1 > rate->burst - slack || (is_table_full && l->is_closed),
                       "request %u is refused where %.3Lf of %u are owed", (uint32_t)(a - t->asks),
                       debt, rate->burst);
            continue;
        }
        TOWN_CHECK(t, debt + 1 <= rate->burst + slack || (is_table_full && !l->is_closed),
                   "request %u passes where %.3Lf of %u are owed", (uint32_t)(a - t->asks), debt,
                   rate->burst);
        owe(b, rate, a->routed, debt + 1);
    }
}

/* The theorem itself: in any window of length t at most burst + rate * t, for each key. */
static void check_windows(struct world *w, const struct world_limiter *l, uint32_t number,
                          struct town_ask **asks, uint32_t len)
{
    const struct world_rate *r = &l->rates[0];
    long double least[USERS_MAX], passed[USERS_MAX] = { 0 };

    if (l->rates_len > 1 || w->clock_steps ||
        (!l->is_closed && town_stat(w->town, "limiter_full") > 0))
        return; /* check_rate holds those */
    for (uint32_t k = 0; k < USERS_MAX; k++)
        least[k] = 1e30L;
    for (uint32_t i = 0; i < len; i++) {
        const struct town_ask *a = asks[i];
        uint32_t k = l->is_keyed ? a->user : 0;
        long double at = (long double)a->routed * r->tokens / (r->period_ms * 1e6L);
        if (refused_by(a) <= number || (l->is_keyed && a->user == 0 && l->passes_without))
            continue;
        /* passed up to before the window minus what its begin allows */
        least[k] = passed[k] - at < least[k] ? passed[k] - at : least[k];
        passed[k] += 1;
        TOWN_CHECK(w->town, passed[k] - at - least[k] <= r->burst + 1e-3L,
                   "more than %u and the rate in a window before request %u", r->burst,
                   (uint32_t)(a - w->town->asks));
    }
}

/* Each event is a request that comes or one that is over. */
static void check_ceiling(struct world *w, const struct world_limiter *l, uint32_t number,
                          struct town_ask **asks, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        const struct town_ask *a = asks[i];
        uint32_t refused = refused_by(a), at_once = 0;
        if (refused < number)
            continue;
        for (uint32_t k = 0; k < i; k++)
            at_once += refused_by(asks[k]) > number && asks[k]->over_order > a->order;
        TOWN_CHECK(w->town, (at_once >= l->ceiling) == (refused == number),
                   "request %u: %u in flight of %u", (uint32_t)(a - w->town->asks), at_once,
                   l->ceiling);
    }
}

static void check_limiters(struct world *w)
{
    uint32_t len;
    struct town_ask **asks = in_order(w->town, &len);

    for (uint32_t i = 0; i < WORLD_LIMITERS; i++) {
        const struct world_limiter *l = &w->limiters[i];
        if (!l->is_there)
            continue;
        if (l->is_shadow)
            for (uint32_t k = 0; k < len; k++)
                TOWN_CHECK(w->town, refused_by(asks[k]) != i, "a shadow refuses");
        else if (l->ceiling > 0)
            check_ceiling(w, l, i, asks, len);
        else if (!l->is_per_worker) {
            check_rate(w, l, i, asks, len);
            check_windows(w, l, i, asks, len);
        }
    }
    free(asks);
}

/* ---- retries ---- */

/* The budget, at every retry: of the last nine seconds no more than the last ten allow. Where no connection
 * could be had another endpoint is asked for nothing. */
static void check_budget(struct world *w)
{
    if (w->refuses || w->reloads > 0 || w->clock_steps || w->clock_jumps)
        return;
    for (uint32_t i = 0, first = 0; i < w->tries_len; i++) {
        const struct world_try *at = &w->tries[i];
        const struct world_cluster *c = &w->clusters[at->cluster];
        uint64_t requests = 0, retries = 0;
        for (; w->tries[first].when + 11 * TOWN_SECOND < at->when; first++)
            ;
        if (!at->is_retry)
            continue;
        for (uint32_t k = first; k <= i; k++) {
            const struct world_try *other = &w->tries[k];
            if (other->worker != at->worker || other->cluster != at->cluster)
                continue;
            requests += !other->is_retry && other->when + 10 * TOWN_SECOND + GW_MS(1500) > at->when;
            retries += other->is_retry && other->when + 8 * TOWN_SECOND > at->when;
        }
        /* One more: a request whose try was not seen. A backoff is drawn before the retry is. */
        TOWN_CHECK(w->town,
                   retries <= c->retry_least + (requests + 50) * c->retry_percent / 100 + 1,
                   "%llu retries of %llu requests", (unsigned long long)retries,
                   (unsigned long long)requests);
    }
}

/* ---- each request ---- */

static bool is_there(const struct world *w, bool of_first, bool of_second)
{
    (void)w;
    return of_first || of_second;
}

/* Was there anything that may say so? */
static bool may_be(const struct world *w, uint32_t reason)
{
    const struct world_cluster *a = &w->clusters[0], *b = &w->clusters[1];

    switch (reason) {
    case GW_REASON_limited:
        return is_there(w, w->limiters[0].is_there && !w->limiters[0].is_shadow,
                        w->limiters[1].is_there && !w->limiters[1].is_shadow);
    case GW_REASON_breaker_open:
        return is_there(w, a->has_breaker, b->has_breaker);
    case GW_REASON_throttled:
        return is_there(w, a->has_throttle, b->has_throttle);
    case GW_REASON_cluster_full:
        return is_there(w, a->exchanges_max > 0, b->exchanges_max > 0);
    case GW_REASON_connections_full:
        return is_there(w, a->all_connections_max > 0, b->all_connections_max > 0);
    case GW_REASON_no_endpoint:
        return w->endpoints_change;
    case GW_REASON_upstream_connect_refused:
        return w->refuses;
    case GW_REASON_upstream_connect_timeout: /* of a try: also in the line for a connection */
        return w->refuses || w->clock_jumps || w->clock_steps || w->per_try_ms > 0;
    default:
        return true;
    }
}

static void check_code(struct world *w, const struct town_ask *a, uint32_t number)
{
    gw_reason row = GW_SPEC(gw_reason);
    uint32_t expected;

    if (a->code == 0 || a->over == 0)
        return;
    TOWN_CHECK(w->town, gw_reason_of(a->cause.reason, &row) == GW_OK, "a reason that is none");
    if (a->cause.by == GW_BY_NONE) {
        TOWN_CHECK(w->town, a->code == 200 || a->code == 503 || a->code == WORLD_FALLBACK,
                   "request %u ended well, with %u", number, a->code);
        return;
    }
    expected = row.http_code;
    if (a->cause.reason == GW_REASON_limited)
        expected = code_of(refused_by(a));
    TOWN_CHECK(w->town, a->code == expected, "request %u: %u for %s", number, a->code, row.name);
    TOWN_CHECK(w->town, may_be(w, a->cause.reason), "request %u: %s, which nothing can say here",
               number, row.name);
    /* Of a ceiling, and of a table that is full, it is not known. */
    if (a->cause.reason == GW_REASON_limited && town_stat(w->town, "limiter_full") == 0)
        TOWN_CHECK(w->town, a->has_retry_after == (w->limiters[refused_by(a)].ceiling == 0),
                   "request %u is limited, and Retry-After is %s", number,
                   a->has_retry_after ? "there" : "missing");
    if (a->cause.reason == GW_REASON_breaker_open)
        TOWN_CHECK(w->town, a->has_retry_after, "request %u: breaker_open without Retry-After",
                   number);
}

static void check_tries(struct world *w, const struct town_ask *a, uint32_t number)
{
    uint32_t most = 1 + w->retries;

    TOWN_CHECK(w->town, a->seen <= a->tries, "request %u was seen more often than sent", number);
    TOWN_CHECK(w->town, a->tries <= 2 * most, "request %u: %u tries", number, a->tries);
    TOWN_CHECK(w->town, !a->is_post || w->is_unsafe || a->seen <= 1, "request %u: a POST twice",
               number);
    TOWN_CHECK(w->town, a->cause.reason != GW_REASON_limited || a->tries == 0,
               "request %u is limited, and was sent", number);
}

/* Ceilings that even a few at once may reach. */
static bool is_narrow(const struct world_cluster *c)
{
    return (c->exchanges_max > 0 && c->exchanges_max < 8) ||
           (c->pending_max > 0 && c->pending_max < 8) || c->all_connections_max > 0;
}

/* Once all is well again, all is as it must be. */
static void check_settled(struct world *w, const struct town_ask *a, uint32_t number)
{
    gw_reason row = GW_SPEC(gw_reason);

    if (a->began < w->settled || is_narrow(&w->clusters[0]) || is_narrow(&w->clusters[1]))
        return;
    TOWN_CHECK(w->town, gw_reason_of(a->cause.reason, &row) == GW_OK, "a reason that is none");
    TOWN_CHECK(w->town, a->code == 200 || a->cause.reason == GW_REASON_limited,
               "request %u: %u, %s, though all is well (%d %u %u)", number, a->code, row.name,
               a->is_refused_early, a->begun, a->over);
}

void world_check(struct world *w)
{
    struct town *t = w->town;
    bool is_short = t->allocations_failed > 0;

    for (uint32_t i = 0; i < t->asks_len; i++) {
        const struct town_ask *a = &t->asks[i];
        TOWN_CHECK(t, a->is_done, "request %u: its caller still waits", i);
        TOWN_CHECK(t, a->begun == a->over || (a->begun == 0 && a->over == 1),
                   "request %u: begun %u, ended %u", i, a->begun, a->over);
        check_tries(w, a, i);
        if (is_short)
            continue;
        check_code(w, a, i);
        check_settled(w, a, i);
    }
    if (is_short)
        return;
    check_limiters(w);
    check_budget(w);
}

void world_check_states(struct world *w)
{
    const struct gw_registry *r = &w->town->engine->registry;

    for (uint32_t i = 0; i < r->room; i++)
        for (const struct gw_shared *s = r->buckets[i]; s != NULL; s = s->next) {
            const struct gw_cluster_state *c = (const void *)s;
            const struct gw_endpoint_state *e = (const void *)s;
            if (s->kind == GW_SHARED_CLUSTER)
                TOWN_CHECK(w->town, c->inflight == 0 && c->pending == 0 && c->retries == 0,
                           "left of a cluster: %u, %u, %u", c->inflight, c->pending, c->retries);
            else if (s->kind == GW_SHARED_ENDPOINT)
                TOWN_CHECK(w->town, e->inflight == 0, "left of an endpoint: %u", e->inflight);
        }
}
