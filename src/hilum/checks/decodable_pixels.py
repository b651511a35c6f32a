"""Compressed pixels that can be decoded. Decoding is done elsewhere, in a process with limits: codecs are native code.

Native pixels need no decoding: `pixel-data` compares their length.
"""

from collections.abc import Iterator, Mapping

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
    rows = (
        (severity, decoded.failed, f"{count(len(decoded.failed), 'image')} of {name} cannot be decoded. {_reasons(decoded.failed)}"),
        (Severity.INFO, decoded.unread, f"Whether the pixels of {name} are whole cannot be said. {_reasons(decoded.unread)}"),
        (
            Severity.INFO,
            dict.fromkeys(decoded.left),
            f"{count(len(decoded.left), 'compressed image')} of {name}: no time was left to decode.",
        ),
    )
    for weight, concerned, sentence in rows:
        if concerned:
            yield Finding(kind, weight, sentence, series_id=one.series.id, instances=tuple(concerned))


def _reasons(sentences: Mapping[str, str]) -> str:
    return " ".join(list(dict.fromkeys(sentences.values()))[:REASONS])
