/* raw/raw.c: the states of a connection whose bytes are nobody's business. What both roles do alike comes
 * first.
 *
 *     IDLE > PEEK > WAIT > FLOW > DONE      server
 *     IDLE >               FLOW > DONE      client
 *     any > OVER
 */
#include "raw/raw.h"

#include "base/assert.h"
#include "tls/hello.h"

#include <gw/config.h>

enum phase {
    IDLE = 0, /* nothing yet                                                  */
    PEEK = 1, /* the hello is read, and stays in rx                           */
    WAIT = 2, /* it is there; the answer decides                              */
    FLOW = 3,
    DONE = 4, /* the peer has ended its side                                  */
    OVER = 5  /* nothing more is read                                         */
};

struct raw {
    struct gw_codec base;
    struct gw_codec_owner owner;
    struct gw_heap *heap;
    struct gw_pool *pool;
    struct gw_stream *stream; /* NULL: none */
    size_t rx_left;           /* bytes that the last read left in rx          */
    uint8_t phase;            /* enum phase                                   */
    uint8_t speaks;           /* server: gw_tls_hello_fault; MORE: not known  */
    bool is_eof;              /* the peer ended its sending side              */
    bool owes_alert;          /* server: there was no stream for it           */
};

static struct raw *of(struct gw_codec *codec)
{
    return GW_CONTAINER(codec, struct raw, base);
}

static const struct raw *of_const(const struct gw_codec *codec)
{
    return (const struct raw *)(const void *)codec; /* its first member */
}

_Static_assert(offsetof(struct raw, base) == 0, "of_const");

static void attach(struct raw *c, struct gw_stream *s)
{
    GW_ASSERT(c->stream == NULL && s->codec == NULL);
    c->stream = s;
    c->base.streams = 1;
    c->base.streams_ever++;
    s->codec = &c->base;
    s->id = c->base.streams_ever;
    gw_list_init(&s->node);
    gw_list_init(&s->all);
}

/* Nothing more is read or begun. */
static void end(struct raw *c, enum gw_reason_id fault)
{
    c->phase = OVER;
    c->base.is_head_pending = false;
    c->base.state = GW_CODEC_OVER;
    if (c->base.fault == GW_REASON_none)
        c->base.fault = (uint16_t)fault;
    if (c->stream == NULL || c->stream->out >= GW_HALF_DONE)
        c->base.is_write_done = !c->owes_alert;
}

static void cut(struct raw *c, enum gw_reason_id fault, bool by_peer)
{
    struct gw_stream *s = c->stream;

    end(c, fault);
    if (s == NULL || s->in >= GW_HALF_DONE)
        return;
    s->in = GW_HALF_CUT;
    s->fault = (uint16_t)fault;
    s->by_peer = by_peer;
    gw_stream_tell(&c->owner, s, GW_NEWS_CUT);
}

/* The connection is lost, why says for what reason: fault is its name if that is not our own memory. */
static void cut_lost(struct raw *c, enum gw_reason_id fault, gw_status why)
{
    bool is_own = gw_status_category(why) == GW_CAT_LIMIT;

    cut(c, is_own ? GW_REASON_no_memory : fault, !is_own);
}

/* Both halves are done. */
static void settle(struct raw *c)
{
    if (c->stream->in >= GW_HALF_DONE && c->stream->out >= GW_HALF_DONE)
        end(c, GW_REASON_none);
}

static void in_done(struct raw *c)
{
    struct gw_stream *s = c->stream;

    GW_ASSERT(s->in < GW_HALF_DONE);
    s->in = GW_HALF_DONE;
    c->phase = DONE;
    if (!s->in_pipe->is_cut && !s->in_pipe->is_ended)
        s->in_pipe->is_ended = true;
    gw_stream_tell(&c->owner, s, GW_NEWS_END);
    settle(c);
}

/* GW_ENOMEM: nothing is lost. */
static gw_status flow(struct raw *c, struct gw_chain *rx)
{
    struct gw_stream *s = c->stream;
    uint64_t before = s->in_pipe->bytes_in;
    gw_status status = GW_OK;

    for (size_t n = 1; status == GW_OK && n > 0 && rx->len > 0;) {
        size_t room = gw_pipe_space(s->in_pipe);
        n = rx->len < room ? rx->len : room;
        if (n > 0)
            status = gw_pipe_fill(s->in_pipe, rx, n, &n);
    }
    if (s->in_pipe->bytes_in != before)
        gw_stream_tell(&c->owner, s, GW_NEWS_BODY);
    return status;
}

