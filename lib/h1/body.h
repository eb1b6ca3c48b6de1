/* h1/body.h: bodies from a receive chain into a pipe (RFC 9112 6, 7): by length, in chunks with
 * trailers, or raw until the end. Slices are moved, and only while the pipe has room. */
#ifndef GW_H1_BODY_H
#define GW_H1_BODY_H

#include "buf/pipe.h"
#include "http/message.h"
#include "http/reason.h"

enum gw_h1_body_kind {
    GW_H1_BODY_LENGTH = 0,
    GW_H1_BODY_CHUNKED = 1,
    GW_H1_BODY_RAW = 2 /* until the sender ends: until-close bodies, tunnels */
};

enum gw_h1_body_step {
    GW_H1_STEP_BYTES = 0,
    GW_H1_STEP_SIZE = 1,
    GW_H1_STEP_BYTES_END = 2,
    GW_H1_STEP_TRAILERS = 3,
    GW_H1_STEP_END = 4
};

/* A chunk's line with its extensions, and all such lines of a body beside what a size needs: bytes
 * that carry nothing. */
enum { GW_H1_CHUNK_LINE_MAX = 256, GW_H1_EXTENSIONS_MAX = 16384 };
#define GW_H1_CHUNK_MAX (UINT64_C(1) << 60)

struct gw_h1_body {
    uint8_t kind, step;
    uint32_t extensions; /* bytes of extensions so far      */
    uint32_t trailers;   /* bytes of trailer lines so far   */
    uint32_t tiny;       /* chunks of a few bytes since the owner last looked */
    uint64_t left;       /* of the body, or of this chunk   */
};

/* Where the bytes go. */
struct gw_h1_body_target {
    struct gw_pipe *pipe;        /* NULL: dropped                          */
    struct gw_message *trailers; /* NULL: looked at and dropped            */
    uint32_t trailer_bytes_max;
};

void gw_h1_body_start(struct gw_h1_body *b, enum gw_h1_body_kind kind, uint64_t length);
static inline bool gw_h1_body_is_whole(const struct gw_h1_body *b)
{
    return b->step == GW_H1_STEP_END;
}
/* Takes what it can off rx. scanned: as of gw_h1_line. GW_REASON_none: took all it could; or
 * bad_chunk, bad_field (of a trailer), head_too_large (trailers), no_memory (nothing is lost: it
 * can be tried again). */
enum gw_reason_id gw_h1_body_read(struct gw_h1_body *b, struct gw_chain *rx, size_t *scanned,
                                  const struct gw_h1_body_target *target);
/* Would it take more bytes now? */
bool gw_h1_body_wants(const struct gw_h1_body *b, const struct gw_pipe *pipe);

#endif
