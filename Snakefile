# The experiment grid: every job is one papermill run of a chapter, every record a file.
#
#   make grid PROFILE=laptop SEEDS="0 1"      make grid-plan PROFILE=laptop
#
# One seed of the 4 x 4 table is 30 records: 1 super-network, 1 search on the source (P0, the same for every target),
# 12 adapted searches and 16 retrainings. Goals beside the default: baselines, controls, gate, ranking, premise; and of
# no profile: validity, brief, truth, darts, landscape.
import json
import re
import shlex
import sys
from pathlib import Path

import yaml

from imbnas import lines, names
from imbnas.places import grid_folder, own_data, work_root
from imbnas.revision import TRAINING, revision

PROFILE = config.get("profile", "smoke")
SETTINGS = yaml.safe_load(Path(f"profiles/{PROFILE}.yaml").read_text())
SOURCE, DATA, SPACE = (config.get(k) or SETTINGS[k] for k in ("source", "target_data", "space"))
SEEDS = str(config.get("seeds", "0")).split()
SPLIT = int(config.get("split_seed", 0))  # which images are drawn into the long tail
OUT = config.get("out", "results")
# the columns of the table: the paper's four, unless others are asked for ("natural": your own data as they are)
ASKED = str(config.get("targets", "")).split()
TARGETS = ASKED or list(names.TARGETS)
TARGET = names.ANY_TARGET
for target in ASKED:
    names.parse_target(target)
PROCEDURES, BASELINES, COMPARED = names.PROCEDURES, names.BASELINES, names.COMPARED
# the goal `ranking`: how many paths of the fixed set are retrained, how many with a second seed, on which targets, and
# whose scores are judged
RANKED, AGAIN = int(config.get("paths", 24)), int(config.get("again", 6))
RANKED_ON = ASKED or ["exp-0.01"]
ON_SOURCE = names.ON_SOURCE
SCORED = [procedure for procedure in names.SCORED if procedure not in ON_SOURCE]

PLACE = grid_folder(PROFILE, SOURCE, DATA, SPACE, SPLIT)
RECORDS = f"{OUT}/{PLACE}"
WORK = work_root(Path(OUT))
RUNS = str(WORK / PLACE)  # the executed chapters, kept when a job fails
CHAPTER = {stage: f"book/{name}.ipynb" for stage, name in lines.CHAPTER.items()}
GIVEN = {"profile": PROFILE, "source": SOURCE, "target_data": DATA, "space": SPACE, "split_seed": SPLIT, "out": OUT}
GRID = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in GIVEN.items())
PYTHON = shlex.quote(sys.executable)
PAPERMILL = f"OMP_NUM_THREADS={{threads}} {PYTHON} -m papermill --no-progress-bar --log-output"
RUN = f"{PAPERMILL} {GRID}"
# the executed chapter, its log, and, where it fails, its one message
END = (
    f" {{params.nb}} {{log.nb:q}} > {{log.text:q}} 2>&1"
    f" || {{{{ {PYTHON} tools/why.py {{log.text:q}}; exit 1; }}}}"
)


EVERY_STAGE = ("clock", "device", "draws", "run", "target")  # modules that all stages are made of


def code(*modules, beside=()):
    """The code that decides what a stage computes, in six digits: when it changes, comments aside, the stage runs again."""
    return revision(*TRAINING, *beside, *(f"stages/{module}.py" for module in (*EVERY_STAGE, *modules)))


CELLS = ["benchmark.py"]  # which cells there are, and what is published of them


def files(*data):
    """Data sets that are files: when one changes, what was made of it is made again."""
    return [str(file) for file in map(own_data, data) if file and file.is_file()]


def settings(*names, data=()):
    """The part of the profile, and the data, that a stage depends on: only their change runs the stage again."""
    named = {name: SETTINGS.get(name) for name in (*names, "precision")}
    return json.dumps(named | {"data": list(map(state, data))}, sort_keys=True)


