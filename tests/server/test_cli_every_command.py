"""Every command runs, for people and with --json. One that is not in the table
below fails the last test: add a line for it."""
import json
import re

import pytest

# Words, and how it may end; in an order in which they make sense. A command
# that is tested in depth elsewhere is here all the same, if only refused.
COMMANDS = [
    ("org add acme", 0), ("org set acme max_domains 5", 0),
    ("org list", 0), ("org show acme", 0),
    ("admin add ada --organisation acme --no-password", 0),
    ("admin passwd ada --password-stdin", 0),
    ("admin set ada may_add_domains yes", 0),
    ("admin list", 0), ("admin show ada", 0),
    ("domain add a.example --organisation acme", 0),
    ("domain add b.example", 0), ("domain add r.example --relay", 0),
    ("domain set a.example quota_bytes 1g", 0),
    ("domain rename b.example c.example", 0),
    ("domain list", 0), ("domain show a.example", 0),
    ("mailbox add kim@a.example --no-password", 0),
    ("mailbox add lee@a.example --no-password", 0),
    ("mailbox set kim@a.example full_name Kim", 0),
    ("mailbox passwd kim@a.example --password-stdin", 0),
    ("mailbox rename lee@a.example leo@a.example", 0),
    ("mailbox adopt leo@a.example /nonexistent", (65, 66, 67, 69, 73)),
    ("mailbox list", 0), ("mailbox show kim@a.example", 0),
    ("quota set kim@a.example --bytes 2g", 0),
    ("quota show kim@a.example", 0), ("quota audit kim@a.example", (0, 1)),
    ("credential add kim@a.example phone", 0),
    ("credential list kim@a.example", 0),
    ("credential show kim@a.example phone", 0),
    ("alias add all@a.example kim@a.example", 0),
    ("alias set all@a.example note x", 0),
    ("alias list", 0), ("alias show all@a.example", 0),
    ("transport add inside smtp [mx.example]:25", 0),
    ("transport list", 0),
    ("relay-recipient add far@r.example", 0),
    ("relay-recipient list", 0),
    ("resolve all@a.example", 0),
    ("explain --client 192.0.2.7 --name unknown --helo x.example "
     "--from x@x.example --to kim@a.example", 0),
    ("import /dev/null", 0), ("export a.example", 0),
    ("access add senders x.example REJECT go away", 0),
    ("access list", 0), ("access import senders /dev/null", 0),
    ("access export senders", 0),
    ("map query inline:{a=1} a", 0), ("map types", 0),
    ("verify set x@x.example bounce no", 0), ("verify list", 0),
    ("firstcontact list", 0), ("firstcontact forget 192.0.2.7", (0, 67)),
    ("greylist waiting", 0), ("greylist stats", 0),
    ("greylist allow 192.0.2.7", 0), ("greylist list", 0),
    ("greylist forget 192.0.2.7", (0, 67)),
    ("queue list", 0), ("queue show 0A00001c3kF9tQ", 66),
    ("queue flush", 0), ("queue hold 0A00001c3kF9tQ", 66),
    ("queue release ALL", 0), ("queue delete ALL", 0),
    ("trace kim@a.example", (0, 1, 66, 67)),
    ("doctor a.example", (0, 1, 2)),
    ("session list", 0), ("session kick kim@a.example", (0, 66, 67)),
    ("login list", 0), ("login why kim@a.example", (0, 66)),
    ("login forgive kim@a.example", (0, 66)),
    ("status", 0), ("stats gate", 0), ("dnsbl status", 0), ("reload", 0),
    ("config show myhostname", 0), ("config check", 0),
    ("config diff", 0), ("config restrictions", 0),
    ("db migrate", 0), ("db status", 0), ("db start", 78), ("db stop", 78),
    ("completion bash", 0),
    # and all goes again
    ("verify forget x@x.example", 0), ("access remove senders x.example", 0),
    ("relay-recipient del far@r.example", 0), ("transport del inside", 0),
    ("alias del all@a.example", 0),
    ("credential del kim@a.example phone", 0),
    ("mailbox del kim@a.example", 0), ("mailbox del leo@a.example", 0),
    ("mailbox deleted", 0), ("mailbox purge --older-than 0", 0),
    ("admin del ada", 0),
    ("domain del a.example", 0), ("org del acme", 0),
    ("setup DIR --database postgresql:///x", 73), ("stop", 0),
]

def run(server, line, *options):
    words = line.replace("DIR", str(server.dir)).split()
    return server.postern(*options, "--yes", *words, stdin="secret\n",
                          check=False)


@pytest.mark.parametrize("options", [[], ["--json"]],
                         ids=["for people", "json"])
def test_every_command_runs(fresh_postern, options):
    server, wrong = fresh_postern(), []
    for line, code in COMMANDS:
        done = run(server, line, *options)
        codes = code if isinstance(code, tuple) else (code,)
        assert done.returncode in codes, (line, done.returncode, done.stdout,
                                          done.stderr)
        # A script for the shell is what it is.
        if options and done.stdout and not line.startswith("completion"):
            try:
                json.loads(done.stdout)
            except ValueError:
                wrong.append((line, done.stdout))
        assert options or not re.search("[\x00-\x08\x0b-\x1f\x7f]", done.stdout), line
    assert wrong == []


def test_no_command_is_forgotten(postern):
    names = set(re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?)(?=[ \n])",
                           postern.postern("--help").stdout))
    here = {" ".join(line.split()[:2]) if " ".join(line.split()[:2]) in names
            else line.split()[0] for line, _ in COMMANDS}
    assert names - here == set(), "no line in COMMANDS"
