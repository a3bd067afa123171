"""What a network was trained on is known by gallery and by image, and says when it is not known."""

from io import BytesIO

import numpy as np

from app.services.galleries.seen import Seen
from tests.conftest import Server
from tests.making import photo


def test_the_training_gallery_was_seen_but_for_what_was_held_out(server: Server) -> None:
    workspace, services = server.workspace, server.services
    checkpoint = services.checkpoints.open(workspace.checkpoint)
    seen = services.seen.find(checkpoint.record, services.galleries.pack(workspace.gallery))
    provenance = checkpoint.card.provenance
    assert len(seen.rows) == workspace.rows
    assert workspace.rows - seen.count == provenance["images_held_out"] + provenance["images_too_small"] > 0


def test_an_image_from_elsewhere_is_matched_by_its_file_or_by_its_looks(server: Server) -> None:
    workspace, services = server.workspace, server.services
    record, pack = services.checkpoints.get(workspace.checkpoint), services.galleries.pack(workspace.gallery)
    flags = services.seen.find(record, pack).rows
    for row in (int(np.flatnonzero(flags)[0]), int(np.flatnonzero(~flags)[0])):
        assert services.seen.image(record, pack.jpeg(row)) == flags[row]
        assert services.seen.image(record, pack.jpeg(row), sha256=pack.sha256s()[row]) == flags[row]
    sink = BytesIO()
    photo(999).save(sink, "JPEG")
    assert services.seen.image(record, sink.getvalue()) is False


def test_unseen_rows_are_chosen_only_where_there_is_a_choice() -> None:
    some = Seen(np.array([True, False, True]))
    assert some.count == 2 and some.share == 2 / 3 and 0 in some and 1 not in some and 7 not in some
    chosen = some.unseen()
    assert chosen is not None and chosen.tolist() == [False, True, False]
    assert some.unseen("all") is None
    assert some.first(1).unseen() is None  # every row was seen: all are shown
    assert Seen(np.zeros(3, dtype=bool)).unseen() is None and Seen(np.zeros(3, dtype=bool)).share == 0


def test_what_is_not_recorded_is_not_said() -> None:
    unknown = Seen()
    assert unknown.share is None and unknown.unseen() is None and 0 not in unknown
