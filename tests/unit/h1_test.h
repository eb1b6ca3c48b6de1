/* unit/h1_test.h: one connection and its owner, for the tests of h1: bytes in, a transcript and bytes
 * out. The owner does what an exchange would: it takes bodies out of pipes, answers, detaches. */
#ifndef UNIT_H1_TEST_H
#define UNIT_H1_TEST_H

#include "check_main.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "base/prng.h"
#include "h1/h1.h"
#include "http/check.h"
#include "http/hop.h"
#include "http/reason.h"

Suite *server_suite(void);
Suite *client_suite(void);
Suite *smuggling_suite(void);
Suite *random_suite(void);
Suite *memory_suite(void);

enum { INFOS = 16 };
struct text {
    char *at; /* with a zero behind */
    size_t len, room;
};

static inline void text_add(struct text *t, const void *bytes, size_t len)
{
    if (t->len + len >= t->room) {
        t->room = 2 * (t->len + len) + 1024;
        t->at = realloc(t->at, t->room);
        ck_assert_ptr_nonnull(t->at);
    }
    if (len > 0)
        memcpy(t->at + t->len, bytes, len);
    t->len += len;
    t->at[t->len] = '\0';
}
static inline void text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}
static inline void text_str(struct text *t, gw_str s)
{
    text_add(t, s.ptr, s.len);
}
static inline void text_num(struct text *t, unsigned long long n)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%llu", n);
    text_puts(t, digits);
}

/* What there is of one message pair. */
struct pair {
    struct gw_stream stream;
    struct gw_arena arena;
    struct gw_message in_head, in_trailers, out_head, out_trailers, infos[INFOS];
    struct gw_pipe in_pipe, out_pipe;
    uint32_t infos_used, infos_logged;
    uint32_t news;
    bool has_head, has_body, is_told; /* logged */
};

struct world {
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_arena_source source;
    struct gw_codec_limits limits;
    struct gw_codec_owner owner;
    struct gw_codec *codec;
    struct gw_chain rx, tx;
    struct pair pair;
    struct text log, sent;
    const char *reply; /* server: the body of every answer */
    bool is_manual;    /* nothing is answered, drained or detached by itself */
    bool is_refusing;  /* open gives nothing */
    bool no_info;      /* new_info gives nothing */
    bool no_trailers;
    size_t pipe_size;
    uint32_t out_of_memory; /* how often read or write said so */
    size_t rx_peak;
};

static inline void *source_take(void *ctx, struct gw_arena *for_whom)
{
    (void)for_whom;
    struct world *w = ctx;
    return gw_heap_alloc(&w->heap, w->source.chunk_bytes);
}
static inline void source_give(void *ctx, void *chunk)
{
    struct world *w = ctx;
    gw_heap_release(&w->heap, chunk, w->source.chunk_bytes);
}

static inline void pair_init(struct world *w)
{
    struct pair *p = &w->pair;
    memset(p, 0, sizeof *p);
    gw_arena_init(&p->arena, NULL, 0, &w->source, 1 << 20);
    gw_message_init(&p->in_head,
                    w->owner.new_info && w->codec && w->codec->ops->can_open(w->codec)
                        ? GW_MESSAGE_RESPONSE
                        : GW_MESSAGE_REQUEST,
                    &p->arena, w->limits.fields_max);
    gw_message_init(&p->in_trailers, GW_MESSAGE_TRAILERS, &p->arena, w->limits.fields_max);
    gw_message_init(&p->out_head, GW_MESSAGE_RESPONSE, &p->arena, w->limits.fields_max);
    gw_message_init(&p->out_trailers, GW_MESSAGE_TRAILERS, &p->arena, w->limits.fields_max);
    gw_pipe_init(&p->in_pipe, &w->pool, w->pipe_size);
    gw_pipe_init(&p->out_pipe, &w->pool, w->pipe_size);
    p->stream.in_head = &p->in_head;
    p->stream.in_trailers = w->no_trailers ? NULL : &p->in_trailers;
    p->stream.in_pipe = &p->in_pipe;
    p->stream.out_pipe = &p->out_pipe;
}

static inline void pair_fini(struct world *w)
{
    struct pair *p = &w->pair;
    gw_pipe_fini(&p->in_pipe);
    gw_pipe_fini(&p->out_pipe);
    gw_arena_fini(&p->arena);
}

