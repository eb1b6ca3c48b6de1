/* unit/backend_test.c: a backend whose operations fail, one kind after the other, on either side, with and
 * without having moved something first, late and soon to tell of a close; and a host in mode 1 that reports
 * the same failures. That link ends, with one close and no operation after it; the exchange on it ends
 * once; everybody else is served; and nobody has broken the contract. */

#include "base/misuse.h"
#include "check_main.h"
#include "parts.h"

enum op { CONNECT, RECV, SEND, SHUTDOWN, GIVE_BACK, OPS };
enum { WIRES = 16, BYTES = 4096 };

/* One link of the backend's. */
static struct wire {
    gw_link *link; /* NULL: closed, or unused */
    bool is_upstream, is_reading, has_failed, is_closing;
    char in[BYTES], out[BYTES]; /* what the peer says; what it was sent, zero-terminated */
    size_t in_len, in_at, out_len;
} wires[WIRES];
static int wires_len;

/* What goes wrong. */
static struct plan {
    enum op op;
    bool is_upstream; /* of links to upstreams, else of clients             */
    bool is_partial;  /* it has moved a byte, and reported it, before       */
    bool is_late;     /* close is told later                                */
    gw_status status;
} plan;
static bool is_armed;
static int failures, closes, ends, panics;

static struct mode1 host; /* for its allocator, engine and worker */
static gw_cause last_cause;

static struct wire *wire_of(gw_link *l)
{
    struct wire *w = gw_link_io(l);

    if (w == NULL) {
        ck_assert_int_lt(wires_len, WIRES);
        w = &wires[wires_len++];
        w->link = l;
        gw_link_set_io(l, w);
    }
    ck_assert_ptr_eq(w->link, l);
    return w;
}

static void read_wire(struct wire *w)
{
    gw_span room;
    size_t n = w->in_len - w->in_at;

    if (!w->is_reading || n == 0 || gw_link_room(w->link, &room, 1) == 0)
        return;
    n = n < room.len ? n : room.len;
    memcpy(room.ptr, w->in + w->in_at, n);
    w->in_at += n;
    w->is_reading = false;
    gw_link_received(w->link, n, GW_AGAIN);
}

static void close_wire(struct wire *w)
{
    gw_link *l = w->link;

    w->link = NULL;
    gw_link_closed(l);
}

/* Does this one fail? */
static bool fails(struct wire *w, enum op op)
{
    ck_assert(!w->has_failed && !w->is_closing); /* nothing is asked of it any more */
    if (!is_armed || op != plan.op || w->is_upstream != plan.is_upstream)
        return false;
    w->has_failed = true;
    failures++;
    return true;
}

static gw_status be_connect(void *io, gw_link *l, const gw_destination *target)
{
    struct wire *w = wire_of(l);

    ck_assert_ptr_eq(io, wires);
    ck_assert_uint_gt(target->address.len, 0);
    w->is_upstream = true;
    if (fails(w, CONNECT))
        return plan.status;
    gw_link_connected(l, GW_OK, NULL);
    return GW_OK;
}

static gw_status be_recv(void *io, gw_link *l)
{
    struct wire *w = wire_of(l);

    (void)io;
    ck_assert(!w->is_reading);
    w->is_reading = true;
    if (fails(w, RECV)) {
        if (plan.is_partial)
            read_wire(w);
        return plan.status;
    }
    return GW_OK;
}

static gw_status be_send(void *io, gw_link *l, const gw_const_span *v, size_t n)
{
    struct wire *w = wire_of(l);
    size_t len = 0;

    (void)io;
    if (fails(w, SEND)) {
        if (plan.is_partial)
            gw_link_sent(l, 1, GW_OK);
        return plan.status;
    }
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_lt(w->out_len + v[i].len, BYTES);
        memcpy(w->out + w->out_len, v[i].ptr, v[i].len);
        w->out_len += v[i].len;
        len += v[i].len;
    }
    gw_link_sent(l, len, GW_OK);
    return GW_OK;
}

static gw_status be_shutdown(void *io, gw_link *l)
{
    (void)io;
    if (fails(wire_of(l), SHUTDOWN))
        return plan.status;
    gw_link_sent(l, 0, GW_EOF);
    return GW_OK;
}

static gw_status be_give_back(void *io, gw_link *l)
{
    struct wire *w = wire_of(l);

    (void)io;
    if (fails(w, GIVE_BACK))
        return plan.status;
    close_wire(w);
    return GW_OK;
}

static void be_close(void *io, gw_link *l)
{
    struct wire *w = wire_of(l);

    (void)io;
    ck_assert(!w->is_closing);
    w->is_closing = true;
    closes += w->has_failed;
    if (!plan.is_late)
        close_wire(w);
}

/* ---- the host ---- */

static void note_panic(void *ctx, const char *call, const char *text)
{
    (void)ctx;
    (void)call;
    (void)text;
    panics++;
}

static void see_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    ends++;
    last_cause = gw_exchange_cause(x);
}

