#!/bin/sh
# Makes certs/: a certificate for clients to see, and one for the gateway to see; each is its own root.
# Names stand in subjectAltName: nobody looks at a common name any more.
set -eu
cd "$(dirname "$0")"
mkdir -p certs
for name in frontend backend; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 365 \
        -keyout "certs/$name.key" -out "certs/$name.crt" \
        -subj "/CN=$name.local/O=$name.local" -addext "subjectAltName=DNS:$name.local" 2>/dev/null
done
echo "made: certs/frontend.crt and .key, certs/backend.crt and .key"
