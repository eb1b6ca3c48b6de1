/* unit/health_test.c: health by itself: thresholds against a naive version that remembers every result,
 * turns among many workers, and the messages of gRPC's health protocol. Probes: probing_test.c. */

#include "check_main.h"

#include "base/prng.h"
#include "grpc/health.h"
#include "guard/health.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static const struct gw_health_conf plain = {
    .rise = 2, .fall = 3, .interval = SECOND, .unhealthy_interval = SECOND, .timeout = 100 * MS
};

static const struct gw_health_result good = { GW_HEALTH_NONE, 0 };
static const struct gw_health_result bad = { GW_HEALTH_STATUS, 503 };

static bool probe(struct gw_health *h, const struct gw_health_conf *conf, gw_nanos *now,
                  struct gw_health_result result)
{
    struct gw_health_turn turn;

    *now = gw_health_look(h).next;
    ck_assert(gw_health_take(h, conf, 7, *now, 0, &turn));
    return gw_health_report(h, conf, &turn, result, *now, 0);
}

START_TEST(thresholds)
{
    struct gw_health h = { 0 };
    gw_nanos now = SECOND;

    ck_assert(!gw_health_is_unhealthy(&h, &plain));
    ck_assert(!gw_health_settle(&h, &plain, 7, now, 0));
    ck_assert(probe(&h, &plain, &now, good)); /* it is known now */
    ck_assert_int_eq(gw_health_look(&h).state, GW_HEALTH_HEALTHY);
    ck_assert(!probe(&h, &plain, &now, bad));
    ck_assert_uint_eq(gw_health_look(&h).row, 1);
    ck_assert(!probe(&h, &plain, &now, good));
    ck_assert_uint_eq(gw_health_look(&h).row, 0);
    ck_assert(!probe(&h, &plain, &now, bad));
    ck_assert(!probe(&h, &plain, &now, bad));
    ck_assert(probe(&h, &plain, &now, bad));
    ck_assert(gw_health_is_unhealthy(&h, &plain));
    ck_assert_uint_eq(gw_health_look(&h).since, now);
    ck_assert_int_eq(gw_health_look(&h).cause, GW_HEALTH_STATUS);
    ck_assert_uint_eq(gw_health_look(&h).code, 503);
    ck_assert(!probe(&h, &plain, &now, good));
    ck_assert(!probe(&h, &plain, &now, bad));
    ck_assert(!probe(&h, &plain, &now, good));
    ck_assert(probe(&h, &plain, &now, good));
    ck_assert(!gw_health_is_unhealthy(&h, &plain));
    ck_assert_int_eq(gw_health_look(&h).cause, GW_HEALTH_NONE);
}
END_TEST

START_TEST(before_the_first)
{
    struct gw_health_conf conf = plain;
    struct gw_health h = { 0 };
    gw_nanos now = 1;

    conf.is_untried_unhealthy = true;
    ck_assert(gw_health_is_unhealthy(&h, &conf));
    ck_assert(!gw_health_is_unhealthy(&h, &plain));
    ck_assert(!gw_health_settle(&h, &conf, 7, now, 0));
    ck_assert(probe(&h, &conf, &now, good));
    ck_assert(!gw_health_is_unhealthy(&h, &conf));
    h = (struct gw_health){ 0 };
    ck_assert(!gw_health_settle(&h, &plain, 7, now, 0));
    ck_assert(probe(&h, &plain, &now, bad));
    ck_assert(gw_health_is_unhealthy(&h, &plain));
}
END_TEST

/* All results so far, looked at from the end: the last run of one kind that was long enough decides. */
static bool naive_is_unhealthy(const bool *results, int n, const struct gw_health_conf *conf)
{
    bool is_healthy = results[0];
    uint32_t row = 0;

    for (int i = 1; i < n; i++) {
        row = results[i] == results[i - 1] && results[i] != is_healthy ? row + 1 : 1;
        if (results[i] != is_healthy && row >= (results[i] ? conf->rise : conf->fall))
            is_healthy = results[i];
    }
    return !is_healthy;
}

