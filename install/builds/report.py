"""What `install.py --check` says of PyTorch."""

from __future__ import annotations

from install.builds.plan import SetupPlan
from install.builds.table import BUILDS


def state(planned: SetupPlan) -> tuple[bool, str]:
    """Whether the installed build is the one that install.py would leave, and a sentence."""
    installed, before = planned.installed, planned.record
    if not installed:
        return False, "PyTorch is missing: run install.py again."
    if not planned.is_settled:
        return False, (
            f"PyTorch {installed} was not chosen for this computer as it is now, for which"
            f" {planned.choice.build.title} fits: run install.py again."
        )
    if before.problem and planned.choice.build.device:
        return False, f"PyTorch {installed}, because: {before.problem}. {before.advice}"
    fits = planned.has_build and planned.has_runtime
    name = installed.partition("+")[2] or planned.general.name
    known = planned.choice.build if fits else BUILDS.get(name)
    title = f" ({known.title})" if known else ""
    return True, f"PyTorch {installed}{title}. {planned.choice.advice}".rstrip(". ")
