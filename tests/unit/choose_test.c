/* unit/choose_test.c: which endpoint requests go to, through the whole machine in mode 1: keys, levels,
 * what is in flight, who is new. (What each policy does by itself: unit-balance.) */

#include "base/text.h"
#include "check_main.h"
#include "parts.h"

static struct mode1 host;

/* ---- a cluster, and who was asked ---- */

struct plan {
    gw_cluster_spec cluster;
    gw_hash_spec hash;
    gw_str key;
    const char *names[8];
    uint32_t weights[8], priorities[8];
};
static struct plan plan;

enum { AT_NOTHING, AT_REQUEST, AT_ROUTE, AT_RESPONSE };
static struct {
    char endpoint[64];
    uint32_t retries;
    const char *key; /* what the host gives */
    int at;
    gw_status status;
} seen;

static void give(gw_exchange *x, int at)
{
    if (seen.at == at)
        seen.status = gw_exchange_set_hash_key(x, gw_cstr(seen.key));
}
static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    give(x, AT_REQUEST);
    return GW_NEXT;
}
static gw_verdict on_route(void *ctx, gw_exchange *x)
{
    (void)ctx;
    give(x, AT_ROUTE);
    return GW_NEXT;
}
static gw_verdict on_response(void *ctx, gw_exchange *x)
{
    (void)ctx;
    give(x, AT_RESPONSE);
    return GW_NEXT;
}
static void on_end(void *ctx, const gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    (void)ctx;
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    snprintf(seen.endpoint, sizeof seen.endpoint, "%.*s", (int)info.endpoint.len,
             info.endpoint.ptr == NULL ? "" : info.endpoint.ptr);
    seen.retries = info.retries;
}

static gw_config *make_config(void)
{
    gw_builder *b = parts_begin(&host);
    gw_filter filter = GW_SPEC(gw_filter);
    parts_listener(b, "edge");
    plan.cluster.name = GW_STR("web");
    gw_id id = gw_builder_cluster(b, &plan.cluster);
    for (uint32_t i = 0; i < 8 && plan.names[i] != NULL; i++) {
        static char addresses[8][32];
        gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
        snprintf(addresses[i], sizeof addresses[i], "127.0.0.1:%u", 81 + i);
        endpoint.name = gw_cstr(plan.names[i]);
        endpoint.address = gw_cstr(addresses[i]);
        endpoint.weight = plan.weights[i];
        endpoint.priority = plan.priorities[i];
        gw_builder_endpoint(b, id, &endpoint);
    }
    parts_route(b, "/", NULL, "web");
    filter.name = "seen";
    filter.on_request = on_request;
    filter.on_route = on_route;
    filter.on_response = on_response;
    filter.on_end = on_end;
    gw_builder_filter(b, &filter);
    return parts_build(b);
}

static void begin(uint32_t balance)
{
    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    memset(&plan, 0, sizeof plan);
    test_alloc_init(&host.alloc);
    plan.cluster = GW_SPEC(gw_cluster_spec);
    plan.hash = GW_SPEC(gw_hash_spec);
    plan.cluster.balance = balance;
    for (uint32_t i = 0; i < 3; i++)
        plan.names[i] = (const char *const[]){ "svc-a", "svc-b", "svc-c" }[i];
}

static void start(void)
{
    mode1_start(&host, make_config(), NULL);
}

static void hash_on(const char *key)
{
    plan.key = gw_cstr(key);
    plan.hash.keys = &plan.key;
    plan.hash.keys_len = 1;
    plan.cluster.hash = &plan.hash;
}

static bool is_failing; /* svc-d */

static const char *answer_of(gw_link *link)
{
    gw_destination d = GW_SPEC(gw_destination);
    ck_assert_int_eq(gw_link_get_destination(link, &d), GW_OK);
    return is_failing && gw_str_ends(d.address, GW_STR("84"))
               ? "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"
               : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
}

