"""Sections of 10-K filings: the reader's own, or synthetic ones with a planted effect of the
wording.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data import synthetic
from data.catalog import DATASETS, record
from data.checks import (
    SHORT,
    ContractError,
    as_ciks,
    as_days,
    as_items,
    as_tickers,
    only_refers,
)
from data.files import whole_file
from data.prices import load_stock_prices
from data.source import ROOT, damaged, local_file, sha256
from data.synthetic import COLUMNS, synthetic_filings
from data.tables import some

BUNDLED = ROOT / "build" / "filings" / "synthetic.parquet"
LOCAL_COPY = BUNDLED.with_name("local.parquet")
IN_OUR_FORM = ("ticker", "cik", "date_filed", "item")
ANNUAL = ("10-K", "10-K405", "10-KT")  # annual reports with the same items


def load_filings(text: bool = True) -> pd.DataFrame:
    """One row a filing section: ticker, cik, form, date_filed, item, text, sorted by date_filed and
    ticker.

    Local: ``filings_10k.parquet``. Bundled: ``synthetic_filings()``. Rows are passed on as they
    are, also empty texts and filings on a weekend; ``text=False`` leaves the column text out, and
    does not read it. Raises DataError where a column, a date or a ticker is missing, a date is not
    certain, a text is none, or there are no rows. Dates may be dates, ISO text or numbers such as
    20180102, also as index; a time of day and a time zone are cut off.
    """
    dataset, columns = DATASETS["filings"], COLUMNS if text else COLUMNS[:-1]
    if path := local_file(*dataset.files):
        filings = _read_local(path, columns)
        _tell_references(filings, path)
        _tell_forms(filings, path)
        _tell_twice(filings, path)
        filings = filings.sort_values(["date_filed", "ticker"], kind="stable", ignore_index=True)
        days, licence = filings["date_filed"], dataset.live_licence
        return record(filings, "filings", "local", path.name, licence, path, days)
    filings = pd.read_parquet(filings_file(), columns=columns)
    origin = "data.synthetic.synthetic_filings"
    return record(
        filings,
        "filings",
        "bundled",
        origin,
        dataset.licence,
        Path(synthetic.__file__),
        filings["date_filed"],
    )


def _read_local(path, columns):
    try:
        stored = pq.read_schema(path).names
        if missing := [name for name in columns if name not in stored]:
            found = f"has {some(stored)}; {', '.join(missing)} missing"
            raise ContractError(f"needs the columns {', '.join(COLUMNS)}, {found}")
        filings = _plain_index(pd.read_parquet(path, columns=columns))[columns]
        if filings.empty:
            raise ContractError("has no rows, at least 1 is needed")
        return _in_our_form(filings)
    except (ValueError, KeyError, OSError) as error:
        kind = error if isinstance(error, ContractError) else f"cannot be read ({error})"
        raise damaged(path, kind, "filings") from error


def _plain_index(filings):
    """Columns that pandas kept as an index become columns again."""
    levels = [name for name in filings.index.names if name is not None]
    return filings.reset_index(levels) if levels else filings


def _in_our_form(filings):
    """Days, tickers, numbers and items as they are used here; texts are checked, and left as they
    are.
    """
    ciks = as_ciks(filings["cik"])
    filings = filings.assign(
        date_filed=as_days(filings["date_filed"], "date_filed"),
        ticker=as_tickers(filings["ticker"]).to_numpy(),
        cik=(ciks if ciks.isna().any() else ciks.astype("int64")).to_numpy(),
        item=as_items(filings["item"]).to_numpy(),
    )
    if "text" in filings:
        texts = filings["text"].astype(object)
        no_text = texts.notna() & ~texts.map(lambda text: isinstance(text, str)).astype(bool)
        if no_text.any():
            row = int(no_text.to_numpy().argmax())
            found = str(filings["text"].iloc[row])[:40]
            raise ContractError(f"row {row + 1} has {found} as text; needs a text in each row")
    return filings


def _tell_forms(filings, path):
    """Say how many sections come from other forms than annual reports, and are used all the
    same; their items may mean something else.
    """
    forms = filings["form"].astype(str).str.strip().str.upper()
    others = forms[~forms.isin(ANNUAL)].value_counts()
    if len(others):
        named = ", ".join(f"{count:,} of {form}" for form, count in others[:5].items())
        print(
            f"{path.name}: sections of other forms than {', '.join(ANNUAL)} are used as these are, "
            f"though their items may differ: {named}"
        )


def _tell_twice(filings, path):
    """Say how many sections stand twice, under one ticker or under two of one company (cik)."""
    section = ["form", "date_filed", "item"]
    again = filings.duplicated(["ticker", *section])
    again |= filings["cik"].notna() & filings.duplicated(["cik", *section])
    if again.any():
        first = filings[again].iloc[0]
        print(
            f"{path.name}: {again.sum():,} sections stand there before, of the same company, form "
            f"and day, the first is item {first['item']} of {first['ticker']}, "
            f"{first['date_filed']:%Y-%m-%d}; they count twice"
        )


def _tell_references(filings, path):
    """Say how many sections only name the page where their text stands; the file is read as a
    stream.
    """
    places, start = [], 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=500, columns=["text"]):
        try:
            texts = batch.column("text").cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise damaged(path, f"a text is none ({error})", "filings") from error
        short = pc.less(pc.utf8_length(texts), 20 * SHORT).fill_null(False)
        for row in np.flatnonzero(short.to_numpy(zero_copy_only=False)):
            if only_refers(texts[int(row)].as_py()):
                places.append(start + int(row))
        start += len(batch)
    if places:
        first = filings.iloc[places[0]]
        print(
            f"{path.name}: {len(places):,} of {len(filings):,} sections only refer to another "
            f"page or document, the first is item {first['item']} of {first['ticker']}, "
            f"{first['date_filed']:%Y-%m-%d}"
        )


def filings_file() -> Path:
    """The Parquet file behind ``load_filings``, to be read as a stream; the synthetic one is
    written to ``build/``, once for each version of the generator.

    A local file whose dates or tickers are in another form than ours is copied to ``build/``, in
    our form.
    """
    if path := local_file(*DATASETS["filings"].files):
        light = _read_local(path, COLUMNS[:-1])
        stored = pq.ParquetFile(path)
        raw = _plain_index(stored.read(COLUMNS[:-1]).to_pandas())[COLUMNS[:-1]]
        same = all(raw[name].tolist() == light[name].tolist() for name in IN_OUR_FORM)
        return path if same else _copy_in_our_form(stored)
    generator = sha256(synthetic.__file__).encode()
    if BUNDLED.is_file():
        try:
            if (pq.read_schema(BUNDLED).metadata or {}).get(b"generator") == generator:
                return BUNDLED
        except (pa.ArrowInvalid, OSError):
            pass  # damaged: written anew
    BUNDLED.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(synthetic_filings()[0], preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, b"generator": generator})
    with whole_file(BUNDLED) as temporary:
        pq.write_table(table, temporary, row_group_size=500)
    return BUNDLED


def _copy_in_our_form(stored):
    LOCAL_COPY.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    schema = schema.set(1, pa.field("cik", pa.int64())).set(
        3, pa.field("date_filed", pa.timestamp("us"))
    )
    with whole_file(LOCAL_COPY) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for batch in stored.iter_batches(batch_size=500):
            rows = _plain_index(pa.Table.from_batches([batch]).to_pandas())
            rows = _in_our_form(rows[COLUMNS])
            writer.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False))
    return LOCAL_COPY


def load_filing_prices() -> pd.DataFrame:
    """Prices (trading days × tickers) that match ``load_filings``: local filings need the local
    stock prices.
    """
    if local_file(*DATASETS["filings"].files):
        return load_stock_prices()
    _, prices = synthetic_filings()
    origin, licence = "data.synthetic.synthetic_filings", DATASETS["filings"].licence
    return record(
        prices, "filing_prices", "bundled", origin, licence, Path(synthetic.__file__), prices.index
    )
