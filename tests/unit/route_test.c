/* The router against a matcher that looks at every rule. */

#include <stdio.h>

#include "alloc.h"
#include "base/prng.h"
#include "base/text.h"
#include "check_main.h"
#include "route/order.h"
#include "route/tree.h"

enum { RULES_MAX = 60, METHODS_MAX = 3 };

struct world {
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_route_rule rules[RULES_MAX];
    gw_str methods[RULES_MAX][METHODS_MAX];
    size_t n;
};

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    test_alloc_init(&w->alloc);
    gw_heap_init(&w->heap, &w->alloc.allocator, 0);
}

/* --- the naive matcher: by the words of route/tree.h --- */

static bool naive_host(gw_str rule, gw_str host)
{
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    if (rule.len == 0)
        return true;
    if (rule.ptr[0] != '*')
        return gw_str_eq_nocase(rule, host);
    gw_str suffix = { rule.ptr + 1, rule.len - 1 };
    return host.len > suffix.len &&
           gw_str_eq_nocase(suffix, (gw_str){ host.ptr + host.len - suffix.len, suffix.len });
}

static bool naive_path(const struct gw_route_rule *rule, gw_str path)
{
    if (gw_str_eq(path, GW_STR("*")))
        path = GW_STR("/");
    if (rule->is_exact)
        return gw_str_eq(rule->path, path);
    if (!gw_str_starts(path, rule->path))
        return false;
    return path.len == rule->path.len || rule->path.ptr[rule->path.len - 1] == '/' ||
           path.ptr[rule->path.len] == '/';
}

static bool naive_method(const struct gw_route_rule *rule, gw_str method)
{
    for (size_t i = 0; i < rule->methods_len; i++)
        if (gw_str_eq(rule->methods[i], method))
            return true;
    return rule->methods_len == 0 && !gw_str_eq(method, GW_STR("CONNECT"));
}

static int host_rank(gw_str host)
{
    return host.len == 0 ? 0 : host.ptr[0] == '*' ? (int)host.len : 1000;
}

static int sign(int64_t n)
{
    return n < 0 ? -1 : n > 0;
}

/* Over 0: a is the more specific. */
static int naive_compare(const struct gw_route_rule *a, const struct gw_route_rule *b,
                         bool is_connect)
{
    int order = sign(host_rank(a->host) - host_rank(b->host));
    if (order == 0 && !is_connect)
        order = sign((int)a->is_exact - (int)b->is_exact);
    if (order == 0 && !is_connect)
        order = sign((int64_t)a->path.len - (int64_t)b->path.len);
    if (order == 0 && !is_connect)
        order = sign((int)(a->methods_len > 0) - (int)(b->methods_len > 0));
    if (order == 0)
        order = sign((int)(a->listener != UINT32_MAX) - (int)(b->listener != UINT32_MAX));
    return order != 0 ? order : sign((int64_t)a->priority - (int64_t)b->priority);
}

static uint32_t naive_find(const struct world *w, const struct gw_route_key *key, bool *is_missing)
{
    const struct gw_route_rule *best = NULL;
    bool is_connect = key->path.len == 0, would = false;
    for (size_t i = 0; i < w->n; i++) {
        const struct gw_route_rule *rule = &w->rules[i];
        if (!naive_host(rule->host, key->host))
            continue;
        if (rule->listener != UINT32_MAX && rule->listener != key->listener)
            continue;
        if (is_connect ? !rule->takes_connect : !naive_path(rule, key->path))
            continue;
        if (!is_connect && !naive_method(rule, key->method)) {
            would = true;
            continue;
        }
        if (best == NULL || naive_compare(rule, best, is_connect) > 0)
            best = rule;
    }
    *is_missing = best == NULL && would;
    return best == NULL ? UINT32_MAX : best->route;
}

/* Do some requests match both, without either being the more specific? */
static bool naive_ties(const struct gw_route_rule *a, const struct gw_route_rule *b)
{
    if (!gw_str_eq(a->host, b->host) || a->listener != b->listener || a->priority != b->priority)
        return false;
    if (a->takes_connect && b->takes_connect)
        return true;
    if (!gw_str_eq(a->path, b->path) || a->is_exact != b->is_exact ||
        (a->methods_len == 0) != (b->methods_len == 0))
        return false;
    for (size_t i = 0; i < a->methods_len; i++)
        if (naive_method(b, a->methods[i]))
            return true;
    return a->methods_len == 0;
}

static bool naive_has_tie(const struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < i; k++)
            if (naive_ties(&w->rules[i], &w->rules[k]))
                return true;
    return false;
}

