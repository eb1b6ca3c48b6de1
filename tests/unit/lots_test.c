/* unit/lots_test.c: weighted random, and the least busy of a few. */

#include "balance/least_request.h"
#include "balance_test.h"

static struct field field;
static struct gw_pick_trace trace;

static struct gw_pick pick_of(struct gw_prng *prng)
{
    field_count(&field);
    trace = (struct gw_pick_trace){ .chosen = 0 };
    return (struct gw_pick){
        .who = &field.who, .weights = field.weights, .len = field.n, .prng = prng, .trace = &trace
    };
}

static void make(struct gw_lots *lots)
{
    ck_assert_int_eq(gw_lots_init(lots, &field.heap, field.weights, field.n), GW_OK);
}

static void done(struct gw_lots *lots)
{
    gw_lots_fini(lots, &field.heap);
    test_alloc_fini(&field.alloc);
}

/* Each has exactly its weight of all columns. */
START_TEST(columns_hold_the_weights_exactly)
{
    struct gw_prng prng = { 2 };
    for (uint32_t round = 0; round < 500; round++) {
        struct gw_lots lots;
        uint64_t held[FIELD_MAX] = { 0 };
        field_init(&field, "",
                   1 + (uint32_t)gw_prng_below(&prng, round % 100 == 0 ? FIELD_MAX : 20));
        for (uint32_t i = 0; i < field.n; i++)
            field.weights[i] = (uint32_t)gw_prng_below(&prng, round % 2 ? 4 : 65536);
        field.weights[0] += field.weights[0] == 0;
        make(&lots);
        for (uint32_t c = 0; lots.until != NULL && c < field.n; c++) {
            ck_assert_uint_le(lots.until[c], lots.sum);
            held[c] += lots.until[c];
            held[lots.other[c]] += lots.sum - lots.until[c];
        }
        for (uint32_t i = 0; lots.until != NULL && i < field.n; i++)
            ck_assert_uint_eq(held[i], (uint64_t)field.weights[i] * field.n);
        done(&lots);
    }
}
END_TEST

static void draw_many(const struct gw_lots *lots, uint32_t draws, uint32_t *out)
{
    struct gw_prng prng = { 99 };
    memset(out, 0, field.n * sizeof *out);
    for (uint32_t i = 0; i < draws; i++) {
        struct gw_pick p = pick_of(&prng);
        uint32_t got = gw_random_pick(lots, &p);
        ck_assert_uint_lt(got, field.n);
        out[got]++;
    }
}

static void expect_near(uint32_t got, uint64_t wanted)
{
    if (got * 100ull > wanted * 106 || got * 100ull < wanted * 94)
        ck_abort_msg("%u, not about %u", got, (unsigned)wanted);
}

/* Who is not there leaves the others' proportions as they are; 0: all are there, 1: some, 2: so few that
 * drawing lots gives up. */
START_TEST(proportions_stay)
{
    enum { DRAWS = 100000 };
    struct gw_lots lots;
    uint32_t got[FIELD_MAX], sum = 0;
    field_init(&field, "", 100);
    for (uint32_t i = 0; i < field.n; i++) {
        field.weights[i] = 1 + i % 3;
        field.is_down[i] = _i == 1 ? i % 25 != 0 : _i == 2 && i != 8 && i != 31;
        sum += field.is_down[i] ? 0 : field.weights[i];
    }
    make(&lots);
    draw_many(&lots, DRAWS, got);
    for (uint32_t i = 0; i < field.n; i++) {
        if (field.is_down[i])
            ck_assert_uint_eq(got[i], 0);
        else if (_i > 0)
            expect_near(got[i], (uint64_t)DRAWS * field.weights[i] / sum);
        else
            ck_assert_uint_gt(got[i], 0);
    }
    done(&lots);
}
END_TEST

START_TEST(the_cold_take_their_part)
{
    enum { DRAWS = 120000 };
    struct gw_lots lots;
    uint32_t got[3];
    field_init(&field, "", 3);
    field.warmth[1] = GW_WARM / 4;
    make(&lots);
    draw_many(&lots, DRAWS, got);
    expect_near(got[0], DRAWS * 4 / 9);
    expect_near(got[1], DRAWS / 9);
    field.warmth[0] = field.warmth[1] = field.warmth[2] = 1; /* nearly nobody: but somebody it is */
    draw_many(&lots, DRAWS, got);
    expect_near(got[0], DRAWS / 3);
    done(&lots);
}
END_TEST

START_TEST(nobody_is_there)
{
    struct gw_prng prng = { 4 };
    struct gw_lots lots;
    field_init(&field, "", 3);
    make(&lots);
    for (uint32_t i = 0; i < 3; i++)
        field.is_down[i] = true;
    struct gw_pick p = pick_of(&prng);
    ck_assert_uint_eq(gw_random_pick(&lots, &p), UINT32_MAX);
    ck_assert_uint_eq(gw_least_pick(&lots, &p, 2), UINT32_MAX);
    p.is_panic = true;
    ck_assert_uint_ne(gw_random_pick(&lots, &p), UINT32_MAX);
    ck_assert_uint_ne(gw_least_pick(&lots, &p, 2), UINT32_MAX);
    done(&lots);
}
END_TEST

