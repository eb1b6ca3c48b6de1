/* unit/ring_test.c: consistent hashing: where keys go, how evenly, what moves, and that nobody who is
 * there is missed. Shares are counted on the ring itself, not sampled. */

#include "balance_test.h"

static struct field field;
static uint32_t unit; /* of weight; 0: by the greatest */

static void make(struct gw_ring *ring, uint32_t points, uint32_t points_max)
{
    struct gw_ring_spec spec = { .names = field.names,
                                 .weights = field.weights,
                                 .n = field.n,
                                 .points = points,
                                 .points_max = points_max,
                                 .unit = unit };
    ck_assert_int_eq(gw_ring_init(ring, &field.heap, &spec), GW_OK);
}

static void done(struct gw_ring *ring)
{
    gw_ring_fini(ring, &field.heap);
    test_alloc_fini(&field.alloc);
}

static gw_str owner(const struct gw_ring *ring, uint64_t key)
{
    return field.names[ring->owners[gw_ring_find(ring, key)]];
}

/* ---- the published keys ---- */

enum { GOLDEN = 1000 };
static struct golden {
    char key[128], of[3][32];
    unsigned long long hash;
} golden[GOLDEN];

static void read_golden(void)
{
    FILE *file = fopen(UNIT_SOURCE "/golden/ring-1000.txt", "r");
    char line[256];
    uint32_t n = 0;
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        struct golden *g = &golden[n];
        if (line[0] == '#')
            continue;
        ck_assert_uint_lt(n, GOLDEN);
        ck_assert_int_eq(sscanf(line, "%127s %llx %31s %31s %31s", g->key, &g->hash, g->of[0],
                                g->of[1], g->of[2]),
                         5);
        n++;
    }
    fclose(file);
    ck_assert_uint_eq(n, GOLDEN);
}

static const struct {
    const char *name; /* of the i-th endpoint */
    uint32_t first, n, weights[10], points;
} golden_rings[] = {
    { "svc-%c", 'a', 3, { 100, 100, 200 }, 1024 },
    { "10.0.0.%u:80", 1, 10, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 2560 },
    { "svc-%c", 'a', 5, { 100, 250, 155, 9, 1 }, 256 + 640 + 397 + 23 + 3 },
};

START_TEST(keys_go_where_the_golden_file_says)
{
    struct gw_ring ring;
    read_golden();
    field_init(&field, "", golden_rings[_i].n);
    for (uint32_t i = 0; i < field.n; i++) {
        snprintf(field.texts[i], sizeof field.texts[i], golden_rings[_i].name,
                 golden_rings[_i].first + i);
        field.names[i] = gw_cstr(field.texts[i]);
        field.weights[i] = golden_rings[_i].weights[i];
    }
    make(&ring, 0, 0);
    ck_assert_uint_eq(ring.len, golden_rings[_i].points);
    for (uint32_t i = 0; i < GOLDEN; i++) {
        const char *wanted = golden[i].of[_i];
        if (!gw_str_eq(owner(&ring, golden[i].hash), gw_cstr(wanted)))
            ck_abort_msg("%s is not with %s", golden[i].key, wanted);
    }
    done(&ring);
}
END_TEST

/* ---- order, search, shares ---- */

static void shuffle(struct gw_prng *prng)
{
    for (uint32_t i = field.n; i > 1; i--) {
        uint32_t j = (uint32_t)gw_prng_below(prng, i), weight = field.weights[i - 1];
        gw_str name = field.names[i - 1];
        field.names[i - 1] = field.names[j];
        field.weights[i - 1] = field.weights[j];
        field.names[j] = name;
        field.weights[j] = weight;
    }
}

