"""Bulk import and export: from our CSV, Dovecot's passwd-file and
PostfixAdmin's tables, checked first, all or nothing, and repeatable."""
import imaplib
import json
import re
import ssl
import subprocess

import pytest

from tests.harness import paths


@pytest.fixture
def cli(fresh_postern):
    made = fresh_postern(start=False)

    def run(*words, stdin=None):
        return made.postern(*words, stdin=stdin, check=False)
    run.instance = made
    run.rows = lambda *words: json.loads(run("--json", *words).stdout)
    return run


def state(cli):
    """All that an administrator sees."""
    return [cli.rows(*words) for words in (
        ["domain", "list"], ["mailbox", "list"], ["alias", "list"],
        ["relay-recipient", "list"])]


def imported(cli, text, *options, code=0):
    done = cli("--json", "import", "-", *options, stdin=text)
    assert done.returncode == code, done.stderr
    row = json.loads(done.stdout)
    return row["rows"], row["made"], row["changed"], row["same"], \
        row["failed"], row["kept"]


USERS = """\
address,password,quota,name,aliases
kim@a.example,one,1g,"Kim, ""K."" Lee",info@a.example sales@a.example
Lee@A.example,two,none,Lee,info@a.example
"""


def test_users_come_from_csv(cli):
    assert imported(cli, USERS, code=65) == (2, 0, 0, 0, 5, False)
    assert imported(cli, USERS, "--make-domains", "--check") == \
        (2, 4, 1, 0, 0, False)
    assert state(cli) == [[], [], [], []]
    rows, made, changed, same, failed, kept = \
        imported(cli, USERS, "--make-domains")
    assert (rows, made, changed, failed, kept) == (2, 4, 1, 0, True)
    assert {(r["address"], r["quota_bytes"], r["full_name"])
            for r in cli.rows("mailbox", "list")} == {
        ("kim@a.example", 2 ** 30, 'Kim, "K." Lee'),
        ("lee@a.example", 0, "Lee")}
    assert {(r["address"], r["target"]) for r in cli.rows("alias", "list")} \
        == {("info@a.example", "kim@a.example"),
            ("info@a.example", "lee@a.example"),
            ("sales@a.example", "kim@a.example")}
    # again: refused, unless told to update, and then nothing changes
    assert imported(cli, USERS, code=65)[4] == 2
    before = cli.instance.sql("SELECT id, secret, changed_at "
                              "FROM credential ORDER BY id;")
    assert imported(cli, USERS, "--update") == (2, 0, 0, 5, 0, True)
    assert cli.instance.sql("SELECT id, secret, changed_at "
                            "FROM credential ORDER BY id;") == before
    # one thing changes
    assert imported(cli, USERS.replace("two", "three"), "--update")[2] == 1
    after = cli.instance.sql("SELECT id, secret, changed_at "
                             "FROM credential ORDER BY id;")
    assert after[0] == before[0] and after[1] != before[1]


DEVICES = """\
type,address,label,password,scope
mailbox,kim@a.example,,one,
password,kim@a.example,phone,two,imap
password,kim@a.example,laptop,three,
"""


def test_an_app_password_that_is_imported_again_stays_as_it_was(cli):
    assert imported(cli, DEVICES, "--make-domains")[1] == 3
    secrets = cli.instance.sql("SELECT label, secret FROM credential "
                               "ORDER BY id;")
    # a new verifier of the same password would end kim's sessions
    assert imported(cli, DEVICES, "--update") == (3, 0, 0, 3, 0, True)
    assert cli.instance.sql("SELECT label, secret FROM credential "
                            "ORDER BY id;") == secrets
    assert imported(cli, DEVICES.replace("two", "new"), "--update") == \
        (3, 0, 1, 2, 0, True)


def test_a_file_that_is_not_there_is_no_check(cli):
    done = cli("import", cli.instance.dir / "none.csv")
    assert done.returncode == 66 and "No such file" in done.stderr
    assert "nothing was changed" in done.stdout
    assert "check" not in done.stdout


