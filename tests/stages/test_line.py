"""gathering, checking, matching, de-identifying, processing, reviewing, delivering: each on real stores, one image line."""

import json
import os
import shutil
from datetime import timedelta

import pytest
from counting import Counting
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.why import explain_standing
from hilum.processors import Artifacts, NotYet, ProcessingFailedError, ProducedFile, Unusable
from hilum.runtime.filling_in import fill_in_attributes
from images import image, read_folder, series_of


def _place(item):
    return item.stage, item.status


# --- gathering -----------------------------------------------------------------------------------------------------------------------


def test_an_upload_that_was_completed_is_complete_at_once(line):
    study = line.study(line.send(series_of([1, 2])))
    moves = line.app.ledger.history(SYSTEM, [study.id])
    assert "Complete with 2 instances: the sender completed the upload (proof: upload-completed)." in [move.why for move in moves]


def test_without_the_sender_s_word_a_study_waits_until_it_was_quiet(line):
    intake = line.start()
    line.put(intake, series_of([1, 2]))
    line.clock.advance(hours=25)
    line.app.ledger.wake_due(SYSTEM)
    line.run()
    study = line.study(intake)
    assert (_place(study.item), study.item.why) == ((Stage.GATHERING, Status.DEFERRED), "Waiting until nothing more has arrived for 5 s.")
    line.clock.advance(seconds=4)
    assert line.app.ledger.wake_due(SYSTEM) == 0
    line.clock.advance(seconds=1)
    assert line.app.ledger.wake_due(SYSTEM) == 1
    line.run()
    assert line.study(intake).item.stage is Stage.MATCHING


# --- checking ------------------------------------------------------------------------------------------------------------------------


def test_a_missing_slice_holds_the_study_and_is_named_by_its_number(line):
    study = line.study(line.send(series_of([1, 2, 3, 5, 6, 7]), report_type="count"))
    sentence = 'Slice 4 is missing in series 1 "T1". Send what is missing, or let it go on as it is.'
    assert ("missing-slices", "error", sentence) in line.findings(study)
    assert (_place(study.item), study.item.why) == ((Stage.MATCHING, Status.HELD), sentence)
    (workitem,) = line.workitems(study)
    assert _place(workitem.item) == (Stage.DEIDENTIFYING, Status.HELD)


def test_the_missing_slice_sent_later_lets_the_study_go_on(line, result_of):
    first = line.send(series_of([1, 2, 3, 5, 6, 7]), report_type="count")
    line.send(series_of([4]))
    study = line.study(first)
    old, new = line.workitems(study)
    assert (study.revision, old.item.status, new.item.status) == (2, Status.CANCELLED, Status.FINISHED)
    assert (new.supersedes, result_of(new)) == (old.id, "all=7")


def test_a_person_lets_a_held_study_go_on_as_it_is(line, result_of):
    study = line.study(line.send(series_of([1, 2, 3, 5, 6, 7]), report_type="count"))
    line.app.decisions.retry(SYSTEM, line.workitems(study)[0].id, "It is good enough.")
    line.run()
    (workitem,) = line.workitems(study)
    assert (workitem.item.status, result_of(workitem)) == (Status.FINISHED, "all=6")


def test_results_are_told_who_let_their_findings_go(line, counting):
    study = line.study(line.send(series_of([1, 2, 3, 5, 6, 7]), report_type="count"))
    line.app.decisions.retry(SYSTEM, line.workitems(study)[0].id, "It is good enough.")
    line.run()
    (order,) = counting.orders
    assert [one for one in order.findings if one.endswith("Let go by hilum: It is good enough.")]


def test_a_real_study_without_its_flair_is_held_and_told_which_series_came_near(line, shared_data):
    files = {name: body for name, body in read_folder(shared_data / "ms_dicom" / "patient01").items() if name.startswith("t1")}
    study = line.study(line.send(files, report_type="brain_ms"))
    assert _place(study.item) == (Stage.MATCHING, Status.HELD)
    (sentence,) = [sentence for check, _, sentence in line.findings(study) if check == "required-series"]
    assert sentence.startswith("brain_ms needs a FLAIR series, and the study has none.")
    assert "was refused: " in sentence
    assert "SeriesDescription is " in sentence


