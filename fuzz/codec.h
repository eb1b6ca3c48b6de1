/* fuzz/codec.h: drives a codec as its owner does, and writes down what it said: one text a stream,
 * in which it does not show how the bytes were cut. Fed whole, byte by byte, or in pieces, the same
 * bytes must give the same texts. */
#ifndef FUZZ_CODEC_H
#define FUZZ_CODEC_H

#include "fuzz.h"

#include "base/prng.h"
#include "h2/codec.h"
#include "http/codec.h"

enum {
    SIDE_STREAMS = 128, /* ever, in one run; the same for both ways of feeding */
    SIDE_BLOCK = 1024,
    SIDE_ARENA = 65536,
    SIDE_FIELDS = 60,
    SIDE_HEAD = 8192,
    SIDE_INPUT = 6000,
    SIDE_ROUNDS = 100000
};

/* A growing text. */
struct log {
    char *at;
    size_t len, size;
};

static inline void log_str(struct log *log, gw_str s)
{
    if (log->len + s.len > log->size) {
        log->size = (log->len + s.len) * 2 + 256;
        log->at = realloc(log->at, log->size);
        if (log->at == NULL)
            abort();
    }
    if (s.len > 0)
        memcpy(log->at + log->len, s.ptr, s.len);
    log->len += s.len;
}
static inline void log_cstr(struct log *log, const char *s)
{
    log_str(log, gw_cstr(s));
}
static inline void log_u64(struct log *log, const char *name, uint64_t n)
{
    char text[GW_U64_TEXT_MAX];
    log_cstr(log, name);
    log_str(log, (gw_str){ text, gw_format_u64(n, text) });
}
static inline void log_part(struct log *log, const char *name, gw_str s)
{
    log_cstr(log, name);
    log_u64(log, "=", s.len);
    log_cstr(log, ":");
    log_str(log, s);
}
static inline void log_fields(struct log *log, const struct gw_fields *fields)
{
    uint32_t i = 0;
    for (const struct gw_field *f; (f = gw_fields_next(fields, &i)) != NULL;) {
        log_part(log, "\n  name", f->name);
        log_part(log, " value", f->value);
    }
}
static inline void log_message(struct log *log, const char *name, const struct gw_message *m)
{
    log_cstr(log, name);
    log_u64(log, " kind=", m->kind);
    log_u64(log, " method=", m->method);
    log_u64(log, " body=", m->body);
    log_u64(log, " http10=", m->is_http10);
    log_u64(log, " has_length=", m->has_length);
    log_u64(log, " code=", m->code);
    log_u64(log, " length=", m->length);
    log_part(log, " method", m->method_text);
    log_part(log, " scheme", m->scheme);
    log_part(log, " authority", m->authority);
    log_part(log, " path", m->path);
    log_part(log, " query", m->query);
    log_part(log, " target", m->target);
    log_part(log, " protocol", m->protocol);
    log_fields(log, &m->fields);
    log_cstr(log, "\n");
}

/* A stream with all its memory. Freed memory is really freed, for the sanitizer. */
struct peer_stream {
    struct gw_stream s;
    struct gw_message in_head, in_trailers, out_head;
    struct gw_arena arena;
    struct gw_pipe in_pipe, out_pipe;
    char *memory;
    struct log text, body;
    uint32_t infos;
    bool is_open; /* attached */
    bool was_answered, was_cut;
};

struct side {
    uint64_t live;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_codec_owner owner;
    struct gw_codec_limits limits;
    struct gw_codec_spec spec;
    struct gw_codec *codec;
    struct gw_h2_shared *shared; /* h2: the target's */
    struct gw_chain rx, tx;
    struct log sent; /* all that was written */
    struct peer_stream *streams[SIDE_STREAMS];
    uint32_t count;
    size_t pipe_size;
    bool accepts_tunnels;
    bool answers_late; /* nothing is written or detached before the last byte of the input */
    bool is_at_end;
    bool is_over; /* read has failed */
    gw_nanos now;
};

