/* budget/budget.c: a worker in memory with clients and upstreams of another make, which says the same
 * thing again and again: so that what a request costs can be counted, in instructions by callgrind and
 * in calls of the allocator here.
 *
 *     budget SHAPE REQUESTS     says how many calls of the allocator the requests took
 *
 * A request is a GET with the fields that a client sends, its response 100 bytes with the fields that a
 * server sends; or a gRPC call of 105 bytes each way. Eight are under way at once: on as many connections,
 * or as streams of one.
 * budget.py counts only inside the calls of gw/bytes.h and gw/link.h: peers cost nothing.
 */
#include <nghttp2/nghttp2.h>

#include "../unit/parts.h"

enum { WARM = 64, AT_ONCE = 8, BODY = 100, MESSAGE = 105 };

struct shape {
    const char *name;
    uint32_t client, upstream;
    bool is_grpc;
    bool has_policies; /* all that there are: make_guarded */
};
static const struct shape shapes[] = {
    { "h1-h1", GW_PROTO_H1, GW_PROTO_H1, false, false },
    { "h1-h2", GW_PROTO_H1, GW_PROTO_H2, false, false },
    { "h2-h1", GW_PROTO_H2, GW_PROTO_H1, false, false },
    { "h2-h2", GW_PROTO_H2, GW_PROTO_H2, false, false },
    { "grpc", GW_PROTO_H2, GW_PROTO_H2, true, false },
    { "h1-h1-all", GW_PROTO_H1, GW_PROTO_H1, false, true },
    { "grpc-all", GW_PROTO_H2, GW_PROTO_H2, true, true },
};

static struct mode1 host;
static const struct shape *shape;
static uint32_t answered; /* whole responses that clients got */
static uint8_t body[BODY], message[MESSAGE];

/* An HTTP/2 peer: one session of nghttp2's own. */
struct peer {
    struct mode1_link *link;
    nghttp2_session *session;
};
static struct peer client, upstreams[MODE1_LINKS];
static struct mode1_link *clients_h1[AT_ONCE];
static int upstreams_len;

/* ---- what is said ---- */

static const char request_h1[] = "GET /path/to/thing?x=1 HTTP/1.1\r\n"
                                 "Host: www.example.org\r\n"
                                 "User-Agent: budget/1.0\r\n"
                                 "Accept: */*\r\n"
                                 "Accept-Encoding: gzip, deflate\r\n"
                                 "\r\n";
static const char response_h1[] = "HTTP/1.1 200 OK\r\n"
                                  "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                  "Server: budget/1.0\r\n"
                                  "Content-Type: text/plain\r\n"
                                  "Content-Length: 100\r\n"
                                  "\r\n";

#define PAIR(name, value)                                                                          \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,             \
            sizeof(value) - 1, NGHTTP2_NV_FLAG_NONE                                                \
    }
static const nghttp2_nv request_h2[] = {
    PAIR(":method", "GET"),
    PAIR(":scheme", "http"),
    PAIR(":authority", "www.example.org"),
    PAIR(":path", "/path/to/thing?x=1"),
    PAIR("user-agent", "budget/1.0"),
    PAIR("accept", "*/*"),
    PAIR("accept-encoding", "gzip, deflate"),
};
static const nghttp2_nv response_h2[] = {
    PAIR(":status", "200"),        PAIR("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    PAIR("server", "budget/1.0"),  PAIR("content-type", "text/plain"),
    PAIR("content-length", "100"),
};
static const nghttp2_nv request_grpc[] = {
    PAIR(":method", "POST"),
    PAIR(":scheme", "http"),
    PAIR(":authority", "www.example.org"),
    PAIR(":path", "/budget.Service/Call"),
    PAIR("content-type", "application/grpc"),
    PAIR("te", "trailers"),
    PAIR("user-agent", "grpc-budget/1.0"),
};
static const nghttp2_nv response_grpc[] = {
    PAIR(":status", "200"),
    PAIR("content-type", "application/grpc"),
};
static const nghttp2_nv trailers_grpc[] = { PAIR("grpc-status", "0"), PAIR("grpc-message", "") };

enum { REQUEST_LEN = 7 };
_Static_assert(sizeof request_h2 / sizeof *request_h2 == REQUEST_LEN, "request_h2");
_Static_assert(sizeof request_grpc / sizeof *request_grpc == REQUEST_LEN, "request_grpc");

/* Bytes from a peer, in one read; the step comes when all have spoken. */
static void put(struct mode1_link *l, const void *bytes, size_t len)
{
    gw_span room;
    ck_assert_uint_eq(gw_link_room(l->link, &room, 1), 1);
    ck_assert_uint_le(len, room.len);
    memcpy(room.ptr, bytes, len);
    gw_link_received(l->link, len, GW_OK);
}

/* ---- HTTP/2 peers ---- */

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    size_t n = shape->is_grpc ? MESSAGE : BODY;
    (void)source;
    (void)ctx;
    ck_assert_uint_le(n, len);
    memcpy(out, shape->is_grpc ? message : body, n);
    *flags = NGHTTP2_DATA_FLAG_EOF;
    if (shape->is_grpc && nghttp2_session_check_server_session(session)) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        ck_assert_int_eq(nghttp2_submit_trailer(session, id, trailers_grpc, 2), 0);
    }
    return (ssize_t)n;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    nghttp2_data_provider provider = { .read_callback = give_body };
    (void)ctx;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    if (!nghttp2_session_check_server_session(session))
        answered++;
    else if (shape->is_grpc)
        ck_assert_int_eq(
            nghttp2_submit_response(session, frame->hd.stream_id, response_grpc, 2, &provider), 0);
    else
        ck_assert_int_eq(
            nghttp2_submit_response(session, frame->hd.stream_id, response_h2, 5, &provider), 0);
    return 0;
}

