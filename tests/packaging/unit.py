"""Runs a service as its systemd unit says, where no systemd runs.

Every setting of a unit is in one of the tables below; one that is not stops
the test, so that nobody adds a setting of which the test knows nothing.
"""
import os
import pathlib
import resource
import shlex
import socket
import subprocess
import time

# Given to the process here.
PLAYED = {"Type", "ExecStart", "ExecReload", "ExecStop", "KillMode",
          "WatchdogSec", "LimitNOFILE", "LimitCORE", "UMask",
          "CapabilityBoundingSet", "NoNewPrivileges", "ProtectSystem",
          "ProtectHome", "PrivateTmp", "PrivateDevices",
          "ProtectKernelTunables"}
# About what systemd itself does, or seccomp filters, which are not played.
LEFT_OUT = {"NotifyAccess", "TimeoutStopSec", "TimeoutSec", "Restart",
            "RestartSec", "RestartPreventExitStatus", "KillSignal",
            "ProtectClock", "ProtectControlGroups", "ProtectHostname",
            "ProtectKernelLogs", "ProtectKernelModules",
            "RestrictAddressFamilies", "RestrictNamespaces",
            "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality",
            "SystemCallArchitectures"}
# What systemd gives to a system service.
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH":
               "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def parse(text):
    """{name: value} of [Service]; a name that is repeated adds words."""
    section, found = None, {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and line[0] not in "#;":
            name, value = line.split("=", 1)
            found[name] = f"{found[name]} {value}" if name in found else value
    unknown = set(found) - PLAYED - LEFT_OUT
    if unknown:
        raise SystemExit(f"unit.py does not know: {sorted(unknown)}")
    return found


def allowed(limit, value):
    """`value`, or less where even root may not have as much (containers)."""
    hard = resource.getrlimit(getattr(resource, f"RLIMIT_{limit.upper()}"))[1]
    sure = unlimited_root() or hard == resource.RLIM_INFINITY
    return value if sure else min(value, hard)


def unlimited_root():
    """Have we CAP_SYS_RESOURCE (bit 24)?"""
    return bool(int(status("self")["CapEff"], 16) & 1 << 24)


class Unit:
    """A service in the root directory `root`."""

    def __init__(self, root, name):
        self.root = pathlib.Path(root)
        self.name = name
        path = self.root / "lib/systemd/system" / f"{name}.service"
        self.settings = parse(path.read_text())
        self.process = None
        self.notify = None

    def yes(self, name):
        return self.settings.get(name) == "yes"

    def mounts(self):
        """Shell commands that make the file system as the unit wants it."""
        lines = []
        if self.settings.get("ProtectSystem") == "full":
            lines += [f"mount --bind {d} {d}; mount -o remount,bind,ro {d}"
                      for d in ("/usr", "/boot", "/etc")]
        if self.yes("ProtectHome"):
            lines += [f"mount -t tmpfs -o mode=0 tmpfs {d}"
                      for d in ("/home", "/root")]
        if self.yes("PrivateTmp"):
            lines += [f"mount -t tmpfs -o mode=1777 tmpfs {d}"
                      for d in ("/tmp", "/var/tmp")]
        if self.yes("ProtectKernelTunables"):
            lines += ["mount --bind /proc/sys /proc/sys",
                      "mount -o remount,bind,ro /proc/sys"]
        if self.yes("PrivateDevices"):
            # shm is where PostgreSQL has its shared memory
            lines += ["mkdir -p /run/dev",
                      "mount -t tmpfs -o mode=755 tmpfs /run/dev",
                      "mkdir -m 1777 /run/dev/shm"]
            lines += [f"touch /run/dev/{d}; "
                      f"mount --bind /dev/{d} /run/dev/{d}" for d in DEVICES]
            lines += ["mount --rbind /run/dev /dev"]
        return lines

    def rights(self):
        """The command words that take rights and limits away."""
        caps = self.settings["CapabilityBoundingSet"].split()
        caps = ",".join("+" + c.removeprefix("CAP_").lower() for c in caps)
        words = ["prlimit"]
        for name, option in (("LimitNOFILE", "nofile"),
                             ("LimitCORE", "core")):
            if name in self.settings:
                value = allowed(option, int(self.settings[name]))
                words.append(f"--{option}={value}:{value}")
        words += ["setpriv", f"--bounding-set=-all,{caps}",
                  "--inh-caps=-all"]
        if self.yes("NoNewPrivileges"):
            words.append("--no-new-privs")
        return words

    def command(self, setting, **more):
        line = self.settings[setting]
        for name, value in more.items():
            line = line.replace(f"${name}", str(value))
        script = ["set -e", f"umask {self.settings.get('UMask', '0022')}"]
        if "WatchdogSec" in self.settings:
            script.append("export WATCHDOG_PID=$$")
        script += self.mounts()
        script.append("exec " + shlex.join(self.rights()) + " " + line)
        return ["chroot", self.root, "unshare", "--mount", "--propagation",
                "private", "sh", "-c", "\n".join(script)]

    def run(self, setting, **more):
        """One of the unit's commands, to its end; raises when it fails. Its
        output goes to a file: what it leaves behind would hold a pipe."""
        out = self.root / "run" / f"{self.name}.out"
        with open(out, "wb") as f:
            code = subprocess.run(self.command(setting, **more), stdout=f,
                                  stderr=f, stdin=subprocess.DEVNULL,
                                  env=ENVIRONMENT, timeout=120).returncode
        if code != 0:
            raise SystemExit(f"{self.name}: {setting}: exit code {code}: "
                             f"{out.read_text()}")

    def start(self):
        """A service of Type=notify: returns when it has said READY=1."""
        assert self.settings["Type"] == "notify"
        where = self.root / "run/notify"
        where.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(where))
        env = dict(ENVIRONMENT, NOTIFY_SOCKET="/run/notify")
        if "WatchdogSec" in self.settings:
            env["WATCHDOG_USEC"] = self.settings["WatchdogSec"] + "000000"
        self.process = subprocess.Popen(
            self.command("ExecStart"), env=env, stdin=subprocess.DEVNULL)
        return self.wait_for("READY=1")

    def wait_for(self, word, seconds=60):
        """What was said until `word`, as a list of lines."""
        said, end = [], time.monotonic() + seconds
        while word not in said:
            self.notify.settimeout(0.2)
            try:
                said += self.notify.recv(4096).decode().splitlines()
            except TimeoutError:
                if (time.monotonic() > end or
                        self.process.poll() is not None):
                    raise SystemExit(
                        f"{self.name} did not say {word} but: {said}; "
                        f"exit code {self.process.returncode}") from None
        return said

    def reload(self):
        self.run("ExecReload", MAINPID=self.process.pid)
        return self.wait_for("RELOADING=1") + self.wait_for("READY=1")

    def stop(self):
        """KillMode=mixed: the main process alone is told."""
        if self.settings.get("KillMode") != "mixed":
            raise SystemExit(f"{self.name}: KillMode is not `mixed'")
        self.process.terminate()
        self.wait_for("STOPPING=1")
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            code = "nothing, for it runs on"
        if code != 0:
            raise SystemExit(f"{self.name}: ended with {code}")


def status(pid):
    """/proc/PID/status as a dictionary."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines()
                if ":\t" in line)


def processes(names):
    """{pid: name} of all running processes with one of these names."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            state = status(pid)["State"]
        except (OSError, KeyError):
            continue
        if name in names and not state.startswith("Z"):
            found[int(pid)] = name
    return found
