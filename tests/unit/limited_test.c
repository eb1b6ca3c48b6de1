/* Limiters on routes, in mode 1: which requests they are for, how they are told apart, what is said, and what
 * a new configuration does to them. Each test fails if its limiter lets all pass, or none. */

#include "check_main.h"
#include "limit_suites.h"
#include "parts.h"

static struct mode1 host;

/* A route "/" that answers itself, with these limiters. */
struct plan {
    gw_limiter_spec limiters[3];
    uint32_t len;
    const char *entries[3];
    uint32_t entries_len;
};

static struct plan plan_of(uint32_t tokens, uint32_t burst)
{
    struct plan plan = { .len = 1, .entries = { "a" }, .entries_len = 1 };

    plan.limiters[0] = GW_SPEC(gw_limiter_spec);
    plan.limiters[0].name = gw_cstr("a");
    plan.limiters[0].tokens = tokens;
    plan.limiters[0].burst = burst;
    return plan;
}

static gw_verdict label(void *ctx, gw_exchange *x)
{
    gw_str user = gw_message_field(gw_exchange_request(x), gw_cstr("X-User"));

    (void)ctx;
    if (user.ptr != NULL)
        ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr("user"), user), GW_OK);
    if (user.ptr != NULL)
        ck_assert_int_eq(gw_exchange_set_hash_key(x, user), GW_OK);
    return GW_NEXT;
}

static gw_config *make_config(const struct plan *plan)
{
    gw_builder *b = parts_begin(&host);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_str entries[3];

    parts_listener(b, "edge");
    for (uint32_t i = 0; i < plan->len; i++)
        ck_assert_uint_ne(gw_builder_limiter(b, &plan->limiters[i]), 0);
    for (uint32_t i = 0; i < plan->entries_len; i++)
        entries[i] = gw_cstr(plan->entries[i]);
    route.reply_code = 200;
    route.limiters = entries;
    route.limiters_len = plan->entries_len;
    parts_route(b, "/", &route, NULL);
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    route.reply_code = 0;
    parts_route(b, "/web", &route, "web");
    filter.name = "label";
    filter.on_route = label;
    gw_builder_filter(b, &filter);
    return parts_build(b);
}

static struct mode1_link *start(const struct plan *plan)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    mode1_start(&host, make_config(plan), NULL);
    return mode1_accept(&host, "edge");
}

static int code_of(const struct mode1_link *l)
{
    return strncmp(l->out, "HTTP/1.1 ", 9) == 0 ? atoi(l->out + 9) : 0;
}

/* more: fields, each with its CRLF. */
static int get(struct mode1_link *l, const char *target, const char *more)
{
    char text[512];

    mode1_clear(l);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, more);
    mode1_say(&host, l, text);
    return code_of(l);
}

START_TEST(a_rate_is_kept)
{
    struct plan plan = plan_of(10, 3);
    struct mode1_link *l = start(&plan);

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(get(l, "/", ""), 200);
    ck_assert_int_eq(get(l, "/", ""), 429);
    ck_assert_ptr_ne(strstr(l->out, "Retry-After: 1\r\n"), NULL);
    ck_assert_ptr_ne(strstr(l->out, "\r\n\r\n429 Too Many Requests\nlimited\n"), NULL);
    host.now += GW_MS(99);
    ck_assert_int_eq(get(l, "/", ""), 429);
    host.now += GW_MS(1);
    ck_assert_int_eq(get(l, "/", ""), 200);
    ck_assert_int_eq(get(l, "/", ""), 429);
    ck_assert_uint_eq(mode1_stat(&host, "limited"), 3);
    mode1_stop(&host);
}
END_TEST

