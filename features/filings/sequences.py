"""Step 3: sequences by the vocabulary, written once, read with ``load_sequences``."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from data.catalog import DATASETS
from data.checks import as_date
from data.files import whole_file
from data.source import ROOT, DataError, Source, check_in_use, rerun
from features.filings.common import (
    FOLDER,
    STOP,
    UNSEEN,
    gather,
    hash_of,
    lists,
    read,
    stream,
    tokens_of,
    write,
)
from features.filings.phrases import join, parts_of_phrases
from features.words import UNKNOWN

COMMAND = rerun("08_sec_preprocessing")  # makes the sequences anew


def encode(
    corpus: object,
    model: object,
    client: object,
    source: dict | None = None,
    progress: bool | None = None,
) -> dict:
    """Sequences of all filings, by the vocabulary of ``model``, and ``manifest.json``; returns the
    manifest.

    One row a section, in the order of the input file: COLUMNS, the counts of what was left out,
    ``sequence`` (ids, where 1 is an unknown word; empty for a section without a sentence) and
    ``sentences`` (the ids in each sentence).
    """
    folder = corpus.folder.parent / "sequences"
    folder.mkdir(parents=True, exist_ok=True)
    joined = [
        phrases[["between", "first", "second"]].to_numpy()
        for phrases in (model.bigrams, model.trigrams)
    ]
    work = partial(_encode_part, corpus=corpus.folder, folder=folder, name_of_model=model.name)
    tokens = [*model.words, *model.bigrams["phrase"], *model.trigrams["phrase"]]
    ids = _known_or_unknown(tokens, list(model.vocabulary["token"]))
    index = {word: position for position, word in enumerate(model.words)}
    runs = _runs(parts_of_phrases(model), len(model.words), ids)
    names = [part["file"] for part in corpus.parts]
    shared = index, joined, ids, runs
    results = list(stream(client, work, names, "sequences", progress, *shared))
    parts = [{**part, "sequences": name} for part, (name, _) in zip(corpus.parts, results)]
    settings = {**asdict(corpus.settings), "training_end": model.training_end}
    manifest = {
        "settings": settings,
        "source": source,
        "vocabulary": list(model.vocabulary["token"]),
        "parts": parts,
    }
    with whole_file(folder.parent / "manifest.json", shared=True) as temporary:
        temporary.write_text(json.dumps(manifest), encoding="utf-8")
    return {**manifest, "written": sum(new for _, new in results)}


def _known_or_unknown(tokens, vocabulary):
    """The id of each of ``tokens``, and UNKNOWN at the end, where UNSEEN points."""
    index = {token: position for position, token in enumerate(vocabulary) if position > UNKNOWN}
    return np.array([*(index.get(token, UNKNOWN) for token in tokens), UNKNOWN], dtype="int32")


def _runs(parts, words, ids):
    """What each token is read as, as (values, sizes): itself, but a phrase that is not in the
    vocabulary as its parts, whose ids may be known. STOP and UNSEEN stand at the end.
    """
    runs = [[word] for word in range(words)]
    for number, of_phrase in enumerate(parts, start=words):
        if ids[number] == UNKNOWN:
            runs.append([token for part in of_phrase for token in runs[part]])
        else:
            runs.append([number])
    runs += [[STOP], [UNSEEN]]
    return np.concatenate(runs).astype("int32"), np.array([len(run) for run in runs])


def _encode_part(name, index, joined, ids, runs, corpus, folder, name_of_model):
    path = folder / f"{hash_of([name, name_of_model])}.arrow"
    if path.exists():
        return path.name, False
    table = read(corpus / name)
    tokens, _ = join(*tokens_of(table), index, joined)
    values, sizes = runs
    first, sizes = (np.cumsum(sizes) - sizes)[tokens], sizes[tokens]
    tokens = gather(values, first, sizes)
    stops = np.flatnonzero(tokens == STOP)
    lengths = (np.diff(stops, prepend=-1) - 1).astype("int32")
    sentences_of_row = table["lengths"].combine_chunks().value_lengths().to_numpy()
    ends = np.append(0, np.cumsum(lengths))[np.append(0, np.cumsum(sentences_of_row))]
    tokens_of_row = np.diff(ends)
    tokens = tokens[tokens != STOP]
    table = table.drop_columns(["tokens", "lengths"])
    table = table.append_column("sequence", lists(ids[tokens], tokens_of_row))
    table = table.append_column("sentences", lists(lengths, sentences_of_row))
    write(table.replace_schema_metadata(None), path)
    return path.name, True


def read_manifest(folder: str | Path = FOLDER) -> dict:
    """What ``encode`` wrote last. Raises DataError where it is absent."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise DataError(f"{path} is not there: notebook 08 writes it, run: {COMMAND}")
    return json.loads(path.read_text(encoding="utf-8"))


def load_sequences(
    training_end: str | pd.Timestamp | None,
    folder: str | Path = FOLDER,
    columns: list[str] | None = None,
) -> pd.DataFrame:
    """All rows that ``encode`` wrote, sorted by date_filed and ticker, as a DataFrame.

    ``attrs`` holds "vocabulary" (list of tokens), "settings" and "source" (a Source). Raises
    DataError where a file is absent, or where the sequences come from other filings than those in
    use now, or phrases and vocabulary from a training period that does not end on the date
    ``training_end``; None takes any.
    """
    manifest = read_manifest(folder)
    source, fitted = Source(manifest["source"]), manifest["settings"]["training_end"]
    dataset = DATASETS["filings"]
    check_in_use(source, dataset.files, f"{folder}/manifest.json", COMMAND, ROOT / dataset.carrier)
    if training_end is not None and as_date(fitted) != as_date(training_end):
        raise DataError(
            f"{folder}/manifest.json holds a vocabulary of the filings before {fitted}, but "
            f"{training_end} is asked for; "
            f"set TRAINING_END in notebook 08, then: {COMMAND}"
        )
    paths = [Path(folder) / "sequences" / part["sequences"] for part in manifest["parts"]]
    try:
        frame = pa.concat_tables([read(path, columns) for path in paths]).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"a part of the sequences is absent or damaged ({error}), run: {COMMAND}"
        ) from error
    frame = frame.sort_values(["date_filed", "ticker", "row"], ignore_index=True)
    frame.attrs = {
        "vocabulary": manifest["vocabulary"],
        "settings": manifest["settings"],
        "source": source,
    }
    return frame
