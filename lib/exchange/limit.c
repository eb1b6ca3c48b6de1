/* exchange/limit.c: the limiters of a route: which are for the request, by which key each knows it, what
 * is remembered of them until it ends, and what the client is told (docs/limiting.md). */

#include "base/assert.h"
#include "exchange/exchange.h"
#include "http/pair.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* In the arena. */
struct gw_limit_note {
    struct gw_limit_note *next;
    const struct gw_limiter_conf *by;
    struct gw_quota quota;
    _Atomic uint64_t *count; /* it is counted there as in flight; NULL: it is not */
    bool is_refusal;
};

/* ---- keys ---- */

static gw_str field_of(const struct gw_fields *f, gw_str name)
{
    const struct gw_field *field = gw_fields_find_name(f, name);

    return field != NULL ? field->value : (gw_str){ NULL, 0 };
}

/* ptr NULL: the request has none. */
static gw_str part_of(const struct gw_exchange *x, const gw_limiter_key *key)
{
    switch (key->on) {
    case GW_LIMIT_BY_CLIENT:
        return gw_identity_client(x);
    case GW_LIMIT_BY_HEADER:
        return field_of(&x->request.fields, key->name);
    case GW_LIMIT_BY_COOKIE:
        return gw_pair_cookie(&x->request.fields, key->name);
    case GW_LIMIT_BY_PATH:
        return x->request.path;
    case GW_LIMIT_BY_QUERY:
        return gw_pair_find(x->request.query, '&', key->name);
    case GW_LIMIT_BY_LABEL:
        return gw_exchange_label(x, key->name);
    default:
        GW_ASSERT(false); /* the configuration was checked */
        return (gw_str){ NULL, 0 };
    }
}

/* Each part by itself, so that no two lists of parts make the same bytes. */
static void hash_part(struct gw_table_key *key, gw_str part)
{
    uint64_t has = part.ptr != NULL;
    const char *at = part.len > 0 ? part.ptr : "";

    key->lo = XXH64(at, part.len, key->lo + has);
    key->hi = XXH64(at, part.len, key->hi + 2 + has);
}

/* Is the limiter for this request? Then by which key. */
static bool find_key(const struct gw_exchange *x, const struct gw_limiter_conf *l, uint64_t seed,
                     struct gw_table_key *key)
{
    key->lo = seed;
    key->hi = ~seed;
    for (uint32_t i = 0; i < l->keys_len; i++) {
        gw_str part = part_of(x, &l->keys[i]);
        if (part.ptr == NULL && (l->flags & GW_LIMITER_KEYED) != 0)
            return false;
        if (l->keys[i].value.len > 0 && !gw_str_eq(part, l->keys[i].value))
            return false;
        hash_part(key, part);
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

static bool ask(struct gw_exchange *x, const struct gw_limiter_conf *l, struct gw_limit_state *s,
                struct gw_table_key key)
{
    struct gw_limit_ask a = { x->of->trace->worker - 1, l->params.ceiling, key, x->of->links->now };
    struct gw_taken taken = { .wait = GW_NEVER };
    _Atomic uint64_t *count;

    if (gw_limit_take(s, &a, &taken, &count) == GW_TABLE_FULL) {
        gw_stats_add(x->of->stats, GW_STAT_LIMITER_FULL, 1);
        return (l->flags & GW_LIMITER_CLOSED) == 0 || refuse(x, l, &taken);
    }
    return taken.allowed ? remember(x, l, &taken, count) : refuse(x, l, &taken);
}

bool gw_limit_pass(struct gw_exchange *x)
{
    const struct gw_route_conf *r = x->route;
    bool is_for = false, may_go = true;

    gw_exchange_enter(x, GW_PHASE_LIMIT);
    for (uint32_t i = 0; may_go && i < r->limiters_len; i++) {
        const struct gw_limiter_conf *l = &x->binding->config->limiters[r->limiters[i].limiter];
        struct gw_limit_state *s = x->binding->edition->limits[l->index];
        struct gw_table_key key;
        if (r->limiters[i].is_else && is_for)
            continue;
        is_for = find_key(x, l, s->seed, &key);
        may_go = !is_for || ask(x, l, s, key);
    }
    return may_go;
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

/* draft-ietf-httpapi-ratelimit-headers-10 */
static gw_status tell_limit(struct gw_exchange *x, const struct gw_limit_note *n)
{
    enum { SIZE = 192 };
    char text[SIZE];
    struct gw_text t;
    gw_status status;

    gw_text_init(&t, text, sizeof text);
    gw_text_cstr(&t, "\"");
    gw_text_str(&t, n->by->name);
    gw_text_cstr(&t, "\";r=");
    gw_text_u64(&t, n->quota.remaining);
    if (n->by->params.tokens > 0) {
        gw_text_cstr(&t, ";t=");
        gw_text_u64(&t, round_up(n->quota.reset_ns, GW_MS(1000)));
    }
    status = gw_fields_add_copy(&x->response.fields, GW_STR("RateLimit-Policy"), n->by->policy);
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
