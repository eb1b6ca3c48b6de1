/* Addresses: what is one and what is none, the canonical text, the system's own parser as a second
 * opinion; and the defaults of gw_env. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/prng.h"
#include "check_main.h"
#include "os/env.h"

static const struct good {
    const char *text;
    uint32_t kind, port;
    const char *canonical; /* NULL: the same; "": has none */
} good[] = {
    { "127.0.0.1:80", GW_ADDRESS_IPV4, 80, NULL },
    { "0.0.0.0:0", GW_ADDRESS_IPV4, 0, NULL },
    { "255.255.255.255:65535", GW_ADDRESS_IPV4, 65535, NULL },
    { "[::]:0", GW_ADDRESS_IPV6, 0, NULL },
    { "[::1]:443", GW_ADDRESS_IPV6, 443, NULL },
    { "[1::]:443", GW_ADDRESS_IPV6, 443, NULL },
    { "[2001:DB8:0:0:1:0:0:1]:1", GW_ADDRESS_IPV6, 1, "[2001:db8::1:0:0:1]:1" },
    { "[2001:db8:0:1:1:1:1:1]:1", GW_ADDRESS_IPV6, 1, NULL },
    { "[2001:db8::1:1:1:1:1]:1", GW_ADDRESS_IPV6, 1, "[2001:db8:0:1:1:1:1:1]:1" },
    { "[0:0:0:0:0:0:0:0]:1", GW_ADDRESS_IPV6, 1, "[::]:1" },
    { "[1:2:3:4:5:6:7::]:1", GW_ADDRESS_IPV6, 1, "[1:2:3:4:5:6:7:0]:1" },
    { "[::2:3:4:5:6:7:8]:1", GW_ADDRESS_IPV6, 1, "[0:2:3:4:5:6:7:8]:1" },
    { "[fe80::0001]:9", GW_ADDRESS_IPV6, 9, "[fe80::1]:9" },
    { "[::ffff:1.2.3.4]:9", GW_ADDRESS_IPV6, 9, NULL },
    { "[64:ff9b::1.2.3.4]:9", GW_ADDRESS_IPV6, 9, "[64:ff9b::102:304]:9" },
    { "[1:2:3:4:5:6:1.2.3.4]:9", GW_ADDRESS_IPV6, 9, "[1:2:3:4:5:6:102:304]:9" },
    { "unix:/run/x", GW_ADDRESS_UNIX, 0, NULL },
    { "unix:relative:1", GW_ADDRESS_UNIX, 0, NULL },
    { "localhost:80", GW_ADDRESS_NAME, 80, "" },
    { "a-b_c.example.com.:8080", GW_ADDRESS_NAME, 8080, "" },
    { "1.2.3.example:80", GW_ADDRESS_NAME, 80, "" },
    { "unix:80x", GW_ADDRESS_UNIX, 0, NULL },
};

static const char *const bad[] = {
    "",
    ":",
    ":80",
    "80",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:080",
    "127.0.0.1:-1",
    "127.0.0.1: 80",
    "127.0.0.1:80 ",
    " 127.0.0.1:80",
    "127.0.0.1:8a",
    "1.2.3:80",
    "1.2.3.4.5:80",
    "1.2.3.256:80",
    "01.2.3.4:80",
    "1..2.3:80",
    "0x7f.1.1.1.:80",
    "127.1:80",
    "2130706433:80",
    "::1:80",
    "[::1]",
    "[::1]80",
    "[::1:80",
    "::1]:80",
    "[]:80",
    "[:]:80",
    "[:::]:80",
    "[1:2:3:4:5:6:7]:80",
    "[1:2:3:4:5:6:7:8:9]:80",
    "[1::2::3]:80",
    "[12345::]:80",
    "[g::]:80",
    "[1:2:3:4:5:6:7:8::]:80",
    "[::1:2:3:4:5:6:7:8]:80",
    "[1:2:3:4:5:6:7:1.2.3.4]:80",
    "[::1.2.3]:80",
    "[::1.2.3.4:5]:80",
    "[:1::]:80",
    "[1::2:]:80",
    "[fe80::1%1]:80",
    "unix:",
    "a b:80",
    "a..b:80",
    ".a:80",
    "a/b:80",
    "http://a:80",
    "*:80",
    "a:80:90",
    "user@a:80",
};
enum { GOOD = sizeof good / sizeof good[0], BAD = sizeof bad / sizeof bad[0] };

START_TEST(good_ones)
{
    const struct good *g = &good[_i];
    gw_address a;
    char text[GW_ADDRESS_TEXT_MAX];
    ck_assert_int_eq(gw_address_parse(gw_cstr(g->text), &a), GW_OK);
    ck_assert_uint_eq(a.kind, g->kind);
    ck_assert_uint_eq(a.port, g->port);
    const char *want = g->canonical != NULL ? g->canonical : g->text;
    size_t len = gw_address_format(&a, text);
    ck_assert_uint_eq(len, strlen(want));
    ck_assert_mem_eq(text, want, len);
}
END_TEST

START_TEST(bad_ones)
{
    gw_address a;
    memset(&a, 7, sizeof(a));
    ck_assert_msg(gw_address_parse(gw_cstr(bad[_i]), &a) == GW_EINVAL, "%s", bad[_i]);
    ck_assert_uint_eq(a.kind, 0x07070707); /* untouched */
}
END_TEST

