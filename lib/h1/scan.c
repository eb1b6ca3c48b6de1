/* h1/scan.c: finds lines by memchr, byte classes by table. */

#include "h1/scan.h"

#include "base/assert.h"
#include "http/chars.h"

/* Offset of the first LF at or behind from; rx->len: none. Each byte is looked at once, since from
 * grows with what is known. */
static size_t find_lf(const struct gw_chain *rx, size_t from)
{
    size_t base = 0;
    for (const struct gw_slice *s = rx->first; s != NULL; base += s->len, s = s->next) {
        if (from >= base + s->len)
            continue;
        size_t at = from > base ? from - base : 0;
        const uint8_t *lf = memchr(s->ptr + at, '\n', s->len - at);
        if (lf != NULL)
            return base + (size_t)(lf - s->ptr);
    }
    return rx->len;
}

enum gw_h1_line gw_h1_line(struct gw_chain *rx, size_t *scanned, size_t max, gw_str *out)
{
    gw_const_span span;
    GW_ASSERT(*scanned <= rx->len);
    if (max > rx->pool->block_bytes)
        max = rx->pool->block_bytes;
    size_t at = find_lf(rx, *scanned);
    *scanned = at;
    if (at >= max)
        return GW_H1_LINE_LONG;
    if (at == rx->len)
        return GW_H1_LINE_PART;
    if (gw_chain_gather(rx, at + 1, &span) != GW_OK)
        return GW_H1_LINE_NO_MEMORY;
    const char *text = span.ptr;
    if (at == 0 || text[at - 1] != '\r')
        return GW_H1_LINE_BARE;
    *out = (gw_str){ text, at - 1 };
    return GW_H1_LINE_WHOLE;
}

size_t gw_h1_token_len(gw_str s)
{
    size_t i = 0;
    while (i < s.len && gw_char_is(s.ptr[i], GW_CHAR_TOKEN))
        i++;
    return i;
}

bool gw_h1_is_text(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!gw_char_is(s.ptr[i], GW_CHAR_VALUE))
            return false;
    return true;
}

bool gw_h1_is_version(gw_str s)
{
    return s.len == 8 && memcmp(s.ptr, "HTTP/", 5) == 0 && gw_char_is(s.ptr[5], GW_CHAR_DIGIT) &&
           s.ptr[6] == '.' && gw_char_is(s.ptr[7], GW_CHAR_DIGIT);
}
