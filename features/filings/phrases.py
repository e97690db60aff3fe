"""Step 2: phrases and vocabulary, from the filings before a date only."""

import json
from collections import Counter
from dataclasses import astuple
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from gensim.models.phrases import npmi_scorer

from data.files import whole_file
from features.filings.common import NUMBER, Model, hash_of, known, stream, words_of_part

MOST_PAIRS = 20_000_000  # word pairs counted at once; beyond, the rarest are forgotten


def fit(corpus, training_end, client, progress=None):
    """Phrases of two and three words, and the vocabulary, of the filings before ``training_end``;
    returns a Model.

    Pairs of adjacent words are counted, scored by gensim's NPMI (Bouma 2009) and joined where they
    pass; then a second time, which joins a phrase and a word. Raises ValueError where no filing is
    before the date.
    """
    end = pd.Timestamp(training_end)
    settings, names = corpus.settings, [part["file"] for part in corpus.parts]
    path = (
        corpus.folder.parent
        / f"model-{hash_of([*astuple(settings), end.isoformat(), *names])}.json"
    )
    if path.exists():
        return _read_model(path)

    def each(function, *shared):
        work = partial(function, folder=corpus.folder, end=end.to_datetime64())
        return stream(
            client, work, names, function.__name__[1:].replace("_", " "), progress, *shared
        )

    counts = Counter()
    for found in each(_count_words):
        counts.update(found)
    if not counts:
        raise ValueError(
            f"no words in filings before {end:%Y-%m-%d}: the training period is empty; needs "
            "filings before it, so choose a later TRAINING_END"
        )
    least = min(settings.min_count, 5)  # a phrase cannot be more frequent than its words
    words = sorted(
        (word for word, count in counts.items() if count >= least),
        key=lambda word: (-counts[word], word),
    )
    index = {word: position for position, word in enumerate(words)}
    bigrams = _phrases(_total(each(_count_pairs, index, [])), words, settings)
    tokens, joined = [*words, *bigrams["phrase"]], [bigrams[["first", "second"]].to_numpy()]
    trigrams = _phrases(_total(each(_count_pairs, index, joined)), tokens, settings, len(words))
    tokens, joined = (
        [*tokens, *trigrams["phrase"]],
        [*joined, trigrams[["first", "second"]].to_numpy()],
    )
    size = sum(each(_count_tokens, index, joined))
    order = np.lexsort((tokens, -size))[: settings.vocabulary - 2]
    order = order[size[order] > 0]
    rows = [("[pad]", 0), ("[unknown]", 0), *((tokens[place], int(size[place])) for place in order)]
    model = Model(
        f"{end:%Y-%m-%d}", words, bigrams, trigrams, pd.DataFrame(rows, columns=["token", "count"])
    )
    _write_model(model, path)
    return model


def _training(name, folder, end):
    """Words and tokens of the filings of a part before ``end``: (words, tokens, sentence of each
    token).
    """
    table = pq.read_table(folder / name, columns=["date_filed", "tokens", "lengths"])
    table = table.filter(pa.array(table["date_filed"].to_numpy() < end))
    tokens, lengths = (
        table[column].combine_chunks().flatten().to_numpy() for column in ("tokens", "lengths")
    )
    return words_of_part(folder / name), tokens, np.repeat(np.arange(len(lengths)), lengths)


def _count_words(name, folder, end):
    words, tokens, _ = _training(name, folder, end)
    counts = np.bincount(tokens, minlength=len(words))
    return {words[place]: int(counts[place]) for place in np.flatnonzero(counts)}


def _count_pairs(name, index, joined, folder, end):
    """Keys and counts of pairs of adjacent tokens, the counts of the tokens, and how many there are
    in all.
    """
    part_words, tokens, sentence = _training(name, folder, end)
    tokens, sentence, size = join(known(index, part_words)[tokens], sentence, len(index), joined)
    pair = (sentence[1:] == sentence[:-1]) & (tokens[1:] >= 0) & (tokens[:-1] >= 0)
    keys, counts = np.unique(
        tokens[:-1][pair].astype("int64") * size + tokens[1:][pair], return_counts=True
    )
    return keys, counts, np.bincount(tokens[tokens >= 0], minlength=size), len(tokens)


