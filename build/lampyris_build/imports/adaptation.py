"""How a model that came trained is asked what the dataset holds, and how its answer becomes the task's.

What is bridged: a name, a type that holds every value of the other, an axis of 1; and answers of a classifier
that are no probabilities are logits.

Shape suffixes: N samples, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris.domain.tensors import NUMPY_OF
from lampyris_build.data.dataset import Inputs
from lampyris_build.errors import InvalidRecipe
from lampyris_build.imports.graph import add_columns, add_input, answer_with, apart, append
from lampyris_build.imports.matching import match_answer, match_inputs
from lampyris_build.tasks.task import Answers, Task

_TOLERANCE: Final = 1e-3  # of probabilities that are to sum to 1

# Takes what the model takes, by its names, and gives all that it gives, in order.
Runner = Callable[[Inputs], Answers]
# What is done to an answer: nothing; logits to probabilities; that of the second of two classes to both.
Activation = Literal["none", "softmax", "complement"]


@dataclass(frozen=True, kw_only=True)
class Interface:
    """What a model takes, and all that it gives, in order; None is no tensor. Errors call it `told`."""

    told: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec | None, ...]


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """`taken` are the model's own inputs, in the order of the dataset's, `sent`; `place` is its answer's.

    One input for several columns is the matrix of them.
    """

    sent: tuple[TensorSpec, ...]
    taken: tuple[TensorSpec, ...]
    place: int
    answer: TensorSpec
    activation: Activation

    def before(self, inputs: Inputs) -> Inputs:
        """Turn raw inputs into the model's own."""
        if self._joins:
            (matrix,) = self.taken
            columns = np.stack([inputs[sent.name] for sent in self.sent], axis=1)
            return {matrix.name: columns.astype(NUMPY_OF[matrix.datatype], copy=False)}
        return {
            taken.name: _shaped(inputs[sent.name], taken).astype(NUMPY_OF[taken.datatype], copy=False)
            for sent, taken in zip(self.sent, self.taken, strict=True)
        }

    def after(self, answers: Answers) -> Answers:
        """Turn the model's own answers into the task's."""
        answer = answers[self.place].astype(np.float32, copy=False)
        match self.activation:
            case "softmax":
                answer = torch.softmax(torch.from_numpy(answer), dim=-1).numpy()
            case "complement":
                answer = np.concatenate([1 - answer, answer], axis=-1)
        return [answer.reshape(self._answer_shape(answer))]

    def apply(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Do the same in the model's graph."""
        answer = model.graph.output[self.place].name
        model = apart(model)
        if self._joins:
            add_columns(model, self.sent)
        else:
            for sent, taken in zip(self.sent, self.taken, strict=True):
                shape = sent.shape if len(sent.shape) == len(taken.shape) else (DYNAMIC, 1)
                cast = sent.datatype != taken.datatype
                add_input(model, f"model.{taken.name}", sent, shape=shape, cast=cast)
        answer = append(model, "Cast", f"model.{answer}", to=TensorProto.FLOAT)
        match self.activation:
            case "softmax":
                answer = append(model, "Softmax", answer, axis=-1)
            case "complement":
                rest = append(model, "Sub", np.array(1, np.float32), answer)
                answer = append(model, "Concat", rest, answer, axis=-1)
        answer_with(model, answer, self.answer)
        return model

    @property
    def _joins(self) -> bool:
        return len(self.taken) < len(self.sent)

    def _answer_shape(self, answer: NDArray[Any]) -> tuple[int, ...]:
        return answer.shape if len(answer.shape) == len(self.answer.shape) else answer.shape[:-1]


def adapt(interface: Interface, task: Task, run: Runner, samples: Inputs) -> Adaptation:
    """Find how the model takes the dataset's inputs, and what it says of some samples.

    Raises: InvalidRecipe if it takes or gives something else.
    """
    (answer,) = task.outputs
    taken = match_inputs(interface.told, task.inputs, interface.inputs)
    place = match_answer(interface.told, answer, interface.outputs)
    plain = Adaptation(sent=task.inputs, taken=taken, place=place, answer=answer, activation="none")
    if task.labels is None:
        return plain
    said = run(plain.before(samples))[place]
    return Adaptation(
        sent=task.inputs,
        taken=taken,
        place=place,
        answer=answer,
        activation=_activation(interface.told, said),
    )


def _activation(told: str, said_NK: NDArray[Any]) -> Activation:
    if not np.isfinite(said_NK).all():
        raise InvalidRecipe(
            reason=f"{told} answers samples of the dataset with {said_NK[~np.isfinite(said_NK)][0]}."
        )
    probable = bool((said_NK >= 0).all() and (said_NK <= 1 + _TOLERANCE).all())
    if said_NK.shape[-1] == 1:
        if not probable:
            raise InvalidRecipe(
                reason=f"{told} answers with one number for two classes, such as {said_NK.flat[0]:.3g}; "
                "it must be the probability of the second, from 0 to 1."
            )
        return "complement"
    return "none" if probable and np.allclose(said_NK.sum(axis=-1), 1, atol=_TOLERANCE) else "softmax"


def _shaped(values: NDArray[Any], taken: TensorSpec) -> NDArray[Any]:
    return values if values.ndim == len(taken.shape) else values[:, np.newaxis]
