"""The inside of the lab: layers of packages, bridges, hosts, capture; see `run` for how it is started.

                 wan bridge                 router                org bridge (captured, as a span would)
    outside hosts: scripted senders,   <--- 192.0.2.1 --->   own servers (real), DNS, workstation
    sinks, any addresses but 192.0.2.0/24                    192.0.2.0/24

A scenario (scenarios/NAME.py) is a module with
    OWN        {"networks": [...], "domains": [...]}
    SERVERS    {address: {"name", "lists": {list: flagged?}, "why"}}: what a correct verdict must say
    LAYERS     {layer: [Debian packages]}: one layer for each mail server package, since they conflict; its name is
               the LAYER of the module in hosts/ that uses it
    TRUTH      "logs" (the default) or "scripts": see truth.py
    play(lab)  makes hosts with lab.*, calls lab.capture(), sends mail, returns when all is quiet
    check(truth)  raises where the record is not what the scenario was written to show
The truth is put together by truth.py from what senders, sinks and servers wrote down, never from the capture.
"""

import concurrent.futures
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import truth
from hosts import postfix

HERE = Path(__file__).resolve().parent
RUN = Path("/run")                # becomes a tmpfs that only the lab sees
WORK = RUN / "lab"
PAUSE_S = 0.3                     # between scripted sessions, so that a bounce mostly comes before the next one
ROUTER = "192.0.2.1"
RESOLVER = "192.0.2.53"
# What the lab itself needs. In a layer too: the machine is not changed.
TOOLS = ["tcpdump", "ethtool", "dnsmasq-base"]


class Failure(Exception):
    """Something in the lab did not work; the message is for people."""


def sh(*argv, timeout=60, text_in=None, check=True):
    """Run a command, give back its output; its complaint becomes the failure."""
    argv = [str(word) for word in argv]
    feed = {"stdin": subprocess.DEVNULL} if text_in is None else {"input": text_in}
    done = subprocess.run(argv, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **feed)
    if check and done.returncode:
        raise Failure(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def say(text):
    print(f"lab: {text}", flush=True)


def wait_for(what, probe, timeout):
    end = time.monotonic() + timeout
    while not probe():
        if time.monotonic() > end:
            raise Failure(f"waited {timeout} s for {what}")
        time.sleep(0.05)


# Roots: overlays on the machine's own /, everything written goes to the tmpfs.

def overlay(place, lowers):
    """A root directory of its own over `lowers` (nearest first), with its own small /dev."""
    for name in ("upper", "work", "root"):
        (place / name).mkdir(parents=True)
    root = place / "root"
    lower = ":".join(str(path) for path in [*lowers, "/"])
    sh("mount", "-t", "overlay", "overlay", "-o",
       f"lowerdir={lower},upperdir={place / 'upper'},workdir={place / 'work'}", root)
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root / "dev")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        there = os.stat(f"/dev/{name}")
        os.mknod(root / "dev" / name, there.st_mode, there.st_rdev)
        os.chmod(root / "dev" / name, 0o666)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", root / "dev" / name)
    return root


def replace_file(path, text):
    """Write a file that may be a symbolic link out of the root."""
    path.unlink(missing_ok=True)
    path.write_text(text)


