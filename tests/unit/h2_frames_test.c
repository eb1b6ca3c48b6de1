/* What RFC 9113 says of frames, one raw frame at a time: bytes in, the error expected out. And floods:
 * of everything that is cheap to send and work to take. */

#include "h2/policy.h"
#include "h2_rig.h"

#include "check_main.h"

Suite *h2_frames_suite(void);

/* A text of frames, put together by small functions. */
struct wire {
    uint8_t bytes[400000];
    size_t len;
};

static void raw(struct wire *w, const void *bytes, size_t len)
{
    ck_assert_uint_le(len, sizeof w->bytes - w->len);
    memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void be(struct wire *w, uint32_t n, size_t bytes)
{
    while (bytes-- > 0) {
        uint8_t byte = (uint8_t)(n >> (8 * bytes));
        raw(w, &byte, 1);
    }
}

static void head(struct wire *w, uint32_t len, uint8_t type, uint8_t flags, uint32_t id)
{
    be(w, len, 3);
    be(w, type, 1);
    be(w, flags, 1);
    be(w, id, 4);
}

static void frame(struct wire *w, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                  uint32_t len)
{
    head(w, len, type, flags, id);
    raw(w, payload, len);
}

/* :method, :scheme http, :path /, :authority a */
#define GET_BLOCK                                                                                  \
    "\x82\x86\x84\x41\x01"                                                                         \
    "a"
#define POST_BLOCK                                                                                 \
    "\x83\x86\x84\x41\x01"                                                                         \
    "a"
#define OK_BLOCK "\x88"

static void block(struct wire *w, uint32_t id, const char *text, size_t len, uint8_t flags)
{
    frame(w, GW_H2_HEADERS, flags, id, text, (uint32_t)len);
}

#define BLOCK(w, id, text, flags) block((w), (id), (text), sizeof(text) - 1, (flags))
enum { EH = GW_H2_END_HEADERS, ES = GW_H2_END_STREAM };

static void get(struct wire *w, uint32_t id)
{
    BLOCK(w, id, GET_BLOCK, EH | ES);
}

static void post(struct wire *w, uint32_t id)
{
    BLOCK(w, id, POST_BLOCK, EH);
}

static void zeros(struct wire *w, uint8_t type, uint8_t flags, uint32_t id, uint32_t len)
{
    static const uint8_t none[20000];
    frame(w, type, flags, id, none, len);
}

static void word(struct wire *w, uint8_t type, uint32_t id, uint32_t n)
{
    head(w, 4, type, 0, id);
    be(w, n, 4);
}

static void begin(struct wire *w)
{
    w->len = 0;
    raw(w, GW_H2_PREFACE, GW_H2_PREFACE_LEN);
    zeros(w, GW_H2_SETTINGS, 0, 0, 0);
}

/* The last error in what a side wrote: of the connection, else of a stream. */
struct outcome {
    int goaway;    /* code; -1: none */
    uint32_t last; /* id in it       */
    int reset;     /* code; -1: none */
    uint32_t id;   /* of the reset   */
    uint32_t frames, acks, resets;
    uint32_t credit; /* of the connection */
};

static struct outcome outcome_of(struct rig_side *side)
{
    static uint8_t bytes[1 << 20];
    struct outcome out = { .goaway = -1, .reset = -1 };
    size_t len = gw_chain_read(&side->tx, 0, bytes, sizeof bytes), at = 0;
    if (side->codec->streams_ever > 0 && len >= GW_H2_PREFACE_LEN &&
        memcmp(bytes, GW_H2_PREFACE, GW_H2_PREFACE_LEN) == 0)
        at = GW_H2_PREFACE_LEN;
    for (; at < len; out.frames++) {
        ck_assert_uint_le(GW_H2_HEAD_LEN, len - at);
        struct gw_h2_frame f = gw_h2_frame_parse(bytes + at);
        const uint8_t *p = bytes + at + GW_H2_HEAD_LEN;
        at += GW_H2_HEAD_LEN + f.length;
        ck_assert_uint_le(at, len);
        if (f.type == GW_H2_GOAWAY) {
            out.goaway = p[7];
            out.last = (uint32_t)p[2] << 8 | p[3];
        } else if (f.type == GW_H2_RST_STREAM) {
            out.reset = p[3];
            out.id = f.id;
            out.resets++;
        } else if ((f.type == GW_H2_PING || f.type == GW_H2_SETTINGS) && f.flags & GW_H2_ACK) {
            out.acks++;
        } else if (f.type == GW_H2_WINDOW_UPDATE && f.id == 0) {
            out.credit += (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        }
    }
    gw_chain_clear(&side->tx);
    return out;
}

static void side_init(struct rig_side *side, bool is_client)
{
    struct gw_codec_limits limits = rig_limits();
    rig_side_init(side, &limits);
    ck_assert(rig_side_make(side, is_client));
}

static void side_write(struct rig_side *side)
{
    while (side->codec->ops->wants_write(side->codec)) {
        size_t before = side->tx.len;
        ck_assert_int_eq(side->codec->ops->write(side->codec, &side->tx, SIZE_MAX, side->now),
                         GW_OK);
        if (side->tx.len == before)
            break;
    }
}

static void side_take(struct rig_side *side, const struct wire *w, size_t cut)
{
    for (size_t at = 0; at < w->len; at += cut)
        rig_feed(side, w->bytes + at, w->len - at < cut ? w->len - at : cut);
}

/* Detaches what is over, as an owner would. */
static void side_reap(struct rig_side *side)
{
    while (side->count > 0 && side->streams[side->count - 1] != NULL &&
           side->streams[side->count - 1]->s.in == GW_HALF_CUT) {
        rig_detach(side->streams[side->count - 1]);
        side->count--;
    }
}

/* What a client may do wrong, and the error RFC 9113 names. goaway: -1: none. */
struct violation {
    const char *what;
    void (*make)(struct wire *w);
    int goaway, reset;
};

static void bad_preface(struct wire *w)
{
    w->len = 0;
    raw(w, "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", 24);
}
static void http1(struct wire *w)
{
    w->len = 0;
    raw(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
}
static void no_settings(struct wire *w)
{
    w->len = 0;
    raw(w, GW_H2_PREFACE, GW_H2_PREFACE_LEN);
    get(w, 1);
}
static void ack_first(struct wire *w)
{
    w->len = 0;
    raw(w, GW_H2_PREFACE, GW_H2_PREFACE_LEN);
    zeros(w, GW_H2_SETTINGS, GW_H2_ACK, 0, 0);
}
static void settings_length(struct wire *w)
{
    zeros(w, GW_H2_SETTINGS, 0, 0, 5);
}
static void settings_ack_length(struct wire *w)
{
    zeros(w, GW_H2_SETTINGS, GW_H2_ACK, 0, 6);
}
static void settings_stream(struct wire *w)
{
    zeros(w, GW_H2_SETTINGS, 0, 1, 0);
}
static void settings_push(struct wire *w)
{
    frame(w, GW_H2_SETTINGS, 0, 0, "\0\2\0\0\0\2", 6);
}
static void settings_window(struct wire *w)
{
    frame(w, GW_H2_SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6);
}
static void settings_frame_size(struct wire *w)
{
    frame(w, GW_H2_SETTINGS, 0, 0, "\0\5\0\0\x3f\xff", 6);
}
static void settings_many(struct wire *w)
{
    zeros(w, GW_H2_SETTINGS, 0, 0, 6 * 1000);
}
static void ping_length(struct wire *w)
{
    zeros(w, GW_H2_PING, 0, 0, 7);
}
static void ping_stream(struct wire *w)
{
    zeros(w, GW_H2_PING, 0, 3, 8);
}
static void goaway_length(struct wire *w)
{
    zeros(w, GW_H2_GOAWAY, 0, 0, 7);
}
static void goaway_stream(struct wire *w)
{
    zeros(w, GW_H2_GOAWAY, 0, 1, 8);
}
static void window_length(struct wire *w)
{
    zeros(w, GW_H2_WINDOW_UPDATE, 0, 0, 3);
}
static void window_zero(struct wire *w)
{
    word(w, GW_H2_WINDOW_UPDATE, 0, 0);
}
static void window_zero_reserved(struct wire *w)
{
    word(w, GW_H2_WINDOW_UPDATE, 0, 0x80000000u);
}
static void window_idle(struct wire *w)
{
    word(w, GW_H2_WINDOW_UPDATE, 1, 5);
}
static void window_even(struct wire *w)
{
    word(w, GW_H2_WINDOW_UPDATE, 2, 5);
}
static void window_overflow(struct wire *w)
{
    word(w, GW_H2_WINDOW_UPDATE, 0, 0x7fffffffu);
}
static void stream_window_zero(struct wire *w)
{
    post(w, 1);
    word(w, GW_H2_WINDOW_UPDATE, 1, 0);
}
static void stream_window_overflow(struct wire *w)
{
    post(w, 1);
    word(w, GW_H2_WINDOW_UPDATE, 1, 0x7fffffffu);
}
static void rst_length(struct wire *w)
{
    post(w, 1);
    zeros(w, GW_H2_RST_STREAM, 0, 1, 5);
}
static void rst_idle(struct wire *w)
{
    word(w, GW_H2_RST_STREAM, 1, 8);
}
static void rst_zero(struct wire *w)
{
    word(w, GW_H2_RST_STREAM, 0, 8);
}
static void priority_zero(struct wire *w)
{
    zeros(w, GW_H2_PRIORITY, 0, 0, 5);
}
static void priority_length(struct wire *w)
{
    post(w, 1);
    zeros(w, GW_H2_PRIORITY, 0, 1, 4);
}
static void priority_self(struct wire *w)
{
    post(w, 1);
    frame(w, GW_H2_PRIORITY, 0, 1, "\0\0\0\1\0", 5);
}
static void priority_self_idle(struct wire *w)
{
    frame(w, GW_H2_PRIORITY, 0, 3, "\0\0\0\3\0", 5);
}
static void headers_self(struct wire *w)
{
    BLOCK(w, 1, "\0\0\0\1\0" GET_BLOCK, EH | ES | GW_H2_HAS_PRIORITY);
}
static void headers_self_padded(struct wire *w)
{
    BLOCK(w, 1, "\2\x80\0\0\1\0" GET_BLOCK "\0\0", EH | ES | GW_H2_HAS_PRIORITY | GW_H2_PADDED);
}
static void headers_self_pieces(struct wire *w)
{
    BLOCK(w, 1, "\0\0\0\1\0", ES | GW_H2_HAS_PRIORITY);
    frame(w, GW_H2_CONTINUATION, EH, 1, GET_BLOCK, 6);
}
static void trailers_self(struct wire *w)
{
    post(w, 1);
    BLOCK(w, 1, "\0\0\0\1\7\0\1x\1y", EH | ES | GW_H2_HAS_PRIORITY);
}
static void headers_zero(struct wire *w)
{
    get(w, 0);
}
static void headers_even(struct wire *w)
{
    get(w, 2);
}
static void headers_backwards(struct wire *w)
{
    get(w, 5);
    get(w, 3);
}
static void headers_short_priority(struct wire *w)
{
    BLOCK(w, 1, "\0\0\0", EH | GW_H2_HAS_PRIORITY);
}
static void headers_short_padding(struct wire *w)
{
    BLOCK(w, 1, "", EH | GW_H2_PADDED);
}
static void headers_padding(struct wire *w)
{
    BLOCK(w, 1, "\x7" GET_BLOCK, EH | ES | GW_H2_PADDED);
}
static void headers_half_closed(struct wire *w)
{
    get(w, 1);
    get(w, 1);
}
static void headers_half_closed_pieces(struct wire *w)
{
    get(w, 1);
    BLOCK(w, 1, "", 0);
    frame(w, GW_H2_CONTINUATION, 0, 1, "\0\1x", 3);
    frame(w, GW_H2_CONTINUATION, EH, 1, "\1y", 2);
}
static void headers_half_closed_self(struct wire *w)
{
    get(w, 1);
    BLOCK(w, 1, "\0\0\0\1\7\0\1x\1y", EH | ES | GW_H2_HAS_PRIORITY);
}
static void headers_hpack(struct wire *w)
{
    BLOCK(w, 1, "\xff\xff\xff\xff\xff\xff", EH);
}
static void headers_hpack_index(struct wire *w)
{
    BLOCK(w, 1, "\xc0", EH);
}
static void push_promise(struct wire *w)
{
    post(w, 1);
    frame(w, GW_H2_PUSH_PROMISE, EH, 1, "\0\0\0\2" GET_BLOCK, 10);
}
static void continuation_alone(struct wire *w)
{
    frame(w, GW_H2_CONTINUATION, EH, 1, GET_BLOCK, 6);
}
static void continuation_after_end(struct wire *w)
{
    get(w, 1);
    frame(w, GW_H2_CONTINUATION, EH, 1, GET_BLOCK, 6);
}
static void continuation_other_stream(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK, ES);
    frame(w, GW_H2_CONTINUATION, EH, 3, "", 0);
}
static void data_in_block(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK, 0);
    zeros(w, GW_H2_DATA, 0, 1, 1);
}
static void unknown_in_block(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK, 0);
    zeros(w, 0x77, 0, 1, 1);
}
static void data_zero(struct wire *w)
{
    zeros(w, GW_H2_DATA, 0, 0, 1);
}
static void data_idle(struct wire *w)
{
    zeros(w, GW_H2_DATA, 0, 1, 1);
}
static void data_even(struct wire *w)
{
    zeros(w, GW_H2_DATA, 0, 2, 1);
}
static void data_half_closed(struct wire *w)
{
    get(w, 1);
    zeros(w, GW_H2_DATA, 0, 1, 1);
}
static void data_half_closed_twice(struct wire *w)
{
    get(w, 1);
    zeros(w, GW_H2_DATA, 0, 1, 1);
    zeros(w, GW_H2_DATA, 0, 1, 1);
}
static void data_after_trailers(struct wire *w)
{
    post(w, 1);
    BLOCK(w, 1, "\0\1x\1y", EH | ES);
    zeros(w, GW_H2_DATA, ES, 1, 10);
}
static void data_after_reset(struct wire *w)
{
    post(w, 1);
    word(w, GW_H2_RST_STREAM, 1, 8);
    zeros(w, GW_H2_DATA, 0, 1, 1);
}
static void headers_after_reset(struct wire *w)
{
    post(w, 1);
    word(w, GW_H2_RST_STREAM, 1, 8);
    get(w, 1);
}
static void data_no_pad_length(struct wire *w)
{
    post(w, 1);
    zeros(w, GW_H2_DATA, GW_H2_PADDED, 1, 0);
}
static void data_padding(struct wire *w)
{
    post(w, 1);
    frame(w, GW_H2_DATA, GW_H2_PADDED, 1, "\5abcd", 5);
}
static void too_long(struct wire *w)
{
    post(w, 1);
    head(w, 16385, GW_H2_DATA, 0, 1);
}
static void too_long_unknown(struct wire *w)
{
    head(w, 16385, 0x99, 0, 0);
}
static void over_the_window(struct wire *w)
{
    post(w, 1);
    for (int i = 0; i < 5; i++)
        zeros(w, GW_H2_DATA, 0, 1, 16384);
}
static void no_method(struct wire *w)
{
    BLOCK(w, 1,
          "\x86\x84\x41\x01"
          "a",
          EH | ES);
}
static void two_paths(struct wire *w)
{
    BLOCK(w, 1,
          "\x82\x86\x84\x84\x41\x01"
          "a",
          EH | ES);
}
static void status_in_request(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\x88", EH | ES);
}
static void late_pseudo(struct wire *w)
{
    BLOCK(w, 1,
          "\x82\x86\x84\0\1x\1y\x41\x01"
          "a",
          EH | ES);
}
static void unknown_pseudo(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\0\2:x\1y", EH | ES);
}
static void upper_case(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\0\1X\1y", EH | ES);
}
static void upper_case_known(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\0\4Date\1y", EH | ES);
}
static void connection_field(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\0\12connection\1y", EH | ES);
}
static void te_field(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\0\2te\4gzip", EH | ES);
}
static void bad_value(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\0\1x\1\n", EH | ES);
}
static void empty_name(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK "\0\0\1y", EH | ES);
}
static void extended_connect(struct wire *w)
{
    BLOCK(w, 1,
          "\x42\7CONNECT\x86\x84\x41\x01"
          "a"
          "\0\11:protocol\1y",
          EH);
}
static void length_too_long(struct wire *w)
{
    BLOCK(w, 1,
          POST_BLOCK "\x0f\x0d\1"
                     "3",
          EH);
    zeros(w, GW_H2_DATA, 0, 1, 4);
}
static void length_too_short(struct wire *w)
{
    BLOCK(w, 1,
          POST_BLOCK "\x0f\x0d\1"
                     "3",
          EH);
    zeros(w, GW_H2_DATA, ES, 1, 2);
}
static void length_without_body(struct wire *w)
{
    BLOCK(w, 1,
          POST_BLOCK "\x0f\x0d\1"
                     "3",
          EH | ES);
}
static void trailers_without_end(struct wire *w)
{
    post(w, 1);
    BLOCK(w, 1, "\0\1x\1y", EH);
}
static void pseudo_in_trailers(struct wire *w)
{
    post(w, 1);
    BLOCK(w, 1, "\x84", EH | ES);
}

