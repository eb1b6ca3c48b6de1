/* tls/wolfssl_ticket.h: tickets of a server sealed and opened by wolfCrypt. Only files over wolfSSL include
 * it. */
#ifndef GW_TLS_WOLFSSL_TICKET_H
#define GW_TLS_WOLFSSL_TICKET_H

#include "tls/wolfssl.h"

/* What a ticket is good for, and no other use: these settings, this certificate, this name. */
struct gw_wolf_ticket_use {
    struct gw_tickets *tickets;
    const gw_tls *tls;
    uint32_t pair;
    gw_str name; /* that was asked for */
};
/* As wolfSSL's SessionTicketEncCb. */
int gw_wolf_seal_ticket(const struct gw_wolf_ticket_use *use, WOLFSSL *ssl, byte *name, byte *iv,
                        byte *mac, byte *bytes, int len, int *out_len);
int gw_wolf_open_ticket(const struct gw_wolf_ticket_use *use, WOLFSSL *ssl, const byte *name,
                        const byte *iv, const byte *mac, byte *bytes, int len, int *out_len);
/* The host's secrets of spec made keys of tls. GW_ENOMEM. */
gw_status gw_wolf_take_ticket_keys(gw_tls *tls, const gw_tls_spec *spec) GW_MUST_CHECK;

#endif
