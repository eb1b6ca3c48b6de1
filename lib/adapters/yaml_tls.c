/* adapters/yaml_tls.c: see the header. What was read of files is overwritten before it is given back:
 * keys are among them. */

#include "adapters/yaml_tls.h"

#include "base/wipe.h"

enum { FILE_MAX = 1 << 20, WHY_MAX = GW_YAML_WHY_MAX };

/* What a file held. */
struct blob {
    struct blob *next;
    size_t len;
    char bytes[];
};

struct settings {
    gw_tls_spec spec;
    gw_tls_certificate own; /* of a client */
    gw_str ca, crl, cert, key;
    struct gw_yaml_texts names, ticket_keys;
    const struct gw_yaml_node *certificates, *tickets;
};
struct pair {
    gw_str cert, key, staple;
};

/* Settings in the making. */
struct making {
    struct gw_yaml_tls *tls;
    struct gw_yaml_reader *reader;
    const struct gw_yaml_node *node;
    struct settings *own;
    char *room; /* FILE_MAX bytes, once there was a file */
    struct blob *blobs;
};

/* --- the vocabulary --- */

#define TABLE(fields)                                                                              \
    {                                                                                              \
        (fields), sizeof(fields) / sizeof(fields)[0]                                               \
    }
#define TEXT(key, spec, field)                                                                     \
    {                                                                                              \
        (key), GW_YAML_TEXT, offsetof(spec, field), 1, 0, 0, NULL                                  \
    }

static const struct gw_yaml_word versions[] = { { "1.2", GW_TLS_1_2 },
                                                { "1.3", GW_TLS_1_3 },
                                                { NULL, 0 } };
static const struct gw_yaml_field version_fields[] = {
    { "min", GW_YAML_WORD, offsetof(struct settings, spec.version_min), 0, 0, 0, versions },
    { "max", GW_YAML_WORD, offsetof(struct settings, spec.version_max), 0, 0, 0, versions },
};
static const struct gw_yaml_table version_table = TABLE(version_fields);

/* Ranges are the library's. */
static const struct gw_yaml_field ticket_fields[] = {
    { "life", GW_YAML_DURATION, offsetof(struct settings, spec.ticket_life_ms), 1000,
      UINT32_MAX - 1, 0, NULL },
    { "keys", GW_YAML_TEXTS, offsetof(struct settings, ticket_keys), 0, 0, 0, NULL },
};
static const struct gw_yaml_table ticket_table = TABLE(ticket_fields);

static const struct gw_yaml_word client_verifies[] = { { "require", GW_VERIFY_REQUIRE },
                                                       { "if_given", GW_VERIFY_IF_GIVEN },
                                                       { NULL, 0 } };
static const struct gw_yaml_field client_fields[] = {
    { "verify", GW_YAML_WORD, offsetof(struct settings, spec.verify), 0, 0, 0, client_verifies },
    TEXT("ca", struct settings, ca),
    TEXT("crl", struct settings, crl),
    { "names", GW_YAML_TEXTS, offsetof(struct settings, names), 0, 0, 0, NULL },
};
static const struct gw_yaml_table client_table = TABLE(client_fields);

static const struct gw_yaml_field listener_fields[] = {
    { "certificates", GW_YAML_NODE, offsetof(struct settings, certificates), 0, 0, 0, NULL },
    { "client", GW_YAML_FIELDS, 0, 0, 0, 0, &client_table },
    { "versions", GW_YAML_FIELDS, 0, 0, 0, 0, &version_table },
    { "tickets", GW_YAML_NODE, offsetof(struct settings, tickets), 0, 0, 0, NULL },
};
static const struct gw_yaml_table listener_table = TABLE(listener_fields);

static const struct gw_yaml_field pair_fields[] = {
    TEXT("cert", struct pair, cert),
    TEXT("key", struct pair, key),
    TEXT("staple", struct pair, staple),
};
static const struct gw_yaml_table pair_table = TABLE(pair_fields);

