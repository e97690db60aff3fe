"""Blocks of words, volatility after a filing, scores by period, and the planted effects of 09."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import normalize

from data.source import DataError
from data.synthetic import BAD, CALM, GOOD, RISKY, synthetic_filings
from data.synthetic_order import ordered_texts
from data.word_lists import MASTER, load_risk_words
from features.filing_blocks import (
    blocks_of_words,
    count_matrix,
    padded,
    random_vectors,
    sentence_blocks,
    short_inputs,
    word_vectors,
)
from features.filing_returns import returns_after_filing
from features.filing_sample import USABLE, sample_with_targets
from features.filing_scores import (
    against_chance,
    check_parts,
    choose_ridge,
    difference_row,
    forecast_held_out,
    in_words,
    judge,
    judge_with_interval,
    permutation_test,
    repeated_sentences,
    rows_of_groups,
    score_board,
    score_rows,
    sectors_of_text,
    share_found,
    share_of_words,
    share_repeated,
    shares_of_lists,
    shuffle_within_months,
    tasks_of,
    tone_of,
)
from features.filing_volatility import less_mean_of_year, volatility_after_filing
from features.words import PAD, UNKNOWN, Vocabulary
from utils import Split

SEQUENCES = [
    np.arange(2, 8, dtype="int32"),
    np.arange(2, 42, dtype="int32"),
    np.array([2], dtype="int32"),
    np.array([2, 3, 4, 5, 1, 1, 1, 1, 2, 3], dtype="int32"),  # unknown words in the middle
]
WEIGHTS = normalize(count_matrix(SEQUENCES, 42))


def refused_by_cudnn(mask):
    """The check of cuDNN, emulated: a mask must be True up to some step and False after it."""
    lengths = mask.sum(axis=1)
    return not np.array_equal(mask, np.arange(mask.shape[1]) < lengths[:, None])


def test_no_mask_of_notebook_09_is_refused_on_a_gpu():
    """Padding in front, as 09 had it, is refused; so is a block of unknown words in the middle."""
    in_front = np.array([[False, True, True], [True, True, True]])
    assert refused_by_cudnn(in_front)
    ids, _ = blocks_of_words(SEQUENCES, WEIGHTS, 4, 3, 4)
    assert not refused_by_cudnn((ids != 0).any(axis=-1))


def test_a_section_is_read_whole_and_padding_comes_last():
    ids, shares = blocks_of_words(SEQUENCES, WEIGHTS, 4, 3, 20)
    assert ids[0, :, :5].tolist() == [[2, 3, 4, 5, 0], [6, 7, 0, 0, 0], [0] * 5], "a short one"
    assert ids[1, :, 0].tolist() == [2, 16, 30], "blocks grow until all of it is read"
    assert ids[2, :, 0].tolist() == [2, 0, 0]
    assert ((shares > 0) == (ids > 0)).all()


def test_the_blocks_of_a_section_sum_to_what_ridge_sees():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 12, length) for length in (5, 30, 41)]
    counts = count_matrix(sequences, 12)
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    ids, shares = blocks_of_words(sequences, weights, 7, 4, 12)
    summed = np.zeros((3, 12))
    np.add.at(summed, (np.arange(3)[:, None, None], ids), shares)
    assert summed == pytest.approx(weights.toarray())
    longer = padded((ids, shares), 6)
    assert longer[0].shape == (3, 6, 12) and not longer[1][:, ids.shape[1] :].any()


def test_a_block_holds_its_heaviest_words():
    weights = csr_matrix([[0, 0, 0.4, 0.6, 0.3]])
    ids, shares = blocks_of_words([np.array([2, 2, 3, 1, 4])], weights, 5, 2, 2)
    assert ids.tolist() == [[[3, 2]]]
    assert shares[0, 0] == pytest.approx([0.6, 0.4])
    with pytest.raises(ValueError, match="at least 1"):
        blocks_of_words(SEQUENCES, WEIGHTS, 4, 3, 0)


def test_words_are_counted_without_padding_and_unknown():
    counted = count_matrix([np.array([0, 1, 2, 2, 4]), np.array([], dtype="int32")], 5)
    assert counted.toarray().tolist() == [[0, 0, 2, 0, 1], [0] * 5]


def test_word_vectors_are_the_same_on_every_run_and_padding_is_zero():
    generator = np.random.default_rng(0)
    texts = [generator.integers(2, 20, 200) for _ in range(10)]
    first, second = (word_vectors(texts, 22, 8, epochs=1) for _ in range(2))
    assert np.array_equal(first, second) and first.shape == (22, 8) and not first[0].any()
    assert np.linalg.norm(first[2:20], axis=1).mean() == pytest.approx(1, abs=0.1)


# ------------------------------------------------------------------------------------- volatility


@pytest.fixture
def prices():
    generator = np.random.default_rng(1)
    days = pd.bdate_range("2019-01-01", periods=500, name="date")
    changes = generator.normal(0, [0.01, 0.03], (500, 2))
    return pd.DataFrame(50 * np.exp(changes.cumsum(axis=0)), days, ["A", "B"])


def filings(*rows):
    frame = pd.DataFrame(rows, columns=["ticker", "date_filed"])
    return frame.assign(date_filed=pd.to_datetime(frame["date_filed"]))


def test_volatility_by_hand(prices):
    filed = filings(("A", "2020-03-04"), ("B", "2020-03-07"))  # the second on a Saturday
    found = volatility_after_filing(filed, prices, 63, past=(63,))
    assert list(found["begin"]) == [pd.Timestamp("2020-03-05"), pd.Timestamp("2020-03-09")]
    change = np.log(prices["A"]).diff()
    after = change[change.index > "2020-03-05"].iloc[:63]
    before = change[change.index <= "2020-03-04"].iloc[-63:]
    assert found.loc[0, "volatility"] == pytest.approx(np.log(after.std()))
    assert found.loc[0, "past_63"] == pytest.approx(np.log(before.std()))
    assert found.loc[0, "known"] == after.index[-1]


def test_the_days_around_the_filing_belong_to_neither_side(prices):
    filed = filings(("A", "2020-03-04"))
    changed = prices.copy()
    changed.loc["2020-03-05":, "A"] *= 2  # a jump on the first day after the filing
    columns = ["volatility", "past_63", "past_252"]
    first, second = (volatility_after_filing(filed, table)[columns] for table in (prices, changed))
    pd.testing.assert_frame_equal(first, second)


def test_what_has_no_volatility_is_missing_and_a_dying_stock_is_kept(prices):
    filed = filings(("C", "2020-03-04"), ("A", "2020-11-20"), ("A", "2019-01-10"))
    found = volatility_after_filing(filed, prices)
    assert found["volatility"].isna().tolist() == [True, True, False]
    assert found["past_63"].isna().tolist() == [True, False, True]
    prices.loc["2020-04-20":, "A"] = np.nan
    assert np.isfinite(
        volatility_after_filing(filings(("A", "2020-03-04")), prices)["volatility"]
    ).all()
    with pytest.raises(ValueError, match="days must be a whole number of at least 21, given 20"):
        volatility_after_filing(filed, prices, 20)


def test_why_a_section_is_in_the_sample_or_not(prices):
    filed = filings(*[("A", "2019-06-03")] * 2, ("B", "2020-03-02"), ("A", "2020-11-20"))
    filed["item"] = ["7", "1A", "1A", "1A"]
    filed["sequence"] = [np.arange(2, 9), np.zeros(0, dtype=int), *[np.arange(2, 9)] * 2]
    sample, status = sample_with_targets(filed, prices, "1A", 5, 63)
    assert status.tolist() == ["another item", "no sentence", "ok", status[3]]
    assert status[3] not in USABLE, "too few days after it"
    assert sample["ticker"].tolist() == ["B"] and sample["log_length"][0] == np.log(7)
    filed.loc[3, "date_filed"] = pd.Timestamp("2020-10-30")  # a week after it, but no quarter
    assert sample_with_targets(filed, prices, "1A", 5, 63)[1][3] == "no volatility"


def test_the_year_is_taken_out():
    dates = pd.Series(pd.to_datetime(["2019-02-01", "2019-03-01", "2020-02-01"]))
    assert less_mean_of_year(pd.Series([1.0, 3.0, 5.0]), dates).tolist() == [-1, 1, 0]


# ----------------------------------------------------------------------------------------- scores

FILED = pd.Series(pd.to_datetime(["2020-01-05", "2020-01-20", "2020-02-01", "2020-02-28"]))


def test_ranks_within_months_or_years():
    outcome, predicted = np.array([0.1, 0.2, 0.3, 0.1]), np.array([1, 2, 3, 4])
    assert judge("return", outcome, predicted, FILED) == pytest.approx(0)  # 1 and -1
    ranks = pd.Series(outcome).corr(pd.Series(predicted), "spearman")
    assert judge("risk", outcome, predicted, FILED) == pytest.approx(ranks)
    assert judge("risk", outcome, np.ones(4), FILED) == 0
    with pytest.raises(ValueError, match="missing"):
        judge("risk", outcome, np.array([1, 2, np.nan, 3]), FILED)


def test_months_count_by_their_filings():
    filed = pd.Series(pd.to_datetime(["2020-01-05"] * 2 + ["2020-02-03"] * 6))
    outcome = np.array([1, 2, 1, 2, 3, 4, 5, 6])
    predicted = np.array([2, 1, 1, 2, 3, 4, 5, 6])
    assert judge("return", outcome, predicted, filed) == pytest.approx((-2 + 6) / 8)


def made(companies, years, rng, effect):
    dates = [pd.Timestamp(2000 + year, 2, 10) for year in range(years)] * companies
    company = np.repeat(np.arange(companies), years)
    own = np.repeat(rng.normal(size=companies), years)  # what lasts in a company's forecast
    predicted = own + 0.5 * rng.normal(size=companies * years)
    outcome = effect * predicted + rng.normal(size=companies * years)
    lasting = np.repeat(rng.normal(size=companies), years)
    return outcome + lasting, predicted, pd.Series(dates), company


@pytest.mark.parametrize("kind", ["risk", "return"])
def test_coverage_of_intervals_over_companies(kind):
    """At least 93 % for a nominal 95 %, with lasting differences between companies."""
    held = 0
    for seed in range(400):
        sample = made(80, 4, np.random.default_rng(seed), 0)
        _, low, high = judge_with_interval(kind, *sample)
        held += low <= 0 <= high
    assert held / 400 >= 0.92  # less two standard errors of a simulated 0.94


def test_a_difference_uses_the_same_draws():
    outcome, predicted, filed, company = made(40, 4, np.random.default_rng(0), 0.5)
    same = judge_with_interval("risk", outcome, predicted, filed, company, less=predicted)
    assert same == (0, 0, 0)
    value, low, high = judge_with_interval("risk", outcome, predicted, filed, company)
    assert low < value < high and value == judge("risk", outcome, predicted, filed)
    one = judge_with_interval("risk", outcome, predicted, filed, np.zeros(len(outcome)))
    assert one == (value, -1, 1)
    nine = outcome[:9], predicted[:9], filed[:9], company[:9]
    assert judge_with_interval("return", *nine)[1:] == (-1, 1)
    assert judge_with_interval("return", *nine, less=outcome[:9])[1:] == (-2, 2)
    constant = np.zeros(len(outcome))
    assert judge_with_interval("risk", outcome, constant, filed, company) == (0, -1, 1)


def test_shuffling_stays_within_months():
    values = np.arange(4.0)
    shuffled = shuffle_within_months(values, FILED, 3)
    assert set(shuffled[:2]) == {0, 1} and set(shuffled[2:]) == {2, 3}
    assert values.tolist() == [0, 1, 2, 3]


def test_permutation_finds_what_is_there_and_keeps_its_level():
    rng = np.random.default_rng(0)
    filed = pd.Series(pd.to_datetime(["2020-01-15", "2020-02-15", "2020-03-15"] * 20))
    small = 0
    for _ in range(60):
        outcome, predicted = rng.normal(size=(2, 60))
        small += permutation_test(outcome, predicted, filed, 99)[2] <= 0.1
    assert small <= 13  # a tenth of 60, and three standard errors
    assert permutation_test(outcome, outcome + rng.normal(size=60), filed, 99)[2] <= 0.02


def test_each_forecast_is_set_against_chance_on_its_own_part():
    rng = np.random.default_rng(0)
    filed, part = pd.Series(pd.Timestamp("2020-01-15"), range(90)), slice(60, 90)
    answers = {"a": rng.normal(size=90), "b": rng.normal(size=90)}
    forecasts = {("a", "right"): answers["a"][part], ("b", "wrong"): -answers["b"][part]}
    table = against_chance(answers, forecasts, part, filed)
    assert table["IC"].round(9).tolist() == [1, -1]
    assert table["p value"].iloc[0] < 0.01 and table["p value"].iloc[1] == 1


def test_permuting_ranks_is_permuting_outcomes():
    """The distribution under chance is that of ``judge`` on outcomes shuffled within months."""
    rng = np.random.default_rng(1)
    filed = pd.Series(pd.to_datetime(["2020-01-15"] * 5 + ["2020-02-15"] * 15))
    outcome, predicted = rng.normal(size=(2, 20))
    chance = [
        judge("return", shuffle_within_months(outcome, filed, seed), predicted, filed)
        for seed in range(1000)
    ]
    _, exceeded, p_value = permutation_test(outcome, predicted, filed, 4000)
    assert exceeded == pytest.approx(np.quantile(chance, 0.95), abs=0.05)
    value = judge("return", outcome, predicted, filed)
    assert p_value == pytest.approx(np.mean(np.array(chance) >= value), abs=0.06)


def test_a_company_is_forecast_without_its_own_filings():
    """What is a mere mark of the company tells nothing once the company is held out."""
    rng = np.random.default_rng(0)
    company = np.repeat(np.arange(20), 10)
    marks = np.eye(20)[company]
    y = rng.normal(size=20)[company]
    predicted = forecast_held_out(marks, y, company, slice(0, 200), 0.1, 5)
    for number in range(20):
        assert len(np.unique(predicted[company == number])) == 1
    assert np.corrcoef(predicted, y)[0, 1] < 0.3
    tells = np.column_stack([marks, y + 0.1 * rng.normal(size=200)])
    assert np.corrcoef(forecast_held_out(tells, y, company, slice(0, 200), 0.1), y)[0, 1] > 0.9
    with pytest.raises(ValueError, match="2 folds and 2 companies, given 5 and 1 in training"):
        forecast_held_out(marks, y, company, slice(0, 10), 0.1, 5)


def test_few_companies_are_held_out_one_by_one():
    """As many folds as companies in training, however many are asked for, and however few those
    are among new ones: no model is left without data.
    """
    rng = np.random.default_rng(0)
    company = np.repeat([3, 5, 0, 1, 2, 4], 4)
    marks, y = np.eye(6)[company], rng.normal(size=6)[company]
    for sector in (None, np.zeros(24, dtype=int)):
        predicted = forecast_held_out(marks, y, company, slice(0, 8), 1e-6, 5, sector)
        for own, other in ((3, 5), (5, 3)):
            assert np.allclose(predicted[company == own], y[company == other][0])


def grouped(rng, kinds=3, companies=10, each=4):
    """Word weights of companies of several kinds, which share most of their words: (words,
    company, kind of each sample).
    """
    company = np.repeat(np.arange(kinds * companies), each)
    kind = company % kinds
    weights = rng.random((len(company), 30)) * 0.2
    for number in range(kinds):
        weights[kind == number, number * 10 : (number + 1) * 10] += 1
    return csr_matrix(weights), company, kind


def test_companies_that_write_alike_make_a_sector():
    words, company, kind = grouped(np.random.default_rng(0))
    first = slice(0, 100)  # the last five companies have no filing there
    sector = sectors_of_text(words, company, first, 3)
    assert pd.crosstab(kind, sector).gt(0).sum().eq(1).all()
    assert sectors_of_text(words, company, first, 3).tolist() == sector.tolist()


def test_folds_are_even_within_sectors():
    """Whoever leaves out all companies of a sector cannot know its level."""
    rng = np.random.default_rng(0)
    words, company, kind = grouped(rng)
    y = 5.0 * kind + rng.normal(size=len(kind))
    whole = slice(0, len(y))
    predicted = forecast_held_out(words, y, company, whole, 0.1, 10, sector=kind)
    assert np.corrcoef(predicted, y)[0, 1] > 0.9
    with_sectors = np.arange(len(y)) % 2  # any sectors: no company is in two folds, still
    marks = csr_matrix(np.eye(30)[company])
    lonely = forecast_held_out(marks, y, company, whole, 0.1, 5, sector=with_sectors)
    for number in range(30):
        assert len(np.unique(lonely[company == number].round(9))) == 1


def test_larger_effects_are_found_more_often_and_none_at_the_level_of_the_test():
    rng = np.random.default_rng(0)
    words = csr_matrix(rng.random((300, 20)))
    signal = words.toarray()[:, 0]
    filed = pd.Series(pd.date_range("2018-01-01", periods=300, freq="2D"))
    parts = slice(0, 200), slice(200, 300)
    outcome = rng.normal(size=300)
    found = share_found(words, outcome, signal, filed, parts, 0.1, [0, 0.3, 3])
    assert found[0] <= 0.2 and found[0] < found[3] and found[3] == 1


def test_too_few_filings_are_refused_in_one_sentence():
    filed = pd.Series(pd.bdate_range("2019-01-01", periods=90))
    company = pd.Series(list("AB") * 45)
    parts = Split(slice(0, 60), slice(60, 75), slice(75, 90))
    said = check_parts(filed, company, parts)
    assert said == "Filings with both targets: 60 in train, 15 in validation, 15 in test."
    few = check_parts(filed[:10], company, Split(slice(0, 6), slice(6, 8), slice(8, 10)))
    assert "2 in test. **These are too few" in few and "scores mean nothing" in few
    with pytest.raises(ValueError, match="at least 2 companies in train, given 60 of one, A"):
        check_parts(filed, company.where(company.index > 99, "A"), parts)
    for short in ((2, 7, 10), (5, 5, 10), (5, 10, 10)):
        first, second, last = short
        parts = Split(slice(0, first), slice(first, second), slice(second, last))
        with pytest.raises(ValueError, match="given . in train.*data download filings") as caught:
            check_parts(filed[:10], company, parts)
        assert "\n" not in str(caught.value)


def test_random_vectors_leave_padding_at_zero():
    vectors = random_vectors(30, 8)
    assert vectors.shape == (30, 8) and not vectors[PAD].any() and vectors[1:].all()


def test_repeated_sentences_and_tone():
    sections = pd.DataFrame(
        {
            "sequence": [np.array([2, 3, 4]), np.array([2, 3, 5, 6])],
            "sentences": [np.array([2, 1]), np.array([2, 2])],
        }
    )
    share = share_repeated(sections, np.array([-1, 0]))
    assert np.isnan(share[0]) and share[1] == 0.5
    words = ["[pad]", "[unknown]", "improved", "not_impaired", "rates"]
    assert tone_of([np.array([2, 4]), np.array([3, 3])], words).tolist() == [0.5, -1]
    share = share_of_words([np.array([2, 4]), np.array([3, 3, 2, 2])], words, ["impaired"])
    assert share.tolist() == [0, 0.5]
    lists = shares_of_lists([np.array([3, 3, 2, 2])], [*words, "losses"])
    assert list(lists) == ["words_risk"] and lists.to_numpy().tolist() == [[0]]


def test_repeated_sentences_are_those_of_the_company_before_and_of_another():
    said = [[2, 3], [4, 5], [2, 3], [4, 6]]
    columns = {"ticker": list("ABAB"), "sequence": [np.array(ids) for ids in said]}
    sections = pd.DataFrame(columns | {"sentences": [np.array([1, 1])] * 4})
    own, elsewhere = repeated_sentences(sections)
    assert np.isnan(own[:2]).all() and own[2:].tolist() == [1, 0.5]
    assert not elsewhere[np.isfinite(elsewhere)].any()


def test_short_texts_are_read_by_both_and_fitted_on_training_alone():
    texts = [["orders improved", "taxes apply"], ["orders fell"], ["pensions accrue", "orders"]]
    blocks, bag, known = short_inputs(texts, slice(0, 2))
    assert blocks[0].shape == (3, 2, 2) and len(bag) == 3
    assert known == 2 + 5, "padding, unknown, and the words of the first two texts"
    assert blocks[0][2, 0].tolist() == [UNKNOWN, UNKNOWN]


def test_the_penalty_is_chosen_on_the_second_part():
    rng = np.random.default_rng(0)
    words, parts = rng.normal(size=(200, 60)), (slice(0, 80), slice(80, 140))
    y = words[:, 0] + 2 * rng.normal(size=200)
    filed = pd.Series(pd.Timestamp("2020-01-05"), range(200))
    chosen = choose_ridge(words, y, "risk", filed, parts, [1e-3, 100, 1e9])
    train, held_out = parts
    scores = []
    for other in (1e-3, 100, 1e9):
        predicted = Ridge(other).fit(words[train], y[train]).predict(words[held_out])
        scores.append(judge("risk", y[held_out], predicted, filed[held_out]))
    assert chosen.penalty == [1e-3, 100, 1e9][int(np.argmax(scores))]
    assert chosen.forecast[80:] == pytest.approx(chosen.model.predict(words[80:]))
    moved = choose_ridge(words, np.append(y[:140], y[140:] + 9), "risk", filed, parts, [1e-3, 100])
    assert moved.penalty == choose_ridge(words, y, "risk", filed, parts, [1e-3, 100]).penalty


def test_a_line_forecasts_the_training_samples_without_having_seen_them():
    """Of pure noise a line leaves more than all, where one that has seen it leaves nearly none."""
    rng = np.random.default_rng(0)
    words, y = rng.normal(size=(150, 90)), rng.normal(size=150)
    filed = pd.Series(pd.Timestamp("2020-01-05"), range(150))
    line = choose_ridge(words, y, "risk", filed, (slice(0, 100), slice(100, 150)), [0.1])
    assert ((y - line.model.predict(words))[:100] ** 2).mean() < 0.3
    left = (y - line.forecast) ** 2
    assert 1 < left[:100].mean() and 0.5 < left[:100].mean() / left[100:].mean() < 2


def test_rows_of_scores_differences_and_groups():
    outcome, predicted, filed, company = made(20, 4, np.random.default_rng(0), 1.0)
    company = pd.Series(company)
    forecasts = {"good": predicted, "bad": -predicted}
    rows = score_rows("risk", outcome, forecasts, filed, company)
    assert [row["model"] for row in rows] == ["good", "bad"]
    assert rows[0]["value"] == -rows[1]["value"] == judge("risk", outcome, predicted, filed)
    row = difference_row("risk", outcome, forecasts, ("good", "bad"), filed, company)
    assert row["metric"] == "rank_correlation_difference" and row["low"] > 0
    assert row["value"] == pytest.approx(2 * rows[0]["value"])
    assert in_words(row).startswith("**better**")
    assert in_words(row | {"low": -1}).startswith("**neither")
    assert in_words(row | {"high": -1, "low": -2}).startswith("**worse**")
    known = company[company < 12]
    groups = rows_of_groups(outcome, "ridge", predicted, filed, company, known)
    assert [group["n"] for group in groups] == [48, 32]
    one = rows_of_groups(outcome, "ridge", predicted, filed, company, company[company < 19])
    assert one == [], "a company alone has no interval"
    board = score_board({"a": rows + [row], "b": groups + rows[:1]})
    assert list(board.index) == ["good", "bad"] and board.loc["bad", ("risk", "b")] == ""
    assert board.loc["good", ("risk", "a")].startswith(f"{rows[0]['value']:.2f} [")


def test_another_horizon_is_filed_as_another_task():
    """A volatility over 21 days once stood in the score file as one over 63."""
    outcome, predicted, filed, company = made(20, 4, np.random.default_rng(0), 1.0)
    forecasts, company = {"a": predicted, "b": -predicted}, pd.Series(company)
    month = tasks_of(holding=10, days=21)
    rows = score_rows("risk", outcome, forecasts, filed, company, month)
    rows.append(difference_row("risk", outcome, forecasts, ("a", "b"), filed, company, month))
    rows += rows_of_groups(outcome, "a", predicted, filed, company, company[company < 9], month)
    assert {row["task"] for row in rows} == {"volatility_21_days"}
    returns = score_rows("return", outcome, forecasts, filed, company, month)
    assert returns[0]["task"] == "10_days_after_filing"
    assert score_board({"mine": rows}).empty, "is not shown as the usual horizon"
    assert list(score_board({"mine": rows}, month).index)[:2] == ["a", "b"]
    assert tasks_of()["return"][0] == "week_after_filing"


def test_the_readers_list_of_words_of_risk_is_used(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    assert "litigation" in load_risk_words()["risk"]
    table = pd.DataFrame({"Word": ["LOSS", "NA", "MAYBE", "CLAIM", "OLD"]})
    table["Negative"] = [2009, 2009, 0, 0, -2020]  # negative: the word left the list
    table["Uncertainty"], table["Litigious"] = [0, 0, 2009, 0, 0], [0, 0, 0, 2011, 0]
    table.to_csv(tmp_path / MASTER, index=False)
    capsys.readouterr()
    found = load_risk_words()
    assert found == {"negative": ["loss", "na"], "uncertainty": ["maybe"], "litigious": ["claim"]}
    assert "2 negative, 1 uncertainty, 1 litigious" in capsys.readouterr().out
    table.drop(columns="Litigious").to_csv(tmp_path / MASTER, index=False)
    with pytest.raises(DataError, match="needs the columns Word, Negative"):
        load_risk_words()
    table.assign(Litigious=0).to_csv(tmp_path / MASTER, index=False)
    with pytest.raises(DataError, match="no word that is litigious"):
        load_risk_words()


# -------------------------------------------------------------------------------- planted effects


@pytest.mark.slow
def test_words_and_the_past_tell_of_the_planted_risk_and_nothing_without_it():
    found = {}
    for effect in (0.25, 0):
        sections, prices = synthetic_filings(risk_effect=effect)
        after = volatility_after_filing(sections, prices)
        known = after.notna().all(axis=1)
        words = sections["text"].str.split()
        risky = words.map(lambda text: sum(word in RISKY for word in text))
        calm = words.map(lambda text: sum(word in CALM for word in text))
        count = ((risky - calm) / words.str.len())[known]
        outcome, filed = after.loc[known, "volatility"], sections.loc[known, "date_filed"]
        past = after.loc[known, "past_252"]
        found[effect] = [judge("risk", outcome, values, filed) for values in (count, past)]
    assert min(found[0.25]) > 0.5 and np.abs(found[0]).max() < 0.1


def test_other_chance_changes_returns_and_no_text():
    first, second = synthetic_filings(5, 3), synthetic_filings(5, 3, chance=1)
    pd.testing.assert_frame_equal(first[0], second[0])
    assert not np.allclose(first[1], second[1])


def test_the_order_says_what_the_counted_words_do_not():
    """The sum over words is worth nothing with an effect of order, and much with one of words."""
    for order, low, high in ((True, -0.08, 0.08), (False, 0.6, 0.8)):
        texts, outcome = ordered_texts(2000, order)
        words = [" ".join(sentences).split() for sentences in texts]
        tone = [sum((word in GOOD) - (word in BAD) for word in text) for text in words]
        assert low < np.corrcoef(tone, outcome)[0, 1] < high
    assert ordered_texts(50)[0] == ordered_texts(50, order=False)[0], "the same texts"


def test_a_sentence_is_a_block_with_padding_at_the_end():
    known = Vocabulary(["[pad]", "[unknown]", "orders", "improved"])
    blocks, weights, length = sentence_blocks([["orders improved", "orders"], ["new"]], known)
    assert weights[0] == pytest.approx(np.array([[0.5**0.5, 0.5**0.5], [1, 0]]))
    assert length[:, 0] == pytest.approx([1, -1])
    assert blocks.tolist() == [[[2, 3], [2, 0]], [[1, 0], [0, 0]]]
    assert not refused_by_cudnn((blocks != 0).any(axis=-1))


# -------------------------------------------------------------- what would have gone wrong, in 09


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_early_entry_and_a_time_of_day_pretend_skill(seed):
    """Both buy before the reaction of the market to the text, and rank it better than can be."""
    sections, prices = synthetic_filings(60, 10, seed=seed)
    words = sections["text"].str.split()
    tone = words.map(lambda text: sum((word in GOOD) - (word in BAD) for word in text))
    tone = (tone / words.str.len()).to_numpy()
    day_before = sections.assign(date_filed=sections["date_filed"] - pd.Timedelta("1D"))
    stamped = prices.set_axis(prices.index + pd.Timedelta("16h"))
    entries = {
        "honest": returns_after_filing(sections, prices),
        "early": returns_after_filing(sections, prices, delay=0),
        "stamped": returns_after_filing(day_before, prices),
    }
    found = {}
    for name, after in entries.items():
        found[name] = judge("return", after["excess"].fillna(0), tone, sections["date_filed"])
    assert min(found["early"], found["stamped"]) > found["honest"] + 0.05
    # A search among stamps finds the close of the day itself; days are compared, so no harm is done.
    naive = prices.index[stamped.index.searchsorted(sections["date_filed"], side="right")]
    usable = entries["stamped"]["entry"].notna()
    assert (entries["stamped"]["entry"] == naive)[usable].all()
    pd.testing.assert_frame_equal(returns_after_filing(sections, stamped), entries["honest"])
