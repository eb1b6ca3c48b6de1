/* budget/balance.c: picks and nothing else, so that balance.py can count what one costs.
 *
 *     balance POLICY ENDPOINTS PICKS */

#include <stdio.h>
#include <string.h>

#include "balance/balance.h"
#include "plain_heap.h"

enum { ENDPOINTS_MAX = 1000, NAME_BYTES = 24 };

static char texts[ENDPOINTS_MAX][NAME_BYTES];
static gw_str names[ENDPOINTS_MAX];
static uint32_t weights[ENDPOINTS_MAX], inflight[ENDPOINTS_MAX];

static bool is_available(const void *ctx, uint32_t i)
{
    (void)ctx;
    return i % 8 != 0;
}

static uint32_t inflight_of(const void *ctx, uint32_t i)
{
    (void)ctx;
    return inflight[i];
}

static uint32_t kind_of(const char *policy)
{
    static const char *const policies[] = { "round_robin", "consistent_hash", "least_request",
                                            "random" };
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(policies[i], policy) == 0)
            return i + 1;
    exit(2);
}

int main(int argc, char **argv)
{
    struct gw_heap heap;
    struct gw_balance balancer;
    struct gw_turn turn;
    uint64_t picks = argc == 4 ? strtoull(argv[3], NULL, 10) : 0, available = 0, sum = 0;
    struct gw_balance_spec spec = { .names = names, .weights = weights, .load_percent = 125 };
    if (picks == 0)
        return 2;
    spec.kind = kind_of(argv[1]);
    spec.n = (uint32_t)strtoul(argv[2], NULL, 10);
    for (uint32_t i = 0; i < spec.n && i < ENDPOINTS_MAX; i++) {
        snprintf(texts[i], NAME_BYTES, "10.0.%u.%u:80", i / 250, i % 250);
        names[i] = (gw_str){ texts[i], strlen(texts[i]) };
        weights[i] = 1 + i % 3;
        available += is_available(NULL, i) ? weights[i] : 0;
    }
    plain_heap_init(&heap);
    if (gw_balancer_init(&balancer, &heap, &spec) != GW_OK)
        return 1;
    gw_turn_init(&turn, 1);
    struct gw_candidates who = { .is_available = is_available,
                                 .inflight = inflight_of,
                                 .available = &available,
                                 .inflight_sum = spec.n };
    for (uint64_t i = 0; i < picks; i++)
        sum += gw_balance_pick(&balancer, &turn, &who, NULL, NULL);
    gw_balancer_fini(&balancer);
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
