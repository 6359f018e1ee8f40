"""What records tell: one module per question. They read what `imbnas.stages` wrote, and train nothing.

| question | module |
|---|---|
| Which records does the book show, and do they belong together? | `grid`, `mixture` |
| Which winners are better, and what would it take to know? | `table2`, `winners`, `again`, `baselines`, `power` |
| What does the paper claim of them? | `paper`, `claims` |
| Which scores rank paths as retraining does? | `paths`, `quality`, `spread`, `verdicts` |
| Does accuracy on one target predict that on another? | `premise`, `ceiling`, `repeated`, `domain` |
| What are scores at the paper's own length worth? | `full_length` |
| Do scores agree with published accuracies? | `agreement`, `adapted`, `card` |
| What moves scores, or errs with them? | `brief`, `probes`, `families`, `causes` |
| What do DARTS searches find? | `darts_study` |
| How are numbers printed, and tables written? | `in_print`, `files`, `longtailed` those of paths and winners |
"""