static inline struct peer_stream *side_add(struct side *side)
{
    if (side->count == SIDE_STREAMS)
        return NULL;
    struct peer_stream *p = calloc(1, sizeof *p);
    if (p == NULL || (p->memory = malloc(SIDE_ARENA)) == NULL)
        abort();
    gw_arena_init(&p->arena, p->memory, SIDE_ARENA, NULL, SIDE_ARENA);
    gw_message_init(&p->in_head, side->spec.is_client ? GW_MESSAGE_RESPONSE : GW_MESSAGE_REQUEST,
                    &p->arena, side->limits.fields_max);
    gw_message_init(&p->out_head, side->spec.is_client ? GW_MESSAGE_REQUEST : GW_MESSAGE_RESPONSE,
                    &p->arena, SIDE_FIELDS);
    gw_message_init(&p->in_trailers, GW_MESSAGE_TRAILERS, &p->arena, side->limits.fields_max);
    gw_pipe_init(&p->in_pipe, &side->pool, side->pipe_size);
    gw_pipe_init(&p->out_pipe, &side->pool, side->pipe_size);
    p->s.in_head = &p->in_head;
    p->s.in_trailers = &p->in_trailers;
    p->s.in_pipe = &p->in_pipe;
    p->s.out_pipe = &p->out_pipe;
    gw_list_init(&p->s.node);
    gw_list_init(&p->s.all);
    p->is_open = true;
    side->streams[side->count++] = p;
    return p;
}

static inline struct gw_stream *side_open_(void *ctx)
{
    struct peer_stream *p = side_add(ctx);
    return p == NULL ? NULL : &p->s;
}
static inline void side_changed_(void *ctx, struct gw_stream *s)
{
    (void)ctx;
    CHECK(s->codec != NULL);
}
static inline struct gw_message *side_new_info_(void *ctx, struct gw_stream *s)
{
    struct peer_stream *p = GW_CONTAINER(s, struct peer_stream, s);
    (void)ctx;
    struct gw_message *m = gw_arena_alloc(&p->arena, sizeof *m);
    if (m != NULL)
        gw_message_init(m, GW_MESSAGE_RESPONSE, &p->arena, SIDE_FIELDS);
    return m;
}

/* The choices of the run (pipe_size, limits ...) are set before, the codec is made after. */
static inline void side_init(struct side *side, bool is_client)
{
    gw_allocator allocator = fuzz_allocator(&side->live);
    gw_heap_init(&side->heap, &allocator, 0);
    gw_pool_init(&side->pool, &side->heap, SIDE_BLOCK, 1 << 16);
    gw_chain_init(&side->rx, &side->pool);
    gw_chain_init(&side->tx, &side->pool);
    side->owner = (struct gw_codec_owner){ side, side_open_, side_changed_, side_new_info_ };
    if (side->limits.head_bytes_max == 0)
        side->limits = (struct gw_codec_limits){ SIDE_HEAD, SIDE_FIELDS, 8, 1 << 18 };
    side->spec = (struct gw_codec_spec){ &side->heap, &side->pool, &side->owner, &side->limits,
                                         is_client };
}

/* Client role: begins a request, as an owner would; protocol and body by the arguments. */
static inline void side_ask(struct side *side, gw_str method, gw_str protocol, bool has_body)
{
    struct peer_stream *p = side_add(side);
    CHECK(p != NULL);
    struct gw_message *m = &p->out_head;
    m->method_text = method;
    m->method = (uint8_t)gw_method_of(method);
    m->scheme = GW_STR("http");
    m->authority = GW_STR("host:80");
    m->path = m->method == GW_METHOD_CONNECT ? GW_STR("") : GW_STR("/path");
    m->protocol = protocol;
    m->body = has_body                         ? GW_BODY_UNKNOWN
              : m->method == GW_METHOD_CONNECT ? GW_BODY_TUNNEL
                                               : GW_BODY_NONE;
    if (has_body)
        CHECK(gw_pipe_write(&p->out_pipe, "body", 4) == 4);
    CHECK(gw_pipe_end(&p->out_pipe) == GW_OK);
    p->s.out_head = m;
    p->s.out = GW_HALF_HEAD;
    p->s.request_method = m->method;
    gw_status status = side->codec->ops->open(side->codec, &p->s);
    CHECK(status == GW_OK || status == GW_AGAIN);
    if (status != GW_OK) { /* as if it had never been */
        p->is_open = false;
        gw_pipe_fini(&p->in_pipe);
        gw_pipe_fini(&p->out_pipe);
        free(p->memory);
    }
}

