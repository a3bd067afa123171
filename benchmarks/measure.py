"""Measure a checkpoint again on the images that its training held out, and write the figures to its card.

python -m benchmarks.measure WORKSPACE/checkpoints/counting-photos WORKSPACE/galleries/photos-train
"""

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.neighbours import untrained
from models.card import read_card, write_card
from models.checkpoints import storage as checkpoints
from models.counting.scoring import evaluate
from models.galleries.loading import regions_of
from models.galleries.packs import Pack
from models.recipes import build_config
from models.training.batches import split_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("gallery", type=Path)
    options = parser.parse_args()
    card = read_card(options.checkpoint)
    assert card.task is not None and card.recipe is not None
    config = build_config(card.task, card.recipe, card.config)
    with Pack.open(options.gallery) as pack:
        if pack.fingerprint != card.provenance["gallery_fingerprint"]:
            raise SystemExit("this is not the gallery that the checkpoint was trained on")
        regions = regions_of(pack, split_rows(pack, config.crop, config.held_out).held_out, config.region)
    network, before = checkpoints.load(options.checkpoint), untrained(options.checkpoint)
    measures, reference = evaluate(network, before, regions, seed=int(card.provenance["seed"]), tick=print)
    checkpoints.write_reference(options.checkpoint, reference)
    merged = {group: {**card.measures.get(group, {}), **figures} for group, figures in measures.items()}
    write_card(options.checkpoint, replace(card, measures={**card.measures, **merged}))


if __name__ == "__main__":
    main()
