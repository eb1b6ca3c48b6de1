/* loop/listen.c: where links come from: listeners, and sockets that the host hands over.
 *
 * What cannot be taken now stays where it is: with no descriptor left, in the listen queue; with no
 * link left, in the listener's hand, still unread. The listener pauses until a link has closed, the
 * configuration may have changed, or a little time has passed; it neither spins nor closes.
 */
#include "loop/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/spec.h"
#include "base/timer.h"

enum { ACCEPTS_A_TURN = 64, ACCEPTS_AT_END = 65536, PAUSE_MS = 100, BACKLOG = 1024 };

static bool can_return(const struct gw_loop *loop, const gw_accept_spec *spec)
{
    return (spec->flags & GW_ACCEPT_RETURN) == 0 || loop->on_return != NULL;
}

/* Makes fd a link; fd is taken on success. */
static gw_status enter(struct gw_loop *loop, int fd, gw_accept_spec *spec, uint8_t flags,
                       gw_link **out)
{
    gw_link *link;
    struct gw_watch *w = gw_watch_new(loop, GW_WATCH_LINK, -1);
    if (w == NULL)
        return GW_ENOMEM;
    spec->io = w;
    w->flags = GW_WATCH_WRITABLE | flags;
    gw_status status = gw_worker_accept(loop->worker, spec, &link);
    if (status != GW_OK) {
        gw_watch_free(loop, w);
        return status;
    }
    w->of.link = link;
    w->fd = fd;
    /* Nobody would tell when bytes come: the link finds its end at once. */
    if (loop->poller->add(loop, w) != GW_OK) {
        (void)shutdown(fd, SHUT_RDWR);
        w->flags |= GW_WATCH_READABLE | GW_WATCH_HUNG_UP;
    }
    *out = link;
    return GW_OK;
}

static gw_status enter_accepted(gw_listener *listener, int fd, struct gw_socket_name *peer)
{
    struct gw_socket_name local;
    gw_facts facts = GW_SPEC(gw_facts);
    gw_accept_spec spec = listener->accept;
    gw_link *link;
    facts.peer = gw_socket_name_str(peer);
    facts.local = gw_socket_name_str(&listener->local);
    if (listener->is_wild) {
        gw_socket_local(fd, &local);
        facts.local = gw_socket_name_str(&local);
    }
    spec.facts = &facts;
    return enter(listener->loop, fd, &spec, 0, &link);
}

static void hold_off(gw_listener *listener)
{
    struct gw_loop *loop = listener->loop;
    gw_nanos when = loop->now + GW_MS(PAUSE_MS);
    listener->watch->flags |= GW_WATCH_PAUSED;
    if (when < loop->resume_at)
        loop->resume_at = when;
}

/* False: fd is held, and the listener pauses. A worker that drains takes nobody any more. */
static bool offer(gw_listener *listener, int fd, struct gw_socket_name *peer)
{
    gw_status status = enter_accepted(listener, fd, peer);
    if (status == GW_OK)
        return true;
    if (status == GW_ESTATE || status == GW_EINVAL) {
        close(fd);
        return true;
    }
    listener->held = fd;
    hold_off(listener);
    return false;
}

static bool offer_held(gw_listener *listener)
{
    struct gw_socket_name peer;
    int fd = listener->held;
    if (fd < 0)
        return true;
    listener->held = -1;
    gw_socket_peer(fd, &peer);
    return offer(listener, fd, &peer);
}

/* Up to max connections. */
static void take(gw_listener *listener, uint32_t max)
{
    struct gw_watch *w = listener->watch;
    struct gw_socket_name peer;
    int fd;
    if (!offer_held(listener))
        return;
    for (uint32_t i = 0; i < max; i++) {
        switch (gw_socket_accept(w->fd, &fd, &peer)) {
        case GW_OK:
            if (!offer(listener, fd, &peer))
                return;
            break;
        case GW_ERESET:
            break;
        case GW_ELIMIT:
            hold_off(listener);
            return;
        default: /* empty, or broken: an edge may come */
            w->flags &= (uint8_t)~GW_WATCH_READABLE;
            return;
        }
    }
}

