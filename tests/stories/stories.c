/* stories/stories.c: docs/stories.md, played: with what protects, as that page has it, and without. Each test
 * asserts the difference, so it fails where the policy does nothing. */

#include "../unit/check_main.h"
#include "town.h"

/* ---- the page ---- */

enum { PAGE_MAX = 1 << 16 };

/* The YAML under a heading of the page. */
static void read_yaml(const char *heading, char *out)
{
    static char page[PAGE_MAX];
    FILE *f = fopen(STORIES_PAGE, "r");
    char *at, *end;
    size_t len;

    ck_assert_ptr_nonnull(f);
    len = fread(page, 1, sizeof page - 1, f);
    fclose(f);
    page[len] = '\0';
    at = strstr(page, heading);
    ck_assert_msg(at != NULL, "the page has no %s", heading);
    at = strstr(at, "```yaml\n");
    ck_assert_ptr_nonnull(at);
    at += strlen("```yaml\n");
    end = strstr(at, "```");
    ck_assert_ptr_nonnull(end);
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
}

/* Another text in the place of what stands from a word on to the end of its line; everywhere. */
static void replace(char *text, const char *word, const char *by)
{
    char *rest = text;
    int n = 0;

    while ((rest = strstr(rest, word)) != NULL) {
        char *end = strchr(rest, '\n');
        memmove(rest + strlen(by), end, strlen(end) + 1);
        memcpy(rest, by, strlen(by));
        rest += strlen(by);
        n++;
    }
    ck_assert_msg(n > 0, "the page does not say %s", word);
}

static gw_status extend(void *ctx, gw_builder *b)
{
    gw_filter *filters = ctx;

    for (int i = 0; i < 2 && filters[i].name != NULL; i++)
        gw_builder_filter(b, &filters[i]);
    return GW_OK;
}

/* other: one more filter, or NULL. */
static void open(struct town *t, const char *yaml, const gw_filter *other)
{
    gw_filter filters[2] = { other != NULL ? *other : town_filter(t), GW_SPEC(gw_filter) };
    gw_yaml_error err = GW_SPEC(gw_yaml_error);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_env env = town_env(t);
    gw_config *config;

    if (other != NULL)
        filters[1] = town_filter(t);
    limits.links_max = 40000;
    limits.exchanges_max = 40000;
    ck_assert_msg(gw_yaml_load(&env, gw_cstr(yaml), extend, filters, NULL, NULL, &config, &err) ==
                      GW_OK,
                  "%s: %s", err.where, err.text);
    ck_assert(town_open(t, config, &limits, 2));
}

/* ---- what is counted ---- */

/* How many requests of a crowd (TOWN_NOBODY: of all crowds) that ended in [from, until) were answered so. */
static uint32_t count(const struct town *t, uint32_t crowd, gw_nanos from, gw_nanos until,
                      uint32_t code)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->asks_len; i++) {
        const struct town_ask *a = &t->asks[i];
        n += a->is_done && a->ended >= from && a->ended < until && a->code == code &&
             a->crowd == crowd;
    }
    return n;
}

/* ---- the limiter that was cut at seconds ---- */

enum { RATE = 100, SECONDS = 64 };

struct cut {
    struct town *town;
    uint64_t first;
    uint32_t count[SECONDS]; /* by second of the wall clock */
};

static gw_verdict take_by_seconds(void *ctx, gw_exchange *x)
{
    struct cut *cut = ctx;
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    gw_reply reply = GW_SPEC(gw_reply);
    uint64_t second;

    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    second = info.unix_now / TOWN_SECOND;
    if (cut->first == 0)
        cut->first = second - 10;
    ck_assert_uint_lt(second - cut->first, SECONDS);
    if (cut->count[second - cut->first]++ < RATE)
        return GW_NEXT;
    reply.code = 429;
    return gw_exchange_reply(x, &reply) == GW_OK ? GW_REPLY : GW_ABORT;
}

enum { FORWARD, BACK };

static void put_clock(struct town *t, uint32_t what)
{
    t->wall_lead += what == FORWARD ? (int64_t)TOWN_SECOND : -5 * (int64_t)TOWN_SECOND;
}

struct limited {
    uint32_t most,
        least; /* that came through in a second, wherever it begins; but the first and last */
    uint32_t good, late;
};

static struct limited play_limiter(const char *yaml, bool is_cut)
{
    struct town *t = town_new(1);
    struct cut cut = { .town = t };
    gw_filter filter = GW_SPEC(gw_filter);
    struct town_crowd crowd = { .method = "GET", .path = "/product", .gap = GW_MS(1) };
    struct limited out = { 0, UINT32_MAX, 0, 0 };
    gw_nanos begin = 2 * TOWN_SECOND, *passed;
    uint32_t n = 0;

