/* exchange/split.c: a route that is shared out among clusters: whose turn it is, over all workers, and how
 * many of its requests each has failed. */

#include "exchange/exchange.h"

static const struct gw_edition_split *split_of(const struct gw_exchange *x)
{
    return &x->binding->edition->splits[x->route->split];
}

/* Of one sequence for all workers, so that the shares are exact over each round of it. */
static uint32_t at_turn(const struct gw_edition_split *s, uint64_t turn)
{
    uint32_t cursor = (uint32_t)(turn % s->splits->rr.len);

    return gw_rr_pick(&s->splits->rr, &cursor);
}

/* The parts lie behind each other in the order of their list: whose part grows keeps the keys that it had,
 * and takes its neighbours'. Not where a hash ring would put the key: one is not to follow the other. */
static uint32_t place(const struct gw_splits *s, uint64_t key)
{
    uint64_t sum = 0, at;
    uint32_t i = 0;

    for (uint32_t j = 0; j < s->len; j++)
        sum += s->list[j].weight;
    key = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    at = (key >> 32) * sum >> 32;
    while (at >= s->list[i].weight)
        at -= s->list[i++].weight;
    return i;
}

/* False: it has none of the keys, and it is somebody's turn. */
static bool has_place(const struct gw_exchange *x, const struct gw_edition_split *s, uint32_t *out)
{
    uint64_t key;

    if (!gw_exchange_key(x, x->route->split_keys, x->route->split_keys_len, &key))
        return false;
    *out = place(s->splits, key);
    return true;
}

uint32_t gw_split_look(const struct gw_exchange *x, bool *is_kept)
{
    const struct gw_edition_split *s = split_of(x);
    uint32_t i;

    *is_kept = has_place(x, s, &i);
    return *is_kept ? i : at_turn(s, atomic_load_explicit(&s->state->turn, memory_order_relaxed));
}

void gw_split_pick(struct gw_exchange *x)
{
    const struct gw_edition_split *s = split_of(x);
    uint32_t i;

    x->is_split = true;
    if (!has_place(x, s, &i))
        i = at_turn(s, atomic_fetch_add_explicit(&s->state->turn, 1, memory_order_relaxed));
    x->split = (uint8_t)i;
    x->cluster = s->splits->list[x->split].cluster;
    atomic_fetch_add_explicit(&s->states[x->split]->requests, 1, memory_order_relaxed);
}

/* The statuses by which a gRPC service says that it is not well, not that the call is not. */
static bool is_grpc_failure(const struct gw_exchange *x)
{
    const struct gw_fields *trailers = &x->response_trailers.fields;
    uint32_t status = gw_exchange_grpc_status(x);

    if (x->kind != GW_EXCHANGE_GRPC && gw_fields_find(trailers, GW_FIELD_GRPC_STATUS) == NULL)
        return false;
    return status == 2 || status == 4 || (status >= 13 && status <= 15);
}

void gw_split_count(struct gw_exchange *x)
{
    bool is_ours = x->cause.by == GW_BY_CLIENT || x->cause.by == GW_BY_HOST;
    bool is_failure = x->code >= 500 || is_grpc_failure(x);

    if (x->is_failed ? !is_ours : is_failure)
        atomic_fetch_add_explicit(&split_of(x)->states[x->split]->failures, 1,
                                  memory_order_relaxed);
}
