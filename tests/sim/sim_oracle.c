/* sim/sim_oracle.c: the gateway's hooks, and what each request must have come to. */

#include "sim.h"

#include "exchange/exchange.h"
#include "worker/worker.h"

/* ---- hooks ---- */

struct sim_plan *sim_plan_of(struct sim *sim, const gw_exchange *x)
{
    gw_str path = x->request.path;
    uint64_t id;

    if (path.len < 4 || (memcmp(path.ptr, "/r/", 3) != 0 && memcmp(path.ptr, "/h/", 3) != 0) ||
        gw_parse_u64(gw_str_slice(path, 3, path.len), &id) != GW_OK || id >= sim->plans_len)
        return NULL;
    return &sim->plans[id];
}

/* Begun after a newer configuration had come, it must go by that one. */
static void check_binding(const struct sim_config *config, const gw_exchange *x, uint32_t id)
{
    struct sim *sim = config->sim;

    for (uint32_t i = config->index + 1; i < sim->configs_len; i++)
        SIM_CHECK(sim, sim->configs[i].applied_at >= x->started,
                  "request %u goes by configuration %u, though %u had come", id, config->index, i);
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    struct sim_config *config = ctx;
    struct sim *sim = config->sim;
    struct sim_plan *p = sim_plan_of(sim, x);
    gw_reply reply = GW_SPEC(gw_reply);

    if (sim->adversary.is_there && gw_str_eq(x->request.path, gw_cstr("/bad")))
        return gw_exchange_reply(x, &reply) == GW_OK ? GW_REPLY : GW_ABORT;
    SIM_CHECK(sim, p != NULL, "a request nobody sent");
    SIM_CHECK(sim, ++p->begun == 1, "request %u began twice", p->id);
    check_binding(config, x, p->id);
    p->config = config->index;
    return GW_NEXT;
}

/* What ended well has left: the backend has said so of its last byte. Under an engine the wire counts
 * other bytes; and when the connection is gone meanwhile, the wire is another's. */
static void check_sent(struct sim *sim, const gw_exchange *x, const struct sim_plan *p)
{
    const struct sim_wire *w = gw_link_io(x->down_link);

    if (p->cause.by != GW_BY_NONE || sim->swarm.tls_client || x->down_link->is_lost)
        return;
    SIM_CHECK(sim, x->down.out_mark > 0 && w->sent >= x->down.out_mark,
              "request %u: ended well at byte %llu, of which %llu have left", p->id,
              (unsigned long long)x->down.out_mark, (unsigned long long)w->sent);
}

static void on_end(void *ctx, const gw_exchange *x)
{
    struct sim_config *config = ctx;
    struct sim *sim = config->sim;
    struct sim_plan *p = sim_plan_of(sim, x);

    sim->ends++;
    if (p == NULL) /* its head never came whole */
        return;
    SIM_CHECK(sim, ++p->ended == 1, "request %u ended twice", p->id);
    SIM_CHECK(sim, p->begun == 0 || p->config == config->index,
              "request %u began by configuration %u and ended by %u", p->id, p->config,
              config->index);
    p->cause = gw_exchange_cause(x);
    check_sent(sim, x, p);
    sim_trace(sim, "%u ends: %s/%s/%u", p->id, gw_by_name(p->cause.by),
              gw_phase_name(p->cause.phase), p->cause.reason);
}

const gw_filter sim_filter = {
    .size = sizeof(gw_filter),
    .name = "oracle",
    .on_request = on_request,
    .on_end = on_end,
};

/* ---- what must be true after every step ---- */

/* What a peer may send before it has seen our SETTINGS (RFC 9113 6.9.2). */
enum { H2_FIRST_WINDOW = 65535 };

static void check_pipe(struct sim *sim, const struct gw_pipe *pipe, uint32_t source)
{
    size_t max = pipe->size;

    if (source == GW_PROTO_H2 && max < H2_FIRST_WINDOW)
        max = H2_FIRST_WINDOW;
    if (source == 0)
        max += SIM_LENT_MAX; /* the host's: what it lends may be more than the room, once */
    SIM_CHECK(sim, gw_pipe_len(pipe) <= max, "%zu bytes in a pipe of %zu", gw_pipe_len(pipe),
              pipe->size);
}

void sim_oracle_step(struct sim *sim)
{
    struct gw_list *all = &sim->worker->exchanges.all;

    sim_reload_check(sim);
    for (struct gw_list *node = all->next; node != all; node = node->next) {
        const struct gw_exchange *x = GW_CONTAINER(node, struct gw_exchange, all);
        if (x->down_link != NULL && x->down_link->codec != NULL)
            check_pipe(sim, &x->request_pipe, x->down_link->codec->ops->protocol);
        check_pipe(sim, &x->response_pipe, x->upstream_protocol);
    }
}

