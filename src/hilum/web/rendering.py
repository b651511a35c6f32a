"""Jinja2 with autoescape on for everything: nothing a sender wrote is ever markup. And the headers that every page carries."""

from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.responses import HTMLResponse

from hilum import __version__
from hilum.model.words import count
from hilum.web import words

HEADERS = {
    # No script at all, no style but our own files: markup that slipped through could do nothing (CSP Level 3).
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a search for a patient stays out of other sites' logs
    "Cache-Control": "no-store",  # shared machines keep nothing of a patient
}


def render(page: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page of `pages/` as a response."""
    return HTMLResponse(environment().get_template(page).render(**shown), status_code=status, headers=HEADERS)


@cache
def environment() -> Environment:
    """Made at the first page: a process that serves none need not compile any."""
    # autoescape is True for every name, not chosen by a file's suffix.
    made = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, finalize=_visible, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {
        "duration": words.duration,
        "size": words.size,
        "clock": words.clock,
        "moment": words.moment,
        "utc": words.utc,
        "date": words.date,
        "count": count,
    }
    made.globals |= {"version": __version__, "instant": timedelta(milliseconds=50)}
    return made


def _visible(value: Any) -> Any:
    return words.visible(value) if type(value) is str else value  # Markup is ours already


def _read(name: str) -> str:
    return (resources.files("hilum.web") / "pages" / name).read_text(encoding="utf-8")
