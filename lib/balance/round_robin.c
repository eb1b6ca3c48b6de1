/* balance/round_robin.c: the sequence that smooth weighted round robin repeats, made once.
 *
 * The rule, a pick: every endpoint's score grows by its weight; the highest score wins (the first of
 * equals) and pays the sum of all weights. After as many picks as the sum of the weights all scores
 * are zero again, so the picks up to there are the whole sequence. Endpoints of one weight take
 * turns in their order, so a step looks at one candidate a different weight: there are at most 361
 * of these in a sum of 65,536. */

#include "balance/round_robin.h"

#include "base/assert.h"
#include "base/divisor.h"
#include "base/sort.h"

/* Endpoints of one weight. */
struct group {
    uint32_t weight;
    uint32_t start, len; /* in the order */
    uint32_t next;       /* whose turn it is */
    uint64_t rounds;     /* how often each had its turn */
};

/* What a weight is when all are scaled by share of sum: at least 1, none stays none. */
static uint64_t scaled(uint32_t weight, uint64_t share, uint64_t sum)
{
    uint64_t part = weight * share / sum;
    return weight == 0 || part > 0 ? part : 1;
}

static uint64_t scaled_sum(const uint32_t *weights, uint32_t n, uint64_t share, uint64_t sum)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++)
        total += scaled(weights[i], share, sum);
    return total;
}

/* The largest share whose sum still fits; 0 (each 1) fits, since no more than that are there. */
static uint64_t best_share(const uint32_t *weights, uint32_t n, uint64_t sum)
{
    uint64_t low = 0, high = GW_RR_SEQUENCE_MAX;
    while (low < high) {
        uint64_t middle = (low + high + 1) / 2;
        if (scaled_sum(weights, n, middle, sum) <= GW_RR_SEQUENCE_MAX)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Reduced weights into out; returns their sum. */
static uint64_t reduce(const uint32_t *weights, uint32_t n, uint32_t *out)
{
    uint64_t sum = 0, divisor = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += weights[i];
        divisor = gw_divisor(divisor, weights[i]);
    }
    uint64_t share = sum / divisor;
    if (share > GW_RR_SEQUENCE_MAX)
        share = best_share(weights, n, sum);
    uint64_t total = 0;
    divisor = 0;
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (uint32_t)scaled(weights[i], share, sum);
        divisor = gw_divisor(divisor, out[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        out[i] /= (uint32_t)divisor;
        total += out[i];
    }
    return total;
}

static int by_weight(const void *ctx, uint32_t a, uint32_t b)
{
    const uint32_t *weights = ctx;
    return weights[a] < weights[b] ? -1 : weights[a] > weights[b];
}

static uint32_t make_groups(const uint32_t *weights, const uint32_t *order, uint32_t n,
                            struct group *groups)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t weight = weights[order[i]];
        if (weight == 0)
            continue;
        if (len == 0 || groups[len - 1].weight != weight)
            groups[len++] = (struct group){ .weight = weight, .start = i };
        groups[len - 1].len++;
    }
    return len;
}

/* The endpoint with the highest score at step, from 1; sum is that of all weights. */
static uint32_t take_turn(struct group *groups, uint32_t groups_len, const uint32_t *order,
                          uint64_t step, uint64_t sum)
{
    struct group *best = NULL;
    int64_t best_score = 0;
    for (uint32_t i = 0; i < groups_len; i++) {
        struct group *g = &groups[i];
        int64_t score = (int64_t)(step * g->weight) - (int64_t)(sum * g->rounds);
        bool is_first = best != NULL && score == best_score &&
                        order[g->start + g->next] < order[best->start + best->next];
        if (best == NULL || score > best_score || is_first) {
            best = g;
            best_score = score;
        }
    }
    GW_ASSERT(best != NULL);
    uint32_t chosen = order[best->start + best->next];
    if (++best->next == best->len) {
        best->next = 0;
        best->rounds++;
    }
    return chosen;
}

/* An upper bound of how many different weights a sum can hold. */
static uint32_t groups_max(uint64_t sum, uint32_t n)
{
    uint32_t k = 0;
    while (k < n && (uint64_t)(k + 1) * (k + 2) / 2 <= sum)
        k++;
    return k;
}

static gw_status make_sequence(struct gw_rr *rr, struct gw_heap *heap, const uint32_t *weights,
                               uint32_t n, uint64_t sum)
{
    size_t groups_size = groups_max(sum, n) * sizeof(struct group);
    size_t order_size = (size_t)n * 2 * sizeof(uint32_t);
    struct group *groups = gw_heap_alloc(heap, groups_size);
    uint32_t *order = gw_heap_alloc(heap, order_size);
    uint32_t *sequence = gw_heap_alloc(heap, sum * sizeof(uint32_t));
    gw_status status = GW_ENOMEM;
    if (groups == NULL || order == NULL || sequence == NULL)
        goto done;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    gw_sort(order, order + n, n, by_weight, weights);
    uint32_t groups_len = make_groups(weights, order, n, groups);
    GW_ASSERT(groups_len * sizeof(struct group) <= groups_size);
    for (uint32_t i = 0; i < sum; i++)
        sequence[i] = take_turn(groups, groups_len, order, i + 1, sum);
    *rr = (struct gw_rr){ .sequence = sequence, .len = (uint32_t)sum };
    sequence = NULL; /* ownership moved */
    status = GW_OK;
done:
    gw_heap_release(heap, sequence, sum * sizeof(uint32_t));
    gw_heap_release(heap, order, order_size);
    gw_heap_release(heap, groups, groups_size);
    return status;
}

gw_status gw_rr_init(struct gw_rr *rr, struct gw_heap *heap, const uint32_t *weights, uint32_t n)
{
    uint32_t present = 0, equal = 0;
    for (uint32_t i = 0; i < n; i++) {
        present += weights[i] != 0;
        equal += weights[i] == weights[0];
    }
    if (present == 0 || equal == n) {
        *rr = (struct gw_rr){ .sequence = NULL, .len = present };
        return GW_OK;
    }
    if (present > GW_RR_SEQUENCE_MAX)
        return GW_ELIMIT;
    size_t size = n * sizeof(uint32_t);
    uint32_t *reduced = gw_heap_alloc(heap, size);
    if (reduced == NULL)
        return GW_ENOMEM;
    uint64_t sum = reduce(weights, n, reduced);
    GW_ASSERT(sum >= present && sum <= GW_RR_SEQUENCE_MAX);
    gw_status status = make_sequence(rr, heap, reduced, n, sum);
    gw_heap_release(heap, reduced, size);
    return status;
}

void gw_rr_fini(struct gw_rr *rr, struct gw_heap *heap)
{
    gw_heap_release(heap, rr->sequence, rr->len * sizeof(uint32_t));
    *rr = (struct gw_rr){ .sequence = NULL, .len = 0 };
}

uint32_t gw_rr_pick(const struct gw_rr *rr, uint32_t *cursor)
{
    if (rr->len == 0)
        return UINT32_MAX;
    uint32_t at = *cursor < rr->len ? *cursor : *cursor % rr->len;
    *cursor = at + 1;
    return rr->sequence == NULL ? at : rr->sequence[at];
}
