/* h2/send.c: from what streams hold to bytes. Commands that were noted are submitted first, then the
 * library is asked for frames until the chain is full enough. Nothing is submitted earlier, so that
 * what goes next is decided late, and so that the views in a head are alive while it is encoded: a
 * stream that is taken away meanwhile is reset before the library is asked again. */

#include "h2/session.h"

#include <string.h>

#include "base/assert.h"

/* Heads */

static bool has_upper(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
            return true;
    return false;
}

static uint8_t *bytes_of(gw_str s)
{
    return (uint8_t *)(uintptr_t)s.ptr; /* the library does not write to it */
}

static nghttp2_nv nv_of(gw_str name, gw_str value, uint8_t flags)
{
    return (nghttp2_nv){ bytes_of(name), bytes_of(value), name.len, value.len, flags };
}

/* A head being put together in the shared table. */
struct draft {
    nghttp2_nv *nva;
    uint32_t count;
    size_t bytes;
    bool copies; /* the values do not live until the frame is made */
};

static void put(struct draft *d, gw_str name, gw_str value, uint8_t flags)
{
    uint8_t no_copy = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    d->nva[d->count++] = nv_of(name, value, d->copies ? flags : (uint8_t)(flags | no_copy));
    d->bytes += name.len + value.len;
}

/* Is it another value each time, which would drive out of the table what comes again? */
static bool is_fleeting(const struct gw_field *f)
{
    return f->id == GW_FIELD_GRPC_TIMEOUT ||
           (f->id == GW_FIELD_UNKNOWN && (gw_str_eq(f->name, GW_STR("traceparent")) ||
                                          gw_str_eq(f->name, GW_STR("tracestate")) ||
                                          gw_str_eq(f->name, GW_STR("x-request-id"))));
}

/* Values that must not enter a table: towards an upstream, which many clients share, all secrets;
 * towards a client, what is its own secret (RFC 7541 7.1.3). Others had better not. */
static uint8_t index_flag(const struct gw_h2 *h, const struct gw_field *f)
{
    bool is_secret = h->is_client ? (f->flags & GW_FIELD_SECRET) != 0
                                  : f->id == GW_FIELD_SET_COOKIE || f->id == GW_FIELD_AUTHORIZATION;
    return is_secret || is_fleeting(f) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
}

/* What has no place in HTTP/2, or is made anew. */
static bool is_left_out(const struct gw_message *m, const struct gw_field *f)
{
    if ((f->flags & GW_FIELD_HOP) != 0)
        return f->id != GW_FIELD_TE;
    return f->id == GW_FIELD_CONTENT_LENGTH ||
           (f->id == GW_FIELD_HOST && m->kind == GW_MESSAGE_REQUEST && m->authority.len > 0);
}

static void put_fields(const struct gw_h2 *h, struct draft *d, const struct gw_message *m)
{
    uint32_t i = 0;
    for (const struct gw_field *f; (f = gw_fields_next(&m->fields, &i)) != NULL;) {
        if (is_left_out(m, f))
            continue;
        uint8_t flags = index_flag(h, f);
        if (f->id != GW_FIELD_UNKNOWN) {
            put(d, gw_field_name(f->id), f->value, flags);
        } else {
            put(d, f->name, f->value, flags);
            if (has_upper(f->name)) /* the library's copy will be in lower case */
                d->nva[d->count - 1].flags &= (uint8_t)~NGHTTP2_NV_FLAG_NO_COPY_NAME;
        }
    }
}

static void put_length(struct draft *d, struct gw_h2_stream *t, const struct gw_message *m)
{
    if (m->body != GW_BODY_LENGTH && !(m->kind == GW_MESSAGE_RESPONSE && m->has_length))
        return;
    gw_str text = { t->length, gw_format_u64(m->length, t->length) };
    put(d, gw_field_name(GW_FIELD_CONTENT_LENGTH), text, NGHTTP2_NV_FLAG_NONE);
}

