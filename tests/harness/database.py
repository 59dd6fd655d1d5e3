"""Private PostgreSQL for tests: one cluster a run, one database an instance."""
import base64
import hashlib
import hmac
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import paths

PGCLUSTER = paths.SOURCE / "tests" / "pgcluster"


class NoServer(Exception):
    """No PostgreSQL server is installed."""


def quote(text):
    """An SQL literal."""
    if "\0" in text:
        raise ValueError("NUL in SQL")
    return "'" + text.replace("'", "''") + "'"


def scram(password, iterations=4096):
    """A SCRAM-SHA-256 verifier in PostgreSQL's form (RFC 5803)."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt,
                                 iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    b64 = lambda b: base64.b64encode(b).decode()
    return (f"SCRAM-SHA-256${iterations}:{b64(salt)}$"
            f"{b64(stored)}:{b64(server)}")


class Cluster:
    """A running cluster; databases are cut from a migrated template."""

    def __init__(self, directory=None):
        self.own = directory is None
        self.dir = pathlib.Path(directory or
                                tempfile.mkdtemp(prefix="pgc-"))
        self.template = False
        self.count = 0
        done = subprocess.run([PGCLUSTER, "start", self.dir],
                              stdout=subprocess.PIPE, text=True)
        if done.returncode == 77:
            raise NoServer()
        done.check_returncode()
        self.url = done.stdout.strip().splitlines()[-1]

    def url_of(self, database):
        return re.sub(r"^postgresql:///[^?]*", f"postgresql:///{database}",
                      self.url)

    def sql(self, database, text):
        """Runs SQL; rows as lists of text."""
        done = subprocess.run(
            [psql(), "-X", "-q", "-A", "-t", "-F", "\t", "-v",
             "ON_ERROR_STOP=1", "-d", self.url_of(database)],
            input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return [line.split("\t") for line in done.stdout.splitlines()]

    def database(self):
        """A fresh migrated database; its name."""
        if not self.template:
            self.sql("postern", "CREATE DATABASE tmpl")
            migrate(self, "tmpl")
            self.template = True
        self.count += 1
        name = f"inst_{os.getpid()}_{self.count}"
        self.sql("postern", f"CREATE DATABASE {name} TEMPLATE tmpl")
        return name

    def drop(self, database):
        self.sql("postern", f"DROP DATABASE {database} WITH (FORCE)")

    def stop(self, mode="fast"):
        subprocess.run([PGCLUSTER, "stop", self.dir, mode], check=True)

    def start(self):
        subprocess.run([PGCLUSTER, "start", self.dir], check=True,
                       stdout=subprocess.DEVNULL)

    def close(self):
        if self.own:
            subprocess.run([PGCLUSTER, "remove", self.dir], check=False)
            shutil.rmtree(self.dir, ignore_errors=True)


def psql():
    found = shutil.which("psql")
    for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"):
        found = found or str(path)
    if not found:
        raise NoServer()
    return found


def migrate(cluster, database):
    """`postern db migrate`, or by hand while there is no such program."""
    postern = paths.program("postern")
    if postern:
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
            conf.write(f"database = {cluster.url_of(database)}\n")
            conf.flush()
            os.chmod(conf.name, 0o644)
            env = dict(os.environ,
                       POSTERN_SQL_DIR=str(paths.SOURCE / "sql"))
            done = subprocess.run([postern, "-c", conf.name, "db", "migrate"],
                                  capture_output=True, text=True, env=env)
        if done.returncode == 0:
            return
        raise RuntimeError(f"postern db migrate: {done.stdout}{done.stderr}")
    for path in sorted((paths.SOURCE / "sql").glob("[0-9]*.sql")):
        text = path.read_text()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.stem.split("_", 1)[1]
        cluster.sql(database, "BEGIN;\n" + text + "\n"
                    "INSERT INTO postern.migration (revision, name, checksum)"
                    f" VALUES ({int(path.stem.split('_')[0])}, "
                    f"{quote(name)}, {quote(digest)});\nCOMMIT;\n")
