/* Breaker x health x ejection x force behind the gate, in every order: all states that a few endpoints can
 * reach by tries that begin, end well or badly or for nothing, or are never heard of again, by health that
 * comes and goes, by what the host forces and lifts, and by time. Breadth first, on the real code. What must
 * hold in each:
 *
 * - whoever is shut out by breaker, ejection or force is so until a time that is near, and then no longer;
 * - an answer stays what it is until the time that the gate says, if nothing happens;
 * - no more are ejected than there is room for, and never all, whatever is forced;
 * - with the panic rule somebody can be asked, unless every endpoint's breaker is open or the host's word
 *   shuts it;
 * - whatever happened before: once an endpoint is well, and time passes, probes are sent, and it is in. */

#include "check_main.h"

#include <stdio.h>
#include <string.h>

#include "guard/gate.h"

#define TICK GW_MS(1000)
enum { ENDPOINTS = 2, SLOTS = 3 };

struct endpoint {
    uint64_t breaker, outlier;
    uint32_t breaker_row, outlier_row;
    gw_breaker_ticket tickets[SLOTS];
    uint8_t is_used[SLOTS]; /* 2: without a ticket of the breaker, which was overruled */
    uint8_t is_unhealthy;
    uint8_t forced[GW_FORCE_ON_COUNT];        /* gw_force_state          */
    uint32_t forced_until[GW_FORCE_ON_COUNT]; /* in ticks; 0: is nothing */
};
struct state {
    gw_nanos now;
    struct endpoint of[ENDPOINTS];
};

struct model {
    const char *name;
    int endpoints, slots;
    bool has_health;
    uint32_t forces; /* a bit each, by gw_force_on and gw_force_state: what the host may say */
    struct gw_breaker_conf breaker;
    struct gw_outlier_conf outlier;
};

#define FORCE(on, state) (1u << ((on)*4 + (state)))

static const struct model models[] = {
    { "two endpoints, one try each",
      2,
      1,
      true,
      0,
      { .failures = 2, .sleep = TICK, .sleep_max = 2 * TICK, .probes = 1, .probe_timeout = TICK },
      { .failures = 1, .interval = TICK, .time = TICK, .time_max = 2 * TICK, .share = 50 } },
    { "two endpoints that are ejected late",
      2,
      1,
      false,
      0,
      { .failures = 1, .sleep = TICK, .sleep_max = TICK, .probes = 2, .probe_timeout = TICK },
      { .failures = 2, .interval = TICK, .time = TICK, .time_max = TICK, .share = 100 } },
    { "one endpoint, three tries at once",
      1,
      3,
      true,
      0,
      { .failures = 2,
        .sleep = TICK,
        .sleep_max = 4 * TICK,
        .probes = 2,
        .probe_timeout = 2 * TICK },
      { .failures = 2, .interval = TICK, .time = TICK, .time_max = 2 * TICK, .share = 50 } },
    { "two endpoints, forced closed",
      2,
      1,
      false,
      FORCE(GW_FORCE_ENDPOINT, GW_FORCED_CLOSED),
      { .failures = 1, .sleep = TICK, .sleep_max = TICK, .probes = 1, .probe_timeout = TICK },
      { .failures = 1, .interval = TICK, .time = TICK, .time_max = TICK, .share = 50 } },
    { "two endpoints without breakers, forced every way",
      2,
      1,
      false,
      FORCE(GW_FORCE_ENDPOINT, GW_FORCED_OPEN) | FORCE(GW_FORCE_BREAKER, GW_FORCED_OPEN) |
          FORCE(GW_FORCE_OUTLIER, GW_FORCED_CLOSED) | FORCE(GW_FORCE_OUTLIER, GW_FORCED_EJECTED),
      { .failures = 0, .sleep = TICK, .sleep_max = TICK, .probes = 1, .probe_timeout = TICK },
      { .failures = 1, .interval = TICK, .time = TICK, .time_max = TICK, .share = 50 } },
    { "one endpoint, of which everything is forced",
      1,
      2,
      false,
      FORCE(GW_FORCE_ENDPOINT, GW_FORCED_OPEN) | FORCE(GW_FORCE_ENDPOINT, GW_FORCED_CLOSED) |
          FORCE(GW_FORCE_BREAKER, GW_FORCED_OPEN) | FORCE(GW_FORCE_BREAKER, GW_FORCED_CLOSED) |
          FORCE(GW_FORCE_OUTLIER, GW_FORCED_EJECTED) | FORCE(GW_FORCE_OUTLIER, GW_FORCED_CLOSED),
      { .failures = 2, .sleep = TICK, .sleep_max = 2 * TICK, .probes = 1, .probe_timeout = TICK },
      { .failures = 2, .interval = TICK, .time = TICK, .time_max = 2 * TICK, .share = 50 } },
};

