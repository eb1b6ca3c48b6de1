/* h2/none.c: a build without HTTP/2: there is never a connection. */

#include "h2/codec.h"

struct gw_h2_shared *gw_h2_shared_new(struct gw_heap *heap, uint32_t connections_max)
{
    (void)heap;
    (void)connections_max;
    return NULL;
}

void gw_h2_shared_free(struct gw_h2_shared *shared)
{
    (void)shared;
}

struct gw_codec *gw_h2_new(const struct gw_codec_spec *spec, struct gw_h2_shared *shared,
                           gw_nanos now)
{
    (void)spec;
    (void)shared;
    (void)now;
    return NULL;
}

uint64_t gw_h2_connection_bytes(void)
{
    return 0;
}

uint64_t gw_h2_stream_bytes(void)
{
    return 0;
}
