"""The processing log: one row a move."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Reader
from hilum.api.paging import LONGEST, Listed, decode_cursor, listed
from hilum.api.routing import make_router
from hilum.api.shapes import MoveShape, shape_move
from hilum.stores.ledger import MoveFilter

router = make_router("log")


class Filters(BaseModel):
    """What moves are found by; all that are given must hold. `stage` and `status` are those moved to."""

    model_config = ConfigDict(extra="forbid")

    project: str = ""
    item: str = ""
    kind: str = ""
    stage: str = ""
    status: str = ""
    verb: str = ""
    who: str = ""
    text: str = Field("", max_length=200, description="part of the reason")
    cursor: str = Field("", max_length=512)
    limit: int = Field(100, ge=1, le=LONGEST)


@router.get("/log", response_model=Listed[MoveShape])
def list_moves(call: Reader, wanted: Annotated[Filters, Query()]) -> Any:
    """Newest first."""
    place = decode_cursor(wanted.cursor, int)
    filters = MoveFilter(**wanted.model_dump(exclude={"cursor", "limit"}))
    found = call.app.ledger.list_moves(call.scope, filters, before=int(place) if place else None, limit=wanted.limit + 1)
    return listed(found, wanted.limit, shape_move, lambda move: str(move.id))