START_TEST(as_a_naive_version_says)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct gw_prng prng = { seed };
        struct gw_health_conf conf = plain;
        struct gw_health h = { 0 };
        gw_nanos now = SECOND;
        bool results[100], was = false;
        uint64_t odds = 1 + gw_prng_below(&prng, 9);
        conf.rise = 1 + (uint32_t)gw_prng_below(&prng, 4);
        conf.fall = 1 + (uint32_t)gw_prng_below(&prng, 4);
        (void)!gw_health_settle(&h, &conf, 7, now, 0);
        for (int i = 0; i < 100; i++) {
            bool is_changed, is;
            results[i] = gw_prng_below(&prng, 10) < odds;
            is_changed = probe(&h, &conf, &now, results[i] ? good : bad);
            is = naive_is_unhealthy(results, i + 1, &conf);
            ck_assert_msg(gw_health_is_unhealthy(&h, &conf) == is, "seed %llu, %d",
                          (unsigned long long)seed, i);
            ck_assert(is_changed == (i == 0 || is != was));
            was = is;
        }
    }
}
END_TEST

/* ---- turns ---- */

START_TEST(one_has_the_turn)
{
    struct gw_health h = { 0 };
    struct gw_health_turn mine, others;
    gw_nanos now = SECOND;

    ck_assert(!gw_health_take(&h, &plain, 7, now, 0, &mine)); /* nobody has said what it is about */
    ck_assert(!gw_health_settle(&h, &plain, 7, now, 0));
    ck_assert(!gw_health_take(&h, &plain, 8, now, 0, &mine));
    ck_assert(gw_health_take(&h, &plain, 7, now, 0, &mine));
    ck_assert(!gw_health_take(&h, &plain, 7, now + SECOND, 0, &others));
    /* Whoever has it is not heard of. */
    ck_assert(gw_health_take(&h, &plain, 7, now + SECOND + 100 * MS, 0, &others));
    ck_assert(!gw_health_report(&h, &plain, &mine, bad, now, 0));
    ck_assert(!gw_health_pass(&h, &mine, now));
    ck_assert_int_eq(gw_health_look(&h).state, GW_HEALTH_UNTRIED);
    ck_assert(gw_health_report(&h, &plain, &others, good, now, 0));
    ck_assert_int_eq(gw_health_look(&h).state, GW_HEALTH_HEALTHY);
    ck_assert_uint_eq(gw_health_look(&h).next, others.begun + SECOND);
}
END_TEST

START_TEST(a_turn_can_be_passed)
{
    struct gw_health h = { 0 };
    struct gw_health_turn turn;

    ck_assert(!gw_health_settle(&h, &plain, 7, SECOND, 0));
    ck_assert(gw_health_take(&h, &plain, 7, SECOND, 0, &turn));
    ck_assert(gw_health_pass(&h, &turn, SECOND));
    ck_assert(gw_health_take(&h, &plain, 7, SECOND, 0, &turn));
}
END_TEST

START_TEST(another_place_and_shorter_times)
{
    struct gw_health_conf conf = plain;
    struct gw_health h = { 0 };
    struct gw_health_turn turn;
    gw_nanos now = SECOND;

    conf.interval = conf.unhealthy_interval = 3600 * SECOND;
    ck_assert(!gw_health_settle(&h, &conf, 7, now, 0));
    ck_assert(probe(&h, &conf, &now, bad));
    ck_assert(!gw_health_settle(&h, &conf, 7, now, 0));
    ck_assert_uint_eq(gw_health_look(&h).next, now + 3600 * SECOND);
    ck_assert(!gw_health_settle(&h, &plain, 7, now, 0));
    ck_assert_uint_eq(gw_health_look(&h).next, now + SECOND);
    ck_assert(gw_health_is_unhealthy(&h, &plain));
    now += SECOND;
    ck_assert(gw_health_take(&h, &plain, 7, now, 0, &turn));
    ck_assert(gw_health_settle(&h, &plain, 9, now, 0));
    ck_assert(!gw_health_is_unhealthy(&h, &plain));
    ck_assert(!gw_health_report(&h, &plain, &turn, bad, now, 0));
    ck_assert_int_eq(gw_health_look(&h).state, GW_HEALTH_UNTRIED);
    ck_assert(gw_health_take(&h, &plain, 9, now, 0, &turn));
}
END_TEST

