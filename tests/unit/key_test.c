/* unit/key_test.c: which bytes of a request are its key, and what keys are called. */

#include "balance_test.h"
#include "http/key.h"
#include "http_test.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct bench bench;

static const struct row {
    uint32_t on;
    const char *name, *path, *query, *fields, *client, *given;
    const char *wanted; /* what is hashed; NULL: there is no key */
    const char *label;  /* "NAME=VALUE"; NULL: none; of identity and server_name: it */
} rows[] = {
    { GW_KEY_CLIENT, "", "/", NULL, "", "192.0.2.1", "", "192.0.2.1", NULL },
    { GW_KEY_CLIENT, "", "/", NULL, "", "", "", NULL, NULL },
    { GW_KEY_HEADER, "x-user", "/", NULL, "X-User: ann", "", "", "ann", NULL },
    { GW_KEY_HEADER, "X-USER", "/", NULL, "x-user: ann", "", "", "ann", NULL },
    { GW_KEY_HEADER, "x-user", "/", NULL, "x-users: ann", "", "", NULL, NULL },
    { GW_KEY_HEADER, "x-user", "/", NULL, "x-user: ", "", "", NULL, NULL },
    { GW_KEY_HEADER, "x-user", "/", NULL, "x-user: a\nb: c\nx-user: d", "", "", "a\nd", NULL },
    { GW_KEY_HEADER, "x-user", "/", NULL, "x-user: \nx-user: d", "", "", "d", NULL },
    { GW_KEY_HEADER, "x-bin", "/", NULL, "x-bin: YQ==", "", "", "YQ==", NULL },
    { GW_KEY_METADATA, "x-bin", "/", NULL, "x-bin: YQ==", "", "", "YQ", NULL },
    { GW_KEY_METADATA, "x-bin", "/", NULL, "x-bin: YQ", "", "", "YQ", NULL },
    { GW_KEY_METADATA, "x-bin", "/", NULL, "x-bin: ==", "", "", NULL, NULL },
    { GW_KEY_METADATA, "x-user", "/", NULL, "x-user: a=", "", "", "a=", NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "cookie: id=7", "", "", "7", NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "cookie: a=b; id=7; id=8", "", "", "7", NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "cookie: a=b\ncookie: id=7", "", "", "7", NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "cookie: xid=1;id=a=b ;c=d", "", "", "a=b", NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "cookie: ID=7", "", "", NULL, NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "cookie: id; x=id", "", "", NULL, NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "cookie: id=", "", "", NULL, NULL },
    { GW_KEY_COOKIE, "id", "/", NULL, "x-cookie: id=7", "", "", NULL, NULL },
    { GW_KEY_PATH, "", "/a/b", "c=d", "", "", "", "/a/b", NULL },
    { GW_KEY_PATH, "", "", NULL, "", "", "", NULL, NULL },
    { GW_KEY_QUERY, "u", "/", "u=1", "", "", "", "1", NULL },
    { GW_KEY_QUERY, "u", "/", "uu=0&u=1&u=2", "", "", "", "1", NULL },
    { GW_KEY_QUERY, "u", "/", "x=u&u=%41", "", "", "", "%41", NULL },
    { GW_KEY_QUERY, "u", "/", "u&v=1", "", "", "", NULL, NULL },
    { GW_KEY_QUERY, "u", "/", "", "", "", "", NULL, NULL },
    { GW_KEY_QUERY, "u", "/", NULL, "", "", "", NULL, NULL },
    { GW_KEY_GIVEN, "", "/", NULL, "", "", "tenant", "tenant", NULL },
    { GW_KEY_GIVEN, "", "/", NULL, "", "", "", NULL, NULL },
    { GW_KEY_LABEL, "user", "/", NULL, "", "", "", "ann", "user=ann" },
    { GW_KEY_LABEL, "user", "/", NULL, "", "", "", NULL, "user=" },
    { GW_KEY_LABEL, "user", "/", NULL, "", "", "", NULL, NULL },
    { GW_KEY_IDENTITY, "", "/", NULL, "", "", "", "spiffe://d/x", "spiffe://d/x" },
    { GW_KEY_IDENTITY, "", "/", NULL, "", "", "", NULL, NULL },
    { GW_KEY_SERVER_NAME, "", "/", NULL, "", "", "", "a.test", "a.test" },
    { GW_KEY_SERVER_NAME, "", "/", NULL, "", "", "", NULL, NULL },
    { GW_KEY_HEADER, "user-agent", "/", NULL, "User-Agent: a", "", "", "a", NULL },
    { GW_KEY_HEADER, "via", "/", NULL, "via: a\nX: b\nVia: c", "", "", "a\nc", NULL },
    { GW_KEY_METADATA, "x-bin", "/", NULL, "x-bin: YQ==\nx-bin: Yg==", "", "", "YQ\nYg", NULL },
};

