/* unit/h1_test.c: the server role, request by request; and the main of unit-h1. */

#include "h1_test.h"

/* Transcript and answers of a connection that gets just these bytes and then the end. */
static void play(struct world *w, const char *bytes, size_t len, size_t first, size_t piece)
{
    world_init(w, false);
    if (first > 0)
        world_feed(w, bytes, first, 0);
    world_feed(w, bytes + first, len - first, piece);
    world_end(w, GW_EOF);
}

/* Whole, cut at every byte, byte by byte, in sevens: the same must come out. */
static void play_all(const char *bytes, size_t len, const char *log, const char *sent)
{
    struct world whole, w;
    play(&whole, bytes, len, 0, 0);
    if (log != NULL)
        ck_assert_str_eq(whole.log.at, log);
    if (sent != NULL)
        ck_assert_str_eq(whole.sent.at, sent);
    for (size_t i = 1; i <= len + 1; i++) {
        if (i < len)
            play(&w, bytes, len, i, 0);
        else
            play(&w, bytes, len, 0, i == len ? 1 : 7);
        ck_assert_msg(strcmp(w.log.at, whole.log.at) == 0, "cut at %zu: %s\nnot: %s", i, w.log.at,
                      whole.log.at);
        ck_assert_str_eq(w.sent.at, whole.sent.at);
        ck_assert_uint_eq(w.codec->state, whole.codec->state);
        world_fini(&w);
    }
    world_fini(&whole);
}

#define OK200 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK200_CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

static const struct good {
    const char *bytes, *log, *sent;
} goods[] = {
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a / body=none Host=a end\n", OK200 },
    /* One empty line in front is passed over. */
    { "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a / body=none Host=a end\n", OK200 },
    { "GET /a/../%7e%2f?x=%zz HTTP/1.1\r\nHost: a:80\r\nX-Y:\t v  w \t\r\nEmpty:\r\n\r\n",
      "GET http://a:80 /~%2F?x=%zz body=none Host=a:80 X-Y=v  w Empty= end\n", OK200 },
    /* The absolute form goes before Host. */
    { "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://b /x body=none Host=a end\n",
      OK200 },
    { "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS http://a * body=none Host=a end\n", OK200 },
    { "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", "FOO http://a / body=none Host=a end\n", OK200 },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      "POST http://a / body=length:5 Host=a Content-Length=5 [hello] end\n", OK200 },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      "POST http://a / body=length:0 Host=a Content-Length=0 end\n", OK200 },
    /* Two lengths that agree are one (RFC 9110 8.6). */
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello",
      "POST http://a / body=length:5 Host=a Content-Length=5 content-length=5 [hello] end\n",
      OK200 },
    { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5\r\nhello\r\n00001;a=b;c=\"d\"\r\n!\r\n0\r\n\r\n",
      "POST http://a / body=unknown Host=a Transfer-Encoding=Chunked [hello!] end\n", OK200 },
    /* What may not be in trailers is dropped there. */
    { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nContent-Length: 3\r\nTE: x\r\ny: \r\n\r\n",
      "POST http://a / body=unknown Host=a Transfer-Encoding=chunked [0123456789]"
      " trailers X-Sum=1 y= end\n",
      OK200 },
    /* Pipelined: answered in order. */
    { "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy"
      "\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://a /1 body=none Host=a end\n"
      "POST http://a /2 body=length:2 Host=a Content-Length=2 [xy] end\n"
      "GET http://a /3 body=none Host=a end\n",
      OK200 OK200 OK200 },
    { "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
      "GET http://a /1 body=none Host=a end\nGET http://a /2 body=none Host=a end\n", OK200 OK200 },
    { "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\nGET /2 HTTP/1.1\r\nHost: "
      "a\r\n\r\n",
      "GET http://a /1 body=none Host=a Connection=x, Close end\n", OK200_CLOSE },
    /* HTTP/1.0 */
    { "GET / HTTP/1.0\r\n\r\n", "GET http:// / body=none 1.0 end\n", OK200_CLOSE },
    { "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
      "GET http://a / body=none 1.0 Host=a Connection=Keep-Alive end\n"
      "GET http:// /2 body=none 1.0 end\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok" OK200_CLOSE },
    { "POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
      "POST http:// / body=length:3 1.0 Content-Length=3 [abc] end\n", OK200_CLOSE },
    /* HEAD has the length and nothing else. */
    { "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD http://a / body=none Host=a end\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" },
    { "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "HEAD http://a / body=none Host=a end\nGET http://a / body=none Host=a end\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" OK200 },
    /* An Upgrade that is answered otherwise: what follows is the next request. */
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo/1\r\n\r\n"
      "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://a / upgrade=foo/1 body=none Host=a Connection=Upgrade Upgrade=foo/1 end\n"
      "GET http://a /2 body=none Host=a end\n",
      OK200 OK200 },
    /* Upgrades that are passed over: several, h2c, without Connection, with a body, in 1.0. */
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a, b\r\n\r\n",
      "GET http://a / body=none Host=a Connection=upgrade Upgrade=a, b end\n", OK200 },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
      "GET http://a / body=none Host=a Connection=upgrade Upgrade=h2c end\n", OK200 },
    { "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
      "GET http://a / body=none Host=a Upgrade=websocket end\n", OK200 },
    { "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: "
      "1\r\n\r\n.",
      "POST http://a / body=length:1 Host=a Connection=upgrade Upgrade=x Content-Length=1 [.] "
      "end\n",
      OK200 },
    { "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      "GET http://a / body=none 1.0 Host=a Connection=upgrade Upgrade=x end\n", OK200_CLOSE },
    { "", "", "" },
    { "\r\n", "", "" },
};

