/* unit/handback_test.c: connections that a host takes over and gets back, in mode 1: a keep-alive client
 * mixes what is the gateway's and what is the host's, and every byte reaches who it is for. */

#define _GNU_SOURCE
#include "handback_suites.h"
#include "mode1.h"

static struct mode1 host;

struct seen {
    int begun, ended;
    gw_cause cause;
    gw_verdict verdict; /* of the hook */
    gw_ticket ticket;   /* it waits    */
    int waits;          /* ... and so often again */
    gw_link *aborts;    /* on_end cuts this off */
};
static struct seen seen;

static gw_verdict see_request(void *ctx, gw_exchange *x)
{
    struct seen *s = ctx;
    gw_reply reply = GW_SPEC(gw_reply);

    s->begun++;
    reply.code = 403;
    if (s->verdict == GW_REPLY)
        ck_assert_int_eq(gw_exchange_reply(x, &reply), GW_OK);
    if (s->verdict == GW_WAIT)
        s->ticket = gw_exchange_wait(x);
    return s->verdict;
}

static gw_verdict see_answer(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    struct seen *s = ctx;

    (void)side;
    (void)answer;
    if (s->waits-- == 0)
        return GW_NEXT;
    s->ticket = gw_exchange_wait(x);
    return GW_WAIT;
}

static void see_end(void *ctx, const gw_exchange *x)
{
    struct seen *s = ctx;

    s->ended++;
    s->cause = gw_exchange_cause(x);
    if (s->aborts != NULL)
        gw_link_abort(gw_exchange_link(x));
}

/* ---- an origin that gives back what it gets, at once ---- */

struct echo {
    char text[56];
    uint64_t len;
};

static gw_verdict echo_begin(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    return GW_NEXT;
}

