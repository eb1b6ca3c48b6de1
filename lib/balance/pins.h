/* balance/pins.h: a number for each endpoint, which leads back to it: what a client may be told so that it
 * comes back to the same one. A keyed hash of the endpoint's name: it says nothing of addresses, is the
 * same whatever the order of endpoints, and in every process that has the key. Pure. */
#ifndef GW_BALANCE_PINS_H
#define GW_BALANCE_PINS_H

#include "base/heap.h"
#include "base/siphash.h"

struct gw_pins {
    struct gw_pin *list; /* by value */
    uint32_t len;
};

uint64_t gw_pin_of(struct gw_sip_key key, gw_str name);
/* GW_ENOMEM. All zero is an empty one. */
gw_status gw_pins_init(struct gw_pins *p, struct gw_heap *heap, struct gw_sip_key key,
                       const gw_str *names, uint32_t n) GW_MUST_CHECK;
void gw_pins_fini(struct gw_pins *p, struct gw_heap *heap);
/* The endpoint; UINT32_MAX: nobody's. O(log n). */
uint32_t gw_pins_find(const struct gw_pins *p, uint64_t value);

enum { GW_PIN_TEXT = 16 };
/* As sixteen hexadecimal digits, in lower case. */
void gw_pin_format(uint64_t value, char out[GW_PIN_TEXT]);
/* False: it is not exactly that. */
bool gw_pin_parse(gw_str text, uint64_t *out);

#endif