static void answer_all(void)
{
    for (struct mode1_link *up; (up = mode1_asked(&host)) != NULL;)
        mode1_tell(&host, up, answer_of(up->link));
}

static void ask(struct mode1_link *client, const char *fields)
{
    char text[300];
    snprintf(text, sizeof text, "GET /x?user=u1 HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    mode1_tell(&host, client, text);
}

/* The endpoint that answered. */
static const char *ask_whole(struct mode1_link *client, const char *fields)
{
    ask(client, fields);
    answer_all();
    ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
    return seen.endpoint;
}

/* How many requests each endpoint has that it has not answered. */
static void count_waiting(uint32_t *out)
{
    memset(out, 0, 8 * sizeof *out);
    for (int i = 0; i < host.count; i++) {
        gw_destination d = GW_SPEC(gw_destination);
        if (!host.links[i].is_upstream || host.links[i].link == NULL || host.links[i].out_len == 0)
            continue;
        ck_assert_int_eq(gw_link_get_destination(host.links[i].link, &d), GW_OK);
        out[d.address.ptr[d.address.len - 1] - '1']++;
    }
}

/* ---- tries ---- */

/* Whoever refuses is alone in its level: the other level's are there too. */
START_TEST(another_level_is_tried)
{
    begin(_i == 0 ? GW_BALANCE_ROUND_ROBIN : GW_BALANCE_LEAST_REQUEST);
    plan.priorities[1] = plan.priorities[2] = 1;
    start();
    host.refused = "127.0.0.1:81";
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 4; i++) {
        ck_assert_str_ne(ask_whole(client, ""), "svc-a");
        ck_assert_uint_eq(seen.retries, 1);
    }
    mode1_stop(&host);
}
END_TEST

/* ---- consistent hash ---- */

/* The published keys, as values of a header, behind everything that there is between a client and a
 * pick. */
START_TEST(published_keys)
{
    FILE *file = fopen(UNIT_SOURCE "/golden/ring-1000.txt", "r");
    char line[256], key[128], fields[200], wanted[32];
    int n = 0;
    begin(GW_BALANCE_CONSISTENT_HASH);
    hash_on("header:x-user");
    plan.weights[0] = plan.weights[1] = 100;
    plan.weights[2] = 200;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    ck_assert_ptr_nonnull(file);
    while (n < 200 && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%127s %*s %31s", key, wanted) != 2 || line[0] == '#')
            continue;
        snprintf(fields, sizeof fields, "X-User: %s\r\n", key);
        ck_assert_str_eq(ask_whole(client, fields), wanted);
        n++;
    }
    ck_assert_int_eq(n, 200);
    fclose(file);
    mode1_stop(&host);
}
END_TEST

/* Same key, same endpoint; other keys get to the others too; without the key all do. */
static const struct {
    const char *key, *fixed, *varied; /* fields: %d is varied */
} kinds[] = {
    { "header:x-user", "x-user: ann\r\n", "x-user: %d\r\n" },
    { "cookie:sid", "cookie: a=b; sid=ann\r\n", "cookie: sid=%d\r\n" },
    { "metadata:tenant-bin", "tenant-bin: YQ==\r\n", "tenant-bin: Y%d=\r\n" },
    { "query:user", "", NULL },
    { "path", "", NULL },
};

START_TEST(keys)
{
    char first[64], fields[100];
    bool is_other = false;
    begin(GW_BALANCE_CONSISTENT_HASH);
    hash_on(kinds[_i].key);
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    snprintf(first, sizeof first, "%s", ask_whole(client, kinds[_i].fixed));
    for (int i = 0; i < 30; i++)
        ck_assert_str_eq(ask_whole(client, kinds[_i].fixed), first);
    for (int i = 0; kinds[_i].varied != NULL && i < 30; i++) {
        snprintf(fields, sizeof fields, "%.*s%d%s",
                 (int)(strchr(kinds[_i].varied, '%') - kinds[_i].varied), kinds[_i].varied, i,
                 strchr(kinds[_i].varied, '%') + 2);
        is_other = strcmp(ask_whole(client, fields), first) != 0 || is_other;
    }
    ck_assert(is_other || kinds[_i].varied == NULL);
    is_other = false;
    for (int i = 0; kinds[_i].varied != NULL && i < 30; i++) /* none */
        is_other = strcmp(ask_whole(client, ""), first) != 0 || is_other;
    ck_assert(is_other || kinds[_i].varied == NULL);
    mode1_stop(&host);
}
END_TEST

