/* balance/balance.c: first the level, then the policy inside it. Policies know members of one level;
 * endpoints' own numbers come in only when something is asked of them. */

#include "balance/balance.h"

#include <string.h>

#include "balance/least_request.h"
#include "base/assert.h"

/* --- making it --- */

static uint32_t priority_of(const struct gw_balance_spec *spec, uint32_t i)
{
    return spec->priorities == NULL ? 0 : spec->priorities[i];
}

static uint32_t count_levels(const struct gw_balance_spec *spec)
{
    uint32_t len = 1;
    for (uint32_t i = 0; i < spec->n; i++) {
        GW_ASSERT(priority_of(spec, i) < GW_LEVELS_MAX);
        if (priority_of(spec, i) >= len)
            len = priority_of(spec, i) + 1;
    }
    return len;
}

static gw_status take_members(struct gw_level *level, uint32_t priority, struct gw_heap *heap,
                              const struct gw_balance_spec *spec)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < spec->n; i++)
        len += priority_of(spec, i) == priority && spec->weights[i] > 0;
    if (len == 0)
        return GW_OK;
    level->len = len;
    level->members = gw_heap_alloc(heap, len * sizeof *level->members);
    level->weights = gw_heap_alloc(heap, len * sizeof *level->weights);
    if (level->members == NULL || level->weights == NULL)
        return GW_ENOMEM;
    uint32_t at = 0;
    for (uint32_t i = 0; i < spec->n; i++) {
        if (priority_of(spec, i) != priority || spec->weights[i] == 0)
            continue;
        level->members[at] = i;
        level->weights[at++] = spec->weights[i];
        level->weight += spec->weights[i];
    }
    return GW_OK;
}

static gw_status make_ring(struct gw_level *level, struct gw_heap *heap,
                           const struct gw_balance_spec *spec)
{
    gw_str *names = gw_heap_alloc(heap, level->len * sizeof *names);
    if (names == NULL)
        return GW_ENOMEM;
    for (uint32_t m = 0; m < level->len; m++)
        names[m] = spec->names[level->members[m]];
    struct gw_ring_spec ring = { .names = names,
                                 .weights = level->weights,
                                 .n = level->len,
                                 .points = spec->points,
                                 .unit = spec->unit };
    gw_status status = gw_ring_init(&level->ring, heap, &ring);
    gw_heap_release(heap, names, level->len * sizeof *names);
    return status;
}

static gw_status make_level(struct gw_level *level, uint32_t priority, struct gw_heap *heap,
                            const struct gw_balance_spec *spec)
{
    gw_status status = take_members(level, priority, heap, spec);
    if (status != GW_OK || level->len == 0 || spec->kind == GW_BALANCE_HOST)
        return status;
    if (spec->kind == GW_BALANCE_CONSISTENT_HASH)
        return make_ring(level, heap, spec);
    if (spec->kind == GW_BALANCE_ROUND_ROBIN)
        return gw_rr_init(&level->rr, heap, level->weights, level->len);
    return gw_lots_init(&level->lots, heap, level->weights, level->len);
}

static uint32_t number(uint32_t n, uint32_t when_zero)
{
    return n == 0 ? when_zero : n;
}

gw_status gw_balancer_init(struct gw_balance *b, struct gw_heap *heap,
                           const struct gw_balance_spec *spec)
{
    uint32_t panic = number(spec->panic_percent, GW_PANIC_PERCENT);
    struct gw_balance own = {
        .heap = heap,
        .kind = spec->kind,
        .choices = number(spec->choices, GW_CHOICES),
        .load_percent = spec->load_percent,
        .rule = { number(spec->spare_percent, GW_SPARE_PERCENT), panic == GW_OFF ? 0 : panic },
        .levels_len = count_levels(spec),
    };
    own.levels = gw_heap_zalloc(heap, own.levels_len * sizeof *own.levels);
    gw_status status = own.levels == NULL ? GW_ENOMEM : GW_OK;
    for (uint32_t i = 0; i < own.levels_len && status == GW_OK; i++)
        status = make_level(&own.levels[i], i, heap, spec);
    if (status == GW_OK)
        *b = own;
    else
        gw_balancer_fini(&own);
    return status;
}

