import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from lampyris_local.cloud.local_cloud import LocalCloud

Run = Callable[..., Result]


@pytest.fixture
def dark_webp(tmp_path: Path) -> Path:
    path = tmp_path / "dark.webp"
    Image.new("RGB", (2, 2), (0, 0, 0)).save(path, lossless=True)
    return path


def test_picture_gets_its_label(run: Run, published: str, bright_png: Path) -> None:
    result = run("predict", published, bright_png)

    head, row = result.stdout.splitlines()
    assert head.split() == ["file", "label", "probability", "version", "ms"]
    assert row.split()[:5] == [str(bright_png), "bright", "100.0", "%", "1"]


def test_json_answer_holds_the_document_and_the_time(run: Run, published: str, bright_png: Path) -> None:
    result = run("predict", published, bright_png, "--json")

    (answer,) = json.loads(result.stdout)
    assert answer["file"] == str(bright_png)
    assert answer["predictions"][0]["probabilities"] == {"dark": 0.0, "bright": 1.0}
    assert answer["elapsed_ms"] > answer["parts_ms"]["total"] > 0


def test_json_file_may_hold_several_rows(run: Run, published: str, tmp_path: Path) -> None:
    file = tmp_path / "two.json"
    file.write_text(json.dumps({"inputs": [[[[0], [0]], [[0], [0]]], [[[255], [255]], [[255], [255]]]]}))

    result = run("predict", published, file)

    assert [row.split()[1] for row in result.stdout.splitlines()[1:]] == ["dark", "bright"]


def test_pictures_may_go_together(run: Run, published: str, bright_png: Path, dark_webp: Path) -> None:
    result = run("predict", published, dark_webp, bright_png, "--together")
    document = run("predict", published, dark_webp, bright_png, "--together", "--json")

    rows = [row.split()[:2] for row in result.stdout.splitlines()[1:]]
    assert rows == [[str(dark_webp), "dark"], [str(bright_png), "bright"]]
    (answer,) = json.loads(document.stdout)
    assert answer["files"] == [str(dark_webp), str(bright_png)]
    assert len(answer["predictions"]) == 2


def test_best_labels_stand_below_each_other(run: Run, published: str, bright_png: Path) -> None:
    result = run("predict", published, bright_png, "--top", 2)

    rows = [row.split()[1:4] for row in result.stdout.splitlines()[1:]]
    assert rows == [["bright", "100.0", "%"], ["dark", "0.0", "%"]]


def test_rows_come_from_a_table_and_go_into_one(run: Run, published: str, tmp_path: Path) -> None:
    rows, scores = tmp_path / "rows.csv", tmp_path / "scores.csv"
    rows.write_text("a,b,c,d\n0,0,0,0\n255,255,255,255\n")

    result = run("predict", published, rows, "--output", scores)

    assert f"Wrote {scores}" in result.stderr
    assert scores.read_text().splitlines() == [
        "label,probability,probability_dark,probability_bright",
        "dark,1.0,1.0,0.0",
        "bright,1.0,0.0,1.0",
    ]


@pytest.mark.parametrize("suffix", ["npy", "jsonl", "json"])
def test_answer_is_written_as_its_files_suffix_says(
    run: Run, published: str, tmp_path: Path, suffix: str, bright_png: Path, dark_webp: Path
) -> None:
    scores = tmp_path / f"scores.{suffix}"

    result = run("predict", published, bright_png, dark_webp, "--output", scores, "--json")

    written = scores.read_bytes()
    document = json.loads(result.stdout)
    assert (document["output"], document["size_bytes"]) == (str(scores), len(written))
    match suffix:
        case "npy":
            assert np.load(scores).tolist() == [[0, 1], [1, 0]]
        case "jsonl":
            assert [json.loads(line)["label"] for line in written.splitlines()] == ["bright", "dark"]
        case _:
            assert [each["label"] for each in json.loads(written)["predictions"]] == ["bright", "dark"]


def test_output_of_another_kind_is_refused_before_the_call(run: Run, tmp_path: Path) -> None:
    result = run("predict", "any", tmp_path / "absent.png", "--output", tmp_path / "scores.xls")

    assert result.exit_code == 1
    assert "scores.xls is none of .csv, .json, .ndjson, .jsonl, .npy" in result.stderr