FAULTY = """\
address,password,hash,quota,state,targets
kim@a.example,x,,,,
nowhere@else.example,x,,,,
two words@a.example,x,,,,
lee@a.example,x,{SHA}c2VjcmV0,,,
max@a.example,,{NOSUCH}x,,,
mia@a.example,,{SHA}x,,,
eva@a.example,,,many,,
tom@a.example,x,,,asleep,
all@a.example,,,,,loop@a.example all@a.example
tim@a.example,,,,
"ok@a.example",x,,,,
kim@a.example,x,,,,
,x,,,,
"quote,x
"""


def test_every_fault_is_told_with_its_line_and_nothing_is_done(cli):
    cli("domain", "add", "a.example")
    path = cli.instance.dir / "faulty.csv"
    path.write_text(FAULTY)
    path.chmod(0o644)
    before = state(cli)
    told = {}
    for options in (["--check"], []):
        done = cli("import", path, *options)
        assert done.returncode == 65
        said = dict(re.findall(rf"(?m)^{re.escape(str(path))}:(\d+): (.*)$",
                               done.stderr))
        told[tuple(options)] = said
        assert state(cli) == before
    assert told[("--check",)] == told[()]
    said = told[()]
    for line, words in {
            3: "no domain else.example. --make-domains adds it",
            4: "two words", 5: "a password and a hash", 6: "no known scheme",
            7: "not a hash of scheme SHA", 8: "`many' is not a size",
            9: '"asleep" is none of', 10: "lead back to itself",
            11: "has 5 fields, and there are 6", 13: "there is a mailbox "
            "kim@a.example already. --update", 14: "has no address",
            15: "quote is not closed"}.items():
        assert words in said.get(str(line), ""), (line, said)
    assert len(said) == 12
    # what is good is kept when asked for
    done = cli("import", path, "--keep-going")
    assert done.returncode == 65
    assert [r["address"] for r in cli.rows("mailbox", "list")] == \
        ["kim@a.example", "ok@a.example"]


@pytest.mark.parametrize("text, said", [
    ("", "first line must name"),
    ("kim@a.example,secret\n", "no column `kim@a.example'"),
    ("adress,password\nx,y\n", "did you mean `address'"),
    ("address,name,name\n", "`name' is there twice"),
    ("name\nKim\n", "one of them `address'"),
])
def test_a_file_without_columns_is_refused(cli, text, said):
    done = cli("import", "-", stdin=text)
    if text == "":
        assert done.returncode == 0
        return
    assert done.returncode == 65 and said in done.stderr


def test_other_separators_and_line_ends(cli):
    cli("domain", "add", "a.example")
    assert imported(cli, "\ufeffaddress;name;password\r\n"
                    "kim@a.example; Kim ;x\r\n\r\n")[:2] == (1, 1)
    assert imported(cli, "address\tname\nlee@a.example\tLee")[:2] == (1, 1)
    assert imported(cli, "address\nmax@a.example\n")[:2] == (1, 1)
    assert [r["full_name"] for r in cli.rows("mailbox", "list")] == \
        ["Kim", "Lee", ""]
    done = cli("import", "/nowhere/file")
    assert done.returncode == 66 and "/nowhere/file" in done.stderr
    assert cli("import", "-", "--format", "xml",
               stdin="").returncode == 64


def login(server, address, password):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with imaplib.IMAP4_SSL(*server.address("imaps"),
                           ssl_context=context) as imap:
        imap.login(address, password)


# doveadm pw -s SCHEME -p secret
PASSWD = """\
# users
pbkdf2@D:{PBKDF2}$1$xUL81KFgMLaFaTk5$5000$e5491c4bba87ba5ed971e53da71235fb324c29d6::::::
argon2@D:{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$azfZBd5qxhOl2u4YH28/7xKwTHeWsd0r8eHso4Brzb4::::::
blf@D:{CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a:1000:1000:Bea:/home/x:/bin/sh:userdb_quota_rule=*:storage=1G:messages=500 userdb_mail=maildir:~/x
bare:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1
des@D:abNANd1rDfiNc::::::
ssha@D:{SSHA}JmBeuhdjwCnZoajTbkfwR3UErstzYWx0eTEyMw==
plain@D:{PLAIN}secret::::::userdb_quota_rule=*:storage=2048
out@D:{PLAIN}secret::::::nologin
"""


