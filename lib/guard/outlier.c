/* guard/outlier.c: one word says whether it is out: bits 0-1 why, 2-9 how often, 10-63 until when, in
 * milliseconds. A time that has passed is an ejection that is over. Another word says since when: bits 0-7 of
 * until, by which it is known which ejection it is of, and above microseconds. */

#include "guard/outlier.h"

#include "base/assert.h"

enum { TIMES_AT = 2, UNTIL_AT = 10, TIMES_MAX = 255, RATE_ONE = 10000 };
#define MS UINT64_C(1000000)
enum { SINCE_AT = 8, SINCE_MASK = 255 };
#define US UINT64_C(1000)

_Static_assert(GW_OUTLIER_CAUSE_COUNT <= 4, "two bits");

static const char *const names[GW_OUTLIER_CAUSE_COUNT] = {
#define NAME(id, name) name,
    GW_OUTLIER_CAUSES(NAME)
#undef NAME
};

const char *gw_outlier_cause_name(enum gw_outlier_cause cause)
{
    return (uint32_t)cause < GW_OUTLIER_CAUSE_COUNT ? names[cause] : "unknown";
}

static uint64_t pack(uint64_t until, uint64_t times, enum gw_outlier_cause cause)
{
    return until << UNTIL_AT | times << TIMES_AT | (uint64_t)cause;
}

static uint32_t times_in(uint64_t word)
{
    return word >> TIMES_AT & TIMES_MAX;
}

/* One that was taken back has no cause: nor is it out for a thread whose clock is a little behind. */
static bool is_out(uint64_t word, gw_nanos now)
{
    return (word & 3) != GW_OUTLIER_NONE && now / MS < word >> UNTIL_AT;
}

struct gw_outlier_view gw_outlier_look(const struct gw_outlier *o, gw_nanos now)
{
    uint64_t word = atomic_load(&o->word);
    struct gw_outlier_view view = {
        .is_out = is_out(word, now),
        .cause = (enum gw_outlier_cause)(word & 3),
        .times = times_in(word),
        .until = (word >> UNTIL_AT) * MS,
    };

    return view;
}

gw_nanos gw_outlier_since(const struct gw_outlier *o)
{
    uint64_t word = atomic_load(&o->word), since = atomic_load(&o->since);

    return (since & SINCE_MASK) == (word >> UNTIL_AT & SINCE_MASK) ? (since >> SINCE_AT) * US : 0;
}

bool gw_outlier_report(struct gw_outlier *o, const struct gw_outlier_conf *conf, bool is_good,
                       gw_nanos latency)
{
    uint32_t row;

    if (is_good) {
        atomic_fetch_add_explicit(&o->ok, 1, memory_order_relaxed);
        if (conf->slow_percent > 0)
            atomic_fetch_add_explicit(&o->micros, latency / 1000, memory_order_relaxed);
        if (atomic_load_explicit(&o->row, memory_order_relaxed) != 0)
            atomic_store_explicit(&o->row, 0, memory_order_relaxed);
        return false;
    }
    atomic_fetch_add_explicit(&o->failed, 1, memory_order_relaxed);
    row = atomic_fetch_add_explicit(&o->row, 1, memory_order_relaxed) + 1;
    if (conf->failures == 0 || row < conf->failures)
        return false;
    /* If it may not go, it is asked again after as many more. */
    atomic_store_explicit(&o->row, 0, memory_order_relaxed);
    return true;
}

/* Less one for each interval that it was in. */
static uint32_t unforgiven(uint64_t word, const struct gw_outlier_conf *conf, gw_nanos now)
{
    uint64_t until = (word >> UNTIL_AT) * MS;
    uint64_t forgiven = now > until ? (now - until) / conf->interval : 0;

    return forgiven < times_in(word) ? times_in(word) - (uint32_t)forgiven : 0;
}

static gw_nanos time_of(const struct gw_outlier_conf *conf, uint32_t times)
{
    gw_nanos time = conf->time < conf->time_max ? conf->time : conf->time_max;

    return time < conf->time_max / times ? time * times : conf->time_max;
}

bool gw_outlier_eject(struct gw_outlier *o, const struct gw_outlier_conf *conf, gw_nanos now,
                      enum gw_outlier_cause cause)
{
    uint64_t word = atomic_load(&o->word), until;
    uint32_t times;

    do {
        if (is_out(word, now))
            return false;
        times = unforgiven(word, conf, now);
        times += times < TIMES_MAX;
        until = now / MS + (time_of(conf, times) + MS - 1) / MS;
    } while (!atomic_compare_exchange_weak(&o->word, &word, pack(until, times, cause)));
    atomic_store(&o->since, now / US << SINCE_AT | (until & SINCE_MASK));
    return true;
}

