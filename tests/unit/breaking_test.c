/* Windows, breakers, throttles, ejection and the gate, one by one: against naive versions that remember
 * every event, by hand where a rule is a number, and by two threads at once. */

#include "check_main.h"

#include <pthread.h>
#include <string.h>

#include "base/prng.h"
#include "guard/gate.h"
#include "guard/throttle.h"

#define SECOND GW_MS(1000)

enum { EVENTS = 3000 };

/* ---- windows ---- */

struct event {
    gw_nanos at;
    bool is_failed;
};

static struct gw_window_sums naive_sum(const struct event *events, int n, gw_nanos length,
                                       gw_nanos now)
{
    struct gw_window_sums sums = { 0, 0 };
    gw_nanos bucket = length / GW_WINDOW_BUCKETS;
    for (int i = 0; i < n; i++) {
        if (events[i].at / bucket + GW_WINDOW_BUCKETS <= now / bucket)
            continue;
        sums.ok += !events[i].is_failed;
        sums.failed += events[i].is_failed;
    }
    return sums;
}

START_TEST(window_is_the_naive_one)
{
    static struct event events[EVENTS];
    struct gw_window w = { 0 };
    struct gw_prng prng = { (uint64_t)_i + 1 };
    gw_nanos length = 10 + gw_prng_below(&prng, GW_MS(20000));
    gw_nanos now = gw_prng_below(&prng, 2) == 0 ? 0 : gw_prng_next(&prng) / 4;
    for (int i = 0; i < EVENTS; i++) {
        struct gw_window_sums is, wanted = naive_sum(events, i, length, now);
        is = gw_window_sum(&w, length, now);
        ck_assert_uint_eq(is.ok, wanted.ok);
        ck_assert_uint_eq(is.failed, wanted.failed);
        events[i] = (struct event){ now, gw_prng_below(&prng, 3) == 0 };
        gw_window_count(&w, length, now, events[i].is_failed);
        if (gw_prng_below(&prng, 20) == 0)
            now += gw_prng_below(&prng, gw_prng_below(&prng, 10) == 0 ? 2 * length : length / 5);
    }
    gw_window_clear(&w);
    ck_assert_uint_eq(gw_window_sum(&w, length, now).failed, 0);
}
END_TEST

/* A share stays what it was when a bucket is full. */
START_TEST(a_full_bucket_counts_no_more)
{
    struct gw_window w = { 0 };
    struct gw_window_sums sums;
    for (uint32_t i = 0; i < GW_WINDOW_MAX + 10; i++)
        gw_window_count(&w, SECOND, 5, i % 2 == 0 ? false : true);
    for (uint32_t i = 0; i < GW_WINDOW_MAX; i++)
        gw_window_count(&w, SECOND, 5, false);
    sums = gw_window_sum(&w, SECOND, 5);
    ck_assert_uint_eq(sums.ok, GW_WINDOW_MAX);
    for (uint32_t i = 0; i < 10; i++)
        gw_window_count(&w, SECOND, 5, true);
    ck_assert_uint_eq(gw_window_sum(&w, SECOND, 5).failed, sums.failed);
}
END_TEST

/* ---- breakers ---- */

static const struct gw_breaker_conf in_a_row = {
    .failures = 3,
    .sleep = GW_MS(1000),
    .sleep_max = GW_MS(4000),
    .probes = 2,
    .probe_timeout = GW_MS(500),
};

/* A whole try that ends at once. */
static void fail_once(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now)
{
    gw_breaker_ticket ticket;
    ck_assert(gw_breaker_take(b, conf, now, &ticket));
    gw_breaker_report(b, conf, now, ticket, GW_BREAKER_BAD, 0);
}

static void succeed_once(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now)
{
    gw_breaker_ticket ticket;
    ck_assert(gw_breaker_take(b, conf, now, &ticket));
    gw_breaker_report(b, conf, now, ticket, GW_BREAKER_GOOD, 0);
}

