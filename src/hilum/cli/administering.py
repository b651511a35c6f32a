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


def delete(hilum: "Hilum", path: str) -> None:
    """DELETE."""
    run_blocking(hilum.projects._session.fetch(Shape, "DELETE", path))


def list_all(hilum: "Hilum", path: str) -> list[dict[str, Any]]:
    """All items of a list, page after page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(hilum, f"{path}?cursor={cursor}" if cursor else path)
        found += page["items"]
        cursor = page.get("next")
    return found


def tell_grants(credential: dict[str, Any]) -> str:
    """Its roles: operator in ward-7."""
    return ", ".join(f"{grant['role']} in {grant['project']}" for grant in credential["grants"])


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
