"""A log stays small, and its writer notices nothing."""

from pathlib import Path

from app.jobs.logs import NOTE, trim


def test_a_log_that_grew_keeps_its_last_lines_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with path.open("ab", buffering=0) as log:
        for number in range(100):
            log.write(b"line %03d\n" % number)  # 9 bytes
        trim(path, limit=900)
        assert path.stat().st_size == 900
        log.write(b"line 100\n")
        trim(path, limit=900)
        assert path.read_bytes() == NOTE + b"".join(b"line %03d\n" % number for number in range(52, 101))
        log.write(b"line 101\n")
    assert path.read_bytes().endswith(b"line 100\nline 101\n")


def test_a_log_that_is_not_there_yet_is_left_alone(tmp_path: Path) -> None:
    trim(tmp_path / "log.txt")
    assert not (tmp_path / "log.txt").exists()
