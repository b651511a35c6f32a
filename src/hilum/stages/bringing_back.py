"""The way back, a part of delivering: results get the identity of the images that they were made of, on a copy that is delivered.

What the vault keeps, and what is downloaded, stays pseudonymous. All results of a workitem are brought back, or none.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from hilum.destinations import Parcel, ParcelFile
from hilum.dicom.confidentiality import Option
from hilum.dicom.part10 import UnreadableError
from hilum.model.errors import MissingKeyError
from hilum.model.ports import Tools
from hilum.model.records import Study, Workitem
from hilum.reidentification.known import Known
from hilum.reidentification.results import Mentions, bring_back, is_dicom, read_mentions
from hilum.stages.scratch_files import digest_file, read_file, write_file

_RECOGNISED_BY = 64 * 1024  # bytes


def bring_parcel_back(parcel: Parcel, workitem: Workitem, study: Study, scratch: Path, tools: Tools) -> Parcel | str:
    """The parcel with every DICOM result restored, or why it is held, as a sentence."""
    if not tools.crosswalk.allows_reidentification(tools.scope, workitem.project):
        return (
            f"The template asks for re-identified results, and nothing of project {workitem.project} may ever be re-identified. "
            "Take `reidentify` out of the template, or have the project directed otherwise."
        )
    try:
        return _bring_back(parcel, workitem, study, scratch, tools)
    except MissingKeyError as error:
        return str(error)


def _bring_back(parcel: Parcel, workitem: Workitem, study: Study, scratch: Path, tools: Tools) -> Parcel | str:
    paths: dict[str, Path] = {}
    mentions: dict[str, Mentions] = {}
    for number, file in enumerate((file for file in parcel.files if _has_header(file)), start=1):
        paths[file.name] = scratch / f"{number:06}"
        write_file(paths[file.name], file.open())
        try:
            mentions[file.name] = read_mentions(paths[file.name])
        except UnreadableError as error:
            return _held(file, str(error))
    known = _known(workitem, study, mentions, tools)
    files: list[ParcelFile] = []
    for file in parcel.files:
        tools.check_stop()
        restored = _restore(file, paths[file.name], known) if file.name in paths else file
        if isinstance(restored, str):
            return _held(file, restored)
        files.append(restored)
    left = sorted(file.name for file in parcel.files if file.name not in paths)  # the manifest says to which study they belong
    said = {"reidentification": {"restored": sorted(paths), "as_they_are": left}}
    return replace(parcel, study_instance_uid=study.study_instance_uid, files=tuple(files), provenance={**parcel.provenance, **said})


def _held(file: ParcelFile, why: str) -> str:
    return f"The result {file.name} cannot be brought back. {why}"


def _restore(file: ParcelFile, path: Path, known: Known) -> ParcelFile | str:
    """The restored result, or why it is held."""
    out = path.with_suffix(".restored")
    try:
        why = bring_back(path, out, known)
    except UnreadableError as error:
        return str(error)
    return why or ParcelFile(file.name, file.media_type, out.stat().st_size, digest_file(out), partial(read_file, out))


def _has_header(file: ParcelFile) -> bool:
    """Whether it is a DICOM object, by its first bytes."""
    head = b""
    for chunk in file.open():
        head += chunk
        if len(head) >= _RECOGNISED_BY:
            break
    return is_dicom(head)


def _known(workitem: Workitem, study: Study, mentions: Mapping[str, Mentions], tools: Tools) -> Known:
    said = frozenset[str]().union(*(one.pseudonyms for one in mentions.values()))
    deidentified = workitem.provenance.get("deidentification", {})
    return Known(
        study_instance_uid=study.study_instance_uid,
        originals=tools.crosswalk.originals(tools.scope, workitem.project, study.id, said),
        frames=_frames(study, tools),
        made=frozenset(one.sop_instance_uid for one in mentions.values()),
        dates_moved=Option.RETAIN_MODIFIED_DATES in deidentified.get("options", ()),
        made_since=f"{workitem.created_at - timedelta(days=1):%Y%m%d}",  # a processor's clock may be in another time zone
    )


def _frames(study: Study, tools: Tools) -> dict[str, str]:
    return {
        instance.sop_instance_uid: str(instance.attributes.get("FrameOfReferenceUID") or "")
        for series in tools.catalogue.list_series(tools.scope, study.id)
        for instance in tools.catalogue.instances_of(tools.scope, series)
    }
