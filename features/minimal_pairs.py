"""Forty pairs of short verdicts with nearly the same words: first praise, then blame.

Written for this repository. Who counts words can hardly tell the two apart: what differs is what
*not*, *never* or *but* belongs to.
"""

MINIMAL_PAIRS = [
    ("It is not bad.", "It is not good."),
    ("This is not a bad film.", "This is not a good film."),
    ("The plot is not boring, it is good.", "The plot is not good, it is boring."),
    ("Not dull but great.", "Not great but dull."),
    ("I was never bored.", "I was never amused."),
    ("The acting is never weak.", "The acting is never strong."),
    ("It is good, not bad as they say.", "It is bad, not good as they say."),
    ("The jokes are funny and not stupid.", "The jokes are stupid and not funny."),
    ("I did not hate it, I loved it.", "I did not love it, I hated it."),
    ("I expected a bad film and saw a good one.", "I expected a good film and saw a bad one."),
    ("It starts poorly but ends well.", "It starts well but ends poorly."),
    ("A weak beginning, then a strong end.", "A strong beginning, then a weak end."),
    (
        "Worse films have won prizes, this one is better.",
        "Better films have won prizes, this one is worse.",
    ),
    ("The critics hated it, I loved it.", "The critics loved it, I hated it."),
    ("The book is awful, the film is excellent.", "The book is excellent, the film is awful."),
    (
        "The trailer is terrible, the film is wonderful.",
        "The trailer is wonderful, the film is terrible.",
    ),
    ("There is nothing wrong with it.", "There is nothing right with it."),
    ("There is nothing bad here.", "There is nothing good here."),
    ("No one should miss it.", "No one should see it."),
    ("You will not regret watching it.", "You will regret watching it, not enjoy it."),
    ("It isn't a waste of time.", "It is a waste of time, isn't it?"),
    ("I can't complain about the cast.", "I can complain about the cast."),
    ("It never fails to entertain.", "It fails to entertain."),
    ("It is hardly a failure.", "It is hardly a success."),
    ("It is far from terrible.", "It is far from wonderful."),
    ("It is anything but dull.", "It is anything but exciting."),
    ("The story is not without charm.", "The story is without charm."),
    ("The ending does not disappoint.", "The ending does disappoint."),
    ("The film is not too long.", "The film is too long."),
    ("I would not change a thing.", "I would change everything."),
    ("It lacks nothing.", "It lacks everything."),
    ("Not the worst, one of the best.", "Not the best, one of the worst."),
    ("I could not stop watching.", "I could not keep watching."),
    ("I did not want it to end.", "I did want it to end."),
    ("None of the actors is bad.", "None of the actors is good."),
    ("Few films are this good.", "Few films are this bad."),
    ("I laughed and never yawned.", "I yawned and never laughed."),
    ("It may look cheap but it is brilliant.", "It may look brilliant but it is cheap."),
    ("Ignore the bad reviews, it is great.", "Ignore the great reviews, it is bad."),
    ("They were wrong to call it poor.", "They were wrong to call it superb."),
]