START_TEST(the_order_of_endpoints_does_not_matter)
{
    struct gw_ring ring, other;
    struct gw_prng prng = { 5 };
    static gw_str before[20000];
    field_init(&field, "host-", 40);
    for (uint32_t i = 0; i < field.n; i++)
        field.weights[i] = 1 + i % 4;
    make(&ring, 0, 0);
    for (uint32_t i = 0; i < 20000; i++)
        before[i] = owner(&ring, some_key(i));
    for (uint32_t round = 0; round < 10; round++) {
        shuffle(&prng);
        make(&other, 0, 0);
        for (uint32_t i = 0; i < 20000; i++)
            if (!gw_str_eq(owner(&other, some_key(i)), before[i]))
                ck_abort_msg("key %u moved", i);
        gw_ring_fini(&other, &field.heap);
    }
    done(&ring);
}
END_TEST

static uint32_t naive_find(const struct gw_ring *ring, uint64_t key)
{
    for (uint32_t i = 0; i < ring->len; i++)
        if (ring->hashes[i] >= key)
            return i;
    return 0;
}

START_TEST(the_next_point_is_found)
{
    struct gw_ring ring;
    field_init(&field, "x", 1 + (uint32_t)(_i * _i));
    make(&ring, _i == 0 ? 1 : 16, 0);
    for (uint32_t i = 0; i < 2000; i++)
        ck_assert_uint_eq(gw_ring_find(&ring, some_key(i)), naive_find(&ring, some_key(i)));
    for (uint32_t i = 0; i < ring.len && i < 2000; i++)
        for (uint64_t off = 0; off < 3; off++)
            ck_assert_uint_eq(gw_ring_find(&ring, ring.hashes[i] - 1 + off),
                              naive_find(&ring, ring.hashes[i] - 1 + off));
    ck_assert_uint_eq(gw_ring_find(&ring, 0), 0);
    ck_assert_uint_eq(gw_ring_find(&ring, UINT64_MAX), naive_find(&ring, UINT64_MAX));
    done(&ring);
}
END_TEST

START_TEST(shares_are_what_keys_get)
{
    enum { KEYS = 200000 };
    struct gw_ring ring;
    uint64_t shares[6], sum = 0;
    uint32_t counted[6] = { 0 };
    field_init(&field, "s", 6);
    field.weights[3] = 5;
    make(&ring, 0, 0);
    gw_ring_shares(&ring, shares, field.n);
    for (uint64_t i = 0; i < KEYS; i++)
        counted[ring.owners[gw_ring_find(&ring, some_key(i))]]++;
    for (uint32_t i = 0; i < field.n; i++) {
        uint64_t wanted = (shares[i] >> 32) * KEYS >> 32;
        ck_assert_uint_lt(counted[i], wanted + wanted / 25);
        ck_assert_uint_gt(counted[i], wanted - wanted / 25);
        sum += shares[i];
    }
    ck_assert_uint_eq(sum, 0); /* 2^64 */
    gw_ring_fini(&ring, &field.heap);
    field.n = 1;
    make(&ring, 0, 0);
    gw_ring_shares(&ring, shares, 1);
    ck_assert_uint_eq(shares[0], UINT64_MAX);
    done(&ring);
}
END_TEST

/* ---- how even ---- */

/* By how many permille of its due the fullest has more. */
static uint64_t excess(const struct gw_ring *ring)
{
    uint64_t shares[FIELD_MAX], sum = 0, most = 0;
    gw_ring_shares(ring, shares, field.n);
    for (uint32_t i = 0; i < field.n; i++)
        sum += field.weights[i];
    for (uint32_t i = 0; i < field.n; i++) {
        uint64_t permille = (shares[i] >> 20) * 1000 /
                            ((UINT64_C(1) << 44) / sum * field.weights[i]);
        most = permille > most ? permille : most;
    }
    return most - 1000;
}

/* Measured before there was any code, and what random points give too: points for each endpoint, and how
 * far the fullest is above the mean, on average and in one ring of twenty. */
static const struct {
    uint32_t n, points, typical, one_in_twenty;
} evenness[] = {
    { 3, 64, 110, 210 },  { 3, 256, 56, 111 },   { 3, 1024, 27, 56 },
    { 10, 64, 202, 337 }, { 10, 256, 97, 156 },  { 10, 1024, 50, 79 },
    { 50, 64, 308, 438 }, { 50, 256, 147, 210 }, { 50, 1024, 72, 101 },
};

