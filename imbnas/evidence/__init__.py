"""What records tell: one module per question. They read what `imbnas.stages` wrote, and train nothing.

| question | module |
|---|---|
| Which records does the book show, and do they belong together? | `grid`, `mixture` |
| Which winners are better, and what would it take to know? | `table2`, `winners`, `again`, `baselines`, `power` |
| What does the paper claim of them? | `paper`, `claims` |
| Which scores rank paths as retraining does? | `paths`, `quality`, `spread`, `verdicts` |
| Does accuracy on one target predict that on another? | `premise`, `ceiling`, `repeated`, `domain` |
| Do scores agree with published accuracies? | `agreement`, `adapted`, `card` |
| What moves scores, or errs with them? | `brief`, `probes`, `families` |
| What do DARTS searches find? | `darts_study` |
| How are tables written? | `files`, and `longtailed` those of retrained paths and winners |
"""