def state(data):
    """A data set's name; of a folder of images also where it is, how many files it has, and when the last one changed."""
    if not (folder := own_data(data)) or not folder.is_dir():
        return data
    changed = [file.stat().st_mtime for file in folder.rglob("*") if file.is_file()]
    return [str(folder.resolve()), len(changed), max(changed, default=0)]


wildcard_constraints:
    seed=r"\d+",
    target=TARGET,
    procedure="P[123]",
    any_procedure="P[0-3]|largest|" + "|".join(COMPARED),
    compared="|".join(COMPARED),
    baseline="|".join(BASELINES),
    number=r"\d\d",


localrules: table, table_2


# every record is asked for, not the table alone: one that was deleted is made again
rule table:
    input:
        f"{RECORDS}/table-2.csv",
        expand("{r}/supernet-s{s}.json", r=RECORDS, s=SEEDS),
        expand("{r}/search-P0-s{s}.json", r=RECORDS, s=SEEDS),
        expand("{r}/search-{p}-{t}-s{s}.json", r=RECORDS, p=PROCEDURES[1:], t=TARGETS, s=SEEDS),
        expand("{r}/retrain-{p}-{t}-s{s}.json", r=RECORDS, p=PROCEDURES, t=TARGETS, s=SEEDS),


rule table_2:
    input: expand("{r}/retrain-{p}-{t}-s{s}.json", r=RECORDS, p=PROCEDURES, t=TARGETS, s=SEEDS)
    output: f"{RECORDS}/table-2.csv"
    shell: "{PYTHON} -m imbnas.evidence.table2 {RECORDS:q} {output:q}"


rule baselines:
    input: expand("{r}/baseline-{b}-{t}-s{s}.json", r=RECORDS, b=BASELINES, t=TARGETS, s=SEEDS)


rule controls:
    input: expand("{r}/retrain-{p}-{t}-s{s}.json", r=RECORDS, p=[*COMPARED, "largest"], t=TARGETS, s=SEEDS)


rule supernet:
    input: files(SOURCE)
    output: json=f"{RECORDS}/supernet-s{{seed}}.json", weights=f"{RECORDS}/supernet-s{{seed}}.safetensors"
    params:
        settings=settings("supernet", "scoring", data=[SOURCE]),
        code=code("supernet", "scoring"),
        nb=CHAPTER["supernet"],
    log: nb=f"{RUNS}/supernet-s{{seed}}.ipynb", text=f"{RUNS}/supernet-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: RUN + " -p seed {wildcards.seed}" + END


rule search_source:
    input: f"{RECORDS}/supernet-s{{seed}}.safetensors", files(SOURCE)
    output: f"{RECORDS}/search-P0-s{{seed}}.json"
    params:
        settings=settings("search", "scoring", data=[SOURCE]),
        code=code("search", "scoring", "kept", "adapt"),
        nb=CHAPTER["P0"],
    log: nb=f"{RUNS}/search-P0-s{{seed}}.ipynb", text=f"{RUNS}/search-P0-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: RUN + " -p seed {wildcards.seed}" + END


def start(wildcards):
    """P1 and P2 start from the source super-network, P3 from nothing."""
    return [] if wildcards.procedure == "P3" else [f"{RECORDS}/supernet-s{wildcards.seed}.safetensors"]


rule search:
    input: start, files(DATA)
    output: f"{RECORDS}/search-{{procedure}}-{{target}}-s{{seed}}.json"
    params:
        settings=lambda w: settings("search", "scoring", w.procedure.lower(), data=[DATA]),
        code=code("search", "scoring", "kept", "adapt"),
        nb=lambda w: CHAPTER[w.procedure],
    log:
        nb=f"{RUNS}/search-{{procedure}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/search-{{procedure}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell: RUN + " -p target {wildcards.target} -p seed {wildcards.seed}" + END


def found(wildcards):
    """The record that holds the path to be retrained; the largest allowed path needs none."""
    if wildcards.any_procedure == "largest":
        return []
    target = "" if wildcards.any_procedure == "P0" else f"-{wildcards.target}"
    return f"{RECORDS}/search-{wildcards.any_procedure}{target}-s{wildcards.seed}.json"


