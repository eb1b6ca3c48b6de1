/* http/codec.h: what every protocol looks like to a gateway, and every gateway to a protocol: one
 * message pair is a stream; bytes become what the stream holds, and what it holds becomes bytes.
 *
 * Codecs (h1/h1.h, h2/codec.h) know chains, messages and streams; never a socket, a clock, a route or
 * the other side. Nothing is re-entered: a codec only records in the stream and tells its owner
 * through `changed`, which must only note it (put the stream's exchange on a list). The owner then
 * gives commands, outside of any codec call.
 */
#ifndef GW_HTTP_CODEC_H
#define GW_HTTP_CODEC_H

#include "base/list.h"
#include "buf/pipe.h"
#include "http/abuse.h"
#include "http/message.h"
#include "http/reason.h"

/* Where one half of a stream (receiving: in, sending: out) stands. Only grows. */
enum gw_half {
    GW_HALF_IDLE = 0, /* nothing yet                                                        */
    GW_HALF_HEAD = 1, /* in: the head has begun to arrive; out: the head is handed over; server
                         role: as long as it is this the owner may take it back (IDLE)        */
    GW_HALF_BODY = 2, /* in: the head is whole; out: the codec has taken it; body may flow   */
    GW_HALF_DONE = 3, /* in: all arrived, trailers too; out: the end is in the chain         */
    GW_HALF_CUT = 4   /* broken off; see fault                                              */
};

/* What changed since the owner last looked (it clears the bits). */
enum gw_news {
    GW_NEWS_HEAD = 1,  /* in_head is whole and checked (in is BODY or DONE)                   */
    GW_NEWS_INFO = 2,  /* client role: informational responses wait in info                  */
    GW_NEWS_BODY = 4,  /* bytes were pushed into in_pipe                                      */
    GW_NEWS_END = 8,   /* in is DONE                                                          */
    GW_NEWS_CUT = 16,  /* in is CUT: the peer or the connection ended it; see fault, by_peer  */
    GW_NEWS_ROOM = 32, /* bytes of out_pipe were taken: its source may go on                  */
    GW_NEWS_SENT = 64  /* out is DONE                                                         */
};

/* Informational responses to one request. */
enum { GW_INFOS_MAX = 8 };

struct gw_codec;

/* Embedded in the owner's object. Fields of a half are written by one side only: in_* by the codec,
 * out_* by the owner, but for the states. All memory is the owner's. */
struct gw_stream {
    struct gw_codec *codec;  /* NULL: not attached */
    void *inner;             /* the codec's own part of it, if it has one    */
    struct gw_list node;     /* the codec's: streams with something to write */
    struct gw_list all;      /* the codec's: all streams of the connection   */
    struct gw_list flushing; /* the link's: streams whose end has not left yet */
    uint32_t id;             /* h2: the stream's; h1: a running number      */
    uint32_t news;           /* gw_news                                     */
    uint8_t in, out;         /* gw_half                                     */
    uint8_t request_method;  /* gw_method; client role: set before open     */
    bool is_http10;          /* server role: the client speaks HTTP/1.0     */
    bool is_tunnel;  /* owner: set with a 101 or a 2xx to CONNECT: bytes follow, both ways     */
    bool is_refused; /* client role, with CUT: provably not processed (REFUSED_STREAM, GOAWAY,
                         or closed before any byte of it was taken by the transport)           */
    bool is_silent;  /* client role, with CUT: the connection ended, and not a byte of a response
                         had come                                                             */
    bool by_peer;    /* with CUT: the peer itself did it (a reset, or bytes that are wrong)    */
    bool is_held;    /* server role: set with HEAD where the head is kept (gw_codec.kept): nothing
                         * behind it is taken before the owner has cleared this and advanced     */
    uint16_t fault;  /* gw_reason_id, with CUT                                                */
    uint32_t peer_code; /* h2: the code of the peer's RST_STREAM or GOAWAY, for the log        */
    /* Receiving. */
    struct gw_message *in_head;     /* the owner's memory; filled by the codec                */
    struct gw_message *in_trailers; /* likewise; NULL: trailers are dropped                    */
    struct gw_pipe *in_pipe;        /* body goes here as long as there is room                 */
    struct gw_message *info;        /* client role: a queue through next, oldest first         */
    uint32_t info_count;            /* ... how many ever came: more than GW_INFOS_MAX are a fault */
    /* Sending. */
    struct gw_message *out_head;
    struct gw_message *out_trailers; /* looked at when out_pipe is done; NULL or empty: none   */
    struct gw_pipe *out_pipe;
    struct gw_message *out_info; /* server role: a queue, written before the head              */
    uint64_t out_mark; /* when out became DONE: bytes ever appended to the connection's chain  */
};