static void fill(const struct row *row)
{
    bench_init(&bench, GW_MESSAGE_REQUEST, 1 << 16);
    bench.m.path = gw_cstr(row->path);
    bench.m.query = row->query == NULL ? (gw_str){ NULL, 0 } : gw_cstr(row->query);
    bench_fields(&bench, row->fields);
}

static gw_str client_of(const void *ctx)
{
    return gw_cstr(((const struct row *)ctx)->client);
}

static gw_str label_of(const void *ctx, gw_str name)
{
    const struct row *row = ctx;
    bool is_it = row->label != NULL && gw_str_starts(gw_cstr(row->label), name);
    return is_it ? gw_cstr(strchr(row->label, '=') + 1) : (gw_str){ NULL, 0 };
}

static gw_str identity_of(const void *ctx)
{
    const struct row *row = ctx;
    return gw_cstr(row->on == GW_KEY_IDENTITY ? row->label : NULL);
}

static gw_str server_name_of(const void *ctx)
{
    const struct row *row = ctx;
    return gw_cstr(row->on == GW_KEY_SERVER_NAME ? row->label : NULL);
}

static struct gw_key_source source(const struct row *row, const uint64_t *given)
{
    return (struct gw_key_source){ .request = &bench.m,
                                   .ctx = row,
                                   .client = client_of,
                                   .identity = identity_of,
                                   .server_name = server_name_of,
                                   .label = label_of,
                                   .given = given };
}

START_TEST(what_is_hashed)
{
    const struct row *row = &rows[_i];
    struct gw_key key = { .on = row->on, .name = gw_cstr(row->name) };
    key.field = row->on == GW_KEY_HEADER || row->on == GW_KEY_METADATA ? gw_field_find_id(key.name)
                                                                       : 0;
    fill(row);
    uint64_t given = gw_key_hash(gw_cstr(row->given));
    struct gw_key_source from = source(row, row->given[0] ? &given : NULL);
    uint64_t got = 12345;
    uint32_t which = 67;
    bool is_there = gw_key_first(&key, 1, &from, &got, &which);
    ck_assert_int_eq(is_there, row->wanted != NULL);
    ck_assert_uint_eq(which, is_there ? 0 : 67);
    uint64_t wanted = 0;
    for (const char *at = row->wanted; is_there && at != NULL;) { /* of several lines each */
        const char *end = strchr(at, '\n');
        wanted = XXH64(at, end == NULL ? strlen(at) : (size_t)(end - at), wanted);
        at = end == NULL ? NULL : end + 1;
    }
    ck_assert_uint_eq(got, is_there ? wanted : 12345);
}
END_TEST

START_TEST(the_first_that_is_there)
{
    static const struct row row = { 0,     "", "/p", "q=1", "x-user: ann\ncookie: id=7",
                                    "::1", "", NULL, NULL };
    struct gw_key keys[] = { { .on = GW_KEY_GIVEN },
                             { .on = GW_KEY_HEADER, .name = { "x-tenant", 8 } },
                             { .on = GW_KEY_COOKIE, .name = { "id", 2 } },
                             { .on = GW_KEY_CLIENT } };
    uint64_t got;
    uint32_t which;
    fill(&row);
    uint64_t given = 77;
    struct gw_key_source from = source(&row, NULL);
    ck_assert(gw_key_first(keys, 4, &from, &got, &which));
    ck_assert_uint_eq(which, 2);
    ck_assert_uint_eq(got, XXH64("7", 1, 0));
    from.given = &given;
    ck_assert(gw_key_first(keys, 4, &from, &got, &which));
    ck_assert_uint_eq(which, 0);
    ck_assert_uint_eq(got, 77);
    ck_assert(!gw_key_first(&keys[1], 1, &from, &got, &which));
    ck_assert(!gw_key_first(keys, 0, &from, &got, &which));
}
END_TEST