static gw_verdict echo_read(void *ctx, gw_exchange *x, gw_pipe *request)
{
    struct echo *echo = gw_exchange_memory(x);
    gw_const_span span;

    (void)ctx;
    while (gw_pipe_peek(request, &span, 1) == 1) {
        ck_assert_uint_le(echo->len + span.len, sizeof echo->text);
        memcpy(echo->text + echo->len, span.ptr, span.len);
        echo->len += span.len;
        ck_assert_int_eq(gw_pipe_drop(request, span.len), GW_OK);
    }
    if (!gw_pipe_is_last(request))
        return GW_WAIT;
    return gw_exchange_respond(x, 200) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_verdict echo_write(void *ctx, gw_exchange *x, gw_pipe *response)
{
    struct echo *echo = gw_exchange_memory(x);

    (void)ctx;
    if (gw_exchange_response(x) == NULL)
        return GW_WAIT;
    ck_assert_uint_eq(gw_pipe_write(response, echo->text, echo->len), echo->len);
    return gw_pipe_end(response) == GW_OK ? GW_NEXT : GW_ABORT;
}

/* ---- the gateway: /own is answered by a route, /echo by the origin, all else is the host's ---- */

static gw_config *make_config(void)
{
    static const gw_origin origin = { .size = sizeof(gw_origin),
                                      .name = "echo",
                                      .exchange_bytes = sizeof(struct echo),
                                      .on_request = echo_begin,
                                      .on_read = echo_read,
                                      .on_write = echo_write };
    static gw_str get = { "GET", 3 };
    gw_builder *b;
    gw_config *config;
    gw_env env = GW_SPEC(gw_env);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_route_spec own = GW_SPEC(gw_route_spec), echo = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_config_error err = GW_SPEC(gw_config_error);

    env.allocator = host.alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    listener.name = gw_cstr("edge");
    gw_builder_listener(b, &listener);
    cluster.name = gw_cstr("echo");
    cluster.origin = &origin;
    gw_builder_cluster(b, &cluster);
    own.name = own.path = gw_cstr("/own");
    own.methods = &get;
    own.methods_len = 1;
    own.reply_code = 200;
    own.reply_body = gw_cstr("own\n");
    gw_builder_route(b, &own);
    echo.name = echo.path = gw_cstr("/echo");
    echo.cluster = gw_cstr("echo");
    gw_builder_route(b, &echo);
    filter.name = "seen";
    filter.ctx = &seen;
    filter.on_request = see_request;
    filter.on_resume = see_answer;
    filter.on_end = see_end;
    gw_builder_filter(b, &filter);
    ck_assert_msg(gw_builder_build(b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    return config;
}

static void start_with(const gw_limits *limits)
{
    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    test_alloc_init(&host.alloc);
    mode1_start(&host, make_config(), limits);
}

static void start(void)
{
    start_with(NULL);
}

static uint64_t stat(const char *name)
{
    uint64_t values[128];
    gw_stat row = GW_SPEC(gw_stat);
    size_t n = gw_stats_read(host.worker, values, 128);

    for (size_t i = 0; i < n; i++)
        if (gw_stats_describe(i, &row) == GW_OK && strcmp(row.name, name) == 0)
            return values[i];
    ck_abort_msg("no such counter: %s", name);
    return 0;
}

static gw_status accept_with(const char *early, size_t len, uint32_t flags, struct mode1_link **out)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link;
    gw_status status;

    spec.listener = gw_cstr("edge");
    spec.flags = flags;
    spec.early = (gw_const_span){ early, len };
    status = gw_worker_accept(host.worker, &spec, &link);
    if (status == GW_OK)
        *out = mode1_find(&host, link);
    return status;
}

static struct mode1_link *take_over(const char *early, size_t len)
{
    struct mode1_link *l;

    ck_assert_int_eq(accept_with(early, len, GW_ACCEPT_RETURN, &l), GW_OK);
    mode1_pump(&host);
    return l;
}

/* Nothing of a link is left: neither itself nor what was promised to it. */
static void check_nothing_left(void)
{
    ck_assert(gw_worker_is_idle(host.worker));
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert_uint_eq(stat("blocks_used"), 0);
    ck_assert_uint_eq(stat("blocks_promised"), 0);
    ck_assert_uint_eq(stat("links_open"), 0);
}

/* ---- one request ---- */

/* No route, no route for the method, no path, with a body of each kind, of an old client. */
static const char *const unclaimed[] = {
    "GET /page HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "DELETE /own HTTP/1.1\r\nHost: a\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\n",
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x01x",
    "GET /page HTTP/1.0\r\n\r\n",
    "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na=b&c",
    "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\nExpect: 100-continue\r\n\r\n",
    ("POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
     "GET / H"),
    "GET /page HTTP/1.1\r\nHost: a\r\n\r\nGET /own HTTP/1.1\r\nHost: a\r\n\r\n",
};

START_TEST(what_nobody_claims_comes_back)
{
    const char *text = unclaimed[_i];
    size_t len = strlen(text);

    for (size_t cut = 0; cut < len; cut++) {
        struct mode1_link *client;
        start();
        client = take_over(NULL, 0);
        mode1_feed(&host, client, text, len, cut);
        ck_assert_ptr_null(client->link);
        ck_assert_ptr_nonnull(client->back);
        ck_assert_uint_eq(client->out_len, 0);
        ck_assert_uint_le(client->back_len, len);
        ck_assert_mem_eq(client->back, text, client->back_len);
        if (cut == 0)
            ck_assert_uint_eq(client->back_len, len);
        ck_assert_int_eq(seen.begun, 1);
        ck_assert_int_eq(seen.ended, 1);
        ck_assert_uint_eq(seen.cause.by, GW_BY_HOST);
        ck_assert_int_eq(seen.cause.status, GW_OK);
        ck_assert_uint_eq(stat("links_returned"), 1);
        ck_assert_uint_eq(stat("exchanges"), 1);
        ck_assert_uint_eq(stat("exchanges_failed"), 0);
        check_nothing_left();
        mode1_stop(&host);
    }
}
END_TEST

/* The same bytes, some of which the host has read. */
START_TEST(early_bytes_come_first)
{
    static const char text[] = "GET /page HTTP/1.1\r\nHost: a\r\n\r\nrest";
    size_t len = sizeof text - 1;

    for (size_t early = 0; early <= len; early++) {
        struct mode1_link *client;
        start();
        client = take_over(text, early);
        if (client->link != NULL)
            mode1_feed(&host, client, text + early, len - early, 1);
        ck_assert_ptr_nonnull(client->back);
        ck_assert_uint_ge(client->back_len, early);
        ck_assert_mem_eq(client->back, text, client->back_len);
        check_nothing_left();
        mode1_stop(&host);
    }
}
END_TEST

/* What is the gateway's: who cannot read it, is too slow, or is answered by a hook. */
START_TEST(what_is_answered_here_does_not_come_back)
{
    static const struct {
        const char *text, *answer;
        gw_verdict verdict;
        uint32_t later_s;
    } cases[] = {
        { "GET /own HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 ", GW_NEXT, 0 },
        { "GET /page HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 403 ", GW_REPLY, 0 },
        { "POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 403 ",
          GW_REPLY, 0 },
        { "GET /page HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 ", GW_NEXT, 0 },
        { "GET /page HTTP/7.1\r\nHost: a\r\n\r\n", "HTTP/1.1 505 ", GW_NEXT, 0 },
        { "GET /page HTTP/1.1\r\nHo", "HTTP/1.1 408 ", GW_NEXT, 11 },
    };

    start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mode1_link *client = take_over(NULL, 0);
        seen.verdict = cases[i].verdict;
        mode1_say(&host, client, cases[i].text);
        host.now += cases[i].later_s * UINT64_C(1000000000);
        mode1_pump(&host);
        ck_assert_ptr_null(client->back);
        ck_assert_msg(strncmp(client->out, cases[i].answer, strlen(cases[i].answer)) == 0, "%s",
                      client->out);
        if (client->link != NULL)
            mode1_end(&host, client);
        mode1_pump(&host);
    }
    ck_assert_uint_eq(stat("links_returned"), 0);
    check_nothing_left();
    mode1_stop(&host);
}
END_TEST

/* Then the connection goes on, behind its body; and may still go back. */
START_TEST(an_answer_here_is_not_the_last)
{
    struct mode1_link *client;

    start();
    client = take_over(NULL, 0);
    seen.verdict = GW_REPLY;
    mode1_say(&host, client, "POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 403 ", 13) == 0, "%s", client->out);
    seen.verdict = GW_NEXT;
    mode1_clear(client);
    mode1_say(&host, client, "GET /own HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 200 ", 13) == 0, "%s", client->out);
    mode1_say(&host, client, unclaimed[0]);
    ck_assert_str_eq(client->back, unclaimed[0]);
    mode1_stop(&host);
}
END_TEST