/* ---- what must be true at the end ---- */

/* The request before it on its connection was answered by the gateway itself, with much of its body to come:
 * then an HTTP/1 connection ends, and a client that has begun the next one must try again. */
static bool follows_unread_body(const struct sim *sim, const struct sim_plan *p)
{
    const struct sim_plan *before = p - 1;

    return p != sim->plans && before->cause.by != GW_BY_NONE && !before->is_hosts &&
           before->request_len >= SIM_SKIPPED_MAX;
}

/* An upstream that is silent holds a connection for an hour: who waits for one may wait in vain. */
static bool may_wait_in_vain(const struct sim *sim)
{
    return sim->swarm.connections_max > 0 && sim->has_silent;
}

/* As docs/limits.md has it: of a body that is longer, what has left cannot be sent again. */
static uint64_t replayed_max(const struct sim *sim)
{
    return sim->swarm.small_pool ? SIM_SMALL_BLOCK / 4 : 4096;
}

/* A filter that sees a body asks for blocks when it is known which do (docs/filters.md): where they cannot be
 * had the gateway says so, and says that it was that. */
static bool is_short_for_hands(const struct sim *sim, const struct sim_plan *p)
{
    return sim->swarm.small_pool && p->is_handled && p->cause.by == GW_BY_GATEWAY &&
           p->cause.reason == GW_REASON_no_memory;
}

/* Nothing was done to it, and nothing it shares with others broke: it must have come through whole. */
static bool must_be_whole(const struct sim *sim, const struct sim_plan *p)
{
    bool is_post = strcmp(p->method, "POST") == 0;

    /* What was refused is tried once more, with a body that is short. */
    if ((p->fault != SIM_FAULT_NONE &&
         (p->fault != SIM_ORIGIN_REFUSES || p->request_len > replayed_max(sim))) ||
        p->is_excused || sim->swarm.refuse_pct > 0 || sim->allocations_failed > 0 ||
        sim->io_failed > 0 || follows_unread_body(sim, p) || may_wait_in_vain(sim))
        return false;
    /* So is what met a connection that its upstream had just left; but no POST. Of HTTP/2 the next one
     * may be left too. */
    if (sim->swarm.leave_pct > 0 && (is_post || sim->swarm.upstream_protocol != GW_PROTO_H1))
        return false;
    if (sim->swarm.leave_pct > 0 && sim->swarm.connections_max > 0)
        return false; /* where no new connection can be had, the second try may meet one too */
    if (is_short_for_hands(sim, p))
        return false;
    if (sim->swarm.small_pool && (sim->swarm.tls_client || sim->swarm.tls_upstream))
        return false; /* what an engine holds back is not promised yet: there is none but the stub */
    return sim->shared_broken == 0;
}

/* The last bytes reached a client that then left, before their send was reported complete: from the
 * gateway's side they never left. */
static bool has_left_early(const struct sim *sim, const struct sim_plan *p)
{
    return sim->swarm.delay_send_pct > 0 && p->cause.reason == GW_REASON_client_reset;
}

static void check_whole(struct sim *sim, const struct sim_plan *p)
{
    uint32_t status = p->is_replied ? SIM_FILTER_STATUS : p->status;

    SIM_CHECK(sim, p->client_whole, "request %u: not whole at the client", p->id);
    SIM_CHECK(sim, p->client_status == status, "request %u: status %u, not %u", p->id,
              p->client_status, status);
    if (has_left_early(sim, p))
        return;
    if (p->is_hosts) {
        SIM_CHECK(sim, p->host_seen == 1, "request %u: the host never saw it", p->id);
        return;
    }
    SIM_CHECK(sim, p->cause.by == GW_BY_NONE, "request %u: a cause (%s/%s/%u) without a reason",
              p->id, gw_by_name(p->cause.by), gw_phase_name(p->cause.phase), p->cause.reason);
    SIM_CHECK(sim, p->origin_whole || p->answers_early || p->is_replied,
              "request %u: not whole at the origin", p->id);
}