START_TEST(as_even_as_was_measured)
{
    enum { ROUNDS = 100 };
    uint64_t sum = 0;
    uint32_t uneven = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct gw_ring ring;
        char prefix[16];
        snprintf(prefix, sizeof prefix, "%u.example-", round);
        field_init(&field, prefix, evenness[_i].n);
        make(&ring, evenness[_i].points, 0);
        uint64_t permille = excess(&ring);
        sum += permille;
        uneven += permille > evenness[_i].one_in_twenty;
        done(&ring);
    }
    ck_assert_msg(uneven <= ROUNDS / 10, "%u of %u", uneven, (unsigned)ROUNDS);
    ck_assert_msg(sum / ROUNDS <= evenness[_i].typical * 11 / 10, "%u", (unsigned)(sum / ROUNDS));
}
END_TEST

START_TEST(weights_are_kept)
{
    for (uint32_t round = 0; round < 20; round++) {
        struct gw_ring ring;
        char prefix[16];
        snprintf(prefix, sizeof prefix, "svc-%u-", round);
        field_init(&field, prefix, 3);
        field.weights[0] = field.weights[1] = 100;
        field.weights[2] = 200;
        make(&ring, 0, 0);
        uint64_t permille = excess(&ring);
        ck_assert_msg(permille <= 110, "round %u: %u", round, (unsigned)permille);
        done(&ring);
    }
}
END_TEST

/* ---- what moves ---- */

/* Without the one at gone: its keys alone have another owner. */
static void remove_one(uint32_t gone, uint32_t keys)
{
    struct gw_ring all, less;
    gw_str name = field.names[gone];
    uint32_t weight = field.weights[gone];
    make(&all, 0, 0);
    static gw_str before[4000];
    for (uint32_t i = 0; i < keys; i++)
        before[i] = owner(&all, some_key(i));
    field.names[gone] = field.names[field.n - 1];
    field.weights[gone] = field.weights[field.n - 1];
    field.n--;
    make(&less, 0, 0);
    for (uint32_t i = 0; i < keys; i++) {
        bool was_its = gw_str_eq(before[i], name),
             stays = gw_str_eq(owner(&less, some_key(i)), before[i]);
        if (was_its == stays)
            ck_abort_msg("key %u of %.*s %s", i, (int)before[i].len, before[i].ptr,
                         stays ? "stayed" : "moved");
    }
    field.n++;
    field.names[gone] = name;
    field.weights[gone] = weight;
    gw_ring_fini(&less, &field.heap);
    gw_ring_fini(&all, &field.heap);
}

/* Read the other way round it says that who is added takes its own share and nothing else. */
START_TEST(who_goes_moves_its_own_keys_alone)
{
    struct gw_prng prng = { 17 };
    for (uint32_t round = 0; round < 300; round++) {
        field_init(&field, "m", 2 + (uint32_t)gw_prng_below(&prng, 30));
        for (uint32_t i = 0; i < field.n; i++)
            field.weights[i] = 1 + (uint32_t)gw_prng_below(&prng, 4);
        remove_one((uint32_t)gw_prng_below(&prng, field.n), 1000);
        test_alloc_fini(&field.alloc);
    }
    field_init(&field, "svc-", 3);
    field.weights[0] = field.weights[1] = 100;
    field.weights[2] = 200;
    for (uint32_t i = 0; i < 3; i++)
        remove_one(i, 4000);
    test_alloc_fini(&field.alloc);
}
END_TEST

