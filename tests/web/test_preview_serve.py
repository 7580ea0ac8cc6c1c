"""The preview server as a process: says its address, answers at once, and stops when asked."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys

import pytest

PROGRAM = (
    "from lifecycle.mail.gallery import Gallery\n"
    "from lifecycle.mail.templates import shipped_folder\n"
    "from lifecycle.web.preview import serve\n"
    "serve(Gallery((shipped_folder(),)), told=lambda line: print(line, flush=True))\n"
)


@pytest.mark.slow
def test_the_server_says_its_address_and_stops_quietly_with_an_open_page():
    """Ctrl-C with a page that listens for changes: no traceback, no waiting."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        address = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)\n", process.stdout.readline())
        assert address
        connection = http.client.HTTPConnection("127.0.0.1", int(address.group(1)), timeout=20)
        connection.request("GET", "/events", headers={"Authorization": f"token {address.group(2)}"})
        assert connection.getresponse().read1(20).startswith(b"retry")
        process.send_signal(signal.SIGINT)
        _, noise = process.communicate(timeout=20)
        assert (process.returncode, noise) == (0, "")
        connection.close()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