/* Everything zero, in no list. */
static inline void gw_stream_init(struct gw_stream *s)
{
    memset(s, 0, sizeof *s);
    gw_list_init(&s->node);
    gw_list_init(&s->all);
    gw_list_init(&s->flushing);
}

/* The other side of a codec: the connection and the exchanges above it. */
struct gw_codec_owner {
    void *ctx;
    /* Server role: the first bytes of a request. The owner gives a stream whose in_head, in_pipe,
     * in_trailers are ready (halves IDLE, news 0). NULL: no memory or over a limit: the codec answers
     * 503 (h1) or REFUSED_STREAM (h2) by itself. */
    struct gw_stream *(*open)(void *ctx);
    /* s->news has new bits. Only notes it. */
    void (*changed)(void *ctx, struct gw_stream *s);
    /* Memory for an informational response (client role); NULL: it is dropped. */
    struct gw_message *(*new_info)(void *ctx, struct gw_stream *s);
};

struct gw_codec_limits {
    uint32_t head_bytes_max, fields_max;
    uint32_t h2_streams_max; /* what a client may open */
    uint32_t pipe_bytes_max; /* h2: the largest window of a stream */
};

/* Everything a codec needs to be made; copied. */
struct gw_codec_spec {
    struct gw_heap *heap;
    struct gw_pool *pool;
    const struct gw_codec_owner *owner;
    const struct gw_codec_limits *limits; /* lives as long as the codec */
    bool is_client;
    struct gw_slab *cells; /* h1: of gw_h1_cells_init; NULL: from the heap */
};

enum gw_codec_state {
    GW_CODEC_OPEN = 0,
    GW_CODEC_DRAINING = 1, /* no new streams; those that are there go on                    */
    GW_CODEC_OVER = 2      /* nothing more will be read or begun: when tx has left and no stream is
                              attached, close                                                */
};

