/* unit/live_test.c: endpoints that come, change and go while a configuration is in force, weights of what
 * shares a route, and what a view says of all that. */

#include "base/text.h"
#include "check_main.h"
#include "parts.h"

static struct mode1 host;
static struct mode1_link *client; /* whose requests come one after the other: see next */

/* The clusters "fixed" at 127.0.0.1:81 and :82, and "live" at :91; /fixed and /live lead to them. */
static gw_config *make_config(void)
{
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_id id;

    parts_listener(b, "edge");
    cluster.name = GW_STR("fixed");
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = GW_STR("127.0.0.1:81");
    gw_builder_endpoint(b, id, &endpoint);
    endpoint.name = GW_STR("two");
    endpoint.address = GW_STR("127.0.0.1:82");
    endpoint.weight = 1;
    gw_builder_endpoint(b, id, &endpoint);
    cluster.flags = GW_CLUSTER_LIVE;
    parts_cluster(b, "live", &cluster, "127.0.0.1:91");
    parts_route(b, "/fixed", NULL, "fixed");
    parts_route(b, "/live", NULL, "live");
    return parts_build(b);
}

static void start(void)
{
    memset(&host, 0, sizeof host);
    client = NULL;
    test_alloc_init(&host.alloc);
    mode1_start(&host, make_config(), NULL);
    mode1_pump(&host);
}

/* "live/91 w1 f0", a line for each endpoint; of a cluster "live f0". */
static const char *look(void)
{
    static char text[512];
    gw_state state = GW_SPEC(gw_state);
    gw_view *view;
    size_t at = 0;

    text[0] = '\0';
    ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
    while (gw_view_next(view, &state)) {
        if (state.kind == GW_KIND_CLUSTER)
            at += (size_t)snprintf(text + at, sizeof text - at, "%.*s f%u\n",
                                   (int)state.cluster.len, state.cluster.ptr, state.inflight);
        else
            at += (size_t)snprintf(text + at, sizeof text - at, "%.*s/%.*s %.*s w%u f%u\n",
                                   (int)state.cluster.len, state.cluster.ptr, (int)state.name.len,
                                   state.name.ptr, (int)state.address.len, state.address.ptr,
                                   state.weight, state.inflight);
    }
    ck_assert(!gw_view_next(view, &state));
    gw_view_close(view);
    return text;
}

static gw_endpoint_spec endpoint_at(const char *name, const char *address, uint32_t weight)
{
    gw_endpoint_spec spec = GW_SPEC(gw_endpoint_spec);

    spec.name = gw_cstr(name);
    spec.address = gw_cstr(address);
    spec.weight = weight;
    return spec;
}

static gw_status put(const char *cluster, const char *name, const char *address, uint32_t weight)
{
    gw_endpoint_spec spec = endpoint_at(name, address, weight);

    return gw_engine_put_endpoint(host.engine, gw_cstr(cluster), &spec, NULL);
}

static void ask(struct mode1_link *link, const char *path)
{
    char text[100];

    mode1_clear(link);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    mode1_say(&host, link, text);
}

static struct mode1_link *asked(void)
{
    struct mode1_link *up = mode1_asked(&host);

    ck_assert_msg(up != NULL, "nobody was asked");
    return up;
}

