/* Whom proxies speak for: prefixes, lists taken apart from the right, trust, and Via. */

#include <stdio.h>

#include "base/prng.h"
#include "check_main.h"
#include "http/forwarded.h"
#include "http/via.h"

static _Alignas(16) char memory[65536];
static struct gw_arena arena;
static struct gw_fields fields;

static void begin(void)
{
    gw_arena_init(&arena, memory, sizeof memory, NULL, sizeof memory);
    gw_fields_init(&fields, &arena, 100);
}

static void add(const char *name, const char *value)
{
    ck_assert_int_eq(gw_fields_add_copy(&fields, gw_cstr(name), gw_cstr(value)), GW_OK);
}

/* ---- prefixes ---- */

START_TEST(prefixes_are_what_they_say)
{
    static const struct {
        const char *prefix, *ip;
        bool is_in;
    } rows[] = {
        { "10.0.0.0/8", "10.255.0.1", true },
        { "10.0.0.0/8", "11.0.0.1", false },
        { "0.0.0.0/0", "1.2.3.4", true },
        { "0.0.0.0/0", "::1", false },
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.128/25", "192.0.2.128", true },
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1/32", "192.0.2.2", false },
        { "10.0.0.0/8", "::ffff:10.1.2.3", true },
        { "2001:db8::/32", "2001:db8:ffff::1", true },
        { "2001:db8::/32", "2001:db9::1", false },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "1.2.3.4", false },
        { "::1", "::1", true },
        { "unix", "1.2.3.4", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gw_prefix prefix;
        gw_address address;
        ck_assert_int_eq(gw_prefix_parse(gw_cstr(rows[i].prefix), &prefix), GW_OK);
        ck_assert_int_eq(gw_ip_parse(gw_cstr(rows[i].ip), &address), GW_OK);
        ck_assert_msg(gw_prefix_has(&prefix, &address) == rows[i].is_in, "%s in %s", rows[i].ip,
                      rows[i].prefix);
    }
    struct gw_prefix local;
    ck_assert_int_eq(gw_prefix_parse(GW_STR("unix"), &local), GW_OK);
    ck_assert(gw_prefix_has(&local, &(gw_address){ .kind = GW_ADDRESS_UNIX }));
    ck_assert(!gw_prefix_has(&local, &(gw_address){ .kind = 0 }));
}
END_TEST

START_TEST(prefixes_that_are_none)
{
    static const char *const rows[] = {
        "",
        "all",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.1/8",
        "10.0.0/8",
        "10.0.0.0/-1",
        "::/129",
        "::1/127",
        "[::]/0",
        "10.0.0.0/8 ",
        "10.0.0.0:80",
        "UNIX",
        "/8",
        "10.0.0.0//8",
        "unix:/run/x",
        "2001:db8::1/64",
    };
    struct gw_prefix prefix;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(gw_prefix_parse(gw_cstr(rows[i]), &prefix) == GW_EINVAL, "%s", rows[i]);
}
END_TEST

/* Bit by bit, as nobody would write it. */
START_TEST(prefixes_against_naive_ones)
{
    struct gw_prng prng = { 1 };
    for (int i = 0; i < 20000; i++) {
        struct gw_prefix p = { .kind = _i == 0 ? GW_ADDRESS_IPV4 : GW_ADDRESS_IPV6 };
        gw_address a = { .kind = p.kind };
        uint32_t width = _i == 0 ? 32 : 128;
        bool wanted = true;
        p.bits = (uint8_t)gw_prng_below(&prng, width + 1);
        for (uint32_t bit = 0; bit < width; bit++) {
            uint32_t mine = (uint32_t)gw_prng_below(&prng, 2);
            uint32_t theirs = gw_prng_below(&prng, 40) == 0 ? 1 - mine : mine;
            if (bit < p.bits) {
                p.ip[bit / 8] |= (uint8_t)(mine << (7 - bit % 8));
                wanted = wanted && mine == theirs;
            }
            a.ip[bit / 8] |= (uint8_t)(theirs << (7 - bit % 8));
        }
        ck_assert_int_eq(gw_prefix_has(&p, &a), wanted);
    }
}
END_TEST

