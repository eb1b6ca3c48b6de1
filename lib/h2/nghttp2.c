/* h2/nghttp2.c: the codec's face and the lives of its streams. What is received is in receive.c, what
 * is sent in send.c; these three know nghttp2, no other file does. */

#include "h2/session.h"

#include <string.h>

#include <gw/config.h>

#include "base/assert.h"

/* What a connection takes: a session of nghttp2, with both HPACK tables full of the smallest entries;
 * and a stream of it, in there and in here. Tests hold them against what is taken. */
enum { CONNECTION_BYTES = 72 * 1024, STREAM_BYTES = 1024, STREAMS_USUAL = 128, NVA_USUAL = 128 };

uint64_t gw_h2_connection_bytes(void)
{
    return CONNECTION_BYTES;
}

uint64_t gw_h2_stream_bytes(void)
{
    return STREAM_BYTES;
}

/* The library's three small tables below are made by its own use of malloc, once a worker. */
static bool make_tables(struct gw_h2_shared *shared)
{
    if (nghttp2_session_callbacks_new(&shared->callbacks) != 0 ||
        nghttp2_option_new(&shared->options) != 0)
        return false;
    gw_h2_receive_callbacks(shared->callbacks);
    gw_h2_send_callbacks(shared->callbacks);
    nghttp2_option *o = shared->options;
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_http_messaging(o, 1);    /* http/check.c does it */
    nghttp2_option_set_no_recv_client_magic(o, 1); /* receive.c does it    */
    nghttp2_option_set_no_closed_streams(o, 1);    /* policy.c does it     */
    nghttp2_option_set_peer_max_concurrent_streams(o, 100);
    nghttp2_option_set_max_send_header_block_length(o, 2 * (size_t)GW_H2_HEAD_OUT_MAX);
    nghttp2_option_set_max_deflate_dynamic_table_size(o, 4096);
    nghttp2_option_set_max_settings(o, GW_H2_SETTINGS_MAX);
    /* The budgets of policy.c come first; the library's own, which ask the clock, never. */
    nghttp2_option_set_max_outbound_ack(o, 2 * (size_t)GW_H2_ACKS_MAX);
#if GW_HAVE_NGHTTP2_RESET_LIMIT
    nghttp2_option_set_stream_reset_rate_limit(o, UINT64_MAX, UINT64_MAX);
#endif
#if GW_HAVE_NGHTTP2_CONTINUATIONS
    nghttp2_option_set_max_continuations(o, 2 * (size_t)GW_H2_CONTINUATIONS_MAX);
#endif
    return true;
}

struct gw_h2_shared *gw_h2_shared_new(struct gw_heap *heap, uint32_t connections_max)
{
    struct gw_h2_shared *shared = gw_heap_zalloc(heap, sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->heap = heap;
    gw_h2_memory_init(&shared->memory, heap,
                      connections_max *
                          (CONNECTION_BYTES + STREAM_BYTES * (uint64_t)STREAMS_USUAL));
    /* Room for any usual head, now: a stream whose head cannot be put together can only wait. */
    shared->nva = gw_heap_alloc(heap, NVA_USUAL * sizeof *shared->nva);
    shared->nva_room = shared->nva == NULL ? 0 : NVA_USUAL;
    if (shared->nva == NULL || !make_tables(shared)) {
        gw_h2_shared_free(shared);
        return NULL;
    }
    return shared;
}

void gw_h2_shared_free(struct gw_h2_shared *shared)
{
    if (shared == NULL)
        return;
    nghttp2_session_callbacks_del(shared->callbacks);
    nghttp2_option_del(shared->options);
    gw_heap_release(shared->heap, shared->nva, shared->nva_room * sizeof *shared->nva);
    gw_h2_memory_fini(&shared->memory);
    gw_heap_release(shared->heap, shared, sizeof *shared);
}

/* nghttp2_mem */

static void *mem_take(size_t size, void *memory)
{
    return gw_h2_memory_take(memory, size);
}

static void mem_give(void *ptr, void *memory)
{
    gw_h2_memory_give(memory, ptr);
}

static void *mem_zero(size_t count, size_t size, void *memory)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *ptr = gw_h2_memory_take(memory, count * size);
    if (ptr != NULL)
        memset(ptr, 0, count * size);
    return ptr;
}

static void *mem_retake(void *ptr, size_t size, void *memory)
{
    return gw_h2_memory_retake(memory, ptr, size);
}

/* Streams */

