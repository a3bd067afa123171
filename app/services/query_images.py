"""The service for query images: uploads are encoded anew and kept for a while, so that pages can refer to them."""

import contextlib
import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path

from app.failures import BadQuery, Busy, DomainError, NotFound, TooLarge, WrongType
from app.settings import Settings
from models import atomic
from models.galleries.budget import DecodeBudget, NoTurn
from models.galleries.images import BadImage, StoredImage, open_image, store_image

KEPT = 500
KEPT_SECONDS = 30 * 24 * 3600.0
MAX_BYTES = 20 * 1024 * 1024
NAME = re.compile(r"[0-9a-f]{64}")
FOLDER = "uploads"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueryImage:
    """A query image, encoded as a gallery would store it; `warnings` say what was unusual about the file."""

    jpeg: bytes
    width: int
    height: int
    warnings: tuple[str, ...] = ()


class UploadsService:
    """Keeps uploaded images by the SHA-256 of the uploaded bytes; at most 500 of them, for at most 30 days."""

    def __init__(self, settings: Settings, budget: DecodeBudget) -> None:
        self._folder = settings.workspace / FOLDER
        self._budget = budget

    def read(self, data: bytes) -> QueryImage:
        """An uploaded file, encoded as a gallery would store it; nothing is kept.

        Raises TooLarge, WrongType for a format that is not read, BadQuery for a file that is damaged, and Busy while
        other images take all the memory for decoding.
        """
        image = self._store(data)
        return QueryImage(image.jpeg, image.jpeg_width, image.jpeg_height, image.warnings)

    def add(self, data: bytes) -> str:
        """Keep an uploaded file and return its name (64 hexadecimal digits); the same file has the same name.

        Raises what `read` raises.
        """
        image = self._store(data)
        path = self._path(image.sha256)
        if path.exists():
            path.touch()
        else:
            atomic.write_bytes(path, image.jpeg)
            log.info("kept the upload %s", image.sha256[:12])
        self._forget(keep=path)
        return image.sha256

    def jpeg(self, name: str) -> bytes:
        """The stored JPEG. Raises NotFound."""
        try:
            return self._path(name).read_bytes()
        except OSError:
            raise NotFound("unknown_upload", "This upload is not kept (any more); upload the image again.") from None

    def open(self, name: str) -> QueryImage:
        """The stored image with its size. Raises NotFound."""
        jpeg = self.jpeg(name)
        opened = open_image(jpeg)
        return QueryImage(jpeg, opened.width, opened.height)

    def _store(self, data: bytes) -> StoredImage:
        if len(data) > MAX_BYTES:
            raise TooLarge("file_too_large", f"An image may have at most {MAX_BYTES // 1024**2} MB.")
        try:
            return store_image(data, self._budget)
        except NoTurn:
            raise Busy("decoding_busy", "Many large images are being decoded; try again in a few seconds.") from None
        except BadImage as error:
            raise _refusal(error) from error

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise NotFound("unknown_upload", "An upload is named by 64 hexadecimal digits.")
        return self._folder / f"{name}.jpg"

    def _forget(self, *, keep: Path) -> None:
        """Remove the oldest uploads beyond the limits; another request may remove the same file at the same time."""
        found: list[tuple[float, Path]] = []
        for path in self._folder.glob("*.jpg"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime, path))
        found.sort(reverse=True)
        oldest = time.time() - KEPT_SECONDS
        for place, (modified, path) in enumerate(found):
            if path != keep and (place >= KEPT or modified < oldest):
                path.unlink(missing_ok=True)


def _refusal(error: BadImage) -> DomainError:
    match error.code:
        case "unsupported_format":
            return WrongType(error.code, str(error))
        case "too_many_pixels":
            return TooLarge(error.code, str(error))
        case _:
            return BadQuery(error.code, str(error))
