"""Lists: `{"items": [...], "next": cursor}`. A cursor is opaque to the caller and says where the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from hilum.model.errors import InvalidError
from hilum.stores.catalogue import Page

LONGEST = 1000

Cursor = Annotated[str, Query(max_length=512, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=LONGEST, description="the most items of a page")]
S = TypeVar("S")
R = TypeVar("R")


class Listed(BaseModel, Generic[S]):
    """One page; `next` is null on the last."""

    items: list[S]
    next: str | None = None


def listed(found: Sequence[R], limit: int, shape: Callable[[R], Any], place: Callable[[R], str]) -> dict[str, Any]:
    """A page of what was found with one more than `limit` asked for; `place` tells where an item stands in the list."""
    shown = found[:limit]
    more = encode_cursor(place(shown[-1])) if len(found) > limit else None
    return {"items": [shape(one) for one in shown], "next": more}


def whole(items: Sequence[Any]) -> dict[str, Any]:
    """A list that has one page only."""
    return {"items": list(items), "next": None}


def encode_cursor(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, check: Callable[[str], Any]) -> str:
    """Where a cursor points.

    Raises:
        InvalidError: it is none of this list: `check` raises ValueError on what it says.
    """
    if not cursor:
        return ""
    try:
        place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        check(place)
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise InvalidError("The cursor is none of this list.", "Take `next` of the page before, or begin again without one.") from error
    return place


def page_by_key(cursor: str, limit: int) -> Page:
    """A page of a list in the order of a number."""
    return Page(decode_cursor(cursor, int), limit + 1)


def page_by_time(cursor: str, limit: int) -> Page:
    """A page of a list in the order of a time and an id."""
    return Page(decode_cursor(cursor, _check_time_and_id), limit + 1)


def place_by_time(at: datetime, item_id: str) -> str:
    """Where an item stands in a list by time and id."""
    return f"{at.isoformat()} {item_id}"


def _check_time_and_id(place: str) -> None:
    datetime.fromisoformat(place.partition(" ")[0])
