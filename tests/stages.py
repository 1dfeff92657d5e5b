"""Attempts of which a few tell little and a thousand take long: a few in "make test", and in "make test-long" (BOUNCETAP_ALL=1) as many as there is
time for, going on where the last run ended, until all were made. How far that is stands in a file of the build directory."""
import os
import time


def run(path, total, few, seconds, attempt):
    """Calls attempt(n), which raises when something is wrong. path: of the file."""
    if not os.environ.get("BOUNCETAP_ALL"):
        for n in range(few):
            attempt(n)
        return
    done, begin = 0, time.monotonic()
    if os.path.exists(path):
        with open(path, encoding="ascii") as f:
            done = int(f.read())
    while done < total and time.monotonic() - begin < seconds:
        attempt(done)
        done += 1
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(f"{done}\n")
        os.rename(path + ".new", path)
    print(f"# {done} of {total} in {path}")
    if done >= total:
        os.remove(path)
