/* unit/target_test.c: request targets and authorities, against tables and a naive model. */

#include "http_test.h"

static const struct path {
    const char *in, *out; /* NULL: refused */
} paths[] = {
    { "/", "/" },
    { "/a/b", "/a/b" },
    { "//", "//" },
    { "//a//b//", "//a//b//" },
    { "/.", "/" },
    { "/./", "/" },
    { "/a/.", "/a/" },
    { "/a/./b", "/a/b" },
    { "/a/..", "/" },
    { "/a/../", "/" },
    { "/a/../b", "/b" },
    { "/a/b/../c", "/a/c" },
    { "/a//../b", "/a/b" },
    { "/a/.../b", "/a/.../b" },
    { "/a/..b/c.", "/a/..b/c." },
    { "/.a", "/.a" },
    { "/%2e", "/" },
    { "/a/%2E%2e/b", "/b" },
    { "/a/.%2e", "/" },
    { "/a/%2e./b", "/b" },
    { "/%7euser/%41%2d%5F", "/~user/A-_" },
    { "/%2f%3a%e2%82%ac", "/%2F%3A%E2%82%AC" },
    { "/%252e", "/%252e" },
    { "/a;b=1/c:d@e!$&'()*+,=", "/a;b=1/c:d@e!$&'()*+,=" },
    { "/<>\"{}|^`[]", "/<>\"{}|^`[]" },
    { "", NULL },
    { "a", NULL },
    { "*", NULL },
    { "/..", NULL },
    { "/../a", NULL },
    { "/a/../..", NULL },
    { "/%2e%2e/", NULL },
    { "/%", NULL },
    { "/%1", NULL },
    { "/%g0", NULL },
    { "/%0g", NULL },
    { "/%00", NULL },
    { "/a%", NULL },
    { "/a b", NULL },
    { "/a\tb", NULL },
    { "/a\\b", NULL },
    { "/a#b", NULL },
    { "/a\x7f", NULL },
    { "/a\x80", NULL },
    { "/..\\", NULL },
};

START_TEST(canonical_paths)
{
    struct bench b;
    gw_str out = { NULL, 0 }, again;
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    enum gw_reason_id reason = gw_target_canonical(&b.arena, gw_cstr(paths[_i].in), &out);
    if (paths[_i].out == NULL) {
        ck_assert_str_eq(reason_name(reason), "bad_target");
        ck_assert_ptr_null(out.ptr);
        return;
    }
    ck_assert_uint_eq(reason, GW_REASON_none);
    same(out, paths[_i].out);
    ck_assert_uint_eq(gw_target_canonical(&b.arena, out, &again), GW_REASON_none);
    same(again, paths[_i].out);
    if (strpbrk(paths[_i].in, ".%") == NULL)
        ck_assert_ptr_eq(out.ptr, paths[_i].in); /* nothing to change: no copy */
}
END_TEST

/* The rules again, in the plainest way: decode to a list of segments, walk it, join. */
static bool model(const char *in, char *out)
{
    char decoded[256], *segments[256];
    size_t n = 0, count = 0;
    if (in[0] != '/')
        return false;
    for (size_t i = 0; in[i] != '\0'; i++) {
        unsigned char c = (unsigned char)in[i];
        if (c <= ' ' || c > '~' || c == '\\' || c == '#')
            return false;
        if (c != '%') {
            decoded[n++] = (char)c;
            continue;
        }
        unsigned byte;
        char hex[3] = { in[i + 1], in[i + 1] ? in[i + 2] : '\0', '\0' };
        if (strspn(hex, "0123456789abcdefABCDEF") != 2 || sscanf(hex, "%x", &byte) != 1 ||
            byte == 0)
            return false;
        bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= 'a' && byte <= 'z') || strchr("-._~", (int)byte) != NULL;
        n += (size_t)sprintf(decoded + n, is_plain ? "%c" : "%%%02X", (int)byte);
        i += 2;
    }
    decoded[n] = '\0';
    bool ends_in_slash = false;
    for (char *at = decoded; at != NULL;) {
        char *segment = at + 1, *slash = strchr(segment, '/');
        if (slash != NULL)
            *slash = '\0';
        ends_in_slash = false;
        if (strcmp(segment, ".") == 0) {
            ends_in_slash = true;
        } else if (strcmp(segment, "..") == 0) {
            if (count == 0)
                return false;
            count--;
            ends_in_slash = true;
        } else {
            segments[count++] = segment;
        }
        at = slash;
    }
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        strcat(strcat(out, "/"), segments[i]);
    if (ends_in_slash)
        strcat(out, "/");
    return true;
}

