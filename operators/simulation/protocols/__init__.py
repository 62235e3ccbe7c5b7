"""How each modality acquires: plain data that physics, fields of view and DICOM writers share."""
