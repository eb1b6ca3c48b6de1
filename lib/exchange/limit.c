/* exchange/limit.c: the limiters of a route: which are for the request, by which key each knows it, what
 * is remembered of them until it ends, and what the client is told (docs/limiting.md). */

#include "config/limiter.h"
#include "exchange/exchange.h"

/* In the arena. */
struct gw_limit_note {
    struct gw_limit_note *next;
    const struct gw_limiter_conf *by;
    struct gw_quota quota;
    _Atomic uint64_t *count; /* it is counted there as in flight; NULL: it is not */
    bool is_refusal;
};

/* ---- keys ---- */

/* Each part by itself, so that no two lists of parts make the same bytes. NULL: there is none. */
static void mix(struct gw_table_key *key, const struct gw_key_part *part)
{
    static const struct gw_key_part none = { .text = { "", 0 } };
    uint64_t has = part != NULL;

    key->lo = gw_key_mix(has ? part : &none, key->lo + has);
    key->hi = gw_key_mix(has ? part : &none, key->hi + 2 + has);
}

/* Is the limiter for this request? Then by which key. */
static bool find_key(const struct gw_exchange *x, const struct gw_limiter_conf *l, uint64_t seed,
                     struct gw_table_key *key)
{
    struct gw_key_source from;
    struct gw_key_part part;

    key->lo = seed;
    key->hi = ~seed;
    if (l->keys_len == 0)
        return true;
    from = gw_exchange_source(x);
    for (uint32_t i = 0; i < l->keys_len; i++) {
        bool has = gw_key_find(&l->keys[i], &from, &part);
        if (!has && ((l->flags & GW_LIMITER_KEYED) != 0 || l->keys[i].value.len > 0))
            return false;
        if (has && !gw_key_fits(&l->keys[i], &part))
            return false;
        mix(key, has ? &part : NULL);
    }
    return true;
}

/* ---- asking ---- */

/* NULL: no memory. */
static struct gw_limit_note *add_note(struct gw_exchange *x, const struct gw_limiter_conf *by,
                                      const struct gw_taken *taken)
{
    struct gw_limit_note *note = gw_arena_alloc(&x->arena, sizeof *note);

    if (note == NULL)
        return NULL;
    *note = (struct gw_limit_note){ .next = x->limits, .by = by, .quota = gw_taken_quota(taken) };
    x->limits = note;
    return note;
}

static bool remember(struct gw_exchange *x, const struct gw_limiter_conf *l,
                     const struct gw_taken *taken, _Atomic uint64_t *count)
{
    struct gw_limit_note *note;

    if (count == NULL && (l->flags & GW_LIMITER_FIELDS) == 0)
        return true;
    note = add_note(x, l, taken);
    if (note == NULL) {
        if (count != NULL)
            gw_count_leave(count);
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
        return false;
    }
    note->count = count;
    return true;
}

static bool refuse(struct gw_exchange *x, const struct gw_limiter_conf *l,
                   const struct gw_taken *taken)
{
    struct gw_limit_note *note;

    if ((l->flags & GW_LIMITER_SHADOW) != 0) {
        gw_stats_add(x->of->stats, GW_STAT_LIMITED_SHADOW, 1);
        return remember(x, l, taken, NULL);
    }
    gw_stats_add(x->of->stats, GW_STAT_LIMITED, 1);
    note = add_note(x, l, taken);
    if (note != NULL) /* else it is refused all the same, with less to say */
        note->is_refusal = true;
    gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_limited, GW_ELIMIT);
    return false;
}

static struct gw_limit_ask question(const struct gw_exchange *x, const struct gw_limiter_conf *l,
                                    struct gw_table_key key)
{
    return (struct gw_limit_ask){ .worker = x->of->trace->worker - 1,
                                  .ceiling = l->params.ceiling,
                                  .key = key,
                                  .now = x->of->links->now };
}

static bool is_refused(const struct gw_limiter_conf *l, enum gw_table_result result,
                       const struct gw_taken *taken)
{
    return result == GW_TABLE_FULL ? (l->flags & GW_LIMITER_CLOSED) != 0 : !taken->allowed;
}

