/* h1/server.c: the server role: requests in, responses out, one after the other. */

#include "base/assert.h"
#include "h1/conn.h"
#include "h1/head.h"
#include "h1/write.h"
#include "http/check.h"

#include <gw/config.h>

/* ---- reading ---- */

/* At most one empty line before a request line is passed over (RFC 9112 2.2). False: wait. */
static bool pass_empty_line(struct gw_h1 *c, struct gw_chain *rx)
{
    char begin[2];
    size_t n = gw_chain_read(rx, 0, begin, sizeof begin);
    if (c->has_empty_line || n == 0 || begin[0] != '\r')
        return n > 0;
    if (n < 2)
        return false;
    if (begin[1] == '\n') {
        gw_chain_drop(rx, 2);
        c->scanned = 0;
        c->has_empty_line = true;
    }
    return rx->len > 0;
}

/* The first byte of a request. False: there is no stream for it. */
static bool open_request(struct gw_h1 *c)
{
    struct gw_stream *s = c->owner.open(c->owner.ctx);
    if (s == NULL) {
        c->owes_503 = true;
        gw_h1_over(c, GW_REASON_no_memory);
        return false;
    }
    GW_ASSERT(s->in == GW_HALF_IDLE && s->out == GW_HALF_IDLE && s->in_head != NULL);
    gw_h1_attach(c, s);
    s->in = GW_HALF_HEAD;
    c->base.is_head_pending = true;
    c->is_last = c->base.state != GW_CODEC_OPEN;
    c->is_keep_asked = false;
    c->is_awaiting = false;
    c->is_http10 = false;
    c->base.is_kept_short = false;
    GW_ASSERT(c->base.kept == NULL || gw_chain_is_empty(c->base.kept));
    gw_h1_start_head(c, s->in_head);
    return true;
}

static enum gw_reason_id take_request_line(struct gw_h1 *c, gw_str line)
{
    struct gw_message *m = c->head;
    enum gw_reason_id reason = gw_h1_request_line(m, line);
    if (reason != GW_REASON_none)
        return reason;
    c->is_http10 = m->is_http10 != 0;
    c->stream->is_http10 = c->is_http10;
    c->stream->request_method = m->method;
    return GW_REASON_none;
}

/* RFC 9112 9.3 */
static void decide_persistence(struct gw_h1 *c, const struct gw_message *m)
{
    if (gw_fields_has_token(&m->fields, GW_FIELD_CONNECTION, GW_STR("close")))
        c->is_last = true;
    else if (c->is_http10 &&
             gw_fields_has_token(&m->fields, GW_FIELD_CONNECTION, GW_STR("keep-alive")))
        c->is_keep_asked = true;
    else if (c->is_http10)
        c->is_last = true;
}

static enum gw_reason_id take_whole_head(struct gw_h1 *c)
{
    struct gw_message *m = c->head;
    struct gw_stream *s = c->stream;
    enum gw_reason_id reason = gw_check_h1_request(m);
    if (reason != GW_REASON_none)
        return reason;
    decide_persistence(c, m);
    c->base.is_head_pending = false;
    c->has_empty_line = false;
    s->in = GW_HALF_BODY;
    s->is_held = c->base.kept != NULL;
    if (m->body == GW_BODY_TUNNEL || m->protocol.len > 0) {
        c->phase = GW_H1_WAIT;
        gw_stream_tell(&c->owner, s, GW_NEWS_HEAD);
        return GW_REASON_none;
    }
    if (m->body == GW_BODY_NONE || (m->body == GW_BODY_LENGTH && m->length == 0)) {
        gw_h1_in_done(c, GW_NEWS_HEAD);
        return GW_REASON_none;
    }
    c->is_awaiting = gw_fields_find(&m->fields, GW_FIELD_EXPECT) != NULL;
    gw_h1_body_start(&c->body, m->body == GW_BODY_LENGTH ? GW_H1_BODY_LENGTH : GW_H1_BODY_CHUNKED,
                     m->length);
    c->phase = s->is_held ? GW_H1_HELD : GW_H1_BODY;
    gw_stream_tell(&c->owner, s, GW_NEWS_HEAD);
    return GW_REASON_none;
}

