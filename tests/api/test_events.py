"""GET /events: every move as it happens, to who may hear it."""

import pytest

from hilum.api import events
from hilum.model.identity import SYSTEM, Role
from hilum.stores.access import Grant
from images import image


@pytest.fixture
def quick(monkeypatch):
    """A listener that looks often, and looks its credential up every time."""
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(events, "TRUST_SECONDS", 0.0)


def _token(site, project):
    return site.app.access.create_token(SYSTEM, f"listens to {project}", [Grant(project, Role.VIEWER)])


def test_a_listener_hears_the_moves_of_its_projects_and_no_others(site, uploading, quick):
    heard, other = site.project(), site.project()
    token = _token(site, heard)
    with site.client(token.secret).stream("GET", "/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": listening"
        for project in (other, heard):
            upload = uploading(project)
            upload.put("1.dcm", image(1))
            upload.complete()
        told = next(line for line in lines if line.startswith("data: "))
    assert f'"{upload.id}"' in told


def test_a_listener_whose_token_is_revoked_hears_no_more(site, quick):
    token = _token(site, site.project())
    with site.client(token.secret).stream("GET", "/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": listening"
        site.app.access.revoke_token(SYSTEM, token.id)
        assert [line for line in lines if line.startswith("data: ")] == []
