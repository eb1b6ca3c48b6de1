/* h2/policy.c: one function a frame type, each a short list of what is wrong with such a frame. Frames
 * behind the peer's own END_STREAM are an error of the stream while our side of it is open (RFC 9113
 * 5.1, half-closed (remote)). When both sides have ended it, or the peer has reset it, 5.1 (closed)
 * leaves the choice, and it is an error of the connection: a peer that does not know its own streams
 * is broken. */

#include "h2/policy.h"

#include <string.h>

#include "base/assert.h"

static const struct gw_h2_verdict pass = { GW_H2_PASS, GW_H2_NO_ERROR };
static const struct gw_h2_verdict drop = { GW_H2_DROP, GW_H2_NO_ERROR };
static const struct gw_h2_verdict close_pass = { GW_H2_CLOSE_PASS, GW_H2_STREAM_CLOSED };

static struct gw_h2_verdict fatal(enum gw_h2_code code)
{
    return (struct gw_h2_verdict){ GW_H2_FATAL, (uint8_t)code };
}

/* More at once than a bound allows. */
static struct gw_h2_verdict calm(struct gw_h2_policy *p)
{
    p->abuse->kind = GW_ABUSE_BOUND;
    return fatal(GW_H2_ENHANCE_YOUR_CALM);
}

/* What is only work: allowed as long as there is patience for it. */
static struct gw_h2_verdict allow(struct gw_h2_policy *p, enum gw_abuse_kind kind, gw_nanos now,
                                  struct gw_h2_verdict verdict)
{
    return gw_abuse_charge(p->abuse, kind, 1, now) ? verdict : fatal(GW_H2_ENHANCE_YOUR_CALM);
}

void gw_h2_policy_init(struct gw_h2_policy *p, bool is_client, struct gw_abuse *abuse)
{
    *p = (struct gw_h2_policy){ .is_client = is_client, .abuse = abuse };
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct gw_h2_frame gw_h2_frame_parse(const uint8_t *head)
{
    return (struct gw_h2_frame){ .length = be32(head) >> 8,
                                 .type = head[3],
                                 .flags = head[4],
                                 .id = be32(head + 5) & 0x7fffffffu };
}

/* The history: clients open odd ids, each larger than those before. */

static uint32_t index_of(uint32_t id)
{
    return (id >> 1) % GW_H2_HISTORY;
}

static bool get(const uint8_t *bits, uint32_t i)
{
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

static void set(uint8_t *bits, uint32_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << (i % 8));
}

static void clear(uint8_t *bits, uint32_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] & ~(1u << (i % 8)));
}

/* Is the id so old that nothing is known of it any more? */
static bool is_forgotten(const struct gw_h2_policy *p, uint32_t id)
{
    return (p->last >> 1) - (id >> 1) >= GW_H2_HISTORY;
}

void gw_h2_policy_opened(struct gw_h2_policy *p, uint32_t id)
{
    GW_ASSERT((id & 1) == 1 && (id > p->last || p->last == 0));
    uint32_t from = p->last == 0 ? 0 : (p->last >> 1) + 1, to = id >> 1;
    if (to - from >= GW_H2_HISTORY) {
        memset(p->opened, 0, sizeof p->opened);
        memset(p->forgiven, 0, sizeof p->forgiven);
    } else {
        for (uint32_t i = from; i <= to; i++) {
            clear(p->opened, i % GW_H2_HISTORY);
            clear(p->forgiven, i % GW_H2_HISTORY);
        }
    }
    set(p->opened, index_of(id));
    p->last = id;
}

void gw_h2_policy_forgive(struct gw_h2_policy *p, uint32_t id)
{
    if (id <= p->last && !is_forgotten(p, id))
        set(p->forgiven, index_of(id));
}

/* Of a stream that is not live. */
enum past { IDLE, NEVER, OURS, THEIRS };

static enum past past_of(const struct gw_h2_policy *p, uint32_t id)
{
    if ((id & 1) == 0 || id > p->last)
        return IDLE;
    if (is_forgotten(p, id))
        return OURS;
    if (get(p->forgiven, index_of(id)))
        return OURS;
    return get(p->opened, index_of(id)) ? THEIRS : NEVER;
}

/* One function a type. Stream 0 and frames in the wrong place have been dealt with. */

