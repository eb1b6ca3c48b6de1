/* h2/policy.h: what a peer may send, frame by frame: the rules of RFC 9113 about frames and the states
 * of streams, and what of the legal ones is only work for us (http/abuse.h). Looks at nothing but frame
 * headers and time; knows neither the library inside nor the streams' owners. */
#ifndef GW_H2_POLICY_H
#define GW_H2_POLICY_H

#include <gw/env.h>

#include "http/abuse.h"
#include "http/reason.h"

enum {
    GW_H2_HEAD_LEN = 9,
    GW_H2_FRAME_MAX = 16384, /* payload: we announce no other SETTINGS_MAX_FRAME_SIZE         */
    GW_H2_SETTINGS_MAX = 32, /* entries in a SETTINGS                                         */
    GW_H2_CONTINUATIONS_MAX = 32,
    GW_H2_ACKS_MAX = 1000,  /* answers to PING and SETTINGS that wait to be written         */
    GW_H2_QUEUE_MAX = 4000, /* frames of any kind that wait, when one more stream is reset  */
    GW_H2_HISTORY = 256     /* streams of the past that are remembered                       */
};

enum gw_h2_type {
    GW_H2_DATA = 0,
    GW_H2_HEADERS = 1,
    GW_H2_PRIORITY = 2,
    GW_H2_RST_STREAM = 3,
    GW_H2_SETTINGS = 4,
    GW_H2_PUSH_PROMISE = 5,
    GW_H2_PING = 6,
    GW_H2_GOAWAY = 7,
    GW_H2_WINDOW_UPDATE = 8,
    GW_H2_CONTINUATION = 9
};
enum gw_h2_flag {
    GW_H2_ACK = 1, /* SETTINGS, PING */
    GW_H2_END_STREAM = 1,
    GW_H2_END_HEADERS = 4,
    GW_H2_PADDED = 8,
    GW_H2_HAS_PRIORITY = 32
};

struct gw_h2_policy {
    bool is_client;         /* we are                                                        */
    bool has_settings;      /* the peer's first frame has come                               */
    bool is_closing;        /* the last GOAWAY has gone out: new streams are passed over     */
    uint32_t last;          /* highest id that a stream was opened with: by a client         */
    uint32_t block_id;      /* the header block in progress is this stream's; 0: none        */
    uint32_t continuations; /* of that block                                                 */
    uint32_t acks_owed;     /* the adapter takes down what was written                       */
    struct gw_abuse *abuse; /* of the connection                                             */
    /* Of the last GW_H2_HISTORY possible ids, a bit each: was there such a stream; did we end it, so
     * that frames which crossed our end must be passed over (RFC 9113 5.1)? */
    uint8_t opened[GW_H2_HISTORY / 8], forgiven[GW_H2_HISTORY / 8];
};

/* A frame's header, and what the adapter knows of the stream it names. */
struct gw_h2_frame {
    uint32_t length, id;
    uint8_t type, flags;
    uint32_t word;       /* WINDOW_UPDATE: its payload; PRIORITY, HEADERS: the dependency */
    bool is_live;        /* the stream is open or half closed                            */
    bool is_half_closed; /* by the peer's END_STREAM                                     */
    bool is_reset;       /* by us: the peer may not know yet                             */
    bool is_early;       /* the head that must come first has not                        */
    bool is_answered;    /* RST_STREAM: our head is out                                  */
    uint32_t window, connection_window; /* DATA: what the peer may send                  */
};

enum gw_h2_action {
    GW_H2_PASS,       /* to the library                                              */
    GW_H2_DROP,       /* read past the payload                                       */
    GW_H2_RESET_PASS, /* a stream error with code; the library must see it all the same */
    GW_H2_RESET_DROP, /* a stream error with code; read past the payload              */
    GW_H2_CLOSE_PASS, /* a stream error with code; to the library, once it has forgotten the stream */
    GW_H2_FAULT_PASS, /* to the library without its dependency; the message is malformed            */
    GW_H2_FATAL       /* a connection error with code                                 */
};
struct gw_h2_verdict {
    uint8_t action; /* gw_h2_action */
    uint8_t code;   /* gw_h2_code   */
};

void gw_h2_policy_init(struct gw_h2_policy *p, bool is_client, struct gw_abuse *abuse);
struct gw_h2_frame gw_h2_frame_parse(const uint8_t *head);
struct gw_h2_verdict gw_h2_policy_frame(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                        gw_nanos now) GW_MUST_CHECK;
/* A stream of that id was opened by its client. Ids grow. */
void gw_h2_policy_opened(struct gw_h2_policy *p, uint32_t id);
/* We ended that stream: what still comes for it is passed over. */
void gw_h2_policy_forgive(struct gw_h2_policy *p, uint32_t id);

#endif
