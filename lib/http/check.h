/* http/check.h: the one place that accepts or refuses a message, for HTTP/1 and HTTP/2. A codec has
 * scanned the syntax of its own protocol; here are the rules of HTTP itself. */
#ifndef GW_HTTP_CHECK_H
#define GW_HTTP_CHECK_H

#include "http/message.h"
#include "http/reason.h"

/* Byte classes (RFC 9110 5.6.2, 5.5). */
bool gw_is_token(gw_str s);       /* not empty, tchar only                                    */
bool gw_is_field_value(gw_str s); /* no CTL but HTAB, no NUL CR LF; no space or tab at the ends */
bool gw_is_lower_name(gw_str s);  /* a token without upper-case letters (RFC 9113 8.2.1)      */

/* A request as scanned from HTTP/1: fields, method, target set (version in is_http10). Sets
 * everything else of m: target parts, authority from Host (one Host; required in 1.1; an absolute
 * target wins over it, RFC 9112 3.2.2), body kind and length, protocol (Upgrade, only with
 * Connection: upgrade, 1.1, and one token; others are ignored). Refuses: Content-Length with
 * Transfer-Encoding, differing or malformed lengths, anything but exactly "chunked" as the only
 * transfer coding (unknown ones: coding_unknown), Transfer-Encoding in 1.0, CONNECT with a body
 * length, an Expect other than 100-continue. Names, values and the method were looked at by the scanner,
 * line by line, with the classes above. Upgrade is also passed over when the request has a body. */
enum gw_reason_id gw_check_h1_request(struct gw_message *m);
/* A response from HTTP/1 to a request of that method. Same framing rules; 1xx, 204, 304, HEAD and 2xx
 * to CONNECT as RFC 9112 6.3 says: HEAD and 304 give body NONE with has_length. 101 needs Upgrade and
 * its Connection token; protocol is what it chose. Any fault is upstream_bad_response. */
enum gw_reason_id gw_check_h1_response(struct gw_message *m, enum gw_method request_method);
/* From HTTP/2: pseudo-fields are already in m (method_text, scheme, authority, target as :path,
 * protocol; code). is_end: the head ended the stream. Joins cookie crumbs (RFC 9113 8.2.3); Host must
 * equal :authority where both are, and replaces it where that is missing; refuses connection-specific
 * fields, TE but trailers, upper-case names, and lengths that do not fit is_end. */
enum gw_reason_id gw_check_h2_request(struct gw_message *m, bool is_end);
enum gw_reason_id gw_check_h2_response(struct gw_message *m, enum gw_method request_method,
                                       bool is_end);
/* Drops what may not be in trailers; refuses malformed fields and pseudo-fields. */
enum gw_reason_id gw_check_trailers(struct gw_message *m);
/* Also what HTTP/2 forbids of any field: upper-case names, connection-specific fields. */
enum gw_reason_id gw_check_h2_trailers(struct gw_message *m);

#endif
