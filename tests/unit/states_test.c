/* unit/states_test.c: what the host forces, where requests go through, and what a view tells of it all, in
 * mode 1. docs/states.md has the rules. */

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

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

enum {
    WITH_BREAKER = 1,
    WITH_OUTLIER = 2,
    WITH_RETRIES = 4,
    WITH_THROTTLE = 8, /* and ceilings: 9 exchanges, 8 pending, 7 retries */
    WITH_RATE = 16,    /* 2 in a second, 3 at once */
    WITH_OTHER_RATE = 32,
    WITH_KEYS = 64,      /* 1 an hour for each "u" */
    WITH_IN_FLIGHT = 128 /* 2 */
};

static void add_limiter(gw_builder *b, uint32_t with)
{
    static const gw_str key = { "header:u", 8 };
    gw_limiter_spec spec = GW_SPEC(gw_limiter_spec);

    spec.name = GW_STR("l");
    spec.tokens = with == WITH_OTHER_RATE ? 20 : with == WITH_RATE ? 2 : with == WITH_KEYS ? 1 : 0;
    spec.burst = with == WITH_OTHER_RATE ? 30 : with == WITH_RATE ? 3 : 0;
    spec.period_ms = with == WITH_KEYS ? 3600000 : 0;
    spec.concurrency = with == WITH_IN_FLIGHT ? 2 : 0;
    spec.keys = with == WITH_KEYS ? &key : NULL;
    spec.keys_len = with == WITH_KEYS;
    spec.keys_max = with == WITH_KEYS ? 64 : 0;
    ck_assert_uint_ne(gw_builder_limiter(b, &spec), 0);
}

/* The cluster "web" of n endpoints; the breaker opens after three failures, for five seconds; who fails
 * twice is ejected, for ten. */
static gw_config *make(uint32_t n, uint32_t with)
{
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_breaker_spec breaker = GW_SPEC(gw_breaker_spec);
    gw_outlier_spec outlier = GW_SPEC(gw_outlier_spec);
    gw_throttle_spec throttle = GW_SPEC(gw_throttle_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_str limiter = GW_STR("l");
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
    if ((with & WITH_THROTTLE) != 0) {
        throttle.volume_min = 4;
        cluster.throttle = &throttle;
        cluster.exchanges_max = 9;
        cluster.pending_max = 8;
        cluster.retries_max = 7;
    }
    id = gw_builder_cluster(b, &cluster);
    for (uint32_t i = 0; i < n; i++) {
        endpoint.name = gw_cstr(names[i]);
        endpoint.address = gw_cstr(addresses[i]);
        gw_builder_endpoint(b, id, &endpoint);
    }
    retry.on = GW_RETRY_RESET;
    route.retry = (with & WITH_RETRIES) != 0 ? &retry : NULL;
    route.retries = (with & WITH_RETRIES) != 0 ? 2 : GW_OFF;
    if (with >= WITH_RATE) {
        add_limiter(b, with & ~(uint32_t)(WITH_RATE - 1));
        route.limiters = &limiter;
        route.limiters_len = 1;
    }
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
    mode1_tell(&host, link, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
}

static struct mode1_link *asked(void)
{
    return mode1_asked(&host);
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
    mode1_tell(&host, up, text);
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

/* The configuration has no breakers any more: what one was taken for can be lifted. */
START_TEST(a_breaker_that_is_gone_is_lifted)
{
    start(2, WITH_BREAKER);
    must(force(GW_KIND_BREAKER, GW_STATE_OPEN, "a", 3000));
    parts_apply(&host, make(2, 0));
    mode1_pump(&host);
    ck_assert_int_eq(force(GW_KIND_BREAKER, GW_STATE_OPEN, "a", 3000), GW_EINVAL);
    must(force(GW_KIND_BREAKER, 0, "a", GW_FORCE_MS_MAX + 1)); /* the time is not looked at */
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
    /* A time of another clock would be one without an end, or be over: that is told. Who is late is not
     * wrong, nor who calls after workers have slept. */
    spec.cluster = GW_STR("web");
    spec.now = UINT64_C(1700000000) * SECOND;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_EINVAL);
    mode1_pass(&host, 100 * SECOND);
    client = mode1_accept(&host, "edge");
    spec.now = host.now - 62 * SECOND;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_EINVAL);
    spec.now = host.now - 59 * SECOND;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_OK);
    spec.now = host.now + 3 * 86400 * SECOND;
    ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_OK);
    ck_assert(is_asked("a") && is_asked("b"));
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", GW_FORCE_MS_MAX));
    ck_assert(!is_asked("a"));
    mode1_stop(&host);
}
END_TEST

