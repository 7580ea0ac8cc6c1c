"""A time stamp authority (RFC 3161) for this machine alone, made with openssl: python tsa.py FOLDER [PORT].

It makes its keys in FOLDER when there are none, prints its address and serves on the loopback until it is ended.
``FOLDER/ca.pem`` is what ``timestamp_ca`` names. Nobody should believe its stamps: its keys lie on this disk.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.55555.1
digests = sha256
accuracy = secs:1
tsa_name = yes
"""
EXTENSIONS = """basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
"""


def make(folder: Path) -> None:
    """Make the certificate authority and the stamp's key and certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "extensions").write_text(EXTENSIONS)
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder.resolve()))
    (folder / "serial").write_text("01\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl(
        folder, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=Made-up"
    )
    _openssl(folder, "req", "-new", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Made-up stamp")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", "extensions"]
    _openssl(folder, "x509", "-req", "-in", "tsa.csr", *signed, "-out", "tsa.pem")


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def reply(folder: Path, query: bytes) -> bytes:
    """Stamp one request."""
    with TemporaryDirectory() as name:
        (Path(name) / "query").write_bytes(query)
        call = ["ts", "-reply", "-config", f"{folder.resolve()}/tsa.cnf", "-queryfile", f"{name}/query"]
        _openssl(folder, *call, "-out", f"{name}/reply")
        return (Path(name) / "reply").read_bytes()


def serve(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Give the server, listening and not yet serving."""
    one_at_a_time = threading.Lock()  # the serial number is a file

    class Authority(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server looks for
            query = self.rfile.read(int(self.headers["Content-Length"]))
            with one_at_a_time:
                answer = reply(folder, query)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Authority)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if not (place / "tsa.pem").exists():
        make(place)
    port = int(sys.argv[2]) if sys.argv[2:] else 0
    try:
        server = serve(place, port)
    except OSError as error:
        sys.exit(f"Port {port} cannot be listened on ({error.strerror}): perhaps the authority runs already.")
    print(f'timestamp_url = "http://127.0.0.1:{server.server_port}"')
    print(f'timestamp_ca = "{place.resolve()}/ca.pem"', flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("The authority has ended.")
