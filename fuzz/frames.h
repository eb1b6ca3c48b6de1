/* fuzz/frames.h: HTTP/2 bytes from a fuzzer's input, in one of two ways: as they are, or as a list of
 * frames whose lengths are right, so that what lies behind the framing is reached soon.
 *
 * A frame in the short form: type, flags, stream, length (one byte each), payload. Types 0 to 9 are
 * the real ones; from 16 on it is a header block that is written here: the low four bits pick it. */
#ifndef FUZZ_FRAMES_H
#define FUZZ_FRAMES_H

#include "codec.h"
#include "h2/policy.h"

static inline void frame_add(struct log *out, uint8_t type, uint8_t flags, uint32_t stream,
                             gw_str payload)
{
    char head[GW_H2_HEAD_LEN] = { (char)(payload.len >> 16),
                                  (char)(payload.len >> 8),
                                  (char)payload.len,
                                  (char)type,
                                  (char)flags,
                                  (char)(stream >> 24),
                                  (char)(stream >> 16),
                                  (char)(stream >> 8),
                                  (char)stream };
    log_str(out, (gw_str){ head, sizeof head });
    log_str(out, payload);
}

/* A field without compression or index (RFC 7541 6.2.2); lengths under 127. */
static inline void block_add(struct log *out, const char *name, const char *value)
{
    char len[3] = { 0, (char)strlen(name), (char)strlen(value) };
    log_str(out, (gw_str){ len, 2 });
    log_cstr(out, name);
    log_str(out, (gw_str){ len + 2, 1 });
    log_cstr(out, value);
}

struct pair {
    const char *name, *value;
};
enum { BLOCKS = 16, PAIRS = 7 };

static inline void frames_add(struct log *out, struct fuzz_input *in,
                              const struct pair blocks[BLOCKS][PAIRS])
{
    struct log block = { NULL, 0, 0 };
    for (uint32_t i = 0; in->len > 0 && i < 200; i++) {
        uint8_t type = fuzz_byte(in), flags = fuzz_byte(in), stream = fuzz_byte(in);
        if (type >= 16) {
            block.len = 0;
            for (uint32_t k = 0; k < PAIRS && blocks[type & 15][k].name != NULL; k++)
                block_add(&block, blocks[type & 15][k].name, blocks[type & 15][k].value);
            frame_add(out, GW_H2_HEADERS, GW_H2_END_HEADERS | (flags & GW_H2_END_STREAM), stream,
                      (gw_str){ block.at, block.len });
            continue;
        }
        size_t len = fuzz_byte(in);
        len = len < in->len ? len : in->len;
        frame_add(out, type, flags, stream, (gw_str){ (const char *)in->at, len });
        in->at += len;
        in->len -= len;
    }
    free(block.at);
}

/* A byte of choices, of which 1 says that bytes come as they are; else frames in the short form behind a
 * beginning that is right. */
static inline int frames_fuzz(side_play *play, const uint8_t *bytes, size_t len,
                              const char *preface, const struct pair blocks[BLOCKS][PAIRS])
{
    struct fuzz_input in = { bytes, len };
    struct log input = { NULL, 0, 0 };
    uint8_t choices = fuzz_byte(&in);

    if (in.len > SIDE_INPUT)
        return 0;
    if (choices & 1) {
        log_str(&input, fuzz_rest(&in));
    } else {
        log_cstr(&input, preface);
        frame_add(&input, GW_H2_SETTINGS, 0, 0, GW_STR(""));
        frame_add(&input, GW_H2_SETTINGS, GW_H2_ACK, 0, GW_STR(""));
        frames_add(&input, &in, blocks);
    }
    side_each_way(play, choices, (gw_str){ input.at, input.len }, true);
    free(input.at);
    return 0;
}

#endif
