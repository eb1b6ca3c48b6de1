/* guard/bucket_table.c: the search, the take, and how a new key gets a place.
 *
 * A word is read before its key is looked at once more, and changed only if it is still the same: between
 * the two nobody else can have got the place, since that changes the word (a bucket's to a later time, a
 * count's upper half to the next number). While a key is replaced its word is GW_BUCKET_LOCKED. */

#include "guard/bucket_table.h"

#include "base/assert.h"

enum { TRIES = 4096, COUNT_SHIFT = 32 };

#define RELAXED memory_order_relaxed

uint32_t gw_table_sets(uint32_t keys)
{
    uint32_t sets = 1;

    while (sets < (keys + GW_TABLE_WAYS - 1) / GW_TABLE_WAYS)
        sets *= 2;
    return sets;
}

/* ---- words ---- */

static uint32_t count_of(uint64_t word)
{
    return (uint32_t)word;
}

static bool is_idle(uint64_t word, const struct gw_rate *rate, gw_nanos now)
{
    if (word == GW_BUCKET_LOCKED)
        return false;
    return rate != NULL ? gw_bucket_debt(word, rate, now) == 0 : count_of(word) == 0;
}

uint32_t gw_table_used(const struct gw_table *t, const struct gw_rate *rate, gw_nanos now)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->sets_len; i++)
        for (uint32_t way = 0; way < GW_TABLE_WAYS; way++)
            n += !is_idle(atomic_load_explicit(&t->sets[i].word[way], RELAXED), rate, now);
    return n;
}

static uint64_t count_one(uint64_t word, uint32_t ceiling, struct gw_taken *out)
{
    uint32_t count = count_of(word);

    *out = (struct gw_taken){ .allowed = count < ceiling };
    if (!out->allowed)
        return word;
    out->level = ceiling - count - 1;
    return word + 1;
}

static uint64_t decide(uint64_t word, const struct gw_table_rule *rule, gw_nanos now,
                       struct gw_taken *out)
{
    return rule->rate != NULL ? gw_bucket_decide(word, rule->rate, 1, now, out)
                              : count_one(word, rule->ceiling, out);
}

/* ---- keys ---- */

static bool is_key(struct gw_table_set *set, uint32_t way, struct gw_table_key key)
{
    return atomic_load_explicit(&set->lo[way], RELAXED) == key.lo &&
           atomic_load_explicit(&set->hi[way], RELAXED) == key.hi;
}

/* The way and its word; GW_TABLE_WAYS: not there. */
static uint32_t find(struct gw_table_set *set, struct gw_table_key key, uint64_t *word)
{
    for (uint32_t way = 0; way < GW_TABLE_WAYS; way++) {
        if (!is_key(set, way, key))
            continue;
        *word = atomic_load_explicit(&set->word[way], memory_order_acquire);
        if (*word != GW_BUCKET_LOCKED && is_key(set, way, key))
            return way;
    }
    return GW_TABLE_WAYS;
}

static bool take_turn(struct gw_table_set *set)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t free = 0;
        if (atomic_load_explicit(&set->turn, RELAXED) == 0 &&
            atomic_compare_exchange_strong_explicit(&set->turn, &free, 1, memory_order_acquire,
                                                    RELAXED))
            return true;
    }
    return false;
}

static void end_turn(struct gw_table_set *set)
{
    atomic_store_explicit(&set->turn, 0, memory_order_release);
}

/* In one's turn: locks a place that says nothing; GW_TABLE_WAYS: there is none. */
static uint32_t evict(struct gw_table_set *set, const struct gw_rate *rate, gw_nanos now,
                      uint64_t *word)
{
    uint32_t hand = atomic_load_explicit(&set->hand, RELAXED);

    for (uint32_t i = 0; i < GW_TABLE_WAYS; i++) {
        uint32_t way = (hand + i) % GW_TABLE_WAYS;
        *word = atomic_load_explicit(&set->word[way], RELAXED);
        if (!is_idle(*word, rate, now) ||
            !atomic_compare_exchange_strong_explicit(&set->word[way], word, GW_BUCKET_LOCKED,
                                                     memory_order_acquire, RELAXED))
            continue;
        atomic_store_explicit(&set->hand, way + 1, RELAXED);
        return way;
    }
    return GW_TABLE_WAYS;
}

