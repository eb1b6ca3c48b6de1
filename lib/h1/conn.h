/* h1/conn.h: the state of one HTTP/1 connection, shared by both roles, and what both do alike. */
#ifndef GW_H1_CONN_H
#define GW_H1_CONN_H

#include "h1/body.h"
#include "h1/h1.h"
#include "h1/write.h"

/* Where reading stands. */
enum gw_h1_phase {
    GW_H1_IDLE = 0, /* between messages                                                        */
    GW_H1_HEAD = 1,
    GW_H1_BODY = 2, /* a tunnel's bytes too                                                    */
    GW_H1_WAIT = 3, /* server: the request asked for a tunnel; the response decides            */
    GW_H1_DONE = 4, /* all of the message was read; rx holds the next one                      */
    GW_H1_SKIP = 5, /* server: the stream has left; the rest of its request is dropped         */
    GW_H1_OVER = 6, /* nothing more is read                                                    */
    GW_H1_HELD = 7  /* server: nobody has claimed the request yet: its body stays in rx        */
};

/* What a server drops of a request body that nobody wants, to keep the connection. */
enum { GW_H1_SKIP_MAX = 65536 };

struct gw_h1 {
    struct gw_codec base;
    struct gw_codec_owner owner;
    const struct gw_codec_limits *limits;
    struct gw_heap *heap;
    struct gw_slab *cells; /* where it lies; NULL: on the heap */
    struct gw_pool *pool;
    struct gw_stream *stream; /* NULL: none */

    /* Reading. */
    struct gw_message *head; /* the lines go there; NULL: dropped (a response of 1xx) */
    struct gw_h1_body body;
    size_t scanned;      /* see gw_h1_line                      */
    size_t rx_left;      /* bytes that the last read left in rx */
    uint32_t head_bytes; /* of this head so far                 */
    uint32_t skipped;    /* of a request that nobody wants      */
    uint8_t phase;       /* gw_h1_phase                         */
    uint16_t code;       /* client: of the head being read      */

    /* Writing. */
    uint8_t out_kind; /* gw_h1_body_kind */
    bool owes_crlf;   /* behind the last chunk: memory was short for it */
    struct gw_h1_spare spare;
    uint64_t out_left;

    bool is_server;
    bool is_last;        /* no message follows this one                              */
    bool has_line;       /* the first line of the head was read                      */
    bool has_empty_line; /* server: the empty line before a request line was passed  */
    bool is_http10;      /* of the message being read                                */
    bool is_eof;         /* the peer ended its sending side                          */
    bool is_keep_asked;  /* server: an HTTP/1.0 client asked for keep-alive          */
    bool is_awaiting;    /* server: the client waits for 100 (Expect)                */
    bool is_holding;     /* client: the response decides what becomes of out_pipe    */
    bool owes_503;       /* server: there was no stream for a request                */
    bool is_paused;      /* server: behind a body that was dropped: see take_input   */
    uint32_t head_at;    /* client: the low bits of base.written before the request's head */
};

static inline struct gw_h1 *gw_h1_of(struct gw_codec *c)
{
    return GW_CONTAINER(c, struct gw_h1, base);
}
static inline const struct gw_h1 *gw_h1_of_const(const struct gw_codec *c)
{
    return (const struct gw_h1 *)(const void *)c; /* its first member */
}

extern const struct gw_codec_ops gw_h1_server_ops, gw_h1_client_ops;

/* Both roles. */
void gw_h1_attach(struct gw_h1 *c, struct gw_stream *s);
/* s is the codec's no more. */
void gw_h1_unattach(struct gw_h1 *c);
/* Nothing more is read or begun. */
void gw_h1_over(struct gw_h1 *c, enum gw_reason_id fault);
/* The stream's halves that are not done are cut, and the connection is over. */
void gw_h1_cut(struct gw_h1 *c, enum gw_reason_id fault, bool by_peer);
/* The connection is lost, why says for what reason: fault is its name if that is not our own memory. */
void gw_h1_cut_lost(struct gw_h1 *c, enum gw_reason_id fault, gw_status why);
/* What was to come has come: ends in_pipe, tells END (with news). */
void gw_h1_in_done(struct gw_h1 *c, uint32_t news);
/* From now on bytes go through in both directions. */
void gw_h1_begin_tunnel(struct gw_h1 *c);
/* Both halves are done: what becomes of a connection that was announced to end. */
void gw_h1_settle(struct gw_h1 *c);
/* Reads the lines of a head as far as they have come, by first_line and then fields; sets phase by
 * whole at its end. GW_REASON_none: so far so good. no_memory with *may_retry: nothing is lost. */
struct gw_h1_head_steps {
    enum gw_reason_id (*first_line)(struct gw_h1 *c, gw_str line);
    enum gw_reason_id (*whole)(struct gw_h1 *c);
};
enum gw_reason_id gw_h1_read_head(struct gw_h1 *c, struct gw_chain *rx,
                                  const struct gw_h1_head_steps *steps, bool *may_retry);
void gw_h1_start_head(struct gw_h1 *c, struct gw_message *m);
/* Body bytes of the attached stream. */
enum gw_reason_id gw_h1_read_body(struct gw_h1 *c, struct gw_chain *rx);
/* The head is in the chain: the body follows. */
void gw_h1_start_out(struct gw_h1 *c, enum gw_h1_body_kind kind, uint64_t length);
/* Server: what goes before the head of a response: informational ones; a 503 without a stream. */
gw_status gw_h1_server_write_first(struct gw_h1 *c, struct gw_chain *tx);
gw_status gw_h1_server_write_head(struct gw_h1 *c, struct gw_chain *tx);
gw_status gw_h1_client_write_head(struct gw_h1 *c, struct gw_chain *tx);
/* Common commands. */
bool gw_h1_wants_write(const struct gw_codec *codec);
gw_status gw_h1_write(struct gw_codec *codec, struct gw_chain *tx, size_t mark, gw_nanos now);
void gw_h1_reset(struct gw_codec *codec, struct gw_stream *s, uint32_t h2_code);
void gw_h1_free(struct gw_codec *codec);

#endif
