/* guard/bucket.h: a token bucket as one 64-bit time: when it will be full again (GCRA). So one
 * compare-and-swap shares it between threads, and evicting or forgetting a full one changes nothing.
 *
 * Promise: in any window of length t at most burst + rate * t pass. Time is counted in ticks, of which
 * a nanosecond has as many as make a token a whole number of them, up to 64; where more were needed a
 * token costs the next whole number, so that the rate is at most a 64th of a nanosecond a token below
 * what was asked, and never above. Nothing adds up: times are sums of whole numbers.
 *
 * Time going back is no time: it gives nothing. What a bucket owes is then at most a whole burst, from a
 * step of CLOCK_BACK_NS on; up to that a thread may be behind another one. Pure. */
#ifndef GW_GUARD_BUCKET_H
#define GW_GUARD_BUCKET_H

#include <stdatomic.h>

#include <gw/env.h>

#include "base/timer.h"

enum { GW_RATE_SCALE_MAX = 64 };
#define GW_RATE_CLOCK_BACK_NS GW_MS(10000)
/* A burst that takes longer than this to come back is refused. */
#define GW_RATE_REFILL_MAX_NS (GW_MS(86400000) * 365)

struct gw_rate {
    uint64_t step;  /* ticks a token                */
    uint64_t span;  /* ticks a burst: burst * step  */
    uint64_t back;  /* ticks of CLOCK_BACK_NS       */
    uint32_t scale; /* ticks a nanosecond           */
    uint32_t burst;
};
/* tokens in each period of so many nanoseconds. GW_EINVAL: one of them is 0; GW_ELIMIT: see above. */
gw_status gw_rate_init(struct gw_rate *rate, uint32_t tokens, uint64_t period_ns, uint32_t burst)
    GW_MUST_CHECK;

/* What was decided, as it comes: who wants it in tokens and nanoseconds asks for the quota. */
struct gw_taken {
    const struct gw_rate *rate; /* lives as long as the bucket's owner; NULL: a ceiling         */
    uint64_t level;             /* of a rate: ticks that are owed; of a ceiling: how many more  */
    uint64_t wait;              /* refused: so many ticks, and there would be enough; GW_NEVER  */
    bool allowed;
};
struct gw_quota {
    uint64_t remaining;      /* tokens that are left                              */
    uint64_t retry_after_ns; /* refused: so much would be there then; GW_NEVER     */
    uint64_t reset_ns;       /* until it is full                                  */
};
struct gw_quota gw_taken_quota(const struct gw_taken *taken);

/* Words of a bucket that are no times. */
enum { GW_BUCKET_FULL = 0, GW_BUCKET_LOCKED = 1, GW_BUCKET_WORD_MIN = 2 };

/* All zero is a full one. */
struct gw_bucket {
    _Atomic uint64_t word;
};

/* What it owes, in ticks, at most a burst and what a thread may be behind. */
uint64_t gw_bucket_debt(uint64_t word, const struct gw_rate *rate, gw_nanos now);
/* The word after so much debt, capped at a burst. */
uint64_t gw_bucket_word(const struct gw_rate *rate, uint64_t debt, gw_nanos now);
/* The decision about one word; returns what it is to become, the same if nothing changes. */
uint64_t gw_bucket_decide(uint64_t word, const struct gw_rate *rate, uint32_t cost, gw_nanos now,
                          struct gw_taken *out);

/* Takes cost tokens, or none; threads may share the bucket. False: its word is GW_BUCKET_LOCKED, what it
 * owes is owed elsewhere. */
bool gw_bucket_take(struct gw_bucket *b, const struct gw_rate *rate, uint32_t cost, gw_nanos now,
                    struct gw_taken *out) GW_MUST_CHECK;
/* One token of the bucket whose word was just read, where there is one and nobody was in between, as nearly
 * always. False: nothing has been decided. */
GW_MUST_CHECK
static inline bool gw_bucket_take_at_once(_Atomic uint64_t *at, uint64_t word,
                                          const struct gw_rate *rate, gw_nanos now,
                                          struct gw_taken *out)
{
    uint64_t ticks = now * rate->scale, ahead = word - ticks;
    uint64_t debt = rate->step + (word == GW_BUCKET_FULL || ahead > INT64_MAX ? 0 : ahead);

    if (word == GW_BUCKET_LOCKED || debt > rate->span || ticks + debt < GW_BUCKET_WORD_MIN)
        return false;
    *out = (struct gw_taken){ .rate = rate, .level = debt, .allowed = true };
    return atomic_compare_exchange_strong_explicit(at, &word, ticks + debt, memory_order_acq_rel,
                                                   memory_order_relaxed);
}
/* Nobody can take from it until it gets a word. */
void gw_bucket_close(struct gw_bucket *b);
/* Closes a bucket, and has what it owes owed by another one, which is closed until then, of another rate.
 * newest: a time that whoever takes has set, where it was earlier, before it takes. */
void gw_bucket_move(struct gw_bucket *from, const struct gw_rate *of, struct gw_bucket *to,
                    const struct gw_rate *rate, const _Atomic gw_nanos *newest);
/* The same debt, counted in tokens, at another rate; rounded up, at most a burst of the new one. */
uint64_t gw_rate_carry(uint64_t debt, const struct gw_rate *from, const struct gw_rate *to);

#endif
