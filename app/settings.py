"""The settings of an operator, from the environment (`TESSERA_*`), the file `.env` or the command line."""

import contextlib
import ipaddress
import os
import socket
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PART_SAFE = "@:!$&'()*+,;=~"  # in a part of a path, besides letters, digits and -._
URL_SAFE = "/?&=:,%~+-._!$'()*;@#"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def _own_folders() -> tuple[Path, ...]:
    """The home folder and the current one; none of them where it is the whole disk, as in containers, or not known."""
    folders = [Path.cwd()]
    with contextlib.suppress(RuntimeError):  # a user without a home
        folders.insert(0, Path.home())
    return tuple(folder for folder in folders if folder != Path(folder.anchor))


class Settings(BaseSettings):
    """All settings of a process; the environment is read once, and services are given this value."""

    model_config = SettingsConfigDict(env_prefix="TESSERA_", env_file=".env", extra="ignore", frozen=True)

    workspace: Path = Field(Path("workspace"), description="folder that holds everything: database, packs, scans, jobs")
    host: str = Field("127.0.0.1", description="address to listen on; beyond loopback a token is required")
    port: int = Field(8642, ge=1, le=65535, description="port to listen on; the next free one where it is taken")
    roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default_factory=_own_folders,
        description="folders that may be imported from, `:`-separated",
    )
    token: str | None = Field(None, repr=False, description="secret that every request must carry")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="further host names that this server answers to, comma-separated"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N, for jobs and for the predictor")
    checkpoint_mb: int = Field(2048, ge=1, le=1 << 20, description="megabytes that a foreign file of weights may have")
    decode_mb: int = Field(512, ge=64, le=1 << 20, description="megabytes for all images decoded at the same time")
    weights_mirror: str | None = Field(
        None, description="address of a folder from which published weights are fetched instead of the library's own"
    )
    open_browser: bool = Field(False, description="open a browser on start")
    base_path: str = Field("", description="prefix of every address, for a reverse proxy, such as /tessera")
    database_url: str | None = Field(None, repr=False, description="SQLAlchemy URL; default: SQLite in the workspace")

    @field_validator("roots", mode="before")
    @classmethod
    def _split_roots(cls, value: object) -> object:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("roots")
    @classmethod
    def _resolve_roots(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(path.expanduser().resolve() for path in value))

    @field_validator("workspace")
    @classmethod
    def _resolve_workspace(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("token")
    @classmethod
    def _empty_token_is_none(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @field_validator("base_path")
    @classmethod
    def _tidy_base_path(cls, value: str) -> str:
        parts = [part for part in value.strip().split("/") if part]
        encoded = (part if "%" in part else quote(part, safe=PART_SAFE) for part in parts)  # as the proxy spells it
        return "".join(f"/{part}" for part in encoded)

    @property
    def checkpoint_bytes(self) -> int:
        """The most bytes a foreign file of weights may have."""
        return self.checkpoint_mb << 20

    def url(self, path: str) -> str:
        """The address of a path such as "/api/galleries/birds" for clients: with the base path, percent-encoded."""
        return f"{self.base_path}{quote(path, safe=URL_SAFE)}"

    @property
    def beyond_loopback(self) -> bool:
        """Whether other machines can reach the server."""
        return not is_loopback(self.host)

    @property
    def host_names(self) -> frozenset[str]:
        """The names that a request's Host header may have, in lower case, without port or brackets."""
        names = set(LOOPBACK_NAMES) | {name.lower().strip("[]") for name in self.allowed_hosts}
        if self.beyond_loopback:
            names |= {self.host.lower().strip("[]"), socket.gethostname().lower(), socket.getfqdn().lower()}
        return frozenset(names)


def is_loopback(host: str) -> bool:
    """Whether `host` can be reached only from this machine; False for names that are not known."""
    name = host.lower().strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
