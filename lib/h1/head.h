/* h1/head.h: the lines of a head, one at a time: each is copied into the message's arena when it is
 * whole, so that the block it came in can go. Knows no chain and no connection. */
#ifndef GW_H1_HEAD_H
#define GW_H1_HEAD_H

#include "http/message.h"
#include "http/reason.h"

/* Lines come without their CRLF, and are not kept. */

/* Sets method_text, target, is_http10. */
enum gw_reason_id gw_h1_request_line(struct gw_message *m, gw_str line);
/* "HTTP/1.1 200 OK": false: malformed. The phrase is not kept. */
bool gw_h1_status_line(gw_str line, bool *is_http10, uint16_t *code);
/* Appends to f; NULL: only looks whether it is well formed. bad_field, head_too_large (too many),
 * no_memory. */
enum gw_reason_id gw_h1_field_line(struct gw_fields *f, gw_str line);

#endif
