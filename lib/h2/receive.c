/* h2/receive.c: from bytes to what streams hold. Input is cut into frames here, ahead of the library:
 * policy.c judges each frame's header, and only what it lets pass is fed on, at most a frame a call.
 * So the library never sees a frame that would make it answer otherwise than RFC 9113 says. */

#include "h2/session.h"

#include <string.h>

#include "base/assert.h"
#include "http/check.h"

enum pseudo { METHOD = 1, SCHEME = 2, AUTHORITY = 4, PATH = 8, STATUS = 16 };

/* Header blocks. The first thing that is wrong with a block is kept; the rest is decoded, since the
 * peer's table must stay in step with ours, and dropped. */

static void fault_block(struct gw_h2_stream *t, enum gw_reason_id fault)
{
    if (t->block_fault == GW_REASON_none)
        t->block_fault = (uint16_t)fault;
}

static void fault_status(struct gw_h2_stream *t, gw_status status)
{
    if (status != GW_OK)
        fault_block(t, status == GW_ENOMEM ? GW_REASON_no_memory : GW_REASON_head_too_large);
}

static void begin_block(struct gw_h2_stream *t, enum gw_h2_block block, struct gw_message *target)
{
    t->block = (uint8_t)(t->is_deaf || t->s == NULL ? GW_H2_BLOCK_IGNORED : block);
    t->target = target;
    t->block_bytes = 0;
    t->block_fault = GW_REASON_none;
    t->pseudo = 0;
    t->has_regular = t->is_info = false;
}

/* A stream for a request that begins; NULL: it is refused. */
static struct gw_h2_stream *accept_stream(struct gw_h2 *h, uint32_t id)
{
    if (h->live >= h->limits->h2_streams_max) {
        /* A peer that has seen the limit knows better. */
        gw_h2_blame(h, h->has_limit_ack ? GW_ABUSE_FAULT : GW_ABUSE_RESET);
        return NULL;
    }
    struct gw_h2_stream *t = gw_h2_stream_new(h);
    if (t == NULL)
        return NULL;
    t->id = id;
    struct gw_stream *s = h->owner.open(h->owner.ctx);
    if (s == NULL || nghttp2_session_set_stream_user_data(h->session, (int32_t)id, t) != 0) {
        GW_ASSERT(s == NULL);
        gw_h2_stream_close(t);
        return NULL;
    }
    gw_h2_stream_attach(t, s);
    t->is_submitted = false;
    s->in = GW_HALF_HEAD;
    return t;
}

/* What follows the head of a request: its trailers, or a head of its answer. */
static void begin_answer(struct gw_h2 *h, struct gw_h2_stream *t)
{
    if (h->is_client && !t->has_head_in) {
        if (t->s != NULL && t->s->in == GW_HALF_IDLE)
            t->s->in = GW_HALF_HEAD;
        begin_block(t, GW_H2_BLOCK_RESPONSE, NULL);
    } else {
        begin_block(t, GW_H2_BLOCK_TRAILERS, t->s == NULL ? NULL : t->s->in_trailers);
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct gw_h2 *h = ctx;
    uint32_t id = (uint32_t)frame->hd.stream_id;
    (void)session;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        h->current = accept_stream(h, id);
        if (h->current == NULL)
            h->refused = id;
        else
            begin_block(h->current, GW_H2_BLOCK_REQUEST, h->current->s->in_head);
    } else if (h->current != NULL) {
        begin_answer(h, h->current);
    }
    if (h->current != NULL && h->is_block_bad)
        fault_block(h->current, GW_REASON_client_h2_error);
    return 0;
}

/* Marks the pseudo-field as seen. False: a second one, or not in front of all others. */
static bool is_first(struct gw_h2_stream *t, enum pseudo which)
{
    if ((t->pseudo & which) != 0 || t->has_regular)
        return false;
    t->pseudo |= (uint8_t)which;
    return true;
}

/* RFC 9113 8.3.1. NULL: no such; :protocol is none, since we do not offer RFC 8441. */
static gw_str *request_part(struct gw_message *m, gw_str name, enum pseudo *which)
{
    if (gw_str_eq(name, GW_STR(":method")))
        return *which = METHOD, &m->method_text;
    if (gw_str_eq(name, GW_STR(":path")))
        return *which = PATH, &m->target;
    if (gw_str_eq(name, GW_STR(":scheme")))
        return *which = SCHEME, &m->scheme;
    if (gw_str_eq(name, GW_STR(":authority")))
        return *which = AUTHORITY, &m->authority;
    return NULL;
}

