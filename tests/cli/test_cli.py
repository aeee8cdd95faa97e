from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import image_sets
from conftest import UNMEASURED
from noiseproof import cli
from noiseproof.cli._options import combine, parse_change
from noiseproof.data import read_table, row_hashes
from noiseproof.errors import RecipeError
from noiseproof.train import train

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    assert cli.main(list(arguments)) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_train_says_what_came_out(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "digits", "--noise", "symmetric", "--rate", "0.4", "--method", "gce", "--set", "epochs=2"]
    out = run(*command, "--seed", "3", capsys=capsys)
    assert "requested 40.00%, realized 39.97% (480 of 1201 labels are wrong)" in out
    assert re.search(r"last epoch: epoch 2, test \d+\.\d\d%, noisy validation", out)
    folder = Path(out.split("record and weights: ")[1].strip())
    assert json.loads((folder / "record.json").read_text())["recipe"]["seed"] == 3
    assert "run 1 of 1" not in run(*command, "--seed", "3", capsys=capsys).split("GCE")[0]


def test_bench_writes_tables_and_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--set", "epochs=2", "--set", "grid.seeds=[1, 2]", "--set", "grid.methods=['ce', 'jal-ce(a=5)']"]
    assert run("bench", "demo", *small, "--dry-run", capsys=capsys).count("missing") == 4
    out = run("bench", "demo", *small, capsys=capsys)
    assert "Mean ± sample standard deviation over 2 seeds (1, 2)" in out
    assert "60.03% of the training labels are wrong (realized)" in out
    assert re.search(r"JAL-CE\(a=5\) +│ +\d+\.\d\d ± \d+\.\d\d", out)
    assert Path(out.split("Report: ")[1].splitlines()[0]).is_file()
    assert "100 %" in out
    assert run("bench", "demo", *small, "--dry-run", capsys=capsys).count("finished") == 4


def test_methods(capsys: pytest.CaptureFixture[str]) -> None:
    assert "jal-ce(alpha=1, beta=1, a=30)" in run("methods", capsys=capsys)
    values = json.loads(run("methods", "--dataset", "cifar100", "--format", "json", capsys=capsys))
    losses = {value["name"]: value["loss"] for value in values}
    assert losses["jal-ce"] == "jal-ce(alpha=5, beta=1, a=20)"
    everything = json.loads(run("methods", "--format", "json", capsys=capsys))
    assert {value["dataset"] for value in everything} == {"cifar10", "cifar100", "webvision", "clothing1m"}
    assert {value["source"] for value in everything} >= {"code", "paper"}
    keys = "name title loss l1 l2 source head optimizer lr kind dataset noise rate parameters origins"
    assert all(list(value) == keys.split() for value in everything)
    assert "did you mean 'cifar10'" in run("methods", "--dataset", "cifar", capsys=capsys, status=2)


def test_methods_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    out = run("methods", "--explain", "GCE", capsys=capsys)
    assert re.search(r"cifar10 .* code .* q=0.7 \(code\) .* L2 0.0001", out)
    assert re.search(r"cifar10 .* paper .* q=0.9 \(paper\) .* L1 5e-05", out)
    assert "NeurIPS 2018" in out
    assert "q of GCE (gce)" in out
    student = run("methods", "--explain", "lt-apl", capsys=capsys)
    assert "student(margin=0.1, center=0.05)" in student
    assert "Adam with a learning rate of 0.001" in student
    assert "expected the name of a published" in run("methods", "--explain", "nce + ce", capsys=capsys, status=2)
    assert run("methods", "--disagreements", capsys=capsys).count("taken:") == 22
    assert len(json.loads(run("methods", "--disagreements", "--format", "json", capsys=capsys))) == 22


def test_train_says_which_weights_it_started_from(capsys: pytest.CaptureFixture[str]) -> None:
    out = run("train", "digits", "--set", "epochs=1", capsys=capsys)
    file = Path(out.split("record and weights: ")[1].strip()) / "weights.safetensors"
    again = ["train", "digits", "--set", "epochs=1", "--set", f"weights={file}"]
    out = run(*again, capsys=capsys)
    assert re.search(r"weights: weights.safetensors \(SHA-256 [0-9a-f]{12}…\)\n", out)
    out = run(*again, "--method", "lt-apl", capsys=capsys)
    assert "classifier.means, classifier.roots are of another classifier and start anew" in out