/* By default the client's address. */
START_TEST(clients)
{
    char first[64];
    bool is_other = false;
    begin(GW_BALANCE_CONSISTENT_HASH);
    start();
    for (int i = 0; i < 40; i++) {
        char peer[32];
        gw_facts facts = GW_SPEC(gw_facts);
        gw_accept_spec spec = GW_SPEC(gw_accept_spec);
        gw_link *link;
        snprintf(peer, sizeof peer, "192.0.2.%d:%d", i < 20 ? 7 : i, 4000 + i);
        facts.peer = gw_cstr(peer);
        spec.listener = GW_STR("edge");
        spec.facts = &facts;
        ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
        struct mode1_link *client = mode1_find(&host, link);
        const char *got = ask_whole(client, "");
        if (i == 0)
            snprintf(first, sizeof first, "%s", got);
        ck_assert(i >= 20 || strcmp(got, first) == 0);
        is_other = is_other || strcmp(got, first) != 0;
    }
    ck_assert(is_other);
    mode1_stop(&host);
}
END_TEST

START_TEST(what_the_host_gives)
{
    char first[64];
    bool is_other = false;
    begin(GW_BALANCE_CONSISTENT_HASH);
    hash_on("given");
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    seen.key = "ann";
    seen.at = AT_REQUEST;
    snprintf(first, sizeof first, "%s", ask_whole(client, ""));
    for (int i = 0; i < 20; i++) {
        seen.at = i % 2 ? AT_ROUTE : AT_REQUEST;
        ck_assert_str_eq(ask_whole(client, ""), first);
        ck_assert_int_eq(seen.status, GW_OK);
    }
    for (int i = 0; i < 20; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        seen.key = key;
        is_other = strcmp(ask_whole(client, ""), first) != 0 || is_other;
    }
    ck_assert(is_other);
    seen.key = "";
    (void)ask_whole(client, "");
    ck_assert_int_eq(seen.status, GW_EINVAL);
    seen.key = "ann";
    seen.at = AT_RESPONSE;
    (void)ask_whole(client, "");
    ck_assert_int_eq(seen.status, GW_ESTATE);
    mode1_stop(&host);
}
END_TEST

/* Who cannot be reached loses its keys to who is next on the ring, always the same; the rest stays. */
START_TEST(keys_of_the_unreachable)
{
    char before[40][64], fields[40];
    int moved = 0;
    begin(GW_BALANCE_CONSISTENT_HASH);
    hash_on("header:x-user");
    plan.cluster.retry_percent = GW_OFF;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++) {
            snprintf(fields, sizeof fields, "x-user: %d\r\n", i);
            const char *got = ask_whole(client, fields);
            if (round == 1 && strcmp(before[i], "svc-b") == 0) {
                moved++;
                ck_assert_uint_eq(seen.retries, 1);
                ck_assert_str_ne(got, "svc-b");
            } else if (round > 0) {
                ck_assert_str_eq(got, before[i]);
            }
            snprintf(before[i], sizeof before[i], "%s", got);
        }
        for (int i = 0; round == 0 && i < host.count;
             i++) /* its connections break, and no more come */
            if (host.links[i].is_upstream && host.links[i].link != NULL)
                gw_link_received(host.links[i].link, 0, GW_ERESET);
        mode1_pump(&host);
        host.refused = "127.0.0.1:82";
    }
    ck_assert_int_gt(moved, 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_hot_key_spreads)
{
    uint32_t waiting[8];
    begin(GW_BALANCE_CONSISTENT_HASH);
    hash_on("header:x-user");
    plan.hash.load_percent = _i == 0 ? 0 : 100;
    start();
    for (int i = 0; i < 12; i++)
        ask(mode1_accept(&host, "edge"), "x-user: ann\r\n");
    count_waiting(waiting);
    for (int i = 0; i < 3; i++)
        ck_assert(_i == 0 ? waiting[i] == 0 || waiting[i] == 12 : waiting[i] == 4);
    answer_all();
    mode1_stop(&host);
}
END_TEST

