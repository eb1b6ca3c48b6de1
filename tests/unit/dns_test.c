/* unit/dns_test.c: names, responses whatever their bytes, one question over time, and the endpoints of a
 * cluster; the whole of it beside a naive version under seeded answers and failures. */

#include <stdio.h>

#include "alloc.h"
#include "base/text.h"
#include "base/timer.h"
#include "check_main.h"
#include "dns/watch.h"

#define S(n) ((gw_nanos)(n)*1000000000u)

/* ---- names ---- */

START_TEST(names)
{
    static const struct {
        const char *name, *fault; /* NULL: none */
    } rows[] = {
        { "api.example.com", NULL },
        { "API.example.com.", NULL },
        { "_grpc._tcp.api", NULL },
        { "a-b", NULL },
        { "10.example", NULL },
        { "", "needed" },
        { ".", "empty" },
        { "a..b", "empty" },
        { ".a", "empty" },
        { "a..", "empty" },
        { "-a.b", "begins or ends" },
        { "a.b-", "begins or ends" },
        { "a b", "other bytes" },
        { "a/b.c", "other bytes" },
        { "*.a", "other bytes" },
        { "10.0.0.1", "an address stands under endpoints" },
        { "10", "an address stands under endpoints" },
        { "localhost", "localhost" },
        { "api.LocalHost.", "localhost" },
    };
    char label[65], text[300];
    struct gw_dns_name name;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *fault = gw_dns_name_fault(gw_cstr(rows[i].name));
        if (rows[i].fault == NULL)
            ck_assert_msg(fault == NULL, "%s: %s", rows[i].name, fault);
        else
            ck_assert_msg(fault != NULL && strstr(fault, rows[i].fault) != NULL, "%s: %s",
                          rows[i].name, fault);
    }
    memset(label, 'x', sizeof label);
    ck_assert_ptr_null(gw_dns_name_fault((gw_str){ label, 63 }));
    ck_assert_ptr_nonnull(gw_dns_name_fault((gw_str){ label, 64 }));
    memset(text, 'x', sizeof text);
    for (size_t i = 60; i < sizeof text; i += 61)
        text[i] = '.';
    ck_assert_ptr_null(gw_dns_name_fault((gw_str){ text, 253 }));
    ck_assert_ptr_nonnull(gw_dns_name_fault((gw_str){ text, 254 }));
    gw_dns_name_set(&name, GW_STR("API.Example."));
    ck_assert_str_eq(name.text, "api.example");
    ck_assert_int_eq(name.len, 11);
}
END_TEST

/* ---- responses ---- */

struct response {
    uint8_t bytes[70000];
    size_t len;
};

static void put(struct response *r, uint32_t value, size_t n)
{
    while (n-- > 0)
        r->bytes[r->len++] = (uint8_t)(value >> (8 * n));
}

static void put_name(struct response *r, const char *name)
{
    while (*name != '\0') {
        size_t n = strcspn(name, ".");
        put(r, (uint32_t)n, 1);
        memcpy(r->bytes + r->len, name, n);
        r->len += n;
        name += n + (name[n] == '.');
    }
    put(r, 0, 1);
}

static const char *const asked = "api.example";

static void begin(struct response *r, uint32_t flags, enum gw_dns_type type, uint32_t answers,
                  uint32_t authorities)
{
    r->len = 0;
    put(r, 7, 2);
    put(r, 0x8180 | flags, 2);
    put(r, 1, 2);
    put(r, answers, 2);
    put(r, authorities, 2);
    put(r, 0, 2);
    put_name(r, asked);
    put(r, (uint32_t)type, 2);
    put(r, 1, 2);
}

static void put_head(struct response *r, const char *owner, uint32_t type, uint32_t ttl, size_t len)
{
    put_name(r, owner);
    put(r, type, 2);
    put(r, 1, 2);
    put(r, ttl, 4);
    put(r, (uint32_t)len, 2);
}

static void put_a(struct response *r, const char *owner, uint32_t ttl, uint32_t ip)
{
    put_head(r, owner, 1, ttl, 4);
    put(r, ip, 4);
}

static void put_aaaa(struct response *r, const char *owner, uint32_t ttl, uint32_t last)
{
    put_head(r, owner, 28, ttl, 16);
    put(r, 0x20010db8, 4);
    put(r, 0, 4);
    put(r, 0, 4);
    put(r, last, 4);
}

static void put_alias(struct response *r, const char *owner, uint32_t ttl, const char *to)
{
    put_head(r, owner, 5, ttl, strlen(to) + 2);
    put_name(r, to);
}

static void put_srv(struct response *r, uint32_t ttl, uint32_t priority, uint32_t weight,
                    uint32_t port, const char *target)
{
    put_head(r, asked, 33, ttl, 6 + strlen(target) + (*target == '\0' ? 1 : 2));
    put(r, priority, 2);
    put(r, weight, 2);
    put(r, port, 2);
    put_name(r, target);
}

static void put_soa(struct response *r, uint32_t ttl, uint32_t minimum)
{
    put_head(r, "example", 6, ttl, 3 + 3 + 20);
    put_name(r, "a");
    put_name(r, "b");
    for (int i = 0; i < 4; i++)
        put(r, 9, 4);
    put(r, minimum, 4);
}

static struct gw_dns_answer answer; /* large */

