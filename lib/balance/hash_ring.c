/* balance/hash_ring.c: made once when endpoints change; a key is found in O(1): its top bits say where to
 * begin, and as there are as many beginnings as points, about one step is left. */

#include "balance/hash_ring.h"

#include <string.h>

#include "base/assert.h"
#include "base/sort.h"
#include "base/text.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- how many points --- */

/* By the greatest weight alone: so whoever else comes, goes or changes leaves it as it is. */
static uint32_t unit_of(const struct gw_ring_spec *spec)
{
    uint32_t greatest = 1, unit = 1;
    if (spec->unit != 0)
        return spec->unit;
    for (uint32_t i = 0; i < spec->n; i++)
        greatest = spec->weights[i] > greatest ? spec->weights[i] : greatest;
    while (greatest / unit >= 10)
        unit *= 10;
    return unit;
}

static uint64_t points_of(const struct gw_ring_spec *spec, uint32_t i, uint32_t unit,
                          uint32_t halved)
{
    uint64_t whole = (uint64_t)unit << halved;
    uint64_t points = ((uint64_t)spec->weights[i] * spec->points + whole / 2) / whole;
    return points > 0 ? points : 1;
}

static uint64_t count_points(const struct gw_ring_spec *spec, uint32_t unit, uint32_t halved)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < spec->n; i++)
        sum += points_of(spec, i, unit, halved);
    return sum;
}

/* --- making it --- */

struct draft {
    const struct gw_ring_spec *spec;
    uint64_t *hashes;
    uint32_t *owners;
    uint32_t *order; /* room for twice the points: gw_sort needs it */
    uint8_t *text;   /* a name and a number                         */
};
enum { NUMBER_BYTES = 4 };

static int by_place(const void *ctx, uint32_t a, uint32_t b)
{
    const struct draft *d = ctx;
    if (d->hashes[a] != d->hashes[b])
        return d->hashes[a] < d->hashes[b] ? -1 : 1;
    return gw_str_compare(d->spec->names[d->owners[a]], d->spec->names[d->owners[b]]);
}

static void place_points(const struct draft *d, uint32_t unit, uint32_t halved)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < d->spec->n; i++) {
        gw_str name = d->spec->names[i];
        uint32_t points = (uint32_t)points_of(d->spec, i, unit, halved);
        memcpy(d->text, name.ptr, name.len);
        for (uint32_t point = 0; point < points; point++) {
            for (uint32_t byte = 0; byte < NUMBER_BYTES; byte++)
                d->text[name.len + byte] = (uint8_t)(point >> (8 * byte));
            d->hashes[at] = XXH64(d->text, name.len + NUMBER_BYTES, 0);
            d->owners[at] = i;
            d->order[at] = at;
            at++;
        }
    }
}

static void make_index(struct gw_ring *ring)
{
    uint32_t point = 0;
    for (uint32_t top = 0; top >> ring->bits == 0; top++) {
        while (point < ring->len && ring->hashes[point] >> (64 - ring->bits) < top)
            point++;
        ring->index[top] = point;
    }
}

static void release(struct gw_heap *heap, void *memory, size_t n, size_t size)
{
    gw_heap_release(heap, memory, n * size);
}

static gw_status fill(struct gw_ring *ring, struct gw_heap *heap, const struct gw_ring_spec *spec)
{
    size_t len = ring->len, text_len = NUMBER_BYTES;
    for (uint32_t i = 0; i < spec->n; i++)
        if (spec->names[i].len + NUMBER_BYTES > text_len)
            text_len = spec->names[i].len + NUMBER_BYTES;
    struct draft d = { .spec = spec };
    d.hashes = gw_heap_alloc(heap, len * sizeof *d.hashes);
    d.owners = gw_heap_alloc(heap, len * sizeof *d.owners);
    d.order = gw_heap_alloc(heap, len * 2 * sizeof *d.order);
    d.text = gw_heap_alloc(heap, text_len);
    gw_status status = GW_ENOMEM;
    if (d.hashes == NULL || d.owners == NULL || d.order == NULL || d.text == NULL)
        goto done;
    place_points(&d, ring->unit, ring->halved);
    gw_sort(d.order, d.order + len, len, by_place, &d);
    for (size_t i = 0; i < len; i++) {
        ring->hashes[i] = d.hashes[d.order[i]];
        ring->owners[i] = d.owners[d.order[i]];
    }
    make_index(ring);
    status = GW_OK;
done:
    release(heap, d.text, text_len, 1);
    release(heap, d.order, len * 2, sizeof *d.order);
    release(heap, d.owners, len, sizeof *d.owners);
    release(heap, d.hashes, len, sizeof *d.hashes);
    return status;
}

static uint32_t bits_for(uint32_t len)
{
    uint32_t bits = 1;
    while (len >> bits != 0)
        bits++;
    return bits;
}