/* ---- least request, random, levels ---- */

START_TEST(least_request_evens_out)
{
    uint32_t waiting[8];
    begin(GW_BALANCE_LEAST_REQUEST);
    plan.cluster.choices = 3;
    start();
    for (int i = 0; i < 12; i++)
        ask(mode1_accept(&host, "edge"), "");
    count_waiting(waiting);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(waiting[i] >= 3 && waiting[i] <= 5, "%u %u %u", waiting[0], waiting[1],
                      waiting[2]);
    answer_all();
    mode1_stop(&host);
}
END_TEST

START_TEST(weights_of_the_idle)
{
    int got[3] = { 0 };
    begin(_i == 0 ? GW_BALANCE_LEAST_REQUEST : GW_BALANCE_RANDOM);
    plan.weights[0] = plan.weights[1] = 100;
    plan.weights[2] = 200;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 1000; i++)
        got[ask_whole(client, "")[4] - 'a']++;
    for (int i = 0; i < 3; i++)
        ck_assert_msg(got[i] > (i < 2 ? 200 : 440) && got[i] < (i < 2 ? 300 : 560), "%d", got[i]);
    mode1_stop(&host);
}
END_TEST

static const uint32_t policies[] = { GW_BALANCE_ROUND_ROBIN, GW_BALANCE_CONSISTENT_HASH,
                                     GW_BALANCE_LEAST_REQUEST, GW_BALANCE_RANDOM };

START_TEST(the_first_level_has_all)
{
    begin(policies[_i]);
    plan.priorities[0] = 4;
    plan.priorities[2] = 15;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 50; i++)
        ck_assert_str_eq(ask_whole(client, ""), "svc-b");
    mode1_stop(&host);
}
END_TEST

/* Whatever the policy: who refuses is not asked again for the same request. */
START_TEST(a_retry_goes_elsewhere)
{
    begin(policies[_i]);
    plan.cluster.retry_percent = GW_OFF;
    plan.cluster.retry_least = GW_OFF;
    host.refused = "127.0.0.1:82";
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 60; i++)
        ck_assert_str_ne(ask_whole(client, ""), "svc-b");
    mode1_stop(&host);
}
END_TEST

/* ---- slow start ---- */

static int count_new(struct mode1_link *client, int requests)
{
    int n = 0;
    for (int i = 0; i < requests; i++)
        n += strcmp(ask_whole(client, ""), "svc-d") == 0;
    return n;
}

START_TEST(who_is_new_gets_less)
{
    begin(policies[_i]);
    plan.cluster.slow_start_ms = 10000;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    ck_assert_int_eq(count_new(client, 40), 0);
    host.now += GW_MS(20000);
    plan.names[3] = "svc-d";
    parts_apply(&host, make_config());
    int first = count_new(client, 400);
    ck_assert_msg(first > 2 && first < 35, "%d at first", first); /* a tenth of 100 */
    host.now += GW_MS(5000);
    int half = count_new(client, 400);
    ck_assert_msg(half > 35 && half < 80, "%d in between", half);
    host.now += GW_MS(5000);
    int all = count_new(client, 400);
    ck_assert_msg(all > 80 && all < 125, "%d at last", all);
    mode1_stop(&host);
}
END_TEST

enum { BREAKER, OUTLIER, FORCE_ENDS, FORCE_LIFTED, FORCE_LIFTED_LATE, BACKS };

