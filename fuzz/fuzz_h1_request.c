/* fuzz/fuzz_h1_request.c: the server role of HTTP/1. The first byte holds choices of the run, the
 * rest is what a client sends. */

#include "codec.h"
#include "h1/h1.h"

/* Choices: 1: tunnels are accepted; 2: small limits for heads; 4: the end is a reset. */
static void run(struct side *side, uint8_t choices, gw_str bytes, uint64_t cut)
{
    memset(side, 0, sizeof *side);
    side->accepts_tunnels = (choices & 1) != 0;
    side->pipe_size = cut == 0 ? 1 << 16 : 300;
    if (choices & 2)
        side->limits = (struct gw_codec_limits){ 200, 4, 8, 1 << 18 };
    side_init(side, false);
    side->codec = gw_h1_new(&side->spec);
    CHECK(side->codec != NULL);
    side_feed(side, bytes, cut);
    side_end(side, choices & 4 ? GW_ERESET : GW_EOF);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    return side_fuzz_h1(run, bytes, len);
}
