/* dns/name.c: see the header. */

#include "dns/name.h"

#include "base/assert.h"
#include "base/text.h"

static gw_str without_dot(gw_str text)
{
    return text.len > 1 && text.ptr[text.len - 1] == '.' ? gw_str_slice(text, 0, text.len - 1)
                                                         : text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_fit(char c)
{
    char l = gw_ascii_lower(c);

    return (l >= 'a' && l <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static const char *label_fault(gw_str label)
{
    if (label.len == 0)
        return "a label of the name is empty";
    if (label.len > GW_DNS_LABEL_MAX)
        return "a label of the name is longer than 63 bytes";
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return "a label of the name begins or ends with '-'";
    for (size_t i = 0; i < label.len; i++)
        if (!is_fit(label.ptr[i]))
            return "a label of the name has other bytes than letters, digits, '-' and '_'";
    return NULL;
}

static bool is_number(gw_str label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!is_digit(label.ptr[i]))
            return false;
    return true;
}

const char *gw_dns_name_fault(gw_str text)
{
    gw_str rest = without_dot(text), label = { NULL, 0 };

    if (text.len == 0)
        return "a name is needed";
    if (rest.len > GW_DNS_NAME_MAX)
        return "the name is longer than 253 bytes";
    for (bool is_last = false; !is_last;) {
        size_t end = gw_str_find(rest, '.');
        const char *fault;
        is_last = end == rest.len;
        label = gw_str_slice(rest, 0, end);
        fault = label_fault(label);
        if (fault != NULL)
            return fault;
        rest = gw_str_slice(rest, is_last ? end : end + 1, rest.len);
    }
    if (is_number(label))
        return "it is no name; an address stands under endpoints";
    if (gw_str_eq_nocase(label, GW_STR("localhost")))
        return "localhost is nothing to ask a name server for; write its address under endpoints";
    return NULL;
}

void gw_dns_name_set(struct gw_dns_name *name, gw_str text)
{
    gw_str own = without_dot(text);

    GW_ASSERT(own.len <= GW_DNS_NAME_MAX);
    for (size_t i = 0; i < own.len; i++)
        name->text[i] = gw_ascii_lower(own.ptr[i]);
    name->text[own.len] = '\0';
    name->len = (uint8_t)own.len;
}

gw_str gw_dns_name_text(const struct gw_dns_name *name)
{
    return (gw_str){ name->text, name->len };
}