static bool ask(struct gw_exchange *x, const struct gw_limiter_conf *l, struct gw_limit_state *s,
                struct gw_table_key key)
{
    struct gw_limit_counts *counts = x->binding->edition->counts[l->index];
    struct gw_limit_ask a = question(x, l, key);
    struct gw_taken taken = { .wait = GW_NEVER };
    _Atomic uint64_t *count;
    enum gw_table_result result = gw_limit_take(s, &a, &taken, &count);
    bool is_no;

    if (result == GW_TABLE_FULL)
        gw_stats_add(x->of->stats, GW_STAT_LIMITER_FULL, 1);
    is_no = is_refused(l, result, &taken);
    gw_limit_note(counts, a.worker, !is_no);
    if (is_no)
        return refuse(x, l, &taken);
    return result == GW_TABLE_FULL || remember(x, l, &taken, count);
}

static const struct gw_limiter_conf *limiter_at(const struct gw_exchange *x, uint32_t i)
{
    return &x->binding->config->limiters[x->route->limiters[i].limiter];
}

static struct gw_limit_state *state_of(const struct gw_exchange *x, const struct gw_limiter_conf *l)
{
    return x->binding->edition->limits[l->index];
}

/* Is the i-th of its route's names for the request? was_for: was one before it of the same entry? */
static bool is_for(const struct gw_exchange *x, uint32_t i, bool was_for, struct gw_table_key *key)
{
    const struct gw_limiter_conf *l = limiter_at(x, i);

    return !(x->route->limiters[i].is_else && was_for) && find_key(x, l, state_of(x, l)->seed, key);
}

bool gw_limit_pass(struct gw_exchange *x)
{
    bool was_for = false, may_go = true;

    gw_exchange_enter(x, GW_PHASE_LIMIT);
    for (uint32_t i = 0; may_go && i < x->route->limiters_len; i++) {
        const struct gw_limiter_conf *l = limiter_at(x, i);
        struct gw_table_key key;
        bool is_asked = is_for(x, i, was_for, &key);
        was_for = is_asked || (was_for && x->route->limiters[i].is_else);
        may_go = !is_asked || ask(x, l, state_of(x, l), key);
    }
    return may_go;
}

/* How often it has asked that before; and from now on once more. A limiter without keys has one key. */
static uint32_t count_asked(struct gw_limit_sight *s, struct gw_table_key key)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->asked_len; i++)
        n += s->asked[i].by == s->by && s->asked[i].key.lo == key.lo &&
             s->asked[i].key.hi == key.hi;
    GW_ASSERT(s->asked_len < GW_ROUTE_LIMITERS_MAX); /* one an entry */
    s->asked[s->asked_len++] = (struct gw_limit_asked){ s->by, key };
    return n;
}

bool gw_limit_look_at(const struct gw_exchange *x, uint32_t i, struct gw_limit_sight *s)
{
    struct gw_table_key key;
    struct gw_limit_ask a;

    s->by = limiter_at(x, i);
    s->taken = (struct gw_taken){ .wait = GW_NEVER };
    s->is_full = s->is_refusal = false;
    s->is_asked = is_for(x, i, s->was_for, &key);
    s->was_for = s->is_asked || (s->was_for && x->route->limiters[i].is_else);
    if (!s->is_asked)
        return true;
    a = question(x, s->by, key);
    a.before = count_asked(s, key);
    s->is_full = gw_limit_look(state_of(x, s->by), &a, &s->taken) == GW_TABLE_FULL;
    s->is_refusal = is_refused(s->by, s->is_full ? GW_TABLE_FULL : GW_TABLE_TAKEN, &s->taken);
    return !s->is_refusal || (s->by->flags & GW_LIMITER_SHADOW) != 0;
}

void gw_limit_leave(struct gw_exchange *x)
{
    for (struct gw_limit_note *n = x->limits; n != NULL; n = n->next) {
        if (n->count != NULL)
            gw_count_leave(n->count);
        n->count = NULL;
    }
}

