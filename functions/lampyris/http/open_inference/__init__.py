"""The Open Inference Protocol, version 2: what KServe, Triton and MLServer speak.

Source: https://github.com/kserve/open-inference-protocol, inference_rest.md.
"""
