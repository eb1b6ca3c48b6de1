/* unit/replay_test.c: bodies that are kept to be sent again, in mode 1: what is reserved for them, when that
 * goes back, and when they are not kept. What the peers see is in tests/proto/retry-*body*.gwt. */

#include "check_main.h"
#include "parts.h"

enum { BODY = 50000, BLOCK = 16640, BLOCKS_OF_BODY = (BODY + BLOCK - 1) / BLOCK };

static struct mode1 host;
static char body[BODY + 1];

struct plan {
    uint32_t replay, retries, blocks;
};

static gw_config *make_config(const struct plan *plan)
{
    gw_builder *b = parts_begin(&host);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_retry_spec retry = GW_SPEC(gw_retry_spec);

    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    retry.on = GW_RETRY_RESET;
    retry.backoff_base_ms = GW_OFF;
    retry.replay_bytes_max = plan->replay;
    route.retries = plan->retries;
    route.retry = &retry;
    parts_route(b, "/", &route, "web");
    return parts_build(b);
}

static void start(const struct plan *plan)
{
    gw_limits limits = GW_SPEC(gw_limits);

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    limits.blocks_max = plan->blocks;
    mode1_start(&host, make_config(plan), &limits);
    for (int i = 0; i < BODY; i++)
        body[i] = (char)('a' + i % 23);
}

/* Half of the body, of an announced length or in a chunk. */
static void ask(struct mode1_link *client, bool is_chunked)
{
    char head[120];

    if (is_chunked)
        snprintf(head, sizeof head,
                 "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
                 BODY / 2);
    else
        snprintf(head, sizeof head, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
                 BODY);
    mode1_say(&host, client, head);
    mode1_feed(&host, client, body, BODY / 2, 0);
}

static void ask_rest(struct mode1_link *client, bool is_chunked)
{
    char head[40];

    if (is_chunked) {
        snprintf(head, sizeof head, "\r\n%x\r\n", BODY / 2);
        mode1_say(&host, client, head);
    }
    mode1_feed(&host, client, body + BODY / 2, BODY / 2, 0);
    if (is_chunked)
        mode1_say(&host, client, "\r\n0\r\n\r\n");
}

/* The bytes of a body behind the head that was sent, chunks' framing taken off. */
static size_t body_of(const struct mode1_link *up, char *out)
{
    const char *at = strstr(up->out, "\r\n\r\n"), *end = up->out + up->out_len;
    bool is_chunked = strstr(up->out, "chunked") != NULL;
    size_t len = 0;

    ck_assert_ptr_nonnull(at);
    at += 4;
    if (!is_chunked) {
        memcpy(out, at, (size_t)(end - at));
        return (size_t)(end - at);
    }
    while (at < end) {
        char *next;
        size_t n = strtoul(at, &next, 16);
        if (n == 0)
            break;
        memcpy(out + len, next + 2, n);
        len += n;
        at = next + 2 + n + 2;
    }
    return len;
}

static void check_body(const struct mode1_link *up)
{
    static char got[MODE1_OUT];

    ck_assert_uint_eq(body_of(up, got), BODY);
    ck_assert_int_eq(memcmp(got, body, BODY), 0);
}

static struct mode1_link *break_upstream(void)
{
    struct mode1_link *up = mode1_upstream(&host);

    gw_link_received(up->link, 0, GW_ERESET);
    mode1_pump(&host);
    return mode1_upstream(&host);
}

/* Blocks that are kept or promised, beyond those of the same request whose body nobody keeps. */
static uint64_t held(void)
{
    return mode1_stat(&host, "blocks_promised") + mode1_stat(&host, "blocks_used");
}

/* Broken off in the middle and at the end, it is sent twice more, and each time as it was. */
START_TEST(a_long_body_is_sent_again)
{
    struct mode1_link *client, *up;

    start(&(struct plan){ .replay = BODY, .retries = 2 });
    client = mode1_accept(&host, "edge");
    ask(client, _i == 1);
    up = break_upstream();
    ask_rest(client, _i == 1);
    check_body(up);
    up = break_upstream();
    check_body(up);
    mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_ptr_nonnull(strstr(client->out, " 200 "));
    ck_assert_uint_eq(mode1_stat(&host, "retries"), 2);
    ck_assert_uint_eq(mode1_stat(&host, "replays_refused"), 0);
    mode1_stop(&host);
}
END_TEST

