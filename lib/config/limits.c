/* config/limits.c: the defaults and ranges of every limit, and what they add up to. */

#include "config/limits.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/spec.h"
#include "config/snapshot.h"
#include "guard/state.h"
#include "gw_features.h"

/* Fields of 32 bits: X(name, default, least, most). */
#define LIMITS(X)                                                                                  \
    X(block_bytes, 16640, 1024, 1u << 20)                                                          \
    X(blocks_max, 32768, 16, 1u << 24)                                                             \
    X(links_max, 10000, 1, 1u << 22)                                                               \
    X(h2_links_max, 2048, 1, 1u << 22)                                                             \
    X(exchanges_max, 20000, 1, 1u << 22)                                                           \
    X(head_bytes_max, 32768, 512, 1u << 20)                                                        \
    X(fields_max, 100, 1, 10000)                                                                   \
    X(pipe_bytes_max, 262144, 1024, 1u << 30)                                                      \
    X(exchange_bytes_max, 65536, 1, 1u << 24)                                                      \
    X(h2_streams_max, 128, 1, 65535)                                                               \
    X(step_budget, 4096, 1, 1u << 30)                                                              \
    X(records_max, 256, 1, 65536)                                                                  \
    X(tls_links_max, 2048, 1, 1u << 22)

static const struct limit {
    size_t at;
    uint32_t when_zero, least, most;
} limits[] = {
#define ROW(name, when_zero, least, most) { offsetof(gw_limits, name), when_zero, least, most },
    LIMITS(ROW)
#undef ROW
};

static uint32_t *limit_at(gw_limits *l, const struct limit *limit)
{
    return (uint32_t *)(void *)((char *)l + limit->at);
}

/* What one exchange needs to be admitted: its link's two blocks, one for a head that may go back to the host,
 * and its own five; and while it is not
 * known whether a client speaks HTTP/2, what such a one may send before it knows our windows. */
enum { BLOCKS_OF_LINK = 3, BLOCKS_OF_EXCHANGE = 5, EARLY_BYTES = 65535 };

static uint32_t blocks_of_link(const gw_limits *l)
{
    bool has_h2 = GW_HAVE_H2 && l->h2_links_max > 0;

    return BLOCKS_OF_LINK + (has_h2 ? (EARLY_BYTES + l->block_bytes - 1) / l->block_bytes : 0);
}

/* Who stalls may hold half of the pool, and the other half is enough for another one. */
static uint32_t blocks_least(const gw_limits *l)
{
    return 2 * (blocks_of_link(l) + BLOCKS_OF_EXCHANGE);
}

uint32_t gw_limits_streams(const gw_limits *complete)
{
    uint32_t most = (complete->blocks_max - blocks_of_link(complete)) / BLOCKS_OF_EXCHANGE;

    return most < complete->h2_streams_max ? most : complete->h2_streams_max;
}

gw_status gw_limits_complete(const gw_limits *spec, gw_limits *out)
{
    gw_limits own = { .size = sizeof own };
    if (spec != NULL && gw_spec_copy(&own, sizeof own, spec) != GW_OK)
        return GW_EINVAL;
    bool has_records = own.records_max != GW_OFF;
    if (!has_records)
        own.records_max = 0;
    bool has_h2 = own.h2_links_max != GW_OFF, has_h2_default = own.h2_links_max == 0;
    if (!has_h2)
        own.h2_links_max = 0;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        uint32_t *n = limit_at(&own, &limits[i]);
        if (*n == 0)
            *n = limits[i].when_zero;
        if (*n < limits[i].least || *n > limits[i].most)
            return GW_EINVAL;
    }
    if (!has_records)
        own.records_max = 0;
    if (has_h2_default && own.h2_links_max > own.links_max)
        own.h2_links_max = own.links_max;
    if (!has_h2)
        own.h2_links_max = 0;
    else if (own.h2_links_max > own.links_max)
        return GW_EINVAL;
    if (own.blocks_max < blocks_least(&own))
        return GW_EINVAL;
    *out = own;
    return GW_OK;
}

/* Bytes of each object with all that hangs on it, on 64 bits, and how many slices the pool allows. A
 * test holds these against the objects themselves, which lie above this folder. */
enum {
    BLOCK_HEAD_BYTES = 80,
    SLICE_BYTES = 32,
    SLICES_A_BLOCK = 64,
    SLICES_MIN = 4096,
    LENT_BLOCKS = 8, /* a piece that a host lends for so many blocks, and some */
    LENT_MIN = 64,
    LINK_BYTES = 2176, /* with its codec, slot and facts     */
    /* While it shakes hands, as measured (docs/tls.md): what Debian's library takes, and one with assembly. */
    TLS_SESSION_BYTES = GW_HAVE_TLS_ASSEMBLY ? 24 * 1024 : 96 * 1024,
    EXCHANGE_BYTES = 4112, /* with its places among the waits    */
    RECORD_BYTES = 192,
    H2_CONNECTION_BYTES = 73728, /* a session with its tables           */
    H2_STREAM_BYTES = 1024,
    CLUSTER_USE_BYTES = 1024, /* of a binding */
    ENDPOINT_USE_BYTES = 64,
    DNS_ENDPOINT_BYTES = 1024, /* with its names, here and where it was heard of */
    PROBED_BYTES = 640,        /* of an endpoint: who watches it, and where its probes lead */
    REPLAY_SHORT = 4096,
    H2_STREAMS = 128 /* a connection; what all take together has this bound */
};

