/* unit/h2_rig.h: both ends of an HTTP/2 connection in memory, for tests: two codecs, their chains, and
 * streams with everything an owner must bring. Bytes go across in pieces of random size; each side has
 * its own heap and pool, so that nothing is shared that a network would not carry. */
#ifndef UNIT_H2_RIG_H
#define UNIT_H2_RIG_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "h2/codec.h"

#include "alloc.h"

enum { RIG_STREAMS = 600, RIG_ARENA = 65536, RIG_BODY_PERIOD = 251 };

struct rig_side;

/* One stream and its owner. */
struct rig_stream {
    struct gw_stream s;
    struct rig_side *side;
    struct gw_arena arena;
    char *cell;
    struct gw_message in_head, in_trailers, out_head, out_trailers;
    struct gw_message infos[16];
    uint32_t infos_made;
    struct gw_pipe in_pipe, out_pipe;
    uint32_t news;      /* all that was ever told */
    uint32_t told;      /* how many times         */
    uint64_t sent, got; /* bytes of the pattern   */
};

struct rig_side {
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_h2_shared *shared;
    struct gw_codec *codec;
    struct gw_codec_owner owner;
    struct gw_codec_limits limits;
    struct gw_chain rx, tx;
    struct rig_stream *streams[RIG_STREAMS];
    uint32_t count; /* ever, in order of birth; NULL where freed */
    bool refuses;   /* open gives NULL                           */
    bool drops_info;
    uint64_t bytes_out; /* what was taken off tx                     */
    gw_status read_status;
    gw_nanos now;
};

struct rig {
    struct rig_side client, server;
    struct gw_prng prng;
    size_t cut_max; /* pieces across are at most this long */
    size_t mark;
};

static inline struct rig_stream *rig_stream_new(struct rig_side *side)
{
    struct rig_stream *r = calloc(1, sizeof *r);
    ck_assert_uint_lt(side->count, RIG_STREAMS);
    r->side = side;
    r->cell = malloc(RIG_ARENA);
    gw_arena_init(&r->arena, r->cell, RIG_ARENA, NULL, RIG_ARENA);
    gw_list_init(&r->s.node);
    gw_list_init(&r->s.all);
    gw_pipe_init(&r->in_pipe, &side->pool, side->limits.pipe_bytes_max);
    gw_pipe_init(&r->out_pipe, &side->pool, side->limits.pipe_bytes_max);
    r->s.in_pipe = &r->in_pipe;
    r->s.out_pipe = &r->out_pipe;
    r->s.in_head = &r->in_head;
    r->s.in_trailers = &r->in_trailers;
    r->s.out_head = &r->out_head;
    side->streams[side->count++] = r;
    return r;
}

static inline void rig_stream_init(struct rig_stream *r, bool is_client)
{
    uint32_t max = r->side->limits.fields_max;
    gw_message_init(&r->in_head, is_client ? GW_MESSAGE_RESPONSE : GW_MESSAGE_REQUEST, &r->arena,
                    max);
    gw_message_init(&r->out_head, is_client ? GW_MESSAGE_REQUEST : GW_MESSAGE_RESPONSE, &r->arena,
                    max);
    gw_message_init(&r->in_trailers, GW_MESSAGE_TRAILERS, &r->arena, max);
    gw_message_init(&r->out_trailers, GW_MESSAGE_TRAILERS, &r->arena, max);
}

static inline struct gw_stream *rig_open(void *ctx)
{
    struct rig_side *side = ctx;
    if (side->refuses)
        return NULL;
    struct rig_stream *r = rig_stream_new(side);
    rig_stream_init(r, false);
    return &r->s;
}

static inline void rig_changed(void *ctx, struct gw_stream *s)
{
    struct rig_stream *r = GW_CONTAINER(s, struct rig_stream, s);
    ck_assert_ptr_eq(r->side, ctx);
    ck_assert_uint_ne(s->news, 0);
    r->news |= s->news;
    r->told++;
    s->news = 0;
}

static inline struct gw_message *rig_new_info(void *ctx, struct gw_stream *s)
{
    struct rig_side *side = ctx;
    struct rig_stream *r = GW_CONTAINER(s, struct rig_stream, s);
    if (side->drops_info || r->infos_made == 16)
        return NULL;
    struct gw_message *m = &r->infos[r->infos_made++];
    gw_message_init(m, GW_MESSAGE_RESPONSE, &r->arena, side->limits.fields_max);
    return m;
}