/* ---- what is seen ---- */

/* Of that kind and name, at that time. */
static gw_state see_at(uint32_t kind, const char *name, gw_nanos now)
{
    gw_state state = GW_SPEC(gw_state), found = GW_SPEC(gw_state);
    gw_view *view;

    ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
    gw_view_at(view, now);
    while (gw_view_next(view, &state))
        if (state.kind == kind && gw_str_eq(state.name, gw_cstr(name)))
            found = state;
    gw_view_close(view);
    return found;
}

static gw_state see(uint32_t kind, const char *name)
{
    return see_at(kind, name, host.now);
}

#define ck_state(s, wanted, why, from, to)                                                         \
    do {                                                                                           \
        ck_assert_uint_eq((s).state, (wanted));                                                    \
        ck_assert_uint_eq((s).cause, (why));                                                       \
        ck_assert_uint_eq((s).since, (from));                                                      \
        ck_assert_uint_eq((s).next, (to));                                                         \
    } while (0)

/* A whole life of a breaker: what is told comes true at the time that is told. */
START_TEST(a_breaker_is_seen)
{
    gw_state breaker, endpoint;
    struct mode1_link *up;
    gw_nanos opened, asked_at;

    start(1, WITH_BREAKER);
    breaker = see(GW_KIND_BREAKER, "a");
    ck_state(breaker, GW_STATE_CLOSED, 0, 0, UINT64_MAX);
    ck_assert(gw_str_eq(breaker.cluster, GW_STR("web")) && breaker.failure == 0);
    go(2, GOOD);
    host.now += SECOND;
    go(3, BAD);
    opened = host.now;
    host.now += SECOND + 7;
    breaker = see(GW_KIND_BREAKER, "a");
    ck_state(breaker, GW_STATE_OPEN, GW_WHY_FAILURES, opened, opened + 5 * SECOND);
    ck_assert(breaker.times == 1 && breaker.failure == GW_FAILURE_STATUS);
    ck_assert_uint_eq(breaker.failed_at, opened);
    endpoint = see(GW_KIND_ENDPOINT, "a");
    ck_state(endpoint, GW_STATE_OPEN, GW_WHY_BREAKER, opened, opened + 5 * SECOND);
    ck_assert(endpoint.successes == 2 && endpoint.failures == 3);
    host.now = endpoint.next - 1;
    ck_assert_str_eq(go(1, GOOD), "-");
    host.now += 1; /* nobody has asked yet */
    endpoint = see(GW_KIND_ENDPOINT, "a");
    ck_state(endpoint, GW_STATE_HALF_OPEN, GW_WHY_BREAKER, host.now, UINT64_MAX);
    ck_state(see(GW_KIND_BREAKER, "a"), GW_STATE_OPEN, GW_WHY_FAILURES, opened, host.now);

    asked_at = host.now += 3 * MS;
    ask(client);
    up = asked();
    host.now += MS;
    breaker = see(GW_KIND_BREAKER, "a");
    ck_state(breaker, GW_STATE_HALF_OPEN, GW_WHY_TIME, asked_at, asked_at + 30 * SECOND);
    ck_state(see(GW_KIND_ENDPOINT, "a"), GW_STATE_OPEN, GW_WHY_BREAKER, asked_at, breaker.next);
    answer(up, BAD);
    breaker = see(GW_KIND_BREAKER, "a");
    ck_state(breaker, GW_STATE_OPEN, GW_WHY_PROBE, host.now, host.now + 10 * SECOND);
    ck_assert_uint_eq(breaker.times, 2);

    host.now = breaker.next;
    ck_assert_str_eq(go(1, GOOD), "a");
    ck_state(see(GW_KIND_BREAKER, "a"), GW_STATE_CLOSED, GW_WHY_PROBED, host.now, UINT64_MAX);
    endpoint = see(GW_KIND_ENDPOINT, "a");
    ck_state(endpoint, GW_STATE_CLOSED, 0, host.now, UINT64_MAX);
    ck_assert(endpoint.successes == 3 && endpoint.failures == 4);
    mode1_stop(&host);
}
END_TEST

