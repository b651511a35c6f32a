"""How a decision's outcome is told."""

from typing import TYPE_CHECKING

from hilum.cli.telling import print_json, printable, say

if TYPE_CHECKING:
    from hilum_sdk.models import Item


def tell_item(item: "Item", json: bool) -> None:
    """Where the item stands now."""
    if json:
        print_json(item.model_dump(mode="json"))
    else:
        say(printable(f"{item.id} is {item.status} at {item.stage}: {item.why}"))
