/* sim/sim_filter.c: filters that do things, in a part of the worlds: two hands that look at bodies, copy them,
 * hold them, wait, answer and add trailers, by request. What they do leaves every byte as it was, so that the
 * oracle makes no exception but for what they answer themselves. */

#include "sim.h"

#include "exchange/exchange.h"

enum hook {
    REQUEST,
    ROUTE,
    UPSTREAM,
    RESPONSE,
    REQUEST_BODY,
    RESPONSE_BODY,
    REQUEST_END,
    RESPONSE_END,
    HOOKS
};

enum way { PASSES, COPIES, PASSES_PARTS, WAYS };

/* What one of them does with one request. */
struct deeds {
    uint32_t bits;
    enum way way;
    uint32_t waits; /* a bit each hook */
    bool adds_trailers, replies_early, replies_late;
};

/* In the exchange's memory. */
struct state {
    uint32_t waited; /* a bit each hook */
    uint32_t ticket; /* the one that is out, from 1 */
    bool is_over;
};

/* Drawn anew each time, from nothing but who asks: hooks draw nothing from the world. */
static struct deeds deeds_of(const struct sim_hand *hand, const struct sim_plan *p)
{
    struct gw_prng prng = { hand->sim->deeds * 64 + p->id * 2 + hand->which + 0xf117e4 };
    struct deeds d = { 0 };
    bool may_hold = !hand->sim->swarm.small_pool && !p->stalls;

    d.bits |= gw_prng_below(&prng, 2) == 0 ? GW_BODY_REQUEST : 0;
    d.bits |= gw_prng_below(&prng, 2) == 0 ? GW_BODY_RESPONSE : 0;
    d.bits |= gw_prng_below(&prng, 3) == 0 ? GW_BODY_REWRITES : 0;
    d.bits |= gw_prng_below(&prng, 6) == 0 && may_hold ? GW_BODY_WHOLE : 0;
    d.way = (enum way)gw_prng_below(&prng, WAYS);
    if (gw_prng_below(&prng, 3) == 0)
        d.waits = (uint32_t)gw_prng_next(&prng) & (uint32_t)gw_prng_next(&prng);
    d.adds_trailers = gw_prng_below(&prng, 3) == 0;
    if (gw_prng_below(&prng, 12) == 0 && p->request_len < SIM_SKIPPED_MAX && !p->stalls) {
        d.replies_early = gw_prng_below(&prng, 2) == 0;
        d.replies_late = !d.replies_early;
    }
    return d;
}

/* ---- waiting ---- */

static bool wait_for(const struct sim_hand *hand, gw_exchange *x, struct state *state)
{
    struct sim *sim = hand->sim;
    struct sim_ticket *t = &sim->tickets[sim->tickets_len];
    struct gw_prng prng = { sim->deeds + sim->tickets_len };

    if (sim->tickets_len == SIM_TICKETS_MAX)
        return false;
    t->ticket = gw_exchange_wait(x);
    if (t->ticket.worker == NULL) {
        SIM_CHECK(sim, sim->allocations_failed > 0, "no ticket");
        return false;
    }
    state->ticket = ++sim->tickets_len;
    sim_at(sim, gw_prng_below(&prng, GW_MS(100)), SIM_RESUMES, state->ticket - 1, 0, 0);
    return true;
}

void sim_filter_resume(struct sim *sim, uint32_t ticket)
{
    struct sim_ticket *t = &sim->tickets[ticket];
    gw_status status = gw_resume(t->ticket, (void *)(uintptr_t)(ticket + 1));

    SIM_CHECK(sim, status == GW_OK || status == GW_ESTATE, "%s", gw_status_name(status));
    t->is_answered = status == GW_OK;
    sim->wake = true;
}

/* True: it waits now. */
static bool waits(const struct sim_hand *hand, gw_exchange *x, const struct deeds *d,
                  enum hook hook)
{
    struct state *state = gw_exchange_memory(x);

