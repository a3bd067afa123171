"""What a scan shows may stay where it is, and bf16 is close to fp32."""

import shutil
from pathlib import Path

import numpy as np

from models.checkpoints.scan_networks import open_for_scan
from models.galleries.packs import Pack
from models.network import bf16_on_amd, native_bf16, scan_precision
from models.scans.files import ScanReader
from models.scans.scanning import scan
from tests.models.scans.test_scanning import counting, pack, plan, run  # noqa: F401 - two are fixtures

LAYERS = ("conv1", "conv2", "counts")


def arrays(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*.np[yz]"))


def test_images_that_stay_resident_are_decoded_once_and_give_the_very_same_files(
    pack: Pack,  # noqa: F811
    counting: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    streamed, copied = tmp_path / "streamed", tmp_path / "pack"
    run(pack, counting, streamed, layers=LAYERS)
    assert len(arrays(streamed)) > 15
    shutil.copytree(pack.folder, copied)
    with Pack.open(copied) as copy:
        wanted = plan(layers=LAYERS)
        networks = open_for_scan(counting, wanted, device="cpu")
        images = networks.images(copy, resident=True)
        assert images.size() == 3 * (sum(side**2 for side in (64, 64, 64, 66, 64, 40, 64)) + 7 * 64**2)
        for name in ("first", "again"):
            scan(pack, networks, tmp_path / name, wanted, tick=lambda _: None, images=images)
            assert arrays(tmp_path / name) == arrays(streamed)
            for path in arrays(streamed):
                assert (tmp_path / name / path).read_bytes() == (streamed / path).read_bytes()
            copy.close()
            shutil.rmtree(copied, ignore_errors=True)  # what is decoded again would not be found


def test_a_scan_in_bf16_is_the_same_each_time_and_close_to_one_in_fp32(
    pack: Pack,  # noqa: F811
    counting: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    exact, one, two = (tmp_path / name for name in ("exact", "one", "two"))
    for folder, precision in ((exact, "fp32"), (one, "bf16"), (two, "bf16")):
        run(pack, counting, folder, precision=precision, regions=False, layers=LAYERS)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in arrays(exact))
    found, right = ScanReader(one), ScanReader(exact)
    assert found.info.precision == "bf16" and found.info.count_precision == "fp32"
    assert np.array_equal(found.embeddings("counts"), right.embeddings("counts"))  # the equation is always exact
    for name in ("conv1", "conv2"):
        far = np.abs(found.units(name).maximum - right.units(name).maximum)
        assert far.max() < 0.03 * right.units(name).maximum.max()


def test_a_precision_that_is_asked_for_is_kept() -> None:
    assert [scan_precision(name, "cpu") for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert scan_precision("auto", "cpu") == ("bf16" if bf16_on_amd() or native_bf16("cpu") else "fp32")
