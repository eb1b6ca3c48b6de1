/* unit/picks_test.c: a whole balancer of each kind, as an exchange uses it. */

#include "balance_test.h"

static struct field field;
static struct gw_balance balancer;
static struct gw_turn turn;

static const uint32_t kinds[] = { GW_BALANCE_ROUND_ROBIN, GW_BALANCE_CONSISTENT_HASH,
                                  GW_BALANCE_LEAST_REQUEST, GW_BALANCE_RANDOM };
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void make(const struct gw_balance_spec *spec, uint64_t seed)
{
    ck_assert_int_eq(gw_balancer_init(&balancer, &field.heap, spec), GW_OK);
    gw_turn_init(&turn, seed);
}

static void make_kind(uint32_t kind)
{
    struct gw_balance_spec spec = field_spec(&field, kind);
    make(&spec, 1);
}

static void done(void)
{
    gw_balancer_fini(&balancer);
    test_alloc_fini(&field.alloc);
}

static uint32_t pick(void)
{
    return gw_balance_pick(&balancer, &turn, &field.who, NULL, NULL);
}

/* Round robin with some away is its sequence without their places. */
START_TEST(places_of_the_unavailable_are_left_out)
{
    struct gw_prng prng = { 40 };
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t cursor;
        field_init(&field, "r", 1 + (uint32_t)gw_prng_below(&prng, 12));
        for (uint32_t i = 0; i < field.n; i++) {
            field.weights[i] = (uint32_t)gw_prng_below(&prng, round % 2 ? 2 : 5);
            field.is_down[i] = gw_prng_below(&prng, 3) == 0;
        }
        field.weights[0] = 1;
        field.is_down[0] = false;
        make_kind(GW_BALANCE_ROUND_ROBIN);
        field_count(&field);
        cursor = turn.cursors[0];
        const struct gw_level *level = &balancer.levels[0];
        for (uint32_t n = 0; n < 200; n++) {
            uint32_t wanted = level->members[gw_rr_pick(&level->rr, &cursor)];
            if (field.available[0] * 2 < level->weight)
                continue; /* panic is another test's */
            while (field.is_down[wanted])
                wanted = level->members[gw_rr_pick(&level->rr, &cursor)];
            ck_assert_uint_eq(pick(), wanted);
        }
        done();
    }
}
END_TEST

/* Without anybody to ask, and with somebody who says yes to all, it is the same sequence. */
START_TEST(nobody_to_ask)
{
    struct gw_pick_trace trace;
    for (uint32_t round = 0; round < 50; round++) {
        field_init(&field, "r", 1 + round % 9);
        for (uint32_t i = 0; i < field.n; i++) {
            field.weights[i] = (i + round) % 4;
            field.priorities[i] = round % 3 == 0 ? i % 3 : 0;
        }
        make_kind(GW_BALANCE_ROUND_ROBIN);
        struct gw_turn other = turn;
        for (uint32_t i = 0; i < 40; i++) {
            struct gw_candidates nobody = { .ctx = NULL };
            uint32_t got = gw_balance_pick(&balancer, &turn, &nobody, NULL, NULL);
            field_count(&field);
            ck_assert_uint_eq(gw_balance_pick(&balancer, &other, &field.who, NULL, &trace), got);
        }
        done();
    }
}
END_TEST

/* Three, one away: the other two get a half each, and not one of them both its and a neighbour's. */
START_TEST(no_neighbour_gets_double)
{
    uint32_t got[3] = { 0 };
    field_init(&field, "r", 3);
    make_kind(kinds[_i]);
    field.is_down[1] = true;
    field_count(&field);
    for (uint32_t i = 0; i < 10000; i++)
        got[pick()]++;
    ck_assert_uint_eq(got[1], 0);
    if (kinds[_i] == GW_BALANCE_ROUND_ROBIN)
        ck_assert_uint_eq(got[0], 5000);
    ck_assert_uint_gt(got[0], 4400);
    ck_assert_uint_gt(got[2], 4400);
    done();
}
END_TEST

