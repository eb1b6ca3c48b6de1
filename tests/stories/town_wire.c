/* stories/town_wire.c: connections: what is sent is there a moment later, in order and whole. */

#include "town.h"

void town_bytes_put(struct town_bytes *b, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    if (b->len + len > b->room) {
        b->room = 2 * (b->len + len);
        b->at = realloc(b->at, b->room);
    }
    memcpy(b->at + b->len, bytes, len);
    b->len += len;
}

void town_bytes_drop(struct town_bytes *b, size_t len)
{
    memmove(b->at, b->at + len, b->len - len);
    b->len -= len;
}

struct town_wire *town_wire_new(struct town *t, uint32_t worker)
{
    struct town_wire *w;

    if (t->free_len == 0) {
        if (t->wires_len == t->wires_room) {
            t->wires_room = t->wires_room == 0 ? 64 : 2 * t->wires_room;
            t->wires = realloc(t->wires, t->wires_room * sizeof *t->wires);
            t->free_wires = realloc(t->free_wires, t->wires_room * sizeof *t->free_wires);
        }
        w = calloc(1, sizeof *w);
        w->index = t->wires_len;
        t->wires[t->wires_len++] = w;
        t->free_wires[t->free_len++] = w->index;
    }
    w = t->wires[t->free_wires[--t->free_len]];
    w->turn++;
    w->is_used = true;
    w->worker = worker;
    w->link = NULL;
    w->service = w->ask = TOWN_NOBODY;
    w->in.len = w->out.len = 0;
    w->is_recv_wanted = w->is_in_due = w->is_out_due = false;
    w->is_peer_gone = w->is_end_told = w->is_kept = w->has_served = false;
    return w;
}

/* Both ends are gone. */
static void free_if_over(struct town *t, struct town_wire *w)
{
    if (!w->is_used || w->link != NULL || !w->is_peer_gone)
        return;
    if (w->service == TOWN_NOBODY)
        t->callers--;
    else
        t->services[w->service].connections--;
    w->is_used = false;
    w->turn++;
    t->free_wires[t->free_len++] = w->index;
}

static void in_later(struct town *t, struct town_wire *w, gw_nanos delay)
{
    if (!w->is_in_due)
        town_at(t, delay, TOWN_EV_IN, w->index, w->turn);
    w->is_in_due = true;
}

static void out_later(struct town *t, struct town_wire *w)
{
    if (!w->is_out_due)
        town_at(t, t->latency, TOWN_EV_OUT, w->index, w->turn);
    w->is_out_due = true;
}

void town_wire_say(struct town *t, struct town_wire *w, const char *text)
{
    if (w->is_peer_gone)
        return;
    town_bytes_put(&w->in, text, strlen(text));
    in_later(t, w, t->latency);
}

void town_wire_end(struct town *t, struct town_wire *w)
{
    if (w->is_peer_gone)
        return;
    w->is_peer_gone = true;
    w->is_kept = false;
    in_later(t, w, t->latency);
    free_if_over(t, w);
}

static void give(struct town *t, struct town_wire *w)
{
    gw_span room[8];
    size_t n, taken = 0;

    if (w->link == NULL || !w->is_recv_wanted)
        return;
    t->is_awake[w->worker] = true;
    if (w->in.len == 0) {
        if (!w->is_peer_gone || w->is_end_told)
            return;
        w->is_recv_wanted = false;
        w->is_end_told = true;
        gw_link_received(w->link, 0, GW_EOF);
        return;
    }
    n = gw_link_room(w->link, room, 8);
    w->is_recv_wanted = false;
    for (size_t i = 0; i < n && taken < w->in.len; i++) {
        size_t part = w->in.len - taken < room[i].len ? w->in.len - taken : room[i].len;
        memcpy(room[i].ptr, w->in.at + taken, part);
        taken += part;
    }
    town_bytes_drop(&w->in, taken);
    if (n > 0)
        gw_link_received(w->link, taken, GW_AGAIN);
}

/* ---- what the gateway asks ---- */

static gw_status do_connect(void *io, gw_link *l, const gw_destination *target)
{
    struct town *t = io;
    struct town_wire *w;
    uint32_t worker = (uint32_t)(uintptr_t)gw_worker_user(gw_link_worker(l));

    for (uint32_t i = 0; i < t->services_len; i++) {
        struct town_service *s = &t->services[i];
        if (!gw_str_eq(target->address, gw_cstr(s->address)))
            continue;
        w = town_wire_new(t, worker);
        w->link = l;
        w->service = i;
        gw_link_set_io(l, w);
        s->connected++;
        if (++s->connections > s->connections_most)
            s->connections_most = s->connections;
        if (s->mood != TOWN_DEAF)
            town_at(t, t->latency, TOWN_EV_CONNECTED, w->index, w->turn);
        return GW_OK;
    }
    return GW_EUNREACHABLE;
}

static gw_status do_recv(void *io, gw_link *l)
{
    struct town_wire *w = gw_link_io(l);

    w->is_recv_wanted = true;
    if (w->in.len > 0 || (w->is_peer_gone && !w->is_end_told))
        in_later(io, w, 0);
    return GW_OK;
}

static gw_status do_send(void *io, gw_link *l, const gw_const_span *v, size_t n)
{
    struct town *t = io;
    struct town_wire *w = gw_link_io(l);
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (!w->is_peer_gone)
            town_bytes_put(&w->out, v[i].ptr, v[i].len);
        len += v[i].len;
    }
    out_later(t, w);
    gw_link_sent(l, len, GW_OK);
    return GW_OK;
}

static gw_status do_shutdown(void *io, gw_link *l)
{
    (void)io;
    gw_link_sent(l, 0, GW_EOF);
    return GW_OK;
}

static void do_close(void *io, gw_link *l)
{
    struct town *t = io;
    struct town_wire *w = gw_link_io(l);

    gw_link_closed(l);
    w->link = NULL;
    if (w->is_peer_gone)
        free_if_over(t, w);
    else
        out_later(t, w);
}

const gw_io_ops town_io = {
    .size = sizeof(gw_io_ops),
    .name = "town",
    .connect = do_connect,
    .recv = do_recv,
    .send = do_send,
    .shutdown = do_shutdown,
    .close = do_close,
};

/* ---- what happens to it ---- */

static void connected(struct town *t, struct town_wire *w)
{
    const struct town_service *s = &t->services[w->service];
    bool is_refused = s->mood == TOWN_REFUSES ||
                      (s->connections_max > 0 && s->connections > s->connections_max);

    if (w->link == NULL)
        return;
    t->is_awake[w->worker] = true;
    w->is_peer_gone = is_refused;
    gw_link_connected(w->link, is_refused ? GW_EREFUSED : GW_OK, NULL);
}

void town_wire_event(struct town *t, const struct town_event *e)
{
    struct town_wire *w = t->wires[e->who];

    if (w->turn != e->turn)
        return;
    if (e->what == TOWN_EV_CONNECTED) {
        connected(t, w);
    } else if (e->what == TOWN_EV_IN) {
        w->is_in_due = false;
        give(t, w);
    } else {
        w->is_out_due = false;
        if (!w->is_peer_gone)
            town_hear(t, w);
        if (w->link == NULL && !w->is_peer_gone)
            town_wire_end(t, w);
    }
}
