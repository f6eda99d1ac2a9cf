"""What an audit takes where nothing is asked for, and its files, in one place. Knows nothing."""

TEXTS = 5000  # at most so many are audited; of more a uniform sample
SAMPLE = 400  # texts for what is slow, and pairs of texts
EXPLAINED = 100  # texts for what takes gradients or a pass for every word
PERTURBED = 64  # of these, texts from which words are removed in many orders
DRAWS = 2000  # of every permutation test
FREQUENCY = "vocabulary"  # where frequencies of tokens come from
# Copies with shuffled weights are made of models of up to so many parameters unless asked for.
SMALL = 400_000_000
COPIES = 3  # one may give its few frequent words any order by chance
LABELLED = 500  # texts with labels; each is read once under every prompt
FOLDS = 5  # of a probe that is judged on texts it has not seen
# What prompts are, where a user gives none: the paper's three, and five of other kinds.
PROMPTS = (
    "Summarize",
    "Translate to French",
    "Classify sentiment",
    "Correct the grammar",
    "List the key words",
    "Answer the question",
    "Is this true?",
    "Continue the story",
)
# Options that name a file beside the texts; each may be standard input.
FILES = ("pairs", "rationales", "salient", "labels", "paraphrases")