    filter.name = "cut";
    filter.ctx = &cut;
    filter.on_request = take_by_seconds;
    open(t, yaml, is_cut ? &filter : NULL);
    town_service(t, "10.0.0.1:80", GW_MS(1000) / 120, 1);
    crowd.from = begin;
    crowd.until = begin + 10 * TOWN_SECOND;
    town_crowd(t, &crowd);
    t->act = put_clock;
    for (uint32_t i = 0; i < 5; i++)
        town_later(t, 4 * TOWN_SECOND + i * GW_MS(200), FORWARD);
    town_later(t, 5 * TOWN_SECOND, BACK);
    town_run(t, begin + 15 * TOWN_SECOND);
    passed = calloc(t->asks_len, sizeof *passed);
    for (uint32_t i = 0; i < t->asks_len; i++)
        if (t->asks[i].tries > 0)
            passed[n++] = t->asks[i].routed;
    for (uint32_t i = 0, k = 0; i < n; i++) {
        for (; passed[k] + TOWN_SECOND <= passed[i]; k++)
            ;
        out.most = i - k + 1 > out.most ? i - k + 1 : out.most;
    }
    for (gw_nanos from = begin; from + TOWN_SECOND <= crowd.until; from += GW_MS(100)) {
        uint32_t in = 0;
        for (uint32_t i = 0; i < n; i++)
            in += passed[i] >= from && passed[i] < from + TOWN_SECOND;
        out.least = in < out.least ? in : out.least;
    }
    out.good = count(t, 0, 0, GW_NEVER, 200);
    out.late = count(t, 0, 0, GW_NEVER, 504);
    free(passed);
    town_close(t);
    town_free(t);
    return out;
}

START_TEST(the_limiter_cut_at_seconds)
{
    char yaml[PAGE_MAX];
    struct limited with, cut, without;

    read_yaml("## The limiter that was cut at seconds", yaml);
    with = play_limiter(yaml, false);
    replace(yaml, "    limiters: [ all ]", "");
    cut = play_limiter(yaml, true);
    without = play_limiter(yaml, false);
    printf("limiter: with it %u to %u in a second, %u good, %u late; cut at seconds %u to %u, %u "
           "good, %u "
           "late; without %u to %u, %u good, %u late\n",
           with.least, with.most, with.good, with.late, cut.least, cut.most, cut.good, cut.late,
           without.least, without.most, without.good, without.late);
    ck_assert_uint_le(with.most, RATE + 10);
    ck_assert_uint_ge(with.least, RATE - 2);
    ck_assert_uint_eq(with.late, 0);
    ck_assert_uint_ge(cut.most, 5 * RATE);
    ck_assert_uint_eq(cut.least, 0);
    ck_assert_uint_gt(cut.late, 100);
    ck_assert_uint_gt(without.most, 9 * RATE);
    ck_assert_uint_lt(without.good, with.good / 2);
}
END_TEST

/* ---- the surge ---- */

struct surge {
    uint32_t before, during, after; /* good answers a second; after: beginning 5 s after it */
    gw_nanos recovered;             /* after its end; GW_NEVER: it did not */
    uint64_t wasted;
};

static struct surge play_surge(const char *yaml)
{
    struct town *t = town_new(1);
    struct town_crowd usual = {
        "GET", "/product", 0, 0, 0, .patience = 2 * TOWN_SECOND, .again = 2
    };
    struct town_crowd surge;
    struct surge out = { 0, 0, 0, GW_NEVER, 0 };
    gw_nanos begin = 2 * TOWN_SECOND, from = begin + 5 * TOWN_SECOND,
             until = from + 10 * TOWN_SECOND, end = until + 20 * TOWN_SECOND;

    open(t, yaml, NULL);
    t->services[town_service(t, "10.0.0.1:80", GW_MS(5), 200)].calls = "/inventory";
    t->services[town_service(t, "10.0.0.2:80", GW_MS(20), 16)].calls = "/order";
    town_service(t, "10.0.0.3:80", GW_MS(10), 8);
    usual.gap = TOWN_SECOND / 200;
    usual.from = begin;
    usual.until = end;
    surge = usual;
    surge.gap = TOWN_SECOND / 2000;
    surge.from = from;
    surge.until = until;
    town_crowd(t, &usual);
    town_crowd(t, &surge);
    town_run(t, end);
    out.before = count(t, 0, from - 2 * TOWN_SECOND, from, 200) / 2;
    out.during = (count(t, 0, from, until, 200) + count(t, 1, from, until, 200)) / 10;
    out.after = count(t, 0, until + 5 * TOWN_SECOND, end, 200) / 15;
    for (gw_nanos at = until; at + TOWN_SECOND <= end && out.recovered == GW_NEVER;
         at += GW_MS(100))
        if (count(t, 0, at, at + TOWN_SECOND, 200) >= out.before * 9 / 10)
            out.recovered = at - until;
    for (uint32_t i = 0; i < t->services_len; i++)
        out.wasted += t->services[i].wasted;
    town_close(t);
    town_free(t);
    return out;
}

