/* guard/limit.c: states of limiters: their parts, and who succeeds whom. */

#include "guard/limit.h"

#include "base/assert.h"

#define NEWEST_NS GW_MS(1)

static uint32_t parts_of(const struct gw_limit_params *params, uint32_t workers)
{
    return params->is_shared ? 1 : workers;
}

/* Sets lie on lines of their own. */
static size_t head_size(uint32_t parts)
{
    return (sizeof(struct gw_limit_state) + parts * sizeof(struct gw_limit_part) + 15) / 16 * 16;
}

size_t gw_limit_size(const struct gw_limit_params *params, uint32_t workers)
{
    uint32_t parts = parts_of(params, workers);

    return head_size(parts) + (size_t)parts * params->sets * sizeof(struct gw_table_set);
}

void gw_limit_init(struct gw_limit_state *s, const struct gw_limit_params *params, uint32_t workers,
                   uint64_t seed)
{
    uint32_t parts = parts_of(params, workers);
    uint32_t burst = params->burst / parts > 0 ? params->burst / parts : 1;
    struct gw_table_set *sets = (struct gw_table_set *)(void *)((char *)s + head_size(parts));

    s->params = *params;
    s->seed = seed;
    s->parts_len = parts;
    s->parts = (struct gw_limit_part *)(void *)(s + 1);
    for (uint32_t i = 0; params->sets > 0 && i < parts; i++) {
        s->parts[i].table.sets = sets + (size_t)i * params->sets;
        s->parts[i].table.sets_len = params->sets;
    }
    if (params->tokens > 0) {
        gw_status status = gw_rate_init(&s->rate, params->tokens, params->period_ns * parts, burst);
        GW_ASSERT(status == GW_OK); /* the configuration was checked */
        (void)status;
    }
}

bool gw_limit_fits(const struct gw_limit_state *s, const struct gw_limit_params *params)
{
    const struct gw_limit_params *own = &s->params;

    return own->tokens == params->tokens && own->period_ns == params->period_ns &&
           own->burst == params->burst && own->sets == params->sets &&
           own->is_shared == params->is_shared;
}

/* Is there anything that s can owe in old's place? */
static bool can_owe(const struct gw_limit_state *old, const struct gw_limit_state *s)
{
    return old->params.tokens > 0 && s->params.tokens > 0 && old->parts_len == s->parts_len &&
           (old->params.sets > 0) == (s->params.sets > 0);
}

/* Before anybody is led to it: what is not known yet it does not give. */
static void prepare(struct gw_limit_state *old, struct gw_limit_state *s)
{
    if (s->params.sets > 0)
        atomic_store_explicit(&s->source, old, memory_order_relaxed);
    for (uint32_t i = 0; s->params.sets == 0 && i < s->parts_len; i++)
        gw_bucket_close(&s->parts[i].bucket);
}

static void move(struct gw_limit_state *old, struct gw_limit_state *s)
{
    for (uint32_t i = 0; i < s->parts_len; i++) {
        struct gw_limit_part *from = &old->parts[i], *to = &s->parts[i];
        if (s->params.sets > 0) {
            gw_table_close(
                &from->table); /* who is still in there has been led on by now, or is moved */
            gw_table_move(&from->table, &old->rate, &to->table, &s->rate, &old->newest);
        } else {
            gw_bucket_move(&from->bucket, &old->rate, &to->bucket, &s->rate, &old->newest);
        }
    }
    atomic_store_explicit(&s->source, NULL, memory_order_release);
}

void gw_limit_succeed(struct gw_limit_state *old, struct gw_limit_state *s, bool is_owed)
{
    GW_ASSERT(atomic_load_explicit(&old->successor, memory_order_relaxed) == NULL);
    is_owed = is_owed && can_owe(old, s);
    atomic_fetch_add_explicit(&s->shared.refs, 1, memory_order_relaxed);
    old->shared.heir = &s->shared;
    atomic_store_explicit(&s->newest, atomic_load_explicit(&old->newest, memory_order_relaxed),
                          memory_order_relaxed);
    if (is_owed)
        prepare(old, s);
    atomic_store_explicit(&old->successor, s, memory_order_release);
    if (is_owed)
        move(old, s);
}

