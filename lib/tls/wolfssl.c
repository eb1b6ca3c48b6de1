/* tls/wolfssl.c: one session of wolfSSL as an engine over chains. Its I/O callbacks touch memory alone. A
 * server's session is made when the ClientHello is whole: before that nothing of wolfSSL's is held, and
 * what is not TLS is told so. */

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/address.h"
#include "base/assert.h"
#include "base/text.h"
#include "tls/wolfssl_ticket.h"

enum { RECORD_MAX = 16 * 1024, RECORD_HEAD = 5, SEAL_OVERHEAD = 64, HANDSHAKE = 22 };
enum { FAULT_MAX = 192, IDENTITY_MAX = 512 };
/* A piece of this length is sealed where it lies; shorter ones are first put together. */
enum { SEAL_ALONE = 8 * 1024 };
/* Tickets and new keys come one by one; each new key costs more than it takes to ask for it. */
enum { IDLE_RECORDS_MAX = 64 };

struct session {
    struct gw_tls_engine engine; /* first: see of */
    struct gw_heap *heap;
    gw_tls *tls;
    WOLFSSL *ssl;        /* NULL: a server that waits for a hello */
    struct gw_chain *in; /* while open runs */
    struct gw_chain *out;
    uint8_t *scratch;
    uint8_t *room, *room_at, *room_end; /* in out, for the record that is being sealed */
    gw_str name;                        /* client: expected; server: asked for          */
    gw_str identity;                    /* of a verified peer                            */
    struct gw_tickets *tickets;
    struct gw_tls_kept *kept; /* client */
    uint64_t since;           /* the peer was verified: see gw_tls_kept */
    uint64_t offered;         /* hash of the ticket; 0: none was        */
    uint32_t pair;            /* server: the certificate */
    uint32_t protocols;
    uint32_t owed; /* bytes of a record that is sealed, and not out yet */
    bool is_ready, is_over, is_closing, is_end_sent, is_peer_ended;
    bool lacks_memory;        /* ours: the peer is not at fault */
    bool is_checked;          /* the peer's own certificate is for whom it should be   */
    bool is_offered, is_kept; /* client: a session, to the server; ours, for later */
    bool owes_change, is_change_due;
    bool is_stuck;                       /* a record of the handshake waits for memory */
    bool is_short;                       /* there was no memory for what was to be sent */
    uint8_t head[RECORD_HEAD], head_len; /* of the record that is being read  */
    size_t rest;                         /* of it: has not been read          */
    uint32_t idle_records;               /* since the last one with data      */
    char fault[FAULT_MAX];
};

static struct session *of(struct gw_tls_engine *e)
{
    return (struct session *)(void *)e;
}

static const struct session *of_const(const struct gw_tls_engine *e)
{
    return (const struct session *)(const void *)e;
}

/* ---- over ---- */

static struct gw_text begin_fault(struct session *s)
{
    struct gw_text text;

    gw_text_init(&text, s->fault, sizeof s->fault);
    return text;
}

/* The first reason is the one. */
static gw_status fail(struct session *s, const char *why)
{
    s->is_over = true;
    if (s->is_offered && !s->is_ready)
        gw_tls_kept_drop(s->kept); /* it may be what the server cannot bear */
    if (s->fault[0] == '\0') {
        struct gw_text text = begin_fault(s);
        gw_text_cstr(&text, why);
    }
    return GW_ETLS;
}

/* RFC 8446 6, of what peers say most: why they went. */
static const char *alert_text(int code)
{
    switch (code) {
    case 40:
        return "the peer says: handshake_failure";
    case 42:
        return "the peer says: bad_certificate";
    case 44:
        return "the peer says: certificate_revoked";
    case 45:
        return "the peer says: certificate_expired";
    case 46:
        return "the peer says: certificate_unknown";
    case 48:
        return "the peer says: unknown_ca";
    case 49:
        return "the peer says: access_denied";
    case 70:
        return "the peer says: protocol_version";
    case 112:
        return "the peer says: unrecognized_name";
    case 116:
        return "the peer says: certificate_required";
    case 120:
        return "the peer says: no_application_protocol";
    default:
        return "the peer has sent a fatal alert";
    }
}

/* In clear: TLS 1.3 clients end a handshake so that they do not like, and wolfSSL takes it for nonsense. */
static const uint8_t alert_head[RECORD_HEAD] = { 21, 3, 3, 0, 2 };