def test_one_regularizer_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    out = run("bench", "cifar10-small", "--regularizer", "l2", "--dry-run", capsys=capsys)
    assert out.count("_with_l2-") == len(out.splitlines()) == 12
    trained = run("train", "digits", "--regularizer", "none", "--set", "epochs=1", capsys=capsys)
    assert "JAL-CE(a=5) with no regularizer" in trained
    assert "no strength is published" in run("train", "digits", "--regularizer", "l1", capsys=capsys, status=2)


def test_theory(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    out = run("theory", "--symmetric", "0.6", "jal-ce", "ce", "--plots", str(tmp_path / "plots"), capsys=capsys)
    assert re.search(r"jal-ce\(alpha=1, beta=1, a=30\) +│ yes +│ +│ 3 ", out)
    assert re.search(r"ce +│ no ", out)
    for name in ("thresholds.png", "minimizers.png"):
        assert (tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG")
    lost = run("theory", "--asymmetric", "0.5", "mae", capsys=capsys)
    assert "Clean labels do not dominate in 10 of 10 classes" in lost
    values = json.loads(
        run("theory", "--asymmetric", "0.4", "--mapping", "cifar10", "mae", "--format", "json", capsys=capsys)
    )
    assert values["losses"][0]["share"] == 1.0
    assert values["lost"] == []
    assert "15.9% of the instances" in run("theory", "--part-dependent", "0.6", capsys=capsys)
    (tmp_path / "T.csv").write_text("0.4,0.6\n0,1\n")
    assert "in 1 of 2 classes (0)" in run("theory", "--matrix", str(tmp_path / "T.csv"), "mae", capsys=capsys)
    assert "expected such as cifar10n-worst" in run("theory", "--noise", "worst", capsys=capsys, status=2)
    assert "at least two classes" in run("theory", "--symmetric", "0.1", "--classes", "1", capsys=capsys, status=2)


def test_noise(capsys: pytest.CaptureFixture[str]) -> None:
    out = run("noise", "symmetric", "--data", "digits", "--rate", "0.6", "--out", "n.json", capsys=capsys)
    assert "requested 60.00%, realized 60.03%" in out
    shown = run("noise", "show", "n.json", capsys=capsys)
    assert shown.splitlines()[0] == out.splitlines()[0]
    np.save("labels.npy", np.arange(100) % 4)
    np.savetxt("labels.txt", np.arange(100) % 4, fmt="%d")
    np.savetxt("T.csv", 0.6 * np.eye(4) + 0.1, delimiter=",")
    matrix = ["noise", "matrix", "--matrix", "T.csv"]
    both = [run(*matrix, "--labels", f"labels.{kind}", capsys=capsys) for kind in ("npy", "txt")]
    assert both[0] == both[1]
    assert "realized 32.00%" in both[0] or "realized 28.00%" in both[0] or "realized 30.00%" in both[0]
    assert "-> 1" not in run(
        "noise", "asymmetric", "--labels", "labels.npy", "--rate", "0.2", "--mapping", "0=1", capsys=capsys
    )


def test_instance_noise_and_comparing_lists(capsys: pytest.CaptureFixture[str]) -> None:
    made = run("noise", "instance", "--data", "digits", "--rate", "0.3", "--variant", "fixed-subset", capsys=capsys)
    assert made.startswith("instance noise (fixed-subset, seed 0): requested 30.00%")
    assert "realized 29.98% (360 of 1201" in made
    manifest = ["noise", "instance", "--data", "digits", "--rate", "0.3", "--seed", "2", "--out", "made.json"]
    assert run(*manifest, capsys=capsys).startswith("instance noise (pdn, seed 2)")
    noisy = json.loads(Path("made.json").read_text())
    compare = ["noise", "compare", "--data", "digits", "--labels"]
    # A manifest holds two lists of labels among other things: a reader of columns can choose one.
    out = run(*compare, "made.json", "--column", "labels", "--out", "again.json", capsys=capsys)
    assert f"realized {noisy['rate']:.2%}" in out
    assert len(re.findall(r"\d+\.\d\d%", out.split("wrong in each class:")[1])) == 10
    assert "written to again.json" in out
    assert json.loads(Path("again.json").read_text())["labels"] == noisy["labels"]
    assert "realized 0.00%" in run(*compare, "made.json", "--column", "clean", capsys=capsys)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("noise compare --data digits --labels absent.csv", "cannot read absent.csv"),
        ("noise instance --data digits --rate 40", "for 40 % write 0.4"),
        ("train digits --noise instance --rate 0.4", "has lists for cifar10 and cifar100, not digits"),
        ("train digits --noise labels --set noise.path=absent.csv", "there is no label list absent.csv"),
        ("train digit", "no recipe is called 'digit'; did you mean 'digits'"),
        ("train demo", "demo is a grid of 12 runs: use `noiseproof bench demo`"),
        ("train digits --set epoch=3", "unknown key 'epoch'; did you mean 'epochs'"),
        ("train digits --set epochs", "--set epochs: expected KEY=VALUE"),
        ("train digits --noise symmetric --rate 60", "for 60 % write 0.6"),
        ("train digits --rate 0.4", "noise"),
        ("train cifar10 --data-dir nowhere", "no cifar10 under nowhere"),
        ("train arrays --set data.path=absent.npz", "cannot read absent.npz"),
        ("bench demo --set 'grid.methods=[\"jalce\"]'", "did you mean 'jal-ce'"),
        ("noise show absent.json", "cannot read absent.json"),
        ("noise asymmetric --data digits --rate 0.3", "unknown mapping 'digits'"),
        ("noise asymmetric --data digits --rate 0.3 --mapping 3-5,x", "expected pairs of classes such as 3=5, 5=3"),
        ("noise asymmetric --data digits --rate 0.3 --mapping 3:x", "class 'x' is no class"),
        ("noise symmetric --labels absent.npy --rate 0.3", "cannot read absent.npy"),
        ("noise asymmetric --labels absent.npy --rate 0.3", "cannot read absent.npy|--mapping is missing"),
        ("recipes demos", "did you mean 'demo'"),
    ],
)
def test_errors_are_one_clear_line_and_status_2(command: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    err = run(*shlex.split(command), capsys=capsys, status=2)
    assert err.startswith("error: ")
    assert re.search(message, err) or message in err
    assert "Traceback" not in err


def test_warnings_are_one_line(capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    cli._show_warning(UserWarning("plain"), UserWarning, "file", 1)
    assert capsys.readouterr().err == "plain\n"
    command = [sys.executable, "-m", "noiseproof", "noise", "symmetric", "--data", "digits", "--rate", "0.95"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=UNMEASURED)
    assert done.stderr.startswith("warning: clean labels do not dominate in 10 of 10 classes")
    assert done.stderr.count("\n") == 1


def changes(*texts: str) -> dict[str, object]:
    return combine([parse_change(text) for text in texts])


def test_changes_are_toml_or_text() -> None:
    assert changes("epochs=3", "noise.rate = 0.4", "noise.kind=symmetric", "x.y.z=[1, 2]", "s='q'", "t=1\nseed=2") == {
        "epochs": 3,
        "noise": {"rate": 0.4, "kind": "symmetric"},
        "x": {"y": {"z": [1, 2]}},
        "s": "q",
        "t": "1\nseed=2",
    }
    for wrong in ("=3", "epochs", "a..b=3", ".a=3", "a.=3", ""):
        with pytest.raises(RecipeError, match="expected KEY=VALUE"):
            changes(wrong)


@pytest.mark.parametrize(
    "command",
    [[], ["train"], ["bench"], ["methods"], ["noise"], ["noise", "symmetric"], ["noise", "compare"], ["recipes"]],
)
def test_help_everywhere(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command, "--help"])
    assert stopped.value.code == 0
    assert "usage: noiseproof" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert re.fullmatch(r"noiseproof \d+\.\d+\.\d+\n", capsys.readouterr().out)


def examples() -> list[str]:
    """Every command that a help text, a page of the documentation or the end of a benchmark tells people to paste."""
    texts = [cli._EXAMPLES, cli.bench._NEXT]
    commands = (cli.fit, cli.audit, cli.train, cli.bench, cli.predict, cli.methods, cli.noise)
    texts += [module._EXAMPLES for module in commands]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        lines += [line.removeprefix("$ ") for line in page.read_text().splitlines() if line.startswith("$ ")]
    found = [re.split(r"\s{3,}|\s+#", line)[0] for line in lines if line.startswith("noiseproof ")]
    return list(dict.fromkeys(found))


def test_there_are_examples() -> None:
    assert len(examples()) > 10


@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning", "ignore::noiseproof.errors.NoiseWarning")
@pytest.mark.usefixtures("definitions_as_before")
@pytest.mark.parametrize("example", examples())
def test_examples_work_when_pasted(
    example: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """Each as a shell splits it, shortened to one epoch, in a folder that has the files it names."""
    if "DIR" in example.split():
        if {"train", "bench", "reproduce"} & {*example.split()} and "--dry-run" not in example:
            pytest.skip("trains on CIFAR-10: too long for the default run")
        example = example.replace("DIR", str(request.getfixturevalue("cifar_dir")))
    if "--executor ray" in example:
        pytest.skip("starts a cluster: too long for the default run")
    random = np.random.default_rng(0)
    np.savez("my.npz", features=random.normal(size=(200, 5)), labels=random.integers(0, 3, 200))
    np.save("labels.npy", np.arange(100) % 4)
    np.savetxt("T.csv", 0.6 * np.eye(4) + 0.1, delimiter=",")
    Path("my-grid.toml").write_text('extends = "digits"\n[grid]\nseeds = [1]\n')
    if "my_losses" in example or "mine.toml" in example:
        page = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
        block = re.search(r"^```python\n(from noiseproof.losses import LabelLoss.*?)^make_loss", page, re.DOTALL | re.M)
        grid = re.search(r"^```\n(extends.*?)^```", page, re.DOTALL | re.M)
        assert block is not None
        assert grid is not None
        Path("my_losses.py").write_text(block[1], encoding="utf-8")
        Path("mine.toml").write_text(grid[1], encoding="utf-8")
    if "my_kinds" in example:
        page = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")
        own = re.search(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        assert own is not None
        Path("my_kinds.py").write_text(own[1], encoding="utf-8")
    if "photos" in example or "train.txt" in example:
        for number in range(24):
            image_sets.write_image(Path(f"photos/class{number % 2}/{number}.jpg"), number % 2, number)
        lines = [f"photos/class{number % 2}/{number}.jpg {number % 2}" for number in range(24)]
        image_sets.write_lines(Path("train.txt"), lines[:20])
        image_sets.write_lines(Path("test.txt"), lines[20:])
    cli.main(["noise", "symmetric", "--data", "digits", "--rate", "0.3", "--out", "noisy.json"])
    if arguments_of_fit := re.search(r"(wines|patients)\.(csv|parquet|model|audit)", example):
        _write_table(Path(f"{arguments_of_fit[1]}.csv"), random)
        _write_table(Path("clean.csv"), random)
        if arguments_of_fit[2] == "parquet":
            parquet = pytest.importorskip("pyarrow.parquet")
            parquet.write_table(pytest.importorskip("pyarrow.csv").read_csv("patients.csv"), "patients.parquet")
    if re.search(r"(review|audit) wines|predict wines", example):
        cli.main(["fit", "wines.csv", "--label", "quality", "--budget", "100 updates"])
        Path("new.csv").write_bytes(Path("wines.csv").read_bytes())
    if "review" in example.split():
        cli.main(["audit", "wines.model"])
        example += " --no-browser"
    if "corrections.csv" in example:
        _write_corrections(Path("corrections.csv"), Path("wines.csv"))
    if "--probs" in example.split():
        _write_probabilities(Path("labels.csv"), Path("probs.parquet"))
    if "predict" in example.split() and "wines" not in example:
        # Ahead of it is a run on such data, and new ones.
        np.savez("new.npz", features=random.normal(size=(3, 5)), customer=np.array(["ada", "bob", "eve"]))
        Path("new.csv").write_text("customer,a,b,c,d,e\nada,1,2,3,4,5\n", encoding="utf-8")
        name, path = ("folder", "photos") if "photos" in example else ("arrays", "my.npz")
        small = {"image_size": 32, "resize": 32} if name == "folder" else {}
        recipe = {"extends": name, "data": {"path": path, **small}, "epochs": 1, "model": "mlp(hidden=4)"}
        train(recipe, example.split()[2], workers=0)
    command, _, _ = example.partition(" > ")
    expanded = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert expanded == shlex.split(command), "the shell would change this example"
    arguments = expanded[1:]
    if arguments[0] == "fit":
        arguments += ["--budget", "100 updates"]
    if arguments[0] in ("train", "bench"):
        arguments += ["--set", "epochs=1"]
        if arguments[1] in ("demo", "my-grid.toml", "mine.toml"):
            arguments += ["--set", "grid.seeds=[1]"]
    assert cli.main(arguments) == 0, capsys.readouterr().err


def _write_corrections(path: Path, table: Path) -> None:
    """One correction of the first row."""
    read = read_table(table, as_text=["quality"])
    given = read["quality"][0]
    decided = "bad" if given == "good" else "good"
    digest = row_hashes(read.without(["quality"]))[0, :8].tobytes().hex()
    path.write_text(f"key,row_hash,given,decided,action\n0,{digest},{given},{decided},relabel\n", encoding="utf-8")


def _write_probabilities(labels: Path, probabilities: Path) -> None:
    """Labels, and predictions of them in another order."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    labels.write_text("id,label\na,cat\nb,dog\nc,cat\n", encoding="utf-8")
    parquet.write_table(arrow.table({"id": [*"cba"], "cat": [0.9, 0.2, 0.3], "dog": [0.1, 0.8, 0.7]}), probabilities)


def _write_table(path: Path, random: np.random.Generator) -> None:
    """A table with the columns that examples name."""
    numbers, kinds = random.normal(size=(120, 3)), random.integers(0, 2, 120)
    lines = ["quality,diagnosis,patient,visit,sugar,acid,color,checked"]
    for row, (values, kind) in enumerate(zip(numbers, kinds, strict=True)):
        cells = ["good" if values[0] > 0 else "bad", "ill" if values[1] > 0 else "well", row // 2, row]
        lines.append(",".join(map(str, [*cells, *values[:2], "red" if kind else "white", "no"])))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("train digits --sed 3", "did you mean --seed?"),
        ("train digits epochs=3", "a key of the recipe is changed by --set epochs=3"),
        ("bench demo --noise symmetric", "write --set noise=symmetric"),
        ("bench demo --rate=0.4", "write --set noise.rate=0.4"),
        ("predict run new.npz --nois", "see noiseproof predict --help"),
    ],
)
def test_an_unknown_argument_is_answered_with_what_was_meant(
    command: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(command.split())
    err = capsys.readouterr().err
    assert err.startswith(f"usage: noiseproof {command.split()[0]} ")
    assert err.rstrip().endswith(meant)


def test_ctrl_c_says_of_a_command_that_keeps_nothing_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.theory, "run", stopped)
    assert "Stopped." in (err := run("theory", "--symmetric", "0.6", capsys=capsys, status=130))
    assert "saved" not in err


def test_ctrl_c_says_that_the_work_is_saved(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "noiseproof", "train", "digits", "--set", "epochs=5000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=UNMEASURED) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("runs/*/checkpoint.pt")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped. What was done is saved: the same command goes on from here." in err
    assert "Traceback" not in err


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = f"{sys.executable} -m noiseproof recipes cifar10 | head -n 1"
    command = ["bash", "-o", "pipefail", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=UNMEASURED)
    assert done.returncode == 0
    assert not done.stderr
