"""npm's imapflow, 2.1.2: what webmail and sync services are built on."""
import os
import shutil
import subprocess

import pytest

from tests.harness import paths

VERSION = "2.1.2"
DONE = ["folders", "append", "fetch", "search", "download",
        "flags copy move delete", "status quota", "idle", "changed since",
        "done"]


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """A directory with imapflow in it, from the registry by npm."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm or node is not installed")
    where = tmp_path_factory.mktemp("npm")
    (where / "package.json").write_text('{"private": true}\n')
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
         f"imapflow@{VERSION}"], cwd=where, capture_output=True, text=True,
        timeout=300, env=dict(os.environ, HOME=str(where),
                              npm_config_cache=str(where / "cache")))
    if done.returncode != 0:
        pytest.skip("npm cannot get imapflow: " +
                    done.stderr.strip().splitlines()[-1])
    return where / "node_modules"


@pytest.mark.parametrize("mode", ["plain", "qresync"])
def test_imapflow_does_a_days_work(postern, domain, modules, mode):
    who = f"flow@{domain}"
    postern.add_mailbox(who, "secret", quota_bytes=64 * 1024 * 1024,
                        quota_messages=1000)
    host, port = postern.address("imaps")
    done = subprocess.run(
        ["node", paths.SOURCE / "tests" / "clients" / "imapflow.js", host,
         str(port), who, "secret", mode], capture_output=True, text=True,
        timeout=120, env=dict(os.environ, NODE_PATH=str(modules)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == DONE