/* The same words again and again need no copy. */
static gw_str known_word(gw_str value)
{
    static const gw_str words[] = { { "GET", 3 }, { "POST", 4 }, { "http", 4 }, { "https", 5 } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (gw_str_eq(value, words[i]))
            return words[i];
    return (gw_str){ NULL, 0 };
}

static void request_pseudo(struct gw_h2_stream *t, gw_str name, gw_str value)
{
    struct gw_message *m = t->target;
    enum pseudo which = METHOD;
    gw_str *part = request_part(m, name, &which);
    if (part == NULL || !is_first(t, which)) {
        fault_block(t, GW_REASON_bad_pseudo_field);
        return;
    }
    *part = which == METHOD || which == SCHEME ? known_word(value) : (gw_str){ NULL, 0 };
    if (part->ptr == NULL)
        fault_status(t, gw_arena_copy(m->fields.arena, value, part));
}

/* Three digits (RFC 9110 15). The code decides where the fields go. */
static void response_pseudo(struct gw_h2_stream *t, gw_str name, gw_str value)
{
    struct gw_h2 *h = t->h;
    uint64_t code;
    if (!gw_str_eq(name, GW_STR(":status")) || !is_first(t, STATUS) || value.len != 3 ||
        gw_parse_u64(value, &code) != GW_OK || code < 100) {
        fault_block(t, GW_REASON_bad_pseudo_field);
        return;
    }
    if (code >= 200)
        t->target = t->s->in_head;
    else if (++t->s->info_count > GW_INFOS_MAX)
        fault_block(t, GW_REASON_upstream_bad_response);
    else
        t->target = h->owner.new_info(h->owner.ctx, t->s);
    if (t->target != NULL)
        t->target->code = (uint16_t)code;
    t->is_info = code < 200;
}

static void add_field(struct gw_h2_stream *t, gw_str name, gw_str value)
{
    struct gw_fields *f = &t->target->fields;
    enum gw_field_id id = gw_field_find_id(name);
    gw_str kept_name = { NULL, 0 }, kept_value = { NULL, 0 };
    /* In lower case alone it is what it seems; other spellings are for the check to refuse. */
    if (id != GW_FIELD_UNKNOWN && memcmp(name.ptr, gw_field_name(id).ptr, name.len) == 0)
        kept_name = gw_field_name(id);
    gw_status status = kept_name.ptr != NULL ? GW_OK : gw_arena_copy(f->arena, name, &kept_name);
    if (status == GW_OK)
        status = gw_arena_copy(f->arena, value, &kept_value);
    if (status == GW_OK)
        status = gw_fields_add(f, id, kept_name, kept_value);
    fault_status(t, status);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    struct gw_h2_stream *t = ((struct gw_h2 *)ctx)->current;
    gw_str n = { (const char *)name, name_len }, v = { (const char *)value, value_len };
    (void)session;
    (void)frame;
    (void)flags;
    if (t == NULL || t->block == GW_H2_BLOCK_IGNORED || t->block_fault != GW_REASON_none) {
        gw_h2_blame(ctx, GW_ABUSE_FIELD);
        return 0;
    }
    t->block_bytes += (uint32_t)(name_len + value_len + 32); /* each under 64 KiB */
    if (t->block_bytes > t->h->limits->head_bytes_max) {
        fault_block(t, GW_REASON_head_too_large);
    } else if (name_len > 0 && name[0] == ':') {
        if (t->block == GW_H2_BLOCK_REQUEST)
            request_pseudo(t, n, v);
        else if (t->block == GW_H2_BLOCK_RESPONSE)
            response_pseudo(t, n, v);
        else
            fault_block(t, GW_REASON_bad_trailers);
    } else {
        if (t->block == GW_H2_BLOCK_RESPONSE && t->pseudo == 0)
            fault_block(t, GW_REASON_bad_pseudo_field);
        t->has_regular = true;
        if (t->target != NULL && t->block_fault == GW_REASON_none)
            add_field(t, n, v);
    }
    return 0;
}

/* The peer's message cannot be taken. Too long, or no memory for it: a server's owner may still
 * answer. Malformed: a stream error (RFC 9113 8.1.1). */
static void refuse_message(struct gw_h2_stream *t, enum gw_reason_id fault)
{
    struct gw_h2 *h = t->h;
    if (fault == GW_REASON_head_too_large || fault == GW_REASON_no_memory) {
        if (h->is_client && fault == GW_REASON_head_too_large)
            fault = GW_REASON_upstream_head_too_large;
        gw_h2_cut_in(t, fault, fault != GW_REASON_no_memory);
        return;
    }
    gw_h2_cut(t, h->is_client ? GW_REASON_upstream_bad_response : fault, true);
    gw_h2_reset(t, GW_H2_PROTOCOL_ERROR);
    gw_h2_blame(h, GW_ABUSE_FAULT);
}

static void end_in(struct gw_h2_stream *t)
{
    struct gw_stream *s = t->s;
    t->has_end_in = true;
    if (t->is_deaf || s == NULL)
        return;
    if (s->in_head->body == GW_BODY_LENGTH && t->body_in != s->in_head->length) {
        refuse_message(t, GW_REASON_bad_length);
        return;
    }
    s->in = GW_HALF_DONE;
    if (!s->in_pipe->is_cut)
        s->in_pipe->is_ended = true;
    gw_h2_note(t, GW_NEWS_END);
}

static void end_info(struct gw_h2_stream *t)
{
    struct gw_stream *s = t->s;
    struct gw_message *m = t->target, **last = &s->info;
    if (m == NULL) /* dropped */
        return;
    while (*last != NULL) /* at most GW_INFOS_MAX */
        last = &(*last)->next;
    m->next = NULL;
    *last = m;
    gw_h2_note(t, GW_NEWS_INFO);
}

static enum gw_reason_id check_block(struct gw_h2_stream *t, bool is_end)
{
    struct gw_stream *s = t->s;
    if (t->block_fault != GW_REASON_none)
        return t->block_fault;
    switch ((enum gw_h2_block)t->block) {
    case GW_H2_BLOCK_REQUEST:
        return gw_check_h2_request(t->target, is_end);
    case GW_H2_BLOCK_RESPONSE:
        if (t->pseudo == 0 || (t->is_info && is_end))
            return GW_REASON_upstream_bad_response;
        if (t->target == NULL)
            return GW_REASON_none;
        return gw_check_h2_response(t->target, s->request_method, is_end);
    case GW_H2_BLOCK_TRAILERS:
        if (!is_end) /* RFC 9113 8.1: trailers end the stream */
            return GW_REASON_bad_trailers;
        return t->target == NULL ? GW_REASON_none : gw_check_h2_trailers(t->target);
    case GW_H2_BLOCK_IGNORED:
        break;
    }
    return GW_REASON_none;
}

static void end_block(struct gw_h2_stream *t, bool is_end)
{
    struct gw_stream *s = t->s;
    if (t->block == GW_H2_BLOCK_IGNORED) {
        t->has_end_in = t->has_end_in || is_end;
        return;
    }
    enum gw_reason_id fault = check_block(t, is_end);
    if (fault != GW_REASON_none) {
        t->has_end_in = t->has_end_in || is_end;
        if (!t->has_head_in && t->block != GW_H2_BLOCK_RESPONSE)
            s->request_method = t->target->method;
        refuse_message(t, fault);
        return;
    }
    if (t->block == GW_H2_BLOCK_RESPONSE && t->is_info) {
        end_info(t);
        return;
    }
    if (t->block == GW_H2_BLOCK_TRAILERS) {
    } else {
        t->has_head_in = true;
        s->in = GW_HALF_BODY;
        if (t->block == GW_H2_BLOCK_REQUEST)
            s->request_method = t->target->method;
        gw_h2_note(t, GW_NEWS_HEAD);
    }
    if (is_end)
        end_in(t);
}

/* Bodies */

/* More than was promised to the pipe: sent before our windows were known. */
static gw_status push_early(struct gw_h2 *h, struct gw_pipe *pipe, const uint8_t *ptr, size_t len)
{
    if (h->base.early == NULL)
        return GW_ENOMEM;
    return gw_pipe_push_copy(pipe, h->base.early, ptr, len) == len ? GW_OK : GW_ENOMEM;
}

/* A view of the input; but small pieces behind others are copied together, so that they cannot keep
 * many blocks and slices. */
static gw_status push_body(struct gw_h2 *h, struct gw_pipe *pipe, const uint8_t *ptr, size_t len)
{
    if (len < GW_H2_SMALL && gw_pipe_len(pipe) > 0) {
        size_t n = gw_pipe_put(pipe, ptr, len);
        ptr += n;
        len -= n;
    }
    size_t n;
    /* The block's bytes are ours to view, though never to change. */
    gw_status status = gw_pipe_push_view(pipe, h->block, (uint8_t *)(uintptr_t)ptr, len, &n);
    return status == GW_OK ? GW_OK : push_early(h, pipe, ptr + n, len - n);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *ptr,
                         size_t len, void *ctx)
{
    struct gw_h2 *h = ctx;
    struct gw_h2_stream *t = h->current;
    (void)session;
    (void)flags;
    (void)id;
    GW_ASSERT(ptr >= h->fed && len <= h->fed_len - (size_t)(ptr - h->fed));
    h->credit += len;
    if (t == NULL || t->is_deaf || t->s == NULL)
        return 0;
    struct gw_stream *s = t->s;
    t->body_in += len;
    if (!t->has_head_in) {
        refuse_message(t, GW_REASON_bad_framing);
    } else if (s->in_head->body == GW_BODY_NONE ||
               (s->in_head->body == GW_BODY_LENGTH && t->body_in > s->in_head->length)) {
        refuse_message(t, GW_REASON_bad_length);
    } else if (push_body(h, s->in_pipe, ptr, len) != GW_OK) {
        gw_h2_cut(t, GW_REASON_no_memory, false);
        gw_h2_reset(t, GW_H2_INTERNAL_ERROR);
    } else {
        gw_h2_note(t, GW_NEWS_BODY);
    }
    return 0;
}

/* Other frames */

static void on_peer_reset(struct gw_h2_stream *t, uint32_t code)
{
    struct gw_stream *s = t->s;
    enum gw_reason_id fault = GW_REASON_client_reset;
    t->is_deaf = t->has_reset_in = true;
    if (s == NULL)
        return;
    s->peer_code = code;
    if (t->h->is_client) {
        bool is_refused = code == GW_H2_REFUSED_STREAM && !t->has_head_in;
        fault = is_refused ? GW_REASON_upstream_refused_stream : GW_REASON_upstream_reset;
        s->is_refused = s->is_refused || is_refused;
    }
    gw_h2_cut(t, fault, true);
}

/* RFC 9113 6.8: streams above the last id were not processed. Those that the library has it closes
 * itself (on_stream_close); those that it has not seen yet are ended here. */
static void on_goaway(struct gw_h2 *h)
{
    h->has_goaway_in = true;
    if (h->base.state == GW_CODEC_OPEN)
        h->base.state = GW_CODEC_DRAINING;
    if (!h->is_client)
        return;
    for (struct gw_list *node = h->streams.next; node != &h->streams; node = node->next) {
        struct gw_h2_stream *t = GW_CONTAINER(node, struct gw_h2_stream, all);
        if (t->s == NULL || (t->id != 0 && t->id <= h->policy.last))
            continue;
        t->s->is_refused = true;
        gw_h2_cut(t, GW_REASON_upstream_goaway, true);
        gw_h2_reset(t, GW_H2_CANCEL);
    }
}

/* The answer to the PING behind our first GOAWAY: what the peer sent before it knew is here. */
static void on_pong(struct gw_h2 *h, const uint8_t *bytes)
{
    if (h->has_notice_out && memcmp(bytes, gw_h2_notice_ping, sizeof gw_h2_notice_ping) == 0)
        h->wants_goaway = true;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct gw_h2 *h = ctx;
    struct gw_h2_stream *t = h->current;
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    (void)session;
    h->is_heard = true;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        if (t != NULL && is_end)
            end_in(t);
        break;
    case NGHTTP2_HEADERS:
        if (t != NULL)
            end_block(t, is_end);
        break;
    case NGHTTP2_RST_STREAM:
        if (t != NULL)
            on_peer_reset(t, frame->rst_stream.error_code);
        break;
    case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
            h->has_settings_in = true;
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && !h->is_probing)
            on_pong(h, frame->ping.opaque_data);
        break;
    case NGHTTP2_GOAWAY:
        on_goaway(h);
        break;
    default:
        break;
    }
    return 0;
}

