"""Counts on their way to findings. Holds names, numbers and line numbers, never a value. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lifecycle.contract.terms import CHANNELS
from lifecycle.model import Finding, Outcome, Severity


@dataclass(slots=True)
class _Count:
    severity: Severity
    rows: int = 0
    first: int | None = None
    last: int | None = None


class Tally:
    """What was counted so far, per check, field and channel.

    Parameters
    ----------
    dataset, store : str
        As they stand in the findings.
    """

    def __init__(self, dataset: str, store: str) -> None:
        self._dataset, self._store = dataset, store
        self._failed: dict[tuple[str, str, str], _Count] = {}
        self._unknown: dict[tuple[str, str, str], Severity] = {}
        self._channels: set[str] = set()

    def seen(self, channels: Iterable[str]) -> None:
        """Remember whose rows were looked at: each gets its passed findings."""
        self._channels.update(channels)

    def failed(
        self, check: str, field: str, channel: str, severity: Severity, rows: int,
        first: int | None = None, last: int | None = None,
    ) -> None:  # fmt: skip
        """Add rows that failed; ``first`` and ``last`` are line or batch numbers."""
        count = self._failed.setdefault((check, field, channel), _Count(severity))
        count.rows += rows
        if first is not None:
            count.first = first if count.first is None else min(first, count.first)
        if last is not None:
            count.last = last if count.last is None else max(last, count.last)

    def unknown(self, check: str, field: str, channel: str, severity: Severity) -> None:
        """Note that a check could not be told for this field."""
        self._unknown[(check, field, channel)] = severity

    def unknown_everywhere(self, check: str, severity: Severity) -> None:
        """Note that a check could not be told in any channel seen so far."""
        for channel in self._channels:
            self.unknown(check, "", channel, severity)

    def findings(self, checks: Iterable[tuple[str, Severity]]) -> tuple[Finding, ...]:
        """All findings; a check of ``checks`` that neither failed nor is unknown in a channel has passed there."""
        found = [
            self._finding(key, c.severity, c.rows, Outcome.FAILED, c.first, c.last) for key, c in self._failed.items()
        ]
        found += [self._finding(key, severity, 0, Outcome.UNKNOWN) for key, severity in self._unknown.items()]
        spoken = {(f.check, f.channel) for f in found}
        channels = self._channels | {f.channel for f in found} or {""}
        for check, severity in dict(checks).items():
            for channel in channels:
                if (check, channel) not in spoken:
                    found.append(self._finding((check, "", channel), severity, 0, Outcome.PASSED))
        return tuple(sorted(found, key=_order))

    def _finding(
        self, key: tuple[str, str, str], severity: Severity, rows: int, outcome: Outcome,
        first: int | None = None, last: int | None = None,
    ) -> Finding:  # fmt: skip
        check, field, channel = key
        return Finding(check, self._dataset, self._store, field, severity, rows, outcome, channel, first, last)


def known_channel(value: str | None) -> str:
    """A channel as it may be shown: anything but the three known words could be a person's data, so it is not."""
    return value if value in CHANNELS else ""


def _order(finding: Finding) -> tuple[int, int, str, str, str]:
    outcome = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED).index(finding.outcome)
    return (outcome, list(Severity).index(finding.severity), finding.check, finding.field, finding.channel)