def test_two_echoes_interleaved_in_one_series_are_complete(line, shared_data):
    """The positions of mr_pd_t2_interleaved repeat, once an echo; without one image of one echo it is not complete."""
    files = read_folder(shared_data / "mr_pd_t2_interleaved")
    dicom = {name: body for name, body in files.items() if body[128:132] == b"DICM"}
    complete = line.send(dicom, report_type="count")
    for study in line.app.catalogue.studies_of_intake(SYSTEM, complete.id):
        assert [found for found in line.findings(study) if found[1] == "error"] == []


def test_a_template_s_required_attribute_is_missed_by_name(line):
    line.save_template("timed", rule=MR, required_attributes=[{"attribute": "EchoTime"}])
    study = line.study(line.send(series_of([1, 2]), report_type="timed"))
    assert "EchoTime is missing in all instances of series 1" in study.item.why
    assert study.item.status is Status.HELD


def test_a_template_s_required_attribute_must_be_of_its_set_of_values(line):
    line.save_template("supine", rule=MR, active=False, required_attributes=[{"attribute": "PatientPosition", "values": ["HFS", "FFS"]}])
    prone = line.study(line.send(series_of([1, 2], PatientPosition="HFP"), report_type="supine"))
    assert "PatientPosition is none of HFS, FFS in all instances of series 1" in prone.item.why
    supine = line.study(line.send(series_of([1, 2], study="1.2.826.2", PatientPosition="HFS"), report_type="supine"))
    assert supine.item.status is Status.FINISHED


# --- matching ------------------------------------------------------------------------------------------------------------------------

MR = {"attribute": "Modality", "operator": "equals", "value": "MR"}
T1 = {"attribute": "SeriesDescription", "operator": "contains", "value": "t1"}
CT = {"attribute": "Modality", "operator": "equals", "value": "CT"}


@pytest.fixture
def own_rules(line):
    """Only the templates of the test take part in matching by rules."""
    for template, _ in line.app.templates.newest(SYSTEM):
        if template.active:
            line.app.templates.save(SYSTEM, template.model_copy(update={"active": False}), new=False)
    return line


def test_the_one_template_whose_rule_fits_is_chosen(own_rules):
    own_rules.save_template("mr", rule=MR)
    own_rules.save_template("ct", rule=CT)
    study = own_rules.study(own_rules.send(series_of([1, 2])))
    assert [(one.template, one.item.status) for one in own_rules.workitems(study)] == [("mr", Status.FINISHED)]
    assert {one["template"]: one["matched"] for one in own_rules.app.catalogue.verdicts(SYSTEM, study)} == {"mr": True, "ct": False}


def test_without_a_template_that_fits_the_study_is_held_and_told_the_nearest(own_rules):
    own_rules.save_template("ct", rule=CT)
    study = own_rules.study(own_rules.send(series_of([1, 2])))
    assert _place(study.item) == (Stage.MATCHING, Status.HELD)
    assert study.item.why == (
        'No template matches. The nearest is ct, by 1 condition: No series fits; nearest is series 1 "T1": '
        "Modality is 'MR'; wanted: equals 'CT'. Choose one with `hilum assign`, or POST /series/assign."
    )


def test_several_templates_that_fit_hold_the_study(own_rules):
    own_rules.save_template("mr", rule=MR)
    own_rules.save_template("t1", rule=T1)
    study = own_rules.study(own_rules.send(series_of([1, 2])))
    assert study.item.why == "Several templates match: mr, t1. Choose one with `hilum assign`, or POST /series/assign."
    assert own_rules.workitems(study) == []


def test_several_templates_that_fit_all_run_where_the_site_says_so(tmp_path, counting):
    settings = settings_in(tmp_path / "data", several_templates="all")
    with open_line(settings, processors={"counting": counting}) as line:
        for template, _ in line.app.templates.newest(SYSTEM):
            line.app.templates.save(SYSTEM, template.model_copy(update={"active": False}), new=False)
        line.save_template("mr", rule=MR)
        line.save_template("t1", rule=T1)
        study = line.study(line.send(series_of([1, 2])))
        assert sorted((one.template, one.item.status) for one in line.workitems(study)) == [
            ("mr", Status.FINISHED),
            ("t1", Status.FINISHED),
        ]


