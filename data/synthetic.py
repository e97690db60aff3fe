"""Synthetic 10-K sections and prices, with a planted effect of the wording."""

import numpy as np
import pandas as pd

COLUMNS = ["ticker", "cik", "form", "date_filed", "item", "text"]
EFFECT = (
    0.02  # excess return over the week of the planted effect, per standard deviation of the tone
)
NEWS = 0.4  # sentences that carry the tone, for each of the boilerplate
KEPT = 0.9  # share of the boilerplate that a company repeats the year after
GOOD = "improved resolved strengthened diversified stable renewed recovered favorable".split()
BAD = "impaired disputed weakened concentrated volatile terminated deteriorated adverse".split()
NEWS_OPENINGS = (
    "We expect|We depend on|Reports on|This year saw|Analysts discuss|Competitors point "
    "to|Last quarter brought"
).split("|")
OPENINGS = (
    "Changes in|Any shortage of|Our exposure to|The cost of|New rules on|A lasting decline "
    "in|Our plans for|The timing of|"
    "Public debate about|Errors in our estimates of|A lack of insurance for|Our limited "
    "experience with|The outcome of"
).split("|")
SUBJECTS = (
    "demand|competition|regulation|litigation|technology|labor|weather|credit|interest "
    "rates|supply chain conditions|"
    "raw materials|natural gas prices|intellectual property rights|foreign exchange "
    "rates|freight|pensions|rents|patents|"
    "clinical trials|product recalls|union contracts|government budgets|reserve "
    "estimates|customer deposits|tax credits|"
    "goodwill|spare parts|water rights|dealer networks|software licenses|drilling "
    "permits|warranty claims|key employees"
).split("|")
LATE_SUBJECTS = "data privacy|cyber attacks|import tariffs".split(
    "|"
)  # in the news from LATE_YEAR on
LATE_YEAR = 2014
VERBS = (
    "may|could|might|can|will|would|should soon|need not|may again|could eventually|will "
    "hardly|might gradually"
).split("|")
ACTIONS = (
    "affect|reduce|delay|change|limit|raise|alter|restrict|influence|disrupt|postpone|"
    "complicate|expose|erode|weigh on|"
    "shift|absorb|divert|lengthen|prevent|outweigh|require us to review|force us to write "
    "down|lead others to question"
).split("|")
OBJECTS = (
    "revenues|operating costs|cash flows|the value of the stock|customers|working capital|gross "
    "margins|our suppliers|"
    "orders|the terms of our loans|shipments|inventories|hiring|research|capital spending|the "
    "price of our shares|leases|"
    "joint ventures|the dividend|collections|our brand|the life of our plants|regional "
    "offices|deliveries|royalties"
).split("|")
PLACES = (
    "in any period|across markets|during the next years|for some time|in unknown ways|at short "
    "notice|in our main regions|"
    "before we can respond|at the same time|to a degree that we cannot measure|outside our "
    "control|in a single quarter"
).split("|")
LINKS = (
    "which in turn|and this|although management believes that it|because nobody knows how "
    "it|unless regulators decide that it|"
    "so that sooner or later it|while a plan to contain it|and, to the extent that insurance "
    "pays nothing, it"
).split("|")
SYLLABLES = (
    "bar cor dal el fen gar hol is jun kel lor mar nor ost pel quin ros sel tor ul ver wen yar zan"
).split()
PREAMBLE = (
    "This section describes what could make results differ from plans. Statements about the "
    "future, which one recognizes by "
    "words such as expect, plan, intend or believe, rest on assumptions that were reasonable "
    "when they were made but may turn "
    "out to be wrong, and no reader should rely on them without weighing the risks below, the "
    "notes to the accounts, and the "
    "reports that we will publish later in the year. We do not promise to correct such "
    "statements afterwards."
)


