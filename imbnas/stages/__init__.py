"""The stages of the grid: a description in, a record out. A chapter shows how; these do it headlessly."""

from imbnas.stages.chapter import batch, of_the_set, on_frozen_backbone, refuse_misspelt, stand_alone, study, unadapted
from imbnas.stages.darts import darts
from imbnas.stages.draws import named_generator
from imbnas.stages.gate import gate
from imbnas.stages.landscape import landscape
from imbnas.stages.ranking import ranked_paths, retrain_named, retrain_path, score_paths
from imbnas.stages.retrain import baseline, largest, retrain
from imbnas.stages.run import Run
from imbnas.stages.search import search
from imbnas.stages.supernet import load_supernet, supernet
from imbnas.stages.target import Target, load_target, scoring_batches
from imbnas.stages.truth import truth
from imbnas.stages.validity import validity
from imbnas.training import Unfinished

__all__ = [
    "Run",
    "Target",
    "Unfinished",
    "baseline",
    "batch",
    "darts",
    "gate",
    "landscape",
    "largest",
    "load_supernet",
    "load_target",
    "named_generator",
    "of_the_set",
    "on_frozen_backbone",
    "ranked_paths",
    "refuse_misspelt",
    "retrain",
    "retrain_named",
    "retrain_path",
    "scoring_batches",
    "score_paths",
    "search",
    "study",
    "stand_alone",
    "supernet",
    "truth",
    "unadapted",
    "validity",
]