static void open_session(struct peer *p, bool is_server)
{
    nghttp2_session_callbacks *callbacks;
    ck_assert_int_eq(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    if (is_server)
        ck_assert_int_eq(nghttp2_session_server_new(&p->session, callbacks, p), 0);
    else
        ck_assert_int_eq(nghttp2_session_client_new(&p->session, callbacks, p), 0);
    nghttp2_session_callbacks_del(callbacks);
    ck_assert_int_eq(nghttp2_submit_settings(p->session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

/* What came goes to the session, what it says goes back, all at once. True: something did. */
static bool talk_h2(struct peer *p)
{
    static uint8_t out[1 << 16];
    size_t len = 0;
    const uint8_t *piece;
    ssize_t n;
    bool any = p->link->out_len > 0;
    n = nghttp2_session_mem_recv(p->session, (const uint8_t *)p->link->out, p->link->out_len);
    ck_assert_int_eq(n, (ssize_t)p->link->out_len);
    mode1_clear(p->link);
    while ((n = nghttp2_session_mem_send(p->session, &piece)) > 0) {
        ck_assert_uint_le(len + (size_t)n, sizeof out);
        memcpy(out + len, piece, (size_t)n);
        len += (size_t)n;
    }
    ck_assert_int_eq(n, 0);
    if (len > 0)
        put(p->link, out, len);
    return any || len > 0;
}

/* ---- HTTP/1 peers: one message at a time, and each comes whole ---- */

static bool answer_h1(struct mode1_link *l)
{
    static char out[sizeof response_h1 + BODY];
    if (l->out_len == 0)
        return false;
    ck_assert_str_eq(l->out + l->out_len - 4, "\r\n\r\n");
    mode1_clear(l);
    memcpy(out, response_h1, sizeof response_h1 - 1);
    memcpy(out + sizeof response_h1 - 1, body, BODY);
    put(l, out, sizeof response_h1 - 1 + BODY);
    return true;
}

static bool hear_h1(struct mode1_link *l)
{
    if (l->out_len == 0)
        return false;
    ck_assert_msg(strncmp(l->out, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", l->out);
    ck_assert_mem_eq(l->out + l->out_len - BODY, body, BODY);
    mode1_clear(l);
    answered++;
    return true;
}

/* ---- the run ---- */

static struct peer *upstream_of(struct mode1_link *l)
{
    for (int i = 0; i < upstreams_len; i++)
        if (upstreams[i].link == l)
            return &upstreams[i];
    upstreams[upstreams_len].link = l;
    if (shape->upstream == GW_PROTO_H2)
        open_session(&upstreams[upstreams_len], true);
    return &upstreams[upstreams_len++];
}

static bool upstreams_talk(void)
{
    bool any = false;
    for (int i = 0; i < host.count; i++) {
        struct mode1_link *l = &host.links[i];
        if (!l->is_upstream || l->link == NULL)
            continue;
        struct peer *p = upstream_of(l);
        any = (shape->upstream == GW_PROTO_H2 ? talk_h2(p) : answer_h1(l)) || any;
    }
    return any;
}

/* As many requests as are made at once, and their responses. */
static void turn(void)
{
    const nghttp2_nv *fields = shape->is_grpc ? request_grpc : request_h2;
    nghttp2_data_provider provider = { .read_callback = give_body };
    host.now += 1000000;
    for (int i = 0; shape->client == GW_PROTO_H1 && i < AT_ONCE; i++)
        put(clients_h1[i], request_h1, sizeof request_h1 - 1);
    for (int i = 0; shape->client == GW_PROTO_H2 && i < AT_ONCE; i++)
        ck_assert_int_gt(nghttp2_submit_request(client.session, NULL, fields, REQUEST_LEN,
                                                shape->is_grpc ? &provider : NULL, NULL),
                         0);
    for (bool any = true; any;) {
        mode1_pump(&host);
        any = shape->client == GW_PROTO_H2 && talk_h2(&client);
        for (int i = 0; shape->client == GW_PROTO_H1 && i < AT_ONCE; i++)
            any = hear_h1(clients_h1[i]) || any;
        any = upstreams_talk() || any;
    }
}

/* Two limiters, a split by turns, least request, a breaker, ejection, a throttle, ceilings, retries. */
static gw_config *make_guarded(void)
{
    static const gw_str by_client = { "client", 6 };
    static const gw_str limiters[] = { { "all", 3 }, { "each", 4 } };
    gw_builder *b = parts_begin(&host);
    gw_breaker_spec breaker = GW_SPEC(gw_breaker_spec);
    gw_outlier_spec outlier = GW_SPEC(gw_outlier_spec);
    gw_throttle_spec throttle = GW_SPEC(gw_throttle_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_limiter_spec limiter = GW_SPEC(gw_limiter_spec);
    gw_retry_spec retry = GW_SPEC(gw_retry_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_split_spec splits[2] = { GW_SPEC(gw_split_spec), GW_SPEC(gw_split_spec) };

    parts_listener(b, "edge");
    limiter.name = limiters[0];
    limiter.tokens = 1000000;
    ck_assert_uint_ne(gw_builder_limiter(b, &limiter), 0);
    limiter.name = limiters[1];
    limiter.keys = &by_client;
    limiter.keys_len = 1;
    ck_assert_uint_ne(gw_builder_limiter(b, &limiter), 0);
    cluster.protocols = shape->upstream;
    cluster.balance = GW_BALANCE_LEAST_REQUEST;
    cluster.breaker = &breaker;
    cluster.outlier = &outlier;
    cluster.throttle = &throttle;
    cluster.exchanges_max = cluster.pending_max = cluster.retries_max = 1000;
    parts_cluster(b, "web", &cluster, "127.0.0.1:81");
    parts_cluster(b, "next", &cluster, "127.0.0.1:82");
    splits[0].cluster = GW_STR("web");
    splits[1].cluster = GW_STR("next");
    retry.per_try_timeout_ms = 1000;
    route.limiters = limiters;
    route.limiters_len = 2;
    route.splits = splits;
    route.splits_len = 2;
    route.retry = &retry;
    parts_route(b, "/", &route, NULL);
    return parts_build(b);
}

static gw_config *make_plain(void)
{
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);

    parts_listener(b, "edge");
    cluster.protocols = shape->upstream;
    parts_cluster(b, "web", &cluster, "127.0.0.1:81");
    parts_route(b, "/", NULL, "web");
    return parts_build(b);
}

static void serve(uint32_t requests)
{
    uint32_t end = answered + requests;
    while (answered < end) {
        uint32_t before = answered;
        turn();
        ck_assert_uint_gt(answered, before);
    }
}

int main(int argc, char **argv)
{
    uint32_t requests = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    for (size_t i = 0; argc == 3 && i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, argv[1]) == 0)
            shape = &shapes[i];
    if (shape == NULL)
        return 2;
    test_alloc_init(&host.alloc);
    memset(body, 'x', sizeof body);
    message[4] = MESSAGE - 5;
    mode1_start(&host, shape->has_policies ? make_guarded() : make_plain(), NULL);
    for (int i = 0; shape->client == GW_PROTO_H1 && i < AT_ONCE; i++)
        clients_h1[i] = mode1_accept(&host, "edge");
    if (shape->client == GW_PROTO_H2) {
        client.link = mode1_accept(&host, "edge");
        open_session(&client, false);
    }
    serve(WARM);
    test_alloc_restart(&host.alloc);
    serve(requests);
    printf("%llu\n", (unsigned long long)host.alloc.calls);
    mode1_stop(&host);
    nghttp2_session_del(client.session);
    for (int i = 0; i < upstreams_len; i++)
        nghttp2_session_del(upstreams[i].session);
    return 0;
}
