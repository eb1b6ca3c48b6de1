/* h1/write.h: heads and chunk framing into a chain. What is written here is what head.c and body.c
 * accept: the same rules are asserted. Knows messages and chains, not connections. */
#ifndef GW_H1_WRITE_H
#define GW_H1_WRITE_H

#include "buf/chain.h"
#include "http/message.h"

/* How the body is framed, and what is said about the connection. */
enum gw_h1_framing {
    GW_H1_FRAMING_NONE = 0,    /* no framing field                    */
    GW_H1_FRAMING_LENGTH = 1,  /* Content-Length: length              */
    GW_H1_FRAMING_CHUNKED = 2, /* Transfer-Encoding: chunked          */
};
struct gw_h1_head_spec {
    uint8_t framing; /* gw_h1_framing */
    bool is_close, is_keep_alive;
    uint64_t length;
    gw_str upgrade; /* empty: none */
};

/* Each is written whole, or, with GW_ENOMEM, not at all. */
gw_status gw_h1_write_request(struct gw_chain *tx, const struct gw_message *m,
                              const struct gw_h1_head_spec *spec) GW_MUST_CHECK;
gw_status gw_h1_write_response(struct gw_chain *tx, const struct gw_message *m,
                               const struct gw_h1_head_spec *spec) GW_MUST_CHECK;
/* Framing between slices of a body lies in a block of its own, which goes on from chunk to chunk:
 * behind a slice there is often no room, and a block a chunk would be twice the memory. */
struct gw_h1_spare {
    struct gw_block *block; /* one reference; NULL: none */
};
void gw_h1_spare_fini(struct gw_h1_spare *f);
gw_status gw_h1_write_framing(struct gw_chain *tx, struct gw_h1_spare *f, gw_str text)
    GW_MUST_CHECK;
/* The line before a chunk of len bytes, len > 0; before it the end of the last one if has_crlf. */
enum { GW_H1_SIZE_LINE_MAX = 2 + 16 + 2 };
gw_str gw_h1_size_line(char *buffer, uint64_t len, bool has_crlf);
/* The last chunk with its trailers (NULL: none). */
gw_status gw_h1_write_last(struct gw_chain *tx, const struct gw_message *trailers, bool has_crlf)
    GW_MUST_CHECK;

#endif
