/* budget/limit.c: takes from limiters and nothing else, so that limit.py can count what one costs.
 *
 *     limit one|keyed|ceiling TAKES */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/limit.h"

enum { KEYS = 64, SETS = 64, KEY_STEP = 7 };

int main(int argc, char **argv)
{
    struct gw_limit_params params = {
        .period_ns = GW_MS(1000), .tokens = 1000000, .burst = 1000, .is_shared = true
    };
    struct gw_limit_state *s;
    uint64_t takes = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, allowed = 0;

    if (takes == 0)
        return 2;
    params.sets = strcmp(argv[1], "keyed") == 0 ? SETS : 0;
    if (strcmp(argv[1], "ceiling") == 0)
        params.tokens = 0;
    s = calloc(1, gw_limit_size(&params, 2));
    if (s == NULL)
        return 1;
    gw_limit_init(s, &params, 2, 1);
    for (uint64_t i = 0; i < takes; i++) {
        struct gw_limit_ask ask = { .ceiling = 1, .now = GW_MS(1000) + i * 1000 };
        struct gw_taken taken;
        _Atomic uint64_t *count;
        ask.key.lo = i % KEYS * KEY_STEP;
        ask.key.hi = ~ask.key.lo;
        if (gw_limit_take(s, &ask, &taken, &count) != GW_TABLE_TAKEN)
            return 1;
        allowed += taken.allowed;
        if (count != NULL)
            gw_count_leave(count);
    }
    free(s);
    printf("%llu\n", (unsigned long long)allowed);
    return allowed == takes ? 0 : 1;
}
