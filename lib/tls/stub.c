/* tls/stub.c: the engine for tests; see tls/stub.h. Records: kind, two bytes of length, the bytes. */

#include "tls/stub.h"

#include "base/assert.h"

enum { KIND_HELLO = 0x16, KIND_BYTES = 0x17, KIND_END = 0x15 };
enum { HEAD = 3, RECORD_MAX = 4096 };

struct stub {
    struct gw_tls_engine engine; /* first: see of */
    struct gw_heap *heap;
    gw_str alpn;
    bool is_client, is_hello_sent, is_hello_here, is_closing, is_end_sent, is_peer_ended, is_broken;
    size_t left; /* of the record that is being opened */
    size_t owed; /* bytes of a record whose head is sealed already */
};

static struct stub *of(struct gw_tls_engine *e)
{
    return (struct stub *)(void *)e;
}

/* One record head: GW_AGAIN: not whole yet. */
static gw_status open_head(struct stub *s, struct gw_chain *wire)
{
    uint8_t head[HEAD];

    if (gw_chain_read(wire, 0, head, HEAD) < HEAD)
        return GW_AGAIN;
    gw_chain_drop(wire, HEAD);
    s->left = (size_t)head[1] << 8 | head[2];
    switch (head[0]) {
    case KIND_HELLO:
        if (s->is_hello_here || s->left != 0)
            return GW_ETLS;
        s->is_hello_here = true;
        return GW_OK;
    case KIND_BYTES:
        return s->is_hello_here && s->left > 0 && s->left <= RECORD_MAX ? GW_OK : GW_ETLS;
    case KIND_END:
        s->is_peer_ended = true;
        return s->left == 0 ? GW_EOF : GW_ETLS;
    default:
        return GW_ETLS;
    }
}

static gw_status stub_open(struct gw_tls_engine *e, struct gw_chain *wire, struct gw_chain *clear,
                           size_t mark)
{
    struct stub *s = of(e);
    gw_status status;

    if (s->is_peer_ended)
        return GW_EOF;
    while (clear->len < mark) {
        if (s->left == 0) {
            status = open_head(s, wire);
            if (status == GW_AGAIN)
                return GW_OK;
            s->is_broken = status == GW_ETLS;
            if (status != GW_OK)
                return status;
            continue;
        }
        size_t n = s->left < wire->len ? s->left : wire->len;
        if (n == 0)
            return GW_OK;
        status = gw_chain_move(clear, wire, n);
        if (status != GW_OK)
            return status;
        s->left -= n;
    }
    return GW_OK;
}

static gw_status put_head(struct gw_chain *wire, uint8_t kind, size_t len)
{
    const uint8_t head[HEAD] = { kind, (uint8_t)(len >> 8), (uint8_t)len };

    return gw_chain_write(wire, head, HEAD);
}

static bool owes_hello(const struct stub *s)
{
    return !s->is_hello_sent && (s->is_client || s->is_hello_here);
}

static bool owes_end(const struct stub *s)
{
    return s->is_closing && !s->is_end_sent && s->is_hello_sent;
}

static gw_status seal_hello(struct stub *s, struct gw_chain *wire)
{
    gw_status status;

    if (!owes_hello(s))
        return GW_OK;
    status = put_head(wire, KIND_HELLO, 0);
    if (status == GW_OK)
        s->is_hello_sent = true;
    return status;
}

static gw_status stub_seal(struct gw_tls_engine *e, struct gw_chain *clear, struct gw_chain *wire,
                           size_t mark)
{
    struct stub *s = of(e);
    gw_status status = s->is_broken ? GW_OK : seal_hello(s, wire);

    if (status != GW_OK || s->is_broken)
        return status;
    while (s->is_hello_sent && s->is_hello_here && clear->len > 0 && wire->len < mark) {
        if (s->owed == 0) {
            size_t n = clear->len < RECORD_MAX ? clear->len : RECORD_MAX;
            status = put_head(wire, KIND_BYTES, n);
            if (status != GW_OK)
                return status;
            s->owed = n;
        }
        status = gw_chain_move(wire, clear, s->owed);
        if (status != GW_OK)
            return status; /* the record is finished when there is memory again */
        s->owed = 0;
    }
    if (owes_end(s) && clear->len == 0) {
        status = put_head(wire, KIND_END, 0);
        if (status == GW_OK)
            s->is_end_sent = true;
    }
    return status;
}

static void stub_close(struct gw_tls_engine *e)
{
    of(e)->is_closing = true;
}

static bool stub_is_amid(const struct gw_tls_engine *e)
{
    return ((const struct stub *)(const void *)e)->left > 0;
}

static bool stub_wants_seal(const struct gw_tls_engine *e)
{
    const struct stub *s = (const struct stub *)(const void *)e;

    return owes_hello(s) || owes_end(s);
}

static bool stub_is_ready(const struct gw_tls_engine *e)
{
    const struct stub *s = (const struct stub *)(const void *)e;

    return s->is_hello_sent && s->is_hello_here;
}

static bool stub_is_resumed(const struct gw_tls_engine *e)
{
    (void)e;
    return false;
}

static void stub_tell(const struct gw_tls_engine *e, gw_facts *out)
{
    out->is_secure = 1;
    out->alpn = ((const struct stub *)(const void *)e)->alpn;
}

static const char *stub_fault(const struct gw_tls_engine *e)
{
    return ((const struct stub *)(const void *)e)->is_broken ? "what comes is no record" : "";
}

static void stub_free(struct gw_tls_engine *e)
{
    gw_heap_release(of(e)->heap, e, sizeof(struct stub));
}

static const struct gw_tls_engine_ops ops = {
    .name = "stub",
    .open = stub_open,
    .seal = stub_seal,
    .close = stub_close,
    .wants_seal = stub_wants_seal,
    .is_amid = stub_is_amid,
    .is_ready = stub_is_ready,
    .is_resumed = stub_is_resumed,
    .tell = stub_tell,
    .fault = stub_fault,
    .free = stub_free,
};

struct gw_tls_engine *gw_tls_stub_new(struct gw_heap *heap, bool is_client, gw_str alpn)
{
    struct stub *s = gw_heap_zalloc(heap, sizeof *s);

    if (s == NULL)
        return NULL;
    s->engine.ops = &ops;
    s->heap = heap;
    s->is_client = is_client;
    s->alpn = alpn;
    return &s->engine;
}
