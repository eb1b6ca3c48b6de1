/* base/stats.h: counters with one writer, the worker's thread, and any reader: relaxed stores, no
 * read-modify-write. X(id, kind, name, unit, help) */
#ifndef GW_BASE_STATS_H
#define GW_BASE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#define GW_STATS(X)                                                                                \
    X(LINKS_ACCEPTED, COUNTER, "links_accepted", "links", "client connections accepted")           \
    X(LINKS_CONNECTED, COUNTER, "links_connected", "links", "upstream connections made")           \
    X(LINKS_CONNECT_FAILED, COUNTER, "links_connect_failed", "links",                              \
      "upstream connections that could not be made")                                               \
    X(LINKS_REFUSED, COUNTER, "links_refused", "links", "connections refused for a limit")         \
    X(LINKS_CALMED, COUNTER, "links_calmed", "links",                                              \
      "client connections ended because they made too much work that is of no use")                \
    X(LINKS_WAITED, COUNTER, "links_waited", "links",                                              \
      "times that a connection had to wait for memory before it was read")                         \
    X(LINKS_RETIRED, COUNTER, "links_retired", "links",                                            \
      "connections that took no more requests: of their age, or for the number they had")          \
    X(LINKS_RETURNED, COUNTER, "links_returned", "links",                                          \
      "client connections that went back to the host with a request that no route claims")         \
    X(LINKS_OPEN, GAUGE, "links_open", "links", "connections now, both sides")                     \
    X(EXCHANGES, COUNTER, "exchanges", "exchanges", "requests begun")                              \
    X(EXCHANGES_OPEN, GAUGE, "exchanges_open", "exchanges", "requests in flight")                  \
    X(EXCHANGES_FAILED, COUNTER, "exchanges_failed", "exchanges",                                  \
      "requests that ended with a cause")                                                          \
    X(CALLS, COUNTER, "calls", "exchanges", "of the requests begun, those of the host's own")      \
    X(UPSTREAM_REUSED, COUNTER, "upstream_reused", "exchanges",                                    \
      "requests sent on a connection that had served one before")                                  \
    X(BYTES_RECEIVED, COUNTER, "bytes_received", "bytes", "bytes received, both sides")            \
    X(BYTES_SENT, COUNTER, "bytes_sent", "bytes", "bytes sent, both sides")                        \
    X(BLOCKS_USED, GAUGE, "blocks_used", "blocks", "blocks of the pool in use at the last step")   \
    X(BLOCKS_PROMISED, GAUGE, "blocks_promised", "blocks",                                         \
      "blocks kept for who was admitted, at the last step")                                        \
    X(MEMORY_USED, GAUGE, "memory_used", "bytes", "memory of the worker at the last step")         \
    X(HOST_MISUSES, COUNTER, "host_misuses", "calls", "calls of the host that break the contract") \
    X(STEPS, COUNTER, "steps", "steps", "calls of gw_worker_step")                                 \
    X(RETRIES, COUNTER, "retries", "tries", "requests sent to an upstream once more")              \
    X(RETRIES_REFUSED, COUNTER, "retries_refused", "tries",                                        \
      "retries that the cluster's budget had no room for")                                         \
    X(REPLAYS_REFUSED, COUNTER, "replays_refused", "exchanges",                                    \
      "requests whose body was not kept for a retry, for want of memory")                          \
    X(LIMITED, COUNTER, "limited", "exchanges", "requests that a limiter refused")                 \
    X(LIMITED_SHADOW, COUNTER, "limited_shadow", "exchanges",                                      \
      "requests that a limiter in shadow mode would have refused")                                 \
    X(LIMITER_FULL, COUNTER, "limiter_full", "exchanges",                                          \
      "requests whose key had no place in a limiter's table")                                      \
    X(BREAKERS_OPENED, COUNTER, "breakers_opened", "times", "breakers of endpoints that opened")   \
    X(BREAKERS_CLOSED, COUNTER, "breakers_closed", "times", "breakers that closed again")          \
    X(BREAKER_REFUSED, COUNTER, "breaker_refused", "requests",                                     \
      "requests for which no endpoint could be asked: open, ejected or unhealthy")                 \
    X(EJECTIONS, COUNTER, "ejections", "times", "endpoints that were left out for a while")        \
    X(THROTTLED, COUNTER, "throttled", "requests", "requests that a throttle refused")             \
    X(CLUSTER_FULL, COUNTER, "cluster_full", "requests",                                           \
      "requests that a ceiling of their cluster refused")                                          \
    X(FALLBACKS, COUNTER, "fallbacks", "requests",                                                 \
      "of these refused ones, those that were given something else")                               \
    X(PROBES, COUNTER, "probes", "probes", "probes of endpoints begun")                            \
    X(PROBES_FAILED, COUNTER, "probes_failed", "probes", "of these, those that failed")            \
    X(ENDPOINTS_LOST, COUNTER, "endpoints_lost", "times",                                          \
      "endpoints that probes have found unhealthy")                                                \
    X(ENDPOINTS_RECOVERED, COUNTER, "endpoints_recovered", "times", "... and healthy again")       \
    X(TLS_HANDSHAKES, COUNTER, "tls_handshakes", "links", "connections secured, both sides")       \
    X(TLS_RESUMED, COUNTER, "tls_resumed", "links", "of these: by the ticket of an earlier one")   \
    X(TLS_FAILED, COUNTER, "tls_failed", "links", "connections that TLS has ended with a cause")

enum gw_stat_id {
#define GW_STAT_ENUM(id, kind, name, unit, help) GW_STAT_##id,
    GW_STATS(GW_STAT_ENUM)
#undef GW_STAT_ENUM
        GW_STAT_COUNT
};

struct gw_stats {
    _Atomic uint64_t values[GW_STAT_COUNT];
};

static inline void gw_stats_add(struct gw_stats *stats, enum gw_stat_id id, uint64_t n)
{
    atomic_store_explicit(&stats->values[id],
                          atomic_load_explicit(&stats->values[id], memory_order_relaxed) + n,
                          memory_order_relaxed);
}
static inline void gw_stats_set(struct gw_stats *stats, enum gw_stat_id id, uint64_t n)
{
    atomic_store_explicit(&stats->values[id], n, memory_order_relaxed);
}

#endif
