"""What the tests of bouncetop's screens and keys share: a store with fixed rows (top_store.py) and the program on it, in tmux or without a terminal."""
import atexit
import os
import shutil
import subprocess
import tempfile

import top_store
from tmux import Terminal

TOP = top_store.TOP
BUILD = os.path.abspath(os.path.join(TOP, os.environ.get("BUILD", "build")))
BOUNCETOP = os.path.join(BUILD, "bouncetop")

work = tempfile.mkdtemp(prefix="check_top.")
atexit.register(shutil.rmtree, work)
STORE = os.path.join(work, "store")
os.mkdir(STORE)
top_store.build(STORE, BUILD)
FIXED = ["--store", STORE, "--now", top_store.NOW]
LINE = f"{BOUNCETOP} {' '.join(FIXED)}"


def once(*args, env=None, code=0, store=None):
    fixed = ["--store", store, "--now", top_store.NOW] if store else FIXED
    p = subprocess.run([BOUNCETOP, *fixed, "--once", *args], capture_output=True, check=False, timeout=60,
                       env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "", **(env or {})})
    assert p.returncode == code, (p.returncode, p.stderr)
    return (p.stdout if code == 0 else p.stderr).decode()


def trimmed(text):
    return text.rstrip("\n") + "\n"


def shown(screen, width, height, *args):
    return trimmed(once("--screen", screen, "--size", f"{width}x{height}", *args))


def terminal(args="", width=80, height=24, **more):
    return Terminal(f"{LINE} {args}", width, height, **more)


def selected(screen):
    rows = [line for line in screen.split("\n") if line.startswith(">")]
    return rows[0] if rows else ""


def front(name):
    return lambda s: f" {name}]" in s.split("\n")[0]


def same_row(text):
    return lambda s: text in selected(s)
