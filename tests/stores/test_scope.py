"""What is outside the caller's scope does not exist: for every function of every store that takes a scope, found by introspection."""

import inspect
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from hilum.model.acceptances import Acceptance
from hilum.model.assigning import Choice
from hilum.model.crosswalk import Named, Original, Sealer
from hilum.model.errors import ForbiddenError, NotFoundError
from hilum.model.identity import SYSTEM, Right, Role, Scope
from hilum.model.keys import ProjectKey
from hilum.model.lifecycle import Stage
from hilum.model.outcomes import (
    ArtifactsMade,
    Deidentified,
    DeidentifiedInstance,
    Delivered,
    Done,
    Finding,
    FindingsRecorded,
    NewArtifact,
    Severity,
    StoredBytes,
)
from hilum.stores.accepting import Acceptances
from hilum.stores.access import Access
from hilum.stores.catalogue import Catalogue, Page, StudyFilter
from hilum.stores.credentials import Credentials
from hilum.stores.crosswalk import Crosswalk
from hilum.stores.decisions import Decisions
from hilum.stores.erasing import Eraser
from hilum.stores.following import Cursor
from hilum.stores.intakes import Intakes, NewIntake
from hilum.stores.ledger import Ledger, MoveFilter
from hilum.stores.offering import SentFile
from hilum.stores.pictures import Pictures
from hilum.stores.registering import Registrar
from hilum.stores.schema import reviews
from hilum.stores.template_shelf import TemplateShelf
from hilum.stores.verdicts import Verdict

STORES = (Acceptances, Credentials, Access, Catalogue, Crosswalk, Decisions, Eraser, Intakes, Ledger, Pictures, Registrar, TemplateShelf)
STRANGER = Scope("a stranger", {"elsewhere": Role.ADMIN}, may_see_identity=True)

SITE_WIDE = {
    # templates are the site's
    "TemplateShelf.find", "TemplateShelf.newest", "TemplateShelf.names", "TemplateShelf.kept", "TemplateShelf.ship",
    "Access.list_projects",  # asked below
    "Ledger.finish", "Ledger.fail", "Ledger.give_back",  # need an item that was claimed within the scope
}  # fmt: skip
"""What has no id of a project's in its arguments."""


def acceptances(site):
    return Acceptances(site.database, site.clock)


KEY = ProjectKey.of_secret(b"a test's secret, not a real one.")


class _Keys:
    def find(self, project):
        return [KEY]


def crosswalk(site):
    return Crosswalk(site.database, _Keys())


def _functions():
    for store in STORES:
        for name, function in inspect.getmembers(store, inspect.isfunction):
            names = list(inspect.signature(function).parameters)
            if not name.startswith("_") and len(names) > 1 and names[1] in ("scope", "_scope"):
                yield f"{store.__name__}.{name}"


@pytest.fixture
def held(site, image):
    """The ids of one of everything, in a project that the stranger has no role in."""
    site.access.create_project(SYSTEM, "ward")
    site.access.create_project(SYSTEM, "elsewhere")
    site.save_template("t")
    intake = site.deliver(image("1.2.1.1.1", attributes={"AccessionNumber": "A1"}), project="ward", report_type="t")
    site.deliver(image("1.2.1.1.1", content="other"), project="ward")
    study = site.study()
    finding = FindingsRecorded(study.id, 1, (Finding("missing-slices", Severity.ERROR, "Slice 17 is missing."),))
    site.advance_study("checking")
    site.ledger.finish(SYSTEM, site.claim(), Done("Checked.", (finding,)))
    workitem = site.match("t")
    stored = StoredBytes(site._pack, 0, 1, b"\0" * 32)
    sealed = Sealer(KEY, "ward", study.id).seal(Original(Named.INSTANCE, "2.25.7", "1.2.1.1.1"))
    copies = Deidentified(workitem.id, (DeidentifiedInstance("s", "1.2.3", stored),), {"profile": "keep"}, {"instances": 1}, (sealed,))
    made = ArtifactsMade(workitem.id, (NewArtifact("report.pdf", "application/pdf", stored),), {})
    delivered = Delivered(workitem.id, "1 folder", {"files": 1})
    site.ledger.finish(SYSTEM, site.claim(), Done("Made.", (copies, made, delivered)))
    _review(site, workitem.id)
    token = site.access.create_token(SYSTEM, "ward's", [_grant("ward")])
    return {
        "intake": intake,
        "study": site.study(),
        "series": site.catalogue.list_series(SYSTEM, study.id)[0],
        "workitem": workitem,
        "item": site.ledger.find(SYSTEM, workitem.id),
        "artifact": site.catalogue.artifacts(SYSTEM, workitem.id)[0],
        "set_aside": site.catalogue.conflicts(SYSTEM, study.id)[0],
        "token": token,
    }


