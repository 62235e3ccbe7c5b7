"""The codes of the bones."""

from __future__ import annotations

from pydicom.sr.codedict import codes

from bmnode.domain.bones import VERTEBRAE, Bone


def test_every_bone_has_its_own_code() -> None:
    """No two bones share a code, so a finding site names one bone (and its side)."""
    assert len({bone.code.value for bone in Bone}) == len(Bone)


def test_codes_that_dicom_lists_have_dicoms_meaning() -> None:
    """Code and meaning of every bone, part and region are a pair of PS3.16; single ribs alone are not listed there."""
    listed = {(codes.SCT.__getattr__(word).value, codes.SCT.__getattr__(word).meaning) for word in codes.SCT.dir()}
    for bone in Bone:
        for code in (bone.code, bone.part, bone.region):
            if not (bone.is_rib and code == bone.code):
                assert (code.value, code.meaning) in listed, code


def test_vertebrae_count_from_the_head_down() -> None:
    """Seven cervical, twelve thoracic and five lumbar vertebrae, each under its part of the spine."""
    assert [bone.name for bone in VERTEBRAE][::6] == ["C1", "C7", "T6", "T12"]
    parts = [bone.part.meaning for bone in VERTEBRAE]
    assert [parts.count(f"{name} spine") for name in ("Cervical", "Thoracic", "Lumbar")] == [7, 12, 5]