def install_layer(name, packages, resolv_conf):
    """Install packages over the machine's own / and leave what that changed in WORK/layers/NAME/upper."""
    place = WORK / "layers" / name
    root = overlay(place, [])
    sh("mount", "-t", "proc", "proc", root / "proc")
    replace_file(root / "etc/resolv.conf", resolv_conf)
    replace_file(root / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")   # start no service at installation
    os.chmod(root / "usr/sbin/policy-rc.d", 0o755)
    if "postfix" in packages:
        sh("chroot", root, "debconf-set-selections",
           text_in="postfix postfix/main_mailer_type select No configuration\n")
    apt = ["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-qq", "-y"]
    install = [*apt, "-o", "DPkg::Options::=--force-unsafe-io", "--no-install-recommends", "install", *packages]
    try:
        sh(*install, timeout=180)
    except Failure:   # no package lists yet, or old ones
        sh(*apt, "update", timeout=120)
        sh(*install, timeout=180)
    for mount in ("proc", "dev", ""):
        sh("umount", root / mount)
    return place / "upper"


# The network.

def netns(name):
    sh("ip", "netns", "add", name)
    sh("ip", "-n", name, "link", "set", "lo", "up")
    for key in ("all", "default"):   # its neighbour discovery would only be noise in the capture
        in_netns(name, "sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{key}/disable_ipv6", check=False)


def in_netns(name, *argv, **kw):
    return sh("ip", "netns", "exec", name, *argv, **kw)


class Syslog(threading.Thread):
    """The /dev/log of one host: lines with the microsecond at which they came, in memory and on disk."""

    def __init__(self, root, record):
        super().__init__(daemon=True)
        self.lines = []      # (time in s, program, message)
        self.record = open(record, "w", encoding="utf-8", buffering=1)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(root / "dev/log"))
        os.chmod(root / "dev/log", 0o666)
        self.start()

    def run(self):
        form = re.compile(r"<\d+>\w{3} [ \d]\d [\d:]{8} ([^\[:]+)(?:\[\d+\])?: (.*)", re.S)
        while True:
            text = self.socket.recv(65536).decode("utf-8", "replace").rstrip("\0\n")
            now = time.time()
            found = form.fullmatch(text)
            program, message = found.groups() if found else ("?", text)
            self.record.write(f"{truth.iso(now)} {program}: {message}\n")
            self.lines.append((now, program, message))

    def has(self, text):
        return any(text in line[2] for line in list(self.lines))


