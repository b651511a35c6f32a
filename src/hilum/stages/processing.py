"""processing: the template's processors, one after the other, on the de-identified inputs; their files become the results."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hilum.deidentification.copies import CopyHeader, read_copy, study_uid_of_copies
from hilum.model.errors import InvalidError
from hilum.model.letting_go import report_findings, report_findings_without_names
from hilum.model.lifecycle import Item
from hilum.model.members import MemberNote
from hilum.model.outcomes import ArtifactsMade, Defer, Done, Hold, NewArtifact, Outcome, StoredBytes, TicketTaken
from hilum.model.ports import Batch, Tools
from hilum.model.reading import source_of
from hilum.model.records import Workitem
from hilum.model.templates import ProcessingStep, Template
from hilum.model.words import count
from hilum.processors import Artifacts, NotYet, Order, ProcessingInput, ProducedFile, Ticket, Unusable
from hilum.stages.scratch_files import read_file, scratch_folder, write_file

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+-]{0,254}")
MANIFEST = "manifest.json"  # what a destination calls its list of the results


@dataclass(slots=True)
class _Made:
    """What the finished steps made.

    Args:
        files: the results.
        steps: the provenance of each step.
        stored: by name, where those results lie that are in the vault already.
    """

    files: list[ProducedFile] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    stored: dict[str, StoredBytes] = field(default_factory=dict)


def run(item: Item, tools: Tools) -> Outcome:
    """Run every step; the results become visible with this stage's answer."""
    workitem = tools.catalogue.find_workitem(tools.scope, item.id)
    template, _ = tools.templates.find(tools.scope, workitem.template, workitem.template_version)
    if not workitem.inputs:
        return Hold(f"No series of the study fits {template.name}: there is nothing to process. Cancel it, or choose series by hand.")
    with scratch_folder(tools.scratch) as scratch:
        inputs = _lay_out(workitem, scratch / "inputs", tools)
        made = _take_up(workitem, scratch / "finished", tools)
        for number, step in list(enumerate(template.processing, start=1))[len(made.steps) :]:
            tools.check_stop()
            order = _order(workitem, template, step, inputs, made.files, scratch / f"step-{number}", tools)
            ticket = _ticket(workitem, number, step, order, tools)
            answer = _collect(ticket, tools)
            match answer:
                case Artifacts(files=files, provenance=provenance):
                    _check_names(made.files, files)
                    made.files += files
                    made.steps.append(dict(provenance))
                case NotYet(until=until, why=why):
                    under_way = {"step": number, "reference": dict(ticket.reference)}
                    return Defer(until, why, (TicketTaken(workitem.id, under_way | _put_by(made, workitem, tools)),))
                case Unusable(why=why):
                    return Hold(why, (TicketTaken(workitem.id, {}),))  # who lets it go on wants it begun anew
        artifacts = _keep(made, workitem, tools)
    names = ", ".join(artifact.name for artifact in artifacts)
    change = ArtifactsMade(item.id, tuple(artifacts), {"processing": made.steps, "template": template.name, "notice": template.notice})
    return Done(f"Made {count(len(artifacts), 'result')}: {names}.", (change,))


def _put_by(made: _Made, workitem: Workitem, tools: Tools) -> dict[str, Any]:
    """What the finished steps made goes into the vault, and what is said of it into the ticket: no step is repeated for a later one."""
    if not made.steps:
        return {}
    files = [{"name": one.name, "media_type": one.media_type, "sha256": one.stored.sha256.hex()} for one in _keep(made, workitem, tools)]
    return {"finished": {"steps": made.steps, "files": files}}


def _take_up(workitem: Workitem, folder: Path, tools: Tools) -> _Made:
    """What the steps before the one that is under way made; nothing where there are none, or some of it is gone: they run again."""
    finished = workitem.ticket.get("finished", {"steps": [], "files": []})
    digests = [bytes.fromhex(file["sha256"]) for file in finished["files"]]
    stored = tools.catalogue.made(tools.scope, workitem.id, digests)
    made = _Made()
    if not stored.keys() >= set(digests):
        return made
    folder.mkdir()
    for file, digest in zip(finished["files"], digests, strict=True):
        write_file(folder / file["name"], tools.vault.stream(stored[digest]))
        made.files.append(ProducedFile(folder / file["name"], file["name"], file["media_type"]))
        made.stored[file["name"]] = stored[digest]
    made.steps += finished["steps"]
    return made