/* Before anything is taken, so that who moves that knows the time. */
static void note_time(struct gw_limit_state *s, gw_nanos now)
{
    gw_nanos newest = atomic_load_explicit(&s->newest, memory_order_relaxed);

    if (now - newest >= NEWEST_NS && now > newest)
        atomic_store_explicit(&s->newest, now, memory_order_relaxed);
}

uint32_t gw_limit_ceiling(const struct gw_limit_state *s, uint32_t ceiling)
{
    if (GW_LIKELY(s->parts_len == 1))
        return ceiling;
    return ceiling / s->parts_len > 0 ? ceiling / s->parts_len : 1;
}

static struct gw_limit_part *part_of(struct gw_limit_state *s, uint32_t worker)
{
    return &s->parts[GW_LIKELY(s->parts_len == 1) ? 0 : worker % s->parts_len];
}

/* Of one state; CLOSED: it has a successor by now. */
static enum gw_table_result take(struct gw_limit_state *s, const struct gw_limit_ask *ask,
                                 struct gw_taken *out, _Atomic uint64_t **of_count)
{
    struct gw_limit_part *part = part_of(s, ask->worker);
    struct gw_table_rule rule = { s->params.tokens > 0 ? &s->rate : NULL,
                                  gw_limit_ceiling(s, ask->ceiling) };

    note_time(s, ask->now);
    if (s->params.sets > 0)
        return gw_table_take(&part->table, ask->key, &rule, ask->now, out, of_count);
    if (rule.rate != NULL)
        return gw_bucket_take(&part->bucket, rule.rate, 1, ask->now, out) ? GW_TABLE_TAKEN
                                                                          : GW_TABLE_CLOSED;
    gw_count_take(&part->bucket.word, rule.ceiling, out);
    *of_count = out->allowed ? &part->bucket.word : NULL;
    return GW_TABLE_TAKEN;
}

/* Who has the old state comes here; what is moved while that is going on is moved for it first. It holds
 * the old one, so that is there still. NULL: it cannot be known now what the key owes. */
static struct gw_limit_state *lead_on(struct gw_limit_state *s, const struct gw_limit_ask *ask)
{
    struct gw_limit_state *next = atomic_load_explicit(&s->successor, memory_order_acquire);
    struct gw_limit_state *from = atomic_load_explicit(&next->source, memory_order_acquire);
    uint32_t part = ask->worker % next->parts_len;
    bool is_moved = true;

    if (from != NULL)
        is_moved = gw_table_move_one(&from->parts[part].table, &from->rate,
                                     &next->parts[part].table, &next->rate, &from->newest,
                                     ask->key);
    return is_moved ? next : NULL;
}

/* Of s, or of the last of those that have come after it. */
GW_NOINLINE
static enum gw_table_result take_any(struct gw_limit_state *s, const struct gw_limit_ask *ask,
                                     struct gw_taken *out, _Atomic uint64_t **of_count)
{
    enum { TURNS = 4096 }; /* then who moves it was stopped in the middle of that */
    enum gw_table_result result = GW_TABLE_CLOSED;

    for (int i = 0; result == GW_TABLE_CLOSED && i < TURNS; i++) {
        while (atomic_load_explicit(&s->successor, memory_order_acquire) != NULL) {
            s = lead_on(s, ask);
            if (s == NULL)
                return GW_TABLE_FULL;
        }
        result = take(s, ask, out, of_count);
    }
    return result == GW_TABLE_CLOSED ? GW_TABLE_FULL : result;
}

GW_NOINLINE
static enum gw_table_result take_keyed(struct gw_limit_state *s, const struct gw_limit_ask *ask,
                                       struct gw_taken *out, _Atomic uint64_t **of_count)
{
    struct gw_table *t = &part_of(s, ask->worker)->table;

    return GW_LIKELY(gw_table_take_at_once(t, ask->key, &s->rate, ask->now, out))
               ? GW_TABLE_TAKEN
               : take_any(s, ask, out, of_count);
}

