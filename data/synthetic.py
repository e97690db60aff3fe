"""Synthetic 10-K sections and prices, with planted effects of the wording on return and risk."""

from functools import lru_cache

import numpy as np
import pandas as pd

COLUMNS = ["ticker", "cik", "form", "date_filed", "item", "text"]
EFFECT = (
    0.02  # excess return over the week of the planted effect, per standard deviation of the tone
)
NEWS = 0.6  # sentences that carry the tone, for each of the boilerplate
RISK_EFFECT = 0.25  # log volatility of the year after, per standard deviation of the risk
RISK_NEWS = 0.5  # sentences that carry the risk, for each of the boilerplate
LASTING = 0.8  # correlation of a company's risk with that of the year before
KEPT = 0.9  # share of the boilerplate that a company repeats the year after
GOOD = "improved resolved strengthened diversified stable renewed recovered favorable".split()
BAD = "impaired disputed weakened concentrated volatile terminated deteriorated adverse".split()
RISKY = (
    "covenants refinancing dilution restatement backlogs subpoenas downgrades writedowns".split()
)
CALM = "annuities renewals franchises prepayments reserves tenders subscriptions royalty".split()
RISK_OPENINGS = (
    "Much rests on|Our plan includes|The board reviews|A part of our result is|We report".split("|")
)
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
LATE_SUBJECTS = {  # terms that are in the news from a year on, and never before
    "data privacy": 2013,
    "cyber attacks": 2014,
    "autonomous vehicles": 2015,
    "import tariffs": 2016,
    "distributed ledgers": 2017,
    "climate disclosure": 2018,
}
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
MATERIALS = (  # what a company works with; a sector has twelve of them
    "ore|steel|copper|cement|timber|glass|pulp|coal|gravel|zinc|brick|slate|"
    "grain|dairy|poultry|sugar|cocoa|fruit|fish|malt|spice|flour|honey|seed|"
    "serum|enzyme|vaccine|implant|catheter|reagent|tissue|tablet|plasma|lens|clinic|dose|"
    "loan|deposit|annuity|mortgage|pension|bond|card|escrow|broker|lease|claim|fund|"
    "chip|server|router|sensor|software|cable|signal|data|laser|screen|battery|antenna|"
    "port|freight|rail|truck|airline|barge|parcel|tanker|cargo|depot|bus|ferry"
).split("|")
ACTIVITIES = (
    "handling storage pricing leasing testing sorting refining casting blending grading trading "
    "packing loading drying cutting coating cleaning routing printing scanning recycling repair "
    "transport disposal assembly design licensing marketing planning sourcing supply purchasing "
    "billing financing insurance brokerage hedging pooling audit inspection training staffing "
    "maintenance monitoring security permitting zoning drilling milling mixing cooling heating "
    "filtering labeling wholesale retail export import auction delivery scheduling forecasting "
    "certification recovery conversion extraction processing fabrication installation renovation"
).split()
SECTORS = 6
WITH_LINES = " in ", ", ", ", ", " and "  # so many lines in each clause
LONGER = 0.5  # clauses more in a sentence of the boilerplate
OWN_LINES = 150  # lines of business that a company writes about, such as "ore-handling"
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


