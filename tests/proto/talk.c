/* proto/talk.c: what the words of a script mean to its peers: requests, responses, bodies, ends. */

#include "proto.h"

#include "exchange/exchange.h"

static struct proto *of(struct sim *sim)
{
    return (struct proto *)sim;
}

/* ---- the gateway's side: configuration and hooks ---- */

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    struct proto *p = ctx;
    gw_reply reply = GW_SPEC(gw_reply);

    if (p->verdict == GW_REPLY) {
        reply.code = 403;
        reply.type = gw_cstr("application/json");
        reply.body = gw_cstr("{\"error\":\"forbidden\"}");
        if (gw_exchange_reply(x, &reply) != GW_OK) {
            SIM_CHECK(&p->sim, p->sim.allocations_failed > 0, "reply");
            return GW_ABORT;
        }
    }
    return p->verdict;
}

static gw_verdict on_response_body(void *ctx, gw_exchange *x, gw_pipe *response)
{
    (void)ctx;
    (void)x;
    (void)response;
    return GW_ABORT;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    struct proto *p = ctx;
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    SIM_CHECK(&p->sim, gw_exchange_get_info(x, &info) == GW_OK, "info");
    SIM_CHECK(&p->sim, p->ends_len < PROTO_CALLS, "too many ends");
    p->ends[p->ends_len++] = (struct proto_end){ gw_exchange_cause(x), info.code };
}

static gw_verdict origin_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    return gw_exchange_respond(x, 200) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_verdict origin_write(void *ctx, gw_exchange *x, gw_pipe *response)
{
    (void)ctx;
    (void)x;
    if (gw_pipe_write(response, "part", 4) != 4)
        return GW_ABORT;
    (void)gw_exchange_wait(x);
    return GW_WAIT;
}

static gw_verdict origin_read(void *ctx, gw_exchange *x, gw_pipe *request)
{
    (void)ctx;
    (void)x;
    return gw_pipe_is_last(request) ? GW_NEXT : GW_ABORT; /* the first body bytes end it */
}

gw_config *proto_config(struct proto *p)
{
    static const gw_origin origin = { .size = sizeof(gw_origin),
                                      .name = "host",
                                      .on_request = origin_request,
                                      .on_read = origin_read,
                                      .on_write = origin_write };
    gw_env env = GW_SPEC(gw_env);
    gw_cluster_spec host = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    gw_builder *b;
    gw_status status;
    gw_id id, route, host_route;

    SIM_CHECK(&p->sim, gw_builder_new(&env, &b) == GW_OK, "builder");
    gw_builder_listener(b, &p->listener);
    id = gw_builder_cluster(b, &p->cluster);
    endpoint.name = gw_cstr("up");
    endpoint.address = gw_cstr(p->address);
    gw_builder_endpoint(b, id, &endpoint);
    host.name = gw_cstr("host");
    host.origin = &origin;
    gw_builder_cluster(b, &host);
    if (p->route.limiters_len > 0)
        gw_builder_limiter(b, &p->limiter);
    route = gw_builder_route(b, &p->route);
    host_route = gw_builder_route(b, &p->host_route);
    filter.name = "script";
    filter.ctx = p;
    filter.body = p->aborts_body ? GW_BODY_RESPONSE : 0;
    filter.on_request = on_request;
    filter.on_response_body = on_response_body;
    filter.on_end = on_end;
    gw_builder_filter(b, &filter);
    proto_filter_add(p, b, route, host_route);
    status = gw_builder_build(b, &config, &err);
    SIM_CHECK(&p->sim, status == GW_OK, "%s: %s", err.where, err.text);
    return config;
}

/* ---- what the peers see ---- */

static void note_fields(const struct gw_fields *fields, char *out, size_t size)
{
    struct gw_field *f;
    uint32_t i = 0;
    size_t n = 0;

    out[0] = '\0';
    while ((f = gw_fields_next(fields, &i)) != NULL) {
        for (size_t j = 0; j < f->name.len && n + 2 < size; j++)
            out[n++] = gw_ascii_lower(f->name.ptr[j]);
        n += (size_t)snprintf(out + n, size - n, ": %.*s\n", (int)f->value.len, f->value.ptr);
    }
}

