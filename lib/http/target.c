/* http/target.c: request targets, parsed and made canonical. Pure but for copies in the arena. */

#include "http/target.h"

#include "base/assert.h"
#include "http/chars.h"

/* Index of the first a or b, or s.len. */
static size_t find_either(gw_str s, char a, char b)
{
    size_t i = 0;
    while (i < s.len && s.ptr[i] != a && s.ptr[i] != b)
        i++;
    return i;
}

static bool is_target_text(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!gw_char_is(s.ptr[i], GW_CHAR_TARGET))
            return false;
    return true;
}

bool gw_target_is_query(gw_str query)
{
    return is_target_text(query);
}

static bool is_port(gw_str s)
{
    uint64_t n;
    return s.len >= 1 && s.len <= 5 && gw_parse_u64(s, &n) == GW_OK && n <= 65535;
}

/* IPv6 address: groups of at most four hex digits, at most one "::", an IPv4 tail. */
static bool is_ipv6(gw_str s)
{
    unsigned groups = 0, digits = 0, dots = 0;
    bool has_gap = false;
    if (s.len < 2 || (s.ptr[0] == ':' && s.ptr[1] != ':'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == ':' && dots == 0) {
            groups += digits > 0;
            if (digits == 0 && i > 0) {
                if (has_gap || s.ptr[i - 1] != ':')
                    return false;
                has_gap = true;
            }
            digits = 0;
        } else if (c == '.' && digits > 0 && digits <= 3) {
            dots++;
            digits = 0;
        } else if (gw_char_is(c, dots > 0 ? GW_CHAR_DIGIT : GW_CHAR_HEX) && digits < 4) {
            digits++;
        } else {
            return false;
        }
    }
    if (s.ptr[s.len - 1] == ':' && s.ptr[s.len - 2] != ':')
        return false;
    groups += digits > 0 && dots == 0;
    if (dots != 0) {
        if (dots != 3 || digits == 0 || digits > 3)
            return false;
        groups += 2;
    }
    return has_gap ? groups <= 7 : groups == 8;
}

static bool is_registered_name(gw_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (gw_char_is(s.ptr[i], GW_CHAR_HOST))
            continue;
        if (s.ptr[i] != '%' || s.len - i < 3 || !gw_char_is(s.ptr[i + 1], GW_CHAR_HEX) ||
            !gw_char_is(s.ptr[i + 2], GW_CHAR_HEX))
            return false;
        i += 2;
    }
    return s.len > 0;
}

/* Where the host ends: at the colon before the port, or at the end. */
static size_t host_end(gw_str authority)
{
    if (authority.len > 0 && authority.ptr[0] == '[') {
        size_t close = gw_str_find(authority, ']');
        return close < authority.len ? close + 1 : authority.len;
    }
    return gw_str_find(authority, ':');
}

gw_str gw_authority_host(gw_str authority)
{
    return gw_str_slice(authority, 0, host_end(authority));
}

bool gw_authority_is_valid(gw_str authority)
{
    size_t end = host_end(authority);
    gw_str host = gw_str_slice(authority, 0, end);
    if (end < authority.len &&
        (authority.ptr[end] != ':' || !is_port(gw_str_slice(authority, end + 1, authority.len))))
        return false;
    if (host.len > 0 && host.ptr[0] == '[')
        return host.len > 2 && host.ptr[host.len - 1] == ']' &&
               is_ipv6(gw_str_slice(host, 1, host.len - 1));
    return is_registered_name(host);
}

enum path_sort { PATH_BAD, PATH_PLAIN, PATH_TO_DO };

/* Nothing to decode, and no segment that begins with a dot: it is canonical as it is. */
static enum path_sort sort_of(gw_str path)
{
    enum path_sort sort = PATH_PLAIN;
    if (path.len == 0 || path.ptr[0] != '/')
        return PATH_BAD;
    for (size_t i = 1; i < path.len; i++) {
        char c = path.ptr[i];
        if (!gw_char_is(c, GW_CHAR_TARGET) || c == '\\')
            return PATH_BAD;
        if (c == '%' || (c == '.' && path.ptr[i - 1] == '/'))
            sort = PATH_TO_DO;
    }
    return sort;
}

/* Decodes one escape at in[0] to out; how many bytes were written, 0: malformed. */
static size_t decode_escape(const char *in, size_t len, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    if (len < 3 || !gw_char_is(in[1], GW_CHAR_HEX) || !gw_char_is(in[2], GW_CHAR_HEX))
        return 0;
    unsigned byte = gw_hex_value(in[1]) << 4 | gw_hex_value(in[2]);
    if (byte == 0)
        return 0;
    if (gw_char_is((char)byte, GW_CHAR_UNRESERVED)) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '%';
    out[1] = digits[byte >> 4];
    out[2] = digits[byte & 15];
    return 3;
}

/* The segment [start, *len) of out is complete: takes "." and ".." away. False: above the root.
 * out[start - 1] is its slash. is_last: no slash follows; the directory's own slash stays. */
