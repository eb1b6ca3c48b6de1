/* config/endpoints.c: made, shared and freed. */

#include "config/endpoints.h"

#include "base/assert.h"
#include "base/text.h"

enum { WEIGHT = 1 }; /* the default; gw/config.h says the same */

struct gw_endpoints *gw_endpoints_new(const gw_allocator *allocator, uint32_t n)
{
    struct gw_heap heap;
    gw_heap_init(&heap, allocator, 0);
    struct gw_endpoints *e = gw_heap_zalloc(&heap, sizeof *e);
    if (e == NULL)
        return NULL;
    atomic_init(&e->refs, 1);
    e->heap = heap;
    gw_store_init(&e->store, &e->heap);
    e->list = gw_store_take(&e->store, n, sizeof *e->list);
    e->len = n;
    if (e->list != NULL)
        return e;
    gw_endpoints_unref(e);
    return NULL;
}

gw_status gw_endpoints_set(struct gw_endpoints *e, uint32_t i, const gw_endpoint_spec *spec)
{
    struct gw_endpoint_conf *out = &e->list[i];
    out->index = i;
    out->priority = spec->priority;
    out->weight = spec->weight == 0 ? WEIGHT : spec->weight;
    if (spec->weight == GW_OFF)
        out->weight = 0;
    gw_status status = gw_store_copy(&e->store, spec->address, &out->address);
    if (status == GW_OK && gw_str_eq(spec->name, spec->address))
        out->name = out->address;
    else if (status == GW_OK)
        status = gw_store_copy(&e->store, spec->name, &out->name);
    return status;
}

void gw_endpoints_get(const struct gw_endpoints *e, uint32_t i, gw_endpoint_spec *out)
{
    const struct gw_endpoint_conf *conf = &e->list[i];
    *out = (gw_endpoint_spec){ .size = sizeof *out,
                               .weight = conf->weight == 0 ? GW_OFF : conf->weight,
                               .priority = conf->priority,
                               .name = conf->name,
                               .address = conf->address };
}

gw_status gw_endpoints_finish(struct gw_endpoints *e, const struct gw_balance_spec *how)
{
    size_t n = e->len;
    gw_balancer_fini(&e->balancer); /* it may have been finished before */
    gw_pins_fini(&e->pins, &e->heap);
    if (n == 0)
        return GW_OK;
    gw_str *names = gw_heap_alloc(&e->heap, n * sizeof *names);
    uint32_t *weights = gw_heap_alloc(&e->heap, n * sizeof *weights);
    uint32_t *priorities = gw_heap_alloc(&e->heap, n * sizeof *priorities);
    gw_status status = GW_ENOMEM;
    if (names == NULL || weights == NULL || priorities == NULL)
        goto done;
    for (size_t i = 0; i < n; i++) {
        names[i] = e->list[i].name;
        weights[i] = e->list[i].weight;
        priorities[i] = e->list[i].priority;
    }
    struct gw_balance_spec spec = *how;
    spec.n = e->len;
    spec.names = names;
    spec.weights = weights;
    spec.priorities = priorities;
    status = gw_balancer_init(&e->balancer, &e->heap, &spec);
    if (status == GW_OK && how->pin_key != NULL)
        status = gw_pins_init(&e->pins, &e->heap, *how->pin_key, names, e->len);
done:
    gw_heap_release(&e->heap, priorities, n * sizeof *priorities);
    gw_heap_release(&e->heap, weights, n * sizeof *weights);
    gw_heap_release(&e->heap, names, n * sizeof *names);
    return status;
}

struct gw_endpoints *gw_endpoints_remake(const gw_allocator *allocator,
                                         const struct gw_endpoints *e,
                                         const struct gw_balance_spec *how)
{
    struct gw_endpoints *made = gw_endpoints_new(allocator, e->len);
    gw_status status = made != NULL ? GW_OK : GW_ENOMEM;
    for (uint32_t i = 0; status == GW_OK && i < e->len; i++) {
        gw_endpoint_spec spec;
        gw_endpoints_get(e, i, &spec);
        status = gw_endpoints_set(made, i, &spec);
    }
    if (status == GW_OK)
        status = gw_endpoints_finish(made, how);
    if (status == GW_OK)
        return made;
    gw_endpoints_unref(made);
    return NULL;
}

struct gw_endpoints *gw_endpoints_ref(struct gw_endpoints *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

static void free_endpoints(struct gw_endpoints *e)
{
    gw_balancer_fini(&e->balancer);
    gw_pins_fini(&e->pins, &e->heap);
    gw_store_fini(&e->store);
    struct gw_heap heap = e->heap;
    gw_heap_release(&heap, e, sizeof *e);
    GW_ASSERT(heap.used == 0);
}

void gw_endpoints_unref(struct gw_endpoints *e)
{
    if (e == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel);
    GW_ASSERT(before > 0);
    if (before == 1)
        free_endpoints(e);
}
