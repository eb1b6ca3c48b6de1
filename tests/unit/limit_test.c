/* Token buckets against what was promised: in any window of length t at most burst + rate * t pass. The
 * oracle knows every time that something passed, and counts in whole numbers: no division, no rounding. */

#include <pthread.h>

#include "base/prng.h"
#include "check_main.h"
#include "guard/limit.h"
#include "limit_suites.h"

enum { PASSES = 3000 };

__extension__ typedef unsigned __int128 wide;

/* ---- the oracle ---- */

/* What passed, with the time that had gone by until then: steps forward alone. */
struct oracle {
    uint64_t at[PASSES];
    uint32_t len;
};

/* n passed from the i-th on, in t: (n - burst) * period <= tokens * t. */
static void check_windows(const struct oracle *o, uint32_t tokens, uint64_t period, uint32_t burst)
{
    for (uint32_t i = 0; i < o->len; i++)
        for (uint32_t j = i + burst; j < o->len; j++) {
            wide over = (wide)(j - i + 1 - burst) * period;
            ck_assert_msg(over <= (wide)(o->at[j] - o->at[i]) * tokens,
                          "%u passed in %lu ns: burst %u and %u in %lu ns", j - i + 1,
                          (unsigned long)(o->at[j] - o->at[i]), burst, tokens,
                          (unsigned long)period);
        }
}

static void note(struct oracle *o, uint64_t elapsed)
{
    ck_assert_uint_lt(o->len, PASSES);
    o->at[o->len++] = elapsed;
}

/* The short way decides as the long one does, or not at all. */
static bool take(struct gw_bucket *b, const struct gw_rate *rate, gw_nanos now)
{
    struct gw_taken out, at_once;
    uint64_t word = b->word;
    _Atomic uint64_t other = word;
    ck_assert(gw_bucket_take(b, rate, 1, now, &out));
    if (gw_bucket_take_at_once(&other, word, rate, now, &at_once)) {
        ck_assert(out.allowed && at_once.allowed);
        ck_assert_uint_eq(at_once.level, out.level);
        ck_assert_uint_eq(other, b->word);
    } else {
        ck_assert_uint_eq(other, word);
    }
    return out.allowed;
}

struct draw {
    uint32_t tokens, burst;
    uint64_t period;
    struct gw_rate rate;
};

static struct draw draw(struct gw_prng *p)
{
    static const uint32_t odd[] = { 1, 3, 7, 10, 61, 64, 67, 999, 1000, 4093 };
    struct draw d = { .tokens = odd[gw_prng_below(p, 10)] };
    d.burst = 1 + (uint32_t)gw_prng_below(p, 20);
    d.period = 1 + gw_prng_below(p, GW_MS(3000));
    ck_assert_int_eq(gw_rate_init(&d.rate, d.tokens, d.period, d.burst), GW_OK);
    return d;
}

/* A time between two takes: often next to nothing, often about a token, seldom long. */
static uint64_t gap(struct gw_prng *p, const struct draw *d)
{
    uint64_t each = d->period / d->tokens + 1;
    switch (gw_prng_below(p, 8)) {
    case 0:
        return each * d->burst * 3;
    case 1:
    case 2:
        return 0;
    default:
        return gw_prng_below(p, each + 3);
    }
}

START_TEST(no_window_passes_more)
{
    static struct oracle o;
    struct gw_prng p = { (uint64_t)_i + 1 };
    struct draw d = draw(&p);
    struct gw_bucket b = { 0 };
    gw_nanos now = gw_prng_next(&p); /* any clock; it may wrap for all the bucket cares */
    uint64_t elapsed = 0;
    o.len = 0;
    for (int i = 0; i < 2000; i++) {
        uint64_t step = gap(&p, &d);
        now += step;
        elapsed += step;
        if (take(&b, &d.rate, now))
            note(&o, elapsed);
    }
    ck_assert_uint_ge(o.len, d.burst);
    check_windows(&o, d.tokens, d.period, d.burst);
}
END_TEST