static void read_it(const struct response *r, enum gw_dns_type type)
{
    struct gw_dns_name name;

    gw_dns_name_set(&name, gw_cstr(asked));
    memset(&answer, 0xa5, sizeof answer);
    gw_dns_answer_read(r->bytes, r->len, &name, type, &answer);
}

static struct response r;

START_TEST(addresses_are_read)
{
    begin(&r, 0, GW_DNS_TYPE_A, 5, 0);
    put_a(&r, asked, 300, 0x0a000002);
    put_a(&r, "API.example", 60, 0x0a000001); /* the case of a name is nothing */
    put_a(&r, asked, 300, 0x0a000002);        /* again */
    put_a(&r, "other.example", 1, 0x0a000003);
    put_aaaa(&r, asked, 1, 1);
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_FOUND);
    ck_assert_int_eq(answer.ttl, 60);
    ck_assert_int_eq(answer.len, 2);
    ck_assert_int_eq(answer.ips[0].bytes[3], 1);
    ck_assert_int_eq(answer.ips[1].bytes[3], 2);
    begin(&r, 0, GW_DNS_TYPE_AAAA, 1, 0);
    put_aaaa(&r, asked, 5, 9);
    read_it(&r, GW_DNS_TYPE_AAAA);
    ck_assert_int_eq(answer.result, GW_DNS_FOUND);
    ck_assert_int_eq(answer.ips[0].bytes[0], 0x20);
    ck_assert_int_eq(answer.ips[0].bytes[15], 9);
}
END_TEST

START_TEST(addresses_of_nobody)
{
    static const uint32_t none[] = { 0, 0x00000001, 0xe0000001, 0xffffffff };

    for (size_t i = 0; i < 4; i++) {
        begin(&r, 0, GW_DNS_TYPE_A, 1, 0);
        put_a(&r, asked, 300, none[i]);
        read_it(&r, GW_DNS_TYPE_A);
        ck_assert_int_eq(answer.result, GW_DNS_NONE);
    }
}
END_TEST

START_TEST(aliases_are_followed)
{
    begin(&r, 0, GW_DNS_TYPE_A, 3, 0);
    put_a(&r, "c.example", 300, 0x0a000001); /* in any order */
    put_alias(&r, "b.example", 20, "c.example");
    put_alias(&r, asked, 40, "b.example");
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_FOUND);
    ck_assert_int_eq(answer.ttl, 20); /* the least of the chain */
    begin(&r, 0, GW_DNS_TYPE_A, 1, 0);
    put_alias(&r, asked, 40, "b.example");
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_NONE);
    /* A loop, and a chain that is too long. */
    begin(&r, 0, GW_DNS_TYPE_A, 2, 0);
    put_alias(&r, asked, 40, "b.example");
    put_alias(&r, "b.example", 40, asked);
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_FAILED);
    ck_assert_str_eq(answer.why, "too many aliases");
    for (uint32_t n = GW_DNS_ALIASES_MAX; n <= GW_DNS_ALIASES_MAX + 1; n++) {
        begin(&r, 0, GW_DNS_TYPE_A, n + 1, 0);
        for (uint32_t i = 0; i < n; i++) {
            char from[16], to[16];
            snprintf(from, sizeof from, "n%u.example", i);
            snprintf(to, sizeof to, "n%u.example", i + 1);
            put_alias(&r, i == 0 ? asked : from, 40, to);
        }
        char last[16];
        snprintf(last, sizeof last, "n%u.example", n);
        put_a(&r, last, 40, 0x0a000001);
        read_it(&r, GW_DNS_TYPE_A);
        ck_assert_int_eq(answer.result, n <= GW_DNS_ALIASES_MAX ? GW_DNS_FOUND : GW_DNS_FAILED);
    }
}
END_TEST

START_TEST(nothing_is_found)
{
    begin(&r, 3, GW_DNS_TYPE_A, 0, 1);
    put_soa(&r, 900, 120);
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_NONE);
    ck_assert_int_eq(answer.ttl, 120);
    begin(&r, 0, GW_DNS_TYPE_A, 0, 1);
    put_soa(&r, 60, 120);
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_NONE);
    ck_assert_int_eq(answer.ttl, 60);
    begin(&r, 3, GW_DNS_TYPE_A, 0, 0);
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_NONE);
    ck_assert_int_eq(answer.ttl, 0);
}
END_TEST

START_TEST(times_without_sense)
{
    static const uint32_t given[] = { 0, 0x7fffffff, 0x80000000, 0xffffffff };
    static const uint32_t wanted[] = { 0, 0x7fffffff, 0, 0 };

    for (size_t i = 0; i < 4; i++) {
        begin(&r, 0, GW_DNS_TYPE_A, 1, 0);
        put_a(&r, asked, given[i], 0x0a000001);
        read_it(&r, GW_DNS_TYPE_A);
        ck_assert_int_eq(answer.result, GW_DNS_FOUND);
        ck_assert_int_eq(answer.ttl, wanted[i]);
    }
}
END_TEST

