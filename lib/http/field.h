/* http/field.h: a field list in an arena: order kept, case of names kept, lookup of the fields that
 * the gateway itself knows by a small number. */
#ifndef GW_HTTP_FIELD_H
#define GW_HTTP_FIELD_H

#include "base/arena.h"
#include "base/text.h"

/* The fields that some rule of ours names. X(id, lower-case name, flags) */
#define GW_KNOWN_FIELDS(X)                                                                         \
    X(CONNECTION, "connection", GW_FIELD_HOP)                                                      \
    X(KEEP_ALIVE, "keep-alive", GW_FIELD_HOP)                                                      \
    X(PROXY_CONNECTION, "proxy-connection", GW_FIELD_HOP)                                          \
    X(TRANSFER_ENCODING, "transfer-encoding", GW_FIELD_HOP | GW_FIELD_NO_TRAILER)                  \
    X(UPGRADE, "upgrade", GW_FIELD_HOP)                                                            \
    X(HTTP2_SETTINGS, "http2-settings", GW_FIELD_HOP)                                              \
    X(TE, "te", GW_FIELD_HOP | GW_FIELD_NO_TRAILER)                                                \
    X(TRAILER, "trailer", GW_FIELD_NO_TRAILER)                                                     \
    X(CONTENT_LENGTH, "content-length", GW_FIELD_NO_TRAILER)                                       \
    X(CONTENT_TYPE, "content-type", GW_FIELD_NO_TRAILER)                                           \
    X(CONTENT_ENCODING, "content-encoding", GW_FIELD_NO_TRAILER)                                   \
    X(CONTENT_RANGE, "content-range", GW_FIELD_NO_TRAILER)                                         \
    X(HOST, "host", GW_FIELD_NO_TRAILER)                                                           \
    X(EXPECT, "expect", GW_FIELD_NO_TRAILER)                                                       \
    X(MAX_FORWARDS, "max-forwards", GW_FIELD_NO_TRAILER)                                           \
    X(COOKIE, "cookie", GW_FIELD_NO_TRAILER | GW_FIELD_SECRET)                                     \
    X(SET_COOKIE, "set-cookie", GW_FIELD_NO_TRAILER | GW_FIELD_SECRET)                             \
    X(AUTHORIZATION, "authorization", GW_FIELD_NO_TRAILER | GW_FIELD_SECRET)                       \
    X(PROXY_AUTHORIZATION, "proxy-authorization", GW_FIELD_NO_TRAILER | GW_FIELD_SECRET)           \
    X(PROXY_AUTHENTICATE, "proxy-authenticate", GW_FIELD_NO_TRAILER)                               \
    X(CACHE_CONTROL, "cache-control", GW_FIELD_NO_TRAILER)                                         \
    X(DATE, "date", 0)                                                                             \
    X(SERVER, "server", 0)                                                                         \
    X(RETRY_AFTER, "retry-after", 0)                                                               \
    X(LOCATION, "location", 0)                                                                     \
    X(ALLOW, "allow", 0)                                                                           \
    X(GRPC_STATUS, "grpc-status", 0)                                                               \
    X(GRPC_MESSAGE, "grpc-message", 0)                                                             \
    X(GRPC_TIMEOUT, "grpc-timeout", 0)                                                             \
    X(VIA, "via", 0)                                                                               \
    X(FORWARDED, "forwarded", GW_FIELD_NO_TRAILER)                                                 \
    X(X_FORWARDED_FOR, "x-forwarded-for", GW_FIELD_NO_TRAILER)                                     \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", GW_FIELD_NO_TRAILER)                                 \
    X(X_FORWARDED_HOST, "x-forwarded-host", GW_FIELD_NO_TRAILER)                                   \
    X(X_FORWARDED_PORT, "x-forwarded-port", GW_FIELD_NO_TRAILER)

enum gw_field_flag {
    GW_FIELD_HOP = 1,        /* about one connection: never forwarded (RFC 9110 7.6.1)      */
    GW_FIELD_NO_TRAILER = 2, /* not allowed in trailers (RFC 9110 6.5.1): dropped there     */
    GW_FIELD_SECRET = 4      /* never indexed in a table that clients share (RFC 7541 7.1.3) */
};

enum gw_field_id {
    GW_FIELD_UNKNOWN = 0,
#define GW_FIELD_ENUM(id, name, flags) GW_FIELD_##id,
    GW_KNOWN_FIELDS(GW_FIELD_ENUM)
#undef GW_FIELD_ENUM
        GW_FIELD_COUNT
};

struct gw_field {
    gw_str name; /* as received or set; views of the arena, or static */
    gw_str value;
    uint16_t id;         /* gw_field_id                            */
    uint16_t flags;      /* gw_field_flag of the known field       */
    uint32_t is_dropped; /* no longer there: walkers pass over it */
};

struct gw_fields {
    struct gw_arena *arena;
    struct gw_field *at;
    uint64_t seen;        /* a bit a known field: 0: surely not there */
    uint32_t count, room; /* count: dropped ones too                  */
    uint32_t count_max;
};

/* GW_FIELD_UNKNOWN if it is none. ASCII case does not matter. O(1). */
enum gw_field_id gw_field_find_id(gw_str name);
gw_str gw_field_name(enum gw_field_id id); /* lower case; static */
uint16_t gw_field_flags(enum gw_field_id id);

void gw_fields_init(struct gw_fields *f, struct gw_arena *arena, uint32_t count_max);
/* Appends; name and value are views that live as long as the arena (or are static).
 * GW_ELIMIT: count_max or the arena's bound; GW_ENOMEM. */
gw_status gw_fields_add(struct gw_fields *f, enum gw_field_id id, gw_str name, gw_str value)
    GW_MUST_CHECK;
/* Copies both into the arena first. */
gw_status gw_fields_add_copy(struct gw_fields *f, gw_str name, gw_str value) GW_MUST_CHECK;
/* The first; NULL: none. */
struct gw_field *gw_fields_find(const struct gw_fields *f, enum gw_field_id id);
struct gw_field *gw_fields_find_name(const struct gw_fields *f, gw_str name);
uint32_t gw_fields_count(const struct gw_fields *f, enum gw_field_id id);
void gw_fields_drop(struct gw_fields *f, enum gw_field_id id);
/* Walks what is not dropped: start with *i = 0; NULL: no more. */
struct gw_field *gw_fields_next(const struct gw_fields *f, uint32_t *i);
/* Is token an element of any field of that id (a comma list, without regard to case)? */
bool gw_fields_has_token(const struct gw_fields *f, enum gw_field_id id, gw_str token);

#endif
