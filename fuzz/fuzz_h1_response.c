/* fuzz/fuzz_h1_response.c: the client role of HTTP/1. The first byte says what was asked and how
 * the bytes end, the rest is what an upstream sends. */

#include "codec.h"
#include "h1/h1.h"

static const struct ask {
    const char *method, *protocol;
    bool has_body;
} asks[] = {
    { "GET", "", false },     { "HEAD", "", false },         { "POST", "", true },
    { "CONNECT", "", false }, { "GET", "websocket", false }, { "OTHER", "", false },
};

static void run(struct side *side, uint8_t choices, gw_str bytes, uint64_t cut)
{
    const struct ask *ask = &asks[(choices >> 2) % (sizeof asks / sizeof asks[0])];
    memset(side, 0, sizeof *side);
    side->pipe_size = cut == 0 ? 1 << 16 : 300;
    if (choices & 2)
        side->limits = (struct gw_codec_limits){ 200, 4, 8, 1 << 18 };
    side_init(side, true);
    side->codec = gw_h1_new(&side->spec);
    CHECK(side->codec != NULL);
    side_ask(side, gw_cstr(ask->method), gw_cstr(ask->protocol), ask->has_body);
    side_run(side);
    side_feed(side, bytes, cut);
    side_end(side, choices & 1 ? GW_ERESET : GW_EOF);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    return side_fuzz_h1(run, bytes, len);
}
