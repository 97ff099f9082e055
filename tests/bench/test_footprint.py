"""Memory of a process tree, from a /proc made up for the purpose."""

from pathlib import Path

from bench.footprint import tree_rss


def _process(proc: Path, pid: int, parent: int, kilobytes: int | None) -> None:
    (proc / str(pid)).mkdir()
    memory = "" if kilobytes is None else f"VmRSS:\t    {kilobytes} kB\n"
    (proc / str(pid) / "status").write_text(f"Name:\tx\nPPid:\t{parent}\n{memory}")


def test_descendants_count_and_others_do_not(tmp_path: Path) -> None:
    _process(tmp_path, 1, 0, 5000)
    _process(tmp_path, 10, 1, 100)
    _process(tmp_path, 11, 10, 20)
    _process(tmp_path, 12, 11, 3)
    _process(tmp_path, 13, 10, None)  # a zombie has no memory
    _process(tmp_path, 20, 1, 7000)
    assert tree_rss(10, tmp_path) == 123 * 1024