/* It gives what it promises, too: whoever comes exactly in time is never refused. */
START_TEST(who_comes_in_time_passes)
{
    struct gw_prng p = { (uint64_t)_i + 1 };
    struct draw d = draw(&p);
    struct gw_bucket b = { 0 };
    gw_nanos now = 1 + gw_prng_below(&p, GW_MS(1000000));
    for (uint32_t i = 0; i < d.burst; i++)
        ck_assert(take(&b, &d.rate, now));
    ck_assert(!take(&b, &d.rate, now));
    for (int i = 0; i < 200; i++) {
        struct gw_taken out;
        ck_assert(gw_bucket_take(&b, &d.rate, 1, now, &out));
        ck_assert(!out.allowed && gw_taken_quota(&out).remaining == 0);
        ck_assert_uint_ge(gw_taken_quota(&out).retry_after_ns, 1);
        ck_assert_uint_le(gw_taken_quota(&out).retry_after_ns, d.period / d.tokens + 1);
        ck_assert(!take(&b, &d.rate, now + gw_taken_quota(&out).retry_after_ns - 1));
        now += gw_taken_quota(&out).retry_after_ns;
        ck_assert(take(&b, &d.rate, now));
    }
}
END_TEST

/* Where a token is a whole number of 64ths of a nanosecond or fewer, nothing is rounded, ever. */
START_TEST(nothing_drifts)
{
    static const uint32_t tokens[] = { 1, 3, 7, 10, 59, 64, 100, 1000, 600 };
    struct gw_rate rate;
    struct gw_bucket b = { 0 };
    gw_nanos now = 1000;
    uint64_t passed = 0;
    ck_assert_int_eq(gw_rate_init(&rate, tokens[_i], GW_MS(1000), 1), GW_OK);
    for (gw_nanos end = now + GW_MS(1000) * 1000; now < end;) {
        struct gw_taken out;
        ck_assert(gw_bucket_take(&b, &rate, 1, now, &out));
        passed += out.allowed;
        now += out.allowed ? gw_taken_quota(&out).reset_ns : gw_taken_quota(&out).retry_after_ns;
        b.word = b.word; /* the same bucket all the time */
    }
    ck_assert_uint_le(passed, (uint64_t)tokens[_i] * 1000);
    ck_assert_uint_ge(passed + 1, (uint64_t)tokens[_i] * 1000 - tokens[_i] * 1000 / 1000000);
}
END_TEST

START_TEST(steps_of_the_clock_give_nothing)
{
    static struct oracle o;
    struct gw_prng p = { (uint64_t)_i + 100 };
    struct draw d = draw(&p);
    struct gw_bucket b = { 0 };
    gw_nanos now = GW_MS(1000000) * 1000;
    uint64_t elapsed = 0;
    o.len = 0;
    for (int i = 0; i < 2000; i++) {
        uint64_t step = gap(&p, &d);
        if (gw_prng_below(&p, 20) == 0) { /* back, by anything from a nanosecond to hours */
            now -= gw_prng_below(&p, UINT64_C(1) << gw_prng_below(&p, 42));
        } else if (gw_prng_below(&p, 50) == 0) {
            step = gw_prng_below(&p, UINT64_C(1) << gw_prng_below(&p, 44));
            now += step;
            elapsed += step;
        } else {
            now += step;
            elapsed += step;
        }
        if (take(&b, &d.rate, now))
            note(&o, elapsed);
    }
    check_windows(&o, d.tokens, d.period, d.burst);
}
END_TEST

/* A clock that went back an hour stops nobody for an hour. */
START_TEST(the_clock_goes_back)
{
    struct gw_rate rate;
    struct gw_bucket b = { 0 };
    gw_nanos now = GW_MS(1000) * 100000, hour = GW_MS(1000) * 3600;
    ck_assert_int_eq(gw_rate_init(&rate, 10, GW_MS(1000), 5), GW_OK);
    for (int i = 0; i < 5; i++)
        ck_assert(take(&b, &rate, now));
    now -= hour;
    ck_assert(!take(&b, &rate, now));
    ck_assert(!take(&b, &rate, now + GW_MS(99)));
    ck_assert(take(&b, &rate, now + GW_MS(100)));
    ck_assert(!take(&b, &rate, now + GW_MS(199)));
    ck_assert(take(&b, &rate, now + GW_MS(200)));
    now += 2 * hour; /* and forward: a full bucket, not two hours' worth */
    for (int i = 0; i < 5; i++)
        ck_assert(take(&b, &rate, now));
    ck_assert(!take(&b, &rate, now));
}
END_TEST

