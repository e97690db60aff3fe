"""The windows that notebook 02 builds: written there, read by 03 and 04."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.catalog import DATASETS
from data.files import whole_file
from data.source import ROOT, DataError, Source, check_in_use
from utils import Windows

FOLDER = ROOT / "build" / "dataset"


def save_windows(name, windows, features, source, **details):
    """Write ``build/dataset/<name>.parquet``, one row a sample, and return its path.

    Columns: ``input_end`` and ``target_date``, ``ticker``, ``forward_return`` (``windows.y``), each
    of ``details`` (name=array of one value a sample), and each of ``features`` (names of the last
    axis of ``windows.X``) as a list of fixed length, float32, oldest step first. The ``source``
    record travels in the file. The file is complete or absent.
    """
    columns = {
        "input_end": windows.input_end,
        "target_date": windows.target_date,
        "ticker": pa.array(windows.ticker),
        "forward_return": windows.y,
        **details,
    }
    for number, feature in enumerate(features):
        flat = np.ascontiguousarray(windows.X[:, :, number]).reshape(-1)
        columns[feature] = pa.FixedSizeListArray.from_arrays(pa.array(flat), windows.X.shape[1])
    record = {"source": source, "features": list(features)}
    table = pa.table(columns).replace_schema_metadata({"windows": json.dumps(record)})
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.parquet"
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="lz4", row_group_size=len(table))
    return path


def load_windows(name):
    """What ``save_windows`` wrote, as (windows, details); prints the source of the prices in one
    line.

    ``windows`` is a utils.Windows whose ``y`` is the raw forward return; ``details`` is a DataFrame
    with one row a
    sample in the same order: ``ticker``, ``input_end``, ``target_date``, ``forward_return`` and the
    other columns of the file. ``details.attrs`` holds "source" and "features" (the names of the
    last axis of ``windows.X``).

    Raises DataError if the file is absent or damaged, or was made from other prices than those in
    use now: from local ones where the bundled ones are used, the other way round, or from another
    local file.
    """
    path = FOLDER / f"{name}.parquet"
    command = "make notebooks NB=02"
    if not path.is_file():
        raise DataError(
            f"{path.relative_to(ROOT)} is not there: notebook 02 writes it, run: {command}"
        )
    try:
        table = pq.read_table(path)
        record = json.loads(table.schema.metadata[b"windows"])
        source, features = Source(record["source"]), record["features"]
        columns = [table[feature].combine_chunks() for feature in features]
        steps = columns[0].type.list_size
        values = [column.flatten().to_numpy().reshape(-1, steps) for column in columns]
        details = table.drop_columns(features).to_pandas()
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{path.relative_to(ROOT)} is damaged ({error}); make it anew: {command}"
        ) from error
    check_in_use(source, DATASETS["prices"].files, path.relative_to(ROOT), command)
    print(source)
    details.attrs = {"source": source, "features": features}
    windows = Windows(
        X=np.stack(values, axis=-1),
        y=details["forward_return"].to_numpy(),
        input_end=details["input_end"].to_numpy(),
        target_date=details["target_date"].to_numpy(),
        ticker=details["ticker"].array,
    )
    return windows, details