static void put_key(struct gw_table_set *set, uint32_t way, struct gw_table_key key, uint64_t word)
{
    atomic_store_explicit(&set->lo[way], key.lo, RELAXED);
    atomic_store_explicit(&set->hi[way], key.hi, RELAXED);
    atomic_store_explicit(&set->word[way], word, memory_order_release);
}

/* A word that says nothing yet, and is none that the place had. */
static uint64_t first_word(uint64_t before, const struct gw_table_rule *rule)
{
    return rule->rate != NULL ? GW_BUCKET_FULL : ((before >> COUNT_SHIFT) + 1) << COUNT_SHIFT;
}

static enum gw_table_result bring(struct gw_table *t, struct gw_table_set *set,
                                  struct gw_table_key key, const struct gw_table_rule *rule,
                                  gw_nanos now, struct gw_taken *out, uint32_t *way)
{
    uint64_t word;

    if (atomic_load_explicit(&t->is_closed, memory_order_seq_cst) != 0)
        return GW_TABLE_CLOSED;
    *way = evict(set, rule->rate, now, &word);
    if (*way == GW_TABLE_WAYS)
        return GW_TABLE_FULL;
    put_key(set, *way, key, decide(first_word(word, rule), rule, now, out));
    return GW_TABLE_TAKEN;
}

static struct gw_table_set *set_of(struct gw_table *t, struct gw_table_key key)
{
    return &t->sets[key.lo & (t->sets_len - 1)];
}

enum gw_table_result gw_table_take(struct gw_table *t, struct gw_table_key key,
                                   const struct gw_table_rule *rule, gw_nanos now,
                                   struct gw_taken *out, _Atomic uint64_t **of_count)
{
    struct gw_table_set *set = set_of(t, key);
    enum gw_table_result result = GW_TABLE_TAKEN;
    bool is_turn = false;
    uint32_t way;

    for (;;) {
        uint64_t word, next;
        way = find(set, key, &word);
        if (way < GW_TABLE_WAYS) {
            next = decide(word, rule, now, out);
            if (next == word || atomic_compare_exchange_strong_explicit(
                                    &set->word[way], &word, next, memory_order_acq_rel, RELAXED))
                break;
        } else if (is_turn) {
            result = bring(t, set, key, rule, now, out, &way);
            break;
        } else if (!take_turn(set)) {
            return GW_TABLE_FULL;
        } else {
            is_turn = true; /* and look again: another one may have brought it */
        }
    }
    if (is_turn)
        end_turn(set);
    if (of_count != NULL)
        *of_count = result == GW_TABLE_TAKEN && out->allowed && rule->rate == NULL ? &set->word[way]
                                                                                   : NULL;
    return result;
}

bool gw_table_take_at_once(struct gw_table *t, struct gw_table_key key, const struct gw_rate *rate,
                           gw_nanos now, struct gw_taken *out)
{
    struct gw_table_set *set = set_of(t, key);
    uint64_t word;
    uint32_t way = find(set, key, &word);

    return way < GW_TABLE_WAYS && gw_bucket_take_at_once(&set->word[way], word, rate, now, out);
}

/* ---- looking ---- */

static bool has_place(struct gw_table_set *set, const struct gw_rate *rate, gw_nanos now)
{
    for (uint32_t way = 0; way < GW_TABLE_WAYS; way++)
        if (is_idle(atomic_load_explicit(&set->word[way], RELAXED), rate, now))
            return true;
    return false;
}

enum gw_table_result gw_table_look(struct gw_table *t, struct gw_table_key key,
                                   const struct gw_table_rule *rule, gw_nanos now, uint32_t before,
                                   struct gw_taken *out)
{
    struct gw_table_set *set = set_of(t, key);
    uint64_t word;

    if (find(set, key, &word) == GW_TABLE_WAYS) {
        if (!has_place(set, rule->rate, now))
            return GW_TABLE_FULL;
        word = first_word(0, rule);
    }
    gw_word_look(word, rule, now, before, out);
    return GW_TABLE_TAKEN;
}

