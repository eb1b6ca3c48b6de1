/* unit/admission_test.c: who is let in and who waits, when others leave little of the pool; docs/flow-control.md.
 * That whoever was let in can go on is the simulator's to show. */

#include "check_main.h"
#include "gw_features.h"
#include "link/slot.h"
#include "parts.h"
#include "worker_suites.h"

enum { ONE = GW_SLOT_LINK + GW_SLOT_EXCHANGE + GW_SLOT_LINK, HEAD_MS = 3000 };

static struct mode1 host;
static struct gw_reserve others; /* what is promised to those who are not looked at here */
static const char hello[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

static gw_config *make_config(void)
{
    gw_builder *b = parts_begin(&host);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec two = GW_SPEC(gw_route_spec), reply = GW_SPEC(gw_route_spec);
    gw_id id;

    listener.name = gw_cstr("edge");
    listener.head_timeout_ms = HEAD_MS;
    gw_builder_listener(b, &listener);
    cluster.protocols = GW_PROTO_H1;
    parts_cluster(b, "web", &cluster, "127.0.0.1:81");
    cluster.name = gw_cstr("two");
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = gw_cstr("127.0.0.1:82");
    gw_builder_endpoint(b, id, &endpoint);
    endpoint.address = gw_cstr("127.0.0.1:83");
    gw_builder_endpoint(b, id, &endpoint);
    two.retries = 1;
    parts_route(b, "/two", &two, "two");
    parts_route(b, "/", NULL, "web");
    reply.reply_code = 200;
    parts_route(b, "/hello", &reply, NULL);
    return parts_build(b);
}

/* In a pool of more than twice as many, so many blocks are left. */
static void start_with(uint32_t blocks, uint32_t block_bytes, uint32_t head_bytes, bool has_h2)
{
    gw_limits limits = GW_SPEC(gw_limits);

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    limits.block_bytes = block_bytes;
    limits.head_bytes_max = head_bytes;
    limits.blocks_max = 2 * blocks + 2;
    limits.h2_links_max = has_h2 ? 0 : GW_OFF;
    mode1_start(&host, make_config(), &limits);
    others = (struct gw_reserve){ .size = 0 };
    ck_assert_int_eq(gw_reserve_grow(&others, &host.worker->pool, blocks + 2), GW_OK);
}

static void stop(void)
{
    gw_reserve_end(&others, &host.worker->pool);
    mode1_stop(&host);
}

static void start(uint32_t blocks, bool has_h2)
{
    start_with(blocks, 2048, 2048, has_h2);
}

static const struct gw_pool *pool(void)
{
    return &host.worker->pool;
}

static uint32_t promised(void)
{
    return pool()->promised - others.size;
}

static bool is_answered(const struct mode1_link *l)
{
    return strstr(l->out, "HTTP/1.1 200 OK\r\n") == l->out;
}

START_TEST(who_is_idle_holds_nothing)
{
    struct mode1_link *client, *upstream;

    start(ONE, false);
    client = mode1_accept(&host, "edge");
    mode1_pump(&host);
    ck_assert_uint_eq(promised(), 0);
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_uint_gt(promised(), 0);
    upstream = mode1_upstream(&host);
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_msg(is_answered(client), "%s", client->out);
    ck_assert_uint_eq(promised(), 0);
    ck_assert_uint_eq(pool()->out, 0);
    stop();
}
END_TEST

/* First come, first served; nobody is closed for it. */
START_TEST(who_finds_no_slot_waits_in_line)
{
    struct mode1_link *l[4];
    gw_span room[1];

    start(ONE, false);
    for (int i = 0; i < 4; i++)
        l[i] = mode1_accept(&host, "edge");
    mode1_pump(&host);
    mode1_say(&host, l[0], "GET /hel");
    for (int i = 1; i < 4; i++)
        ck_assert_uint_eq(gw_link_room(l[i]->link, room, 1), 0);
    mode1_pump(&host);
    ck_assert_uint_eq(gw_link_want(l[1]->link) & GW_WANT_READ, GW_WANT_READ);
    mode1_say(&host, l[0], "lo HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert(is_answered(l[0]));
    for (int i = 1; i < 4; i++) { /* the next one's turn; the others still wait */
        for (int j = i + 1; j < 4; j++)
            ck_assert_uint_eq(gw_link_room(l[j]->link, room, 1), 0);
        mode1_say(&host, l[i], hello);
        ck_assert_msg(is_answered(l[i]), "%d: %s", i, l[i]->out);
    }
    ck_assert_uint_eq(promised(), 0);
    stop();
}
END_TEST

/* Told again when its turn has come: in mode 1 by a notice. */
START_TEST(who_waits_is_told)
{
    struct mode1_link *first, *second;
    gw_notice notice = GW_SPEC(gw_notice);
    gw_span room[1];
    bool is_told = false;

    start(ONE, false);
    first = mode1_accept(&host, "edge");
    second = mode1_accept(&host, "edge");
    mode1_pump(&host);
    mode1_say(&host, first, "GET /hello HTTP/1.1\r\nHost: a\r\n");
    ck_assert_uint_eq(gw_link_room(second->link, room, 1), 0);
    ck_assert_uint_eq(gw_link_room(first->link, room, 1), 1);
    memcpy(room[0].ptr, "\r\n", 2);
    gw_link_received(first->link, 2, GW_OK);
    for (int i = 0; i < 10 && !is_told; i++) {
        ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
        while (gw_bytes_next(host.worker, &notice)) {
            if (notice.link == first->link && (notice.want & GW_WANT_WRITE) != 0)
                mode1_take(first);
            is_told = is_told || (notice.link == second->link && (notice.want & GW_WANT_READ) != 0);
        }
    }
    ck_assert(is_told);
    ck_assert_uint_eq(gw_link_room(second->link, room, 1), 1);
    stop();
}
END_TEST

START_TEST(the_head_deadline_runs_in_line)
{
    struct mode1_link *first, *second;
    gw_span room[1];

    start(ONE, false);
    first = mode1_accept(&host, "edge");
    second = mode1_accept(&host, "edge");
    mode1_pump(&host);
    host.now += GW_MS(HEAD_MS / 2); /* later than its accept: the line counts, not the connection */
    mode1_say(&host, first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_uint_eq(gw_link_room(second->link, room, 1), 0);
    host.now += GW_MS(HEAD_MS) - 1;
    mode1_pump(&host);
    ck_assert_ptr_nonnull(second->link);
    ck_assert(!second->is_shutdown);
    host.now += GW_MS(2);
    mode1_pump(&host);
    ck_assert(second->is_shutdown || second->link == NULL);
    stop();
}
END_TEST

/* The rest of a line that lies at the end of the one block has room to come. A head that its arena has no
 * room for is refused with words. */
START_TEST(one_block_is_enough_for_any_head)
{
    struct mode1_link *client;
    char request[2048];
    int len = snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\nHost: a\r\n");

    start(ONE, false);
    while (len < 900)
        len += snprintf(request + len, sizeof request - (size_t)len, "X-%d: %0100d\r\n", len, len);
    len += snprintf(request + len, sizeof request - (size_t)len, "\r\n");
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 20; i++) {
        mode1_feed(&host, client, request, (size_t)len, (size_t)(1 + i * 37));
        ck_assert_msg(is_answered(client), "%d: %s", i, client->out);
        mode1_clear(client);
    }
    ck_assert_uint_le(pool()->out_peak, ONE);
    len = snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\nHost: a\r\n");
    while (len < 1900)
        len += snprintf(request + len, sizeof request - (size_t)len, "X-%d: %d\r\n", len, len);
    len += snprintf(request + len, sizeof request - (size_t)len, "\r\n");
    mode1_feed(&host, client, request, (size_t)len, 0);
    ck_assert_msg(strstr(client->out, "HTTP/1.1 503 Service Unavailable\r\n") == client->out, "%s",
                  client->out);
    ck_assert_ptr_nonnull(strstr(client->out, "Retry-After: 1\r\n"));
    stop();
}
END_TEST

/* Heads of many blocks, which nothing is promised for: who cannot write his, since another one holds what is
 * left, waits for that and not for what the other tried with. */
START_TEST(two_that_starve_let_each_other_rest)
{
    struct mode1_link *client[2], *upstream[2];
    char head[4096];
    int len = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");

    for (int i = 0; i < 6; i++)
        len += snprintf(head + len, sizeof head - (size_t)len, "X-%d: %0500d\r\n", i, i);
    len += snprintf(head + len, sizeof head - (size_t)len, "\r\n");
    for (uint32_t blocks = 2 * ONE; blocks < 4 * ONE; blocks++) {
        start_with(blocks, 1024, 8192, false);
        for (int i = 0; i < 2; i++) {
            client[i] = mode1_accept(&host, "edge");
            mode1_say(&host, client[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            upstream[i] = mode1_upstream(&host);
        }
        for (int at = 0; at < len; at += 500)
            for (int i = 0; i < 2; i++)
                mode1_feed(&host, upstream[i], head + at, (size_t)(len - at < 500 ? len - at : 500),
                           0);
        ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
        stop();
    }
}
END_TEST

/* What was read of a next request goes behind those who were there before, and keeps its block and nothing
 * else. */
START_TEST(a_pipelined_request_waits_its_turn)
{
    struct mode1_link *l[3], *upstream;
    gw_span room[1];

    start(ONE + 2, false);
    for (int i = 0; i < 3; i++)
        l[i] = mode1_accept(&host, "edge");
    mode1_pump(&host);
    mode1_say(&host, l[0],
              "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_uint_eq(gw_link_room(l[1]->link, room, 1), 0);
    upstream = mode1_upstream(&host);
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ck_assert_uint_eq(gw_link_room(l[0]->link, room, 1), 0); /* no second one to read into */
    ck_assert_ptr_null(strstr(l[0]->out + 1, "HTTP/1.1 200 OK\r\n"));
    for (int i = 1; i < 3; i++) {
        mode1_say(&host, l[i], hello);
        ck_assert_msg(is_answered(l[i]), "%d: %s", i, l[i]->out);
        ck_assert_ptr_nonnull(strstr(l[0]->out + 1, "HTTP/1.1 200 OK\r\n")); /* its turn came */
    }
    ck_assert_uint_eq(promised(), 0);
    ck_assert_uint_eq(pool()->out, 0);
    stop();
}
END_TEST

/* What is left of a request that was answered early is no new request: it is dropped without a promise of
 * more than the connection has. What comes behind it waits like all others. */
START_TEST(the_rest_of_a_request_is_not_admitted_again)
{
    static const char post[] = "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
    struct mode1_link *a, *b, *upstream;
    char rest[600];

    memset(rest, 'x', 500);
    memcpy(rest + 500, hello, sizeof hello);
    start(GW_SLOT_LINK + ONE, false);
    a = mode1_accept(&host, "edge");
    mode1_say(&host, a, post);
    ck_assert_msg(is_answered(a), "%s", a->out);
    ck_assert_uint_eq(promised(), GW_SLOT_LINK);
    b = mode1_accept(&host, "edge");
    mode1_say(&host, b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream = mode1_upstream(&host);
    for (int i = 0; i < 5; i++) {
        mode1_feed(&host, a, rest, 100, 0);
        ck_assert(gw_chain_is_empty(&a->link->rx));
    }
    a->out_len = 0;
    mode1_say(&host, a, rest);
    ck_assert_uint_eq(a->out_len, 0);
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_msg(is_answered(b), "%s", b->out);
    mode1_pump(&host);
    ck_assert_msg(is_answered(a), "%s", a->out);
    ck_assert_uint_eq(promised(), 0);
    stop();
}
END_TEST

/* Who always has a next request cannot keep those away who need more at once than is ever left beside him. */
START_TEST(who_pipelines_lets_others_pass)
{
    enum { EARLY = (GW_SLOT_EARLY + 2047) / 2048 };
    struct mode1_link *busy, *other;
    gw_span room[1];

    start(ONE + EARLY + 1, true);
    busy = mode1_accept(&host, "edge");
    other = mode1_accept(&host, "edge");
    mode1_pump(&host);
    mode1_say(&host, busy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_uint_eq(gw_link_room(other->link, room, 1), 0);
    for (int i = 0; i < 10 && !is_answered(other); i++) {
        mode1_say(&host, busy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int k = 0; k < host.count; k++)
            if (host.links[k].is_upstream && host.links[k].link != NULL)
                mode1_say(&host, &host.links[k], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        if (gw_link_room(other->link, room, 1) > 0)
            mode1_say(&host, other, hello);
    }
    ck_assert(is_answered(other));
    stop();
}
END_TEST

/* Those who wait with something in hand may pass, after a while, who can never have enough beside them: each
 * sends the end of a request and the begin of the next in one piece, whenever it may. */
START_TEST(who_waits_with_something_is_never_locked_out)
{
    enum { MANY = 12, REQUESTS = 6 };
    struct mode1_link *l[MANY];
    size_t at[MANY] = { 0 }, len = strlen(hello) * REQUESTS, left = MANY * len;
    char all[REQUESTS * sizeof hello] = "";
    gw_span room[1];

    for (int i = 0; i < REQUESTS; i++)
        strcat(all, hello);
    start(ONE, false);
    for (int i = 0; i < MANY; i++)
        l[i] = mode1_accept(&host, "edge");
    mode1_pump(&host);
    for (size_t before = left + 1; left > 0 && left < before;) {
        before = left;
        for (int i = 0; i < MANY; i++) {
            size_t n = len - at[i] < 40 ? len - at[i] : 40;
            if (n == 0 || gw_link_room(l[i]->link, room, 1) == 0)
                continue;
            mode1_feed(&host, l[i], all + at[i], n, 0);
            at[i] += n;
            left -= n;
        }
        host.now += GW_MS(10);
        mode1_pump(&host);
    }
    ck_assert_uint_eq(left, 0);
    for (int i = 0; i < MANY; i++) {
        const char *answer = l[i]->out;
        for (int k = 0; k < REQUESTS; k++, answer++)
            ck_assert_ptr_nonnull(answer = strstr(answer, "HTTP/1.1 200 OK\r\n"));
    }
    ck_assert_uint_eq(promised(), 0);
    ck_assert_uint_eq(pool()->out, 0);
    stop();
}
END_TEST

/* If the allocator refuses a slot it is asked again after a moment, though nothing else happens. */
START_TEST(a_slot_that_was_refused_is_asked_for_again)
{
    struct mode1_link *client;
    gw_span room[1];

    start(ONE, false);
    client = mode1_accept(&host, "edge");
    mode1_pump(&host);
    host.alloc.fail_from = host.alloc.calls + 1;
    ck_assert_uint_eq(gw_link_room(client->link, room, 1), 0);
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert_uint_le(gw_worker_deadline(host.worker), host.now + GW_MS(10));
    host.alloc.fail_from = 0;
    host.now += GW_MS(10);
    mode1_pump(&host);
    ck_assert_uint_eq(gw_link_room(client->link, room, 1), 1);
    stop();
}
END_TEST

/* What is left of a request that was answered before lies in a block from before it waits: that one counts. */
START_TEST(what_was_read_counts)
{
    struct mode1_link *client;

    start(ONE, false);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 2; i++) {
        mode1_say(&host, client, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
        ck_assert_msg(is_answered(client), "%d: %s", i, client->out);
        mode1_clear(client);
        mode1_say(&host, client, "x");
    }
    ck_assert_uint_eq(promised(), 0);
    ck_assert_uint_eq(pool()->out, 0);
    stop();
}
END_TEST

/* Until the protocol is known, there is room for what an HTTP/2 client may send at once; then that is given
 * back. */
START_TEST(what_may_be_http2_needs_more)
{
    enum { EARLY = (GW_SLOT_EARLY + 2047) / 2048 };
    struct mode1_link *first, *second;
    gw_span room[1];

    start(ONE + EARLY, true);
    first = mode1_accept(&host, "edge");
    second = mode1_accept(&host, "edge");
    mode1_pump(&host);
    ck_assert_uint_eq(gw_link_room(first->link, room, 1), 1);
    ck_assert_uint_eq(promised() + pool()->out, ONE + EARLY);
    memcpy(room[0].ptr, "GET ", 4);
    gw_link_received(first->link, 4, GW_OK);
    mode1_pump(&host);
    ck_assert_uint_le(promised(), ONE);
    ck_assert_uint_eq(gw_link_room(second->link, room, 1), 0);
    stop();
}
END_TEST

/* What answers a second try has the room that was promised with the first. */
START_TEST(a_second_try_has_its_promise)
{
    struct mode1_link *client, *upstream;

    start(ONE, false);
    host.refused = "127.0.0.1:82";
    for (int i = 0; i < 2; i++) { /* one of them begins at the endpoint that refuses */
        client = mode1_accept(&host, "edge");
        mode1_say(&host, client, "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
        upstream = mode1_upstream(&host);
        mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        ck_assert_msg(is_answered(client) && strstr(client->out, "\r\n\r\nok") != NULL, "%d: %s", i,
                      client->out);
        mode1_say(&host, client, "x");
    }
    ck_assert_uint_gt(host.worker->stats.values[GW_STAT_RETRIES], 0);
    ck_assert_uint_eq(promised(), 0);
    stop();
}
END_TEST

/* A connection to an upstream that waits to be read is called by the exchange that takes it. */
START_TEST(an_upstream_in_line_is_taken_out)
{
    struct mode1_link *client, *second, *upstream;
    gw_span room[1];

    start(ONE, false);
    client = mode1_accept(&host, "edge");
    second = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream = mode1_upstream(&host);
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_msg(is_answered(client), "%s", client->out);
    mode1_clear(client);
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n");
    ck_assert_uint_eq(gw_link_room(second->link, room, 1), 0);
    ck_assert_uint_eq(gw_link_room(upstream->link, room, 1), 0);
    mode1_say(&host, client, "\r\n");
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_msg(is_answered(client), "%s", client->out);
    mode1_say(&host, second, hello);
    ck_assert_msg(is_answered(second), "%s", second->out);
    ck_assert_uint_eq(promised(), 0);
    stop();
}
END_TEST

Suite *admission_suite(void)
{
    Suite *suite = suite_create("admission");

    check_add(suite, who_is_idle_holds_nothing);
    check_add(suite, who_finds_no_slot_waits_in_line);
    check_add(suite, who_waits_is_told);
    check_add(suite, the_head_deadline_runs_in_line);
    check_add(suite, one_block_is_enough_for_any_head);
    check_add(suite, two_that_starve_let_each_other_rest);
    check_add(suite, a_pipelined_request_waits_its_turn);
    check_add(suite, the_rest_of_a_request_is_not_admitted_again);
    check_add(suite, who_waits_with_something_is_never_locked_out);
    check_add(suite, a_slot_that_was_refused_is_asked_for_again);
    check_add(suite, what_was_read_counts);
    if (GW_HAVE_H2) {
        check_add(suite, who_pipelines_lets_others_pass);
        check_add(suite, what_may_be_http2_needs_more);
    }
    check_add(suite, a_second_try_has_its_promise);
    check_add(suite, an_upstream_in_line_is_taken_out);
    return suite;
}
