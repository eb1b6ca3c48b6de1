/* h1/conn.c: what a connection does alike in both roles: attaching, ending, reading lines of a head
 * and bodies, writing bodies. Heads are written by the roles. */

#include "h1/conn.h"

#include "base/assert.h"
#include "h1/head.h"
#include "h1/scan.h"
#include "http/check.h"

_Static_assert(offsetof(struct gw_h1, base) == 0, "gw_h1_of_const");
_Static_assert(sizeof(struct gw_h1) <= 272, "made anew for each request after a pause");

void gw_h1_cells_init(struct gw_slab *cells, struct gw_heap *heap, uint32_t count_max)
{
    gw_slab_init(cells, heap, sizeof(struct gw_h1), count_max);
}

struct gw_codec *gw_h1_new(const struct gw_codec_spec *spec)
{
    struct gw_h1 *c = spec->cells != NULL ? gw_slab_take(spec->cells)
                                          : gw_heap_alloc(spec->heap, sizeof *c);
    if (c == NULL)
        return NULL;
    memset(c, 0, sizeof *c);
    c->cells = spec->cells;
    c->base.ops = spec->is_client ? &gw_h1_client_ops : &gw_h1_server_ops;
    c->owner = *spec->owner;
    c->limits = spec->limits;
    c->heap = spec->heap;
    c->pool = spec->pool;
    c->is_server = !spec->is_client;
    return &c->base;
}

void gw_h1_free(struct gw_codec *codec)
{
    struct gw_h1 *c = gw_h1_of(codec);
    GW_ASSERT(c->stream == NULL && codec->streams == 0);
    if (c->cells != NULL)
        gw_slab_give(c->cells, c);
    else
        gw_heap_release(c->heap, c, sizeof *c);
}

void gw_h1_attach(struct gw_h1 *c, struct gw_stream *s)
{
    GW_ASSERT(c->stream == NULL && s->codec == NULL);
    c->stream = s;
    c->base.streams = 1;
    c->base.streams_ever++;
    s->codec = &c->base;
    s->id = c->base.streams_ever;
    gw_list_init(&s->node);
    gw_list_init(&s->all);
    c->owes_crlf = false;
}

void gw_h1_unattach(struct gw_h1 *c)
{
    gw_h1_spare_fini(&c->spare);
    c->stream->codec = NULL;
    c->stream = NULL;
    c->base.streams = 0;
    c->head = NULL;
}

void gw_h1_over(struct gw_h1 *c, enum gw_reason_id fault)
{
    c->phase = GW_H1_OVER;
    c->base.is_head_pending = false;
    c->base.state = GW_CODEC_OVER;
    if (c->base.fault == GW_REASON_none)
        c->base.fault = (uint16_t)fault;
    if (c->stream == NULL || c->stream->out >= GW_HALF_DONE)
        c->base.is_write_done = !c->owes_503;
}

void gw_h1_cut(struct gw_h1 *c, enum gw_reason_id fault, bool by_peer)
{
    struct gw_stream *s = c->stream;
    GW_ASSERT(fault != GW_REASON_none);
    gw_h1_over(c, fault);
    /* A response that came whole stays whole, whatever becomes of the rest of its request. */
    if (s == NULL || s->in == GW_HALF_CUT || (!c->is_server && s->in == GW_HALF_DONE))
        return;
    s->in = GW_HALF_CUT;
    s->fault = (uint16_t)fault;
    s->by_peer = by_peer;
    gw_stream_tell(&c->owner, s, GW_NEWS_CUT);
}

void gw_h1_cut_lost(struct gw_h1 *c, enum gw_reason_id fault, gw_status why)
{
    bool is_own = gw_status_category(why) == GW_CAT_LIMIT;
    gw_h1_cut(c, is_own ? GW_REASON_no_memory : fault, !is_own);
}

void gw_h1_in_done(struct gw_h1 *c, uint32_t news)
{
    struct gw_stream *s = c->stream;
    GW_ASSERT(s->in < GW_HALF_DONE);
    s->in = GW_HALF_DONE;
    c->phase = GW_H1_DONE;
    /* A pipe that the owner has cut stays cut. */
    if (s->in_pipe != NULL && !s->in_pipe->is_cut && !s->in_pipe->is_ended)
        s->in_pipe->is_ended = true;
    gw_stream_tell(&c->owner, s, news | GW_NEWS_END);
    gw_h1_settle(c);
}

void gw_h1_begin_tunnel(struct gw_h1 *c)
{
    c->is_last = true;
    if (c->phase == GW_H1_DONE || c->phase == GW_H1_OVER)
        return; /* the peer has ended its side already */
    c->phase = GW_H1_BODY;
    gw_h1_body_start(&c->body, GW_H1_BODY_RAW, 0);
}

