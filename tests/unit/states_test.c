/* unit/states_test.c: what the host forces, where requests go through, in mode 1. docs/states.md has the
 * rules. */

#include "base/text.h"
#include "check_main.h"
#include "parts.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BAD "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"

static struct mode1 host;
static struct mode1_link *client;

static const char *const names[] = { "a", "b", "c", "d" };
static const char *const addresses[] = { "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1:83",
                                         "127.0.0.1:84" };

enum { WITH_BREAKER = 1, WITH_OUTLIER = 2, WITH_RETRIES = 4 };

/* The cluster "web" of n endpoints; the breaker opens after three failures, for five seconds; who fails
 * twice is ejected, for ten. */
static gw_config *make(uint32_t n, uint32_t with)
{
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_breaker_spec breaker = GW_SPEC(gw_breaker_spec);
    gw_outlier_spec outlier = GW_SPEC(gw_outlier_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_retry_spec retry = GW_SPEC(gw_retry_spec);
    gw_id id;

    parts_listener(b, "edge");
    breaker.failures = 3;
    breaker.error_percent = GW_OFF;
    breaker.jitter_percent = GW_OFF;
    outlier.failures = 2;
    outlier.time_ms = 10000;
    outlier.share_percent = 50;
    cluster.name = GW_STR("web");
    cluster.breaker = (with & WITH_BREAKER) != 0 ? &breaker : NULL;
    cluster.outlier = (with & WITH_OUTLIER) != 0 ? &outlier : NULL;
    id = gw_builder_cluster(b, &cluster);
    for (uint32_t i = 0; i < n; i++) {
        endpoint.name = gw_cstr(names[i]);
        endpoint.address = gw_cstr(addresses[i]);
        gw_builder_endpoint(b, id, &endpoint);
    }
    retry.on = GW_RETRY_RESET;
    route.retry = (with & WITH_RETRIES) != 0 ? &retry : NULL;
    route.retries = (with & WITH_RETRIES) != 0 ? 2 : GW_OFF;
    parts_route(b, "/", &route, "web");
    return parts_build(b);
}

static void start(uint32_t n, uint32_t with)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    mode1_start(&host, make(n, with), NULL);
    mode1_pump(&host);
    client = mode1_accept(&host, "edge");
}

static gw_status force(uint32_t kind, uint32_t state, const char *name, uint32_t for_ms)
{
    gw_force_spec spec = GW_SPEC(gw_force_spec);

    spec.kind = kind;
    spec.state = state;
    spec.cluster = GW_STR("web");
    spec.name = gw_cstr(name);
    spec.for_ms = for_ms;
    spec.now = host.now;
    return gw_engine_force(host.engine, &spec);
}

static void must(gw_status status)
{
    ck_assert_int_eq(status, GW_OK);
}

static void ask(struct mode1_link *link)
{
    mode1_clear(link);
    mode1_say(&host, link, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* The upstream connection that owes an answer; NULL: nobody was asked. */
static struct mode1_link *asked(void)
{
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream && host.links[i].link != NULL && host.links[i].out_len > 0)
            return &host.links[i];
    return NULL;
}

static const char *name_of(struct mode1_link *up)
{
    gw_destination d = GW_SPEC(gw_destination);

    ck_assert_int_eq(gw_link_get_destination(up->link, &d), GW_OK);
    for (int i = 0; i < 4; i++)
        if (gw_str_eq(d.address, gw_cstr(addresses[i])))
            return names[i];
    return "?";
}

static void answer(struct mode1_link *up, const char *text)
{
    mode1_clear(up);
    mode1_say(&host, up, text);
}

/* Who is asked by the next n requests and answers so: "aab"; "-" for each that nobody was asked. */
static const char *go(int n, const char *text)
{
    static char who[64];

    who[0] = '\0';
    while (n-- > 0) {
        struct mode1_link *up;
        ask(client);
        up = asked();
        strcat(who, up != NULL ? name_of(up) : "-");
        if (up != NULL)
            answer(up, text);
    }
    return who;
}

/* Of n requests, are there some for that one? */
static bool is_asked(const char *name)
{
    return strstr(go(8, GOOD), name) != NULL;
}

static bool says(const char *what)
{
    return strstr(client->out, what) != NULL;
}

/* ---- one endpoint ---- */

/* Not asked until that time, and asked from then on: with guards and without. */
START_TEST(forced_open_is_shut_until_then)
{
    start(2, _i == 0 ? 0 : WITH_BREAKER | WITH_OUTLIER);
    ck_assert(is_asked("a") && is_asked("b"));
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 3000));
    ck_assert(!is_asked("a"));
    host.now += 3000 * MS - 1;
    ck_assert_str_eq(go(4, GOOD), "bbbb");
    host.now += 1;
    ck_assert(is_asked("a") && is_asked("b"));
    mode1_stop(&host);
}
END_TEST

