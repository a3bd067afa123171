"""Checkpoints and embeddings can be taken away over HTTP."""

import io
import json
import struct

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load

from tests.conftest import Server
from tests.making import Workspace, run_jobs


def test_the_weights_come_under_plain_names(web: httpx.Client, workspace: Workspace) -> None:
    answer = web.get(f"/api/checkpoints/{workspace.checkpoint}/export?format=safetensors")
    assert answer.status_code == 200
    assert f'filename="{workspace.checkpoint}.safetensors"' in answer.headers["content-disposition"]
    assert load(answer.content)["conv1.weight"].shape[1:] == (3, 11, 11)
    (length,) = struct.unpack("<Q", answer.content[:8])
    about = json.loads(answer.content[8 : 8 + length])["__metadata__"]
    assert json.loads(about["card"]) == web.get(f"/api/checkpoints/{workspace.checkpoint}/export?format=card").json()


def test_what_needs_pytorch_is_a_job(server: Server, web: httpx.Client, workspace: Workspace) -> None:
    here = f"/api/checkpoints/{workspace.checkpoint}"
    early = web.get(f"{here}/export?format=pth")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "not_exported")
    job = early.json()["error"]["detail"]
    assert web.post("/api/jobs", json=job).status_code == 202
    run_jobs(server.services)
    made = web.get(f"{here}/export?format=pth")
    assert (made.status_code, made.content[:2]) == (200, b"PK")
    assert web.post("/api/jobs", json=job).status_code == 200  # the same is not written twice
    listed = {item["format"]: item["made"] for item in web.get(f"{here}/exports").json()["exports"]}
    assert listed["pth"]["bytes"] == len(made.content)
    assert listed["onnx"] is None
    page = web.get(f"/checkpoints/{workspace.checkpoint}").text
    assert "export?format=pth" in page


def test_rescaled_weights_say_what_was_done_to_them(server: Server, web: httpx.Client, workspace: Workspace) -> None:
    here = f"/api/checkpoints/{workspace.checkpoint}"
    job = {"kind": "export", "spec": {"checkpoint": workspace.checkpoint, "format": "rescaled"}}
    assert web.post("/api/jobs", json=job).status_code == 202
    run_jobs(server.services)
    made = web.get(f"{here}/export?format=rescaled")
    assert f'filename="{workspace.checkpoint}.rescaled.pth"' in made.headers["content-disposition"]
    told = {item["format"]: item["made"] for item in web.get(f"{here}/exports").json()["exports"]}["rescaled"]
    tensors = torch.load(io.BytesIO(made.content), weights_only=True)
    own = load(web.get(f"{here}/export?format=safetensors").content)
    assert told["rescaling"]["after"] < 0.1 * told["rescaling"]["before"] and told["difference"] < 1e-4
    assert told["images"] == 13  # photos of the sample gallery
    for name, factor in told["rescaling"]["factors"].items():
        assert np.allclose(tensors[f"{name}.weight"].numpy(), factor * own[f"{name}.weight"].astype(np.float32))
    assert "Mark results as rescaled" in web.get(f"/checkpoints/{workspace.checkpoint}").text


@pytest.mark.parametrize("format", ["pickle", "", "onnx.exe"])
def test_unknown_forms_are_refused(web: httpx.Client, workspace: Workspace, format: str) -> None:
    assert web.get(f"/api/checkpoints/{workspace.checkpoint}/export?format={format}").status_code == 422
    body = {"kind": "export", "spec": {"checkpoint": workspace.checkpoint, "format": format}}
    assert web.post("/api/jobs", json=body).status_code == 422


def test_embeddings_come_as_parquet_with_what_is_known_of_the_images(web: httpx.Client, workspace: Workspace) -> None:
    table = pq.read_table(io.BytesIO(web.get(f"/api/scans/{workspace.scan}/embeddings/conv5.parquet").content))
    plain = np.load(io.BytesIO(web.get(f"/api/scans/{workspace.scan}/embeddings/conv5.npy").content))
    assert table.column_names == ["row", "path", "label", "split", "embedding"]
    assert table.num_rows == workspace.rows == len(plain)
    vectors = np.stack(table["embedding"].to_numpy())
    assert np.array_equal(vectors.astype(np.float32), plain.astype(np.float32))
    seventh = web.get(f"/api/galleries/{workspace.gallery}/images/7").json()
    assert (table["path"][7].as_py(), table["label"][7].as_py()) == (seventh["path"], seventh["label"])


def test_unknown_layers_have_no_parquet(web: httpx.Client, workspace: Workspace) -> None:
    assert web.get(f"/api/scans/{workspace.scan}/embeddings/conv9.parquet").status_code == 404
