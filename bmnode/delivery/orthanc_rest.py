"""A peer that is an Orthanc, over its own REST interface: health, pulling a study by hand, labelling it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from orthanc_api_client import OrthancApiClient
from orthanc_api_client.exceptions import HttpError, OrthancApiException, ResourceNotFound

from bmnode.domain.peers import Peer
from bmnode.errors import ConfigError, NotFoundError, PeerRefusedError, PeerUnreachableError

RESULTS_LABEL = "bmnode-results"
"""What a study with results is labelled."""
LABELS_SINCE = (1, 12, 0)
"""Orthanc has labels from this version on."""
RESULTS_METADATA = "1024"
"""User metadata that stands in for the label before; `orthanc-config/orthanc.json` names it `bmnode-results`."""
_UNAUTHORISED = frozenset({401, 403})
_TIMEOUT_S = 30.0
_SEND_TIMEOUT_S = 600.0


class LabelMethod(StrEnum):
    """How a study was marked."""

    LABEL = "label"
    METADATA = "metadata"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrthancHealth:
    """What an Orthanc says of itself."""

    version: str
    ae_title: str
    dicom_port: int
    study_count: int
    instance_count: int
    disk_bytes: int
    """Size of what it stores; Orthanc does not tell how much room is left."""
    has_labels: bool


class _Client(OrthancApiClient):  # type: ignore[misc]  # the library is not typed
    """The library's client, with a time limit on every request: it has none of its own."""

    def get(self, endpoint: str, **options: Any) -> Any:
        return super().get(endpoint, **{"timeout": _TIMEOUT_S, **options})

    def post(self, endpoint: str, **options: Any) -> Any:
        return super().post(endpoint, **{"timeout": _TIMEOUT_S, **options})

    def put(self, endpoint: str, **options: Any) -> Any:
        return super().put(endpoint, **{"timeout": _TIMEOUT_S, **options})


class OrthancRest:
    """One Orthanc. Every method raises PeerUnreachableError without an answer, PeerRefusedError on an error.

    Args:
        peer: with `rest_url`; raises ConfigError without one.
        environment: where the password's variable is looked up. Raises ConfigError where it is not set.
    """

    def __init__(self, peer: Peer, *, environment: Mapping[str, str] | None = None) -> None:
        if peer.rest_url is None:
            raise ConfigError(f"peer {peer.name} has no rest_url; add it to use Orthanc's REST interface")
        password = None
        if peer.rest_password_env is not None:
            password = (os.environ if environment is None else environment).get(peer.rest_password_env)
            if password is None:
                raise ConfigError(f"peer {peer.name}: the environment variable {peer.rest_password_env} is not set")
        self._peer = peer
        self._client = _Client(peer.rest_url, user=peer.rest_user, pwd=password)

    def health(self) -> OrthancHealth:
        """Version, DICOM address, counts and size on disk."""
        system = self._ask(self._client.get_system)
        statistics = self._ask(self._client.get_statistics)
        return OrthancHealth(
            version=str(system["Version"]),
            ae_title=str(system["DicomAet"]),
            dicom_port=int(system["DicomPort"]),
            study_count=int(statistics.studies_count),
            instance_count=int(statistics.instances_count),
            disk_bytes=int(statistics.total_disk_size),
            has_labels=_version(str(system["Version"])) >= LABELS_SINCE,
        )

    def send_study(self, study_uid: str, *, to_ae_title: str) -> int:
        """Have Orthanc C-STORE a study to an application entity that it knows, e.g. this node.

        The study comes the way every study comes. Returns the number of instances. Raises
        NotFoundError where Orthanc has no such study or no modality with that AE title.
        """
        study = self._study(study_uid)
        modalities = self._ask(lambda: self._client.get_json("modalities?expand"))
        name = next((key for key, item in modalities.items() if item["AET"] == to_ae_title), None)
        if name is None:
            raise NotFoundError(
                f"Orthanc {self._peer.name} knows no AE title {to_ae_title}; add it to its DicomModalities"
            )
        count = len(self._ask(lambda: self._client.studies.get_instances_ids(study)))
        # The library's own `send` has no limit on how long it waits.
        order = {"Resources": [study], "Synchronous": True}
        self._ask(lambda: self._client.post(f"modalities/{name}/store", json=order, timeout=_SEND_TIMEOUT_S))
        return count

    def download_study(self, study_uid: str, directory: Path) -> tuple[Path, ...]:
        """Write a study's instances, as Orthanc keeps them, to `<SOP Instance UID>.dcm` files; return the paths.

        Raises NotFoundError where Orthanc has no such study.
        """
        study = self._study(study_uid)
        directory.mkdir(parents=True, exist_ok=True)
        identifiers = self._ask(lambda: self._client.studies.get_instances_ids(study))
        return tuple(self._download(str(identifier), directory) for identifier in identifiers)

    def label_study(self, study_uid: str) -> LabelMethod:
        """Mark a study as having results, by label or, before Orthanc 1.12, by user metadata; say which.

        Marking twice is the same as once. Raises NotFoundError where Orthanc has no such study.
        """
        study = self._study(study_uid)
        if self.health().has_labels:
            self._ask(lambda: self._client.studies.add_label(study, RESULTS_LABEL))
            return LabelMethod.LABEL
        self._ask(lambda: self._client.studies.set_string_metadata(study, RESULTS_METADATA, "true"))
        return LabelMethod.METADATA

    def _download(self, identifier: str, directory: Path) -> Path:
        tags = self._ask(lambda: self._client.get_json(f"instances/{identifier}"))["MainDicomTags"]
        path = directory / f"{re.sub(r'[^0-9.]', '_', str(tags['SOPInstanceUID']))}.dcm"
        path.write_bytes(self._ask(lambda: self._client.instances.get_file(identifier)))
        return path

    def _study(self, study_uid: str) -> str:
        """Orthanc's own identifier of a study."""
        identifier = self._ask(lambda: self._client.studies.lookup(study_uid))
        if identifier is None:
            raise NotFoundError(f"Orthanc {self._peer.name} has no study {study_uid}")
        return str(identifier)

    def _ask(self, request: Callable[[], Any]) -> Any:
        with _translated(self._peer):
            return request()


@contextmanager
def _translated(peer: Peer) -> Iterator[None]:
    """Orthanc's errors as the node's. The library's texts may quote what Orthanc stores, so none is passed on."""
    try:
        yield
    except ResourceNotFound:
        raise NotFoundError(f"Orthanc {peer.name} does not have that resource") from None
    except HttpError as error:
        status = error.http_status_code
        if status in _UNAUTHORISED:
            raise PeerRefusedError(
                f"Orthanc {peer.name} refuses the credentials (HTTP {status}): check rest_user and rest_password_env"
            ) from None
        raise PeerRefusedError(f"Orthanc {peer.name} answered HTTP {status}") from None
    except OrthancApiException:
        raise PeerUnreachableError(f"Orthanc {peer.name} does not answer at its rest_url") from None


def _version(text: str) -> tuple[int, ...]:
    """1.12.3 as (1, 12, 3); a development build ("mainline") counts as newer than every release."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", text))
    return numbers or (2**31,)