static void copy(char *out, size_t size, gw_str s)
{
    snprintf(out, size, "%.*s", (int)s.len, s.ptr == NULL ? "" : s.ptr);
}

static void take_body(struct proto_call *c, struct sim_call *call)
{
    gw_const_span spans[8];
    size_t n;

    while ((n = gw_pipe_peek(&call->in_pipe, spans, 8)) > 0) {
        size_t len = 0;
        for (size_t i = 0; i < n && c->body_len + spans[i].len < PROTO_TEXT; i++) {
            memcpy(c->body + c->body_len, spans[i].ptr, spans[i].len);
            c->body_len += spans[i].len;
            len += spans[i].len;
        }
        SIM_CHECK(call->peer->sim, len > 0 && gw_pipe_drop(&call->in_pipe, len) == GW_OK, "drop");
    }
    if (call->stream.codec != NULL)
        call->peer->codec->ops->advance(call->peer->codec, &call->stream);
}

static struct proto_call *find(struct proto_call *calls, int n, const struct sim_call *call)
{
    for (int i = 0; i < n; i++)
        if (calls[i].call == call)
            return &calls[i];
    return NULL;
}

static void see(struct proto_call *c, struct sim_call *call, uint32_t news)
{
    struct gw_stream *s = &call->stream;

    if ((news & GW_NEWS_HEAD) != 0 && !c->has_head) {
        c->has_head = true;
        c->status = call->in_head.code;
        copy(c->method, sizeof c->method, call->in_head.method_text);
        copy(c->path, sizeof c->path, call->in_head.path);
        note_fields(&call->in_head.fields, c->head, sizeof c->head);
        if (call->in_head.code == 101 ||
            (call->in_head.code / 100 == 2 && s->request_method == GW_METHOD_CONNECT)) {
            s->is_tunnel = true;
            call->peer->codec->ops->advance(call->peer->codec, s);
        }
    }
    if (s->in >= GW_HALF_BODY)
        take_body(c, call);
    if (s->in == GW_HALF_DONE && gw_pipe_len(&call->in_pipe) == 0) {
        c->is_whole = true;
        note_fields(&call->in_trailers.fields, c->trailers, sizeof c->trailers);
    }
    if (s->in == GW_HALF_CUT) {
        c->is_cut = !c->is_whole;
        c->peer_code = s->peer_code;
    }
}

void sim_client_news(struct sim_call *call)
{
    struct proto *p = of(call->peer->sim);
    struct proto_call *c = find(p->client, p->clients, call);
    uint32_t news = call->stream.news;

    if (c == NULL || p->stops_reading)
        return;
    call->stream.news = 0;
    for (const struct gw_message *m = call->stream.info; m != NULL; m = m->next)
        c->infos++;
    call->stream.info = NULL;
    see(c, call, news);
    if ((c->is_whole && call->stream.out >= GW_HALF_DONE) || c->is_cut) {
        c->call = NULL;
        call->is_over = true;
    }
}

void sim_origin_news(struct sim_call *call)
{
    struct proto *p = of(call->peer->sim);
    struct proto_call *c = find(p->upstream, p->upstreams, call);
    uint32_t news = call->stream.news;

    call->stream.news = 0;
    if (c == NULL) {
        if (call->stream.in == GW_HALF_CUT) {
            call->is_over = true;
            return;
        }
        SIM_CHECK(&p->sim, p->upstreams < PROTO_CALLS, "too many requests");
        c = &p->upstream[p->upstreams++];
        c->call = call;
        c->body = calloc(1, PROTO_TEXT);
    }
    see(c, call, news);
    if ((c->is_whole && call->stream.out >= GW_HALF_DONE) || c->is_cut) {
        c->call = NULL;
        call->is_over = true;
    }
}

void sim_client_run(struct sim *sim, uint32_t client)
{
    (void)sim;
    (void)client;
}