START_TEST(the_same_seed_picks_the_same)
{
    static uint32_t first[2000];
    field_init(&field, "d", 20);
    for (uint32_t i = 0; i < field.n; i++) {
        field.weights[i] = 1 + i % 3;
        field.priorities[i] = i % 2;
        field.is_down[i] = i % 4 == 0 || i < 6;
        field.warmth[i] = i % 5 ? GW_WARM : 300;
        field.inflight[i] = i % 7;
    }
    field_count(&field);
    struct gw_balance_spec spec = field_spec(&field, kinds[_i]);
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t differ = 0;
        make(&spec, round < 2 ? 77 : 78);
        for (uint32_t i = 0; i < 2000; i++) {
            uint32_t got = pick();
            ck_assert(round > 0 || !field.is_down[got]);
            first[i] = round == 0 ? got : first[i];
            differ += got != first[i];
        }
        ck_assert_uint_eq(differ > 0, round == 2);
        gw_balancer_fini(&balancer);
    }
    test_alloc_fini(&field.alloc);
}
END_TEST

/* All away: with panic everybody is asked, as if all were there; without it nobody. */
START_TEST(panic)
{
    uint32_t got[4] = { 0 };
    struct gw_pick_trace trace;
    field_init(&field, "p", 4);
    memset(field.is_down, 1, sizeof field.is_down);
    field_count(&field);
    struct gw_balance_spec spec = field_spec(&field, kinds[_i]);
    make(&spec, 1);
    for (uint32_t i = 0; i < 4000; i++)
        got[gw_balance_pick(&balancer, &turn, &field.who, NULL, &trace)]++;
    ck_assert(trace.is_panic);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_gt(got[i], 500);
    gw_balancer_fini(&balancer);
    spec.panic_percent = GW_OFF;
    make(&spec, 1);
    ck_assert_uint_eq(gw_balance_pick(&balancer, &turn, &field.who, NULL, &trace), UINT32_MAX);
    ck_assert_uint_eq(trace.chosen, UINT32_MAX);
    ck_assert(!trace.is_panic);
    done();
}
END_TEST

/* Below half the rest does not take it all, but shares it with those that are away. */
START_TEST(panic_below_its_threshold)
{
    field_init(&field, "p", 10);
    make_kind(kinds[_i]);
    for (uint32_t down = 0; down <= 10; down++) {
        bool is_away_asked = false;
        for (uint32_t i = 0; i < 10; i++)
            field.is_down[i] = i < down;
        field_count(&field);
        for (uint32_t i = 0; i < 400; i++)
            is_away_asked = is_away_asked || field.is_down[pick()];
        ck_assert_msg(is_away_asked == (down > 5), "%u are away", down);
    }
    done();
}
END_TEST

START_TEST(who_was_tried_is_never_picked)
{
    field_init(&field, "t", 3);
    make_kind(kinds[_i]);
    field.is_tried[1] = true;
    for (uint32_t down = 0; down < 2; down++) {
        memset(field.is_down, (int)down, sizeof field.is_down); /* in panic neither */
        field_count(&field);
        for (uint32_t i = 0; i < 300; i++)
            ck_assert_uint_ne(pick(), 1);
    }
    field.is_tried[0] = field.is_tried[2] = true;
    ck_assert_uint_eq(pick(), UINT32_MAX);
    done();
}
END_TEST

/* Of two levels that share, one has nobody left that was not tried: the other takes it. */
START_TEST(the_other_level_is_asked)
{
    field_init(&field, "t", 4);
    field.priorities[2] = field.priorities[3] = 1;
    make_kind(kinds[_i]);
    field.is_down[0] = true;
    field.is_tried[1] = true;
    field_count(&field);
    for (uint32_t i = 0; i < 300; i++)
        ck_assert_uint_ge(pick(), 2);
    done();
}
END_TEST

START_TEST(levels_take_over)
{
    field_init(&field, "l", 20);
    for (uint32_t i = 0; i < field.n; i++)
        field.priorities[i] = i < 10 ? 0 : 3; /* levels between may be empty */
    make_kind(kinds[_i]);
    for (uint32_t down = 0; down <= 10; down++) {
        uint32_t got[2] = { 0 }, first = (10 - down) * 14 > 100 ? 100 : (10 - down) * 14;
        for (uint32_t i = 0; i < 10; i++)
            field.is_down[i] = i < down;
        field_count(&field);
        for (uint32_t i = 0; i < 10000; i++) {
            uint32_t chosen = pick();
            ck_assert(!field.is_down[chosen]);
            got[chosen >= 10]++;
        }
        if (kinds[_i] != GW_BALANCE_CONSISTENT_HASH)
            ck_assert_uint_eq(got[0], first * 100);
        ck_assert_uint_lt(got[0], first * 100 + 200);
        ck_assert_uint_gt(got[0] + 200, first * 100);
    }
    done();
}
END_TEST