static uint32_t state_of(const struct gw_breaker *b, const struct gw_breaker_conf *conf,
                         gw_nanos now)
{
    return gw_breaker_look(b, conf, now).state;
}

START_TEST(failures_in_a_row_open_it)
{
    struct gw_breaker b = { 0 };
    gw_breaker_ticket ticket;
    for (int i = 0; i < 10; i++) { /* one good answer: the row begins anew */
        fail_once(&b, &in_a_row, 1);
        fail_once(&b, &in_a_row, 1);
        succeed_once(&b, &in_a_row, 1);
    }
    ck_assert_uint_eq(state_of(&b, &in_a_row, 1), GW_BREAKER_CLOSED);
    for (int i = 0; i < 3; i++)
        fail_once(&b, &in_a_row, GW_MS(10));
    ck_assert_uint_eq(state_of(&b, &in_a_row, GW_MS(10)), GW_BREAKER_OPEN);
    ck_assert(!gw_breaker_take(&b, &in_a_row, GW_MS(1009), &ticket));
    ck_assert_uint_eq(gw_breaker_look(&b, &in_a_row, GW_MS(1009)).next, GW_MS(1010));
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1010), &ticket));
    ck_assert(gw_breaker_is_probe(ticket));
}
END_TEST

/* Two probes and no more at once; both good: closed. */
START_TEST(probes_are_counted)
{
    struct gw_breaker b = { 0 };
    gw_breaker_ticket one, two, three;
    for (int i = 0; i < 3; i++)
        fail_once(&b, &in_a_row, 0);
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1000), &one));
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1000), &two));
    ck_assert(!gw_breaker_take(&b, &in_a_row, GW_MS(1000), &three));
    ck_assert_uint_eq(gw_breaker_look(&b, &in_a_row, GW_MS(1000)).next, GW_MS(1500));
    ck_assert(!gw_breaker_report(&b, &in_a_row, GW_MS(1001), one, GW_BREAKER_GOOD, 0));
    ck_assert(!gw_breaker_take(&b, &in_a_row, GW_MS(1001), &three)); /* two were enough */
    ck_assert(gw_breaker_report(&b, &in_a_row, GW_MS(1002), two, GW_BREAKER_GOOD, 0));
    ck_assert_uint_eq(state_of(&b, &in_a_row, GW_MS(1002)), GW_BREAKER_CLOSED);
    ck_assert_uint_eq(gw_breaker_look(&b, &in_a_row, GW_MS(1002)).opens, 0);
}
END_TEST

/* One that its client has left makes room; those that nobody hears of do at their time. */
START_TEST(lost_probes_are_replaced)
{
    struct gw_breaker b = { 0 };
    gw_breaker_ticket one, two, three;
    for (int i = 0; i < 3; i++)
        fail_once(&b, &in_a_row, 0);
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1000), &one));
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1000), &two));
    gw_breaker_report(&b, &in_a_row, GW_MS(1001), one, GW_BREAKER_VOID, 0);
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1002), &one));
    ck_assert(!gw_breaker_take(&b, &in_a_row, GW_MS(1499), &three));
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1500), &three));
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1999), &three));
    ck_assert(!gw_breaker_take(&b, &in_a_row, GW_MS(1999), &three));
    /* Who is late is heard all the same. */
    ck_assert(!gw_breaker_report(&b, &in_a_row, GW_MS(1999), one, GW_BREAKER_GOOD, 0));
    ck_assert(gw_breaker_report(&b, &in_a_row, GW_MS(1999), two, GW_BREAKER_GOOD, 0));
    ck_assert_uint_eq(state_of(&b, &in_a_row, GW_MS(1999)), GW_BREAKER_CLOSED);
}
END_TEST