/* A peer is gone: what it still had is cut. */
static void forget(struct proto_call *calls, int n, const struct sim_peer *peer)
{
    for (int i = 0; i < n; i++) {
        if (calls[i].call == NULL || calls[i].call->peer != peer)
            continue;
        see(&calls[i], calls[i].call, calls[i].call->stream.news);
        calls[i].is_cut = !calls[i].is_whole;
        calls[i].call = NULL;
    }
}

void sim_client_dead(struct sim_peer *peer)
{
    struct proto *p = of(peer->sim);

    if (!p->stops_reading)
        forget(p->client, p->clients, peer);
    p->client_wire = NULL;
}

void sim_origin_dead(struct sim_peer *peer)
{
    struct proto *p = of(peer->sim);

    forget(p->upstream, p->upstreams, peer);
}

void sim_origin_connected(struct sim *sim, struct sim_wire *wire)
{
    of(sim)->upstream_wire = wire;
    sim_peer_new(sim, wire, false, sim->swarm.upstream_protocol);
    sim_at(sim, 0, SIM_PEER_RUNS, wire->index, wire->turn, 0);
}

/* ---- words that do something ---- */

static bool is(gw_str word, const char *text)
{
    return gw_str_eq(word, gw_cstr(text));
}

static bool starts(gw_str word, const char *prefix, gw_str *rest)
{
    gw_str pre = gw_cstr(prefix);

    if (!gw_str_starts(word, pre))
        return false;
    *rest = gw_str_slice(word, pre.len, word.len);
    return true;
}

/* The smallest ClientHello with a name. */
static size_t hello_of(gw_str name, char **out)
{
    static const char head[] = "\x16\3\1\0\0\1\0\0\0\3\3RandomRandomRandomRandomRandomRa"
                               "\0\0\2\xc0\x2f\1\0\0\0\0\0\0\0\0\0\0\0\0";
    enum { HEAD = sizeof head - 1 };
    static const struct {
        int at, over;
    } lengths[] = { { 3, 5 }, { 7, 9 }, { 50, 52 }, { 54, 56 }, { 56, 58 }, { 59, 61 } };
    size_t len = HEAD + name.len;

    *out = malloc(len);
    memcpy(*out, head, HEAD);
    memcpy(*out + HEAD, name.ptr, name.len);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        (*out)[lengths[i].at] = (char)((len - (size_t)lengths[i].over) >> 8);
        (*out)[lengths[i].at + 1] = (char)(len - (size_t)lengths[i].over);
    }
    return len;
}

/* "body=abc", "body=*5000": so many x, "body=hello:a.example". */
static size_t body_of(gw_str text, char **out)
{
    uint64_t n;
    size_t len = text.len;

    if (gw_str_starts(text, gw_cstr("hello:")))
        return hello_of(gw_str_slice(text, 6, len), out);

    if (text.len > 1 && text.ptr[0] == '*' &&
        gw_parse_u64(gw_str_slice(text, 1, text.len), &n) == GW_OK) {
        *out = malloc((size_t)n + 1);
        memset(*out, 'x', (size_t)n);
        return (size_t)n;
    }
    *out = malloc(len + 1);
    memcpy(*out, text.ptr, len);
    return len;
}

static void put(struct sim_call *call, gw_str text, bool is_end)
{
    char *body;
    size_t len = body_of(text, &body);

    SIM_CHECK(call->peer->sim, gw_chain_write(&call->out_pipe.chain, body, len) == GW_OK, "put");
    call->out_pipe.bytes_in += len;
    call->out_pipe.is_ended = is_end;
    free(body);
}

