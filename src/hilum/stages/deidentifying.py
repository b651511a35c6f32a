"""deidentifying: the inputs of a workitem become de-identified copies, in packs of their own, by the profile of its template.

One profile exists: `keep`, which changes nothing and says so in the provenance of every result.
"""

from hilum.model.errors import InvalidError
from hilum.model.lifecycle import Item
from hilum.model.members import MemberNote
from hilum.model.outcomes import Deidentified, DeidentifiedInstance, Done, Outcome, StoredBytes
from hilum.model.ports import Batch, Tools
from hilum.model.records import Instance, Workitem
from hilum.model.words import count

KEEP = "keep"


def run(item: Item, tools: Tools) -> Outcome:
    """Copy every input instance; all copies become visible with this stage's answer."""
    workitem = tools.catalogue.find_workitem(tools.scope, item.id)
    template, version = tools.templates.find(tools.scope, workitem.template, workitem.template_version)
    if template.deidentification != KEEP:
        raise InvalidError(
            f"There is no de-identification profile {template.deidentification!r}.", f"Name {KEEP!r} in template {template.name}."
        )
    wanted = {given.series_id for given in workitem.inputs}
    series = [one for one in tools.catalogue.list_series(tools.scope, workitem.study_id) if one.id in wanted]
    copies: list[DeidentifiedInstance] = []
    with tools.deidentified_pool.batch() as batch:
        for one in series:
            for instance in tools.catalogue.instances_of(tools.scope, one):
                tools.check_stop()
                copies.append(_copy(batch, one.id, instance, workitem, tools))
        batch.commit()
    record = {"profile": KEEP, "changed": False, "template": template.name, "template_version": version}
    return Done(f"Kept as it is (profile {KEEP}): {count(len(copies), 'instance')}.", (Deidentified(item.id, tuple(copies), record),))


def _copy(batch: Batch, series_id: str, instance: Instance, workitem: Workitem, tools: Tools) -> DeidentifiedInstance:
    note = MemberNote(
        project=workitem.project,
        door="deidentifying",
        received_at=tools.clock(),
        intake_id=workitem.id,
        sop_instance_uid=instance.sop_instance_uid,
    )
    writer = batch.add(note)
    for chunk in tools.vault.stream(instance.stored):
        writer.write(chunk)
    stored = writer.commit()
    return DeidentifiedInstance(
        series_id, instance.sop_instance_uid, StoredBytes(stored.pack_id, stored.offset, stored.size, stored.sha256)
    )