static inline struct gw_stream *world_open(void *ctx)
{
    struct world *w = ctx;
    if (w->is_refusing)
        return NULL;
    ck_assert_ptr_null(w->pair.stream.codec);
    pair_init(w);
    return &w->pair.stream;
}

static inline void world_changed(void *ctx, struct gw_stream *s)
{
    struct world *w = ctx;
    ck_assert_ptr_eq(s, &w->pair.stream);
    w->pair.news |= s->news;
    s->news = 0;
}

static inline struct gw_message *world_new_info(void *ctx, struct gw_stream *s)
{
    struct world *w = ctx;
    ck_assert_ptr_eq(s, &w->pair.stream);
    if (w->no_info)
        return NULL;
    ck_assert_uint_lt(w->pair.infos_used, INFOS);
    struct gw_message *m = &w->pair.infos[w->pair.infos_used++];
    gw_message_init(m, GW_MESSAGE_RESPONSE, &w->pair.arena, w->limits.fields_max);
    return m;
}

static inline void world_init_sized(struct world *w, bool is_client, uint32_t block,
                                    uint32_t blocks_max)
{
    memset(w, 0, sizeof *w);
    test_alloc_init(&w->alloc);
    gw_heap_init(&w->heap, &w->alloc.allocator, 0);
    gw_pool_init(&w->pool, &w->heap, block, blocks_max);
    w->source = (struct gw_arena_source){ w, source_take, source_give, 16384 };
    w->limits = (struct gw_codec_limits){ .head_bytes_max = 8192, .fields_max = 32 };
    w->owner = (struct gw_codec_owner){ w, world_open, world_changed, world_new_info };
    w->pipe_size = 4096;
    w->reply = "ok";
    text_puts(&w->log, "");
    text_puts(&w->sent, "");
    gw_chain_init(&w->rx, &w->pool);
    gw_chain_init(&w->tx, &w->pool);
    const struct gw_codec_spec spec = { &w->heap, &w->pool, &w->owner, &w->limits, is_client };
    w->codec = gw_h1_new(&spec);
}

static inline void world_init(struct world *w, bool is_client)
{
    world_init_sized(w, is_client, 1024, 256);
    ck_assert_ptr_nonnull(w->codec);
}

static inline void world_detach(struct world *w)
{
    struct pair *p = &w->pair;
    if (p->stream.codec == NULL)
        return;
    w->codec->ops->detach(w->codec, &p->stream);
    ck_assert_ptr_null(p->stream.codec);
    ck_assert_uint_eq(w->codec->streams, 0);
    pair_fini(w);
}

/* Nothing may be left of it. */
static inline void world_fini(struct world *w)
{
    if (w->codec != NULL) {
        world_detach(w);
        w->codec->ops->free(w->codec);
    }
    gw_chain_clear(&w->rx);
    gw_chain_clear(&w->tx);
    ck_assert_uint_eq(w->pool.out, 0);
    gw_pool_fini(&w->pool);
    test_alloc_fini(&w->alloc);
    free(w->log.at);
    free(w->sent.at);
}

static inline void log_fields(struct text *t, const struct gw_message *m)
{
    gw_str name, value;
    for (size_t i = 0; gw_message_field_at(m, i, &name, &value) == GW_OK; i++) {
        text_puts(t, " ");
        text_str(t, name);
        text_puts(t, "=");
        text_str(t, value);
    }
}

static inline void log_body_kind(struct text *t, const struct gw_message *m)
{
    static const char *const kinds[] = { "none", "length", "unknown", "tunnel" };
    text_puts(t, " body=");
    text_puts(t, kinds[m->body]);
    if (m->body == GW_BODY_LENGTH || m->has_length) {
        text_puts(t, ":");
        text_num(t, m->length);
    }
    if (m->is_http10)
        text_puts(t, " 1.0");
}

static inline void log_request(struct text *t, const struct gw_message *m)
{
    text_str(t, m->method_text);
    text_puts(t, " ");
    text_str(t, m->scheme);
    text_puts(t, "://");
    text_str(t, m->authority);
    text_puts(t, " ");
    text_str(t, m->path);
    if (m->query.ptr != NULL) {
        text_puts(t, "?");
        text_str(t, m->query);
    }
    if (m->protocol.len > 0) {
        text_puts(t, " upgrade=");
        text_str(t, m->protocol);
    }
    log_body_kind(t, m);
    log_fields(t, m);
}

