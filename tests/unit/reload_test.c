/* unit/reload_test.c: a new configuration between any two steps of a run, in mode 1: what policies know goes
 * on as docs/reload.md says, and not a request more or less passes than without it. */

#include <gw/gw.h>

#include "worker/worker.h"

static gw_status swept_step(gw_worker *w, gw_nanos now);
#define gw_worker_step(w, now) swept_step((w), (now))
#include "check_main.h"
#include "parts.h"
#undef gw_worker_step

enum { ROUNDS = 6, KEYS = 5, TURNS = 3, SPLITS = 4, MS = 1000000, PAUSE_MS = 100 };
enum { RATE = 4, BURST = 4, RATE_NEW = 8 };
/* What is applied: nothing; the same once more; with other clusters, routes and limiters around; with all of
 * these themselves changed. */
enum { NOTHING, SAME, NEIGHBOUR, SELF, CHANGES };

static struct mode1 host;
static uint32_t steps, apply_at;
static int change;
static bool is_applied;

static struct run {
    uint32_t limited_passed, split_a, split_b, split_before, split_a_before;
    uint32_t turns[TURNS], refused, asked_bad, ceiling_refused;
    char keyed[KEYS][32]; /* where each key has gone */
    char cookie[64], at_home[32];
    uint32_t throttled;
    uint64_t exchanges, connected, failed;
    uint32_t steps;
} run, plain;

/* ---- what is configured ---- */

