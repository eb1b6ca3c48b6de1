/* unit/custom_test.c: the host chooses the endpoint: what its balancer is shown, what each of its answers
 * means, and that no answer breaks anything; through the whole machine in mode 1. */

#include "base/text.h"
#include "check_main.h"
#include "http/key.h"
#include "parts.h"

static struct mode1 host;

static struct {
    gw_cluster_spec cluster;
    gw_hash_spec hash;
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    uint32_t weights[3], priorities[3];
    gw_route_spec route;
    const char *listed; /* in which order: "cab" */
} plan;

static struct {
    uint32_t (*answer)(const gw_choice *c);
    uint32_t asked, tries[8];
    gw_choice last;
    gw_candidate candidates[3]; /* by name: a, b, c; of the last time */
    char header[32];
    char endpoint[64], cause[32];
    uint32_t by;
    int panics;
} seen;

static uint32_t number_of(const gw_choice *c, char letter)
{
    gw_candidate one = GW_SPEC(gw_candidate);

    for (uint32_t i = 0; i < c->candidates; i++) {
        ck_assert_int_eq(gw_choice_candidate(c, i, &one), GW_OK);
        if (one.name.ptr[one.name.len - 1] == letter)
            return i;
    }
    return GW_NOBODY;
}

static uint32_t choose(void *ctx, const gw_choice *c)
{
    gw_candidate one = GW_SPEC(gw_candidate);
    gw_str header = gw_message_field(c->request, GW_STR("x-shard"));

    ck_assert_ptr_eq(ctx, &plan);
    ck_assert_uint_lt(seen.asked, 1000);
    if (seen.asked < 8)
        seen.tries[seen.asked] = c->tries;
    seen.asked++;
    seen.last = *c;
    snprintf(seen.header, sizeof seen.header, "%.*s", (int)header.len,
             header.ptr == NULL ? "" : header.ptr);
    for (uint32_t i = 0; i < c->candidates; i++) {
        ck_assert_int_eq(gw_choice_candidate(c, i, &one), GW_OK);
        seen.candidates[one.name.ptr[one.name.len - 1] - 'a'] = one;
    }
    ck_assert_int_eq(gw_choice_candidate(c, c->candidates, &one), GW_EUNKNOWN);
    ck_assert_int_eq(gw_choice_candidate(c, GW_NOBODY, &one), GW_EUNKNOWN);
    one.size = 0;
    ck_assert_int_eq(gw_choice_candidate(c, 0, &one), GW_EINVAL);
    return seen.answer(c);
}

static void on_end(void *ctx, const gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    gw_reason reason = GW_SPEC(gw_reason);

    (void)ctx;
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    snprintf(seen.endpoint, sizeof seen.endpoint, "%.*s", (int)info.endpoint.len,
             info.endpoint.ptr == NULL ? "" : info.endpoint.ptr);
    ck_assert_int_eq(gw_reason_of(gw_exchange_cause(x).reason, &reason), GW_OK);
    snprintf(seen.cause, sizeof seen.cause, "%s", reason.name);
    seen.by = gw_exchange_cause(x).by;
}

static void note_panic(void *ctx, const char *call, const char *text)
{
    (void)ctx;
    ck_assert_str_eq(call, "a balancer");
    ck_assert_str_eq(text, "a candidate that there is not");
    seen.panics++;
}

static gw_config *make_config(void)
{
    gw_builder *b = parts_begin(&host);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_balancer balancer = GW_SPEC(gw_balancer);
    char name[] = "shards";
    gw_id id;

    parts_listener(b, "edge");
    plan.cluster.name = GW_STR("web");
    plan.cluster.balancer = GW_STR("shards");
    id = gw_builder_cluster(b, &plan.cluster); /* what it names may come later */
    for (uint32_t i = 0; i < 3; i++) {
        char text[] = "svc-?", address[] = "127.0.0.1:8?";
        gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
        uint32_t letter = (uint32_t)(plan.listed[i] - 'a');
        text[4] = plan.listed[i];
        address[11] = (char)('1' + letter);
        endpoint.name = gw_cstr(text);
        endpoint.address = gw_cstr(address);
        endpoint.weight = plan.weights[letter];
        endpoint.priority = plan.priorities[letter];
        gw_builder_endpoint(b, id, &endpoint);
    }
    balancer.name = name;
    balancer.ctx = &plan;
    balancer.choose = choose;
    ck_assert_uint_ne(gw_builder_balancer(b, &balancer), 0);
    memset(name, 'x', sizeof name - 1); /* it was copied */
    parts_route(b, "/", &plan.route, "web");
    filter.name = "seen";
    filter.on_end = on_end;
    gw_builder_filter(b, &filter);
    return parts_build(b);
}

static void begin(uint32_t (*answer)(const gw_choice *c))
{
    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    memset(&plan, 0, sizeof plan);
    test_alloc_init(&host.alloc);
    host.panic = note_panic;
    plan.cluster = GW_SPEC(gw_cluster_spec);
    plan.route = GW_SPEC(gw_route_spec);
    plan.hash = GW_SPEC(gw_hash_spec);
    plan.breaker = GW_SPEC(gw_breaker_spec);
    plan.outlier = GW_SPEC(gw_outlier_spec);
    plan.listed = "abc";
    seen.answer = answer;
}