static enum gw_reason_id read_head(struct gw_h1 *c, struct gw_chain *rx, bool *may_retry)
{
    static const struct gw_h1_head_steps steps = { take_request_line, take_whole_head };
    return gw_h1_read_head(c, rx, &steps, may_retry);
}

/* The rest of a request whose stream has left. */
static enum gw_reason_id skip_body(struct gw_h1 *c, struct gw_chain *rx)
{
    struct gw_h1_body_target nowhere = { .trailer_bytes_max = c->limits->head_bytes_max };
    size_t before = rx->len;
    enum gw_reason_id reason = gw_h1_body_read(&c->body, rx, &c->scanned, &nowhere);
    c->skipped += (uint32_t)(before - rx->len);
    if (reason == GW_REASON_none && gw_h1_body_is_whole(&c->body)) {
        c->phase = GW_H1_IDLE;
        c->base.is_head_pending = false;
        if (c->base.state == GW_CODEC_DRAINING || c->is_last)
            gw_h1_over(c, GW_REASON_none);
    } else if (c->skipped > GW_H1_SKIP_MAX) {
        gw_h1_over(c, GW_REASON_none);
    }
    return reason;
}

/* Chunks whose framing is larger than what they carry. */
static enum gw_reason_id charge_tiny(struct gw_h1 *c, gw_nanos now)
{
    uint32_t n = c->body.tiny;
    c->body.tiny = 0;
    if (n == 0 || gw_abuse_charge(&c->base.abuse, GW_ABUSE_TINY, n, now))
        return GW_REASON_none;
    return GW_REASON_client_abuse;
}

/* A name for a fault in the body: a trailer is a field to the scanner. */
static enum gw_reason_id body_fault(enum gw_reason_id reason)
{
    return reason == GW_REASON_bad_field ? GW_REASON_bad_trailers : reason;
}

static gw_status status_of(enum gw_reason_id reason)
{
    switch ((int)reason) {
    case GW_REASON_no_memory:
        return GW_ENOMEM;
    case GW_REASON_head_too_large:
    case GW_REASON_target_too_long:
    case GW_REASON_client_abuse:
        return GW_ELIMIT;
    default:
        return GW_EPROTO;
    }
}

static gw_status fail(struct gw_h1 *c, enum gw_reason_id reason)
{
    gw_h1_cut(c, reason, reason != GW_REASON_no_memory);
    return status_of(reason);
}

/* The peer will send nothing more; what it waits for, it gets. */
static void end_of_input(struct gw_h1 *c)
{
    c->is_eof = true;
    switch ((enum gw_h1_phase)c->phase) {
    case GW_H1_IDLE:
    case GW_H1_SKIP:
        gw_h1_over(c, GW_REASON_none);
        break;
    case GW_H1_HEAD:
        gw_h1_cut(c, GW_REASON_client_closed, true);
        break;
    case GW_H1_BODY:
        if (c->body.kind == GW_H1_BODY_RAW)
            gw_h1_in_done(c, 0);
        else
            gw_h1_cut(c, GW_REASON_client_closed, true);
        break;
    case GW_H1_WAIT: /* a tunnel with nothing from this side, or an answer of another kind */
        if (c->rx_left > 0)
            break;
        c->is_last = true;
        gw_h1_in_done(c, 0);
        break;
    case GW_H1_HELD: /* some of its body waits in rx, or none will come */
        if (c->rx_left == 0)
            gw_h1_cut(c, GW_REASON_client_closed, true);
        break;
    case GW_H1_DONE: /* requests may still wait in rx */
        if (c->rx_left == 0)
            c->is_last = true;
        break;
    case GW_H1_OVER:
        break;
    }
}

