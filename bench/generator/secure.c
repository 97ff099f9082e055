#include "secure.h"

#include <errno.h>

#include "fatal.h"

#ifdef WITH_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>

/* A read from the socket takes up to so much, that a flood of small records costs no system call each. */
enum { READ_AHEAD = 64 * 1024 };

static SSL_CTX *context;

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "no reason given";
}

void secure_configure(const char *ca, const char *certificate, const char *key)
{
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        fatal("OpenSSL: %s", reason());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
        fatal("%s: %s", ca, reason());
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        fatal("%s: %s", certificate, reason());
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        fatal("%s: %s", key, reason());
}

struct ssl_st *secure_client(int socket)
{
    SSL *tls = SSL_new(context);
    if (tls == NULL || SSL_set_fd(tls, socket) != 1)
        fatal("OpenSSL: %s", reason());
    SSL_set_connect_state(tls);
    return tls;
}

int secure_handshake(struct ssl_st *tls, bool *want_write)
{
    ERR_clear_error();
    int done = SSL_do_handshake(tls);
    if (done == 1)
        return 1;
    int why = SSL_get_error(tls, done);
    *want_write = why == SSL_ERROR_WANT_WRITE;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t outcome(struct ssl_st *tls, int result)
{
    if (result > 0)
        return result;
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL:
        if (errno == 0)
            errno = ECONNRESET;
        return -1;
    default: fatal("TLS: %s", reason());
    }
}

ssize_t secure_recv(struct ssl_st *tls, void *buffer, size_t length)
{
    ERR_clear_error();
    return outcome(tls, SSL_read(tls, buffer, (int)length));
}

ssize_t secure_send(struct ssl_st *tls, const void *bytes, size_t length)
{
    ERR_clear_error();
    return outcome(tls, SSL_write(tls, bytes, (int)length));
}

bool secure_pending(const struct ssl_st *tls) { return SSL_has_pending(tls) == 1; }

void secure_free(struct ssl_st *tls) { SSL_free(tls); }

#else

static const char missing[] = "the generator was built without TLS: install OpenSSL's headers (Debian: libssl-dev)";

void secure_configure(const char *ca, const char *certificate, const char *key)
{
    (void)ca, (void)certificate, (void)key;
    fatal("%s", missing);
}

struct ssl_st *secure_client(int socket) { fatal("%s (%d)", missing, socket); }

int secure_handshake(struct ssl_st *tls, bool *want_write)
{
    (void)tls, (void)want_write;
    fatal("%s", missing);
}

ssize_t secure_recv(struct ssl_st *tls, void *buffer, size_t length)
{
    (void)tls, (void)buffer;
    fatal("%s (%zu)", missing, length);
}

ssize_t secure_send(struct ssl_st *tls, const void *bytes, size_t length)
{
    (void)tls, (void)bytes;
    fatal("%s (%zu)", missing, length);
}

bool secure_pending(const struct ssl_st *tls) { return tls != NULL; }

void secure_free(struct ssl_st *tls) { (void)tls; }

#endif
