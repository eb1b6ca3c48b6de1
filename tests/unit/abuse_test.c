/* unit/abuse_test.c: clients that make work and get nothing done, one kind a test, each beside an honest
 * client that must be served all the while; and honest clients that are as eager, slow or fickle as
 * honest clients are, and must never be taken for the others. Time is a number here. */

#include "base/prng.h"
#include "check_main.h"
#include "http/abuse.h"
#include "http/reason.h"
#include "parts.h"

enum { BIG = 60000 };

static struct mode1 host;
static struct mode1_link *bad, *good; /* the client that is tried, and the other one */
static uint32_t causes[GW_REASON_COUNT];
static uint64_t blocks_peak, bytes_peak;

/* ---- the gateway ---- */

static void see_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    causes[gw_exchange_cause(x).reason]++;
}

static gw_config *make_config(void)
{
    static char big[BIG];
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);

    parts_listener(b, "edge");
    cluster.response_timeout_ms = GW_OFF;
    cluster.connections_max = 8;
    parts_cluster(b, "web", &cluster, "127.0.0.1:81");
    parts_route(b, "/up", NULL, "web");
    route.reply_code = 200;
    route.reply_body = gw_cstr("hello\n");
    parts_route(b, "/hello", &route, NULL);
    memset(big, 'x', sizeof big);
    route.reply_body = (gw_str){ big, sizeof big };
    parts_route(b, "/big", &route, NULL);
    filter.name = "causes";
    filter.on_end = see_end;
    (void)gw_builder_filter(b, &filter);
    return parts_build(b);
}

static void start(void)
{
    memset(&host, 0, sizeof host);
    memset(causes, 0, sizeof causes);
    blocks_peak = bytes_peak = 0;
    test_alloc_init(&host.alloc);
    mode1_start(&host, make_config(), NULL);
    good = mode1_accept(&host, "edge");
    bad = mode1_accept(&host, "edge");
    mode1_pump(&host);
}

static void look_at_memory(void)
{
    uint64_t blocks = mode1_stat(&host, "blocks_used"), bytes = mode1_stat(&host, "memory_used");

    blocks_peak = blocks > blocks_peak ? blocks : blocks_peak;
    bytes_peak = bytes > bytes_peak ? bytes : bytes_peak;
}

static void wait_for(gw_nanos ns)
{
    host.now += ns;
    mode1_pump(&host);
}

/* The honest client asks and is answered, without any time passing. */
static void be_served(void)
{
    if (good->link == NULL) /* it was idle for long */
        good = mode1_accept(&host, "edge");
    mode1_clear(good);
    mode1_say(&host, good, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_msg(strstr(good->out, "HTTP/1.1 200 OK\r\n") == good->out, "%s", good->out);
    ck_assert_ptr_nonnull(strstr(good->out, "\r\n\r\nhello\n"));
}

/* ---- frames ---- */

#define GET_HELLO                                                                                  \
    "\x82\x86\x04\x06/hello\x01\x01"                                                               \
    "a"
#define GET_BIG                                                                                    \
    "\x82\x86\x04\x04/big\x01\x01"                                                                 \
    "a"
#define GET_UP                                                                                     \
    "\x82\x86\x04\x03/up\x01\x01"                                                                  \
    "a"
#define POST_UP                                                                                    \
    "\x83\x86\x04\x03/up\x01\x01"                                                                  \
    "a"
enum { DATA = 0, HEADERS = 1, RST = 3, SETTINGS = 4, PING = 6, WINDOW = 8, CONTINUATION = 9 };
enum { END = 1, WHOLE = 4 };

static char said[1 << 20];
static size_t said_len;
static uint32_t id; /* of the newest stream */

static void frame(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len)
{
    char head[9] = { (char)(len >> 16),    (char)(len >> 8),    (char)len,
                     (char)type,           (char)flags,         (char)(stream >> 24),
                     (char)(stream >> 16), (char)(stream >> 8), (char)stream };
    ck_assert_uint_le(said_len + sizeof head + len, sizeof said);
    memcpy(said + said_len, head, sizeof head);
    memcpy(said + said_len + sizeof head, payload, len);
    said_len += sizeof head + len;
}

static void zeros(uint8_t type, uint8_t flags, uint32_t stream, size_t len)
{
    static const char none[16384];
    frame(type, flags, stream, none, len);
}

static void word(uint8_t type, uint32_t stream, uint32_t n)
{
    char bytes[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };
    frame(type, 0, stream, bytes, 4);
}

#define REQUEST(block, flags) (id += 2, frame(HEADERS, (flags), id, block, sizeof(block) - 1))

/* As a host does: nothing is read from a connection that does not want to. */
static void say(void)
{
    for (size_t at = 0; at < said_len && bad->link != NULL;) {
        size_t n = said_len - at < 16000 ? said_len - at : 16000;
        if ((gw_link_want(bad->link) & GW_WANT_READ) == 0)
            break;
        mode1_feed(&host, bad, said + at, n, 0);
        at += n;
    }
    said_len = 0;
}

static void begin_h2(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    id = UINT32_MAX;
    said_len = 0;
    memcpy(said, preface, sizeof preface - 1);
    said_len = sizeof preface - 1;
    zeros(SETTINGS, 0, 0, 0);
    say();
    zeros(SETTINGS, END, 0, 0); /* ours are acknowledged: there are two */
    zeros(SETTINGS, END, 0, 0);
    say();
    mode1_clear(bad);
}

/* The code of the last GOAWAY, or of the last RST_STREAM, in what was sent; -1: none. */
static int code_of(uint8_t type)
{
    int code = -1;

    for (size_t at = 0; at + 9 <= bad->out_len;) {
        const uint8_t *f = (const uint8_t *)bad->out + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        if (f[3] == type)
            code = f[9 + len - 1 < 9 ? 9 : type == 7 ? 16 : 12];
        at += 9 + len;
    }
    return code;
}

static void upstream_reads(void)
{
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream)
            mode1_clear(&host.links[i]);
}

