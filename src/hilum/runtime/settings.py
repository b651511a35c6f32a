"""Every setting, with its default and its reason. Weakest to strongest: environment `HILUM_<NAME>`, a file `hilum.toml`, an option."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

CONFIG_FILE = "hilum.toml"


class Settings(BaseSettings):
    """What a site may change."""

    model_config = SettingsConfigDict(env_prefix="HILUM_", extra="ignore", frozen=True)

    data: Path = Field(Path("hilum-data"), description="The data directory: ledger, packs, credentials. On a local disk.")
    database: str = Field("", description="URL of a PostgreSQL database; empty: SQLite in the data directory.")
    http: str = Field("127.0.0.1:8080", description="HOST:PORT of web and API.")
    behind_proxy: bool = Field(False, description="A proxy in front speaks TLS: listening on anything but loopback is then allowed.")
    workers: int = Field(2, ge=1, description="Worker processes.")
    admin_token: str = Field("", description="Accepted as an administrator's bearer token (automation and tests).")
    delivered: Path | None = Field(None, description="Folder below which destinations write; default: `delivered` in the data directory.")

    keys_dir: Path | None = Field(None, description="Folder of the projects' keys; default: `keys` in the data directory.")
    keys: SecretStr = Field(SecretStr(""), description="Keys that lie in no file: `project=64 hexadecimal digits`, apart by spaces.")

    dimse: str = Field("127.0.0.1:11112", description="HOST:PORT of the DIMSE door; `off`: none.")
    dimse_processes: int = Field(
        default_factory=lambda: min(4, max(1, (os.cpu_count() or 1) // 2)),
        ge=1,
        description="Processes that share the DIMSE port, and its limits; default: one for two cores, at most 4.",
    )
    dimse_ae_title: str = Field("HILUM", min_length=1, max_length=16, description="Our own AE title; compared without case.")
    dimse_project: str = Field("admin", description="Whose images they are that are sent to our own AE title.")
    dimse_allow: Literal["", "any", "peers"] = Field(
        "", description="Who may associate: any, or peers (`hilum pacs`) from their address. Must be said where not only this machine asks."
    )
    dimse_quarantine: bool = Field(False, description="Images for an unknown project are set aside in dimse_project, not rejected.")
    dimse_private_sop_classes: bool = Field(True, description="Private storage SOP classes are taken.")
    dimse_unknown_sop_classes: bool = Field(False, description="SOP classes under DICOM's root that no edition names are taken as storage.")
    dimse_pdu_bytes: int = Field(1 << 18, ge=4096, le=1 << 24, description="The longest P-DATA-TF PDU that is asked for.")
    dimse_contexts: int = Field(128, ge=1, le=128, description="The most presentation contexts of an association.")
    dimse_connections: int = Field(1024, ge=1, description="The most connections, silent ones included.")
    dimse_associations: int = Field(256, ge=1, le=65_536, description="The most associations, of all DIMSE processes together.")
    dimse_associations_per_peer: int = Field(128, ge=1, le=65_536, description="The most associations of one address, likewise.")
    dimse_artim_seconds: float = Field(30, gt=0, description="How long a connection may be silent before it asks for an association.")
    dimse_progress_seconds: float = Field(30, gt=0, description="How long 32 KiB of a message may take.")
    dimse_idle_seconds: float = Field(600, gt=0, description="How long an association may be idle.")
    dimse_instance_bytes: int = Field(50 << 30, gt=0, description="The largest object that is taken by C-STORE.")
    dimse_memory_bytes: int = Field(512 << 20, gt=0, description="Memory for objects that are being received.")
    dimse_report_hours: float = Field(72, gt=0, description="How long a report of storage commitment is tried that its peer does not take.")
    dimse_tls_certificate: Path | None = Field(None, description="PEM file of our certificate: the DIMSE door then speaks TLS only.")
    dimse_tls_key: Path | None = Field(None, description="PEM file of its private key.")
    dimse_tls_ca: Path | None = Field(None, description="PEM file of the authorities whose client certificates are asked for.")

    several_templates: Literal["hold", "all"] = Field(
        "hold", description="A study that several templates match is held for a person, or all of them run."
    )

    lease_seconds: float = Field(60, gt=0, description="A worker that is silent for so long loses its item.")
    attempts: int = Field(5, ge=1, description="How often a stage that raises is tried.")
    open_upload_hours: float = Field(24, gt=0, description="An upload that is never completed is imported this long after its last file.")
    checkpoint_seconds: float = Field(5, gt=0, description="How often the SQLite log is written back.")

    pack_bytes: int = Field(1 << 30, gt=0, description="A pack is sealed at this size.")
    pack_idle_seconds: float = Field(300, gt=0, description="A pack nothing is written to for so long is sealed.")
    free_disk_bytes: int = Field(1 << 30, ge=0, description="With less room than this nothing more is taken (507).")
    buffer_bytes: int = Field(4 << 20, gt=0, description="A file up to this size is taken in whole before it needs a pack.")

    file_bytes: int = Field(50 << 30, gt=0, description="The largest file that is taken.")
    archive_entries: int = Field(200_000, gt=0, description="The most entries of an archive.")
    archive_bytes: int = Field(50 << 30, gt=0, description="The most bytes an archive may unpack to.")
    archive_ratio: int = Field(1000, gt=1, description="The most an entry may be compressed.")
    archive_nesting: int = Field(4, ge=0, description="How deep archives may lie within archives.")
    file_name_bytes: int = Field(1024, gt=0, description="The longest file name in an upload.")

    accepted_findings: tuple[str, ...] = Field((), description="Findings accepted everywhere: `check`, or `check: part of the sentence`.")
    check_tools: tuple[str, ...] = Field((), description="Installed programs that checks may ask for a second opinion: `dciodvfy`.")
    decoding_seconds: float = Field(120, ge=0, description="The longest that compressed pixels of one study are decoded for a check.")
    processing_seconds: float = Field(1800, gt=0, description="The longest a processor may run.")
    processing_memory_bytes: int = Field(8 << 30, gt=0, description="The most memory a processor may take.")
    processing_output_bytes: int = Field(8 << 30, gt=0, description="The most a processor may write.")

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{(self.data / 'ledger.sqlite').absolute()}"

    @property
    def packs(self) -> Path:
        return self.data.absolute() / "packs"

    @property
    def scratch(self) -> Path:
        return self.data.absolute() / "scratch"

    @property
    def delivered_folder(self) -> Path:
        return (self.delivered or self.data / "delivered").absolute()

    @property
    def keys_folder(self) -> Path:
        return (self.keys_dir or self.data / "keys").absolute()

    @property
    def credentials(self) -> Path:
        return self.data / "credentials"

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options first, then the file, then the environment."""
        return init_settings, TomlConfigSettingsSource(settings_cls), env_settings


def load_settings(config: Path | None = None, **options: Any) -> Settings:
    """The settings from environment, file and given options (None: not given)."""
    given = {name: value for name, value in options.items() if value is not None}
    file = config or (Path(CONFIG_FILE) if Path(CONFIG_FILE).is_file() else None)

    class FromFile(Settings):
        model_config = SettingsConfigDict(env_prefix="HILUM_", extra="ignore", frozen=True, toml_file=file)

    return FromFile(**given)
