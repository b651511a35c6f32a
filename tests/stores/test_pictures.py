"""Wishes for pictures, and the pictures, on both databases."""

from typing import Any

import pytest
from sqlalchemy import event

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind
from hilum.model.outcomes import Done, FindingsRecorded
from hilum.stores.pictures import Picture, Pictures, Wish


@pytest.fixture
def shown(site: Any) -> Pictures:
    return Pictures(site.database, site.clock)


def check(site: Any) -> None:
    """Checking is through with the study."""
    site.advance_study("checking")
    study = site.study()
    site.ledger.finish(SYSTEM, site.claim(Kind.STUDY), Done("Checked.", (FindingsRecorded(study.id, study.revision, ()),)))


def test_a_checked_study_wants_a_picture_of_each_series_once(site: Any, image: Any, shown: Pictures) -> None:
    site.deliver(image("1.2.1.1.1"), image("1.2.1.2.1", "1.2.1", "1.2.1.2"))
    assert shown.claim(8) == []
    check(site)
    wishes = shown.claim(8)
    assert [(wish.version, wish.attempt) for wish in wishes] == [(1, 1), (1, 1)]
    assert shown.claim(8) == []
    shown.keep(wishes[0], Picture(b"png"))
    shown.give_back(wishes[1], counts=True)
    (again,) = shown.claim(8)
    assert (again.series_id, again.attempt) == (wishes[1].series_id, 2)
    shown.give_back(again, counts=False)
    assert shown.claim(1)[0].attempt == 2
    assert shown.find(SYSTEM, wishes[0].series_id) == Picture(b"png")


def test_what_lies_on_a_series_is_wanted_again_when_that_arrives(site: Any, image: Any, shown: Pictures) -> None:
    site.deliver(image("1.2.1.1.1"))
    check(site)
    (wish,) = shown.claim(8)
    shown.keep(wish, Picture(b"alone", reference_uid="1.2.1.9"))
    assert shown.find_reference(wish, "1.2.1.9") is None
    site.deliver(image("1.2.1.9.1", "1.2.1", "1.2.1.9"))
    assert shown.find_reference(wish, "1.2.1.9") is not None
    check(site)
    assert {one.series_id for one in shown.claim(8)} >= {wish.series_id}
    found = shown.find(SYSTEM, wish.series_id)
    assert found is not None and found.png == b"alone"


def test_a_picture_of_a_series_that_is_gone_is_kept_nowhere(site: Any, shown: Pictures) -> None:
    gone = Wish(4711, "gone", 1, 1)
    shown.keep(gone, Picture(b"png"))
    shown.give_back(gone, counts=True)
    shown.want_again(gone)
    assert shown.find(SYSTEM, "gone") is None


def test_looking_for_wishes_reads_the_index_of_wishes_alone(site: Any, shown: Pictures) -> None:
    if site.database.engine.dialect.name != "sqlite":
        pytest.skip("the planner of PostgreSQL looks at sizes")
    asked: list[tuple[str, Any]] = []

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    event.listen(site.database.engine, "before_cursor_execute", remember)
    shown.claim(8)
    event.remove(site.database.engine, "before_cursor_execute", remember)
    (statement, parameters) = next(one for one in asked if "pictures" in one[0])
    with site.database.reading() as connection:
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    assert "ix_pictures_wanted" in plan[0]
