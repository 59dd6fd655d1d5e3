"""The postern command: what it changes, prints, refuses, and ends with."""
import json
import os
import pty
import re
import subprocess

import pytest

from tests.harness import paths
from tests.harness.wait import until


@pytest.fixture
def cli(fresh_postern):
    """Runs the CLI on an instance whose server does not run."""
    made = fresh_postern(start=False)

    def run(*words, stdin=None):
        return made.postern(*words, stdin=stdin, check=False)
    run.instance = made
    run.rows = lambda *words: json.loads(run("--json", *words).stdout)
    return run


def test_a_domain_comes_changes_and_goes(cli):
    assert cli("domain", "add", "Example.ORG").stdout == \
        "domain example.org added\n"
    assert cli("domain", "add", "example.org").returncode == 73
    assert cli("domain", "add", "xn--bcher-kva.example").returncode == 0
    assert cli("domain", "add", "büchlein.example").returncode == 0
    assert cli("domain", "add", "two words").returncode == 65
    assert cli("domain", "add", "shop.example", "--alias-of",
               "example.org").returncode == 0
    assert cli("domain", "add", "passed.example", "--relay").returncode == 0
    assert {(r["name"], r["class"], r["target"])
            for r in cli.rows("domain", "list")} == {
        ("example.org", "mailbox", ""),
        ("xn--bcher-kva.example", "mailbox", ""),
        ("büchlein.example".encode("idna").decode(), "mailbox", ""),
        ("shop.example", "alias", "example.org"),
        ("passed.example", "relay", "")}
    assert cli("domain", "set", "example.org", "quota_bytes",
               "2g").returncode == 0
    assert cli.rows("domain", "show", "example.org")["quota_bytes"] == 2 ** 31
    assert cli("domain", "set", "example.org", "quota_bytes",
               "many").returncode == 65
    assert cli("domain", "show", "nowhere.example").returncode == 67
    refused = cli("domain", "set", "example.org", "colour", "red")
    assert refused.returncode == 65 and "There are: active" in refused.stderr
    refused = cli("domain", "del", "shop.example")
    assert refused.returncode == 64 and "--yes" in refused.stderr
    assert cli("--yes", "domain", "del", "shop.example").returncode == 0
    assert cli("--yes", "domain", "del", "shop.example").returncode == 67


def test_a_mailbox_comes_changes_and_goes(cli):
    cli("domain", "add", "a.example")
    assert cli("mailbox", "add", "Kim@A.example", "--password-stdin",
               "--quota", "1g", "--name=Kim K.", stdin="one\n").stdout == \
        "mailbox kim@a.example added\n"
    assert cli("mailbox", "add", "kim@a.example", "--no-password"
               ).returncode == 73
    assert cli("mailbox", "add", "kim@elsewhere.example", "--no-password"
               ).returncode == 67
    assert cli("mailbox", "add", "kim at home", "--no-password"
               ).returncode == 65
    assert cli("mailbox", "add", "lee@a.example", "--password-stdin",
               stdin="").returncode == 65
    assert cli("mailbox", "list").returncode == 0
    row = cli.rows("mailbox", "show", "kim@a.example")
    assert row["quota_bytes"] == 2 ** 30
    assert row["full_name"] == "Kim K."
    assert row["credentials"] == 1 and row["bytes"] is None

    def secret():
        return cli.instance.sql("SELECT secret FROM credential;")[-1][0]

    first = secret()
    assert first.startswith("{SCRAM-SHA-256}") and "one" not in first
    assert cli("mailbox", "passwd", "kim@a.example", "--password-stdin",
               stdin="two\n").returncode == 0
    assert secret() != first
    assert cli("mailbox", "set", "kim@a.example", "state",
               "no_login").returncode == 0
    assert cli.rows("mailbox", "list", "a.example")[0]["state"] == "no_login"
    assert cli("mailbox", "set", "kim@a.example", "state",
               "asleep").returncode == 65
    before = row["id"]
    assert cli("mailbox", "del", "kim@a.example", "--yes").returncode == 0
    assert cli("mailbox", "show", "kim@a.example").returncode == 67
    assert cli.rows("mailbox", "list") == []
    cli("mailbox", "add", "kim@a.example", "--no-password")
    assert cli.rows("mailbox", "show", "kim@a.example")["id"] != before


