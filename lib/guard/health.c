/* guard/health.c: one word says what is known: bits 0-1 the state, 2-11 how many in a row have said
 * otherwise, 12-15 why the last probe failed, 16-25 the status that it was given, and from 26 on the lower
 * bits of the place that it is about: a word about one place never replaces one about another. Only who has
 * the turn writes it, and the turn is a time that is exchanged as a whole: an odd one while a probe is under
 * way, an even one while none is. */

#include "guard/health.h"

#include "base/assert.h"

enum {
    ROW_AT = 2,
    CAUSE_AT = 12,
    CODE_AT = 16,
    PLACE_AT = 26,
    ROW_MASK = 1023,
    CAUSE_MASK = 15,
    CODE_MASK = 1023
};

_Static_assert(GW_HEALTH_CAUSE_COUNT <= CAUSE_MASK + 1, "four bits");
_Static_assert((int)GW_HEALTH_ROW_MAX <= (int)ROW_MASK, "ten bits");

static const char *const names[GW_HEALTH_CAUSE_COUNT] = {
#define NAME(id, name) name,
    GW_HEALTH_CAUSES(NAME)
#undef NAME
};

const char *gw_health_cause_name(enum gw_health_cause cause)
{
    return (uint32_t)cause < GW_HEALTH_CAUSE_COUNT ? names[cause] : "unknown";
}

/* ---- what is known ---- */

static enum gw_health_state state_in(uint64_t word)
{
    return (enum gw_health_state)(word & 3);
}

/* Nothing is known of it. */
static uint64_t untried(uint64_t place)
{
    return place << PLACE_AT;
}

static bool is_about(uint64_t word, uint64_t place)
{
    return word >> PLACE_AT == untried(place) >> PLACE_AT;
}

static uint64_t pack(uint64_t word, enum gw_health_state state, uint32_t row,
                     struct gw_health_result last)
{
    return word >> PLACE_AT << PLACE_AT | (uint64_t)state | (uint64_t)row << ROW_AT |
           (uint64_t)last.cause << CAUSE_AT | (uint64_t)(last.code & CODE_MASK) << CODE_AT;
}

static gw_nanos when_of(uint64_t due)
{
    return due & ~UINT64_C(1);
}

static bool is_under_way(uint64_t due)
{
    return (due & 1) != 0;
}

/* Not 0, which is never. */
static uint64_t due_at(gw_nanos when)
{
    return when > 1 ? when_of(when) : 2;
}

struct gw_health_view gw_health_look(const struct gw_health *h)
{
    uint64_t word = atomic_load_explicit(&h->word, memory_order_relaxed);

    return (struct gw_health_view){
        .state = state_in(word),
        .row = word >> ROW_AT & ROW_MASK,
        .cause = (enum gw_health_cause)(word >> CAUSE_AT & CAUSE_MASK),
        .code = word >> CODE_AT & CODE_MASK,
        .since = atomic_load_explicit(&h->since, memory_order_relaxed),
        .next = when_of(atomic_load_explicit(&h->due, memory_order_relaxed)),
    };
}

bool gw_health_is_unhealthy(const struct gw_health *h, const struct gw_health_conf *conf)
{
    enum gw_health_state state = state_in(atomic_load_explicit(&h->word, memory_order_relaxed));

    return state == GW_HEALTH_UNHEALTHY ||
           (state == GW_HEALTH_UNTRIED && conf->is_untried_unhealthy);
}

/* ---- whose turn it is ---- */

static gw_nanos jitter_of(const struct gw_health_conf *conf, gw_nanos interval, uint64_t draw)
{
    gw_nanos most = interval / 100 * conf->jitter;

    return most > 0 ? draw % (most + 1) : 0;
}

static gw_nanos gap_of(const struct gw_health *h, const struct gw_health_conf *conf, uint64_t draw)
{
    gw_nanos gap = gw_health_is_unhealthy(h, conf) ? conf->unhealthy_interval : conf->interval;

    return gap + jitter_of(conf, gap, draw);
}

/* Of a probe that begins now nobody has heard at the latest then. */
static gw_nanos lost_at(const struct gw_health_conf *conf, gw_nanos now, gw_nanos gap)
{
    return now + conf->timeout + gap;
}

