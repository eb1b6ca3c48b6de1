/* unit/hash_key_test.c: which bytes of a request are its key. */

#include "balance/hash_key.h"
#include "balance_test.h"
#include "http_test.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct bench bench;

static const struct row {
    uint32_t on;
    const char *name, *path, *query, *fields, *client, *given;
    const char *wanted; /* what is hashed; NULL: there is no key */
} rows[] = {
    { GW_HASH_ON_CLIENT, "", "/", NULL, "", "192.0.2.1", "", "192.0.2.1" },
    { GW_HASH_ON_CLIENT, "", "/", NULL, "", "", "", NULL },
    { GW_HASH_ON_HEADER, "x-user", "/", NULL, "X-User: ann", "", "", "ann" },
    { GW_HASH_ON_HEADER, "X-USER", "/", NULL, "x-user: ann", "", "", "ann" },
    { GW_HASH_ON_HEADER, "x-user", "/", NULL, "x-users: ann", "", "", NULL },
    { GW_HASH_ON_HEADER, "x-user", "/", NULL, "x-user: ", "", "", NULL },
    { GW_HASH_ON_HEADER, "x-user", "/", NULL, "x-user: a\nb: c\nx-user: d", "", "", "a\nd" },
    { GW_HASH_ON_HEADER, "x-user", "/", NULL, "x-user: \nx-user: d", "", "", "d" },
    { GW_HASH_ON_HEADER, "x-bin", "/", NULL, "x-bin: YQ==", "", "", "YQ==" },
    { GW_HASH_ON_METADATA, "x-bin", "/", NULL, "x-bin: YQ==", "", "", "YQ" },
    { GW_HASH_ON_METADATA, "x-bin", "/", NULL, "x-bin: YQ", "", "", "YQ" },
    { GW_HASH_ON_METADATA, "x-bin", "/", NULL, "x-bin: ==", "", "", NULL },
    { GW_HASH_ON_METADATA, "x-user", "/", NULL, "x-user: a=", "", "", "a=" },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "cookie: id=7", "", "", "7" },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "cookie: a=b; id=7; id=8", "", "", "7" },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "cookie: a=b\ncookie: id=7", "", "", "7" },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "cookie: xid=1;id=a=b ;c=d", "", "", "a=b" },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "cookie: ID=7", "", "", NULL },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "cookie: id; x=id", "", "", NULL },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "cookie: id=", "", "", NULL },
    { GW_HASH_ON_COOKIE, "id", "/", NULL, "x-cookie: id=7", "", "", NULL },
    { GW_HASH_ON_PATH, "", "/a/b", "c=d", "", "", "", "/a/b" },
    { GW_HASH_ON_PATH, "", "", NULL, "", "", "", NULL },
    { GW_HASH_ON_QUERY, "u", "/", "u=1", "", "", "", "1" },
    { GW_HASH_ON_QUERY, "u", "/", "uu=0&u=1&u=2", "", "", "", "1" },
    { GW_HASH_ON_QUERY, "u", "/", "x=u&u=%41", "", "", "", "%41" },
    { GW_HASH_ON_QUERY, "u", "/", "u&v=1", "", "", "", NULL },
    { GW_HASH_ON_QUERY, "u", "/", "", "", "", "", NULL },
    { GW_HASH_ON_QUERY, "u", "/", NULL, "", "", "", NULL },
    { GW_HASH_ON_GIVEN, "", "/", NULL, "", "", "tenant", "tenant" },
    { GW_HASH_ON_GIVEN, "", "/", NULL, "", "", "", NULL },
};

static void fill(const struct row *row)
{
    bench_init(&bench, GW_MESSAGE_REQUEST, 1 << 16);
    bench.m.path = gw_cstr(row->path);
    bench.m.query = row->query == NULL ? (gw_str){ NULL, 0 } : gw_cstr(row->query);
    bench_fields(&bench, row->fields);
}

START_TEST(what_is_hashed)
{
    const struct row *row = &rows[_i];
    struct gw_hash_key key = { row->on, gw_cstr(row->name) };
    fill(row);
    uint64_t given = gw_hash_text(gw_cstr(row->given));
    struct gw_hash_source from = { &bench.m, gw_cstr(row->client), row->given[0] ? &given : NULL };
    uint64_t got = 12345;
    uint32_t which = 67;
    bool is_there = gw_hash_key_of(&key, 1, &from, &got, &which);
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
    static const struct row row = {
        0, "", "/p", "q=1", "x-user: ann\ncookie: id=7", "::1", "", NULL
    };
    struct gw_hash_key keys[] = { { GW_HASH_ON_GIVEN, { "", 0 } },
                                  { GW_HASH_ON_HEADER, { "x-tenant", 8 } },
                                  { GW_HASH_ON_COOKIE, { "id", 2 } },
                                  { GW_HASH_ON_CLIENT, { "", 0 } } };
    uint64_t got;
    uint32_t which;
    fill(&row);
    uint64_t given = 77;
    struct gw_hash_source from = { &bench.m, gw_cstr(row.client), NULL };
    ck_assert(gw_hash_key_of(keys, 4, &from, &got, &which));
    ck_assert_uint_eq(which, 2);
    ck_assert_uint_eq(got, XXH64("7", 1, 0));
    from.given = &given;
    ck_assert(gw_hash_key_of(keys, 4, &from, &got, &which));
    ck_assert_uint_eq(which, 0);
    ck_assert_uint_eq(got, 77);
    ck_assert(!gw_hash_key_of(&keys[1], 1, &from, &got, &which));
    ck_assert(!gw_hash_key_of(keys, 0, &from, &got, &which));
}
END_TEST

START_TEST(what_is_written)
{
    static const struct {
        const char *text, *name;
        uint32_t on; /* 0: refused */
    } texts[] = {
        { "client", "", GW_HASH_ON_CLIENT },
        { "path", "", GW_HASH_ON_PATH },
        { "given", "", GW_HASH_ON_GIVEN },
        { "header:X-User", "X-User", GW_HASH_ON_HEADER },
        { "cookie:sid", "sid", GW_HASH_ON_COOKIE },
        { "query:user[id]:x", "user[id]:x", GW_HASH_ON_QUERY },
        { "metadata:x-tenant-bin", "x-tenant-bin", GW_HASH_ON_METADATA },
        { "", "", 0 },
        { "clients", "", 0 },
        { "client:", "", 0 },
        { "path:/a", "", 0 },
        { "header", "", 0 },
        { "header:", "", 0 },
        { "header:a b", "", 0 },
        { "cookie:a=b", "", 0 },
        { "query:a=b", "", 0 },
        { "query:a&b", "", 0 },
        { "query:", "", 0 },
        { "query:#", "", 0 },
        { "Header:x", "", 0 },
        { "metadata:a:b", "", 0 },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gw_hash_key key = { 0, { "", 0 } };
        gw_status status = gw_hash_key_parse(gw_cstr(texts[i].text), &key);
        ck_assert_msg(status == (texts[i].on == 0 ? GW_EINVAL : GW_OK), "%s", texts[i].text);
        ck_assert_uint_eq(key.on, texts[i].on);
        ck_assert(gw_str_eq(key.name, gw_cstr(texts[i].name)));
    }
}
END_TEST

Suite *hash_key_suite(void)
{
    Suite *suite = suite_create("hash_key");
    check_add_loop(suite, what_is_hashed, 0, sizeof rows / sizeof rows[0]);
    check_add(suite, the_first_that_is_there);
    check_add(suite, what_is_written);
    return suite;
}