static const struct violation violations[] = {
    { "preface", bad_preface, GW_H2_PROTOCOL_ERROR, -1 },
    { "HTTP/1.1", http1, GW_H2_PROTOCOL_ERROR, -1 },
    { "no SETTINGS first", no_settings, GW_H2_PROTOCOL_ERROR, -1 },
    { "an ACK first", ack_first, GW_H2_PROTOCOL_ERROR, -1 },
    { "SETTINGS length", settings_length, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "SETTINGS ACK length", settings_ack_length, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "SETTINGS on a stream", settings_stream, GW_H2_PROTOCOL_ERROR, -1 },
    { "ENABLE_PUSH 2", settings_push, GW_H2_PROTOCOL_ERROR, -1 },
    { "INITIAL_WINDOW_SIZE", settings_window, GW_H2_FLOW_CONTROL_ERROR, -1 },
    { "MAX_FRAME_SIZE", settings_frame_size, GW_H2_PROTOCOL_ERROR, -1 },
    { "a thousand settings", settings_many, GW_H2_ENHANCE_YOUR_CALM, -1 },
    { "PING length", ping_length, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "PING on a stream", ping_stream, GW_H2_PROTOCOL_ERROR, -1 },
    { "GOAWAY length", goaway_length, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "GOAWAY on a stream", goaway_stream, GW_H2_PROTOCOL_ERROR, -1 },
    { "WINDOW_UPDATE length", window_length, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "WINDOW_UPDATE 0", window_zero, GW_H2_PROTOCOL_ERROR, -1 },
    { "WINDOW_UPDATE 0, reserved bit", window_zero_reserved, GW_H2_PROTOCOL_ERROR, -1 },
    { "WINDOW_UPDATE, idle", window_idle, GW_H2_PROTOCOL_ERROR, -1 },
    { "WINDOW_UPDATE, even id", window_even, GW_H2_PROTOCOL_ERROR, -1 },
    { "WINDOW_UPDATE overflow", window_overflow, GW_H2_FLOW_CONTROL_ERROR, -1 },
    { "WINDOW_UPDATE 0 of a stream", stream_window_zero, -1, GW_H2_PROTOCOL_ERROR },
    { "WINDOW_UPDATE overflow of a stream", stream_window_overflow, -1, GW_H2_FLOW_CONTROL_ERROR },
    { "RST_STREAM length", rst_length, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "RST_STREAM, idle", rst_idle, GW_H2_PROTOCOL_ERROR, -1 },
    { "RST_STREAM 0", rst_zero, GW_H2_PROTOCOL_ERROR, -1 },
    { "PRIORITY 0", priority_zero, GW_H2_PROTOCOL_ERROR, -1 },
    { "PRIORITY length", priority_length, -1, GW_H2_FRAME_SIZE_ERROR },
    { "PRIORITY on itself", priority_self, -1, GW_H2_PROTOCOL_ERROR },
    { "PRIORITY on itself, idle", priority_self_idle, GW_H2_PROTOCOL_ERROR, -1 },
    { "HEADERS on itself", headers_self, -1, GW_H2_PROTOCOL_ERROR },
    { "HEADERS on itself, padded", headers_self_padded, -1, GW_H2_PROTOCOL_ERROR },
    { "HEADERS on itself, in pieces", headers_self_pieces, -1, GW_H2_PROTOCOL_ERROR },
    { "trailers on themselves", trailers_self, -1, GW_H2_PROTOCOL_ERROR },
    { "HEADERS 0", headers_zero, GW_H2_PROTOCOL_ERROR, -1 },
    { "HEADERS, even id", headers_even, GW_H2_PROTOCOL_ERROR, -1 },
    { "HEADERS, smaller id", headers_backwards, GW_H2_PROTOCOL_ERROR, -1 },
    { "HEADERS too short for priority", headers_short_priority, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "HEADERS too short for padding", headers_short_padding, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "HEADERS padding", headers_padding, GW_H2_PROTOCOL_ERROR, -1 },
    { "HEADERS, half closed", headers_half_closed, -1, GW_H2_STREAM_CLOSED },
    { "HEADERS in pieces, half closed", headers_half_closed_pieces, -1, GW_H2_STREAM_CLOSED },
    { "HEADERS on itself, half closed", headers_half_closed_self, -1, GW_H2_STREAM_CLOSED },
    { "HPACK integer", headers_hpack, GW_H2_COMPRESSION_ERROR, -1 },
    { "HPACK index", headers_hpack_index, GW_H2_COMPRESSION_ERROR, -1 },
    { "PUSH_PROMISE", push_promise, GW_H2_PROTOCOL_ERROR, -1 },
    { "CONTINUATION alone", continuation_alone, GW_H2_PROTOCOL_ERROR, -1 },
    { "CONTINUATION after END_HEADERS", continuation_after_end, GW_H2_PROTOCOL_ERROR, -1 },
    { "CONTINUATION of another", continuation_other_stream, GW_H2_PROTOCOL_ERROR, -1 },
    { "DATA in a block", data_in_block, GW_H2_PROTOCOL_ERROR, -1 },
    { "an unknown frame in a block", unknown_in_block, GW_H2_PROTOCOL_ERROR, -1 },
    { "DATA 0", data_zero, GW_H2_PROTOCOL_ERROR, -1 },
    { "DATA, idle", data_idle, GW_H2_PROTOCOL_ERROR, -1 },
    { "DATA, even id", data_even, GW_H2_PROTOCOL_ERROR, -1 },
    { "DATA, half closed", data_half_closed, -1, GW_H2_STREAM_CLOSED },
    { "DATA twice, half closed", data_half_closed_twice, -1, GW_H2_STREAM_CLOSED },
    { "DATA after trailers", data_after_trailers, -1, GW_H2_STREAM_CLOSED },
    { "DATA after a reset", data_after_reset, GW_H2_STREAM_CLOSED, -1 },
    { "HEADERS after a reset", headers_after_reset, GW_H2_STREAM_CLOSED, -1 },
    { "DATA too short for padding", data_no_pad_length, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "DATA padding", data_padding, GW_H2_PROTOCOL_ERROR, -1 },
    { "a frame too long", too_long, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "an unknown frame too long", too_long_unknown, GW_H2_FRAME_SIZE_ERROR, -1 },
    { "over the stream's window", over_the_window, -1, GW_H2_FLOW_CONTROL_ERROR },
    { "no :method", no_method, -1, GW_H2_PROTOCOL_ERROR },
    { "two :path", two_paths, -1, GW_H2_PROTOCOL_ERROR },
    { ":status in a request", status_in_request, -1, GW_H2_PROTOCOL_ERROR },
    { "a late pseudo-field", late_pseudo, -1, GW_H2_PROTOCOL_ERROR },
    { "an unknown pseudo-field", unknown_pseudo, -1, GW_H2_PROTOCOL_ERROR },
    { "an upper-case name", upper_case, -1, GW_H2_PROTOCOL_ERROR },
    { "an upper-case name that is known", upper_case_known, -1, GW_H2_PROTOCOL_ERROR },
    { "Connection", connection_field, -1, GW_H2_PROTOCOL_ERROR },
    { "TE: gzip", te_field, -1, GW_H2_PROTOCOL_ERROR },
    { "a bad value", bad_value, -1, GW_H2_PROTOCOL_ERROR },
    { "an empty name", empty_name, -1, GW_H2_PROTOCOL_ERROR },
    { "extended CONNECT, not offered", extended_connect, -1, GW_H2_PROTOCOL_ERROR },
    { "Content-Length, more came", length_too_long, -1, GW_H2_PROTOCOL_ERROR },
    { "Content-Length, less came", length_too_short, -1, GW_H2_PROTOCOL_ERROR },
    { "Content-Length, no body", length_without_body, -1, GW_H2_PROTOCOL_ERROR },
    { "trailers without an end", trailers_without_end, -1, GW_H2_PROTOCOL_ERROR },
    { "a pseudo-field in trailers", pseudo_in_trailers, -1, GW_H2_PROTOCOL_ERROR },
};
enum { VIOLATIONS = sizeof violations / sizeof violations[0] };