def synthetic_filings(
    companies: int = 120,
    years: int = 20,
    effect: float = EFFECT,
    seed: int = 0,
    risk_effect: float = RISK_EFFECT,
    chance: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(filings, prices): made-up Item 1A sections, one a company and year from 2000, and daily
    prices.

    A section has a preamble that is the same everywhere, the company's boilerplate, of which the
    share KEPT stays from one year to the next, and NEWS sentences for each of these, scattered over
    it, with one word of GOOD or BAD each. Tone is the standard normal number that sets the share of
    GOOD. The five daily returns that follow the close of the first trading day after ``date_filed``
    each get ``effect * tone / 5``. That first day itself gets ``effect * tone``: the reaction of
    the market, which comes too early to be traded. ``effect=0`` plants nothing, with the same
    texts.

    A company's risk is a standard normal number too, but a lasting one: its correlation with the
    year before is LASTING. It sets the share of words of RISKY, less of CALM, in RISK_NEWS
    sentences for each of the boilerplate. From the second day after ``date_filed`` to the next
    filing, the company's own daily returns are multiplied by ``exp(risk_effect * risk)``. So both
    the words and the volatility of the past tell of the volatility to come. ``chance`` is a seed of
    other returns for the same texts and effects.

    Form follows real sections: sentences from a few words to more than 50, common and rare words,
    lines of business that few companies share ("ore-handling"), names that only one company uses,
    headings, bullets, figures, and a small table. Lengths are log-normal, about 2,100 words at the
    median, a little more than a quarter of a real section. Terms of two and three words ("interest
    rates", "intellectual property rights") are there for phrase detection; some come up in late
    years only, as such terms do.
    """
    filings, tones, risks = _texts(companies, years, seed)
    tickers = sorted(filings["ticker"].unique())
    days = pd.bdate_range("1999-06-01", f"{2000 + years}-06-30", name="date")
    rng = np.random.default_rng([seed, 1 if chance is None else 2 + chance])
    market = rng.normal(0.0003, 0.008, (len(days), 1))
    own = rng.normal(0, 0.015, (len(days), companies))
    planted = np.zeros_like(own)
    filed = filings["date_filed"]
    entries = days.searchsorted(filed, side="right")
    columns = pd.Index(tickers).get_indexer(filings["ticker"])
    for entry, column, year, tone, risk in zip(entries, columns, filed.dt.year, tones, risks):
        planted[entry, column] += effect * tone
        planted[entry + 1 : entry + 6, column] += effect * tone / 5
        following = days.searchsorted(pd.Timestamp(year + 1, 2, 1))
        own[entry + 1 : following, column] *= np.exp(risk_effect * risk)
    prices = pd.DataFrame(
        50 * np.exp((market + own + planted).cumsum(axis=0)), days, pd.Index(tickers, name="ticker")
    )
    return filings.copy(), prices


@lru_cache(maxsize=1)
def _texts(companies, years, seed):
    """(filings, tones, risks), sorted by date and ticker; the last one is kept, for other prices of
    the same texts.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for column in range(companies):
        ticker = f"SYN{column:03d}"
        names = ["".join(rng.choice(SYLLABLES, 3)).capitalize() for _ in range(20)]
        lines = _lines_of_business(rng, column % SECTORS)
        size = int(np.clip(rng.lognormal(3.6, 0.5), 12, 200))
        boilerplate = _boilerplate(rng, size, years, names, lines)
        risk = rng.normal()
        for year, repeated in enumerate(boilerplate, start=2000):
            filed = pd.Timestamp(year, 2, 1) + pd.Timedelta(days=int(rng.integers(0, 60)))
            tone = rng.normal()
            risk = LASTING * risk + np.sqrt(1 - LASTING**2) * rng.normal()
            late = [term for term, first in LATE_SUBJECTS.items() if year >= first]
            news = _news(rng, round(NEWS * size), tone, late, lines)
            news = np.append(news, _risk_sentences(rng, round(RISK_NEWS * size), risk, lines))
            body = " ".join(np.insert(repeated, rng.integers(0, size + 1, len(news)), news))
            text = "\n\n".join(
                ["Item 1A. Risk Factors.", PREAMBLE, body, *_table(rng, names, year)]
            )
            rows.append((ticker, 1_000_000 + column, "10-K", filed, "1A", text, tone, risk))
    filings = pd.DataFrame(rows, columns=[*COLUMNS, "tone", "risk"])
    filings = filings.sort_values(["date_filed", "ticker"], ignore_index=True)
    return filings[COLUMNS], filings["tone"].to_numpy(), filings["risk"].to_numpy()


def _lines_of_business(rng, sector):
    """OWN_LINES of the lines of business of a sector, the ones of the company."""
    each = len(MATERIALS) // SECTORS
    materials = MATERIALS[sector * each : (sector + 1) * each]
    lines = [f"{material}-{activity}" for material in materials for activity in ACTIVITIES]
    return [str(line) for line in rng.permutation(lines)[:OWN_LINES]]


def _draw(rng, terms, size):
    """``size`` of the terms, the first ones more often than the last."""
    return np.array(terms, dtype=object)[(len(terms) * rng.random(size) ** 1.5).astype(int)]


def _sentences(rng, openings, subjects, longer, lines):
    """Sentences without full stop: an opening, a subject, a clause, and on average ``longer``
    clauses more, with some of the ``lines`` of business in each.
    """
    sentences, clauses = openings + " " + subjects, rng.poisson(longer, len(openings))
    for number in range(clauses.max(initial=0) + 1):
        rows = np.flatnonzero(clauses >= number)
        if number:
            sentences[rows] += ", " + _draw(rng, LINKS, len(rows))
        for terms in (VERBS, ACTIONS, OBJECTS):
            sentences[rows] += " " + _draw(rng, terms, len(rows))
        for word in WITH_LINES:
            sentences[rows] += word + _draw(rng, lines, len(rows))
        sentences[rows] += " " + _draw(rng, PLACES, len(rows))
    return sentences


def _boilerplate(rng, size, years, names, lines):
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
        _sentences(rng, _draw(rng, OPENINGS, total), subjects, LONGER, lines)
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


def _news(rng, size, tone, late, lines):
    """``size`` sentences with one word of GOOD or BAD each; ``late``: terms of recent years."""
    words = np.where(
        rng.random(size) < 1 / (1 + np.exp(-tone)), rng.choice(GOOD, size), rng.choice(BAD, size)
    ).astype(object)
    subjects = _draw(rng, [*late, *SUBJECTS], size)
    return (
        _sentences(rng, _draw(rng, NEWS_OPENINGS, size) + " " + words, subjects, 0.2, lines) + "."
    )


def _risk_sentences(rng, size, risk, lines):
    """``size`` sentences with one word of RISKY or CALM each."""
    risky = rng.random(size) < 1 / (1 + np.exp(-risk))
    words = np.where(risky, rng.choice(RISKY, size), rng.choice(CALM, size)).astype(object)
    openings = _draw(rng, RISK_OPENINGS, size) + " " + words + " and"
    subjects = _draw(rng, SUBJECTS, size)
    return _sentences(rng, openings, subjects, 0.2, lines) + "."


def _table(rng, names, year):
    """In some filings, rows of figures as a table leaves them once its lines are gone."""
    figures = rng.integers(100, 9000, (3, 3)) if rng.random() < 0.2 else []
    return [
        f"{name} {' '.join(f'{figure:,}' for figure in row)} {year}"
        for name, row in zip(names, figures)
    ]
