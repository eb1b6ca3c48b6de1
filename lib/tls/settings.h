/* tls/settings.h: what gw_tls_new has taken in: checked, copied, and made ready by the provider. */
#ifndef GW_TLS_SETTINGS_H
#define GW_TLS_SETTINGS_H

#include <stdatomic.h>

#include <gw/tls.h>

#include "base/store.h"
#include "tls/hello.h"
#include "tls/name.h"
#include "tls/tickets.h"

enum { GW_TICKET_KEYS_MAX = 8, GW_TICKET_KEY_MIN = 48, GW_TICKET_KEY_MAX = 80 };
enum { GW_TLS_CERTIFICATES_MAX = 256, GW_TLS_PEERS_MAX = 64 };

/* What a client must be able to verify, for a certificate to be of use to it. */
enum gw_tls_key_kind { GW_TLS_KEY_RSA = 1, GW_TLS_KEY_P256, GW_TLS_KEY_P384 };

struct gw_tls_pair {
    enum gw_tls_key_kind kind;
    const struct gw_tls_name *names; /* its subjectAltNames */
    size_t names_len;
    void *native; /* the provider's */
    /* What is sent to who asks, until then (seconds of 1970); the provider's, with it; NULL: none. */
    gw_str staple;
    uint64_t staple_until;
    void *stapled;
};

struct gw_tls {
    atomic_uint refs;
    struct gw_heap heap; /* of who made it and who freed it last: never of a worker */
    struct gw_store store;
    uint32_t role, verify, version_min, version_max, flags; /* none is 0 but the flags */
    uint64_t ticket_life;                                   /* seconds */
    struct gw_tls_pair *pairs;
    uint32_t pairs_len;
    gw_str server_name;
    gw_str *peers;
    size_t peers_len;
    bool is_open; /* by the provider */
    /* The host's, made by the provider; none: the engine's. */
    struct gw_ticket_key *ticket_keys;
    uint32_t ticket_keys_len;
    uint64_t id[2];        /* of all that was said: the same, whoever says it and whenever */
    uint64_t ticket_id[2]; /* likewise, but for staples and ticket_keys: tickets outlive those */
    void *native;          /* the provider's: a client's context */
};

/* A server's certificate for that client; NULL: it can verify none of them. */
const struct gw_tls_pair *gw_tls_choose(const struct gw_tls *tls, const struct gw_tls_hello *hello);

#endif
