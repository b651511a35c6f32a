"""The ten actions of the MIDI-B scorer, scored over real images with planted identities; `bench/deid_scored.py` prints the score."""

from pathlib import Path

from deidentifying import shipped_engine
from midi_b import ACTIONS, score, score_burned_in, scored_files

# A name that nothing tells from another word: no attribute of the object has it, and no title stands before it.
KNOWN_TO_BE_WRONG = {"box of Thelonius, shelf 4"}


def test_all_is_right_but_bare_names_of_strangers(shared_data: Path, tmp_path: Path) -> None:
    files = scored_files(shared_data)
    scored = score(files, shipped_engine("research"), tmp_path)
    score_burned_in(files, tmp_path, scored)
    assert len(files) > 80
    assert all(scored.asked[action] for action in ACTIONS)
    assert {what for _, _, what in scored.wrong_cases} <= KNOWN_TO_BE_WRONG
    assert scored.percentage > 99


def test_the_scorer_sees_what_is_wrong(shared_data: Path, tmp_path: Path) -> None:
    """The basic profile takes away descriptions and dates, which the answer key wants kept."""
    scored = score(scored_files(shared_data)[:6], shipped_engine("basic"), tmp_path)
    assert scored.wrong["text_retained"]
    assert not scored.wrong["text_removed"]
