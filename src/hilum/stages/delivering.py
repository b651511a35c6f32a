"""delivering: results go to the template's destinations, each once, and become listed as delivered."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from hilum.deidentification.copies import study_uid_of_copies
from hilum.destinations import Parcel, ParcelFile
from hilum.model.lifecycle import Item, Stage, Status
from hilum.model.outcomes import Defer, Delivered, Done, Hold, Outcome
from hilum.model.ports import Tools
from hilum.model.records import Study, Workitem
from hilum.model.templates import Template
from hilum.model.words import count
from hilum.stages.scratch_files import scratch_folder

LOOK_SOON = timedelta(seconds=2)  # housekeeping reads attributes that were named late, as often


def run(item: Item, tools: Tools) -> Outcome:
    """Deliver to every destination that has no receipt yet."""
    workitem = tools.catalogue.find_workitem(tools.scope, item.id)
    study = tools.catalogue.find_study(tools.scope, workitem.study_id)
    outdated = _outdated(workitem, study)
    if outdated and not _was_let_through(item, outdated, tools):
        return Hold(outdated)
    template, _ = tools.templates.find(tools.scope, workitem.template, workitem.template_version)
    if _is_brought_back(workitem, template) and _awaits_frames(study, tools):
        why = "Waiting until the frames of reference of its images are read out of the packs: they were not kept when the images came."
        return Defer(tools.clock() + LOOK_SOON, why)
    with scratch_folder(tools.scratch) as scratch:
        parcel = _parcel(workitem, study, tools)
        ready = _bring_back(parcel, workitem, study, scratch, tools) if _is_brought_back(workitem, template) else parcel
        return Hold(ready) if isinstance(ready, str) else _deliver(ready, workitem, template, tools)


def _bring_back(parcel: Parcel, workitem: Workitem, study: Study, scratch: Path, tools: Tools) -> Parcel | str:
    from hilum.stages.bringing_back import bring_parcel_back  # with what only images need

    return bring_parcel_back(parcel, workitem, study, scratch, tools)


def _is_brought_back(workitem: Workitem, template: Template) -> bool:
    """Whether the template asks for it; where the copies were the originals nothing is to be brought back."""
    return template.reidentify and not workitem.shows_identity


def _awaits_frames(study: Study, tools: Tools) -> bool:
    series = tools.catalogue.list_series(tools.scope, study.id)
    return any("FrameOfReferenceUID" in one.unread and not one.unreadable for one in series)


def _deliver(parcel: Parcel, workitem: Workitem, template: Template, tools: Tools) -> Outcome:
    had = tools.catalogue.receipts(tools.scope, workitem.id)
    delivered = []
    for number, delivery in enumerate(template.destinations, start=1):
        name = f"{number} {delivery.destination}"
        if name not in had:
            tools.check_stop()
            destination = tools.destinations[delivery.destination]
            receipt = destination.deliver(parcel, destination.Settings.model_validate(delivery.settings))
            delivered.append(Delivered(workitem.id, name, receipt))
    back = " Their patients and studies were restored." if template.reidentify else ""
    also = f", and sent to {', '.join(one.destination for one in template.destinations)}" if template.destinations else ""
    return Done(f"{count(len(parcel.files), 'result')} can be downloaded{also}.{back}", tuple(delivered))


def _outdated(workitem: Workitem, study: Study) -> str:
    """Why it is not delivered without a person; empty where nothing has arrived since."""
    if study.revision <= workitem.revision:
        return ""
    return (
        f"Made on revision {workitem.revision}, and revision {study.revision} of the study has arrived since. "
        "Cancel it, or deliver it all the same with `hilum retry`."
    )


def _was_let_through(item: Item, why: str, tools: Tools) -> bool:
    """Whether a person has let it go on from being held here for this reason."""
    held_for = ""
    for move in tools.history.history(tools.scope, [item.id]):
        if (move.to_stage, move.to_status) == (Stage.DELIVERING, Status.HELD):
            held_for = move.why
        elif move.verb == "retry" and held_for == why:
            return True
    return False


def _parcel(workitem: Workitem, study: Study, tools: Tools) -> Parcel:
    files = tuple(
        ParcelFile(
            artifact.name, artifact.media_type, artifact.stored.size, artifact.stored.sha256, partial(tools.vault.stream, artifact.stored)
        )
        for artifact in tools.catalogue.artifacts(tools.scope, workitem.id)
    )
    return Parcel(
        workitem_id=workitem.id,
        project=workitem.project,
        study_id=study.id,
        study_instance_uid=study_uid_of_copies(workitem, tools),
        revision=workitem.revision,
        template=workitem.template,
        template_version=workitem.template_version,
        supersedes=workitem.supersedes,
        provenance=workitem.provenance,
        files=files,
    )
