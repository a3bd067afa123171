"""Files of published weights: finds them in a folder of the workspace, or downloads them into it."""

import json
import logging
import re
import subprocess
import threading
from pathlib import Path
from typing import Final

from app import children
from app.failures import BadQuery, Busy, NotFound, TooLarge
from app.settings import Settings
from models.card import file_sha256
from models.foreign.published_names import LibraryWeights

FOLDER: Final = "weights"
SECONDS: Final = 1800.0  # how long a download may take
SAFE: Final = re.compile(r"[\w.-]{1,200}")

log = logging.getLogger(__name__)


class LibraryFiles:
    """Finds the file of published weights, or downloads it; there is one download at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.workspace / FOLDER
        self._fetching = threading.Lock()

    def file(self, told: LibraryWeights) -> Path:
        """The file of these weights, which is downloaded where it is not there.

        Raises NotFound where it cannot be downloaded, BadQuery where the folder has another file of this name,
        TooLarge, and Busy while another file is being downloaded.
        """
        if not SAFE.fullmatch(told.file):
            raise BadQuery("unknown_weights", "The library names a file that cannot be one.")
        file = self._folder / told.file
        if not file.is_file():
            self._fetch(told, file)
        elif told.digest and not file_sha256(file).startswith(told.digest):
            message = f"`{told.file}` in the workspace's folder `{FOLDER}` is not the file that {told.name} means: "
            message += f"its SHA-256 should begin with {told.digest}. Remove it and try again."
            raise BadQuery("not_the_weights", message, {"file": told.file, "digest": told.digest})
        return file

    def address(self, told: LibraryWeights) -> str:
        """The address that the file is downloaded from: the library's own, or that of the mirror in the settings."""
        mirror = self._settings.weights_mirror
        return f"{mirror.rstrip('/')}/{told.file}" if mirror else told.url

    def _fetch(self, told: LibraryWeights, file: Path) -> None:
        if not self._fetching.acquire(blocking=False):
            raise Busy("fetching", "Other weights are being fetched; try again when they are here.", retry_after=20)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            failure = _fetched(self.address(told), file, self._settings.checkpoint_bytes)
            if failure is None and not file_sha256(file).startswith(told.digest):
                file.unlink()
                failure = "not_fetched", f"The server sent a file whose SHA-256 does not begin with {told.digest}."
        finally:
            self._fetching.release()
        if failure is None:
            log.info("fetched %s", told.name)
            return
        code, reason = failure
        if code == "file_too_large":
            raise TooLarge(code, f"{told.name}: {reason}")
        raise NotFound(code, self._by_hand(told, reason), {"file": told.file, "folder": FOLDER, "url": told.url})

    def _by_hand(self, told: LibraryWeights, reason: str) -> str:
        return (
            f"{told.name} could not be fetched. {reason} To place it by hand: get {told.url} on another machine, "
            f"save it as `{told.file}` in the workspace's folder `{FOLDER}`, and ask for the same name again."
        )


def _fetched(url: str, file: Path, limit: int) -> tuple[str, str] | None:
    """Download in a process of its own; returns the code and message of a failure, None where there was none."""
    try:
        ran = children.run("-m", "app.inspector.fetching", url, str(file), str(limit), timeout=SECONDS)
        said = json.loads(ran.stdout)
    except subprocess.TimeoutExpired:
        file.with_name(f".{file.name}.part").unlink(missing_ok=True)
        return "not_fetched", f"It took longer than {SECONDS / 60:.0f} minutes."
    except ValueError:
        log.error("a download ended with %d: %s", ran.returncode, ran.stderr[-500:].decode("utf-8", "replace"))
        return "not_fetched", "The process that fetches it was lost."
    failure = said.get("failure")
    return None if failure is None else (failure["code"], failure["message"])
