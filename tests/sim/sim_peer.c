/* sim/sim_peer.c: a peer's connection: a codec of its own over a wire, with an engine if the world has
 * one. Peers are well behaved here; what they do wrong is in sim_client.c and sim_origin.c. */

#include "sim.h"

enum { CALL_MEMORY = 64 * 1024, CALL_PIPE = 20000, WRITE_MARK = 40000 };

static struct gw_stream *open_call(void *ctx)
{
    struct sim_peer *peer = ctx;
    struct sim_call *call = sim_call_new(peer);

    return &call->stream;
}

static void changed(void *ctx, struct gw_stream *s)
{
    (void)ctx;
    (void)s; /* sim_peer_run looks at all of them */
}

static struct gw_message *new_info(void *ctx, struct gw_stream *s)
{
    struct sim_call *call = (struct sim_call *)s;

    (void)ctx;
    if (s->info != NULL)
        return NULL; /* one place for them: the peers look at each as it comes */
    gw_message_init(&call->info, GW_MESSAGE_RESPONSE, &call->arena, 100);
    return &call->info;
}

struct sim_peer *sim_peer_new(struct sim *sim, struct sim_wire *wire, bool is_client,
                              uint32_t protocol)
{
    struct sim_peer *peer = calloc(1, sizeof *peer);
    bool has_tls = is_client ? sim->swarm.tls_client : sim->swarm.tls_upstream;
    struct gw_codec_spec spec = { .heap = &sim->heap,
                                  .pool = &sim->pool,
                                  .owner = &peer->owner,
                                  .limits = &sim->limits,
                                  .is_client = is_client };

    peer->sim = sim;
    peer->wire = wire;
    peer->is_client = is_client;
    peer->owner = (struct gw_codec_owner){ peer, open_call, changed, new_info };
    gw_list_init(&peer->calls);
    gw_chain_init(&peer->wire_in, &sim->pool);
    gw_chain_init(&peer->wire_out, &sim->pool);
    gw_chain_init(&peer->clear_in, &sim->pool);
    gw_chain_init(&peer->clear_out, &sim->pool);
    if (protocol == GW_PROTO_H1)
        peer->codec = gw_h1_new(&spec);
    else if (protocol == GW_PROTO_H2)
        peer->codec = gw_h2_new(&spec, sim->h2, sim->now);
    else
        peer->codec = gw_raw_new(&spec);
    if (has_tls)
        peer->engine = sim->tls.engine != NULL
                           ? sim->tls.engine(peer, protocol)
                           : gw_tls_stub_new(&sim->heap, is_client, (gw_str){ NULL, 0 });
    SIM_CHECK(sim, peer->codec != NULL, "a peer could not be made");
    wire->peer = peer;
    return peer;
}

void sim_peer_free(struct sim_peer *peer)
{
    struct gw_list *node;

    while ((node = peer->calls.next) != &peer->calls)
        sim_call_free(GW_CONTAINER(node, struct sim_call, node));
    peer->codec->ops->free(peer->codec);
    if (peer->engine != NULL)
        peer->engine->ops->free(peer->engine);
    gw_chain_clear(&peer->wire_in);
    gw_chain_clear(&peer->wire_out);
    gw_chain_clear(&peer->clear_in);
    gw_chain_clear(&peer->clear_out);
    free(peer);
}

/* ---- calls ---- */

struct sim_call *sim_call_new(struct sim_peer *peer)
{
    struct sim_call *call = calloc(1, sizeof *call);
    struct gw_stream *s = &call->stream;

    call->peer = peer;
    call->memory = malloc(CALL_MEMORY);
    gw_stream_init(s);
    gw_arena_init(&call->arena, call->memory, CALL_MEMORY, NULL, CALL_MEMORY);
    gw_message_init(&call->in_head, peer->is_client ? GW_MESSAGE_RESPONSE : GW_MESSAGE_REQUEST,
                    &call->arena, 100);
    gw_message_init(&call->out_head, peer->is_client ? GW_MESSAGE_REQUEST : GW_MESSAGE_RESPONSE,
                    &call->arena, 100);
    gw_message_init(&call->in_trailers, GW_MESSAGE_TRAILERS, &call->arena, 100);
    gw_message_init(&call->out_trailers, GW_MESSAGE_TRAILERS, &call->arena, 100);
    gw_pipe_init(&call->in_pipe, &peer->sim->pool, CALL_PIPE);
    gw_pipe_init(&call->out_pipe, &peer->sim->pool, CALL_PIPE);
    s->in_head = &call->in_head;
    s->in_trailers = &call->in_trailers;
    s->in_pipe = &call->in_pipe;
    s->out_trailers = &call->out_trailers;
    gw_list_push_back(&peer->calls, &call->node);
    return call;
}