/* ---- elements ---- */

START_TEST(elements_name_an_address)
{
    static const struct {
        const char *element, *x_text, *rfc_text; /* NULL: malformed */
    } rows[] = {
        { "192.0.2.1", "192.0.2.1", NULL },
        { "192.0.2.1:80", "192.0.2.1", NULL },
        { "2001:db8::1", "2001:db8::1", NULL },
        { "[2001:db8::1]", "2001:db8::1", NULL },
        { "[2001:db8::1]:80", "2001:db8::1", NULL },
        { "[2001:db8::1", NULL, NULL },
        { "[2001:db8::1]80", NULL, NULL },
        { "[2001:db8::1]:", NULL, NULL },
        { "[192.0.2.1]", NULL, NULL },
        { "192.0.2.1:", NULL, NULL },
        { "192.0.2.1:99999", NULL, NULL },
        { "192.0.2", NULL, NULL },
        { "192.0.2.01", NULL, NULL },
        { "unknown", NULL, NULL },
        { "name:80", NULL, NULL },
        { "\"192.0.2.1\"", NULL, NULL },
        { "192.0.2.1 x", NULL, NULL },
        { "", NULL, NULL },
        { "for=192.0.2.1", NULL, "192.0.2.1" },
        { "FOR=\"192.0.2.1:80\"", NULL, "192.0.2.1" },
        { "for=\"[2001:db8::1]:80\"", NULL, "2001:db8::1" },
        { "for=\"[2001:db8::1]\"", NULL, "2001:db8::1" },
        { "by=x;for=192.0.2.1;proto=http", NULL, "192.0.2.1" },
        { "host=\"a;for=1.1.1.1\";for=192.0.2.1", NULL, "192.0.2.1" },
        { "host=\"a\\\";for=1.1.1.1\";for=192.0.2.1", NULL, "192.0.2.1" },
        { ";for=192.0.2.1;", NULL, "192.0.2.1" },
        { "for=192.0.2.1;for=192.0.2.2", NULL, NULL },
        { "for=192.0.2.1 ;proto=http", NULL, NULL },
        { "for = 192.0.2.1", NULL, NULL },
        { "for=", NULL, NULL },
        { "for", NULL, NULL },
        { "for=unknown", NULL, NULL },
        { "for=_hidden", NULL, NULL },
        { "for=\"192.0.2.1", NULL, NULL },
        { "for=\"192.0.2.1\\\"", NULL, NULL },
        { "proto=http", NULL, NULL },
    };
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        enum gw_field_id id = i % 2 == 0 ? GW_FIELD_X_FORWARDED_FOR : GW_FIELD_FORWARDED;
        const char *wanted = i % 2 == 0 ? rows[i / 2].x_text : rows[i / 2].rfc_text;
        gw_address address;
        gw_str text = GW_STR("as before");
        gw_status status = gw_hop_address(gw_cstr(rows[i / 2].element), id, &address, &text);
        ck_assert_msg(status == (wanted != NULL ? GW_OK : GW_EINVAL), "%s", rows[i / 2].element);
        ck_assert(gw_str_eq(text, gw_cstr(wanted != NULL ? wanted : "as before")));
    }
}
END_TEST

/* ---- lists and trust ---- */

/* Whom the list speaks for ("": the peer), and how much of it is believed. */
static void expect(enum gw_field_id id, const char *trusted, uint32_t hops, const char *client,
                   uint32_t believed)
{
    struct gw_prefix prefix;
    struct gw_trust trust = { &prefix, trusted != NULL, hops };
    struct gw_hops list;
    gw_str text = GW_STR("");
    if (trusted != NULL)
        ck_assert_int_eq(gw_prefix_parse(gw_cstr(trusted), &prefix), GW_OK);
    gw_hops_read(&fields, id, &list);
    uint32_t n = gw_hops_believe(&list, id, &trust, &text);
    ck_assert_msg(gw_str_eq(text, gw_cstr(client)), "\"%.*s\", not \"%s\"", (int)text.len, text.ptr,
                  client);
    ck_assert_uint_eq(n, believed);
}