START_TEST(a_violation)
{
    static const size_t cuts[] = { 1, 13, 1 << 20 };
    static struct wire w;
    const struct violation *v = &violations[_i];
    for (int i = 0; i < 3; i++) {
        struct rig_side side;
        side_init(&side, false);
        begin(&w);
        v->make(&w);
        side_take(&side, &w, cuts[i]);
        side_write(&side);
        struct outcome out = outcome_of(&side);
        ck_assert_msg(out.goaway == v->goaway && out.reset == v->reset,
                      "%s, cut %zu: GOAWAY %d, RST_STREAM %d", v->what, cuts[i], out.goaway,
                      out.reset);
        ck_assert_uint_eq(side.codec->state, v->goaway == -1 ? GW_CODEC_OPEN : GW_CODEC_OVER);
        for (uint32_t n = 0; n < side.count; n++) {
            struct gw_stream *s = &side.streams[n]->s;
            if (v->goaway != -1) {
                ck_assert_uint_eq(side.codec->fault, v->goaway == GW_H2_ENHANCE_YOUR_CALM
                                                         ? GW_REASON_client_abuse
                                                         : GW_REASON_client_h2_error);
                ck_assert_uint_eq(s->in, GW_HALF_CUT);
            } else {
                ck_assert_uint_eq(s->in, GW_HALF_CUT);
                ck_assert_uint_eq(s->out, GW_HALF_CUT);
                ck_assert(s->by_peer);
            }
        }
        /* A stream error leaves the connection in order. */
        if (v->goaway == -1) {
            uint32_t before = side.count;
            w.len = 0;
            zeros(&w, GW_H2_DATA, 0, 1, 100); /* crossed our reset: passed over */
            get(&w, 101);
            side_take(&side, &w, cuts[i]);
            side_write(&side);
            out = outcome_of(&side);
            ck_assert_int_eq(out.goaway, -1);
            ck_assert_int_eq(out.reset, -1);
            ck_assert_uint_eq(side.count, before + 1);
            ck_assert_uint_eq(rig_last(&side)->s.in, GW_HALF_DONE);
        }
        rig_side_fini(&side);
    }
}
END_TEST