/* What tells two requests apart, and what does not. */
static const struct {
    const char *key;
    const char *one, *same, *other; /* targets */
    const char *one_has, *same_has, *other_has;
} apart[] = {
    { "header:X-A", "/", "/q", "/", "x-a: 1\r\n", "X-A:1\r\n", "x-a: 2\r\n" },
    { "header:x-a", "/", "/", "/", "x-b: 1\r\n", "x-a:\r\n", /* what is empty is not there */
      "x-a: 1\r\n" },
    { "header:x-a", "/", "/", "/", "x-a: 1\r\nx-a: 2\r\n", /* all lines count */
      "x-a: 1\r\nx-b: 3\r\nx-a: 2\r\n", "x-a: 1\r\nx-a: 3\r\n" },
    { "metadata:x-bin", "/", "/", "/", "x-bin: YQ==\r\n", "x-bin: YQ\r\n", "x-bin: YR\r\n" },
    { "given", "/", "/", "/", "x-user: a\r\n", "x-user: a\r\n", "x-user: b\r\n" },
    { "cookie:s", "/", "/", "/", "Cookie: t=1; s=2\r\n", "Cookie: s=2\r\n",
      "Cookie: s=1; t=2\r\n" },
    { "path", "/a?b", "/a?c", "/b?b", "", "", "" },
    { "query:q", "/?q=1&r=2", "/x?r=3&q=1", "/?q=2&r=2", "", "", "" },
    { "label:user", "/", "/", "/", "x-user: a\r\n", "x-user: a\r\n", "x-user: b\r\n" },
};

START_TEST(keys_tell_requests_apart)
{
    struct plan plan = plan_of(1, 1);
    gw_str key = gw_cstr(apart[_i].key);
    plan.limiters[0].keys = &key;
    plan.limiters[0].keys_len = 1;
    struct mode1_link *l = start(&plan);

    ck_assert_int_eq(get(l, apart[_i].one, apart[_i].one_has), 200);
    ck_assert_int_eq(get(l, apart[_i].same, apart[_i].same_has), 429);
    ck_assert_int_eq(get(l, apart[_i].other, apart[_i].other_has), 200);
    ck_assert_int_eq(get(l, apart[_i].other, apart[_i].other_has), 429);
    mode1_stop(&host);
}
END_TEST

START_TEST(clients_are_told_apart)
{
    static const gw_str keys[] = { { "client", 6 } };
    struct plan plan = plan_of(1, 1);
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    static const char *const peers[] = { "10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1" };
    static const int wanted[] = { 200, 429, 200 };
    plan.limiters[0].keys = keys;
    plan.limiters[0].keys_len = 1;
    start(&plan);

    spec.listener = gw_cstr("edge");
    spec.facts = &facts;
    for (int i = 0; i < 3; i++) {
        gw_link *link;
        facts.peer = gw_cstr(peers[i]);
        ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
        ck_assert_int_eq(get(mode1_find(&host, link), "/", ""), wanted[i]);
    }
    mode1_stop(&host);
}
END_TEST

/* Parts are hashed one by one: "ab" and "c" are not "a" and "bc". */
START_TEST(keys_together)
{
    static const gw_str keys[] = { { "header:a", 8 }, { "header:b", 8 } };
    struct plan plan = plan_of(1, 1);
    plan.limiters[0].keys = keys;
    plan.limiters[0].keys_len = 2;
    struct mode1_link *l = start(&plan);

    ck_assert_int_eq(get(l, "/", "a: ab\r\nb: c\r\n"), 200);
    ck_assert_int_eq(get(l, "/", "a: a\r\nb: bc\r\n"), 200);
    ck_assert_int_eq(get(l, "/", "a: abc\r\n"), 200);
    ck_assert_int_eq(get(l, "/", "b: abc\r\n"), 200);
    ck_assert_int_eq(get(l, "/", "b: c\r\na: ab\r\n"), 429);
    mode1_stop(&host);
}
END_TEST

START_TEST(who_has_no_key)
{
    struct plan plan = plan_of(1, 1);
    static const gw_str keys[] = { { "header:a", 8 } };
    plan.limiters[0].keys = keys;
    plan.limiters[0].keys_len = 1;
    plan.limiters[0].flags = _i == 0 ? 0 : GW_LIMITER_KEYED;
    struct mode1_link *l = start(&plan);

    ck_assert_int_eq(get(l, "/", ""), 200);
    ck_assert_int_eq(get(l, "/", ""), _i == 0 ? 429 : 200);
    ck_assert_int_eq(get(l, "/", "a:\r\n"), _i == 0 ? 429 : 200); /* empty is none */
    ck_assert_int_eq(get(l, "/", "a: 1\r\n"), 200);
    ck_assert_int_eq(get(l, "/", "a: 1\r\n"), 429);
    mode1_stop(&host);
}
END_TEST