/* ---- attacks ---- */

struct attack {
    const char *name;
    void (*begin)(void);
    void (*go)(void);
    uint32_t at_least, at_most; /* rounds until it is over */
    gw_nanos pause;             /* between them            */
    enum gw_reason_id reason;   /* an exchange of it must end so; none: it may have none */
    int goaway;                 /* -1: none is looked for */
    const char *answer;         /* of HTTP/1 */
    uint32_t blocks, kibibytes; /* bounds on memory */
};

static void rapid_reset(void)
{
    REQUEST(GET_HELLO, WHOLE | END);
    word(RST, id, 8);
    say();
}

/* As soon as the answer has begun. */
static void answers_given_up(void)
{
    REQUEST(GET_UP, WHOLE | END);
    say();
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    word(RST, id, 8);
    mode1_clear(bad);
    say();
}

/* Resets that we are made to send, in every way. */
static void zero_update(void)
{
    REQUEST(POST_UP, WHOLE);
    word(WINDOW, id, 0);
    say();
}
static void overflow(void)
{
    REQUEST(POST_UP, WHOLE);
    word(WINDOW, id, 0x7fffffff);
    say();
}
static void data_after_end(void)
{
    REQUEST(GET_HELLO, WHOLE | END);
    zeros(DATA, 0, id, 1);
    say();
}
static void on_itself(void)
{
    static const char block[] = "\0\0\0\0\7" POST_UP;
    char copy[sizeof block];

    id += 2;
    memcpy(copy, block, sizeof block);
    for (int i = 0; i < 4; i++)
        copy[i] = (char)(id >> (24 - 8 * i));
    frame(HEADERS, WHOLE | END | 32, id, copy, sizeof block - 1);
    say();
}
static void malformed(void)
{
    REQUEST("\x82", WHOLE | END);
    say();
}
static void too_many_streams(void)
{
    for (int i = 0; i < 10; i++)
        REQUEST(POST_UP, WHOLE);
    say();
}
static void resets_unread(void)
{
    bad->is_slow = true;
    for (int i = 0; i < 3; i++) {
        REQUEST(GET_HELLO, WHOLE | END);
        zeros(DATA, 0, id, 1);
    }
    say();
}