static gw_config *make_config(void)
{
    gw_builder *b = parts_begin(&host);
    gw_route_spec mine = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);

    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    mine.host = gw_cstr("mine");
    parts_route(b, "/", &mine, "web");
    filter.name = "ends";
    filter.on_end = see_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    return parts_build(b);
}

static void start(bool has_ops)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_io_ops ops = GW_SPEC(gw_io_ops);

    memset(&host, 0, sizeof host);
    memset(wires, 0, sizeof wires);
    wires_len = failures = closes = ends = panics = 0;
    is_armed = false;
    test_alloc_init(&host.alloc);
    host.panic = note_panic;
    mode1_start(&host, make_config(), NULL);
    if (!has_ops)
        return;
    gw_worker_free(host.worker);
    ops.connect = be_connect;
    ops.recv = be_recv;
    ops.send = be_send;
    ops.shutdown = be_shutdown;
    ops.give_back = be_give_back;
    ops.close = be_close;
    spec.ops = &ops;
    spec.io = wires;
    spec.seed = 1;
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &host.worker), GW_OK);
}

/* Steps and moves bytes until nothing is left to do. */
static void drive(void)
{
    for (int round = 0; round < 50; round++) {
        while (gw_worker_step(host.worker, host.now) == GW_AGAIN)
            ;
        for (int i = 0; i < wires_len; i++)
            if (wires[i].link != NULL && !wires[i].is_closing)
                read_wire(&wires[i]);
    }
    for (int i = 0; i < wires_len; i++)
        if (wires[i].link != NULL && wires[i].is_closing)
            close_wire(&wires[i]);
    while (gw_worker_step(host.worker, host.now) == GW_AGAIN)
        ;
}

static struct wire *accept_one(uint32_t flags)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link;

    ck_assert_int_lt(wires_len, WIRES);
    spec.listener = gw_cstr("edge");
    spec.flags = flags;
    spec.io = &wires[wires_len];
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
    wires[wires_len].link = link;
    return &wires[wires_len++];
}

static void say(struct wire *w, const char *text)
{
    ck_assert_uint_lt(w->in_len + strlen(text), BYTES);
    memcpy(w->in + w->in_len, text, strlen(text));
    w->in_len += strlen(text);
    drive();
}

