/* unit/show_test.c: filters of bodies: what they see, pass, take off, write and lend, in both directions;
 * lengths that follow; bodies that are held; waiting and answering in the middle; trailers. */

#include "check_main.h"
#include "filter_suites.h"
#include "parts.h"

static struct mode1 host;

enum { FILTERS = 2, SAW_MAX = 1 << 20 };

enum deed {
    LOOKS,    /* passes everything                                          */
    SHOUTS,   /* replaces each byte by its capital                          */
    DOUBLES,  /* writes each byte twice, as far as there is room            */
    WIDENS,   /* likewise, but many at once or none                         */
    EATS,     /* drops everything, writes a word at the end                 */
    COLLECTS, /* takes nothing, and passes it all at the end                */
    LENDS,    /* replaces everything by bytes of the host's                 */
    WAITS,    /* waits once, in the hook and in the end, then passes        */
    REPLIES,  /* answers when it sees the first byte                        */
    REPLIES_END,
    REPLIES_LATE,     /* makes an answer at the first byte, waits, and gives it then */
    REPLIES_UPSTREAM, /* ... in on_upstream */
    REPLIES_AT_ONCE,  /* in on_request      */
    REPLIES_INSTEAD,  /* in on_response     */
    SERVES,           /* in on_request, in pieces */
    SERVES_MUCH,      /* ... more than there is room for */
    WRITES_MORE,      /* replaces everything by more than there is room for, perhaps */
    NEEDS_MUCH,       /* passes all where there is all the room of a pipe, else nothing */
    KEEPS_SOME,       /* passes all; from some time on, all but the last bytes */
    WRITES_AND_WAITS, /* more than there is memory for, and passes all after that */
    WRITES_AND_LENDS, /* ... and writes the rest when it is asked again */
    WRITES_AT_END,    /* a whole pipe */
    WRITES_LATE,      /* waits at the end, and writes more than there is memory for */
    ABORTS,
    LEAVES, /* takes nothing at all, and there is nothing after it        */
    CHEATS  /* drops what it may not drop                                 */
};

static struct filter {
    enum deed deed;
    uint32_t side; /* GW_SIDE_* of what follows */
    char *saw;     /* all bytes that were taken off */
    size_t saw_len;
    int calls, ends, ended, resumed, responses;
    uint64_t peeked_max;
    gw_ticket ticket;
    gw_pipe *pipe;
    bool has_waited, is_over, adds_trailer, drops_trailers;
    uint32_t show;    /* gw_exchange_show_body in on_request and on_response; GW_OFF: not */
    uint64_t pending; /* of DOUBLES: bytes of which one copy is out */
    gw_cause cause;
    uint32_t code; /* that the client was told */
} filters[FILTERS];

enum { LONG = 300000, ROOMY = 4000, KEPT = 200, KEEPS_FROM = 10000 };
static char *big; /* of letters */

static char lent[] = "lent by the host";
static int lent_back;

static void take_back(void *ctx, void *object)
{
    ck_assert_ptr_eq(ctx, &host);
    ck_assert_ptr_eq(object, lent);
    lent_back++;
}

static void note(struct filter *f, const void *ptr, size_t len)
{
    ck_assert_uint_lt(f->saw_len + len, SAW_MAX);
    memcpy(f->saw + f->saw_len, ptr, len);
    f->saw_len += len;
}

static void pass_all(struct filter *f, gw_pipe *p)
{
    gw_const_span span;

    while (gw_pipe_peek(p, &span, 1) == 1) {
        note(f, span.ptr, span.len);
        ck_assert_int_eq(gw_pipe_pass(p, span.len), GW_OK);
    }
}

static void drop_all(struct filter *f, gw_pipe *p)
{
    gw_const_span span;

    while (gw_pipe_peek(p, &span, 1) == 1) {
        note(f, span.ptr, span.len);
        ck_assert_int_eq(gw_pipe_drop(p, span.len), GW_OK);
    }
}

static void shout(struct filter *f, gw_pipe *p)
{
    gw_const_span span;

    while (gw_pipe_peek(p, &span, 1) == 1) {
        char piece[100];
        size_t n = span.len < sizeof piece ? span.len : sizeof piece;
        n = n < gw_pipe_room(p) ? n : gw_pipe_room(p);
        if (n == 0)
            return;
        memcpy(piece, span.ptr, n);
        for (size_t i = 0; i < n; i++)
            piece[i] = (char)(piece[i] >= 'a' && piece[i] <= 'z' ? piece[i] - 32 : piece[i]);
        if (f->calls % 2 == 0)
            ck_assert_int_eq(gw_pipe_drop(p, n), GW_OK);
        ck_assert_uint_eq(gw_pipe_write(p, piece, n), n);
        if (f->calls % 2 != 0) {
            gw_const_span two[2];
            if (gw_pipe_peek(p, two, 2) == 1 && two[0].len == n)
                ck_assert_int_eq(gw_pipe_pass(p, n), GW_EINVAL); /* they were replaced */
            ck_assert_int_eq(gw_pipe_drop(p, n), GW_OK);
        }
        if (gw_pipe_peek(p, &span, 1) == 0) { /* it announced no more */
            ck_assert_uint_eq(gw_pipe_room(p), 0);
            ck_assert_uint_eq(gw_pipe_write(p, piece, n), 0);
        }
        note(f, piece, n);
    }
}

static void twice(struct filter *f, gw_pipe *p)
{
    gw_const_span span;

    while (gw_pipe_peek(p, &span, 1) == 1 && gw_pipe_room(p) >= 2) {
        char both[2];
        memcpy(both, span.ptr, 1);
        both[1] = both[0];
        ck_assert_uint_eq(gw_pipe_write(p, both, 2), 2);
        ck_assert_int_eq(gw_pipe_drop(p, 1), GW_OK);
        note(f, both, 1);
    }
}

static void widen(struct filter *f, gw_pipe *p)
{
    enum { MANY = 400 };
    gw_const_span span;
    char both[2 * MANY];

    while (gw_pipe_peek(p, &span, 1) == 1) {
        size_t n = span.len < MANY ? span.len : MANY;
        if (gw_pipe_room(p) < 2 * n)
            return;
        for (size_t i = 0; i < 2 * n; i++)
            both[i] = ((const char *)span.ptr)[i / 2];
        note(f, span.ptr, n);
        ck_assert_int_eq(gw_pipe_drop(p, n), GW_OK);
        ck_assert_uint_eq(gw_pipe_write(p, both, 2 * n), 2 * n);
    }
}

static gw_verdict wait_once(struct filter *f, gw_exchange *x)
{
    f->has_waited = true;
    f->ticket = gw_exchange_wait(x);
    ck_assert_ptr_nonnull(f->ticket.worker);
    return GW_WAIT;
}

static gw_verdict answer(gw_exchange *x)
{
    gw_reply reply = GW_SPEC(gw_reply);

    reply.code = 418;
    reply.body = gw_cstr("teapot\n");
    return gw_exchange_reply(x, &reply) == GW_OK ? GW_REPLY : GW_ABORT;
}