static void force_out(uint32_t state, uint32_t for_ms)
{
    gw_force_spec spec = GW_SPEC(gw_force_spec);
    spec.kind = GW_KIND_ENDPOINT;
    spec.cluster = GW_STR("web");
    spec.name = GW_STR("svc-d");
    spec.state = state;
    spec.for_ms = for_ms;
    spec.now = state == 0 ? 0 : host.now;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_OK);
}

/* Until svc-d was asked: then it has failed. */
static void fail_once(struct mode1_link *client)
{
    is_failing = true;
    seen.endpoint[0] = '\0';
    for (int i = 0; i < 100 && strcmp(seen.endpoint, "svc-d") != 0; i++) {
        ask(client, "");
        answer_all();
    }
    is_failing = false;
    ck_assert_str_eq(seen.endpoint, "svc-d");
}

/* Whatever kept it out: it takes its share step by step once more. */
START_TEST(who_is_back_gets_less)
{
    gw_breaker_spec breaker = GW_SPEC(gw_breaker_spec);
    gw_outlier_spec outlier = GW_SPEC(gw_outlier_spec);
    begin(GW_BALANCE_ROUND_ROBIN);
    plan.cluster.slow_start_ms = 10000;
    plan.names[3] = "svc-d";
    breaker.failures = outlier.failures = 1;
    outlier.time_max_ms = 30000;
    if (_i == BREAKER)
        plan.cluster.breaker = &breaker;
    else if (_i == OUTLIER)
        plan.cluster.outlier = &outlier;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    (void)count_new(client, 8);
    host.now += GW_MS(20000);
    int all = count_new(client, 400);
    ck_assert_int_eq(all, 100); /* warm */
    if (_i == BREAKER || _i == OUTLIER)
        fail_once(client);
    else
        force_out(GW_STATE_OPEN, 30000);
    ck_assert_int_eq(count_new(client, 40), 0);
    host.now += _i == FORCE_LIFTED ? GW_MS(1000) : GW_MS(40000);
    if (_i == FORCE_LIFTED)
        force_out(0, 0);
    if (_i == BREAKER) { /* a probe is answered */
        for (int i = 0; i < 40 && count_new(client, 1) == 0; i++)
            ;
    } else if (_i == OUTLIER) { /* ten seconds ago: it is warm again */
        ck_assert_int_eq(count_new(client, 400), 100);
        fail_once(client);
        host.now += GW_MS(30000);
    } else if (_i == FORCE_ENDS || _i == FORCE_LIFTED_LATE) {
        ck_assert_int_eq(count_new(client, 400), 100); /* likewise */
        if (_i == FORCE_LIFTED_LATE)
            force_out(0, 0); /* there is nothing to lift any more */
        force_out(GW_STATE_OPEN, 30000);
        host.now += GW_MS(30000);
    }
    int first = count_new(client, 400);
    ck_assert_msg(first > 2 && first < 35, "%d at first", first);
    host.now += GW_MS(10000);
    ck_assert_int_eq(count_new(client, 400), 100);
    mode1_stop(&host);
}
END_TEST

static Suite *choose_suite(void)
{
    Suite *suite = suite_create("choose");
    check_add_loop(suite, another_level_is_tried, 0, 2);
    check_add(suite, published_keys);
    check_add_loop(suite, keys, 0, sizeof kinds / sizeof kinds[0]);
    check_add(suite, clients);
    check_add(suite, what_the_host_gives);
    check_add(suite, keys_of_the_unreachable);
    check_add_loop(suite, a_hot_key_spreads, 0, 2);
    check_add(suite, least_request_evens_out);
    check_add_loop(suite, weights_of_the_idle, 0, 2);
    check_add_loop(suite, the_first_level_has_all, 0, 4);
    check_add_loop(suite, a_retry_goes_elsewhere, 0, 4);
    check_add(suite, who_is_new_gets_less); /* round robin */
    check_add_loop(suite, who_is_back_gets_less, 0, BACKS);
    return suite;
}

CHECK_MAIN(choose_suite)
