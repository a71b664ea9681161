"""Who is let in, by which credentials and calls: docs/reference/authentication.md, cell by cell.

    doors FOLDER PROTO PROGRAM [ALGORITHM... | required]

Makes the keys, the certificates and the configuration of a server in FOLDER, and says `ready`. On
one line it is then told where that server listens and where it serves metrics. It shows credentials
of every kind in every state by every call, and compares each answer and each line of the audit with
what is documented. PROGRAM reloads the server when its configuration has changed; PROTO holds the
server's .proto files. Without an ALGORITHM, tokens are signed by each of them. With `required`,
the server wants a client certificate of everybody, and nothing else is shown.

The first cell that is wrong ends the script. At the end it says how many there were.
"""

import contextlib
import faulthandler
import importlib
import ipaddress
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import client
import grpc
from calls import CALLS, DONE
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from keys import ALGORITHMS, Ring
from others import HEADER, ApiKeys, Authority, Certificates, identity
from states import Right, Shut
from tokens import AUDIENCE, ISSUER, LEEWAY, LIFE, Tokens

# Longest that what the server tells later is waited for, and that the script may take.
AUDIT_SECONDS = 30
SCRIPT_SECONDS = 600

CONFIG = """
[server]
pid_file = "pid"
[storage]
engine = "memory"
[metrics]
bind_address = "127.0.0.1:0"
[limits]
auth_failures_per_minute_per_address = 0
header_list_bytes_max = 65536
[network]
tls_enabled = true
tls_cert = "server.crt"
tls_key = "server.key"
{required}
[auth]
enabled = true
methods = ["mtls", "jwt", "api_key"]
[auth.mtls]
enabled = true
ca_certs_dir = "clients"
crl_path = "revoked.crl"
allowed_organizations = {organizations}
verify_cn = {verify_cn}
[auth.jwt]
enabled = true
algorithm = "{algorithm}"
{key}
issuer = "{issuer}"
audience = "{audience}"
expiration_secs = {life}
leeway_secs = {leeway}
[auth.api_key]
enabled = true
keys_file = "keys.json"
hash_keys = false
header_name = "{header}"
[authz]
audit_log_path = "audit.log"
audit_events = ["authentication", "read", "write"]
"""
# Of the families of algorithms: the key of the configuration that names their file.
KEY_FILES = {"HS": "secret_file", "RS": "public_key_path", "ES": "ec_public_key_path",
             "Ed": "ed_public_key_path"}


class Audit:
    """The audit file, read from where it was left."""

    def __init__(self, path):
        self.path, self.place = path, 0

    def next(self, count):
        """So many new lines, and whatever came with them; changes of the configuration left out."""
        lines, deadline = [], time.monotonic() + AUDIT_SECONDS
        while len(lines) < count and time.monotonic() < deadline:
            with self.path.open("rb") as file:
                file.seek(self.place)
                whole, newline, _ = file.read().rpartition(b"\n")
            self.place += len(whole) + len(newline)
            read = [json.loads(line) for line in whole.splitlines()]
            lines += [line for line in read if line["event_type"] != "config_change"]
            if not read:
                time.sleep(0.001)
        return lines


def shown(line):
    """What is compared of a line."""
    assert line.get("source_ip") == "127.0.0.1", line
    names = ("event_type", "action", "resource", "result", "principal", "auth_method")
    return tuple(line.get(name) for name in names)


