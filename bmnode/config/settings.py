"""The settings: one frozen tree. Descriptions here are the file template's and the documentation's text.

Sections stand in the order in which an administrator meets them. Nothing here reads a file or the
environment: see `bmnode.config.sources`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bmnode.config.audit_settings import AuditSettings
from bmnode.config.delivery_settings import DeliverySettings
from bmnode.config.model_settings import ModelSettings
from bmnode.config.peer_settings import AeTitle, PeerSettings, Port
from bmnode.config.prior_settings import PriorSettings, Retrieve
from bmnode.config.retention_settings import RetentionSettings
from bmnode.config.section import Section
from bmnode.config.tls_settings import TlsSettings
from bmnode.domain.codes import Code
from bmnode.domain.objects import AIR_PROCESSING_ALGORITHM, OutputOptions
from bmnode.domain.peers import Peer
from bmnode.domain.study import Branch
from bmnode.errors import NotFoundError

DATABASE_FILE = "node.sqlite"
SPOOL_FOLDER = "spool"
RESULTS_FOLDER = "results"
MODELS_FOLDER = "models"
ENVIRONMENT_PREFIX = "BMNODE__"


class Accept(StrEnum):
    """Who may send to the node."""

    ANY = "any"
    LOCAL = "local"
    CONFIGURED = "configured"


class LogFormat(StrEnum):
    """How a log line is written."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """From which severity on an event is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class NodeSettings(Section):
    """The node itself, as its peers see it."""

    name: str = Field(default="bmnode", min_length=1, max_length=64, description="Name of this node in logs.")
    ae_title: AeTitle = Field(default="BMNODE", description="AE title that peers call and that the node calls with.")
    bind: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. 127.0.0.1 is this machine only, 0.0.0.0 every network interface.",
    )
    port: Port = Field(default=11112, description="TCP port of the DICOM listener.")
    data_dir: Path = Field(
        default=Path("bmnode-data"),
        description="Folder for the database, the spool and the results. Relative to this file's folder.",
    )


class DatabaseSettings(Section):
    """Where the state is kept."""

    url: str | None = Field(
        default=None,
        description=f"SQLAlchemy URL; without one, SQLite in `{DATABASE_FILE}` under `[node] data_dir`.",
    )


class SpoolSettings(Section):
    """Where received images lie."""

    directory: Path | None = Field(
        default=None, description=f"Folder of received images; without one, `{SPOOL_FOLDER}` under `[node] data_dir`."
    )
    min_free_mb: int = Field(
        default=2048,
        ge=0,
        description="Below this much free disk space, in MB, images are refused with status A700 until there is room.",
    )


class ReceiveSettings(Section):
    """The DICOM listener."""

    accept: Accept = Field(
        default=Accept.LOCAL,
        description="`local` takes associations from the peers under `[peers]`, and from everyone on this machine; "
        "`configured` from the peers alone; `any` from everyone who reaches the port.",
    )
    max_associations: int = Field(
        default=32, ge=1, le=1000, description="Associations at one time; more are rejected with a request to retry."
    )
    max_associations_per_peer: int = Field(
        default=16, ge=1, le=1000, description="Associations at one time of one AE title at one address."
    )
    request_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds in which a new connection must have asked for an association."
    )
    max_waiting: int = Field(
        default=512, ge=1, le=10000, description="Connections at one time that have not asked yet; the oldest go first."
    )
    max_waiting_per_address: int = Field(
        default=256, ge=1, le=10000, description="The same, of one address; at most `max_waiting`."
    )
    network_timeout_s: float = Field(
        default=60.0, gt=0, description="An association that is silent for this many seconds is closed."
    )
    max_pdu_bytes: int = Field(
        default=131072, ge=4096, le=16777216, description="Largest PDU that the node takes, in bytes."
    )
    max_instance_mb: int = Field(
        default=4096,
        ge=1,
        le=1048576,
        description="Longest instance, in MB; one that goes on beyond it never ends, and its association is aborted.",
    )

    @model_validator(mode="after")
    def _one_address_is_part_of_all(self) -> Self:
        if self.max_waiting_per_address > self.max_waiting:
            raise ValueError(
                f"max_waiting_per_address ({self.max_waiting_per_address}) is above max_waiting ({self.max_waiting})"
            )
        return self


