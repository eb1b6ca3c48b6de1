/* unit/http_test.h: the suites of unit-http, and messages to try things on. */
#ifndef UNIT_HTTP_TEST_H
#define UNIT_HTTP_TEST_H

#include "check_main.h"

#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "http/check.h"
#include "http/hop.h"
#include "http/message.h"
#include "http/reason.h"
#include "http/target.h"

Suite *target_suite(void);
Suite *check_suite(void);
Suite *message_suite(void);

/* An arena of one cell, and a message in it. */
struct bench {
    char cell[65536];
    struct gw_arena arena;
    struct gw_message m;
};

static inline void bench_init(struct bench *b, enum gw_message_kind kind, size_t bytes_max)
{
    gw_arena_init(&b->arena, b->cell, sizeof b->cell, NULL, bytes_max);
    gw_message_init(&b->m, kind, &b->arena, 64);
}

static inline void must(gw_status status)
{
    ck_assert_msg(status == GW_OK, "%s", gw_status_name(status));
}

/* "name: value" lines, separated by "\n". */
static inline void bench_fields(struct bench *b, const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");
        gw_str line = { lines, len };
        size_t colon = gw_str_find(gw_str_slice(line, 1, len), ':') + 1;
        must(gw_fields_add_copy(&b->m.fields, gw_str_slice(line, 0, colon),
                                gw_str_trim(gw_str_slice(line, colon + 1, len))));
        lines += len + (lines[len] == '\n');
    }
}

static inline const char *reason_name(uint32_t reason)
{
    gw_reason row = GW_SPEC(gw_reason);
    must(gw_reason_of(reason, &row));
    return row.name;
}

static inline void same(gw_str s, const char *text)
{
    ck_assert_msg(gw_str_eq(s, gw_cstr(text)), "%.*s, not %s", (int)s.len, s.ptr, text);
}

/* The fields that are there, as "name=value;". */
static inline const char *bench_list(const struct bench *b)
{
    static char out[8192];
    size_t n = 0;
    gw_str name, value;
    out[0] = '\0';
    for (size_t i = 0; gw_message_field_at(&b->m, i, &name, &value) == GW_OK; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s=%.*s;", (int)name.len, name.ptr,
                              (int)value.len, value.ptr);
    return out;
}

#endif
