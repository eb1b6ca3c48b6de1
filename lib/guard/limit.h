/* guard/limit.h: what all workers know of a limiter: one bucket or count, or one for each key, or a set of
 * those for each worker. It outlives configurations; where a new one has another rate, or room for more
 * keys, a new state succeeds it and takes over what is owed, and who still has the old one is led to it. */
#ifndef GW_GUARD_LIMIT_H
#define GW_GUARD_LIMIT_H

#include "guard/bucket_table.h"
#include "guard/shared.h"

struct gw_limit_params {
    uint64_t period_ns;
    uint32_t tokens, burst; /* tokens 0: no rate, but a ceiling                      */
    uint32_t ceiling;
    uint32_t sets;  /* of 8 keys each; 0: one bucket for all                         */
    bool is_shared; /* else each worker has its part, of that part of rate and burst */
};

struct gw_limit_part {
    struct gw_bucket bucket; /* or a count */
    struct gw_table table;
};
struct gw_limit_state {
    struct gw_shared shared;
    struct gw_limit_params params;
    struct gw_rate rate;
    uint64_t seed; /* of keys: the same in all that succeed each other */
    uint32_t parts_len;
    struct gw_limit_part *parts;                /* behind it */
    _Atomic gw_nanos newest;                    /* to a millisecond: when it was used last */
    _Atomic(struct gw_limit_state *) successor; /* one reference, let go of with itself    */
    _Atomic(struct gw_limit_state *) source; /* whose keys it takes over just now; NULL: nobody's */
};

/* What became of what was asked, since a limiter of that name is there: each worker counts its own. */
struct gw_limit_count {
    _Atomic uint64_t allowed, refused;
    uint64_t apart[6];
};
struct gw_limit_counts {
    struct gw_shared shared;
    uint32_t len;
    struct gw_limit_count of[];
};
size_t gw_limit_counts_size(uint32_t workers);
/* Worker i is alone in adding to its own. */
static inline void gw_limit_note(struct gw_limit_counts *c, uint32_t worker, bool is_allowed)
{
    struct gw_limit_count *own = &c->of[worker % c->len];
    _Atomic uint64_t *n = is_allowed ? &own->allowed : &own->refused;
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* Bytes of a state. */
size_t gw_limit_size(const struct gw_limit_params *params, uint32_t workers);
/* s: zeroed, but for its head, of that size. */
void gw_limit_init(struct gw_limit_state *s, const struct gw_limit_params *params, uint32_t workers,
                   uint64_t seed);
/* What each of its parts has of a ceiling: at least one. */
uint32_t gw_limit_ceiling(const struct gw_limit_state *s, uint32_t ceiling);
/* Can the state go on as that of these? Another ceiling is no other state. */
bool gw_limit_fits(const struct gw_limit_state *s, const struct gw_limit_params *params);
/* From now on s is the state in place of old, which is not succeeded yet; takes a reference of s. is_owed:
 * their keys are the same. */
void gw_limit_succeed(struct gw_limit_state *old, struct gw_limit_state *s, bool is_owed);

struct gw_limit_ask {
    uint32_t worker, ceiling;
    struct gw_table_key key; /* of a state with keys */
    gw_nanos now;
    uint32_t before; /* for who only looks: how often it has asked before and taken nothing */
};
/* One more request. TAKEN or FULL; *of_count: where it is counted, or NULL. */
enum gw_table_result gw_limit_take(struct gw_limit_state *s, const struct gw_limit_ask *ask,
                                   struct gw_taken *out, _Atomic uint64_t **of_count);
/* What that would say now, without taking anything; while another state takes this one's place, as near as
 * that lets it. TAKEN or FULL. */
enum gw_table_result gw_limit_look(struct gw_limit_state *s, const struct gw_limit_ask *ask,
                                   struct gw_taken *out);

/* How it stands: for who looks. O(keys). Any thread. */
struct gw_limit_view {
    uint64_t level;          /* without keys: so many would pass now              */
    uint32_t keys, keys_max; /* with keys: those that it has to remember, of so many */
    bool is_refusing;        /* without keys: the next one would not pass ...     */
    gw_nanos next;           /* ... before then; GW_NEVER: it is not known        */
};
struct gw_limit_view gw_limit_stand(const struct gw_limit_state *s, uint32_t ceiling, gw_nanos now);

#endif
