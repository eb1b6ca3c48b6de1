/* link/conn.c: how bytes move through a link: wire -> engine -> codec and back; which protocol is
 * spoken; when the backend is asked for what. */

#include "link/conn.h"

#include <string.h>

#include "base/assert.h"
#include "h1/h1.h"
#include "h2/codec.h"
#include "link/pool.h"
#include "link/slot.h"
#include "raw/raw.h"
#include "tls/stub.h"

/* Blocks that tx may hold before the codec is asked for more: late enough to choose well, enough
 * for one large send. */
enum { TX_MARK_BLOCKS = 4 };
/* What a peer may still send after our end before it is cut off. */
enum { LINGER_BYTES_MAX = 256 * 1024 };

static struct gw_stream *open_stream(void *ctx)
{
    struct gw_link *link = ctx;

    link->head_since = link->links->now;
    return link->links->above->open(link);
}

static void stream_changed(void *ctx, struct gw_stream *s)
{
    struct gw_link *link = ctx;

    link->links->above->changed(link, s);
}

static struct gw_message *new_info(void *ctx, struct gw_stream *s)
{
    struct gw_link *link = ctx;

    return link->links->above->new_info(link, s);
}

/* ---- its engine ---- */

static gw_status make_engine(struct gw_link *link, const struct gw_link_security *security,
                             struct gw_tls_engine **out)
{
    struct gw_links *links = link->links;
    const struct gw_tls_session_spec spec = {
        .heap = links->heap,
        .tls = security->tls,
        .wire = &link->tx,
        .name = security->name,
        .protocols = link->protocols,
        .scratch = links->tls_scratch,
        .tickets = links->tickets,
        .kept = security->kept,
    };

    if (security->tls != NULL)
        return gw_tls_session_new(&spec, out);
    *out = gw_tls_stub_new(links->heap, link->is_client,
                           link->protocols == GW_PROTO_H2 ? GW_STR("h2") : (gw_str){ NULL, 0 });
    return *out != NULL ? GW_OK : GW_ENOMEM;
}

static gw_status start_tls(struct gw_link *link, const struct gw_link_security *security)
{
    struct gw_links *links = link->links;
    struct gw_link_tls *tls;
    gw_status status;

    if (links->tls_count >= links->limits->tls_links_max)
        return GW_ELIMIT;
    if (links->tls_scratch == NULL)
        links->tls_scratch = gw_heap_alloc(links->heap, GW_TLS_SCRATCH);
    tls = gw_heap_zalloc(links->heap, sizeof *tls);
    status = tls != NULL && links->tls_scratch != NULL ? make_engine(link, security, &tls->engine)
                                                       : GW_ENOMEM;
    if (status != GW_OK) {
        gw_heap_release(links->heap, tls, sizeof *tls);
        return status;
    }
    gw_chain_init(&tls->in, links->pool);
    gw_chain_init(&tls->out, links->pool);
    link->tls = tls;
    links->tls_count++;
    return GW_OK;
}

static void stop_tls(struct gw_link *link)
{
    link->tls->engine->ops->free(link->tls->engine);
    gw_chain_clear(&link->tls->in);
    gw_chain_clear(&link->tls->out);
    gw_heap_release(link->links->heap, link->tls, sizeof *link->tls);
    link->tls = NULL;
    link->links->tls_count--;
}

gw_status gw_conn_init(struct gw_link *link, const struct gw_link_security *security)
{
    bool is_stub = link->is_client ? link->links->stub_tls_client : link->links->stub_tls_server;

    return security->tls != NULL || is_stub ? start_tls(link, security) : GW_OK;
}

void gw_conn_fini(struct gw_link *link)
{
    if (link->codec != NULL) {
        if (link->codec->ops->protocol == GW_PROTO_H2)
            link->links->h2_count--;
        link->codec->ops->free(link->codec);
        link->codec = NULL;
    }
    if (link->tls != NULL)
        stop_tls(link);
}

/* ---- which protocol ---- */

