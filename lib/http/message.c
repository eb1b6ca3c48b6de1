/* http/message.c: heads and trailers, and what the public gw/message.h may do with them. */

#include "http/message.h"

#include "base/assert.h"
#include "http/check.h"
#include "http/target.h"

static const struct method {
    gw_str text;
    uint8_t method, is_idempotent;
} methods[] = {
    { { "GET", 3 }, GW_METHOD_GET, 1 },         { { "HEAD", 4 }, GW_METHOD_HEAD, 1 },
    { { "POST", 4 }, GW_METHOD_POST, 0 },       { { "PUT", 3 }, GW_METHOD_PUT, 1 },
    { { "DELETE", 6 }, GW_METHOD_DELETE, 1 },   { { "CONNECT", 7 }, GW_METHOD_CONNECT, 0 },
    { { "OPTIONS", 7 }, GW_METHOD_OPTIONS, 1 }, { { "TRACE", 5 }, GW_METHOD_TRACE, 1 },
    { { "PATCH", 5 }, GW_METHOD_PATCH, 0 },
};
enum { METHODS = sizeof methods / sizeof methods[0] };

/* RFC 9110 15, and 425, 428, 429, 431, 451, 507, 508, 511 from the registry. */
#define PHRASES(X)                                                                                 \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(102, "Processing")                                                                           \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(203, "Non-Authoritative Information")                                                        \
    X(204, "No Content")                                                                           \
    X(205, "Reset Content")                                                                        \
    X(206, "Partial Content")                                                                      \
    X(207, "Multi-Status")                                                                         \
    X(208, "Already Reported")                                                                     \
    X(226, "IM Used")                                                                              \
    X(300, "Multiple Choices")                                                                     \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(305, "Use Proxy")                                                                            \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(407, "Proxy Authentication Required")                                                        \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(423, "Locked")                                                                               \
    X(424, "Failed Dependency")                                                                    \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(451, "Unavailable For Legal Reasons")                                                        \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(507, "Insufficient Storage")                                                                 \
    X(508, "Loop Detected")                                                                        \
    X(511, "Network Authentication Required")

void gw_message_init(struct gw_message *m, enum gw_message_kind kind, struct gw_arena *arena,
                     uint32_t fields_max)
{
    *m = (struct gw_message){ .kind = (uint8_t)kind };
    gw_fields_init(&m->fields, arena, fields_max);
}

enum gw_method gw_method_of(gw_str text)
{
    for (int i = 0; i < METHODS; i++)
        if (gw_str_eq(text, methods[i].text))
            return (enum gw_method)methods[i].method;
    return GW_METHOD_OTHER;
}

bool gw_method_is_idempotent(enum gw_method method)
{
    for (int i = 0; i < METHODS; i++)
        if (methods[i].method == method)
            return methods[i].is_idempotent != 0;
    return false;
}

bool gw_response_has_body(enum gw_method method, uint32_t code)
{
    return method != GW_METHOD_HEAD && code >= 200 && code != 204 && code != 304;
}

const char *gw_code_phrase(uint32_t code)
{
    switch (code) {
#define PHRASE(number, text)                                                                       \
    case number:                                                                                   \
        return text;
        PHRASES(PHRASE)
#undef PHRASE
    default:
        return "";
    }
}

gw_str gw_message_part(const gw_message *m, uint32_t part)
{
    if (m == NULL)
        return (gw_str){ NULL, 0 };
    switch (part) {
    case GW_PART_METHOD:
        return m->method_text;
    case GW_PART_SCHEME:
        return m->scheme;
    case GW_PART_AUTHORITY:
        return m->authority;
    case GW_PART_PATH:
        return m->path;
    case GW_PART_QUERY:
        return m->query;
    case GW_PART_PROTOCOL:
        return m->protocol;
    case GW_PART_TARGET_AS_RECEIVED:
        return m->target;
    default:
        return (gw_str){ NULL, 0 };
    }
}

/* Is it there, and may it be changed? Of CONNECT the target is all there is; an upgrade is what it is. */
static gw_status part_settable(const gw_message *m, uint32_t part, gw_str value)
{
    if (m == NULL || m->kind != GW_MESSAGE_REQUEST || m->method == GW_METHOD_CONNECT ||
        part < GW_PART_METHOD || part > GW_PART_QUERY || (value.ptr == NULL && value.len > 0))
        return GW_EINVAL;
    return m->has_left ? GW_ESTATE : GW_OK;
}