static inline void log_response(struct text *t, const struct gw_message *m)
{
    text_num(t, m->code);
    if (m->protocol.len > 0) {
        text_puts(t, " upgrade=");
        text_str(t, m->protocol);
    }
    log_body_kind(t, m);
    log_fields(t, m);
}

static inline const char *reason_name(uint32_t reason)
{
    gw_reason row = GW_SPEC(gw_reason);
    ck_assert_int_eq(gw_reason_of(reason, &row), GW_OK);
    return row.name;
}

/* Moves what is in a pipe to the log; the first byte opens a quote. */
static inline void log_body(struct world *w)
{
    struct pair *p = &w->pair;
    gw_const_span span;
    while (gw_pipe_peek(&p->in_pipe, &span, 1) == 1) {
        if (!p->has_body)
            text_puts(&w->log, " [");
        p->has_body = true;
        text_add(&w->log, span.ptr, span.len);
        ck_assert_int_eq(gw_pipe_drop(&p->in_pipe, span.len), GW_OK);
    }
}

/* Writes to the log what has come. */
static inline void log_news(struct world *w, bool is_client)
{
    struct pair *p = &w->pair;
    struct gw_stream *s = &p->stream;
    for (uint32_t i = 0; s->info != NULL && i < INFOS; i++) {
        text_puts(&w->log, "info ");
        log_response(&w->log, s->info);
        text_puts(&w->log, "\n");
        s->info = s->info->next;
    }
    if ((p->news & GW_NEWS_HEAD) != 0 && !p->has_head) {
        p->has_head = true;
        if (is_client)
            log_response(&w->log, s->in_head);
        else
            log_request(&w->log, s->in_head);
    }
    log_body(w);
    if (s->in < GW_HALF_DONE || p->is_told)
        return;
    p->is_told = true;
    if (p->has_body)
        text_puts(&w->log, "]");
    if (s->in == GW_HALF_DONE) {
        ck_assert(p->in_pipe.is_ended || p->in_pipe.is_cut);
        ck_assert((p->news & GW_NEWS_END) != 0);
        if (s->in_trailers != NULL && gw_message_fields(s->in_trailers) > 0) {
            text_puts(&w->log, " trailers");
            log_fields(&w->log, s->in_trailers);
        }
        text_puts(&w->log, " end\n");
    } else {
        ck_assert((p->news & GW_NEWS_CUT) != 0);
        text_puts(&w->log, " CUT ");
        text_puts(&w->log, reason_name(s->fault));
        text_puts(&w->log, "\n");
    }
}

static inline void must(gw_status status)
{
    ck_assert_msg(status == GW_OK, "%s", gw_status_name(status));
}

static inline void pair_request(struct world *w, const char *method, const char *upgrade)
{
    struct pair *p = &w->pair;
    pair_init(w);
    p->out_head.kind = GW_MESSAGE_REQUEST;
    p->out_head.method_text = gw_cstr(method);
    p->out_head.method = (uint8_t)gw_method_of(p->out_head.method_text);
    p->out_head.authority = p->out_head.method == GW_METHOD_CONNECT ? GW_STR("a:1") : GW_STR("a");
    p->out_head.scheme = GW_STR("http");
    p->out_head.path = GW_STR("/");
    p->out_head.protocol = gw_cstr(upgrade);
    p->out_head.body = p->out_head.method == GW_METHOD_CONNECT ? GW_BODY_TUNNEL : GW_BODY_NONE;
    p->stream.out_head = &p->out_head;
    p->stream.request_method = p->out_head.method;
    p->stream.out = GW_HALF_HEAD;
}

/* Hands a response over: body NULL: none. */
static inline void world_respond(struct world *w, uint32_t code, const char *body)
{
    struct pair *p = &w->pair;
    p->out_head.kind = GW_MESSAGE_RESPONSE;
    p->out_head.code = (uint16_t)code;
    p->stream.out_head = &p->out_head;
    if (body != NULL) {
        p->out_head.body = GW_BODY_LENGTH;
        p->out_head.length = strlen(body);
        if (gw_pipe_write(&p->out_pipe, body, strlen(body)) != strlen(body)) {
            w->out_of_memory++;
            gw_pipe_cut(&p->out_pipe);
        } else {
            must(gw_pipe_end(&p->out_pipe));
        }
    }
    p->stream.out = GW_HALF_HEAD;
    w->codec->ops->advance(w->codec, &p->stream);
}