/* Threads whose clocks are apart: between two that passed lies what theirs say, so who is behind gets no
 * more than one thread alone would. */
START_TEST(threads_that_are_behind)
{
    static struct oracle o;
    struct gw_prng p = { (uint64_t)_i + 7 };
    struct draw d = draw(&p);
    struct gw_bucket b = { 0 };
    gw_nanos now = GW_MS(1000000);
    o.len = 0;
    for (int i = 0; i < 2000; i++) {
        gw_nanos own = now - gw_prng_below(&p, GW_MS(500));
        now += gap(&p, &d);
        if (take(&b, &d.rate, own))
            note(&o, own);
    }
    for (uint32_t i = 0; i < o.len; i++)
        for (uint32_t j = i + d.burst; j < o.len; j++) {
            ck_assert_uint_ge(o.at[j], o.at[i]);
            ck_assert((wide)(j - i + 1 - d.burst) * d.period <=
                      (wide)(o.at[j] - o.at[i]) * d.tokens);
        }
}
END_TEST

/* What it tells is what then happens. */
START_TEST(numbers_are_exact)
{
    struct gw_rate rate;
    struct gw_bucket b = { 0 };
    struct gw_taken out;
    ck_assert_int_eq(gw_rate_init(&rate, 10, GW_MS(1000), 20), GW_OK);
    ck_assert(gw_bucket_take(&b, &rate, 3, 5000, &out));
    ck_assert(out.allowed && gw_taken_quota(&out).remaining == 17 &&
              gw_taken_quota(&out).retry_after_ns == 0);
    ck_assert_uint_eq(gw_taken_quota(&out).reset_ns, GW_MS(300));
    ck_assert(gw_bucket_take(&b, &rate, 18, 5000, &out));
    ck_assert(!out.allowed && gw_taken_quota(&out).remaining == 17);
    ck_assert_uint_eq(gw_taken_quota(&out).retry_after_ns, GW_MS(100));
    ck_assert(gw_bucket_take(&b, &rate, 21, 5000, &out));
    ck_assert(!out.allowed && gw_taken_quota(&out).retry_after_ns == GW_NEVER);
    ck_assert(gw_bucket_take(&b, &rate, 17, 5000, &out));
    ck_assert(out.allowed && gw_taken_quota(&out).remaining == 0 &&
              gw_taken_quota(&out).reset_ns == GW_MS(2000));
    ck_assert_int_eq(gw_rate_init(&rate, 0, 1, 1), GW_EINVAL);
    ck_assert_int_eq(gw_rate_init(&rate, 1, 0, 1), GW_EINVAL);
    ck_assert_int_eq(gw_rate_init(&rate, 1, 1, 0), GW_EINVAL);
    ck_assert_int_eq(gw_rate_init(&rate, 1, GW_RATE_REFILL_MAX_NS, 1), GW_OK);
    ck_assert_int_eq(gw_rate_init(&rate, 1, GW_RATE_REFILL_MAX_NS, 2), GW_ELIMIT);
    ck_assert_int_eq(gw_rate_init(&rate, UINT32_MAX, UINT64_MAX, 2), GW_ELIMIT);
    ck_assert_int_eq(gw_rate_init(&rate, UINT32_MAX, 1, UINT32_MAX), GW_OK);
}
END_TEST

/* ---- another rate ---- */

