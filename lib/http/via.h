/* http/via.h: Via (RFC 9110 7.6.3): who has passed a message on; found again there, it goes round. */
#ifndef GW_HTTP_VIA_H
#define GW_HTTP_VIA_H

#include "http/field.h"

/* The version in which a message came. */
enum gw_via_version { GW_VIA_10 = 0, GW_VIA_11 = 1, GW_VIA_20 = 2, GW_VIA_VERSIONS = 3 };
enum { GW_VIA_NAME_MAX = 64, GW_VIA_BYTES = GW_VIA_VERSIONS * (4 + GW_VIA_NAME_MAX) };

/* A name and the elements that say it: "1.1 name". */
struct gw_via {
    gw_str name; /* empty: none */
    gw_str element[GW_VIA_VERSIONS];
};
/* buffer: GW_VIA_BYTES, which must outlive it. name: a token of at most GW_VIA_NAME_MAX bytes. */
void gw_via_init(struct gw_via *via, gw_str name, char *buffer);
/* Has someone of that name passed it on? Linear. */
bool gw_via_has(const struct gw_fields *f, gw_str name);

#endif