/* name:value words are fields; trailer=name:value; body=TEXT; length=N; open. */
static void fill_message(struct sim_call *call, const struct proto_line *l, int from)
{
    struct gw_message *m = &call->out_head;
    struct sim *sim = call->peer->sim;
    gw_str body = { "", 0 }, rest, length = { NULL, 0 };
    bool is_open = false, has_trailers = false;

    for (int i = from; i < l->words; i++) {
        gw_str w = l->word[i];
        struct gw_fields *fields = &m->fields;
        size_t colon;
        if (starts(w, "body=", &body) || starts(w, "length=", &length) ||
            starts(w, "reset=", &rest))
            continue;
        if (is(w, "open")) {
            is_open = true;
            continue;
        }
        if (starts(w, "trailer=", &rest)) {
            fields = &call->out_trailers.fields;
            has_trailers = true;
            w = rest;
        }
        colon = gw_str_find(w, ':');
        SIM_CHECK(sim, colon > 0 && colon < w.len, "line %d: what is %s?", l->number, w.ptr);
        SIM_CHECK(sim,
                  gw_fields_add_copy(fields, gw_str_slice(w, 0, colon),
                                     gw_str_slice(w, colon + 1, w.len)) == GW_OK,
                  "field");
    }
    m->body = is_open || has_trailers ? GW_BODY_UNKNOWN
              : body.len > 0          ? GW_BODY_LENGTH
                                      : GW_BODY_NONE;
    m->length = body.len;
    if (length.ptr != NULL) {
        m->body = GW_BODY_LENGTH;
        SIM_CHECK(sim, gw_parse_u64(length, &m->length) == GW_OK, "length");
    } else if (m->body == GW_BODY_LENGTH) {
        char *ignored;
        m->length = body_of(body, &ignored);
        free(ignored);
    }
    put(call, body, !is_open);
}

static void request(struct proto *p, const struct proto_line *l)
{
    struct sim_peer *peer;
    struct sim_call *call;
    struct gw_message *m;
    struct proto_call *c = &p->client[p->clients++];

    if (p->client_wire == NULL)
        proto_connect_client(p);
    peer = p->client_wire->peer;
    SIM_CHECK(&p->sim, peer != NULL && !peer->is_dead, "line %d: the connection is over",
              l->number);
    call = sim_call_new(peer);
    m = &call->out_head;
    m->method_text = l->word[2];
    m->method = (uint8_t)gw_method_of(m->method_text);
    m->scheme = gw_cstr("http");
    m->authority = gw_cstr("script.test");
    m->path = m->method == GW_METHOD_CONNECT ? (gw_str){ "", 0 } : l->word[3];
    if (m->method == GW_METHOD_CONNECT)
        m->authority = l->word[3];
    fill_message(call, l, 4);
    if (gw_fields_find(&m->fields, GW_FIELD_UPGRADE) != NULL) {
        m->protocol = gw_fields_find(&m->fields, GW_FIELD_UPGRADE)->value;
        gw_fields_drop(&m->fields, GW_FIELD_UPGRADE);
        call->out_pipe.is_ended = false; /* what follows is said after 101 */
    }
    call->stream.out_head = m;
    call->stream.out_pipe = &call->out_pipe;
    call->stream.out = GW_HALF_HEAD;
    call->stream.request_method = m->method;
    c->call = call;
    c->body = calloc(1, PROTO_TEXT);
    SIM_CHECK(&p->sim, peer->codec->ops->open(peer->codec, &call->stream) == GW_OK, "open");
    sim_peer_run(peer);
}

static struct proto_call *last(struct proto_call *calls, int n)
{
    return n > 0 && calls[n - 1].call != NULL ? &calls[n - 1] : NULL;
}

static void respond(struct proto *p, const struct proto_line *l)
{
    struct proto_call *c = last(p->upstream, p->upstreams);
    uint64_t code;
    struct sim_call *call;
    struct gw_message *m;
    gw_str rest;

    SIM_CHECK(&p->sim, c != NULL, "line %d: no request to respond to", l->number);
    call = c->call;
    m = &call->out_head;
    SIM_CHECK(&p->sim, gw_parse_u64(l->word[2], &code) == GW_OK, "status");
    if (code < 200 && code != 101) {
        m = &call->info;
        gw_message_init(m, GW_MESSAGE_RESPONSE, &call->arena, 100);
        m->code = (uint16_t)code;
        call->stream.out_info = m;
        call->peer->codec->ops->advance(call->peer->codec, &call->stream);
        sim_peer_run(call->peer);
        return;
    }
    m->code = (uint16_t)code;
    fill_message(call, l, 3);
    call->stream.is_tunnel = code < 300 && call->stream.request_method == GW_METHOD_CONNECT;
    if (code == 101) {
        m->protocol = gw_cstr("websocket");
        m->body = GW_BODY_TUNNEL;
        call->stream.is_tunnel = true;
        call->out_pipe.is_ended = false;
    }
    call->stream.out_head = m;
    call->stream.out_pipe = &call->out_pipe;
    call->stream.out = GW_HALF_HEAD;
    call->peer->codec->ops->advance(call->peer->codec, &call->stream);
    sim_peer_run(call->peer);
    if (starts(l->word[l->words - 1], "reset=", &rest)) { /* before anybody has seen it */
        call->peer->codec->ops->reset(call->peer->codec, &call->stream, (uint32_t)atoi(rest.ptr));
        sim_peer_run(call->peer);
    }
}

