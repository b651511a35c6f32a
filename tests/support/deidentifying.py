"""One object through the engine."""

import io
import tempfile
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread, dcmwrite

from hilum.deidentification.checking_again import SelfCheck
from hilum.deidentification.engine import Answer, Engine, Rewritten
from hilum.dicom.elements import Source
from hilum.model.keys import ProjectKey
from hilum.model.profiles import Profile
from hilum.runtime.deidentifying import check_files_again
from hilum.runtime.profiles import find_profile
from hilum.runtime.registry import find_members
from hilum.runtime.settings import Settings

KEY = ProjectKey.of_secret(b"a test's secret, not a real one.")
RESEARCH = ("retain-modified-dates", "retain-patient-characteristics", "clean-descriptors", "clean-structured-content", "clean-graphics")


def engine_of(*options: str, key: ProjectKey = KEY, **said: Any) -> Engine:
    profile = Profile.model_validate({"name": "tested", "options": options, **said})
    return Engine(profile, key, find_members("hilum.actions"))


def shipped_engine(name: str, key: ProjectKey = KEY, **more: Any) -> Engine:
    """An engine with a shipped profile, and more that it says."""
    with tempfile.TemporaryDirectory() as place:
        profile = find_profile(Settings(data=Path(place)), name)
    return Engine(Profile.model_validate(profile.model_dump(exclude_defaults=True) | more), key, find_members("hilum.actions"))


def checked_answer_of(content: bytes, engine: Engine, place: Path) -> tuple[Answer, bytes]:
    """As `hilum deid` does it: the copy is read again."""
    answer, written = answer_of(content, engine)
    if isinstance(answer, Rewritten):
        (place / "given.dcm").write_bytes(content)
        (place / "made.dcm").write_bytes(written)
        answer = check_files_again(place / "given.dcm", place / "made.dcm", answer, SelfCheck(engine.profile))
    return answer, written


def answer_of(content: bytes, engine: Engine | None = None) -> tuple[Answer, bytes]:
    out = io.BytesIO()
    return (engine or engine_of()).deidentify(Source.of_bytes(content), out.write), out.getvalue()


def deidentified(content: bytes, engine: Engine | None = None) -> Dataset:
    answer, written = answer_of(content, engine)
    assert isinstance(answer, Rewritten), answer
    return read(written)


def encoded(dataset: Dataset, syntax: str) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def read(content: bytes) -> Dataset:
    """As pydicom understands it, bare data sets too."""
    return dcmread(io.BytesIO(content), force=True)