/* ---- writing ---- */

/* out is DONE: with what else is new. */
static void tell_sent(struct raw *c, uint32_t news)
{
    struct gw_stream *s = c->stream;

    s->out_mark = c->base.written;
    gw_stream_tell(&c->owner, s, news | GW_NEWS_SENT);
    settle(c);
}

/* The source has ended, or broke off: so does our side. */
static void end_out(struct raw *c)
{
    struct gw_stream *s = c->stream;

    if (s->out_pipe->is_cut) {
        s->out = GW_HALF_CUT;
        end(c, GW_REASON_internal);
    } else {
        s->out = GW_HALF_DONE;
        c->base.is_write_done = true;
    }
}

/* Whole slices: nothing is split, so nothing can fail. */
static gw_status write_bytes(struct raw *c, struct gw_chain *tx, size_t mark)
{
    struct gw_stream *s = c->stream;
    uint32_t news = 0;

    while (s->out == GW_HALF_BODY && tx->len < mark) {
        size_t n = s->out_pipe->is_cut ? 0 : gw_chain_whole(&s->out_pipe->chain, mark - tx->len);
        gw_status status;
        if (n == 0 && !s->out_pipe->is_ended && !s->out_pipe->is_cut)
            break;
        if (n == 0) {
            end_out(c);
            break;
        }
        status = gw_pipe_take(s->out_pipe, tx, n);
        GW_ASSERT(status == GW_OK);
        (void)status;
        c->base.written += n;
        news = GW_NEWS_ROOM;
    }
    if (s->out == GW_HALF_DONE)
        tell_sent(c, news);
    else if (news != 0)
        gw_stream_tell(&c->owner, s, news);
    return GW_OK;
}

static bool wants_write(const struct gw_codec *codec)
{
    const struct raw *c = of_const(codec);
    const struct gw_stream *s = c->stream;

    if (c->owes_alert)
        return true;
    if (s == NULL || s->out == GW_HALF_IDLE || s->out >= GW_HALF_DONE)
        return false;
    return s->out == GW_HALF_HEAD || s->out_pipe->is_cut || s->out_pipe->is_ended ||
           gw_pipe_len(s->out_pipe) > 0;
}

/* ---- commands of both ---- */

static void drain(struct gw_codec *codec, bool is_final)
{
    (void)is_final;
    if (codec->state != GW_CODEC_OPEN)
        return;
    codec->state = GW_CODEC_DRAINING; /* a tunnel goes on: nothing can be said in it */
    if (of(codec)->phase == IDLE)
        end(of(codec), GW_REASON_none);
}

static void detach(struct gw_codec *codec, struct gw_stream *s)
{
    struct raw *c = of(codec);

    GW_ASSERT(s == c->stream);
    s->codec = NULL;
    c->stream = NULL;
    codec->streams = 0;
    end(c, GW_REASON_none);
}

static bool is_spare(const struct gw_codec *codec)
{
    (void)codec;
    return false;
}

/* Refused for want of memory, even for an answer: the alert needs none. */
static void reset(struct gw_codec *codec, struct gw_stream *s, uint32_t h2_code)
{
    struct raw *c = of(codec);

    GW_ASSERT(s == c->stream);
    c->owes_alert = s->out == GW_HALF_IDLE && c->phase != OVER && h2_code == GW_H2_REFUSED_STREAM;
    s->in = GW_HALF_CUT;
    s->out = GW_HALF_CUT;
    end(c, GW_REASON_none);
}

static void raw_free(struct gw_codec *codec)
{
    struct raw *c = of(codec);

    GW_ASSERT(c->stream == NULL && codec->streams == 0);
    gw_heap_release(c->heap, c, sizeof *c);
}

/* ---- the server's role: reading ---- */

static gw_status fail(struct raw *c, enum gw_reason_id reason)
{
    cut(c, reason, reason != GW_REASON_no_memory);
    return reason == GW_REASON_no_memory ? GW_ENOMEM : GW_EPROTO;
}

/* The first byte. False: there is no stream for it. */
static bool open_request(struct raw *c)
{
    struct gw_stream *s = c->owner.open(c->owner.ctx);

    if (s == NULL) {
        c->owes_alert = true;
        end(c, GW_REASON_no_memory);
        return false;
    }
    GW_ASSERT(s->in == GW_HALF_IDLE && s->out == GW_HALF_IDLE && s->in_head != NULL);
    attach(c, s);
    s->in = GW_HALF_HEAD;
    c->base.is_head_pending = true;
    c->phase = PEEK;
    return true;
}