def test_why_tells_a_stranger_which_template_is_nearest_what_failed_and_what_to_run(own_rules):
    own_rules.save_template("flair", rule={"all": [MR, {"attribute": "SeriesDescription", "operator": "contains", "value": "flair"}]})
    own_rules.save_template("ct", rule={"all": [CT, {"attribute": "SliceThickness", "operator": "at-most", "value": 0.5}]})
    study = own_rules.study(own_rules.send(series_of([1, 2])))
    told = " ".join(explain_standing(study, [], []).sentences)
    assert "The nearest is flair, by 1 condition: No series fits; nearest is series 1" in told
    assert "SeriesDescription is 'T1'; wanted: contains 'flair'." in told
    assert f"`hilum assign {study.id} --template NAME`" in told
    (nearest,) = [one for one in own_rules.app.catalogue.verdicts(SYSTEM, study) if one["explanation"]]
    assert nearest["template"] == "flair"


def test_a_condition_over_all_slices_is_judged_on_all_of_them(own_rules):
    echo = {"attribute": "EchoTime", "operator": "at-most", "value": 20, "quantifier": "all"}
    own_rules.save_template("short", rule=echo)
    files = series_of([1, 2], EchoTime=10) | series_of([3], EchoTime=90)
    study = own_rules.study(own_rules.send(files))
    assert "EchoTime is 10.0 or 90.0; wanted in every slice: at most 20 (so in 2 of 3 slices)." in study.item.why


def test_a_verdict_that_hangs_on_an_attribute_named_late_waits_until_it_is_read(own_rules):
    """Else the one template that is known to fit would be chosen although another fits as well."""
    own_rules.save_template("ct", rule=CT)
    intake = own_rules.send(series_of([1, 2], StationName="SCANNER7"))
    own_rules.save_template("mr", rule=MR)
    own_rules.save_template("station", rule={"attribute": "StationName", "operator": "equals", "value": "SCANNER7"})
    own_rules.app.decisions.send_back(SYSTEM, own_rules.study(intake).id, Stage.MATCHING)
    own_rules.run()
    item = own_rules.study(intake).item
    assert (_place(item), item.why.partition(".")[0]) == (
        (Stage.MATCHING, Status.DEFERRED),
        "Waiting until an attribute that station asks for is read out of the packs: it was named after the images came",
    )
    assert fill_in_attributes(own_rules.app) == 1
    own_rules.clock.advance(seconds=3)
    own_rules.app.ledger.wake_due(SYSTEM)
    own_rules.run()
    assert own_rules.study(intake).item.why.startswith("Several templates match: mr, station.")


def test_an_attribute_named_late_that_cannot_be_read_holds_the_study_instead_of_being_taken_for_missing(own_rules):
    own_rules.save_template("ct", rule=CT)
    intake = own_rules.send(series_of([1, 2], StationName="SCANNER7"))
    own_rules.save_template("station", rule={"attribute": "StationName", "operator": "equals", "value": "SCANNER7"})
    own_rules.app.decisions.send_back(SYSTEM, own_rules.study(intake).id, Stage.MATCHING)
    (pack,) = (own_rules.settings.data / "packs").rglob("*.tar*")
    whole = pack.read_bytes()
    os.truncate(pack, 1024)
    assert fill_in_attributes(own_rules.app) == 0
    own_rules.run()
    item = own_rules.study(intake).item
    assert _place(item) == (Stage.MATCHING, Status.HELD)
    assert item.why.startswith("Whether station matches cannot be said: an attribute that it asks for was named after the images came, and")
    assert "`hilum verify`" in item.why
    pack.write_bytes(whole)
    own_rules.clock.advance(minutes=11)
    assert fill_in_attributes(own_rules.app) == 1
    own_rules.app.decisions.send_back(SYSTEM, own_rules.study(intake).id, Stage.MATCHING)
    own_rules.run()
    assert [one.template for one in own_rules.workitems(own_rules.study(intake))] == ["station"]


def test_a_report_type_that_was_asked_for_wins_over_rules(own_rules):
    own_rules.save_template("mr", rule=MR)
    study = own_rules.study(own_rules.send(series_of([1, 2]), report_type="count"))
    assert [one.template for one in own_rules.workitems(study)] == ["count"]


def test_a_report_type_that_no_template_has_holds_the_study_and_names_the_nearest(own_rules):
    study = own_rules.study(own_rules.send(series_of([1, 2]), report_type="Cuont"))
    assert (study.item.status, study.item.why) == (
        Status.HELD,
        "There is no report type Cuont. Did you mean count? Choose one with `hilum assign`, or POST /series/assign.",
    )