static gw_status begin_draft(struct gw_h2 *h, const struct gw_message *m, struct draft *out)
{
    struct gw_h2_shared *shared = h->shared;
    uint32_t room = m->fields.count + 8; /* pseudo-fields, content-length */
    if (room > shared->nva_room) {
        room += room / 2;
        nghttp2_nv *nva = gw_heap_alloc(shared->heap, room * sizeof *nva);
        if (nva == NULL)
            return GW_ENOMEM;
        gw_heap_release(shared->heap, shared->nva, shared->nva_room * sizeof *nva);
        shared->nva = nva;
        shared->nva_room = room;
    }
    *out = (struct draft){ .nva = shared->nva };
    return GW_OK;
}

/* :path, which is path and query in one piece. They often lie in one already. */
static gw_status join_path(struct gw_message *m, gw_str *out)
{
    *out = m->path.len > 0 ? m->path : GW_STR("/");
    if (m->query.ptr == NULL)
        return GW_OK;
    size_t len = out->len + 1 + m->query.len;
    if (m->query.ptr == out->ptr + out->len + 1 && out->ptr[out->len] == '?') {
        out->len = len;
        return GW_OK;
    }
    char *joined = gw_arena_alloc(m->fields.arena, len);
    if (joined == NULL)
        return GW_ELIMIT;
    memcpy(joined, out->ptr, out->len);
    joined[out->len] = '?';
    if (m->query.len > 0)
        memcpy(joined + out->len + 1, m->query.ptr, m->query.len);
    *out = (gw_str){ joined, len };
    return GW_OK;
}

/* RFC 9113 8.3.1, 8.5 */
static gw_status put_request_line(struct draft *d, struct gw_message *m)
{
    put(d, GW_STR(":method"), m->method_text, NGHTTP2_NV_FLAG_NONE);
    if (m->method != GW_METHOD_CONNECT) {
        gw_str path;
        gw_status status = join_path(m, &path);
        if (status != GW_OK)
            return status;
        put(d, GW_STR(":scheme"), m->scheme.len > 0 ? m->scheme : GW_STR("http"),
            NGHTTP2_NV_FLAG_NONE);
        put(d, GW_STR(":path"), path, NGHTTP2_NV_FLAG_NONE);
    }
    if (m->authority.len > 0)
        put(d, GW_STR(":authority"), m->authority, NGHTTP2_NV_FLAG_NONE);
    return GW_OK;
}

static gw_str status_text(uint32_t code, char *out)
{
    out[0] = (char)('0' + code / 100 % 10);
    out[1] = (char)('0' + code / 10 % 10);
    out[2] = (char)('0' + code % 10);
    return (gw_str){ out, 3 };
}

/* Trailers that are worth a frame. */
static bool has_trailers(const struct gw_stream *s)
{
    uint32_t i = 0;
    return s->out_trailers != NULL && gw_fields_next(&s->out_trailers->fields, &i) != NULL;
}

static bool has_body(const struct gw_h2_stream *t)
{
    const struct gw_stream *s = t->s;
    if (!t->h->is_client && !s->is_tunnel &&
        !gw_response_has_body(s->request_method, s->out_head->code))
        return false;
    return s->out_pipe != NULL && (!gw_pipe_is_done(s->out_pipe) || has_trailers(s));
}

/* Bodies */

/* How much of the body goes into the next frame, and whether that is its end. */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t max,
                       uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct gw_h2_stream *t = source->ptr;
    struct gw_h2 *h = ctx;
    (void)session;
    (void)id;
    (void)buffer;
    if (t->s == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const struct gw_pipe *pipe = t->s->out_pipe;
    size_t len = gw_pipe_len(pipe), n = len < max ? len : max;
    t->is_narrow = max < GW_ABUSE_NARROW_BYTES && max < len;
    if (n > 0 && t->turn + n > GW_H2_QUANTUM)
        n = GW_H2_QUANTUM - t->turn;
    if (len > 0 && n == 0) {
        t->is_deferred = true;
        gw_list_remove(&t->dirty);
        gw_list_push_back(&h->resting, &t->dirty);
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n == len && pipe->is_ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (has_trailers(t->s)) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            t->are_trailers_due = true;
            gw_h2_mark_dirty(t);
        }
    } else if (n == 0) {
        t->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    t->turn += (uint32_t)n;
    return (ssize_t)n;
}

static gw_status append(struct gw_h2 *h, const void *bytes, size_t len)
{
    gw_status status = gw_chain_write(h->tx, bytes, len);
    if (status == GW_OK)
        h->base.written += len;
    return status;
}

