"""Patience with passing faults, and a plain explanation of those that stay."""

import errno
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import tenacity
from tqdm import tqdm

from data.source import DataError

TIMEOUT = 30  # seconds without a byte
ATTEMPTS = 5
GIVE_UP = 3  # items in a row
LONGEST_WAIT = 120  # seconds; a server that asks for more gets no further request in this run
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses worth another attempt
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
sleep = time.sleep
STEPS = {  # status: what to do about it
    403: "the server refuses this machine: wait, or try from another network",
    404: "the address may have changed: compare it with data/README.md",
    429: "too many requests: wait an hour, then run the command again",
}
CAUSES = (  # text of the errors of requests, curl and httpx: (cause, what to do about it)
    (
        r"NameResolution|resolve (host|proxy)|getaddrinfo|Name or service|nodename",
        "the server's name could not be resolved (no DNS)",
        "check the network connection and the proxy settings, then run the command again",
    ),
    (r"timed? ?out", "the server stopped answering", "run the command again later"),
    (
        r"[Rr]eset|[Aa]bort|abrupt|Incomplete|disconnected|closed connection|refused",
        "the connection broke",
        "run the command again",
    ),
    (
        r"JSON value|end of data|zero-length",
        "an error page, or half an answer, came instead of JSON",
        "run the command again later",
    ),
    (
        r"hash of downloaded file",
        "the file is damaged or another one (wrong hash)",
        "run the command again; if the hash stays wrong, the source has changed",
    ),
)


class DownloadError(DataError):
    """A download failed and changed nothing: ``cause`` in a few words, ``step`` to do next."""

    def __init__(self, cause, step="run the command again"):
        super().__init__(f"{cause}. Next: {step}")
        self.cause, self.step = cause, step


def progress(items: Iterable | None = None, **options: object) -> tqdm:
    """A progress bar, for those who watch: in a log file it would be rubbish."""
    return tqdm(items, disable=None, **options)


def one_by_one(
    items: Sequence[str], fetch: Callable[[str], object], unit: str, title: str
) -> tuple[dict[str, object], dict[str, str]]:
    """``fetch(item)`` for all items, with a progress bar: ({item: result}, {failed item: cause}).

    Where all fail, or several in a row, the cause is not theirs: it is raised.
    """
    arrived, failed, in_a_row = {}, {}, 0
    for item in progress(items, desc=title, unit=unit):
        try:
            arrived[item] = fetch(item)
            in_a_row = 0
        except DownloadError as error:
            failed[item] = error.cause
            in_a_row += 1
            if in_a_row == GIVE_UP or len(failed) == len(items):
                kept = f"{', '.join(failed)} failed, {len(arrived)} kept for the next run"
                raise DownloadError(f"{error.cause} ({kept})", error.step) from error
    return arrived, failed


def patiently(action: Callable, *arguments: object, **options: object) -> object:
    """Call ``action``, again after a passing fault, waiting as long as the server asks, and longer
    each time.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_passing),
        wait=lambda state: max(
            retry_after(state.outcome.exception()), 2 ** (state.attempt_number - 1)
        ),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        before_sleep=announce,
        sleep=lambda seconds: sleep(seconds),
        reraise=True,
    )
    return retrying(action, *arguments, **options)


def announce(state: tenacity.RetryCallState) -> None:
    """Say that a wait begins, and why."""
    cause = explain(state.outcome.exception()).cause
    tqdm.write(f"{cause}: next attempt in {state.next_action.sleep:.0f} s", file=sys.stderr)


def status_of(error: BaseException) -> int | None:
    """HTTP error status behind an error of requests, curl_cffi, httpx or edgartools, or None."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) if response is None else response.status_code
    return (
        status if status and status >= 400 else None
    )  # a body that breaks off may still have the status 200


def retry_after(error: BaseException) -> float:
    """Seconds the server asks to wait (``Retry-After``, a number or a date), else 0."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    value = getattr(error, "retry_after", None) or headers.get("Retry-After") or 0
    try:
        return float(value)
    except ValueError:
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except ValueError:
            return 0.0


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed soon: a busy server, or a connection that failed."""
    status = status_of(error)
    client = type(error).__module__.partition(".")[0]
    broken = status is None and client in {"requests", "curl_cffi", "httpx"}
    return (broken or status in PASSING) and retry_after(error) <= LONGEST_WAIT


def explain(error: BaseException) -> DownloadError:
    """The DownloadError that says what an exception of a client means."""
    if status := status_of(error):
        phrase = {known.value: known.phrase for known in HTTPStatus}.get(status, "unknown status")
        step = STEPS.get(status, "the server is in trouble: run the command again later")
        if wait := retry_after(error):
            step = f"wait {wait:.0f} seconds, as the server asks, then run the command again"
        return DownloadError(f"HTTP {status} ({phrase}){host_of(error)}", step)
    if isinstance(error, OSError) and error.errno in FULL:
        return DownloadError(
            "no space left to write the file", "free some disk space, then run the command again"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return DownloadError(
            f"{error.filename}: {error.strerror}", "choose another folder with RNN_TRADING_DATA"
        )
    for pattern, cause, step in CAUSES:
        if re.search(pattern, str(error)):
            return DownloadError(cause + host_of(error), step)
    text = " ".join(str(error).split())[:200]
    return DownloadError(f"the answer could not be read ({type(error).__name__}: {text})")


def host_of(error: BaseException) -> str:
    """`` from <host>`` where the error knows its request."""
    for holder in (getattr(error, "response", None), error, getattr(error, "request", None)):
        if url := getattr(holder, "url", None):
            return f" from {urlsplit(str(url)).hostname}"
    return ""


def reject_page(content: bytes) -> None:
    """Raise a DownloadError where an HTML page, or nothing, came instead of data."""
    if not content.strip():
        raise DownloadError("the answer was empty", "run the command again later")
    if content.lstrip()[:200].lower().startswith((b"<html", b"<!doctype html")):
        raise DownloadError(
            "an HTML page came instead of data",
            "open the address in a browser to read it, and run the command again later",
        )
