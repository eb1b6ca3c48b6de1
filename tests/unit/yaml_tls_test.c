/* The key tls of listeners and clusters: what a file says is what C says; files come from the host, are
 * bounded, and leave nothing behind; all else is refused at its place, by the file's name. */

#include <stdio.h>

#include <gw/tls.h>
#include <gw/version.h>
#include <gw/yaml.h>

#include "alloc.h"
#include "base/text.h"
#include "check_main.h"
#include "config/snapshot.h"
#include "tls/settings.h"

enum { MEBI = 1 << 20 };

/* --- files --- */

static gw_str slurp(const char *name)
{
    static struct {
        char name[32];
        char bytes[8192];
        size_t len;
    } known[32];
    char path[512];
    size_t i = 0;
    while (known[i].name[0] != '\0' && strcmp(known[i].name, name) != 0)
        i++;
    ck_assert_uint_lt(i, 31);
    if (known[i].name[0] == '\0' && strncmp(name, "ticket-", 7) == 0) {
        known[i].len = 64; /* no file, but a secret of any kind */
        memset(known[i].bytes, name[7], known[i].len);
        snprintf(known[i].name, sizeof known[i].name, "%s", name);
    } else if (known[i].name[0] == '\0') {
        snprintf(path, sizeof path, "%s/../certs/%s", UNIT_SOURCE, name);
        FILE *file = fopen(path, "rb");
        if (file == NULL)
            return (gw_str){ NULL, 0 };
        known[i].len = fread(known[i].bytes, 1, sizeof known[i].bytes, file);
        fclose(file);
        ck_assert_uint_lt(known[i].len, sizeof known[i].bytes);
        snprintf(known[i].name, sizeof known[i].name, "%s", name);
    }
    return (gw_str){ known[i].bytes, known[i].len };
}

/* "large", "limit" and "empty" are files of that size; "broken" fails without a reason. */
static gw_status read_file(void *ctx, gw_str path, char *out, size_t room, size_t *len, char *why)
{
    char name[64];
    int *reads = ctx;
    ck_assert_uint_lt(path.len, sizeof name);
    ck_assert_uint_eq(room, MEBI);
    if (reads != NULL)
        ++*reads;
    if (gw_str_eq(path, GW_STR("broken")))
        return GW_EIO;
    if (gw_str_eq(path, GW_STR("large")))
        return GW_ELIMIT;
    *len = gw_str_eq(path, GW_STR("limit")) ? room : 0;
    memset(out, 'x', *len);
    if (*len > 0 || gw_str_eq(path, GW_STR("empty")))
        return GW_OK;
    snprintf(name, sizeof name, "%.*s", (int)path.len, path.ptr);
    gw_str text = slurp(name);
    if (text.ptr == NULL) {
        snprintf(why, GW_YAML_WHY_MAX, "No such file");
        return GW_EUNKNOWN;
    }
    memcpy(out, text.ptr, text.len);
    *len = text.len;
    return GW_OK;
}

static gw_status load(const gw_env *env, const char *text, gw_config **out, gw_yaml_error *err)
{
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    settings.read = read_file;
    *err = GW_SPEC(gw_yaml_error);
    return gw_yaml_load(env, gw_cstr(text), NULL, NULL, &settings, NULL, out, err);
}

/* --- the same in a file and in C --- */

struct both {
    const char *listener, *cluster; /* what tls says */
    gw_tls_spec server, client;
    gw_tls_certificate pairs[2], own;
    gw_str peers[2], keys[2];
};

#define PAIR "{ cert: a-p256.crt, key: a-p256.key }"
#define ONE "certificates: [ " PAIR " ]"

static gw_tls_certificate pair(const char *chain, const char *key)
{
    gw_tls_certificate out = GW_SPEC(gw_tls_certificate);
    out.chain = slurp(chain);
    out.key = slurp(key);
    return out;
}

static void both_init(struct both *b)
{
    memset(b, 0, sizeof *b);
    b->listener = ONE;
    b->cluster = "ca: root.crt";
    b->server = GW_SPEC(gw_tls_spec);
    b->client = GW_SPEC(gw_tls_spec);
    b->server.role = GW_TLS_SERVER;
    b->client.role = GW_TLS_CLIENT;
    b->pairs[0] = pair("a-p256.crt", "a-p256.key");
    b->server.certificates = b->pairs;
    b->server.certificates_len = 1;
    b->client.trust = slurp("root.crt");
}

