"""Studies: find, explain, delete."""

from __future__ import annotations

from typing import TypedDict, TypeVar, Unpack

from hilum_sdk.drivers import Driver
from hilum_sdk.models import Finding, FindingsReport, Move, Series, Shape, Study, Why
from hilum_sdk.operations import Listing, Operation, Query, Resource
from hilum_sdk.session import path_of

D = TypeVar("D", bound=Driver)


class Filters(TypedDict, total=False):
    """What studies are found by; all that are given must hold."""

    project: str
    patient_id: str
    accession_number: str
    study_instance_uid: str
    stage: str
    status: str
    text: str


class Studies(Resource[D]):
    """`/studies`: what the projects hold."""

    @Listing
    def list(self, project: str | None = None, stage: str | None = None, status: str | None = None) -> Query[Study]:
        """The studies of a project, or in a stage or status."""
        return Query(Study, "/studies", {"project": project, "stage": stage, "status": status})

    @Listing
    def search(self, **filters: Unpack[Filters]) -> Query[Study]:
        """Find studies; what identifies a patient travels in the body, for proxies keep URLs in their logs."""
        return Query(Study, "/studies/search", dict(filters), in_body=True)

    @Operation
    async def get(self, study_id: str) -> Study:
        """One study."""
        return await self._session.fetch(Study, "GET", path_of("studies", study_id))

    @Listing
    def timeline(self, study_id: str) -> Query[Move]:
        """Every move of the study and its workitems, with its reason."""
        return Query(Move, path_of("studies", study_id, "timeline"))

    @Operation
    async def why(self, study_id: str) -> Why:
        """Where the study stands and what it waits for."""
        return await self._session.fetch(Why, "GET", path_of("studies", study_id, "why"))

    @Listing
    def findings(self, study_id: str) -> Query[Finding]:
        """What the checks found."""
        return Query(Finding, path_of("studies", study_id, "findings"))

    @Operation
    async def findings_report(self, study_id: str) -> FindingsReport:
        """What the checks found, with what it means, what to do, and how many slices are valid."""
        return await self._session.fetch(FindingsReport, "GET", path_of("studies", study_id, "findings"))

    @Operation
    async def findings_html(self, study_id: str) -> bytes:
        """The same as one HTML file that can be kept and printed."""
        return await self._session.fetch_whole(path_of("studies", study_id, "findings.html"))

    @Listing
    def series(self, study_id: str) -> Query[Series]:
        """The series of the study."""
        return Query(Series, path_of("studies", study_id, "series"))

    @Operation
    async def delete(self, study_id: str, reason: str) -> None:
        """Delete the study with everything made from it; for administrators. A tombstone with the reason stays."""
        await self._session.fetch(Shape, "DELETE", path_of("studies", study_id), json={"reason": reason})
