"""A time-stamping authority for tests: openssl's own, with a key of its own, on loopback."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

CONFIG = """
[req]
distinguished_name = name
[name]
[stamping]
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = here
[here]
serial = {home}/serial
crypto_device = builtin
signer_digest = {digest}
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authority:
    """An authority; ``send`` answers as its server would."""

    def __init__(self, home: Path, *, kind: str = "rsa:2048", digest: str = "sha256") -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        (home / "config").write_text(CONFIG.format(home=home, digest=digest))
        (home / "serial").write_text("01\n")
        made = ["-newkey", kind, "-nodes", "-keyout", "key", "-out", "certificate.pem"]
        if kind == "ec":
            made[2:2] = ["-pkeyopt", "ec_paramgen_curve:P-256"]
        self._openssl(
            "req", "-x509", "-days", "3650", "-subj", "/CN=A test authority",
            "-config", "config", "-extensions", "stamping", *made,
        )  # fmt: skip
        self._openssl(
            "x509", "-in", "certificate.pem", "-outform", "DER", "-out", "certificate"
        )
        self.certificate = (home / "certificate").read_bytes()
        self.asked = 0

    def send(self, request: bytes) -> bytes:
        """Return the answer to a request."""
        self.asked += 1
        (self.home / "request").write_bytes(request)
        self._openssl(
            "ts", "-reply", "-config", "config", "-queryfile", "request", "-out", "answer",
            "-signer", "certificate.pem", "-inkey", "key",
        )  # fmt: skip
        return (self.home / "answer").read_bytes()

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.home, check=True, capture_output=True)


@contextmanager
def served(authority: Authority, port: int) -> Iterator[None]:
    """Answer on a port of loopback as an authority does (RFC 3161, 3.4)."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            answer = authority.send(request)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", port), Answer) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
