/* unit/check_test.c: what HTTP/2 heads and trailers may say, and byte classes. (Requests and
 * responses of HTTP/1 are tried through its codec: unit-h1.) */

#include "http_test.h"

/* ---- byte classes ---- */

static bool model_token(unsigned c)
{
    return c != 0 && c < 128 &&
           strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                  (int)c) != NULL;
}

START_TEST(bytes)
{
    for (unsigned c = 0; c < 256; c++) {
        /* At every place of words and tails. */
        for (size_t len = 1; len < 20; len++) {
            for (size_t at = 0; at < len; at++) {
                char text[20];
                memset(text, 'x', sizeof text);
                text[at] = (char)c;
                gw_str s = { text, len };
                bool is_end = at == 0 || at == len - 1;
                bool is_value = (c >= 0x21 && c != 0x7f) || ((c == ' ' || c == '\t') && !is_end);
                ck_assert_msg(gw_is_field_value(s) == is_value, "%u at %zu of %zu", c, at, len);
                ck_assert(gw_is_token(s) == model_token(c));
                ck_assert(gw_is_lower_name(s) == (model_token(c) && !(c >= 'A' && c <= 'Z')));
            }
        }
    }
    ck_assert(!gw_is_token(GW_STR("")));
    ck_assert(!gw_is_lower_name(GW_STR("")));
    ck_assert(gw_is_field_value(GW_STR("")));
}
END_TEST

/* ---- HTTP/2 requests ---- */

static const struct h2_request {
    const char *method, *scheme, *authority, *path, *protocol, *fields;
    bool is_end;
    const char *reason; /* NULL: none */
    const char *body;   /* and what the body is then */
} h2_requests[] = {
    { "GET", "http", "a", "/", "", "", true, NULL, "none" },
    { "GET", "HTTPS", "a:1", "/x?y", "", "", true, NULL, "none" },
    { "POST", "http", "a", "/", "", "", false, NULL, "unknown" },
    { "POST", "http", "a", "/", "", "content-length: 5", false, NULL, "length" },
    { "POST", "http", "a", "/", "", "content-length: 0", true, NULL, "length" },
    { "POST", "http", "a", "/", "", "content-length: 0", false, NULL, "length" },
    { "OPTIONS", "http", "a", "*", "", "", true, NULL, "none" },
    { "CONNECT", "", "a:1", "", "", "", false, NULL, "tunnel" },
    { "CONNECT", "http", "a", "/chat", "websocket", "", false, NULL, "tunnel" },
    { "GET", "http", "", "/", "", "host: a", true, NULL, "none" },
    { "GET", "http", "A", "/", "", "host: a", true, NULL, "none" },
    { "GET", "http", "a", "/", "", "te: trailers", true, NULL, "none" },
    { "GET", "http", "a", "/", "", "te: Trailers", true, NULL, "none" },
    { "GET", "http", "a", "/", "", "expect: 100-Continue", true, NULL, "none" },
    /* pseudo-fields */
    { "", "http", "a", "/", "", "", true, "bad_pseudo_field", NULL },
    { "G T", "http", "a", "/", "", "", true, "bad_pseudo_field", NULL },
    { "GET", "", "a", "/", "", "", true, "bad_pseudo_field", NULL },
    { "GET", "ftp", "a", "/", "", "", true, "bad_pseudo_field", NULL },
    { "GET", "http", "a", "", "", "", true, "bad_pseudo_field", NULL },
    { "GET", "http", "a", "x", "", "", true, "bad_pseudo_field", NULL },
    { "GET", "http", "a", "http://b/", "", "", true, "bad_pseudo_field", NULL },
    { "GET", "http", "a", "*", "", "", true, "bad_target", NULL },
    { "GET", "http", "a", "/../", "", "", true, "bad_target", NULL },
    { "GET", "http", "a", "/", "x", "", true, "bad_pseudo_field", NULL },
    { "CONNECT", "http", "a:1", "", "", "", false, "bad_pseudo_field", NULL },
    { "CONNECT", "", "a:1", "/", "", "", false, "bad_pseudo_field", NULL },
    { "CONNECT", "", "", "", "", "", false, "bad_pseudo_field", NULL },
    { "CONNECT", "", "a", "", "", "", false, "bad_target", NULL },
    { "CONNECT", "http", "a", "/", "w s", "", false, "bad_pseudo_field", NULL },
    { "CONNECT", "http", "a", "", "ws", "", false, "bad_pseudo_field", NULL },
    { "GET", "http", "a", "/", "", ":late: x", true, "bad_pseudo_field", NULL },
    /* authority */
    { "GET", "http", "", "/", "", "", true, "bad_host", NULL },
    { "GET", "http", "a", "/", "", "host: b", true, "bad_host", NULL },
    { "GET", "http", "a", "/", "", "host: a\nhost: a", true, "bad_host", NULL },
    { "GET", "http", "u@a", "/", "", "", true, "bad_host", NULL },
    { "GET", "http", "a b", "/", "", "", true, "bad_host", NULL },
    /* fields */
    { "GET", "http", "a", "/", "", "X: y", true, "bad_field", NULL },
    { "GET", "http", "a", "/", "", "x y: z", true, "bad_field", NULL },
    { "GET", "http", "a", "/", "", "x: a\x01", true, "bad_field", NULL },
    { "GET", "http", "a", "/", "", "x: a\rb", true, "bad_field", NULL },
    { "GET", "http", "a", "/", "", "connection: close", true, "bad_connection_field", NULL },
    { "GET", "http", "a", "/", "", "keep-alive: x", true, "bad_connection_field", NULL },
    { "GET", "http", "a", "/", "", "proxy-connection: x", true, "bad_connection_field", NULL },
    { "GET", "http", "a", "/", "", "transfer-encoding: chunked", true, "bad_connection_field",
      NULL },
    { "GET", "http", "a", "/", "", "upgrade: x", true, "bad_connection_field", NULL },
    { "GET", "http", "a", "/", "", "te: gzip", true, "bad_connection_field", NULL },
    { "GET", "http", "a", "/", "", "te: trailers, gzip", true, "bad_connection_field", NULL },
    { "GET", "http", "a", "/", "", "expect: x", true, "expectation_unknown", NULL },
    /* lengths */
    { "POST", "http", "a", "/", "", "content-length: 5", true, "bad_length", NULL },
    { "POST", "http", "a", "/", "", "content-length: 5\ncontent-length: 6", false, "bad_length",
      NULL },
    { "POST", "http", "a", "/", "", "content-length: -5", false, "bad_length", NULL },
    { "CONNECT", "", "a:1", "", "", "content-length: 5", false, "bad_length", NULL },
};
static const char *const bodies[] = { "none", "length", "unknown", "tunnel" };

