/* tls/name.c: see the header. Whether a name is covered is decided label by label; nothing here knows a
 * certificate, nor whose it is. */
#include "tls/name.h"

#include "base/address.h"
#include "base/text.h"

static gw_str without_dot(gw_str s)
{
    return s.len > 1 && s.ptr[s.len - 1] == '.' ? gw_str_slice(s, 0, s.len - 1) : s;
}

static bool is_of_name(char c)
{
    char l = gw_ascii_lower(c);

    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of 1 to 63 bytes, in all up to 253. */
static bool is_name(gw_str s)
{
    size_t label = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '.') {
            if (label == 0)
                return false;
            label = 0;
            continue;
        }
        if (!is_of_name(s.ptr[i]) || ++label > 63)
            return false;
    }
    return label > 0 && s.len <= 253;
}

/* What stands behind the first dot; empty: there is none. */
static gw_str parent_of(gw_str s)
{
    size_t dot = gw_str_find(s, '.');

    return gw_str_slice(s, dot == s.len ? dot : dot + 1, s.len);
}

/* The name behind "*."; empty: it is no wildcard. */
static gw_str wildcard_of(gw_str s)
{
    gw_str rest = { NULL, 0 };

    if (s.len > 2 && s.ptr[0] == '*' && s.ptr[1] == '.')
        rest = gw_str_slice(s, 2, s.len);
    return is_name(rest) ? rest : (gw_str){ NULL, 0 };
}

/* Does pattern, a name or a wildcard, stand for name? */
static bool matches(gw_str pattern, gw_str name)
{
    gw_str rest = wildcard_of(pattern);

    if (!is_name(name))
        return false;
    if (rest.len > 0)
        return gw_str_eq_nocase(rest, parent_of(name));
    return is_name(pattern) && gw_str_eq_nocase(pattern, name);
}

/* "10.0.0.1", "::1", "[::1]". */
static bool parse_ip(gw_str text, gw_address *out)
{
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        return gw_ip_parse(gw_str_slice(text, 1, text.len - 1), out) == GW_OK &&
               out->kind == GW_ADDRESS_IPV6;
    return gw_ip_parse(text, out) == GW_OK;
}

static size_t ip_len(const gw_address *ip)
{
    return ip->kind == GW_ADDRESS_IPV4 ? 4 : 16;
}

static bool is_ip(const struct gw_tls_name *name, const gw_address *ip)
{
    return name->kind == GW_TLS_IP && name->text.len == ip_len(ip) &&
           memcmp(name->text.ptr, ip->ip, name->text.len) == 0;
}

/* "*.com": no one has all of that. */
static bool is_too_wide(gw_str presented)
{
    gw_str rest = wildcard_of(presented);

    return rest.len > 0 && parent_of(rest).len == 0;
}

bool gw_tls_name_covers(const struct gw_tls_name *presented, gw_str expected)
{
    gw_address ip;

    if (parse_ip(expected, &ip)) /* never by a DNS name, whatever it looks like (RFC 9525 6.1) */
        return is_ip(presented, &ip);
    if (presented->kind != GW_TLS_DNS || is_too_wide(presented->text))
        return false;
    return matches(presented->text, without_dot(expected));
}

/* RFC 9525 6.3 is about servers. A client's certificate for "*.example" says that it may be anybody
 * there; who allows "a.example" has not meant that one. */
bool gw_tls_name_allows(gw_str pattern, const struct gw_tls_name *presented)
{
    gw_address ip;

    switch (presented->kind) {
    case GW_TLS_DNS:
        return !parse_ip(pattern, &ip) && matches(without_dot(pattern), presented->text);
    case GW_TLS_IP:
        return parse_ip(pattern, &ip) && is_ip(presented, &ip);
    case GW_TLS_URI:
        return pattern.len > 0 && gw_str_eq(pattern, presented->text);
    case GW_TLS_SUBJECT: /* nobody vouches for one: it is meant only where it is called so */
        return presented->text.len > 0 && gw_str_starts(pattern, GW_STR("CN=")) &&
               gw_str_eq(gw_str_slice(pattern, 3, pattern.len), presented->text);
    }
    return false;
}

static void tell_bytes(struct gw_text *text, gw_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i] > 0x20 && s.ptr[i] < 0x7f ? s.ptr[i] : '?';
        gw_text_str(text, (gw_str){ &c, 1 });
    }
}

static void tell_ip(struct gw_text *text, gw_str bytes)
{
    gw_address ip = { .kind = bytes.len == 4 ? GW_ADDRESS_IPV4 : GW_ADDRESS_IPV6 };
    char out[GW_ADDRESS_TEXT_MAX];
    gw_str told = { out, 0 };

    if (bytes.len != 4 && bytes.len != 16) {
        gw_text_cstr(text, "?");
        return;
    }
    memcpy(ip.ip, bytes.ptr, bytes.len);
    told.len = gw_address_format(&ip, out);
    told.len = told.len > 2 ? told.len - 2 : 0; /* ":0" */
    if (ip.kind == GW_ADDRESS_IPV6)
        told = gw_str_slice(told, 1, told.len - 1);
    gw_text_str(text, told);
}

void gw_tls_name_tell(struct gw_text *text, const struct gw_tls_name *name)
{
    if (name->kind == GW_TLS_IP) {
        tell_ip(text, name->text);
        return;
    }
    if (name->kind == GW_TLS_SUBJECT)
        gw_text_cstr(text, "CN=");
    tell_bytes(text, name->text);
}
