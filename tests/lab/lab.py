"""The inside of the lab: layers of packages, bridges, hosts, capture; see `run` for how it is started.

                 wan bridge                 router                org bridge (captured, as a span would)
    outside hosts: scripted senders,   <--- 192.0.2.1 --->   own servers (real), DNS, workstation
    sinks, any addresses but 192.0.2.0/24                    192.0.2.0/24

A scenario (scenarios/NAME.py) is a module with
    OWN        {"networks": [...], "domains": [...]} and more keys of [own]; hosts of the organisation are in the first network
    TENANTS    {name: {"networks", "domains"}}, SECTIONS {"server NAME": {key: value}}: more for the configuration
    SERVERS    {address: {"name", "lists": {list: flagged?}, "why"}}: what a correct verdict must say
    LAYERS     {layer: [Debian packages]}: one layer for each mail server package, since they conflict; its name is
               the LAYER of the module in hosts/ that uses it
    IPV6       True: the hosts speak it, too
    BUDGET_S   how long it may take, when more than two minutes
    play(lab)  makes hosts with lab.*, calls lab.capture(), sends mail, returns when all is quiet
    check(truth)  raises where the record is not what the scenario was written to show
The truth is put together by truth.py from what senders, sinks and servers wrote down, never from the capture.
"""

import concurrent.futures
import ipaddress
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

import fresh
import truth
from hosts import postfix

HERE = Path(__file__).resolve().parent
RUN = Path("/run")                # becomes a tmpfs that only the lab sees
LAYERS = RUN / "layers"
WORK = RUN / "lab"                # a tmpfs for each scenario
PAUSE_S = 0.3                     # between scripted sessions, so that a bounce mostly comes before the next one
# What the lab itself needs. In a layer too: the machine is not changed.
TOOLS = ["tcpdump", "ethtool", "dnsmasq-base", "openssl", "nftables"]
OUTSIDE_ROUTERS = ["198.18.0.1/32", "2001:db8:ffff::1/128"]


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
    (root / "tmp").chmod(0o1777)   # whatever the machine's is
    return root


def replace_file(path, text):
    """Write a file that may be a symbolic link out of the root."""
    path.unlink(missing_ok=True)
    path.write_text(text)