static bool end_segment(const char *out, size_t start, size_t *len, bool is_last)
{
    size_t n = *len - start;
    bool is_dot = n == 1 && out[start] == '.';
    bool is_dots = n == 2 && out[start] == '.' && out[start + 1] == '.';
    if (!is_dot && !is_dots)
        return true;
    size_t cut = start - 1; /* at the slash before the segment */
    if (is_dots) {
        if (cut == 0)
            return false;
        do
            cut--;
        while (out[cut] != '/');
    }
    *len = is_last ? cut + 1 : cut;
    return true;
}

/* to has room for all of path: the canonical form is never longer. */
static enum gw_reason_id write_canonical(gw_str path, char *to, size_t *out_len)
{
    size_t len = 1, start = 1; /* of the segment in hand */
    to[0] = '/';
    for (size_t i = 1; i < path.len;) {
        char c = path.ptr[i];
        if (c == '%') {
            size_t n = decode_escape(path.ptr + i, path.len - i, to + len);
            if (n == 0)
                return GW_REASON_bad_target;
            len += n;
            i += 3;
            continue;
        }
        if (c == '/' && !end_segment(to, start, &len, false))
            return GW_REASON_bad_target;
        to[len++] = c;
        i++;
        if (c == '/')
            start = len;
    }
    if (!end_segment(to, start, &len, true))
        return GW_REASON_bad_target;
    GW_ASSERT(len >= 1 && len <= path.len);
    *out_len = len;
    return GW_REASON_none;
}

enum gw_reason_id gw_target_canonical(struct gw_arena *arena, gw_str path, gw_str *out)
{
    enum path_sort sort = sort_of(path);
    if (sort == PATH_PLAIN)
        *out = path;
    if (sort != PATH_TO_DO)
        return sort == PATH_PLAIN ? GW_REASON_none : GW_REASON_bad_target;
    char *to = gw_arena_alloc(arena, path.len);
    if (to == NULL)
        return path.len > arena->used_max - arena->used ? GW_REASON_head_too_large
                                                        : GW_REASON_no_memory;
    size_t len = 0;
    enum gw_reason_id reason = write_canonical(path, to, &len);
    if (reason == GW_REASON_none)
        *out = (gw_str){ to, len };
    return reason;
}

/* Origin form, or what follows the authority in absolute form. */
static enum gw_reason_id parse_origin(struct gw_message *m, gw_str target)
{
    size_t mark = gw_str_find(target, '?');
    gw_str path = gw_str_slice(target, 0, mark), canonical = GW_STR("/");
    if (mark < target.len) {
        gw_str query = gw_str_slice(target, mark + 1, target.len);
        if (!is_target_text(query))
            return GW_REASON_bad_target;
        m->query = query;
    }
    enum gw_reason_id reason = gw_target_canonical(m->fields.arena, path, &canonical);
    if (reason == GW_REASON_none)
        m->path = canonical;
    return reason;
}

static bool take_scheme(struct gw_message *m, gw_str *target)
{
    static const gw_str prefixes[] = { { "http://", 7 }, { "https://", 8 } };
    for (int i = 0; i < 2; i++) {
        size_t len = prefixes[i].len;
        if (target->len < len || !gw_str_eq_nocase(gw_str_slice(*target, 0, len), prefixes[i]))
            continue;
        m->scheme = gw_str_slice(prefixes[i], 0, len - 3);
        *target = gw_str_slice(*target, len, target->len);
        return true;
    }
    return false;
}

static enum gw_reason_id parse_absolute(struct gw_message *m, gw_str target)
{
    if (!take_scheme(m, &target))
        return GW_REASON_bad_target;
    size_t end = find_either(target, '/', '?');
    gw_str authority = gw_str_slice(target, 0, end), rest = gw_str_slice(target, end, target.len);
    if (!gw_authority_is_valid(authority))
        return GW_REASON_bad_target;
    m->authority = authority;
    if (rest.len == 0) { /* RFC 9112 3.2.4 */
        m->path = m->method == GW_METHOD_OPTIONS ? GW_STR("*") : GW_STR("/");
        return GW_REASON_none;
    }
    if (rest.ptr[0] == '/')
        return parse_origin(m, rest);
    m->path = GW_STR("/");
    m->query = gw_str_slice(rest, 1, rest.len);
    return is_target_text(m->query) ? GW_REASON_none : GW_REASON_bad_target;
}

static enum gw_reason_id parse_authority(struct gw_message *m, gw_str target)
{
    if (!gw_authority_is_valid(target) || host_end(target) == target.len) /* a port is needed */
        return GW_REASON_bad_target;
    m->authority = target;
    m->path = GW_STR("");
    return GW_REASON_none;
}

enum gw_reason_id gw_target_parse(struct gw_message *m, gw_str target)
{
    m->target = target;
    if (m->scheme.len == 0)
        m->scheme = GW_STR("http");
    m->query = (gw_str){ NULL, 0 };
    if (m->method == GW_METHOD_CONNECT && m->protocol.len == 0)
        return parse_authority(m, target);
    if (target.len == 0)
        return GW_REASON_bad_target;
    if (target.ptr[0] == '/')
        return parse_origin(m, target);
    if (target.len == 1 && target.ptr[0] == '*') {
        m->path = GW_STR("*");
        return m->method == GW_METHOD_OPTIONS ? GW_REASON_none : GW_REASON_bad_target;
    }
    return parse_absolute(m, target);
}