START_TEST(codes)
{
    for (uint32_t code = 0; code < 16; code++) {
        begin(&r, code, GW_DNS_TYPE_A, 0, 0);
        read_it(&r, GW_DNS_TYPE_A);
        ck_assert_int_eq(answer.result, code == 0 || code == 3 ? GW_DNS_NONE : GW_DNS_FAILED);
        ck_assert(code == 0 || code == 3 || strlen(answer.why) > 0);
    }
    begin(&r, 0x0200, GW_DNS_TYPE_A, 0, 0); /* cut off */
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_FAILED);
    begin(&r, 0, GW_DNS_TYPE_AAAA, 0, 0); /* to another question */
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_FAILED);
    begin(&r, 0, GW_DNS_TYPE_A, 0, 0);
    r.bytes[2] &= 0x7f; /* a question */
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_FAILED);
}
END_TEST

START_TEST(records_of_another_length)
{
    for (uint32_t len = 0; len < 8; len++) {
        begin(&r, 0, GW_DNS_TYPE_A, 1, 0);
        put_head(&r, asked, 1, 60, len);
        for (uint32_t i = 0; i < len; i++)
            put(&r, 10, 1);
        read_it(&r, GW_DNS_TYPE_A);
        ck_assert_int_eq(answer.result, len == 4 ? GW_DNS_FOUND : GW_DNS_FAILED);
    }
}
END_TEST

START_TEST(targets_are_read)
{
    begin(&r, 0, GW_DNS_TYPE_SRV, 8, 0);
    put_srv(&r, 60, 20, 1, 80, "c.example");
    put_srv(&r, 50, 10, 5, 80, "b.example");
    put_srv(&r, 60, 10, 7, 81, "b.example");
    put_srv(&r, 60, 10, 9, 80, "A.example");
    put_srv(&r, 60, 30, 9, 80, "b.example"); /* there already, and asked before */
    put_srv(&r, 60, 10, 6, 80, "b.example"); /* again, with more weight */
    put_srv(&r, 60, 10, 9, 0, "d.example");  /* no port */
    put_srv(&r, 60, 10, 9, 80, "");          /* "decidedly not available" */
    read_it(&r, GW_DNS_TYPE_SRV);
    ck_assert_int_eq(answer.result, GW_DNS_FOUND);
    ck_assert_int_eq(answer.ttl, 50);
    ck_assert_int_eq(answer.len, 4);
    ck_assert_str_eq(answer.targets[0].name.text, "a.example");
    ck_assert_str_eq(answer.targets[1].name.text, "b.example");
    ck_assert_int_eq(answer.targets[1].weight, 6);
    ck_assert_int_eq(answer.targets[1].port, 80);
    ck_assert_int_eq(answer.targets[2].port, 81);
    ck_assert_int_eq(answer.targets[3].priority, 20);
    begin(&r, 0, GW_DNS_TYPE_SRV, 1, 0);
    put_srv(&r, 60, 0, 0, 1, "");
    read_it(&r, GW_DNS_TYPE_SRV);
    ck_assert_int_eq(answer.result, GW_DNS_NONE);
}
END_TEST

START_TEST(thousands_of_records)
{
    begin(&r, 0, GW_DNS_TYPE_A, 2000, 0);
    for (uint32_t i = 0; i < 2000; i++)
        put_a(&r, asked, 60, 0x0a000000 + (i * 7919) % 2000 + 1);
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.len, GW_DNS_ADDRESSES_MAX);
    ck_assert_int_eq(answer.left_out, 2000 - GW_DNS_ADDRESSES_MAX);
    for (uint32_t i = 0; i < answer.len; i++) /* always the same ones: the least */
        ck_assert_int_eq(answer.ips[i].bytes[2] << 8 | answer.ips[i].bytes[3], i + 1);
    begin(&r, 0, GW_DNS_TYPE_SRV, 1000, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%03u.x", (i * 791) % 1000);
        put_srv(&r, 60, 1, 1, 80, name);
    }
    read_it(&r, GW_DNS_TYPE_SRV);
    ck_assert_int_eq(answer.len, GW_DNS_TARGETS_MAX);
    ck_assert_int_eq(answer.left_out, 1000 - GW_DNS_TARGETS_MAX);
    ck_assert_str_eq(answer.targets[0].name.text, "t000.x");
    ck_assert_str_eq(answer.targets[GW_DNS_TARGETS_MAX - 1].name.text, "t063.x");
}
END_TEST

START_TEST(names_that_point)
{
    begin(&r, 0, GW_DNS_TYPE_A, 1, 0);
    put(&r, 0xc00c, 2); /* to the question's */
    put(&r, 1, 2);
    put(&r, 1, 2);
    put(&r, 60, 4);
    put(&r, 4, 2);
    put(&r, 0x0a000001, 4);
    read_it(&r, GW_DNS_TYPE_A);
    ck_assert_int_eq(answer.result, GW_DNS_FOUND);
    size_t at = 12 + 13 + 4; /* where that pointer lies */
    for (uint32_t to = 0; to < 0x4000; to++) {
        r.bytes[at] = (uint8_t)(0xc0 | to >> 8);
        r.bytes[at + 1] = (uint8_t)to;
        read_it(&r, GW_DNS_TYPE_A);
        if (to >= at) /* to itself, or forwards */
            ck_assert_int_eq(answer.result, GW_DNS_FAILED);
    }
}
END_TEST