static gw_status make_codec(struct gw_link *link, uint32_t protocol)
{
    struct gw_links *links = link->links;
    const struct gw_codec_owner owner = { link, open_stream, stream_changed, new_info };
    const struct gw_codec_spec spec = {
        .heap = links->heap,
        .pool = links->pool,
        .cells = &links->h1,
        .owner = &owner,
        .limits = link->is_client ? &links->client_limits : &links->server_limits,
        .is_client = link->is_client,
    };

    bool is_h2 = protocol == GW_PROTO_H2;

    if (is_h2 && (links->h2 == NULL || links->h2_count >= links->limits->h2_links_max))
        return GW_ELIMIT;
    link->protocol = protocol & GW_PROTO_ALL;
    if (is_h2)
        link->codec = gw_h2_new(&spec, links->h2, links->now);
    else
        link->codec = protocol == GW_PROTO_H1 ? gw_h1_new(&spec) : gw_raw_new(&spec);
    if (link->codec == NULL)
        return GW_ENOMEM;
    gw_list_init(&link->codec->flushing);
    links->h2_count += is_h2;
    if (link->slot != NULL)
        link->codec->early = &link->slot->early;
    if (gw_link_kept_of(link) != NULL)
        link->codec->kept = &gw_link_kept_of(link)->head;
    return GW_OK;
}

/* 0: not yet known. HTTP/2 in clear text begins with its preface (RFC 9113 3.4). */
static uint32_t sniff(const struct gw_link *link, const struct gw_chain *in)
{
    char begin[GW_H2_PREFACE_LEN];
    size_t n;

    if (link->protocol != 0)
        return link->protocol;
    if (link->protocols != (GW_PROTO_H1 | GW_PROTO_H2))
        return link->protocols;
    n = gw_chain_read(in, 0, begin, sizeof begin);
    if (n == 0)
        return 0;
    if (memcmp(begin, GW_H2_PREFACE, n) != 0)
        return GW_PROTO_H1;
    return n == sizeof begin ? GW_PROTO_H2 : 0;
}

/* Nothing is under way that a new codec would not go on with: the one that is there can go. */
static void rest(struct gw_link *link)
{
    struct gw_codec *codec = link->codec;

    if (codec == NULL || link->phase != GW_LINK_OPEN || link->is_read_ended ||
        codec->abuse.clear > link->links->now || !codec->ops->is_spare(codec))
        return;
    if (link->tls != NULL && link->tls->in.len + link->tls->out.len > 0)
        return;
    codec->ops->free(codec);
    link->codec = NULL;
}

/* ---- reading ---- */

static struct gw_chain *clear_in(struct gw_link *link)
{
    return link->tls != NULL ? &link->tls->in : &link->rx;
}

static const struct gw_chain *clear_in_const(const struct gw_link *link)
{
    return link->tls != NULL ? &link->tls->in : &link->rx;
}

/* A clear end under an engine without its own end is a cut: the length of nothing can be trusted. */
static gw_status end_status(const struct gw_link *link)
{
    if (link->tls != NULL && link->read_status == GW_EOF && !link->tls->is_ended)
        return GW_ERESET;
    return link->read_status;
}

static void drop_input(struct gw_link *link)
{
    struct gw_chain *in = clear_in(link);

    link->lingered += (uint32_t)(link->rx.len + (link->tls != NULL ? in->len : 0));
    gw_chain_clear(&link->rx);
    gw_chain_clear(in);
    if (link->is_read_ended && end_status(link) != GW_EOF)
        gw_link_lose(link, link->read_status);
    else if (link->lingered > LINGER_BYTES_MAX || (link->is_read_ended && link->is_shutdown_done))
        gw_link_lose(link, GW_EOF);
}

