"""TensorFlow Serving's REST API, version 1.

Source: https://www.tensorflow.org/tfx/serving/api_rest.
"""
