import io

from hilum_sdk.progress import Progress, Tally, describe, shower


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_stays_on_its_line_until_the_end() -> None:
    out = Terminal()
    tally = Tally(files_total=2, size_total=10, show=shower(True, out))
    tally.add_held(4)
    tally.add_bytes(6)
    tally.add_file()
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().endswith("\r\x1b[K[########################] 100%  2/2 files, 0.0/0.0 MB, 1 already held\n")


def test_a_bar_is_not_drawn_for_every_chunk() -> None:
    out = Terminal()
    tally = Tally(files_total=1, size_total=1000, show=shower(True, out))
    for _ in range(1000):
        tally.add_bytes(1)
    assert out.getvalue().count("\r") < 100


def test_no_progress_writes_nothing(capsys) -> None:
    Tally(1, 1, shower(False)).add_file()
    assert capsys.readouterr() == ("", "")


def test_a_folder_of_empty_files_is_counted_by_files() -> None:
    assert describe(Progress(files=1, files_total=2, size=0, size_total=0), width=4) == "[##..]  50%  1/2 files, 0.0/0.0 MB"