/* Once: what was agreed on. */
static gw_status take_facts(struct gw_link *link)
{
    gw_facts facts = GW_SPEC(gw_facts);
    gw_status status = gw_link_add_facts(link);

    if (status != GW_OK)
        return status;
    link->tls->is_told = true;
    gw_stats_add(link->links->stats, GW_STAT_TLS_HANDSHAKES, 1);
    if (link->tls->engine->ops->is_resumed(link->tls->engine))
        gw_stats_add(link->links->stats, GW_STAT_TLS_RESUMED, 1);
    link->tls->engine->ops->tell(link->tls->engine, &facts);
    if (gw_facts_check(&facts) != GW_OK)
        return GW_ETLS;
    if (facts.protocol != 0)
        link->protocol = facts.protocol & (GW_PROTO_H1 | GW_PROTO_H2);
    return GW_OK;
}

static gw_status open_wire(struct gw_link *link)
{
    size_t mark = 2 * (size_t)link->links->pool->block_bytes;
    gw_status status;

    if (link->tls == NULL)
        return GW_OK;
    status = link->tls->engine->ops->open(link->tls->engine, &link->rx, &link->tls->in, mark);
    link->tls->is_dry = status == GW_OK && link->tls->in.len < mark;
    if (!link->tls->is_told && status != GW_ETLS &&
        link->tls->engine->ops->is_ready(link->tls->engine)) {
        gw_status told = take_facts(link);
        if (told != GW_OK)
            status = told;
    }
    gw_link_mark_dirty(link); /* a handshake or an alert may have to be sent */
    if (status == GW_EOF) {
        link->tls->is_ended = true;
        link->is_read_ended = true;
        link->read_status = GW_EOF;
        gw_chain_clear(&link->rx);
        return GW_OK;
    }
    if (status != GW_ENOMEM)
        return status;
    gw_link_mark_starving(link); /* what could be opened is read; for the rest it is asked again */
    return GW_OK;
}

/* What the transport has not taken, at least. A send that is on its way may have gone as a whole; and so
 * may in mode 1 what the host was shown, unless it has said otherwise. What is sealed counts as taken. */
static void count_untaken(struct gw_link *link)
{
    bool is_known = link->broken != GW_OK || (link->links->ops != NULL && !link->is_send_pending);
    size_t len = link->tls != NULL ? link->tls->out.len : is_known ? link->tx.len : 0;

    link->codec->untaken = len < UINT32_MAX ? (uint32_t)len : 0;
}

static void tell_end(struct gw_link *link)
{
    gw_status why = end_status(link);

    if (link->codec == NULL) {
        gw_link_lose(link, why);
        return;
    }
    link->is_end_told = true;
    if (why != GW_EOF) {
        gw_link_lose(link, why);
        return;
    }
    count_untaken(link);
    link->codec->ops->read_end(link->codec, GW_EOF, link->links->now);
    if (link->upstream != NULL)
        gw_upstream_changed(link);
    gw_link_mark_dirty(link);
}

static void check_calmed(struct gw_link *link)
{
    if (link->codec->state == GW_CODEC_OVER && link->codec->fault == GW_REASON_client_abuse)
        gw_link_calmed(link);
}

static void read_codec(struct gw_link *link, struct gw_chain *in)
{
    struct gw_codec *codec = link->codec;
    bool was_pending = codec->is_head_pending;

    if (codec->state != GW_CODEC_OVER && in->len > 0) {
        gw_status status = codec->ops->read(codec, in, link->links->now);
        if (status == GW_ENOMEM) /* what could not be taken stays; ask again when blocks are free */
            gw_link_mark_starving(link);
        if (link->upstream != NULL)
            gw_upstream_changed(link);
    }
    if (link->is_drain_due) {
        link->is_drain_due = false;
        gw_link_drain_codec(link);
    }
    if (codec->state == GW_CODEC_OVER) {
        gw_chain_clear(in);
        check_calmed(link);
    }
    if (codec->is_head_pending && !was_pending)
        link->head_since = link->links->now;
    link->is_head_late = link->is_head_late && codec->is_head_pending && was_pending;
    if (was_pending && !codec->is_head_pending && codec->streams == 0 && in->len > 0)
        gw_link_mark_readable(link); /* a request behind a body that was dropped */
    if (codec->ops->wants_write(codec) || codec->state == GW_CODEC_OVER)
        gw_link_mark_dirty(link);
}

