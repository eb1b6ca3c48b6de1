/* unit/filter_test.c: filters of heads: their order, where they are on, every verdict of every hook,
 * waiting in each of them, what they may change and where the request goes then. */

#include "check_main.h"
#include "filter_suites.h"
#include "parts.h"

static struct mode1 host;

enum { FILTERS = 3, SAID_MAX = 1024 };

/* The hooks that are asked one after the other, by letter in what was said. */
enum { AT_REQUEST = 'q', AT_ROUTE = 'r', AT_UPSTREAM = 'u', AT_RESPONSE = 'p' };

static struct filter {
    char name;
    char acts_at;       /* AT_*: there it does what follows; 0: never */
    gw_verdict verdict; /* ... of that hook, or of the on_resume of it */
    bool waits, adds;
    bool has_answered; /* act has */
    void (*act)(gw_exchange *x);
    gw_ticket ticket;
    int ended;
    gw_cause cause;
    void *config; /* as seen at the last hook */
} filters[FILTERS];
static char said[SAID_MAX];

static void say(const struct filter *f, char what)
{
    size_t len = strlen(said);

    ck_assert_uint_lt(len + 3, SAID_MAX);
    said[len] = f->name;
    said[len + 1] = what;
    said[len + 2] = ' ';
    said[len + 3] = 0;
}

static gw_verdict decide(struct filter *f, gw_exchange *x)
{
    if (f->verdict == GW_REPLY && !f->has_answered) {
        gw_reply reply = GW_SPEC(gw_reply);
        reply.code = 403;
        reply.body = gw_cstr("no\n");
        ck_assert_int_eq(gw_exchange_reply(x, &reply), GW_OK);
        ck_assert_int_eq(
            gw_message_add_field(gw_exchange_response(x), gw_cstr("x-by"), (gw_str){ &f->name, 1 }),
            GW_OK);
    }
    return f->verdict;
}

static gw_verdict at(void *ctx, gw_exchange *x, char what)
{
    struct filter *f = ctx;

    say(f, what);
    f->config = gw_exchange_config(x);
    if (f->adds && what == AT_RESPONSE)
        ck_assert_int_eq(gw_message_add_field(gw_exchange_response(x), gw_cstr("x-seen"),
                                              (gw_str){ &f->name, 1 }),
                         GW_OK);
    if (f->acts_at != what)
        return GW_NEXT;
    if (f->act != NULL)
        f->act(x);
    if (!f->waits)
        return decide(f, x);
    f->ticket = gw_exchange_wait(x);
    ck_assert_ptr_nonnull(f->ticket.worker);
    return GW_WAIT;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    return at(ctx, x, AT_REQUEST);
}

static gw_verdict on_route(void *ctx, gw_exchange *x)
{
    ck_assert_ptr_eq(gw_exchange_route_user(x), &host);
    return at(ctx, x, AT_ROUTE);
}

static gw_verdict on_upstream(void *ctx, gw_exchange *x)
{
    return at(ctx, x, AT_UPSTREAM);
}

static gw_verdict on_response(void *ctx, gw_exchange *x)
{
    ck_assert_ptr_nonnull(gw_exchange_response(x));
    return at(ctx, x, AT_RESPONSE);
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    struct filter *f = ctx;

    say(f, '!');
    ck_assert_ptr_eq(answer, f);
    ck_assert_uint_eq(side, f->acts_at == AT_RESPONSE ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST);
    return decide(f, x);
}

static void on_end(void *ctx, const gw_exchange *x)
{
    struct filter *f = ctx;

    say(f, 'e');
    f->ended++;
    f->cause = gw_exchange_cause(x);
}

static gw_id add(gw_builder *b, int i)
{
    static const char *const names[FILTERS] = { "a", "b", "c" };
    gw_filter filter = GW_SPEC(gw_filter);
    gw_id id;

    filters[i].name = names[i][0];
    filter.name = names[i];
    filter.ctx = &filters[i];
    filter.on_request = on_request;
    filter.on_route = on_route;
    filter.on_upstream = on_upstream;
    filter.on_response = on_response;
    filter.on_resume = on_resume;
    filter.on_end = on_end;
    id = gw_builder_filter(b, &filter);
    ck_assert_uint_ne(id, 0);
    return id;
}

static gw_builder *begin(void)
{
    gw_builder *b;

    memset(&host, 0, sizeof host);
    memset(filters, 0, sizeof filters);
    memset(said, 0, sizeof said);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    return b;
}

static gw_id add_route(gw_builder *b, const char *path, const char *cluster)
{
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_id id;

    route.name = route.path = gw_cstr(path);
    route.cluster = gw_cstr(cluster);
    if (cluster == NULL)
        route.reply_code = 204;
    route.user = &host;
    id = gw_builder_route(b, &route);
    ck_assert_uint_ne(id, 0);
    return id;
}

