/* sim/sim_adversary.c: one who wants to do harm, in a part of the worlds: raw bytes, as much and as fast
 * as they come, on a connection of its own. What it does is nobody's plan; what is looked at is what
 * becomes of all others, and that it is cut off where there is a price for what it does. */

#include "sim.h"

enum { ROUNDS = 60, ROUNDS_OF_INPUT = 3, BATCH = 60 };

#define BAD_GET                                                                                    \
    "\x82\x86\x04\x04/bad\x01\x01"                                                                 \
    "a"
#define BAD_POST                                                                                   \
    "\x83\x86\x04\x04/bad\x01\x01"                                                                 \
    "a"
#define LITERAL(text) text, sizeof(text) - 1

static void say(struct sim *sim, const void *bytes, size_t len)
{
    sim_wire_say(sim->adversary.wire, sim, bytes, len);
}

static void frame(struct sim *sim, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                  size_t len)
{
    uint8_t head[9] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
        (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id
    };

    say(sim, head, sizeof head);
    say(sim, payload, len);
}

static void next_stream(struct sim *sim, uint8_t flags, const char *block, size_t len)
{
    sim->adversary.id += 2;
    frame(sim, 1, flags, sim->adversary.id, block, len);
}

/* HTTP/2; each a frame or two, again and again. */
static void reset(struct sim *sim)
{
    next_stream(sim, 5, LITERAL(BAD_GET));
    frame(sim, 3, 0, sim->adversary.id, "\0\0\0\x8", 4);
}
static void be_reset(struct sim *sim)
{
    next_stream(sim, 4, LITERAL(BAD_POST));
    frame(sim, 8, 0, sim->adversary.id, "\0\0\0\0", 4);
}
static void say_more(struct sim *sim)
{
    next_stream(sim, 5, LITERAL(BAD_GET));
    frame(sim, 0, 0, sim->adversary.id, "x", 1);
}
static void ask_too_much(struct sim *sim)
{
    next_stream(sim, 4, LITERAL(BAD_POST));
}
static void set(struct sim *sim)
{
    frame(sim, 4, 0, 0, "\0\4\0\0\0\1", 6); /* windows of a byte */
}
static void go_on(struct sim *sim)
{
    if (sim->adversary.id == UINT32_MAX)
        next_stream(sim, 1, LITERAL(BAD_GET));
    frame(sim, 9, 0, sim->adversary.id, "\0\1x\1y", 5);
}

/* HTTP/1 */
static void pipeline(struct sim *sim)
{
    say(sim, LITERAL("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n"));
}
static void send_head(struct sim *sim)
{
    if (sim->adversary.rounds == 0)
        say(sim, LITERAL("GET /bad HTTP/1.1\r\nHost: a\r\nX: "));
    else
        say(sim, "x", 1);
}

static const struct {
    const char *name;
    void (*act)(struct sim *sim);
    bool is_h2, is_calmed; /* also when some of it is answered before the rest has come */
} kinds[] = {
    { "resets", reset, true, false },        { "is reset", be_reset, true, false },
    { "says more", say_more, true, true },   { "asks too much", ask_too_much, true, false },
    { "settings", set, true, true },         { "continuations", go_on, true, true },
    { "pipelines", pipeline, false, false }, { "sends a head", send_head, false, false },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static uint32_t any(struct sim *sim, struct gw_prng *prng, uint32_t n)
{
    return (uint32_t)(sim->input != NULL ? sim_draw(sim, n) : gw_prng_below(prng, n));
}

void sim_adversary_make(struct sim *sim)
{
    struct gw_prng prng = { sim->seed ^ 0xbad };
    struct sim_adversary *a = &sim->adversary;

    /* Raw bytes mean nothing to an engine. */
    if (any(sim, &prng, 4) != 0 || sim->swarm.tls_client)
        return;
    a->kind = any(sim, &prng, KINDS);
    a->id = UINT32_MAX;
    a->is_there = sim->h2 != NULL || !kinds[a->kind].is_h2;
    if (a->is_there)
        sim_at(sim, GW_MS(any(sim, &prng, 100)), SIM_ADVERSARY, 0, 0, 0);
}

static bool come(struct sim *sim)
{
    struct sim_wire *w = sim_wire_new(sim);
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);

    spec.listener = gw_cstr("edge");
    spec.io = w;
    if (gw_worker_accept(sim->worker, &spec, &w->link) != GW_OK) {
        w->is_used = false;
        return false;
    }
    sim_trace(sim, "an adversary: %s", kinds[sim->adversary.kind].name);
    sim->wake = true;
    sim->adversary.wire = w;
    sim->adversary.turn = w->turn;
    if (kinds[sim->adversary.kind].is_h2) {
        say(sim, LITERAL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        frame(sim, 4, 0, 0, "", 0);
    }
    return true;
}

static bool is_gone(const struct sim_adversary *a)
{
    return !a->wire->is_used || a->wire->turn != a->turn || a->wire->link == NULL;
}

void sim_adversary_run(struct sim *sim)
{
    struct sim_adversary *a = &sim->adversary;

    if (a->wire == NULL && !come(sim))
        return;
    if (is_gone(a)) {
        a->was_cut_off = true;
        return;
    }
    if (a->rounds == (sim->input != NULL ? ROUNDS_OF_INPUT : ROUNDS)) {
        sim_wire_rst(a->wire, sim);
        return;
    }
    for (int i = 0; i < BATCH; i++)
        kinds[a->kind].act(sim);
    a->rounds++;
    sim_at(sim, GW_MS(50), SIM_ADVERSARY, 0, 0, 0);
}

/* It has said all that it wanted: then it was not allowed to end by itself. */
void sim_adversary_check(struct sim *sim)
{
    const struct sim_adversary *a = &sim->adversary;
    bool is_disturbed = sim->allocations_failed > 0 || sim->io_failed > 0 || sim->swarm.small_pool;

    if (!a->is_there || a->rounds < ROUNDS || is_disturbed || sim->swarm.latency_max > 0 ||
        !kinds[a->kind].is_calmed)
        return;
    SIM_CHECK(sim, a->was_cut_off, "an adversary that %s was not cut off", kinds[a->kind].name);
}
