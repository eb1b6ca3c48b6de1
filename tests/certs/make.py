#!/usr/bin/env python3
"""Makes the certificates that tests use, and their keys. What it makes is kept beside it, so that no test
needs this program, a clock or luck: all of it is valid from 2001 to 2120 unless its name says otherwise.
The keys are worth nothing and must never be trusted by anybody.

    make.py FOLDER            (python3-cryptography)
    make.py --check FOLDER    is that what lies there?

    root.crt -> inter.crt -> everything else; a .crt holds its chain up to inter.crt
"""

import datetime
import hashlib
import ipaddress
import os
import sys
import warnings

try:
    from cryptography import x509
except ImportError:
    print("no Python module 'cryptography' (apt-get install python3-cryptography)")
    sys.exit(77)
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

BEGIN, END = datetime.datetime(2001, 1, 1), datetime.datetime(2120, 1, 1)
warnings.filterwarnings("ignore", message="SHA1")
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
CURVES = {"p256": (ec.SECP256R1, 32), "p384": (ec.SECP384R1, 48), "p521": (ec.SECP521R1, 64)}


def new_key(name, kind="p256"):
    """Of a curve: the same each time."""
    if kind in CURVES:
        curve, size = CURVES[kind]
        secret = int.from_bytes(hashlib.sha512(name.encode()).digest()[:size], "big") >> 1
        return ec.derive_private_key(secret, curve())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    return rsa.generate_private_key(65537, int(kind[3:]))


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "libgw tests, not to be trusted"),
                      x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Issued:
    """A certificate, its key, and what of its chain goes into a file. plain: as openssl req -x509 makes it."""

    count = 0

    def __init__(self, name, issuer=None, sans=(), kind="p256", begin=BEGIN, end=END, usage=(SERVER,),
                 path=None, digest=None, more=(), plain=False):
        Issued.count += 1
        self.name, self.issuer = name, issuer
        self.key = new_key(name, kind)
        signer, by = (issuer.key, issuer.cert.subject) if issuer else (self.key, subject(name))
        builder = (x509.CertificateBuilder().subject_name(subject(name)).issuer_name(by)
                   .public_key(self.key.public_key()).serial_number(0x1000 + Issued.count)
                   .not_valid_before(begin).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(path is not None or plain, path), True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                                  False))
        if not plain:
            builder = builder.add_extension(
                x509.KeyUsage(True, False, kind.startswith("rsa"), False, False, path is not None,
                              path is not None, False, False), True)
        if not plain and path is None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), False)
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), False)
        for extension in more:
            builder = builder.add_extension(extension, False)
        digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
        self.cert = builder.sign(signer, digest)

    def pem(self):
        chain, at = b"", self
        while at is not None and (at is self or at.issuer is not None):  # a root is known, or nobody
            chain += at.cert.public_bytes(serialization.Encoding.PEM)
            at = at.issuer
        return chain


def dns(*names):
    return [x509.DNSName(name) for name in names]


def ip(*addresses):
    return [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]


def key_pem(key, form=serialization.PrivateFormat.PKCS8, password=None):
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, lock)