/* ---- telling ---- */

static const struct gw_limit_note *refusal_of(const struct gw_exchange *x)
{
    const struct gw_limit_note *n = x->limits;

    while (n != NULL && !n->is_refusal)
        n = n->next;
    return n;
}

void gw_limit_row(const struct gw_exchange *x, gw_reason *row)
{
    const struct gw_limit_note *n = refusal_of(x);

    if (n == NULL)
        return;
    row->http_code = n->by->code;
    row->grpc_status = n->by->grpc_status;
}

static uint64_t round_up(uint64_t ns, uint64_t unit)
{
    return ns / unit + (ns % unit > 0);
}

static gw_status add_number(struct gw_exchange *x, gw_str name, uint64_t n)
{
    char digits[GW_U64_TEXT_MAX];

    return gw_fields_add_copy(&x->response.fields, name,
                              (gw_str){ digits, gw_format_u64(n, digits) });
}

/* When one more would pass, if nobody else came. */
static gw_status tell_when(struct gw_exchange *x, const struct gw_limit_note *n)
{
    uint64_t wait = n->quota.retry_after_ns;

    if (wait == GW_NEVER || wait == 0)
        return GW_OK;
    if (x->kind == GW_EXCHANGE_GRPC)
        return add_number(x, GW_STR("grpc-retry-pushback-ms"), round_up(wait, GW_MS(1)));
    return add_number(x, GW_STR("Retry-After"), round_up(wait, GW_MS(1000)));
}

/* A worker's own part is what it holds its requests to. */
static gw_status tell_policy(struct gw_exchange *x, const struct gw_limiter_conf *l)
{
    const struct gw_limit_state *s = state_of(x, l);
    char text[GW_LIMITER_POLICY_MAX];
    struct gw_text t;

    if (GW_LIKELY(s->parts_len == 1))
        return gw_fields_add_copy(&x->response.fields, GW_STR("RateLimit-Policy"), l->policy);
    gw_text_init(&t, text, sizeof text);
    if (l->params.tokens > 0)
        gw_limiter_policy(&t, l->name, s->rate.burst, s->rate.span / s->rate.scale);
    else
        gw_limiter_policy(&t, l->name, gw_limit_ceiling(s, l->params.ceiling), 0);
    return gw_fields_add_copy(&x->response.fields, GW_STR("RateLimit-Policy"), gw_cstr(text));
}

/* draft-ietf-httpapi-ratelimit-headers-10 */
static gw_status tell_limit(struct gw_exchange *x, const struct gw_limit_note *n)
{
    enum { SIZE = 192 };
    char text[SIZE];
    struct gw_text t;
    gw_status status;
    uint64_t wait = n->quota
                        .retry_after_ns; /* refused, also in shadow mode: until one more passes */

    gw_text_init(&t, text, sizeof text);
    gw_text_cstr(&t, "\"");
    gw_text_str(&t, n->by->name);
    gw_text_cstr(&t, "\";r=");
    gw_text_u64(&t, n->quota.remaining);
    if (n->by->params.tokens > 0) {
        gw_text_cstr(&t, ";t=");
        gw_text_u64(&t,
                    round_up(wait > 0 && wait != GW_NEVER ? wait : n->quota.reset_ns, GW_MS(1000)));
    }
    status = tell_policy(x, n->by);
    if (status == GW_OK)
        status = gw_fields_add_copy(&x->response.fields, GW_STR("RateLimit"), gw_cstr(text));
    return status;
}

void gw_limit_tell(struct gw_exchange *x)
{
    for (const struct gw_limit_note *n = x->limits; n != NULL; n = n->next) {
        gw_status status = GW_OK;
        if ((n->by->flags & GW_LIMITER_FIELDS) != 0)
            status = tell_limit(x, n);
        if (status == GW_OK && n->is_refusal && x->cause.reason == GW_REASON_limited)
            status = tell_when(x, n);
        if (status != GW_OK) /* benign: the response goes down without them */
            return;
    }
}
