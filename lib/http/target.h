/* http/target.h: request targets (RFC 9112 3.2) taken apart and made canonical, once: the same bytes
 * are matched, logged and forwarded.
 *
 * Canonical path: begins with "/"; dot segments removed ("." and "..", also written %2e, RFC 3986
 * 5.2.4; ".." above the root is refused); escapes of unreserved characters decoded; other escapes
 * kept, in upper case; nothing else changed (empty segments stay). Refused: malformed escapes, %00,
 * controls, space, bytes over 0x7e, backslash, "#". Making canonical twice is the same as once. */
#ifndef GW_HTTP_TARGET_H
#define GW_HTTP_TARGET_H

#include "http/message.h"
#include "http/reason.h"

/* Fills m's scheme (static "http" where the target does not say), authority (absolute and authority
 * form only), path, query, target from m->method and a request target of HTTP/1 (origin, absolute,
 * authority or asterisk form) or from :path. Views of the arena (a copy only where something
 * changes). GW_REASON_none, or bad_target, or no_memory (GW_ELIMIT counts as head_too_large). */
enum gw_reason_id gw_target_parse(struct gw_message *m, gw_str target);
/* Path alone; out may equal in if nothing changes. */
enum gw_reason_id gw_target_canonical(struct gw_arena *arena, gw_str path, gw_str *out);
/* What may stand behind the "?". */
bool gw_target_is_query(gw_str query);
/* host[:port] or [v6][:port], as RFC 3986 3.2.2 without userinfo, not empty. */
bool gw_authority_is_valid(gw_str authority);
/* The host alone, without port; a view. Compare without regard to case. */
gw_str gw_authority_host(gw_str authority);

#endif
