/* http/via.c: Via = 1#( received-protocol RWS received-by [ RWS comment ] ) */

#include "http/via.h"

#include "base/assert.h"

void gw_via_init(struct gw_via *via, gw_str name, char *buffer)
{
    static const char *const versions[GW_VIA_VERSIONS] = { "1.0 ", "1.1 ", "2.0 " };

    GW_ASSERT(name.len > 0 && name.len <= GW_VIA_NAME_MAX);
    for (int i = 0; i < GW_VIA_VERSIONS; i++) {
        memcpy(buffer, versions[i], 4);
        memcpy(buffer + 4, name.ptr, name.len);
        via->element[i] = (gw_str){ buffer, 4 + name.len };
        buffer += 4 + name.len;
    }
    via->name = gw_str_slice(via->element[0], 4, 4 + name.len);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_blanks(gw_str s, size_t at)
{
    while (at < s.len && is_blank(s.ptr[at]))
        at++;
    return at;
}

static size_t skip_word(gw_str s, size_t at)
{
    while (at < s.len && !is_blank(s.ptr[at]) && s.ptr[at] != ',')
        at++;
    return at;
}

/* To the next element, over comments with whatever is in them. */
static size_t skip_element(gw_str s, size_t at)
{
    size_t depth = 0;

    for (; at < s.len && (depth > 0 || s.ptr[at] != ','); at++) {
        if (s.ptr[at] == '(')
            depth++;
        else if (s.ptr[at] == ')' && depth > 0)
            depth--;
        else if (s.ptr[at] == '\\' && depth > 0)
            at++;
    }
    return at < s.len ? at + 1 : s.len;
}

static bool value_has(gw_str value, gw_str name)
{
    for (size_t at = 0; at < value.len; at = skip_element(value, at)) {
        size_t from = skip_blanks(value, skip_word(value, skip_blanks(value, at)));
        size_t to = skip_word(value, from);
        if (gw_str_eq_nocase(gw_str_slice(value, from, to), name))
            return true;
        at = to;
    }
    return false;
}

bool gw_via_has(const struct gw_fields *f, gw_str name)
{
    uint32_t i = 0;

    if ((f->seen >> GW_FIELD_VIA & 1) == 0)
        return false;
    for (const struct gw_field *field; (field = gw_fields_next(f, &i)) != NULL;)
        if (field->id == GW_FIELD_VIA && value_has(field->value, name))
            return true;
    return false;
}