def _grant(project):
    from hilum.stores.access import Grant

    return Grant(project, Role.VIEWER)


CALLS = {
    "Access.create_project": lambda site, scope, held: site.access.create_project(scope, "another"),
    "Access.find_project": lambda site, scope, held: site.access.find_project(scope, "ward"),
    "Access.direct_project": lambda site, scope, held: site.access.direct_project(scope, "ward", "allowed"),
    "Access.create_token": lambda site, scope, held: site.access.create_token(scope, "mine", [_grant("ward")]),
    "Access.keep_token": lambda site, scope, held: site.access.keep_token(scope, "mine", "secret", [_grant("ward")]),
    "Access.revoke_token": lambda site, scope, held: site.access.revoke_token(scope, held["token"].id),
    "Access.add_user": lambda site, scope, held: site.access.add_user(scope, "me", "twelve characters", [_grant("ward")]),
    "Credentials.tokens": lambda site, scope, held: site.credentials.tokens(scope),
    "Credentials.users": lambda site, scope, held: site.credentials.users(scope),
    "Credentials.remove_user": lambda site, scope, held: site.credentials.remove_user(scope, "somebody of the ward"),
    "Catalogue.find_study": lambda site, scope, held: site.catalogue.find_study(scope, held["study"].id),
    "Catalogue.list_studies": lambda site, scope, held: site.catalogue.list_studies(scope, StudyFilter(project="ward"), Page()),
    "Catalogue.studies_of_intake": lambda site, scope, held: site.catalogue.studies_of_intake(scope, held["intake"].id),
    "Catalogue.intakes_of_study": lambda site, scope, held: site.catalogue.intakes_of_study(scope, held["study"].id),
    "Catalogue.requests": lambda site, scope, held: site.catalogue.requests(scope, held["study"].id),
    "Catalogue.gathering_policy": lambda site, scope, held: site.catalogue.gathering_policy(scope, "ward"),
    "Catalogue.list_series": lambda site, scope, held: site.catalogue.list_series(scope, held["study"].id),
    "Catalogue.find_series": lambda site, scope, held: site.catalogue.find_series(scope, held["series"].id),
    "Catalogue.instances_of": lambda site, scope, held: site.catalogue.instances_of(scope, held["series"]),
    "Catalogue.series_statuses": lambda site, scope, held: _unknown(site.catalogue.series_statuses(scope, [held["series"]])),
    "Catalogue.list_reviews": lambda site, scope, held: site.catalogue.list_reviews(scope, Page()),
    "Pictures.find": lambda site, scope, held: Pictures(site.database, site.clock).find(scope, held["series"].id),
    "Catalogue.findings": lambda site, scope, held: site.catalogue.findings(scope, held["study"]),
    "Catalogue.verdicts": lambda site, scope, held: site.catalogue.verdicts(scope, held["study"]),
    "Catalogue.conflicts": lambda site, scope, held: site.catalogue.conflicts(scope, held["study"].id),
    "Catalogue.set_aside_of_intake": lambda site, scope, held: site.catalogue.set_aside_of_intake(scope, held["intake"].id),
    "Catalogue.list_set_aside": lambda site, scope, held: site.catalogue.list_set_aside(scope, Page()),
    "Catalogue.find_set_aside": lambda site, scope, held: site.catalogue.find_set_aside(scope, held["set_aside"].key),
    "Catalogue.recent_series": lambda site, scope, held: [
        one for one in site.catalogue.recent_series(scope, held["study"].created_at, ["Modality"]) if one
    ],
    "Catalogue.with_slices": lambda site, scope, held: site.catalogue.with_slices(scope, [held["series"]], ["Modality"]),
    "Catalogue.find_workitem": lambda site, scope, held: site.catalogue.find_workitem(scope, held["workitem"].id),
    "Catalogue.list_workitems": lambda site, scope, held: site.catalogue.list_workitems(scope, study_id=held["study"].id),
    "Catalogue.workitems_of_studies": lambda site, scope, held: site.catalogue.workitems_of_studies(scope, [held["study"].id]),
    "Catalogue.asked_report_types": lambda site, scope, held: site.catalogue.asked_report_types(scope, [held["study"].id]),
    "Catalogue.deidentified": lambda site, scope, held: list(site.catalogue.deidentified(scope, held["workitem"].id)),
    "Catalogue.deidentification": lambda site, scope, held: site.catalogue.deidentification(scope, held["workitem"].id),
    "Catalogue.made": lambda site, scope, held: site.catalogue.made(scope, held["workitem"].id, [b"\0" * 32]),
    "Catalogue.artifacts": lambda site, scope, held: site.catalogue.artifacts(scope, held["workitem"].id),
    "Catalogue.find_artifact": lambda site, scope, held: site.catalogue.find_artifact(scope, held["artifact"].id),
    "Catalogue.reviews": lambda site, scope, held: site.catalogue.reviews(scope, held["workitem"].id),
    "Catalogue.receipts": lambda site, scope, held: site.catalogue.receipts(scope, held["workitem"].id),
    "Catalogue.waiting": lambda site, scope, held: site.catalogue.waiting(scope, "ward"),
    "Catalogue.count_waiting": lambda site, scope, held: site.catalogue.count_waiting(scope, "ward"),
    "Catalogue.refused_uploads": lambda site, scope, held: site.catalogue.refused_uploads(scope, datetime(2000, 1, 1, tzinfo=UTC)),
    "Catalogue.standing": lambda site, scope, held: site.catalogue.standing(scope),
    "Acceptances.accept": lambda site, scope, held: acceptances(site).accept(scope, "ward", Acceptance("pixel-data", reason="Because.")),
    "Acceptances.list_accepted": lambda site, scope, held: acceptances(site).list_accepted(scope, "ward"),
    "Acceptances.withdraw": lambda site, scope, held: acceptances(site).withdraw(scope, 1),
    "Acceptances.clear": lambda site, scope, held: acceptances(site).clear(scope, held["study"].id),
    "Crosswalk.originals": lambda site, scope, held: crosswalk(site).originals(scope, "ward", held["study"].id, ["2.25.7"]),
    "Crosswalk.look_up": lambda site, scope, held: crosswalk(site).look_up(scope, "ward", "2.25.7"),
    "Crosswalk.known": lambda site, scope, held: crosswalk(site).known(scope, "ward", ["2.25.7"]),
    "Crosswalk.give_up": lambda site, scope, held: crosswalk(site).give_up(scope, "ward", "a key", "It is lost."),
    "Crosswalk.allows_reidentification": lambda site, scope, held: crosswalk(site).allows_reidentification(scope, "ward"),
    "Decisions.retry": lambda site, scope, held: site.decisions.retry(scope, held["workitem"].id),
    "Decisions.send_back": lambda site, scope, held: site.decisions.send_back(scope, held["workitem"].id, Stage.DEIDENTIFYING),
    "Decisions.cancel": lambda site, scope, held: site.decisions.cancel(scope, held["workitem"].id),
    "Decisions.review": lambda site, scope, held: site.decisions.review(scope, held["workitem"].id, Verdict("accept")),
    "Decisions.assign": lambda site, scope, held: site.decisions.assign(scope, Choice("t", {held["series"].id: ""})),
    "Eraser.delete_study": lambda site, scope, held: site.eraser.delete_study(scope, held["study"].id, "Because."),
    "Eraser.delete_set_aside": lambda site, scope, held: site.eraser.delete_set_aside(scope, held["set_aside"].key),
    "Eraser.tombstones": lambda site, scope, held: site.eraser.tombstones(scope),
    "Intakes.start": lambda site, scope, held: site.intakes.start(scope, NewIntake("ward", "uploads")),
    "Intakes.check_sender": lambda site, scope, held: site.intakes.check_sender(scope, "ward"),
    "Intakes.discard": lambda site, scope, held: site.intakes.discard(scope, held["intake"].id),
    "Intakes.start_archive": lambda site, scope, held: site.intakes.start_archive(
        scope, NewIntake("ward", "uploads"), "an id", SentFile("a.zip", 1, b"a"), 0
    ),
    "Intakes.seal_archive": lambda site, scope, held: site.intakes.seal_archive(scope, held["intake"].id),
    "Intakes.find": lambda site, scope, held: site.intakes.find(scope, held["intake"].id),
    "Intakes.complete": lambda site, scope, held: site.intakes.complete(scope, held["intake"].id),
    "Intakes.abandoned_until": lambda site, scope, held: site.intakes.abandoned_until(scope, held["intake"].id),
    "Intakes.record_archive": lambda site, scope, held: site.intakes.record_archive(scope, held["intake"].id, SentFile("a", 1, b"a"), 0),
    "Intakes.find_file": lambda site, scope, held: site.intakes.find_file(scope, held["intake"].id, "1.2.1.1.1.dcm"),
    "Intakes.list_files": lambda site, scope, held: site.intakes.list_files(scope, held["intake"].id),
    "Intakes.offer": lambda site, scope, held: site.intakes.offer(scope, held["intake"].id, []),
    "Intakes.next_received": lambda site, scope, held: site.intakes.next_received(scope, held["intake"].id, 10),
    "Intakes.counts": lambda site, scope, held: site.intakes.counts(scope, held["intake"].id),
    "Ledger.find": lambda site, scope, held: site.ledger.find(scope, held["study"].id),
    "Ledger.history": lambda site, scope, held: site.ledger.history(scope, [held["study"].id]),
    "Ledger.list_moves": lambda site, scope, held: site.ledger.list_moves(scope, MoveFilter(item=held["study"].id)),
    "Ledger.follow": lambda site, scope, held: site.ledger.follow(scope, MoveFilter(item=held["study"].id), Cursor(0, 0)),
    "Ledger.next_due_at": lambda site, scope, held: site.ledger.next_due_at(scope),
    "Ledger.claim": lambda site, scope, held: site.ledger.claim(scope, "worker", timedelta(seconds=60)),
    "Ledger.renew": lambda site, scope, held: site.ledger.renew(scope, held["item"], timedelta(seconds=60)),
    "Ledger.wake_due": lambda site, scope, held: site.ledger.wake_due(scope),
    "Ledger.move": lambda site, scope, held: site.ledger.move(scope, held["workitem"].id, "cancel", "Because."),
    "Registrar.register": lambda site, scope, held: site.registrar.register(
        scope, held["intake"].id, [], [], lambda one: {}, lambda one, held: False, 1
    ),
    "TemplateShelf.save": lambda site, scope, held: site.templates.save(scope, site.templates.find(SYSTEM, "t")[0], new=False),
}  # fmt: skip