/* Takes the stream away and frees it. */
static inline void rig_detach(struct rig_stream *r)
{
    struct rig_side *side = r->side;
    if (r->s.codec != NULL)
        side->codec->ops->detach(side->codec, &r->s);
    for (uint32_t i = 0; i < side->count; i++)
        if (side->streams[i] == r)
            side->streams[i] = NULL;
    gw_pipe_fini(&r->in_pipe);
    gw_pipe_fini(&r->out_pipe);
    memset(r->cell, 0xdd, RIG_ARENA); /* views into it are dead */
    free(r->cell);
    free(r);
}

static inline bool rig_side_make(struct rig_side *side, bool is_client)
{
    struct gw_codec_spec spec = { .heap = &side->heap,
                                  .pool = &side->pool,
                                  .owner = &side->owner,
                                  .limits = &side->limits,
                                  .is_client = is_client };
    side->shared = gw_h2_shared_new(&side->heap, 16);
    if (side->shared == NULL)
        return false;
    side->codec = gw_h2_new(&spec, side->shared, side->now);
    return side->codec != NULL;
}

static inline void rig_side_init(struct rig_side *side, const struct gw_codec_limits *limits)
{
    memset(side, 0, sizeof *side);
    test_alloc_init(&side->alloc);
    gw_heap_init(&side->heap, &side->alloc.allocator, 0);
    gw_pool_init(&side->pool, &side->heap, 16640, 4096);
    gw_chain_init(&side->rx, &side->pool);
    gw_chain_init(&side->tx, &side->pool);
    side->limits = *limits;
    side->now = 1000000000;
    side->owner = (struct gw_codec_owner){ side, rig_open, rig_changed, rig_new_info };
}

static inline void rig_side_fini(struct rig_side *side)
{
    for (uint32_t i = 0; i < side->count; i++)
        if (side->streams[i] != NULL)
            rig_detach(side->streams[i]);
    if (side->codec != NULL)
        side->codec->ops->free(side->codec);
    gw_h2_shared_free(side->shared);
    gw_chain_clear(&side->rx);
    gw_chain_clear(&side->tx);
    gw_pool_fini(&side->pool);
    test_alloc_fini(&side->alloc);
}

static inline struct gw_codec_limits rig_limits(void)
{
    return (struct gw_codec_limits){
        .head_bytes_max = 32768, .fields_max = 100, .h2_streams_max = 128, .pipe_bytes_max = 262144
    };
}

static inline void rig_init_with(struct rig *rig, uint64_t seed,
                                 const struct gw_codec_limits *client,
                                 const struct gw_codec_limits *server)
{
    rig_side_init(&rig->client, client);
    rig_side_init(&rig->server, server);
    rig->prng.state = seed;
    rig->cut_max = 20000;
    rig->mark = 33280;
    ck_assert(rig_side_make(&rig->client, true));
    ck_assert(rig_side_make(&rig->server, false));
}

static inline void rig_init(struct rig *rig, uint64_t seed)
{
    struct gw_codec_limits limits = rig_limits();
    rig_init_with(rig, seed, &limits, &limits);
}

static inline void rig_fini(struct rig *rig)
{
    rig_side_fini(&rig->client);
    rig_side_fini(&rig->server);
}

/* Gives bytes to a side's codec. Sometimes in two slices of different blocks. */
static inline void rig_feed(struct rig_side *to, const void *bytes, size_t len)
{
    if (gw_chain_write(&to->rx, bytes, len) != GW_OK) {
        /* In the sweep: the connection is lost with the bytes. */
        if (to->codec->state != GW_CODEC_OVER)
            to->codec->ops->read_end(to->codec, GW_ENOMEM, to->now);
        return;
    }
    gw_status status = to->codec->ops->read(to->codec, &to->rx, to->now);
    if (to->read_status == GW_OK)
        to->read_status = status;
    ck_assert_uint_eq(to->rx.len, 0);
}

static inline bool rig_carry(struct rig *rig, struct rig_side *from, struct rig_side *to)
{
    bool any = false;
    uint8_t piece[20000];
    while (from->tx.len > 0) {
        size_t n = 1 + (size_t)gw_prng_below(&rig->prng, rig->cut_max);
        n = gw_chain_read(&from->tx, 0, piece, n < sizeof piece ? n : sizeof piece);
        gw_chain_drop(&from->tx, n);
        from->bytes_out += n;
        rig_feed(to, piece, n);
        any = true;
    }
    return any;
}

static inline bool rig_write(struct rig *rig, struct rig_side *side)
{
    struct gw_codec *c = side->codec;
    size_t before = side->tx.len;
    uint64_t written = c->written;
    bool wants = c->ops->wants_write(c);
    gw_status status = c->ops->write(c, &side->tx, rig->mark, side->now);
    (void)status;
    ck_assert_uint_eq(c->written - written, side->tx.len - before);
    if (!wants)
        ck_assert_uint_eq(side->tx.len, before);
    return side->tx.len > before;
}

