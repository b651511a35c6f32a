"""Items: what a person decides about anything that moves along the stages."""

from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Operator
from hilum.api.routing import make_router
from hilum.api.shapes import ItemShape, shape_item
from hilum.model.lifecycle import Stage

router = make_router("items")


class Reason(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=2000)


class SendingBack(Reason):
    stage: Stage


@router.post("/items/{item_id}/retry")
def retry_item(call: Operator, item_id: str, said: Reason | None = None) -> ItemShape:
    """Let a held, failed or deferred item go on at its stage."""
    return shape_item(call.app.decisions.retry(call.scope, item_id, _reason(said)))


@router.post("/items/{item_id}/send-back")
def send_item_back(call: Operator, item_id: str, said: SendingBack) -> ItemShape:
    """Send an item back to an earlier stage."""
    return shape_item(call.app.decisions.send_back(call.scope, item_id, said.stage, said.reason))


@router.post("/items/{item_id}/cancel")
def cancel_item(call: Operator, item_id: str, said: Reason | None = None) -> ItemShape:
    """Stop an item for good."""
    return shape_item(call.app.decisions.cancel(call.scope, item_id, _reason(said)))


def _reason(said: Reason | None) -> str:
    return said.reason if said is not None else ""
