/* unit/smuggling_test.c: what two parsers could read differently, and what is not HTTP: each is
 * refused for its reason with its status, and nothing behind it is taken for a request. */

#include "h1_test.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
/* With zero bytes inside. */
#define BYTES(s) s, sizeof(s) - 1

static const struct bad {
    const char *bytes;
    size_t len;
    const char *reason;
    unsigned code;
} bads[] = {
    /* the request line */
    { BYTES("GET\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), "tls_on_clear_port", 400 },
    { BYTES("\x16\x03\x01\x02\0\x01\n\x01\xfc\x03\x03"), "tls_on_clear_port", 400 },
    { BYTES(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET / http/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET / HTTP/01.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET / HTTP/1,1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_request_line", 400 },
    { BYTES("\x16\x03\x01\x02\n"), "tls_on_clear_port", 400 },
    /* versions */
    { BYTES("GET /\r\n"), "version_unknown", 505 },
    { BYTES("GET / HTTP/0.9\r\n\r\n"), "version_unknown", 505 },
    { BYTES("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), "version_unknown", 505 },
    { BYTES("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), "version_unknown", 505 },
    { BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "version_unknown", 505 },
    /* targets */
    { BYTES("GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    { BYTES("CONNECT http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n"), "bad_target", 400 },
    /* Host */
    { BYTES("GET / HTTP/1.1\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"), "bad_host", 400 },
    { BYTES("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), "bad_host", 400 },
    /* field lines */
    { BYTES(GET "X : 1\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X\t: 1\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET " X: 1\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: 1\r\n 2\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: 1\r\n\t2\r\n\r\n"), "bad_field", 400 },
    { BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET ": 1\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X@Y: 1\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X\0: 1\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X\x80: 1\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: 1\0\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: 1\x7f\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: 1\x01 234567890\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: a\rY: b\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: a\r\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: a\nY: b\r\n\r\n"), "bad_field", 400 },
    { BYTES(GET "X: a\r\n\n"), "bad_field", 400 },
    { BYTES(GET "\n"), "bad_field", 400 },
    { BYTES(GET "\r \r\n"), "bad_field", 400 },
    /* lengths */
    { BYTES(POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: 1, 1\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: +1\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: -1\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: 0x1\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: 1 2\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length:\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: 1_0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: 9223372036854775808\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Content-Length: 18446744073709551617\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), "bad_framing", 400 },
    /* codings */
    { BYTES(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
      "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" NEXT),
      "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
      "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" NEXT),
      "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n" NEXT), "bad_framing", 400 },
    { BYTES(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n\r\n0\r\n\r\n" NEXT),
      "bad_field", 400 },
    { BYTES(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" NEXT), "bad_field", 400 },
    { BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT), "coding_unknown", 501 },
    { BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT), "coding_unknown", 501 },
    { BYTES(POST "Transfer-Encoding: identity\r\n\r\n" NEXT), "coding_unknown", 501 },
    { BYTES("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
      "bad_framing", 400 },
    /* expectations */
    { BYTES(GET "Expect: 200-ok\r\n\r\n"), "expectation_unknown", 417 },
    { BYTES(GET "Expect: 100-continue\r\nExpect: x\r\n\r\n"), "expectation_unknown", 417 },
};

/* Bodies that go wrong after a head that was fine. */
static const struct bad_body {
    const char *bytes;
    size_t len;
    const char *reason;
} bad_bodies[] = {
    { BYTES(CHUNKED "\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "x\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "0x1\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "-1\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "+1\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED " 1\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1 \r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1 ;a\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1\r\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1;a\nb\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1;a\rb\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1;a\0b\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1\r\nab\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1\r\na\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1\r\na\r0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1\r\na0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1\r\na\rx0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "1000000000000001\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "ffffffffffffffff\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "10000000000000000\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "00000000000000001\r\na\r\n0\r\n\r\n" NEXT), "bad_chunk" },
    { BYTES(CHUNKED "0\r\nx\r\n\r\n" NEXT), "bad_trailers" },
    { BYTES(CHUNKED "0\r\nx : y\r\n\r\n" NEXT), "bad_trailers" },
    { BYTES(CHUNKED "0\r\nx: y\r\n z\r\n\r\n" NEXT), "bad_trailers" },
    { BYTES(CHUNKED "0\r\nx: y\n\r\n" NEXT), "bad_trailers" },
    { BYTES(CHUNKED "0\r\n\n" NEXT), "bad_trailers" },
};

static void play(struct world *w, const char *bytes, size_t len, size_t first, size_t piece)
{
    world_init(w, false);
    world_feed(w, bytes, first, 0);
    world_feed(w, bytes + first, len - first, piece);
}

static void expect(struct world *w, const char *reason, unsigned code)
{
    char cut[64], line[64];
    snprintf(cut, sizeof cut, "CUT %s\n", reason);
    snprintf(line, sizeof line, "HTTP/1.1 %u ", code);
    ck_assert_msg(w->log.len >= strlen(cut) &&
                      strcmp(w->log.at + w->log.len - strlen(cut), cut) == 0,
                  "not %s: %s", reason, w->log.at);
    ck_assert_msg(strncmp(w->sent.at, line, strlen(line)) == 0, "not %u: %s", code, w->sent.at);
    ck_assert_ptr_nonnull(strstr(w->sent.at, "\r\nConnection: close\r\n"));
    ck_assert_ptr_null(strstr(w->sent.at + 1, "HTTP/1.1"));
    ck_assert_uint_eq(w->codec->state, GW_CODEC_OVER);
    ck_assert_str_eq(reason_name(w->codec->fault), reason);
    ck_assert(w->codec->is_write_done);
    ck_assert(!w->codec->is_head_pending);
    ck_assert(!w->codec->ops->wants_read(w->codec, 0));
}

START_TEST(refused)
{
    const struct bad *bad = &bads[_i];
    struct world w;
    for (size_t i = 0; i <= bad->len; i++) {
        play(&w, bad->bytes, bad->len, i, i == bad->len ? 1 : 0);
        char cut[64];
        snprintf(cut, sizeof cut, " CUT %s\n", bad->reason);
        ck_assert_msg(strcmp(w.log.at, cut) == 0, "cut at %zu: not %s: %s", i, bad->reason,
                      w.log.at);
        expect(&w, bad->reason, bad->code);
        world_fini(&w);
    }
    play(&w, bad->bytes, bad->len, 0, 1);
    expect(&w, bad->reason, bad->code);
    world_fini(&w);
}
END_TEST

START_TEST(refused_bodies)
{
    const struct bad_body *bad = &bad_bodies[_i];
    struct world w;
    for (size_t i = 0; i <= bad->len; i++) {
        play(&w, bad->bytes, bad->len, i, 0);
        expect(&w, bad->reason, 400);
        ck_assert_ptr_null(strstr(w.log.at, "smuggled"));
        world_fini(&w);
    }
    play(&w, bad->bytes, bad->len, 0, 1);
    expect(&w, bad->reason, 400);
    world_fini(&w);
}
END_TEST

/* Endless lines, heads, extensions, trailers: refused, and never held. */
static void flood(const char *begin, const char *more, const char *reason, unsigned code)
{
    struct world w;
    world_init(&w, false);
    world_feed(&w, begin, strlen(begin), 0);
    for (int i = 0; i < 200000 && w.codec->state != GW_CODEC_OVER; i++)
        world_feed(&w, more, strlen(more), 0);
    expect(&w, reason, code);
    ck_assert_uint_le(w.rx_peak, 1024 + 512);
    ck_assert_uint_le(w.pool.out_peak, 12);
    world_fini(&w);
}

START_TEST(floods)
{
    flood("GET /", "aaaaaaaa", "target_too_long", 414);
    flood("", "A", "target_too_long", 414);
    flood("GET / HTTP/1.1\r\n", "aaaaaaaa", "head_too_large", 431);
    flood("GET / HTTP/1.1\r\nX: ", "aaaaaaaa", "head_too_large", 431);
    flood("GET / HTTP/1.1\r\n", "a: b\r\n", "head_too_large", 431);
    flood("GET / HTTP/1.1\r\n",
          "a: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
          "\r\n",
          "head_too_large", 431);
    flood(CHUNKED, "0", "bad_chunk", 400);
    flood(CHUNKED "1;", "a", "bad_chunk", 400);
    flood(CHUNKED, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n", "bad_chunk", 400);
    flood(CHUNKED "0\r\n", "a: b\r\n", "head_too_large", 431);
    flood(CHUNKED "0\r\n", "aaaaa", "head_too_large", 431);
}
END_TEST

Suite *smuggling_suite(void)
{
    Suite *suite = suite_create("smuggling");
    check_add_loop(suite, refused, 0, sizeof bads / sizeof bads[0]);
    check_add_loop(suite, refused_bodies, 0, sizeof bad_bodies / sizeof bad_bodies[0]);
    check_add(suite, floods);
    return suite;
}