gw_status gw_raw_ask(struct gw_message *m, gw_str name)
{
    static const gw_str port = { ":443", 4 };
    char text[GW_TLS_NAME_MAX + 4];
    gw_str authority = { text, name.len > 0 ? name.len + port.len : 0 };
    gw_status status;

    GW_ASSERT(name.len <= GW_TLS_NAME_MAX);
    if (name.len > 0) {
        memcpy(text, name.ptr, name.len);
        memcpy(text + name.len, port.ptr, port.len);
    }
    status = gw_arena_copy(m->fields.arena, authority, &authority);
    if (status != GW_OK)
        return status;
    m->method = GW_METHOD_CONNECT;
    m->method_text = GW_STR("CONNECT");
    m->body = GW_BODY_TUNNEL;
    m->authority = m->target = authority;
    return GW_OK;
}

static gw_status ask(struct raw *c, const struct gw_tls_hello *hello)
{
    struct gw_stream *s = c->stream;

    if (gw_raw_ask(s->in_head, (gw_str){ hello->name, hello->name_len }) != GW_OK)
        return fail(c, GW_REASON_no_memory);
    c->base.is_head_pending = false;
    c->phase = WAIT;
    s->request_method = GW_METHOD_CONNECT;
    s->in = GW_HALF_BODY;
    gw_stream_tell(&c->owner, s, GW_NEWS_HEAD);
    return GW_OK;
}

/* One that offers old versions only is as good as another: they are not ours to refuse. */
static gw_status peek(struct raw *c, const struct gw_chain *rx)
{
    struct gw_tls_hello hello;
    enum gw_tls_hello_fault fault = gw_tls_hello_read(rx, &hello);

    c->speaks = (uint8_t)fault;
    switch (fault) {
    case GW_TLS_HELLO_MORE:
        return GW_OK;
    case GW_TLS_HELLO_WHOLE:
    case GW_TLS_HELLO_OLD:
        if (hello.len == 0)
            break;
        return ask(c, &hello);
    case GW_TLS_HELLO_HTTP:
    case GW_TLS_HELLO_NOT_TLS:
        return fail(c, GW_REASON_not_tls);
    case GW_TLS_HELLO_BROKEN:
    case GW_TLS_HELLO_LONG:
        break;
    }
    return fail(c, GW_REASON_bad_hello);
}

/* The peer will send nothing more. */
static void end_of_input(struct raw *c)
{
    c->is_eof = true;
    switch ((enum phase)c->phase) {
    case IDLE:
        end(c, GW_REASON_none);
        break;
    case PEEK:
        cut(c, GW_REASON_client_closed, true);
        break;
    case FLOW:
        in_done(c);
        break;
    case WAIT: /* what it has sent is still to be taken in */
    case DONE:
    case OVER:
        break;
    }
}

static gw_status server_read(struct gw_codec *codec, struct gw_chain *rx, gw_nanos now)
{
    struct raw *c = of(codec);
    gw_status status = GW_OK;

    (void)now;
    if (c->phase == IDLE && rx->len > 0 && !open_request(c))
        return GW_ENOMEM;
    if (c->phase == PEEK)
        status = peek(c, rx);
    if (c->phase == FLOW)
        status = flow(c, rx);
    c->rx_left = rx->len;
    if (status == GW_OK && c->is_eof && c->phase == FLOW && rx->len == 0)
        end_of_input(c);
    return status;
}

static void server_read_end(struct gw_codec *codec, gw_status why, gw_nanos now)
{
    struct raw *c = of(codec);
    struct gw_stream *s = c->stream;

    (void)now;
    if (why == GW_OK || why == GW_EOF) {
        end_of_input(c);
    } else if (s == NULL || (s->in == GW_HALF_DONE && s->out == GW_HALF_DONE)) {
        end(c, GW_REASON_none);
    } else {
        if (s->out != GW_HALF_DONE)
            s->out = GW_HALF_CUT;
        cut_lost(c, GW_REASON_client_reset, why);
    }
}

static bool server_wants_read(const struct gw_codec *codec, size_t rx_len)
{
    const struct raw *c = of_const(codec);

    if (c->is_eof)
        return false;
    switch ((enum phase)c->phase) {
    case IDLE:
    case PEEK:
        return rx_len < GW_TLS_HELLO_MAX;
    case WAIT:
        return rx_len < c->pool->block_bytes;
    case FLOW:
        return gw_pipe_space(c->stream->in_pipe) > 0;
    case DONE:
    case OVER:
        break;
    }
    return false;
}

