"""Made-up panels of months, and errors on them, for the tests of macro forecasts and of the network."""

import numpy as np
import pandas as pd

from features import macro

KINDS = {"sentiment": "level", "ip": "growth", "rate": "difference", "spread": "level"}


def panel_of(changes, start="1970-01-01"):
    """A panel whose first and last columns are levels, the others summed changes of it."""
    months = pd.date_range(start, periods=len(changes), freq="MS")
    sums = np.cumsum(changes, axis=0)
    columns = [changes[:, 0], 50 * np.exp(sums[:, 1] / 100), sums[:, 2], changes[:, 3]]
    return pd.DataFrame(dict(zip(KINDS, columns)), months)


def with_another_future(panel, last):
    """``panel`` with the months after ``last`` shuffled and stretched."""
    changed, after = panel.copy(), panel.index > last
    changed.loc[after] = panel[after].sample(frac=1, random_state=1).to_numpy() * 1.5
    return changed


def error_ratio(fit, rival, data):
    """Error of production one month ahead over 96 months, relative to ``rival``."""
    dates = data.index[480:576]
    truth = macro.actual_paths(data, KINDS, dates, 1)[:, 0, 1]
    errors = []
    for one in (fit, rival):
        paths = macro.rolling_paths(one, data, KINDS, dates, 1, 200, every=96)
        errors.append(np.abs(np.median(paths[:, :, 0, 1], axis=1) - truth).mean())
    return errors[0] / errors[1]
