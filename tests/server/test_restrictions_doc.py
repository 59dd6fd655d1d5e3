"""doc/restrictions.md has the restrictions as the program prints them."""
import subprocess

from tests.harness import paths


def test_the_document_is_printed_from_the_table(cluster):
    printed = subprocess.run(
        [paths.program("postern"), "config", "man", "restrictions.md"],
        capture_output=True, text=True, check=True).stdout
    text = (paths.SOURCE / "doc/restrictions.md").read_text()
    begin = "<!-- begin: postern config man restrictions.md -->\n"
    between = text.split(begin)[1].split("<!-- end -->")[0]
    assert between == printed, ("put what `postern config man "
                                "restrictions.md' prints between the marks")