/* The first of an entry that is for the request, and it alone; each entry is asked. */
START_TEST(the_first_that_is_for_it)
{
    static const gw_str gold[] = { { "header:plan=gold", 16 } };
    struct plan plan = plan_of(3, 3);
    plan.limiters[1] = plan.limiters[2] = plan.limiters[0];
    plan.limiters[0].keys = gold;
    plan.limiters[0].keys_len = 1;
    plan.limiters[1].name = gw_cstr("b");
    plan.limiters[1].tokens = plan.limiters[1].burst = 1;
    plan.limiters[2].name = gw_cstr("c");
    plan.limiters[2].tokens = 1;
    plan.limiters[2].burst = 6;
    plan.len = 3;
    plan.entries[0] = " a  b ";
    plan.entries[1] = "c";
    plan.entries_len = 2;
    struct mode1_link *l = start(&plan);

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(get(l, "/", "plan: gold\r\n"), 200);
    ck_assert_int_eq(get(l, "/", "plan: gold\r\n"), 429);              /* by a */
    ck_assert_int_eq(get(l, "/", "plan: gold\r\nplan: tin\r\n"), 200); /* two lines are no gold */
    ck_assert_int_eq(get(l, "/", ""), 429);                            /* by b */
    host.now += GW_MS(1000);
    for (int i = 0; i < 3; i++) /* of c's six four were taken, and one has come back */
        ck_assert_int_eq(get(l, "/", "plan: gold\r\n"), 200);
    ck_assert_int_eq(get(l, "/", "plan: tin\r\n"), 429); /* by c */
    mode1_stop(&host);
}
END_TEST

START_TEST(a_shadow_counts)
{
    struct plan plan = plan_of(1, 1);
    plan.limiters[0].flags = GW_LIMITER_SHADOW | GW_LIMITER_FIELDS;
    struct mode1_link *l = start(&plan);

    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(get(l, "/", ""), 200);
        ck_assert_ptr_nonnull(strstr(l->out, "RateLimit: \"a\";r=0"));
    }
    ck_assert_uint_eq(mode1_stat(&host, "limited"), 0);
    ck_assert_uint_eq(mode1_stat(&host, "limited_shadow"), 4);
    mode1_stop(&host);
}
END_TEST

/* What one worker says is what it holds its requests to: its part. */
START_TEST(a_part_is_told_of)
{
    struct plan plan = plan_of(10, 12);
    struct mode1_link *l;

    plan.limiters[0].flags = GW_LIMITER_FIELDS;
    plan.limiters[0].scope = _i % 2 == 0 ? GW_SCOPE_PER_WORKER : GW_SCOPE_SHARED;
    if (_i >= 2) {
        plan.limiters[0].tokens = plan.limiters[0].burst = 0;
        plan.limiters[0].concurrency = 12;
    }
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    host.workers = 4;
    mode1_start(&host, make_config(&plan), NULL);
    l = mode1_accept(&host, "edge");
    ck_assert_int_eq(get(l, "/", ""), 200);
    ck_assert_ptr_nonnull(strstr(l->out, _i == 0   ? "RateLimit-Policy: \"a\";q=3;w=2\r\n"
                                         : _i == 1 ? "RateLimit-Policy: \"a\";q=12;w=2\r\n"
                                         : _i == 2 ? "RateLimit-Policy: \"a\";q=3\r\n"
                                                   : "RateLimit-Policy: \"a\";q=12\r\n"));
    ck_assert_ptr_nonnull(strstr(l->out, _i % 2 == 0 ? "\"a\";r=2" : "\"a\";r=11"));
    mode1_stop(&host);
}
END_TEST

START_TEST(another_status)
{
    struct plan plan = plan_of(1, 1);
    plan.limiters[0].code = 503;
    struct mode1_link *l = start(&plan);

    ck_assert_int_eq(get(l, "/", ""), 200);
    ck_assert_int_eq(get(l, "/", ""), 503);
    ck_assert_ptr_ne(strstr(l->out, "limited\n"), NULL);
    mode1_stop(&host);
}
END_TEST

