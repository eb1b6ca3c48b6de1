/* fuzz/fuzz_h2_client.c: the client role of HTTP/2, which has asked three things (streams 1, 3, 5).
 * Choices in the first byte: 1: see frames.h; 2: small limits; 4: the end is a reset. */

#include "frames.h"

static const struct pair responses[BLOCKS][PAIRS] = {
    { { ":status", "200" } },
    { { ":status", "200" }, { "content-length", "3" } },
    { { ":status", "200" }, { "content-type", "application/grpc" } },
    { { "grpc-status", "0" }, { "grpc-message", "" } },
    { { ":status", "100" } },
    { { ":status", "103" }, { "link", "x" } },
    { { ":status", "204" } },
    { { ":status", "304" }, { "content-length", "70" } },
    { { ":status", "200" }, { "grpc-status", "13" } },
    { { ":status", "101" } },
    { { ":status", "20" } },
    { { ":status", "200" }, { "Upper", "x" } },
    { { ":status", "200" }, { "transfer-encoding", "chunked" } },
    { { ":path", "/" } },
    { { ":status", "200" }, { "a", "1" }, { "b", "2" }, { "c", "3" }, { "d", "4" }, { "e", "5" } },
    { { ":status", "200" }, { ":status", "200" } },
};

static void run(struct side *side, uint8_t choices, gw_str bytes, uint64_t cut)
{
    memset(side, 0, sizeof *side);
    side->pipe_size = 1 << 18;
    if (choices & 2)
        side->limits = (struct gw_codec_limits){ 300, 4, 8, 1 << 18 };
    side_init(side, true);
    side->shared = gw_h2_shared_new(&side->heap, 4);
    CHECK(side->shared != NULL);
    side->codec = gw_h2_new(&side->spec, side->shared, side->now);
    CHECK(side->codec != NULL);
    side_ask(side, GW_STR("GET"), GW_STR(""), false);
    side_ask(side, GW_STR("POST"), GW_STR(""), true);
    side_ask(side, GW_STR("HEAD"), GW_STR(""), false);
    side_run(side);
    side->answers_late = cut < 2;
    side_feed(side, bytes, cut);
    side_end(side, choices & 4 ? GW_ERESET : GW_EOF);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    return frames_fuzz(run, bytes, len, "", responses);
}
