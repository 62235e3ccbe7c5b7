"""Magnetic resonance: one series a sequence and station (MR Image Storage, PS3.3 A.4, or Enhanced MR, A.36)."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from bmnode.domain.codes import Unit
from operators.simulation.dicom.elements import decimal, decimals, fill, normal
from operators.simulation.dicom.encoding import Encoding, slopes_to
from operators.simulation.dicom.enhanced_mr import EnhancedPlan, write_enhanced_mr
from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from operators.simulation.dicom.mri_headers import BODY_PARTS, IMAGE_TYPES, SEQUENCE_OF, SEQUENCES, SPOKEN
from operators.simulation.dicom.mri_private import mark_b_value
from operators.simulation.dicom.positions import PATIENT_POSITION
from operators.simulation.dicom.real_world import real_world_mapping
from operators.simulation.dicom.series import Series, WrittenSeries
from operators.simulation.dicom.slices import Attributes, Stack, write_slices
from operators.simulation.images import Content, FloatArray, Volume
from operators.simulation.physics.mri_timing import Timing, timing
from operators.simulation.protocols.habits import Habits, Vendor
from operators.simulation.protocols.mri import MrProtocol

_HIGHEST_STORED = 4095
_BRIGHTEST_STORED = 3600.0
"""What the brightest voxel of a sequence becomes where slices have no slope."""
_LARMOR_MHZ_T = 42.577
_BRIGHT_PERCENTILE = 99.7
_FOREGROUND = 0.1
"""Of the bright percentile: what is darker is air."""
_TIMES_MEDIAN = 3.5
"""Fluid saturates where it is much brighter than all the rest, as readers window STIR and diffusion. Chosen."""
_ADC_WINDOW_UM2_S = (1500.0, 3000.0)
_PLANES = ("sag", "cor", "ax")
_MILLI = 1e-3
"""Philips' map is in 10^-3 mm2/s once its slope is applied, the others' in um2/s as stored."""
MRI_PLAN = SeriesPlan(number=2, starts_after_s=120.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class MrSeries:
    """Which of the volumes become one series.

    Args:
        volumes: by index, in the order given; several of DWI, one otherwise.
    """

    content: Content
    station: int
    volumes: tuple[int, ...]


def write_mri(
    folder: Path,
    *,
    header: StudyHeader,
    volumes: Many[Volume],
    protocol: MrProtocol,
    habits: Habits,
    plan: SeriesPlan = MRI_PLAN,
) -> tuple[WrittenSeries, ...]:
    """Write every series of a study, in the order in which contents and stations first appear.

    All b-values of a station are one series; each station, fat and water are series of their own. The
    signal's scale is arbitrary: without slopes it is stretched to twelve bits, by one factor for all volumes
    of a sequence.
    """
    gains = _gains(volumes)
    written, begun_s = [], plan.starts_after_s
    for place, group in enumerate(grouped(volumes)):
        sequence = SEQUENCE_OF[group.content]
        series = Series(
            folder=folder,
            header=header,
            plan=SeriesPlan(number=plan.number + place, starts_after_s=begun_s),
            habits=habits,
            modality="MR",
            sop_class_uid=EnhancedMRImageStorage if habits.enhanced else MRImageStorage,
            description=_description(group, volumes[group.volumes[0]]),
            body_part=BODY_PARTS[protocol.region],
        )
        writer = _Writer(series=series, protocol=protocol, group=group, gain=gains[group.content])
        written.append(writer.write([volumes[index] for index in group.volumes]))
        begun_s += SEQUENCES[sequence].duration_s
    return tuple(written)


def grouped(volumes: Many[Volume]) -> tuple[MrSeries, ...]:
    """Which volumes become which series."""
    groups: dict[tuple[Content, int], list[int]] = {}
    for index, volume in enumerate(volumes):
        groups.setdefault((volume.content, volume.station), []).append(index)
    return tuple(
        MrSeries(content=content, station=station, volumes=tuple(indices))
        for (content, station), indices in groups.items()
    )


def _gains(volumes: Many[Volume]) -> dict[Content, float]:
    """Stored values a unit of signal, the same for all volumes of one sequence; ADC keeps its unit."""
    peaks: dict[object, float] = {}
    for volume in volumes:
        sequence = SEQUENCE_OF[volume.content]
        if volume.content is not Content.ADC_UM2_S:
            peaks[sequence] = max(peaks.get(sequence, 0.0), float(volume.values.max()))
    return {
        content: 1.0 if content is Content.ADC_UM2_S else _BRIGHTEST_STORED / (peaks.get(sequence) or 1.0)
        for content, sequence in SEQUENCE_OF.items()
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Writer:
    """One series."""

    series: Series
    protocol: MrProtocol
    group: MrSeries
    gain: float

    @property
    def _rescaled(self) -> bool:
        """Whether slices have a Rescale Slope."""
        habits = self.series.habits
        return habits.per_slice_slopes or habits.vendor is Vendor.PHILIPS or habits.enhanced

    @property
    def _is_map(self) -> bool:
        return self.group.content is Content.ADC_UM2_S

    def write(self, volumes: Many[Volume]) -> WrittenSeries:
        template = self._template(volumes[0])
        fill(template, self._window(volumes))
        stacks = [self._stack(volume) for volume in volumes]
        if self.series.habits.enhanced:
            enhanced = EnhancedPlan(content=self.group.content, protocol=self.protocol, window=self._window(volumes))
            files = write_enhanced_mr(self.series, stacks=stacks, plan=enhanced)
        else:
            files = write_slices(self.series, template=template, stacks=stacks)
        return WrittenSeries(
            series_uid=self.series.uid,
            number=self.series.plan.number,
            modality="MR",
            description=self.series.description,
            files=files,
            volumes=self.group.volumes,
            contents=tuple(volume.content for volume in volumes),
            stored_per_value=1.0 if self._rescaled else self.gain,
        )

    def _template(self, volume: Volume) -> Dataset:
        """MR Image module (PS3.3 C.8.3.1)."""
        times = timing(self.protocol, SEQUENCE_OF[self.group.content])
        dataset = fill(
            self.series.dataset(), _sequence_attributes(self.group.content, times, vendor=self.series.habits.vendor)
        )
        fill(dataset, _hardware(volume, protocol=self.protocol))
        return fill(
            dataset,
            {
                "PatientPosition": PATIENT_POSITION[self.series.habits.feet_first],
                "AcquisitionNumber": 1,
                "SliceThickness": decimal(self.protocol.slice_mm),
            },
        )

    def _encoding(self, volume: Volume) -> Encoding:
        per_slice = self.series.habits.per_slice_slopes
        if self._is_map and not per_slice:
            slopes: tuple[float, ...] = (1.0,) * volume.geometry.shape[0]
        elif self._rescaled:
            slopes = slopes_to(_HIGHEST_STORED, volume.values, per_slice=per_slice)
        else:
            slopes = (1.0 / self.gain,) * volume.geometry.shape[0]
        return Encoding(slopes=slopes, highest=_HIGHEST_STORED, bits_stored=12)

    def _stack(self, volume: Volume) -> Stack:
        encoding, vendor = self._encoding(volume), self.series.habits.vendor
        b_value = volume.b_value

        def mark(dataset: Dataset) -> None:
            if b_value is not None:
                mark_b_value(dataset, b_value=b_value, vendor=vendor)

        return Stack(
            volume=volume,
            encoding=encoding,
            attributes={},
            per_slice=lambda index: self._rescale(encoding.slopes[index]),
            mark=mark,
        )

    def _rescale(self, slope: float) -> Attributes:
        """Modality LUT, and for a map the unit of its values where the vendor states it."""
        attributes: dict[str, Any] = {}
        philips_map = self._is_map and self.series.habits.vendor is Vendor.PHILIPS
        if self._rescaled:
            written = slope * _MILLI if philips_map else slope
            attributes |= {"RescaleIntercept": "0", "RescaleSlope": decimal(written)}
        if self._is_map and self.series.habits.vendor is Vendor.PLAIN:
            mapping = real_world_mapping(
                "Apparent diffusion coefficient", unit=Unit.ADC, slope=slope, highest=_HIGHEST_STORED
            )
            attributes["RealWorldValueMappingSequence"] = [mapping]
        return attributes

    def _window(self, volumes: Many[Volume]) -> Attributes:
        if self._is_map:
            centre, width = _ADC_WINDOW_UM2_S
            scale = _MILLI if self.series.habits.vendor is Vendor.PHILIPS else 1.0
        else:
            width = brightest_shown(volumes[0].values)
            centre, scale = width / 2.0, 1.0 if self._rescaled else self.gain
        return {"WindowCenter": decimals([centre * scale]), "WindowWidth": decimals([width * scale])}


def brightest_shown(values: FloatArray) -> float:
    """The signal at which a window ends: the brightest of the image, but not far above the body's middle."""
    bright = float(np.percentile(values, _BRIGHT_PERCENTILE))
    body = values[values > _FOREGROUND * bright]
    return max(min(bright, _TIMES_MEDIAN * float(np.median(body))) if body.size else 0.0, 1e-6)


