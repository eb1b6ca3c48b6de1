/* loop/epoll.c: waiting with epoll. Each descriptor is added once, edge-triggered, for everything; the
 * watches remember, so there is no epoll_ctl in steady state and a closed descriptor leaves by itself.
 */
#define _GNU_SOURCE
#include "loop/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

static gw_status open_epoll(struct gw_loop *loop)
{
    size_t bytes = EVENTS_MAX * sizeof(struct epoll_event);
    struct epoll_event *events = gw_heap_alloc(&loop->heap, bytes);
    if (events == NULL)
        return GW_ENOMEM;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        gw_heap_release(&loop->heap, events, bytes);
        return gw_socket_status(errno);
    }
    loop->memory = events;
    loop->memory_bytes = bytes;
    loop->fd = fd;
    return GW_OK;
}

static void close_epoll(struct gw_loop *loop)
{
    gw_heap_release(&loop->heap, loop->memory, loop->memory_bytes);
    loop->memory = NULL;
    if (loop->fd >= 0)
        close(loop->fd);
    loop->fd = -1;
}

static gw_status add(struct gw_loop *loop, struct gw_watch *w)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = gw_watch_id(w),
    };
    if (w->kind != GW_WATCH_LINK)
        event.events = EPOLLIN | EPOLLET;
    if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, w->fd, &event) != 0)
        return errno == ENOSPC || errno == ENOMEM ? GW_ELIMIT : GW_EIO;
    return GW_OK;
}

/* Closing the last copy of a descriptor takes it out; only the host can have another. */
static void drop(struct gw_loop *loop, struct gw_watch *w)
{
    struct epoll_event event = { 0 };
    if ((w->flags & GW_WATCH_GIVEN) != 0)
        (void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, w->fd, &event);
}

static gw_status wait_epoll(struct gw_loop *loop, int timeout_ms)
{
    struct epoll_event *events = loop->memory;
    int n = epoll_wait(loop->fd, events, EVENTS_MAX, timeout_ms);
    if (n < 0)
        return errno == EINTR ? GW_OK : GW_EIO;
    for (int i = 0; i < n; i++) {
        uint32_t seen = events[i].events, flags = 0;
        if ((seen & EPOLLIN) != 0)
            flags |= GW_WATCH_READABLE;
        if ((seen & EPOLLOUT) != 0)
            flags |= GW_WATCH_WRITABLE;
        if ((seen & EPOLLRDHUP) != 0)
            flags |= GW_WATCH_HUNG_UP;
        if ((seen & (EPOLLHUP | EPOLLERR)) != 0) /* a send tells the error, too */
            flags |= GW_WATCH_HUNG_UP | GW_WATCH_WRITABLE;
        gw_loop_note(loop, events[i].data.u64, flags);
    }
    return GW_OK;
}

const struct gw_poller gw_poller_epoll = {
    .name = "epoll",
    .open = open_epoll,
    .close = close_epoll,
    .add = add,
    .drop = drop,
    .wait = wait_epoll,
};