/* --- random worlds --- */

static const char *const hosts[] = { "",           "a.test",  "b.a.test",  "*.a.test",  "*.test",
                                     "*.b.a.test", "aa.test", "x.aa.test", "*.aa.test", "test" };
static const char *const asked_hosts[] = { "",           "a.test", "A.Test",  "b.a.test",
                                           "c.b.a.test", "x.test", "aa.test", "y.aa.test",
                                           "test",       ".test",  "nobody",  "a.a.a.test.",
                                           "b.a.tesT",   "atest",  "*.test" };
static const char *const paths[] = { "/",     "/a", "/a/",  "/a/b",  "/ab",  "/a/b/c",
                                     "/a/bc", "/b", "/b//", "/b//c", "/abc", "/a/b/" };
static const char *const asked_paths[] = { "/",     "/a",     "/a/",   "/a/b", "/a/b/c", "/ab",
                                           "/a/bc", "/abc",   "/abcd", "/b/",  "/b//",   "/b//c",
                                           "/b//d", "/a/b/d", "/c",    "//",   "*",      "/a//" };
static const char *const methods[] = { "GET", "POST", "PUT", "CONNECT" };

#define ANY_OF(prng, list) gw_cstr((list)[gw_prng_below(prng, sizeof(list) / sizeof(list)[0])])

static void add_rule(struct world *w, struct gw_prng *prng)
{
    struct gw_route_rule *rule = &w->rules[w->n];
    *rule = (struct gw_route_rule){ .host = ANY_OF(prng, hosts),
                                    .path = ANY_OF(prng, paths),
                                    .is_exact = gw_prng_below(prng, 4) == 0,
                                    .takes_connect = gw_prng_below(prng, 6) == 0,
                                    .methods = w->methods[w->n],
                                    .listener = UINT32_MAX,
                                    .priority = (uint32_t)gw_prng_below(prng, 3),
                                    .route = 100 + (uint32_t)w->n };
    if (gw_prng_below(prng, 3) == 0)
        rule->listener = (uint32_t)gw_prng_below(prng, 2);
    size_t first = gw_prng_below(prng, 4);
    if (gw_prng_below(prng, 2) == 0)
        rule->methods_len = 1 + gw_prng_below(prng, METHODS_MAX);
    for (size_t i = 0; i < rule->methods_len; i++)
        w->methods[w->n][i] = gw_cstr(methods[(first + i) % 4]);
    w->n++;
}

/* Every question that the small world has. */
static void ask_everything(const struct world *w, const struct gw_route_tree *tree)
{
    for (size_t h = 0; h < sizeof asked_hosts / sizeof asked_hosts[0]; h++)
        for (size_t p = 0; p <= sizeof asked_paths / sizeof asked_paths[0]; p++)
            for (size_t m = 0; m < 12; m++) {
                bool is_connect = p == sizeof asked_paths / sizeof asked_paths[0];
                struct gw_route_key key = { .host = gw_cstr(asked_hosts[h]),
                                            .path = gw_cstr(is_connect ? "" : asked_paths[p]),
                                            .method = gw_cstr(methods[m % 4]),
                                            .listener = (uint32_t)(m / 4) };
                if (is_connect)
                    key.method = GW_STR("CONNECT");
                bool is_missing = true, wants_missing = false;
                uint32_t wanted = naive_find(w, &key, &wants_missing);
                uint32_t got = gw_route_tree_find(tree, &key, &is_missing);
                if (got != wanted || is_missing != wants_missing)
                    ck_abort_msg("%.*s \"%s\" \"%s\" at %u: %u (%d), not %u (%d)",
                                 (int)key.method.len, key.method.ptr, asked_hosts[h],
                                 is_connect ? "" : asked_paths[p], key.listener, got, is_missing,
                                 wanted, wants_missing);
            }
}

static void try_answers(uint64_t seed)
{
    static struct world w;
    struct gw_prng prng = { seed };
    world_init(&w);
    size_t wanted = gw_prng_below(&prng, seed % 4 == 0 ? 6 : RULES_MAX + 1);
    for (size_t tries = 0; w.n < wanted && tries < 1000; tries++) {
        add_rule(&w, &prng);
        w.n -= naive_has_tie(&w);
    }
    struct gw_route_tree *tree = NULL;
    size_t tie[2] = { 0, 0 };
    ck_assert_int_eq(gw_route_tree_new(&w.heap, w.rules, w.n, &tree, tie), GW_OK);
    ask_everything(&w, tree);
    gw_route_tree_free(tree);
    test_alloc_fini(&w.alloc);
}

