"""What targets, procedures and comparisons are called: code, records, parameters and tables spell them alike."""

TARGETS = ("balance", "exp-0.1", "exp-0.01", "step-0.01")
LONG_TAILED = TARGETS[1:]
PROCEDURES = ("P0", "P1", "P2", "P3")  # the paper's
BASELINES = ("resnet32-ce", "resnet32-drw")
BESIDE = {  # what Table 2 is held against
    "control": "control: P0's backbone, a classifier per path",
    "P1-random": "P1 without evolution: as many random paths",
    "largest": "no search: the largest allowed path",
    "resnet32-ce": "ResNet-32, cross-entropy",
    "resnet32-drw": "ResNet-32, deferred re-weighting",
}
ROWS = (*PROCEDURES, *BESIDE)
COMPARED = ("control", "P1-random")  # further searches
SEARCHED = (*PROCEDURES, *COMPARED)
SCORED = ("P0", "P0-tracked", "control", "P1", "P1-ce", "P1-untrained", "P1-frozen", "P2", "P3")  # on the fixed set
JUDGED = ("control", "P1", "P1-ce", "P2", "P3")  # against published accuracies
ON_SOURCE = ("P0", "P0-tracked")  # score on source images, whatever the target
ARM = "constant"  # of the validity study: its super-networks are the ones adapted
