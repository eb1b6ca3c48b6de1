/* unit/grpc_test.c: timeouts both ways, which requests are gRPC, messages of failures. */

#include "check_main.h"

#include <string.h>

#include "base/prng.h"
#include "grpc/status.h"
#include "grpc/timeout.h"

START_TEST(timeouts)
{
    static const struct row {
        const char *text;
        gw_nanos ns;
    } good[] = {
        { "1n", 1 },
        { "0S", 0 },
        { "1u", 1000 },
        { "20m", 20000000 },
        { "99999999n", 99999999 },
        { "3S", 3000000000 },
        { "2M", 120000000000 },
        { "1H", 3600000000000 },
        { "00000001H", 3600000000000 },
        { "5124095H", UINT64_C(5124095) * 3600000000000 },
        { "5124096H", UINT64_MAX },
        { "99999999H", UINT64_MAX },
    };
    static const char *const bad[] = { "",     "1",   "S",          "1s",  "1h",
                                       "-1S",  "+1S", " 1S",        "1 S", "1S ",
                                       "1.5S", "1SS", "100000000n", "1N",  "xS" };
    gw_nanos ns;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(gw_grpc_timeout_parse(gw_cstr(good[i].text), &ns), GW_OK);
        ck_assert_uint_eq(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(gw_grpc_timeout_parse(gw_cstr(bad[i]), &ns), GW_EINVAL);
}
END_TEST

static void says(gw_nanos ns, const char *text)
{
    char out[GW_GRPC_TIMEOUT_MAX];
    gw_str s = { out, gw_grpc_timeout_format(ns, out) };
    ck_assert_msg(gw_str_eq(s, gw_cstr(text)), "%.*s, not %s", (int)s.len, s.ptr, text);
}

START_TEST(timeouts_written)
{
    says(0, "0n");
    says(1, "1n");
    says(99999999, "99999999n");
    says(100000000, "100000u");
    says(100000001, "100001u");
    says(UINT64_C(99999999000), "99999999u");
    says(UINT64_C(99999999001), "100000m");
    says(UINT64_MAX, "5124096H");
    struct gw_prng prng = { 3 };
    for (int i = 0; i < 100000; i++) {
        gw_nanos ns = gw_prng_next(&prng) >> gw_prng_below(&prng, 64), back;
        char out[GW_GRPC_TIMEOUT_MAX];
        size_t len = gw_grpc_timeout_format(ns, out);
        ck_assert_uint_le(len, GW_GRPC_TIMEOUT_MAX);
        ck_assert_int_eq(gw_grpc_timeout_parse((gw_str){ out, len }, &back), GW_OK);
        ck_assert_uint_ge(back, ns); /* never shorter, and at most by the unit longer */
        if (ns > 100000000)
            ck_assert_uint_le(back - ns, ns / 10000);
    }
}
END_TEST

START_TEST(requests)
{
    static const struct row {
        const char *method, *type;
        bool is_grpc;
    } rows[] = {
        { "POST", "application/grpc", true },
        { "POST", "application/grpc+proto", true },
        { "POST", "application/grpc;x=y", true },
        { "POST", "Application/GRPC", true },
        { "GET", "application/grpc", false },
        { "POST", "application/grpc-web", false },
        { "POST", "application/grpcx", false },
        { "POST", "application/grp", false },
        { "POST", NULL, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char cell[2048];
        struct gw_arena arena;
        struct gw_message m;
        gw_arena_init(&arena, cell, sizeof cell, NULL, sizeof cell);
        gw_message_init(&m, GW_MESSAGE_REQUEST, &arena, 8);
        m.method = (uint8_t)gw_method_of(gw_cstr(rows[i].method));
        if (rows[i].type != NULL)
            ck_assert_int_eq(
                gw_fields_add_copy(&m.fields, GW_STR("content-type"), gw_cstr(rows[i].type)),
                GW_OK);
        ck_assert(gw_grpc_is_request(&m) == rows[i].is_grpc);
    }
}
END_TEST

START_TEST(statuses)
{
    static const unsigned table[][2] = { { 400, 13 }, { 401, 16 }, { 403, 7 },  { 404, 12 },
                                         { 429, 14 }, { 502, 14 }, { 503, 14 }, { 504, 14 },
                                         { 500, 2 },  { 302, 2 },  { 418, 2 } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        ck_assert_uint_eq(gw_grpc_of_http(table[i][0]), table[i][1]);
}
END_TEST

START_TEST(messages)
{
    char cell[64];
    struct gw_arena arena;
    gw_str out;
    gw_arena_init(&arena, cell, sizeof cell, NULL, 40);
    ck_assert_int_eq(gw_grpc_message_encode(&arena, GW_STR("a b~"), &out), GW_OK);
    ck_assert(gw_str_eq(out, GW_STR("a b~")));
    ck_assert_int_eq(gw_grpc_message_encode(&arena, GW_STR("50%\r\n\xe2\x82"), &out), GW_OK);
    ck_assert(gw_str_eq(out, GW_STR("50%25%0D%0A%E2%82")));
    ck_assert_int_eq(gw_grpc_message_encode(&arena, GW_STR("%%%%%%%%%%%%%%"), &out), GW_ELIMIT);
}
END_TEST

static Suite *grpc_suite(void)
{
    Suite *suite = suite_create("grpc");
    check_add(suite, timeouts);
    check_add(suite, timeouts_written);
    check_add(suite, requests);
    check_add(suite, statuses);
    check_add(suite, messages);
    return suite;
}

CHECK_MAIN(grpc_suite)
