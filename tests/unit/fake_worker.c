/* unit/fake_worker.c: see fake_worker.h. */
#include "fake_worker.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/spec.h"

static void *take(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}
static void give(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

void fake_engine_init(struct gw_engine *e)
{
    *e = (struct gw_engine){ .allocator = { NULL, take, give } };
}

const gw_allocator *gw_engine_allocator(const gw_engine *e)
{
    return &e->allocator;
}

void gw_worker_misused(gw_worker *w, enum gw_misuse_id what)
{
    (void)w;
    (void)what;
}

struct gw_link *fake_first_link(gw_worker *w)
{
    return gw_list_is_empty(&w->links) ? NULL : GW_CONTAINER(w->links.next, struct gw_link, node);
}

/* The worker's calls. */

gw_status gw_worker_new(gw_engine *e, const gw_worker_spec *spec, gw_worker **out)
{
    gw_worker *w = e->allocator.alloc(e->allocator.ctx, sizeof(*w));
    if (w == NULL)
        return GW_ENOMEM;
    memset(w, 0, sizeof(*w));
    ck_assert_int_eq(gw_spec_copy(&w->spec, sizeof(w->spec), spec), GW_OK);
    w->allocator = e->allocator;
    gw_list_init(&w->links);
    w->links_max = 1000;
    w->room_bytes = 4096;
    w->rooms_max = 8;
    w->span_bytes = 1000;
    w->deadline = UINT64_MAX;
    e->worker = w;
    *out = w;
    return GW_OK;
}

static struct gw_link *new_link(gw_worker *w, void *io)
{
    struct gw_link *l = calloc(1, sizeof(*l));
    ck_assert_ptr_nonnull(l);
    l->worker = w;
    l->io = io;
    l->peer = l;
    gw_list_push_back(&w->links, &l->node);
    w->links_len++;
    return l;
}

static void copy_name(char *out, gw_str name)
{
    ck_assert_uint_lt(name.len, 128);
    if (name.len > 0)
        memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
}

gw_status gw_worker_accept(gw_worker *w, const gw_accept_spec *spec, gw_link **out)
{
    gw_status status = w->is_draining                    ? GW_ESTATE
                       : w->accept_status != GW_OK       ? w->accept_status
                       : w->links_len + 2 > w->links_max ? GW_ELIMIT
                                                         : GW_OK;
    if (status != GW_OK) {
        w->refused++;
        return status;
    }
    struct gw_link *l = new_link(w, spec->io);
    l->is_open = true;
    copy_name(l->peer_name, spec->facts->peer);
    copy_name(l->local_name, spec->facts->local);
    copy_name(w->listener, spec->listener);
    if (w->target != NULL) {
        l->peer = new_link(w, NULL);
        l->peer->peer = l;
        l->peer->is_connecting = true;
    }
    w->accepted++;
    *out = l;
    return GW_OK;
}

static void want_close(struct gw_link *l)
{
    const gw_io_ops *ops = l->worker->spec.ops;
    if (l->is_close_begun || l->is_closed)
        return;
    l->is_close_begun = true;
    ops->close(l->worker->spec.io, l);
}

static void lose(struct gw_link *l)
{
    l->is_lost = true;
}

static void begin_connect(struct gw_link *l)
{
    gw_destination to = GW_SPEC(gw_destination);
    to.address = gw_cstr(l->worker->target);
    l->is_connect_begun = true;
    gw_status status = l->worker->spec.ops->connect(l->worker->spec.io, l, &to);
    if (status != GW_OK) {
        ck_assert(l->is_connecting);
        l->worker->last_connect_status = status;
        lose(l);
    }
}

size_t gw_link_unsent(const gw_link *l, gw_const_span *out, size_t max)
{
    size_t n = 0, at = 0, span = l->worker->span_bytes;
    while (!l->is_lost && n < max && at < l->out_len) {
        size_t len = l->out_len - at < span ? l->out_len - at : span;
        out[n++] = (gw_const_span){ l->out + l->out_at + at, len };
        at += len;
    }
    return n;
}

static void begin_send(struct gw_link *l)
{
    gw_const_span v[64];
    size_t n = gw_link_unsent(l, v, 64);
    l->is_send_pending = true;
    gw_status status = l->worker->spec.ops->send(l->worker->spec.io, l, v, n);
    memset(v, 0xee, sizeof(v)); /* the spans themselves do not live on */
    if (status != GW_OK) {
        l->is_send_pending = false;
        lose(l);
    }
}

static void advance(struct gw_link *l)
{
    gw_worker *w = l->worker;
    const gw_io_ops *ops = w->spec.ops;
    if (l->is_connecting && !l->is_connect_begun)
        begin_connect(l);
    if (l->is_lost || (l->is_read_ended && l->is_shut) || l->peer->is_lost) {
        want_close(l);
        return;
    }
    if (!l->is_open)
        return;
    if (!w->does_not_read && !l->is_read_ended && !l->is_recv_pending &&
        l->peer->out_len < FAKE_BUFFER / 2) {
        l->is_recv_pending = true;
        ck_assert_int_eq(ops->recv(w->spec.io, l), GW_OK);
    }
    if (l->out_len > 0 && !l->is_send_pending)
        begin_send(l);
    if (l->peer->is_read_ended && l->out_len == 0 && !l->is_shut && !l->is_shutdown_pending) {
        l->is_shutdown_pending = true;
        if (ops->shutdown(w->spec.io, l) != GW_OK)
            lose(l);
    }
}

void gw_worker_keep(gw_worker *w)
{
    ck_assert(!w->in_step);
}

gw_status gw_worker_turn(gw_worker *w, gw_nanos now)
{
    struct gw_list *next;
    ck_assert(!w->in_step);
    ck_assert_uint_ge(now, w->now);
    w->in_step = true;
    w->now = now;
    w->steps++;
    if (w->in_hook != NULL)
        w->in_hook(w->hook_ctx);
    if (w->deadline <= now)
        w->deadline = UINT64_MAX;
    for (struct gw_list *at = w->links.next; at != &w->links; at = at->next)
        advance(GW_CONTAINER(at, struct gw_link, node));
    for (struct gw_list *at = w->links.next; at != &w->links; at = next) {
        struct gw_link *l = GW_CONTAINER(at, struct gw_link, node);
        next = at->next;
        if (!l->is_closed || !l->peer->is_closed)
            continue;
        if (l->peer != l) {
            l->peer->peer = l->peer;
            l->peer = l;
        }
        gw_list_remove(&l->node);
        free(l);
        w->links_len--;
    }
    w->in_step = false;
    gw_status status = w->step_status;
    w->step_status = GW_OK;
    return status;
}

gw_nanos gw_worker_deadline(const gw_worker *w)
{
    return w->deadline;
}

gw_status gw_worker_drain(gw_worker *w, uint32_t grace_ms)
{
    w->is_draining = true;
    w->deadline = w->now + (gw_nanos)grace_ms * 1000000;
    return GW_OK;
}

bool gw_worker_is_idle(const gw_worker *w)
{
    return gw_list_is_empty(&w->links);
}

void gw_worker_end(gw_worker *w)
{
    if (w == NULL)
        return;
    while (!gw_list_is_empty(&w->links))
        free(GW_CONTAINER(gw_list_pop_front(&w->links), struct gw_link, node));
    w->spec.wake_done(w->spec.wake_ctx);
    w->allocator.release(w->allocator.ctx, w, sizeof(*w));
}

/* The links' calls. */

void *gw_link_io(const gw_link *l)
{
    return l->io;
}

void gw_link_set_io(gw_link *l, void *io)
{
    l->io = io;
}

gw_status gw_link_get_destination(const gw_link *l, gw_destination *out)
{
    out->address = gw_cstr(l->worker->target);
    return GW_OK;
}

/* A report inside a step is acted upon in the next, which must then come soon. */
static void look_again(struct gw_link *l)
{
    if (l->worker->in_step)
        l->worker->step_status = GW_AGAIN;
}

void gw_link_connected(gw_link *l, gw_status result, const gw_facts *facts)
{
    ck_assert(l->is_connecting && l->is_connect_begun && !l->is_closed);
    look_again(l);
    l->is_connecting = false;
    l->connect_status = l->worker->last_connect_status = result;
    l->is_open = result == GW_OK;
    if (result != GW_OK)
        lose(l);
    else
        copy_name(l->peer_name, facts->peer);
}

size_t gw_link_room(gw_link *l, gw_span *out, size_t max)
{
    struct gw_link *to = l->peer;
    size_t n = 0, at = to->out_at + to->out_len, room = l->worker->room_bytes;
    ck_assert(l->is_recv_pending && !l->is_closed && !l->worker->in_step);
    while (n < max && n < l->worker->rooms_max && at + room <= FAKE_BUFFER) {
        out[n] = l->rooms[n] = (gw_span){ to->out + at, room };
        at += room;
        n++;
    }
    l->rooms_len = n;
    if (n == 0)
        l->is_recv_pending = false;
    return n;
}

void gw_link_received(gw_link *l, size_t len, gw_status result)
{
    ck_assert(l->is_recv_pending && !l->is_closed && !l->is_read_ended);
    ck_assert_uint_le(len, l->rooms_len * l->worker->room_bytes);
    ck_assert(len == 0 || result == GW_OK || result == GW_AGAIN);
    l->is_recv_pending = false;
    l->rooms_len = 0;
    l->last_result = result;
    l->received += len;
    l->reads++;
    l->peer->out_len += len;
    if (result == GW_OK || result == GW_AGAIN)
        return;
    l->is_read_ended = true;
    l->read_status = l->worker->last_read_status = result;
    if (result != GW_EOF)
        lose(l);
}

void gw_link_sent(gw_link *l, size_t len, gw_status result)
{
    ck_assert(!l->is_closed);
    if (len == 0 && result == GW_EOF) {
        ck_assert(l->is_shutdown_pending && !l->is_shut);
        l->is_shut = true;
        look_again(l);
        return;
    }
    ck_assert(l->is_send_pending);
    ck_assert_uint_le(len, l->out_len);
    l->is_send_pending = false;
    l->sent += len;
    l->sends++;
    l->out_at += len;
    l->out_len -= len;
    if (l->peer->rooms_len == 0) { /* none behind it is lent */
        memmove(l->out, l->out + l->out_at, l->out_len);
        l->out_at = 0;
    }
    if (l->out_len > 0 || l->peer->is_read_ended)
        look_again(l);
    if (result != GW_OK && result != GW_AGAIN) {
        l->send_status = l->worker->last_send_status = result;
        lose(l);
    }
}

void gw_link_closed(gw_link *l)
{
    ck_assert(!l->is_closed && l->is_close_begun);
    l->is_closed = true;
    l->worker->closed++;
}
