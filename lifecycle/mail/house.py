"""The house rules of one practice: what the linter measures texts against beyond what holds for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from lifecycle.errors import ConfigurationError

ETERMIN_HOSTS = ("etermin.net", "etermin.de", "qtermin.de", "etermin.com")
ARZTKONSULTATION_HOSTS = ("arztkonsultation.de",)


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What a practice demands of its texts.

    Attributes
    ----------
    hosts : tuple of str
        Hosts (with their subdomains) that links may lead to, beside eTermin's and arztkonsultation's.
    imprint, privacy : bool
        Whether a mail must link to the legal notice and to the privacy notice.
    sensitive_words : tuple of str
        Further words that name a service or specialty, beside the built-in ones.
    sms_price : Decimal
        Price of one SMS segment.
    sms_currency : str
        ISO 4217 code of that price.
    sms_segments : int
        Most segments that one SMS may take.
    subject_length : int
        Longest subject that lock screens show whole.
    """

    hosts: tuple[str, ...] = ()
    imprint: bool = True
    privacy: bool = True
    sensitive_words: tuple[str, ...] = ()
    sms_price: Decimal = Decimal("0.08")
    sms_currency: str = "EUR"
    sms_segments: int = 2
    subject_length: int = 78

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> HouseRules:
        """Build the rules from the table ``[templates]`` of ``lifecycle.toml``.

        Raises
        ------
        ConfigurationError
            For an unknown key or a value of the wrong kind.
        """
        known = [item.name for item in fields(cls)]
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]}?" if close else "one of " + ", ".join(known)
                raise ConfigurationError(f"lifecycle.toml: [templates] has no key '{key}'.", hint)
            values[key] = _value(key, value)
        return cls(**values)

    def allows(self, host: str) -> bool:
        """Return whether a link may lead to ``host``."""
        return belongs_to(host, (*self.hosts, *ETERMIN_HOSTS, *ARZTKONSULTATION_HOSTS))


def belongs_to(host: str, domains: tuple[str, ...]) -> bool:
    """Return whether ``host`` is one of the domains or lies below one.

    Examples
    --------
    >>> belongs_to("www.etermin.net", ETERMIN_HOSTS), belongs_to("etermin.net.example.org", ETERMIN_HOSTS)
    (True, False)
    """
    return any(host == domain or host.endswith("." + domain) for domain in domains)


def _value(key: str, value: Any) -> Any:
    if key in {"hosts", "sensitive_words"}:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigurationError(f"lifecycle.toml: [templates] {key} must be a list of texts.")
        return tuple(item.lower() for item in value)
    if key == "sms_currency":
        if not isinstance(value, str) or not (len(value) == 3 and value.isalpha() and value.isupper()):
            raise ConfigurationError("lifecycle.toml: [templates] sms_currency must be a code such as EUR.")
        return value
    if key in {"imprint", "privacy"}:
        if not isinstance(value, bool):
            raise ConfigurationError(f"lifecycle.toml: [templates] {key} must be true or false.")
        return value
    try:
        return Decimal(str(value)) if key == "sms_price" else int(value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise ConfigurationError(f"lifecycle.toml: [templates] {key} must be a number.") from error