    SIM_CHECK(hand->sim, state != NULL, "no memory of an exchange");
    if ((d->waits >> hook & 1) == 0 || (state->waited >> hook & 1) != 0)
        return false;
    state->waited |= 1u << hook;
    return wait_for(hand, x, state);
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    const struct sim_hand *hand = ctx;
    struct sim *sim = hand->sim;
    uint32_t ticket = (uint32_t)(uintptr_t)answer;
    struct state *state = gw_exchange_memory(x);

    (void)side;
    SIM_CHECK(sim, ticket > 0 && ticket <= sim->tickets_len, "an answer that nobody gave");
    SIM_CHECK(sim, ++sim->tickets[ticket - 1].resumed == 1, "resumed twice");
    SIM_CHECK(sim, !state->is_over, "resumed after the end");
    return GW_NEXT;
}

/* ---- heads ---- */

static gw_verdict answer(const struct sim_hand *hand, gw_exchange *x, struct sim_plan *p)
{
    gw_reply reply = GW_SPEC(gw_reply);
    gw_status status;

    reply.code = SIM_FILTER_STATUS;
    reply.body = gw_cstr("by hand\n");
    status = gw_exchange_reply(x, &reply);
    SIM_CHECK(hand->sim,
              status == GW_OK || hand->sim->allocations_failed > 0 || hand->sim->swarm.small_pool,
              "reply: %s", gw_status_name(status));
    if (status != GW_OK)
        return GW_NEXT;
    p->is_replied = true;
    return GW_REPLY;
}

static gw_verdict on_head(void *ctx, gw_exchange *x, enum hook hook)
{
    struct sim_hand *hand = ctx;
    struct sim_plan *p = sim_plan_of(hand->sim, x);
    struct deeds d;

    if (p == NULL)
        return GW_NEXT;
    d = deeds_of(hand, p);
    p->is_handled = true;
    if (hook == REQUEST) /* benign without memory: it passes unseen */
        (void)!gw_exchange_show_body(x, d.bits);
    if (waits(hand, x, &d, hook))
        return GW_WAIT;
    if ((hook == ROUTE && d.replies_early) ||
        (hook == RESPONSE && d.replies_late && !p->is_replied))
        return answer(hand, x, p);
    return GW_NEXT;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    return on_head(ctx, x, REQUEST);
}

static gw_verdict on_route(void *ctx, gw_exchange *x)
{
    return on_head(ctx, x, ROUTE);
}

static gw_verdict on_upstream(void *ctx, gw_exchange *x)
{
    return on_head(ctx, x, UPSTREAM);
}

static gw_verdict on_response(void *ctx, gw_exchange *x)
{
    return on_head(ctx, x, RESPONSE);
}

/* ---- bodies ---- */

static void pass(gw_pipe *p, size_t max)
{
    gw_const_span span;

    while (max > 0 && gw_pipe_peek(p, &span, 1) == 1) {
        size_t n = span.len < max ? span.len : max;
        if (gw_pipe_pass(p, n) != GW_OK)
            return;
        max -= n;
    }
}

/* The same bytes, but others. */
static void copy(struct sim *sim, gw_pipe *p)
{
    uint8_t bytes[300];
    gw_const_span span;

    while (gw_pipe_peek(p, &span, 1) == 1) {
        size_t room = gw_pipe_room(p), n = span.len < sizeof bytes ? span.len : sizeof bytes;
        n = n < room ? n : room;
        if (n == 0)
            return;
        memcpy(bytes, span.ptr, n);
        n = gw_pipe_write(p, bytes, n);
        SIM_CHECK(sim, gw_pipe_drop(p, n) == GW_OK, "drop");
        if (n == 0)
            return;
    }
}

/* Of a fuzzer's world in few parts: many a second. */
static size_t part_of(const struct sim *sim, const struct sim_plan *p)
{
    return (sim->input != NULL ? 500 : 1) + p->id * 13;
}

