/* exchange/recorder.c: what is written of each exchange, and read again. */

#include "exchange/recorder.h"

#include <string.h>

#include "exchange/exchange.h"

gw_status gw_recorder_init(struct gw_recorder *r, struct gw_heap *heap, uint32_t len)
{
    *r = (struct gw_recorder){ .len = len };
    if (len == 0)
        return GW_OK;
    r->ring = gw_heap_alloc(heap, len * sizeof *r->ring);
    if (r->ring != NULL)
        return GW_OK;
    r->len = 0;
    return GW_ENOMEM;
}

void gw_recorder_fini(struct gw_recorder *r, struct gw_heap *heap)
{
    gw_heap_release(heap, r->ring, r->len * sizeof *r->ring);
    *r = (struct gw_recorder){ .len = 0 };
}

static uint8_t flags_of(const struct gw_exchange *x)
{
    return (uint8_t)((x->is_split ? GW_RECORD_SPLIT : 0) |
                     (x->has_fallen ? GW_RECORD_FELL_BACK : 0) |
                     (x->is_local ? GW_RECORD_LOCAL : 0) | (x->call != NULL ? GW_RECORD_CALL : 0));
}

void gw_recorder_note(struct gw_recorder *r, const struct gw_exchange *x)
{
    struct gw_recorded *out = &r->ring[r->next];

    r->next = r->next + 1 < r->len ? r->next + 1 : 0;
    r->count++;
    out->id = x->id;
    out->started = x->started;
    out->ended = x->ended;
    out->binding = x->binding;
    /* A call's own route goes with it. */
    out->route = x->call != NULL && x->route == &x->call->route ? NULL : x->route;
    out->cluster = x->cluster;
    out->endpoint = x->endpoint;
    out->cause = x->cause;
    out->code = (uint16_t)x->code;
    out->kind = x->kind;
    out->flags = flags_of(x);
    out->retries = (uint8_t)(x->tries > 0 ? x->tries - 1 : 0);
}

static const gw_str none = { "", 0 };

static void keep(char *out, gw_str name)
{
    size_t len = name.len < GW_RECORDED_NAME ? name.len : GW_RECORDED_NAME - 1;

    if (len > 0)
        memcpy(out, name.ptr, len);
    out[len] = '\0';
}

static uint32_t count(const struct gw_recorder *r)
{
    return r->count < r->len ? (uint32_t)r->count : r->len;
}

void gw_recorder_leave(struct gw_recorder *r, const struct gw_binding *binding)
{
    for (uint32_t i = 0; i < count(r); i++) {
        struct gw_recorded *e = &r->ring[i];
        if (e->binding != binding)
            continue;
        keep(e->names[0], e->route != NULL ? e->route->name : none);
        keep(e->names[1], e->cluster != NULL ? e->cluster->name : none);
        keep(e->names[2], e->endpoint != NULL ? e->endpoint->name : none);
        e->binding = NULL;
    }
}

gw_status gw_recorder_at(const struct gw_recorder *r, size_t i, gw_record *out)
{
    const struct gw_recorded *e;

    if (i >= count(r))
        return GW_EUNKNOWN;
    e = &r->ring[(r->next + r->len - 1 - (uint32_t)i) % r->len];
    out->kind = e->kind;
    out->flags = e->flags;
    out->code = e->code;
    out->retries = e->retries;
    out->cause = e->cause;
    out->id = e->id;
    out->started = e->started;
    out->ended = e->ended;
    if (e->binding == NULL) {
        out->route = gw_cstr(e->names[0]);
        out->cluster = gw_cstr(e->names[1]);
        out->endpoint = gw_cstr(e->names[2]);
        return GW_OK;
    }
    out->route = e->route != NULL ? e->route->name : none;
    out->cluster = e->cluster != NULL ? e->cluster->name : none;
    out->endpoint = e->endpoint != NULL ? e->endpoint->name : none;
    return GW_OK;
}