def synthetic_filings(companies=120, years=20, effect=EFFECT, seed=0):
    """(filings, prices): made-up Item 1A sections, one a company and year from 2000, and daily
    prices.

    A section has a preamble that is the same everywhere, the company's boilerplate, of which the
    share KEPT stays from one year to the next, and NEWS sentences for each of these, scattered over
    it, with one word of GOOD or BAD each. Tone is the standard normal number that sets the share of
    GOOD. The five daily returns that follow the close of the first trading day after ``date_filed``
    each get ``effect * tone / 5``. That first day itself gets ``effect * tone``: the reaction of
    the market, which comes too early to be traded. ``effect=0`` plants nothing, with the same
    texts.

    Form follows real sections: sentences from a few words to more than 50, common and rare words,
    names that only one company uses, headings, bullets, figures, and a small table. Lengths are
    log-normal, about 1,700 words at the median, a quarter of a real section. Terms of two and three
    words ("interest rates", "intellectual property rights") are there for phrase detection; some
    come up in LATE_YEAR only, as such terms do.
    """
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("1999-06-01", f"{2000 + years}-06-30", name="date")
    tickers = [f"SYN{number:03d}" for number in range(companies)]
    returns = rng.normal(0.0003, 0.008, (len(days), 1)) + rng.normal(
        0, 0.015, (len(days), companies)
    )
    rows = []
    for column, ticker in enumerate(tickers):
        names = ["".join(rng.choice(SYLLABLES, 3)).capitalize() for _ in range(20)]
        size = int(np.clip(rng.lognormal(3.8, 0.5), 12, 250))
        boilerplate = _boilerplate(rng, size, years, names)
        for year, repeated in enumerate(boilerplate, start=2000):
            filed = pd.Timestamp(year, 2, 1) + pd.Timedelta(days=int(rng.integers(0, 60)))
            tone = rng.normal()
            news = _news(rng, round(NEWS * size), tone, year >= LATE_YEAR)
            body = " ".join(np.insert(repeated, rng.integers(0, size + 1, len(news)), news))
            text = "\n\n".join(
                ["Item 1A. Risk Factors.", PREAMBLE, body, *_table(rng, names, year)]
            )
            rows.append((ticker, 1_000_000 + column, "10-K", filed, "1A", text))
            entry = days.searchsorted(filed, side="right")
            returns[entry, column] += effect * tone
            returns[entry + 1 : entry + 6, column] += effect * tone / 5
    filings = pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["date_filed", "ticker"], ignore_index=True
    )
    prices = pd.DataFrame(
        50 * np.exp(returns.cumsum(axis=0)), days, pd.Index(tickers, name="ticker")
    )
    return filings, prices


def _draw(rng, terms, size):
    """``size`` of the terms, the first ones more often than the last."""
    return np.array(terms, dtype=object)[(len(terms) * rng.random(size) ** 1.5).astype(int)]


def _sentences(rng, openings, subjects, longer):
    """Sentences without full stop: an opening, a subject, a clause, and on average ``longer``
    clauses more.
    """
    sentences, clauses = openings + " " + subjects, rng.poisson(longer, len(openings))
    for number in range(clauses.max(initial=0) + 1):
        rows = np.flatnonzero(clauses >= number)
        if number:
            sentences[rows] += ", " + _draw(rng, LINKS, len(rows))
        for terms in (VERBS, ACTIONS, OBJECTS, PLACES):
            sentences[rows] += " " + _draw(rng, terms, len(rows))
    return sentences


def _boilerplate(rng, size, years, names):
    """(years, size) sentences of a company, some about a figure or one of its ``names``, some with
    heading or bullet.
    """
    new = rng.random((years, size)) > KEPT
    new[0] = True
    total = new.sum()
    subjects = _draw(rng, SUBJECTS, total)
    details = [
        *(f" at {name}" for name in names),
        *(f" by {share} percent" for share in rng.integers(2, 60, 5)),
        *[""] * 25,
    ]
    sentences = (
        _sentences(rng, _draw(rng, OPENINGS, total), subjects, 1.3)
        + rng.choice(details, total).astype(object)
        + "."
    )
    form = rng.choice(["heading", "bullet", "plain"], total, p=[0.03, 0.05, 0.92])
    headed = "\n\nRisks of " + subjects + "\n\n" + sentences
    sentences = np.select(
        [form == "heading", form == "bullet"], [headed, "• " + sentences], sentences
    )
    return sentences[
        np.maximum.accumulate(np.where(new, new.cumsum().reshape(new.shape) - 1, 0), axis=0)
    ]


def _news(rng, size, tone, late):
    """Sentences with one word of GOOD or BAD each."""
    words = np.where(
        rng.random(size) < 1 / (1 + np.exp(-tone)), rng.choice(GOOD, size), rng.choice(BAD, size)
    ).astype(object)
    subjects = _draw(rng, LATE_SUBJECTS * late + SUBJECTS, size)
    return _sentences(rng, _draw(rng, NEWS_OPENINGS, size) + " " + words, subjects, 0.5) + "."


def _table(rng, names, year):
    """In some filings, rows of figures as a table leaves them once its lines are gone."""
    figures = rng.integers(100, 9000, (3, 3)) if rng.random() < 0.2 else []
    return [
        f"{name} {' '.join(f'{figure:,}' for figure in row)} {year}"
        for name, row in zip(names, figures)
    ]
