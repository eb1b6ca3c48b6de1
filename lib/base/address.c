/* base/address.c: addresses from text and to text, without the C library's resolver.
 *
 *     address = ipv4 ":" port | "[" ipv6 "]" ":" port | "unix:" path | name ":" port
 *
 * Strict: what two programs could read differently (octal octets, a short IPv4, zones) is refused.
 * Port 0 is an address too: a listener asks for any free port with it.
 */
#include "base/address.h"

#include "base/text.h"

enum { GROUPS = 8, NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Decimal without leading zeros, up to max. */
static bool parse_decimal(gw_str s, uint32_t max, uint32_t *out)
{
    uint32_t n = 0;
    if (s.len == 0 || s.len > 5 || (s.len > 1 && s.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
        n = n * 10 + (uint32_t)(s.ptr[i] - '0');
    }
    if (n > max)
        return false;
    *out = n;
    return true;
}

/* Exactly four octets, which fill s. */
static bool parse_ipv4(gw_str s, uint8_t *out)
{
    size_t at = 0;
    if (s.len == 0)
        return false;
    for (int i = 0; i < 4; i++) {
        uint32_t octet;
        size_t from = at;
        while (at < s.len && s.ptr[at] != '.')
            at++;
        if (!parse_decimal((gw_str){ s.ptr + from, at - from }, 255, &octet))
            return false;
        out[i] = (uint8_t)octet;
        if (i == 3)
            break;
        if (at == s.len)
            return false;
        at++;
    }
    return at == s.len;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = gw_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hex digits at *at. */
static bool parse_group(gw_str s, size_t *at, uint8_t out[2])
{
    uint32_t n = 0;
    size_t from = *at;
    while (*at < s.len && *at - from < 4 && hex_value(s.ptr[*at]) >= 0)
        n = n << 4 | (uint32_t)hex_value(s.ptr[(*at)++]);
    out[0] = (uint8_t)(n >> 8);
    out[1] = (uint8_t)n;
    return *at > from;
}

/* RFC 4291 2.2, with an IPv4 tail, without a zone. */
static bool parse_ipv6(gw_str s, uint8_t out[16])
{
    uint8_t bytes[16] = { 0 };
    size_t at = 0;
    int n = 0, gap = -1;
    if (s.len >= 2 && s.ptr[0] == ':' && s.ptr[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < s.len) {
        size_t from = at;
        if (n == GROUPS || !parse_group(s, &at, &bytes[n * 2]))
            return false;
        if (at < s.len && s.ptr[at] == '.') {
            if (n > GROUPS - 2 || !parse_ipv4(gw_str_slice(s, from, s.len), &bytes[n * 2]))
                return false;
            n += 2;
            at = s.len;
            break;
        }
        n++;
        if (at == s.len)
            break;
        if (s.ptr[at++] != ':')
            return false;
        if (at < s.len && s.ptr[at] == ':') {
            if (gap >= 0)
                return false;
            gap = n;
            at++;
        } else if (at == s.len) {
            return false;
        }
    }
    /* "::" stands for one group at least. */
    if (gap < 0 ? n != GROUPS : n >= GROUPS)
        return false;
    memset(out, 0, 16);
    size_t head = gap < 0 ? 16 : (size_t)gap * 2, tail = (size_t)n * 2 - (gap < 0 ? 16 : head);
    memcpy(out, bytes, head);
    memcpy(out + 16 - tail, bytes + head, tail);
    return true;
}

/* Letters, digits, '-', '_' in labels of up to 63, not all numeric at the end (RFC 3696 2), so that
 * a mistyped IPv4 address is never looked up. */
static bool is_name(gw_str s)
{
    size_t label = 0;
    bool numeric = true;
    if (s.len > 0 && s.ptr[s.len - 1] == '.')
        s.len--;
    if (s.len == 0 || s.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i], lower = gw_ascii_lower(c);
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
            numeric = true;
            continue;
        }
        if (!is_digit(c) && !(lower >= 'a' && lower <= 'z') && c != '-' && c != '_')
            return false;
        numeric = numeric && is_digit(c);
        if (++label > LABEL_MAX_BYTES)
            return false;
    }
    return label > 0 && !numeric;
}

static bool parse_unix(gw_str path, gw_address *out)
{
    if (path.len == 0 || path.len > GW_ADDRESS_PATH_MAX || gw_str_find(path, '\0') != path.len)
        return false;
    out->kind = GW_ADDRESS_UNIX;
    out->name = path;
    return true;
}

gw_status gw_address_parse(gw_str text, gw_address *out)
{
    gw_address a = { 0 };
    if (out == NULL)
        return GW_EINVAL;
    if (text.len > 5 && memcmp(text.ptr, "unix:", 5) == 0) {
        if (!parse_unix(gw_str_slice(text, 5, text.len), &a))
            return GW_EINVAL;
        *out = a;
        return GW_OK;
    }
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon < 2 || !parse_decimal(gw_str_slice(text, colon, text.len), 65535, &a.port))
        return GW_EINVAL;
    gw_str host = gw_str_slice(text, 0, colon - 1);
    if (host.ptr[0] == '[') {
        if (host.len < 2 || host.ptr[host.len - 1] != ']' ||
            !parse_ipv6(gw_str_slice(host, 1, host.len - 1), a.ip))
            return GW_EINVAL;
        a.kind = GW_ADDRESS_IPV6;
    } else if (parse_ipv4(host, a.ip)) {
        a.kind = GW_ADDRESS_IPV4;
    } else if (is_name(host)) {
        memset(a.ip, 0, sizeof(a.ip));
        a.kind = GW_ADDRESS_NAME;
        a.name = host;
    } else {
        return GW_EINVAL;
    }
    *out = a;
    return GW_OK;
}

gw_status gw_ip_parse(gw_str text, gw_address *out)
{
    gw_address a = { .kind = GW_ADDRESS_IPV4 };

    if (!parse_ipv4(text, a.ip)) {
        a.kind = GW_ADDRESS_IPV6;
        if (!parse_ipv6(text, a.ip))
            return GW_EINVAL;
    }
    *out = a;
    return GW_OK;
}

static size_t format_ipv4(const uint8_t *ip, char *out)
{
    size_t n = 0;
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            out[n++] = '.';
        n += gw_format_u64(ip[i], out + n);
    }
    return n;
}

