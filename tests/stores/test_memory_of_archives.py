"""What a large archive costs in memory: a bounded piece a file while it passes, and no second copy of it while it is indexed."""

import gc
import tracemalloc
import uuid

from hilum.model.identity import SYSTEM
from hilum.model.members import MemberNote, StoredMember
from hilum.stores.packs import PackPool

FILES = 20_000
BYTES_A_FILE = 1_000  # 200,000 files, the most of an archive (archive_entries): 200 MB
SYNTAX, PACK_OF_FILES = "1.2.840.10008.1.2.1", 3_000


def _note(site, intake_id: str, number: int) -> MemberNote:
    uid = f"1.2.826.0.1.3680043.8.498.{number:039}"
    name = f"a folder/of a usual depth/with names/IM{number:06}.dcm"
    return MemberNote("admin", "uploads", site.clock(), intake_id, uid, transfer_syntax_uid=SYNTAX, file_name=name, batch="one")


def _peak_of(work) -> int:
    gc.freeze()  # what other tests left in this process: the more there is, the rarer a collection looks at what is made here
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def test_indexing_an_archive_makes_no_second_copy_of_it_in_memory(site):
    intake, pack = site.start(), str(uuid.uuid4())
    site.pack_index.open_pack("received", pack)
    members = [
        StoredMember(pack, 4096 * number, 512, bytes(32), f"{number}.dcm", _note(site, intake.id, number)) for number in range(FILES)
    ]
    assert _peak_of(lambda: site.intakes.index(members)) < FILES * 100
    assert site.intakes.counts(SYSTEM, intake.id)["received"] == FILES


def test_a_file_of_an_archive_costs_a_bounded_piece_of_memory_while_the_archive_passes(site, tmp_path):
    folder = tmp_path / "packs"
    folder.mkdir()
    kept: list[StoredMember] = []

    def pass_through() -> None:
        with pool.batch() as batch:
            for number in range(PACK_OF_FILES):
                with batch.add(_note(site, "intake", number)) as writer:
                    writer.write(b"x")
                    writer.commit()
            kept.extend(batch.commit())

    nothing = lambda *_: None  # noqa: E731
    with PackPool(folder, kind="received", index=nothing, on_opened=nothing, on_sealed=nothing) as pool:
        assert _peak_of(pass_through) < PACK_OF_FILES * BYTES_A_FILE
    assert len(kept) == PACK_OF_FILES
