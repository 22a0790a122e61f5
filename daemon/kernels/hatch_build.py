"""Compiles the kernel while Dreamlayer is built.

For this computer, if it has a C++ compiler; without one, or if compiling fails, Dreamlayer is built
without the kernel: everything works, but slower. With DREAMLAYER_KERNEL_TARGET for another system:
then the wheel is one for that system, or there is none. The library depends on the system and the
processor only, not on Python or torch.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # hatchling loads this file by its path, not as part of a package

from kernel_compiler import (  # noqa: E402
    NotCompiled,
    compile_library,
    cross_compiler,
    native_compiler,
)
from kernel_targets import (  # noqa: E402
    NATIVE_FILE,
    VARIABLE,
    KernelTarget,
    UnknownTarget,
    requested_target,
)

FOLDER = Path("dreamlayer/networks/executors/kernel")


class KernelHook(BuildHookInterface[Any]):  # type: ignore[misc, unused-ignore]
    """Adds the library to the wheel, or, for an editable installation, to the sources."""

    _temporary: Path | None = None

    def dependencies(self) -> list[str]:
        """Return the packages that pip installs for the build: the pinned compiler."""
        target = self._requested()
        return list(self.metadata.core.optional_dependencies["build"]) if target else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the library, and add it to the build if that succeeded."""
        target = self._requested()
        if version != "editable":
            self._temporary = Path(tempfile.mkdtemp())
        elif target:
            self.app.abort(f"An editable installation runs on this system: unset {VARIABLE}.")
        place = FOLDER / (target.file if target else NATIVE_FILE)
        library = (self._temporary or HERE.parent) / place
        library.parent.mkdir(parents=True, exist_ok=True)
        library.unlink(missing_ok=True)  # no library is better than one of other sources
        try:
            compile_library(library, cross_compiler(target) if target else native_compiler())
        except NotCompiled as reason:
            if target:
                self.finalize(version, build_data, "")
                self.app.abort(f"No wheel was built for {target.name}: {reason}")
            self.app.display_warning(f"Dreamlayer will work, but slower: {reason}")
            return
        if self._temporary:
            build_data["force_include"][str(library)] = place.as_posix()
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{target.name if target else _system()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary library, which is in the wheel now."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _requested(self) -> KernelTarget | None:
        try:
            return requested_target()
        except UnknownTarget as sentence:
            self.app.abort(str(sentence))
            raise


def _system() -> str:
    """The tag of the system and processor that the library runs on, as in a wheel's name."""
    names = (tag.platform for tag in sys_tags())
    return next(name for name in names if not name.startswith(("manylinux", "musllinux")))