/* Whatever divides the weights of those that are left. */
START_TEST(a_given_unit_stays)
{
    struct gw_prng prng = { 23 };
    unit = 100;
    for (uint32_t round = 0; round < 200; round++) {
        field_init(&field, "u", 2 + (uint32_t)gw_prng_below(&prng, 20));
        for (uint32_t i = 0; i < field.n; i++)
            field.weights[i] = 1 + (uint32_t)gw_prng_below(&prng, 300);
        remove_one((uint32_t)gw_prng_below(&prng, field.n), 1000);
        test_alloc_fini(&field.alloc);
    }
    unit = 0;
}
END_TEST

/* -- a model of what may move, for any weights: between two neighbouring points of either ring all keys
 * have one owner in each, so that asking at every point asks all keys. -- */

struct change {
    struct gw_ring before, after;
    gw_str names[FIELD_MAX]; /* before it */
    gw_str who;              /* it is about */
    uint32_t units[2];
    uint32_t moved, stray; /* arcs: moved at all, and though they had nothing to do with who */
};

enum { MAY_LEAVE = 1, MAY_COME = 2 };

static void ask_at(struct change *c, const struct gw_ring *points, unsigned may)
{
    for (uint32_t i = 0; i < points->len; i++) {
        gw_str was = c->names[c->before.owners[gw_ring_find(&c->before, points->hashes[i])]];
        gw_str is = owner(&c->after, points->hashes[i]);
        if (gw_str_eq(was, is))
            continue;
        c->moved++;
        c->stray += !((may & MAY_LEAVE) != 0 && gw_str_eq(was, c->who)) &&
                    !((may & MAY_COME) != 0 && gw_str_eq(is, c->who));
    }
}

/* What one endpoint does, at weight 0 it goes. */
static void reweight(struct change *c, uint32_t at, uint32_t weight, uint32_t points)
{
    unsigned may = weight < field.weights[at] ? MAY_LEAVE : MAY_COME;
    *c = (struct change){ .who = field.names[at] };
    memcpy(c->names, field.names, sizeof c->names);
    make(&c->before, points, 0);
    field.weights[at] = weight;
    if (weight == 0) {
        field.n--;
        field.names[at] = field.names[field.n];
        field.weights[at] = field.weights[field.n];
    }
    make(&c->after, points, 0);
    c->units[0] = c->before.unit;
    c->units[1] = c->after.unit;
    ask_at(c, &c->before, may);
    ask_at(c, &c->after, may);
    gw_ring_fini(&c->after, &field.heap);
    done(&c->before);
}

static uint32_t decade(uint32_t n)
{
    uint32_t digits = 0;
    for (; n > 0; n /= 10)
        digits++;
    return digits;
}

static uint32_t greatest(void)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < field.n; i++)
        most = field.weights[i] > most ? field.weights[i] : most;
    return most;
}

static uint32_t some_weight(struct gw_prng *prng)
{
    static const uint32_t tops[] = { 4, 9, 120, 300, 5000, 65535 };
    return 1 + (uint32_t)gw_prng_below(prng, tops[gw_prng_below(prng, 6)]);
}

/* Weights of all kinds side by side. While the greatest keeps its number of digits nothing else moves; when it
 * does not, others do, most of the time. */
START_TEST(the_greatest_weight_alone_says_the_unit)
{
    struct gw_prng prng = { 29 };
    uint32_t kept = 0, moved = 0, changed = 0, strays = 0;
    for (uint32_t round = 0; round < 600; round++) {
        static struct change c;
        field_init(&field, "d", 2 + (uint32_t)gw_prng_below(&prng, 12));
        for (uint32_t i = 0; i < field.n; i++)
            field.weights[i] = some_weight(&prng);
        uint32_t at = (uint32_t)gw_prng_below(&prng, field.n), before = decade(greatest());
        uint32_t weight = gw_prng_below(&prng, 3) == 0 ? 0 : some_weight(&prng);
        reweight(&c, at, weight, 64);
        if (decade(greatest()) != before) {
            ck_assert_uint_ne(c.units[0], c.units[1]);
            changed++;
            strays += c.stray > 0;
            continue;
        }
        ck_assert_uint_eq(c.units[0], c.units[1]);
        ck_assert_uint_eq(c.stray, 0);
        kept++;
        moved += c.moved > 0;
    }
    ck_assert_uint_gt(kept, 300);
    ck_assert_uint_gt(moved, kept / 2);
    ck_assert_uint_gt(changed, 50);
    ck_assert_uint_gt(strays, changed / 2);
}
END_TEST