static void body(struct proto *p, struct proto_call *c, const struct proto_line *l)
{
    gw_str text = l->words > 2 && !is(l->word[2], "end") ? l->word[2] : (gw_str){ "", 0 };

    SIM_CHECK(&p->sim, c != NULL && c->call != NULL, "line %d: nobody to say it", l->number);
    put(c->call, text, is(l->word[l->words - 1], "end"));
    c->call->peer->codec->ops->advance(c->call->peer->codec, &c->call->stream);
    sim_peer_run(c->call->peer);
}

static void break_off(struct proto *p, struct sim_wire *w, struct proto_call *calls, int n,
                      bool is_reset)
{
    SIM_CHECK(&p->sim, w != NULL && w->peer != NULL, "no connection to break");
    if (!is_reset) {
        if (w->peer->engine != NULL) {
            w->peer->engine->ops->close(w->peer->engine);
            sim_peer_run(w->peer);
        }
        sim_wire_fin(w, &p->sim);
        return; /* it may still read */
    }
    sim_wire_rst(w, &p->sim);
    forget(calls, n, w->peer);
    w->peer->is_dead = true;
    if (w == p->client_wire)
        p->client_wire = NULL;
}

/* As they are, but in records where there is an engine. */
static void say(struct proto *p, struct sim_wire *w, gw_str bytes)
{
    if (w->peer == NULL || w->peer->engine == NULL) {
        sim_wire_say(w, &p->sim, bytes.ptr, bytes.len);
        return;
    }
    SIM_CHECK(&p->sim, gw_chain_write_str(&w->peer->clear_out, bytes) == GW_OK, "say");
    sim_peer_run(w->peer);
}

static bool do_side(struct proto *p, const struct proto_line *l, bool is_client)
{
    struct proto_call *calls = is_client ? p->client : p->upstream;
    int n = is_client ? p->clients : p->upstreams;
    struct sim_wire *w = is_client ? p->client_wire : p->upstream_wire;
    struct proto_call *c = last(calls, n);
    gw_str verb = l->word[1];

    if (is(verb, "requests"))
        request(p, l);
    else if (is(verb, "responds"))
        respond(p, l);
    else if (is(verb, "body"))
        body(p, c, l);
    else if (is(verb, "says")) {
        if (is_client && w == NULL) {
            proto_connect_client(p);
            w = p->client_wire;
        }
        SIM_CHECK(&p->sim, w != NULL, "line %d: no connection", l->number);
        say(p, w, l->word[2]);
        if (l->words > 3 && is(l->word[3], "ends"))
            break_off(p, w, calls, n, false);
    } else if (is(verb, "ends"))
        break_off(p, w, calls, n, false);
    else if (is(verb, "breaks"))
        break_off(p, w, calls, n, true);
    else if (is(verb, "resets")) { /* HTTP/2: the stream; HTTP/1 has only its connection */
        uint64_t code = GW_H2_CANCEL;
        SIM_CHECK(&p->sim, c != NULL && w != NULL && w->peer != NULL, "line %d: nothing to reset",
                  l->number);
        if (l->words > 2)
            SIM_CHECK(&p->sim, gw_parse_u64(l->word[2], &code) == GW_OK, "code");
        if (w->peer->codec->ops->protocol == GW_PROTO_H1) {
            break_off(p, w, calls, n, true);
            return true;
        }
        w->peer->codec->ops->reset(w->peer->codec, &c->call->stream, (uint32_t)code);
        sim_peer_run(w->peer);
        if (c->call != NULL) {
            c->is_cut = !c->is_whole;
            sim_call_free(c->call);
            c->call = NULL;
        }
        sim_peer_run(w->peer);
    } else if (is(verb, "drains")) {
        SIM_CHECK(&p->sim, w != NULL && w->peer != NULL, "line %d: nobody to drain", l->number);
        w->peer->codec->ops->drain(w->peer->codec, true);
        sim_peer_run(w->peer);
    } else if (is(verb, "stops")) {
        p->stops_reading = is_client; /* of what comes, or at all */
        if (is(l->word[2], "taking"))
            p->sim.swarm.takes_nothing = is_client ? SIM_CLIENTS_TAKE_NOTHING
                                                   : SIM_UPSTREAMS_TAKE_NOTHING;
    } else {
        return false;
    }
    return true;
}