class AssemblySettings(Section):
    """When a study is complete."""

    quiet_s: float = Field(
        default=30.0, gt=0, description="A study is complete when no image arrived for this many seconds."
    )
    ceiling_s: float = Field(
        default=3600.0,
        gt=0,
        description="A study is taken as it is this many seconds after its first image, even if images still arrive.",
    )

    @model_validator(mode="after")
    def _ceiling_is_above_quiet(self) -> Self:
        if self.ceiling_s < self.quiet_s:
            raise ValueError(f"ceiling_s ({self.ceiling_s:g}) is below quiet_s ({self.quiet_s:g})")
        return self


class RunSettings(Section):
    """The computation of one study."""

    timeout_s: float = Field(default=1800.0, gt=0, description="A job is stopped after this many seconds.")
    attempts: int = Field(default=3, ge=1, le=20, description="How often a job is started before it fails for good.")
    restart_child_after_jobs: int = Field(
        default=50, ge=1, description="The worker's child process is replaced after this many jobs."
    )


class LogSettings(Section):
    """The log. It never carries a patient's name, ID or birth date; studies appear under a pseudonym."""

    level: LogLevel = Field(default=LogLevel.INFO, description="Least severity written.")
    format: LogFormat = Field(default=LogFormat.JSON, description="`json` lines for machines, `console` for people.")
    file: Path | None = Field(
        default=None, description="File to append to instead of standard error. Relative to this file's folder."
    )


class ResultSettings(Section):
    """How results are written. Which of the objects a destination gets stands with the peer."""

    fictitious_planar_geometry: bool = Field(
        default=False,
        description="`true` gives segmentations of planar views an invented place, for viewers that draw none without; "
        "their Content Description says so. It changes the objects for every destination.",
    )
    algorithm_purpose_code: str = Field(
        default=AIR_PROCESSING_ALGORITHM.value,
        min_length=1,
        max_length=16,
        description="Code by which Contributing Equipment calls an item an algorithm. IHE AI Results has a placeholder "
        "only; another edition or a receiver may ask for its own.",
    )
    algorithm_purpose_scheme: str = Field(
        default=AIR_PROCESSING_ALGORITHM.scheme, min_length=1, max_length=16, description="Scheme of that code."
    )

    @property
    def output(self) -> OutputOptions:
        """The settings as the writer takes them."""
        purpose = Code(self.algorithm_purpose_code, self.algorithm_purpose_scheme, AIR_PROCESSING_ALGORITHM.meaning)
        return OutputOptions(fictitious_planar_geometry=self.fictitious_planar_geometry, algorithm_purpose=purpose)


class RouteSettings(Section):
    """Which studies are assessed and who gets the result. A study matches when every given condition holds."""

    name: str = Field(min_length=1, max_length=64, description="Name of the route in lists and logs.")
    enabled: bool = Field(default=True, description="`false` switches the route off.")
    modalities: tuple[str, ...] = Field(
        default=(), description="Modalities, e.g. `NM`, `PT`, `CT`, `MR`, one of which the study has; empty: any."
    )
    branches: tuple[Branch, ...] = Field(default=(), description="Branches that the study may take; empty: any.")
    source_ae: tuple[str, ...] = Field(default=(), description="AE titles of the sender; empty: any.")
    body_part: tuple[str, ...] = Field(
        default=(), description="Body Part Examined values, one of which the study has; empty: any."
    )
    description: str | None = Field(
        default=None, description="Regular expression found in study, series or protocol description, in any case."
    )
    pipeline: str = Field(
        default="bone_metastasis", min_length=1, description="Pipeline to run; `bmnode pipeline list` shows them."
    )
    destinations: tuple[str, ...] = Field(min_length=1, description="Names of the peers that get the result.")
    priority: int = Field(default=10, ge=1, le=10, description="1 is the most urgent, 10 the ordinary case.")
    report_refusals: bool = Field(
        default=True, description="Whether a study that is not assessable gets a report that says why."
    )
    label_in: str | None = Field(
        default=None, description="Peer with `rest_url` in which a study with results gets a label."
    )

    @field_validator("description")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return value