/* What lies in the pipe goes to the text: the room is free again. */
static inline void stream_drain(struct side *side, struct peer_stream *p)
{
    gw_const_span span;
    bool had_some = gw_pipe_len(&p->in_pipe) > 0;
    while (gw_pipe_peek(&p->in_pipe, &span, 1) > 0) {
        log_str(&p->body, (gw_str){ span.ptr, span.len });
        CHECK(gw_pipe_drop(&p->in_pipe, span.len) == GW_OK);
    }
    if (had_some && p->is_open && p->s.in < GW_HALF_DONE)
        side->codec->ops->advance(side->codec, &p->s);
}

static inline void stream_note(struct peer_stream *p)
{
    uint32_t news = p->s.news;
    p->s.news = 0;
    for (; p->s.info != NULL; p->s.info = p->s.info->next)
        log_message(&p->text, "info", p->s.info);
    if (news & GW_NEWS_HEAD) {
        CHECK(p->s.in >= GW_HALF_BODY);
        log_message(&p->text, "head", &p->in_head);
    }
    if (news & GW_NEWS_END) {
        CHECK(p->s.in == GW_HALF_DONE || (news & GW_NEWS_CUT) != 0);
        if (gw_message_fields(&p->in_trailers) > 0)
            log_message(&p->text, "trailers", &p->in_trailers);
        log_cstr(&p->text, "end\n");
    }
    if (news & GW_NEWS_CUT) {
        p->was_cut = true;
        CHECK(p->s.in == GW_HALF_CUT || p->s.out == GW_HALF_CUT);
        log_u64(&p->text, "cut fault=", p->s.fault);
        log_u64(&p->text, " by_peer=", p->s.by_peer);
        log_u64(&p->text, " refused=", p->s.is_refused);
        log_cstr(&p->text, "\n");
    }
}

/* Server role: 200 with two bytes; 400 to what was refused; a tunnel if that was asked for and the
 * input wants one, which sends back nothing. */
static inline void stream_answer(struct side *side, struct peer_stream *p)
{
    bool wants_tunnel = p->s.in >= GW_HALF_BODY &&
                        (p->in_head.body == GW_BODY_TUNNEL || p->in_head.protocol.len > 0);
    bool is_time = p->s.in >= GW_HALF_DONE || (wants_tunnel && p->s.in == GW_HALF_BODY);
    if (p->was_answered || p->s.out != GW_HALF_IDLE || !is_time ||
        (side->answers_late && !side->is_at_end))
        return;
    p->was_answered = true;
    struct gw_message *m = &p->out_head;
    m->code = p->s.in == GW_HALF_CUT ? 400 : 200;
    if (wants_tunnel && side->accepts_tunnels && p->s.in == GW_HALF_BODY) {
        m->body = GW_BODY_TUNNEL;
        if (p->in_head.body != GW_BODY_TUNNEL) {
            m->code = 101;
            m->protocol = p->in_head.protocol;
        }
        p->s.is_tunnel = true;
        CHECK(gw_pipe_end(&p->out_pipe) == GW_OK);
    } else {
        m->body = GW_BODY_LENGTH;
        m->length = p->in_head.method == GW_METHOD_HEAD ? 0 : 2;
        if (p->in_head.method == GW_METHOD_HEAD)
            m->body = GW_BODY_NONE;
        else
            CHECK(gw_pipe_write(&p->out_pipe, "ok", 2) == 2);
        CHECK(gw_pipe_end(&p->out_pipe) == GW_OK);
    }
    p->s.out_head = m;
    p->s.out = GW_HALF_HEAD;
    side->codec->ops->advance(side->codec, &p->s);
}

