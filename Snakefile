# The experiment grid: every job is one papermill run of a chapter, every record a file.
#
#   make grid PROFILE=laptop SEEDS="0 1"      make grid-plan PROFILE=laptop
#
# One seed of the 4 x 4 table is 30 records: 1 super-network, 1 search on the source (P0, the same for every target),
# 12 adapted searches and 16 retrainings. Goals beside the default: baselines, controls.
import json
import sys
from pathlib import Path

import yaml

PROFILE = config.get("profile", "smoke")
SETTINGS = yaml.safe_load(Path(f"profiles/{PROFILE}.yaml").read_text())
SOURCE, DATA, SPACE = (config.get(k) or SETTINGS[k] for k in ("source", "target_data", "space"))
SEEDS = str(config.get("seeds", "0")).split()
OUT = config.get("out", "results")
TARGETS = ["balance", "exp-0.1", "exp-0.01", "step-0.01"]
PROCEDURES = ["P0", "P1", "P2", "P3"]
BASELINES = ["resnet32-ce", "resnet32-drw"]

PLACE = f"{PROFILE}/{Path(SOURCE).stem}-{Path(DATA).stem}/{SPACE}"
RECORDS = f"{OUT}/{PLACE}"
RUNS = str(Path(OUT).parent / "runs" / PLACE)  # the executed chapters, kept when a job fails
CHAPTER = {
    "supernet": "book/04-super-network.ipynb",
    "retrain": "book/10-table-2.ipynb",
    **{p: f"book/{number:02d}-{p.lower()}.ipynb" for number, p in enumerate(PROCEDURES, 6)},
}
GRID = f"-p profile {PROFILE} -p source {SOURCE} -p target_data {DATA} -p space {SPACE} -p out {OUT}"
RUN = f"OMP_NUM_THREADS={{threads}} {sys.executable} -m papermill --no-progress-bar --log-output {GRID}"
# the executed chapter, its log, and, where it fails, its one message
END = f" {{params.nb}} {{log.nb}} > {{log.text}} 2>&1 || {{{{ {sys.executable} tools/why.py {{log.text}}; exit 1; }}}}"


def library(*modules):
    """The modules that decide what a stage computes: when one changes, the stage runs again."""
    return [f"imbnas/{module}" for module in modules]


def settings(*names):
    """The part of the profile that a stage depends on, as text, so that only its change runs the stage again."""
    return json.dumps({name: SETTINGS.get(name) for name in (*names, "precision")}, sort_keys=True)


wildcard_constraints:
    seed=r"\d+",
    target="|".join(TARGETS),
    procedure="P[123]",
    any_procedure="P[0-3]",
    baseline="|".join(BASELINES),


localrules: table


rule table:
    input: expand("{r}/retrain-{p}-{t}-s{s}.json", r=RECORDS, p=PROCEDURES, t=TARGETS, s=SEEDS)
    output: f"{RECORDS}/table-2.csv"
    shell: "{sys.executable} -m imbnas.evidence {RECORDS} {output}"


rule baselines:
    input: expand("{r}/baseline-{b}-{t}-s{s}.json", r=RECORDS, b=BASELINES, t=TARGETS, s=SEEDS)


rule controls:
    input: expand("{r}/control-{t}-s{s}.json", r=RECORDS, t=TARGETS, s=SEEDS)


rule supernet:
    input: library("models", "training", "adaptation.py", "stages/supernet.py")
    output: json=f"{RECORDS}/supernet-s{{seed}}.json", weights=f"{RECORDS}/supernet-s{{seed}}.safetensors"
    params: settings=settings("supernet"), nb=CHAPTER["supernet"]
    log: nb=f"{RUNS}/supernet-s{{seed}}.ipynb", text=f"{RUNS}/supernet-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: RUN + " -p seed {wildcards.seed}" + END


rule search_source:
    input: f"{RECORDS}/supernet-s{{seed}}.safetensors", library("evolution.py", "evaluation.py", "stages/search.py")
    output: f"{RECORDS}/search-P0-s{{seed}}.json"
    params: settings=settings("search", "scoring"), nb=CHAPTER["P0"]
    log: nb=f"{RUNS}/search-P0-s{{seed}}.ipynb", text=f"{RUNS}/search-P0-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell: RUN + " -p seed {wildcards.seed}" + END


