import os
import subprocess
import sys
from pathlib import Path

import pytest

from fogbank.functions import processes
from fogbank.functions.executors.base import Launch, exit_code
from fogbank.functions.executors.process import LAUNCHER, ProcessExecutor, command


def launch(directory: Path, output: int = 1) -> Launch:
    return Launch(
        handler="m.h",
        code=directory,
        scratch=directory,
        variables={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "OWN": "1"},
        memory=128 << 20,
        storage=512 << 20,
        output=output,
    )


@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 1), (128, 128), (137, -9), (139, -11), (255, 255)])
def test_exit_codes_of_shells(status: int, code: int) -> None:
    assert exit_code(status) == code


def test_a_runtime_whose_platform_is_gone_does_not_start(tmp_path: Path) -> None:
    words = command(launch(tmp_path), parent=os.getppid(), launcher=str(LAUNCHER))
    done = subprocess.run(words, env={"LAMBDA_TASK_ROOT": str(tmp_path)}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


async def test_a_runtime_has_bounds_of_its_own(tmp_path: Path) -> None:
    """The module prints them while it is loaded; the runtime then fails, for nobody serves its endpoint."""
    (tmp_path / "m.py").write_text(
        "import os, resource, sys\n"
        "for name in ('DATA', 'FSIZE', 'NOFILE', 'CORE'):\n"
        "    print(name, resource.getrlimit(getattr(resource, 'RLIMIT_' + name)))\n"
        "print('SESSION', os.getsid(0) == os.getpid(), sys.path[0], os.getcwd(), os.environ['OWN'])\n"
        "os._exit(7)\n"
    )
    reader, writer = os.pipe()
    process = await ProcessExecutor().start(launch(tmp_path, writer))
    os.close(writer)
    assert await process.wait() == 7
    with os.fdopen(reader) as output:
        assert output.read().splitlines() == [
            f"DATA ({(256 << 20) + (1 << 30)}, {(256 << 20) + (1 << 30)})",
            f"FSIZE ({512 << 20}, {512 << 20})",
            "NOFILE (1024, 1024)",
            "CORE (0, 0)",
            f"SESSION True {tmp_path} {tmp_path} 1",
        ]
    process.kill()  # the number may be another's by now: nothing happens
    await process.finish()


def test_processes_are_found_by_descent_and_by_what_they_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    child = "print(flush=True); import time; time.sleep(3600)"  # it speaks when it has become the other program
    script = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={"MARK": f"m-{os.getpid()}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        family = processes.tree(parent.pid)
        assert family[0] == parent.pid
        assert len(family) == 2
        with monkeypatch.context() as patched:
            patched.setattr(os.path, "exists", lambda path: "children" not in str(path))
            assert processes.tree(parent.pid) == family  # slower, on kernels that do not list children
        assert sorted(processes.with_variable(f"MARK=m-{os.getpid()}")) == sorted(family)
        assert processes.with_variable(f"MARK=m-{os.getpid()}x") == []
        assert processes.peak(parent.pid) > 1 << 20
        assert 0 < processes.proportional(family) < 100 << 20
        processes.kill(family)
    assert processes.tree(parent.pid) == [parent.pid]
    assert processes.peak(parent.pid) == 0
    processes.kill([parent.pid])  # gone already