/* "/" goes to one upstream, "/b" to another, "/own" is answered here. */
static struct mode1_link *start_all(gw_builder *b)
{
    for (int i = 0; i < FILTERS; i++)
        (void)add(b, i);
    parts_cluster(b, "web", NULL, "10.0.0.1:80");
    parts_cluster(b, "other", NULL, "10.0.0.2:80");
    (void)add_route(b, "/", "web");
    (void)add_route(b, "/b", "other");
    (void)add_route(b, "/own", NULL);
    mode1_start(&host, parts_build(b), NULL);
    return mode1_accept(&host, "edge");
}

static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

START_TEST(the_order)
{
    struct mode1_link *l = start_all(begin());

    mode1_say(&host, l, get);
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_str_eq(said, "aq bq cq ar br cr au bu cu cp bp ap ae be ce ");
    ck_assert_ptr_nonnull(strstr(l->out, "\r\n\r\nhello"));
    mode1_stop(&host);
}
END_TEST

/* An answer of a route's own is one, too. */
START_TEST(the_order_without_an_upstream)
{
    struct mode1_link *l = start_all(begin());

    mode1_say(&host, l, "GET /own HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_str_eq(said, "aq bq cq ar br cr cp bp ap ae be ce ");
    ck_assert_ptr_nonnull(strstr(l->out, " 204 "));
    mode1_stop(&host);
}
END_TEST

/* What is answered for what fails is nobody's. */
START_TEST(failures_are_not_shown)
{
    struct mode1_link *l;

    l = start_all(begin());
    host.refuse = true;
    mode1_say(&host, l, get);
    ck_assert_str_eq(said, "aq bq cq ar br cr au bu cu ae be ce ");
    ck_assert_ptr_nonnull(strstr(l->out, " 503 "));
    mode1_stop(&host);
}
END_TEST

static const char hooks[] = { AT_REQUEST, AT_ROUTE, AT_UPSTREAM, AT_RESPONSE };
/* What has been said when filter b acts in each of them, and what is said after a reply of its. */
static const char *const before[] = { "aq bq ", "aq bq cq ar br ", "aq bq cq ar br cr au bu ",
                                      "aq bq cq ar br cr au bu cu cp bp " };

/* Each verdict in each hook, at once and after a wait. */
START_TEST(verdicts)
{
    static const gw_verdict all[] = { GW_NEXT, GW_REPLY, GW_ABORT, (gw_verdict)77, GW_WAIT };
    char hook = hooks[_i % 4], expected[SAID_MAX];
    gw_verdict verdict = all[_i / 4 % 5];
    bool waits = _i >= 20;
    struct mode1_link *l = start_all(begin());
    struct filter *f = &filters[1];

    f->acts_at = hook;
    f->verdict = verdict;
    f->waits = waits;
    filters[0].adds = true;
    mode1_say(&host, l, get);
    if (hook == AT_RESPONSE || (verdict == GW_NEXT && !waits))
        mode1_say(&host, mode1_upstream(&host), ok);
    if (waits) {
        ck_assert_str_eq(said, before[_i % 4]);
        ck_assert_uint_eq(l->out_len, 0);
        ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
        ck_assert_int_eq(gw_resume(f->ticket, f), GW_ESTATE);
        mode1_pump(&host);
        if (verdict == GW_NEXT && hook != AT_RESPONSE)
            mode1_say(&host, mode1_upstream(&host), ok);
    }
    if (verdict == GW_NEXT) {
        ck_assert_ptr_nonnull(strstr(l->out, "\r\n\r\nhello"));
        ck_assert_ptr_nonnull(strstr(l->out, "x-seen: a"));
    } else if (verdict == GW_REPLY) {
        ck_assert_ptr_nonnull(strstr(l->out, "HTTP/1.1 403 "));
        ck_assert_ptr_nonnull(strstr(l->out, "x-by: b"));
        ck_assert_ptr_nonnull(strstr(l->out, "x-seen: a"));
        ck_assert_ptr_nonnull(strstr(l->out, "\r\n\r\nno\n"));
        ck_assert_ptr_null(strstr(l->out, "hello"));
        snprintf(expected, sizeof expected, "%s%sap ae be ce ", before[_i % 4], waits ? "b! " : "");
        ck_assert_str_eq(said, expected);
    } else {
        ck_assert_ptr_null(strstr(l->out, "hello"));
        ck_assert_ptr_nonnull(strstr(l->out, " 502 "));
        ck_assert_ptr_null(strstr(l->out, "x-seen"));
    }
    for (int i = 0; i < FILTERS; i++) {
        bool is_good = verdict == GW_NEXT || verdict == GW_REPLY;
        ck_assert_int_eq(filters[i].ended, 1);
        ck_assert_uint_eq(filters[i].cause.by, is_good ? GW_BY_NONE : GW_BY_HOST);
    }
    mode1_stop(&host);
}
END_TEST

/* ---- several answers of one hook ---- */

static gw_status answer(gw_exchange *x, uint32_t code, const char *body, gw_str type)
{
    gw_reply reply = GW_SPEC(gw_reply);
    gw_status status;

    reply.code = code;
    reply.body = gw_cstr(body);
    reply.type = type;
    status = gw_exchange_reply(x, &reply);
    if (status != GW_OK)
        return status;
    ck_assert_uint_eq(gw_message_code(gw_exchange_response(x)), code);
    return gw_message_add_field(gw_exchange_response(x), gw_cstr("x-own"), gw_cstr(body));
}

static void answer_twice(gw_exchange *x)
{
    ck_assert_int_eq(answer(x, 418, "first", (gw_str){ NULL, 0 }), GW_OK);
    ck_assert_int_eq(answer(x, 429, "second", (gw_str){ NULL, 0 }), GW_OK);
}

/* The second is refused: by its look, or because there is no memory for it. */
static void answer_once(gw_exchange *x)
{
    static char type[100000];

    memset(type, 'a', sizeof type);
    ck_assert_int_eq(answer(x, 418, "first", (gw_str){ NULL, 0 }), GW_OK);
    ck_assert_int_eq(answer(x, 700, "second", (gw_str){ NULL, 0 }), GW_EINVAL);
    ck_assert_int_ne(answer(x, 429, "second", (gw_str){ type, sizeof type }), GW_OK);
}

static gw_verdict serve_not(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    ck_abort_msg("it was to reply");
    return GW_ABORT;
}

static void answer_and_serve(gw_exchange *x)
{
    gw_origin origin = GW_SPEC(gw_origin);

    origin.on_request = serve_not;
    ck_assert_int_eq(gw_exchange_serve(x, &origin), GW_OK);
    ck_assert_int_eq(answer(x, 429, "second", (gw_str){ NULL, 0 }), GW_OK);
}

START_TEST(the_last_answer_counts)
{
    static void (*const acts[])(gw_exchange * x) = { answer_twice, answer_once, answer_and_serve };
    struct mode1_link *l = start_all(begin());
    struct filter *f = &filters[1];

    f->acts_at = AT_REQUEST;
    f->act = acts[_i % 3];
    f->has_answered = true;
    f->waits = _i >= 3;
    f->verdict = GW_REPLY;
    mode1_say(&host, l, get);
    if (f->waits)
        ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
    mode1_pump(&host);
    ck_assert_ptr_eq(strstr(l->out, f->act == answer_once ? "HTTP/1.1 418 " : "HTTP/1.1 429 "),
                     l->out);
    ck_assert_ptr_eq(strstr(l->out, f->act == answer_once ? "second" : "first"), NULL);
    ck_assert_ptr_nonnull(strstr(l->out, f->act == answer_once ? "x-own: first" : "x-own: second"));
    ck_assert_ptr_nonnull(
        strstr(l->out, f->act == answer_once ? "\r\n\r\nfirst" : "\r\n\r\nsecond"));
    ck_assert_uint_eq(f->cause.by, GW_BY_NONE);
    mode1_stop(&host);
}
END_TEST

/* The answer in a response's place is seen by who is before, and waits for him. */
START_TEST(a_reply_is_held)
{
    struct mode1_link *l = start_all(begin());

    filters[1].acts_at = filters[0].acts_at = AT_RESPONSE;
    filters[1].verdict = GW_REPLY;
    filters[0].waits = true;
    mode1_say(&host, l, get);
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_uint_eq(l->out_len, 0);
    ck_assert_int_eq(gw_resume(filters[0].ticket, &filters[0]), GW_OK);
    mode1_pump(&host);
    ck_assert_ptr_eq(strstr(l->out, "HTTP/1.1 403 "), l->out);
    ck_assert_int_eq(filters[0].ended, 1);
    mode1_stop(&host);
}
END_TEST

/* Who never resumes is ended by the deadline; who resumes then is told that it is too late. */
START_TEST(nobody_resumes)
{
    struct mode1_link *l = start_all(begin());
    struct filter *f = &filters[1];

    f->acts_at = hooks[_i];
    f->waits = true;
    mode1_say(&host, l, get);
    if (hooks[_i] == AT_RESPONSE)
        mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_str_eq(said, before[_i]);
    host.now += GW_MS(30000);
    mode1_pump(&host);
    ck_assert_ptr_nonnull(strstr(l->out, " 504 "));
    ck_assert_int_eq(f->ended, 1);
    ck_assert_uint_eq(f->cause.by, GW_BY_HOST);
    ck_assert_int_eq(gw_resume(f->ticket, f), GW_ESTATE);
    mode1_stop(&host);
}
END_TEST

/* 0: the client leaves while somebody is waited for; 1: the answer is on its way already. */
START_TEST(the_client_leaves)
{
    struct mode1_link *l = start_all(begin());
    struct filter *f = &filters[1];

    f->acts_at = hooks[_i % 4];
    f->waits = true;
    f->verdict = GW_NEXT;
    mode1_say(&host, l, get);
    if (f->acts_at == AT_RESPONSE)
        mode1_say(&host, mode1_upstream(&host), ok);
    if (_i >= 4)
        ck_assert_int_eq(gw_resume(f->ticket, f), GW_OK);
    gw_link_received(l->link, 0, GW_ERESET);
    mode1_pump(&host);
    ck_assert_int_eq(f->ended, 1);
    ck_assert_int_eq(strstr(said, "b! ") != NULL, _i >= 4);
    ck_assert_int_eq(gw_resume(f->ticket, f), GW_ESTATE);
    mode1_stop(&host);
}
END_TEST

/* ---- where they are on ---- */

START_TEST(where_they_are_on)
{
    gw_builder *b = begin();
    gw_id id[FILTERS], web, bee;
    gw_use_spec use = GW_SPEC(gw_use_spec);
    struct mode1_link *l;

    for (int i = 0; i < FILTERS; i++)
        id[i] = add(b, i);
    parts_cluster(b, "web", NULL, "10.0.0.1:80");
    web = add_route(b, "/", "web");
    bee = add_route(b, "/b", "web");
    use.mode = GW_USE_OFF; /* b: only there */
    ck_assert_int_eq(gw_builder_use(b, id[1], 0, &use), GW_OK);
    ck_assert_int_eq(gw_builder_use(b, id[2], bee, &use), GW_OK); /* c: not there */
    use.mode = GW_USE_ON;
    use.config = &use;
    ck_assert_int_eq(gw_builder_use(b, id[1], bee, &use), GW_OK);
    use.config = said;
    ck_assert_int_eq(gw_builder_use(b, id[0], 0, &use), GW_OK);
    use.config = filters;
    ck_assert_int_eq(gw_builder_use(b, id[0], web, &use), GW_OK);
    mode1_start(&host, parts_build(b), NULL);
    l = mode1_accept(&host, "edge");
    mode1_say(&host, l, get);
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_str_eq(said, "aq cq ar cr au cu cp ap ae ce ");
    ck_assert_ptr_eq(filters[0].config, filters);
    ck_assert_ptr_null(filters[2].config);
    said[0] = 0;
    memset(said, 0, sizeof said);
    mode1_say(&host, l, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_str_eq(said, "aq cq ar br au bu bp ap ae be ce ");
    ck_assert_ptr_eq(filters[0].config, said);
    ck_assert_ptr_eq(filters[1].config, &use);
    mode1_stop(&host);
}
END_TEST

START_TEST(uses_that_are_none)
{
    gw_builder *b = begin();
    gw_use_spec use = GW_SPEC(gw_use_spec);
    gw_id filter = add(b, 0), route = add_route(b, "/", NULL);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;

    switch (_i) {
    case 0:
        ck_assert_int_eq(gw_builder_use(b, route, 0, &use), GW_EINVAL);
        break;
    case 1:
        ck_assert_int_eq(gw_builder_use(b, filter, filter, &use), GW_EINVAL);
        break;
    case 2:
        ck_assert_int_eq(gw_builder_use(b, filter + 1, route, &use), GW_EINVAL);
        break;
    case 3:
        ck_assert_int_eq(gw_builder_use(b, filter, route, NULL), GW_EINVAL);
        break;
    default:
        use.mode = 3;
        ck_assert_int_eq(gw_builder_use(b, filter, route, &use), GW_EINVAL);
        break;
    }
    ck_assert_int_eq(gw_builder_use(NULL, filter, route, &use), GW_EINVAL);
    ck_assert_int_eq(gw_builder_build(b, &config, &err), GW_EINVAL);
    ck_assert_ptr_eq(strstr(err.where, "uses["), err.where);
    test_alloc_fini(&host.alloc);
}
END_TEST

/* ---- when they are let go ---- */

static void count_done(void *ctx, void *object)
{
    ck_assert_ptr_eq(object, filters);
    ++*(int *)ctx;
}

static gw_config *keeping(int *done)
{
    gw_builder *b = parts_begin(&host);
    gw_id route;

    parts_listener(b, "edge");
    route = add_route(b, "/", NULL);
    ck_assert_int_eq(gw_builder_keep(b, add(b, 0), filters, count_done, done), GW_OK);
    ck_assert_int_eq(gw_builder_keep(b, route, filters, count_done, done), GW_OK);
    ck_assert_int_eq(gw_builder_keep(b, 0, filters, count_done, done), GW_EINVAL);
    ck_assert_int_eq(gw_builder_keep(b, route, filters, NULL, done), GW_EINVAL);
    return parts_build(b);
}

/* As long as an exchange has it that began with it. */
START_TEST(kept_until_it_is_gone)
{
    int first = 0, second = 0;
    struct mode1_link *l;

    gw_builder_free(begin());
    mode1_start(&host, keeping(&first), NULL);
    l = mode1_accept(&host, "edge");
    filters[0].acts_at = AT_ROUTE;
    filters[0].waits = true;
    mode1_say(&host, l, get);
    parts_apply(&host, keeping(&second));
    mode1_pump(&host);
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(gw_resume(filters[0].ticket, &filters[0]), GW_OK);
    mode1_pump(&host);
    mode1_end(&host, l); /* its connection had it too */
    ck_assert_int_eq(first, 2);
    ck_assert_int_eq(second, 0);
    mode1_stop(&host);
    ck_assert_int_eq(first, 2);
    ck_assert_int_eq(second, 2);
}
END_TEST

/* 0: given up; 1: refused by the build; 2: tied after a refused part. */
START_TEST(kept_by_none)
{
    gw_builder *b = begin();
    gw_filter nameless = GW_SPEC(gw_filter);
    gw_config *config = NULL;
    int done = 0;

    if (_i == 2)
        ck_assert_uint_eq(gw_builder_filter(b, &nameless), 0);
    ck_assert_int_eq(gw_builder_keep(b, _i == 2 ? 0 : add(b, 0), filters, count_done, &done),
                     GW_OK);
    if (_i == 1)
        (void)add_route(b, "/", "nowhere");
    ck_assert_int_eq(done, 0);
    if (_i == 0)
        gw_builder_free(b);
    else
        ck_assert_int_ne(gw_builder_build(b, &config, NULL), GW_OK);
    ck_assert_int_eq(done, 1);
    test_alloc_fini(&host.alloc);
}
END_TEST

/* ---- what they may change ---- */

static gw_status part(gw_exchange *x, uint32_t what, const char *value)
{
    return gw_message_set_part(gw_exchange_request(x), what, gw_cstr(value));
}

static void rewrite(gw_exchange *x)
{
    gw_message *m = gw_exchange_request(x);

    ck_assert_int_eq(part(x, GW_PART_PATH, "/a/./../b/%7e%2f"), GW_OK);
    ck_assert_int_eq(part(x, GW_PART_QUERY, "k=v?/"), GW_OK);
    ck_assert_int_eq(part(x, GW_PART_METHOD, "PURGE"), GW_OK);
    ck_assert_int_eq(part(x, GW_PART_AUTHORITY, "b.example:8080"), GW_OK);
    ck_assert_int_eq(part(x, GW_PART_SCHEME, "HTTPS"), GW_OK);
    ck_assert(gw_str_eq(gw_message_part(m, GW_PART_SCHEME), gw_cstr("https")));
    ck_assert(gw_str_eq(gw_message_field(m, gw_cstr("host")), gw_cstr("b.example:8080")));
    /* What no reader of ours would take is not said. */
    ck_assert_int_eq(part(x, GW_PART_PATH, "b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, ""), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "*"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/a b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/a?b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/a#b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/a\r\nb"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/%0"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/%00"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/../b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_QUERY, "a b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_QUERY, "a#b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_METHOD, "GE T"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_METHOD, ""), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_METHOD, "HEAD"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_METHOD, "CONNECT"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_AUTHORITY, "a@b"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_AUTHORITY, ""), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_SCHEME, "ftp"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_PROTOCOL, "websocket"), GW_EINVAL);
    ck_assert_int_eq(part(x, GW_PART_TARGET_AS_RECEIVED, "/"), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_field(m, gw_cstr("expect"), gw_cstr("more")), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_field(m, gw_cstr("te"), gw_cstr("gzip")), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_field(m, gw_cstr("a"), gw_cstr("b\r\nc: d")), GW_EINVAL);
    ck_assert_int_eq(gw_message_add_field(m, gw_cstr("host"), gw_cstr("c.example")), GW_OK);
    ck_assert(gw_str_eq(gw_message_part(m, GW_PART_AUTHORITY), gw_cstr("c.example")));
    ck_assert_uint_eq(gw_message_fields(m), 1);
    ck_assert_int_eq(gw_message_clear(gw_exchange_trailers(x, GW_SIDE_REQUEST)), GW_OK);
}

/* What is set before there is a route is matched; and all of it is what is sent. */
START_TEST(a_request_is_rewritten)
{
    struct mode1_link *l = start_all(begin()), *u;

    filters[0].acts_at = AT_REQUEST;
    filters[0].act = rewrite;
    mode1_say(&host, l, get);
    u = mode1_upstream(&host);
    ck_assert_ptr_eq(strstr(u->out, "PURGE /b/~%2F?k=v?/ HTTP/1.1\r\nHost: c.example\r\n"), u->out);
    mode1_say(&host, u, ok);
    ck_assert_ptr_nonnull(strstr(l->out, "hello"));
    mode1_stop(&host);
}
END_TEST

static void too_late(gw_exchange *x)
{
    ck_assert_int_eq(part(x, GW_PART_PATH, "/b"), GW_ESTATE);
    ck_assert_int_eq(gw_message_clear(gw_exchange_request(x)), GW_ESTATE);
    ck_assert_int_eq(gw_exchange_reroute(x), GW_ESTATE);
    ck_assert_int_eq(gw_exchange_set_cluster(x, gw_cstr("other")), GW_ESTATE);
    ck_assert_int_eq(gw_exchange_forbid_retry(x), GW_ESTATE);
    ck_assert_int_eq(gw_message_set_part(gw_exchange_response(x), GW_PART_PATH, gw_cstr("/")),
                     GW_EINVAL);
    ck_assert(gw_str_eq(gw_message_field(gw_exchange_response(x), gw_cstr("content-length")),
                        gw_cstr("5")));
    ck_assert_int_eq(gw_message_clear(gw_exchange_response(x)), GW_OK);
    ck_assert_int_eq(gw_message_set_code(gw_exchange_response(x), 204), GW_EINVAL);
    ck_assert_int_eq(gw_message_set_code(gw_exchange_response(x), 203), GW_OK);
}

START_TEST(a_response_is_rewritten)
{
    struct mode1_link *l = start_all(begin());

    filters[0].acts_at = AT_RESPONSE;
    filters[0].act = too_late;
    mode1_say(&host, l, get);
    mode1_say(&host, mode1_upstream(&host),
              "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello");
    ck_assert_str_eq(l->out, "HTTP/1.1 203 Non-Authoritative Information\r\n"
                             "Content-Length: 5\r\n\r\nhello");
    mode1_stop(&host);
}
END_TEST

static void sign(gw_exchange *x)
{
    ck_assert_int_eq(gw_message_set_field(gw_exchange_request(x), gw_cstr("x-user"), gw_cstr("me")),
                     GW_OK);
}

static void sign_response(gw_exchange *x)
{
    ck_assert_int_eq(
        gw_message_set_field(gw_exchange_response(x), gw_cstr("x-user"), gw_cstr("me")), GW_OK);
}

/* Who names a field in Connection takes off his own, and not the one that a filter adds. */
START_TEST(connection_names_no_field_of_ours)
{
    struct mode1_link *l = start_all(begin()), *u;

    filters[0].acts_at = _i == 0 ? AT_REQUEST : AT_RESPONSE;
    filters[0].act = _i == 0 ? sign : sign_response;
    mode1_say(&host, l, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: x-user\r\nX-User: root\r\n\r\n");
    u = mode1_upstream(&host);
    ck_assert_int_eq(strstr(u->out, "x-user: me\r\n") != NULL, _i == 0);
    ck_assert_ptr_null(strstr(u->out, "root"));
    mode1_say(&host, u,
              "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x-user\r\n"
              "X-User: root\r\n\r\n");
    ck_assert_int_eq(strstr(l->out, "x-user: me\r\n") != NULL, _i == 1);
    ck_assert_ptr_null(strstr(l->out, "root"));
    mode1_stop(&host);
}
END_TEST

static void to_b(gw_exchange *x);

/* Nor where none is on before there is a route: 1: nor on the first one. */
START_TEST(connection_names_no_field_of_a_route)
{
    gw_builder *b = begin();
    gw_use_spec use = GW_SPEC(gw_use_spec);
    gw_id id[2] = { add(b, 0), add(b, 1) }, web, bee;
    struct mode1_link *l, *u;

    parts_cluster(b, "web", NULL, "10.0.0.1:80");
    web = add_route(b, "/", "web");
    bee = add_route(b, "/b", "web");
    use.mode = GW_USE_OFF;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(gw_builder_use(b, id[i], 0, &use), GW_OK);
    use.mode = GW_USE_ON;
    ck_assert_int_eq(gw_builder_use(b, id[0], _i == 0 ? web : bee, &use), GW_OK);
    ck_assert_int_eq(gw_builder_use(b, id[1], web, &use), GW_OK);
    filters[0].acts_at = _i == 0 ? AT_ROUTE : AT_UPSTREAM;
    filters[0].act = sign;
    filters[1].acts_at = _i == 0 ? 0 : AT_ROUTE;
    filters[1].act = to_b;
    mode1_start(&host, parts_build(b), NULL);
    l = mode1_accept(&host, "edge");
    mode1_say(&host, l, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: x-user\r\nX-User: root\r\n\r\n");
    u = mode1_upstream(&host);
    ck_assert_ptr_nonnull(strstr(u->out, "x-user: me\r\n"));
    ck_assert_ptr_null(strstr(u->out, "root"));
    mode1_stop(&host);
}
END_TEST

/* ---- where it goes ---- */

static void to_other(gw_exchange *x)
{
    ck_assert_int_eq(gw_exchange_set_cluster(x, gw_cstr("nowhere")), GW_EUNKNOWN);
    ck_assert_int_eq(gw_exchange_set_cluster(x, gw_cstr("other")), GW_OK);
}

static void to_b(gw_exchange *x)
{
    ck_assert_int_eq(part(x, GW_PART_PATH, "/b/x"), GW_OK);
    ck_assert_int_eq(gw_exchange_reroute(x), GW_OK);
}

static void reroute_early(gw_exchange *x)
{
    ck_assert_int_eq(gw_exchange_reroute(x), GW_ESTATE);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/b/x"), GW_OK);
}

/* Also where the route would have answered itself. */
START_TEST(it_goes_elsewhere)
{
    static const struct {
        char at;
        void (*act)(gw_exchange *x);
        const char *path;
    } rows[] = {
        { AT_REQUEST, to_other, "/x" },   { AT_ROUTE, to_other, "/x" },
        { AT_REQUEST, to_other, "/own" }, { AT_ROUTE, to_b, "/x" },
        { AT_ROUTE, to_b, "/own" },       { AT_REQUEST, reroute_early, "/x" },
    };
    struct mode1_link *l = start_all(begin());
    gw_destination d = GW_SPEC(gw_destination);
    char request[100];

    filters[1].acts_at = rows[_i].at;
    filters[1].act = rows[_i].act;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", rows[_i].path);
    mode1_say(&host, l, request);
    ck_assert_int_eq(gw_link_get_destination(mode1_upstream(&host)->link, &d), GW_OK);
    ck_assert(gw_str_eq(d.cluster, gw_cstr("other")));
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_ptr_nonnull(strstr(l->out, "hello"));
    ck_assert_str_eq(said, "aq bq cq ar br cr au bu cu cp bp ap ae be ce ");
    mode1_stop(&host);
}
END_TEST

/* All that exchange_bytes_max leaves. */
static void eat(gw_exchange *x)
{
    for (size_t len = 8192; len > 0; len /= 2)
        while (gw_exchange_alloc(x, len) != NULL) {
        }
}

static void to_b_in_vain(gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    eat(x);
    ck_assert_int_eq(part(x, GW_PART_PATH, "/b/x"), GW_OK);
    ck_assert_int_eq(gw_exchange_reroute(x), GW_ENOMEM);
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    ck_assert(gw_str_eq(info.route, gw_cstr("/")));
}

static gw_verdict never(void *ctx, gw_exchange *x)
{
    ck_abort_msg("%p %p: it is not on", ctx, (void *)x);
    return GW_ABORT;
}

static void never_ends(void *ctx, const gw_exchange *x)
{
    ck_abort_msg("%p %p: it never was on", ctx, (const void *)x);
}

/* What the other route's filters need cannot be had: all is as it was. */
START_TEST(a_reroute_fails)
{
    gw_builder *b = begin();
    gw_filter big = GW_SPEC(gw_filter);
    gw_use_spec use = GW_SPEC(gw_use_spec);
    gw_destination d = GW_SPEC(gw_destination);
    struct mode1_link *l;
    gw_id id;

    (void)add(b, 0);
    big.name = "big";
    big.exchange_bytes = 4096;
    big.on_route = big.on_upstream = never;
    big.on_end = never_ends;
    id = gw_builder_filter(b, &big);
    parts_cluster(b, "web", NULL, "10.0.0.1:80");
    parts_cluster(b, "other", NULL, "10.0.0.2:80");
    (void)add_route(b, "/", "web");
    use.mode = GW_USE_OFF;
    ck_assert_int_eq(gw_builder_use(b, id, 0, &use), GW_OK);
    use.mode = GW_USE_ON;
    ck_assert_int_eq(gw_builder_use(b, id, add_route(b, "/b", "other"), &use), GW_OK);
    mode1_start(&host, parts_build(b), NULL);
    l = mode1_accept(&host, "edge");
    filters[0].acts_at = AT_ROUTE;
    filters[0].act = to_b_in_vain;
    mode1_say(&host, l, get);
    ck_assert_int_eq(gw_link_get_destination(mode1_upstream(&host)->link, &d), GW_OK);
    ck_assert(gw_str_eq(d.cluster, gw_cstr("web")));
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_ptr_nonnull(strstr(l->out, "hello"));
    ck_assert_str_eq(said, "aq ar au ap ae ");
    mode1_stop(&host);
}
END_TEST

static void forbid(gw_exchange *x)
{
    ck_assert_int_eq(gw_exchange_forbid_retry(x), GW_OK);
}

/* A second try goes elsewhere, and on_upstream sees it; unless a filter does not want it. */
START_TEST(tries)
{
    gw_builder *b = begin();
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_id id;
    struct mode1_link *l;

    (void)add(b, 0);
    cluster.name = gw_cstr("web");
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = gw_cstr("10.0.0.1:80");
    ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    endpoint.address = gw_cstr("10.0.0.2:80");
    ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    (void)add_route(b, "/", "web");
    mode1_start(&host, parts_build(b), NULL);
    l = mode1_accept(&host, "edge");
    host.refuse = true;
    filters[0].acts_at = AT_UPSTREAM;
    filters[0].act = _i == 0 ? forbid : sign;
    mode1_say(&host, l, get);
    ck_assert_str_eq(said, _i == 0 ? "aq ar au ae " : "aq ar au au ae ");
    ck_assert_ptr_nonnull(strstr(l->out, " 503 "));
    mode1_stop(&host);
}
END_TEST

/* ---- labels ---- */

static void label(gw_exchange *x)
{
    char name[] = "n00", value[] = "value";

    ck_assert_ptr_null(gw_exchange_label(x, gw_cstr("none")).ptr);
    ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr(""), gw_cstr("a")), GW_EINVAL);
    for (int i = 0; i < 33; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr(name), gw_cstr(value)),
                         i < 32 ? GW_OK : GW_ELIMIT);
    }
    memset(value, 'x', sizeof value); /* it was copied */
    ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr("n31"), gw_cstr("other")), GW_OK);
    ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr("n30"), gw_cstr("")), GW_OK);
    ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr("n29"), (gw_str){ said, 1 << 20 }),
                     GW_ELIMIT);
    ck_assert(gw_str_eq(gw_exchange_label(x, gw_cstr("n29")), gw_cstr("value")));
}

