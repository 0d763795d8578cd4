import pytest
import torch

from lampyris_build.errors import InvalidRecipe
from lampyris_build.preprocessing.augmentation import Augmentation, cut_out, flipped, rotated, shifted
from lampyris_build.recipe import sources

COUNT = 200


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def pictures() -> torch.Tensor:
    """Pictures with no value twice, none of them 0, laid out as preprocessing leaves them."""
    values = torch.arange(1, COUNT * 5 * 6 * 3 + 1, dtype=torch.float32)
    return values.reshape(COUNT, 5, 6, 3).permute(0, 3, 1, 2)


def test_half_of_the_pictures_are_flipped_and_all_others_stay(pictures: torch.Tensor) -> None:
    seen = flipped(pictures)

    is_flipped = (seen == pictures.flip(3)).all(dim=(1, 2, 3))
    assert 0.35 < is_flipped.float().mean() < 0.65
    assert torch.equal(seen[~is_flipped], pictures[~is_flipped])


def test_shifted_pictures_are_crops_of_the_padded_ones(pictures: torch.Tensor) -> None:
    seen = shifted(pictures, 2)

    padded = torch.nn.functional.pad(pictures, (2, 2, 2, 2))
    offsets = set()
    for before, after in zip(padded, seen, strict=True):
        fits = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(before[:, top : top + 5, left : left + 6], after)
        ]
        assert len(fits) == 1
        offsets.add(fits[0])
    assert len(offsets) == 25


@pytest.mark.parametrize("side", [1, 2, 3])
def test_each_picture_loses_one_square_at_most(pictures: torch.Tensor, side: int) -> None:
    seen = cut_out(pictures, side)

    hole = (seen == 0).all(dim=1)
    assert torch.equal((seen == 0).any(dim=1), hole)
    assert torch.equal(seen, torch.where(hole[:, None], 0, pictures))
    for one in hole:
        rows, columns = one.any(dim=1).sum(), one.any(dim=0).sum()
        assert 1 <= rows <= side
        assert 1 <= columns <= side
        assert one.sum() == rows * columns
    often = hole.float().mean(dim=0)
    assert (often > 0).all()
    torch.testing.assert_close(often, often.flip(0, 1), atol=0.15, rtol=0)
    assert (hole.sum(dim=(1, 2)) == side**2).any()


def test_rotation_turns_a_picture_by_as_much_as_it_is_told() -> None:
    wide = torch.zeros(COUNT, 1, 41, 61)
    wide[:, :, 20, 45] = wide[:, :, 20, 46] = wide[:, :, 21, 45] = wide[:, :, 19, 45] = 1.0

    seen = rotated(wide, 30)

    rows, columns = torch.arange(41.0) - 20, torch.arange(61.0) - 30
    weight = seen.sum(dim=(1, 2, 3))
    y = (seen.sum(dim=(1, 3)) * rows).sum(dim=1) / weight
    x = (seen.sum(dim=(1, 2)) * columns).sum(dim=1) / weight
    angle = torch.rad2deg(torch.atan2(y, x))
    assert angle.abs().max() < 31
    assert angle.min() < -25
    assert angle.max() > 25
    torch.testing.assert_close(torch.hypot(x, y), torch.full((COUNT,), 15.25), atol=0.3, rtol=0)


def test_rotation_by_nothing_leaves_a_picture_as_it_is(pictures: torch.Tensor) -> None:
    torch.testing.assert_close(rotated(pictures, 1e-6), pictures, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(
    "settings",
    [
        sources.Augmentation(shift=1),
        sources.Augmentation(flip=True),
        sources.Augmentation(cutout=2),
        sources.Augmentation(rotate=20),
        sources.Augmentation(shift=1, flip=True, cutout=2, rotate=20),
    ],
)
def test_what_is_drawn_follows_the_seed_and_keeps_shape_and_layout(
    pictures: torch.Tensor, settings: sources.Augmentation
) -> None:
    augmentation = Augmentation(settings)
    state = torch.get_rng_state()

    first, other = augmentation(pictures), augmentation(pictures)
    torch.set_rng_state(state)
    again = augmentation(pictures)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == pictures.shape
    assert first.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("settings", [sources.Augmentation(shift=5), sources.Augmentation(cutout=5)])
def test_something_must_be_left_of_a_picture(pictures: torch.Tensor, settings: sources.Augmentation) -> None:
    with pytest.raises(InvalidRecipe, match=r"augmentation\.\w+ is 5 pixels, .* shorter side has 5"):
        Augmentation(settings)(pictures)


def test_only_pictures_can_be_changed() -> None:
    augmentation = Augmentation(sources.Augmentation(flip=True))

    with pytest.raises(InvalidRecipe, match="changes pictures, and the dataset has none"):
        augmentation(torch.ones(3, 4))


def test_without_settings_nothing_changes_and_nothing_is_drawn() -> None:
    vectors = torch.ones(3, 4)
    state = torch.get_rng_state()

    seen = Augmentation(sources.Augmentation())(vectors)

    assert seen is vectors
    assert torch.equal(torch.get_rng_state(), state)