/* DATA that hardly carries anything. Upstreams may: what they say in such pieces, we asked for. */
static bool may_be_tiny(struct gw_h2_policy *p, const struct gw_h2_frame *f, gw_nanos now)
{
    if ((f->flags & GW_H2_END_STREAM) != 0)
        return true;
    if (f->length <= ((f->flags & GW_H2_PADDED) != 0 ? 1u : 0u))
        return gw_abuse_charge(p->abuse, GW_ABUSE_EMPTY, 1, now);
    return p->is_client || gw_abuse_charge(p->abuse, GW_ABUSE_TINY, 1, now);
}

static struct gw_h2_verdict on_data(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                    gw_nanos now)
{
    bool is_padded = (f->flags & GW_H2_PADDED) != 0;
    if (f->id == 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (is_padded && f->length < 1)
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    if (!f->is_live) {
        enum past past = past_of(p, f->id);
        if (past != OURS)
            return fatal(past == IDLE ? GW_H2_PROTOCOL_ERROR : GW_H2_STREAM_CLOSED);
    }
    if (f->length > f->connection_window)
        return fatal(GW_H2_FLOW_CONTROL_ERROR);
    if (f->length < GW_ABUSE_TINY_BYTES && !may_be_tiny(p, f, now))
        return fatal(GW_H2_ENHANCE_YOUR_CALM);
    if (f->is_half_closed)
        return close_pass;
    if (f->is_live && !f->is_reset && f->length > f->window)
        return (struct gw_h2_verdict){ GW_H2_RESET_PASS, GW_H2_FLOW_CONTROL_ERROR };
    if (f->is_live && !f->is_reset && f->is_early) /* RFC 9113 8.1 */
        return (struct gw_h2_verdict){ GW_H2_RESET_PASS, GW_H2_PROTOCOL_ERROR };
    return pass;
}

static struct gw_h2_verdict on_headers(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                       gw_nanos now)
{
    uint32_t least = ((f->flags & GW_H2_PADDED) != 0 ? 1u : 0u) +
                     ((f->flags & GW_H2_HAS_PRIORITY) != 0 ? 5u : 0u);
    if (f->id == 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->length < least)
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    if (!f->is_live) {
        enum past past = past_of(p, f->id);
        if (past == NEVER || (past == IDLE && (p->is_client || (f->id & 1) == 0)))
            return fatal(GW_H2_PROTOCOL_ERROR);
        if (past == THEIRS)
            return fatal(GW_H2_STREAM_CLOSED);
        if (past == OURS && !gw_abuse_charge(p->abuse, GW_ABUSE_CHATTER, 1, now))
            return fatal(GW_H2_ENHANCE_YOUR_CALM);
        if (past == IDLE) {
            gw_h2_policy_opened(p, f->id);
            if (p->is_closing)
                gw_h2_policy_forgive(p, f->id);
        }
    }
    p->continuations = 0;
    p->block_id = (f->flags & GW_H2_END_HEADERS) != 0 ? 0 : f->id;
    if (f->is_half_closed)
        return close_pass;
    if ((f->flags & GW_H2_HAS_PRIORITY) != 0 && (f->word & 0x7fffffffu) == f->id)
        return (struct gw_h2_verdict){ GW_H2_FAULT_PASS, GW_H2_PROTOCOL_ERROR };
    return pass;
}

static struct gw_h2_verdict on_continuation(struct gw_h2_policy *p, const struct gw_h2_frame *f)
{
    if (p->block_id == 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (++p->continuations > GW_H2_CONTINUATIONS_MAX)
        return calm(p);
    if ((f->flags & GW_H2_END_HEADERS) != 0)
        p->block_id = 0;
    return pass;
}

/* The scheme of RFC 7540 is not used (RFC 9113 5.3.2); its frames must still be well formed. A stream
 * that depends on itself is an error of the stream (RFC 7540 5.3.1), and so is a wrong length (RFC 9113
 * 6.3); but one that is idle cannot be reset (RFC 9113 6.4): then it is the connection's (5.4.1). */
static struct gw_h2_verdict on_priority(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                        gw_nanos now)
{
    enum gw_h2_code code = f->length != 5 ? GW_H2_FRAME_SIZE_ERROR : GW_H2_PROTOCOL_ERROR;
    if (f->id == 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->length == 5 && (f->word & 0x7fffffffu) != f->id)
        return allow(p, GW_ABUSE_CHATTER, now, drop);
    if (f->is_live)
        return (struct gw_h2_verdict){ GW_H2_RESET_DROP, (uint8_t)code };
    return past_of(p, f->id) == IDLE ? fatal(code) : allow(p, GW_ABUSE_CHATTER, now, drop);
}

static struct gw_h2_verdict on_rst_stream(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                          gw_nanos now)
{
    if (f->id == 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->length != 4)
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    if (f->is_live)
        return p->is_client
                   ? pass /* of what we asked, each once */
                   : allow(p, f->is_answered ? GW_ABUSE_LATE_RESET : GW_ABUSE_RESET, now, pass);
    return past_of(p, f->id) == IDLE ? fatal(GW_H2_PROTOCOL_ERROR)
                                     : allow(p, GW_ABUSE_CHATTER, now, drop);
}

static struct gw_h2_verdict on_settings(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                        gw_nanos now)
{
    bool is_ack = (f->flags & GW_H2_ACK) != 0;
    if (f->id != 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->length % 6 != 0 || (is_ack && f->length != 0))
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    p->has_settings = true;
    if (is_ack)
        return pass;
    if (f->length / 6 > GW_H2_SETTINGS_MAX || ++p->acks_owed > GW_H2_ACKS_MAX)
        return calm(p);
    return allow(p, GW_ABUSE_SETTINGS, now, pass);
}

static struct gw_h2_verdict on_ping(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                    gw_nanos now)
{
    if (f->id != 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->length != 8)
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    if ((f->flags & GW_H2_ACK) != 0)
        return allow(p, GW_ABUSE_CHATTER, now, pass);
    if (++p->acks_owed > GW_H2_ACKS_MAX)
        return calm(p);
    return allow(p, GW_ABUSE_PING, now, pass);
}

static struct gw_h2_verdict on_goaway(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                      gw_nanos now)
{
    if (f->id != 0)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->length < 8)
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    return allow(p, GW_ABUSE_SETTINGS, now, pass);
}

static struct gw_h2_verdict on_window_update(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                             gw_nanos now)
{
    if (f->length != 4)
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    bool is_zero = (f->word & 0x7fffffffu) == 0;
    if (f->id == 0 && is_zero)
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->id != 0 && !f->is_live)
        return past_of(p, f->id) == IDLE ? fatal(GW_H2_PROTOCOL_ERROR)
                                         : allow(p, GW_ABUSE_CHATTER, now, drop);
    if (is_zero)
        return (struct gw_h2_verdict){ GW_H2_RESET_DROP, GW_H2_PROTOCOL_ERROR };
    return allow(p, GW_ABUSE_CHATTER, now, pass);
}