START_TEST(an_ejection_is_seen)
{
    gw_state outlier, endpoint;
    gw_nanos out;

    start(2, WITH_OUTLIER);
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "b", 10)); /* what follows is a's */
    go(1, BAD);
    must(force(GW_KIND_ENDPOINT, 0, "b", 0));
    ck_state(see(GW_KIND_OUTLIER, "a"), GW_STATE_CLOSED, 0, 0, UINT64_MAX);
    ck_assert_uint_eq(see(GW_KIND_OUTLIER, "a").row, 1);
    host.now += 5 * MS;
    for (int i = 0; i < 2; i++) {
        struct mode1_link *up;
        ask(client);
        up = asked();
        answer(up, strcmp(name_of(up), "a") == 0 ? BAD : GOOD);
    }
    out = host.now;
    host.now += SECOND;
    outlier = see(GW_KIND_OUTLIER, "a");
    ck_state(outlier, GW_STATE_EJECTED, GW_WHY_FAILURES, out, out + 10 * SECOND);
    ck_assert_uint_eq(outlier.times, 1);
    endpoint = see(GW_KIND_ENDPOINT, "a");
    ck_state(endpoint, GW_STATE_EJECTED, GW_WHY_OUTLIER, out, out + 10 * SECOND);
    ck_state(see(GW_KIND_ENDPOINT, "b"), GW_STATE_CLOSED, 0, 0, UINT64_MAX);
    host.now = endpoint.next - 1;
    ck_assert_str_eq(go(2, GOOD), "bb");
    host.now += 1;
    ck_state(see(GW_KIND_OUTLIER, "a"), GW_STATE_CLOSED, GW_WHY_TIME, endpoint.next, UINT64_MAX);
    ck_state(see(GW_KIND_ENDPOINT, "a"), GW_STATE_CLOSED, 0, endpoint.next, UINT64_MAX);
    ck_assert(is_asked("a"));
    mode1_stop(&host);
}
END_TEST

/* What is forced, and what is behind it. */
START_TEST(a_force_is_seen)
{
    gw_state s;
    gw_nanos began;

    start(2, WITH_BREAKER);
    began = host.now;
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 3000));
    must(force(GW_KIND_BREAKER, GW_STATE_CLOSED, "a", 4000));
    host.now += SECOND;
    s = see(GW_KIND_ENDPOINT, "a");
    ck_state(s, GW_STATE_OPEN, GW_WHY_FORCED, began, began + 3 * SECOND);
    ck_assert(s.forced == GW_STATE_OPEN && s.forced_since == began && s.forced_until == s.next);
    s = see(GW_KIND_BREAKER, "a");
    ck_state(s, GW_STATE_CLOSED, 0, 0, UINT64_MAX);
    ck_assert(s.forced == GW_STATE_CLOSED && s.forced_until == began + 4 * SECOND);
    s = see_at(GW_KIND_ENDPOINT, "a", began + 3 * SECOND);
    ck_state(s, GW_STATE_CLOSED, 0, began + 3 * SECOND, began + 4 * SECOND);
    ck_assert(s.forced == 0 && s.forced_until == 0);
    must(force(GW_KIND_OUTLIER, GW_STATE_EJECTED, "b", 500)); /* a cluster that ejects nobody */
    s = see(GW_KIND_OUTLIER, "b");
    ck_state(s, GW_STATE_CLOSED, 0, 0, UINT64_MAX);
    ck_assert_uint_eq(s.forced, GW_STATE_EJECTED);
    s = see(GW_KIND_ENDPOINT, "b");
    ck_state(s, GW_STATE_EJECTED, GW_WHY_OUTLIER, host.now, host.now + 500 * MS);
    ck_assert_uint_eq(see(GW_KIND_OUTLIER, "a").kind, 0); /* there is none */
    must(force(GW_KIND_BREAKER, GW_STATE_OPEN, "b", 100));
    ck_state(see(GW_KIND_ENDPOINT, "b"), GW_STATE_OPEN, GW_WHY_BREAKER, host.now,
             host.now + 100 * MS);
    must(force(GW_KIND_ENDPOINT, GW_STATE_CLOSED, "b", 50));
    ck_state(see(GW_KIND_ENDPOINT, "b"), GW_STATE_CLOSED, GW_WHY_FORCED, host.now,
             host.now + 50 * MS);
    mode1_stop(&host);
}
END_TEST