static void answer(struct mode1_link *up)
{
    mode1_tell(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static const char *address_of(struct mode1_link *up)
{
    static char text[64];
    gw_destination d = GW_SPEC(gw_destination);

    ck_assert_int_eq(gw_link_get_destination(up->link, &d), GW_OK);
    snprintf(text, sizeof text, "%.*s", (int)d.address.len, d.address.ptr);
    return text;
}

/* Who is asked next for that path, and answers. */
static const char *next(const char *path)
{
    struct mode1_link *up;
    const char *address;

    if (client == NULL)
        client = mode1_accept(&host, "edge");
    ask(client, path);
    up = asked();
    address = address_of(up);
    answer(up);
    ck_assert_ptr_nonnull(strstr(client->out, "200 OK"));
    return address;
}

static uint32_t upstreams(void)
{
    uint32_t n = 0;

    for (int i = 0; i < host.count; i++)
        n += host.links[i].is_upstream && host.links[i].link != NULL;
    return n;
}

START_TEST(what_is_in_force_is_seen)
{
    struct mode1_link *other;

    start();
    ck_assert_str_eq(look(), "fixed f0\nfixed/127.0.0.1:81 127.0.0.1:81 w1 f0\n"
                             "fixed/two 127.0.0.1:82 w1 f0\nlive f0\n"
                             "live/127.0.0.1:91 127.0.0.1:91 w1 f0\n");
    other = mode1_accept(&host, "edge");
    ask(other, "/live");
    ck_assert_str_eq(strstr(look(), "live f"), "live f1\nlive/127.0.0.1:91 127.0.0.1:91 w1 f1\n");
    answer(asked());
    ck_assert_str_eq(strstr(look(), "live f"), "live f0\nlive/127.0.0.1:91 127.0.0.1:91 w1 f0\n");
    ask(other, "/live");
    gw_link_closed(other->link); /* nobody waits for that answer */
    other->link = NULL;
    mode1_pump(&host);
    ck_assert_str_eq(strstr(look(), "live f"), "live f0\nlive/127.0.0.1:91 127.0.0.1:91 w1 f0\n");
    mode1_stop(&host);
}
END_TEST

/* One is added, asked, drained while it answers, and dropped: its connection closes; the others' stay. */
START_TEST(endpoints_come_and_go)
{
    struct mode1_link *other, *up;

    start();
    ck_assert_str_eq(next("/live"), "127.0.0.1:91");
    ck_assert_int_eq(put("live", "new", "127.0.0.1:92", 0), GW_OK);
    mode1_pump(&host);
    ck_assert_uint_eq(upstreams(), 1);
    const char *first = strcmp(next("/live"), "127.0.0.1:91") == 0 ? "127.0.0.1:92"
                                                                   : "127.0.0.1:91";
    ck_assert_str_eq(next("/live"), first);
    ck_assert_uint_eq(upstreams(), 2);

    ck_assert_int_eq(put("live", "127.0.0.1:91", "127.0.0.1:91", GW_OFF), GW_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(next("/live"), "127.0.0.1:92");
    ck_assert_ptr_nonnull(strstr(look(), "live/127.0.0.1:91 127.0.0.1:91 w0 f0"));

    other = mode1_accept(&host, "edge");
    ask(other, "/live");
    up = asked();
    ck_assert_int_eq(gw_engine_drop_endpoint(host.engine, GW_STR("live"), GW_STR("new")), GW_OK);
    ck_assert_int_eq(put("live", "127.0.0.1:91", "127.0.0.1:91", 3), GW_OK);
    mode1_pump(&host);
    ck_assert_str_eq(strstr(look(), "live f"), "live f1\nlive/127.0.0.1:91 127.0.0.1:91 w3 f0\n");
    ck_assert_uint_eq(upstreams(), 2); /* what it has begun is answered */
    answer(up);
    ck_assert_ptr_nonnull(strstr(other->out, "200 OK"));
    ck_assert_str_eq(next("/live"), "127.0.0.1:91");
    ck_assert_uint_eq(upstreams(), 1);
    mode1_stop(&host);
}
END_TEST

/* A name that moves to another address is another place to connect to, and the same endpoint. */
START_TEST(an_endpoint_moves)
{
    start();
    ck_assert_int_eq(put("live", "127.0.0.1:91", "127.0.0.1:99", 0), GW_OK);
    ck_assert_str_eq(next("/live"), "127.0.0.1:99");
    mode1_stop(&host);
}
END_TEST

/* A new configuration says what the endpoints are, but for those of live clusters. */
START_TEST(live_ones_outlive_a_configuration)
{
    gw_endpoint_spec set[2] = { endpoint_at("a", "127.0.0.1:93", 1),
                                endpoint_at("b", "127.0.0.1:94", 2) };

    start();
    ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("live"), set, 2, NULL), GW_OK);
    ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("fixed"), set, 2, NULL), GW_OK);
    ck_assert_str_eq(look(), "fixed f0\nfixed/a 127.0.0.1:93 w1 f0\nfixed/b 127.0.0.1:94 w2 f0\n"
                             "live f0\nlive/a 127.0.0.1:93 w1 f0\nlive/b 127.0.0.1:94 w2 f0\n");
    ck_assert_uint_eq(gw_engine_generation(host.engine), 3);
    parts_apply(&host, make_config());
    ck_assert_str_eq(look(), "fixed f0\nfixed/127.0.0.1:81 127.0.0.1:81 w1 f0\n"
                             "fixed/two 127.0.0.1:82 w1 f0\n"
                             "live f0\nlive/a 127.0.0.1:93 w1 f0\nlive/b 127.0.0.1:94 w2 f0\n");
    mode1_stop(&host);
}
END_TEST