/* The table of docs/balancing.md: the endpoints are svc-a, svc-b and svc-c. */
static const struct {
    uint32_t weights[3], last, permille;
} moves[] = {
    { { 100, 100, 150 }, 0, 449 },   { { 100, 100, 100 }, 0, 349 },
    { { 100, 100, 100 }, 50, 143 },  { { 100, 100, 100 }, 10, 303 },
    { { 100, 100, 100 }, 150, 100 }, { { 100, 100, 100 }, 101, 7 },
    { { 100, 100, 200 }, 0, 525 },   { { 100, 100, 100 }, 1000, 535 },
};

static bool is_same_letter(const void *ctx, uint32_t a, uint32_t b)
{
    (void)ctx;
    return a == b;
}

START_TEST(what_moves_is_what_the_page_says)
{
    struct gw_ring before, after;
    field_init(&field, "svc-", 3);
    for (uint32_t i = 0; i < 3; i++) {
        field.texts[i][4] = (char)('a' + i);
        field.weights[i] = moves[_i].weights[i];
    }
    make(&before, 0, 0);
    field.weights[2] = moves[_i].last;
    field.n = moves[_i].last > 0 ? 3 : 2;
    make(&after, 0, 0);
    uint64_t moved = gw_ring_moved(&before, &after, is_same_letter, NULL) >> 32;
    ck_assert_uint_eq((moved * 1000 + (UINT64_C(1) << 31)) >> 32, moves[_i].permille);
    gw_ring_fini(&after, &field.heap);
    done(&before);
}
END_TEST

/* What is counted is what keys do. */
static bool is_same_name(const void *ctx, uint32_t a, uint32_t b)
{
    const gw_str *names = ctx; /* those before, then those after */
    return gw_str_eq(names[a], names[field.n + b]);
}

START_TEST(the_moved_part_is_counted)
{
    enum { KEYS = 20000 };
    struct gw_prng prng = { 23 };
    for (uint32_t round = 0; round < 60; round++) {
        struct gw_ring before, after;
        gw_str names[64];
        uint32_t moved = 0, change = round % 4;
        field_init(&field, "v", (round > 0 ? 2 : 1) + (uint32_t)gw_prng_below(&prng, 12));
        make(&before, round < 8 ? 1 : 32, 0);
        memcpy(names, field.names, field.n * sizeof *names);
        if (change == 1)
            field.names[0] = GW_STR("new");
        if (change == 2)
            field.weights[1] = 3;
        for (uint32_t i = 0; change == 3 && i < field.n; i++)
            field.names[i].len++; /* all are others */
        for (uint32_t i = 0; i < field.n; i++)
            names[field.n + i] = field.names[i];
        make(&after, round < 8 ? 1 : 32, 0);
        uint64_t counted = gw_ring_moved(&before, &after, is_same_name, names);
        for (uint32_t i = 0; i < KEYS; i++)
            moved += !is_same_name(names, before.owners[gw_ring_find(&before, some_key(i))],
                                   after.owners[gw_ring_find(&after, some_key(i))]);
        uint64_t wanted = (counted >> 32) * KEYS >> 32;
        ck_assert_msg(moved < wanted + KEYS / 50 && moved + KEYS / 50 > wanted, "%u, not %u", moved,
                      (unsigned)wanted);
        ck_assert_uint_eq(counted == 0, change == 0);
        ck_assert_uint_eq(counted == UINT64_MAX, change == 3);
        gw_ring_fini(&after, &field.heap);
        done(&before);
    }
}
END_TEST

/* ---- how many points ---- */