/* Without the flag, nobody has asked for it. */
START_TEST(who_does_not_ask_gets_404)
{
    struct mode1_link *client;

    start();
    ck_assert_int_eq(accept_with(NULL, 0, 0, &client), GW_OK);
    mode1_say(&host, client, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_ptr_nonnull(client->link);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 404 ", 13) == 0, "%s", client->out);
    ck_assert_uint_eq(gw_link_unread(client->link, NULL, 0), 0);
    mode1_stop(&host);
}
END_TEST

/* While a hook waits nothing of the body is taken, however long it takes; and its deadline is that of the
 * hook, not of the client. */
START_TEST(a_hook_may_wait_before)
{
    char text[600] = "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n";
    struct mode1_link *client;
    size_t len = strlen(text);

    memset(text + len, 'b', 400);
    len += 400;
    start();
    seen.verdict = GW_WAIT;
    seen.waits = 2;
    client = take_over(NULL, 0);
    mode1_feed(&host, client, text, len, 0);
    for (int i = 0; i < 3; i++) {
        host.now += UINT64_C(20000000000);
        mode1_pump(&host);
        ck_assert_int_eq(seen.ended, 0);
        ck_assert_int_eq(gw_resume(seen.ticket, NULL), GW_OK);
        mode1_pump(&host);
    }
    ck_assert_ptr_nonnull(client->back);
    ck_assert_uint_eq(client->back_len, len);
    ck_assert_mem_eq(client->back, text, len);
    check_nothing_left();
    mode1_stop(&host);
}
END_TEST

/* ---- a client that mixes ---- */

struct site {
    const char *in; /* all that the client says */
    size_t len, at; /* read of it, by whoever   */
    char out[16384];
    size_t out_len;
    int returns;
};

static void answer(struct site *s, const char *bytes, size_t len)
{
    ck_assert_uint_lt(s->out_len + len, sizeof s->out);
    memcpy(s->out + s->out_len, bytes, len);
    s->out_len += len;
    s->out[s->out_len] = '\0';
}

/* How long a request of the client's is; 0: not all of it is there. */
static size_t request_len(const char *at, size_t len)
{
    const char *end = memmem(at, len, "\r\n\r\n", 4), *field;
    size_t head, body = 0;

    if (end == NULL)
        return 0;
    head = (size_t)(end - at) + 4;
    field = memmem(at, head, "Content-Length: ", 16);
    if (field != NULL)
        body = strtoul(field + 16, NULL, 10);
    return head + body <= len ? head + body : 0;
}

/* The host reads on from the bytes that it has got, answers what is its own, and stops where another's
 * request begins: what it has read of that lies in buffer. */
static size_t serve(struct site *s, char *buffer, size_t have, size_t cut)
{
    for (;;) {
        size_t n = request_len(buffer, have);
        bool is_known = memchr(buffer, '\n', have) != NULL;
        if (is_known && memmem(buffer, have < 12 ? have : 12, " /host", 6) == NULL)
            return have;
        if (n > 0) {
            answer(s, "<host>", 6);
            answer(s, buffer, n);
            memmove(buffer, buffer + n, have - n);
            have -= n;
            continue;
        }
        if (s->at == s->len)
            return have;
        n = cut == 0 || cut > s->len - s->at ? s->len - s->at : cut;
        memcpy(buffer + have, s->in + s->at, n);
        have += n;
        s->at += n;
    }
}

static void play(struct site *s, size_t cut)
{
    char buffer[8192];
    size_t have = 0;

    while (s->at < s->len || have > 0) {
        struct mode1_link *l = take_over(buffer, have);
        while (l->link != NULL && s->at < s->len) {
            size_t n = cut == 0 || cut > s->len - s->at ? s->len - s->at : cut;
            mode1_feed(&host, l, s->in + s->at, n, 0);
            s->at += n;
        }
        answer(s, l->out, l->out_len);
        if (l->link != NULL) {
            mode1_end(&host, l);
            return;
        }
        ck_assert_ptr_nonnull(l->back);
        ck_assert_mem_eq(l->back, s->in + s->at - l->back_len, l->back_len);
        memcpy(buffer, l->back, l->back_len);
        s->returns++;
        have = serve(s, buffer, l->back_len, cut);
    }
}

START_TEST(a_client_may_mix)
{
    static const char text[] =
        "GET /own HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /host/1 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world"
        "POST /host/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET /own "
        "GET /host/3 HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /own HTTP/1.1\r\nHost: a\r\n\r\n"
        "\r\nGET /host/4 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nbye";
    static struct site whole, s;

    for (size_t cut = 0; cut < sizeof text; cut++) {
        s = (struct site){ .in = text, .len = sizeof text - 1 };
        start();
        play(&s, cut);
        check_nothing_left();
        mode1_stop(&host);
        if (cut == 0) {
            whole = s;
            ck_assert_int_eq(s.returns, 3);
            ck_assert_msg(strstr(s.out, "hello world\r\n0\r\n\r\n<host>POST /host/2 ") != NULL,
                          "%s", s.out);
        }
        ck_assert_str_eq(s.out, whole.out);
        ck_assert_int_eq(s.returns, whole.returns);
    }
}
END_TEST

/* ---- what does not fit ---- */

START_TEST(what_does_not_fit_is_refused_whole)
{
    gw_limits limits = GW_SPEC(gw_limits);
    static char many[20000];
    struct mode1_link *client, *other;

    limits.block_bytes = 1024;
    limits.blocks_max = 90;
    limits.h2_links_max = GW_OFF;
    start_with(&limits);
    ck_assert_int_eq(accept_with(many, 8 * 1024 + 1, 0, &client), GW_ELIMIT);
    ck_assert_int_eq(accept_with(NULL, 1, 0, &client), GW_EINVAL);
    ck_assert_int_eq(accept_with(NULL, 0, 0x80, &client), GW_EINVAL);
    memset(many, 'a', sizeof many);
    memcpy(many, "GET /own?", 9);
    for (int i = 0; i < 20; i++) { /* until what they have sent fills the pool */
        gw_status status = accept_with(many, 8 * 1024, 0, &other);
        if (status == GW_OK)
            continue;
        ck_assert_int_eq(status, GW_ENOMEM);
        ck_assert_int_gt(i, 5);
        break;
    }
    ck_assert_int_eq(accept_with("GET", 3, 0, &client), GW_ENOMEM);
    mode1_stop(&host);
    limits.blocks_max = 16; /* the fewest */
    start_with(&limits);
    client = take_over(NULL, 0);
    mode1_say(&host, client, unclaimed[0]);
    ck_assert_str_eq(client->back, unclaimed[0]);
    mode1_stop(&host);
}
END_TEST

/* A head of many blocks, in a pool that has them and in one that has not. */
START_TEST(a_long_head_needs_spare_memory)
{
    gw_limits limits = GW_SPEC(gw_limits);
    static char text[9000] = "GET /page HTTP/1.1\r\nHost: a\r\n";
    size_t len = strlen(text);
    struct mode1_link *client;

    while (len < 7000)
        len += (size_t)sprintf(text + len, "A%04zu: %0800d\r\n", len, 7);
    len += (size_t)sprintf(text + len, "\r\n");
    limits.block_bytes = 1024;
    limits.blocks_max = 200;
    limits.h2_links_max = GW_OFF;
    for (size_t cut = 1; cut < 300; cut += 7) {
        start_with(&limits);
        client = take_over(NULL, 0);
        mode1_feed(&host, client, text, len, cut);
        ck_assert_msg(client->back != NULL, "cut %zu: %s", cut, client->out);
        ck_assert_uint_eq(client->back_len, len);
        ck_assert_str_eq(client->back, text);
        check_nothing_left();
        mode1_stop(&host);
    }
    limits.blocks_max = 20;
    start_with(&limits);
    client = take_over(NULL, 0);
    mode1_feed(&host, client, text, len, 100);
    ck_assert_ptr_null(client->back);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 503 ", 13) == 0, "%s", client->out);
    ck_assert_uint_eq(seen.cause.by, GW_BY_GATEWAY);
    ck_assert_int_eq(gw_status_category(seen.cause.status), GW_CAT_LIMIT);
    mode1_stop(&host);
}
END_TEST

/* Whatever allocation fails: all of it comes back, or nothing does and it has ended. */
START_TEST(any_allocation_may_fail)
{
    static const char text[] = "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na=b&c";
    int returned = 0, ended = 0;

    for (uint64_t k = 1;; k++) {
        struct mode1_link *client = NULL;
        bool has_failed;
        start();
        host.alloc.calls = 0;
        host.alloc.fail_at = k;
        if (accept_with(text, 10, GW_ACCEPT_RETURN, &client) == GW_OK) {
            mode1_pump(&host);
            for (size_t at = 10; client->link != NULL && at < sizeof text - 1; at++) {
                mode1_feed(&host, client, text + at, 1, 0);
                host.now += UINT64_C(20000000); /* it is tried again */
                mode1_pump(&host);
            }
            if (client->back != NULL)
                ck_assert_mem_eq(client->back, text, client->back_len);
            returned += client->back != NULL;
            ended += client->back == NULL;
        }
        has_failed = host.alloc.failed > 0;
        mode1_stop(&host);
        if (!has_failed)
            break;
    }
    ck_assert_int_gt(returned, 1);
    ck_assert_int_gt(ended, 0);
}
END_TEST

/* ---- the end of things ---- */

START_TEST(a_drain_does_not_lose_what_is_the_hosts)
{
    struct mode1_link *client, *late;

    start();
    client = take_over(NULL, 0);
    late = take_over(NULL, 0);
    mode1_say(&host, client, "GET /page HTTP/1.1\r\nHo");
    ck_assert_int_eq(gw_worker_drain(host.worker, 1000), GW_OK);
    mode1_pump(&host);
    mode1_say(&host, client, "st: a\r\n\r\n");
    ck_assert_str_eq(client->back, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    mode1_say(&host, late, unclaimed[0]); /* in its last moment */
    ck_assert_str_eq(late->back, unclaimed[0]);
    check_nothing_left();
    mode1_stop(&host);
}
END_TEST

/* It belongs to the host from the notice on: neither a drain nor time ends it; only the host itself. */
START_TEST(the_host_takes_its_time)
{
    struct mode1_link *client;
    gw_notice notice = GW_SPEC(gw_notice);
    gw_span room[2];
    gw_const_span spans[2];
    const char *text = unclaimed[10]; /* and another one behind it */

    start();
    client = take_over(NULL, 0);
    ck_assert_uint_gt(gw_link_room(client->link, room, 2), 0);
    memcpy(room[0].ptr, text, strlen(text));
    gw_link_received(client->link, strlen(text), GW_OK);
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert(gw_bytes_next(host.worker, &notice));
    ck_assert_uint_eq(notice.want, GW_WANT_RETURN);
    ck_assert_int_eq(gw_worker_drain(host.worker, 1), GW_OK);
    for (int i = 0; i < 100; i++, host.now += UINT64_C(1000000000))
        ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert(!gw_bytes_next(host.worker, &notice));
    ck_assert_uint_eq(gw_link_want(client->link), GW_WANT_RETURN);
    ck_assert_uint_eq(gw_link_room(client->link, room, 2), 0);
    ck_assert_uint_eq(gw_link_unread(client->link, NULL, 0), 2);
    ck_assert_uint_eq(gw_link_unread(client->link, spans, 1), 2);
    ck_assert_mem_eq(spans[0].ptr, text, spans[0].len);
    ck_assert_uint_eq(gw_link_unread(client->link, spans, 2), 2);
    ck_assert_mem_eq(spans[1].ptr, text + spans[0].len, spans[1].len);
    ck_assert_uint_eq(spans[0].len + spans[1].len, strlen(text));
    ck_assert(!gw_worker_is_idle(host.worker));
    ck_assert_uint_eq(stat("blocks_promised"), 0);
    ck_assert_uint_eq(stat("blocks_used"), 2); /* where its head lies, and the rest */
    gw_link_closed(client->link);
    ck_assert_uint_eq(gw_link_unread(client->link, spans, 2), 0);
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    client->link = NULL;
    check_nothing_left();
    mode1_stop(&host);
}
END_TEST

/* ---- an own backend ---- */

struct backend {
    gw_link *given; /* asked to be given back */
    int closes;
    gw_status answer;
};

static gw_status no_connect(void *io, gw_link *l, const gw_destination *target)
{
    (void)io;
    (void)l;
    (void)target;
    return GW_EREFUSED;
}

static gw_status wait_recv(void *io, gw_link *l)
{
    (void)io;
    (void)l;
    return GW_OK;
}

static gw_status no_send(void *io, gw_link *l, const gw_const_span *v, size_t n)
{
    (void)io;
    (void)l;
    (void)v;
    (void)n;
    return GW_EIO;
}

static gw_status give_back(void *io, gw_link *l)
{
    struct backend *b = io;

    ck_assert_ptr_null(b->given);
    b->given = l;
    return b->answer;
}

static void close_it(void *io, gw_link *l)
{
    struct backend *b = io;

    b->closes++;
    gw_link_closed(l);
}

static gw_link *ask_over(struct backend *b, gw_worker *w)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link;

    (void)b;
    spec.listener = gw_cstr("edge");
    spec.flags = GW_ACCEPT_RETURN;
    spec.early = (gw_const_span){ unclaimed[0], strlen(unclaimed[0]) };
    ck_assert_int_eq(gw_worker_accept(w, &spec, &link), GW_OK);
    ck_assert_int_eq(gw_worker_step(w, host.now), GW_OK);
    return link;
}

/* Once it was asked to give back it is asked nothing more, whatever happens, until it says that it has; what
 * a receive that it had to cancel got comes along. One that fails to is asked to close; one that cannot has
 * said so before. */
START_TEST(a_backend_may_take_its_time)
{
    struct backend b = { NULL, 0, GW_OK };
    gw_io_ops ops = { .size = sizeof ops,
                      .connect = no_connect,
                      .recv = wait_recv,
                      .send = no_send,
                      .shutdown = wait_recv,
                      .close = close_it,
                      .give_back = give_back };
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_worker *w;
    gw_link *link;

    start();
    gw_worker_free(host.worker);
    spec.ops = &ops;
    spec.io = &b;
    spec.seed = 1;
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &w), GW_OK);
    link = ask_over(&b, w);
    ck_assert_ptr_eq(b.given, link);
    gw_link_abort(link);
    ck_assert_int_eq(gw_worker_drain(w, 1), GW_OK);
    for (int i = 0; i < 5; i++, host.now += UINT64_C(10000000000))
        ck_assert_int_eq(gw_worker_step(w, host.now), GW_OK);
    ck_assert_int_eq(b.closes, 0);
    ck_assert_uint_eq(gw_link_unread(link, NULL, 0), 1);
    gw_link_closed(link);
    ck_assert_int_eq(gw_worker_step(w, host.now), GW_OK);
    ck_assert(gw_worker_is_idle(w));
    gw_worker_free(w);
    b = (struct backend){ NULL, 0, GW_EIO };
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &w), GW_OK);
    link = ask_over(&b, w);
    ck_assert_ptr_eq(b.given, link);
    ck_assert_int_eq(b.closes, 1);
    ck_assert(gw_worker_is_idle(w));
    gw_worker_free(w);
    ops.give_back = NULL;
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &w), GW_OK);
    accept.listener = gw_cstr("edge");
    accept.flags = GW_ACCEPT_RETURN;
    ck_assert_int_eq(gw_worker_accept(w, &accept, &link), GW_EUNSUPPORTED);
    accept.flags = 0;
    ck_assert_int_eq(gw_worker_accept(w, &accept, &link), GW_OK);
    host.worker = w;
    mode1_stop(&host);
}
END_TEST

