"""delivering: results go to the template's destinations, each once, and become listed as delivered."""

from functools import partial

from hilum.deidentification.copies import study_uid_of_copies
from hilum.destinations import Parcel, ParcelFile
from hilum.model.lifecycle import Item, Stage, Status
from hilum.model.outcomes import Delivered, Done, Hold, Outcome
from hilum.model.ports import Tools
from hilum.model.records import Study, Workitem
from hilum.model.words import count


def run(item: Item, tools: Tools) -> Outcome:
    """Deliver to every destination that has no receipt yet."""
    workitem = tools.catalogue.find_workitem(tools.scope, item.id)
    study = tools.catalogue.find_study(tools.scope, workitem.study_id)
    if study.revision > workitem.revision and not _was_let_through(item, tools):
        return Hold(_outdated(workitem, study))
    template, _ = tools.templates.find(tools.scope, workitem.template, workitem.template_version)
    parcel = _parcel(workitem, study, tools)
    had = tools.catalogue.receipts(tools.scope, workitem.id)
    delivered = []
    for number, delivery in enumerate(template.destinations, start=1):
        name = f"{number} {delivery.destination}"
        if name not in had:
            tools.check_stop()
            destination = tools.destinations[delivery.destination]
            receipt = destination.deliver(parcel, destination.Settings.model_validate(delivery.settings))
            delivered.append(Delivered(workitem.id, name, receipt))
    also = f", and sent to {', '.join(one.destination for one in template.destinations)}" if template.destinations else ""
    return Done(f"{count(len(parcel.files), 'result')} can be downloaded{also}.", tuple(delivered))


def _outdated(workitem: Workitem, study: Study) -> str:
    return (
        f"Made on revision {workitem.revision}, and revision {study.revision} of the study has arrived since. "
        "Cancel it, or deliver it all the same with `hilum retry`."
    )


def _was_let_through(item: Item, tools: Tools) -> bool:
    """Whether a person has let it go on from being held here."""
    return any(
        move.verb == "retry" and (move.from_stage, move.from_status) == (Stage.DELIVERING, Status.HELD)
        for move in tools.history.history(tools.scope, [item.id])
    )


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
