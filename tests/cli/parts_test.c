/* cli/parts_test.c: two parts of the gw program that read or write what a peer chose: messages in a
 * stream that is cut anywhere, and JSON around any bytes.
 */
#include "../unit/check_main.h"

#include "../../examples/gw/hello.h"
#include "../../examples/gw/json.h"

#include <string.h>

/* ---- hello ---- */

/* Takes bytes in pieces of that size; returns how many messages said "Hello". */
static unsigned count_hellos(const unsigned char *bytes, size_t len, size_t piece)
{
    struct hello_reader reader = { 0 };
    unsigned found = 0;
    for (size_t at = 0; at < len;) {
        bool is_whole = false;
        gw_str text;
        size_t n = len - at < piece ? len - at : piece;
        size_t taken = hello_reader_take(&reader, bytes + at, n, &is_whole);
        ck_assert_uint_le(taken, n);
        ck_assert(taken > 0 || is_whole);
        at += taken;
        if (!is_whole)
            continue;
        ck_assert(hello_read(reader.message, reader.message_len, &text));
        found += text.len == 5 && memcmp(text.ptr, "Hello", 5) == 0;
        hello_reader_next(&reader);
    }
    ck_assert(hello_reader_is_between(&reader));
    return found;
}

START_TEST(messages_cut_anywhere)
{
    unsigned char bytes[3 * HELLO_MESSAGE_MAX];
    size_t len = hello_write(bytes, gw_cstr("Hello"));
    memset(bytes + len, 0, HELLO_PREFIX); /* a message of no bytes */
    len += HELLO_PREFIX;
    len += hello_write(bytes + len, gw_cstr("Hello"));
    for (size_t piece = 1; piece <= len; piece++)
        ck_assert_uint_eq(count_hellos(bytes, len, piece), 2);
}
END_TEST

START_TEST(a_message_that_is_cut_is_none)
{
    unsigned char bytes[HELLO_MESSAGE_MAX];
    gw_str text;
    size_t len = hello_write(bytes, gw_cstr("Hello"));
    for (size_t n = 1; n < len - HELLO_PREFIX; n++)
        ck_assert(!hello_read(bytes + HELLO_PREFIX, n, &text));
    ck_assert(hello_read(bytes + HELLO_PREFIX, len - HELLO_PREFIX, &text));
}
END_TEST