/* Each failed probe doubles the sleep, up to the cap; jitter adds up to its share and never less. */
START_TEST(sleep_doubles_to_a_cap)
{
    static const gw_nanos wanted[] = { GW_MS(1000), GW_MS(2000), GW_MS(4000), GW_MS(4000) };
    struct gw_breaker_conf conf = in_a_row;
    struct gw_breaker b = { 0 };
    gw_breaker_ticket ticket;
    gw_nanos now = 0, before = 0, sleep;
    uint64_t seen = 0;
    for (int i = 0; i < 3; i++)
        fail_once(&b, &conf, now);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        gw_nanos next = gw_breaker_look(&b, &conf, now).next;
        ck_assert_uint_eq(next - now, wanted[i]);
        now = next;
        fail_once(&b, &conf, now);
    }
    conf.jitter = 20;
    for (uint64_t seed = 0; seed < 100; seed++) {
        now = gw_breaker_look(&b, &conf, now).next;
        ck_assert(gw_breaker_take(&b, &conf, now, &ticket));
        gw_breaker_report(&b, &conf, now, ticket, GW_BREAKER_BAD, seed);
        sleep = gw_breaker_look(&b, &conf, now).next - now;
        ck_assert(sleep >= GW_MS(4000) && sleep <= GW_MS(4800));
        seen += sleep != before;
        before = sleep;
    }
    ck_assert_uint_gt(seen, 50);
}
END_TEST

/* Who began before the state was another has no word in it. */
START_TEST(old_outcomes_are_not_news)
{
    struct gw_breaker b = { 0 };
    gw_breaker_ticket old, probe, more;
    ck_assert(gw_breaker_take(&b, &in_a_row, 0, &old));
    for (int i = 0; i < 3; i++)
        fail_once(&b, &in_a_row, 0);
    ck_assert(!gw_breaker_report(&b, &in_a_row, 1, old, GW_BREAKER_GOOD, 0));
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1000), &probe));
    ck_assert(!gw_breaker_report(&b, &in_a_row, GW_MS(1000), old, GW_BREAKER_BAD, 0));
    ck_assert_uint_eq(state_of(&b, &in_a_row, GW_MS(1000)), GW_BREAKER_HALF_OPEN);
    ck_assert(gw_breaker_take(&b, &in_a_row, GW_MS(1000), &more));
    ck_assert(gw_breaker_report(&b, &in_a_row, GW_MS(1000), more, GW_BREAKER_BAD, 0));
    ck_assert(!gw_breaker_report(&b, &in_a_row, GW_MS(1001), probe, GW_BREAKER_GOOD, 0));
    ck_assert_uint_eq(state_of(&b, &in_a_row, GW_MS(1001)), GW_BREAKER_OPEN);
}
END_TEST

/* Over the window, by the share, not before there are enough: as a naive one that remembers all. */
START_TEST(error_ratio_is_the_naive_one)
{
    static struct event events[EVENTS];
    struct gw_prng prng = { (uint64_t)_i + 1 };
    struct gw_breaker_conf conf = {
        .percent = 20 + (uint32_t)gw_prng_below(&prng, 60),
        .volume = 1 + (uint32_t)gw_prng_below(&prng, 30),
        .window = SECOND * 10,
        .sleep = SECOND,
        .sleep_max = SECOND,
        .probes = 1,
        .probe_timeout = SECOND,
    };
    struct gw_breaker b = { 0 };
    gw_nanos now = gw_prng_below(&prng, SECOND * 100);
    int n = 0, opened = 0;
    for (int i = 0; i < EVENTS; i++) {
        struct gw_window_sums sums;
        gw_breaker_ticket ticket;
        bool is_failed = gw_prng_below(&prng, 100) < conf.percent, wanted, is;
        ck_assert(gw_breaker_take(&b, &conf, now, &ticket));
        events[n++] = (struct event){ now, is_failed };
        sums = naive_sum(events, n, conf.window, now);
        wanted = is_failed && sums.ok + sums.failed >= conf.volume &&
                 sums.failed * 100 >= (sums.ok + sums.failed) * conf.percent;
        is = gw_breaker_report(&b, &conf, now, ticket, is_failed ? GW_BREAKER_BAD : GW_BREAKER_GOOD,
                               0);
        ck_assert_int_eq(is, wanted);
        if (is) { /* and closed again: all is forgotten */
            now = gw_breaker_look(&b, &conf, now).next;
            succeed_once(&b, &conf, now);
            ck_assert_uint_eq(state_of(&b, &conf, now), GW_BREAKER_CLOSED);
            n = 0;
            opened++;
        }
        now += gw_prng_below(&prng, GW_MS(400));
    }
    ck_assert_int_gt(opened, 3);
}
END_TEST