/* The library is done with a stream: both sides ended it, or it was reset. */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
    struct gw_h2 *h = ctx;
    struct gw_h2_stream *t = nghttp2_session_get_stream_user_data(session, id);
    if (t == NULL)
        return 0;
    if (code != NGHTTP2_NO_ERROR && !t->is_reset && !t->is_reset_due && !t->has_reset_in) {
        /* The library has reset it, because of a GOAWAY, of bad bytes, or for want of memory: then it
         * says GOAWAY itself, or INTERNAL_ERROR. */
        bool is_refused = h->is_client && code == NGHTTP2_REFUSED_STREAM;
        bool is_own = code == NGHTTP2_INTERNAL_ERROR || (is_refused && !h->has_goaway_in);
        if (t->s != NULL && t->s->in < GW_HALF_DONE)
            t->s->is_refused = t->s->is_refused || is_refused;
        gw_h2_cut(t,
                  is_own       ? GW_REASON_no_memory
                  : is_refused ? GW_REASON_upstream_goaway
                               : gw_h2_peer_fault(h),
                  !is_own);
        if (!is_own)
            gw_h2_blame(h, GW_ABUSE_FAULT);
        gw_h2_policy_forgive(&h->policy, t->id);
        t->is_deaf = true;
    }
    if (h->current == t)
        h->current = NULL;
    gw_h2_stream_close(t);
    return 0;
}

