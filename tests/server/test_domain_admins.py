"""Domain admins: their own organisation, within its limits, and no other's."""
import json
import re

import pytest


@pytest.fixture
def two(fresh_postern):
    """Organisations acme and other, each with a domain; ada looks after
    acme, otto after other and may add domains."""
    made = fresh_postern(start=False)
    for name, admin, more in (("acme", "ada", []),
                              ("other", "otto", ["--may-add-domains"])):
        made.postern("org", "add", name)
        made.postern("domain", "add", f"{name}.example", "--organisation",
                     name)
        made.postern("mailbox", "add", f"kim@{name}.example",
                     "--no-password", "--quota", "1g")
        made.postern("alias", "add", f"all@{name}.example",
                     f"kim@{name}.example")
        made.postern("credential", "add", f"kim@{name}.example", "phone")
        made.postern("admin", "add", admin, "--organisation", name,
                     "--password-stdin", *more, stdin=f"{admin}s\n")
    return made


def act(server, who, *words, stdin=None):
    return server.postern("--as", who, "--yes", *words, stdin=stdin,
                          check=False)


def rows(server, who, *words):
    return json.loads(act(server, who, "--json", *words).stdout)


# Each command that domain admins have, against what is another's.
OTHERS = [
    ("domain", "del", "other.example", "--with-mailboxes"),
    ("domain", "show", "other.example"),
    ("domain", "set", "other.example", "quota_bytes", "1g"),
    ("org", "show", "other"),
    ("mailbox", "add", "new@other.example", "--no-password"),
    ("mailbox", "del", "kim@other.example"),
    ("mailbox", "show", "kim@other.example"),
    ("mailbox", "set", "kim@other.example", "state", "disabled"),
    ("mailbox", "passwd", "kim@other.example", "--password-stdin"),
    ("mailbox", "rename", "kim@other.example", "x@acme.example"),
    ("mailbox", "rename", "kim@acme.example", "x@other.example"),
    ("credential", "add", "kim@other.example", "x"),
    ("credential", "del", "kim@other.example", "phone"),
    ("credential", "list", "kim@other.example"),
    ("credential", "show", "kim@other.example", "phone"),
    ("alias", "add", "new@other.example", "kim@acme.example"),
    ("alias", "del", "all@other.example"),
    ("alias", "show", "all@other.example"),
    ("alias", "set", "all@other.example", "active", "no"),
    ("quota", "show", "kim@other.example"),
    ("quota", "show", "other.example"),
    ("quota", "show", "other", "--org"),
    ("quota", "set", "kim@other.example", "--bytes", "2g"),
    ("quota", "set", "other.example", "--bytes", "2g"),
    ("relay-recipient", "add", "x@other.example"),
    ("relay-recipient", "del", "x@other.example"),
]
# Lists: nothing of another's is in them.
LISTS = [("domain", "list"), ("quota", "show"), ("org", "list"), ("mailbox", "list"),
         ("alias", "list"), ("relay-recipient", "list")]
# Their own, but not theirs to do.
FORBIDDEN = [
    ("domain", "add", "new.example"),
    ("domain", "del", "acme.example", "--with-mailboxes"),
    ("domain", "set", "acme.example", "organisation", "other"),
    ("domain", "set", "acme.example", "active", "no"),
    ("admin", "passwd", "otto", "--password-stdin"),
    ("quota", "set", "acme.example", "--bytes", "none"),
    ("quota", "set", "acme", "--org", "--bytes", "none"),
]


def test_nothing_of_others_is_there_for_a_domain_admin(two):
    before = two.sql("SELECT * FROM mailbox ORDER BY id;")
    for words in OTHERS:
        done = act(two, "ada", *words, stdin="secret\n")
        assert done.returncode == 67, (words, done.stderr)
        assert "there is no" in done.stderr, (words, done.stderr)
    for words in LISTS:
        out = act(two, "ada", *words).stdout
        assert "other" not in out, words
    for words in FORBIDDEN:
        done = act(two, "ada", *words, stdin="secret\n")
        assert done.returncode == 77, (words, done.stderr)
    assert two.sql("SELECT * FROM mailbox ORDER BY id;") == before


def test_every_command_is_for_domain_admins_or_refuses_them(two):
    """Those of the three tables above and a few more; all else says so,
    before it does anything."""
    mine = {words[:2] for words in OTHERS + LISTS + FORBIDDEN}
    for line in two.postern("--help").stdout.splitlines():
        found = re.match(r"  ([a-z-]+(?: [a-z]+)?)(?= |$)", line)
        if not found or tuple(found.group(1).split()) in mine:
            continue
        name = found.group(1).split()
        done = act(two, "ada", *name)
        if done.returncode == 64:   # theirs, but for words that are missing
            assert name[0] in ("import", "export"), name
            continue
        assert done.returncode == 77, (name, done.stderr)
        assert "is not for domain admins" in done.stderr


