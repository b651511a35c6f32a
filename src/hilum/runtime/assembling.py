"""The only place that knows which adapter is which: settings in, a whole `Application` out."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from typing import Any

from pydantic import ValidationError

from hilum.model.acceptances import from_setting
from hilum.model.errors import InvalidError
from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Role, Scope
from hilum.model.judging import Operators
from hilum.model.kept import KEPT_ATTRIBUTES
from hilum.model.lifecycle import Kind
from hilum.model.ports import Tools
from hilum.model.templates import Template
from hilum.runtime.choosing import read_sampling_key
from hilum.runtime.keys import make_first_key, open_keys
from hilum.runtime.profiles import find_profile
from hilum.runtime.registry import find_classes, find_members
from hilum.runtime.settings import Settings
from hilum.runtime.stepping import Stop, Worker
from hilum.runtime.template_files import from_yaml
from hilum.stores.accepting import Acceptances
from hilum.stores.access import Access
from hilum.stores.catalogue import Catalogue
from hilum.stores.committing import Commitments
from hilum.stores.credentials import Credentials
from hilum.stores.crosswalk import Crosswalk
from hilum.stores.database import Database
from hilum.stores.decisions import Decisions
from hilum.stores.erasing import Eraser
from hilum.stores.filling_in import Filler
from hilum.stores.intakes import Intakes
from hilum.stores.ledger import Backoff, Ledger
from hilum.stores.pack_index import PackIndex
from hilum.stores.packs import PackPool, PackReader, RecentFreeBytes, find_packs
from hilum.stores.peers import Peers
from hilum.stores.pictures import Pictures
from hilum.stores.private_tags import PrivateTags
from hilum.stores.rebuilding import Rebuilder
from hilum.stores.registering import Registrar
from hilum.stores.replies import Replies
from hilum.stores.retention import Retention
from hilum.stores.template_shelf import TemplateShelf

_LOG = logging.getLogger(__name__)
_PLENTY_BYTES = 1 << 30  # more than a disk takes while the answer is remembered


def utc_now() -> datetime:
    """The clock of the running product."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Application:
    """Everything a face (API, command line) or a worker works with."""

    settings: Settings
    database: Database
    access: Access
    crosswalk: Crosswalk
    credentials: Credentials
    peers: Peers
    acceptances: Acceptances
    pictures: Pictures
    commitments: Commitments
    ledger: Ledger
    catalogue: Catalogue
    intakes: Intakes
    registrar: Registrar
    templates: TemplateShelf
    private_tags: PrivateTags
    decisions: Decisions
    replies: Replies
    pack_index: PackIndex
    rebuilder: Rebuilder
    filler: Filler
    eraser: Eraser
    retention: Retention
    vault: PackReader
    clock: Callable[[], datetime]
    wake: Callable[[], None]

    def close(self) -> None:
        """Let go of files and connections."""
        self.vault.close()
        self.database.close()


def assemble(settings: Settings, *, wake: Callable[[], None] = lambda: None, clock: Callable[[], datetime] = utc_now) -> Application:
    """Open the stores. The database must be up to date (`prepare`)."""
    database = Database(settings.database_url)
    pack_index = PackIndex(database, clock)
    intakes = Intakes(database, clock, wake, abandon_after=timedelta(hours=settings.open_upload_hours))
    shelf = TemplateShelf(database, clock)
    crosswalk = Crosswalk(database, open_keys(settings))
    withdraw = partial(_withdraw, settings, shelf)
    eraser = Eraser(database, clock, settings.packs, withdraw=withdraw, forget_pseudonyms=crosswalk.forget)
    return Application(
        settings=settings,
        database=database,
        access=Access(database, clock),
        crosswalk=crosswalk,
        credentials=Credentials(database),
        peers=Peers(database, clock),
        acceptances=Acceptances(database, clock),
        pictures=Pictures(database, clock),
        commitments=Commitments(database, clock),
        ledger=Ledger(database, clock, wake, Backoff(attempts=settings.attempts)),
        catalogue=Catalogue(database),
        intakes=intakes,
        registrar=Registrar(database, clock),
        templates=shelf,
        private_tags=PrivateTags(database, clock),
        decisions=Decisions(database, clock, wake),
        replies=Replies(database, clock),
        pack_index=pack_index,
        rebuilder=Rebuilder(database, clock, intakes, pack_index),
        filler=Filler(database),
        eraser=eraser,
        retention=Retention(database, clock, eraser),
        vault=PackReader(settings.packs),
        clock=clock,
        wake=wake,
    )


def _withdraw(settings: Settings, shelf: TemplateShelf, workitem_id: str, template: str, version: int) -> None:
    """Take back what was delivered of a workitem where its destinations can: what left this machine cannot be called back."""
    from hilum.destinations import Host

    members = find_classes("hilum.destinations")
    for delivery in shelf.find(SYSTEM, template, version)[0].destinations:
        member = members.get(delivery.destination)
        if member is not None and hasattr(member, "withdraw"):
            try:
                asked = member.Settings.model_validate(delivery.settings)
            except ValidationError as error:
                trouble = f"The destination {delivery.destination} no longer takes the settings of {template}, version {version}."
                raise InvalidError(trouble, "Install the destination as it was; what it delivered is taken back then.") from error
            member(Host(settings.delivered_folder)).withdraw(workitem_id, template, asked)


