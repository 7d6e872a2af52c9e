"""Runs dbt on the package, or on a project that uses it."""

import json
import os
import pathlib
import subprocess
import sys


def run(folder, profile, arguments, project, variables=None, accept=(0,)):
    """Runs a command of dbt with one target; what it leaves is in folder.

    Returns its results: the status and the message of each node, by its name."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "profiles.yml").write_text(json.dumps({"reengage": {"target": "here", "outputs": {"here": profile}}}))
    command = [pathlib.Path(sys.executable).with_name("dbt"), "--no-use-colors", "--no-send-anonymous-usage-stats", *arguments,
               "--project-dir", project, "--profiles-dir", folder / "profiles",
               "--vars", json.dumps(variables or {})]
    places = {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **places}, check=False)
    if done.returncode not in accept:
        raise RuntimeError(f"dbt {' '.join(arguments)}: {done.stdout}{done.stderr}")
    results = folder / "target" / "run_results.json"
    if not results.exists():
        return {}
    return {result["unique_id"].split(".")[2]: result for result in json.loads(results.read_text())["results"]}