static void say_surge(const char *what, const struct surge *s)
{
    printf(
        "surge, %s: good answers a second: %u before, %u in it, %u after; recovered after %lld ms; "
        "%llu done for nobody\n",
        what, s->before, s->during, s->after,
        s->recovered == GW_NEVER ? -1 : (long long)(s->recovered / GW_MS(1)),
        (unsigned long long)s->wasted);
}

/* What is taken out of the page's configuration. */
enum { THROTTLE = 1, CEILINGS = 2 };

static struct surge play_surge_without(const char *page, int out)
{
    char yaml[PAGE_MAX];
    struct surge seen;
    char what[64];

    memcpy(yaml, page, strlen(page) + 1);
    if ((out & THROTTLE) != 0)
        replace(yaml, "    throttle:", "");
    if ((out & CEILINGS) != 0)
        replace(yaml, "    ceilings:", "");
    seen = play_surge(yaml);
    snprintf(what, sizeof what, "%s%s%s", out == 0 ? "with" : "without",
             (out & CEILINGS) != 0 ? " ceilings" : "", (out & THROTTLE) != 0 ? " throttle" : "");
    say_surge(what, &seen);
    return seen;
}

START_TEST(the_surge)
{
    char page[PAGE_MAX];
    struct surge with, loose, without;

    read_yaml("## The surge", page);
    with = play_surge_without(page, 0);
    loose = play_surge_without(page, CEILINGS);
    without = play_surge_without(page, THROTTLE | CEILINGS);
    ck_assert_uint_ge(with.during, 350);
    ck_assert_uint_ge(with.after, with.before * 95 / 100);
    ck_assert_uint_le(with.recovered, 2 * TOWN_SECOND);
    ck_assert_uint_lt(loose.during, with.during / 2);
    ck_assert_uint_le(loose.recovered, 3 * TOWN_SECOND);
    ck_assert_uint_lt(without.during, with.during / 2);
    ck_assert_uint_eq(without.recovered, GW_NEVER);
    ck_assert_uint_eq(without.after, 0);
    ck_assert_uint_gt(without.wasted, 1000);
}
END_TEST

/* ---- ten thousand clients ---- */

struct crowded {
    uint32_t callers, connections, good, late; /* late: later than 100 ms */
    uint64_t connected;
    gw_nanos slow; /* of a hundred answers 95 came sooner */
};

static int by_time(const void *a, const void *b)
{
    gw_nanos x = *(const gw_nanos *)a, y = *(const gw_nanos *)b;

    return x < y ? -1 : x > y;
}

static struct crowded play_clients(const char *yaml)
{
    struct town *t = town_new(1);
    struct town_crowd crowd = { .method = "GET", .path = "/", .gap = TOWN_SECOND / 10000 };
    struct crowded out = { 0, 0, 0, 0, 0, 0 };
    gw_nanos *times;
    uint32_t service, n = 0;

    open(t, yaml, NULL);
    service = town_service(t, "10.0.0.1:80", GW_MS(5), 100);
    t->services[service].greeting = GW_MS(25);
    crowd.from = TOWN_SECOND;
    crowd.until = 2 * TOWN_SECOND;
    town_crowd(t, &crowd);
    town_run(t, 20 * TOWN_SECOND);
    times = calloc(t->asks_len, sizeof *times);
    for (uint32_t i = 0; i < t->asks_len; i++) {
        const struct town_ask *a = &t->asks[i];
        if (a->code == 200)
            times[n++] = a->ended - a->began;
        out.late += a->code == 200 && a->ended - a->began > GW_MS(100);
    }
    qsort(times, n, sizeof *times, by_time);
    out.slow = times[n * 95 / 100];
    out.good = n;
    out.callers = t->asks_len;
    out.connections = t->services[service].connections_most;
    out.connected = t->services[service].connected;
    free(times);
    town_close(t);
    town_free(t);
    return out;
}

