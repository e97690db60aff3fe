"""What needs Keras: a quiet start, training from several seeds, saving and loading, batches of
texts.

Import this module before ``keras``: TensorFlow logs while it is imported, whatever
TF_CPP_MIN_LOG_LEVEL says (tensorflow issue 100442), and here that chatter is dropped.
"""

import importlib
import json
import logging
import math
import os
import random
import sys
import threading
import time
import uuid
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from data.files import whole_file
from data.source import ROOT
from features.problems import Forecaster, Problem
from features.reviews import LogCountRatios, NaiveBayesRegression
from features.words import PAD, UNKNOWN, Vocabulary, batches_by_length, pad, tokenize, truncate
from scores import NO_LABELS


def _import_quietly() -> None:
    """Import Keras and its backend without their start-up notes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    standard_error = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            import keras  # noqa: F401
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
    logging.getLogger("tensorflow").setLevel(
        logging.ERROR
    )  # several models are intended: no notes on retracing


_import_quietly()
import keras

DETAILS = "details.json"  # beside the model in its file


class Trainer:
    """One compiled model that can be started afresh from any seed.

    Compiling takes most of the time of a small model, so it is built and compiled once. ``build()``
    returns a compiled Keras model; ``start(seed)`` gives it the weights, the random state of
    dropout and the optimizer of a new one. Where ``build`` has arguments, they are given to both,
    and may change fixed weights, never a shape. ``drawn(seed)`` and ``start_from(seed, drawn)`` are
    the two halves of ``start``, where the second is to happen elsewhere.

    Setting TensorFlow's own seed makes it prepare its graphs anew, which takes longer than some
    trainings. Only the shuffling of arrays in ``model.fit`` needs it: where batches come in a fixed
    order or from NumPy, ``shuffles=False`` leaves it alone, and the numbers are the same.
    """

    def __init__(
        self, build: Callable[..., keras.Model], *arguments: object, shuffles: bool = True
    ):
        self.build, self.shuffles = build, shuffles
        self.model = build(*arguments)
        self.model.optimizer.build(self.model.trainable_variables)
        self._optimizer = [
            keras.ops.convert_to_numpy(variable) for variable in self.model.optimizer.variables
        ]

    def start(self, seed: int, *arguments: object) -> keras.Model:
        """The model as if it had just been built after ``keras.utils.set_random_seed(seed)``."""
        return self.start_from(seed, self.drawn(seed, *arguments))

    def drawn(self, seed: int, *arguments: object) -> list[np.ndarray]:
        """The variables of a model built after ``keras.utils.set_random_seed(seed)``."""
        self._set_seed(seed)
        fresh = self.build(*arguments).variables
        return [keras.ops.convert_to_numpy(variable) for variable in fresh]

    def start_from(self, seed: int, drawn: list[np.ndarray]) -> keras.Model:
        """The model with the variables ``drawn``, and what else is random from ``seed`` on."""
        self._set_seed(seed)
        variables = [*self.model.variables, *self.model.optimizer.variables]
        for variable, value in zip(variables, [*drawn, *self._optimizer]):
            variable.assign(value)
        return self.model

    def _set_seed(self, seed):
        if self.shuffles:
            keras.utils.set_random_seed(seed)
        else:  # the rest of what that sets: initial weights and dropout follow from it
            random.seed(seed)
            np.random.seed(seed)


def epochs_for(steps: int, samples: int, batch_size: int) -> tuple[int, int]:
    """(epochs, gradient steps) in whole passes over ``samples``, about as many as ``steps``."""
    each = -(-samples // batch_size)
    epochs = max(1, round(steps / each))
    return epochs, epochs * each


def predict_over_seeds(
    model: keras.Model, weights: list, X: np.ndarray | list[np.ndarray], batch_size: int = 2048
) -> np.ndarray:
    """Predictions of a model with one number a sample, for each of the ``weights``: (seeds,
    samples). ``X`` is what ``model.predict`` reads, an array or a list of them.
    """
    predictions = []
    for trained in weights:
        model.set_weights(trained)
        predicted = model.predict(X, batch_size=batch_size, verbose=0)
        predictions.append(np.squeeze(predicted, axis=-1))
    return np.stack(predictions)


def mean_over_seeds(
    trainer: Trainer,
    seeds: Iterable[int],
    X: np.ndarray | None,
    fit: Callable,
    *arguments: object,
) -> tuple[np.ndarray | None, list, list]:
    """``fit(model, *arguments)`` from each of the ``seeds``, and the mean of the forecasts.

    Returns the mean of ``model.predict(X)`` over the seeds, (samples, outputs), None where X is;
    the trained weights, and what ``fit`` returned, one entry a seed.
    """
    forecasts, weights, kept = [], [], []
    for seed in seeds:
        model = trainer.start(seed)
        kept.append(fit(model, *arguments))
        weights.append(model.get_weights())
        if X is not None:  # all at once: one shape to compile
            forecasts.append(model.predict(X, batch_size=len(X), verbose=0))
    return (np.mean(forecasts, axis=0) if forecasts else None), weights, kept


class Job(NamedTuple):
    """One training of many: its seed, the arguments of ``build``, and those of ``fit``."""

    seed: int
    build: tuple = ()
    fit: tuple = ()


def fit_jobs(
    trainer: Trainer,
    fit: Callable,
    jobs: Iterable[Job],
    data: object = None,
    scheduler: str | None = None,
) -> list[tuple[list, object]]:
    """Many trainings of one model: in this process, or on a Dask cluster.

    For each job the model of ``trainer.build(*job.build)`` is started from ``job.seed`` and trained
    by ``fit(model, data, seed, *job.fit)``, which returns what to keep. The numbers are the same
    either way, on machines of one kind. A cluster sees ``data`` once, trains one job a worker at a
    time, and trains a job again if its worker has died. On a terminal a bar shows the progress.

    Args:
        trainer: holds the compiled model.
        fit: a function that a cluster can be sent, as ``trainer.build`` must be: it reads nothing
            but its arguments and what can be sent to another process.
        jobs: the trainings, in the order of the result.
        data: what all of them read.
        scheduler: address of a Dask scheduler, such as "tcp://10.0.0.1:8786"; by default that in
            the variable RNN_TRADING_SCHEDULER, and without either this process.

    Returns:
        One (trained weights, what ``fit`` returned) a job.
    """
    address = scheduler or os.environ.get("RNN_TRADING_SCHEDULER")
    if not address:
        bar = tqdm(list(jobs), desc="trainings", disable=None)  # None: on a terminal only
        return [_fit_job(trainer.start(job.seed, *job.build), job, fit, data) for job in bar]
    from features.filings.common import dask_client, stream  # Dask takes a second to import

    # Keras draws weights from Python's one generator, which Dask's threads on a worker use as well.
    started = [(job, trainer.drawn(job.seed, *job.build)) for job in jobs]
    shared = trainer.build, fit, data, uuid.uuid4().hex
    with dask_client(address) as client:
        return list(stream(client, _fit_job_there, started, "trainings", None, shared))


def fit_arrays(
    model: keras.Model, data: tuple, seed: int, batch_size: int, steps: int, looks: int
) -> dict[str, list]:
    """Train on arrays, for ``fit_jobs``: ``looks`` times ``steps`` gradient steps, however many
    samples there are; the losses after each look, by name as in the history of ``model.fit``.

    ``data`` is (inputs, targets, held out), as ``model.fit`` has them. The samples are drawn by
    NumPy from ``seed``, all of them before one comes again, so that ``Trainer(shuffles=False)``
    does.
    """
    X, y, held_out = data
    random, losses = np.random.default_rng(seed), defaultdict(list)
    samples = looks * steps * batch_size
    passes = -(-samples // len(y))
    order = np.concatenate([random.permutation(len(y)) for _ in range(passes)])[:samples]
    options = dict(validation_data=held_out, batch_size=batch_size, shuffle=False, verbose=0)
    for rows in order.reshape(looks, -1):
        kept = model.fit([x[rows] for x in X], y[rows], **options)
        for name, values in kept.history.items():
            losses[name] += values
    return dict(losses)


def _fit_job(model: keras.Model, job: Job, fit: Callable, data: object) -> tuple[list, object]:
    kept = fit(model, data, job.seed, *job.fit)
    return model.get_weights(), kept


_TRAINERS = {}  # on a worker: the trainer of the last call of fit_jobs that it has seen
_ONE_AT_A_TIME = threading.Lock()  # a worker of several threads has one model


def _fit_job_there(started: tuple[Job, list], shared: tuple) -> tuple[list, object]:
    job, drawn = started
    build, fit, data, call = shared
    with _ONE_AT_A_TIME:
        if call not in _TRAINERS:
            _TRAINERS.clear()
            _TRAINERS[call] = Trainer(build, *job.build)
        return _fit_job(_TRAINERS[call].start_from(job.seed, drawn), job, fit, data)


def fixed_line(
    inputs: keras.KerasTensor, weights: np.ndarray, intercept: float, name: str | None = None
) -> keras.KerasTensor:
    """A fitted regression as a layer that is not trained: (samples, n) -> (samples, 1)."""
    line = keras.layers.Dense(1, trainable=False, name=name)
    output = line(inputs)
    line.set_weights([np.reshape(weights, (-1, 1)), np.reshape(intercept, 1)])
    return output


def outputs_over_seeds(
    model: keras.Model, weights: list, inputs: dict, part: slice, batch_size: int = 4096
) -> dict[str, np.ndarray]:
    """Each output of a model with several, for a part of the samples: name -> (seeds, samples).

    ``weights`` is a list over seeds; ``inputs`` as in ``WindowBatches``.
    """
    outputs = {name: [] for name in model.output_names}
    batches = WindowBatches(inputs, rows=part, batch_size=batch_size)
    for trained in weights:
        model.set_weights(trained)
        for name, values in model.predict(batches, verbose=0).items():
            outputs[name].append(values[:, 0])
    return {name: np.stack(values) for name, values in outputs.items()}


def save_model(path: str | Path, model: keras.Model, **details: object) -> Path:
    """Write a trained model and what it needs beside its weights into one ``.keras`` file, whole or
    not at all.

    ``details`` (numbers, texts, lists, dicts, arrays: scaler constants, a vocabulary, the names of
    the inputs) come back from ``load_model``; arrays come back as lists.

    Raises TypeError where a detail cannot be stored as JSON.
    """
    path = Path(path)
    content = json.dumps(details, default=_as_list)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, suffix=".keras") as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(DETAILS, content)
    return path


def load_model(path: str | Path) -> tuple[keras.Model, dict]:
    """The model and the details that ``save_model`` wrote.

    Raises FileNotFoundError where there is no such file, ValueError where it was not written by
    ``save_model``.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: save_model writes it")
    with zipfile.ZipFile(path) as archive:
        if DETAILS not in archive.namelist():
            raise ValueError(f"{path} has no {DETAILS}: it was not written by save_model")
        details = json.loads(archive.read(DETAILS))
    return keras.saving.load_model(path), details