class Settings(BaseSettings):
    """The whole tree.

    Paths are absolute: `bmnode.config.sources` resolves them against the folder of the file.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )

    node: NodeSettings = NodeSettings()
    database: DatabaseSettings = DatabaseSettings()
    spool: SpoolSettings = SpoolSettings()
    receive: ReceiveSettings = ReceiveSettings()
    tls: TlsSettings = TlsSettings()
    assembly: AssemblySettings = AssemblySettings()
    run: RunSettings = RunSettings()
    models: ModelSettings = ModelSettings()
    priors: PriorSettings = PriorSettings()
    results: ResultSettings = ResultSettings()
    delivery: DeliverySettings = DeliverySettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    audit: AuditSettings = AuditSettings()
    peers: Mapping[str, PeerSettings] = Field(default_factory=dict)
    routes: tuple[RouteSettings, ...] = ()

    _file: Path | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above the file, whose content comes as arguments."""
        return (env_settings, init_settings)

    @property
    def file(self) -> Path | None:
        """The file that was read, absolute; None where there was none."""
        return self._file

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the domain tables."""
        return self.database.url or f"sqlite:///{self.node.data_dir / DATABASE_FILE}"

    @property
    def database_file(self) -> Path | None:
        """The file of a SQLite database; None where the database is a server's."""
        start = "sqlite:///"
        return Path(self.database_url.removeprefix(start)) if self.database_url.startswith(start) else None

    @property
    def spool_directory(self) -> Path:
        """Folder of received images."""
        return self.spool.directory or self.node.data_dir / SPOOL_FOLDER

    @property
    def results_directory(self) -> Path:
        """Folder of the jobs' folders."""
        return self.node.data_dir / RESULTS_FOLDER

    @property
    def models_directory(self) -> Path:
        """Folder of the model bundles that the site installed."""
        return self.node.data_dir / MODELS_FOLDER

    def peer(self, name: str) -> Peer:
        """A peer by name. Raises NotFoundError with the nearest name."""
        found = self.peers.get(name)
        if found is None:
            raise NotFoundError(f"there is no peer {name!r}{nearest(name, self.peers)}; see `bmnode peer list`")
        return Peer(name=name, **found.model_dump())

    @model_validator(mode="after")
    def _peers_are_usable(self) -> Self:
        for name, peer in self.peers.items():
            Peer(name=name, **peer.model_dump())
        return self

    @model_validator(mode="after")
    def _images_go_before_others_are_refused(self) -> Self:
        below = self.retention.below_free_mb
        if below is not None and below <= self.spool.min_free_mb:
            raise ValueError(f"[retention] below_free_mb ({below}) is not above [spool] min_free_mb")
        return self

    @model_validator(mode="after")
    def _tls_is_possible(self) -> Self:
        for name, peer in self.peers.items():
            if peer.tls and self.tls.files is None:
                raise ValueError(f"peer {name!r} has tls = true, and [tls] names no certificate")
        if self.audit.syslog_host is not None and self.tls.files is None:
            raise ValueError("[audit] syslog_host needs the certificate of [tls]")
        return self

    @model_validator(mode="after")
    def _routes_name_peers(self) -> Self:
        names = [route.name for route in self.routes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two routes are named {name!r}")
        for route in self.routes:
            for peer in (*route.destinations, *((route.label_in,) if route.label_in else ())):
                if peer not in self.peers:
                    hint = nearest(peer, self.peers)
                    raise ValueError(f"route {route.name!r} names the unknown peer {peer!r}{hint}")
            if route.label_in and self.peers[route.label_in].rest_url is None:
                raise ValueError(f"route {route.name!r}: label_in names {route.label_in!r}, which has no rest_url")
        return self

    @model_validator(mode="after")
    def _priors_name_peers(self) -> Self:
        for peer in self.priors.archives:
            if peer not in self.peers:
                raise ValueError(f"[priors] archives names the unknown peer {peer!r}{nearest(peer, self.peers)}")
            if self.priors.retrieve is Retrieve.WADO_RS and self.peers[peer].dicomweb_url is None:
                raise ValueError(f"[priors] retrieve is wado-rs, but peer {peer!r} has no dicomweb_url")
        return self


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the known word nearest to this one; empty where none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {found[0]!r}?" if found else ""
