/* resolve.c: host names in endpoints, asked of the system. It may wait for a name server: so it
 * runs before any worker does.
 */
#include "resolve.h"
#include "say.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool print_address(const struct sockaddr *address, uint32_t port, gw_yaml_answer *out)
{
    char ip[INET6_ADDRSTRLEN];
    const void *bytes;
    if (address->sa_family == AF_INET)
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    else
        return false;
    if (inet_ntop(address->sa_family, bytes, ip, sizeof ip) == NULL)
        return false;
    const char *shape = address->sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u";
    int len = snprintf(out->address, sizeof out->address, shape, ip, port);
    return len > 0 && (size_t)len < sizeof out->address;
}

static bool is_known(const gw_yaml_answer *answers, size_t n, const gw_yaml_answer *answer)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(answers[i].address, answer->address) == 0)
            return true;
    return false;
}

size_t resolve_name(void *ctx, gw_str address, gw_yaml_answer *out, size_t max)
{
    (void)ctx;
    gw_address parts = { 0 };
    char name[256];
    if (gw_address_parse(address, &parts) != GW_OK || parts.kind != GW_ADDRESS_NAME ||
        parts.name.len >= sizeof name)
        return 0;
    memcpy(name, parts.name.ptr, parts.name.len);
    name[parts.name.len] = 0;

    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int error = getaddrinfo(name, NULL, &hints, &found);
    if (error != 0) {
        say("%s does not resolve (%s): this endpoint is left out until the next start", name,
            gai_strerror(error));
        return 0;
    }
    size_t n = 0;
    for (const struct addrinfo *i = found; i != NULL && n < max; i = i->ai_next)
        if (print_address(i->ai_addr, parts.port, &out[n]) && !is_known(out, n, &out[n]))
            n++;
    freeaddrinfo(found);
    return n;
}