/* "gateway reloads", "... without route", "... without listener": the same again, or under another name. */
static bool reload(struct proto *p, const struct proto_line *l)
{
    gw_str listener = p->listener.name, path = p->route.path;
    gw_config *config;
    gw_status status;

    if (l->words > 3 && is(l->word[3], "route"))
        p->route.path = gw_cstr("/elsewhere");
    else if (l->words > 3 && is(l->word[3], "listener"))
        p->listener.name = gw_cstr("elsewhere");
    else if (l->words > 2)
        return false;
    config = proto_config(p);
    status = gw_engine_apply(p->sim.engine, config, NULL);
    gw_config_unref(config);
    p->listener.name = listener;
    p->route.path = path;
    SIM_CHECK(&p->sim, status == GW_OK, "apply");
    p->sim.wake = true;
    return true;
}

bool proto_do(struct proto *p, const struct proto_line *l)
{
    if (l->words < 2)
        return false;
    if (is(l->word[0], "client"))
        return do_side(p, l, true);
    if (is(l->word[0], "host"))
        return proto_host_does(p, l);
    if (is(l->word[0], "filter"))
        return proto_filter_does(p, l);
    if (is(l->word[0], "upstream"))
        return do_side(p, l, false);
    if (is(l->word[0], "gateway") && is(l->word[1], "reloads"))
        return reload(p, l);
    if (is(l->word[0], "gateway") && is(l->word[1], "drains")) {
        SIM_CHECK(&p->sim, gw_worker_drain(p->sim.worker, 5000) == GW_OK, "drain");
        p->sim.wake = true;
        return true;
    }
    return false;
}

/* ---- words that expect something ---- */

static const char *compare_body(struct proto_call *c, gw_str want)
{
    char *text;
    size_t len = body_of(want, &text);
    bool is_same = len == c->body_len && memcmp(text, c->body, len) == 0;
    static char came[300];

    free(text);
    if (is_same)
        return NULL;
    snprintf(came, sizeof came, "a body of %zu bytes: %.200s", c->body_len, c->body);
    return came;
}

/* What follows the status or path: body=, trailer=, has=, lacks=, cut, whole, open, infos=. */
static const char *compare(struct proto_call *c, const struct proto_line *l, int from)
{
    gw_str rest;
    const char *came;

    for (int i = from; i < l->words; i++) {
        gw_str w = l->word[i];
        if (starts(w, "body=", &rest)) {
            if ((came = compare_body(c, rest)) != NULL)
                return came;
        } else if (starts(w, "begins=", &rest)) {
            if (c->body_len < rest.len || memcmp(c->body, rest.ptr, rest.len) != 0)
                return c->body;
        } else if (starts(w, "trailer=", &rest)) {
            if (strstr(c->trailers, rest.ptr) == NULL)
                return c->trailers[0] != '\0' ? c->trailers : "no such trailer";
        } else if (starts(w, "has=", &rest)) {
            if (strstr(c->head, rest.ptr) == NULL)
                return c->head;
        } else if (starts(w, "lacks=", &rest)) {
            if (strstr(c->head, rest.ptr) != NULL)
                return c->head;
        } else if (starts(w, "infos=", &rest)) {
            if (c->infos != (uint32_t)atoi(rest.ptr))
                return "another number of 1xx";
        } else if (is(w, "cut")) {
            if (!c->is_cut)
                return c->is_whole ? "it is whole" : "it is neither cut nor whole";
        } else if (is(w, "whole")) {
            if (!c->is_whole)
                return c->is_cut ? "it is cut" : "it is not at its end";
        } else if (is(w, "open")) {
            if (c->is_whole || c->is_cut)
                return c->is_cut ? "it is cut" : "it is whole";
        } else {
            return "an unknown word in the script";
        }
    }
    return NULL;
}