/* Body that the peer took is of use; in frames as small as its windows make them it is work. */
static void price(struct gw_h2 *h, const struct gw_h2_stream *t)
{
    if (t->is_narrow)
        gw_h2_blame(h, GW_ABUSE_NARROW);
    else
        gw_abuse_earn(&h->base.abuse, GW_ABUSE_FRAME_EARNS);
}

/* The payload is moved aside before its header is written, and both are kept when memory is short:
 * nothing is ever written by half. */
static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *ctx)
{
    struct gw_h2_stream *t = source->ptr;
    struct gw_h2 *h = ctx;
    (void)session;
    GW_ASSERT(frame->data.padlen == 0);
    if (t->s == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (h->held_by != t && len > 0) {
        GW_ASSERT(h->held_by == NULL && len <= gw_pipe_len(t->s->out_pipe));
        if (gw_pipe_take(t->s->out_pipe, &h->held, len) != GW_OK) {
            h->is_short = true;
            return NGHTTP2_ERR_WOULDBLOCK;
        }
        h->held_by = t;
    }
    if (append(h, head, GW_H2_HEAD_LEN) != GW_OK) {
        h->is_short = true;
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    gw_chain_move_all(h->tx, &h->held);
    h->held_by = NULL;
    h->base.written += len;
    price(h, t);
    if (len > 0)
        gw_h2_note(t, GW_NEWS_ROOM);
    return h->tx->len >= h->mark ? NGHTTP2_ERR_PAUSE : 0;
}

/* Frames that were made */

static void finish_out(struct gw_h2_stream *t)
{
    struct gw_stream *s = t->s;
    if (s == NULL || s->out >= GW_HALF_DONE)
        return;
    s->out = GW_HALF_DONE;
    s->out_mark = t->h->base.written;
    gw_h2_note(t, GW_NEWS_SENT);
}

static void on_head_sent(struct gw_h2 *h, const nghttp2_frame *frame)
{
    struct gw_h2_stream *t = nghttp2_session_get_stream_user_data(h->session, frame->hd.stream_id);
    if (t == NULL)
        return;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        gw_h2_policy_opened(&h->policy, t->id);
    if (t->infos > 0)
        t->infos--;
    else if (t->s != NULL && t->s->out == GW_HALF_HEAD)
        t->s->out = GW_HALF_BODY;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        h->ending = t; /* its bytes are yet to be appended */
}

const uint8_t gw_h2_notice_ping[8] = { 'l', 'a', 's', 't', 'c', 'a', 'l', 'l' };

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct gw_h2 *h = ctx;
    struct gw_h2_stream *t;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        on_head_sent(h, frame);
        break;
    case NGHTTP2_DATA: /* on_send_data has appended it */
        t = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (t != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            finish_out(t);
        break;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && h->policy.acks_owed > 0)
            h->policy.acks_owed--;
        break;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR)
            gw_h2_terminated(h, frame->goaway.error_code);
        else if (frame->goaway.last_stream_id != INT32_MAX)
            h->is_goaway_sent = h->policy.is_closing = true;
        else /* not before: the library sends a PING ahead of all that waits. Benign failure: whoever
                drains does not wait for the answer alone. */
            (void)nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, gw_h2_notice_ping);
        break;
    default:
        break;
    }
    return 0;
}

void gw_h2_send_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}

/* Submitting */

static gw_status status_of(int rv)
{
    return rv == 0 ? GW_OK : rv == NGHTTP2_ERR_NOMEM ? GW_ENOMEM : GW_EPROTO;
}

/* The head cannot be sent: too long, or an upstream's ids are used up. */
static void fail(struct gw_h2_stream *t)
{
    gw_h2_cut(t, GW_REASON_not_representable, false);
    gw_h2_reset(t, GW_H2_INTERNAL_ERROR);
}

