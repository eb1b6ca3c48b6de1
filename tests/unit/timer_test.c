/* unit/timer_test.c: the wheel against an array of times, over seeds, near and far. */

#include "base_test.h"

#include <string.h>

#include "base/prng.h"
#include "base/timer.h"

enum { TIMERS = 60 };
#define MS 1000000u

struct model {
    struct gw_wheel wheel;
    struct gw_timer timers[TIMERS];
    gw_nanos when[TIMERS];  /* GW_NEVER: not set               */
    gw_nanos since[TIMERS]; /* the wheel's time when it was set */
    gw_nanos now;           /* of the last advance              */
    uint32_t set;
};

static uint64_t tick_of(gw_nanos when) /* rounded up */
{
    return when / MS + (when % MS != 0);
}

/* A timer is due if its tick is over, or it had passed when it was set. */
static bool is_due(const struct model *m, int i)
{
    return m->when[i] != GW_NEVER && tick_of(m->when[i]) <= m->now / MS;
}

static void set(struct model *m, int i, gw_nanos when)
{
    m->set += when != GW_NEVER;
    m->set -= m->when[i] != GW_NEVER;
    m->when[i] = when;
    m->since[i] = m->now;
    gw_timer_set(&m->wheel, &m->timers[i], when);
}

static void cancel(struct model *m, int i)
{
    m->set -= m->when[i] != GW_NEVER;
    m->when[i] = GW_NEVER;
    gw_timer_cancel(&m->wheel, &m->timers[i]);
}

/* What time is left to the earliest, by the model: next must not be later, and must not let the
 * host wait for nothing but at a coarse slot's border. */
static void check_next(const struct model *m)
{
    uint64_t earliest = UINT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        if (m->when[i] != GW_NEVER && tick_of(m->when[i]) < earliest)
            earliest = tick_of(m->when[i]);
    gw_nanos next = gw_wheel_next(&m->wheel);
    ck_assert_uint_eq(m->wheel.count, m->set);
    if (m->set == 0) {
        ck_assert(next == GW_NEVER);
        return;
    }
    if (earliest > UINT64_MAX / MS) /* rounded up, it is beyond what a clock can say */
        return;
    ck_assert_uint_le(next, earliest <= m->now / MS ? m->now : earliest * MS);
    if (earliest > m->now / MS) {
        ck_assert_uint_gt(next, m->now); /* no busy loop */
        if ((earliest ^ m->now / MS) < GW_WHEEL_SLOTS)
            ck_assert_uint_eq(next, earliest * MS); /* in the fine level it is exact */
    }
}

/* Pops all; each is due, and all that are due come; by their tick if they had not passed. */
static void pop_all(struct model *m)
{
    uint64_t before = 0;
    for (struct gw_timer *t; (t = gw_wheel_pop(&m->wheel)) != NULL;) {
        int i = (int)(t - m->timers);
        ck_assert(is_due(m, i));
        ck_assert(!gw_timer_is_set(t));
        if (m->when[i] > m->since[i]) {
            ck_assert_uint_ge(tick_of(m->when[i]), before);
            before = tick_of(m->when[i]);
        }
        m->when[i] = GW_NEVER;
        m->set--;
    }
    for (int i = 0; i < TIMERS; i++)
        ck_assert(!is_due(m, i));
}

/* Spans from less than a tick to years, so that every level and the overflow are used. */
static gw_nanos some_span(struct gw_prng *prng)
{
    return gw_prng_next(prng) >> (6 + gw_prng_below(prng, 58));
}

START_TEST(wheel_against_array)
{
    struct gw_prng prng = { (uint64_t)_i };
    static struct model m;
    memset(&m, 0, sizeof m);
    m.now = _i % 3 == 0 ? 0 : some_span(&prng);
    gw_wheel_init(&m.wheel, m.now);
    for (int i = 0; i < TIMERS; i++) {
        gw_timer_init(&m.timers[i]);
        m.when[i] = GW_NEVER;
    }
    check_next(&m);
    for (int step = 0; step < 3000; step++) {
        int i = (int)gw_prng_below(&prng, TIMERS);
        ck_assert(gw_timer_is_set(&m.timers[i]) == (m.when[i] != GW_NEVER));
        switch (gw_prng_below(&prng, 8)) {
        case 0:
        case 1:
        case 2:
            set(&m, i, m.now + some_span(&prng));
            break;
        case 3: /* in the past, or right now */
            set(&m, i, m.now - gw_prng_below(&prng, m.now + 1) % (5 * MS));
            break;
        case 4:
            cancel(&m, i);
            break;
        case 5:
            if (gw_prng_below(&prng, 4) == 0)
                set(&m, i, gw_prng_below(&prng, 2) ? GW_NEVER : GW_NEVER - 1);
            break;
        case 6: { /* as a host does: when next says, or a little later */
            gw_nanos next = gw_wheel_next(&m.wheel);
            if (next != GW_NEVER && next > m.now && next < UINT64_MAX / 2)
                m.now = next + (gw_prng_below(&prng, 2) ? gw_prng_below(&prng, 3 * MS) : 0);
            gw_wheel_advance(&m.wheel, m.now);
            pop_all(&m);
            break;
        }
        default:
            if (m.now < UINT64_MAX / 4)
                m.now += gw_prng_below(&prng, 3) == 0 ? some_span(&prng) >> 4
                                                      : gw_prng_below(&prng, 200 * MS);
            gw_wheel_advance(&m.wheel, m.now);
            if (gw_prng_below(&prng, 2)) { /* changes while timers lie in the due list */
                cancel(&m, i);
                set(&m, (i + 1) % TIMERS, m.now + MS + some_span(&prng));
            }
            pop_all(&m);
            break;
        }
        check_next(&m);
    }
    for (int i = 0; i < TIMERS; i++)
        cancel(&m, i);
    check_next(&m);
    for (int level = 0; level < GW_WHEEL_LEVELS; level++)
        ck_assert_uint_eq(m.wheel.occupied[level], 0); /* nothing wakes a host in vain */
}
END_TEST