START_TEST(lists_are_read_from_the_right)
{
    static const enum gw_field_id id = GW_FIELD_X_FORWARDED_FOR;
    begin();
    expect(id, "10.0.0.0/8", 0, "", 0);
    add("X-Forwarded-For", "6.6.6.6, 192.0.2.1");
    expect(id, "10.0.0.0/8", 0, "192.0.2.1", 1);
    add("x-forwarded-for", "10.0.0.2,,10.0.0.1 ,");
    expect(id, "10.0.0.0/8", 0, "192.0.2.1", 3);
    expect(id, NULL, 1, "10.0.0.1", 1);
    expect(id, NULL, 2, "10.0.0.2", 2);
    expect(id, NULL, 3, "192.0.2.1", 3);
    expect(id, NULL, 4, "6.6.6.6", 4);
    expect(id, NULL, 5, "6.6.6.6", 4);
    expect(id, "0.0.0.0/0", 0, "6.6.6.6", 4);
    add("X-Forwarded-For", "unknown, 10.0.0.3");
    expect(id, "10.0.0.0/8", 0, "10.0.0.3", 1);
    add("X-Forwarded-For", "what is this");
    expect(id, "10.0.0.0/8", 0, "", 0);
}
END_TEST

/* What stands at the left, and was written by anybody, changes nothing at the right. */
START_TEST(garbage_at_the_left_does_no_harm)
{
    static const char *const garbage[] = { "for=\"", "\"",  "for=\"a\\", "\\",
                                           "\"\\\"", ",,,", "=;=;",      "for=\"a, for=6.6.6.6" };
    char value[200];
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        begin();
        snprintf(value, sizeof value, "%s, for=\"[2001:db8::1]:80\";host=\"a,b\", for=10.0.0.1",
                 garbage[i]);
        add("Forwarded", value);
        expect(GW_FIELD_FORWARDED, "10.0.0.0/8", 0, "2001:db8::1", 2);
        begin();
        snprintf(value, sizeof value, "%s, 192.0.2.1, 10.0.0.1", garbage[i]);
        add("X-Forwarded-For", value);
        expect(GW_FIELD_X_FORWARDED_FOR, "10.0.0.0/8", 0, "192.0.2.1", 2);
    }
}
END_TEST

START_TEST(long_lists_are_bounded)
{
    static char value[30000];
    struct gw_hops list;
    size_t len = 0;
    begin();
    for (int i = 0; i < 3000; i++)
        len += (size_t)snprintf(value + len, sizeof value - len, "10.0.%d.1,", i % 100);
    add("X-Forwarded-For", value);
    gw_hops_read(&fields, GW_FIELD_X_FORWARDED_FOR, &list);
    ck_assert_uint_eq(list.count, GW_FORWARDED_HOPS_MAX);
    expect(GW_FIELD_X_FORWARDED_FOR, "10.0.0.0/8", 0, "10.0.68.1", GW_FORWARDED_HOPS_MAX);
}
END_TEST

