/* fuzz/fuzz_tls_server.c: what a TLS client may send; see tls.h. */

#include "tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    tls_run(true, bytes, len);
    return 0;
}
