"""bouncetapd reading what a generator writes; what it said, took and used."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = TOP / os.environ.get("BUILD", "build")
PLAIN = BUILD.parent if BUILD.name == "san" else BUILD    # without sanitizers: its time and memory are those of the sensor
HOSTILE = TOP / "tests/hostile"
ALL = os.environ.get("BOUNCETAP_ALL") == "1"
MEMORY_MIB, BEYOND_MIB = 64, 64    # --memory, and what the process may take beside it


class Run:
    """Ends well, or raises. cpu_s, peak_mib: of the daemon alone."""

    def __init__(self, build, generator, store, options=()):
        source = subprocess.Popen([sys.executable, *map(str, generator)], stdout=subprocess.PIPE)
        daemon = subprocess.Popen([build / "bouncetapd", "-r", "-", "--store", store, "--config", "/dev/null", "--memory", f"{MEMORY_MIB}M", *options],
                                  stdin=source.stdout, stderr=subprocess.PIPE)
        source.stdout.close()
        self.said = daemon.stderr.read().decode(errors="replace")
        _, status, used = os.wait4(daemon.pid, 0)
        daemon.returncode = os.waitstatus_to_exitcode(status)
        source.wait()
        self.cpu_s, self.peak_mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        assert daemon.returncode == 0, f"{generator}: exit {daemon.returncode}: {self.said[-3000:]}"
        assert "Sanitizer" not in self.said and "runtime error" not in self.said, self.said[-3000:]
        assert source.returncode == 0, f"{generator}: exit {source.returncode}"


def wait_for_rest(path):
    """What another program writes to path: until nothing has come for a second."""
    size, still = -1, 0
    while still < 10:
        time.sleep(0.1)
        now = path.stat().st_size
        still = still + 1 if now == size else 0
        size = now


@contextlib.contextmanager
def new_store():
    with tempfile.TemporaryDirectory(prefix="check_hostile.") as path:
        yield Path(path) / "store"
