/* exchange/steer.c: what filters decide about where a request goes, and the words that they leave: route,
 * cluster, retries, labels. */

#include "base/assert.h"
#include "exchange/exchange.h"
#include "exchange/hook.h"

/* ---- configuration ---- */

void *gw_exchange_config(const gw_exchange *x)
{
    void **configs;

    if (!gw_exchange_is_valid(x) || x->hook == GW_HOOK_NONE || x->hook_at == GW_HOOK_AT_NONE)
        return NULL;
    configs = x->binding->config->filter_configs;
    if (x->route != NULL && x->route->filter_configs != NULL)
        configs = x->route->filter_configs;
    return configs != NULL ? configs[x->hook_at] : NULL;
}

/* ---- where it goes ---- */

gw_status gw_exchange_reroute(gw_exchange *x)
{
    const struct gw_route_conf *route, *old;
    uint64_t on, met;
    bool is_method_missing = false;
    gw_status status;

    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (!gw_hook_is_in(x, GW_MISUSE_DECIDE_OUTSIDE) || x->hook != GW_HOOK_ROUTE)
        return GW_ESTATE;
    route = gw_exchange_match(x, &is_method_missing);
    if (route == NULL)
        return GW_EUNKNOWN;
    old = x->route;
    on = x->filters;
    met = x->filters_met;
    x->route = route;
    x->filters = route->filters;
    status = gw_filters_turn_on(x);
    if (status == GW_OK)
        return GW_OK;
    x->route = old;
    x->filters = on;
    x->filters_met = met;
    return status;
}

gw_status gw_exchange_set_cluster(gw_exchange *x, gw_str cluster)
{
    const struct gw_cluster_conf *wanted;

    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (!gw_hook_is_in(x, GW_MISUSE_DECIDE_OUTSIDE) ||
        (x->hook != GW_HOOK_REQUEST && x->hook != GW_HOOK_ROUTE))
        return GW_ESTATE;
    wanted = gw_config_find_cluster(x->binding->config, cluster);
    if (wanted == NULL)
        return GW_EUNKNOWN;
    x->wanted = wanted;
    return GW_OK;
}

gw_status gw_exchange_set_hash_key(gw_exchange *x, gw_str key)
{
    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (!gw_hook_is_in(x, GW_MISUSE_DECIDE_OUTSIDE) ||
        (x->hook != GW_HOOK_REQUEST && x->hook != GW_HOOK_ROUTE))
        return GW_ESTATE;
    if (key.ptr == NULL || key.len == 0)
        return GW_EINVAL;
    x->given_key = gw_key_hash(key);
    x->has_given_key = true;
    return GW_OK;
}

gw_status gw_exchange_forbid_retry(gw_exchange *x)
{
    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (!gw_hook_is_in(x, GW_MISUSE_DECIDE_OUTSIDE) || x->hook < GW_HOOK_REQUEST ||
        x->hook > GW_HOOK_REQUEST_END)
        return GW_ESTATE;
    x->is_retry_forbidden = true;
    return GW_OK;
}

/* ---- labels ---- */

enum { LABELS_MAX = 32 };

struct gw_label {
    struct gw_label *next;
    gw_str name, value;
    char *at; /* the value's place, of room bytes */
    size_t room;
};

static struct gw_label *find(const struct gw_exchange *x, gw_str name, uint32_t *count)
{
    struct gw_label *label = x->labels;

    for (*count = 0; label != NULL && !gw_str_eq(label->name, name); label = label->next)
        ++*count;
    return label;
}

/* ELIMIT: it can never be had. */
static gw_status take(struct gw_exchange *x, size_t len, void **out)
{
    if (len > x->of->limits->exchange_bytes_max - x->host_bytes ||
        len > gw_arena_piece_max(x->of->blocks.chunk_bytes))
        return GW_ELIMIT;
    *out = gw_exchange_take_memory(x, len);
    return *out != NULL ? GW_OK : GW_ENOMEM;
}

/* A value that fits goes where the old one was; it may be a part of that. */
static gw_status set_value(struct gw_exchange *x, struct gw_label *label, gw_str value)
{
    if (value.len > label->room) {
        void *at;
        gw_status status = take(x, value.len, &at);
        if (status != GW_OK)
            return status;
        label->at = at;
        label->room = value.len;
    }
    if (value.len > 0)
        memmove(label->at, value.ptr, value.len);
    label->value = (gw_str){ value.len > 0 ? label->at : "", value.len };
    return GW_OK;
}

static gw_status add_label(struct gw_exchange *x, gw_str name, gw_str value)
{
    size_t max = x->of->limits->exchange_bytes_max;
    struct gw_label *label;
    gw_status status;
    void *memory;
    char *at;

    if (name.len > max || value.len > max)
        return GW_ELIMIT;
    status = take(x, sizeof *label + name.len + value.len, &memory);
    if (status != GW_OK)
        return status;
    label = memory;
    at = (char *)(label + 1);
    memcpy(at, name.ptr, name.len);
    *label = (struct gw_label){
        .next = x->labels, .name = { at, name.len }, .at = at + name.len, .room = value.len
    };
    x->labels = label;
    return set_value(x, label, value);
}

gw_status gw_exchange_set_label(gw_exchange *x, gw_str name, gw_str value)
{
    struct gw_label *label;
    uint32_t count;

    if (!gw_exchange_is_valid(x) || name.len == 0 || name.ptr == NULL ||
        (value.len > 0 && value.ptr == NULL))
        return GW_EINVAL;
    if (!gw_hook_is_in(x, GW_MISUSE_DECIDE_OUTSIDE) || x->hook == GW_HOOK_END)
        return GW_ESTATE;
    label = find(x, name, &count);
    if (label != NULL)
        return set_value(x, label, value);
    return count == LABELS_MAX ? GW_ELIMIT : add_label(x, name, value);
}

gw_str gw_exchange_label(const gw_exchange *x, gw_str name)
{
    const struct gw_label *label;
    uint32_t count;

    if (!gw_exchange_is_valid(x))
        return (gw_str){ NULL, 0 };
    label = find(x, name, &count);
    return label != NULL ? label->value : (gw_str){ NULL, 0 };
}
