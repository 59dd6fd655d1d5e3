"""Where things are: sources, the build tree, and who to be when root.

top_srcdir and top_builddir come from the environment (make check sets them);
else sources are found from here, and the build tree is the current directory
or the sources.
"""
import os
import pathlib
import pwd
import shutil

SOURCE = pathlib.Path(os.environ.get("top_srcdir") or
                      pathlib.Path(__file__).resolve().parents[2])


def _build():
    named = os.environ.get("top_builddir")
    if named:
        return pathlib.Path(named).resolve()
    for where in (pathlib.Path.cwd(), SOURCE):
        if (where / "admin" / "posternd").exists():
            return where
    return pathlib.Path.cwd()


BUILD = _build()


def program(name):
    """A program of the build tree, or None when it is not built."""
    for where in ("admin", "smtpd", "delivery", "authd", "imapd"):
        path = BUILD / where / name
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def plain_user():
    """Name of the user servers run as: ours, or nobody when we are root."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    return "nobody"


def as_plain_user(command):
    """The command line that runs `command` as plain_user()."""
    command = [str(word) for word in command]
    if os.getuid() != 0:
        return command
    who = pwd.getpwnam(plain_user())
    if not shutil.which("setpriv"):
        raise RuntimeError("setpriv is missing (package util-linux)")
    return ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}",
            "--clear-groups", "--"] + command


def give(path):
    """Hands a file or directory to plain_user()."""
    if os.getuid() == 0:
        who = pwd.getpwnam(plain_user())
        os.chown(path, who.pw_uid, who.pw_gid)
