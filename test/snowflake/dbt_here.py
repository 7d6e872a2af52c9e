"""Runs dbt on the package, or on a project that uses it."""

import hashlib
import json
import multiprocessing
import os
import sys

# dbt is loaded once, and each command is a process that begins with it
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dbt.cli.main"])


def command(folder, target, arguments):
    """A process: one command of dbt, with what it says in a file."""
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.update({"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(folder / "logs"),
                       "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"})
    from dbt.cli.main import dbtRunner  # not in whoever starts this process

    done = dbtRunner().invoke(["--no-use-colors", "--quiet", *arguments])
    if done.exception:
        print(done.exception)
    sys.exit(0 if done.success else 2 if done.exception else 1)


def run(folder, profile, arguments, project, variables=None, accept=(0,)):
    """Runs a command of dbt with one target; what it leaves is in folder.

    Returns its results by the names of models, tests or sources."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "profiles.yml").write_text(json.dumps({"reengage": {"target": "here", "outputs": {"here": profile}}}))
    variables = json.dumps(variables or {})
    # what dbt has parsed holds for the same variables: a target for each, so that it parses once
    target = folder / f"target_{hashlib.md5(f'{project} {profile} {variables}'.encode()).hexdigest()[:8]}"
    results = target / ("sources.json" if arguments[0] == "source" else "run_results.json")
    results.unlink(missing_ok=True)
    process = PROCESSES.Process(target=command, args=(folder, target, [
        *arguments, "--project-dir", str(project), "--profiles-dir", str(folder / "profiles"), "--vars", variables]))
    process.start()
    process.join()
    if process.exitcode not in accept:
        raise RuntimeError(f"dbt {' '.join(arguments)}: {(folder / 'said').read_text()}")
    if not results.exists():
        return {}
    return {result["unique_id"].split(".")[-1 if arguments[0] == "source" else 2]: result
            for result in json.loads(results.read_text())["results"] if not result["unique_id"].startswith("operation.")}