/* What is counted beside what it may be. */
START_TEST(ceilings_and_the_throttle_are_seen)
{
    struct mode1_link *other;
    gw_state s;

    start(1, WITH_THROTTLE);
    host.ignored = addresses[0];
    other = mode1_accept(&host, "edge");
    ask(other); /* waits for its connection */
    s = see(GW_KIND_CLUSTER, "");
    ck_assert(s.inflight == 1 && s.inflight_most == 9 && s.pending == 1 && s.pending_most == 8);
    ck_assert(s.retries == 0 && s.retries_most == 7);
    s = see(GW_KIND_ENDPOINT, "a");
    ck_assert(s.connections == 0 && s.connecting == 1 && s.inflight == 1);
    host.ignored = NULL;
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream)
            gw_link_connected(host.links[i].link, GW_OK, NULL);
    mode1_pump(&host);
    s = see(GW_KIND_ENDPOINT, "a");
    ck_assert(s.connections == 1 && s.connecting == 0 && s.inflight == 1);
    ck_assert_uint_eq(see(GW_KIND_CLUSTER, "").pending, 0);
    answer(asked(), GOOD);
    s = see(GW_KIND_THROTTLE, "");
    ck_assert(s.successes == 1 && s.failures == 0 && s.refused_ppm == 0);
    go(3, BAD);
    s = see(GW_KIND_THROTTLE, "");
    ck_assert_uint_eq(s.failures, 3);
    /* (4 - 1 / 0.6) / 5 */
    ck_assert(s.refused_ppm > 466000 && s.refused_ppm < 467000);
    mode1_stop(&host);
}
END_TEST

/* Open ones of who is led to; of a configuration that is gone none. */
START_TEST(connections_are_seen)
{
    struct mode1_link *up;

    start(2, 0);
    go(2, GOOD);
    ck_assert_uint_eq(see(GW_KIND_ENDPOINT, "a").connections, 1);
    ck_assert_uint_eq(see(GW_KIND_ENDPOINT, "b").connections, 1);
    ask(client);
    up = asked();
    parts_apply(&host, make(1, 0));
    mode1_pump(&host);
    parts_apply(&host, make(2, 0));
    mode1_pump(&host);
    ck_assert_uint_eq(see(GW_KIND_ENDPOINT, "a").connections, 1);
    answer(up, GOOD);
    ck_assert_uint_eq(see(GW_KIND_ENDPOINT, "a").connections, 1);
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream && host.links[i].link != NULL)
            mode1_end(&host, &host.links[i]);
    ck_assert_uint_eq(see(GW_KIND_ENDPOINT, "a").connections, 0);
    ck_assert_uint_eq(see(GW_KIND_ENDPOINT, "b").connections, 0);
    host.refuse = true;
    ask(client);
    ck_assert_uint_eq(see(GW_KIND_ENDPOINT, "a").connecting, 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_limiter_is_seen)
{
    gw_state s;
    gw_nanos then;

    start(1, WITH_RATE);
    s = see(GW_KIND_LIMITER, "l");
    ck_assert(s.state == GW_STATE_CLOSED && s.level == 3 && s.level_most == 3 && s.keys_most == 0);
    ck_assert(s.tokens == 2 && s.period_ns == SECOND && s.requests == 0);
    ck_assert_str_eq(go(2, GOOD), "aa");
    ck_assert_uint_eq(see(GW_KIND_LIMITER, "l").level, 1);
    ck_assert_str_eq(go(2, GOOD), "a-");
    s = see(GW_KIND_LIMITER, "l");
    ck_state(s, GW_STATE_OPEN, 0, 0, host.now + SECOND / 2);
    ck_assert(s.level == 0 && s.requests == 4 && s.refused == 1);
    then = s.next;
    host.now = then - 1;
    ck_assert_str_eq(go(1, GOOD), "-");
    host.now = then;
    ck_assert_uint_eq(see(GW_KIND_LIMITER, "l").level, 1);
    ck_assert_str_eq(go(1, GOOD), "a");
    parts_apply(&host, make(1, WITH_OTHER_RATE)); /* it goes on under its name */
    mode1_pump(&host);
    s = see(GW_KIND_LIMITER, "l");
    ck_assert(s.requests == 6 && s.refused == 2 && s.tokens == 20 && s.level_most == 30);
    ck_assert_uint_eq(s.level, 27);
    mode1_stop(&host);
}
END_TEST

