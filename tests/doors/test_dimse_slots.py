"""Places for associations: counted over processes, freed by the kernel when one of them is killed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.doors.dimse_slots import Slots

OTHER = """
import sys
from pathlib import Path
from hilum.doors.dimse_slots import Slots
slots = Slots(Path(sys.argv[1]))
print(sum(slots.take("CT1", 4) is not None for _ in range(3)), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    opened = Slots(tmp_path / "slots")
    yield opened
    opened.close()


def test_there_are_as_many_as_were_said_for_each_name(slots: Slots) -> None:
    assert [slots.take("CT1", 3) is None for _ in range(4)] == [False, False, False, True]
    assert slots.take("CT2", 3) is not None


def test_what_is_given_back_can_be_taken_again(slots: Slots) -> None:
    place = slots.take("", 1)
    assert place is not None
    assert slots.take("", 1) is None
    slots.give_back(place)
    assert slots.take("", 1) is not None


def ask_other_process(path: Path, name: str, most: int) -> bool:
    """Whether there is a place for another process."""
    script = (
        f"from pathlib import Path; from hilum.doors.dimse_slots import Slots; print(Slots(Path({str(path)!r})).take({name!r}, {most}))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return done.stdout != "None\n"


def test_of_few_places_none_is_kept_for_a_moment(slots: Slots, tmp_path: Path) -> None:
    place = slots.take("CT1", 1)
    assert place is not None
    assert not ask_other_process(tmp_path / "slots", "CT1", 1)
    slots.give_back(place)
    assert ask_other_process(tmp_path / "slots", "CT1", 1)


def test_what_is_kept_is_no_place_more(slots: Slots) -> None:
    for _ in range(3):
        places = [slots.take("CT1", 32) for _ in range(33)]
        assert sorted(place is None for place in places) == [False] * 32 + [True]
        assert len(set(places)) == 33
        for place in places:
            if place is not None:
                slots.give_back(place)


def test_what_is_kept_is_taken_from_others_until_it_is_let_go(slots: Slots, tmp_path: Path) -> None:
    places = [slots.take("CT1", 16) for _ in range(16)]
    for place in places[1:]:
        assert place is not None
        slots.give_back(place)  # the first of them stays
    command = "import sys; from pathlib import Path; from hilum.doors.dimse_slots import Slots; slots = Slots(Path(sys.argv[1])); "
    command += "print(sum(slots.take('CT1', 16) is not None for _ in range(16)))"

    def count_others() -> int:
        return int(subprocess.run([sys.executable, "-c", command, str(tmp_path / "slots")], check=True, capture_output=True).stdout)

    assert count_others() == 14
    slots.let_go()
    assert count_others() == 15


def test_processes_share_them_and_a_killed_one_leaves_them_free(slots: Slots, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER, str(tmp_path / "slots")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "3\n"
        assert [slots.take("CT1", 4) is None for _ in range(2)] == [False, True]
        other.kill()
        other.wait()
    assert [slots.take("CT1", 4) is None for _ in range(4)] == [False, False, False, True]
