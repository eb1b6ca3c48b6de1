/* raw/raw.h: bytes as they are, behind http/codec.h: a connection is one stream, and that is a tunnel.
 *
 * Server role: a client that begins with a ClientHello asks for a tunnel by the name that stands there:
 * its request is CONNECT, its authority "name:443", or empty if it named nobody. What it has sent is taken
 * in only once there is one, from its first byte on. A refusal is an alert.
 * Client role: with the connection the answer is there: 200.
 */
#ifndef GW_RAW_RAW_H
#define GW_RAW_RAW_H

#include "http/codec.h"

/* What a client that named name asks for (RFC 9110 9.3.6: so that a CONNECT can be made of it). */
gw_status gw_raw_ask(struct gw_message *m, gw_str name) GW_MUST_CHECK;
/* NULL: no memory. */
struct gw_codec *gw_raw_new(const struct gw_codec_spec *spec) GW_MUST_CHECK;

#endif