/* Each length of a response is cut, and each byte of it is another: it ends, and holds what it may. */
START_TEST(cut_and_spoilt)
{
    struct gw_prng prng = { 1729 };
    struct response whole;

    begin(&r, 0, GW_DNS_TYPE_SRV, 3, 1);
    put_srv(&r, 60, 20, 1, 80, "c.example");
    put_srv(&r, 50, 10, 5, 80, "b.example");
    put_alias(&r, "x.example", 5, "y.example");
    size_t answers = r.len;
    put_soa(&r, 5, 5);
    whole = r;
    for (size_t len = 0; len < whole.len; len++) {
        r.len = len;
        read_it(&r, GW_DNS_TYPE_SRV);
        if (len < answers)
            ck_assert_int_eq(answer.result, GW_DNS_FAILED);
    }
    for (int i = 0; i < 20000; i++) {
        r = whole;
        for (uint64_t n = gw_prng_below(&prng, 4) + 1; n > 0; n--)
            r.bytes[gw_prng_below(&prng, r.len)] = (uint8_t)gw_prng_next(&prng);
        r.len -= gw_prng_below(&prng, 3);
        read_it(&r, GW_DNS_TYPE_SRV);
        ck_assert(answer.result != GW_DNS_FOUND || (answer.len > 0 && answer.len <= 2));
        ck_assert(answer.result != GW_DNS_FAILED || answer.why != NULL);
    }
}
END_TEST

/* ---- a question over time ---- */

static struct test_alloc alloc;
static struct gw_heap heap;
static struct gw_prng prng;
static struct gw_dns_question *q;
static const struct gw_dns_times times = { .ttl_min = S(5),
                                           .ttl_max = S(300),
                                           .retry = S(1),
                                           .retry_max = S(8),
                                           .stale = S(100),
                                           .empty = S(30) };

static void found(uint32_t ttl, uint32_t n, uint32_t first)
{
    memset(&answer, 0, sizeof answer);
    answer.result = GW_DNS_FOUND;
    answer.ttl = ttl;
    answer.len = n;
    for (uint32_t i = 0; i < n; i++) {
        answer.ips[i].bytes[0] = 10;
        answer.ips[i].bytes[3] = (uint8_t)(first + i);
    }
}

static void none(uint32_t ttl)
{
    memset(&answer, 0, sizeof answer);
    answer.result = GW_DNS_NONE;
    answer.ttl = ttl;
}

static bool tell(gw_nanos now)
{
    if (!q->is_asked)
        gw_dns_question_ask(q, now);
    return gw_dns_question_tell(q, &heap, now, &times, &prng, &answer);
}

static void start_question(void)
{
    struct gw_dns_name name;

    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_dns_name_set(&name, gw_cstr(asked));
    ck_assert_int_eq(gw_dns_question_new(&heap, &name, GW_DNS_TYPE_A, S(1000), &q), GW_OK);
    ck_assert_uint_eq(gw_dns_question_due(q), S(1000));
}

static void end_question(void)
{
    gw_dns_question_free(&heap, q);
    test_alloc_fini(&alloc);
}

START_TEST(ttl_is_kept_within)
{
    static const struct {
        uint32_t ttl;
        gw_nanos wait;
    } rows[] = { { 0, S(5) }, { 4, S(5) }, { 60, S(60) }, { 301, S(300) }, { INT32_MAX, S(300) } };

    start_question();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        found(rows[i].ttl, 1, 1);
        ck_assert_int_eq(tell(S(1000)), i == 0); /* the same again is nothing new */
        ck_assert_uint_eq(gw_dns_question_due(q), S(1000) + rows[i].wait);
    }
    end_question();
}
END_TEST

START_TEST(failures_back_off)
{
    static const uint64_t most[] = { 1, 2, 4, 8, 8, 8 };

    start_question();
    gw_dns_question_ask(q, S(1000));
    ck_assert_uint_eq(gw_dns_question_due(q), GW_NEVER);
    for (size_t i = 0; i < 6; i++) {
        gw_dns_answer_fail(&answer, "no");
        ck_assert(!tell(S(1000)));
        gw_nanos wait = gw_dns_question_due(q) - S(1000);
        ck_assert_uint_le(wait, S(most[i]));
        ck_assert_uint_ge(wait, S(most[i]) / 2);
    }
    found(60, 1, 1);
    ck_assert(tell(S(1001)));
    gw_dns_answer_fail(&answer, "no");
    ck_assert(!tell(S(1061)));
    ck_assert_uint_le(gw_dns_question_due(q), S(1062)); /* it begins anew */
    end_question();
}
END_TEST

START_TEST(stale_answers_end)
{
    start_question();
    found(60, 2, 1);
    ck_assert(tell(S(1000)));
    ck_assert(!gw_dns_question_tick(q, &heap, S(5000))); /* nobody asked: nothing has failed */
    gw_dns_answer_fail(&answer, "no");
    ck_assert(!tell(S(1060)));
    ck_assert_int_eq(q->len, 2);
    gw_dns_question_ask(q, S(1061));
    ck_assert_uint_eq(gw_dns_question_due(q), S(1160)); /* 60 and 100 */
    ck_assert(!gw_dns_question_tick(q, &heap, S(1160) - 1));
    ck_assert(gw_dns_question_tick(q, &heap, S(1160)));
    ck_assert_int_eq(q->len, 0);
    ck_assert(!gw_dns_question_tick(q, &heap, S(1161)));
    end_question();
}
END_TEST

