/* sim/sim_caller.c: calls of the host's own to an origin of its own, in some worlds: bodies both ways in
 * whatever pieces there is room for, written or lent, collected, cancelled, waiting. All draws are of a
 * generator of their own: what happens beside them stays what it was. */

#include "sim.h"

enum { PIECE = SIM_LENT_MAX, LATER = 16 };

static uint32_t below(struct sim *sim, uint32_t n)
{
    return (uint32_t)gw_prng_below(&sim->calling, n);
}

/* ---- one side of a body ---- */

static void count_back(void *ctx, void *object)
{
    struct sim *sim = ctx;

    free(object);
    sim->lent_out--;
}

static uint32_t fill(const struct sim_caller *c, bool is_answer, uint64_t at, uint8_t *out)
{
    uint64_t left = (is_answer ? c->answer_len : c->request_len) - at;
    uint32_t n = left < PIECE ? (uint32_t)left : PIECE;

    for (uint32_t i = 0; i < n; i++)
        out[i] = sim_byte(c->number, is_answer, at + i);
    return n;
}

/* True: all of it is in. */
static bool put(struct sim_caller *c, gw_pipe *p, bool is_answer, uint64_t *at)
{
    uint64_t len = is_answer ? c->answer_len : c->request_len;

    while (*at < len && gw_pipe_room(p) > 0) {
        uint8_t *piece = malloc(PIECE);
        uint32_t n = fill(c, is_answer, *at, piece);
        if (c->lends &&
            gw_pipe_lend(p, (gw_const_span){ piece, n }, count_back, c->sim, piece) == GW_OK) {
            c->sim->lent_out++;
        } else {
            n = (uint32_t)gw_pipe_write(p, piece, n);
            free(piece);
        }
        if (n == 0)
            return false;
        *at += n;
    }
    return *at == len;
}

static void take(struct sim_caller *c, gw_pipe *p, bool is_answer, uint64_t *at)
{
    gw_const_span span;

    while (gw_pipe_peek(p, &span, 1) > 0) {
        const uint8_t *bytes = span.ptr;
        for (size_t i = 0; i < span.len; i++)
            SIM_CHECK(c->sim, bytes[i] == sim_byte(c->number, is_answer, *at + i),
                      "call %u: a wrong byte at %llu", c->number, (unsigned long long)(*at + i));
        *at += span.len;
        SIM_CHECK(c->sim, gw_pipe_drop(p, span.len) == GW_OK, "drop");
    }
}

/* ---- the origin ---- */

static struct sim_caller *caller_of(struct sim *sim, const gw_exchange *x)
{
    gw_str path = gw_message_part(gw_exchange_request((gw_exchange *)(uintptr_t)x), GW_PART_PATH);
    uint64_t number = 0;

    SIM_CHECK(sim, path.len > 1 && gw_parse_u64(gw_str_slice(path, 1, path.len), &number) == GW_OK,
              "a call nobody made");
    SIM_CHECK(sim, number < sim->callers_len, "a call nobody made");
    return &sim->callers[number];
}

