/* http/forwarded.c: lists of hops taken apart, from the right. */

#include "http/forwarded.h"

#include "base/assert.h"
#include "http/chars.h"

bool gw_trust_has(const struct gw_trust *trust, const gw_address *address, uint32_t distance)
{
    if (distance < trust->hops)
        return true;
    for (uint32_t i = 0; i < trust->prefixes_len; i++)
        if (gw_prefix_has(&trust->prefixes[i], address))
            return true;
    return false;
}

/* ---- lists ---- */

/* Is the quote at s.ptr[at] an escaped one? */
static bool is_escaped(gw_str s, size_t at)
{
    size_t n = 0;

    while (n < at && s.ptr[at - n - 1] == '\\')
        n++;
    return n % 2 != 0;
}

/* Behind the comma at the left of the element that ends at end; quotes may hold others. */
static size_t begin_of_element(gw_str s, size_t end, bool has_quotes)
{
    bool is_quoted = false;
    size_t at = end;

    for (; at > 0 && (is_quoted || s.ptr[at - 1] != ','); at--)
        if (has_quotes && s.ptr[at - 1] == '"' && !is_escaped(s, at - 1))
            is_quoted = !is_quoted;
    return at;
}

static void read_value(gw_str value, bool has_quotes, struct gw_hops *out)
{
    size_t end = value.len;

    while (out->count < GW_FORWARDED_HOPS_MAX) {
        size_t at = begin_of_element(value, end, has_quotes);
        gw_str element = gw_str_trim(gw_str_slice(value, at, end));
        if (element.len > 0)
            out->at[out->count++] = element;
        if (at == 0)
            return;
        end = at - 1;
    }
}

void gw_hops_read(const struct gw_fields *f, enum gw_field_id id, struct gw_hops *out)
{
    out->count = 0;
    for (uint32_t i = f->count; i > 0 && out->count < GW_FORWARDED_HOPS_MAX; i--)
        if (f->at[i - 1].id == id && !f->at[i - 1].is_dropped)
            read_value(f->at[i - 1].value, id == GW_FIELD_FORWARDED, out);
}

/* ---- elements ---- */

/* "10.0.0.1", "10.0.0.1:80", "::1", "[::1]", "[::1]:80" */
static gw_status parse_node(gw_str node, gw_address *out, gw_str *text)
{
    gw_str ip = node;
    size_t colon = gw_str_find(node, ':');
    gw_address with_port;

    if (node.len > 0 && node.ptr[0] == '[') {
        size_t bracket = gw_str_find(node, ']');
        if (bracket == node.len ||
            (bracket + 1 < node.len && gw_address_parse(node, &with_port) != GW_OK))
            return GW_EINVAL;
        ip = gw_str_slice(node, 1, bracket);
        if (gw_str_find(ip, ':') == ip.len)
            return GW_EINVAL;
    } else if (colon < node.len &&
               gw_str_find(gw_str_slice(node, colon + 1, node.len), ':') == node.len - colon - 1) {
        if (gw_address_parse(node, &with_port) != GW_OK)
            return GW_EINVAL;
        ip = gw_str_slice(node, 0, colon);
    }
    if (gw_ip_parse(ip, out) != GW_OK)
        return GW_EINVAL;
    *text = ip;
    return GW_OK;
}

static size_t end_of_token(gw_str s, size_t at)
{
    while (at < s.len && gw_char_is(s.ptr[at], GW_CHAR_TOKEN))
        at++;
    return at;
}

/* The value behind "=" and where it ends; 0: it is none. What needs an escape names no address. */
static size_t take_value(gw_str s, size_t at, gw_str *out)
{
    size_t end;

    if (at < s.len && s.ptr[at] == '"') {
        end = at + 1;
        while (end < s.len && s.ptr[end] != '"')
            end += s.ptr[end] == '\\' ? 2 : 1;
        if (end >= s.len)
            return 0;
        *out = gw_str_slice(s, at + 1, end);
        return end + 1;
    }
    end = end_of_token(s, at);
    *out = gw_str_slice(s, at, end);
    return end > at ? end : 0;
}

/* forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] ), each name once. */
static gw_status find_for(gw_str element, gw_str *out)
{
    bool has_for = false;
    gw_str name, value;

    for (size_t at = 0; at < element.len; at++) {
        size_t end = end_of_token(element, at);
        if (end == at && element.ptr[at] == ';')
            continue;
        name = gw_str_slice(element, at, end);
        if (name.len == 0 || end == element.len || element.ptr[end] != '=')
            return GW_EINVAL;
        at = take_value(element, end + 1, &value);
        if (at == 0 || (at < element.len && element.ptr[at] != ';'))
            return GW_EINVAL;
        if (!gw_str_eq_nocase(name, GW_STR("for")))
            continue;
        if (has_for)
            return GW_EINVAL;
        has_for = true;
        *out = value;
    }
    return has_for ? GW_OK : GW_EINVAL;
}

gw_status gw_hop_address(gw_str element, enum gw_field_id id, gw_address *out, gw_str *text)
{
    gw_str node = element;

    GW_ASSERT(id == GW_FIELD_FORWARDED || id == GW_FIELD_X_FORWARDED_FOR);
    if (id == GW_FIELD_FORWARDED && find_for(element, &node) != GW_OK)
        return GW_EINVAL;
    return parse_node(node, out, text);
}

uint32_t gw_hops_believe(const struct gw_hops *hops, enum gw_field_id id,
                         const struct gw_trust *trust, gw_str *text)
{
    uint32_t n = 0;
    gw_address address;

    while (n < hops->count && gw_hop_address(hops->at[n], id, &address, text) == GW_OK)
        if (!gw_trust_has(trust, &address, ++n))
            break;
    return n;
}

/* ---- names ---- */

static bool is_same_name(const char *name, const char *wanted, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i] == '_' ? '-' : gw_ascii_lower(name[i]);
        if (c != wanted[i])
            return false;
    }
    return true;
}

bool gw_is_forwarded_name(gw_str name)
{
    static const char forwarded[] = "x-forwarded-", real[] = "x-real-ip";

    if (name.len < 3 || (name.ptr[0] | 0x20) != 'x' || (name.ptr[1] != '-' && name.ptr[1] != '_'))
        return false;
    if (name.len == sizeof real - 1)
        return is_same_name(name.ptr, real, name.len);
    return name.len >= sizeof forwarded - 1 &&
           is_same_name(name.ptr, forwarded, sizeof forwarded - 1);
}
