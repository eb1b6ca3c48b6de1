/* fuzz/fuzz_target.c: request targets. The first byte picks the method, the rest is the target.
 * What is accepted is canonical by the plain rules below, and canonical twice is the same as once. */

#include "fuzz.h"

#include "http/target.h"

/* The definition, read off the header, without cleverness. */
static void check_canonical(gw_str path)
{
    CHECK(path.len > 0 && path.ptr[0] == '/');
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        CHECK(c > 0x20 && c < 0x7f && c != '\\' && c != '#');
        if (c == '%') {
            CHECK(path.len - i >= 3);
            gw_str hex = gw_str_slice(path, i + 1, i + 3);
            uint64_t n = 0;
            CHECK(hex_number(hex, &n) && n != 0);
            for (int k = 0; k < 2; k++)
                CHECK(hex.ptr[k] < 'a');
            bool is_plain = (n >= '0' && n <= '9') || (n >= 'A' && n <= 'Z') ||
                            (n >= 'a' && n <= 'z') || n == '-' || n == '.' || n == '_' || n == '~';
            CHECK(!is_plain);
        }
    }
    for (gw_str rest = path; rest.len > 0;) {
        rest = gw_str_slice(rest, 1, rest.len);
        gw_str segment = gw_str_slice(rest, 0, gw_str_find(rest, '/'));
        CHECK(!gw_str_eq(segment, GW_STR(".")) && !gw_str_eq(segment, GW_STR("..")));
        rest = gw_str_slice(rest, segment.len, rest.len);
    }
}

static void check_authority(gw_str authority)
{
    if (!gw_authority_is_valid(authority))
        return;
    gw_str host = gw_authority_host(authority);
    CHECK(host.len > 0 && host.ptr == authority.ptr && host.len <= authority.len);
    CHECK(host.len == authority.len || authority.ptr[host.len] == ':');
    CHECK(gw_str_find(authority, '@') == authority.len);
    CHECK(gw_str_find(authority, '/') == authority.len);
    CHECK(gw_authority_is_valid(host));
}

static void check_path(gw_str path)
{
    char memory[8192], again_memory[8192];
    struct gw_arena arena, again_arena;
    gw_str once, twice;
    if (path.len > sizeof memory - 16)
        return;
    gw_arena_init(&arena, memory, sizeof memory, NULL, SIZE_MAX);
    gw_arena_init(&again_arena, again_memory, sizeof again_memory, NULL, SIZE_MAX);
    if (gw_target_canonical(&arena, path, &once) == GW_REASON_none) {
        CHECK(once.len <= path.len);
        check_canonical(once);
        CHECK(gw_target_canonical(&again_arena, once, &twice) == GW_REASON_none);
        CHECK(gw_str_eq(once, twice));
    }
    gw_arena_fini(&again_arena);
    gw_arena_fini(&arena);
}

static enum gw_reason_id parse(struct gw_message *m, struct gw_arena *arena, uint8_t method,
                               gw_str target)
{
    gw_message_init(m, GW_MESSAGE_REQUEST, arena, 10);
    m->method = method;
    return gw_target_parse(m, target);
}

/* What was understood, said again in its plain form, is understood the same. */
static void check_parse(uint8_t method, gw_str target)
{
    char memory[8192], again_memory[16384], text[16384];
    struct gw_arena arena, again_arena;
    struct gw_message m, again;
    if (target.len > 4096)
        return;
    gw_arena_init(&arena, memory, sizeof memory, NULL, SIZE_MAX);
    gw_arena_init(&again_arena, again_memory, sizeof again_memory, NULL, SIZE_MAX);
    if (parse(&m, &arena, method, target) == GW_REASON_none) {
        CHECK(gw_str_eq(m.target, target));
        CHECK(m.authority.len == 0 || gw_authority_is_valid(m.authority));
        if (method == GW_METHOD_CONNECT) {
            CHECK(m.path.len == 0 && m.authority.len > 0 && m.query.ptr == NULL);
        } else if (!gw_str_eq(m.path, GW_STR("*"))) {
            check_canonical(m.path);
            struct gw_text t;
            gw_text_init(&t, text, sizeof text);
            gw_text_str(&t, m.path);
            if (m.query.ptr != NULL) {
                gw_text_cstr(&t, "?");
                gw_text_str(&t, m.query);
            }
            gw_str plain = { text, (size_t)(t.at - t.start) };
            CHECK(parse(&again, &again_arena, method, plain) == GW_REASON_none);
            CHECK(gw_str_eq(again.path, m.path) && gw_str_eq(again.query, m.query));
            CHECK((again.query.ptr == NULL) == (m.query.ptr == NULL));
        } else {
            CHECK(method == GW_METHOD_OPTIONS);
        }
    }
    gw_arena_fini(&again_arena);
    gw_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fuzz_input in = { bytes, len };
    uint8_t method = fuzz_byte(&in) % (GW_METHOD_PATCH + 1);
    check_path(fuzz_rest(&in));
    check_authority(fuzz_rest(&in));
    check_parse(method, fuzz_rest(&in));
    return 0;
}