/* The tables of both ends stay in step over header blocks that are refused, and the windows over bodies
 * that are. */
static void refuse_self(struct wire *w)
{
    BLOCK(w, 1, "\0\0\0\1\0" GET_BLOCK "\x40\1x\1y", EH | ES | GW_H2_HAS_PRIORITY);
}
static void refuse_half_closed(struct wire *w)
{
    get(w, 1);
    BLOCK(w, 1, "\x40\1x\1y", ES);
    frame(w, GW_H2_CONTINUATION, EH, 1, "", 0);
}
static void refuse_twice(struct wire *w)
{
    refuse_half_closed(w);
    BLOCK(w, 1, "\x40\1z\1y\xbf", EH);
    frame(w, GW_H2_HEADERS, EH, 1, "\x40\1x\1y", 5);
}
static void (*const refused[])(struct wire *) = { refuse_self, refuse_half_closed, refuse_twice };

START_TEST(in_step_after_a_refusal)
{
    static const size_t cuts[] = { 1, 3, 1 << 20 };
    static struct wire w;
    for (int i = 0; i < 3; i++) {
        struct rig_side side;
        side_init(&side, false);
        begin(&w);
        refused[_i](&w);
        BLOCK(&w, 3, GET_BLOCK "\xbf", EH | ES); /* :authority a is the newest entry now: 62 */
        side_take(&side, &w, cuts[i]);
        struct rig_stream *r = rig_last(&side);
        ck_assert_uint_eq(side.codec->state, GW_CODEC_OPEN);
        ck_assert_uint_eq(r->s.in, GW_HALF_DONE);
        rig_has(&r->in_head, "x", "y");
        rig_side_fini(&side);
    }
}
END_TEST

