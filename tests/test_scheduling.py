"""The examples for schedulers: each is read by what would read it, and its command is carried out once."""

from __future__ import annotations

import ast
import getpass
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from configparser import ConfigParser
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifecycle import Workbench
from lifecycle.sources.made_up import write_clinic

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
GUIDE = (ROOT / "docs" / "scheduling.md").read_text()
CRON = (EXAMPLES / "cron" / "lifecycle").read_text()
KUBERNETES: dict[str, Any] = yaml.safe_load((EXAMPLES / "kubernetes" / "cronjob.yaml").read_text())
AIRFLOW = ast.parse((EXAMPLES / "airflow" / "lifecycle_purge.py").read_text())


def cron_line() -> tuple[list[str], str, str]:
    """The five fields, the user, and the command as cron hands it to the shell."""
    (line,) = [one for one in CRON.splitlines() if re.match(r"[\d*]", one)]
    *fields, user, command = line.split(maxsplit=6)
    assert not re.search(r"(?<!\\)%", command), "cron ends the command at a bare percent sign"
    return fields, user, command.replace("\\%", "%")


def unit(name: str) -> ConfigParser:
    found = ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string((EXAMPLES / "systemd" / name).read_text())
    return found


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = KUBERNETES["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def airflow_call(name: str) -> dict[str, Any]:
    (call,) = [n for n in ast.walk(AIRFLOW) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == name]
    keywords = [one for one in call.keywords if one.arg and isinstance(one.value, ast.Constant)]
    return {str(one.arg): one.value.value for one in keywords if isinstance(one.value, ast.Constant)}


def schedules() -> dict[str, tuple[int, int]]:
    """Hour and minute of each example."""
    timer = re.fullmatch(
        r"\*-\*-\* (\d\d):(\d\d):00 Europe/Berlin", unit("lifecycle-purge.timer")["Timer"]["OnCalendar"]
    )
    assert timer
    found = {"cron": cron_line()[0], "kubernetes": KUBERNETES["spec"]["schedule"].split()}
    found["airflow"] = airflow_call("DAG")["schedule"].split()
    times = {name: (int(fields[1]), int(fields[0])) for name, fields in found.items() if fields[2:] == ["*"] * 3}
    return times | {"systemd": (int(timer[1]), int(timer[2]))}


def commands() -> dict[str, str]:
    container = pod()["containers"][0]
    return {
        "cron": cron_line()[2],
        "systemd": unit("lifecycle-purge.service")["Service"]["ExecStart"],
        "kubernetes": shlex.join([*container["command"], *container["args"]]),
        "airflow": airflow_call("BashOperator")["bash_command"],
    }


def test_no_example_runs_in_the_hour_that_comes_twice_or_never() -> None:
    """Every one runs each night, at the time that the guide names."""
    assert set(schedules()) == {"cron", "systemd", "kubernetes", "airflow"}
    for hour, minute in schedules().values():
        assert hour != 2
        assert f"at {hour:02}:{minute:02}" in GUIDE


def test_the_crontab_has_what_cron_needs() -> None:
    """Five fields in range, a user without root's rights, a percent sign that is escaped, and somebody to tell."""
    fields, user, command = cron_line()
    for field, most in zip(fields, (59, 23, 31, 12, 7), strict=True):
        assert field == "*" or 0 <= int(field) <= most
    assert user == "lifecycle"
    assert "%Y" in command
    assert re.search(r"^MAILTO=\S+@example\.org$", CRON, re.MULTILINE)
    assert CRON.endswith("\n"), "cron passes over a last line without an end"


def test_the_systemd_units_catch_up_and_may_do_nothing_else() -> None:
    """A missed night is made up for; the service writes its workspace and talks to nobody."""
    timer, service = unit("lifecycle-purge.timer"), unit("lifecycle-purge.service")["Service"]
    assert timer["Timer"]["Persistent"] == "true"
    assert service["Type"] == "oneshot"
    assert service["User"] == "lifecycle"
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] in service["ExecStart"]
    assert service["RestrictAddressFamilies"] == "AF_UNIX"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_itself_accepts_the_units(tmp_path: Path) -> None:
    """``systemd-analyze verify``, with a command that exists."""
    for name in ("lifecycle-purge.service", "lifecycle-purge.timer"):
        text = (EXAMPLES / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/lifecycle/bin/lifecycle", "/bin/true"))
    words = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "lifecycle-purge.timer")]
    done = subprocess.run(words, capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "lifecycle-purge" in line]
    assert ours == []


