"""Compressed pixels that can be decoded. Decoding is done elsewhere, in a process with limits: codecs are native code.

Native pixels need no decoding: `pixel-data` compares their length.
"""

from collections.abc import Iterator

from hilum.checks import CheckedSeries, Decoded, Subject
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import called
from hilum.model.words import count

kind = "decodable-pixels"
severity = Severity.ERROR
meaning = "The compressed pixels of an image cannot be decoded: they were damaged before they came, or nothing here reads their encoding."
mend = "Send the image again, uncompressed if it fails again; `hilum doctor` lists the encodings that can be read here."
for_template = False

REASONS = 3


def check(subject: Subject) -> Iterator[Finding]:
    """A finding a series for what failed, one for what nothing here reads, one for what the time did not suffice for."""
    for one in subject.series:
        compressed = [instance for instance in one.instances if instance.sop_instance_uid in one.compressed]
        if compressed and subject.decode is not None:
            yield from _tell(one, subject.decode(compressed))


def _tell(one: CheckedSeries, decoded: Decoded) -> Iterator[Finding]:
    name = called(one.series)
    left = dict.fromkeys(decoded.left, "No time was left to decode them.")
    rows = (
        (severity, decoded.failed, f"{count(len(decoded.failed), 'image')} of {name} cannot be decoded."),
        (Severity.INFO, decoded.unread, f"Whether the pixels of {name} are whole cannot be said."),
        (Severity.INFO, left, f"{count(len(left), 'compressed image')} of {name} {'was' if len(left) == 1 else 'were'} not decoded."),
    )
    for weight, concerned, told in rows:
        reasons = list(dict.fromkeys(concerned.values()))
        if reasons:
            sentence = " ".join((told, *reasons[:REASONS]))
            statements = tuple(f"{told} {reason}" for reason in reasons)
            yield Finding(kind, weight, sentence, series_id=one.series.id, instances=tuple(concerned), statements=statements)
