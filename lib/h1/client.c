/* h1/client.c: the client role: one request out, its response in, and again if both sides kept the
 * connection alive. */

#include "base/assert.h"
#include "h1/conn.h"
#include "h1/head.h"
#include "h1/write.h"
#include "http/check.h"

#include <gw/config.h>

/* ---- reading ---- */

/* Informational responses go to memory of their own, the final one to in_head. */
static struct gw_message *message_for(struct gw_h1 *c, uint16_t code)
{
    if (code >= 200 || code == 101)
        return c->stream->in_head;
    struct gw_message *info = c->owner.new_info(c->owner.ctx, c->stream);
    if (info != NULL)
        info->next = NULL;
    return info;
}

static enum gw_reason_id take_status_line(struct gw_h1 *c, gw_str line)
{
    uint16_t code;
    if (!gw_h1_status_line(line, &c->is_http10, &code))
        return GW_REASON_upstream_bad_response;
    if (code < 200 && code != 101 && ++c->stream->info_count > GW_INFOS_MAX)
        return GW_REASON_upstream_bad_response;
    c->code = code;
    c->head = message_for(c, code);
    if (c->head != NULL) {
        c->head->code = code;
        c->head->is_http10 = c->is_http10;
    }
    return GW_REASON_none;
}

static enum gw_reason_id take_info(struct gw_h1 *c)
{
    struct gw_stream *s = c->stream;
    struct gw_message *m = c->head;
    gw_h1_start_head(c, NULL);
    if (m == NULL)
        return GW_REASON_none;
    enum gw_reason_id reason = gw_check_h1_response(m, (enum gw_method)s->request_method);
    if (reason != GW_REASON_none)
        return reason;
    struct gw_message **last = &s->info;
    while (*last != NULL) /* at most GW_INFOS_MAX */
        last = &(*last)->next;
    *last = m;
    gw_stream_tell(&c->owner, s, GW_NEWS_INFO);
    return GW_REASON_none;
}

/* RFC 9112 9.3 */
static void decide_persistence(struct gw_h1 *c, const struct gw_message *m)
{
    if (gw_fields_has_token(&m->fields, GW_FIELD_CONNECTION, GW_STR("close")))
        c->is_last = true;
    else if (c->is_http10 &&
             !gw_fields_has_token(&m->fields, GW_FIELD_CONNECTION, GW_STR("keep-alive")))
        c->is_last = true;
}

/* The response is no tunnel: what was held back for one will not be sent. */
static void stop_holding(struct gw_h1 *c)
{
    struct gw_stream *s = c->stream;
    if (!c->is_holding)
        return;
    c->is_holding = false;
    s->out = GW_HALF_DONE;
    s->out_mark = c->base.written;
    gw_stream_tell(&c->owner, s, GW_NEWS_SENT);
}

static enum gw_reason_id take_tunnel(struct gw_h1 *c)
{
    struct gw_stream *s = c->stream;
    const struct gw_message *m = c->head;
    if (!c->is_holding || (m->code == 101 && !gw_str_eq_nocase(m->protocol, s->out_head->protocol)))
        return GW_REASON_upstream_bad_response;
    c->is_holding = false;
    s->in = GW_HALF_BODY;
    gw_h1_begin_tunnel(c);
    gw_stream_tell(&c->owner, s, GW_NEWS_HEAD);
    return GW_REASON_none;
}

static enum gw_reason_id take_whole_head(struct gw_h1 *c)
{
    struct gw_stream *s = c->stream;
    struct gw_message *m = c->head;
    if (c->code < 200 && c->code != 101)
        return take_info(c);
    enum gw_reason_id reason = gw_check_h1_response(m, (enum gw_method)s->request_method);
    if (reason != GW_REASON_none)
        return reason;
    if (m->body == GW_BODY_TUNNEL)
        return take_tunnel(c);
    decide_persistence(c, m);
    stop_holding(c);
    s->in = GW_HALF_BODY;
    if (m->body == GW_BODY_NONE || (m->body == GW_BODY_LENGTH && m->length == 0)) {
        gw_h1_in_done(c, GW_NEWS_HEAD);
        return GW_REASON_none;
    }
    bool is_chunked = gw_fields_find(&m->fields, GW_FIELD_TRANSFER_ENCODING) != NULL;
    gw_h1_body_start(&c->body,
                     m->body == GW_BODY_LENGTH ? GW_H1_BODY_LENGTH
                     : is_chunked              ? GW_H1_BODY_CHUNKED
                                               : GW_H1_BODY_RAW,
                     m->length);
    if (c->body.kind == GW_H1_BODY_RAW)
        c->is_last = true;
    c->phase = GW_H1_BODY;
    gw_stream_tell(&c->owner, s, GW_NEWS_HEAD);
    return GW_REASON_none;
}

static enum gw_reason_id read_head(struct gw_h1 *c, struct gw_chain *rx, bool *may_retry)
{
    static const struct gw_h1_head_steps steps = { take_status_line, take_whole_head };
    return gw_h1_read_head(c, rx, &steps, may_retry);
}