static void many(uint8_t type, uint8_t flags, uint32_t stream, size_t len, int n)
{
    for (int i = 0; i < n; i++)
        zeros(type, flags, stream, len);
    mode1_clear(bad);
    say();
}
static void pings(void)
{
    many(PING, 0, 0, 8, 100);
}
static void pings_unread(void)
{
    bad->is_slow = true;
    many(PING, 0, 0, 8, 10);
}
static void settings(void)
{
    many(SETTINGS, 0, 0, 0, 1);
}
static void priorities(void)
{
    many(2, 0, 9, 5, 100);
}
static void unknown(void)
{
    many(0x66, 0, 0, 0, 100);
}
static void updates(void)
{
    for (int i = 0; i < 100; i++)
        word(WINDOW, 0, 1);
    say();
}
static void begin_upload(void)
{
    begin_h2();
    REQUEST(POST_UP, WHOLE);
    say();
}
static void empty_data(void)
{
    many(DATA, 0, 1, 0, 10);
}
static void padding_alone(void)
{
    many(DATA, 8, 1, 1, 10);
}
static void tiny_data(void)
{
    many(DATA, 0, 1, 1, 5000);
    upstream_reads();
}
static void continuations(void)
{
    REQUEST("", END);
    for (int i = 0; i < 100; i++)
        zeros(CONTINUATION, 0, id, 0);
    say();
}
static void begin_block(void)
{
    begin_h2();
    REQUEST(GET_HELLO, END);
    say();
}
static void slow_block(void)
{
    zeros(CONTINUATION, 0, id, 0);
    say();
}
/* One field of 3,900 bytes enters the table, then a byte each names it. */
static void hpack_bomb(void)
{
    static char block[16384];
    size_t len = sizeof GET_HELLO - 1;

    memcpy(block, GET_HELLO, len);
    memcpy(block + len, "\x40\x01x\x7f", 4);
    block[len + 4] = (char)(0x80 | ((3900 - 127) & 0x7f));
    block[len + 5] = (char)((3900 - 127) >> 7);
    memset(block + len + 6, 'y', 3900);
    len += 6 + 3900;
    memset(block + len, (char)0xbe, sizeof block - len);
    id += 2;
    frame(HEADERS, END, id, block, sizeof block);
    memset(block, (char)0xbe, sizeof block);
    for (int i = 0; i < 31; i++)
        frame(CONTINUATION, i == 30 ? WHOLE : 0, id, block, sizeof block);
    say();
}

/* Windows. */
static void begin_window(uint32_t size)
{
    char setting[6] = {
        0, 4, (char)(size >> 24), (char)(size >> 16), (char)(size >> 8), (char)size
    };
    begin_h2();
    frame(SETTINGS, 0, 0, setting, sizeof setting);
    REQUEST(GET_BIG, WHOLE | END);
    say();
    mode1_clear(bad);
}
static void begin_narrow(void)
{
    begin_window(1);
}
static void narrow(void)
{
    mode1_clear(bad);
    for (int i = 0; i < 100 && bad->link != NULL; i++) {
        word(WINDOW, id, 1);
        say();
    }
}
static void begin_closed_window(void)
{
    begin_window(0);
}
static void nothing(void)
{
}
static void one_byte_of_window(void)
{
    word(WINDOW, id, 1);
    say();
}

