/* unit/covers_test.c: which names a certificate covers, by a table and against a naive version; and what of
 * them is told. */

#include "base/prng.h"
#include "base/text.h"
#include "check_main.h"
#include "tls/name.h"

Suite *names_suite(void);

#define NAME(kind, text) ((struct gw_tls_name){ GW_TLS_##kind, GW_STR(text) })

START_TEST(covers)
{
    const struct {
        struct gw_tls_name presented;
        gw_str expected;
        bool does;
    } rows[] = {
#define ROW(kind, text, expected, does) { NAME(kind, text), GW_STR(expected), does }
        ROW(DNS, "a.example", "a.example", true),
        ROW(DNS, "A.Example", "a.eXample", true),
        ROW(DNS, "a.example", "a.example.", true),
        ROW(DNS, "a.example.", "a.example", false), /* no certificate has one (RFC 5280 4.2.1.6) */
        ROW(DNS, "a.example", "b.example", false),
        ROW(DNS, "a.example", "x.a.example", false),
        ROW(DNS, "a.example", "example", false),
        ROW(DNS, "a", "a", true),
        ROW(DNS, "_x.a-b.example", "_x.a-b.example", true),
        ROW(DNS, "*.example.com", "a.example.com", true),
        ROW(DNS, "*.example.com", "A.EXAMPLE.COM.", true),
        ROW(DNS, "*.example.com", "xn--bcher-kva.example.com", true),
        ROW(DNS, "*.xn--bcher-kva.example", "a.xn--bcher-kva.example", true),
        ROW(DNS, "*.example.com", "example.com", false),
        ROW(DNS, "*.example.com", ".example.com", false),
        ROW(DNS, "*.example.com", "a.b.example.com", false),
        ROW(DNS, "*.example.com", "*.example.com", false),
        ROW(DNS, "*.example.com", "a.example.org", false),
        ROW(DNS, "*.com", "example.com", false),
        ROW(DNS, "*.", "a", false),
        ROW(DNS, "*", "a", false),
        ROW(DNS, "*", "", false),
        ROW(DNS, "*..com", "a..com", false),
        ROW(DNS, "a*.example.com", "ab.example.com", false),
        ROW(DNS, "*a.example.com", "ba.example.com", false),
        ROW(DNS, "a.*.com", "a.b.com", false),
        ROW(DNS, "*.*.com", "a.b.com", false),
        ROW(DNS, "xn--*.example.com", "xn--a.example.com", false),
        ROW(DNS, "", "", false),
        ROW(DNS, ".", ".", false),
        ROW(DNS, "a..b", "a..b", false),
        ROW(DNS, "a b", "a b", false),
        ROW(DNS, "a.example\0.evil", "a.example", false),
        ROW(DNS, "a.example\0.evil", "a.example\0.evil", false),
        ROW(DNS, "*.example.com", "a\0.example.com", false),
        ROW(DNS, "b\xc3\xbc.example", "b\xc3\xbc.example", false),
        ROW(DNS, "10.0.0.1", "10.0.0.1", false), /* an address is no name, and the reverse */
        ROW(DNS, "*.0.0.1", "10.0.0.1", false),
        ROW(IP, "\x0a\0\0\1", "10.0.0.1", true),
        ROW(IP, "\x0a\0\0\1", "10.0.0.2", false),
        ROW(IP, "\x0a\0\0\1", "::ffff:10.0.0.1", false),
        ROW(IP, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "::1", true),
        ROW(IP, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "[::1]", true),
        ROW(IP, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "0:0:0:0:0:0:0:1", true),
        ROW(IP, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "::2", false),
        ROW(IP, "\0\0\0\1", "::1", false),
        ROW(IP, "", "::1", false),
        ROW(IP, "\x0a\0\0\1", "[10.0.0.1]", false),
        ROW(IP, "10.0.0.1", "10.0.0.1", false),
        ROW(SUBJECT, "a.example", "a.example", false),
        ROW(URI, "a.example", "a.example", false),
        ROW(URI, "https://a.example", "a.example", false),
#undef ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(gw_tls_name_covers(&rows[i].presented, rows[i].expected) == rows[i].does,
                      "row %zu", i);
}
END_TEST

