/* h2/codec.h: HTTP/2 (RFC 9113) for both roles, behind http/codec.h. No type of the library inside is
 * shown: what is in nghttp2.c can change without the rest knowing.
 */
#ifndef GW_H2_CODEC_H
#define GW_H2_CODEC_H

#include "http/codec.h"

/* The client's first bytes (RFC 9113 3.4). */
#define GW_H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
enum { GW_H2_PREFACE_LEN = 24 };

/* What all HTTP/2 connections of a worker share: pooled memory for the library inside. */
struct gw_h2_shared;
/* connections_max bounds the memory. NULL: no memory, or a build without HTTP/2. */
struct gw_h2_shared *gw_h2_shared_new(struct gw_heap *heap, uint32_t connections_max) GW_MUST_CHECK;
void gw_h2_shared_free(struct gw_h2_shared *shared); /* NULL is fine */

/* NULL: no memory. now: for budgets. */
struct gw_codec *gw_h2_new(const struct gw_codec_spec *spec, struct gw_h2_shared *shared,
                           gw_nanos now) GW_MUST_CHECK;
/* Worst case of bytes of one connection, and of each stream on it, for the footprint. */
uint64_t gw_h2_connection_bytes(void);
uint64_t gw_h2_stream_bytes(void);

#endif