START_TEST(answers_as_the_naive_matcher_does)
{
    for (uint64_t seed = 0; seed < 150; seed++)
        try_answers(seed);
}
END_TEST

static void try_ties(uint64_t seed)
{
    static struct world w;
    struct gw_prng prng = { 5000 + seed };
    world_init(&w);
    for (size_t n = 2 + gw_prng_below(&prng, 12); w.n < n;)
        add_rule(&w, &prng);
    struct gw_route_tree *tree = NULL;
    size_t tie[2] = { 0, 0 };
    bool has_tie = naive_has_tie(&w);
    gw_status status = gw_route_tree_new(&w.heap, w.rules, w.n, &tree, tie);
    ck_assert_int_eq(status, has_tie ? GW_EINVAL : GW_OK);
    if (has_tie) {
        ck_assert_uint_lt(tie[0], tie[1]);
        ck_assert(naive_ties(&w.rules[tie[0]], &w.rules[tie[1]]));
    }
    gw_route_tree_free(tree);
    test_alloc_fini(&w.alloc);
}

START_TEST(ties_are_refused)
{
    for (uint64_t seed = 0; seed < 300; seed++)
        try_ties(seed);
}
END_TEST

/* The order in which rules were given plays no part. */
static void try_order(uint64_t seed)
{
    static struct world w, shuffled;
    struct gw_prng prng = { 9000 + seed };
    world_init(&w);
    for (size_t tries = 0; w.n < 20 && tries < 1000; tries++) {
        add_rule(&w, &prng);
        w.n -= naive_has_tie(&w);
    }
    world_init(&shuffled);
    memcpy(shuffled.rules, w.rules, sizeof w.rules);
    shuffled.n = w.n;
    for (size_t i = w.n; i > 1; i--) {
        size_t k = gw_prng_below(&prng, i);
        struct gw_route_rule rule = shuffled.rules[i - 1];
        shuffled.rules[i - 1] = shuffled.rules[k];
        shuffled.rules[k] = rule;
    }
    struct gw_route_tree *tree = NULL;
    size_t tie[2] = { 0, 0 };
    ck_assert_int_eq(gw_route_tree_new(&shuffled.heap, shuffled.rules, shuffled.n, &tree, tie),
                     GW_OK);
    ask_everything(&w, tree);
    gw_route_tree_free(tree);
    test_alloc_fini(&shuffled.alloc);
}

START_TEST(order_plays_no_part)
{
    for (uint64_t seed = 0; seed < 30; seed++)
        try_order(seed);
}
END_TEST

/* A question that rule i matches: its path (0), one below it (1), CONNECT (2). */
static uint32_t ask_for(const struct world *w, size_t i, gw_str method, uint32_t listener, int kind)
{
    char host[64], path[64];
    bool is_missing;
    const struct gw_route_rule *rule = &w->rules[i];
    snprintf(host, sizeof host, "%.*s", (int)rule->host.len, rule->host.ptr);
    if (host[0] == '*')
        host[0] = 'q';
    snprintf(path, sizeof path, "%.*s%s", (int)rule->path.len, rule->path.ptr,
             kind == 1 ? "/zzz" : "");
    struct gw_route_key key = { .host = gw_cstr(host[0] == '\0' ? "no.where" : host),
                                .path = gw_cstr(kind == 2 ? "" : path),
                                .method = method,
                                .listener = listener };
    return naive_find(w, &key, &is_missing);
}

/* A rule is called shadowed if and only if no question ever gets it as an answer. */
static void try_shadows(uint64_t seed)
{
    static struct world w;
    static bool reached[RULES_MAX];
    struct gw_prng prng = { 20000 + seed };
    world_init(&w);
    for (size_t tries = 0; w.n < 40 && tries < 1000; tries++) {
        add_rule(&w, &prng);
        /* "/a" loses all to exact "/a" and "/a/" together: that is not looked for. */
        gw_str path = w.rules[w.n - 1].path;
        w.n -= naive_has_tie(&w) || (path.len > 1 && path.ptr[path.len - 1] == '/');
    }
    uint32_t by[RULES_MAX];
    size_t tie[2] = { 0, 0 };
    ck_assert_int_eq(gw_route_judge(&w.heap, w.rules, w.n, by, tie), GW_OK);
    memset(reached, 0, sizeof reached);
    /* Beside the listeners and methods of the rules there are others: no set of named ones is all. */
    static const char *const all_methods[] = { "GET", "POST", "PUT", "CONNECT", "OTHER" };
    for (size_t i = 0; i < w.n; i++)
        for (size_t m = 0; m < 5; m++)
            for (uint32_t listener = 0; listener < 3; listener++)
                for (int kind = 0; kind < 3; kind++) {
                    uint32_t got = ask_for(&w, i, gw_cstr(all_methods[m]), listener, kind);
                    if (got != UINT32_MAX)
                        reached[got - 100] = true;
                }
    for (size_t i = 0; i < w.n; i++)
        ck_assert_msg(reached[i] == (by[i] == UINT32_MAX), "rule %zu: %d, by %u", i, reached[i],
                      by[i]);
    test_alloc_fini(&w.alloc);
}