static const char *why(struct session *s, int error)
{
    WOLFSSL_ALERT_HISTORY alerts;
    uint8_t alert[2];

    if (!s->is_ready && s->rest == 2 && memcmp(s->head, alert_head, RECORD_HEAD) == 0 &&
        s->in != NULL && gw_chain_read(s->in, 0, alert, 2) == 2)
        return alert_text(alert[1]);
    if (error != FATAL_ERROR || wolfSSL_get_alert_history(s->ssl, &alerts) != WOLFSSL_SUCCESS)
        return gw_wolf_text(error);
    return alert_text(alerts.last_rx.code);
}

/* What wolfSSL has answered, as ours. GW_AGAIN: it needs more of the wire. A client's that could not send
 * twice in a row forgets why. */
static gw_status judge(struct session *s, int result)
{
    int error = wolfSSL_get_error(s->ssl, result);

    if (error == WOLFSSL_ERROR_NONE && s->is_short)
        error = WOLFSSL_ERROR_WANT_WRITE;
    s->is_short = false;

#ifdef OPENSSL_EXTRA
    wolfSSL_ERR_clear_error();
#endif
    s->is_stuck = error == WOLFSSL_ERROR_WANT_WRITE;
    switch (error) {
    case WOLFSSL_ERROR_WANT_READ:
        return GW_AGAIN;
    case WOLFSSL_ERROR_WANT_WRITE:
        return GW_ENOMEM;
    case WOLFSSL_ERROR_ZERO_RETURN:
        s->is_peer_ended = true;
        return GW_EOF;
    default:
        (void)fail(s, why(s, error));
        return s->lacks_memory || error == MEMORY_E ? GW_ELIMIT : GW_ETLS;
    }
}

/* ---- the wire ---- */

/* Where in which record the library is. */
static void follow(struct session *s, const uint8_t *at, size_t n)
{
    while (n > 0) {
        size_t step = s->rest > 0 ? s->rest : (size_t)RECORD_HEAD - s->head_len;
        step = step < n ? step : n;
        if (s->rest > 0) {
            s->rest -= step;
        } else {
            memcpy(s->head + s->head_len, at, step);
            s->head_len = (uint8_t)(s->head_len + step);
        }
        if (s->head_len == RECORD_HEAD) {
            s->idle_records++;
            s->rest = (size_t)s->head[3] << 8 | s->head[4];
            s->head_len = 0;
        }
        at += step;
        n -= step;
    }
}

