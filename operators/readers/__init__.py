"""DICOM series to arrays with geometry."""
