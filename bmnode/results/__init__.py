"""Result set -> DICOM: SR (TID 1500) and SEG, verified before release; read back, recomputed, and as pictures."""
