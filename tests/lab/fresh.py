"""Loads scenarios; with a seed, with other names, addresses and numbers of mails than those of the samples."""

import importlib.util
from pathlib import Path

SCENARIOS = Path(__file__).resolve().parent / "scenarios"


def load(name, seed):
    spec = importlib.util.spec_from_file_location("scenario", SCENARIOS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
