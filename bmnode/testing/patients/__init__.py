"""Simple synthetic patients of every modality as complete DICOM studies with known truth.

A body of simple solids (`anatomy`) with ellipsoidal lesions in its bones (`lesions`) is seen by each
modality in a simple way: no scatter, no motion, no artefacts. The images serve the demo and tests of
the whole way of the data; they say nothing of how well a method works on patients.

Every writer takes a directory and a `PatientSpec`, writes the instances to `directory/dicom` and the
truth to `directory/truth.json`, and returns a `SyntheticStudy`. The same specification gives the
same bytes.
"""

from bmnode.testing.patients.bad_input import (
    write_absent_spacing,
    write_brain_ct,
    write_chest_xray,
    write_mibg,
    write_missing_pixel_data,
    write_not_dicom,
    write_secondary_capture,
    write_truncated,
    write_two_patients,
    write_zero_slices,
)
from bmnode.testing.patients.bone_scan import write_bone_scan
from bmnode.testing.patients.cohort import DEMO_PATIENTS, demo_cohort, write_demo_cohort
from bmnode.testing.patients.ct import write_ct
from bmnode.testing.patients.mri import write_mri
from bmnode.testing.patients.pet_ct import write_pet_ct
from bmnode.testing.patients.spec import (
    ImagePoint,
    LesionKind,
    LesionSpec,
    LesionTruth,
    PatientSpec,
    Side,
    StudyTruth,
    SyntheticStudy,
)
from bmnode.testing.patients.spect import write_spect

__all__ = [
    "DEMO_PATIENTS",
    "ImagePoint",
    "LesionKind",
    "LesionSpec",
    "LesionTruth",
    "PatientSpec",
    "Side",
    "StudyTruth",
    "SyntheticStudy",
    "demo_cohort",
    "write_absent_spacing",
    "write_bone_scan",
    "write_brain_ct",
    "write_chest_xray",
    "write_ct",
    "write_demo_cohort",
    "write_mibg",
    "write_missing_pixel_data",
    "write_mri",
    "write_not_dicom",
    "write_pet_ct",
    "write_secondary_capture",
    "write_spect",
    "write_truncated",
    "write_two_patients",
    "write_zero_slices",
]