static void see(struct filter *f, gw_pipe *p)
{
    gw_const_span spans[64];
    uint64_t len = 0;

    for (size_t i = 0, n = gw_pipe_peek(p, spans, 64); i < n; i++)
        len += spans[i].len;
    f->peeked_max = len > f->peeked_max ? len : f->peeked_max;
    f->pipe = p;
}

static void keep_some(struct filter *f, gw_pipe *p)
{
    gw_const_span spans[64];
    size_t len = 0, kept = f->saw_len < KEEPS_FROM ? 0 : KEPT;

    for (size_t i = 0, n = gw_pipe_peek(p, spans, 64); i < n; i++)
        len += spans[i].len;
    if (len <= kept)
        return;
    f->saw_len += len - kept;
    ck_assert_int_eq(gw_pipe_pass(p, len - kept), GW_OK);
}

static size_t write_without_memory(gw_pipe *p)
{
    size_t n;

    test_alloc_restart(&host.alloc);
    host.alloc.fail_from = 1;
    n = gw_pipe_write(p, big, LONG);
    ck_assert_uint_lt(n, LONG);
    host.alloc.fail_from = 0;
    return n;
}

static void write_and_lend(struct filter *f, gw_pipe *p)
{
    gw_const_span span = { lent, sizeof lent - 1 };

    if (f->calls == 1) {
        f->pending = write_without_memory(p);
        ck_assert_int_eq(gw_pipe_lend(p, span, take_back, &host, lent), GW_OK);
    } else {
        f->pending += gw_pipe_write(p, big + f->pending, LONG - f->pending);
        if (f->pending == LONG)
            drop_all(f, p);
    }
}

static gw_verdict on_body(struct filter *f, gw_exchange *x, gw_pipe *p, uint32_t side)
{
    see(f, p);
    ck_assert_ptr_eq(gw_exchange_pipe(x, side), p);
    if (f->side != side) {
        gw_const_span span;
        while (gw_pipe_peek(p, &span, 1) == 1)
            ck_assert_int_eq(gw_pipe_pass(p, span.len), GW_OK);
        return GW_NEXT;
    }
    ck_assert_int_eq(f->ends, 0);
    f->calls++;
    switch (f->deed) {
    case SHOUTS:
        shout(f, p);
        return GW_NEXT;
    case DOUBLES:
        twice(f, p);
        return GW_NEXT;
    case WIDENS:
        widen(f, p);
        return GW_NEXT;
    case EATS:
    case LENDS:
        drop_all(f, p);
        return GW_NEXT;
    case WRITES_MORE:
        drop_all(f, p);
        if (f->calls == 1)
            ck_assert_uint_le(gw_pipe_write(p, "teapot\n", 7), 7);
        return GW_NEXT;
    case COLLECTS:
    case LEAVES:
        return GW_NEXT;
    case WAITS:
        if (!f->has_waited)
            return wait_once(f, x);
        break;
    case REPLIES:
        return answer(x);
    case REPLIES_LATE:
        ck_assert_int_eq(answer(x), GW_REPLY);
        return wait_once(f, x);
    case ABORTS:
        return GW_ABORT;
    case CHEATS:
        drop_all(f, p);
        return GW_NEXT;
    case NEEDS_MUCH:
        if (gw_pipe_room(p) < ROOMY)
            return GW_NEXT;
        break;
    case KEEPS_SOME:
        keep_some(f, p);
        return GW_NEXT;
    case WRITES_AND_WAITS:
        if (f->has_waited)
            break;
        (void)write_without_memory(p);
        return wait_once(f, x);
    case WRITES_AND_LENDS:
        write_and_lend(f, p);
        return GW_NEXT;
    case LOOKS:
    case REPLIES_END:
    case REPLIES_UPSTREAM:
    case REPLIES_AT_ONCE:
    case REPLIES_INSTEAD:
    case SERVES:
    case SERVES_MUCH:
    case WRITES_AT_END:
    case WRITES_LATE:
        break;
    }
    pass_all(f, p);
    return GW_NEXT;
}

static gw_verdict on_body_end(struct filter *f, gw_exchange *x, gw_pipe *p, uint32_t side)
{
    gw_message *trailers = gw_exchange_trailers(x, side);
    gw_const_span span = { NULL, 0 };

    ck_assert_ptr_eq(gw_exchange_pipe(x, side), p);
    ck_assert(gw_pipe_is_last(p));
    if (f->side != side)
        return GW_NEXT;
    f->ends++;
    if (f->drops_trailers)
        ck_assert_int_eq(gw_message_clear(trailers), GW_OK);
    if (f->adds_trailer)
        ck_assert_int_eq(gw_message_add_field(trailers, gw_cstr("x-sum"), gw_cstr("1234")), GW_OK);
    if (f->deed == EATS)
        ck_assert_uint_eq(gw_pipe_write(p, "eaten", 5), 5);
    if (f->deed == LENDS) {
        span = (gw_const_span){ lent, sizeof lent - 1 };
        ck_assert_int_eq(gw_pipe_lend(p, span, take_back, &host, lent), GW_OK);
    }
    if (f->deed == COLLECTS) {
        size_t len = gw_pipe_peek(p, &span, 1) == 1 ? f->peeked_max : 0;
        ck_assert_int_eq(gw_pipe_gather(p, len + 1, &span), GW_EINVAL);
        if (len <= 16640) {
            ck_assert_int_eq(gw_pipe_gather(p, len, &span), GW_OK);
            ck_assert_uint_eq(span.len, len);
            note(f, span.ptr, span.len);
        }
        ck_assert_int_eq(gw_pipe_pass(p, len), GW_OK);
    }
    if (f->deed == WRITES_AT_END)
        f->pending = gw_pipe_write(p, big, ROOMY);
    if (f->deed == REPLIES_END)
        return answer(x);
    if ((f->deed == WAITS || f->deed == WRITES_LATE) && f->ends == 1)
        return wait_once(f, x);
    return GW_NEXT;
}

static gw_verdict on_request_body(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body(ctx, x, p, GW_SIDE_REQUEST);
}

static gw_verdict on_request_end(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body_end(ctx, x, p, GW_SIDE_REQUEST);
}

static gw_verdict on_response_body(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body(ctx, x, p, GW_SIDE_RESPONSE);
}

static gw_verdict on_response_end(void *ctx, gw_exchange *x, gw_pipe *p)
{
    return on_body_end(ctx, x, p, GW_SIDE_RESPONSE);
}

static gw_verdict serve_request(void *ctx, gw_exchange *x)
{
    gw_pipe *p = gw_exchange_pipe(x, GW_SIDE_RESPONSE);

    (void)ctx;
    ck_assert_int_eq(gw_exchange_respond(x, 418), GW_OK);
    ck_assert_uint_eq(gw_pipe_write(p, "teapot\n", 7), 7);
    ck_assert_int_eq(gw_pipe_end(p), GW_OK);
    return GW_NEXT;
}

static gw_verdict serve_much(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    if (gw_exchange_response(x) == NULL)
        ck_assert_int_eq(gw_exchange_respond(x, 200), GW_OK);
    ck_assert_uint_lt(gw_pipe_write(p, big, LONG), LONG);
    return GW_NEXT;
}

