"""Downloads of archives through pooch: IMDB reviews and GloVe vectors, both from Stanford."""

import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import pooch
import requests

from data.downloads import patience
from data.downloads.patience import DownloadError, explain, patiently, progress
from data.downloads.stored import read_record
from data.files import whole_file
from data.source import sha256

IMDB = "aclImdb_v1.tar.gz"
IMDB_HASH = "md5:7c2ac02c03563afcf9b574c7e56c153a"
IMDB_URLS = (
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    # the copy that PaddlePaddle uses, same hash
    "https://dataset.bj.bcebos.com/imdb%2FaclImdb_v1.tar.gz",
)
GLOVE = "glove.6B.zip"
GLOVE_HASH = "sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb"
GLOVE_URLS = (
    "https://nlp.stanford.edu/data/glove.6B.zip",
    "https://downloads.cs.stanford.edu/nlp/data/glove.6B.zip",
    "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.6B.zip",
)
LARGEST = 4 * 2**30  # bytes an archive may unpack to
LARGEST_RATIO = 100  # unpacked to packed; the real archives stay below 7
CHUNK = 2**14  # bytes; what is lost where a connection breaks
pooch.get_logger().setLevel("WARNING")  # the progress bar says the rest


class Resuming:
    """Downloader for pooch that goes on where the last attempt, or the last run, broke off."""

    def __init__(self, part):
        self.part = part

    def __call__(self, url, output_file, pooch):
        patiently(self.append, url)
        os.replace(self.part, output_file)

    def append(self, url: str) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {
            "Accept-Encoding": "identity"
        }  # the bytes of the file, so that they can be counted
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=patience.TIMEOUT) as response:
            if response.status_code == 416:  # nothing beyond what is here: the hash decides
                return
            response.raise_for_status()
            if "text/html" in response.headers.get("Content-Type", ""):
                raise DownloadError(
                    "an HTML page came instead of the archive",
                    "open the address in a browser to read it",
                )
            have = have if response.status_code == 206 else 0
            total = have + int(response.headers.get("Content-Length", 0))
            with (
                open(self.part, "ab" if have else "wb") as file,
                progress(
                    total=total, initial=have, unit="B", unit_scale=True, desc=self.part.stem
                ) as bar,
            ):
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))


def retrieve(name: str, urls: Iterable[str], known_hash: str, partial: Path) -> tuple[str, str]:
    """(path, address) of the archive ``name``, from the first address with the known hash."""
    troubles = []
    for url in urls:
        try:
            part = Resuming(partial / f"{name}.part")
            return pooch.retrieve(url, known_hash, fname=name, path=partial, downloader=part), url
        except (
            requests.RequestException,
            ValueError,
            DownloadError,
        ) as error:  # ValueError: the hash is wrong
            troubles.append(error if isinstance(error, DownloadError) else explain(error))
    raise DownloadError(
        " / ".join(dict.fromkeys(trouble.cause for trouble in troubles)), troubles[0].step
    )


def imdb(folder: Path, partial: Path) -> dict:
    """The archive of 50,000 labelled reviews, kept as it is after its members have been checked."""
    archive, url = retrieve(IMDB, IMDB_URLS, IMDB_HASH, partial)
    check_tar(archive)
    with whole_file(folder / IMDB) as temporary:
        os.replace(archive, temporary)
    return {"origin": url, "files": [folder / IMDB]}


def glove(folder: Path, partial: Path, dimensions: Iterable[int] = (100,)) -> dict:
    """Vectors of the ``dimensions`` asked for (50, 100, 200, 300). The archive with all of them is
    not kept.
    """
    archive, url = folder / GLOVE, "glove.6B.zip of your own"
    if not (archive.is_file() and f"sha256:{sha256(archive)}" == GLOVE_HASH):
        archive, url = retrieve(GLOVE, GLOVE_URLS, GLOVE_HASH, partial)
    files = [folder / f"glove.6B.{dimension}d.txt" for dimension in dimensions]
    with ExitStack() as all_or_none:
        for path in progress(files, desc="unpacking", unit="file"):
            unzip_member(archive, path.name, all_or_none.enter_context(whole_file(path)))
    known = read_record(folder, "glove") or {"files": {}}
    others = [
        folder / name
        for name in known["files"]
        if (folder / name).is_file() and folder / name not in files
    ]
    return {"origin": url, "files": files + others}


def check_members(path: str | Path, members: Iterable[tuple[str, int, bool]]) -> None:
    """Refuse an archive that could write elsewhere or grow without bound; ``members``: (name, size,
    is plain).
    """
    limit = min(LARGEST, LARGEST_RATIO * os.path.getsize(path) + 2**20)
    total = 0
    for name, size, is_plain in members:
        parts = PurePosixPath(name.replace("\\", "/"))
        total += size
        if parts.is_absolute() or ".." in parts.parts or ":" in name:
            raise refused(path, f"{name!r} leads out of the folder")
        if not is_plain:
            raise refused(path, f"{name!r} is a link or a device")
        if total > limit:
            raise refused(path, f"it would unpack to more than {limit:,} bytes")


def refused(path: str | Path, why: str) -> DownloadError:
    return DownloadError(
        f"the archive {os.path.basename(path)} is refused: {why}", "do not use this file; report it"
    )


def check_tar(path: str | Path) -> None:
    """Check the members of a tar archive without unpacking it."""
    try:
        with tarfile.open(path) as archive:
            check_members(
                path,
                (
                    (member.name, member.size, member.isreg() or member.isdir())
                    for member in archive
                ),
            )
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DownloadError(f"the archive {os.path.basename(path)} is damaged ({error})") from error


def unzip_member(path: str | Path, name: str, target: str | Path) -> None:
    """Write the one member ``name`` of a zip archive to ``target``, after all members have been
    checked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_members(
                path,
                (
                    (info.filename, info.file_size, info.external_attr >> 28 != 0o12)
                    for info in members
                ),
            )
            with archive.open(name) as packed, open(target, "wb") as file:
                shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, EOFError, KeyError) as error:
        raise DownloadError(f"the archive {os.path.basename(path)} is damaged ({error})") from error