void gw_h2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

/* Frames */

static void feed(struct gw_h2 *h, const uint8_t *ptr, size_t len)
{
    h->fed = ptr;
    h->fed_len = len;
    ssize_t n = nghttp2_session_mem_recv(h->session, ptr, len);
    if (n != (ssize_t)len) {
        gw_h2_break(h, n == NGHTTP2_ERR_NOMEM || n >= 0 ? GW_ENOMEM : GW_EPROTO);
        return;
    }
    if (h->refused != 0) {
        gw_h2_policy_forgive(&h->policy, h->refused);
        if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, (int32_t)h->refused,
                                      NGHTTP2_REFUSED_STREAM) != 0)
            gw_h2_break(h, GW_ENOMEM);
        h->refused = 0;
        gw_h2_bound_queue(h);
    }
    gw_h2_calm(h);
}

/* The library does not say so when it finds something wrong, as in a SETTINGS or in a header block: it
 * only puts a GOAWAY into its queue, and is deaf from then on. A frame that it did not hear, and that it
 * need not, is behind its back: then it is asked with an answer to a PING that it never sent. */
static void probe(struct gw_h2 *h)
{
    static const uint8_t ping[GW_H2_HEAD_LEN + 8] = { 0, 0, 8, GW_H2_PING, GW_H2_ACK };
    h->is_probing = true;
    feed(h, ping, sizeof ping);
    h->is_probing = false;
    if (!h->is_heard)
        gw_h2_terminated(h, GW_H2_PROTOCOL_ERROR);
}

