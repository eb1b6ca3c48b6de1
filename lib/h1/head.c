/* h1/head.c: request lines, status lines and field lines (RFC 9112 3, 4, 5), strictly. */

#include "h1/head.h"

#include "base/assert.h"
#include "h1/scan.h"
#include "http/chars.h"
#include "http/check.h"

static enum gw_reason_id reason_of(gw_status status)
{
    return status == GW_OK       ? GW_REASON_none
           : status == GW_ELIMIT ? GW_REASON_head_too_large
                                 : GW_REASON_no_memory;
}

enum gw_reason_id gw_h1_request_line(struct gw_message *m, gw_str line)
{
    size_t method = gw_h1_token_len(line);
    if (method == 0 || method == line.len || line.ptr[method] != ' ')
        return GW_REASON_bad_request_line;
    size_t from = method + 1, to = from;
    while (to < line.len && gw_char_is(line.ptr[to], GW_CHAR_TARGET))
        to++;
    if (to == line.len) /* "GET /path" is HTTP/0.9 (RFC 1945 5) */
        return gw_str_starts(line, GW_STR("GET /")) ? GW_REASON_version_unknown
                                                    : GW_REASON_bad_request_line;
    if (to == from)
        return GW_REASON_bad_request_line;
    if (line.ptr[to] != ' ')
        return GW_REASON_bad_target;
    gw_str version = gw_str_slice(line, to + 1, line.len);
    if (!gw_h1_is_version(version))
        return GW_REASON_bad_request_line;
    if (version.ptr[5] != '1' || version.ptr[7] > '1')
        return GW_REASON_version_unknown;
    m->is_http10 = version.ptr[7] == '0';
    gw_str copy;
    gw_status status = gw_arena_copy(m->fields.arena, gw_str_slice(line, 0, to), &copy);
    if (status != GW_OK)
        return status == GW_ELIMIT ? GW_REASON_target_too_long : GW_REASON_no_memory;
    m->method_text = gw_str_slice(copy, 0, method);
    m->target = gw_str_slice(copy, from, to);
    m->method = (uint8_t)gw_method_of(m->method_text);
    return GW_REASON_none;
}

bool gw_h1_status_line(gw_str line, bool *is_http10, uint16_t *code)
{
    if (line.len < 12 || !gw_h1_is_version(gw_str_slice(line, 0, 8)))
        return false;
    const char *p = line.ptr;
    if (p[5] != '1' || p[7] > '1' || p[8] != ' ')
        return false;
    for (int i = 9; i < 12; i++)
        if (!gw_char_is(p[i], GW_CHAR_DIGIT))
            return false;
    /* The space before an empty phrase is often left out; nothing else can be meant. */
    if (line.len > 12 && (p[12] != ' ' || !gw_h1_is_text(gw_str_slice(line, 13, line.len))))
        return false;
    *is_http10 = p[7] == '0';
    *code = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    return *code >= 100 && *code <= 599;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

enum gw_reason_id gw_h1_field_line(struct gw_fields *f, gw_str line)
{
    /* A line that begins with space would continue the one before (obs-fold): no token there. */
    size_t name = gw_h1_token_len(line), from, to = line.len;
    if (name == 0 || name == line.len || line.ptr[name] != ':')
        return GW_REASON_bad_field;
    for (from = name + 1; from < to && is_space(line.ptr[from]);)
        from++;
    while (to > from && is_space(line.ptr[to - 1]))
        to--;
    if (!gw_is_field_value((gw_str){ line.ptr + from, to - from }))
        return GW_REASON_bad_field;
    if (f == NULL)
        return GW_REASON_none;
    if (f->count >= f->count_max)
        return GW_REASON_head_too_large;
    gw_str copy;
    gw_status status = gw_arena_copy(f->arena, (gw_str){ line.ptr, to }, &copy);
    if (status != GW_OK)
        return reason_of(status);
    gw_str own_name = { copy.ptr, name }, own_value = { copy.ptr + from, to - from };
    return reason_of(gw_fields_add(f, gw_field_find_id(own_name), own_name, own_value));
}