struct gw_codec_ops {
    const char *name;  /* "h1", "h2"   */
    uint32_t protocol; /* GW_PROTO_*   */
    /* Takes what it can off rx. GW_OK: took all, or all it can for now (see wants_read). With state
     * OVER, any other status (GW_EPROTO, GW_ENOMEM, GW_ELIMIT): the connection is lost to reading,
     * streams were told, what must be said to the peer will be written. GW_ENOMEM with another
     * state: nothing is lost; call again when memory may be free. To be called again also when rx
     * is not empty and a stream was advanced or detached: what waits in rx may go on then. */
    gw_status (*read)(struct gw_codec *c, struct gw_chain *rx, gw_nanos now);
    /* The peer ended its sending side (GW_OK or GW_EOF), after rx was read to its end: rx is empty,
     * or what is left is only the begin of something (wants_read(rx->len) is true). Or (GW_ERESET,
     * GW_EIO ...) the connection is gone: every stream that still needs it is CUT. */
    void (*read_end)(struct gw_codec *c, gw_status why, gw_nanos now);
    /* Would read take more bytes now? False while a pipe is full (h1), a response is owed and one
     * block of read-ahead lies in rx (h1 server), or reading is over. rx_len: what lies in rx. */
    bool (*wants_read)(const struct gw_codec *c, size_t rx_len);
    /* Would write append anything? */
    bool (*wants_write)(const struct gw_codec *c);
    /* Appends to tx while tx->len < mark. GW_ENOMEM: some of it is kept for later. Other errors: the
     * connection is lost. */
    gw_status (*write)(struct gw_codec *c, struct gw_chain *tx, size_t mark, gw_nanos now);
    /* Client role: could one more stream be opened now? */
    bool (*can_open)(const struct gw_codec *c);
    /* Client role: attaches s, whose out_head, out_pipe, in_head, in_pipe, in_trailers are set and out
     * is HEAD. GW_AGAIN: cannot now; GW_ENOMEM. */
    gw_status (*open)(struct gw_codec *c, struct gw_stream *s);
    /* The owner changed something of s: out_head (out = HEAD), out_info, body or end in out_pipe,
     * trailers, room in in_pipe (the codec gives credit or reads on), is_tunnel. Cheap; notes it. */
    void (*advance)(struct gw_codec *c, struct gw_stream *s);
    /* Breaks s off towards the peer, in both directions: h2: RST_STREAM(code) after what is in tx;
     * h1: the connection ends (server: after what lies in tx; a length or chunked body is thus seen
     * as cut; a request that was not answered is told 503 if the code is REFUSED_STREAM). Nothing of s is told any more. s stays attached until detach. */
    void (*reset)(struct gw_codec *c, struct gw_stream *s, uint32_t h2_code);
    /* The owner takes s away, at any time, and frees it after. If its halves are not both DONE: h2
     * resets it (NO_ERROR if out is DONE: RFC 9113 8.1; else CANCEL); h1 server with out DONE: the rest
     * of the request body is read and dropped up to a bound (64 KiB), else the connection ends. */
    void (*detach)(struct gw_codec *c, struct gw_stream *s);
    /* No new streams: h1: Connection: close on the next head, or OVER when idle; not final: only if the
     * answer to a stream that is there can still say so, else nothing happens; h2: GOAWAY, for a server
     * the first of two: streams still come, and when the peer has shown that it knows, the second goes
     * out with the last id. is_final: without waiting for that. */
    void (*drain)(struct gw_codec *c, bool is_final);
    /* Could a new one go on in its place? Server role, h1: between messages. The owner, when it has
     * nothing for it and its tx is empty, may then free it, and make another at the next byte. */
    bool (*is_spare)(const struct gw_codec *c);
    void (*free)(struct gw_codec *c); /* every stream must be detached */
};

/* The head of every codec object. */
struct gw_codec {
    const struct gw_codec_ops *ops;
    uint8_t state;         /* gw_codec_state */
    uint16_t fault;        /* gw_reason_id: why it is over, if by an error */
    uint32_t streams;      /* attached now */
    uint32_t streams_ever; /* attached ever */
    uint32_t sent;         /* the link's: bytes that the transport took, wrapping */
    bool is_head_pending;  /* a request head has begun and is not whole, or the rest of a refused
                              request is still dropped: the head's deadline runs */
    bool is_write_done; /* nothing will ever be appended to tx again: when it has left, the sending
                              side may be ended (a tunnel's other half may still be read) */
    bool is_kept_short; /* there was no memory to keep all of the last head: kept is empty */
    uint32_t untaken;   /* the last so many of them the transport has surely not taken: set before
                           read_end */
    uint64_t written;   /* bytes ever appended to tx */
    struct gw_abuse abuse; /* what the peer makes us do for nothing */
    /* The link's. */
    uint64_t flushed;        /* of those, what has left          */
    struct gw_list flushing; /* streams whose end has not left yet */
    /* h2: the peer has acknowledged our SETTINGS. Until then a client may send 65,535 bytes (RFC 9113
     * 6.9.2), for which early (the owner's; may be NULL) has blocks. */
    bool is_window_known;
    struct gw_reserve *early;
    /* h1, server role: a request's head is copied there as it is taken off rx, so that it can be given
     * back. The owner's, who empties it; NULL: it is not kept. */
    struct gw_chain *kept;
};

static inline void gw_stream_tell(const struct gw_codec_owner *owner, struct gw_stream *s,
                                  uint32_t news)
{
    s->news |= news;
    owner->changed(owner->ctx, s);
}

#endif
