"""Step 2: phrases and vocabulary, from the filings before a date only."""

import json
from dataclasses import astuple
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from data.checks import as_date
from data.files import whole_file
from features.filings.cleaning import NUMBER
from features.filings.common import (
    STOP,
    UNSEEN,
    Model,
    hash_of,
    known,
    read,
    stream,
    tokens_of,
)

# gensim's: may stand inside a phrase only
CONNECTORS = "a an and at by for from in of on or the to with without".split()
MOST_BETWEEN = 4  # connector words between two others; beyond, they are no phrase
BASE = 16  # of the number that a run of connector words is written as, the first one last
SIEVE = 2**20  # remainders of keys, by which most are known to be no phrase
MOST_PAIRS = 20_000_000  # word pairs counted at once; beyond, the rarest are forgotten


def fit(
    corpus: object, training_end: str | pd.Timestamp, client: object, progress: bool | None = None
) -> Model:
    """Phrases of two and three words, and the vocabulary, of the filings before ``training_end``;
    returns a Model.

    Pairs of words, adjacent or with connector words between them, are counted, scored by gensim's
    NPMI (Bouma 2009) and joined where they pass; then a second time, which joins phrases too. The
    result is that of gensim's Phrases, applied twice, at several times its speed
    (``tools.bench_filings``) and in bounded memory. Raises ValueError where no filing is before the
    date.
    """
    end = as_date(training_end)
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

    words, counts = _sum_of_words(each(_count_words))
    if not len(words):
        raise ValueError(
            f"no words in filings before {end:%Y-%m-%d}: the training period is empty; needs "
            "filings before it, so choose a later TRAINING_END"
        )
    least = min(settings.min_count, 5)  # a phrase cannot be more frequent than its words
    words = words[counts >= least].tolist()
    index = {word: position for position, word in enumerate(words)}
    tokens, joined = list(words), []
    rounds = []
    for _ in range(2):
        found = _phrases(_sum_of_pairs(each(_count_pairs, index, joined)), tokens, settings)
        rounds.append(found)
        tokens += list(found["phrase"])
        joined = [*joined, found[["between", "first", "second"]].to_numpy()]
    size = pd.Series(sum(each(_count_tokens, index, joined)), tokens)
    size = size.groupby(level=0).sum()  # a phrase may come about in two ways
    size = size[size > 0]
    order = np.lexsort((size.index, -size))[: settings.vocabulary - 2]
    entries = size.iloc[order]
    rows = [("[pad]", 0), ("[unknown]", 0), *zip(entries.index, entries.tolist())]
    model = Model(f"{end:%Y-%m-%d}", words, *rounds, pd.DataFrame(rows, columns=["token", "count"]))
    _write_model(model, path)
    return model


def _training(name, folder, end):
    return tokens_of(read(folder / name), end)


def _count_words(name, folder, end):
    words, tokens, _ = _training(name, folder, end)
    counts = np.bincount(tokens, minlength=len(words))
    return pa.table({"word": words, "count": counts}).filter(pa.array(counts > 0))


def _sum_of_words(parts):
    """The words of all ``parts`` and their counts, the most frequent first, as arrays."""
    nothing = pa.table({"word": pa.array([], "string"), "count": pa.array([], "int64")})
    total = _merged(parts, nothing, _add_words, len)
    words, counts = total["word"].to_numpy(), total["count"].to_numpy()
    order = np.lexsort((words, -counts))
    return words[order], counts[order]


def _merged(parts, total, add_up, size):
    """``total`` and all ``parts`` as ``add_up`` makes one of several; when as much is waiting as is
    there already, by ``size``.
    """
    waiting = []
    for part in parts:
        waiting.append(part)
        if sum(map(size, waiting)) > size(total):
            total, waiting = add_up([total, *waiting]), []
    return add_up([total, *waiting])


def _add_words(tables):
    table = pa.concat_tables(tables).combine_chunks()  # a copy, aligned as Arrow's sums need it
    total = table.group_by("word", use_threads=False).aggregate([("count", "sum")])
    return pa.table({"word": total["word"], "count": total["count_sum"]})


def _count_pairs(name, index, joined, folder, end):
    """Keys and counts of pairs of tokens, the counts of the tokens, and how many there are in
    all.
    """
    tokens, size = join(*_training(name, folder, end), index, joined)
    plain = np.ones(size + 2, dtype=bool)
    plain[[index.get(NUMBER, UNSEEN), UNSEEN, STOP]] = False  # are in no phrase
    *_, keys = _pairs(tokens, index, plain, plain)
    keys, counts = np.unique(keys, return_counts=True)
    in_all = np.count_nonzero(tokens != STOP)
    return keys, counts.astype("int32"), np.bincount(tokens[tokens >= 0], minlength=size), in_all


def _pairs(tokens, index, opens, closes):
    """What could be a phrase: arrays of its number among the pairs of a part, of the positions of
    its first and last token, and of its key, by which it is told from other pairs. ``opens`` and
    ``closes`` say of each token whether it may be first and last.
    """
    size = len(opens) - 2  # UNSEEN and STOP point at the last two
    connector = np.zeros(len(opens), dtype="int8")
    for number, word in enumerate(CONNECTORS, start=1):
        if word in index:
            connector[index[word]] = number
    places = np.flatnonzero(connector[tokens] == 0)
    of_place = tokens[places]
    number = np.flatnonzero(opens[of_place[:-1]] & closes[of_place[1:]])
    first, last = places[number], places[number + 1]
    near = last - first <= MOST_BETWEEN + 1
    if not near.all():
        number, first, last = number[near], first[near], last[near]
    keys = tokens[first].astype("int64") * size + tokens[last]
    wide = np.flatnonzero(last - first > 1)
    for step in range(MOST_BETWEEN):
        wide = wide[last[wide] - first[wide] > step + 1]
        word = connector[tokens[first[wide] + 1 + step]].astype("int64")
        keys[wide] += BASE**step * word * size**2
    return number, first, last, keys