/* ---- throttles ---- */

START_TEST(throttle_is_the_formula)
{
    struct gw_throttle_conf conf = { .success = 60, .volume = 100, .window = SECOND * 3 };
    struct gw_prng prng = { (uint64_t)_i + 1 };
    struct gw_throttle t = { 0 };
    uint64_t requests = gw_prng_below(&prng, 5000), accepts = 0;
    uint32_t chance;
    double wanted;
    for (uint64_t i = 0; i < requests; i++) {
        bool is_accepted = gw_prng_below(&prng, 100) < (uint64_t)_i;
        accepts += is_accepted;
        gw_throttle_report(&t, &conf, 1, is_accepted);
    }
    wanted = ((double)requests - (double)accepts / 0.6) / ((double)requests + 1);
    wanted = requests < 100 || wanted < 0 ? 0 : wanted;
    chance = gw_throttle_chance(&t, &conf, 1);
    ck_assert_double_eq_tol(chance / 1048576.0, wanted, 1e-5);
    ck_assert_uint_eq(gw_throttle_chance(&t, &conf, SECOND * 4), 0);
}
END_TEST

/* An upstream that takes 100 a second of 1,000: about 100 / success are sent to it. */
/* Whether it counts or sees at once that none has failed: the chance is that of the whole window. */
START_TEST(throttle_forgets_with_its_window)
{
    struct gw_throttle_conf conf = { .success = 100, .volume = 1, .window = SECOND };
    struct gw_prng prng = { (uint64_t)_i + 1 };
    struct gw_throttle t = { 0 };
    gw_nanos now = SECOND;
    uint32_t forgotten = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        struct gw_window_sums sums;
        uint32_t chance = gw_throttle_chance(&t, &conf, now);
        sums = gw_window_sum(&t.window, conf.window, now);
        ck_assert_int_eq(chance > 0, sums.failed > 0);
        forgotten += sums.failed == 0;
        gw_throttle_report(&t, &conf, now, gw_prng_below(&prng, 20) != 0);
        now += gw_prng_below(&prng, 20) == 0 ? gw_prng_below(&prng, SECOND * 2)
                                             : gw_prng_below(&prng, GW_MS(30));
    }
    ck_assert_uint_gt(forgotten, 10);
}
END_TEST

START_TEST(throttle_finds_what_can_be_taken)
{
    struct gw_throttle_conf conf = { .success = 60, .volume = 100, .window = SECOND * 3 };
    struct gw_prng prng = { 7 };
    struct gw_throttle t = { 0 };
    uint32_t sent = 0;
    for (uint32_t second = 0; second < 60; second++) {
        uint32_t room = 100;
        for (uint32_t i = 0; i < 1000; i++) {
            gw_nanos now = second * SECOND + i * GW_MS(1);
            if (!gw_throttle_take(&t, &conf, now, gw_prng_next(&prng)))
                continue;
            sent += second >= 30;
            gw_throttle_report(&t, &conf, now, room > 0);
            room -= room > 0;
        }
    }
    ck_assert_uint_gt(sent, 30 * 120);
    ck_assert_uint_lt(sent, 30 * 220);
}
END_TEST

/* ---- ejection ---- */

