"""API keys and client certificates, in every state."""

import base64
import datetime
import hashlib
import json
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from states import Right, Shut, Wrong

HEADER = "x-amaters-key"
NOTHING = "there are no credentials; send a client certificate or the header authorization"


class ApiKeys:
    """The file of keys, and the states of what is in it."""

    def __init__(self):
        now = int(time.time())
        past = "2020-01-01T00:00:00Z"
        # Name, roles, more members, whether the file holds the key itself.
        self.entries = {
            "reader": self.entry("reader", ["reader"]),
            "admin": self.entry("admin", ["admin"], attributes={"team": "operations"}),
            "plain": self.entry("plain", ["reader"], plain=True),
            "several": self.entry("several", ["reader", "user"]),
            "default": self.entry("default", None),
            "nothing-left": self.entry("nothing-left", ["reader"], expires_at=now - 1),
            "long-ago": self.entry("long-ago", ["admin"], expires_at=past),
            "later": self.entry("later", ["reader"], expires_at="2999-12-31T23:59:59+02:00"),
            "revoked": self.entry("revoked", ["admin"]),
        }

    @staticmethod
    def key(name):
        return f"Key-Of-{name}"

    def entry(self, name, roles, plain=False, **more):
        key = self.key(name)
        hashed = base64.b64encode(hashlib.sha256(key.encode()).digest()).decode()
        secret = {"key": key} if plain else {"key_hash": hashed}
        roles = {} if roles is None else {"roles": roles}
        return {"id": name, "name": f"the {name}", "user_id": f"u-{name}"} | secret | roles | more

    def file(self):
        return json.dumps(list(self.entries.values()))

    def revoke(self, name):
        del self.entries[name]

    def shown(self, name):
        return [(HEADER, self.key(name))]

    def right(self, name, role, roles=None):
        shown = f"the {name}"
        headers = self.shown(name)
        return Right(f"key {name}", headers, f"u-{name}", "api_key", role, roles, shown)

    def states(self):
        """All of them, with those that the file has at the moment."""
        unknown, expired = "the API key is not known", "the API key has expired"
        yield self.right("reader", "reader")
        yield self.right("admin", "admin")
        yield self.right("plain", "reader")
        yield self.right("several", "user", "reader,user")
        yield self.right("default", "user")
        yield self.right("later", "reader")
        if "revoked" in self.entries:
            yield self.right("revoked", "admin")
        else:
            yield Wrong("a revoked key", self.shown("revoked"), 3000, unknown, "api_key")
        for name in ("nothing-left", "long-ago"):
            yield Wrong(f"expired key {name}", self.shown(name), 3001, expired, "api_key")
        key = self.key("admin")
        digest = hashlib.sha256(key.encode())
        for name, value in [
            ("nobody's key", "a key that is not there"),
            ("a key in another case", key.swapcase()),
            ("a key in lower case", key.lower()),
            ("the beginning of a key", key[:-1]),
            ("a key and more", key + "x"),
            ("the hash of a key", base64.b64encode(digest.digest()).decode()),
            ("the hash of a key in hexadecimal", digest.hexdigest()),
            ("the id of a key", "admin"),
            ("an empty key", ""),
            ("a long key", "x" * 5000),
        ]:
            yield Wrong(name, [(HEADER, value)], 3000, unknown, "api_key")
        twice = self.shown("admin") * 2
        yield Wrong("two keys", twice, 3000, f"there is more than one header {HEADER}", None)
        elsewhere = [("x-api-key", key)]
        yield Wrong("a key in another header", elsewhere, 3000, NOTHING, None)
        yield Wrong("nothing", [], 3000, NOTHING, None)

    def beside(self, tokens):
        """Several credentials at once: the first of the methods decides."""
        good, = [state for state in tokens.good() if state.name == "a token of an admin"]
        bad = next(tokens.times())
        yield good._replace(
            name="a token and a wrong key", headers=good.headers + [(HEADER, "wrong")]
        )
        yield bad._replace(
            name="an expired token and a key", headers=bad.headers + self.shown("admin")
        )


YEARS = {"valid": (2024, 2099), "expired": (2020, 2021), "early": (2090, 2099)}


