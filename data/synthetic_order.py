"""Short made-up texts whose meaning is in the order of their sentences, for notebook 09."""

import numpy as np

from data.synthetic import BAD, GOOD

CONFIRMED = "auditors confirmed,regulators agreed,customers verified,analysts repeated".split(",")
DENIED = "auditors denied,regulators doubted,customers disputed,analysts retracted".split(",")
SUBJECTS = "demand margins orders credit inventories pricing capacity staffing".split()
FILLERS = (
    "we operate plants,our leases expire,the board met,offices moved,we hold patents,"
    "taxes apply,weather varies,freight takes time,pensions accrue,unions bargain"
).split(",")


def ordered_texts(
    count: int = 3000, order: bool = True, effect: float = 1.0, seed: int = 0
) -> tuple[list[list[str]], np.ndarray]:
    """``count`` texts, each a list of sentences, and an outcome (count,) of unit noise.

    A text has six reports scattered among plain sentences. A report is two sentences: one says
    whether what follows is confirmed or denied, the next one that something improved or worsened.
    With ``order``, a denied report counts the other way round: then the words, counted, say
    nothing, since confirmed and denied are as frequent as good and bad. Without it, the sign of
    the word counts as it stands, whatever was said before. The outcome is ``effect`` times the
    standardised sum of the six signs, plus noise.
    """
    rng = np.random.default_rng(seed)
    texts, signs = [], np.zeros(count)
    for row in range(count):
        sentences = []
        for _ in range(6):
            for _ in range(rng.integers(0, 3)):
                sentences.append(str(rng.choice(FILLERS)))
            confirmed, good = rng.random(2) < 0.5
            sentences.append(str(rng.choice(CONFIRMED if confirmed else DENIED)))
            word = rng.choice(GOOD if good else BAD)
            sentences.append(f"{rng.choice(SUBJECTS)} {word}")
            sign = 1 if good else -1
            signs[row] += sign if confirmed or not order else -sign
        texts.append(sentences)
    outcome = effect * signs / np.sqrt(6) + rng.normal(size=count)
    return texts, outcome