static void add_clusters(gw_builder *b, bool is_new)
{
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_hash_spec hash = GW_SPEC(gw_hash_spec);
    gw_breaker_spec breaker = GW_SPEC(gw_breaker_spec);
    gw_outlier_spec outlier = GW_SPEC(gw_outlier_spec);
    gw_throttle_spec throttle = GW_SPEC(gw_throttle_spec);
    gw_affinity_spec affinity = GW_SPEC(gw_affinity_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_str key = GW_STR("header:x-key");
    gw_id id;

    cluster.connect_timeout_ms = is_new ? 3000 : 2000;
    parts_cluster(b, "a", &cluster, "127.0.0.1:101");
    parts_cluster(b, "b", &cluster, "127.0.0.1:102");
    cluster.slow_start_ms = 1000;
    parts_cluster(b, "web", &cluster, "127.0.0.1:103");
    cluster.slow_start_ms = 0;
    breaker.failures = 2;
    breaker.error_percent = GW_OFF;
    breaker.window_ms = is_new ? 20000 : 10000;
    cluster.breaker = &breaker;
    parts_cluster(b, "bad", &cluster, "127.0.0.1:66");
    cluster.breaker = NULL;
    throttle.volume_min = 2;
    cluster.throttle = &throttle;
    parts_cluster(b, "worse", &cluster, "127.0.0.1:66");
    cluster.throttle = NULL;
    outlier.failures = 1;
    outlier.share_percent = is_new ? 60 : 50;
    cluster.outlier = &outlier;
    cluster.name = gw_cstr("half");
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = gw_cstr("127.0.0.1:66");
    gw_builder_endpoint(b, id, &endpoint);
    endpoint.address = gw_cstr("127.0.0.1:104");
    gw_builder_endpoint(b, id, &endpoint);
    cluster.outlier = NULL;
    affinity.cookie = gw_cstr("home");
    cluster.affinity = &affinity;
    cluster.name = gw_cstr("homes");
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = gw_cstr("127.0.0.1:105");
    gw_builder_endpoint(b, id, &endpoint);
    endpoint.address = gw_cstr("127.0.0.1:106");
    gw_builder_endpoint(b, id, &endpoint);
    cluster.affinity = NULL;
    cluster.name = gw_cstr("turns");
    id = gw_builder_cluster(b, &cluster);
    for (int i = 0; i < TURNS; i++) {
        static const char *const names[] = { "127.0.0.1:201", "127.0.0.1:202", "127.0.0.1:203" };
        endpoint.address = gw_cstr(names[i]);
        gw_builder_endpoint(b, id, &endpoint);
    }
    hash.keys = &key;
    hash.keys_len = 1;
    cluster.name = gw_cstr("keys");
    cluster.balance = GW_BALANCE_CONSISTENT_HASH;
    cluster.hash = &hash;
    id = gw_builder_cluster(b, &cluster);
    for (int i = 0; i < KEYS; i++) { /* in another order, it is the same ring */
        static const char *const names[] = { "127.0.0.1:301", "127.0.0.1:302", "127.0.0.1:303",
                                             "127.0.0.1:304", "127.0.0.1:305" };
        endpoint.address = gw_cstr(names[is_new ? KEYS - 1 - i : i]);
        gw_builder_endpoint(b, id, &endpoint);
    }
}

static void add_limited(gw_builder *b, bool is_new)
{
    gw_limiter_spec limiter = GW_SPEC(gw_limiter_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_str few = GW_STR("few"), two = GW_STR("two");

    limiter.name = few;
    limiter.tokens = is_new ? RATE_NEW : RATE;
    limiter.burst = BURST;
    gw_builder_limiter(b, &limiter);
    limiter = GW_SPEC(gw_limiter_spec);
    limiter.name = two;
    limiter.concurrency = 2;
    limiter.flags = is_new ? GW_LIMITER_FIELDS : 0;
    gw_builder_limiter(b, &limiter);
    route.limiters_len = 1;
    route.limiters = &two;
    parts_route(b, "/c", &route, "web");
    route.limiters = &few;
    route.reply_code = 204;
    parts_route(b, "/l", &route, NULL);
}

static gw_config *make_config(int how)
{
    gw_builder *b = parts_begin(&host);
    gw_split_spec splits[] = { GW_SPEC(gw_split_spec), GW_SPEC(gw_split_spec) };
    gw_route_spec route = GW_SPEC(gw_route_spec);
    bool is_new = how == SELF;

    if (how == NEIGHBOUR) { /* in front: nothing keeps its place in its list */
        gw_limiter_spec limiter = GW_SPEC(gw_limiter_spec);
        limiter.name = gw_cstr("another");
        limiter.tokens = 1;
        gw_builder_limiter(b, &limiter);
        parts_listener(b, "another");
        parts_cluster(b, "another", NULL, "127.0.0.1:90");
        parts_route(b, "/another", NULL, "another");
    }
    parts_listener(b, "edge");
    add_clusters(b, is_new);
    add_limited(b, is_new);
    parts_route(b, "/r", NULL, "turns");
    parts_route(b, "/k", NULL, "keys");
    parts_route(b, "/b", NULL, "bad");
    parts_route(b, "/w", NULL, "worse");
    parts_route(b, "/o", NULL, "half");
    parts_route(b, "/h", NULL, "homes");
    splits[0].cluster = gw_cstr("a");
    splits[0].weight = is_new ? 1 : 3;
    splits[1].cluster = gw_cstr("b");
    splits[1].weight = 1;
    route.splits = splits;
    route.splits_len = 2;
    parts_route(b, "/s", &route, NULL);
    return parts_build(b);
}

static gw_status swept_step(gw_worker *w, gw_nanos now)
{
    if (change != NOTHING && steps == apply_at) {
        is_applied = true;
        parts_apply(&host, make_config(change));
    }
    steps++;
    return gw_worker_step(w, now);
}

/* ---- a run ---- */

/* Where the request went that an upstream has now, which is answered; "": nobody has one. */
static const char *answer(void)
{
    static char address[32];
    gw_destination d = GW_SPEC(gw_destination);

    address[0] = '\0';
    for (int i = 0; i < host.count; i++) {
        struct mode1_link *up = &host.links[i];
        if (!up->is_upstream || up->link == NULL || up->out_len == 0 ||
            strstr(up->out, "/c") != NULL)
            continue;
        ck_assert_int_eq(gw_link_get_destination(up->link, &d), GW_OK);
        snprintf(address, sizeof address, "%.*s", (int)d.address.len, d.address.ptr);
        mode1_clear(up);
        mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    return address;
}

static void begin(struct mode1_link *client, const char *path, int key)
{
    char text[200];

    mode1_clear(client);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\nx-key: key-%d\r\ncookie: %s\r\n\r\n",
             path, key, run.cookie[0] != '\0' ? run.cookie : "none=1");
    mode1_say(&host, client, text);
}

static const char *ask(struct mode1_link *client, const char *path, int key)
{
    begin(client, path, key);
    return answer();
}

static bool has(const struct mode1_link *client, const char *status)
{
    return strstr(client->out, status) != NULL;
}

static void ask_splits(struct mode1_link *client)
{
    for (int i = 0; i < SPLITS; i++) {
        bool is_a = strcmp(ask(client, "/s", 0), "127.0.0.1:101") == 0;
        ck_assert(has(client, " 200 "));
        *(is_a ? &run.split_a : &run.split_b) += 1;
        if (!is_applied) {
            run.split_before++;
            run.split_a_before += is_a;
        }
    }
}

static void ask_keys(struct mode1_link *client)
{
    for (int i = 0; i < KEYS; i++) {
        const char *to = ask(client, "/k", i);
        ck_assert(has(client, " 200 "));
        if (run.keyed[i][0] == '\0')
            snprintf(run.keyed[i], sizeof run.keyed[i], "%s", to);
        ck_assert_str_eq(run.keyed[i], to); /* it never moves */
    }
}

/* Whose cookie it has. */
static void ask_home(struct mode1_link *client)
{
    const char *to = ask(client, "/h", 0), *at = strstr(client->out, "home=");

    ck_assert(has(client, " 200 "));
    if (run.cookie[0] == '\0') {
        ck_assert_ptr_nonnull(at);
        snprintf(run.cookie, sizeof run.cookie, "%.*s", (int)strcspn(at, ";\r"), at);
        snprintf(run.at_home, sizeof run.at_home, "%s", to);
    }
    ck_assert_str_eq(run.at_home, to);
}

static void one_round(struct mode1_link *client)
{
    for (int i = 0; i < 2; i++) {
        (void)ask(client, "/l", 0);
        ck_assert(has(client, " 204 ") || has(client, " 429 "));
        run.limited_passed += has(client, " 204 ");
    }
    ask_splits(client);
    ask_keys(client);
    ask_home(client);
    (void)ask(client, "/o", 0);
    ck_assert(has(client, " 200 "));
    for (int i = 0; i < 5; i++)
        (void)ask(client, "/w", 0);
    for (int i = 0; i < TURNS; i++) {
        const char *to = ask(client, "/r", 0);
        ck_assert(has(client, " 200 "));
        run.turns[to[strlen(to) - 1] - '1']++;
    }
    (void)ask(client, "/b", 0);
    ck_assert(has(client, " 503 "));
    (void)ask(client, "/c", 0);
    run.ceiling_refused += has(client, " 429 ");
    host.now += (gw_nanos)PAUSE_MS * MS;
}

static void end_waiting(struct mode1_link *const waiting[2])
{
    for (int i = 0; i < host.count; i++) {
        struct mode1_link *up = &host.links[i];
        if (up->is_upstream && up->link != NULL && strstr(up->out, "/c") != NULL) {
            mode1_clear(up);
            mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
    for (int i = 0; i < 2; i++)
        ck_assert(has(waiting[i], " 200 "));
}

/* Of all who were counted nobody is, whatever configuration they began with. */
static void check_nobody_counted(void)
{
    const struct gw_binding *b = host.worker->exchanges.binding;

    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        bool is_web = gw_str_eq(b->config->clusters[i].name, GW_STR("web"));
        const struct gw_cluster_use *c = &b->clusters[i];
        ck_assert_uint_eq(c->state->inflight, 0);
        ck_assert_uint_eq(c->state->pending, 0);
        ck_assert_uint_eq(c->state->retries, 0);
        for (uint32_t j = 0; j < c->endpoints->len; j++)
            ck_assert_uint_eq(c->states[j]->inflight, 0);
        if (is_web) /* slow start: it was asked in the first moment */
            ck_assert_uint_eq(c->states[0]->since, 1000000000);
    }
}

/* The same in every run. */
static void draw(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0x5a, len);
}

static void play(int how, uint32_t at)
{
    struct mode1_link *client, *waiting[2];

    memset(&host, 0, sizeof host);
    memset(&run, 0, sizeof run);
    test_alloc_init(&host.alloc);
    steps = 0;
    change = how;
    apply_at = at;
    is_applied = false;
    host.entropy = draw;
    host.refused = "127.0.0.1:66";
    mode1_start(&host, make_config(NOTHING), NULL);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 2; i++) {
        waiting[i] = mode1_accept(&host, "edge");
        begin(waiting[i], "/c", 0);
    }
    for (int i = 0; i < ROUNDS; i++)
        one_round(client);
    end_waiting(waiting);
    check_nobody_counted();
    for (int i = 0; i < 2; i++) { /* the places of those that have ended are free */
        begin(waiting[i], "/c", 0);
        ck_assert(!has(waiting[i], " 429 "));
    }
    end_waiting(waiting);
    check_nobody_counted();
    run.exchanges = mode1_stat(&host, "exchanges");
    run.connected = mode1_stat(&host, "links_connected");
    run.asked_bad = (uint32_t)mode1_stat(&host, "links_connect_failed");
    run.throttled = (uint32_t)mode1_stat(&host, "throttled");
    run.failed = mode1_stat(&host, "exchanges_failed");
    run.steps = steps;
    mode1_stop(&host);
}

/* ---- what must hold ---- */

static void check_always(void)
{
    ck_assert_uint_eq(run.exchanges, plain.exchanges); /* statistics    */
    ck_assert_uint_eq(run.connected, plain.connected); /* pools         */
    ck_assert_uint_eq(run.asked_bad, plain.asked_bad); /* breakers, ejections, throttles */
    ck_assert_uint_eq(run.throttled, plain.throttled);
    ck_assert_uint_eq(run.ceiling_refused, ROUNDS); /* ceilings      */
    for (int i = 0; i < TURNS; i++)
        ck_assert_uint_eq(run.turns[i], ROUNDS); /* turns         */
    for (int i = 0; i < KEYS; i++)
        ck_assert_str_eq(run.keyed[i], plain.keyed[i]); /* keys          */
}

/* Nothing more, nothing less. */
static void check_same(void)
{
    ck_assert_uint_eq(run.limited_passed, plain.limited_passed);
    ck_assert_uint_eq(run.split_a, ROUNDS * SPLITS * 3 / 4);
    ck_assert_uint_eq(run.split_b, ROUNDS * SPLITS / 4);
    ck_assert_uint_eq(run.failed, plain.failed);
}

/* Of the rates the greater: burst + rate * time. Of the weights each for its part of the run. */
static void check_changed(void)
{
    uint32_t after = ROUNDS * SPLITS - run.split_before, a = run.split_a - run.split_a_before;

    ck_assert_uint_le(run.limited_passed, BURST + RATE_NEW * (ROUNDS - 1) * PAUSE_MS / 1000);
    ck_assert_uint_ge(run.limited_passed, plain.limited_passed);
    ck_assert_uint_le(4 * run.split_a_before, 3 * run.split_before + 3);
    ck_assert_uint_ge(4 * run.split_a_before + 3, 3 * run.split_before);
    ck_assert_uint_le(2 * a, after + 2);
    ck_assert_uint_ge(2 * a + 2, after);
}

START_TEST(at_every_step)
{
    play(NOTHING, 0);
    plain = run;
    ck_assert_uint_eq(plain.limited_passed, BURST + RATE * (ROUNDS - 1) * PAUSE_MS / 1000);
    ck_assert_uint_gt(plain.steps, 200);
    ck_assert_uint_gt(plain.throttled, 5);
    ck_assert_uint_eq(plain.asked_bad, 2 + 1 + 5 * ROUNDS - plain.throttled);
    check_always();
    check_same();
    for (uint32_t at = 0; at < plain.steps; at++) {
        play(_i, at);
        ck_assert(is_applied);
        check_always();
        if (_i == SELF)
            check_changed();
        else
            check_same();
    }
}
END_TEST

static Suite *reload_suite(void)
{
    Suite *s = suite_create("reload");
    check_add_loop(s, at_every_step, SAME, CHANGES);
    return s;
}

CHECK_MAIN(reload_suite)
