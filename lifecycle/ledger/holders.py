"""Who else holds a key: an environment variable, or a program that is called without a shell.

A key travels over a pipe only: never in a message, a log line, the words of a call, or the environment of a child.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from base64 import b64decode
from binascii import Error as NotBase64

from lifecycle.errors import ConfigurationError, EvidenceError

KEY_BYTES = 32
SECONDS = 30
"""How long a holder may take for one answer."""

_taken: dict[str, bytes] = {}


def from_environment(name: str) -> bytes:
    """Take a key out of the environment, so that no child of this process inherits it; later calls get it again.

    Raises
    ------
    EvidenceError
        The variable is not set, or does not hold 32 bytes in base64.
    """
    hide(name)
    if name not in _taken:
        raise EvidenceError(
            f"The log's seed is lost: the environment variable {name} is not set.",
            "Set it for this program only, to 32 bytes in base64; its second holder has them.",
        )
    return _key(_taken[name], f"The environment variable {name}")


def hide(name: str) -> None:
    """Take a variable out of the environment before any child is started."""
    value = os.environ.pop(name, None)
    if value is not None:
        _taken[name] = os.fsencode(value)


def secret_text(source: str) -> str:
    """Return a secret that is no key, such as a password: from ``env:NAME`` or ``command:PROGRAM ARGS``, as text.

    Raises
    ------
    ConfigurationError
        There is none there; the message names the source, never what it said.
    """
    kind, _, words = source.partition(":")
    if kind == "env":
        hide(words)
        said = _taken.get(words, b"")
    else:
        try:
            done = subprocess.run(shlex.split(words), capture_output=True, check=True, timeout=SECONDS, shell=False)
        except (OSError, ValueError, IndexError, subprocess.SubprocessError):
            raise ConfigurationError("The program that holds a secret gave none.", "call it by hand") from None
        said = done.stdout
    text = said.decode("utf-8", errors="replace").strip()
    if not text or not text.isprintable():
        raise ConfigurationError("A secret is empty, or not a line of text.", f"lifecycle.toml: {kind}:...")
    return text


class Program:
    """A holder that is a program.

    Called as ``PROGRAM ARGS`` where it only gives the seed, or with two further words as a second holder:
    ``put NAME`` (the key's 32 bytes on standard input, an older one is replaced), ``get NAME`` (prints them, raw or
    in base64) and ``drop NAME`` (ends with 0 even if there is none).

    Parameters
    ----------
    words : str
        Program and arguments, split as a shell would; nothing is expanded.
    """

    def __init__(self, words: str) -> None:
        try:
            self._words = shlex.split(words)
        except ValueError:
            self._words = []
        if not self._words:
            raise ConfigurationError("A `command:` in [ledger] names no program.", "lifecycle.toml: [ledger]")

    def seed(self) -> bytes:
        """Ask a program that holds nothing else for the seed."""
        return _key(self._call([], b""), "The program that holds the log's seed")

    def get(self, name: str) -> bytes:
        """Ask for one key."""
        return _key(self._call(["get", name], b""), "The second holder")

    def put(self, name: str, key: bytes) -> None:
        """Hand one key over."""
        self._call(["put", name], key)

    def drop(self, name: str) -> None:
        """Have one key destroyed."""
        self._call(["drop", name], b"")

    def _call(self, more: list[str], key: bytes) -> bytes:
        # What it writes on standard error is not shown: a careless program writes the key there.
        what = f"The key holder {os.path.basename(self._words[0])}"
        try:
            done = subprocess.run(
                [*self._words, *more], input=key, capture_output=True, check=False, timeout=SECONDS, shell=False
            )
        except subprocess.TimeoutExpired:
            raise EvidenceError(f"{what} did not answer within {SECONDS} seconds.", "Call it by hand.") from None
        except OSError as error:
            raise EvidenceError(f"{what} cannot be called ({error.strerror}).", "lifecycle.toml: [ledger]") from None
        if done.returncode:
            raise EvidenceError(
                f"{what} ended with {done.returncode} at {more[0] if more else 'giving the seed'}.", "Call it by hand."
            )
        return done.stdout


def _key(said: bytes, who: str) -> bytes:
    if len(said) == KEY_BYTES:
        return said
    try:
        key = b64decode(said.strip(), validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise EvidenceError(f"{who} does not give {KEY_BYTES} bytes, raw or in base64.", "Bring back the right key.")
    return key
