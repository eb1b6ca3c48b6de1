/* config/value.c: what a name, an address, a host, a path, a method and a reply may be. */

#include "config/value.h"

#include "base/arena.h"
#include "base/prefix.h"
#include "http/check.h"
#include "http/target.h"
#include "http/via.h"

static bool is_name(gw_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\')
            return false;
    }
    return true;
}

void gw_value_name(const struct gw_part *part, gw_str name, size_t max)
{
    if (name.len == 0)
        gw_fault_add(part, "name", GW_EINVAL, "a name is needed");
    else if (name.len > max)
        gw_fault_add_value(part, "name", name, "the name is too long");
    else if (!is_name(name))
        gw_fault_add_value(part, "name", name,
                           "a name is printable ASCII without spaces, quotes and backslashes");
}

/* false: a fault was added. */
static bool parse_address(const struct gw_part *part, gw_str address, gw_address *out)
{
    if (address.len > GW_ADDRESS_MAX) {
        gw_fault_add_value(part, "address", address, "the address is too long");
        return false;
    }
    if (gw_address_parse(address, out) == GW_OK)
        return true;
    gw_fault_add_value(part, "address", address,
                       "not an address; it is 10.0.0.1:80, [::1]:80, unix:/run/x or name:80");
    return false;
}

void gw_value_listener_address(const struct gw_part *part, gw_str address)
{
    gw_address parsed = { .kind = 0 };
    if (address.len == 0 || !parse_address(part, address, &parsed))
        return;
    if (parsed.kind == GW_ADDRESS_NAME)
        gw_fault_add_value(part, "address", address,
                           "a listener needs a numeric address or unix:, not a name");
}

void gw_value_endpoint_address(const struct gw_part *part, gw_str address)
{
    gw_address parsed = { .kind = 0 };
    if (address.len == 0) {
        gw_fault_add(part, "address", GW_EINVAL, "an address is needed");
        return;
    }
    if (!parse_address(part, address, &parsed))
        return;
    if (parsed.kind != GW_ADDRESS_UNIX && parsed.port == 0)
        gw_fault_add_value(part, "address", address, "nobody can be reached at port 0");
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* Labels of letters, digits, hyphens and underscores, none of them empty. */
static bool is_host(gw_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        bool is_dot = host.ptr[i] == '.';
        if (!is_host_char(host.ptr[i]))
            return false;
        if (is_dot && (i == 0 || i + 1 == host.len || host.ptr[i - 1] == '.'))
            return false;
    }
    return host.len > 0;
}

void gw_value_host(const struct gw_part *part, gw_str host)
{
    if (host.len == 0)
        return;
    bool is_suffix = gw_str_starts(host, GW_STR("*."));
    bool is_literal = host.ptr[0] == '[';
    gw_str rest = is_suffix ? gw_str_slice(host, 2, host.len) : host;
    if (host.len > GW_HOST_MAX)
        gw_fault_add_value(part, "host", host, "the host is too long");
    else if (gw_str_eq(host, GW_STR("*")))
        gw_fault_add_value(part, "host", host, "leave the host out to match any");
    else if (!is_literal && gw_str_find(host, ':') < host.len)
        gw_fault_add_value(part, "host", host, "a host is written without its port");
    else if (is_literal ? !gw_authority_is_valid(host) || host.ptr[host.len - 1] != ']'
                        : !is_host(rest))
        gw_fault_add_value(part, "host", host, "not a host; it is a.example, *.example or [::1]");
}

/* GW_REASON_none and the canonical form, in memory of the builder that the caller gives back. */
static void check_canonical(const struct gw_part *part, gw_str path, struct gw_arena *arena)
{
    gw_str canonical = { NULL, 0 };
    enum gw_reason_id reason = gw_target_canonical(arena, path, &canonical);
    if (reason == GW_REASON_no_memory) {
        part->builder->has_no_memory = true;
    } else if (reason != GW_REASON_none) {
        gw_fault_add_value(part, "path", path, "no request can have such a path");
    } else if (!gw_str_eq(path, canonical)) {
        struct gw_text text = gw_fault_begin(part, "path", GW_EINVAL);
        gw_text_cstr(&text, "requests are matched in canonical form; write \"");
        gw_text_quoted(&text, canonical);
        gw_text_cstr(&text, "\"");
    }
}

void gw_value_path(const struct gw_part *part, gw_str path)
{
    if (path.len > GW_PATH_MAX) {
        gw_fault_add_value(part, "path", path, "the path is too long");
    } else if (path.ptr[0] != '/') {
        gw_fault_add_value(part, "path", path, "a path begins with \"/\"");
    } else if (gw_str_find(path, '?') < path.len) {
        gw_fault_add_value(part, "path", path, "a path is matched without its query");
    } else {
        struct gw_heap *heap = &part->builder->config->heap;
        struct gw_arena arena;
        size_t room = (2 * path.len + 64) / 16 * 16;
        void *first = gw_heap_alloc(heap, room);
        if (first == NULL) {
            part->builder->has_no_memory = true;
            return;
        }
        gw_arena_init(&arena, first, room, NULL, room);
        check_canonical(part, path, &arena);
        gw_arena_fini(&arena);
        gw_heap_release(heap, first, room);
    }
}