START_TEST(none_is_believed_after_a_while)
{
    start_question();
    none(20);
    ck_assert(!tell(S(1000))); /* nothing was held: believed at once */
    ck_assert_uint_eq(gw_dns_question_due(q), S(1020));
    found(60, 2, 1);
    ck_assert(tell(S(1020)));
    none(600);
    ck_assert(!tell(S(1080)));
    ck_assert_uint_le(gw_dns_question_due(q), S(1081)); /* is that so? */
    gw_dns_answer_fail(&answer, "no");
    ck_assert(!tell(S(1081)));
    ck_assert(!gw_dns_question_tick(q, &heap, S(1111))); /* a failure is no second word */
    none(600);
    ck_assert(!tell(S(1109)));
    ck_assert_uint_le(gw_dns_question_due(q), S(1110));
    ck_assert(tell(S(1110)));
    ck_assert_int_eq(q->len, 0);
    ck_assert_uint_eq(gw_dns_question_due(q), S(1410)); /* 600 is more than may be */
    found(60, 1, 1);
    ck_assert(tell(S(1410)));
    none(0);
    ck_assert(!tell(S(1470)));
    found(60, 1, 1);
    ck_assert(!tell(S(1471))); /* it was not so */
    none(0);
    ck_assert(!tell(S(1505))); /* from here on again */
    ck_assert_int_eq(q->len, 1);
    end_question();
}
END_TEST

/* ---- a cluster ---- */

static struct gw_dns_watch watch;
static struct gw_dns_set set;

static struct gw_dns_plan plan_of(const char *name, bool is_srv, bool has_a, bool has_aaaa)
{
    struct gw_dns_plan plan = { .is_srv = is_srv,
                                .has_a = has_a,
                                .has_aaaa = has_aaaa,
                                .port = is_srv ? 0 : 80,
                                .times = times };

    gw_dns_name_set(&plan.name, gw_cstr(name));
    return plan;
}

static void start_watch(bool is_srv, bool has_a, bool has_aaaa)
{
    struct gw_dns_plan plan = plan_of(asked, is_srv, has_a, has_aaaa);

    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    ck_assert_int_eq(gw_dns_watch_init(&watch, &heap, &plan, 7, S(1000)), GW_OK);
}

static void end_watch(void)
{
    gw_dns_set_fini(&set, &heap);
    gw_dns_watch_fini(&watch);
    test_alloc_fini(&alloc);
}

/* What is asked now, "A api.example;": all of it. */
static const char *asks(gw_nanos now)
{
    static char text[2000];
    const struct gw_dns_question *one;
    size_t at = 0;

    text[0] = '\0';
    while ((one = gw_dns_watch_ask(&watch, now)) != NULL)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s %s;",
                               one->type == GW_DNS_TYPE_A      ? "A"
                               : one->type == GW_DNS_TYPE_AAAA ? "AAAA"
                                                               : "SRV",
                               one->name.text);
    return text;
}

/* answer is that of the question by type and name, which is being asked. */
static void hear(enum gw_dns_type type, const char *name, gw_nanos now)
{
    const struct gw_dns_question *one = watch.questions;

    while (one->type != type || strcmp(one->name.text, name) != 0)
        one = one->next;
    ck_assert_ptr_eq(gw_dns_watch_find(&watch, one->id), one);
    gw_dns_watch_tell(&watch, one->id, now, &answer);
}

/* "10.0.0.1:80 w1 p0;" */
static const char *endpoints(void)
{
    static char text[4000];
    size_t at = 0;

    text[0] = '\0';
    ck_assert_int_eq(gw_dns_watch_set(&watch, &set), GW_OK);
    for (uint32_t i = 0; i < set.len && at < sizeof text; i++) {
        const struct gw_dns_endpoint *e = &set.list[i];
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s", e->name_len, e->name);
        if (e->name_len != e->address_len || memcmp(e->name, e->address, e->name_len) != 0)
            at += (size_t)snprintf(text + at, sizeof text - at, "=%.*s", e->address_len,
                                   e->address);
        at += (size_t)snprintf(text + at, sizeof text - at, " w%u p%u;", e->weight, e->priority);
    }
    return text;
}

static void six(uint32_t last)
{
    memset(&answer, 0, sizeof answer);
    answer.result = GW_DNS_FOUND;
    answer.ttl = 60;
    answer.len = 1;
    answer.ips[0].bytes[0] = 0x20;
    answer.ips[0].bytes[1] = 1;
    answer.ips[0].bytes[15] = (uint8_t)last;
}