START_TEST(unknown_fields_are_passed_over)
{
    static const unsigned char bytes[] = { 0x10, 0x96, 0x01,                     /* 2: a varint  */
                                           0x19, 1,    2,    3,   4, 5, 6, 7, 8, /* 3: 64 bits   */
                                           0x25, 1,    2,    3,   4,             /* 4: 32 bits   */
                                           0x0a, 2,    'm',  'e',                /* 1: the text  */
                                           0x2a, 1,    'x' };                    /* 5: bytes     */
    static const unsigned char bad[][4] = {
        { 0x0b, 0, 0, 0 },          /* a group   */
        { 0x02, 0, 0, 0 },          /* number 0  */
        { 0x0a, 0xff, 0xff, 0x7f }, /* too long  */
        { 0x80, 0x80, 0x80, 0x80 }, /* a tag without an end */
    };
    gw_str text = { NULL, 0 };
    ck_assert(hello_read(bytes, sizeof bytes, &text));
    ck_assert(text.len == 2 && memcmp(text.ptr, "me", 2) == 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert(!hello_read(bad[i], sizeof bad[i], &text));
}
END_TEST

START_TEST(sizes_at_their_edges)
{
    char long_text[HELLO_MESSAGE_MAX];
    unsigned char bytes[HELLO_MESSAGE_MAX];
    memset(long_text, 'x', sizeof long_text);
    size_t longest = 0;
    for (size_t n = 0; n <= sizeof long_text; n++) {
        size_t len = hello_write(bytes, (gw_str){ long_text, n });
        ck_assert_uint_le(len, sizeof bytes);
        if (len > 0)
            longest = n;
    }
    ck_assert_uint_gt(longest, 900);

    static const unsigned char too_long[HELLO_PREFIX] = { 0, 0xff, 0xff, 0xff, 0xff };
    static const unsigned char compressed[HELLO_PREFIX] = { 1, 0, 0, 0, 1 };
    struct hello_reader reader = { 0 };
    bool is_whole = true;
    ck_assert_uint_eq(hello_reader_take(&reader, too_long, sizeof too_long, &is_whole), 5);
    ck_assert(reader.is_too_long && !is_whole);
    reader = (struct hello_reader){ 0 };
    ck_assert_uint_eq(hello_reader_take(&reader, compressed, sizeof compressed, &is_whole), 5);
    ck_assert(reader.is_compressed && !is_whole);
}
END_TEST

static Suite *hello_suite(void)
{
    Suite *suite = suite_create("hello");
    check_add(suite, messages_cut_anywhere);
    check_add(suite, a_message_that_is_cut_is_none);
    check_add(suite, unknown_fields_are_passed_over);
    check_add(suite, sizes_at_their_edges);
    return suite;
}

/* ---- json ---- */

static void same(const char *out, size_t len, const char *want)
{
    ck_assert_msg(len == strlen(want) && memcmp(out, want, len) == 0, "got %.*s, want %s", (int)len,
                  out, want);
}

START_TEST(every_byte_is_escaped)
{
    char out[64];
    for (unsigned byte = 0; byte < 256; byte++) {
        char value = (char)byte;
        struct json j;
        json_open(&j, out, sizeof out);
        json_text(&j, "v", (gw_str){ &value, 1 }, 6);
        size_t len = json_close(&j);
        ck_assert(!j.is_cut);
        for (size_t i = 0; i < len; i++)
            ck_assert((unsigned char)out[i] >= 0x20 && (unsigned char)out[i] < 0x7f);
        bool is_plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        ck_assert_uint_ge(len, is_plain ? 9 : 10);
    }
    struct json j;
    json_open(&j, out, sizeof out);
    json_text(&j, "v", gw_cstr("\"\\\b\f\n\r\t\x01\xff"), 64);
    same(out, json_close(&j), "{\"v\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u00ff\"}");
}
END_TEST

START_TEST(members)
{
    char out[256];
    struct json j;
    json_open(&j, out, sizeof out);
    json_text(&j, "none", gw_cstr(""), 9);
    json_number(&j, "zero", 0);
    json_number(&j, "most", UINT64_MAX);
    json_bool(&j, "yes", true);
    json_raw(&j, "inner", gw_cstr("{}"));
    json_text(&j, "cut", gw_cstr("abc\ndef"), 4);
    same(out, json_close(&j),
         "{\"none\":null,\"zero\":0,\"most\":18446744073709551615,\"yes\":true,\"inner\":{},"
         "\"cut\":\"abc...\"}");
}
END_TEST

/* However short the buffer is: whole members, and braces that match. */
START_TEST(buffers_of_every_size)
{
    static const char *const wholes[] = { "{}", "{\"a\":1}", "{\"b\":\"\\n\"}",
                                          "{\"a\":1,\"b\":\"\\n\"}" };
    for (size_t max = 2; max < 40; max++) {
        char out[40];
        struct json j;
        memset(out, '#', sizeof out);
        json_open(&j, out, max);
        json_number(&j, "a", 1);
        json_text(&j, "b", gw_cstr("\n"), 9);
        size_t len = json_close(&j);
        ck_assert_uint_le(len, max);
        bool is_whole = false;
        for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++)
            is_whole = is_whole || (len == strlen(wholes[i]) && memcmp(out, wholes[i], len) == 0);
        ck_assert_msg(is_whole, "%zu: %.*s", max, (int)len, out);
        for (size_t i = max; i < sizeof out; i++)
            ck_assert_int_eq(out[i], '#');
    }
}
END_TEST

static Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    check_add(suite, every_byte_is_escaped);
    check_add(suite, members);
    check_add(suite, buffers_of_every_size);
    return suite;
}

CHECK_MAIN(hello_suite, json_suite)