static int receive(WOLFSSL *ssl, char *buf, int len, void *ctx)
{
    struct session *s = ctx;
    size_t n;

    (void)ssl;
    if (s->in == NULL || s->in->len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    if (s->is_ready && s->idle_records > IDLE_RECORDS_MAX) {
        (void)fail(s, "too many records without any data");
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    n = gw_chain_read(s->in, 0, buf, (size_t)len);
    gw_chain_drop(s->in, n);
    follow(s, (const uint8_t *)buf, n);
    return (int)n;
}

/* RFC 8446 D.4: who offers a session id is sent a ChangeCipherSpec behind the first record of a TLS 1.3
 * handshake. wolfSSL leaves that out. Returns how much of buf is that record; 0: none is owed. */
static size_t first_record(struct session *s, const char *buf, size_t len)
{
    size_t n;

    if (!s->owes_change || len < RECORD_HEAD || buf[0] != HANDSHAKE)
        return 0;
    s->owes_change = false;
    if (wolfSSL_version(s->ssl) != TLS1_3_VERSION)
        return 0;
    n = RECORD_HEAD + ((size_t)(uint8_t)buf[3] << 8 | (uint8_t)buf[4]);
    s->is_change_due = n <= len;
    return n <= len ? n : 0;
}

static gw_status write_change(struct session *s)
{
    static const uint8_t change[] = { 20, 3, 3, 0, 1, 1 };
    gw_status status = GW_OK;

    if (s->is_change_due)
        status = gw_chain_write(s->out, change, sizeof change);
    if (status == GW_OK)
        s->is_change_due = false;
    return status;
}

static void leave_room(struct session *s)
{
    if (s->room != NULL)
        gw_chain_commit(s->out, (size_t)(s->room_at - s->room));
    s->room = NULL;
}

static int send_bytes(WOLFSSL *ssl, char *buf, int len, void *ctx)
{
    struct session *s = ctx;
    size_t n = (size_t)len, first;

    (void)ssl;
    if (s->room != NULL && n <= (size_t)(s->room_end - s->room_at)) {
        memcpy(s->room_at, buf, n);
        s->room_at += n;
        return len;
    }
    leave_room(s); /* the client has asked for many small records */
    s->is_short = true;
    if (write_change(s) != GW_OK)
        return WOLFSSL_CBIO_ERR_WANT_WRITE;
    first = first_record(s, buf, n);
    if (first > 0)
        n = first;
    s->is_short = gw_chain_write(s->out, buf, n) != GW_OK;
    if (!s->is_short)
        return (int)n;
    s->owes_change = s->owes_change || first > 0;
    s->is_change_due = false;
    return WOLFSSL_CBIO_ERR_WANT_WRITE;
}

/* ---- whom we speak with ---- */

static void tell_presented(struct gw_text *text, const DecodedCert *cert)
{
    enum { TOLD_MAX = 3 };
    const DNS_entry *at = NULL;
    struct gw_tls_name name;
    int n = 0;

    for (; n < TOLD_MAX && gw_wolf_next_name(cert, &at, &name); n++) {
        gw_text_cstr(text, n > 0 ? ", " : "");
        gw_tls_name_tell(text, &name);
    }
    if (n == 0)
        gw_text_cstr(text, "nobody by subjectAltName");
    else if (gw_wolf_next_name(cert, &at, &name))
        gw_text_cstr(text, ", ...");
}

static bool is_for(const struct session *s, const DecodedCert *cert)
{
    const DNS_entry *at = NULL;
    struct gw_tls_name name;

    while (gw_wolf_next_name(cert, &at, &name))
        if (gw_tls_name_covers(&name, s->name))
            return true;
    return false;
}

static bool is_allowed(const struct session *s, const struct gw_tls_name *name)
{
    for (size_t i = 0; i < s->tls->peers_len; i++)
        if (gw_tls_name_allows(s->tls->peers[i], name))
            return true;
    return s->tls->peers_len == 0;
}

static struct gw_tls_name common_name(const DecodedCert *cert)
{
    size_t len = cert->subjectCN != NULL ? (size_t)cert->subjectCNLen : 0;

    return (struct gw_tls_name){ GW_TLS_SUBJECT, { cert->subjectCN, len } };
}

static bool is_text(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < ' ' || (uint8_t)s.ptr[i] == 0x7f)
            return false;
    return s.len > 0 && s.len + 3 <= IDENTITY_MAX;
}

/* By what a client is known: a URI (SPIFFE) before a name, that before its subject; of what is allowed. */
static bool find_identity(const struct session *s, const DecodedCert *cert, struct gw_tls_name *out)
{
    const DNS_entry *at = NULL;
    struct gw_tls_name name = common_name(cert);
    bool is_found = is_allowed(s, &name);

    if (is_found)
        *out = name;
    for (; gw_wolf_next_name(cert, &at, &name);) {
        bool is_better = !is_found || out->kind == GW_TLS_SUBJECT ||
                         (out->kind != GW_TLS_URI && name.kind == GW_TLS_URI);
        if (is_better && name.kind != GW_TLS_IP && is_allowed(s, &name)) {
            *out = name;
            is_found = true;
        }
    }
    return is_found;
}

/* A subject as "CN=x": nobody takes it for a name that somebody vouched for. */
static gw_status keep_identity(struct session *s, const struct gw_tls_name *who)
{
    char line[IDENTITY_MAX + 1];
    struct gw_text text;

    gw_text_init(&text, line, sizeof line);
    if (who->kind == GW_TLS_SUBJECT)
        gw_text_cstr(&text, "CN=");
    gw_text_str(&text, who->text);
    return gw_heap_copy(s->heap, gw_cstr(line), &s->identity);
}

static bool check_client(struct session *s, const DecodedCert *cert)
{
    struct gw_tls_name who;
    struct gw_text text;

    if (!find_identity(s, cert, &who)) {
        text = begin_fault(s);
        gw_text_cstr(&text, "the client is none of those that may come; its certificate is for ");
        tell_presented(&text, cert);
        return false;
    }
    gw_heap_release_str(s->heap, s->identity);
    s->identity = (gw_str){ NULL, 0 };
    s->lacks_memory |= is_text(who.text) && keep_identity(s, &who) != GW_OK;
    return !s->lacks_memory;
}

static bool check_server(struct session *s, const DecodedCert *cert)
{
    struct gw_text text;

    if (is_for(s, cert))
        return true;
    text = begin_fault(s);
    gw_text_cstr(&text, "expected a certificate for ");
    gw_text_str(&text, s->name);
    gw_text_cstr(&text, ", it is for ");
    tell_presented(&text, cert);
    return false;
}

/* Who can make two documents with one SHA-1 sum can have anybody's certificate. A root signs itself: of
 * that nobody makes anything. */
static bool is_weak(const DecodedCert *cert)
{
    switch (cert->signatureOID) {
    case CTC_MD2wRSA:
    case CTC_MD5wRSA:
    case CTC_SHAwDSA:
    case CTC_SHAwRSA:
    case CTC_SHAwECDSA:
        return !cert->selfSigned;
    default:
        return false;
    }
}

static bool check_strength(struct session *s, const DecodedCert *cert)
{
    if (!is_weak(cert))
        return true;
    struct gw_text text = begin_fault(s);
    gw_text_cstr(
        &text, "the peer's certificate: it, or one that leads to it, is signed with SHA-1 or MD5");
    return false;
}

/* Its own first, then those that it sends along. */
static bool check_peer(struct session *s, const WOLFSSL_BUFFER_INFO *certs, int len)
{
    bool is_good = true;

    for (int i = 0; is_good && i < len; i++) {
        int error;
        DecodedCert *cert = gw_wolf_parse(s->heap, certs[i].buffer, certs[i].length, &error);
        s->lacks_memory |= cert == NULL && error == MEMORY_E;
        if (cert == NULL)
            return false;
        is_good = check_strength(s, cert);
        if (is_good && i == 0)
            is_good = s->tls->role == GW_TLS_CLIENT ? check_server(s, cert) : check_client(s, cert);
        gw_wolf_forget(s->heap, cert);
    }
    return is_good;
}

/* The library has two sets of numbers for the same things, and words for few of the second. */
static const char *why_not(int error)
{
    switch (error) {
    case ASN_BEFORE_DATE_E:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
        return "it is not yet valid";
    case ASN_AFTER_DATE_E:
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
        return "it has expired";
    case CRL_CERT_REVOKED:
    case X509_V_ERR_CERT_REVOKED:
        return "it was revoked";
    case ASN_NO_SIGNER_E:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        return "nobody that is trusted has signed it";
    default:
        return gw_wolf_text(error);
    }
}

/* Nothing is shown: a client that need not. It has no identity then. */
static bool allows_nobody(struct session *s)
{
    if (s->tls->role == GW_TLS_SERVER && s->tls->verify == GW_VERIFY_IF_GIVEN)
        return true;
    if (s->fault[0] == '\0') {
        struct gw_text text = begin_fault(s);
        gw_text_cstr(&text, "the peer shows no certificate");
    }
    return false;
}

/* For each certificate of a chain that is good, or the first that is not; the peer's own comes last. */
int gw_wolf_verify(int is_good, WOLFSSL_X509_STORE_CTX *store)
{
    struct session *s = store->userCtx;
    struct gw_text text;

    if (s->tls->verify == GW_VERIFY_NOT)
        return 1;
    if (!is_good) {
        if (s->fault[0] == '\0') {
            text = begin_fault(s);
            gw_text_cstr(&text, "the peer's certificate: ");
            gw_text_cstr(&text, why_not(store->error));
        }
        return 0;
    }
    if (store->error_depth > 0)
        return 1;
    if (store->certs == NULL || store->totalCerts < 1)
        return allows_nobody(s);
    s->is_checked = check_peer(s, store->certs, store->totalCerts);
    return s->is_checked;
}

/* Whatever the library did or did not ask: nobody comes through that was not looked at. */
static gw_status check_verified(struct session *s)
{
    bool is_server = s->tls->role == GW_TLS_SERVER;

    if (s->is_checked || s->tls->verify == GW_VERIFY_NOT)
        return GW_OK;
    if (s->is_offered && wolfSSL_session_reused(s->ssl)) { /* it was, when that session was made */
        s->is_checked = true;
        return GW_OK;
    }
    if (is_server && s->tls->verify == GW_VERIFY_IF_GIVEN)
        return GW_OK;
    return fail(s, "the peer's certificate was not verified");
}

/* ---- the handshake ---- */

static const char *alpn_list(uint32_t protocols)
{
    switch (protocols) {
    case GW_PROTO_H1:
        return "http/1.1";
    case GW_PROTO_H2:
        return "h2";
    default:
        return "h2,http/1.1";
    }
}

/* ---- resumption ---- */

int gw_wolf_ticket(WOLFSSL *ssl, byte *name, byte *iv, byte *mac, int seals, byte *bytes, int len,
                   int *out_len, void *ctx)
{
    struct session *s = wolfSSL_GetIOReadCtx(ssl);
    const struct gw_wolf_ticket_use use = { s->tickets, s->tls, s->pair, s->name };

    (void)ctx;
    if (s->tickets == NULL)
        return WOLFSSL_TICKET_RET_REJECT;
    return seals ? gw_wolf_seal_ticket(&use, ssl, name, iv, mac, bytes, len, out_len)
                 : gw_wolf_open_ticket(&use, ssl, name, iv, mac, bytes, len, out_len);
}

static void refuse_tickets(struct session *s)
{
    (void)wolfSSL_no_ticket_TLSv13(s->ssl); /* that is said of a version that it does not speak */
    (void)wolfSSL_NoTicketTLSv12(s->ssl);
}

void gw_tls_kept_drop(struct gw_tls_kept *kept)
{
    if (kept->native != NULL)
        wolfSSL_SESSION_free(kept->native);
    kept->native = NULL;
}

/* 0: there is none. */
static uint64_t ticket_hash(struct session *s)
{
    word32 len = GW_TLS_SCRATCH;

    if (wolfSSL_get_SessionTicket(s->ssl, s->scratch, &len) != WOLFSSL_SUCCESS || len == 0)
        return 0;
    return XXH64(s->scratch, len, 0) | 1;
}

/* However often it is resumed: after a life the peer is looked at again. */
static void offer(struct session *s)
{
    uint64_t now;

    if (s->kept == NULL || s->kept->native == NULL)
        return;
    now = gw_tickets_now(s->tickets);
    s->since = s->kept->since;
    s->is_offered = now >= s->since && now - s->since < s->tls->ticket_life &&
                    wolfSSL_set_session(s->ssl, s->kept->native) == WOLFSSL_SUCCESS;
    if (s->is_offered)
        s->offered = ticket_hash(s);
    else
        gw_tls_kept_drop(s->kept);
}

/* A ticket of TLS 1.3 comes behind the handshake: until then the one that was offered lies there, with the
 * secret of the new session, which is not its own. What is held is wolfSSL's own of this session: a later
 * ticket takes the place of the first. Of TLS 1.2 none is kept: a server that declines it would look to
 * wolfSSL like one that is broken. */
static void keep(struct session *s)
{
    WOLFSSL_SESSION *mine;
    uint64_t ticket;

    if (s->kept == NULL || s->is_kept || wolfSSL_version(s->ssl) != TLS1_3_VERSION)
        return;
    ticket = ticket_hash(s);
    if (ticket == 0 || ticket == s->offered)
        return;
    mine = wolfSSL_get1_session(s->ssl);
    if (mine == NULL)
        return;
    gw_tls_kept_drop(s->kept);
    s->kept->native = mine;
    s->kept->since = s->since;
    s->is_kept = true;
}

static bool is_resumed(const struct session *s)
{
    return s->ssl != NULL && s->is_ready && wolfSSL_session_reused(s->ssl);
}

static bool set_up(struct session *s)
{
    char alpn[16];
    gw_address address;
    bool is_done = true;

    wolfSSL_SSLSetIORecv(s->ssl, receive);
    wolfSSL_SSLSetIOSend(s->ssl, send_bytes);
    wolfSSL_SetIOReadCtx(s->ssl, s);
    wolfSSL_SetIOWriteCtx(s->ssl, s);
    wolfSSL_SetCertCbCtx(s->ssl, s);
    (void)memcpy(alpn, alpn_list(s->protocols), strlen(alpn_list(s->protocols)) + 1);
    if (wolfSSL_UseALPN(s->ssl, alpn, (unsigned)strlen(alpn), WOLFSSL_ALPN_FAILED_ON_MISMATCH) !=
        WOLFSSL_SUCCESS)
        return false;
    if (s->tls->role == GW_TLS_CLIENT && s->name.len > 0 && gw_ip_parse(s->name, &address) != GW_OK)
        is_done = wolfSSL_UseSNI(s->ssl, WOLFSSL_SNI_HOST_NAME, s->name.ptr,
                                 (unsigned short)s->name.len) == WOLFSSL_SUCCESS;
    return is_done;
}

static gw_status begin(struct session *s, WOLFSSL_CTX *ctx)
{
    s->ssl = wolfSSL_new(ctx);
    if (s->ssl == NULL)
        return GW_ENOMEM;
    if (set_up(s)) {
        if (s->tls->role == GW_TLS_CLIENT)
            offer(s);
        else if (s->tickets == NULL)
            refuse_tickets(s);
        return GW_OK;
    }
    wolfSSL_free(s->ssl);
    s->ssl = NULL;
    return GW_ENOMEM;
}

static gw_status refuse_alert(struct session *s, uint8_t alert, const char *why)
{
    const uint8_t record[] = { 21, 3, 3, 0, 2, 2, alert };

    (void)!gw_chain_write(s->out, record, sizeof record);
    return fail(s, why);
}

/* For people with a browser, and no more of theirs than that. */
static gw_status refuse_http(struct session *s)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 44\r\n"
        "Connection: close\r\n\r\nThis port speaks TLS: ask it with https://.\n";

    (void)!gw_chain_write(s->out, answer, sizeof answer - 1);
    return fail(s, "clear HTTP on a port of TLS");
}

