"""Postfix's log summary, as it comes, counts our log right."""
import re
import shutil
import subprocess

import pytest

from tests.harness.wait import until


@pytest.mark.skipif(not shutil.which("pflogsumm"),
                    reason="pflogsumm is not installed")
def test_pflogsumm_counts_what_happened(fresh_postern):
    made = fresh_postern()
    made.add_domain("sum.example")
    made.add_mailbox("kim@sum.example")
    for i in range(3):
        made.send("a@sender.example", "kim@sum.example", subject=f"s{i}")
    with pytest.raises(AssertionError, match="550 5.1.1"):
        made.send("a@sender.example", "nobody@sum.example")
    made.wait_for_messages("kim@sum.example", 3)
    until(lambda: len(made.log_lines("status=sent")) == 3, "three lines")
    out = subprocess.run(
        ["pflogsumm", "--syslog-name=postern", made.log_path], text=True,
        capture_output=True, check=True).stdout
    count = {what: int(n) for n, what in
             re.findall(r"(?m)^\s*(\d+)\s+(received|delivered|rejected)\b",
                        out)}
    assert count == {"received": 3, "delivered": 3, "rejected": 1}, out
    assert re.search(r"(?m)^\s*3\s+kim@sum\.example", out), out