def _count_tokens(name, index, joined, folder, end):
    tokens, size = join(*_training(name, folder, end), index, joined)
    return np.bincount(tokens[tokens >= 0], minlength=size)


def join(
    part_words: list[str],
    tokens: np.ndarray,
    lengths: np.ndarray,
    index: dict[str, int],
    joined: list[np.ndarray],
) -> tuple[np.ndarray, int]:
    """The tokens of a part (``tokens_of``) by their place in ``index``, and pairs of them joined,
    from left to right, as gensim does; ``joined`` holds arrays (phrases, 3) of between, first,
    second, one a round.

    Returns (tokens, size): STOP stands behind each sentence, and the first phrase of a round gets
    the first free id.
    """
    tokens = np.insert(known(index, part_words)[tokens], np.cumsum(lengths), STOP)
    size = len(index)
    for phrases in joined:
        between, one, other = phrases.T
        opens, closes = np.zeros((2, size + 2), dtype=bool)
        opens[one], closes[other] = True, True
        number, first, last, found = _pairs(tokens, index, opens, closes)
        keys = (between * size + one) * size + other  # fits 64 bits up to ten million tokens
        order = np.argsort(keys)
        likely = np.zeros(SIEVE, dtype=bool)  # leaves out most pairs before they are searched for
        likely[keys % SIEVE] = True
        sieved = np.flatnonzero(likely[found % SIEVE])
        if len(sieved):
            found = found[sieved]
            place = np.searchsorted(keys[order], found).clip(max=len(keys) - 1)
            hit = keys[order][place] == found
            place, sieved = place[hit], sieved[hit]
            number, first, last = number[sieved], first[sieved], last[sieved]
            run = np.flatnonzero(np.diff(number, prepend=-2) > 1)  # the first of adjacent hits
            within = number - np.repeat(number[run], np.diff(np.r_[run, len(number)]))
            even = within % 2 == 0  # a token is part of one phrase only
            first, last = first[even], last[even]
            tokens[first] = size + order[place[even]]
            keep = np.ones(len(tokens), dtype=bool)
            for step in range(1, MOST_BETWEEN + 2):
                keep[first[first + step <= last] + step] = False
            tokens = tokens[keep]
        size += len(keys)
    return tokens, size


def _sum_of_pairs(parts):
    """What ``_count_pairs`` returns for the ``parts``, added up."""
    nothing = np.array([], dtype="int64")
    return _merged(parts, (nothing, nothing, 0, 0), _add_pairs, lambda part: len(part[0]))


def _add_pairs(parts):
    keys, counts, sizes, totals = zip(*parts)
    keys, counts = np.concatenate(keys), np.concatenate(counts)
    order = np.argsort(keys, kind="stable")  # merges: the keys of each part are in order
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))  # no key is negative
    if len(first):
        keys, counts = keys[first], np.add.reduceat(counts[order], first, dtype="int64")
    rarest = 1
    while len(keys) > MOST_PAIRS:
        keys, counts = keys[counts > rarest], counts[counts > rarest]
        rarest += 1
    return keys, counts, sum(sizes), sum(totals)


def _phrases(counted, tokens, settings):
    """The pairs that pass, as a DataFrame, by count."""
    from gensim.models.phrases import npmi_scorer  # here only: its import takes workers seconds

    keys, counts, size, total = counted
    keep = counts >= settings.min_count
    keys, counts = keys[keep], counts[keep]
    rest, second = np.divmod(keys, len(tokens))
    between, first = np.divmod(rest, len(tokens))
    # most pairs are far below the threshold: gensim scores those that are not
    npmi = np.log(counts / size[first] / size[second] * total) / -np.log(counts / total)
    near = npmi > settings.threshold - 1e-6
    first, second, between, counts = (each[near] for each in (first, second, between, counts))
    options = {"len_vocab": 0, "min_count": settings.min_count, "corpus_word_count": total}
    rows = []
    for a, b, run, count in zip(first, second, between, counts):
        score = npmi_scorer(size[a], size[b], count, **options)
        if score > settings.threshold:
            name = "_".join([tokens[a], *_connectors(run), tokens[b]])
            rows.append((name, a, b, run, count, score))
    frame = pd.DataFrame(rows, columns=["phrase", "first", "second", "between", "count", "score"])
    frame = frame.astype({"score": float, "between": "int64", "first": "int64", "second": "int64"})
    return frame.sort_values(["count", "phrase"], ascending=[False, True], ignore_index=True)


def _connectors(run):
    """The connector words that a number stands for, in order."""
    words = []
    while run:
        run, number = divmod(int(run), BASE)
        words.append(CONNECTORS[number - 1])
    return words


def parts_of_phrases(model: Model) -> list[list[int]]:
    """The ids of the parts of each phrase of a Model, in order of their ids: a list of lists."""
    index = {word: position for position, word in enumerate(model.words)}
    parts = []
    for phrases in (model.bigrams, model.trigrams):
        for first, second, run in zip(phrases["first"], phrases["second"], phrases["between"]):
            parts.append([first, *(index[word] for word in _connectors(run)), second])
    return parts


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
