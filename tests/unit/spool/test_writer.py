"""What the spool promises of a file: whole, under its name, on the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1

from bmnode.errors import SpoolFullError
from bmnode.spool import InstanceIdentity, Spool, inspect_data_set
from bmnode.spool.filesystem import OsFileSystem
from bmnode.testing.filesystem import PowerCutError, SimulatedFileSystem
from tests.support.encoded import EncodedInstance, encode_instance, encoded_ct


@pytest.fixture
def ct(tmp_path: Path) -> EncodedInstance:
    """One CT slice."""
    return encoded_ct(tmp_path / "source")[0]


def _identity(instance: EncodedInstance) -> InstanceIdentity:
    return inspect_data_set(instance.data_set, transfer_syntax_uid=instance.transfer_syntax_uid)


def _under(directory: Path) -> list[Path]:
    return sorted(path.relative_to(directory) for path in directory.rglob("*") if path.is_file())


def test_a_file_is_part_10_around_the_bytes_as_they_came(tmp_path: Path, bone_scan: Path) -> None:
    """A compressed scan keeps every byte; the file meta information names syntax and sender."""
    encoded = encode_instance(dcmread(bone_scan), transfer_syntax_uid=JPEGLosslessSV1)
    spool = Spool(tmp_path / "spool", min_free_bytes=0)
    written = spool.write(encoded.data_set, identity=_identity(encoded), source_ae="GAMMA_1")
    assert written.path == spool.path(encoded.study_uid, encoded.sop_instance_uid)
    assert written.path.read_bytes().endswith(encoded.data_set)
    assert written.sha256 == hashlib.sha256(encoded.data_set).hexdigest()
    assert written.size_bytes == len(encoded.data_set)
    read = dcmread(written.path)
    assert read.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    assert read.file_meta.SourceApplicationEntityTitle == "GAMMA_1"
    assert read.file_meta.MediaStorageSOPInstanceUID == encoded.sop_instance_uid
    assert not [element for element in read.file_meta if element.tag.is_private or element.tag.element >= 0x100]
    assert (read.pixel_array == dcmread(bone_scan).pixel_array).all()


def test_only_the_node_may_read_patients(tmp_path: Path, ct: EncodedInstance) -> None:
    """Files and folders are closed to other users of the machine."""
    spool = Spool(tmp_path / "spool", min_free_bytes=0)
    written = spool.write(ct.data_set, identity=_identity(ct), source_ae="CT1")
    assert written.path.stat().st_mode & 0o077 == 0
    assert spool.studies_directory.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("uid", ["..", "a/b", "", "1.2.", "1" * 65])
def test_no_name_leaves_the_spool(tmp_path: Path, uid: str) -> None:
    """What is no UID never becomes a path."""
    spool = Spool(tmp_path, min_free_bytes=0)
    with pytest.raises(ValueError, match="cannot name a file"):
        spool.path("1.2.3", uid)
    with pytest.raises(ValueError, match="cannot name a file"):
        spool.path(uid, "1.2.3")


def test_asking_for_a_path_changes_nothing(tmp_path: Path) -> None:
    """A reader of the spool makes no folders."""
    Spool(tmp_path / "spool", min_free_bytes=0).path("1.2", "1.2.3")
    assert not (tmp_path / "spool").exists()


def test_missing_folders_are_made_durably(tmp_path: Path, ct: EncodedInstance) -> None:
    """A spool below folders that do not exist yet survives a power cut as any other."""
    files = SimulatedFileSystem(tmp_path)
    spool = Spool(tmp_path / "var" / "lib" / "spool", min_free_bytes=0, file_system=files)
    written = spool.write(ct.data_set, identity=_identity(ct), source_ae="CT1")
    assert written.path in files.surviving(names_are_kept=False)


def test_nothing_written_is_lost_to_a_power_cut(tmp_path: Path) -> None:
    """Wherever the power goes, every file that `write` returned for is there, whole and under its name."""
    instances = encoded_ct(tmp_path / "source", count=2) + encoded_ct(tmp_path / "other", seed="other")
    operations = _operations_of(tmp_path, instances)
    assert operations > 20
    for cut_after in range(operations + 1):
        files = SimulatedFileSystem(tmp_path, largest_write=700, cut_after=cut_after)
        spool = Spool(tmp_path / "spool", min_free_bytes=0, file_system=files)
        written: dict[Path, EncodedInstance] = {}
        try:
            for instance in instances:
                file = spool.write(instance.data_set, identity=_identity(instance), source_ae="CT1")
                written[file.path] = instance
        except PowerCutError:
            pass
        for names_are_kept in (True, False):
            left = files.surviving(names_are_kept=names_are_kept)
            for path, instance in written.items():
                assert left[path].endswith(instance.data_set), f"lost after {cut_after} operations"
            named = [content for path, content in left.items() if path.is_relative_to(spool.studies_directory)]
            whole = tuple(instance.data_set for instance in instances)
            assert all(content.endswith(whole) for content in named), f"half a file after {cut_after} operations"


def _operations_of(root: Path, instances: list[EncodedInstance]) -> int:
    """How many operations the writing takes when nothing goes wrong."""
    files = SimulatedFileSystem(root, largest_write=700)
    spool = Spool(root / "spool", min_free_bytes=0, file_system=files)
    for instance in instances:
        spool.write(instance.data_set, identity=_identity(instance), source_ae="CT1")
    return files.operations


def test_a_folder_that_another_made_is_synced_all_the_same(tmp_path: Path, ct: EncodedInstance) -> None:
    """A study's folder that exists already may not be durable yet: its name is synced before anything is promised."""
    files = SimulatedFileSystem(tmp_path)
    spool = Spool(tmp_path / "spool", min_free_bytes=0, file_system=files)
    for path in (spool.directory, spool.studies_directory, spool.studies_directory / ct.study_uid):
        files.make_directory(path)
    written = spool.write(ct.data_set, identity=_identity(ct), source_ae="CT1")
    assert written.path in files.surviving(names_are_kept=False)


