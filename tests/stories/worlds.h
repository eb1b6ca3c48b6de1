/* stories/worlds.h: towns drawn by seed: one world is a few clusters with policies of every kind, callers,
 * services of changing moods, and an operator who changes everything while requests fly. */
#ifndef STORIES_WORLDS_H
#define STORIES_WORLDS_H

#include "town.h"

enum { WORLD_LIMITERS = 2, WORLD_CHANGES = 16, WORLD_CLUSTERS = 2, WORLD_STATES = 64 };
enum { WORLD_CODE = 430 };     /* the second limiter's; the first says 429 */
enum { WORLD_FALLBACK = 299 }; /* what a fallback answers                 */

struct world_limiter {
    bool is_there, is_keyed, passes_without, is_shadow, is_closed, is_per_worker;
    uint32_t ceiling, keys_max;
    struct world_rate { /* in force from that request on */
        uint64_t order;
        uint32_t tokens, period_ms, burst;
    } rates[WORLD_CHANGES];
    uint32_t rates_len;
};

struct world_cluster {
    const char *name;
    bool has_breaker, has_outlier, has_throttle, has_fallback, falls_to_other;
    uint32_t exchanges_max, pending_max, retries_max, all_connections_max; /* 0: none */
    uint32_t probes;
    uint32_t response_ms, connect_ms, connections_max;
    uint32_t retry_percent, retry_least;
    uint32_t first, count; /* of the services */
    uint32_t balance;
};

/* What a breaker was seen to be. */
struct world_state {
    const void *of;
    uint32_t state;
    bool is_seen;
};

struct world_try { /* a first one, or a retry, that was given to an endpoint */
    gw_nanos when;
    uint32_t worker, cluster;
    bool is_retry;
};

struct world {
    struct town *town;
    struct gw_prng prng; /* of its own deeds */
    uint32_t workers;
    struct world_limiter limiters[WORLD_LIMITERS];
    struct world_cluster clusters[WORLD_CLUSTERS];
    bool is_split, has_split_keys, is_unsafe;
    uint32_t retries, retry_on, per_try_ms; /* of a request */
    bool clock_steps, clock_jumps, moods_change, refuses, endpoints_change, is_rough, is_patient;
    uint32_t reloads;
    bool is_settling; /* all is well from here on, and must be */
    gw_nanos settled, ends;
    uint64_t asked_before[TOWN_SERVICES];
    struct world_state states[WORLD_STATES];
    uint32_t states_len;
    struct world_try *tries;
    uint32_t tries_len, tries_room;
};

static inline uint64_t world_below(struct world *w, uint64_t n)
{
    return n == 0 ? 0 : gw_prng_below(&w->prng, n);
}
static inline bool world_chance(struct world *w, uint32_t percent)
{
    return world_below(w, 100) < percent;
}

/* worlds_oracle.c */
void world_note_try(struct world *w, const gw_exchange *x);
void world_look(struct town *t, uint32_t worker); /* after each step */
void world_check(struct world *w);                /* what has become of each request  */
void world_check_states(struct world *w);         /* ... and of what was counted: all are gone */

#endif
