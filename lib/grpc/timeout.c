/* grpc/timeout.c: grpc-timeout, both ways. */

#include "grpc/timeout.h"

#include "base/assert.h"

enum { DIGITS_MAX = 8, UNITS = 6 };

static const struct unit {
    char letter;
    gw_nanos ns;
} units[UNITS] = {
    /* finest first */
    { 'n', 1 },
    { 'u', 1000 },
    { 'm', 1000000 },
    { 'S', UINT64_C(1000000000) },
    { 'M', UINT64_C(60000000000) },
    { 'H', UINT64_C(3600000000000) },
};

gw_status gw_grpc_timeout_parse(gw_str text, gw_nanos *out)
{
    uint64_t n;
    if (text.len < 2 || text.len > DIGITS_MAX + 1 ||
        gw_parse_u64(gw_str_slice(text, 0, text.len - 1), &n) != GW_OK)
        return GW_EINVAL;
    for (int i = 0; i < UNITS; i++) {
        if (units[i].letter != text.ptr[text.len - 1])
            continue;
        /* 99999999 hours are 3.6e20 ns: more than 64 bits hold, and as good as never. */
        *out = n > UINT64_MAX / units[i].ns ? UINT64_MAX : n * units[i].ns;
        return GW_OK;
    }
    return GW_EINVAL;
}

size_t gw_grpc_timeout_format(gw_nanos ns, char *out)
{
    for (int i = 0; i < UNITS; i++) {
        uint64_t n = ns / units[i].ns + (ns % units[i].ns != 0);
        if (n > 99999999)
            continue;
        char digits[GW_U64_TEXT_MAX];
        size_t len = gw_format_u64(n, digits);
        GW_ASSERT(len <= DIGITS_MAX);
        memcpy(out, digits, len);
        out[len] = units[i].letter;
        return len + 1;
    }
    /* 2^64 ns are 5.2 million hours: the last unit always fits. */
    GW_ASSERT(false);
    return 0;
}
