/* unit/base_test.c: list, log, version; and the main of unit-base. */

#include "base_test.h"

#include <string.h>

#include <gw/version.h>

#include "base/list.h"
#include "base/log.h"
#include "base/prng.h"

/* A list against an array: the same pushes, removals, splices. */

enum { NODES = 24 };
struct node {
    struct gw_list link;
    int place; /* -1: in neither */
};
struct model {
    struct node *nodes[NODES];
    size_t len;
};

static void model_insert(struct model *m, size_t at, struct node *node)
{
    memmove(&m->nodes[at + 1], &m->nodes[at], (m->len - at) * sizeof *m->nodes);
    m->nodes[at] = node;
    m->len++;
}

static void model_remove(struct model *m, const struct node *node)
{
    for (size_t i = 0; i < m->len; i++)
        if (m->nodes[i] == node) {
            m->len--;
            memmove(&m->nodes[i], &m->nodes[i + 1], (m->len - i) * sizeof *m->nodes);
            return;
        }
}

static void list_compare(const struct gw_list *l, const struct model *m)
{
    const struct gw_list *at = l->next;
    ck_assert(gw_list_is_empty(l) == (m->len == 0));
    for (size_t i = 0; i < m->len; i++, at = at->next) {
        ck_assert_ptr_eq(at, &m->nodes[i]->link);
        ck_assert_ptr_eq(at->next->prev, at);
        ck_assert(gw_list_is_linked(at));
    }
    ck_assert_ptr_eq(at, l);
}

START_TEST(list_against_array)
{
    struct gw_prng prng = { (uint64_t)_i };
    struct node nodes[NODES];
    struct gw_list lists[2];
    struct model models[2] = { { .len = 0 }, { .len = 0 } };
    gw_list_init(&lists[0]);
    gw_list_init(&lists[1]);
    for (int i = 0; i < NODES; i++) {
        gw_list_init(&nodes[i].link);
        nodes[i].place = -1;
    }
    for (int step = 0; step < 500; step++) {
        struct node *node = &nodes[gw_prng_below(&prng, NODES)];
        int side = (int)gw_prng_below(&prng, 2);
        ck_assert(gw_list_is_linked(&node->link) == (node->place >= 0));
        switch (gw_prng_below(&prng, 6)) {
        case 0:
        case 1:
            if (node->place >= 0)
                break;
            gw_list_push_back(&lists[side], &node->link);
            model_insert(&models[side], models[side].len, node);
            node->place = side;
            break;
        case 2:
            if (node->place >= 0)
                break;
            gw_list_push_front(&lists[side], &node->link);
            model_insert(&models[side], 0, node);
            node->place = side;
            break;
        case 3: /* also for a node in no list */
            gw_list_remove(&node->link);
            if (node->place >= 0)
                model_remove(&models[node->place], node);
            node->place = -1;
            break;
        case 4: {
            struct gw_list *popped = gw_list_pop_front(&lists[side]);
            ck_assert((popped == NULL) == (models[side].len == 0));
            if (popped != NULL) {
                node = GW_CONTAINER(popped, struct node, link);
                ck_assert_ptr_eq(node, models[side].nodes[0]);
                model_remove(&models[side], node);
                node->place = -1;
            }
            break;
        }
        default:
            if (gw_prng_below(&prng, 8) != 0)
                break;
            gw_list_splice(&lists[side], &lists[!side]);
            for (size_t i = 0; i < models[!side].len; i++) {
                models[side].nodes[models[side].len++] = models[!side].nodes[i];
                models[!side].nodes[i]->place = side;
            }
            models[!side].len = 0;
            break;
        }
        list_compare(&lists[0], &models[0]);
        list_compare(&lists[1], &models[1]);
    }
}
END_TEST

/* The log. */

struct lines {
    int count;
    uint32_t level;
    char event[64], text[1024];
};

static void keep_line(void *ctx, uint32_t level, const char *event, const char *text)
{
    struct lines *lines = ctx;
    lines->count++;
    lines->level = level;
    ck_assert_uint_lt(strlen(event), sizeof lines->event);
    ck_assert_uint_lt(strlen(text), sizeof lines->text);
    strcpy(lines->event, event);
    strcpy(lines->text, text);
}