/* A hook that cuts it off, the host that does while it has it, a worker that is freed meanwhile. */
START_TEST(it_may_end_on_the_way)
{
    struct mode1_link *client;
    gw_span room[2];

    start();
    client = take_over(NULL, 0);
    seen.aborts = client->link;
    mode1_say(&host, client, unclaimed[0]);
    ck_assert_ptr_null(client->back);
    ck_assert_ptr_null(client->link);
    check_nothing_left();
    seen.aborts = NULL;
    for (int frees = 0; frees < 2; frees++) {
        client = take_over(NULL, 0);
        ck_assert_uint_gt(gw_link_room(client->link, room, 2), 0);
        memcpy(room[0].ptr, unclaimed[0], strlen(unclaimed[0]));
        gw_link_received(client->link, strlen(unclaimed[0]), GW_OK);
        ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
        ck_assert_uint_eq(gw_link_want(client->link), GW_WANT_RETURN);
        if (frees != 0)
            break;
        gw_link_finish(client->link);
        gw_link_abort(client->link);
        ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
        ck_assert_uint_eq(gw_link_want(client->link), GW_WANT_CLOSE);
        ck_assert_uint_eq(gw_link_unread(client->link, NULL, 0), 0);
        mode1_pump(&host);
        check_nothing_left();
    }
    mode1_stop(&host);
}
END_TEST

