import torch

from training.learning.augment import dihedral, random_dihedral, random_intensity


def crops(n: int = 8) -> torch.Tensor:
    return torch.rand(n, 2, 6, 6, generator=torch.Generator().manual_seed(0))


def test_the_eight_symmetries_of_one_crop_are_all_different_and_keep_its_pixels():
    one = crops(1).expand(8, -1, -1, -1)
    turned = dihedral(one, torch.arange(8))
    assert len({t.numpy().tobytes() for t in turned}) == 8
    assert all(torch.equal(t.flatten().sort().values, one[0].flatten().sort().values) for t in turned)


def test_symmetry_zero_changes_nothing_and_channels_turn_together():
    x = crops()
    assert torch.equal(dihedral(x, torch.zeros(8, dtype=torch.long)), x)
    same = x[:, :1].expand(-1, 2, -1, -1)
    turned = random_dihedral(same, torch.Generator().manual_seed(1))
    assert torch.equal(turned[:, 0], turned[:, 1])


def test_intensity_changes_are_small_and_repeat_with_the_seed():
    x = crops()
    first, again = (random_intensity(x, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, again)
    assert 0 < (first - x).abs().mean() < 0.3