def test_a_domain_admin_does_the_daily_work(two):
    for words in [
            ("mailbox", "add", "lee@acme.example", "--no-password"),
            ("mailbox", "set", "lee@acme.example", "full_name", "Lee"),
            ("mailbox", "passwd", "lee@acme.example", "--password-stdin"),
            ("credential", "add", "lee@acme.example", "x"),
            ("credential", "del", "lee@acme.example", "x"),
            ("alias", "add", "both@acme.example", "lee@acme.example",
             "kim@other.example"),
            ("alias", "set", "both@acme.example", "note", "us"),
            ("mailbox", "rename", "lee@acme.example", "leo@acme.example"),
            ("alias", "del", "both@acme.example"),
            ("domain", "set", "acme.example", "quota_bytes", "1g"),
            ("mailbox", "del", "leo@acme.example")]:
        done = act(two, "ada", *words, stdin="secret\n")
        assert done.returncode == 0, (words, done.stderr)
    assert [r["address"] for r in rows(two, "ada", "mailbox", "list")] == \
        ["kim@acme.example"]


def test_limits_hold_and_are_not_theirs_to_raise(two):
    two.postern("org", "set", "acme", "max_mailboxes", "2")
    two.postern("org", "set", "acme", "max_quota_bytes", "3g")
    two.postern("org", "set", "acme", "max_aliases", "1")
    done = act(two, "ada", "mailbox", "add", "a@acme.example",
               "--no-password")
    assert done.returncode == 65 and "every mailbox needs" in done.stderr
    done = act(two, "ada", "mailbox", "add", "a@acme.example",
               "--no-password", "--quota", "2049m")
    assert done.returncode == 65 and "may give" in done.stderr
    assert act(two, "ada", "mailbox", "add", "a@acme.example",
               "--no-password", "--quota", "2g").returncode == 0
    done = act(two, "ada", "mailbox", "add", "b@acme.example",
               "--no-password", "--quota", "1")
    assert done.returncode == 65 and "may have 2 mailboxes" in done.stderr
    done = act(two, "ada", "alias", "add", "b@acme.example", "x@far.example")
    assert done.returncode == 65 and "may have 1 aliases" in done.stderr
    assert rows(two, "ada", "org", "show", "acme")["max_mailboxes"] == 2


def test_one_who_may_adds_domains_up_to_the_limit(two):
    assert act(two, "otto", "domain", "add", "new.example").returncode == 0
    assert rows(two, "otto", "domain", "show",
                "new.example")["organisation"] == "other"
    two.postern("org", "set", "other", "max_domains", "2")
    done = act(two, "otto", "domain", "add", "more.example")
    assert done.returncode == 65 and "may have 2 domains" in done.stderr
    assert act(two, "otto", "domain", "del", "new.example").returncode == 0
    assert act(two, "otto", "domain", "add", "also.example", "--alias-of",
               "acme.example").returncode == 67
    assert act(two, "otto", "domain", "add", "r.example",
               "--relay").returncode == 77
    two.postern("admin", "set", "otto", "may_add_domains", "no")
    assert act(two, "otto", "domain", "add", "x.example").returncode == 77


def test_a_domain_admin_logs_in_with_a_password(two):
    two.set("database_role_admin", "postern_delegate")
    done = act(two, "ada", "mailbox", "list", stdin="adas\n")
    assert done.returncode == 0 and "kim@acme.example" in done.stdout
    assert "other" not in done.stdout
    for who, password in (("ada", "ottos"), ("nobody", "x"), ("ada", "")):
        done = act(two, who, "mailbox", "list", stdin=password + "\n")
        assert done.returncode == 77, done.stderr
        assert "name or password is wrong" in done.stderr
    # without --as the role is nobody
    done = two.postern("--json", "mailbox", "list", check=False)
    assert json.loads(done.stdout) == []
    done = act(two, "ada", "admin", "passwd", "ada", "--password-stdin",
               stdin="adas\nnew\n")
    assert done.returncode == 0, done.stderr
    assert act(two, "ada", "domain", "list", stdin="adas\n").returncode == 77
    assert act(two, "ada", "domain", "list", stdin="new\n").returncode == 0


def test_domain_admins_come_change_and_go(two):
    listed = {r["name"]: r for r in
              json.loads(two.postern("--json", "admin", "list").stdout)}
    assert listed["ada"]["organisation"] == "acme"
    assert not listed["ada"]["may_add_domains"]
    assert listed["otto"]["may_add_domains"]
    for words, code, said in [
            (("admin", "add", "ada", "--organisation", "acme",
              "--no-password"), 73, "already"),
            (("admin", "add", "eve", "--no-password"), 64, "--organisation"),
            (("admin", "add", "eve", "--organisation", "none",
              "--no-password"), 67, "no organisation"),
            (("admin", "add", "Eve X", "--organisation", "acme",
              "--no-password"), 65, "a domain admin's name has"),
            (("admin", "set", "ada", "colour", "red"), 65, "There are:"),
            (("admin", "show", "eve"), 67, "no domain admin"),
            (("admin", "del", "ada"), 64, "--yes"),
            (("--as", "eve", "domain", "list"), 67, "no domain admin")]:
        done = two.postern(*words, check=False)
        assert done.returncode == code and said in done.stderr, done.stderr
    two.postern("admin", "set", "ada", "active", "no")
    assert act(two, "ada", "domain", "list").returncode == 77
    two.postern("admin", "set", "ada", "active", "yes")
    assert act(two, "ada", "domain", "list").returncode == 0
    two.postern("org", "set", "acme", "active", "no")
    assert act(two, "ada", "domain", "list").returncode == 77
    two.postern("--yes", "admin", "del", "ada")
    assert act(two, "ada", "domain", "list").returncode == 67
    assert "SCRAM" not in two.postern("--json", "admin", "list").stdout
