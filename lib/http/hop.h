/* http/hop.h: what a proxy takes off a message before it sends it on (RFC 9110 7.6.1): Connection and
 * every field it names, the other fields about one connection, Content-Length and Transfer-Encoding
 * (the writers make their own from body and length), Host of a request (from authority). TE is
 * replaced by "trailers" if that was among its elements. Expect stays. Upgrade and its Connection
 * token are written by the HTTP/1 writer from m->protocol. */
#ifndef GW_HTTP_HOP_H
#define GW_HTTP_HOP_H

#include "http/message.h"

/* GW_ENOMEM, GW_ELIMIT: TE could not be added again. */
gw_status gw_hop_strip(struct gw_message *m) GW_MUST_CHECK;
/* Only Connection and what it names, but for TE: for who lets others add fields before gw_hop_strip.
 * Those are not the ones that Connection means. */
void gw_hop_unname(struct gw_message *m);

#endif
