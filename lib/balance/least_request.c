/* balance/least_request.c: what is compared is inflight / weight as it is, not with the new request
 * counted in: so that endpoints that are all idle tie, the first one drawn wins, and few requests are
 * shared by weight as many are. */

#include "balance/least_request.h"

#include "base/assert.h"

/* So often another one is drawn for one that is compared already. */
enum { AGAIN = 2 };

struct chosen {
    uint32_t members[GW_CHOICES_MAX];
    uint32_t len;
};

static bool is_among(const struct chosen *c, uint32_t member)
{
    for (uint32_t i = 0; i < c->len; i++)
        if (c->members[i] == member)
            return true;
    return false;
}

/* One that is not among them, as far as luck allows; UINT32_MAX: none. */
static uint32_t draw_another(const struct gw_lots *lots, const struct gw_pick *p,
                             const struct chosen *c)
{
    if (p->len == 1) /* no lots need to be drawn for that */
        return gw_pick_may(p, 0) ? 0 : UINT32_MAX;
    for (uint32_t n = 0; n <= AGAIN; n++) {
        uint32_t m = gw_random_pick(lots, p);
        if (m == UINT32_MAX || !is_among(c, m))
            return m;
    }
    return UINT32_MAX;
}

uint32_t gw_least_pick(const struct gw_lots *lots, const struct gw_pick *p, uint32_t choices)
{
    struct chosen c = { .len = 0 };
    uint32_t best = UINT32_MAX;
    uint64_t best_inflight = 0;
    GW_ASSERT(choices <= GW_CHOICES_MAX);
    while (c.len < choices && c.len < p->len) {
        uint32_t m = draw_another(lots, p, &c);
        if (m == UINT32_MAX)
            break;
        uint64_t inflight = gw_pick_inflight(p, m);
        p->trace->others[c.len] = gw_pick_endpoint(p, m);
        c.members[c.len++] = m;
        if (best == UINT32_MAX || inflight * p->weights[best] < best_inflight * p->weights[m]) {
            best = m;
            best_inflight = inflight;
        }
    }
    p->trace->others_len = c.len;
    return best;
}