START_TEST(h2_request)
{
    const struct h2_request *r = &h2_requests[_i];
    struct bench b;
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    b.m.method_text = gw_cstr(r->method);
    b.m.scheme = gw_cstr(r->scheme);
    b.m.authority = gw_cstr(r->authority);
    b.m.target = gw_cstr(r->path);
    b.m.protocol = gw_cstr(r->protocol);
    bench_fields(&b, r->fields);
    enum gw_reason_id reason = gw_check_h2_request(&b.m, r->is_end);
    ck_assert_str_eq(reason_name(reason), r->reason == NULL ? "none" : r->reason);
    if (reason != GW_REASON_none)
        return;
    ck_assert_str_eq(bodies[b.m.body], r->body);
    ck_assert_uint_gt(b.m.authority.len, 0);
    ck_assert(gw_str_eq(b.m.scheme, GW_STR("http")) || gw_str_eq(b.m.scheme, GW_STR("https")));
    ck_assert_uint_eq(b.m.method, gw_method_of(b.m.method_text));
}
END_TEST

START_TEST(cookies_are_joined)
{
    struct bench b;
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    b.m.method_text = GW_STR("GET");
    b.m.scheme = GW_STR("http");
    b.m.authority = GW_STR("a");
    b.m.target = GW_STR("/");
    bench_fields(&b, "x: 1\ncookie: a=b\ny: 2\ncookie: c=d\ncookie: e");
    ck_assert_uint_eq(gw_check_h2_request(&b.m, true), GW_REASON_none);
    ck_assert_str_eq(bench_list(&b), "x=1;cookie=a=b; c=d; e;y=2;");
    b.arena.used_max = b.arena.used;
    bench_fields(&b, "");
    must(gw_fields_add(&b.m.fields, GW_FIELD_COOKIE, GW_STR("cookie"), GW_STR("z")));
    ck_assert_uint_eq(gw_check_h2_request(&b.m, true), GW_REASON_head_too_large);
}
END_TEST