enum { FORCE_TICKS = 1 };

/* The real things, of which the window is not used here. */
struct real {
    struct gw_breaker breaker;
    struct gw_outlier outlier;
    struct gw_force forces[GW_FORCE_ON_COUNT];
};

static void load(const struct endpoint *e, struct real *out)
{
    memset(out, 0, sizeof *out);
    atomic_init(&out->breaker.word, e->breaker);
    atomic_init(&out->breaker.row, e->breaker_row);
    atomic_init(&out->outlier.word, e->outlier);
    atomic_init(&out->outlier.row, e->outlier_row);
    for (int i = 0; i < GW_FORCE_ON_COUNT; i++)
        gw_force_set(&out->forces[i], (enum gw_force_state)e->forced[i], 1,
                     e->forced_until[i] * TICK);
}

static void store(struct endpoint *e, struct real *real)
{
    e->breaker = atomic_load(&real->breaker.word);
    e->breaker_row = atomic_load(&real->breaker.row);
    e->outlier = atomic_load(&real->outlier.word);
    e->outlier_row = atomic_load(&real->outlier.row);
}

static struct gw_gate look_at(const struct model *m, const struct state *s, int i, gw_nanos now,
                              bool is_forced)
{
    struct real real;
    struct gw_gate_facts facts = { .is_unhealthy = s->of[i].is_unhealthy != 0,
                                   .breaker_conf = &m->breaker };
    load(&s->of[i], &real);
    facts.breaker = &real.breaker;
    facts.outlier = &real.outlier;
    facts.forces = is_forced ? real.forces : NULL;
    return gw_gate_look(&facts, now);
}

static struct gw_gate look(const struct model *m, const struct state *s, int i, gw_nanos now)
{
    return look_at(m, s, i, now, true);
}

/* ---- which states are the same but for the clock ---- */

struct key {
    uint8_t bytes[ENDPOINTS * 16];
};

static uint8_t near(uint64_t n, uint64_t most)
{
    return (uint8_t)(n < most ? n : most);
}

static uint8_t until_of(gw_nanos until, gw_nanos now)
{
    return until == GW_NEVER || until <= now ? 0 : near((until - now) / TICK, 200);
}

/* One of five for each: nothing, or one of two states for another tick or two. */
static uint8_t force_of(const struct endpoint *e, gw_nanos now)
{
    uint8_t key = 0;
    for (int i = 0; i < GW_FORCE_ON_COUNT; i++) {
        uint64_t left = e->forced_until[i] * TICK > now ? e->forced_until[i] - now / TICK : 0;
        bool is_closed = e->forced[i] == GW_FORCED_CLOSED;
        ck_assert_uint_le(left, FORCE_TICKS);
        key = (uint8_t)(key * 5 + (left == 0 ? 0 : left + (is_closed ? 2 : 0)));
    }
    return key;
}