static const char *expect_client(struct proto *p, const struct proto_line *l)
{
    static char came[600];
    struct proto_call *c = p->clients > 0 ? &p->client[p->clients - 1] : NULL;
    int from = 3;

    if (l->word[2].ptr[0] == '#') { /* "#1": not the last one */
        c = &p->client[atoi(l->word[2].ptr + 1) - 1];
        from = 4;
    }
    if (c == NULL)
        return "there was no request";
    if (is(l->word[from - 1], "nothing"))
        return c->status == 0 ? compare(c, l, from) : "a response";
    if (c->status != (uint32_t)atoi(l->word[from - 1].ptr)) {
        snprintf(came, sizeof came, "status %u%s: %.300s", c->status, c->is_cut ? ", cut" : "",
                 c->body);
        return came;
    }
    return compare(c, l, from);
}

static const char *expect_upstream(struct proto *p, const struct proto_line *l)
{
    static char came[600];
    struct proto_call *c = p->upstreams > 0 ? &p->upstream[p->upstreams - 1] : NULL;
    int at = l->word[2].ptr[0] == '#' ? 3 : 2;

    if (is(l->word[2], "nothing"))
        return p->upstreams == 0 ? NULL : p->upstream[0].path;
    if (c == NULL)
        return "no request";
    if (!is(l->word[at], c->method) || !is(l->word[at + 1], c->path)) {
        snprintf(came, sizeof came, "%s %s", c->method, c->path);
        return came;
    }
    if (at == 3 && atoi(l->word[2].ptr + 1) != p->upstreams) {
        snprintf(came, sizeof came, "%d requests", p->upstreams);
        return came;
    }
    return compare(c, l, at + 2);
}

/* "end none", "end client client_reset", "end upstream upstream_cut 200" */
static const char *expect_end(struct proto *p, const struct proto_line *l)
{
    static char came[200];
    gw_reason row = GW_SPEC(gw_reason);
    const struct proto_end *e;

    if (p->ends_read >= p->ends_len)
        return "no exchange has ended";
    e = &p->ends[p->ends_read];
    (void)!gw_reason_of(e->cause.reason, &row);
    snprintf(came, sizeof came, "%s %s, code %u", gw_by_name(e->cause.by), row.name, e->code);
    if (!is(l->word[1], gw_by_name(e->cause.by)))
        return came;
    if (l->words > 2 && !is(l->word[2], row.name))
        return came;
    if (l->words > 3 && (uint32_t)atoi(l->word[3].ptr) != e->code)
        return came;
    return NULL;
}

const char *proto_expect(struct proto *p, const struct proto_line *l)
{
    if (is(l->word[0], "end"))
        return expect_end(p, l);
    if (l->words >= 3 && is(l->word[0], "host"))
        return proto_host_expects(p, l);
    if (l->words >= 4 && is(l->word[0], "filter"))
        return proto_filter_expects(p, l);
    if (l->words >= 3 && is(l->word[1], "gets"))
        return is(l->word[0], "client") ? expect_client(p, l) : expect_upstream(p, l);
    if (is(l->word[0], "client") && l->words >= 2 && is(l->word[1], "is") &&
        is(l->word[2], "closed"))
        return p->client_wire == NULL || p->client_wire->gateway_fin ||
                       p->client_wire->gateway_gone || p->client_wire->gone_told
                   ? NULL
                   : "it is open";
    return "the script says something unknown";
}
