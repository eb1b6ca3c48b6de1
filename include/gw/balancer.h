/* gw/balancer.h: the host itself chooses which endpoint of a cluster a request goes to
 * (docs/balancing.md). */
#ifndef GW_BALANCER_H
#define GW_BALANCER_H

#include <gw/exchange.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    GW_CANDIDATE_OUT = 1u, /* something speaks against it, as ejection does: it may be asked all
                               the same, as panic would                                       */
    GW_CANDIDATE_SHUT =
        2u, /* it is not asked, whoever chooses it: its weight is off, it is forced out, or its
                               breaker lets nobody through                                    */
    GW_CANDIDATE_TRIED = 4u /* by this request                                                */
};
/* An endpoint as it is now. The library fills it; views live until the hook returns. */
typedef struct gw_candidate {
    uint32_t size;
    uint32_t flags;    /* GW_CANDIDATE_*                                                       */
    uint32_t weight;   /* 0: off                                                               */
    uint32_t priority; /* its level                                                            */
    uint32_t inflight; /* exchanges that were given to it and have not ended, by all workers   */
    uint32_t reserved;
    gw_str name, address;
} gw_candidate;

/* One choice that is to be made. The library fills it; it lives until the hook returns, and so does
 * all that it points to. */
typedef struct gw_choice {
    uint32_t size;
    uint32_t candidates; /* how many there are: numbers from 0                                 */
    uint32_t tries;      /* of this request before                                             */
    uint32_t has_key;    /* 1: it has one of the cluster's hash.keys                           */
    uint64_t key;        /* ... and this is XXH64, seed 0, of it                               */
    uint64_t random;     /* drawn for this choice                                              */
    gw_str cluster;
    const gw_exchange *exchange;
    const gw_message *request; /* its head: as filters have left it                            */
} gw_choice;
/* The i-th candidate of the choice that is to be made; fills what out->size covers. Inside choose only.
 * GW_EUNKNOWN: no such; GW_EINVAL: no choice. O(1). */
GW_API gw_status gw_choice_candidate(const gw_choice *c, uint32_t i, gw_candidate *out);

#define GW_NOBODY UINT32_MAX /* of choose: no endpoint is to be asked */

typedef struct gw_balancer {
    uint32_t size;
    uint32_t reserved;
    const char *name; /* copied; unique                                                        */
    void *ctx;        /* given to choose; must outlive the configuration                       */
    /* The number of a candidate, or GW_NOBODY: then the request ends as if there were nobody. In the
     * worker's thread, for each try, and more than once for one where another worker is faster; so what it
     * says should follow from what it is given, and it changes nothing. A number that no candidate has is
     * a mistake (docs/embedding-contract.md) and ends the request. */
    uint32_t (*choose)(void *ctx, const gw_choice *c);
} gw_balancer;

#ifdef __cplusplus
}
#endif
#endif