def test_output_that_cannot_be_written_is_named(run: Run, published: str, bright_png: Path) -> None:
    output = bright_png.parent / "absent" / "scores.csv"

    result = run("predict", published, bright_png, "--output", output)

    assert result.exit_code == 1
    assert f"{output} cannot be written: no such file or directory" in result.stderr


def test_model_without_labels_shows_its_tensors(run: Run, onnx_file: Path, bright_png: Path) -> None:
    run("publish", onnx_file, "--model", "tensors")

    result = run("predict", "tensors", bright_png)

    assert result.stdout.splitlines()[1].split()[1:6] == ["scores", "[1,", "2]", "0,", "1"]


def test_refusal_names_the_file_and_says_what_would_be_right(
    run: Run, published: str, tmp_path: Path
) -> None:
    file = tmp_path / "text.png"
    file.write_bytes(b"no picture")

    result = run("predict", published, file)

    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert "[invalid-image]" in result.stderr


def test_unknown_model_is_named(run: Run, bright_png: Path) -> None:
    result = run("predict", "absent", bright_png)

    assert result.exit_code == 1
    assert "[model-not-found]" in result.stderr


def test_file_of_another_kind_is_not_sent(run: Run, tmp_path: Path) -> None:
    result = run("predict", "any", tmp_path / "notes.txt")

    assert result.exit_code == 1
    assert "notes.txt is none of .png, .jpg, .jpeg, .json" in result.stderr


def test_missing_file_is_named(run: Run, tmp_path: Path) -> None:
    result = run("predict", "any", tmp_path / "absent.png")

    assert result.exit_code == 1
    assert "absent.png cannot be read: no such file" in result.stderr


@pytest.mark.parametrize("model", ["", "../v2", "digits?x"])
def test_what_cannot_be_a_models_name_is_not_sent(run: Run, bright_png: Path, model: str) -> None:
    result = run("predict", model, bright_png)

    assert result.exit_code == 1
    assert "cannot be the name of a model" in result.stderr
    assert str(bright_png) not in result.stderr


@pytest.fixture
def many_pictures(tmp_path: Path) -> Path:
    """More pictures than the API takes, and more answers than it gives: all black, the last one white."""
    pictures = np.zeros((1_100_000, 2, 2, 1), np.uint8)
    pictures[-1] = 255
    path = tmp_path / "pictures.npy"
    np.save(path, pictures)
    return path


def test_file_too_large_for_the_api_is_predicted_on(
    run: Run, published: str, many_pictures: Path, tmp_path: Path
) -> None:
    scores = tmp_path / "scores.npy"

    result = run("predict", published, many_pictures, "--output", scores)

    assert result.exit_code == 0, result.output
    answered = np.load(scores)
    assert answered.shape == (1_100_000, 2)
    assert (answered[0].tolist(), answered[-1].tolist()) == ([1.0, 0.0], [0.0, 1.0])


def test_large_bodies_need_nothing_but_http(cloud: LocalCloud, published: str, many_pictures: Path) -> None:
    upload = httpx.post(f"{cloud.api_url}/uploads", trust_env=False).json()
    httpx.put(upload["url"], content=many_pictures.read_bytes(), trust_env=False).raise_for_status()

    answer = httpx.post(
        f"{cloud.api_url}/models/{published}/predict",
        params={"upload": upload["upload"]},
        headers={
            "content-type": "application/x-npy",
            "accept": "application/x-npy",
            "accept-encoding": "identity",
        },
        follow_redirects=True,
        trust_env=False,
    )

    assert [response.status_code for response in (*answer.history, answer)] == [303, 200]
    assert answer.headers["content-type"] == "application/x-npy"
    assert np.load(BytesIO(answer.content))[-1].tolist() == [0.0, 1.0]


def test_another_alias_may_answer(run: Run, published: str, bright_png: Path) -> None:
    run("aliases", "set", published, 1, "--alias", "stable")

    answered = run("predict", published, bright_png, "--alias", "stable", "--json")
    absent = run("predict", published, bright_png, "--alias", "nobody")

    assert json.loads(answered.stdout)[0]["version"] == 1
    assert "[alias-not-found]" in absent.stderr


def test_version_and_alias_together_are_wrong_usage(run: Run, published: str, bright_png: Path) -> None:
    assert run("predict", published, bright_png, "--alias", "live", "--version", 1).exit_code == 2


def test_name_that_is_no_alias_is_not_asked_for(run: Run, published: str, bright_png: Path) -> None:
    assert "[invalid-name]" in run("predict", published, bright_png, "--alias", "a/b").stderr
