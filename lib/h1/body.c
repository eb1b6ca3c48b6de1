/* h1/body.c: the states of a body.
 *
 *     SIZE > BYTES > BYTES_END > SIZE ... SIZE (of 0) > TRAILERS > END        chunked
 *     BYTES > END                                                             by length
 *     BYTES                                                                   raw
 */

#include "h1/body.h"

#include "base/assert.h"
#include "h1/head.h"
#include "h1/scan.h"
#include "http/abuse.h"
#include "http/chars.h"

enum { SIZE_DIGITS_MAX = 16 };

void gw_h1_body_start(struct gw_h1_body *b, enum gw_h1_body_kind kind, uint64_t length)
{
    *b = (struct gw_h1_body){ .kind = (uint8_t)kind, .left = length };
    if (kind == GW_H1_BODY_CHUNKED)
        b->step = GW_H1_STEP_SIZE;
    else if (kind == GW_H1_BODY_LENGTH && length == 0)
        b->step = GW_H1_STEP_END;
}

static void take(struct gw_chain *rx, size_t *scanned, size_t len)
{
    gw_chain_drop(rx, len);
    *scanned = 0;
}

static enum gw_reason_id read_bytes(struct gw_h1_body *b, struct gw_chain *rx, size_t *scanned,
                                    struct gw_pipe *pipe, bool *is_stuck)
{
    size_t n = rx->len;
    if (b->kind != GW_H1_BODY_RAW && n > b->left)
        n = (size_t)b->left;
    if (pipe != NULL) {
        size_t room = gw_pipe_space(pipe);
        n = n < room ? n : room;
    }
    if (n == 0) {
        *is_stuck = true;
        return GW_REASON_none;
    }
    *scanned = 0;
    if (pipe == NULL)
        gw_chain_drop(rx, n);
    else if (gw_pipe_fill(pipe, rx, n, &n) != GW_OK)
        return GW_REASON_no_memory;
    if (b->kind == GW_H1_BODY_RAW)
        return GW_REASON_none;
    b->left -= n;
    if (b->left == 0)
        b->step = b->kind == GW_H1_BODY_CHUNKED ? GW_H1_STEP_BYTES_END : GW_H1_STEP_END;
    return GW_REASON_none;
}

/* chunk-size [ chunk-ext ]. No space before the extensions: parsers differ about that. */
static bool parse_size(gw_str line, uint64_t *size, size_t *digits)
{
    size_t n = 0;
    uint64_t value = 0;
    while (n < line.len && gw_char_is(line.ptr[n], GW_CHAR_HEX)) {
        if (n == SIZE_DIGITS_MAX)
            return false;
        value = value << 4 | gw_hex_value(line.ptr[n++]);
    }
    if (n == 0 || value > GW_H1_CHUNK_MAX)
        return false;
    if (n < line.len && (line.ptr[n] != ';' || !gw_h1_is_text(gw_str_slice(line, n, line.len))))
        return false;
    *size = value;
    *digits = n;
    return true;
}

static enum gw_reason_id read_size(struct gw_h1_body *b, struct gw_chain *rx, size_t *scanned,
                                   bool *is_stuck)
{
    gw_str line;
    uint64_t size;
    size_t digits;
    switch (gw_h1_line(rx, scanned, GW_H1_CHUNK_LINE_MAX, &line)) {
    case GW_H1_LINE_PART:
        *is_stuck = true;
        return GW_REASON_none;
    case GW_H1_LINE_NO_MEMORY:
        return GW_REASON_no_memory;
    case GW_H1_LINE_LONG:
    case GW_H1_LINE_BARE:
        return GW_REASON_bad_chunk;
    case GW_H1_LINE_WHOLE:
        break;
    }
    if (!parse_size(line, &size, &digits))
        return GW_REASON_bad_chunk;
    b->extensions += (uint32_t)(line.len - digits);
    if (b->extensions > GW_H1_EXTENSIONS_MAX)
        return GW_REASON_bad_chunk;
    take(rx, scanned, line.len + 2);
    b->left = size;
    b->tiny += size < GW_ABUSE_TINY_BYTES ? 1 : 0;
    b->step = size == 0 ? GW_H1_STEP_TRAILERS : GW_H1_STEP_BYTES;
    return GW_REASON_none;
}

static enum gw_reason_id read_bytes_end(struct gw_h1_body *b, struct gw_chain *rx, size_t *scanned,
                                        bool *is_stuck)
{
    char end[2];
    size_t n = gw_chain_read(rx, 0, end, sizeof end);
    if ((n >= 1 && end[0] != '\r') || (n == 2 && end[1] != '\n'))
        return GW_REASON_bad_chunk;
    if (n < 2) {
        *is_stuck = true;
        return GW_REASON_none;
    }
    take(rx, scanned, 2);
    b->step = GW_H1_STEP_SIZE;
    return GW_REASON_none;
}

static enum gw_reason_id read_trailer(struct gw_h1_body *b, struct gw_chain *rx, size_t *scanned,
                                      const struct gw_h1_body_target *target, bool *is_stuck)
{
    gw_str line;
    size_t max = target->trailer_bytes_max - b->trailers;
    enum gw_reason_id reason = GW_REASON_none;
    switch (gw_h1_line(rx, scanned, max, &line)) {
    case GW_H1_LINE_PART:
        *is_stuck = true;
        return GW_REASON_none;
    case GW_H1_LINE_NO_MEMORY:
        return GW_REASON_no_memory;
    case GW_H1_LINE_LONG:
        return GW_REASON_head_too_large;
    case GW_H1_LINE_BARE:
        return GW_REASON_bad_field;
    case GW_H1_LINE_WHOLE:
        break;
    }
    if (line.len > 0)
        reason = gw_h1_field_line(target->trailers != NULL ? &target->trailers->fields : NULL,
                                  line);
    if (reason != GW_REASON_none)
        return reason;
    b->trailers += (uint32_t)line.len + 2;
    if (line.len == 0)
        b->step = GW_H1_STEP_END;
    take(rx, scanned, line.len + 2);
    return GW_REASON_none;
}

enum gw_reason_id gw_h1_body_read(struct gw_h1_body *b, struct gw_chain *rx, size_t *scanned,
                                  const struct gw_h1_body_target *target)
{
    enum gw_reason_id reason = GW_REASON_none;
    bool is_stuck = false;
    /* Each turn takes bytes off rx, or is stuck. */
    while (reason == GW_REASON_none && !is_stuck && rx->len > 0) {
        switch ((enum gw_h1_body_step)b->step) {
        case GW_H1_STEP_BYTES:
            reason = read_bytes(b, rx, scanned, target->pipe, &is_stuck);
            break;
        case GW_H1_STEP_SIZE:
            reason = read_size(b, rx, scanned, &is_stuck);
            break;
        case GW_H1_STEP_BYTES_END:
            reason = read_bytes_end(b, rx, scanned, &is_stuck);
            break;
        case GW_H1_STEP_TRAILERS:
            reason = read_trailer(b, rx, scanned, target, &is_stuck);
            break;
        case GW_H1_STEP_END:
            is_stuck = true;
            break;
        }
    }
    return reason;
}

bool gw_h1_body_wants(const struct gw_h1_body *b, const struct gw_pipe *pipe)
{
    return b->step != GW_H1_STEP_END &&
           (b->step != GW_H1_STEP_BYTES || pipe == NULL || gw_pipe_space(pipe) > 0);
}
