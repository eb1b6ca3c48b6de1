/* h2/session.h: what the three files of the adapter share (nghttp2.c, receive.c, send.c). Nobody else
 * includes it: the types of the library inside stay in here.
 *
 * Callbacks of the library only record: in the stream, in the lists `touched` (its owner is to be told)
 * and `dirty` (there is something to submit). What is recorded takes effect after the library has
 * returned: owners are told at the end of read and write, and everything is submitted in write. */
#ifndef GW_H2_SESSION_H
#define GW_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "h2/codec.h"
#include "h2/memory.h"
#include "h2/policy.h"

enum {
    GW_H2_CONNECTION_WINDOW = 1 << 20,  /* so large that one slow stream holds up no other */
    GW_H2_QUANTUM = 16384,              /* DATA of a stream before it is the others' turn  */
    GW_H2_SMALL = 1024,                 /* of a body's pieces: copied, when it has a place */
    GW_H2_HEAD_OUT_MAX = 256 * 1024,    /* bytes of a head that is sent                    */
    GW_H2_LOOK_MAX = GW_H2_HEAD_LEN + 5 /* of a frame: what the policy looks at            */
};

struct gw_h2_shared {
    struct gw_heap *heap;
    struct gw_h2_memory memory;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    nghttp2_nv *nva; /* where a head is put together */
    uint32_t nva_room;
};

/* What kind of header block is being received. */
enum gw_h2_block {
    GW_H2_BLOCK_IGNORED, /* decoded and dropped                                          */
    GW_H2_BLOCK_REQUEST,
    GW_H2_BLOCK_RESPONSE, /* informational or final: :status tells                         */
    GW_H2_BLOCK_TRAILERS
};

/* The codec's part of a stream. Lives until the library has closed the stream and the owner has
 * detached it, whichever comes last. */
struct gw_h2_stream {
    struct gw_h2 *h;
    struct gw_stream *s; /* NULL: detached */
    struct gw_list all, dirty, touched;
    uint32_t id;   /* 0: not submitted yet (client) */
    uint32_t news; /* to be told                    */
    /* Receiving. */
    struct gw_message *target; /* of the block's fields; NULL: they are dropped */
    uint64_t body_in;          /* bytes of DATA received                        */
    uint64_t credited;         /* bytes of in_pipe for which credit was given   */
    uint32_t block_bytes;      /* size of the block so far, RFC 9113 6.5.2      */
    uint32_t window;           /* the largest window that we announced          */
    uint16_t block_fault;      /* gw_reason_id                                  */
    uint8_t block;             /* gw_h2_block                                   */
    uint8_t pseudo;            /* bits of pseudo-fields seen in the block       */
    bool has_regular;          /* the block has had a field that is no pseudo-field */
    bool is_info;              /* the block is an informational response            */
    bool has_head_in;          /* the final head has come                       */
    bool has_end_in;           /* END_STREAM has come                           */
    bool is_deaf;              /* what still comes is of no interest            */
    bool has_reset_in;         /* the peer has reset it                         */
    /* Sending. */
    uint32_t infos; /* submitted, not yet sent                          */
    uint32_t turn;  /* bytes of DATA sent in its turn                   */
    uint32_t reset_code;
    bool is_reset_due, is_reset; /* RST_STREAM: to be submitted; submitted     */
    bool is_submitted;           /* the head is                                      */
    bool is_deferred;            /* the library waits for nghttp2_session_resume_data */
    bool is_narrow;              /* the peer's window has room for a few bytes alone  */
    bool are_trailers_due;
    bool is_closed; /* the library knows it no longer                   */
    char status[4];
    char length[GW_U64_TEXT_MAX];
};

