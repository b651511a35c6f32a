"""What commands print."""

from datetime import UTC, datetime, timedelta

import pytest

from hilum.cli import main
from hilum.cli.telling import print_columns, printable, sentence_of, since
from hilum.model.errors import HilumError
from hilum_sdk import HilumError as SdkError


def test_an_error_is_one_line_with_the_mend() -> None:
    assert sentence_of(HilumError("The disk is full.", "Free some space.")) == "The disk is full. Free some space."
    assert sentence_of(SdkError("It does not answer.", "see that it runs.")) == "It does not answer. See that it runs."


def test_a_surprise_names_its_kind_and_how_to_see_more() -> None:
    assert "RuntimeError: odd" in sentence_of(RuntimeError("odd"))
    assert "HILUM_DEBUG=1" in sentence_of(RuntimeError("odd"))


def test_nothing_a_sender_wrote_acts_on_the_terminal() -> None:
    assert printable("a\x1b[2Jb\rc") == "a\\x1b[2Jb\\rc"
    assert printable("Größe 3 µm") == "Größe 3 µm"


def test_columns_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns(("name", "does"), [("a", "one"), ("longer", "two")])

    assert capsys.readouterr().out == "name    does\na       one\nlonger  two\n"


@pytest.mark.parametrize(("ago", "said"), [(5, "5 s"), (130, "2 min"), (3 * 3600, "3 h"), (5 * 86_400, "5 days")])
def test_a_wait_is_said_in_one_unit(ago: int, said: str) -> None:
    now = datetime.now(UTC)
    assert since(now - timedelta(seconds=ago), now) == said


def test_a_command_without_a_token_says_where_to_get_one(
    tmp_path: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HILUM_TOKEN", "HILUM_ADMIN_TOKEN"):
        monkeypatch.delenv(variable, raising=False)

    assert main(["status", "--data", str(tmp_path)]) == 1
    assert "There is no token. Set HILUM_TOKEN" in capsys.readouterr().err


def test_a_surprise_has_its_traceback_only_when_asked(
    tmp_path: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(*_: object, **__: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr("hilum.cli.held.connect", surprise)

    assert main(["held", "--data", str(tmp_path)]) == 1
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("HILUM_DEBUG", "1")
    with pytest.raises(RuntimeError, match="odd"):
        main(["held", "--data", str(tmp_path)])
