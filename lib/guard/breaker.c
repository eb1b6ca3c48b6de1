/* guard/breaker.c: one word holds all that decides, and each change is one exchange of it.
 *
 *     bits  0-1   state
 *     bits  2-6   turn: one more with each change of state, so that who began in an earlier one is known
 *     bits  7-11  opens: without a close in between, up to 31
 *     bits 12-18  taken: probes that are out or were good
 *     bits 19-25  good: probes that were good
 *     bits 26-63  until, in milliseconds, open: asked again from then; half open: probes are lost then
 *
 * The note of the last change is another word, which follows it: bits 0-4 the turn that it is of, 5-7 why,
 * 8-63 when, in microseconds.
 *
 * Times are compared modulo 2^38 ms: an open one that nobody asks for four years stays open for as many.
 */

#include "guard/breaker.h"

#include "base/assert.h"
#include "base/prng.h"

enum { TURN_AT = 2, OPENS_AT = 7, TAKEN_AT = 12, GOOD_AT = 19, UNTIL_AT = 26 };
enum { TURN_MAX = 31, OPENS_MAX = 31, PROBE_BIT = 0x80 };
#define UNTIL_BITS (64 - UNTIL_AT)
#define UNTIL_MASK ((UINT64_C(1) << UNTIL_BITS) - 1)
#define MS UINT64_C(1000000)

enum { CAUSE_AT = 5, SINCE_AT = 8 };
#define US UINT64_C(1000)

_Static_assert(GW_BREAKER_CAUSE_COUNT <= 8, "three bits");
_Static_assert(GW_BREAKER_STATE_COUNT <= 4 && GW_BREAKER_PROBES_MAX < 128, "fit into the word");

struct parts {
    uint32_t state, turn, opens, taken, good;
    uint64_t until;
};

static const uint32_t may_follow[GW_BREAKER_STATE_COUNT] = {
#define AFTER(id, name, next) next,
    GW_BREAKER_STATES(AFTER)
#undef AFTER
};
static const char *const names[GW_BREAKER_STATE_COUNT] = {
#define NAME(id, name, next) name,
    GW_BREAKER_STATES(NAME)
#undef NAME
};

const char *gw_breaker_state_name(enum gw_breaker_state state)
{
    return (uint32_t)state < GW_BREAKER_STATE_COUNT ? names[state] : "unknown";
}

static struct parts unpack(uint64_t word)
{
    return (struct parts){
        .state = word & 3,
        .turn = word >> TURN_AT & 31,
        .opens = word >> OPENS_AT & 31,
        .taken = word >> TAKEN_AT & 127,
        .good = word >> GOOD_AT & 127,
        .until = word >> UNTIL_AT,
    };
}

static uint64_t pack(const struct parts *p)
{
    return (uint64_t)p->state | (uint64_t)p->turn << TURN_AT | (uint64_t)p->opens << OPENS_AT |
           (uint64_t)p->taken << TAKEN_AT | (uint64_t)p->good << GOOD_AT | p->until << UNTIL_AT;
}

static bool has_passed(uint64_t until, gw_nanos now)
{
    return ((now / MS - until) & UNTIL_MASK) <= UNTIL_MASK / 2;
}

/* Never early. */
static uint64_t until_after(gw_nanos now, gw_nanos time)
{
    return ((now + time) / MS + ((now + time) % MS != 0)) & UNTIL_MASK;
}

/* The time that until stands for. */
static gw_nanos time_of(uint64_t until, gw_nanos now)
{
    uint64_t ms = now / MS;

    return (ms + ((until - ms) & UNTIL_MASK)) * MS;
}

static bool swap(struct gw_breaker *b, uint64_t *word, const struct parts *next)
{
    GW_ASSERT(next->state == (*word & 3) || (may_follow[*word & 3] & 1u << next->state) != 0);
    GW_ASSERT(next->good <= next->taken);
    return atomic_compare_exchange_weak_explicit(&b->word, word, pack(next), memory_order_relaxed,
                                                 memory_order_relaxed);
}

/* Of whose change it is; a later one's stays. */
static void note(struct gw_breaker *b, uint32_t turn, enum gw_breaker_cause cause, gw_nanos now)
{
    uint64_t word = atomic_load_explicit(&b->note, memory_order_relaxed);
    uint64_t next = (uint64_t)turn | (uint64_t)cause << CAUSE_AT | now / US << SINCE_AT;

    do
        if (((turn - word) & TURN_MAX) > TURN_MAX / 2)
            return;
    while (!atomic_compare_exchange_weak_explicit(&b->note, &word, next, memory_order_relaxed,
                                                  memory_order_relaxed));
}

