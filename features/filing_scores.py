"""Forecasts of what follows a filing, judged by month, and the controls of notebook 09."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict

from data.synthetic import BAD, GOOD
from data.word_lists import load_risk_words
from scores import score_row


def sentences_of(sequence: np.ndarray, lengths: np.ndarray) -> set[bytes]:
    """The distinct sentences of a section, each as bytes; ``lengths`` are the ids of each."""
    return {part.tobytes() for part in np.split(sequence, np.cumsum(lengths)[:-1])}


def share_repeated(sections: pd.DataFrame, before: np.ndarray) -> np.ndarray:
    """Share of the sentences of each section that are, word for word, in another one.

    ``sections`` has ``sequence`` and ``sentences`` (``features.filings.load_sequences``);
    ``before`` is the position of the other section, -1 where there is none (NaN there).
    """
    pairs = zip(sections["sequence"], sections["sentences"])
    said = [sentences_of(sequence, lengths) for sequence, lengths in pairs]
    share = np.full(len(said), np.nan)
    for row, other in enumerate(before):
        if other >= 0 and said[row]:
            share[row] = len(said[row] & said[other]) / len(said[row])
    return share


def repeated_sentences(sections: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """``share_repeated`` from the filing of the same company before, and from one of another, drawn
    at random: two (samples,), NaN where there is none. ``sections`` are sorted by date.
    """
    company = sections["ticker"].to_numpy()
    rows = pd.Series(np.arange(len(sections)))
    before = rows.groupby(company).shift().fillna(-1).astype(int).to_numpy()
    other = np.random.default_rng(0).permutation(len(sections))
    other[company[other] == company] = -1
    return share_repeated(sections, before), share_repeated(sections, other)


PERIODS = {"return": "M", "risk": "Y"}  # filings are ranked within months, or within years


def tasks_of(holding: int = 5, days: int = 63) -> dict[str, tuple[str, str]]:
    """Names in the score files, (task, metric) by question, of a return over ``holding`` trading
    days and of a volatility over ``days``: another horizon is another task.
    """
    after = "week" if holding == 5 else f"{holding}_days"
    return {
        "return": (f"{after}_after_filing", "ic"),
        "risk": (f"volatility_{days}_days", "rank_correlation"),
    }


TASKS = tasks_of()
FEW_FILINGS, FEW_COMPANIES = 10, 3  # below, an interval over companies says nothing


def _moments(outcome, predicted, filed, kind):
    """Products of centred ranks within each period, (3, samples), and one-hot periods."""
    frame = pd.DataFrame({"outcome": np.asarray(outcome), "predicted": np.asarray(predicted)})
    if not np.isfinite(frame.to_numpy(dtype=float)).all():
        raise ValueError("needs outcomes and forecasts without missing or infinite values")
    period = pd.DatetimeIndex(filed).to_period(PERIODS[kind])
    code, names = pd.factorize(period, sort=True)
    ranks = frame.groupby(code).rank()
    ranks -= ranks.groupby(code).transform("mean")
    first, second = ranks["outcome"].to_numpy(), ranks["predicted"].to_numpy()
    return np.stack([first * second, first**2, second**2]), np.eye(len(names))[code], names


def _mean_correlation(moments, periods, counts, kind):
    """Mean over periods of the correlation of ranks, for each row of ``counts``: (rows,)."""
    both, first, second = (counts @ (periods * product[:, None]) for product in moments)
    scale = np.sqrt(first * second)
    correlation = np.divide(both, scale, out=np.zeros_like(both), where=scale > 0)
    filings = counts @ periods
    # a month of two filings says little, a year has enough: months count by their filings
    weight = filings if kind == "return" else np.ones_like(filings)
    weight = np.where(scale > 0, weight, 0 if kind == "return" else 1)
    total = weight.sum(axis=1)
    return np.divide(
        (correlation * weight).sum(axis=1), total, out=np.zeros(len(total)), where=total > 0
    )


def judge(kind: str, outcome: np.ndarray, predicted: np.ndarray, filed: pd.Series) -> float:
    """Rank correlation of forecast and outcome within periods, averaged over them.

    ``kind`` "return": within months, each weighted by its filings (the information coefficient);
    "risk": within years, each with the same weight. A constant forecast has 0. All arguments but
    the first are (samples,). Raises ValueError for missing values.
    """
    moments, periods, _ = _moments(outcome, predicted, filed, kind)
    return float(_mean_correlation(moments, periods, np.ones((1, len(periods))), kind)[0])


def judge_with_interval(
    kind: str,
    outcome: np.ndarray,
    predicted: np.ndarray,
    filed: pd.Series,
    company: pd.Series,
    less: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """``judge`` with its 95 % interval, (value, low, high), over companies.

    Jackknife over companies (Efron and Stein 1981): the score without each company in turn, because
    the filings of a company resemble each other from year to year, and Student's t with as many
    degrees of freedom as there are companies less one. Ranks are those of the whole sample. With
    ``less``, another forecast, the score of ``predicted`` less that of ``less``, without the same
    company. Its coverage is simulated in the tests. With fewer than ``FEW_FILINGS`` filings or
    ``FEW_COMPANIES`` companies, or where no company moves the score of a forecast, nothing is
    known: the interval is all that a correlation, or a difference of two, can be.
    """
    code = pd.factorize(np.asarray(company))[0]
    without = 1.0 - np.eye(code.max() + 1)[code].T
    counts = np.vstack([np.ones((1, len(code))), without])
    values = np.zeros(len(counts))
    for sign, forecast in ((1, predicted), (-1, less)):
        if forecast is not None:
            moments, periods, _ = _moments(outcome, forecast, filed, kind)
            values += sign * _mean_correlation(moments, periods, counts, kind)
    value, others, companies = values[0], values[1:], len(without)
    error = np.sqrt((companies - 1) * np.mean((others - others.mean()) ** 2))
    few = len(code) < FEW_FILINGS or companies < FEW_COMPANIES
    if few or (less is None and error == 0):
        most = 1.0 if less is None else 2.0
        return float(value), -most, most
    width = error * stats.t.ppf(0.975, companies - 1)
    return float(value), float(value - width), float(value + width)


def score_rows(
    kind: str,
    outcome: np.ndarray,
    forecasts: dict[str, np.ndarray],
    filed: pd.Series,
    company: pd.Series,
    tasks: dict = TASKS,
) -> list[dict]:
    """Rows of a score file, one for each of the ``forecasts``, by ``judge_with_interval``.

    ``tasks`` as of ``tasks_of``, here and below.
    """
    rows, (task, metric) = [], tasks[kind]
    for name, forecast in forecasts.items():
        value, *interval = judge_with_interval(kind, outcome, forecast, filed, company)
        rows.append(score_row(task, name, metric, value, interval, len(outcome)))
    return rows


def difference_row(
    kind: str,
    outcome: np.ndarray,
    forecasts: dict[str, np.ndarray],
    names: tuple[str, str],
    filed: pd.Series,
    company: pd.Series,
    tasks: dict = TASKS,
) -> dict:
    """Row of a score file: the score of one of the ``forecasts`` less that of another."""
    first, second = names
    value, *interval = judge_with_interval(
        kind, outcome, forecasts[first], filed, company, less=forecasts[second]
    )
    task, metric = tasks[kind]
    model = f"{first}, less {second}"
    return score_row(task, model, f"{metric}_difference", value, interval, len(outcome))


def rows_of_groups(
    outcome: np.ndarray,
    name: str,
    forecast: np.ndarray,
    filed: pd.Series,
    company: pd.Series,
    known: pd.Series,
    tasks: dict = TASKS,
) -> list[dict]:
    """Rows for a forecast of risk: of the companies that are in ``known``, and of new ones. None
    where either group has fewer than two companies: the other is then all there is.
    """
    new = ~company.isin(known).to_numpy()
    rows, groups = [], {"companies seen before": ~new, "new companies": new}
    if min(company[part].nunique() for part in groups.values()) < 2:
        return rows
    for group, part in groups.items():
        of_group = {f"{name}: {group}": forecast[part]}
        of_part = outcome[part], of_group, filed[part], company[part]
        rows += score_rows("risk", *of_part, tasks)
    return rows


def score_board(runs: dict[str, list[dict]], tasks: dict = TASKS) -> pd.DataFrame:
    """Scores with their intervals as texts: a row a model, a column a question and run.

    ``runs`` are lists of rows by name; differences and what no first run has are left out.
    """
    models = dict.fromkeys(row["model"] for row in next(iter(runs.values())))
    board = {}
    for kind, (task, metric) in tasks.items():
        for label, rows in runs.items():
            of_kind = [row for row in rows if (row["task"], row["metric"]) == (task, metric)]
            text = "{value:.2f} [{low:.2f}, {high:.2f}]"
            board[kind, label] = {row["model"]: text.format(**row) for row in of_kind}
    board = pd.DataFrame(board).reindex(models).dropna(how="all")
    return board.astype(object).fillna("")


def in_words(row: dict) -> str:
    """A difference with its interval, in words (Markdown)."""
    value, low, high = row["value"], row["low"], row["high"]
    text = "better" if low > 0 else "worse" if high < 0 else "neither better nor worse"
    return f"**{text}** ({value:+.3f} [{low:+.3f}, {high:+.3f}])"


def shuffle_within_months(values: np.ndarray, filed: pd.Series, seed: int) -> np.ndarray:
    """``values`` in random order among the filings of the same month; nothing else changes."""
    generator = np.random.default_rng(seed)
    shuffled = np.array(values)
    months = filed.dt.to_period("M").to_numpy()
    for rows in pd.Series(np.arange(len(shuffled))).groupby(months).indices.values():
        shuffled[rows] = shuffled[generator.permutation(rows)]
    return shuffled


def permutation_test(
    outcome: np.ndarray, predicted: np.ndarray, filed: pd.Series, draws: int = 500
) -> tuple[float, float, float]:
    """(IC, IC that chance exceeds in one case of twenty, p value) of a forecast of returns.

    The outcome is permuted within months, so that each month counts once and keeps its market. The
    p value, one-sided, is the share of permutations that do as well: its level is exact with any
    number of months, where a bootstrap of a dozen months misses it.
    """
    frame = pd.DataFrame({"outcome": np.asarray(outcome), "predicted": np.asarray(predicted)})
    value = judge("return", frame["outcome"], frame["predicted"], filed)
    months = pd.DatetimeIndex(filed).to_period(PERIODS["return"])
    ranks = frame.groupby(months).rank()
    generator, chance, counted = np.random.default_rng(0), np.zeros(draws), 0
    for rows in ranks.groupby(months).indices.values():
        first, second = (ranks.to_numpy()[rows] - (len(rows) + 1) / 2).T  # centred
        scale = np.sqrt((first**2).sum() * (second**2).sum())
        if scale > 0:
            shuffled = generator.permuted(np.tile(first, (draws, 1)), axis=1)
            chance += len(rows) * (shuffled @ second) / scale
            counted += len(rows)
    chance /= max(counted, 1)
    p_value = (1 + np.sum(chance >= value)) / (1 + draws)
    return value, float(np.quantile(chance, 0.95)), float(p_value)


def against_chance(
    answers: dict[str, np.ndarray],
    forecasts: dict[tuple[str, str], np.ndarray],
    part: slice,
    filed: pd.Series,
) -> pd.DataFrame:
    """IC and p value of ``permutation_test`` for each of the ``forecasts`` of a ``part``.

    ``answers`` are returns by name, (samples,); ``forecasts``, by name of the answer and of the
    method, are those of the part alone.
    """
    rows = {}
    for (name, method), predicted in forecasts.items():
        value, _, p_value = permutation_test(answers[name][part], predicted, filed[part])
        rows[name, method] = [value, p_value]
    return pd.DataFrame(rows, ["IC", "p value"]).T


def share_of_words(
    sequences: Sequence[np.ndarray], vocabulary: Sequence[str], words: Sequence[str]
) -> np.ndarray:
    """How many of ``words`` there are in each sequence, for each of its ids: (samples,).

    A phrase, whose words an underscore joins, counts each of its words.
    """
    wanted, found = set(words), np.zeros(len(vocabulary))
    for position, token in enumerate(vocabulary):
        found[position] = sum(word in wanted for word in token.split("_"))
    return np.array([found[ids].mean() for ids in sequences])


def shares_of_lists(sequences: Sequence[np.ndarray], vocabulary: Sequence[str]) -> pd.DataFrame:
    """``share_of_words`` for each list of ``load_risk_words``: columns "words_…", a row a sequence
    from 0 on.
    """
    lists = load_risk_words().items()
    shares = {
        f"words_{name}": share_of_words(sequences, vocabulary, words) for name, words in lists
    }
    return pd.DataFrame(shares)


def tone_of(sequences: Sequence[np.ndarray], vocabulary: Sequence[str]) -> np.ndarray:
    """Favourable less unfavourable words, as a share of all, of each sequence: (samples,)."""
    good = share_of_words(sequences, vocabulary, GOOD)
    return good - share_of_words(sequences, vocabulary, BAD)


def sectors_of_text(
    words: csr_matrix, company: pd.Series, train: slice, sectors: int = 6
) -> np.ndarray:
    """A number from 0 to ``sectors`` - 1 for the sector of each sample's company, (samples,).

    Where data have no sectors, companies that write alike make one (Hoberg and Phillips 2016):
    k-means of the mean TF-IDF weights of each company, over its training samples. A company without
    any has its nearest sector, by all its texts. No outcome is used. ``words`` is a sparse matrix
    (samples, words).
    """
    code, names = pd.factorize(np.asarray(company), sort=True)
    in_training = np.zeros(len(code), dtype=bool)
    in_training[train] = True
    known = np.bincount(code[in_training], minlength=len(names)) > 0
    counted = in_training | ~known[code]  # the samples that stand for their company
    member = csr_matrix((counted.astype(float), (code, np.arange(len(code)))))
    mean = (member @ words).toarray()
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    groups = KMeans(min(sectors, int(known.sum())), n_init=4, random_state=0).fit(mean[known])
    return groups.predict(mean)[code]


class RidgeLine(NamedTuple):
    """A ridge regression whose penalty was chosen, and its forecasts (samples,): those of the
    training samples by models that have not seen them.
    """

    penalty: float
    model: Ridge
    forecast: np.ndarray


def choose_ridge(
    words: csr_matrix,
    y: np.ndarray,
    kind: str,
    filed: pd.Series,
    parts: tuple[slice, slice],
    penalties: Sequence[float],
) -> RidgeLine:
    """Ridge regression of y, (samples,), on words, fitted on the first of ``parts``, with the
    penalty that has the best score on the second.

    The training samples are forecast in fifths, which follow each other as the samples do, each
    from the other four: what is left of them is as large as what is left of later ones.
    """
    train, held_out = parts
    fitted, scored = {}, {}
    for penalty in penalties:
        model = fitted[penalty] = Ridge(penalty).fit(words[train], y[train])
        predicted = model.predict(words[held_out])
        scored[penalty] = judge(kind, y[held_out], predicted, filed[held_out])
    best = max(scored, key=scored.get)
    forecast = fitted[best].predict(words)
    folds = KFold(min(5, len(y[train])))
    forecast[train] = cross_val_predict(Ridge(best), words[train], y[train], cv=folds)
    return RidgeLine(best, fitted[best], forecast)


def forecast_held_out(
    words: csr_matrix,
    y: np.ndarray,
    company: pd.Series,
    train: slice,
    penalty: float,
    folds: int = 5,
    sector: np.ndarray | None = None,
) -> np.ndarray:
    """Ridge forecasts of y, (samples,), each by a model that never saw the filing's company.

    ``words`` is a matrix (samples, words), ``train`` the slice of the training samples. The
    companies are divided into ``folds`` at random, those of each ``sector``, (samples,), as evenly
    as can be; a model is fitted on the training samples of the others. Where training has fewer
    companies than folds, they are left out one by one. Raises ValueError for fewer than two folds,
    or fewer than two companies in training.
    """
    code, names = pd.factorize(np.asarray(company), sort=True)
    trained = np.unique(code[train])
    if len(trained) < 2 or folds < 2:
        given = f"{folds} and {len(trained)} in training"
        raise ValueError(f"needs 2 folds and 2 companies, given {given}")
    order = np.random.default_rng(0).permutation(len(names))
    if sector is not None:
        of_company = np.zeros(len(names), dtype=int)
        of_company[code] = sector
        order = order[np.argsort(of_company[order], kind="stable")]
    if len(trained) <= folds:  # each of them in a fold of its own
        folds = len(trained)
        order = np.r_[trained, np.setdiff1d(order, trained)]
    fold = np.zeros(len(names), dtype=int)
    fold[order] = np.arange(len(names)) % folds  # dealt out, one sector after the other
    fold = fold[code]
    rows = np.arange(len(y))[train]
    predicted = np.zeros(len(y))
    for number in range(folds):
        others = rows[fold[rows] != number]
        model = Ridge(penalty).fit(words[others], y[others])
        predicted[fold == number] = model.predict(words[fold == number])
    return predicted


def share_found(
    words: csr_matrix,
    outcome: np.ndarray,
    signal: np.ndarray,
    filed: pd.Series,
    parts: tuple[slice, slice],
    penalty: float,
    effects: Sequence[float],
    draws: int = 20,
) -> dict[float, float]:
    """How often ridge on words finds an effect of each size: effect -> share of the draws.

    In each draw the outcomes, (samples,), are permuted within months, and ``effect`` times
    ``signal`` in units of its deviation is added. Ridge is fitted on the first of ``parts``; found
    is what a permutation test calls so, at five percent, on the second. So the share at an effect
    of zero is the level of the test, and the smallest effect with a high share what this sample can
    show.
    """
    train, later = parts
    signal = (signal - signal.mean()) / max(signal.std(), 1e-9)
    filed_later = filed[later].reset_index(drop=True)
    shuffled = [shuffle_within_months(outcome, filed, seed=draw) for draw in range(draws)]
    planted = [mixed + effect * signal for effect in effects for mixed in shuffled]
    planted = np.column_stack(planted)  # all fitted at once: the words are decomposed once
    model = Ridge(penalty).fit(words[train].toarray(), planted[train])
    p_values = []
    for truth, forecast in zip(planted[later].T, model.predict(words[later]).T):
        p_values.append(permutation_test(truth, forecast, filed_later, 200)[2])
    found = np.reshape(p_values, (len(effects), draws)) <= 0.05
    return dict(zip(effects, found.mean(axis=1).tolist()))


LEAST = {"train": 3, "validation": 1, "test": 1}  # filings with both targets
ENOUGH = {"train": 50, "validation": 10, "test": 10}  # below, a score means nothing


def check_parts(filed: pd.Series, company: pd.Series, split: object) -> str:
    """How many filings the parts of a ``utils.Split`` have, in words (Markdown), and whether they
    are too few for a score to mean anything (fewer than ``ENOUGH``).

    ``filed`` and ``company`` are those of the filings that have a target, (samples,). Raises
    ValueError where a part has too few to run at all (fewer than ``LEAST``), or training has one
    company, so that none can be held out.
    """
    found = {name: len(filed[part]) for name, part in split._asdict().items()}
    given = _by_part(found)
    if any(found[name] < least for name, least in LEAST.items()):
        raise ValueError(
            f"needs at least {_by_part(LEAST)}, each with prices around it, given {given}: "
            "fetch more with python -m data download filings"
        )
    if company[split.train].nunique() < 2:
        raise ValueError(
            f"needs filings of at least 2 companies in train, given {found['train']} of one, "
            f"{company.iloc[0]}"
        )
    text = f"Filings with both targets: {given}."
    if any(found[name] < least for name, least in ENOUGH.items()):
        text += (
            f" **These are too few to learn or to judge from**: below {_by_part(ENOUGH)}, the "
            "cells show how it is done, and their scores mean nothing."
        )
    return text


def _by_part(counts):
    return ", ".join(f"{count} in {name}" for name, count in counts.items())