class Lab:
    """What a scenario builds with."""

    def __init__(self, own, layers, out):
        self.own = own
        self.layers = layers
        self.records = out
        self.tools = overlay(WORK / "hosts" / "tools", [layers["tools"]])
        self.logs = {}        # own server's address -> Syslog
        self.software = {}    # own server's address -> module of hosts/
        self.roots = {}       # host -> its root
        self.sessions = []    # what the scripted senders did
        self.sinks = []       # files the sinks write to
        self.processes = []
        for bridge in ("org", "wan"):
            netns(bridge)
            sh("ip", "-n", bridge, "link", "add", "br0", "type", "bridge", "stp_state", 0, "mcast_snooping", 0)
            sh("ip", "-n", bridge, "link", "set", "br0", "up")
        netns("router")
        self._plug("router", "org", "org")
        self._plug("router", "wan", "wan")
        sh("ip", "-n", "router", "addr", "add", f"{ROUTER}/24", "dev", "org")
        # The rest of the world is on the wan bridge, so that a host there can have any address.
        sh("ip", "-n", "router", "addr", "add", "198.18.0.1/32", "dev", "wan")
        sh("ip", "-n", "router", "route", "add", "default", "dev", "wan", "src", "198.18.0.1")
        in_netns("router", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def _plug(self, host, bridge, interface):
        port = f"v-{host}"
        sh("ip", "-n", bridge, "link", "add", port, "type", "veth", "peer", "name", interface, "netns", host)
        sh("ip", "-n", bridge, "link", "set", port, "master", "br0", "up")
        sh("ip", "-n", host, "link", "set", interface, "up")
        # Or the capture has 64 kB frames and checksums that no card filled in; both ends count.
        for name, end in ((bridge, port), (host, interface)):
            in_netns(name, "chroot", self.tools, "ethtool", "-K", end, "tso", "off", "gso", "off", "gro", "off",
                     "sg", "off", "tx", "off", "rx", "off")

    def host(self, name, address):
        """A host of the organisation."""
        netns(name)
        self._plug(name, "org", "eth0")
        sh("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        sh("ip", "-n", name, "route", "add", "default", "via", ROUTER)

    def outside_host(self, name, *addresses):
        """A host of the world; each address is in a network of its own."""
        netns(name)
        self._plug(name, "wan", "eth0")
        for address in addresses:
            sh("ip", "-n", name, "addr", "add", f"{address}/32", "dev", "eth0")
        sh("ip", "-n", name, "route", "add", "198.18.0.1", "dev", "eth0")
        sh("ip", "-n", name, "route", "add", "default", "via", "198.18.0.1")

    def _spawn(self, *argv, **kw):
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, **kw)
        self.processes.append(process)
        return process

    def dns(self, hosts, mx):
        """The resolver of the organisation; hosts {name: address}, mx {domain: [(preference, name)]}."""
        self.host("ns1", RESOLVER)
        lines = ["no-resolv", "no-hosts", f"listen-address={RESOLVER}", "bind-interfaces",
                 "local=/#/"]   # else an unknown name is REFUSED, which mail servers take for a temporary failure
        lines += [f"host-record={name},{address}" for name, address in hosts.items()]
        lines += [f"mx-host={domain},{name},{preference}" for domain, group in mx.items() for preference, name in group]
        (self.tools / "etc/lab-dnsmasq.conf").write_text("\n".join(lines) + "\n")
        self._spawn("ip", "netns", "exec", "ns1", "chroot", self.tools, "dnsmasq", "--keep-in-foreground",
                    "--conf-file=/etc/lab-dnsmasq.conf", "--user=root", "--pid-file", "--log-facility=/dev/null")

    def server(self, software, name, domain, address, users=(), **config):
        """A real mail server. software: a module of hosts/; config: what its configure() wants to know."""
        self.host(name, address)
        root = overlay(WORK / "hosts" / name, [self.layers[software.LAYER]])
        self.roots[name] = root
        replace_file(root / "etc/resolv.conf", f"nameserver {RESOLVER}\n")
        replace_file(root / "etc/hosts", f"127.0.0.1 localhost\n{address} {name}.{domain} {name}\n")
        for user in users:
            sh("chroot", root, "useradd", "--create-home", "--shell", "/usr/sbin/nologin", user)
        software.configure(root, f"{name}.{domain}", **config)
        log = self.logs[address] = Syslog(root, self.records / f"{name}.log")
        self.software[address] = software
        # One process to kill for the whole server: the init of its own process namespace.
        self._spawn("ip", "netns", "exec", name, "unshare", "-m", "-u", "-i", "-p", "-f", "--kill-child", "-R", root,
                    "/bin/sh", "-c", f"mount -t proc proc /proc; hostname {name}.{domain}; {software.START}",
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(f"{software.LAYER} on {name}", lambda: log.has(software.STARTED), 20)

    def postfix(self, name, domain, address, **config):
        self.server(postfix, name, domain, address, **config)

    def sink(self, host, address, name, behaviour, *known):
        """A scripted mail server on a host that is already there; behaviours stand in hosts/sink.py."""
        record = self.records / f"sink-{name}.jsonl"
        self.sinks.append(record)
        process = self._spawn("ip", "netns", "exec", host, sys.executable, "-B", HERE / "hosts/sink.py", address, name,
                              record, behaviour, *known, stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise Failure(f"sink {name} did not start")

    def capture(self):
        """Record the bridge of the organisation, everything on it."""
        self.pcap = WORK / "capture.pcap"
        with open(self.pcap, "wb") as file:
            self.tcpdump = subprocess.Popen(
                ["ip", "netns", "exec", "org", "chroot", str(self.tools), "tcpdump", "-i", "br0", "-U", "-Z", "root",
                 "-w", "-"], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, text=True)
        while "listening on" not in (line := self.tcpdump.stderr.readline()):
            if not line:
                raise Failure("tcpdump did not start")

    def end_capture(self):
        self.tcpdump.terminate()
        _, words = self.tcpdump.communicate(timeout=10)
        if "\n0 packets dropped by kernel" not in f"\n{words}":
            raise Failure(f"the capture is not complete: {words}")

    def send(self, host, **session):
        """One scripted SMTP session (hosts/sender.py); what it did goes to the record."""
        mails = session["mails"]
        stories = [mail.pop("story") for mail in mails]
        done = json.loads(in_netns(host, sys.executable, "-B", HERE / "hosts/sender.py", text_in=json.dumps(session)))
        for transaction, story in zip(done["transactions"], stories, strict=True):
            transaction["story"] = story
        self.sessions.append(done)
        time.sleep(PAUSE_S)

    def send_together(self, host, sessions):
        with concurrent.futures.ThreadPoolExecutor(len(sessions)) as pool:
            for job in [pool.submit(self.send, host, **session) for session in sessions]:
                job.result()

    def sendmail(self, host, sender, recipient, text):
        """Mail that a user of the server hands in on the server itself."""
        in_netns(host, "chroot", self.roots[host], "sendmail", "-f", sender, recipient, text_in=text)

    def file(self, host, path, text, owner="root"):
        """A file on a real server."""
        replace_file(self.roots[host] / path.lstrip("/"), text)
        sh("chroot", self.roots[host], "chown", f"{owner}:", path)

    def run_as(self, host, user, command):
        sh("chroot", self.roots[host], "su", "-s", "/bin/sh", "-c", command, user)

    def settle(self, timeout=30, quiet=2.5):
        """Until every message has left the queues and the logs have been quiet for a while (late replies count)."""
        def still():
            newest = max(log.lines[-1][0] for log in self.logs.values())
            return time.time() - newest > quiet and not any(
                self.software[address].queued(log.lines) for address, log in self.logs.items())
        wait_for("the queues to empty", still, timeout)


def load(name):
    spec = importlib.util.spec_from_file_location("scenario", HERE / "scenarios" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(name, out):
    scenario = load(name)
    begun = time.monotonic()
    resolv_conf = Path("/etc/resolv.conf").read_text()
    place = Path(f"/proc/self/fd/{os.open(out, os.O_RDONLY | os.O_DIRECTORY)}")   # out may be below RUN
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", RUN)
    results = WORK / "results"
    records = results / f"{name}.records"
    records.mkdir(parents=True)

    packages = {"tools": TOOLS, **scenario.LAYERS}
    say(f"installing {', '.join(word for group in packages.values() for word in group)} into layers of the lab")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = {layer: pool.submit(install_layer, layer, group, resolv_conf) for layer, group in packages.items()}
        layers = {layer: job.result() for layer, job in jobs.items()}
    say(f"layers ready after {time.monotonic() - begun:.0f} s, playing {name}")

    lab = Lab(scenario.OWN, layers, records)
    try:
        scenario.play(lab)
        lab.end_capture()
    finally:
        for process in lab.processes:
            process.kill()
        shutil.copytree(results, place, dirs_exist_ok=True)   # the logs are wanted most when something failed
    received = [json.loads(line) for file in lab.sinks for line in file.read_text().splitlines()]
    (records / "senders.jsonl").write_text("".join(json.dumps(session) + "\n" for session in lab.sessions))
    logs = {address: lab.software[address].parse(log.lines) for address, log in lab.logs.items()}
    result = truth.build(name, scenario, lab.sessions, received, logs)
    shutil.copy(lab.pcap, results / f"{name}.pcap")
    (results / f"{name}.truth.json").write_text(truth.to_text(result))
    (results / f"{name}.conf").write_text(
        f"# What bouncetap must be told to audit {name}.pcap.\n[own]\n"
        f"networks = {', '.join(scenario.OWN['networks'])}\ndomains = {', '.join(scenario.OWN['domains'])}\n")
    shutil.copytree(results, place, dirs_exist_ok=True)
    truth.check(result, lab.pcap, scenario)
    say(f"{len(result['transactions'])} transactions, {lab.pcap.stat().st_size} bytes in {out}/{name}.pcap, "
        f"{time.monotonic() - begun:.0f} s in all")


def watch_lifeline():
    """`run` holds the other end of our standard input; when it goes, we go, and all processes with us."""
    sys.stdin.buffer.read()
    os._exit(1)


def main():
    threading.Thread(target=watch_lifeline, daemon=True).start()
    try:
        record(sys.argv[1], Path(sys.argv[2]))
    except (Failure, truth.Mismatch, AssertionError, subprocess.TimeoutExpired) as problem:
        print(f"lab: FAILED: {problem}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)   # not sys.exit: it would wait for the threads of the logs