struct gw_h2_stream *gw_h2_stream_new(struct gw_h2 *h)
{
    struct gw_h2_stream *t = gw_h2_memory_take(&h->shared->memory, sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct gw_h2_stream){ .h = h, .window = h->first_window };
    gw_list_init(&t->dirty);
    gw_list_init(&t->touched);
    gw_list_push_back(&h->streams, &t->all);
    h->live++;
    return t;
}

void gw_h2_stream_attach(struct gw_h2_stream *t, struct gw_stream *s)
{
    GW_ASSERT(t->s == NULL && s->codec == NULL);
    t->s = s;
    t->credited = s->in_pipe->bytes_out;
    s->codec = &t->h->base;
    s->inner = t;
    s->id = t->id;
    t->h->base.streams++;
    t->h->base.streams_ever++;
}

static void stream_free(struct gw_h2_stream *t)
{
    struct gw_h2 *h = t->h;
    GW_ASSERT(t->s == NULL);
    if (h->current == t)
        h->current = NULL;
    if (h->ending == t)
        h->ending = NULL;
    if (h->held_by == t) {
        gw_chain_clear(&h->held);
        h->held_by = NULL;
    }
    gw_list_remove(&t->dirty);
    gw_list_remove(&t->touched);
    gw_list_remove(&t->all);
    gw_h2_memory_give(&h->shared->memory, t);
}

void gw_h2_stream_close(struct gw_h2_stream *t)
{
    GW_ASSERT(!t->is_closed && t->h->live > 0);
    t->is_closed = true;
    t->h->live--;
    gw_list_remove(&t->dirty);
    if (t->s == NULL)
        stream_free(t);
}

void gw_h2_mark_dirty(struct gw_h2_stream *t)
{
    if (!t->is_closed && !gw_list_is_linked(&t->dirty))
        gw_list_push_back(&t->h->dirty, &t->dirty);
}

void gw_h2_note(struct gw_h2_stream *t, uint32_t news)
{
    if (t->s == NULL)
        return;
    t->news |= news;
    if (!gw_list_is_linked(&t->touched))
        gw_list_push_back(&t->h->touched, &t->touched);
}

static void tell(struct gw_h2 *h)
{
    struct gw_list *node;
    while ((node = gw_list_pop_front(&h->touched)) != NULL) {
        struct gw_h2_stream *t = GW_CONTAINER(node, struct gw_h2_stream, touched);
        uint32_t news = t->news;
        t->news = 0;
        gw_stream_tell(&h->owner, t->s, news);
    }
}

void gw_h2_cut_in(struct gw_h2_stream *t, enum gw_reason_id fault, bool by_peer)
{
    struct gw_stream *s = t->s;
    t->is_deaf = true;
    if (s == NULL || s->in == GW_HALF_CUT)
        return;
    s->in = GW_HALF_CUT;
    s->fault = (uint16_t)fault;
    s->by_peer = by_peer;
    if (!s->in_pipe->is_ended)
        s->in_pipe->is_cut = true;
    gw_h2_note(t, GW_NEWS_CUT);
}

void gw_h2_cut(struct gw_h2_stream *t, enum gw_reason_id fault, bool by_peer)
{
    struct gw_stream *s = t->s;
    if (s == NULL || (s->in >= GW_HALF_DONE && s->out >= GW_HALF_DONE))
        return;
    if (s->out < GW_HALF_DONE)
        s->out = GW_HALF_CUT;
    /* A response that is whole stays so, whatever becomes of the rest of its request. */
    if (t->h->is_client && s->in == GW_HALF_DONE)
        gw_h2_note(t, GW_NEWS_ROOM);
    else if (s->in == GW_HALF_CUT)
        gw_h2_note(t, GW_NEWS_CUT);
    else
        gw_h2_cut_in(t, fault, by_peer);
}

void gw_h2_reset(struct gw_h2_stream *t, uint32_t code)
{
    t->is_deaf = true;
    if (t->is_closed || t->is_reset || t->is_reset_due)
        return;
    t->is_reset_due = true;
    t->reset_code = code;
    if (t->id != 0)
        gw_h2_policy_forgive(&t->h->policy, t->id);
    gw_h2_mark_dirty(t);
}

/* Connections */

enum gw_reason_id gw_h2_peer_fault(const struct gw_h2 *h)
{
    return h->is_client ? GW_REASON_upstream_bad_response : GW_REASON_client_h2_error;
}

static void cut_all(struct gw_h2 *h, enum gw_reason_id fault, bool by_peer)
{
    for (struct gw_list *node = h->streams.next; node != &h->streams; node = node->next)
        gw_h2_cut(GW_CONTAINER(node, struct gw_h2_stream, all), fault, by_peer);
}

