/* demo.h: the gateway of "gw demo" and its upstreams, all in this process. */
#ifndef GW_PROGRAM_DEMO_H
#define GW_PROGRAM_DEMO_H

#include "crew.h"

enum { DEMO_UPSTREAMS = 4, DEMO_UPSTREAMS_H1 = 2, DEMO_ADDRESS_MAX = 32 };

struct demo {
    bool has_h2; /* else there are no greeters, and nothing of HTTP/2 */
    struct access_log no_log, log;
    struct crew upstreams; /* an engine and a thread of their own: they only answer     */
    struct crew gateway;
    int fds[DEMO_UPSTREAMS]; /* their listening sockets, until upstreams takes them       */
    int deaf_fd;             /* bound, not listening: a connection there is refused, surely */
    char addresses[DEMO_UPSTREAMS][DEMO_ADDRESS_MAX];
    char deaf_address[DEMO_ADDRESS_MAX];
    char address[DEMO_ADDRESS_MAX]; /* the gateway's */
    uint16_t port;                  /* of it         */
};

/* How many of the upstreams this build can have: the greeters need HTTP/2. */
size_t demo_upstreams(const struct demo *demo);
/* port 0: any. is_logged: the gateway's requests, on standard output. False: it was said what is
 * wrong; demo_close is needed either way. */
bool demo_open(struct demo *demo, uint16_t port, bool is_logged);
/* Sends requests through a demo that runs, and prints how each went. True: all as they must. */
bool demo_check(const struct demo *demo, bool as_json);
void demo_close(struct demo *demo);

#endif
