/* unit/affinity_test.c: clients that come back by a cookie, through the whole machine in mode 1: what they
 * are told, what brings them back, what a stranger may say instead, and where they go when their endpoint
 * is gone. */

#include "base/text.h"
#include "check_main.h"
#include "parts.h"

static struct mode1 host;

static struct {
    gw_cluster_spec cluster;
    gw_affinity_spec affinity;
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    const char *listed; /* in which order: "cab" */
    uint32_t weights[3];
} plan;

static struct {
    char endpoint[64];
    uint32_t retries;
} seen;

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
    gw_id id;

    parts_listener(b, "edge");
    plan.cluster.name = GW_STR("web");
    plan.cluster.affinity = &plan.affinity;
    id = gw_builder_cluster(b, &plan.cluster);
    for (uint32_t i = 0; plan.listed[i] != '\0'; i++) {
        char text[] = "svc-?", address[] = "127.0.0.1:8?";
        gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
        text[4] = plan.listed[i];
        address[11] = (char)('1' + plan.listed[i] - 'a');
        endpoint.name = gw_cstr(text);
        endpoint.address = gw_cstr(address);
        endpoint.weight = plan.weights[plan.listed[i] - 'a'];
        gw_builder_endpoint(b, id, &endpoint);
    }
    parts_route(b, "/", NULL, "web");
    filter.name = "seen";
    filter.on_end = on_end;
    gw_builder_filter(b, &filter);
    return parts_build(b);
}

static void begin(void)
{
    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    memset(&plan, 0, sizeof plan);
    test_alloc_init(&host.alloc);
    plan.cluster = GW_SPEC(gw_cluster_spec);
    plan.affinity = GW_SPEC(gw_affinity_spec);
    plan.affinity.cookie = GW_STR("pin");
    plan.breaker = GW_SPEC(gw_breaker_spec);
    plan.outlier = GW_SPEC(gw_outlier_spec);
    plan.listed = "abc";
}

static void start(void)
{
    mode1_start(&host, make_config(), NULL);
}

static const char *said = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void answer_all(void)
{
    mode1_answer_all(&host, said);
}

/* The endpoint that has answered, by its letter. */
static char ask(struct mode1_link *client, const char *fields)
{
    static char text[9000];

    mode1_clear(client);
    snprintf(text, sizeof text, "GET /x HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    mode1_say(&host, client, text);
    answer_all();
    ck_assert_msg(strstr(client->out, "HTTP/1.1 ") == client->out, "%s", client->out);
    return seen.endpoint[4];
}

/* The value that the response sets; empty: none. */
static const char *set_cookie(const struct mode1_link *client)
{
    static char value[32];
    const char *at = strstr(client->out, "Set-Cookie: pin=");

    value[0] = '\0';
    if (at != NULL)
        snprintf(value, sizeof value, "%.16s", at + strlen("Set-Cookie: pin="));
    return value;
}

static char ask_with(struct mode1_link *client, const char *pin)
{
    char fields[100];

    snprintf(fields, sizeof fields, "Cookie: a=b; pin=%.40s; c=d\r\n", pin);
    return ask(client, fields);
}

/* The pin of each, by letter. */
static void learn(struct mode1_link *client, char pins[3][32])
{
    for (int i = 0; i < 40; i++) {
        char letter = ask(client, "");
        const char *pin = set_cookie(client);
        ck_assert_uint_eq(strlen(pin), 16);
        ck_assert(pins[letter - 'a'][0] == '\0' || strcmp(pins[letter - 'a'], pin) == 0);
        snprintf(pins[letter - 'a'], 32, "%s", pin);
    }
}

/* ---- coming back ---- */

static const uint32_t policies[] = { GW_BALANCE_ROUND_ROBIN, GW_BALANCE_CONSISTENT_HASH,
                                     GW_BALANCE_LEAST_REQUEST, GW_BALANCE_RANDOM };

START_TEST(who_has_the_cookie_comes_back)
{
    char pins[3][32] = { "", "", "" };
    static const gw_str path = { "header:x", 8 };
    gw_hash_spec hash = GW_SPEC(gw_hash_spec);

    begin();
    plan.cluster.balance = policies[_i];
    hash.keys = &path; /* nobody has it: all are drawn */
    hash.keys_len = 1;
    if (policies[_i] == GW_BALANCE_CONSISTENT_HASH)
        plan.cluster.hash = &hash;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(strlen(pins[i]), 16);
    for (int i = 0; i < 60; i++) {
        ck_assert_int_eq(ask_with(client, pins[i % 3]), 'a' + i % 3);
        ck_assert_str_eq(set_cookie(client), ""); /* it knows */
    }
    mode1_stop(&host);
}
END_TEST

/* The same in every process, whatever the order, and after a new configuration; not with another secret,
 * nor in another cluster. */
START_TEST(values_are_the_names_own)
{
    char pins[3][32] = { "", "", "" }, others[3][32] = { "", "", "" };

    begin();
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    ck_assert_str_eq(pins[0], "40e6a9d4d1a2fa8f");
    plan.listed = "cab";
    parts_apply(&host, make_config());
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(ask_with(client, pins[i % 3]), 'a' + i % 3);
    mode1_stop(&host);

    begin();
    plan.listed = "bca";
    start();
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(ask_with(client, pins[i % 3]), 'a' + i % 3);
    plan.affinity.secret = GW_STR("only we know that");
    parts_apply(&host, make_config());
    for (int i = 0; i < 12; i++) {
        (void)ask_with(client, pins[i % 3]);
        ck_assert_str_ne(set_cookie(client), "");
        ck_assert_str_ne(set_cookie(client), pins[i % 3]);
    }
    learn(client, others);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ask_with(client, others[i]), 'a' + i);
    mode1_stop(&host);
}
END_TEST