static inline void stream_detach(struct side *side, struct peer_stream *p)
{
    log_u64(&p->text, "left in=", p->s.in);
    log_u64(&p->text, " out=", p->s.out);
    log_cstr(&p->text, "\n");
    p->is_open = false;
    side->codec->ops->detach(side->codec, &p->s);
    gw_pipe_fini(&p->in_pipe);
    gw_pipe_fini(&p->out_pipe);
    gw_arena_fini(&p->arena);
    free(p->memory);
    p->memory = NULL;
    memset(&p->s, 0x5a, sizeof p->s);
}

/* All that can be done without new bytes. */
static inline void side_run(struct side *side)
{
    const struct gw_codec_ops *ops = side->codec->ops;
    for (uint32_t round = 0, idle = 0; idle < 2; round++, idle++) {
        size_t before = side->rx.len;
        CHECK(round < SIDE_ROUNDS);
        if (!side->is_over && side->codec->state != GW_CODEC_OVER && side->rx.len > 0) {
            gw_status status = ops->read(side->codec, &side->rx, side->now);
            CHECK(side->rx.len <= before);
            if (status != GW_OK) {
                CHECK(status == GW_EPROTO || status == GW_ELIMIT || status == GW_ENOMEM);
                CHECK(side->codec->state == GW_CODEC_OVER);
                side->is_over = true;
            }
        }
        if (side->rx.len != before)
            idle = 0;
        for (uint32_t i = 0; i < side->count; i++) {
            struct peer_stream *p = side->streams[i];
            if (!p->is_open)
                continue;
            if (p->s.news != 0 || gw_pipe_len(&p->in_pipe) > 0)
                idle = 0;
            stream_drain(side, p);
            stream_note(p);
            if (!side->spec.is_client)
                stream_answer(side, p);
            bool is_over = (p->s.in == GW_HALF_DONE && p->s.out == GW_HALF_DONE) ||
                           (p->s.in == GW_HALF_CUT && p->s.out != GW_HALF_HEAD &&
                            p->s.out != GW_HALF_BODY &&
                            (p->s.out != GW_HALF_IDLE || side->spec.is_client)) ||
                           p->s.out == GW_HALF_CUT;
            if (is_over && !(side->answers_late && !side->is_at_end)) {
                stream_detach(side, p);
                idle = 0;
            }
        }
        if (ops->wants_write(side->codec) && (!side->answers_late || side->is_at_end)) {
            CHECK(ops->write(side->codec, &side->tx, SIZE_MAX, side->now) == GW_OK);
            gw_const_span span;
            while (gw_chain_peek(&side->tx, &span, 1) > 0) {
                log_str(&side->sent, (gw_str){ span.ptr, span.len });
                gw_chain_drop(&side->tx, span.len);
                idle = 0;
            }
        }
    }
}

/* cut 0: whole; 1: byte by byte; else pieces of random length, which do not touch in memory. */
static inline void side_feed(struct side *side, gw_str bytes, uint64_t cut)
{
    struct gw_prng prng = { cut };
    while (bytes.len > 0) {
        size_t n = cut == 0 ? bytes.len : cut == 1 ? 1 : 1 + gw_prng_below(&prng, 40);
        n = n < bytes.len ? n : bytes.len;
        if (cut < 2) {
            CHECK(gw_chain_write(&side->rx, bytes.ptr, n) == GW_OK);
        } else {
            struct gw_block *b = gw_block_take(&side->pool, NULL);
            CHECK(b != NULL);
            memcpy(b->bytes, bytes.ptr, n);
            gw_block_filled(b, (uint32_t)n);
            CHECK(gw_chain_append(&side->rx, b, b->bytes, n) == GW_OK);
            gw_block_unref(b);
        }
        bytes = gw_str_slice(bytes, n, bytes.len);
        side_run(side);
    }
}

static inline void side_end(struct side *side, gw_status why)
{
    side->is_at_end = true;
    if (!side->is_over && side->codec->state != GW_CODEC_OVER)
        side->codec->ops->read_end(side->codec, why, side->now);
    side_run(side);
    for (uint32_t i = 0; i < side->count; i++) {
        struct peer_stream *p = side->streams[i];
        if (p->is_open)
            stream_detach(side, p);
    }
    side_run(side);
    CHECK(side->codec->streams == 0);
}