/* The debt in tokens is the same; never less, and at most a token's 2^-31st more. */
START_TEST(debts_are_carried)
{
    struct gw_prng p = { (uint64_t)_i + 1 };
    for (int i = 0; i < 2000; i++) {
        struct draw from = draw(&p), to = draw(&p);
        uint64_t debt = gw_prng_below(&p, from.rate.span + 1);
        uint64_t got = gw_rate_carry(debt, &from.rate, &to.rate);
        wide wanted = ((wide)debt * to.rate.step + from.rate.step - 1) / from.rate.step;
        if (wanted > to.rate.span)
            wanted = to.rate.span;
        ck_assert(got >= wanted && got <= to.rate.span);
        ck_assert(got <= wanted + (to.rate.step >> 30) + 2);
    }
}
END_TEST

/* ---- keys ---- */

static struct gw_table_key key_of(uint64_t n)
{
    struct gw_prng p = { n };
    struct gw_table_key key = { gw_prng_next(&p), 0 };
    key.hi = gw_prng_next(&p);
    return key;
}

enum { SETS = 4, KEYS = 200 };

/* Each key against a bucket of its own, as long as there is a place for it; a table that is full says so
 * and changes nothing. */
START_TEST(keys_are_buckets_of_their_own)
{
    static struct gw_table_set sets[SETS];
    static struct gw_bucket own[KEYS];
    struct gw_prng p = { (uint64_t)_i + 1 };
    struct gw_table t = { .sets = sets, .sets_len = SETS };
    struct draw d = draw(&p);
    struct gw_table_rule rule = { &d.rate, 0 };
    gw_nanos now = 1;
    int taken = 0, full = 0, refused = 0;
    memset(sets, 0, sizeof sets);
    memset(own, 0, sizeof own);
    for (int i = 0; i < 20000; i++) {
        struct gw_taken out, wanted;
        uint64_t n = gw_prng_below(&p, gw_prng_below(&p, 4) == 0 ? KEYS : KEYS / 20);
        struct gw_bucket before = { own[n].word };
        now += gap(&p, &d) / (20 + gw_prng_below(&p, 100));
        ck_assert(gw_bucket_take(&own[n], &d.rate, 1, now, &wanted));
        if (gw_table_take(&t, key_of(n), &rule, now, &out, NULL) == GW_TABLE_FULL) {
            own[n].word = before.word;
            ck_assert_uint_eq(gw_bucket_debt(before.word, &d.rate, now), 0);
            full++;
            continue;
        }
        ck_assert(memcmp(&out.allowed, &wanted.allowed, sizeof out.allowed) == 0);
        ck_assert_uint_eq(gw_taken_quota(&out).remaining, gw_taken_quota(&wanted).remaining);
        ck_assert_uint_eq(gw_taken_quota(&out).reset_ns, gw_taken_quota(&wanted).reset_ns);
        ck_assert_uint_eq(gw_taken_quota(&out).retry_after_ns,
                          gw_taken_quota(&wanted).retry_after_ns);
        taken += out.allowed;
        refused += !out.allowed;
    }
    ck_assert_int_gt(taken, 100);
    ck_assert_int_gt(refused + full, 10);
}
END_TEST

START_TEST(counts_come_and_go)
{
    static struct gw_table_set sets[1];
    struct gw_table t = { .sets = sets, .sets_len = 1 };
    struct gw_table_rule rule = { NULL, 2 };
    _Atomic uint64_t *held[2 * GW_TABLE_WAYS], *none;
    struct gw_taken out;
    memset(sets, 0, sizeof sets);
    for (uint64_t i = 0; i < 2 * GW_TABLE_WAYS; i++) {
        ck_assert_int_eq(gw_table_take(&t, key_of(i / 2), &rule, 1, &out, &held[i]),
                         GW_TABLE_TAKEN);
        ck_assert(out.allowed && held[i] != NULL);
        ck_assert_uint_eq(gw_taken_quota(&out).remaining, 1 - i % 2);
    }
    ck_assert_int_eq(gw_table_take(&t, key_of(0), &rule, 1, &out, &none), GW_TABLE_TAKEN);
    ck_assert(!out.allowed && none == NULL);
    ck_assert_int_eq(gw_table_take(&t, key_of(99), &rule, 1, &out, &none), GW_TABLE_FULL);
    gw_count_leave(held[4]);
    ck_assert_int_eq(gw_table_take(&t, key_of(99), &rule, 1, &out, &none), GW_TABLE_FULL);
    gw_count_leave(held[5]); /* key 2 has nothing in flight: it gives way */
    ck_assert_int_eq(gw_table_take(&t, key_of(99), &rule, 1, &out, &none), GW_TABLE_TAKEN);
    ck_assert(out.allowed && none == held[4]);
    ck_assert_uint_eq(gw_taken_quota(&out).remaining, 1);
    ck_assert_int_eq(gw_table_take(&t, key_of(2), &rule, 1, &out, &none), GW_TABLE_FULL);
}
END_TEST

