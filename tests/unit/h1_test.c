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

Suite *server_suite(void)
{
    Suite *suite = suite_create("server");
    check_add_loop(suite, good_requests, 0, sizeof goods / sizeof goods[0]);
    return suite;
}

CHECK_MAIN(server_suite, smuggling_suite)