static void key_of_one(const struct model *m, const struct state *s, int i, uint8_t *out)
{
    const struct endpoint *e = &s->of[i];
    struct gw_outlier_view outlier;
    struct gw_breaker_view view;
    struct real real;
    int at = 0, tickets[5] = { 0 };
    load(e, &real);
    view = gw_breaker_look(&real.breaker, &m->breaker, s->now);
    outlier = gw_outlier_look(&real.outlier, s->now);
    out[at++] = (uint8_t)view.state;
    out[at++] = near(view.opens, 2);
    out[at++] = (uint8_t)(e->breaker >> 12 & 127); /* probes taken, and good ones */
    out[at++] = (uint8_t)(e->breaker >> 19 & 127);
    out[at++] = view.state == GW_BREAKER_CLOSED
                    ? 0
                    : near((e->breaker >> 26) + 1000 > s->now / GW_MS(1)
                               ? ((e->breaker >> 26) + 1000 - s->now / GW_MS(1)) / 1000
                               : 0,
                           200);
    out[at++] = near(e->breaker_row, m->breaker.failures);
    out[at++] = until_of(outlier.until, s->now);
    out[at++] = near(outlier.times, 2);
    out[at++] = outlier.is_out ? 0 : near((s->now - outlier.until) / m->outlier.interval, 2);
    out[at++] = near(e->outlier_row, 10);
    out[at++] = e->is_unhealthy;
    out[at++] = force_of(e, s->now);
    for (int k = 0; k < m->slots; k++) {
        bool is_old = (e->tickets[k] & 31) != (e->breaker >> 2 & 31);
        tickets[!e->is_used[k]                       ? 0
                : e->is_used[k] == 2                 ? 4
                : is_old                             ? 1
                : gw_breaker_is_probe(e->tickets[k]) ? 3
                                                     : 2]++;
    }
    for (int k = 1; k < 4; k++)
        out[at++] = (uint8_t)(tickets[k] + (k == 1 ? tickets[4] * 16 : 0));
    ck_assert_int_le(at, 15);
}

static struct key key_of(const struct model *m, const struct state *s)
{
    struct key key;
    uint8_t one[16];
    memset(&key, 0, sizeof key);
    for (int i = 0; i < m->endpoints; i++)
        key_of_one(m, s, i, key.bytes + i * 16);
    /* Which is which does not matter. */
    if (m->endpoints == 2 && memcmp(key.bytes, key.bytes + 16, 16) > 0) {
        memcpy(one, key.bytes, 16);
        memcpy(key.bytes, key.bytes + 16, 16);
        memcpy(key.bytes + 16, one, 16);
    }
    return key;
}

/* ---- the states that were met ---- */

enum { STATES_MAX = 1 << 20 };

static struct {
    struct state *states; /* in the order in which they were met */
    struct key *keys;     /* a table: all zero is free */
    uint32_t len;
} met;

static void meet(const struct model *m, const struct state *s)
{
    struct key key = key_of(m, s);
    uint64_t hash = 14695981039346656037u;
    uint32_t at;
    key.bytes[sizeof key.bytes - 1] = 1; /* never all zero */
    for (size_t i = 0; i < sizeof key.bytes; i++)
        hash = (hash ^ key.bytes[i]) * 1099511628211u;
    at = (uint32_t)(hash >> 20) % (2 * STATES_MAX);
    while (met.keys[at].bytes[sizeof key.bytes - 1] != 0) {
        if (memcmp(&met.keys[at], &key, sizeof key) == 0)
            return;
        at = (at + 1) % (2 * STATES_MAX);
    }
    ck_assert_uint_lt(met.len, STATES_MAX);
    met.keys[at] = key;
    met.states[met.len++] = *s;
}

/* ---- what may happen ---- */

static bool is_usable(const struct model *m, const struct state *s, int i)
{
    struct gw_gate gate = look(m, s, i, s->now);
    bool is_panic = true;
    for (int k = 0; k < m->endpoints; k++)
        is_panic = is_panic && look(m, s, k, s->now).answer == GW_GATE_SHUT;
    return gate.answer != GW_GATE_SHUT || (is_panic && gw_gate_is_open_in_panic(&gate));
}

static bool is_overruled(const struct state *s, const struct real *real)
{
    return gw_force_look(&real->forces[GW_FORCE_ENDPOINT], s->now).state == GW_FORCED_CLOSED ||
           gw_force_look(&real->forces[GW_FORCE_BREAKER], s->now).state == GW_FORCED_CLOSED;
}