def save_seeds(folder: str | Path, model: keras.Model, by_seed: list, /, **details: object) -> None:
    """``save_model`` once a seed, with the weights ``by_seed``: 0.keras, 1.keras … in ``folder``,
    where no other such file is left.
    """
    for old in Path(folder).glob("*.keras"):
        old.unlink()
    for number, trained in enumerate(by_seed):
        model.set_weights(trained)
        save_model(Path(folder) / f"{number}.keras", model, **details)


def load_seeds(folder: str | Path) -> tuple[list, dict]:
    """The weights of each seed, and the details, that ``save_seeds`` wrote."""
    weights, details = [], {}
    for path in sorted(Path(folder).glob("*.keras"), key=lambda path: int(path.stem)):
        model, details = load_model(path)
        weights.append(model.get_weights())
    if not weights:
        raise FileNotFoundError(f"no model in {folder}: save_seeds writes them")
    return weights, details


def _as_list(value: object) -> list:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"cannot be stored beside a model: {type(value).__name__}")


def _check_labels(labels: np.ndarray, texts: int) -> None:
    """One label a text; ValueError where one is missing, or two classes are coded as -1 and 1, or
    1 and 2: their loss means nothing.
    """
    labels = np.asarray(labels, dtype="float64")
    if labels.shape != (texts,):
        raise ValueError(f"needs one label a text, given {labels.shape} for {texts} texts")
    found = np.unique(labels)
    outside = (found.min(initial=0) < 0 or found.max(initial=0) > 1) and len(found) <= 2
    if outside or np.isnan(found).any():
        raise ValueError(NO_LABELS.format(found[:5].tolist()))


