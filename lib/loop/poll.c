/* loop/poll.c: waiting with poll, where there is nothing better. Only what is wanted and not known to
 * be ready is asked for, so that the same watches work with levels as with edges, and a hung-up
 * descriptor that nobody reads does not make the loop spin. The list is written anew for each wait:
 * the kernel walks all of it anyway.
 */
#define _GNU_SOURCE
#include "loop/loop.h"

#include <errno.h>
#include <poll.h>

#include "base/assert.h"

/* One block of memory: the ids of what is asked, then the list for the system. */
static uint64_t *ids_of(const struct gw_loop *loop)
{
    return loop->memory;
}
static struct pollfd *list_of(const struct gw_loop *loop)
{
    return (struct pollfd *)(void *)((char *)loop->memory + loop->memory_len * sizeof(uint64_t));
}

static void close_poll(struct gw_loop *loop)
{
    gw_heap_release(&loop->heap, loop->memory, loop->memory_bytes);
    loop->memory = NULL;
    loop->memory_bytes = 0;
    loop->memory_len = 0;
}

static gw_status open_poll(struct gw_loop *loop)
{
    loop->fd = -1;
    return GW_OK;
}

/* The list has room for every watch there is, so that waiting cannot fail for memory. */
static gw_status add(struct gw_loop *loop, struct gw_watch *w)
{
    uint32_t room = gw_watches_room(loop);
    (void)w;
    if (room <= loop->memory_len)
        return GW_OK;
    size_t bytes = room * (sizeof(uint64_t) + sizeof(struct pollfd));
    void *memory = gw_heap_alloc(&loop->heap, bytes);
    if (memory == NULL)
        return GW_ENOMEM;
    close_poll(loop);
    loop->memory = memory;
    loop->memory_bytes = bytes;
    loop->memory_len = room;
    return GW_OK;
}

static void drop(struct gw_loop *loop, struct gw_watch *w)
{
    (void)loop;
    (void)w;
}

static short wanted(const struct gw_watch *w)
{
    uint32_t flags = w->flags;
    short events = 0;
    switch ((enum gw_watch_kind)w->kind) {
    case GW_WATCH_FREE:
        break;
    case GW_WATCH_CLOCK:
    case GW_WATCH_WAKE:
        return POLLIN;
    case GW_WATCH_LISTENER:
        /* One that pauses is readable. */
        return (flags & GW_WATCH_READABLE) == 0 ? POLLIN : 0;
    case GW_WATCH_LINK:
        if ((flags & GW_WATCH_CONNECTING) != 0)
            return POLLOUT;
        if ((flags & (GW_WATCH_RECV | GW_WATCH_READABLE)) == GW_WATCH_RECV)
            events |= POLLIN;
        if ((flags & (GW_WATCH_SEND | GW_WATCH_WRITABLE)) == GW_WATCH_SEND)
            events |= POLLOUT;
        break;
    }
    return events;
}

static nfds_t ask(struct gw_loop *loop)
{
    struct pollfd *list = list_of(loop);
    uint64_t *ids = ids_of(loop);
    uint32_t room = gw_watches_room(loop);
    nfds_t n = 0;
    for (uint32_t number = 0; number < room; number++) {
        const struct gw_watch *w = gw_watch_at(loop, number);
        short events = wanted(w);
        if (events == 0)
            continue;
        GW_ASSERT(n < loop->memory_len);
        ids[n] = gw_watch_id(w);
        list[n++] = (struct pollfd){ .fd = w->fd, .events = events };
    }
    return n;
}

static gw_status wait_poll(struct gw_loop *loop, int timeout_ms)
{
    nfds_t asked = ask(loop);
    const struct pollfd *list = list_of(loop);
    int n = poll(list_of(loop), asked, timeout_ms);
    if (n < 0)
        return errno == EINTR ? GW_OK : GW_EIO;
    for (nfds_t i = 0; i < asked && n > 0; i++) {
        int seen = list[i].revents;
        uint32_t flags = 0;
        if (seen == 0)
            continue;
        n--;
        if ((seen & POLLIN) != 0)
            flags |= GW_WATCH_READABLE;
        if ((seen & POLLOUT) != 0)
            flags |= GW_WATCH_WRITABLE;
        if ((seen & (POLLHUP | POLLERR | POLLNVAL)) != 0)
            flags |= GW_WATCH_HUNG_UP | GW_WATCH_WRITABLE;
        gw_loop_note(loop, ids_of(loop)[i], flags);
    }
    return GW_OK;
}

const struct gw_poller gw_poller_poll = {
    .name = "poll",
    .open = open_poll,
    .close = close_poll,
    .add = add,
    .drop = drop,
    .wait = wait_poll,
};