/* What is left, if anything, is only the begin of something that will never be whole, of a record too. */
static bool is_all_read(const struct gw_link *link, const struct gw_chain *in)
{
    /* A client that broke off takes no answer: what it has still said is of no use, however long nobody
     * reads it. An upstream may have said all that was asked for. */
    if (!link->is_client && link->read_status != GW_EOF)
        return true;
    if (link->tls != NULL && !link->tls->is_dry && !link->tls->is_ended)
        return link->read_status != GW_EOF; /* there may be more to open */
    return in->len == 0 || link->codec == NULL || link->codec->state == GW_CODEC_OVER ||
           link->codec->ops->wants_read(link->codec, in->len);
}

/* What comes next is a request, or the begin of one; not what is left of one that was answered early. */
static bool is_request_next(const struct gw_link *link)
{
    const struct gw_codec *codec = link->codec;
    bool is_rest = codec != NULL && codec->is_head_pending && link->slot != NULL;

    return codec == NULL || (codec->streams == 0 && codec->state != GW_CODEC_OVER && !is_rest);
}

/* A request that begins has what it will need; else it waits in line, with what has come of it. */
static bool is_admitted(struct gw_link *link)
{
    return link->is_client || !is_request_next(link) ||
           (link->rx.len == 0 && clear_in(link)->len == 0) || gw_slot_take(link);
}

/* Makes one when enough has come to know which. False: it cannot go on now. */
static bool has_codec(struct gw_link *link, const struct gw_chain *in)
{
    uint32_t protocol;
    gw_status status;

    if (link->codec != NULL || in->len == 0)
        return true;
    protocol = sniff(link, in);
    if (protocol == 0 && link->is_read_ended)
        protocol = GW_PROTO_H1;
    if (protocol == 0)
        return true;
    status = make_codec(link, protocol);
    if (status == GW_ENOMEM)
        gw_link_mark_starving(link);
    else if (status != GW_OK)
        gw_link_lose(link, status);
    return status == GW_OK;
}

/* What its engine has written for the peer, an alert or a plain answer, leaves before the end of who
 * never came to speak; what was under way is cut. */
static void fail_engine(struct gw_link *link, gw_status status)
{
    gw_link_tell_fault(link);
    if (link->codec == NULL && status == GW_ETLS)
        gw_link_end(link);
    else
        gw_link_lose(link, status);
}

static void read_open(struct gw_link *link)
{
    struct gw_chain *in = clear_in(link);
    size_t before = link->rx.len + in->len;
    gw_status status;

    if (!is_admitted(link))
        return;
    status = open_wire(link);
    if (status != GW_OK) {
        fail_engine(link, status);
        return;
    }
    if (link->tls != NULL && !link->tls->is_told && in->len > 0)
        return; /* nobody is served before it is known who comes: for want of memory */
    if (!has_codec(link, in))
        return;
    if (link->codec != NULL)
        read_codec(link, in);
    if (link->slot != NULL)
        gw_slot_trim(link);
    if (link->tls != NULL && link->rx.len > 0 && link->rx.len + in->len < before)
        gw_link_mark_readable(link); /* the engine stopped at its mark: there is more to open */
    if (link->is_read_ended && !link->is_end_told && is_all_read(link, in))
        tell_end(link);
}

static gw_status become_open(struct gw_link *link)
{
    gw_status status = make_codec(link, link->protocols);

    if (status != GW_OK)
        return status;
    gw_stats_add(link->links->stats, GW_STAT_LINKS_CONNECTED, 1);
    link->phase = GW_LINK_OPEN;
    link->active = link->links->now;
    gw_link_set_age(link, link->upstream->spec.age, link->upstream->spec.age_jitter);
    gw_link_begin_age(link);
    gw_upstream_connected(link);
    gw_link_mark_dirty(link);
    return GW_OK;
}

