"""The stage deidentifying on a whole line: real images, profiles, keys, and who learns what."""

import io
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from counting import Counting
from line import Line, open_line, settings_in

from hilum.model.errors import ConflictError, InvalidError
from hilum.model.identity import SYSTEM
from hilum.model.keys import ProjectKey
from hilum.model.lifecycle import Stage, Status
from hilum.model.records import Workitem
from hilum.runtime.keys import open_keys
from hilum.runtime.stepping import StopError
from images import image, read_folder, series_of

NAME, NUMBER, PHYSICIAN, STUDY = "Quixotella^Zephyrine", "PLANTED-4711", "Wunderlichter^Ottokar", "1.2.826.0.1.77.1"
PLANTED = {
    "PatientName": NAME,
    "PatientID": NUMBER,
    "ReferringPhysicianName": PHYSICIAN,
    "SeriesDescription": f"T1 of {NAME.split('^', maxsplit=1)[0]}",
    "StudyDescription": f"seen by {PHYSICIAN.split('^', maxsplit=1)[0]}",
    "StudyDate": "20200229",
    "PatientBirthDate": "19500102",
}
TOKENS = (*NAME.split("^"), NUMBER, *PHYSICIAN.split("^"), STUDY)


def template(line: Line, name: str = "hidden", **options: Any) -> str:
    line.save_template(name, active=False, **{"deidentification": "basic", "destinations": [{"destination": "folder"}], **options})
    return name


def planted(numbers: list[int], **attributes: Any) -> dict[str, bytes]:
    return series_of(numbers, **{"study": STUDY, **PLANTED, **attributes})


def sent(line: Line, files: Mapping[str, bytes], **asked: Any) -> Workitem:
    (workitem,) = line.workitems(line.study(line.send(files, **asked)))
    return workitem


def copies(line: Line, workitem: Workitem) -> list[bytes]:
    found = line.app.catalogue.deidentified(SYSTEM, workitem.id)
    return [b"".join(line.app.vault.stream(stored)) for _, _, stored in found]