START_TEST(a_table_moves)
{
    static struct gw_table_set sets[SETS], others[2 * SETS];
    struct gw_table from = { .sets = sets, .sets_len = SETS },
                    to = { .sets = others, .sets_len = 2 * SETS };
    struct gw_rate of, rate;
    struct gw_table_rule old = { &of, 0 }, new = { &rate, 0 };
    struct gw_taken out;
    gw_nanos now = GW_MS(1000);
    _Atomic gw_nanos newest = now;
    memset(sets, 0, sizeof sets);
    memset(others, 0, sizeof others);
    ck_assert_int_eq(gw_rate_init(&of, 10, GW_MS(1000), 10), GW_OK);
    ck_assert_int_eq(gw_rate_init(&rate, 1, GW_MS(1000), 5), GW_OK);
    for (uint64_t n = 0; n < 5; n++)
        for (uint64_t i = 0; i <= 2 * n; i++) /* n owes 2n + 1 */
            ck_assert_int_eq(gw_table_take(&from, key_of(n), &old, now, &out, NULL),
                             GW_TABLE_TAKEN);
    gw_table_close(&from);
    gw_table_move(&from, &of, &to, &rate, &newest);
    ck_assert_int_eq(gw_table_take(&from, key_of(0), &old, now, &out, NULL), GW_TABLE_CLOSED);
    ck_assert_int_eq(gw_table_take(&from, key_of(77), &old, now, &out, NULL), GW_TABLE_CLOSED);
    for (uint64_t n = 0; n < 5; n++) {
        uint64_t left = 2 * n + 1 < 5 ? 5 - (2 * n + 1) : 0;
        ck_assert_int_eq(gw_table_take(&to, key_of(n), &new, now, &out, NULL), GW_TABLE_TAKEN);
        ck_assert_int_eq(out.allowed, left > 0);
        ck_assert_uint_eq(gw_taken_quota(&out).remaining, left > 0 ? left - 1 : 0);
    }
}
END_TEST

/* ---- states: reloads, workers, threads ---- */

static struct gw_limit_params params_of(const struct draw *d, uint32_t sets)
{
    return (struct gw_limit_params){ .period_ns = d->period,
                                     .tokens = d->tokens,
                                     .burst = d->burst,
                                     .sets = sets,
                                     .is_shared = true };
}

static struct gw_limit_state *state_of(const struct gw_limit_params *params)
{
    struct gw_limit_state *s = calloc(1, gw_limit_size(params, 2));
    gw_limit_init(s, params, 2, 77);
    return s;
}

static bool pass(struct gw_limit_state *s, uint64_t key, gw_nanos now)
{
    struct gw_limit_ask ask = { .worker = (uint32_t)key % 2, .key = key_of(key), .now = now };
    struct gw_taken out;
    _Atomic uint64_t *count;
    ck_assert_int_eq(gw_limit_take(s, &ask, &out, &count), GW_TABLE_TAKEN);
    return out.allowed;
}

/* Rates change again and again, and somebody always has an old state. Over any window, across all of it:
 * what passed is at most the largest burst, and what each rate gave in its time. Tokens are counted in
 * 2^-20ths, and one more of these a reload for what is rounded up. */