def _review(site, workitem_id):
    """A verdict of earlier days: the workitem itself has moved on."""
    with site.database.writing() as connection:
        said = {"verdict": "accept", "reason": "", "ratings": {}, "who": "nina", "at": site.clock()}
        connection.execute(insert(reviews).values(workitem_id=workitem_id, **said))


def _unknown(statuses):
    return [status for status in statuses.values() if status.meaning != "It has just arrived."]


def test_every_function_that_takes_a_scope_is_asked():
    assert set(_functions()) - SITE_WIDE - set(CALLS) == set()
    assert set(CALLS) - set(_functions()) == set()


def test_another_project_s_things_do_not_exist_for_a_stranger(site, held):
    shown = []
    for name, call in CALLS.items():
        try:
            answer = call(site, STRANGER, held)
        except (NotFoundError, ForbiddenError) as refused:
            if isinstance(refused, ForbiddenError) and name not in NAMED_PROJECTS:
                shown.append(f"{name} says that it exists")
        else:
            if answer not in ([], {}, None, 0, 0.0, False):
                shown.append(f"{name} gave {answer}")
    assert shown == []
    assert site.study().item.status != "cancelled"


NAMED_PROJECTS = {
    "Access.create_project", "Eraser.tombstones", "TemplateShelf.save",  # need a right in the project `admin`, which exists for everybody
    "Access.create_token", "Access.keep_token", "Access.add_user",  # told before anybody looks whether the project exists
}  # fmt: skip