def test_aliases_and_what_they_resolve_to(cli):
    cli("domain", "add", "a.example")
    for who in ("kim", "lee"):
        cli("mailbox", "add", f"{who}@a.example", "--no-password")
    assert cli("alias", "add", "all@a.example", "kim@a.example",
               "lee@a.example", "far@b.example").returncode == 0
    assert cli("alias", "add", "@a.example", "kim@a.example"
               ).returncode == 0
    refused = cli("alias", "add", "loop@a.example", "loop@a.example")
    assert refused.returncode == 65 and "lead back" in refused.stderr
    assert len(cli.rows("alias", "list", "a.example")) == 4
    assert cli.rows("alias", "show", "all@a.example")["targets"] == [
        "far@b.example", "kim@a.example", "lee@a.example"]
    assert re.search(r"(?m)^targets +far@b.example kim@a.example "
                     "lee@a.example$",
                     cli("alias", "show", "all@a.example").stdout)
    rows = cli.rows("resolve", "All+x@a.example")
    found = {(r["item"], r["value"]) for r in rows}
    assert {("class", "mailbox"), ("mailbox", "kim@a.example"),
            ("mailbox", "lee@a.example"),
            ("forward", "far@b.example")} <= found
    shown = cli("resolve", "whoever@a.example")
    assert shown.returncode == 0
    assert "catch-all of a.example leads to kim@a.example" in shown.stdout
    assert cli("resolve", "kim@nowhere.example").returncode == 67
    assert cli("--yes", "alias", "del", "all@a.example",
               "lee@a.example").returncode == 0
    assert cli("alias", "set", "all@a.example", "active", "no"
               ).returncode == 0
    assert cli("resolve", "all@a.example").returncode == 67
    assert cli("--yes", "alias", "del", "all@a.example").returncode == 0
    assert cli("alias", "show", "all@a.example").returncode == 67


def on_terminal(command, columns=60):
    """What a command writes to a terminal of that width."""
    pid, fd = pty.fork()
    if pid == 0:
        import fcntl
        import struct
        import termios
        fcntl.ioctl(1, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, columns, 0, 0))
        os.execvp(command[0], command)
    out = b""
    while True:
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        out += part
    os.waitpid(pid, 0)
    os.close(fd)
    return out.decode("utf-8", "replace").replace("\r\n", "\n")


def test_a_table_fits_the_terminal_and_cannot_drive_it(cli):
    cli("domain", "add", "a.example")
    long = "a" * 60
    cli("mailbox", "add", f"{long}@a.example", "--no-password")
    # Past the CLI and the check constraints, as another writer could.
    cli.instance.sql(
        "ALTER TABLE mailbox DISABLE TRIGGER ALL;"
        "ALTER TABLE mailbox DROP CONSTRAINT mailbox_full_name_check;"
        "UPDATE mailbox SET full_name = "
        "E'x\\x1b[31mred\\u009b2J\\u202eabc\\nline';")
    command = paths.as_plain_user(
        [paths.program("postern"), "-c", cli.instance.conf, "mailbox", "list"])
    out = on_terminal(command, columns=70)
    lines = out.rstrip("\n").split("\n")
    assert len(lines) == 2
    assert all(len(line) <= 70 for line in lines)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)
    shown = cli("mailbox", "show", f"{long}@a.example").stdout
    assert "x?[31mred?2J?abc?line" in shown
    row = cli.rows("mailbox", "show", f"{long}@a.example")
    assert row["full_name"] == "x\x1b[31mred\x9b2J\u202eabc\nline"


def test_a_question_on_the_terminal_wants_yes(cli):
    cli("domain", "add", "a.example")
    command = paths.as_plain_user(
        [paths.program("postern"), "-c", cli.instance.conf,
         "domain", "del", "a.example"])
    for answer, left in (("y\n", 1), ("yes\n", 0)):
        pid, fd = pty.fork()
        if pid == 0:
            os.execvp(command[0], command)
        text = b""
        while b"Type yes: " not in text:
            text += os.read(fd, 1000)
        os.write(fd, answer.encode())
        try:
            while os.read(fd, 1000):
                pass
        except OSError:
            pass
        os.waitpid(pid, 0)
        os.close(fd)
        assert len(cli.rows("domain", "list")) == left


