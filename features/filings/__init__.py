"""From filing sections to integer sequences: tokens, phrases, vocabulary, sequences; streamed,
parallel, resumable.

Three steps, each of which goes through the corpus in parts of a few megabytes on a Dask client:

    client = dask_client()
    corpus = tokenize_corpus(path, client)  # cleaning and sentences, for any date
    model = fit(corpus, "2014-01-01", client)  # phrases and vocabulary, from filings before
    manifest = encode(corpus, model, client)  # integer sequences
    data = load_sequences("2014-01-01")

No step holds more of the text than a few parts; what grows is the vocabulary, with the counts of
word pairs up to a fixed limit. A part is an Arrow file named by a hash of its content, the
settings and this package, and complete or absent, so that a run that was interrupted goes on where
it stopped. A remote cluster needs this package and the same folder.
"""

from features.filings.cleaning import clean, split_tokens
from features.filings.common import PAUSE, Corpus, Model, Settings, dask_client, words_of_part
from features.filings.phrases import fit
from features.filings.sequences import encode, load_sequences, read_manifest
from features.filings.tokens import tokenize_corpus

__all__ = [
    "PAUSE",
    "Corpus",
    "Model",
    "Settings",
    "clean",
    "dask_client",
    "encode",
    "fit",
    "load_sequences",
    "read_manifest",
    "split_tokens",
    "tokenize_corpus",
    "words_of_part",
]