def test_a_report_type_that_is_like_no_other_is_answered_with_all_there_are(own_rules):
    study = own_rules.study(own_rules.send(series_of([1, 2]), report_type="xyzzy"))
    assert study.item.why.startswith("There is no report type xyzzy. Known are brain_ms, count, ")


def test_a_study_that_is_matched_again_still_knows_what_was_asked_for(own_rules):
    own_rules.save_template("ct", rule=CT)
    study = own_rules.study(own_rules.send(series_of([1, 2]), report_type="count"))
    own_rules.app.decisions.send_back(SYSTEM, study.id, Stage.CHECKING)
    own_rules.run()
    study = own_rules.app.catalogue.find_study(SYSTEM, study.id)
    assert (study.item.status, study.item.why) == (Status.FINISHED, "Done already on this revision.")


def test_late_instances_without_a_request_are_processed_as_was_asked_before(line, result_of):
    first = line.send(series_of([1, 2]), report_type="count")
    line.send(series_of([3]))
    old, new = line.workitems(line.study(first))
    assert (result_of(old), result_of(new), new.supersedes) == ("all=2", "all=3", old.id)


def test_force_reprocessing_makes_one_more_result_and_not_two(line):
    first = line.send(series_of([1, 2]), report_type="count")
    line.send(series_of([1, 2]), report_type="count", force_reprocessing=True)
    line.send(series_of([1, 2]), report_type="count")
    assert [one.revision for one in line.workitems(line.study(first))] == [1, 1]


def test_a_template_weighs_findings_for_itself(own_rules):
    own_rules.save_template("lenient", severities={"missing-slices": "warning"})
    study = own_rules.study(own_rules.send(series_of([1, 2, 3, 5, 6, 7]), report_type="lenient"))
    assert [one.item.status for one in own_rules.workitems(study)] == [Status.FINISHED]


def test_a_template_for_series_makes_a_workitem_of_each(own_rules, result_of):
    own_rules.save_template("each", rule=MR, unit="series")
    files = series_of([1, 2]) | series_of([1, 2, 3], series="1.2.826.1.7")
    study = own_rules.study(own_rules.send(files))
    assert sorted(result_of(one) for one in own_rules.workitems(study)) == ["all=2", "all=3"]


# --- de-identifying ----------------------------------------------------------------------------------------------------------------------


def test_the_profile_keep_copies_the_bytes_and_says_so_in_the_provenance(line):
    files = series_of([1, 2])
    (workitem,) = line.workitems(line.study(line.send(files, report_type="count")))
    copies = list(line.app.catalogue.deidentified(SYSTEM, workitem.id))
    assert sorted(b"".join(line.app.vault.stream(stored)) for _, _, stored in copies) == sorted(files.values())
    assert {stored.pack_id for _, _, stored in copies}.isdisjoint(
        stored.stored.pack_id for one in line.app.catalogue.list_series(SYSTEM) for stored in line.app.catalogue.instances_of(SYSTEM, one)
    )
    record = workitem.provenance["deidentification"]
    assert (record["profile"], record["profile_version"], record["changed"]) == ("keep", 1, False)
    assert (record["template"], record["template_version"]) == ("count", 1)


# --- processing --------------------------------------------------------------------------------------------------------------------------


def test_a_processor_that_breaks_off_is_tried_again_and_its_result_appears_once(line, counting, result_of):
    counting.answers = [ProcessingFailedError("It broke off.", "It is tried again.")]
    study = line.study(line.send(series_of([1, 2]), report_type="count"))
    (workitem,) = line.workitems(study)
    assert _place(workitem.item) == (Stage.PROCESSING, Status.DEFERRED)
    assert workitem.item.why == "It broke off. It is tried again."
    line.clock.now = workitem.item.not_before_at
    line.app.ledger.wake_due(SYSTEM)
    line.run()
    (workitem,) = line.workitems(study)
    assert (workitem.item.status, result_of(workitem), len(counting.orders)) == (Status.FINISHED, "all=2", 2)


def test_inputs_that_cannot_be_processed_hold_the_workitem_without_another_try(line, counting):
    counting.answers = [Unusable("There is a single slice, which is no volume.")]
    (workitem,) = line.workitems(line.study(line.send(series_of([1, 2]), report_type="count")))
    assert (_place(workitem.item), workitem.item.why) == (
        (Stage.PROCESSING, Status.HELD),
        "There is a single slice, which is no volume.",
    )
    assert len(counting.orders) == 1