static uint64_t config_bytes(const gw_config *config)
{
    uint64_t bytes = config->heap.used;
    for (uint32_t i = 0; i < config->clusters_len; i++)
        bytes += config->clusters[i].endpoints->heap.used;
    for (uint32_t i = 0; i < config->split_routes_len; i++)
        bytes += config->split_routes[i]->splits->heap.used;
    return bytes;
}

/* States, and each worker's places for them. */
static uint64_t shared_bytes(const gw_config *config, uint32_t workers)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < config->clusters_len; i++) {
        const struct gw_cluster_conf *c = &config->clusters[i];
        uint64_t name = c->name.len;
        bytes += sizeof(struct gw_cluster_state) + name + workers * CLUSTER_USE_BYTES;
        for (uint32_t j = 0; j < c->endpoints->len; j++)
            bytes += sizeof(struct gw_endpoint_state) + name + c->endpoints->list[j].name.len +
                     workers * ENDPOINT_USE_BYTES;
        if (c->dns != NULL)
            bytes += GW_DNS_ENDPOINTS_MAX * (sizeof(struct gw_endpoint_state) + name +
                                             DNS_ENDPOINT_BYTES + workers * ENDPOINT_USE_BYTES);
    }
    for (uint32_t i = 0; i < config->limiters_len; i++)
        bytes += gw_limit_size(&config->limiters[i].params, workers) +
                 gw_limit_counts_size(workers) + 2 * config->limiters[i].name.len;
    return bytes;
}

/* Of one worker. */
static uint64_t probe_bytes(const gw_config *config)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < config->clusters_len; i++) {
        const struct gw_cluster_conf *c = &config->clusters[i];
        if (c->guards != NULL && c->guards->probe != NULL)
            n += c->endpoints->len;
    }
    return 2 * n * PROBED_BYTES + (n < GW_PROBES_MAX ? n : GW_PROBES_MAX) * GW_PROBE_BYTES;
}

/* What routes keep for retries beyond what fits into an exchange's arena: blocks of the half that is not
 * for admissions. */
static uint64_t replay_bytes(const gw_config *config, const gw_limits *l)
{
    uint64_t each = 0, most = l->blocks_max / 2;
    for (uint32_t i = 0; i < config->routes_len; i++) {
        const struct gw_route_conf *r = &config->routes[i];
        uint64_t max = r->retry->replay_max, fits = l->block_bytes / 4;
        max = max < l->pipe_bytes_max ? max : l->pipe_bytes_max;
        if (r->retries > 0 && max > (fits < REPLAY_SHORT ? fits : REPLAY_SHORT) && max > each)
            each = max;
    }
    each = (each + l->block_bytes - 1) / l->block_bytes * l->exchanges_max;
    return (each < most ? each : most) * l->block_bytes;
}

static bool has_tls(const gw_config *config)
{
    for (uint32_t i = 0; i < config->listeners_len; i++)
        if (config->listeners[i].tls != NULL)
            return true;
    for (uint32_t i = 0; i < config->clusters_len; i++)
        if (config->clusters[i].tls != NULL)
            return true;
    return false;
}

gw_status gw_limits_footprint(const gw_limits *spec, const gw_config *config, gw_footprint *out)
{
    gw_limits l;
    gw_footprint own = { .size = sizeof own };
    if (out == NULL || gw_limits_complete(spec, &l) != GW_OK ||
        gw_spec_copy(&own, sizeof own, out) != GW_OK)
        return GW_EINVAL;
    own.workers = own.workers == 0 ? 1 : own.workers;
    own.blocks = (uint64_t)l.blocks_max * (l.block_bytes + BLOCK_HEAD_BYTES);
    own.objects = (uint64_t)l.links_max * LINK_BYTES + (uint64_t)l.exchanges_max * EXCHANGE_BYTES +
                  ((uint64_t)l.blocks_max * SLICES_A_BLOCK + SLICES_MIN) * SLICE_BYTES +
                  ((uint64_t)l.blocks_max / LENT_BLOCKS + LENT_MIN) * BLOCK_HEAD_BYTES +
                  (uint64_t)l.records_max * RECORD_BYTES;
    own.h2 = (uint64_t)l.h2_links_max * (H2_CONNECTION_BYTES + H2_STREAM_BYTES * H2_STREAMS);
    if (!GW_HAVE_H2)
        own.h2 = 0;
    if (config != NULL && has_tls(config))
        own.tls = (uint64_t)l.tls_links_max * TLS_SESSION_BYTES;
    if (config != NULL) {
        own.config = 2 * config_bytes(config);
        own.shared = 2 * shared_bytes(config, own.workers) + own.workers * probe_bytes(config);
        own.replay = replay_bytes(config, &l);
    }
    own.total = own.workers * (own.blocks + own.objects + own.h2 + own.tls) + own.config +
                own.shared;
    return gw_spec_fill(out, &own, sizeof own);
}