START_TEST(keys_and_what_is_in_flight_are_seen)
{
    gw_state s;

    start(1, WITH_KEYS);
    for (int i = 0; i < 6; i++) {
        char text[100];
        mode1_clear(client);
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nu: %d\r\n\r\n", i % 5);
        mode1_say(&host, client, text);
        if (asked() != NULL)
            answer(asked(), GOOD);
    }
    s = see(GW_KIND_LIMITER, "l");
    ck_assert(s.state == GW_STATE_CLOSED && s.keys == 5 && s.keys_most == 64);
    ck_assert(s.requests == 6 && s.refused == 1 && s.level_most == 1);
    ck_assert_uint_eq(see_at(GW_KIND_LIMITER, "l", host.now + 3600 * SECOND).keys, 0);
    mode1_stop(&host);
    start(1, WITH_IN_FLIGHT);
    ask(client);
    s = see(GW_KIND_LIMITER, "l");
    ck_assert(s.state == GW_STATE_CLOSED && s.level == 1 && s.level_most == 2 && s.tokens == 0);
    ask(mode1_accept(&host, "edge"));
    ck_state(see(GW_KIND_LIMITER, "l"), GW_STATE_OPEN, 0, 0, UINT64_MAX);
    answer(asked(), GOOD);
    ck_assert_uint_eq(see(GW_KIND_LIMITER, "l").level, 1);
    mode1_stop(&host);
}
END_TEST

/* Told nothing, a view is of the time at which a worker was stepped last. */
START_TEST(a_view_has_a_time)
{
    gw_state state = GW_SPEC(gw_state);
    gw_view *view;

    start(1, WITH_BREAKER);
    must(force(GW_KIND_ENDPOINT, GW_STATE_OPEN, "a", 3000));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
        while (gw_view_next(view, &state) && state.kind != GW_KIND_ENDPOINT)
            ;
        ck_assert_uint_eq(state.state, i == 0 ? GW_STATE_OPEN : GW_STATE_CLOSED);
        gw_view_close(view);
        host.now += 3 * SECOND;
        mode1_pump(&host);
    }
    mode1_stop(&host);
}
END_TEST

/* Who drains is shown so; who was built before the view grew is told what it knows. */
START_TEST(small_and_large_readers)
{
    gw_endpoint_spec spec = GW_SPEC(gw_endpoint_spec);
    struct {
        gw_state state;
        char behind[8];
    } own;
    gw_view *view;

    start(2, 0);
    spec.name = GW_STR("a");
    spec.address = gw_cstr(addresses[0]);
    spec.weight = GW_OFF;
    must(gw_engine_put_endpoint(host.engine, GW_STR("web"), &spec, NULL));
    ck_state(see(GW_KIND_ENDPOINT, "a"), GW_STATE_DRAINING, GW_WHY_WEIGHT, 0, UINT64_MAX);
    memset(&own, 0x5a, sizeof own);
    own.state.size = (uint32_t)offsetof(gw_state, state);
    ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
    ck_assert(gw_view_next(view, &own.state));
    ck_assert_uint_eq(own.state.kind, GW_KIND_CLUSTER);
    ck_assert_uint_eq(own.state.state, 0x5a5a5a5a);
    gw_view_close(view);
    mode1_stop(&host);
}
END_TEST