START_TEST(a_force_is_lifted_and_replaced)
{
    start(2, 0);
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 3000));
    ck_assert(!is_asked("a"));
    must(force(GW_KIND_ENDPOINT, 0, "a", 0));
    ck_assert(is_asked("a"));
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 3000));
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 1000)); /* shorter, too */
    ck_assert(!is_asked("a"));
    host.now += SECOND;
    ck_assert(is_asked("a"));
    mode1_stop(&host);
}
END_TEST

START_TEST(a_force_outlives_a_configuration)
{
    start(2, 0);
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 3000));
    parts_apply(&host, make(3, WITH_BREAKER));
    mode1_pump(&host);
    ck_assert(!is_asked("a"));
    parts_apply(&host, make(2, 0));
    mode1_pump(&host);
    ck_assert(!is_asked("a"));
    host.now += 3 * SECOND;
    ck_assert(is_asked("a"));
    mode1_stop(&host);
}
END_TEST

/* What has begun goes on with whom it was given; what is forced meanwhile is for the next try. */
START_TEST(what_has_begun_goes_on)
{
    struct mode1_link *up;
    const char *first;

    start(2, WITH_RETRIES);
    ask(client);
    up = asked();
    first = name_of(up);
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, first, 3000));
    mode1_pump(&host);
    ck_assert_ptr_eq(asked(), up);
    gw_link_closed(up->link); /* it breaks: the next try knows */
    up->link = NULL;
    mode1_pump(&host);
    host.now += SECOND; /* backed off */
    mode1_pump(&host);
    up = asked();
    ck_assert_msg(up != NULL, "%s", client->out);
    ck_assert_str_ne(name_of(up), first);
    host.now += 3 * SECOND; /* it began guarded, and ends unguarded */
    answer(up, GOOD);
    ck_assert(says(" 200 "));
    ck_assert(is_asked(first));
    mode1_stop(&host);
}
END_TEST

/* ---- all of them ---- */

/* The host's word stands in panic: nobody is asked, and the client is told for how long. */
START_TEST(all_forced_open_are_shut)
{
    start(3, _i == 0 ? 0 : WITH_OUTLIER);
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "", 3000));
    host.now += SECOND;
    ck_assert_str_eq(go(3, GOOD), "---");
    ck_assert_msg(says(" 503 ") && says("\nforced_out\n") && says("Retry-After: 2\r\n"), "%s",
                  client->out);
    ck_assert_uint_eq(mode1_stat(&host, "breaker_refused"), 3);
    host.now += 2 * SECOND;
    ck_assert(is_asked("a") && is_asked("b") && is_asked("c"));
    mode1_stop(&host);
}
END_TEST

/* Ejection is a guess, also when the host makes it: in panic all are asked. */
START_TEST(all_forced_out_by_ejection_are_asked)
{
    start(2, _i == 0 ? 0 : WITH_OUTLIER);
    must(force(GW_KIND_OUTLIER, GW_STATE_EJECTED, "a", 3000));
    ck_assert_str_eq(go(4, GOOD), "bbbb");
    must(force(GW_KIND_OUTLIER, GW_STATE_EJECTED, "b", 3000));
    ck_assert(is_asked("a") && is_asked("b"));
    mode1_stop(&host);
}
END_TEST

/* ---- the machines behind it ---- */

/* The breaker is open, and asked all the same; behind that it stays as it was. */
START_TEST(forced_closed_is_asked)
{
    uint32_t kind = _i == 0 ? GW_KIND_ENDPOINT : GW_KIND_BREAKER;

    start(1, WITH_BREAKER);
    go(3, BAD);
    ck_assert_str_eq(go(1, GOOD), "-");
    must(force(kind, GW_STATE_CLOSED, "a", 2000));
    ck_assert_str_eq(go(4, BAD), "aaaa");
    host.now += 2 * SECOND;
    ck_assert_str_eq(go(1, GOOD), "-");
    ck_assert(says("\nbreaker_open\n") && says("Retry-After: 3\r\n"));
    ck_assert_uint_eq(mode1_stat(&host, "breakers_opened"), 1);
    host.now += 3 * SECOND;
    ck_assert_str_eq(go(2, GOOD), "aa"); /* the probe */
    ck_assert_uint_eq(mode1_stat(&host, "breakers_closed"), 1);
    mode1_stop(&host);
}
END_TEST