/* Who counts them is late: by that nobody is there, and whoever is, is found with the next look. */
START_TEST(who_is_back_is_not_counted_yet)
{
    struct gw_balance_spec spec;
    field_init(&field, "l", 5);
    spec = field_spec(&field, kinds[_i]);
    spec.load_percent = kinds[_i] == GW_BALANCE_CONSISTENT_HASH ? 125 : 0;
    spec.panic_percent = GW_OFF;
    make(&spec, 1);
    for (uint32_t i = 0; i < field.n; i++)
        field.is_down[i] = true;
    field_count(&field);
    memset(field.is_down, 0, sizeof field.is_down);
    ck_assert_uint_eq(pick(), UINT32_MAX);
    field_count(&field);
    ck_assert_uint_lt(pick(), field.n);
    done();
}
END_TEST

/* A key keeps its endpoint while shares change elsewhere, and its level while the levels' do not. */
START_TEST(keys_stay)
{
    enum { KEYS = 1990 }; /* no multiple of 100: turns would come to the same */
    static uint32_t before[KEYS];
    uint32_t moved = 0;
    field_init(&field, "k", 20);
    for (uint32_t i = 0; i < field.n; i++)
        field.priorities[i] = i < 10 ? 0 : 1;
    make_kind(GW_BALANCE_CONSISTENT_HASH);
    for (uint32_t i = 0; i < 5; i++)
        field.is_down[i] = true;
    field_count(&field);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            uint64_t key = some_key(i);
            uint32_t got = gw_balance_pick(&balancer, &turn, &field.who, &key, NULL);
            moved += round > 0 && got != before[i];
            before[i] = got;
        }
        field.is_down[15] = true; /* of the level that takes over */
        field_count(&field);
        if (round == 0)
            ck_assert_uint_eq(moved, 0);
    }
    ck_assert_uint_gt(moved, 0);
    ck_assert_uint_lt(moved, KEYS * 30 / 100 / 10 * 2);
    done();
}
END_TEST

START_TEST(bounded_load_bounds)
{
    uint64_t key = 42;
    struct gw_pick_trace trace;
    field_init(&field, "b", 4);
    struct gw_balance_spec spec = field_spec(&field, GW_BALANCE_CONSISTENT_HASH);
    spec.load_percent = 125;
    make(&spec, 1);
    for (uint32_t i = 0; i < 400; i++) {
        field_count(&field);
        field.inflight[gw_balance_pick(&balancer, &turn, &field.who, &key, &trace)]++;
    }
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_le(field.inflight[i], 125);
    ck_assert_uint_eq(trace.key, 42);
    ck_assert(!trace.is_key_drawn);
    done();
}
END_TEST

/* Without a key a ring is weighted random, drawn by the turn. */
START_TEST(without_a_key)
{
    uint32_t got[3] = { 0 };
    struct gw_pick_trace trace;
    field_init(&field, "n", 3);
    make_kind(GW_BALANCE_CONSISTENT_HASH);
    for (uint32_t i = 0; i < 9000; i++)
        got[gw_balance_pick(&balancer, &turn, &field.who, NULL, &trace)]++;
    ck_assert(trace.is_key_drawn);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_gt(got[i], 2400);
    done();
}
END_TEST

START_TEST(the_cold_get_less)
{
    uint32_t got[4] = { 0 };
    field_init(&field, "c", 4);
    field.warmth[2] = GW_WARM / 4;
    field_count(&field);
    make_kind(kinds[_i]);
    for (uint32_t i = 0; i < 13000; i++)
        got[pick()]++;
    if (kinds[_i] == GW_BALANCE_CONSISTENT_HASH)
        ck_assert_uint_gt(got[2], 2500); /* keys stay where they are */
    else
        ck_assert(got[2] > 800 && got[2] < 1200);
    memset(got, 0, sizeof got);
    for (uint32_t i = 0; i < 4; i++)
        field.warmth[i] = 1; /* all are: nobody is favoured */
    for (uint32_t i = 0; i < 12000; i++)
        got[pick()]++;
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_gt(got[i], 2400);
    done();
}
END_TEST

