import pytest
import torch

from training.learning.network import Network, resized


@pytest.mark.parametrize(("channels", "classes", "size"), [(1, 2, 48), (3, 7, 64), (5, 3, 16)])
def test_any_number_of_channels_and_classes_gives_logits_of_that_shape(channels, classes, size):
    network = Network(channels, classes, width=4, crop_px=size)
    x = torch.rand(3, channels, size, size)
    assert network(x).shape == (3, classes)
    assert network.features(x).shape == (3, 32)


def test_brightness_is_part_of_the_weights():
    network = Network(1, 2, width=4).eval()
    x = torch.rand(2, 1, 48, 48)
    network.mean.fill_(0.2)
    network.scale.fill_(2.0)
    shifted = network(2 * x + 0.2)
    network.mean.zero_()
    network.scale.fill_(1.0)
    assert torch.allclose(shifted, network(x), atol=1e-5)


def test_crops_of_the_right_size_are_left_as_they_are():
    x = torch.rand(2, 1, 32, 32)
    assert resized(x, 32) is x
    assert resized(x, 48).shape == (2, 1, 48, 48)