static const struct gw_yaml_word server_verifies[] = { { "require", GW_VERIFY_REQUIRE },
                                                       { "off", GW_VERIFY_NOT },
                                                       { NULL, 0 } };
static const struct gw_yaml_field cluster_fields[] = {
    TEXT("ca", struct settings, ca),
    TEXT("crl", struct settings, crl),
    TEXT("server_name", struct settings, spec.server_name),
    TEXT("cert", struct settings, cert),
    TEXT("key", struct settings, key),
    { "verify", GW_YAML_WORD, offsetof(struct settings, spec.verify), 0, 0, 0, server_verifies },
    { "versions", GW_YAML_FIELDS, 0, 0, 0, 0, &version_table },
    { "tickets", GW_YAML_NODE, offsetof(struct settings, tickets), 0, 0, 0, NULL },
};
static const struct gw_yaml_table cluster_table = TABLE(cluster_fields);

/* --- files --- */

/* Begins a fault at a node: the caller goes on with the text. */
static struct gw_text blame(struct making *m, const struct gw_yaml_node *node, gw_status status)
{
    struct gw_text text;
    (void)gw_yaml_refuse(m->reader, node, "");
    m->reader->err->status = status;
    gw_text_init(&text, m->reader->err->text, sizeof m->reader->err->text);
    return text;
}

static gw_status keep(struct making *m, size_t len, gw_str *out)
{
    struct blob *blob = gw_heap_alloc(m->reader->store->heap, sizeof *blob + len);
    if (blob == NULL)
        return gw_yaml_no_memory(m->reader);
    blob->next = m->blobs;
    blob->len = len;
    memcpy(blob->bytes, m->room, len);
    m->blobs = blob;
    *out = (gw_str){ blob->bytes, len };
    return GW_OK;
}

static gw_status refuse_file(struct making *m, const struct gw_yaml_node *node, gw_str name,
                             gw_status status, const char *why)
{
    struct gw_text text = blame(m, node, GW_EINVAL);
    bool is_read = status == GW_OK || status == GW_ELIMIT;
    gw_text_cstr(&text, is_read ? "" : "cannot read ");
    gw_text_quoted(&text, name);
    gw_text_cstr(&text, is_read ? "" : ": ");
    if (!is_read)
        gw_text_cstr(&text, why[0] != '\0' ? why : gw_status_text(status));
    else
        gw_text_cstr(&text, status == GW_OK ? " is empty" : " is larger than 1 MiB");
    return GW_EINVAL;
}

/* What the file of that name holds; of none, nothing. node: where it is named. */
static gw_status read_file(struct making *m, const struct gw_yaml_node *node, gw_str name,
                           gw_str *out)
{
    char why[WHY_MAX] = { 0 };
    size_t len = 0;
    if (name.len == 0)
        return GW_OK;
    if (gw_str_find(name, '\0') < name.len)
        return gw_yaml_refuse(m->reader, node, "a path holds no zero byte");
    if (m->tls->read == NULL)
        return gw_yaml_refuse(m->reader, node,
                              "files are not read here: the program does not say how");
    if (m->room == NULL)
        m->room = gw_heap_alloc(m->reader->store->heap, FILE_MAX);
    if (m->room == NULL)
        return gw_yaml_no_memory(m->reader);
    gw_status status = m->tls->read(m->tls->read_ctx, name, m->room, FILE_MAX, &len, why);
    why[sizeof why - 1] = '\0';
    if (status == GW_ENOMEM)
        return gw_yaml_no_memory(m->reader);
    if (status == GW_OK && len > FILE_MAX)
        status = GW_ELIMIT;
    if (status != GW_OK || len == 0)
        return refuse_file(m, node, name, status, why);
    status = keep(m, len, out);
    gw_wipe(m->room, len);
    return status;
}

