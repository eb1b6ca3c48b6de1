/* sim/sim_client.c: clients: each has its plans and goes through them, on as few connections as it can;
 * some leave on the way. */

#include "sim.h"

static void add(struct sim *sim, struct sim_call *call, const char *name, const char *value)
{
    SIM_CHECK(sim,
              gw_fields_add_copy(&call->out_head.fields, gw_cstr(name), gw_cstr(value)) == GW_OK,
              "field");
}

static void make_request(struct sim *sim, struct sim_call *call)
{
    struct gw_message *m = &call->out_head;
    const struct sim_plan *p = call->plan;
    char path[32];
    int len = snprintf(path, sizeof path, p->is_hosts ? "/h/%u" : "/r/%u", p->id);

    m->method_text = gw_cstr(p->method);
    m->method = (uint8_t)gw_method_of(m->method_text);
    m->scheme = gw_cstr("http");
    m->authority = gw_cstr("sim.test");
    SIM_CHECK(sim, gw_arena_copy(&call->arena, (gw_str){ path, (size_t)len }, &m->path) == GW_OK,
              "path");
    m->body = p->request_unknown   ? GW_BODY_UNKNOWN
              : p->request_len > 0 ? GW_BODY_LENGTH
                                   : GW_BODY_NONE;
    m->length = p->request_len;
    add(sim, call, "x-one", "1");
    add(sim, call, "cookie", "a=1; b=2");
    if (p->request_trailers)
        SIM_CHECK(sim,
                  gw_fields_add_copy(&call->out_trailers.fields, gw_cstr("x-sum"), gw_cstr("s")) ==
                      GW_OK,
                  "trailer");
}

/* Where a client that leaves stops sending. */
static uint64_t stop_at(const struct sim_plan *p)
{
    return p->fault == SIM_CLIENT_LEAVES && !p->leaves_late ? p->fault_at : UINT64_MAX;
}

static bool is_leaving(const struct sim_call *call)
{
    const struct sim_plan *p = call->plan;

    if (!p->leaves_late)
        return call->put >= p->fault_at;
    return call->stream.in == GW_HALF_BODY && call->got >= p->fault_at;
}

static void begin(struct sim *sim, struct sim_peer *peer, struct sim_plan *plan)
{
    struct sim_call *call = sim_call_new(peer);
    struct gw_stream *s = &call->stream;

    call->plan = plan;
    make_request(sim, call);
    s->out_head = &call->out_head;
    s->out_pipe = &call->out_pipe;
    s->out = GW_HALF_HEAD;
    s->request_method = call->out_head.method;
    sim_trace(sim, "client %u begins %u", peer->client, plan->id);
    SIM_CHECK(sim, peer->codec->ops->open(peer->codec, s) == GW_OK, "open");
    sim_call_put(call, false, plan->request_len, stop_at(plan));
}

static void give_up(struct sim *sim, struct sim_client *c)
{
    for (; c->next < c->end; c->next++)
        sim->plans[c->next].client_done = sim->plans[c->next].client_cut = true;
    while (c->again_len > 0) {
        struct sim_plan *p = &sim->plans[c->again[--c->again_len]];
        p->client_done = p->client_cut = true;
    }
}

static void connect_client(struct sim *sim, uint32_t index)
{
    struct sim_client *c = &sim->clients[index];
    struct sim_wire *wire = sim_wire_new(sim);
    struct sim_peer *peer = sim_peer_new(sim, wire, true, c->protocol);
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_status status;

    spec.listener = gw_cstr("edge");
    spec.io = wire;
    spec.flags = sim->swarm.hosts_pct > 0 ? GW_ACCEPT_RETURN : 0;
    peer->client = index;
    c->wire = wire;
    status = gw_worker_accept(sim->worker, &spec, &wire->link);
    sim->wake = true;
    if (status == GW_OK)
        return;
    /* Only memory may refuse it; then it comes again. */
    SIM_CHECK(sim, gw_status_category(status) == GW_CAT_LIMIT, "accept: %s",
              gw_status_name(status));
    sim_peer_free(peer);
    wire->is_used = false;
    c->wire = NULL;
    if (++c->refused < 20) {
        sim_at(sim, GW_MS(100), SIM_CLIENT_RUNS, index, 0, 0);
        return;
    }
    give_up(sim, c);
}

static bool is_again_due(const struct sim *sim, const struct sim_client *c)
{
    return c->again_len > 0 && sim->now >= c->again_at;
}

/* The next request of a client: one that was refused, or one of its plan. */
static struct sim_plan *next_plan(struct sim *sim, struct sim_client *c)
{
    if (is_again_due(sim, c))
        return &sim->plans[c->again[--c->again_len]];
    return &sim->plans[c->next++];
}

void sim_client_run(struct sim *sim, uint32_t index)
{
    struct sim_client *c = &sim->clients[index];
    struct sim_peer *peer;
    bool has_begun = false;

    if (c->next == c->end && !is_again_due(sim, c))
        return;
    if (c->wire == NULL)
        connect_client(sim, index);
    if (c->wire == NULL)
        return;
    peer = c->wire->peer;
    while ((c->next < c->end || is_again_due(sim, c)) && peer->codec->streams < c->at_once &&
           peer->codec->state == GW_CODEC_OPEN && peer->codec->ops->can_open(peer->codec)) {
        begin(sim, peer, next_plan(sim, c));
        has_begun = true;
    }
    if (has_begun)
        sim_at(sim, 0, SIM_PEER_RUNS, c->wire->index, c->wire->turn, 0);
}

