"""What each key of `[[study]]`, `[study.ct]` and `[habits]` means: text for the reference page."""

from __future__ import annotations

from collections.abc import Mapping

_INJECTION = {
    "tracer": "Radiopharmaceutical.",
    "dose_mbq": "Injected activity, MBq.",
    "uptake_minutes": "From injection to the start of the scan, minutes.",
}

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "PlanarProtocol": _INJECTION
    | {
        "kilocounts": "Expected counts of the anterior view, in thousands.",
        "scan_speed_cm_min": "Speed of the table, cm/min.",
        "pixel_mm": "Size of a pixel, mm.",
        "energy_window_percent": "Full width of the photopeak window, percent of 140.5 keV.",
        "scatter_window": "A lower scatter window is stored as well.",
        "resolution_mm": "FWHM of the camera at 100 mm in air, mm.",
        "collimator_distance_mm": "From the nearest skin to the collimator, mm.",
        "field_width_mm": "Width that the detectors see, mm; beside it nothing is counted.",
    },
    "SpectProtocol": _INJECTION
    | {
        "centre": "Bone at the middle of the field.",
        "length_mm": "Axial length of the field, mm.",
        "voxel_mm": "Size of a voxel along every axis, mm.",
        "views": "Projections of all heads together.",
        "seconds_per_view": "Duration of each projection, s.",
        "resolution_mm": "FWHM of the reconstruction, mm.",
        "unit": "Activity concentration (`bqml`) or counts.",
    },
    "CtProtocol": {
        "region": "What the field covers along the body.",
        "kvp": "Tube voltage, kV.",
        "effective_mas": "Tube current times rotation time over pitch, mAs; sets the noise.",
        "kernel": "Reconstruction kernel.",
        "contrast": "Phase of the intravenous contrast medium.",
        "slice_mm": "Slice thickness, mm.",
        "increment_mm": "Distance of slices, mm.",
        "pixel_mm": "Size of a pixel, mm.",
        "field_mm": "Width of the square image, mm; the body may be cut.",
        "tilt_deg": "Tilt of the gantry about the left-right axis, degrees.",
        "couch": "The table's top shows below the patient.",
    },
    "PetProtocol": _INJECTION
    | {
        "region": "What the field covers along the body.",
        "seconds_per_bed": "Duration of a bed position, s; with dose and body size it sets the noise.",
        "voxel_mm": "Size of a voxel in the slice, mm.",
        "slice_mm": "Distance of slices, mm.",
        "resolution_mm": "FWHM of the reconstruction without positron range, mm.",
        "sensitivity_cps_kbq": "Sensitivity of the scanner, counts per second and kBq.",
        "decay_corrected_to": "Reference time of the stored activity: start of the scan or administration.",
    },
    "MrProtocol": {
        "region": "What the field covers.",
        "sequences": "Sequences that are acquired.",
        "b_values": "b-values of the diffusion sequence, s/mm2; two or more different ones.",
        "field_strength_t": "Field strength, T.",
        "signal_to_noise": "Of muscle in T1 at the middle of the field.",
        "bias_field": "Relative standard deviation of the receive field.",
        "pixel_mm": "Size of a pixel of the anatomical sequences, mm; of diffusion twice as large.",
        "slice_mm": "Slice thickness, mm.",
        "gap_mm": "Gap between slices, mm.",
        "stations_composed": "Stations are joined to one series instead of one series each.",
        "oblique_deg": "Rotation of the slices, degrees.",
        "distortion_mm": "Largest shift of diffusion images along anterior-posterior, mm.",
    },
    "Habits": {
        "vendor": "Whose private tags and units the objects show.",
        "per_slice_slopes": "Every PET or MR slice has a Rescale Slope of its own.",
        "enhanced": "Enhanced multi-frame objects where the standard has them (CT, MR, PET).",
        "missing_optional": "Optional attributes are absent.",
        "duplicate_slices": "Slices of the first volume that come twice.",
        "missing_slices": "Slices of the first volume that are missing.",
        "resent_instances": "Files of each series that are sent twice, byte by byte the same.",
        "feet_first": "The patient went in feet first.",
        "late_series_time": "Series Time of a PET is that of a later reconstruction, not of the scan.",
        "posterior_first": "The posterior view is the first frame.",
        "single_views": "Planar views are objects of one frame each.",
        "missing_view_codes": "No view codes; Image ID names the view where an object has one.",
    },
}
"""By dataclass, then by field."""