void gw_balancer_fini(struct gw_balance *b)
{
    for (uint32_t i = 0; b->levels != NULL && i < b->levels_len; i++) {
        struct gw_level *level = &b->levels[i];
        gw_rr_fini(&level->rr, b->heap);
        gw_ring_fini(&level->ring, b->heap);
        gw_lots_fini(&level->lots, b->heap);
        gw_heap_release(b->heap, level->members, level->len * sizeof *level->members);
        gw_heap_release(b->heap, level->weights, level->len * sizeof *level->weights);
    }
    if (b->levels != NULL)
        gw_heap_release(b->heap, b->levels, b->levels_len * sizeof *b->levels);
    memset(b, 0, sizeof *b);
}

void gw_turn_init(struct gw_turn *turn, uint64_t seed)
{
    turn->prng.state = seed;
    for (uint32_t i = 0; i < GW_LEVELS_MAX; i++)
        turn->cursors[i] = (uint32_t)gw_prng_next(&turn->prng);
    turn->place = (uint32_t)gw_prng_below(&turn->prng, 100);
}

/* --- a pick --- */

/* The next place of the sequence whose member may be picked: the others' places are left out, as if
 * they were not there, and nobody gets them beside its own. */
static uint32_t take_turn(const struct gw_rr *rr, const struct gw_pick *p, uint32_t *cursor)
{
    uint32_t fallback = UINT32_MAX, behind = 0;
    for (uint32_t n = 0; n < rr->len; n++) {
        uint32_t m = gw_rr_pick(rr, cursor);
        if (!gw_pick_may(p, m))
            continue;
        if (gw_pick_takes(p, m))
            return m;
        if (fallback == UINT32_MAX) {
            fallback = m;
            behind = *cursor;
        }
    }
    if (fallback != UINT32_MAX)
        *cursor = behind; /* all are cold: the first one's turn it is */
    return fallback;
}

/* Others count them, and may be late. */
static uint64_t available(const struct gw_balance *b, const struct gw_candidates *who, uint32_t i)
{
    uint64_t all = b->levels[i].weight;
    return who->available == NULL || who->available[i] > all ? all : who->available[i];
}

struct request {
    const struct gw_balance *balancer;
    struct gw_turn *turn;
    const struct gw_candidates *who;
    uint64_t key;
    struct gw_levels_share share;
    struct gw_pick_trace *trace;
};

static uint32_t pick_in_level(const struct request *r, uint32_t i)
{
    const struct gw_balance *b = r->balancer;
    const struct gw_level *level = &b->levels[i];
    bool is_panic = (r->share.panic >> i & 1) != 0;
    struct gw_pick p = {
        .who = r->who,
        .members = level->members,
        .weights = level->weights,
        .len = level->len,
        .weight = available(b, r->who, i),
        .prng = &r->turn->prng,
        .trace = r->trace,
        .is_panic = is_panic,
    };
    uint32_t m;
    r->trace->level = i;
    r->trace->is_panic = is_panic;
    if (level->len == 0 || (p.weight == 0 && !is_panic)) /* all need not be looked at for that */
        return UINT32_MAX;
    if (b->kind == GW_BALANCE_CONSISTENT_HASH)
        m = gw_ring_pick(&level->ring, &p, r->key, is_panic ? 0 : b->load_percent);
    else if (b->kind == GW_BALANCE_LEAST_REQUEST)
        m = gw_least_pick(&level->lots, &p, b->choices);
    else if (b->kind == GW_BALANCE_RANDOM)
        m = gw_random_pick(&level->lots, &p);
    else
        m = take_turn(&level->rr, &p, &r->turn->cursors[i]);
    return m == UINT32_MAX ? m : gw_pick_endpoint(&p, m);
}