START_TEST(reloads_give_nothing)
{
    enum { STATES = 12, TAKES = 200 };
    static struct {
        uint64_t at;
        wide given; /* by all rates until then */
    } passed[STATES * TAKES];
    struct gw_prng p = { (uint64_t)_i + 3 };
    struct gw_limit_state *states[STATES];
    uint32_t sets = _i % 2 == 0 ? 0 : 4, len = 0, burst = 0;
    gw_nanos now = GW_MS(5);
    wide given = 0;
    for (uint32_t k = 0; k < STATES; k++) {
        struct draw d = draw(&p);
        struct gw_limit_params params = params_of(&d, sets);
        states[k] = state_of(&params);
        burst = d.burst > burst ? d.burst : burst;
        if (k > 0)
            gw_limit_succeed(states[k - 1], states[k], true);
        for (int i = 0; i < TAKES; i++) {
            uint64_t step = i == 0 ? 0 : gap(&p, &d); /* a reload takes no time: to the last use */
            now += step < GW_MS(1) ? GW_MS(1) : step; /* which is known to a millisecond */
            step = i == 0 ? 0 : step < GW_MS(1) ? GW_MS(1) : step;
            if (i == 0)
                now -= GW_MS(1);
            given += ((wide)step * d.tokens << 20) / d.period + 1;
            if (pass(states[gw_prng_below(&p, k + 1)], 5, now)) {
                passed[len].at = now;
                passed[len++].given = given;
            }
        }
    }
    ck_assert_uint_gt(len, STATES);
    for (uint32_t i = 0; i < len; i++)
        for (uint32_t j = i + burst; j < len; j++)
            ck_assert_msg((wide)(j - i + 1 - burst) << 20 <=
                              passed[j].given - passed[i].given + STATES,
                          "%u passed", j - i + 1);
    for (uint32_t k = 0; k < STATES; k++)
        free(states[k]);
}
END_TEST

/* Each worker has its part; together they are no more than the whole. */
START_TEST(parts_of_workers)
{
    struct gw_limit_params params = { .period_ns = GW_MS(1000), .tokens = 10, .burst = 4 };
    struct gw_limit_state *s = state_of(&params);
    gw_nanos now = GW_MS(1000);
    for (uint64_t w = 0; w < 2; w++) {
        ck_assert(pass(s, w, now) && pass(s, w, now) && !pass(s, w, now));
        ck_assert(!pass(s, w, now + GW_MS(199)));
        ck_assert(pass(s, w, now + GW_MS(200)));
    }
    free(s);
}
END_TEST

enum { THREADS = 2, TRIES = 20000 };

struct racer {
    pthread_t thread;
    struct gw_limit_state *s;
    atomic_uint *waiting; /* who is not there yet: all begin together */
    uint64_t passed, refused, full;
    uint32_t keys, ceiling;
};

static void arrive(atomic_uint *waiting)
{
    atomic_fetch_sub(waiting, 1);
    while (atomic_load(waiting) > 0)
        ;
}

static void *race(void *ctx)
{
    struct racer *r = ctx;
    arrive(r->waiting);
    for (int i = 0; i < TRIES; i++) {
        struct gw_limit_ask ask = { .ceiling = r->ceiling, .now = GW_MS(1000) };
        struct gw_taken out;
        _Atomic uint64_t *count;
        ask.key = key_of((uint64_t)i % r->keys);
        if (gw_limit_take(r->s, &ask, &out, &count) == GW_TABLE_FULL) {
            r->full++;
            continue;
        }
        r->passed += out.allowed;
        r->refused += !out.allowed;
        if (count != NULL && i % 3 != 0)
            gw_count_leave(count); /* the others stay in flight */
    }
    return NULL;
}

static struct racer race_all(struct gw_limit_state *s, struct gw_limit_state *then, uint32_t keys,
                             uint32_t ceiling)
{
    struct racer racers[THREADS], all = { .keys = keys };
    atomic_uint waiting = THREADS + 1;
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){ .s = s, .waiting = &waiting, .keys = keys, .ceiling = ceiling };
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    arrive(&waiting);
    if (then != NULL)
        gw_limit_succeed(s, then, true);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(racers[i].thread, NULL), 0);
        all.passed += racers[i].passed;
        all.refused += racers[i].refused;
        all.full += racers[i].full;
    }
    return all;
}

