/* fuzz/fuzz_h2_server.c: the server role of HTTP/2. Choices in the first byte: 1: see frames.h; 2: small
 * limits; 4: the end is a reset; 8: few streams at once. */

#include "frames.h"

static const struct pair requests[BLOCKS][PAIRS] = {
    { { ":method", "GET" }, { ":scheme", "http" }, { ":path", "/" }, { ":authority", "a" } },
    { { ":method", "POST" },
      { ":scheme", "http" },
      { ":path", "/p?q" },
      { ":authority", "a" },
      { "content-length", "3" } },
    { { ":method", "POST" },
      { ":scheme", "http" },
      { ":path", "/svc/m" },
      { ":authority", "a" },
      { "content-type", "application/grpc" },
      { "te", "trailers" } },
    { { ":method", "CONNECT" }, { ":authority", "a:1" } },
    { { ":method", "CONNECT" },
      { ":protocol", "websocket" },
      { ":scheme", "http" },
      { ":path", "/ws" },
      { ":authority", "a" } },
    { { "trailer-a", "1" }, { "trailer-b", "2" } },
    { { ":method", "GET" }, { ":scheme", "http" }, { ":path", "/" } },
    { { ":method", "GET" }, { ":scheme", "http" }, { ":path", "/" }, { "connection", "x" } },
    { { ":method", "GET" },
      { ":scheme", "http" },
      { ":path", "/" },
      { "host", "h" },
      { "cookie", "a=1" },
      { "cookie", "b=2" } },
    { { ":method", "GET" }, { ":path", "*" }, { ":scheme", "http" }, { ":authority", "a" } },
    { { "upper", "x" }, { "Upper", "x" } },
    { { ":status", "200" } },
    { { ":method", "HEAD" }, { ":scheme", "http" }, { ":path", "/../" }, { ":authority", "a" } },
    { { ":method", "OPTIONS" }, { ":scheme", "http" }, { ":path", "*" }, { ":authority", "a" } },
    { { "a", "1" }, { "b", "2" }, { "c", "3" }, { "d", "4" }, { "e", "5" }, { "f", "6" } },
    { { ":method", "G" }, { ":method", "G" } },
};

static void run(struct side *side, uint8_t choices, gw_str bytes, uint64_t cut)
{
    memset(side, 0, sizeof *side);
    side->pipe_size = 1 << 18;
    side->limits = (struct gw_codec_limits){ SIDE_HEAD, SIDE_FIELDS, SIDE_STREAMS, 1 << 18 };
    if (choices & 2)
        side->limits = (struct gw_codec_limits){ 300, 6, SIDE_STREAMS, 1 << 18 };
    if (choices & 8)
        side->limits.h2_streams_max = 2;
    side_init(side, false);
    side->shared = gw_h2_shared_new(&side->heap, 4);
    CHECK(side->shared != NULL);
    side->codec = gw_h2_new(&side->spec, side->shared, side->now);
    CHECK(side->codec != NULL);
    side_run(side);
    side->answers_late = cut < 2;
    side_feed(side, bytes, cut);
    side_end(side, choices & 4 ? GW_ERESET : GW_EOF);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    return frames_fuzz(run, bytes, len, GW_H2_PREFACE, requests);
}