/* HTTP/1 */
static void begin_chunks(void)
{
    mode1_say(&host, bad, "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}
static void tiny_chunks(void)
{
    for (int i = 0; i < 5000; i++) {
        memcpy(said + said_len, "1\r\nx\r\n", 6);
        said_len += 6;
    }
    say();
    upstream_reads();
}
static void begin_head(void)
{
    mode1_say(&host, bad, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
}
static void one_byte(void)
{
    mode1_feed(&host, bad, "x", 1, 0);
}
static void begin_body(void)
{
    mode1_say(&host, bad, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
}
static void begin_slow_chunks(void)
{
    begin_chunks();
    mode1_say(&host, bad, "fffff\r\n");
}
static void one_byte_of_data(void)
{
    zeros(DATA, 0, 1, 1);
    say();
}
static void begin_read(void)
{
    bad->is_slow = true;
    mode1_say(&host, bad, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
}
static void take_one(void)
{
    mode1_drip(&host, bad, 1);
}
static void begin_read_h2(void)
{
    begin_h2();
    word(WINDOW, 0, 1 << 24);
    bad->is_slow = true;
    for (int i = 0; i < 20; i++)
        REQUEST(GET_BIG, WHOLE | END);
    say();
}
static void pipeline(void)
{
    static const char get[] = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n";

    bad->is_slow = true;
    for (int i = 0; i < 1000; i++) {
        memcpy(said + said_len, get, sizeof get - 1);
        said_len += sizeof get - 1;
    }
    say();
}
static void begin_skip(void)
{
    mode1_say(&host, bad, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
}

#define MS GW_MS(1)
#define ABUSE GW_REASON_client_abuse, 11, NULL
static const struct attack attacks[] = {
    { "rapid reset", begin_h2, rapid_reset, 900, 1100, 0, ABUSE, 20, 300 },
    { "answers given up", begin_h2, answers_given_up, 4900, 5100, 0, GW_REASON_client_reset, 11,
      NULL, 20, 300 },
    { "WINDOW_UPDATE of 0", begin_h2, zero_update, 150, 250, 0, GW_REASON_client_h2_error, 11, NULL,
      20, 300 },
    { "WINDOW_UPDATE too large", begin_h2, overflow, 150, 250, 0, GW_REASON_client_h2_error, 11,
      NULL, 20, 300 },
    { "DATA behind the end", begin_h2, data_after_end, 150, 250, 0, GW_REASON_client_h2_error, 11,
      NULL, 20, 300 },
    { "depends on itself", begin_h2, on_itself, 150, 250, 0, GW_REASON_client_h2_error, 11, NULL,
      20, 300 },
    { "malformed", begin_h2, malformed, 150, 250, 0, GW_REASON_bad_pseudo_field, 11, NULL, 20,
      300 },
    { "too many streams", begin_h2, too_many_streams, 30, 50, 0, ABUSE, 300, 2000 },
    { "resets that nobody reads", begin_h2, resets_unread, 2800, 3300, 100 * MS,
      GW_REASON_client_h2_error, -1, NULL, 20, 3000 },
    { "PING", begin_h2, pings, 90, 110, 0, GW_REASON_none, 11, NULL, 20, 300 },
    { "PING that nobody reads", begin_h2, pings_unread, 450, 550, 10 * MS, GW_REASON_none, -1, NULL,
      20, 400 },
    { "SETTINGS", begin_h2, settings, 90, 110, 0, GW_REASON_none, 11, NULL, 20, 300 },
    { "PRIORITY", begin_h2, priorities, 200, 300, 0, GW_REASON_none, 11, NULL, 20, 300 },
    { "unknown frames", begin_h2, unknown, 200, 300, 0, GW_REASON_none, 11, NULL, 20, 300 },
    { "WINDOW_UPDATE", begin_h2, updates, 200, 300, 0, GW_REASON_none, 11, NULL, 20, 300 },
    { "empty DATA", begin_upload, empty_data, 90, 110, 0, ABUSE, 20, 300 },
    { "padding alone", begin_upload, padding_alone, 90, 110, 0, ABUSE, 20, 300 },
    { "tiny DATA", begin_upload, tiny_data, 90, 110, 0, ABUSE, 40, 300 },
    { "CONTINUATION", begin_h2, continuations, 1, 1, 0, ABUSE, 20, 300 },
    { "CONTINUATION, slowly", begin_block, slow_block, 9, 12, 1000 * MS,
      GW_REASON_client_head_timeout, -1, NULL, 20, 300 },
    { "HPACK bomb", begin_h2, hpack_bomb, 1, 1, 0, ABUSE, 40, 300 },
    { "windows of a byte", begin_narrow, narrow, 100, 150, 0, ABUSE, 20, 300 },
    { "a window of none", begin_closed_window, nothing, 30, 32, 1000 * MS,
      GW_REASON_client_read_timeout, -1, NULL, 20, 300 },
    { "a window of a byte now and then", begin_closed_window, one_byte_of_window, 30, 36, 1000 * MS,
      GW_REASON_client_read_timeout, -1, NULL, 20, 300 },
    { "tiny chunks", begin_chunks, tiny_chunks, 90, 110, 0, GW_REASON_client_abuse, -1,
      "HTTP/1.1 400 ", 40, 300 },
    { "a slow head", begin_head, one_byte, 9, 11, 1000 * MS, GW_REASON_client_head_timeout, -1,
      "HTTP/1.1 408 ", 20, 300 },
    { "a stalled head", begin_head, nothing, 9, 11, 1000 * MS, GW_REASON_client_head_timeout, -1,
      "HTTP/1.1 408 ", 20, 300 },
    { "a slow body", begin_body, one_byte, 30, 32, 1000 * MS, GW_REASON_client_body_timeout, -1,
      "HTTP/1.1 408 ", 20, 300 },
    { "a slow body in a chunk", begin_slow_chunks, one_byte, 30, 32, 1000 * MS,
      GW_REASON_client_body_timeout, -1, "HTTP/1.1 408 ", 20, 300 },
    { "a slow body in frames", begin_upload, one_byte_of_data, 30, 32, 1000 * MS,
      GW_REASON_client_body_timeout, -1, NULL, 20, 300 },
    { "a stalled upload", begin_body, nothing, 29, 32, 1000 * MS, GW_REASON_client_body_timeout, -1,
      "HTTP/1.1 408 ", 20, 300 },
    { "the rest of a body, slowly", begin_skip, one_byte, 9, 12, 1000 * MS, GW_REASON_none, -1,
      "HTTP/1.1 200 ", 20, 300 },
    { "a slow reader", begin_read, take_one, 30, 32, 1000 * MS, GW_REASON_client_read_timeout, -1,
      "HTTP/1.1 200 ", 30, 400 },
    { "a stalled reader", begin_read, nothing, 29, 32, 1000 * MS, GW_REASON_client_read_timeout, -1,
      "", 30, 400 },
    { "a slow reader of many streams", begin_read_h2, take_one, 29, 33, 1000 * MS,
      GW_REASON_client_read_timeout, -1, NULL, 120, 2000 },
    { "pipelining that nobody reads", nothing, pipeline, 29, 32, 1000 * MS,
      GW_REASON_client_read_timeout, -1, "", 30, 400 },
};
enum { ATTACKS = sizeof attacks / sizeof attacks[0] };

/* Is it over: the connection, or what it tried to hold? */
static bool is_beaten(const struct attack *a)
{
    if (bad->link == NULL || bad->is_shutdown || mode1_stat(&host, "links_calmed") > 0)
        return true;
    return a->goaway < 0 && a->reason != GW_REASON_none && a->reason != GW_REASON_client_h2_error &&
           causes[a->reason] > 0;
}

START_TEST(an_attack)
{
    const struct attack *a = &attacks[_i];
    uint32_t rounds = 0;

    start();
    be_served();
    a->begin();
    while (rounds < a->at_most + 10 && !is_beaten(a)) {
        a->go();
        be_served();
        look_at_memory();
        wait_for(a->pause);
        rounds++;
    }
    ck_assert_msg(rounds >= a->at_least && rounds <= a->at_most, "%s: %u rounds", a->name, rounds);
    ck_assert_msg(a->reason == GW_REASON_none || causes[a->reason] > 0, "%s: no such end", a->name);
    if (a->goaway >= 0)
        ck_assert_msg(code_of(7) == a->goaway, "%s: GOAWAY %d", a->name, code_of(7));
    if (a->answer != NULL)
        ck_assert_msg(strncmp(bad->out, a->answer, strlen(a->answer)) == 0, "%s: %.100s", a->name,
                      bad->out);
    if (a->reason == GW_REASON_client_abuse || a->goaway == GW_H2_ENHANCE_YOUR_CALM)
        ck_assert_uint_eq(mode1_stat(&host, "links_calmed"), 1);
    ck_assert_msg(blocks_peak <= a->blocks && bytes_peak <= a->kibibytes * 1024 + 70 * 1024 * 2,
                  "%s: %llu blocks, %llu KiB", a->name, (unsigned long long)blocks_peak,
                  (unsigned long long)bytes_peak / 1024);
    be_served();
    if (a->goaway >= 0 || a->go == resets_unread || a->go == pings_unread) {
        wait_for(5000 * MS); /* for last words; then for FIN or for nothing at all */
        wait_for(5000 * MS);
        ck_assert_ptr_null(bad->link);
    }
    mode1_stop(&host);
}
END_TEST

/* ---- honest clients ---- */

/* The status of an HTTP/1 answer. */
static void is_answered(const char *status)
{
    ck_assert_msg(strncmp(bad->out, status, strlen(status)) == 0, "%.200s", bad->out);
}

/* Frames of a type in what was sent, and the bytes they carry. */
static uint32_t frames_of(uint8_t type, size_t *bytes)
{
    uint32_t n = 0;

    *bytes = 0;
    for (size_t at = 0; at + 9 <= bad->out_len;) {
        const uint8_t *f = (const uint8_t *)bad->out + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        if (f[3] == type) {
            n++;
            *bytes += len;
        }
        at += 9 + len;
    }
    return n;
}

/* Gives up as many requests as it waits for, as fast as it can. */
static void fickle(void)
{
    begin_h2();
    for (int i = 0; i < 5000; i++) {
        mode1_clear(bad);
        REQUEST(GET_HELLO, WHOLE | END);
        say();
        rapid_reset();
    }
}

/* As many requests at once as it may, and again, as fast as it can. */
static void eager(void)
{
    size_t bytes;

    begin_h2();
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 100; k++)
            REQUEST(GET_HELLO, WHOLE | END);
        mode1_clear(bad);
        say();
        ck_assert_uint_eq(frames_of(HEADERS, &bytes), 100);
    }
}

/* Acknowledges each frame of a long body by itself, and measures the way with a PING now and then. */
static void acknowledges(void)
{
    static char body[16000];
    size_t bytes;
    uint32_t frames = 0;

    begin_h2();
    REQUEST(GET_UP, WHOLE | END);
    say();
    mode1_say(&host, mode1_upstream(&host),
              "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    while (frames < 20000) {
        uint32_t came;
        mode1_clear(bad);
        if ((gw_link_want(mode1_upstream(&host)->link) & GW_WANT_READ) != 0)
            mode1_feed(&host, mode1_upstream(&host), body, sizeof body, 0);
        came = frames_of(DATA, &bytes);
        for (uint32_t k = 0; k < came; k++) {
            word(WINDOW, 0, (uint32_t)(bytes / came + 1));
            word(WINDOW, id, (uint32_t)(bytes / came + 1));
        }
        if (frames % 100 == 0)
            zeros(PING, 0, 0, 8);
        frames += came;
        say();
    }
    ck_assert_ptr_nonnull(bad->link);
    word(RST, id, 8); /* that is enough */
    say();
}

/* Looks after an idle connection. */
static void keeps_alive(void)
{
    begin_h2();
    for (int i = 0; i < 10000; i++) {
        many(PING, 0, 0, 8, 1);
        wait_for(20 * MS);
        if (i % 1000 == 0)
            be_served();
    }
}

/* Messages of two bytes, as gRPC frames them, as fast as they go. */
static void small_messages(void)
{
    begin_upload();
    for (int i = 0; i < 300; i++) {
        many(DATA, 0, 1, 7, 2000);
        upstream_reads();
    }
}

/* Small events, far between: the client takes each as it comes. */
static void events(void)
{
    mode1_say(&host, bad, "GET /up HTTP/1.1\r\nHost: a\r\n\r\n");
    mode1_say(&host, mode1_upstream(&host),
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        mode1_say(&host, mode1_upstream(&host), "c\r\ndata: hello\n\r\n");
        wait_for(100000 * MS);
    }
    mode1_say(&host, mode1_upstream(&host), "0\r\n\r\n");
    is_answered("HTTP/1.1 200 ");
    ck_assert_str_eq(bad->out + bad->out_len - 7, "\r\n0\r\n\r\n");
}

static void long_poll(void)
{
    for (int i = 0; i < 20; i++) {
        mode1_clear(bad);
        mode1_say(&host, bad, "GET /up HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_for(290000 * MS);
        mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
        is_answered("HTTP/1.1 204 ");
    }
}

static void upload(size_t piece, uint32_t pieces, gw_nanos pause)
{
    char head[200];
    static char bytes[100000];

    snprintf(head, sizeof head, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
             piece * pieces);
    memset(bytes, 'x', sizeof bytes);
    mode1_say(&host, bad, head);
    for (uint32_t i = 0; i < pieces; i++) {
        wait_for(pause);
        upstream_reads();
        mode1_feed(&host, bad, bytes, piece, 0);
    }
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
    is_answered("HTTP/1.1 204 ");
}
static void slow_upload(void)
{
    upload(130, 600, 1000 * MS);
}
static void upload_with_pauses(void)
{
    upload(20000, 50, 25000 * MS);
}

/* Its upstream stalls, for longer than a client may. */
static void held_up(void)
{
    enum { LEN = 2000000, PIECE = 10000 };
    size_t given = 0;

    mode1_say(&host, bad, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n");
    mode1_upstream(&host)->is_slow = true;
    while (given < LEN) {
        size_t before = given;
        for (; given < LEN && (gw_link_want(bad->link) & GW_WANT_READ) != 0; given += PIECE)
            mode1_feed(&host, bad, said, PIECE, 0);
        ck_assert_uint_gt(given, before);
        wait_for(50000 * MS);
        for (int i = 0; i < 10; i++) {
            mode1_drip(&host, mode1_upstream(&host), 200000);
            upstream_reads();
        }
        wait_for(20000 * MS); /* its own turn */
    }
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
    is_answered("HTTP/1.1 204 ");
}

static void download(size_t piece, gw_nanos pause)
{
    begin_read();
    while (bad->out_len < BIG) {
        mode1_drip(&host, bad, piece);
        wait_for(pause);
    }
    is_answered("HTTP/1.1 200 ");
    bad->is_slow = false;
}
static void slow_reader(void)
{
    download(130, 1000 * MS);
}
static void reader_with_pauses(void)
{
    download(8000, 25000 * MS);
}
/* Its window is small, not its patience. */
static void small_window(void)
{
    size_t bytes, got = 1000;

    begin_window(1000); /* so much has come */
    for (word(WINDOW, id, 1); got < BIG; word(WINDOW, id, 1000)) {
        say();
        (void)frames_of(DATA, &bytes);
        got += bytes;
        mode1_clear(bad);
    }
}

static const struct {
    const char *name;
    void (*act)(void);
} honest[] = {
    { "fickle", fickle },
    { "eager", eager },
    { "acknowledges each frame", acknowledges },
    { "keeps an idle connection alive", keeps_alive },
    { "small messages", small_messages },
    { "events", events },
    { "long poll", long_poll },
    { "a slow upload", slow_upload },
    { "an upload with pauses", upload_with_pauses },
    { "an upload that is held up", held_up },
    { "a reader who is slow", slow_reader },
    { "a reader with pauses", reader_with_pauses },
    { "a small window", small_window },
};
enum { HONEST = sizeof honest / sizeof honest[0] };

START_TEST(an_honest_client)
{
    start();
    honest[_i].act();
    be_served();
    ck_assert_msg(bad->link != NULL && !bad->is_shutdown, "%s: it was cut off", honest[_i].name);
    ck_assert_uint_eq(mode1_stat(&host, "links_calmed"), 0);
    for (uint32_t i = 0; i < GW_REASON_COUNT; i++)
        ck_assert_msg(causes[i] == 0 || i == GW_REASON_none || i == GW_REASON_client_reset,
                      "%s: cause %u", honest[_i].name, i);
    mode1_stop(&host);
}
END_TEST

/* ---- the price list ---- */

/* Beside a bucket that is counted in the plain way. */
START_TEST(the_score)
{
    struct gw_prng prng = { (uint64_t)_i };
    struct gw_abuse a = { 0 };
    gw_nanos now = 7;
    uint64_t left = GW_ABUSE_PATIENCE;
    static const uint64_t micros[] = {
#define COST(id, cost, text) cost,
        GW_ABUSES(COST)
#undef COST
    };

    for (int n = 0; n < 20000; n++) {
        gw_nanos pass = gw_prng_below(&prng, 4) == 0 ? gw_prng_below(&prng, 20000000) : 0;
        uint64_t kind = gw_prng_below(&prng, sizeof micros / sizeof micros[0]);
        uint32_t times = 1 + (uint32_t)gw_prng_below(&prng, 3);
        uint64_t cost = micros[kind] * 1000 * times;
        bool may;
        now += pass;
        left = left + pass < GW_ABUSE_PATIENCE ? left + pass : GW_ABUSE_PATIENCE;
        if (gw_prng_below(&prng, 3) == 0) {
            gw_abuse_earn(&a, GW_ABUSE_FRAME_EARNS);
            left = left + GW_ABUSE_FRAME_EARNS < GW_ABUSE_PATIENCE ? left + GW_ABUSE_FRAME_EARNS
                                                                   : GW_ABUSE_PATIENCE;
        }
        may = left >= cost;
        ck_assert_int_eq(gw_abuse_charge(&a, (enum gw_abuse_kind)kind, times, now), may);
        if (may)
            left -= cost;
        else
            ck_assert_uint_eq(a.kind, kind);
    }
    ck_assert_str_eq(gw_abuse_text(GW_ABUSE_PING), "PING");
    ck_assert_str_eq(gw_abuse_text(1000), "");
}
END_TEST

static Suite *abuse_suite(void)
{
    Suite *s = suite_create("abuse");
    check_add_loop(s, the_score, 0, 20);
    check_add_loop(s, an_attack, 0, ATTACKS);
    check_add_loop(s, an_honest_client, 0, HONEST);
    return s;
}

CHECK_MAIN(abuse_suite)