static gw_status read_at(struct making *m, const struct gw_yaml_node *parent, const char *path,
                         gw_str name, gw_str *out)
{
    return read_file(m, gw_yaml_follow(parent, gw_cstr(path)), name, out);
}

static void forget(struct making *m)
{
    struct gw_heap *heap = m->reader->store->heap;
    struct blob *next;
    for (struct blob *blob = m->blobs; blob != NULL; blob = next) {
        next = blob->next;
        gw_wipe(blob->bytes, blob->len);
        gw_heap_release(heap, blob, sizeof *blob + blob->len);
    }
    if (m->room != NULL) {
        gw_wipe(m->room, FILE_MAX); /* what a reader that failed has left */
        gw_heap_release(heap, m->room, FILE_MAX);
    }
}

/* --- parts --- */

static gw_status read_ticket_keys(struct making *m, const struct gw_yaml_node *tickets)
{
    const struct gw_yaml_node *list = gw_yaml_find(tickets, GW_STR("keys")), *node;
    size_t n = m->own->ticket_keys.len;
    gw_status status = GW_OK;
    gw_str *keys;
    if (list == NULL)
        return GW_OK;
    if (n == 0)
        return gw_yaml_refuse(m->reader, list,
                              "the list is empty; leave it out for keys that are drawn");
    keys = gw_store_take(m->reader->store, n, sizeof *keys);
    if (keys == NULL)
        return gw_yaml_no_memory(m->reader);
    node = list->first;
    for (size_t i = 0; i < n && node != NULL && status == GW_OK; i++, node = node->next)
        status = read_file(m, node, m->own->ticket_keys.at[i], &keys[i]);
    m->own->spec.ticket_keys = keys;
    m->own->spec.ticket_keys_len = n;
    return status;
}

static gw_status read_tickets(struct making *m)
{
    const struct gw_yaml_node *node = m->own->tickets;
    bool is_off = node != NULL && node->kind == GW_YAML_VALUE &&
                  gw_str_eq(node->text, GW_STR("off"));
    if (is_off)
        m->own->spec.flags |= GW_TLS_NO_TICKETS;
    if (node == NULL || is_off)
        return GW_OK;
    if (node->kind != GW_YAML_MAP)
        return gw_yaml_refuse(m->reader, node, "off, or a map with life, is needed here");
    gw_status status = gw_yaml_read(m->reader, node, &ticket_table, m->own);
    return status == GW_OK ? read_ticket_keys(m, node) : status;
}

static gw_status read_pair(struct making *m, const struct gw_yaml_node *node,
                           gw_tls_certificate *out)
{
    struct pair pair = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    gw_status status = gw_yaml_read(m->reader, node, &pair_table, &pair);
    if (status == GW_OK && (pair.cert.len == 0 || pair.key.len == 0))
        return gw_yaml_refuse(m->reader, node, "a certificate needs cert and key");
    out->size = sizeof *out;
    if (status == GW_OK)
        status = read_at(m, node, "cert", pair.cert, &out->chain);
    if (status == GW_OK)
        status = read_at(m, node, "key", pair.key, &out->key);
    if (status == GW_OK)
        status = read_at(m, node, "staple", pair.staple, &out->staple);
    return status;
}

static gw_status read_pairs(struct making *m, gw_tls_spec *spec)
{
    const struct gw_yaml_node *list = m->own->certificates;
    gw_status status = GW_OK;
    if (list == NULL || list->kind != GW_YAML_LIST || list->len == 0)
        return gw_yaml_refuse(m->reader, list != NULL ? list : m->node,
                              "a list of certificates is needed, each with cert and key");
    gw_tls_certificate *out = gw_store_take(m->reader->store, list->len, sizeof *out);
    if (out == NULL)
        return gw_yaml_no_memory(m->reader);
    for (const struct gw_yaml_node *node = list->first; node != NULL && status == GW_OK;
         node = node->next)
        status = read_pair(m, node, &out[node->index]);
    spec->certificates = out;
    spec->certificates_len = list->len;
    return status;
}