static gw_status submit_head(struct gw_h2_stream *t)
{
    struct gw_h2 *h = t->h;
    struct gw_message *m = t->s->out_head;
    nghttp2_data_provider body = { { .ptr = t }, on_read };
    struct draft d;
    gw_status status = begin_draft(h, m, &d);
    if (status != GW_OK)
        return status;
    if (h->is_client)
        status = put_request_line(&d, m);
    else
        put(&d, GW_STR(":status"), status_text(m->code, t->status), NGHTTP2_NV_FLAG_NONE);
    put_fields(h, &d, m);
    put_length(&d, t, m);
    if (status != GW_OK || d.bytes > GW_H2_HEAD_OUT_MAX) {
        fail(t);
        return GW_OK;
    }
    const nghttp2_data_provider *provider = has_body(t) ? &body : NULL;
    int rv;
    if (h->is_client) {
        rv = nghttp2_submit_request(h->session, NULL, d.nva, d.count, provider, t);
        if (rv > 0) {
            t->id = t->s->id = (uint32_t)rv;
            rv = 0;
        }
    } else {
        rv = nghttp2_submit_response(h->session, (int32_t)t->id, d.nva, d.count, provider);
    }
    status = status_of(rv);
    if (status == GW_OK) {
        t->is_submitted = true;
        m->has_left = 1;
        if (!h->is_client) /* too late to take it back */
            t->s->out = GW_HALF_BODY;
    } else if (status != GW_ENOMEM) {
        fail(t);
        return GW_OK;
    }
    return status;
}

/* Informational responses are copied: the owner may have them back at once. */
static gw_status submit_infos(struct gw_h2_stream *t)
{
    struct gw_h2 *h = t->h;
    struct gw_stream *s = t->s;
    for (struct gw_message *m; (m = s->out_info) != NULL; s->out_info = m->next) {
        struct draft d;
        char text[4];
        gw_status status = begin_draft(h, m, &d);
        if (status != GW_OK)
            return status;
        d.copies = true;
        put(&d, GW_STR(":status"), status_text(m->code, text), NGHTTP2_NV_FLAG_NONE);
        put_fields(h, &d, m);
        status = status_of(nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, (int32_t)t->id,
                                                  NULL, d.nva, d.count, NULL));
        if (status == GW_ENOMEM)
            return status;
        if (status == GW_OK)
            t->infos++;
    }
    return GW_OK;
}

static gw_status submit_trailers(struct gw_h2_stream *t)
{
    struct gw_h2 *h = t->h;
    const struct gw_message *m = t->s->out_trailers;
    struct draft d;
    gw_status status = begin_draft(h, m, &d);
    if (status != GW_OK)
        return status;
    put_fields(h, &d, m);
    status = status_of(nghttp2_submit_trailer(h->session, (int32_t)t->id, d.nva, d.count));
    if (status == GW_ENOMEM)
        return status;
    t->are_trailers_due = false;
    if (status != GW_OK)
        fail(t);
    return GW_OK;
}

gw_status gw_h2_submit_reset(struct gw_h2_stream *t)
{
    if (t->id == 0) { /* the peer has never heard of it */
        gw_h2_stream_close(t);
        return GW_OK;
    }
    int rv = nghttp2_submit_rst_stream(t->h->session, NGHTTP2_FLAG_NONE, (int32_t)t->id,
                                       t->reset_code);
    if (rv != 0)
        return GW_ENOMEM;
    t->is_reset = true;
    t->is_reset_due = false;
    return GW_OK;
}

/* A stream that has used up its window once and again may have a larger one, while there is plenty
 * of memory. Not before the peer has acknowledged our SETTINGS: until then the library counts from
 * 65,535, and would take the difference off once more. */
static uint32_t larger_window(const struct gw_h2_stream *t)
{
    const struct gw_h2 *h = t->h;
    size_t max = t->s->in_pipe->size;
    if (!h->base.is_window_known)
        return t->window;
    if (max > h->limits->pipe_bytes_max)
        max = h->limits->pipe_bytes_max;
    if (t->body_in < 2 * (uint64_t)t->window || t->window >= max || !gw_pool_has_plenty(h->pool))
        return t->window;
    return (uint32_t)(2 * (size_t)t->window < max ? 2 * (size_t)t->window : max);
}

/* F3: what a window promises is promised to its pipe. False: so much memory is not free. */
static bool back_window(struct gw_h2_stream *t, uint32_t window)
{
    struct gw_pool *pool = t->h->pool;
    struct gw_reserve *r = t->s->in_pipe->chain.reserve;
    uint32_t need = (window + pool->block_bytes - 1) / pool->block_bytes;
    return r == NULL || need <= r->size || gw_reserve_grow(r, pool, need - r->size) == GW_OK;
}