START_TEST(windows_after_a_refusal)
{
    static struct wire w;
    struct rig_side side;
    uint32_t given = 0;
    side_init(&side, false);
    begin(&w);
    side_take(&side, &w, 1000);
    for (uint32_t i = 0; i < 100; i++) { /* more than the connection's window in all */
        w.len = 0;
        get(&w, 2 * i + 1);
        zeros(&w, GW_H2_DATA, 0, 2 * i + 1, 16384);
        side_take(&side, &w, 20000);
        ck_assert_uint_eq(side.codec->state, GW_CODEC_OPEN);
        side_write(&side);
        given += outcome_of(&side).credit;
        side_reap(&side);
    }
    ck_assert_uint_gt(given, 1 << 20);
    rig_side_fini(&side);
}
END_TEST

/* What the library finds wrong is known when the bytes were read, not when something can be written. */
START_TEST(noticed_at_the_read)
{
    static void (*const wrong[])(struct wire *) = {
        settings_push,       settings_window, settings_frame_size, headers_hpack,
        headers_hpack_index, data_padding,    headers_padding,     window_overflow,
    };
    static const size_t cuts[] = { 1, 1 << 20 };
    static struct wire w;
    for (int i = 0; i < 2; i++) {
        struct rig_side side;
        side_init(&side, false);
        begin(&w);
        wrong[_i](&w);
        side_take(&side, &w, cuts[i]);
        ck_assert_uint_eq(side.codec->state, GW_CODEC_OVER);
        ck_assert_uint_eq(side.codec->fault, GW_REASON_client_h2_error);
        ck_assert_int_eq(side.read_status, GW_EPROTO);
        side_write(&side);
        ck_assert_int_ne(outcome_of(&side).goaway, -1);
        rig_side_fini(&side);
    }
}
END_TEST

/* Credit of the connection returns with each read, so only one read can pass the window: 1 MiB. */
START_TEST(over_the_connection_window)
{
    static struct wire w;
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    for (uint32_t id = 1; id < 2 * 18; id += 2)
        post(&w, id);
    side_take(&side, &w, 1000);
    side_write(&side);
    (void)outcome_of(&side);
    for (uint32_t i = 0; i < 17 * 4; i++) {
        w.len = 0;
        zeros(&w, GW_H2_DATA, 0, 2 * (i / 4) + 1, i % 4 == 3 ? 16383 : 16384);
        ck_assert_int_eq(gw_chain_write(&side.rx, w.bytes, w.len), GW_OK);
    }
    ck_assert_int_eq(side.codec->ops->read(side.codec, &side.rx, side.now), GW_EPROTO);
    side_write(&side);
    ck_assert_int_eq(outcome_of(&side).goaway, GW_H2_FLOW_CONTROL_ERROR);
    rig_side_fini(&side);
}
END_TEST

/* Legal, though odd: no error may come of it. */
static void odd_padding(struct wire *w)
{
    BLOCK(w, 1, "\3" POST_BLOCK "\0\0\0", EH | GW_H2_PADDED);
    frame(w, GW_H2_DATA, GW_H2_PADDED, 1, "\2abc\0\0", 6);
    frame(w, GW_H2_DATA, GW_H2_PADDED | ES, 1, "\0", 1);
}
static void odd_priority(struct wire *w)
{
    frame(w, GW_H2_PRIORITY, 0, 7, "\0\0\0\1\0", 5);
    BLOCK(w, 1, "\x80\0\0\3\7" GET_BLOCK, EH | ES | GW_H2_HAS_PRIORITY);
    frame(w, GW_H2_PRIORITY, 0, 1, "\0\0\0\3\0", 5);
}
static void odd_pieces(struct wire *w)
{
    BLOCK(w, 1, "", ES);
    for (int i = 0; i < 6; i++)
        frame(w, GW_H2_CONTINUATION, 0, 1, &GET_BLOCK[i], 1);
    frame(w, GW_H2_CONTINUATION, EH, 1, "", 0);
}
static void odd_unknown(struct wire *w)
{
    zeros(w, 0x55, 0xff, 0, 100);
    zeros(w, 0x56, 0xff, 9, 16384);
    get(w, 1);
    zeros(w, 0x57, 0xff, 1, 0);
}
static void odd_flags(struct wire *w)
{
    BLOCK(w, 1, GET_BLOCK, (uint8_t)(EH | ES | 0xd2)); /* undefined ones, reserved bit of the id */
    w->bytes[w->len - 6 - 4] |= 0x80;
}
static void odd_skipped_ids(struct wire *w)
{
    get(w, 1001);
}
static void odd_windows(struct wire *w)
{
    post(w, 1);
    word(w, GW_H2_WINDOW_UPDATE, 1, 1);
    word(w, GW_H2_WINDOW_UPDATE, 0, 1);
    zeros(w, GW_H2_DATA, ES, 1, 0);
    word(w, GW_H2_WINDOW_UPDATE, 1, 1);
    zeros(w, GW_H2_PING, GW_H2_ACK, 0, 8);
}
static void odd_trailers(struct wire *w)
{
    post(w, 1);
    zeros(w, GW_H2_DATA, 0, 1, 10);
    BLOCK(w, 1, "\0\1x\1y", EH | ES);
}
static void odd_settings(struct wire *w)
{
    frame(w, GW_H2_SETTINGS, 0, 0, "\0\1\0\0\0\0\0\1\0\0\x10\0\xab\xcd\1\2\3\4", 18);
    frame(w, GW_H2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    get(w, 1);
}
static void (*const odd[])(struct wire *) = { odd_padding, odd_priority, odd_pieces,
                                              odd_unknown, odd_flags,    odd_skipped_ids,
                                              odd_windows, odd_trailers, odd_settings };
enum { ODD = sizeof odd / sizeof odd[0] };

/* What came of some bytes, as text: the same however they were cut. */
static void describe(const struct rig_side *side, char *out, size_t size)
{
    size_t at = 0;
    for (uint32_t n = 0; n < side->count; n++) {
        const struct rig_stream *r = side->streams[n];
        at += (size_t)snprintf(out + at, size - at, "%u %u/%u %s%.*s %u %llu %u;", r->s.id, r->s.in,
                               r->s.out, r->in_trailers.fields.count > 0 ? "t " : "",
                               (int)r->in_head.path.len, r->in_head.path.ptr,
                               r->in_head.fields.count, (unsigned long long)r->in_pipe.bytes_in,
                               r->s.fault);
    }
    snprintf(out + at, size - at, "%u %u", side->codec->state, side->codec->is_head_pending);
}

START_TEST(odd_but_legal)
{
    static struct wire w;
    static const size_t cuts[] = { 1 << 20, 1, 2, 7, 9, 10, 64 };
    char first[2000], text[2000];
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct rig_side side;
        side_init(&side, false);
        begin(&w);
        odd[_i](&w);
        side_take(&side, &w, cuts[i]);
        side_write(&side);
        struct outcome out = outcome_of(&side);
        ck_assert_int_eq(out.goaway, -1);
        ck_assert_int_eq(out.reset, -1);
        ck_assert_uint_eq(side.count, 1);
        ck_assert_uint_eq(rig_last(&side)->s.in, GW_HALF_DONE);
        describe(&side, i == 0 ? first : text, sizeof text);
        if (i > 0)
            ck_assert_str_eq(text, first);
        rig_side_fini(&side);
    }
}
END_TEST

