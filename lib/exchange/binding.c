/* exchange/binding.c: making and freeing bindings. */

#include "exchange/binding.h"

#include <string.h>

#include "base/assert.h"
#include "base/prng.h"

static void *take(const gw_allocator *a, size_t count, size_t each)
{
    size_t size = (count > 0 ? count : 1) * each;
    void *memory = a->alloc(a->ctx, size);

    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

static void give(const gw_allocator *a, void *memory, size_t count, size_t each)
{
    if (memory != NULL)
        a->release(a->ctx, memory, (count > 0 ? count : 1) * each);
}

gw_status gw_binding_new(const gw_allocator *allocator, gw_config *config, uint64_t generation,
                         uint64_t seed, struct gw_binding **out)
{
    struct gw_binding *b = take(allocator, 1, sizeof *b);
    struct gw_prng prng = { seed };

    if (b == NULL)
        return GW_ENOMEM;
    b->allocator = *allocator;
    b->config = gw_config_ref(config);
    b->generation = generation;
    b->upstreams = take(allocator, config->endpoints_len, sizeof(struct gw_upstream *));
    b->cursors = take(allocator, config->clusters_len, sizeof(uint32_t));
    b->budgets = take(allocator, config->clusters_len, sizeof *b->budgets);
    if (b->upstreams == NULL || b->cursors == NULL || b->budgets == NULL) {
        gw_binding_free(b);
        return GW_ENOMEM;
    }
    for (uint32_t i = 0; i < config->clusters_len; i++)
        b->cursors[i] = (uint32_t)gw_prng_next(&prng);
    *out = b;
    return GW_OK;
}

void gw_binding_inherit(struct gw_binding *b, const struct gw_binding *old)
{
    const gw_config *from = old->config, *to = b->config;
    uint32_t at = 0;

    /* Most keep their order: the search goes on where the last one ended. */
    for (uint32_t i = 0; i < to->clusters_len; i++)
        for (uint32_t n = 0; n < from->clusters_len; n++, at++) {
            at = at < from->clusters_len ? at : 0;
            if (gw_str_eq(to->clusters[i].name, from->clusters[at].name)) {
                b->budgets[i] = old->budgets[at++];
                break;
            }
        }
}

void gw_binding_reset(struct gw_binding *b)
{
    for (uint32_t i = 0; i < b->config->endpoints_len; i++) {
        if (b->upstreams[i] != NULL)
            gw_upstream_unref(b->upstreams[i]);
        b->upstreams[i] = NULL;
    }
    memset(b->budgets, 0, b->config->clusters_len * sizeof *b->budgets);
    b->users = 0;
}

void gw_binding_free(struct gw_binding *b)
{
    gw_allocator allocator;

    if (b == NULL)
        return;
    GW_ASSERT(b->users == 0);
    allocator = b->allocator;
    if (b->upstreams != NULL && b->cursors != NULL && b->budgets != NULL)
        gw_binding_reset(b);
    give(&allocator, b->upstreams, b->config->endpoints_len, sizeof(struct gw_upstream *));
    give(&allocator, b->cursors, b->config->clusters_len, sizeof(uint32_t));
    give(&allocator, b->budgets, b->config->clusters_len, sizeof *b->budgets);
    gw_config_unref(b->config);
    give(&allocator, b, 1, sizeof *b);
}
