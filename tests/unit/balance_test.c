/* Smooth weighted round robin against the naive rule, which walks all endpoints at each pick. */

#include "balance_test.h"

enum { ENDPOINTS_MAX = 40 };

struct naive {
    int64_t score[ENDPOINTS_MAX];
};

static uint32_t naive_pick(struct naive *naive, const uint32_t *weights, uint32_t n)
{
    int64_t sum = 0;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (weights[i] == 0)
            continue;
        sum += weights[i];
        naive->score[i] += weights[i];
        if (best == UINT32_MAX || naive->score[i] > naive->score[best])
            best = i;
    }
    if (best != UINT32_MAX)
        naive->score[best] -= sum;
    return best;
}

static uint64_t sum_of(const uint32_t *weights, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += weights[i];
    return sum;
}

static void try_seed(uint64_t seed)
{
    struct gw_prng prng = { seed };
    struct test_alloc alloc;
    struct gw_heap heap;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    uint32_t weights[ENDPOINTS_MAX], n = 1 + (uint32_t)gw_prng_below(&prng, ENDPOINTS_MAX);
    uint32_t most = 1 + (uint32_t)gw_prng_below(&prng, seed % 2 ? 5 : 300);
    uint32_t factor = 1 + (uint32_t)gw_prng_below(&prng, 4);
    for (uint32_t i = 0; i < n; i++)
        weights[i] = factor * (uint32_t)gw_prng_below(&prng, most + 1);
    struct gw_rr rr;
    struct naive naive = { { 0 } };
    uint32_t cursor = 0;
    ck_assert_int_eq(gw_rr_init(&rr, &heap, weights, n), GW_OK);
    uint64_t picks = 3 * sum_of(weights, n) + 10;
    for (uint64_t i = 0; i < picks; i++) {
        uint32_t got = gw_rr_pick(&rr, &cursor), wanted = naive_pick(&naive, weights, n);
        if (got != wanted) /* an assertion at each pick would take most of the time */
            ck_abort_msg("seed %d, pick %d: %u, not %u", (int)seed, (int)i, got, wanted);
    }
    gw_rr_fini(&rr, &heap);
    test_alloc_fini(&alloc);
}

START_TEST(picks_as_the_naive_rule_does)
{
    for (uint64_t seed = 0; seed < 300; seed++)
        try_seed(seed);
}
END_TEST

