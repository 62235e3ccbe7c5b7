"""Checks of a written registration against its result set: both images, and where points go."""

from __future__ import annotations

import numpy as np

from bmnode.domain.objects import ResultKind
from bmnode.domain.registration import Points, Registration
from bmnode.errors import ResultError
from bmnode.results.concepts import SERIES_NUMBER
from bmnode.results.examined import Examined
from bmnode.results.reg_reading import read_registration

TOLERANCE_MM = 1e-3
"""Decimal strings of ten digits move a point 1 m from the origin by far less."""
_PROBES: Points = np.array([[0.0, 0.0, 0.0], [500.0, 0.0, 0.0], [0.0, 500.0, 0.0], [0.0, 0.0, 1500.0]])
"""Places in the moving frame, mm; as far from each other as parts of a body."""


def check_registration(examined: Examined) -> None:
    """The images are those of the result set, the frames too, and every probed point goes where it should."""
    index = int(examined.dataset.SeriesNumber) - SERIES_NUMBER[ResultKind.REG]
    expected = examined.result_set.registrations[index]
    written = read_registration(examined.dataset)
    if (written.fixed, written.moving) != (expected.fixed, expected.moving):
        raise ResultError("the registration names other images or frames of reference")
    if (written.method, written.version) != (expected.method, expected.version):
        raise ResultError("the registration names another method")
    _same_mapping(written, expected)


def _same_mapping(written: Registration, expected: Registration) -> None:
    if expected.rigid is not None and written.rigid is not None:
        gap = np.abs(written.rigid.to_fixed(_PROBES) - expected.rigid.to_fixed(_PROBES)).max()
    elif expected.field is not None and written.field is not None:
        geometry = expected.field.geometry
        corners = [[i * (n - 1) for i, n in zip(bits, geometry.shape, strict=True)] for bits in np.ndindex(2, 2, 2)]
        points = np.asarray([geometry.position_lps((float(k), float(j), float(i))) for k, j, i in corners])
        gap = np.abs(written.field.to_moving(points) - expected.field.to_moving(points)).max()
        vectors = expected.field.vectors
        if not any(np.array_equal(written.field.vectors, either) for either in (vectors, vectors[::-1])):
            raise ResultError("the registration holds other displacements")
    else:
        raise ResultError("the registration is of another kind")
    if not gap <= TOLERANCE_MM:  # also where a point fell outside
        raise ResultError(f"the registration moves a point {gap:.4f} mm from where it should")