void gw_h1_settle(struct gw_h1 *c)
{
    const struct gw_stream *s = c->stream;
    if (s->in >= GW_HALF_DONE && s->out >= GW_HALF_DONE && c->is_last)
        gw_h1_over(c, GW_REASON_none);
}

/* ---- reading a head ---- */

void gw_h1_start_head(struct gw_h1 *c, struct gw_message *m)
{
    c->head = m;
    c->head_bytes = 0;
    c->has_line = false;
    c->phase = GW_H1_HEAD;
}

/* One line of the head; the empty one ends it. */
static enum gw_reason_id take_line(struct gw_h1 *c, gw_str line,
                                   const struct gw_h1_head_steps *steps)
{
    c->head_bytes += (uint32_t)line.len + 2;
    if (!c->has_line) {
        c->has_line = true;
        return steps->first_line(c, line);
    }
    if (line.len == 0)
        return steps->whole(c);
    return gw_h1_field_line(c->head != NULL ? &c->head->fields : NULL, line);
}

/* A copy of the first len bytes, for who may have to give them back. */
static void keep(struct gw_h1 *c, const struct gw_chain *rx, size_t len)
{
    struct gw_chain *kept = c->base.kept;
    for (const struct gw_slice *s = rx->first; len > 0 && !c->base.is_kept_short; s = s->next) {
        size_t n = s->len < len ? s->len : len;
        len -= n;
        if (gw_chain_write(kept, s->ptr, n) != GW_OK) {
            c->base.is_kept_short = true;
            gw_chain_clear(kept);
        }
    }
}

static void drop_lines(struct gw_h1 *c, struct gw_chain *rx, size_t len)
{
    if (c->base.kept != NULL)
        keep(c, rx, len);
    gw_chain_drop(rx, len);
    c->scanned = 0;
}

/* Lines that lie in one piece at the front of rx, taken off together: the usual case. */
static enum gw_reason_id take_front(struct gw_h1 *c, struct gw_chain *rx, size_t max,
                                    const struct gw_h1_head_steps *steps)
{
    gw_const_span front = gw_chain_front(rx);
    const char *start = front.ptr, *at = start, *end = start + front.len;
    enum gw_reason_id reason = GW_REASON_none;
    if (front.len > max)
        end = start + max;
    while (reason == GW_REASON_none && c->phase == GW_H1_HEAD) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (lf == NULL || lf == at || lf[-1] != '\r')
            break; /* the general way will tell */
        reason = take_line(c, (gw_str){ at, (size_t)(lf - at) - 1 }, steps);
        at = lf + 1;
    }
    if (at != start)
        drop_lines(c, rx, (size_t)(at - start));
    return reason;
}

/* A ClientHello (RFC 8446 5.1): it may never have the end of a line, and who reads the log is to know. */
static bool is_tls(const struct gw_h1 *c, const struct gw_chain *rx)
{
    uint8_t begin[2];

    return !c->has_line && c->is_server && gw_chain_read(rx, 0, begin, 2) == 2 &&
           begin[0] == 0x16 && begin[1] == 3;
}

enum gw_reason_id gw_h1_read_head(struct gw_h1 *c, struct gw_chain *rx,
                                  const struct gw_h1_head_steps *steps, bool *may_retry)
{
    enum gw_reason_id too_large = GW_REASON_head_too_large, reason = GW_REASON_none;
    *may_retry = false;
    while (reason == GW_REASON_none && c->phase == GW_H1_HEAD && rx->len > 0) {
        gw_str line;
        GW_ASSERT(c->head_bytes <= c->limits->head_bytes_max);
        size_t max = c->limits->head_bytes_max - c->head_bytes;
        if (c->scanned == 0) {
            reason = take_front(c, rx, max, steps);
            if (reason != GW_REASON_none || c->phase != GW_H1_HEAD || rx->len == 0)
                break;
            max = c->limits->head_bytes_max - c->head_bytes;
        }
        switch (gw_h1_line(rx, &c->scanned, max, &line)) {
        case GW_H1_LINE_PART:
            return is_tls(c, rx) ? GW_REASON_tls_on_clear_port : GW_REASON_none;
        case GW_H1_LINE_LONG:
            return c->has_line || !c->is_server ? too_large : GW_REASON_target_too_long;
        case GW_H1_LINE_BARE:
            return is_tls(c, rx) ? GW_REASON_tls_on_clear_port
                   : c->has_line ? GW_REASON_bad_field
                                 : GW_REASON_bad_request_line;
        case GW_H1_LINE_NO_MEMORY:
            *may_retry = true;
            return GW_REASON_no_memory;
        case GW_H1_LINE_WHOLE:
            break;
        }
        reason = take_line(c, line, steps);
        drop_lines(c, rx, line.len + 2);
    }
    return reason;
}