/* A server's owner: answers whole requests, and those that are cut as the reason says. True: it did
 * something. */
static inline bool world_serve(struct world *w)
{
    struct pair *p = &w->pair;
    struct gw_stream *s = &p->stream;
    if (s->codec == NULL)
        return false;
    bool had_room = gw_pipe_room(&p->in_pipe) > 0;
    log_news(w, false);
    if (w->is_manual)
        return !had_room && gw_pipe_room(&p->in_pipe) > 0;
    if (s->out == GW_HALF_DONE || s->out == GW_HALF_CUT) {
        world_detach(w);
        return true;
    }
    bool is_waiting = p->has_head && s->in == GW_HALF_BODY &&
                      (p->in_head.protocol.len > 0 || p->in_head.body == GW_BODY_TUNNEL);
    if (s->out == GW_HALF_IDLE && (s->in == GW_HALF_DONE || is_waiting)) {
        world_respond(w, 200, w->reply);
        return true;
    }
    if (s->out == GW_HALF_IDLE && s->in == GW_HALF_CUT) {
        gw_reason row = GW_SPEC(gw_reason);
        must(gw_reason_of(s->fault, &row));
        if (row.http_code == 0)
            world_detach(w);
        else
            world_respond(w, row.http_code, "");
        return true;
    }
    return !had_room && gw_pipe_room(&p->in_pipe) > 0;
}

static inline void world_write(struct world *w)
{
    gw_const_span span;
    if (w->codec->ops->wants_write(w->codec)) {
        gw_status status = w->codec->ops->write(w->codec, &w->tx, 4096, 0);
        if (status == GW_ENOMEM)
            w->out_of_memory++;
        else
            must(status);
    }
    while (gw_chain_peek(&w->tx, &span, 1) == 1) {
        text_add(&w->sent, span.ptr, span.len);
        gw_chain_drop(&w->tx, span.len);
    }
    ck_assert_uint_eq(w->codec->written, w->sent.len);
}

static inline void world_read(struct world *w)
{
    if (w->codec->state == GW_CODEC_OVER) {
        gw_chain_clear(&w->rx);
        return;
    }
    if (w->rx.len > w->rx_peak)
        w->rx_peak = w->rx.len;
    if (w->rx.len > 0 && w->codec->ops->read(w->codec, &w->rx, 0) == GW_ENOMEM)
        w->out_of_memory++;
}

/* Turns until nothing moves. */
static inline void world_run(struct world *w)
{
    bool is_client = w->codec->ops->can_open(w->codec) ||
                     w->pair.in_head.kind == GW_MESSAGE_RESPONSE;
    for (int turn = 0; turn < 4096; turn++) {
        size_t rx = w->rx.len, sent = w->sent.len;
        world_read(w);
        bool did = false;
        if (is_client) {
            if (w->pair.stream.codec != NULL) {
                did = gw_pipe_room(&w->pair.in_pipe) == 0;
                log_news(w, true);
                did = did && gw_pipe_room(&w->pair.in_pipe) > 0;
            }
        } else {
            did = world_serve(w);
        }
        uint32_t oom = w->out_of_memory;
        world_write(w);
        if (!did && rx == w->rx.len && sent == w->sent.len)
            return;
        if (oom != w->out_of_memory && rx == w->rx.len && sent == w->sent.len)
            return;
    }
    ck_abort_msg("it turns for ever");
}

/* Bytes arrive in pieces of that size (0: whole). */
static inline void world_feed(struct world *w, const char *bytes, size_t len, size_t piece)
{
    for (size_t at = 0; at < len;) {
        size_t n = piece == 0 || len - at < piece ? len - at : piece;
        if (n > 512)
            n = 512;
        if (gw_chain_write(&w->rx, bytes + at, n) != GW_OK) {
            w->out_of_memory++;
            return;
        }
        at += n;
        if (piece != 0 || at == len || at % 2048 == 0)
            world_run(w);
    }
    world_run(w);
}

static inline void world_end(struct world *w, gw_status why)
{
    w->codec->ops->read_end(w->codec, why, 0);
    world_run(w);
}

#endif
