"""What the tests of processors share: orders on real series, and the run of a member as a real child process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hilum.phantoms import make_phantom_study
from hilum.processors import Artifacts, Host, Limits, LocalProcessor, Order, ProcessingInput, Unusable
from hilum.runtime.children import GuardedChildren

NOTICE = "Research use, not for diagnosis."


def a_series(folder: Path, role: str = "", description: str = "", modality: str = "MR") -> ProcessingInput:
    return ProcessingInput(role, f"series-{role or folder.name}", f"1.2.{sum(map(ord, str(folder.name)))}", modality, description, folder)


@pytest.fixture
def order_for(tmp_path: Path) -> Callable[..., Order]:
    """Make an order with folders of its own: `order_for(member, *inputs, earlier=..., findings=..., **settings)`."""
    made: list[Order] = []

    def make(
        member: type[LocalProcessor],
        *inputs: ProcessingInput,
        earlier: tuple[Path, ...] = (),
        findings: tuple[str, ...] = (),
        template: str = "brain_ms",
        template_title: str = "Brain MS",
        limits: Limits | None = None,
        **settings: Any,
    ) -> Order:
        place = tmp_path / f"order-{len(made)}"
        for folder in ("output", "scratch"):
            (place / folder).mkdir(parents=True)
        order = Order(
            workitem_id="0b6ad0f4-5d0c-4d0c-9b5e-6f1f6f2b7a11",
            study_instance_uid="2.25.124923579073861410397544730322480453111",
            template=template,
            template_title=template_title,
            notice=NOTICE,
            inputs=inputs,
            earlier=earlier,
            output=place / "output",
            scratch=place / "scratch",
            settings=member.Settings(**settings),
            findings=findings,
            limits=limits or Limits(wall_seconds=120),
        )
        made.append(order)
        return order

    return make


@pytest.fixture
def answer_to() -> Callable[[type[LocalProcessor], Order], Artifacts | Unusable]:
    """Run an order in a real child and hand back its answer."""

    def run(member: type[LocalProcessor], order: Order) -> Artifacts | Unusable:
        processor = member(Host(GuardedChildren()))
        return processor.collect(processor.submit(order))

    return run


@pytest.fixture
def series() -> Callable[..., ProcessingInput]:
    """`series(folder, role="t1", description=...)`"""
    return a_series


@pytest.fixture(scope="session")
def phantom_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the phantom's `t1` and `flair`; only read it."""
    folder = tmp_path_factory.mktemp("phantom")
    make_phantom_study(folder)
    return folder