static const struct gw_outlier_conf out_conf = {
    .failures = 3,
    .deviations = 1900,
    .slow_percent = 300,
    .slow_least = GW_MS(5),
    .endpoints_min = 5,
    .volume = 10,
    .interval = SECOND * 10,
    .time = SECOND * 30,
    .time_max = SECOND * 100,
    .share = 30,
};

START_TEST(ejection_grows_and_is_forgiven)
{
    static const uint32_t seconds[] = { 30, 60, 90, 100, 100 };
    struct gw_outlier o = { 0 };
    gw_nanos now = 5;
    for (size_t i = 0; i < 5; i++) {
        ck_assert(gw_outlier_eject(&o, &out_conf, now, GW_OUTLIER_FAILURES));
        ck_assert(!gw_outlier_eject(&o, &out_conf, now, GW_OUTLIER_RATE));
        ck_assert(gw_outlier_look(&o, now).is_out);
        ck_assert_uint_eq(gw_outlier_look(&o, now).cause, GW_OUTLIER_FAILURES);
        now = gw_outlier_look(&o, now).until;
        ck_assert_uint_eq(now / SECOND,
                          (i == 0 ? 0 : (uint32_t[]){ 0, 30, 90, 180, 280 }[i]) + seconds[i]);
        ck_assert(!gw_outlier_look(&o, now).is_out);
    }
    now += SECOND * 30; /* three intervals in: three times less */
    ck_assert(gw_outlier_eject(&o, &out_conf, now, GW_OUTLIER_FAILURES));
    ck_assert_uint_eq(gw_outlier_look(&o, now).until - now, SECOND * 90);
    gw_outlier_take_back(&o, now);
    ck_assert(!gw_outlier_look(&o, now).is_out);
    ck_assert(!gw_outlier_look(&o, now - SECOND).is_out); /* to a thread that is behind */
    ck_assert_uint_eq(gw_outlier_look(&o, now).times, 2);
    ck_assert(gw_outlier_eject(&o, &out_conf, now + SECOND * 100, GW_OUTLIER_FAILURES));
    ck_assert_uint_eq(gw_outlier_look(&o, now).until - now, SECOND * 130);
}
END_TEST

START_TEST(failures_in_a_row_eject)
{
    struct gw_outlier o = { 0 };
    for (int i = 0; i < 20; i++) {
        ck_assert(!gw_outlier_report(&o, &out_conf, false, 0));
        ck_assert(!gw_outlier_report(&o, &out_conf, false, 0));
        ck_assert(!gw_outlier_report(&o, &out_conf, true, 0));
    }
    ck_assert(!gw_outlier_report(&o, &out_conf, false, 0));
    ck_assert(!gw_outlier_report(&o, &out_conf, false, 0));
    ck_assert(gw_outlier_report(&o, &out_conf, false, 0));
    ck_assert(!gw_outlier_report(&o, &out_conf, false, 0)); /* it was said */
}
END_TEST

START_TEST(room_is_a_share_and_never_all)
{
    struct gw_outlier_conf conf = { .share = 30 };
    ck_assert_uint_eq(gw_outlier_room(&conf, 0), 0);
    ck_assert_uint_eq(gw_outlier_room(&conf, 1), 0);
    ck_assert_uint_eq(gw_outlier_room(&conf, 2), 1);
    ck_assert_uint_eq(gw_outlier_room(&conf, 10), 3);
    conf.share = 100;
    ck_assert_uint_eq(gw_outlier_room(&conf, 10), 9);
    conf.share = 0;
    ck_assert_uint_eq(gw_outlier_room(&conf, 10), 0);
}
END_TEST

struct cluster {
    struct gw_outlier of[8];
    _Atomic uint64_t due;
    int n;
};

static uint32_t compare(struct cluster *c, enum gw_outlier_cause cause)
{
    struct gw_outlier_sums sums = { 0 };
    uint32_t found = 0;
    for (int i = 0; i < c->n; i++)
        gw_outlier_add(&c->of[i], &out_conf, &sums);
    for (int i = 0; i < c->n; i++)
        found |= gw_outlier_judge(&c->of[i], &out_conf, &sums) == cause ? 1u << i : 0;
    return found;
}