/* Until nothing moves any more. */
static inline void rig_run(struct rig *rig)
{
    for (bool moved = true; moved;) {
        moved = rig_write(rig, &rig->client);
        moved = rig_carry(rig, &rig->client, &rig->server) || moved;
        moved = rig_write(rig, &rig->server) || moved;
        moved = rig_carry(rig, &rig->server, &rig->client) || moved;
    }
}

static inline gw_str rig_copy(struct rig_stream *r, const char *text)
{
    gw_str out;
    ck_assert_int_eq(gw_arena_copy(&r->arena, gw_cstr(text), &out), GW_OK);
    return out;
}

static inline void rig_field(struct rig_stream *r, struct gw_message *m, const char *name,
                             const char *value)
{
    ck_assert_int_eq(gw_fields_add_copy(&m->fields, rig_copy(r, name), rig_copy(r, value)), GW_OK);
}

/* A request in the making: not yet opened. */
static inline struct rig_stream *rig_request(struct rig *rig, const char *method, const char *path)
{
    struct rig_stream *r = rig_stream_new(&rig->client);
    rig_stream_init(r, true);
    r->out_head.method_text = rig_copy(r, method);
    r->out_head.method = (uint8_t)gw_method_of(r->out_head.method_text);
    r->out_head.scheme = GW_STR("http");
    r->out_head.authority = rig_copy(r, "example.org");
    r->out_head.path = rig_copy(r, path);
    r->s.request_method = r->out_head.method;
    r->s.out = GW_HALF_HEAD;
    return r;
}

static inline gw_status rig_send(struct rig_stream *r)
{
    return r->side->codec->ops->open(r->side->codec, &r->s);
}

static inline struct rig_stream *rig_get(struct rig *rig, const char *path)
{
    struct rig_stream *r = rig_request(rig, "GET", path);
    r->out_pipe.is_ended = true;
    ck_assert_int_eq(rig_send(r), GW_OK);
    return r;
}

static inline void rig_advance(struct rig_stream *r)
{
    if (r->s.codec != NULL)
        r->side->codec->ops->advance(r->side->codec, &r->s);
}

static inline void rig_pattern(uint8_t *bytes, size_t len, uint64_t from)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((from + i) % RIG_BODY_PERIOD);
}

static inline void rig_respond(struct rig_stream *r, uint16_t code, bool is_end)
{
    r->out_head.code = code;
    r->out_pipe.is_ended = is_end;
    r->s.out = GW_HALF_HEAD;
    rig_advance(r);
}

/* Pushes up to n bytes of the pattern; returns how many there was room for. */
static inline size_t rig_push(struct rig_stream *r, size_t n)
{
    uint8_t bytes[4096];
    size_t done = 0;
    while (done < n) {
        size_t part = n - done < sizeof bytes ? n - done : sizeof bytes;
        rig_pattern(bytes, part, r->sent);
        size_t in = gw_pipe_write(&r->out_pipe, bytes, part);
        r->sent += in;
        done += in;
        if (in < part)
            break;
    }
    rig_advance(r);
    return done;
}

static inline void rig_end(struct rig_stream *r)
{
    ck_assert_int_eq(gw_pipe_end(&r->out_pipe), GW_OK);
    rig_advance(r);
}

/* Takes up to n bytes of what came and compares them with the pattern. */
static inline size_t rig_take(struct rig_stream *r, size_t n)
{
    uint8_t bytes[4096], want[4096];
    size_t done = 0;
    while (done < n && r->in_pipe.chain.len > 0) {
        size_t part = n - done < sizeof bytes ? n - done : sizeof bytes;
        part = gw_chain_read(&r->in_pipe.chain, 0, bytes, part);
        rig_pattern(want, part, r->got);
        ck_assert_mem_eq(bytes, want, part);
        ck_assert_int_eq(gw_pipe_drop(&r->in_pipe, part), GW_OK);
        r->got += part;
        done += part;
    }
    rig_advance(r);
    return done;
}

static inline struct rig_stream *rig_last(struct rig_side *side)
{
    ck_assert_uint_gt(side->count, 0);
    ck_assert_ptr_nonnull(side->streams[side->count - 1]);
    return side->streams[side->count - 1];
}

static inline void rig_is(gw_str got, const char *want)
{
    ck_assert_msg(gw_str_eq(got, gw_cstr(want)), "\"%.*s\" is not \"%s\"", (int)got.len, got.ptr,
                  want);
}

static inline void rig_has(const struct gw_message *m, const char *name, const char *value)
{
    const struct gw_field *f = gw_fields_find_name(&m->fields, gw_cstr(name));
    ck_assert_msg(f != NULL, "no field %s", name);
    rig_is(f->value, value);
}

#endif
