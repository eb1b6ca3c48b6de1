/* exchange/custom.c: the host chooses: what its balancer is shown, and what its answer means. */

#include "base/assert.h"
#include "base/spec.h"
#include "exchange/exchange.h"

/* However many may be asked, that one is not. */
static bool is_shut(const struct gw_exchange *x, uint32_t i)
{
    return gw_exchange_use(x)->endpoints->list[i].weight == 0 ||
           (x->guards != NULL && gw_guards_is_shut(x, i));
}

static uint32_t flags_of(const struct gw_exchange *x, uint32_t i)
{
    uint32_t flags = 0;

    if (is_shut(x, i))
        flags |= GW_CANDIDATE_SHUT;
    else if (!gw_guards_may(x, i))
        flags |= GW_CANDIDATE_OUT;
    return gw_exchange_has_tried(x, i) ? flags | GW_CANDIDATE_TRIED : flags;
}

gw_status gw_choice_candidate(const gw_choice *c, uint32_t i, gw_candidate *out)
{
    const struct gw_exchange *x = c != NULL && c->size == sizeof *c ? c->exchange : NULL;
    const struct gw_cluster_use *use;
    const struct gw_endpoint_conf *e;
    gw_candidate own = GW_SPEC(gw_candidate);

    if (!gw_exchange_is_valid(x) || x->cluster == NULL)
        return GW_EINVAL;
    use = gw_exchange_use(x);
    if (i >= use->endpoints->len)
        return GW_EUNKNOWN;
    e = &use->endpoints->list[i];
    own.flags = flags_of(x, i);
    own.weight = e->weight;
    own.priority = e->priority;
    own.inflight = atomic_load_explicit(&use->states[i]->inflight, memory_order_relaxed);
    own.name = e->name;
    own.address = e->address;
    return gw_spec_fill(out, &own, sizeof own);
}

uint32_t gw_custom_choose(const struct gw_exchange *x)
{
    struct gw_cluster_use *use = gw_exchange_use(x);
    const struct gw_balance_conf *conf = &x->cluster->balance;
    gw_choice c = { .size = sizeof c,
                    .candidates = use->endpoints->len,
                    .tries = x->tries,
                    .random = gw_prng_next(&use->turn.prng),
                    .cluster = x->cluster->name,
                    .exchange = x,
                    .request = &x->request };
    uint32_t i;

    c.has_key = gw_exchange_key(x, conf->keys, conf->keys_len, &c.key);
    i = conf->custom->choose(conf->custom->ctx, &c);
    return i < use->endpoints->len && is_shut(x, i) ? GW_NOBODY : i;
}
