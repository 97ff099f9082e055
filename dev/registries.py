"""Tells uv which package registries pip is configured to use, as `export` lines for a shell.

uv does not read pip's configuration. A machine that reaches its packages through a mirror has said so to pip, in a
file or by PIP_* variables, and should not have to say it again. What UV_* variables say already stands. Only the
standard library is used here: this runs before anything is installed.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping

SECTIONS = ("global", "install", ":env:")
"""Of `pip config list`, the later outranking the earlier."""

VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}
"""pip's options to the variables that uv reads."""

SAME_MEANING = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
"""Older names that uv reads too, and that stand likewise."""


def pip_settings(lines: Iterable[str]) -> dict[str, str]:
    """Option to value, of the output of `pip config list`: lines like `global.index-url='...'`."""
    found: dict[tuple[str, str], str] = {}
    for line in lines:
        name, _, quoted = line.partition("=")
        section, _, option = name.strip().rpartition(".")
        found[section, option] = quoted.strip().strip("'\"").replace("\\n", " ")
    return {option: found[section, option] for section in SECTIONS for _, option in found if (section, option) in found}


def uv_settings(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to set for uv, given pip's settings and what the environment has already."""
    settings = {}
    for option, variable in VARIABLES.items():
        taken = variable in environment or SAME_MEANING.get(variable, variable) in environment
        if option in pip and not taken:
            separator = "," if variable == "UV_FIND_LINKS" else " "
            settings[variable] = separator.join(pip[option].split())
    if "UV_INDEX" in settings and "UV_INDEX_STRATEGY" not in environment:
        # pip takes what fits best from all indexes; the lock's hashes keep that safe
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return settings


def main() -> None:
    """Print the export lines."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=False, capture_output=True, text=True)  # no pip: nothing to pass on
    for variable, value in uv_settings(pip_settings(listed.stdout.splitlines()), os.environ).items():
        print(f"export {variable}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