@pytest.mark.parametrize("words, said", [
    (["maibox", "add", "x"], "did you mean `mailbox add'?"),
    (["nonsense"], "see `postern --help'"),
    (["nonsense", "--help"], "see `postern --help'"),
    (["help", "mailbx", "add"], "did you mean `mailbox add'?"),
    (["mailbox"], "see `postern mailbox --help'"),
    (["mailbox", "add", "--quot", "3"], "`postern mailbox add --help'"),
    (["mailbox", "add"], "needs more words"),
    (["status", "now"], "`now' is a word too much"),
    (["domain", "list", "--verbose"], "does not know the option --verbose"),
    (["mailbox", "add", "a@b.example", "--quota"], "--quota needs a value"),
    (["domain", "list", "--json=1"], "--json"),
    (["domain", "add", "x.example", "--relay=yes"], "takes no value"),
    (["domain", "add", "x.example", "--transport", "t"], "is for --relay"),
])
def test_a_slip_on_the_command_line_is_named(cli, words, said):
    done = cli(*words)
    assert done.returncode == 64
    assert said in done.stderr


def test_help_tells_of_every_command(cli):
    everything = cli("--help").stdout
    names = re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?)(?= |$)", everything)
    assert {"domain add", "queue list", "status", "setup"} <= set(names)
    for name in names:
        done = cli(*name.split(), "--help")
        assert done.returncode == 0
        assert "Example: postern" in done.stdout
    assert cli("mailbox", "--help").stdout.count("Example:") >= 7
    assert cli("--version").stdout.startswith("postern ")


def test_a_config_mistake_names_line_column_and_the_nearest_word(cli):
    conf = cli.instance.conf
    good = conf.read_text()
    assert cli("config", "check").returncode == 0

    def check(text):
        conf.write_text(text)
        done = cli("config", "check")
        assert done.returncode == 78
        return done.stderr

    n = len(good.splitlines()) + 1
    said = check(good + "smtpd_recipent_limit = 5\n")
    assert re.search(rf"postern\.conf:{n}:1: .*smtpd_recipient_limit", said)
    said = check("smtpd_recipient_limit = lots\n" + good)
    assert re.search(r"postern\.conf:1:\d+: ", said)
    said = check("smtpd_recipient_restrictions = permit_mynetwork\n" + good)
    assert "permit_mynetworks" in said and "postern.conf:1" in said
    said = check("smtpd_relay_restrictions = permit\n" + good)
    assert "relay" in said
    said = check(good.replace("listen = 127.0.0.1:", "listen = localhost:",
                              1))
    assert "localhost" in said
    said = check(good + "\n[service again]\nprotocol = imap\nlisten = "
                 f"127.0.0.1:{cli.instance.port('imap')}\n")
    assert "listened on twice" in said
    said = check(re.sub(r"tls_key_file = .*", "tls_key_file = /nowhere",
                        good))
    assert re.search(r"postern\.conf:\d+: tls_key_file: /nowhere: No such",
                     said)
    said = check(re.sub(r"maillog_file = .*", "maillog_file = /no/where/log",
                        good))
    assert re.search(r"postern\.conf:\d+: maillog_file: there is no "
                     "directory /no/where/", said)
    said = check("database_password_file = /nowhere\n" + good)
    assert "postern.conf:1: database_password_file: there is no" in said
    # and nothing starts
    done = subprocess.run(
        paths.as_plain_user([paths.program("posternd"), "-c", conf,
                             "--no-wait"]),
        capture_output=True, text=True) if check("x = 1\n") else None
    assert done.returncode == 78 and "postern.conf:1:1" in done.stderr


def test_config_shows_values_and_where_they_are_from(cli):
    rows = {r["name"]: r for r in cli.rows("config", "show")}
    assert rows["myhostname"]["value"] == "mx.test.example"
    assert re.search(r"postern\.conf:\d+$", rows["myhostname"]["set_at"])
    assert rows["smtpd_timeout"]["set_at"] == "default"
    own = cli.rows("config", "show", "imap_tls_wrappermode", "--section",
                   "imaps")
    assert own[0]["value"] == "yes"
    differ = [r["name"] for r in cli.rows("config", "diff")]
    assert "myhostname" in differ and "smtpd_timeout" not in differ
    done = cli("config", "show", "myhostnam")
    assert done.returncode == 65 and "did you mean `myhostname'" in \
        done.stderr