/* Rules about the place of a frame, whatever its type (RFC 9113 3.4, 4.2, 6.10). */
static struct gw_h2_verdict check_place(const struct gw_h2_policy *p, const struct gw_h2_frame *f)
{
    if (!p->has_settings && (f->type != GW_H2_SETTINGS || (f->flags & GW_H2_ACK) != 0))
        return fatal(GW_H2_PROTOCOL_ERROR);
    if (f->length > GW_H2_FRAME_MAX)
        return fatal(GW_H2_FRAME_SIZE_ERROR);
    if (p->block_id != 0 && (f->type != GW_H2_CONTINUATION || f->id != p->block_id))
        return fatal(GW_H2_PROTOCOL_ERROR);
    return pass;
}

struct gw_h2_verdict gw_h2_policy_frame(struct gw_h2_policy *p, const struct gw_h2_frame *f,
                                        gw_nanos now)
{
    struct gw_h2_verdict verdict = check_place(p, f);
    if (verdict.action != GW_H2_PASS)
        return verdict;
    switch (f->type) {
    case GW_H2_DATA:
        return on_data(p, f, now);
    case GW_H2_HEADERS:
        return on_headers(p, f, now);
    case GW_H2_PRIORITY:
        return on_priority(p, f, now);
    case GW_H2_RST_STREAM:
        return on_rst_stream(p, f, now);
    case GW_H2_SETTINGS:
        return on_settings(p, f, now);
    case GW_H2_PUSH_PROMISE: /* of a client, or where we said that we want none */
        return fatal(GW_H2_PROTOCOL_ERROR);
    case GW_H2_PING:
        return on_ping(p, f, now);
    case GW_H2_GOAWAY:
        return on_goaway(p, f, now);
    case GW_H2_WINDOW_UPDATE:
        return on_window_update(p, f, now);
    case GW_H2_CONTINUATION:
        return on_continuation(p, f);
    default: /* RFC 9113 5.5 */
        return allow(p, GW_ABUSE_CHATTER, now, drop);
    }
}
