"""What comes by C-GET is answered as what comes by C-STORE is: success only when it is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from bmnode.archive.association import Caller
from bmnode.archive.get import MOST_CLASSES, SentInstance, StudyGetter
from bmnode.scp.contexts import STORAGE_CLASSES
from bmnode.scp.receiver import Receiver
from bmnode.spool import Spool
from bmnode.storage import Database, Instances
from bmnode.testing.clock import FakeClock
from bmnode.work.prior_getting import ReceivedByGet
from tests.support.objects import StudyMaker

CLOCK = FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """An empty database."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    return database


def _keep(database: Database, folder: Path, *, min_free_bytes: int = 0) -> ReceivedByGet:
    spool = Spool(folder / "spool", min_free_bytes=min_free_bytes)
    receiver = Receiver(spool, database=database, clock=CLOCK, due_at=lambda _study, at: at + timedelta(seconds=30))
    return ReceivedByGet(receiver=receiver)


def _sent(folder: Path, *, instance_uid: str | None = None, cut: int = 0, birth_date: str = "19500101") -> SentInstance:
    path = StudyMaker(directory=folder, seed="get").sc()
    image = dcmread(path)
    image.PatientBirthDate = birth_date
    image.save_as(path)
    whole = path.read_bytes()
    data_set = whole[132 + 12 + dcmread(path).file_meta.FileMetaInformationGroupLength :]
    return SentInstance(
        sop_class_uid=str(image.SOPClassUID),
        sop_instance_uid=instance_uid or str(image.SOPInstanceUID),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        source_ae="ARCHIVE",
        data_set=data_set[: len(data_set) - cut],
    )


def test_what_is_kept_has_file_and_row_when_it_is_acknowledged(tmp_path: Path, database: Database) -> None:
    """Success stands for a row whose file is there; the same again is success too."""
    keep, sent = _keep(database, tmp_path), _sent(tmp_path)
    assert (keep(sent), keep(sent)) == (0x0000, 0x0000)
    with database.read() as connection:
        row = Instances(connection).get(sent.sop_instance_uid)
    assert row.source_ae == "ARCHIVE"
    assert len(list((tmp_path / "spool").rglob(f"{row.sop_instance_uid}.dcm"))) == 1


def test_what_is_not_kept_is_never_acknowledged(tmp_path: Path, database: Database) -> None:
    """No room, another instance than was said, a cut data set, other bytes: each has the listener's own status."""
    assert _keep(database, tmp_path, min_free_bytes=1 << 60)(_sent(tmp_path)) == 0xA700
    keep = _keep(database, tmp_path)
    assert keep(_sent(tmp_path, instance_uid="1.2.3")) == 0xA900
    assert keep(_sent(tmp_path, cut=100)) == 0xC000
    with database.read() as connection:
        assert list(Instances(connection).uids()) == []
    assert keep(_sent(tmp_path)) == 0x0000
    assert keep(_sent(tmp_path, birth_date="19500102")) == 0x0111


def test_more_contexts_than_an_association_has_are_refused() -> None:
    """Everything that the listener takes can be offered; more than the protocol allows is an error at the start."""
    caller = Caller(ae_title="BMNODE", clock=CLOCK)
    syntaxes = (["1.2"], ["1.3"])
    with pytest.raises(ValueError, match="storage classes"):
        StudyGetter(
            caller=caller,
            sop_classes=[f"1.2.{number}" for number in range(MOST_CLASSES + 1)],
            transfer_syntaxes=syntaxes,
            keep=lambda _: 0,
        )
    assert len(STORAGE_CLASSES) <= MOST_CLASSES
    assert 2 * MOST_CLASSES + 1 <= 128
