"""Keys of tokens, in the forms in which a server takes them, and what is signed with them."""

import base64
import functools
import hashlib
import hmac
import json
import secrets

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
# All that docs/reference/authentication.md lists.
ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"]


def encoded(data):
    """Base64 for URLs, without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A key of one algorithm."""

    def __init__(self, algorithm, private, kid=None):
        self.algorithm, self.private, self.kid = algorithm, private, kid

    @property
    def is_secret(self):
        return self.algorithm.startswith("HS")

    def sign(self, message, algorithm=None):
        """By this or another algorithm of the same kind of key."""
        method = jwt.get_algorithm_by_name(algorithm or self.algorithm)
        return method.sign(message, method.prepare_key(self.private))

    def pem(self):
        """The public key, or the secret itself."""
        if self.is_secret:
            return self.private
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def der(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def jwk(self, **members):
        """A member of a JWK set."""
        public = self.private if self.is_secret else self.private.public_key()
        made = json.loads(jwt.get_algorithm_by_name(self.algorithm).to_jwk(public))
        # What a key may be used for is said by the test.
        made.pop("key_ops", None)
        return made | ({"kid": self.kid} if self.kid else {}) | members


class Ring:
    """Two keys that the server of an algorithm has, and one of a stranger."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        self.first = Key(algorithm, made(algorithm, 0), "first")
        self.second = Key(algorithm, made(algorithm, 1), "second")
        self.stranger = Key(algorithm, made(algorithm, 2), "first")

    def jwk_set(self):
        """Both, between keys that are not for signatures of this algorithm."""
        alien = next(name for name in ALGORITHMS if name != self.algorithm)
        decoys = [
            self.stranger.jwk(kid="sealing", use="enc"),
            self.stranger.jwk(kid="alien", alg=alien),
        ]
        return json.dumps({"keys": [decoys[0], self.first.jwk(), self.second.jwk(), decoys[1]]})


@functools.cache
def rsa_key(place):
    """The three algorithms of RSA share their keys, which take long to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def made(algorithm, place):
    """A new key."""
    if algorithm.startswith("HS"):
        # Text, because it must stand in a configuration too.
        return secrets.token_urlsafe(64).encode()
    if algorithm.startswith("RS"):
        return rsa_key(place)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())


def forged(header, claims, sign):
    """A token with any header and any bytes of claims; `sign` makes the signature."""
    parts = [json.dumps(header).encode(), claims]
    message = ".".join(encoded(part) for part in parts)
    return f"{message}.{encoded(sign(message.encode()))}"


def hmac_by(secret, algorithm):
    """Signs with any bytes as the secret; PyJWT refuses those of a public key."""
    return lambda message: hmac.digest(secret, message, HASHES[algorithm[2:]])