/* What an upstream did wrong has its own names. */
static enum gw_reason_id upstream_fault(enum gw_reason_id reason)
{
    switch ((int)reason) {
    case GW_REASON_none:
    case GW_REASON_no_memory:
        return reason;
    case GW_REASON_head_too_large:
        return GW_REASON_upstream_head_too_large;
    default:
        return GW_REASON_upstream_bad_response;
    }
}

/* Bytes that nobody asked for: a late timeout message, or worse. */
static gw_status unasked(struct gw_h1 *c, struct gw_chain *rx)
{
    struct gw_stream *s = c->stream;
    gw_chain_drop(rx, rx->len);
    c->scanned = 0;
    if (s == NULL || s->in >= GW_HALF_DONE) {
        gw_h1_over(c, GW_REASON_upstream_bad_response);
        return GW_EPROTO;
    }
    s->is_refused = true; /* nothing of the request has been written */
    s->out = GW_HALF_CUT;
    gw_h1_cut(c, GW_REASON_upstream_bad_response, true);
    return GW_EPROTO;
}

static gw_status client_read(struct gw_codec *codec, struct gw_chain *rx, gw_nanos now)
{
    struct gw_h1 *c = gw_h1_of(codec);
    (void)now;
    for (size_t before = SIZE_MAX; rx->len > 0 && rx->len < before;) {
        enum gw_reason_id reason = GW_REASON_none;
        bool may_retry = false;
        before = rx->len;
        switch ((enum gw_h1_phase)c->phase) {
        case GW_H1_IDLE:
            if (c->stream == NULL || c->stream->out == GW_HALF_HEAD)
                return unasked(c, rx);
            c->stream->in = GW_HALF_HEAD;
            gw_h1_start_head(c, NULL);
            before = SIZE_MAX;
            break;
        case GW_H1_HEAD:
            reason = read_head(c, rx, &may_retry);
            break;
        case GW_H1_BODY:
            reason = gw_h1_read_body(c, rx);
            may_retry = true;
            break;
        case GW_H1_DONE:
            return unasked(c, rx);
        case GW_H1_WAIT:
        case GW_H1_SKIP:
        case GW_H1_OVER:
        case GW_H1_HELD:
            break;
        }
        if (reason == GW_REASON_no_memory && may_retry)
            return GW_ENOMEM;
        if (reason != GW_REASON_none) {
            reason = upstream_fault(reason);
            gw_h1_cut(c, reason, reason != GW_REASON_no_memory);
            return reason == GW_REASON_no_memory ? GW_ENOMEM : GW_EPROTO;
        }
    }
    return GW_OK;
}

/* Nobody can have processed a request of which the transport took nothing. The low bits will do: of one
 * that is so long that they wrap nothing is kept to send again. */
static bool is_untaken(const struct gw_h1 *c)
{
    return c->stream->out == GW_HALF_HEAD ||
           (uint32_t)c->base.written - c->head_at <= c->base.untaken;
}

static void end_of_input(struct gw_h1 *c)
{
    c->is_eof = true;
    switch ((enum gw_h1_phase)c->phase) {
    case GW_H1_IDLE:
        if (c->stream == NULL) {
            gw_h1_over(c, GW_REASON_none);
            break;
        }
        c->stream->is_refused = is_untaken(c);
        c->stream->is_silent = true;
        gw_h1_cut(c, GW_REASON_upstream_closed, true);
        break;
    case GW_H1_HEAD:
        gw_h1_cut(c, GW_REASON_upstream_cut, true);
        break;
    case GW_H1_BODY:
        if (c->body.kind == GW_H1_BODY_RAW)
            gw_h1_in_done(c, 0);
        else
            gw_h1_cut(c, GW_REASON_upstream_cut, true);
        break;
    case GW_H1_DONE: /* the rest of the request may still be wanted there; nothing else will be */
        c->is_last = true;
        gw_h1_settle(c);
        break;
    case GW_H1_WAIT:
    case GW_H1_SKIP:
    case GW_H1_OVER:
    case GW_H1_HELD:
        break;
    }
}

static void client_read_end(struct gw_codec *codec, gw_status why, gw_nanos now)
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
        return;
    }
    s->is_refused = is_untaken(c);
    s->is_silent = s->in == GW_HALF_IDLE;
    if (s->out != GW_HALF_DONE)
        s->out = GW_HALF_CUT;
    gw_h1_cut_lost(c, GW_REASON_upstream_reset, why);
}

static bool client_wants_read(const struct gw_codec *codec, size_t rx_len)
{
    const struct gw_h1 *c = gw_h1_of_const(codec);
    (void)rx_len;
    if (c->is_eof || c->phase == GW_H1_OVER)
        return false;
    return c->phase != GW_H1_BODY || gw_h1_body_wants(&c->body, c->stream->in_pipe);
}

/* ---- writing ---- */

static bool has_content(enum gw_method method)
{
    return method == GW_METHOD_POST || method == GW_METHOD_PUT || method == GW_METHOD_PATCH;
}