static void answer(struct cluster *c, int i, int good, int bad, gw_nanos latency)
{
    while (good-- > 0)
        gw_outlier_report(&c->of[i], &out_conf, true, latency);
    while (bad-- > 0)
        gw_outlier_report(&c->of[i], &out_conf, false, 0);
}

START_TEST(rates_are_compared)
{
    struct cluster c = { .n = 6 };
    for (int i = 0; i < 5; i++)
        answer(&c, i, 99, 1, 0);
    answer(&c, 5, 50, 50, 0);
    ck_assert_uint_eq(compare(&c, GW_OUTLIER_RATE), 1u << 5);
    ck_assert_uint_eq(compare(&c, GW_OUTLIER_RATE), 0); /* nothing new */
    for (int i = 0; i < 6; i++)
        answer(&c, i, 50, 50, 0); /* all alike: nobody is worse */
    ck_assert_uint_eq(compare(&c, GW_OUTLIER_RATE), 0);
    for (int i = 0; i < 5; i++)
        answer(&c, i, 9, 0, 0);
    answer(&c, 5, 0, 9, 0); /* too few to know */
    ck_assert_uint_eq(compare(&c, GW_OUTLIER_RATE), 0);
    c.n = 4;
    for (int i = 0; i < 4; i++)
        answer(&c, i, i == 3 ? 0 : 100, i == 3 ? 100 : 0, 0); /* too few to compare */
    ck_assert_uint_eq(compare(&c, GW_OUTLIER_RATE), 0);
}
END_TEST

START_TEST(latencies_are_compared)
{
    struct cluster c = { .n = 6 };
    for (int i = 0; i < 6; i++)
        answer(&c, i, 20, 0, i == 2 ? GW_MS(70) : GW_MS(20));
    ck_assert_uint_eq(compare(&c, GW_OUTLIER_LATENCY), 1u << 2);
    for (int i = 0; i < 6; i++)
        answer(&c, i, 20, 0, i == 2 ? GW_MS(4) : GW_MS(1) / 10); /* far, but fast */
    ck_assert_uint_eq(compare(&c, GW_OUTLIER_LATENCY), 0);
}
END_TEST

START_TEST(an_interval_is_one_callers)
{
    _Atomic uint64_t due = 0;
    ck_assert(!gw_outlier_is_due(&due, &out_conf, 1)); /* the first one begins */
    ck_assert(!gw_outlier_is_due(&due, &out_conf, SECOND * 10));
    ck_assert(gw_outlier_is_due(&due, &out_conf, SECOND * 10 + 1));
    ck_assert(!gw_outlier_is_due(&due, &out_conf, SECOND * 10 + 1));
}
END_TEST

/* ---- the gate ---- */