enum { HANDSHAKE_FAILURE = 40, DECODE_ERROR = 50, PROTOCOL_VERSION = 70, RECORD_OVERFLOW = 22 };

/* With a staple where there is one that holds. With TLS 1.3 wolfSSL as Debian has it loses memory for each client that
 * asks for one, so it is not told of it. */
static WOLFSSL_CTX *context_of(const struct session *s, const struct gw_tls_pair *pair,
                               const struct gw_tls_hello *hello)
{
    enum { MARGIN = 60 }; /* seconds that a clock may be slow */
#ifdef GW_WOLFSSL_STAPLES_TLS13
    bool is_safe = true;
#else
    bool is_safe = s->tls->version_max == GW_TLS_1_2 || !hello->has_1_3;
#endif

    (void)hello;
    return pair->stapled != NULL && is_safe && s->tickets != NULL &&
                   gw_tickets_now(s->tickets) + MARGIN < pair->staple_until
               ? pair->stapled
               : pair->native;
}

static gw_status take_hello(struct session *s, const struct gw_tls_hello *hello)
{
    const struct gw_tls_pair *pair = gw_tls_choose(s->tls, hello);
    gw_status status;

    if (pair == NULL)
        return refuse_alert(s, HANDSHAKE_FAILURE, "the client can verify none of the certificates");
    if (s->name.ptr == NULL && hello->name_len > 0) {
        status = gw_heap_copy(s->heap, (gw_str){ hello->name, hello->name_len }, &s->name);
        if (status != GW_OK)
            return status;
    }
    s->pair = (uint32_t)(pair - s->tls->pairs);
    s->owes_change = hello->has_session_id;
    return begin(s, context_of(s, pair, hello));
}