static bool begin(const struct model *m, struct state *s, int i, int slot)
{
    struct real real;
    bool is_taken;
    if (s->of[i].is_used[slot] || !is_usable(m, s, i))
        return false;
    load(&s->of[i], &real);
    is_taken = gw_breaker_take(&real.breaker, &m->breaker, s->now, &s->of[i].tickets[slot]);
    ck_assert(is_taken || is_overruled(s, &real)); /* the gate had said so */
    store(&s->of[i], &real);
    s->of[i].is_used[slot] = is_taken ? 1 : 2;
    return true;
}

/* As the exchange does it: out, looked at, and taken back if that is too many. */
static void eject(const struct model *m, struct state *s, int i)
{
    uint32_t gone = 0;
    struct real real;
    load(&s->of[i], &real);
    if (!gw_outlier_eject(&real.outlier, &m->outlier, s->now, GW_OUTLIER_FAILURES))
        return;
    store(&s->of[i], &real);
    for (int k = 0; k < m->endpoints; k++)
        gone += look(m, s, k, s->now).answer == GW_GATE_SHUT ||
                look_at(m, s, k, s->now, false).answer == GW_GATE_SHUT;
    if (gone <= gw_outlier_room(&m->outlier, (uint32_t)m->endpoints))
        return;
    gw_outlier_take_back(&real.outlier, s->now);
    store(&s->of[i], &real);
}

static bool end(const struct model *m, struct state *s, int i, int slot,
                enum gw_breaker_verdict verdict)
{
    struct real real;
    bool is_to_go = false, has_ticket = s->of[i].is_used[slot] == 1;
    if (!s->of[i].is_used[slot])
        return false;
    s->of[i].is_used[slot] = 0;
    load(&s->of[i], &real);
    if (has_ticket)
        (void)gw_breaker_report(&real.breaker, &m->breaker, s->now, s->of[i].tickets[slot], verdict,
                                0);
    if (verdict != GW_BREAKER_VOID)
        is_to_go = gw_outlier_report(&real.outlier, &m->outlier, verdict == GW_BREAKER_GOOD, 0);
    store(&s->of[i], &real);
    if (is_to_go)
        eject(m, s, i);
    return true;
}

static void force(const struct model *m, const struct state *from, int i)
{
    for (int at = 0; at < GW_FORCE_ON_COUNT * 4; at++) {
        struct state s = *from;
        int on = at / 4, state = at % 4;
        bool is_lift = state == GW_FORCED_NOT && from->of[i].forced_until[on] * TICK > s.now;
        if ((m->forces >> at & 1) == 0 && !is_lift)
            continue;
        s.of[i].forced[on] = (uint8_t)state;
        s.of[i].forced_until[on] = is_lift ? 0 : (uint32_t)(s.now / TICK) + FORCE_TICKS;
        meet(m, &s);
    }
}

static void go_on_from(const struct model *m, const struct state *from)
{
    struct state s = *from;
    s.now += TICK;
    meet(m, &s);
    for (int i = 0; i < m->endpoints; i++) {
        s = *from;
        s.of[i].is_unhealthy ^= 1;
        if (m->has_health)
            meet(m, &s);
        force(m, from, i);
        for (int slot = 0; slot < m->slots; slot++) {
            s = *from;
            if (begin(m, &s, i, slot))
                meet(m, &s);
            for (int verdict = 0; verdict < 3; verdict++) {
                s = *from;
                if (end(m, &s, i, slot, (enum gw_breaker_verdict)verdict))
                    meet(m, &s);
            }
            s = *from; /* never heard of again */
            s.of[i].is_used[slot] = 0;
            if (from->of[i].is_used[slot])
                meet(m, &s);
        }
    }
}

/* ---- what must hold ---- */

/* All times of the models are shorter. */
#define SOON (8 * TICK)

