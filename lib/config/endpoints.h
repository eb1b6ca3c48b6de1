/* config/endpoints.h: the endpoints of one cluster and the order in which they are picked, frozen. A
 * configuration has one for each of its clusters; a call may put another in its place while the rest of
 * the configuration stays (gw/live.h). Changed by nobody once it is finished, freed with the last
 * reference. */
#ifndef GW_CONFIG_ENDPOINTS_H
#define GW_CONFIG_ENDPOINTS_H

#include <stdatomic.h>

#include <gw/config.h>

#include "balance/balance.h"
#include "base/store.h"

struct gw_endpoint_conf {
    gw_str name, address; /* a zero byte behind */
    uint32_t index;
    uint32_t weight; /* 0: none */
    uint32_t priority;
};
struct gw_endpoints {
    atomic_uint refs;
    struct gw_heap heap;   /* all its memory */
    struct gw_store store; /* texts and list */
    struct gw_endpoint_conf *list;
    uint32_t len;
    struct gw_balance balancer;
    struct gw_pins pins; /* empty, where clients need not come back */
};

/* Room for n, with one reference; NULL: no memory. */
struct gw_endpoints *gw_endpoints_new(const gw_allocator *allocator, uint32_t n) GW_MUST_CHECK;
/* The i-th: copied, defaults filled in. spec was checked, and has a name. GW_ENOMEM. */
gw_status gw_endpoints_set(struct gw_endpoints *e, uint32_t i, const gw_endpoint_spec *spec)
    GW_MUST_CHECK;
/* What would make the i-th once more; its texts are e's. */
void gw_endpoints_get(const struct gw_endpoints *e, uint32_t i, gw_endpoint_spec *out);
/* All are set; how: what their cluster says, without the endpoints. Again, while nobody else knows of
 * them: with another how. GW_ENOMEM. */
gw_status gw_endpoints_finish(struct gw_endpoints *e, const struct gw_balance_spec *how)
    GW_MUST_CHECK;
/* The same ones, finished another way; NULL: no memory. */
struct gw_endpoints *gw_endpoints_remake(const gw_allocator *allocator,
                                         const struct gw_endpoints *e,
                                         const struct gw_balance_spec *how) GW_MUST_CHECK;
/* One more owner. Returns e. Any thread. */
struct gw_endpoints *gw_endpoints_ref(struct gw_endpoints *e);
/* One owner less. NULL is fine. Any thread. */
void gw_endpoints_unref(struct gw_endpoints *e);

#endif