struct gw_h2 {
    struct gw_codec base;
    nghttp2_session *session;
    struct gw_h2_shared *shared;
    struct gw_heap *heap;
    struct gw_pool *pool;
    struct gw_codec_owner owner;
    const struct gw_codec_limits *limits;
    struct gw_h2_policy policy;
    gw_nanos now;
    struct gw_list streams, dirty, touched, resting; /* resting: had their turn */
    uint32_t live;         /* streams that the library knows, or will            */
    uint32_t first_window; /* what a stream begins with                          */
    bool is_client;
    bool is_broken; /* the library may not be called any more             */
    /* Receiving. */
    uint8_t head[GW_H2_LOOK_MAX]; /* of a frame that was cut                      */
    uint8_t have;                 /* bytes in head                           */
    uint8_t preface_left;         /* bytes of the client's first             */
    uint32_t left;                /* of the payload                          */
    bool is_dropping;             /* the payload                             */
    bool is_block;                /* the frame is part of a header block     */
    bool is_block_bad;            /* ... which is malformed, whatever it says */
    bool is_heard;                /* the library has said that it took the frame */
    bool is_probing;
    bool has_settings_in, has_goaway_in;
    struct gw_h2_stream *current; /* whose frame it is; NULL: none that lives */
    uint32_t refused;             /* opened by the peer, but not for us      */
    bool is_calm_due;             /* the patience is used up                 */
    struct gw_block *block;       /* what the library is fed from            */
    const uint8_t *fed;
    size_t fed_len;
    size_t credit;  /* of the connection, to be given back     */
    gw_status lost; /* why the connection is over              */
    /* Sending. */
    struct gw_chain *tx;
    size_t mark;
    const uint8_t *unsent;          /* of the library, not yet in tx                      */
    size_t unsent_len, unsent_done; /* of a frame that went in by half: the begin */
    struct gw_chain held;           /* payload that waits for memory for its header       */
    struct gw_h2_stream *held_by;
    struct gw_h2_stream *ending;       /* the frame in unsent ends it                  */
    bool is_short;                     /* of memory, in the middle of a DATA frame           */
    bool is_mid_block;                 /* a header block is in tx but for its last frames    */
    bool has_limit_out;                /* server: SETTINGS_MAX_CONCURRENT_STREAMS is in tx...  */
    bool has_limit_ack;                /* ...and acknowledged                                */
    bool wants_notice, has_notice_out; /* GOAWAY, the first of two, and a PING: its answer comes
                                          after all that was sent before the peer knew        */
    bool wants_goaway, has_goaway_out, is_goaway_sent;
    bool wants_last_words; /* a GOAWAY by hand: the library cannot               */
};

static inline struct gw_h2 *gw_h2_of(struct gw_codec *c)
{
    return (struct gw_h2 *)(void *)c;
}

/* nghttp2.c */
struct gw_h2_stream *gw_h2_stream_new(struct gw_h2 *h) GW_MUST_CHECK;
void gw_h2_stream_attach(struct gw_h2_stream *t, struct gw_stream *s);
void gw_h2_stream_close(
    struct gw_h2_stream *t); /* the library forgot it: ends its own share of life */
void gw_h2_mark_dirty(struct gw_h2_stream *t);
void gw_h2_note(struct gw_h2_stream *t, uint32_t news);
/* Breaks it off in both directions, as seen from its owner, who is told. */
void gw_h2_cut(struct gw_h2_stream *t, enum gw_reason_id fault, bool by_peer);
/* The same for what is received alone: the owner can still answer. */
void gw_h2_cut_in(struct gw_h2_stream *t, enum gw_reason_id fault, bool by_peer);
/* RST_STREAM(code) at the next write; what still comes is passed over. */
void gw_h2_reset(struct gw_h2_stream *t, uint32_t code);
/* A connection error: GOAWAY(code). Not within a callback. */
void gw_h2_terminate(struct gw_h2 *h, enum gw_h2_code code);
/* What was of no use, and may have been once too often: gw_h2_calm, not within a callback, acts on it. */
void gw_h2_blame(struct gw_h2 *h, enum gw_abuse_kind kind);
void gw_h2_calm(struct gw_h2 *h);
/* A reset was submitted for a stream that counts no more: has the peer read those before? */
void gw_h2_bound_queue(struct gw_h2 *h);
/* The library has found one and said so. */
void gw_h2_terminated(struct gw_h2 *h, uint32_t code);
/* The library failed: no memory, or worse. */
void gw_h2_break(struct gw_h2 *h, gw_status why);
enum gw_reason_id gw_h2_peer_fault(const struct gw_h2 *h);
/* Is so much of the window taken that the peer should hear of it? */
static inline bool gw_h2_is_credit_due(const struct gw_h2_stream *t)
{
    return !t->is_deaf && !t->has_end_in && t->id != 0 &&
           t->s->in_pipe->bytes_out - t->credited >= t->window / 2;
}

/* receive.c */
void gw_h2_receive_callbacks(nghttp2_session_callbacks *callbacks);
/* Takes all of rx, unless the connection ends in between. */
void gw_h2_receive(struct gw_h2 *h, struct gw_chain *rx);

/* send.c */
extern const uint8_t gw_h2_notice_ping[8]; /* the bytes of the PING behind the first GOAWAY */
void gw_h2_send_callbacks(nghttp2_session_callbacks *callbacks);
gw_status gw_h2_send(struct gw_h2 *h) GW_MUST_CHECK;
gw_status gw_h2_submit_reset(struct gw_h2_stream *t) GW_MUST_CHECK;

#endif