static void be_over(struct gw_h2 *h, gw_status why, enum gw_reason_id fault)
{
    if (h->base.state != GW_CODEC_OVER) {
        h->base.state = GW_CODEC_OVER;
        h->base.fault = (uint16_t)fault;
        h->lost = why;
    }
}

void gw_h2_terminate(struct gw_h2 *h, enum gw_h2_code code)
{
    if (h->base.state == GW_CODEC_OVER)
        return;
    if (nghttp2_session_terminate_session(h->session, code) != 0) {
        gw_h2_break(h, GW_ENOMEM);
        return;
    }
    gw_h2_terminated(h, code);
}

void gw_h2_terminated(struct gw_h2 *h, uint32_t code)
{
    if (h->base.state == GW_CODEC_OVER)
        return;
    /* The library says INTERNAL_ERROR of itself only: it had no memory. */
    bool is_own = code == GW_H2_INTERNAL_ERROR;
    enum gw_reason_id fault = is_own ? GW_REASON_no_memory : gw_h2_peer_fault(h);
    if (code == GW_H2_ENHANCE_YOUR_CALM && !h->is_client)
        fault = GW_REASON_client_abuse;
    be_over(h, is_own ? GW_ENOMEM : code == GW_H2_ENHANCE_YOUR_CALM ? GW_ELIMIT : GW_EPROTO, fault);
    cut_all(h, fault, !is_own);
}

void gw_h2_blame(struct gw_h2 *h, enum gw_abuse_kind kind)
{
    if (!h->is_client && !gw_abuse_charge(&h->base.abuse, kind, 1, h->now))
        h->is_calm_due = true;
}

void gw_h2_bound_queue(struct gw_h2 *h)
{
    if (nghttp2_session_get_outbound_queue_size(h->session) <= GW_H2_QUEUE_MAX)
        return;
    h->base.abuse.kind = GW_ABUSE_BOUND;
    h->is_calm_due = true;
}

void gw_h2_calm(struct gw_h2 *h)
{
    if (h->is_calm_due)
        gw_h2_terminate(h, GW_H2_ENHANCE_YOUR_CALM);
    h->is_calm_due = false;
}

void gw_h2_break(struct gw_h2 *h, gw_status why)
{
    enum gw_reason_id fault = why == GW_ENOMEM ? GW_REASON_no_memory : gw_h2_peer_fault(h);
    h->wants_last_words = !h->is_broken && !h->is_mid_block && h->unsent_len == 0;
    h->is_broken = true;
    be_over(h, why, fault);
    cut_all(h, fault, why != GW_ENOMEM);
}

/* Draining ends when the last stream has gone. */
static void settle(struct gw_h2 *h)
{
    bool is_last = h->is_goaway_sent || h->has_goaway_in || h->is_client;
    if (h->base.state == GW_CODEC_DRAINING && is_last && h->live == 0 && h->base.streams == 0 &&
        !(h->wants_goaway && !h->is_goaway_sent))
        be_over(h, GW_EOF, GW_REASON_none);
}

static uint32_t settings_of(const struct gw_h2 *h, nghttp2_settings_entry *iv)
{
    uint32_t n = 0;
    if (h->is_client)
        iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
    iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h->first_window };
    iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                                        h->limits->head_bytes_max };
    iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 };
    return n;
}

static bool start(struct gw_h2 *h)
{
    nghttp2_mem mem = { &h->shared->memory, mem_take, mem_give, mem_zero, mem_retake };
    nghttp2_settings_entry iv[4];
    uint32_t n = settings_of(h, iv);
    int rv = h->is_client ? nghttp2_session_client_new3(&h->session, h->shared->callbacks, h,
                                                        h->shared->options, &mem)
                          : nghttp2_session_server_new3(&h->session, h->shared->callbacks, h,
                                                        h->shared->options, &mem);
    if (rv != 0) {
        h->session = NULL;
        return false;
    }
    return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, iv, n) == 0 &&
           nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                 GW_H2_CONNECTION_WINDOW) == 0;
}

/* One block, so that what is promised is there; whole KiB, as others' windows are. */
static uint32_t first_window(const struct gw_h2 *h)
{
    uint32_t window = h->pool->block_bytes & ~1023u;
    if (window < 1024)
        window = 1024;
    if (window > GW_H2_QUANTUM)
        window = GW_H2_QUANTUM;
    return window < h->limits->pipe_bytes_max ? window : h->limits->pipe_bytes_max;
}

