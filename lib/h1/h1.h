/* h1/h1.h: HTTP/1.1 and 1.0 (RFC 9112) for both roles, behind http/codec.h.
 *
 * One stream at a time. Server: a request that is read while the response to the one before is owed
 * waits in rx (read-ahead one block). The end of the peer's sending after a whole request is no abort.
 * Client: after a whole response to a whole request the connection can be used again, if both sides
 * kept it alive; bytes that come unasked make it OVER.
 */
#ifndef GW_H1_H1_H
#define GW_H1_H1_H

#include "http/codec.h"

/* Cells for up to count_max codecs. */
void gw_h1_cells_init(struct gw_slab *cells, struct gw_heap *heap, uint32_t count_max);
/* NULL: no memory. */
struct gw_codec *gw_h1_new(const struct gw_codec_spec *spec) GW_MUST_CHECK;

#endif
