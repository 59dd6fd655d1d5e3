"""`postern map query` and `postern access`: what they print and how they
end."""
import json


def query(server, *words, stdin=None):
    done = server.postern("map", "query", *words, stdin=stdin, check=False)
    return done.returncode, done.stdout, done.stderr


def test_map_query_answers_as_postmap_does(postern, domain):
    inline = "inline:{ a = 1, {b = two words} }"
    assert query(postern, inline, "b")[:2] == (0, "two words\n")
    assert query(postern, inline, "c") == (1, "", "")
    assert query(postern, inline, "a", "c")[:2] == (0, "a\t1\n")
    assert query(postern, inline, "-", stdin="c\na\nb\n")[:2] == \
        (0, "a\t1\nb\ttwo words\n")
    assert query(postern, inline, "-", stdin="c\n")[:2] == (1, "")
    code, out, err = query(postern, "fail:x", "a")
    assert (code, out) == (75, "") and "always fails" in err
    code, out, err = query(postern, "tcp:127.0.0.1:1", "a")
    assert (code, out) == (75, "") and "refused" in err
    code, out, err = query(postern, "nosuch:x", "a")
    assert code == 65 and "unknown table type" in err
    code, out, _ = query(postern, inline, "a", "c", "--json")
    assert json.loads(out) == [
        {"key": "a", "result": "found", "value": "1"},
        {"key": "c", "result": "not found", "value": None}]


def test_map_types_are_listed(postern):
    types = postern.postern("map", "types").stdout.split()
    assert {"hash", "cidr", "pcre", "pg", "pgsql", "tcp"} <= set(types)
    assert [row["type"] for row in json.loads(
        postern.postern("map", "types", "--json").stdout)] == types


def test_map_query_reads_files_and_asks_the_database(postern, domain):
    name = "q." + domain
    table = postern.dir / "cli-table"
    table.write_text("/^(.*)@a\\.example$/ OK $1\n")
    table.chmod(0o644)
    assert query(postern, f"pcre:{table}", "kim@a.example")[1] == "OK kim\n"
    postern.postern("access", "add", name, "a.example", "OK")
    assert query(postern, f"pg:{name}", "A.example")[:2] == (0, "OK\n")
    assert query(postern, f"pg:{name}", "b.example")[0] == 1
    table.write_text(f"hosts = {postern.cluster.url_of(postern.database)}\n"
                     "query = SELECT upper('%u')\n")
    assert query(postern, f"proxy:pgsql:{table}", "kim@a.example")[1] == \
        "KIM\n"
    assert query(postern, f"unionmap:{{pgsql:{table}, static:x}}", "k")[1] \
        == "K,x\n"


def rows(server, name):
    return [(row["pattern"], row["action"]) for row in json.loads(
        server.postern("access", "list", name, "--json").stdout)]


def test_access_entries_come_and_go(postern, domain):
    name = "l." + domain
    postern.postern("access", "add", name, "Bad.Example", "REJECT", "go",
                    "away", "--note", "since monday")
    postern.postern("access", "add", f"pg:{name}", "brief.example", "OK",
                    "--for", "2 hours")
    postern.postern("access", "add", name, "l.example",
                    "reject_non_fqdn_sender, permit")
    assert rows(postern, name) == [
        ("bad.example", "REJECT go away"), ("brief.example", "OK"),
        ("l.example", "reject_non_fqdn_sender, permit")]
    listed = json.loads(postern.postern("access", "list", name,
                                        "--json").stdout)
    assert listed[0]["note"] == "since monday"
    assert listed[0]["expires_at"] is None
    assert listed[1]["expires_at"] is not None
    assert name in postern.postern("access", "list").stdout
    postern.postern("access", "add", name, "bad.example", "DUNNO")
    assert rows(postern, name)[0] == ("bad.example", "DUNNO")
    postern.postern("access", "remove", name, "BAD.example")
    assert len(rows(postern, name)) == 2
    done = postern.postern("access", "remove", name, "bad.example",
                           check=False)
    assert done.returncode == 67 and "has no entry" in done.stderr


def test_what_would_fail_later_is_refused_now(postern, domain):
    name = "r." + domain
    for pattern, action, said in [
            ("a.example", "REJCT", "unknown restriction \"REJCT\""),
            ("a.example", "reject_non_fqdn_sender, permitt", "did you mean"),
            ("a.example", "check_sender_access hash:/nowhere", "hash:"),
            ("a b", "OK", "white space"),
            ("", "OK", "white space"),
            ("a\nb", "OK", "white space"),
            ("a", "REJECT \x01", "access_rule_action_check")]:
        done = postern.postern("access", "add", name, pattern, action,
                               check=False)
        assert done.returncode == 65, (pattern, action)
        assert said in done.stderr, (pattern, action, done.stderr)
    done = postern.postern("access", "add", "no/name", "a", "OK",
                           check=False)
    assert done.returncode == 65
    assert rows(postern, name) == []


FILE = """\
# senders
bad.example     REJECT
"john doe"@a.example  450 4.2.0 wait
 a little
192.0.2         OK
"""


def test_a_file_is_imported_whole_or_not_at_all(postern, domain):
    name = "i." + domain
    table = postern.dir / "cli-access"
    table.write_text(FILE)
    table.chmod(0o644)
    want = [('"john doe"@a.example', "450 4.2.0 wait a little"),
            ("192.0.2", "OK"), ("bad.example", "REJECT")]
    assert "3 read; the list has 3" in postern.postern(
        "access", "import", name, table).stdout
    assert rows(postern, name) == want
    assert postern.postern("access", "import", name, table.with_name("none"),
                           check=False).returncode == 66
    # out and in again
    text = postern.postern("access", "export", name).stdout
    other = "o." + domain
    postern.postern("access", "import", other, "-", stdin=text)
    assert rows(postern, other) == want
    # one mistake, and nothing is done
    table.write_text("new.example OK\nlonely\nbad.example REJCT\n")
    done = postern.postern("access", "import", name, table, check=False)
    assert done.returncode == 65
    assert f"{table}:2: an action is wanted" in done.stderr
    assert f"{table}:3: unknown restriction" in done.stderr
    assert rows(postern, name) == want
    done = postern.postern("access", "import", name, "-", check=False,
                           stdin="a.example OK\nA.example OK\n")
    assert done.returncode == 73 and "there twice" in done.stderr
    # instead of what was there
    done = postern.postern("access", "import", name, "-", "--replace",
                           stdin="z.example OK\n", check=False)
    assert done.returncode == 64 and "--yes" in done.stderr
    postern.postern("access", "import", name, "-", "--replace", "--yes",
                    stdin="z.example OK\n")
    assert rows(postern, name) == [("z.example", "OK")]