static void h2_free(struct gw_codec *c)
{
    struct gw_h2 *h = gw_h2_of(c);
    GW_ASSERT(c->streams == 0);
    nghttp2_session_del(h->session);
    while (!gw_list_is_empty(&h->streams))
        stream_free(GW_CONTAINER(h->streams.next, struct gw_h2_stream, all));
    gw_chain_clear(&h->held);
    gw_h2_memory_give(&h->shared->memory, h);
}

static gw_status h2_read(struct gw_codec *c, struct gw_chain *rx, gw_nanos now)
{
    struct gw_h2 *h = gw_h2_of(c);
    h->now = now;
    if (c->state != GW_CODEC_OVER)
        gw_h2_receive(h, rx);
    if (c->state == GW_CODEC_OVER)
        gw_chain_clear(rx);
    if (!c->is_window_known && !h->is_broken)
        c->is_window_known = nghttp2_session_get_local_settings(
                                 h->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) ==
                             h->first_window;
    tell(h);
    settle(h);
    c->is_head_pending = c->state != GW_CODEC_OVER &&
                         (h->preface_left > 0 || !h->policy.has_settings || h->is_block ||
                          h->policy.block_id != 0);
    return c->state == GW_CODEC_OVER && h->lost != GW_EOF ? h->lost : GW_OK;
}

static void h2_read_end(struct gw_codec *c, gw_status why, gw_nanos now)
{
    struct gw_h2 *h = gw_h2_of(c);
    h->now = now;
    for (struct gw_list *node = h->streams.next; node != &h->streams; node = node->next) {
        struct gw_h2_stream *t = GW_CONTAINER(node, struct gw_h2_stream, all);
        struct gw_stream *s = t->s;
        if (s == NULL)
            continue;
        bool is_new = h->is_client && s->out <= GW_HALF_HEAD;
        enum gw_reason_id fault = !h->is_client      ? GW_REASON_client_closed
                                  : t->has_head_in   ? GW_REASON_upstream_cut
                                  : why == GW_ERESET ? GW_REASON_upstream_reset
                                                     : GW_REASON_upstream_closed;
        if (!h->is_client && why == GW_ERESET)
            fault = GW_REASON_client_reset;
        if (gw_status_category(why) == GW_CAT_LIMIT)
            fault = GW_REASON_no_memory;
        if (is_new && s->in < GW_HALF_DONE)
            s->is_refused = true;
        s->is_silent = h->is_client && s->in == GW_HALF_IDLE;
        gw_h2_cut(t, fault, why == GW_EOF || why == GW_ERESET);
    }
    be_over(h, GW_EOF, GW_REASON_none);
    h->is_broken = true; /* nobody is left to be written to */
    c->is_head_pending = false;
    tell(h);
}

static bool h2_wants_read(const struct gw_codec *c, size_t rx_len)
{
    (void)rx_len; /* windows hold the peer back, not the connection */
    return c->state != GW_CODEC_OVER;
}

static bool h2_wants_write(const struct gw_codec *c)
{
    const struct gw_h2 *h = (const struct gw_h2 *)(const void *)c;
    if (h->is_broken)
        return h->wants_last_words;
    return h->unsent_len > 0 || !gw_list_is_empty(&h->dirty) ||
           (!h->is_client && !h->has_limit_out) || (h->wants_notice && !h->has_notice_out) ||
           (h->wants_goaway && !h->has_goaway_out) || nghttp2_session_want_write(h->session) != 0;
}

static gw_status h2_write(struct gw_codec *c, struct gw_chain *tx, size_t mark, gw_nanos now)
{
    struct gw_h2 *h = gw_h2_of(c);
    h->now = now;
    h->tx = tx;
    h->mark = mark;
    gw_status status = gw_h2_send(h);
    h->tx = NULL;
    tell(h);
    settle(h);
    return status;
}