static void start(void)
{
    mode1_start(&host, make_config(), NULL);
}

static void answer_all(const char *status)
{
    char text[100];

    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok", status);
    mode1_answer_all(&host, text);
}

static void ask(struct mode1_link *client, const char *fields)
{
    char text[300];

    snprintf(text, sizeof text, "GET /x HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    mode1_tell(&host, client, text);
}

/* ---- answers ---- */

static uint32_t by_key(const gw_choice *c)
{
    return (uint32_t)(c->key % c->candidates);
}
static uint32_t third(const gw_choice *c)
{
    return number_of(c, 'c');
}
static uint32_t nobody(const gw_choice *c)
{
    (void)c;
    return GW_NOBODY;
}
static uint32_t beyond(const gw_choice *c)
{
    return c->candidates;
}
static uint32_t far_beyond(const gw_choice *c)
{
    (void)c;
    return GW_NOBODY - 1;
}
/* The first in the alphabet that was not tried. */
static uint32_t untried(const gw_choice *c)
{
    for (char letter = 'a'; letter <= 'c'; letter++)
        if ((seen.candidates[letter - 'a'].flags & GW_CANDIDATE_TRIED) == 0)
            return number_of(c, letter);
    return GW_NOBODY;
}
static uint32_t first(const gw_choice *c)
{
    return number_of(c, 'a');
}

/* ---- what it is shown ---- */

START_TEST(it_sees_the_request)
{
    static const gw_str key = { "header:x-shard", 14 };
    uint64_t random = 0;
    int same = 0;

    begin(by_key);
    plan.hash.keys = &key;
    plan.hash.keys_len = 1;
    plan.cluster.hash = &plan.hash;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 10; i++) {
        ask(client, "X-Shard: seven\r\n");
        answer_all("200 OK");
        ck_assert_str_eq(seen.header, "seven");
        ck_assert_uint_eq(seen.last.has_key, 1);
        ck_assert_uint_eq(seen.last.key, gw_key_hash(GW_STR("seven")));
        ck_assert_uint_eq(seen.last.candidates, 3);
        ck_assert(gw_str_eq(seen.last.cluster, GW_STR("web")));
        same += seen.last.random == random;
        random = seen.last.random;
        ck_assert_int_eq(seen.endpoint[4], "abc"[seen.last.key % 3]);
    }
    ck_assert_int_eq(same, 0);
    ask(client, "");
    answer_all("200 OK");
    ck_assert_uint_eq(seen.last.has_key, 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(it_sees_the_candidates)
{
    begin(third);
    plan.listed = "bca";
    plan.weights[0] = 7;
    plan.weights[1] = GW_OFF;
    plan.priorities[2] = 3;
    start();
    struct mode1_link *one = mode1_accept(&host, "edge"), *two = mode1_accept(&host, "edge");
    ask(one, "");
    ck_assert_uint_eq(seen.candidates[2].inflight, 0);
    ask(two, "");
    ck_assert_uint_eq(seen.candidates[2].inflight, 1);
    ck_assert_uint_eq(seen.candidates[0].weight, 7);
    ck_assert_uint_eq(seen.candidates[0].flags, 0);
    ck_assert_uint_eq(seen.candidates[1].weight, 0);
    ck_assert_uint_eq(seen.candidates[1].flags, GW_CANDIDATE_SHUT);
    ck_assert_uint_eq(seen.candidates[2].priority, 3);
    answer_all("200 OK");
    ck_assert_str_eq(seen.endpoint, "svc-c");
    mode1_stop(&host);
}
END_TEST

START_TEST(it_sees_what_was_tried)
{
    begin(untried);
    start();
    host.refused = "127.0.0.1:81";
    struct mode1_link *client = mode1_accept(&host, "edge");
    ask(client, "");
    answer_all("200 OK");
    ck_assert_uint_eq(seen.asked, 2);
    ck_assert_uint_eq(seen.tries[0], 0);
    ck_assert_uint_eq(seen.tries[1], 1);
    ck_assert_uint_eq(seen.candidates[0].flags, GW_CANDIDATE_TRIED);
    ck_assert_str_eq(seen.endpoint, "svc-b");
    mode1_stop(&host);
}
END_TEST

/* The library does not look behind its back: who was tried may be chosen again. */
START_TEST(a_retry_goes_where_it_says)
{
    begin(first);
    start();
    host.refused = "127.0.0.1:81";
    struct mode1_link *client = mode1_accept(&host, "edge");
    ask(client, "");
    ck_assert_uint_eq(seen.asked, 2);
    ck_assert_str_eq(seen.endpoint, "svc-a");
    ck_assert_str_eq(seen.cause, "upstream_connect_refused");
    mode1_stop(&host);
}
END_TEST

/* ---- what its answers mean ---- */

START_TEST(nobody_is_nobody)
{
    begin(_i == 0 ? nobody : first);
    plan.weights[0] = GW_OFF; /* who has no weight is not asked */
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    ask(client, "");
    ck_assert_ptr_nonnull(strstr(client->out, "503"));
    ck_assert_str_eq(seen.cause, "no_endpoint");
    ck_assert_uint_eq(seen.by, GW_BY_GATEWAY);
    ck_assert_int_eq(seen.panics, 0);
    mode1_stop(&host);
}
END_TEST

/* It ends that request and no other, and gives back what the cluster counts. */
START_TEST(a_wrong_number)
{
    begin(_i % 2 == 0 ? beyond : far_beyond);
    if (_i >= 2)
        plan.cluster.exchanges_max = 1;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 3; i++) {
        ask(client, "");
        ck_assert_ptr_nonnull(strstr(client->out, "500"));
        ck_assert_str_eq(seen.cause, "bad_choice");
        ck_assert_uint_eq(seen.by, GW_BY_HOST);
        ck_assert_int_eq(seen.panics, GW_ASSERTIONS ? i + 1 : 0);
    }
    seen.answer = third;
    ask(client, "");
    answer_all("200 OK");
    ck_assert_ptr_nonnull(strstr(client->out, "200"));
    ck_assert_str_eq(seen.endpoint, "svc-c");
    mode1_stop(&host);
}
END_TEST

/* A breaker that is open has the last word; when it is half open the host's choice is its probe. */
START_TEST(breakers_hold)
{
    begin(first);
    plan.breaker.failures = 2;
    plan.cluster.breaker = &plan.breaker;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 2; i++) {
        ask(client, "");
        answer_all("503 No");
    }
    ask(client, "");
    ck_assert_uint_eq(seen.candidates[0].flags, GW_CANDIDATE_SHUT);
    ck_assert_uint_eq(seen.candidates[1].flags, 0);
    ck_assert_str_eq(seen.cause,
                     "no_endpoint"); /* the others could be asked: it is the host's will */
    host.now += GW_MS(6000);
    ask(client, "");
    ck_assert_uint_eq(seen.candidates[0].flags, 0);
    answer_all("200 OK");
    ck_assert_str_eq(seen.endpoint, "svc-a");
    ck_assert_str_eq(seen.cause, "none");
    mode1_stop(&host);
}
END_TEST

