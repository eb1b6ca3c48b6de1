/* balance/pins.c: sorted once when endpoints change, then searched. */

#include "balance/pins.h"

#include "base/sort.h"
#include "base/text.h"

struct gw_pin {
    uint64_t value;
    uint32_t endpoint;
};

uint64_t gw_pin_of(struct gw_sip_key key, gw_str name)
{
    return gw_siphash(key, name);
}

struct draft {
    const uint64_t *values;
    const gw_str *names;
};

/* If two have the same number, it is the lower name's. */
static int by_value(const void *ctx, uint32_t a, uint32_t b)
{
    const struct draft *d = ctx;

    if (d->values[a] != d->values[b])
        return d->values[a] < d->values[b] ? -1 : 1;
    return gw_str_compare(d->names[a], d->names[b]);
}

gw_status gw_pins_init(struct gw_pins *p, struct gw_heap *heap, struct gw_sip_key key,
                       const gw_str *names, uint32_t n)
{
    size_t values_size = n * sizeof(uint64_t), order_size = 2 * (size_t)n * sizeof(uint32_t);
    struct draft d = { NULL, names };
    uint64_t *values;
    uint32_t *order;
    struct gw_pin *list;
    gw_status status = GW_ENOMEM;

    if (n == 0)
        return GW_OK;
    values = gw_heap_alloc(heap, values_size);
    order = gw_heap_alloc(heap, order_size);
    list = gw_heap_alloc(heap, n * sizeof *list);
    if (values != NULL && order != NULL && list != NULL) {
        for (uint32_t i = 0; i < n; i++) {
            values[i] = gw_pin_of(key, names[i]);
            order[i] = i;
        }
        d.values = values;
        gw_sort(order, order + n, n, by_value, &d);
        for (uint32_t i = 0; i < n; i++)
            list[i] = (struct gw_pin){ values[order[i]], order[i] };
        *p = (struct gw_pins){ list, n };
        status = GW_OK;
    } else {
        gw_heap_release(heap, list, n * sizeof *list);
    }
    gw_heap_release(heap, order, order_size);
    gw_heap_release(heap, values, values_size);
    return status;
}

void gw_pins_fini(struct gw_pins *p, struct gw_heap *heap)
{
    gw_heap_release(heap, p->list, p->len * sizeof *p->list);
    *p = (struct gw_pins){ NULL, 0 };
}

uint32_t gw_pins_find(const struct gw_pins *p, uint64_t value)
{
    uint32_t low = 0, high = p->len;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->list[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->len && p->list[low].value == value ? p->list[low].endpoint : UINT32_MAX;
}

void gw_pin_format(uint64_t value, char out[GW_PIN_TEXT])
{
    for (int i = 0; i < GW_PIN_TEXT; i++)
        out[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
}

bool gw_pin_parse(gw_str text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.len != GW_PIN_TEXT)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}