START_TEST(a_and_aaaa)
{
    start_watch(false, true, true);
    ck_assert_str_eq(asks(S(1000)), "A api.example;AAAA api.example;");
    ck_assert_str_eq(asks(S(1000)), "");
    ck_assert(!gw_dns_watch_is_ready(&watch, S(1000)));
    found(60, 2, 1);
    hear(GW_DNS_TYPE_A, asked, S(1000));
    ck_assert(!gw_dns_watch_is_ready(&watch, S(1000))); /* the other is waited for, a second */
    ck_assert_uint_eq(gw_dns_watch_due(&watch, S(1000)), S(1001));
    ck_assert(gw_dns_watch_is_ready(&watch, S(1001)));
    six(9);
    hear(GW_DNS_TYPE_AAAA, asked, S(1000));
    ck_assert(gw_dns_watch_is_ready(&watch, S(1000)));
    ck_assert(watch.is_new);
    ck_assert_str_eq(endpoints(), "10.0.0.1:80 w1 p0;10.0.0.2:80 w1 p0;[2001::9]:80 w1 p0;");
    ck_assert(!watch.is_new);
    ck_assert_uint_eq(gw_dns_watch_due(&watch, S(1000)), S(1060));
    ck_assert_str_eq(asks(S(1060)), "A api.example;AAAA api.example;");
    found(60, 1, 2);
    hear(GW_DNS_TYPE_A, asked, S(1060));
    gw_dns_answer_fail(&answer, "no");
    hear(GW_DNS_TYPE_AAAA, asked, S(1060)); /* what it had said stays */
    ck_assert_str_eq(endpoints(), "10.0.0.2:80 w1 p0;[2001::9]:80 w1 p0;");
    gw_dns_watch_tell(&watch, 4711, S(1060), &answer); /* of nobody */
    end_watch();
}
END_TEST

static void target(const char *name, uint32_t priority, uint32_t weight, uint32_t port)
{
    struct gw_dns_target *t = &answer.targets[answer.len++];

    t->priority = (uint16_t)priority;
    t->weight = (uint16_t)weight;
    t->port = (uint16_t)port;
    gw_dns_name_set(&t->name, gw_cstr(name));
}

static void targets(uint32_t ttl)
{
    memset(&answer, 0, sizeof answer);
    answer.result = GW_DNS_FOUND;
    answer.ttl = ttl;
}

START_TEST(srv)
{
    start_watch(true, true, false);
    ck_assert_str_eq(asks(S(1000)), "SRV api.example;");
    targets(60);
    target("a.x", 10, 30, 81);
    target("b.x", 10, 10, 82);
    target("c.x", 70, 1, 83);
    hear(GW_DNS_TYPE_SRV, asked, S(1000));
    ck_assert(!gw_dns_watch_is_ready(&watch, S(1000)));
    ck_assert_str_eq(asks(S(1000)), "A a.x;A b.x;A c.x;");
    found(30, 1, 1);
    hear(GW_DNS_TYPE_A, "a.x", S(1000));
    found(60, 2, 2);
    hear(GW_DNS_TYPE_A, "b.x", S(1000));
    gw_dns_answer_fail(&answer, "no");
    hear(GW_DNS_TYPE_A, "c.x", S(1000));
    ck_assert(gw_dns_watch_is_ready(&watch, S(1000)));
    /* Two addresses share what is their target's: 30 to 10 is 60 to twice 10. */
    ck_assert_str_eq(endpoints(), "a.x:81=10.0.0.1:81 w60 p0;b.x:82/10.0.0.2:82=10.0.0.2:82 w10 p0;"
                                  "b.x:82/10.0.0.3:82=10.0.0.3:82 w10 p0;");
    ck_assert_str_eq(asks(S(1001)), "A c.x;");
    found(60, 1, 9);
    hear(GW_DNS_TYPE_A, "c.x", S(1001));
    ck_assert_str_eq(asks(S(1030)), "A a.x;");
    ck_assert_str_eq(asks(S(1060)), "SRV api.example;A b.x;");
    targets(60);
    target("a.x", 10, 30, 81);
    target("c.x", 70, 1, 83);
    target("d.x", 70, 1, 84);
    hear(GW_DNS_TYPE_SRV, asked, S(1060));
    found(30, 1, 5);
    gw_dns_watch_tell(&watch, 3, S(1060), &answer); /* b.x's answer comes too late */
    ck_assert(!gw_dns_watch_is_ready(&watch, S(1060)));
    ck_assert_str_eq(asks(S(1061)), "A c.x;A d.x;");
    found(60, 1, 10);
    hear(GW_DNS_TYPE_A, "d.x", S(1061));
    ck_assert(gw_dns_watch_is_ready(&watch, S(1061)));
    ck_assert_str_eq(endpoints(), "a.x:81=10.0.0.1:81 w30 p0;c.x:83=10.0.0.9:83 w1 p1;"
                                  "d.x:84=10.0.0.10:84 w1 p1;");
    end_watch();
}
END_TEST

/* All targets of one level answered with n addresses each. */
static const char *weights_of(uint32_t n, const uint32_t *weights, const uint32_t *counts)
{
    char name[8];

    start_watch(true, true, false);
    (void)asks(S(1000));
    targets(60);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%c.x", 'a' + (int)i);
        target(name, 1, weights[i], 80);
    }
    hear(GW_DNS_TYPE_SRV, asked, S(1000));
    (void)asks(S(1000));
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%c.x", 'a' + (int)i);
        if (counts[i] > 0)
            found(60, counts[i], 1);
        else
            none(60);
        hear(GW_DNS_TYPE_A, name, S(1000));
    }
    static char text[1000];
    size_t at = 0;
    (void)endpoints();
    text[0] = '\0';
    for (uint32_t i = 0; i < set.len; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%u ", set.list[i].weight);
    end_watch();
    return text;
}