/* ---- reading a body ---- */

enum gw_reason_id gw_h1_read_body(struct gw_h1 *c, struct gw_chain *rx)
{
    struct gw_stream *s = c->stream;
    uint64_t before = s->in_pipe->bytes_in;
    struct gw_h1_body_target target = { .pipe = s->in_pipe,
                                        .trailers = s->in_trailers,
                                        .trailer_bytes_max = c->limits->head_bytes_max };
    enum gw_reason_id reason = gw_h1_body_read(&c->body, rx, &c->scanned, &target);
    uint32_t news = s->in_pipe->bytes_in != before ? GW_NEWS_BODY : 0;
    if (reason == GW_REASON_none && gw_h1_body_is_whole(&c->body)) {
        if (c->body.kind == GW_H1_BODY_CHUNKED && s->in_trailers != NULL) {
            reason = gw_check_trailers(s->in_trailers);
        }
        if (reason == GW_REASON_none) {
            gw_h1_in_done(c, news);
            return GW_REASON_none;
        }
    }
    if (news != 0)
        gw_stream_tell(&c->owner, s, news);
    return reason;
}

/* ---- writing ---- */

/* Body bytes that are rather copied than moved. */
enum { COPY_MAX = 1024 };

static void out_done(struct gw_h1 *c)
{
    c->stream->out = GW_HALF_DONE;
    gw_h1_spare_fini(&c->spare);
    /* A client that waits for the last response does not end its side: many take that for leaving. */
    bool is_end = c->is_last && (c->is_server || c->out_kind == GW_H1_BODY_RAW);
    if (is_end || c->base.state == GW_CODEC_OVER)
        c->base.is_write_done = true;
}

/* The source did not keep its word, or broke off: so does the connection, which the peer sees. */
static void out_broken(struct gw_h1 *c, bool is_told)
{
    struct gw_stream *s = c->stream;
    s->out = GW_HALF_CUT;
    if (is_told)
        gw_h1_cut(c, GW_REASON_internal, false);
    else
        gw_h1_over(c, GW_REASON_internal);
}

static gw_status write_owed(struct gw_h1 *c, struct gw_chain *tx)
{
    gw_status status = gw_h1_write_framing(tx, &c->spare, GW_STR("\r\n"));
    c->owes_crlf = status != GW_OK;
    return status;
}

/* n bytes of whole slices. */
static gw_status write_chunk(struct gw_h1 *c, struct gw_chain *tx, size_t n)
{
    char buffer[GW_H1_SIZE_LINE_MAX];
    gw_status status = gw_h1_write_framing(tx, &c->spare, gw_h1_size_line(buffer, n, c->owes_crlf));
    if (status != GW_OK)
        return status;
    status = gw_pipe_take(c->stream->out_pipe, tx, n);
    GW_ASSERT(status == GW_OK);
    return write_owed(c, tx);
}

/* A little is copied, with its framing in one piece: it then leaves in one span with the head, and
 * its block can go. False: there is no room for that. */
static bool write_copied(struct gw_h1 *c, struct gw_chain *tx, size_t n)
{
    struct gw_pipe *pipe = c->stream->out_pipe;
    uint8_t *start = gw_chain_reserve(tx, n + GW_H1_SIZE_LINE_MAX + 2), *at = start;
    if (start == NULL)
        return false;
    if (c->out_kind == GW_H1_BODY_CHUNKED)
        at += gw_h1_size_line((char *)at, n, c->owes_crlf).len;
    size_t copied = gw_chain_read(&pipe->chain, 0, at, n);
    GW_ASSERT(copied == n);
    at += n;
    if (c->out_kind == GW_H1_BODY_CHUNKED) {
        *at++ = '\r';
        *at++ = '\n';
        c->owes_crlf = false;
    }
    gw_chain_commit(tx, (size_t)(at - start));
    gw_pipe_skip(pipe, n);
    return true;
}

static gw_status write_last(struct gw_h1 *c, struct gw_chain *tx)
{
    gw_status status;
    gw_h1_spare_fini(&c->spare); /* it may be the one block that there is */
    if (c->out_kind == GW_H1_BODY_CHUNKED) {
        status = gw_h1_write_last(tx, c->stream->out_trailers, c->owes_crlf);
        if (status != GW_OK)
            return status;
    } else if (c->out_kind == GW_H1_BODY_LENGTH && c->out_left > 0) {
        out_broken(c, true);
        return GW_OK;
    }
    out_done(c);
    return GW_OK;
}

