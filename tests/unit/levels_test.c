/* unit/levels_test.c: priorities, panic, slow start. */

#include "balance_test.h"

static const struct gw_levels_rule usual = { .spare_percent = 140, .panic_percent = 50 };

/* Percents available of levels of equal weight, and what they get; -1: there is no such level. */
static const struct row {
    int available[4];
    int percent[4];
    int panic; /* bits */
} rows[] = {
    { { 100, 100, -1 }, { 100, 0 }, 0 },
    { { 72, 100, -1 }, { 100, 0 }, 0 },
    { { 71, 100, -1 }, { 99, 1 }, 0 },
    { { 50, 100, -1 }, { 70, 30 }, 0 },
    { { 25, 100, -1 }, { 35, 65 }, 0 },
    { { 0, 100, -1 }, { 0, 100 }, 0 },
    { { 25, 25, -1 }, { 50, 50 }, 3 },
    { { 25, 0, -1 }, { 100, 0 }, 3 },
    { { 5, 70, -1 }, { 7, 93 }, 0 },
    { { 5, 65, -1 }, { 8, 92 }, 1 },
    { { 0, 0, -1 }, { 50, 50 }, 3 },
    { { 60, -1 }, { 100 }, 0 },
    { { 49, -1 }, { 100 }, 1 },
    { { 50, -1 }, { 100 }, 0 },
    { { 0, -1 }, { 100 }, 1 },
    { { 100, 100, 100, -1 }, { 100, 0, 0 }, 0 },
    { { 25, 25, 25, -1 }, { 35, 35, 30 }, 0 },
    { { 20, 20, 20, -1 }, { 34, 33, 33 }, 7 },
    { { 0, 0, 100, -1 }, { 0, 0, 100 }, 0 },
    { { 0, 0, 0, -1 }, { 34, 33, 33 }, 7 },
};

static uint32_t fill(const struct row *row, struct gw_level_weight *out)
{
    uint32_t n = 0;
    for (; n < 4 && row->available[n] >= 0; n++)
        out[n] = (struct gw_level_weight){ 1000, (uint64_t)row->available[n] * 10 };
    return n;
}

START_TEST(shares)
{
    struct gw_level_weight levels[4];
    struct gw_levels_share share;
    uint32_t n = fill(&rows[_i], levels);
    gw_levels_share(levels, n, &usual, &share);
    for (uint32_t i = 0; i < n; i++)
        ck_assert_msg(share.percent[i] == rows[_i].percent[i], "level %u: %u", i, share.percent[i]);
    ck_assert_int_eq(share.panic, rows[_i].panic);
}
END_TEST

/* Whatever there is: all of it is given away, nothing to who has nobody and no panic, never nothing where
 * somebody is there. */
START_TEST(shares_of_anything)
{
    struct gw_prng prng = { 30 };
    for (uint32_t round = 0; round < 200000; round++) {
        struct gw_level_weight levels[GW_LEVELS_MAX];
        struct gw_levels_share share;
        struct gw_levels_rule rule = { 100 + (uint32_t)gw_prng_below(&prng, 101),
                                       round % 4 == 0 ? 0 : (uint32_t)gw_prng_below(&prng, 101) };
        uint32_t n = 1 + (uint32_t)gw_prng_below(&prng, GW_LEVELS_MAX), sum = 0;
        uint64_t all = 0, available = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t most = UINT64_C(1) << gw_prng_below(&prng, 48);
            levels[i].total = gw_prng_below(&prng, most);
            levels[i].available = gw_prng_below(&prng, 3) == 0
                                      ? 0
                                      : gw_prng_below(&prng, levels[i].total + 1);
            all += levels[i].total;
            available += levels[i].available;
        }
        gw_levels_share(levels, n, &rule, &share);
        for (uint32_t i = 0; i < n; i++) {
            sum += share.percent[i];
            if (share.percent[i] > 0 && levels[i].available == 0 && (share.panic >> i & 1) == 0)
                ck_abort_msg("round %u: level %u has nobody", round, i);
        }
        bool is_somebody = available > 0 || (all > 0 && rule.panic_percent > 0);
        if (sum != (is_somebody ? 100u : 0))
            ck_abort_msg("round %u: %u percent", round, sum);
    }
}
END_TEST