gw_status gw_ring_init(struct gw_ring *ring, struct gw_heap *heap, const struct gw_ring_spec *spec)
{
    struct gw_ring_spec full = *spec;
    full.points = spec->points == 0 ? GW_RING_POINTS : spec->points;
    full.points_max = spec->points_max == 0 ? GW_RING_POINTS_MAX : spec->points_max;
    struct gw_ring own = { .len = 0 };
    if (full.n == 0) {
        *ring = own;
        return GW_OK;
    }
    if (full.n > full.points_max)
        return GW_ELIMIT;
    own.unit = unit_of(&full);
    while (count_points(&full, own.unit, own.halved) > full.points_max)
        own.halved++;
    own.len = (uint32_t)count_points(&full, own.unit, own.halved);
    own.bits = bits_for(own.len);
    own.hashes = gw_heap_alloc(heap, own.len * sizeof *own.hashes);
    own.owners = gw_heap_alloc(heap, own.len * sizeof *own.owners);
    own.index = gw_heap_alloc(heap, ((size_t)1 << own.bits) * sizeof *own.index);
    gw_status status = GW_ENOMEM;
    if (own.hashes != NULL && own.owners != NULL && own.index != NULL)
        status = fill(&own, heap, &full);
    if (status == GW_OK)
        *ring = own;
    else
        gw_ring_fini(&own, heap);
    return status;
}

void gw_ring_fini(struct gw_ring *ring, struct gw_heap *heap)
{
    release(heap, ring->hashes, ring->len, sizeof *ring->hashes);
    release(heap, ring->owners, ring->len, sizeof *ring->owners);
    release(heap, ring->index, (size_t)1 << ring->bits, sizeof *ring->index);
    memset(ring, 0, sizeof *ring);
}

/* --- asking it --- */

uint32_t gw_ring_find(const struct gw_ring *ring, uint64_t key)
{
    uint32_t at = ring->index[key >> (64 - ring->bits)];
    while (at < ring->len && ring->hashes[at] < key)
        at++;
    return at < ring->len ? at : 0;
}

void gw_ring_shares(const struct gw_ring *ring, uint64_t *out, uint32_t n)
{
    memset(out, 0, n * sizeof *out);
    if (ring->len == 0)
        return;
    bool is_alone = true;
    for (uint32_t i = 0; i < ring->len; i++) {
        uint64_t before = ring->hashes[i > 0 ? i - 1 : ring->len - 1];
        out[ring->owners[i]] += ring->hashes[i] - before;
        is_alone = is_alone && ring->owners[i] == ring->owners[0];
    }
    if (is_alone)
        out[ring->owners[0]] = UINT64_MAX;
}

/* The keys between two neighbouring points of either ring have one owner in each. */
uint64_t gw_ring_moved(const struct gw_ring *a, const struct gw_ring *b,
                       bool (*is_same)(const void *ctx, uint32_t in_a, uint32_t in_b),
                       const void *ctx)
{
    uint64_t last_a = a->hashes[a->len - 1], last_b = b->hashes[b->len - 1], moved = 0;
    uint64_t before = last_a > last_b ? last_a : last_b;
    bool is_any_kept = false;
    uint32_t i = 0, j = 0;
    while (i < a->len || j < b->len) {
        bool is_of_a = j == b->len || (i < a->len && a->hashes[i] <= b->hashes[j]);
        uint64_t at = is_of_a ? a->hashes[i] : b->hashes[j];
        if (is_same(ctx, a->owners[i < a->len ? i : 0], b->owners[j < b->len ? j : 0]))
            is_any_kept = is_any_kept || at != before || a->len + b->len == 2;
        else
            moved += at - before;
        before = at;
        i += is_of_a;
        j += !is_of_a;
    }
    return is_any_kept || moved > 0 ? moved : UINT64_MAX;
}

/* Who has as many as its bound is full. The bounds of all add up to load_percent of one more than is in
 * flight, so that not all can be full as long as that is 100 or more. */
static bool is_full(const struct gw_pick *p, uint32_t member, uint32_t load_percent)
{
    uint64_t part = (p->who->inflight_sum + 1) * load_percent * p->weights[member],
             whole = 100 * p->weight;
    return gw_pick_inflight(p, member) >= part / whole + (part % whole != 0);
}

uint32_t gw_ring_pick(const struct gw_ring *ring, const struct gw_pick *p, uint64_t key,
                      uint32_t load_percent)
{
    uint32_t first = UINT32_MAX, refused = UINT32_MAX;
    if (ring->len == 0)
        return UINT32_MAX;
    uint32_t at = gw_ring_find(ring, key);
    for (uint32_t walked = 0; walked < ring->len; walked++) {
        uint32_t m = ring->owners[at];
        p->trace->point = ring->hashes[at];
        at = at + 1 < ring->len ? at + 1 : 0;
        if (m == refused || !gw_pick_may(p, m)) {
            refused = m;
            continue;
        }
        if (load_percent == 0 || !is_full(p, m, load_percent))
            return m;
        p->trace->loaded++;
        first = first == UINT32_MAX ? m : first;
        refused = m;
    }
    return first;
}