void gw_listener_gather(struct gw_loop *loop, gw_listener *listener)
{
    take(listener, ACCEPTS_A_TURN);
    gw_watch_ready(loop, listener->watch);
}

void gw_listeners_resume(struct gw_loop *loop)
{
    if (loop->resume_at == UINT64_MAX || (loop->resume_at > loop->now && !loop->has_room_again))
        return;
    loop->resume_at = UINT64_MAX;
    for (struct gw_list *at = loop->listeners.next; at != &loop->listeners; at = at->next) {
        struct gw_watch *w = GW_CONTAINER(at, gw_listener, node)->watch;
        if (w == NULL || (w->flags & GW_WATCH_PAUSED) == 0)
            continue;
        w->flags &= (uint8_t)~GW_WATCH_PAUSED;
        gw_watch_ready(loop, w);
    }
}

/* Connections that the system has finished would be cut off with the listener: they are taken. */
static void shut(gw_listener *listener)
{
    if (listener->watch == NULL)
        return;
    take(listener, ACCEPTS_AT_END);
    if (listener->held >= 0)
        close(listener->held);
    listener->held = -1;
    gw_watch_free(listener->loop, listener->watch);
    listener->watch = NULL;
}

void gw_listeners_drain(struct gw_loop *loop)
{
    for (struct gw_list *at = loop->listeners.next; at != &loop->listeners; at = at->next)
        shut(GW_CONTAINER(at, gw_listener, node));
}

static void release(gw_listener *listener)
{
    struct gw_heap *heap = &listener->loop->heap;
    gw_list_remove(&listener->node);
    gw_heap_release_str(heap, listener->accept.listener);
    gw_heap_release(heap, listener, sizeof(*listener));
}

void gw_listeners_fini(struct gw_loop *loop)
{
    while (!gw_list_is_empty(&loop->listeners)) {
        gw_listener *listener = GW_CONTAINER(loop->listeners.next, gw_listener, node);
        if (listener->held >= 0)
            close(listener->held);
        if (listener->watch != NULL)
            gw_watch_free(loop, listener->watch);
        release(listener);
    }
}

static gw_status listener_new(struct gw_loop *loop, const gw_listen_spec *spec, int fd,
                              uint8_t flags, gw_listener **out)
{
    gw_accept_spec accept = { 0 };
    gw_status status = gw_spec_copy(&accept, sizeof(accept), spec->accept);
    if (status == GW_OK && !can_return(loop, &accept))
        status = GW_EINVAL;
    if (status != GW_OK)
        return status;
    gw_listener *listener = gw_heap_zalloc(&loop->heap, sizeof(*listener));
    if (listener == NULL)
        return GW_ENOMEM;
    gw_list_init(&listener->node);
    listener->loop = loop;
    listener->held = -1;
    listener->accept = accept;
    listener->accept.facts = NULL;
    listener->accept.early = (gw_const_span){ NULL, 0 };
    status = gw_heap_copy(&loop->heap, accept.listener, &listener->accept.listener);
    if (status != GW_OK)
        goto fail;
    status = GW_ENOMEM;
    struct gw_watch *w = gw_watch_new(loop, GW_WATCH_LISTENER, -1);
    if (w == NULL)
        goto fail;
    w->fd = fd;
    w->of.listener = listener;
    w->flags = flags;
    status = loop->poller->add(loop, w);
    if (status != GW_OK) {
        w->fd = -1; /* still the caller's */
        gw_watch_free(loop, w);
        goto fail;
    }
    listener->watch = w;
    listener->is_wild = gw_socket_is_wild(fd);
    gw_socket_local(fd, &listener->local);
    gw_list_push_back(&loop->listeners, &listener->node);
    *out = listener;
    return GW_OK;
fail:
    release(listener);
    return status;
}