/* While it is closed and forced closed, it learns: what opened it holds when the force is over. */
START_TEST(a_forced_breaker_learns)
{
    start(1, WITH_BREAKER);
    must(force(GW_KIND_BREAKER, GW_STATE_CLOSED, "a", 2000));
    ck_assert_str_eq(go(5, BAD), "aaaaa");
    ck_assert_uint_eq(mode1_stat(&host, "breakers_opened"), 1);
    must(force(GW_KIND_BREAKER, 0, "a", 0));
    ck_assert_str_eq(go(1, GOOD), "-");
    must(force(GW_KIND_BREAKER, GW_STATE_CLOSED, "a", 9000));
    host.now += 5 * SECOND;
    ck_assert_str_eq(go(2, GOOD), "aa"); /* the probe is one, forced or not */
    ck_assert_uint_eq(mode1_stat(&host, "breakers_closed"), 1);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_breaker_is_forced_open)
{
    start(2, WITH_BREAKER);
    must(force(GW_KIND_BREAKER, GW_STATE_OPEN, "a", 3000));
    ck_assert_str_eq(go(3, GOOD), "bbb");
    must(force(GW_KIND_BREAKER, GW_STATE_OPEN, "b", 3000));
    ck_assert_str_eq(go(1, GOOD), "-");
    ck_assert(says("\nbreaker_open\n") && says("Retry-After: 3\r\n"));
    host.now += 3 * SECOND;
    ck_assert(is_asked("a") && is_asked("b"));
    mode1_stop(&host);
}
END_TEST

/* Who was forced in counts as ejected where others are: when the force ends, not all are gone. */
START_TEST(what_is_forced_in_leaves_room_for_nobody)
{
    start(2, WITH_OUTLIER);
    go(8, GOOD);
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "b", 1000));
    go(2, BAD); /* a would be the last one */
    ck_assert_uint_eq(mode1_stat(&host, "ejections"), 0);
    host.now += SECOND;
    must(force(GW_KIND_ENDPOINT, GW_STATE_CLOSED, "a", 5000));
    for (int i = 0; i < 20; i++) {
        struct mode1_link *up;
        ask(client);
        up = asked();
        ck_assert_ptr_nonnull(up);
        answer(up, strcmp(name_of(up), "a") == 0 ? BAD : GOOD);
    }
    ck_assert_uint_eq(mode1_stat(&host, "ejections"), 1); /* and is asked */
    ck_assert(is_asked("a"));
    go(20, BAD);
    ck_assert_uint_eq(mode1_stat(&host, "ejections"), 1); /* b is the last one */
    host.now += 5 * SECOND;
    ck_assert_str_eq(go(4, GOOD), "bbbb");
    must(force(GW_KIND_OUTLIER, GW_STATE_CLOSED, "a", 5000));
    ck_assert(is_asked("a"));
    mode1_stop(&host);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(a_force_has_an_end)
{
    gw_force_spec spec = GW_SPEC(gw_force_spec);

    start(2, 0);
    ck_assert_int_eq(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 0), GW_EINVAL);
    ck_assert_int_eq(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", GW_FORCE_MS_MAX + 1), GW_EINVAL);
    ck_assert_int_eq(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "x", 1), GW_EUNKNOWN);
    ck_assert_int_eq(force(GW_KIND_ENDPOINT, GW_STATE_EJECTED, "a", 1), GW_EINVAL);
    ck_assert_int_eq(force(GW_KIND_OUTLIER, GW_STATE_OPEN, "a", 1), GW_EINVAL);
    ck_assert_int_eq(force(GW_KIND_CLUSTER, GW_STATE_OPEN, "", 1), GW_EINVAL);
    ck_assert_int_eq(force(GW_KIND_BREAKER, GW_STATE_OPEN, "a", 1), GW_EINVAL); /* has none */
    spec.kind = GW_KIND_ENDPOINT;
    spec.state = GW_STATE_OPEN;
    spec.cluster = GW_STR("web");
    spec.for_ms = 1000;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_EINVAL); /* at no time */
    spec.now = UINT64_MAX;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_EINVAL);
    spec.now = host.now;
    spec.cluster = GW_STR("wep");
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_EUNKNOWN);
    ck_assert(is_asked("a") && is_asked("b"));
    /* A time of another clock would be one without an end: it is none. */
    spec.cluster = GW_STR("web");
    spec.now = UINT64_C(1700000000) * SECOND;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_OK);
    ck_assert(is_asked("a") && is_asked("b"));
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", GW_FORCE_MS_MAX));
    ck_assert(!is_asked("a"));
    mode1_stop(&host);
}
END_TEST

static Suite *states_suite(void)
{
    Suite *s = suite_create("states");
    check_add_loop(s, forced_open_is_shut_until_then, 0, 2);
    check_add(s, a_force_is_lifted_and_replaced);
    check_add(s, a_force_outlives_a_configuration);
    check_add(s, what_has_begun_goes_on);
    check_add_loop(s, all_forced_open_are_shut, 0, 2);
    check_add_loop(s, all_forced_out_by_ejection_are_asked, 0, 2);
    check_add_loop(s, forced_closed_is_asked, 0, 2);
    check_add(s, a_forced_breaker_learns);
    check_add(s, a_breaker_is_forced_open);
    check_add(s, what_is_forced_in_leaves_room_for_nobody);
    check_add(s, a_force_has_an_end);
    return s;
}
CHECK_MAIN(states_suite)
