"""A terminal to test programs in: tmux on a socket of its own, keys sent, screens waited for."""
import os
import shutil
import subprocess
import tempfile
import time

PATIENCE_S = 60     # until a screen that never comes is a failure; nothing here measures time


class Terminal:
    def __init__(self, command, width, height, env=None, term="tmux-256color"):
        self.dir = tempfile.mkdtemp(prefix="check_top.tmux.")
        self.socket = os.path.join(self.dir, "socket")
        self.status = os.path.join(self.dir, "status")
        # A terminal that goes away would leave the search for leaks at the end of a sanitized program waiting for ever.
        settings = {"TERM": term, "LC_ALL": "C.UTF-8", "TZ": "UTC", "ASAN_OPTIONS": "detect_leaks=0", **(env or {})}
        words = " ".join(f"{k}='{v}'" for k, v in settings.items())
        outer = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        line = f"env {words} {command}; echo $? > {self.status}; sleep 1000"
        self.run("-f", "/dev/null", "-u", "new-session", "-d", "-x", str(width), "-y", str(height), line, env={**outer, "LC_ALL": "C.UTF-8"})
        self.run("set-option", "-g", "status", "off")
        self.run("set-option", "-g", "window-size", "manual")
        self.run("set-option", "-sg", "escape-time", "0")
        self.resize(width, height)

    def run(self, *args, env=None):
        return subprocess.run(["tmux", "-S", self.socket, *args], check=True, capture_output=True, text=True, env=env, timeout=30).stdout

    def keys(self, *names):
        for name in names:
            self.run("send-keys", name)

    def type(self, text):
        self.run("send-keys", "-l", "--", text)

    def resize(self, width, height):
        self.run("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, colours=False):
        """Lines without blanks at their ends."""
        text = self.run("capture-pane", "-p", *(["-e"] if colours else []))
        return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n") + "\n"

    def wait(self, is_there, what):
        """The first screen of which is_there(screen) is true; a string: that it contains it."""
        found = (lambda s: is_there in s) if isinstance(is_there, str) else is_there
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            screen = self.screen()
            if found(screen):
                return screen
            time.sleep(0.05)
        raise AssertionError(f"never came: {what or is_there}\n{self.screen()}")

    def ended(self):
        """The exit status of the program, waited for."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if os.path.exists(self.status):
                with open(self.status, encoding="ascii") as f:
                    text = f.read().strip()
                if text:
                    return int(text)
            time.sleep(0.05)
        raise AssertionError("the program does not end\n" + self.screen())

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], check=False, capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