/* One that is set again and again costs nothing more; what there is no room for changes nothing. */
static void label_often(gw_exchange *x)
{
    static const char *const values[] = { "12345678", "", "abc", "87654321" };
    gw_str name = gw_cstr("name"), value;

    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(gw_exchange_set_label(x, name, gw_cstr(values[i % 4])), GW_OK);
    eat(x);
    ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr("other"), gw_cstr("")), GW_ELIMIT);
    ck_assert_ptr_null(gw_exchange_label(x, gw_cstr("other")).ptr);
    ck_assert_int_eq(gw_exchange_set_label(x, name, gw_cstr("123456789")), GW_ELIMIT);
    value = gw_exchange_label(x, name);
    ck_assert(gw_str_eq(value, gw_cstr("87654321")));
    value.ptr++;
    value.len--;
    ck_assert_int_eq(gw_exchange_set_label(x, name, value), GW_OK); /* a part of what it was */
    ck_assert(gw_str_eq(gw_exchange_label(x, name), gw_cstr("7654321")));
}

static void read_labels(gw_exchange *x)
{
    ck_assert(gw_str_eq(gw_exchange_label(x, gw_cstr("n00")), gw_cstr("value")));
    ck_assert(gw_str_eq(gw_exchange_label(x, gw_cstr("n31")), gw_cstr("other")));
    ck_assert_ptr_nonnull(gw_exchange_label(x, gw_cstr("n30")).ptr);
    ck_assert_uint_eq(gw_exchange_label(x, gw_cstr("n30")).len, 0);
}