static void count(const struct gw_ring *ring, uint32_t *out)
{
    memset(out, 0, field.n * sizeof *out);
    for (uint32_t i = 0; i < ring->len; i++)
        out[ring->owners[i]]++;
}

START_TEST(points_follow_weights)
{
    static const struct {
        uint32_t weights[4], points, points_max, wanted[4], halved, unit;
    } rows[] = {
        { { 1, 1, 2, 3 }, 0, 0, { 256, 256, 512, 768 }, 0 },
        { { 100, 100, 200, 300 }, 0, 0, { 256, 256, 512, 768 }, 0 },
        { { 10, 100, 20, 10 }, 0, 0, { 26, 256, 51, 26 }, 0 },
        { { 100, 100, 150, 99 }, 0, 0, { 256, 256, 384, 253 }, 0 },
        { { 99, 99, 9, 90 }, 0, 0, { 2534, 2534, 230, 2304 }, 0 },
        { { 100, 1, 5, 50 }, 0, 0, { 256, 3, 13, 128 }, 0 },
        { { 1, 1, 1, 1 }, 3, 0, { 3, 3, 3, 3 }, 0 },
        { { 1, 1, 1, 1 }, 256, 513, { 128, 128, 128, 128 }, 1 },
        { { 1, 3, 5, 1000 }, 64, 4096, { 1, 1, 1, 64 }, 0 },
        { { 1, 3, 5, 1000 }, 64, 4096, { 4, 12, 20, 4000 }, 4, 1 },
        { { 1, 3, 5, 1000 }, 64, 100, { 1, 1, 1, 63 }, 10, 1 },
        { { 65535, 1, 1, 1 }, 0, 0, { 1678, 1, 1, 1 }, 0 },
        { { 65535, 1, 1, 1 }, 0, 0, { 32768, 1, 1, 1 }, 9, 1 },
        { { 9, 9, 9, 9 }, 0, 4, { 1, 1, 1, 1 }, 11 },
        { { 100, 100, 150, 101 }, 0, 0, { 256, 256, 384, 259 }, 0, 100 },
        { { 1, 100, 100, 100 }, 0, 0, { 1, 100, 100, 100 }, 0, 256 },
    };
    for (uint32_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        struct gw_ring ring;
        uint32_t got[4];
        field_init(&field, "p", 4);
        memcpy(field.weights, rows[row].weights, sizeof rows[row].weights);
        unit = rows[row].unit;
        make(&ring, rows[row].points, rows[row].points_max);
        unit = 0;
        count(&ring, got);
        for (uint32_t i = 0; i < 4; i++)
            ck_assert_msg(got[i] == rows[row].wanted[i], "row %u: %u points for weight %u", row,
                          got[i], rows[row].weights[i]);
        ck_assert_uint_eq(ring.halved, rows[row].halved);
        done(&ring);
    }
}
END_TEST

START_TEST(the_largest_rings)
{
    enum { N = GW_RING_POINTS_MAX };
    static gw_str names[N + 1];
    static char texts[N + 1][12];
    static uint32_t weights[N + 1];
    struct gw_ring ring;
    struct gw_ring_spec spec = { .names = names, .weights = weights, .n = N };
    field_init(&field, "", 0);
    for (uint32_t i = 0; i <= N; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", i);
        names[i] = gw_cstr(texts[i]);
        weights[i] = 1;
    }
    ck_assert_int_eq(gw_ring_init(&ring, &field.heap, &spec), GW_OK);
    ck_assert_uint_eq(ring.len, N);
    gw_ring_fini(&ring, &field.heap);
    spec.n = N + 1;
    ck_assert_int_eq(gw_ring_init(&ring, &field.heap, &spec), GW_ELIMIT);
    spec.n = 0;
    ck_assert_int_eq(gw_ring_init(&ring, &field.heap, &spec), GW_OK);
    done(&ring);
}
END_TEST

/* ---- who is passed over ---- */

static struct gw_pick_trace trace;

