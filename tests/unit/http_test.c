/* unit/http_test.c: fields, messages and what a proxy takes off them; and the main of unit-http. */

#include "http_test.h"

START_TEST(known_names)
{
    static const struct known {
        enum gw_field_id id;
        const char *name;
        unsigned flags;
    } known[] = {
#define ROW(id, name, flags) { GW_FIELD_##id, name, flags },
        GW_KNOWN_FIELDS(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char upper[64];
        size_t len = strlen(known[i].name);
        for (size_t k = 0; k <= len; k++)
            upper[k] = known[i].name[k] >= 'a' && known[i].name[k] <= 'z'
                           ? (char)(known[i].name[k] - 32)
                           : known[i].name[k];
        ck_assert_uint_eq(gw_field_find_id(gw_cstr(known[i].name)), known[i].id);
        ck_assert_uint_eq(gw_field_find_id(gw_cstr(upper)), known[i].id);
        same(gw_field_name(known[i].id), known[i].name);
        ck_assert_uint_eq(gw_field_flags(known[i].id), known[i].flags);
        upper[len - 1] = '!';
        ck_assert_uint_eq(gw_field_find_id(gw_cstr(upper)), GW_FIELD_UNKNOWN);
    }
    ck_assert_uint_eq(gw_field_find_id(GW_STR("")), GW_FIELD_UNKNOWN);
    ck_assert_uint_eq(gw_field_find_id(GW_STR("x-a-name-longer-than-all-the-others")),
                      GW_FIELD_UNKNOWN);
}
END_TEST

START_TEST(field_lists)
{
    struct bench b;
    struct gw_fields *f = &b.m.fields;
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    bench_fields(&b, "Via: a\nX: 1\nvia: b, C ,\nx: 2");
    ck_assert_uint_eq(f->count, 4);
    ck_assert_uint_eq(gw_fields_count(f, GW_FIELD_VIA), 2);
    ck_assert_uint_eq(gw_fields_count(f, GW_FIELD_HOST), 0);
    same(gw_fields_find(f, GW_FIELD_VIA)->value, "a");
    same(gw_fields_find_name(f, GW_STR("x"))->value, "1");
    ck_assert_ptr_null(gw_fields_find_name(f, GW_STR("y")));
    ck_assert(gw_fields_has_token(f, GW_FIELD_VIA, GW_STR("c")));
    ck_assert(gw_fields_has_token(f, GW_FIELD_VIA, GW_STR("A")));
    ck_assert(!gw_fields_has_token(f, GW_FIELD_VIA, GW_STR("b, C")));
    gw_fields_drop(f, GW_FIELD_VIA);
    ck_assert_ptr_null(gw_fields_find(f, GW_FIELD_VIA));
    ck_assert_uint_eq(gw_fields_count(f, GW_FIELD_VIA), 0);
    ck_assert(!gw_fields_has_token(f, GW_FIELD_VIA, GW_STR("a")));
    ck_assert_str_eq(bench_list(&b), "X=1;x=2;");
    must(gw_fields_add(f, GW_FIELD_VIA, GW_STR("via"), GW_STR("again")));
    same(gw_fields_find(f, GW_FIELD_VIA)->value, "again");
}
END_TEST

START_TEST(field_limits)
{
    struct bench b;
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    for (int i = 0; i < 64; i++)
        must(gw_fields_add(&b.m.fields, GW_FIELD_UNKNOWN, GW_STR("x"), GW_STR("y")));
    ck_assert_int_eq(gw_fields_add(&b.m.fields, GW_FIELD_UNKNOWN, GW_STR("x"), GW_STR("y")),
                     GW_ELIMIT);
    ck_assert_uint_eq(gw_message_fields(&b.m), 64);
    bench_init(&b, GW_MESSAGE_REQUEST, 16);
    ck_assert_int_eq(gw_fields_add(&b.m.fields, GW_FIELD_UNKNOWN, GW_STR("x"), GW_STR("y")),
                     GW_ELIMIT);
    gw_arena_init(&b.arena, b.cell, 16, NULL, 4096);
    gw_message_init(&b.m, GW_MESSAGE_REQUEST, &b.arena, 64);
    ck_assert_int_eq(gw_fields_add(&b.m.fields, GW_FIELD_UNKNOWN, GW_STR("x"), GW_STR("y")),
                     GW_ENOMEM);
}
END_TEST

START_TEST(setters)
{
    struct bench b;
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    gw_message *m = &b.m;
    must(gw_message_add_field(m, GW_STR("X-A"), GW_STR("1")));
    must(gw_message_add_field(m, GW_STR("x-a"), GW_STR("2")));
    must(gw_message_add_field(m, GW_STR("Via"), GW_STR("v")));
    same(gw_message_field(m, GW_STR("X-a")), "1");
    must(gw_message_set_field(m, GW_STR("X-A"), GW_STR("3")));
    ck_assert_str_eq(bench_list(&b), "Via=v;X-A=3;");
    must(gw_message_set_field(m, GW_STR("via"), GW_STR("")));
    ck_assert_str_eq(bench_list(&b), "X-A=3;via=;");
    same(gw_message_field(m, GW_STR("Via")), "");
    ck_assert_ptr_nonnull(gw_message_field(m, GW_STR("Via")).ptr);
    must(gw_message_drop_field(m, GW_STR("VIA")));
    ck_assert_int_eq(gw_message_drop_field(m, GW_STR("via")), GW_EUNKNOWN);
    ck_assert_ptr_null(gw_message_field(m, GW_STR("via")).ptr);
    /* What HTTP forbids, and what is the codec's own. */
    ck_assert_int_eq(gw_message_set_field(m, GW_STR("a b"), GW_STR("x")), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_field(m, GW_STR(""), GW_STR("x")), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_field(m, GW_STR("a"), GW_STR("x\r\ny: z")), GW_EINVAL);
    ck_assert_int_eq(gw_message_add_field(m, GW_STR("a"), GW_STR(" x")), GW_EINVAL);
    ck_assert_int_eq(gw_message_add_field(m, GW_STR("Connection"), GW_STR("x")), GW_EINVAL);
    ck_assert_int_eq(gw_message_add_field(m, GW_STR("transfer-encoding"), GW_STR("x")), GW_EINVAL);
    ck_assert_str_eq(bench_list(&b), "X-A=3;");
    /* Host is the authority. */
    must(gw_message_set_field(m, GW_STR("Host"), GW_STR("b:80")));
    same(gw_message_part(m, GW_PART_AUTHORITY), "b:80");
    ck_assert_int_eq(gw_message_set_field(m, GW_STR("Host"), GW_STR("a/b")), GW_EINVAL);
    same(gw_message_part(m, GW_PART_AUTHORITY), "b:80");
    /* A full arena changes nothing. */
    b.arena.used_max = b.arena.used;
    ck_assert_int_eq(gw_message_set_field(m, GW_STR("X-A"), GW_STR("4")), GW_ELIMIT);
    same(gw_message_field(m, GW_STR("X-A")), "3");
    m->has_left = 1;
    ck_assert_int_eq(gw_message_set_field(m, GW_STR("X-A"), GW_STR("4")), GW_ESTATE);
    ck_assert_int_eq(gw_message_drop_field(m, GW_STR("X-A")), GW_ESTATE);
    gw_str name, value;
    ck_assert_int_eq(gw_message_field_at(m, 2, &name, &value), GW_EUNKNOWN);

    bench_init(&b, GW_MESSAGE_TRAILERS, sizeof b.cell);
    ck_assert_int_eq(gw_message_add_field(&b.m, GW_STR("Content-Length"), GW_STR("1")), GW_EINVAL);
    must(gw_message_add_field(&b.m, GW_STR("grpc-status"), GW_STR("1")));
}
END_TEST

START_TEST(codes)
{
    struct bench b;
    bench_init(&b, GW_MESSAGE_RESPONSE, sizeof b.cell);
    b.m.code = 200;
    b.m.body = GW_BODY_LENGTH;
    must(gw_message_set_code(&b.m, 404));
    ck_assert_uint_eq(gw_message_code(&b.m), 404);
    ck_assert_int_eq(gw_message_set_code(&b.m, 204), GW_EINVAL); /* its body would be lost */
    ck_assert_int_eq(gw_message_set_code(&b.m, 199), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_code(&b.m, 600), GW_EINVAL);
    b.m.has_left = 1;
    ck_assert_int_eq(gw_message_set_code(&b.m, 200), GW_ESTATE);
    bench_init(&b, GW_MESSAGE_REQUEST, sizeof b.cell);
    ck_assert_int_eq(gw_message_set_code(&b.m, 200), GW_EINVAL);
    ck_assert_uint_eq(gw_message_code(&b.m), 0);
    ck_assert_str_eq(gw_code_phrase(404), "Not Found");
    ck_assert_str_eq(gw_code_phrase(299), "");
    ck_assert(gw_response_has_body(GW_METHOD_GET, 200));
    ck_assert(!gw_response_has_body(GW_METHOD_HEAD, 200));
    ck_assert(!gw_response_has_body(GW_METHOD_GET, 204));
    ck_assert(!gw_response_has_body(GW_METHOD_GET, 304));
    ck_assert(!gw_response_has_body(GW_METHOD_GET, 103));
    ck_assert_uint_eq(gw_method_of(GW_STR("get")), GW_METHOD_OTHER);
    ck_assert(gw_method_is_idempotent(gw_method_of(GW_STR("PUT"))));
    ck_assert(!gw_method_is_idempotent(gw_method_of(GW_STR("POST"))));
    ck_assert(!gw_method_is_idempotent(GW_METHOD_OTHER));
}
END_TEST

static const struct strip {
    enum gw_message_kind kind;
    const char *in, *out;
} strips[] = {
    { GW_MESSAGE_REQUEST, "Host: a\nX: 1\nContent-Length: 3", "X=1;" },
    { GW_MESSAGE_REQUEST, "Connection: close, X-Hop\nx-hop: 1\nY: 2\nX-HOP: 3", "Y=2;" },
    { GW_MESSAGE_REQUEST, "Connection: a\nConnection: b,,\na: 1\nb: 2\nc: 3", "c=3;" },
    { GW_MESSAGE_REQUEST, "Connection: via\nVia: 1\nConnection: \nc: 3", "c=3;" },
    { GW_MESSAGE_REQUEST,
      "Keep-Alive: 5\nProxy-Connection: x\nUpgrade: h2c\nHTTP2-Settings: q\n"
      "Transfer-Encoding: chunked\nExpect: 100-continue\nTrailer: T",
      "Expect=100-continue;Trailer=T;" },
    { GW_MESSAGE_REQUEST, "TE: trailers\nConnection: TE", "te=trailers;" },
    { GW_MESSAGE_REQUEST, "te: gzip;q=0.5, Trailers", "te=trailers;" },
    { GW_MESSAGE_REQUEST, "TE: gzip", "" },
    { GW_MESSAGE_RESPONSE, "Connection: close\nContent-Length: 3\nHost: kept\nTE: trailers",
      "Host=kept;" },
};

START_TEST(hop_strip)
{
    struct bench b;
    bench_init(&b, strips[_i].kind, sizeof b.cell);
    bench_fields(&b, strips[_i].in);
    must(gw_hop_strip(&b.m));
    ck_assert_str_eq(bench_list(&b), strips[_i].out);
    must(gw_hop_strip(&b.m)); /* twice is the same */
    ck_assert_str_eq(bench_list(&b), strips[_i].out);
}
END_TEST

START_TEST(reasons)
{
    gw_reason row = GW_SPEC(gw_reason);
    for (uint32_t i = 0; i < GW_REASON_COUNT; i++) {
        must(gw_reason_of(i, &row));
        ck_assert_uint_eq(row.size, sizeof row);
        ck_assert(row.http_code == 0 || (row.http_code >= 400 && row.http_code <= 599));
        ck_assert_uint_le(row.grpc_status, 16);
        ck_assert_uint_gt(strlen(row.name), 0);
        ck_assert_uint_gt(strlen(row.text), 0);
        ck_assert_uint_le(gw_reason_h2_code((enum gw_reason_id)i), GW_H2_HTTP_1_1_REQUIRED);
    }
    ck_assert_int_eq(gw_reason_of(GW_REASON_COUNT, &row), GW_EUNKNOWN);
    must(gw_reason_of(GW_REASON_head_too_large, &row));
    ck_assert_str_eq(row.name, "head_too_large");
    ck_assert_uint_eq(row.http_code, 431);
    gw_reason old = { .size = offsetof(gw_reason, name), .text = "untouched" };
    must(gw_reason_of(GW_REASON_head_too_large, &old)); /* a host that knows less */
    ck_assert_uint_eq(old.http_code, 431);
    ck_assert_str_eq(old.text, "untouched");
    old.size = 0;
    ck_assert_int_eq(gw_reason_of(1, &old), GW_EINVAL);
}
END_TEST

Suite *message_suite(void)
{
    Suite *suite = suite_create("message");
    check_add(suite, known_names);
    check_add(suite, field_lists);
    check_add(suite, field_limits);
    check_add(suite, setters);
    check_add(suite, codes);
    check_add_loop(suite, hop_strip, 0, sizeof strips / sizeof strips[0]);
    check_add(suite, reasons);
    return suite;
}

CHECK_MAIN(message_suite, target_suite, check_suite)