class BatchLosses(keras.callbacks.Callback):
    """Keeps the training loss of each step in ``values``; what Keras reports is the mean so far."""

    def __init__(self):
        super().__init__()
        self.values = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.sum = 0.0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        total = (batch + 1) * float(logs["loss"])
        self.values.append(total - self.sum)
        self.sum = total


class TextBatches(keras.utils.PyDataset):
    """Batches of similar length for ``model.fit``, shuffled anew in every epoch.

    ``word_dropout`` is the share of words that is replaced by the unknown word, other words in
    every epoch. ValueError for labels that are not one a text, or two other than 0 and 1.
    """

    def __init__(self, sequences, labels, lengths, batch_size, word_dropout=0.0, seed=0):
        super().__init__()
        _check_labels(labels, len(sequences))
        self.sequences, self.labels, self.lengths = (
            sequences,
            np.asarray(labels, dtype="float32"),
            lengths,
        )
        self.batch_size, self.word_dropout, self.rng = (
            batch_size,
            word_dropout,
            np.random.default_rng(seed),
        )
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        self.batches = batches_by_length(self.sequences, self.lengths, self.batch_size, self.rng)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        rows, length = self.batches[number]
        words = pad([self.sequences[row] for row in rows], length)
        dropped = (self.rng.random(words.shape) < self.word_dropout) & (words != PAD)
        return np.where(dropped, UNKNOWN, words), self.labels[rows]