static void check_exits(const struct model *m, const struct state *s, int i)
{
    struct gw_gate gate = look(m, s, i, s->now), then;
    gw_nanos before = s->now;
    int hops = 0;
    then = look(m, s, i, gate.next == GW_NEVER ? s->now + SOON : gate.next - 1);
    ck_assert((then.answer == GW_GATE_SHUT) == (gate.answer == GW_GATE_SHUT));
    if (gate.answer != GW_GATE_SHUT || gate.cause == GW_GATE_HEALTH)
        return;
    ck_assert(gate.cause == GW_GATE_BREAKER || gate.cause == GW_GATE_EJECTED ||
              gate.cause == GW_GATE_FORCED);
    /* What was forced may be so by itself for a while longer. */
    for (then = gate; then.answer == GW_GATE_SHUT && then.cause == gate.cause;) {
        ck_assert_uint_gt(then.next, before);
        ck_assert_uint_le(then.next, s->now + SOON);
        ck_assert_int_le(++hops, 2);
        before = then.next;
        then = look(m, s, i, before);
    }
}

static void check_together(const struct model *m, const struct state *s)
{
    uint32_t ejected = 0, shut = 0, usable = 0;
    for (int i = 0; i < m->endpoints; i++) {
        struct real real;
        load(&s->of[i], &real);
        ejected += gw_outlier_look(&real.outlier, s->now).is_out;
        shut += look(m, s, i, s->now).cause == GW_GATE_BREAKER ||
                look(m, s, i, s->now).cause == GW_GATE_FORCED;
        usable += is_usable(m, s, i);
    }
    ck_assert_uint_le(ejected, gw_outlier_room(&m->outlier, (uint32_t)m->endpoints));
    ck_assert_msg(usable > 0 || shut == (uint32_t)m->endpoints,
                  "all gone, and no breaker's doing, nor the host's");
}

/* It is well again, what was on its way is lost, and time passes. */
static void check_recovery(const struct model *m, const struct state *from, int i)
{
    struct state s = *from;
    for (int k = 0; k < m->endpoints; k++) {
        memset(s.of[k].is_used, 0, sizeof s.of[k].is_used);
        s.of[k].is_unhealthy = 0;
    }
    s.now += SOON;
    ck_assert(look(m, &s, i, s.now).answer != GW_GATE_SHUT);
    for (uint32_t n = 0; n < m->breaker.probes; n++) {
        ck_assert(begin(m, &s, i, 0));
        ck_assert(end(m, &s, i, 0, GW_BREAKER_GOOD));
    }
    ck_assert(look(m, &s, i, s.now).answer == GW_GATE_OPEN);
}

START_TEST(all_orders)
{
    const struct model *m = &models[_i];
    struct state first = { .now = 100 * TICK };
    uint32_t shut = 0, probes = 0;
    met.states = malloc(STATES_MAX * sizeof *met.states);
    met.keys = calloc(2 * STATES_MAX, sizeof *met.keys);
    ck_assert_msg(met.states != NULL && met.keys != NULL, "no memory");
    met.len = 0;
    meet(m, &first);
    for (uint32_t at = 0; at < met.len; at++) {
        struct state s = met.states[at];
        for (int i = 0; i < m->endpoints; i++) {
            check_exits(m, &s, i);
            check_recovery(m, &s, i);
            shut += look(m, &s, i, s.now).answer == GW_GATE_SHUT;
            probes += look(m, &s, i, s.now).answer == GW_GATE_PROBE;
        }
        check_together(m, &s);
        go_on_from(m, &s);
    }
    ck_assert_uint_gt(met.len, 1000);
    ck_assert_uint_gt(shut, 100);
    ck_assert(probes > 100 || m->breaker.failures == 0);
    if (getenv("MODEL_SAYS") != NULL)
        printf("%s: %u states, %u shut, %u for probes\n", m->name, met.len, shut, probes);
    free(met.states);
    free(met.keys);
}
END_TEST

Suite *breaking_model_suite(void);
Suite *breaking_model_suite(void)
{
    Suite *s = suite_create("breaking_model");
    check_add_loop(s, all_orders, 0, (int)(sizeof models / sizeof *models));
    return s;
}