START_TEST(without_panic)
{
    static const struct gw_levels_rule never = { .spare_percent = 140, .panic_percent = 0 };
    struct gw_level_weight levels[2] = { { 1000, 1 }, { 1000, 0 } };
    struct gw_levels_share share;
    gw_levels_share(levels, 2, &never, &share);
    ck_assert_uint_eq(share.percent[0], 100); /* one of a thousand is somebody */
    ck_assert_uint_eq(share.panic, 0);
    levels[0].available = 0;
    gw_levels_share(levels, 2, &never, &share);
    ck_assert_uint_eq(gw_levels_at(&share, 2, 0), UINT32_MAX);
}
END_TEST

/* Any hundred in a row are served as the percents say; any fewer are at most three off. */
START_TEST(served_in_any_window)
{
    struct gw_prng prng = { 31 };
    for (uint32_t round = 0; round < 300; round++) {
        struct gw_levels_share share = { .panic = 0 };
        uint32_t left = 100, n = 1 + (uint32_t)gw_prng_below(&prng, 4), levels[300];
        uint32_t place = (uint32_t)gw_prng_below(&prng, 100);
        for (uint32_t i = 0; i < n; i++) {
            share.percent[i] = (uint8_t)(i + 1 == n ? left : gw_prng_below(&prng, left + 1));
            left -= share.percent[i];
        }
        for (uint32_t i = 0; i < 300; i++) {
            levels[i] = gw_levels_at(&share, n, place);
            place = gw_levels_next(place);
        }
        for (uint32_t from = 0; from < 200; from += 7) {
            int count[4] = { 0 };
            for (int len = 1; len <= 100; len++) {
                count[levels[from + (uint32_t)len - 1]]++;
                for (uint32_t i = 0; i < n; i++) {
                    int off = 100 * count[i] - len * share.percent[i];
                    if (off > 300 || off < -300 || (len == 100 && off != 0))
                        ck_abort_msg("%d of %d are level %u's %u %%", count[i], len, i,
                                     share.percent[i]);
                }
            }
        }
    }
}
END_TEST

START_TEST(slow_start)
{
    static const struct {
        uint64_t since, now, window;
        uint32_t wanted;
    } cases[] = {
        { 0, 0, 1000, 102 },
        { 0, 50, 1000, 102 },
        { 0, 100, 1000, 102 },
        { 0, 250, 1000, 256 },
        { 0, 500, 1000, 512 },
        { 0, 999, 1000, 1022 },
        { 0, 1000, 1000, GW_WARM },
        { 0, 5000, 1000, GW_WARM },
        { 500, 499, 1000, 102 },
        { 7, 7, 0, GW_WARM },
        { 0, UINT64_MAX - 1, UINT64_MAX, GW_WARM },
        { 0, UINT64_MAX / 2, UINT64_MAX, 512 },
        { 9, 5, 0, GW_WARM },
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t got = gw_slow_start(cases[i].since, cases[i].now, cases[i].window);
        ck_assert_msg(got == cases[i].wanted, "case %u: %u", i, got);
    }
    for (uint64_t at = 1; at < 5000; at++)
        ck_assert_uint_ge(gw_slow_start(0, at, 5000), gw_slow_start(0, at - 1, 5000));
}
END_TEST

Suite *levels_suite(void)
{
    Suite *suite = suite_create("levels");
    check_add_loop(suite, shares, 0, sizeof rows / sizeof rows[0]);
    check_add(suite, shares_of_anything);
    check_add(suite, without_panic);
    check_add(suite, served_in_any_window);
    check_add(suite, slow_start);
    return suite;
}
