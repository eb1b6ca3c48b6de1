/* exchange/binding.c: making and freeing bindings. */

#include "exchange/binding.h"

#include <string.h>

#include "base/assert.h"
#include "base/prng.h"

static gw_status fill(struct gw_binding *b, uint32_t i, uint64_t seed)
{
    const struct gw_edition_cluster *of = &b->edition->clusters[i];
    struct gw_cluster_use *c = &b->clusters[i];

    c->endpoints = of->endpoints;
    c->state = of->state;
    c->states = of->states;
    gw_turn_init(&c->turn, seed);
    c->upstreams = gw_allocator_take(&b->allocator, of->endpoints->len,
                                     sizeof(struct gw_upstream *));
    if (c->upstreams == NULL)
        return GW_ENOMEM;
    if (b->config->clusters[i].guards == NULL || b->config->clusters[i].guards->probe == NULL)
        return GW_OK;
    c->watches = gw_allocator_take(&b->allocator, of->endpoints->len, sizeof *c->watches);
    return c->watches != NULL ? GW_OK : GW_ENOMEM;
}

gw_status gw_binding_new(const gw_allocator *allocator, struct gw_edition *edition, uint64_t seed,
                         struct gw_binding **out)
{
    struct gw_binding *b = gw_allocator_take(allocator, 1, sizeof *b);
    struct gw_prng prng = { seed };
    gw_status status = GW_OK;

    if (b == NULL)
        return GW_ENOMEM;
    b->allocator = *allocator;
    b->edition = gw_edition_ref(edition);
    b->config = edition->config;
    b->clusters = gw_allocator_take(allocator, b->config->clusters_len, sizeof *b->clusters);
    if (b->clusters == NULL)
        status = GW_ENOMEM;
    for (uint32_t i = 0; status == GW_OK && i < b->config->clusters_len; i++)
        status = fill(b, i, gw_prng_next(&prng));
    if (status == GW_OK)
        *out = b;
    else
        gw_binding_free(b);
    return status;
}

static struct gw_upstream_spec spec_of(const struct gw_binding *b, const struct gw_cluster_conf *c,
                                       uint32_t endpoint)
{
    const struct gw_endpoint_conf *e = &b->clusters[c->index].endpoints->list[endpoint];
    struct gw_endpoint_state *s = b->clusters[c->index].states[endpoint];

    return (struct gw_upstream_spec){
        .address = e->address,
        .cluster = c->name,
        .endpoint = e->name,
        .protocol = c->protocol,
        .tls = c->tls,
        .tls_name = gw_cluster_tls_name(c, e->address),
        .connections_max = c->connections_max,
        .streams_max = c->streams_max,
        .requests_max = c->requests_max,
        .connect_timeout = c->connect_timeout,
        .idle_timeout = c->idle_timeout,
        .age = c->age,
        .age_jitter = c->age_jitter,
        .generation = b->generation,
        .open_count = &s->connections,
        .connecting_count = &s->connecting,
        .ceiling = &b->clusters[c->index].state->connections,
        .ceiling_most = c->all_connections_max,
    };
}

struct gw_upstream *gw_binding_upstream(struct gw_binding *b, struct gw_upstreams *pool,
                                        const struct gw_cluster_conf *cluster, uint32_t endpoint)
{
    struct gw_upstream **slot = &b->clusters[cluster->index].upstreams[endpoint];

    if (*slot == NULL) {
        struct gw_upstream_spec spec = spec_of(b, cluster, endpoint);
        *slot = gw_upstream_get(pool, &spec);
    }
    return *slot;
}

/* Where each cluster is in its turn, and what it has spent on retries. Names are usually in the same order, with a few come or gone: the
 * search goes on where the last one was found. */
static void inherit_clusters(struct gw_binding *b, const struct gw_binding *old)
{
    const gw_config *from = old->config;
    uint32_t at = 0;

    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        for (uint32_t tried = 0; tried < from->clusters_len; tried++) {
            uint32_t j = (at + tried) % from->clusters_len;
            if (!gw_str_eq(from->clusters[j].name, b->config->clusters[i].name))
                continue;
            b->clusters[i].turn = old->clusters[j].turn;
            b->clusters[i].budget = old->clusters[j].budget;
            at = j + 1;
            break;
        }
    }
}

static void inherit_upstreams(struct gw_binding *b, struct gw_upstreams *pool)
{
    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        struct gw_cluster_use *c = &b->clusters[i];
        for (uint32_t j = 0; j < c->endpoints->len; j++) {
            struct gw_upstream_spec spec = spec_of(b, &b->config->clusters[i], j);
            c->upstreams[j] = gw_upstream_find(pool, &spec);
        }
    }
}

/* Lets go of old's connections, but for those that somebody of old waits for. */
static void leave_upstreams(struct gw_binding *b, bool is_over)
{
    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        struct gw_cluster_use *c = &b->clusters[i];
        for (uint32_t j = 0; c->upstreams != NULL && j < c->endpoints->len; j++) {
            if (c->upstreams[j] == NULL || (!is_over && gw_upstream_is_wanted(c->upstreams[j])))
                continue;
            gw_upstream_unref(c->upstreams[j]);
            c->upstreams[j] = NULL;
        }
    }
}

void gw_binding_inherit(struct gw_binding *b, struct gw_binding *old, struct gw_upstreams *pool)
{
    inherit_clusters(b, old);
    inherit_upstreams(b, pool);
    /* An exchange of the old one that has yet to pick takes its reference anew. */
    leave_upstreams(old, false);
}

void gw_binding_reset(struct gw_binding *b)
{
    leave_upstreams(b, true);
    for (uint32_t i = 0; i < b->config->clusters_len; i++)
        memset(&b->clusters[i].budget, 0, sizeof b->clusters[i].budget);
    b->users = 0;
}

void gw_binding_free(struct gw_binding *b)
{
    gw_allocator allocator;

    if (b == NULL)
        return;
    GW_ASSERT(b->users == 0);
    allocator = b->allocator;
    if (b->clusters != NULL)
        leave_upstreams(b, true);
    for (uint32_t i = 0; b->clusters != NULL && i < b->config->clusters_len; i++) {
        struct gw_cluster_use *c = &b->clusters[i];
        if (c->upstreams != NULL)
            gw_allocator_give(&allocator, c->upstreams, c->endpoints->len,
                              sizeof(struct gw_upstream *));
        if (c->watches != NULL)
            gw_allocator_give(&allocator, c->watches, c->endpoints->len, sizeof *c->watches);
    }
    gw_allocator_give(&allocator, b->clusters, b->config->clusters_len, sizeof *b->clusters);
    gw_edition_unref(b->edition);
    gw_allocator_give(&allocator, b, 1, sizeof *b);
}