/* Fills in what the policy must know of the stream that the frame names. */
static void look_up(struct gw_h2 *h, struct gw_h2_frame *f)
{
    struct gw_h2_stream *t = f->id == 0
                                 ? NULL
                                 : nghttp2_session_get_stream_user_data(h->session, (int32_t)f->id);
    h->current = t;
    if (t != NULL) {
        f->is_live = true;
        f->is_answered = t->s != NULL && t->s->out >= GW_HALF_BODY;
        f->is_half_closed = t->has_end_in;
        f->is_reset = t->is_reset || t->is_reset_due;
        f->is_early = h->is_client && !t->has_head_in;
    }
    if (f->type != GW_H2_DATA)
        return;
    f->connection_window = (uint32_t)nghttp2_session_get_local_window_size(h->session);
    if (t != NULL)
        f->window = (uint32_t)nghttp2_session_get_stream_local_window_size(h->session,
                                                                           (int32_t)f->id);
}

static void reset_by_verdict(struct gw_h2 *h, struct gw_h2_stream *t, uint32_t code)
{
    gw_h2_cut(t, gw_h2_peer_fault(h), true);
    gw_h2_reset(t, code);
    if (t->is_reset_due && gw_h2_submit_reset(t) != GW_OK) /* now: the library shall pass it over */
        gw_h2_break(h, GW_ENOMEM);
    else
        gw_h2_blame(h, GW_ABUSE_FAULT);
    gw_h2_calm(h);
}