/* A client that has ended its side still gets the host's answer; one that broke off does not. */
START_TEST(a_client_may_have_ended)
{
    struct mode1_link *client;

    start();
    for (int i = 0; i < 3; i++) {
        gw_span room[2];
        client = take_over(NULL, 0);
        ck_assert_uint_gt(gw_link_room(client->link, room, 2), 0);
        memcpy(room[0].ptr, unclaimed[0], strlen(unclaimed[0]));
        gw_link_received(client->link, strlen(unclaimed[0]), i == 2 ? GW_ERESET : GW_EOF);
        if (i == 1)
            gw_link_received(client->link, 0, GW_EOF);
        mode1_pump(&host);
        ck_assert_ptr_null(client->link);
        if (i == 2)
            ck_assert_ptr_null(client->back);
        else
            ck_assert_str_eq(client->back, unclaimed[0]);
    }
    check_nothing_left();
    mode1_stop(&host);
}
END_TEST

/* The end came with the body, before anybody had claimed it: whole, it is answered; cut, it is not. */
START_TEST(a_body_may_end_with_its_connection)
{
    static const char *const texts[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n",
    };

    start();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct mode1_link *client = take_over(NULL, 0);
        gw_span room[2];
        ck_assert_uint_gt(gw_link_room(client->link, room, 2), 0);
        memcpy(room[0].ptr, texts[i], strlen(texts[i]));
        gw_link_received(client->link, strlen(texts[i]), GW_EOF);
        mode1_pump(&host);
        ck_assert_ptr_null(client->link);
        ck_assert_ptr_null(client->back);
        ck_assert_int_eq(strstr(client->out, "abc\r\n0\r\n\r\n") != NULL, i == 0);
        ck_assert_uint_eq(seen.cause.by, i == 0 ? GW_BY_NONE : GW_BY_CLIENT);
    }
    check_nothing_left();
    mode1_stop(&host);
}
END_TEST

Suite *handback_suite(void)
{
    Suite *suite = suite_create("handback");

    check_add_loop(suite, what_nobody_claims_comes_back, 0,
                   (int)(sizeof unclaimed / sizeof *unclaimed));
    check_add(suite, early_bytes_come_first);
    check_add(suite, what_is_answered_here_does_not_come_back);
    check_add(suite, an_answer_here_is_not_the_last);
    check_add(suite, who_does_not_ask_gets_404);
    check_add(suite, a_hook_may_wait_before);
    check_add(suite, a_client_may_mix);
    check_add(suite, what_does_not_fit_is_refused_whole);
    check_add(suite, a_long_head_needs_spare_memory);
    check_add(suite, any_allocation_may_fail);
    check_add(suite, a_drain_does_not_lose_what_is_the_hosts);
    check_add(suite, the_host_takes_its_time);
    check_add(suite, a_backend_may_take_its_time);
    check_add(suite, it_may_end_on_the_way);
    check_add(suite, a_client_may_have_ended);
    check_add(suite, a_body_may_end_with_its_connection);
    return suite;
}

CHECK_MAIN(facts_suite, handback_suite, handback_loop_suite)
