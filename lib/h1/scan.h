/* h1/scan.h: lines in a chain, and the small grammar that stands in one line. Knows nothing of what
 * a line means. */
#ifndef GW_H1_SCAN_H
#define GW_H1_SCAN_H

#include "base/text.h"
#include "buf/chain.h"

enum gw_h1_line {
    GW_H1_LINE_WHOLE = 0, /* out is the line without its CRLF; it takes out.len + 2 bytes  */
    GW_H1_LINE_PART = 1,  /* its end has not come yet                                     */
    GW_H1_LINE_LONG = 2,  /* longer than max                                              */
    GW_H1_LINE_BARE = 3,  /* ends with LF alone                                           */
    GW_H1_LINE_NO_MEMORY = 4
};

/* The first line of rx, made one piece; at most max bytes with its CRLF, and never more than a
 * block. *scanned: how many bytes of rx are known to hold no LF; the caller keeps it between calls
 * and sets it to 0 whenever it takes bytes off rx. */
enum gw_h1_line gw_h1_line(struct gw_chain *rx, size_t *scanned, size_t max, gw_str *out);

/* The longest prefix of s that is a token. */
size_t gw_h1_token_len(gw_str s);
/* No control but tab: what a reason phrase or an extension may hold. */
bool gw_h1_is_text(gw_str s);
/* "HTTP/" DIGIT "." DIGIT */
bool gw_h1_is_version(gw_str s);

#endif
