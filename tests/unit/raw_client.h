/* unit/raw_client.h: a client of wolfSSL that is not ours: TLS 1.2, and sessions of it are resumed. */
#ifndef UNIT_RAW_CLIENT_H
#define UNIT_RAW_CLIENT_H

#include <stdbool.h>

struct raw_wire {
    int (*take)(void *ctx, char *buf, int len); /* 0: nothing is there */
    void (*give)(void *ctx, const char *buf, int len);
    void (*turn)(void *ctx); /* the server's */
    void *ctx;
};
/* Shakes hands; session, NULL at first, is offered, and becomes that of this time. */
/* Asks for an OCSP response, and leaves it to the test to look at the wire, where TLS 1.2 shows it. */
void raw_ask_status(const struct raw_wire *wire);
bool raw_connect(const struct raw_wire *wire, void **session);
void raw_drop(void **session);

#endif