#define TRUSTING (b->server.verify = GW_VERIFY_REQUIRE, b->server.trust = slurp("root.crt"))
#define OWN                                                                                        \
    (b->own = pair("client-dns.crt", "client-dns.key"), b->client.certificates = &b->own,          \
     b->client.certificates_len = 1)

/* X(in the file, in C) */
#define FIELDS(X)                                                                                  \
    X(b->listener = "certificates: [ " PAIR ", { cert: wild.crt, key: wild.key } ]",               \
      (b->pairs[1] = pair("wild.crt", "wild.key"), b->server.certificates_len = 2))                \
    X(b->listener = "certificates: [ { cert: a-p256.crt, key: a-p256-sec1.key } ]",                \
      b->pairs[0] = pair("a-p256.crt", "a-p256-sec1.key"))                                         \
    X(b->listener = "certificates: [ { cert: a-rsa.crt, key: a-rsa-pkcs1.key } ]",                 \
      b->pairs[0] = pair("a-rsa.crt", "a-rsa-pkcs1.key"))                                          \
    X(b->listener = "certificates: [ { cert: a-p256.crt, key: a-p256.key, "                        \
                    "staple: a-p256-good.der } ]",                                                 \
      b->pairs[0].staple = slurp("a-p256-good.der"))                                               \
    X(b->listener = ONE ", client: { ca: root.crt }", TRUSTING)                                    \
    X(b->listener = ONE ", client: { verify: require, ca: stranger.crt }",                         \
      (TRUSTING, b->server.trust = slurp("stranger.crt")))                                         \
    X(b->listener = ONE ", client: { verify: if_given, ca: root.crt }",                            \
      (TRUSTING, b->server.verify = GW_VERIFY_IF_GIVEN))                                           \
    X(b->listener = ONE ", client: { ca: root.crt, crl: root.crl }",                               \
      (TRUSTING, b->server.revoked = slurp("root.crl")))                                           \
    X(b->listener = ONE ", client: { ca: root.crt, names: [ \"spiffe://d/x\", \"*.a.test\" ] }",   \
      (TRUSTING, b->peers[0] = GW_STR("spiffe://d/x"), b->peers[1] = GW_STR("*.a.test"),           \
       b->server.peers = b->peers, b->server.peers_len = 2))                                       \
    X(b->listener = ONE ", versions: { min: \"1.3\" }", b->server.version_min = GW_TLS_1_3)        \
    X(b->listener = ONE ", versions: { max: 1.2 }", b->server.version_max = GW_TLS_1_2)            \
    X(b->listener = ONE ", tickets: off", b->server.flags = GW_TLS_NO_TICKETS)                     \
    X(b->listener = ONE ", tickets: { life: 2h }", b->server.ticket_life_ms = 7200000)             \
    X(b->listener = ONE ", tickets: { keys: [ ticket-1.key, ticket-2.key ] }",                     \
      (b->keys[0] = slurp("ticket-1.key"), b->keys[1] = slurp("ticket-2.key"),                     \
       b->server.ticket_keys = b->keys, b->server.ticket_keys_len = 2))                            \
    X(b->cluster = "ca: stranger.crt", b->client.trust = slurp("stranger.crt"))                    \
    X(b->cluster = "verify: off",                                                                  \
      (b->client.trust = GW_STR(""), b->client.verify = GW_VERIFY_NOT))                            \
    X(b->cluster = "ca: root.crt, crl: root.crl", b->client.revoked = slurp("root.crl"))           \
    X(b->cluster = "ca: root.crt, server_name: b.test", b->client.server_name = GW_STR("b.test"))  \
    X(b->cluster = "ca: root.crt, cert: client-dns.crt, key: client-dns.key", OWN)                 \
    X(b->cluster = "ca: root.crt, versions: { min: 1.3, max: 1.3 }",                               \
      (b->client.version_min = GW_TLS_1_3, b->client.version_max = GW_TLS_1_3))                    \
    X(b->cluster = "ca: root.crt, tickets: off", b->client.flags = GW_TLS_NO_TICKETS)              \
    X(b->cluster = "ca: root.crt, tickets: { life: 1s }", b->client.ticket_life_ms = 1000)