START_TEST(what_is_written)
{
    static const struct {
        const char *text, *name;
        uint32_t on;       /* 0: refused */
        const char *value; /* NULL: there may be none */
    } texts[] = {
        { "client", "", GW_KEY_CLIENT, NULL },
        { "path", "", GW_KEY_PATH, "" },
        { "given", "", GW_KEY_GIVEN, "" },
        { "header:X-User", "X-User", GW_KEY_HEADER, "" },
        { "cookie:sid", "sid", GW_KEY_COOKIE, NULL },
        { "query:user[id]:x", "user[id]:x", GW_KEY_QUERY, NULL },
        { "metadata:x-tenant-bin", "x-tenant-bin", GW_KEY_METADATA, NULL },
        { "label:tenant name", "tenant name", GW_KEY_LABEL, NULL },
        { "header:x-plan=gold", "x-plan", GW_KEY_HEADER, "gold" },
        { "cookie:a=b=c:d", "a", GW_KEY_COOKIE, "b=c:d" },
        { "path=/a:b", "", GW_KEY_PATH, "/a:b" },
        { "client=::1", "", GW_KEY_CLIENT, "::1" },
        { "label:t=v", "t", GW_KEY_LABEL, "v" },
        { "", "", 0, "" },
        { "=", "", 0, "" },
        { ":", "", 0, "" },
        { "clients", "", 0, NULL },
        { "client:", "", 0, NULL },
        { "client:a=b", "", 0, "" },
        { "path:/a", "", 0, NULL },
        { "header", "", 0, NULL },
        { "header:", "", 0, NULL },
        { "header=a", "", 0, "" },
        { "header:=a", "", 0, "" },
        { "header:a=", "", 0, "" },
        { "header:a b", "", 0, NULL },
        { "header:a\r\n=b", "", 0, "" },
        { "cookie:a=b", "", 0, NULL },
        { "query:a=b", "", 0, NULL },
        { "query:a&b", "", 0, NULL },
        { "query:", "", 0, NULL },
        { "query:#", "", 0, NULL },
        { "label:", "", 0, NULL },
        { "given=a", "", 0, "" },
        { "Header:x", "", 0, NULL },
        { "metadata:a:b", "", 0, NULL },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gw_key key = { .on = GW_KEY_NONE };
        bool may = texts[i].value != NULL;
        gw_status status = gw_key_parse(gw_cstr(texts[i].text), may, &key);
        ck_assert_msg(status == (texts[i].on == 0 ? GW_EINVAL : GW_OK), "%s", texts[i].text);
        ck_assert_uint_eq(key.on, texts[i].on);
        ck_assert(gw_str_eq(key.name, gw_cstr(texts[i].name)));
        ck_assert(gw_str_eq(key.value, gw_cstr(may && texts[i].on != 0 ? texts[i].value : "")));
    }
}
END_TEST

START_TEST(what_was_meant)
{
    static const struct {
        const char *text, *wanted;
    } texts[] = { { "client_ip", "did you mean \"client\"?" },
                  { "heeder:x-user", "did you mean \"header\"?" },
                  { "cooky:sid=1", "did you mean \"cookie\"?" },
                  { "header:a b", "label:" } };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char line[256];
        struct gw_text text;
        gw_text_init(&text, line, sizeof line);
        gw_key_say_wrong(gw_cstr(texts[i].text), false, &text);
        const char *at = strstr(line, texts[i].wanted);
        ck_assert_msg(at != NULL && at[strlen(texts[i].wanted)] == '\0', "%s", line);
    }
}
END_TEST

/* Only what is that, in one line. */
START_TEST(which_values_fit)
{
    static const struct {
        const char *key, *fields;
        bool fits;
    } cases[] = { { "header:x-plan=gold", "x-plan: gold", true },
                  { "header:x-plan", "x-plan: gold", true },
                  { "header:x-plan=gold", "x-plan: golden", false },
                  { "header:x-plan=gold", "x-plan: Gold", false },
                  { "header:x-plan=gold", "x-plan: gold\nx-plan: tin", false },
                  { "header:x-plan=gold", "x-plan: gold\nx-plan: ", true },
                  { "header:x-plan=gold", "x-plan: gold, gold", false },
                  { "cookie:plan=gold", "cookie: plan=gold; plan=tin", true },
                  { "metadata:p-bin=YQ", "p-bin: YQ==", true } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct row row = { .path = "/", .fields = cases[i].fields, .client = "" };
        struct gw_key key;
        struct gw_key_part part;
        fill(&row);
        struct gw_key_source from = source(&row, NULL);
        ck_assert_int_eq(gw_key_parse(gw_cstr(cases[i].key), true, &key), GW_OK);
        ck_assert(gw_key_find(&key, &from, &part));
        ck_assert_msg(gw_key_fits(&key, &part) == cases[i].fits, "%s", cases[i].fields);
    }
}
END_TEST

Suite *key_suite(void)
{
    Suite *suite = suite_create("key");
    check_add_loop(suite, what_is_hashed, 0, sizeof rows / sizeof rows[0]);
    check_add(suite, the_first_that_is_there);
    check_add(suite, what_is_written);
    check_add(suite, what_was_meant);
    check_add(suite, which_values_fit);
    return suite;
}