/* Of so many bytes that have left, those that may be announced again: while the blocks of others are
 * still on their way out, the pipe may hold less than it did. */
static uint64_t backed_credit(const struct gw_h2_stream *t, uint64_t taken)
{
    const struct gw_pipe *pipe = t->s->in_pipe;
    if (GW_LIKELY(pipe->chain.reserve == NULL || pipe->chain.reserve->used == 0))
        return taken;
    uint64_t given = t->window + t->credited; /* what may have been sent in all */
    uint64_t sure = t->body_in + gw_reserve_room(pipe->chain.reserve, t->h->pool);
    uint64_t most = sure > given ? sure - given : 0;
    return taken < most ? taken : most;
}

static gw_status give_credit(struct gw_h2_stream *t)
{
    struct gw_h2 *h = t->h;
    uint64_t taken = backed_credit(t, t->s->in_pipe->bytes_out - t->credited);
    uint32_t window = larger_window(t);
    if (taken == 0)
        return GW_OK;
    if (nghttp2_session_consume_stream(h->session, (int32_t)t->id, taken) != 0)
        return GW_ENOMEM;
    t->credited += taken;
    if (window == t->window || !back_window(t, window))
        return GW_OK;
    if (nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, (int32_t)t->id,
                                              (int32_t)window) != 0)
        return GW_ENOMEM;
    t->window = window;
    return GW_OK;
}

static gw_status resume(struct gw_h2_stream *t)
{
    const struct gw_pipe *pipe = t->s->out_pipe;
    if (!t->is_deferred || (gw_pipe_len(pipe) == 0 && !pipe->is_ended))
        return GW_OK;
    if (nghttp2_session_resume_data(t->h->session, (int32_t)t->id) == NGHTTP2_ERR_NOMEM)
        return GW_ENOMEM;
    t->is_deferred = false;
    t->turn = 0;
    return GW_OK;
}

static gw_status submit(struct gw_h2_stream *t)
{
    gw_status status = GW_OK;
    if (t->is_reset_due)
        return gw_h2_submit_reset(t);
    if (t->s == NULL || t->is_reset || t->s->out == GW_HALF_CUT)
        return GW_OK;
    if (gw_h2_is_credit_due(t))
        status = give_credit(t);
    if (status == GW_OK && t->s->out_info != NULL && !t->is_submitted)
        status = submit_infos(t);
    if (status == GW_OK && !t->is_submitted && t->s->out == GW_HALF_HEAD)
        status = submit_head(t);
    if (status == GW_OK && t->is_submitted && t->s != NULL && !t->is_reset_due)
        status = resume(t);
    if (status == GW_OK && t->are_trailers_due && !t->is_reset_due)
        status = submit_trailers(t);
    return status;
}

static gw_status submit_all(struct gw_h2 *h)
{
    struct gw_list *node;
    while ((node = gw_list_pop_front(&h->dirty)) != NULL) {
        struct gw_h2_stream *t = GW_CONTAINER(node, struct gw_h2_stream, dirty);
        gw_status status = submit(t);
        if (status != GW_OK) {
            if (!gw_list_is_linked(&t->dirty))
                gw_list_push_front(&h->dirty, &t->dirty);
            return status;
        }
    }
    return GW_OK;
}

static gw_status submit_goaway(struct gw_h2 *h)
{
    if (h->wants_notice && !h->has_notice_out) {
        if (nghttp2_submit_shutdown_notice(h->session) != 0)
            return GW_ENOMEM;
        h->has_notice_out = true;
    }
    if (h->wants_goaway && !h->has_goaway_out) {
        int32_t last = h->is_client ? 0 : nghttp2_session_get_last_proc_stream_id(h->session);
        if (nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) !=
            0)
            return GW_ENOMEM;
        h->has_goaway_out = true;
    }
    return GW_OK;
}

/* How many streams a client may open is said in a frame of our own: told of it, the library would
 * answer one too many with a connection error, where RFC 9113 5.1.2 asks for a stream error. Since it
 * is the first, it must already say what cannot be said later (RFC 9218 2.1). */