START_TEST(canonical_model)
{
    static const char *const pieces[] = { "/",   "/",   ".",  "..", "a",   "%2e", "%2E", "%2f",
                                          "%41", "%7e", "//", "/.", "/..", "b",   "%",   "%0",
                                          "%00", "é",   "\\", "~",  "%c3", "/a",  "/b",  "%25" };
    struct gw_prng prng = { 7 };
    int accepted = 0;
    for (int round = 0; round < 200000; round++) {
        char in[128] = "/", want[256];
        for (uint64_t k = gw_prng_below(&prng, 10); k > 0; k--) {
            uint64_t at = gw_prng_below(&prng, sizeof pieces / sizeof pieces[0]);
            /* What is refused is rare, else nothing would be left. */
            if (at >= 14 && at <= 18 && gw_prng_below(&prng, 10) != 0)
                at = 4;
            strcat(in, pieces[at]);
        }
        struct bench b;
        gw_str out;
        gw_arena_init(&b.arena, b.cell, sizeof b.cell, NULL, 1024);
        bool is_good = model(in, want);
        enum gw_reason_id reason = gw_target_canonical(&b.arena, gw_cstr(in), &out);
        ck_assert_msg((reason == GW_REASON_none) == is_good, "%s", in);
        if (!is_good)
            continue;
        accepted++;
        ck_assert_msg(gw_str_eq(out, gw_cstr(want)), "%s: %.*s, not %s", in, (int)out.len, out.ptr,
                      want);
    }
    ck_assert_int_gt(accepted, 50000);
}
END_TEST

static const struct target {
    const char *method, *target, *scheme, *authority, *path, *query;
} targets[] = {
    { "GET", "/a?b", "http", "", "/a", "b" },
    { "GET", "/a?", "http", "", "/a", "" },
    { "GET", "/a", "http", "", "/a", NULL },
    { "GET", "/a??b?c=%zz\\", "http", "", "/a", "?b?c=%zz\\" },
    { "GET", "/../a?b", NULL, NULL, NULL, NULL },
    { "GET", "?a", NULL, NULL, NULL, NULL },
    { "GET", "", NULL, NULL, NULL, NULL },
    { "GET", "/a?b c", NULL, NULL, NULL, NULL },
    { "GET", "/a?b#c", NULL, NULL, NULL, NULL },
    { "GET", "HTTP://H:8080/a/../b?c", "http", "H:8080", "/b", "c" },
    { "GET", "https://h", "https", "h", "/", NULL },
    { "GET", "http://h?q", "http", "h", "/", "q" },
    { "GET", "http://[::1]:80/", "http", "[::1]:80", "/", NULL },
    { "OPTIONS", "http://h", "http", "h", "*", NULL },
    { "OPTIONS", "http://h/", "http", "h", "/", NULL },
    { "OPTIONS", "*", "http", "", "*", NULL },
    { "GET", "*", NULL, NULL, NULL, NULL },
    { "OPTIONS", "*a", NULL, NULL, NULL, NULL },
    { "GET", "http://", NULL, NULL, NULL, NULL },
    { "GET", "http:///a", NULL, NULL, NULL, NULL },
    { "GET", "http://a@b/", NULL, NULL, NULL, NULL },
    { "GET", "ftp://h/", NULL, NULL, NULL, NULL },
    { "GET", "httpx://h/", NULL, NULL, NULL, NULL },
    { "GET", "h:80", NULL, NULL, NULL, NULL },
    { "CONNECT", "h:80", "http", "h:80", "", NULL },
    { "CONNECT", "[::1]:80", "http", "[::1]:80", "", NULL },
    { "CONNECT", "h", NULL, NULL, NULL, NULL },
    { "CONNECT", "h:80/", NULL, NULL, NULL, NULL },
    { "CONNECT", "/", NULL, NULL, NULL, NULL },
};