def test_users_of_a_passwd_file_log_in_as_before(postern, domain):
    path = postern.dir / f"passwd-{domain}"
    path.write_text(PASSWD.replace("@D", "@" + domain))
    path.chmod(0o644)
    done = postern.postern("--json", "import", "--format", "passwd-file",
                           "--domain", domain, path)
    assert json.loads(done.stdout)["made"] == 8
    for user in ("pbkdf2", "argon2", "blf", "bare", "des", "ssha", "plain"):
        login(postern, f"{user}@{domain}", "secret")
    with pytest.raises(imaplib.IMAP4.error):
        login(postern, f"out@{domain}", "secret")
    rows = {r["address"].split("@")[0]: r for r in json.loads(
        postern.postern("--json", "mailbox", "list", domain).stdout)}
    assert (rows["blf"]["quota_bytes"], rows["blf"]["quota_messages"],
            rows["blf"]["full_name"]) == (2 ** 30, 500, "Bea")
    assert rows["plain"]["quota_bytes"] == 2 ** 21
    assert rows["out"]["state"] == "no_login"
    # no password is ever stored
    assert postern.sql("SELECT count(*) FROM credential "
                       "WHERE secret LIKE '%PLAIN%';") == [["0"]]
    bad = postern.postern("import", "--format", "passwd-file", "-",
                          stdin="lonely\nx:{SHA}zz\n", check=False)
    assert bad.returncode == 65
    assert "standard input:1: is no line of a passwd-file" in bad.stderr
    assert "standard input:2: x: has no domain; --domain" in bad.stderr


def fill(cli):
    for words in [
            ["org", "add", "acme"],
            ["domain", "add", "a.example", "--organisation", "acme"],
            ["domain", "set", "a.example", "quota_bytes", "3g"],
            ["domain", "add", "shop.example", "--alias-of", "a.example"],
            ["domain", "add", "also.example", "--alias-of", "shop.example"],
            ["transport", "add", "inside", "smtp", "[mx.example]:2525"],
            ["domain", "add", "r.example", "--relay", "--transport",
             "inside"],
            ["domain", "set", "r.example", "relay_recipients", "listed"],
            ["relay-recipient", "add", "far@r.example"],
            ["domain", "add", "off.example"],
            ["domain", "set", "off.example", "active", "no"],
            ["mailbox", "add", "kim@a.example", "--password-stdin",
             "--name", ' O\'Brien, "Kim"; Ünï 漢字 '],
            ["mailbox", "add", '"a b"@a.example', "--no-password",
             "--quota", "none"],
            ["mailbox", "set", "kim@a.example", "quota_messages", "100"],
            ["mailbox", "add", "lee@a.example", "--password-stdin"],
            ["mailbox", "set", "lee@a.example", "state", "disabled"],
            ["credential", "add", "kim@a.example", "my phone", "--scope",
             "imap", "--for", "90 days"],
            ["credential", "add", "kim@a.example", "desk"],
            ["alias", "add", "all@a.example", "kim@a.example",
             '"a b"@a.example', "x@far.example"],
            ["alias", "set", "all@a.example", "note", "every, one"],
            ["alias", "add", "@a.example", "kim@a.example"],
            ["alias", "add", "old@a.example", "lee@a.example"],
            ["alias", "set", "old@a.example", "active", "no"]]:
        done = cli(*words, stdin="secret\n")
        assert done.returncode == 0, (words, done.stderr)


def test_what_is_exported_comes_back_the_same(cli, fresh_postern):
    fill(cli)
    exported = cli("export").stdout
    other = fresh_postern(start=False)
    other.postern("org", "add", "acme")
    other.postern("transport", "add", "inside", "smtp", "[mx.example]:2525")
    done = other.postern("--json", "import", "-", stdin=exported)
    assert json.loads(done.stdout)["failed"] == 0
    assert other.postern("export").stdout == exported
    # and onto itself nothing changes
    rows, made, changed, same, failed, kept = \
        imported(cli, exported, "--update")
    assert (made, changed, failed) == (0, 0, 0) and same == rows
    # one domain
    part = cli("export", "r.example").stdout.splitlines()
    assert [line.split(",")[0] for line in part] == \
        ["type", "domain", "recipient"]
    assert cli("export", "nowhere.example").returncode == 67
    # no hash without being asked for, or without the right
    bare = cli("export", "--no-passwords").stdout
    assert "SCRAM" in exported and "SCRAM" not in bare
    cli.instance.set("database_role_owner", "postern_admin")
    done = cli("export")
    assert done.returncode == 77 and "--no-passwords" in done.stderr
    assert cli("export", "--no-passwords").stdout == bare


