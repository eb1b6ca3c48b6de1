/* resolve/changes.h: what is new in the endpoints of a cluster, and the lines that tell of it. */
#ifndef GW_RESOLVE_CHANGES_H
#define GW_RESOLVE_CHANGES_H

#include "base/log.h"
#include "dns/watch.h"

struct gw_dns_changes {
    uint32_t come, gone, moved; /* moved: another address, weight or level under the same name */
};
/* O(n times m). */
struct gw_dns_changes gw_dns_compare(const struct gw_dns_set *before, const struct gw_dns_set *now);
static inline bool gw_dns_is_changed(const struct gw_dns_changes *c)
{
    return c->come + c->gone + c->moved > 0;
}

/* "api: 3 endpoints by api.example.com: 1 new, 1 gone" */
void gw_dns_say_change(struct gw_log *log, gw_nanos now, gw_str cluster,
                       const struct gw_dns_watch *w, const struct gw_dns_set *set,
                       const struct gw_dns_changes *changes);
/* A question that was told: "api: AAAA of api.example.com: no server answered in time; asked again in 900 ms".
 * Of many failures in a row each says so that doubles their number, and the answer that ends them does. */
void gw_dns_say_told(struct gw_log *log, gw_nanos now, gw_str cluster,
                     const struct gw_dns_question *before, const struct gw_dns_question *after,
                     const char *why);

#endif