/* ---- the server's role: writing ---- */

enum { ACCESS_DENIED = 49, DECODE_ERROR = 50, INTERNAL_ERROR = 80, UNRECOGNIZED_NAME = 112 };

/* RFC 8446 6: a record of its own, in clear, as nothing has been agreed on. */
static gw_status write_alert(struct gw_chain *tx, uint8_t description)
{
    const uint8_t record[] = { 21, 3, 3, 0, 2, 2, description };

    return gw_chain_write(tx, record, sizeof record);
}

static uint8_t alert_of(uint32_t code)
{
    switch (code) {
    case 400:
        return DECODE_ERROR;
    case 404:
    case 421:
        return UNRECOGNIZED_NAME;
    default:
        return code < 500 ? ACCESS_DENIED : INTERNAL_ERROR;
    }
}

/* In the peer's own words, as far as we know them. */
static gw_status write_refusal(const struct raw *c, struct gw_chain *tx)
{
    switch ((enum gw_tls_hello_fault)c->speaks) {
    case GW_TLS_HELLO_HTTP:
        return gw_chain_write_str(tx, GW_STR("HTTP/1.1 400 Bad Request\r\n"
                                             "Content-Type: text/plain\r\n"
                                             "Content-Length: 44\r\n"
                                             "Connection: close\r\n\r\n"
                                             "This port speaks TLS: ask it with https://.\n"));
    case GW_TLS_HELLO_MORE:
    case GW_TLS_HELLO_NOT_TLS:
        return GW_OK;
    case GW_TLS_HELLO_WHOLE:
    case GW_TLS_HELLO_OLD:
    case GW_TLS_HELLO_BROKEN:
    case GW_TLS_HELLO_LONG:
        break;
    }
    return write_alert(tx, alert_of(c->stream->out_head->code));
}

/* There is no tunnel: nothing of what the peer has sent is taken, and of the answer only that it is one. */
static gw_status refuse(struct raw *c, struct gw_chain *tx)
{
    struct gw_stream *s = c->stream;
    gw_status status = write_refusal(c, tx);

    if (status != GW_OK)
        return status;
    s->out_head->has_left = 1;
    if (s->out_pipe != NULL)
        gw_pipe_skip(s->out_pipe, gw_pipe_len(s->out_pipe));
    s->out = GW_HALF_DONE;
    if (s->in < GW_HALF_DONE)
        in_done(c);
    c->base.is_write_done = true;
    return GW_OK;
}

static void begin_tunnel(struct raw *c)
{
    if (c->phase == WAIT)
        c->phase = FLOW;
}

/* Its answer. */
static gw_status write_head(struct raw *c, struct gw_chain *tx)
{
    struct gw_stream *s = c->stream;

    if (!s->is_tunnel)
        return refuse(c, tx);
    begin_tunnel(c);
    s->out_head->has_left = 1;
    s->out = GW_HALF_BODY;
    return GW_OK;
}

static gw_status write_owed(struct raw *c, struct gw_chain *tx)
{
    size_t before = tx->len;
    gw_status status = write_alert(tx, INTERNAL_ERROR);

    c->owes_alert = status != GW_OK;
    c->base.is_write_done = !c->owes_alert;
    c->base.written += tx->len - before;
    return status;
}

static gw_status server_write(struct gw_codec *codec, struct gw_chain *tx, size_t mark,
                              gw_nanos now)
{
    struct raw *c = of(codec);
    size_t before = tx->len;
    gw_status status = GW_OK;

    (void)now;
    if (c->owes_alert)
        return write_owed(c, tx);
    if (c->stream == NULL || c->stream->out >= GW_HALF_DONE)
        return GW_OK;
    if (c->stream->out == GW_HALF_HEAD)
        status = write_head(c, tx);
    codec->written += tx->len - before;
    if (status != GW_OK)
        return status;
    if (c->stream->out == GW_HALF_DONE) {
        tell_sent(c, 0);
        return GW_OK;
    }
    return write_bytes(c, tx, mark);
}

/* ---- the server's role: commands ---- */

static bool server_can_open(const struct gw_codec *codec)
{
    (void)codec;
    return false;
}

static gw_status server_open(struct gw_codec *codec, struct gw_stream *s)
{
    (void)codec;
    (void)s;
    return GW_EUNSUPPORTED;
}

static void server_advance(struct gw_codec *codec, struct gw_stream *s)
{
    if (s->is_tunnel && s->out == GW_HALF_HEAD)
        begin_tunnel(of(codec));
}

