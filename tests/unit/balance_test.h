/* unit/balance_test.h: the suites of unit-balance, and endpoints to pick from. */
#ifndef UNIT_BALANCE_TEST_H
#define UNIT_BALANCE_TEST_H

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "balance/balance.h"
#include "base/text.h"
#include "check_main.h"

Suite *round_robin_suite(void);
Suite *ring_suite(void);
Suite *lots_suite(void);
Suite *levels_suite(void);
Suite *picks_suite(void);
Suite *pins_suite(void);
Suite *key_suite(void);

enum { FIELD_MAX = 1024 };

/* Endpoints, and how they are now. */
struct field {
    struct test_alloc alloc;
    struct gw_heap heap;
    uint32_t n;
    char texts[FIELD_MAX][32];
    gw_str names[FIELD_MAX];
    uint32_t weights[FIELD_MAX], priorities[FIELD_MAX], inflight[FIELD_MAX], warmth[FIELD_MAX];
    bool is_down[FIELD_MAX], is_tried[FIELD_MAX];
    uint64_t available[GW_LEVELS_MAX];
    struct gw_candidates who;
};

static inline bool field_is_available(const void *ctx, uint32_t i)
{
    return !((const struct field *)ctx)->is_down[i];
}
static inline bool field_is_tried(const void *ctx, uint32_t i)
{
    return ((const struct field *)ctx)->is_tried[i];
}
static inline uint32_t field_inflight(const void *ctx, uint32_t i)
{
    return ((const struct field *)ctx)->inflight[i];
}
static inline uint32_t field_warmth(const void *ctx, uint32_t i)
{
    return ((const struct field *)ctx)->warmth[i];
}

/* n of them, idle, each with a weight of 1. */
static inline void field_init(struct field *f, const char *prefix, uint32_t n)
{
    memset(f, 0, sizeof *f);
    test_alloc_init(&f->alloc);
    gw_heap_init(&f->heap, &f->alloc.allocator, 0);
    ck_assert_uint_le(n, FIELD_MAX);
    f->n = n;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(f->texts[i], sizeof f->texts[i], "%s%u", prefix, i);
        f->names[i] = gw_cstr(f->texts[i]);
        f->weights[i] = 1;
        f->warmth[i] = GW_WARM;
    }
    f->who = (struct gw_candidates){ .ctx = f };
}

/* What the levels have now, of those that are there. */
static inline void field_count(struct field *f)
{
    memset(f->available, 0, sizeof f->available);
    f->who.inflight_sum = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        if (f->is_down[i] || f->weights[i] == 0)
            continue;
        f->available[f->priorities[i]] += f->weights[i];
        f->who.inflight_sum += f->inflight[i];
    }
    f->who.available = f->available;
    f->who.is_available = field_is_available;
    f->who.is_excluded = field_is_tried;
    f->who.inflight = field_inflight;
    f->who.warmth = field_warmth;
}

static inline struct gw_balance_spec field_spec(const struct field *f, uint32_t kind)
{
    return (struct gw_balance_spec){ .kind = kind,
                                     .n = f->n,
                                     .names = f->names,
                                     .weights = f->weights,
                                     .priorities = f->priorities };
}

static inline uint64_t some_key(uint64_t i)
{
    struct gw_prng prng = { i };
    return gw_prng_next(&prng);
}

#endif
