/* grpc/status.c: is it gRPC, and what a gRPC client is told of HTTP's failures. */

#include "grpc/status.h"

enum {
    UNKNOWN = 2,
    PERMISSION_DENIED = 7,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    UNAUTHENTICATED = 16
};

bool gw_grpc_is_request(const struct gw_message *request)
{
    gw_str grpc = GW_STR("application/grpc");
    const struct gw_field *field = gw_fields_find(&request->fields, GW_FIELD_CONTENT_TYPE);
    if (request->method != GW_METHOD_POST || field == NULL || field->value.len < grpc.len)
        return false;
    gw_str type = field->value;
    if (!gw_str_eq_nocase(gw_str_slice(type, 0, grpc.len), grpc))
        return false;
    if (type.len == grpc.len)
        return true;
    char next = type.ptr[grpc.len];
    return next == '+' || next == ';' || next == ' ' || next == '\t';
}

uint32_t gw_grpc_status_of(const struct gw_message *head, const struct gw_message *trailers)
{
    const struct gw_field *field = gw_fields_find(&trailers->fields, GW_FIELD_GRPC_STATUS);
    uint64_t status = UNKNOWN;

    if (field == NULL)
        field = gw_fields_find(&head->fields, GW_FIELD_GRPC_STATUS);
    if (field == NULL || gw_parse_u64(field->value, &status) != GW_OK || status > UNAUTHENTICATED)
        status = UNKNOWN;
    return (uint32_t)status;
}

uint32_t gw_grpc_of_http(uint32_t http_code)
{
    switch (http_code) {
    case 400:
        return INTERNAL;
    case 401:
        return UNAUTHENTICATED;
    case 403:
        return PERMISSION_DENIED;
    case 404:
        return UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return UNAVAILABLE;
    default:
        return UNKNOWN;
    }
}

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '%';
}

gw_status gw_grpc_message_encode(struct gw_arena *arena, gw_str text, gw_str *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t escapes = 0;
    for (size_t i = 0; i < text.len; i++)
        escapes += !is_plain(text.ptr[i]);
    if (escapes == 0)
        return gw_arena_copy(arena, text, out);
    size_t len = text.len + 2 * escapes;
    if (len > arena->used_max - arena->used)
        return GW_ELIMIT;
    char *to = gw_arena_alloc(arena, len);
    if (to == NULL)
        return GW_ENOMEM;
    *out = (gw_str){ to, len };
    for (size_t i = 0; i < text.len; i++) {
        unsigned byte = (unsigned char)text.ptr[i];
        if (is_plain(text.ptr[i])) {
            *to++ = text.ptr[i];
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return GW_OK;
}