/* Everybody on that connection suffers. */
static void break_connection(struct sim_peer *peer)
{
    for (struct gw_list *node = peer->calls.next; node != &peer->calls; node = node->next) {
        struct sim_call *call = GW_CONTAINER(node, struct sim_call, node);
        call->plan->is_excused = true;
        if (!call->is_over) {
            call->plan->client_done = true;
            call->plan->client_cut = true;
        }
    }
    sim_wire_rst(peer->wire, peer->sim);
    peer->is_dead = true;
    sim_client_dead(peer);
}

static void leave(struct sim_call *call)
{
    struct sim_peer *peer = call->peer;

    call->plan->fault_struck = true;
    call->peer->sim->has_struck = true;
    sim_trace(peer->sim, "client %u leaves %u", peer->client, call->plan->id);
    if (peer->codec->ops->protocol == GW_PROTO_H1 || sim_chance(peer->sim, 20)) {
        break_connection(peer);
        return;
    }
    peer->codec->ops->reset(peer->codec, &call->stream, GW_H2_CANCEL);
    call->plan->client_done = call->plan->client_cut = true;
    call->is_over = true;
}

/* Not processed, for want of memory that others hold, or because its connection is old: it comes again. */
static bool try_again(struct sim_call *call)
{
    struct sim *sim = call->peer->sim;
    struct sim_client *c = &sim->clients[call->peer->client];

    if (!call->stream.is_refused || !(sim->swarm.small_pool || sim_has_ages(sim)) ||
        call->peer->is_dead || call->plan->begun > 0)
        return false;
    c->again[c->again_len++] = call->plan->id;
    c->again_at = sim->now + GW_MS(100 + sim_below(sim, 400));
    call->is_over = true;
    sim_trace(sim, "client %u: %u is refused", call->peer->client, call->plan->id);
    sim_at(sim, c->again_at - sim->now, SIM_CLIENT_RUNS, call->peer->client, 0, 0);
    return true;
}

static void finish(struct sim_call *call, bool is_whole)
{
    struct sim_plan *p = call->plan;

    sim_trace(call->peer->sim, "client %u: %u is %s, status %u, %llu bytes, fault %u",
              call->peer->client, p->id, is_whole ? "whole" : "cut", p->client_status,
              (unsigned long long)call->got, call->stream.fault);
    p->client_done = true;
    p->client_whole = is_whole;
    p->client_cut = !is_whole;
    p->client_got = call->got;
    p->client_trailers = call->in_trailers.fields.count > 0;
    call->is_over = true;
}

static bool is_from_origin(const struct sim_call *call)
{
    return gw_fields_find_name(&call->in_head.fields, gw_cstr("x-sim")) != NULL;
}

void sim_client_news(struct sim_call *call)
{
    struct gw_stream *s = &call->stream;
    struct sim *sim = call->peer->sim;
    struct sim_plan *p = call->plan;
    uint32_t news = s->news;

    s->news = 0;
    if (call->is_over)
        return;
    for (; s->info != NULL; s->info = s->info->next)
        p->client_infos++;
    if ((news & GW_NEWS_HEAD) != 0)
        p->client_status = call->in_head.code;
    if (p->fault == SIM_CLIENT_LEAVES && !p->fault_struck && is_leaving(call)) {
        leave(call);
        return;
    }
    sim_call_put(call, false, p->request_len, stop_at(p));
    if (sim->is_stalling && p->stalls && s->in != GW_HALF_CUT)
        return;
    if (s->in >= GW_HALF_BODY && s->in != GW_HALF_CUT && p->client_status != 0) {
        if (gw_pipe_len(&call->in_pipe) > 0 && sim_chance(sim, sim->swarm.slow_read_pct)) {
            sim_call_later(call, GW_MS(1 + sim_below(sim, 100)));
            return;
        }
        if (is_from_origin(call))
            sim_call_get(call, true);
        else { /* the gateway's own words are not ours to know */
            (void)!gw_pipe_drop(&call->in_pipe, gw_pipe_len(&call->in_pipe));
            call->peer->codec->ops->advance(call->peer->codec, s);
        }
    }
    if (s->in == GW_HALF_DONE && gw_pipe_len(&call->in_pipe) == 0)
        finish(call, true);
    else if (s->in == GW_HALF_CUT && !try_again(call))
        finish(call, false);
}

void sim_client_dead(struct sim_peer *peer)
{
    struct sim_client *c = &peer->sim->clients[peer->client];

    c->wire = NULL;
    for (struct gw_list *node = peer->calls.next; node != &peer->calls; node = node->next) {
        struct sim_call *call = GW_CONTAINER(node, struct sim_call, node);
        bool is_whole = call->stream.in == GW_HALF_DONE; /* all is there: it is read to its end */
        if (call->is_over || call->plan->client_done)
            continue;
        if (is_whole && is_from_origin(call))
            sim_call_get(call, true);
        finish(call, is_whole);
    }
    sim_at(peer->sim, 0, SIM_CLIENT_RUNS, peer->client, 0, 0);
}