/* Of those compared nobody has less for its weight; they differ; a tie is the first one's. */
START_TEST(the_least_busy_of_the_compared)
{
    struct gw_prng prng = { 8 };
    for (uint32_t round = 0; round < 3000; round++) {
        struct gw_lots lots;
        uint32_t choices = 2 + round % (GW_CHOICES_MAX - 1);
        field_init(&field, "", 1 + (uint32_t)gw_prng_below(&prng, 12));
        for (uint32_t i = 0; i < field.n; i++) {
            field.weights[i] = 1 + (uint32_t)gw_prng_below(&prng, 5);
            field.inflight[i] = (uint32_t)gw_prng_below(&prng, 6);
        }
        make(&lots);
        struct gw_pick p = pick_of(&prng);
        uint32_t got = gw_least_pick(&lots, &p, choices);
        bool is_seen = false;
        ck_assert_uint_ge(trace.others_len, 1);
        ck_assert_uint_le(trace.others_len, choices);
        for (uint32_t i = 0; i < trace.others_len; i++) {
            uint32_t other = trace.others[i];
            uint64_t its = (uint64_t)field.inflight[other] * field.weights[got];
            uint64_t ours = (uint64_t)field.inflight[got] * field.weights[other];
            ck_assert(is_seen ? its >= ours : other == got || its > ours);
            is_seen = is_seen || other == got;
            for (uint32_t j = 0; j < i; j++)
                ck_assert_uint_ne(trace.others[j], other);
        }
        ck_assert(is_seen);
        done(&lots);
    }
}
END_TEST

/* Idle endpoints get requests by weight. */
START_TEST(the_idle_share_by_weight)
{
    enum { PICKS = 60000 };
    struct gw_prng prng = { 12 };
    struct gw_lots lots;
    uint32_t got[3] = { 0 };
    field_init(&field, "", 3);
    field.weights[0] = field.weights[1] = 100;
    field.weights[2] = 200;
    make(&lots);
    for (uint32_t i = 0; i < PICKS; i++) {
        struct gw_pick p = pick_of(&prng);
        got[gw_least_pick(&lots, &p, 2)]++;
    }
    expect_near(got[0], PICKS / 4);
    expect_near(got[1], PICKS / 4);
    expect_near(got[2], PICKS / 2);
    done(&lots);
}
END_TEST

/* The power of two choices: 100 on 100, the fullest has far fewer than with one lot, and weights count. */
START_TEST(loads_are_near_each_other)
{
    struct gw_prng prng = { 7 };
    struct gw_lots lots;
    uint32_t most[2] = { 0, 0 };
    for (int is_least = 0; is_least < 2; is_least++) {
        field_init(&field, "", 100);
        for (uint32_t i = 0; i < field.n; i++)
            field.weights[i] = 1 + i % 2;
        make(&lots);
        for (uint32_t i = 0; i < 15000; i++) {
            struct gw_pick p = pick_of(&prng);
            field.inflight[is_least ? gw_least_pick(&lots, &p, 2) : gw_random_pick(&lots, &p)]++;
        }
        for (uint32_t i = 0; i < field.n; i++) {
            uint32_t load = field.inflight[i] / field.weights[i];
            most[is_least] = load > most[is_least] ? load : most[is_least];
        }
        done(&lots);
    }
    ck_assert_uint_le(most[1], 104); /* 100 were even */
    ck_assert_uint_ge(most[0], 112);
}
END_TEST

START_TEST(refused_allocations)
{
    struct gw_lots lots;
    field_init(&field, "", 5);
    field.weights[2] = 9;
    for (uint64_t k = 1;; k++) {
        test_alloc_restart(&field.alloc);
        field.alloc.fail_at = k;
        gw_status status = gw_lots_init(&lots, &field.heap, field.weights, field.n);
        if (field.alloc.failed == 0)
            break;
        ck_assert_int_eq(status, GW_ENOMEM);
        ck_assert_uint_eq(field.alloc.live, 0);
    }
    done(&lots);
}
END_TEST

Suite *lots_suite(void)
{
    Suite *suite = suite_create("lots");
    check_add(suite, columns_hold_the_weights_exactly);
    check_add_loop(suite, proportions_stay, 0, 3);
    check_add(suite, the_cold_take_their_part);
    check_add(suite, nobody_is_there);
    check_add(suite, the_least_busy_of_the_compared);
    check_add(suite, the_idle_share_by_weight);
    check_add(suite, loads_are_near_each_other);
    check_add(suite, refused_allocations);
    return suite;
}