/* GW_AGAIN: it is not over. */
static gw_status secure(struct gw_link *link)
{
    gw_status status = open_wire(link);

    if (status != GW_OK)
        return status;
    if (!link->tls->is_told && !link->is_read_ended)
        return GW_AGAIN;
    if (!link->tls->is_told) {
        link->tls->fault = "the upstream has closed in the handshake";
        return GW_ERESET;
    }
    /* Who agrees on nothing speaks HTTP/1 (RFC 9113 3.3). */
    if (link->protocol == 0 && link->protocols == GW_PROTO_H2) {
        link->tls->fault = "the upstream does not agree on h2 by ALPN";
        return GW_EPROTO;
    }
    return become_open(link);
}

static void fail_securing(struct gw_link *link, gw_status status)
{
    gw_link_tell_fault(link);
    gw_upstream_connect_failed(link,
                               gw_status_category(status) == GW_CAT_LIMIT
                                   ? GW_REASON_no_memory
                                   : GW_REASON_upstream_tls_failed,
                               status);
    if (status == GW_ETLS)
        gw_link_end(link); /* behind its alert */
    else
        gw_link_lose(link, status);
}

static void read_securing(struct gw_link *link)
{
    gw_status status;

    if (link->is_finishing) {
        gw_upstream_connect_given_up(link);
        gw_link_lose(link, GW_ECANCELED);
        return;
    }
    status = secure(link);
    if (status != GW_OK && status != GW_AGAIN)
        fail_securing(link, status);
}

static void read_connecting(struct gw_link *link)
{
    static const struct {
        gw_status status;
        enum gw_reason_id reason;
    } reasons[] = {
        { GW_EREFUSED, GW_REASON_upstream_connect_refused },
        { GW_ETIMEDOUT, GW_REASON_upstream_connect_timeout },
    };
    enum gw_reason_id reason = GW_REASON_upstream_unreachable;
    gw_status status = link->connect_status;

    if (link->is_finishing) {
        gw_upstream_connect_given_up(link);
        gw_link_lose(link, GW_ECANCELED);
        return;
    }
    if (!link->is_connect_reported)
        return;
    gw_trace_event(link->links->trace, link->links->now, GW_TRACE_LINK_CONNECTED, link->id,
                   (uint64_t)(uint32_t)-status, 0);
    if (status == GW_OK && link->tls != NULL) {
        link->phase = GW_LINK_SECURING;
        return;
    }
    if (status == GW_OK)
        status = become_open(link);
    if (status == GW_OK)
        return;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            reason = reasons[i].reason;
    if (gw_status_category(status) == GW_CAT_LIMIT)
        reason = GW_REASON_no_memory;
    gw_upstream_connect_failed(link, reason, status);
    gw_link_lose(link, status);
}

/* What can no longer be answered need not be read; but an upstream whose end lies behind bytes not yet
 * taken in may have answered: those come first. */
static bool must_break(const struct gw_link *link)
{
    return link->broken != GW_OK && link->phase != GW_LINK_CLOSING && !link->is_close_begun &&
           (link->is_aborted || !link->is_client || !link->is_read_ended || link->is_end_told);
}

static void break_off(struct gw_link *link)
{
    if (gw_link_is_connecting(link))
        gw_upstream_connect_failed(link, GW_REASON_upstream_unreachable, link->broken);
    gw_link_lose(link, link->broken);
}

void gw_link_read(struct gw_link *link)
{
    gw_link_stamp(link);
    if (link->is_closed) {
        if (gw_link_is_connecting(link))
            gw_upstream_connect_failed(link, GW_REASON_upstream_unreachable, GW_ERESET);
        gw_link_lose(link, GW_ERESET);
        gw_link_bury(link);
        return;
    }
    if (must_break(link))
        break_off(link);
    switch ((enum gw_link_phase)link->phase) {
    case GW_LINK_CONNECTING:
        read_connecting(link);
        if (link->phase != GW_LINK_SECURING)
            break;
        read_securing(link); /* bytes may have come with the report */
        break;
    case GW_LINK_SECURING:
        read_securing(link);
        break;
    case GW_LINK_OPEN:
        read_open(link);
        if (must_break(link))
            break_off(link);
        break;
    case GW_LINK_ENDING:
    case GW_LINK_LINGERING:
        drop_input(link);
        break;
    case GW_LINK_RETURNING:
        break;
    case GW_LINK_CLOSING:
        gw_chain_clear(&link->rx);
        break;
    }
    gw_link_mark_dirty(link);
    gw_link_rearm(link);
}