static struct gw_pick pick_of(struct field *f, struct gw_prng *prng)
{
    field_count(f);
    trace = (struct gw_pick_trace){ .chosen = 0 };
    return (struct gw_pick){ .who = &f->who,
                             .weights = f->weights,
                             .len = f->n,
                             .weight = f->available[0],
                             .prng = prng,
                             .trace = &trace };
}

static uint32_t naive_walk(const struct gw_ring *ring, uint64_t key)
{
    uint32_t at = naive_find(ring, key);
    for (uint32_t i = 0; i < ring->len; i++, at = (at + 1) % ring->len)
        if (!field.is_down[ring->owners[at]] && !field.is_tried[ring->owners[at]])
            return ring->owners[at];
    return UINT32_MAX;
}

START_TEST(whoever_is_there_is_found)
{
    struct gw_prng prng = { 71 };
    for (uint32_t round = 0; round < 200; round++) {
        struct gw_ring ring;
        field_init(&field, "w", 1 + (uint32_t)gw_prng_below(&prng, 20));
        make(&ring, 8, 0);
        for (uint32_t i = 0; i < field.n; i++) {
            field.is_down[i] = gw_prng_below(&prng, 1 + round % 8) > 0;
            field.is_tried[i] = gw_prng_below(&prng, 8) == 0;
        }
        for (uint32_t i = 0; i < 50; i++) {
            uint64_t key = i < ring.len && i % 2 ? ring.hashes[i] + 1 : some_key(i);
            struct gw_pick p = pick_of(&field, &prng);
            ck_assert_uint_eq(gw_ring_pick(&ring, &p, key, 0), naive_walk(&ring, key));
        }
        done(&ring);
    }
}
END_TEST

/* The proof of a full walk: of many one is there, with one point, and every key gets there. */
START_TEST(one_of_many_is_found_from_anywhere)
{
    struct gw_prng prng = { 3 };
    struct gw_ring ring;
    field_init(&field, "f", 300);
    make(&ring, 1, 0);
    for (uint32_t there = 0; there < field.n; there++) {
        for (uint32_t i = 0; i < field.n; i++)
            field.is_down[i] = i != there;
        struct gw_pick p = pick_of(&field, &prng);
        for (uint32_t i = 0; i < ring.len; i++)
            ck_assert_uint_eq(gw_ring_pick(&ring, &p, ring.hashes[i] + 1, 0), there);
    }
    done(&ring);
}
END_TEST

/* ---- bounded load ---- */

/* How many one may have before it gets no more, with numbers that need no care. */
static uint64_t bound_of(uint32_t member, uint32_t percent)
{
    uint64_t weight = field.available[0], inflight = field.who.inflight_sum;
    uint64_t part = percent * (inflight + 1) * field.weights[member];
    return (part + 100 * weight - 1) / (100 * weight);
}

/* With exact numbers nobody gets more than its bound, and there is always somebody below it. */
START_TEST(the_bound_holds_and_locks_nobody_out)
{
    static const uint32_t percents[] = { 100, 101, 125, 200, 1000 };
    struct gw_prng prng = { 1000 + (uint64_t)_i };
    for (uint32_t round = 0; round < 400; round++) {
        struct gw_ring ring;
        uint32_t percent = percents[gw_prng_below(&prng, 5)],
                 most = (uint32_t)gw_prng_below(&prng, 60);
        field_init(&field, "b", 1 + (uint32_t)gw_prng_below(&prng, 25));
        for (uint32_t i = 0; i < field.n; i++) {
            field.weights[i] = 1 + (uint32_t)gw_prng_below(&prng, _i == 0 ? 1 : 50);
            field.inflight[i] = (uint32_t)gw_prng_below(&prng, most + 1);
            field.is_down[i] = i > 0 && gw_prng_below(&prng, 4) == 0;
        }
        make(&ring, 16, 0);
        for (uint32_t i = 0; i < 40; i++) {
            struct gw_pick p = pick_of(&field, &prng);
            uint32_t got = gw_ring_pick(&ring, &p, some_key(i % 3), percent);
            ck_assert_uint_ne(got, UINT32_MAX);
            ck_assert(!field.is_down[got]);
            ck_assert_uint_lt(field.inflight[got], bound_of(got, percent));
            field.inflight[got]++;
        }
        done(&ring);
    }
}
END_TEST