static gw_status announce_limit(struct gw_h2 *h)
{
    uint32_t n = h->limits->h2_streams_max;
    uint8_t frame[GW_H2_HEAD_LEN + 12] = { 0, 0, 12, GW_H2_SETTINGS };
    uint8_t *at = frame + GW_H2_HEAD_LEN;
    at[1] = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES;
    at[5] = 1;
    at[7] = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS;
    for (size_t i = 0; i < 4; i++)
        at[8 + i] = (uint8_t)(n >> (24 - 8 * i));
    gw_status status = append(h, frame, sizeof frame);
    h->has_limit_out = status == GW_OK;
    return status;
}

/* GOAWAY(INTERNAL_ERROR), when the library cannot be asked for it. Benign if it fails. */
static void write_last_words(struct gw_h2 *h)
{
    uint32_t last = h->is_client ? 0 : h->policy.last;
    uint8_t frame[GW_H2_HEAD_LEN + 8] = { 0, 0, 8, GW_H2_GOAWAY };
    for (size_t i = 0; i < 4; i++)
        frame[GW_H2_HEAD_LEN + i] = (uint8_t)(last >> (24 - 8 * i));
    frame[GW_H2_HEAD_LEN + 7] = GW_H2_INTERNAL_ERROR;
    h->wants_last_words = false;
    (void)append(h, frame, sizeof frame);
}

/* What the library gave last, which stays valid until it is asked again. By pieces, so that one block
 * is enough. */
static gw_status append_unsent(struct gw_h2 *h)
{
    if (h->unsent_len == 0)
        return GW_OK;
    const uint8_t *head = h->unsent - h->unsent_done;
    size_t len = h->unsent_done + h->unsent_len;
    while (h->unsent_len > 0) {
        size_t room = gw_chain_tail(h->tx), most = room > 0 ? room : h->pool->block_bytes;
        size_t n = h->unsent_len < most ? h->unsent_len : most;
        gw_status status = append(h, h->unsent, n);
        if (status != GW_OK) {
            h->is_mid_block |= h->unsent_done > 0; /* nothing else may come now */
            return status;
        }
        h->unsent += n;
        h->unsent_done += n;
        h->unsent_len -= n;
    }
    h->unsent_done = 0;
    h->is_mid_block = false;
    if (len >= GW_H2_HEAD_LEN)
        h->is_mid_block = (head[3] == GW_H2_HEADERS || head[3] == GW_H2_CONTINUATION) &&
                          (head[4] & GW_H2_END_HEADERS) == 0;
    if (h->ending != NULL)
        finish_out(h->ending);
    h->ending = NULL;
    return GW_OK;
}

/* Frames of the library into tx, up to the mark or until there are none. */
static gw_status pump(struct gw_h2 *h)
{
    for (;;) {
        gw_status status = append_unsent(h);
        if (status != GW_OK)
            return status;
        if (h->tx->len >= h->mark)
            return GW_OK;
        h->is_short = false;
        ssize_t n = nghttp2_session_mem_send(h->session, &h->unsent);
        if (n < 0) {
            gw_h2_break(h, GW_ENOMEM);
            return GW_ELIMIT;
        }
        if (n == 0)
            return h->is_short ? GW_ENOMEM : GW_OK;
        h->unsent_len = (size_t)n;
    }
}

gw_status gw_h2_send(struct gw_h2 *h)
{
    gw_status status = GW_OK;
    if (h->is_broken) {
        if (h->wants_last_words)
            write_last_words(h);
        return GW_OK;
    }
    if (!h->is_client && !h->has_limit_out && h->tx->len < h->mark)
        status = announce_limit(h);
    while (status == GW_OK && h->tx->len < h->mark) {
        status = submit_all(h);
        if (status == GW_OK)
            status = submit_goaway(h);
        if (status == GW_OK)
            status = pump(h);
        if (h->is_calm_due && h->base.state != GW_CODEC_OVER) {
            gw_h2_calm(h);
            continue;
        }
        /* All have had their turn: the next one. */
        gw_list_splice(&h->dirty, &h->resting);
        if (gw_list_is_empty(&h->dirty))
            break;
    }
    return status;
}