void gw_word_look(uint64_t word, const struct gw_table_rule *rule, gw_nanos now, uint32_t before,
                  struct gw_taken *out)
{
    for (uint32_t i = 0; i <= before; i++)
        word = decide(word, rule, now, out);
}

/* ---- counts ---- */

void gw_count_leave(_Atomic uint64_t *count)
{
    uint64_t before = atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel);

    GW_ASSERT(count_of(before) > 0);
    (void)before;
}

void gw_count_take(_Atomic uint64_t *count, uint32_t ceiling, struct gw_taken *out)
{
    uint64_t word = atomic_load_explicit(count, RELAXED), next;

    do {
        next = count_one(word, ceiling, out);
    } while (out->allowed && !atomic_compare_exchange_weak_explicit(count, &word, next,
                                                                    memory_order_acq_rel, RELAXED));
}

/* ---- from one table into another ---- */

/* For who is no worker: they hold it for a moment only. */
static void wait_turn(struct gw_table_set *set)
{
    while (!take_turn(set))
        ;
}

/* So many ticks more are owed by that key. Without a place for it they are forgotten. */
static void owe(struct gw_table *t, struct gw_table_key key, const struct gw_rate *rate,
                uint64_t debt, gw_nanos now)
{
    struct gw_table_set *set = set_of(t, key);
    uint64_t word, next;
    uint32_t way;

    wait_turn(set);
    do {
        way = find(set, key, &word);
        if (way == GW_TABLE_WAYS)
            break;
        next = gw_bucket_word(rate, gw_bucket_debt(word, rate, now) + debt, now);
    } while (!atomic_compare_exchange_strong_explicit(&set->word[way], &word, next,
                                                      memory_order_acq_rel, RELAXED));
    if (way == GW_TABLE_WAYS) {
        way = evict(set, rate, now, &word);
        if (way < GW_TABLE_WAYS)
            put_key(set, way, key, gw_bucket_word(rate, debt, now));
    }
    end_turn(set);
}

static void move_way(struct gw_table_set *set, uint32_t way, const struct gw_rate *of,
                     struct gw_table *to, const struct gw_rate *rate,
                     const _Atomic gw_nanos *newest)
{
    struct gw_table_key key = { atomic_load_explicit(&set->lo[way], RELAXED),
                                atomic_load_explicit(&set->hi[way], RELAXED) };
    uint64_t word = atomic_exchange_explicit(&set->word[way], GW_BUCKET_LOCKED,
                                             memory_order_acq_rel);
    gw_nanos now = atomic_load_explicit(newest, RELAXED); /* of that word, or later */
    uint64_t debt = word == GW_BUCKET_LOCKED ? 0 : gw_bucket_debt(word, of, now);

    if (debt > 0)
        owe(to, key, rate, gw_rate_carry(debt, of, rate), now);
}

void gw_table_close(struct gw_table *t)
{
    atomic_store_explicit(&t->is_closed, 1, memory_order_seq_cst);
}

void gw_table_move(struct gw_table *from, const struct gw_rate *of, struct gw_table *to,
                   const struct gw_rate *rate, const _Atomic gw_nanos *newest)
{
    for (uint32_t i = 0; i < from->sets_len; i++) {
        wait_turn(
            &from->sets[i]); /* who brings a key there has done so, or sees that it is closed */
        for (uint32_t way = 0; way < GW_TABLE_WAYS; way++)
            move_way(&from->sets[i], way, of, to, rate, newest);
        end_turn(&from->sets[i]);
    }
}

bool gw_table_move_one(struct gw_table *from, const struct gw_rate *of, struct gw_table *to,
                       const struct gw_rate *rate, const _Atomic gw_nanos *newest,
                       struct gw_table_key key)
{
    struct gw_table_set *set = set_of(from, key);

    if (!take_turn(set))
        return false;
    for (uint32_t way = 0; way < GW_TABLE_WAYS; way++)
        if (is_key(set, way, key))
            move_way(set, way, of, to, rate, newest);
    end_turn(set);
    return true;
}