def test_the_cronjob_never_runs_twice_and_never_as_root() -> None:
    """The keys that decide over missed nights, repetition, rights and time."""
    spec, job = KUBERNETES["spec"], KUBERNETES["spec"]["jobTemplate"]["spec"]
    assert (KUBERNETES["apiVersion"], KUBERNETES["kind"]) == ("batch/v1", "CronJob")
    assert (spec["timeZone"], spec["concurrencyPolicy"]) == ("Europe/Berlin", "Forbid")
    assert spec["startingDeadlineSeconds"] > 3600
    assert (job["backoffLimit"], pod()["restartPolicy"]) == (0, "Never")
    assert job["activeDeadlineSeconds"] > 0
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["automountServiceAccountToken"] is False
    container = pod()["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod()["volumes"]}


def test_the_dag_runs_one_at_a_time_and_makes_up_for_nothing() -> None:
    """One run deletes all that is due, so missed nights are not repeated one by one."""
    dag = airflow_call("DAG")
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1
    imports = {node.module for node in ast.walk(AIRFLOW) if isinstance(node, ast.ImportFrom)}
    assert imports == {"__future__", "datetime", "airflow.sdk", "airflow.providers.standard.operators.bash"}


def test_alarms_ask_only_for_numbers_that_are_written() -> None:
    """A rule over a name that nobody writes never rings."""
    rules = yaml.safe_load((EXAMPLES / "prometheus" / "lifecycle.rules.yaml").read_text())["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"lifecycle_\w+", rule["expr"])}
    source = (ROOT / "lifecycle" / "workbench" / "status.py").read_text()
    written = {f"lifecycle_{name}" for name in re.findall(r'(?:yield |append\(\()"(\w+)"', source)}
    assert asked
    assert asked <= written
    assert set(re.findall(r"`(lifecycle_\w+)`", GUIDE)) <= written


def test_the_guide_names_files_that_exist_and_the_exit_codes_as_they_are() -> None:
    """What it links to is there; what it says of a code is true of a class."""
    linked = re.findall(r"\]\((examples/[^)]+)\)", GUIDE)
    assert sorted(linked) == sorted(p.relative_to(ROOT / "docs").as_posix() for p in EXAMPLES.rglob("*") if p.is_file())
    from lifecycle import errors

    codes = {getattr(kind, "exit_code", None) for kind in vars(errors).values() if isinstance(kind, type)}
    named = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", GUIDE, re.MULTILINE) for code in row.split(",")}
    assert named <= codes | {0}
    assert {4, 6, 7, 9} <= named


def due_tonight(folder: Path) -> Workbench:
    """A workspace in which rows are due, and a standing approval for them."""
    wb = Workbench.init(folder / "praxis")
    clinic = write_clinic(folder / "files", as_of=wb.today, appointments=100)
    wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    wb.approve_standing("controller", max_rows=10_000, max_percent=100, until=wb.today + timedelta(days=1))
    return wb


@pytest.mark.slow
def test_the_command_of_every_example_is_carried_out(tmp_path: Path) -> None:
    """In a shell, on a workspace: the first night deletes what is due, the others find nothing and say so."""
    wb = due_tonight(tmp_path)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["LIFECYCLE_WORKSPACE"] = str(wb.path)
    for name, command in commands().items():
        here = command.replace("/srv/lifecycle/praxis", str(wb.path)).replace("/opt/lifecycle/bin/", "")
        done = subprocess.run(["/bin/sh", "-c", here], env=environment, capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, (name, done.stderr)
        assert done.stderr == "", f"{name}: cron would send a mail"
        (log,) = wb.path.glob("reports/runs-*.jsonl")
        lines = (done.stdout or log.read_text()).splitlines()
        assert [json.loads(line)["outcome"] for line in lines] == ["passed"], name
    assert wb.plan().due == 0
    assert log.name == f"runs-{date.today():%Y-%m}.jsonl"
    assert len(list(wb.path.glob("reports/50_purge-*.ipynb"))) == len(commands())


VALIDATOR = shutil.which("kubernetes-validate")


@pytest.mark.slow
@pytest.mark.skipif(not VALIDATOR, reason="NOT RUN: kubernetes-validate is not installed")
@pytest.mark.parametrize("version", ["1.27.0", "1.37.0"])
def test_kubernetes_schema_accepts_the_cronjob(version: str) -> None:
    """Strictly: a key that Kubernetes does not know is refused. 1.27 is the first with a time zone for everybody."""
    words = [str(VALIDATOR), "--strict", "-k", version, str(EXAMPLES / "kubernetes" / "cronjob.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


IN_A_CONTAINER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 none {root}
for one in /bin /lib /lib64 /usr /etc /dev {base} {house} {venv}; do
  [ -e "$one" ] || continue
  if [ -L "$one" ]; then cp -P "$one" "{root}$one"; continue; fi
  mkdir -p "{root}$one"; mount --bind "$one" "{root}$one"; mount -o remount,bind,ro "{root}$one"
done
mkdir -p {root}/proc {root}/tmp {root}{claim}
mount -t proc none {root}/proc
mount -t tmpfs -o size={size},mode=1777 none {root}/tmp
mount --bind {workspace} {root}{claim}
mount -o remount,ro {root}
exec chroot {root} setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs --inh-caps=-all \\
  --bounding-set=-all env -i HOME=/ PATH={venv}/bin:/usr/bin:/bin {command}
"""


def may_unshare() -> bool:
    """Whether this user may give a process mounts, processes and a network of its own."""
    words = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "true"]
    tools = os.getuid() == 0 and shutil.which("unshare") and shutil.which("setpriv")
    return bool(tools and subprocess.run(words, capture_output=True).returncode == 0)


@pytest.mark.slow
@pytest.mark.skipif(not may_unshare(), reason="NOT RUN: needs root, setpriv, and the right to unshare mounts")
def test_the_pod_deletes_with_the_rights_that_its_manifest_leaves(tmp_path: Path) -> None:
    """A user whom nobody knows, no capability, a root that cannot be written, a small /tmp and no network at all."""
    wb = due_tonight(tmp_path)
    user = pod()["securityContext"]["runAsUser"]
    subprocess.run(["chown", "-R", f"{user}:{user}", str(wb.path)], check=True)
    where = {one["name"]: one["mountPath"] for one in pod()["containers"][0]["volumeMounts"]}
    size = next(one["emptyDir"]["sizeLimit"] for one in pod()["volumes"] if "emptyDir" in one)
    (tmp_path / "root").mkdir()
    script = IN_A_CONTAINER.format(
        root=tmp_path / "root", base=sys.base_prefix, house=ROOT, venv=sys.prefix, claim=where["workspace"],
        size=size.removesuffix("i"), workspace=wb.path, user=user, command=commands()["kubernetes"],
    )  # fmt: skip
    words = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "sh", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["artefact"].startswith(where["workspace"])
    assert said["counts"]["deleted_records"] > 0
    assert {path.stat().st_uid for path in wb.path.rglob("*")} == {user}
    assert wb.verify().outcome == "passed"


AIRFLOW_COMMAND = os.environ.get("LIFECYCLE_AIRFLOW") or shutil.which("airflow")


@pytest.mark.slow
@pytest.mark.skipif(not AIRFLOW_COMMAND, reason="NOT RUN: LIFECYCLE_AIRFLOW names no airflow command")
def test_airflow_itself_runs_the_dag(tmp_path: Path) -> None:
    """``airflow dags test``: the first run deletes; with a file STOP the task fails with the verb's own exit code."""
    wb = due_tonight(tmp_path)
    (tmp_path / "dags").mkdir()
    text = (EXAMPLES / "airflow" / "lifecycle_purge.py").read_text().replace("/srv/lifecycle/praxis", str(wb.path))
    text = text.replace("/opt/lifecycle/bin", str(Path(sys.executable).parent))
    (tmp_path / "dags" / "lifecycle_purge.py").write_text(text)
    its = {"AIRFLOW_HOME": tmp_path / "home", "AIRFLOW__CORE__DAGS_FOLDER": tmp_path / "dags"}
    environment = {**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", **{key: str(at) for key, at in its.items()}}

    def airflow(*words: str) -> subprocess.CompletedProcess[str]:
        call = [str(AIRFLOW_COMMAND), *words]
        return subprocess.run(call, env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert airflow("db", "migrate").returncode == 0
    done = airflow("dags", "test", "lifecycle_purge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is deprecated. Please use" not in done.stdout + done.stderr
    assert wb.plan().due == 0
    (wb.path / "STOP").touch()
    stopped = airflow("dags", "test", "lifecycle_purge")
    assert stopped.returncode != 0
    assert "non-zero exit code 6" in stopped.stdout + stopped.stderr


IN_A_NAMESPACE = """
mount --bind {cron_d} /etc/cron.d && mount --bind {crontab} /etc/crontab &&
mount -t tmpfs none /var/spool/cron && mkdir -p /var/spool/cron/crontabs && mount -t tmpfs none /run &&
exec cron -f
"""


def can_run_cron() -> bool:
    """Whether cron is here, and this user may give it folders of its own."""
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "true"]
    return bool(
        os.getuid() == 0
        and shutil.which("cron")
        and shutil.which("unshare")
        and subprocess.run(words, capture_output=True).returncode == 0
    )


@pytest.mark.slow
@pytest.mark.skipif(not can_run_cron(), reason="needs root, Debian's cron, and the right to unshare mounts")
def test_a_real_cron_runs_the_example_and_only_one_of_two_at_once(tmp_path: Path) -> None:
    """The shipped crontab, twice, every minute, in a namespace of its own: one run deletes, the other is refused."""
    wb = due_tonight(tmp_path)
    bin_folder, text = str(Path(sys.executable).parent), CRON.replace("/srv/lifecycle/praxis", str(wb.path))
    text = text.replace("/opt/lifecycle/bin", bin_folder).replace("MAILTO=datenschutz@example.org", 'MAILTO=""')
    text = text.replace("17 4 * * * lifecycle ", f"* * * * * {getpass.getuser()} ")
    line = text.splitlines()[-1]
    errors = [tmp_path / "first.txt", tmp_path / "second.txt"]
    head = text.removesuffix(line + "\n")
    (tmp_path / "cron.d").mkdir()
    (tmp_path / "cron.d" / "lifecycle").write_text(head + "".join(f"{line} 2>> {error}\n" for error in errors))
    (tmp_path / "crontab").write_text("")
    script = IN_A_NAMESPACE.format(cron_d=tmp_path / "cron.d", crontab=tmp_path / "crontab")
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as cron:
        try:
            log = wb.path / "reports" / f"runs-{date.today():%Y-%m}.jsonl"
            until = time.monotonic() + 400
            while not (log.is_file() and '"passed"' in log.read_text()) and time.monotonic() < until:
                assert cron.poll() is None, cron.stderr and cron.stderr.read()
                time.sleep(0.5)
            # Before the next minute begins, nobody else is started.
            (tmp_path / "cron.d" / "lifecycle").unlink()
        finally:
            cron.kill()
    said = {one["outcome"]: one for one in map(json.loads, log.read_text().splitlines())}
    assert sorted(said) == ["passed", "refused"]
    assert said["passed"]["counts"]["deleted_records"] > 0
    assert said["refused"]["error"]["exitCode"] == 6
    assert wb.plan().due == 0
    refused = "".join(error.read_text() for error in errors)
    assert "held by process" in refused
