/* config/shares.c: what consistent hashing makes of a configuration, to be looked at before it is applied:
 * counted on the rings themselves. */

#include "config/snapshot.h"

#include "base/spec.h"
#include "base/text.h"

enum { MILLION = 1000000 };

/* The level that has all keys while everybody is there; NULL: the cluster does not hash. */
static const struct gw_level *first_level(const struct gw_cluster_conf *c)
{
    const struct gw_balance *b = &c->endpoints->balancer;
    if (c->balance.rule.kind != GW_BALANCE_CONSISTENT_HASH)
        return NULL;
    for (uint32_t i = 0; i < b->levels_len; i++)
        if (b->levels[i].len > 0)
            return &b->levels[i];
    return NULL;
}

static uint32_t millionths(uint64_t of_all_keys)
{
    if (of_all_keys == UINT64_MAX)
        return MILLION;
    return (uint32_t)(((of_all_keys >> 32) * MILLION + (UINT64_C(1) << 31)) >> 32);
}

static gw_status fill(const struct gw_cluster_conf *c, const struct gw_level *level, gw_share *out,
                      size_t max)
{
    struct gw_heap heap = c->endpoints->heap; /* for as long as this call takes */
    size_t bytes = level->len * sizeof(uint64_t);
    uint64_t *keys = gw_heap_zalloc(&heap, bytes);
    uint32_t *points = gw_heap_zalloc(&heap, level->len * sizeof *points), size = out->size;
    gw_status status = keys == NULL || points == NULL ? GW_ENOMEM : GW_OK;
    for (uint32_t i = 0; status == GW_OK && i < level->ring.len; i++)
        points[level->ring.owners[i]]++;
    if (status == GW_OK)
        gw_ring_shares(&level->ring, keys, level->len);
    for (uint32_t i = 0; i < level->len && i < max && status == GW_OK; i++) {
        void *at = (char *)out + (size_t)i * size;
        gw_share own = {
            .size = sizeof own,
            .millionths = millionths(keys[i]),
            .due = (uint32_t)((uint64_t)level->weights[i] * MILLION / level->weight),
            .points = points[i],
            .endpoint = c->endpoints->list[level->members[i]].name,
            .unit = level->ring.unit,
            .halved = level->ring.halved,
        };
        memcpy(at, &size, sizeof size);
        status = gw_spec_fill(at, &own, sizeof own);
    }
    gw_heap_release(&heap, points, level->len * sizeof *points);
    gw_heap_release(&heap, keys, bytes);
    return status;
}

gw_status gw_config_shares(const gw_config *config, size_t i, gw_str *cluster, gw_share *out,
                           size_t max, size_t *len)
{
    if (config == NULL || len == NULL || (out == NULL && max > 0))
        return GW_EINVAL;
    if (i >= config->clusters_len)
        return GW_EUNKNOWN;
    const struct gw_cluster_conf *c = &config->clusters[i];
    const struct gw_level *level = first_level(c);
    gw_status status = level != NULL && max > 0 ? fill(c, level, out, max) : GW_OK;
    if (status != GW_OK)
        return status;
    if (cluster != NULL)
        *cluster = c->name;
    *len = level != NULL ? level->len : 0;
    return GW_OK;
}

/* Of two clusters of the same name. */
struct pair {
    const struct gw_cluster_conf *before, *after;
    const struct gw_level *level_before, *level_after;
};

static bool is_same(const void *ctx, uint32_t before, uint32_t after)
{
    const struct pair *p = ctx;
    return gw_str_eq(p->before->endpoints->list[p->level_before->members[before]].name,
                     p->after->endpoints->list[p->level_after->members[after]].name);
}

static bool has_same_keys(const struct gw_balance_conf *a, const struct gw_balance_conf *b)
{
    for (uint32_t i = 0; i < a->keys_len && i < b->keys_len; i++)
        if (!gw_key_is_same(&a->keys[i], &b->keys[i]))
            return false;
    return a->keys_len == b->keys_len;
}

gw_status gw_config_moved(const gw_config *before, const gw_config *after, gw_str cluster,
                          uint32_t *out)
{
    struct pair p = { .before = NULL };
    if (before == NULL || after == NULL || out == NULL || (cluster.ptr == NULL && cluster.len > 0))
        return GW_EINVAL;
    p.before = gw_config_find_cluster(before, cluster);
    p.after = gw_config_find_cluster(after, cluster);
    if (p.before == NULL || p.after == NULL)
        return GW_EUNKNOWN;
    p.level_before = first_level(p.before);
    p.level_after = first_level(p.after);
    if (p.level_before == NULL || p.level_after == NULL)
        return GW_EUNKNOWN;
    *out = has_same_keys(&p.before->balance, &p.after->balance)
               ? millionths(gw_ring_moved(&p.level_before->ring, &p.level_after->ring, is_same, &p))
               : millionths(UINT64_MAX);
    return GW_OK;
}
