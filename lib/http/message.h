/* http/message.h: heads and trailers in one form for every protocol. The public gw_message. */
#ifndef GW_HTTP_MESSAGE_H
#define GW_HTTP_MESSAGE_H

#include <gw/message.h>

#include "http/field.h"

enum gw_message_kind { GW_MESSAGE_REQUEST = 1, GW_MESSAGE_RESPONSE = 2, GW_MESSAGE_TRAILERS = 3 };

enum gw_method {
    GW_METHOD_OTHER = 0, /* a token that we do not know: forwarded as it is */
    GW_METHOD_GET,
    GW_METHOD_HEAD,
    GW_METHOD_POST,
    GW_METHOD_PUT,
    GW_METHOD_DELETE,
    GW_METHOD_CONNECT,
    GW_METHOD_OPTIONS,
    GW_METHOD_TRACE,
    GW_METHOD_PATCH
};

/* How long the body is: what follows the head. */
enum gw_body_kind {
    GW_BODY_NONE = 0,    /* no byte follows (HEAD, 204, 304 too: see has_length)  */
    GW_BODY_LENGTH = 1,  /* length bytes                                         */
    GW_BODY_UNKNOWN = 2, /* until its end: chunked, END_STREAM or end of connection */
    GW_BODY_TUNNEL = 3   /* bytes both ways until each side ends                 */
};

struct gw_message {
    uint8_t kind;   /* gw_message_kind */
    uint8_t method; /* gw_method       */
    uint8_t body;   /* gw_body_kind    */
    uint8_t is_http10;
    uint8_t has_left;   /* handed to a codec: setters answer GW_ESTATE */
    uint8_t has_length; /* responses with body NONE (to HEAD, or 304): Content-Length said length
                           all the same, and is sent on */
    uint16_t code;      /* responses */
    uint64_t length;
    gw_str method_text, scheme, authority;
    gw_str path;     /* canonical; "*" for OPTIONS *; empty for CONNECT             */
    gw_str query;    /* without "?"; ptr NULL: none                                 */
    gw_str target;   /* as received                                                 */
    gw_str protocol; /* the one Upgrade token or :protocol; empty: none           */
    struct gw_fields fields;
    gw_str lines;            /* to an HTTP/1 upstream: more fields, "name: value" CRLF each      */
    struct gw_message *next; /* in a stream's queue of informational responses    */
};

void gw_message_init(struct gw_message *m, enum gw_message_kind kind, struct gw_arena *arena,
                     uint32_t fields_max);
enum gw_method gw_method_of(gw_str text); /* case matters (RFC 9110 9.1) */
/* RFC 9110 9.2.2 */
bool gw_method_is_idempotent(enum gw_method method);
/* May a response to this method with this code have a body (RFC 9110 6.4.1)? */
bool gw_response_has_body(enum gw_method method, uint32_t code);
const char *gw_code_phrase(uint32_t code); /* "Not Found"; "" if not known */

#endif
