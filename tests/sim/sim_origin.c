/* sim/sim_origin.c: upstreams: they answer as the plan of the request says, or fail as it says. */

#include "sim.h"

void sim_origin_connected(struct sim *sim, struct sim_wire *wire)
{
    struct sim_peer *peer = sim_peer_new(sim, wire, false, sim->swarm.upstream_protocol);

    sim_at(sim, 0, SIM_PEER_RUNS, wire->index, wire->turn, 0);
    (void)peer;
}

void sim_origin_dead(struct sim_peer *peer)
{
    (void)peer;
}

static bool is_idempotent(const struct sim_plan *p)
{
    return strcmp(p->method, "POST") != 0;
}

/* It failed, or will say that it did. */
static bool is_retried(const struct sim *sim, const struct sim_plan *p)
{
    return sim->swarm.retries_all && (p->fault != SIM_FAULT_NONE || p->status >= 500);
}

/* Once; and once more only if that cannot do harm, and the connection of the first was lost. */
static void count_try(struct sim_call *call)
{
    struct sim *sim = call->peer->sim;
    struct sim_plan *p = call->plan;

    p->origin_seen++;
    p->origin_wire = call->peer->wire->index;
    p->origin_turn = call->peer->wire->turn;
    SIM_CHECK(sim,
              p->origin_seen == 1 || (p->origin_seen == 2 && is_idempotent(p) &&
                                      (p->is_excused || sim->io_failed > 0 || is_retried(sim, p))),
              "request %u came twice", p->id);
    call->is_spared = p->fault_struck;
}

/* Well, or not, or nothing at all: as the time has it. */
static void answer_probe(struct sim_call *call)
{
    struct sim *sim = call->peer->sim;
    struct gw_message *m = &call->out_head;
    uint64_t mood = sim->now / GW_MS(1) % 8;

    SIM_CHECK(sim, sim_has_probes(sim), "a probe that nobody asked for");
    if (!call->answered && mood > 0) {
        call->answered = true;
        m->code = mood == 1 ? 500 : 200;
        m->body = GW_BODY_NONE;
        call->out_pipe.is_ended = true;
        call->stream.out_head = m;
        call->stream.out_pipe = &call->out_pipe;
        call->stream.out = GW_HALF_HEAD;
        call->peer->codec->ops->advance(call->peer->codec, &call->stream);
    }
    call->is_over = call->stream.out == GW_HALF_DONE && call->stream.in == GW_HALF_DONE;
}

static void find_plan(struct sim_call *call)
{
    struct sim *sim = call->peer->sim;
    gw_str path = call->in_head.path;
    uint64_t id;

    SIM_CHECK(sim, path.len > 3 && memcmp(path.ptr, "/r/", 3) == 0, "a path nobody sent");
    SIM_CHECK(sim, gw_parse_u64(gw_str_slice(path, 3, path.len), &id) == GW_OK,
              "a path nobody sent");
    SIM_CHECK(sim, id < sim->plans_len, "a path nobody sent");
    call->plan = &sim->plans[id];
    count_try(call);
    SIM_CHECK(sim, gw_str_eq(call->in_head.method_text, gw_cstr(call->plan->method)), "method");
    SIM_CHECK(sim, gw_str_eq(call->in_head.authority, gw_cstr("sim.test")), "authority");
    SIM_CHECK(sim, gw_fields_find_name(&call->in_head.fields, gw_cstr("x-one")) != NULL,
              "a field was lost");
    call->answer_at = sim->now + call->plan->think;
    sim_trace(sim, "origin gets %u", call->plan->id);
}

static void add_info(struct sim_call *call)
{
    gw_message_init(&call->info, GW_MESSAGE_RESPONSE, &call->arena, 100);
    call->info.code = 103;
    (void)!gw_fields_add_copy(&call->info.fields, gw_cstr("link"), gw_cstr("</a>"));
    call->stream.out_info = &call->info;
}

static void answer(struct sim_call *call)
{
    struct sim *sim = call->peer->sim;
    struct sim_plan *p = call->plan;
    struct gw_message *m = &call->out_head;
    char id[16];

    call->answered = true;
    if (p->has_info)
        add_info(call);
    snprintf(id, sizeof id, "%u", p->id);
    m->code = (uint16_t)p->status;
    m->body = !gw_response_has_body((enum gw_method)call->in_head.method, p->status) ? GW_BODY_NONE
              : p->response_unknown ? GW_BODY_UNKNOWN
                                    : GW_BODY_LENGTH;
    m->length = p->response_len;
    SIM_CHECK(sim, gw_fields_add_copy(&m->fields, gw_cstr("x-sim"), gw_cstr(id)) == GW_OK, "field");
    if (p->response_trailers)
        SIM_CHECK(sim,
                  gw_fields_add_copy(&call->out_trailers.fields, gw_cstr("x-end"), gw_cstr("e")) ==
                      GW_OK,
                  "trailer");
    call->stream.out_head = m;
    call->stream.out_pipe = &call->out_pipe;
    call->stream.out = GW_HALF_HEAD;
    call->peer->codec->ops->advance(call->peer->codec, &call->stream);
}