static gw_status read_listener(struct making *m)
{
    struct settings *own = m->own;
    gw_tls_spec *spec = &own->spec;
    gw_status status = gw_yaml_read(m->reader, m->node, &listener_table, own);
    if (status == GW_OK)
        status = read_pairs(m, spec);
    if (status == GW_OK)
        status = read_at(m, m->node, "client.ca", own->ca, &spec->trust);
    if (status == GW_OK)
        status = read_at(m, m->node, "client.crl", own->crl, &spec->revoked);
    if (spec->verify == 0 && gw_yaml_find(m->node, GW_STR("client")) != NULL)
        spec->verify = GW_VERIFY_REQUIRE;
    spec->peers = own->names.at;
    spec->peers_len = own->names.len;
    if (status == GW_OK && own->names.at != NULL && own->names.len == 0)
        return gw_yaml_refuse(m->reader, gw_yaml_follow(m->node, GW_STR("client.names")),
                              "the list is empty; leave it out for whoever is trusted");
    return status;
}

static gw_status read_cluster(struct making *m)
{
    struct settings *own = m->own;
    gw_tls_spec *spec = &own->spec;
    gw_status status = gw_yaml_read(m->reader, m->node, &cluster_table, own);
    if (gw_str_eq(own->ca, GW_STR("system"))) {
        spec->flags |= GW_TLS_SYSTEM_ROOTS;
        own->ca = (gw_str){ NULL, 0 };
    }
    if (status == GW_OK && (own->cert.len == 0) != (own->key.len == 0))
        return gw_yaml_refuse(m->reader, m->node, "cert and key belong together");
    if (status == GW_OK)
        status = read_at(m, m->node, "ca", own->ca, &spec->trust);
    if (status == GW_OK)
        status = read_at(m, m->node, "crl", own->crl, &spec->revoked);
    if (status == GW_OK)
        status = read_at(m, m->node, "cert", own->cert, &own->own.chain);
    if (status == GW_OK)
        status = read_at(m, m->node, "key", own->key, &own->own.key);
    own->own.size = sizeof own->own;
    spec->certificates = &own->own;
    spec->certificates_len = own->cert.len > 0;
    return status;
}

/* --- faults of the settings --- */

/* What the fields of a spec are called in a file, of a listener and of a cluster. */
static const struct rename {
    const char *field, *listener, *cluster;
} renames[] = {
    { "certificates", "certificates", "" },
    { "chain", "cert", "cert" },
    { "key", "key", "key" },
    { "staple", "staple", "cert" },
    { "trust", "client.ca", "ca" },
    { "revoked", "client.crl", "crl" },
    { "peers", "client.names", "" },
    { "verify", "client.verify", "verify" },
    { "version_min", "versions.min", "versions.min" },
    { "version_max", "versions.max", "versions.max" },
    { "ticket_life_ms", "tickets.life", "tickets.life" },
    { "ticket_keys", "tickets.keys", "tickets.keys" },
    { "flags", "tickets", "ca" },
    { "server_name", "server_name", "server_name" },
};

static gw_str called(gw_str field, uint32_t role)
{
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++)
        if (gw_str_eq(gw_cstr(renames[i].field), field))
            return gw_cstr(role == GW_TLS_SERVER ? renames[i].listener : renames[i].cluster);
    return (gw_str){ NULL, 0 };
}

