/* http/chars.h: what each byte may be part of, in one table. */
#ifndef GW_HTTP_CHARS_H
#define GW_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum gw_char_class {
    GW_CHAR_TOKEN = 1,       /* tchar (RFC 9110 5.6.2)                                    */
    GW_CHAR_UPPER = 2,       /* A to Z                                                    */
    GW_CHAR_DIGIT = 4,       /* 0 to 9                                                    */
    GW_CHAR_HEX = 8,         /* 0 to 9, a to f, A to F                                    */
    GW_CHAR_UNRESERVED = 16, /* RFC 3986 2.3                                             */
    GW_CHAR_HOST = 32,       /* unreserved and sub-delims: a registered name              */
    GW_CHAR_TARGET = 64,     /* what may stand in a target: printable, no space, no "#"   */
    GW_CHAR_VALUE = 128      /* what may stand in a field value (RFC 9110 5.5): no control
                               but tab                                                   */
};

extern const uint8_t gw_char_classes[256];

static inline bool gw_char_is(char c, uint8_t classes)
{
    return (gw_char_classes[(unsigned char)c] & classes) != 0;
}
/* The value of a hexadecimal digit. */
static inline unsigned gw_hex_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : ((unsigned)c | 32u) - 'a' + 10u;
}

#endif
