"""Who asks, and what they may see and do. Every catalogue and ledger function takes a `Scope` as its first argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ADMIN_PROJECT = "admin"  # a project of its own, and the view over all projects


class Right(StrEnum):
    """What a route or command needs."""

    READ = "read"
    SEND = "send"  # bring images in
    OPERATE = "operate"  # retry, send back, cancel, assign
    REVIEW = "review"  # accept, reject
    BUILD = "build"  # templates
    ADMINISTER = "administer"  # projects, users, tokens, deletion


class Role(StrEnum):
    """What a person or program is in a project."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    BUILDER = "builder"
    ADMIN = "admin"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.OPERATOR: frozenset({Right.READ, Right.SEND, Right.OPERATE}),
    Role.REVIEWER: frozenset({Right.READ, Right.REVIEW}),
    Role.BUILDER: frozenset({Right.READ, Right.SEND, Right.OPERATE, Right.BUILD}),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The caller and its reach.

    Args:
        who: name written into every history row.
        roles: project name -> role; a role in the project `admin` holds in every project.
        may_see_identity: whether names, patient IDs, birth dates and accession numbers are shown.
    """

    who: str
    roles: Mapping[str, Role]
    may_see_identity: bool = False

    @property
    def sees_all_projects(self) -> bool:
        return ADMIN_PROJECT in self.roles

    def holds(self, right: Right, project: str) -> bool:
        """Whether the caller has `right` in `project`."""
        granted = (self.roles.get(project), self.roles.get(ADMIN_PROJECT))
        return any(role is not None and right in RIGHTS[role] for role in granted)

    def sees(self, project: str) -> bool:
        """Whether `project` exists for the caller at all."""
        return self.sees_all_projects or project in self.roles


SYSTEM = Scope("hilum", {ADMIN_PROJECT: Role.ADMIN}, may_see_identity=True)
"""Hilum itself: stages, housekeeping, recovery."""