/* None is a set too: requests are told. */
START_TEST(a_cluster_is_emptied)
{
    struct mode1_link *other;

    start();
    ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("live"), NULL, 0, NULL), GW_OK);
    other = mode1_accept(&host, "edge");
    ask(other, "/live");
    ck_assert_ptr_nonnull(strstr(other->out, "503 "));
    ck_assert_ptr_nonnull(strstr(other->out, "no_endpoint"));
    mode1_stop(&host);
}
END_TEST

static void refused(const char *cluster, gw_endpoint_spec one, gw_status status, const char *where)
{
    gw_config_error err = GW_SPEC(gw_config_error);

    ck_assert_int_eq(gw_engine_put_endpoint(host.engine, gw_cstr(cluster), &one, &err), status);
    ck_assert_int_eq(err.status, status);
    ck_assert_str_eq(err.where, where);
    ck_assert_uint_gt(strlen(err.text), 0);
}

START_TEST(nonsense_is_refused_as_a_whole)
{
    gw_endpoint_spec good = endpoint_at("x", "127.0.0.1:1", 0), set[2];
    gw_config_error err = GW_SPEC(gw_config_error);

    start();
    refused("live", endpoint_at("x", "nowhere", 0), GW_EINVAL, "address");
    refused("live", endpoint_at("127.0.0.1:91", "127.0.0.1:91", 65536), GW_EINVAL, "weight");
    refused("lif", good, GW_EUNKNOWN, "");
    set[0] = set[1] = good;
    ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("live"), set, 2, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "endpoints[1].name");
    ck_assert_int_eq(gw_engine_drop_endpoint(host.engine, GW_STR("live"), GW_STR("x")),
                     GW_EUNKNOWN);
    ck_assert_int_eq(gw_engine_drop_endpoint(host.engine, GW_STR("lif"), GW_STR("x")), GW_EUNKNOWN);
    ck_assert_uint_eq(gw_engine_generation(host.engine), 1);
    ck_assert_str_eq(strstr(look(), "live f"), "live f0\nlive/127.0.0.1:91 127.0.0.1:91 w1 f0\n");
    mode1_stop(&host);
}
END_TEST

/* An engine is not freed under who still looks. */
START_TEST(a_view_keeps_its_engine)
{
    gw_state state = GW_SPEC(gw_state);
    gw_view *view;

    start();
    ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
    gw_worker_free(host.worker);
    gw_engine_free(host.engine); /* does nothing */
    ck_assert(gw_view_next(view, &state));
    gw_view_close(view);
    gw_engine_free(host.engine);
    for (int i = 0; i < host.count; i++)
        free(host.links[i].out);
    test_alloc_fini(&host.alloc);
}
END_TEST

START_TEST(nothing_is_in_force_yet)
{
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);
    gw_endpoint_spec one = endpoint_at("x", "127.0.0.1:1", 0);
    gw_engine *engine;
    gw_view *view;

    ck_assert_int_eq(gw_engine_new(&spec, &engine), GW_OK);
    ck_assert_int_eq(gw_engine_put_endpoint(engine, GW_STR("a"), &one, NULL), GW_ESTATE);
    ck_assert_int_eq(gw_view_open(engine, &view), GW_ESTATE);
    gw_engine_free(engine);
}
END_TEST