START_TEST(allows)
{
    const struct {
        gw_str pattern;
        struct gw_tls_name presented;
        bool does;
    } rows[] = {
#define ROW(pattern, kind, text, does) { GW_STR(pattern), NAME(kind, text), does }
        ROW("spiffe://d/x", URI, "spiffe://d/x", true),
        ROW("spiffe://d/x", URI, "spiffe://D/x", false),
        ROW("spiffe://d/x", URI, "spiffe://d/x/y", false),
        ROW("spiffe://d/x", URI, "spiffe://d/x\0", false),
        ROW("spiffe://d/*", URI, "spiffe://d/x", false),
        ROW("spiffe://d/x", DNS, "spiffe://d/x", false),
        ROW("", URI, "", false),
        ROW("a.example", DNS, "A.example", true),
        ROW("a.example.", DNS, "a.example", true),
        ROW("a.example", DNS, "b.example", false),
        ROW("*.a.example", DNS, "b.a.example", true),
        ROW("*.example", DNS, "a.example", true),
        ROW("*.example", DNS, "b.a.example", false),
        ROW("*.example", DNS, "example", false),
        ROW("*.example.com", DNS, "*.example.com", false), /* who is that? */
        ROW("a.example.com", DNS, "*.example.com", false),
        ROW("*", DNS, "a", false),
        ROW("10.0.0.1", IP, "\x0a\0\0\1", true),
        ROW("10.0.0.1", IP, "\x0a\0\0\2", false),
        ROW("10.0.0.1", DNS, "10.0.0.1", false),
        ROW("a.example", IP, "\x0a\0\0\1", false),
        ROW("::1", IP, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", true),
        ROW("CN=Alice", SUBJECT, "Alice", true),
        ROW("Alice", SUBJECT, "Alice", false),
        ROW("spiffe://d/x", SUBJECT, "spiffe://d/x", false),
        ROW("CN=alice", SUBJECT, "Alice", false),
        ROW("CN=", SUBJECT, "", false),
        ROW("*.example", SUBJECT, "a.example", false),
#undef ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(gw_tls_name_allows(rows[i].pattern, &rows[i].presented) == rows[i].does,
                      "row %zu", i);
}
END_TEST

/* ---- against a naive version: labels as texts, one by one ---- */

enum { LABELS = 8 };
struct labels {
    char at[LABELS][80];
    int len;
};

/* False: no name. */
static bool naive_split(const char *s, struct labels *out)
{
    size_t n = strlen(s);

    out->len = 0;
    if (n == 0)
        return false;
    for (;;) {
        size_t len = strcspn(s, ".");
        if (len == 0 || len > 63 || out->len == LABELS)
            return false;
        memcpy(out->at[out->len], s, len);
        out->at[out->len++][len] = '\0';
        if (s[len] == '\0')
            return true;
        s += len + 1;
    }
}

static bool naive_is_plain(const char *label)
{
    return strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
           strlen(label);
}

static bool naive_is_same(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        int x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a, y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b;
        if (x != y)
            return false;
    }
    return *a == *b;
}

static bool naive_covers(const char *presented, const char *expected)
{
    struct labels p, e;
    char cut[256];
    size_t n = strlen(expected);

    memcpy(cut, expected, n + 1);
    if (n > 1 && cut[n - 1] == '.')
        cut[n - 1] = '\0';
    if (!naive_split(presented, &p) || !naive_split(cut, &e) || p.len != e.len)
        return false;
    for (int i = 0; i < e.len; i++) {
        bool is_any = i == 0 && strcmp(p.at[0], "*") == 0 && p.len >= 3;
        if (!naive_is_plain(e.at[i]) || (!is_any && !naive_is_plain(p.at[i])))
            return false;
        if (!is_any && !naive_is_same(p.at[i], e.at[i]))
            return false;
    }
    return true;
}

static void make_name(struct gw_prng *prng, char *out)
{
    static const char *const parts[] = { "a", "b", "A",  "*",  "*", ".", ".",
                                         ".", "",  "ab", "x*", "-", "1", "\x80" };
    size_t n = 1 + (size_t)gw_prng_below(prng, 7);

    *out = '\0';
    while (n-- > 0)
        strcat(out, parts[gw_prng_below(prng, sizeof parts / sizeof parts[0])]);
}

START_TEST(as_a_naive_version)
{
    struct gw_prng prng = { .state = 5 };
    int covered = 0;

    for (int i = 0; i < 300000; i++) {
        char presented[64], expected[64];
        bool does;
        make_name(&prng, presented);
        make_name(&prng, expected);
        if (gw_prng_below(&prng, 4) == 0)
            memcpy(expected, presented, sizeof presented);
        if (gw_prng_below(&prng, 3) == 0 && expected[0] == '*')
            expected[0] = 'q';
        does = naive_covers(presented, expected);
        covered += does;
        ck_assert_msg(gw_tls_name_covers(&(struct gw_tls_name){ GW_TLS_DNS, gw_cstr(presented) },
                                         gw_cstr(expected)) == does,
                      "\"%s\" and \"%s\"", presented, expected);
    }
    ck_assert_int_gt(covered, 1000);
}
END_TEST

START_TEST(lengths)
{
    char name[300];

    memset(name, 'a', sizeof name);
    for (size_t i = 60; i < sizeof name; i += 61)
        name[i] = '.';
    for (size_t n = 250; n < 258; n++) {
        gw_str s = { name, n };
        ck_assert_int_eq(gw_tls_name_covers(&(struct gw_tls_name){ GW_TLS_DNS, s }, s), n <= 253);
    }
    memset(name, 'a', sizeof name);
    for (size_t n = 60; n < 68; n++) {
        gw_str s = { name, n };
        ck_assert_int_eq(gw_tls_name_covers(&(struct gw_tls_name){ GW_TLS_DNS, s }, s), n <= 63);
    }
}
END_TEST

START_TEST(told)
{
    const struct {
        struct gw_tls_name name;
        const char *text;
    } rows[] = {
        { NAME(DNS, "a.Example"), "a.Example" },
        { NAME(DNS, "a\0b \n\x80\x7f"), "a?b????" },
        { NAME(URI, "spiffe://d/x"), "spiffe://d/x" },
        { NAME(SUBJECT, "Alice A"), "CN=Alice?A" },
        { NAME(IP, "\x0a\0\0\1"), "10.0.0.1" },
        { NAME(IP, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1" },
        { NAME(IP, "abc"), "?" },
        { NAME(IP, ""), "?" },
    };
    char out[64];
    struct gw_text text;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gw_text_init(&text, out, sizeof out);
        gw_tls_name_tell(&text, &rows[i].name);
        ck_assert_str_eq(out, rows[i].text);
    }
}
END_TEST

Suite *names_suite(void)
{
    Suite *s = suite_create("covers");

    check_add(s, covers);
    check_add(s, allows);
    check_add(s, as_a_naive_version);
    check_add(s, lengths);
    check_add(s, told);
    return s;
}
