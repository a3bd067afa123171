"""The additivity ratio: what is counted in the whole image over what is counted in its four tiles. Free of torch."""


def additivity(whole: float, tiles: float) -> float | None:
    """|phi(Dx)|_1 over sum_j |phi(T_j x)|_1 from the two totals, each of one image or summed over many.

    1 for a network that counts, 1/4 for one that averages its tiles; None where the tiles count nothing.
    """
    return float(whole / tiles) if tiles > 0 else None