/* True: all of the first level is there, as it nearly always is. */
static bool is_whole(const struct gw_balance *b, const struct gw_candidates *who)
{
    return b->levels[0].weight > 0 && available(b, who, 0) == b->levels[0].weight;
}

static void share_levels(const struct gw_balance *b, const struct gw_candidates *who,
                         struct gw_levels_share *out)
{
    struct gw_level_weight weights[GW_LEVELS_MAX];
    for (uint32_t i = 0; i < b->levels_len; i++)
        weights[i] = (struct gw_level_weight){ b->levels[i].weight, available(b, who, i) };
    gw_levels_share(weights, b->levels_len, &b->rule, out);
}

bool gw_balance_is_panic(const struct gw_balance *b, const uint64_t *available, uint32_t level)
{
    struct gw_candidates who = { .available = available };
    struct gw_levels_share share;
    share_levels(b, &who, &share);
    return (share.panic >> level & 1) != 0;
}

/* Keys stay in their level as long as the levels' shares do; all else takes turns. */
static uint32_t choose_level(const struct request *r)
{
    const struct gw_balance *b = r->balancer;
    if (b->levels_len == 1)
        return r->share.percent[0] > 0 ? 0 : UINT32_MAX;
    if (b->kind == GW_BALANCE_CONSISTENT_HASH) /* the ring looks at the upper bits */
        return gw_levels_at(&r->share, b->levels_len, (uint32_t)(r->key & UINT32_MAX) % 100);
    r->turn->place = gw_levels_next(r->turn->place % 100);
    return gw_levels_at(&r->share, b->levels_len, r->turn->place);
}

static uint32_t pick_among_levels(struct request *r)
{
    share_levels(r->balancer, r->who, &r->share);
    uint32_t level = choose_level(r), found = UINT32_MAX;
    if (level != UINT32_MAX)
        found = pick_in_level(r, level);
    /* It may be that all of it are excluded, or have just become unavailable. Then even a level without a
     * share is better than nobody. */
    for (uint32_t i = 0; i < r->balancer->levels_len && found == UINT32_MAX; i++)
        if (i != level)
            found = pick_in_level(r, i);
    return found;
}

/* Nobody has anything to say: then a sequence is all there is to it. */
static bool is_plain(const struct gw_balance *b, const struct gw_candidates *who)
{
    return b->kind == GW_BALANCE_ROUND_ROBIN && b->levels[0].len > 0 && who->is_available == NULL &&
           who->is_excluded == NULL && who->warmth == NULL && who->available == NULL;
}

uint32_t gw_balance_pick(const struct gw_balance *b, struct gw_turn *turn,
                         const struct gw_candidates *who, const uint64_t *key,
                         struct gw_pick_trace *trace)
{
    struct gw_pick_trace own;
    if (trace == NULL && b->levels_len > 0 && is_plain(b, who))
        return b->levels[0].members[gw_rr_pick(&b->levels[0].rr, &turn->cursors[0])];
    struct request r = {
        .balancer = b, .turn = turn, .who = who, .trace = trace == NULL ? &own : trace
    };
    *r.trace = (struct gw_pick_trace){ .chosen = UINT32_MAX };
    if (b->levels_len == 0)
        return UINT32_MAX;
    if (b->kind == GW_BALANCE_CONSISTENT_HASH) {
        r.key = key == NULL ? gw_prng_next(&turn->prng) : *key;
        r.trace->key = r.key;
        r.trace->is_key_drawn = key == NULL;
    }
    uint32_t found = UINT32_MAX;
    if (is_whole(b, who))
        found = pick_in_level(&r, 0);
    if (found == UINT32_MAX)
        found = pick_among_levels(&r);
    r.trace->chosen = found;
    return found;
}