rule retrain:
    input: found, files(DATA)
    output: f"{RECORDS}/retrain-{{any_procedure}}-{{target}}-s{{seed}}.json"
    params:  # the largest allowed path depends on how the searches' budget is found
        settings=lambda w: settings("retrain", *["search"] * (w.any_procedure == "largest"), data=[DATA]),
        code=lambda w: code("retrain", *["search"] * (w.any_procedure == "largest")),
        nb=CHAPTER["retrain"],
    log:
        nb=f"{RUNS}/retrain-{{any_procedure}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/retrain-{{any_procedure}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell:
        RUN + " -p procedure {wildcards.any_procedure} -p target {wildcards.target} -p seed {wildcards.seed}"
        + END


rule baseline:
    input: files(DATA)
    output: f"{RECORDS}/baseline-{{baseline}}-{{target}}-s{{seed}}.json"
    params: settings=settings("retrain", data=[DATA]), code=code("retrain"), nb=CHAPTER["retrain"]
    log:
        nb=f"{RUNS}/baseline-{{baseline}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/baseline-{{baseline}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell:
        RUN + " -p procedure {wildcards.baseline} -p target {wildcards.target} -p seed {wildcards.seed}"
        + END


rule search_compared:
    input:
        f"{RECORDS}/supernet-s{{seed}}.safetensors",
        files(DATA),
    output: f"{RECORDS}/search-{{compared}}-{{target}}-s{{seed}}.json"
    params:
        settings=settings("search", "scoring", "p1", data=[DATA]),
        code=code("search", "scoring", "kept", "adapt", "control"),
        nb=lambda w: CHAPTER[w.compared],
    log:
        nb=f"{RUNS}/search-{{compared}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/search-{{compared}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell:
        RUN + " -p procedure {wildcards.compared} -p target {wildcards.target} -p seed {wildcards.seed}"
        + END


# ---- can a profile tell paths apart at all?
rule gate:
    input: expand("{r}/gate-{t}-s{s}.json", r=RECORDS, t=RANKED_ON, s=SEEDS)


rule signal_gate:
    input: f"{RECORDS}/supernet-s{{seed}}.safetensors", files(SOURCE, DATA)
    output: f"{RECORDS}/gate-{{target}}-s{{seed}}.json"
    params:
        settings=settings("scoring", "p1", data=[DATA]),
        code=code("gate", "scoring", "supernet", "adapt"),
        nb=CHAPTER["gate"],
    log: nb=f"{RUNS}/gate-{{target}}-s{{seed}}.ipynb", text=f"{RUNS}/gate-{{target}}-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: RUN + " -p procedure gate -p target {wildcards.target} -p seed {wildcards.seed}" + END


# ---- ranking quality: one fixed set of paths retrained, the first with a second seed, and scored by every procedure
rule ranking:
    input:
        expand("{r}/path-{n:02}-{t}-s0.json", r=RECORDS, n=range(RANKED), t=RANKED_ON),
        expand("{r}/path-{n:02}-{t}-s1.json", r=RECORDS, n=range(min(RANKED, AGAIN)), t=RANKED_ON),
        expand("{r}/scores-{p}-s{s}.json", r=RECORDS, p=ON_SOURCE, s=SEEDS),
        expand("{r}/scores-{p}-{t}-s{s}.json", r=RECORDS, p=SCORED, t=RANKED_ON, s=SEEDS),


# the same paths on every target, for the page on the premise; SPACE=cell1-c16-n1: cells whose accuracy is published
rule premise:
    input:
        expand("{r}/path-{n:02}-{t}-s0.json", r=RECORDS, n=range(RANKED), t=TARGETS),
        expand("{r}/path-{n:02}-{t}-s1.json", r=RECORDS, n=range(min(RANKED, AGAIN)), t=TARGETS),