def test_what_runs_is_compared_with_the_file(fresh_postern):
    server = fresh_postern()

    def diff():
        done = server.postern("--json", "config", "diff", "--running",
                              check=False)
        rows = json.loads(done.stdout)
        assert done.returncode == (1 if rows else 0), done.stderr
        return {(r["section"], r["name"], r["running"], r["file"],
                 r["takes"]) for r in rows}

    assert diff() == set()
    assert "what the file says" in server.postern(
        "config", "diff", "--running").stderr
    server.set("smtpd_hard_error_limit", "7")
    server.set("smtpd_tls_wrappermode", "no", section="service submissions")
    server.set("smtpd_workers", "3")
    with open(server.conf, "a") as conf:
        conf.write("[service extra]\nprotocol = smtp\nlisten = "
                   "127.0.0.1:1\n")
    reload = ("", "smtpd_hard_error_limit", "20", "7", "reload")
    restart = {row for row in diff() if row[4] == "restart"}
    assert reload in diff()
    assert {row[:2] for row in restart} >= {
        ("", "smtpd_workers"), ("service extra", "(section)")}
    assert server.postern("reload").returncode == 0
    assert {row for row in diff() if row[4] == "reload"} == set()
    assert {row for row in diff() if row[4] == "restart"} == restart
    server.stop()
    done = server.postern("config", "diff", "--running", check=False)
    assert done.returncode == 69 and "not running" in done.stderr


def test_the_database_revision_is_told(cli):
    row = cli.rows("db", "status")
    assert row["up_to_date"] and row["current"] == row["needed"]
    assert cli("db", "migrate").returncode == 0
    done = cli("db", "start")
    assert done.returncode == 78 and "no private database" in done.stderr


def test_what_is_not_there_is_said(cli):
    done = cli("status")
    assert done.returncode == 69 and "not running" in done.stderr
    cli.instance.set("database", "postgresql:///x?host=/nonexistent")
    done = cli("domain", "list")
    assert done.returncode == 69 and "database" in done.stderr


def test_a_domain_that_is_not_there_has_no_list(cli):
    cli("domain", "add", "a.example")
    for noun in ("mailbox", "alias", "relay-recipient"):
        assert cli(noun, "list", "a.example").returncode == 0
        done = cli(noun, "list", "nowhere.example")
        assert done.returncode == 67, done
        assert "there is no domain nowhere.example" in done.stderr
    assert cli("verify", "list", "nowhere.example").returncode == 0


@pytest.mark.parametrize("words, said", [
    (["org", "add", ""], "an organisation's name is not empty"),
    (["org", "add", "a\tb"], "holds no control character"),
    (["admin", "add", "Ada L", "--organisation", "default", "--no-password"],
     "a domain admin's name has the characters"),
    (["transport", "add", "In Side", "smtp"], "a transport's name has"),
    (["transport", "add", "inside", "smtp", "[a b]:25"], "a next hop is"),
    (["domain", "set", "a.example", "relay_recipients", "some"],
     "any or listed"),
    (["domain", "set", "a.example", "alias_of", "B.Example"],
     "alias_of is for"),
    (["domain", "set", "a.example", "transport", "out"], "transport is for"),
    (["mailbox", "set", "kim@a.example", "full_name", "a\nb"],
     "a name holds no"),
    (["alias", "set", "info@a.example", "note", "a\nb"], "a note holds no"),
    (["credential", "add", "kim@a.example", ""], "a label has 1 to 100"),
    (["access", "add", "No List", "a.example", "OK"], "a list's name has"),
])
def test_what_the_schema_refuses_is_said_in_words(cli, words, said):
    for setup in (["domain", "add", "a.example"],
                  ["domain", "add", "b.example"],
                  ["transport", "add", "out", "smtp"],
                  ["mailbox", "add", "kim@a.example", "--no-password"],
                  ["alias", "add", "info@a.example", "kim@a.example"]):
        assert cli(*setup).returncode == 0
    done = cli(*words)
    assert done.returncode == 65
    assert said in done.stderr and "constraint" not in done.stderr


def test_an_alias_domain_gets_another_target_as_people_write_it(cli):
    for name in ("a.example", "bücher.example"):
        cli("domain", "add", name)
    cli("domain", "add", "shop.example", "--alias-of", "a.example")
    assert cli("domain", "set", "shop.example", "alias_of",
               "Bücher.Example").returncode == 0
    assert cli.rows("domain", "show", "shop.example")["target"] == \
        "xn--bcher-kva.example"


def test_the_host_may_be_named_in_capitals(cli):
    cli("domain", "add", "a.example")
    name = cli.rows("config", "show", "myhostname")[0]["value"]
    cli.instance.set("myhostname", name.upper())
    assert cli("mailbox", "add", "kim@a.example",
               "--no-password").returncode == 0
    assert cli.rows("mailbox", "show", "kim@a.example")["host"] == name