static gw_verdict serve(gw_exchange *x, bool is_much)
{
    gw_origin origin = GW_SPEC(gw_origin);

    if (is_much)
        origin.on_write = serve_much;
    else
        origin.on_request = serve_request;
    ck_assert_int_eq(gw_exchange_serve(x, &origin), GW_OK);
    return GW_REPLY;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    struct filter *f = ctx;

    ck_assert_int_eq(gw_exchange_show_body(x, 16), GW_EINVAL);
    ck_assert_ptr_null(gw_exchange_pipe(x, GW_SIDE_REQUEST));
    if (f->show != GW_OFF)
        ck_assert_int_eq(gw_exchange_show_body(x, f->show), GW_OK);
    if (f->deed == SERVES || f->deed == SERVES_MUCH)
        return serve(x, f->deed == SERVES_MUCH);
    return f->deed == REPLIES_AT_ONCE ? answer(x) : GW_NEXT;
}

static gw_verdict on_upstream(void *ctx, gw_exchange *x)
{
    struct filter *f = ctx;

    if (f->deed != REPLIES_UPSTREAM)
        return GW_NEXT;
    ck_assert_int_eq(answer(x), GW_REPLY);
    return wait_once(f, x);
}

static gw_verdict on_response(void *ctx, gw_exchange *x)
{
    struct filter *f = ctx;

    f->responses++;
    return f->deed == REPLIES_INSTEAD ? answer(x) : GW_NEXT;
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *given)
{
    struct filter *f = ctx;

    ck_assert_ptr_eq(given, f);
    ck_assert_uint_eq(side, f->side);
    ck_assert_int_eq(f->ended, 0);
    f->resumed++;
    if (f->deed == WRITES_LATE) {
        test_alloc_restart(&host.alloc);
        host.alloc.fail_from = 1;
        ck_assert_uint_lt(gw_pipe_write(gw_exchange_pipe(x, side), big, LONG), LONG);
        host.alloc.fail_from = 0;
    }
    return f->deed == REPLIES_LATE || f->deed == REPLIES_UPSTREAM ? GW_REPLY : GW_NEXT;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    struct filter *f = ctx;

    f->ended++;
    f->cause = gw_exchange_cause(x);
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    f->code = info.code;
    /* What was kept of it is of no use any more. */
    if (f->pipe != NULL) {
        gw_const_span span = { "x", 1 };
        ck_assert_int_eq(gw_pipe_drop(f->pipe, 0), GW_ESTATE);
        ck_assert_int_eq(gw_pipe_pass(f->pipe, 0), GW_ESTATE);
        ck_assert_uint_eq(gw_pipe_room(f->pipe), 0);
        ck_assert_uint_eq(gw_pipe_write(f->pipe, "x", 1), 0);
        ck_assert_int_eq(gw_pipe_lend(f->pipe, span, take_back, &host, lent), GW_ESTATE);
        ck_assert_int_eq(gw_pipe_gather(f->pipe, 0, &span), GW_ESTATE);
        ck_assert_int_eq(gw_pipe_end(f->pipe), GW_EINVAL);
    }
}

static void begin(void)
{
    memset(&host, 0, sizeof host);
    for (int i = 0; i < FILTERS; i++) {
        filters[i] = (struct filter){ .show = GW_OFF };
        filters[i].saw = calloc(1, SAW_MAX);
    }
    lent_back = 0;
    test_alloc_init(&host.alloc);
}

static void stop(void)
{
    mode1_stop(&host);
    for (int i = 0; i < FILTERS; i++)
        free(filters[i].saw);
}

/* One filter that sees bodies, and one before it that looks. */
static struct mode1_link *start_with(uint32_t body, uint32_t whole_max, const gw_limits *limits)
{
    gw_builder *b = parts_begin(&host);
    gw_filter filter = GW_SPEC(gw_filter);

    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "10.0.0.1:80");
    parts_route(b, "/", NULL, "web");
    filter.name = "second";
    filter.on_request = on_request;
    filter.on_upstream = on_upstream;
    filter.on_response = on_response;
    filter.on_request_body = on_request_body;
    filter.on_request_end = on_request_end;
    filter.on_response_body = on_response_body;
    filter.on_response_end = on_response_end;
    filter.on_resume = on_resume;
    filter.on_end = on_end;
    for (int i = 1; i >= 0; i--) {
        filter.name = i == 0 ? "last" : "first";
        filter.ctx = &filters[i];
        filter.body = i == 0 ? body : GW_BODY_REQUEST | GW_BODY_RESPONSE;
        filter.whole_bytes_max = i == 0 ? whole_max : 0;
        ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    }
    filters[1].side = filters[0].side;
    mode1_start(&host, parts_build(b), limits);
    return mode1_accept(&host, "edge");
}

static struct mode1_link *start(uint32_t body)
{
    return start_with(body, 0, NULL);
}

static bool is_up(void)
{
    return filters[0].side == GW_SIDE_REQUEST;
}

/* A message with that body goes by in the direction of filters[0].side; what arrived of it on the other
 * side, head and all. chunked: its length is not said. */
static const char *exchange(struct mode1_link *l, const char *body, bool chunked, size_t cut)
{
    char head[200], framing[100] = "Transfer-Encoding: chunked\r\n", size[20];
    struct mode1_link *u;
    const char *chunks[5] = { "", body, "\r\n", "0\r\n", "X-Old: t\r\n\r\n" };

    if (!chunked)
        snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", strlen(body));
    snprintf(size, sizeof size, "%zx\r\n", strlen(body));
    snprintf(head, sizeof head, "%s%s\r\n",
             is_up() ? "POST / HTTP/1.1\r\nHost: a\r\n" : "HTTP/1.1 200 OK\r\n", framing);
    if (!is_up())
        mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    u = is_up() ? l : mode1_upstream(&host);
    mode1_feed(&host, u, head, strlen(head), cut);
    if (!chunked) {
        mode1_feed(&host, u, body, strlen(body), cut);
    } else {
        chunks[0] = size;
        for (int i = 0; i < 5; i++)
            mode1_feed(&host, u, chunks[i], strlen(chunks[i]), cut);
    }
    if (!is_up())
        return l->out;
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream && host.links[i].link != NULL)
            return host.links[i].out;
    return ""; /* it is held, or lost */
}

static void finish(struct mode1_link *l)
{
    if (is_up())
        mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
    for (int i = 0; i < FILTERS; i++) {
        ck_assert_int_eq(filters[i].ended, 1);
        ck_assert_uint_eq(filters[i].cause.by, GW_BY_NONE);
        ck_assert_int_eq(filters[i].ends, 1);
        ck_assert_int_eq(filters[i].responses, 1);
    }
    ck_assert_ptr_nonnull(l->link);
}

static void ends_with(const char *out, const char *what)
{
    size_t n = strlen(out), m = strlen(what);

    ck_assert_msg(n >= m && strcmp(out + n - m, what) == 0, "%s does not end with %s", out, what);
}

