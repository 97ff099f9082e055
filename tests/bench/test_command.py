"""The whole benchmark in an instant, as it is called."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_quick_run_reports_and_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ["--quick", "--only", "streams-qos0", "--only", "latency", "--brokers", "reflector", "--json", str(file)]
    command = [sys.executable, "-m", "bench", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "2 -> 2 streams, QoS 0" in done.stdout
    figures = {figure["name"]: figure for figure in json.loads(file.read_text())["figures"]}
    assert set(figures) == {"streams-qos0", "latency-p50", "latency-p99"}
    assert figures["streams-qos0"]["values"]["reflector"]["median"] > 0


def test_an_unknown_scenario_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "nonsense"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "'nonsense' is none of streams-qos0" in done.stderr
