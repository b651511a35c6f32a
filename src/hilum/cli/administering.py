"""Calls that the SDK has no noun for, or none of its arguments: tokens, users, counters, the reason of a retry."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hilum_sdk.drivers import run_blocking
from hilum_sdk.models import Item, Shape
from hilum_sdk.session import path_of

if TYPE_CHECKING:
    from hilum_sdk import Hilum


def post(hilum: "Hilum", path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST, and the members of the answer."""
    given = {name: value for name, value in body.items() if value is not None}
    answer = run_blocking(hilum.projects._session.fetch(Shape, "POST", path, json=given))
    return answer.model_dump(mode="json")


def get(hilum: "Hilum", path: str) -> dict[str, Any]:
    """GET, and the members of the answer."""
    answer = run_blocking(hilum.projects._session.fetch(Shape, "GET", path))
    return answer.model_dump(mode="json")


def retry(hilum: "Hilum", item_id: str, reason: str) -> Item:
    """As `hilum.items.retry`, with a reason for the history."""
    body = {"reason": reason} if reason else {}
    return run_blocking(hilum.items._session.fetch(Item, "POST", path_of("items", item_id, "retry"), json=body))


def fetch_text(hilum: "Hilum", path: str) -> str:
    """GET, and the body of the answer."""
    body = bytearray()

    def start() -> Callable[[bytes], object]:
        body.clear()  # a second try begins anew
        return body.extend

    run_blocking(hilum.projects._session.fetch_bytes(path, start))
    return body.decode()