/* One key that everybody asks for spreads over as many as the bound needs, along the ring. */
START_TEST(a_hot_key_spreads)
{
    struct gw_prng prng = { 1 };
    struct gw_ring ring;
    uint32_t most = 0, used = 0;
    field_init(&field, "h", 10);
    make(&ring, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        struct gw_pick p = pick_of(&field, &prng);
        uint32_t got = gw_ring_pick(&ring, &p, 42, 125);
        if (i == 0)
            ck_assert_uint_eq(got, ring.owners[gw_ring_find(&ring, 42)]);
        field.inflight[got]++;
    }
    for (uint32_t i = 0; i < field.n; i++) {
        most = field.inflight[i] > most ? field.inflight[i] : most;
        used += field.inflight[i] > 0;
    }
    ck_assert_uint_eq(most, 125);
    ck_assert_uint_eq(used, 8);
    done(&ring);
}
END_TEST

/* Numbers of other threads may be old: then the first that may be picked is picked. */
START_TEST(old_numbers_lock_nobody_out)
{
    struct gw_prng prng = { 1 };
    struct gw_ring ring;
    field_init(&field, "o", 5);
    make(&ring, 0, 0);
    for (uint32_t i = 0; i < field.n; i++)
        field.inflight[i] = 1000;
    for (uint32_t i = 0; i < 100; i++) {
        struct gw_pick p = pick_of(&field, &prng);
        field.who.inflight_sum = 0;
        ck_assert_uint_eq(gw_ring_pick(&ring, &p, some_key(i), 100),
                          naive_walk(&ring, some_key(i)));
        ck_assert_uint_gt(trace.loaded, 0);
    }
    done(&ring);
}
END_TEST

START_TEST(refused_allocations)
{
    struct gw_ring ring;
    field_init(&field, "a", 9);
    struct gw_ring_spec spec = { .names = field.names, .weights = field.weights, .n = field.n };
    for (uint64_t k = 1;; k++) {
        test_alloc_restart(&field.alloc);
        field.alloc.fail_at = k;
        gw_status status = gw_ring_init(&ring, &field.heap, &spec);
        if (field.alloc.failed == 0)
            break;
        ck_assert_int_eq(status, GW_ENOMEM);
        ck_assert_uint_eq(field.alloc.live, 0);
    }
    done(&ring);
}
END_TEST

Suite *ring_suite(void)
{
    Suite *suite = suite_create("ring");
    check_add_loop(suite, keys_go_where_the_golden_file_says, 0, 3);
    check_add(suite, the_order_of_endpoints_does_not_matter);
    check_add_loop(suite, the_next_point_is_found, 0, 6);
    check_add(suite, shares_are_what_keys_get);
    check_add_loop(suite, as_even_as_was_measured, 0, sizeof evenness / sizeof evenness[0]);
    check_add(suite, weights_are_kept);
    check_add(suite, who_goes_moves_its_own_keys_alone);
    check_add(suite, a_given_unit_stays);
    check_add(suite, the_greatest_weight_alone_says_the_unit);
    check_add_loop(suite, what_moves_is_what_the_page_says, 0, sizeof moves / sizeof moves[0]);
    check_add(suite, the_moved_part_is_counted);
    check_add(suite, points_follow_weights);
    check_add(suite, the_largest_rings);
    check_add(suite, whoever_is_there_is_found);
    check_add(suite, one_of_many_is_found_from_anywhere);
    check_add_loop(suite, the_bound_holds_and_locks_nobody_out, 0, 2);
    check_add(suite, a_hot_key_spreads);
    check_add(suite, old_numbers_lock_nobody_out);
    check_add(suite, refused_allocations);
    return suite;
}
