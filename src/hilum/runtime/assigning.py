"""Series sent to a template by hand: their files are looked at, their roles found, and then it is decided in one transaction."""

from collections.abc import Mapping, Sequence

from hilum.model.assigning import Assigned, Choice
from hilum.model.errors import InvalidError, StorageError
from hilum.model.identity import Scope
from hilum.model.records import Series
from hilum.model.roles import called, find_roles
from hilum.model.templates import Template
from hilum.runtime.assembling import Application, operators


def assign(
    app: Application, scope: Scope, series_ids: Sequence[str], template: str, *, roles: Mapping[str, str], again: bool = False
) -> list[Assigned]:
    """Send series to the newest version of a template; one answer a series.

    Args:
        roles: series id -> role, where the caller knows better than the template's rules.

    Raises:
        NotFoundError: a series or the template does not exist for the caller.
        InvalidError: the template has no such role. ConflictError: none of the series can be sent.
    """
    chosen, _ = app.templates.find(scope, template)
    given = [app.catalogue.find_series(scope, one, varying=chosen.varying()) for one in dict.fromkeys(series_ids)]
    refused = {one.id: why for one in given if (why := _missing_files(app, scope, one))}
    return app.decisions.assign(scope, Choice(template, _roles(app, chosen, given, roles), again, refused))


def _missing_files(app: Application, scope: Scope, one: Series) -> str:
    """Why the series' bytes cannot be read; empty where all are there. (Their digests are compared when they are read.)"""
    instances = app.catalogue.instances_of(scope, one)
    try:
        for instance in instances:
            app.vault.read_at(instance.stored.pack_id, instance.stored.offset + instance.stored.size - 1, 1)
    except StorageError as error:
        return f"Files of {called(one)} are not all there: {error.sentence}"
    return "" if instances else f"There are no files of {called(one)}."


def _roles(app: Application, template: Template, given: Sequence[Series], wanted: Mapping[str, str]) -> dict[str, str]:
    """Every series' role: as the caller says, else by the template's rules, else the one that is left for the one that is left."""
    names = [required.role for required in template.required_series]
    for role in wanted.values():
        if role not in names:
            raise InvalidError(f"{template.name} has no role {role!r}.", f"It has {', '.join(names) or 'none'}.")
    roles = {one.id: wanted.get(one.id, "") for one in given}
    open_roles = [required for required in template.required_series if required.role not in wanted.values()]
    for search in find_roles(open_roles, [one for one in given if not roles[one.id]], operators(app.clock)):
        if search.chosen is not None:
            roles[search.chosen.id] = search.required.role
    without = [series_id for series_id, role in roles.items() if not role]
    left = [role for role in names if role not in roles.values()]
    if len(without) == len(left) == 1:
        roles[without[0]] = left[0]
    return roles