START_TEST(wheel_edges)
{
    struct gw_wheel wheel;
    struct gw_timer t, u;
    gw_wheel_init(&wheel, 5 * MS);
    gw_timer_init(&t);
    gw_timer_init(&u);
    gw_timer_cancel(&wheel, &t);
    ck_assert_ptr_null(gw_wheel_pop(&wheel));
    /* Never early: one nanosecond into a tick waits for the next. */
    gw_timer_set(&wheel, &t, 7 * MS + 1);
    gw_wheel_advance(&wheel, 8 * MS - 1);
    ck_assert_ptr_null(gw_wheel_pop(&wheel));
    gw_wheel_advance(&wheel, 8 * MS);
    ck_assert_ptr_eq(gw_wheel_pop(&wheel), &t);
    /* A passed one comes at the next advance, also of the same time, and not before that. */
    gw_timer_set(&wheel, &t, 3 * MS);
    ck_assert_ptr_null(gw_wheel_pop(&wheel));
    ck_assert_uint_le(gw_wheel_next(&wheel), 8 * MS);
    gw_wheel_advance(&wheel, 8 * MS);
    ck_assert_ptr_eq(gw_wheel_pop(&wheel), &t);
    /* A clock that goes back brings nothing and breaks nothing. */
    gw_timer_set(&wheel, &t, 9 * MS);
    gw_wheel_advance(&wheel, 2 * MS);
    ck_assert_ptr_null(gw_wheel_pop(&wheel));
    gw_wheel_advance(&wheel, 9 * MS);
    ck_assert_ptr_eq(gw_wheel_pop(&wheel), &t);
    gw_wheel_advance(&wheel, 70 * MS);
    gw_timer_set(&wheel, &t, 75 * MS); /* a slot that means 11 ms, seen from before */
    gw_timer_set(&wheel, &u, 60 * MS);
    gw_wheel_advance(&wheel, 3 * MS);
    ck_assert_ptr_eq(gw_wheel_pop(&wheel), &u); /* what had passed is due all the same */
    gw_wheel_advance(&wheel, 20 * MS);
    ck_assert_ptr_null(gw_wheel_pop(&wheel));
    gw_wheel_advance(&wheel, 75 * MS);
    ck_assert_ptr_eq(gw_wheel_pop(&wheel), &t);
    /* Cancelled while due. */
    gw_timer_set(&wheel, &t, 80 * MS);
    gw_timer_set(&wheel, &u, 80 * MS);
    gw_wheel_advance(&wheel, 81 * MS);
    gw_timer_cancel(&wheel, &t);
    ck_assert_ptr_eq(gw_wheel_pop(&wheel), &u);
    ck_assert_ptr_null(gw_wheel_pop(&wheel));
    ck_assert(gw_wheel_next(&wheel) == GW_NEVER);
}
END_TEST

/* Far beyond the wheel's span: it is looked at each turn, and comes at its time. */
START_TEST(wheel_far)
{
    struct gw_wheel wheel;
    struct gw_timer t;
    gw_nanos when = (gw_nanos)400 * 24 * 3600 * 1000 * MS;
    int looks = 0;
    gw_wheel_init(&wheel, 123456789);
    gw_timer_init(&t);
    gw_timer_set(&wheel, &t, when);
    for (gw_nanos next; (next = gw_wheel_next(&wheel)) < when; looks++) {
        gw_wheel_advance(&wheel, next);
        ck_assert_ptr_null(gw_wheel_pop(&wheel));
    }
    ck_assert_int_le(looks, 40 + GW_WHEEL_LEVELS);
    gw_wheel_advance(&wheel, when);
    ck_assert_ptr_eq(gw_wheel_pop(&wheel), &t);
}
END_TEST

Suite *timer_suite(void)
{
    Suite *suite = suite_create("timer");
    check_add_loop(suite, wheel_against_array, 0, 40);
    check_add(suite, wheel_edges);
    check_add(suite, wheel_far);
    return suite;
}