/* GW_AGAIN: it is not whole yet. */
static gw_status read_hello(struct session *s)
{
    struct gw_tls_hello hello;

    switch (gw_tls_hello_read(s->in, &hello)) {
    case GW_TLS_HELLO_WHOLE:
        return take_hello(s, &hello);
    case GW_TLS_HELLO_MORE:
        return GW_AGAIN;
    case GW_TLS_HELLO_HTTP:
        return refuse_http(s);
    case GW_TLS_HELLO_NOT_TLS:
        return fail(s, "what comes is not TLS");
    case GW_TLS_HELLO_OLD:
        return refuse_alert(s, PROTOCOL_VERSION, "the client offers nothing newer than TLS 1.1");
    case GW_TLS_HELLO_LONG:
        return refuse_alert(s, RECORD_OVERFLOW, "the ClientHello is too long");
    case GW_TLS_HELLO_BROKEN:
        break;
    }
    return refuse_alert(s, DECODE_ERROR, "the ClientHello is broken");
}

/* GW_OK: it is over; GW_AGAIN: the peer's turn. */
static gw_status shake_hands(struct session *s)
{
    gw_status status = GW_OK;
    int done;

    if (s->ssl == NULL)
        status = read_hello(s);
    if (status != GW_OK)
        return status;
    done = wolfSSL_negotiate(s->ssl);
    if (done != WOLFSSL_SUCCESS)
        return judge(s, done);
    s->is_stuck = false;
    status = check_verified(s);
    s->is_ready = status == GW_OK;
    if (s->is_ready && s->kept != NULL && !is_resumed(s))
        s->since = gw_tickets_now(s->tickets);
    return status;
}

