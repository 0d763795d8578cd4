"""One shard, from its rows to the files of its answers: bytes that are the same whoever makes them.

Rows are read and decoded ahead in a thread while the session runs. A batch that fails is halved until the
rows are found that are to blame; all others are answered.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from lampyris.batch.ahead import ahead
from lampyris.batch.answers import MEDIA_TYPES, Answers, begin_answers, outputs_for
from lampyris.batch.batch_size import fixed_batch_size
from lampyris.batch.formats import read
from lampyris.batch.plan import Outcome, Plan, Shard
from lampyris.batch.rows import Chunk, FailedRow, Rows, failed_row
from lampyris.domain.manifest import Manifest
from lampyris.domain.store import Store
from lampyris.domain.tensors import Array
from lampyris.errors import DeadlineExceeded, InferenceFailed, InvalidInput, InvalidRequest, OutOfMemory
from lampyris.serving.infer import Inference, Prediction

_BUFFER_BYTES = 2**20
_encode_lines = msgspec.json.Encoder().encode_lines


class Predicting(msgspec.Struct, frozen=True, kw_only=True):
    """What predicts shards: where rows come from and answers go, and what runs models."""

    store: Store
    inference: Inference
    clock: Callable[[], float]

    def run(self, manifest: Manifest, rows: Rows, outputs: tuple[str, ...], deadline_s: float) -> Prediction:
        """Run a version on rows; a model of a fixed batch size gets the last of them again, to fill it.

        Raises: what `Inference.run` raises; InvalidInput if it does not answer row by row.
        """
        inputs, fixed = rows.inputs, fixed_batch_size(manifest.signature)
        if fixed is not None and len(rows) < fixed:
            inputs = {name: _filled(values, fixed) for name, values in inputs.items()}
        prediction = self.inference.run(manifest, inputs, deadline_s=deadline_s, outputs=outputs)
        count = fixed or len(rows)
        for name, values in prediction.outputs.items():
            if values.ndim == 0 or len(values) != count:
                raise InvalidInput(
                    reason=f"The model's output {name!r} has shape {list(values.shape)} for {count:,} rows: "
                    "it does not answer row by row, so no batch can be made of it."
                )
        if count == len(rows):
            return prediction
        cut = {name: values[: len(rows)] for name, values in prediction.outputs.items()}
        return msgspec.structs.replace(prediction, outputs=cut)

    def predict(
        self, plan: Plan, number: int, shard: Shard, manifest: Manifest, deadline_s: float
    ) -> Outcome:
        """Predict a shard and put its files; what stands there already is the same.

        Raises: DeadlineExceeded if there is not enough time; StoreUnavailable, ArtifactDamaged, ModelLoading;
            InvalidInput, InputChanged, ObjectNotFound if no answers can be made of it.
        """
        chunks = read(
            self.store,
            shard.pieces,
            manifest.signature,
            form=plan.format,
            first_row=shard.first_row,
            batch_size=plan.batch_size,
        )
        with TemporaryDirectory(prefix="lampyris-batch-") as folder:
            answers_file, failed_file = Path(folder, "answers"), Path(folder, "failed")
            failed_rows = 0
            with answers_file.open("wb", _BUFFER_BYTES) as answered, failed_file.open("wb") as failures:
                answers = begin_answers(answered, plan.answers, manifest.signature, shard)
                for chunk in ahead(chunks):
                    failed = sorted(
                        [*chunk.failed, *self._answer(chunk, plan, manifest, answers, deadline_s)],
                        key=lambda one: one.row,
                    )
                    failed_rows += len(failed)
                    failures.write(_encode_lines(failed))
                answers.finish()
            key = plan.answers_key(number)
            self.store.put(key, answers_file, {"content-type": MEDIA_TYPES[plan.answers]})
            outcome = Outcome(
                shard=number,
                first_row=shard.first_row,
                rows=shard.rows,
                failed_rows=failed_rows,
                answers=key,
                answers_sha256=_sha256(answers_file),
                answers_size_bytes=answers_file.stat().st_size,
            )
            if not failed_rows:
                return outcome
            key = plan.failed_key(number)
            self.store.put(key, failed_file, {"content-type": MEDIA_TYPES["ndjson"]})
            return msgspec.structs.replace(outcome, failed=key, failed_sha256=_sha256(failed_file))

    def _answer(
        self, chunk: Chunk, plan: Plan, manifest: Manifest, answers: Answers, deadline_s: float
    ) -> list[FailedRow]:
        """Run the rows of a chunk, write what comes of them, and return those that the model failed on."""
        outputs = outputs_for(plan.answers, manifest.signature)
        failed: list[FailedRow] = []
        for rows in chunk.rows:
            for start in range(0, len(rows), plan.batch_size):
                batch = rows.part(start, start + plan.batch_size)
                for part, found in self._halving(batch, manifest, outputs, deadline_s):
                    if isinstance(found, Prediction):
                        answers.write(part, found)
                    else:
                        number, file = int(part.numbers[0]), part.files[0] if part.files else None
                        failed.append(failed_row(number, found, file))
        return failed

    def _halving(
        self, rows: Rows, manifest: Manifest, outputs: tuple[str, ...], deadline_s: float
    ) -> Iterator[tuple[Rows, Prediction | Exception]]:
        try:
            yield rows, self.run(manifest, rows, outputs, deadline_s)
        except InvalidInput:
            raise
        except (InferenceFailed, OutOfMemory, DeadlineExceeded, InvalidRequest) as error:
            if isinstance(error, DeadlineExceeded) and self.clock() >= deadline_s:
                raise
            if len(rows) == 1:
                yield rows, error
                return
            middle = len(rows) // 2
            yield from self._halving(rows.part(0, middle), manifest, outputs, deadline_s)
            yield from self._halving(rows.part(middle, len(rows)), manifest, outputs, deadline_s)


def _filled(values: Array, size: int) -> Array:
    return np.concatenate([values, np.repeat(values[-1:], size - len(values), axis=0)])


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