/* ---- others look and force while requests fail ---- */

enum { LOOKERS = 2, ROUNDS = 300 };

static _Atomic bool is_over;
static _Atomic gw_nanos clock_now;
static _Atomic uint32_t met;

/* Whatever is told is of one moment. */
static void check_story(const gw_state *s)
{
    if (s->state == GW_STATE_OPEN && s->since != 0) {
        ck_assert(s->cause == GW_WHY_FAILURES || s->cause == GW_WHY_PROBE);
        ck_assert_uint_ge(s->next, s->since + 5 * SECOND);
        ck_assert_uint_le(s->next, s->since + 61 * SECOND);
        ck_assert_uint_gt(s->times, 0);
        met |= 1;
    } else if (s->state == GW_STATE_HALF_OPEN && s->since != 0) {
        ck_assert_uint_eq(s->cause, GW_WHY_TIME);
        ck_assert_uint_ge(s->next, s->since + 30 * SECOND);
        met |= 2;
    } else if (s->state == GW_STATE_CLOSED) {
        ck_assert(s->cause == 0 || s->cause == GW_WHY_PROBED);
        ck_assert_uint_eq(s->next, UINT64_MAX);
        met |= 4;
    }
    ck_assert((s->forced != 0) == (s->forced_until != 0));
    if (s->forced_since != 0)
        ck_assert_uint_eq(s->forced_until, s->forced_since + 700 * MS);
}

static void *look_and_force(void *arg)
{
    gw_force_spec spec = GW_SPEC(gw_force_spec);
    gw_state state = GW_SPEC(gw_state);
    bool is_forcing = arg != NULL;
    gw_view *view;

    spec.kind = GW_KIND_BREAKER;
    spec.cluster = GW_STR("web");
    spec.name = GW_STR("a");
    spec.for_ms = 700;
    for (uint32_t i = 0; !is_over; i++) {
        spec.state = i % 8 == 0 ? GW_STATE_OPEN : 0;
        spec.now = clock_now;
        if (is_forcing)
            ck_assert_int_eq(gw_engine_force(host.engine, &spec), GW_OK);
        ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
        gw_view_at(view, clock_now);
        while (gw_view_next(view, &state))
            if (state.kind == GW_KIND_BREAKER)
                check_story(&state);
        gw_view_close(view);
    }
    return NULL;
}

START_TEST(others_look_meanwhile)
{
    pthread_t threads[LOOKERS];

    start(2, WITH_BREAKER | WITH_OUTLIER);
    is_over = false;
    met = 0;
    clock_now = host.now;
    for (int i = 0; i < LOOKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, look_and_force, i == 0 ? &host : NULL),
                         0);
    for (int i = 0; i < ROUNDS || met != 7; i++) {
        go(1, i % 16 < 8 ? BAD : GOOD);
        host.now += 500 * MS;
        clock_now = host.now;
        sched_yield();
    }
    is_over = true;
    for (int i = 0; i < LOOKERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
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
    check_add(s, a_breaker_that_is_gone_is_lifted);
    check_add(s, what_is_forced_in_leaves_room_for_nobody);
    check_add(s, a_force_has_an_end);
    check_add(s, a_breaker_is_seen);
    check_add(s, an_ejection_is_seen);
    check_add(s, a_force_is_seen);
    check_add(s, ceilings_and_the_throttle_are_seen);
    check_add(s, connections_are_seen);
    check_add(s, a_limiter_is_seen);
    check_add(s, keys_and_what_is_in_flight_are_seen);
    check_add(s, a_view_has_a_time);
    check_add(s, small_and_large_readers);
    check_add(s, others_look_meanwhile);
    return s;
}
CHECK_MAIN(states_suite)
