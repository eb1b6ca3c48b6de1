/* balance/random.c: lots are drawn until one may be picked: what is passed over leaves the others'
 * proportions as they are. When few may be, that takes long: then all are looked at once, and one lot is
 * drawn among those. Both give each the same share. */

#include "balance/random.h"

#include <string.h>

#include "base/assert.h"

enum { DRAWS = 16 };

static bool are_alike(const uint32_t *weights, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (weights[i] != weights[0])
            return false;
    return true;
}

/* What is left of each is in units of which a column holds sum. The small ones are at the front of
 * todo, the large ones at its back. */
static void fill(struct gw_lots *lots, uint64_t *left, uint32_t *todo)
{
    uint32_t small = 0, large = lots->n;
    for (uint32_t i = 0; i < lots->n; i++) {
        if (left[i] < lots->sum)
            todo[small++] = i;
        else
            todo[--large] = i;
    }
    while (small > 0 && large < lots->n) {
        uint32_t low = todo[--small], high = todo[large];
        lots->until[low] = (uint32_t)left[low];
        lots->other[low] = high;
        left[high] -= lots->sum - left[low];
        if (left[high] < lots->sum) {
            large++;
            todo[small++] = high;
        }
    }
    GW_ASSERT(small == 0); /* integers: nothing is lost by rounding */
    for (; large < lots->n; large++) {
        lots->until[todo[large]] = lots->sum;
        lots->other[todo[large]] = todo[large];
    }
}

gw_status gw_lots_init(struct gw_lots *lots, struct gw_heap *heap, const uint32_t *weights,
                       uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += weights[i];
    GW_ASSERT(sum <= UINT32_MAX);
    struct gw_lots own = { .n = n, .sum = (uint32_t)sum };
    if (are_alike(weights, n)) {
        *lots = own;
        return GW_OK;
    }
    uint64_t *left = gw_heap_alloc(heap, n * sizeof *left);
    uint32_t *todo = gw_heap_alloc(heap, n * sizeof *todo);
    own.until = gw_heap_alloc(heap, n * sizeof *own.until);
    own.other = gw_heap_alloc(heap, n * sizeof *own.other);
    gw_status status = GW_ENOMEM;
    if (left == NULL || todo == NULL || own.until == NULL || own.other == NULL) {
        gw_lots_fini(&own, heap);
        goto done;
    }
    for (uint32_t i = 0; i < n; i++)
        left[i] = (uint64_t)weights[i] * n;
    fill(&own, left, todo);
    *lots = own;
    status = GW_OK;
done:
    gw_heap_release(heap, todo, n * sizeof *todo);
    gw_heap_release(heap, left, n * sizeof *left);
    return status;
}

void gw_lots_fini(struct gw_lots *lots, struct gw_heap *heap)
{
    gw_heap_release(heap, lots->until, lots->n * sizeof *lots->until);
    gw_heap_release(heap, lots->other, lots->n * sizeof *lots->other);
    memset(lots, 0, sizeof *lots);
}

static uint32_t draw(const struct gw_lots *lots, struct gw_prng *prng)
{
    /* The upper halves of products: as even as a remainder, and without a division. */
    uint32_t column = (uint32_t)((gw_prng_next(prng) >> 32) * lots->n >> 32);
    if (lots->until == NULL)
        return column;
    uint32_t height = (uint32_t)((gw_prng_next(prng) >> 32) * lots->sum >> 32);
    return height < lots->until[column] ? column : lots->other[column];
}

static uint64_t weight_now(const struct gw_pick *p, uint32_t member)
{
    return gw_pick_may(p, member) ? (uint64_t)p->weights[member] * gw_pick_warmth(p, member) : 0;
}

static uint32_t look_at_all(const struct gw_pick *p)
{
    uint64_t sum = 0;
    for (uint32_t m = 0; m < p->len; m++)
        sum += weight_now(p, m);
    if (sum == 0)
        return UINT32_MAX;
    uint64_t lot = gw_prng_below(p->prng, sum);
    for (uint32_t m = 0; m < p->len; m++) {
        uint64_t weight = weight_now(p, m);
        if (lot < weight)
            return m;
        lot -= weight;
    }
    return UINT32_MAX; /* they changed meanwhile */
}

uint32_t gw_random_pick(const struct gw_lots *lots, const struct gw_pick *p)
{
    for (uint32_t n = 0; n < DRAWS && lots->n > 0; n++) {
        uint32_t m = draw(lots, p->prng);
        if (gw_pick_may(p, m) && gw_pick_takes(p, m))
            return m;
    }
    return look_at_all(p);
}