void gw_conn_lost(struct gw_link *link, gw_status why)
{
    struct gw_codec *codec = link->codec;
    struct gw_list *node;

    if (codec != NULL) {
        count_untaken(link);
        codec->ops->read_end(codec, why == GW_EOF ? GW_ERESET : why, link->links->now);
        while ((node = gw_list_pop_front(&codec->flushing)) != NULL)
            gw_link_tell_unsent(link, GW_CONTAINER(node, struct gw_stream, flushing));
    }
    gw_chain_clear(&link->rx);
    gw_link_forget_head(link);
}

/* ---- writing ---- */

/* Codec bytes that have left: exact in clear text; under an engine known when all of it is sealed
 * and gone. */
static void count_flushed(struct gw_link *link)
{
    struct gw_codec *codec = link->codec;

    if (link->is_lost) /* what it had to send is gone, and not sent */
        return;
    if (link->tls == NULL)
        codec->flushed = codec->written - link->tx.len;
    else if (gw_chain_is_empty(&link->tx))
        codec->flushed = codec->written - link->tls->out.len;
}

static void tell_flushed(struct gw_link *link)
{
    struct gw_codec *codec = link->codec;
    struct gw_list *node;

    if (codec == NULL)
        return;
    count_flushed(link);
    while ((node = codec->flushing.next) != &codec->flushing) {
        struct gw_stream *s = GW_CONTAINER(node, struct gw_stream, flushing);
        if (s->out_mark > codec->flushed)
            return;
        gw_list_remove(node);
        link->links->above->flushed(s);
    }
}

/* What an attempt took and gave back is no news for those who wait for blocks: else two whose heads need
 * more than there is would call each other for ever. */
static void forget_attempt(struct gw_pool *pool, const struct gw_pool *before)
{
    if (pool->out == before->out && pool->promised == before->promised)
        pool->returns = before->returns;
}

/* Fills tx from the codec. GW_OK, or the link is lost. */
static gw_status fill(struct gw_link *link)
{
    const struct gw_pool before = *link->links->pool;
    size_t mark = TX_MARK_BLOCKS * (size_t)link->links->pool->block_bytes;
    struct gw_chain *out = link->tls != NULL ? &link->tls->out : &link->tx;
    gw_status status = GW_OK;

    if (link->codec != NULL && out->len < mark && link->codec->ops->wants_write(link->codec))
        status = link->codec->ops->write(link->codec, out, mark, link->links->now);
    if (link->tls != NULL && (status == GW_OK || status == GW_ENOMEM)) {
        gw_status sealed = link->tls->engine->ops->seal(link->tls->engine, out, &link->tx, mark);
        if (sealed != GW_OK)
            status = sealed;
    }
    if (status != GW_ENOMEM)
        return status;
    if (!gw_chain_is_empty(&link->tx)) /* what was written leaves, and frees blocks */
        return GW_OK;
    forget_attempt(link->links->pool, &before);
    gw_link_mark_starving(link);
    return GW_OK;
}

static void send_tx(struct gw_link *link)
{
    gw_const_span spans[GW_LINK_SPANS_MAX];
    size_t n = gw_chain_peek(&link->tx, spans, GW_LINK_SPANS_MAX);
    gw_status status;

    link->is_send_pending = true;
    status = link->links->ops->send(link->links->io, link, spans, n);
    if (status != GW_OK) {
        link->is_send_pending = false;
        gw_link_lose(link, status);
    }
}