/* What no row has: size, mark, role; and system roots, which a machine need not have. */
#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(gw_tls_spec) == 128, "a field without a row");
_Static_assert(sizeof(gw_tls_certificate) == 56, "a field without a row");
#endif

static int set_field(struct both *b, int row)
{
    int at = 0;
#define SET(file, c)                                                                               \
    if (row == at++) {                                                                             \
        (void)(file);                                                                              \
        (void)(c);                                                                                 \
    }
    FIELDS(SET)
#undef SET
    return at;
}

struct ids {
    uint64_t listener[2], cluster[2];
};

static struct ids ids_of_file(const struct both *b)
{
    char text[1024];
    struct ids ids;
    gw_yaml_error err;
    gw_config *config = NULL;
    snprintf(text, sizeof text,
             "listeners: [ { name: e, address: \"127.0.0.1:443\", tls: { %s } } ]\n"
             "clusters: [ { name: c, endpoints: [ { address: \"127.0.0.1:443\" } ],\n"
             "  tls: { %s } } ]\n",
             b->listener, b->cluster);
    ck_assert_msg(load(NULL, text, &config, &err) == GW_OK, "%u:%u: %s: %s in\n%s", err.line,
                  err.column, err.where, err.text, text);
    memcpy(ids.listener, config->listeners[0].tls->id, sizeof ids.listener);
    memcpy(ids.cluster, config->clusters[0].tls->id, sizeof ids.cluster);
    gw_config_unref(config);
    return ids;
}

static void id_of_spec(const gw_tls_spec *spec, uint64_t out[2])
{
    gw_tls *tls = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    ck_assert_msg(gw_tls_new(NULL, spec, &tls, &err) == GW_OK, "%s: %s", err.where, err.text);
    memcpy(out, tls->id, sizeof tls->id);
    gw_tls_unref(tls);
}

START_TEST(a_file_says_what_c_says)
{
    static struct both b;
    struct ids plain, file, c;
    both_init(&b);
    plain = ids_of_file(&b);
    int rows = set_field(&b, -1);
    for (int row = 0; row < rows; row++) {
        both_init(&b);
        set_field(&b, row);
        file = ids_of_file(&b);
        id_of_spec(&b.server, c.listener);
        id_of_spec(&b.client, c.cluster);
        ck_assert_msg(memcmp(&file, &c, sizeof c) == 0, "row %d: %s; %s", row, b.listener,
                      b.cluster);
        ck_assert_msg(memcmp(&file, &plain, sizeof c) != 0, "row %d changes nothing", row);
    }
}
END_TEST

/* --- what is refused --- */

#define L "listeners:\n- name: e\n  address: \"127.0.0.1:443\"\n  tls: { "
#define C "clusters:\n- name: c\n  endpoints: [ { address: \"127.0.0.1:443\" } ]\n  tls: { "