START_TEST(gate_has_an_order)
{
    struct gw_breaker open = { 0 };
    struct gw_outlier out = { 0 };
    struct gw_gate_facts facts = { .breaker_conf = &in_a_row };
    struct gw_force forces[GW_FORCE_ON_COUNT] = { 0 };
    struct gw_gate gate;
    for (int i = 0; i < 3; i++)
        fail_once(&open, &in_a_row, 0);
    ck_assert(gw_outlier_eject(&out, &out_conf, 0, GW_OUTLIER_RATE));
    gate = gw_gate_look(&facts, 1);
    ck_assert(gate.answer == GW_GATE_OPEN && gate.cause == GW_GATE_NONE && gate.next == GW_NEVER);
    facts.outlier = &out;
    gate = gw_gate_look(&facts, 1);
    ck_assert(gate.answer == GW_GATE_SHUT && gate.cause == GW_GATE_EJECTED);
    ck_assert_uint_eq(gate.next, SECOND * 30);
    ck_assert(gw_gate_is_open_in_panic(&gate));
    facts.is_unhealthy = true;
    gate = gw_gate_look(&facts, 1);
    ck_assert(gate.cause == GW_GATE_HEALTH && gate.next == GW_NEVER);
    ck_assert(gw_gate_is_open_in_panic(&gate));
    facts.breaker = &open;
    gate = gw_gate_look(&facts, 1);
    ck_assert(gate.cause == GW_GATE_BREAKER && gate.next == SECOND);
    ck_assert(!gw_gate_is_open_in_panic(&gate));
    gate = gw_gate_look(&facts, SECOND); /* a probe would go, but it is not well */
    ck_assert(gate.answer == GW_GATE_SHUT && gate.cause == GW_GATE_HEALTH);
    facts.is_unhealthy = false;
    gate = gw_gate_look(&facts, SECOND * 30);
    ck_assert(gate.answer == GW_GATE_PROBE && gate.cause == GW_GATE_NONE);
    facts.forces = forces;
    gw_force_set(&forces[GW_FORCE_ENDPOINT], GW_FORCED_CLOSED, 1, 5);
    gate = gw_gate_look(&facts, 1);
    ck_assert(gate.answer == GW_GATE_OPEN && gate.next == 5);
    ck_assert(gw_gate_look(&facts, 5).cause == GW_GATE_BREAKER);
    facts.is_draining = true;
    ck_assert(gw_gate_look(&facts, 1).cause == GW_GATE_DRAINING);
    gw_force_set(&forces[GW_FORCE_ENDPOINT], GW_FORCED_OPEN, 1, 5);
    gate = gw_gate_look(&facts, 1);
    ck_assert(gate.cause == GW_GATE_FORCED && gate.next == 5);
    ck_assert(!gw_gate_is_open_in_panic(&gate));
}
END_TEST

/* Breaker and ejection are taken for what is said, and are what they are when that ends. */
START_TEST(each_machine_is_forced)
{
    struct gw_breaker open = { 0 };
    struct gw_outlier out = { 0 };
    struct gw_force forces[GW_FORCE_ON_COUNT] = { 0 };
    struct gw_gate_facts facts = { .forces = forces, .breaker_conf = &in_a_row };
    struct gw_gate gate;
    gw_force_set(&forces[GW_FORCE_BREAKER], GW_FORCED_OPEN, 1, 9);
    gate = gw_gate_look(&facts, 8);
    ck_assert(gate.cause == GW_GATE_BREAKER && gate.next == 9 && !gw_gate_is_open_in_panic(&gate));
    ck_assert(gw_gate_look(&facts, 9).answer == GW_GATE_OPEN);
    gw_force_set(&forces[GW_FORCE_OUTLIER], GW_FORCED_EJECTED, 1, 7);
    gw_force_set(&forces[GW_FORCE_BREAKER], GW_FORCED_NOT, 1, 0);
    gate = gw_gate_look(&facts, 6);
    ck_assert(gate.cause == GW_GATE_EJECTED && gate.next == 7 && gw_gate_is_open_in_panic(&gate));
    for (int i = 0; i < 3; i++)
        fail_once(&open, &in_a_row, 0);
    facts.breaker = &open;
    ck_assert(gw_outlier_eject(&out, &out_conf, 0, GW_OUTLIER_RATE));
    facts.outlier = &out;
    gw_force_set(&forces[GW_FORCE_BREAKER], GW_FORCED_CLOSED, 1, 5);
    ck_assert(gw_gate_look(&facts, 4).cause == GW_GATE_EJECTED);
    gw_force_set(&forces[GW_FORCE_OUTLIER], GW_FORCED_CLOSED, 1, 6);
    gate = gw_gate_look(&facts, 4);
    ck_assert(gate.answer == GW_GATE_OPEN && gate.next == 5);
    gate = gw_gate_look(&facts, 5);
    ck_assert(gate.cause == GW_GATE_BREAKER && gate.next == SECOND);
    /* By another clock. */
    gw_force_set(&forces[GW_FORCE_ENDPOINT], GW_FORCED_OPEN, SECOND, GW_MS(3u * GW_FORCE_MS_MAX));
    ck_assert(gw_gate_look(&facts, 1).cause == GW_GATE_NONE);
    ck_assert(gw_gate_look(&facts, 2 * SECOND).cause == GW_GATE_EJECTED);
}
END_TEST

