/* unit/pool_test.c: upstream connections: for whom they are, and what bounds them. */

#include "check_main.h"
#include "gw_features.h"
#include "parts.h"
#include "worker_suites.h"

static struct mode1 host;

static int open_upstreams(void)
{
    int n = 0;

    for (int i = 0; i < host.count; i++)
        n += host.links[i].is_upstream && host.links[i].link != NULL;
    return n;
}

static void ask(const char *path)
{
    char text[128];

    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    mode1_say(&host, mode1_accept(&host, "edge"), text);
}

/* One request on a connection of its own, answered. */
static void ask_and_answer(const char *path)
{
    ask(path);
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* /few: a cluster of at most one connection; /many: another one, to the same address. */
static gw_config *two_clusters(const char *address, uint32_t few)
{
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec one = GW_SPEC(gw_cluster_spec);

    one.connections_max = few;
    parts_listener(b, "edge");
    parts_cluster(b, "few", &one, address);
    parts_cluster(b, "many", NULL, address);
    parts_route(b, "/few", NULL, "few");
    parts_route(b, "/many", NULL, "many");
    return parts_build(b);
}

static void start(void)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    mode1_start(&host, two_clusters("127.0.0.1:81", 1), NULL);
}

static void expect_text(gw_str text, const char *expected)
{
    ck_assert_msg(text.len == strlen(expected) && memcmp(text.ptr, expected, text.len) == 0,
                  "%.*s is not %s", (int)text.len, text.ptr, expected);
}

static void expect_names(gw_link *link, const char *cluster)
{
    gw_destination d = GW_SPEC(gw_destination);

    ck_assert_int_eq(gw_link_get_destination(link, &d), GW_OK);
    expect_text(d.cluster, cluster);
    expect_text(d.endpoint, "127.0.0.1:81");
    expect_text(d.address, "127.0.0.1:81");
}

/* Two clusters to one address: each has its own bound, names and connections. */
START_TEST(clusters_do_not_share)
{
    start();
    ask("/many");
    ask("/many");
    ck_assert_int_eq(open_upstreams(), 2);
    ask("/few");
    ck_assert_int_eq(open_upstreams(), 3);
    ask("/few"); /* waits: its cluster has one connection */
    ck_assert_int_eq(open_upstreams(), 3);
    ask("/many");
    ck_assert_int_eq(open_upstreams(), 4);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_link_names_its_own_cluster)
{
    start();
    ask("/many");
    expect_names(mode1_upstream(&host)->link, "many");
    ask("/few");
    expect_names(mode1_upstream(&host)->link, "few");
    mode1_stop(&host);
}
END_TEST

/* What a new configuration leaves as it was keeps its connections; its bounds are the new ones. */
START_TEST(connections_outlive_a_configuration)
{
    start();
    ask_and_answer("/few");
    ck_assert_int_eq(open_upstreams(), 1);
    parts_apply(&host, two_clusters("127.0.0.1:81", 2));
    ask_and_answer("/few");
    ck_assert_int_eq(open_upstreams(), 1);
    ask("/few");
    ask("/few");
    ck_assert_int_eq(open_upstreams(), 2);
    ask("/few");
    ck_assert_int_eq(open_upstreams(), 2);
    mode1_stop(&host);
}
END_TEST

/* An exchange that began on the old configuration does not bring its bounds back. */
START_TEST(an_old_exchange_leaves_the_new_bounds)
{
    struct mode1_link *slow;

    start();
    slow = mode1_accept(&host, "edge");
    mode1_say(&host, slow, "GET /few HTTP/1.1\r\n");
    parts_apply(&host, two_clusters("127.0.0.1:81", 3));
    ask("/few");
    mode1_say(&host, slow, "Host: a\r\n\r\n");
    ask("/few");
    ck_assert_int_eq(open_upstreams(), 3);
    mode1_stop(&host);
}
END_TEST

/* The same name at another address is another place. */
START_TEST(a_new_address_is_connected_to_anew)
{
    gw_destination d = GW_SPEC(gw_destination);

    start();
    ask_and_answer("/few");
    parts_apply(&host, two_clusters("127.0.0.1:82", 1));
    ask("/few");
    ck_assert_int_eq(gw_link_get_destination(mode1_upstream(&host)->link, &d), GW_OK);
    expect_text(d.address, "127.0.0.1:82");
    mode1_stop(&host);
}
END_TEST

/* While others of its connections serve on, an upstream that takes no more is asked again now and then, not
 * again and again. */
START_TEST(a_refused_connection_is_not_tried_at_once)
{
    static const char one_stream[] = "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\1";
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);
    gw_builder *b;

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    spec.protocols = GW_PROTO_H2;
    parts_listener(b, "edge");
    parts_cluster(b, "two", &spec, "127.0.0.1:81");
    parts_route(b, "/", NULL, "two");
    mode1_start(&host, parts_build(b), NULL);
    ask("/");
    mode1_feed(&host, mode1_upstream(&host), one_stream, sizeof one_stream - 1, 0);
    host.refuse = true;
    ask("/");
    for (uint64_t n = 1; n < 4; n++) {
        ck_assert_uint_eq(mode1_stat(&host, "links_connect_failed"), n);
        host.now += 110000000;
        mode1_pump(&host);
    }
    host.refuse = false;
    host.now += 110000000;
    mode1_pump(&host);
    ck_assert_int_eq(open_upstreams(), 2);
    mode1_stop(&host);
}
END_TEST

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");

    check_add(suite, clusters_do_not_share);
    check_add(suite, a_link_names_its_own_cluster);
    check_add(suite, connections_outlive_a_configuration);
    check_add(suite, an_old_exchange_leaves_the_new_bounds);
    check_add(suite, a_new_address_is_connected_to_anew);
    if (GW_HAVE_H2)
        check_add(suite, a_refused_connection_is_not_tried_at_once);
    return suite;
}