/* Whoever reports is not overtaken while the address changes: between what settle writes, too. */
START_TEST(a_word_about_another_place_is_no_word)
{
    struct gw_health h = { 0 };
    struct gw_health_turn turn;

    ck_assert(!gw_health_settle(&h, &plain, 7, SECOND, 0));
    ck_assert(gw_health_take(&h, &plain, 7, SECOND, 0, &turn));
    ck_assert(gw_health_settle(&h, &plain, 9, SECOND, 0));
    atomic_store(&h.due, turn.due); /* it is not written yet */
    ck_assert(!gw_health_report(&h, &plain, &turn, good, SECOND, 0));
    ck_assert_int_eq(gw_health_look(&h).state, GW_HEALTH_UNTRIED);
    ck_assert(gw_health_pass(&h, &turn, SECOND));
    ck_assert(gw_health_take(&h, &plain, 9, SECOND, 0, &turn));
    ck_assert(gw_health_report(&h, &plain, &turn, bad, SECOND, 0));
    ck_assert_uint_eq(gw_health_look(&h).code, 503);
    ck_assert(!gw_health_settle(&h, &plain, 9, SECOND, 0)); /* another worker comes to know */
    ck_assert(gw_health_is_unhealthy(&h, &plain));
}
END_TEST

/* Times that are shorter from now on do not take it from who has it: what it finds out counts. */
START_TEST(shorter_times_leave_the_turn)
{
    struct gw_health_conf conf = plain;
    struct gw_health h = { 0 };
    struct gw_health_turn turn, others;
    gw_nanos now = SECOND;

    conf.interval = conf.unhealthy_interval = 3600 * SECOND;
    ck_assert(!gw_health_settle(&h, &conf, 7, now, 0));
    ck_assert(gw_health_take(&h, &conf, 7, now, 0, &turn));
    ck_assert(!gw_health_settle(&h, &plain, 7, now, 0));
    now += 50 * MS;
    ck_assert(!gw_health_take(&h, &plain, 7, now, 0, &others));
    ck_assert(gw_health_report(&h, &plain, &turn, bad, now, 0));
    ck_assert(gw_health_is_unhealthy(&h, &plain));
    ck_assert_uint_eq(gw_health_look(&h).next, turn.begun + SECOND);
}
END_TEST

/* Workers that come at random times, sometimes lose their probes, and never two at once. */
START_TEST(turns_of_many)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct gw_prng prng = { seed };
        struct gw_health_conf conf = plain;
        struct gw_health h = { 0 };
        struct gw_health_turn turns[4];
        bool has[4] = { false };
        gw_nanos now = SECOND, begun = 0;
        int probes = 0;
        conf.jitter = 20;
        (void)!gw_health_settle(&h, &conf, 7, now, gw_prng_next(&prng));
        for (int i = 0; i < 4000; i++) {
            uint32_t w = (uint32_t)gw_prng_below(&prng, 4);
            now += gw_prng_below(&prng, 20 * MS);
            if (has[w]) {
                has[w] = false;
                if (gw_prng_below(&prng, 4) > 0) /* else it is never heard of */
                    (void)!gw_health_report(&h, &conf, &turns[w], good, now, gw_prng_next(&prng));
            } else if (gw_health_take(&h, &conf, 7, now, gw_prng_next(&prng), &turns[w])) {
                ck_assert(begun == 0 || now - begun >= SECOND);
                begun = now;
                has[w] = true;
                probes++;
            }
            ck_assert_uint_le(now - begun, 2 * SECOND);
        }
        ck_assert_int_gt(probes, 20);
    }
}
END_TEST

/* ---- gRPC ---- */

