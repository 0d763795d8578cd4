"""How the training went: losses and learning rate, epoch by epoch; and what came of it."""

from typing import Final

from lampyris_build.report import told
from lampyris_build.report.chart import Series, axis_of, chart
from lampyris_build.report.markup import NOTHING, Html, figure, figures, paragraph, section
from lampyris_build.report.report import Report
from lampyris_build.training.history import History

_STEEP: Final = 30  # a loss that shrinks by more is better seen by its logarithm


def learning(report: Report) -> Html:
    statement = paragraph(report.statement) if report.statement else NOTHING
    history = report.history
    if history is None or not history.rows:
        return section("Generalisation", statement)
    took = paragraph(f"{history}, in {told.seconds(history.rows[-1].seconds)}.")
    return section("Learning", took, statement, figures(_losses(history), _rates(history)))


def _losses(history: History) -> Html:
    epochs = [float(row.epoch) for row in history.rows]
    learnt = [row.loss for row in history.rows]
    validated = [row.validation_loss for row in history.rows]
    both = learnt + validated
    is_steep = min(both) > 0 and max(both) > _STEEP * min(both)
    picture = chart(
        f"Loss by epoch: on the training set from {learnt[0]:.4g} to {learnt[-1]:.4g}, on the validation set "
        f"from {validated[0]:.4g} to {validated[-1]:.4g}",
        axis_of("epoch", epochs, whole=True),
        axis_of("loss", both, log=is_steep),
        [
            Series(name="training", x=epochs, y=learnt),
            Series(name="validation", x=epochs, y=validated, color=1),
        ],
    )
    return figure(picture, "Loss after each epoch. The one on the training set is the mean over the epoch.")


def _rates(history: History) -> Html:
    epochs = [float(row.epoch) for row in history.rows]
    rates = [row.learning_rate for row in history.rows]
    picture = chart(
        f"Learning rate by epoch, {max(rates):.3g} at most",
        axis_of("epoch", epochs, whole=True),
        axis_of("learning rate", rates, from_zero=True),
        [Series(name="", x=epochs, y=rates, color=2)],
    )
    return figure(picture, "Learning rate at the end of each epoch.")