def predict(
    model: keras.Model, sequences: list, lengths: Iterable[int], batch_size: int = 512
) -> np.ndarray:
    """Outputs of a single-output model for ``sequences`` of any length up to the longest of
    ``lengths``: (samples,).
    """
    outputs = np.zeros(len(sequences), dtype="float32")
    for rows, length in batches_by_length(sequences, lengths, batch_size):
        batch = model.predict_on_batch(pad([sequences[row] for row in rows], length))
        outputs[rows] = np.asarray(batch).reshape(len(rows))
    return outputs


class WindowBatches(keras.utils.PyDataset):
    """Batches for a model with several inputs and outputs, each gathered when it is needed.

    For ``model.fit`` and ``model.predict``: memory holds one batch of windows, however many samples
    there are.

    Args:
        inputs: name of an input -> array or ``features.dataset.LazyWindows``, (samples, ...).
        targets: name of an output -> array (samples,); None for prediction.
        rows: slice or positions of the samples to use; by default all.
        batch_size: samples of a batch.
        seed: draw the samples in a new order in every epoch, from this seed; None keeps the order,
            as prediction needs it.
        steps: batches of an epoch; by default as many as use each sample once. With a seed, an
            epoch goes on where the last one ended, so that each sample comes equally often.
    """

    def __init__(
        self,
        inputs: dict,
        targets: dict | None = None,
        rows: slice | np.ndarray | None = None,
        batch_size: int = 2048,
        seed: int | None = None,
        steps: int | None = None,
    ):
        super().__init__()
        self.inputs, self.targets, self.batch_size = inputs, targets, batch_size
        samples = len(next(iter(inputs.values())))
        self.rows = np.arange(samples)[slice(None) if rows is None else rows]
        self.random = None if seed is None else np.random.default_rng(seed)
        self.steps = steps or -(-len(self.rows) // batch_size)
        self.order = self.rows if self.random is None else self.rows[:0]
        self._draw()

    def on_epoch_end(self) -> None:
        if self.random is not None:
            self.order = self.order[self.steps * self.batch_size :]
            self._draw()

    def _draw(self) -> None:
        while self.random is not None and len(self.order) < self.steps * self.batch_size:
            self.order = np.concatenate([self.order, self.random.permutation(self.rows)])

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, number: int) -> tuple:
        rows = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        batch = {name: values[rows] for name, values in self.inputs.items()}
        if self.targets is None:
            return (batch,)
        return batch, {name: values[rows] for name, values in self.targets.items()}


class WeekBatches(WindowBatches):
    """Batches of whole weeks: ``weeks`` of them, drawn at random, ``stocks`` from each.

    For a loss that compares the stocks of one week: the samples of a week stand together, so that
    ``keras.ops.reshape(y, (-1, stocks))`` has one row a week. Of a week with more stocks a random
    selection is taken, other ones in every epoch; one with fewer has some of them twice.

    Args:
        inputs, targets, rows, seed, steps: as for ``WindowBatches``.
        dates: (samples,), the week of each sample.
    """

    def __init__(
        self,
        inputs: dict,
        targets: dict,
        dates: np.ndarray,
        rows: slice | np.ndarray,
        weeks: int,
        stocks: int,
        seed: int,
        steps: int,
    ):
        chosen = np.arange(len(dates))[rows]
        starts = np.unique(np.asarray(dates)[chosen], return_index=True)[1]
        self.members = np.split(chosen, starts[1:])
        self.stocks = stocks
        super().__init__(inputs, targets, chosen, weeks * stocks, seed, steps)

    def _draw(self) -> None:
        weeks = self.steps * self.batch_size // self.stocks
        drawn = []
        while len(drawn) < weeks:
            for week in self.random.permutation(len(self.members)):
                some = self.random.permutation(self.members[week])
                drawn.append(np.resize(some, self.stocks))
        self.order = np.concatenate(drawn[:weeks])