def _sequence_attributes(content: Content, times: Timing, *, vendor: Vendor) -> dict[str, Any]:
    facts = SEQUENCES[SEQUENCE_OF[content]]
    attributes: dict[str, Any] = {
        "ImageType": list(IMAGE_TYPES[vendor][content]),
        "ScanningSequence": list(facts.scanning),
        "SequenceVariant": list(facts.variant),
        "ScanOptions": facts.options,
        "SequenceName": facts.name,
        "MRAcquisitionType": facts.dimensions,
        "AngioFlag": "N",
        "RepetitionTime": decimal(times.repetition_ms),
        "EchoTime": decimal(times.echo_ms),
        "FlipAngle": decimal(times.flip_deg),
        "EchoTrainLength": facts.echo_train,
        "EchoNumbers": 1,
        "NumberOfAverages": decimal(facts.averages),
        "PixelBandwidth": decimal(facts.bandwidth_hz),
    }
    return attributes | ({} if times.inversion_ms is None else {"InversionTime": decimal(times.inversion_ms)})


def _hardware(volume: Volume, *, protocol: MrProtocol) -> dict[str, Any]:
    _, rows, columns = volume.geometry.shape
    return {
        "MagneticFieldStrength": decimal(protocol.field_strength_t),
        "ImagingFrequency": decimal(protocol.field_strength_t * _LARMOR_MHZ_T),
        "ImagedNucleus": "1H",
        "NumberOfPhaseEncodingSteps": rows,
        "PercentSampling": "100",
        "PercentPhaseFieldOfView": "100",
        "AcquisitionMatrix": [0, columns, rows, 0],
        "InPlanePhaseEncodingDirection": "COL",
        "VariableFlipAngleFlag": "N",
        "ReceiveCoilName": "BODY ARRAY",
        "TransmitCoilName": "BODY",
        "ReconstructionDiameter": decimal(max(rows, columns) * volume.geometry.spacing_mm[2]),
        "SAR": "0.5",
        "dBdt": "0",
    }


def _description(group: MrSeries, volume: Volume) -> str:
    """`T1 TSE cor`, `DWI ax st2`: sequence, plane and station."""
    plane = _PLANES[int(np.argmax(np.abs(normal(volume.geometry))))]
    return f"{SPOKEN[group.content]} {plane}" + (f" st{group.station}" if group.station else "")
