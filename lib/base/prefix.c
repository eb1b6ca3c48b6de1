/* base/prefix.c: prefixes from text; is an address one of them? */

#include "base/prefix.h"

#include "base/text.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* How many of the first bits are equal to those of the other decides; the rest does not matter. */
static bool has_same_bits(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
    uint32_t bytes = bits / 8, rest = bits % 8;

    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ b[bytes]) & (0xff00u >> rest) & 0xffu) == 0;
}

static bool is_zero_behind(const struct gw_prefix *p)
{
    for (uint32_t bit = p->bits; bit < 128; bit++)
        if ((p->ip[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

gw_status gw_prefix_parse(gw_str text, struct gw_prefix *out)
{
    size_t slash = gw_str_find(text, '/');
    struct gw_prefix p = { .kind = GW_ADDRESS_UNIX };
    gw_address address;
    uint64_t bits, most;

    if (gw_str_eq(text, GW_STR("unix"))) {
        *out = p;
        return GW_OK;
    }
    if (gw_ip_parse(gw_str_slice(text, 0, slash), &address) != GW_OK)
        return GW_EINVAL;
    bits = most = address.kind == GW_ADDRESS_IPV4 ? 32 : 128;
    if (slash < text.len) {
        gw_str digits = gw_str_slice(text, slash + 1, text.len);
        if ((digits.len > 1 && digits.ptr[0] == '0') || gw_parse_u64(digits, &bits) != GW_OK ||
            bits > most)
            return GW_EINVAL;
    }
    p.kind = (uint8_t)address.kind;
    p.bits = (uint8_t)bits;
    memcpy(p.ip, address.ip, sizeof p.ip);
    if (!is_zero_behind(&p))
        return GW_EINVAL;
    *out = p;
    return GW_OK;
}

bool gw_prefix_has(const struct gw_prefix *p, const gw_address *address)
{
    const uint8_t *ip = address->ip;
    uint32_t kind = address->kind;

    if (kind == GW_ADDRESS_IPV6 && memcmp(ip, mapped, sizeof mapped) == 0) {
        kind = GW_ADDRESS_IPV4;
        ip += sizeof mapped;
    }
    if (p->kind == GW_ADDRESS_UNIX || kind != p->kind)
        return p->kind == kind;
    return has_same_bits(p->ip, ip, p->bits);
}