void sim_call_free(struct sim_call *call)
{
    struct gw_codec *codec = call->peer->codec;

    if (call->stream.codec != NULL)
        codec->ops->detach(codec, &call->stream);
    gw_list_remove(&call->node);
    gw_pipe_fini(&call->in_pipe);
    gw_pipe_fini(&call->out_pipe);
    gw_arena_fini(&call->arena);
    free(call->memory);
    free(call);
}

void sim_call_later(struct sim_call *call, gw_nanos delay)
{
    struct sim *sim = call->peer->sim;

    if (call->wake_at > sim->now)
        return;
    call->wake_at = sim->now + delay;
    sim_at(sim, delay, SIM_PEER_RUNS, call->peer->wire->index, call->peer->wire->turn, 0);
}

void sim_call_put(struct sim_call *call, bool is_response, uint64_t len, uint64_t stop_at)
{
    uint64_t end = len < stop_at ? len : stop_at;
    uint8_t piece[1024];

    while (call->put < end && !call->out_pipe.is_ended) {
        size_t room = gw_pipe_room(&call->out_pipe), n = sizeof piece;
        n = end - call->put < n ? (size_t)(end - call->put) : n;
        n = room < n ? room : n;
        if (n == 0)
            break;
        for (size_t i = 0; i < n; i++)
            piece[i] = sim_byte(call->plan->id, is_response, call->put + i);
        SIM_CHECK(call->peer->sim, gw_pipe_write(&call->out_pipe, piece, n) == n, "a short write");
        call->put += n;
    }
    if (call->put == len && !call->out_pipe.is_ended)
        call->out_pipe.is_ended = true;
    if (call->stream.codec != NULL)
        call->peer->codec->ops->advance(call->peer->codec, &call->stream);
}

/* Garbage in a body that has a length is a body. */
static bool is_known(const struct sim_call *call)
{
    return call->plan != NULL && call->plan->fault != SIM_ORIGIN_GARBAGE;
}

void sim_call_get(struct sim_call *call, bool is_response)
{
    struct sim *sim = call->peer->sim;
    gw_const_span spans[4];
    size_t n;

    while ((n = gw_pipe_peek(&call->in_pipe, spans, 4)) > 0) {
        size_t len = 0;
        for (size_t i = 0; i < n; i++) {
            const uint8_t *bytes = spans[i].ptr;
            for (size_t j = 0; j < spans[i].len && is_known(call); j++)
                SIM_CHECK(sim,
                          bytes[j] == sim_byte(call->plan->id, is_response, call->got + len + j),
                          "request %u, %s body, byte %llu: not what was sent", call->plan->id,
                          is_response ? "response" : "request",
                          (unsigned long long)(call->got + len + j));
            len += spans[i].len;
        }
        call->got += len;
        sim->taken += len;
        SIM_CHECK(sim, gw_pipe_drop(&call->in_pipe, len) == GW_OK, "drop");
    }
    if (call->stream.codec != NULL)
        call->peer->codec->ops->advance(call->peer->codec, &call->stream);
}

/* ---- the connection ---- */

/* By an alert of a gateway that was short of memory. */
static bool may_be_refused(const struct sim *sim)
{
    return sim->is_tls_asked && (sim->allocations_failed > 0 || sim->swarm.small_pool);
}

static bool read_in(struct sim_peer *peer)
{
    struct gw_chain *in = peer->engine != NULL ? &peer->clear_in : &peer->wire_in;
    size_t before;

    if (peer->engine != NULL) {
        gw_status status = peer->engine->ops->open(peer->engine, &peer->wire_in, &peer->clear_in,
                                                   100000);
        if (status == GW_EOF)
            peer->saw_end = true;
        peer->is_refused |= status == GW_ETLS && may_be_refused(peer->sim);
        SIM_CHECK(peer->sim, status == GW_OK || status == GW_EOF || peer->is_refused,
                  "bad records: %d %s", status, peer->engine->ops->fault(peer->engine));
    }
    before = in->len;
    if (before == 0)
        return false;
    if (peer->codec->state == GW_CODEC_OVER) {
        gw_chain_clear(in);
        return false;
    }
    (void)peer->codec->ops->read(peer->codec, in, peer->sim->now);
    return in->len != before;
}