def _check_names(before: Sequence[ProducedFile], files: Sequence[ProducedFile]) -> None:
    """A result's name becomes a file's at destinations: it stands for itself, without a folder, and once."""
    names = {file.name for file in before}
    for file in files:
        if not SAFE_NAME.fullmatch(file.name) or file.name == MANIFEST:
            raise InvalidError(f"A result cannot be called {file.name!r}.", "Mend the processor.")
        if file.name in names:
            raise InvalidError(f"Two steps make a file {file.name}.", "Take one of them out of the template.")
        names.add(file.name)


def _ticket(workitem: Workitem, number: int, step: ProcessingStep, order: Order, tools: Tools) -> Ticket:
    """The ticket of an order that is under way elsewhere, or a new one."""
    if workitem.ticket.get("step") == number:
        return Ticket(step.processor, workitem.ticket["reference"])
    ticket: Ticket = tools.processors[step.processor].submit(order)
    return ticket


def _collect(ticket: Ticket, tools: Tools) -> Artifacts | NotYet | Unusable:
    processor = tools.processors[ticket.processor]
    with tools.until_stopped(lambda: processor.cancel(ticket)):
        answer: Artifacts | NotYet | Unusable = processor.collect(ticket)
    tools.check_stop()
    return answer


def _lay_out(workitem: Workitem, folder: Path, tools: Tools) -> tuple[ProcessingInput, ...]:
    """The de-identified instances as files, a folder an input. Names are ours: nothing a sender wrote becomes a path.

    What is said of an input is what its first copy says: what the profile took out is known to no processor. An input of which the
    profile left out everything is none.
    """
    folders = {given.series_id: folder / f"{number:03}" for number, given in enumerate(workitem.inputs, start=1)}
    for path in folders.values():
        path.mkdir(parents=True)
    first: dict[str, CopyHeader] = {}
    for number, (series_id, _, stored) in enumerate(tools.catalogue.deidentified(tools.scope, workitem.id), start=1):
        write_file(folders[series_id] / f"{number:06}.dcm", tools.vault.stream(stored))
        if series_id not in first:
            first[series_id] = read_copy(source_of(tools.vault, stored))
    return tuple(
        ProcessingInput(
            role=given.role,
            series_id=given.series_id,
            series_instance_uid=first[given.series_id].series_instance_uid,
            modality=first[given.series_id].modality,
            description=first[given.series_id].description,
            folder=folders[given.series_id],
        )
        for given in workitem.inputs
        if given.series_id in first
    )


def _order(
    workitem: Workitem,
    template: Template,
    step: ProcessingStep,
    inputs: tuple[ProcessingInput, ...],
    earlier: Sequence[ProducedFile],
    folder: Path,
    tools: Tools,
) -> Order:
    output, scratch = folder / "output", folder / "scratch"
    output.mkdir(parents=True)
    scratch.mkdir()
    return Order(
        workitem_id=workitem.id,
        study_instance_uid=study_uid_of_copies(workitem, tools),
        template=template.name,
        template_title=template.title or template.name,
        notice=template.notice,
        inputs=inputs,
        earlier=tuple(file.path for file in earlier),
        output=output,
        scratch=scratch,
        settings=tools.processors[step.processor].Settings.model_validate(step.settings),
        limits=tools.limits,
        findings=_findings(workitem, template, tools),
    )


def _findings(workitem: Workitem, template: Template, tools: Tools) -> tuple[str, ...]:
    """As results report them: sentences quote senders and staff, so results that are to show nobody name the check instead."""
    findings = tools.catalogue.findings(tools.scope, tools.catalogue.find_study(tools.scope, workitem.study_id))
    moves = tools.history.history(tools.scope, [workitem.id])
    if workitem.shows_identity:
        return report_findings(findings, template, moves, {getattr(check, "mend", "") for check in tools.checks.values()})
    meanings = {kind: getattr(check, "meaning", "") for kind, check in tools.checks.items()}
    return report_findings_without_names(findings, template, moves, meanings)


def _keep(made: _Made, workitem: Workitem, tools: Tools) -> list[NewArtifact]:
    """The results into the vault, those that are new all or none."""
    with tools.results_pool.batch() as batch:
        for file in made.files:
            if file.name not in made.stored:
                made.stored[file.name] = _store(batch, file, workitem, tools)
        batch.commit()
    return [NewArtifact(file.name, file.media_type, made.stored[file.name]) for file in made.files]


def _store(batch: Batch, file: ProducedFile, workitem: Workitem, tools: Tools) -> StoredBytes:
    note = MemberNote(project=workitem.project, door="processing", received_at=tools.clock(), intake_id=workitem.id, name=file.name)
    writer = batch.add(note)
    for chunk in read_file(file.path):
        writer.write(chunk)
    stored = writer.commit()
    return StoredBytes(stored.pack_id, stored.offset, stored.size, stored.sha256)