def test_a_processor_elsewhere_is_asked_again_with_its_ticket_and_not_ordered_twice(line, counting):
    until = line.clock() + timedelta(minutes=5)
    counting.answers = [NotYet(until, "It waits in a queue.")]
    study = line.study(line.send(series_of([1, 2]), report_type="count"))
    (workitem,) = line.workitems(study)
    assert (workitem.item.status, workitem.ticket) == (Status.DEFERRED, {"step": 1, "reference": {"order": 1}})
    line.clock.now = until
    line.app.ledger.wake_due(SYSTEM)
    counting.answers = [Unusable("It could not be done.")]
    line.run()
    (workitem,) = line.workitems(study)
    assert (len(counting.orders), [ticket.reference for ticket in counting.tickets]) == (1, [{"order": 1}, {"order": 1}])
    assert (workitem.item.status, workitem.ticket) == (Status.HELD, {})


class Remote(Counting):
    """Works elsewhere, and needs some time."""

    kind = "remote"


def test_the_steps_before_one_that_is_deferred_run_once(line, counting, tmp_path):
    remote, until = Remote(), line.clock() + timedelta(minutes=5)
    line.worker._tools.processors["remote"] = remote
    line.save_template("two_steps", active=False, processing=[{"processor": "counting"}, {"processor": "remote"}])
    far = tmp_path / "far.txt"
    far.write_text("done elsewhere")
    remote.answers = [
        NotYet(until, "It waits in a queue."),
        NotYet(until, "It waits still."),
        Artifacts((ProducedFile(far, "far.txt", "text/plain"),), {"tool": "remote"}),
    ]
    study = line.study(line.send(series_of([1, 2]), report_type="two_steps"))
    for _ in range(2):
        (workitem,) = line.workitems(study)
        assert _place(workitem.item) == (Stage.PROCESSING, Status.DEFERRED)
        assert line.app.catalogue.artifacts(SYSTEM, workitem.id) == []
        line.app.pack_index.reclaim_replaced()
        line.clock.now = until
        line.app.ledger.wake_due(SYSTEM)
        line.run()
    (workitem,) = line.workitems(study)
    assert (len(counting.orders), len(remote.orders)) == (1, 1)
    results = {one.name: b"".join(line.app.vault.stream(one.stored)) for one in line.app.catalogue.artifacts(SYSTEM, workitem.id)}
    assert results == {"count.txt": b"all=2", "far.txt": b"done elsewhere"}
    assert [step["tool"] for step in workitem.provenance["processing"]] == ["counting", "remote"]
    assert workitem.ticket == {}


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "a/b", "manifest.json", "", ".hidden", "line\nbreak", "n" * 300])
def test_a_result_s_name_never_leads_out_of_its_folder(line, counting, name):
    class Unsafe(type(counting)):
        def collect(self, ticket):
            return self.count(self.orders[-1], name)

    line.worker._tools.processors["counting"] = Unsafe()
    (workitem,) = line.workitems(line.study(line.send(series_of([1, 2]), report_type="count")))
    assert _place(workitem.item) == (Stage.PROCESSING, Status.DEFERRED)
    assert workitem.item.why.startswith("A result cannot be called")


def test_a_stage_that_keeps_raising_is_failed_with_its_tracebacks_and_the_bytes_untouched(line, counting):
    from sqlalchemy import select

    from hilum.stores.schema import moves

    counting.answers = [ZeroDivisionError("Invented^Patient")] * 5
    files = series_of([1, 2])
    study = line.study(line.send(files, report_type="count"))
    for _ in range(4):
        line.clock.advance(minutes=10)
        line.app.ledger.wake_due(SYSTEM)
        line.run()
    (workitem,) = line.workitems(study)
    assert _place(workitem.item) == (Stage.PROCESSING, Status.FAILED)
    assert workitem.item.why == "processing met a surprise: ZeroDivisionError. (given up after 5 attempts)"
    with line.app.database.reading() as connection:
        tracebacks = connection.scalars(select(moves.c.traceback).where(moves.c.traceback.is_not(None))).all()
    assert len(tracebacks) == 5
    assert all("ZeroDivisionError" in one for one in tracebacks)
    assert sorted(line.held_bytes().values()) == sorted(files.values())
    line.app.decisions.retry(SYSTEM, workitem.id)
    line.run()
    assert line.workitems(study)[0].item.status is Status.FINISHED