/* Goes one name of the field's path down: "certificates[3]" of "certificates[3].key"; says it too. */
static const struct gw_yaml_node *descend(struct making *m, const struct gw_yaml_node *node,
                                          gw_str part, struct gw_text *where)
{
    size_t bracket = gw_str_find(part, '[');
    gw_str path = called(gw_str_slice(part, 0, bracket), m->own->spec.role);
    gw_str index = gw_str_slice(part, bracket, part.len);
    uint64_t n;
    if (path.len == 0)
        return node;
    node = gw_yaml_follow(node, path);
    gw_text_cstr(where, ".");
    gw_text_str(where, path);
    gw_text_str(where, index);
    if (index.len < 3 || gw_parse_u64(gw_str_slice(index, 1, index.len - 1), &n) != GW_OK ||
        node->kind != GW_YAML_LIST)
        return node;
    const struct gw_yaml_node *element = node->first;
    while (element != NULL && element->index != n)
        element = element->next;
    return element != NULL ? element : node;
}

/* Is it one that names a file? */
static bool names_file(const struct gw_yaml_node *node)
{
    static const gw_str keys[] = {
        { "cert", 4 }, { "key", 3 }, { "staple", 6 }, { "ca", 2 }, { "crl", 3 }
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (gw_str_eq(keys[i], node->key))
            return node->kind == GW_YAML_VALUE;
    return false;
}

static gw_status translate(struct making *m, const gw_config_error *error)
{
    const struct gw_yaml_node *node = m->node;
    gw_str rest = gw_cstr(error->where);
    char path[sizeof m->reader->err->where];
    struct gw_text where;
    gw_text_init(&where, path, sizeof path);
    gw_yaml_say_where(m->node, &where);
    while (rest.len > 0) {
        size_t end = gw_str_find(rest, '.');
        node = descend(m, node, gw_str_slice(rest, 0, end), &where);
        rest = gw_str_slice(rest, end < rest.len ? end + 1 : end, rest.len);
    }
    struct gw_text text = blame(m, node, error->status);
    if (names_file(node)) {
        gw_text_quoted(&text, node->text);
        gw_text_cstr(&text, ": ");
    }
    gw_text_cstr(&text, error->text);
    gw_text_init(&where, m->reader->err->where, sizeof m->reader->err->where);
    gw_text_cstr(&where, path);
    return error->status;
}

/* --- the whole --- */

/* Whoever has no TLS is told so, and not that a file is missing. The least that a client may say. */
static gw_status want_tls(struct making *m)
{
    gw_tls_spec spec = { .size = sizeof spec, .role = GW_TLS_CLIENT, .verify = GW_VERIFY_NOT };
    gw_config_error error = { .size = sizeof error };
    gw_tls *tls = NULL;
    if (m->tls->is_known)
        return GW_OK;
    gw_status status = gw_tls_new(m->tls->env, &spec, &tls, &error);
    gw_tls_unref(tls);
    if (status == GW_ENOMEM)
        return gw_yaml_no_memory(m->reader);
    if (status != GW_OK) {
        error.status = status;
        return translate(m, &error);
    }
    m->tls->is_known = true;
    return GW_OK;
}

static gw_status make(struct making *m, gw_tls **out)
{
    gw_config_error error = { .size = sizeof error };
    gw_status status = gw_tls_new(m->tls->env, &m->own->spec, out, &error);
    if (status == GW_ENOMEM)
        return gw_yaml_no_memory(m->reader);
    error.status = status;
    return status == GW_OK ? GW_OK : translate(m, &error);
}

gw_status gw_yaml_tls_read(struct gw_yaml_tls *y, const struct gw_yaml_node *node, uint32_t role,
                           gw_tls **out)
{
    struct making m = { .tls = y, .reader = y->reader, .node = node };
    m.own = gw_store_take(y->reader->store, 1, sizeof *m.own);
    if (m.own == NULL)
        return gw_yaml_no_memory(y->reader);
    m.own->spec.size = sizeof m.own->spec;
    m.own->spec.role = role;
    gw_status status = want_tls(&m);
    if (status == GW_OK)
        status = role == GW_TLS_SERVER ? read_listener(&m) : read_cluster(&m);
    if (status == GW_OK)
        status = read_tickets(&m);
    if (status == GW_OK)
        status = make(&m, out);
    forget(&m);
    return status;
}
