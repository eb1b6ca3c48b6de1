/* client.h: a small client for "gw demo --check". Plain sockets, every wait with an end; HTTP/1.1
 * by hand, HTTP/2 with nghttp2. It shares no code with what it checks.
 */
#ifndef GW_PROGRAM_CLIENT_H
#define GW_PROGRAM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLIENT_TIMEOUT_MS = 10000, CLIENT_FIELD_MAX = 64, CLIENT_NONE = -1 };

/* What came back. The caller sets body and body_max; the rest is filled. */
struct answer {
    unsigned char *body;
    size_t body_max, body_len;
    int code;        /* CLIENT_NONE: no response came        */
    int grpc_status; /* CLIENT_NONE: there was none          */
    bool is_whole;   /* it ended as the protocol ends things */
    char upstream[CLIENT_FIELD_MAX];
    uint32_t messages;              /* of gRPC, in the body      */
    char message[CLIENT_FIELD_MAX]; /* the text of the last one */
};

/* A connection to the port of 127.0.0.1; it does not block. -1: errno says why. */
int client_connect(uint16_t port);
uint64_t client_now_ms(void);

/* Sends request, all of it the caller's bytes, and reads n responses. The last must end the
 * connection, so the request has to say "connection: close". */
bool client_h1(uint16_t port, const void *request, size_t len, struct answer *answers, size_t n);

/* One request on a connection of its own. */
struct client_request {
    const char *method, *path;
    bool is_grpc;
    const unsigned char *body;
    size_t body_len;
    size_t pace; /* 0: sends all at once; else: so many bytes, then one message must come back */
};
/* False too if this build has no HTTP/2 client: see client_has_h2. */
bool client_h2(uint16_t port, const struct client_request *request, struct answer *answer);
bool client_has_h2(void);

#endif