# --- reviewing ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "slices", "stage", "status"),
    [
        ("never", [1, 2, 3], Stage.DELIVERING, Status.FINISHED),
        ("always", [1, 2, 3], Stage.REVIEWING, Status.HELD),
        ("on-warning", [1, 2, 3], Stage.DELIVERING, Status.FINISHED),
        ("on-warning", [1, 2, 3, 5, 6, 7], Stage.REVIEWING, Status.HELD),
    ],
)
def test_the_review_policy_decides_who_waits_for_a_reviewer(line, policy, slices, stage, status):
    line.save_template("reviewed", review=policy, severities={"missing-slices": "warning"})
    (workitem,) = line.workitems(line.study(line.send(series_of(slices), report_type="reviewed")))
    assert _place(workitem.item) == (stage, status)


# --- delivering --------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def to_folder(line):
    line.save_template("foldered", destinations=[{"destination": "folder", "settings": {"path": "ward-7"}}])
    return line


def _delivered(line):
    return read_folder(line.settings.delivered_folder)


def test_results_are_delivered_with_a_manifest_that_fits_them(to_folder):
    import hashlib

    (workitem,) = to_folder.workitems(to_folder.study(to_folder.send(series_of([1, 2]), report_type="foldered")))
    folder = f"ward-7/foldered-{workitem.id}"
    files = _delivered(to_folder)
    assert set(files) == {f"{folder}/count.txt", f"{folder}/manifest.json"}
    manifest = json.loads(files[f"{folder}/manifest.json"])
    assert manifest["files"] == [
        {"name": "count.txt", "media_type": "text/plain", "size": 5, "sha256": hashlib.sha256(files[f"{folder}/count.txt"]).hexdigest()}
    ]
    assert manifest["provenance"]["deidentification"]["profile"] == "keep"


def test_a_delivery_that_was_not_recorded_is_found_done_and_not_repeated(to_folder):
    """The worker died between the delivery and its receipt: the stage runs again."""
    to_folder.upload(series_of([1, 2]), report_type="foldered")
    to_folder.run_until("delivering")
    stage = to_folder.worker._stages[Stage.DELIVERING]
    item = to_folder.app.ledger.claim(SYSTEM, "a worker that dies", timedelta(seconds=60))
    stage(item, to_folder.worker._tools)
    before = _delivered(to_folder)
    to_folder.clock.advance(minutes=2)
    to_folder.app.ledger.wake_due(SYSTEM)
    to_folder.run()
    assert _delivered(to_folder) == before
    assert to_folder.app.ledger.find(SYSTEM, item.id).status is Status.FINISHED


class _Renaming(Counting):
    """Makes results that are not the earlier ones."""

    def collect(self, ticket):
        return self.count(self.orders[-1], "renamed.txt")


def test_results_that_are_made_again_go_beside_the_earlier_ones(to_folder):
    (workitem,) = to_folder.workitems(to_folder.study(to_folder.send(series_of([1, 2]), report_type="foldered")))
    before = _delivered(to_folder)

    to_folder.worker._tools.processors["counting"] = _Renaming()
    to_folder.app.decisions.send_back(SYSTEM, workitem.id, Stage.PROCESSING)
    to_folder.run()
    after = _delivered(to_folder)
    assert before.items() <= after.items()
    assert set(after) - set(before) == {f"ward-7/foldered-{workitem.id}-2/{name}" for name in ("renamed.txt", "manifest.json")}


def _erase(line, study):
    line.app.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
    for pool in (line.received, line.worker._tools.deidentified_pool, line.worker._tools.results_pool):
        pool.seal(line.app.pack_index.pack_ids())
    line.app.eraser.erase_all()
    assert line.app.eraser.is_erased(study.id)


def test_what_was_delivered_goes_with_the_study_and_nothing_else(to_folder):
    kept = to_folder.study(to_folder.send(series_of([1, 2], study="1.2.826.9", PatientID="P9"), report_type="foldered"))
    before = _delivered(to_folder)
    study = to_folder.study(to_folder.send(series_of([1, 2]), report_type="foldered"))
    assert len(_delivered(to_folder)) == 2 * len(before)
    _erase(to_folder, study)
    assert _delivered(to_folder) == before
    assert to_folder.workitems(kept)