/* Never one more; and none less, but for who met a thread that was stopped in the middle of bringing a key,
 * and was told that there is no place. */
static void check_race(const struct racer *all, uint64_t wanted)
{
    ck_assert_uint_eq(all->passed + all->refused + all->full, THREADS * TRIES);
    ck_assert_uint_le(all->passed, wanted);
    ck_assert_uint_ge(all->passed + all->full, wanted);
}

/* Two threads at the same time by the clock: what passes is the burst, to the last token; also where a new
 * state takes over meanwhile. _i: without keys, one key, five; each with and without a successor. */
START_TEST(threads_lose_nothing)
{
    static const uint32_t keys[] = { 1, 1, 5 };
    struct draw d = { .tokens = 1, .period = GW_MS(1000), .burst = 3000 };
    struct gw_limit_params params = params_of(&d, _i % 3 == 0 ? 0 : 2);
    struct gw_limit_state *s = state_of(&params), *then = NULL;
    if (_i >= 3) {
        params.tokens = 2;
        then = state_of(&params);
    }
    struct racer all = race_all(s, then, keys[_i % 3], 0);
    check_race(&all, (uint64_t)d.burst * keys[_i % 3]);
    free(s);
    free(then);
}
END_TEST

/* Keys that come for the first time by two threads at once: each is one bucket. */
START_TEST(threads_bring_keys)
{
    enum { KEYS_MANY = 2000 };
    struct draw d = { .tokens = 1, .period = GW_MS(1000), .burst = 3 };
    struct gw_limit_params params = params_of(&d, 4096);
    struct gw_limit_state *s = state_of(&params);
    struct racer all = race_all(s, NULL, KEYS_MANY, 0);
    check_race(&all, (uint64_t)d.burst * KEYS_MANY);
    free(s);
}
END_TEST

/* What is in flight is counted once, and given back once. */
START_TEST(threads_count)
{
    struct gw_limit_params params = { .ceiling = 100, .sets = _i == 0 ? 0 : 1, .is_shared = true };
    struct gw_limit_state *s = state_of(&params);
    struct racer all = race_all(s, NULL, 1, 100);
    ck_assert_uint_gt(all.refused, 0);
    ck_assert_uint_ge(all.passed, 100);
    if (_i == 0)
        ck_assert_uint_eq(s->parts[0].bucket.word & UINT32_MAX, 100);
    else
        ck_assert_uint_eq(s->parts[0].table.sets[0].word[0] & UINT32_MAX, 100);
    free(s);
}
END_TEST

static Suite *bucket_suite(void)
{
    Suite *s = suite_create("bucket");
    check_add_loop(s, no_window_passes_more, 0, 40);
    check_add_loop(s, who_comes_in_time_passes, 0, 40);
    check_add_loop(s, nothing_drifts, 0, 9);
    check_add_loop(s, steps_of_the_clock_give_nothing, 0, 60);
    check_add(s, the_clock_goes_back);
    check_add_loop(s, threads_that_are_behind, 0, 30);
    check_add(s, numbers_are_exact);
    check_add_loop(s, debts_are_carried, 0, 5);
    return s;
}

static Suite *table_suite(void)
{
    Suite *s = suite_create("table");
    check_add_loop(s, keys_are_buckets_of_their_own, 0, 20);
    check_add(s, counts_come_and_go);
    check_add(s, a_table_moves);
    return s;
}

static Suite *state_suite(void)
{
    Suite *s = suite_create("state");
    check_add_loop(s, reloads_give_nothing, 0, 20);
    check_add(s, parts_of_workers);
    check_add_loop(s, threads_lose_nothing, 0, 6);
    check_add(s, threads_bring_keys);
    check_add_loop(s, threads_count, 0, 2);
    return s;
}

CHECK_MAIN(bucket_suite, table_suite, state_suite, limited_suite)
