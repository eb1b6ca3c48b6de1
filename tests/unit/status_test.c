/* The table of statuses: every name, its category, and the answers for numbers that are none. */

#include "base_test.h"

#include <string.h>

#include <gw/status.h>

static const struct row {
    gw_status status;
    uint32_t category;
    const char *name;
} rows[] = {
    { GW_OK, 0, "GW_OK" },
    { GW_AGAIN, GW_CAT_FLOW, "GW_AGAIN" },
    { GW_EOF, GW_CAT_FLOW, "GW_EOF" },
    { GW_ENOMEM, GW_CAT_LIMIT, "GW_ENOMEM" },
    { GW_ELIMIT, GW_CAT_LIMIT, "GW_ELIMIT" },
    { GW_EINVAL, GW_CAT_USAGE, "GW_EINVAL" },
    { GW_ESTATE, GW_CAT_USAGE, "GW_ESTATE" },
    { GW_EUNSUPPORTED, GW_CAT_USAGE, "GW_EUNSUPPORTED" },
    { GW_EUNKNOWN, GW_CAT_USAGE, "GW_EUNKNOWN" },
    { GW_EPROTO, GW_CAT_PEER, "GW_EPROTO" },
    { GW_ETLS, GW_CAT_PEER, "GW_ETLS" },
    { GW_EIO, GW_CAT_WORLD, "GW_EIO" },
    { GW_ETIMEDOUT, GW_CAT_WORLD, "GW_ETIMEDOUT" },
    { GW_ECANCELED, GW_CAT_WORLD, "GW_ECANCELED" },
    { GW_EREFUSED, GW_CAT_WORLD, "GW_EREFUSED" },
    { GW_EUNREACHABLE, GW_CAT_WORLD, "GW_EUNREACHABLE" },
    { GW_ERESET, GW_CAT_WORLD, "GW_ERESET" },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

START_TEST(names_and_categories)
{
    const struct row *row = &rows[_i];
    ck_assert_str_eq(gw_status_name(row->status), row->name);
    ck_assert_uint_eq(gw_status_category(row->status), row->category);
    ck_assert(row->status <= 0);
}
END_TEST

START_TEST(texts_differ)
{
    for (int i = 0; i < ROWS; i++)
        if (i != _i)
            ck_assert_str_ne(gw_status_text(rows[i].status), gw_status_text(rows[_i].status));
}
END_TEST

START_TEST(a_number_that_is_none)
{
    ck_assert_str_eq(gw_status_name(-77777), "GW_UNKNOWN_STATUS");
    ck_assert_str_eq(gw_status_name(1), "GW_UNKNOWN_STATUS");
    ck_assert_uint_gt(strlen(gw_status_text(-77777)), 0);
}
END_TEST

Suite *status_suite(void)
{
    Suite *suite = suite_create("status");
    check_add_loop(suite, names_and_categories, 0, ROWS);
    check_add_loop(suite, texts_differ, 0, ROWS);
    check_add(suite, a_number_that_is_none);
    return suite;
}
