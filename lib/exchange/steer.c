/* exchange/steer.c: what filters decide about where a request goes, and the words that they leave: route,
 * cluster, retries, labels. */

#include "base/assert.h"
#include "exchange/exchange.h"

/* ---- configuration ---- */

void *gw_exchange_config(const gw_exchange *x)
{
    void **configs;

    if (!gw_exchange_is_valid(x) || x->hook == GW_HOOK_NONE || x->hook_at == UINT8_MAX)
        return NULL;
    configs = x->binding->config->filter_configs;
    if (x->route != NULL && x->route->filter_configs != NULL)
        configs = x->route->filter_configs;
    return configs != NULL ? configs[x->hook_at] : NULL;
}

/* ---- where it goes ---- */

gw_status gw_exchange_reroute(gw_exchange *x)
{
    const struct gw_route_conf *route;
    bool is_method_missing = false;

    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (x->hook != GW_HOOK_ROUTE)
        return GW_ESTATE;
    route = gw_exchange_match(x, &is_method_missing);
    if (route == NULL)
        return GW_EUNKNOWN;
    x->route = route;
    x->filters = route->filters;
    return gw_filters_turn_on(x);
}

gw_status gw_exchange_set_cluster(gw_exchange *x, gw_str cluster)
{
    const gw_config *config;

    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (x->hook != GW_HOOK_REQUEST && x->hook != GW_HOOK_ROUTE)
        return GW_ESTATE;
    config = x->binding->config;
    for (uint32_t i = 0; i < config->clusters_len; i++) {
        if (!gw_str_eq(config->clusters[i].name, cluster))
            continue;
        x->wanted = &config->clusters[i];
        return GW_OK;
    }
    return GW_EUNKNOWN;
}

gw_status gw_exchange_forbid_retry(gw_exchange *x)
{
    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (x->hook < GW_HOOK_REQUEST || x->hook > GW_HOOK_REQUEST_END)
        return GW_ESTATE;
    x->is_retry_forbidden = true;
    return GW_OK;
}

/* ---- labels ---- */

enum { LABELS_MAX = 32 };

struct gw_label {
    struct gw_label *next;
    gw_str name, value;
};

static struct gw_label *find(const struct gw_exchange *x, gw_str name, uint32_t *count)
{
    struct gw_label *label = x->labels;

    for (*count = 0; label != NULL && !gw_str_eq(label->name, name); label = label->next)
        ++*count;
    return label;
}

/* A copy in memory that counts; ENOMEM and ELIMIT are told apart by whether it would have fitted. */
static gw_status copy(struct gw_exchange *x, gw_str text, gw_str *out)
{
    char *at;

    *out = (gw_str){ "", 0 };
    if (text.len == 0)
        return GW_OK;
    if (text.len > x->of->limits->exchange_bytes_max - x->host_bytes)
        return GW_ELIMIT;
    at = gw_exchange_take_memory(x, text.len);
    if (at == NULL)
        return GW_ENOMEM;
    memcpy(at, text.ptr, text.len);
    *out = (gw_str){ at, text.len };
    return GW_OK;
}

static gw_status add_label(struct gw_exchange *x, gw_str name, gw_str value)
{
    struct gw_label *label = gw_exchange_take_memory(x, sizeof *label);
    gw_status status;

    if (label == NULL)
        return GW_ENOMEM;
    status = copy(x, name, &label->name);
    if (status == GW_OK)
        status = copy(x, value, &label->value);
    if (status != GW_OK)
        return status;
    label->next = x->labels;
    x->labels = label;
    return GW_OK;
}

gw_status gw_exchange_set_label(gw_exchange *x, gw_str name, gw_str value)
{
    struct gw_label *label;
    uint32_t count;

    if (!gw_exchange_is_valid(x) || name.len == 0 || name.ptr == NULL ||
        (value.len > 0 && value.ptr == NULL))
        return GW_EINVAL;
    if (x->hook == GW_HOOK_NONE || x->hook == GW_HOOK_END)
        return GW_ESTATE;
    label = find(x, name, &count);
    if (label != NULL)
        return copy(x, value, &label->value);
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
