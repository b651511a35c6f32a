"""Every route x every role, and with another project's ids: generated from the routes themselves, so that a new one is walked too."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from hilum.api.application import make_api
from hilum.api.routing import PREFIX
from hilum.model.identity import RIGHTS, Right, Role
from hilum.model.records import MemberState

ID = re.compile(r"{(\w+)(?::path)?}")
OPEN = {"/health", "/ready", f"{PREFIX}/health", f"{PREFIX}/ready", f"{PREFIX}/openapi.json"}
# What a path's parameter names: the id is looked up among what the project holds.
_BY_NAME = (
    "/profiles/{name}",
    "/templates/{name}",
    "/templates/{name}/yaml",
    "/templates/{name}/dry-run",
    "/pacs/{name}",
    "/pacs/{name}/echo",
)
NOT_OF_A_PROJECT = {f"{PREFIX}{path}" for path in _BY_NAME} | {"/static/{name}"}
NAMES = {
    "/profiles": {"name": "basic"},
    "/templates": {"name": "nifti"},
    "/templates/{name}": {"name": "nifti"},
    "/static": {"name": "pages.css"},
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/uploads/{upload_id}/offer"): {"files": []},
    ("DELETE", "/studies/{study_id}"): {"reason": "a test"},
    ("POST", "/items/{item_id}/send-back"): {"stage": "checking"},
    ("POST", "/workitems/{workitem_id}/review"): {"verdict": "accept"},
    ("POST", "/projects/{name}/direction"): {"reidentification": "never"},
}


def routes(site) -> list[tuple[str, str, Right | None]]:
    """(method, path, right) of every route."""
    api = make_api(site.app, received=None)
    return [
        (method, route.path.replace(":path", ""), getattr(route, "right", None))
        for route in api.routes
        for method in sorted(route.methods - {"HEAD"})
    ]


@pytest.fixture(scope="module")
def held(site, uploading, shared_data: Path) -> dict[str, str]:
    """A project with one of everything that has an id: parameter name -> id."""
    project = site.project()
    upload = uploading(project, report_type="brain_ms")
    for path in sorted((shared_data / "ms_dicom/patient01").rglob("*.dcm")):
        upload.put(path.name, path.read_bytes())
    upload.put("junk.txt", b"not an image")
    study = upload.finish()["studies"][0]["id"]
    client = upload.client
    workitems = client.get(f"/workitems?study={study}").json()["items"]
    done = next(one for one in workitems if one["status"] == "finished")
    aside = client.get(f"/set-aside?project={project}").json()["items"]
    assert aside[0]["state"] == MemberState.SET_ASIDE
    return {
        "name": project,
        "upload_id": uploading(project).id,
        "study_id": study,
        "series_id": client.get(f"/series?study={study}").json()["items"][0]["id"],
        "workitem_id": done["id"],
        "artifact_id": client.get(f"/workitems/{done['id']}/artifacts").json()["items"][0]["id"],
        "item_id": study,
        "token_id": client.post("/tokens", json={"name": "any", "role": "viewer", "project": project}).json()["id"],
        "user_id": add_user(client, project),
        "acceptance_id": str(accept(client, project)),
        "set_aside_id": str(aside[0]["id"]),
    }


def add_user(client: httpx.Client, project: str) -> str:
    """A person of a project; answers with the id."""
    body = {"name": f"any of {project}", "role": "viewer", "project": project, "password": "correct horse battery"}
    return client.post("/users", json=body).json()["id"]


def accept(client: httpx.Client, project: str) -> int:
    """An accepted finding of a project; answers with the id."""
    body = {"project": project, "check": "burned-in-annotation", "reason": "a test"}
    return client.post("/acceptances", json=body).json()["id"]


def is_page(path: str) -> bool:
    """Whether it answers people: with HTML, and with a sign-in that browsers know."""
    return not path.startswith(PREFIX) and path not in OPEN


def ask(client: httpx.Client, method: str, path: str, ids: dict[str, str]) -> httpx.Response:
    """Call a route with ids in its path and a body that it takes."""
    short = path.removeprefix(PREFIX)
    body = BODIES.get((method, short), {} if method in ("POST", "PUT", "DELETE") else None)
    known = ids | {"study": ids["study_id"], "series": ids["series_id"]} | NAMES.get(path.rsplit("/", 1)[0].removeprefix(PREFIX), {})
    filled = ID.sub(lambda found: known[found[1]], path)
    return client.request(method, str(client.base_url).removesuffix(f"{PREFIX}/") + filled, json=body)


def test_every_route_but_health_needs_a_right(site):
    assert {path for _, path, right in routes(site) if right is None} == OPEN


def test_nobody_comes_in_without_a_credential(site, held):
    for method, path, right in routes(site):
        reply = ask(site.client(None), method, path, held)
        if right is None:
            assert reply.status_code == 200, path
        else:
            assert reply.status_code == 401, path
            assert ("Basic" if is_page(path) else "Bearer") in reply.headers["www-authenticate"]
            assert is_page(path) or reply.headers["content-type"] == "application/problem+json", path


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_let_in_where_it_has_the_right_and_nowhere_else(site, held, role):
    """Deleting is tried last of all, on what the other routes need."""
    client = site.client(site.token(held["name"], role))
    held = held | {"acceptance_id": str(accept(site.client(site.token(held["name"], Role.ADMIN)), held["name"]))}
    for method, path, right in sorted(routes(site), key=lambda one: one[0] == "DELETE"):
        if method == "DELETE" and role is Role.ADMIN:
            continue  # test_studies.py deletes
        if path.endswith("/events") and right in RIGHTS[role]:
            continue  # it never ends
        status = ask(client, method, path, held).status_code
        if right is not None and right not in RIGHTS[role]:
            assert status == 403, (method, path)
        else:
            assert status not in (401, 404, 500), (method, path, status)
            assert status != 403 or path in site_wide(), (method, path)


def site_wide() -> set[str]:
    """What belongs to no single project: a role in `admin` is needed, or the right to see identities; a role in a project is not enough."""
    peers = ("/pacs", "/pacs/{name}", "/pacs/{name}/echo")
    of_a_site = (
        "/projects",
        "/projects/{name}/direction",
        "/crosswalk",
        "/crosswalk/search",
        "/crosswalk/give-up",
        "/tombstones",
        "/templates",
        "/templates/yaml",
        "/templates/{name}",
        "/attributes",
        "/metrics",
        "/set-aside/{set_aside_id}/content",
    )
    return {f"{PREFIX}{path}" for path in (*of_a_site, *peers)}


def test_another_projects_ids_do_not_exist(site, held):
    client = site.client(site.token(site.project(), Role.ADMIN))
    for method, path, right in routes(site):
        if right is not None and ID.search(path) and path not in NOT_OF_A_PROJECT:
            reply = ask(client, method, path, held)
            assert reply.status_code == 404, (method, path, reply.text)
            assert is_page(path) or reply.json()["type"] == "/problems/not-found"


def test_lists_show_nothing_of_other_projects(site, held):
    client = site.client(site.token(site.project(), Role.ADMIN))
    for path in ("/studies", "/series", "/workitems", "/set-aside", "/log"):
        assert client.get(path).json() == {"items": [], "next": None}, path
    assert held["name"] not in client.get("/projects").text


def test_identities_are_null_for_those_who_may_not_see_them(site, held):
    for may_see in (False, True):
        client = site.client(site.token(held["name"], Role.VIEWER, may_see_identity=may_see))
        study = client.get(f"/studies/{held['study_id']}").json()
        assert study["number_of_instances"] > 0
        shown = {study["patient_id"], study["patient_name"], study["accession_number"]}
        assert (shown == {None}) is not may_see
        found = client.post("/studies/search", json={"patient_id": "MS-0001"}).json()["items"]
        assert len(found) == may_see


def test_who_may_not_see_identities_cannot_make_a_token_that_may(site):
    project = site.project()
    client = site.client(site.token(project, Role.ADMIN))
    asked = {"name": "curious", "role": "viewer", "project": project, "may_see_identity": True}
    assert client.post("/tokens", json=asked).status_code == 403


def test_a_role_in_one_project_gives_no_right_in_another(site, held):
    """An operator elsewhere who only views here may not operate here."""
    from hilum.model.identity import SYSTEM
    from hilum.stores.access import Grant

    elsewhere = site.project()
    granted = [Grant(held["name"], Role.VIEWER), Grant(elsewhere, Role.OPERATOR)]
    client = site.client(site.app.access.create_token(SYSTEM, "two roles", granted).secret)
    assert client.post(f"/items/{held['item_id']}/retry").status_code == 403
    assert client.put(f"/uploads/{held['upload_id']}/files/a", content=b"x").status_code == 403