START_TEST(a_head_is_pending)
{
    static struct wire w;
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    BLOCK(&w, 1, GET_BLOCK, ES);
    size_t unfinished = w.len;
    frame(&w, GW_H2_CONTINUATION, EH, 1, "", 0);
    size_t finished = w.len;
    for (size_t i = 0; i < w.len; i++) {
        rig_feed(&side, w.bytes + i, 1);
        bool in_preface = i + 1 < GW_H2_PREFACE_LEN + GW_H2_HEAD_LEN;
        bool in_head = i + 1 >= GW_H2_PREFACE_LEN + 2 * GW_H2_HEAD_LEN && i + 1 < finished;
        ck_assert_msg(side.codec->is_head_pending == (in_preface || in_head), "at byte %zu", i);
    }
    ck_assert_uint_lt(unfinished, finished);
    rig_side_fini(&side);
}
END_TEST

/* The owner leaves while a head is half here, and its reset is not written yet: the rest of the head
 * goes nowhere. */
START_TEST(left_in_the_middle_of_a_head)
{
    static struct wire w;
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    size_t before = w.len;
    BLOCK(&w, 1, GET_BLOCK, EH | ES);
    rig_feed(&side, w.bytes, before + GW_H2_HEAD_LEN + (size_t)_i);
    ck_assert_uint_eq(side.count, 1);
    rig_detach(side.streams[0]);
    rig_feed(&side, w.bytes + before + GW_H2_HEAD_LEN + _i,
             w.len - before - GW_H2_HEAD_LEN - (size_t)_i);
    ck_assert_uint_eq(side.codec->state, GW_CODEC_OPEN);
    ck_assert_uint_eq(side.codec->streams, 0);
    rig_side_fini(&side);
}
END_TEST

/* The client's role: what a server may do wrong. A GET and a POST are under way as streams 1 and 3. */
static void server_push(struct wire *w)
{
    frame(w, GW_H2_PUSH_PROMISE, EH, 1, "\0\0\0\2" GET_BLOCK, 10);
}
static void server_idle(struct wire *w)
{
    BLOCK(w, 7, OK_BLOCK, EH);
}
static void server_even(struct wire *w)
{
    BLOCK(w, 2, OK_BLOCK, EH);
}
static void server_data_first(struct wire *w)
{
    zeros(w, GW_H2_DATA, 0, 3, 5);
}
static void server_no_status(struct wire *w)
{
    BLOCK(w, 3, "\0\1x\1y", EH | ES);
}
static void server_bad_status(struct wire *w)
{
    BLOCK(w, 3,
          "\x48\3"
          "20x",
          EH | ES);
}
static void server_101(struct wire *w)
{
    BLOCK(w, 3,
          "\x48\3"
          "101",
          EH);
}
static void server_info_end(struct wire *w)
{
    BLOCK(w, 3,
          "\x48\3"
          "103",
          EH | ES);
}
static void server_two_status(struct wire *w)
{
    BLOCK(w, 3, "\x88\x88", EH | ES);
}
static void server_length(struct wire *w)
{
    BLOCK(w, 3,
          OK_BLOCK "\x0f\x0d\1"
                   "3",
          EH);
    zeros(w, GW_H2_DATA, ES, 3, 2);
}
static void server_204_body(struct wire *w)
{
    BLOCK(w, 3, "\x89", EH);
    zeros(w, GW_H2_DATA, ES, 3, 2);
}
static void server_info_data(struct wire *w)
{
    BLOCK(w, 3,
          "\x48\3"
          "103",
          EH);
    zeros(w, GW_H2_DATA, ES, 3, 2);
}
static void server_trailers_without_end(struct wire *w)
{
    BLOCK(w, 3, OK_BLOCK, EH);
    BLOCK(w, 3, "\0\1x\1y", EH);
}
static void server_more_data(struct wire *w)
{
    BLOCK(w, 3, OK_BLOCK, EH | ES);
    zeros(w, GW_H2_DATA, ES, 3, 2);
}
static void server_goaway_up(struct wire *w)
{
    frame(w, GW_H2_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
    frame(w, GW_H2_GOAWAY, 0, 0, "\0\0\0\3\0\0\0\0", 8);
}

static const struct violation of_servers[] = {
    { "PUSH_PROMISE", server_push, GW_H2_PROTOCOL_ERROR, -1 },
    { "idle stream", server_idle, GW_H2_PROTOCOL_ERROR, -1 },
    { "even stream", server_even, GW_H2_PROTOCOL_ERROR, -1 },
    { "DATA before HEADERS", server_data_first, -1, GW_H2_PROTOCOL_ERROR },
    { "no :status", server_no_status, -1, GW_H2_PROTOCOL_ERROR },
    { ":status 20x", server_bad_status, -1, GW_H2_PROTOCOL_ERROR },
    { "101", server_101, -1, GW_H2_PROTOCOL_ERROR },
    { "103 as an end", server_info_end, -1, GW_H2_PROTOCOL_ERROR },
    { "two :status", server_two_status, -1, GW_H2_PROTOCOL_ERROR },
    { "Content-Length", server_length, -1, GW_H2_PROTOCOL_ERROR },
    { "204 with a body", server_204_body, -1, GW_H2_PROTOCOL_ERROR },
    { "103 with a body", server_info_data, -1, GW_H2_PROTOCOL_ERROR },
    { "trailers without an end", server_trailers_without_end, -1, GW_H2_PROTOCOL_ERROR },
    { "DATA after the end", server_more_data, -1, GW_H2_STREAM_CLOSED },
    { "GOAWAY goes up", server_goaway_up, GW_H2_PROTOCOL_ERROR, -1 },
};
enum { OF_SERVERS = sizeof of_servers / sizeof of_servers[0] };

START_TEST(a_violation_of_a_server)
{
    static const size_t cuts[] = { 1, 1 << 20 };
    static struct wire w;
    const struct violation *v = &of_servers[_i];
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        rig_init(&rig, 1);
        struct rig_side *side = &rig.client;
        struct rig_stream *a = rig_get(&rig, "/");
        struct rig_stream *b = rig_request(&rig, "POST", "/");
        ck_assert_int_eq(rig_send(b), GW_OK);
        side_write(side);
        (void)outcome_of(side);
        w.len = 0;
        zeros(&w, GW_H2_SETTINGS, 0, 0, 0);
        v->make(&w);
        side_take(side, &w, cuts[i]);
        side_write(side);
        struct outcome out = outcome_of(side);
        ck_assert_msg(out.goaway == v->goaway && out.reset == v->reset,
                      "%s, cut %zu: GOAWAY %d, RST_STREAM %d", v->what, cuts[i], out.goaway,
                      out.reset);
        ck_assert_uint_eq(a->s.in, v->goaway == -1 ? GW_HALF_IDLE : GW_HALF_CUT);
        ck_assert_uint_eq(b->s.in, v->make == server_more_data ? GW_HALF_DONE : GW_HALF_CUT);
        ck_assert_uint_eq(b->s.out, GW_HALF_CUT);
        if (b->s.in == GW_HALF_CUT)
            ck_assert(b->s.fault == GW_REASON_upstream_bad_response ||
                      b->s.fault == GW_REASON_upstream_goaway);
        rig_fini(&rig);
    }
}
END_TEST