class Matrix:
    """Shows credentials to a server, and counts the cells."""

    def __init__(self, folder, address, metrics, stubs, admin):
        self.folder, self.address, self.metrics = folder, address, metrics
        self.stubs, self.admin = stubs, admin
        self.audit = Audit(folder / "audit.log")
        self.cells = self.states = 0

    def door(self, pair=None):
        """A connection of its own, with a client certificate or without one."""
        return Door(self.address, self.stubs, self.admin, self.folder / "ca.crt", pair)

    def show(self, door, state):
        """One state of credentials, by every call."""
        try:
            self.show_all(door, state)
        except AssertionError as error:
            raise AssertionError(f"{state.name}: {state}") from error
        self.states += 1

    def show_all(self, door, state):
        known = isinstance(state, Right)
        expected_lines = []
        if known:
            success = ("authentication", "authenticate", None, "success")
            expected_lines.append((*success, state.principal, state.method))
        for call in CALLS:
            outcomes = call.outcomes(door, state.headers)
            if known:
                expected, decisions = call.of_known(state.role)
                expected_lines += [(*line, state.principal, state.method) for line in decisions]
            else:
                expected = call.of_stranger(state.code, state.category, state.text)
                if not call.public:
                    failure = ("authentication", "authenticate", None, "failure")
                    expected_lines.append((*failure, None, state.method))
            assert len(outcomes) == len(expected), (call.name, outcomes)
            for outcome, wanted in zip(outcomes, expected):
                assert is_as(outcome, wanted, known), (call.name, outcome, wanted)
                assert not leaks(outcome, state.headers), (call.name, outcome)
            self.cells += 1
        lines = self.audit.next(len(expected_lines))
        assert [shown(line) for line in lines] == expected_lines, (lines, expected_lines)
        for line in lines:
            assert not leaks(tuple(str(part) for part in line.values()), state.headers), line
            if line["event_type"] == "authentication" and not known:
                assert state.text in line["error"], line

    def shut_out(self, pair, state):
        """A certificate with which there is no connection at all."""
        before = self.failures(state.reason)
        door = self.door(pair)
        for call in CALLS:
            outcome, = call.outcomes(door, state.headers)
            assert outcome[:2] == ("status", "UNAVAILABLE"), (state, call.name, outcome)
            self.cells += 1
        door.channel.close()
        # The client may be through with it before the server has counted it.
        deadline = time.monotonic() + AUDIT_SECONDS
        while self.failures(state.reason) == before:
            assert time.monotonic() < deadline, state
            time.sleep(0.01)
        assert self.audit.next(0) == [], state
        self.states += 1

    def failures(self, reason):
        """Handshakes that failed for it."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=30) as page:
            text = page.read().decode()
        name = f'amaters_tls_handshake_failures_total{{reason="{reason}"}} '
        found, = (line for line in text.splitlines() if line.startswith(name))
        return float(found.removeprefix(name))


def is_as(outcome, wanted, known):
    """Whether an outcome is the one that is documented, for the documented reason."""
    if wanted == DONE or outcome == DONE:
        return outcome == wanted
    *kind, text = outcome
    begin = "access denied: " if known else "authentication failed: "
    return kind == list(wanted[:-1]) and begin in text and wanted[-1] in text


def leaks(texts, headers):
    """Whether what is shown as a secret stands in an answer or a line."""
    secrets = [value.split(" ")[-1] for _, value in headers]
    return any(len(secret) > 8 and secret in str(text) for secret in secrets for text in texts)


class Door(client.Server):
    """A channel and its stubs."""

    def __init__(self, address, stubs, admin, authority, pair):
        self.pair = pair or (None, None)
        super().__init__(address, stubs, authority)
        self.admin, admin_grpc = admin
        self.admin_stub = admin_grpc.AdminServiceStub(self.channel)

    def open(self, options=(), **settings):
        chain, key = self.pair
        credentials = grpc.ssl_channel_credentials(self.authority, key, chain)
        return grpc.secure_channel(self.address, credentials, options=options, **settings)


class Site:
    """The folder of the server, and its files."""

    def __init__(self, folder, program, is_required):
        self.folder, self.program, self.is_required = folder, program, is_required
        self.rings = {algorithm: Ring(algorithm) for algorithm in ALGORITHMS}
        self.api_keys, self.certificates = ApiKeys(), Certificates()
        self.verify_cn = True
        authority = Authority("Servers")
        localhost = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        pair = authority.signed("db", [], [localhost], usage=ExtendedKeyUsageOID.SERVER_AUTH)
        chain, key = identity(pair)
        (folder / "clients").mkdir()
        for name, content in [
            ("ca.crt", authority.pem()),
            ("server.crt", chain),
            ("server.key", key),
            ("clients/ca.crt", self.certificates.authority.pem()),
            ("revoked.crl", self.certificates.revocations()),
        ]:
            (folder / name).write_bytes(content)
        self.write_keys()
        self.configure("HS256", in_set=False)

    def write_keys(self):
        (self.folder / "keys.json").write_text(self.api_keys.file())

    def configure(self, algorithm, in_set):
        """Writes the configuration for tokens of one algorithm, with a JWK set or without."""
        ring = self.rings[algorithm]
        name = f"{algorithm}.{'jwks' if in_set else 'key'}"
        key = f'{KEY_FILES[algorithm[:2]]} = "{name}"'
        if in_set:
            (self.folder / name).write_text(ring.jwk_set())
        elif not ring.first.is_secret:
            (self.folder / name).write_bytes(ring.first.pem() + ring.second.pem())
        elif algorithm == "HS256":
            key = f'secret = "{ring.first.private.decode()}"'
        else:
            (self.folder / name).write_bytes(ring.first.private + b"\n")
        required = 'tls_ca = "clients/ca.crt"\nrequire_client_cert = true'
        text = CONFIG.format(
            required=required if self.is_required else "",
            organizations=json.dumps(Certificates.ORGANIZATIONS),
            verify_cn=json.dumps(self.verify_cn),
            algorithm=algorithm, key=key, issuer=ISSUER, audience=AUDIENCE,
            life=LIFE, leeway=LEEWAY, header=HEADER.title(),
        )
        (self.folder / "a.toml").write_text(text)

    def tokens(self, algorithm, in_set):
        """Tokens for which the server is configured from now on."""
        self.configure(algorithm, in_set)
        self.reload()
        return Tokens(self.rings[algorithm], in_set, self.rings)

    def reload(self):
        words = [self.program, "reload", "--config", "a.toml"]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "skipping" not in done.stdout, done


def of_tokens(site, matrix, algorithms):
    """Tokens of these algorithms, by keys with names and without."""
    for algorithm in algorithms:
        for in_set in (False, True):
            with told(matrix, f"{algorithm} by {'a JWK set' if in_set else 'bare keys'}"):
                show_headers(matrix, site.tokens(algorithm, in_set).states())


def of_api_keys(site, matrix):
    """API keys, one of which is taken back while the server runs."""
    tokens = site.tokens("ES256", False)
    with told(matrix, "API keys"):
        show_headers(matrix, [*site.api_keys.states(), *site.api_keys.beside(tokens)])
        site.api_keys.revoke("revoked")
        site.write_keys()
        site.reload()
        show_headers(matrix, site.api_keys.states())


def of_certificates(site, matrix):
    """Client certificates, with which one is let in or not even listened to."""
    with told(matrix, "certificates"):
        for site.verify_cn in (True, False):
            tokens = site.tokens("EdDSA", True)
            show_certificates(matrix, site.certificates.let_in(site.verify_cn), tokens)
        for pair, state in site.certificates.shut_out():
            matrix.shut_out(pair, state)
        if site.is_required:
            good = next(tokens.good()).headers
            for headers in ([], good, site.api_keys.shown("admin")):
                shut = Shut("no certificate", "client_certificate", headers)
                matrix.shut_out(None, shut)


def show_headers(matrix, states):
    """States of headers, on one connection."""
    door = matrix.door()
    for state in states:
        matrix.show(door, state)
    door.channel.close()


def show_certificates(matrix, certificates, tokens):
    """Certificates, alone and with tokens beside them: the certificate decides."""
    good, expired = next(tokens.good()), next(tokens.times())
    for pair, state in certificates:
        for headers in ([], good.headers, expired.headers):
            door = matrix.door(identity(pair))
            matrix.show(door, state._replace(headers=headers))
            door.channel.close()


@contextlib.contextmanager
def told(matrix, what):
    """Says how many cells a part has, and how long they took."""
    cells, clock = matrix.cells, time.monotonic()
    yield
    print(f"{what}: {matrix.cells - cells} cells, {time.monotonic() - clock:.1f} s", flush=True)


def main(folder, proto, program, *words):
    faulthandler.dump_traceback_later(SCRIPT_SECONDS, exit=True)
    is_required = "required" in words
    site = Site(pathlib.Path(folder), program, is_required)
    with tempfile.TemporaryDirectory() as made:
        stubs = client.stubs(proto, made)
        admin = [importlib.import_module(name) for name in ("admin_pb2", "admin_pb2_grpc")]
        print("ready", flush=True)
        address, metrics = sys.stdin.readline().split()
        matrix = Matrix(site.folder, address, metrics, stubs, admin)
        if not is_required:
            of_tokens(site, matrix, words or ALGORITHMS)
            of_api_keys(site, matrix)
        of_certificates(site, matrix)
    print(f"ok: {matrix.cells} cells of {matrix.states} states by {len(CALLS)} calls")


if __name__ == "__main__":
    main(*sys.argv[1:])
