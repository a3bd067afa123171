"""Windows and mirrored images hold the very bytes of the image."""

import torch

from models.tasks.windows import every_window, mirror, mirrored

IMAGES = torch.randint(0, 256, (6, 3, 5, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_a_window_is_found_by_its_corner() -> None:
    windows = every_window(IMAGES, 4)
    assert windows.shape == (6, 3, 2, 5, 4, 4)
    assert torch.equal(windows[2, :, 1, 3], IMAGES[2, :, 1:5, 3:7])


def test_those_images_are_mirrored_that_were_named() -> None:
    which = torch.tensor([True, False, False, True, False, True])
    found = mirrored(IMAGES, which)
    for image, turned, mirror_image in zip(IMAGES, found, which.tolist(), strict=True):
        assert torch.equal(turned, image.flip(-1) if mirror_image else image)


def test_half_of_the_images_are_mirrored() -> None:
    many = IMAGES[:1].expand(400, -1, -1, -1)
    found = (mirror(many, torch.Generator().manual_seed(1)) != many).flatten(1).any(dim=1)
    assert 160 < int(found.sum()) < 240