static void enter(struct parts *p, enum gw_breaker_state state)
{
    p->state = state;
    p->turn = (p->turn + 1) & TURN_MAX;
    p->taken = p->good = 0;
    p->until = 0;
}

/* ---- asking ---- */

struct gw_breaker_view gw_breaker_look(const struct gw_breaker *b,
                                       const struct gw_breaker_conf *conf, gw_nanos now)
{
    struct parts p = unpack(atomic_load_explicit(&b->word, memory_order_relaxed));
    struct gw_breaker_view view = { (enum gw_breaker_state)p.state, true, p.opens, GW_NEVER };

    if (p.state == GW_BREAKER_CLOSED || has_passed(p.until, now))
        return view;
    view.has_room = p.state == GW_BREAKER_HALF_OPEN && p.taken < conf->probes;
    if (!view.has_room)
        view.next = time_of(p.until, now);
    return view;
}

/* ... also if that has passed. */
static gw_nanos past_or_future(uint64_t until, gw_nanos now)
{
    uint64_t ms = now / MS, ago = (ms - until) & UNTIL_MASK;

    return has_passed(until, now) ? (ms > ago ? ms - ago : 0) * MS : time_of(until, now);
}

struct gw_breaker_story gw_breaker_tell(const struct gw_breaker *b, gw_nanos now)
{
    struct parts p = unpack(atomic_load(&b->word));
    uint64_t word = atomic_load(&b->note);
    struct gw_breaker_story story = { .state = (enum gw_breaker_state)p.state,
                                      .until = GW_NEVER,
                                      .opened = atomic_load(&b->opened),
                                      .row = atomic_load(&b->row) };

    if (p.state != GW_BREAKER_CLOSED)
        story.until = past_or_future(p.until, now);
    if ((word & TURN_MAX) == p.turn) {
        story.cause = (enum gw_breaker_cause)(word >> CAUSE_AT & 7);
        story.since = (word >> SINCE_AT) * US;
    }
    return story;
}

/* One more probe. False: there is no room for one. */
static bool add_probe(struct parts *p, const struct gw_breaker_conf *conf, gw_nanos now)
{
    bool is_over = has_passed(p->until, now);

    if (p->state == GW_BREAKER_OPEN) {
        if (!is_over)
            return false;
        enter(p, GW_BREAKER_HALF_OPEN);
    } else if (is_over) {
        p->taken = p->good; /* those that were not heard of are lost */
    } else if (p->taken >= conf->probes) {
        return false;
    }
    if (is_over)
        p->until = until_after(now, conf->probe_timeout);
    p->taken++;
    return true;
}

bool gw_breaker_take(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now,
                     gw_breaker_ticket *out)
{
    uint64_t word = atomic_load_explicit(&b->word, memory_order_relaxed);
    struct parts p;

    do {
        p = unpack(word);
        if (p.state == GW_BREAKER_CLOSED) {
            *out = (gw_breaker_ticket)p.turn;
            return true;
        }
        if (!add_probe(&p, conf, now))
            return false;
    } while (!swap(b, &word, &p));
    if (p.turn != unpack(word).turn)
        note(b, p.turn, GW_BREAKER_BY_TIME, now);
    *out = (gw_breaker_ticket)(p.turn | PROBE_BIT);
    return true;
}

bool gw_breaker_is_probe(gw_breaker_ticket ticket)
{
    return (ticket & PROBE_BIT) != 0;
}

/* ---- outcomes ---- */

/* It doubles with each time that it opens, and no two workers' come back at once. */
static gw_nanos sleep_of(const struct gw_breaker_conf *conf, uint32_t opens, uint64_t seed)
{
    struct gw_prng prng = { seed };
    gw_nanos sleep = conf->sleep;

    GW_ASSERT(conf->sleep > 0 && conf->sleep <= GW_MS(GW_BREAKER_SLEEP_MS_MAX));
    for (uint32_t i = 1; i < opens && sleep < conf->sleep_max; i++)
        sleep *= 2;
    sleep = sleep < conf->sleep_max ? sleep : conf->sleep_max;
    if (conf->jitter > 0)
        sleep += sleep / 100 * gw_prng_below(&prng, conf->jitter + 1);
    return sleep;
}

static void open_it(struct parts *p, const struct gw_breaker_conf *conf, gw_nanos now,
                    uint64_t seed)
{
    uint32_t opens = p->opens < OPENS_MAX ? p->opens + 1 : OPENS_MAX;

    enter(p, GW_BREAKER_OPEN);
    p->opens = opens;
    p->until = until_after(now, sleep_of(conf, opens, seed));
}

