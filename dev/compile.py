"""Compiles the hot path with mypyc: a part of the installation (Hatch's build hook), and `make compile`.

Where there is no C compiler, or no mypyc, nothing is compiled, and the hot path runs as plain Python; see
`fogbank.native` for how the one or the other is found.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).parent.parent / "src"
sys.path.insert(0, str(SOURCE))

from fogbank import native  # noqa: E402  (not installed yet)

OPTIONS = ["--config-file=", "--explicit-package-bases", "--follow-imports=silent", "--ignore-missing-imports"]


class NotCompiled(Exception):
    """Why the hot path stays plain Python."""


class CompileHotPath(BuildHookInterface[Any]):
    """Compiles before a wheel is packed, or an editable one installed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        try:
            compile_hot_path()
        except NotCompiled as why:
            self.app.display_warning(f"The hot path stays plain Python: {why}")
            return
        if version != "editable":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True


def compile_hot_path() -> None:
    """Compile the sources as they are, in place of what was compiled before. Raises NotCompiled."""
    place = native.place()
    if place.is_dir():
        return
    shutil.rmtree(native.PLACE, ignore_errors=True)
    if os.environ.get(native.PURE):
        raise NotCompiled(f"{native.PURE} is set")
    native.PLACE.mkdir()
    with tempfile.TemporaryDirectory(dir=native.PLACE) as directory:
        modules, built = Path(directory, "modules"), Path(directory, "built")
        _build(built, Path(directory, "temporary"))
        if native.place() != place:
            raise NotCompiled("the sources were changed meanwhile")
        modules.mkdir()
        for module in built.rglob(f"*{native.SUFFIX}"):
            module.rename(modules / module.name)
        modules.rename(place)  # whole or not at all


def _build(built: Path, temporary: Path) -> None:
    try:
        from mypyc.build import mypycify
        from setuptools import Distribution
    except ImportError as error:
        raise NotCompiled(f"{error.name} is not installed") from None
    paths = [f"fogbank/{name.replace('.', '/')}.py" for name in native.MODULES]
    try:
        with contextlib.chdir(SOURCE):
            extensions = mypycify(
                [*OPTIONS, f"--cache-dir={os.devnull}", *paths],
                opt_level="1",  # more takes longer, and what is left to gain is in the interpreter's own functions
                debug_level="0",
                target_dir=str(temporary),
                group_name=native.LIBRARY.removesuffix("__mypyc"),
            )
            command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
            command.build_lib, command.build_temp = str(built), str(temporary)
            command.ensure_finalized()
            command.run()
    except (Exception, SystemExit) as error:  # whatever it is, all the rest can do without
        raise NotCompiled(str(error)) from None


if __name__ == "__main__":
    try:
        compile_hot_path()
    except NotCompiled as why:
        sys.exit(f"The hot path stays plain Python: {why}")
    print(f"Hot path: {native.status()}")