/* The peer has said more behind its END_STREAM. To the library that would be an error of the connection;
 * so it is told that the peer has reset the stream, and takes what follows as it must what crosses a
 * reset: windows are kept, header blocks are decoded and dropped. */
static void close_by_verdict(struct gw_h2 *h, struct gw_h2_stream *t, uint32_t code)
{
    uint8_t rst[GW_H2_HEAD_LEN + 4] = { 0, 0, 4, GW_H2_RST_STREAM };
    for (size_t i = 0; i < 4; i++)
        rst[5 + i] = (uint8_t)(t->id >> (24 - 8 * i));
    reset_by_verdict(h, t, code);
    h->current = NULL;
    gw_h2_bound_queue(h);
    if (h->base.state != GW_CODEC_OVER)
        feed(h, rst, sizeof rst);
    h->is_heard = false; /* that was not the frame */
}

/* Our own SETTINGS frame (send.c), of which the library knows nothing, is the first to be
 * acknowledged. */
static bool is_limit_ack(struct gw_h2 *h, const struct gw_h2_frame *f)
{
    if (f->type != GW_H2_SETTINGS || (f->flags & GW_H2_ACK) == 0 || !h->has_limit_out ||
        h->has_limit_ack)
        return false;
    h->has_limit_ack = true;
    return true;
}

static void begin_frame(struct gw_h2 *h, const uint8_t *head, uint32_t word)
{
    struct gw_h2_frame f = gw_h2_frame_parse(head);
    f.word = word;
    look_up(h, &f);
    struct gw_h2_verdict verdict = gw_h2_policy_frame(&h->policy, &f, h->now);
    h->left = f.length;
    h->is_dropping = verdict.action == GW_H2_DROP || verdict.action == GW_H2_RESET_DROP;
    h->is_block = f.type == GW_H2_HEADERS || f.type == GW_H2_CONTINUATION;
    if (f.type == GW_H2_HEADERS)
        h->is_block_bad = verdict.action == GW_H2_FAULT_PASS;
    if (verdict.action == GW_H2_FATAL)
        gw_h2_terminate(h, verdict.code);
    else if (verdict.action == GW_H2_CLOSE_PASS)
        close_by_verdict(h, h->current, verdict.code);
    else if (verdict.action == GW_H2_RESET_PASS || verdict.action == GW_H2_RESET_DROP)
        reset_by_verdict(h, h->current, verdict.code);
    else if (verdict.action == GW_H2_PASS && is_limit_ack(h, &f))
        h->is_dropping = true;
}

/* The policy looks at the first bytes of the payload of these. */
static uint32_t head_len(const uint8_t *head)
{
    struct gw_h2_frame f = gw_h2_frame_parse(head);
    if (f.type == GW_H2_HEADERS && (f.flags & GW_H2_HAS_PRIORITY) != 0) {
        uint32_t look = (f.flags & GW_H2_PADDED) != 0 ? 5 : 4;
        return f.length > look ? GW_H2_HEAD_LEN + look : GW_H2_HEAD_LEN;
    }
    bool looks = (f.type == GW_H2_PRIORITY && f.length == 5) ||
                 (f.type == GW_H2_WINDOW_UPDATE && f.length == 4);
    return looks ? GW_H2_HEAD_LEN + f.length : GW_H2_HEAD_LEN;
}

/* Where the word lies that it looks at: in HEADERS behind the length of the padding. */
static uint32_t word_at(const uint8_t *head)
{
    bool is_behind = head[3] == GW_H2_HEADERS && (head[4] & GW_H2_PADDED) != 0;
    return is_behind ? GW_H2_HEAD_LEN + 1 : GW_H2_HEAD_LEN;
}

