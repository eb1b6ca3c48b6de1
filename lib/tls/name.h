/* tls/name.h: is a certificate for the one that was meant? (RFC 6125 6.4, RFC 9525 6.) It knows names
 * alone: who reads certificates gives them. */
#ifndef GW_TLS_NAME_H
#define GW_TLS_NAME_H

#include <gw/env.h>

enum gw_tls_name_kind { GW_TLS_DNS = 1, GW_TLS_IP, GW_TLS_URI, GW_TLS_SUBJECT };
/* One subjectAltName as it stands in the certificate, IP as 4 or 16 bytes; or the subject's common name. */
struct gw_tls_name {
    enum gw_tls_name_kind kind;
    gw_str text;
};

/* Does presented cover expected: a host name (a last dot is not looked at), or an address as text? A
 * wildcard is the whole leftmost label, stands for one label, and has two labels behind it at least. A
 * common name covers nothing. Without regard to case; names with other than letters, digits, '-', '_'
 * and '.' cover nothing. */
bool gw_tls_name_covers(const struct gw_tls_name *presented, gw_str expected);
/* May one with that name come, where pattern allows it: a URI byte for byte (SPIFFE ids), a DNS name or
 * "*.name" as above, but that one label behind it will do and that certificates' own wildcards are no
 * names; an address; or a common name, byte for byte. */
bool gw_tls_name_allows(gw_str pattern, const struct gw_tls_name *presented);
/* As people read it: "a.example", "10.0.0.1", "CN=x"; bytes that are none for a log as '?'. */
struct gw_text;
void gw_tls_name_tell(struct gw_text *text, const struct gw_tls_name *name);

#endif
