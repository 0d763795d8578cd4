"""What a worker imports before it trains: it is paid for in each of a job's invocations."""

import subprocess
import sys


def test_training_begins_without_what_only_others_need() -> None:
    program = "import sys, lampyris_build.jobs.train, lampyris_build.making; print(*sys.modules)"

    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    found = set(imported.stdout.split())
    assert "torch" in found
    # The scores of scikit-learn, the shards of FSDP, and the algebra that those bring.
    assert not {"sklearn", "torch.distributed.checkpoint", "sympy", "onnxruntime.quantization"} & found