static uint32_t word_of(const uint8_t *head, uint32_t len)
{
    if (len == GW_H2_HEAD_LEN)
        return 0;
    const uint8_t *p = head + word_at(head);
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_alive(const struct gw_h2 *h)
{
    return h->base.state != GW_CODEC_OVER;
}

static void end_frame(struct gw_h2 *h)
{
    bool is_whole = !h->is_dropping && h->policy.block_id == 0;
    if (is_whole && !h->is_heard && is_alive(h))
        probe(h);
    h->is_heard = false;
    h->is_block = false;
    h->current = NULL;
}

/* The first bytes of HEADERS without its dependency, of which the library would make an error of the
 * connection. Returns how many they were. */
static size_t feed_independent(struct gw_h2 *h, const uint8_t *ptr, uint32_t need)
{
    uint8_t head[GW_H2_LOOK_MAX];
    GW_ASSERT(need <= sizeof head);
    memcpy(head, ptr, need);
    memset(head + word_at(ptr), 0, 4);
    feed(h, head, need);
    return need;
}

/* A frame whose head lies in one piece: fed on with as much of its payload as there is. Returns how
 * many bytes were used. */
static size_t take_whole(struct gw_h2 *h, const uint8_t *ptr, size_t len, uint32_t need)
{
    begin_frame(h, ptr, word_of(ptr, need));
    if (!is_alive(h))
        return len;
    size_t payload = len - GW_H2_HEAD_LEN < h->left ? len - GW_H2_HEAD_LEN : h->left;
    h->left -= (uint32_t)payload;
    if (!h->is_dropping) {
        bool is_patched = h->is_block_bad && ptr[3] == GW_H2_HEADERS;
        size_t fed = is_patched ? feed_independent(h, ptr, need) : 0;
        if (is_alive(h))
            feed(h, ptr + fed, GW_H2_HEAD_LEN + payload - fed);
    }
    if (h->left == 0)
        end_frame(h);
    return GW_H2_HEAD_LEN + payload;
}

/* Gathers a head that is cut. Returns how many bytes were used. */
static size_t take_part(struct gw_h2 *h, const uint8_t *ptr, size_t len)
{
    size_t used = 0;
    uint32_t need = GW_H2_HEAD_LEN;
    for (; used < len; used++) { /* at most the size of head */
        if (h->have >= GW_H2_HEAD_LEN && h->have == (need = head_len(h->head)))
            break;
        h->head[h->have++] = ptr[used];
    }
    if (h->have < GW_H2_HEAD_LEN || h->have < (need = head_len(h->head)))
        return used;
    h->have = 0;
    (void)take_whole(h, h->head, need, need);
    return used;
}

static size_t take_payload(struct gw_h2 *h, const uint8_t *ptr, size_t len)
{
    size_t n = len < h->left ? len : h->left;
    h->left -= (uint32_t)n;
    if (!h->is_dropping)
        feed(h, ptr, n);
    if (h->left == 0)
        end_frame(h);
    return n;
}

/* RFC 9113 3.4 */
static size_t take_preface(struct gw_h2 *h, const uint8_t *ptr, size_t len)
{
    size_t n = len < h->preface_left ? len : h->preface_left;
    if (memcmp(&GW_H2_PREFACE[GW_H2_PREFACE_LEN - h->preface_left], ptr, n) != 0)
        gw_h2_terminate(h, GW_H2_PROTOCOL_ERROR);
    h->preface_left = (uint8_t)(h->preface_left - n);
    return n;
}

static void take_slice(struct gw_h2 *h, const uint8_t *ptr, size_t len)
{
    while (len > 0 && is_alive(h)) {
        size_t n;
        uint32_t need = len >= GW_H2_HEAD_LEN ? head_len(ptr) : GW_H2_HEAD_LEN;
        if (h->preface_left > 0)
            n = take_preface(h, ptr, len);
        else if (h->left > 0)
            n = take_payload(h, ptr, len);
        else if (h->have == 0 && len >= need)
            n = take_whole(h, ptr, len, need);
        else
            n = take_part(h, ptr, len);
        ptr += n;
        len -= n;
    }
}

void gw_h2_receive(struct gw_h2 *h, struct gw_chain *rx)
{
    while (rx->first != NULL && is_alive(h)) {
        const struct gw_slice *slice = rx->first;
        h->block = slice->block;
        take_slice(h, slice->ptr, slice->len);
        gw_chain_drop(rx, slice->len);
    }
    h->block = NULL;
    /* The bytes lie in their pipes: the connection's window is free for others (F4). */
    if (h->credit > 0 && !h->is_broken &&
        nghttp2_session_consume_connection(h->session, h->credit) != 0)
        gw_h2_break(h, GW_ENOMEM);
    h->credit = 0;
}