/* Who is ejected may be asked by who insists. */
START_TEST(ejection_is_advice)
{
    begin(first);
    plan.outlier.failures = 2;
    plan.cluster.outlier = &plan.outlier;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 2; i++) {
        ask(client, "");
        answer_all("503 No");
    }
    ask(client, "");
    ck_assert_uint_eq(seen.candidates[0].flags, GW_CANDIDATE_OUT);
    answer_all("200 OK");
    ck_assert_str_eq(seen.endpoint, "svc-a");
    ck_assert_str_eq(seen.cause, "none");
    mode1_stop(&host);
}
END_TEST

static char letter; /* that is chosen */

static uint32_t that_one(const gw_choice *c)
{
    return number_of(c, letter);
}

/* With every breaker open it is not asked at all. */
START_TEST(all_shut)
{
    begin(that_one);
    plan.breaker.failures = 1;
    plan.cluster.breaker = &plan.breaker;
    plan.route.retries = GW_OFF;
    start();
    host.refuse = true;
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (letter = 'a'; letter <= 'c'; letter++) {
        ask(client, "");
        ck_assert_str_eq(seen.cause, "upstream_connect_refused");
    }
    seen.asked = 0;
    ask(client, "");
    ck_assert_str_eq(seen.cause, "breaker_open");
    ck_assert_uint_eq(seen.asked, 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(endpoints_that_come_are_candidates)
{
    gw_endpoint_spec one = GW_SPEC(gw_endpoint_spec);

    begin(first);
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    ask(client, "");
    answer_all("200 OK");
    ck_assert_uint_eq(seen.last.candidates, 3);
    one.name = GW_STR("svc-a");
    one.address = GW_STR("127.0.0.1:81");
    ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("web"), &one, 1, NULL), GW_OK);
    ask(client, "");
    answer_all("200 OK");
    ck_assert_uint_eq(seen.last.candidates, 1);
    ck_assert_str_eq(seen.endpoint, "svc-a");
    ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("web"), NULL, 0, NULL), GW_OK);
    seen.asked = 0;
    ask(client, "");
    ck_assert_str_eq(seen.cause, "no_endpoint"); /* without asking */
    ck_assert_uint_eq(seen.asked, 0);
    mode1_stop(&host);
}
END_TEST

static Suite *custom_suite(void)
{
    Suite *suite = suite_create("custom");

    check_add(suite, it_sees_the_request);
    check_add(suite, it_sees_the_candidates);
    check_add(suite, it_sees_what_was_tried);
    check_add(suite, a_retry_goes_where_it_says);
    check_add_loop(suite, nobody_is_nobody, 0, 2);
    check_add_loop(suite, a_wrong_number, 0, 4);
    check_add(suite, breakers_hold);
    check_add(suite, ejection_is_advice);
    check_add(suite, all_shut);
    check_add(suite, endpoints_that_come_are_candidates);
    return suite;
}

CHECK_MAIN(custom_suite)