def test_a_passwd_file_comes_back_the_same(cli):
    fill(cli)
    cli("mailbox", "set", "lee@a.example", "state", "no_login")
    exported = cli("export", "--format", "passwd-file", "a.example").stdout
    assert len(exported.splitlines()) == 3
    done = cli("--json", "import", "--format", "passwd-file", "--update",
               "-", stdin=exported)
    row = json.loads(done.stdout)
    assert (row["changed"], row["failed"]) == (0, 0), done.stderr


def test_a_hash_adds_no_field_to_a_passwd_file(cli):
    """Who reads the file would take it for a user id and a home."""
    fill(cli)
    cli.instance.sql("""UPDATE credential SET secret =
        '{PLAIN}x:0:0::/home/lee' FROM mailbox m WHERE m.id = mailbox_id
        AND m.local_part = 'kim' AND kind = 'password';""")
    done = cli("export", "--format", "passwd-file", "a.example")
    assert len(done.stdout.splitlines()) == 2
    assert "/home" not in done.stdout
    assert "kim@a.example is left out" in done.stderr


POSTFIXADMIN = """
CREATE TABLE domain (domain text PRIMARY KEY, description text DEFAULT '',
    aliases int DEFAULT 0, mailboxes int DEFAULT 0, maxquota bigint DEFAULT 0,
    quota bigint DEFAULT 0, transport text, backupmx {bool} DEFAULT {no},
    created timestamptz DEFAULT now(), modified timestamptz DEFAULT now(),
    active {bool} DEFAULT {yes});
CREATE TABLE mailbox (username text PRIMARY KEY, password text, name text,
    maildir text, quota bigint DEFAULT 0, local_part text, domain text,
    created timestamptz DEFAULT now(), modified timestamptz DEFAULT now(),
    active {bool} DEFAULT {yes});
CREATE TABLE alias (address text PRIMARY KEY, goto text, domain text,
    created timestamptz DEFAULT now(), modified timestamptz DEFAULT now(),
    active {bool} DEFAULT {yes});
CREATE TABLE alias_domain (alias_domain text PRIMARY KEY, target_domain text,
    active {bool} DEFAULT {yes});
INSERT INTO domain (domain, transport, backupmx, active) VALUES
    ('ALL', '', {no}, {yes}), ('a.example', 'virtual', {no}, {yes}),
    ('b.example', 'virtual', {no}, {no}), ('mx.example', '', {yes}, {yes}),
    ('shop.example', 'virtual', {no}, {yes});
INSERT INTO alias_domain VALUES ('shop.example', 'a.example', {yes});
INSERT INTO mailbox (username, password, name, quota, active) VALUES
    ('kim@a.example', '$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1', 'Kim',
	1024000000, {yes}),
    ('Lee@a.example', '{{SHA256-CRYPT}}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5',
	'', 0, {no}),
    ('max@a.example', 'abNANd1rDfiNc', '', 0, {yes});
INSERT INTO alias (address, goto, active) VALUES
    ('kim@a.example', 'kim@a.example', {yes}),
    ('max@a.example', 'max@a.example,max#a.example@autoreply.a.example',
	{yes}),
    ('info@a.example', 'kim@a.example, far@x.example', {yes}),
    ('@b.example', 'kim@a.example', {yes}),
    ('old@a.example', 'kim@a.example', {no}){more};
"""


@pytest.mark.parametrize("habit", [
    {"bool": "boolean", "yes": "true", "no": "false"},
    {"bool": "smallint", "yes": "1", "no": "0"}])
