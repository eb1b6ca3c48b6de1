/* http/forwarded.h: what proxies say of whom they speak for: X-Forwarded-For, and Forwarded (RFC 7239).
 * Every hop adds itself at the right, so the right end is believed as far as those who wrote it are, and
 * no further: what stands left of that anybody may have written. Pure. */
#ifndef GW_HTTP_FORWARDED_H
#define GW_HTTP_FORWARDED_H

#include "base/prefix.h"
#include "http/field.h"

/* More hops than these are not looked at. */
enum { GW_FORWARDED_HOPS_MAX = 32 };

/* The last elements of a list, which may stand in several fields; the rightmost first. */
struct gw_hops {
    gw_str at[GW_FORWARDED_HOPS_MAX];
    uint32_t count;
};

/* Who may say whom it speaks for: certain addresses, or the hops nearest to us whatever theirs are. */
struct gw_trust {
    const struct gw_prefix *prefixes;
    uint32_t prefixes_len;
    uint32_t hops;
};
/* distance: 0: the peer itself, 1: whom it names ... */
bool gw_trust_has(const struct gw_trust *trust, const gw_address *address, uint32_t distance);

/* Of the fields X_FORWARDED_FOR or FORWARDED, taken apart from the right, so that nothing at the left
 * changes what stands at the right of it. Linear, and no further than is asked for. */
void gw_hops_read(const struct gw_fields *f, enum gw_field_id id, struct gw_hops *out);
/* The address that an element names, without port and brackets; text is a view of it. GW_EINVAL:
 * malformed, hidden or unknown. */
gw_status gw_hop_address(gw_str element, enum gw_field_id id, gw_address *out, gw_str *text)
    GW_MUST_CHECK;
/* Whom a trusted peer speaks for: the last address that was written by who is trusted. Returns how many
 * elements are believed; what stands left of them is hearsay. 0: the peer itself; text is left as it
 * is. */
uint32_t gw_hops_believe(const struct gw_hops *hops, enum gw_field_id id,
                         const struct gw_trust *trust, gw_str *text);

/* Does the name say that a field is about such things? For those without a number of their own, and
 * with '_' for '-', which some applications take for the same. */
bool gw_is_forwarded_name(gw_str name);

#endif
