"""Tokens in every state, for one algorithm and one form of its key file."""

import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from keys import ALGORITHMS, encoded, forged, hmac_by
from states import Right, Wrong

ISSUER, AUDIENCE = "https://login.example", "amaters"
# Of the configuration, in seconds.
LIFE, LEEWAY = 3600, 300

UNSIGNED = "no key of this server made the signature of the token"
MALFORMED = "the token is malformed: "
EXPIRED = "the token has expired"
NOT_TEXT = "the claims of the token are malformed, or one has the wrong type"


def bearer(token):
    return [("authorization", f"Bearer {token}")]


def claims(**changes):
    """Good ones, no two alike; what is changed to None is missing."""
    now = int(time.time())
    made = {
        "sub": "alice", "iss": ISSUER, "aud": AUDIENCE, "iat": now - 1, "exp": now + 600,
        "roles": ["reader"], "jti": secrets.token_hex(8),
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


class Tokens:
    """The states of one algorithm. In a set, keys have names; otherwise `kid` means nothing."""

    def __init__(self, ring, in_set, others):
        self.ring, self.in_set = ring, in_set
        # Of every other algorithm, by its name.
        self.others = others
        self.algorithm = ring.algorithm

    def signed(self, key=None, kid="first", **changes):
        """A token as PyJWT makes it."""
        key = key or self.ring.first
        headers = {"kid": kid} if kid else {}
        return jwt.encode(claims(**changes), key.private, algorithm=key.algorithm, headers=headers)

    def forged(self, sign, body=None, **header):
        """A token with this header; the one of the server's algorithm, if it says nothing else."""
        head = {"alg": self.algorithm, "typ": "JWT", "kid": "first"} | header
        head = {name: value for name, value in head.items() if value is not None}
        return forged(head, body or json.dumps(claims()).encode(), sign)

    def right(self, name, token, role="reader", **more):
        return Right(name, bearer(token), "alice", "jwt", role, **more)

    def wrong(self, name, token, text, code=3000):
        return Wrong(f"a token {name}", bearer(token), code, text, "jwt")

    def states(self):
        """All of them."""
        return [
            *self.good(), *self.times(), *self.claims_(), *self.signers(),
            *self.other_algorithms(), *self.confused(), *self.damaged(), *self.headers(),
        ]

    def good(self):
        now = int(time.time())
        first, second = self.ring.first, self.ring.second
        no_iat = self.signed(iat=None, exp=now + 600)
        yield self.right("a token", self.signed())
        yield self.right("a token of an admin", self.signed(roles=["admin"]), "admin")
        several = self.signed(roles=["reader", "admin"])
        yield self.right("a token of two roles", several, "admin", roles="reader,admin")
        # The default, and what means something elsewhere.
        yield self.right("a token without roles", self.signed(roles=None), "user")
        yield self.right("a token of unknown roles", self.signed(roles=["elsewhere"]), None)
        yield self.right("a token with a name", self.signed(name="Ada"), shown="Ada")
        yield self.right("a token without kid", self.signed(kid=None))
        yield self.right("a token without iat", no_iat)
        audiences = self.signed(aud=["other", AUDIENCE])
        yield self.right("a token for several audiences", audiences)
        yield self.right("a token that has just expired", self.signed(exp=now - LEEWAY // 2))
        early = self.signed(nbf=now + LEEWAY // 2, iat=now + LEEWAY // 2)
        yield self.right("a token of a clock that is ahead", early)
        yield self.right("the longest life", self.signed(iat=now, exp=now + LIFE))
        # Where to find a key is not taken from a token.
        pointing = {"jku": "https://evil.example/keys", "x5u": "https://evil.example/c"}
        yield self.right("a token that points elsewhere", self.forged(first.sign, **pointing))
        lower = [("authorization", f"bearer {self.signed()}")]
        yield Right("a scheme in lower case", lower, "alice", "jwt", "reader")
        if self.in_set:
            yield self.right("a token of the other key", self.signed(second, "second"))
            yield self.right("the other key without kid", self.signed(second, None))
        elif not first.is_secret:
            yield self.right("a token of the other key", self.signed(second, "second"))
            yield self.right("a kid that nobody knows", self.signed(kid="nobody"))

    def times(self):
        now = int(time.time())
        yield self.wrong("that has expired", self.signed(exp=now - LEEWAY - 5), EXPIRED, 3001)
        ancient = self.signed(iat=0, exp=60)
        yield self.wrong("of 1970", ancient, EXPIRED, 3001)
        later = now + LEEWAY + 100
        yield self.wrong("of tomorrow", self.signed(nbf=later), "the token is not valid yet")
        issued = self.signed(iat=later, exp=later + 60)
        yield self.wrong("issued tomorrow", issued, "the token was issued in the future")
        long = "the token lives longer than auth.jwt.expiration_secs"
        yield self.wrong("that lives too long", self.signed(iat=now, exp=now + LIFE + 1), long)
        endless = self.signed(iat=None, exp=now + LIFE + LEEWAY + 100)
        yield self.wrong("that lives too long, without iat", endless, long)
        yield self.wrong("that lives for ever", self.signed(exp=1 << 62), long)
        yield self.wrong("without exp", self.signed(exp=None), "the token has no exp")
        text = self.forged(
            self.ring.first.sign, json.dumps(claims(exp=str(now + 600))).encode()
        )
        yield self.wrong("whose exp is text", text, NOT_TEXT)

    def claims_(self):
        audience, issuer = "the token is for another audience", "the token is of another issuer"
        yield self.wrong("for somebody else", self.signed(aud="other"), audience)
        yield self.wrong("for nearly us", self.signed(aud=AUDIENCE.upper()), audience)
        yield self.wrong("for several others", self.signed(aud=["other", "third"]), audience)
        yield self.wrong("for nobody", self.signed(aud=[]), audience)
        yield self.wrong("without audience", self.signed(aud=None), audience)
        yield self.wrong("of another issuer", self.signed(iss=f"{ISSUER}/"), issuer)
        yield self.wrong("without issuer", self.signed(iss=None), issuer)
        nobody = "the token has no usable sub"
        yield self.wrong("of nobody", self.signed(sub=None), nobody)
        yield self.wrong("of an empty sub", self.signed(sub=""), nobody)
        yield self.wrong("of a long sub", self.signed(sub="x" * 257), nobody)
        yield self.wrong("of a sub with a line break", self.signed(sub="alice\nroot"), nobody)
        many = "the token has too many roles, or one is too long"
        yield self.wrong("of too many roles", self.signed(roles=["admin"] * 65), many)
        sign = self.ring.first.sign
        for name, body in [
            ("whose sub is a number", json.dumps(claims() | {"sub": 7}).encode()),
            ("whose roles are text", json.dumps(claims() | {"roles": "admin"}).encode()),
            ("whose claims are a list", b"[]"),
            ("whose claims are cut off", json.dumps(claims()).encode()[:-1]),
            ("whose claims are no UTF-8", b'{"sub": "\xff"}'),
            ("that says sub twice", b'{"sub": "a", ' + json.dumps(claims()).encode()[1:]),
        ]:
            yield self.wrong(name, self.forged(sign, body), NOT_TEXT)

    def signers(self):
        stranger, second = self.ring.stranger, self.ring.second
        yield self.wrong("of a wrong key", self.signed(stranger), UNSIGNED)
        yield self.wrong("of a wrong key without kid", self.signed(stranger, None), UNSIGNED)
        embedded = {} if stranger.is_secret else {"jwk": stranger.jwk()}
        own = self.forged(stranger.sign, **embedded)
        yield self.wrong("that brings its own key", own, UNSIGNED)
        if not self.in_set:
            return
        unknown = "the kid of the token is not known"
        yield self.wrong("of an unknown kid", self.signed(kid="nobody"), unknown)
        yield self.wrong("of an empty kid", self.forged(self.ring.first.sign, kid=""), unknown)
        yield self.wrong("of a kid that is a path", self.signed(kid="../../dev/null"), unknown)
        for decoy in ("sealing", "alien"):
            yield self.wrong("of a key for something else", self.signed(stranger, decoy), unknown)
        yield self.wrong("that names the other key", self.signed(second, "first"), UNSIGNED)

    def other_algorithms(self):
        """Signed rightly, by another algorithm and its own key; or with our key by another hash."""
        other = f"the token is not signed with {self.algorithm}"
        for name in ALGORITHMS:
            if name == self.algorithm:
                continue
            theirs = self.others[name].first
            yield self.wrong(f"of {name}", self.signed(theirs), other)
            # The same signature under our name.
            yield self.wrong(f"of {name} in disguise", self.forged(theirs.sign), UNSIGNED)
        for name in ("PS256", "ES512", "ES256K", "Ed25519", "HS1"):
            token = self.forged(self.ring.first.sign, alg=name)
            yield self.wrong(f"of {name}, which is not listed", token, other)
        if self.algorithm.startswith("RS"):
            padded = self.forged(
                lambda message: self.ring.first.sign(message, f"PS{self.algorithm[2:]}")
            )
            yield self.wrong("of another padding in disguise", padded, UNSIGNED)
        yield from self.none(other)

    def none(self, other):
        for name in ("none", "None", "NONE", "nOnE", ""):
            token = self.forged(lambda message: b"", alg=name)
            yield self.wrong(f"of alg {name!r} and no signature", token, other)
        kept = self.forged(self.ring.first.sign, alg="none")
        yield self.wrong("of alg none with a signature", kept, other)
        unsigned = jwt.encode(claims(), None, algorithm="none")
        yield self.wrong("of alg none as PyJWT makes it", unsigned, other)
        for name in (self.algorithm.lower(), self.algorithm + " "):
            token = self.forged(self.ring.first.sign, alg=name)
            yield self.wrong(f"of alg {name!r}", token, other)

    def confused(self):
        """The public key, which everybody has, taken for a secret; and the other way round."""
        other = f"the token is not signed with {self.algorithm}"
        first = self.ring.first
        if first.is_secret:
            for name in ("RS256", "ES256", "EdDSA"):
                token = self.forged(hmac_by(first.private, self.algorithm), alg=name)
                yield self.wrong(f"of alg {name} with the secret", token, other)
            empty = self.forged(hmac_by(b"", self.algorithm))
            yield self.wrong("of the empty secret", empty, UNSIGNED)
            return
        public = {"PEM": first.pem(), "PEM, stripped": first.pem().strip(), "DER": first.der(),
                  "JWK": json.dumps(first.jwk()).encode()}
        for form, secret in public.items():
            for name in ("HS256", "HS384", "HS512"):
                sign = hmac_by(secret, name)
                yield self.wrong(
                    f"of {name} by the {form} of the key", self.forged(sign, alg=name), other
                )
                yield self.wrong(
                    f"of {name} by the {form} of the key in disguise", self.forged(sign), UNSIGNED
                )

    def damaged(self):
        token = self.signed()
        header, body, signature = token.split(".")
        raised = encoded(json.dumps(claims(roles=["admin"])).encode())
        flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
        for name, parts in [
            ("with other claims", (header, raised, signature)),
            ("with another header", (encoded(json.dumps(
                {"alg": self.algorithm, "kid": "first"}).encode()), body, signature)),
            ("with a bit of the signature flipped", (header, body, flipped)),
            ("with the signature of another token",
             (header, body, self.signed().split(".")[2])),
            ("with half a signature", (header, body, signature[:len(signature) // 8 * 4])),
            ("with no signature", (header, body, "")),
        ]:
            yield self.wrong(name, ".".join(parts), UNSIGNED)
        size = len(self.ring.first.sign(b"message"))
        for name, made in [("of zeros", bytes(size)), ("of ones", b"\xff" * size)]:
            yield self.wrong(f"with a signature {name}", self.forged(lambda _: made), UNSIGNED)
        longer = self.forged(lambda message: self.ring.first.sign(message) + b"\0")
        yield self.wrong("with a byte behind its signature", longer, UNSIGNED)
        if self.algorithm.startswith("ES"):
            yield self.wrong("with a signature as DER", self.forged(self.as_der), UNSIGNED)
        for name, broken in [
            ("of two parts", f"{header}.{body}"),
            ("of four parts", f"{token}."),
            ("of one part", "x"),
            ("of points", ".."),
            ("with padding", f"{token}=="),
            ("that is cut in its claims", token[:len(header) + 5]),
            ("whose header is no JSON", f"{encoded(b'alg')}.{body}.{signature}"),
            ("whose header is a list", f"{encoded(b'[]')}.{body}.{signature}"),
            ("whose header is no Base64", f"!!.{body}.{signature}"),
            ("with a blank in it", f"{header}. {body}.{signature}"),
            ("without alg", self.forged(self.ring.first.sign, alg=None)),
            ("whose alg is a list", self.forged(self.ring.first.sign, alg=[self.algorithm])),
            ("that is encrypted", ".".join(["e30"] * 5)),
        ]:
            # A blank is no part of Base64, and is found where the signature is looked at.
            yield self.wrong(name, broken, UNSIGNED if "blank" in name else MALFORMED)
        yield self.wrong("that is too long", "x" * 16385, "the token is longer than 16 KiB")

    def as_der(self, message):
        signature = self.ring.first.sign(message)
        half = len(signature) // 2
        numbers = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        return encode_dss_signature(*numbers)

    def headers(self):
        critical = self.forged(self.ring.first.sign, crit=["exp"], exp=0)
        yield self.wrong(
            "with critical extensions", critical, "the token has critical extensions"
        )
        form = "the header authorization is not of the form Bearer TOKEN"
        for value in ("", "Bearer", "Basic YTpi", f"Token {self.signed()}", self.signed()):
            name = f"the header {value[:8]!r}"
            yield Wrong(name, [("authorization", value)], 3000, form, "jwt")
        twice = bearer(self.signed()) + bearer(self.signed())
        text = "there is more than one header authorization"
        yield Wrong("two tokens", twice, 3000, text, None)