static gw_status take_input(struct gw_h1 *c, struct gw_chain *rx, gw_nanos now)
{
    c->is_paused = false;
    /* A turn that took nothing off rx has nothing more to do, but for the opening one. */
    for (size_t before = SIZE_MAX; rx->len > 0 && rx->len < before;) {
        enum gw_reason_id reason = GW_REASON_none;
        bool may_retry = false;
        before = rx->len;
        switch ((enum gw_h1_phase)c->phase) {
        case GW_H1_IDLE:
            if (pass_empty_line(c, rx)) {
                if (!open_request(c))
                    return GW_ENOMEM;
                before = SIZE_MAX;
            }
            break;
        case GW_H1_HEAD:
            reason = read_head(c, rx, &may_retry);
            break;
        case GW_H1_BODY:
            c->is_awaiting = false; /* it sends without having been told to */
            reason = body_fault(gw_h1_read_body(c, rx));
            may_retry = true;
            if (reason == GW_REASON_none)
                reason = charge_tiny(c, now);
            break;
        case GW_H1_SKIP:
            reason = skip_body(c, rx);
            may_retry = true;
            c->is_paused = reason == GW_REASON_none && c->phase == GW_H1_IDLE && rx->len > 0;
            if (c->is_paused)
                return GW_OK; /* for the next request the owner may want to make room first */
            break;
        case GW_H1_WAIT:
        case GW_H1_DONE:
        case GW_H1_OVER:
        case GW_H1_HELD:
            break;
        }
        if (reason == GW_REASON_no_memory && may_retry)
            return GW_ENOMEM;
        if (reason != GW_REASON_none)
            return fail(c, reason);
    }
    return GW_OK;
}

/* Would reading take more than what lies in rx? */
static bool is_hungry(const struct gw_h1 *c, size_t rx_len)
{
    switch ((enum gw_h1_phase)c->phase) {
    case GW_H1_IDLE:
        return !c->is_paused || rx_len == 0;
    case GW_H1_HEAD:
    case GW_H1_SKIP:
        return true;
    case GW_H1_BODY:
        return gw_h1_body_wants(&c->body, c->stream->in_pipe);
    case GW_H1_WAIT:
    case GW_H1_DONE:
    case GW_H1_HELD:
        return rx_len < c->pool->block_bytes;
    case GW_H1_OVER:
        break;
    }
    return false;
}

static gw_status server_read(struct gw_codec *codec, struct gw_chain *rx, gw_nanos now)
{
    struct gw_h1 *c = gw_h1_of(codec);
    gw_status status = take_input(c, rx, now);
    c->rx_left = rx->len;
    /* The end came before, behind requests that waited: now it is their turn or its own. */
    if (status == GW_OK && c->is_eof && (rx->len == 0 || is_hungry(c, rx->len)))
        end_of_input(c);
    return status;
}

static void server_read_end(struct gw_codec *codec, gw_status why, gw_nanos now)
{
    struct gw_h1 *c = gw_h1_of(codec);
    struct gw_stream *s = c->stream;
    (void)now;
    if (why == GW_OK || why == GW_EOF) {
        end_of_input(c);
        return;
    }
    if (s == NULL || (s->in == GW_HALF_DONE && s->out == GW_HALF_DONE)) {
        gw_h1_over(c, GW_REASON_none);
    } else {
        if (s->out != GW_HALF_DONE)
            s->out = GW_HALF_CUT;
        gw_h1_cut_lost(c, GW_REASON_client_reset, why);
    }
}

static bool server_wants_read(const struct gw_codec *codec, size_t rx_len)
{
    const struct gw_h1 *c = gw_h1_of_const(codec);
    return !c->is_eof && is_hungry(c, rx_len);
}

/* ---- writing ---- */

gw_status gw_h1_server_write_first(struct gw_h1 *c, struct gw_chain *tx)
{
    static const struct gw_h1_head_spec plain = { .framing = GW_H1_FRAMING_NONE };
    struct gw_stream *s = c->stream;
    if (c->owes_503) {
        gw_status status = gw_chain_write_str(tx, GW_STR("HTTP/1.1 503 Service Unavailable\r\n"
                                                         "Retry-After: 1\r\n"
                                                         "Content-Length: 0\r\n"
                                                         "Connection: close\r\n\r\n"));
        c->owes_503 = status != GW_OK;
        c->base.is_write_done = !c->owes_503;
        return status;
    }
    while (s != NULL && s->out_info != NULL && s->out < GW_HALF_BODY) {
        struct gw_message *info = s->out_info;
        GW_ASSERT(info->code >= 100 && info->code < 200 && info->code != 101);
        /* Unknown to HTTP/1.0 (RFC 9110 15.2). */
        gw_status status = c->is_http10 ? GW_OK : gw_h1_write_response(tx, info, &plain);
        if (status != GW_OK)
            return status;
        if (info->code == 100)
            c->is_awaiting = false;
        s->out_info = info->next;
    }
    return GW_OK;
}