/* Floods. Each ends the connection with ENHANCE_YOUR_CALM, and not before an honest share. */
struct flood {
    const char *what;
    void (*make)(struct wire *w, uint32_t i);
    uint32_t at_least, at_most;
    bool writes; /* between the frames */
};

static void flood_pings(struct wire *w, uint32_t i)
{
    (void)i;
    zeros(w, GW_H2_PING, 0, 0, 8);
}
static void flood_settings(struct wire *w, uint32_t i)
{
    (void)i;
    zeros(w, GW_H2_SETTINGS, 0, 0, 0);
}
static void flood_resets(struct wire *w, uint32_t i)
{
    post(w, 2 * i + 1);
    word(w, GW_H2_RST_STREAM, 2 * i + 1, 8);
}
static void flood_faults(struct wire *w, uint32_t i)
{
    post(w, 2 * i + 1);
    word(w, GW_H2_WINDOW_UPDATE, 2 * i + 1, 0);
}
static void flood_malformed(struct wire *w, uint32_t i)
{
    BLOCK(w, 2 * i + 1, "\x82", EH | ES);
}
static void flood_empty(struct wire *w, uint32_t i)
{
    if (i == 0)
        post(w, 1);
    zeros(w, GW_H2_DATA, 0, 1, 0);
}
static void flood_priority(struct wire *w, uint32_t i)
{
    (void)i;
    frame(w, GW_H2_PRIORITY, 0, 9, "\0\0\0\1\0", 5);
}
static void flood_windows(struct wire *w, uint32_t i)
{
    (void)i;
    word(w, GW_H2_WINDOW_UPDATE, 0, 1);
}
static void flood_unknown(struct wire *w, uint32_t i)
{
    (void)i;
    zeros(w, 0x66, 0, 0, 0);
}
static void flood_continuation(struct wire *w, uint32_t i)
{
    if (i == 0)
        BLOCK(w, 1, GET_BLOCK, ES);
    frame(w, GW_H2_CONTINUATION, 0, 1, "\0\1x\1y", 5);
}

static const struct flood floods[] = {
    { "PING", flood_pings, 2000, 10000, true },
    { "PING, nobody reads", flood_pings, 900, 1100, false },
    { "SETTINGS", flood_settings, 50, 200, true },
    { "rapid reset", flood_resets, 500, 1500, true },
    { "faults of streams", flood_faults, 100, 400, true },
    { "malformed requests", flood_malformed, 100, 400, true },
    { "empty DATA", flood_empty, 500, 2000, true },
    { "PRIORITY", flood_priority, 10000, 30000, true },
    { "WINDOW_UPDATE", flood_windows, 10000, 30000, true },
    { "unknown frames", flood_unknown, 10000, 30000, true },
    { "CONTINUATION", flood_continuation, 16, 64, true },
};
enum { FLOODS = sizeof floods / sizeof floods[0] };

START_TEST(a_flood)
{
    static struct wire w;
    const struct flood *f = &floods[_i];
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    side_take(&side, &w, 1000);
    uint32_t i = 0;
    for (; i < 40000 && side.codec->state == GW_CODEC_OPEN; i++) {
        w.len = 0;
        f->make(&w, i);
        side_take(&side, &w, 1000);
        if (f->writes && side.codec->state == GW_CODEC_OPEN) {
            side_write(&side);
            gw_chain_clear(&side.tx);
        }
        side_reap(&side);
    }
    side_write(&side);
    struct outcome out = outcome_of(&side);
    ck_assert_msg(out.goaway == GW_H2_ENHANCE_YOUR_CALM, "%s: GOAWAY %d after %u", f->what,
                  out.goaway, i);
    ck_assert_msg(i >= f->at_least && i <= f->at_most, "%s: after %u", f->what, i);
    ck_assert_int_eq(side.read_status, GW_ELIMIT);
    ck_assert_uint_eq(side.codec->fault, GW_REASON_client_abuse);
    rig_side_fini(&side);
}
END_TEST

/* The same at a rate that honest clients show: nothing happens, for ever. */
START_TEST(a_steady_rate_is_no_flood)
{
    static const struct {
        void (*make)(struct wire *w, uint32_t i);
        uint32_t per_second;
    } rates[] = { { flood_pings, 1000 },
                  { flood_resets, 150 },
                  { flood_empty, 80 },
                  { flood_windows, 4000 },
                  { flood_settings, 5 } };
    static struct wire w;
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    side_take(&side, &w, 1000);
    for (uint32_t i = 0; i < 20000; i++) {
        side.now += 1000000000u / rates[_i].per_second;
        w.len = 0;
        rates[_i].make(&w, i);
        side_take(&side, &w, 1000);
        side_write(&side);
        gw_chain_clear(&side.tx);
        side_reap(&side);
        ck_assert_uint_eq(side.codec->state, GW_CODEC_OPEN);
    }
    rig_side_fini(&side);
}
END_TEST

/* A few bytes that decode to megabytes: memory stays bounded, the stream is cut, the table in step. */
START_TEST(a_header_bomb)
{
    static struct wire w;
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    static char text[16000];
    /* One field of 4,000 bytes enters the table; then it is named 11,000 times, a byte each. */
    size_t len = 0;
    memcpy(text, GET_BLOCK, 6);
    len = 6;
    text[len++] = 0x40;
    text[len++] = 1;
    text[len++] = 'x';
    text[len++] = 0x7f; /* 127 + 3841 - ... : length 3900 */
    text[len++] = (char)(0x80 | ((3900 - 127) & 0x7f));
    text[len++] = (char)((3900 - 127) >> 7);
    memset(text + len, 'y', 3900);
    len += 3900;
    memset(text + len, (char)0xbe, 11000);
    len += 11000;
    block(&w, 1, text, len, EH | ES);
    uint64_t before = side.alloc.bytes;
    side_take(&side, &w, 1 << 20);
    ck_assert_uint_eq(side.count, 1);
    struct rig_stream *r = rig_last(&side);
    ck_assert_uint_eq(r->s.in, GW_HALF_CUT);
    ck_assert_uint_eq(r->s.fault, GW_REASON_head_too_large);
    ck_assert_uint_le(r->arena.used, 40000);
    ck_assert_uint_le(side.alloc.bytes - before, 200000);
    /* The table is in step: the same index again, in an honest request. */
    w.len = 0;
    BLOCK(&w, 3, GET_BLOCK "\xbf", EH | ES);
    side_take(&side, &w, 1 << 20);
    r = rig_last(&side);
    ck_assert_uint_eq(r->s.in, GW_HALF_DONE);
    const struct gw_field *field = gw_fields_find_name(&r->in_head.fields, GW_STR("x"));
    ck_assert_ptr_nonnull(field);
    ck_assert_uint_eq(field->value.len, 3900);
    rig_side_fini(&side);
}
END_TEST

/* One byte of body a frame: neither blocks nor slices grow with their number. */
START_TEST(tiny_frames_pin_little)
{
    static struct wire w;
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    post(&w, 1);
    side_take(&side, &w, 1000);
    for (int i = 0; i < 10000; i++) {
        w.len = 0;
        zeros(&w, GW_H2_DATA, 0, 1, 1);
        side_take(&side, &w, 1000);
    }
    struct rig_stream *r = rig_last(&side);
    ck_assert_uint_eq(r->in_pipe.chain.len, 10000);
    ck_assert_uint_le(r->in_pipe.chain.slices, 4);
    ck_assert_uint_le(side.pool.out, 4);
    rig_side_fini(&side);
}
END_TEST

