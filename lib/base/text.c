/* base/text.c: views of bytes, numbers as text, bounded messages. */

#include "base/text.h"

#include "base/assert.h"

gw_str gw_cstr(const char *text)
{
    return (gw_str){ text, text == NULL ? 0 : strlen(text) };
}

bool gw_str_eq_nocase(gw_str a, gw_str b)
{
    if (gw_str_eq(a, b)) /* nearly always, when they match at all */
        return true;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (gw_ascii_lower(a.ptr[i]) != gw_ascii_lower(b.ptr[i]))
            return false;
    return true;
}

int gw_str_compare(gw_str a, gw_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool gw_str_starts(gw_str s, gw_str prefix)
{
    return s.len >= prefix.len && gw_str_eq((gw_str){ s.ptr, prefix.len }, prefix);
}

bool gw_str_ends(gw_str s, gw_str suffix)
{
    return s.len >= suffix.len && gw_str_eq(gw_str_slice(s, s.len - suffix.len, s.len), suffix);
}

size_t gw_str_find(gw_str s, char c)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);
    return at == NULL ? s.len : (size_t)(at - s.ptr);
}

gw_str gw_str_slice(gw_str s, size_t from, size_t to)
{
    GW_ASSERT(from <= to && to <= s.len);
    return (gw_str){ from == 0 ? s.ptr : s.ptr + from, to - from };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

gw_str gw_str_trim(gw_str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool gw_str_next_element(gw_str *rest, gw_str *out)
{
    while (rest->len > 0) {
        size_t comma = gw_str_find(*rest, ',');
        gw_str element = gw_str_trim(gw_str_slice(*rest, 0, comma));
        *rest = gw_str_slice(*rest, comma < rest->len ? comma + 1 : comma, rest->len);
        if (element.len > 0) {
            *out = element;
            return true;
        }
    }
    return false;
}

gw_status gw_parse_u64(gw_str s, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0)
        return GW_EINVAL;
    for (size_t i = 0; i < s.len; i++) {
        uint32_t digit = (uint32_t)(uint8_t)s.ptr[i] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return GW_EINVAL;
        n = n * 10 + digit;
    }
    *out = n;
    return GW_OK;
}

static const char digits[] = "0123456789abcdef";

static size_t format(uint64_t n, uint32_t base, char *out)
{
    char reversed[GW_U64_TEXT_MAX];
    size_t len = 0;
    do {
        reversed[len++] = digits[n % base];
        n /= base;
    } while (n > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    return len;
}

size_t gw_format_u64(uint64_t n, char *out)
{
    return format(n, 10, out);
}

size_t gw_format_hex_u64(uint64_t n, char *out)
{
    return format(n, 16, out);
}

void gw_text_init(struct gw_text *t, char *buffer, size_t size)
{
    GW_ASSERT(size > 0);
    *t = (struct gw_text){ .at = buffer, .start = buffer, .end = buffer + size - 1 };
    *t->at = '\0';
}

void gw_text_str(struct gw_text *t, gw_str s)
{
    size_t room = (size_t)(t->end - t->at);
    size_t len = s.len < room ? s.len : room;
    if (len > 0)
        memcpy(t->at, s.ptr, len);
    t->at += len;
    *t->at = '\0';
}

void gw_text_cstr(struct gw_text *t, const char *s)
{
    gw_text_str(t, gw_cstr(s));
}

void gw_text_u64(struct gw_text *t, uint64_t n)
{
    char number[GW_U64_TEXT_MAX];
    gw_text_str(t, (gw_str){ number, gw_format_u64(n, number) });
}

void gw_text_ms(struct gw_text *t, uint64_t ms)
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
    size_t i = 0;
    while (units[i].ms > 1 && (ms == 0 || ms % units[i].ms != 0))
        i++;
    gw_text_u64(t, ms / units[i].ms);
    gw_text_cstr(t, units[i].name);
}

void gw_text_quoted(struct gw_text *t, gw_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        if (c >= 0x20 && c < 0x7f) {
            gw_text_str(t, (gw_str){ &s.ptr[i], 1 });
        } else {
            char escape[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };
            if (t->end - t->at < 4) { /* no half escapes */
                t->end = t->at;
                return;
            }
            gw_text_str(t, (gw_str){ escape, 4 });
        }
    }
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t n = a < b ? a : b;
    return n < c ? n : c;
}

size_t gw_text_distance(gw_str a, gw_str b, size_t max)
{
    enum { LEN_MAX = 64 };
    size_t row[LEN_MAX + 1];
    if (a.len > LEN_MAX || b.len > LEN_MAX)
        return max + 1;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1,
                           diagonal +
                               (gw_ascii_lower(a.ptr[i - 1]) != gw_ascii_lower(b.ptr[j - 1])));
            diagonal = above;
        }
    }
    return row[b.len] <= max ? row[b.len] : max + 1;
}