def test_earlier_results_of_one_that_was_made_again_go_with_the_study_too(to_folder):
    study = to_folder.study(to_folder.send(series_of([1, 2]), report_type="foldered"))
    (workitem,) = to_folder.workitems(study)
    to_folder.worker._tools.processors["counting"] = _Renaming()
    to_folder.app.decisions.send_back(SYSTEM, workitem.id, Stage.PROCESSING)
    to_folder.run()
    assert len(list((to_folder.settings.delivered_folder / "ward-7").iterdir())) == 2
    _erase(to_folder, study)
    assert _delivered(to_folder) == {}


def test_what_a_killed_worker_delivered_without_a_receipt_goes_with_the_study(to_folder):
    intake = to_folder.upload(series_of([1, 2]), report_type="foldered")
    to_folder.run_until("delivering")
    item = to_folder.app.ledger.claim(SYSTEM, "a worker that dies", timedelta(seconds=60))
    to_folder.worker._stages[Stage.DELIVERING](item, to_folder.worker._tools)
    folder = to_folder.settings.delivered_folder / "ward-7"
    shutil.copytree(folder / f"foldered-{item.id}", folder / f".foldered-{item.id}-2.part")  # and died once more, half-way
    _erase(to_folder, to_folder.study(intake))
    assert list(folder.iterdir()) == []


def test_a_destination_that_no_longer_takes_its_settings_keeps_the_deletion_of_its_study_open_and_no_other(to_folder, monkeypatch):
    from pydantic import create_model

    from hilum.destinations import StrictSettings, folder

    delivered = to_folder.study(to_folder.send(series_of([1, 2]), report_type="foldered"))
    other = to_folder.study(to_folder.send(series_of([1, 2], study="1.2.826.9", PatientID="P9"), report_type="unknown"))
    with monkeypatch.context() as patched:
        patched.setattr(folder.Folder, "Settings", create_model("Settings", __base__=StrictSettings, bucket=(str, ...)))
        to_folder.app.eraser.delete_study(SYSTEM, delivered.id, "A wish of the patient.")
        _erase(to_folder, other)
        assert not to_folder.app.eraser.is_erased(delivered.id)
    to_folder.app.eraser.erase_all()
    assert to_folder.app.eraser.is_erased(delivered.id)
    assert _delivered(to_folder) == {}


def test_half_a_delivery_is_never_seen(to_folder, monkeypatch):
    from hilum.destinations import folder

    def broken(path, manifest):
        raise OSError("The disk is gone.")

    with monkeypatch.context() as patched:
        patched.setattr(folder, "_write_manifest", broken)
        (workitem,) = to_folder.workitems(to_folder.study(to_folder.send(series_of([1, 2]), report_type="foldered")))
    assert _place(workitem.item) == (Stage.DELIVERING, Status.DEFERRED)
    assert not (to_folder.settings.delivered_folder / "ward-7" / f"foldered-{workitem.id}").exists()
    to_folder.clock.advance(minutes=1)
    to_folder.app.ledger.wake_due(SYSTEM)
    to_folder.run()
    assert f"ward-7/foldered-{workitem.id}/manifest.json" in _delivered(to_folder)


def test_what_ran_while_a_new_revision_came_is_held_at_delivering_until_a_person_lets_it_through(line):
    first = line.upload(series_of([1, 2]), report_type="count")
    line.run_until("deidentifying")
    running = line.app.ledger.claim(SYSTEM, "a slow worker", timedelta(hours=1), (Kind.WORKITEM,))
    line.send(series_of([3]))
    line.app.ledger.give_back(SYSTEM, running, "It goes on.")
    line.run()
    old, new = line.workitems(line.study(first))
    assert (_place(old.item), new.item.status) == ((Stage.DELIVERING, Status.HELD), Status.FINISHED)
    assert old.item.why.startswith("Made on revision 1, and revision 2 of the study has arrived since.")
    line.app.decisions.retry(SYSTEM, old.id)
    line.run()
    assert line.app.catalogue.find_workitem(SYSTEM, old.id).item.status is Status.FINISHED


def test_a_single_image_is_enough_for_a_whole_line(line, result_of):
    (workitem,) = line.workitems(line.study(line.send({"1.dcm": image(1)}, report_type="count")))
    assert result_of(workitem) == "all=1"