/* Whether a response has a body, and what follows it, is settled by the client's own method. */
static gw_status set_method(gw_message *m, gw_str value)
{
    enum gw_method to = gw_method_of(value);
    bool is_star = gw_str_eq(m->path, GW_STR("*"));
    if (!gw_is_token(value) || to == GW_METHOD_CONNECT || m->protocol.len > 0 ||
        (to == GW_METHOD_HEAD) != (m->method == GW_METHOD_HEAD) ||
        (is_star && to != GW_METHOD_OPTIONS))
        return GW_EINVAL;
    gw_status status = gw_arena_copy(m->fields.arena, value, &m->method_text);
    if (status == GW_OK)
        m->method = (uint8_t)to;
    return status;
}

static gw_status set_scheme(gw_message *m, gw_str value)
{
    gw_str known = gw_str_eq_nocase(value, GW_STR("https")) ? GW_STR("https") : GW_STR("http");
    if (!gw_str_eq_nocase(value, known))
        return GW_EINVAL;
    m->scheme = known;
    return GW_OK;
}

static gw_status set_authority(gw_message *m, gw_str value)
{
    struct gw_field *host = gw_fields_find(&m->fields, GW_FIELD_HOST);
    gw_str copy;
    if (!gw_authority_is_valid(value))
        return GW_EINVAL;
    gw_status status = gw_arena_copy(m->fields.arena, value, &copy);
    if (status != GW_OK)
        return status;
    m->authority = copy;
    if (host != NULL)
        host->value = copy;
    return GW_OK;
}

static gw_status set_path(gw_message *m, gw_str value)
{
    gw_str copy;
    if (gw_str_eq(value, GW_STR("*")) && m->method == GW_METHOD_OPTIONS) {
        m->path = GW_STR("*");
        return GW_OK;
    }
    if (gw_str_find(value, '?') < value.len || gw_str_find(value, '#') < value.len)
        return GW_EINVAL;
    gw_status status = gw_arena_copy(m->fields.arena, value, &copy);
    if (status != GW_OK)
        return status;
    switch ((int)gw_target_canonical(m->fields.arena, copy, &copy)) {
    case GW_REASON_none:
        m->path = copy;
        return GW_OK;
    case GW_REASON_no_memory:
        return GW_ENOMEM;
    case GW_REASON_head_too_large:
        return GW_ELIMIT;
    default:
        return GW_EINVAL;
    }
}

static gw_status set_query(gw_message *m, gw_str value)
{
    if (!gw_target_is_query(value))
        return GW_EINVAL;
    if (value.ptr == NULL) {
        m->query = value;
        return GW_OK;
    }
    return gw_arena_copy(m->fields.arena, value, &m->query);
}

gw_status gw_message_set_part(gw_message *m, uint32_t part, gw_str value)
{
    gw_status status = part_settable(m, part, value);
    if (status != GW_OK)
        return status;
    switch (part) {
    case GW_PART_METHOD:
        return set_method(m, value);
    case GW_PART_SCHEME:
        return set_scheme(m, value);
    case GW_PART_AUTHORITY:
        return set_authority(m, value);
    case GW_PART_PATH:
        return set_path(m, value);
    default:
        return set_query(m, value);
    }
}

uint32_t gw_message_code(const gw_message *m)
{
    return m != NULL && m->kind == GW_MESSAGE_RESPONSE ? m->code : 0;
}

/* Whether a body follows is settled when the code is: a code of the other sort is refused. */
gw_status gw_message_set_code(gw_message *m, uint32_t code)
{
    if (m == NULL || m->kind != GW_MESSAGE_RESPONSE || code < 200 || code > 599 ||
        m->code / 100 == 1)
        return GW_EINVAL;
    if (m->has_left)
        return GW_ESTATE;
    if (gw_response_has_body(GW_METHOD_GET, code) != gw_response_has_body(GW_METHOD_GET, m->code) &&
        m->body != GW_BODY_NONE)
        return GW_EINVAL;
    if (m->body == GW_BODY_TUNNEL) /* it says that one follows */
        return GW_EINVAL;
    m->code = (uint16_t)code;
    return GW_OK;
}