START_TEST(log_levels)
{
    struct lines lines = { 0 };
    struct gw_log log;
    gw_env env = GW_SPEC(gw_env);
    gw_log_init(&log, &env);
    ck_assert(!gw_log_wants(&log, GW_LOG_ERROR)); /* nobody listens */
    gw_log_line(&log, 0, GW_LOG_ERROR, "e", "t");
    env.log = keep_line;
    env.log_ctx = &lines;
    gw_log_init(&log, &env);
    ck_assert(gw_log_wants(&log, GW_LOG_WARN) && !gw_log_wants(&log, GW_LOG_INFO));
    gw_log_line(&log, 0, GW_LOG_INFO, "link.gone", "not wanted");
    ck_assert_int_eq(lines.count, 0);
    gw_log_line(&log, 0, GW_LOG_WARN, "link.gone", "it went");
    ck_assert_int_eq(lines.count, 1);
    ck_assert_uint_eq(lines.level, GW_LOG_WARN);
    ck_assert_str_eq(lines.event, "link.gone");
    ck_assert_str_eq(lines.text, "it went");
    env.log_level = GW_OFF;
    gw_log_init(&log, &env);
    ck_assert(!gw_log_wants(&log, GW_LOG_ERROR));
    env.log_level = GW_LOG_DEBUG;
    gw_log_init(&log, &env);
    ck_assert(gw_log_wants(&log, GW_LOG_DEBUG));
}
END_TEST

START_TEST(log_rate)
{
    struct lines lines = { 0 };
    struct gw_log log;
    gw_env env = GW_SPEC(gw_env);
    gw_nanos now = 1000000000000u;
    env.log = keep_line;
    env.log_ctx = &lines;
    gw_log_init(&log, &env);
    for (int i = 0; i < 80; i++)
        gw_log_line(&log, now, GW_LOG_WARN, "flood", "drop");
    ck_assert_int_eq(lines.count, 50);
    gw_log_line(&log, now, GW_LOG_ERROR, "flood", "an error"); /* never left out */
    ck_assert_int_eq(lines.count, 51);
    ck_assert_str_eq(lines.text, "an error (30 lines left out before)");
    now += 999999999u; /* nine tenths of a second are full */
    for (int i = 0; i < 80; i++)
        gw_log_line(&log, now, GW_LOG_WARN, "flood", "drop");
    ck_assert_int_eq(lines.count, 51 + 9);
    now += (gw_nanos)3600 * 1000000000u; /* it does not save up more than a burst */
    gw_log_line(&log, now, GW_LOG_WARN, "flood", "first");
    ck_assert_str_eq(lines.text, "first (71 lines left out before)");
    for (int i = 0; i < 80; i++)
        gw_log_line(&log, now, GW_LOG_WARN, "flood", "drop");
    ck_assert_int_eq(lines.count, 60 + 50);
}
END_TEST

START_TEST(log_line_is_bounded)
{
    struct lines lines = { 0 };
    struct gw_log log;
    gw_env env = GW_SPEC(gw_env);
    char text[900];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    env.log = keep_line;
    env.log_ctx = &lines;
    gw_log_init(&log, &env);
    gw_log_line(&log, 0, GW_LOG_WARN, "long", text);
    ck_assert_uint_eq(strlen(lines.text), GW_LOG_LINE_MAX);
    for (int i = 0; i < 50; i++)
        gw_log_line(&log, 0, GW_LOG_WARN, "long", text);
    gw_log_line(&log, 10000000000u, GW_LOG_WARN, "long", text); /* the note is not what is cut */
    ck_assert_uint_eq(strlen(lines.text), GW_LOG_LINE_MAX);
    ck_assert_ptr_nonnull(strstr(lines.text, "xx (1 lines left out before)"));
}
END_TEST

START_TEST(version_and_features)
{
    ck_assert_uint_eq(gw_version(),
                      GW_VERSION_MAJOR << 16 | GW_VERSION_MINOR << 8 | GW_VERSION_PATCH);
    ck_assert(strncmp(gw_build_features(), "h1 ", 3) == 0);
    ck_assert_ptr_nonnull(strstr(gw_build_features(), " poll"));
}
END_TEST

static Suite *base_suite(void)
{
    Suite *suite = suite_create("base");
    check_add_loop(suite, list_against_array, 0, 20);
    check_add(suite, log_levels);
    check_add(suite, log_rate);
    check_add(suite, log_line_is_bounded);
    check_add(suite, version_and_features);
    return suite;
}

CHECK_MAIN(base_suite, status_suite, text_suite, memory_suite, map_suite, timer_suite)