/* A whole record fits, and a whole hello, whatever a block is. */
static size_t wire_max(const struct gw_link *link)
{
    enum { RECORDS = 18 * 1024 };
    size_t block = link->links->pool->block_bytes;

    return block > RECORDS ? block : RECORDS;
}

/* More than the codec ever has there: a peer makes the engine answer, and does not read. */
static bool is_answering_much(const struct gw_link *link)
{
    return link->tx.len > 2 * TX_MARK_BLOCKS * (size_t)link->links->pool->block_bytes;
}

bool gw_conn_wants_read(const struct gw_link *link)
{
    if (link->is_read_ended || link->is_closed)
        return false;
    switch ((enum gw_link_phase)link->phase) {
    case GW_LINK_SECURING:
        return link->rx.len < wire_max(link);
    case GW_LINK_OPEN:
        if (link->tls != NULL && (link->rx.len >= wire_max(link) || is_answering_much(link)))
            return false;
        if (link->codec == NULL) /* no more than it takes to know, or until there is memory */
            return clear_in_const(link)->len < link->links->pool->block_bytes;
        if (link->codec->state == GW_CODEC_OVER)
            return true; /* only to see the peer's end */
        return link->codec->ops->wants_read(link->codec, clear_in_const(link)->len);
    case GW_LINK_LINGERING:
        return true;
    case GW_LINK_CONNECTING:
    case GW_LINK_ENDING:
    case GW_LINK_RETURNING:
    case GW_LINK_CLOSING:
        return false;
    }
    return false;
}

uint32_t gw_conn_want(const struct gw_link *link)
{
    uint32_t want = 0;

    if (link->is_closed)
        return 0;
    if (link->phase == GW_LINK_CLOSING)
        return GW_WANT_CLOSE;
    if (link->phase == GW_LINK_RETURNING)
        return GW_WANT_RETURN;
    if (link->phase == GW_LINK_CONNECTING)
        return link->is_connect_reported ? 0 : GW_WANT_CONNECT;
    if (gw_conn_wants_read(link))
        want |= GW_WANT_READ;
    if (!gw_chain_is_empty(&link->tx) && link->broken == GW_OK)
        want |= GW_WANT_WRITE;
    if (link->is_shutdown_begun && !link->is_shutdown_done)
        want |= GW_WANT_SHUTDOWN;
    return want;
}

/* Is there anything that still wants to go out? */
static bool has_output(const struct gw_link *link)
{
    return !gw_chain_is_empty(&link->tx) ||
           (link->tls != NULL && (!gw_chain_is_empty(&link->tls->out) ||
                                  link->tls->engine->ops->wants_seal(link->tls->engine))) ||
           (link->codec != NULL && !link->is_lost && link->codec->ops->wants_write(link->codec));
}

static inline bool is_over(const struct gw_link *link)
{
    const struct gw_codec *codec = link->codec;

    if (link->phase != GW_LINK_OPEN || codec == NULL || codec->streams > 0)
        return false;
    /* After the peer's end, what it asked before may still lie there. */
    return codec->state == GW_CODEC_OVER ||
           (link->is_end_told && gw_chain_is_empty(clear_in_const(link)));
}

bool gw_conn_is_over(const struct gw_link *link)
{
    return is_over(link);
}

/* Is there a side to be ended when all is sent? */
static bool is_ending(const struct gw_link *link)
{
    return link->phase == GW_LINK_ENDING ||
           (link->phase == GW_LINK_OPEN && link->codec != NULL && link->codec->is_write_done);
}

/* The sending side is ended when all is sent: of a link that is over, or of a tunnel's half. */
static void check_over(struct gw_link *link)
{
    if (is_over(link)) {
        check_calmed(link);
        if (has_output(link)) {
            gw_link_hurry(link);
        } else {
            gw_link_end(link);
            if (link->tls != NULL)
                return; /* the engine's own end is sealed first */
        }
    }
    if (!is_ending(link) || has_output(link) || link->is_send_pending)
        return;
    if (link->phase != GW_LINK_ENDING) {
        if (gw_link_close_engine(link))
            link->is_shutdown_begun = true;
        return;
    }
    if (link->is_client || link->is_read_ended) {
        gw_link_lose(link, GW_EOF);
        return;
    }
    if (link->is_shutdown_asked)
        gw_link_linger(link);
    link->is_shutdown_begun = true;
}

