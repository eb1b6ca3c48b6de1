/* loop/watch.c: records of watched descriptors. They live in chunks that stay until the loop ends, and
 * are named by number and age: an event that was under way when its descriptor was closed finds a
 * newer age, or a free record, and is dropped.
 */
#include "loop/loop.h"

#include <string.h>
#include <unistd.h>

#include "base/assert.h"

enum { CHUNK = 64 };

_Static_assert(sizeof(void *) > 4 || sizeof(struct gw_watch) <= 64, "small on small machines");
_Static_assert(sizeof(void *) > 8 || sizeof(struct gw_watch) <= 48, "a record an idle connection");

void gw_watches_init(struct gw_loop *loop)
{
    gw_list_init(&loop->free);
    gw_list_init(&loop->ready);
}

void gw_watches_fini(struct gw_loop *loop)
{
    for (uint32_t i = 0; i < loop->chunks_len; i++) {
        for (uint32_t k = 0; k < CHUNK; k++)
            if (loop->chunks[i][k].kind > GW_WATCH_WAKE && loop->chunks[i][k].fd >= 0)
                close(loop->chunks[i][k].fd);
        gw_heap_release(&loop->heap, loop->chunks[i], CHUNK * sizeof(struct gw_watch));
    }
    gw_heap_release(&loop->heap, loop->chunks, loop->chunks_room * sizeof(*loop->chunks));
    loop->chunks = NULL;
    loop->chunks_len = loop->chunks_room = 0;
}

static bool grow_table(struct gw_loop *loop)
{
    if (loop->chunks_len < loop->chunks_room)
        return true;
    uint32_t room = loop->chunks_room == 0 ? 8 : loop->chunks_room * 2;
    struct gw_watch **chunks = gw_heap_alloc(&loop->heap, room * sizeof(*chunks));
    if (chunks == NULL)
        return false;
    if (loop->chunks_len > 0)
        memcpy(chunks, loop->chunks, loop->chunks_len * sizeof(*chunks));
    gw_heap_release(&loop->heap, loop->chunks, loop->chunks_room * sizeof(*loop->chunks));
    loop->chunks = chunks;
    loop->chunks_room = room;
    return true;
}

static bool grow(struct gw_loop *loop)
{
    if (!grow_table(loop))
        return false;
    struct gw_watch *chunk = gw_heap_zalloc(&loop->heap, CHUNK * sizeof(*chunk));
    if (chunk == NULL)
        return false;
    for (uint32_t k = 0; k < CHUNK; k++) {
        chunk[k].number = loop->chunks_len * CHUNK + k;
        gw_list_push_back(&loop->free, &chunk[k].node);
    }
    loop->chunks[loop->chunks_len++] = chunk;
    return true;
}

uint32_t gw_watches_room(const struct gw_loop *loop)
{
    return loop->chunks_len * CHUNK;
}

struct gw_watch *gw_watch_at(const struct gw_loop *loop, uint32_t number)
{
    GW_ASSERT(number / CHUNK < loop->chunks_len);
    return &loop->chunks[number / CHUNK][number % CHUNK];
}

struct gw_watch *gw_watch_new(struct gw_loop *loop, enum gw_watch_kind kind, int fd)
{
    if (gw_list_is_empty(&loop->free) && !grow(loop))
        return NULL;
    struct gw_watch *w = GW_CONTAINER(gw_list_pop_front(&loop->free), struct gw_watch, node);
    GW_ASSERT(w->kind == GW_WATCH_FREE);
    w->of.link = NULL;
    w->fd = fd;
    w->kind = (uint8_t)kind;
    w->flags = 0;
    w->failure = GW_OK;
    return w;
}

void gw_watch_free(struct gw_loop *loop, struct gw_watch *w)
{
    GW_ASSERT(w->kind != GW_WATCH_FREE);
    if (w->fd >= 0) {
        loop->poller->drop(loop, w);
        close(w->fd);
        w->fd = -1;
    }
    w->kind = GW_WATCH_FREE;
    w->age++;
    gw_list_remove(&w->node);
    gw_list_push_front(&loop->free, &w->node);
}

static bool can_act(const struct gw_watch *w)
{
    switch ((enum gw_watch_kind)w->kind) {
    case GW_WATCH_LISTENER:
        return (w->flags & (GW_WATCH_READABLE | GW_WATCH_PAUSED)) == GW_WATCH_READABLE;
    case GW_WATCH_LINK:
        if ((w->flags & GW_WATCH_CONNECTING) != 0)
            return (w->flags & (GW_WATCH_WRITABLE | GW_WATCH_HUNG_UP)) != 0;
        if ((w->flags & GW_WATCH_SEND) != 0 &&
            ((w->flags & GW_WATCH_WRITABLE) != 0 || w->failure != GW_OK))
            return true;
        return (w->flags & GW_WATCH_RECV) != 0 && (w->flags & GW_WATCH_READABLE) != 0;
    case GW_WATCH_WAKE:
    case GW_WATCH_CLOCK:
    case GW_WATCH_FREE:
        break;
    }
    return false;
}

void gw_watch_ready(struct gw_loop *loop, struct gw_watch *w)
{
    if (!gw_list_is_linked(&w->node) && can_act(w))
        gw_list_push_back(&loop->ready, &w->node);
}

/* Takes the bytes out, then allows the next waker to write again: whoever comes in between has left
 * its message before, and the step that follows finds it. */
static void hear(struct gw_loop *loop, const struct gw_watch *w)
{
    char bytes[64];
    while (read(w->fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
        ;
    atomic_store(&loop->bell->is_rung, false);
    loop->is_heard = true;
}

void gw_loop_note(struct gw_loop *loop, uint64_t id, uint32_t flags)
{
    struct gw_watch *w = gw_watch_at(loop, (uint32_t)(id >> 32));
    if (w->age != (uint32_t)id || w->kind == GW_WATCH_FREE)
        return;
    if (w->kind == GW_WATCH_WAKE) {
        hear(loop, w);
        return;
    }
    if (w->kind == GW_WATCH_CLOCK) {
        gw_clock_heard(loop);
        return;
    }
    if ((flags & GW_WATCH_HUNG_UP) != 0)
        flags |= GW_WATCH_READABLE;
    w->flags |= (uint8_t)flags;
    gw_watch_ready(loop, w);
}