/* ---- open ---- */

/* Reads at most one record's bytes into one place. GW_AGAIN: there is no whole record. */
static gw_status open_some(struct session *s, struct gw_chain *clear)
{
    size_t most = clear->pool->block_bytes < RECORD_MAX ? clear->pool->block_bytes : RECORD_MAX;
    size_t n = s->in->len + (size_t)wolfSSL_pending(s->ssl);
    uint8_t *at;
    int got;

    if (n == 0)
        return GW_AGAIN;
    n = n < most ? n : most;
    at = gw_chain_reserve(clear, n);
    if (at == NULL)
        return GW_ENOMEM;
    got = wolfSSL_read(s->ssl, at, (int)n);
    gw_chain_commit(clear, got > 0 ? (size_t)got : 0);
    if (got > 0)
        s->idle_records = 0;
    return got > 0 ? GW_OK : judge(s, got);
}

static gw_status wolf_open(struct gw_tls_engine *e, struct gw_chain *wire, struct gw_chain *clear,
                           size_t mark)
{
    struct session *s = of(e);
    gw_status status = GW_OK;

    if (s->is_over)
        return GW_ETLS;
    if (s->is_peer_ended)
        return GW_EOF;
    s->in = wire;
    if (!s->is_ready)
        status = shake_hands(s);
    /* A record that is opened is handed over whole: of what lies in the library nobody would know. */
    while (status == GW_OK && (clear->len < mark || wolfSSL_pending(s->ssl) > 0))
        status = open_some(s, clear);
    if (s->is_ready)
        keep(s);
    s->in = NULL;
    return status == GW_AGAIN ? GW_OK : status;
}