gw_str gw_message_field(const gw_message *m, gw_str name)
{
    const struct gw_field *field = m != NULL ? gw_fields_find_name(&m->fields, name) : NULL;
    return field != NULL ? field->value : (gw_str){ NULL, 0 };
}

size_t gw_message_fields(const gw_message *m)
{
    size_t n = 0;
    uint32_t i = 0;
    while (m != NULL && gw_fields_next(&m->fields, &i) != NULL)
        n++;
    return n;
}

gw_status gw_message_field_at(const gw_message *m, size_t at, gw_str *name, gw_str *value)
{
    uint32_t i = 0;
    if (m == NULL)
        return GW_EINVAL;
    for (const struct gw_field *field; (field = gw_fields_next(&m->fields, &i)) != NULL; at--) {
        if (at > 0)
            continue;
        if (name != NULL)
            *name = field->name;
        if (value != NULL)
            *value = field->value;
        return GW_OK;
    }
    return GW_EUNKNOWN;
}

/* What a host may not set: bytes that HTTP forbids, and fields about the connection, which are the
 * codecs' own. */
static gw_status settable(const gw_message *m, gw_str name, gw_str value)
{
    uint16_t flags = gw_field_flags(gw_field_find_id(name));
    if (!gw_is_token(name) || !gw_is_field_value(value) || (flags & GW_FIELD_HOP) != 0)
        return GW_EINVAL;
    if (m->kind == GW_MESSAGE_TRAILERS && (flags & GW_FIELD_NO_TRAILER) != 0)
        return GW_EINVAL;
    if (m->kind == GW_MESSAGE_REQUEST && gw_field_find_id(name) == GW_FIELD_EXPECT &&
        !gw_str_eq_nocase(value, GW_STR("100-continue"))) /* no reader of ours would take it */
        return GW_EINVAL;
    return m->has_left ? GW_ESTATE : GW_OK;
}

/* Host and :authority are one thing. */
static gw_status set_host(gw_message *m, gw_str value)
{
    if (!gw_authority_is_valid(value))
        return GW_EINVAL;
    return gw_arena_copy(m->fields.arena, value, &m->authority);
}

static void drop_name(gw_message *m, gw_str name, uint32_t before)
{
    enum gw_field_id id = gw_field_find_id(name);
    for (uint32_t i = 0; i < before; i++) {
        struct gw_field *field = &m->fields.at[i];
        if (field->id == id && (id != GW_FIELD_UNKNOWN || gw_str_eq_nocase(field->name, name)))
            field->is_dropped = 1;
    }
}

/* The old ones go only when the new one is in. */
gw_status gw_message_set_field(gw_message *m, gw_str name, gw_str value)
{
    uint32_t before = m != NULL ? m->fields.count : 0;
    gw_status status = gw_message_add_field(m, name, value);
    if (status == GW_OK)
        drop_name(m, name, before);
    return status;
}

gw_status gw_message_add_field(gw_message *m, gw_str name, gw_str value)
{
    gw_status status = m != NULL ? settable(m, name, value) : GW_EINVAL;
    if (status != GW_OK)
        return status;
    uint32_t before = m->fields.count;
    bool is_host = m->kind == GW_MESSAGE_REQUEST && gw_field_find_id(name) == GW_FIELD_HOST;
    if (is_host)
        status = set_host(m, value);
    if (status == GW_OK)
        status = gw_fields_add_copy(&m->fields, name, value);
    if (status == GW_OK && is_host) /* of which there is one */
        drop_name(m, name, before);
    return status;
}

gw_status gw_message_drop_field(gw_message *m, gw_str name)
{
    if (m == NULL || m->has_left)
        return m == NULL ? GW_EINVAL : GW_ESTATE;
    if (gw_fields_find_name(&m->fields, name) == NULL)
        return GW_EUNKNOWN;
    drop_name(m, name, m->fields.count);
    return GW_OK;
}

gw_status gw_message_clear(gw_message *m)
{
    if (m == NULL || m->has_left)
        return m == NULL ? GW_EINVAL : GW_ESTATE;
    for (uint32_t i = 0; i < m->fields.count; i++)
        m->fields.at[i].is_dropped = 1;
    return GW_OK;
}
