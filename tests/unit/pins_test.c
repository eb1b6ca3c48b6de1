/* unit/pins_test.c: the numbers by which clients come back: against the published vectors of SipHash, the
 * same on every machine, and each leads to its own endpoint alone. */

#include "balance/pins.h"

#include "balance_test.h"

/* Of the reference implementation: key 00 01 ... 0f, text 00 01 ... as long as that. */
static const struct {
    size_t len;
    uint64_t hash;
} vectors[] = {
    { 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) },
    { 2, UINT64_C(0x0d6c8009d9a94f5a) },  { 7, UINT64_C(0xab0200f58b01d137) },
    { 8, UINT64_C(0x93f5f5799a932462) },  { 9, UINT64_C(0x9e0082df0ba9e4b0) },
    { 15, UINT64_C(0xa129ca6149be45e5) },
};

START_TEST(siphash_vectors)
{
    struct gw_sip_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    char text[16];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    ck_assert_uint_eq(gw_siphash(key, (gw_str){ text, vectors[_i].len }), vectors[_i].hash);
}
END_TEST

START_TEST(each_leads_back)
{
    static struct field f;
    struct gw_sip_key key = { 1, 2 }, other = { 1, 3 };
    struct gw_pins pins = { NULL, 0 };
    uint32_t n = _i == 0 ? 1 : _i == 1 ? 2 : FIELD_MAX, strangers = 0;
    field_init(&f, "svc-", n);
    ck_assert_int_eq(gw_pins_init(&pins, &f.heap, key, f.names, n), GW_OK);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t value = gw_pin_of(key, f.names[i]);
        ck_assert_uint_eq(gw_pins_find(&pins, value), i);
        strangers += gw_pins_find(&pins, value + 1) != UINT32_MAX;
        strangers += gw_pins_find(&pins, gw_pin_of(other, f.names[i])) != UINT32_MAX;
    }
    ck_assert_uint_eq(strangers, 0);
    ck_assert_uint_eq(gw_pins_find(&pins, 0), UINT32_MAX);
    ck_assert_uint_eq(gw_pins_find(&pins, UINT64_MAX), UINT32_MAX);
    gw_pins_fini(&pins, &f.heap);
    ck_assert_uint_eq(gw_pins_find(&pins, 0), UINT32_MAX);
    test_alloc_fini(&f.alloc);
}
END_TEST

START_TEST(texts)
{
    static const char *const wrong[] = { "",
                                         "0123456789abcde",
                                         "0123456789abcdef0",
                                         "0123456789abcdeF",
                                         "0123456789abcdeg",
                                         "0123456789abcde ",
                                         "0x23456789abcdef",
                                         "-123456789abcdef",
                                         "\"123456789abcde\"" };
    char text[GW_PIN_TEXT];
    uint64_t value = 0;
    gw_pin_format(UINT64_C(0x0123456789abcdef), text);
    ck_assert_int_eq(memcmp(text, "0123456789abcdef", sizeof text), 0);
    ck_assert(gw_pin_parse((gw_str){ text, sizeof text }, &value));
    ck_assert_uint_eq(value, UINT64_C(0x0123456789abcdef));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert(!gw_pin_parse(gw_cstr(wrong[i]), &value));
}
END_TEST

START_TEST(every_refused_allocation_is_survived)
{
    static struct field f;
    for (uint64_t k = 1;; k++) {
        struct gw_pins pins = { NULL, 0 };
        field_init(&f, "svc-", 5);
        f.alloc.fail_at = k;
        gw_status status = gw_pins_init(&pins, &f.heap, (struct gw_sip_key){ 1, 2 }, f.names, 5);
        bool has_failed = f.alloc.failed > 0;
        ck_assert_int_eq(status, has_failed ? GW_ENOMEM : GW_OK);
        gw_pins_fini(&pins, &f.heap);
        test_alloc_fini(&f.alloc);
        if (!has_failed)
            break;
    }
}
END_TEST

Suite *pins_suite(void)
{
    Suite *suite = suite_create("pins");
    check_add_loop(suite, siphash_vectors, 0, sizeof vectors / sizeof vectors[0]);
    check_add_loop(suite, each_leads_back, 0, 3);
    check_add(suite, texts);
    check_add(suite, every_refused_allocation_is_survived);
    return suite;
}