def install_layer(name, packages, resolv_conf):
    """Install packages over the machine's own / and leave what that changed in LAYERS/NAME/upper."""
    place = LAYERS / name
    root = overlay(place, [])
    sh("mount", "-t", "proc", "proc", root / "proc")
    replace_file(root / "etc/resolv.conf", resolv_conf)
    replace_file(root / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")   # start no service at installation
    os.chmod(root / "usr/sbin/policy-rc.d", 0o755)
    if "postfix" in packages:   # else it asks
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

def netns(name, ipv6=False):
    sh("ip", "netns", "add", name)
    sh("ip", "-n", name, "link", "set", "lo", "up")
    for key in ("all", "default"):
        # Its neighbour discovery would only be noise in the capture where nobody speaks it.
        words = ["accept_dad 0"] if ipv6 else ["disable_ipv6 1"]
        for word, value in (word.split() for word in words):
            in_netns(name, "sh", "-c", f"echo {value} >/proc/sys/net/ipv6/conf/{key}/{word}", check=False)


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


class Sensor:
    """A bouncetapd that listens beside tcpdump; nothing of the truth comes from it."""

    def __init__(self, program, store):
        self.program, self.store, self.process = program, store, None

    def start(self, words):
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(str(WORK / "notify"))
        os.chmod(WORK / "notify", 0o666)
        ready.settimeout(20)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", "org", self.program, "-i", "br0", "--config", "/dev/null", "--store", self.store, *filter(None, [words])],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "NOTIFY_SOCKET": str(WORK / "notify")})
        try:
            while b"READY=1" not in ready.recv(4096):
                pass
        except socket.timeout:
            self.process.kill()
            raise Failure(f"bouncetapd did not start: {self.process.stderr.read()}") from None

    def stop(self):
        time.sleep(2)   # it commits once a second
        self.process.terminate()
        words = self.process.communicate(timeout=20)[1]
        if self.process.returncode:
            raise Failure(f"bouncetapd ended with {self.process.returncode}: {words}")


class Lab:
    """What a scenario builds with."""

    def __init__(self, scenario, out, sensor=None):
        self.networks = [ipaddress.ip_network(net) for net in scenario.OWN["networks"]]
        self.ipv6 = getattr(scenario, "IPV6", False)
        self.router, self.resolver = (str(self.networks[0][n]) for n in (1, 53))
        self.records = out
        self.sensor = Sensor(sensor, out.parent / f"{out.stem}.store") if sensor else None
        self.tools = overlay(WORK / "hosts" / "tools", [LAYERS / "tools/upper"])
        self.logs = {}        # address of a real server -> Syslog
        self.software = {}    # address of a real server -> module of hosts/
        self.roots = {}       # host -> its root
        self.unshared = {}    # host -> the process above the init of its process namespace
        self.inside = {}      # address on the captured network -> host
        self.host_of = {}     # address -> host
        self.sessions = []    # what the scripted senders did
        self.handed_in = []   # letters that users gave to a server on the server itself
        self.keylog = out.parent / "keylog"   # for scripted ends that speak TLS
        self.public = {}      # address that the world sees -> address inside
        self.sinks = []       # files the sinks write to
        self.processes = []
        for bridge in ("org", "wan"):
            netns(bridge)
            sh("ip", "-n", bridge, "link", "add", "br0", "type", "bridge", "stp_state", 0, "mcast_snooping", 0)
            sh("ip", "-n", bridge, "link", "set", "br0", "up")
        netns("router", self.ipv6)
        self._plug("router", "org", "org")
        self._plug("router", "wan", "wan")
        for net in {net.version: net for net in reversed(self.networks)}.values():
            sh("ip", "-n", "router", "addr", "add", f"{net[1]}/{net.prefixlen}", "dev", "org")
        # The rest of the world is on the wan bridge, so that a host there can have any address.
        for address in OUTSIDE_ROUTERS[:1 + self.ipv6]:
            # An IPv6 address is no source for a route before duplicates were looked for, which a busy machine does late.
            sh("ip", "-n", "router", "addr", "add", address, "dev", "wan", *["nodad"] * (":" in address))
            sh("ip", "-n", "router", "route", "add", "default", "dev", "wan", "src", address.split("/")[0])
        in_netns("router", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; "
                 "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding", check=False)

    def _plug(self, host, bridge, interface):
        port = f"v-{host}"
        sh("ip", "-n", bridge, "link", "add", port, "type", "veth", "peer", "name", interface, "netns", host)
        sh("ip", "-n", bridge, "link", "set", port, "master", "br0", "up")
        sh("ip", "-n", host, "link", "set", interface, "up")
        # Or the capture has 64 kB frames and checksums that no card filled in; both ends count.
        for name, end in ((bridge, port), (host, interface)):
            in_netns(name, "chroot", self.tools, "ethtool", "-K", end, "tso", "off", "gso", "off", "gro", "off",
                     "sg", "off", "tx", "off", "rx", "off")

    def host(self, name, *addresses):
        """A host of the organisation."""
        netns(name, self.ipv6)
        self._plug(name, "org", "eth0")
        for address in addresses:
            net = next(net for net in self.networks if ipaddress.ip_address(address) in net)
            sh("ip", "-n", name, "addr", "add", f"{address}/{net.prefixlen}", "dev", "eth0")
            self.inside[address] = self.host_of[address] = name
        for net in {net.version: net for net in reversed(self.networks)}.values():
            if any(ipaddress.ip_address(address) in net for address in addresses):
                sh("ip", "-n", name, "route", "add", "default", "via", net[1])

    def outside_host(self, name, *addresses):
        """A host of the world; each address is in a network of its own."""
        netns(name, self.ipv6)
        self._plug(name, "wan", "eth0")
        for router in OUTSIDE_ROUTERS[:1 + self.ipv6]:
            router = router.split("/")[0]
            mine = [address for address in addresses if (":" in address) == (":" in router)]
            for address in mine:
                sh("ip", "-n", name, "addr", "add", f"{address}/{128 if ':' in address else 32}", "dev", "eth0")
                self.host_of[address] = name
            if mine:
                sh("ip", "-n", name, "route", "add", router, "dev", "eth0")
                sh("ip", "-n", name, "route", "add", "default", "via", router)

    def nat(self, public):
        """Address translation by the router. public: {address that the world sees: address inside}."""
        self.public = public
        rules = "table ip nat {\n chain in { type nat hook prerouting priority -100;\n"
        rules += "".join(f"  iif wan ip daddr {outer} dnat to {inner}\n" for outer, inner in public.items())
        rules += " }\n chain out { type nat hook postrouting priority 100;\n"
        rules += "".join(f"  oif wan ip saddr {inner} snat to {outer}\n" for outer, inner in public.items()) + " }\n}\n"
        in_netns("router", "chroot", self.tools, "nft", "-f", "-", text_in=rules)

    def _spawn(self, *argv, **kw):
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, **kw)
        self.processes.append(process)
        return process

    def dns(self, hosts, mx, txt=None):
        """The resolver of the organisation; hosts {name: address or addresses}, mx {domain: [(preference, name)]}, txt {name: text}."""
        self.host("ns1", self.resolver)
        lines = ["no-resolv", "no-hosts", f"listen-address={self.resolver}", "bind-interfaces",
                 "local=/#/"]   # else an unknown name is REFUSED, which mail servers take for a temporary failure
        lines += [f"host-record={name},{address if isinstance(address, str) else ','.join(address)}"
                  for name, address in hosts.items()]
        lines += [f"mx-host={domain},{name},{preference}" for domain, group in mx.items() for preference, name in group]
        lines += [f'txt-record={name},"{text}"' for name, text in (txt or {}).items()]
        (self.tools / "etc/lab-dnsmasq.conf").write_text("\n".join(lines) + "\n")
        self._spawn("ip", "netns", "exec", "ns1", "chroot", self.tools, "dnsmasq", "--keep-in-foreground",
                    "--conf-file=/etc/lab-dnsmasq.conf", "--user=root", "--pid-file", "--log-facility=/dev/null")

    def server(self, software, name, domain, address, users=(), also=(), outside=False, prepare=None, start="true", layer=None,
               **config):
        """A real mail server. software: a module of hosts/; also: more addresses of it; prepare(root): last touches before it
        starts; start: a shell command that goes before; layer: other packages than those of software.LAYER; config: what its
        configure() wants to know."""
        (self.outside_host if outside else self.host)(name, address, *also)
        root = overlay(WORK / "hosts" / name, [LAYERS / (layer or software.LAYER) / "upper"])
        self.roots[name] = root
        replace_file(root / "etc/resolv.conf", f"nameserver {self.resolver}\n")
        replace_file(root / "etc/hosts", f"127.0.0.1 localhost\n{address} {name}.{domain} {name}\n")
        for user in users:
            sh("chroot", root, "useradd", "--create-home", "--shell", "/usr/sbin/nologin", user)
        software.configure(root, f"{name}.{domain}", **config)
        if prepare:
            prepare(root)
        log = self.logs[address] = Syslog(root, self.records / f"{name}.log")
        self.software[address] = software
        # One process to kill for the whole server: the init of its own process namespace.
        self.unshared[name] = self._spawn("ip", "netns", "exec", name, "unshare", "-m", "-u", "-i", "-p", "-f", "--kill-child", "-R", root,
            "/bin/sh", "-c", f"mount -t proc proc /proc; hostname {name}.{domain}; {start}; {software.START}",
            stdout=subprocess.DEVNULL, stderr=open(self.records / f"{name}.stderr", "wb"))
        wait_for(f"{software.LAYER} on {name}", lambda: log.has(software.STARTED), 20)

    def postfix(self, name, domain, address, **config):
        self.server(postfix, name, domain, address, **config)

    def sink(self, host, address, name, behaviour, *known, **more):
        """A scripted mail server on a host that is already there; hosts/sink.py tells behaviours and more."""
        record = self.records / f"sink-{name}-{address}.jsonl"
        self.sinks.append(record)
        job = {"address": address, "name": name, "record": str(record), "behaviour": behaviour, "known": known, **more}
        process = self._spawn("ip", "netns", "exec", host, sys.executable, "-B", HERE / "hosts/sink.py", json.dumps(job),
                              stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise Failure(f"sink {name} did not start")

    def received(self):
        """What the sinks were sent so far."""
        return [json.loads(line) for file in self.sinks if file.exists() for line in file.read_text().splitlines()]

    def certificate(self, name):
        """A self-signed certificate with its key, in one file."""
        pem = WORK / f"{name}.pem"
        sh("chroot", self.tools, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
           "-days", 30, "-subj", f"/CN={name}", "-keyout", "/tmp/key.pem", "-out", "/tmp/cert.pem")
        pem.write_text((self.tools / "tmp/key.pem").read_text() + (self.tools / "tmp/cert.pem").read_text())
        return pem

    def capture(self, words=""):
        """Record the bridge of the organisation, everything on it or what the words of a filter say."""
        self.pcap, self.since = WORK / "capture.pcap", time.time()
        with open(self.pcap, "wb") as file:
            self.tcpdump = subprocess.Popen(
                ["ip", "netns", "exec", "org", "chroot", str(self.tools), "tcpdump", "-i", "br0", "-U", "-Z", "root",
                 "-w", "-", words], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, text=True)
        while "listening on" not in (line := self.tcpdump.stderr.readline()):
            if not line:
                raise Failure("tcpdump did not start")
        if self.sensor:
            self.sensor.start(words)

    def end_capture(self):
        if self.sensor:
            self.sensor.stop()
        self.tcpdump.terminate()
        _, words = self.tcpdump.communicate(timeout=10)
        if "\n0 packets dropped by kernel" not in f"\n{words}":
            raise Failure(f"the capture is not complete: {words}")

    def send(self, host, pause=PAUSE_S, **session):
        """One scripted SMTP session (hosts/sender.py); what it did goes to the record."""
        stories = [mail["story"] for mail in session["mails"]]
        done = json.loads(in_netns(host, sys.executable, "-B", HERE / "hosts/sender.py", text_in=json.dumps(session)))
        for transaction, story in zip(done["transactions"], stories):
            transaction["story"] = story
        self.sessions.append(done)
        time.sleep(pause)

    def send_together(self, host, sessions):
        with concurrent.futures.ThreadPoolExecutor(len(sessions)) as pool:
            for job in [pool.submit(self.send, host, **session) for session in sessions]:
                job.result()

    def hand_in(self, host, mail, pause=PAUSE_S):
        """A letter that a user of the server gives to it on the server itself."""
        now = time.time()
        name = re.search(r"^Message-ID: (.*)$", mail["text"], re.M)[1]
        rcpts = [{"address": address, "reply": "250 taken"} for address in mail["rcpt_to"]]
        address = next(address for address, name in self.host_of.items() if name == host)
        self.handed_in.append({"name": name, "message_id": name, "dest_ip": address, "mail_from": mail["mail_from"],
                               "rcpt_to": rcpts, "queue_id": "handed in", "mail_time": now, "data_time": now, "reply_time": now,
                               "story": mail["story"]})
        in_netns(host, "chroot", self.roots[host], "sendmail", "-i", "-f", mail["mail_from"], *mail["rcpt_to"], text_in=mail["text"])
        time.sleep(pause)

    def file(self, host, path, text, owner="root"):
        """A file on a real server."""
        replace_file(self.roots[host] / path.lstrip("/"), text)
        sh("chroot", self.roots[host], "chown", f"{owner}:", path)

    def run_in(self, host, command):
        """A command among the processes of a real server."""
        init = sh("pgrep", "-P", self.unshared[host].pid).split()[0]
        sh("nsenter", "--target", init, "--mount", "--pid", "--net", "--root", "/bin/sh", "-c", command)

    def run_as(self, host, user, command):
        sh("chroot", self.roots[host], "su", "-s", "/bin/sh", "-c", command, user)

    def quiet(self, seconds=2.5, timeout=30):
        """Until nothing has happened for a while."""
        wait_for("quiet", lambda: time.time() - max(log.lines[-1][0] for log in self.logs.values()) > seconds, timeout)

    def settle(self, timeout=30, quiet=2.5):
        """Until every message has left the queues and the logs have been quiet for a while (late replies count)."""
        def still():
            newest = max(log.lines[-1][0] for log in self.logs.values())
            return time.time() - newest > quiet and not any(
                self.software[address].queued(log.lines) for address, log in self.logs.items())
        wait_for("the queues to empty", still, timeout)


def configuration(scenario, pcap):
    """What bouncetap must be told to audit a capture."""
    sections = {"own": scenario.OWN}
    sections |= {f"tenant {name}": keys for name, keys in getattr(scenario, "TENANTS", {}).items()}
    sections |= getattr(scenario, "SECTIONS", {})
    text = f"# What bouncetap must be told to audit {pcap}.\n"
    for section, keys in sections.items():
        text += f"[{section}]\n" + "".join(f"{key} = {value if isinstance(value, str) else ', '.join(value)}\n"
                                          for key, value in keys.items())
    return text


def seen_inside(lab, received, proxied):
    """Connections that balancers and address translation change, as the captured network has them."""
    for raw in [raw for session in lab.sessions for raw in (*session["transactions"], session["connection"])]:
        raw["dest_ip"] = lab.public.get(raw["dest_ip"], raw["dest_ip"])
        client = raw["src_ip"], raw["src_port"]
        if client in proxied:
            raw |= {"client": client, "origin_ip": raw["src_ip"], **proxied[client]}
    for raw in received:
        raw["src_ip"] = lab.public.get(raw["src_ip"], raw["src_ip"])


def play(name, seed, sensor, place):
    """One scenario, in a process of its own; place: where the results go."""
    begun = time.monotonic()
    scenario = fresh.load(name, seed)
    for mount in (WORK, RUN / "netns"):   # of this scenario alone
        mount.mkdir(exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", mount)
    results = WORK / "results"
    records = results / f"{name}.records"
    records.mkdir(parents=True)
    lab = Lab(scenario, records, sensor)
    try:
        scenario.play(lab)
        lab.end_capture()
    finally:
        for process in lab.processes:
            process.kill()
        shutil.copytree(results, place, dirs_exist_ok=True)   # the logs are wanted most when something failed
    received = lab.received()
    logs = {address: lab.software[address].parse(log.lines) for address, log in lab.logs.items()}
    seen_inside(lab, received, {key: where for log in logs.values() for key, where in log.get("proxied", {}).items()})
    (records / "senders.jsonl").write_text("".join(json.dumps(session) + "\n" for session in [*lab.sessions, *lab.handed_in]))
    result = truth.build(name, scenario, lab.sessions, lab.handed_in, received, logs, lab)
    shutil.copy(lab.pcap, results / f"{name}.pcap")
    if lab.keylog.exists():
        shutil.copy(lab.keylog, results / f"{name}.keylog")
    (results / f"{name}.truth.json").write_text(truth.to_text(result))
    (results / f"{name}.conf").write_text(configuration(scenario, f"{name}.pcap"))
    shutil.copytree(results, place, dirs_exist_ok=True)
    truth.check(result, lab.pcap, scenario)
    say(f"{name}: {len(result['transactions'])} transactions, {lab.pcap.stat().st_size} bytes, {time.monotonic() - begun:.0f} s")


def install(names, seed):
    """Layers for all scenarios, side by side."""
    begun = time.monotonic()
    resolv_conf = Path("/etc/resolv.conf").read_text()
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", RUN)
    packages = {"tools": set(TOOLS)}
    for name in names:
        for layer, group in fresh.load(name, seed).LAYERS.items():
            packages.setdefault(layer, set()).update(group)
    say(f"installing {', '.join(sorted(word for group in packages.values() for word in group))} into layers of the lab")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(install_layer, layer, sorted(group), resolv_conf) for layer, group in packages.items()]:
            job.result()
    say(f"layers ready after {time.monotonic() - begun:.0f} s")


def watch_lifeline():
    """`run` holds the other end of our standard input; when it goes, we go, and all processes with us."""
    sys.stdin.buffer.read()
    os._exit(1)


def main(names, seed, sensor, out):
    if out.startswith("/proc/self/fd/"):   # called by ourselves, for one scenario
        play(names[0], seed, sensor, Path(out))
        return 0
    threading.Thread(target=watch_lifeline, daemon=True).start()
    descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)   # out may be below RUN, which is about to be covered
    install(names, seed)
    failed = []
    for name in names:
        # A scenario's mounts and processes end with it.
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-B", __file__,
                   f"/proc/self/fd/{descriptor}", str(seed), sensor, name]
        if subprocess.run(command, stdin=subprocess.DEVNULL, pass_fds=[descriptor], check=False).returncode:
            failed.append(name)
    if failed:
        say(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        code = main(sys.argv[4:], int(sys.argv[2]), sys.argv[3], sys.argv[1])
    except (Failure, truth.Mismatch, AssertionError, subprocess.TimeoutExpired) as problem:
        print(f"lab: FAILED: {problem}", file=sys.stderr, flush=True)
        code = 1
    sys.stdout.flush()
    os._exit(code)   # not sys.exit: it would wait for the threads of the logs
