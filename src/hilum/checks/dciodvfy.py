"""A second opinion on conformance, by `dciodvfy` of David Clunie's dicom3tools, on the first image of each series.

Off unless the setting `check_tools` names it (`HILUM_CHECK_TOOLS='["dciodvfy"]'`) and it is installed (Debian: `dicom3tools`).
It quotes values, a patient's name among them: of its sentences only the attribute, the words about it and the module are kept.
"""

import re
from collections.abc import Iterator

from hilum.checks import Answer, CheckedSeries, Subject
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import called

kind = "dciodvfy"
severity = Severity.WARNING
meaning = "`dciodvfy`, a validator of its own, finds that an image breaks the definition of its kind of object."
mend = "Tell the maker of the sending device, or accept the finding: `hilum checks accept`. Run `dciodvfy -new FILE` for all of its words."
for_template = False

SHOWN = 12  # sentences of one series

_ATTRIBUTE = r'(\w*)\(([0-9a-f]{4},[0-9a-f]{4})(?:,"[^"]*")?\)(?:\[\d+\])?'
_ERROR = re.compile(
    rf"Error - </(?P<path>{_ATTRIBUTE}(?:/{_ATTRIBUTE})*)> - (?P<words>[^=<>'\"]+?)(?: - Module=<(?P<module>\w+)>)?(?:[ ]*[=<>'\"].*)?"
)
_WITHOUT_ATTRIBUTE = frozenset(
    f"Error - {words}"
    for words in (
        "Attribute read failed",
        "Dicom dataset read failed",
        "Information Object Not found",
        "Metaheader present but doesn't contain Transfer Syntax UID",
        "Seek failed - while reading unencapsulated Pixel Data",
        "Sequence Item dataset read failed - giving up",
        "Sequence attribute read failed",
        "Tags out of order - trailing garbage, wrong transfer syntax, or not valid DICOM",
    )
)
"""Whole lines: what else stands in a line without an attribute may be the rest of a value."""


def check(subject: Subject) -> Iterator[Finding]:
    """At most one finding a series."""
    if subject.ask is None:
        return
    for one in subject.series:
        if one.instances and (answer := subject.ask(("dciodvfy", "-new"), one.instances[0])) is not None:
            yield from _tell(one, answer)


def errors_in(words: str) -> list[str]:
    """The errors of `dciodvfy -new`, each once and without any value."""
    return list(dict.fromkeys(sentence for line in words.splitlines() if (sentence := _sentence(line))))


def _sentence(line: str) -> str:
    if (match := _ERROR.fullmatch(line.rstrip())) is None:
        return line.rstrip().removeprefix("Error - ") if line.rstrip() in _WITHOUT_ATTRIBUTE else ""
    path, words, module = match["path"], match["words"], match["module"]
    names = (name or f"({tag})" for name, tag in re.findall(_ATTRIBUTE, path))
    return f"{'.'.join(names)}: {words.strip(' -')}{f' (module {module})' if module else ''}"


def _tell(one: CheckedSeries, answer: Answer) -> Iterator[Finding]:
    name, first = called(one.series), (one.instances[0].sop_instance_uid,)
    if answer.trouble:
        yield Finding(kind, Severity.INFO, f"No second opinion on {name}: {answer.trouble}", series_id=one.series.id, instances=first)
    elif answer.exit_status:
        errors = errors_in(answer.words) or ["an error whose words are not kept here"]
        more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        sentence = f"dciodvfy on the first image of {name}: {'; '.join(errors[:SHOWN])}{more}."
        yield Finding(kind, severity, sentence, series_id=one.series.id, instances=first)
