"""deidentifying: the inputs of a workitem become de-identified copies, in packs of their own, by the profile of its template.

All copies of a workitem become visible together, with this stage's answer. Where one instance is held the workitem is held, and none of
them is kept. What is done to one instance is in `deidentification/copying.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hilum.model.crosswalk import Sealer
from hilum.model.errors import HilumError, InvalidError, NotFoundError
from hilum.model.keys import ProjectKey
from hilum.model.lifecycle import Item
from hilum.model.members import MemberNote
from hilum.model.outcomes import Deidentified, DeidentifiedInstance, Done, Hold, Outcome, StoredBytes
from hilum.model.ports import Batch, Tools
from hilum.model.profiles import Profile
from hilum.model.records import Instance, Series, Workitem
from hilum.model.words import count


def run(item: Item, tools: Tools) -> Outcome:
    """Copy every input instance as the template's profile says, or hold the workitem."""
    workitem = tools.catalogue.find_workitem(tools.scope, item.id)
    template, version = tools.templates.find(tools.scope, workitem.template, workitem.template_version)
    named = {"template": template.name, "template_version": version}
    try:
        profile = tools.profile(template.deidentification)
    except (NotFoundError, InvalidError) as error:
        return Hold(f"{error} Mend that, then let it go on with `hilum retry`.")
    if profile.changes_nothing:
        return _keep(workitem, profile, named, tools)
    key = _find_key(workitem.project, profile, tools)
    return key if isinstance(key, Hold) else _deidentify(workitem, profile, key, named, tools)


def _find_key(project: str, profile: Profile, tools: Tools) -> ProjectKey | Hold:
    """A missing key is never made here: patients who were seen before would get second pseudonyms."""
    try:
        known = tools.keys.find(project)
    except HilumError as error:  # it is there, and cannot be used
        return Hold(f"{error} Then let it go on with `hilum retry`.")
    if known:
        return known[-1]
    return Hold(
        f"Project {project} has no key, which the profile {profile.name} needs. "
        f"Bring it back from a copy, or make the first one with `hilum key create {project}`; then let it go on with `hilum retry`."
    )


def _inputs(workitem: Workitem, tools: Tools) -> Iterator[tuple[Series, Instance]]:
    wanted = {given.series_id for given in workitem.inputs}
    for one in tools.catalogue.list_series(tools.scope, workitem.study_id):
        if one.id in wanted:
            for instance in tools.catalogue.instances_of(tools.scope, one):
                tools.check_stop()
                yield one, instance


def _note(workitem: Workitem, tools: Tools, sop_instance_uid: str = "") -> MemberNote:
    return MemberNote(
        project=workitem.project,
        door="deidentifying",
        received_at=tools.clock(),
        intake_id=workitem.id,
        sop_instance_uid=sop_instance_uid,
    )


# --- a profile that changes nothing ----------------------------------------------------------------------------------------------


def _keep(workitem: Workitem, profile: Profile, named: Mapping[str, Any], tools: Tools) -> Outcome:
    with tools.deidentified_pool.batch() as batch:
        copies = tuple(_copy(batch, series, instance, workitem, tools) for series, instance in _inputs(workitem, tools))
        batch.commit()
    said = {"profile": profile.name, "profile_version": profile.version, "profile_digest": profile.digest, "changed": False}
    done = Deidentified(workitem.id, copies, {**said, **named}, {**said, "instances": len(copies)})
    return Done(f"Kept as it is (profile {profile.name}): {count(len(copies), 'instance')}.", (done,))


def _copy(batch: Batch, series: Series, instance: Instance, workitem: Workitem, tools: Tools) -> DeidentifiedInstance:
    writer = batch.add(_note(workitem, tools, instance.sop_instance_uid))
    for chunk in tools.vault.stream(instance.stored):
        writer.write(chunk)
    stored = writer.commit()
    placed = StoredBytes(stored.pack_id, stored.offset, stored.size, stored.sha256)
    return DeidentifiedInstance(series.id, instance.sop_instance_uid, placed)


# --- any other -------------------------------------------------------------------------------------------------------------------


def _deidentify(workitem: Workitem, profile: Profile, key: ProjectKey, named: Mapping[str, Any], tools: Tools) -> Outcome:
    from hilum.deidentification.copying import Copying
    from hilum.deidentification.engine import Engine
    from hilum.deidentification.reports import describe

    copying = Copying(Engine(profile, key, tools.actions, darken=tools.darken(tools)), tools.vault)
    with tools.deidentified_pool.batch() as batch:
        for series, instance in _inputs(workitem, tools):
            copying.take(batch, _note(workitem, tools), series, instance)
        copying.check_siblings(tools.check_stop)
        tools.check_stop()  # a child that was ended because of it looks like an object that cannot be decoded
        said = {**describe(profile, key.id), "changed": True}
        record, report = {**said, **named}, {**said, **copying.report()}
        why = copying.why_held({given.series_id for given in workitem.inputs if given.role})
        if why:
            mend = "Choose another profile or other series, or mend the profile and let it go on with `hilum retry`."
            return Hold(f"{why} {mend}", (Deidentified(workitem.id, (), record, report),))
        pseudonyms = copying.originals.seal(Sealer(key, workitem.project, workitem.study_id))
        batch.commit()
    return Done(copying.sentence, (Deidentified(workitem.id, tuple(copying.copies), record, report, pseudonyms),))