START_TEST(target_forms)
{
    const struct target *t = &targets[_i];
    struct bench b;
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    b.m.method = (uint8_t)gw_method_of(gw_cstr(t->method));
    enum gw_reason_id reason = gw_target_parse(&b.m, gw_cstr(t->target));
    if (t->scheme == NULL) {
        ck_assert_str_eq(reason_name(reason), "bad_target");
        return;
    }
    ck_assert_uint_eq(reason, GW_REASON_none);
    same(b.m.scheme, t->scheme);
    same(b.m.authority, t->authority);
    same(b.m.path, t->path);
    same(b.m.target, t->target);
    ck_assert_int_eq(b.m.query.ptr == NULL, t->query == NULL);
    same(b.m.query, t->query == NULL ? "" : t->query);
}
END_TEST

START_TEST(target_without_memory)
{
    struct bench b;
    gw_str out;
    bench_init(&b, GW_MESSAGE_REQUEST, 8);
    ck_assert_uint_eq(gw_target_canonical(&b.arena, GW_STR("/%41%41%41%41"), &out),
                      GW_REASON_head_too_large);
    gw_arena_init(&b.arena, b.cell, 8, NULL, 1000);
    ck_assert_uint_eq(gw_target_canonical(&b.arena, GW_STR("/%41%41%41%41"), &out),
                      GW_REASON_no_memory);
}
END_TEST

static const struct authority {
    const char *text, *host; /* NULL: refused */
} authorities[] = {
    { "a", "a" },
    { "example.com", "example.com" },
    { "a:0", "a" },
    { "a:65535", "a" },
    { "127.0.0.1:80", "127.0.0.1" },
    { "a_b-c.d~!$&'()*+,;=", "a_b-c.d~!$&'()*+,;=" },
    { "%41b", "%41b" },
    { "[::]", "[::]" },
    { "[::1]:80", "[::1]" },
    { "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]" },
    { "[1::8]", "[1::8]" },
    { "[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]" },
    { "[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]" },
    { "[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]" },
    { "", NULL },
    { ":80", NULL },
    { "a:", NULL },
    { "a:b", NULL },
    { "a:65536", NULL },
    { "a:-1", NULL },
    { "a:000080", NULL },
    { "a:80:80", NULL },
    { "u@a", NULL },
    { "a b", NULL },
    { "a/b", NULL },
    { "a?b", NULL },
    { "a#b", NULL },
    { "%4", NULL },
    { "%zz", NULL },
    { "\xc3\xa4", NULL },
    { "[]", NULL },
    { "[:]", NULL },
    { "[::1", NULL },
    { "[::1]a", NULL },
    { "[::1]80", NULL },
    { "::1", NULL },
    { "[1:2:3:4:5:6:7]", NULL },
    { "[1:2:3:4:5:6:7:8:9]", NULL },
    { "[1:2:3:4:5:6:7:8::]", NULL },
    { "[1::2::3]", NULL },
    { "[:::]", NULL },
    { "[12345::]", NULL },
    { "[g::]", NULL },
    { "[1:2:3:4:5:6:7:]", NULL },
    { "[:1::]", NULL },
    { "[::1.2.3]", NULL },
    { "[::1.2.3.4.5]", NULL },
    { "[::1.2.3.4:1]", NULL },
    { "[fe80::1%25eth0]", NULL },
};

START_TEST(authority_forms)
{
    gw_str text = gw_cstr(authorities[_i].text);
    bool is_valid = gw_authority_is_valid(text);
    ck_assert_msg(is_valid == (authorities[_i].host != NULL), "%s", authorities[_i].text);
    if (is_valid)
        same(gw_authority_host(text), authorities[_i].host);
}
END_TEST

Suite *target_suite(void)
{
    Suite *suite = suite_create("target");
    check_add_loop(suite, canonical_paths, 0, sizeof paths / sizeof paths[0]);
    check_add(suite, canonical_model);
    check_add_loop(suite, target_forms, 0, sizeof targets / sizeof targets[0]);
    check_add(suite, target_without_memory);
    check_add_loop(suite, authority_forms, 0, sizeof authorities / sizeof authorities[0]);
    return suite;
}