/* ---- HTTP/2 responses ---- */

static const struct h2_response {
    unsigned code;
    const char *method, *fields;
    bool is_end, is_bad;
    const char *body;
    bool has_length;
    unsigned length;
} h2_responses[] = {
    { 200, "GET", "", true, false, "none", false, 0 },
    { 200, "GET", "", false, false, "unknown", false, 0 },
    { 200, "GET", "content-length: 5", false, false, "length", false, 5 },
    { 200, "GET", "content-length: 0", true, false, "length", false, 0 },
    { 200, "GET", "content-length: 5", true, true, NULL, false, 0 },
    { 200, "HEAD", "content-length: 5", true, false, "none", true, 5 },
    { 200, "HEAD", "content-length: 5", false, false, "none", true, 5 },
    { 200, "HEAD", "", true, false, "none", false, 0 },
    { 304, "GET", "content-length: 5", true, false, "none", true, 5 },
    { 204, "GET", "content-length: 5", true, false, "none", false, 0 },
    { 204, "GET", "", true, false, "none", false, 0 },
    { 200, "CONNECT", "content-length: 5", false, false, "tunnel", false, 0 },
    { 403, "CONNECT", "content-length: 5", false, false, "length", false, 5 },
    { 100, "POST", "", false, false, "none", false, 0 },
    { 103, "GET", "link: x", false, false, "none", false, 0 },
    { 100, "POST", "", true, true, NULL, false, 0 },
    { 101, "GET", "", false, true, NULL, false, 0 },
    { 99, "GET", "", true, true, NULL, false, 0 },
    { 600, "GET", "", true, true, NULL, false, 0 },
    { 200, "GET", "Bad: x", true, true, NULL, false, 0 },
    { 200, "GET", "connection: close", true, true, NULL, false, 0 },
    { 200, "GET", "transfer-encoding: chunked", false, true, NULL, false, 0 },
    { 200, "GET", "content-length: 5\ncontent-length: 6", false, true, NULL, false, 0 },
};

START_TEST(h2_response)
{
    const struct h2_response *r = &h2_responses[_i];
    struct bench b;
    bench_init(&b, GW_MESSAGE_RESPONSE, sizeof b.cell);
    b.m.code = (uint16_t)r->code;
    bench_fields(&b, r->fields);
    enum gw_reason_id reason = gw_check_h2_response(&b.m, gw_method_of(gw_cstr(r->method)),
                                                    r->is_end);
    ck_assert_str_eq(reason_name(reason), r->is_bad ? "upstream_bad_response" : "none");
    if (r->is_bad)
        return;
    ck_assert_str_eq(bodies[b.m.body], r->body);
    ck_assert_int_eq(b.m.has_length, r->has_length);
    ck_assert_uint_eq(b.m.length, r->length);
}
END_TEST

START_TEST(trailers)
{
    struct bench b;
    bench_init(&b, GW_MESSAGE_TRAILERS, sizeof b.cell);
    bench_fields(&b, "grpc-status: 0\nHost: x\nTrailer: x\nx: y\nConnection: z\nUpgrade: q\n"
                     "Content-Type: t\nAuthorization: u\nSet-Cookie: v\nDate: d");
    ck_assert_uint_eq(gw_check_trailers(&b.m), GW_REASON_none);
    ck_assert_str_eq(bench_list(&b), "grpc-status=0;x=y;Date=d;");
    static const char *const bads[] = { ":status: 200", "x y: z", "x: \x01", "x: y\x7f" };
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        bench_init(&b, GW_MESSAGE_TRAILERS, sizeof b.cell);
        bench_fields(&b, bads[i]);
        ck_assert_uint_eq(gw_check_trailers(&b.m), GW_REASON_bad_trailers);
    }
}
END_TEST

Suite *check_suite(void)
{
    Suite *suite = suite_create("check");
    check_add(suite, bytes);
    check_add_loop(suite, h2_request, 0, sizeof h2_requests / sizeof h2_requests[0]);
    check_add(suite, cookies_are_joined);
    check_add_loop(suite, h2_response, 0, sizeof h2_responses / sizeof h2_responses[0]);
    check_add(suite, trailers);
    return suite;
}
