"""The shells complete postern's command line: what is offered, and that bash
and zsh do offer it."""
import os
import pathlib
import pty
import select
import shutil
import subprocess
import time

import pytest

from tests.harness import paths


@pytest.fixture
def directory(fresh_postern):
    """An instance whose server does not run, with a few things in it."""
    made = fresh_postern(start=False)
    for words in (["org", "add", "acme"], ["org", "add", "apex"],
                  ["domain", "add", "a.example", "--organisation", "acme"],
                  ["domain", "add", "ab.example"],
                  ["transport", "add", "inside", "smtp", "[mx.example]:25"],
                  ["domain", "add", "passed.example", "--relay"],
                  ["relay-recipient", "add", "far@passed.example"],
                  ["mailbox", "add", "kim@a.example", "--no-password"],
                  ["mailbox", "add", "lee@ab.example", "--no-password"],
                  ["alias", "add", "all@a.example", "kim@a.example"],
                  ["access", "add", "senders", "x.example", "OK"],
                  ["credential", "add", "kim@a.example", "my phone"]):
        made.postern(*words)
    return made


def offered(instance, line):
    return instance.postern("complete", "--", line).stdout.splitlines()


LINES = [
    ("postern mailb", ["mailbox"]),
    ("postern mailbox ren", ["rename"]),
    ("postern map ", ["query", "types"]),
    ("postern nosuch ", []),
    ("postern domain show a", ["a.example", "ab.example"]),
    ("postern domain show ab", ["ab.example"]),
    ("postern domain add a", []),
    ("postern domain show a.example ", []),
    ("postern mailbox list a.", ["a.example"]),
    ("postern mailbox show ", ["kim@a.example", "lee@ab.example"]),
    ("postern --json mailbox show k", ["kim@a.example"]),
    ("postern mailbox add new@a", ["new@a.example", "new@ab.example"]),
    ("postern mailbox add new", []),
    ("postern mailbox set kim@a.example quo",
     ["quota_bytes", "quota_messages"]),
    ("postern mailbox add --quota 1g x@ab", ["x@ab.example"]),
    ("postern alias show ", ["all@a.example"]),
    ("postern alias add all@a.example kim@a.example lee",
     ["lee@ab.example"]),
    ("postern relay-recipient del f", ["far@passed.example"]),
    ("postern org show a", ["acme", "apex"]),
    ("postern org add a", []),
    ("postern transport del ", ["inside"]),
    ("postern credential show kim@a.example ", ["my phone"]),
    ("postern credential add kim@a.example x --scope s",
     ["smtp", "smtp,imap"]),
    ("postern credential add kim@a.example x --scope=i", ["--scope=imap"]),
    ("postern domain add x.example --org", ["--organisation="]),
    ("postern domain add x.example --organisation a", ["acme", "apex"]),
    ("postern domain add x.example --organisation=ac",
     ["--organisation=acme"]),
    ("postern domain add x.example --rel", ["--relay"]),
    ("postern access list s", ["senders"]),
    ("postern access import senders ", ["!files"]),
    ("postern -c ", ["!files"]),
    ("postern config show smtpd_timeo", ["smtpd_timeout"]),
    ("postern config show myhostname smtpd_timeo", ["smtpd_timeout"]),
    ("postern completion ", ["bash", "zsh"]),
    ("postern transport add x s", ["smtp"]),
    ("postern queue delete ", ["ALL"]),
    ("postern quota show a", ["a.example", "ab.example"]),
    ("postern quota show ki", ["kim@a.example"]),
    ("postern session kick ", []),
    ("postern 'mailbox' \"show\" k", ["kim@a.example"]),
    ("postern mailbox show '", ["kim@a.example", "lee@ab.example"]),
    ("postern", []), ("", []), ("  ", []),
    ("postern mailbox show %", []),
    ("postern mailbox show '; DROP TABLE mailbox; --", []),
]


def test_what_the_last_word_may_become(directory):
    assert {line: offered(directory, line) for line, _ in LINES} == \
        dict(LINES)


def test_every_command_and_option_is_offered(directory):
    """From the table of commands, which the help is printed from, too."""
    for line in directory.postern("--help").stdout.splitlines():
        words = line.split()
        if not line.startswith("  ") or line.startswith("   ") or \
                words[0].startswith("-"):
            continue
        name = [w for w in words[:2] if w.isascii() and
                w.replace("-", "").islower() and w.replace("-", "").isalpha()]
        if name == ["completion"] or len(words) == 1:
            name = words[:1]
        assert name[-1] in offered(directory, "postern " + " ".join(name))
        for said in directory.postern(*name, "--help").stdout.splitlines():
            if said.startswith("      --"):
                option = said.strip().split("=")[0]
                got = offered(directory, f"postern {' '.join(name)} {option}")
                assert option in got or option + "=" in got


