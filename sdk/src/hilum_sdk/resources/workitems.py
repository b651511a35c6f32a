"""Workitems: processing, its artifacts, and what a person decides about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from hilum_sdk.drivers import Driver
from hilum_sdk.models import Artifact, Deidentification, Verdict, Workitem
from hilum_sdk.operations import Listing, Operation, Query
from hilum_sdk.resources.items import Items
from hilum_sdk.session import path_of

D = TypeVar("D", bound=Driver)


class Workitems(Items[D]):
    """`/workitems`; `retry`, `send_back` and `cancel` are those of every item."""

    @Listing
    def list(self, study: str | None = None, stage: str | None = None, status: str | None = None) -> Query[Workitem]:
        """All workitems, or those of one study, in one stage or status."""
        return Query(Workitem, "/workitems", {"study": study, "stage": stage, "status": status})

    @Operation
    async def get(self, workitem_id: str) -> Workitem:
        """One workitem."""
        return await self._session.fetch(Workitem, "GET", path_of("workitems", workitem_id))

    @Listing
    def artifacts(self, workitem_id: str) -> Query[Artifact]:
        """The files that processing made."""
        return Query(Artifact, path_of("workitems", workitem_id, "artifacts"))

    @Operation
    async def deidentification(self, workitem_id: str) -> Deidentification:
        """What was done to its inputs: counts by action, every attribute touched, profile, engine and key; no values."""
        return await self._session.fetch(Deidentification, "GET", path_of("workitems", workitem_id, "deidentification"))

    @Operation
    async def review(
        self, workitem_id: str, verdict: Verdict, reason: str, ratings: Mapping[str, Any] | None = None, template: str = ""
    ) -> Workitem:
        """Accept the results, reject them, or have them made again, by another template where one is named; the reason is kept."""
        body = {"verdict": verdict, "reason": reason} | ({"ratings": dict(ratings)} if ratings else {})
        body |= {"template": template} if template else {}
        return await self._session.fetch(Workitem, "POST", path_of("workitems", workitem_id, "review"), json=body)

    @Operation
    async def ratings_csv(self, project: str = "", template: str = "") -> bytes:
        """All ratings as CSV, a row a structure; without anybody's name."""
        query = urlencode({"project": project, "template": template})
        return await self._session.fetch_whole(f"/reviews.csv?{query}")
