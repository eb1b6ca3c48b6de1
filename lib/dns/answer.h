/* dns/answer.h: a response of a name server (RFC 1035, 2782, 3596), read to what was asked for. Anybody may
 * have written it: whatever the bytes are, the work is bounded by their number. */
#ifndef GW_DNS_ANSWER_H
#define GW_DNS_ANSWER_H

#include "dns/name.h"

enum gw_dns_type { GW_DNS_TYPE_A = 1, GW_DNS_TYPE_AAAA = 28, GW_DNS_TYPE_SRV = 33 };

enum {
    GW_DNS_ADDRESSES_MAX = 256, /* of one answer; the least ones stay */
    GW_DNS_TARGETS_MAX = 64,    /* likewise: those asked first        */
    GW_DNS_ALIASES_MAX = 8      /* names that stand for another, one after the other */
};

struct gw_dns_ip {
    uint8_t bytes[16]; /* of A the first four; the others are 0 */
};
struct gw_dns_target {
    uint16_t priority, weight, port;
    struct gw_dns_name name;
};
enum gw_dns_result {
    GW_DNS_FOUND, /* there are such records */
    GW_DNS_NONE,  /* there are not: no such name, or none of that type */
    GW_DNS_FAILED /* nobody knows: no response, a refusal, or nonsense */
};
/* Sorted, each once: the same whatever the order in which they came. */
struct gw_dns_answer {
    enum gw_dns_result result;
    uint32_t
        ttl; /* seconds: the least one of all records that led here; of NONE: how long to believe it */
    uint32_t len;      /* of FOUND: at least 1 */
    uint32_t left_out; /* beyond the bound      */
    const char *why;   /* of FAILED: a few words */
    union {
        struct gw_dns_ip ips[GW_DNS_ADDRESSES_MAX];
        struct gw_dns_target targets[GW_DNS_TARGETS_MAX];
    };
};

/* O(len). Addresses that nobody can be asked at (0.0.0.0, multicast) are passed over. */
void gw_dns_answer_read(const uint8_t *bytes, size_t len, const struct gw_dns_name *name,
                        enum gw_dns_type type, struct gw_dns_answer *out);
/* No response. why is static. */
void gw_dns_answer_fail(struct gw_dns_answer *out, const char *why);

#endif