/* Each allocation fails once: then nothing has changed, or all has. */
START_TEST(changes_without_memory)
{
    bool is_over = false;

    for (uint64_t k = 1; !is_over; k++) {
        gw_status status;
        start();
        host.alloc.fail_at = host.alloc.calls + k;
        status = put("live", "new", "127.0.0.1:92", 0);
        is_over = host.alloc.failed == 0;
        host.alloc.fail_at = 0;
        ck_assert(status == GW_OK || status == GW_ENOMEM);
        ck_assert_int_eq(strstr(look(), "live/new") != NULL, status == GW_OK);
        ck_assert_ptr_ne(strstr(next("/live"), status == GW_OK ? "127.0.0.1:9" : "127.0.0.1:91"),
                         NULL);
        mode1_stop(&host);
    }
}
END_TEST

/* ---- what shares a route ---- */

/* /shared is shared out among "stable" at :71 and "canary" at :72; /own goes to stable alone. */
static gw_config *make_shared(uint32_t stable, uint32_t canary, const char *key)
{
    gw_str keys[1] = { key != NULL ? gw_cstr(key) : GW_STR("") };
    gw_builder *b = parts_begin(&host);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_split_spec splits[2] = { GW_SPEC(gw_split_spec), GW_SPEC(gw_split_spec) };

    parts_listener(b, "edge");
    parts_cluster(b, "stable", NULL, "127.0.0.1:71");
    parts_cluster(b, "canary", NULL, "127.0.0.1:72");
    splits[0].cluster = GW_STR("stable");
    splits[0].weight = stable;
    splits[1].cluster = GW_STR("canary");
    splits[1].weight = canary;
    route.splits = splits;
    route.splits_len = 2;
    route.split_keys = keys;
    route.split_keys_len = key != NULL;
    parts_route(b, "/shared", &route, NULL);
    parts_route(b, "/own", NULL, "stable");
    return parts_build(b);
}

static void start_keyed(uint32_t stable, uint32_t canary, const char *key)
{
    memset(&host, 0, sizeof host);
    client = NULL;
    test_alloc_init(&host.alloc);
    mode1_start(&host, make_shared(stable, canary, key), NULL);
    mode1_pump(&host);
}

static void start_shared(uint32_t stable, uint32_t canary)
{
    start_keyed(stable, canary, NULL);
}

static gw_status weigh(const char *cluster, uint32_t weight)
{
    gw_split_spec one = GW_SPEC(gw_split_spec);

    one.cluster = gw_cstr(cluster);
    one.weight = weight;
    return gw_engine_set_splits(host.engine, GW_STR("/shared"), &one, 1, NULL);
}

/* Of so many requests in a row, how many the canary gets. */
static int canaries(int requests)
{
    int n = 0;

    for (int i = 0; i < requests; i++)
        n += strcmp(next("/shared"), "127.0.0.1:72") == 0;
    return n;
}

static uint64_t requests_of(const char *cluster, uint64_t *failures, uint32_t *weight)
{
    gw_state state = GW_SPEC(gw_state);
    gw_view *view;
    uint64_t requests = UINT64_MAX;

    ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
    while (gw_view_next(view, &state)) {
        if (state.kind != GW_KIND_SPLIT || !gw_str_eq(state.cluster, gw_cstr(cluster)))
            continue;
        ck_assert(gw_str_eq(state.route, GW_STR("/shared")));
        requests = state.requests;
        *failures = state.failures;
        *weight = state.weight;
    }
    gw_view_close(view);
    return requests;
}

