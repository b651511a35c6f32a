"""What waits for a person, and the ways on from there: one table, so that commands, API and pages say the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.records import Study, Workitem


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that a person can do.

    Args:
        does: what it brings about, as the end of a sentence.
        command: to copy; words in capitals are the person's to fill in.
    """

    does: str
    command: str


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """An item that needs a person, with what people call it by.

    Args:
        study_id: the study that it is or belongs to; empty for an upload.
        template: of a workitem; empty for others.
    """

    item: Item
    study_id: str
    study_instance_uid: str
    accession_number: str
    template: str

    @property
    def ways(self) -> tuple[Way, ...]:
        """What a person can do about it."""
        return ways_on(self.item)


# Not every reason asks for images: two patients in one study are not mended by more of them.
_SEND_MORE = Way(
    "send the images that the reason asks for, if any, and the study is looked at again by itself",
    "hilum upload FOLDER --project {project}",
)
_GO_ON = Way("let it go on as it is", 'hilum retry {id} --reason "..."')
_STOP = Way("stop it for good", "hilum cancel {id}")
_CHOOSE = Way("choose what is to be made of it (`hilum template list`)", "hilum assign {id} --template NAME")
_MATCH_AGAIN = Way("let the rules choose again, once they are mended", "hilum send-back {id} --to matching")
_RUN_AGAIN = Way("run it again, once the cause is mended", "hilum retry {id}")

# Where a held item stands tells what holds it, and so what helps: what is missing is not mended by trying again.
_HELD: Mapping[tuple[Kind, Stage], tuple[Way, ...]] = {
    # No template, or several: nobody knows what should be done with it.
    (Kind.STUDY, Stage.MATCHING): (_CHOOSE, _MATCH_AGAIN, _STOP),
    # The template's checks found errors.
    (Kind.WORKITEM, Stage.DEIDENTIFYING): (_SEND_MORE, _GO_ON, _STOP),
    # The images are of no use to the processor.
    (Kind.WORKITEM, Stage.PROCESSING): (_SEND_MORE, _RUN_AGAIN, _STOP),
    (Kind.WORKITEM, Stage.REVIEWING): (
        Way("deliver the result", "hilum review accept {id}"),
        Way("never deliver it", 'hilum review reject {id} --reason "..."'),
        Way("have it made again", "hilum review rerun {id}"),
    ),
    # A newer revision of the study has arrived.
    (Kind.WORKITEM, Stage.DELIVERING): (Way("deliver it all the same", 'hilum retry {id} --reason "..."'), _STOP),
}
_HELD_ELSEWHERE = (_RUN_AGAIN, _STOP)
_FAILED: Mapping[Kind, tuple[Way, ...]] = {
    Kind.INTAKE: (_RUN_AGAIN,),  # an upload is never cancelled: what was acknowledged stays
    Kind.STUDY: (_RUN_AGAIN, _STOP),
    Kind.WORKITEM: (_RUN_AGAIN, _STOP),
}


def held_by(study: Study, workitems: Iterable[Workitem]) -> tuple[Workitem, ...]:
    """The workitems because of which alone a study is held: when they are let through, it goes on."""
    if (study.item.stage, study.item.status) != (Stage.MATCHING, Status.HELD):
        return ()
    first_held = (Stage.DEIDENTIFYING, Status.HELD)
    return tuple(one for one in workitems if one.revision == study.revision and (one.item.stage, one.item.status) == first_held)


def ways_on(item: Item) -> tuple[Way, ...]:
    """What a person can do about an item, the likeliest first; nothing where none is needed."""
    match item.status:
        case Status.HELD:
            ways = _HELD.get((item.kind, item.stage), _HELD_ELSEWHERE)
        case Status.FAILED:
            ways = _FAILED[item.kind]
        case _:
            return ()
    return tuple(Way(way.does, way.command.format(id=item.id, project=item.project)) for way in ways)


def tell_ways(item: Item) -> str:
    """The ways on as one sentence's end: `x`: do this; or do that with `y`."""
    return "; or ".join(f"{way.does}: `{way.command}`" for way in ways_on(item))