/* Nine keys in a table of one set of eight. */
START_TEST(a_table_is_full)
{
    static const gw_str keys[] = { { "path", 4 } };
    struct plan plan = plan_of(1, 1);
    plan.limiters[0].keys = keys;
    plan.limiters[0].keys_len = 1;
    plan.limiters[0].keys_max = 8;
    plan.limiters[0].flags = _i == 0 ? 0 : GW_LIMITER_CLOSED;
    struct mode1_link *l = start(&plan);
    char path[8] = "/a";

    for (int i = 0; i < 8; i++, path[1]++)
        ck_assert_int_eq(get(l, path, ""), 200);
    ck_assert_int_eq(get(l, path, ""), _i == 0 ? 200 : 429);
    ck_assert_int_eq(get(l, path, ""), _i == 0 ? 200 : 429);
    ck_assert_ptr_eq(strstr(l->out, "Retry-After"), NULL);
    ck_assert_uint_eq(mode1_stat(&host, "limiter_full"), 2);
    ck_assert_int_eq(get(l, "/a", ""), 429); /* who has a place keeps it */
    host.now += GW_MS(1000);
    ck_assert_int_eq(get(l, path, ""), 200);
    ck_assert_int_eq(get(l, path, ""), 429);
    ck_assert_uint_eq(mode1_stat(&host, "limiter_full"), 2);
    mode1_stop(&host);
}
END_TEST

/* ---- ceilings ---- */

static void answer(struct mode1_link *up)
{
    mode1_clear(up);
    mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* However it ends, it is in flight no more: answered, given up by its client, failed, gone with it all. */
START_TEST(a_ceiling_is_kept)
{
    static const gw_str keys[] = { { "header:a", 8 } };
    struct plan plan = plan_of(0, 0);
    struct mode1_link *l[4];
    plan.limiters[0].concurrency = 2;
    plan.limiters[0].keys = keys;
    plan.limiters[0].keys_len = _i == 0 ? 0 : 1;
    l[0] = start(&plan);

    for (int i = 1; i < 4; i++)
        l[i] = mode1_accept(&host, "edge");
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(get(l[0], "/web", ""), 0);
        ck_assert_int_eq(get(l[1], "/web", ""), 0);
        ck_assert_int_eq(get(l[2], "/web", ""), 429);
        ck_assert_ptr_eq(strstr(l[2]->out, "Retry-After"), NULL);
        for (int i = 0; i < host.count; i++)
            if (host.links[i].is_upstream && host.links[i].link != NULL &&
                host.links[i].out_len > 0)
                answer(&host.links[i]);
        ck_assert_int_eq(code_of(l[0]), 200);
        ck_assert_int_eq(code_of(l[1]), 200);
    }
    ck_assert_int_eq(get(l[0], "/web", ""), 0);
    ck_assert_int_eq(get(l[1], "/web", ""), 0);
    gw_link_closed(l[1]->link);
    l[1]->link = NULL;
    ck_assert_int_eq(get(l[2], "/web", ""), 0);
    ck_assert_int_eq(get(l[3], "/web", ""), 429);
    mode1_stop(&host);
}
END_TEST

/* ---- reloads ---- */

START_TEST(a_reload_keeps_what_is_owed)
{
    struct plan plan = plan_of(10, 10);
    struct mode1_link *l = start(&plan);
    int passed = 0;

    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(get(l, "/", ""), 200);
    parts_apply(&host, make_config(&plan)); /* the same again */
    ck_assert_int_eq(get(l, "/", ""), 429);
    plan.limiters[0].tokens = plan.limiters[0].burst = 4; /* another rate: all is spent still */
    parts_apply(&host, make_config(&plan));
    ck_assert_int_eq(get(l, "/", ""), 429);
    host.now += GW_MS(250);
    ck_assert_int_eq(get(l, "/", ""), 200);
    ck_assert_int_eq(get(l, "/", ""), 429);
    plan.limiters[0].tokens = plan.limiters[0].burst = 100; /* four are owed */
    parts_apply(&host, make_config(&plan));
    while (get(l, "/", "") == 200)
        passed++;
    ck_assert_int_eq(passed, 96);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_reload_keeps_keys)
{
    static const gw_str keys[] = { { "path", 4 } };
    struct plan plan = plan_of(10, 2);
    plan.limiters[0].keys = keys;
    plan.limiters[0].keys_len = 1;
    struct mode1_link *l = start(&plan);

    ck_assert_int_eq(get(l, "/a", ""), 200);
    ck_assert_int_eq(get(l, "/a", ""), 200);
    ck_assert_int_eq(get(l, "/b", ""), 200);
    plan.limiters[0].tokens = 1;
    plan.limiters[0].keys_max = 64;
    parts_apply(&host, make_config(&plan));
    ck_assert_int_eq(get(l, "/a", ""), 429);
    ck_assert_int_eq(get(l, "/b", ""), 200);
    ck_assert_int_eq(get(l, "/b", ""), 429);
    ck_assert_int_eq(get(l, "/c", ""), 200);
    host.now += GW_MS(1000);
    ck_assert_int_eq(get(l, "/a", ""), 200);
    ck_assert_int_eq(get(l, "/a", ""), 429);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_ceiling_is_raised)
{
    struct plan plan = plan_of(0, 0);
    struct mode1_link *l[3];
    plan.limiters[0].concurrency = 1;
    l[0] = start(&plan);
    l[1] = mode1_accept(&host, "edge");
    l[2] = mode1_accept(&host, "edge");

    ck_assert_int_eq(get(l[0], "/web", ""), 0);
    ck_assert_int_eq(get(l[1], "/web", ""), 429);
    plan.limiters[0].concurrency = 2;
    parts_apply(&host, make_config(&plan));
    ck_assert_int_eq(get(l[1], "/web", ""), 0);
    ck_assert_int_eq(get(l[2], "/web", ""), 429);
    plan.len = plan.entries_len = 0; /* it is gone, and what it counts still ends well */
    parts_apply(&host, make_config(&plan));
    ck_assert_int_eq(get(l[2], "/web", ""), 0);
    mode1_stop(&host);
}
END_TEST