def _count_tokens(name, index, joined, folder, end):
    part_words, tokens, sentence = _training(name, folder, end)
    tokens, _, size = join(known(index, part_words)[tokens], sentence, len(index), joined)
    return np.bincount(tokens[tokens >= 0], minlength=size)


def join(tokens, sentence, size, joined):
    """Join adjacent pairs, from left to right, as gensim does; ``joined`` holds arrays (pairs, 2),
    one a round.

    Returns (tokens, sentence, size): the first pair of a round gets the first free id.
    """
    for pairs in joined:
        opens, closes = np.zeros((2, size + 1), dtype=bool)  # UNSEEN points at the last
        opens[pairs[:, 0]], closes[pairs[:, 1]] = True, True
        keys = pairs[:, 0].astype("int64") * size + pairs[:, 1]
        order = np.argsort(keys)
        maybe = np.flatnonzero(
            opens[tokens[:-1]] & closes[tokens[1:]] & (sentence[1:] == sentence[:-1])
        )
        if len(keys) and len(maybe):
            found = tokens[maybe].astype("int64") * size + tokens[maybe + 1]
            place = np.searchsorted(keys[order], found).clip(max=len(keys) - 1)
            hit = keys[order][place] == found
            at, place = maybe[hit], place[hit]
            run = np.flatnonzero(
                np.diff(at, prepend=-2) > 1
            )  # the first of each run of adjacent hits
            within = at - np.repeat(at[run], np.diff(np.r_[run, len(at)]))
            first = within % 2 == 0  # a token is part of one phrase only
            tokens = tokens.copy()
            tokens[at[first]] = size + order[place[first]]
            tokens, sentence = np.delete(tokens, at[first] + 1), np.delete(sentence, at[first] + 1)
        size += len(keys)
    return tokens, sentence, size


def _total(results):
    """Sums of what ``_count_pairs`` returns for the parts; merged when as much is waiting as is
    there already.
    """
    keys, counts = np.array([], dtype="int64"), np.array([], dtype="int64")
    waiting, size, total = [], 0, 0
    for part_keys, part_counts, part_size, part_total in results:
        waiting.append((part_keys, part_counts))
        size, total = size + part_size, total + part_total
        if sum(len(part) for part, _ in waiting) > len(keys):
            keys, counts = _add_up([(keys, counts), *waiting])
            waiting = []
    keys, counts = _add_up([(keys, counts), *waiting])
    return keys, counts, size, total


def _add_up(parts):
    keys, place = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)
    counts = np.concatenate([counts for _, counts in parts])
    counts = np.bincount(place, weights=counts, minlength=len(keys)).astype("int64")
    rarest = 1
    while len(keys) > MOST_PAIRS:
        keys, counts = keys[counts > rarest], counts[counts > rarest]
        rarest += 1
    return keys, counts


def _phrases(counted, tokens, settings, words=None):
    """The pairs that pass, as a DataFrame, by count; where ``words`` is given, one of the two must
    be a single word.
    """
    keys, counts, size, total = counted
    keep = counts >= settings.min_count
    keys, counts = keys[keep], counts[keep]
    first, second = keys // len(tokens), keys % len(tokens)
    if words is not None:
        keep = (first < words) != (second < words)
        first, second, counts = first[keep], second[keep], counts[keep]
    options = {"len_vocab": 0, "min_count": settings.min_count, "corpus_word_count": total}
    scores = [
        npmi_scorer(size[a], size[b], count, **options)
        for a, b, count in zip(first, second, counts)
    ]
    names = [f"{tokens[a]}_{tokens[b]}" for a, b in zip(first, second)]
    keep = np.array([NUMBER not in name for name in names], dtype=bool)  # no phrase holds a number
    frame = pd.DataFrame(
        {"phrase": names, "first": first, "second": second, "count": counts, "score": scores}
    )
    frame["score"] = frame["score"].astype(float)
    frame = frame[keep & (frame["score"] > settings.threshold)]
    return frame.sort_values(["count", "phrase"], ascending=[False, True], ignore_index=True)


def _write_model(model, path):
    frames = {
        name: getattr(model, name).to_dict("list") for name in ("bigrams", "trigrams", "vocabulary")
    }
    content = json.dumps({"training_end": model.training_end, "words": model.words, **frames})
    with whole_file(path, shared=True) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _read_model(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    frames = [pd.DataFrame(content[name]) for name in ("bigrams", "trigrams", "vocabulary")]
    return Model(content["training_end"], content["words"], *frames)