START_TEST(weights_of_srv)
{
#define ROW(wanted, n, ...)                                                                        \
    do {                                                                                           \
        const uint32_t list_[2][4] = { __VA_ARGS__ };                                              \
        ck_assert_str_eq(weights_of(n, list_[0], list_[1]), wanted);                               \
    } while (0)
    ROW("1 1 1 ", 3, { 0, 0, 0 }, { 1, 1, 1 });
    ROW("5 1 ", 2, { 5, 0 }, { 1, 1 });          /* RFC 2782: 1 in 6 */
    ROW("10 1 1 ", 3, { 5, 0, 0 }, { 1, 1, 1 }); /* ... which the two share */
    ROW("5 1 ", 3, { 5, 0, 0 }, { 1, 1, 0 });    /* one that is not there has none */
    ROW("65535 65535 ", 2, { 65535, 65535 }, { 1, 1 });
    ROW("65535 1 1 ", 3, { 65535, 0, 0 }, { 1, 1, 1 }); /* as near as it can be */
    ROW("1 1 1 1 ", 2, { 1, 1 }, { 2, 2 });             /* nothing to do */
    ROW("3 3 2 2 2 ", 2, { 1, 1 }, { 2, 3 });
    ROW("65535 21845 21845 21845 ", 2, { 60000, 60000 }, { 1, 3 });
#undef ROW
}
END_TEST

/* ---- beside a naive version ---- */

/* Everything that was said of one question, from the first word on. */
enum { WORDS = 600, KNOWN = 8, NAMES = 5 };
struct words {
    const char *name;
    enum gw_dns_type type;
    bool is_wanted; /* the target is one now */
    uint32_t len;
    struct word {
        gw_nanos at;
        enum gw_dns_result result;
        uint32_t ttl, bits; /* which of KNOWN addresses; of SRV: which names */
    } list[WORDS];
};
static struct words said[1 + NAMES];

/* What is held after all that, worked out from the beginning. */
static uint32_t held_of(const struct words *w, gw_nanos now)
{
    uint32_t bits = 0;
    gw_nanos until = 0, none_since = 0;
    bool is_failing = false, is_none = false;

    for (uint32_t i = 0; i <= w->len; i++) {
        gw_nanos at = i < w->len ? w->list[i].at : now;
        const struct word *word = &w->list[i];
        if (is_failing && at >= until)
            bits = 0;
        if (i == w->len)
            break;
        is_failing = word->result == GW_DNS_FAILED;
        if (word->result == GW_DNS_FOUND) {
            gw_nanos ttl = S(word->ttl);
            ttl = ttl < times.ttl_min ? times.ttl_min : ttl > times.ttl_max ? times.ttl_max : ttl;
            bits = word->bits;
            until = at + ttl + times.stale;
            is_none = false;
        } else if (word->result == GW_DNS_NONE) {
            if (!is_none)
                none_since = at;
            is_none = true;
            if (at >= none_since + times.empty)
                bits = 0;
        } else if (at >= until) {
            bits = 0;
        }
    }
    return bits;
}

static struct words *words_of(const struct gw_dns_question *one)
{
    for (int i = 0; i <= NAMES; i++)
        if (strcmp(said[i].name, one->name.text) == 0 && said[i].type == one->type)
            return &said[i];
    ck_abort_msg("nobody wants %s", one->name.text);
    return NULL;
}

/* Draws what is said, and writes it down. */
static void draw(struct words *w, gw_nanos now)
{
    uint32_t result = (uint32_t)gw_prng_below(&prng, 10), bits = 0;
    uint32_t ttl = (uint32_t)gw_prng_below(&prng, 3) == 0 ? 0 : (uint32_t)gw_prng_below(&prng, 400);
    uint32_t of = w == &said[0] ? NAMES : KNOWN;
    char name[8];

    memset(&answer, 0, sizeof answer);
    answer.ttl = ttl;
    answer.result = result < 5 ? GW_DNS_FOUND : result < 7 ? GW_DNS_NONE : GW_DNS_FAILED;
    answer.why = "no";
    if (answer.result == GW_DNS_FOUND)
        bits = (uint32_t)gw_prng_below(&prng, (1u << of) - 1) + 1;
    for (uint32_t i = 0; i < of; i++) {
        if ((bits >> i & 1) == 0)
            continue;
        if (w == &said[0]) {
            snprintf(name, sizeof name, "t%u.x", i);
            target(name, 1, 1, 80);
        } else {
            answer.ips[answer.len].bytes[0] = 10;
            answer.ips[answer.len++].bytes[3] = (uint8_t)(i + 1);
        }
    }
    ck_assert_uint_lt(w->len, WORDS);
    w->list[w->len++] = (struct word){ now, answer.result, ttl, bits };
}

static void forget_others(gw_nanos now)
{
    uint32_t bits = held_of(&said[0], now);

    for (uint32_t i = 0; i < NAMES; i++)
        if ((bits >> i & 1) == 0)
            said[i + 1].len = 0; /* nobody wants to know */
}

static void compare(gw_nanos now)
{
    uint32_t bits = held_of(&said[0], now), seen[NAMES] = { 0 };

    ck_assert_int_eq(gw_dns_watch_set(&watch, &set), GW_OK);
    for (uint32_t i = 0; i < set.len; i++) {
        const struct gw_dns_endpoint *e = &set.list[i];
        uint32_t name = (uint32_t)(e->name[1] - '0'), last = (uint32_t)(e->address[7] - '0');
        ck_assert(e->name[0] == 't' && name < NAMES && last >= 1 && last <= KNOWN);
        ck_assert_uint_eq(seen[name] >> (last - 1) & 1, 0);
        seen[name] |= 1u << (last - 1);
    }
    for (uint32_t i = 0; i < NAMES; i++)
        ck_assert_uint_eq(seen[i], (bits >> i & 1) != 0 ? held_of(&said[i + 1], now) : 0);
}