/* An exchange of the old configuration, with a limiter that has another rate by now, uses that one. */
START_TEST(who_is_late_is_led_on)
{
    struct plan plan = plan_of(10, 5);
    struct gw_limit_state *old, *new;
    struct gw_limit_ask ask = { .now = GW_MS(1000) };
    struct gw_taken out;
    _Atomic uint64_t *count;
    struct mode1_link *l = start(&plan);

    ck_assert_int_eq(get(l, "/", ""), 200);
    old = host.engine->current->limits[0];
    plan.limiters[0].tokens = 1;
    gw_config *config = make_config(&plan);
    struct gw_edition *edition = gw_edition_ref(host.engine->current); /* as that exchange would */
    parts_apply(&host, config);
    new = host.engine->current->limits[0];
    ck_assert_ptr_ne(old, new);
    ask.now = host.now;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(gw_limit_take(i % 2 == 0 ? old : new, &ask, &out, &count), GW_TABLE_TAKEN);
        ck_assert(out.allowed);
    }
    ck_assert_int_eq(gw_limit_take(old, &ask, &out, &count), GW_TABLE_TAKEN);
    ck_assert(!out.allowed && gw_taken_quota(&out).retry_after_ns == GW_MS(1000));
    plan.limiters[0].tokens = 2; /* and over two */
    parts_apply(&host, make_config(&plan));
    ck_assert_int_eq(gw_limit_take(old, &ask, &out, &count), GW_TABLE_TAKEN);
    ck_assert(!out.allowed && gw_taken_quota(&out).retry_after_ns == GW_MS(500));
    gw_edition_unref(edition);
    parts_apply(&host, make_config(&plan));
    mode1_stop(&host);
}
END_TEST

/* ---- nonsense ---- */

static void refused(const struct plan *plan, const char *where, gw_status status)
{
    gw_builder *b;
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_str entries[3];

    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    for (uint32_t i = 0; i < plan->len; i++)
        (void)gw_builder_limiter(b, &plan->limiters[i]);
    for (uint32_t i = 0; i < plan->entries_len; i++)
        entries[i] = gw_cstr(plan->entries[i]);
    route.name = gw_cstr("r");
    route.reply_code = 200;
    route.limiters = entries;
    route.limiters_len = plan->entries_len;
    (void)gw_builder_route(b, &route);
    ck_assert_int_eq(gw_builder_build(b, &config, &err), status);
    ck_assert_str_eq(err.where, where);
}