/* A client that opens more than it was told it may gets a stream error, not a connection error. */
START_TEST(one_stream_too_many)
{
    static struct wire w;
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    side_take(&side, &w, 1000);
    side_write(&side);
    (void)outcome_of(&side);
    w.len = 0;
    zeros(&w, GW_H2_SETTINGS, GW_H2_ACK, 0, 0);
    zeros(&w, GW_H2_SETTINGS, GW_H2_ACK, 0, 0);
    for (uint32_t i = 0; i <= 128; i++)
        post(&w, 2 * i + 1);
    side_take(&side, &w, 1000);
    side_write(&side);
    struct outcome out = outcome_of(&side);
    ck_assert_int_eq(out.goaway, -1);
    ck_assert_int_eq(out.reset, GW_H2_REFUSED_STREAM);
    ck_assert_uint_eq(out.id, 257);
    ck_assert_uint_eq(out.resets, 1);
    /* A third acknowledgement is one too many. */
    w.len = 0;
    zeros(&w, GW_H2_SETTINGS, GW_H2_ACK, 0, 0);
    side_take(&side, &w, 1000);
    side_write(&side);
    ck_assert_int_eq(outcome_of(&side).goaway, GW_H2_PROTOCOL_ERROR);
    rig_side_fini(&side);
}
END_TEST

/* Random bytes and random frames: nothing but orderly ends. */
START_TEST(noise)
{
    static struct wire w;
    struct gw_prng prng = { (uint64_t)_i };
    struct rig_side side;
    side_init(&side, false);
    begin(&w);
    for (int n = 0; n < 60; n++) {
        uint8_t payload[64];
        uint32_t len = (uint32_t)gw_prng_below(&prng, 40);
        for (uint32_t k = 0; k < len; k++)
            payload[k] = (uint8_t)gw_prng_next(&prng);
        uint32_t id = (uint32_t)gw_prng_below(&prng, 12);
        switch (gw_prng_below(&prng, 6)) {
        case 0:
            get(&w, id | 1);
            break;
        case 1:
            post(&w, id | 1);
            break;
        case 2:
            frame(&w, GW_H2_DATA, (uint8_t)gw_prng_below(&prng, 2), id | 1, payload, len);
            break;
        case 3:
            word(&w, GW_H2_RST_STREAM, id, (uint32_t)gw_prng_below(&prng, 14));
            break;
        case 4:
            word(&w, GW_H2_WINDOW_UPDATE, id, (uint32_t)gw_prng_below(&prng, 70000));
            break;
        default:
            frame(&w, (uint8_t)gw_prng_below(&prng, 11), (uint8_t)gw_prng_next(&prng), id, payload,
                  len);
        }
        side_take(&side, &w, 1 + (size_t)gw_prng_below(&prng, 50));
        w.len = 0;
        side_write(&side);
        for (uint32_t i = 0; i < side.count; i++) {
            struct rig_stream *r = side.streams[i];
            if (r == NULL)
                continue;
            switch (gw_prng_below(&prng, 5)) {
            case 0:
                if (r->s.out == GW_HALF_IDLE)
                    rig_respond(r, 200, gw_prng_below(&prng, 2) == 0);
                break;
            case 1:
                gw_pipe_drop(&r->in_pipe, r->in_pipe.chain.len);
                rig_advance(r);
                break;
            case 2:
                if (r->s.out == GW_HALF_BODY && !r->out_pipe.is_ended) {
                    rig_push(r, 100);
                    rig_end(r);
                }
                break;
            case 3:
                if (gw_prng_below(&prng, 4) == 0)
                    rig_detach(r);
                break;
            default:
                if (gw_prng_below(&prng, 8) == 0)
                    side.codec->ops->reset(side.codec, &r->s, GW_H2_CANCEL);
            }
        }
    }
    rig_side_fini(&side);
}
END_TEST

/* The history of streams against a plain list of all. */
START_TEST(history)
{
    struct gw_prng prng = { (uint64_t)_i };
    struct gw_h2_policy p;
    struct gw_abuse abuse = { 0 };
    gw_h2_policy_init(&p, false, &abuse);
    p.has_settings = true;
    static uint8_t truth[20000]; /* 0: never, 1: theirs, 2: forgiven */
    memset(truth, 0, sizeof truth);
    uint32_t last = 0;
    for (int n = 0; n < 2000; n++) {
        uint32_t step = 1 + (uint32_t)gw_prng_below(&prng, n % 100 == 0 ? 900 : 4);
        if (last == 0 || gw_prng_below(&prng, 2) == 0) {
            uint32_t id = last == 0 ? 1 : last + 2 * step;
            if (id >= sizeof truth)
                break;
            gw_h2_policy_opened(&p, last = id);
            truth[id] = 1;
        }
        uint32_t back = 2 * (uint32_t)gw_prng_below(&prng, 2 * GW_H2_HISTORY);
        uint32_t id = back < last ? last - back : 1;
        if (truth[id] == 1 && gw_prng_below(&prng, 3) == 0) {
            gw_h2_policy_forgive(&p, id);
            truth[id] = 2;
        }
        struct gw_h2_frame f = {
            .id = id, .type = GW_H2_DATA, .length = 5, .connection_window = 9
        };
        struct gw_h2_verdict v = gw_h2_policy_frame(&p, &f, (gw_nanos)n * 1000000);
        bool is_old = (last - id) / 2 >= GW_H2_HISTORY;
        int want = truth[id] == 2 || is_old ? GW_H2_PASS : GW_H2_FATAL;
        ck_assert_msg(v.action == want, "id %u of %u: %d", id, last, v.action);
        f.type = GW_H2_HEADERS;
        f.flags = EH;
        v = gw_h2_policy_frame(&p, &f, (gw_nanos)n * 1000000);
        if (want == GW_H2_FATAL)
            ck_assert_int_eq(v.code, truth[id] == 1 ? GW_H2_STREAM_CLOSED : GW_H2_PROTOCOL_ERROR);
        else
            ck_assert_int_eq(v.action, GW_H2_PASS);
    }
}
END_TEST

Suite *h2_frames_suite(void)
{
    Suite *s = suite_create("h2 frames");
    check_add_loop(s, a_violation, 0, VIOLATIONS);
    check_add_loop(s, in_step_after_a_refusal, 0, 3);
    check_add(s, windows_after_a_refusal);
    check_add_loop(s, noticed_at_the_read, 0, 8);
    check_add(s, over_the_connection_window);
    check_add_loop(s, odd_but_legal, 0, ODD);
    check_add(s, a_head_is_pending);
    check_add_loop(s, left_in_the_middle_of_a_head, 0, 6);
    check_add_loop(s, a_violation_of_a_server, 0, OF_SERVERS);
    check_add_loop(s, a_flood, 0, FLOODS);
    check_add_loop(s, a_steady_rate_is_no_flood, 0, 5);
    check_add(s, a_header_bomb);
    check_add(s, tiny_frames_pin_little);
    check_add(s, one_stream_too_many);
    check_add_loop(s, noise, 0, 200);
    check_add_loop(s, history, 0, 20);
    return s;
}