/* Also what was answered here and is still on its way: the gateway may see the break first. */
static void break_connection(struct sim_peer *peer, bool is_reset)
{
    struct sim *sim = peer->sim;

    for (uint32_t i = 0; i < sim->plans_len; i++) {
        struct sim_plan *p = &sim->plans[i];
        if (p->origin_seen > 0 && p->ended == 0 && p->origin_wire == peer->wire->index &&
            p->origin_turn == peer->wire->turn)
            p->is_excused = true;
    }
    sim->shared_broken++;
    if (is_reset)
        sim_wire_rst(peer->wire, peer->sim);
    else
        sim_wire_fin(peer->wire, peer->sim);
    peer->is_dead = true;
}

/* All of it is out, and nobody waits for an end: silence comes too late, and only the next request on
 * the connection would meet it. */
static bool is_answer_whole(const struct sim_call *call)
{
    return call->answered && !call->plan->response_unknown && call->put >= call->plan->response_len;
}

/* True: the fault has struck, the call goes no further. */
static bool strike(struct sim_call *call)
{
    struct sim_plan *p = call->plan;
    struct sim_peer *peer = call->peer;
    bool is_h1 = peer->codec->ops->protocol == GW_PROTO_H1;

    if (call->is_spared || (p->fault == SIM_ORIGIN_SILENT && is_answer_whole(call)))
        return false;
    if (p->fault <= SIM_CLIENT_LEAVES || (p->fault_at > 0 && call->put < p->fault_at) ||
        p->fault_struck)
        return p->fault_struck && p->fault > SIM_CLIENT_LEAVES;
    p->fault_struck = true;
    peer->sim->has_struck = true;
    sim_trace(peer->sim, "origin strikes %u, fault %d at %llu", p->id, (int)p->fault,
              (unsigned long long)call->put);
    switch (p->fault) {
    case SIM_ORIGIN_RESETS:
        if (is_h1)
            break_connection(peer, true);
        else
            peer->codec->ops->reset(peer->codec, &call->stream, GW_H2_INTERNAL_ERROR);
        break;
    case SIM_ORIGIN_CLOSES:
        break_connection(peer, false);
        break;
    case SIM_ORIGIN_GARBAGE:
        sim_wire_say(peer->wire, peer->sim, "\0\xff\0garbage\r\n\r\n", 14);
        break_connection(peer, false);
        break;
    case SIM_ORIGIN_REFUSES:
        peer->codec->ops->reset(peer->codec, &call->stream, GW_H2_REFUSED_STREAM);
        p->origin_seen--;
        break;
    case SIM_ORIGIN_SILENT:
        peer->sim->has_silent = true;
        break;
    case SIM_FAULT_NONE:
    case SIM_CLIENT_LEAVES:
    case SIM_FAULT_COUNT:
        break;
    }
    return true;
}

static void note_request(struct sim_call *call)
{
    struct sim_plan *p = call->plan;

    sim_call_get(call, false);
    p->origin_got = call->got;
    if (call->stream.in != GW_HALF_DONE || gw_pipe_len(&call->in_pipe) > 0)
        return;
    p->origin_whole = true;
    SIM_CHECK(call->peer->sim, call->got == p->request_len,
              "request %u: whole with %llu of %llu bytes", p->id, (unsigned long long)call->got,
              (unsigned long long)p->request_len);
    SIM_CHECK(call->peer->sim,
              !p->request_trailers ||
                  gw_fields_find_name(&call->in_trailers.fields, gw_cstr("x-sum")) != NULL,
              "request %u: its trailers were lost", p->id);
}

/* HTTP/1 has no word for it; HTTP/2 says which streams it has taken. */
static void leave(struct sim_peer *peer)
{
    if (peer->codec->ops->protocol == GW_PROTO_H1)
        peer->leaves = true;
    else
        peer->codec->ops->drain(peer->codec, true);
}

void sim_origin_news(struct sim_call *call)
{
    struct gw_stream *s = &call->stream;
    struct sim *sim = call->peer->sim;
    struct sim_plan *p;

    s->news = 0;
    if (s->in == GW_HALF_CUT) {
        call->is_over = true;
        return;
    }
    if (s->in < GW_HALF_BODY)
        return;
    if (call->plan == NULL && gw_str_eq(call->in_head.path, GW_STR("/health"))) {
        answer_probe(call);
        return;
    }
    if (call->plan == NULL)
        find_plan(call);
    p = call->plan;
    if (sim_chance(sim, sim->swarm.slow_read_pct) && gw_pipe_len(&call->in_pipe) > 0) {
        sim_call_later(call, GW_MS(1 + sim_below(sim, 100)));
        return;
    }
    note_request(call);
    if (p->fault_at == 0 && strike(call))
        return;
    if (!call->answered && (p->answers_early || s->in == GW_HALF_DONE)) {
        if (sim->now < call->answer_at)
            sim_call_later(call, call->answer_at - sim->now);
        else
            answer(call);
    }
    if (!call->answered)
        return;
    sim_call_put(call, true, p->response_len,
                 p->fault > SIM_CLIENT_LEAVES && !call->is_spared ? p->fault_at : UINT64_MAX);
    if (strike(call))
        return;
    if (s->out != GW_HALF_DONE || (s->in != GW_HALF_DONE && !p->answers_early))
        return;
    call->is_over = true;
    if (sim_chance(sim, sim->swarm.leave_pct))
        leave(call->peer);
}
