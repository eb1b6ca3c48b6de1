/* balance/hash_key.h: from a request to the key that consistent hashing places on its ring: XXH64, seed 0,
 * of the bytes of one thing that the request has. A list of such things is asked in order, the first that
 * is there counts; what is empty is not there. Pure; looks at views alone. */
#ifndef GW_BALANCE_HASH_KEY_H
#define GW_BALANCE_HASH_KEY_H

#include "http/message.h"

enum gw_hash_on {
    GW_HASH_ON_CLIENT = 1,   /* its address, without port                                         */
    GW_HASH_ON_HEADER = 2,   /* a field's value; of several lines all, one seeds the next         */
    GW_HASH_ON_COOKIE = 3,   /* the first cookie of that name                                     */
    GW_HASH_ON_PATH = 4,     /* canonical, without query                                          */
    GW_HASH_ON_QUERY = 5,    /* the first parameter of that name, as it is written                */
    GW_HASH_ON_METADATA = 6, /* as a header; where the name ends in -bin padding does not matter  */
    GW_HASH_ON_GIVEN = 7     /* what the host gave                                                */
};
struct gw_hash_key {
    uint32_t on;
    gw_str name; /* of a header, cookie, parameter; else empty */
};
struct gw_hash_source {
    const struct gw_message *request;
    gw_str client;         /* empty: nobody                                     */
    const uint64_t *given; /* gw_hash_text of what the host gave; NULL: nothing */
};
/* As a configuration says it: "client", "path", "given", "header:NAME", "cookie:NAME", "query:NAME",
 * "metadata:NAME"; name is a view of text. GW_EINVAL: none of these. */
gw_status gw_hash_key_parse(gw_str text, struct gw_hash_key *out) GW_MUST_CHECK;
uint64_t gw_hash_text(gw_str text);
/* False: the request has none of them. which: the one of keys that it is of. */
bool gw_hash_key_of(const struct gw_hash_key *keys, uint32_t len, const struct gw_hash_source *from,
                    uint64_t *out, uint32_t *which);

#endif
