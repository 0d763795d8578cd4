from lampyris_build.training.history import Epoch, History


def rows(*validation_losses: float) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(epoch=n, step=100 * n, loss=0.5, validation_loss=loss, learning_rate=0.1, seconds=n)
        for n, loss in enumerate(validation_losses, start=1)
    )


def test_best_epoch_is_the_first_of_least_validation_loss() -> None:
    assert History(rows=rows(3, 1, 2, 1)).best_epoch == 2


def test_history_tells_how_the_training_went() -> None:
    assert str(History(rows=rows(3, 1))) == "2 epochs, loss 0.5, validation 1"
    assert str(History(rows=rows(3, 1, 2), stopped_early=True, resumed_steps=150)) == (
        "3 epochs (150 of 300 steps from the checkpoint), stopped early: the weights of epoch 2 are kept, "
        "loss 0.5, validation 1"
    )