static bool is_repeated(const gw_str *list, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (gw_str_eq(list[k], list[i]))
            return true;
    return false;
}

/* Methods are told apart by case, so "get" would match nothing that anybody sends. */
static bool is_known_but_for_case(gw_str method)
{
    char upper[8];
    if (method.len > sizeof upper || gw_method_of(method) != GW_METHOD_OTHER)
        return false;
    for (size_t i = 0; i < method.len; i++)
        upper[i] = method.ptr[i] >= 'a' && method.ptr[i] <= 'z' ? (char)(method.ptr[i] - 32)
                                                                : method.ptr[i];
    return gw_method_of((gw_str){ upper, method.len }) != GW_METHOD_OTHER;
}

void gw_value_method(const struct gw_part *part, const gw_str *methods, size_t i,
                     bool takes_connect)
{
    char field[GW_ELEMENT_MAX];
    gw_str method = methods[i];
    gw_fault_element(field, "methods", i, "");
    if (method.len > GW_TOKEN_MAX || !gw_is_token(method))
        gw_fault_add_value(part, field, method, "not a method");
    else if (is_known_but_for_case(method))
        gw_fault_add_value(part, field, method, "methods are written in upper case");
    else if (is_repeated(methods, i))
        gw_fault_add_value(part, field, method, "the method is there twice");
    else if (!takes_connect && gw_str_eq(method, GW_STR("CONNECT")))
        gw_fault_add_value(part, field, method, "the route must take CONNECT by its own flag");
}

void gw_value_upgrade(const struct gw_part *part, const gw_str *upgrades, size_t i)
{
    char field[GW_ELEMENT_MAX];
    gw_str token = upgrades[i];
    gw_fault_element(field, "upgrades", i, "");
    if (token.len > GW_TOKEN_MAX || !gw_is_token(token))
        gw_fault_add_value(part, field, token, "not an Upgrade token");
    else if (gw_str_eq(token, GW_STR("h2c")))
        gw_fault_add_value(part, field, token, "it is never forwarded");
    else if (is_repeated(upgrades, i))
        gw_fault_add_value(part, field, token, "the token is there twice");
}

void gw_value_trusted(const struct gw_part *part, const gw_str *trusted, size_t i)
{
    char field[GW_ELEMENT_MAX];
    struct gw_prefix prefix;
    gw_fault_element(field, "trusted", i, "");
    if (gw_prefix_parse(trusted[i], &prefix) != GW_OK)
        gw_fault_add_value(part, field, trusted[i],
                           "not addresses; it is 10.0.0.0/8, 2001:db8::/32, one address, or unix");
    else if (is_repeated(trusted, i))
        gw_fault_add_value(part, field, trusted[i], "it is there twice");
}

void gw_value_via(const struct gw_part *part, gw_str via, bool is_off)
{
    if (is_off)
        gw_fault_add(part, "via", GW_EINVAL, "the flag says that no Via is sent");
    else if (via.len > GW_VIA_NAME_MAX || !gw_is_token(via))
        gw_fault_add_value(
            part, "via", via,
            "a name in Via is a token of at most 64 bytes: a host name, or any other");
}

static bool code_has_body(uint32_t code)
{
    return code != 204 && code != 205 && code != 304;
}

void gw_value_reply(const struct gw_part *part, const struct gw_value_reply *r)
{
    if (r->code == 0) {
        if (r->type.len > 0)
            gw_fault_add(part, r->type_field, GW_EINVAL, "only what answers by itself has one");
        if (r->body.len > 0)
            gw_fault_add(part, r->body_field, GW_EINVAL, "only what answers by itself has one");
        return;
    }
    if (r->code < 200 || r->code > 599)
        gw_fault_add(part, r->code_field, GW_EINVAL, "it is from 200 to 599");
    if (r->type.len > GW_REPLY_TYPE_MAX || (r->type.len > 0 && !gw_is_field_value(r->type)))
        gw_fault_add(part, r->type_field, GW_EINVAL, "not the value of a header field");
    if (r->body.len > GW_REPLY_BODY_MAX)
        gw_fault_add(part, r->body_field, GW_EINVAL, "it is longer than 65,536 bytes");
    if (r->body.len > 0 && !code_has_body(r->code))
        gw_fault_add(part, r->body_field, GW_EINVAL, "a response with this code has no body");
}