def open_pool(app: Application, kind: str, *, indexes_behind: bool = False) -> PackPool:
    """A pool of open packs of this process; `received` packs are indexed by intake, the others by workitem."""
    settings = app.settings
    settings.packs.mkdir(parents=True, exist_ok=True)
    return PackPool(
        settings.packs,
        kind=kind,
        index=app.intakes.index if kind == "received" else app.pack_index.index_made,
        on_opened=partial(app.pack_index.open_pack, kind),
        on_sealed=app.pack_index.seal_pack,
        indexes_behind=indexes_behind,
        pack_bytes=settings.pack_bytes,
        idle_seconds=settings.pack_idle_seconds,
        free_bytes_watermark=settings.free_disk_bytes,
        free_bytes=RecentFreeBytes(settings.free_disk_bytes + _PLENTY_BYTES),
    )


def make_worker(
    app: Application,
    name: str,
    stop: Stop,
    wait: Callable[[float], object],
    deidentified: PackPool,
    results: PackPool,
    *,
    kinds: Collection[Kind] = tuple(Kind),
) -> Worker:
    """A worker with its tools."""
    tools = make_tools(app, deidentified, results)
    settings = app.settings
    return Worker(name, app.ledger, tools, stop, lease=settings.lease, attempts=settings.attempts, wait=wait, kinds=kinds)


def make_tools(app: Application, deidentified: PackPool, results: PackPool) -> Tools:
    """What the stages are handed; their worker adds what stops them."""
    from hilum.destinations import Host as DestinationHost
    from hilum.processors import Host as ProcessorHost
    from hilum.runtime.asking_tools import ToolAsker
    from hilum.runtime.children import GuardedChildren
    from hilum.runtime.darkening import ChildDarkener
    from hilum.runtime.decoding import ChildDecoder

    processor_host = ProcessorHost(GuardedChildren())
    destination_host = DestinationHost(app.settings.delivered_folder)
    return Tools(
        scope=SYSTEM,
        clock=app.clock,
        intakes=app.intakes,
        registrar=app.registrar,
        catalogue=app.catalogue,
        crosswalk=app.crosswalk,
        templates=app.templates,
        private_vrs=lambda: app.private_tags.vrs(SYSTEM),
        history=app.ledger,
        vault=app.vault,
        deidentified_pool=deidentified,
        results_pool=results,
        proofs=find_members("hilum.proofs"),
        checks=find_members("hilum.checks"),
        actions=find_members("hilum.actions"),
        profile=partial(find_profile, app.settings),
        keys=open_keys(app.settings),
        operators=operators(app.clock),
        processors={kind: member(processor_host) for kind, member in find_classes("hilum.processors").items()},
        destinations={kind: member(destination_host) for kind, member in find_classes("hilum.destinations").items()},
        limits=_limits(app.settings),
        accepted=app.acceptances.list_accepted,
        accepted_everywhere=tuple(map(from_setting, app.settings.accepted_findings)),
        decoder=partial(ChildDecoder, seconds=app.settings.decoding_seconds),
        darken=lambda tools: ChildDarkener(tools.scratch, tools.until_stopped),
        asker=partial(ToolAsker, allowed=app.settings.check_tools),
        several_run_all=app.settings.several_templates == "all",
        scratch=app.settings.scratch,
        sampling_key=read_sampling_key(app.settings.data),
    )


def _limits(settings: Settings) -> Any:
    from hilum.processors import Limits

    return Limits(settings.processing_seconds, settings.processing_memory_bytes, settings.processing_output_bytes)


def operators(clock: Callable[[], datetime]) -> Operators:
    """The operators of rules."""
    return Operators(find_members("hilum.operators"), lambda: clock().date())


# --- the first start ------------------------------------------------------------------------------------------------------------


def ship(app: Application) -> None:
    """What every site has: the project `admin`, the shipped templates, the attributes that are always kept."""
    if ADMIN_PROJECT not in [project.name for project in app.access.list_projects(SYSTEM)]:
        app.access.create_project(SYSTEM, ADMIN_PROJECT, description="Sees every image; also a project of its own.")
        if not find_packs(app.settings.packs):  # else the ledger is made anew, and patients may have pseudonyms
            make_first_key(app.settings, ADMIN_PROJECT)
    app.templates.keep(KEPT_ATTRIBUTES)
    for template in shipped_templates():
        app.templates.ship(SYSTEM, template)


def shipped_templates() -> list[Template]:
    """The report types that come with Hilum."""
    folder = resources.files("hilum") / "templates"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return [Template.model_validate(from_yaml(file.read_text(encoding="utf-8"))) for file in files]


def scope_of_environment_token(settings: Settings, secret: str) -> Scope | None:
    """HILUM_ADMIN_TOKEN, where set, is an administrator's."""
    import hmac

    if settings.admin_token and hmac.compare_digest(settings.admin_token.encode(), secret.encode()):
        return Scope("administrator", {ADMIN_PROJECT: Role.ADMIN}, may_see_identity=True)
    return None