class Authority:
    """Signs certificates, and revokes them."""

    def __init__(self, name, parent=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = parent or self
        self.certificate = self.builder(issuer.name, self.name, self.key, "valid").add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).sign(issuer.key, hashes.SHA256())

    @staticmethod
    def builder(issuer, subject, key, years):
        begin, end = (datetime.datetime(year, 1, 1) for year in YEARS[years])
        return (
            x509.CertificateBuilder().issuer_name(issuer).subject_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(begin).not_valid_after(end)
        )

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def signed(self, common_name=None, organizations=(), names=(), years="valid",
               usage=ExtendedKeyUsageOID.CLIENT_AUTH):
        """A certificate and its key."""
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
        if common_name is not None:
            subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self.builder(self.name, x509.Name(subject), key, years)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(list(names)), critical=not subject
            )
        return builder.sign(self.key, hashes.SHA256()), key

    def revocations(self, certificates):
        """The list of those that are revoked, as PEM."""
        begin, end = (datetime.datetime(year, 1, 1) for year in YEARS["valid"])
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self.name)
            .last_update(begin).next_update(end)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        for certificate in certificates:
            revoked = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(revoked.revocation_date(begin).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def identity(pair, *chain):
    """A certificate, those above it, and its key, as PEM."""
    certificate, key = pair
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, *chain))
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return chain, secret


class Certificates:
    """The authority of clients, and certificates of it and of others."""

    ORGANIZATIONS = ["Example", "Partner"]

    def __init__(self):
        self.authority = Authority("Clients")
        self.below = Authority("Clients of a department", self.authority)
        self.stranger = Authority("Clients")
        self.taken_back = self.authority.signed("mallory", ["Example"])

    def revocations(self):
        """The lists; there is none of the authority below."""
        return self.authority.revocations([self.taken_back[0]])

    def let_in(self, verify_cn):
        """Those whose handshake succeeds, each with its state."""
        sign = self.authority.signed
        dns = x509.DNSName("svc.example")
        uri = x509.UniformResourceIdentifier("spiffe://example/svc")
        mail = x509.RFC822Name("ops@example.com")

        def right(name, who):
            return Right(name, [], who, "mtls", "user")

        def wrong(name, text):
            return Wrong(name, [], 3003, text, "mtls")

        other = "the client certificate is of no organization that may come in"
        no_name = "the client certificate has no common name; auth.mtls.verify_cn = false"
        unusable = "the client certificate has no usable name"
        yield sign("alice", ["Example"]), right("a certificate", "alice")
        yield sign("bob", ["Other", "Partner"]), right("a certificate of two organizations", "bob")
        yield sign("carol", ["Example"], [dns]), right("a certificate of two names", "carol")
        yield sign("dave", ["Other"]), wrong("a certificate of another organization", other)
        yield sign("erin"), wrong("a certificate of no organization", other)
        yield sign("fay", ["example"]), wrong("an organization in lower case", other)
        yield sign("a\nb", ["Example"]), wrong("a name with a line break", unusable)
        for name, first in [("DNS", dns), ("URI", uri), ("e-mail", mail)]:
            pair = sign(None, ["Example"], [first, x509.DNSName("second.example")])
            name = f"a certificate without common name, but {name}"
            yield pair, (wrong(name, no_name) if verify_cn else right(name, first.value))
        nameless = sign(None, ["Example"])
        yield nameless, wrong("a nameless certificate", no_name if verify_cn else unusable)

    def shut_out(self):
        """Those whose handshake fails, each with the reason that is counted."""
        sign, example = self.authority.signed, ["Example"]
        refused = "client_certificate"
        early = sign("bob", example, years="early")
        server = sign("carol", example, usage=ExtendedKeyUsageOID.SERVER_AUTH)
        yield identity(self.taken_back), Shut("a revoked certificate", "revoked")
        expired = sign("alice", example, years="expired")
        yield identity(expired), Shut("an expired certificate", refused)
        yield identity(early), Shut("a certificate of tomorrow", refused)
        yield identity(self.stranger.signed("alice", example)), Shut("another authority", refused)
        yield identity(server), Shut("a certificate of a server", refused)
        below = self.below.signed("alice", example)
        yield identity(below), Shut("a chain with a gap", refused)
        whole = identity(below, self.below.certificate)
        yield whole, Shut("an issuer whose list of revoked ones is missing", refused)