static bool h2_can_open(const struct gw_codec *c)
{
    const struct gw_h2 *h = (const struct gw_h2 *)(const void *)c;
    if (!h->is_client || c->state != GW_CODEC_OPEN ||
        nghttp2_session_check_request_allowed(h->session) == 0)
        return false;
    return h->live <
           nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

static gw_status h2_open(struct gw_codec *c, struct gw_stream *s)
{
    struct gw_h2 *h = gw_h2_of(c);
    GW_ASSERT(h->is_client && s->out == GW_HALF_HEAD && s->out_head != NULL);
    if (!h2_can_open(c))
        return GW_AGAIN;
    struct gw_h2_stream *t = gw_h2_stream_new(h);
    if (t == NULL)
        return GW_ENOMEM;
    gw_h2_stream_attach(t, s);
    gw_h2_mark_dirty(t);
    return GW_OK;
}

static void h2_advance(struct gw_codec *c, struct gw_stream *s)
{
    struct gw_h2_stream *t = s->inner;
    GW_ASSERT(s->codec == c && t->s == s);
    (void)c;
    if (t->is_closed || t->is_reset || t->is_reset_due || s->out == GW_HALF_CUT)
        return;
    bool has_head = !t->is_submitted && s->out == GW_HALF_HEAD;
    bool has_body = t->is_deferred && s->out_pipe != NULL &&
                    (gw_pipe_len(s->out_pipe) > 0 || s->out_pipe->is_ended);
    if (has_head || has_body || s->out_info != NULL || gw_h2_is_credit_due(t))
        gw_h2_mark_dirty(t);
}

static void h2_reset(struct gw_codec *c, struct gw_stream *s, uint32_t h2_code)
{
    struct gw_h2_stream *t = s->inner;
    GW_ASSERT(s->codec == c && t->s == s);
    (void)c;
    gw_h2_reset(t, h2_code);
    if (s->in < GW_HALF_DONE)
        s->in = GW_HALF_CUT;
    if (s->out < GW_HALF_DONE)
        s->out = GW_HALF_CUT;
}

static void h2_detach(struct gw_codec *c, struct gw_stream *s)
{
    struct gw_h2 *h = gw_h2_of(c);
    struct gw_h2_stream *t = s->inner;
    GW_ASSERT(s->codec == c && t->s == s && c->streams > 0);
    /* RFC 9113 8.1: a server that has said all may ask the client to stop without an error. */
    if (s->in != GW_HALF_DONE || s->out != GW_HALF_DONE)
        gw_h2_reset(t, !h->is_client && s->out == GW_HALF_DONE ? GW_H2_NO_ERROR : GW_H2_CANCEL);
    gw_list_remove(&t->touched);
    t->s = NULL;
    t->target = NULL;
    t->block = GW_H2_BLOCK_IGNORED; /* the rest of a head that is half here goes nowhere */
    s->codec = NULL;
    s->inner = NULL;
    c->streams--;
    if (h->held_by == t) {
        gw_chain_clear(&h->held);
        h->held_by = NULL;
    }
    if (t->is_closed)
        stream_free(t);
    else if (t->id == 0) /* never came to be */
        gw_h2_stream_close(t);
    settle(h);
}

static void h2_drain(struct gw_codec *c, bool is_final)
{
    struct gw_h2 *h = gw_h2_of(c);
    if (c->state == GW_CODEC_OVER)
        return;
    c->state = GW_CODEC_DRAINING;
    h->wants_notice = h->wants_notice || !h->is_client;
    h->wants_goaway = h->wants_goaway || is_final;
    settle(h);
}

/* The tables of both sides would have to begin anew. */
static bool h2_is_spare(const struct gw_codec *c)
{
    (void)c;
    return false;
}

static const struct gw_codec_ops ops = {
    .name = "h2",
    .protocol = GW_PROTO_H2,
    .read = h2_read,
    .read_end = h2_read_end,
    .wants_read = h2_wants_read,
    .wants_write = h2_wants_write,
    .write = h2_write,
    .can_open = h2_can_open,
    .open = h2_open,
    .advance = h2_advance,
    .reset = h2_reset,
    .detach = h2_detach,
    .drain = h2_drain,
    .is_spare = h2_is_spare,
    .free = h2_free,
};

struct gw_codec *gw_h2_new(const struct gw_codec_spec *spec, struct gw_h2_shared *shared,
                           gw_nanos now)
{
    struct gw_h2 *h = gw_h2_memory_take(&shared->memory, sizeof *h);
    if (h == NULL)
        return NULL;
    *h = (struct gw_h2){ .base = { .ops = &ops, .is_head_pending = !spec->is_client },
                         .shared = shared,
                         .heap = spec->heap,
                         .pool = spec->pool,
                         .owner = *spec->owner,
                         .limits = spec->limits,
                         .now = now,
                         .is_client = spec->is_client,
                         .preface_left = spec->is_client ? 0 : GW_H2_PREFACE_LEN };
    gw_list_init(&h->streams);
    gw_list_init(&h->dirty);
    gw_list_init(&h->touched);
    gw_list_init(&h->resting);
    gw_chain_init(&h->held, h->pool);
    gw_h2_policy_init(&h->policy, h->is_client, &h->base.abuse);
    h->first_window = first_window(h);
    if (!start(h)) {
        h2_free(&h->base);
        return NULL;
    }
    return &h->base;
}
