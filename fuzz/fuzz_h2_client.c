/* fuzz/fuzz_h2_client.c: the client role of HTTP/2, which has asked three things (streams 1, 3, 5).
 * Choices in the first byte: 1: bytes as they are, else frames in the short form behind a right
 * beginning; 2: small limits; 4: the end is a reset. What
 * comes of broken frames may depend on what was written in between: so the two ways of feeding that
 * are compared write nothing until the end, and a third one writes and answers at once. */

#include "frames.h"
#include "h2/codec.h"

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

static void finish(struct side *side)
{
    side_fini(side);
    gw_h2_shared_free(side->shared);
    side_check_empty(side);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct side whole, cut;
    struct fuzz_input in = { bytes, len };
    struct log input = { NULL, 0, 0 };
    uint8_t choices = fuzz_byte(&in);
    if (in.len > SIDE_INPUT)
        return 0;
    if (choices & 1) {
        log_str(&input, fuzz_rest(&in));
    } else {
        frame_add(&input, GW_H2_SETTINGS, 0, 0, GW_STR(""));
        frame_add(&input, GW_H2_SETTINGS, GW_H2_ACK, 0, GW_STR(""));
        frames_add(&input, &in, responses);
    }
    gw_str text = { input.at, input.len };
    run(&whole, choices, text, 0);
    run(&cut, choices, text, 1);
    side_compare_loosely(&whole, &cut);
    finish(&cut);
    run(&cut, choices, text, 2);
    finish(&cut);
    finish(&whole);
    free(input.at);
    return 0;
}