/* Will this be the last response? */
static void decide_last(struct gw_h1 *c, const struct gw_message *m)
{
    const struct gw_stream *s = c->stream;
    bool is_refused_connect = s->request_method == GW_METHOD_CONNECT && !s->is_tunnel;
    /* After an unanswered Expect nobody knows whether the body will come (RFC 9110 10.1.1). */
    if (c->base.state != GW_CODEC_OPEN || s->in < GW_HALF_BODY || s->in == GW_HALF_CUT ||
        is_refused_connect || c->is_awaiting)
        c->is_last = true;
    /* Who has stalled in the middle of a body is not waited for again (RFC 9110 15.5.9). */
    if (m->code == 408 && s->in != GW_HALF_DONE)
        c->is_last = true;
    if (c->is_http10 && m->body == GW_BODY_UNKNOWN &&
        gw_response_has_body((enum gw_method)s->request_method, m->code))
        c->is_last = true;
}

static void frame_response(const struct gw_h1 *c, const struct gw_message *m,
                           struct gw_h1_head_spec *spec, enum gw_h1_body_kind *kind)
{
    bool is_head = c->stream->request_method == GW_METHOD_HEAD;
    *kind = GW_H1_BODY_LENGTH;
    spec->length = m->length;
    if (!gw_response_has_body((enum gw_method)c->stream->request_method, m->code)) {
        bool is_known = m->has_length || (is_head && m->body == GW_BODY_LENGTH);
        spec->framing = is_known && m->code != 204 ? GW_H1_FRAMING_LENGTH : GW_H1_FRAMING_NONE;
        return;
    }
    switch ((enum gw_body_kind)m->body) {
    case GW_BODY_NONE:
        spec->length = 0;
        spec->framing = GW_H1_FRAMING_LENGTH;
        break;
    case GW_BODY_LENGTH:
        spec->framing = GW_H1_FRAMING_LENGTH;
        break;
    case GW_BODY_UNKNOWN:
    case GW_BODY_TUNNEL:
        spec->framing = c->is_http10 ? GW_H1_FRAMING_NONE : GW_H1_FRAMING_CHUNKED;
        *kind = c->is_http10 ? GW_H1_BODY_RAW : GW_H1_BODY_CHUNKED;
        break;
    }
}

/* The owner has decided on a tunnel: what waits in rx belongs to it. */
static void begin_tunnel(struct gw_h1 *c)
{
    c->is_last = true;
    if (c->phase == GW_H1_WAIT)
        gw_h1_begin_tunnel(c);
}

static gw_status write_tunnel_head(struct gw_h1 *c, struct gw_chain *tx)
{
    struct gw_stream *s = c->stream;
    struct gw_message *m = s->out_head;
    struct gw_h1_head_spec spec = { .framing = GW_H1_FRAMING_NONE };
    GW_ASSERT(m->code == 101 || (s->request_method == GW_METHOD_CONNECT && m->code / 100 == 2));
    begin_tunnel(c);
    if (m->code == 101) {
        spec.upgrade = m->protocol.len > 0 ? m->protocol : s->in_head->protocol;
        GW_ASSERT(spec.upgrade.len > 0);
    }
    gw_status status = gw_h1_write_response(tx, m, &spec);
    if (status == GW_OK)
        gw_h1_start_out(c, GW_H1_BODY_RAW, 0);
    return status;
}

/* A request that asked for a tunnel was answered otherwise: nothing more belongs to it. */
static void leave_wait(struct gw_h1 *c)
{
    if (c->phase == GW_H1_WAIT)
        gw_h1_in_done(c, 0);
}

