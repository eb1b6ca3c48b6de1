/* unit/text_test.c: views of bytes, numbers at their edges, bounded texts. */

#include "base_test.h"

#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "base/text.h"

static void same(gw_str got, const char *want)
{
    ck_assert_msg(gw_str_eq(got, gw_cstr(want)), "got \"%.*s\", want \"%s\"", (int)got.len,
                  got.len ? got.ptr : "", want);
}

START_TEST(views)
{
    ck_assert_uint_eq(gw_cstr(NULL).len, 0);
    ck_assert_uint_eq(gw_cstr("abc").len, 3);
    ck_assert(gw_str_eq((gw_str){ NULL, 0 }, GW_STR("")));
    ck_assert(!gw_str_eq(GW_STR("a"), GW_STR("A")));
    ck_assert(!gw_str_eq(GW_STR("a"), GW_STR("ab")));
    ck_assert(gw_str_eq_nocase(GW_STR("Content-LENGTH"), GW_STR("content-length")));
    ck_assert(!gw_str_eq_nocase(GW_STR("[{@`"), GW_STR("{[`@"))); /* 32 apart, but no letters */
    ck_assert(!gw_str_eq_nocase(GW_STR("\xc4"), GW_STR("\xe4")));
    ck_assert(!gw_str_eq_nocase(GW_STR("ab"), GW_STR("abc")));
    ck_assert_int_lt(gw_str_compare(GW_STR("ab"), GW_STR("abc")), 0);
    ck_assert_int_gt(gw_str_compare(GW_STR("b"), GW_STR("abc")), 0);
    ck_assert_int_gt(gw_str_compare(GW_STR("\xff"), GW_STR("a")), 0);
    ck_assert_int_eq(gw_str_compare(GW_STR("abc"), GW_STR("abc")), 0);
    ck_assert_int_eq(gw_str_compare((gw_str){ NULL, 0 }, GW_STR("")), 0);
    ck_assert(gw_str_starts(GW_STR("/api/x"), GW_STR("/api")));
    ck_assert(gw_str_starts(GW_STR("x"), GW_STR("")));
    ck_assert(!gw_str_starts(GW_STR("/ap"), GW_STR("/api")));
    ck_assert(gw_str_ends(GW_STR("a.example"), GW_STR(".example")));
    ck_assert(!gw_str_ends(GW_STR("example"), GW_STR(".example")));
    ck_assert_uint_eq(gw_str_find(GW_STR("a,b,c"), ','), 1);
    ck_assert_uint_eq(gw_str_find(GW_STR("abc"), ','), 3);
    ck_assert_uint_eq(gw_str_find((gw_str){ NULL, 0 }, ','), 0);
    same(gw_str_slice(GW_STR("abcdef"), 2, 4), "cd");
    same(gw_str_slice((gw_str){ NULL, 0 }, 0, 0), "");
    same(gw_str_trim(GW_STR(" \t a b\t ")), "a b");
    same(gw_str_trim(GW_STR(" \t ")), "");
    same(gw_str_trim(GW_STR("\na\r")), "\na\r"); /* line ends are no blanks */
}
END_TEST

START_TEST(elements)
{
    gw_str rest = GW_STR(" ,a, b c ,,\t, \"d,e\" ,"), out;
    static const char *const want[] = { "a", "b c", "\"d", "e\"" };
    for (size_t i = 0; i < 4; i++) {
        ck_assert(gw_str_next_element(&rest, &out));
        same(out, want[i]);
    }
    ck_assert(!gw_str_next_element(&rest, &out));
    ck_assert_uint_eq(rest.len, 0);
    ck_assert(!gw_str_next_element(&rest, &out));
    rest = GW_STR("close");
    ck_assert(gw_str_next_element(&rest, &out));
    same(out, "close");
    ck_assert(!gw_str_next_element(&rest, &out));
}
END_TEST

static const struct number_row {
    const char *text;
    bool is_decimal;
    uint64_t decimal;
} numbers[] = {
    { "0", true, 0 },
    { "000000000000000000000000017", true, 17 },
    { "18446744073709551615", true, UINT64_MAX },
    { "18446744073709551616", false, 0 },
    { "18446744073709551620", false, 0 },
    { "99999999999999999999", false, 0 },
    { "184467440737095516150", false, 0 },
    { "10000000000000000", true, 10000000000000000u },
    { "a", false, 0 },
    { ":", false, 0 },
    { "/", false, 0 },
    { "", false, 0 },
    { "+1", false, 0 },
    { "-1", false, 0 },
    { " 1", false, 0 },
    { "1 ", false, 0 },
    { "0x1", false, 0 },
    { "1_000", false, 0 },
    { "\xb2", false, 0 },
};

START_TEST(numbers_from_text)
{
    const struct number_row *row = &numbers[_i];
    uint64_t n = 77;
    ck_assert_int_eq(gw_parse_u64(gw_cstr(row->text), &n), row->is_decimal ? GW_OK : GW_EINVAL);
    ck_assert_uint_eq(n, row->is_decimal ? row->decimal : 77); /* untouched on failure */
}
END_TEST