static gw_verdict on_body(void *ctx, gw_exchange *x, gw_pipe *pipe, enum hook hook)
{
    struct sim_hand *hand = ctx;
    struct sim_plan *p = sim_plan_of(hand->sim, x);
    struct deeds d;

    if (p == NULL) {
        pass(pipe, SIZE_MAX);
        return GW_NEXT;
    }
    d = deeds_of(hand, p);
    if (waits(hand, x, &d, hook))
        return GW_WAIT;
    if (d.way == COPIES)
        copy(hand->sim, pipe);
    else
        pass(pipe, d.way == PASSES_PARTS ? part_of(hand->sim, p) : SIZE_MAX);
    return GW_NEXT;
}

static gw_verdict on_body_end(void *ctx, gw_exchange *x, gw_pipe *pipe, enum hook hook)
{
    struct sim_hand *hand = ctx;
    struct sim_plan *p = sim_plan_of(hand->sim, x);
    uint32_t side = hook == REQUEST_END ? GW_SIDE_REQUEST : GW_SIDE_RESPONSE;
    struct deeds d;

    if (p == NULL)
        return GW_NEXT;
    d = deeds_of(hand, p);
    SIM_CHECK(hand->sim, gw_pipe_is_last(pipe), "an end before the end");
    if ((d.waits >> hook & 1) == 0) {
        struct state *state = gw_exchange_memory(x);
        SIM_CHECK(hand->sim, (state->waited >> hook & 1) == 0, "an end twice");
        state->waited |= 1u << hook;
    }
    if (d.adds_trailers && hand->which == 0) /* benign without memory */
        (void)!gw_message_add_field(gw_exchange_trailers(x, side), gw_cstr("x-hand"), gw_cstr("1"));
    return waits(hand, x, &d, hook) ? GW_WAIT : GW_NEXT;
}

static gw_verdict on_request_body(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body(ctx, x, p, REQUEST_BODY);
}

static gw_verdict on_response_body(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body(ctx, x, p, RESPONSE_BODY);
}

static gw_verdict on_request_end(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body_end(ctx, x, p, REQUEST_END);
}

static gw_verdict on_response_end(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body_end(ctx, x, p, RESPONSE_END);
}

static void on_end(void *ctx, const gw_exchange *x)
{
    struct state *state = gw_exchange_memory(x);

    (void)ctx;
    if (state != NULL)
        state->is_over = true;
}

/* ---- in a configuration ---- */

static void let_go(void *ctx, void *object)
{
    struct sim *sim = ctx;
    struct sim_hand *hand = object;

    SIM_CHECK(sim, hand->keeps > 0, "let go of too often");
    hand->keeps--;
}

void sim_filter_add(struct sim *sim, gw_builder *b)
{
    static const char *const names[SIM_HANDS] = { "left", "right" };
    gw_filter filter = GW_SPEC(gw_filter);

    if (!sim->swarm.has_hands)
        return;
    filter.exchange_bytes = sizeof(struct state);
    filter.on_request = on_request;
    filter.on_route = on_route;
    filter.on_upstream = on_upstream;
    filter.on_response = on_response;
    filter.on_request_body = on_request_body;
    filter.on_request_end = on_request_end;
    filter.on_response_body = on_response_body;
    filter.on_response_end = on_response_end;
    filter.on_resume = on_resume;
    filter.on_end = on_end;
    for (uint32_t i = 0; i < SIM_HANDS; i++) {
        gw_id id;
        sim->hands[i].sim = sim;
        sim->hands[i].which = i;
        filter.name = names[i];
        filter.ctx = &sim->hands[i];
        id = gw_builder_filter(b, &filter);
        if (gw_builder_keep(b, id, &sim->hands[i], let_go, sim) == GW_OK)
            sim->hands[i].keeps++;
    }
}

void sim_filter_check(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->tickets_len; i++)
        SIM_CHECK(sim, sim->tickets[i].resumed == (sim->tickets[i].is_answered ? 1 : 0),
                  "ticket %u: answered %d, resumed %u", i, sim->tickets[i].is_answered,
                  sim->tickets[i].resumed);
    for (uint32_t i = 0; i < SIM_HANDS; i++)
        SIM_CHECK(sim, sim->hands[i].keeps == 0, "%u configurations keep a filter",
                  sim->hands[i].keeps);
}
