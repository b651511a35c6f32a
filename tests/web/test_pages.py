"""The pages of two studies that went through the whole line."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hilum.model.errors import HilumError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.phantoms import PhantomStudy
from hilum.runtime.picturing import Picturing
from hilum.stores.catalogue import Page, StudyFilter
from hilum.web import rendering, routes, standing, study

if TYPE_CHECKING:
    from conftest import Gateway

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def served(gateway: Gateway, phantoms: tuple[PhantomStudy, PhantomStudy]) -> Gateway:
    """Both phantoms, through."""
    for phantom in phantoms:
        gateway.bring(phantom.files, "brain_ms")
    gateway.work()
    return gateway


def study_id(gateway: Gateway, patient_id: str) -> str:
    (found,) = gateway.app.catalogue.list_studies(SYSTEM, StudyFilter(patient_id=patient_id), Page())
    return found.id


def page_of(gateway: Gateway, path: str) -> str:
    response = gateway.pages.get(path)
    assert response.status_code == 200, response.text
    return response.text


def test_the_list_shows_every_study_with_its_status_and_why(served: Gateway) -> None:
    page = page_of(served, "/studies")

    assert "PHANTOM-1" in page
    assert "PHANTOM-2" in page
    assert "Delivered" in page
    assert "Slice 17 is missing in series 3" in page
    assert "1 study needs a person" in page


def test_the_root_leads_to_the_list(served: Gateway) -> None:
    assert served.pages.get("/", follow_redirects=False).headers["location"] == "/studies"


def test_the_list_of_what_needs_a_person_has_the_held_study_alone(served: Gateway) -> None:
    page = page_of(served, "/studies?view=needs")

    assert "PHANTOM-2" in page
    assert "PHANTOM-1" not in page


def test_a_search_finds_by_patient_and_says_when_nothing_fits(served: Gateway) -> None:
    found = page_of(served, "/studies?text=phantom-1")
    assert "PHANTOM-1" in found
    assert "PHANTOM-2" not in found
    assert "No study fits." in page_of(served, "/studies?text=nobody")


def test_a_study_tells_its_way_from_door_to_delivery(served: Gateway) -> None:
    page = page_of(served, f"/studies/{study_id(served, 'PHANTOM-1')}")

    stages = re.findall(r'<span class="stage">(\w+)</span>', page)
    to_matching = ["receiving", "importing", "gathering", "checking", "matching"]
    assert stages == [*to_matching, "deidentifying", "processing", "reviewing", "delivering"]
    assert "Matched to brain_ms." in page
    assert "Found T1, FLAIR." in page
    assert page.count("/thumbnail.png") == 2
    assert re.search(r'href="/api/v1/artifacts/[0-9a-f-]{36}/content"[^>]*>brain_ms\.pdf', page)


def test_the_thumbnail_of_a_series_is_a_picture(served: Gateway) -> None:
    page = page_of(served, f"/studies/{study_id(served, 'PHANTOM-1')}")
    (first, *_) = re.findall(r'src="(/series/[^"]+)"', page)

    pending = served.pages.get(first)
    drawing = Picturing(served.app)
    while drawing.draw_wanted():
        pass
    response = served.pages.get(first)

    assert (pending.status_code, pending.headers["hilum-picture"]) == (202, "pending")
    assert (response.status_code, response.headers["hilum-picture"]) == (200, "picture")
    for one in (pending, response):
        assert one.headers["content-type"] == "image/png"
        assert one.content.startswith(b"\x89PNG")
    assert pending.content != response.content


def test_a_held_study_says_why_and_what_to_do(served: Gateway) -> None:
    page = page_of(served, f"/studies/{study_id(served, 'PHANTOM-2')}")
    (workitem,) = served.app.catalogue.list_workitems(SYSTEM, study_id=study_id(served, "PHANTOM-2"))

    assert "Held at matching since" in page
    assert "Slice 17 is missing in series 3 &#34;FLAIR&#34;." in page
    assert f"hilum retry {workitem.id}" in page
    assert "missing-slices" in page


def test_a_study_that_is_not_there_is_404_with_the_way_back(served: Gateway) -> None:
    response = served.pages.get("/studies/none")

    assert response.status_code == 404
    assert 'href="/studies"' in response.text


def test_another_projects_study_is_404(served: Gateway) -> None:
    served.app.access.create_project(SYSTEM, "elsewhere")
    stranger = replace(served, reader=Scope("stranger", {"elsewhere": Role.ADMIN}, may_see_identity=True))

    assert stranger.pages.get(f"/studies/{study_id(served, 'PHANTOM-1')}").status_code == 404
    assert "PHANTOM-1" not in page_of(stranger, "/studies")
    assert "PHANTOM-2" not in page_of(stranger, "/studies?view=needs")


def test_who_may_not_see_identities_sees_none(served: Gateway, phantoms: tuple[PhantomStudy, PhantomStudy]) -> None:
    reader = replace(served, reader=Scope("reader", {"admin": Role.VIEWER}))
    pages = page_of(reader, "/studies") + page_of(reader, f"/studies/{study_id(served, 'PHANTOM-1')}")

    for hidden in ("PHANTOM-1", "Phantom^Phantom", phantoms[0].accession_number):
        assert hidden not in pages


class UnknownError(HilumError):
    kind = "unauthenticated"


def nobody(_request: object) -> Scope:
    raise UnknownError("No credential came.", "Sign in.")


def test_nobody_is_asked_for_name_and_password(served: Gateway) -> None:
    response = TestClient(Starlette(routes=routes(served.app, nobody))).get("/studies")

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")


def test_the_page_of_who_is_not_signed_in_has_its_style_within_and_loads_nothing(served: Gateway) -> None:
    response = TestClient(Starlette(routes=routes(served.app, nobody))).get("/studies")

    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["content-security-policy"]
    assert not re.search(r"\b(src|href)=", response.text)


def test_pages_allow_no_script_and_no_style_but_ours(served: Gateway) -> None:
    response = served.pages.get(f"/studies/{study_id(served, 'PHANTOM-1')}")

    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in response.text
    assert " style=" not in response.text
    assert "<style" not in response.text


def test_nothing_a_sender_wrote_is_markup(served: Gateway, phantoms: tuple[PhantomStudy, PhantomStudy], tmp_path: Path) -> None:
    instance = pydicom.dcmread(phantoms[0].files[0])
    uid = "2.25.4711"
    instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID = f"{uid}.1", f"{uid}.2", f"{uid}.3"
    instance.file_meta.MediaStorageSOPInstanceUID = f"{uid}.3"
    for keyword in ("PatientID", "PatientName", "AccessionNumber", "StudyDescription", "SeriesDescription", "StudyDate"):
        with pydicom.config.disable_value_validation():
            setattr(instance, keyword, HOSTILE)
    path = tmp_path / "hostile.dcm"
    instance.save_as(path)
    served.bring((path,))
    served.work()

    (hostile,) = served.app.catalogue.list_studies(SYSTEM, StudyFilter(study_instance_uid=f"{uid}.1"), Page())
    pages = page_of(served, f"/studies/{hostile.id}") + page_of(served, "/studies") + page_of(served, f"/studies?text={HOSTILE}")

    assert "&lt;img src=x" in pages
    assert "<img src=x" not in pages


def test_an_address_that_names_no_page_is_refused(served: Gateway) -> None:
    assert served.pages.get("/studies?after=nonsense").status_code == 422


def test_styles_are_served_and_name_no_other_server(served: Gateway) -> None:
    for name in ("tokens.css", "pages.css", "icon.svg"):
        response = served.pages.get(f"/static/{name}")
        assert response.status_code == 200
        assert not re.search(r"https?://(?!www\.w3\.org)", response.text)


def test_every_icon_that_a_page_uses_is_drawn() -> None:
    source, _, _ = rendering.environment().loader.get_source(rendering.environment(), "icons.svg")
    drawn = set(re.findall(r'<symbol id="i-(\w+)"', source))
    named = {badge.icon for badge in (*standing.BADGES.values(), *study.SERIES_BADGES.values(), standing.FOR_REVIEW, standing.DELIVERED)}
    assert named | set(study.ENTRY_ICONS.values()) <= drawn