START_TEST(good_requests)
{
    play_all(goods[_i].bytes, strlen(goods[_i].bytes), goods[_i].log, goods[_i].sent);
}
END_TEST

/* ---- by hand ---- */

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define UPGRADE "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

static void open_manual(struct world *w, const char *bytes)
{
    world_init(w, false);
    w->is_manual = true;
    world_feed(w, bytes, strlen(bytes), 0);
}

static void put(struct world *w, const char *text)
{
    ck_assert_uint_eq(gw_pipe_write(&w->pair.out_pipe, text, strlen(text)), strlen(text));
}

/* What a response looks like to each client: {1.1, HEAD, 1.0, 1.0 with keep-alive}. */
START_TEST(response_framing)
{
    static const char *const requests[4] = {
        GET, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    };
    static const struct row {
        unsigned code;
        enum gw_body_kind body;
        bool has_length;
        const char *sent[4];
    } rows[] = {
        { 200,
          GW_BODY_LENGTH,
          false,
          { "200 OK\r\nContent-Length: 3\r\n\r\nabc", "200 OK\r\nContent-Length: 3\r\n\r\n",
            "200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
            "200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc" } },
        { 200,
          GW_BODY_UNKNOWN,
          false,
          { "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n",
            "200 OK\r\n\r\n", "200 OK\r\nConnection: close\r\n\r\nabc",
            "200 OK\r\nConnection: close\r\n\r\nabc" } },
        { 200,
          GW_BODY_NONE,
          false,
          { "200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK\r\n\r\n",
            "200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n" } },
        { 204,
          GW_BODY_NONE,
          false,
          { "204 No Content\r\n\r\n", "204 No Content\r\n\r\n",
            "204 No Content\r\nConnection: close\r\n\r\n",
            "204 No Content\r\nConnection: keep-alive\r\n\r\n" } },
        { 304,
          GW_BODY_NONE,
          true,
          { "304 Not Modified\r\nContent-Length: 3\r\n\r\n",
            "304 Not Modified\r\nContent-Length: 3\r\n\r\n",
            "304 Not Modified\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
            "304 Not Modified\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n" } },
        { 299,
          GW_BODY_NONE,
          false,
          { "299 \r\nContent-Length: 0\r\n\r\n", "299 \r\n\r\n",
            "299 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "299 \r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int k = 0; k < 4; k++) {
            struct world w;
            open_manual(&w, requests[k]);
            struct pair *p = &w.pair;
            p->out_head.body = (uint8_t)rows[i].body;
            p->out_head.length = 3;
            p->out_head.has_length = rows[i].has_length;
            p->stream.out_trailers = &p->out_trailers;
            must(gw_fields_add_copy(&p->out_trailers.fields, GW_STR("T"), GW_STR("u")));
            world_respond(&w, rows[i].code, NULL);
            if (rows[i].body != GW_BODY_NONE)
                put(&w, "abc");
            must(gw_pipe_end(&p->out_pipe));
            world_run(&w);
            ck_assert_str_eq(w.sent.at + 9, rows[i].sent[k]);
            ck_assert_uint_eq(p->stream.out, GW_HALF_DONE);
            ck_assert_uint_eq(p->stream.out_mark, w.sent.len);
            bool is_close = strstr(w.sent.at, "close") != NULL;
            ck_assert_int_eq(w.codec->is_write_done, is_close);
            world_detach(&w);
            ck_assert_uint_eq(w.codec->state, is_close ? GW_CODEC_OVER : GW_CODEC_OPEN);
            world_fini(&w);
        }
    }
}
END_TEST

/* The next request waits in rx until its turn; a block of it is read ahead. */
START_TEST(pipelining_waits)
{
    struct world w;
    open_manual(&w, GET GET);
    ck_assert_uint_eq(w.rx.len, strlen(GET));
    ck_assert_uint_eq(w.codec->streams_ever, 1);
    ck_assert(!w.codec->is_head_pending);
    ck_assert(w.codec->ops->wants_read(w.codec, 1023));
    ck_assert(!w.codec->ops->wants_read(w.codec, 1024));
    world_respond(&w, 200, "a");
    world_run(&w);
    world_detach(&w);
    world_run(&w);
    ck_assert_uint_eq(w.codec->streams_ever, 2);
    ck_assert_uint_eq(w.pair.stream.id, 2);
    ck_assert_uint_eq(w.rx.len, 0);
    world_fini(&w);
}
END_TEST

/* The client ends its side: what it asked before is answered; what was begun is cut. */
START_TEST(end_of_input)
{
    struct world w;
    world_init(&w, false);
    w.is_manual = true;
    world_feed(&w, GET GET "POST / HT", 2 * strlen(GET) + 9, 0);
    w.codec->ops->read_end(w.codec, GW_EOF, 0);
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_DONE);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
    ck_assert(!w.codec->ops->wants_read(w.codec, 0));
    w.is_manual = false;
    world_run(&w);
    ck_assert_str_eq(w.log.at, "GET http://a / body=none Host=a end\n"
                               "GET http://a / body=none Host=a end\n CUT client_closed\n");
    ck_assert_str_eq(w.sent.at, OK200 OK200);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    ck_assert(w.codec->is_write_done);
    world_fini(&w);

    open_manual(&w, GET); /* known to be the last one */
    w.codec->ops->read_end(w.codec, GW_EOF, 0);
    world_respond(&w, 200, "ok");
    world_run(&w);
    ck_assert_str_eq(w.sent.at, OK200_CLOSE);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);

    open_manual(&w, UPGRADE); /* also when it was not decided what it is */
    w.codec->ops->read_end(w.codec, GW_EOF, 0);
    world_respond(&w, 200, "ok");
    world_run(&w);
    ck_assert_str_eq(w.sent.at, OK200_CLOSE);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);

    open_manual(&w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    world_end(&w, GW_EOF);
    ck_assert_uint_eq(w.pair.stream.fault, GW_REASON_client_closed);
    ck_assert(w.pair.stream.by_peer);
    world_fini(&w);
}
END_TEST