gw_status gw_h1_server_write_head(struct gw_h1 *c, struct gw_chain *tx)
{
    struct gw_stream *s = c->stream;
    struct gw_message *m = s->out_head;
    struct gw_h1_head_spec spec = { .framing = GW_H1_FRAMING_NONE };
    enum gw_h1_body_kind kind;
    if (s->is_tunnel)
        return write_tunnel_head(c, tx);
    GW_ASSERT(m->code >= 200);
    decide_last(c, m);
    frame_response(c, m, &spec, &kind);
    spec.is_close = c->is_last;
    spec.is_keep_alive = c->is_keep_asked;
    gw_status status = gw_h1_write_response(tx, m, &spec);
    if (status != GW_OK)
        return status;
    bool has_body = gw_response_has_body((enum gw_method)s->request_method, m->code) &&
                    m->body != GW_BODY_NONE;
    gw_h1_start_out(c, kind, has_body && kind == GW_H1_BODY_LENGTH ? m->length : 0);
    if (!has_body && s->out_pipe != NULL) /* what a reply to HEAD would have said */
        gw_pipe_skip(s->out_pipe, gw_pipe_len(s->out_pipe));
    leave_wait(c);
    return GW_OK;
}

/* ---- commands ---- */

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

/* Also when the owner takes the protocol off in_head, that is, does not let it be asked for: then it
 * is an ordinary request and whole. */
static void server_advance(struct gw_codec *codec, struct gw_stream *s)
{
    struct gw_h1 *c = gw_h1_of(codec);
    GW_ASSERT(s == c->stream);
    if (c->phase == GW_H1_HELD && !s->is_held)
        c->phase = GW_H1_BODY;
    if (s->is_tunnel && s->out == GW_HALF_HEAD)
        begin_tunnel(c);
    else if (c->phase == GW_H1_WAIT && s->in_head->protocol.len == 0 &&
             s->request_method != GW_METHOD_CONNECT)
        gw_h1_in_done(c, 0);
}

static void server_detach(struct gw_codec *codec, struct gw_stream *s)
{
    struct gw_h1 *c = gw_h1_of(codec);
    GW_ASSERT(s == c->stream);
    bool is_whole = s->out == GW_HALF_DONE && c->phase != GW_H1_OVER && s->in != GW_HALF_CUT;
    bool is_raw = c->phase == GW_H1_BODY && c->body.kind == GW_H1_BODY_RAW;
    gw_h1_unattach(c);
    if (!is_whole || is_raw || c->is_last || codec->state != GW_CODEC_OPEN) {
        gw_h1_over(c, GW_REASON_none);
    } else if (c->phase == GW_H1_DONE) {
        c->phase = GW_H1_IDLE;
    } else if (c->body.kind == GW_H1_BODY_LENGTH && c->body.left > GW_H1_SKIP_MAX) {
        gw_h1_over(c, GW_REASON_none);
    } else {
        c->phase = GW_H1_SKIP;
        c->skipped = 0;
        codec->is_head_pending = true;
    }
}

static void server_drain(struct gw_codec *codec, bool is_final)
{
    struct gw_h1 *c = gw_h1_of(codec);
    if (codec->state != GW_CODEC_OPEN)
        return;
    if (!is_final && (c->stream == NULL || c->stream->out > GW_HALF_HEAD))
        return; /* nothing could say so */
    codec->state = GW_CODEC_DRAINING;
    if (c->phase == GW_H1_IDLE || c->phase == GW_H1_SKIP)
        gw_h1_over(c, GW_REASON_none);
}

static bool server_is_spare(const struct gw_codec *codec)
{
    const struct gw_h1 *c = gw_h1_of_const(codec);
    return c->phase == GW_H1_IDLE && codec->state == GW_CODEC_OPEN && !c->is_eof &&
           !c->has_empty_line && !c->owes_503;
}

const struct gw_codec_ops gw_h1_server_ops = {
    .name = "h1",
    .protocol = GW_PROTO_H1,
    .read = server_read,
    .read_end = server_read_end,
    .wants_read = server_wants_read,
    .wants_write = gw_h1_wants_write,
    .write = gw_h1_write,
    .can_open = server_can_open,
    .open = server_open,
    .advance = server_advance,
    .reset = gw_h1_reset,
    .detach = server_detach,
    .drain = server_drain,
    .is_spare = server_is_spare,
    .free = gw_h1_free,
};
