"""What needs Keras: a quiet start, training from several seeds, saving and loading, batches of
texts.

Import this module before ``keras``: TensorFlow logs while it is imported, whatever
TF_CPP_MIN_LOG_LEVEL says (tensorflow issue 100442), and here that chatter is dropped.
"""

import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from data.files import whole_file
from features.words import PAD, UNKNOWN, batches_by_length, pad


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
    dropout and the optimizer of a new one.
    """

    def __init__(self, build: Callable[[], keras.Model]):
        self.build = build
        self.model = build()
        self.model.optimizer.build(self.model.trainable_variables)
        self._optimizer = [
            keras.ops.convert_to_numpy(variable) for variable in self.model.optimizer.variables
        ]

    def start(self, seed: int) -> keras.Model:
        """The model as if it had just been built after ``keras.utils.set_random_seed(seed)``."""
        keras.utils.set_random_seed(seed)
        fresh = [*self.build().variables, *self._optimizer]
        for variable, value in zip([*self.model.variables, *self.model.optimizer.variables], fresh):
            variable.assign(value)
        return self.model


def fit_over_seeds(
    build: Callable[[], keras.Model],
    fit: Callable[[keras.Model, int], object],
    seeds: Iterable[int],
) -> tuple[keras.Model, list, list]:
    """Train one model anew from each seed.

    ``build()`` returns a compiled Keras model; ``fit(model, seed)`` trains it and returns what to
    keep, such as the History. Returns the model, and lists over seeds of its trained weights and of
    what ``fit`` returned.
    """
    trainer = Trainer(build)
    weights, kept = [], []
    for seed in seeds:
        kept.append(fit(trainer.start(seed), seed))
        weights.append(trainer.model.get_weights())
    return trainer.model, weights, kept


def predict_over_seeds(
    model: keras.Model, weights: list, X: np.ndarray, batch_size: int = 2048
) -> np.ndarray:
    """Predictions of a single-output model for each of the ``weights``: (seeds, samples)."""
    predictions = []
    for trained in weights:
        model.set_weights(trained)
        predictions.append(model.predict(X, batch_size=batch_size, verbose=0).reshape(len(X)))
    return np.stack(predictions)


def save_model(path: str | Path, model: keras.Model, **details) -> Path:
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


def _as_list(value: object) -> list:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"cannot be stored beside a model: {type(value).__name__}")


class TextBatches(keras.utils.PyDataset):
    """Batches of similar length for ``model.fit``, shuffled anew in every epoch.

    ``word_dropout`` is the share of words that is replaced by the unknown word, other words in
    every epoch.
    """

    def __init__(self, sequences, labels, lengths, batch_size, word_dropout=0.0, seed=0):
        super().__init__()
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

    def on_epoch_end(self):
        self.batches = batches_by_length(self.sequences, self.lengths, self.batch_size, self.rng)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        rows, length = self.batches[number]
        words = pad([self.sequences[row] for row in rows], length)
        dropped = (self.rng.random(words.shape) < self.word_dropout) & (words != PAD)
        return np.where(dropped, UNKNOWN, words), self.labels[rows]


def predict(model, sequences, lengths, batch_size=512):
    """Outputs of a single-output model for ``sequences`` of any length up to the longest of
    ``lengths``: (samples,).
    """
    outputs = np.zeros(len(sequences), dtype="float32")
    for rows, length in batches_by_length(sequences, lengths, batch_size):
        batch = model.predict_on_batch(pad([sequences[row] for row in rows], length))
        outputs[rows] = np.asarray(batch).reshape(len(rows))
    return outputs


def average_of_seeds(model: keras.Model, weights: list) -> keras.Model:
    """One model whose output is the mean of ``model`` with each of the ``weights``, ready to be
    saved.

    ``weights`` is a list over seeds of ``model.get_weights()``. The new model has copies: ``model``
    stays as it is.
    """
    inputs = keras.Input(model.input_shape[1:])
    outputs = []
    for number, trained in enumerate(weights):
        copy = type(model).from_config(model.get_config())  # without its loss
        copy.set_weights(trained)
        copy.name = f"seed_{number}"
        outputs.append(copy(inputs))
    mean = outputs[0] if len(outputs) == 1 else keras.layers.Average()(outputs)
    return keras.Model(inputs, mean)
