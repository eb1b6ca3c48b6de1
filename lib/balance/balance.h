/* balance/balance.h: which endpoint of a cluster is next. A balancer is made of what the configuration
 * says of the endpoints and is frozen; a turn is where one worker is with one cluster; candidates say how
 * things are now. So a pick is a function of these three and the key, and can say why. Pure. */
#ifndef GW_BALANCE_BALANCE_H
#define GW_BALANCE_BALANCE_H

#include <gw/config.h>

#include "balance/hash_ring.h"
#include "balance/levels.h"
#include "balance/pins.h"
#include "balance/random.h"
#include "balance/round_robin.h"

/* Beside GW_BALANCE_*: the host chooses, and nobody picks here. */
enum { GW_BALANCE_HOST = GW_BALANCE_RANDOM + 1 };

/* What 0 means of those that can be 0. */
enum { GW_PANIC_PERCENT = 50, GW_SPARE_PERCENT = 140, GW_CHOICES = 2 };

struct gw_balance_spec {
    uint32_t kind; /* GW_BALANCE_*, GW_BALANCE_HOST */
    uint32_t n;
    const gw_str *names;              /* unique; for the ring alone                          */
    const uint32_t *weights;          /* 0: none                                             */
    const uint32_t *priorities;       /* under GW_LEVELS_MAX; NULL: all 0                   */
    uint32_t points;                  /* of the ring, for each unit of weight; 0: default    */
    uint32_t unit;                    /* ... which is so much; 0: default                    */
    uint32_t load_percent;            /* bounded load: 100 and more; 0: no bound             */
    uint32_t choices;                 /* least request: 2 to GW_CHOICES_MAX; 0: default      */
    uint32_t panic_percent;           /* 1 to 100; 0: default; GW_OFF: never                 */
    uint32_t spare_percent;           /* 100 and more; 0: default                            */
    const struct gw_sip_key *pin_key; /* of the pins beside it; NULL: there are none   */
};

/* The endpoints of one priority that weigh anything. */
struct gw_level {
    uint32_t len;
    uint32_t *members, *weights; /* by member: the endpoint, and its weight */
    uint64_t weight;             /* of all */
    struct gw_rr rr;             /* of these three what the kind needs */
    struct gw_ring ring;
    struct gw_lots lots;
};
struct gw_balance {
    struct gw_heap *heap;
    uint32_t kind, choices, load_percent;
    struct gw_levels_rule rule;
    struct gw_level *levels; /* by priority, some may be empty */
    uint32_t levels_len;
};
/* Copies what it keeps, but the heap must outlive it. GW_ELIMIT: more endpoints than a ring or a sequence
 * can hold; GW_ENOMEM. */
gw_status gw_balancer_init(struct gw_balance *b, struct gw_heap *heap,
                           const struct gw_balance_spec *spec) GW_MUST_CHECK;
/* All zero is fine too. */
void gw_balancer_fini(struct gw_balance *b);

/* A worker's, for one cluster; it stays when the cluster's balancer is replaced. */
struct gw_turn {
    uint32_t cursors[GW_LEVELS_MAX]; /* round robin, by level */
    uint32_t place;                  /* among the levels' hundred */
    struct gw_prng prng;
};
void gw_turn_init(struct gw_turn *turn, uint64_t seed);

/* The endpoint; UINT32_MAX: nobody. key: for the ring alone, NULL: there is none, and the turn draws one.
 * trace may be NULL. */
uint32_t gw_balance_pick(const struct gw_balance *b, struct gw_turn *turn,
                         const struct gw_candidates *who, const uint64_t *key,
                         struct gw_pick_trace *trace);

/* Is this level asked whether available or not? available: as in gw_candidates. */
bool gw_balance_is_panic(const struct gw_balance *b, const uint64_t *available, uint32_t level);

#endif