@keras.saving.register_keras_serializable("rnn_trading")
class ReadPieces(keras.layers.Layer):
    """A bidirectional GRU over pieces of a text, with its states pooled over real words alone.

    Inputs: vectors (texts, words, dimensions), where the number of words is a multiple of
    ``piece``, and ``real`` (texts, words), 1 for a word and 0 for the padding behind the last.
    Output: (texts, 8 x units): of the greatest and the mean state of each piece, the greatest and
    the mean over the pieces that have a word. Padding changes nothing, however much there is.
    With ``backwards`` off the GRU reads from the first word on alone: (texts, 4 x units).
    """

    def __init__(self, units, piece, backwards=True, **options):
        super().__init__(**options)
        self.units, self.piece, self.backwards = units, piece, backwards
        self.gru = keras.layers.GRU(units, return_sequences=True)
        if backwards:
            self.gru = keras.layers.Bidirectional(self.gru)

    def build(self, vectors_shape: tuple, real_shape: tuple | None = None) -> None:
        self.gru.build((None, self.piece, vectors_shape[-1]))

    def call(self, vectors: object, real: object) -> object:
        width = vectors.shape[-1]
        in_piece = keras.ops.reshape(real, (-1, self.piece, 1))
        states = self.gru(keras.ops.reshape(vectors, (-1, self.piece, width)) * in_piece)
        greatest, mean = _pooled(states, in_piece)
        pieces = keras.ops.concatenate([greatest, mean], axis=-1)
        pieces = keras.ops.reshape(pieces, (keras.ops.shape(vectors)[0], -1, pieces.shape[-1]))
        has_words = keras.ops.max(
            keras.ops.reshape(in_piece, (keras.ops.shape(vectors)[0], -1, self.piece)), axis=2
        )
        return keras.ops.concatenate(_pooled(pieces, has_words[..., None]), axis=-1)

    def compute_output_shape(self, vectors_shape: tuple, real_shape: tuple | None = None) -> tuple:
        return (vectors_shape[0], (8 if self.backwards else 4) * self.units)

    def get_config(self) -> dict:
        own = {"units": self.units, "piece": self.piece, "backwards": self.backwards}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("rnn_trading")
class MeanOfWords(keras.layers.Layer):
    """Mean over real words: values (texts, words, n), ``real`` (texts, words) -> (texts, n)."""

    def call(self, values: object, real: object) -> object:
        return _pooled(values, real[..., None])[1]

    def compute_output_shape(self, values_shape: tuple, real_shape: tuple | None = None) -> tuple:
        return (values_shape[0], values_shape[-1])


@keras.saving.register_keras_serializable("rnn_trading")
class RealWords(keras.layers.Layer):
    """1.0 where a text has a word, 0.0 where it has padding: (texts, words) -> (texts, words)."""

    def call(self, words: object) -> object:
        return keras.ops.cast(keras.ops.not_equal(words, PAD), "float32")

    def compute_output_shape(self, shape: tuple) -> tuple:
        return shape


def _pooled(states, real):
    """Greatest and mean state over the second axis where ``real``, (..., steps, 1), is 1."""
    count = keras.ops.maximum(keras.ops.sum(real, axis=1), 1)
    greatest = keras.ops.max(states * real - 2 * (1 - real), axis=1)  # states of a GRU are above -1
    return keras.ops.maximum(greatest, -1), keras.ops.sum(states * real, axis=1) / count


class ChannelBatches(TextBatches):
    """``TextBatches`` whose inputs are the words, padded behind the last, and their channels.

    ``channels`` is a list of arrays (words, n), one for each of ``sequences``. A word that is
    dropped loses its channels too.
    """

    def __init__(self, sequences, channels, labels, lengths, batch_size, **options):
        super().__init__(sequences, labels, lengths, batch_size, **options)
        self.channels = channels

    def __getitem__(self, number):
        rows, length = self.batches[number]
        words, channels = _inputs(self.sequences, self.channels, rows, length)
        dropped = (self.rng.random(words.shape) < self.word_dropout) & (words != PAD)
        words[dropped], channels[dropped] = UNKNOWN, 0
        return (words, channels), self.labels[rows]