static const struct refusal {
    const char *file;
    uint32_t line, column;
    const char *where, *text;
} refusals[] = {
    /* files */
    { L "certificates: [ { cert: no.crt, key: a-p256.key } ] } \n", 4, 34,
      "listeners[0].tls.certificates[0].cert", "cannot read no.crt: No such file" },
    { L "certificates: [ " PAIR ", { cert: wild.crt, key: no.key } ] }\n", 4, 88,
      "listeners[0].tls.certificates[1].key", "cannot read no.key: No such file" },
    { L ONE ", client: { ca: broken } }\n", 4, 81, "listeners[0].tls.client.ca",
      "cannot read broken: " },
    { C "ca: large }\n", 4, 14, "clusters[0].tls.ca", "large is larger than 1 MiB" },
    { C "ca: empty }\n", 4, 14, "clusters[0].tls.ca", "empty is empty" },
    { C "ca: limit }\n", 4, 14, "clusters[0].tls.ca", "limit: " },
    { C "ca: \"a\\0b\" }\n", 4, 14, "clusters[0].tls.ca", "a path holds no zero byte" },
    /* keys */
    { C "trust: root.crt }\n", 4, 10, "clusters[0].tls.trust", "there is no key \"trust\" here" },
    { L "certificate: x }\n", 4, 10, "listeners[0].tls.certificate",
      "did you mean \"certificates\"?" },
    { L "certificates: [ { chain: x } ] }\n", 4, 28, "listeners[0].tls.certificates[0].chain",
      "there is no key \"chain\" here" },
    { L "certificates: [ { cert: a-p256.crt, key: a-p256.key, staple: a-p256-old.der } ] }\n", 4,
      71, "listeners[0].tls.certificates[0].staple", "a-p256-old.der: it is not an OCSP response" },
    { L "certificates: [ { cert: a-p256.crt } ] }\n", 4, 26, "listeners[0].tls.certificates[0]",
      "a certificate needs cert and key" },
    { L "certificates: [] }\n", 4, 24, "listeners[0].tls.certificates",
      "a list of certificates is needed" },
    { L "certificates: root.crt }\n", 4, 24, "listeners[0].tls.certificates",
      "a list of certificates is needed" },
    { L "tickets: off }\n", 4, 8, "listeners[0].tls", "a list of certificates is needed" },
    { L ONE ", client: { verify: off } }\n", 4, 85, "listeners[0].tls.client.verify",
      "\"off\" is none of require if_given" },
    { L ONE ", client: { verify: require } }\n", 4, 75, "listeners[0].tls.client.ca",
      "who may have signed them?" },
    { L ONE ", client: {} }\n", 4, 75, "listeners[0].tls.client.ca", "who may have signed them?" },
    { L ONE ", client: { ca: root.crt, names: [] } }\n", 4, 98, "listeners[0].tls.client.names",
      "the list is empty" },
    { L ONE ", client: { ca: root.crt, names: [ a, \"\" ] } }\n", 4, 103,
      "listeners[0].tls.client.names[1]", "1 to 253 visible bytes" },
    { L ONE ", versions: { min: 1.1 } }\n", 4, 84, "listeners[0].tls.versions.min",
      "There are 1.2 1.3" },
    { L ONE ", versions: { min: 1.3, max: 1.2 } }\n", 4, 94, "listeners[0].tls.versions.max",
      "it is below version_min" },
    { L ONE ", tickets: 1 }\n", 4, 76, "listeners[0].tls.tickets",
      "off, or a map with life, is needed here" },
    { L ONE ", tickets: { life: 169h } }\n", 4, 84, "listeners[0].tls.tickets.life",
      "it is up to 7 days" },
    { L ONE ", tickets: { life: 10ms } }\n", 4, 84, "listeners[0].tls.tickets.life",
      "out of range" },
    { L ONE ", tickets: { keys: [] } }\n", 4, 84, "listeners[0].tls.tickets.keys",
      "the list is empty" },
    { L ONE ", tickets: { keys: [ no.key ] } }\n", 4, 86, "listeners[0].tls.tickets.keys[0]",
      "cannot read no.key: No such file" },
    { L ONE ", tickets: { keys: [ ticket-1.key, root.key ] } }\n", 4, 100,
      "listeners[0].tls.tickets.keys[1]", "it is 48 to 80 random bytes" },
    { C "ca: root.crt, tickets: { keys: [ ticket-1.key ] } }\n", 4, 41,
      "clusters[0].tls.tickets.keys", "they are a server's" },
    { C "}\n", 4, 8, "clusters[0].tls.ca", "who may have signed the server's certificate?" },
    { C "verify: if_given }\n", 4, 18, "clusters[0].tls.verify",
      "\"if_given\" is none of require off" },
    { C "verify: off, ca: root.crt }\n", 4, 18, "clusters[0].tls.verify",
      "the server is not verified" },
    { C "ca: root.crt, cert: a-p256.crt }\n", 4, 8, "clusters[0].tls",
      "cert and key belong together" },
    { C "ca: root.crt, key: a-p256.key }\n", 4, 8, "clusters[0].tls",
      "cert and key belong together" },
    { C "ca: root.crt, server_name: \"a b\" }\n", 4, 37, "clusters[0].tls.server_name",
      "visible bytes" },
    { "clusters:\n- name: c\n  tls: off\n", 3, 8, "clusters[0].tls", "a map is needed here" },
    /* what the files hold */
    { L "certificates: [ { cert: a-p256.key, key: a-p256.key } ] }\n", 4, 34,
      "listeners[0].tls.certificates[0].cert", "a-p256.key: " },
    { L "certificates: [ " PAIR ", { cert: wild.crt, key: a-p256.key } ] }\n", 4, 88,
      "listeners[0].tls.certificates[1].key", "a-p256.key: " },
    { L "certificates: [ { cert: a-p256.crt, key: a-p256-locked.key } ] }\n", 4, 51,
      "listeners[0].tls.certificates[0].key", "a-p256-locked.key: " },
    { L ONE ", client: { ca: a-p256.key } }\n", 4, 81, "listeners[0].tls.client.ca",
      "a-p256.key: " },
    { L ONE ", client: { ca: root.crt, crl: root.crt } }\n", 4, 96, "listeners[0].tls.client.crl",
      "root.crt: " },
    { L "certificates: [ { cert: ed25519.crt, key: ed25519.key } ] }\n", 4, 34,
      "listeners[0].tls.certificates[0].cert", "its key is neither RSA, P-256 nor P-384" },
    { L "certificates: [ { cert: p521.crt, key: p521.key } ] }\n", 4, 34,
      "listeners[0].tls.certificates[0].cert", "its key is neither RSA, P-256 nor P-384" },
    { L "certificates: [ { cert: rsa1024.crt, key: rsa1024.key } ] }\n", 4, 52,
      "listeners[0].tls.certificates[0].key", "RSA key too small" },
    { C "ca: root.key }\n", 4, 14, "clusters[0].tls.ca", "root.key: " },
    { C "ca: root.crt, crl: root.key }\n", 4, 29, "clusters[0].tls.crl", "root.key: " },
    { C "ca: root.crt, cert: root.key, key: root.key }\n", 4, 30, "clusters[0].tls.cert",
      "root.key: " },
    { C "ca: root.crt, cert: a-p256.crt, key: wild.key }\n", 4, 47, "clusters[0].tls.key",
      "wild.key: " },
};