/* ---- seal ---- */

/* The next bytes to be sealed as one record, in one piece. */
static const void *piece(struct session *s, const struct gw_chain *clear, size_t *len)
{
    gw_const_span front = gw_chain_front(clear);
    size_t most = s->out->pool->block_bytes - SEAL_OVERHEAD;

    if (most > RECORD_MAX)
        most = RECORD_MAX;
    *len = s->owed > 0 ? s->owed : clear->len < most ? clear->len : most;
    if (front.len >= *len)
        return front.ptr;
    if (s->owed == 0 && front.len >= SEAL_ALONE) {
        *len = front.len;
        return front.ptr;
    }
    *len = gw_chain_read(clear, 0, s->scratch, *len);
    return s->scratch;
}

/* The record goes straight to the place where it will lie: there is memory for it before it is sealed. */
static gw_status seal_some(struct session *s, struct gw_chain *clear)
{
    size_t len;
    const void *bytes = piece(s, clear, &len);
    int done;

    s->room = s->room_at = gw_chain_reserve(s->out, len + SEAL_OVERHEAD);
    if (s->room == NULL)
        return GW_ENOMEM;
    s->room_end = s->room + len + SEAL_OVERHEAD;
    done = wolfSSL_write(s->ssl, bytes, (int)len);
    leave_room(s);
    if (done > 0) {
        s->owed = 0;
        gw_chain_drop(clear, (size_t)done);
        return GW_OK;
    }
    s->owed = (uint32_t)len;
    return judge(s, done);
}

static gw_status seal_end(struct session *s)
{
    int done;

    if (!s->is_closing || s->is_end_sent)
        return GW_OK;
    done = wolfSSL_shutdown(s->ssl);
    s->is_end_sent = done == WOLFSSL_SUCCESS || done == WOLFSSL_SHUTDOWN_NOT_DONE;
    return s->is_end_sent || judge(s, done) == GW_AGAIN ? GW_OK : GW_ENOMEM;
}