def opened(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def report_of(line: Line, workitem: Workitem) -> Mapping[str, Any]:
    return line.app.catalogue.deidentification(SYSTEM, workitem.id)


def test_copies_name_nobody_and_keep_their_pixels_and_their_place(line: Line) -> None:
    pixels = np.arange(16, dtype=np.uint16).tobytes()
    workitem = sent(line, planted([1, 2, 3], PixelData=pixels), report_type=template(line))
    assert workitem.item.status is Status.FINISHED
    for number, content in enumerate(copies(line, workitem), start=1):
        assert not [token for token in TOKENS if token.encode() in content]
        copy = opened(content)
        assert (copy.PixelData, list(copy.ImagePositionPatient)) == (pixels, [0, 0, number])
        assert (copy.PatientIdentityRemoved, copy.PatientName) == ("YES", copy.PatientID)


def test_the_processor_is_told_what_the_copies_say(line: Line, counting: Counting) -> None:
    workitem = sent(line, planted([1, 2, 3, 5]), report_type=template(line))
    line.app.decisions.retry(SYSTEM, workitem.id, f"{NAME} moved")
    line.run()
    (order,) = counting.orders
    (given,), copy = order.inputs, opened(copies(line, line.workitems(line.app.catalogue.find_study(SYSTEM, STUDY))[0])[0])
    assert (order.study_instance_uid, given.series_instance_uid) == (copy.StudyInstanceUID, copy.SeriesInstanceUID)
    assert (given.description, given.modality) == ("", "MR")
    assert any(one.startswith("missing-slices: ") and one.endswith("Let go by a person.") for one in order.findings)
    assert not [token for token in TOKENS if token in repr(order)]


def test_what_is_delivered_reported_and_kept_of_the_workitem_names_nobody(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    workitem = sent(line, planted([1, 2, 3]), report_type=template(line))
    moves = line.app.ledger.history(SYSTEM, [workitem.id])
    delivered = read_folder(line.settings.delivered_folder)
    told = {
        "moves": repr(moves),
        "workitem": repr(workitem),
        "report": json.dumps(report_of(line, workitem)),
        "log": caplog.text,
        "delivered": b"".join((*delivered.values(), *(name.encode() for name in delivered))).decode("latin-1"),
        "packs": b"".join(copies(line, workitem)).decode("latin-1"),
    }
    assert len(delivered) == 2
    assert [(what, token) for what, text in told.items() for token in TOKENS if token in text] == []
    manifest = json.loads(next(body for name, body in delivered.items() if name.endswith("manifest.json")))
    assert manifest["study_instance_uid"] == opened(copies(line, workitem)[0]).StudyInstanceUID


# Where the ledger may say whom images are about: docs/deidentification.md lists these tables.
HOLDS_IDENTITY = {"patients", "studies", "series", "series_headers", "instances", "findings", "matches", "files", "members"}


def test_in_the_ledger_only_the_catalogue_of_originals_names_anybody(line: Line) -> None:
    from hilum.stores.schema import metadata

    sent(line, planted([1, 2, 3, 5]), report_type=template(line))
    workitem = line.workitems(line.app.catalogue.find_study(SYSTEM, STUDY))[0]
    line.app.decisions.retry(SYSTEM, workitem.id, "It is good enough.")
    line.run()
    with line.app.database.reading() as connection:
        rows = {name: repr(connection.execute(table.select()).all()) for name, table in metadata.tables.items()}
    naming = {name for name, said in rows.items() if any(token in said for token in TOKENS)}
    assert naming <= HOLDS_IDENTITY | {"items", "moves"}  # these quote findings, at the stages before de-identification
    assert not [
        token for token in TOKENS if token in rows["derivatives"] + rows["deidentifications"] + rows["workitems"] + rows["receipts"]
    ]


def test_the_results_say_by_what_the_images_were_deidentified(line: Line) -> None:
    workitem = sent(line, planted([1, 2]), report_type=template(line))
    record = workitem.provenance["deidentification"]
    (key,) = line.keys().find("admin")
    assert (record["profile"], record["profile_version"], record["key"], record["changed"]) == ("basic", 1, key.id, True)
    assert len(record["profile_digest"]) == 16
    assert record["engine"].startswith("Hilum ")
    report = report_of(line, workitem)
    assert (report["instances"], report["series"][0]["instances"], report["held"]) == (2, 2, {})
    assert {"attribute", "action", "reason", "before", "after", "times"} <= report["attributes"][0].keys()


def test_the_same_patient_in_two_studies_has_the_same_pseudonym_and_another_project_s_another(line: Line) -> None:
    template(line)
    line.app.access.create_project(SYSTEM, "ward")
    line.keys().create("ward")
    first = sent(line, planted([1, 2]), report_type="hidden")
    second = sent(line, planted([1, 2], study="1.2.826.0.1.77.2"), report_type="hidden")
    elsewhere = sent(line, planted([1, 2]), report_type="hidden", project="ward")
    one, two, three = (opened(copies(line, workitem)[0]) for workitem in (first, second, elsewhere))
    assert one.PatientID == two.PatientID
    assert one.StudyInstanceUID != two.StudyInstanceUID
    assert three.PatientID != one.PatientID
    assert three.SOPInstanceUID != one.SOPInstanceUID


def test_what_runs_again_makes_the_same_identifiers(line: Line) -> None:
    workitem = sent(line, planted([1, 2]), report_type=template(line))
    before = copies(line, workitem)
    line.app.decisions.send_back(SYSTEM, workitem.id, Stage.DEIDENTIFYING, "again")
    line.run()
    assert [opened(one).SOPInstanceUID for one in copies(line, workitem)] == [opened(one).SOPInstanceUID for one in before]
    assert len(copies(line, workitem)) == 2


# --- what is held ----------------------------------------------------------------------------------------------------------------


def test_a_missing_key_holds_and_none_is_made(line: Line) -> None:
    line.app.access.create_project(SYSTEM, "ward")
    workitem = sent(line, planted([1]), report_type=template(line), project="ward")
    assert (workitem.item.stage, workitem.item.status) == (Stage.DEIDENTIFYING, Status.HELD)
    assert "Project ward has no key, which the profile basic needs." in workitem.item.why
    assert "`hilum key create ward`" in workitem.item.why
    assert line.keys().find("ward") == []
    line.keys().create("ward")
    line.app.decisions.retry(SYSTEM, workitem.id, "It has one now.")
    line.run()
    assert line.app.catalogue.find_workitem(SYSTEM, workitem.id).item.status is Status.FINISHED


def test_a_key_that_others_may_read_holds(line: Line) -> None:
    (line.settings.keys_folder / "admin.keys").chmod(0o644)
    workitem = sent(line, planted([1]), report_type=template(line))
    assert workitem.item.status is Status.HELD
    assert "chmod 600" in workitem.item.why


def test_one_held_instance_holds_them_all_and_nothing_is_kept(line: Line) -> None:
    files = planted([1, 2, 3]) | {"4.dcm": image(4, study=STUDY, **PLANTED, BurnedInAnnotation="YES")}
    workitem = sent(line, files, report_type=template(line))
    if workitem.item.stage is not Stage.DEIDENTIFYING or "Burned" not in workitem.item.why:
        line.app.decisions.retry(SYSTEM, workitem.id, "a check's finding is let go")
        line.run()
        workitem = line.app.catalogue.find_workitem(SYSTEM, workitem.id)
    assert (workitem.item.stage, workitem.item.status) == (Stage.DEIDENTIFYING, Status.HELD)
    assert "1 of 4 instances cannot be de-identified by profile basic. Series 1: Burned In Annotation is YES" in workitem.item.why
    assert copies(line, workitem) == []
    assert report_of(line, workitem)["held"] != {}
    with line.app.database.reading() as connection:
        from hilum.stores.schema import members

        assert "made" not in {row.state for row in connection.execute(members.select())}


def test_what_the_self_check_finds_holds_and_is_not_said(line: Line) -> None:
    _write_profile(line, "leaky", overrides=[{"attribute": "ImageComments", "action": "keep"}])
    files = planted([1, 2], ImageComments="call Quixotella")
    workitem = sent(line, files, report_type=template(line, deidentification="leaky"))
    assert workitem.item.status is Status.HELD, workitem.item
    assert "ImageComments of the copy holds a part of the patient's name" in workitem.item.why
    assert not [token for token in TOKENS if token in workitem.item.why]
    assert copies(line, workitem) == []


NAMELESS = {"PatientName": "", "PatientBirthDate": "", "SeriesDescription": "T1 of Quixotella"}


@pytest.mark.parametrize("nameless", [1, 3])
def test_a_name_that_only_a_sibling_states_holds_the_workitem_whichever_comes_first(line: Line, nameless: int) -> None:
    files = planted([2], SeriesDescription="T1") | {"nameless.dcm": image(nameless, study=STUDY, **PLANTED | NAMELESS)}
    workitem = sent(line, files, report_type=template(line, deidentification="research"))
    if workitem.item.stage is not Stage.DEIDENTIFYING:
        line.app.decisions.retry(SYSTEM, workitem.id, "a check's finding is let go")
        line.run()
        workitem = line.app.catalogue.find_workitem(SYSTEM, workitem.id)
    assert (workitem.item.stage, workitem.item.status) == (Stage.DEIDENTIFYING, Status.HELD), workitem.item
    assert "SeriesDescription of the copy holds a part of the patient's name" in workitem.item.why
    assert not [token for token in TOKENS if token in workitem.item.why]
    assert copies(line, workitem) == []
    assert sum(report_of(line, workitem)["held"].values()) == 1


def test_a_profile_that_is_gone_or_wrong_holds_and_goes_on_when_it_is_back(line: Line) -> None:
    workitem = sent(line, planted([1]), report_type=template(line, deidentification="ours"))
    assert (workitem.item.status, "no de-identification profile 'ours'" in workitem.item.why) == (Status.HELD, True)
    _write_profile(line, "ours", options=["retain-full-dates"])
    line.app.decisions.retry(SYSTEM, workitem.id, "It is back.")
    line.run()
    assert opened(copies(line, workitem)[0]).StudyDate == "20200229"


def test_a_surprise_within_an_object_holds_it_without_its_words(line: Line, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    from hilum.deidentification import engine

    def surprised(*_: Any, **__: Any) -> None:
        raise ValueError(f"invalid literal: {NAME}")

    monkeypatch.setattr(engine, "rewrite", surprised)
    workitem = sent(line, planted([1]), report_type=template(line))
    assert (workitem.item.status, "met a surprise (ValueError)" in workitem.item.why) == (Status.HELD, True)
    assert "Quixotella" not in caplog.text


# --- what is left out, and what is kept ------------------------------------------------------------------------------------------


def test_the_profile_keep_copies_every_byte_and_tells_who_it_is(line: Line, counting: Counting) -> None:
    files = planted([1, 2])
    workitem = sent(line, files, report_type=template(line, deidentification="keep"))
    assert sorted(copies(line, workitem)) == sorted(files.values())
    assert (counting.orders[0].study_instance_uid, counting.orders[0].inputs[0].description) == (STUDY, PLANTED["SeriesDescription"])
    assert report_of(line, workitem)["changed"] is False


def test_a_template_that_names_no_profile_has_basic() -> None:
    from hilum.model.templates import Template

    assert Template.model_validate({"name": "any", "processing": [{"processor": "nifti"}]}).deidentification == "basic"


def test_the_first_start_makes_the_key_of_admin_and_a_ledger_made_anew_none(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "data")
    with open_line(settings) as line:
        assert len(line.keys().find("admin")) == 1
        line.send(series_of([1]))
    (settings.keys_folder / "admin.keys").unlink()
    settings.data.joinpath("ledger.sqlite").unlink()
    with open_line(settings) as line:
        assert line.keys().find("admin") == []


@pytest.mark.parametrize("profile", ["basic", "research"])
def test_real_mr_goes_through_with_its_pixels(line: Line, shared_data: Path, profile: str) -> None:
    files = read_folder(shared_data / "ms_dicom" / "patient01")
    line.save_template(
        "two",
        deidentification=profile,
        active=False,
        required_series=[
            {"role": role, "name": role, "rule": {"attribute": "SeriesDescription", "operator": "contains", "value": role}}
            for role in ("t1", "flair")
        ],
    )
    workitem = sent(line, files, report_type="two")
    assert workitem.item.status is Status.FINISHED, workitem.item.why
    made = [opened(content) for content in copies(line, workitem)]
    originals = [opened(body) for body in files.values() if body[128:132] == b"DICM"]
    before = {(one.SeriesNumber, one.InstanceNumber): one.PixelData for one in originals}
    assert len(made) > 40
    assert all(before[one.SeriesNumber, one.InstanceNumber] == one.PixelData for one in made)
    assert not {one.SOPInstanceUID for one in made} & {one.SOPInstanceUID for one in originals}


def _write_profile(line: Line, name: str, **said: Any) -> None:
    folder = line.settings.data / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(json.dumps({"name": name, **said}))


def test_what_the_pseudonyms_stand_for_is_kept_sealed_and_opens_with_the_key(line: Line) -> None:
    workitem = sent(line, planted([1, 2]), report_type=template(line))
    copy = opened(copies(line, workitem)[0])
    asked = [copy.PatientID, copy.StudyInstanceUID, copy.SOPInstanceUID]
    found = line.app.crosswalk.originals(SYSTEM, "admin", workitem.study_id, asked)
    assert found[copy.StudyInstanceUID].uid == STUDY
    assert found[copy.SOPInstanceUID].uid.startswith(STUDY)
    assert found[copy.PatientID].values["PatientID"] == NUMBER


def test_nothing_is_kept_in_the_crosswalk_of_a_workitem_that_is_held(line: Line) -> None:
    from hilum.stores.schema import crosswalk

    _write_profile(line, "leaky", overrides=[{"attribute": "ImageComments", "action": "keep"}])
    sent(line, planted([1], ImageComments="call Quixotella"), report_type=template(line, deidentification="leaky"))
    with line.app.database.reading() as connection:
        assert connection.execute(crosswalk.select()).all() == []


def test_a_sites_rule_makes_regions_of_compressed_images_dark_before_they_are_processed(line: Line) -> None:
    rule = "{name: banner, where: {Modality: US, Rows: 480, Columns: 640}, blank: [[0, 0, 640, 90]]}"
    own = line.settings.data / "profiles"
    own.mkdir()
    (own / "ours.yaml").write_text(f"name: ours\npixels: [{rule}]\n", encoding="utf-8")
    ultrasound = pydicom.data.get_testdata_file("examples_jpeg2k.dcm", download=False)
    assert ultrasound
    files = {"1.dcm": Path(ultrasound).read_bytes()}
    workitem = sent(line, files, report_type=template(line, deidentification="ours"))
    (copy,) = map(opened, copies(line, workitem))
    assert not copy.pixel_array[:90].any()
    assert np.array_equal(copy.pixel_array[90:], opened(files["1.dcm"]).pixel_array[90:])
    assert [(one["rule"], one["frames"]) for one in report_of(line, workitem)["pixels"]] == [("banner", 1)]
    assert not list(line.settings.scratch.iterdir())


def test_without_a_rule_an_ultrasound_image_is_held_with_the_reason(line: Line) -> None:
    ultrasound = pydicom.data.get_testdata_file("examples_jpeg2k.dcm", download=False)
    assert ultrasound
    workitem = sent(line, {"1.dcm": Path(ultrasound).read_bytes()}, report_type=template(line))
    assert workitem.item.status is Status.HELD
    assert "no rule says where" in workitem.item.why


def test_a_worker_that_dies_among_the_copies_leaves_none_and_the_next_one_makes_the_same(tmp_path: Path, counting: Counting) -> None:
    settings = settings_in(tmp_path / "data")
    with open_line(settings, processors={"counting": counting}) as line:
        intake = line.upload(planted([1, 2, 3]), report_type=template(line))
        line.run_until(Stage.DEIDENTIFYING)
        settle, line.worker._tools = line.worker._tools, replace(line.worker._tools, check_stop=_stop_after(2))
        assert line.worker.step()  # it is given back in the midst
        line.worker._tools = settle
        (workitem,) = line.workitems(line.study(intake))
        assert (workitem.item.stage, copies(line, workitem)) == (Stage.DEIDENTIFYING, [])
    with open_line(settings, processors={"counting": counting}) as line:
        line.run()
        (workitem,) = line.workitems(line.study(intake))
        assert (workitem.item.status, len(copies(line, workitem))) == (Status.FINISHED, 3)


def _stop_after(times: int) -> Callable[[], None]:
    asked = itertools.count(1)

    def check() -> None:
        if next(asked) > times:
            raise StopError

    return check


def test_a_large_object_takes_no_more_memory_than_a_small_one(line: Line) -> None:
    import tracemalloc

    rows = columns = 5000
    large = image(1, study=STUDY, **PLANTED, Rows=rows, Columns=columns, PixelData=bytes(rows * columns * 2))
    line.upload({"large.dcm": large}, report_type=template(line))
    line.run_until(Stage.DEIDENTIFYING)
    tracemalloc.start()
    try:
        assert line.worker.step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (workitem,) = line.workitems(line.app.catalogue.find_study(SYSTEM, STUDY))
    assert len(copies(line, workitem)) == 1
    assert peak < len(large) // 2


@pytest.mark.parametrize("digits", ["", "z" * 64, "ab" * 31])
def test_keys_of_the_environment_that_are_none_stop_the_start_without_being_told(tmp_path: Path, digits: str) -> None:
    with pytest.raises(InvalidError) as caught:
        open_keys(settings_in(tmp_path / "data", keys=f"admin={digits}"))
    assert "HILUM_KEYS does not hold keys." in str(caught.value)
    assert not digits or digits not in str(caught.value)


def test_a_key_of_the_environment_is_worked_with_and_lies_in_no_file(tmp_path: Path, counting: Counting) -> None:
    secret = "5e" * 32
    settings = settings_in(tmp_path / "data", keys=f"ward={secret} admin={secret},{'6f' * 32}")
    with open_line(settings, processors={"counting": counting}) as line:
        workitem = sent(line, planted([1]), report_type=template(line))
        assert workitem.provenance["deidentification"]["key"] == ProjectKey.of_secret(bytes.fromhex("6f" * 32)).id
        assert not settings.keys_folder.exists()
        assert secret not in repr(settings)
        with pytest.raises(ConflictError):
            line.keys().create("ward")
        with pytest.raises(ConflictError):
            line.keys().rotate("ward")


def test_a_key_of_the_environment_that_is_not_the_file_s_holds(tmp_path: Path, counting: Counting) -> None:
    settings = settings_in(tmp_path / "data")
    with open_line(settings):
        pass  # makes the key of admin
    with open_line(settings_in(tmp_path / "data", keys=f"admin={'5e' * 32}"), processors={"counting": counting}) as line:
        workitem = sent(line, planted([1]), report_type=template(line))
        assert workitem.item.status is Status.HELD
        assert "HILUM_KEYS is not the one in" in workitem.item.why


def test_a_site_s_folder_of_keys_gets_none_by_itself(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "data", keys_dir=tmp_path / "secrets")
    with open_line(settings) as line:
        assert line.keys().find("admin") == []
    assert not (tmp_path / "secrets").exists()
