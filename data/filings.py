"""Sections of 10-K filings: the reader's own, or synthetic ones with a planted effect of the
wording.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data import synthetic
from data.catalog import DATASETS, record
from data.checks import ContractError, as_days, as_tickers
from data.files import whole_file
from data.prices import load_stock_prices
from data.source import ROOT, damaged, local_file
from data.synthetic import COLUMNS, synthetic_filings

BUNDLED = ROOT / "build" / "filings" / "synthetic.parquet"
LOCAL_COPY = BUNDLED.with_name("local.parquet")
TEXT_TYPES = ("string", "large_string")


def load_filings(text=True):
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
        filings = filings.sort_values(["date_filed", "ticker"], kind="stable", ignore_index=True)
        return record(
            filings,
            "filings",
            "local",
            path.name,
            dataset.live_licence,
            path,
            filings["date_filed"],
        )
    filings, _ = synthetic_filings()
    origin = "data.synthetic.synthetic_filings"
    return record(
        filings[columns],
        "filings",
        "bundled",
        origin,
        dataset.licence,
        Path(synthetic.__file__),
        filings["date_filed"],
    )


def _read_local(path, columns):
    try:
        filings = pd.read_parquet(path, columns=columns)
        if filings.index.name in columns and filings.index.name not in filings:
            filings = filings.reset_index()
        filings = filings[columns]
    except (ValueError, KeyError, OSError) as error:
        raise damaged(
            path, f"needs the columns {', '.join(COLUMNS)} ({error})", "filings"
        ) from error
    if filings.empty:
        raise damaged(path, "has no rows, at least 1 is needed", "filings")
    if filings["date_filed"].isna().any():
        raise damaged(path, "a filing has no date", "filings")
    try:
        return _in_our_form(filings)
    except ContractError as error:
        raise damaged(path, str(error), "filings") from error


def _in_our_form(filings):
    """Days, tickers and items as they are used here; texts are checked, and left as they are."""
    filings = filings.assign(
        date_filed=as_days(filings["date_filed"], "date_filed"),
        ticker=as_tickers(filings["ticker"]).to_numpy(),
        item=as_tickers(filings["item"], "item").to_numpy(),
    )
    if "text" in filings:
        no_text = ~filings["text"].map(lambda text: text is None or isinstance(text, str))
        no_text &= filings["text"].notna()
        if no_text.any():
            row = int(no_text.to_numpy().argmax())
            found = str(filings["text"].iloc[row])[:40]
            raise ContractError(f"row {row + 1} has {found} as text; needs a text in each row")
    return filings


def filings_file():
    """The Parquet file behind ``load_filings``, to be read as a stream; the synthetic one is
        written to ``build/``.

        A local file whose dates or tickers are in another form than ours is copied to ``build/``,
    in our form.
    """
    if path := local_file(*DATASETS["filings"].files):
        light = _read_local(path, COLUMNS[:-1])
        stored = pq.ParquetFile(path)
        types = {field.name: field.type for field in stored.schema_arrow}
        ours = pa.types.is_timestamp(types["date_filed"]) and types["date_filed"].tz is None
        ours = ours and all(str(types[name]) in TEXT_TYPES for name in ("ticker", "item"))
        if ours:
            raw = pd.DatetimeIndex(stored.read(["date_filed"])["date_filed"].to_pandas())
            if (raw == pd.DatetimeIndex(light["date_filed"])).all():
                return path
        return _copy_in_our_form(stored)
    BUNDLED.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(BUNDLED) as temporary:
        synthetic_filings()[0].to_parquet(temporary, index=False, row_group_size=500)
    return BUNDLED


def _copy_in_our_form(stored):
    LOCAL_COPY.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    schema = schema.set(1, pa.field("cik", pa.int64())).set(
        3, pa.field("date_filed", pa.timestamp("us"))
    )
    with whole_file(LOCAL_COPY) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for batch in stored.iter_batches(batch_size=500):
            rows = pa.Table.from_batches([batch]).to_pandas()
            rows = rows.reset_index() if rows.index.name in COLUMNS else rows
            rows = _in_our_form(rows[COLUMNS])
            writer.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False))
    return LOCAL_COPY


def load_filing_prices():
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