START_TEST(names_and_paths)
{
    gw_address a;
    char text[400], label[64];
    ck_assert_int_eq(gw_address_parse(gw_cstr("unix:/run/gw.sock"), &a), GW_OK);
    ck_assert_uint_eq(a.name.len, 12);
    ck_assert_mem_eq(a.name.ptr, "/run/gw.sock", 12);
    ck_assert_int_eq(gw_address_parse(gw_cstr("db.local:5432"), &a), GW_OK);
    ck_assert_uint_eq(a.name.len, 8);
    /* The longest path, and one byte more. */
    memset(text, 'p', sizeof(text));
    memcpy(text, "unix:", 5);
    ck_assert_int_eq(gw_address_parse((gw_str){ text, 5 + 107 }, &a), GW_OK);
    ck_assert_int_eq(gw_address_parse((gw_str){ text, 5 + 108 }, &a), GW_EINVAL);
    ck_assert_int_eq(gw_address_parse((gw_str){ "unix:a\0b", 8 }, &a), GW_EINVAL);
    /* Labels of 63, and of 64. */
    memset(label, 'x', 63);
    memcpy(text, label, 63);
    memcpy(text + 63, ":1", 2);
    ck_assert_int_eq(gw_address_parse((gw_str){ text, 65 }, &a), GW_OK);
    memset(text, 'x', 64);
    memcpy(text + 64, ":1", 2);
    ck_assert_int_eq(gw_address_parse((gw_str){ text, 66 }, &a), GW_EINVAL);
}
END_TEST

/* inet_pton is the second opinion on random IPv6 texts, inet_ntop on the canonical text. */
START_TEST(against_the_system)
{
    static const char alphabet[] = "0123456789abcdF::::..";
    struct gw_prng random = { (uint64_t)_i };
    for (int round = 0; round < 20000; round++) {
        char host[48], text[64];
        uint8_t want[16];
        size_t n = 2 + gw_prng_below(&random, 24);
        for (size_t i = 0; i < n; i++)
            host[i] = alphabet[gw_prng_below(&random, sizeof(alphabet) - 1)];
        host[n] = '\0';
        size_t len = (size_t)snprintf(text, sizeof(text), "[%s]:1", host);
        gw_address a;
        bool is_good = gw_address_parse((gw_str){ text, len }, &a) == GW_OK;
        ck_assert_msg(is_good == (inet_pton(AF_INET6, host, want) == 1), "%s", host);
        if (is_good)
            ck_assert_mem_eq(a.ip, want, 16);
    }
}
END_TEST

START_TEST(text_is_the_systems)
{
    struct gw_prng random = { (uint64_t)_i };
    for (int round = 0; round < 20000; round++) {
        gw_address a = { .kind = GW_ADDRESS_IPV6, .port = 7 };
        char text[GW_ADDRESS_TEXT_MAX], host[64], want[80];
        for (int i = 0; i < 8; i++) {
            uint64_t group = gw_prng_below(&random, 3) != 0 ? 0 : gw_prng_next(&random);
            a.ip[i * 2] = (uint8_t)(group >> 8);
            a.ip[i * 2 + 1] = (uint8_t)group;
        }
        a.ip[0] |= 1; /* inet_ntop shows ::/96 in the old IPv4 form, which is none of ours */
        ck_assert_ptr_nonnull(inet_ntop(AF_INET6, a.ip, host, sizeof(host)));
        size_t want_len = (size_t)snprintf(want, sizeof(want), "[%s]:7", host);
        size_t len = gw_address_format(&a, text);
        ck_assert_uint_eq(len, want_len);
        ck_assert_mem_eq(text, want, len);
        gw_address back;
        ck_assert_int_eq(gw_address_parse((gw_str){ text, len }, &back), GW_OK);
        ck_assert_mem_eq(back.ip, a.ip, 16);
    }
}
END_TEST

START_TEST(defaults_of_the_system)
{
    gw_env env = GW_SPEC(gw_env);
    uint8_t first[48] = { 0 }, second[48] = { 0 };
    gw_os_env_fill(&env);
    void *p = env.allocator.alloc(env.allocator.ctx, 100);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 16, 0);
    memset(p, 1, 100);
    env.allocator.release(env.allocator.ctx, p, 100);
    env.entropy(env.entropy_ctx, first, sizeof(first));
    env.entropy(env.entropy_ctx, second, sizeof(second));
    ck_assert_mem_ne(first, second, sizeof(first));
    ck_assert(env.unix_nanos(env.unix_ctx) > (uint64_t)1700000000 * 1000000000);
}
END_TEST

static void *refuse(void *ctx, size_t size)
{
    (void)ctx;
    (void)size;
    return NULL;
}
static void let_go(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)ptr;
    (void)size;
}
static void zeros(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0, len);
}
static uint64_t epoch(void *ctx)
{
    (void)ctx;
    return 0;
}

START_TEST(what_the_host_gives_stays)
{
    gw_env env = GW_SPEC(gw_env);
    env.allocator = (gw_allocator){ &env, refuse, let_go };
    env.entropy = zeros;
    env.unix_nanos = epoch;
    gw_os_env_fill(&env);
    ck_assert(env.allocator.alloc == refuse && env.allocator.release == let_go);
    ck_assert_ptr_eq(env.allocator.ctx, &env);
    ck_assert(env.entropy == zeros && env.unix_nanos == epoch);
}
END_TEST

static Suite *address_suite(void)
{
    Suite *s = suite_create("address");
    check_add_loop(s, good_ones, 0, GOOD);
    check_add_loop(s, bad_ones, 0, BAD);
    check_add(s, names_and_paths);
    check_add_loop(s, against_the_system, 0, 4);
    check_add_loop(s, text_is_the_systems, 0, 4);
    check_add(s, defaults_of_the_system);
    check_add(s, what_the_host_gives_stays);
    return s;
}

CHECK_MAIN(address_suite)