def start(wildcards):
    """P1 and P2 start from the source super-network, P3 from nothing."""
    return [] if wildcards.procedure == "P3" else [f"{RECORDS}/supernet-s{wildcards.seed}.safetensors"]


rule search:
    input: start, library("evolution.py", "evaluation.py", "adaptation.py", "training", "stages/search.py")
    output: f"{RECORDS}/search-{{procedure}}-{{target}}-s{{seed}}.json"
    params:
        settings=lambda w: settings("search", "scoring", w.procedure.lower()),
        nb=lambda w: CHAPTER[w.procedure],
    log:
        nb=f"{RUNS}/search-{{procedure}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/search-{{procedure}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell: RUN + " -p target {wildcards.target} -p seed {wildcards.seed}" + END


def found(wildcards):
    """The record that holds the path to be retrained."""
    target = "" if wildcards.any_procedure == "P0" else f"-{wildcards.target}"
    return f"{RECORDS}/search-{wildcards.any_procedure}{target}-s{wildcards.seed}.json"


rule retrain:
    input: found, library("models", "training", "stages/retrain.py")
    output: f"{RECORDS}/retrain-{{any_procedure}}-{{target}}-s{{seed}}.json"
    params: settings=settings("retrain"), nb=CHAPTER["retrain"]
    log:
        nb=f"{RUNS}/retrain-{{any_procedure}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/retrain-{{any_procedure}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell:
        RUN + " -p procedure {wildcards.any_procedure} -p target {wildcards.target} -p seed {wildcards.seed}"
        + END


rule baseline:
    input: library("models", "training", "stages/retrain.py")
    output: f"{RECORDS}/baseline-{{baseline}}-{{target}}-s{{seed}}.json"
    params: settings=settings("retrain"), nb=CHAPTER["retrain"]
    log:
        nb=f"{RUNS}/baseline-{{baseline}}-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/baseline-{{baseline}}-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell:
        RUN + " -p procedure {wildcards.baseline} -p target {wildcards.target} -p seed {wildcards.seed}"
        + END


rule control:
    input: f"{RECORDS}/supernet-s{{seed}}.safetensors", library("evaluation.py", "stages/control.py")
    output: f"{RECORDS}/control-{{target}}-s{{seed}}.json"
    params: settings=settings("scoring"), nb=CHAPTER["P0"]
    log:
        nb=f"{RUNS}/control-{{target}}-s{{seed}}.ipynb",
        text=f"{RUNS}/control-{{target}}-s{{seed}}.txt",
    resources: gpu=1
    retries: 1
    shell:
        RUN + " -p procedure control -p target {wildcards.target} -p seed {wildcards.seed}"
        + END


# ---- the study of the chapter on DARTS, which belongs to no profile: make grid GOALS=darts SEEDS="0 1 2"
DARTS = yaml.safe_load(Path("profiles/studies/darts.yaml").read_text())
DARTS_RUNS = str(Path(OUT).parent / "runs" / "darts")


rule darts:
    input: expand("{o}/darts/{a}-s{s}.json", o=OUT, a=DARTS["arms"], s=SEEDS)


rule darts_search:
    input: library("darts", "models", "training", "stages/darts.py")
    output: f"{OUT}/darts/{{arm}}-s{{seed}}.json"
    params:
        settings=lambda w: json.dumps(DARTS["base"] | (DARTS["arms"][w.arm] or {}), sort_keys=True),
        nb="book/03-darts.ipynb",
    wildcard_constraints: arm="|".join(DARTS["arms"])
    log: nb=f"{DARTS_RUNS}/{{arm}}-s{{seed}}.ipynb", text=f"{DARTS_RUNS}/{{arm}}-s{{seed}}.txt"
    resources: gpu=1
    retries: 1
    shell:
        f"OMP_NUM_THREADS={{threads}} {sys.executable} -m papermill --no-progress-bar --log-output -p out {OUT}"
        + " -p arm {wildcards.arm} -p seed {wildcards.seed}" + END