/* True: something went, so that calls may have room again. */
static bool write_out(struct sim_peer *peer)
{
    uint64_t before = peer->codec->written;
    bool has_said = false;
    struct gw_chain *out = peer->engine != NULL ? &peer->clear_out : &peer->wire_out;

    for (int i = 0; i < 8 && peer->codec->ops->wants_write(peer->codec); i++)
        if (peer->codec->ops->write(peer->codec, out, WRITE_MARK, peer->sim->now) != GW_OK)
            break;
    if (peer->engine != NULL)
        SIM_CHECK(peer->sim,
                  peer->engine->ops->seal(peer->engine, out, &peer->wire_out, 1 << 20) == GW_OK,
                  "seal");
    while (!gw_chain_is_empty(&peer->wire_out)) {
        gw_const_span span = gw_chain_front(&peer->wire_out);
        sim_wire_say(peer->wire, peer->sim, span.ptr, span.len);
        gw_chain_drop(&peer->wire_out, span.len);
        has_said = true;
    }
    return has_said || peer->codec->written != before;
}

static void tell_calls(struct sim_peer *peer)
{
    struct gw_list *node = peer->calls.next;

    while (node != &peer->calls) {
        struct sim_call *call = GW_CONTAINER(node, struct sim_call, node);
        node = node->next;
        if (peer->is_client)
            sim_client_news(call);
        else
            sim_origin_news(call);
        if (peer->is_dead)
            return;
        if (call->is_over)
            sim_call_free(call);
    }
}

static void end_sending(struct sim_peer *peer)
{
    if (peer->wire->peer_fin)
        return;
    if (peer->engine != NULL) {
        peer->engine->ops->close(peer->engine);
        (void)write_out(peer);
    }
    sim_wire_fin(peer->wire, peer->sim);
}

void sim_peer_run(struct sim_peer *peer)
{
    bool moved = true;

    for (int i = 0; i < 100 && moved && !peer->is_dead; i++) {
        uint64_t taken = peer->sim->taken;
        moved = read_in(peer);
        tell_calls(peer);
        moved = moved || peer->sim->taken != taken; /* what waits behind a full pipe may be read */
        if (!peer->is_dead && write_out(peer))
            moved = true;
    }
    if (peer->is_dead)
        return;
    if (peer->is_client)
        sim_client_run(peer->sim, peer->client);
    (void)write_out(peer);
    if (peer->is_refused) {
        sim_peer_end(peer, GW_ERESET);
        return;
    }
    if (peer->saw_end && !peer->end_told && gw_chain_is_empty(&peer->clear_in)) {
        sim_peer_end(peer, GW_EOF); /* the engine's own end, before the wire's */
        return;
    }
    if (peer->leaves && gw_list_is_empty(&peer->calls) &&
        !peer->codec->ops->wants_write(peer->codec)) {
        end_sending(peer);
        peer->is_dead = true;
        return;
    }
    /* All is said, or a tunnel's half is over. */
    if ((peer->codec->state == GW_CODEC_OVER && peer->codec->streams == 0) ||
        peer->codec->is_write_done)
        end_sending(peer);
}

void sim_peer_hear(struct sim_peer *peer, const void *bytes, size_t len)
{
    SIM_CHECK(peer->sim, gw_chain_write(&peer->wire_in, bytes, len) == GW_OK, "peer's memory");
    sim_peer_run(peer);
}

/* A tunnel whose own half is not over may go on after the gateway's end. */
static bool has_open_tunnel(const struct sim_peer *peer)
{
    for (struct gw_list *node = peer->calls.next; node != &peer->calls; node = node->next) {
        const struct sim_call *call = GW_CONTAINER(node, struct sim_call, node);
        if (call->stream.is_tunnel && call->stream.out < GW_HALF_DONE)
            return true;
    }
    return false;
}

void sim_peer_end(struct sim_peer *peer, gw_status why)
{
    if (peer->is_dead || peer->end_told)
        return;
    peer->end_told = true;
    peer->codec->ops->read_end(peer->codec, why, peer->sim->now);
    sim_peer_run(peer);
    if (peer->is_dead || (why == GW_EOF && has_open_tunnel(peer)))
        return;
    peer->is_dead = true;
    if (!peer->wire->peer_fin)
        sim_wire_fin(peer->wire, peer->sim);
    if (peer->is_client)
        sim_client_dead(peer);
    else
        sim_origin_dead(peer);
}