static const struct gw_codec_ops server_ops = {
    .name = "tls",
    .protocol = GW_PROTO_TLS,
    .read = server_read,
    .read_end = server_read_end,
    .wants_read = server_wants_read,
    .wants_write = wants_write,
    .write = server_write,
    .can_open = server_can_open,
    .open = server_open,
    .advance = server_advance,
    .reset = reset,
    .detach = detach,
    .drain = drain,
    .is_spare = is_spare,
    .free = raw_free,
};

/* ---- the client's role ---- */

static bool client_can_open(const struct gw_codec *codec)
{
    return codec->state == GW_CODEC_OPEN && of_const(codec)->phase == IDLE;
}

/* Only a tunnel can be had here, and one is no sooner asked for than it is there. */
static gw_status client_open(struct gw_codec *codec, struct gw_stream *s)
{
    struct raw *c = of(codec);

    if (!client_can_open(codec))
        return GW_AGAIN;
    GW_ASSERT(s->out == GW_HALF_HEAD && s->in == GW_HALF_IDLE && s->out_head != NULL);
    attach(c, s);
    if (s->out_head->method != GW_METHOD_CONNECT || s->out_head->protocol.len > 0) {
        s->in = GW_HALF_CUT;
        s->out = GW_HALF_CUT;
        s->fault = GW_REASON_not_representable;
        gw_stream_tell(&c->owner, s, GW_NEWS_CUT);
        return GW_OK;
    }
    c->phase = FLOW;
    s->out_head->has_left = 1;
    s->in_head->code = 200;
    s->in_head->body = GW_BODY_TUNNEL;
    s->in = GW_HALF_BODY;
    s->out = GW_HALF_BODY;
    gw_stream_tell(&c->owner, s, GW_NEWS_HEAD);
    return GW_OK;
}

static gw_status client_read(struct gw_codec *codec, struct gw_chain *rx, gw_nanos now)
{
    struct raw *c = of(codec);

    (void)now;
    return c->phase == FLOW ? flow(c, rx) : GW_OK; /* what it says at once is for who comes */
}

static void client_read_end(struct gw_codec *codec, gw_status why, gw_nanos now)
{
    struct raw *c = of(codec);
    struct gw_stream *s = c->stream;

    (void)now;
    if (why == GW_OK || why == GW_EOF) {
        c->is_eof = true;
        if (c->phase == FLOW)
            in_done(c);
        else if (s == NULL)
            end(c, GW_REASON_none);
        return;
    }
    if (s == NULL || (s->in == GW_HALF_DONE && s->out == GW_HALF_DONE)) {
        end(c, GW_REASON_none);
        return;
    }
    if (s->out != GW_HALF_DONE)
        s->out = GW_HALF_CUT;
    cut_lost(c, GW_REASON_upstream_reset, why);
}

static bool client_wants_read(const struct gw_codec *codec, size_t rx_len)
{
    const struct raw *c = of_const(codec);

    if (c->is_eof || c->phase >= DONE)
        return false;
    return c->phase == IDLE ? rx_len < c->pool->block_bytes : gw_pipe_space(c->stream->in_pipe) > 0;
}

static gw_status client_write(struct gw_codec *codec, struct gw_chain *tx, size_t mark,
                              gw_nanos now)
{
    struct raw *c = of(codec);

    (void)now;
    return c->stream != NULL ? write_bytes(c, tx, mark) : GW_OK;
}

static void client_advance(struct gw_codec *codec, struct gw_stream *s)
{
    (void)codec;
    (void)s;
}

static const struct gw_codec_ops client_ops = {
    .name = "tcp",
    .protocol = GW_PROTO_TCP,
    .read = client_read,
    .read_end = client_read_end,
    .wants_read = client_wants_read,
    .wants_write = wants_write,
    .write = client_write,
    .can_open = client_can_open,
    .open = client_open,
    .advance = client_advance,
    .reset = reset,
    .detach = detach,
    .drain = drain,
    .is_spare = is_spare,
    .free = raw_free,
};

struct gw_codec *gw_raw_new(const struct gw_codec_spec *spec)
{
    struct raw *c = gw_heap_zalloc(spec->heap, sizeof *c);

    if (c == NULL)
        return NULL;
    c->base.ops = spec->is_client ? &client_ops : &server_ops;
    c->owner = *spec->owner;
    c->heap = spec->heap;
    c->pool = spec->pool;
    c->speaks = GW_TLS_HELLO_MORE;
    return &c->base;
}
