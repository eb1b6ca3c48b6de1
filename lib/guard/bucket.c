/* guard/bucket.c: the decision, how it is made to last, and what becomes of it at another rate. */

#include "guard/bucket.h"

#include "base/divisor.h"

gw_status gw_rate_init(struct gw_rate *rate, uint32_t tokens, uint64_t period_ns, uint32_t burst)
{
    uint64_t by, p, q;

    if (tokens == 0 || period_ns == 0 || burst == 0)
        return GW_EINVAL;
    if (period_ns > GW_RATE_REFILL_MAX_NS)
        return GW_ELIMIT;
    by = gw_divisor(tokens, period_ns);
    p = tokens / by;
    q = period_ns / by;
    rate->scale = p <= GW_RATE_SCALE_MAX ? (uint32_t)p : GW_RATE_SCALE_MAX;
    rate->step = p <= GW_RATE_SCALE_MAX ? q : (q * GW_RATE_SCALE_MAX + p - 1) / p;
    if (rate->step > GW_RATE_REFILL_MAX_NS * rate->scale / burst)
        return GW_ELIMIT;
    rate->burst = burst;
    rate->span = rate->step * burst;
    rate->back = GW_RATE_CLOCK_BACK_NS * rate->scale;
    return GW_OK;
}

/* Times wrap: only their distance counts, which is far below the half of a word. */
uint64_t gw_bucket_debt(uint64_t word, const struct gw_rate *rate, gw_nanos now)
{
    uint64_t ahead = word - now * rate->scale;

    if (word == GW_BUCKET_FULL || ahead > INT64_MAX)
        return 0;
    return ahead > rate->span + rate->back ? rate->span : ahead;
}

static uint64_t word_of(uint64_t ticks)
{
    return ticks < GW_BUCKET_WORD_MIN ? GW_BUCKET_WORD_MIN : ticks;
}

uint64_t gw_bucket_word(const struct gw_rate *rate, uint64_t debt, gw_nanos now)
{
    return word_of(now * rate->scale + (debt < rate->span ? debt : rate->span));
}

static uint64_t round_up(uint64_t ticks, uint32_t scale)
{
    return (ticks + scale - 1) / scale;
}

struct gw_quota gw_taken_quota(const struct gw_taken *taken)
{
    const struct gw_rate *rate = taken->rate;
    uint64_t wait = taken->wait;

    if (rate == NULL)
        return (struct gw_quota){ .remaining = taken->level, .retry_after_ns = wait };
    return (struct gw_quota){
        .remaining = taken->level < rate->span ? (rate->span - taken->level) / rate->step : 0,
        .retry_after_ns = wait == GW_NEVER ? GW_NEVER : round_up(wait, rate->scale),
        .reset_ns = round_up(taken->level, rate->scale),
    };
}

uint64_t gw_bucket_decide(uint64_t word, const struct gw_rate *rate, uint32_t cost, gw_nanos now,
                          struct gw_taken *out)
{
    uint64_t ticks = now * rate->scale, debt = gw_bucket_debt(word, rate, now);
    uint64_t need = rate->step * cost;

    *out = (struct gw_taken){ .rate = rate, .level = debt };
    if (cost <= rate->burst && debt + need <= rate->span) {
        out->allowed = true;
        out->level += need;
        return out->level == 0 ? word : word_of(ticks + out->level);
    }
    out->wait = cost <= rate->burst ? debt + need - rate->span : GW_NEVER;
    /* The same word, unless the clock went back: from here it counts anew, with nothing left. */
    return debt > 0 ? word_of(ticks + debt) : word;
}

bool gw_bucket_take(struct gw_bucket *b, const struct gw_rate *rate, uint32_t cost, gw_nanos now,
                    struct gw_taken *out)
{
    uint64_t word = atomic_load_explicit(&b->word, memory_order_relaxed), next;

    do {
        if (word == GW_BUCKET_LOCKED)
            return false;
        next = gw_bucket_decide(word, rate, cost, now, out);
    } while (next != word &&
             !atomic_compare_exchange_weak_explicit(&b->word, &word, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

/* part of whole, times n, rounded up; part <= whole, which are not so large that this wraps. */
static uint64_t share(uint64_t part, uint64_t whole, uint64_t n)
{
    const uint64_t low = UINT32_MAX;

    while (whole > low) {
        whole >>= 1;
        part = (part + 1) >> 1;
    }
    part = part < whole ? ((part << 32) + whole - 1) / whole : low + 1;
    return (n >> 32) * part + (((n & low) * part + low) >> 32);
}

uint64_t gw_rate_carry(uint64_t debt, const struct gw_rate *from, const struct gw_rate *to)
{
    uint64_t tokens = debt / from->step;

    if (tokens >= to->burst)
        return to->span;
    debt = tokens * to->step + share(debt % from->step, from->step, to->step);
    return debt < to->span ? debt : to->span;
}

void gw_bucket_close(struct gw_bucket *b)
{
    atomic_store_explicit(&b->word, GW_BUCKET_LOCKED, memory_order_relaxed);
}

void gw_bucket_move(struct gw_bucket *from, const struct gw_rate *of, struct gw_bucket *to,
                    const struct gw_rate *rate, const _Atomic gw_nanos *newest)
{
    uint64_t word = atomic_exchange_explicit(&from->word, GW_BUCKET_LOCKED, memory_order_acquire);
    gw_nanos now = atomic_load_explicit(newest, memory_order_relaxed); /* of that word, or later */
    uint64_t debt = gw_rate_carry(gw_bucket_debt(word, of, now), of, rate);

    atomic_store_explicit(&to->word, debt > 0 ? gw_bucket_word(rate, debt, now) : GW_BUCKET_FULL,
                          memory_order_relaxed);
}
