/* The budget of retries against a naive one, which remembers every event; the registry of shared states. */

#include "base/prng.h"
#include "base/text.h"
#include "check_main.h"
#include "guard/retry_budget.h"
#include "guard/state.h"

#include "alloc.h"
#include <stdio.h>

enum { EVENTS = 4000 };

struct naive {
    struct {
        uint64_t slot;
        bool is_retry;
    } events[EVENTS];
    int len;
    gw_nanos first;
};

static uint64_t naive_slot(struct naive *n, gw_nanos now)
{
    if (n->len == 0)
        n->first = now;
    return (now - n->first) / GW_RETRY_SLOT_NS;
}

static bool naive_take(struct naive *n, gw_nanos now, uint32_t percent, uint32_t least)
{
    uint64_t slot = naive_slot(n, now), requests = 0, retries = 0;
    for (int i = 0; i < n->len; i++) {
        if (n->events[i].slot + GW_RETRY_SLOTS <= slot)
            continue;
        requests += !n->events[i].is_retry;
        retries += n->events[i].is_retry;
    }
    return retries < least + requests * percent / 100;
}

static void naive_note(struct naive *n, gw_nanos now, bool is_retry)
{
    n->events[n->len].slot = naive_slot(n, now);
    n->events[n->len++].is_retry = is_retry;
}

START_TEST(budget_is_the_naive_one)
{
    static struct naive naive;
    struct gw_retry_budget b = { .turn = 0 };
    struct gw_prng prng = { (uint64_t)_i + 1 };
    uint32_t percent = (uint32_t)gw_prng_below(&prng, 200);
    uint32_t least = (uint32_t)gw_prng_below(&prng, 5);
    gw_nanos now = 1 + gw_prng_below(&prng, GW_MS(100000));
    int taken = 0, refused = 0;
    naive.len = 0;
    for (int i = 0; i < EVENTS; i++) {
        if (gw_prng_below(&prng, 100) < 60) {
            gw_retry_budget_count(&b, now);
            naive_note(&naive, now, false);
        } else {
            bool wanted = naive_take(&naive, now, percent, least);
            if (naive.len == 0) /* the first event sets the clock in both */
                naive.first = now;
            ck_assert_int_eq(gw_retry_budget_take(&b, now, percent, least), wanted);
            if (wanted)
                naive_note(&naive, now, true);
            taken += wanted;
            refused += !wanted;
        }
        if (naive.len > 0 && gw_prng_below(&prng, 100) < 30)
            now += gw_prng_below(&prng, gw_prng_below(&prng, 50) == 0 ? GW_MS(15000) : GW_MS(300));
    }
    ck_assert_int_gt(taken + refused, EVENTS / 4);
}
END_TEST

START_TEST(budget_of_none_gives_none)
{
    struct gw_retry_budget b = { .turn = 0 };
    for (int i = 0; i < 1000; i++)
        gw_retry_budget_count(&b, 1);
    ck_assert(!gw_retry_budget_take(&b, 1, 0, 0));
    ck_assert(gw_retry_budget_take(&b, 1, 0, 1));
    ck_assert(!gw_retry_budget_take(&b, 1, 0, 1));
    for (int i = 0; i < 199; i++) /* one is counted already */
        ck_assert(gw_retry_budget_take(&b, 1, 20, 0));
    ck_assert(!gw_retry_budget_take(&b, 1, 20, 0));
}
END_TEST

START_TEST(budget_forgets)
{
    struct gw_retry_budget b = { .turn = 0 };
    gw_nanos then = 5 + GW_RETRY_SLOTS * GW_RETRY_SLOT_NS;
    ck_assert(gw_retry_budget_take(&b, 5, 0, 1));
    ck_assert(!gw_retry_budget_take(&b, then - 1, 0, 1));
    ck_assert(gw_retry_budget_take(&b, then, 0, 1));
    ck_assert(!gw_retry_budget_take(&b, then + GW_RETRY_SLOT_NS, 0, 1));
    ck_assert(gw_retry_budget_take(&b, UINT64_MAX - GW_MS(20000), 0, 1));
}
END_TEST

/* ---- shared states ---- */

enum { STATES = 500 };

static struct gw_endpoint_state *get(struct gw_registry *r, gw_str cluster, gw_str name)
{
    return (struct gw_endpoint_state *)gw_registry_get(r, GW_SHARED_ENDPOINT, cluster, name,
                                                       sizeof(struct gw_endpoint_state));
}

/* A name finds its state for as long as anybody refers to it, and until the next sweep; whatever else
 * comes and goes. Neighbours of the name are others. */
START_TEST(states_are_found_by_name)
{
    struct test_alloc alloc;
    struct gw_registry r;
    struct gw_endpoint_state *all[STATES], *again;
    char names[STATES][8];
    test_alloc_init(&alloc);
    gw_registry_init(&r, &alloc.allocator, 7);
    for (unsigned i = 0; i < STATES; i++) {
        snprintf(names[i], sizeof names[i], "e%u", i);
        all[i] = get(&r, GW_STR("web"), gw_cstr(names[i]));
        ck_assert_ptr_nonnull(all[i]);
        ck_assert_uint_eq(all[i]->inflight, 0);
        all[i]->inflight = i + 1;
    }
    again = get(&r, GW_STR("webe"), GW_STR("1"));
    ck_assert(again != all[1] && again->inflight == 0);
    gw_shared_unref(&again->shared);
    for (unsigned i = 0; i < STATES; i += 2)
        gw_shared_unref(&all[i]->shared);
    again = get(&r, GW_STR("web"), gw_cstr(names[2]));
    ck_assert_ptr_eq(again, all[2]); /* nobody had it, and it was not swept yet */
    gw_registry_sweep(&r);
    for (unsigned i = 0; i < STATES; i++) {
        struct gw_endpoint_state *s = get(&r, GW_STR("web"), gw_cstr(names[i]));
        ck_assert_uint_eq(s->inflight, i % 2 == 1 || i == 2 ? i + 1 : 0);
        gw_shared_unref(&s->shared);
        if (i % 2 == 1 || i == 2)
            gw_shared_unref(&s->shared);
    }
    gw_registry_fini(&r);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(states_without_memory)
{
    struct test_alloc alloc;
    struct gw_registry r;
    bool is_over = false;
    for (uint64_t k = 1; !is_over; k++) {
        uint32_t made = 0;
        test_alloc_init(&alloc);
        alloc.fail_at = k;
        gw_registry_init(&r, &alloc.allocator, k);
        for (unsigned i = 0; i < 40; i++) {
            char name[8];
            struct gw_endpoint_state *s;
            snprintf(name, sizeof name, "e%u", i);
            s = get(&r, GW_STR("c"), gw_cstr(name));
            made += s != NULL;
            if (s != NULL)
                gw_shared_unref(&s->shared);
        }
        ck_assert_uint_ge(made, 39);
        ck_assert_uint_eq(r.count, made);
        is_over = alloc.failed == 0;
        gw_registry_fini(&r);
        test_alloc_fini(&alloc);
    }
}
END_TEST

static Suite *guard_suite(void)
{
    Suite *s = suite_create("guard");
    check_add(s, states_are_found_by_name);
    check_add(s, states_without_memory);
    check_add_loop(s, budget_is_the_naive_one, 0, 60);
    check_add(s, budget_of_none_gives_none);
    check_add(s, budget_forgets);
    return s;
}

CHECK_MAIN(guard_suite)