/* Every deed, both ways, with a length and without, in one piece and byte by byte. */
static const struct row {
    enum deed deed;
    uint32_t bits;
    const char *plain;   /* what arrives where the length was said         */
    const char *chunked; /* the last chunk's bytes, where it was not: in one piece */
} rows[] = {
    { LOOKS, 0, "Content-Length: 5\r\n\r\nhello", "hello" },
    { SHOUTS, 0, "Content-Length: 5\r\n\r\nHELLO", "HELLO" },
    { COLLECTS, 0, "Content-Length: 5\r\n\r\nhello", "hello" },
    { WAITS, 0, "Content-Length: 5\r\n\r\nhello", "hello" },
    { LEAVES, 0, "Content-Length: 5\r\n\r\nhello", "hello" },
    { DOUBLES, GW_BODY_REWRITES, NULL, "hheelllloo" },
    { EATS, GW_BODY_REWRITES, NULL, "eaten" },
    { LENDS, GW_BODY_REWRITES, NULL, "lent by the host" },
    { LOOKS, GW_BODY_REWRITES, NULL, "hello" },
    { LOOKS, GW_BODY_WHOLE, "Content-Length: 5\r\n\r\nhello", "hello" },
    { SHOUTS, GW_BODY_WHOLE, "Content-Length: 5\r\n\r\nHELLO", "HELLO" },
    { WAITS, GW_BODY_WHOLE, "Content-Length: 5\r\n\r\nhello", "hello" },
    { DOUBLES, GW_BODY_WHOLE | GW_BODY_REWRITES, "Content-Length: 10\r\n\r\nhheelllloo", NULL },
    { EATS, GW_BODY_WHOLE | GW_BODY_REWRITES, "Content-Length: 5\r\n\r\neaten", NULL },
    { LENDS, GW_BODY_WHOLE | GW_BODY_REWRITES, "Content-Length: 16\r\n\r\nlent by the host", NULL },
    { COLLECTS, GW_BODY_WHOLE | GW_BODY_REWRITES, "Content-Length: 5\r\n\r\nhello", NULL },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* The chunks of out taken together, and whether its end and this trailer are there. */
static void check_chunks(const char *out, const char *body, const char *trailers)
{
    const char *at = strstr(out, "\r\n\r\n");
    char together[100] = "";
    size_t n;

    ck_assert_ptr_nonnull(strstr(out, "Transfer-Encoding: chunked\r\n"));
    ck_assert_ptr_nonnull(at);
    for (at += 4; (n = strtoul(at, NULL, 16)) > 0; at = strstr(at, "\r\n") + 2 + n + 2)
        strncat(together, strstr(at, "\r\n") + 2, n);
    ck_assert_str_eq(together, body);
    ck_assert_str_eq(at, trailers);
}

static void resume_all(void)
{
    struct filter *f = &filters[0];

    for (int i = 0; i < 2 && f->deed == WAITS; i++) {
        ck_assert_int_eq(f->resumed, i);
        ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
        mode1_pump(&host);
    }
}

START_TEST(deeds)
{
    const struct row *row = &rows[_i / 8];
    bool chunked = (_i & 1) != 0, is_split = (_i & 2) != 0, is_down = (_i & 4) != 0;
    struct filter *f = &filters[0];
    struct mode1_link *l;
    const char *out, *sums;

    begin();
    f->deed = row->deed;
    f->side = is_down ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST;
    /* Trailers stand in the way of a length that is found out. */
    f->adds_trailer = (row->bits & GW_BODY_WHOLE) == 0 || (row->bits & GW_BODY_REWRITES) == 0;
    f->drops_trailers = !f->adds_trailer;
    l = start((is_down ? GW_BODY_RESPONSE : GW_BODY_REQUEST) | row->bits);
    if (row->deed == WAITS) { /* there is nothing yet, or only the begin */
        out = exchange(l, "hello", chunked, is_split ? 1 : 0);
        ck_assert_int_eq(f->ended, 0);
        ck_assert_ptr_null(strstr(out, "hello"));
        resume_all();
        out = is_down ? l->out : mode1_upstream(&host)->out;
    } else {
        out = exchange(l, "hello", chunked, is_split ? 1 : 0);
    }
    if (is_down)
        ck_assert_ptr_ne(strstr(out, "HTTP/1.1 200 "), NULL);
    sums = chunked ? "0\r\nX-Old: t\r\nx-sum: 1234\r\n\r\n" : "0\r\nx-sum: 1234\r\n\r\n";
    if ((row->bits & GW_BODY_WHOLE) != 0 && (row->bits & GW_BODY_REWRITES) != 0)
        ends_with(out, row->plain);
    else if (chunked || row->plain == NULL)
        check_chunks(out, row->chunked, sums);
    else
        ends_with(out, row->plain);
    finish(l);
    if (row->deed != LEAVES && row->deed != COLLECTS)
        ck_assert_uint_eq(f->saw_len, 5);
    if (!is_down) /* of the response the last is the first */
        ck_assert_uint_eq(filters[1].saw_len, 5);
    ck_assert_int_eq(lent_back, row->deed == LENDS);
    stop();
}
END_TEST

/* Without GW_BODY_REWRITES as much must go out as came in. */
START_TEST(a_length_is_kept)
{
    struct mode1_link *l;

    begin();
    filters[0].deed = CHEATS;
    filters[0].side = _i == 0 ? GW_SIDE_REQUEST : GW_SIDE_RESPONSE;
    l = start(_i == 0 ? GW_BODY_REQUEST : GW_BODY_RESPONSE);
    (void)exchange(l, "hello", false, 0);
    ck_assert_int_eq(filters[0].ended, 1);
    ck_assert_uint_eq(filters[0].cause.by, GW_BY_HOST);
    if (_i == 0)
        ck_assert_ptr_nonnull(strstr(l->out, " 502 "));
    else
        ck_assert(l->link == NULL || l->is_shutdown); /* it had begun */
    stop();
}
END_TEST

/* Messages without a body have an end too; one that is held may get a body. */
START_TEST(no_body)
{
    static const enum deed does[] = { LOOKS, EATS, EATS };
    static const uint32_t bits[] = {
        GW_BODY_REQUEST | GW_BODY_RESPONSE,
        GW_BODY_REQUEST | GW_BODY_RESPONSE | GW_BODY_REWRITES | GW_BODY_WHOLE,
        GW_BODY_REQUEST | GW_BODY_RESPONSE | GW_BODY_REWRITES | GW_BODY_WHOLE
    };
    bool is_down = _i >= 3;
    struct mode1_link *l, *u;

    begin();
    filters[0].deed = does[_i % 3];
    filters[0].side = is_down ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST;
    l = start(bits[_i % 3]);
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    u = mode1_upstream(&host);
    if (is_down || filters[0].deed == LOOKS)
        ck_assert_ptr_null(strstr(u->out, "Content-Length"));
    else
        ends_with(u->out, "Content-Length: 5\r\n\r\neaten");
    mode1_say(&host, u, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ends_with(l->out, is_down && filters[0].deed == EATS ? "Content-Length: 5\r\n\r\neaten"
                                                         : "Content-Length: 0\r\n\r\n");
    ck_assert_int_eq(filters[0].ends, 1);
    ck_assert_int_eq(filters[0].ended, 1);
    stop();
}
END_TEST

static gw_verdict fail_if_called(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    (void)x;
    (void)p;
    ck_abort_msg("it was not to be shown");
    return GW_NEXT;
}

/* Where no response can have a body, none can be made. */
START_TEST(head_has_none)
{
    struct mode1_link *l, *u;

    begin();
    filters[0].deed = LOOKS;
    filters[0].side = GW_SIDE_RESPONSE;
    l = start(GW_BODY_RESPONSE | GW_BODY_REWRITES | GW_BODY_WHOLE);
    mode1_say(&host, l, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    u = mode1_upstream(&host);
    mode1_say(&host, u, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    ck_assert_ptr_null(strstr(l->out, "Content-Length")); /* who knows how long it would be */
    ck_assert_int_eq(filters[0].ended, 1);
    ck_assert_uint_eq(filters[0].cause.by, GW_BY_NONE);
    stop();
}
END_TEST

/* ---- backpressure ---- */

static void make_big(void)
{
    big = malloc(LONG + 1);
    for (int i = 0; i < LONG; i++)
        big[i] = (char)('a' + i % 26);
    big[LONG] = 0;
}

static gw_limits small_limits(void)
{
    gw_limits limits = GW_SPEC(gw_limits);

    limits.block_bytes = 1024;
    limits.pipe_bytes_max = 4096;
    limits.blocks_max = 4096;
    return limits;
}

/* A client that does not read stops the upstream, with twice the pipes of a filter between; and all of
 * it comes when he reads. */
START_TEST(who_does_not_read_stops_the_source)
{
    static const enum deed deeds_here[] = { LOOKS, DOUBLES, SHOUTS, WIDENS };
    gw_limits limits = small_limits();
    struct mode1_link *l, *u;
    char head[100];
    size_t sent = 0;

    make_big();
    begin();
    filters[0].deed = deeds_here[_i];
    filters[0].side = GW_SIDE_RESPONSE;
    l = start_with(GW_BODY_RESPONSE | (_i % 2 != 0 ? GW_BODY_REWRITES : 0), 0, &limits);
    l->is_slow = true;
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    u = mode1_upstream(&host);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LONG);
    mode1_say(&host, u, head);
    while (sent < LONG) {
        gw_span room[1];
        size_t n;
        if ((gw_link_want(u->link) & GW_WANT_READ) == 0 || gw_link_room(u->link, room, 1) == 0)
            break;
        n = room[0].len < LONG - sent ? room[0].len : LONG - sent;
        memcpy(room[0].ptr, big + sent, n);
        gw_link_received(u->link, n, GW_OK);
        mode1_pump(&host);
        sent += n;
    }
    ck_assert_uint_lt(sent, 10 * 4096);
    for (int i = 0; i < 100000 && filters[0].ended == 0; i++) {
        mode1_drip(&host, l, 777);
        if (sent < LONG && (gw_link_want(u->link) & GW_WANT_READ) != 0) {
            size_t n = LONG - sent < 500 ? LONG - sent : 500;
            mode1_feed(&host, u, big + sent, n, 0);
            sent += n;
        }
    }
    ck_assert_int_eq(filters[0].ended, 1);
    ck_assert_uint_eq(filters[0].cause.by, GW_BY_NONE);
    ck_assert_uint_eq(filters[0].saw_len, LONG);
    ck_assert_uint_le(filters[0].peeked_max, 4096 + 1024);
    if (_i != 2)
        ck_assert_int_eq(memcmp(filters[0].saw, big, LONG), 0);
    free(big);
    stop();
}
END_TEST

/* Who takes nothing of a pipe that is full is not waited for. */
START_TEST(who_holds_too_much)
{
    gw_limits limits = small_limits();
    gw_reason row = GW_SPEC(gw_reason);
    struct mode1_link *l;

    make_big();
    big[20000] = 0;
    begin();
    filters[0].deed = COLLECTS;
    filters[0].side = _i == 0 ? GW_SIDE_REQUEST : GW_SIDE_RESPONSE;
    l = start_with(_i == 0 ? GW_BODY_REQUEST : GW_BODY_RESPONSE, 0, &limits);
    (void)exchange(l, big, false, 0);
    ck_assert_int_eq(filters[0].ended, 1);
    ck_assert_int_eq(gw_reason_of(filters[0].cause.reason, &row), GW_OK);
    ck_assert_str_eq(row.name, "filter_full");
    ck_assert_uint_eq(filters[0].cause.by, GW_BY_HOST);
    if (_i == 0)
        ck_assert_ptr_nonnull(strstr(l->out, " 500 "));
    free(big);
    stop();
}
END_TEST

/* Bytes for the host's client, as long as the gateway reads them. */
static size_t pour(struct mode1_link *u, size_t from, size_t to)
{
    while (from < to && u->link != NULL && (gw_link_want(u->link) & GW_WANT_READ) != 0) {
        size_t n = to - from < 500 ? to - from : 500;
        mode1_feed(&host, u, big + from, n, 0);
        from += n;
    }
    return from;
}

/* Who needs more room than there is waits for who is behind him to take something. If that one takes nothing
 * more before there is more to see, waiting is over: what can go on does, and else the exchange ends. */
START_TEST(room_that_does_not_come)
{
    gw_limits limits = small_limits();
    size_t len = 10000 + 500 * (size_t)_i, sent = 0;
    gw_reason row = GW_SPEC(gw_reason);
    struct mode1_link *l, *u;
    char head[100];

    make_big();
    begin();
    filters[0].deed = NEEDS_MUCH;
    filters[1].deed = KEEPS_SOME;
    filters[0].side = GW_SIDE_RESPONSE;
    l = start_with(GW_BODY_RESPONSE | GW_BODY_REWRITES, 0, &limits);
    l->is_slow = true;
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    u = mode1_upstream(&host);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    mode1_say(&host, u, head);
    for (int i = 0; i < 1000 && filters[0].ended == 0; i++) {
        sent = pour(u, sent, len);
        mode1_drip(&host, l, 777);
    }
    ck_assert_int_eq(filters[0].ended, 1);
    if (filters[0].cause.by != GW_BY_NONE) {
        ck_assert_int_eq(gw_reason_of(filters[0].cause.reason, &row), GW_OK);
        ck_assert_str_eq(row.name, "filter_full");
    } else {
        ck_assert_int_eq(filters[0].ends, 1);
    }
    free(big);
    stop();
}
END_TEST

/* Who writes at the end has all the room that there will be: what is behind him has gone on before. */
START_TEST(room_at_the_end)
{
    gw_limits limits = small_limits();
    size_t len = 500 * (size_t)_i, sent = 0;
    struct mode1_link *l, *u;
    char head[100];

    make_big();
    begin();
    filters[0].deed = WRITES_AT_END;
    filters[1].deed = SHOUTS;
    filters[0].side = GW_SIDE_RESPONSE;
    l = start_with(GW_BODY_RESPONSE | GW_BODY_REWRITES, 0, &limits);
    l->is_slow = true;
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    u = mode1_upstream(&host);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    mode1_say(&host, u, head);
    for (int i = 0; i < 1000 && filters[0].ended == 0; i++) {
        sent = pour(u, sent, len);
        mode1_drip(&host, l, 777);
    }
    ck_assert_int_eq(filters[0].ended, 1);
    ck_assert_uint_eq(filters[0].cause.by, GW_BY_NONE);
    ck_assert_uint_eq(filters[0].pending, ROOMY);
    ck_assert_uint_eq(filters[1].saw_len, len + ROOMY);
    free(big);
    stop();
}
END_TEST

/* Too long for who holds it whole: said before, or found out; 413 if it is the client's. */
START_TEST(too_long_to_be_held)
{
    bool is_down = (_i & 1) != 0, chunked = (_i & 2) != 0;
    struct mode1_link *l;

    begin();
    filters[0].deed = LOOKS;
    filters[0].side = is_down ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST;
    l = start_with((is_down ? GW_BODY_RESPONSE : GW_BODY_REQUEST) | GW_BODY_WHOLE, 4, NULL);
    if (is_down) {
        (void)exchange(l, "hello", chunked, 0);
        ck_assert_ptr_nonnull(strstr(l->out, " 500 "));
    } else {
        mode1_say(&host, l,
                  chunked ? "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "5\r\nhello\r\n0\r\n\r\n"
                          : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        ck_assert_ptr_nonnull(strstr(l->out, " 413 "));
        ck_assert_uint_eq(filters[0].cause.by, GW_BY_CLIENT);
    }
    ck_assert_int_eq(filters[0].ended, 1);
    stop();
}
END_TEST

/* Not too long: exactly as long as it may be, as it came and as it is written. */
START_TEST(as_long_as_may_be_held)
{
    bool is_down = (_i & 1) != 0, chunked = (_i & 2) != 0;
    static const enum deed does[] = { LOOKS, SHOUTS, DOUBLES, WRITES_MORE };
    static const char *const comes[] = { "hello", "HELLO", "hheelllloo", "teapot\n" };
    int row = _i / 4;
    uint32_t bits = GW_BODY_WHOLE | (row >= 2 ? GW_BODY_REWRITES : 0);
    struct mode1_link *l;
    const char *out;

    begin();
    filters[0].deed = does[row];
    filters[0].side = is_down ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST;
    l = start_with((is_down ? GW_BODY_RESPONSE : GW_BODY_REQUEST) | bits,
                   (uint32_t)strlen(comes[row]), NULL);
    out = exchange(l, "hello", chunked, 0);
    ck_assert_ptr_nonnull(strstr(out, comes[row]));
    finish(l);
    stop();
}
END_TEST

/* Who writes, and cannot write all, has no room to wait for. */
START_TEST(what_is_written_is_too_long)
{
    struct mode1_link *l;

    begin();
    filters[0].deed = _i == 0 ? WRITES_MORE : DOUBLES;
    filters[0].side = GW_SIDE_RESPONSE;
    l = start_with(GW_BODY_RESPONSE | GW_BODY_WHOLE | GW_BODY_REWRITES, _i == 0 ? 6 : 8, NULL);
    (void)exchange(l, "hello", false, 0);
    ck_assert_ptr_nonnull(strstr(l->out, " 500 "));
    ck_assert_int_eq(filters[0].ended, 1);
    stop();
}
END_TEST

/* Nobody else will say that the client may go on. */
START_TEST(who_holds_it_invites_it)
{
    struct mode1_link *l;

    begin();
    filters[0].deed = LOOKS;
    filters[0].side = GW_SIDE_REQUEST;
    l = start(GW_BODY_REQUEST | GW_BODY_WHOLE);
    mode1_say(&host, l,
              "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ck_assert_str_eq(l->out, "HTTP/1.1 100 Continue\r\n\r\n");
    mode1_say(&host, l, "hello");
    ck_assert_ptr_null(strstr(mode1_upstream(&host)->out, "Expect"));
    finish(l);
    stop();
}
END_TEST

/* ---- answers in the middle ---- */

START_TEST(answers_in_the_middle)
{
    bool is_down = (_i & 1) != 0, is_held = (_i & 2) != 0, at_end = (_i & 4) != 0;
    struct mode1_link *l;

    begin();
    filters[0].deed = at_end ? REPLIES_END : REPLIES;
    filters[0].side = is_down ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST;
    l = start((is_down ? GW_BODY_RESPONSE : GW_BODY_REQUEST) | (is_held ? GW_BODY_WHOLE : 0));
    if (is_down) {
        (void)exchange(l, "hello", true, 0);
    } else {
        mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
        if (!is_held)
            ck_assert_ptr_nonnull(mode1_upstream(&host)); /* it is there already */
        mode1_say(&host, l, "hell");
        mode1_say(&host, l, "o");
    }
    ck_assert_int_eq(filters[0].ended, 1);
    if (!is_down || is_held) {
        ck_assert_ptr_eq(strstr(l->out, "HTTP/1.1 418 "), l->out);
        ends_with(l->out, "\r\n\r\nteapot\n");
        ck_assert_uint_eq(filters[0].cause.by, GW_BY_NONE);
    } else { /* its head has left: it is cut off */
        ck_assert_ptr_eq(strstr(l->out, "HTTP/1.1 200 "), l->out);
        ck_assert_ptr_null(strstr(l->out, "teapot"));
        ck_assert_ptr_null(strstr(l->out, "\r\n0\r\n"));
        ck_assert_uint_eq(filters[0].cause.by, GW_BY_HOST);
    }
    stop();
}
END_TEST

/* Made in time, and given when another answer had come: 0: its head has left, 1: it is held. */
START_TEST(a_reply_that_waited_too_long)
{
    struct filter *f = &filters[0];
    struct mode1_link *l;

    begin();
    f->deed = REPLIES_LATE;
    f->side = GW_SIDE_REQUEST;
    l = start(GW_BODY_REQUEST | (_i == 1 ? GW_BODY_RESPONSE : 0));
    filters[1].show = _i == 1 ? GW_BODY_RESPONSE | GW_BODY_WHOLE : GW_OFF;
    mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    ck_assert_int_eq(l->out_len > 0, _i == 0);
    ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
    mode1_pump(&host);
    ck_assert_int_eq(f->resumed, 1);
    ck_assert_ptr_eq(strstr(l->out, _i == 0 ? "HTTP/1.1 200 " : "HTTP/1.1 502 "), l->out);
    ck_assert_ptr_null(strstr(l->out, "teapot"));
    ck_assert_int_eq(f->ended, 1);
    ck_assert_uint_eq(f->cause.by, GW_BY_HOST);
    stop();
}
END_TEST

/* It waits, and hooks of the other direction, or of the body, run meanwhile. */
START_TEST(a_reply_is_of_who_made_it)
{
    struct filter *f = &filters[0];
    struct mode1_link *l;

    begin();
    f->deed = _i == 0 ? REPLIES_UPSTREAM : REPLIES_LATE;
    f->side = _i == 0 ? GW_SIDE_REQUEST : GW_SIDE_RESPONSE;
    l = start(_i == 0 ? GW_BODY_REQUEST : GW_BODY_RESPONSE | GW_BODY_WHOLE);
    mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    if (_i == 1)
        mode1_say(&host, mode1_upstream(&host),
                  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    mode1_say(&host, l, "wor");
    ck_assert_uint_eq(l->out_len, 0);
    ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
    mode1_pump(&host);
    ck_assert_ptr_eq(strstr(l->out, "HTTP/1.1 418 "), l->out);
    ends_with(l->out, "\r\n\r\nteapot\n");
    stop();
}
END_TEST

/* The filters before who answers see the body of that, and its end. */
START_TEST(a_reply_is_shown_to_who_is_before)
{
    static const enum deed does[] = { REPLIES_AT_ONCE, REPLIES_INSTEAD, SERVES };
    int by = _i % 2;
    struct mode1_link *l;

    begin();
    l = start(GW_BODY_REQUEST | GW_BODY_RESPONSE);
    filters[0].side = filters[1].side = GW_SIDE_RESPONSE;
    filters[by].deed = does[_i / 2];
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    if (filters[by].deed == REPLIES_INSTEAD)
        mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
    ck_assert_ptr_eq(strstr(l->out, "HTTP/1.1 418 "), l->out);
    ck_assert_ptr_nonnull(strstr(l->out, "teapot\n"));
    ck_assert_int_eq(filters[0].calls + filters[0].ends, 0);
    ck_assert_int_eq(filters[1].ends, by == 0);
    ck_assert_uint_eq(filters[1].saw_len, by == 0 ? 7 : 0);
    stop();
}
END_TEST

/* What was written when the end was waited for, and for which there was no memory, is not passed over. */
START_TEST(no_memory_when_it_is_resumed)
{
    struct filter *f = &filters[0];
    gw_limits limits = small_limits();
    struct mode1_link *l;

    limits.pipe_bytes_max = LONG;
    limits.blocks_max = 8192;
    make_big();
    begin();
    f->deed = WRITES_LATE;
    f->side = GW_SIDE_RESPONSE;
    l = start_with(GW_BODY_RESPONSE | GW_BODY_REWRITES, 0, &limits);
    (void)exchange(l, "hello", true, 0);
    ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
    mode1_pump(&host);
    ck_assert_int_eq(f->resumed, 1);
    ck_assert_int_eq(f->ended, 1);
    ck_assert_uint_eq(f->cause.by, GW_BY_GATEWAY);
    ck_assert_int_eq(f->cause.status, GW_ENOMEM);
    ck_assert_ptr_null(strstr(l->out, "\r\n0\r\n"));
    free(big);
    stop();
}
END_TEST

/* There was no memory for what it wrote, and it waited: it is asked again, and may write then. */
START_TEST(no_memory_and_a_wait)
{
    struct filter *f = &filters[0];
    gw_limits limits = small_limits();
    struct mode1_link *l;

    limits.pipe_bytes_max = LONG;
    limits.blocks_max = 8192;
    make_big();
    begin();
    f->deed = WRITES_AND_WAITS;
    f->side = GW_SIDE_RESPONSE;
    l = start_with(GW_BODY_RESPONSE | GW_BODY_REWRITES | GW_BODY_WHOLE, 0, &limits);
    (void)exchange(l, "hello", true, 0);
    ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
    mode1_pump(&host);
    ck_assert_int_eq(f->ended, 1);
    ck_assert_uint_eq(f->cause.by, GW_BY_NONE);
    ck_assert_ptr_nonnull(strstr(l->out, "hello"));
    free(big);
    stop();
}
END_TEST

/* ... and what it lent in the same hook has left: it is asked again, though nothing new has come. */
START_TEST(no_memory_and_a_loan)
{
    struct filter *f = &filters[0];
    gw_limits limits = small_limits();
    struct mode1_link *l, *u;

    limits.pipe_bytes_max = LONG;
    limits.blocks_max = 8192;
    make_big();
    begin();
    f->deed = WRITES_AND_LENDS;
    f->side = GW_SIDE_RESPONSE;
    l = start_with(GW_BODY_RESPONSE | GW_BODY_REWRITES, 0, &limits);
    l->is_slow = true;
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    u = mode1_upstream(&host);
    mode1_say(&host, u, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    for (int i = 0; i < 100; i++)
        mode1_drip(&host, l, LONG);
    ck_assert_uint_eq(f->pending, LONG);
    ck_assert_int_eq(lent_back, 1);
    mode1_say(&host, u, "world");
    mode1_drip(&host, l, LONG);
    ck_assert_int_eq(f->ended, 1);
    ck_assert_uint_eq(f->cause.by, GW_BY_NONE);
    free(big);
    stop();
}
END_TEST

START_TEST(cut_off_in_the_middle)
{
    struct mode1_link *l;

    begin();
    filters[0].deed = ABORTS;
    filters[0].side = _i == 0 ? GW_SIDE_REQUEST : GW_SIDE_RESPONSE;
    l = start(_i == 0 ? GW_BODY_REQUEST : GW_BODY_RESPONSE);
    (void)exchange(l, "hello", true, 0);
    ck_assert_int_eq(filters[0].ended, 1);
    ck_assert_uint_eq(filters[0].cause.by, GW_BY_HOST);
    ck_assert_int_eq(filters[0].ends, 0);
    stop();
}
END_TEST

/* A response that is ended by who sees its body, when nothing of it has left yet: the client is told. */
START_TEST(ended_before_it_has_left)
{
    static const char *const says[] = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                        "5\r\nhe" };
    struct mode1_link *l;

    begin();
    filters[0].deed = ABORTS;
    filters[0].side = GW_SIDE_RESPONSE;
    l = start(GW_BODY_RESPONSE);
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    mode1_say(&host, mode1_upstream(&host), says[_i]);
    ck_assert_ptr_eq(strstr(l->out, "HTTP/1.1 502 "), l->out);
    ends_with(l->out, "host_abort\n");
    ck_assert_int_eq(filters[0].ended, 1);
    ck_assert_uint_eq(filters[0].code, 502);
    ck_assert_uint_eq(filters[0].cause.by, GW_BY_HOST);
    ck_assert_ptr_nonnull(l->link); /* it can be used for the next */
    stop();
}
END_TEST

/* It was handed over when the origin began; its body fills the pipes in the same step. */
START_TEST(full_before_it_has_left)
{
    gw_limits limits = small_limits();
    struct mode1_link *l;

    make_big();
    begin();
    filters[0].deed = SERVES_MUCH;
    filters[1].deed = _i == 0 ? COLLECTS : ABORTS;
    l = start_with(0, 0, &limits);
    filters[1].side = GW_SIDE_RESPONSE;
    mode1_say(&host, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_ptr_eq(strstr(l->out, _i == 0 ? "HTTP/1.1 500 " : "HTTP/1.1 502 "), l->out);
    ck_assert_int_eq(filters[1].ended, 1);
    ck_assert_uint_eq(filters[1].code, _i == 0 ? 500 : 502);
    ck_assert_uint_eq(filters[1].cause.by, GW_BY_HOST);
    ck_assert_ptr_nonnull(l->link);
    free(big);
    stop();
}
END_TEST

/* The upstream answers for good while a filter of the request waits: it is told too late, or not. */
START_TEST(answered_while_it_waits)
{
    struct filter *f = &filters[0];
    struct mode1_link *l;

    begin();
    f->deed = WAITS;
    f->side = GW_SIDE_REQUEST;
    l = start(GW_BODY_REQUEST);
    mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    if (_i == 1)
        ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
    mode1_say(&host, mode1_upstream(&host),
              "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    ends_with(l->out, "no");
    ck_assert_int_eq(f->ended, 1);
    ck_assert_int_eq(f->resumed, _i);
    ck_assert_int_eq(gw_resume(f->ticket, f), GW_ESTATE);
    stop();
}
END_TEST

/* Nobody resumes: the deadline ends it, whoever else is at rest. */
START_TEST(nobody_resumes)
{
    bool is_down = (_i & 1) != 0, is_held = (_i & 2) != 0;
    struct filter *f = &filters[0];
    struct mode1_link *l;

    begin();
    f->deed = WAITS;
    f->side = is_down ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST;
    l = start((is_down ? GW_BODY_RESPONSE : GW_BODY_REQUEST) | (is_held ? GW_BODY_WHOLE : 0));
    if (is_down)
        (void)exchange(l, "hello", false, 0);
    else
        mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    host.now += GW_MS(30000);
    mode1_pump(&host);
    ck_assert_int_eq(f->ended, 1);
    ck_assert_uint_eq(f->cause.by, GW_BY_HOST);
    if (!is_down || is_held)
        ck_assert_ptr_nonnull(strstr(l->out, " 504 "));
    stop();
}
END_TEST

/* ---- which, and by whom ---- */

START_TEST(shown_by_request)
{
    struct mode1_link *l;

    begin();
    filters[0].deed = SHOUTS;
    filters[0].side = GW_SIDE_REQUEST;
    filters[0].show = _i == 0 ? GW_BODY_REQUEST : 0;
    l = start(_i == 0 ? 0 : GW_BODY_REQUEST);
    ends_with(exchange(l, "hello", false, 0), _i == 0 ? "HELLO" : "hello");
    ck_assert_int_eq(filters[0].calls > 0, _i == 0);
    finish(l);
    stop();
}
END_TEST

/* A body that was held and rewritten has no length where trailers follow it. */
START_TEST(trailers_before_a_length)
{
    struct mode1_link *l;

    begin();
    filters[0].deed = EATS;
    filters[0].adds_trailer = true;
    filters[0].side = _i == 0 ? GW_SIDE_REQUEST : GW_SIDE_RESPONSE;
    l = start((_i == 0 ? GW_BODY_REQUEST : GW_BODY_RESPONSE) | GW_BODY_WHOLE | GW_BODY_REWRITES);
    check_chunks(exchange(l, "hello", false, 0), "eaten", "0\r\nx-sum: 1234\r\n\r\n");
    finish(l);
    stop();
}
END_TEST

START_TEST(trailers_are_dropped)
{
    struct mode1_link *l;

    begin();
    filters[0].drops_trailers = true;
    filters[0].side = _i == 0 ? GW_SIDE_REQUEST : GW_SIDE_RESPONSE;
    l = start(0); /* the body passes unseen, the end is */
    check_chunks(exchange(l, "hello", true, 0), "hello", "0\r\n\r\n");
    ck_assert_int_eq(filters[0].calls, 0);
    finish(l);
    stop();
}
END_TEST

/* A request that was seen is sent again as it came out. */
START_TEST(a_retry_sends_what_came_out)
{
    gw_builder *b;
    gw_filter filter = GW_SPEC(gw_filter);
    struct mode1_link *l;
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_id id;

    begin();
    filters[0].deed = SHOUTS;
    filters[0].side = GW_SIDE_REQUEST;
    b = parts_begin(&host);
    parts_listener(b, "edge");
    cluster.name = gw_cstr("web");
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = gw_cstr("10.0.0.1:80");
    ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    endpoint.address = gw_cstr("10.0.0.2:80");
    ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    parts_route(b, "/", NULL, "web");
    filter.name = "one";
    filter.ctx = &filters[0];
    filter.body = GW_BODY_REQUEST;
    filter.on_request_body = on_request_body;
    filter.on_request_end = on_request_end;
    filter.on_response_body = fail_if_called;
    filter.on_end = on_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    mode1_start(&host, parts_build(b), NULL);
    l = mode1_accept(&host, "edge");
    host.refused = _i == 0 ? "10.0.0.1:80" : "10.0.0.2:80";
    for (int i = 0; i < 2; i++) { /* one of them meets the one that refuses */
        filters[0].ends = 0;
        mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        ends_with(mode1_upstream(&host)->out, "HELLO");
        mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
        mode1_clear(mode1_upstream(&host));
    }
    ck_assert_uint_eq(filters[0].saw_len, 10);
    stop();
}
END_TEST

Suite *show_suite(void)
{
    Suite *suite = suite_create("show");

    check_add_loop(suite, deeds, 0, 8 * ROWS);
    check_add_loop(suite, a_length_is_kept, 0, 2);
    check_add_loop(suite, no_body, 0, 6);
    check_add(suite, head_has_none);
    check_add_loop(suite, who_does_not_read_stops_the_source, 0, 4);
    check_add_loop(suite, who_holds_too_much, 0, 2);
    check_add_loop(suite, room_that_does_not_come, 0, 60);
    check_add_loop(suite, room_at_the_end, 0, 60);
    check_add_loop(suite, too_long_to_be_held, 0, 4);
    check_add(suite, who_holds_it_invites_it);
    check_add_loop(suite, answers_in_the_middle, 0, 8);
    check_add_loop(suite, as_long_as_may_be_held, 0, 16);
    check_add_loop(suite, what_is_written_is_too_long, 0, 2);
    check_add_loop(suite, a_reply_that_waited_too_long, 0, 2);
    check_add_loop(suite, a_reply_is_of_who_made_it, 0, 2);
    check_add_loop(suite, a_reply_is_shown_to_who_is_before, 0, 6);
    check_add(suite, no_memory_when_it_is_resumed);
    check_add(suite, no_memory_and_a_wait);
    check_add(suite, no_memory_and_a_loan);
    check_add_loop(suite, cut_off_in_the_middle, 0, 2);
    check_add_loop(suite, ended_before_it_has_left, 0, 2);
    check_add_loop(suite, full_before_it_has_left, 0, 2);
    check_add_loop(suite, answered_while_it_waits, 0, 2);
    check_add_loop(suite, nobody_resumes, 0, 4);
    check_add_loop(suite, shown_by_request, 0, 2);
    check_add_loop(suite, trailers_before_a_length, 0, 2);
    check_add_loop(suite, trailers_are_dropped, 0, 2);
    check_add_loop(suite, a_retry_sends_what_came_out, 0, 2);
    return suite;
}