def test_users_come_from_postfixadmin(cli, habit):
    cluster, name = cli.instance.cluster, "pfa_" + habit["bool"]
    cluster.sql("postern", f"CREATE DATABASE {name}")
    try:
        cluster.sql(name, POSTFIXADMIN.format(more="", **habit))
        words = ["import", "--format", "postfixadmin", cluster.url_of(name)]
        done = cli("--json", *words, "--check")
        assert done.returncode == 0, done.stderr
        assert state(cli)[0] == []
        done = cli("--json", *words)
        assert json.loads(done.stdout)["made"] == 10, done.stderr
        assert "vacation reply is not brought along" in done.stderr
        assert {(r["name"], r["class"], r["target"], r["active"])
                for r in cli.rows("domain", "list")} == {
            ("a.example", "mailbox", "", True),
            ("b.example", "mailbox", "", False),
            ("mx.example", "relay", "", True),
            ("shop.example", "alias", "a.example", True)}
        assert {(r["address"], r["state"], r["quota_bytes"], r["full_name"],
                 r["credentials"]) for r in cli.rows("mailbox", "list")} == {
            ("kim@a.example", "active", 1024000000, "Kim", 1),
            ("lee@a.example", "disabled", 0, "", 1),
            ("max@a.example", "active", 0, "", 1)}
        assert {(r["address"], r["target"], r["active"])
                for r in cli.rows("alias", "list")} == {
            ("info@a.example", "kim@a.example", True),
            ("info@a.example", "far@x.example", True),
            ("@b.example", "kim@a.example", True),
            ("old@a.example", "kim@a.example", False)}
        row = json.loads(cli("--json", *words, "--update").stdout)
        assert (row["made"], row["changed"], row["same"]) == (0, 0, 10)
        # what can't be had here is told
        cluster.sql(name, "INSERT INTO alias (address, goto) VALUES "
                    "('Lee@a.example', 'Lee@a.example,x@far.example'), "
                    "('w@a.example', '@b.example');")
        done = cli(*words, "--update")
        assert done.returncode == 65
        assert "alias Lee@a.example: is a mailbox and forwards, too, to " \
            "x@far.example" in done.stderr
        assert "alias w@a.example: " in done.stderr
    finally:
        cluster.sql("postern", f"DROP DATABASE {name} WITH (FORCE)")
    done = cli("import", "--format", "postfixadmin",
               "host=/nonexistent dbname=x")
    assert done.returncode == 69 and "database" in done.stderr
    assert cli("import", "--format", "postfixadmin",
               cluster.url_of("postern")).returncode != 0


def test_a_domain_admin_imports_within_the_limits(cli):
    for words in (["org", "add", "acme"],
                  ["domain", "add", "a.example", "--organisation", "acme"],
                  ["domain", "add", "b.example"],
                  ["org", "set", "acme", "max_mailboxes", "2"],
                  ["admin", "add", "ada", "--organisation", "acme",
                   "--no-password"]):
        assert cli(*words).returncode == 0
    done = cli("--as", "ada", "import", "-", "--keep-going", "--make-domains",
               stdin="address\nkim@a.example\nx@b.example\nx@new.example\n"
               "lee@a.example\nmax@a.example\n")
    assert done.returncode == 65
    said = dict(re.findall(r"standard input:(\d+): (.*)", done.stderr))
    assert set(said) == {"3", "4", "6"}
    assert "may not add domains" in said["4"]
    assert "may have 2 mailboxes" in said["6"]
    assert [r["address"] for r in cli.rows("mailbox", "list")] == \
        ["kim@a.example", "lee@a.example"]
    done = cli("--as", "ada", "export", "--no-passwords")
    assert "kim@a.example" in done.stdout and "b.example" not in done.stdout
    assert cli("--as", "ada", "export").returncode == 64


def test_ten_thousand_users_take_seconds(cli):
    hash = "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl" \
        "/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
    text = "address,hash,quota\n" + "".join(
        f"u{i}@a.example,{hash},1g\n" for i in range(10000))
    assert imported(cli, text, "--make-domains")[:2] == (10000, 10000)
    assert imported(cli, text, "--update")[3] == 10000


def test_progress_is_shown_on_a_terminal(cli):
    from tests.server.test_cli import on_terminal
    path = cli.instance.dir / "users.csv"
    path.write_text("address\n" + "".join(
        f"u{i}@a.example\n" for i in range(500)))
    path.chmod(0o644)
    out = on_terminal(paths.as_plain_user(
        [paths.program("postern"), "-c", cli.instance.conf, "import", path,
         "--make-domains"]))
    assert "200 rows, 0 faults" in out.replace("\r", "\n")
    assert out.rstrip().endswith(
        "500 rows: 500 made, 0 changed, 0 as they were, 0 faulty")
