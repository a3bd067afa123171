"""Boxes on images: the part of a picture that each path of a network sees."""

Box = tuple[float, float, float, float]
"""`(x0, y0, x1, y1)` in pixels of the stored image; the right and lower edges are exclusive."""


def central_square(width: int, height: int) -> Box:
    """The largest centred square of an image, on whole pixels."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return (left, top, left + side, top + side)


def trunk_box(width: int, height: int, *, size: int | None, resize: int | None = None) -> Box:
    """The part of an image that the conv trunk sees, in whole pixels of the image.

    The central square; with `size` the middle `size` pixels of it, or with `resize` as well what these are of a square
    of `resize` pixels.
    """
    left, top, right, _ = (int(edge) for edge in central_square(width, height))
    square = right - left
    kept = square if size is None else min(square, size if resize is None else max(1, round(square * size / resize)))
    margin = (square - kept) // 2
    return (left + margin, top + margin, left + margin + kept, top + margin + kept)


def clip_box(box: Box, width: int, height: int) -> Box:
    """The part of `box` inside the image. Raises ValueError where nothing is left of it."""
    x0, y0 = max(0.0, box[0]), max(0.0, box[1])
    x1, y1 = min(float(width), box[2]), min(float(height), box[3])
    if not (x1 - x0 >= 1 and y1 - y0 >= 1):
        raise ValueError(f"the box {list(box)} covers less than a pixel of the {width} x {height} image")
    return (x0, y0, x1, y1)


def count_crop(width: int, height: int, *, crop: int, region: int, box: Box | None = None) -> Box:
    """The square that the count path reads, before it is brought to `crop` pixels.

    A whole image is read as in training: its central square, of which the middle `crop / region` is kept. A box that a
    person drew is read as drawn: its own central square.
    """
    if box is not None:
        x0, y0, x1, y1 = clip_box(box, width, height)
        side = max(1, round(min(x1 - x0, y1 - y0)))
        left = min(max(0, round((x0 + x1 - side) / 2)), width - side)
        top = min(max(0, round((y0 + y1 - side) / 2)), height - side)
        return (left, top, left + side, top + side)
    square = min(width, height)
    # Images between crop and region are not enlarged: all of `crop` native pixels is taken (training does the same).
    side = min(square, max(round(square * crop / region), min(crop, square)))
    left, top = (width - side) // 2, (height - side) // 2
    return (left, top, left + side, top + side)


def nested_square(width: int, height: int, area: float) -> Box:
    """The square about the image's centre that covers this share (0..1] of its central square, on whole pixels."""
    x0, y0, x1, _ = central_square(width, height)
    side = int(x1 - x0)
    kept = max(1, round(side * area**0.5))
    left, top = x0 + (side - kept) // 2, y0 + (side - kept) // 2
    return (left, top, left + kept, top + kept)