static void say_clients(const char *what, const struct crowded *c)
{
    printf("clients, %s: %u of %u served, 95 of 100 within %llu ms; connections: %u at once, %llu "
           "in all\n",
           what, c->good, c->callers, (unsigned long long)(c->slow / GW_MS(1)), c->connections,
           (unsigned long long)c->connected);
}

START_TEST(ten_thousand_clients)
{
    char yaml[PAGE_MAX];
    struct crowded with, without;

    read_yaml("## Ten thousand clients", yaml);
    with = play_clients(yaml);
    replace(yaml, "pool: { connections: 64 }", "pool: { connections: 20000, requests: 1 }");
    without = play_clients(yaml);
    say_clients("with", &with);
    say_clients("without", &without);
    ck_assert_uint_ge(with.callers, 9900);
    ck_assert_uint_eq(with.good, with.callers);
    ck_assert_uint_le(with.slow, GW_MS(30));
    ck_assert_uint_le(with.connected, 2 * 64); /* two workers */
    ck_assert_uint_eq(without.connected, without.callers);
    ck_assert_uint_gt(without.connections, 1000);
    ck_assert_uint_gt(without.slow, GW_MS(800));
}
END_TEST

/* ---- the payment that did not answer ---- */

struct payment {
    gw_nanos isolated; /* so long after the silence began; GW_NEVER: it was not */
    uint32_t orders, ordered, looks, looked;
    uint32_t busy; /* threads of the order service, in the end */
};

static struct payment play_payment(const char *yaml)
{
    struct town *t = town_new(1);
    struct town_crowd orders = { .method = "GET", .path = "/order/new", .gap = GW_MS(10) }, looks;
    struct payment out = { GW_NEVER, 0, 0, 0, 0, 0 };
    gw_nanos silence = 7 * TOWN_SECOND, end = 62 * TOWN_SECOND;
    struct town_service *order;
    uint32_t payment;

    open(t, yaml, NULL);
    order = &t->services[town_service(t, "10.0.0.1:80", GW_MS(5), 50)];
    order->calls = "/payment";
    order->calls_of = "/new";
    payment = town_service(t, "10.0.0.2:80", GW_MS(20), 0);
    orders.from = 2 * TOWN_SECOND;
    orders.until = end;
    looks = orders;
    looks.path = "/order/17";
    town_crowd(t, &orders);
    town_crowd(t, &looks);
    town_run(t, silence);
    t->services[payment].mood = TOWN_SILENT;
    for (gw_nanos at = silence; at < end; at += GW_MS(10)) {
        town_run(t, at);
        if (out.isolated == GW_NEVER && town_stat(t, "breakers_opened") > 0)
            out.isolated = at - silence;
    }
    out.busy = order->busy;
    for (uint32_t i = 0; i < t->asks_len; i++) {
        const struct town_ask *a = &t->asks[i];
        out.orders += a->crowd == 0;
        out.ordered += a->crowd == 0 && a->code == 200;
        out.looks += a->crowd == 1;
        out.looked += a->crowd == 1 && a->code == 200;
    }
    town_close(t);
    town_free(t);
    return out;
}

static void say_payment(const char *what, const struct payment *p)
{
    printf("payment, %s: isolated after %lld ms; %u of %u orders, %u of %u looks; %u threads busy "
           "in the end\n",
           what, p->isolated == GW_NEVER ? -1 : (long long)(p->isolated / GW_MS(1)), p->ordered,
           p->orders, p->looked, p->looks, p->busy);
}

START_TEST(the_payment)
{
    char yaml[PAGE_MAX];
    struct payment with, without;

    read_yaml("## The payment that did not answer", yaml);
    with = play_payment(yaml);
    replace(yaml, "    breaker:", "");
    replace(yaml, "    fallback:", "");
    without = play_payment(yaml);
    say_payment("with", &with);
    say_payment("without", &without);
    ck_assert_uint_le(with.isolated, GW_MS(1200));
    ck_assert_uint_gt(with.isolated, GW_MS(800));
    ck_assert_uint_ge(with.ordered, with.orders * 99 / 100);
    ck_assert_uint_ge(with.looked, with.looks - 2);
    ck_assert_uint_eq(without.isolated, GW_NEVER);
    ck_assert_uint_eq(without.busy, 50);
    ck_assert_uint_lt(without.ordered, without.orders / 5);
    ck_assert_uint_lt(without.looked, without.looks * 7 / 10);
}
END_TEST

static Suite *stories_suite(void)
{
    Suite *s = suite_create("stories");

    check_add(s, the_limiter_cut_at_seconds);
    check_add(s, the_surge);
    check_add(s, ten_thousand_clients);
    check_add(s, the_payment);
    return s;
}

CHECK_MAIN(stories_suite)