def test_a_stranger_sees_only_its_own_projects(site, held):
    assert [project.name for project in site.access.list_projects(STRANGER)] == ["elsewhere"]
    assert [project.name for project in site.access.list_projects(Scope("nobody", {}))] == []


def test_the_same_calls_find_something_for_somebody_of_the_ward(site, held):
    """Else the test above could not fail."""
    ward = Scope("somebody", {"ward": Role.ADMIN}, may_see_identity=True)
    reading = [
        name for name in CALLS if name.startswith(("Catalogue.find", "Catalogue.list", "Intakes.find", "Intakes.list", "Ledger.find"))
    ]
    for name in reading:
        assert CALLS[name](site, ward, held), name
    assert CALLS["Catalogue.findings"](site, ward, held)
    assert CALLS["Catalogue.deidentified"](site, ward, held)
    assert CALLS["Catalogue.receipts"](site, ward, held)
    assert CALLS["Catalogue.reviews"](site, ward, held)
    assert CALLS["Pictures.find"](site, ward, held)
    assert CALLS["Crosswalk.originals"](site, ward, held)
    assert CALLS["Crosswalk.known"](site, ward, held)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("Access.direct_project", Right.ADMINISTER),
        ("Acceptances.accept", Right.OPERATE),
        ("Acceptances.clear", Right.OPERATE),
        ("Decisions.send_back", Right.OPERATE),
        ("Decisions.cancel", Right.OPERATE),
        ("Decisions.retry", Right.OPERATE),
        ("Decisions.assign", Right.OPERATE),
        ("Decisions.review", Right.REVIEW),
        ("Eraser.delete_study", Right.ADMINISTER),
        ("Eraser.delete_set_aside", Right.ADMINISTER),
        ("Intakes.start", Right.SEND),
        ("Intakes.offer", Right.SEND),
        ("Intakes.check_sender", Right.SEND),
    ],
)
def test_a_role_without_the_right_is_told_so(site, held, name, right):
    for role in Role:
        scope = Scope("somebody", {"ward": role})
        if not scope.holds(right, "ward"):
            with pytest.raises(ForbiddenError, match=f"right to {right}"):
                CALLS[name](site, scope, held)


def test_a_series_of_another_project_has_no_instances_even_where_its_record_is_known(site, held):
    assert site.catalogue.instances_of(STRANGER, replace(held["series"], project="elsewhere")) == []