void gw_outlier_take_back(struct gw_outlier *o, gw_nanos now)
{
    uint64_t word = atomic_load(&o->word), next;

    do {
        uint32_t times = times_in(word);
        if (!is_out(word, now))
            return;
        next = pack(now / MS, times > 0 ? times - 1 : 0, GW_OUTLIER_NONE);
    } while (!atomic_compare_exchange_weak(&o->word, &word, next));
}

uint32_t gw_outlier_room(const struct gw_outlier_conf *conf, uint32_t n)
{
    uint32_t room = (uint32_t)((uint64_t)n * conf->share / 100);

    if (room == 0 && conf->share > 0)
        room = 1;
    return room < n ? room : n > 0 ? n - 1 : 0;
}

/* ---- comparing ---- */

bool gw_outlier_is_due(_Atomic uint64_t *due, const struct gw_outlier_conf *conf, gw_nanos now)
{
    uint64_t when = atomic_load_explicit(due, memory_order_relaxed);

    if (GW_LIKELY(now < when))
        return false;
    return atomic_compare_exchange_strong_explicit(due, &when, now + conf->interval,
                                                   memory_order_relaxed, memory_order_relaxed) &&
           when != 0;
}

static uint32_t turn_over(atomic_uint *present, atomic_uint *last)
{
    uint32_t n = atomic_exchange_explicit(present, 0, memory_order_relaxed);

    atomic_store_explicit(last, n, memory_order_relaxed);
    return n;
}

static uint32_t rate_of(uint32_t ok, uint32_t failed)
{
    return (uint32_t)((uint64_t)ok * RATE_ONE / ((uint64_t)ok + failed));
}

void gw_outlier_add(struct gw_outlier *o, const struct gw_outlier_conf *conf,
                    struct gw_outlier_sums *sums)
{
    uint32_t ok = turn_over(&o->ok, &o->last_ok), failed = turn_over(&o->failed, &o->last_failed);
    uint64_t micros = atomic_exchange_explicit(&o->micros, 0, memory_order_relaxed), rate;

    atomic_store_explicit(&o->last_micros, micros, memory_order_relaxed);
    if ((uint64_t)ok + failed > 0 && (uint64_t)ok + failed >= conf->volume) {
        rate = rate_of(ok, failed);
        sums->rates += rate;
        sums->squares += rate * rate;
        sums->rates_len++;
    }
    if (ok > 0 && ok >= conf->volume) {
        sums->means += micros / ok;
        sums->means_len++;
    }
}

static uint64_t root(uint64_t n)
{
    uint64_t low = 0, high = UINT32_MAX;

    while (low < high) {
        uint64_t middle = (low + high + 1) / 2;
        if (middle * middle <= n)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Below the mean of all by more than so many deviations. Rates are up to 10^4: the product fits up to 2^18
 * endpoints, more than a configuration may hold. */
static bool is_rate_low(const struct gw_outlier_sums *s, const struct gw_outlier_conf *conf,
                        uint32_t ok, uint32_t failed)
{
    uint64_t n = s->rates_len, mean, deviation;

    if (conf->deviations == 0 || n < conf->endpoints_min || n == 0 ||
        (uint64_t)ok + failed < conf->volume || (uint64_t)ok + failed == 0)
        return false;
    mean = s->rates / n;
    deviation = root((s->squares * n - s->rates * s->rates) / n / n);
    return rate_of(ok, failed) + deviation * conf->deviations / 1000 < mean;
}

/* Than the mean of the others: of two, one alone would never be far from the mean of both. */
static bool is_slow(const struct gw_outlier_sums *s, const struct gw_outlier_conf *conf,
                    uint32_t ok, uint64_t micros)
{
    uint64_t own, others;

    if (conf->slow_percent == 0 || ok == 0 || ok < conf->volume || s->means_len < 2 ||
        s->means_len < conf->endpoints_min)
        return false;
    own = micros / ok;
    others = (s->means - own) / (s->means_len - 1);
    return own * 1000 > conf->slow_least && own / conf->slow_percent * 100 > others;
}

enum gw_outlier_cause gw_outlier_judge(const struct gw_outlier *o,
                                       const struct gw_outlier_conf *conf,
                                       const struct gw_outlier_sums *sums)
{
    uint32_t ok = atomic_load_explicit(&o->last_ok, memory_order_relaxed);
    uint32_t failed = atomic_load_explicit(&o->last_failed, memory_order_relaxed);
    uint64_t micros = atomic_load_explicit(&o->last_micros, memory_order_relaxed);

    if (is_rate_low(sums, conf, ok, failed))
        return GW_OUTLIER_RATE;
    return is_slow(sums, conf, ok, micros) ? GW_OUTLIER_LATENCY : GW_OUTLIER_NONE;
}