/* The longest run of two zero groups or more; the first of equals. */
static void longest_gap(const uint8_t *ip, int *from, int *len)
{
    *from = GROUPS;
    *len = 1;
    for (int i = 0; i < GROUPS; i++) {
        int n = 0;
        while (i + n < GROUPS && ip[(i + n) * 2] == 0 && ip[(i + n) * 2 + 1] == 0)
            n++;
        if (n > *len) {
            *from = i;
            *len = n;
        }
    }
}

static size_t format_ipv6(const uint8_t *ip, char *out)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    size_t n = 0;
    int gap, gap_len;
    out[n++] = '[';
    if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
        memcpy(out + n, "::ffff:", 7);
        n += 7;
        n += format_ipv4(ip + 12, out + n);
        out[n++] = ']';
        return n;
    }
    longest_gap(ip, &gap, &gap_len);
    for (int i = 0; i < GROUPS; i++) {
        if (i == gap) {
            out[n++] = ':';
            out[n++] = ':';
            i += gap_len - 1;
            continue;
        }
        if (i > 0 && i != gap + gap_len)
            out[n++] = ':';
        n += gw_format_hex_u64((uint64_t)ip[i * 2] << 8 | ip[i * 2 + 1], out + n);
    }
    out[n++] = ']';
    return n;
}

size_t gw_address_format(const gw_address *address, char *out)
{
    size_t n;
    switch (address->kind) {
    case GW_ADDRESS_IPV4:
        n = format_ipv4(address->ip, out);
        break;
    case GW_ADDRESS_IPV6:
        n = format_ipv6(address->ip, out);
        break;
    case GW_ADDRESS_UNIX:
        if (address->name.len > GW_ADDRESS_PATH_MAX)
            return 0;
        memcpy(out, "unix:", 5);
        if (address->name.len > 0)
            memcpy(out + 5, address->name.ptr, address->name.len);
        return 5 + address->name.len;
    default:
        return 0;
    }
    out[n++] = ':';
    return n + gw_format_u64(address->port, out + n);
}
