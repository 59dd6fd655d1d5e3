#!/usr/bin/env python3
"""The RFC 7208 test suite against lib/mail/spf_eval.c (by spfprobe).

The suite is third-party data and not part of this tree: it is read from
$POSTERN_SHARED/suites or ../shared/suites beside the source tree. Without it
(or without PyYAML) the test is skipped (77).
"""
import os
import subprocess
import sys

SKIP = 77


def suite_path():
    top = os.environ.get("top_srcdir") or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..")
    shared = os.environ.get("POSTERN_SHARED") or os.path.join(
        top, "..", "shared")
    return os.path.join(shared, "suites", "spf", "rfc7208-tests.yml")


def hexed(text):
    return text.encode("latin-1", "replace").hex()


def record_lines(name, rtype, value):
    if rtype == "MX":
        text = "%s %s" % (value[0], value[1])
    elif isinstance(value, list):
        text = "".join(value)
    else:
        text = str(value)
    return ["R\t%s\t%s\t%s" % (name, rtype, hexed(text))]


def zone_lines(zone):
    out = []
    for name, entries in (zone or {}).items():
        has_txt = any(isinstance(e, dict) and "TXT" in e for e in entries)
        for entry in entries:
            if entry == "TIMEOUT":
                out.append("F\t%s" % name)
                continue
            for rtype, value in entry.items():
                if value == "TIMEOUT":
                    out.append("F\t%s" % name)
                elif rtype == "TXT" and value == "NONE":
                    continue
                elif rtype == "SPF":
                    if not has_txt:
                        out += record_lines(name, "TXT", value)
                else:
                    out += record_lines(name, rtype, value)
    return out


def scenario_run(probe, scenario):
    tests = list(scenario["tests"].items())
    lines = zone_lines(scenario.get("zonedata"))
    for _, t in tests:
        lines.append("Q\t%s\t%s\t%s" % (t["host"], t["helo"],
                                        t.get("mailfrom") or ""))
    done = subprocess.run([probe], input="\n".join(lines) + "\n", text=True,
                          stdout=subprocess.PIPE, check=True)
    answers = done.stdout.splitlines()
    bad = []
    for (name, t), answer in zip(tests, answers):
        result, explanation, why = answer.split("\t")
        want = t["result"] if isinstance(t["result"], list) else [t["result"]]
        if result not in want:
            bad.append("%s: got %s (%s), want %s" %
                       (name, result, why, "/".join(want)))
        wanted = t.get("explanation")
        if wanted == "DEFAULT":
            wanted = ""
        if wanted is not None and result == "fail" and explanation != wanted:
            bad.append("%s: explanation %r, want %r" %
                       (name, explanation, wanted))
    if len(answers) != len(tests):
        bad.append("%d answers for %d tests" % (len(answers), len(tests)))
    return len(tests), bad


def main():
    path = suite_path()
    try:
        import yaml
    except ImportError:
        print("SKIP: PyYAML is not installed")
        return SKIP
    if not os.path.exists(path):
        print("SKIP: no suite at %s" % path)
        return SKIP
    probe = os.path.join(os.environ.get("top_builddir", "."),
                         "tests/spf/spfprobe")
    total, failed = 0, []
    with open(path, encoding="utf-8") as f:
        for scenario in yaml.safe_load_all(f):
            n, bad = scenario_run(probe, scenario)
            total += n
            failed += ["%s: %s" % (scenario["description"], b) for b in bad]
    print("\n".join(failed))
    print("spf suite: %d tests, %d wrong" % (total, len(failed)))
    return 1 if failed or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