/* One question more that waits for its answer. */
struct open {
    uint32_t id;
    struct words *words;
};

static void ask_all(struct open *open, uint32_t *n, gw_nanos now)
{
    const struct gw_dns_question *one;

    while ((one = gw_dns_watch_ask(&watch, now)) != NULL) {
        struct words *w = words_of(one);
        if (w->len > 0) { /* not too early, not too late */
            gw_nanos wait = now - w->list[w->len - 1].at;
            ck_assert_uint_ge(wait, times.retry / 2);
            ck_assert_uint_le(wait, times.ttl_max + S(100)); /* it may have been late by then */
        }
        ck_assert_uint_lt(*n, 2 * (NAMES + 1));
        open[(*n)++] = (struct open){ one->id, w };
    }
}

START_TEST(as_the_naive_version)
{
    static const char *const names_of[1 + NAMES] = { "api.example", "t0.x", "t1.x",
                                                     "t2.x",        "t3.x", "t4.x" };
    struct open open[2 * (NAMES + 1)];
    uint32_t n = 0;
    gw_nanos now = S(1000);

    memset(said, 0, sizeof said);
    for (int i = 0; i <= NAMES; i++) {
        said[i].name = names_of[i];
        said[i].type = i == 0 ? GW_DNS_TYPE_SRV : GW_DNS_TYPE_A;
    }
    prng = (struct gw_prng){ (uint64_t)_i };
    start_watch(true, true, false);
    for (int step = 0; step < 500; step++) {
        ask_all(open, &n, now);
        if (n > 0 && gw_prng_below(&prng, 4) > 0) {
            uint32_t i = (uint32_t)gw_prng_below(&prng, n);
            struct open one = open[i];
            open[i] = open[--n];
            if (gw_dns_watch_find(&watch, one.id) != NULL)
                draw(one.words, now);
            gw_dns_watch_tell(&watch, one.id, now, &answer);
        } else {
            gw_nanos due = gw_dns_watch_due(&watch, now);
            ck_assert(due > now && (due != GW_NEVER || n > 0));
            if (due == GW_NEVER || (n > 0 && due - now > S(6)))
                due = now + S(6); /* an answer comes first */
            now = due;
            gw_dns_watch_tick(&watch, now);
        }
        forget_others(now);
        compare(now);
    }
    end_watch();
}
END_TEST

/* Each allocation of a short life fails in turn: it goes on, and is whole again with the next answers. */
START_TEST(memory_that_is_refused)
{
    for (uint64_t k = 1;; k++) {
        struct gw_dns_plan plan = plan_of(asked, true, true, true);
        test_alloc_init(&alloc);
        alloc.fail_at = k;
        gw_heap_init(&heap, &alloc.allocator, 0);
        if (gw_dns_watch_init(&watch, &heap, &plan, 7, S(1000)) != GW_OK) {
            test_alloc_fini(&alloc);
            continue;
        }
        gw_nanos now = S(1000);
        for (int i = 0; i < 40; i++) {
            const struct gw_dns_question *one;
            while ((one = gw_dns_watch_ask(&watch, now)) != NULL) {
                if (one->type == GW_DNS_TYPE_SRV) {
                    targets(60);
                    target("a.x", 1, 1, 80);
                    target("b.x", 1, 1, 80);
                } else if (one->type == GW_DNS_TYPE_A) {
                    found(60, 2, 1);
                } else {
                    six(1);
                }
                gw_dns_watch_tell(&watch, one->id, now, &answer);
            }
            if (gw_dns_watch_set(&watch, &set) != GW_OK)
                ck_assert_uint_gt(alloc.failed, 0);
            now = gw_dns_watch_due(&watch, now);
            gw_dns_watch_tick(&watch, now);
        }
        bool has_failed = alloc.failed > 0;
        alloc.fail_at = 0;
        ck_assert_int_eq(gw_dns_watch_set(&watch, &set), GW_OK);
        ck_assert_uint_eq(set.len, 6);
        end_watch();
        if (!has_failed)
            break;
    }
}
END_TEST

static Suite *dns_suite(void)
{
    Suite *s = suite_create("dns");

    check_add(s, names);
    check_add(s, addresses_are_read);
    check_add(s, addresses_of_nobody);
    check_add(s, aliases_are_followed);
    check_add(s, nothing_is_found);
    check_add(s, times_without_sense);
    check_add(s, codes);
    check_add(s, records_of_another_length);
    check_add(s, targets_are_read);
    check_add(s, thousands_of_records);
    check_add(s, names_that_point);
    check_add(s, cut_and_spoilt);
    check_add(s, ttl_is_kept_within);
    check_add(s, failures_back_off);
    check_add(s, stale_answers_end);
    check_add(s, none_is_believed_after_a_while);
    check_add(s, a_and_aaaa);
    check_add(s, srv);
    check_add(s, weights_of_srv);
    check_add_loop(s, as_the_naive_version, 0, 200);
    check_add(s, memory_that_is_refused);
    return s;
}

CHECK_MAIN(dns_suite)
