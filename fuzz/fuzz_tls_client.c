/* fuzz/fuzz_tls_client.c: what a TLS server may answer; see tls.h. */

#include "tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    tls_run(false, bytes, len);
    return 0;
}
