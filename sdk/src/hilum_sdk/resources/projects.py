"""Projects: whose images they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hilum_sdk.drivers import Driver
from hilum_sdk.models import Project
from hilum_sdk.operations import Listing, Operation, Query, Resource
from hilum_sdk.session import path_of

D = TypeVar("D", bound=Driver)


class Projects(Resource[D]):
    """`/projects`."""

    @Listing
    def list(self) -> Query[Project]:
        """The projects that this token may see."""
        return Query(Project, "/projects")

    @Operation
    async def get(self, name: str) -> Project:
        """One project."""
        return await self._session.fetch(Project, "GET", path_of("projects", name))

    @Operation
    async def create(
        self, name: str, description: str | None = None, accepts: Mapping[str, Any] | None = None, ae_title: str | None = None
    ) -> Project:
        """Make a project; names over 13 characters need an `ae_title` of at most 16."""
        body = {"name": name, "description": description, "accepts": accepts and dict(accepts), "ae_title": ae_title}
        return await self._session.fetch(
            Project, "POST", "/projects", json={key: value for key, value in body.items() if value is not None}
        )
