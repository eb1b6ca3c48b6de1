/* tls/stub.h: an engine for tests: a one-message handshake each way, visible records (two bytes of
 * length, a kind, the bytes), an orderly end. No secrecy whatsoever: never reachable from the public
 * API. It makes every simulated conversation run through the record boundary, delay and failure
 * paths of an engine, deterministically. */
#ifndef GW_TLS_STUB_H
#define GW_TLS_STUB_H

#include "base/heap.h"
#include "tls/engine.h"

/* alpn: static, what it says was agreed on. NULL: no memory. */
struct gw_tls_engine *gw_tls_stub_new(struct gw_heap *heap, bool is_client, gw_str alpn)
    GW_MUST_CHECK;

#endif
