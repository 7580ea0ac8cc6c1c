"""What can go wrong, each with the exit code that scripts rely on.

::

    LifecycleError
    ├── UsageError            2  wrong words on the command line, unknown workspace, unsafe path
    ├── SourceError           3  a file that cannot be read
    ├── StoreError            4  a store that cannot be opened, or is in use
    ├── ConfigurationError    5  lifecycle.toml or a contract is wrong
    ├── Refused               6  a deletion was refused, nothing was deleted
    ├── EvidenceError         7  the evidence is broken, missing or older than the store
    ├── TemplateError         8  a template that cannot be read
    ├── Incomplete            9  a deletion began and is not finished: act now
    ├── Unexpected           70  a fault of this program or of the machine
    └── Stopped             130  somebody pressed Ctrl-C or sent SIGTERM

A message is one sentence of fact with counts and names, never a personal value. The hint says what to
do next and stands apart.
"""

from __future__ import annotations


class LifecycleError(Exception):
    """A failure that a person can act on.

    Parameters
    ----------
    fact : str
        One sentence: what was there and what was expected. Never a personal value.
    hint : str, optional
        The command to run or the file to open next.
    """

    exit_code = 1
    outcome = "failed"
    """The word for it in the JSON object that ``--json`` prints."""

    def __init__(self, fact: str, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint

    def to_json(self) -> dict[str, object]:
        """Return what ``--json`` prints under ``error``."""
        return {"fact": self.fact, "hint": self.hint, "exitCode": self.exit_code}

    def __str__(self) -> str:
        return f"{self.fact}\n\nhint: {self.hint}" if self.hint else self.fact

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: a notebook shows the fact and the hint, no frames and nothing that led here.
        return [f"{type(self).__name__}: {self}"]


class FindingsFailed(LifecycleError):
    """Something was checked and did not pass (exit 1); raised by ``raise_if_failed`` only."""

    exit_code = 1


class UsageError(LifecycleError):
    """The call itself is wrong: an unknown word, a missing workspace, an unsafe path."""

    exit_code = 2
    outcome = "usage"


class SourceError(LifecycleError):
    """An input file cannot be read as what it claims to be; nothing of it was stored."""

    exit_code = 3
    outcome = "source"


class StoreError(LifecycleError):
    """A store cannot be opened, is in use, or is of a newer version."""

    exit_code = 4
    outcome = "store"


class ConfigurationError(LifecycleError):
    """``lifecycle.toml`` or a contract says something that cannot be followed."""

    exit_code = 5
    outcome = "configuration"


class Refused(LifecycleError):
    """A deletion was refused (not approved, stale, over a limit, clock); nothing was deleted."""

    exit_code = 6
    outcome = "refused"


class EvidenceError(LifecycleError):
    """The evidence is broken, incomplete, or does not belong to the store."""

    exit_code = 7
    outcome = "evidence"


class TemplateError(LifecycleError):
    """A template cannot be read."""

    exit_code = 8
    outcome = "template"


class Incomplete(LifecycleError):
    """A deletion began and is not finished; the same command goes on with it."""

    exit_code = 9
    outcome = "incomplete"


class Unexpected(LifecycleError):
    """A fault of this program or of the machine. It says where it happened; the foreign message stays inside."""

    exit_code = 70
    outcome = "unexpected"


class Stopped(LifecycleError):
    """Somebody pressed Ctrl-C or sent SIGTERM, and no deletion had begun to listen for it."""

    exit_code = 130
    outcome = "stopped"
