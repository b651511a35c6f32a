"""Who can come in, as an administrator lists and ends it."""

import uuid

from hilum.model.identity import Role

PASSWORD = "correct horse battery"


def test_tokens_are_listed_without_their_secrets_and_revoked(site):
    project = site.project()
    client = site.client(site.token(project, Role.ADMIN))
    made = client.post("/tokens", json={"name": "scanner", "role": "operator", "project": project}).json()

    reply = client.get("/tokens")

    listed = {one["id"]: one for one in reply.json()["items"]}
    assert listed[made["id"]]["grants"] == [{"project": project, "role": "operator", "may_see_identity": False}]
    assert made["token"] not in reply.text
    assert client.delete(f"/tokens/{made['id']}").status_code == 204
    assert {one["id"]: one for one in client.get("/tokens").json()["items"]}[made["id"]]["revoked_at"]


def test_a_removed_user_comes_in_no_more(site):
    project, name = site.project(), f"maria-{uuid.uuid4()}"
    client = site.client(site.token(project, Role.ADMIN))
    client.post("/users", json={"name": name, "role": "viewer", "project": project, "password": PASSWORD})
    assert [one["name"] for one in client.get("/users").json()["items"]] == [name]

    assert client.delete(f"/users/{name}").status_code == 204

    assert client.get("/users").json()["items"] == []
    assert site.client(None).get("/projects", auth=(name, PASSWORD)).status_code == 401


def test_another_projects_credentials_do_not_exist(site):
    project, name = site.project(), f"otto-{uuid.uuid4()}"
    site.client().post("/users", json={"name": name, "role": "viewer", "project": project, "password": PASSWORD})
    stranger = site.client(site.token(site.project(), Role.ADMIN))

    assert name not in stranger.get("/users").text
    (own,) = stranger.get("/tokens").json()["items"]
    assert own["name"].startswith(f"{Role.ADMIN} of ")
    assert stranger.delete(f"/users/{name}").status_code == 404


def test_nobody_removes_itself(site):
    project, name = site.project(), f"anna-{uuid.uuid4()}"
    site.client().post("/users", json={"name": name, "role": "admin", "project": project, "password": PASSWORD})

    assert site.client(None).delete(f"/users/{name}", auth=(name, PASSWORD)).status_code == 403