def crl(issuer, revoked, begin=BEGIN, end=END):
    builder = (x509.CertificateRevocationListBuilder().issuer_name(issuer.cert.subject)
               .last_update(begin).next_update(end)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()),
                              False)
               .add_extension(x509.CRLNumber(1), False))
    for who in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(who.cert.serial_number)
            .revocation_date(BEGIN + datetime.timedelta(days=1)).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def staple(who, status, begin=BEGIN, end=END):
    revoked = BEGIN + datetime.timedelta(days=1) if status == ocsp.OCSPCertStatus.REVOKED else None
    return (ocsp.OCSPResponseBuilder()
            .add_response(cert=who.cert, issuer=who.issuer.cert, algorithm=hashes.SHA1(),
                          cert_status=status, this_update=begin, next_update=end,
                          revocation_time=revoked, revocation_reason=None)
            .responder_id(ocsp.OCSPResponderEncoding.HASH, who.issuer.cert)
            .sign(who.issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


def make():
    """Name of a file: its bytes."""
    files = {}

    def give(name, issued, with_key=True):
        files[name + ".crt"] = issued.pem()
        if with_key:
            files[name + ".key"] = key_pem(issued.key)
        return issued

    past, future = datetime.datetime(2002, 1, 1), datetime.datetime(2119, 1, 1)
    root = give("root", Issued("libgw test root", path=1))
    inter = give("inter", Issued("libgw test intermediate", root, path=0))
    stranger = give("stranger", Issued("libgw test stranger", path=1))
    asked = x509.AuthorityInformationAccess([x509.AccessDescription(
        AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.invalid/"))])

    a = give("a-p256", Issued("a.test", inter, dns("a.test"), more=[asked]))
    rsa_a = give("a-rsa", Issued("a.test rsa", inter, dns("a.test"), "rsa2048"))
    give("a-p384", Issued("a.test p384", inter, dns("a.test"), "p384"))
    give("wild", Issued("wild.test", inter, dns("*.wild.test")))
    give("many", Issued("many", inter, dns("b.test", "c.test", "localhost") + ip("127.0.0.1", "::1")))
    give("other", Issued("other.test", inter, dns("other.test")))
    give("cn-only", Issued("a.test", inter))
    give("expired", Issued("a.test expired", inter, dns("a.test"), end=past))
    give("future", Issued("a.test future", inter, dns("a.test"), begin=future))
    revoked = give("revoked", Issued("a.test revoked", inter, dns("a.test")))
    give("self", Issued("a.test self", None, dns("a.test")))
    give("by-stranger", Issued("a.test by a stranger", stranger, dns("a.test")))
    give("by-leaf", Issued("a.test by a leaf", a, dns("a.test")))
    give("sha1", Issued("a.test sha1", inter, dns("a.test"), digest=hashes.SHA1()))
    give("rsa1024", Issued("a.test rsa1024", inter, dns("a.test"), "rsa1024"))
    give("ed25519", Issued("a.test ed25519", inter, dns("a.test"), "ed25519"))
    give("p521", Issued("a.test p521", inter, dns("a.test"), "p521"))

    spiffe = [x509.UniformResourceIdentifier("spiffe://mesh.test/ns/shop/sa/web")]
    give("client-spiffe", Issued("web", inter, spiffe, usage=(CLIENT,)))
    give("client-dns", Issued("client.test", inter, dns("client.test"), usage=(CLIENT,)))
    give("client-cn", Issued("somebody", inter, usage=(CLIENT,)))
    give("client-expired", Issued("client expired", inter, dns("client.test"), end=past, usage=(CLIENT,)))
    gone = give("client-revoked", Issued("client revoked", inter, dns("client.test"), usage=(CLIENT,)))
    give("client-stranger", Issued("client of a stranger", stranger, dns("client.test"), usage=(CLIENT,)))

    # Those of the walk that docs/tls.md takes: each is its own root.
    give("frontend", Issued("frontend.local", None, dns("frontend.local"), plain=True))
    give("backend", Issued("backend.local", None, dns("backend.local"), plain=True))

    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    files["a-p256-sec1.key"] = key_pem(a.key, traditional)
    files["a-rsa-pkcs1.key"] = key_pem(rsa_a.key, traditional)
    files["a-p256-locked.key"] = key_pem(a.key, password=b"secret")
    files["root.crl"] = crl(root, [])
    files["inter.crl"] = crl(inter, [revoked, gone])
    files["ca.crl"] = files["root.crl"] + files["inter.crl"]
    files["ca.crt"] = files["inter.crt"] + files["root.crt"]
    good = ocsp.OCSPCertStatus.GOOD
    files["a-p256-good.der"] = staple(a, good)
    files["a-p256-revoked.der"] = staple(a, ocsp.OCSPCertStatus.REVOKED)
    files["a-p256-old.der"] = staple(a, good, end=past)
    files["a-rsa-good.der"] = staple(rsa_a, good)
    return files


def check(folder):
    """Keys and signatures are drawn: the same files with as many parts is what can be said."""
    made, wrong = make(), []
    kept = {n for n in os.listdir(folder) if n.rsplit(".", 1)[-1] in ("crt", "key", "crl", "der")}
    for name in sorted(kept | set(made)):
        if name not in kept or name not in made:
            wrong.append(name)
            continue
        with open(os.path.join(folder, name), "rb") as file:
            if file.read().count(b"-----BEGIN ") != made[name].count(b"-----BEGIN "):
                wrong.append(name)
    return wrong


def main():
    folder = sys.argv[-1]
    if sys.argv[1] == "--check":
        wrong = check(folder)
        sys.exit(("not as it is made: " + ", ".join(wrong)) if wrong else 0)
    os.makedirs(folder, exist_ok=True)
    for name, content in make().items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)


if __name__ == "__main__":
    main()