rule path:
    input: files(DATA)
    output: f"{RECORDS}/path-{{number}}-{{target}}-s{{seed}}.json"
    params:
        settings=settings("retrain", data=[DATA]),
        code=code("retrain", "ranking", beside=CELLS),
        nb=CHAPTER["ranking"],
        number=lambda w: int(w.number),
    log:
        nb=f"{RUNS}/path-{{number}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/path-{{number}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell: RUN + " -p path {params.number} -p target {wildcards.target} -p seed {wildcards.seed}" + END


rule scores:
    input: f"{RECORDS}/supernet-s{{seed}}.safetensors", files(SOURCE, DATA)
    output: f"{RECORDS}/scores-{{scored}}-s{{seed}}.json"
    wildcard_constraints: scored=f"{'|'.join(ON_SOURCE)}|({'|'.join(SCORED)})-({TARGET})"
    params:
        settings=settings("scoring", "p1", "p2", "p3", data=[SOURCE, DATA]),
        code=code("ranking", "scoring", "search", "adapt", "control", beside=CELLS),
        nb=CHAPTER["ranking"],
        chosen=lambda w: f"-p procedure {scored_by(w)[0]} -p target {scored_by(w)[1]}",
    log: nb=f"{RUNS}/scores-{{scored}}-s{{seed}}.ipynb", text=f"{RUNS}/scores-{{scored}}-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: RUN + " {params.chosen} -p seed {wildcards.seed}" + END


def scored_by(wildcards):
    """Procedure and target of a record of scores; P0's are the same for every target."""
    parts = re.fullmatch(rf"(.+?)-({TARGET})", wildcards.scored)
    return parts.groups() if parts else (wildcards.scored, TARGETS[0])


# ---- the studies of a chapter that belong to no profile: make grid GOALS="validity brief truth darts" SEEDS="0 1 2"
VALIDITY = yaml.safe_load(Path("profiles/studies/validity.yaml").read_text())
STUDY_RUNS = str(WORK)
KIND = {arm: kind for kind in ("arms", "brief", "sources") for arm in VALIDITY[kind]}
HOME = {arm: names.HOMES[kind] for arm, kind in KIND.items()}
STUDY = f"{PAPERMILL} -p out {shlex.quote(OUT)}"


rule validity:
    input: expand("{o}/validity/{a}-s{s}.json", o=OUT, a=VALIDITY["arms"], s=SEEDS)


rule brief:
    input: expand("{o}/brief/{a}-s{s}.json", o=OUT, a=VALIDITY["brief"], s=SEEDS)


def arm_settings(name):
    """What an arm of the validity study depends on: the base, that of its kind, and its own changes."""
    kind = KIND[name]
    return [VALIDITY["base"], VALIDITY.get(f"{kind}_base"), VALIDITY[kind][name]]


rule validity_arm:
    output: json=f"{OUT}/{{home}}/{{arm}}-s{{seed}}.json", weights=f"{OUT}/{{home}}/{{arm}}-s{{seed}}.safetensors"
    params:
        settings=lambda w: json.dumps(arm_settings(w.arm), sort_keys=True),
        code=code("validity", "arms", "supernet", beside=CELLS),
        nb=CHAPTER["validity"],
    wildcard_constraints: home="validity|sources", arm="|".join(HOME)
    log: nb=f"{STUDY_RUNS}/{{home}}/{{arm}}-s{{seed}}.ipynb", text=f"{STUDY_RUNS}/{{home}}/{{arm}}-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: STUDY + " -p arm {wildcards.arm} -p seed {wildcards.seed}" + END


# nothing starts from a brief arm, so that its weights need not be there
use rule validity_arm as brief_arm with:
    output: f"{OUT}/{{home}}/{{arm}}-s{{seed}}.json"
    wildcard_constraints: home="brief", arm="|".join(VALIDITY["brief"])