START_TEST(who_weighs_nothing)
{
    struct gw_balance none = { .kind = 0 };
    field_init(&field, "z", 3);
    field.weights[1] = 0;
    make_kind(kinds[_i]);
    for (uint32_t i = 0; i < 300; i++)
        ck_assert_uint_ne(pick(), 1);
    gw_balancer_fini(&balancer);
    field.weights[0] = field.weights[2] = 0;
    make_kind(kinds[_i]);
    ck_assert_uint_eq(pick(), UINT32_MAX);
    gw_balancer_fini(&balancer);
    field.n = 0;
    make_kind(kinds[_i]);
    ck_assert_uint_eq(pick(), UINT32_MAX);
    gw_balancer_fini(&none);
    done();
}
END_TEST

/* One of a kind after the other, whatever comes: nobody who is away or was tried, and somebody wherever
 * there is one. */
START_TEST(anything)
{
    struct gw_prng prng = { 60 + (uint64_t)_i };
    for (uint32_t round = 0; round < 1500; round++) {
        uint64_t there = 0;
        struct gw_pick_trace trace;
        field_init(&field, "a", 1 + (uint32_t)gw_prng_below(&prng, 16));
        for (uint32_t i = 0; i < field.n; i++) {
            field.weights[i] = (uint32_t)gw_prng_below(&prng, 4);
            field.priorities[i] = (uint32_t)gw_prng_below(&prng, 1 + round % GW_LEVELS_MAX);
            field.is_down[i] = gw_prng_below(&prng, 2) == 0;
            field.warmth[i] = 1 + (uint32_t)gw_prng_below(&prng, GW_WARM);
            field.inflight[i] = (uint32_t)gw_prng_below(&prng, 5);
            there += field.is_down[i] ? 0 : field.weights[i];
        }
        struct gw_balance_spec spec = field_spec(&field, kinds[_i]);
        spec.panic_percent = round % 3 == 0 ? 0 : GW_OFF;
        spec.load_percent = round % 2 == 0 ? 0 : 100;
        spec.points = 4;
        make(&spec, round);
        field_count(&field);
        for (uint32_t i = 0; i < 30; i++) {
            uint64_t key = gw_prng_next(&prng);
            uint32_t got = gw_balance_pick(&balancer, &turn, &field.who, i % 2 ? &key : NULL,
                                           &trace);
            ck_assert_uint_eq(trace.chosen, got);
            ck_assert(got != UINT32_MAX || there == 0);
            ck_assert(got == UINT32_MAX || field.weights[got] > 0);
            ck_assert(got == UINT32_MAX || !field.is_down[got] || trace.is_panic);
            ck_assert(got == UINT32_MAX || trace.level == field.priorities[got]);
        }
        done();
    }
}
END_TEST

START_TEST(refused_allocations)
{
    field_init(&field, "m", 6);
    for (uint32_t i = 0; i < field.n; i++) {
        field.weights[i] = 1 + i;
        field.priorities[i] = i % 3;
    }
    struct gw_balance_spec spec = field_spec(&field, kinds[_i]);
    for (uint64_t k = 1;; k++) {
        test_alloc_restart(&field.alloc);
        field.alloc.fail_at = k;
        gw_status status = gw_balancer_init(&balancer, &field.heap, &spec);
        if (field.alloc.failed == 0)
            break;
        ck_assert_int_eq(status, GW_ENOMEM);
        ck_assert_uint_eq(field.alloc.live, 0);
    }
    done();
}
END_TEST

Suite *picks_suite(void)
{
    Suite *suite = suite_create("picks");
    check_add(suite, places_of_the_unavailable_are_left_out);
    check_add(suite, nobody_to_ask);
    check_add_loop(suite, no_neighbour_gets_double, 0, KINDS);
    check_add_loop(suite, the_same_seed_picks_the_same, 0, KINDS);
    check_add_loop(suite, panic, 0, KINDS);
    check_add_loop(suite, panic_below_its_threshold, 0, KINDS);
    check_add_loop(suite, who_was_tried_is_never_picked, 0, KINDS);
    check_add_loop(suite, the_other_level_is_asked, 0, KINDS);
    check_add_loop(suite, levels_take_over, 0, KINDS);
    check_add_loop(suite, who_is_back_is_not_counted_yet, 0, KINDS);
    check_add(suite, keys_stay);
    check_add(suite, bounded_load_bounds);
    check_add(suite, without_a_key);
    check_add_loop(suite, the_cold_get_less, 0, KINDS);
    check_add_loop(suite, who_weighs_nothing, 0, KINDS);
    check_add_loop(suite, anything, 0, KINDS);
    check_add_loop(suite, refused_allocations, 0, KINDS);
    return suite;
}
