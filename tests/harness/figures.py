"""Tables of figures in doc/performance.md, each between two marks."""
import datetime
import os
import pathlib
import platform
import re

from . import paths


def describe_machine():
    cpu = re.search(r"model name\s*: (.*)",
                    pathlib.Path("/proc/cpuinfo").read_text())
    return (f"{os.cpu_count()} × {cpu.group(1) if cpu else 'CPU'}, Linux "
            f"{platform.release()}")


def write_table(mark, text, command, notes):
    path = paths.SOURCE / "doc" / "performance.md"
    page = path.read_text()
    begin, end = f"<!-- {mark} begin -->\n", f"<!-- {mark} end -->"
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    day = datetime.date.today().isoformat()
    path.write_text(f"{head}{begin}{day}, {describe_machine()}.\n"
                    f"Made by `{command}`. {notes}\n\n{text}\n{end}{tail}")
    print(f"written to {path}")