START_TEST(numbers_there_and_back)
{
    struct gw_prng prng = { 5 };
    for (int i = 0; i < 20000; i++) {
        uint64_t n = i == 0 ? 0 : i == 1 ? UINT64_MAX : gw_prng_next(&prng) >> (i % 64), back;
        char out[GW_U64_TEXT_MAX + 1], want[32];
        memset(out, '~', sizeof out);
        size_t len = gw_format_u64(n, out);
        snprintf(want, sizeof want, "%llu", (unsigned long long)n);
        same((gw_str){ out, len }, want);
        ck_assert_int_eq(out[len], '~');
        ck_assert_int_eq(gw_parse_u64((gw_str){ out, len }, &back), GW_OK);
        ck_assert_uint_eq(back, n);
        memset(out, '~', sizeof out);
        len = gw_format_hex_u64(n, out);
        snprintf(want, sizeof want, "%llx", (unsigned long long)n);
        same((gw_str){ out, len }, want);
        ck_assert_int_eq(out[len], '~');
    }
}
END_TEST

/* In every size of buffer: the longest beginning that fits, ended by a zero, nothing behind it. */
START_TEST(texts_are_cut)
{
    static const char want[] = "n=18446744073709551615 [a\\x0a\\xff\\x7f~] end";
    for (size_t size = 1; size < sizeof want + 5; size++) {
        char buffer[sizeof want + 8];
        struct gw_text t;
        memset(buffer, '#', sizeof buffer);
        gw_text_init(&t, buffer, size);
        gw_text_cstr(&t, "n=");
        gw_text_u64(&t, UINT64_MAX);
        gw_text_str(&t, GW_STR(" ["));
        gw_text_quoted(&t, GW_STR("a\n\xff\x7f~"));
        gw_text_cstr(&t, "] end");
        size_t len = strlen(buffer);
        ck_assert_uint_lt(len, size);
        ck_assert_ptr_eq(t.at, buffer + len);
        const char *escape = strrchr(buffer, '\\');
        ck_assert(escape == NULL || strlen(escape) >= 4); /* none is cut in the middle */
        ck_assert(strncmp(buffer, want, len) == 0);
        ck_assert(size < sizeof want ? len + 4 >= size : len == sizeof want - 1);
        for (size_t i = size; i < sizeof buffer; i++)
            ck_assert_int_eq(buffer[i], '#');
    }
}
END_TEST

START_TEST(times_have_the_largest_unit)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = { { 0, "0ms" },       { 1, "1ms" },       { 1500, "1500ms" },
                 { 5000, "5s" },     { 90000, "90s" },   { 120000, "2m" },
                 { 3600000, "1h" },  { 3660000, "61m" }, { 3600001, "3600001ms" },
                 { 86400000, "24h" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buffer[32];
        struct gw_text t;
        gw_text_init(&t, buffer, sizeof buffer);
        gw_text_ms(&t, rows[i].ms);
        ck_assert_str_eq(buffer, rows[i].text);
    }
}
END_TEST

/* The definition, without a table. */
static size_t naive_distance(gw_str a, gw_str b)
{
    if (a.len == 0 || b.len == 0)
        return a.len + b.len;
    gw_str a1 = gw_str_slice(a, 1, a.len), b1 = gw_str_slice(b, 1, b.len);
    size_t best = naive_distance(a1, b1) + (a.ptr[0] != b.ptr[0]);
    size_t other = naive_distance(a1, b) + 1;
    best = other < best ? other : best;
    other = naive_distance(a, b1) + 1;
    return other < best ? other : best;
}

START_TEST(distances)
{
    struct gw_prng prng = { 9 };
    char long_text[65];
    ck_assert_uint_eq(gw_text_distance(GW_STR("listeners"), GW_STR("listner"), 3), 2);
    ck_assert_uint_eq(gw_text_distance(GW_STR("kitten"), GW_STR("sitting"), 2), 3);
    ck_assert_uint_eq(gw_text_distance(GW_STR(""), GW_STR("abc"), 5), 3);
    ck_assert_uint_eq(gw_text_distance(GW_STR("A"), GW_STR("a"), 0), 0);
    memset(long_text, 'x', sizeof long_text);
    gw_str at_most = { long_text, 64 }, too_long = { long_text, 65 };
    ck_assert_uint_eq(gw_text_distance(at_most, at_most, 3), 0);
    ck_assert_uint_eq(gw_text_distance(too_long, too_long, 3), 4);
    for (int i = 0; i < 300; i++) {
        char a[6], b[6];
        for (int j = 0; j < 6; j++) {
            a[j] = (char)('a' + gw_prng_below(&prng, 3));
            b[j] = (char)('a' + gw_prng_below(&prng, 3));
        }
        gw_str x = { a, gw_prng_below(&prng, 7) }, y = { b, gw_prng_below(&prng, 7) };
        ck_assert_uint_eq(gw_text_distance(x, y, 10), naive_distance(x, y));
    }
}
END_TEST

Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    check_add(suite, views);
    check_add(suite, elements);
    check_add_loop(suite, numbers_from_text, 0, (int)(sizeof numbers / sizeof numbers[0]));
    check_add(suite, numbers_there_and_back);
    check_add(suite, texts_are_cut);
    check_add(suite, times_have_the_largest_unit);
    check_add(suite, distances);
    return suite;
}
