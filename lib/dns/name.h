/* dns/name.h: names as DNS knows them, in text: lower case, without the dot at the end. */
#ifndef GW_DNS_NAME_H
#define GW_DNS_NAME_H

#include <gw/env.h>

enum { GW_DNS_NAME_MAX = 253, GW_DNS_LABEL_MAX = 63 };

struct gw_dns_name {
    uint8_t len;
    char text[GW_DNS_NAME_MAX + 1]; /* a zero byte behind */
};

/* Why nobody can be asked for it; NULL: letters, digits, '-' and '_' in labels of up to 63, one more dot at
 * the end allowed; no address, and not localhost (RFC 6761 6.3). */
const char *gw_dns_name_fault(gw_str text);
/* Of a text without fault. */
void gw_dns_name_set(struct gw_dns_name *name, gw_str text);
gw_str gw_dns_name_text(const struct gw_dns_name *name);

#endif