START_TEST(reset_by_client)
{
    struct world w;
    open_manual(&w, GET);
    world_end(&w, GW_ERESET);
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_CUT);
    ck_assert_uint_eq(w.pair.stream.out, GW_HALF_CUT);
    ck_assert_uint_eq(w.pair.stream.fault, GW_REASON_client_reset);
    ck_assert((w.pair.news & GW_NEWS_CUT) != 0);
    world_fini(&w);
    open_manual(&w, GET); /* all was said: nobody needs it any more */
    world_respond(&w, 200, "ok");
    world_run(&w);
    world_end(&w, GW_ERESET);
    ck_assert_uint_eq(w.pair.news & GW_NEWS_CUT, 0);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

START_TEST(head_pending)
{
    struct world w;
    world_init(&w, false);
    w.is_manual = true;
    ck_assert(!w.codec->is_head_pending);
    world_feed(&w, "\r\n", 2, 1);
    ck_assert(!w.codec->is_head_pending);
    ck_assert_ptr_null(w.pair.stream.codec);
    world_feed(&w, "G", 1, 0);
    ck_assert(w.codec->is_head_pending);
    ck_assert_uint_eq(w.codec->streams, 1);
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_HEAD);
    world_feed(&w, &GET[1], strlen(GET) - 2, 0);
    ck_assert(w.codec->is_head_pending);
    world_feed(&w, "\n", 1, 0);
    ck_assert(!w.codec->is_head_pending);
    world_fini(&w);

    open_manual(&w, "GET / HT"); /* too slow: the owner answers before the head is whole */
    world_respond(&w, 408, "slow");
    world_run(&w);
    ck_assert_ptr_nonnull(strstr(w.sent.at, "Connection: close"));
    world_detach(&w);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    ck_assert(!w.codec->is_head_pending);
    world_fini(&w);
}
END_TEST

