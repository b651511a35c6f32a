"""Importing's write: patients, studies, series and instances, and what cannot be one of them."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from hilum.model.identity import SYSTEM
from hilum.model.records import MemberState
from hilum.stores.catalogue import StudyFilter
from hilum.stores.schema import instances, members, patients, series


def _attributes(site, uid="1.2.1"):
    return {
        instance.sop_instance_uid: dict(instance.attributes)
        for one in site.catalogue.list_series(SYSTEM, site.study(uid).id)
        for instance in site.catalogue.instances_of(SYSTEM, one)
    }


def _states(site, intake):
    with site.database.reading() as connection:
        rows = connection.execute(select(members.c.file_name, members.c.state).where(members.c.intake_id == intake.id))
        return {row.file_name: row.state for row in rows}


def test_an_instance_keeps_only_what_differs_from_its_series_first_one(site, image):
    first = image("1.2.1.1.1", attributes={"InstanceNumber": 1, "EchoTime": 2.9, "SeriesDescription": "T1"})
    second = image("1.2.1.1.2", attributes={"InstanceNumber": 2, "SeriesDescription": "T1"})
    site.deliver(first, second)
    assert _attributes(site) == {
        "1.2.1.1.1": {"PatientID": "P1", "Modality": "MR", "InstanceNumber": 1, "EchoTime": 2.9, "SeriesDescription": "T1"},
        "1.2.1.1.2": {"PatientID": "P1", "Modality": "MR", "InstanceNumber": 2, "SeriesDescription": "T1"},
    }
    with site.database.reading() as connection:
        assert connection.scalars(select(instances.c.differs).order_by(instances.c.key)).all() == [
            None,
            {"InstanceNumber": 2, "EchoTime": None},
        ]


def test_the_first_instance_of_a_series_leaves_its_whole_header(site, image):
    site.deliver(image("1.2.1.1.1"), image("1.2.1.1.2"))
    (one,) = site.catalogue.list_series(SYSTEM, site.study().id)
    assert site.catalogue.find_series(SYSTEM, one.id).header == {"uid": "1.2.1.1.1"}


def test_other_bytes_under_a_held_uid_are_set_aside_and_nothing_is_overwritten(site, image):
    site.deliver(image("1.2.1.1.1"))
    intake = site.deliver(image("1.2.1.1.1", content="other"), image("1.2.1.1.2"))
    (one,) = site.catalogue.list_series(SYSTEM, site.study().id)
    held = {instance.sop_instance_uid: instance.stored.sha256 for instance in site.catalogue.instances_of(SYSTEM, one)}
    assert held == {"1.2.1.1.1": image("1.2.1.1.1").sha256, "1.2.1.1.2": image("1.2.1.1.2").sha256}
    assert _states(site, intake) == {"1.2.1.1.1.dcm": "conflict", "1.2.1.1.2.dcm": "imported"}


def test_two_that_clash_within_one_upload_are_told_apart_as_well(site, image):
    intake = site.start()
    site.intakes.index([site.member(intake, image("1.2.1.1.1", content=content), f"{content}.dcm") for content in ("a", "b")])
    site.register(intake)
    assert _states(site, intake) == {"a.dcm": "imported", "b.dcm": "conflict"}


def test_the_same_data_set_with_another_file_meta_is_already_held(site, image):
    site.deliver(image("1.2.1.1.1", meta="by HTTP"))
    intake = site.deliver(image("1.2.1.1.1", meta="by C-STORE"), image("1.2.1.1.2"))
    assert _states(site, intake) == {"1.2.1.1.1.dcm": "already_held", "1.2.1.1.2.dcm": "imported"}
    (one,) = site.catalogue.list_series(SYSTEM, site.study().id)
    held = {instance.sop_instance_uid: instance.stored.sha256 for instance in site.catalogue.instances_of(SYSTEM, one)}
    assert held["1.2.1.1.1"] == image("1.2.1.1.1", meta="by HTTP").sha256


def test_two_files_of_one_instance_in_one_upload_are_one_and_its_copy(site, image):
    intake = site.start()
    site.intakes.index([site.member(intake, image("1.2.1.1.1", meta=meta), f"{meta}.dcm") for meta in ("a", "b")])
    site.register(intake)
    assert _states(site, intake) == {"a.dcm": "imported", "b.dcm": "already_held"}


def test_another_patient_s_image_in_the_same_study_is_set_aside(site, image):
    site.deliver(image("1.2.1.1.1"))
    intake = site.deliver(image("1.2.1.1.2", patient_id="P2"))
    (aside,) = site.catalogue.set_aside_of_intake(SYSTEM, intake.id)
    assert aside.reason == "The study 1.2.1 is held for another patient; two patients are never merged."
    assert (aside.state, site.study().number_of_instances) == (MemberState.CONFLICT, 1)


def test_images_without_a_patient_id_belong_to_the_patient_of_their_study_alone(site, image):
    site.deliver(image("1.2.1.1.1", patient_id=""), image("1.2.9.1.1", study="1.2.9", series="1.2.9.1", patient_id=""))
    with site.database.reading() as connection:
        assert len(connection.execute(select(patients)).all()) == 2


def test_a_series_uid_in_two_studies_is_set_aside(site, image):
    intake = site.deliver(image("1.2.1.1.1"), image("1.2.9.1.1", study="1.2.9"))
    assert _states(site, intake) == {"1.2.1.1.1.dcm": "imported", "1.2.9.1.1.dcm": "conflict"}


def test_two_projects_hold_the_same_object_and_do_not_know_of_each_other(site, image):
    site.access.create_project(SYSTEM, "ward")
    for project in ("ward", "admin"):
        intake = site.deliver(image("1.2.1.1.1"), project=project)
        assert _states(site, intake) == {"1.2.1.1.1.dcm": "imported"}


def test_a_dataset_is_a_label_and_a_study_has_all_of_them(site, image):
    site.deliver(image("1.2.1.1.1"), dataset="trial-7")
    site.deliver(image("1.2.1.1.1"), dataset="teaching")
    assert site.study().datasets == ("teaching", "trial-7")


def test_a_batch_that_two_workers_register_leaves_its_instances_once(site, image):
    intake = site.start()
    site.put(intake, image("1.2.1.1.1"), image("1.2.1.1.2"))
    seen = site.intakes.next_received(SYSTEM, intake.id, 10)
    site.intakes.complete(SYSTEM, intake.id)
    site.register(intake)
    again = [site._images[member.stored.sha256].scanned(member) for member in seen]
    site.registrar.register(SYSTEM, intake.id, again, [], lambda one: {}, lambda one, held: False, 1)
    site.finish_importing(intake)
    assert set(_states(site, intake).values()) == {"imported"}
    assert site.study().number_of_instances == 2


def test_a_deleted_study_does_not_come_back_by_a_worker_that_was_slow(site, image):
    intake = site.start()
    site.put(intake, image("1.2.1.1.1"))
    seen = site.intakes.next_received(SYSTEM, intake.id, 10)
    site.register(intake)
    site.intakes.complete(SYSTEM, intake.id)
    site.finish_importing(intake)
    site.eraser.delete_study(SYSTEM, site.study().id, "A wish of the patient.")
    site.registrar.register(SYSTEM, intake.id, [image("1.2.1.1.1").scanned(seen[0])], [], lambda one: {}, lambda one, held: False, 1)
    assert site.catalogue.studies_of_intake(SYSTEM, intake.id) == []


ODD = {"PatientName": "A\0B", "SeriesDescription": "half \ud800 a pair", "EchoTime": math.nan, "ImageType": ["A\0", math.inf]}


def test_text_and_numbers_that_databases_refuse_are_kept_in_a_form_they_take(site, image):
    site.deliver(image("1.2.1.1.1", attributes=ODD), image("1.2.1.1.2", attributes={**ODD, "EchoTime": -math.inf}))
    kept = _attributes(site)
    assert kept["1.2.1.1.1"]["SeriesDescription"] == "half ? a pair"
    assert kept["1.2.1.1.1"]["ImageType"] == ["A␀", "Infinity"]
    assert (kept["1.2.1.1.1"]["EchoTime"], kept["1.2.1.1.2"]["EchoTime"]) == ("NaN", "-Infinity")
    assert site.study().patient_name == "A␀B"


# --- attributes that are named afterwards ----------------------------------------------------------------------------------------


NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _fill_in(site, values, generation):
    for key in site.filler.series_behind(generation, 10, NOW):
        read = {instance: {"EchoTime": value} for (instance, _), value in zip(site.filler.bytes_of(key), values, strict=True)}
        site.filler.fill_in(key, read, generation)


def test_a_newly_named_attribute_is_filled_in_afterwards(site, image):
    site.deliver(image("1.2.1.1.1"), image("1.2.1.1.2"))
    _fill_in(site, (2.9, 3.1), 2)
    assert {uid: kept["EchoTime"] for uid, kept in _attributes(site).items()} == {"1.2.1.1.1": 2.9, "1.2.1.1.2": 3.1}
    assert site.filler.series_behind(2, 10, NOW) == []


def test_an_instance_that_was_read_too_early_drags_its_series_back(site, image):
    site.deliver(image("1.2.1.1.1"))
    _fill_in(site, (2.9,), 2)
    site.deliver(image("1.2.1.1.2"))
    assert len(site.filler.series_behind(2, 10, NOW)) == 1


def test_filling_in_that_overlooked_a_new_instance_is_done_again(site, image):
    site.deliver(image("1.2.1.1.1"))
    (key,) = site.filler.series_behind(2, 10, NOW)
    read = {instance: {"EchoTime": 2.9} for instance, _ in site.filler.bytes_of(key)}
    site.deliver(image("1.2.1.1.2"))
    site.filler.fill_in(key, read, 2)
    assert site.filler.series_behind(2, 10, NOW) == [key]
    assert "EchoTime" not in _attributes(site)["1.2.1.1.1"]


def test_a_series_that_cannot_be_read_keeps_what_is_known_and_blocks_nobody(site, image):
    site.deliver(image("1.2.1.1.1"))
    (key,) = site.filler.series_behind(2, 10, NOW)
    site.filler.put_off(key, "Its pack is gone.", NOW + timedelta(minutes=10))
    assert _attributes(site)["1.2.1.1.1"]["PatientID"] == "P1"
    assert site.filler.series_behind(2, 10, NOW) == []
    (one,) = site.catalogue.list_series(SYSTEM)
    assert one.unreadable == "Its pack is gone."


def test_a_series_that_could_not_be_read_is_tried_again_after_a_rest(site, image):
    site.deliver(image("1.2.1.1.1"))
    (key,) = site.filler.series_behind(2, 10, NOW)
    site.filler.put_off(key, "The disk is away.", NOW + timedelta(minutes=10))
    assert site.filler.series_behind(2, 10, NOW + timedelta(minutes=10)) == [key]
    read = {instance: {"EchoTime": 2.9} for instance, _ in site.filler.bytes_of(key)}
    site.filler.fill_in(key, read, 2)
    (one,) = site.catalogue.list_series(SYSTEM)
    assert (one.unreadable, site.filler.series_behind(2, 10, NOW + timedelta(days=1))) == ("", [])


# --- the catalogue's lists -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three_studies(site, image):
    for number in (1, 2, 3):
        attributes = {"AccessionNumber": f"A{number}", "StudyDescription": f"Head 100%_{number}", "PatientName": f"Name^{number}"}
        study = f"1.2.{number}"
        site.deliver(image(f"{study}.1.1", study, f"{study}.1", patient_id=f"P{number}", attributes=attributes))


def _found(site, scope=SYSTEM, **wanted):
    from hilum.stores.catalogue import Page

    return [study.study_instance_uid for study in site.catalogue.list_studies(scope, StudyFilter(**wanted), Page())]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["1.2.3", "1.2.2", "1.2.1"]),
        ({"patient_id": "P2"}, ["1.2.2"]),
        ({"accession_number": "A3"}, ["1.2.3"]),
        ({"study_instance_uid": "1.2.1"}, ["1.2.1"]),
        ({"text": "name^2"}, ["1.2.2"]),
        ({"text": "100%_1"}, ["1.2.1"]),
        ({"text": "100__1"}, []),
        ({"stage": "matching"}, []),
        ({"status": "ready", "project": "admin"}, ["1.2.3", "1.2.2", "1.2.1"]),
        ({"project": "ward"}, []),
    ],
)
def test_studies_are_found_by_what_is_asked(site, three_studies, wanted, found):
    assert _found(site, **wanted) == found


def test_who_may_not_see_identities_cannot_find_out_about_them_by_asking(site, three_studies):
    from hilum.model.errors import NotFoundError
    from hilum.model.identity import Role, Scope

    blind = Scope("a viewer", {"admin": Role.VIEWER})
    assert [
        _found(site, blind, **{name: value}) for name, value in (("patient_id", "P2"), ("accession_number", "A3"), ("text", "Name"))
    ] == [
        [],
        [],
        [],
    ]
    with pytest.raises(NotFoundError):
        site.catalogue.find_study(blind, "A3")
    assert site.catalogue.find_study(SYSTEM, "A3").study_instance_uid == "1.2.3"


def test_a_list_goes_on_where_the_page_before_ended(site, three_studies):
    from hilum.stores.catalogue import Page

    pages, after = [], ""
    while page := site.catalogue.list_studies(SYSTEM, StudyFilter(), Page(after, 2)):
        pages.append([study.study_instance_uid for study in page])
        after = f"{page[-1].created_at.isoformat()} {page[-1].id}"
    assert pages == [["1.2.3", "1.2.2"], ["1.2.1"]]


def test_series_rows_agree_with_their_instances(site, three_studies):
    with site.database.reading() as connection:
        counts = connection.execute(select(series.c.number_of_instances)).scalars().all()
    assert counts == [1, 1, 1]