START_TEST(what_is_wrong_has_a_place_and_a_name)
{
    const struct refusal *r = &refusals[_i];
    gw_yaml_error err;
    gw_config *config = NULL;
    gw_status status = load(NULL, r->file, &config, &err);
    ck_assert_msg(status != GW_OK, "taken: %s", r->file);
    ck_assert_ptr_null(config);
    ck_assert_int_eq(status, err.status);
    ck_assert_msg(strcmp(err.where, r->where) == 0 && strstr(err.text, r->text) != NULL &&
                      err.line == r->line && err.column == r->column,
                  "%u:%u: %s: %s for\n%s", err.line, err.column, err.where, err.text, r->file);
}
END_TEST

START_TEST(without_a_reader_files_are_refused)
{
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    gw_yaml_error err = GW_SPEC(gw_yaml_error);
    gw_config *config = NULL;
    ck_assert_int_eq(gw_yaml_load(NULL, GW_STR(C "ca: root.crt }\n"), NULL, NULL, &settings, NULL,
                                  &config, &err),
                     GW_EINVAL);
    ck_assert_str_eq(err.where, "clusters[0].tls.ca");
    ck_assert_str_eq(err.text, "files are not read here: the program does not say how");
    ck_assert_int_eq(
        gw_yaml_load(NULL, GW_STR(C "verify: off }\n"), NULL, NULL, &settings, NULL, &config, &err),
        GW_OK);
    gw_config_unref(config);
}
END_TEST

/* --- what is left --- */

/* What is released must hold no key any more. */
static bool holds_key(const char *bytes, size_t len)
{
    static const char mark[] = "PRIVATE KEY-----\n";
    for (size_t i = 0; i + sizeof mark - 1 <= len; i++)
        if (memcmp(bytes + i, mark, sizeof mark - 1) == 0)
            return true;
    return false;
}