# adaptation held against published accuracies: every procedure and the control, P1 with one thing changed at a time
TRUTHS = [f"constant-{procedure}-balance" for procedure in (*PROCEDURES[1:], "control")]
TRUTHS += ["constant-P1-exp-0.01", "constant-P1-ce-exp-0.01"]
PROBES = [f"constant-P1-{variant}-balance" for variant in VALIDITY["truth"]["variants"]]
PROBES += ["constant-P1-on-cifar10-exp-0.01", "hundred-P1-on-cifar10-balance"]
PROBES += ["annealed-P1-balance", "wide-P1-balance", "constant-control-before-norm-balance"]


rule truth:
    input:
        expand("{o}/truth/{n}-s{s}.json", o=OUT, n=TRUTHS, s=SEEDS),
        expand("{o}/probes/{n}-s{s}.json", o=OUT, n=PROBES, s=SEEDS),


def changed(wildcards):
    """The variant of a record of adaptation against truth; empty where nothing is changed."""
    return wildcards.variant.removeprefix("-")


def backbone(wildcards):
    """The weights that an adaptation starts from: none for P3; a variant that stops their training early makes its own."""
    variant = VALIDITY["truth"]["variants"].get(changed(wildcards), {})
    arm = f"{OUT}/{HOME[wildcards.arm]}/{wildcards.arm}-s{wildcards.seed}.safetensors"
    return [] if "after" in variant or wildcards.adaptation == "P3" else arm


def truth_settings(wildcards):
    """What an adaptation against truth depends on, its arm included."""
    study, variant = VALIDITY["truth"], changed(wildcards)
    recipe = study["recipes"].get(wildcards.adaptation.removesuffix("-ce"))
    return [arm_settings(wildcards.arm), recipe, study["variants"].get(variant), study["ridge_images"]]


rule truth_record:
    input: backbone
    output: f"{OUT}/{{place}}/{{arm}}-{{adaptation}}{{variant}}-{{target}}-s{{seed}}.json"
    params:
        settings=lambda w: json.dumps(truth_settings(w), sort_keys=True),
        code=code("truth", "adapt", "validity", "arms", "supernet", "control", beside=CELLS),
        nb=CHAPTER["truth"],
        variant=lambda w: f"-p variant {changed(w)}" if changed(w) else "",
    wildcard_constraints:
        place="truth|probes",
        arm="|".join(HOME),
        adaptation="control|P1|P1-ce|P2|P3",
        variant=f"(?:-(?:{'|'.join(VALIDITY['truth']['variants'])}))?",
    log:
        nb=f"{STUDY_RUNS}/{{place}}/{{arm}}-{{adaptation}}{{variant}}-{{target}}-s{{seed}}.ipynb",
        text=f"{STUDY_RUNS}/{{place}}/{{arm}}-{{adaptation}}{{variant}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell:
        STUDY + " -p arm {wildcards.arm} -p procedure {wildcards.adaptation} {params.variant}"
        " -p target {wildcards.target} -p seed {wildcards.seed}" + END


DARTS = yaml.safe_load(Path("profiles/studies/darts.yaml").read_text())


rule darts:
    input: expand("{o}/darts/{a}-s{s}.json", o=OUT, a=DARTS["arms"], s=SEEDS)


rule darts_search:
    output: f"{OUT}/darts/{{arm}}-s{{seed}}.json"
    params:
        settings=lambda w: json.dumps([DARTS["base"], DARTS["arms"][w.arm]], sort_keys=True),
        code=code("darts", "kept", beside=["darts", *CELLS]),
        nb=CHAPTER["darts"],
    wildcard_constraints: arm="|".join(DARTS["arms"])
    log: nb=f"{STUDY_RUNS}/darts/{{arm}}-s{{seed}}.ipynb", text=f"{STUDY_RUNS}/darts/{{arm}}-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: STUDY + " -p arm {wildcards.arm} -p seed {wildcards.seed}" + END


# evolution and random search where the truth is known: one record, for no seed
rule landscape:
    output: f"{OUT}/search/true-landscape.json"
    params: code=code("landscape", beside=CELLS), nb=CHAPTER["landscape"]
    log: nb=f"{STUDY_RUNS}/landscape.ipynb", text=f"{STUDY_RUNS}/landscape.txt"
    shell: STUDY + " -p record True" + END
