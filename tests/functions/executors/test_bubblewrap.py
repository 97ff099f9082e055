import asyncio
import os
import shutil
from pathlib import Path

import pytest
from tests.functions.executors.test_process import launch

from fogbank.functions.executors import bubblewrap
from fogbank.functions.executors.automatic import AutomaticExecutor
from fogbank.functions.executors.base import RunningProcess
from fogbank.functions.executors.bubblewrap import BubblewrapExecutor

SHOW = """
import os, sys
print(os.getcwd(), sys.path[0])
print([int(name) for name in os.listdir("/proc") if name.isdigit()] < [9])
print(sorted(set(os.listdir("/")) & {"home", "root", "srv", "boot", "mnt"}))
for path in ("/etc/shadow", "SCRATCH"):
    print(os.path.exists(path))
for path in ("/var/task/x", "/usr/x", "/x", "/dev/x", "/tmp/x", "/dev/shm/x", "/dev/null"):
    try:
        open(path, "w").close()
        print("written")
    except OSError:
        print("refused")
print(open("/proc/self/status").read().split("CapEff:")[1].split()[0])
for path, size in (("/tmp/large", 513 << 20), ("/dev/shm/large", 65 << 20)):
    with open(path, "wb", buffering=0) as file:
        try:
            while size > 0:
                size -= file.write(bytes(1 << 20))
            print("too much")
        except OSError as error:
            print(error.strerror)
os._exit(0)
"""


async def output_of(executor: BubblewrapExecutor | AutomaticExecutor, directory: Path) -> tuple[RunningProcess, str]:
    reader, writer = os.pipe()
    process = await executor.start(launch(directory, writer))
    os.close(writer)
    await asyncio.wait_for(process.wait(), 20)
    with os.fdopen(reader) as output:
        return process, output.read()


async def test_a_sandbox_shows_and_gives_only_what_a_function_needs(bwrap: str, tmp_path: Path) -> None:
    executor = BubblewrapExecutor(bwrap)
    if not await executor.usable():
        pytest.skip("this machine makes no sandboxes")
    (tmp_path / "m.py").write_text(SHOW.replace("SCRATCH", str(tmp_path)))
    process, output = await output_of(executor, tmp_path)
    lines = output.splitlines()
    assert lines[0] == "/var/task /var/task"
    assert lines[1] == "True"
    assert lines[3:5] == ["False", "False"]
    assert lines[5:12] == ["refused"] * 4 + ["written"] * 3
    assert int(lines[12], 16) == 0
    assert lines[13] in ("No space left on device", "File too large")
    assert lines[14] == "No space left on device"
    process.kill()
    await process.finish()


async def test_a_functions_variables_do_not_reach_the_sandboxs_own_program(bwrap: str, tmp_path: Path) -> None:
    """bwrap itself runs outside: LD_PRELOAD there would be a way out, its command line is open to all."""
    executor = BubblewrapExecutor(bwrap)
    if not await executor.usable():
        pytest.skip("this machine makes no sandboxes")
    (tmp_path / "m.py").write_text("import os, time; print(os.environ['OWN'], flush=True); time.sleep(60)")
    reader, writer = os.pipe()
    process = await executor.start(launch(tmp_path, writer))
    os.close(writer)
    with os.fdopen(reader) as output:
        assert await asyncio.to_thread(output.readline) == "1\n"
    assert Path(f"/proc/{process.pid}/environ").read_bytes() == b""  # noqa: ASYNC240
    assert b"OWN" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()  # noqa: ASYNC240
    process.kill()
    assert await process.wait() == -9


async def test_private_directories_are_hidden_wherever_they_lie(
    bwrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the interpreter lay beside the data directory, in a directory that functions may read."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret").write_text("")
    (tmp_path / "m.py").write_text(f"import os; print(os.listdir({str(tmp_path / 'data')!r}), flush=True); os._exit(0)")
    monkeypatch.setattr(bubblewrap, "_SYSTEM", (*bubblewrap._SYSTEM, str(tmp_path)))
    executor = BubblewrapExecutor(bwrap)
    if not await executor.usable():
        pytest.skip("this machine makes no sandboxes")
    assert (await output_of(executor, tmp_path))[1] == "['secret']\n"
    assert (await output_of(BubblewrapExecutor(bwrap, [tmp_path / "data"]), tmp_path))[1] == "[]\n"


async def test_chooses_plain_processes_where_there_is_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "m.py").write_text("import os; print(os.getcwd(), flush=True); os._exit(0)")
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    _, output = await output_of(AutomaticExecutor(), tmp_path)
    assert output == f"{tmp_path}\n"
    assert "/bin/false cannot make a sandbox on this machine" in caplog.text
    monkeypatch.setattr(shutil, "which", lambda name: None)
    _, output = await output_of(AutomaticExecutor(), tmp_path)
    assert output == f"{tmp_path}\n"


async def test_chooses_the_sandbox_where_there_is_one(bwrap: str, tmp_path: Path) -> None:
    if not await BubblewrapExecutor(bwrap).usable():
        pytest.skip("this machine makes no sandboxes")
    (tmp_path / "m.py").write_text("import os; print(os.getcwd(), flush=True); os._exit(0)")
    _, output = await output_of(AutomaticExecutor(), tmp_path)
    assert output == "/var/task\n"