static inline void side_fini(struct side *side)
{
    if (side->codec != NULL)
        side->codec->ops->free(side->codec);
    gw_chain_clear(&side->rx);
    gw_chain_clear(&side->tx);
    for (uint32_t i = 0; i < side->count; i++) {
        free(side->streams[i]->text.at);
        free(side->streams[i]->body.at);
        free(side->streams[i]);
    }
    free(side->sent.at);
    gw_h2_shared_free(side->shared);
    gw_pool_fini(&side->pool);
    CHECK(side->heap.used == 0);
    CHECK(side->live == 0);
}

static inline bool log_eq(const char *name, const struct log *a, const struct log *b)
{
    if (a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0))
        return true;
    fprintf(stderr, "%s differs\n--- whole\n%.*s\n--- in pieces\n%.*s\n", name, (int)a->len,
            a->len ? a->at : "", (int)b->len, b->len ? b->at : "");
    return false;
}

/* Of what is cut off, more may have come through in one way of feeding than in the other. */
static inline bool body_eq(const struct peer_stream *a, const struct peer_stream *b)
{
    struct log head_a = a->body, head_b = b->body;
    if (a->was_cut && b->was_cut) {
        head_a.len = head_a.len < head_b.len ? head_a.len : head_b.len;
        head_b.len = head_a.len;
    }
    return log_eq("body", &head_a, &head_b);
}

/* h1: all must be the same, also what was written, to the byte. */
static inline void side_compare(const struct side *a, const struct side *b)
{
    CHECK(a->count == b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        CHECK(log_eq("stream", &a->streams[i]->text, &b->streams[i]->text));
        CHECK(body_eq(a->streams[i], b->streams[i]));
    }
    CHECK(a->codec->state == b->codec->state);
    CHECK(a->codec->fault == b->codec->fault);
    CHECK(log_eq("sent", &a->sent, &b->sent));
}

/* h2: a reset takes effect for what follows once it is decided, which is at the end of a read: so
 * after a fault, later frames of that stream may be ignored in one way of feeding and end the
 * connection in the other. What came in whole must be the same, and without faults all. */
static inline void side_compare_loosely(const struct side *a, const struct side *b)
{
    bool is_clean = a->codec->fault == 0 && b->codec->fault == 0;
    CHECK(!is_clean || a->count == b->count);
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        const struct peer_stream *p = a->streams[i], *q = b->streams[i];
        CHECK(!is_clean || p->was_cut == q->was_cut);
        if (!p->was_cut && !q->was_cut)
            CHECK(log_eq("stream", &p->text, &q->text));
        if (p->was_cut == q->was_cut)
            CHECK(body_eq(p, q));
    }
}

/* ---- the target ---- */

typedef void side_play(struct side *side, uint8_t choices, gw_str bytes, uint64_t cut);

/* The same bytes whole, byte by byte, and in pieces. What comes of broken frames may depend on what was
 * written in between: so HTTP/2 writes nothing until the end in the first two, which are compared. */
static inline void side_each_way(side_play *play, uint8_t choices, gw_str bytes, bool is_h2)
{
    static struct side whole, cut;

    play(&whole, choices, bytes, 0);
    for (uint64_t way = 1; way < 3; way++) {
        play(&cut, choices, bytes, way);
        if (!is_h2)
            side_compare(&whole, &cut);
        else if (way == 1)
            side_compare_loosely(&whole, &cut);
        side_fini(&cut);
    }
    side_fini(&whole);
}

/* HTTP/1: a byte of choices, and what the peer says. */
static inline int side_fuzz_h1(side_play *play, const uint8_t *bytes, size_t len)
{
    struct fuzz_input in = { bytes, len };
    uint8_t choices = fuzz_byte(&in);

    if (in.len <= SIDE_INPUT)
        side_each_way(play, choices, fuzz_rest(&in), false);
    return 0;
}

#endif