/* Any ten in a row have exactly one, then three; where in the ten it began does not matter. */
START_TEST(shares_are_exact_in_every_window)
{
    uint64_t failures;
    uint32_t weight;

    start_shared(90, 10);
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(canaries(10), 1);
    (void)canaries(3);
    ck_assert_int_eq(canaries(10), 1);
    ck_assert_int_eq(weigh("canary", 30), GW_OK);
    ck_assert_int_eq(weigh("stable", 70), GW_OK);
    mode1_pump(&host);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(canaries(10), 3);
    ck_assert_str_eq(next("/own"), "127.0.0.1:71"); /* which takes nobody's turn */
    ck_assert_uint_ge(requests_of("canary", &failures, &weight), 8 + 15);
    ck_assert_uint_le(requests_of("canary", &failures, &weight), 8 + 15 + 1);
    ck_assert_uint_eq(failures, 0);
    ck_assert_uint_eq(weight, 30);
    ck_assert_int_eq(weigh("canary", GW_OFF), GW_OK); /* back */
    mode1_pump(&host);
    ck_assert_int_eq(canaries(20), 0);
    mode1_stop(&host);
}
END_TEST

/* The turn goes on where it was when a configuration comes; its weights are those in force. */
START_TEST(a_configuration_says_the_weights_again)
{
    start_shared(3, 1);
    ck_assert_int_eq(canaries(2) + canaries(2), 1);
    ck_assert_int_eq(weigh("canary", GW_OFF), GW_OK);
    mode1_pump(&host);
    ck_assert_int_eq(canaries(4), 0);
    (void)canaries(2);
    parts_apply(&host, make_shared(3, 1, NULL));
    mode1_pump(&host);
    ck_assert_int_eq(canaries(4), 1);
    mode1_stop(&host);
}
END_TEST

/* Whether the canary gets the request of that user. */
static bool is_canarys(int user)
{
    char path[32];

    snprintf(path, sizeof path, "/shared?u=%d", user);
    return strcmp(next(path), "127.0.0.1:72") == 0;
}

/* A user stays where he is; when the canary's part grows it keeps all that it had. */
START_TEST(users_stay_with_their_part)
{
    enum { USERS = 400 };
    bool before[USERS];
    int few = 0, more = 0;

    start_keyed(90, 10, "query:u");
    for (int i = 0; i < USERS; i++)
        few += before[i] = is_canarys(i);
    for (int i = 0; i < USERS; i++)
        ck_assert_int_eq(is_canarys(i), before[i]);
    ck_assert_int_ge(few, 20); /* 40, were there many more */
    ck_assert_int_le(few, 65);
    ck_assert_int_eq(weigh("canary", 30), GW_OK);
    ck_assert_int_eq(weigh("stable", 70), GW_OK);
    mode1_pump(&host);
    for (int i = 0; i < USERS; i++) {
        bool is_there = is_canarys(i);
        ck_assert(is_there || !before[i]);
        more += is_there;
    }
    ck_assert_int_ge(more, 90); /* 120 */
    ck_assert_int_le(more, 150);
    ck_assert_int_eq(weigh("canary", 1), GW_OK); /* of 71; who has no key takes a turn */
    mode1_pump(&host);
    ck_assert_int_eq(canaries(71), 1);
    mode1_stop(&host);
}
END_TEST

static void answer_with(const char *path, const char *response)
{
    struct mode1_link *other = mode1_accept(&host, "edge"), *up;

    ask(other, path);
    up = asked();
    mode1_clear(up);
    mode1_say(&host, up, response);
    mode1_end(&host, other);
}

/* A gRPC call, as HTTP/1.1 carries it. */
static void answer_grpc(const char *status)
{
    struct mode1_link *other = mode1_accept(&host, "edge"), *up;
    char response[200];

    mode1_say(&host, other,
              "POST /shared HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n"
              "TE: trailers\r\nContent-Length: 0\r\n\r\n");
    up = asked();
    mode1_clear(up);
    snprintf(response, sizeof response,
             "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
             "Transfer-Encoding: chunked\r\n\r\n0\r\ngrpc-status: %s\r\n\r\n",
             status);
    mode1_say(&host, up, response);
    ck_assert_ptr_nonnull(strstr(other->out, "200 OK"));
    mode1_end(&host, other);
}

