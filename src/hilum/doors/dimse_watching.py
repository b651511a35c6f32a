"""What an operator watches of the DIMSE door: counters, and one line of the log for each connection that ended. No identities."""

import json
import logging
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii

from hilum.doors.dimse_statuses import Answer, Status

_LOG = logging.getLogger("hilum.dimse")

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram of replies; above the last there is one bucket more."""


@dataclass(slots=True)
class Counts:
    """Of one process, since it started."""

    associations: Counter[str] = field(default_factory=Counter)  # by how they ended: released, aborted, lost, rejected, ...
    refusals: Counter[str] = field(default_factory=Counter)  # C-STORE by status, as four hexadecimal digits
    instances: int = 0
    bytes: int = 0
    echoes: int = 0
    open: int = 0
    replies: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    reply_seconds: float = 0.0

    def note_reply(self, answer: Answer, seconds: float) -> None:
        """A C-STORE was answered, so long after its last byte had come."""
        self.replies[bisect_left(SECONDS, seconds)] += 1
        self.reply_seconds += seconds
        if answer.status is Status.SUCCESS:
            self.instances += 1
            self.bytes += answer.size
        else:
            self.refusals[f"{answer.status:04X}"] += 1


@dataclass(slots=True)
class Record:
    """One connection, for its line in the log.

    Args:
        address: the peer's.
        ended: in one word how; `reason` says more where there is more to say.
    """

    address: str
    began_at: float
    calling_ae_title: str = ""
    called_ae_title: str = ""
    project: str = ""
    ended: str = ""
    reason: str = ""
    instances: int = 0
    bytes: int = 0
    echoes: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    is_association: bool = False

    def note_answer(self, answer: Answer) -> None:
        """A C-STORE was answered."""
        if answer.status is Status.SUCCESS:
            self.instances += 1
            self.bytes += answer.size
        elif len(self.refusals) < 16:
            self.refusals[f"{answer.status:04X} {answer.sentence}"] += 1

    def end(self, ended: str, reason: str = "") -> None:
        """How it ended; what was said first holds."""
        if not self.ended:
            self.ended, self.reason = ended, reason

    def log(self, now: float) -> None:
        """One line. Whatever a peer sent is written as a JSON string: neither newlines nor escape sequences pass."""
        texts = (
            ("peer", self.address),
            ("calling", self.calling_ae_title),
            ("called", self.called_ae_title),
            ("project", self.project),
            ("ended", self.ended),
            ("reason", self.reason),
        )
        said = [f"{name}={encode_basestring_ascii(text)}" for name, text in texts if text]
        said.append(f"instances={self.instances} bytes={self.bytes} echoes={self.echoes}")
        if self.refusals:
            said.append(f"refused={json.dumps(self.refusals)}")
        what = "association" if self.is_association else "connection"
        _LOG.info("%s closed: %s seconds=%s", what, " ".join(said), round(now - self.began_at, 3))
