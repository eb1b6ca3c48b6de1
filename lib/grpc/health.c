/* grpc/health.c: a request has one field, a text; a response one, a number. */

#include "grpc/health.h"

#include "base/assert.h"

enum { FRAME_HEAD = 5, TAG_SERVICE = 1 << 3 | 2, FIELD_STATUS = 1, VARINT_MAX = 10 };
enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static size_t put_frame(char *out, size_t len)
{
    out[0] = 0; /* not compressed */
    for (int i = 0; i < 4; i++)
        out[1 + i] = (char)(len >> (24 - 8 * i) & 255);
    return FRAME_HEAD;
}

size_t gw_grpc_health_request(gw_str service, char out[GW_GRPC_HEALTH_REQUEST_MAX])
{
    size_t at = FRAME_HEAD;

    GW_ASSERT(service.len <= GW_GRPC_SERVICE_MAX);
    if (service.len > 0) { /* what is empty is left out */
        out[at++] = TAG_SERVICE;
        if (service.len > 127)
            out[at++] = (char)((service.len & 127) | 128);
        out[at++] = (char)(service.len > 127 ? service.len >> 7 : service.len);
        memcpy(out + at, service.ptr, service.len);
        at += service.len;
    }
    (void)put_frame(out, at - FRAME_HEAD);
    return at;
}

/* Takes it off the front. */
static bool take_varint(gw_str *rest, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < VARINT_MAX && i < rest->len; i++) {
        uint64_t byte = (unsigned char)rest->ptr[i];
        *out |= i < VARINT_MAX - 1 ? (byte & 127) << 7 * i : (byte & 1) << 63;
        if (byte < 128) {
            *rest = gw_str_slice(*rest, i + 1, rest->len);
            return true;
        }
    }
    return false;
}

static bool skip(gw_str *rest, uint64_t len)
{
    if (len > rest->len)
        return false;
    *rest = gw_str_slice(*rest, (size_t)len, rest->len);
    return true;
}

static bool skip_field(gw_str *rest, uint64_t wire)
{
    uint64_t n;

    switch (wire) {
    case WIRE_VARINT:
        return take_varint(rest, &n);
    case WIRE_64:
        return skip(rest, 8);
    case WIRE_BYTES:
        return take_varint(rest, &n) && skip(rest, n);
    case WIRE_32:
        return skip(rest, 4);
    default:
        return false;
    }
}

gw_status gw_grpc_health_response(gw_str bytes, uint32_t *serving)
{
    uint64_t tag, value, len = 0;

    if (bytes.len < FRAME_HEAD || bytes.ptr[0] != 0)
        return GW_EPROTO;
    for (int i = 1; i < FRAME_HEAD; i++)
        len = len << 8 | (unsigned char)bytes.ptr[i];
    bytes = gw_str_slice(bytes, FRAME_HEAD, bytes.len);
    if (len != bytes.len)
        return GW_EPROTO;
    *serving = GW_GRPC_SERVING_UNKNOWN;
    while (bytes.len > 0) {
        if (!take_varint(&bytes, &tag) || tag >> 3 == 0)
            return GW_EPROTO;
        if (tag != (FIELD_STATUS << 3 | WIRE_VARINT)) {
            if (!skip_field(&bytes, tag & 7))
                return GW_EPROTO;
            continue;
        }
        if (!take_varint(&bytes, &value))
            return GW_EPROTO;
        *serving = value <= GW_GRPC_SERVICE_UNKNOWN ? (uint32_t)value : GW_GRPC_SERVING_UNKNOWN;
    }
    return GW_OK;
}