static gw_status wolf_seal(struct gw_tls_engine *e, struct gw_chain *clear, struct gw_chain *wire,
                           size_t mark)
{
    struct session *s = of(e);
    gw_status status = GW_OK;

    GW_ASSERT(wire == s->out);
    if (s->is_over)
        return GW_OK;
    if (!s->is_ready && s->ssl != NULL)
        status = shake_hands(s);
    if (!s->is_ready)
        return status == GW_AGAIN ? GW_OK : status;
    while (status == GW_OK && clear->len > 0 && wire->len < mark)
        status = seal_some(s, clear);
    if (status == GW_OK && clear->len == 0)
        status = seal_end(s);
    return status == GW_AGAIN ? GW_OK : status;
}

/* ---- the rest ---- */

static void wolf_close(struct gw_tls_engine *e)
{
    of(e)->is_closing = true;
}

static bool wolf_wants_seal(const struct gw_tls_engine *e)
{
    const struct session *s = of_const(e);

    return !s->is_over && (s->is_ready ? s->is_closing && !s->is_end_sent : s->is_stuck);
}

static bool wolf_is_amid(const struct gw_tls_engine *e)
{
    const struct session *s = of_const(e);

    return s->rest > 0 || s->head_len > 0;
}

static bool wolf_is_ready(const struct gw_tls_engine *e)
{
    return of_const(e)->is_ready;
}

static bool wolf_is_resumed(const struct gw_tls_engine *e)
{
    return is_resumed(of_const(e));
}

static gw_str agreed(const struct session *s)
{
    char *name = NULL;
    word16 len = 0;

    if (wolfSSL_ALPN_GetProtocol(s->ssl, &name, &len) != WOLFSSL_SUCCESS)
        return (gw_str){ NULL, 0 };
    return (gw_str){ name, len };
}

/* "TLS_AES_128_GCM_SHA256", as it is registered. */
static const char *suite(const struct session *s)
{
    int number = wolfSSL_get_current_cipher_suite(s->ssl);
    const char *name = wolfSSL_get_cipher_name_iana_from_suite((byte)(number >> 8), (byte)number);

    return name != NULL ? name : "";
}

static void wolf_tell(const struct gw_tls_engine *e, gw_facts *out)
{
    const struct session *s = of_const(e);

    out->is_secure = 1;
    out->is_verified = s->is_checked;
    out->server_name = s->name;
    out->alpn = agreed(s);
    out->tls_version = gw_cstr(wolfSSL_get_version(s->ssl));
    out->cipher = gw_cstr(suite(s));
    out->peer_identity = s->identity;
}

static const char *wolf_fault(const struct gw_tls_engine *e)
{
    return of_const(e)->fault;
}

static void wolf_free(struct gw_tls_engine *e)
{
    struct session *s = of(e);
    struct gw_heap *heap = s->heap;

    if (s->ssl != NULL)
        wolfSSL_free(s->ssl);
    gw_heap_release_str(heap, s->name);
    gw_heap_release_str(heap, s->identity);
    gw_tls_unref(s->tls);
    gw_heap_release(heap, s, sizeof *s);
}

static const struct gw_tls_engine_ops ops = {
    .name = "wolfssl",
    .open = wolf_open,
    .seal = wolf_seal,
    .close = wolf_close,
    .wants_seal = wolf_wants_seal,
    .is_amid = wolf_is_amid,
    .is_ready = wolf_is_ready,
    .is_resumed = wolf_is_resumed,
    .tell = wolf_tell,
    .fault = wolf_fault,
    .free = wolf_free,
};

gw_status gw_tls_session_new(const struct gw_tls_session_spec *spec, struct gw_tls_engine **out)
{
    struct session *s = gw_heap_zalloc(spec->heap, sizeof *s);
    gw_status status = GW_OK;

    if (s == NULL)
        return GW_ENOMEM;
    s->engine.ops = &ops;
    s->heap = spec->heap;
    s->tls = gw_tls_ref(spec->tls);
    s->out = spec->wire;
    s->scratch = spec->scratch;
    s->tickets = spec->tickets;
    if (s->tickets != NULL && (s->tls->flags & GW_TLS_NO_TICKETS) == 0)
        s->kept = spec->kept;
    s->protocols = spec->protocols;
    if (s->tls->role == GW_TLS_CLIENT) {
        status = gw_heap_copy(s->heap, spec->name, &s->name);
        if (status == GW_OK)
            status = begin(s, s->tls->native);
    }
    if (status == GW_OK)
        *out = &s->engine;
    else
        wolf_free(&s->engine);
    return status;
}