START_TEST(no_stream)
{
    struct world w;
    world_init(&w, false);
    w.is_refusing = true;
    world_feed(&w, GET, strlen(GET), 0);
    ck_assert_str_eq(w.sent.at, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                                "Content-Length: 0\r\nConnection: close\r\n\r\n");
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    ck_assert_uint_eq(w.codec->fault, GW_REASON_no_memory);
    ck_assert(w.codec->is_write_done);
    world_fini(&w);
}
END_TEST

/* ---- informational responses ---- */

static struct gw_message *info(struct world *w, unsigned code)
{
    struct gw_message *m = world_new_info(w, &w->pair.stream);
    m->code = (uint16_t)code;
    return m;
}

START_TEST(informational)
{
    static const char expect[] =
        "POST / HTTP/1.%c\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    for (int minor = 0; minor < 2; minor++) {
        struct world w;
        char bytes[200];
        snprintf(bytes, sizeof bytes, expect, '0' + minor);
        open_manual(&w, bytes);
        struct gw_message *m = info(&w, 100);
        m->next = info(&w, 103);
        must(gw_fields_add_copy(&m->next->fields, GW_STR("Link"), GW_STR("x")));
        w.pair.stream.out_info = m;
        w.codec->ops->advance(w.codec, &w.pair.stream);
        ck_assert(w.codec->ops->wants_write(w.codec));
        world_run(&w);
        ck_assert_ptr_null(w.pair.stream.out_info);
        ck_assert_str_eq(w.sent.at, minor == 0 ? ""
                                               : "HTTP/1.1 100 Continue\r\n\r\n"
                                                 "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        ck_assert(!w.codec->ops->wants_write(w.codec));
        world_feed(&w, "ab", 2, 0);
        world_respond(&w, 200, "ok");
        world_run(&w);
        ck_assert_ptr_nonnull(strstr(w.sent.at, minor == 0 ? OK200_CLOSE : OK200));
        world_fini(&w);
    }
}
END_TEST

/* Who waits for 100 and gets a final answer may send the body or not: nothing can follow. */
START_TEST(expectation_unanswered)
{
    static const char bytes[] =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    struct world w;
    open_manual(&w, bytes);
    world_respond(&w, 403, "no");
    world_run(&w);
    ck_assert_ptr_nonnull(strstr(w.sent.at, "Connection: close"));
    world_detach(&w);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
    open_manual(&w, bytes); /* it sends all the same */
    world_feed(&w, "a", 1, 0);
    world_respond(&w, 403, "no");
    world_run(&w);
    ck_assert_ptr_null(strstr(w.sent.at, "Connection: close"));
    world_detach(&w);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
    world_fini(&w);
}
END_TEST

/* ---- bodies that nobody reads ---- */

