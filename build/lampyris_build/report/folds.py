"""How much the score depends on the data: cross-validation, fold by fold."""

from lampyris_build.report import told
from lampyris_build.report.markup import NOTHING, Html, paragraph, section, table
from lampyris_build.report.report import Report


def folds(report: Report) -> Html:
    if report.folds is None:
        return NOTHING
    mean, spread = report.folds.mean, report.folds.spread
    rows = [(f"Fold {number}", scores) for number, scores in enumerate(report.folds.scores, start=1)]
    rows += [("Mean", mean), ("Spread", spread)]
    score = f"{told.share(mean['score'])} ± {100 * spread['score']:.2f}" if "score" in mean else ""
    return section(
        "Cross-validation",
        paragraph(
            f"The score is {score} from fold to fold. The training was repeated {len(report.folds.scores)} "
            "times, each time without one part of the training set, which was then asked. The test set was "
            "in none of them. The spread is the standard deviation."
        ),
        table(
            ("", *(told.score_name(name) for name in mean)),
            [(title, *(told.figure(scores[name]) for name in mean)) for title, scores in rows],
            numbers=range(1, len(mean) + 1),
            caption="Scores of the folds",
        ),
    )