START_TEST(shadows_are_what_nothing_reaches)
{
    for (uint64_t seed = 0; seed < 100; seed++)
        try_shadows(seed);
}
END_TEST

START_TEST(every_refused_allocation_is_survived)
{
    static struct world w;
    struct gw_prng prng = { 1 };
    world_init(&w);
    for (size_t tries = 0; w.n < 20 && tries < 1000; tries++) {
        add_rule(&w, &prng);
        w.n -= naive_has_tie(&w);
    }
    struct gw_route_tree *tree = NULL;
    size_t tie[2] = { 0, 0 };
    for (uint64_t k = 1;; k++) {
        test_alloc_restart(&w.alloc);
        w.alloc.fail_at = k;
        gw_status status = gw_route_tree_new(&w.heap, w.rules, w.n, &tree, tie);
        if (w.alloc.failed == 0) {
            ck_assert_int_eq(status, GW_OK);
            break;
        }
        ck_assert_int_eq(status, GW_ENOMEM);
        ck_assert_uint_eq(w.alloc.live, 0);
    }
    ask_everything(&w, tree);
    gw_route_tree_free(tree);
    test_alloc_fini(&w.alloc);
}
END_TEST

/* What the words of the documentation say, said by hand. */
static const struct {
    const char *host, *path;
    uint32_t wanted;
} by_hand[] = {
    { "a.example.com", "/v1", 1 },     { "a.b.example.com", "/", 1 },
    { "example.com", "/v1", 2 },       { "example.com", "/v1/x", 2 },
    { "example.com", "/v10", 0 },      { "EXAMPLE.com", "/v1/", 2 },
    { "badexample.com", "/", 0 },      { "example.com", "/v1/x/y", 3 },
    { "example.com", "/v1/x/y/z", 2 }, { ".example.com", "/", 0 },
    { "example.com.", "/v1", 2 },      { "", "/", 0 },
};
START_TEST(the_words_of_the_documentation)
{
    static struct world w;
    world_init(&w);
    w.n = 4;
    w.rules[0] = (struct gw_route_rule){ .path = GW_STR("/"), .listener = UINT32_MAX, .route = 0 };
    w.rules[1] = (struct gw_route_rule){
        .host = GW_STR("*.example.com"), .path = GW_STR("/"), .listener = UINT32_MAX, .route = 1
    };
    w.rules[2] = (struct gw_route_rule){
        .host = GW_STR("example.com"), .path = GW_STR("/v1"), .listener = UINT32_MAX, .route = 2
    };
    w.rules[3] = (struct gw_route_rule){ .host = GW_STR("example.com"),
                                         .path = GW_STR("/v1/x/y"),
                                         .is_exact = true,
                                         .listener = UINT32_MAX,
                                         .route = 3 };
    struct gw_route_tree *tree = NULL;
    size_t tie[2] = { 0, 0 };
    bool is_missing;
    ck_assert_int_eq(gw_route_tree_new(&w.heap, w.rules, w.n, &tree, tie), GW_OK);
    struct gw_route_key key = { .host = gw_cstr(by_hand[_i].host),
                                .path = gw_cstr(by_hand[_i].path),
                                .method = GW_STR("GET") };
    ck_assert_uint_eq(gw_route_tree_find(tree, &key, &is_missing), by_hand[_i].wanted);
    gw_route_tree_free(tree);
    test_alloc_fini(&w.alloc);
}
END_TEST

static Suite *route_suite(void)
{
    Suite *suite = suite_create("route");
    check_add(suite, answers_as_the_naive_matcher_does);
    check_add(suite, ties_are_refused);
    check_add(suite, order_plays_no_part);
    check_add(suite, shadows_are_what_nothing_reaches);
    check_add(suite, every_refused_allocation_is_survived);
    check_add_loop(suite, the_words_of_the_documentation, 0,
                   (int)(sizeof by_hand / sizeof by_hand[0]));
    return suite;
}

CHECK_MAIN(route_suite)