def test_settings_offered_are_those_there_are(directory):
    for noun, thing in (("domain", "a.example"), ("mailbox", "kim@a.example"),
                        ("alias", "all@a.example"), ("org", "acme")):
        refused = directory.postern(noun, "set", thing, "nosuch", "1",
                                    check=False)
        there = refused.stderr.split("There are: ")[1].strip(" .\n")
        assert sorted(there.split(", ")) == \
            sorted(offered(directory, f"postern {noun} set {thing} "))


def test_nothing_is_said_when_the_database_is_away(directory):
    directory.set("database", "postgresql:///x?host=/nonexistent")
    assert offered(directory, "postern domain show ") == []
    assert offered(directory, "postern domain sh") == ["show"]


@pytest.fixture
def stub(directory, tmp_path):
    """A `postern` that completes as the real one, and else prints its
    words."""
    place = directory.dir / "bin"
    place.mkdir()
    program = place / "postern"
    program.write_text(f"""#!/bin/sh
case $1 in
complete|completion)
	exec {paths.program('postern')} -c {directory.conf} "$@" ;;
esac
printf '<%s>' "$@"
echo .
""")
    program.chmod(0o755)
    paths.give(place)
    return place


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, argv, place):
        env = {"PATH": f"{place}:{os.environ['PATH']}", "TERM": "dumb",
               "PS1": "> ", "HOME": str(place), "LANG": "C.UTF-8",
               "INPUTRC": "/dev/null", "ZDOTDIR": str(place)}
        argv = [str(a) for a in paths.as_plain_user(argv)]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(place)
            os.execvpe(argv[0], argv, env)

    def type(self, text, until, seconds=60):
        os.write(self.fd, text.encode())
        got, end = "", time.monotonic() + seconds
        while until not in got:
            assert time.monotonic() < end, f"no {until!r} in {got!r}"
            if select.select([self.fd], [], [], 0.2)[0]:
                got += os.read(self.fd, 4096).decode("utf-8", "replace")
        return got

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


TYPED = [
    ("postern mailb\tsh\tk\t", "<mailbox><show><kim@a.example>."),
    ("postern mailbox show kim@\t", "<mailbox><show><kim@a.example>."),
    ("postern mailbox add new@ab\t--no-p\t",
     "<mailbox><add><new@ab.example><--no-password>."),
    ("postern domain add x.example --organisation ac\t",
     "<domain><add><x.example><--organisation><acme>."),
    ("postern credential show kim@a.example m\t",
     "<credential><show><kim@a.example><my phone>."),
    ("postern access import senders rul\t",
     "<access><import><senders><rules.txt>."),
]


def test_bash_completes(directory, stub):
    (stub / "rules.txt").write_text("")
    shell = Shell(["bash", "--norc", "--noprofile", "-i"], stub)
    try:
        shell.type("bind 'set bell-style none'; "
                   "source <(postern completion bash); echo re''ady\n",
                   "ready\r")
        for typed, want in TYPED + [
                ("postern domain add x.example --organisation=ac\t",
                 "<domain><add><x.example><--organisation=acme>."),
                ("postern domain add x.example --org\tac\t",
                 "<domain><add><x.example><--organisation=acme>.")]:
            shell.type(typed + "\n", want)
        # two: both are shown
        assert "ab.example" in shell.type("postern domain show a\t\t",
                                          "a.example")
    finally:
        shell.close()


def test_zsh_completes(directory, stub):
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    (stub / "rules.txt").write_text("")
    functions = stub / "functions"
    functions.mkdir()
    done = subprocess.run([stub / "postern", "completion", "zsh"],
                          capture_output=True, text=True, check=True)
    (functions / "_postern").write_text(done.stdout)
    shell = Shell([zsh, "-f", "-i"], stub)
    try:
        shell.type("PS1='> '; unsetopt zle_bracketed_paste; "
                   f"fpath=({functions} $fpath); autoload -U compinit; "
                   f"compinit -u -d {stub}/dump; echo re''ady\n", "ready\r")
        for typed, want in TYPED:
            shell.type(typed + "\n", want)
    finally:
        shell.close()


def test_what_is_installed_is_what_is_printed(directory):
    for shell, name in (("bash", "postern"), ("zsh", "_postern")):
        made = pathlib.Path(paths.BUILD) / "doc" / shell / name
        assert made.read_text() == \
            directory.postern("completion", shell).stdout