static void release_clean(void *ctx, void *ptr, size_t size)
{
    ck_assert_msg(!holds_key(ptr, size), "a key is left in %zu bytes", size);
    test_alloc_release_(ctx, ptr, size);
}

#define BOTH_SIDES                                                                                 \
    L "certificates: [ " PAIR " ], client: { ca: root.crt } }\n" C                                 \
      "ca: root.crt, cert: client-dns.crt, key: client-dns.key, tickets: off }\n"

START_TEST(keys_are_overwritten)
{
    static const char *const files[] = {
        BOTH_SIDES, L "certificates: [ " PAIR ", { cert: wild.crt, key: no.key } ] }\n",
        L "certificates: [ { cert: wild.crt, key: a-p256.key } ] }\n"
    };
    for (size_t i = 0; i < 3; i++) {
        struct test_alloc alloc;
        gw_env env = GW_SPEC(gw_env);
        gw_yaml_error err;
        gw_config *config = NULL;
        test_alloc_init(&alloc);
        env.allocator = alloc.allocator;
        env.allocator.release = release_clean;
        gw_status status = load(&env, files[i], &config, &err);
        ck_assert_int_eq(status, i == 0 ? GW_OK : GW_EINVAL);
        gw_config_unref(config);
        test_alloc_fini(&alloc);
    }
}
END_TEST

START_TEST(any_allocation_may_fail)
{
    struct test_alloc alloc;
    gw_env env = GW_SPEC(gw_env);
    test_alloc_init(&alloc);
    env.allocator = alloc.allocator;
    for (uint64_t k = 1;; k++) {
        gw_yaml_error err;
        gw_config *config = NULL;
        test_alloc_restart(&alloc);
        alloc.fail_at = k;
        gw_status status = load(&env, BOTH_SIDES, &config, &err);
        ck_assert_int_eq(status, alloc.failed > 0 ? GW_ENOMEM : GW_OK);
        gw_config_unref(config);
        ck_assert_uint_eq(alloc.live, 0);
        if (alloc.failed == 0)
            break;
    }
    test_alloc_fini(&alloc);
}
END_TEST

/* --- what C alone can say --- */

START_TEST(a_wrong_staple_is_refused)
{
    static struct both b;
    gw_tls *tls = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    both_init(&b);
    b.pairs[0].staple = GW_STR("x");
    ck_assert_int_eq(gw_tls_new(NULL, &b.server, &tls, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "certificates[0].staple");
}
END_TEST

/* --- a build without TLS --- */

START_TEST(a_build_without_tls_says_so)
{
    static const char *const files[] = { L ONE " }\n", C "ca: no.crt }\n" };
    for (int i = 0; i < 2; i++) {
        int reads = 0;
        gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
        gw_yaml_error err = GW_SPEC(gw_yaml_error);
        gw_config *config = NULL;
        settings.read = read_file;
        settings.read_ctx = &reads;
        ck_assert_int_eq(
            gw_yaml_load(NULL, gw_cstr(files[i]), NULL, NULL, &settings, NULL, &config, &err),
            GW_EUNSUPPORTED);
        ck_assert_str_eq(err.where, i == 0 ? "listeners[0].tls" : "clusters[0].tls");
        ck_assert_uint_eq(err.line, 4);
        ck_assert_ptr_nonnull(strstr(err.text, "this build has no TLS"));
        ck_assert_int_eq(reads, 0); /* what a file holds does not matter */
    }
}
END_TEST

static Suite *yaml_tls_suite(void)
{
    Suite *s = suite_create("yaml_tls");
    if (strstr(gw_build_features(), "tls=") == NULL) {
        check_add(s, a_build_without_tls_says_so);
        return s;
    }
    check_add(s, a_file_says_what_c_says);
    check_add_loop(s, what_is_wrong_has_a_place_and_a_name, 0,
                   (int)(sizeof refusals / sizeof refusals[0]));
    check_add(s, a_wrong_staple_is_refused);
    check_add(s, without_a_reader_files_are_refused);
    check_add(s, keys_are_overwritten);
    check_add(s, any_allocation_may_fail);
    return s;
}

CHECK_MAIN(yaml_tls_suite)