/* The upstream that got this answers. */
static void answer(const char *path)
{
    for (int i = 0; i < wires_len; i++)
        if (wires[i].link != NULL && wires[i].is_upstream && strstr(wires[i].out, path) != NULL) {
            wires[i].out_len = 0;
            memset(wires[i].out, 0, BYTES);
            say(&wires[i], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        }
}

static const char slow[] = "GET /slow HTTP/1.1\r\nHost: mine\r\n\r\n";
static const char begun[] = "POST /bad HTTP/1.1\r\nHost: mine\r\nContent-Length: 9\r\n\r\nabc";

/* Brings the victim to the point where that operation is asked of it, or of its upstream. */
static void provoke(struct wire *victim)
{
    switch (plan.op) {
    case CONNECT:
        say(victim, begun);
        return;
    case RECV:
    case SEND:
        is_armed = plan.is_upstream && plan.op == RECV;
        say(victim, begun);
        is_armed = true;
        if (plan.is_upstream || plan.op == RECV)
            say(victim, "def"); /* is read, asked for more, and sent on */
        else
            answer("/bad");
        return;
    case SHUTDOWN:
        say(victim, "GET /bad HTTP/1.1\r\nHost: mine\r\nConnection: close\r\n\r\n");
        answer("/bad");
        return;
    case GIVE_BACK:
        say(victim, "GET /bad HTTP/1.1\r\nHost: theirs\r\n\r\n");
        return;
    case OPS:
        break;
    }
}

static const struct case_of {
    enum op op;
    bool is_upstream;
} cases[] = {
    { CONNECT, true }, { RECV, false },     { RECV, true },       { SEND, false },
    { SEND, true },    { SHUTDOWN, false }, { GIVE_BACK, false },
};
enum { CASES = sizeof cases / sizeof *cases, STATUSES = 4, WAYS = 4 * STATUSES };

START_TEST(an_operation_that_fails_ends_that_link)
{
    static const gw_status statuses[STATUSES] = { GW_EIO, GW_ENOMEM, GW_AGAIN, GW_ERESET };
    const struct case_of *c = &cases[_i / WAYS];
    struct wire *other, *victim;
    int ends_before;

    plan = (struct plan){ c->op, c->is_upstream, _i % 2 != 0, _i / 2 % 2 != 0,
                          statuses[_i / 4 % STATUSES] };
    start(true);
    other = accept_one(0);
    say(other, slow);
    victim = accept_one(c->op == GIVE_BACK ? GW_ACCEPT_RETURN : 0);
    ends_before = ends;
    is_armed = true;
    provoke(victim);
    is_armed = false;
    ck_assert_int_ge(failures, 1);
    ck_assert_int_eq(closes, failures);
    if (!c->is_upstream) { /* its connection is gone, whatever was under way */
        ck_assert_int_eq(failures, 1);
        ck_assert_ptr_null(victim->link);
    } else {
        ck_assert_ptr_nonnull(strstr(victim->out, "HTTP/1.1 50"));
        ck_assert_uint_eq(last_cause.by,
                          plan.status == GW_ENOMEM ? last_cause.by : (uint32_t)GW_BY_UPSTREAM);
    }
    ck_assert_int_eq(ends, ends_before + 1);
    /* Who was under way before goes on, who comes after is served. */
    answer("/slow");
    ck_assert_ptr_nonnull(strstr(other->out, "\r\n\r\nhello"));
    other = accept_one(0);
    say(other, "GET /new HTTP/1.1\r\nHost: mine\r\n\r\n");
    answer("/new");
    ck_assert_ptr_nonnull(strstr(other->out, "\r\n\r\nhello"));
    ck_assert_int_eq(panics, 0);
    mode1_stop(&host);
}
END_TEST

/* ---- mode 1 ---- */

enum report {
    REFUSED,
    CLIENT_READ,
    UPSTREAM_READ,
    CLIENT_WRITE,
    UPSTREAM_WRITE,
    CLIENT_CLOSED,
    UPSTREAM_CLOSED,
    CLIENT_END,
    REPORTS
};

static const gw_status reasons[] = { GW_ERESET, GW_EIO, GW_ETIMEDOUT, GW_ETLS };
enum { REASONS = sizeof reasons / sizeof *reasons };

/* Answers a wish to end the writing side with a failure. */
static void fail_end(struct mode1_link *l, gw_status why)
{
    gw_notice notice = GW_SPEC(gw_notice);

    for (int round = 0; round < 10 && l->link != NULL; round++) {
        while (gw_worker_step(host.worker, host.now) == GW_AGAIN)
            ;
        while (gw_bytes_next(host.worker, &notice)) {
            if (notice.link != l->link)
                continue;
            if ((notice.want & GW_WANT_WRITE) != 0)
                mode1_take(l);
            if ((notice.want & GW_WANT_SHUTDOWN) != 0) {
                failures++;
                gw_link_sent(l->link, 0, why);
            }
            if ((notice.want & GW_WANT_CLOSE) != 0) {
                gw_link_closed(l->link);
                l->link = NULL;
            }
        }
    }
}

static void report(enum report what, struct mode1_link *victim, gw_status why)
{
    struct mode1_link *up = what == REFUSED ? NULL : mode1_upstream(&host);

    switch (what) {
    case CLIENT_READ:
        gw_link_received(victim->link, 0, why);
        break;
    case UPSTREAM_READ:
        gw_link_received(up->link, 0, why);
        break;
    case CLIENT_WRITE:
        victim->is_broken = true;
        mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        break;
    case UPSTREAM_WRITE:
        up->is_broken = true;
        mode1_say(&host, victim, "def");
        break;
    case CLIENT_CLOSED:
        gw_link_closed(victim->link);
        victim->link = NULL;
        break;
    case UPSTREAM_CLOSED:
        gw_link_closed(up->link);
        up->link = NULL;
        break;
    case CLIENT_END:
        mode1_say(&host, victim, "defghi");
        mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        gw_link_finish(victim->link);
        fail_end(victim, why);
        ck_assert_int_eq(failures, 1);
        break;
    case REFUSED:
    case REPORTS:
        break;
    }
    mode1_pump(&host);
}

START_TEST(a_report_of_a_failure_ends_that_link)
{
    enum report what = (enum report)(_i / REASONS);
    gw_status why = reasons[_i % REASONS];
    struct mode1_link *other, *of_other, *victim;
    bool is_client = what == CLIENT_READ || what == CLIENT_WRITE || what == CLIENT_CLOSED ||
                     what == CLIENT_END;

    start(false);
    other = mode1_accept(&host, "edge");
    mode1_say(&host, other, slow);
    of_other = mode1_upstream(&host);
    victim = mode1_accept(&host, "edge");
    host.refuse = what == REFUSED;
    mode1_say(&host, victim, begun);
    report(what, victim, why);
    host.refuse = false;
    ck_assert_int_eq(ends, 1);
    if (is_client)
        ck_assert_ptr_null(victim->link);
    else
        ck_assert_msg(strncmp(victim->out, "HTTP/1.1 50", 11) == 0, "%s", victim->out);
    mode1_say(&host, of_other, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    ck_assert_ptr_nonnull(strstr(other->out, "\r\n\r\nhello"));
    ck_assert_int_eq(ends, 2);
    ck_assert_int_eq(panics, 0);
    mode1_stop(&host);
}
END_TEST

static Suite *backend_suite(void)
{
    Suite *suite = suite_create("backend");

    check_add_loop(suite, an_operation_that_fails_ends_that_link, 0, CASES * WAYS);
    check_add_loop(suite, a_report_of_a_failure_ends_that_link, 0, REPORTS * REASONS);
    return suite;
}

CHECK_MAIN(backend_suite)