static const struct {
    uint32_t flags, same_site, ttl_ms;
    const char *path, *wanted;
} attributes[] = {
    { 0, 0, 0, "", "; Path=/; HttpOnly; SameSite=Lax\r\n" },
    { GW_AFFINITY_SECURE, GW_SAME_SITE_NONE, 0, "",
      "; Path=/; Secure; HttpOnly; SameSite=None\r\n" },
    { GW_AFFINITY_SCRIPTS, GW_SAME_SITE_STRICT, 3600000, "/shop",
      "; Path=/shop; Max-Age=3600; SameSite=Strict\r\n" },
    { GW_AFFINITY_SCRIPTS, GW_OFF, 1001, "/a b", "; Path=/a b; Max-Age=2\r\n" },
};

START_TEST(what_is_said_of_it)
{
    char wanted[128];

    begin();
    plan.listed = "a";
    plan.affinity.flags = attributes[_i].flags;
    plan.affinity.same_site = attributes[_i].same_site;
    plan.affinity.ttl_ms = attributes[_i].ttl_ms;
    plan.affinity.path = gw_cstr(attributes[_i].path);
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    (void)ask(client, "");
    snprintf(wanted, sizeof wanted, "\r\nSet-Cookie: pin=%s%s", set_cookie(client),
             attributes[_i].wanted);
    ck_assert_msg(strstr(client->out, wanted) != NULL, "%s", client->out);
    ck_assert_ptr_null(strstr(client->out, "svc"));
    ck_assert_ptr_null(strstr(client->out, "127"));
    mode1_stop(&host);
}
END_TEST

/* Behind what the upstream sets, which is as it was; it cannot take ours away. */
START_TEST(beside_the_upstreams_own)
{
    begin();
    start();
    said = "HTTP/1.1 404 No\r\nSet-Cookie: own=1\r\nConnection: Set-Cookie2, x\r\nX: y\r\n"
           "Content-Length: 0\r\n\r\n";
    struct mode1_link *client = mode1_accept(&host, "edge");
    (void)ask(client, "");
    ck_assert_ptr_nonnull(strstr(client->out, "Set-Cookie: own=1\r\n"));
    ck_assert_uint_eq(strlen(set_cookie(client)), 16);
    said = "HTTP/1.1 200 OK\r\nConnection: set-cookie\r\nContent-Length: 0\r\n\r\n";
    (void)ask(client, "");
    ck_assert_uint_eq(strlen(set_cookie(client)), 16);
    said = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    mode1_stop(&host);
}
END_TEST

/* ---- what strangers say ---- */

static const char *const strange[] = {
    "Cookie: pin=\r\n",
    "Cookie: pin\r\n",
    "Cookie: pin=svc-a\r\n",
    "Cookie: pin=127.0.0.1:81\r\n",
    "Cookie: pin=0\r\n",
    "Cookie: pin=ffffffffffffffff\r\n",
    "Cookie: pin=0000000000000000\r\n",
    "Cookie: pin=-000000000000001\r\n",
    "Cookie: pin=zzzzzzzzzzzzzzzz\r\n",
    "Cookie: pin=%30%30%30%30%30%30%30%30\r\n",
    "Cookie: pin=\"0123456789abcdef\"\r\n",
    "Cookie: pin=0123456789abcdef0123456789abcdef\r\n",
    "Cookie: ;;;;;pin=;=;pin;\r\nCookie: pin==\r\nCookie: =pin\r\n",
    "Cookie: pin=\xff\xfe\xfd\r\n",
    "Cookie: pin=a\tb\r\n",
};