static gw_status parse(const char *bytes, size_t len, uint32_t *serving)
{
    return gw_grpc_health_response((gw_str){ bytes, len }, serving);
}
#define PARSE(text, serving) parse((text), sizeof(text) - 1, (serving))

START_TEST(grpc_messages)
{
    char out[GW_GRPC_HEALTH_REQUEST_MAX], name[GW_GRPC_SERVICE_MAX];
    uint32_t serving = 9;

    ck_assert_uint_eq(gw_grpc_health_request(GW_STR(""), out), 5);
    ck_assert_mem_eq(out, "\0\0\0\0\0", 5);
    ck_assert_uint_eq(gw_grpc_health_request(GW_STR("a.B"), out), 10);
    ck_assert_mem_eq(out, "\0\0\0\0\5\n\3a.B", 10);
    memset(name, 'n', sizeof name);
    ck_assert_uint_eq(gw_grpc_health_request((gw_str){ name, 256 }, out), 264);
    ck_assert_mem_eq(out, "\0\0\0\1\3\n\x80\2nnn", 11);

    ck_assert_int_eq(PARSE("\0\0\0\0\0", &serving), GW_OK);
    ck_assert_uint_eq(serving, GW_GRPC_SERVING_UNKNOWN);
    ck_assert_int_eq(PARSE("\0\0\0\0\2\b\1", &serving), GW_OK);
    ck_assert_uint_eq(serving, GW_GRPC_SERVING);
    ck_assert_int_eq(PARSE("\0\0\0\0\2\b\2", &serving), GW_OK);
    ck_assert_uint_eq(serving, GW_GRPC_NOT_SERVING);
    /* The last one counts; others are passed over; what nobody knows is not serving. */
    ck_assert_int_eq(PARSE("\0\0\0\0\x19\b\2\x12\2xy\x19"
                           "12345678\x1d"
                           "1234\x20\xff\1\b\1",
                           &serving),
                     GW_OK);
    ck_assert_uint_eq(serving, GW_GRPC_SERVING);
    ck_assert_int_eq(PARSE("\0\0\0\0\3\b\x81\1", &serving), GW_OK);
    ck_assert_uint_eq(serving, GW_GRPC_SERVING_UNKNOWN);
}
END_TEST

START_TEST(grpc_nonsense)
{
    uint32_t serving;
    char text[40];
    struct gw_prng prng = { 1 };

    ck_assert_int_eq(PARSE("", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\1\0\0\0\2\b\1", &serving), GW_EPROTO); /* compressed */
    ck_assert_int_eq(PARSE("\0\0\0\0\3\b\1", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0\1\b\1", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0\1\b", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0\2\b\x80", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0\2\0\1", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0\2\x0b\1", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0\3\x12\5x", &serving), GW_EPROTO);
    ck_assert_int_eq(PARSE("\0\0\0\0\x0c\b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", &serving),
                     GW_EPROTO);
    for (int i = 0; i < 100000; i++) { /* nothing is read that is not there */
        size_t len = gw_prng_below(&prng, sizeof text);
        for (size_t k = 0; k < len; k++)
            text[k] = (char)gw_prng_below(&prng, 256);
        if (len >= 5) {
            memset(text, 0, 4);
            text[4] = (char)(len - 5);
        }
        if (parse(text, len, &serving) == GW_OK)
            ck_assert_uint_le(serving, GW_GRPC_SERVICE_UNKNOWN);
    }
}
END_TEST

static Suite *health_suite(void)
{
    Suite *s = suite_create("health");

    check_add(s, thresholds);
    check_add(s, before_the_first);
    check_add(s, as_a_naive_version_says);
    check_add(s, one_has_the_turn);
    check_add(s, a_turn_can_be_passed);
    check_add(s, another_place_and_shorter_times);
    check_add(s, a_word_about_another_place_is_no_word);
    check_add(s, shorter_times_leave_the_turn);
    check_add(s, turns_of_many);
    check_add(s, grpc_messages);
    check_add(s, grpc_nonsense);
    return s;
}

Suite *probing_suite(void);

CHECK_MAIN(health_suite, probing_suite)