START_TEST(names_are_said)
{
    ck_assert_str_eq(gw_breaker_state_name(GW_BREAKER_HALF_OPEN), "half open");
    ck_assert_str_eq(gw_outlier_cause_name(GW_OUTLIER_RATE), "success rate");
}
END_TEST

/* ---- two threads ---- */

enum { TURNS = 20000 };

static struct {
    struct gw_window window;
    struct gw_breaker breaker;
    struct gw_outlier outlier;
    _Atomic uint64_t now;
    atomic_uint probes, ejections;
} both;

static void *work(void *seed)
{
    struct gw_prng prng = { *(uint64_t *)seed };
    for (int i = 0; i < TURNS; i++) {
        gw_nanos now = atomic_fetch_add_explicit(&both.now, GW_MS(1), memory_order_relaxed);
        gw_breaker_ticket ticket;
        gw_window_count(&both.window, SECOND * 3600, SECOND, i % 4 == 0);
        if (gw_breaker_take(&both.breaker, &in_a_row, now, &ticket)) {
            if (gw_breaker_is_probe(ticket))
                atomic_fetch_add(&both.probes, 1);
            (void)gw_breaker_report(&both.breaker, &in_a_row, now, ticket,
                                    (enum gw_breaker_verdict)gw_prng_below(&prng, 3), prng.state);
        }
        if (gw_outlier_report(&both.outlier, &out_conf, gw_prng_below(&prng, 4) == 0, 1000) &&
            gw_outlier_eject(&both.outlier, &out_conf, now, GW_OUTLIER_FAILURES))
            atomic_fetch_add(&both.ejections, 1);
    }
    return NULL;
}

START_TEST(two_threads_lose_nothing)
{
    static uint64_t seeds[] = { 1, 2 };
    pthread_t threads[2];
    struct gw_window_sums sums;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &seeds[i]), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    sums = gw_window_sum(&both.window, SECOND * 3600, SECOND);
    ck_assert_uint_eq(sums.ok + sums.failed, 2 * TURNS);
    ck_assert_uint_eq(sums.failed, 2 * TURNS / 4);
    ck_assert_uint_gt(atomic_load(&both.probes), 5);
    ck_assert_uint_gt(atomic_load(&both.ejections), 0);
}
END_TEST

static Suite *breaking_suite(void)
{
    Suite *s = suite_create("breaking");
    check_add_loop(s, window_is_the_naive_one, 0, 10);
    check_add(s, a_full_bucket_counts_no_more);
    check_add(s, failures_in_a_row_open_it);
    check_add(s, probes_are_counted);
    check_add(s, lost_probes_are_replaced);
    check_add(s, sleep_doubles_to_a_cap);
    check_add(s, old_outcomes_are_not_news);
    check_add_loop(s, error_ratio_is_the_naive_one, 0, 20);
    check_add_loop(s, throttle_is_the_formula, 0, 100);
    check_add_loop(s, throttle_forgets_with_its_window, 0, 10);
    check_add(s, throttle_finds_what_can_be_taken);
    check_add(s, ejection_grows_and_is_forgiven);
    check_add(s, failures_in_a_row_eject);
    check_add(s, room_is_a_share_and_never_all);
    check_add(s, rates_are_compared);
    check_add(s, latencies_are_compared);
    check_add(s, an_interval_is_one_callers);
    check_add(s, gate_has_an_order);
    check_add(s, each_machine_is_forced);
    check_add(s, names_are_said);
    check_add(s, two_threads_lose_nothing);
    return s;
}

Suite *breaking_model_suite(void);

CHECK_MAIN(breaking_suite, breaking_model_suite)
