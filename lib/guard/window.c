/* guard/window.c: buckets that know which time they are of.
 *
 * A bucket's number is kept in 20 bits: one that nobody has touched in all of the 5 * 2^20 buckets' time
 * after it would be taken for the present one, for one bucket's time. At a second each that is once in
 * sixty days without a request. */

#include "guard/window.h"

#include "base/assert.h"

#define NUMBER_BITS 20
#define COUNT_BITS 22
#define NUMBER_MASK ((UINT64_C(1) << NUMBER_BITS) - 1)

static uint64_t pack(uint64_t tag, uint64_t ok, uint64_t failed)
{
    return tag << (2 * COUNT_BITS) | ok << COUNT_BITS | failed;
}

/* Of another length no bucket is of this time: a reload that changes it begins anew. */
static uint64_t tag_of(uint64_t number, gw_nanos length)
{
    return (number + (length * 0x9e3779b97f4a7c15u >> 44)) & NUMBER_MASK;
}

static uint64_t tag_in(uint64_t word)
{
    return word >> (2 * COUNT_BITS);
}

static uint32_t ok_in(uint64_t word)
{
    return word >> COUNT_BITS & GW_WINDOW_MAX;
}

static uint32_t failed_in(uint64_t word)
{
    return word & GW_WINDOW_MAX;
}

static uint64_t number_at(gw_nanos length, gw_nanos now)
{
    GW_ASSERT(length >= GW_WINDOW_BUCKETS);
    return now / (length / GW_WINDOW_BUCKETS);
}

void gw_window_count(struct gw_window *w, gw_nanos length, gw_nanos now, bool is_failed)
{
    uint64_t number = number_at(length, now), tag = tag_of(number, length), next;
    _Atomic uint64_t *bucket = &w->buckets[number % GW_WINDOW_BUCKETS];
    uint64_t word = atomic_load_explicit(bucket, memory_order_relaxed);

    do {
        bool is_of_now = tag_in(word) == tag;
        uint64_t ok = is_of_now ? ok_in(word) : 0, failed = is_of_now ? failed_in(word) : 0;
        if (ok == GW_WINDOW_MAX || failed == GW_WINDOW_MAX)
            return;
        next = is_failed ? pack(tag, ok, failed + 1) : pack(tag, ok + 1, failed);
    } while (!atomic_compare_exchange_weak_explicit(bucket, &word, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

struct gw_window_sums gw_window_sum(const struct gw_window *w, gw_nanos length, gw_nanos now)
{
    uint64_t number = number_at(length, now), tag = tag_of(number, length);
    uint32_t at = (uint32_t)(number % GW_WINDOW_BUCKETS);
    struct gw_window_sums sums = { 0, 0 };

    for (uint64_t i = 0; i < GW_WINDOW_BUCKETS && i <= number; i++) {
        uint64_t word = atomic_load_explicit(&w->buckets[at], memory_order_relaxed);
        if (tag_in(word) == tag) {
            sums.ok += ok_in(word);
            sums.failed += failed_in(word);
        }
        tag = (tag - 1) & NUMBER_MASK;
        at = at > 0 ? at - 1 : GW_WINDOW_BUCKETS - 1;
    }
    return sums;
}

void gw_window_clear(struct gw_window *w)
{
    for (uint32_t i = 0; i < GW_WINDOW_BUCKETS; i++)
        atomic_store_explicit(&w->buckets[i], 0, memory_order_relaxed);
}
