/* base/text.h: views of bytes; numbers to and from text; ASCII case. No locale, no allocation. */
#ifndef GW_BASE_TEXT_H
#define GW_BASE_TEXT_H

#include <string.h>

#include <gw/env.h>

#define GW_STR(literal) ((gw_str){ "" literal, sizeof(literal) - 1 })

static inline bool gw_str_eq(gw_str a, gw_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
bool gw_str_eq_nocase(gw_str a, gw_str b); /* ASCII letters alone */
int gw_str_compare(gw_str a, gw_str b);    /* bytewise, then by length */
bool gw_str_starts(gw_str s, gw_str prefix);
bool gw_str_ends(gw_str s, gw_str suffix);
/* Index of the first c, or s.len. */
size_t gw_str_find(gw_str s, char c);
gw_str gw_str_slice(gw_str s, size_t from, size_t to); /* from <= to <= s.len */
/* Without spaces and tabs at both ends. */
gw_str gw_str_trim(gw_str s);
/* The next element of a comma-separated list (RFC 9110 5.6.1), trimmed; empty elements are passed
 * over; false: none left. *rest starts as the whole and shrinks. Quotes are not regarded. */
bool gw_str_next_element(gw_str *rest, gw_str *out);
/* Only digits, no sign, at least one, no overflow. GW_EINVAL else. */
gw_status gw_parse_u64(gw_str s, uint64_t *out) GW_MUST_CHECK;
enum { GW_U64_TEXT_MAX = 20 };
size_t gw_format_u64(uint64_t n, char *out); /* at most 20 bytes, no zero byte; returns how many */
size_t gw_format_hex_u64(uint64_t n, char *out); /* lower case, at most 16 bytes */
static inline char gw_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* A bounded text under construction, for messages; cuts off what does not fit; always terminated. */
struct gw_text {
    char *at, *start, *end;
};
void gw_text_init(struct gw_text *t, char *buffer, size_t size);
void gw_text_str(struct gw_text *t, gw_str s);
void gw_text_cstr(struct gw_text *t, const char *s);
void gw_text_u64(struct gw_text *t, uint64_t n);
/* "250ms", "5s", "24h": in the largest unit of a file that it is a whole number of. */
void gw_text_ms(struct gw_text *t, uint64_t ms);
/* Bytes of a peer: what is not printable ASCII becomes \xNN. */
void gw_text_quoted(struct gw_text *t, gw_str s);
/* Edit distance of two short texts whatever their case, for "did you mean"; at most max, else max + 1.
 * len <= 64. */
size_t gw_text_distance(gw_str a, gw_str b, size_t max);

#endif
