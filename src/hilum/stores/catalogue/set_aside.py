"""What a sender gave and we cannot use: it is kept with its reason until a person deletes it."""

from sqlalchemy import ColumnElement, literal_column, select

from hilum.model.errors import NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Scope
from hilum.model.outcomes import StoredBytes
from hilum.model.records import MemberState, SetAsideMember
from hilum.stores.catalogue.paging import Page
from hilum.stores.database import Database
from hilum.stores.schema import intakes, members, projects
from hilum.stores.scoping import in_scope


class SetAsideQueries:
    """Members that became no instance: unusable ones, and those that clash with what is held."""

    database: Database

    def conflicts(self, scope: Scope, study_id: str) -> list[SetAsideMember]:
        """Members that clash with what the study holds."""
        return self._set_aside(scope, members.c.clashing_study_id == study_id, members.c.state == MemberState.CONFLICT)

    def set_aside_of_intake(self, scope: Scope, intake_id: str, limit: int = 100) -> list[SetAsideMember]:
        """What an intake brought that could not be used."""
        return self._set_aside(scope, members.c.intake_id == intake_id, _is_aside(), limit=limit)

    def list_set_aside(self, scope: Scope, page: Page, project: str = "") -> list[SetAsideMember]:
        """All that could not be used and was not deleted."""
        narrowed = [projects.c.name == project] if project and project != ADMIN_PROJECT else []
        # + 0: else SQLite goes through all keys behind it, of every member, instead of through the index of these few.
        behind = [members.c.key + 0 > int(page.after)] if page.after else []
        return self._set_aside(scope, _is_aside(), *behind, *narrowed, limit=page.limit)

    def find_set_aside(self, scope: Scope, key: int) -> SetAsideMember:
        """One of them, or NotFoundError."""
        found = self._set_aside(scope, _is_aside(), members.c.key == key)
        if not found:
            raise NotFoundError(f"Nothing set aside has the id {key}.", "Look at GET /set-aside.")
        return found[0]

    def _set_aside(self, scope: Scope, *wanted: ColumnElement[bool], limit: int = 100) -> list[SetAsideMember]:
        query = (
            select(members, projects.c.name.label("project"))
            .join(intakes, intakes.c.id == members.c.intake_id)
            .join(projects, projects.c.id == intakes.c.project_id)
            .where(in_scope(scope, intakes.c.project_id), *wanted)
            .order_by(members.c.key)
            .limit(limit)
        )
        with self.database.reading() as connection:
            return [
                SetAsideMember(
                    row.key,
                    row.project,
                    row.intake_id,
                    row.file_name,
                    row.reason or "",
                    MemberState(row.state),
                    StoredBytes(row.pack_id, row.offset, row.size, row.sha256),
                )
                for row in connection.execute(query)
            ]


def _is_aside() -> ColumnElement[bool]:
    # As the partial index has it, not as parameters: else every member is looked at.
    return members.c.state.in_([literal_column(f"'{state}'") for state in (MemberState.SET_ASIDE, MemberState.CONFLICT)])
