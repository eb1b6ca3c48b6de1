/* http/key.h: what tells requests apart: one vocabulary for all that has keys (consistent hash, the splits
 * of a route, limiters), and one way to find in a request what they mean (docs/keys.md). What is empty is
 * not there. Pure; looks at views alone. */
#ifndef GW_HTTP_KEY_H
#define GW_HTTP_KEY_H

#include "http/message.h"

/* X(id, word, has a name) */
#define GW_KEYS(X)                                                                                 \
    X(CLIENT, "client", false)    /* its address, without port                                  */ \
    X(HEADER, "header", true)     /* a field; of several lines all, in their order              */ \
    X(COOKIE, "cookie", true)     /* the first cookie of that name                              */ \
    X(PATH, "path", false)        /* canonical, without query                                   */ \
    X(QUERY, "query", true)       /* the first parameter of that name, as it is written         */ \
    X(METADATA, "metadata", true) /* as a header; the padding of a name in -bin does not matter */ \
    X(GIVEN, "given", false)      /* what the host gave: gw_exchange_set_hash_key               */ \
    X(IDENTITY, "identity",                                                                        \
      false) /* of the client's verified certificate                       */                      \
    X(SERVER_NAME, "server_name", false) /* that the client asked for by TLS                    */ \
    X(LABEL, "label", true) /* what a filter said: gw_exchange_set_label                  */

enum gw_key_on {
    GW_KEY_NONE,
#define GW_KEY_ENUM(id, word, has_name) GW_KEY_##id,
    GW_KEYS(GW_KEY_ENUM)
#undef GW_KEY_ENUM
        GW_KEY_END
};
struct gw_key {
    uint32_t on;
    uint32_t field; /* of a header: gw_field_id of its name */
    gw_str name;    /* of what has one; else empty */
    gw_str value;   /* not empty: only requests that have exactly this */
};
enum { GW_KEY_MAX = 256 }; /* as text */

/* As a configuration says it: "client", "header:NAME", and so on; where may_have_value also "...=VALUE".
 * name and value are views of text. GW_EINVAL: none of these. */
gw_status gw_key_parse(gw_str text, bool may_have_value, struct gw_key *out) GW_MUST_CHECK;
/* Of one that was refused: what is wrong, with the word that was meant. */
struct gw_text;
void gw_key_say_wrong(gw_str text, bool may_have_value, struct gw_text *out);
/* The same thing of a request, whatever value it is to have. */
bool gw_key_is_same(const struct gw_key *a, const struct gw_key *b);

/* Where it is looked for. */
struct gw_key_source {
    const struct gw_message *request;
    const void *ctx;
    gw_str (*client)(const void *ctx);             /* empty: nobody                        */
    gw_str (*identity)(const void *ctx);           /* empty: nobody was verified           */
    gw_str (*server_name)(const void *ctx);        /* empty: none was asked for            */
    gw_str (*label)(const void *ctx, gw_str name); /* empty: there is none                 */
    const uint64_t *given;                         /* gw_key_hash of it; NULL: nothing was */
};
/* What was found. */
struct gw_key_part {
    gw_str text;                   /* of several lines the first   */
    const struct gw_fields *lines; /* NULL: there is no other line */
    uint32_t field, next;          /* the others are behind that   */
    bool is_binary, is_hash;       /* hash: text is not, that is */
    gw_str name;
    uint64_t hash;
};
/* False: the request has none. */
bool gw_key_find(const struct gw_key *key, const struct gw_key_source *from,
                 struct gw_key_part *out);
/* Is it exactly the value that the key asks for, in one line? True too if it asks for none. */
bool gw_key_fits(const struct gw_key *key, const struct gw_key_part *part);
/* XXH64 of it with that seed; the hash of a line is the seed of the next. Seed 0: the key of a ring. */
uint64_t gw_key_mix(const struct gw_key_part *part, uint64_t seed);

uint64_t gw_key_hash(gw_str text); /* XXH64, seed 0 */
/* The hash, with seed 0, of the first of the keys that is there. False: none is. which: that one. */
bool gw_key_first(const struct gw_key *keys, uint32_t len, const struct gw_key_source *from,
                  uint64_t *out, uint32_t *which);

#endif
