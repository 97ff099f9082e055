"""What was freed goes back to the system; in a process of its own, whose heap nothing else has shaped."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import os
from fogbank.storage import heap

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

heap.bound()
bytearray(20_000_000)  # of which the library would learn to keep what is freed
before = resident()
blocks = [(bytearray(heap.LARGE), bytearray(1000)) for _ in range(200)]
pins = [small for _, small in blocks[::2]]
full = resident()
del blocks
heap.give_back()
print(full - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries give back by themselves, or cannot")
def test_large_blocks_go_back() -> None:
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, text=True, timeout=30)
    full, left = map(int, answer.stdout.split())
    assert full > 50_000_000
    assert left < 2_000_000