/* It came back once at most, and if it did, nobody else has answered it. */
static void check_hosts(struct sim *sim, const struct sim_plan *p)
{
    bool is_back = p->cause.reason == GW_REASON_handed_back;

    SIM_CHECK(sim, !is_back || p->is_hosts, "request %u: a route had claimed it", p->id);
    SIM_CHECK(sim, p->host_seen == 0 || p->is_hosts, "request %u: the host answered it", p->id);
    if (!p->is_hosts)
        return;
    SIM_CHECK(sim, p->origin_seen == 0, "request %u: an upstream got it", p->id);
    SIM_CHECK(sim, p->client_status != 404 || p->status == 404, "request %u: 404", p->id);
    SIM_CHECK(sim, p->host_seen == 0 || is_back || p->begun == 0,
              "request %u: the host has it, its end says %u", p->id, p->cause.reason);
    SIM_CHECK(sim, !p->client_whole || p->host_seen == 0 || p->client_got == p->response_len,
              "request %u: whole with %llu of %llu bytes", p->id, (unsigned long long)p->client_got,
              (unsigned long long)p->response_len);
}

/* The origin's answer came whole: then it is that answer and no other. */
static void check_answer(struct sim *sim, const struct sim_plan *p)
{
    if (!p->client_whole || p->client_status != p->status || p->origin_seen == 0 ||
        p->cause.by != GW_BY_NONE)
        return;
    SIM_CHECK(sim, p->client_got == p->response_len, "request %u: whole with %llu of %llu bytes",
              p->id, (unsigned long long)p->client_got, (unsigned long long)p->response_len);
    SIM_CHECK(sim, !p->response_trailers || p->client_trailers, "request %u: trailers were lost",
              p->id);
    if (p->is_handled && sim->allocations_failed > 0)
        return; /* filters have taken the memory in which an interim answer finds room */
    SIM_CHECK(sim, p->client_infos == (p->has_info ? 1 : 0), "request %u: %u interim answers",
              p->id, p->client_infos);
}

static void check_cause(struct sim *sim, const struct sim_plan *p)
{
    uint32_t by = p->fault == SIM_CLIENT_LEAVES ? GW_BY_CLIENT : GW_BY_UPSTREAM;

    if (!p->fault_struck || p->begun == 0 || p->is_excused || p->is_hosts ||
        p->cause.by == GW_BY_NONE)
        return;
    if (sim->shared_broken > 0 || sim->swarm.refuse_pct > 0 || sim->allocations_failed > 0 ||
        sim->io_failed > 0 || sim->swarm.small_pool || sim->swarm.leave_pct > 0)
        return;
    SIM_CHECK(sim, p->cause.by == by, "request %u: blamed on %s, it was %s", p->id,
              gw_by_name(p->cause.by), gw_by_name(by));
}

/* Nobody did anything wrong but the memory, which is ours: neither side may be blamed. */
static void check_memory_cause(struct sim *sim, const struct sim_plan *p)
{
    if (sim->allocations_failed == 0 || sim->io_failed > 0 || sim->swarm.refuse_pct > 0 ||
        sim->swarm.leave_pct > 0 || sim->has_struck || p->ended == 0 || has_left_early(sim, p))
        return;
    SIM_CHECK(sim, p->cause.by != GW_BY_CLIENT && p->cause.by != GW_BY_UPSTREAM,
              "request %u: %s/%s/%u for a failed allocation", p->id, gw_by_name(p->cause.by),
              gw_phase_name(p->cause.phase), p->cause.reason);
}

static void check_cut(struct sim *sim, const struct sim_plan *p)
{
    if (p->fault <= SIM_CLIENT_LEAVES || !p->fault_struck || !p->client_whole || p->is_replied)
        return;
    /* It was struck, yet the client has something whole: then it is the gateway's own answer, or all
     * bytes were out before. */
    SIM_CHECK(sim, p->client_status >= 500 || p->client_got == p->response_len,
              "request %u: cut at %llu, seen as whole", p->id, (unsigned long long)p->client_got);
}

void sim_oracle_check(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plans_len; i++) {
        const struct sim_plan *p = &sim->plans[i];
        SIM_CHECK(sim, p->client_done, "request %u: the client still waits", p->id);
        SIM_CHECK(sim, p->begun == p->ended || (p->ended == 1 && p->begun == 0),
                  "request %u: begun %d, ended %d", p->id, p->begun, p->ended);
        if (must_be_whole(sim, p))
            check_whole(sim, p);
        check_answer(sim, p);
        check_hosts(sim, p);
        check_cause(sim, p);
        check_cut(sim, p);
        check_memory_cause(sim, p);
    }
}

bool sim_are_others_done(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plans_len; i++) {
        const struct sim_plan *p = &sim->plans[i];
        if (!p->client_done && !p->stalls && !p->is_behind)
            return false;
    }
    return true;
}

bool sim_is_done(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plans_len; i++)
        if (!sim->plans[i].client_done)
            return false;
    return true;
}