gw_status gw_h1_client_write_head(struct gw_h1 *c, struct gw_chain *tx)
{
    struct gw_stream *s = c->stream;
    const struct gw_message *m = s->out_head;
    struct gw_h1_head_spec spec = { .framing = GW_H1_FRAMING_NONE, .upgrade = m->protocol };
    enum gw_h1_body_kind kind = GW_H1_BODY_LENGTH;
    if (m->body == GW_BODY_LENGTH) {
        spec.framing = GW_H1_FRAMING_LENGTH;
        spec.length = m->length;
    } else if (m->body == GW_BODY_UNKNOWN) {
        spec.framing = GW_H1_FRAMING_CHUNKED;
        kind = GW_H1_BODY_CHUNKED;
    } else if (m->body == GW_BODY_NONE && has_content((enum gw_method)m->method)) {
        spec.framing = GW_H1_FRAMING_LENGTH; /* RFC 9110 8.6 */
    }
    spec.is_close = c->base.state != GW_CODEC_OPEN;
    gw_status status = gw_h1_write_request(tx, m, &spec);
    if (status != GW_OK)
        return status;
    c->head_at = (uint32_t)c->base.written;
    c->is_last = spec.is_close;
    c->is_holding = m->method == GW_METHOD_CONNECT || m->protocol.len > 0;
    gw_h1_start_out(c, c->is_holding ? GW_H1_BODY_RAW : kind, spec.length);
    return GW_OK;
}

/* ---- commands ---- */

static bool client_can_open(const struct gw_codec *codec)
{
    const struct gw_h1 *c = gw_h1_of_const(codec);
    return codec->state == GW_CODEC_OPEN && c->stream == NULL && c->phase == GW_H1_IDLE;
}

/* What HTTP/1 has no words for: a request without an authority (the reader refuses it), an extended
 * CONNECT, an upgrade with a body. */
static bool is_representable(const struct gw_message *m)
{
    if (m->authority.len == 0)
        return false;
    if (m->method == GW_METHOD_CONNECT)
        return m->protocol.len == 0;
    return m->path.len > 0 && (m->protocol.len == 0 || m->body == GW_BODY_NONE);
}

static gw_status client_open(struct gw_codec *codec, struct gw_stream *s)
{
    struct gw_h1 *c = gw_h1_of(codec);
    if (!client_can_open(codec))
        return GW_AGAIN;
    GW_ASSERT(s->out == GW_HALF_HEAD && s->in == GW_HALF_IDLE && s->out_head != NULL);
    gw_h1_attach(c, s);
    c->is_last = false;
    c->is_holding = false;
    c->scanned = 0;
    if (is_representable(s->out_head))
        return GW_OK;
    /* The connection is none the worse for it. */
    s->in = GW_HALF_CUT;
    s->out = GW_HALF_CUT;
    s->fault = GW_REASON_not_representable;
    gw_stream_tell(&c->owner, s, GW_NEWS_CUT);
    return GW_OK;
}

static void client_advance(struct gw_codec *codec, struct gw_stream *s)
{
    GW_ASSERT(s == gw_h1_of(codec)->stream);
    (void)codec;
    (void)s;
}

static void client_detach(struct gw_codec *codec, struct gw_stream *s)
{
    struct gw_h1 *c = gw_h1_of(codec);
    GW_ASSERT(s == c->stream);
    bool is_whole = s->in == GW_HALF_DONE && s->out == GW_HALF_DONE && !c->is_last;
    bool is_untouched = c->phase == GW_H1_IDLE &&
                        (s->out == GW_HALF_HEAD || s->fault == GW_REASON_not_representable);
    gw_h1_unattach(c);
    if (codec->state == GW_CODEC_OPEN && (is_whole || is_untouched)) {
        c->phase = GW_H1_IDLE;
        return;
    }
    gw_h1_over(c, GW_REASON_none);
}

static void client_drain(struct gw_codec *codec, bool is_final)
{
    struct gw_h1 *c = gw_h1_of(codec);
    (void)is_final;
    if (codec->state != GW_CODEC_OPEN)
        return;
    codec->state = GW_CODEC_DRAINING;
    if (c->stream != NULL) {
        c->is_last = true;
        return;
    }
    gw_h1_over(c, GW_REASON_none);
}

/* The pool asks it at each pick. */
static bool client_is_spare(const struct gw_codec *codec)
{
    (void)codec;
    return false;
}

const struct gw_codec_ops gw_h1_client_ops = {
    .name = "h1",
    .protocol = GW_PROTO_H1,
    .read = client_read,
    .read_end = client_read_end,
    .wants_read = client_wants_read,
    .wants_write = gw_h1_wants_write,
    .write = gw_h1_write,
    .can_open = client_can_open,
    .open = client_open,
    .advance = client_advance,
    .reset = gw_h1_reset,
    .detach = client_detach,
    .drain = client_drain,
    .is_spare = client_is_spare,
    .free = gw_h1_free,
};