static void begin_connect(struct gw_link *link)
{
    const struct gw_upstream *u = link->upstream;
    gw_destination d = GW_SPEC(gw_destination);
    gw_status status;

    if (link->is_connect_begun)
        return;
    link->is_connect_begun = true;
    d.protocols = u->spec.protocol;
    d.address = u->address;
    d.cluster = u->cluster;
    d.endpoint = u->endpoint;
    status = link->links->ops->connect(link->links->io, link, &d);
    if (status != GW_OK && !link->is_connect_reported)
        gw_link_connected(link, status, NULL);
}

static void begin_close(struct gw_link *link)
{
    if (link->is_close_begun || link->is_closed)
        return;
    link->is_close_begun = true;
    link->links->ops->close(link->links->io, link);
}

static void begin_return(struct gw_link *link)
{
    if (link->is_close_begun || link->is_closed)
        return;
    link->is_close_begun = true;
    if (link->links->ops->give_back(link->links->io, link) == GW_OK)
        return;
    link->is_close_begun = false;
    gw_link_lose(link, GW_EIO);
}

/* Asks the backend for what is wanted. */
static void ask_backend(struct gw_link *link)
{
    const struct gw_io_ops *ops = link->links->ops;

    if (link->phase == GW_LINK_CONNECTING) {
        begin_connect(link);
        return;
    }
    if (!link->is_send_pending && !gw_chain_is_empty(&link->tx) && !link->is_lost &&
        link->broken == GW_OK)
        send_tx(link);
    if (link->is_shutdown_begun && !link->is_shutdown_asked) {
        link->is_shutdown_asked = true;
        if (link->phase == GW_LINK_ENDING)
            gw_link_linger(link);
        if (ops->shutdown(link->links->io, link) != GW_OK)
            gw_link_lose(link, GW_EIO);
    }
    if (gw_conn_wants_read(link) && !link->is_recv_pending) {
        gw_status status;
        link->is_recv_pending = true;
        status = ops->recv(link->links->io, link);
        if (status != GW_OK) {
            link->is_recv_pending = false;
            gw_link_lose(link, status);
        }
    }
    if (link->phase == GW_LINK_RETURNING)
        begin_return(link);
    if (link->phase == GW_LINK_CLOSING)
        begin_close(link);
}

/* Mode 1: the host is told that the level has changed. */
static void tell_want(struct gw_link *link)
{
    if (link->is_shutdown_begun && link->phase == GW_LINK_ENDING)
        gw_link_linger(link);
    if (gw_conn_want(link) == link->told_want) {
        gw_list_remove(&link->notice);
        return;
    }
    if (!gw_list_is_linked(&link->notice))
        gw_list_push_back(&link->links->notices, &link->notice);
}

static void fail_write(struct gw_link *link, gw_status status)
{
    if (gw_link_is_connecting(link))
        fail_securing(link, status);
    else
        fail_engine(link, status);
}

void gw_link_write(struct gw_link *link)
{
    gw_status status = GW_OK;

    if (link->is_closed)
        return;
    gw_link_stamp(link);
    if (!link->is_lost && (link->phase == GW_LINK_SECURING || link->phase == GW_LINK_OPEN ||
                           link->phase == GW_LINK_ENDING))
        status = fill(link);
    if (status != GW_OK)
        fail_write(link, status);
    check_over(link);
    if (link->links->ops != NULL)
        ask_backend(link);
    else
        tell_want(link);
    tell_flushed(link);
    if (gw_link_is_idle(link)) {
        rest(link);
        gw_slot_rest(link);
    }
    gw_link_rearm(link);
}