gw_status gw_loop_listen_fd(gw_loop *loop, int fd, const gw_listen_spec *spec, gw_listener **out)
{
    gw_listen_spec own = { 0 };
    gw_listener *listener;
    gw_status status = gw_spec_copy(&own, sizeof(own), spec);
    if (status == GW_OK && (loop == NULL || own.accept == NULL))
        status = GW_EINVAL;
    if (status == GW_OK && loop->is_draining)
        status = GW_ESTATE;
    if (status == GW_OK)
        status = gw_socket_is_listening(fd) ? gw_socket_adopt(fd) : GW_EINVAL;
    if (status == GW_OK)
        status = listener_new(loop, &own, fd, GW_WATCH_GIVEN, &listener);
    if (status == GW_OK && out != NULL)
        *out = listener;
    return status;
}

gw_status gw_listen_open(const gw_listen_spec *spec, int *fd)
{
    gw_listen_spec own = { 0 };
    gw_address address;
    gw_status status = gw_spec_copy(&own, sizeof(own), spec);
    if (status != GW_OK)
        return status;
    if (fd == NULL || gw_address_parse(own.address, &address) != GW_OK || own.backlog > INT32_MAX)
        return GW_EINVAL;
    return gw_socket_listen(&address, own.flags, own.backlog == 0 ? BACKLOG : (int)own.backlog, fd);
}

gw_status gw_loop_listen(gw_loop *loop, const gw_listen_spec *spec, gw_listener **out)
{
    gw_listen_spec own = { 0 };
    gw_listener *listener;
    int fd;
    gw_status status = gw_spec_copy(&own, sizeof(own), spec);
    if (status != GW_OK)
        return status;
    if (loop == NULL || own.accept == NULL)
        return GW_EINVAL;
    if (loop->is_draining)
        return GW_ESTATE;
    status = gw_listen_open(&own, &fd);
    if (status != GW_OK)
        return status;
    status = listener_new(loop, &own, fd, 0, &listener);
    if (status != GW_OK) {
        close(fd);
        return status;
    }
    if (out != NULL)
        *out = listener;
    return GW_OK;
}

static size_t copy_name(const struct gw_socket_name *name, char *out, size_t max)
{
    if (out == NULL || name->len > max)
        return 0;
    for (size_t i = 0; i < name->len; i++)
        out[i] = name->text[i];
    return name->len;
}

size_t gw_listener_address(const gw_listener *l, char *out, size_t max)
{
    return l != NULL ? copy_name(&l->local, out, max) : 0;
}

size_t gw_listen_address(int fd, char *out, size_t max)
{
    struct gw_socket_name name;
    gw_socket_local(fd, &name);
    return copy_name(&name, out, max);
}

int gw_listener_fd(const gw_listener *l)
{
    return l != NULL && l->watch != NULL ? l->watch->fd : -1;
}

void gw_listener_close(gw_listener *l)
{
    if (l == NULL)
        return;
    struct gw_loop *loop = l->loop;
    shut(l);
    release(l);
    gw_clock_set(loop);
}

gw_status gw_loop_adopt(gw_loop *loop, int fd, const gw_accept_spec *spec, gw_link **out)
{
    struct gw_socket_name peer, local;
    gw_facts facts = GW_SPEC(gw_facts);
    gw_accept_spec own = { 0 };
    gw_link *link;
    gw_status status = gw_spec_copy(&own, sizeof(own), spec);
    if (status == GW_OK && (loop == NULL || !can_return(loop, &own)))
        status = GW_EINVAL;
    if (status == GW_OK)
        status = gw_socket_adopt(fd);
    if (status != GW_OK)
        return status;
    if (own.facts == NULL) {
        gw_socket_peer(fd, &peer);
        gw_socket_local(fd, &local);
        facts.peer = gw_socket_name_str(&peer);
        facts.local = gw_socket_name_str(&local);
        own.facts = &facts;
    }
    status = enter(loop, fd, &own, GW_WATCH_GIVEN, &link);
    gw_clock_set(loop);
    if (status == GW_OK && out != NULL)
        *out = link;
    return status;
}
