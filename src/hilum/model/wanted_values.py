"""What a condition compares with, as the VR of its attribute says: a number, a date, a list of texts, ..."""

from collections.abc import Callable
from typing import Any

from hilum.dicom.attributes import parse_path, vr_of
from hilum.dicom.comparing import Kind, comparable, form_of
from hilum.model.rules import Condition, Operator, Takes


def vr_at(path: str, named: str = "") -> str:
    """The VR of an attribute: by the dictionary, else as the site has named it."""
    last = parse_path(path)[-1]
    vr = vr_of(last.tag, last.creator)
    return named or vr if vr == "UN" else vr


def kind_of(condition: Condition, operator: Operator) -> Kind:
    """As what the values are compared."""
    return Kind.TEXT if operator.reads_text else form_of(vr_at(condition.attribute, condition.vr)).kind


def prepare(condition: Condition, operator: Operator) -> Any:
    """The wanted value as it is compared.

    Raises:
        ValueError: it is none that the operator takes; the message is a sentence.
    """
    wanted = _WANTED[operator.takes](condition.value, kind_of(condition, operator))
    make_ready = getattr(operator, "prepare", None)
    return wanted if make_ready is None else make_ready(wanted)


def _one(value: Any, kind: Kind) -> Any:
    found = None if value is None or isinstance(value, tuple) else comparable(kind, value)
    if found is None:
        raise ValueError(f"{_as_said(value)} is not {kind}." if value is not None else f"It needs {kind} as its value.")
    return found


def _as_said(value: Any) -> str:
    return f"A list of {len(value)} values" if isinstance(value, tuple) else repr(value)


def _two(value: Any, kind: Kind) -> Any:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError("It needs two values, the lower first.")
    return _one(value[0], kind), _one(value[1], kind)


def _several(value: Any, kind: Kind) -> Any:
    if not isinstance(value, tuple) or not value:
        raise ValueError("It needs a list of values.")
    return tuple(_one(one, kind) for one in value)


def _pattern(value: Any, kind: Kind) -> Any:  # noqa: ARG001 - every form is asked alike
    if not isinstance(value, str) or not value:
        raise ValueError("It needs a regular expression.")
    return value


def _days(value: Any, kind: Kind) -> Any:  # noqa: ARG001 - every form is asked alike
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100_000:
        raise ValueError("It needs a number of days, zero or more.")
    return value


def _nothing(value: Any, kind: Kind) -> Any:  # noqa: ARG001 - every form is asked alike
    if value is not None:
        raise ValueError("It takes no value.")


_WANTED: dict[Takes, Callable[[Any, Kind], Any]] = {
    Takes.ONE: _one,
    Takes.TWO: _two,
    Takes.SEVERAL: _several,
    Takes.PATTERN: _pattern,
    Takes.DAYS: _days,
    Takes.NOTHING: _nothing,
}
