/* tls/hello.h: what a ClientHello says (RFC 8446 4.1.2, RFC 6066 3, RFC 7301), read from the wire before
 * there is a session: which certificate to choose, whom to pass it to. It knows bytes alone. */
#ifndef GW_TLS_HELLO_H
#define GW_TLS_HELLO_H

#include "buf/chain.h"

enum { GW_TLS_HELLO_MAX = 16 * 1024, GW_TLS_NAME_MAX = 253 };

struct gw_tls_hello {
    char name[GW_TLS_NAME_MAX + 1]; /* server_name in lower case, without a last dot; empty: none,
                                       or an address, which is no name (RFC 6066 3) */
    uint8_t name_len;
    bool has_1_2, has_1_3; /* versions it offers that we know                            */
    bool has_alpn, has_h2, has_h1;
    bool has_session_id; /* legacy_session_id is not empty: RFC 8446 D.4           */
    bool can_rsa, can_ecdsa_p256,
        can_ecdsa_p384; /* signatures it can verify; without the extension (1.2
                                     alone): RSA, and ECDSA only by its groups                        */
    size_t len;         /* bytes of the wire that it takes, with record heads         */
};

enum gw_tls_hello_fault {
    GW_TLS_HELLO_WHOLE = 0,
    GW_TLS_HELLO_MORE,    /* so far it may become one                          */
    GW_TLS_HELLO_HTTP,    /* somebody speaks clear HTTP/1 or HTTP/2            */
    GW_TLS_HELLO_NOT_TLS, /* neither                                           */
    GW_TLS_HELLO_OLD,     /* SSL 2 or 3, TLS 1.0 or 1.1: nothing newer offered;
                             what else it says is told, but for SSL 2, whose len is 0 */
    GW_TLS_HELLO_BROKEN, /* its lengths contradict each other, or a name that is none, something twice */
    GW_TLS_HELLO_LONG /* over GW_TLS_HELLO_MAX                             */
};

/* Looks at the first bytes of wire, which keeps them. O(bytes of the hello), however often it is called
 * with more of it; no memory. */
enum gw_tls_hello_fault gw_tls_hello_read(const struct gw_chain *wire, struct gw_tls_hello *out);

#endif