START_TEST(nonsense_is_refused)
{
    static const gw_str keys[9] = { { "header:a", 8 } };
    gw_str key = GW_STR("headers:a");
#define WRONG(where, status, ...)                                                                  \
    do {                                                                                           \
        struct plan plan = plan_of(1, 1);                                                          \
        gw_limiter_spec *s = &plan.limiters[0];                                                    \
        __VA_ARGS__;                                                                               \
        (void)s;                                                                                   \
        refused(&plan, where, status);                                                             \
    } while (0)
    WRONG("limiters[0].name", GW_EINVAL, s->name = gw_cstr("a b"));
    WRONG("limiters[1].name", GW_EINVAL, (plan.limiters[1] = *s, plan.len = 2));
    WRONG("limiters[0].tokens", GW_EINVAL, s->tokens = s->burst = 0);
    WRONG("limiters[0].concurrency", GW_EINVAL, s->concurrency = 1);
    WRONG("limiters[0].burst", GW_EINVAL, (s->tokens = 0, s->concurrency = 1));
    WRONG("limiters[0].period_ms", GW_EINVAL,
          (s->tokens = s->burst = 0, s->concurrency = s->period_ms = 1));
    WRONG("limiters[0].burst", GW_EINVAL, (s->period_ms = GW_OFF - 1, s->burst = 100));
    WRONG("limiters[0].period_ms", GW_EINVAL,
          (s->scope = GW_SCOPE_PER_WORKER, s->period_ms = 3600001));
    WRONG("limiters[0].scope", GW_EINVAL, s->scope = 3);
    WRONG("limiters[0].flags", GW_EINVAL, s->flags = 16);
    WRONG("limiters[0].code", GW_EINVAL, s->code = 399);
    WRONG("limiters[0].code", GW_EINVAL, s->code = 600);
    WRONG("limiters[0].grpc_status", GW_EINVAL, s->grpc_status = 17);
    WRONG("limiters[0].keys_max", GW_EINVAL, s->keys_max = 1);
    WRONG("limiters[0].keys_max", GW_EINVAL,
          (s->keys = keys, s->keys_len = 1, s->keys_max = (1 << 20) + 1));
    WRONG("limiters[0].flags", GW_EINVAL, s->flags = GW_LIMITER_KEYED);
    WRONG("limiters[0].flags", GW_EINVAL, s->flags = GW_LIMITER_CLOSED);
    WRONG("limiters[0].keys", GW_ELIMIT, (s->keys = keys, s->keys_len = 9));
    WRONG("limiters[0].reserved", GW_EINVAL, s->reserved = 1);
    for (int i = 0; i < 9; i++) {
        static const char *const wrong[] = { "headers:a",    "path:a",    "query:",
                                             "header:a b",   "client_ip", "given=a",
                                             "header:plan=", "",          "=a" };
        key = gw_cstr(wrong[i]);
        WRONG("limiters[0].keys[0]", GW_EINVAL, (s->keys = &key, s->keys_len = 1));
    }
    WRONG("limiters[0].tokens", GW_EINVAL, (s->tokens = GW_OFF, s->burst = 1));
    WRONG("limiters[0].period_ms", GW_EINVAL, s->period_ms = GW_OFF);
    WRONG("limiters[0].keys", GW_EINVAL, s->keys_len = 1);
    WRONG("routes[0].limiters[0]", GW_EINVAL, plan.entries[0] = "");
    WRONG("routes[0].limiters[1]", GW_EINVAL, (plan.entries[1] = "  ", plan.entries_len = 2));
    WRONG("routes[0].limiters[1]", GW_EUNKNOWN, (plan.entries[1] = "b c", plan.entries_len = 2));
    WRONG("routes[0].limiters[1]", GW_EINVAL,
          (plan.entries[1] = plan.entries[0], plan.entries_len = 2));
    WRONG("routes[0].limiters[0]", GW_EINVAL, plan.entries[0] = "a a");
}
END_TEST

Suite *limited_suite(void)
{
    Suite *s = suite_create("limited");
    check_add(s, a_rate_is_kept);
    check_add_loop(s, keys_tell_requests_apart, 0, sizeof apart / sizeof apart[0]);
    check_add(s, clients_are_told_apart);
    check_add(s, keys_together);
    check_add_loop(s, who_has_no_key, 0, 2);
    check_add(s, the_first_that_is_for_it);
    check_add(s, a_shadow_counts);
    check_add_loop(s, a_part_is_told_of, 0, 4);
    check_add(s, another_status);
    check_add_loop(s, a_table_is_full, 0, 2);
    check_add_loop(s, a_ceiling_is_kept, 0, 2);
    check_add(s, a_reload_keeps_what_is_owed);
    check_add(s, a_reload_keeps_keys);
    check_add(s, a_ceiling_is_raised);
    check_add(s, who_is_late_is_led_on);
    check_add(s, nonsense_is_refused);
    return s;
}