START_TEST(rest_is_dropped)
{
    struct world w;
    char junk[1000];
    memset(junk, 'j', sizeof junk);
    open_manual(&w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nabc");
    world_respond(&w, 200, "ok");
    world_run(&w);
    ck_assert_str_eq(w.sent.at, OK200);
    world_detach(&w);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
    for (int i = 0; i < 49; i++)
        world_feed(&w, junk, sizeof junk, 0);
    world_feed(&w, junk, 997, 0);
    ck_assert_uint_eq(w.rx.len, 0);
    ck_assert_uint_eq(w.codec->streams_ever, 1);
    w.is_manual = false;
    world_feed(&w, GET, strlen(GET), 0);
    ck_assert_str_eq(w.sent.at, OK200 OK200);
    world_fini(&w);

    open_manual(&w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    world_respond(&w, 200, "ok");
    world_run(&w);
    world_detach(&w);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);

    open_manual(&w, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    world_respond(&w, 200, "ok");
    world_run(&w);
    world_detach(&w);
    for (int i = 0; i < 70 && w.codec->state == GW_CODEC_OPEN; i++) {
        world_feed(&w, "3e8\r\n", 5, 0);
        world_feed(&w, junk, sizeof junk, 0);
        world_feed(&w, "\r\n", 2, 0);
    }
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);

    open_manual(&w, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    world_respond(&w, 200, "ok");
    world_run(&w);
    world_detach(&w);
    world_feed(&w, "bad\r", 4, 0);
    world_feed(&w, "x", 1, 0); /* a wrong line ends a connection without a stream too */
    world_feed(&w, "\n", 1, 0);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

/* A full pipe stops reading; room lets it go on. */
START_TEST(backpressure)
{
    struct world w;
    world_init(&w, false);
    w.is_manual = true;
    w.pipe_size = 10;
    static const char bytes[] =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz" GET;
    must(gw_chain_write(&w.rx, bytes, strlen(bytes)));
    must(w.codec->ops->read(w.codec, &w.rx, 0));
    ck_assert_uint_eq(gw_pipe_len(&w.pair.in_pipe), 10);
    ck_assert(!w.codec->ops->wants_read(w.codec, w.rx.len));
    must(w.codec->ops->read(w.codec, &w.rx, 0));
    ck_assert_uint_eq(gw_pipe_len(&w.pair.in_pipe), 10);
    world_run(&w); /* the log drains it */
    ck_assert_ptr_nonnull(strstr(w.log.at, "[abcdefghijklmnopqrstuvwxyz] end\n"));
    ck_assert_uint_eq(w.rx.len, strlen(GET));
    world_fini(&w);
}
END_TEST

/* Chunks of one byte do not cost a slice each for ever. */
START_TEST(tiny_chunks)
{
    struct world w;
    open_manual(&w, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    w.pair.in_pipe.size = 1 << 16;
    for (int i = 0; i < 3000; i++) {
        must(gw_chain_write(&w.rx, "1\r\na\r\n", 6));
        must(w.codec->ops->read(w.codec, &w.rx, 0));
        ck_assert_uint_eq(w.rx.len, 0);
    }
    ck_assert_uint_eq(gw_pipe_len(&w.pair.in_pipe), 3000);
    ck_assert_uint_le(w.pair.in_pipe.chain.slices, 16);
    ck_assert_uint_le(w.pool.out, 20);
    world_fini(&w);
}
END_TEST

/* ---- tunnels ---- */

static void upgrade_answer(struct world *w, const char *bytes, size_t early)
{
    world_init(w, false);
    w->is_manual = true;
    world_feed(w, bytes, early, 0);
    struct pair *p = &w->pair;
    ck_assert_uint_eq(p->stream.in, GW_HALF_BODY);
    p->stream.is_tunnel = true;
    bool is_connect = p->in_head.method == GW_METHOD_CONNECT;
    p->out_head.body = GW_BODY_TUNNEL;
    world_respond(w, is_connect ? 200 : 101, NULL);
    world_run(w);
    world_feed(w, bytes + early, strlen(bytes) - early, 1);
}

START_TEST(tunnels)
{
    static const struct row {
        const char *head, *answer;
    } rows[] = {
        { UPGRADE,
          "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" },
        { "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char bytes[200];
        size_t head = strlen(rows[i].head);
        snprintf(bytes, sizeof bytes, "%sfirst bytes", rows[i].head);
        /* Behind the head lie nothing, some, or all of the tunnel's first bytes. */
        for (size_t early = head; early <= strlen(bytes); early++) {
            struct world w;
            upgrade_answer(&w, bytes, early);
            ck_assert_str_eq(w.sent.at, rows[i].answer);
            ck_assert_ptr_nonnull(strstr(w.log.at, "[first bytes"));
            put(&w, "back");
            world_run(&w);
            ck_assert_str_eq(w.sent.at + strlen(rows[i].answer), "back");
            ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
            if (early % 2 == 0) { /* the client ends first, or we do */
                world_end(&w, GW_EOF);
                ck_assert_ptr_nonnull(strstr(w.log.at, "[first bytes] end\n"));
                ck_assert(!w.codec->is_write_done);
                put(&w, "!");
            }
            must(gw_pipe_end(&w.pair.out_pipe));
            world_run(&w);
            ck_assert_uint_eq(w.pair.stream.out, GW_HALF_DONE);
            ck_assert(w.codec->is_write_done);
            if (early % 2 == 1) {
                ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
                world_feed(&w, "late", 4, 0);
                world_end(&w, GW_EOF);
                ck_assert_ptr_nonnull(strstr(w.log.at, "[first byteslate] end\n"));
            }
            ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
            world_fini(&w);
        }
    }
}
END_TEST

START_TEST(tunnel_refused)
{
    struct world w;
    open_manual(&w, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nbytes");
    world_respond(&w, 405, "no");
    world_run(&w);
    ck_assert_ptr_nonnull(strstr(w.sent.at, "Connection: close"));
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_DONE);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
    open_manual(&w, UPGRADE); /* the owner does not let it be asked for: an ordinary request */
    w.pair.in_head.protocol = (gw_str){ NULL, 0 };
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_BODY);
    w.codec->ops->advance(w.codec, &w.pair.stream);
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_DONE);
    world_fini(&w);
    open_manual(&w, UPGRADE); /* its client ends before it is decided */
    world_end(&w, GW_EOF);
    ck_assert_uint_eq(w.pair.stream.in, GW_HALF_DONE);
    w.pair.stream.is_tunnel = true;
    world_respond(&w, 101, NULL);
    must(gw_pipe_end(&w.pair.out_pipe));
    world_run(&w);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

/* ---- ends ---- */

START_TEST(drained)
{
    struct world w;
    world_init(&w, false);
    w.codec->ops->drain(w.codec, false); /* nothing could say so */
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OPEN);
    w.codec->ops->drain(w.codec, true);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
    open_manual(&w, "GET / HT");
    w.codec->ops->drain(w.codec, false);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_DRAINING);
    w.is_manual = false;
    world_feed(&w, "TP/1.1\r\nHost: a\r\n\r\n" GET, 19 + strlen(GET), 0);
    ck_assert_str_eq(w.sent.at, OK200_CLOSE);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
}
END_TEST

START_TEST(reset_and_detach)
{
    struct world w;
    open_manual(&w, GET);
    world_respond(&w, 200, NULL);
    w.pair.out_head.body = GW_BODY_LENGTH;
    w.pair.out_head.length = 10;
    put(&w, "abc");
    world_run(&w);
    w.codec->ops->reset(w.codec, &w.pair.stream, GW_H2_CANCEL);
    ck_assert(!w.codec->ops->wants_write(w.codec));
    ck_assert(w.codec->is_write_done);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    world_fini(&w);
    open_manual(&w, GET);
    world_detach(&w);
    ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
    ck_assert(w.codec->is_write_done);
    world_fini(&w);
}
END_TEST

/* A source that lies or breaks off: the client sees that the response is not whole. */
START_TEST(body_not_as_said)
{
    for (int i = 0; i < 4; i++) {
        struct world w;
        open_manual(&w, GET);
        w.pair.out_head.body = i == 3 ? GW_BODY_UNKNOWN : GW_BODY_LENGTH;
        w.pair.out_head.length = 4;
        world_respond(&w, 200, NULL);
        put(&w, i == 0 ? "abcdef" : "abc");
        world_run(&w);
        if (i == 1)
            must(gw_pipe_end(&w.pair.out_pipe));
        else if (i >= 2)
            gw_pipe_cut(&w.pair.out_pipe);
        world_run(&w);
        ck_assert_uint_eq(w.pair.stream.out, GW_HALF_CUT);
        ck_assert_uint_eq(w.codec->state, GW_CODEC_OVER);
        ck_assert(w.codec->is_write_done);
        ck_assert_ptr_null(strstr(w.sent.at, "\r\n0\r\n"));
        ck_assert_uint_eq(w.pair.news & GW_NEWS_SENT, 0);
        world_fini(&w);
    }
}
END_TEST

/* A slow reader: writing stops at the mark and goes on under it. */
START_TEST(write_mark)
{
    struct world w;
    open_manual(&w, GET);
    w.pair.out_head.body = GW_BODY_UNKNOWN;
    world_respond(&w, 200, NULL);
    for (int i = 0; i < 100; i++) { /* blocks of their own */
        struct gw_block *b = gw_block_take(&w.pool, NULL);
        size_t n;
        ck_assert_ptr_nonnull(b);
        memset(b->bytes, 'x', 100);
        gw_block_filled(b, 100);
        must(gw_pipe_push_view(&w.pair.out_pipe, b, b->bytes, 100, &n));
        gw_block_unref(b);
    }
    must(w.codec->ops->write(w.codec, &w.tx, 1000, 0));
    ck_assert_uint_ge(w.tx.len, 1000);
    ck_assert_uint_le(w.tx.len, 1000 + 100 + 20);
    ck_assert(w.codec->ops->wants_write(w.codec));
    ck_assert_uint_eq(w.codec->written, w.tx.len);
    world_fini(&w);
}
END_TEST

/* Chunks of full blocks: their framing shares one block; it goes with the response. */
START_TEST(framing_in_one_block)
{
    struct world w;
    open_manual(&w, GET);
    w.pair.out_head.body = GW_BODY_UNKNOWN;
    world_respond(&w, 200, NULL);
    for (int i = 0; i < 20; i++) {
        struct gw_block *b = gw_block_take(&w.pool, NULL);
        size_t n;
        ck_assert_ptr_nonnull(b);
        memset(b->bytes, 'x', b->size);
        gw_block_filled(b, b->size);
        must(gw_pipe_push_view(&w.pair.out_pipe, b, b->bytes, b->size, &n));
        gw_block_unref(b);
        must(w.codec->ops->write(w.codec, &w.tx, SIZE_MAX, 0));
    }
    ck_assert_uint_le(w.pool.out, 20 + 2);
    must(gw_pipe_end(&w.pair.out_pipe));
    must(w.codec->ops->write(w.codec, &w.tx, SIZE_MAX, 0));
    ck_assert_uint_eq(w.pair.stream.out, GW_HALF_DONE);
    gw_chain_clear(&w.tx);
    ck_assert_uint_eq(w.pool.out, 0);
    world_fini(&w);
}
END_TEST

/* A small answer leaves in one piece. */
START_TEST(small_in_one_span)
{
    struct world w;
    gw_const_span spans[4];
    open_manual(&w, GET);
    world_respond(&w, 200, "a small body");
    must(w.codec->ops->write(w.codec, &w.tx, 4096, 0));
    ck_assert_uint_eq(gw_chain_peek(&w.tx, spans, 4), 1);
    ck_assert_uint_eq(w.pool.out, 1);
    world_fini(&w);
}
END_TEST

Suite *server_suite(void)
{
    Suite *suite = suite_create("server");
    check_add_loop(suite, good_requests, 0, sizeof goods / sizeof goods[0]);
    check_add(suite, response_framing);
    check_add(suite, pipelining_waits);
    check_add(suite, end_of_input);
    check_add(suite, reset_by_client);
    check_add(suite, head_pending);
    check_add(suite, no_stream);
    check_add(suite, informational);
    check_add(suite, expectation_unanswered);
    check_add(suite, rest_is_dropped);
    check_add(suite, backpressure);
    check_add(suite, tiny_chunks);
    check_add(suite, tunnels);
    check_add(suite, tunnel_refused);
    check_add(suite, drained);
    check_add(suite, reset_and_detach);
    check_add(suite, body_not_as_said);
    check_add(suite, write_mark);
    check_add(suite, framing_in_one_block);
    check_add(suite, small_in_one_span);
    return suite;
}

CHECK_MAIN(server_suite, client_suite, smuggling_suite, random_suite, memory_suite)