START_TEST(labels)
{
    struct mode1_link *l = start_all(begin());

    filters[0].acts_at = AT_REQUEST;
    filters[0].act = label;
    filters[2].acts_at = AT_RESPONSE;
    filters[2].act = read_labels;
    mode1_say(&host, l, get);
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_ptr_nonnull(strstr(l->out, "hello"));
    mode1_stop(&host);
}
END_TEST

START_TEST(labels_cost)
{
    struct mode1_link *l = start_all(begin());

    filters[0].acts_at = AT_REQUEST;
    filters[0].act = label_often;
    mode1_say(&host, l, get);
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_ptr_nonnull(strstr(l->out, "hello"));
    mode1_stop(&host);
}
END_TEST

static Suite *filter_suite(void)
{
    Suite *suite = suite_create("filter");

    check_add(suite, the_order);
    check_add(suite, the_order_without_an_upstream);
    check_add(suite, failures_are_not_shown);
    check_add_loop(suite, verdicts, 0, 40);
    check_add_loop(suite, the_last_answer_counts, 0, 6);
    check_add(suite, a_reply_is_held);
    check_add_loop(suite, nobody_resumes, 0, 4);
    check_add_loop(suite, the_client_leaves, 0, 8);
    check_add(suite, where_they_are_on);
    check_add_loop(suite, uses_that_are_none, 0, 5);
    check_add(suite, kept_until_it_is_gone);
    check_add_loop(suite, kept_by_none, 0, 3);
    check_add(suite, a_request_is_rewritten);
    check_add(suite, a_response_is_rewritten);
    check_add_loop(suite, connection_names_no_field_of_ours, 0, 2);
    check_add_loop(suite, connection_names_no_field_of_a_route, 0, 2);
    check_add_loop(suite, it_goes_elsewhere, 0, 6);
    check_add(suite, a_reroute_fails);
    check_add_loop(suite, tries, 0, 2);
    check_add(suite, labels);
    check_add(suite, labels_cost);
    return suite;
}

CHECK_MAIN(filter_suite, show_suite, every_suite)