static gw_verdict origin_request(void *ctx, gw_exchange *x)
{
    struct sim_caller *c = caller_of(ctx, x);

    SIM_CHECK(ctx, ++c->asked == 1, "call %u came twice", c->number);
    return gw_exchange_respond(x, 200) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_verdict origin_read(void *ctx, gw_exchange *x, gw_pipe *p)
{
    struct sim_caller *c = caller_of(ctx, x);

    take(c, p, false, &c->origin_got);
    c->is_request_whole = gw_pipe_is_last(p);
    return GW_NEXT;
}

static gw_verdict origin_write(void *ctx, gw_exchange *x, gw_pipe *p)
{
    struct sim_caller *c = caller_of(ctx, x);

    if (!c->is_early && !c->is_request_whole)
        return GW_WAIT;
    if (!put(c, p, true, &c->origin_put))
        return GW_WAIT;
    return gw_pipe_is_last(p) || gw_pipe_end(p) == GW_OK ? GW_NEXT : GW_ABORT;
}

static void origin_end(void *ctx, const gw_exchange *x)
{
    SIM_CHECK(ctx, ++caller_of(ctx, x)->asked_ended == 1, "an origin is told twice");
}

void sim_caller_configure(struct sim *sim, gw_builder *b)
{
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_origin origin = GW_SPEC(gw_origin);

    if (sim->callers_len == 0)
        return;
    origin.ctx = sim;
    origin.on_request = origin_request;
    origin.on_read = origin_read;
    origin.on_write = origin_write;
    origin.on_end = origin_end;
    cluster.name = gw_cstr("self");
    cluster.origin = &origin;
    gw_builder_cluster(b, &cluster);
}

/* ---- the calls ---- */

static gw_verdict on_write(void *ctx, gw_exchange *x, gw_pipe *p)
{
    struct sim_caller *c = ctx;

    (void)x;
    if (!put(c, p, false, &c->put))
        return GW_WAIT;
    return gw_pipe_end(p) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_verdict on_read(void *ctx, gw_exchange *x, gw_pipe *p)
{
    struct sim_caller *c = ctx;

    if (c->holds > 0 && !c->is_collected) { /* it takes nothing before it is told to */
        c->ticket = gw_exchange_wait(x);
        c->is_holding = c->ticket.worker != NULL;
        if (c->is_holding) {
            sim_at(c->sim, GW_MS(c->holds), SIM_ACT, LATER + c->number, 0, 0);
            c->holds = 0;
            return GW_WAIT;
        }
    }
    if (c->is_holding)
        return GW_WAIT;
    take(c, p, true, &c->got);
    return GW_NEXT;
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    struct sim_caller *c = ctx;

    (void)x;
    SIM_CHECK(c->sim, side == GW_SIDE_REQUEST && answer == c && c->ended == 0, "resumed wrongly");
    c->is_holding = false;
    return GW_NEXT;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    struct sim_caller *c = ctx;

    SIM_CHECK(c->sim, ++c->ended == 1, "call %u ended twice", c->number);
    c->cause = gw_exchange_cause(x);
}

static void begin(struct sim_caller *c)
{
    struct sim *sim = c->sim;
    gw_caller caller = GW_SPEC(gw_caller);
    gw_call_spec spec = GW_SPEC(gw_call_spec);
    char path[16];
    gw_status status;

    (void)snprintf(path, sizeof path, "/%u", c->number);
    caller.ctx = c;
    caller.on_write = on_write;
    caller.on_read = on_read;
    caller.on_resume = on_resume;
    caller.on_end = on_end;
    spec.caller = &caller;
    spec.cluster = gw_cstr("self");
    spec.method = gw_cstr("POST");
    spec.target = gw_cstr(path);
    spec.timeout_ms = GW_OFF;
    spec.answer_max = c->is_collected ? (uint32_t)c->answer_len : 0;
    status = gw_worker_call(sim->worker, &spec, &c->id);
    c->is_taken = status == GW_OK;
    SIM_CHECK(sim, c->is_taken || status == GW_ESTATE || gw_status_category(status) == GW_CAT_LIMIT,
              "call: %s", gw_status_name(status));
    if (c->is_taken && c->cancel_after > 0)
        sim_at(sim, c->cancel_after, SIM_ACT, 2 * LATER + c->number, 0, 0);
}

void sim_caller_act(struct sim *sim, uint32_t what)
{
    struct sim_caller *c = &sim->callers[what < LATER ? what - 1 : what % LATER];

    if (what < LATER) {
        begin(c);
    } else if (what < 2 * LATER) {
        (void)!gw_resume(c->ticket, c); /* it may have ended meanwhile */
    } else if (gw_worker_cancel(sim->worker, c->id) == GW_OK) {
        SIM_CHECK(sim, c->ended == 0, "call %u has ended and can be cancelled", c->number);
        c->was_cancelled = true;
    }
    sim->wake = true;
}

static bool has_calls(struct sim *sim)
{
    return sim->input != NULL ? (sim->parts & SIM_WITH_CALLS) != 0 : below(sim, 3) == 0;
}

/* Before the first configuration. In a pool with nothing to spare they would be in others' way. */
void sim_caller_make(struct sim *sim)
{
    static const uint32_t seeds[] = { 0, 1, 3000, 60000, 300000 };
    static const uint32_t inputs[] = { 0, 1, 300, 3000, 20000 };
    const uint32_t *bodies = sim->input != NULL ? inputs : seeds;

    sim->calling.state = sim->deeds ^ 0xca11;
    if (sim->swarm.small_pool || !has_calls(sim))
        return;
    sim->callers_len = 1 + below(sim, sim->input != NULL ? 2 : SIM_CALLERS_MAX);
    for (uint32_t i = 0; i < sim->callers_len; i++) {
        struct sim_caller *c = &sim->callers[i];
        *c = (struct sim_caller){ .sim = sim, .number = i };
        c->request_len = bodies[below(sim, 5)];
        c->answer_len = bodies[below(sim, 5)];
        c->lends = below(sim, 2) == 0;
        c->is_early = below(sim, 2) == 0;
        c->is_collected = c->answer_len > 0 && c->answer_len <= 60000 && below(sim, 3) == 0;
        c->holds = below(sim, 3) == 0 ? 1 + below(sim, 500) : 0;
        c->cancel_after = below(sim, 4) == 0 ? GW_MS(1 + below(sim, 300)) : 0;
        sim_at(sim, GW_MS(below(sim, 500)), SIM_ACT, 1 + i, 0, 0);
    }
}

/* An early answer may end before all was asked. */
static void check_whole(struct sim *sim, const struct sim_caller *c)
{
    SIM_CHECK(sim, c->cause.by == GW_BY_NONE, "call %u: %s/%u", c->number, gw_by_name(c->cause.by),
              c->cause.reason);
    SIM_CHECK(sim, c->got == c->answer_len, "call %u: %llu bytes of %u", c->number,
              (unsigned long long)c->got, c->answer_len);
    SIM_CHECK(sim, c->is_early || c->origin_got == c->request_len, "call %u: %llu bytes came",
              c->number, (unsigned long long)c->origin_got);
}

/* After the worker's end. */
void sim_caller_check(struct sim *sim)
{
    SIM_CHECK(sim, sim->lent_out == 0, "%u pieces are still lent", sim->lent_out);
    for (uint32_t i = 0; i < sim->callers_len; i++) {
        const struct sim_caller *c = &sim->callers[i];
        SIM_CHECK(sim, c->ended == (c->is_taken ? 1 : 0), "call %u: taken %d, ended %d", i,
                  c->is_taken, c->ended);
        SIM_CHECK(sim, c->asked == c->asked_ended, "call %u: its origin is not told", i);
        if (c->is_taken && !c->was_cancelled && sim->allocations_failed == 0 && !sim->is_broken_off)
            check_whole(sim, c);
    }
}