/* Any word that names nobody is no word: as without it, and the client is told another one. */
START_TEST(words_that_name_nobody)
{
    bool is_asked[3] = { false, false, false };

    begin();
    plan.cluster.balance = GW_BALANCE_ROUND_ROBIN;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    for (int i = 0; i < 3; i++) {
        is_asked[ask(client, strange[_i]) - 'a'] = true;
        ck_assert_ptr_nonnull(strstr(client->out, " 200 "));
        ck_assert_uint_eq(strlen(set_cookie(client)), 16);
    }
    ck_assert(is_asked[0] && is_asked[1] && is_asked[2]); /* each in its turn */
    mode1_stop(&host);
}
END_TEST

/* Of many the first that means something; however many there are. */
START_TEST(many_of_that_name)
{
    char pins[3][32] = { "", "", "" };
    static char fields[8000];
    size_t len;

    begin();
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    for (int i = 0; i < 10; i++) {
        snprintf(fields, sizeof fields, "Cookie: pin=old; pin=%s; pin=%s\r\n", pins[1], pins[2]);
        ck_assert_int_eq(ask(client, fields), 'b');
        ck_assert_str_eq(set_cookie(client), "");
        snprintf(fields, sizeof fields, "Cookie: PIN=%s; xpin=%s\r\nX: y\r\nCookie: pin=%s\r\n",
                 pins[0], pins[0], pins[2]);
        ck_assert_int_eq(ask(client, fields), 'c');
    }
    len = (size_t)snprintf(fields, sizeof fields, "Cookie: ");
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(fields + len, sizeof fields - len, "pin=%016x; ", 7777 + i);
    snprintf(fields + len, sizeof fields - len, "pin=%s\r\n", pins[0]);
    ck_assert_int_eq(ask(client, fields), 'a');
    mode1_stop(&host);
}
END_TEST

/* ---- when it is not there ---- */

START_TEST(whose_endpoint_is_gone)
{
    char pins[3][32] = { "", "", "" }, now[32];

    begin();
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    ck_assert_int_eq(gw_engine_drop_endpoint(host.engine, GW_STR("web"), GW_STR("svc-b")), GW_OK);
    for (int i = 0; i < 6; i++) {
        char letter = ask_with(client, pins[1]);
        ck_assert_int_ne(letter, 'b');
        ck_assert_str_eq(set_cookie(client), pins[letter - 'a']);
        snprintf(now, sizeof now, "%s", set_cookie(client));
        ck_assert_int_eq(ask_with(client, now), letter);
    }
    /* One of that name is the same one again, wherever it is. */
    gw_endpoint_spec back = GW_SPEC(gw_endpoint_spec);
    back.name = GW_STR("svc-b");
    back.address = GW_STR("127.0.0.1:99");
    ck_assert_int_eq(gw_engine_put_endpoint(host.engine, GW_STR("web"), &back, NULL), GW_OK);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(ask_with(client, pins[1]), 'b');
    mode1_stop(&host);
}
END_TEST

/* Whose weight is off gets nobody new, and keeps those that it has. */
START_TEST(who_drains_keeps_its_own)
{
    char pins[3][32] = { "", "", "" };
    gw_endpoint_spec off = GW_SPEC(gw_endpoint_spec);

    begin();
    if (_i == 1)
        plan.cluster.breaker = &plan.breaker;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    off.name = GW_STR("svc-b");
    off.address = GW_STR("127.0.0.1:82");
    off.weight = GW_OFF;
    ck_assert_int_eq(gw_engine_put_endpoint(host.engine, GW_STR("web"), &off, NULL), GW_OK);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_ne(ask(client, ""), 'b');
        ck_assert_int_eq(ask_with(client, pins[1]), 'b');
        ck_assert_str_eq(set_cookie(client), "");
    }
    mode1_stop(&host);
}
END_TEST