def _inputs(
    sequences: list, channels: list, rows: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Words (rows, length), int32, and channels (rows, length, n), float32, of some texts.

    Both are filled with zeros behind the last word.
    """
    words = pad([sequences[row] for row in rows], length, side="right")
    filled = np.zeros((*words.shape, channels[rows[0]].shape[1]), dtype="float32")
    for place, row in enumerate(rows):
        filled[place, : len(channels[row])] = channels[row]
    return words, filled


def predict_reviews(
    model: keras.Model, sequences: list, channels: list, lengths: list, batch_size: int = 256
) -> np.ndarray:
    """Probability of praise for each text, (texts,); ``channels`` as in ``ChannelBatches``."""
    outputs = np.zeros(len(sequences), dtype="float32")
    for rows, length in batches_by_length(sequences, lengths, batch_size):
        batch = model.predict_on_batch(_inputs(sequences, channels, rows, length))
        outputs[rows] = np.asarray(batch).reshape(len(rows))
    return outputs


class ReviewModel:
    """A network of reviews with all that it needs to score a string.

    ``vocabulary`` and ``ratios`` are those of the training reviews; ``lengths`` are those of its
    batches, in words, of which the last is the limit. With ``linear``, a fitted NB-LR on the same
    ratios, the score is the plain mean of the two.
    """

    def __init__(
        self,
        network: keras.Model,
        vocabulary: Vocabulary,
        ratios: LogCountRatios,
        lengths: list,
        linear: NaiveBayesRegression | None = None,
    ):
        self.network, self.vocabulary, self.ratios = network, vocabulary, ratios
        self.lengths, self.linear = list(lengths), linear

    def encode(self, tokens: list[list[str]]) -> tuple[list, list]:
        """Positions and channels of lists of words, cut to the limit from both ends."""
        channels = cut_channels(self.ratios.channels(tokens), self.lengths[-1])
        return truncate(self.vocabulary.encode(tokens), self.lengths[-1]), channels

    def predict(self, tokens: list[list[str]]) -> np.ndarray:
        """Probability of praise for each list of words: (texts,)."""
        scores = predict_reviews(self.network, *self.encode(tokens), self.lengths)
        if self.linear is None or not tokens:
            return scores
        return (scores + self.linear.predict(tokens)) / 2

    def save(self, path: str | Path) -> Path:
        """Write everything into one ``.keras`` file."""
        details = {"words": self.vocabulary.words, "ratios": self.ratios.ratios}
        if self.linear is not None:
            fitted = self.linear.regression
            details["linear"] = [*fitted.coef_[0].tolist(), float(fitted.intercept_[0])]
        return save_model(path, self.network, lengths=self.lengths, **details)

    @classmethod
    def load(cls, path: str | Path) -> "ReviewModel":
        """What ``save`` wrote."""
        network, details = load_model(path)
        vocabulary, ratios = Vocabulary(details["words"]), LogCountRatios(details["ratios"])
        linear = None
        if "linear" in details:
            linear = NaiveBayesRegression(ratios).with_weights(np.array(details["linear"]))
        return cls(network, vocabulary, ratios, details["lengths"], linear)


def cut_channels(channels: list, length: int) -> list:
    """``truncate`` with half of the words from either end, for arrays (words, n)."""
    places = truncate([np.arange(len(channel)) for channel in channels], length)
    return [channel[place] for channel, place in zip(channels, places)]


def channels_with_means(channels: list, length: int) -> np.ndarray:
    """``truncate`` as one array, and beside each number its mean over the whole text.

    A network that reads a part of a text then knows what all of its words say. ``channels`` are
    arrays (words, n); the result, (texts, length, 2 n), float32, has zeros behind the last word.
    """
    width = channels[0].shape[1] if channels else 0
    filled = np.zeros((len(channels), length, 2 * width), dtype="float32")
    for row, part in zip(filled, truncate(channels, length)):
        row[: len(part), :width] = part
    for row, whole in zip(filled, channels):
        row[: len(whole), width:] = whole.mean(axis=0)
    return filled


def score_texts(texts: list[str], model: ReviewModel) -> np.ndarray:
    """Probability that each of a list of strings is a positive review: (texts,).

    A text may be empty, or longer than any review; without a known word it is one unknown word.
    Raises TypeError for anything but a list of strings: the letters of one string are no texts.
    """
    if isinstance(texts, str):
        raise TypeError(f"needs a list of texts, given one: write [{texts[:30]!r}]")
    return model.predict([tokenize(text) for text in texts])


def average_of_seeds(model: keras.Model, weights: list) -> keras.Model:
    """One model whose output is the mean of ``model`` with each of the ``weights``, ready to be
    saved.

    ``weights`` is a list over seeds of ``model.get_weights()``. The new model has copies: ``model``
    stays as it is.
    """
    inputs = [keras.Input(given.shape[1:], dtype=given.dtype) for given in model.inputs]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    outputs = []
    for number, trained in enumerate(weights):
        copy = type(model).from_config(model.get_config())  # without its loss
        copy.set_weights(trained)
        copy.name = f"seed_{number}"
        outputs.append(copy(inputs))
    mean = outputs[0] if len(outputs) == 1 else keras.layers.Average()(outputs)
    return keras.Model(inputs, mean)


RATES = (0.003, 0.01)  # learning rates, of which validation chooses for each model and Problem
EVALUATED = 2500  # most samples that are forecast at a time
WIDTH = 32  # of the vector of a word
LEAST_PASSES = 3  # with one alone there would be no best pass to choose


class WrongShape(ValueError):
    """A model that cannot be used for a Problem; the message says what is needed."""


def load_builder(name: str) -> Callable[[object], keras.Model]:
    """The function that "module:function" names; the module lies in notebooks/, or beside this one.

    Raises ValueError where the text is no such name, or names nothing that can be called.
    """
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise ValueError(f"a model is named as module:function, given {name!r}")
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ValueError(f"{name!r} is no function but a {type(found).__name__}")
    return found


def checked(build: Callable, steps: int, features: int) -> keras.Model:
    """``build(inputs)``, if it is a model of one number for each sequence (steps, features).

    Raises WrongShape with one sentence that says what came back and what is needed.
    """
    inputs = keras.Input((steps, features))
    model = build(inputs)
    needs = f"build(inputs) must return keras.Model(inputs, outputs) for inputs {inputs.shape}"
    if not isinstance(model, keras.Model) or not hasattr(model, "input_shape"):
        raise WrongShape(f"{needs}, given a {type(model).__name__}")
    if model.input_shape != inputs.shape:
        raise WrongShape(f"{needs}, given a model that reads {model.input_shape}")
    answer = model(inputs)
    if not isinstance(answer, keras.KerasTensor):
        raise WrongShape(
            "one number for each sequence is needed, given outputs in a "
            f"{type(answer).__name__}: end with one layers.Dense(1) by itself"
        )
    if model.output_shape != (None, 1):
        hint = "take the last step or the mean of all, then" if len(model.output_shape) > 2 else ""
        raise WrongShape(
            f"one number for each sequence is needed, outputs of shape (None, 1), given "
            f"{model.output_shape}: end with {hint} layers.Dense(1)".replace("  ", " ")
        )
    return model


def _features(problem, width=WIDTH):
    """How many numbers a model sees at each step: of a word, those of its vector."""
    return width if problem.words else problem.X.shape[2]


def network_for(
    build: Callable, problem: Problem, rate: float = RATES[0], width: int = WIDTH
) -> keras.Model:
    """A compiled model for a Problem around ``build(inputs) -> keras.Model``.

    ``build`` sees sequences of numbers (steps, features) and returns one number, without an
    activation: the forecast, or the log odds of class 1. Words are turned into vectors of
    ``width`` numbers before, which are learned; padding in front of a text is steps of zeros.

    Raises WrongShape as ``checked``.
    """
    model = checked(build, problem.X.shape[1], _features(problem, width))
    if problem.words:
        words = keras.Input(problem.X.shape[1:], dtype="int32")
        vectors = keras.layers.Embedding(problem.words, width)(words)
        vectors = keras.layers.SpatialDropout1D(0.3)(vectors)
        real = keras.layers.Reshape((-1, 1))(RealWords()(words))
        vectors = keras.layers.Multiply()([vectors, real])
        model = keras.Model(words, model(vectors))
    loss = keras.losses.BinaryCrossentropy(from_logits=True) if problem.is_class else "mse"
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
    # XLA compiles for longer than a few hundred steps of a small network take on a CPU, and several
    # steps an execution save no more than they take to prepare
    model.compile(optimizer, loss)
    return model


def falling_rate(rate: float, passes: int) -> keras.callbacks.Callback:
    """A callback that lowers the learning rate from ``rate`` towards zero along a cosine."""

    def rate_of(number, _):
        return 0.5 * rate * (1 + math.cos(math.pi * number / passes))

    return keras.callbacks.LearningRateScheduler(rate_of)


def forecast(model: keras.Model, X: np.ndarray, batch: int) -> np.ndarray:
    """Outputs (samples,) of a model with one number a sample, in batches of one size.

    The last batch is filled up with other samples, because each size is compiled anew.
    """
    filled = np.resize(X, (-(-len(X) // batch) * batch, *X.shape[1:]))
    return model.predict(filled, batch_size=batch, verbose=0)[: len(X), 0]


def fit_network(
    name: str,
    build: Callable,
    problem: Problem,
    seeds: Iterable[int],
    updates: int = 300,
    rates: Iterable[float] = RATES,
) -> Forecaster:
    """Train ``build(inputs) -> keras.Model`` on a Problem; the forecast is the mean of the seeds.

    About ``updates`` steps, in whole passes over the training part, at least three; the weights are
    those of the pass that is best on validation. The first seed tries all ``rates``, and the one
    with the lowest validation loss is used for the others. The test part is not touched.

    Raises WrongShape as ``checked``.
    """
    X, y = problem.part("train")
    batch = min(problem.batch, len(X))
    used = len(X) // batch * batch  # batches of one size: XLA compiles each size anew
    X, y = X[-used:], y[-used:]
    passes = max(LEAST_PASSES, epochs_for(updates, used, batch)[0])
    held_out = problem.part("validation")
    evaluated = min(EVALUATED, len(held_out[1]))
    trainer = Trainer(lambda: network_for(build, problem))
    seconds = []

    def fit(seed, rate):
        best = keras.callbacks.EarlyStopping(patience=passes, restore_best_weights=True)
        model, began = trainer.start(seed), time.perf_counter()
        history = model.fit(
            X,
            y,
            batch_size=batch,
            epochs=passes,
            validation_data=held_out,
            validation_batch_size=evaluated,
            callbacks=[falling_rate(rate, passes), best],
            verbose=0,
        )
        seconds.append(time.perf_counter() - began)
        history.set_model(None)  # or the model would live as long as its History
        return np.nanmin([*history.history["val_loss"], np.inf]), history, model.get_weights()

    first, *others = seeds
    tried = {rate: fit(first, rate) for rate in rates}
    rate = min(tried, key=lambda each: tried[each][0])
    kept = [tried[rate], *[fit(seed, rate) for seed in others]]
    histories = [run[1] for run in kept]
    weights = [run[2] for run in kept]
    parameters = trainer.model.count_params()

    @cache
    def untrained():
        return network_for(build, problem)  # the compiled functions of the trainer's take memory

    def predict(rows):
        model, forecasts = untrained(), []
        for trained in weights:
            model.set_weights(trained)
            forecasts.append(forecast(model, rows, evaluated))
        return np.mean(forecasts, axis=0)

    return Forecaster(name, problem, predict, parameters, min(seconds), histories, rate)


def check_everywhere(build: Callable, problems: list[Problem]) -> None:
    """Raises WrongShape, as ``checked``, if ``build`` cannot be used for one of the problems."""
    for problem in problems:
        checked(build, problem.X.shape[1], _features(problem))


def fit_everywhere(
    name: str,
    build: Callable,
    problems: list[Problem],
    seeds: Iterable[int],
    updates: int = 300,
    rates: Iterable[float] = RATES,
) -> list[Forecaster]:
    """``fit_network`` on each problem; all shapes are checked before anything is trained."""
    check_everywhere(build, problems)
    fitted = []
    for problem in problems:
        fitted.append(fit_network(name, build, problem, seeds, updates, rates))
        keras.utils.clear_session()  # what was compiled takes more memory than the weights
    return fitted


def seconds_by_length(
    build: Callable,
    lengths: Iterable[int],
    xla: bool = False,
    features: int = 8,
    batch: int = 32,
    repetitions: int = 3,
) -> dict[int, float]:
    """Seconds of a gradient step of ``build(inputs) -> keras.Model`` on a batch of random
    sequences.

    One entry a length: the shortest of several steps after one that prepares the graph; ``xla``
    says whether XLA compiles it. With JAX it always does.
    """
    found = {}
    for steps in lengths:
        rng = np.random.default_rng(steps)
        X = rng.normal(size=(batch, steps, features)).astype("float32")
        y = X[:, -1, :1]
        model = checked(build, steps, features)
        model.compile("sgd", "mse", jit_compile=True if xla else "auto")
        model.train_on_batch(X, y)
        times = []
        for _ in range(repetitions):
            began = time.perf_counter()
            model.train_on_batch(X, y)
            times.append(time.perf_counter() - began)
        found[steps] = min(times)
        keras.utils.clear_session()
    return found