/* In any window an endpoint's picks differ from its share by less than 2: no bursts. */
START_TEST(no_bursts_from_any_cursor)
{
    static const uint32_t tables[][4] = { { 5, 1, 1, 0 }, { 100, 1, 1, 1 }, { 7, 3, 2, 9 } };
    const uint32_t *weights = tables[_i];
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_rr rr;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    ck_assert_int_eq(gw_rr_init(&rr, &heap, weights, 4), GW_OK);
    int64_t sum = (int64_t)sum_of(weights, 4);
    for (uint32_t start = 0; start < 2 * (uint32_t)sum; start++) {
        int64_t count[4] = { 0 };
        uint32_t cursor = start;
        for (int64_t picks = 1; picks <= sum; picks++) {
            count[gw_rr_pick(&rr, &cursor)]++;
            for (int i = 0; i < 4; i++) {
                int64_t off = count[i] * sum - picks * (int64_t)weights[i];
                if (off >= 2 * sum || off <= -2 * sum)
                    ck_abort_msg("%d picks from %u: %d of %d", (int)picks, start, (int)count[i], i);
            }
        }
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(count[i], (int64_t)weights[i]);
    }
    gw_rr_fini(&rr, &heap);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(equal_weights_need_no_memory)
{
    uint32_t weights[3] = { 4, 4, 4 };
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_rr rr;
    uint32_t cursor = 4000000001u;
    test_alloc_init(&alloc);
    alloc.fail_from = 1;
    gw_heap_init(&heap, &alloc.allocator, 0);
    ck_assert_int_eq(gw_rr_init(&rr, &heap, weights, 3), GW_OK);
    uint32_t first = gw_rr_pick(&rr, &cursor);
    ck_assert_uint_eq(first, 4000000001u % 3);
    for (uint32_t i = 1; i < 10; i++)
        ck_assert_uint_eq(gw_rr_pick(&rr, &cursor), (first + i) % 3);
    gw_rr_fini(&rr, &heap);
}
END_TEST

START_TEST(nobody_when_all_weigh_nothing)
{
    uint32_t weights[3] = { 0, 0, 0 }, cursor = 7;
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_rr rr;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    ck_assert_int_eq(gw_rr_init(&rr, &heap, weights, 3), GW_OK);
    ck_assert_uint_eq(gw_rr_pick(&rr, &cursor), UINT32_MAX);
    gw_rr_fini(&rr, &heap);
    ck_assert_int_eq(gw_rr_init(&rr, &heap, weights, 0), GW_OK);
    ck_assert_uint_eq(gw_rr_pick(&rr, &cursor), UINT32_MAX);
    gw_rr_fini(&rr, &heap);
    test_alloc_fini(&alloc);
}
END_TEST

/* Sums over the bound are scaled: shares stay near, nobody is lost, nobody is added. */
START_TEST(large_sums_are_scaled)
{
    enum { N = 40000 };
    static uint32_t weights[N], count[N];
    struct gw_prng prng = { 99 };
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_rr rr;
    uint32_t cursor = 0, n = _i == 0 ? 3 : _i == 1 ? 1000 : N;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    for (uint32_t i = 0; i < n; i++) {
        weights[i] = i % 7 == 3 ? 0 : 1 + (uint32_t)gw_prng_below(&prng, 65535);
        count[i] = 0;
    }
    ck_assert_int_eq(gw_rr_init(&rr, &heap, weights, n), GW_OK);
    ck_assert_uint_le(rr.len, GW_RR_SEQUENCE_MAX);
    for (uint32_t i = 0; i < rr.len; i++)
        count[gw_rr_pick(&rr, &cursor)]++;
    uint64_t sum = sum_of(weights, n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t share = (uint64_t)weights[i] * rr.len / sum;
        bool is_near = n == N || (count[i] <= share + 2 && count[i] + 2 >= share);
        if ((count[i] > 0) != (weights[i] > 0) || !is_near)
            ck_abort_msg("%u of %u for a weight of %u", count[i], rr.len, weights[i]);
    }
    gw_rr_fini(&rr, &heap);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(every_refused_allocation_is_survived)
{
    uint32_t weights[4] = { 1, 2, 3, 0 };
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_rr rr;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    for (uint64_t k = 1;; k++) {
        test_alloc_restart(&alloc);
        alloc.fail_at = k;
        gw_status status = gw_rr_init(&rr, &heap, weights, 4);
        if (alloc.failed == 0) {
            ck_assert_int_eq(status, GW_OK);
            break;
        }
        ck_assert_int_eq(status, GW_ENOMEM);
        ck_assert_uint_eq(alloc.live, 0);
    }
    gw_rr_fini(&rr, &heap);
    test_alloc_fini(&alloc);
}
END_TEST

Suite *round_robin_suite(void)
{
    Suite *suite = suite_create("round_robin");
    check_add(suite, picks_as_the_naive_rule_does);
    check_add_loop(suite, no_bursts_from_any_cursor, 0, 3);
    check_add(suite, equal_weights_need_no_memory);
    check_add(suite, nobody_when_all_weigh_nothing);
    check_add_loop(suite, large_sums_are_scaled, 0, 3);
    check_add(suite, every_refused_allocation_is_survived);
    return suite;
}

CHECK_MAIN(round_robin_suite, ring_suite, lots_suite, levels_suite, picks_suite, pins_suite,
           key_suite)