/* One byte more than is kept: it is not sent again, and holds nothing. */
START_TEST(a_longer_one_is_not_kept)
{
    struct mode1_link *client;

    start(&(struct plan){ .replay = BODY - 1 });
    client = mode1_accept(&host, "edge");
    ask(client, _i == 1);
    ask_rest(client, _i == 1);
    gw_link_received(mode1_upstream(&host)->link, 0, GW_ERESET);
    mode1_pump(&host);
    ck_assert_msg(strstr(client->out, " 502 ") != NULL, "%s", client->out);
    ck_assert_uint_eq(mode1_stat(&host, "retries"), 0);
    ck_assert_uint_eq(mode1_stat(&host, "replays_refused"), 0); /* it was not for want of memory */
    mode1_stop(&host);
}
END_TEST

static uint64_t held_with(uint32_t replay, bool is_answered, bool is_last)
{
    struct mode1_link *client, *up;
    uint64_t n;

    start(&(struct plan){ .replay = replay });
    client = mode1_accept(&host, "edge");
    ask(client, false);
    up = is_last ? break_upstream() : mode1_upstream(&host);
    if (is_answered)
        mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    n = held();
    ck_assert_uint_eq(mode1_stat(&host, "retries"), is_last);
    mode1_stop(&host);
    return n;
}

/* All of it is reserved with the first bytes; and goes back with the response's first, or the last try. */
START_TEST(it_is_reserved_and_goes_back)
{
    uint64_t without = held_with(GW_OFF, false, false), answered = held_with(GW_OFF, true, false);

    ck_assert_uint_eq(held_with(BODY, false, false), without + BLOCKS_OF_BODY);
    ck_assert_uint_eq(held_with(BODY, true, false), answered);
    ck_assert_uint_eq(held_with(BODY, false, true), without);
}
END_TEST

/* Of a pool of which not more than half would be spare nothing is kept for it. */
START_TEST(it_is_never_of_the_half_for_admissions)
{
    uint32_t first = 16, least = 0, blocks;
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint f = GW_SPEC(gw_footprint);

    limits.blocks_max = first; /* the smallest that is legal */
    while (gw_limits_footprint(&limits, NULL, &f) != GW_OK)
        limits.blocks_max = ++first;
    for (blocks = first; blocks < 100 && least == 0; blocks++) {
        struct mode1_link *client;
        uint64_t spare;
        start(&(struct plan){ .replay = BODY, .blocks = blocks });
        client = mode1_accept(&host, "edge");
        ask(client, false);
        spare = blocks - held();
        if (mode1_stat(&host, "replays_refused") == 0) {
            least = blocks;
            ck_assert_uint_gt(spare, blocks / 2);
        }
        ask_rest(client, false); /* it goes on, whichever */
        ck_assert_uint_gt(mode1_upstream(&host)->out_len, BODY);
        gw_link_received(mode1_upstream(&host)->link, 0, GW_ERESET);
        mode1_pump(&host);
        ck_assert_uint_eq(mode1_stat(&host, "retries"), least > 0);
        mode1_stop(&host);
    }
    ck_assert_uint_gt(least, first);
    ck_assert_uint_lt(least, 100);
}
END_TEST

/* gw check and who asks for the footprint see it. */
START_TEST(the_footprint_counts_it)
{
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint f = GW_SPEC(gw_footprint);
    gw_config *config;

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    for (int i = 0; i < 3; i++) {
        limits.exchanges_max = i == 2 ? 20000 : 10;
        config = make_config(&(struct plan){ .replay = i == 0 ? 0 : BODY });
        ck_assert_int_eq(gw_limits_footprint(&limits, config, &f), GW_OK);
        ck_assert_uint_eq(f.replay, i == 0   ? 0
                                    : i == 1 ? 10ull * BLOCKS_OF_BODY * BLOCK
                                             : 16384ull * BLOCK);
        gw_config_unref(config);
    }
    test_alloc_fini(&host.alloc);
}
END_TEST

static Suite *replay_suite(void)
{
    Suite *s = suite_create("replay");
    check_add_loop(s, a_long_body_is_sent_again, 0, 2);
    check_add_loop(s, a_longer_one_is_not_kept, 0, 2);
    check_add(s, it_is_reserved_and_goes_back);
    check_add(s, it_is_never_of_the_half_for_admissions);
    check_add(s, the_footprint_counts_it);
    return s;
}

CHECK_MAIN(replay_suite)