/* What nearly always happens is tried first: a token is there, and nobody is in between. */
enum gw_table_result gw_limit_take(struct gw_limit_state *s, const struct gw_limit_ask *ask,
                                   struct gw_taken *out, _Atomic uint64_t **of_count)
{
    _Atomic uint64_t *at;

    *of_count = NULL;
    if (s->params.tokens == 0 || atomic_load_explicit(&s->successor, memory_order_acquire) != NULL)
        return take_any(s, ask, out, of_count);
    note_time(s, ask->now);
    if (s->params.sets > 0)
        return take_keyed(s, ask, out, of_count);
    at = &part_of(s, ask->worker)->bucket.word;
    if (GW_LIKELY(gw_bucket_take_at_once(at, atomic_load_explicit(at, memory_order_relaxed),
                                         &s->rate, ask->now, out)))
        return GW_TABLE_TAKEN;
    return take_any(s, ask, out, of_count);
}

enum gw_table_result gw_limit_look(struct gw_limit_state *s, const struct gw_limit_ask *ask,
                                   struct gw_taken *out)
{
    struct gw_limit_state *next;
    struct gw_limit_part *part;
    struct gw_table_rule rule;
    uint64_t word;

    while ((next = atomic_load_explicit(&s->successor, memory_order_acquire)) != NULL)
        s = next;
    part = part_of(s, ask->worker);
    rule = (struct gw_table_rule){ s->params.tokens > 0 ? &s->rate : NULL,
                                   gw_limit_ceiling(s, ask->ceiling) };
    if (s->params.sets > 0)
        return gw_table_look(&part->table, ask->key, &rule, ask->now, ask->before, out);
    word = atomic_load_explicit(&part->bucket.word, memory_order_relaxed);
    if (rule.rate != NULL && word == GW_BUCKET_LOCKED)
        return GW_TABLE_FULL;
    gw_word_look(word, &rule, ask->now, ask->before, out);
    return GW_TABLE_TAKEN;
}

/* ---- looked at ---- */

size_t gw_limit_counts_size(uint32_t workers)
{
    return sizeof(struct gw_limit_counts) + workers * sizeof(struct gw_limit_count);
}

/* Of one bucket: how many it would let pass, and when the next one. */
static uint64_t level_of(const struct gw_bucket *b, const struct gw_rate *rate, gw_nanos now,
                         gw_nanos *next)
{
    struct gw_taken taken;
    struct gw_quota quota;
    uint64_t word = atomic_load_explicit(&b->word, memory_order_relaxed);

    if (word == GW_BUCKET_LOCKED)
        return 0;
    (void)gw_bucket_decide(word, rate, 1, now, &taken);
    quota = gw_taken_quota(&taken);
    if (taken.allowed)
        return quota.remaining + 1;
    *next = quota.retry_after_ns < *next - now ? now + quota.retry_after_ns : *next;
    return 0;
}

static uint64_t left_of(const struct gw_bucket *b, uint32_t ceiling)
{
    uint64_t count = (uint32_t)atomic_load_explicit(&b->word, memory_order_relaxed);

    return count < ceiling ? ceiling - count : 0;
}

struct gw_limit_view gw_limit_stand(const struct gw_limit_state *s, uint32_t ceiling, gw_nanos now)
{
    struct gw_limit_view view = { .next = GW_NEVER };
    const struct gw_limit_state *next;

    while ((next = atomic_load_explicit(&s->successor, memory_order_acquire)) != NULL)
        s = next;
    for (uint32_t i = 0; i < s->parts_len; i++) {
        const struct gw_limit_part *part = &s->parts[i];
        view.keys_max += part->table.sets_len * GW_TABLE_WAYS;
        if (s->params.sets > 0)
            view.keys += gw_table_used(&part->table, s->params.tokens > 0 ? &s->rate : NULL, now);
        else if (s->params.tokens > 0)
            view.level += level_of(&part->bucket, &s->rate, now, &view.next);
        else
            view.level += left_of(&part->bucket, gw_limit_ceiling(s, ceiling));
    }
    view.is_refusing = s->params.sets == 0 && view.level == 0;
    if (!view.is_refusing)
        view.next = GW_NEVER;
    return view;
}