/* One turn: a piece of the body, or its end. *is_stuck: nothing more can be said now. */
static gw_status write_body(struct gw_h1 *c, struct gw_chain *tx, size_t mark, bool *is_stuck)
{
    struct gw_pipe *pipe = c->stream->out_pipe;
    gw_status status = GW_OK;
    if (c->out_kind == GW_H1_BODY_LENGTH && c->out_left == 0 &&
        (pipe == NULL || gw_pipe_len(pipe) == 0)) {
        out_done(c);
        return GW_OK;
    }
    if (pipe->is_cut) {
        out_broken(c, false);
        return GW_OK;
    }
    size_t n = gw_chain_whole(&pipe->chain, mark - tx->len);
    if (n == 0 && pipe->is_ended)
        return write_last(c, tx);
    if (n == 0) {
        *is_stuck = true;
        return c->owes_crlf ? write_owed(c, tx) : GW_OK;
    }
    if (c->out_kind == GW_H1_BODY_LENGTH && n > c->out_left) {
        out_broken(c, true);
        return GW_OK;
    }
    if (n > COPY_MAX || n > tx->pool->block_bytes / 4 || !write_copied(c, tx, n))
        status = c->out_kind == GW_H1_BODY_CHUNKED ? write_chunk(c, tx, n)
                                                   : gw_pipe_take(pipe, tx, n);
    if (c->out_kind == GW_H1_BODY_LENGTH && status == GW_OK)
        c->out_left -= n;
    return status;
}

/* What stands before a body. */
static gw_status write_head(struct gw_h1 *c, struct gw_chain *tx)
{
    gw_status status = c->is_server ? gw_h1_server_write_first(c, tx) : GW_OK;
    if (status != GW_OK || c->stream == NULL || c->stream->out != GW_HALF_HEAD)
        return status;
    return c->is_server ? gw_h1_server_write_head(c, tx) : gw_h1_client_write_head(c, tx);
}

gw_status gw_h1_write(struct gw_codec *codec, struct gw_chain *tx, size_t mark, gw_nanos now)
{
    struct gw_h1 *c = gw_h1_of(codec);
    struct gw_stream *s = c->stream;
    bool is_stuck = false;
    size_t before = tx->len;
    uint64_t taken = s != NULL && s->out_pipe != NULL ? gw_pipe_at(s->out_pipe) : 0;
    bool was_done = s == NULL || s->out >= GW_HALF_DONE;
    (void)now;
    gw_status status = write_head(c, tx);
    while (status == GW_OK && !is_stuck && s != NULL && s->out == GW_HALF_BODY && !c->is_holding &&
           tx->len < mark)
        status = write_body(c, tx, mark, &is_stuck);
    codec->written += tx->len - before;
    if (was_done)
        return status;
    uint32_t news = 0;
    if (s->out_pipe != NULL && gw_pipe_at(s->out_pipe) != taken)
        news |= GW_NEWS_ROOM;
    if (s->out == GW_HALF_DONE) {
        s->out_mark = codec->written;
        news |= GW_NEWS_SENT;
    }
    if (news != 0)
        gw_stream_tell(&c->owner, s, news);
    gw_h1_settle(c);
    return status;
}

bool gw_h1_wants_write(const struct gw_codec *codec)
{
    const struct gw_h1 *c = gw_h1_of_const(codec);
    const struct gw_stream *s = c->stream;
    if (c->owes_503)
        return true;
    if (s == NULL)
        return false;
    if (s->out == GW_HALF_HEAD || (c->is_server && s->out_info != NULL && s->out < GW_HALF_BODY))
        return true;
    if (s->out != GW_HALF_BODY || c->is_holding)
        return false;
    const struct gw_pipe *pipe = s->out_pipe;
    if (c->out_kind == GW_H1_BODY_LENGTH && c->out_left == 0)
        return true;
    return c->owes_crlf || pipe->is_cut || pipe->is_ended || gw_pipe_len(pipe) > 0;
}

void gw_h1_start_out(struct gw_h1 *c, enum gw_h1_body_kind kind, uint64_t length)
{
    struct gw_stream *s = c->stream;
    c->out_kind = (uint8_t)kind;
    c->out_left = length;
    s->out = GW_HALF_BODY;
    s->out_head->has_left = 1;
}

void gw_h1_reset(struct gw_codec *codec, struct gw_stream *s, uint32_t h2_code)
{
    struct gw_h1 *c = gw_h1_of(codec);
    GW_ASSERT(s == c->stream);
    /* Refused for want of memory, even for an answer: the words that need none. */
    if (c->is_server && s->out == GW_HALF_IDLE && h2_code == GW_H2_REFUSED_STREAM)
        c->owes_503 = true;
    s->in = GW_HALF_CUT;
    s->out = GW_HALF_CUT;
    gw_h1_over(c, GW_REASON_none);
}
