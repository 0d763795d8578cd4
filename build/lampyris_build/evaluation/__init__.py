"""Measure a model as it will be served: what it answers, by onnxruntime, against what it should.

`session` asks a model, `latency` and `memory` say what that costs. The other files compare arrays of answers
with arrays of targets, whoever gave them. Where a score means the same everywhere, scikit-learn computes it.
"""
