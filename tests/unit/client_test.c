/* unit/client_test.c: the client role: how long responses are (RFC 9112 6.3), what is no response,
 * what may be said to the same connection next. */

#include "h1_test.h"

static gw_status client_open(struct world *w, const char *method, const char *upgrade)
{
    pair_request(w, method, upgrade);
    gw_status status = w->codec->ops->open(w->codec, &w->pair.stream);
    if (status != GW_OK)
        pair_fini(w);
    return status;
}

enum fate { REUSED, OVER };

static void play(struct world *w, const char *method, const char *upgrade, const char *bytes,
                 size_t len, size_t first, size_t piece, bool is_ended)
{
    world_init(w, true);
    must(client_open(w, method, upgrade));
    world_run(w);
    world_feed(w, bytes, first, 0);
    world_feed(w, bytes + first, len - first, piece);
    if (is_ended && w->codec->state != GW_CODEC_OVER)
        world_end(w, GW_EOF);
}

static const struct response {
    const char *method, *bytes, *log;
    enum fate fate;
    bool is_ended;
    const char *upgrade;
} responses[] = {
    { "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      "200 body=length:5 Content-Length=5 [hello] end\n", REUSED, false, NULL },
    { "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
      "200 body=length:0 Content-Length=0 end\n", REUSED, false, NULL },
    { "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
      "200 body=length:0 Content-Length=0 end\n", REUSED, false, NULL },
    { "GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
      "200 body=unknown transfer-encoding=chunked [abc] trailers A=b end\n", REUSED, false, NULL },
    /* until the connection's end */
    { "GET", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello", "200 body=unknown A=b [hello] end\n", OVER,
      true, NULL },
    { "GET", "HTTP/1.0 200 OK\r\n\r\nhello", "200 body=unknown 1.0 [hello] end\n", OVER, true,
      NULL },
    { "GET", "HTTP/1.1 200 OK\r\n\r\n", "200 body=unknown end\n", OVER, true, NULL },
    /* HTTP/1.0 and Connection */
    { "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "200 body=length:2 1.0 Content-Length=2 [ok] end\n", OVER, false, NULL },
    { "GET", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
      "200 body=length:2 1.0 Connection=Keep-Alive Content-Length=2 [ok] end\n", REUSED, false,
      NULL },
    { "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
      "200 body=length:2 Connection=close Content-Length=2 [ok] end\n", OVER, false, NULL },
    /* no body, whatever the fields say */
    { "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
      "200 body=none:7 Content-Length=7 end\n", REUSED, false, NULL },
    { "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "200 body=none Transfer-Encoding=chunked end\n", REUSED, false, NULL },
    { "HEAD", "HTTP/1.1 200 OK\r\n\r\n", "200 body=none end\n", REUSED, false, NULL },
    { "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
      "304 body=none:7 Content-Length=7 end\n", REUSED, false, NULL },
    { "GET", "HTTP/1.1 204 No Content\r\n\r\n", "204 body=none end\n", REUSED, false, NULL },
    { "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
      "204 body=none Content-Length=0 end\n", REUSED, false, NULL },
    /* informational ones before it */
    { "GET",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "info 100 body=none\ninfo 103 body=none Link=x\n200 body=length:2 Content-Length=2 [ok] "
      "end\n",
      REUSED, false, NULL },
    /* tunnels: what follows the head belongs to them */
    { "CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nraw bytes",
      "200 body=tunnel Content-Length=7 [raw bytes] end\n", OVER, true, NULL },
    { "CONNECT", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
      "403 body=length:2 Content-Length=2 [no] end\n", REUSED, false, NULL },
    { "GET",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
      "WebSocket\r\n\r\n\x81\x02hi",
      "101 upgrade=WebSocket body=tunnel Connection=Upgrade Upgrade=WebSocket [\x81\x02hi] end\n",
      OVER, true, "websocket" },
    { "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "200 body=length:2 Content-Length=2 [ok] end\n", REUSED, false, "websocket" },
    /* broken off */
    { "GET", "", " CUT upstream_closed\n", OVER, true, NULL },
    { "GET", "HTTP/1.1 200 OK\r\nConte", " CUT upstream_cut\n", OVER, true, NULL },
    { "GET", "HTTP/1.1 100 Continue\r\n\r\n", "info 100 body=none\n CUT upstream_cut\n", OVER, true,
      NULL },
    { "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "200 body=length:5 Content-Length=5 [hell] CUT upstream_cut\n", OVER, true, NULL },
    { "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
      "200 body=unknown Transfer-Encoding=chunked [abc] CUT upstream_cut\n", OVER, true, NULL },
};

START_TEST(framing)
{
    const struct response *r = &responses[_i];
    size_t len = strlen(r->bytes);
    for (size_t i = 0; i <= len + 1; i++) {
        struct world w;
        play(&w, r->method, r->upgrade, r->bytes, len, i <= len ? i : 0, i > len ? 1 : 0,
             r->is_ended);
        ck_assert_msg(strcmp(w.log.at, r->log) == 0, "cut at %zu: %s\nnot: %s", i, w.log.at,
                      r->log);
        if (r->fate == REUSED) {
            ck_assert_uint_eq(w.pair.stream.in, GW_HALF_DONE);
            ck_assert_uint_eq(w.pair.stream.out, GW_HALF_DONE);
            ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
        }
        world_detach(&w);
        ck_assert_uint_eq(w.codec->state, r->fate == REUSED ? GW_CODEC_OPEN : GW_CODEC_OVER);
        ck_assert(w.codec->ops->can_open(w.codec) == (r->fate == REUSED));
        ck_assert_int_eq(w.codec->is_write_done, r->fate == OVER);
        if (r->fate == REUSED) {
            w.log.len = 0;
            must(client_open(&w, "GET", NULL));
            world_run(&w);
            world_feed(&w, "HTTP/1.1 204 x\r\n\r\n", 18, 0);
            ck_assert_str_eq(w.log.at, "204 body=none end\n");
        }
        world_fini(&w);
    }
}
END_TEST

#define R200 "HTTP/1.1 200 OK\r\n"
#define BYTES(s) s, sizeof(s) - 1
static const struct bad {
    const char *bytes;
    size_t len;
    const char *reason;
} bads[] = {
    { BYTES("HTTP/1.1 20 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 2000 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 099 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 600 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1  200 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1\t200 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 200\tOK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 200 O\x01K\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/2.0 200 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.2 200 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("http/1.1 200 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 200 OK\n\r\n"), "upstream_bad_response" },
    { BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), "upstream_bad_response" },
    { BYTES("SSH-2.0-x\r\n"), "upstream_bad_response" },
    { BYTES(R200 "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), "upstream_bad_response" },
    { BYTES(R200 "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
      "upstream_bad_response" },
    { BYTES(R200 "Content-Length: x\r\n\r\n"), "upstream_bad_response" },
    { BYTES(R200 "Transfer-Encoding: gzip\r\n\r\n"), "upstream_bad_response" },
    { BYTES(R200 "Transfer-Encoding: gzip, chunked\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 103 x\r\nContent-Length: 3\r\n\r\n"), "upstream_bad_response" },
    { BYTES("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
      "upstream_bad_response" }, /* nobody asked */
    { BYTES(R200 "A : b\r\n\r\n"), "upstream_bad_response" },
    { BYTES(R200 "A: b\r\n c\r\n\r\n"), "upstream_bad_response" },
    { BYTES(R200 "A: b\0\r\n\r\n"), "upstream_bad_response" },
    { BYTES(R200 "A: b\nC: d\r\n\r\n"), "upstream_bad_response" },
    { BYTES(R200 "Transfer-Encoding: chunked\r\n\r\nx\r\n"), "upstream_bad_response" },
    { BYTES(R200 "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"), "upstream_bad_response" },
    { BYTES(R200 "Transfer-Encoding: chunked\r\n\r\n0\r\nA b\r\n"), "upstream_bad_response" },
};

START_TEST(refused)
{
    const struct bad *bad = &bads[_i];
    for (size_t i = 0; i <= bad->len + 1; i++) {
        struct world w;
        char cut[64];
        snprintf(cut, sizeof cut, " CUT %s\n", bad->reason);
        play(&w, "GET", NULL, bad->bytes, bad->len, i <= bad->len ? i : 0, i > bad->len ? 1 : 0,
             false);
        ck_assert_msg(w.log.len >= strlen(cut) &&
                          strcmp(w.log.at + w.log.len - strlen(cut), cut) == 0,
                      "cut at %zu: %s", i, w.log.at);
        ck_assert(w.pair.stream.by_peer);
        ck_assert(!w.pair.stream.is_refused);
        ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
        ck_assert_uint_eq(w.codec->fault, w.pair.stream.fault);
        world_fini(&w);
    }
}
END_TEST

START_TEST(other_101)
{
    struct world w;
    static const char other[] = "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
    static const char none[] = "HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n";
    play(&w, "GET", "websocket", other, strlen(other), 0, 0, false);
    ck_assert_str_eq(w.log.at, " CUT upstream_bad_response\n");
    world_fini(&w);
    play(&w, "GET", "websocket", none, strlen(none), 0, 0, false);
    ck_assert_str_eq(w.log.at, " CUT upstream_bad_response\n");
    world_fini(&w);
}
END_TEST

/* More informational responses than there may be; and when there is no memory for them. */
START_TEST(many_infos)
{
    struct world w;
    static const char info[] = "HTTP/1.1 102 Processing\r\nA: b\r\n\r\n";
    for (int is_short = 0; is_short < 2; is_short++) {
        world_init(&w, true);
        w.no_info = is_short != 0;
        must(client_open(&w, "GET", NULL));
        world_run(&w);
        for (int i = 0; i < 8; i++)
            world_feed(&w, info, strlen(info), 0);
        ck_assert_uint_eq(w.pair.stream.in, GW_HALF_HEAD);
        ck_assert_uint_eq(w.pair.infos_used, is_short ? 0 : 8);
        ck_assert_uint_eq(w.pair.stream.info_count, 8);
        world_feed(&w, info, strlen(info), 0);
        ck_assert_uint_eq(w.pair.stream.fault, GW_REASON_upstream_bad_response);
        world_fini(&w);
    }
}
END_TEST

START_TEST(large_head)
{
    struct world w;
    world_init(&w, true);
    must(client_open(&w, "GET", NULL));
    world_run(&w);
    world_feed(&w, R200, strlen(R200), 0);
    for (int i = 0; i < 100 && w.codec->state != GW_CODEC_OVER; i++)
        world_feed(&w, "a: b\r\n", 6, 0);
    ck_assert_str_eq(w.log.at, " CUT upstream_head_too_large\n");
    world_fini(&w);
}
END_TEST

/* Bytes on an idle connection, before the request, behind the response. */
START_TEST(unasked_bytes)
{
    struct world w;
    world_init(&w, true);
    must(gw_chain_write(&w.rx, "HTTP/1.1 408 x\r\n\r\n", 18));
    ck_assert_int_eq(w.codec->ops->read(w.codec, &w.rx, 0), GW_EPROTO);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    ck_assert(!w.codec->ops->can_open(w.codec));
    ck_assert_int_eq(client_open(&w, "GET", NULL), GW_AGAIN);
    world_fini(&w);

    world_init(&w, true); /* the request has not left: it can go elsewhere */
    must(client_open(&w, "GET", NULL));
    must(gw_chain_write(&w.rx, "HTTP/1.1 408 x\r\n\r\n", 18));
    ck_assert_int_eq(w.codec->ops->read(w.codec, &w.rx, 0), GW_EPROTO);
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_CUT);
    ck_assert(w.pair.stream.is_refused);
    ck_assert(!w.codec->ops->wants_write(w.codec));
    world_fini(&w);

    static const char two[] = "HTTP/1.1 204 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n";
    play(&w, "GET", NULL, two, strlen(two), 0, 0, false);
    ck_assert_str_eq(w.log.at, "204 body=none end\n");
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

START_TEST(closed_before_sent)
{
    struct world w;
    world_init(&w, true);
    must(client_open(&w, "GET", NULL));
    w.codec->ops->read_end(w.codec, GW_EOF, 0);
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_CUT);
    ck_assert_uint_eq(w.pair.stream.fault, GW_REASON_upstream_closed);
    ck_assert(w.pair.stream.is_refused);
    world_fini(&w);
    world_init(&w, true);
    w.codec->ops->read_end(w.codec, GW_EOF, 0);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

/* A reset cuts every kind of body, also one that an orderly end would have made whole. */
START_TEST(reset_by_peer)
{
    static const char *const begins[] = { "", R200, R200 "\r\nabc",
                                          R200 "Content-Length: 9\r\n\r\nabc" };
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        struct world w;
        play(&w, "GET", NULL, begins[i], strlen(begins[i]), 0, 0, false);
        world_end(&w, GW_ERESET);
        ck_assert_uint_eq(w.pair.stream.in, GW_HALF_CUT);
        ck_assert_uint_eq(w.pair.stream.fault, GW_REASON_upstream_reset);
        ck_assert(w.pair.stream.by_peer);
        ck_assert(!w.pair.stream.is_refused);
        world_fini(&w);
    }
    struct world w; /* a whole response stays whole */
    world_init(&w, true);
    pair_request(&w, "POST", NULL);
    w.pair.out_head.body = GW_BODY_UNKNOWN;
    must(w.codec->ops->open(w.codec, &w.pair.stream));
    world_run(&w);
    world_feed(&w, R200 "Content-Length: 2\r\n\r\nok", 40, 0);
    world_end(&w, GW_ERESET);
    ck_assert_str_eq(w.log.at, "200 body=length:2 Content-Length=2 [ok] end\n");
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_DONE);
    ck_assert_uint_eq(w.pair.stream.out, GW_HALF_CUT);
    world_fini(&w);
}
END_TEST

/* ---- requests as written ---- */

static void add(struct gw_message *m, const char *name, const char *value)
{
    must(gw_fields_add_copy(&m->fields, gw_cstr(name), gw_cstr(value)));
}

START_TEST(request_forms)
{
    struct world w;
    static const struct form {
        const char *method, *path, *query, *upgrade, *sent;
        enum gw_body_kind body;
        uint64_t length;
    } forms[] = {
        { "GET", "/", NULL, NULL, "GET / HTTP/1.1\r\nHost: a\r\nx-A: B\r\n\r\n", GW_BODY_NONE, 0 },
        { "GET", "/p", "", NULL, "GET /p? HTTP/1.1\r\nHost: a\r\nx-A: B\r\n\r\n", GW_BODY_NONE, 0 },
        { "GET", "/p", "q=1", NULL, "GET /p?q=1 HTTP/1.1\r\nHost: a\r\nx-A: B\r\n\r\n",
          GW_BODY_NONE, 0 },
        { "OPTIONS", "*", NULL, NULL, "OPTIONS * HTTP/1.1\r\nHost: a\r\nx-A: B\r\n\r\n",
          GW_BODY_NONE, 0 },
        { "POST", "/", NULL, NULL,
          "POST / HTTP/1.1\r\nHost: a\r\nx-A: B\r\nContent-Length: 0\r\n\r\n", GW_BODY_NONE, 0 },
        { "FOO", "/", NULL, NULL,
          "FOO / HTTP/1.1\r\nHost: a\r\nx-A: B\r\nContent-Length: 18446744073709551615\r\n\r\n",
          GW_BODY_LENGTH, UINT64_MAX },
        { "PUT", "/", NULL, NULL,
          "PUT / HTTP/1.1\r\nHost: a\r\nx-A: B\r\nTransfer-Encoding: chunked\r\n\r\n",
          GW_BODY_UNKNOWN, 0 },
        { "CONNECT", "", NULL, NULL, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nx-A: B\r\n\r\n",
          GW_BODY_TUNNEL, 0 },
        { "GET", "/", NULL, "websocket",
          "GET / HTTP/1.1\r\nHost: a\r\nx-A: B\r\nConnection: upgrade\r\nUpgrade: "
          "websocket\r\n\r\n",
          GW_BODY_NONE, 0 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *f = &forms[i];
        world_init(&w, true);
        pair_request(&w, f->method, f->upgrade);
        struct gw_message *m = &w.pair.out_head;
        m->path = gw_cstr(f->path);
        m->query = gw_cstr(f->query);
        if (f->query == NULL)
            m->query.ptr = NULL;
        m->body = (uint8_t)f->body;
        m->length = f->length;
        add(m, "x-A", "B");
        /* What the writer makes itself is not taken from fields. */
        add(m, "Host", "evil");
        add(m, "Content-Length", "77");
        add(m, "Transfer-Encoding", "gzip");
        add(m, "Connection", "x");
        add(m, "Keep-Alive", "timeout=5");
        must(w.codec->ops->open(w.codec, &w.pair.stream));
        world_run(&w);
        ck_assert_str_eq(w.sent.at, f->sent);
        ck_assert(m->has_left);
        world_fini(&w);
    }
}
END_TEST

START_TEST(te_and_chunks)
{
    struct world w;
    world_init(&w, true);
    pair_request(&w, "POST", NULL);
    struct gw_stream *s = &w.pair.stream;
    w.pair.out_head.body = GW_BODY_UNKNOWN;
    add(&w.pair.out_head, "te", "trailers");
    s->out_trailers = &w.pair.out_trailers;
    must(w.codec->ops->open(w.codec, s));
    world_run(&w);
    ck_assert(!w.codec->ops->wants_write(w.codec));
    ck_assert_uint_eq(gw_pipe_write(&w.pair.out_pipe, "hello", 5), 5);
    ck_assert(w.codec->ops->wants_write(w.codec));
    world_run(&w);
    ck_assert((w.pair.news & GW_NEWS_ROOM) != 0);
    ck_assert_uint_eq(gw_pipe_write(&w.pair.out_pipe, "0123456789abcdef!", 17), 17);
    world_run(&w);
    ck_assert((w.pair.news & GW_NEWS_SENT) == 0);
    add(&w.pair.out_trailers, "X", "y");
    add(&w.pair.out_trailers, "content-length", "4");
    must(gw_pipe_end(&w.pair.out_pipe));
    world_run(&w);
    ck_assert((w.pair.news & GW_NEWS_SENT) != 0);
    ck_assert_uint_eq(s->out, GW_HALF_DONE);
    ck_assert_uint_eq(s->out_mark, w.sent.len);
    ck_assert_str_eq(w.sent.at, "POST / HTTP/1.1\r\nHost: a\r\nte: trailers\r\n"
                                "Transfer-Encoding: chunked\r\nConnection: TE\r\n\r\n"
                                "5\r\nhello\r\n11\r\n0123456789abcdef!\r\n0\r\nX: y\r\n\r\n");
    world_fini(&w);
}
END_TEST

/* A head that no block holds is written in pieces, and read back. */
START_TEST(head_over_blocks)
{
    struct world w, peer;
    char value[900];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    world_init(&w, true);
    pair_request(&w, "GET", NULL);
    for (int i = 0; i < 6; i++)
        add(&w.pair.out_head, "X-Long", value);
    must(w.codec->ops->open(w.codec, &w.pair.stream));
    world_run(&w);
    ck_assert_uint_gt(w.sent.len, 5400);
    world_init(&peer, false);
    world_feed(&peer, w.sent.at, w.sent.len, 0);
    ck_assert_uint_gt(peer.log.len, 5400);
    ck_assert_ptr_nonnull(strstr(peer.log.at, " end\n"));
    world_fini(&peer);
    world_fini(&w);
}
END_TEST

START_TEST(not_representable)
{
    struct world w;
    for (int i = 0; i < 4; i++) {
        world_init(&w, true);
        pair_request(&w, i == 1 ? "CONNECT" : "GET", i == 0 ? NULL : "x");
        struct gw_message *m = &w.pair.out_head;
        if (i == 0)
            m->authority = GW_STR("");
        if (i == 2)
            m->body = GW_BODY_UNKNOWN;
        if (i == 3)
            m->path = GW_STR("");
        must(w.codec->ops->open(w.codec, &w.pair.stream));
        ck_assert_uint_eq(w.pair.stream.in, GW_HALF_CUT);
        ck_assert_uint_eq(w.pair.stream.fault, GW_REASON_not_representable);
        ck_assert(!w.codec->ops->wants_write(w.codec));
        world_detach(&w);
        ck_assert(w.codec->ops->can_open(w.codec));
        world_fini(&w);
    }
}
END_TEST

/* The body is shorter or longer than was said, or its source breaks off: the connection ends. */
START_TEST(body_not_as_said)
{
    for (int i = 0; i < 4; i++) {
        struct world w;
        world_init(&w, true);
        pair_request(&w, "POST", NULL);
        w.pair.out_head.body = i == 3 ? GW_BODY_UNKNOWN : GW_BODY_LENGTH;
        w.pair.out_head.length = 4;
        must(w.codec->ops->open(w.codec, &w.pair.stream));
        ck_assert_uint_eq(gw_pipe_write(&w.pair.out_pipe, "abcdef", i == 0 ? 6 : 3),
                          i == 0 ? 6 : 3);
        world_run(&w);
        if (i == 1)
            must(gw_pipe_end(&w.pair.out_pipe));
        else if (i >= 2)
            gw_pipe_cut(&w.pair.out_pipe);
        world_run(&w);
        ck_assert_uint_eq(w.pair.stream.out, GW_HALF_CUT);
        ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
        ck_assert((w.pair.news & GW_NEWS_SENT) == 0);
        ck_assert_ptr_null(strstr(w.sent.at, "0\r\n\r\n"));
        ck_assert(!w.codec->ops->wants_write(w.codec));
        world_fini(&w);
    }
}
END_TEST

/* An answer before the request is whole is delivered; the connection serves nothing else unless
 * the request is finished too. */
START_TEST(early_answer)
{
    for (int is_finished = 0; is_finished < 2; is_finished++) {
        struct world w;
        world_init(&w, true);
        pair_request(&w, "POST", NULL);
        w.pair.out_head.body = GW_BODY_UNKNOWN;
        must(w.codec->ops->open(w.codec, &w.pair.stream));
        world_run(&w);
        world_feed(&w, R200 "Content-Length: 2\r\n\r\nok", 40, 0);
        ck_assert_str_eq(w.log.at, "200 body=length:2 Content-Length=2 [ok] end\n");
        ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
        ck_assert(!w.codec->ops->can_open(w.codec));
        if (is_finished) {
            must(gw_pipe_end(&w.pair.out_pipe));
            world_run(&w);
            ck_assert_uint_eq(w.pair.stream.out, GW_HALF_DONE);
        }
        world_detach(&w);
        ck_assert_uint_eq(w.codec->state, is_finished ? GW_CODEC_OPEN : GW_CODEC_OVER);
        world_fini(&w);
    }
}
END_TEST

/* Tunnel bytes go both ways as they are; each side ends for itself. */
START_TEST(tunnel)
{
    struct world w;
    world_init(&w, true);
    must(client_open(&w, "GET", "x"));
    ck_assert_uint_eq(gw_pipe_write(&w.pair.out_pipe, "early", 5), 5);
    world_run(&w);
    ck_assert_uint_eq(gw_pipe_len(&w.pair.out_pipe), 5); /* held until it is decided */
    ck_assert(!w.codec->ops->wants_write(w.codec));
    size_t head = w.sent.len;
    static const char answer[] =
        "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nserver first";
    world_feed(&w, answer, strlen(answer), 0);
    ck_assert_str_eq(w.sent.at + head, "early");
    must(gw_pipe_end(&w.pair.out_pipe));
    world_run(&w);
    ck_assert_uint_eq(w.pair.stream.out, GW_HALF_DONE);
    ck_assert(w.codec->is_write_done);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
    world_feed(&w, " more", 5, 1);
    world_end(&w, GW_EOF);
    ck_assert_str_eq(w.log.at, "101 upgrade=x body=tunnel Connection=upgrade Upgrade=x "
                               "[server first more] end\n");
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

START_TEST(drained)
{
    struct world w;
    world_init(&w, true);
    w.codec->ops->drain(w.codec, false);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
    world_init(&w, true);
    must(client_open(&w, "GET", NULL));
    w.codec->ops->drain(w.codec, false);
    world_run(&w);
    ck_assert_str_eq(w.sent.at, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    ck_assert(!w.codec->is_write_done); /* an end now would look like leaving */
    world_feed(&w, "HTTP/1.1 204 x\r\n\r\n", 18, 0);
    ck_assert(w.codec->is_write_done);
    ck_assert_str_eq(w.log.at, "204 body=none end\n");
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

START_TEST(reset_and_detach)
{
    struct world w;
    world_init(&w, true);
    must(client_open(&w, "GET", NULL));
    world_run(&w);
    w.codec->ops->reset(w.codec, &w.pair.stream, GW_H2_CANCEL);
    ck_assert_uint_eq(w.pair.news & GW_NEWS_CUT, 0);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    ck_assert(w.codec->is_write_done);
    world_fini(&w);
    world_init(&w, true);
    must(client_open(&w, "GET", NULL)); /* nothing written: the connection is as it was */
    world_detach(&w);
    ck_assert(w.codec->ops->can_open(w.codec));
    must(client_open(&w, "GET", NULL));
    ck_assert_uint_eq(w.pair.stream.id, 2);
    world_run(&w);
    world_detach(&w);
    ck_assert(!w.codec->ops->can_open(w.codec));
    world_fini(&w);
}
END_TEST

Suite *client_suite(void)
{
    Suite *suite = suite_create("client");
    check_add_loop(suite, framing, 0, sizeof responses / sizeof responses[0]);
    check_add_loop(suite, refused, 0, sizeof bads / sizeof bads[0]);
    check_add(suite, other_101);
    check_add(suite, many_infos);
    check_add(suite, large_head);
    check_add(suite, unasked_bytes);
    check_add(suite, closed_before_sent);
    check_add(suite, reset_by_peer);
    check_add(suite, request_forms);
    check_add(suite, te_and_chunks);
    check_add(suite, head_over_blocks);
    check_add(suite, not_representable);
    check_add(suite, body_not_as_said);
    check_add(suite, early_answer);
    check_add(suite, tunnel);
    check_add(suite, drained);
    check_add(suite, reset_and_detach);
    return suite;
}
