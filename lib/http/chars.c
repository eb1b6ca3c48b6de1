/* http/chars.c: the table of byte classes, computed by the compiler from the rules themselves. */

#include "http/chars.h"

#define IS_UPPER(c) ((c) >= 'A' && (c) <= 'Z')
#define IS_LOWER(c) ((c) >= 'a' && (c) <= 'z')
#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALNUM(c) (IS_UPPER(c) || IS_LOWER(c) || IS_DIGIT(c))
#define IS_HEX(c) (IS_DIGIT(c) || ((c) >= 'a' && (c) <= 'f') || ((c) >= 'A' && (c) <= 'F'))
#define IS_TOKEN(c)                                                                                \
    (IS_ALNUM(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&' ||          \
     (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' ||          \
     (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_UNRESERVED(c) (IS_ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_SUB_DELIM(c)                                                                            \
    ((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' ||          \
     (c) == '*' || (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=')
#define IS_TARGET(c) ((c) > ' ' && (c) <= '~' && (c) != '#')
#define IS_VALUE(c) ((c) == '\t' || ((c) >= ' ' && (c) != 0x7f))

#define CLASS(c)                                                                                   \
    ((IS_TOKEN(c) ? GW_CHAR_TOKEN : 0) | (IS_UPPER(c) ? GW_CHAR_UPPER : 0) |                       \
     (IS_DIGIT(c) ? GW_CHAR_DIGIT : 0) | (IS_HEX(c) ? GW_CHAR_HEX : 0) |                           \
     (IS_UNRESERVED(c) ? GW_CHAR_UNRESERVED : 0) |                                                 \
     (IS_UNRESERVED(c) || IS_SUB_DELIM(c) ? GW_CHAR_HOST : 0) |                                    \
     (IS_TARGET(c) ? GW_CHAR_TARGET : 0) | (IS_VALUE(c) ? GW_CHAR_VALUE : 0))
#define CLASS4(c) CLASS((c)), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS16(c) CLASS4((c)), CLASS4((c) + 4), CLASS4((c) + 8), CLASS4((c) + 12)
#define CLASS64(c) CLASS16((c)), CLASS16((c) + 16), CLASS16((c) + 32), CLASS16((c) + 48)

const uint8_t gw_char_classes[256] = { CLASS64(0), CLASS64(64), CLASS64(128), CLASS64(192) };