def test_values_reach_the_database_as_they_are(cli):
    """S11: quotes, backslashes, semicolons and other scripts."""
    cli("domain", "add", "a.example")
    cli("mailbox", "add", "kim@a.example", "--no-password")
    for name in ("O'Brien; DROP TABLE mailbox;--", 'back\\slash "q"', "$1",
                 "Ünï 漢字 🙂", "--json", "{a,b}"):
        assert cli("mailbox", "set", "kim@a.example", "full_name", "--",
                   name).returncode == 0
        assert cli.rows("mailbox", "show", "kim@a.example")["full_name"] == \
            name
    for hostile in ("kim'--@a.example", '"a b"@a.example',
                    "x\\y@a.example", "../up@a.example", "a/b@a.example"):
        done = cli("mailbox", "add", hostile, "--no-password")
        assert done.returncode in (0, 65)
    assert cli("alias", "add", 'o\'b@a.example', '"q\\"x y"@b.example'
               ).returncode == 0
    assert cli.rows("alias", "show", "o'b@a.example")["targets"] == \
        ['"q\\"x y"@b.example']


def test_setup_makes_an_instance_of_an_ordinary_user(tmp_path, cli):
    """With its own database, which starts and stops; used twice: refused."""
    base = cli.instance.dir / "own"
    base.mkdir()
    paths.give(base)

    def run(*words):
        return subprocess.run(
            paths.as_plain_user([paths.program("postern"), *words]),
            capture_output=True, text=True)

    done = run("setup", base, "--private-db", "--port-base", "30000",
               "--hostname", "own.example")
    assert done.returncode == 0, done.stderr
    conf = base / "postern.conf"
    try:
        assert run("setup", base, "--private-db").returncode == 73
        assert run("-c", conf, "config", "check").returncode == 0
        assert run("-c", conf, "domain", "add", "a.example").returncode == 0
        assert run("-c", conf, "db", "stop").returncode == 0
        assert run("-c", conf, "domain", "list").returncode == 69
        assert run("-c", conf, "db", "start").returncode == 0
        assert "a.example" in run("-c", conf, "domain", "list").stdout
        key = base / "tls" / "postern.key"
        assert key.stat().st_mode & 0o777 == 0o600
    finally:
        run("-c", conf, "db", "stop")
    assert run("setup", base).returncode == 64
    assert run("setup", base / "x", "--private-db", "--port-base",
               "99999").returncode == 64


def test_pages_name_every_parameter_and_command(cli):
    page = (paths.BUILD / "doc" / "postern.conf.5").read_text()
    for row in cli.rows("config", "show"):
        assert f".It Ic {row['name']}\n" in page
    assert "reject_unauth_destination" in page
    page = (paths.BUILD / "doc" / "postern.8").read_text()
    for line in cli("--help").stdout.splitlines():
        found = re.match(r"  ([a-z][a-z-]+(?: [a-z]+)?)( |$)", line)
        if found:
            assert f".It Nm Cm {found.group(1)}" in page
    assert "@" + "COMMANDS@" not in page


def test_status_for_prometheus(postern):
    def all_told():
        """One that does not answer in time is not told of."""
        text = postern.postern("status", "--prometheus").stdout
        return text if all(f'process="{name}/0"' in text
                           for name in ("qmgr", "smtpd")) else None
    text = until(all_told, "qmgr and smtpd")
    seen, last = set(), None
    for line in text.splitlines():
        if line.startswith("#"):
            _, word, name, kind = line.split()
            assert (word, kind) == ("TYPE", "untyped") and name not in seen
            seen.add(name)
            last = name
            continue
        match = re.fullmatch(r'([a-z_]+)\{process="([a-z]+(?:/\d+)?)"\} '
                             r"(-?[\d.]+)", line)
        assert match and match.group(1) == last, line
    assert {"postern_up", "postern_smtpd_sessions", "postern_qmgr_recovering",
            "postern_smtpd_directory_hits"} <= seen
    assert 'postern_up{process="qmgr/0"} 1' in text


def no_twice(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def test_status_says_nothing_twice(postern):
    rows = json.loads(postern.postern("--json", "status").stdout,
                      object_pairs_hook=no_twice)
    smtpd = next(r for r in rows if r["process"] == "smtpd/0")
    assert "queries" in smtpd["verify"]
    assert all(isinstance(n, int) for n in smtpd["verdicts"].values())
