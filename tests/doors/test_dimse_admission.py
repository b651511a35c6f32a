"""AE titles: called -> project, calling -> dataset, and who may associate at all."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from hilum.dicom.upperlayer import AssociateReject, Limits, Policy
from hilum.doors.dimse import DimseDoor, DoorLimits
from hilum.doors.dimse_admission import Admission, KnownPeer, Rejection, Rules, admit, dataset_of
from hilum.doors.dimse_requestor import make_request
from hilum.doors.dimse_slots import Slots


@dataclass
class Project:
    name: str
    ae_title: str = ""
    quiet_seconds: float = 5.0


PROJECTS = [Project("admin"), Project("brain"), Project("a_very_long_project_name", "LONGNAME"), Project("Twin"), Project("TWIN")]
PEER = KnownPeer("ct", "CT1", "10.0.0.1", 104, frozenset({"10.0.0.1"}))


def judge(called: str, calling: str = "SCANNER", address: str = "10.0.0.1", **rules) -> Admission | Rejection:
    return admit(make_request(called, calling, ()), address, Rules(**rules), PROJECTS, [PEER])


@pytest.mark.parametrize(
    ("called", "project"),
    [
        ("HILUM", "admin"),
        ("hilum", "admin"),
        ("kp-brain", "brain"),
        ("brain", "brain"),
        ("KP-BRAIN", "brain"),
        ("LONGNAME", "a_very_long_project_name"),
        ("Twin", "Twin"),
        ("kp-TWIN", "TWIN"),
    ],
)
def test_a_called_ae_title_names_its_project(called: str, project: str) -> None:
    verdict = judge(called)
    assert isinstance(verdict, Admission)
    assert verdict.project == project
    assert verdict.quarantine == ""


@pytest.mark.parametrize("called", ["NOBODY", "kp-nobody", "kp-", "twin", "a_very_long_proj"])
def test_an_unknown_project_is_rejected_never_filed_elsewhere(called: str) -> None:
    verdict = judge(called)
    assert isinstance(verdict, Rejection)
    assert verdict.response == AssociateReject(1, 1, 7)


def test_by_setting_it_is_quarantined_instead() -> None:
    verdict = judge("NOBODY", quarantines=True)
    assert isinstance(verdict, Admission)
    assert (verdict.project, verdict.quarantine) == ("admin", "It was sent to NOBODY, and no project has this name.")


def test_our_own_ae_title_and_its_project_are_settings() -> None:
    verdict = judge("GATEWAY", ae_title="GATEWAY", default_project="brain")
    assert isinstance(verdict, Admission)
    assert verdict.project == "brain"


@pytest.mark.parametrize(("calling", "dataset"), [("kp-trial", "trial"), ("SCANNER1", "SCANNER1"), ("kp-", "kp-")])
def test_the_calling_ae_title_names_the_dataset(calling: str, dataset: str) -> None:
    assert dataset_of(calling) == dataset


@pytest.mark.parametrize(
    ("calling", "address", "is_admitted"),
    [("CT1", "10.0.0.1", True), ("CT1", "10.0.0.2", False), ("ct1", "10.0.0.1", False), ("CT2", "10.0.0.1", False)],
)
def test_only_known_pairs_of_ae_title_and_address_associate(calling: str, address: str, is_admitted: bool) -> None:
    verdict = judge("brain", calling, address, only_peers=True)
    assert isinstance(verdict, Admission) is is_admitted
    if isinstance(verdict, Rejection):
        assert verdict.response == AssociateReject(1, 1, 3)


def test_a_verdict_holds_as_long_as_the_projects_that_it_follows_from_and_no_longer(tmp_path: Path) -> None:
    now, projects = [0.0], [Project("brain", "LONGNAME")]
    directory = SimpleNamespace(projects=lambda: list(projects))
    policy = Policy(implementation_class_uid="2.25.1", implementation_version_name="EXAMPLE")
    request = make_request("LONGNAME", "SCANNER", ())
    kept = {"policy": policy, "rules": Rules(), "limits": DoorLimits(), "core_limits": Limits()}

    async def ask() -> list[str | None]:
        door = DimseDoor(None, None, directory, Slots(tmp_path / "slots"), ticks=lambda: now[0], **kept)  # type: ignore[arg-type]

        def ask_now() -> str | None:
            admission = door.admit_now(request, "10.0.0.1")
            return admission and admission.project

        said = [ask_now()]
        await door.admit(request, "10.0.0.1")
        said += [ask_now(), ask_now()]
        projects[:] = [Project("heart", "LONGNAME")]
        now[0] = 1.5
        said += [ask_now()]
        await door.admit(request, "10.0.0.1")
        return [*said, ask_now(), ask_now()]

    assert asyncio.run(ask()) == [None, "brain", "brain", None, "heart", "heart"]