/* An open breaker, or ejection: another one, which it stays with. */
START_TEST(whose_endpoint_is_shut)
{
    char pins[3][32] = { "", "", "" }, now[32];

    begin();
    plan.breaker.failures = plan.outlier.failures = 2;
    if (_i == 0)
        plan.cluster.breaker = &plan.breaker;
    else
        plan.cluster.outlier = &plan.outlier;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    said = "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nok";
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(ask_with(client, pins[0]), 'a');
    said = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char letter = ask_with(client, pins[0]);
    ck_assert_int_ne(letter, 'a');
    ck_assert_str_eq(set_cookie(client), pins[letter - 'a']);
    snprintf(now, sizeof now, "%s", set_cookie(client));
    host.now += GW_MS(60000); /* it is well again: who has moved has moved */
    ck_assert_int_eq(ask_with(client, now), letter);
    ck_assert_int_eq(ask_with(client, pins[0]), 'a');
    mode1_stop(&host);
}
END_TEST

/* Nobody is known to be well, and all are asked: then its clients stay where they are. */
START_TEST(who_is_in_panic_keeps_its_own)
{
    char pins[3][32] = { "", "", "" };

    begin();
    plan.outlier.failures = 1;
    plan.outlier.share_percent = 100; /* but for the last one */
    plan.cluster.outlier = &plan.outlier;
    plan.cluster.panic_percent = 100;
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    said = "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nok";
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(ask_with(client, pins[i % 2]), 'a' + i % 2);
        ck_assert_str_eq(set_cookie(client), "");
    }
    said = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    ck_assert_uint_eq(mode1_stat(&host, "ejections"), 2);
    mode1_stop(&host);
}
END_TEST

/* Who cannot be reached: the retry goes elsewhere, and the client is told. */
START_TEST(a_retry_moves_it)
{
    char pins[3][32] = { "", "", "" };

    begin();
    plan.cluster.requests_max = 1; /* no connection is kept */
    start();
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    host.refused = "127.0.0.1:82";
    char letter = ask_with(client, pins[1]);
    ck_assert_int_ne(letter, 'b');
    ck_assert_uint_eq(seen.retries, 1);
    ck_assert_str_eq(set_cookie(client), pins[letter - 'a']);
    mode1_stop(&host);
}
END_TEST

/* What the gateway says itself is nobody's to come back to. */
START_TEST(no_endpoint_no_cookie)
{
    begin();
    start();
    host.refuse = true;
    struct mode1_link *client = mode1_accept(&host, "edge");
    (void)ask(client, "");
    ck_assert_ptr_nonnull(strstr(client->out, " 503 "));
    ck_assert_ptr_null(strstr(client->out, "Set-Cookie"));
    mode1_stop(&host);
}
END_TEST

/* Of a live cluster what calls have put there stays, and is picked as the new configuration says. */
START_TEST(live_clusters_learn_it)
{
    char pins[3][32] = { "", "", "" };
    gw_endpoint_spec one = GW_SPEC(gw_endpoint_spec);

    begin();
    plan.cluster.flags = GW_CLUSTER_LIVE;
    plan.listed = "ab";
    start();
    one.name = GW_STR("svc-c");
    one.address = GW_STR("127.0.0.1:83");
    ck_assert_int_eq(gw_engine_put_endpoint(host.engine, GW_STR("web"), &one, NULL), GW_OK);
    plan.affinity.secret = GW_STR("another");
    parts_apply(&host, make_config());
    struct mode1_link *client = mode1_accept(&host, "edge");
    learn(client, pins);
    for (int i = 0; i < 9; i++) {
        ck_assert_uint_eq(strlen(pins[i % 3]), 16);
        ck_assert_int_eq(ask_with(client, pins[i % 3]), 'a' + i % 3);
    }
    mode1_stop(&host);
}
END_TEST

static Suite *affinity_suite(void)
{
    Suite *suite = suite_create("affinity");

    check_add_loop(suite, who_has_the_cookie_comes_back, 0, 4);
    check_add(suite, values_are_the_names_own);
    check_add_loop(suite, what_is_said_of_it, 0, sizeof attributes / sizeof attributes[0]);
    check_add(suite, beside_the_upstreams_own);
    check_add_loop(suite, words_that_name_nobody, 0, sizeof strange / sizeof strange[0]);
    check_add(suite, many_of_that_name);
    check_add(suite, whose_endpoint_is_gone);
    check_add_loop(suite, who_drains_keeps_its_own, 0, 2);
    check_add_loop(suite, whose_endpoint_is_shut, 0, 2);
    check_add(suite, who_is_in_panic_keeps_its_own);
    check_add(suite, a_retry_moves_it);
    check_add(suite, no_endpoint_no_cookie);
    check_add(suite, live_clusters_learn_it);
    return suite;
}

CHECK_MAIN(affinity_suite)