/* A rollout looks at how each serves; what clients do to themselves is not counted. */
START_TEST(failures_are_counted_for_each)
{
    struct mode1_link *other;
    uint64_t failures;
    uint32_t weight;

    start_shared(1, GW_OFF);
    answer_with("/shared", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    answer_with("/shared", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    answer_with("/shared", "nonsense\r\n\r\n");
    other = mode1_accept(&host, "edge");
    ask(other, "/shared");
    gw_link_closed(other->link);
    other->link = NULL;
    mode1_pump(&host);
    ck_assert_uint_eq(requests_of("stable", &failures, &weight), 4);
    ck_assert_uint_eq(failures, 2);
    answer_grpc("0");
    answer_grpc("5"); /* not found: that is the call's affair */
    ck_assert_uint_eq(requests_of("stable", &failures, &weight), 6);
    ck_assert_uint_eq(failures, 2);
    answer_grpc("14");
    answer_grpc("what");
    ck_assert_uint_eq(requests_of("stable", &failures, &weight), 8);
    ck_assert_uint_eq(failures, 4);
    ck_assert_uint_eq(requests_of("canary", &failures, &weight), 0);
    ck_assert_uint_eq(failures, 0);
    ck_assert_uint_eq(weight, 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(nonsense_weights_are_refused)
{
    gw_split_spec two[2] = { GW_SPEC(gw_split_spec), GW_SPEC(gw_split_spec) };
    gw_config_error err = GW_SPEC(gw_config_error);

    start_shared(1, 1);
    ck_assert_int_eq(weigh("nobody", 1), GW_EUNKNOWN);
    ck_assert_int_eq(weigh("canary", 65536), GW_EINVAL);
    ck_assert_int_eq(gw_engine_set_splits(host.engine, GW_STR("/own"), two, 1, &err), GW_EINVAL);
    ck_assert_str_eq(err.text, "no clusters share this route");
    ck_assert_int_eq(gw_engine_set_splits(host.engine, GW_STR("/no"), two, 1, &err), GW_EUNKNOWN);
    ck_assert_str_eq(err.text, "no such route");
    two[0].cluster = GW_STR("stable");
    two[1].cluster = GW_STR("canary");
    two[0].weight = two[1].weight = GW_OFF;
    ck_assert_int_eq(gw_engine_set_splits(host.engine, GW_STR("/shared"), two, 2, &err), GW_EINVAL);
    ck_assert_str_eq(err.text, "nobody would have a share");
    two[0].weight = 2;
    two[1].weight = 65536;
    ck_assert_int_eq(gw_engine_set_splits(host.engine, GW_STR("/shared"), two, 2, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "splits[1].weight");
    two[1].cluster = GW_STR("nobody");
    two[1].weight = 1;
    ck_assert_int_eq(gw_engine_set_splits(host.engine, GW_STR("/shared"), two, 2, &err),
                     GW_EUNKNOWN);
    ck_assert_str_eq(err.where, "splits[1].cluster");
    mode1_pump(&host);
    ck_assert_int_eq(canaries(4), 2);
    mode1_stop(&host);
}
END_TEST

static Suite *live_suite(void)
{
    Suite *s = suite_create("live");
    check_add(s, what_is_in_force_is_seen);
    check_add(s, endpoints_come_and_go);
    check_add(s, an_endpoint_moves);
    check_add(s, live_ones_outlive_a_configuration);
    check_add(s, a_cluster_is_emptied);
    check_add(s, nonsense_is_refused_as_a_whole);
    check_add(s, a_view_keeps_its_engine);
    check_add(s, nothing_is_in_force_yet);
    check_add(s, changes_without_memory);
    check_add(s, shares_are_exact_in_every_window);
    check_add(s, a_configuration_says_the_weights_again);
    check_add(s, users_stay_with_their_part);
    check_add(s, failures_are_counted_for_each);
    check_add(s, nonsense_weights_are_refused);
    return s;
}

CHECK_MAIN(live_suite)
