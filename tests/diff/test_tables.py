"""The same tables say the same to `postmap -q` and to `postern map query`."""
import socket
import subprocess
import threading

import pytest

from tests.diff.conftest import cannot
from tests.harness import paths

TEXT = """\
# comment
a.example OK
B.Example\tREJECT  two   words
kim@a.example   450 4.2.0 a
  b
# in between

\tc
"john doe"@a.example quoted
dup one
Dup two
.sub.example sub
192.0.2 net
"""
TEXT_KEYS = ["a.example", "A.EXAMPLE", "b.example", "kim@a.example",
             '"john doe"@a.example', "dup", ".sub.example", "192.0.2", "no",
             "#", "john"]

CIDR = """\
192.0.2.7 one
192.0.2.0/24 net
!10.0.0.0/8 not ten
if 10.1.0.0/16
10.1.2.0/24 inner
if !10.1.3.0/24
10.1.0.0/16 outer
endif
endif
10.0.0.1/8 bad bits
[2001:db8::]/32 six
2001:db9::/32 seven
10.1.3.0/24 last
"""
CIDR_KEYS = ["192.0.2.7", "192.0.2.8", "10.1.2.1", "10.1.3.1", "10.1.4.1",
             "10.2.0.1", "198.51.100.1", "2001:db8::1", "2001:DB9::1",
             "2001:dba::1", "name.example", "192.0.2.0/24"]

PATTERNS = """\
/^one(.)?(x)?$/ [$1|${2}|$(1)] $$1
/^CASE$/i exact
/^case$/ folded
!/[a-z]/ no letters
if /^in/
/^inner$/ inner
if !/^inx/
/./ in
endif
endif
endif
/(a)(b)?c/ $1-$2-$3
/no value/
/broken(/ x
|^sl/ash$| slash
/back\\/slash/ back
/^l1
  l2$/ lines
/^tail/ a  b\x20
! /x/ not x
"""
PATTERN_KEYS = ["one", "onex", "oneyx", "CASE", "case", "Case", "123",
                "inner", "inx", "inner2", "ac", "abc", "no value", "sl/ash",
                "back/slash", "tail", "x", "y", "axb", ""]

CASES = [
    *((kind, TEXT, TEXT_KEYS) for kind in ("texthash", "hash", "btree",
                                           "lmdb")),
    ("cidr", CIDR, CIDR_KEYS),
    ("pcre", PATTERNS, PATTERN_KEYS),
    ("regexp", PATTERNS, PATTERN_KEYS),
    ("pcre", "/^a.b$/x x\n/^a b$/ sp\n/^A.C$/i cs\n/^q.*?u/U u\n"
             "/end$/E e\n/m/A a\n", ["ab", "a b", "axb", "AxC", "axc", "qu",
                                    "end", "xm", "mx"]),
    ("regexp", "/^a.b$/m m\n/(.*)-out@(.*)/!/^owner-/ $2 $1\n"
               "/^[[:alpha:]]+[0-9]{2}$/ posix\n/^(a|ab)(c|bcd)$/ $1\n",
     ["a\tb", "list-out@x", "owner-l-out@x", "ab12", "ab1", "abcd"]),
    ("regexp", "!/a/!/b/ neither\nif /^c/!/d/ odd\n/x/ cx\n  more\nendif\n"
               "/(a)(b)?$/ <$2>\n!/e/\n", ["a", "b", "c", "cx", "cdx", "ab",
                                          "e", "be"]),
    ("texthash", " indented one\n  more\nkey value\n", ["indented", "key",
                                                        "more"]),
    ("cidr", "if 10.0.0.0/8 odd\n0.0.0.0/0 all\nendif\n! 10.0.0.0/8 no\n",
     ["10.0.0.1", "192.0.2.1", "::1"]),
    ("inline:{ a=1, {b = two words}, c=3 d=4, { e = a,b } }", None,
     ["a", "b", "c", "d", "e", "A", "f"]),
    ("static:OK", None, ["a", "b@c"]),
    ("static:{ some  text }", None, ["a"]),
    ("fail:x", None, ["a"]),
    ("randmap:{ only }", None, ["a"]),
    ("unionmap:{static:a, inline:{k=b}, static:{c d}}", None, ["k", "l"]),
    ("unionmap:{inline:{k=a},inline:{k=b}}", None, ["k", "l"]),
    ("unionmap:{static:a,fail:x}", None, ["k"]),
    ("pipemap:{inline:{a=b},inline:{b=c}}", None, ["a", "b"]),
    ("pipemap:{inline:{a=b},fail:x}", None, ["a", "z"]),
    ("pcre:{{/^a(.*)/ x$1} {/./ rest}}", None, ["abc", "b"]),
    ("regexp:{{if /^a/} {/c$/ y} {endif} {/./ z}}", None, ["ac", "ab", "c"]),
    ("cidr:{{192.0.2.0/24 OK} {0.0.0.0/0 REJECT}}", None,
     ["192.0.2.7", "10.0.0.1", "::1"]),
    ("tcp:127.0.0.1:TCP", None, ["found", "a b%", "no", "temp", "Case"]),
    ("socketmap:inet:127.0.0.1:MAP:m", None,
     ["found", "a b", "no", "temp", "Case"]),
    ("pgsql", "SELECT v FROM t WHERE k = '%s'",
     ["a", "A", "no", "it's", "x' OR '1'='1", "a\\' OR 1=1 --"]),
    ("pgsql", "SELECT '%u', '%d', '%1'", ["k@mx.a.example", "k", "@a.b"]),
    ("pgsql", "SELECT '%U|%D|%S' WHERE '%2' <> ''",
     ["k@mx.a.example", "k@com", "K@A.B"]),
    ("pgsql", "SELECT k, v FROM t ORDER BY k\nresult_format = <%s|%S>",
     ["a"]),
    ("pgsql", "SELECT k FROM t\nexpansion_limit = 1", ["a"]),
    ("pgsql", "SELECT v FROM t WHERE v LIKE '%s%%'\nresult_format = %u at "
              "%d", ["u", "n"]),
    ("pgsql", "SELECT '%s'\ndomain = a.example, b.example",
     ["k@a.example", "k@c.example", "a.example", "@a.example"]),
    ("pgsql", "SELECT v FROM nowhere WHERE k = '%s'", ["a"]),
]