/* Any bytes: nothing is read past its end, and what is believed is an address. */
START_TEST(any_bytes)
{
    static const char alphabet[] = "for=\"\\,; 1.:[]a";
    struct gw_prng prng = { (uint64_t)_i + 1 };
    struct gw_trust all = { NULL, 0, GW_FORWARDED_HOPS_MAX };
    for (int n = 0; n < 3000; n++) {
        size_t len = 1 + gw_prng_below(&prng, 40);
        char *value = malloc(len); /* exact, for the address sanitizer */
        for (size_t i = 0; i < len; i++)
            value[i] = alphabet[gw_prng_below(&prng, sizeof alphabet - 1)];
        for (int kind = 0; kind < 2; kind++) {
            enum gw_field_id id = kind == 0 ? GW_FIELD_X_FORWARDED_FOR : GW_FIELD_FORWARDED;
            struct gw_hops list;
            gw_address address;
            gw_str text = { NULL, 0 };
            begin();
            ck_assert_int_eq(gw_fields_add(&fields, id, GW_STR("n"), (gw_str){ value, len }),
                             GW_OK);
            gw_hops_read(&fields, id, &list);
            if (gw_hops_believe(&list, id, &all, &text) > 0)
                ck_assert_int_eq(gw_ip_parse(text, &address), GW_OK);
            begin();
            ck_assert_int_eq(
                gw_fields_add(&fields, GW_FIELD_VIA, GW_STR("Via"), (gw_str){ value, len }), GW_OK);
            (void)gw_via_has(&fields, GW_STR("a"));
        }
        free(value);
    }
}
END_TEST

START_TEST(names_that_are_meant)
{
    static const char *const are[] = { "x-forwarded-prefix", "X_Forwarded_For", "x-forwarded_Proto",
                                       "X-Real-IP", "x_real_ip" };
    static const char *const are_not[] = { "x-forwarded",    "x-forwarde-for", "xforwarded-for",
                                           "x-real-ips",     "forwarded",      "x",
                                           "y-forwarded-for" };
    for (size_t i = 0; i < sizeof are / sizeof *are; i++)
        ck_assert_msg(gw_is_forwarded_name(gw_cstr(are[i])), "%s", are[i]);
    for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++)
        ck_assert_msg(!gw_is_forwarded_name(gw_cstr(are_not[i])), "%s", are_not[i]);
}
END_TEST

/* ---- Via ---- */

START_TEST(via_is_found)
{
    static const struct {
        const char *value;
        bool is_there;
    } rows[] = {
        { "1.1 me", true },
        { "1.1 ME", true },
        { "1.0 fred, 1.1 me", true },
        { "1.1 me , 1.1 other", true },
        { "HTTP/1.1 me (Apache, 1.1 x)", true },
        { "1.1 x (1.1 me), 1.1 y", false },
        { "1.1 x (a, 1.1 me), 1.1 y", false },
        { "1.1 x (a\\), 1.1 me), 1.1 y", false },
        { "1.1 x (a(b), 1.1 me), 1.1 me", true },
        { "1.1 x (, 1.1 me", false },
        { "1.1\tme", true },
        { "me", false },
        { "me 1.1", false },
        { "1.1 meme", false },
        { "1.1, me", false },
        { "", false },
        { ",,", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        add("Via", rows[i].value);
        ck_assert_msg(gw_via_has(&fields, GW_STR("me")) == rows[i].is_there, "%s", rows[i].value);
    }
}
END_TEST

START_TEST(via_is_said)
{
    char buffer[GW_VIA_BYTES];
    struct gw_via via;
    gw_via_init(&via, GW_STR("edge.test"), buffer);
    ck_assert(gw_str_eq(via.name, GW_STR("edge.test")));
    ck_assert(gw_str_eq(via.element[GW_VIA_10], GW_STR("1.0 edge.test")));
    ck_assert(gw_str_eq(via.element[GW_VIA_11], GW_STR("1.1 edge.test")));
    ck_assert(gw_str_eq(via.element[GW_VIA_20], GW_STR("2.0 edge.test")));
}
END_TEST

static Suite *forwarded_suite(void)
{
    Suite *s = suite_create("forwarded");
    check_add(s, prefixes_are_what_they_say);
    check_add(s, prefixes_that_are_none);
    check_add_loop(s, prefixes_against_naive_ones, 0, 2);
    check_add(s, elements_name_an_address);
    check_add(s, lists_are_read_from_the_right);
    check_add(s, garbage_at_the_left_does_no_harm);
    check_add(s, long_lists_are_bounded);
    check_add_loop(s, any_bytes, 0, 10);
    check_add(s, names_that_are_meant);
    check_add(s, via_is_found);
    check_add(s, via_is_said);
    return s;
}

CHECK_MAIN(forwarded_suite)