static void note_open(struct gw_breaker *b, uint32_t turn, enum gw_breaker_cause cause,
                      gw_nanos now)
{
    atomic_fetch_add_explicit(&b->opened, 1, memory_order_relaxed);
    note(b, turn, cause, now);
}

/* NONE: it is not. */
static enum gw_breaker_cause too_bad(const struct gw_breaker *b, const struct gw_breaker_conf *conf,
                                     gw_nanos now, uint32_t row)
{
    struct gw_window_sums sums;
    uint64_t all;

    if (conf->failures > 0 && row >= conf->failures)
        return GW_BREAKER_BY_ROW;
    if (conf->percent == 0)
        return GW_BREAKER_BY_NONE;
    sums = gw_window_sum(&b->window, conf->window, now);
    all = (uint64_t)sums.ok + sums.failed;
    return all >= conf->volume && (uint64_t)sums.failed * 100 >= all * conf->percent
               ? GW_BREAKER_BY_SHARE
               : GW_BREAKER_BY_NONE;
}

static void forget(struct gw_breaker *b)
{
    atomic_store_explicit(&b->row, 0, memory_order_relaxed);
    gw_window_clear(&b->window);
}

static bool report_closed(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now,
                          uint64_t word, bool is_bad, uint64_t seed)
{
    uint32_t row = 0, turn = unpack(word).turn;
    enum gw_breaker_cause cause;
    struct parts p;

    if (conf->percent > 0)
        gw_window_count(&b->window, conf->window, now, is_bad);
    if (is_bad)
        row = atomic_fetch_add_explicit(&b->row, 1, memory_order_relaxed) + 1;
    else if (atomic_load_explicit(&b->row, memory_order_relaxed) != 0)
        atomic_store_explicit(&b->row, 0, memory_order_relaxed);
    cause = is_bad ? too_bad(b, conf, now, row) : GW_BREAKER_BY_NONE;
    if (cause == GW_BREAKER_BY_NONE)
        return false;
    do {
        p = unpack(word);
        if (p.state != GW_BREAKER_CLOSED || p.turn != turn)
            return false; /* another has */
        open_it(&p, conf, now, seed);
    } while (!swap(b, &word, &p));
    note_open(b, p.turn, cause, now);
    forget(b);
    return true;
}

static void count_probe(struct gw_breaker *b, struct parts *p, const struct gw_breaker_conf *conf,
                        enum gw_breaker_verdict verdict)
{
    if (verdict == GW_BREAKER_VOID) { /* another may go in its place */
        p->taken -= p->taken > p->good;
        return;
    }
    p->good++;
    p->taken = p->taken > p->good ? p->taken : p->good; /* it was late, and given up */
    if (p->good < conf->probes)
        return;
    forget(b); /* before others are let in */
    enter(p, GW_BREAKER_CLOSED);
    p->opens = 0;
}

static bool report_probe(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now,
                         uint64_t word, enum gw_breaker_verdict verdict, uint64_t seed)
{
    uint32_t turn = unpack(word).turn;
    struct parts p;

    do {
        p = unpack(word);
        if (p.state != GW_BREAKER_HALF_OPEN || p.turn != turn)
            return false;
        if (verdict == GW_BREAKER_BAD)
            open_it(&p, conf, now, seed);
        else
            count_probe(b, &p, conf, verdict);
    } while (!swap(b, &word, &p));
    if (p.state == GW_BREAKER_OPEN)
        note_open(b, p.turn, GW_BREAKER_BY_PROBE, now);
    else if (p.state == GW_BREAKER_CLOSED)
        note(b, p.turn, GW_BREAKER_BY_PROBED, now);
    return p.state != GW_BREAKER_HALF_OPEN || verdict == GW_BREAKER_VOID;
}

bool gw_breaker_report(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now,
                       gw_breaker_ticket ticket, enum gw_breaker_verdict verdict, uint64_t seed)
{
    uint64_t word = atomic_load_explicit(&b->word, memory_order_relaxed);
    struct parts p = unpack(word);

    if (p.turn != (ticket & TURN_MAX))
        return false; /* it began before the state was another: it says nothing of now */
    if (p.state == GW_BREAKER_HALF_OPEN && gw_breaker_is_probe(ticket))
        return report_probe(b, conf, now, word, verdict, seed);
    if (p.state == GW_BREAKER_CLOSED && !gw_breaker_is_probe(ticket) && verdict != GW_BREAKER_VOID)
        return report_closed(b, conf, now, word, verdict == GW_BREAKER_BAD, seed);
    return false;
}