def test_the_watermark_refuses_before_a_byte_is_written(tmp_path: Path, ct: EncodedInstance) -> None:
    """Below the watermark nothing is written; above it, it is."""
    files = SimulatedFileSystem(tmp_path, capacity_bytes=1_000_000)
    spool = Spool(tmp_path / "spool", min_free_bytes=999_000, file_system=files)
    with pytest.raises(SpoolFullError, match="999000 must stay free"):
        spool.write(ct.data_set, identity=_identity(ct), source_ae="CT1")
    assert files.surviving(names_are_kept=True) == {}
    roomy = Spool(tmp_path / "spool", min_free_bytes=990_000, file_system=files)
    roomy.write(ct.data_set, identity=_identity(ct), source_ae="CT1")


def test_a_disk_that_runs_full_leaves_nothing_behind(tmp_path: Path, ct: EncodedInstance) -> None:
    """ENOSPC in the middle of a file is SpoolFullError, and the half file is gone; later it works again."""
    files = SimulatedFileSystem(tmp_path, capacity_bytes=600)
    spool = Spool(tmp_path / "spool", min_free_bytes=-10_000, file_system=files)
    with pytest.raises(SpoolFullError):
        spool.write(ct.data_set, identity=_identity(ct), source_ae="CT1")
    assert files.surviving(names_are_kept=True) == {}
    files.capacity_bytes = 100_000
    spool.write(ct.data_set, identity=_identity(ct), source_ae="CT1")


def test_another_disk_failure_keeps_its_name(tmp_path: Path, ct: EncodedInstance) -> None:
    """A disk that fails for another reason than space is not called full, and leaves nothing either."""

    class BrokenDisk(OsFileSystem):
        def sync(self, handle: int) -> None:
            raise OSError(5, "Input/output error")

    spool = Spool(tmp_path / "spool", min_free_bytes=0, file_system=BrokenDisk())
    with pytest.raises(OSError, match="Input/output error") as caught:
        spool.write(ct.data_set, identity=_identity(ct), source_ae="CT1")
    assert not isinstance(caught.value, SpoolFullError)
    assert _under(tmp_path / "spool") == []


def test_a_staged_file_is_published_or_discarded(tmp_path: Path, ct: EncodedInstance) -> None:
    """A staged instance is not under its name; published it is; discarded it never was; either way once."""
    spool = Spool(tmp_path / "spool", min_free_bytes=0)
    staged = spool.stage(ct.data_set, identity=_identity(ct), source_ae="CT1")
    assert not spool.has(ct.study_uid, ct.sop_instance_uid)
    spool.discard(staged)
    assert _under(tmp_path / "spool") == []
    staged = spool.stage(ct.data_set, identity=_identity(ct), source_ae="CT1")
    spool.publish(staged)
    spool.discard(staged)
    assert spool.has(ct.study_uid, ct.sop_instance_uid)
    assert ct.transfer_syntax_uid == ExplicitVRLittleEndian
    assert len(_under(tmp_path / "spool")) == 1
