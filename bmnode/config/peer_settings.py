"""The settings of a peer."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from bmnode.config.section import Section
from bmnode.domain.objects import DEFAULT_ENCODINGS, DEFAULT_KINDS, ResultKind, SegEncoding
from bmnode.domain.peers import DEFAULT_WAYS, SendBy, check_ae_title

AeTitle = Annotated[str, AfterValidator(check_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]


class PeerSettings(Section):
    """Another DICOM application entity, under `[peers.NAME]`: a PACS, a scanner, a workstation."""

    ae_title: AeTitle = Field(description="Its AE title.")
    host: str = Field(min_length=1, description="Its host name or address.")
    port: Port = Field(description="Its DICOM port.")
    rest_url: str | None = Field(
        default=None, description="Base address of its REST interface, if it is an Orthanc: health, pull and labels."
    )
    rest_user: str | None = Field(default=None, description="User of the REST interface.")
    rest_password_env: str | None = Field(
        default=None, description="Environment variable that holds the password; it is never written into a file."
    )
    objects: tuple[ResultKind, ...] = Field(
        default=DEFAULT_KINDS,
        min_length=1,
        description="Which objects of a result it gets: `sr` the report, `roi_sr` outlines for viewers, `seg` "
        "segmentations, `reg` how an earlier study that was used maps onto this one, `sc` pictures as Secondary "
        "Capture, `pdf` report and pictures as Encapsulated PDF. "
        "A study that is not assessable has `sr` and `pdf` alone.",
    )
    addresses: tuple[str, ...] = Field(
        default=(),
        description="Addresses and networks that it may call from, e.g. `192.0.2.7` or `192.0.2.0/28`; empty: any.",
    )
    tls: bool = Field(default=False, description="`true`: it is called by TLS, and may call by TLS only.")
    certificate_name: str | None = Field(
        default=None,
        description="Name that its certificate must carry. Without one: `host` where it is called, and any certificate "
        "of the `[tls]` authorities where it calls.",
    )
    seg_encodings: tuple[SegEncoding, ...] = Field(
        default=DEFAULT_ENCODINGS,
        min_length=1,
        description="How segmentations of volumes are encoded, the best first: `binary` one bit a voxel, which every "
        "viewer reads; `labelmap` Label Map Segmentation in RLE Lossless, which is smaller and newer than many "
        "archives and viewers. The first that the peer accepts when it is called is sent, with the report that refers "
        "to it; where it accepts none, the last is offered.",
    )
    send_by: tuple[SendBy, ...] = Field(
        default=DEFAULT_WAYS,
        min_length=1,
        description="How it gets results, the best first: `c-store`, or `stow-rs` to `dicomweb_url`. The next is used "
        "for what cannot go by the one before: no answer, or an object that is not taken in that way.",
    )
    commitment: bool = Field(
        default=False,
        description="`true`: it is asked by Storage Commitment to keep what it took. Until it says so, on the same "
        "association or on one that it opens to this node under its own `ae_title`, an object is `stored`, not "
        "`delivered`, and no image of the study is deleted; what it does not commit itself to is sent again.",
    )
    dicomweb_url: str | None = Field(
        default=None,
        description="Base address of its DICOMweb services, e.g. `https://pacs.example.org/dicom-web`. With https, its "
        "certificate must come from the `[tls]` authorities, or without `[tls]` from those of this machine.",
    )
    dicomweb_user: str | None = Field(default=None, description="User of DICOMweb.")
    dicomweb_password_env: str | None = Field(
        default=None, description="Environment variable that holds the password; it is never written into a file."
    )
    dicomweb_token_env: str | None = Field(
        default=None, description="Environment variable that holds a bearer token, instead of user and password."
    )
