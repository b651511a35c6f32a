"""When a call is tried again, and how long it rests before: decisions only, no clock and no socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

#: The server, or a proxy before it, is busy or starting; the same request may succeed later (RFC 9110 15.6, RFC 6585 4).
RETRIED_STATUSES = frozenset({429, 502, 503, 504})

#: Trouble on the way that another try will meet again.
LASTING_TROUBLE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True)
class Backoff:
    """Pauses that double from `first` to `ceiling` seconds, each shortened by up to half by chance."""

    first: float = 0.25
    ceiling: float = 8.0

    def pause(self, attempt: int, chance: float, least: float = 0.0) -> float:
        """Seconds before try `attempt` + 1; `chance` is in [0, 1), and `least` is what the server asked for (Retry-After)."""
        full = min(self.ceiling, self.first * 2.0 ** min(attempt, 30))
        # Chance spreads the clients of a server that comes back; it is added where the server names the time itself.
        return max(full * (1 - chance / 2), least + self.first * chance if least else 0.0)


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, a call is tried again after its first failure."""

    retry_for: float = 60.0
    #: A server that never answered is more often a wrong address than one that is starting: said sooner.
    first_contact: float = 5.0

    def seconds(self, reached: bool) -> float:
        return self.retry_for if reached else min(self.retry_for, self.first_contact)


def is_passing(error: httpx.TransportError) -> bool:
    """Whether the same request may succeed later."""
    return not isinstance(error, LASTING_TROUBLE)


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds that a response asks to wait: delta-seconds or an HTTP date (RFC 9110 10.2.3); 0 where it asks nothing readable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    # A date that ends in -0000 is read without a zone; HTTP dates are always UTC (RFC 9110 5.6.7).
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