gw_nanos gw_health_longest(const struct gw_health_conf *conf)
{
    gw_nanos gap = conf->interval > conf->unhealthy_interval ? conf->interval
                                                             : conf->unhealthy_interval;

    return lost_at(conf, 0, gap + gap / 100 * conf->jitter);
}

bool gw_health_settle(struct gw_health *h, const struct gw_health_conf *conf, uint64_t place,
                      gw_nanos now, uint64_t draw)
{
    uint64_t before = atomic_exchange(&h->place, place), word = atomic_load(&h->word), due;
    bool is_another = before != 0 && before != place;
    gw_nanos latest = now + gw_health_longest(conf);

    while (!is_about(word, place) &&
           !atomic_compare_exchange_weak(&h->word, &word, untried(place))) {
    }
    if (is_another) {
        atomic_store_explicit(&h->since, 0, memory_order_relaxed);
        atomic_store(&h->due, 0);
    }
    due = atomic_load(&h->due);
    /* The first one comes at once, but not at the same time as everybody else's. */
    while (due == 0 || (!is_under_way(due) && due > latest)) {
        gw_nanos next = due == 0 ? jitter_of(conf, conf->interval, draw) : gap_of(h, conf, draw);
        if (atomic_compare_exchange_weak(&h->due, &due, due_at(now + next)))
            break;
    }
    return is_another;
}

bool gw_health_take(struct gw_health *h, const struct gw_health_conf *conf, uint64_t place,
                    gw_nanos now, uint64_t draw, struct gw_health_turn *out)
{
    uint64_t due = atomic_load(&h->due);

    if (now < when_of(due) || atomic_load(&h->place) != place)
        return false;
    *out = (struct gw_health_turn){ .due = lost_at(conf, now, gap_of(h, conf, draw)) | 1,
                                    .place = place,
                                    .begun = now };
    return atomic_compare_exchange_strong(&h->due, &due, out->due);
}

bool gw_health_pass(struct gw_health *h, const struct gw_health_turn *turn, gw_nanos at)
{
    uint64_t due = turn->due;

    return atomic_compare_exchange_strong(&h->due, &due, due_at(at));
}

/* ---- what came of it ---- */

static uint64_t judge(uint64_t word, const struct gw_health_conf *conf,
                      struct gw_health_result result)
{
    enum gw_health_state state = state_in(word);
    enum gw_health_state said = result.cause == GW_HEALTH_NONE ? GW_HEALTH_HEALTHY
                                                               : GW_HEALTH_UNHEALTHY;
    uint32_t needed = said == GW_HEALTH_HEALTHY ? conf->rise : conf->fall;
    uint32_t row = (word >> ROW_AT & ROW_MASK) + 1;

    if (state == said)
        return pack(word, state, 0, result);
    if (state == GW_HEALTH_UNTRIED || row >= needed)
        return pack(word, said, 0, result);
    return pack(word, state, row, result);
}

/* Of who has the turn. */
static void count(struct gw_health *h, const struct gw_health_result *result, gw_nanos now)
{
    if (result->cause == GW_HEALTH_NONE) {
        atomic_fetch_add_explicit(&h->good, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&h->failed, 1, memory_order_relaxed);
    atomic_store_explicit(&h->failed_at, now, memory_order_relaxed);
}

bool gw_health_report(struct gw_health *h, const struct gw_health_conf *conf,
                      const struct gw_health_turn *turn, struct gw_health_result result,
                      gw_nanos now, uint64_t draw)
{
    uint64_t word = atomic_load(&h->word), next = judge(word, conf, result);
    gw_nanos gap, due;

    GW_ASSERT(result.code <= CODE_MASK);
    gap = state_in(next) == GW_HEALTH_UNHEALTHY ? conf->unhealthy_interval : conf->interval;
    due = turn->begun + gap + jitter_of(conf, gap, draw);
    /* The word is ours until the turn is given back; who has lost it has nothing to say. */
    if (!is_about(word, turn->place) || atomic_load(&h->due) != turn->due ||
        !atomic_compare_exchange_strong(&h->word, &word, next))
        return false;
    count(h, &result, now);
    (void)gw_health_pass(h, turn, due > now ? due : now);
    if (state_in(word) == state_in(next))
        return false;
    if (state_in(next) == GW_HEALTH_UNHEALTHY)
        atomic_fetch_add_explicit(&h->lost, 1, memory_order_relaxed);
    atomic_store_explicit(&h->since, now, memory_order_relaxed);
    return true;
}
