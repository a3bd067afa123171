"""From listed items to stored images, in order, decoded ahead by threads (Pillow lets go of the interpreter lock)."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from models.cores import usable_cores
from models.galleries.budget import DecodeBudget, NoTurn
from models.galleries.images import BadImage, StoredImage, store_image
from models.galleries.packs import PackRow
from models.galleries.places import Unreadable
from models.galleries.sources import ImageSource, Item, LoadedImage, Skipped

AHEAD: Final = 8  # images in flight a thread: what memory is bounded by


def stored(
    source: ImageSource, items: Iterable[Item], *, threads: int | None = None, budget: DecodeBudget | None = None
) -> Generator[tuple[Item, StoredImage | Skipped], None, None]:
    """Each item with its stored image, or with why there is none; the order is that of the items.

    Closing the iterator ends its threads. A `budget` bounds the memory of what is decoded at the same time; an image
    whose turn does not come is skipped.
    """
    # One thread more than cores: it fills the gaps in which another one holds the interpreter lock.
    count = threads or usable_cores() + 1
    pending: deque[Future[tuple[Item, StoredImage | Skipped]]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="intake")
    try:
        for item in items:
            pending.append(pool.submit(_store, source, item, budget))
            if len(pending) >= AHEAD * count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _store(source: ImageSource, item: Item, budget: DecodeBudget | None) -> tuple[Item, StoredImage | Skipped]:
    try:
        found = source.load(item)
        if isinstance(found, LoadedImage):
            return found.completed(item), store_image(found.data, budget)
        return item, store_image(found, budget)
    except Unreadable as error:
        return item, Skipped(item.path, error.reason, error.message)
    except NoTurn:
        return item, Skipped(item.path, "busy", "Other images took all the memory for decoding.")
    except BadImage as error:
        return item, Skipped(item.path, error.code, str(error))


def pack_row(item: Item, image: StoredImage) -> PackRow:
    """What a pack keeps about an image, from its listing and its decoding."""
    return PackRow(
        path=item.path,
        label=item.label,
        split=item.split,
        counts=item.counts,
        source=item.source,
        width=image.width,
        height=image.height,
        jpeg_width=image.jpeg_width,
        jpeg_height=image.jpeg_height,
        sha256=image.sha256,
        scene=item.scene,
        truth=item.truth,
    )
