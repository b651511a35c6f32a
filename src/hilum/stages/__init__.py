"""The way of an image: one stage, one file, one public function `run(item, tools) -> Outcome`.

A stage decides and answers; it writes nothing by itself that could be seen before its answer is in the ledger.
"""

from collections.abc import Callable, Mapping

from hilum.model.lifecycle import Item, Stage
from hilum.model.outcomes import Outcome
from hilum.model.ports import Tools
from hilum.stages import checking, deidentifying, delivering, gathering, importing, matching, processing, reviewing

Run = Callable[[Item, Tools], Outcome]

STAGE_FILES: Mapping[Stage, Run] = {
    Stage.IMPORTING: importing.run,
    Stage.GATHERING: gathering.run,
    Stage.CHECKING: checking.run,
    Stage.MATCHING: matching.run,
    Stage.DEIDENTIFYING: deidentifying.run,
    Stage.PROCESSING: processing.run,
    Stage.REVIEWING: reviewing.run,
    Stage.DELIVERING: delivering.run,
}