class Server:
    """tcp_table(5) or socketmap_table(5), enough of them."""

    def __init__(self, netstrings):
        self.netstrings = netstrings
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            caller, _ = self.listener.accept()
            threading.Thread(target=self.talk, args=(caller,),
                             daemon=True).start()

    def talk(self, caller):
        stream = caller.makefile("rwb")
        while True:
            if self.netstrings:
                length = b""
                while not length.endswith(b":"):
                    byte = stream.read(1)
                    if not byte:
                        return
                    length += byte
                key = stream.read(int(length[:-1]) + 1)[:-1].split(b" ", 1)[1]
                reply = {b"no": b"NOTFOUND ", b"temp": b"TEMP later"}.get(
                    key, b"OK <" + key + b">")
                stream.write(b"%d:%s," % (len(reply), reply))
            else:
                line = stream.readline()
                if not line:
                    return
                key = line[4:].rstrip(b"\n")
                stream.write({b"no": b"500 no\n", b"temp": b"400 later\n"}
                             .get(key, b"200 <" + key + b">\n"))
            stream.flush()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with both programs' configuration."""
    made = tmp_path_factory.mktemp("tables")
    (made / "main.cf").write_text("compatibility_level = 3.6\n")
    (made / "master.cf").write_text("")
    (made / "postern.conf").write_text("table_timeout = 10s\n")
    return made


@pytest.fixture(scope="module")
def url(cluster):
    """Of a database with a table."""
    name = cluster.database()
    cluster.sql(name, "CREATE TABLE public.t (k text, v text);"
                "INSERT INTO public.t VALUES ('a', '1'), ('b', 'n'), "
                "('c', 'u@dom');")
    return cluster.url_of(name)


@pytest.fixture(scope="module")
def servers():
    return {"TCP": Server(False), "MAP": Server(True)}


def spec_of(kind, text, place, servers, url, number):
    for name, server in servers.items():
        kind = kind.replace(name, str(server.port))
    if text is None:
        return kind
    path = place / f"table{number}"
    if kind == "pgsql":
        text = (f"hosts = {url}\n"
                "dbname = postern\nquery = " + text + "\n")
    path.write_text(text)
    if kind in ("hash", "btree", "lmdb"):
        subprocess.run(["postmap", "-c", place, f"{kind}:{path}"],
                       capture_output=True, check=True)
    return f"{kind}:{path}"


def known_to_postfix(kind, place):
    known = subprocess.run(["postconf", "-c", place, "-m"], capture_output=True,
                           text=True, check=True).stdout.split()
    return kind.split(":")[0] in known


def answer(command, failed):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.rstrip("\n")
    if failed(done):
        return "FAILED"
    assert done.returncode == 1, done.stderr
    return None


def postmap(place, spec, key):
    return answer(["postmap", "-c", place, "-q", key, spec],
                  lambda done: "fatal:" in done.stderr)


def postern(place, spec, key):
    return answer([paths.program("postern"), "-c", place / "postern.conf",
                   "map", "query", spec, key],
                  lambda done: done.returncode == 75)


@pytest.mark.parametrize("number", range(len(CASES)),
                         ids=[f"{i}-{c[0][:20]}" for i, c in
                              enumerate(CASES)])
def test_the_same_answers(number, place, servers, url):
    kind, text, keys = CASES[number]
    if not known_to_postfix(kind, place):
        cannot(f"this Postfix has no {kind} tables")
    spec = spec_of(kind, text, place, servers, url, number)
    differ = []
    for key in keys:
        theirs, ours = postmap(place, spec, key), postern(place, spec, key)
        if theirs != ours:
            differ.append(f"{key!r}: Postfix {theirs!r}, we {ours!r}")
    assert not differ, "\n".join([spec] + differ)
